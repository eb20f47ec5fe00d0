// Package credit counts introductions and the slots they earn.
package credit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// A Trigger is the deed that counts as an introduction.
type Trigger string

// The triggers.
const (
	Registered Trigger = "registered"  // the person registered and confirmed
	HandedOver Trigger = "handed_over" // a recipient took the profile
)

// A Reversal says what a withdrawal does to a counted introduction.
type Reversal string

// The reversals.
const (
	Keep            Reversal = "keep"
	ReverseIfUnpaid Reversal = "reverse_if_unspent" // while it has not earned a slot
)

// A Policy is how a company's introductions count. What the service promises
// has varied, so it is a setting and every entry names the version it was made
// under.
type Policy struct {
	Trigger  Trigger      `yaml:"trigger" json:"trigger"`
	Ratio    int          `yaml:"ratio" json:"ratio"`
	Dedupe   ats.Duration `yaml:"dedupe" json:"dedupe"`
	Reversal Reversal     `yaml:"reversal" json:"reversal"`
	Promise  string       `yaml:"promise" json:"promise"` // introduction, meeting or hire
}

// DefaultPolicy is ten registered introductions for one slot, one per person
// in a year.
func DefaultPolicy() Policy {
	return Policy{Trigger: Registered, Ratio: 10, Dedupe: ats.Duration(365 * 24 * time.Hour), Reversal: Keep, Promise: "introduction"}
}

// Validate reports every problem in p.
func (p Policy) Validate() error {
	var errs []error
	if p.Trigger != Registered && p.Trigger != HandedOver {
		errs = append(errs, fmt.Errorf("trigger: %q is not one of registered, handed_over", p.Trigger))
	}
	if p.Ratio < 1 {
		errs = append(errs, errors.New("ratio: must be 1 or more"))
	}
	if p.Reversal != Keep && p.Reversal != ReverseIfUnpaid {
		errs = append(errs, fmt.Errorf("reversal: %q is not one of keep, reverse_if_unspent", p.Reversal))
	}
	if p.Promise != "introduction" && p.Promise != "meeting" && p.Promise != "hire" {
		errs = append(errs, fmt.Errorf("promise: %q is not one of introduction, meeting, hire", p.Promise))
	}
	return errors.Join(errs...)
}

// Version names p by its content, so that an old entry or slot still tells the
// rules it was made under.
func (p Policy) Version() string {
	return fmt.Sprintf("%s/%d/%s/%s/%s", p.Trigger, p.Ratio, p.Dedupe, p.Reversal, p.Promise)
}

// ratioOf returns the ratio that a version names, or otherwise.
func ratioOf(version string, otherwise int) int {
	_, rest, _ := strings.Cut(version, "/")
	ratio, _, _ := strings.Cut(rest, "/")
	if n, err := strconv.Atoi(ratio); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// A Kind is the kind of a ledger entry.
type Kind string

// The kinds of entry. Duplicate is shown but does not count.
const (
	Credit    Kind = "credit"
	Duplicate Kind = "duplicate"
	Reverse   Kind = "reversal"
)

// An Entry is one line of a company's ledger.
type Entry struct {
	ID       string
	Kind     Kind
	Person   string
	Referral string
	Amount   int
	At       time.Time
	Policy   string
}

// Count returns the entry that a person's introduction at t makes: a credit,
// or a duplicate when the same person was counted less than Dedupe before and
// that was not taken back.
func (p Policy) Count(history []Entry, person string, t time.Time) Entry {
	var last time.Time
	for _, h := range history {
		switch {
		case h.Person != person:
		case h.Kind == Credit:
			last = h.At
		case h.Kind == Reverse:
			last = time.Time{}
		}
	}
	e := Entry{Kind: Credit, Person: person, Amount: 1, At: t, Policy: p.Version()}
	if !last.IsZero() && t.Sub(last) < p.Dedupe.Std() {
		e.Kind, e.Amount = Duplicate, 0
	}
	return e
}

// Undo returns the entry that takes a person's credit back, if the policy does
// that: only what has not earned a slot yet can be reversed.
func (p Policy) Undo(history []Entry, slots []Slot, person string, t time.Time) (Entry, bool) {
	counted := 0
	for _, h := range history {
		if h.Person == person {
			counted += h.Amount
		}
	}
	if p.Reversal != ReverseIfUnpaid || counted < 1 || net(history)-1 < p.spent(slots) {
		return Entry{}, false
	}
	return Entry{Kind: Reverse, Person: person, Amount: -1, At: t, Policy: p.Version()}, true
}

func net(history []Entry) int {
	n := 0
	for _, h := range history {
		n += h.Amount
	}
	return n
}

// spent is how many introductions the slots took, each by the ratio of the
// policy under which it was earned: a new ratio counts for the future only.
func (p Policy) spent(slots []Slot) int {
	n := 0
	for _, s := range slots {
		n += ratioOf(s.Policy, p.Ratio)
	}
	return n
}

// A Balance sums a ledger up.
type Balance struct{ Net, Ratio, Earned, ToNext int }

// Balance sums up under the ratio of p. Earned counts the slots that exist and
// those that are owed.
func (p Policy) Balance(history []Entry, slots []Slot) Balance {
	b := Balance{Net: net(history), Ratio: p.Ratio, Earned: len(slots)}
	rest := b.Net - p.spent(slots)
	if rest > 0 {
		b.Earned += rest / p.Ratio
		rest %= p.Ratio
	}
	b.ToNext = p.Ratio - rest
	return b
}

// Owed returns how many slots the ledger has earned beyond those that exist. A
// slot once earned stays, so it is never negative.
func (p Policy) Owed(history []Entry, slots []Slot) int {
	return p.Balance(history, slots).Earned - len(slots)
}

// A SlotState is where a free introduction stands.
type SlotState string

// The states of a slot.
const (
	Earned    SlotState = "earned"
	Requested SlotState = "requested"
	Proposed  SlotState = "candidate_proposed"
	Met       SlotState = "meeting_held"
	Hired     SlotState = "hired"
	NotHired  SlotState = "not_hired"
	Consumed  SlotState = "consumed"
	Returned  SlotState = "returned"
	Expired   SlotState = "expired"
)

// A Slot is one free introduction.
type Slot struct {
	ID       string
	State    SlotState
	Policy   string
	EarnedAt time.Time
}

var moves = map[SlotState][]SlotState{
	Earned:    {Requested, Expired},
	Requested: {Proposed, Returned, Expired},
	Proposed:  {Met, Returned},
	Met:       {Hired, NotHired},
	Hired:     {Consumed},
	NotHired:  {Consumed, Returned},
	Returned:  {Requested, Expired},
}

// kept are the states in which a promise is kept, so that the slot may be
// consumed without waiting for more: an introduction is no meeting, and a
// meeting is no hire.
var kept = map[string][]SlotState{"introduction": {Proposed, Met}, "meeting": {Met}}

// May reports whether s may go to next. What was promised is what the policy
// says under which the slot was earned.
func (s Slot) May(next SlotState) bool {
	return slices.Contains(moves[s.State], next) || next == Consumed && slices.Contains(kept[promiseOf(s.Policy)], s.State)
}

// promiseOf returns the promise that a version names.
func promiseOf(version string) string { return version[strings.LastIndex(version, "/")+1:] }
