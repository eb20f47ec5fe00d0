package connectors

import (
	"maps"
	"net/url"
)

// historical is the parameter of an address that makes history of what comes
// to it. A company may put it there while a vendor replays the past.
const historical = "history"

// History reports whether p was marked as history: it counts, but no mail
// follows before a person looked.
func (p Payload) History() bool { return p.Query.Get(historical) == "true" }

// AsHistory returns p marked as history.
func (p Payload) AsHistory() Payload {
	q := maps.Clone(p.Query)
	if q == nil {
		q = url.Values{}
	}
	q.Set(historical, "true")
	p.Query = q
	return p
}
