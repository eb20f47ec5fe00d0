package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
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
		"the least busy comes first":                         {[]record.Load{{Company: "a", Due: 4, Flying: 3}, {Company: "b", Due: 4, Flying: 4}, {Company: "c", Due: 4, Flying: 1}}, map[string]int{"c": 2}, true},
		"a full window gives nothing":                        {[]record.Load{{Company: "a", Flying: 6}, {Company: "b", Flying: 4}, {Company: "c", Due: 1}}, map[string]int{}, true},
		"an overfull window gives nothing":                   {[]record.Load{{Company: "a", Flying: 16}, {Company: "c", Due: 1}}, map[string]int{}, true},
		"an unconfigured company gets one and does not urge": {[]record.Load{{Company: "gone", Due: 4}}, map[string]int{"gone": 1}, false},
		"an unconfigured company gets one at a time":         {[]record.Load{{Company: "gone", Due: 4, Flying: 1}}, map[string]int{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, more := p.share(tt.loads, func(c string) bool { return c != "gone" })
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

// What is not in Redis can still be cancelled, reordered and counted.
func TestRedisHoldsAWindowOnly(t *testing.T) {
	l := newLab(t)
	l.Courier = openCourier(t, "")
	for i := range 6 {
		company := fmt.Sprint("company", i)
		l.office.open(company)
		for range 100 {
			l.arriveFor(company, l.rejection("1"))
		}
	}
	live := pools[0]
	for range 5 {
		more, err := l.dispatchOnce(t.Context())
		if err != nil || !more {
			t.Fatalf("more %v, %v", more, err)
		}
	}
	depths, err := l.Courier.Depths()
	if err != nil || depths[record.LiveQueue].Pending != live.window {
		t.Errorf("in redis: %+v, %v, want %d", depths, err, live.window)
	}
	loads, err := l.db.Load(t.Context(), record.LiveQueue, live.each)
	if err != nil || len(loads) != 6 {
		t.Fatalf("loads %+v, %v", loads, err)
	}
	for _, load := range loads {
		if even := live.window / 6; load.Flying < even || load.Flying > even+1 {
			t.Errorf("%s has %d under way", load.Company, load.Flying)
		}
	}
}

// A company whose ATS answers nobody keeps its own places busy, and no others.
func TestADeadATSSlowsNobodyElse(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		dead := &vendor{complete: func(ctx context.Context, _ *ats.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		open := l.Open
		l.Open = func(company, connection string) (connectors.Connector, error) {
			if company == "dead" {
				return dead.as(), nil
			}
			return open(company, connection)
		}
		l.office.open("dead")
		for range 300 {
			l.arriveFor("dead", l.rejection("1"))
		}
		l.start()
		time.Sleep(time.Second)
		began := time.Now()
		l.arrive(l.rejection("1"))
		time.Sleep(time.Second)
		if took := l.expect("1", record.MailSent, "").SentAt.Sub(began); took > 200*time.Millisecond {
			t.Errorf("the other company's mail took %v", took)
		}
	})
}
