package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/career-relay/connector/ats"
)

// A querier runs statements: a pool, a connection or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
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

// forUpdate is the clause that locks selected rows; SQLite has one writer.
func (t *tx) forUpdate() string {
	if t.pg {
		return " FOR UPDATE"
	}
	return ""
}

// A writer runs functions in transactions.
type writer interface {
	do(ctx context.Context, s *Store, fn func(*tx) error) error
	close() error
}

// update runs fn in a transaction, which is committed when update returns nil.
// fn may run more than once and must not keep anything from a failed run.
func (s *Store) update(ctx context.Context, fn func(ctx context.Context, t *tx) error) error {
	var due bool
	err := s.write.do(ctx, s, func(t *tx) error {
		t.s, t.pg, t.dirty = s, s.pg, false
		// A cancelled caller must not interrupt a transaction that others share.
		err := fn(context.WithoutCancel(ctx), t)
		due = t.dirty
		return err
	})
	if err == nil && due {
		s.wake()
	}
	return err
}

// A pool gives every function a transaction of its own (PostgreSQL).
type pool struct{ db *sql.DB }

func (p *pool) do(ctx context.Context, _ *Store, fn func(*tx) error) error {
	const tries = 5
	var err error
	for range tries {
		if err = p.once(ctx, fn); !repeatable(err) {
			return err
		}
	}
	return unavailable("repeating a transaction", err)
}

func (p *pool) once(ctx context.Context, fn func(*tx) error) error {
	t, err := p.db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return unavailable("beginning a transaction", err)
	}
	if err := fn(&tx{querier: t}); err != nil {
		return errors.Join(err, t.Rollback())
	}
	if err := t.Commit(); err != nil {
		return unavailable("committing", err)
	}
	return nil
}

func (p *pool) close() error { return p.db.Close() }

// repeatable reports whether PostgreSQL undid a transaction only because it
// met another one: serialization failure or deadlock.
func repeatable(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == "40001" || pgErr.Code == "40P01")
}

// A group shares one transaction among the functions that wait at the same
// time (SQLite, which has one writer anyway). There is no timer: the next
// group forms while the disk confirms the one before, so a lone caller does
// not wait. Each function runs in a savepoint and fails alone.
type group struct {
	db    *sql.DB
	conn  *cached
	queue chan call
	quit  chan struct{}
	done  chan struct{}
	stop  sync.Once
}

type call struct {
	fn     func(*tx) error
	result chan error
}

// maxGroup bounds how long the first of a group waits for the others.
const maxGroup = 256

func newGroup(db *sql.DB, conn *sql.Conn) *group {
	g := &group{
		db: db, conn: &cached{conn: conn, prepared: map[string]*sql.Stmt{}},
		queue: make(chan call, maxGroup), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go g.run()
	return g
}

func (g *group) do(ctx context.Context, _ *Store, fn func(*tx) error) error {
	c := call{fn: fn, result: make(chan error, 1)}
	select {
	case g.queue <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-g.quit:
		return ats.Errorf(ats.Busy, "the database is closed")
	}
	// Once queued the function will run, so its end must be awaited even if
	// the caller has left: only then is it known what happened.
	select {
	case err := <-c.result:
		return err
	case <-g.done:
	}
	select {
	case err := <-c.result:
		return err
	default:
		return ats.Errorf(ats.Busy, "the database is closed")
	}
}

func (g *group) run() {
	defer close(g.done)
	for {
		select {
		case first := <-g.queue:
			g.commit(g.collect(first))
		case <-g.quit:
			for len(g.queue) > 0 {
				g.commit(g.collect(<-g.queue))
			}
			return
		}
	}
}

func (g *group) collect(first call) []call {
	calls := []call{first}
	for len(calls) < maxGroup {
		select {
		case c := <-g.queue:
			calls = append(calls, c)
		default:
			return calls
		}
	}
	return calls
}

func (g *group) commit(calls []call) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	results := make([]error, len(calls))
	err := g.transact(ctx, calls, results)
	for i, c := range calls {
		if err != nil && results[i] == nil {
			results[i] = unavailable("committing", err)
		}
		c.result <- results[i]
	}
}

func (g *group) transact(ctx context.Context, calls []call, results []error) error {
	if _, err := g.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	for i, c := range calls {
		var err error
		if results[i], err = g.savepoint(ctx, c.fn); err != nil {
			_, undo := g.conn.ExecContext(ctx, `ROLLBACK`)
			return errors.Join(err, undo)
		}
	}
	if _, err := g.conn.ExecContext(ctx, `COMMIT`); err != nil {
		_, undo := g.conn.ExecContext(ctx, `ROLLBACK`)
		return errors.Join(err, undo)
	}
	return nil
}

// savepoint returns the function's own error, and as the second one an error
// that spoils the whole group.
func (g *group) savepoint(ctx context.Context, fn func(*tx) error) (result, broken error) {
	if _, err := g.conn.ExecContext(ctx, `SAVEPOINT one`); err != nil {
		return nil, err
	}
	if result = protect(fn, &tx{querier: g.conn}); result != nil {
		if _, err := g.conn.ExecContext(ctx, `ROLLBACK TO one`); err != nil {
			return nil, err
		}
	}
	_, broken = g.conn.ExecContext(ctx, `RELEASE one`)
	return result, broken
}

// protect keeps a panic of one function from ending the writer of all.
func protect(fn func(*tx) error, t *tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a transaction: %v", r)
		}
	}()
	return fn(t)
}

func (g *group) close() error {
	g.stop.Do(func() { close(g.quit) })
	<-g.done
	return errors.Join(g.conn.close(), g.db.Close())
}

// A cached connection prepares each statement once. It is used by one
// goroutine only.
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
