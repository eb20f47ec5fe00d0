package store

import (
	"context"
	"database/sql"
)

// Watch calls fn with every statement from now on. It is not for stores that are
// in use already.
func (s *Store) Watch(fn func(query string, args []any)) {
	s.read = watched{s.read, fn}
	s.write = watchedWriter{s.write, fn}
}

// Explain returns the plan that the database makes for a statement.
func (s *Store) Explain(ctx context.Context, query string, args []any) ([]string, error) {
	prefix, column := "EXPLAIN QUERY PLAN ", 3
	if s.pg {
		prefix, column = "EXPLAIN ", 0
	}
	rows, err := s.reads.QueryContext(ctx, prefix+query, args...)
	if err != nil {
		return nil, err
	}
	var out []string
	err = scan(rows, func() error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values := make([]sql.NullString, len(columns))
		pointers := make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			return err
		}
		out = append(out, values[column].String)
		return nil
	})
	return out, err
}

// OneByOne gives every delivery a transaction of its own, as many at a time as
// the database likes.
func (s *Store) OneByOne() {
	s.inbox.close()
	s.inbox = newInbox(s, 24, 1)
	if g, ok := s.write.(*group); ok {
		s.write = newGroup(g.db, g.conn.conn, g.log, 1)
	}
}

type watched struct {
	querier
	fn func(query string, args []any)
}

func (w watched) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	w.fn(query, args)
	return w.querier.ExecContext(ctx, query, args...)
}

func (w watched) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	w.fn(query, args)
	return w.querier.QueryContext(ctx, query, args...)
}

func (w watched) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	w.fn(query, args)
	return w.querier.QueryRowContext(ctx, query, args...)
}

type watchedWriter struct {
	writer
	fn func(query string, args []any)
}

func (w watchedWriter) do(ctx context.Context, fn func(context.Context, *tx) error) error {
	return w.writer.do(ctx, func(ctx context.Context, t *tx) error {
		t.querier = watched{t.querier, w.fn}
		return fn(ctx, t)
	})
}
