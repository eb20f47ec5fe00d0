package jobs

import (
	"context"
	"net/url"
	"time"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
)

// alarm looks at what needs a person and lets the rules decide what to tell.
func (w *Worker) alarm(ctx context.Context) error {
	facts, unknown, err := w.facts(ctx)
	if err != nil {
		return err
	}
	now := alerts.Judge(facts)
	told, err := w.Store.Alarm(ctx, func(open []alerts.Alert) []alerts.Change { return alerts.Step(open, now, unknown, facts.Now) }, w.channels)
	for _, c := range told {
		w.Log.WarnContext(ctx, "alert", "word", string(c.Say), "alert", c.Alert.ID, "kind", string(c.Alert.Kind), "company", c.Alert.Company, "subject", c.Alert.Subject, "count", c.Alert.Count)
	}
	return err
}

// facts gathers what the rules judge by, and the kinds that cannot be judged.
func (w *Worker) facts(ctx context.Context) (alerts.Facts, []alerts.Kind, error) {
	v, err := w.Store.Vitals(ctx)
	if err != nil {
		return alerts.Facts{}, nil, err
	}
	f := alerts.Facts{Now: w.Now(), Oldest: v.Oldest, Dead: v.Dead, Parked: v.Parked, Unclear: v.Unclear, Broken: map[string]int{"": len(w.Tenants.SharedStatus().Errors)}}
	for _, b := range v.Brakes {
		f.Brakes = append(f.Brakes, alerts.Brake{Company: b.Company, Kind: b.Kind, Since: b.OpenedAt})
	}
	for _, s := range w.Tenants.Status() {
		f.Broken[s.Company] = len(s.Errors)
	}
	f.Connections = w.listened(v)
	shared := w.Tenants.Shared()
	for _, r := range shared.Recipients {
		f.Licences = append(f.Licences, alerts.End{Name: r.ID, At: r.LicenceEnds()})
	}
	if !shared.Alerts.Certificate || w.Certificate == nil {
		return f, nil, nil
	}
	end, ok := w.certificate.end(ctx, f.Now, w.Certificate)
	if !ok {
		return f, []alerts.Kind{alerts.Certificate}, nil
	}
	host := w.PublicURL
	if u, err := url.Parse(w.PublicURL); err == nil {
		host = u.Host
	}
	f.Certificate = &alerts.End{Name: host, At: end}
	return f, nil, nil
}

// listened are the connections that are configured and not paused. A poll that
// pulled the brake is told of by that.
func (w *Worker) listened(v record.Vitals) []alerts.Connection {
	answered := map[string]record.Poll{}
	for _, p := range v.Polls {
		answered[p.Company+"/"+p.Connection] = p
	}
	var out []alerts.Connection
	for _, c := range w.Tenants.Companies() {
		days := c.BusinessDays()
		for name, settings := range c.Connections {
			if settings.Paused {
				continue
			}
			key := c.ID + "/" + name
			one := alerts.Connection{Company: c.ID, Name: name, Days: days, Quiet: settings.Silence, Heard: v.Heard[key]}
			if p := answered[key]; p.Vendor == settings.Vendor && !p.Alarmed {
				one.Answered = p.UpdatedAt
			}
			out = append(out, one)
		}
	}
	return out
}

// A certificate remembers when one ends, so that it is not asked for at every
// look. Only the chore uses it, which never runs twice at once in a process.
type certificate struct {
	at    time.Time // when it was looked at, well or not
	known bool
	ends  time.Time
}

const (
	certificateEvery = 6 * time.Hour
	certificateAgain = 10 * time.Minute // after nobody answered
)

// end returns when the certificate ends, if that is known.
func (c *certificate) end(ctx context.Context, now time.Time, look func(context.Context) (time.Time, error)) (time.Time, bool) {
	wait := certificateAgain
	if c.known {
		wait = certificateEvery
	}
	if c.at.IsZero() || now.Sub(c.at) >= wait {
		ends, err := look(ctx)
		c.at, c.known, c.ends = now, err == nil, ends
	}
	return c.ends, c.known
}
