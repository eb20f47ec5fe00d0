package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

var mergeTests = map[string]func(*testing.T, *bench){
	"merged candidates go by the surviving id": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", e)
		merge := ats.Event{State: ats.Merged, Side: ats.Unknown, At: e.At.Add(time.Minute), Clock: ats.SentClock, Candidate: ats.Candidate{ID: e.Candidate.ID, Email: "survivor@example.jp"}, Into: "survivor"}
		if got := b.hear(t, "acme", merge); got.Events != 1 {
			t.Errorf("got %+v, want one event", got)
		}
		a := b.application(t, "a1")
		if a.CandidateID != "survivor" || a.State != ats.Rejected {
			t.Errorf("got candidate %q, state %s", a.CandidateID, a.State)
		}
		b.wantMail(t, b.mailOf(t, "a1").ID, record.MailHeld)
		erase := ats.Event{State: ats.Erased, Side: ats.Unknown, At: e.At.Add(2 * time.Minute), Clock: ats.SentClock, Candidate: ats.Candidate{ID: "survivor"}}
		b.hear(t, "acme", erase)
		if a := b.application(t, "a1"); a.State != ats.Erased {
			t.Errorf("after the survivor was erased: got %s, want erased", a.State)
		}
	},
	"a merger of nobody known makes nothing": func(t *testing.T, b *bench) {
		for _, e := range []ats.Event{
			{State: ats.Merged, At: b.clock.Now(), Candidate: ats.Candidate{ID: "c"}, Into: "d"},
			{State: ats.Merged, At: b.clock.Now(), Application: "a9", Into: "d"},
		} {
			if got := b.hear(t, "acme", e); got.Events != 0 {
				t.Errorf("got %+v, want nothing", got)
			}
		}
		if n := b.count(t, `SELECT count(*) FROM applications`); n != 0 {
			t.Errorf("applications: got %d, want 0", n)
		}
	},
	"an erased application is empty, and late news are ignored": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", e)
		b.hear(t, "acme", e) // a second delivery that holds the same data
		m := b.mailOf(t, "a1")
		b.hear(t, "acme", then(e, ats.Erased))
		b.wantMail(t, m.ID, record.MailCancelled)
		_, _, err := b.Letter(t.Context(), m.ID)
		wantFault(t, err, ats.NotFound)
		if a, err := b.Application(t.Context(), "a1", true); err != nil || a.Candidate != nil || a.Evidence != "" {
			t.Errorf("got %+v (%v), want nothing personal", a, err)
		}
		if n := b.count(t, `SELECT count(*) FROM deliveries`); n != 1 {
			t.Errorf("deliveries: got %d, want only that of the erasure", n)
		}
		if n := b.count(t, `SELECT count(*) FROM people WHERE wrapped_key IS NOT NULL`); n != 0 {
			t.Errorf("people with a key: got %d, want 0", n)
		}
		late := then(then(e, ats.Erased), ats.Rejected)
		if got := b.hear(t, "acme", late); got.Planned != 0 || !slices.Equal(got.Codes, []string{sending.CodeErased}) {
			t.Errorf("late news: got %+v", got)
		}
		if n := b.count(t, `SELECT count(*) FROM events WHERE evidence <> '' OR status <> '' OR reason <> ''`); n != 0 {
			t.Errorf("events with words: got %d, want 0", n)
		}
		if a := b.application(t, "a1"); a.State != ats.Erased {
			t.Errorf("state: got %s, want erased", a.State)
		}
	},
	"a person is erased with all applications, also unknown ones": func(t *testing.T, b *bench) {
		same := func(e *ats.Event) { e.Candidate.ID = "c1" }
		b.hear(t, "acme", b.rejection("a1", same))
		b.hear(t, "acme", b.rejection("a2", same))
		b.hear(t, "acme", b.rejection("a3"))
		b.hear(t, "acme", b.rejection("other"))
		erase := ats.Event{State: ats.Erased, Side: ats.Unknown, At: b.clock.Now(), Clock: ats.SentClock, Candidate: ats.Candidate{ID: "c1"}, Also: []string{"a3", "late", "a1", ""}}
		if got := b.hear(t, "acme", erase); got.Events != 4 {
			t.Errorf("got %+v, want four events", got)
		}
		for _, id := range []string{"a1", "a2", "a3", "late"} {
			if a := b.application(t, id); a.State != ats.Erased {
				t.Errorf("%s: got %s, want erased", id, a.State)
			}
		}
		if a := b.application(t, "other"); a.State != ats.Rejected {
			t.Errorf("another person: got %s, want rejected", a.State)
		}
		if got := b.hear(t, "acme", b.rejection("late")); got.Planned != 0 {
			t.Error("an erased application was planned a mail when it became known")
		}
	},
	"an erasure of one application keeps the person of another": func(t *testing.T, b *bench) {
		same := func(e *ats.Event) { e.Candidate.Email = "misaki@example.jp" }
		e := b.rejection("a1", same)
		b.hear(t, "acme", e)
		b.hear(t, "acme", b.rejection("a2", same))
		b.hear(t, "acme", then(e, ats.Erased))
		a, err := b.Application(t.Context(), "a2", true)
		if err != nil || a.Candidate == nil {
			t.Errorf("got %+v (%v), want the candidate", a, err)
		}
		if _, _, err := b.Letter(t.Context(), b.mailOf(t, "a2").ID); err != nil {
			t.Errorf("the other mail: %v", err)
		}
	},
}
