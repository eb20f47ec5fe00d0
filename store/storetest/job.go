package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

var jobTests = map[string]func(*testing.T, *bench){
	"a ticket opens the fence once, and only while it is dispatched": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "k"))
		first, err := b.Dispatch(t.Context(), record.LiveQueue, map[string]int{"acme": 10})
		if err != nil || len(first) != 1 || first[0].Seq != 1 || first[0].Queue != record.LiveQueue {
			t.Fatalf("tickets: got %v (%v)", first, err)
		}
		if again, err := b.Dispatch(t.Context(), record.LiveQueue, map[string]int{"acme": 10}); err != nil || len(again) != 0 {
			t.Errorf("dispatched again: got %v (%v), want none", again, err)
		}
		if n, err := b.Recall(t.Context()); n != 1 || err != nil {
			t.Errorf("recalled: got %d (%v), want 1", n, err)
		}
		_, err = b.StartJob(t.Context(), first[0].Job, first[0].Seq, lease)
		wantFault(t, err, ats.Duplicate) // waiting
		second, err := b.Dispatch(t.Context(), record.LiveQueue, map[string]int{"acme": 10})
		if err != nil || len(second) != 1 || second[0].Seq != 2 {
			t.Fatalf("tickets: got %v (%v)", second, err)
		}
		_, err = b.StartJob(t.Context(), first[0].Job, first[0].Seq, lease)
		wantFault(t, err, ats.Duplicate) // a ticket of before
		j, err := b.StartJob(t.Context(), second[0].Job, second[0].Seq, lease)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.StartJob(t.Context(), second[0].Job, second[0].Seq, lease)
		wantFault(t, err, ats.Duplicate) // running
		if err := b.FinishJob(t.Context(), j, record.Outcome{State: record.JobDone}); err != nil {
			t.Fatal(err)
		}
		wantFault(t, b.FinishJob(t.Context(), j, record.Outcome{State: record.JobDead}), ats.Duplicate)
		b.wantJob(t, j.ID, record.JobDone)
	},
	"outcomes": func(t *testing.T, b *bench) {
		due := b.clock.Now().Add(time.Hour)
		for _, c := range []struct {
			outcome record.Outcome
			want    record.Job
		}{
			{record.Outcome{State: record.JobDone}, record.Job{State: record.JobDone, DueAt: b.clock.Now()}},
			{
				record.Outcome{State: record.JobWaiting, DueAt: due, Error: "busy", Fault: ats.Busy, Consumed: true},
				record.Job{State: record.JobWaiting, DueAt: due, Error: "busy", Fault: "busy", Attempts: 1},
			},
			{record.Outcome{State: record.JobWaiting, DueAt: due, Error: "told to wait"}, record.Job{State: record.JobWaiting, DueAt: due, Error: "told to wait"}},
			{
				record.Outcome{State: record.JobDead, Error: "no", Fault: ats.Invalid, Consumed: true},
				record.Job{State: record.JobDead, DueAt: b.clock.Now(), Error: "no", Fault: "invalid", Deaths: 1, Attempts: 1},
			},
		} {
			b.save(t, b.arrival("acme", b.id("key")))
			j := b.startOne(t, record.DecodeJob, "")
			if err := b.FinishJob(t.Context(), j, c.outcome); err != nil {
				t.Fatal(err)
			}
			got := b.wantJob(t, j.ID, c.outcome.State)
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(record.Job{}, "ID", "Company", "Kind", "Queue", "Subject", "Seq", "CreatedAt", "UpdatedAt")); diff != "" {
				t.Errorf("job differs (-want +got):\n%s", diff)
			}
		}
		_, err := b.Job(t.Context(), "nothing")
		wantFault(t, err, ats.NotFound)
	},
	"a job that waits is not dispatched before it is due": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "k"))
		j := b.startOne(t, record.DecodeJob, "")
		due := b.clock.Now().Add(time.Hour)
		if err := b.FinishJob(t.Context(), j, record.Outcome{State: record.JobWaiting, DueAt: due}); err != nil {
			t.Fatal(err)
		}
		if next, err := b.NextDue(t.Context()); err != nil || !next.Equal(due) {
			t.Errorf("next due: got %v (%v), want %v", next, err, due)
		}
		if jobs := b.start(t, record.LiveQueue); len(jobs) != 0 {
			t.Errorf("too early: got %v", jobs)
		}
		b.clock.Pass(time.Hour)
		b.startOne(t, record.DecodeJob, j.Subject)
		if next, err := b.NextDue(t.Context()); err != nil || !next.IsZero() {
			t.Errorf("next due of nothing: got %v (%v)", next, err)
		}
	},
	"the longest due goes first, and no more than the share": func(t *testing.T, b *bench) {
		var want []string
		for range 5 {
			want = append(want, b.save(t, b.arrival("acme", b.id("key"))))
			b.clock.Pass(time.Second)
		}
		tickets, err := b.Dispatch(t.Context(), record.LiveQueue, map[string]int{"acme": 3})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ticket := range tickets {
			j, err := b.Job(t.Context(), ticket.Job)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, j.Subject)
		}
		if diff := cmp.Diff(want[:3], got, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
			t.Errorf("dispatched differs (-want +got):\n%s", diff)
		}
	},
	"a company with thousands does not hide one with a single job": func(t *testing.T, b *bench) {
		fill(t, b, 10_000)
		b.save(t, b.arrival("globex", "k"))
		b.save(t, b.arrival("zenith", "k"))
		loads := loadOf(t, b, record.LiveQueue, 256)
		want := map[string]record.Load{
			"acme": {Company: "acme", Due: 256}, "globex": {Company: "globex", Due: 1}, "zenith": {Company: "zenith", Due: 1},
		}
		if diff := cmp.Diff(want, loads); diff != "" {
			t.Errorf("loads differ (-want +got):\n%s", diff)
		}
		tickets, err := b.Dispatch(t.Context(), record.LiveQueue, map[string]int{"acme": 2, "globex": 2, "zenith": 1})
		if err != nil || len(tickets) != 4 {
			t.Fatalf("tickets: got %d (%v), want 4", len(tickets), err)
		}
		want = map[string]record.Load{"acme": {Company: "acme", Due: 256, Flying: 2}, "globex": {Company: "globex", Flying: 1}, "zenith": {Company: "zenith", Flying: 1}}
		if diff := cmp.Diff(want, loadOf(t, b, record.LiveQueue, 256)); diff != "" {
			t.Errorf("loads afterwards differ (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]record.Load{}, loadOf(t, b, record.BulkQueue, 256)); diff != "" {
			t.Errorf("loads of another queue differ (-want +got):\n%s", diff)
		}
	},
	"what runs long does not count as under way": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "k"))
		b.startOne(t, record.DecodeJob, "")
		if got := loadOf(t, b, record.LiveQueue, 10)["acme"].Flying; got != 1 {
			t.Errorf("at once: got %d, want 1", got)
		}
		b.clock.Pass(40 * time.Second)
		if got := loadOf(t, b, record.LiveQueue, 10)["acme"].Flying; got != 0 {
			t.Errorf("later: got %d, want 0", got)
		}
	},
	"dispatchers at the same time share out the jobs": func(t *testing.T, b *bench) {
		fill(t, b, 200)
		other := b.open(t)
		found := make([][]record.Ticket, 10)
		errs := together(10, func(i int) (err error) {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			found[i], err = s.Dispatch(t.Context(), record.LiveQueue, map[string]int{"acme": 20})
			return err
		})
		if diff := cmp.Diff(map[ats.Fault]int{"": 10}, faults(t, errs)); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
		seen := map[string]bool{}
		for _, tickets := range found {
			if len(tickets) > 20 {
				t.Errorf("one dispatcher got %d, want 20 at most", len(tickets))
			}
			for _, ticket := range tickets {
				if seen[ticket.Job] {
					t.Errorf("job %s was dispatched twice", ticket.Job)
				}
				seen[ticket.Job] = true
			}
		}
	},
	"a sweep gives back what was lost on its way": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "k"))
		tickets, err := b.Dispatch(t.Context(), record.LiveQueue, map[string]int{"acme": 1})
		if err != nil {
			t.Fatal(err)
		}
		if swept, err := b.Sweep(t.Context(), time.Minute); err != nil || swept != (record.Swept{}) {
			t.Errorf("too early: got %+v (%v)", swept, err)
		}
		b.clock.Pass(time.Minute)
		if swept, err := b.Sweep(t.Context(), time.Minute); err != nil || swept != (record.Swept{Redispatched: 1}) {
			t.Errorf("got %+v (%v), want one redispatched", swept, err)
		}
		_, err = b.StartJob(t.Context(), tickets[0].Job, tickets[0].Seq, lease)
		wantFault(t, err, ats.Duplicate)
		if jobs := b.start(t, record.LiveQueue); len(jobs) != 1 || jobs[0].Seq != 2 {
			t.Errorf("got %v, want the job once more", jobs)
		}
	},
	"a job that kills its worker three times is dead": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "k"))
		for i := range 3 {
			j := b.startOne(t, record.DecodeJob, "")
			if j.Starts != i+1 {
				t.Errorf("starts: got %d, want %d", j.Starts, i+1)
			}
			if swept, err := b.Sweep(t.Context(), time.Hour); err != nil || swept != (record.Swept{}) {
				t.Errorf("within the lease: got %+v (%v)", swept, err)
			}
			b.clock.Pass(lease)
			want := record.Swept{Interrupted: 1}
			if i == 2 {
				want = record.Swept{Killers: 1}
			}
			if swept, err := b.Sweep(t.Context(), time.Hour); err != nil || swept != want {
				t.Errorf("start %d: got %+v (%v), want %+v", i+1, swept, err, want)
			}
		}
		jobs, err := b.Jobs(t.Context(), record.Filter{State: "dead", Error: "kills its worker"})
		if err != nil || len(jobs) != 1 {
			t.Fatalf("dead: got %v (%v), want one", jobs, err)
		}
		if done, err := b.RetryJobs(t.Context(), order(record.Filter{ID: jobs[0].ID})); err != nil || done.Changed != 1 {
			t.Errorf("retried: got %+v (%v)", done, err)
		}
		if j := b.startOne(t, record.DecodeJob, ""); j.Starts != 1 {
			t.Errorf("starts after a retry: got %d, want 1", j.Starts)
		}
	},
	"an outcome forgives the starts before it": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "k"))
		for range 5 {
			j := b.startOne(t, record.DecodeJob, "")
			if err := b.FinishJob(t.Context(), j, record.Outcome{State: record.JobWaiting, DueAt: b.clock.Now(), Error: "interrupted by a shutdown"}); err != nil {
				t.Fatal(err)
			}
		}
		if j := b.startOne(t, record.DecodeJob, ""); j.Starts != 1 || j.Attempts != 0 {
			t.Errorf("got %d starts, %d attempts; want 1, 0", j.Starts, j.Attempts)
		}
	},
	"a mail whose job kills its worker has failed": func(t *testing.T, b *bench) {
		m, _ := b.plan(t, "a1")
		b.clock.Pass(lease)
		for range 2 {
			if _, err := b.Sweep(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
			b.startOne(t, record.MailJob, m.ID)
			b.clock.Pass(lease)
		}
		if swept, err := b.Sweep(t.Context(), time.Hour); err != nil || swept.Killers != 1 {
			t.Errorf("got %+v (%v), want one killer", swept, err)
		}
		b.wantMail(t, m.ID, record.MailFailed)
	},
	"a tick has one owner, whichever store asks": func(t *testing.T, b *bench) {
		other := b.open(t)
		for tick := range int64(15) {
			wins := 0
			for _, err := range together(8, func(i int) error {
				s := b.Store
				if i%2 == 1 {
					s = other
				}
				ok, err := s.Lease(t.Context(), "sweep", tick, b.id("owner"))
				if ok {
					return ats.Errorf(ats.Conflict, "mine")
				}
				return err
			}) {
				if ats.FaultOf(err) == ats.Conflict {
					wins++
				} else if err != nil {
					t.Error(err)
				}
			}
			if wins != 1 {
				t.Errorf("tick %d: got %d owners, want 1", tick, wins)
			}
		}
		if ok, err := b.Lease(t.Context(), "purge", 3, "x"); !ok || err != nil {
			t.Errorf("other work of the same tick: got %v (%v), want it", ok, err)
		}
		if n := b.count(t, `SELECT count(*) FROM leases WHERE name = 'sweep'`); n > 11 {
			t.Errorf("leases kept: got %d, want few", n)
		}
	},
	"what waits without a job gets one": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.exec(t, `UPDATE jobs SET state = 'done' WHERE id = $1`, j.ID)
		if n, err := b.Adopt(t.Context()); n != 1 || err != nil {
			t.Errorf("adopted: got %d (%v), want 1", n, err)
		}
		if n, err := b.Adopt(t.Context()); n != 0 || err != nil {
			t.Errorf("adopted again: got %d (%v), want 0", n, err)
		}
		if got := b.startOne(t, record.MailJob, m.ID); got.ID == j.ID {
			t.Error("got the old job")
		}
	},
	"finishing with work that is due nudges": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "k"))
		j := b.startOne(t, record.DecodeJob, "")
		select {
		case <-b.Nudge():
		default:
			t.Error("saving did not nudge")
		}
		if err := b.FinishJob(t.Context(), j, record.Outcome{State: record.JobWaiting, DueAt: b.clock.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-b.Nudge():
			t.Error("a job that is due later nudged")
		default:
		}
	},
	"the pulse counts what is open": func(t *testing.T, b *bench) {
		since := b.clock.Now()
		b.hear(t, "acme", b.rejection("a1"))
		b.save(t, b.arrival("globex", "k"))
		m := b.mailOf(t, "a1")
		p, err := b.Pulse(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		acme, globex := record.NewCounts(), record.NewCounts()
		acme.Mails["held"], acme.Jobs["waiting"] = 1, 1
		globex.Deliveries["new"], globex.Jobs["waiting"] = 1, 1
		want := record.Pulse{
			Open: map[string]record.Counts{"acme": acme, "globex": globex}, Received: map[string]map[string]int{"acme": {"decoded": 1}, "globex": {"new": 1}},
			Backlog: map[string]record.Backlog{record.LiveQueue: {Due: 1, Oldest: b.clock.Now()}}, NextMail: m.DueAt,
		}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("pulse differs (-want +got):\n%s", diff)
		}
		counts, err := b.Counts(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		all := record.NewCounts()
		all.Deliveries["decoded"], all.Mails["held"], all.Jobs["waiting"], all.Jobs["done"] = 1, 1, 1, 1
		if diff := cmp.Diff(all, counts); diff != "" {
			t.Errorf("counts differ (-want +got):\n%s", diff)
		}
		if counts, err = b.Counts(t.Context(), ""); err != nil || counts.Jobs["waiting"] != 2 {
			t.Errorf("counts of all: got %v (%v)", counts, err)
		}
	},
}

func loadOf(tb testing.TB, b *bench, queue string, limit int) map[string]record.Load {
	tb.Helper()
	loads, err := b.Load(tb.Context(), queue, limit)
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]record.Load{}
	for _, l := range loads {
		out[l.Company] = l
	}
	return out
}

// fill writes n due jobs of acme past the store.
func fill(tb testing.TB, b *bench, n int) {
	tb.Helper()
	now := b.clock.Now().UnixMicro()
	b.exec(tb, `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, created_at, updated_at)
		SELECT 'fill-acme-' || CAST(i AS TEXT), 'acme', 'decode', 'live', 'subject-' || CAST(i AS TEXT), 'waiting', CAST($2 AS BIGINT), CAST($2 AS BIGINT), CAST($2 AS BIGINT) FROM n`,
		n, now)
}
