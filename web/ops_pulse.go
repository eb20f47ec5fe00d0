package web

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
)

// queues are the queues as metrics and pages list them.
var queues = []string{record.LiveQueue, record.BulkQueue}

// A beat is the state of the whole service at one moment: what is open, what
// came in within a day, which brakes are on.
type beat struct {
	record.Pulse
	Brakes []record.Brake
	Alerts []alerts.Alert // that are open
	At     time.Time
}

// A pulse feels the service at most once in a few seconds, however many pages
// and scrapes ask.
type pulse struct {
	desk Desk
	now  func() time.Time

	reading sync.Mutex // held by the one who reads; guards nothing else
	mu      sync.Mutex
	last    beat
}

// fresh is how long a beat is good enough; lately is how far back it looks.
const (
	fresh  = 3 * time.Second
	lately = 24 * time.Hour
)

// feel returns the beat of what whoever asks may see.
func (p *pulse) feel(ctx context.Context) (beat, error) {
	who, company, err := within(ctx)
	if err != nil {
		return beat{}, err
	}
	b, err := p.whole(ctx)
	b.Alerts = toldTo(who, b.Alerts)
	if company != "" {
		b.Pulse = pulseOf(b.Pulse, company)
		b.Brakes = slices.DeleteFunc(slices.Clone(b.Brakes), func(k record.Brake) bool { return k.Company != company })
	}
	return b, err
}

// whole returns the last beat, or a new one when that is too old. While one
// caller reads, the others get the old one.
func (p *pulse) whole(ctx context.Context) (beat, error) {
	now := p.now()
	if last, ok := p.known(now); ok {
		return last, nil
	}
	if !p.reading.TryLock() {
		if last, _ := p.known(now); !last.At.IsZero() {
			return last, nil
		}
		p.reading.Lock() // the first beat of all: wait for it
	}
	defer p.reading.Unlock()
	if last, ok := p.known(now); ok {
		return last, nil
	}
	read, err := p.desk.Pulse(ctx, now.Add(-lately))
	if err != nil {
		return beat{}, err
	}
	brakes, err := p.desk.Brakes(ctx, "", false)
	if err != nil {
		return beat{}, err
	}
	open, err := p.desk.Alerts(ctx, record.Filter{State: "open", Limit: record.MaxPage})
	if err != nil {
		return beat{}, err
	}
	next := beat{Pulse: read, Brakes: brakes, Alerts: open, At: now}
	p.mu.Lock()
	p.last = next
	p.mu.Unlock()
	return next, nil
}

// forget makes the next caller feel anew, after something was done.
func (p *pulse) forget() {
	p.mu.Lock()
	p.last.At = time.Time{}
	p.mu.Unlock()
}

func (p *pulse) known(now time.Time) (beat, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, !p.last.At.IsZero() && now.Sub(p.last.At) < fresh
}
