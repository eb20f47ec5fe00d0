package web

import (
	"context"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// The details of a row are the row with everything that belongs to its
// history, for its page and for the API. None holds anything personal: that is
// read by reveal.
type (
	deliveryDetail struct {
		record.Delivery
		Events []record.Event `json:"events"`
		Jobs   []record.Job   `json:"jobs"`
		Audit  []record.Audit `json:"audit"`
	}

	applicationDetail struct {
		record.Application
		Events    []record.Event    `json:"events"`
		Mails     []record.Mail     `json:"mails"`     // of the application; a person's others are at the person
		Consents  []record.Consent  `json:"consents"`  // of the person
		Referrals []record.Referral `json:"referrals"` // of the person
		Audit     []record.Audit    `json:"audit"`
	}

	mailDetail struct {
		record.Mail
		Tries []record.Attempt   `json:"tries"`
		Words []record.MailEvent `json:"provider_events"`
		Jobs  []record.Job       `json:"jobs"`
		Audit []record.Audit     `json:"audit"`
	}

	jobDetail struct {
		record.Job
		Others []record.Job   `json:"jobs"` // of the same subject
		Audit  []record.Audit `json:"audit"`
	}

	referralDetail struct {
		record.Referral
		Jobs  []record.Job   `json:"jobs"`
		Audit []record.Audit `json:"audit"`
	}

	batchDetail struct {
		record.Batch
		Progress record.Progress `json:"progress"`
		Jobs     []record.Job    `json:"jobs"` // the newest
	}
)

// history is what was done to a row by people.
func (k *desk) history(ctx context.Context, id string) ([]record.Audit, error) {
	return k.Desk.Audits(ctx, record.Filter{ID: id})
}

func (k *desk) delivery(ctx context.Context, id string) (d deliveryDetail, err error) {
	found, err := k.Desk.Deliveries(ctx, record.Filter{ID: id})
	if err != nil {
		return d, err
	}
	if len(found) == 0 {
		return d, ats.Errorf(ats.NotFound, "no delivery %s: it was never received, or its time to be kept is over", id)
	}
	d.Delivery = found[0]
	if d.Events, err = k.Desk.EventsOf(ctx, id); err != nil {
		return d, err
	}
	if d.Jobs, err = k.Desk.JobsOf(ctx, id); err != nil {
		return d, err
	}
	d.Audit, err = k.history(ctx, id)
	return d, err
}

// application reads an application by our id or by the vendor's.
func (k *desk) application(ctx context.Context, id string) (a applicationDetail, err error) {
	if a.Application, err = k.Desk.Application(ctx, id, false); err != nil {
		return a, err
	}
	if a.Events, err = k.Desk.Events(ctx, a.ID); err != nil {
		return a, err
	}
	of := record.Filter{Person: a.PersonID, Company: a.Company, Limit: record.MaxPage}
	written, err := k.Desk.Mails(ctx, of)
	if err != nil {
		return a, err
	}
	a.Mails = []record.Mail{}
	for _, m := range written {
		if m.Application == a.ID {
			a.Mails = append(a.Mails, m)
		}
	}
	if a.Consents, err = k.Desk.Consents(ctx, of); err != nil {
		return a, err
	}
	if a.Referrals, err = k.Desk.Referrals(ctx, of); err != nil {
		return a, err
	}
	a.Audit, err = k.history(ctx, a.ID)
	return a, err
}

func (k *desk) mail(ctx context.Context, id string) (m mailDetail, err error) {
	if m.Mail, err = k.Desk.Mail(ctx, id); err != nil {
		return m, err
	}
	if m.Tries, m.Words, err = k.Desk.MailHistory(ctx, id); err != nil {
		return m, err
	}
	if m.Jobs, err = k.Desk.JobsOf(ctx, id); err != nil {
		return m, err
	}
	m.Audit, err = k.history(ctx, id)
	return m, err
}

func (k *desk) job(ctx context.Context, id string) (j jobDetail, err error) {
	if j.Job, err = k.Desk.Job(ctx, id); err != nil {
		return j, err
	}
	of, err := k.Desk.JobsOf(ctx, j.Subject)
	if err != nil {
		return j, err
	}
	j.Others = []record.Job{}
	for _, other := range of {
		if other.ID != j.ID {
			j.Others = append(j.Others, other)
		}
	}
	j.Audit, err = k.history(ctx, id)
	return j, err
}

func (k *desk) referral(ctx context.Context, id string) (r referralDetail, err error) {
	if r.Referral, err = k.Desk.Referral(ctx, id); err != nil {
		return r, err
	}
	if r.Jobs, err = k.Desk.JobsOf(ctx, id); err != nil {
		return r, err
	}
	r.Audit, err = k.history(ctx, id)
	return r, err
}

func (k *desk) consent(ctx context.Context, id string) (record.Consent, error) {
	found, err := k.Desk.Consents(ctx, record.Filter{ID: id})
	if err != nil {
		return record.Consent{}, err
	}
	if len(found) == 0 {
		return record.Consent{}, ats.Errorf(ats.NotFound, "no consent %s", id)
	}
	return found[0], nil
}

func (k *desk) batch(ctx context.Context, id string) (b batchDetail, err error) {
	found, err := k.Desk.Batches(ctx, record.Filter{ID: id})
	if err != nil {
		return b, err
	}
	if len(found) == 0 {
		return b, ats.Errorf(ats.NotFound, "no batch %s", id)
	}
	b.Batch = found[0]
	if b.Progress, err = k.Desk.Progress(ctx, id); err != nil {
		return b, err
	}
	b.Jobs, err = k.Desk.Jobs(ctx, record.Filter{Batch: id})
	return b, err
}

// account sums up a company's ledger under the policy in force.
func (k *desk) account(ctx context.Context, company string) (record.Account, error) {
	c, err := k.Tenants(ctx).Company(company)
	if err != nil {
		return record.Account{}, err
	}
	return k.Desk.Account(ctx, company, c.Relay.Policy)
}

// accounts sums up every ledger, without the entries.
func (k *desk) accounts(ctx context.Context) ([]record.Account, error) {
	all := []record.Account{}
	for _, c := range k.Tenants(ctx).Companies() {
		a, err := k.Desk.Account(ctx, c.ID, c.Relay.Policy)
		if err != nil {
			return nil, err
		}
		a.Entries = []record.Credit{}
		all = append(all, a)
	}
	return all, nil
}

// withdraw takes a consent back in the name of who asked for it.
func (k *desk) withdraw(ctx context.Context, who record.Actor, id, reason string) (record.Done, error) {
	return k.one("withdraw", id, reason, func(reason string) error { return k.Desk.Withdraw(ctx, who, id, reason) })
}

// erase destroys everything personal about a person.
func (k *desk) erase(ctx context.Context, who record.Actor, id, reason string) (record.Done, error) {
	return k.one("erase", id, reason, func(reason string) error { return k.Desk.ErasePerson(ctx, who, id, reason) })
}

// one does a verb to one thing, for a reason.
func (k *desk) one(verb, id, reason string, do func(reason string) error) (record.Done, error) {
	done := record.Done{Verb: verb}
	reason, err := record.NeedReason(reason)
	if err != nil {
		return done, err
	}
	if err := do(reason); err != nil {
		return done, err
	}
	k.pulse.forget()
	done.Matched, done.Changed, done.IDs = 1, 1, []string{id}
	return done, nil
}
