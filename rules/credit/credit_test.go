package credit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/rules/credit"
)

var start = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// people makes a ledger of n people who were counted one day after another.
func people(p credit.Policy, n int) []credit.Entry {
	var out []credit.Entry
	for i := range n {
		out = append(out, p.Count(out, fmt.Sprintf("P-%d", i), start.Add(time.Duration(i)*day)))
	}
	return out
}

// slots makes n slots that were earned under p.
func slots(p credit.Policy, n int) []credit.Slot {
	return slices.Repeat([]credit.Slot{{State: credit.Earned, Policy: p.Version()}}, n)
}

func TestPolicy(t *testing.T) {
	p := credit.DefaultPolicy()
	if err := p.Validate(); err != nil {
		t.Errorf("the default is not valid: %v", err)
	}
	if got, want := p.Version(), "registered/10/365d/keep/introduction"; got != want {
		t.Errorf("got version %s, want %s", got, want)
	}
	tests := map[string]struct {
		change func(*credit.Policy)
		want   []string
	}{
		"every other value": {func(p *credit.Policy) {
			*p = credit.Policy{Trigger: credit.HandedOver, Ratio: 1, Reversal: credit.ReverseIfUnpaid, Promise: "hire"}
		}, nil},
		"a meeting":            {func(p *credit.Policy) { p.Promise = "meeting" }, nil},
		"an unknown trigger":   {func(p *credit.Policy) { p.Trigger = "clicked" }, []string{`trigger: "clicked" is not one of registered, handed_over`}},
		"no ratio":             {func(p *credit.Policy) { p.Ratio = 0 }, []string{"ratio: must be 1 or more"}},
		"an unknown reversal":  {func(p *credit.Policy) { p.Reversal = "always" }, []string{`reversal: "always" is not one of keep, reverse_if_unspent`}},
		"an unknown promise":   {func(p *credit.Policy) { p.Promise = "job" }, []string{`promise: "job" is not one of introduction, meeting, hire`}},
		"nothing set":          {func(p *credit.Policy) { *p = credit.Policy{} }, []string{`trigger: "" is not one of registered, handed_over`, "ratio: must be 1 or more", `reversal: "" is not one of keep, reverse_if_unspent`, `promise: "" is not one of introduction, meeting, hire`}},
		"a window of no days":  {func(p *credit.Policy) { p.Dedupe = 0 }, nil},
		"a window of half day": {func(p *credit.Policy) { p.Dedupe = ats.Duration(12 * time.Hour) }, nil},
	}
	versions := map[string]string{p.Version(): "the default"}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := credit.DefaultPolicy()
			tt.change(&p)
			got := ""
			if err := p.Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if other, taken := versions[p.Version()]; taken {
				t.Errorf("has the version of %s", other)
			}
			versions[p.Version()] = name
		})
	}
}

func TestCount(t *testing.T) {
	p := credit.DefaultPolicy()
	counted := func(person string, at time.Time) credit.Entry {
		return credit.Entry{Kind: credit.Credit, Person: person, Amount: 1, At: at}
	}
	reversed := func(person string, at time.Time) credit.Entry {
		return credit.Entry{Kind: credit.Reverse, Person: person, Amount: -1, At: at}
	}
	duplicate := func(person string, at time.Time) credit.Entry {
		return credit.Entry{Kind: credit.Duplicate, Person: person, At: at}
	}
	now := start.Add(365 * day)
	tests := map[string]struct {
		history []credit.Entry
		want    credit.Kind
	}{
		"nobody before":                         {nil, credit.Credit},
		"somebody else":                         {[]credit.Entry{counted("P-2", now)}, credit.Credit},
		"the same person today":                 {[]credit.Entry{counted("P-1", now)}, credit.Duplicate},
		"a moment less than a year ago":         {[]credit.Entry{counted("P-1", start.Add(1))}, credit.Duplicate},
		"exactly a year ago":                    {[]credit.Entry{counted("P-1", start)}, credit.Credit},
		"more than a year ago":                  {[]credit.Entry{counted("P-1", start.Add(-1))}, credit.Credit},
		"by a clock that ran ahead":             {[]credit.Entry{counted("P-1", now.Add(day))}, credit.Duplicate},
		"a duplicate does not prolong the year": {[]credit.Entry{counted("P-1", start), duplicate("P-1", now.Add(-day))}, credit.Credit},
		"a year ago and today":                  {[]credit.Entry{counted("P-1", start), counted("P-1", now.Add(-day))}, credit.Duplicate},
		"taken back":                            {[]credit.Entry{counted("P-1", now.Add(-2*day)), reversed("P-1", now.Add(-day))}, credit.Credit},
		"taken back and counted again":          {[]credit.Entry{counted("P-1", now.Add(-3*day)), reversed("P-1", now.Add(-2*day)), counted("P-1", now.Add(-day))}, credit.Duplicate},
		"somebody else's was taken back":        {[]credit.Entry{counted("P-1", now.Add(-2*day)), reversed("P-2", now.Add(-day))}, credit.Duplicate},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := credit.Entry{Kind: tt.want, Person: "P-1", At: now, Policy: p.Version()}
			if tt.want == credit.Credit {
				want.Amount = 1
			}
			if diff := cmp.Diff(want, p.Count(tt.history, "P-1", now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The numbers are those of the agreed table: net, slots, to the next one.
func TestBalance(t *testing.T) {
	p := credit.DefaultPolicy()
	for _, want := range [][3]int{{0, 0, 10}, {1, 0, 9}, {9, 0, 1}, {10, 1, 10}, {11, 1, 9}, {19, 1, 1}, {20, 2, 10}, {39, 3, 1}, {40, 4, 10}, {47, 4, 3}, {99, 9, 1}, {100, 10, 10}} {
		history := people(p, want[0])
		got := p.Balance(history, nil)
		if diff := cmp.Diff(credit.Balance{Net: want[0], Ratio: 10, Earned: want[1], ToNext: want[2]}, got); diff != "" {
			t.Errorf("%d (-want +got):\n%s", want[0], diff)
		}
		if got := p.Owed(history, nil); got != want[1] {
			t.Errorf("%d: %d slots are owed, want %d", want[0], got, want[1])
		}
		if opened := slots(p, want[1]); p.Owed(history, opened) != 0 || p.Balance(history, opened) != got {
			t.Errorf("%d: the balance changes when its slots are opened: %v", want[0], p.Balance(history, opened))
		}
	}
}

func TestTenthCredit(t *testing.T) {
	p := credit.DefaultPolicy()
	history := people(p, 9)
	if owed := p.Owed(history, nil); owed != 0 {
		t.Fatalf("nine earn %d", owed)
	}
	tenth := p.Count(history, "P-9", start.Add(20*day))
	if owed := p.Owed(append(history, tenth), nil); owed != 1 {
		t.Errorf("ten earn %d, want 1", owed)
	}
	again := p.Count(append(history, tenth), "P-9", start.Add(20*day))
	if owed := p.Owed(append(history, tenth, again), slots(p, 1)); owed != 0 {
		t.Errorf("the tenth twice earns %d more", owed)
	}
}

// A new ratio counts for what is not spent yet, never backwards.
func TestChangedRatio(t *testing.T) {
	ten, five, twenty := credit.DefaultPolicy(), credit.DefaultPolicy(), credit.DefaultPolicy()
	five.Ratio, twenty.Ratio = 5, 20
	tests := map[string]struct {
		now   credit.Policy
		net   int
		slots []credit.Slot
		want  credit.Balance
	}{
		"cheaper: the nine that were left earn one":   {five, 19, slots(ten, 1), credit.Balance{Net: 19, Ratio: 5, Earned: 2, ToNext: 1}},
		"cheaper: nothing was left":                   {five, 10, slots(ten, 1), credit.Balance{Net: 10, Ratio: 5, Earned: 1, ToNext: 5}},
		"dearer: the old slots stay":                  {twenty, 20, slots(ten, 2), credit.Balance{Net: 20, Ratio: 20, Earned: 2, ToNext: 20}},
		"dearer: only what came later counts":         {twenty, 39, slots(ten, 2), credit.Balance{Net: 39, Ratio: 20, Earned: 2, ToNext: 1}},
		"dearer: twenty came later":                   {twenty, 40, slots(ten, 2), credit.Balance{Net: 40, Ratio: 20, Earned: 3, ToNext: 20}},
		"both kinds of slots":                         {ten, 35, append(slots(five, 3), slots(ten, 1)...), credit.Balance{Net: 35, Ratio: 10, Earned: 5, ToNext: 10}},
		"a slot whose policy is not known":            {ten, 12, []credit.Slot{{Policy: "?"}}, credit.Balance{Net: 12, Ratio: 10, Earned: 1, ToNext: 8}},
		"a slot of a policy without a sensible ratio": {ten, 12, []credit.Slot{{Policy: "registered/0/365d/keep/introduction"}}, credit.Balance{Net: 12, Ratio: 10, Earned: 1, ToNext: 8}},
		"more slots than introductions":               {ten, 3, slots(ten, 2), credit.Balance{Net: 3, Ratio: 10, Earned: 2, ToNext: 27}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			history := people(ten, tt.net)
			if diff := cmp.Diff(tt.want, tt.now.Balance(history, tt.slots)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got, want := tt.now.Owed(history, tt.slots), tt.want.Earned-len(tt.slots); got != want {
				t.Errorf("owed: got %d, want %d", got, want)
			}
		})
	}
}

func TestUndo(t *testing.T) {
	reverse := credit.DefaultPolicy()
	reverse.Reversal = credit.ReverseIfUnpaid
	taken := func(n int) []credit.Entry {
		return append(people(reverse, n), credit.Entry{Kind: credit.Reverse, Person: "P-0", Amount: -1})
	}
	tests := map[string]struct {
		policy  credit.Policy
		history []credit.Entry
		slots   []credit.Slot
		person  string
		want    bool
	}{
		"what earned nothing yet":             {reverse, people(reverse, 3), nil, "P-0", true},
		"the policy keeps":                    {credit.DefaultPolicy(), people(reverse, 3), nil, "P-0", false},
		"nobody was counted":                  {reverse, nil, nil, "P-0", false},
		"somebody else was counted":           {reverse, people(reverse, 3), nil, "P-7", false},
		"it was taken back before":            {reverse, taken(3), nil, "P-0", false},
		"the tenth earned a slot":             {reverse, people(reverse, 10), slots(reverse, 1), "P-0", false},
		"the eleventh can go":                 {reverse, people(reverse, 11), slots(reverse, 1), "P-0", true},
		"a slot that was earned for five":     {reverse, people(reverse, 6), []credit.Slot{{Policy: "registered/5/365d/keep/introduction"}}, "P-0", true},
		"the fifth of a slot earned for five": {reverse, people(reverse, 5), []credit.Slot{{Policy: "registered/5/365d/keep/introduction"}}, "P-0", false},
		"a duplicate is not a credit":         {reverse, []credit.Entry{{Kind: credit.Duplicate, Person: "P-0"}}, nil, "P-0", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := tt.policy.Undo(tt.history, tt.slots, tt.person, start)
			want := credit.Entry{}
			if tt.want {
				want = credit.Entry{Kind: credit.Reverse, Person: tt.person, Amount: -1, At: start, Policy: tt.policy.Version()}
			}
			if diff := cmp.Diff(want, got); diff != "" || ok != tt.want {
				t.Errorf("got %t (-want +got):\n%s", ok, diff)
			}
		})
	}
}

// Whatever happens in whatever order, under whatever policies: slots never cost
// more than was introduced, none is taken away, and nobody counts twice within
// the window.
func TestLedger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := rapid.Custom(func(t *rapid.T) credit.Policy {
			p := credit.DefaultPolicy()
			p.Ratio = rapid.IntRange(1, 12).Draw(t, "ratio")
			p.Reversal = rapid.SampledFrom([]credit.Reversal{credit.Keep, credit.ReverseIfUnpaid}).Draw(t, "reversal")
			p.Dedupe = ats.Duration(time.Duration(rapid.IntRange(0, 400).Draw(t, "dedupe")) * day)
			return p
		})
		p, now := policy.Draw(t, "policy"), start
		var history []credit.Entry
		var open []credit.Slot
		cost, earliest := 0, map[string]time.Time{}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "hours")) * time.Hour)
			person := fmt.Sprintf("P-%d", rapid.IntRange(0, 25).Draw(t, "person"))
			switch rapid.IntRange(0, 9).Draw(t, "deed") {
			case 0:
				p = policy.Draw(t, "new policy")
			case 1, 2, 3:
				if e, ok := p.Undo(history, open, person, now); ok {
					history = append(history, e)
					delete(earliest, person)
				}
			default:
				e := p.Count(history, person, now)
				history = append(history, e)
				if last, ok := earliest[person]; ok && e.Kind == credit.Credit && now.Sub(last) < p.Dedupe.Std() {
					t.Fatalf("%s counts twice within %s", person, p.Dedupe)
				}
				if e.Kind == credit.Credit {
					earliest[person] = now
				}
				owed := p.Owed(history, open)
				open = append(open, slots(p, owed)...)
				cost += owed * p.Ratio
			}
			net := 0
			for _, e := range history {
				net += e.Amount
			}
			b := p.Balance(history, open)
			if cost > net {
				t.Fatalf("slots for %d introductions of %d", cost, net)
			}
			if b.Net != net || b.Earned < len(open) || b.ToNext < 1 || b.ToNext > p.Ratio {
				t.Fatalf("%d slots and the balance %+v of %d", len(open), b, net)
			}
		}
	})
}

// An introduction is no meeting, and a meeting is no hire: a slot is used up when
// what its policy promised has happened, not later.
func TestSlotMoves(t *testing.T) {
	all := []credit.SlotState{credit.Earned, credit.Requested, credit.Proposed, credit.Met, credit.Hired, credit.NotHired, credit.Consumed, credit.Returned, credit.Expired}
	common := []string{
		"earned requested", "earned expired",
		"requested candidate_proposed", "requested returned", "requested expired",
		"candidate_proposed meeting_held", "candidate_proposed returned",
		"meeting_held hired", "meeting_held not_hired",
		"hired consumed", "not_hired consumed", "not_hired returned",
		"returned requested", "returned expired",
	}
	for promise, more := range map[string][]string{
		"introduction": {"candidate_proposed consumed", "meeting_held consumed"},
		"meeting":      {"meeting_held consumed"},
		"hire":         nil,
		"":             nil, // of no policy
	} {
		p := credit.DefaultPolicy()
		p.Promise = promise
		may := func(from, to credit.SlotState) bool {
			return credit.Slot{State: from, Policy: p.Version()}.May(to)
		}
		legal := map[string]bool{}
		for _, move := range slices.Concat(common, more) {
			legal[move] = true
		}
		for _, from := range append(slices.Clone(all), "", "unheard_of") {
			for _, to := range append(slices.Clone(all), "", "unheard_of") {
				if got, want := may(from, to), legal[fmt.Sprintf("%s %s", from, to)]; got != want {
					t.Errorf("promise %q, from %q to %q: got %t, want %t", promise, from, to, got, want)
				}
			}
		}
		reached, todo := map[credit.SlotState]bool{}, []credit.SlotState{credit.Earned}
		for len(todo) > 0 {
			s := todo[0]
			todo = todo[1:]
			if reached[s] {
				continue
			}
			reached[s] = true
			for _, next := range all {
				if may(s, next) {
					todo = append(todo, next)
				}
			}
		}
		if len(reached) != len(all) {
			t.Errorf("promise %q: only %v can be reached", promise, reached)
		}
	}
}
