package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// kill parks n deliveries of acme, whose decode jobs then are dead, and returns
// the jobs.
func (b *bench) kill(tb testing.TB, n int) []record.Job {
	tb.Helper()
	for range n {
		b.save(tb, b.arrival("acme", b.id("key")))
	}
	jobs := b.start(tb, record.LiveQueue)
	if len(jobs) != n {
		tb.Fatalf("due: got %d jobs, want %d", len(jobs), n)
	}
	for _, j := range jobs {
		if err := b.Park(tb.Context(), j, j.Subject, record.Parked, "no rule", record.Outcome{State: record.JobDead, Error: "no rule", Fault: ats.Invalid, Consumed: true}); err != nil {
			tb.Fatal(err)
		}
	}
	slices.SortFunc(jobs, func(x, y record.Job) int { return strings.Compare(x.ID, y.ID) })
	return jobs
}

func retryOf(f record.Filter) record.Rerun {
	return record.Rerun{Order: order(f), Verb: "retry", Noun: "job"}
}

// deadJobs is the filter of most batches here.
var deadJobs = record.Filter{Company: "acme", State: "dead"}

// launched makes a batch and returns it.
func (b *bench) launched(tb testing.TB, r record.Rerun, terms record.Terms) record.Done {
	tb.Helper()
	done, err := b.Rerun(tb.Context(), r, terms)
	if err != nil || done.Batch == "" {
		tb.Fatalf("got %+v (%v), want a batch", done, err)
	}
	return done
}

// steps runs the bulk queue until only later work is left there. Jobs that are
// no batch end as end says.
func (b *bench) steps(tb testing.TB, terms record.Terms, end record.Outcome) {
	tb.Helper()
	for range 100 {
		jobs := b.start(tb, record.BulkQueue)
		if len(jobs) == 0 {
			return
		}
		for _, j := range jobs {
			var err error
			if j.Kind == record.BatchJob {
				_, err = b.StepBatch(tb.Context(), j, terms)
			} else {
				err = b.FinishJob(tb.Context(), j, end)
			}
			if err != nil {
				tb.Fatal(err)
			}
		}
		b.clock.Pass(time.Second)
	}
	tb.Fatal("the bulk queue does not come to rest")
}

func (b *bench) batch(tb testing.TB, id string) record.Batch {
	tb.Helper()
	rows, err := b.Batches(tb.Context(), record.Filter{ID: id})
	if err != nil || len(rows) != 1 {
		tb.Fatalf("batch %s: got %v (%v)", id, rows, err)
	}
	return rows[0]
}

func (b *bench) results(tb testing.TB, batch string) map[string]record.Result {
	tb.Helper()
	out := map[string]record.Result{}
	after := ""
	for {
		rows, err := b.Results(tb.Context(), record.Filter{Batch: batch, After: after, Limit: 2})
		if err != nil {
			tb.Fatal(err)
		}
		for _, r := range rows {
			out[r.ID], after = r, r.ID
		}
		if len(rows) < 2 {
			return out
		}
	}
}

var over = record.Outcome{State: record.JobDone}

var batchTests = map[string]func(*testing.T, *bench){
	"a batch runs everything again that matched, on the bulk queue": func(t *testing.T, b *bench) {
		jobs := b.kill(t, 7)
		b.save(t, b.arrival("globex", "k"))
		r := retryOf(deadJobs)
		r.DryRun, r.Reason = true, ""
		before := dump(t, b)
		preview, err := b.Rerun(t.Context(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := record.Done{Verb: "retry", Matched: 7, Changed: 7, DryRun: true, Skipped: map[string]int{}, Samples: map[string][]string{"": {jobs[0].ID, jobs[1].ID, jobs[2].ID}}}
		if diff := cmp.Diff(want, preview); diff != "" {
			t.Errorf("preview differs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, dump(t, b)); diff != "" {
			t.Errorf("a preview changed (-before +after):\n%s", diff)
		}
		r.DryRun, r.Reason = false, "repaired"
		done := b.launched(t, r, nil)
		if done.Matched != 7 || done.Changed != 0 {
			t.Errorf("made: got %+v", done)
		}
		b.steps(t, nil, over)
		got := b.batch(t, done.Batch)
		wantBatch := record.Batch{
			ID: done.Batch, Verb: "retry", Noun: "job", Filter: "company=acme&state=dead", Company: "acme", Actor: operator.Name, Reason: "repaired",
			State: record.BatchDone, Matched: 7, Changed: 7, Halt: record.DefaultHalt,
		}
		if diff := cmp.Diff(wantBatch, got, cmpopts.IgnoreFields(record.Batch{}, "CreatedAt", "EndedAt")); diff != "" {
			t.Errorf("batch differs (-want +got):\n%s", diff)
		}
		if got.EndedAt.IsZero() {
			t.Error("a batch that is over has no end")
		}
		for _, j := range jobs {
			if got := b.wantJob(t, j.ID, record.JobDone); got.Batch != done.Batch || got.Queue != record.BulkQueue || got.Deaths != 1 {
				t.Errorf("job: got %+v", got)
			}
		}
		p, err := b.Progress(t.Context(), done.Batch)
		if diff := cmp.Diff(record.Progress{Skipped: map[string]int{}, Jobs: map[string]int{"done": 7}}, p); diff != "" || err != nil {
			t.Errorf("progress differs (-want +got):\n%s (%v)", diff, err)
		}
		for id, r := range b.results(t, done.Batch) {
			if r.State != "done" || r.Job != id || r.Company != "acme" || r.Subject == "" {
				t.Errorf("result: got %+v", r)
			}
		}
		if n := len(b.results(t, done.Batch)); n != 7 {
			t.Errorf("results: got %d, want 7", n)
		}
		audits, err := b.Audits(t.Context(), record.Filter{ID: done.Batch})
		if err != nil || len(audits) != 1 || audits[0].Verb != "retry" || audits[0].Detail != "7 selected; company=acme&state=dead" {
			t.Errorf("audit: got %+v (%v)", audits, err)
		}
	},
	"what came after the batch was made is not part of it": func(t *testing.T, b *bench) {
		b.kill(t, 2)
		b.clock.Pass(time.Second)
		done := b.launched(t, retryOf(deadJobs), nil)
		b.clock.Pass(time.Second)
		late := b.kill(t, 1)
		b.steps(t, nil, over)
		if got := b.batch(t, done.Batch); got.Matched != 2 || got.Changed != 2 {
			t.Errorf("batch: got %+v, want 2 of 2", got)
		}
		b.wantJob(t, late[0].ID, record.JobDead)
	},
	"a second operator who starts the same batch is told": func(t *testing.T, b *bench) {
		b.kill(t, 3)
		ids := make([]string, 8)
		errs := together(8, func(i int) error {
			done, err := b.Rerun(t.Context(), retryOf(deadJobs), nil)
			ids[i] = done.Batch
			return err
		})
		if got := faults(t, errs); got[""] != 1 || got[ats.Conflict] != 7 {
			t.Fatalf("got %v, want one batch and seven conflicts", got)
		}
		for _, err := range errs {
			if err != nil && !strings.Contains(err.Error(), operator.Name) {
				t.Errorf("the conflict does not say who: %v", err)
			}
		}
		b.steps(t, nil, over)
		b.kill(t, 1)
		b.launched(t, retryOf(deadJobs), nil) // the first is over
	},
	"two batches that overlap run each thing once": func(t *testing.T, b *bench) {
		b.kill(t, 4)
		first := b.launched(t, retryOf(deadJobs), nil)
		second := b.launched(t, retryOf(record.Filter{Company: "acme", State: "dead", Kind: record.DecodeJob}), nil)
		b.steps(t, nil, over)
		x, y := b.batch(t, first.Batch), b.batch(t, second.Batch)
		if x.Changed+y.Changed != 4 || x.State != record.BatchDone || y.State != record.BatchDone {
			t.Errorf("got %+v and %+v, want 4 changed together", x, y)
		}
		if n := b.count(t, `SELECT count(*) FROM jobs WHERE seq > 2 AND kind = 'decode'`); n != 0 {
			t.Errorf("%d jobs ran twice", n)
		}
	},
	"a selection of ids is a batch": func(t *testing.T, b *bench) {
		jobs := b.kill(t, 4)
		done := b.launched(t, retryOf(record.Filter{ID: jobs[1].ID + "," + jobs[3].ID}), nil)
		b.steps(t, nil, over)
		b.wantJob(t, jobs[0].ID, record.JobDead)
		b.wantJob(t, jobs[1].ID, record.JobDone)
		b.wantJob(t, jobs[3].ID, record.JobDone)
		if got := b.batch(t, done.Batch); got.Matched != 2 {
			t.Errorf("batch: got %+v", got)
		}
	},
	"one id needs no batch": func(t *testing.T, b *bench) {
		jobs := b.kill(t, 1)
		done, err := b.Rerun(t.Context(), retryOf(record.Filter{ID: jobs[0].ID}), nil)
		if err != nil || done.Batch != "" || done.Changed != 1 {
			t.Errorf("got %+v (%v)", done, err)
		}
	},
	"each item says why it was left alone": func(t *testing.T, b *bench) {
		jobs := b.kill(t, 5)
		erased, read, poison, away := jobs[0], jobs[1], jobs[2], jobs[3]
		done := b.launched(t, retryOf(deadJobs), nil)
		step := b.start(t, record.BulkQueue)
		b.exec(t, `DELETE FROM deliveries WHERE id = $1`, erased.Subject)
		b.exec(t, `UPDATE deliveries SET disposition = 'decoded' WHERE id = $1`, read.Subject)
		b.exec(t, `UPDATE jobs SET deaths = 3 WHERE id = $1`, poison.ID)
		b.exec(t, `UPDATE jobs SET company = 'gone' WHERE id = $1`, away.ID)
		known := func(company string) (record.Term, bool) { return record.Term{}, company == "acme" }
		if _, err := b.StepBatch(t.Context(), step[0], known); err != nil {
			t.Fatal(err)
		}
		b.steps(t, known, over)
		got := map[string]string{}
		for id, r := range b.results(t, done.Batch) {
			got[id] = r.State + " " + r.Reason
		}
		want := map[string]string{
			erased.ID: "skipped " + record.SkipGone, read.ID: "skipped " + record.SkipRead, poison.ID: "skipped " + record.SkipPoison,
			jobs[4].ID: "done ",
		}
		delete(got, away.ID) // was not collected: it is another company's now
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
		preview, err := b.Rerun(t.Context(), record.Rerun{Order: record.Order{Filter: record.Filter{State: "dead"}, DryRun: true}, Verb: "retry", Noun: "job"}, known)
		if err != nil || preview.Skipped[record.SkipCompany] != 1 || preview.Changed != 0 || preview.Matched != 4 {
			t.Errorf("preview: got %+v (%v)", preview, err)
		}
		if one, err := b.Rerun(t.Context(), retryOf(record.Filter{ID: poison.ID}), known); err != nil || one.Changed != 1 {
			t.Errorf("poison alone: got %+v (%v)", one, err)
		}
	},
	"failed mails are sent again unless today's terms forbid it": func(t *testing.T, b *bench) {
		ids := map[string]string{}
		for _, name := range []string{"runs", "reopened", "stopped by the person", "erased", "old", "rewritten"} {
			m, j := b.plan(t, name)
			b.settle(t, j, record.Settlement{State: record.MailFailed, Reason: "refused", Attempt: b.claim(t, j), Job: record.Outcome{State: record.JobDead, Fault: ats.Invalid}})
			ids[name] = m.ID
		}
		b.hear(t, "acme", b.rejection("reopened", func(e *ats.Event) { e.State, e.At = ats.Reopened, b.clock.Now() }))
		b.exec(t, `INSERT INTO suppressions (company, address_ref, scope, cause, at) SELECT company, address_ref, 'all', 'bounce', 1 FROM mails WHERE id = $1`, ids["stopped by the person"])
		if err := b.ErasePerson(t.Context(), operator, b.mailOf(t, "erased").PersonID, "asked"); err != nil {
			t.Fatal(err)
		}
		b.exec(t, `UPDATE mails SET decided_at = 1 WHERE id = $1`, ids["old"])
		b.exec(t, `UPDATE mails SET version = '0' WHERE id = $1`, ids["rewritten"])
		terms := func(string) (record.Term, bool) {
			return record.Term{MaxAge: 30 * 24 * time.Hour, Letters: map[string]string{"thanks": "1"}}, true
		}
		r := record.Rerun{Order: order(record.Filter{Company: "acme", State: "failed"}), Verb: "retry", Noun: "mail"}
		preview := r
		preview.DryRun = true
		said, err := b.Rerun(t.Context(), preview, terms)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{record.SkipMoved: 1, record.SkipSuppressed: 1, record.SkipErased: 1, record.SkipOld: 1, record.SkipLetter: 1}
		if diff := cmp.Diff(want, said.Skipped); diff != "" || said.Changed != 1 || said.Matched != 6 {
			t.Errorf("preview: %d of %d (-want +got):\n%s", said.Changed, said.Matched, diff)
		}
		done := b.launched(t, r, terms)
		b.steps(t, terms, over)
		p, err := b.Progress(t.Context(), done.Batch)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(record.Progress{Skipped: want, Jobs: map[string]int{"done": 1}}, p); diff != "" {
			t.Errorf("progress differs (-want +got):\n%s", diff)
		}
		if r := b.results(t, done.Batch)[ids["runs"]]; r.State != "done" || r.Job == "" || r.Subject != ids["runs"] {
			t.Errorf("result: got %+v", r)
		}
	},
	"deliveries are replayed with their lineage, but not what another run did meanwhile": func(t *testing.T, b *bench) {
		jobs := b.kill(t, 3)
		done := b.launched(t, record.Rerun{Order: order(record.Filter{Company: "acme", State: "parked"}), Verb: "replay", Noun: "delivery"}, nil)
		b.clock.Pass(time.Second)
		if one, err := b.ReplayDeliveries(t.Context(), order(record.Filter{ID: jobs[0].Subject})); err != nil || one.Changed != 1 {
			t.Fatalf("alone: got %+v (%v)", one, err)
		}
		first := b.start(t, record.BulkQueue)
		for _, j := range first {
			if j.Kind == record.DecodeJob {
				if err := b.FinishJob(t.Context(), j, over); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, j := range first {
			if j.Kind == record.BatchJob {
				if _, err := b.StepBatch(t.Context(), j, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.steps(t, nil, over)
		got := b.results(t, done.Batch)
		if r := got[jobs[0].Subject]; r.State != record.ItemSkipped || r.Reason != record.SkipMeanwhile {
			t.Errorf("what was done meanwhile: got %+v", r)
		}
		for _, j := range jobs[1:] {
			r := got[j.Subject]
			if n := b.wantJob(t, r.Job, record.JobDone); n.ReplayOf != j.ID || n.Batch != done.Batch || n.Deaths != 1 {
				t.Errorf("the new job: got %+v", n)
			}
			b.wantJob(t, j.ID, record.JobCancelled)
		}
	},
	"a batch can be paused, resumed and cancelled": func(t *testing.T, b *bench) {
		b.kill(t, 120)
		r := retryOf(deadJobs)
		r.Rate = 60 // one each second
		done := b.launched(t, r, nil)
		run := func() {
			t.Helper()
			for _, j := range b.start(t, record.BulkQueue) {
				var err error
				if j.Kind == record.BatchJob {
					_, err = b.StepBatch(t.Context(), j, nil)
				} else {
					err = b.FinishJob(t.Context(), j, over)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 5 {
			run()
			b.clock.Pass(time.Second)
		}
		some := b.batch(t, done.Batch)
		if some.Changed < 2 || some.Changed > 7 || some.State != record.BatchRunning {
			t.Fatalf("after five seconds at one a second: got %+v", some)
		}
		move := func(verb string, want string) {
			t.Helper()
			got, err := b.MoveBatch(t.Context(), operator, done.Batch, verb, "asked for")
			if err != nil || got.State != want {
				t.Fatalf("%s: got %+v (%v), want %s", verb, got, err, want)
			}
			_, err = b.MoveBatch(t.Context(), operator, done.Batch, verb, "asked for")
			wantFault(t, err, ats.Conflict)
		}
		move("pause", record.BatchPaused)
		for range 3 {
			b.clock.Pass(time.Minute)
			run()
		}
		if got := b.batch(t, done.Batch); got.Changed != some.Changed {
			t.Errorf("while paused: got %d, want %d", got.Changed, some.Changed)
		}
		if n, err := b.Adopt(t.Context()); n != 0 || err != nil {
			t.Errorf("a paused batch was adopted: %d (%v)", n, err)
		}
		move("resume", record.BatchRunning)
		for range 3 {
			run()
			b.clock.Pass(time.Second)
		}
		if got := b.batch(t, done.Batch); got.Changed <= some.Changed || got.Changed > some.Changed+5 {
			t.Errorf("resumed: got %d, had %d: the pause is not made up for", got.Changed, some.Changed)
		}
		move("cancel", record.BatchCancelled)
		b.steps(t, nil, over)
		left := 0
		for _, r := range b.results(t, done.Batch) {
			if r.State == record.BatchCancelled {
				left++
			}
		}
		if got := b.batch(t, done.Batch); left != 120-got.Changed || got.EndedAt.IsZero() {
			t.Errorf("cancelled: %d left of %+v", left, got)
		}
		_, err := b.MoveBatch(t.Context(), operator, done.Batch, "resume", "x")
		wantFault(t, err, ats.Conflict)
		_, err = b.MoveBatch(t.Context(), operator, "nothing", "pause", "x")
		wantFault(t, err, ats.NotFound)
		_, err = b.MoveBatch(t.Context(), operator, done.Batch, "turn", "x")
		wantFault(t, err, ats.Invalid)
	},
	"a batch pauses by itself when too many fail": func(t *testing.T, b *bench) {
		b.kill(t, 200)
		r := retryOf(deadJobs)
		r.Halt, r.Rate = 5, 600
		done := b.launched(t, r, nil)
		b.steps(t, nil, record.Outcome{State: record.JobDead, Error: "still", Fault: ats.Invalid})
		got := b.batch(t, done.Batch)
		if got.State != record.BatchPaused || got.Note == "" || got.Changed < 5 || got.Changed > 60 {
			t.Fatalf("got %+v, want a pause after about five", got)
		}
		if _, err := b.MoveBatch(t.Context(), operator, done.Batch, "resume", "repaired"); err != nil {
			t.Fatal(err)
		}
		b.steps(t, nil, over)
		if got := b.batch(t, done.Batch); got.State != record.BatchDone || got.Note != "" {
			t.Errorf("resumed: got %+v, want done: the old failures do not count", got)
		}
	},
	"a step that was cut off goes on where it committed": func(t *testing.T, b *bench) {
		b.kill(t, 130)
		done := b.launched(t, retryOf(deadJobs), nil)
		lost := b.start(t, record.BulkQueue)[0]
		b.clock.Pass(2 * lease)
		if swept, err := b.Sweep(t.Context(), lease); err != nil || swept.Interrupted != 1 {
			t.Fatalf("sweep: got %+v (%v)", swept, err)
		}
		_, err := b.StepBatch(t.Context(), lost, nil)
		wantFault(t, err, ats.Duplicate) // somebody else has it
		if n := b.count(t, `SELECT count(*) FROM batch_items`); n != 0 {
			t.Errorf("a step without its lease collected %d", n)
		}
		b.steps(t, nil, over)
		if got := b.batch(t, done.Batch); got.State != record.BatchDone || got.Changed != 130 {
			t.Errorf("got %+v", got)
		}
		if n := b.count(t, `SELECT count(*) FROM jobs WHERE kind = 'decode' AND seq <> 2`); n != 0 {
			t.Errorf("%d jobs did not run exactly once more", n)
		}
	},
	"a batch without a job is adopted": func(t *testing.T, b *bench) {
		b.kill(t, 2)
		done := b.launched(t, retryOf(deadJobs), nil)
		b.exec(t, `DELETE FROM jobs WHERE kind = 'batch'`)
		if n, err := b.Adopt(t.Context()); n != 1 || err != nil {
			t.Fatalf("adopted: got %d (%v), want 1", n, err)
		}
		b.steps(t, nil, over)
		if got := b.batch(t, done.Batch); got.State != record.BatchDone || got.Changed != 2 {
			t.Errorf("got %+v", got)
		}
	},
	"a row that the database refuses does not hold up the others": func(t *testing.T, b *bench) {
		jobs := b.kill(t, 60)
		done := b.launched(t, retryOf(deadJobs), nil)
		b.refuseUpdate(t, "jobs", `NEW.id = '`+jobs[20].ID+`'`)
		b.steps(t, nil, over)
		if got := b.batch(t, done.Batch); got.State != record.BatchDone || got.Changed != 59 {
			t.Errorf("got %+v, want 59 changed", got)
		}
		if r := b.results(t, done.Batch)[jobs[20].ID]; r.State != record.ItemSkipped || r.Reason == "" {
			t.Errorf("the refused one: got %+v", r)
		}
	},
	"the address of a batch is kept sealed, and only while it is needed": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.settle(t, j, record.Settlement{State: record.MailFailed, Reason: "refused", Attempt: b.claim(t, j), Job: record.Outcome{State: record.JobDead, Fault: ats.Invalid}})
		b.plan(t, "a2")
		done := b.launched(t, record.Rerun{Order: order(record.Filter{Company: "acme", Email: "a1@example.jp"}), Verb: "retry", Noun: "mail"}, nil)
		b.wantNowhere(t, "a1@example.jp")
		b.steps(t, nil, over)
		b.wantNowhere(t, "a1@example.jp")
		if n := b.count(t, `SELECT count(*) FROM batches WHERE sealed IS NOT NULL`); n != 0 {
			t.Error("the address is still there")
		}
		if got := b.results(t, done.Batch); len(got) != 1 || got[m.ID].State != "done" {
			t.Errorf("results: got %+v", got)
		}
	},
	"a batch of nothing is not made, and a strange one is refused": func(t *testing.T, b *bench) {
		done, err := b.Rerun(t.Context(), retryOf(record.Filter{Company: "nobody"}), nil)
		if err != nil || done.Batch != "" || done.Matched != 0 {
			t.Errorf("nothing: got %+v (%v)", done, err)
		}
		for what, r := range map[string]record.Rerun{
			"no reason":       {Order: record.Order{Filter: deadJobs}, Verb: "retry", Noun: "job"},
			"narrows nothing": {Order: order(record.Filter{}), Verb: "retry", Noun: "job"},
			"another verb":    {Order: order(deadJobs), Verb: "erase", Noun: "job"},
			"below zero":      {Order: order(deadJobs), Verb: "retry", Noun: "job", Rate: -1},
		} {
			if _, err := b.Rerun(t.Context(), r, nil); ats.FaultOf(err) != ats.Invalid {
				t.Errorf("%s: got %v, want invalid", what, err)
			}
		}
	},
}

var graveTests = map[string]func(*testing.T, *bench){
	"the dead are grouped by class, vendor and kind": func(t *testing.T, b *bench) {
		first := b.clock.Now()
		b.kill(t, 3)
		b.clock.Pass(time.Hour)
		b.kill(t, 1)
		b.save(t, b.arrival("globex", "k"))
		j := b.startOne(t, record.DecodeJob, "")
		if err := b.FinishJob(t.Context(), j, record.Outcome{State: record.JobDead, Error: "panic"}); err != nil {
			t.Fatal(err)
		}
		want := []record.Grave{
			{Fault: "invalid", Vendor: "greenhouse", Kind: "decode", Count: 4, First: first, Last: b.clock.Now(), Error: "no rule"},
			{Fault: record.Unexpected, Vendor: "greenhouse", Kind: "decode", Count: 1, First: b.clock.Now(), Last: b.clock.Now(), Error: "panic"},
		}
		got, err := b.Graves(t.Context(), record.Filter{})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("graves differ (-want +got):\n%s (%v)", diff, err)
		}
		got, err = b.Graves(t.Context(), record.Filter{Company: "acme", Fault: "invalid", Vendor: "greenhouse", Kind: "decode"})
		if diff := cmp.Diff(want[:1], got); diff != "" || err != nil {
			t.Errorf("graves of acme differ (-want +got):\n%s (%v)", diff, err)
		}
		jobs, err := b.Jobs(t.Context(), record.Filter{State: "dead", Fault: "invalid", Vendor: "greenhouse", Kind: "decode"})
		if err != nil || len(jobs) != 4 {
			t.Errorf("behind a group: got %d jobs (%v), want 4", len(jobs), err)
		}
		if _, err := b.Graves(t.Context(), record.Filter{Error: "x"}); ats.FaultOf(err) != ats.Invalid {
			t.Errorf("a word that groups do not have: got %v", err)
		}
	},
	"a job that dies again and again, or takes its worker down, is poison": func(t *testing.T, b *bench) {
		j := b.kill(t, 1)[0]
		for n := 1; n < record.PoisonAfter; n++ {
			if b.wantJob(t, j.ID, record.JobDead).Poison() {
				t.Fatalf("poison after %d deaths", n)
			}
			if _, err := b.RetryJobs(t.Context(), order(record.Filter{ID: j.ID})); err != nil {
				t.Fatal(err)
			}
			again := append(b.start(t, record.LiveQueue), b.start(t, record.BulkQueue)...)
			if err := b.FinishJob(t.Context(), again[0], record.Outcome{State: record.JobDead, Error: "no", Fault: ats.Invalid}); err != nil {
				t.Fatal(err)
			}
		}
		if !b.wantJob(t, j.ID, record.JobDead).Poison() {
			t.Error("not recognised")
		}
		b.save(t, b.arrival("acme", "killer"))
		killer := record.Job{}
		for range 3 {
			killer = b.startOne(t, record.DecodeJob, "")
			b.clock.Pass(2 * lease)
			if _, err := b.Sweep(t.Context(), lease); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.wantJob(t, killer.ID, record.JobDead); !got.Poison() || got.Fault != record.Killer {
			t.Errorf("killer: got %+v", got)
		}
		graves, err := b.Graves(t.Context(), record.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range graves {
			if g.Poison != 1 || g.Vendor != "greenhouse" {
				t.Errorf("got %+v, want it marked", g)
			}
		}
		if len(graves) != 2 {
			t.Errorf("got %+v, want two groups", graves)
		}
	},
}
