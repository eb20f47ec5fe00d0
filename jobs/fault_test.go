package jobs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/jobs/jobstest"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// really opens a lab in real time, whose mails may leave at any hour.
func really(t *testing.T, courier *Courier) *lab {
	t.Helper()
	l := openLab(t, &clock{})
	l.company().Sending.Window = sending.Window{}
	l.company().Sending.Brake.Batch = 1_000_000
	l.Courier = courier
	return l
}

// expectOnce waits until every application was written to, and fails when one
// was twice.
func (l *lab) expectOnce(n int) {
	l.t.Helper()
	await(l.t, fmt.Sprint(n, " mails are sent"), func() bool { return len(l.post.letters()) >= n })
	to := map[ats.Email]int{}
	for _, m := range l.post.letters() {
		to[m.To.Address]++
	}
	for i := range n {
		if got := to[l.rejection(strconv.Itoa(i)).Candidate.Email]; got != 1 {
			l.t.Errorf("application %d was written to %d times", i, got)
		}
	}
	await(l.t, "every job is done", func() bool {
		counts, err := l.db.Counts(context.Background(), "")
		return err == nil && counts.Jobs["done"] == 2*n && counts.Mails["sent"] == n
	})
}

func TestRedisIsWipedUnderLoad(t *testing.T) {
	couriers(t, func(t *testing.T, c *Courier, wipe func()) {
		l := really(t, c)
		l.start()
		const n = 200
		for i := range n {
			l.arrive(l.rejection(strconv.Itoa(i)))
			if i%40 == 20 {
				wipe()
			}
		}
		l.expectOnce(n)
	})
}

func TestAWipedRedisIsNoticedBeforeTicketsCountAsLost(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		if _, err := l.Courier.Forgot(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := l.arrive(l.rejection("1"))
		if _, err := l.dispatchOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Courier.inproc.FlushAll()
		l.start()
		time.Sleep(lost / 4)
		if j := l.job(id); j.State != record.JobDone {
			t.Errorf("job %+v", j)
		}
	})
}

func TestRedisIsDownAndDeliveriesAreTaken(t *testing.T) {
	s := jobstest.Redis(t)
	l := really(t, openCourier(t, s.URL()))
	l.start()
	l.arrive(l.rejection("0"))
	await(t, "the first mail", func() bool { return len(l.post.letters()) == 1 })
	s.Kill()
	const n = 50
	for i := 1; i < n; i++ {
		l.arrive(l.rejection(strconv.Itoa(i)))
	}
	await(t, "the outage is noticed", func() bool { return strings.Contains(l.logs.String(), "put off") })
	s.Restart()
	l.expectOnce(n)
	logs := l.logs.String()
	if n := strings.Count(logs, `"put off","what":"dispatching"`); n != 1 {
		t.Errorf("%d lines about one outage:\n%s", n, logs)
	}
	await(t, "the end is noticed", func() bool { return strings.Contains(l.logs.String(), `"works again","what":"dispatching"`) })
}

// Connections are cut again and again, also between a command and its answer.
func TestConnectionsAreCutUnderLoad(t *testing.T) {
	p := jobstest.Front(t, jobstest.Redis(t))
	l := really(t, openCourier(t, p.URL()))
	l.start()
	const n = 200
	for i := range n {
		l.arrive(l.rejection(strconv.Itoa(i)))
		if i%20 == 10 {
			p.Cut()
		}
	}
	// A task whose way to the worker was cut waits for the sweep.
	l.sweepUntil(time.Second, func() { l.expectOnce(n) })
}

// When the acknowledgement of a finished task is lost, asynq runs it again
// after its lease ended. The fence drops the second run.
func TestALostAcknowledgementDoesNotRepeatTheEffect(t *testing.T) {
	reproduce(t, func(t *testing.T, l *lab) (dropped int) {
		away := 1500 * time.Millisecond
		l.post.hook = func(context.Context, mail.Message) {
			l.Courier.inproc.SetError("LOADING the acknowledgement fails")
			time.AfterFunc(away, func() { l.Courier.inproc.SetError("") })
		}
		store := &counting{Store: l.db}
		l.Store = store
		l.arrive(l.rejection("1"))
		stop := l.start()
		time.Sleep(3 * time.Minute)
		stop()
		if store.started != 2 { // decode and mail
			t.Errorf("%d started", store.started)
		}
		l.expect("1", record.MailSent, "")
		if n := l.post.attempts(); n != 1 {
			t.Errorf("%d mails", n)
		}
		return store.dropped
	})
}

// reproduce tries a fault of asynq until it happens: its goroutines meet at the
// same instant of virtual time, and chance decides who comes first. Whatever
// happens, the effect must be there once.
func reproduce(t *testing.T, try func(t *testing.T, l *lab) (dropped int)) {
	t.Helper()
	for range 20 {
		dropped := 0
		virtually(t, func(t *testing.T, l *lab) { dropped = try(t, l) })
		if dropped > 0 || t.Failed() {
			return
		}
	}
	t.Error("the fault was not reproduced")
}

// asynq takes a running task for lost when the clocks of two machines differ
// by more than its lease. The fence drops the copy.
func TestALeaseThatEndsTooEarlyDoesNotRepeatTheEffect(t *testing.T) {
	reproduce(t, func(t *testing.T, l *lab) (dropped int) {
		l.ats.complete = func(context.Context, *ats.Event) error {
			for range 10 {
				time.Sleep(5 * time.Second)
				for _, id := range members(t, l, "asynq:{live}:lease") {
					if _, err := l.Courier.inproc.ZAdd("asynq:{live}:lease", float64(time.Now().Add(-2*time.Minute).Unix()), id); err != nil {
						t.Error(err)
					}
				}
			}
			return nil
		}
		store := &counting{Store: l.db}
		l.Store = store
		stop := l.start()
		time.Sleep(20 * time.Second) // asynq looks for lost tasks every minute
		id := l.arrive(l.rejection("1"))
		time.Sleep(100 * time.Second)
		stop()
		if store.started != 2 {
			t.Errorf("%d started", store.started)
		}
		if j := l.job(id); j.State != record.JobDone || j.Attempts != 0 {
			t.Errorf("job %+v", j)
		}
		if n := l.post.attempts(); n != 1 {
			t.Errorf("%d mails", n)
		}
		return store.dropped
	})
}

func members(t *testing.T, l *lab, key string) []string {
	t.Helper()
	if !l.Courier.inproc.Exists(key) {
		return nil
	}
	ids, err := l.Courier.inproc.ZMembers(key)
	if err != nil {
		t.Error(err)
	}
	return ids
}

// The store's clock is the reference: that of the machine may be wrong.
func TestTheMachinesClockIsWrong(t *testing.T) {
	for _, skew := range []time.Duration{-2 * time.Minute, 2 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			virtually(t, func(t *testing.T, l *lab) {
				l.clock.skew = skew // of the store against the machine
				l.arrive(l.rejection("1"))
				l.start()
				time.Sleep(2 * time.Second)
				l.expect("1", record.MailSent, "")
				l.ats.complete = func(context.Context, *ats.Event) error {
					time.Sleep(handlerTimeout - 5*time.Second) // slow, but inside its time and its lease
					return nil
				}
				id := l.arrive(l.rejection("2"))
				time.Sleep(handlerTimeout)
				if j := l.job(id); j.State != record.JobDone || j.Seq != 1 {
					t.Errorf("job %+v", j)
				}
			})
		})
	}
}

func TestALostTicketIsSwept(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		id := l.arrive(l.rejection("1"))
		if n := len(l.tickets()); n != 1 { // dispatched, and gone
			t.Fatalf("%d tickets", n)
		}
		if _, err := l.Courier.Forgot(t.Context()); err != nil { // Redis remembers itself
			t.Fatal(err)
		}
		l.start()
		time.Sleep(lost - time.Second)
		if j := l.job(id); j.State != record.JobDispatched {
			t.Errorf("before its time: %+v", j)
		}
		time.Sleep(10 * time.Second)
		if j := l.job(id); j.State != record.JobDone || j.Seq != 2 {
			t.Errorf("job %+v", j)
		}
	})
}

// A failover may bring back tickets that were used long ago.
func TestResurrectedTicketsFailAtTheFence(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		id := l.arrive(l.rejection("1"))
		l.start()
		time.Sleep(2 * time.Second)
		letter := l.expect("1", record.MailSent, "")
		before := l.post.attempts()
		for _, j := range []record.Job{l.job(id), l.job(letter.ID)} {
			for seq := range j.Seq + 2 {
				_, err := l.db.StartJob(t.Context(), j.ID, seq, lease)
				if ats.FaultOf(err) != ats.Duplicate {
					t.Errorf("seq %d of a job at %d: %v", seq, j.Seq, err)
				}
				if err := l.Courier.Carry(t.Context(), record.Ticket{Job: j.ID, Seq: seq, Queue: j.Queue}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := l.Courier.Carry(t.Context(), record.Ticket{Job: "unknown", Seq: 1, Queue: record.LiveQueue}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		depths, err := l.Courier.Depths()
		if err != nil || depths[record.LiveQueue] != (Depth{}) {
			t.Errorf("left in redis: %+v, %v", depths, err)
		}
		if n := l.post.attempts() - before; n != 0 {
			t.Errorf("%d more mails", n)
		}
	})
}

// The process dies between the claim of a mail and its settlement.
func TestAWorkerDiesWithAMailInFlight(t *testing.T) {
	l := newLab(t)
	l.company().Sending.Window = sending.Window{}
	l.arrive(l.rejection("1"))
	var mailTicket record.Ticket
	for mailTicket.Job == "" {
		for _, ticket := range l.tickets() {
			j, err := l.db.Job(t.Context(), ticket.Job)
			if err != nil {
				t.Fatal(err)
			}
			if j.Kind == record.MailJob {
				mailTicket = ticket
			} else if err := l.handle(t.Context(), ticket); err != nil {
				t.Fatal(err)
			}
		}
	}
	j, err := l.db.StartJob(t.Context(), mailTicket.Job, mailTicket.Seq, lease)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.db.ClaimMail(t.Context(), j, j.Subject, "fake"); err != nil {
		t.Fatal(err)
	}
	l.clock.pass(lease - time.Second)
	for range 2 {
		if err := l.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if m := l.letter("1"); m.State != record.MailSending {
		t.Errorf("inside the lease: %s", m.State)
	}
	l.clock.pass(time.Second)
	if err := l.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.until(l.clock.now().Add(30 * 24 * time.Hour))
	l.expect("1", record.MailUnclear, "interrupted")
	if n := l.post.attempts(); n != 0 {
		t.Errorf("sent again %d times", n)
	}
}

// The process dies while it decodes: the job runs again, and its effect is
// there once.
func TestAWorkerDiesWhileItDecodes(t *testing.T) {
	l := newLab(t)
	id := l.arrive(l.rejection("1"))
	ticket := l.tickets()[0]
	if _, err := l.db.StartJob(t.Context(), ticket.Job, ticket.Seq, lease); err != nil {
		t.Fatal(err)
	}
	if err := l.handle(t.Context(), ticket); err != nil { // asynq gives the ticket out again
		t.Fatal(err)
	}
	l.clock.pass(lease)
	if err := l.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.until(l.clock.now().Add(soon))
	if j := l.job(id); j.State != record.JobDone || j.Seq != 2 || j.Attempts != 0 {
		t.Errorf("job %+v", j)
	}
	l.expect("1", record.MailSent, "")
}

func TestTwoProcessesDispatchAndSweep(t *testing.T) {
	s := jobstest.Redis(t)
	l := really(t, openCourier(t, s.URL()))
	second := *l.Worker
	second.Name, second.Courier = "second", openCourier(t, s.URL())
	other := &lab{Worker: &second, t: t, db: l.db}
	const n = 200
	var door sync.WaitGroup
	door.Go(func() {
		for i := range n {
			l.arrive(l.rejection(strconv.Itoa(i)))
		}
	})
	l.start()
	other.start()
	l.sweepUntil(0, func() { other.sweepUntil(0, door.Wait) }) // every ticket is taken for lost at once
	l.expectOnce(n)
}

// sweepUntil sweeps again and again, with little patience, until fn ends.
func (l *lab) sweepUntil(lost time.Duration, fn func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var sweeping sync.WaitGroup
	sweeping.Go(func() {
		for ctx.Err() == nil {
			if _, err := l.db.Sweep(context.Background(), lost); err != nil {
				l.t.Error(err)
			}
			sleep(ctx, 10*time.Millisecond)
		}
	})
	fn()
	cancel()
	sweeping.Wait()
}

func TestSharedChoresRunOnce(t *testing.T) {
	l := newLab(t)
	ran := 0
	c := chore{"sweep", 5 * time.Second, true, func(context.Context) error { ran++; return nil }}
	second := *l.Worker
	second.Name = "second"
	for range 3 {
		for _, w := range []*Worker{l.Worker, &second} {
			if err := w.chore(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		l.clock.pass(5 * time.Second)
	}
	if ran != 3 {
		t.Errorf("ran %d times in three ticks", ran)
	}
	c.shared = false
	for _, w := range []*Worker{l.Worker, &second} {
		if err := w.chore(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if ran != 5 {
		t.Errorf("ran %d times", ran)
	}
}

func TestAChoreThatBreaksIsReportedOnceAndGoesOn(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		l.Store = &brokenSweep{Store: l.db, until: time.Now().Add(30 * time.Second)}
		l.start()
		time.Sleep(time.Minute)
		logs := l.logs.String()
		if n := strings.Count(logs, `"put off","what":"sweep"`); n != 1 {
			t.Errorf("%d lines", n)
		}
		if !strings.Contains(logs, `"works again","what":"sweep"`) || strings.Contains(logs, "佐藤") {
			t.Errorf("logs %s", logs)
		}
	})
}

type brokenSweep struct {
	Store
	until time.Time
}

func (b *brokenSweep) Sweep(ctx context.Context, lost time.Duration) (record.Swept, error) {
	if time.Now().Before(b.until) {
		panic("佐藤")
	}
	return b.Store.Sweep(ctx, lost)
}

// asynq keeps ten thousand archived tasks and deletes the rest. A dead job is a
// row.
func TestMoreFailuresAreKeptThanAnArchiveHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const doors, each = 64, 160
	const total = doors * each // 10,240
	l := really(t, openCourier(t, ""))
	l.ats.decode = func(connectors.Payload) ([]ats.Event, error) { return nil, ats.Errorf(ats.Invalid, "broken mapping") }
	stop := l.start()
	var door sync.WaitGroup
	for d := range doors {
		door.Go(func() {
			for i := range each {
				a := arrival([]byte(`{}`))
				a.Delivery.Key = fmt.Sprint(d, "/", i)
				if _, err := l.save(a); err != nil {
					t.Error(err)
				}
			}
		})
	}
	door.Wait()
	await(t, "all are dead", func() bool {
		counts, err := l.db.Counts(context.Background(), "acme")
		return err == nil && counts.Jobs["dead"] == total
	})
	depths, err := l.Courier.Depths()
	if err != nil || depths[record.LiveQueue] != (Depth{}) {
		t.Errorf("left in redis: %+v, %v", depths, err)
	}
	stop()
	f := record.Filter{Company: "acme", State: "dead", Error: "broken mapping", Limit: record.MaxPage}
	found := map[string]bool{}
	for page := []record.Job{{}}; len(page) > 0; {
		if page, err = l.db.Jobs(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		for _, j := range page {
			found[j.ID], f.After = true, j.ID
		}
	}
	if len(found) != total {
		t.Errorf("found %d of %d", len(found), total)
	}
	done, err := l.db.RetryJobs(t.Context(), l.order(record.Filter{State: "dead", Error: "broken mapping"}))
	if err != nil || done.Changed != total {
		t.Fatalf("retried %+v, %v", done, err)
	}
	if counts, err := l.db.Counts(t.Context(), "acme"); err != nil || counts.Jobs["waiting"] != total {
		t.Errorf("jobs %v, %v", counts.Jobs, err)
	}
}
