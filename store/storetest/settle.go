package storetest

import (
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

var settleTests = map[string]func(*testing.T, *bench){
	"a mail that was sent": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.settle(t, j, sent(b.claim(t, j)))
		m = b.wantMail(t, m.ID, record.MailSent)
		if m.ProviderID != "provider" || !m.SentAt.Equal(b.clock.Now()) {
			t.Errorf("mail: got %+v", m)
		}
		b.wantJob(t, j.ID, record.JobDone)
		attempts, _, err := b.MailHistory(t.Context(), m.ID)
		if err != nil || len(attempts) != 1 || attempts[0].Outcome != "sent" || attempts[0].EndedAt.IsZero() {
			t.Errorf("attempts: got %+v (%v)", attempts, err)
		}
		got := b.hear(t, "acme", b.rejection("a1"))
		if got.Planned != 0 || got.Codes[0] != "written" {
			t.Errorf("rejected again: got %+v, want no second mail", got)
		}
	},
	"a mail that the transport did not take waits again": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		s := b.busy(b.claim(t, j))
		b.settle(t, j, s)
		m = b.wantMail(t, m.ID, record.MailHeld)
		if m.Attempts != 1 || !m.DueAt.Equal(s.DueAt) || m.Reason != "busy" {
			t.Errorf("mail: got %+v", m)
		}
		if j := b.wantJob(t, j.ID, record.JobWaiting); j.Attempts != 1 || j.Starts != 0 || !j.DueAt.Equal(s.DueAt) {
			t.Errorf("job: got %+v", j)
		}
		b.clock.Pass(2 * time.Minute)
		j, err := b.begin(t.Context(), b.Store, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if n := b.claim(t, j); n != 2 {
			t.Errorf("attempt: got %d, want 2", n)
		}
		b.settle(t, j, sent(2))
		attempts, _, err := b.MailHistory(t.Context(), m.ID)
		if err != nil || len(attempts) != 2 || attempts[0].Outcome != "not_sent" || attempts[1].Outcome != "sent" {
			t.Errorf("attempts: got %+v (%v)", attempts, err)
		}
	},
	"a verdict without an attempt": func(t *testing.T, b *bench) {
		for _, s := range []record.Settlement{
			{State: record.MailCancelled, Reason: "reopened", Job: record.Outcome{State: record.JobDone}},
			{State: record.MailSuppressed, Reason: "suppressed", Job: record.Outcome{State: record.JobDone}},
			{State: record.MailHeld, Stopped: true, Reason: "max_age", Job: record.Outcome{State: record.JobDone}},
			{State: record.MailHeld, Reason: "window", DueAt: b.clock.Now().Add(100 * time.Hour), Job: record.Outcome{State: record.JobWaiting, DueAt: b.clock.Now().Add(100 * time.Hour)}},
		} {
			m, j := b.plan(t, b.id("a"))
			b.settle(t, j, s)
			got := b.wantMail(t, m.ID, s.State)
			due := m.DueAt
			if !s.DueAt.IsZero() {
				due = s.DueAt
			}
			if got.Reason != s.Reason || got.Stopped != s.Stopped || got.Attempts != 0 || !got.DueAt.Equal(due) {
				t.Errorf("%s: got %+v", s.Reason, got)
			}
			b.wantJob(t, j.ID, s.Job.State)
		}
	},
	"an unclear mail is never sent again by itself": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.settle(t, j, unclear(b.claim(t, j)))
		b.wantMail(t, m.ID, record.MailUnclear)
		b.wantJob(t, j.ID, record.JobUnclear)
		b.clock.Pass(1000 * time.Hour)
		if _, err := b.Sweep(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if n, err := b.Adopt(t.Context()); n != 0 || err != nil {
			t.Errorf("adopted: got %d (%v), want 0", n, err)
		}
		if jobs := b.start(t, record.LiveQueue); len(jobs) != 0 {
			t.Errorf("due jobs: got %v, want none", jobs)
		}
		if got := b.hear(t, "acme", b.rejection("a1")); got.Planned != 0 {
			t.Error("rejected again: a second mail was planned")
		}
	},
	"the provider spoke before the transport timed out": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		n := b.claim(t, j)
		b.report(t, "acme", mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Delivered, At: b.clock.Now()})
		b.wantMail(t, m.ID, record.MailSending)
		b.settle(t, j, unclear(n))
		m = b.wantMail(t, m.ID, record.MailSent)
		if m.Delivery != "delivered" || m.SentAt.IsZero() {
			t.Errorf("mail: got %+v", m)
		}
		b.wantJob(t, j.ID, record.JobDone)
	},
	"the provider spoke of a mail that the transport said it did not take": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		n := b.claim(t, j)
		b.report(t, "acme", mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Processed, At: b.clock.Now()})
		b.settle(t, j, b.busy(n))
		b.wantMail(t, m.ID, record.MailSent)
		b.wantJob(t, j.ID, record.JobDone)
	},
	"the provider speaks of a mail that waits again": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.settle(t, j, b.busy(b.claim(t, j)))
		b.report(t, "acme", mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Processed, At: b.clock.Now()})
		b.wantMail(t, m.ID, record.MailSent)
		b.wantJob(t, j.ID, record.JobDone)
	},
	"the provider speaks of a mail that was cancelled": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.settle(t, j, b.busy(b.claim(t, j)))
		b.hear(t, "acme", b.rejection("a1", func(e *ats.Event) { e.State = ats.Reopened }))
		b.wantMail(t, m.ID, record.MailCancelled)
		b.report(t, "acme", mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Processed, At: b.clock.Now()})
		b.wantMail(t, m.ID, record.MailSent)
		b.clock.Pass(time.Minute)
		if got := b.hear(t, "acme", b.rejection("a1")); got.Planned != 0 {
			t.Errorf("rejected again: got %+v, want no second mail", got)
		}
	},
	"a worker that vanished while sending leaves the mail unclear": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.claim(t, j)
		b.clock.Pass(2 * lease)
		swept, err := b.Sweep(t.Context(), time.Hour)
		if err != nil || swept != (record.Swept{Unclear: 1}) {
			t.Errorf("swept: got %+v (%v), want one unclear", swept, err)
		}
		b.wantMail(t, m.ID, record.MailUnclear)
		b.wantJob(t, j.ID, record.JobUnclear)
		attempts, _, err := b.MailHistory(t.Context(), m.ID)
		if err != nil || len(attempts) != 1 || attempts[0].Outcome != "unclear" || attempts[0].Detail != "interrupted" {
			t.Errorf("attempts: got %+v (%v)", attempts, err)
		}
	},
	"a worker that vanished after the provider spoke": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.claim(t, j)
		b.report(t, "acme", mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Delivered, At: b.clock.Now()})
		b.clock.Pass(2 * lease)
		if swept, err := b.Sweep(t.Context(), time.Hour); err != nil || swept.Unclear != 0 {
			t.Errorf("swept: got %+v (%v), want nothing unclear", swept, err)
		}
		b.wantMail(t, m.ID, record.MailSent)
		b.wantJob(t, j.ID, record.JobDone)
	},
	"the word of a slow witness counts after a sweep": func(t *testing.T, b *bench) {
		for name, c := range map[string]struct {
			word func(n int) record.Settlement
			mail record.MailState
			job  record.JobState
		}{
			"sent":     {sent, record.MailSent, record.JobDone},
			"not sent": {b.busy, record.MailHeld, record.JobWaiting},
			"unclear":  {unclear, record.MailUnclear, record.JobUnclear},
		} {
			t.Log(name)
			m, j := b.plan(t, b.id("a"))
			n := b.claim(t, j)
			b.clock.Pass(2 * lease)
			if _, err := b.Sweep(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
			b.settle(t, j, c.word(n))
			b.wantMail(t, m.ID, c.mail)
			b.wantJob(t, j.ID, c.job)
		}
	},
	"a slow witness keeps a mail from leaving twice": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		n := b.claim(t, j)
		b.clock.Pass(2 * lease)
		if _, err := b.Sweep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ResolveMails(t.Context(), order(record.Filter{ID: m.ID}), false); err != nil {
			t.Fatal(err)
		}
		b.wantMail(t, m.ID, record.MailHeld)
		b.settle(t, j, sent(n))
		b.wantMail(t, m.ID, record.MailSent)
		if n := b.liveJobs(t, m.ID); n != 0 {
			t.Errorf("live jobs: got %d, want 0", n)
		}
	},
	"a slow witness does not undo what a person decided": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		n := b.claim(t, j)
		b.clock.Pass(2 * lease)
		if _, err := b.Sweep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ResolveMails(t.Context(), order(record.Filter{ID: m.ID}), true); err != nil {
			t.Fatal(err)
		}
		wantFault(t, b.SettleMail(t.Context(), j, m.ID, b.busy(n)), ats.Duplicate)
		b.wantMail(t, m.ID, record.MailSent)
	},
	"a run that ends without settling leaves the mail unclear": func(t *testing.T, b *bench) {
		for _, state := range []record.JobState{record.JobWaiting, record.JobDead, record.JobDone} {
			m, j := b.plan(t, b.id("a"))
			b.claim(t, j)
			if err := b.FinishJob(t.Context(), j, record.Outcome{State: state, Error: "panic"}); err != nil {
				t.Fatal(err)
			}
			b.wantMail(t, m.ID, record.MailUnclear)
			b.wantJob(t, j.ID, record.JobUnclear)
		}
	},
	"a mail whose job is dead is failed, and can be retried": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		if err := b.FinishJob(t.Context(), j, record.Outcome{State: record.JobDead, Error: "no transport"}); err != nil {
			t.Fatal(err)
		}
		b.wantMail(t, m.ID, record.MailFailed)
		done, err := b.RetryJobs(t.Context(), order(record.Filter{ID: j.ID}))
		if err != nil || done.Changed != 1 {
			t.Fatalf("got %+v (%v)", done, err)
		}
		if m := b.wantMail(t, m.ID, record.MailHeld); !m.Released {
			t.Error("the retried mail is not released")
		}
	},
	"an application that is reopened while its mail is on the way": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		n := b.claim(t, j)
		b.hear(t, "acme", b.rejection("a1", func(e *ats.Event) { e.State = ats.Reopened }))
		b.wantMail(t, m.ID, record.MailSending)
		b.settle(t, j, b.busy(n))
		got := b.wantMail(t, m.ID, record.MailCancelled)
		if got.Reason != "reopened" || b.liveJobs(t, m.ID) != 0 {
			t.Errorf("mail: got %q with %d live jobs", got.Reason, b.liveJobs(t, m.ID))
		}
		b.clock.Pass(time.Minute)
		if got := b.hear(t, "acme", b.rejection("a1")); got.Planned != 1 {
			t.Errorf("rejected again, nothing had left: got %+v, want a new mail", got)
		}
	},
	"an application that is reopened while its mail leaves": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		n := b.claim(t, j)
		b.hear(t, "acme", b.rejection("a1", func(e *ats.Event) { e.State = ats.Reopened }))
		b.settle(t, j, sent(n))
		b.wantMail(t, m.ID, record.MailSent)
		b.clock.Pass(time.Minute)
		if got := b.hear(t, "acme", b.rejection("a1")); got.Planned != 0 {
			t.Errorf("rejected again: got %+v, want no second mail", got)
		}
	},
	"settling twice changes nothing": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		n := b.claim(t, j)
		b.settle(t, j, sent(n))
		wantFault(t, b.SettleMail(t.Context(), j, m.ID, b.busy(n)), ats.Duplicate)
		b.wantMail(t, m.ID, record.MailSent)
		b.wantJob(t, j.ID, record.JobDone)
	},
}
