package store

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"
)

// A checkpointer moves what SQLite's write-ahead log holds into the database
// file, beside the writer: left to itself, SQLite does it within a commit, and
// whoever waits for that one waits for thousands of pages and two flushes more.
type checkpointer struct {
	db      *sql.DB
	commits atomic.Int64
	// short tells the writer to move the rest, which is little, when nobody
	// writes: only a log that is empty begins anew and stays small.
	short   atomic.Bool
	stop    chan struct{}
	stopped chan struct{}
}

const (
	// logPages is how many pages the log may hold before they are moved: 16 MB.
	logPages = 4000
	// logLook is how often the log is looked at while there are commits.
	logLook = 50 * time.Millisecond
	// moveAll moves what it can without waiting for readers or the writer.
	moveAll = `PRAGMA wal_checkpoint(PASSIVE)`
)

func newCheckpointer(db *sql.DB) *checkpointer {
	c := &checkpointer{db: db, stop: make(chan struct{}), stopped: make(chan struct{})}
	go c.run()
	return c
}

func (c *checkpointer) run() {
	defer close(c.stopped)
	tick := time.NewTicker(logLook)
	defer tick.Stop()
	var seen int64
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		if n := c.commits.Load(); n != seen {
			seen = n
			c.look()
		}
	}
}

// look moves the log's pages if there are many. A log that cannot be moved now
// is moved later, or by SQLite when the database is closed.
func (c *checkpointer) look() {
	ctx := context.Background()
	var busy, pages, moved int
	if err := c.db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(NOOP)`).Scan(&busy, &pages, &moved); err != nil || pages-moved < logPages {
		return
	}
	if err := c.db.QueryRowContext(ctx, moveAll).Scan(&busy, &pages, &moved); err == nil {
		c.short.Store(true)
	}
}

// rest is called by the writer between two transactions.
func (c *checkpointer) rest(ctx context.Context, conn *cached) {
	c.commits.Add(1)
	if c.short.CompareAndSwap(true, false) {
		_, _ = conn.ExecContext(ctx, moveAll) // what it leaves is moved the next time
	}
}

func (c *checkpointer) close() {
	close(c.stop)
	<-c.stopped
}
