package store

import (
	"runtime"
	"sync"

	"github.com/career-relay/connector/ats"
)

// A line does in groups what waits at the same time. There is no timer and no
// worker that would have to be woken: whoever finds a lane free works at once,
// for itself and all who wait by then. The next group forms meanwhile, so that
// a lone caller waits for nobody.
type line[T any] struct {
	lanes int // groups at work at the same time, at most
	most  int // members of a group, at most
	room  int // members that may wait; 0 for no bound
	work  func(group []T)

	mu      sync.Mutex
	waiting []T
	busy    int // lanes at work
	closed  bool
	active  sync.WaitGroup
}

// join queues v. When it returns nil, v was worked on or will be, even if the
// line is closed meanwhile.
func (l *line[T]) join(v T) error {
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return ats.Errorf(ats.Busy, "shutting down")
	case l.room > 0 && len(l.waiting) >= l.room:
		l.mu.Unlock()
		return ats.Errorf(ats.Busy, "%d wait already", l.room)
	}
	l.waiting = append(l.waiting, v)
	if l.busy == l.lanes {
		l.mu.Unlock()
		return nil
	}
	l.busy++
	l.active.Add(1)
	l.mu.Unlock()
	runtime.Gosched() // whoever is about to come joins this group
	group := l.next()
	if group == nil {
		return nil // another lane took v
	}
	l.work(group)
	if group = l.next(); group != nil {
		go l.rest(group) // v need not wait for those who came later
	}
	return nil
}

// rest works until nobody waits.
func (l *line[T]) rest(group []T) {
	for group != nil {
		l.work(group)
		group = l.next()
	}
}

// next takes a group out of the line, or frees the lane when nobody waits.
func (l *line[T]) next() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.waiting), l.most)
	if n == 0 {
		l.busy--
		l.active.Done()
		return nil
	}
	group := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return group
}

// close lets nobody in any more and returns when nobody waits.
func (l *line[T]) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.active.Wait()
}
