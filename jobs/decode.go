package jobs

import (
	"context"
	"maps"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/sending"
)

// decode turns a delivery into events and lets everything follow from them.
func (w *Worker) decode(ctx context.Context, j record.Job) (record.JobState, error) {
	row, d, err := w.Store.Delivery(ctx, j.Subject)
	if ats.FaultOf(err) == ats.NotFound {
		return w.finish(ctx, j, record.Outcome{State: record.JobCancelled, Error: "the delivery was deleted"})
	}
	if err != nil {
		return "", err
	}
	company, conn, err := w.connection(row.Company, row.Connection)
	if err != nil {
		return "", err
	}
	if row.Disposition == record.Quarantined {
		n, problem := unverified(conn, d.Payload)
		if problem != "" {
			return w.put(ctx, j, row, record.Quarantined, problem)
		}
		if n > 0 {
			row.Secret = company.Connections[row.Connection].SecretName(n - 1)
		}
		if r, ok := conn.(connectors.Redactor); ok {
			d.Payload = r.Redact(d.Payload)
		}
		d.Payload.Header = maps.Clone(d.Payload.Header)
		d.Payload.Header.Del("Authorization") // it was kept for this
		if err := w.Store.Reinstate(ctx, row, d.Payload, company.Retention.Deliveries.Std()); err != nil {
			return "", err
		}
	}
	if r, ok := conn.(connectors.Ringer); ok && r.Rings(d.Payload) {
		if err := w.Store.RingPoll(ctx, row.Company, row.Connection); err != nil {
			return "", err
		}
		return w.put(ctx, j, row, record.Ignored, "the vendor says that there is news, and is asked for it")
	}
	events, err := conn.Decode(d.Payload)
	if len(events) == 0 && pings(conn, d.Payload) {
		return w.put(ctx, j, row, record.Ignored, "connection OK: the vendor's test delivery")
	}
	if fault := ats.FaultOf(err); fault == ats.Invalid || fault == ats.TooLarge {
		return w.park(ctx, j, row, err)
	}
	if err != nil {
		return "", err
	}
	events, err = complete(ctx, conn, events)
	if fault := ats.FaultOf(err); ctx.Err() == nil && (fault == ats.Invalid || fault == ats.NotFound) {
		return w.park(ctx, j, row, err)
	}
	if err != nil {
		return "", err
	}
	for i := range events {
		events[i].History = events[i].History || d.Payload.History()
	}
	return w.accept(ctx, j, row, company, events)
}

// pings reports whether a payload is the vendor's test delivery.
func pings(conn connectors.Connector, p connectors.Payload) bool {
	pinger, ok := conn.(connectors.Pinger)
	return ok && pinger.Ping(p)
}

// connection returns a connection with its company. While its configuration
// is broken or gone, or while it is paused, its jobs wait.
func (w *Worker) connection(id, connection string) (*configs.Company, connectors.Connector, error) {
	company, err := w.company(id)
	if err != nil {
		return nil, nil, err
	}
	if company.Connections[connection].Paused {
		return nil, nil, ats.BusyFor(configWait, "connection %s/%s is paused", id, connection)
	}
	conn, err := w.Open(id, connection)
	if err != nil {
		return nil, nil, ats.BusyFor(configWait, "connection %s/%s: %w", id, connection, err)
	}
	return company, conn, nil
}

func (w *Worker) company(id string) (*configs.Company, error) {
	company, err := w.Tenants.Company(id)
	if err != nil {
		return nil, ats.BusyFor(configWait, "company %s is not configured", id)
	}
	return company, nil
}

// configWait is how long a job waits for its company's configuration.
const configWait = 10 * time.Minute

// unverified asks for the signature of a quarantined delivery once more. It
// returns the number of the secret that fits, from 1 and 0 if nobody knows, or why
// the delivery stays where it is.
func unverified(conn connectors.Connector, p connectors.Payload) (secret int, problem string) {
	door, ok := conn.(connectors.Receiver)
	if !ok {
		return 0, "this connection takes no webhooks"
	}
	secret, err := connectors.Verified(door, p)
	if err != nil {
		return 0, "signature still does not fit: " + scrub(err)
	}
	return secret, ""
}

// put settles a delivery of which nothing follows.
func (w *Worker) put(ctx context.Context, j record.Job, row record.Delivery, d record.Disposition, reason string) (record.JobState, error) {
	w.Log.InfoContext(ctx, "delivery put aside", "delivery", row.ID, "company", row.Company, "connection", row.Connection, "disposition", string(d), "reason", reason)
	return record.JobDone, w.Store.Park(ctx, j, row.ID, d, reason, record.Outcome{State: record.JobDone})
}

// park keeps a delivery that cannot be used until a person repaired the cause.
func (w *Worker) park(ctx context.Context, j record.Job, row record.Delivery, cause error) (record.JobState, error) {
	o := dead(cause)
	w.Log.WarnContext(ctx, "delivery parked", "delivery", row.ID, "company", row.Company, "connection", row.Connection, "err", o.Error)
	return o.State, w.Store.Park(ctx, j, row.ID, record.Parked, o.Error, o)
}

func dead(err error) record.Outcome {
	return record.Outcome{State: record.JobDead, Error: scrub(err), Fault: ats.FaultOf(err), Consumed: true}
}

// complete asks the vendor for what the payload left out. An event that the
// vendor's answer turns into nothing (ats.Duplicate) is left away.
func complete(ctx context.Context, conn connectors.Connector, events []ats.Event) ([]ats.Event, error) {
	c, ok := conn.(connectors.Completer)
	if !ok && hints(conn) && len(events) > 0 {
		return nil, ats.Errorf(ats.Invalid, "the payload is not authenticated, and the vendor cannot be asked")
	}
	if !ok {
		return events, nil
	}
	var kept []ats.Event
	for _, e := range events {
		err := c.Complete(ctx, &e)
		if ats.FaultOf(err) == ats.Duplicate {
			continue
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, e)
	}
	return kept, nil
}

// hints reports whether a connection's payloads are only hints.
func hints(conn connectors.Connector) bool {
	h, ok := conn.(connectors.Hinter)
	return ok && h.Hint()
}

// accept lets the rules decide about each event and keeps what follows.
func (w *Worker) accept(ctx context.Context, j record.Job, row record.Delivery, company *configs.Company, events []ats.Event) (record.JobState, error) {
	letters, err := w.Letters(company)
	if err != nil {
		return "", ats.BusyFor(configWait, "templates of %s: %w", company.ID, err)
	}
	judge := judge{w: w, company: company, letters: letters, zone: company.Zone(), calendar: company.Calendar(), cold: row.Door == string(connectors.File)}
	limits := record.Limits{Hour: company.Sending.Brake.Batch + 1, Day: 5000}
	done, err := w.Store.Accept(ctx, j, row, events, limits, judge.decide)
	if ats.FaultOf(err) == ats.Invalid {
		return w.park(ctx, j, row, err)
	}
	if err != nil {
		return "", err
	}
	w.Log.InfoContext(ctx, "delivery accepted", "delivery", row.ID, "company", row.Company, "connection", row.Connection, "vendor", row.Vendor,
		"events", done.Events, "repeated", done.Repeated, "mails", done.Planned, "stopped", done.Stopped, "decisions", done.Codes)
	return record.JobDone, nil
}

// A judge decides about events in the name of one company.
type judge struct {
	w        *Worker
	company  *configs.Company
	letters  *mail.Templates
	zone     *time.Location
	calendar sending.Calendar
	cold     bool
}

// decide implements record.Decider.
func (g judge) decide(e ats.Event, k record.Known) (record.Ruling, error) {
	now := g.w.Now()
	plan := sending.Decide(g.company.Sending, g.calendar, sending.Facts{
		Event: e, Previous: k.Previous, PreviousAt: k.PreviousAt, Cold: g.cold || e.History, History: e.History, Now: now,
		Volume:     sending.Volume{LastHour: k.LastHour, LastDay: k.LastDay, BusiestDay: k.BusiestDay},
		Suppressed: k.Suppressed, Written: k.Written,
	})
	r := record.Ruling{
		Action: string(plan.Action), Code: plan.Code, Stale: plan.Stale, Cancel: plan.Cancel, Due: plan.Due,
		StopAll: plan.Code == sending.CodeBrakeVolume,
	}
	for _, c := range plan.Checks {
		r.Checks = append(r.Checks, record.Check{Code: c.Code, OK: c.OK, Detail: c.Detail})
	}
	if plan.Action == sending.None {
		return r, nil
	}
	message, links, err := g.write(e, k, now)
	if err != nil {
		return r, err
	}
	r.Mail, r.Links = &message, links
	return r, nil
}

// write makes the thank-you mail with its personal links.
func (g judge) write(e ats.Event, k record.Known, now time.Time) (mail.Message, []record.Link, error) {
	locale := e.Candidate.Locale
	if locale != "en" && locale != "ja" {
		locale = g.company.Locale
	}
	stop := record.Link{Token: consent.NewToken(), Kind: record.StopLink, Expires: now.Add(consent.StopLinkLife), Locale: locale}
	links := []record.Link{stop}
	letter := mail.Letter{
		CompanyID: g.company.ID, CompanyName: g.company.Name.In(locale), Event: e, Locale: locale, Zone: g.zone,
		SendID: consent.NewToken(), PersonalLine: e.PersonalLine,
		UnsubscribeURL: g.w.PublicURL + "/u/" + stop.Token, OneClickURL: g.w.PublicURL + "/u/" + stop.Token,
	}
	if g.company.Relay.Mode == configs.RelayLink && !k.NoOffers && e.Consent != ats.ConsentNo {
		l := record.Link{Token: consent.NewToken(), Kind: record.RelayLink, Expires: endOfDay(now.Add(consent.RelayLinkLife), g.zone), Locale: locale}
		links = append(links, l)
		letter.RelayURL, letter.RelayUntil = g.w.PublicURL+"/r/"+l.Token, l.Expires
	}
	message, err := g.letters.Thanks(g.company.Mail, letter)
	return message, links, err
}

// endOfDay returns the end of the day of t: mail and page name a day, and a
// reader takes the whole of it.
func endOfDay(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, zone)
}
