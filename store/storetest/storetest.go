// Package storetest proves that a store keeps what it promises, on either
// database.
package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/store"
)

// Run proves the store on the databases that fresh makes: each call returns the
// options of a new, empty one.
func Run(t *testing.T, fresh func(tb testing.TB) store.Options) {
	for _, group := range []map[string]func(*testing.T, *bench){
		deliveryTests, applicationTests, mergeTests, volumeTests, mailTests, settleTests, feedbackTests, jobTests, listTests, orderTests,
		registrationTests, personTests, auditTests, userTests, keyTests, migrationTests, backupTests, importTests, uploadTests, cursorTests, vaultTests, subscriptionTests,
		batchTests, graveTests, holdTests, alertTests,
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newBench(t, fresh(t)))
			})
		}
	}
}

// Key returns a master key that is always the same for the same n.
func Key(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

// A Clock is a time that tests set. It starts at noon on a working day.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 10, 2, 3, 0, 0, 0, time.UTC)} }

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Pass lets time pass.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A bench is an open store with what tests do to it.
type bench struct {
	*store.Store
	options store.Options
	clock   *Clock
	number  atomic.Int64
	limits  record.Limits
	rules   sending.Settings
}

func newBench(tb testing.TB, o store.Options) *bench {
	tb.Helper()
	b := &bench{options: o, clock: NewClock(), limits: record.Limits{Hour: 51, Day: 5000}}
	b.rules = sending.Settings{
		Mode: sending.Live, Purposes: []string{"thank_you"}, Delay: ats.Duration(24 * time.Hour), MaxAge: ats.Duration(30 * 24 * time.Hour),
		Brake: sending.Brake{Batch: 50, Factor: 1000}, OnUnknownSide: sending.HoldUnknown,
	}
	b.options.Now, b.options.Migrate = b.clock.Now, true
	if b.options.Keys == nil {
		b.options.Keys = [][]byte{Key(1)}
	}
	b.Store = b.open(tb)
	return b
}

// open opens one more store on the same database.
func (b *bench) open(tb testing.TB) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), b.options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("closing: %v", err)
		}
	})
	return s
}

// sql opens the database beside the store.
func (b *bench) sql(tb testing.TB) *sql.DB {
	tb.Helper()
	driver, name := "pgx", b.options.URL
	if name == "" {
		driver, name = "sqlite", "file:"+filepath.Join(b.options.Dir, "careerrelay.db")+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func (b *bench) exec(tb testing.TB, statement string, args ...any) {
	tb.Helper()
	if _, err := b.sql(tb).ExecContext(tb.Context(), statement, args...); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

func (b *bench) count(tb testing.TB, query string, args ...any) int {
	tb.Helper()
	var n int
	if err := b.sql(tb).QueryRowContext(tb.Context(), query, args...).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return n
}

// hold keeps everybody else from writing deliveries until release is called.
func (b *bench) hold(tb testing.TB) (release func()) {
	tb.Helper()
	statements := []string{`BEGIN IMMEDIATE`}
	if b.options.URL != "" {
		statements = []string{`BEGIN`, `LOCK TABLE deliveries`}
	}
	conn, err := b.sql(tb).Conn(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range statements {
		if _, err := conn.ExecContext(tb.Context(), s); err != nil {
			tb.Fatal(err)
		}
	}
	return func() {
		if _, err := conn.ExecContext(context.WithoutCancel(tb.Context()), `ROLLBACK`); err != nil {
			tb.Error(err)
		}
		_ = conn.Close()
	}
}

// refuse makes the database refuse rows of a table that fulfil a condition.
func (b *bench) refuse(tb testing.TB, table, condition string) {
	tb.Helper()
	if b.options.URL == "" {
		b.exec(tb, `CREATE TRIGGER refuse_`+table+` BEFORE INSERT ON `+table+` WHEN `+condition+` BEGIN SELECT RAISE(ABORT, 'refused'); END`)
		return
	}
	b.exec(tb, `CREATE FUNCTION refuse_`+table+`() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$`)
	b.exec(tb, `CREATE TRIGGER refuse_`+table+` BEFORE INSERT ON `+table+` FOR EACH ROW WHEN (`+condition+`) EXECUTE FUNCTION refuse_`+table+`()`)
}
