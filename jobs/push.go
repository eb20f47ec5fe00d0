package jobs

import (
	"context"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
)

// push puts a consenting person into another company's ATS. Where the vendor
// can be asked who is there, that may be repeated whatever became of it before.
// Otherwise nothing is repeated of which nobody knows whether it was done: the
// error is ats.Unclear then, and a person looks.
func (w *Worker) push(ctx context.Context, j record.Job, r record.Referral, p relay.Profile, company, connection, job string) (receipt relay.Receipt, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = ats.Errorf(ats.Unclear, "putting the person in: %w", w.panicked(ctx, j, v))
		}
	}()
	if company == r.Company {
		return relay.Receipt{}, ats.Errorf(ats.Invalid, "recipient %s: the person comes from %s and is not put back there", r.Recipient, company)
	}
	c, err := w.company(company)
	if err != nil {
		return relay.Receipt{}, err
	}
	conn, err := w.Open(company, connection)
	switch {
	case err != nil:
		return relay.Receipt{}, ats.BusyFor(configWait, "connection %s/%s: %w", company, connection, err)
	case c.Connections[connection].Paused:
		return relay.Receipt{}, ats.BusyFor(configWait, "connection %s/%s is paused", company, connection)
	}
	pusher, ok := conn.(connectors.Pusher)
	if !ok {
		return relay.Receipt{}, ats.Errorf(ats.Invalid, "connection %s/%s cannot take candidates: its vendor or its keys do not allow it", company, connection)
	}
	finder, finds := conn.(connectors.Finder)
	finds = finds && finder.Finds()
	if !finds && (j.Starts > 1 || j.Fault == string(ats.Unclear)) {
		return relay.Receipt{}, ats.Errorf(ats.Unclear, "an attempt before was cut off: look in %s/%s whether the candidate is there; if not, careerrelay referral retry", company, connection)
	}
	ref, err := pusher.Push(ctx, ats.Candidate{Name: p.Name, Kana: p.Kana, Email: p.Email, Locale: p.Locale}, job)
	if ats.FaultOf(err) == ats.Unclear && finds {
		err = ats.Errorf(ats.Busy, "%w", err)
	}
	return relay.Receipt{Reference: ref}, err
}
