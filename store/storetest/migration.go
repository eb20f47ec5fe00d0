package storetest

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/store"
)

var migrationTests = map[string]func(*testing.T, *bench){
	"pending migrations are refused unless they are wanted": func(t *testing.T, b *bench) {
		for _, table := range b.tables(t) {
			b.exec(t, `DROP TABLE `+table)
		}
		o := b.options
		o.Migrate = false
		_, err := store.Open(t.Context(), o)
		wantFault(t, err, ats.Conflict)
		if !strings.Contains(err.Error(), "0001_init") || !strings.Contains(err.Error(), "careerrelay migrate") {
			t.Errorf("got %q, want what is pending and what to do", err)
		}
		wantFault(t, b.Ping(t.Context()), ats.Busy)
		s := b.open(t)
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if pending, err := s.Pending(t.Context()); err != nil || len(pending) != 0 {
			t.Errorf("pending: got %v (%v), want none", pending, err)
		}
		s, err = store.Open(t.Context(), o)
		if err != nil {
			t.Fatalf("migrated: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	},
	"tables that another state of a migration made are not used": func(t *testing.T, b *bench) {
		for _, change := range []string{`UPDATE migrations SET hash = 'x' WHERE name = '0001_init'`, `ALTER TABLE migrations DROP COLUMN hash`} {
			b.exec(t, change)
			_, err := store.Open(t.Context(), b.options)
			wantFault(t, err, ats.Conflict)
			if !strings.Contains(err.Error(), "begin with a new database") {
				t.Errorf("%s: got %q, want what to do", change, err)
			}
		}
	},
	"processes that migrate at the same time wait for one another": func(t *testing.T, b *bench) {
		want := b.count(t, `SELECT count(*) FROM migrations`)
		for range 3 {
			for _, table := range b.tables(t) {
				b.exec(t, `DROP TABLE `+table)
			}
			errs := together(4, func(int) error {
				s, err := store.Open(t.Context(), b.options)
				if err != nil {
					return err
				}
				return s.Close()
			})
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if n := b.count(t, `SELECT count(*) FROM migrations`); n != want {
				t.Errorf("migrations: got %d, want %d", n, want)
			}
		}
	},
	"a database of a newer program is refused": func(t *testing.T, b *bench) {
		b.exec(t, `INSERT INTO migrations (name, hash, at) VALUES ('0099_future', 'x', 1)`)
		_, err := store.Open(t.Context(), b.options)
		wantFault(t, err, ats.Conflict)
		if !strings.Contains(err.Error(), "0099_future") {
			t.Errorf("got %q, want what is not known", err)
		}
	},
	"an address that is none is refused without being repeated": func(t *testing.T, b *bench) {
		_, err := store.Open(t.Context(), store.Options{URL: "postgres://user:secret@host:notaport/db", Keys: b.options.Keys})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v", err)
		}
	},
	"a database that is away is busy": func(t *testing.T, b *bench) {
		_, err := store.Open(t.Context(), store.Options{URL: "postgres://user@/db?host=" + url.QueryEscape(t.TempDir()), Keys: b.options.Keys})
		wantFault(t, err, ats.Busy)
	},
	"time is the database's": func(t *testing.T, b *bench) {
		if b.options.URL == "" {
			o := b.options
			o.Now = nil
			s, err := store.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			if d := time.Since(s.Now()).Abs(); d > time.Minute {
				t.Errorf("SQLite runs on our clock: got %v away", d)
			}
			return
		}
		// A clock that is two hours ahead stands before PostgreSQL's own.
		b.exec(t, `CREATE SCHEMA ahead`)
		b.exec(t, `CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.now() + interval ''2 hours'''`)
		o := b.options
		o.Now = nil
		o.URL += "&options=" + url.QueryEscape("-csearch_path=ahead,pg_catalog,public")
		s, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if d := time.Until(s.Now()) - 2*time.Hour; d.Abs() > time.Minute {
			t.Errorf("got %v from the database's clock", d)
		}
		b.exec(t, `CREATE OR REPLACE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.now() - interval ''3 hours'''`)
		if err := s.SyncClock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Until(s.Now()) + 3*time.Hour; d.Abs() > time.Minute {
			t.Errorf("after the clock changed: got %v from it", d)
		}
	},
	"the store says what it is": func(t *testing.T, b *bench) {
		want := "SQLite"
		if b.options.URL != "" {
			want = "PostgreSQL"
		}
		if got := b.Kind(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	},
}
