package jobs

import (
	"context"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
)

// refer hands a consenting person's profile to one recipient. The consent is
// read again at this second: without it nothing leaves.
func (w *Worker) refer(ctx context.Context, j record.Job) (record.JobState, error) {
	r, err := w.Store.Referral(ctx, j.Subject)
	if err != nil {
		return "", err
	}
	if r.State != record.ReferralWaiting && r.State != record.ReferralFailed {
		return w.finish(ctx, j, record.Outcome{State: record.JobCancelled, Error: "the referral does not wait"})
	}
	company, err := w.company(r.Company)
	if err != nil {
		return "", err
	}
	recipient, ok := w.Tenants.Shared().Recipients[r.Recipient]
	if !ok {
		return "", ats.BusyFor(configWait, "recipient %s is not configured", r.Recipient)
	}
	if !recipient.Licensed(w.Now()) {
		return "", ats.BusyFor(configWait, "the licence of %s ended on %s", r.Recipient, recipient.LicenceUntil)
	}
	m, err := w.Store.Membership(ctx, r.Registration)
	if ats.FaultOf(err) == ats.NotFound {
		return w.handed(ctx, j, r, record.Handed{State: record.ReferralCancelled, Reason: "the registration was erased", Job: record.Outcome{State: record.JobCancelled}})
	}
	if err != nil {
		return "", err
	}
	given, ok := consent.May(record.Rules(m.Consents), consent.RelayHandover, w.Now())
	if !ok {
		return w.handed(ctx, j, r, record.Handed{State: record.ReferralCancelled, Reason: "no consent", Job: record.Outcome{State: record.JobCancelled}})
	}
	settle := func(receipt relay.Receipt, err error) (record.JobState, error) {
		h := w.handOver(ctx, j, m, company, receipt, err)
		h.Consent, h.Provider, h.Receiver = given.ID, company.Provider(), recipient.Party()
		return w.handed(ctx, j, r, h)
	}
	if id, connection, ok := recipient.ATS(); ok {
		// Nothing else has a place in every ATS, so nothing else is provided.
		m.Profile = relay.Profile{Name: m.Profile.Name, Kana: m.Profile.Kana, Email: m.Profile.Email, Locale: m.Profile.Locale}
		receipt, err := w.push(ctx, j, r, m.Profile, id, connection, recipient.Job)
		state, lost := settle(receipt, err)
		if done := err == nil || ats.FaultOf(err) == ats.Unclear; done && lost != nil && ats.FaultOf(lost) != ats.Duplicate {
			lost = ats.Errorf(ats.Unclear, "%w", lost) // the next run must know that this one called the vendor
		}
		return state, lost
	}
	return settle(w.Relay.Hand(ctx, recipient, profile(r, m, company, given)))
}

// handOver translates how a recipient answered.
func (w *Worker) handOver(ctx context.Context, j record.Job, m record.Membership, company *configs.Company, receipt relay.Receipt, err error) record.Handed {
	if err == nil {
		return record.Handed{
			State: record.ReferralHandedOver, Reference: receipt.Reference, Fields: m.Profile.Fields(),
			Policy: company.Relay.Policy, Job: record.Outcome{State: record.JobDone},
		}
	}
	h := record.Handed{State: record.ReferralWaiting, Reason: scrub(err), Job: w.outcome(ctx, j, err)}
	if ats.FaultOf(err) == ats.Unclear { // only a person can see whether it was done
		h.Job = record.Outcome{State: record.JobDead, Error: h.Reason, Fault: ats.Unclear, Consumed: true}
	}
	if h.Job.State == record.JobDead {
		h.State = record.ReferralFailed
	}
	return h
}

func (w *Worker) handed(ctx context.Context, j record.Job, r record.Referral, h record.Handed) (record.JobState, error) {
	err := w.Store.SettleReferral(context.WithoutCancel(ctx), j, r, h)
	if err != nil {
		return "", err
	}
	w.Log.InfoContext(ctx, "referral settled", "referral", r.ID, "company", r.Company, "recipient", r.Recipient, "state", string(h.State), "reason", h.Reason)
	return h.Job.State, nil
}

// profile makes what the recipient gets: the fields that the person filled in
// and the proof of each consent.
func profile(r record.Referral, m record.Membership, company *configs.Company, given consent.Record) relay.Referral {
	out := relay.Referral{
		ID: r.ID, Recipient: r.Recipient, CreatedAt: r.CreatedAt, Candidate: m.Profile,
		Provenance: relay.Provenance{
			Company: company.ID, CompanyName: company.Name.In(m.Profile.Locale), Provider: company.Provider(),
			How:          "The person registered by an own decision on a page that the company's mail linked to, and confirmed the address.",
			RegisteredAt: given.GivenAt, ConfirmedAt: given.ConfirmedAt,
		},
	}
	for _, c := range m.Consents {
		if !c.ConfirmedAt.IsZero() && c.WithdrawnAt.IsZero() {
			out.Consents = append(out.Consents, relay.Consent{ID: c.ID, Purpose: c.Purpose, Text: c.TextVersion, Locale: c.Locale, GivenAt: c.GivenAt})
		}
	}
	return out
}

// tellWithdrawal tells a recipient that a person took the consent back after the
// hand-over. The company's file is not needed for that, and neither is anything
// about the person.
func (w *Worker) tellWithdrawal(ctx context.Context, j record.Job) (record.JobState, error) {
	r, err := w.Store.Referral(ctx, j.Subject)
	if err != nil {
		return "", err
	}
	if r.State != record.ReferralWithdrawn || !r.ToldAt.IsZero() {
		return w.finish(ctx, j, record.Outcome{State: record.JobCancelled, Error: "there is nothing to tell"})
	}
	recipient, ok := w.Tenants.Shared().Recipients[r.Recipient]
	if !ok {
		return "", ats.BusyFor(configWait, "recipient %s is not configured", r.Recipient)
	}
	if company, connection, ok := recipient.ATS(); ok {
		return "", ats.Errorf(ats.Invalid, "%s/%s is an ATS and takes no such message: ask the company to take candidate %s out", company, connection, r.Reference)
	}
	err = w.Relay.Withdraw(ctx, recipient, relay.Withdrawal{ID: r.ID, Reference: r.Reference, Recipient: r.Recipient, Reason: r.Reason, At: r.UpdatedAt})
	if err != nil {
		return "", err
	}
	if err := w.Store.SettleWithdrawal(context.WithoutCancel(ctx), j, r, record.Outcome{State: record.JobDone}); err != nil {
		return "", err
	}
	w.Log.InfoContext(ctx, "withdrawal told", "referral", r.ID, "company", r.Company, "recipient", r.Recipient)
	return record.JobDone, nil
}
