package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// first is another person than operator.
var first = record.Actor{Name: "user:ryo", Role: record.Operator}

// vouch is the first person's step before a release of what a brake stopped.
func (b *bench) vouch(tb testing.TB, company string) {
	tb.Helper()
	if err := b.AskRelease(tb.Context(), first, company, "they are meant"); err != nil {
		tb.Fatal(err)
	}
}

// brake lets the volume brake stop n mails of acme.
func (b *bench) brake(tb testing.TB, n int) {
	tb.Helper()
	b.rules.Brake.Batch, b.limits.Hour = 1, 2
	for range n {
		b.hear(tb, "acme", b.rejection(b.id("a")))
	}
}

var holdTests = map[string]func(*testing.T, *bench){
	"what a brake stopped is released by a second person": func(t *testing.T, b *bench) {
		wantFault(t, b.AskRelease(t.Context(), first, "acme", "x"), ats.Conflict) // no brake is on
		b.brake(t, 3)
		wantFault(t, b.AskRelease(t.Context(), first, "acme", " "), ats.Invalid)
		release := func(who record.Actor, want int, why string) {
			t.Helper()
			o := order(record.Filter{Company: "acme", State: "stopped"})
			o.Actor, o.DryRun = who, true
			preview, err := b.ReleaseMails(t.Context(), o)
			if err != nil || preview.Changed != want {
				t.Errorf("%s, previewed: got %+v (%v), want %d", who.Name, preview, err, want)
			}
			o.DryRun = false
			done, err := b.ReleaseMails(t.Context(), o)
			if err != nil || done.Changed != want || why != "" && done.Skipped[why] == 0 {
				t.Errorf("%s: got %+v (%v), want %d, and %q", who.Name, done, err, want, why)
			}
		}
		release(operator, 0, record.SkipVouch)
		b.vouch(t, "acme")
		release(first, 0, record.SkipSecond)
		b.clock.Pass(time.Minute)
		b.brake(t, 1) // stopped after somebody vouched
		if mails, err := b.Mails(t.Context(), record.Filter{State: "stopped"}); err != nil || len(mails) != 4 {
			t.Fatalf("stopped: got %d (%v), want 4", len(mails), err)
		}
		release(operator, 3, record.SkipVouch)
		b.vouch(t, "acme")
		release(operator, 1, "")
		if open, err := b.Brakes(t.Context(), "acme", false); err != nil || len(open) != 0 {
			t.Errorf("brakes: got %v (%v), want none", open, err)
		}
		all, err := b.Brakes(t.Context(), "acme", true)
		if err != nil || len(all) != 1 || all[0].AskedBy != first.Name || all[0].AskedFor != "they are meant" {
			t.Errorf("brakes: got %+v (%v)", all, err)
		}
		audits, err := b.Audits(t.Context(), record.Filter{ID: all[0].ID})
		if err != nil || len(audits) != 2 || audits[0].Verb != "ask release" || audits[0].Actor != first.Name {
			t.Errorf("audit: got %+v (%v)", audits, err)
		}
	},
	"one mail of a brake needs a second person too": func(t *testing.T, b *bench) {
		b.brake(t, 3)
		m, err := b.Mails(t.Context(), record.Filter{State: "stopped"})
		if err != nil {
			t.Fatal(err)
		}
		if done, err := b.ReleaseMails(t.Context(), order(record.Filter{ID: m[0].ID})); err != nil || done.Changed != 0 {
			t.Errorf("got %+v (%v)", done, err)
		}
	},
	"who imported a long list does not release it": func(t *testing.T, b *bench) {
		batch, err := b.StartImport(t.Context(), record.Import{Actor: operator, Company: "acme", Connection: "main", File: "f", Reason: "x"})
		if err != nil {
			t.Fatal(err)
		}
		add := func(n int) {
			for range n {
				id := b.id("a")
				b.hear(t, "acme", b.rejection(id))
				m := b.mailOf(t, id)
				if _, err := b.StopMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil {
					t.Fatal(err)
				}
				b.exec(t, `UPDATE mails SET batch = $1, reason = $2 WHERE id = $3`, batch, sending.CodeCold, m.ID)
			}
		}
		o := order(record.Filter{Batch: batch})
		o.DryRun = true
		add(record.Alone)
		if done, err := b.ReleaseMails(t.Context(), o); err != nil || done.Changed != record.Alone {
			t.Errorf("a short list: got %+v (%v)", done, err)
		}
		add(1)
		if done, err := b.ReleaseMails(t.Context(), o); err != nil || done.Changed != 0 || done.Skipped[record.SkipImporter] != record.Alone+1 {
			t.Errorf("a long list: got %+v (%v)", done, err)
		}
		o.Actor, o.DryRun = first, false
		if done, err := b.ReleaseMails(t.Context(), o); err != nil || done.Changed != record.Alone+1 {
			t.Errorf("somebody else: got %+v (%v)", done, err)
		}
	},
	"one mail can leave now, and only one": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.hear(t, "acme", b.rejection("a2"))
		m := b.mailOf(t, "a1")
		_, err := b.SendMails(t.Context(), order(record.Filter{Company: "acme"}))
		wantFault(t, err, ats.Invalid)
		if done, err := b.SendMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil || done.Changed != 1 {
			t.Fatalf("got %+v (%v)", done, err)
		}
		b.startOne(t, record.MailJob, m.ID)
		if got := b.wantMail(t, m.ID, record.MailHeld); !got.Urgent || !got.Released {
			t.Errorf("mail: got %+v", got)
		}
		other := b.mailOf(t, "a2")
		if _, err := b.StopMails(t.Context(), order(record.Filter{ID: other.ID})); err != nil {
			t.Fatal(err)
		}
		if done, err := b.SendMails(t.Context(), order(record.Filter{ID: other.ID})); err != nil || done.Skipped[record.SkipNotNow] != 1 {
			t.Errorf("a stopped one: got %+v (%v)", done, err)
		}
	},
	"a changed mail leaves as it was changed": func(t *testing.T, b *bench) {
		m, old := b.plan(t, "a1") // its job runs and has read the old content
		_, letter, err := b.Letter(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		letter.Text, letter.Version = "新しい文面", "2"
		links := []record.Link{{Token: "new", Kind: record.StopLink, Expires: b.clock.Now().Add(time.Hour), Locale: "ja"}}
		if err := b.ReplaceLetter(t.Context(), operator, m.ID, letter, links, "a better line"); err != nil {
			t.Fatal(err)
		}
		_, err = b.ClaimMail(t.Context(), old, m.ID, "mailbox")
		wantFault(t, err, ats.Duplicate)
		j := b.startOne(t, record.MailJob, m.ID)
		p, err := b.Posting(t.Context(), m.ID)
		if err != nil || p.Message.Text != "新しい文面" || p.Mail.Version != "2" {
			t.Errorf("posting: got %+v (%v)", p.Mail, err)
		}
		if _, err := b.FindLink(t.Context(), record.StopLink, "new"); err != nil {
			t.Errorf("its link: %v", err)
		}
		b.settle(t, j, sent(b.claim(t, j)))
		wantFault(t, b.ReplaceLetter(t.Context(), operator, m.ID, letter, nil, "too late"), ats.Conflict)
		audits, err := b.Audits(t.Context(), record.Filter{ID: m.ID})
		if err != nil || len(audits) != 1 || audits[0].Verb != "edit" || audits[0].Reason != "a better line" {
			t.Errorf("audit: got %+v (%v)", audits, err)
		}
		b.wantNowhere(t, "新しい文面")
	},
	"an unclear mail that its provider knows was sent": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		wantFault(t, b.ProveMail(t.Context(), operator, m.ID, "p", "x"), ats.Conflict)
		b.settle(t, j, unclear(b.claim(t, j)))
		if err := b.ProveMail(t.Context(), operator, m.ID, "provider-1", "asked"); err != nil {
			t.Fatal(err)
		}
		if got := b.wantMail(t, m.ID, record.MailSent); got.ProviderID != "provider-1" {
			t.Errorf("mail: got %+v", got)
		}
		b.wantJob(t, j.ID, record.JobDone)
	},
	"it shows when each secret fitted": func(t *testing.T, b *bench) {
		a := b.arrival("acme", "k")
		a.Secret = "env:NEW"
		id := b.save(t, a)
		if d, _, err := b.Delivery(t.Context(), id); err != nil || d.Secret != "env:NEW" {
			t.Errorf("delivery: got %+v (%v)", d, err)
		}
		if ds, err := b.Deliveries(t.Context(), record.Filter{Company: "acme"}); err != nil || len(ds) != 1 || ds[0].Secret != "env:NEW" {
			t.Errorf("list: got %+v (%v)", ds, err)
		}
		begin := b.clock.Now()
		for _, secret := range []string{"env:OLD", "env:NEW", "env:OLD"} {
			if err := b.NoteSecret(t.Context(), "acme", "main", secret); err != nil {
				t.Fatal(err)
			}
			b.clock.Pass(time.Hour)
		}
		got, err := b.SecretUses(t.Context(), "acme")
		want := []record.SecretUse{
			{Company: "acme", Connection: "main", Secret: "env:OLD", FirstAt: begin, LastAt: begin.Add(2 * time.Hour)},
			{Company: "acme", Connection: "main", Secret: "env:NEW", FirstAt: begin.Add(time.Hour), LastAt: begin.Add(time.Hour)},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("uses differ (-want +got):\n%s (%v)", diff, err)
		}
		if others, err := b.SecretUses(t.Context(), "globex"); err != nil || len(others) != 0 {
			t.Errorf("of another company: got %v (%v)", others, err)
		}
	},
}
