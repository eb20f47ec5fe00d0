// Package record holds the rows that the connector keeps, as the pages, the
// API, the command line and the jobs see them.
package record

import (
	"encoding/json"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/relay"
)

// A Disposition says what became of a delivery.
type Disposition string

// The dispositions.
const (
	New         Disposition = "new"
	Decoded     Disposition = "decoded"
	Ignored     Disposition = "ignored"
	Parked      Disposition = "parked"      // no rule knows it; waits for a person
	Quarantined Disposition = "quarantined" // bad signature, kept for a short time
)

// A Delivery is one raw payload and what became of it. The payload itself is
// read separately and on purpose.
type Delivery struct {
	ID          string      `json:"id"`
	Company     string      `json:"company"`
	Connection  string      `json:"connection"`
	Vendor      string      `json:"vendor"`
	Door        string      `json:"door"`
	Disposition Disposition `json:"disposition"`
	Reason      string      `json:"reason"`
	Repeats     int         `json:"repeats"`          // redeliveries answered with success
	Secret      string      `json:"secret,omitempty"` // name of the secret that its signature fitted
	Size        int         `json:"size"`             // bytes of the body
	ReceivedAt  time.Time   `json:"received_at"`
	ExpiresAt   time.Time   `json:"expires_at,omitzero"`
}

// An Application is one person's candidacy with the latest known state.
type Application struct {
	ID            string        `json:"id"`
	Company       string        `json:"company"`
	Connection    string        `json:"connection"`
	Vendor        string        `json:"vendor"`
	ApplicationID string        `json:"application_id"` // the vendor's id
	CandidateID   string        `json:"candidate_id,omitempty"`
	PersonID      string        `json:"person_id"`
	State         ats.State     `json:"state"`
	Side          ats.Side      `json:"side"`
	Evidence      string        `json:"evidence"`
	JobTitle      string        `json:"job_title,omitempty"`
	Stage         string        `json:"stage,omitempty"`
	StageKind     ats.StageKind `json:"stage_kind,omitempty"`
	Locale        string        `json:"locale,omitempty"`
	Decision      string        `json:"decision"` // the code of the last decision
	StateAt       time.Time     `json:"state_at"`
	UpdatedAt     time.Time     `json:"updated_at"`
	// Candidate is set only by a read that was asked to reveal it.
	Candidate *ats.Candidate `json:"candidate,omitempty"`
}

// A Check is one question that a decision asked, in order.
type Check struct {
	Code   string `json:"code"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// An Event is one accepted or stale fact about an application.
type Event struct {
	ID          string    `json:"id"`
	Delivery    string    `json:"delivery"`
	Application string    `json:"application"` // the application's own id here
	State       ats.State `json:"state"`
	Side        ats.Side  `json:"side"`
	Evidence    string    `json:"evidence"`
	Clock       ats.Clock `json:"clock"`
	Status      string    `json:"status,omitempty"`
	Stale       bool      `json:"stale,omitempty"`
	Action      string    `json:"action"`
	Code        string    `json:"code"`
	Checks      []Check   `json:"checks,omitempty"`
	OccurredAt  time.Time `json:"occurred_at"`
	CreatedAt   time.Time `json:"created_at"`
}

// A MailState is where a mail stands.
type MailState string

// The states of a mail. A mail in MailHeld waits for its time or, when it is
// stopped, for a person.
const (
	MailHeld       MailState = "held"
	MailSending    MailState = "sending"
	MailSent       MailState = "sent"
	MailUnclear    MailState = "unclear"
	MailFailed     MailState = "failed"
	MailCancelled  MailState = "cancelled"
	MailSuppressed MailState = "suppressed"
)

// A Mail is one message of the outbox without its content.
type Mail struct {
	ID            string    `json:"id"`
	Company       string    `json:"company"`
	Application   string    `json:"application,omitempty"` // the application's own id here
	ApplicationID string    `json:"application_id"`        // the vendor's id
	PersonID      string    `json:"person_id"`
	Purpose       string    `json:"purpose"`
	State         MailState `json:"state"`
	Stopped       bool      `json:"stopped"`
	Released      bool      `json:"released,omitempty"`
	Urgent        bool      `json:"urgent,omitempty"` // a person wants it now: the hours of sending do not count
	Reason        string    `json:"reason"`
	Template      string    `json:"template"`
	Version       string    `json:"version"`
	Locale        string    `json:"locale"`
	SendID        string    `json:"send_id"`
	Transport     string    `json:"transport,omitempty"`
	ProviderID    string    `json:"provider_id,omitempty"`
	Batch         string    `json:"batch,omitempty"`    // the import that planned it
	Delivery      string    `json:"delivery,omitempty"` // last word of the provider: delivered, bounced, …
	Attempts      int       `json:"attempts"`
	DueAt         time.Time `json:"due_at"`
	DecidedAt     time.Time `json:"decided_at,omitzero"`
	SentAt        time.Time `json:"sent_at,omitzero"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// An Attempt is one try to hand a mail to its transport.
type Attempt struct {
	Number    int       `json:"number"`
	Outcome   string    `json:"outcome"`
	Detail    string    `json:"detail,omitempty"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// A MailEvent is one word of the mail provider about a mail.
type MailEvent struct {
	Kind   string    `json:"kind"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
}

// A JobState is where a job stands.
type JobState string

// The states of a job. A job whose retry is due later is waiting again.
const (
	JobWaiting    JobState = "waiting"
	JobDispatched JobState = "dispatched"
	JobRunning    JobState = "running"
	JobDone       JobState = "done"
	JobDead       JobState = "dead"
	JobCancelled  JobState = "cancelled"
	JobUnclear    JobState = "unclear"
)

// The kinds of job.
const (
	DecodeJob   = "decode"   // subject: a delivery
	FeedbackJob = "feedback" // subject: a delivery of a mail provider's events
	MailJob     = "mail"     // subject: a mail
	ReferralJob = "referral" // subject: a referral
	BatchJob    = "batch"    // subject: a batch, of which each run is a step

	// WithdrawalJob tells a recipient that a referral was taken back.
	WithdrawalJob = "withdrawal" // subject: a referral

	AlertJob = "alert" // subject: a notice
)

// The queues. Bulk work never slows live work.
const (
	LiveQueue = "live"
	BulkQueue = "bulk"
)

// A Job is one unit of asynchronous work.
type Job struct {
	ID        string    `json:"id"`
	Company   string    `json:"company"`
	Kind      string    `json:"kind"`
	Queue     string    `json:"queue"`
	Subject   string    `json:"subject"`
	State     JobState  `json:"state"`
	Seq       int64     `json:"seq"`
	Attempts  int       `json:"attempts"` // outcomes that were failures
	Starts    int       `json:"starts"`   // starts since the last outcome
	Error     string    `json:"error"`
	Fault     string    `json:"fault,omitempty"`
	Deaths    int       `json:"deaths,omitempty"` // how often it died, or took its worker down
	ReplayOf  string    `json:"replay_of,omitempty"`
	Batch     string    `json:"batch,omitempty"`
	Trace     string    `json:"trace,omitempty"` // W3C traceparent of what caused it
	DueAt     time.Time `json:"due_at"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// PoisonAfter is how many deaths make a job poisonous: it is not run again along
// with others.
const PoisonAfter = 3

// Poison reports whether j died so often that running it again with others
// would only do harm.
func (j Job) Poison() bool { return j.State == JobDead && j.Deaths >= PoisonAfter }

// A Consent is one recorded yes.
type Consent struct {
	ID           string    `json:"id"`
	Company      string    `json:"company"`
	PersonID     string    `json:"person_id"`
	Registration string    `json:"registration"`
	Purpose      string    `json:"purpose"`
	TextVersion  string    `json:"text_version"`
	Locale       string    `json:"locale"`
	Text         string    `json:"text,omitempty"` // as the person saw it
	How          string    `json:"how"`
	GivenAt      time.Time `json:"given_at"`
	ConfirmedAt  time.Time `json:"confirmed_at,omitzero"`
	WithdrawnAt  time.Time `json:"withdrawn_at,omitzero"`
}

// MarshalJSON writes withdrawn_at as null while the consent stands, so that the
// key is always there.
func (c Consent) MarshalJSON() ([]byte, error) {
	type plain Consent
	out := struct {
		plain
		WithdrawnAt *time.Time `json:"withdrawn_at"`
	}{plain: plain(c)}
	if !c.WithdrawnAt.IsZero() {
		out.WithdrawnAt = &c.WithdrawnAt
	}
	return json.Marshal(out)
}

// A ReferralState is where a hand-over stands.
type ReferralState string

// The states of a referral.
const (
	ReferralWaiting    ReferralState = "waiting"
	ReferralHandedOver ReferralState = "handed_over"
	ReferralFailed     ReferralState = "failed"
	ReferralCancelled  ReferralState = "cancelled" // the consent was taken back before
	ReferralWithdrawn  ReferralState = "withdrawn" // the consent was taken back after
)

// A Referral is the hand-over of one consented profile to one recipient.
type Referral struct {
	ID           string        `json:"id"`
	Company      string        `json:"company"`
	Recipient    string        `json:"recipient"`
	PersonID     string        `json:"person_id"`
	Registration string        `json:"registration"`
	State        ReferralState `json:"state"`
	Reference    string        `json:"reference,omitempty"`
	Reason       string        `json:"reason,omitempty"`
	Fields       []string      `json:"fields,omitempty"` // names of what was provided
	// Twin is the hand-over of the same person to the same recipient that stands
	// for this one.
	Twin      string      `json:"twin,omitempty"`
	Consent   string      `json:"consent,omitempty"` // on which it was provided
	Provider  relay.Party `json:"provider,omitzero"` // who provided it, as told
	Receiver  relay.Party `json:"receiver,omitzero"` // to whom
	ToldAt    time.Time   `json:"told_at,omitzero"`  // when the recipient was told that it was taken back
	CreatedAt time.Time   `json:"created_at"`
	UpdatedAt time.Time   `json:"updated_at"`
}

// A Credit is one entry of a company's ledger.
type Credit struct {
	ID       string    `json:"id"`
	Company  string    `json:"company"`
	Kind     string    `json:"kind"`
	PersonID string    `json:"person_id"`
	Referral string    `json:"referral,omitempty"`
	Amount   int       `json:"amount"`
	Policy   string    `json:"policy"`
	At       time.Time `json:"at"`
}

// A Slot is one free introduction that a company earned.
type Slot struct {
	ID       string    `json:"id"`
	Company  string    `json:"company"`
	State    string    `json:"state"`
	Policy   string    `json:"policy"`
	EarnedAt time.Time `json:"earned_at"`
}

// An Account is a company's ledger in sum.
type Account struct {
	Company string   `json:"company"`
	Net     int      `json:"net"`
	Ratio   int      `json:"ratio"`
	ToNext  int      `json:"to_next"`
	Slots   []Slot   `json:"slots"`
	Entries []Credit `json:"entries"`
}

// An Audit is one entry of the record of who did what.
type Audit struct {
	Seq     int64     `json:"seq"`
	Actor   string    `json:"actor"`
	Verb    string    `json:"verb"`
	Noun    string    `json:"noun"`
	Subject string    `json:"subject"`
	Company string    `json:"company,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	At      time.Time `json:"at"`
	Hash    string    `json:"hash"`
}

// A Brake is a stop that needs a person, or a repair.
type Brake struct {
	ID         string    `json:"id"`
	Company    string    `json:"company"`
	Kind       string    `json:"kind"` // "volume", "bounces", "complaints", "credentials" or PollBrake
	Cause      string    `json:"cause"`
	OpenedAt   time.Time `json:"opened_at"`
	ProbeAt    time.Time `json:"probe_at,omitzero"`
	AskedBy    string    `json:"asked_by,omitempty"` // who vouched for the release that a second person must give
	AskedAt    time.Time `json:"asked_at,omitzero"`
	AskedFor   string    `json:"asked_for,omitempty"` // the reason given
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
}

// PollBrake is the kind of the brake that says which of a company's connections
// cannot be asked for news.
const PollBrake = "poll"

// StopsMail reports whether mails wait because of b.
func (b Brake) StopsMail() bool { return b.Kind != PollBrake }

// System acts when no person does.
var System = Actor{Name: "system", Role: Admin}

// Done says what a verb did to how many things.
type Done struct {
	Verb    string         `json:"verb"`
	Matched int            `json:"matched"`
	Changed int            `json:"changed"`
	Skipped map[string]int `json:"skipped,omitempty"` // by reason
	Batch   string         `json:"batch,omitempty"`
	DryRun  bool           `json:"dry_run"`
	IDs     []string       `json:"ids,omitempty"` // the first hundred
	// Of a preview of a batch: a few ids for each reason, "" for what would be
	// done, and how many were looked at one by one, if not all.
	Samples map[string][]string `json:"samples,omitempty"`
	Looked  int                 `json:"looked,omitempty"`
}

// Counts says how many rows are in each state.
type Counts struct {
	Deliveries map[string]int `json:"deliveries"`
	Mails      map[string]int `json:"mails"`
	Jobs       map[string]int `json:"jobs"`
	Referrals  map[string]int `json:"referrals"`
}
