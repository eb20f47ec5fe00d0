package jobs

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/career-relay/connector/record"
)

// lost is how long a ticket may be on its way before the sweep takes it for
// lost.
const lost = 60 * time.Second

// A chore is periodic work. Every process ticks; with shared set, one of them
// does it.
type chore struct {
	name   string
	period time.Duration
	shared bool
	do     func(ctx context.Context) error
}

func (w *Worker) chores() []chore {
	return []chore{
		{"sweep", 5 * time.Second, true, w.sweep},
		{"memory", 2 * time.Second, false, w.checkMemory},
		{"clock", time.Minute, false, w.Store.SyncClock},
		{"purge", 10 * time.Minute, true, w.purge},
	}
}

// periodic does the chores until ctx ends.
func (w *Worker) periodic(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range w.chores() {
		group.Go(func() error {
			for ctx.Err() == nil {
				if err := w.chore(ctx, c); err != nil && ctx.Err() == nil {
					w.Log.WarnContext(ctx, "chore put off", "chore", c.name, "err", err)
				}
				sleep(ctx, c.period)
			}
			return nil
		})
	}
	return group.Wait()
}

func (w *Worker) chore(ctx context.Context, c chore) error {
	ctx, cancel := context.WithTimeout(ctx, max(c.period, 30*time.Second))
	defer cancel()
	if c.shared {
		mine, err := w.Store.Lease(ctx, c.name, w.Now().UnixNano()/int64(c.period), w.Name)
		if err != nil || !mine {
			return err
		}
	}
	return c.do(ctx)
}

// sweep gives lost and interrupted jobs back.
func (w *Worker) sweep(ctx context.Context) error {
	swept, err := w.Store.Sweep(ctx, lost)
	if err == nil && swept != (record.Swept{}) {
		w.Log.InfoContext(ctx, "swept", "lost", swept.Redispatched, "interrupted", swept.Interrupted, "killers", swept.Killers, "unclear_mails", swept.Unclear)
	}
	return err
}

// checkMemory notices that Redis was emptied, so that jobs need not wait to be
// taken for lost.
func (w *Worker) checkMemory(ctx context.Context) error {
	forgot, err := w.Courier.Forgot(ctx)
	if err != nil || !forgot {
		return err
	}
	n, err := w.Store.Recall(ctx)
	if err == nil && n > 0 {
		w.Log.InfoContext(ctx, "redis was empty", "recalled", n)
	}
	return err
}

// purge deletes what each company's retention no longer allows.
func (w *Worker) purge(ctx context.Context) error {
	for _, c := range w.Tenants.Companies() {
		for more := true; more && ctx.Err() == nil; {
			var n int
			var err error
			n, more, err = w.Store.Purge(ctx, c.ID, record.Retention{Candidates: c.Retention.Candidates.Std(), Mails: c.Retention.Mails.Std()})
			if err != nil {
				return err
			}
			if n > 0 {
				w.Log.InfoContext(ctx, "purged", "company", c.ID, "rows", n)
			}
		}
	}
	return nil
}
