package jobs

import (
	"context"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// mail sends a mail at most once: everything is asked again, it is claimed
// before and settled after.
func (w *Worker) mail(ctx context.Context, j record.Job) (record.JobState, error) {
	p, err := w.Store.Posting(ctx, j.Subject)
	if err != nil {
		return "", err
	}
	if p.Mail.State != record.MailHeld || p.Mail.Stopped {
		return w.finish(ctx, j, record.Outcome{State: record.JobCancelled, Error: "the mail does not wait to be sent"})
	}
	company, err := w.company(j.Company)
	if err != nil {
		return "", err
	}
	transport, err := w.Transport(company)
	if err != nil {
		return "", ats.BusyFor(configWait, "transport of %s: %w", company.ID, err)
	}
	refused, err := w.recheck(ctx, p, company)
	if err != nil {
		return "", err
	}
	if refused != nil {
		return w.settle(ctx, j, p, *refused)
	}
	attempt, err := w.Store.ClaimMail(ctx, j, p.Mail.ID, transport.Name)
	if ats.FaultOf(err) == ats.Duplicate {
		return "", ats.BusyFor(time.Second, "the mail changed while it was looked at")
	}
	if err != nil {
		return "", err
	}
	// From here on the mail may leave: a shutdown must not cut the rest off.
	ctx = context.WithoutCancel(ctx)
	receipt, sent := w.hand(ctx, j, transport, p.Message)
	return w.settleSent(ctx, j, p, w.settlement(j, p, attempt, receipt, sent))
}

// sendTimeout bounds one hand-over to a transport; shorter than the handler's.
const sendTimeout = 30 * time.Second

// hand gives a message to its transport. After a panic nobody knows.
func (w *Worker) hand(ctx context.Context, j record.Job, t Transport, m mail.Message) (receipt mail.Receipt, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = ats.Errorf(ats.Unclear, "%w", w.panicked(ctx, j, r))
		}
	}()
	return t.Send(ctx, m)
}

// recheck asks, at the second of sending, whether the mail may still go. When
// it may not, it returns what becomes of it instead. What costs nothing is
// asked first.
func (w *Worker) recheck(ctx context.Context, p record.Posting, company *configs.Company) (*record.Settlement, error) {
	if s := w.verdict(p, company, p.State); s != nil {
		return s, nil
	}
	if err := mail.Check(p.Message); err != nil {
		return &record.Settlement{State: record.MailHeld, Stopped: true, Reason: "preflight: " + scrub(err), Job: record.Outcome{State: record.JobDone}}, nil
	}
	switch p.Brake.Kind {
	case "":
	case sending.BrakeBounces, sending.BrakeComplaints:
		return w.wait(later(fateWait), sending.CodeBrake), nil
	default:
		// One mail may try whether the cause is gone, the others wait.
		if probe, err := w.Store.ProbeBrake(ctx, p.Brake.ID); !probe || err != nil {
			return w.wait(later(max(p.Brake.ProbeAt.Sub(w.Now()), time.Minute)), sending.CodeBrake), err
		}
	}
	if p.Mail.Purpose != string(mail.ThankYou) {
		return nil, nil
	}
	// What a person released together does not leave all at once. A mail that has
	// its place does not queue up again.
	if n := company.Sending.PerMinute; n > 0 && p.Mail.Released && p.Mail.Reason != sending.CodePaced {
		at, err := w.Store.PaceMail(ctx, company.ID, n)
		if err != nil {
			return nil, err
		}
		if wait := at.Sub(w.Now()); wait > 0 {
			return w.wait(wait, sending.CodePaced), nil
		}
	}
	state, err := w.freshState(ctx, p, company)
	if err != nil {
		return nil, err
	}
	return w.verdict(p, company, state), nil
}

// verdict lets the rules decide on a mail as things stand. A mail that answers a
// person's own deed knows no window and no state, but a dead mailbox counts.
func (w *Worker) verdict(p record.Posting, company *configs.Company, state ats.State) *record.Settlement {
	now := w.Now()
	verdict, until, code := sending.Go, time.Time{}, sending.CodeGo
	switch {
	case p.Mail.Purpose == string(mail.ThankYou):
		verdict, until, code = sending.Recheck(company.Sending, company.Calendar(), sending.Moment{
			State: state, Suppressed: p.Suppressed, Released: p.Mail.Released, Urgent: p.Mail.Urgent, DecidedAt: p.Mail.DecidedAt, Due: p.Mail.DueAt, Now: now,
		})
	case p.Suppressed:
		verdict, code = sending.Suppress, sending.CodeSuppressed
	}
	s := record.Settlement{Reason: code, Job: record.Outcome{State: record.JobDone}}
	switch verdict {
	case sending.Go:
		return nil
	case sending.Wait:
		return w.wait(until.Sub(now), code)
	case sending.HoldBack:
		s.State, s.Stopped = record.MailHeld, true
	case sending.Suppress:
		s.State = record.MailSuppressed
	default:
		s.State = record.MailCancelled
	}
	return &s
}

func (w *Worker) wait(d time.Duration, code string) *record.Settlement {
	until := w.Now().Add(d)
	return &record.Settlement{State: record.MailHeld, Reason: code, DueAt: until, Job: record.Outcome{State: record.JobWaiting, DueAt: until}}
}

// freshState reads the application's state from the vendor, where that can be
// asked; otherwise the stored one counts.
func (w *Worker) freshState(ctx context.Context, p record.Posting, company *configs.Company) (ats.State, error) {
	conn, err := w.Open(company.ID, p.Connection)
	if err != nil {
		return "", ats.BusyFor(configWait, "connection %s/%s: %w", company.ID, p.Connection, err)
	}
	c, ok := conn.(connectors.Checker)
	if !ok && hints(conn) {
		return "", ats.Errorf(ats.Invalid, "the decision is not authenticated, and the vendor cannot be asked")
	}
	if !ok {
		return p.State, nil
	}
	p.Event.Candidate.Email = p.Message.To.Address // some vendors can be asked for nothing else
	state, err := c.State(ctx, p.Event)
	if ats.FaultOf(err) == ats.NotFound {
		return ats.Erased, nil // gone in the vendor's system: nobody to write to
	}
	return state, err
}

// settlement translates how a transport answered.
func (w *Worker) settlement(j record.Job, p record.Posting, attempt int, receipt mail.Receipt, err error) record.Settlement {
	s := record.Settlement{Attempt: attempt, ProviderID: receipt.ProviderID}
	if err == nil {
		s.State, s.Release, s.Job = record.MailSent, p.Brake.ID != "", record.Outcome{State: record.JobDone}
		return s
	}
	s.Detail = scrub(err)
	switch ats.FaultOf(err) {
	case ats.Invalid, ats.TooLarge:
		s.State, s.Reason, s.Job = record.MailFailed, s.Detail, dead(err)
	case ats.Denied:
		until := w.Now().Add(later(brakeWait))
		s.State, s.Reason, s.Brake, s.DueAt = record.MailHeld, "the transport refuses our credentials or sender", s.Detail, until
		s.Job = record.Outcome{State: record.JobWaiting, DueAt: until, Error: s.Detail, Fault: ats.Denied}
	case ats.Busy:
		s.State, s.Reason = record.MailHeld, "the transport did not take it"
		if s.Job = w.outcome(context.Background(), j, err); s.Job.State == record.JobDead {
			s.State, s.Reason = record.MailFailed, s.Detail
		}
	default:
		s.State, s.Reason = record.MailUnclear, s.Detail
		s.Job = record.Outcome{State: record.JobUnclear, Error: s.Detail, Fault: ats.Unclear, Consumed: true}
	}
	return s
}

// brakeWait is how long the mails of a company wait when its credentials were
// refused; one of them then tries again.
const brakeWait = 5 * time.Minute

// fateWait is how long mails wait before they ask again whether a brake is off
// that a person releases; the release makes them due at once.
const fateWait = time.Hour

// settlePauses are the times between tries to record what became of a mail
// that may have left. They end before the lease does.
var settlePauses = []time.Duration{time.Second, 3 * time.Second, 6 * time.Second}

// settleSent settles a mail that may have left. While SQL is away it tries
// again, because otherwise a person must find out what happened.
func (w *Worker) settleSent(ctx context.Context, j record.Job, p record.Posting, s record.Settlement) (record.JobState, error) {
	state, err := w.settle(ctx, j, p, s)
	for _, pause := range settlePauses {
		if err == nil || ats.FaultOf(err) != ats.Busy {
			break
		}
		sleep(ctx, pause)
		state, err = w.settle(ctx, j, p, s)
	}
	return state, err
}

// settle records what became of a mail and writes its one line.
func (w *Worker) settle(ctx context.Context, j record.Job, p record.Posting, s record.Settlement) (record.JobState, error) {
	err := w.Store.SettleMail(ctx, j, p.Mail.ID, s)
	if err != nil {
		return "", err
	}
	w.Meter.Mail(j.Company, string(s.State))
	w.Log.InfoContext(ctx, "mail settled", "mail", p.Mail.ID, "company", j.Company, "purpose", p.Mail.Purpose, "state", string(s.State),
		"stopped", s.Stopped, "attempt", s.Attempt, "reason", s.Reason)
	return s.Job.State, nil
}

// feedback keeps the mail provider's events.
func (w *Worker) feedback(ctx context.Context, j record.Job) (record.JobState, error) {
	row, d, err := w.Store.Delivery(ctx, j.Subject)
	if err != nil {
		return "", err
	}
	words, err := mail.ParseEvents(d.Payload.Body)
	if err != nil {
		return w.park(ctx, j, row, err)
	}
	done, err := w.Store.Report(ctx, j, row.ID, words)
	if err != nil {
		return "", err
	}
	w.Log.InfoContext(ctx, "provider reported", "delivery", row.ID, "company", row.Company, "new", done.New, "repeated", done.Repeated, "foreign", done.Foreign)
	return record.JobDone, nil
}
