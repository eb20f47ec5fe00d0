package web

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
)

// Everything that pages and API read or do goes through the fence, which lets
// whoever belongs to one company see that company and nothing else. Who asks
// travels in the context of the request. Every method of Desk is written out,
// so that a new one does not compile until somebody has thought of it here, and
// where nobody asks there is nothing to see.

type actorKey struct{}

// as returns a context in which who asks.
func as(ctx context.Context, who record.Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

// within returns who asks and the company that they are limited to; "" for
// none.
func within(ctx context.Context) (record.Actor, string, error) {
	who, ok := ctx.Value(actorKey{}).(record.Actor)
	if !ok || who.Role == record.Recruiter && who.Company == "" {
		return who, "", ats.Errorf(ats.Denied, "nobody is signed in")
	}
	return who, who.Company, nil
}

// Tenants are the companies that whoever asks may see.
func (k *desk) Tenants(ctx context.Context) Tenants {
	_, company, err := within(ctx)
	return fencedTenants{Tenants: k.Deps.Tenants, only: company, none: err != nil}
}

type fencedTenants struct {
	Tenants
	only string
	none bool
}

func (t fencedTenants) sees(company string) bool {
	return !t.none && (t.only == "" || t.only == company)
}

// Company returns a company that may be seen; any other does not exist.
func (t fencedTenants) Company(id string) (*configs.Company, error) {
	if !t.sees(id) {
		return nil, ats.Errorf(ats.NotFound, "no company %s", id)
	}
	return t.Tenants.Company(id)
}

// Companies lists the companies that may be seen.
func (t fencedTenants) Companies() []*configs.Company {
	return slices.DeleteFunc(slices.Clone(t.Tenants.Companies()), func(c *configs.Company) bool { return !t.sees(c.ID) })
}

// Status lists the files of the companies that may be seen.
func (t fencedTenants) Status() []configs.Status {
	return slices.DeleteFunc(slices.Clone(t.Tenants.Status()), func(s configs.Status) bool { return !t.sees(s.Company) })
}

// A fence is a Desk for whoever asks.
type fence struct{ desk Desk }

var _ Desk = fence{}

// listed reads the rows that f finds within the fence.
func listed[T any](ctx context.Context, f record.Filter, read func(context.Context, record.Filter) ([]T, error)) ([]T, error) {
	_, company, err := within(ctx)
	if err != nil {
		return nil, err
	}
	if company != "" {
		if f.Company != "" && f.Company != company {
			return []T{}, nil
		}
		f.Company = company
	}
	return read(ctx, f)
}

// letters are the mails that a recruiter knows of: the company's own. Those
// about a person's registration are the person's.
const letters = string(mail.ThankYou)

// mailsOf is the filter for the mails that whoever asks may know of; false when
// it finds none.
func mailsOf(ctx context.Context, f record.Filter) (record.Filter, bool) {
	who, _, err := within(ctx)
	if err != nil || who.Role != record.Recruiter {
		return f, true
	}
	if f.Purpose == "" {
		f.Purpose = letters
	}
	return f, f.Purpose == letters
}

// same lets a row of a company pass; that of another does not exist.
func same(ctx context.Context, noun, id, company string) error {
	_, only, err := within(ctx)
	if err != nil {
		return err
	}
	if only != "" && only != company {
		return ats.Errorf(ats.NotFound, "no %s %s", noun, id)
	}
	return nil
}

func (f fence) Pulse(ctx context.Context, since time.Time) (record.Pulse, error) {
	_, company, err := within(ctx)
	if err != nil {
		return record.Pulse{}, err
	}
	p, err := f.desk.Pulse(ctx, since)
	return pulseOf(p, company), err
}

// pulseOf is the part of a pulse that is one company's; all of it when company
// is empty.
func pulseOf(p record.Pulse, company string) record.Pulse {
	if company == "" {
		return p
	}
	other := func(id string) bool { return id != company }
	open, received := maps.Clone(p.Open), maps.Clone(p.Received)
	maps.DeleteFunc(open, func(id string, _ record.Counts) bool { return other(id) })
	maps.DeleteFunc(received, func(id string, _ map[string]int) bool { return other(id) })
	return record.Pulse{Open: open, Received: received, Backlog: map[string]record.Backlog{}}
}

func (f fence) Brakes(ctx context.Context, company string, all bool) ([]record.Brake, error) {
	brakes, err := listed(ctx, record.Filter{Company: company}, func(ctx context.Context, one record.Filter) ([]record.Brake, error) {
		return f.desk.Brakes(ctx, one.Company, all)
	})
	return brakes, err
}

// ReleaseBrake implements Desk.
func (f fence) ReleaseBrake(ctx context.Context, actor record.Actor, company, kind, reason string) error {
	if err := same(ctx, "company", company, company); err != nil {
		return err
	}
	return f.desk.ReleaseBrake(ctx, actor, company, kind, reason)
}

// machinery are the alerts that tell a recruiter nothing.
var machinery = []alerts.Kind{alerts.JobsDead, alerts.Parked, alerts.PollSilence}

// toldTo are the alerts that whoever asks may know of.
func toldTo(who record.Actor, all []alerts.Alert) []alerts.Alert {
	if who.Company == "" {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(a alerts.Alert) bool {
		return a.Company != who.Company || who.Role == record.Recruiter && slices.Contains(machinery, a.Kind)
	})
}

// Alerts implements Desk.
func (f fence) Alerts(ctx context.Context, q record.Filter) ([]alerts.Alert, error) {
	found, err := listed(ctx, q, f.desk.Alerts)
	who, _, _ := within(ctx)
	return toldTo(who, found), err
}

// MuteAlert implements Desk.
func (f fence) MuteAlert(ctx context.Context, actor record.Actor, id string, until time.Time, reason string) error {
	found, err := f.Alerts(ctx, record.Filter{ID: id, Limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return ats.Errorf(ats.NotFound, "no alert %s", id)
	}
	return f.desk.MuteAlert(ctx, actor, id, until, reason)
}

// Polls implements Desk.
func (f fence) Polls(ctx context.Context, company string) ([]record.Poll, error) {
	return listed(ctx, record.Filter{Company: company}, func(ctx context.Context, one record.Filter) ([]record.Poll, error) {
		return f.desk.Polls(ctx, one.Company)
	})
}

func (f fence) Deliveries(ctx context.Context, q record.Filter) ([]record.Delivery, error) {
	return listed(ctx, q, f.desk.Deliveries)
}

func (f fence) Delivery(ctx context.Context, id string) (record.Delivery, connectors.Delivery, error) {
	d, raw, err := f.desk.Delivery(ctx, id)
	if err == nil {
		err = same(ctx, "delivery", id, d.Company)
	}
	if err != nil {
		return record.Delivery{}, connectors.Delivery{}, err
	}
	return d, raw, nil
}

func (f fence) Applications(ctx context.Context, q record.Filter) ([]record.Application, error) {
	return listed(ctx, q, f.desk.Applications)
}

// Application finds by the vendor's id too, which may be another company's
// first.
func (f fence) Application(ctx context.Context, id string, reveal bool) (record.Application, error) {
	_, company, err := within(ctx)
	if err != nil {
		return record.Application{}, err
	}
	if company == "" {
		return f.desk.Application(ctx, id, reveal)
	}
	for _, q := range []record.Filter{{ID: id, Limit: 1}, {Application: id, Limit: 1}} {
		found, err := f.Applications(ctx, q)
		if err != nil {
			return record.Application{}, err
		}
		if len(found) > 0 {
			return f.desk.Application(ctx, found[0].ID, reveal)
		}
	}
	return record.Application{}, ats.Errorf(ats.NotFound, "no application %s", id)
}

func (f fence) Events(ctx context.Context, application string) ([]record.Event, error) {
	if _, err := f.Application(ctx, application, false); err != nil {
		return nil, err
	}
	return f.desk.Events(ctx, application)
}

func (f fence) EventsOf(ctx context.Context, delivery string) ([]record.Event, error) {
	found, err := f.Deliveries(ctx, record.Filter{ID: delivery, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ats.Errorf(ats.NotFound, "no delivery %s", delivery)
	}
	return f.desk.EventsOf(ctx, delivery)
}

func (f fence) Mails(ctx context.Context, q record.Filter) ([]record.Mail, error) {
	q, any := mailsOf(ctx, q)
	if !any {
		return []record.Mail{}, nil
	}
	return listed(ctx, q, f.desk.Mails)
}

func (f fence) Mail(ctx context.Context, id string) (record.Mail, error) {
	m, err := f.desk.Mail(ctx, id)
	if err == nil {
		err = mine(ctx, m)
	}
	if err != nil {
		return record.Mail{}, err
	}
	return m, nil
}

// mine lets a mail pass that whoever asks may know of.
func mine(ctx context.Context, m record.Mail) error {
	if err := same(ctx, "mail", m.ID, m.Company); err != nil {
		return err
	}
	if _, known := mailsOf(ctx, record.Filter{Purpose: m.Purpose}); !known {
		return ats.Errorf(ats.NotFound, "no mail %s", m.ID)
	}
	return nil
}

func (f fence) MailHistory(ctx context.Context, id string) ([]record.Attempt, []record.MailEvent, error) {
	if _, err := f.Mail(ctx, id); err != nil {
		return nil, nil, err
	}
	return f.desk.MailHistory(ctx, id)
}

func (f fence) Letter(ctx context.Context, id string) (record.Mail, mail.Message, error) {
	m, letter, err := f.desk.Letter(ctx, id)
	if err == nil {
		err = mine(ctx, m)
	}
	if err != nil {
		return record.Mail{}, mail.Message{}, err
	}
	return m, letter, nil
}

// Jobs are machinery, which recruiters are not shown.
func (f fence) Jobs(ctx context.Context, q record.Filter) ([]record.Job, error) {
	if who, _, err := within(ctx); err == nil && who.Role == record.Recruiter {
		return []record.Job{}, nil
	}
	return listed(ctx, q, f.desk.Jobs)
}

func (f fence) Job(ctx context.Context, id string) (record.Job, error) {
	j, err := f.desk.Job(ctx, id)
	if err == nil {
		err = same(ctx, "job", id, j.Company)
	}
	if err != nil {
		return record.Job{}, err
	}
	return j, nil
}

func (f fence) JobsOf(ctx context.Context, subject string) ([]record.Job, error) {
	who, company, err := within(ctx)
	if err != nil || who.Role == record.Recruiter {
		return []record.Job{}, err
	}
	jobs, err := f.desk.JobsOf(ctx, subject)
	return slices.DeleteFunc(jobs, func(j record.Job) bool { return company != "" && j.Company != company }), err
}

func (f fence) Batches(ctx context.Context, q record.Filter) ([]record.Batch, error) {
	return listed(ctx, q, f.desk.Batches)
}

// Consents shows a recruiter only that somebody agreed to let the company know.
func (f fence) Consents(ctx context.Context, q record.Filter) ([]record.Consent, error) {
	who, _, err := within(ctx)
	if err != nil {
		return nil, err
	}
	if who.Role != record.Recruiter {
		return listed(ctx, q, f.desk.Consents)
	}
	if q.Purpose != "" && q.Purpose != string(consent.TellCompany) {
		return []record.Consent{}, nil
	}
	q.Purpose = string(consent.TellCompany)
	told, err := listed(ctx, q, f.desk.Consents)
	return slices.DeleteFunc(told, func(c record.Consent) bool { return c.ConfirmedAt.IsZero() || !c.WithdrawnAt.IsZero() }), err
}

// Referrals are no recruiter's business: where somebody goes next is theirs.
func (f fence) Referrals(ctx context.Context, q record.Filter) ([]record.Referral, error) {
	if who, _, err := within(ctx); err == nil && who.Role == record.Recruiter {
		return []record.Referral{}, nil
	}
	return listed(ctx, q, f.desk.Referrals)
}

func (f fence) Referral(ctx context.Context, id string) (record.Referral, error) {
	r, err := f.desk.Referral(ctx, id)
	if err == nil {
		err = same(ctx, "referral", id, r.Company)
	}
	if who, _, _ := within(ctx); err == nil && who.Role == record.Recruiter {
		err = ats.Errorf(ats.NotFound, "no referral %s", id)
	}
	if err != nil {
		return record.Referral{}, err
	}
	return r, nil
}

func (f fence) Account(ctx context.Context, company string, p credit.Policy) (record.Account, error) {
	if err := same(ctx, "company", company, company); err != nil {
		return record.Account{}, err
	}
	return f.desk.Account(ctx, company, p)
}

func (f fence) Audits(ctx context.Context, q record.Filter) ([]record.Audit, error) {
	return listed(ctx, q, f.desk.Audits)
}

func (f fence) WalkAudit(ctx context.Context, q record.Filter, each func(record.Audit) error) error {
	_, err := listed(ctx, q, func(ctx context.Context, q record.Filter) ([]struct{}, error) {
		return nil, f.desk.WalkAudit(ctx, q, each)
	})
	return err
}

func (f fence) VerifyAudit(ctx context.Context) (int, error) {
	if err := same(ctx, "audit log", "", ""); err != nil {
		return 0, err
	}
	return f.desk.VerifyAudit(ctx)
}

func (f fence) AuditAnchor(ctx context.Context) (string, error) {
	if err := same(ctx, "audit log", "", ""); err != nil {
		return "", err
	}
	return f.desk.AuditAnchor(ctx)
}

func (f fence) CheckAnchor(ctx context.Context, anchor string) error {
	if err := same(ctx, "audit log", "", ""); err != nil {
		return err
	}
	return f.desk.CheckAnchor(ctx, anchor)
}

func (f fence) Audit(ctx context.Context, actor record.Actor, a record.Audit) error {
	if err := same(ctx, a.Noun, a.Subject, a.Company); err != nil {
		return err
	}
	return f.desk.Audit(ctx, actor, a)
}

// ordered gives an order to the rows within the fence.
func ordered(ctx context.Context, o record.Order, do func(context.Context, record.Order) (record.Done, error)) (record.Done, error) {
	_, company, err := within(ctx)
	if err != nil {
		return record.Done{}, err
	}
	if company != "" {
		if !o.Filter.Narrow() { // the company alone is no selection
			return record.Done{}, ats.Errorf(ats.Invalid, "filter: say which; nothing narrows the selection")
		}
		if o.Filter.Company != "" && o.Filter.Company != company {
			return record.Done{}, ats.Errorf(ats.NotFound, "no company %s", o.Filter.Company)
		}
		o.Filter.Company = company
	}
	return do(ctx, o)
}

// orderedMails gives an order to the mails that whoever asks may know of.
func orderedMails(ctx context.Context, o record.Order, do func(context.Context, record.Order) (record.Done, error)) (record.Done, error) {
	f, any := mailsOf(ctx, o.Filter)
	if any && !o.Filter.Narrow() {
		f = o.Filter
	}
	if !any {
		return record.Done{}, ats.Errorf(ats.NotFound, "no mails for %s", o.Filter.Purpose)
	}
	o.Filter = f
	return ordered(ctx, o, do)
}

func (f fence) CancelJobs(ctx context.Context, o record.Order) (record.Done, error) {
	return ordered(ctx, o, f.desk.CancelJobs)
}

func (f fence) ReleaseMails(ctx context.Context, o record.Order) (record.Done, error) {
	return orderedMails(ctx, o, f.desk.ReleaseMails)
}

func (f fence) SendMails(ctx context.Context, o record.Order) (record.Done, error) {
	return orderedMails(ctx, o, f.desk.SendMails)
}

func (f fence) StopMails(ctx context.Context, o record.Order) (record.Done, error) {
	return orderedMails(ctx, o, f.desk.StopMails)
}

func (f fence) CancelMails(ctx context.Context, o record.Order) (record.Done, error) {
	return orderedMails(ctx, o, f.desk.CancelMails)
}

func (f fence) ResolveMails(ctx context.Context, o record.Order, sent bool) (record.Done, error) {
	return orderedMails(ctx, o, func(ctx context.Context, o record.Order) (record.Done, error) {
		return f.desk.ResolveMails(ctx, o, sent)
	})
}

// Graves implements Desk.
func (f fence) Graves(ctx context.Context, q record.Filter) ([]record.Grave, error) {
	return listed(ctx, q, f.desk.Graves)
}

// batch refuses a batch that is not wholly within the fence.
func (f fence) batch(ctx context.Context, id string) error {
	found, err := f.Batches(ctx, record.Filter{ID: id, Limit: 1})
	if err == nil && len(found) == 0 {
		err = ats.Errorf(ats.NotFound, "no batch %s", id)
	}
	return err
}

// Progress implements Desk.
func (f fence) Progress(ctx context.Context, batch string) (record.Progress, error) {
	if err := f.batch(ctx, batch); err != nil {
		return record.Progress{}, err
	}
	return f.desk.Progress(ctx, batch)
}

// Results implements Desk.
func (f fence) Results(ctx context.Context, q record.Filter) ([]record.Result, error) {
	if err := f.batch(ctx, q.Batch); err != nil {
		return nil, err
	}
	return f.desk.Results(ctx, q)
}

// MoveBatch implements Desk.
func (f fence) MoveBatch(ctx context.Context, actor record.Actor, id, verb, reason string) (record.Batch, error) {
	if err := f.batch(ctx, id); err != nil {
		return record.Batch{}, err
	}
	return f.desk.MoveBatch(ctx, actor, id, verb, reason)
}

// SecretUses implements Desk.
func (f fence) SecretUses(ctx context.Context, company string) ([]record.SecretUse, error) {
	return listed(ctx, record.Filter{Company: company}, func(ctx context.Context, one record.Filter) ([]record.SecretUse, error) {
		return f.desk.SecretUses(ctx, one.Company)
	})
}

// Rerun implements Desk.
func (f fence) Rerun(ctx context.Context, r record.Rerun, terms record.Terms) (record.Done, error) {
	return rerunWithin(ctx, r, terms, f.desk.Rerun)
}

func rerunWithin(ctx context.Context, r record.Rerun, terms record.Terms, do func(context.Context, record.Rerun, record.Terms) (record.Done, error)) (record.Done, error) {
	return ordered(ctx, r.Order, func(ctx context.Context, o record.Order) (record.Done, error) {
		r.Order = o
		return do(ctx, r, terms)
	})
}

// AskRelease implements Desk.
func (f fence) AskRelease(ctx context.Context, actor record.Actor, company, reason string) error {
	if err := same(ctx, "company", company, company); err != nil {
		return err
	}
	return f.desk.AskRelease(ctx, actor, company, reason)
}

// A fencedClerk is a Clerk for whoever asks.
type fencedClerk struct {
	clerk Clerk
	fence fence
}

var _ Clerk = fencedClerk{}

// Edit implements Clerk.
func (c fencedClerk) Edit(ctx context.Context, actor record.Actor, id, line, reason string) error {
	if _, err := c.fence.Mail(ctx, id); err != nil {
		return err
	}
	return c.clerk.Edit(ctx, actor, id, line, reason)
}

// Ask implements Clerk.
func (c fencedClerk) Ask(ctx context.Context, actor record.Actor, id, reason string) error {
	if _, err := c.fence.Mail(ctx, id); err != nil {
		return err
	}
	return c.clerk.Ask(ctx, actor, id, reason)
}

// Release implements Clerk.
func (c fencedClerk) Release(ctx context.Context, r record.Rerun, terms record.Terms) (record.Done, error) {
	return rerunWithin(ctx, r, terms, c.clerk.Release)
}

// Difference implements Clerk.
func (c fencedClerk) Difference(ctx context.Context, delivery string) (record.Difference, error) {
	if _, _, err := c.fence.Delivery(ctx, delivery); err != nil {
		return record.Difference{}, err
	}
	return c.clerk.Difference(ctx, delivery)
}

func (f fence) Withdraw(ctx context.Context, actor record.Actor, id, reason string) error {
	found, err := f.Consents(ctx, record.Filter{ID: id, Limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return ats.Errorf(ats.NotFound, "no consent %s", id)
	}
	return f.desk.Withdraw(ctx, actor, id, reason)
}

func (f fence) FindPeople(ctx context.Context, company, query string) ([]string, error) {
	return listed(ctx, record.Filter{Company: company}, func(ctx context.Context, q record.Filter) ([]string, error) {
		return f.desk.FindPeople(ctx, q.Company, query)
	})
}

// ErasePerson erases within the fence: who belongs to one company erases only
// people of whom it has an application.
func (f fence) ErasePerson(ctx context.Context, actor record.Actor, id, reason string) error {
	_, company, err := within(ctx)
	if err != nil {
		return err
	}
	if company != "" {
		found, err := f.Applications(ctx, record.Filter{Person: id, Limit: 1})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return ats.Errorf(ats.NotFound, "no person %s", id)
		}
	}
	return f.desk.ErasePerson(ctx, actor, id, reason)
}
