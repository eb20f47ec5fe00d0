package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

var applicationTests = map[string]func(*testing.T, *bench){
	"a rejection makes application, event, mail and job": func(t *testing.T, b *bench) {
		a := b.arrival("acme", "k")
		a.Trace = "00-trace"
		e := b.rejection("a1")
		got := b.hearThrough(t, a, e)
		if diff := cmp.Diff(record.Accepted{Events: 1, Planned: 1, Codes: []string{sending.CodeScheduled}}, got); diff != "" {
			t.Errorf("accepted differs (-want +got):\n%s", diff)
		}
		app := b.application(t, "a1")
		want := record.Application{
			ID: app.ID, Company: "acme", Connection: "main", Vendor: "greenhouse", ApplicationID: "a1", CandidateID: e.Candidate.ID, PersonID: app.PersonID,
			State: ats.Rejected, Side: ats.Company, Evidence: e.Evidence, JobTitle: e.Job.Title, Stage: e.Stage, StageKind: e.StageKind, Locale: "ja",
			Decision: sending.CodeScheduled, StateAt: e.At, UpdatedAt: b.clock.Now(),
		}
		if diff := cmp.Diff(want, app); diff != "" {
			t.Errorf("application differs (-want +got):\n%s", diff)
		}
		events, err := b.Events(t.Context(), app.ID)
		if err != nil || len(events) != 1 {
			t.Fatalf("events: got %v (%v), want one", events, err)
		}
		ev := events[0]
		if ev.State != ats.Rejected || ev.Action != "mail" || ev.Code != sending.CodeScheduled || ev.Status != e.Status || ev.Clock != e.Clock || len(ev.Checks) == 0 || !ev.OccurredAt.Equal(e.At) {
			t.Errorf("event: got %+v", ev)
		}
		if of, err := b.EventsOf(t.Context(), ev.Delivery); err != nil || len(of) != 1 || of[0].ID != ev.ID {
			t.Errorf("events of the delivery: got %v (%v)", of, err)
		}
		m := b.mailOf(t, "a1")
		if m.State != record.MailHeld || m.Stopped || !m.DueAt.Equal(e.At.Add(24*time.Hour)) || !m.DecidedAt.Equal(e.At) || m.Application != app.ID || m.PersonID != app.PersonID || m.Template != "thanks" {
			t.Errorf("mail: got %+v", m)
		}
		jobs, err := b.JobsOf(t.Context(), m.ID)
		if err != nil || len(jobs) != 1 {
			t.Fatalf("jobs: got %v (%v), want one", jobs, err)
		}
		if j := jobs[0]; j.Kind != record.MailJob || j.State != record.JobWaiting || !j.DueAt.Equal(m.DueAt) || j.Trace != "00-trace" {
			t.Errorf("job: got %+v", j)
		}
		row, _, err := b.Delivery(t.Context(), ev.Delivery)
		if err != nil || row.Disposition != record.Decoded {
			t.Errorf("delivery: got %s (%v), want decoded", row.Disposition, err)
		}
		for _, kind := range []string{record.RelayLink, record.StopLink} {
			l, err := b.FindLink(t.Context(), kind, kind+"-"+m.SendID)
			if err != nil || l.Person != m.PersonID || l.Application != app.ID || l.Company != "acme" || l.Kind != kind {
				t.Errorf("%s link: got %+v (%v)", kind, l, err)
			}
		}
	},
	"the candidate is shown only when asked": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", e)
		if a := b.application(t, "a1"); a.Candidate != nil {
			t.Errorf("not asked: got %v, want none", a.Candidate)
		}
		a, err := b.Application(t.Context(), b.application(t, "a1").ID, true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&e.Candidate, a.Candidate, cmp.Comparer(func(x, y ats.Email) bool { return string(x) == string(y) })); diff != "" {
			t.Errorf("candidate differs (-want +got):\n%s", diff)
		}
		_, err = b.Application(t.Context(), "nothing", true)
		wantFault(t, err, ats.NotFound)
	},
	"when a ruling fails nothing is kept": func(t *testing.T, b *bench) {
		id := b.save(t, b.arrival("acme", "k"))
		j := b.startOne(t, record.DecodeJob, id)
		d, _, err := b.Delivery(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		ruled := 0
		_, err = b.Accept(t.Context(), j, d, []ats.Event{b.rejection("a1"), b.rejection("a2")}, b.limits, func(e ats.Event, k record.Known) (record.Ruling, error) {
			if ruled++; ruled == 2 {
				return record.Ruling{}, ats.Errorf(ats.Invalid, "no letter")
			}
			return b.decide(e, k)
		})
		wantFault(t, err, ats.Invalid)
		for _, table := range []string{"applications", "people", "events", "mails", "links"} {
			if n := b.count(t, `SELECT count(*) FROM `+table); n != 0 {
				t.Errorf("%s: got %d rows, want 0", table, n)
			}
		}
		b.wantJob(t, j.ID, record.JobRunning)
	},
	"when the lease was lost nothing is kept": func(t *testing.T, b *bench) {
		id := b.save(t, b.arrival("acme", "k"))
		j := b.startOne(t, record.DecodeJob, id)
		b.clock.Pass(2 * lease)
		if _, err := b.Sweep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		d, _, err := b.Delivery(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Accept(t.Context(), j, d, []ats.Event{b.rejection("a1")}, b.limits, b.decide)
		wantFault(t, err, ats.Duplicate)
		if n := b.count(t, `SELECT count(*) FROM mails`); n != 0 {
			t.Errorf("mails: got %d, want 0", n)
		}
	},
	"events that cannot be kept are invalid": func(t *testing.T, b *bench) {
		for name, change := range map[string]func(*ats.Event){
			"no state":               func(e *ats.Event) { e.State = "" },
			"an unknown state":       func(e *ats.Event) { e.State = "maybe" },
			"nobody":                 func(e *ats.Event) { e.Application, e.Candidate.ID = "", "" },
			"no time":                func(e *ats.Event) { e.At = time.Time{} },
			"an id without measure":  func(e *ats.Event) { e.Application = strings.Repeat("x", 3000) },
			"an id of a candidate …": func(e *ats.Event) { e.Candidate.ID = strings.Repeat("x", 3000) },
		} {
			_, err := b.accept(t.Context(), b.Store, b.arrival("acme", b.id("key")), b.rejection("a1", change))
			if got := ats.FaultOf(err); got != ats.Invalid {
				t.Errorf("%s: got %q (%v), want invalid", name, got, err)
			}
		}
		if n := b.count(t, `SELECT count(*) FROM applications`); n != 0 {
			t.Errorf("applications: got %d, want 0", n)
		}
	},
	"zero bytes and broken text of a vendor do no harm": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1", func(e *ats.Event) {
			e.Job.Title, e.Evidence, e.Reason, e.Stage, e.Candidate.Name = "title\x00", "evidence\xff", "\x00", "stage\xc3\x28", "名\x00前"
		}))
		if got := b.application(t, "a1").JobTitle; got != "title\uFFFD" {
			t.Errorf("title: got %q", got)
		}
	},
	"a delivery without events is ignored": func(t *testing.T, b *bench) {
		a := b.arrival("acme", "k")
		b.hearThrough(t, a)
		ds, err := b.Deliveries(t.Context(), record.Filter{Company: "acme"})
		if err != nil || len(ds) != 1 || ds[0].Disposition != record.Ignored {
			t.Errorf("got %v (%v), want one ignored", ds, err)
		}
	},
	"a fact that is told twice counts once, and ties both deliveries": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", e)
		e.Candidate.ID = "" // another payload of the vendor names less
		got := b.hear(t, "acme", e)
		if got.Events != 0 || got.Repeated != 1 || got.Planned != 0 {
			t.Errorf("accepted: got %+v, want one repetition", got)
		}
		events, err := b.Events(t.Context(), b.application(t, "a1").ID)
		if err != nil || len(events) != 2 || events[1].Code != "repeated" || !events[1].Stale {
			t.Errorf("events: got %+v (%v)", events, err)
		}
		ds, err := b.Deliveries(t.Context(), record.Filter{Application: "a1"})
		if err != nil || len(ds) != 2 || ds[0].Disposition != record.Decoded {
			t.Errorf("deliveries of the application: got %v (%v), want both", ds, err)
		}
	},
	"a delivery that is replayed changes nothing": func(t *testing.T, b *bench) {
		e := b.rejection("a1", func(e *ats.Event) { e.Clock = ats.ReceivedClock })
		b.hear(t, "acme", e)
		if _, err := b.ReplayDeliveries(t.Context(), order(record.Filter{Company: "acme"})); err != nil {
			t.Fatal(err)
		}
		j := b.start(t, record.BulkQueue)[0]
		d, _, err := b.Delivery(t.Context(), j.Subject)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Accept(t.Context(), j, d, []ats.Event{e}, b.limits, b.decide)
		if err != nil || got.Repeated != 1 || got.Events != 0 {
			t.Errorf("got %+v (%v), want one repetition", got, err)
		}
		if n := b.count(t, `SELECT count(*) FROM events`); n != 1 {
			t.Errorf("events: got %d, want 1", n)
		}
	},
	"facts without a time of their own are told apart by delivery": func(t *testing.T, b *bench) {
		e := b.rejection("a1", func(e *ats.Event) { e.Clock = ats.ReceivedClock })
		b.hear(t, "acme", e)
		if got := b.hear(t, "acme", e); got.Events != 1 || got.Planned != 0 {
			t.Errorf("got %+v, want one event and no second mail", got)
		}
	},
	"what comes late changes nothing": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", then(e, ats.Hired))
		got := b.hear(t, "acme", e)
		if diff := cmp.Diff(record.Accepted{Events: 1, Codes: []string{sending.CodeStale}}, got); diff != "" {
			t.Errorf("accepted differs (-want +got):\n%s", diff)
		}
		if a := b.application(t, "a1"); a.State != ats.Hired {
			t.Errorf("state: got %s, want hired", a.State)
		}
		if n := b.count(t, `SELECT count(*) FROM mails`); n != 0 {
			t.Errorf("mails: got %d, want 0", n)
		}
	},
	"a reopening may be the first that is heard": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", then(e, ats.Reopened))
		if a := b.application(t, "a1"); a.State != ats.Reopened {
			t.Errorf("state: got %s, want reopened", a.State)
		}
		if got := b.hear(t, "acme", e); got.Planned != 0 {
			t.Error("a rejection from before the reopening planned a mail")
		}
		if got := b.hear(t, "acme", then(then(e, ats.Reopened), ats.Rejected)); got.Planned != 1 {
			t.Errorf("a rejection after it: got %+v, want a mail", got)
		}
	},
	"states that end a rejection take the waiting mail back": func(t *testing.T, b *bench) {
		for _, state := range []ats.State{ats.Reopened, ats.Hired, ats.Withdrawn, ats.Closed, ats.Erased} {
			id := string(state)
			e := b.rejection(id)
			b.hear(t, "acme", e)
			m := b.mailOf(t, id)
			b.hear(t, "acme", then(e, state))
			b.wantMail(t, m.ID, record.MailCancelled)
			if n := b.liveJobs(t, m.ID); n != 0 {
				t.Errorf("%s: got %d live jobs, want 0", state, n)
			}
			if a := b.application(t, id); a.State != state {
				t.Errorf("state: got %s, want %s", a.State, state)
			}
		}
	},
	"a position that closes leaves how an application ended": func(t *testing.T, b *bench) {
		for state, want := range map[ats.State]ats.State{ats.Hired: ats.Hired, ats.Withdrawn: ats.Withdrawn, ats.Reopened: ats.Closed} {
			e := then(b.rejection(string(state)), state)
			b.hear(t, "acme", e)
			b.hear(t, "acme", then(e, ats.Closed))
			if a := b.application(t, string(state)); a.State != want {
				t.Errorf("closed after %s: got %s, want %s", state, a.State, want)
			}
		}
	},
	"rejected again after a reopening, the mail is planned anew": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", e)
		first := b.mailOf(t, "a1")
		b.hear(t, "acme", then(e, ats.Reopened))
		b.clock.Pass(3 * time.Hour)
		again := b.rejection("a1", func(e *ats.Event) { e.Candidate.Name = "佐藤 美咲子" })
		if got := b.hear(t, "acme", again); got.Planned != 1 {
			t.Fatalf("got %+v, want a mail", got)
		}
		m, letter, err := b.Letter(t.Context(), first.ID)
		if err != nil {
			t.Fatal(err)
		}
		if m.State != record.MailHeld || !m.DueAt.Equal(again.At.Add(24*time.Hour)) || m.SendID == first.SendID || letter.SendID != m.SendID || letter.To.Name != "佐藤 美咲子" || !m.CreatedAt.Equal(b.clock.Now()) {
			t.Errorf("mail: got %+v", m)
		}
		if n := b.liveJobs(t, m.ID); n != 1 {
			t.Errorf("live jobs: got %d, want 1", n)
		}
	},
	"news of a candidate lie over what was known": func(t *testing.T, b *bench) {
		e := b.rejection("a1", func(e *ats.Event) { e.Candidate.DoNotContact, e.Candidate.Type = true, "internal" })
		b.hear(t, "acme", e)
		e = then(e, ats.Reopened)
		e.Candidate = ats.Candidate{Name: "佐藤 美咲子"}
		b.hear(t, "acme", e)
		a, err := b.Application(t.Context(), "a1", true)
		if err != nil {
			t.Fatal(err)
		}
		c := a.Candidate
		if c.Name != "佐藤 美咲子" || c.FamilyName != "" || string(c.Email) != "a1@example.jp" || !c.DoNotContact || c.Type != "internal" {
			t.Errorf("candidate: got %+v", *c)
		}
	},
	"a corrected address moves the application and forgets nothing else": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", e)
		old := b.application(t, "a1").PersonID
		e = then(e, ats.Reopened)
		e.Candidate = ats.Candidate{Email: "right@example.jp"}
		b.hear(t, "acme", e)
		a, err := b.Application(t.Context(), "a1", true)
		if err != nil {
			t.Fatal(err)
		}
		if a.PersonID == old || string(a.Candidate.Email) != "right@example.jp" || a.Candidate.Name != "佐藤 美咲" {
			t.Errorf("got person %s, candidate %+v", a.PersonID, *a.Candidate)
		}
		if _, _, err := b.Letter(t.Context(), b.mailOf(t, "a1").ID); err != nil {
			t.Errorf("the mail to the old address cannot be read: %v", err)
		}
	},
	"a first address makes a person of a nameless candidate": func(t *testing.T, b *bench) {
		e := b.rejection("a1", func(e *ats.Event) { e.Candidate.Email = "" })
		b.hear(t, "acme", e)
		if m := b.mailOf(t, "a1"); !m.Stopped || m.Reason != "no_address" {
			t.Fatalf("without an address: got %+v, want it held", m)
		}
		e = then(e, ats.Rejected)
		e.Candidate.Email = "a1@example.jp"
		if got := b.hear(t, "acme", e); got.Planned != 1 {
			t.Errorf("got %+v, want a mail", got)
		}
		if n := b.count(t, `SELECT count(*) FROM people WHERE erased_at = 0`); n != 1 {
			t.Errorf("people: got %d, want 1", n)
		}
	},
	"the same person re-applies": func(t *testing.T, b *bench) {
		same := func(e *ats.Event) { e.Candidate.Email = "Misaki@example.jp" }
		b.hear(t, "acme", b.rejection("a1", same))
		b.hear(t, "acme", b.rejection("a2", func(e *ats.Event) { e.Candidate.Email = "misaki@EXAMPLE.jp" }))
		a1, a2 := b.application(t, "a1"), b.application(t, "a2")
		if a1.PersonID != a2.PersonID {
			t.Error("the two applications have different people")
		}
		if n := b.count(t, `SELECT count(*) FROM mails WHERE state = 'held'`); n != 2 {
			t.Errorf("mails: got %d, want one for each application", n)
		}
		b.hear(t, "globex", b.rejection("a1", same))
		apps, err := b.Applications(t.Context(), record.Filter{Company: "globex"})
		if err != nil || len(apps) != 1 || apps[0].PersonID == a1.PersonID {
			t.Errorf("another company: got %v (%v), want another person", apps, err)
		}
	},
	"a second connection has applications of its own": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		a := b.arrival("acme", b.id("key"))
		a.Delivery.Connection, a.Vendor = "other", "lever"
		b.hearThrough(t, a, b.rejection("a1"))
		apps, err := b.Applications(t.Context(), record.Filter{Application: "a1"})
		if err != nil || len(apps) != 2 || apps[0].Connection == apps[1].Connection || apps[0].PersonID != apps[1].PersonID {
			t.Errorf("got %+v (%v), want two of the same person", apps, err)
		}
	},
	"deliveries of one application at the same time plan one mail": func(t *testing.T, b *bench) {
		other := b.open(t)
		e := b.rejection("a1")
		errs := together(20, func(i int) error {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			_, err := b.accept(t.Context(), s, b.arrival("acme", b.id("key")), e)
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]int{
			`SELECT count(*) FROM applications`:                    1,
			`SELECT count(*) FROM people`:                          1,
			`SELECT count(*) FROM events WHERE stale = 0`:          1,
			`SELECT count(*) FROM events WHERE code = 'repeated'`:  19,
			`SELECT count(*) FROM mails`:                           1,
			`SELECT count(*) FROM jobs WHERE kind = 'mail'`:        1,
			`SELECT count(*) FROM jobs WHERE state = 'done'`:       20,
			`SELECT count(*) FROM deliveries WHERE reason <> ''`:   0,
			`SELECT count(*) FROM links WHERE kind = 'relay'`:      1,
			`SELECT count(*) FROM people WHERE name_index IS NULL`: 0,
		} {
			if got := b.count(t, query); got != want {
				t.Errorf("%s: got %d, want %d", query, got, want)
			}
		}
	},
	"rejected and reopened at the same time leave no mail that may go": func(t *testing.T, b *bench) {
		for i := range 10 {
			id := b.id("a")
			e := b.rejection(id)
			events := []ats.Event{e, then(e, ats.Reopened)}
			errs := together(2, func(n int) error {
				_, err := b.accept(t.Context(), b.Store, b.arrival("acme", b.id("key")), events[n])
				return err
			})
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if a := b.application(t, id); a.State != ats.Reopened {
				t.Fatalf("round %d: got %s, want reopened", i, a.State)
			}
		}
		if n := b.count(t, `SELECT count(*) FROM mails WHERE state = 'held'`); n != 0 {
			t.Errorf("held mails: got %d, want 0", n)
		}
	},
}
