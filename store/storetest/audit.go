package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// note writes n audit entries.
func (b *bench) note(tb testing.TB, n int) {
	tb.Helper()
	for range n {
		if err := b.Audit(tb.Context(), operator, record.Audit{Verb: "reveal", Noun: "application", Subject: b.id("a"), Company: "acme", Reason: "asked"}); err != nil {
			tb.Fatal(err)
		}
	}
}

var auditTests = map[string]func(*testing.T, *bench){
	"entries are chained and listed, newest first": func(t *testing.T, b *bench) {
		if n, err := b.VerifyAudit(t.Context()); n != 0 || err != nil {
			t.Errorf("an empty log: got %d (%v)", n, err)
		}
		b.note(t, 1)
		b.clock.Pass(time.Hour)
		if err := b.Audit(t.Context(), operator, record.Audit{Verb: "reveal\x00", Noun: "mail", Subject: "m", Company: "globex", Detail: "broken \xff"}); err != nil {
			t.Fatal(err)
		}
		got, err := b.Audits(t.Context(), record.Filter{})
		if err != nil || len(got) != 2 {
			t.Fatalf("got %v (%v), want two", got, err)
		}
		want := record.Audit{Seq: 2, Actor: "user:hana", Verb: "reveal\uFFFD", Noun: "mail", Subject: "m", Company: "globex", Detail: "broken \uFFFD", At: b.clock.Now(), Hash: got[0].Hash}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("entry differs (-want +got):\n%s", diff)
		}
		if n, err := b.VerifyAudit(t.Context()); n != 2 || err != nil {
			t.Errorf("verified: got %d (%v), want 2", n, err)
		}
		if got, err := b.Audits(t.Context(), record.Filter{Company: "globex"}); err != nil || len(got) != 1 {
			t.Errorf("of a company: got %v (%v)", got, err)
		}
		for _, after := range []string{"x", "0", "-1"} {
			_, err := b.Audits(t.Context(), record.Filter{After: after})
			wantFault(t, err, ats.Invalid)
		}
	},
	"entries are filtered, and handed out oldest first": func(t *testing.T, b *bench) {
		for _, a := range []record.Audit{
			{Verb: "reveal", Noun: "mail", Subject: "m-1", Company: "acme"},
			{Verb: "stop", Noun: "mail", Subject: "m-1", Company: "acme"},
			{Verb: "reveal", Noun: "delivery", Subject: "d-1", Company: "globex"},
		} {
			if err := b.Audit(t.Context(), operator, a); err != nil {
				t.Fatal(err)
			}
			b.clock.Pass(time.Hour)
		}
		if err := b.Audit(t.Context(), record.System, record.Audit{Verb: "reveal", Noun: "mail", Subject: "m-2", Company: "globex"}); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			f    record.Filter
			want []int64
		}{
			"all":                        {record.Filter{}, []int64{1, 2, 3, 4}},
			"by actor":                   {record.Filter{Actor: "system"}, []int64{4}},
			"by verb":                    {record.Filter{Verb: "reveal"}, []int64{1, 3, 4}},
			"by kind of thing":           {record.Filter{Noun: "mail"}, []int64{1, 2, 4}},
			"by subject":                 {record.Filter{ID: "m-1"}, []int64{1, 2}},
			"by company and verb":        {record.Filter{Company: "globex", Verb: "reveal"}, []int64{3, 4}},
			"since":                      {record.Filter{Since: b.clock.Now().Add(-time.Hour)}, []int64{3, 4}},
			"by an actor of another day": {record.Filter{Actor: operator.Name, Until: b.clock.Now().Add(-3 * time.Hour)}, nil},
		} {
			var got []int64
			if err := b.WalkAudit(t.Context(), c.f, func(a record.Audit) error { got = append(got, a.Seq); return nil }); err != nil {
				t.Fatal(err)
			}
			listed, err := b.Audits(t.Context(), c.f)
			if err != nil {
				t.Fatal(err)
			}
			var seqs []int64
			for _, a := range listed {
				seqs = append([]int64{a.Seq}, seqs...)
			}
			if !slices.Equal(got, c.want) || !slices.Equal(seqs, c.want) {
				t.Errorf("%s: handed out %v, listed %v, want %v", name, got, seqs, c.want)
			}
		}
	},
	"an anchor kept elsewhere finds a log made anew": func(t *testing.T, b *bench) {
		if anchor, err := b.AuditAnchor(t.Context()); anchor != "" || err != nil {
			t.Errorf("of an empty log: got %q (%v)", anchor, err)
		}
		b.note(t, 3)
		anchor, err := b.AuditAnchor(t.Context())
		if err != nil || !strings.HasPrefix(anchor, "3:") {
			t.Fatalf("got %q (%v)", anchor, err)
		}
		b.note(t, 2)
		if err := b.CheckAnchor(t.Context(), anchor); err != nil {
			t.Errorf("of a log that went on: %v", err)
		}
		last, err := b.AuditAnchor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Somebody puts an older copy of the database back: it is sound in itself.
		b.exec(t, `DELETE FROM audit WHERE seq > 3`)
		b.exec(t, `DELETE FROM meta WHERE name = 'audit_head'`)
		if n, err := b.VerifyAudit(t.Context()); n != 3 || err != nil {
			t.Errorf("verified: got %d (%v)", n, err)
		}
		wantFault(t, b.CheckAnchor(t.Context(), last), ats.Conflict)
		b.clock.Pass(time.Hour)
		b.note(t, 2)
		wantFault(t, b.CheckAnchor(t.Context(), last), ats.Conflict)
		for _, wrong := range []string{"", "3", "x:" + strings.Repeat("0", 64), "0:" + strings.Repeat("0", 64), "3:00"} {
			wantFault(t, b.CheckAnchor(t.Context(), wrong), ats.Invalid)
		}
	},
	"entries at the same time make one chain": func(t *testing.T, b *bench) {
		other := b.open(t)
		errs := together(40, func(i int) error {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			return s.Audit(t.Context(), operator, record.Audit{Verb: "reveal", Noun: "mail", Subject: "m"})
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n, err := b.VerifyAudit(t.Context()); n != 40 || err != nil {
			t.Errorf("verified: got %d (%v), want 40", n, err)
		}
	},
	"an entry that cannot be written undoes the deed": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.refuse(t, "audit", `NEW.seq > 0`)
		wantFault(t, b.ErasePerson(t.Context(), operator, b.application(t, "a1").PersonID, "asked"), ats.Busy)
		if a := b.application(t, "a1"); a.State != ats.Rejected {
			t.Errorf("state: got %s, want rejected", a.State)
		}
	},
	"tampering is noticed": func(t *testing.T, b *bench) {
		b.note(t, 5)
		for name, c := range map[string]struct {
			sound      int
			statements []string
		}{
			"a changed reason":    {2, []string{`UPDATE audit SET reason = 'other' WHERE seq = 3`}},
			"a changed time":      {0, []string{`UPDATE audit SET at = at + 1 WHERE seq = 1`}},
			"a changed actor":     {4, []string{`UPDATE audit SET actor = 'user:mallory' WHERE seq = 5`}},
			"text moved between":  {1, []string{`UPDATE audit SET noun = noun || 'x', verb = substr(verb, 1, 5) WHERE seq = 2`}},
			"an entry taken out":  {2, []string{`DELETE FROM audit WHERE seq = 3`}},
			"the first taken out": {0, []string{`DELETE FROM audit WHERE seq = 1`}},
			"the end cut off":     {3, []string{`DELETE FROM audit WHERE seq > 3`}},
			"everything removed":  {0, []string{`DELETE FROM audit`}},
			"an entry added":      {5, []string{`INSERT INTO audit SELECT 6, at, actor, verb, noun, subject, company, reason, detail, hash FROM audit WHERE seq = 5`}},
			"one put in between": {2, []string{
				`UPDATE audit SET seq = seq + 10 WHERE seq > 2`, `UPDATE audit SET seq = seq - 9 WHERE seq > 10`,
				`INSERT INTO audit SELECT 3, at, actor, verb, noun, subject, company, reason, detail, hash FROM audit WHERE seq = 2`,
			}},
			"the rest moved up":       {2, []string{`DELETE FROM audit WHERE seq = 3`, `UPDATE audit SET seq = 3 WHERE seq = 4`, `UPDATE audit SET seq = 4 WHERE seq = 5`}},
			"two entries swapped":     {1, []string{`UPDATE audit SET seq = 9 WHERE seq = 2`, `UPDATE audit SET seq = 2 WHERE seq = 3`, `UPDATE audit SET seq = 3 WHERE seq = 9`}},
			"an entry changed twice…": {3, []string{`UPDATE audit SET subject = 'x' WHERE seq = 4`, `UPDATE audit SET hash = hash || '' WHERE seq = 4`}},
		} {
			rows := b.rows(t, "audit")
			b.exec(t, `CREATE TABLE saved AS SELECT * FROM audit`)
			for _, s := range c.statements {
				b.exec(t, s)
			}
			n, err := b.VerifyAudit(t.Context())
			if got := ats.FaultOf(err); got != ats.Conflict || n != c.sound {
				t.Errorf("%s: got %d sound, %q (%v); want %d, conflict", name, n, got, err, c.sound)
			}
			for _, s := range []string{`DELETE FROM audit`, `INSERT INTO audit SELECT * FROM saved`, `DROP TABLE saved`} {
				b.exec(t, s)
			}
			if n, err := b.VerifyAudit(t.Context()); n != 5 || err != nil || strings.Join(rows, "") != strings.Join(b.rows(t, "audit"), "") {
				t.Fatalf("restored: got %d (%v), want 5", n, err)
			}
		}
	},
}
