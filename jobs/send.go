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

// sendTimeout bounds one hand-over to a transport; shorter than the handler's.
const sendTimeout = 30 * time.Second

// mail sends a mail at most once: everything is asked again, it is claimed
// before and settled after.
func (w *Worker) mail(ctx context.Context, j record.Job) error {
	p, err := w.Store.Posting(ctx, j.Subject)
	if err != nil {
		return err
	}
	if p.Mail.State != record.MailHeld || p.Mail.Stopped {
		return w.Store.FinishJob(ctx, j, record.Outcome{State: record.JobCancelled, Error: "the mail does not wait to be sent"})
	}
	company, err := w.Tenants.Company(j.Company)
	if err != nil {
		return ats.BusyFor(configWait, "company %s is not configured", j.Company)
	}
	done, err := w.recheck(ctx, j, p, company)
	if done || err != nil {
		return err
	}
	transport, err := w.Transport(company)
	if err != nil {
		return ats.BusyFor(configWait, "transport of %s: %w", company.ID, err)
	}
	if err := mail.Check(p.Message); err != nil {
		return w.settle(ctx, j, p, record.Settlement{State: record.MailHeld, Stopped: true, Reason: "preflight: " + clip(err.Error()), Job: dead(err)})
	}
	attempt, err := w.Store.ClaimMail(ctx, j, p.Mail.ID, transport.Name)
	if ats.FaultOf(err) == ats.Duplicate {
		return w.Store.FinishJob(ctx, j, record.Outcome{State: record.JobCancelled, Error: "the mail does not wait to be sent"})
	}
	if err != nil {
		return err
	}
	// From here on the mail may leave: a shutdown must not cut the rest off.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	receipt, sent := transport.Send(sending, p.Message)
	return w.settle(context.WithoutCancel(ctx), j, p, w.settlement(j, p, attempt, receipt, sent))
}

// recheck asks, at the second of sending, whether the mail may still go. When
// it may not, recheck settles it and reports true.
func (w *Worker) recheck(ctx context.Context, j record.Job, p record.Posting, company *configs.Company) (done bool, err error) {
	brake, err := w.braked(ctx, p.Brake)
	if err != nil {
		return false, err
	}
	if p.Mail.Purpose != string(mail.ThankYou) {
		return w.recheckReply(ctx, j, p, brake)
	}
	m := sending.Moment{
		State: p.State, Suppressed: p.Suppressed, Brake: brake, Stopped: p.Mail.Stopped, Released: p.Mail.Released,
		DecidedAt: p.Mail.DecidedAt, Due: p.Mail.DueAt, Now: w.Now(),
	}
	if p.State == ats.Rejected && !m.Suppressed && brake == "" && !m.Due.After(m.Now) {
		if m.State, m.Fresh, err = w.freshState(ctx, p, company); err != nil {
			return false, err
		}
	}
	verdict, until, code := sending.Recheck(company.Sending, company.Calendar(), m)
	if verdict == sending.Go {
		return false, nil
	}
	return true, w.settle(ctx, j, p, w.refusal(verdict, until, code, p))
}

// refusal translates a verdict other than "go".
func (w *Worker) refusal(verdict sending.Verdict, until time.Time, code string, p record.Posting) record.Settlement {
	s := record.Settlement{State: record.MailCancelled, Reason: code, Job: record.Outcome{State: record.JobDone}}
	switch verdict {
	case sending.Wait:
		if code == sending.CodeBrake {
			until = p.Brake.ProbeAt
		}
		s.State, s.DueAt = record.MailHeld, until
		s.Job = record.Outcome{State: record.JobWaiting, DueAt: until}
	case sending.HoldBack:
		s.State, s.Stopped = record.MailHeld, true
	case sending.Suppress:
		s.State = record.MailSuppressed
	}
	return s
}

// recheckReply is for mails that answer a person's own deed: no window, no
// state, but a dead mailbox and a brake count.
func (w *Worker) recheckReply(ctx context.Context, j record.Job, p record.Posting, brake string) (bool, error) {
	switch {
	case brake != "":
		return true, w.settle(ctx, j, p, w.refusal(sending.Wait, p.Brake.ProbeAt, sending.CodeBrake, p))
	case p.Suppressed:
		return true, w.settle(ctx, j, p, w.refusal(sending.Suppress, time.Time{}, sending.CodeSuppressed, p))
	}
	return false, nil
}

// braked returns the kind of an open brake, unless this mail is the one that
// may try whether the cause is gone.
func (w *Worker) braked(ctx context.Context, b record.Brake) (string, error) {
	if b.ID == "" {
		return "", nil
	}
	if probe, err := w.Store.ProbeBrake(ctx, b.ID); probe || err != nil {
		return "", err
	}
	return b.Kind, nil
}

// freshState reads the application's state from the vendor, where that can be
// asked; otherwise the stored one counts.
func (w *Worker) freshState(ctx context.Context, p record.Posting, company *configs.Company) (ats.State, bool, error) {
	conn, err := w.Open(company.ID, p.Connection)
	if err != nil {
		return "", false, ats.BusyFor(configWait, "connection %s/%s: %w", company.ID, p.Connection, err)
	}
	c, ok := conn.(connectors.Checker)
	if !ok {
		return p.State, false, nil
	}
	state, err := c.State(ctx, p.Event)
	if ats.FaultOf(err) == ats.NotFound {
		return ats.Erased, true, nil // gone in the vendor's system: nobody to write to
	}
	return state, err == nil, err
}

// settlement translates how a transport answered.
func (w *Worker) settlement(j record.Job, p record.Posting, attempt int, receipt mail.Receipt, err error) record.Settlement {
	s := record.Settlement{Attempt: attempt, ProviderID: receipt.ProviderID}
	if err == nil {
		s.State, s.Release, s.Job = record.MailSent, p.Brake.ID != "", record.Outcome{State: record.JobDone}
		return s
	}
	s.Detail = clip(err.Error())
	switch ats.FaultOf(err) {
	case ats.Invalid, ats.TooLarge:
		s.State, s.Reason, s.Job = record.MailFailed, s.Detail, dead(err)
	case ats.Denied:
		until := w.Now().Add(brakeWait)
		s.State, s.Reason, s.Brake, s.DueAt = record.MailHeld, "the transport refuses our credentials or sender", s.Detail, until
		s.Job = record.Outcome{State: record.JobWaiting, DueAt: until, Error: s.Detail, Fault: ats.Denied}
	case ats.Busy:
		s.State, s.Reason = record.MailHeld, "the transport did not take it"
		s.Job = w.outcome(context.Background(), j, err)
	default:
		s.State, s.Reason = record.MailUnclear, s.Detail
		s.Job = record.Outcome{State: record.JobUnclear, Error: s.Detail, Fault: ats.Unclear, Consumed: true}
	}
	return s
}

// brakeWait is how long the mails of a company wait when its credentials were
// refused; one of them then tries again.
const brakeWait = 5 * time.Minute

func dead(err error) record.Outcome {
	return record.Outcome{State: record.JobDead, Error: clip(err.Error()), Fault: ats.FaultOf(err), Consumed: true}
}

// settle records what became of a mail and writes its one line.
func (w *Worker) settle(ctx context.Context, j record.Job, p record.Posting, s record.Settlement) error {
	err := w.Store.SettleMail(ctx, j, p.Mail.ID, s)
	if err != nil {
		return err
	}
	w.Meter.Mail(j.Company, string(s.State))
	w.Log.InfoContext(ctx, "mail settled", "mail", p.Mail.ID, "company", j.Company, "purpose", p.Mail.Purpose, "state", string(s.State),
		"stopped", s.Stopped, "attempt", s.Attempt, "reason", s.Reason)
	return nil
}

// feedback keeps the mail provider's events.
func (w *Worker) feedback(ctx context.Context, j record.Job) error {
	row, d, err := w.Store.Delivery(ctx, j.Subject)
	if err != nil {
		return err
	}
	words, err := mail.ParseEvents(d.Payload.Body)
	if err != nil {
		return w.park(ctx, j, row, err)
	}
	done, err := w.Store.Report(ctx, j, row.ID, words)
	if err != nil {
		return err
	}
	w.Log.InfoContext(ctx, "provider reported", "delivery", row.ID, "company", row.Company, "new", done.New, "repeated", done.Repeated, "foreign", done.Foreign)
	return nil
}
