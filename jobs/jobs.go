// Package jobs does the asynchronous work: it dispatches jobs that are due,
// runs them behind a fence and records how they ended.
package jobs

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/alerts"
)

// A Store keeps the jobs and what they work on.
type Store interface {
	Queue
	Outbox
	Referrals
	Cursors
	Subscriptions
	Alarms

	Delivery(ctx context.Context, id string) (record.Delivery, connectors.Delivery, error)
	Accept(ctx context.Context, j record.Job, d record.Delivery, events []ats.Event, lim record.Limits, decide record.Decider) (record.Accepted, error)
	Park(ctx context.Context, j record.Job, delivery string, d record.Disposition, reason string, o record.Outcome) error
	Reinstate(ctx context.Context, d record.Delivery, p connectors.Payload, keep time.Duration) error
	Report(ctx context.Context, j record.Job, delivery string, words []mail.Feedback) (record.Reported, error)
	Purge(ctx context.Context, company string, r record.Retention) (deleted int, more bool, err error)
	Retentions(ctx context.Context) (map[string]record.Retention, error)
}

// A Queue keeps the jobs themselves.
type Queue interface {
	NextDue(ctx context.Context) (time.Time, error)
	Load(ctx context.Context, queue string, limit int) ([]record.Load, error)
	Dispatch(ctx context.Context, queue string, shares map[string]int) ([]record.Ticket, error)
	Nudge() <-chan struct{}
	StartJob(ctx context.Context, id string, seq int64, lease time.Duration) (record.Job, error)
	FinishJob(ctx context.Context, j record.Job, o record.Outcome) error
	Sweep(ctx context.Context, lost time.Duration) (record.Swept, error)
	Adopt(ctx context.Context) (int, error)
	Recall(ctx context.Context) (int, error)
	StepBatch(ctx context.Context, j record.Job, terms record.Terms) (record.JobState, error)
	Lease(ctx context.Context, name string, tick int64, owner string) (bool, error)
	SyncClock(ctx context.Context) error
}

// An Outbox keeps the mails.
type Outbox interface {
	Posting(ctx context.Context, id string) (record.Posting, error)
	ClaimMail(ctx context.Context, j record.Job, id, transport string) (attempt int, err error)
	SettleMail(ctx context.Context, j record.Job, id string, o record.Settlement) error
	ProbeBrake(ctx context.Context, id string) (bool, error)
	PaceMail(ctx context.Context, company string, perMinute int) (time.Time, error)
}

// Referrals keeps the hand-overs.
type Referrals interface {
	Referral(ctx context.Context, id string) (record.Referral, error)
	Membership(ctx context.Context, registration string) (record.Membership, error)
	SettleReferral(ctx context.Context, j record.Job, r record.Referral, h record.Handed) error
	SettleWithdrawal(ctx context.Context, j record.Job, r record.Referral, o record.Outcome) error
}

// Alarms keeps the alerts and what is told about them.
type Alarms interface {
	Vitals(ctx context.Context) (record.Vitals, error)
	Alarm(ctx context.Context, step func(open []alerts.Alert) []alerts.Change, channels func(alerts.Alert) []string) (told []alerts.Change, err error)
	Notice(ctx context.Context, id string) (record.Notice, error)
	PurgeAlerts(ctx context.Context) (deleted int, err error)
}

// Tenants are the configured companies.
type Tenants interface {
	Company(id string) (*configs.Company, error)
	Companies() []*configs.Company
	Shared() *configs.Shared
	Status() []configs.Status
	SharedStatus() configs.Status
}

// A Transport sends the mails of one company.
type Transport struct {
	mail.Transport
	Name string
}

// A Meter counts what happens.
type Meter interface {
	Job(kind, outcome string, took time.Duration)
	Mail(company, class string)
}

// A Worker does everything that is not the answer to a request. Its fields are
// set once, before Run.
type Worker struct {
	Store   Store
	Courier *Courier
	Tenants Tenants
	// Open returns the connector of a connection.
	Open func(company, connection string) (connectors.Connector, error)
	// Transport returns how a company's mails leave.
	Transport func(*configs.Company) (Transport, error)
	// Letters returns a company's letters.
	Letters func(*configs.Company) (*mail.Templates, error)
	// Terms says what a company's configuration allows to be run again.
	Terms record.Terms
	// Post returns how the service's own mails about a company leave, and whom
	// they come from; "" is the service itself.
	Post func(ctx context.Context, company string) (Transport, ats.Email, error)
	// Certificate returns when the certificate of PublicURL ends; nil where none
	// is looked at.
	Certificate func(ctx context.Context) (time.Time, error)
	Relay       *relay.Client
	PublicURL   string
	Name        string // of this process, for leases
	// Now is the clock of the store, which all processes share.
	Now   func() time.Time
	Log   *slog.Logger
	Meter Meter

	certificate certificate
}

// Run works until ctx ends, then waits for what is at work.
func (w *Worker) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	stop, err := w.Courier.serve(w.handle)
	if err != nil {
		return err
	}
	group.Go(func() error { return w.dispatch(ctx) })
	group.Go(func() error { return w.periodic(ctx) })
	group.Go(func() error { return w.poll(ctx) })
	err = group.Wait()
	stop()
	return err
}
