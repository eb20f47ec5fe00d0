package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

// verbs are all orders.
func (b *bench) verbs() map[string]func(context.Context, record.Order) (record.Done, error) {
	return map[string]func(context.Context, record.Order) (record.Done, error){
		"retry jobs":        b.RetryJobs,
		"cancel jobs":       b.CancelJobs,
		"replay deliveries": b.ReplayDeliveries,
		"release mails":     b.ReleaseMails,
		"stop mails":        b.StopMails,
		"cancel mails":      b.CancelMails,
		"resolve mails": func(ctx context.Context, o record.Order) (record.Done, error) {
			return b.ResolveMails(ctx, o, true)
		},
		"retry referrals": b.RetryReferrals,
	}
}

var orderTests = map[string]func(*testing.T, *bench){
	"an order says which and why": func(t *testing.T, b *bench) {
		world(t, b)
		audits := b.count(t, `SELECT count(*) FROM audit`)
		for name, do := range b.verbs() {
			for what, o := range map[string]record.Order{
				"narrows nothing":      order(record.Filter{}),
				"only pages":           order(record.Filter{After: "x", Limit: 5, Order: record.ByDue}),
				"no reason":            {Actor: operator, Filter: record.Filter{Company: "acme"}, Reason: " "},
				"an address, no owner": order(record.Filter{Email: "a1@example.jp"}),
			} {
				_, err := do(t.Context(), o)
				if got := ats.FaultOf(err); got != ats.Invalid {
					t.Errorf("%s, %s: got %q (%v), want invalid", name, what, got, err)
				}
			}
			_, err := do(t.Context(), order(record.Filter{ID: "nothing"}))
			if got := ats.FaultOf(err); got != ats.NotFound {
				t.Errorf("%s of an unknown id: got %q (%v), want not found", name, got, err)
			}
			done, err := do(t.Context(), order(record.Filter{Company: "nobody"}))
			if err != nil || done.Matched != 0 || done.Changed != 0 {
				t.Errorf("%s of nothing: got %+v (%v)", name, done, err)
			}
		}
		if n := b.count(t, `SELECT count(*) FROM audit`); n != audits {
			t.Errorf("audit entries: got %d, want %d: nothing was done", n, audits)
		}
	},
	"the audit log says of every order whose rows they were": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.hear(t, "globex", b.rejection("g1"))
		companies := func() (out []string) {
			audits, err := b.Audits(t.Context(), record.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range audits {
				if a.Actor != operator.Name || a.Reason == "" || a.Noun == "" {
					t.Errorf("an entry says too little: %+v", a)
				}
				out = append(out, a.Verb+" "+a.Company)
			}
			return out
		}
		if _, err := b.StopMails(t.Context(), order(record.Filter{ID: b.mailOf(t, "g1").ID})); err != nil { // named by its id alone
			t.Fatal(err)
		}
		if got := companies(); !slices.Equal(got, []string{"stop globex"}) {
			t.Errorf("one mail: got %v", got)
		}
		done, err := b.CancelMails(t.Context(), order(record.Filter{Purpose: "thank_you"}))
		if err != nil || done.Batch == "" {
			t.Fatalf("got %+v (%v)", done, err)
		}
		if got := companies()[:2]; !slices.Equal(got, []string{"cancel globex", "cancel acme"}) {
			t.Errorf("mails of two companies: got %v", got)
		}
	},
	"a field that rows do not have never widens an order": func(t *testing.T, b *bench) {
		world(t, b)
		for name, f := range map[string]record.Filter{
			"cancel mails":      {Kind: record.MailJob},
			"stop mails":        {Recipient: "network"},
			"replay deliveries": {Purpose: "thank_you"},
			"cancel jobs":       {Recipient: "network"},
			"retry referrals":   {Vendor: "lever"},
		} {
			_, err := b.verbs()[name](t.Context(), order(f))
			if got := ats.FaultOf(err); got != ats.Invalid {
				t.Errorf("%s: got %q (%v), want invalid", name, got, err)
			}
		}
	},
	"a dry run counts and changes nothing": func(t *testing.T, b *bench) {
		world(t, b)
		for name, do := range b.verbs() {
			o := order(record.Filter{Company: "acme"})
			o.DryRun, o.Reason = true, ""
			before := dump(t, b)
			preview, err := do(t.Context(), o)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(before, dump(t, b)); diff != "" {
				t.Errorf("%s: a dry run changed (-before +after):\n%s", name, diff)
			}
			if !preview.DryRun || preview.Batch != "" || preview.Matched == 0 {
				t.Errorf("%s: got %+v", name, preview)
			}
			skipped := 0
			for _, n := range preview.Skipped {
				skipped += n
			}
			if preview.Matched != preview.Changed+skipped {
				t.Errorf("%s: %d matched, but %d to change and %d skipped", name, preview.Matched, preview.Changed, skipped)
			}
		}
	},
	"an order does what its dry run said, with batch and audit": func(t *testing.T, b *bench) {
		for range 3 {
			b.hear(t, "acme", b.rejection(b.id("a")))
		}
		b.hear(t, "globex", b.rejection("g1"))
		o := order(record.Filter{Company: "acme", State: "held"})
		o.DryRun = true
		preview, err := b.StopMails(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		o.DryRun = false
		done, err := b.StopMails(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(preview, done, cmpopts.IgnoreFields(record.Done{}, "DryRun", "Batch")); diff != "" {
			t.Errorf("done differs from the preview (-preview +done):\n%s", diff)
		}
		batches, err := b.Batches(t.Context(), record.Filter{ID: done.Batch})
		if err != nil {
			t.Fatal(err)
		}
		want := []record.Batch{{
			ID: done.Batch, Verb: "stop", Noun: "mail", Filter: "company=acme&state=held", Company: "acme", Actor: operator.Name, Reason: "asked for", State: "done",
			Matched: 3, Changed: 3, CreatedAt: b.clock.Now(),
		}}
		if diff := cmp.Diff(want, batches); diff != "" {
			t.Errorf("batch differs (-want +got):\n%s", diff)
		}
		audits, err := b.Audits(t.Context(), record.Filter{ID: done.Batch})
		if err != nil || len(audits) != 1 || audits[0].Verb != "stop" || audits[0].Noun != "mail" || audits[0].Actor != operator.Name || audits[0].Reason != "asked for" || audits[0].Detail != "3 selected; company=acme&state=held" {
			t.Errorf("audit: got %+v (%v)", audits, err)
		}
		if m := b.mailOf(t, "g1"); m.Stopped {
			t.Error("the mail of another company was stopped")
		}
	},
	"an order for one thing needs no batch": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		m := b.mailOf(t, "a1")
		done, err := b.CancelMails(t.Context(), order(record.Filter{ID: m.ID}))
		if err != nil || done.Batch != "" || done.Changed != 1 {
			t.Errorf("got %+v (%v)", done, err)
		}
		audits, err := b.Audits(t.Context(), record.Filter{ID: m.ID})
		if err != nil || len(audits) != 1 {
			t.Errorf("audit: got %v (%v), want one", audits, err)
		}
	},
	"the address of an order is written nowhere": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.hear(t, "acme", b.rejection("a2", func(e *ats.Event) { e.Candidate.Email = "a1@example.jp" }))
		if done, err := b.StopMails(t.Context(), order(record.Filter{Company: "acme", Email: "a1@example.jp"})); err != nil || done.Changed != 2 {
			t.Fatalf("got %+v (%v)", done, err)
		}
		b.wantNowhere(t, "a1@example.jp")
	},
	"a big order is carried out in portions and to its end": func(t *testing.T, b *bench) {
		fill(t, b, 1234)
		b.exec(t, `UPDATE jobs SET state = 'dead'`)
		done, err := b.RetryJobs(t.Context(), order(record.Filter{Company: "acme", State: "dead"}))
		if err != nil || done.Matched != 1234 || done.Changed != 1234 || len(done.IDs) != 100 || len(done.Skipped) != 0 {
			t.Fatalf("got matched %d, changed %d, %d ids, skipped %v (%v)", done.Matched, done.Changed, len(done.IDs), done.Skipped, err)
		}
		if n := b.count(t, `SELECT count(*) FROM jobs WHERE state = 'waiting' AND queue = 'bulk' AND batch = $1`, done.Batch); n != 1234 {
			t.Errorf("waiting on the bulk queue: got %d, want 1234", n)
		}
		batches, err := b.Batches(t.Context(), record.Filter{ID: done.Batch})
		if err != nil || len(batches) != 1 || batches[0].State != "done" || batches[0].Changed != 1234 {
			t.Errorf("batch: got %+v (%v)", batches, err)
		}
	},
	"a big order that breaks off says how far it came": func(t *testing.T, b *bench) {
		fill(t, b, 1234)
		b.exec(t, `UPDATE jobs SET state = 'dead'`)
		b.refuseUpdate(t, "jobs", `NEW.id = 'fill-acme-999'`)
		done, err := b.RetryJobs(t.Context(), order(record.Filter{Company: "acme"}))
		wantFault(t, err, ats.Busy)
		batches, err := b.Batches(t.Context(), record.Filter{})
		if err != nil || len(batches) != 1 || batches[0].State != "interrupted" || batches[0].Changed != done.Changed || done.Changed == 0 || done.Changed >= 1234 {
			t.Errorf("batch: got %+v, done %d (%v)", batches, done.Changed, err)
		}
		if n := b.count(t, `SELECT count(*) FROM jobs WHERE state = 'waiting'`); n != done.Changed {
			t.Errorf("changed: got %d, want %d", n, done.Changed)
		}
		if n := b.count(t, `SELECT count(*) FROM audit`); n != 1 {
			t.Errorf("audit entries: got %d, want 1", n)
		}
	},
	"an order stops when its caller leaves": func(t *testing.T, b *bench) {
		fill(t, b, 600)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.exec(t, `UPDATE jobs SET state = 'dead'`)
		errs := together(1, func(int) error {
			cancel()
			_, err := b.RetryJobs(ctx, order(record.Filter{Company: "acme"}))
			return err
		})
		wantFault(t, errs[0], ats.Busy)
	},
	"jobs at work, done or superseded are not retried": func(t *testing.T, b *bench) {
		at := func(state record.JobState) string {
			id := b.id("job")
			b.exec(t, `INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, created_at, updated_at) VALUES ($1, 'acme', 'decode', 'live', $1, $2, 1, 1, 1)`, id, string(state))
			return id
		}
		for _, s := range []record.JobState{record.JobDone, record.JobCancelled, record.JobDispatched, record.JobRunning, record.JobUnclear, record.JobDead, record.JobWaiting} {
			at(s)
		}
		old := at(record.JobDead)
		b.exec(t, `INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, created_at, updated_at) VALUES ('zzz', 'acme', 'decode', 'live', $1, 'dead', 1, 1, 1)`, old)
		done, err := b.RetryJobs(t.Context(), order(record.Filter{Company: "acme"}))
		if err != nil {
			t.Fatal(err)
		}
		want := record.Done{
			Verb: "retry", Matched: 9, Changed: 3,
			Skipped: map[string]int{"done": 1, "cancelled": 1, "at work": 2, "unclear: resolve the mail": 1, "a newer job took its place": 1},
		}
		if diff := cmp.Diff(want, done, cmpopts.IgnoreFields(record.Done{}, "Batch", "IDs")); diff != "" {
			t.Errorf("done differs (-want +got):\n%s", diff)
		}
	},
	"a cancelled job takes what it was for with it": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.register(t, b.mailOf(t, "a1"), "network")
		id := b.save(t, b.arrival("acme", "k"))
		done, err := b.CancelJobs(t.Context(), order(record.Filter{Company: "acme"}))
		if err != nil || done.Changed != 2 || done.Skipped["a mail: cancel the mail"] != 3 {
			t.Fatalf("got %+v (%v)", done, err)
		}
		if d, _, err := b.Delivery(t.Context(), id); err != nil || d.Disposition != record.Ignored {
			t.Errorf("delivery: got %s (%v), want ignored", d.Disposition, err)
		}
		if rs, err := b.Referrals(t.Context(), record.Filter{Company: "acme"}); err != nil || len(rs) != 1 || rs[0].State != record.ReferralCancelled {
			t.Errorf("referrals: got %v (%v), want one that is cancelled", rs, err)
		}
	},
	"a parked delivery is replayed, and its dead job needs nobody any more": func(t *testing.T, b *bench) {
		id := b.save(t, b.arrival("acme", "k"))
		if done, err := b.ReplayDeliveries(t.Context(), order(record.Filter{ID: id})); err != nil || done.Skipped["at work"] != 1 {
			t.Errorf("while it is at work: got %+v (%v)", done, err)
		}
		j := b.startOne(t, record.DecodeJob, id)
		if err := b.Park(t.Context(), j, id, record.Parked, "no rule", record.Outcome{State: record.JobDead}); err != nil {
			t.Fatal(err)
		}
		done, err := b.ReplayDeliveries(t.Context(), order(record.Filter{State: "parked"}))
		if err != nil || done.Changed != 1 {
			t.Fatalf("got %+v (%v)", done, err)
		}
		b.wantJob(t, j.ID, record.JobCancelled)
		again := b.start(t, record.BulkQueue)
		if len(again) != 1 || again[0].Subject != id || again[0].ReplayOf != j.ID || again[0].Kind != record.DecodeJob {
			t.Errorf("got %+v", again)
		}
	},
	"replays at the same time make one job": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		errs := together(10, func(int) error {
			_, err := b.ReplayDeliveries(t.Context(), order(record.Filter{Company: "acme"}))
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		if n := b.count(t, `SELECT count(*) FROM jobs WHERE queue = 'bulk'`); n != 1 {
			t.Errorf("jobs: got %d, want 1", n)
		}
	},
	"a stopped mail goes when it is released": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		m := b.mailOf(t, "a1")
		if done, err := b.StopMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil || done.Changed != 1 {
			t.Fatalf("stopped: got %+v (%v)", done, err)
		}
		b.clock.Pass(48 * time.Hour)
		if jobs := b.start(t, record.LiveQueue); len(jobs) != 0 {
			t.Errorf("a stopped mail is due: got %v", jobs)
		}
		if n, err := b.Adopt(t.Context()); n != 0 || err != nil {
			t.Errorf("a stopped mail was adopted: got %d (%v)", n, err)
		}
		if done, err := b.StopMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil || done.Skipped["stopped already"] != 1 {
			t.Errorf("stopped again: got %+v (%v)", done, err)
		}
		if done, err := b.ReleaseMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil || done.Changed != 1 {
			t.Fatalf("released: got %+v (%v)", done, err)
		}
		if done, err := b.ReleaseMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil || done.Skipped["not stopped"] != 1 {
			t.Errorf("released again: got %+v (%v)", done, err)
		}
		j := b.startOne(t, record.MailJob, m.ID)
		if got := b.wantMail(t, m.ID, record.MailHeld); !got.Released || got.Stopped {
			t.Errorf("mail: got %+v", got)
		}
		b.settle(t, j, sent(b.claim(t, j)))
		if done, err := b.StopMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil || done.Skipped["sent"] != 1 {
			t.Errorf("stopping what was sent: got %+v (%v)", done, err)
		}
	},
	"a mail released before its time keeps its time": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		m := b.mailOf(t, "a1")
		for _, do := range []func(context.Context, record.Order) (record.Done, error){b.StopMails, b.ReleaseMails} {
			if _, err := do(t.Context(), order(record.Filter{ID: m.ID})); err != nil {
				t.Fatal(err)
			}
		}
		if next, err := b.NextDue(t.Context()); err != nil || !next.Equal(m.DueAt) {
			t.Errorf("next due: got %v (%v), want %v", next, err, m.DueAt)
		}
	},
	"the volume brake closes when nobody waits for a person any more": func(t *testing.T, b *bench) {
		b.rules.Brake.Batch, b.limits.Hour = 2, 3
		for range 3 {
			b.hear(t, "acme", b.rejection(b.id("a")))
		}
		mails, err := b.Mails(t.Context(), record.Filter{State: "stopped"})
		if err != nil || len(mails) != 3 {
			t.Fatalf("stopped: got %d (%v), want 3", len(mails), err)
		}
		b.vouch(t, "acme")
		for i, do := range []func(context.Context, record.Order) (record.Done, error){b.ReleaseMails, b.CancelMails, b.ReleaseMails} {
			bs, err := b.Brakes(t.Context(), "acme", false)
			if err != nil || len(bs) != 1 {
				t.Errorf("before %d: got %v (%v), want one brake", i, bs, err)
			}
			if _, err := do(t.Context(), order(record.Filter{ID: mails[i].ID})); err != nil {
				t.Fatal(err)
			}
		}
		if bs, err := b.Brakes(t.Context(), "acme", false); err != nil || len(bs) != 0 {
			t.Errorf("afterwards: got %v (%v), want none", bs, err)
		}
	},
	"a mail that a person cancelled stays cancelled": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", e)
		m := b.mailOf(t, "a1")
		if done, err := b.CancelMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil || done.Changed != 1 {
			t.Fatalf("got %+v (%v)", done, err)
		}
		b.hear(t, "acme", then(e, ats.Reopened))
		if got := b.hear(t, "acme", then(then(e, ats.Reopened), ats.Rejected)); got.Planned != 0 {
			t.Errorf("rejected again: got %+v, want no mail", got)
		}
		if m := b.wantMail(t, m.ID, record.MailCancelled); m.Attempts != 0 {
			t.Errorf("attempts: got %d, want 0", m.Attempts)
		}
	},
	"unclear mails are resolved by a person's word": func(t *testing.T, b *bench) {
		for _, sent := range []bool{true, false} {
			m, j := b.plan(t, b.id("a"))
			if done, err := b.ResolveMails(t.Context(), order(record.Filter{ID: m.ID}), sent); err != nil || done.Skipped["held"] != 1 {
				t.Errorf("one that is not unclear: got %+v (%v)", done, err)
			}
			b.settle(t, j, unclear(b.claim(t, j)))
			if done, err := b.RetryJobs(t.Context(), order(record.Filter{ID: j.ID})); err != nil || done.Changed != 0 {
				t.Errorf("retried: got %+v (%v), want nothing", done, err)
			}
			if done, err := b.ResolveMails(t.Context(), order(record.Filter{ID: m.ID}), sent); err != nil || done.Changed != 1 {
				t.Fatalf("got %+v (%v)", done, err)
			}
			if sent {
				if m := b.wantMail(t, m.ID, record.MailSent); m.SentAt.IsZero() {
					t.Error("no time of sending")
				}
				b.wantJob(t, j.ID, record.JobDone)
				continue
			}
			b.wantMail(t, m.ID, record.MailHeld)
			b.wantJob(t, j.ID, record.JobCancelled)
			j = b.startOne(t, record.MailJob, m.ID)
			if n := b.claim(t, j); n != 2 {
				t.Errorf("attempt: got %d, want 2", n)
			}
		}
	},
	"mails of replies know no state of an application": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.register(t, b.mailOf(t, "a1"))
		b.hear(t, "acme", b.rejection("a1", func(e *ats.Event) { e.State, e.At = ats.Hired, b.clock.Now() }))
		for _, purpose := range []mail.Purpose{mail.RelayConfirm, mail.RelayReceipt} {
			mails, err := b.Mails(t.Context(), record.Filter{Purpose: string(purpose)})
			if err != nil || len(mails) != 1 {
				t.Fatalf("%s: got %v (%v)", purpose, mails, err)
			}
			j, err := b.begin(t.Context(), b.Store, mails[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := b.Posting(t.Context(), j.Subject); err != nil || p.State != "" || string(p.Message.To.Address) != "private@example.jp" {
				t.Errorf("posting: got %+v (%v)", p, err)
			}
			n := b.claim(t, j)
			b.settle(t, j, b.busy(n))
			b.wantMail(t, j.Subject, record.MailHeld)
		}
	},
}

// refuseUpdate makes the database refuse to change rows that fulfil a condition.
func (b *bench) refuseUpdate(tb testing.TB, table, condition string) {
	tb.Helper()
	if b.options.URL == "" {
		b.exec(tb, `CREATE TRIGGER refuse_update BEFORE UPDATE ON `+table+` WHEN `+condition+` BEGIN SELECT RAISE(ABORT, 'refused'); END`)
		return
	}
	b.exec(tb, `CREATE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$`)
	b.exec(tb, `CREATE TRIGGER refuse_update BEFORE UPDATE ON `+table+` FOR EACH ROW WHEN (`+condition+`) EXECUTE FUNCTION refuse_update()`)
}
