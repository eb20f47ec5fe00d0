package jobs

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/record"
)

func TestShare(t *testing.T) {
	p := pool{window: 10, each: 4}
	tests := map[string]struct {
		loads []record.Load
		want  map[string]int
		more  bool
	}{
		"nothing is due":                                     {[]record.Load{{Company: "a", Flying: 2}}, map[string]int{}, false},
		"a company gets what it has":                         {[]record.Load{{Company: "a", Due: 3}}, map[string]int{"a": 3}, false},
		"a company gets no more than its part":               {[]record.Load{{Company: "a", Due: 4}}, map[string]int{"a": 4}, true},
		"what flies counts":                                  {[]record.Load{{Company: "a", Due: 4, Flying: 3}}, map[string]int{"a": 1}, true},
		"a company at its part waits":                        {[]record.Load{{Company: "a", Due: 4, Flying: 4}}, map[string]int{}, true},
		"the window is shared evenly":                        {[]record.Load{{Company: "a", Due: 4, Flying: 4}, {Company: "b", Due: 3}, {Company: "c", Due: 3}}, map[string]int{"b": 3, "c": 3}, true},
		"the least busy comes first":                         {[]record.Load{{Company: "a", Due: 4, Flying: 3}, {Company: "b", Due: 4, Flying: 3}, {Company: "c", Due: 4, Flying: 1}}, map[string]int{"c": 2}, true},
		"a full window gives nothing":                        {[]record.Load{{Company: "a", Flying: 6}, {Company: "b", Flying: 4}, {Company: "c", Due: 1}}, map[string]int{}, true},
		"an overfull window gives nothing":                   {[]record.Load{{Company: "a", Flying: 16}, {Company: "c", Due: 1}}, map[string]int{}, true},
		"an unconfigured company gets one and does not urge": {[]record.Load{{Company: "gone", Due: 4}}, map[string]int{"gone": 1}, false},
		"an unconfigured company gets one at a time":         {[]record.Load{{Company: "gone", Due: 4, Flying: 1}}, map[string]int{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, more := p.share(tt.loads, func(c string) bool { return c != "gone" })
			if name == "the least busy comes first" { // two left for one of two equals each
				total := 0
				for n := range maps.Values(got) {
					total += n
				}
				if total != 3 || got["c"] < 2 {
					t.Errorf("got %v, want two for c and one more", got)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || more != tt.more {
				t.Errorf("more %v, want %v; shares differ (-want +got):\n%s", more, tt.more, diff)
			}
		})
	}
}

// With room for one at a time, neither the end of the alphabet nor the younger
// of two companies may starve.
func TestEqualsTakeTurns(t *testing.T) {
	p := pool{window: 1, each: 4}
	var loads []record.Load
	for i := range 20 {
		loads = append(loads, record.Load{Company: fmt.Sprintf("c%02d", i), Due: 4})
	}
	served := map[string]bool{}
	for range 2000 { // a company is missed with a chance of 0.95^2000
		shares, _ := p.share(loads, func(string) bool { return true })
		for c := range shares {
			served[c] = true
		}
	}
	if len(served) != 20 {
		t.Errorf("served %v", slices.Sorted(maps.Keys(served)))
	}
}

// One process must have a place for every job that may be dispatched, and a
// company must not be able to take them all.
func TestPoolsHoldTheirWindows(t *testing.T) {
	for _, p := range pools {
		if p.window > p.servers*p.places || p.each > p.window/2 {
			t.Errorf("pool %s: window %d, each %d, %d places", p.queue, p.window, p.each, p.servers*p.places)
		}
	}
}
