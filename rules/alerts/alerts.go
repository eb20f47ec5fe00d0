// Package alerts decides what a person must be told, and when it is over.
package alerts

import (
	"slices"
	"time"
)

// A Kind is a kind of alert.
type Kind string

// The kinds.
const (
	VolumeBrake      Kind = "volume_brake"
	BounceBrake      Kind = "bounce_brake"
	ComplaintBrake   Kind = "complaint_brake"
	CredentialsBrake Kind = "credentials_brake"
	PollBrake        Kind = "poll_brake"
	Silence          Kind = "silence"      // subject: a connection from which nothing comes any more
	PollSilence      Kind = "poll_silence" // subject: a connection that nobody asks any more
	QueueOld         Kind = "queue_old"    // subject: a queue
	JobsDead         Kind = "jobs_dead"
	Parked           Kind = "parked"
	Unclear          Kind = "unclear"
	FileBroken       Kind = "file_broken" // no company: the shared files
	Certificate      Kind = "certificate" // subject: a host
	Licence          Kind = "licence"     // subject: a recipient
)

// A trait says how alerts of a kind behave.
type trait struct {
	kind    Kind
	runbook string // the part of docs/runbook.md
	// grace is how long the cause must last before anybody is told.
	grace time.Duration
	// calm is the stage below which only a new stage is a reminder.
	calm int
}

var traits = []trait{
	{kind: VolumeBrake, runbook: "mails-are-stopped-volume-brake"},
	{kind: BounceBrake, runbook: "mails-are-stopped-too-many-bounce"},
	{kind: ComplaintBrake, runbook: "mails-are-stopped-recipients-complain"},
	{kind: CredentialsBrake, runbook: "mails-wait-credentials-brake"},
	{kind: PollBrake, runbook: "a-connection-is-not-polled-poll-brake"},
	{kind: Silence, runbook: "a-connection-is-silent"},
	{kind: PollSilence, runbook: "a-connection-is-not-asked-any-more"},
	{kind: QueueOld, runbook: "work-waits-too-long"},
	{kind: JobsDead, runbook: "a-job-is-dead", grace: 5 * time.Minute},
	{kind: Parked, runbook: "a-delivery-is-parked", grace: 5 * time.Minute},
	{kind: Unclear, runbook: "a-mail-is-unclear", grace: time.Hour}, // the provider's event settles most
	{kind: FileBroken, runbook: "a-companys-file-is-broken", grace: 10 * time.Minute},
	{kind: Certificate, runbook: "a-certificate-ends", calm: 3},
	{kind: Licence, runbook: "a-recipients-licence-ends", calm: expired},
}

// Kinds lists the kinds.
func Kinds() []Kind {
	out := make([]Kind, len(traits))
	for i, t := range traits {
		out[i] = t.kind
	}
	return out
}

func (k Kind) trait() trait {
	for _, t := range traits {
		if t.kind == k {
			return t
		}
	}
	return trait{kind: k}
}

// Runbook is where each kind is explained.
const Runbook = "https://github.com/career-relay/connector/blob/main/docs/runbook.md"

// Runbook is the address of the part of the runbook that tells what to do.
func (k Kind) Runbook() string { return Runbook + "#" + k.trait().runbook }

// A Condition is something that needs a person, as it is now. Nothing in it is
// about a candidate.
type Condition struct {
	Company string    `json:"company"` // "" for the whole service
	Kind    Kind      `json:"kind"`
	Subject string    `json:"subject"`          // a connection, a queue, a host or a recipient; "" when the kind says all
	Count   int       `json:"count,omitempty"`  // how many
	Stage   int       `json:"stage,omitempty"`  // how near an end is, the larger the nearer
	Since   time.Time `json:"since,omitzero"`   // since when, as far as it is known
	EndsAt  time.Time `json:"ends_at,omitzero"` // of a certificate or a licence
}

// A key is what an alert is about: of each there is one at a time.
type key struct {
	company string
	kind    Kind
	subject string
}

func (c Condition) key() key { return key{c.Company, c.Kind, c.Subject} }

// An Alert is a condition that somebody is told of, once until it is over.
type Alert struct {
	ID string `json:"id"`
	Condition
	SeenAt     time.Time `json:"seen_at"`
	OpenedAt   time.Time `json:"opened_at,omitzero"` // zero while it may still pass by itself
	GoneAt     time.Time `json:"-"`                  // when the cause was first missed
	ToldAt     time.Time `json:"told_at,omitzero"`
	ToldStage  int       `json:"-"`
	MutedUntil time.Time `json:"muted_until,omitzero"`
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
}

// State is open, muted or resolved.
func (a Alert) State(now time.Time) string {
	switch {
	case !a.ResolvedAt.IsZero():
		return "resolved"
	case a.MutedUntil.After(now):
		return "muted"
	}
	return "open"
}

// A Word is what is said of an alert.
type Word string

// The words.
const (
	Opened   Word = "opened"
	Reminded Word = "reminded"
	Resolved Word = "resolved"
)

// A Change is what becomes of an alert, and the word to be sent about it: ""
// for none. An alert that was never opened and is resolved is forgotten.
type Change struct {
	Alert Alert // with an empty ID when it is new
	Say   Word
}

const (
	// settle is how long a cause must be away before the alert is resolved, so
	// that what comes and goes is one alert.
	settle = 5 * time.Minute
	// reminder is how often somebody is reminded, at most.
	reminder = 24 * time.Hour
)

// Step compares the alerts that are not resolved with the conditions at this
// moment. Alerts of kinds that could not be looked at stay as they are.
func Step(open []Alert, now []Condition, unknown []Kind, at time.Time) []Change {
	standing := map[key]Alert{}
	for _, a := range open {
		standing[a.key()] = a
	}
	var out []Change
	for _, c := range now {
		a, ok := standing[c.key()]
		delete(standing, c.key())
		if !ok {
			a = Alert{SeenAt: at}
		}
		before := a
		a.Condition, a.GoneAt = c, time.Time{}
		a, word := a.hold(at)
		if !ok || a != before {
			out = append(out, Change{a, word})
		}
	}
	for _, a := range open {
		if _, gone := standing[a.key()]; !gone || slices.Contains(unknown, a.Kind) {
			continue
		}
		if change, ok := a.miss(at); ok {
			out = append(out, change)
		}
	}
	return out
}

// hold notes that the cause is still there, and says what to tell.
func (a Alert) hold(at time.Time) (held Alert, say Word) {
	t := a.Kind.trait()
	switch {
	case a.OpenedAt.IsZero() && at.Sub(a.SeenAt) >= t.grace:
		a.OpenedAt, say = at, Opened
	case a.OpenedAt.IsZero(), a.MutedUntil.After(at), at.Sub(a.ToldAt) < reminder:
		return a, ""
	case a.Stage > a.ToldStage, a.Stage >= t.calm:
		say = Reminded
	default:
		return a, ""
	}
	a.ToldAt, a.ToldStage = at, a.Stage
	return a, say
}

// miss notes that the cause is away. It reports whether that changes anything.
func (a Alert) miss(at time.Time) (Change, bool) {
	switch {
	case a.OpenedAt.IsZero():
		a.ResolvedAt = at
		return Change{Alert: a}, true
	case a.GoneAt.IsZero():
		a.GoneAt = at
		return Change{Alert: a}, true
	case at.Sub(a.GoneAt) < settle:
		return Change{}, false
	}
	a.ResolvedAt = at
	return Change{a, Resolved}, true
}
