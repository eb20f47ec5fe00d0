package alerts

import "time"

// The numbers.
const (
	queueLimit   = 5 * time.Minute // that live work may wait
	pollDays     = 1               // business days without an answer to any question
	licenceFirst = 60              // days before a licence ends; then at 30 and at 7
	certFirst    = 21              // days before a certificate ends; then from 7 on daily
	day          = 24 * time.Hour
	// expired is the stage of what has ended.
	expired = 4
)

// LiveQueue is the queue whose age counts. Bulk work may take its time.
const LiveQueue = "live"

// Facts are what is known of the service at one moment.
type Facts struct {
	Now         time.Time
	Brakes      []Brake
	Connections []Connection
	Oldest      map[string]time.Time // since when the longest waiting job of a queue is due
	Dead        map[string]int       // jobs, by company
	Parked      map[string]int       // deliveries
	Unclear     map[string]int       // mails
	Broken      map[string]int       // problems of the newest file; "" are the shared files
	Certificate *End                 // nil when it is not looked at
	Licences    []End
}

// A Brake is one that is on.
type Brake struct {
	Company string
	Kind    string
	Since   time.Time
}

// A Connection is an account at a vendor from which news should come.
type Connection struct {
	Company string
	Name    string
	Days    Calendar  // the company's business days
	Quiet   int       // business days without news that are too many; 0 for never
	Heard   time.Time // when news came last; zero for never
	// Answered is when the vendor last answered a poll; zero when it is not
	// polled, or has not been yet.
	Answered time.Time
}

// A Calendar knows business days.
type Calendar interface {
	// Deadline returns the end of the n-th business day after the date of t.
	Deadline(t time.Time, n int) time.Time
}

// An End is when something runs out.
type End struct {
	Name string
	At   time.Time
}

// brakes are the alerts of brakes.
var brakes = map[string]Kind{
	"volume": VolumeBrake, "bounces": BounceBrake, "complaints": ComplaintBrake, "credentials": CredentialsBrake, "poll": PollBrake,
}

// Judge says what needs a person.
func Judge(f Facts) []Condition {
	var out []Condition
	for _, b := range f.Brakes {
		if kind, ok := brakes[b.Kind]; ok {
			out = append(out, Condition{Company: b.Company, Kind: kind, Since: b.Since})
		}
	}
	for _, c := range f.Connections {
		out = append(out, c.judge(f.Now)...)
	}
	if due := f.Oldest[LiveQueue]; !due.IsZero() && f.Now.Sub(due) > queueLimit {
		out = append(out, Condition{Kind: QueueOld, Subject: LiveQueue, Since: due})
	}
	for kind, counts := range map[Kind]map[string]int{JobsDead: f.Dead, Parked: f.Parked, Unclear: f.Unclear, FileBroken: f.Broken} {
		for company, n := range counts {
			if n > 0 {
				out = append(out, Condition{Company: company, Kind: kind, Count: n})
			}
		}
	}
	if f.Certificate != nil {
		out = append(out, f.Certificate.judge(Certificate, f.Now, certFirst)...)
	}
	for _, l := range f.Licences {
		out = append(out, l.judge(Licence, f.Now, licenceFirst)...)
	}
	return out
}

// judge counts business days from the one after the last news: that of the
// last one is not over before its end.
func (c Connection) judge(now time.Time) []Condition {
	var out []Condition
	if c.Quiet > 0 && !c.Heard.IsZero() && now.After(c.Days.Deadline(c.Heard, c.Quiet)) {
		out = append(out, Condition{Company: c.Company, Kind: Silence, Subject: c.Name, Since: c.Heard})
	}
	if !c.Answered.IsZero() && now.After(c.Days.Deadline(c.Answered, pollDays)) {
		out = append(out, Condition{Company: c.Company, Kind: PollSilence, Subject: c.Name, Since: c.Answered})
	}
	return out
}

// judge says how near an end is: stage 1 within first days, 2 within 30, 3
// within 7, expired after it.
func (e End) judge(kind Kind, now time.Time, first int) []Condition {
	left := e.At.Sub(now)
	var stage int
	switch {
	case e.At.IsZero(), left > time.Duration(first)*day:
		return nil
	case left <= 0:
		stage = expired
	case left <= 7*day:
		stage = 3
	case left <= 30*day:
		stage = 2
	default:
		stage = 1
	}
	return []Condition{{Kind: kind, Subject: e.Name, Stage: stage, EndsAt: e.At}}
}
