package record

import (
	"time"

	"github.com/career-relay/connector/ats"
)

// An Import is one file that is taken in.
type Import struct {
	Actor      Actor
	Company    string
	Connection string
	File       string // hash of its content, by which an interrupted import goes on
	Reason     string // required
}

// A Row is one row of a file on its way in.
type Row struct {
	Key         string // equal for the same row of another file
	Application string // the vendor's id
	Email       ats.Email
	Job         ats.Job
}

// A RowKnown is what is known about a row.
type RowKnown struct {
	Saved      Disposition // of the delivery that brought the same row; "" for a new one
	State      ats.State   // of the application; "" for one that was never heard of
	StateAt    time.Time
	Written    bool // the application's mail left, or perhaps left
	Suppressed bool // the address takes no mail at all any more
	// Twin is another application of the same person for the same job, which has
	// a mail planned or sent since the time that was asked for.
	Twin string
}
