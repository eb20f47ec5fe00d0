package record

import (
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
)

// An Arrival is a delivery at the door.
type Arrival struct {
	Delivery connectors.Delivery
	Vendor   string
	// Disposition is New, or Quarantined for a delivery that is
	// kept although its signature is bad.
	Disposition Disposition
	Reason      string
	Keep        time.Duration // how long the raw payload is kept
	Trace       string        // W3C traceparent
	Secret      string        // name of the secret that fitted, "" if nobody knows
}

// A Ticket is a dispatched job on its way through Redis.
type Ticket struct {
	Job   string
	Seq   int64
	Queue string
}

// A Load is the work of one company in one queue.
type Load struct {
	Company string
	Due     int // could run now; not counted on beyond some number
	Flying  int // dispatched, or started lately
}

// An Outcome is how a run of a job ended.
type Outcome struct {
	State    JobState
	DueAt    time.Time // with JobWaiting: when to run again
	Error    string    // without personal data
	Fault    ats.Fault
	Consumed bool // counts as an attempt
}

// Swept says what a sweep found.
type Swept struct {
	Redispatched int // dispatched, but never started: lost on the way
	Interrupted  int // running, but the lease ran out
	Killers      int // started three times without an outcome
	Unclear      int // mails whose sending was cut off
}

// Known is what the store knows about an application when an event arrives.
type Known struct {
	Previous   ats.State // "" for an application that was never heard of
	PreviousAt time.Time
	// Candidate is the person as known so far with the event's news over it.
	Candidate  ats.Candidate
	Suppressed bool // the address takes no mail at all any more
	NoOffers   bool // the person wants no relay block
	Written    bool // the thank-you mail left, or perhaps left
	LastHour   int  // thank-you mails planned for the company
	LastDay    int
	BusiestDay int // of the 28 days before
}

// A Ruling is what was decided about an event.
type Ruling struct {
	Action  string // "mail", "hold" or "none"
	Code    string
	Checks  []Check
	Stale   bool // older than what is known: kept, but changes nothing
	Cancel  bool // a mail that waits is obsolete
	StopAll bool // the brake: stop the company's other new mails too
	Mail    *mail.Message
	Due     time.Time
	Links   []Link
}

// A Decider rules on an event. It is called inside a transaction, perhaps more
// than once, and must not keep anything.
type Decider func(e ats.Event, k Known) (Ruling, error)

// Limits bound the counting of planned mails; more need not be told apart.
type Limits struct{ Hour, Day int }

// Accepted says what Accept did, for the log line of the outcome.
type Accepted struct {
	Events   int
	Repeated int // facts that were known already
	Planned  int
	Stopped  int
	Codes    []string
}

// A Posting is a mail with everything that must be asked before it goes.
type Posting struct {
	Mail       Mail
	Message    mail.Message
	State      ats.State // of the application; "" for a mail of a registration
	Event      ats.Event // what a Checker needs
	Connection string
	Suppressed bool
	Brake      Brake // zero when none is open
}

// A Settlement is what became of a mail, with the outcome of its job.
type Settlement struct {
	State      MailState
	Stopped    bool
	Reason     string
	DueAt      time.Time // of a mail that is held again
	Attempt    int       // 0 when nothing was tried
	Detail     string    // of the attempt, without personal data
	ProviderID string
	Brake      string // cause of a credentials brake to open
	Release    bool   // the transport works again: close the credentials brake
	Job        Outcome
}

// Reported counts what the provider's events did.
type Reported struct{ New, Repeated, Foreign int }
