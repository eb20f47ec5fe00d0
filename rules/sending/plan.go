package sending

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/career-relay/connector/ats"
)

// Volume is how many thank-you mails were planned for the company.
type Volume struct{ LastHour, LastDay, BusiestDay int }

// Facts is everything a decision depends on.
type Facts struct {
	Event      ats.Event
	Previous   ats.State // what was known of the application; "" for nothing
	PreviousAt time.Time
	// Cold marks history: a cold start or an import. It never mails without a
	// person's release.
	Cold bool
	// History marks what had happened before the connection began to listen. It
	// is cold too, and what nobody would write about any more gets no mail.
	History    bool
	Now        time.Time
	Volume     Volume
	Suppressed bool // the address takes no mail at all
	Written    bool // the application's mail has left, or perhaps
}

// A Check is one question of a decision and its answer.
type Check struct {
	Code   string
	OK     bool
	Detail string // without personal data
}

// An Action is what a decision asks for.
type Action string

// The actions.
const (
	Mail Action = "mail" // schedule it
	Hold Action = "hold" // write it, but a person must release it
	None Action = "none"
)

// The codes of decisions; Words says each in a sentence.
const (
	CodeScheduled     = "scheduled"
	CodeStale         = "stale"
	CodeRepeated      = "repeated" // another delivery told this before
	CodeErased        = "erased"
	CodeNotRejected   = "not_rejected"
	CodeCandidateSide = "candidate_side"
	CodeUnknownSide   = "unknown_side"
	CodePurposeOff    = "purpose_off"
	CodeWritten       = "written"
	CodeNoAddress     = "no_address"
	CodeNotAnAddress  = "not_an_address"
	CodeSeveral       = "several_addresses"
	CodeBadAddress    = "bad_address"
	CodeDoNotContact  = "do_not_contact"
	CodeAgent         = "excluded_agent"
	CodeInternal      = "excluded_internal"
	CodeConfidential  = "excluded_confidential"
	CodeSuppressed    = "suppressed"
	CodeTestName      = "test_name"
	CodeNoName        = "no_name"
	CodeCold          = "cold"
	CodeHistory       = "history"
	CodeEmbargo       = "embargo"
	CodeMaxAge        = "max_age"
	CodeBrakeVolume   = "brake_volume"
	CodeBrake         = "brake"
	CodeNotDue        = "not_due"
	CodeWindow        = "window"
	CodePaced         = "paced"
	CodeDryRun        = "dry_run"
	CodeLinkOnly      = "link_only"
	CodeGo            = "go"
	CodeReopened      = "reopened"
	CodeWithdrawn     = "withdrawn"
	CodeHired         = "hired"
	CodeClosed        = "closed"
	CodeMerged        = "merged"
	CodeFutureTime    = "future_time"
)

// A Plan is a decision about an event.
type Plan struct {
	Action Action
	Due    time.Time
	Code   string
	Checks []Check // every check that was made, in order
	Stale  bool    // the event is older than what is known: it changes nothing
	Cancel bool    // a mail that waits is obsolete
}

// Skew is how far in the future an event may lie before its time is doubted:
// so far two clocks may differ.
const Skew = 5 * time.Minute

// ahead reports whether t lies so far in the future that a clock or a time zone
// is wrong.
func ahead(t, now time.Time) bool { return t.After(now.Add(Skew)) }

// Decide rules on an event.
func Decide(s Settings, cal Calendar, f Facts) Plan {
	p := &Plan{Action: None}
	e := f.Event
	switch {
	case f.Previous == ats.Erased:
		return p.end(CodeErased, true)
	case f.stale():
		return p.end(CodeStale, true)
	}
	p.pass(CodeStale)
	if e.State != ats.Rejected {
		p.Cancel = e.State != ats.Merged // the application goes on under another person
		return p.end(codeOf(e.State), false)
	}
	if e.Side == ats.Applicant {
		p.Cancel = true
		return p.end(CodeCandidateSide, false)
	}
	if code := refuse(s, f, p); code != "" {
		return p.end(code, false)
	}
	if f.History && (e.Clock == ats.ReceivedClock || f.Now.Sub(e.At) > s.MaxAge.Std()) {
		return p.end(CodeHistory, false)
	}
	p.Action, p.Due, p.Code = Mail, due(s, cal, f), CodeScheduled
	for _, c := range holds(s, f) {
		p.Checks = append(p.Checks, c)
		if !c.OK && p.Action == Mail {
			p.Action, p.Code = Hold, c.Code
		}
	}
	return *p
}

// stale reports whether the event is older than what is known. A time in the
// future orders nothing: with it the last word counts. Erasing is never late.
func (f Facts) stale() bool {
	return f.Event.State != ats.Erased && f.Previous != "" && f.Event.At.Before(f.PreviousAt) && !ahead(f.PreviousAt, f.Now)
}

// states are the codes of the states that never lead to a mail.
var states = map[ats.State]string{
	ats.Withdrawn: CodeWithdrawn, ats.Hired: CodeHired, ats.Reopened: CodeReopened, ats.Closed: CodeClosed, ats.Erased: CodeErased, ats.Merged: CodeMerged,
}

func codeOf(s ats.State) string {
	if code, ok := states[s]; ok {
		return code
	}
	return CodeNotRejected
}

func (p *Plan) pass(code string) { p.Checks = append(p.Checks, Check{Code: code, OK: true}) }

func (p *Plan) end(code string, stale bool) Plan {
	p.Code, p.Stale = code, stale
	p.Checks = append(p.Checks, Check{Code: code})
	return *p
}

// refuse returns why no mail is written at all, and notes what was passed.
func refuse(s Settings, f Facts, p *Plan) string {
	e := f.Event
	for _, q := range []struct {
		code string
		no   bool
	}{
		{CodePurposeOff, !slices.Contains(s.Purposes, "thank_you")},
		{CodeUnknownSide, e.Side != ats.Company && s.OnUnknownSide == IgnoreUnknown},
		{CodeWritten, f.Written},
		{CodeDoNotContact, e.Candidate.DoNotContact || e.Candidate.Private},
		{CodeAgent, e.Agent && s.excludes(Exclude{Source: "agent"})},
		{CodeInternal, e.Candidate.Type == "internal" && s.excludes(Exclude{Type: "internal"})},
		{CodeConfidential, e.Job.Confidential && s.excludes(Exclude{Job: "confidential"})},
		{CodeSuppressed, f.Suppressed},
	} {
		if q.no {
			return q.code
		}
		p.pass(q.code)
	}
	return ""
}

func (s Settings) excludes(x Exclude) bool { return slices.Contains(s.Exclude, x) }

// holds asks what would make a person look first.
func holds(s Settings, f Facts) []Check {
	e := f.Event
	_, name := ats.Greeting(e.Candidate)
	age := f.Now.Sub(e.At)
	checks := []Check{
		{Code: addressCode(e), OK: e.Candidate.Email != ""},
		{Code: CodeCold, OK: !f.Cold},
		{Code: CodeUnknownSide, OK: e.Side == ats.Company || s.OnUnknownSide == SendUnknown},
		{Code: CodeMaxAge, OK: age <= s.MaxAge.Std(), Detail: fmt.Sprintf("%.1fd / %s", age.Hours()/24, s.MaxAge)},
		{Code: CodeTestName, OK: name != ats.NameTest},
		{Code: CodeNoName, OK: name != ats.NameMissing},
		{Code: CodeBadAddress, OK: !slices.Contains(e.Problems, ats.EmailReview)},
		{Code: CodeBrakeVolume, OK: !s.Brake.trips(f.Volume), Detail: s.Brake.detail(f.Volume)},
	}
	if slices.Contains(e.Problems, ats.EmbargoUnknown) { // few vendors have one
		checks = append(checks, Check{Code: CodeEmbargo})
	}
	if ahead(e.At, f.Now) {
		checks = append(checks, Check{Code: CodeFutureTime, Detail: fmt.Sprintf("%.1fd / %s", -age.Hours()/24, ats.Duration(Skew))})
	}
	return checks
}

// addressCode says what is the matter with the address of e. Without one the
// mail is written all the same, so that it lies before the person who can find
// the address or write a letter.
func addressCode(e ats.Event) string {
	switch {
	case slices.Contains(e.Problems, ats.EmailSeveral):
		return CodeSeveral
	case slices.Contains(e.Problems, ats.EmailInvalid):
		return CodeNotAnAddress
	}
	return CodeNoAddress
}

// trips reports whether one more mail is too many.
func (b Brake) trips(v Volume) bool {
	if v.LastHour+1 > b.Batch {
		return true
	}
	return v.LastDay+1 >= brakeFloor && v.BusiestDay > 0 && float64(v.LastDay+1) > b.Factor*float64(v.BusiestDay)
}

// detail says how many mails there are against how many are usual, within an
// hour and within a day.
func (b Brake) detail(v Volume) string {
	return fmt.Sprintf("1h: %d / %d, 24h: %d / %g × %d", v.LastHour+1, b.Batch, v.LastDay+1, b.Factor, v.BusiestDay)
}

// spread is how far mails of the same opening are drawn apart.
const spread = 20 * time.Minute

// due is when the mail may leave: decision + delay, or when the candidate may be
// told if that is later, moved into the window, with
// some minutes before it closes that are always the same for the same
// application.
func due(s Settings, cal Calendar, f Facts) time.Time {
	decided := f.Event.At
	if ahead(decided, f.Now) {
		decided = f.Now // should a person release it, our clock counts
	}
	t := decided.Add(s.Delay.Std())
	for _, earliest := range []time.Time{f.Now, f.Event.NotBefore} {
		if t.Before(earliest) {
			t = earliest
		}
	}
	if cal.window.Always() {
		return t
	}
	t = cal.Next(t)
	h := fnv.New32a()
	_, _ = h.Write([]byte(f.Event.Application))
	room := min(spread, cal.closing(t).Sub(t)).Milliseconds()
	return t.Add(time.Duration(int64(h.Sum32())*room>>32) * time.Millisecond)
}

// A Moment is what is known at the second of sending.
type Moment struct {
	State      ats.State
	Suppressed bool
	Released   bool // a person looked at it: its age no longer counts
	Urgent     bool // a person wants it now: the window does not count
	DecidedAt  time.Time
	Due        time.Time
	Now        time.Time
}

// A Verdict says what to do with a mail now.
type Verdict string

// The verdicts.
const (
	Go       Verdict = "go"
	Wait     Verdict = "wait"
	HoldBack Verdict = "hold"
	Cancel   Verdict = "cancel"
	Suppress Verdict = "suppress"
)

// Recheck asks everything again at the second of sending. until is set for
// Wait.
func Recheck(s Settings, cal Calendar, m Moment) (v Verdict, until time.Time, code string) {
	switch {
	case m.State != ats.Rejected:
		return Cancel, time.Time{}, codeOf(m.State)
	case m.Now.Before(m.Due):
		return Wait, m.Due, CodeNotDue
	case m.Suppressed:
		return Suppress, time.Time{}, CodeSuppressed
	case !m.Released && m.Now.Sub(m.DecidedAt) > s.MaxAge.Std():
		return HoldBack, time.Time{}, CodeMaxAge
	case !m.Urgent && !cal.Open(m.Now):
		return Wait, cal.Next(m.Now), CodeWindow
	case s.Mode == LinkOnly:
		return Cancel, time.Time{}, CodeLinkOnly
	case s.Mode != Live:
		return Cancel, time.Time{}, CodeDryRun
	}
	return Go, time.Time{}, CodeGo
}
