package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
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
