package jobs

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/career-relay/connector/record"
)

const (
	// idle is how long the dispatcher sleeps when nobody nudges it; another
	// process' commits do not.
	idle = 100 * time.Millisecond
	// full is how long it waits for room when more is due than fits.
	full = 10 * time.Millisecond
	// away is how long it waits when Redis or SQL is away.
	away = time.Second
)

// dispatch moves due jobs into Redis until ctx ends.
func (w *Worker) dispatch(ctx context.Context) error {
	trouble := trouble{log: w.Log, what: "dispatching"}
	for ctx.Err() == nil {
		more, err := w.dispatchOnce(ctx)
		trouble.note(ctx, err)
		if err != nil {
			sleep(ctx, away) // nudges must not defeat this pause
			continue
		}
		pause := idle
		if more {
			pause = full
		}
		select {
		case <-ctx.Done():
		case <-w.Store.Nudge():
		case <-time.After(pause):
		}
	}
	return nil
}

// dispatchOnce fills the window of every queue. It reports whether more is due
// than fitted.
func (w *Worker) dispatchOnce(ctx context.Context) (more bool, err error) {
	due, err := w.Store.NextDue(ctx)
	if err != nil || due.IsZero() || due.After(w.Now()) {
		return false, err
	}
	if err := w.Courier.Ping(ctx); err != nil {
		return false, err
	}
	for _, p := range pools {
		loads, err := w.Store.Load(ctx, p.queue, p.each)
		if err != nil {
			return more, err
		}
		shares, rest := p.share(loads, w.configured)
		more = more || rest
		if len(shares) == 0 {
			continue
		}
		tickets, err := w.Store.Dispatch(ctx, p.queue, shares)
		if err != nil {
			return more, err
		}
		if err := w.carry(ctx, tickets); err != nil {
			return more, err
		}
	}
	return more, nil
}

func (w *Worker) configured(company string) bool {
	_, err := w.Tenants.Company(company)
	return err == nil
}

// share gives the room of the window to the companies that have the least
// under way, so that a company's first job does not wait behind another's
// thousands. A company without a configuration gets one place: its jobs can
// only say so and wait again. more reports whether something due got nothing.
func (p pool) share(loads []record.Load, configured func(company string) bool) (shares map[string]int, more bool) {
	room := p.window
	var due []record.Load
	limits := map[string]int{}
	for _, l := range loads {
		room -= l.Flying
		if l.Due == 0 {
			continue
		}
		due, limits[l.Company] = append(due, l), p.each
		if !configured(l.Company) {
			limits[l.Company] = 1
		}
	}
	// Among equals chance decides: any fixed order would starve its end.
	rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] }) //nolint:gosec // fairness, not secrecy
	shares = map[string]int{}
	for level := range p.each {
		for _, l := range due {
			if room > 0 && level < limits[l.Company] && l.Flying+shares[l.Company] == level && shares[l.Company] < l.Due {
				shares[l.Company]++
				room--
			}
		}
	}
	for _, l := range due {
		more = more || limits[l.Company] == p.each && (shares[l.Company] < l.Due || l.Due == p.each)
	}
	return shares, more
}

// lanes is how many tickets are handed to Redis side by side.
const lanes = 8

// carry hands tickets to Redis, also while the process shuts down: what is not
// carried stays dispatched until the sweep finds it.
func (w *Worker) carry(ctx context.Context, tickets []record.Ticket) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisPatience)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(lanes)
	for _, t := range tickets {
		group.Go(func() error { return w.Courier.Carry(ctx, t) })
	}
	return group.Wait()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
