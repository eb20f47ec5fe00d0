package storetest

import (
	"strings"
	"testing"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

// reopen opens the database with other keys.
func (b *bench) reopen(tb testing.TB, keys ...[]byte) (*store.Store, error) {
	tb.Helper()
	o := b.options
	o.Keys = keys
	s, err := store.Open(tb.Context(), o)
	if err == nil {
		tb.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// readable fails unless everything can be read and searched.
func (b *bench) readable(tb testing.TB, s *store.Store, m record.Mail) {
	tb.Helper()
	if _, _, err := s.Letter(tb.Context(), m.ID); err != nil {
		tb.Errorf("a mail: %v", err)
	}
	ds, err := s.Deliveries(tb.Context(), record.Filter{Company: "acme"})
	if err != nil || len(ds) == 0 {
		tb.Fatalf("deliveries: got %v (%v)", ds, err)
	}
	if _, _, err := s.Delivery(tb.Context(), ds[0].ID); err != nil {
		tb.Errorf("a delivery: %v", err)
	}
	if found, err := s.FindPeople(tb.Context(), "acme", "a1@example.jp"); err != nil || len(found) != 1 {
		tb.Errorf("people: got %v (%v), want one", found, err)
	}
	if _, err := s.VerifyAudit(tb.Context()); err != nil {
		tb.Errorf("audit: %v", err)
	}
}

var keyTests = map[string]func(*testing.T, *bench){
	"keys are rotated by listing two, and the old one is taken away": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.note(t, 1)
		m := b.mailOf(t, "a1")
		both, err := b.reopen(t, Key(2), Key(1))
		if err != nil {
			t.Fatal(err)
		}
		b.readable(t, both, m)
		if n, err := both.Rewrap(t.Context()); n != 2 || err != nil {
			t.Errorf("rewrapped: got %d (%v), want a company and a person", n, err)
		}
		if n, err := both.Rewrap(t.Context()); n != 0 || err != nil {
			t.Errorf("rewrapped again: got %d (%v), want 0", n, err)
		}
		alone, err := b.reopen(t, Key(2))
		if err != nil {
			t.Fatal(err)
		}
		b.readable(t, alone, m)
		_, err = b.reopen(t, Key(1))
		wantFault(t, err, ats.Denied)
	},
	"more people than a page are rewrapped, erased ones are passed over": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		wrapped := `SELECT 'p' || CAST(i AS TEXT), 'acme', NULL, 1 FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700) SELECT i FROM n) AS n`
		b.exec(t, `INSERT INTO people (id, company, wrapped_key, created_at) `+wrapped)
		for range 3 {
			b.hear(t, "acme", b.rejection(b.id("a")))
		}
		both, err := b.reopen(t, Key(2), Key(1))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := both.Rewrap(t.Context()); n != 5 || err != nil {
			t.Errorf("rewrapped: got %d (%v), want 5", n, err)
		}
	},
	"keys that do not fit are refused in words": func(t *testing.T, b *bench) {
		for name, c := range map[string]struct {
			keys  [][]byte
			fault ats.Fault
			words string
		}{
			"another key": {[][]byte{Key(9)}, ats.Denied, "CAREERRELAY_KEY does not fit this database"},
			"no key":      {nil, ats.Invalid, "CAREERRELAY_KEY: required"},
			"a short key": {[][]byte{Key(1)[:16]}, ats.Invalid, "has 16 bytes, want 32"},
		} {
			_, err := b.reopen(t, c.keys...)
			if got := ats.FaultOf(err); got != c.fault || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%s: got %q (%v), want %q with %q", name, got, err, c.fault, c.words)
			}
		}
	},
	"ciphertext cannot be moved to another row": func(t *testing.T, b *bench) {
		first, second := b.save(t, b.arrival("acme", "1")), b.save(t, b.arrival("acme", "2"))
		b.exec(t, `UPDATE deliveries SET payload = (SELECT payload FROM deliveries WHERE id = $1) WHERE id = $2`, first, second)
		if _, _, err := b.Delivery(t.Context(), second); err == nil {
			t.Error("a payload was read in the place of another")
		}
	},
	"a wrapped key cannot be moved to another person": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.hear(t, "acme", b.rejection("a2"))
		b.exec(t, `UPDATE people SET wrapped_key = (SELECT wrapped_key FROM people WHERE id = $1) WHERE id = $2`, b.application(t, "a1").PersonID, b.application(t, "a2").PersonID)
		if _, err := b.Application(t.Context(), "a2", true); err == nil {
			t.Error("a key was taken in the place of another")
		}
	},
}
