package store

import (
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/career-relay/connector/ats"
)

// Everybody in a line is worked on once, in groups that are not too large and
// not too many at a time, whoever works.
func TestLine(t *testing.T) {
	const members = 2000
	tests := map[string]struct{ lanes, most int }{
		"one lane":        {1, 256},
		"two lanes":       {2, 7},
		"one at a time":   {1, 1},
		"many lanes each": {24, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var seen []int
			busy := 0
			l := &line[int]{lanes: test.lanes, most: test.most}
			l.work = func(group []int) {
				mu.Lock()
				busy++
				if busy > test.lanes || len(group) > test.most || len(group) == 0 {
					t.Errorf("got a group of %d and %d at work, want at most %d and %d", len(group), busy, test.most, test.lanes)
				}
				seen = append(seen, group...)
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				busy--
				mu.Unlock()
			}
			var all sync.WaitGroup
			for i := range members {
				all.Go(func() {
					if err := l.join(i); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			l.close() // waits for the rest
			slices.Sort(seen)
			if len(seen) != members || len(slices.Compact(seen)) != members {
				t.Errorf("got %d, %d of them different, want %d", len(seen), len(slices.Compact(seen)), members)
			}
			if err := l.join(0); ats.FaultOf(err) != ats.Busy {
				t.Errorf("joining a closed line: got %v, want busy", err)
			}
		})
	}
}

// A line that is full refuses at once, and only then.
func TestFullLine(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	l := &line[int]{lanes: 1, most: 1, room: 3}
	l.work = func([]int) {
		entered <- struct{}{}
		<-release
	}
	go func() { _ = l.join(0) }()
	<-entered
	for i := range 3 {
		if err := l.join(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.join(4); ats.FaultOf(err) != ats.Busy {
		t.Errorf("got %v, want busy", err)
	}
	close(release)
	for range 3 {
		<-entered
	}
	l.close()
}
