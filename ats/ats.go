// Package ats holds the words that every part of the connector uses.
package ats

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// A State is where an application stands after an event.
type State string

// The states an event can report. Closed means that the position was filled or
// cancelled; Erased and Merged are privacy events, not decisions.
const (
	Rejected  State = "rejected"
	Withdrawn State = "withdrawn"
	Hired     State = "hired"
	Reopened  State = "reopened"
	Closed    State = "closed"
	Erased    State = "erased"
	Merged    State = "merged"
)

// States lists every State, in the order documents use.
var States = []State{Rejected, Withdrawn, Hired, Reopened, Closed, Erased, Merged}

// A Side is who ended an application.
type Side string

// The sides. Unknown is a fact of its own: it must never count as Company.
const (
	Company   Side = "company"
	Applicant Side = "candidate"
	Unknown   Side = "unknown"
)

// Sides lists every Side.
var Sides = []Side{Company, Applicant, Unknown}

// A StageKind says how far a candidate had come, in the three steps that the
// mails distinguish. The zero value means that the vendor's words did not tell.
type StageKind string

// The kinds of stage.
const (
	Document  StageKind = "document"
	Interview StageKind = "interview"
	Final     StageKind = "final"
)

// A Clock names where an event's time was read.
type Clock string

// The clocks, from the most to the least telling.
const (
	DecidedClock  Clock = "decided"  // the vendor's time of the decision itself
	SentClock     Clock = "sent"     // the vendor's time of sending the payload
	ReceivedClock Clock = "received" // our time of arrival
)

// An Email is a person's address. It hides itself in every formatted output, so
// that it cannot slip into a log line or an error; convert it to a string where
// the address itself is needed. JSON keeps it, because what is stored is
// encrypted as a whole. Package fmt cannot reach it in an unexported field.
type Email string

// String returns a mask.
func (Email) String() string { return "[address]" }

// GoString returns a mask.
func (Email) GoString() string { return "[address]" }

// Format writes a mask for every verb.
func (Email) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[address]") }

// LogValue returns a mask.
func (Email) LogValue() slog.Value { return slog.StringValue("[address]") }

// A Candidate is the person behind an application, as the vendor describes them.
// Every field but ID is personal data.
type Candidate struct {
	ID           string `json:"id,omitempty"`
	Name         string `json:"name,omitempty"` // as the person writes it; never normalised
	FamilyName   string `json:"family_name,omitempty"`
	GivenName    string `json:"given_name,omitempty"`
	Kana         string `json:"kana,omitempty"`
	Email        Email  `json:"email,omitempty"`
	Locale       string `json:"locale,omitempty"` // "ja", "en"; empty when unknown
	Type         string `json:"type,omitempty"`   // "internal", … when the vendor tells
	DoNotContact bool   `json:"do_not_contact,omitempty"`
	Private      bool   `json:"private,omitempty"`
	Anonymized   bool   `json:"anonymized,omitempty"`
}

// Format writes a mask for every verb.
func (Candidate) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[candidate]") }

// LogValue returns the vendor's id, which is all that may stand in a log.
func (c Candidate) LogValue() slog.Value { return slog.GroupValue(slog.String("id", c.ID)) }

// A Job is the position that was applied for.
type Job struct {
	ID           string `json:"id,omitempty"`
	Title        string `json:"title,omitempty"`
	Department   string `json:"department,omitempty"`
	Confidential bool   `json:"confidential,omitempty"`
}

// Consent is what the vendor recorded about contact or introduction. The zero
// value means that nothing is known.
type Consent string

// The values of Consent.
const (
	ConsentUnknown Consent = ""
	ConsentYes     Consent = "yes"
	ConsentNo      Consent = "no"
)

// An Event is a normalised fact: this application has reached this state, and
// this side ended it.
type Event struct {
	// Application is the vendor's id of the application; required unless the
	// event is about a person (Erased or Merged with a Candidate.ID).
	Application string `json:"application,omitempty"`
	State       State  `json:"state"`
	Side        Side   `json:"side"`
	// Evidence says in the vendor's words why Side is what it is.
	Evidence  string    `json:"evidence,omitempty"`
	At        time.Time `json:"at"`
	Clock     Clock     `json:"clock"`
	Candidate Candidate `json:"candidate"`
	Job       Job       `json:"job"`
	Stage     string    `json:"stage,omitempty"` // the vendor's word
	StageKind StageKind `json:"stage_kind,omitempty"`
	// Status is the vendor's raw word for the state. Reason is internal to the
	// company: it is kept for statistics and is not available to mails.
	Status  string  `json:"status,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	Source  string  `json:"source,omitempty"`
	Agent   bool    `json:"agent,omitempty"` // introduced by an agency
	Consent Consent `json:"consent,omitempty"`
	// PersonalLine is a sentence that the company wrote to the candidate.
	PersonalLine string `json:"personal_line,omitempty"`
	// NotBefore is the earliest moment at which the candidate may be told.
	NotBefore time.Time `json:"not_before,omitzero"`
	// History marks what had happened before the connection began to listen: a
	// first sync, or a decision that is older than the connection.
	History bool `json:"history,omitempty"`
	// Into is the surviving candidate of a Merged event.
	Into string `json:"into,omitempty"`
	// Also lists further applications of an Erased person.
	Also []string `json:"also,omitempty"`
	// Problems are codes of what was wrong with the vendor's data.
	Problems []string `json:"problems,omitempty"`
}

// LogValue returns what says which fact it was, without personal data.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(slog.String("application", e.Application), slog.String("state", string(e.State)),
		slog.String("side", string(e.Side)), slog.Time("at", e.At))
}

// Person reports whether e is about a whole person and not about one
// application.
func (e Event) Person() bool {
	return e.Application == "" && e.Candidate.ID != ""
}
