package jobs

import (
	"context"
	"time"

	"github.com/career-relay/connector/record"
)

const (
	// window is how many tickets of a queue may be in Redis at once. Small,
	// because what is still in SQL can be cancelled, reordered and is safe.
	window = 256
	// idle is how long the dispatcher sleeps when nobody nudges it; another
	// process' commits do not.
	idle = 100 * time.Millisecond
	// full is how long it waits for room when the window is full.
	full = 5 * time.Millisecond
)

// dispatch moves due jobs into Redis until ctx ends.
func (w *Worker) dispatch(ctx context.Context) error {
	for ctx.Err() == nil {
		pause := idle
		more, err := w.dispatchOnce(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			w.Log.WarnContext(ctx, "dispatching paused", "err", err)
			pause = time.Second
		case more:
			pause = full
		}
		select {
		case <-ctx.Done():
		case <-w.Store.Nudge():
			if err != nil {
				sleep(ctx, pause) // nudges must not defeat the pause after an outage
			}
		case <-time.After(pause):
		}
	}
	return nil
}

// dispatchOnce fills the window of every queue. It reports whether one was
// filled, so that more may be due.
func (w *Worker) dispatchOnce(ctx context.Context) (more bool, err error) {
	due, err := w.Store.NextDue(ctx)
	if err != nil || due.IsZero() || due.After(w.Now()) {
		return false, err
	}
	if err := w.Courier.Ping(ctx); err != nil {
		return false, err
	}
	for _, p := range pools {
		flying, err := w.Store.Flying(ctx, p.queue)
		if err != nil {
			return more, err
		}
		room := window - flying
		if room <= 0 {
			more = true
			continue
		}
		tickets, err := w.Store.Dispatch(ctx, p.queue, room)
		if err != nil {
			return more, err
		}
		more = more || len(tickets) == room
		if err := w.carry(ctx, tickets); err != nil {
			return more, err
		}
	}
	return more, nil
}

// carry hands tickets to Redis, a few at a time. What cannot be carried stays
// dispatched and is found by the sweep.
func (w *Worker) carry(ctx context.Context, tickets []record.Ticket) error {
	const lanes = 8
	errs := make(chan error, lanes)
	next := make(chan record.Ticket)
	for range lanes {
		go func() {
			var failed error
			for t := range next {
				if err := w.Courier.Carry(ctx, t); err != nil {
					failed = err
				}
			}
			errs <- failed
		}()
	}
	for _, t := range tickets {
		next <- t
	}
	close(next)
	var failed error
	for range lanes {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	return failed
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
