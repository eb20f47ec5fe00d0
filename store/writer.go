package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// A writer runs functions in transactions.
type writer interface {
	do(ctx context.Context, fn func(context.Context, *tx) error) error
	close() error
}

// A pool gives every function a transaction of its own (PostgreSQL).
type pool struct{ db *sql.DB }

// patience bounds a transaction, so that a database that is cut off cannot
// hold its callers for ever.
const patience = time.Minute

func (p *pool) do(ctx context.Context, fn func(context.Context, *tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	const tries = 5
	var err error
	for range tries {
		if err = p.once(ctx, fn); !repeatable(err) {
			return err
		}
	}
	return unavailable("repeating a transaction", err)
}

// notBegun is an error of a transaction that did not even begin.
type notBegun struct{ error }

func (n notBegun) Unwrap() error { return n.error }

func (p *pool) once(ctx context.Context, fn func(context.Context, *tx) error) error {
	t, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return notBegun{unavailable("beginning a transaction", err)}
	}
	if err := protect(ctx, fn, &tx{querier: plain{t}}); err != nil {
		_ = t.Rollback() // if it fails the connection is gone, and the transaction with it
		return err
	}
	if err := t.Commit(); err != nil {
		return unavailable("committing", err)
	}
	return nil
}

func (p *pool) close() error { return p.db.Close() }

// repeatable reports whether a transaction left no trace and may do better now:
// it met another one (serialization failure, deadlock), or its connection
// turned out to be of a server that was restarted.
func repeatable(err error) bool {
	if _, ok := errors.AsType[notBegun](err); ok {
		return true
	}
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == "40001" || pgErr.Code == "40P01")
}

// outage reports whether err says that the database is away, rather than that
// it refused something.
func outage(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.Contains([]string{"08", "53", "57", "58"}, pgErr.Code[:2])
	}
	_, refused := errors.AsType[*sqlite.Error](err)
	return !refused
}

// A group shares one transaction among the functions that wait at the same
// time (SQLite, which has one writer anyway). Each fails alone.
type group struct {
	db   *sql.DB
	conn *cached
	log  *checkpointer
	line *line[call]
}

type call struct {
	fn     func(context.Context, *tx) error
	result chan error
}

// maxGroup bounds how long the first of a group waits for the others.
const maxGroup = 256

func newGroup(db *sql.DB, conn *sql.Conn, log *checkpointer, most int) *group {
	g := &group{db: db, log: log, conn: &cached{conn: conn, prepared: map[string]*sql.Stmt{}}}
	g.line = &line[call]{lanes: 1, most: most, work: g.commit}
	return g
}

// do returns when the function ran, even if the caller has left: only then is
// it known what happened.
func (g *group) do(ctx context.Context, fn func(context.Context, *tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := call{fn: fn, result: make(chan error, 1)}
	if err := g.line.join(c); err != nil {
		return err
	}
	return <-c.result
}

func (g *group) commit(calls []call) {
	// The functions see no caller's context: one that is cancelled must not
	// interrupt a transaction that others share.
	ctx := context.Background()
	results := make([]error, len(calls))
	err := g.transact(ctx, calls, results)
	for i, c := range calls {
		if err != nil {
			// Even a result of its own cannot stand: it may rest on what
			// another function of the group wrote, which is gone now.
			results[i] = unavailable("committing", err)
		}
		c.result <- results[i]
	}
	g.log.rest(ctx, g.conn)
}

// transact runs the calls in one transaction. A savepoint before each would let
// one fail alone, but it copies every page that is changed, and hardly any call
// fails: so they first do without, and begin again if one does.
func (g *group) transact(ctx context.Context, calls []call, results []error) error {
	err := g.together(ctx, calls, results, g.bare)
	if !errors.Is(err, errAgain) {
		return err
	}
	if len(calls) == 1 {
		return nil // it failed alone
	}
	return g.together(ctx, calls, results, g.savepoint)
}

// errAgain says that a call failed and took its group with it.
var errAgain = errors.New("again, each for itself")

// together runs the calls by run, whose second error spoils the whole group.
func (g *group) together(ctx context.Context, calls []call, results []error, run func(context.Context, func(context.Context, *tx) error) (result, broken error)) error {
	if _, err := g.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	for i, c := range calls {
		var err error
		if results[i], err = run(ctx, c.fn); err != nil {
			return g.undo(ctx, err)
		}
	}
	if _, err := g.conn.ExecContext(ctx, `COMMIT`); err != nil {
		return g.undo(ctx, err)
	}
	return nil
}

func (g *group) bare(ctx context.Context, fn func(context.Context, *tx) error) (result, broken error) {
	if result = protect(ctx, fn, &tx{querier: plain{g.conn}}); result != nil {
		broken = errAgain
	}
	return result, broken
}

// undo ends a group that cannot be committed. SQLite may have undone it already,
// which then is an error without meaning.
func (g *group) undo(ctx context.Context, cause error) error {
	_, _ = g.conn.ExecContext(ctx, `ROLLBACK`)
	return cause
}

// savepoint lets the function fail alone.
func (g *group) savepoint(ctx context.Context, fn func(context.Context, *tx) error) (result, broken error) {
	if _, err := g.conn.ExecContext(ctx, `SAVEPOINT one`); err != nil {
		return nil, err
	}
	if result = protect(ctx, fn, &tx{querier: plain{g.conn}}); result != nil {
		if _, err := g.conn.ExecContext(ctx, `ROLLBACK TO one`); err != nil {
			return nil, err
		}
	}
	_, broken = g.conn.ExecContext(ctx, `RELEASE one`)
	return result, broken
}

// protect keeps a panic of one function from ending the writer of all.
func protect(ctx context.Context, fn func(context.Context, *tx) error, t *tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a transaction: %T", r) // the value may hold personal data
		}
	}()
	return fn(ctx, t)
}

func (g *group) close() error {
	g.line.close()
	g.log.close()
	return errors.Join(g.conn.close(), g.db.Close())
}

// A cached connection prepares each statement once. It is used by one
// goroutine at a time.
type cached struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

func (c *cached) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.prepared[query]; ok {
		return s, nil
	}
	s, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.prepared[query] = s
	return s, nil
}

func (c *cached) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := c.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (c *cached) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := c.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (c *cached) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := c.stmt(ctx, query)
	if err != nil {
		// The connection reports the same error through the row.
		return c.conn.QueryRowContext(ctx, query, args...)
	}
	return s.QueryRowContext(ctx, args...)
}

func (c *cached) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.conn.Close())...)
}
