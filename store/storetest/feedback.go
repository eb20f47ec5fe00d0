package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// report lets events of the mail provider arrive.
func (b *bench) report(tb testing.TB, company string, words ...mail.Feedback) record.Reported {
	tb.Helper()
	a := b.arrival(company, b.id("events"))
	a.Delivery.Door = connectors.Mail
	id := b.save(tb, a)
	j, err := b.begin(tb.Context(), b.Store, id)
	if err != nil {
		tb.Fatal(err)
	}
	done, err := b.Report(tb.Context(), j, id, words)
	if err != nil {
		tb.Fatal(err)
	}
	b.wantJob(tb, j.ID, record.JobDone)
	return done
}

// sentMail returns a mail that was sent.
func (b *bench) sentMail(tb testing.TB, application string) record.Mail {
	tb.Helper()
	m, j := b.plan(tb, application)
	s := sent(b.claim(tb, j))
	s.ProviderID = "provider of " + application
	b.settle(tb, j, s)
	return b.wantMail(tb, m.ID, record.MailSent)
}

var feedbackTests = map[string]func(*testing.T, *bench){
	"events count once, those of others not at all": func(t *testing.T, b *bench) {
		m := b.sentMail(t, "a1")
		e := mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Delivered, Detail: "250 OK", At: b.clock.Now()}
		foreign := mail.Feedback{EventID: "e2", SendID: "somebody else's", Kind: mail.Delivered, At: b.clock.Now()}
		if diff := cmp.Diff(record.Reported{New: 1, Repeated: 1, Foreign: 1}, b.report(t, "acme", e, foreign, e)); diff != "" {
			t.Errorf("reported differs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(record.Reported{Repeated: 1}, b.report(t, "acme", e)); diff != "" {
			t.Errorf("reported again differs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(record.Reported{Foreign: 1}, b.report(t, "globex", e)); diff != "" {
			t.Errorf("reported by another company differs (-want +got):\n%s", diff)
		}
		_, events, err := b.MailHistory(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]record.MailEvent{{Kind: "delivered", Detail: "250 OK", At: b.clock.Now()}}, events); diff != "" {
			t.Errorf("history differs (-want +got):\n%s", diff)
		}
		ds, err := b.Deliveries(t.Context(), record.Filter{Company: "globex"})
		if err != nil || len(ds) != 1 || ds[0].Disposition != record.Ignored {
			t.Errorf("a delivery of foreign events: got %v (%v), want ignored", ds, err)
		}
	},
	"an event without our id is found by the provider's": func(t *testing.T, b *bench) {
		m := b.sentMail(t, "a1")
		b.sentMail(t, "a2")
		got := b.report(t, "acme", mail.Feedback{EventID: "e1", ProviderID: m.ProviderID + ".filter0001.1", Kind: mail.Delivered, At: b.clock.Now()})
		if got.New != 1 {
			t.Errorf("got %+v, want one new", got)
		}
		if got := b.wantMail(t, m.ID, record.MailSent).Delivery; got != "delivered" {
			t.Errorf("delivery: got %q, want delivered", got)
		}
	},
	"an event without any id is nobody's": func(t *testing.T, b *bench) {
		m, _ := b.plan(t, "a1") // has no id of the provider either
		got := b.report(t, "acme", mail.Feedback{EventID: "e1", Kind: mail.Complaint, At: b.clock.Now()}, mail.Feedback{EventID: "e2", ProviderID: ".x", Kind: mail.Complaint, At: b.clock.Now()})
		if diff := cmp.Diff(record.Reported{Foreign: 2}, got); diff != "" {
			t.Errorf("reported differs (-want +got):\n%s", diff)
		}
		b.wantMail(t, m.ID, record.MailHeld)
	},
	"events that the provider did not name are told apart by what they say": func(t *testing.T, b *bench) {
		m := b.sentMail(t, "a1")
		e := mail.Feedback{SendID: m.SendID, Kind: mail.Processed, At: b.clock.Now()}
		other := e
		other.Kind = mail.Delivered
		if got := b.report(t, "acme", e, other, e); got.New != 2 || got.Repeated != 1 {
			t.Errorf("got %+v, want two new and one repeated", got)
		}
	},
	"a late word does not undo a weightier one": func(t *testing.T, b *bench) {
		m := b.sentMail(t, "a1")
		for _, step := range []struct {
			word mail.Kind
			want string
		}{
			{mail.Processed, "processed"},
			{mail.Deferred, "deferred"},
			{mail.Processed, "deferred"},
			{mail.Delivered, "delivered"},
			{mail.Deferred, "delivered"},
			{mail.Bounced, "bounced"},
			{mail.Delivered, "bounced"},
			{mail.Complaint, "complaint"},
			{mail.Bounced, "complaint"},
		} {
			b.report(t, "acme", mail.Feedback{EventID: b.id("e"), SendID: m.SendID, Kind: step.word, At: b.clock.Now()})
			if got := b.wantMail(t, m.ID, record.MailSent).Delivery; got != step.want {
				t.Errorf("after %s: got %q, want %q", step.word, got, step.want)
			}
		}
	},
	"any word proves that an unclear mail was sent": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.settle(t, j, unclear(b.claim(t, j)))
		at := b.clock.Now()
		b.report(t, "acme", mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Deferred, At: at})
		if m := b.wantMail(t, m.ID, record.MailSent); !m.SentAt.Equal(at) {
			t.Errorf("sent at: got %v, want %v", m.SentAt, at)
		}
		b.wantJob(t, j.ID, record.JobDone)
	},
	"what silences an address": func(t *testing.T, b *bench) {
		for _, c := range []struct {
			kind      mail.Kind
			permanent bool
			scope     string // "" for none
		}{
			{mail.Complaint, false, "all"},
			{mail.Bounced, true, "all"},
			{mail.Bounced, false, ""},
			{mail.Blocked, true, ""},
			{mail.Dropped, true, "all"},
			{mail.Dropped, false, ""},
			{mail.Unsubscribed, false, "offers"},
			{mail.Delivered, false, ""},
			{mail.Deferred, false, ""},
		} {
			m := b.sentMail(t, b.id("a"))
			before := b.count(t, `SELECT count(*) FROM suppressions WHERE scope = $1`, c.scope)
			all := b.count(t, `SELECT count(*) FROM suppressions`)
			b.report(t, "acme", mail.Feedback{EventID: b.id("e"), SendID: m.SendID, Kind: c.kind, Permanent: c.permanent, At: b.clock.Now()})
			want := 1
			if c.scope == "" {
				want = 0
			}
			if got := b.count(t, `SELECT count(*) FROM suppressions WHERE scope = $1`, c.scope) - before; got != want {
				t.Errorf("%s, permanent %v: got %d of scope %q, want %d", c.kind, c.permanent, got, c.scope, want)
			}
			if got := b.count(t, `SELECT count(*) FROM suppressions`) - all; got != want {
				t.Errorf("%s, permanent %v: got %d in all, want %d", c.kind, c.permanent, got, want)
			}
		}
	},
	"too many bounces brake the company until a person releases it": func(t *testing.T, b *bench) {
		var mails []record.Mail
		for range 53 {
			mails = append(mails, b.sentMail(t, b.id("a")))
		}
		say := func(n int, kind mail.Kind) {
			t.Helper()
			b.report(t, "acme", mail.Feedback{EventID: b.id("e"), SendID: mails[n].SendID, Kind: kind, Permanent: true, At: b.clock.Now()})
		}
		open := func() (kinds []string) {
			t.Helper()
			bs, err := b.Brakes(t.Context(), "acme", false)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range bs {
				kinds = append(kinds, k.Kind+": "+k.Cause)
			}
			return kinds
		}
		for i := range 2 {
			say(i, mail.Bounced)
		}
		say(2, mail.Blocked)
		if got := open(); got != nil {
			t.Fatalf("after two bounces: %v", got)
		}
		say(3, mail.Bounced)
		if diff := cmp.Diff([]string{"bounces: bounced: 3 of 53"}, open()); diff != "" {
			t.Fatalf("brakes differ (-want +got):\n%s", diff)
		}
		say(4, mail.Bounced) // does not open another one
		m, j := b.plan(t, "waits")
		p, err := b.Posting(t.Context(), m.ID)
		if err != nil || p.Brake.Kind != sending.BrakeBounces {
			t.Fatalf("posting: %+v (%v)", p.Brake, err)
		}
		later := b.clock.Now().Add(time.Hour)
		b.settle(t, j, record.Settlement{State: record.MailHeld, Reason: sending.CodeBrake, DueAt: later, Job: record.Outcome{State: record.JobWaiting, DueAt: later}})

		wantFault(t, b.ReleaseBrake(t.Context(), operator, "acme", "volume", "why"), ats.Invalid)
		wantFault(t, b.ReleaseBrake(t.Context(), operator, "globex", sending.BrakeBounces, "why"), ats.NotFound)
		if err := b.ReleaseBrake(t.Context(), operator, "acme", sending.BrakeBounces, "old addresses"); err != nil {
			t.Fatal(err)
		}
		if got := open(); got != nil {
			t.Errorf("after the release: %v", got)
		}
		if m := b.mailOf(t, "waits"); !m.DueAt.Equal(b.clock.Now()) {
			t.Errorf("the mail that waited is due at %v", m.DueAt)
		}
		if j := b.wantJob(t, j.ID, record.JobWaiting); !j.DueAt.Equal(b.clock.Now()) {
			t.Errorf("its job is due at %v", j.DueAt)
		}
		wantFault(t, b.ReleaseBrake(t.Context(), operator, "acme", sending.BrakeBounces, "again"), ats.NotFound)
		log, err := b.Audits(t.Context(), record.Filter{Company: "acme"})
		if err != nil || log[0].Verb != "release" || log[0].Noun != "brake" || log[0].Reason != "old addresses" || log[0].Detail != "bounces" {
			t.Errorf("audit: %+v (%v)", log, err)
		}
		for i := range 10 { // of mails that were sent before: they do not count again
			say(5+i, mail.Bounced)
		}
		if got := open(); got != nil {
			t.Errorf("late bounces: %v", got)
		}
	},
	"one complaint brakes a company of which enough is known": func(t *testing.T, b *bench) {
		for i := range 51 {
			m := b.sentMail(t, b.id("a"))
			if i == 0 {
				b.report(t, "acme", mail.Feedback{EventID: b.id("e"), SendID: m.SendID, Kind: mail.Complaint, At: b.clock.Now()})
				continue
			}
			b.report(t, "acme", mail.Feedback{EventID: b.id("e"), SendID: m.SendID, Kind: mail.Delivered, At: b.clock.Now()})
		}
		if bs, err := b.Brakes(t.Context(), "acme", false); err != nil || len(bs) != 0 {
			t.Fatalf("brakes before: %v (%v)", bs, err)
		}
		m := b.sentMail(t, "last")
		b.report(t, "acme", mail.Feedback{EventID: b.id("e"), SendID: m.SendID, Kind: mail.Complaint, At: b.clock.Now()})
		bs, err := b.Brakes(t.Context(), "acme", false)
		if err != nil || len(bs) != 1 || bs[0].Kind != sending.BrakeComplaints || bs[0].Cause != "complained: 2 of 52" {
			t.Errorf("brakes: %+v (%v)", bs, err)
		}
		if bs, err := b.Brakes(t.Context(), "globex", false); err != nil || len(bs) != 0 {
			t.Errorf("brakes of another company: %v (%v)", bs, err)
		}
	},
	"a complaint silences even after the person was erased": func(t *testing.T, b *bench) {
		m := b.sentMail(t, "a1")
		if err := b.ErasePerson(t.Context(), operator, m.PersonID, "asked"); err != nil {
			t.Fatal(err)
		}
		b.report(t, "acme", mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Complaint, At: b.clock.Now()})
		if got := b.hear(t, "acme", b.rejection("a2", func(e *ats.Event) { e.Candidate.Email = "a1@example.jp" })); got.Planned != 0 {
			t.Errorf("a new application: got %+v, want no mail", got)
		}
	},
}
