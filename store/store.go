// Package store keeps everything in SQL: SQLite or PostgreSQL, with personal
// data encrypted.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/oklog/ulid/v2"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/career-relay/connector/ats"
)

// Options says which database to open and how.
type Options struct {
	// URL is a postgres:// URL; empty for SQLite in Dir.
	URL string
	// Dir is the folder of the SQLite file careerrelay.db.
	Dir string
	// Keys are the master keys, 32 bytes each. The first encrypts, all decrypt.
	Keys [][]byte
	// Migrate applies pending migrations; without it they are an error.
	Migrate bool
	Log     *slog.Logger
	Now     func() time.Time
}

// A Store is one database. Its methods may be called concurrently.
type Store struct {
	log   *slog.Logger
	clock func() time.Time
	skew  atomic.Int64 // nanoseconds that SQL's clock is ahead of ours
	read  querier      // sees committed rows only
	reads *sql.DB      // behind read
	write writer
	pg    bool
	file  string // of SQLite
	keys  *keyring
	idMu  sync.Mutex
	ids   *ulid.MonotonicEntropy
	inbox *inbox
	boxes sync.Pool // buffers of sealed payloads
	nudge chan struct{}

	closing sync.Once
	closed  error

	argonMu sync.Mutex

	busyMu sync.Mutex
	busy   map[string]busyDay
}

// Open opens the database and checks that the keys fit it.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: o.Log, clock: o.Now, nudge: make(chan struct{}, 1), busy: map[string]busyDay{}, boxes: sync.Pool{New: func() any { return new([]byte) }}, ids: ulid.Monotonic(rand.Reader, 0)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.connect(ctx, o); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context, o Options) error {
	if err := s.SyncClock(ctx); err != nil {
		return err
	}
	pending, err := s.Pending(ctx)
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		if !o.Migrate {
			return ats.Errorf(ats.Conflict, "the database lacks %s; run careerrelay migrate, or serve --migrate", strings.Join(pending, ", "))
		}
		if err := s.migrate(ctx); err != nil {
			return err
		}
	}
	if err := s.openKeys(ctx, o.Keys); err != nil {
		return err
	}
	s.inbox = newInbox(s, inboxWriters, inboxGroup)
	return nil
}

func (s *Store) connect(ctx context.Context, o Options) error {
	if o.URL != "" {
		return s.connectPostgres(ctx, o.URL)
	}
	return s.connectSQLite(ctx, filepath.Join(o.Dir, databaseFile))
}

func (s *Store) connectPostgres(ctx context.Context, address string) error {
	s.pg = true
	db, err := sql.Open("pgx", address)
	if err != nil {
		return ats.Errorf(ats.Invalid, "DATABASE_URL is not a PostgreSQL address") // err may quote the password
	}
	db.SetMaxOpenConns(24)
	db.SetMaxIdleConns(24)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return errors.Join(unavailable("connecting to PostgreSQL", err), db.Close())
	}
	s.reads, s.read = db, plain{db}
	s.write = &pool{db: db}
	return nil
}

const sqliteReaders = 4

// connectSQLite opens one connection for writing and several for reading. The
// write-ahead log lets them work side by side; synchronous FULL makes a commit
// survive a loss of power; secure_delete overwrites what is deleted.
func (s *Store) connectSQLite(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return ats.Errorf(ats.Invalid, "the data folder cannot be made: %w", err)
	}
	const pragmas = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&_pragma=cache_size(-16000)&_pragma=wal_autocheckpoint(0)"
	s.file = path
	name := sqliteName(path) + pragmas
	writing, err := sql.Open("sqlite", name)
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	writing.SetMaxOpenConns(1)
	conn, err := writing.Conn(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("opening %s: %w", path, err), writing.Close())
	}
	s.reads, err = sql.Open("sqlite", name+"&_pragma=query_only(1)")
	if err != nil {
		return errors.Join(fmt.Errorf("opening %s: %w", path, err), conn.Close(), writing.Close())
	}
	s.reads.SetMaxOpenConns(sqliteReaders)
	s.reads.SetMaxIdleConns(sqliteReaders)
	s.read = plain{&learned{DB: s.reads, prepared: map[string]*sql.Stmt{}}}
	s.write = newGroup(writing, conn, newCheckpointer(s.reads), maxGroup)
	return nil
}

// Close waits for what is being written and closes the database. Closing again
// does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		if s.inbox != nil {
			s.inbox.close()
		}
		var errs []error
		if s.write != nil {
			errs = append(errs, s.write.close())
		}
		if s.reads != nil && !s.pg {
			errs = append(errs, s.reads.Close())
		}
		s.closed = errors.Join(errs...)
	})
	return s.closed
}

// Ping reports whether the database answers and its migrations are current.
func (s *Store) Ping(ctx context.Context) error {
	pending, err := s.Pending(ctx)
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		return ats.Errorf(ats.Busy, "migrations pending: %s", strings.Join(pending, ", "))
	}
	return nil
}

// Kind returns "PostgreSQL" or "SQLite".
func (s *Store) Kind() string {
	if s.pg {
		return "PostgreSQL"
	}
	return "SQLite"
}

// Now returns the time by the database's clock, which all replicas share, so
// that leases do not depend on the clocks of their machines.
func (s *Store) Now() time.Time {
	now := time.Now //nolint:forbidigo // this is the clock that others take
	if s.clock != nil {
		now = s.clock
	}
	return now().Add(time.Duration(s.skew.Load())).UTC()
}

// SyncClock reads the database's clock. SQLite runs on ours, and so does a
// store with a clock of its own.
func (s *Store) SyncClock(ctx context.Context) error {
	if !s.pg || s.clock != nil {
		return nil
	}
	before := time.Now() //nolint:forbidigo // two clocks are compared
	var theirs time.Time
	if err := s.read.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		return unavailable("reading the database's clock", err)
	}
	s.skew.Store(int64(theirs.Sub(before.Add(time.Since(before) / 2))))
	return nil
}

// Nudge is signalled after a commit that created work which is due.
func (s *Store) Nudge() <-chan struct{} { return s.nudge }

func (s *Store) wake() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// newID returns an id that sorts by the time it was made.
func (s *Store) newID() string {
	s.idMu.Lock()
	defer s.idMu.Unlock()
	return ulid.MustNew(ulid.Timestamp(s.Now()), s.ids).String()
}

// micros and clockTime translate times for the database; 0 is the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func clockTime(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// unavailable marks an error of the database as an outage that passes.
func unavailable(doing string, err error) error {
	return ats.Errorf(ats.Busy, "%s: %w", doing, err)
}
