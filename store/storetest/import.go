package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// fileRows are rows of a file of acme, by their keys.
func (b *bench) fileRows(keys ...string) []record.Arrival {
	var out []record.Arrival
	for _, key := range keys {
		a := b.arrival("acme", key)
		a.Vendor, a.Delivery.Connection, a.Delivery.Door = "csv", "file", connectors.File
		out = append(out, a)
	}
	return out
}

// begun starts the import of a file of acme.
func (b *bench) begun(tb testing.TB, file string) string {
	tb.Helper()
	batch, err := b.StartImport(tb.Context(), record.Import{Actor: operator, Company: "acme", Connection: "file", File: file, Reason: "November"})
	if err != nil {
		tb.Fatal(err)
	}
	return batch
}

// imported keeps a row for each event and lets it be accepted as history.
func (b *bench) imported(tb testing.TB, batch string, events ...ats.Event) {
	tb.Helper()
	keys := make([]string, len(events))
	for i := range keys {
		keys[i] = b.id("row")
	}
	if n, err := b.SaveRows(tb.Context(), batch, b.fileRows(keys...)); err != nil || n != len(keys) {
		tb.Fatalf("kept %d rows (%v), want %d", n, err, len(keys))
	}
	for i, j := range b.start(tb, record.BulkQueue) {
		b.acceptRow(tb, j, events[i])
	}
}

// acceptRow accepts what a row says; without an event its delivery is parked.
func (b *bench) acceptRow(tb testing.TB, j record.Job, events ...ats.Event) {
	tb.Helper()
	d, _, err := b.Delivery(tb.Context(), j.Subject)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := b.Accept(tb.Context(), j, d, events, b.limits, b.decideCold); err != nil {
		tb.Fatal(err)
	}
}

// decideCold is decide about history.
func (b *bench) decideCold(e ats.Event, k record.Known) (record.Ruling, error) {
	r, err := b.decide(e, k)
	if r.Mail != nil {
		r.Action, r.Code, r.StopAll = string(sending.Hold), sending.CodeCold, false
		r.Checks = append([]record.Check{{Code: sending.CodeCold}}, r.Checks...)
	}
	return r, err
}

func nameless(e *ats.Event) {
	e.Candidate.Name, e.Candidate.FamilyName, e.Candidate.GivenName = "", "", ""
}

var importTests = map[string]func(*testing.T, *bench){
	"rows are kept once, each with a job of the batch that waits behind live work": func(t *testing.T, b *bench) {
		batch := b.begun(t, "f1")
		if n, err := b.SaveRows(t.Context(), batch, b.fileRows("r1", "r2", "r1")); n != 2 || err != nil {
			t.Fatalf("got %d (%v), want 2", n, err)
		}
		if n, err := b.SaveRows(t.Context(), batch, b.fileRows("r2", "r3")); n != 1 || err != nil {
			t.Errorf("again: got %d (%v), want 1", n, err)
		}
		if n, err := b.SaveRows(t.Context(), batch, nil); n != 0 || err != nil {
			t.Errorf("no rows: got %d (%v)", n, err)
		}
		jobs, err := b.Jobs(t.Context(), record.Filter{Batch: batch})
		if err != nil || len(jobs) != 3 || jobs[0].Queue != record.BulkQueue || jobs[0].Kind != record.DecodeJob {
			t.Errorf("jobs: got %v (%v), want three to decode", jobs, err)
		}
		rows, err := b.Deliveries(t.Context(), record.Filter{Batch: batch, State: "new"})
		if err != nil || len(rows) != 3 || rows[0].Door != string(connectors.File) || rows[0].Connection != "file" {
			t.Errorf("deliveries: got %v (%v)", rows, err)
		}
		if _, d, err := b.Delivery(t.Context(), rows[0].ID); err != nil || len(d.Payload.Body) == 0 {
			t.Errorf("payload: got %d bytes (%v)", len(d.Payload.Body), err)
		}
		if err := b.EndImport(t.Context(), batch, 9); err != nil {
			t.Fatal(err)
		}
		batches, err := b.Batches(t.Context(), record.Filter{ID: batch})
		if err != nil || len(batches) != 1 {
			t.Fatal(batches, err)
		}
		want := record.Batch{
			ID: batch, Verb: "import", Noun: "row", Filter: "company=acme&connection=file&file=f1", Company: "acme", Actor: operator.Name, Reason: "November",
			State: "done", Matched: 9, Changed: 3, CreatedAt: batches[0].CreatedAt,
		}
		if diff := cmp.Diff(want, batches[0]); diff != "" {
			t.Errorf("batch differs (-want +got):\n%s", diff)
		}
	},
	"an import that was interrupted goes on in its batch": func(t *testing.T, b *bench) {
		first := b.begun(t, "f1")
		i := record.Import{Actor: operator, Company: "acme", Connection: "file", File: "f1", Reason: "once more"}
		if found, err := b.RunningImport(t.Context(), i); err != nil || found != first {
			t.Errorf("running: got %q (%v), want %s", found, err, first)
		}
		if again, err := b.StartImport(t.Context(), i); err != nil || again != first {
			t.Errorf("got %s (%v), want %s", again, err, first)
		}
		others := map[string]bool{first: true, b.begun(t, "f2"): true}
		if err := b.EndImport(t.Context(), first, 7); err != nil {
			t.Fatal(err)
		}
		others[b.begun(t, "f1")] = true
		if len(others) != 3 {
			t.Errorf("batches of another file and after the end: got %v, want three", others)
		}
		if audits, err := b.Audits(t.Context(), record.Filter{}); err != nil || len(audits) != 3 || audits[0].Reason != "November" {
			t.Errorf("audit: got %v (%v), want an entry for each batch", audits, err)
		}
		i.File, i.Reason = "f3", " "
		_, err := b.StartImport(t.Context(), i)
		wantFault(t, err, ats.Invalid)
		if found, err := b.RunningImport(t.Context(), i); err != nil || found != "" {
			t.Errorf("of a file that was never imported: got %q (%v)", found, err)
		}
	},
	"the same file imported by several at the same time is kept once": func(t *testing.T, b *bench) {
		var keys []string
		for range 40 {
			keys = append(keys, b.id("row"))
		}
		errs := together(4, func(int) error {
			batch, err := b.StartImport(t.Context(), record.Import{Actor: operator, Company: "acme", Connection: "file", File: "f1", Reason: "November"})
			if err != nil {
				return err
			}
			for i := 0; i < len(keys); i += 10 {
				if _, err := b.SaveRows(t.Context(), batch, b.fileRows(keys[i:i+10]...)); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		batches, err := b.Batches(t.Context(), record.Filter{})
		if err != nil || len(batches) != 1 || batches[0].Changed != 40 {
			t.Errorf("got %v (%v), want one batch of 40", batches, err)
		}
		if n := b.count(t, `SELECT count(*) FROM jobs`); n != 40 {
			t.Errorf("jobs: got %d, want 40", n)
		}
	},
	"the mails of an import are released together, the doubtful ones only when they are meant": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("live"))
		batch := b.begun(t, "f1")
		b.imported(t, batch, b.rejection("r1"), b.rejection("r2"), b.rejection("r3", nameless), then(b.rejection("r4"), ats.Withdrawn))
		other := b.begun(t, "f2")
		b.imported(t, other, b.rejection("o1"))
		if _, err := b.StopMails(t.Context(), order(record.Filter{Application: "live"})); err != nil {
			t.Fatal(err)
		}
		mails, err := b.Mails(t.Context(), record.Filter{Batch: batch})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, m := range mails {
			got[m.ApplicationID] = fmt.Sprint(m.State, m.Stopped, m.Reason)
		}
		if diff := cmp.Diff(map[string]string{"r1": "heldtruecold", "r2": "heldtruecold", "r3": "heldtrueno_name"}, got); diff != "" {
			t.Errorf("mails differ (-want +got):\n%s", diff)
		}
		second := order(record.Filter{Company: "acme", Batch: batch, Error: sending.CodeCold})
		second.Actor = first
		done, err := b.ReleaseMails(t.Context(), second)
		if err != nil || done.Changed != 2 || done.Matched != 2 {
			t.Errorf("released: got %+v (%v), want 2", done, err)
		}
		if again, err := b.Mails(t.Context(), record.Filter{Batch: done.Batch}); err != nil || len(again) != 2 {
			t.Errorf("mails of the release: got %v (%v), want 2", again, err)
		}
		done, err = b.CancelMails(t.Context(), order(record.Filter{Company: "acme", Batch: batch}))
		if err != nil || done.Changed != 3 {
			t.Errorf("cancelled: got %+v (%v), want 3", done, err)
		}
		for id, want := range map[string]record.MailState{"live": record.MailHeld, "o1": record.MailHeld, "r1": record.MailCancelled} {
			if m := b.mailOf(t, id); m.State != want {
				t.Errorf("%s: got %s, want %s", id, m.State, want)
			}
		}
	},
	"the mails of an import are found when its deliveries are gone": func(t *testing.T, b *bench) {
		batch := b.begun(t, "f1")
		b.imported(t, batch, b.rejection("r1"))
		b.clock.Pass(31 * 24 * time.Hour)
		if n, _, err := b.Purge(t.Context(), "acme", record.Retention{}); n != 1 || err != nil {
			t.Fatalf("purged: got %d (%v), want 1", n, err)
		}
		if mails, err := b.Mails(t.Context(), record.Filter{Batch: batch}); err != nil || len(mails) != 1 {
			t.Errorf("got %v (%v), want one", mails, err)
		}
	},
	"a row that is read again later belongs to its import": func(t *testing.T, b *bench) {
		batch := b.begun(t, "f1")
		if _, err := b.SaveRows(t.Context(), batch, b.fileRows("r1", "r2")); err != nil {
			t.Fatal(err)
		}
		for _, j := range b.start(t, record.BulkQueue) {
			if err := b.Park(t.Context(), j, j.Subject, record.Parked, "the result is not a word we know", record.Outcome{State: record.JobDead}); err != nil {
				t.Fatal(err)
			}
		}
		if done, err := b.ReplayDeliveries(t.Context(), order(record.Filter{Company: "acme", Batch: batch, State: "parked"})); err != nil || done.Changed != 2 {
			t.Fatalf("replayed: got %+v (%v), want 2", done, err)
		}
		for i, j := range b.start(t, record.BulkQueue) {
			b.acceptRow(t, j, b.rejection(fmt.Sprint("r", i)))
		}
		if mails, err := b.Mails(t.Context(), record.Filter{Batch: batch}); err != nil || len(mails) != 2 {
			t.Errorf("got %v (%v), want two", mails, err)
		}
	},
	"a mail that was there before an import is none of its mails": func(t *testing.T, b *bench) {
		a := b.fileRows("by another way")[0]
		a.Delivery.Door = connectors.Webhook
		b.hearThrough(t, a, b.rejection("r1"))
		if _, err := b.StopMails(t.Context(), order(record.Filter{Application: "r1"})); err != nil {
			t.Fatal(err)
		}
		b.clock.Pass(time.Minute)
		batch := b.begun(t, "f1")
		b.imported(t, batch, b.rejection("r1"))
		if mails, err := b.Mails(t.Context(), record.Filter{Batch: batch}); err != nil || len(mails) != 0 {
			t.Errorf("got %v (%v), want none", mails, err)
		}
	},
	"an import is not the company's usual volume, before and after its release": func(t *testing.T, b *bench) {
		batch := b.begun(t, "f1")
		var events []ats.Event
		for range 5 {
			events = append(events, b.rejection(b.id("r")))
		}
		b.imported(t, batch, events...)
		b.hear(t, "acme", b.rejection("live"))
		seen := func(application string) (k record.Known) {
			a := b.arrival("acme", b.id("key"))
			id := b.save(t, a)
			j, err := b.begin(t.Context(), b.Store, id)
			if err != nil {
				t.Fatal(err)
			}
			d, _, err := b.Delivery(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.Accept(t.Context(), j, d, []ats.Event{b.rejection(application)}, b.limits, func(e ats.Event, known record.Known) (record.Ruling, error) {
				k = known
				return record.Ruling{Action: "none"}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		if k := seen("x1"); k.LastHour != 1 || k.LastDay != 1 {
			t.Errorf("got %d and %d mails, want one", k.LastHour, k.LastDay)
		}
		if _, err := b.ReleaseMails(t.Context(), order(record.Filter{Company: "acme", Batch: batch})); err != nil {
			t.Fatal(err)
		}
		if k := seen("x2"); k.LastHour != 1 {
			t.Errorf("released: got %d mails, want one", k.LastHour)
		}
		b.clock.Pass(24 * time.Hour)
		if k := seen("x3"); k.BusiestDay != 1 {
			t.Errorf("a day later: got %d mails on the busiest day, want one", k.BusiestDay)
		}
	},
	"what is known of rows is told in their order": func(t *testing.T, b *bench) {
		batch := b.begun(t, "f1")
		b.imported(t, batch, b.rejection("held", func(e *ats.Event) { e.Job = ats.Job{ID: "j1", Title: "Sales"} }), then(b.rejection("gone"), ats.Withdrawn))
		if _, err := b.SaveRows(t.Context(), batch, b.fileRows("waits")); err != nil {
			t.Fatal(err)
		}
		m := b.mailOf(t, "held")
		if _, err := b.ReleaseMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil {
			t.Fatal(err)
		}
		b.exec(t, `UPDATE mails SET state = 'sent' WHERE id = $1`, m.ID)
		b.hear(t, "acme", b.rejection("elsewhere", func(e *ats.Event) { e.Job = ats.Job{ID: "77", Title: "Cook"} }))
		b.suppressed(t, "dead@example.jp")
		at := b.clock.Now().Add(-time.Hour)
		sales := ats.Job{ID: "j1", Title: "Sales"}
		rows := []record.Row{
			{Key: "waits", Application: "new"},
			{Key: "other", Application: "held", Email: "HELD@example.jp", Job: sales},
			{Key: "other", Application: "gone"},
			{Key: "other2", Application: "new2", Email: "held@example.jp", Job: sales},
			{Key: "other3", Application: "new3", Email: "held@example.jp", Job: ats.Job{ID: "j2", Title: "Sales"}},
			{Key: "other4", Application: "new4", Email: "elsewhere@example.jp", Job: ats.Job{ID: "5", Title: " Cook"}},
			{Key: "other5", Application: "new5", Email: "dead@example.jp"},
			{Key: "waits"},
		}
		got, err := b.KnownRows(t.Context(), "acme", "file", rows, b.clock.Now().Add(-24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		want := []record.RowKnown{
			{Saved: record.New},
			{State: ats.Rejected, StateAt: at, Written: true},
			{State: ats.Withdrawn, StateAt: at.Add(time.Minute)},
			{Twin: "held"},
			{},
			{Twin: "elsewhere"},
			{Suppressed: true},
			{Saved: record.New},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("known differs (-want +got):\n%s", diff)
		}
		later, err := b.KnownRows(t.Context(), "acme", "file", rows[3:4], b.clock.Now().Add(time.Minute))
		if err != nil || later[0].Twin != "" {
			t.Errorf("mails of before: got %v (%v), want no twin", later, err)
		}
		if none, err := b.KnownRows(t.Context(), "globex", "file", rows, time.Time{}); err != nil || cmp.Diff(make([]record.RowKnown, len(rows)), none) != "" {
			t.Errorf("of another company: got %v (%v), want nothing", none, err)
		}
		if none, err := b.KnownRows(t.Context(), "acme", "file", nil, time.Time{}); len(none) != 0 || err != nil {
			t.Errorf("no rows: got %v (%v)", none, err)
		}
	},
}

// suppressed lets a mailbox of acme be dead.
func (b *bench) suppressed(tb testing.TB, address ats.Email) {
	tb.Helper()
	b.hear(tb, "acme", b.rejection("of "+string(address), func(e *ats.Event) { e.Candidate.Email = address }))
	ref := `(SELECT address_ref FROM mails WHERE application = (SELECT id FROM applications WHERE application_id = $1))`
	b.exec(tb, `INSERT INTO suppressions (company, address_ref, scope, cause, at) SELECT 'acme', `+ref+`, 'all', 'bounce', 1`, "of "+string(address))
	b.exec(tb, `DELETE FROM mails WHERE address_ref = `+ref+` AND purpose = '`+string(mail.ThankYou)+`'`, "of "+string(address))
}
