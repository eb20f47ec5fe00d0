package record

import (
	"strconv"
	"time"

	"github.com/career-relay/connector/ats"
)

// A Difference is what a delivery said when it was read and what it says by
// today's rules.
type Difference struct {
	Delivery string   `json:"delivery"`
	Error    string   `json:"error,omitempty"` // why today's rules cannot read it
	Asks     bool     `json:"asks"`            // a run asks the vendor for more, which may change it
	Changes  []Change `json:"changes"`
}

// Same reports whether a run would say nothing new.
func (d Difference) Same() bool {
	for _, c := range d.Changes {
		if c.Differs() {
			return false
		}
	}
	return d.Error == ""
}

// A Change is one event, before and after; nil on the side that does not have it.
type Change struct {
	Application string `json:"application"` // the vendor's id
	Before      *Told  `json:"before,omitempty"`
	After       *Told  `json:"after,omitempty"`
}

// Differs reports whether the two sides differ in what decisions depend on.
func (c Change) Differs() bool {
	if c.Before == nil || c.After == nil {
		return true
	}
	b, a := *c.Before, *c.After
	return b.State != a.State || b.Side != a.Side || !b.At.Equal(a.At)
}

// Told is what an event says.
type Told struct {
	State  ats.State `json:"state"`
	Side   ats.Side  `json:"side"`
	At     time.Time `json:"at"`
	Status string    `json:"status,omitempty"` // the vendor's word
}

// Compare puts the events that were kept beside those of today, application by
// application in the order in which they were told. names are the vendor's ids of
// our applications.
func Compare(before []Event, names map[string]string, after []ats.Event) []Change {
	out := []Change{}
	at := map[string]int{}
	seen := map[string]int{}
	key := func(application string) string {
		seen[application]++
		return application + "\x00" + strconv.Itoa(seen[application])
	}
	for _, e := range before {
		name := names[e.Application]
		at[key(name)] = len(out)
		out = append(out, Change{Application: name, Before: &Told{e.State, e.Side, e.OccurredAt, e.Status}})
	}
	clear(seen)
	for _, e := range after {
		told := &Told{e.State, e.Side, e.At.Truncate(time.Microsecond), e.Status}
		if i, ok := at[key(e.Application)]; ok {
			out[i].After = told
			continue
		}
		out = append(out, Change{Application: e.Application, After: told})
	}
	return out
}
