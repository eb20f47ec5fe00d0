package storetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/store"
)

// id returns a word that no other call returns.
func (b *bench) id(prefix string) string {
	return prefix + "-" + strconv.FormatInt(b.number.Add(1), 10)
}

// arrival is a delivery at the door of a company.
func (b *bench) arrival(company, key string) record.Arrival {
	return record.Arrival{
		Vendor: "greenhouse", Disposition: record.New, Keep: 30 * 24 * time.Hour,
		Delivery: connectors.Delivery{
			Company: company, Connection: "main", Door: connectors.Webhook, Key: key,
			Payload: connectors.Payload{
				Header: map[string][]string{"X-Event": {key}}, Body: []byte(`{"candidate":{"name":"佐藤 美咲","email":"misaki.sato@example.jp"}}`), Received: b.clock.Now(),
			},
		},
	}
}

// save keeps an arrival and returns its id.
func (b *bench) save(tb testing.TB, a record.Arrival) string {
	tb.Helper()
	id, err := b.SaveDelivery(tb.Context(), a)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

const lease = time.Minute

// start dispatches and starts every due job of a queue, of all companies.
func (b *bench) start(tb testing.TB, queue string) []record.Job {
	tb.Helper()
	loads, err := b.Load(tb.Context(), queue, 10_000)
	if err != nil {
		tb.Fatal(err)
	}
	shares := map[string]int{}
	for _, l := range loads {
		shares[l.Company] = l.Due
	}
	tickets, err := b.Dispatch(tb.Context(), queue, shares)
	if err != nil {
		tb.Fatal(err)
	}
	var jobs []record.Job
	for _, ticket := range tickets {
		j, err := b.StartJob(tb.Context(), ticket.Job, ticket.Seq, lease)
		if err != nil {
			tb.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// startOne starts the only live job that is due.
func (b *bench) startOne(tb testing.TB, kind, subject string) record.Job {
	tb.Helper()
	jobs := b.start(tb, record.LiveQueue)
	if len(jobs) != 1 || jobs[0].Kind != kind || subject != "" && jobs[0].Subject != subject {
		tb.Fatalf("due jobs: got %v, want one %s job of %q", jobs, kind, subject)
	}
	return jobs[0]
}

// hear lets a delivery with these events arrive and be accepted.
func (b *bench) hear(tb testing.TB, company string, events ...ats.Event) record.Accepted {
	tb.Helper()
	return b.hearThrough(tb, b.arrival(company, b.id("key")), events...)
}

func (b *bench) hearThrough(tb testing.TB, a record.Arrival, events ...ats.Event) record.Accepted {
	tb.Helper()
	done, err := b.accept(tb.Context(), b.Store, a, events...)
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

// accept is hear without a test, for goroutines. It starts only its own job.
func (b *bench) accept(ctx context.Context, s *store.Store, a record.Arrival, events ...ats.Event) (record.Accepted, error) {
	id, err := s.SaveDelivery(ctx, a)
	if err != nil {
		return record.Accepted{}, err
	}
	j, err := b.begin(ctx, s, id)
	if err != nil {
		return record.Accepted{}, err
	}
	d, _, err := s.Delivery(ctx, id)
	if err != nil {
		return record.Accepted{}, err
	}
	return s.Accept(ctx, j, d, events, b.limits, b.decide)
}

// begin dispatches jobs until that of subject is among them, and starts it.
func (b *bench) begin(ctx context.Context, s *store.Store, subject string) (record.Job, error) {
	jobs, err := s.JobsOf(ctx, subject)
	if err != nil {
		return record.Job{}, err
	}
	if len(jobs) == 0 {
		return record.Job{}, fmt.Errorf("no job of %s", subject)
	}
	j := jobs[len(jobs)-1]
	for range 1000 {
		if j.State == record.JobDispatched {
			return s.StartJob(ctx, j.ID, j.Seq, lease)
		}
		if j.DueAt.After(b.clock.Now()) {
			break
		}
		if _, err := s.Dispatch(ctx, j.Queue, map[string]int{j.Company: 100}); err != nil {
			return j, err
		}
		if j, err = s.Job(ctx, j.ID); err != nil {
			return j, err
		}
		if j.State == record.JobWaiting {
			time.Sleep(time.Millisecond) // another dispatcher looks at it
		}
	}
	return j, fmt.Errorf("job %s of %s stays %s", j.ID, subject, j.State)
}

// decide is the rules with a letter that is always the same.
func (b *bench) decide(e ats.Event, k record.Known) (record.Ruling, error) {
	plan := sending.Decide(b.rules, sending.NewCalendar(b.rules, time.UTC), sending.Facts{
		Event: e, Previous: k.Previous, PreviousAt: k.PreviousAt, Now: b.clock.Now(),
		Volume: sending.Volume{LastHour: k.LastHour, LastDay: k.LastDay, BusiestDay: k.BusiestDay}, Suppressed: k.Suppressed, Written: k.Written,
	})
	r := record.Ruling{Action: string(plan.Action), Code: plan.Code, Stale: plan.Stale, Cancel: plan.Cancel, Due: plan.Due, StopAll: plan.Code == sending.CodeBrakeVolume}
	for _, c := range plan.Checks {
		r.Checks = append(r.Checks, record.Check{Code: c.Code, OK: c.OK, Detail: c.Detail})
	}
	if plan.Action == sending.None {
		return r, nil
	}
	m := b.message(e.Candidate.Email, e.Candidate.Name)
	r.Mail = &m
	r.Links = []record.Link{
		{Token: "relay-" + m.SendID, Kind: record.RelayLink, Expires: b.clock.Now().Add(consent.RelayLinkLife), Locale: "ja"},
		{Token: "stop-" + m.SendID, Kind: record.StopLink, Expires: b.clock.Now().Add(365 * 24 * time.Hour), Locale: "ja"},
	}
	return r, nil
}

func (b *bench) message(to ats.Email, name string) mail.Message {
	return mail.Message{
		SendID: b.id("send"), Company: "acme", To: mail.Address{Address: to, Name: name}, Subject: "選考結果のご連絡", Text: name + "様", HTML: "<p>" + name + "様</p>",
		Template: "thanks", Version: "1", Locale: "ja",
	}
}

// rejection returns the rejection of an application of its own person.
func (b *bench) rejection(application string, changes ...func(*ats.Event)) ats.Event {
	e := atstest.Rejection()
	e.Application = application
	e.Candidate.ID = "candidate of " + application
	e.Candidate.Email = ats.Email(application + "@example.jp")
	e.At = b.clock.Now().Add(-time.Hour)
	for _, change := range changes {
		change(&e)
	}
	return e
}

// then returns another event of the same application, one minute later.
func then(e ats.Event, state ats.State) ats.Event {
	e.State, e.At = state, e.At.Add(time.Minute)
	return e
}

// application returns the application that a vendor's id names.
func (b *bench) application(tb testing.TB, id string) record.Application {
	tb.Helper()
	a, err := b.Application(tb.Context(), id, false)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// mailOf returns the thank-you mail of the application that a vendor's id names.
func (b *bench) mailOf(tb testing.TB, application string) record.Mail {
	tb.Helper()
	mails, err := b.Mails(tb.Context(), record.Filter{Application: application, Purpose: string(mail.ThankYou)})
	if err != nil {
		tb.Fatal(err)
	}
	if len(mails) != 1 {
		tb.Fatalf("mails of %s: got %d, want 1", application, len(mails))
	}
	return mails[0]
}

// plan lets a rejection arrive, waits for its mail to be due and starts its job.
func (b *bench) plan(tb testing.TB, application string) (record.Mail, record.Job) {
	tb.Helper()
	b.hear(tb, "acme", b.rejection(application))
	b.clock.Pass(25 * time.Hour)
	m := b.mailOf(tb, application)
	j, err := b.begin(tb.Context(), b.Store, m.ID)
	if err != nil {
		tb.Fatal(err)
	}
	return m, j
}

// claim claims a mail whose job runs.
func (b *bench) claim(tb testing.TB, j record.Job) int {
	tb.Helper()
	n, err := b.ClaimMail(tb.Context(), j, j.Subject, "mailbox")
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func (b *bench) settle(tb testing.TB, j record.Job, s record.Settlement) {
	tb.Helper()
	if err := b.SettleMail(tb.Context(), j, j.Subject, s); err != nil {
		tb.Fatal(err)
	}
}

func sent(attempt int) record.Settlement {
	return record.Settlement{State: record.MailSent, Attempt: attempt, ProviderID: "provider", Job: record.Outcome{State: record.JobDone}}
}

func unclear(attempt int) record.Settlement {
	return record.Settlement{State: record.MailUnclear, Reason: "timeout", Attempt: attempt, Job: record.Outcome{State: record.JobUnclear, Fault: ats.Unclear}}
}

func (b *bench) busy(attempt int) record.Settlement {
	due := b.clock.Now().Add(time.Minute)
	return record.Settlement{State: record.MailHeld, Reason: "busy", Attempt: attempt, DueAt: due, Job: record.Outcome{State: record.JobWaiting, DueAt: due, Consumed: true}}
}

// wantMail fails unless a mail is in a state.
func (b *bench) wantMail(tb testing.TB, id string, want record.MailState) record.Mail {
	tb.Helper()
	m, err := b.Mail(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	if m.State != want {
		tb.Fatalf("mail: got %s (%s), want %s", m.State, m.Reason, want)
	}
	return m
}

// wantJob fails unless a job is in a state.
func (b *bench) wantJob(tb testing.TB, id string, want record.JobState) record.Job {
	tb.Helper()
	j, err := b.Job(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	if j.State != want {
		tb.Fatalf("job: got %s (%s), want %s", j.State, j.Error, want)
	}
	return j
}

// wantFault fails unless err has a fault.
func wantFault(tb testing.TB, err error, want ats.Fault) {
	tb.Helper()
	if got := ats.FaultOf(err); err == nil || got != want {
		tb.Fatalf("got fault %q (%v), want %q", got, err, want)
	}
}

// liveJobs counts the jobs of a subject that are not over.
func (b *bench) liveJobs(tb testing.TB, subject string) int {
	tb.Helper()
	jobs, err := b.JobsOf(tb.Context(), subject)
	if err != nil {
		tb.Fatal(err)
	}
	return len(slices.DeleteFunc(jobs, func(j record.Job) bool {
		return j.State != record.JobWaiting && j.State != record.JobDispatched && j.State != record.JobRunning
	}))
}

// together runs fn n times at once and returns the errors.
func together(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	begin := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-begin
			errs[i] = fn(i)
		})
	}
	close(begin)
	group.Wait()
	return errs
}

// faults counts errors by fault; "" counts successes.
func faults(tb testing.TB, errs []error) map[ats.Fault]int {
	tb.Helper()
	out := map[ats.Fault]int{}
	for _, err := range errs {
		f := ats.FaultOf(err)
		if err != nil && f == "" {
			tb.Errorf("an error without a fault: %v", err)
		}
		out[f]++
	}
	return out
}

// operator carries out orders in tests.
var operator = record.Actor{Name: "user:hana", Role: record.Operator}

func order(f record.Filter) record.Order {
	return record.Order{Actor: operator, Filter: f, Reason: "asked for"}
}
