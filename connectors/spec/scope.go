package spec

import (
	"fmt"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// scope is what a connection wants to hear of.
type scope struct {
	account string    // "" for all
	since   time.Time // what was decided before is history
}

// days are the zone in which a day of connection begins.
var days = time.FixedZone("JST", 9*60*60)

// scopeOf reads what a company's settings say; every problem is in the error.
func (s Spec) scopeOf(set Settings) (scope, error) {
	if set.Account != "" && s.Account == "" {
		return scope{}, fmt.Errorf("account: %s does not say whose data it sends", s.Vendor)
	}
	out := scope{account: set.Account}
	if set.Since == "" {
		return out, nil
	}
	var err error
	if out.since, err = time.ParseInLocation(time.DateOnly, set.Since, days); err != nil {
		return scope{}, fmt.Errorf("since: %q is not a date; write 2026-12-31", set.Since)
	}
	return out, nil
}

// foreign reports whether p is about another account than the connection's. A
// delivery that names none is not.
func (c *Connector) foreign(p connectors.Payload) bool {
	account := c.x.account.of(p)
	return c.scope.account != "" && account != "" && account != c.scope.account
}

// date marks e when it had happened before the connection began to listen, or
// when old says so.
func (s scope) date(e *ats.Event, old bool) {
	e.History = e.History || old || e.At.Before(s.since)
}
