package record

import (
	"time"

	"github.com/career-relay/connector/ats"
)

// A Poll is where the poller of one connection stands, and how it went.
type Poll struct {
	Company    string `json:"company"`
	Connection string `json:"connection"`
	Vendor     string `json:"vendor"`
	// First says that the first sweep is not complete: what it brings is history.
	First bool `json:"first"`
	// UpdatedAt is when the vendor last gave what it was asked for. A time that
	// lies far back means silence.
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	SweptAt   time.Time `json:"swept_at,omitzero"` // the end of the last complete sweep
	StartedAt time.Time `json:"started_at,omitzero"`
	DueAt     time.Time `json:"due_at,omitzero"`
	RungAt    time.Time `json:"rung_at,omitzero"` // when the vendor last said that there is news
	Failures  int       `json:"failures,omitempty"`
	Error     string    `json:"error,omitempty"` // of the last sweep, "" when it went well
	Fault     ats.Fault `json:"fault,omitempty"`
	Alarmed   bool      `json:"alarmed,omitempty"` // the error opened the company's poll brake

	Cursor string    `json:"-"` // the connector's own
	Seq    int64     `json:"-"` // the fence: the number of this sweep
	Lease  time.Time `json:"-"` // until when the sweep belongs to who claimed it; zero when none is under way
}

// RingRest is the least time between sweeps that a vendor asks for, which may
// ring for every edit.
const RingRest = time.Minute

// Due reports whether the next sweep may begin: its time has come, or the
// vendor said that there is news. An error is waited out in any case.
func (p Poll) Due(now time.Time) bool {
	rung := p.Error == "" && p.RungAt.After(p.StartedAt) && now.Sub(p.StartedAt) >= RingRest
	return !p.Lease.After(now) && (rung || !p.DueAt.After(now))
}
