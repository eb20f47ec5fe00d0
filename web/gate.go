package web

import (
	"maps"
	"sync"
	"time"
)

// A gate lets through n things of one name in a window of time. It counts in
// this process only: it spares the database and the log, it proves nothing.
type gate struct {
	n      int
	window time.Duration

	mu    sync.Mutex
	turns map[string]turn
}

type turn struct {
	since time.Time
	n     int
}

// maxTurns bounds the memory of a gate.
const maxTurns = 10_000

func newGate(n int, window time.Duration) *gate {
	return &gate{n: n, window: window, turns: map[string]turn{}}
}

// pass counts one more of name and reports whether it may go through.
func (g *gate) pass(name string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	t, known := g.turns[name]
	if now.Sub(t.since) >= g.window {
		t = turn{since: now}
	}
	if !known && len(g.turns) >= maxTurns {
		g.forget(now)
	}
	t.n++
	g.turns[name] = t
	return t.n <= g.n
}

// forget drops the names whose window is over, or all of them when a flood of
// names keeps them alive.
func (g *gate) forget(now time.Time) {
	maps.DeleteFunc(g.turns, func(_ string, t turn) bool { return now.Sub(t.since) >= g.window })
	if len(g.turns) >= maxTurns {
		clear(g.turns)
	}
}
