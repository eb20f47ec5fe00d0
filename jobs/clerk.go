package jobs

import (
	"context"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

// A File is what a Clerk reads and writes.
type File interface {
	Letter(ctx context.Context, id string) (record.Mail, mail.Message, error)
	Application(ctx context.Context, id string, reveal bool) (record.Application, error)
	ReplaceLetter(ctx context.Context, actor record.Actor, id string, m mail.Message, links []record.Link, reason string) error
	ProveMail(ctx context.Context, actor record.Actor, id, providerID, reason string) error
	MailHistory(ctx context.Context, id string) ([]record.Attempt, []record.MailEvent, error)
	Audit(ctx context.Context, actor record.Actor, a record.Audit) error
	Delivery(ctx context.Context, id string) (record.Delivery, connectors.Delivery, error)
	Deliveries(ctx context.Context, f record.Filter) ([]record.Delivery, error)
	EventsOf(ctx context.Context, delivery string) ([]record.Event, error)
	Rerun(ctx context.Context, r record.Rerun, terms record.Terms) (record.Done, error)
}

// A Clerk does for a person what the store cannot do alone: it needs connectors,
// letters or transports.
type Clerk struct {
	Store   File
	Tenants Tenants
	// Open returns the connector of a connection.
	Open      func(company, connection string) (connectors.Connector, error)
	Letters   func(*configs.Company) (*mail.Templates, error)
	Transport func(*configs.Company) (Transport, error)
	PublicURL string
	Now       func() time.Time
}

// Edit writes a mail that waits anew, with another personal line, and keeps it
// when it passes every check that it must pass before it leaves.
func (k *Clerk) Edit(ctx context.Context, actor record.Actor, id, line, reason string) error {
	reason, err := record.NeedReason(reason)
	if err != nil {
		return err
	}
	line = strings.TrimSpace(line)
	if err := mail.CheckPersonalLine(line); err != nil {
		return err
	}
	row, old, err := k.Store.Letter(ctx, id)
	if err != nil {
		return err
	}
	if row.State != record.MailHeld || row.Purpose != string(mail.ThankYou) {
		return ats.Errorf(ats.Conflict, "mail %s is %s, a %s: only a thank-you mail that waits can be changed", id, row.State, row.Purpose)
	}
	message, links, err := k.rewrite(ctx, row, old, line)
	if err != nil {
		return err
	}
	if err := mail.Check(message); err != nil {
		return ats.Errorf(ats.Invalid, "the mail would not pass its checks: %w", err)
	}
	if message.PersonalLine != line {
		return ats.Errorf(ats.Invalid, "the letter %s has no place for a personal line", message.Template)
	}
	return k.Store.ReplaceLetter(ctx, actor, id, message, links, reason)
}

// rewrite makes the mail of today's letter, with new personal links: of the old
// ones only hashes are kept.
func (k *Clerk) rewrite(ctx context.Context, row record.Mail, old mail.Message, line string) (mail.Message, []record.Link, error) {
	company, err := k.Tenants.Company(row.Company)
	if err != nil {
		return mail.Message{}, nil, ats.Errorf(ats.Conflict, "company %s is not configured", row.Company)
	}
	letters, err := k.Letters(company)
	if err != nil {
		return mail.Message{}, nil, err
	}
	app, err := k.Store.Application(ctx, row.Application, true)
	if err != nil {
		return mail.Message{}, nil, err
	}
	if app.Candidate == nil {
		return mail.Message{}, nil, ats.Errorf(ats.NotFound, "nothing personal is kept about the application any more")
	}
	e := ats.Event{
		Application: app.ApplicationID, State: app.State, Side: app.Side, At: row.DecidedAt, Candidate: *app.Candidate,
		Job: ats.Job{Title: app.JobTitle}, Stage: app.Stage, StageKind: app.StageKind, PersonalLine: line,
	}
	// Whether the person wants offers was decided when the mail was planned.
	known := record.Known{NoOffers: !strings.Contains(old.Text, k.PublicURL+"/r/")}
	g := judge{w: &Worker{PublicURL: k.PublicURL}, company: company, letters: letters, zone: company.Zone()}
	message, links, err := g.write(e, known, k.Now())
	message.SendID = old.SendID
	return message, links, err
}

// Ask asks the provider about a mail of which nobody knows whether it left. When
// the provider knows it, it was sent; otherwise a person must decide.
func (k *Clerk) Ask(ctx context.Context, actor record.Actor, id, reason string) error {
	reason, err := record.NeedReason(reason)
	if err != nil {
		return err
	}
	row, message, err := k.Store.Letter(ctx, id)
	if err != nil {
		return err
	}
	if row.State != record.MailUnclear {
		return ats.Errorf(ats.Conflict, "mail %s is %s: only one with an unclear outcome needs to be asked about", id, row.State)
	}
	company, err := k.Tenants.Company(row.Company)
	if err != nil {
		return ats.Errorf(ats.Conflict, "company %s is not configured", row.Company)
	}
	transport, err := k.Transport(company)
	if err != nil {
		return err
	}
	looker, ok := transport.Transport.(mail.Looker)
	if !ok {
		return ats.Errorf(ats.Conflict, "%s cannot be asked what became of a mail", transport.Name)
	}
	attempts, _, err := k.Store.MailHistory(ctx, id)
	if err != nil {
		return err
	}
	since := row.CreatedAt
	if len(attempts) > 0 {
		since = attempts[0].StartedAt
	}
	provider, err := looker.Look(ctx, message, since)
	if err == nil {
		return k.Store.ProveMail(ctx, actor, id, provider, reason)
	}
	entry := record.Audit{Verb: "ask", Noun: "mail", Subject: id, Company: row.Company, Reason: reason, Detail: scrub(err)}
	if noted := k.Store.Audit(ctx, actor, entry); noted != nil {
		return noted
	}
	return err
}

// lookMost is how many quarantined deliveries a preview verifies.
const lookMost = 1000

// Release takes deliveries out of quarantine whose signature fits now: each is
// verified once more when it runs. A preview verifies them first and says of how
// many the signature still does not fit.
func (k *Clerk) Release(ctx context.Context, o record.Rerun, terms record.Terms) (record.Done, error) {
	o.Verb, o.Noun, o.Filter.State = "replay", "delivery", string(record.Quarantined)
	done, err := k.Store.Rerun(ctx, o, terms)
	done.Verb = "release"
	if err != nil || !o.DryRun {
		return done, err
	}
	done.Changed, done.Samples, done.Looked = 0, map[string][]string{}, 0
	f := o.Filter
	for f.Limit = record.MaxPage; done.Looked < lookMost; {
		rows, err := k.Store.Deliveries(ctx, f)
		if err != nil {
			return done, err
		}
		for _, row := range rows {
			why, err := k.doubt(ctx, row.ID)
			if err != nil {
				return done, err
			}
			if why == "" {
				done.Changed++
			} else {
				done.Skipped[why]++
			}
			if len(done.Samples[why]) < 3 {
				done.Samples[why] = append(done.Samples[why], row.ID)
			}
			f.After = row.ID
		}
		done.Looked += len(rows)
		if len(rows) < f.Limit {
			done.Matched, done.Looked = done.Looked, 0
			break
		}
	}
	return done, nil
}

// doubt says why a quarantined delivery stays where it is, "" when its signature
// fits now.
func (k *Clerk) doubt(ctx context.Context, id string) (string, error) {
	row, d, err := k.Store.Delivery(ctx, id)
	if ats.FaultOf(err) == ats.NotFound {
		return record.SkipGone, nil
	}
	if err != nil {
		return "", err
	}
	conn, err := k.Open(row.Company, row.Connection)
	if err != nil {
		return record.SkipCompany, nil //nolint:nilerr // it is the answer
	}
	if _, problem := unverified(conn, d.Payload); problem != "" {
		return record.SkipWrong, nil
	}
	return "", nil
}

// Difference reads a delivery with today's rules and compares what it says with
// what was kept when it was read before. Nothing is changed, and no vendor asked.
func (k *Clerk) Difference(ctx context.Context, id string) (record.Difference, error) {
	row, d, err := k.Store.Delivery(ctx, id)
	if err != nil {
		return record.Difference{}, err
	}
	out := record.Difference{Delivery: row.ID, Changes: []record.Change{}}
	if row.Door == string(connectors.Mail) {
		return out, ats.Errorf(ats.Conflict, "delivery %s is of the mail provider: no rules read it", id)
	}
	conn, err := k.Open(row.Company, row.Connection)
	if err != nil {
		return out, ats.Errorf(ats.Conflict, "connection %s/%s: %w", row.Company, row.Connection, err)
	}
	if row.Disposition == record.Quarantined {
		_, out.Error = unverified(conn, d.Payload)
	}
	_, out.Asks = conn.(connectors.Completer)
	events, err := conn.Decode(d.Payload)
	if err != nil {
		out.Error = scrub(err)
	}
	before, err := k.Store.EventsOf(ctx, id)
	if err != nil {
		return out, err
	}
	names := map[string]string{}
	for _, e := range before {
		app, err := k.Store.Application(ctx, e.Application, false)
		if err != nil && ats.FaultOf(err) != ats.NotFound {
			return out, err
		}
		names[e.Application] = app.ApplicationID
	}
	out.Changes = record.Compare(before, names, events)
	return out, nil
}
