package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A querier runs statements: a pool, a connection or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// plain lets only text through that both databases can keep: PostgreSQL takes
// no zero byte and no broken UTF-8, and a vendor may send either.
type plain struct{ querier }

func (p plain) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.querier.ExecContext(ctx, query, wash(args)...)
}

func (p plain) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.querier.QueryContext(ctx, query, wash(args)...)
}

func (p plain) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.querier.QueryRowContext(ctx, query, wash(args)...)
}

func wash(args []any) []any {
	for i, a := range args {
		switch v := a.(type) {
		case string:
			if w := washed(v); w != v {
				args[i] = w
			}
		case []string:
			for n := range v {
				v[n] = washed(v[n])
			}
		}
	}
	return args
}

func washed(s string) string {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// A tx is one unit of writing.
type tx struct {
	querier
	s     *Store
	pg    bool
	dirty bool // created work that may be due
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := t.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// step is how many of n rows one statement inserts: all on PostgreSQL, where a
// round trip costs most, and one on SQLite, which would keep a copy of every
// page that a statement of several rows changes.
func (t *tx) step(n int) int {
	if t.pg {
		return max(n, 1)
	}
	return 1
}

// places writes n groups of k placeholders: ($1,$2),($3,$4).
func places(n, k int) string {
	var b strings.Builder
	for i := range n * k {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%k == 0:
			b.WriteString("),(")
		default:
			b.WriteString(",")
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	b.WriteString(")")
	return b.String()
}

// lazily lets the transaction commit before the disk confirms it, for steps
// that a crash may undo without harm.
func (t *tx) lazily(ctx context.Context) error {
	if !t.pg {
		return nil // its transaction is shared with others
	}
	_, err := t.exec(ctx, `SET LOCAL synchronous_commit = off`)
	return err
}

// forUpdate is the clause that locks selected rows; SQLite has one writer.
func (t *tx) forUpdate() string {
	if t.pg {
		return " FOR UPDATE"
	}
	return ""
}

// forShare is the clause that keeps selected rows as they are.
func (t *tx) forShare() string {
	if t.pg {
		return " FOR SHARE"
	}
	return ""
}

// update runs fn in a transaction, which is committed when update returns nil.
// fn may run more than once and must not keep anything from a failed run.
func (s *Store) update(ctx context.Context, fn func(ctx context.Context, t *tx) error) error {
	var due bool
	err := s.write.do(ctx, func(ctx context.Context, t *tx) error {
		t.s, t.pg, t.dirty = s, s.pg, false
		err := fn(ctx, t)
		due = t.dirty
		return err
	})
	if err == nil && due {
		s.wake()
	}
	return err
}

// scan calls each for every row and closes rows.
func scan(rows *sql.Rows, each func() error) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := each(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// texts reads rows of one column and closes them.
func texts(rows *sql.Rows) ([]string, error) {
	var out []string
	err := scan(rows, func() error {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err
		}
		out = append(out, s)
		return nil
	})
	return out, err
}
