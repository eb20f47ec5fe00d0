package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/career-relay/connector/configs"
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
		{"adopt", time.Minute, true, w.adopt},
		{"memory", 2 * time.Second, false, w.checkMemory},
		{"clock", time.Minute, false, w.Store.SyncClock},
		{"purge", 10 * time.Minute, true, w.purge},
		{"renew", 10 * time.Minute, true, w.renew},
		{"alerts", time.Minute, true, w.alarm},
	}
}

// periodic does the chores until ctx ends.
func (w *Worker) periodic(ctx context.Context) error {
	var group errgroup.Group
	for _, c := range w.chores() {
		group.Go(func() error {
			trouble := trouble{log: w.Log, what: c.name}
			for ctx.Err() == nil {
				trouble.note(ctx, w.chore(ctx, c))
				sleep(ctx, c.period)
			}
			return nil
		})
	}
	return group.Wait()
}

func (w *Worker) chore(ctx context.Context, c chore) (err error) {
	defer func() {
		if r := recover(); r != nil {
			w.Log.ErrorContext(ctx, "panic", "chore", c.name, "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %T", r)
		}
	}()
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

// A trouble writes one line when something begins to fail and one when it
// works again, however often it is tried in between.
type trouble struct {
	log  *slog.Logger
	what string
	on   bool
}

func (t *trouble) note(ctx context.Context, err error) {
	switch {
	case err != nil && ctx.Err() == nil && !t.on:
		t.log.WarnContext(ctx, "put off", "what", t.what, "err", err)
	case err == nil && t.on:
		t.log.InfoContext(ctx, "works again", "what", t.what)
	}
	t.on = err != nil
}

// sweep gives lost and interrupted jobs back.
func (w *Worker) sweep(ctx context.Context) error {
	swept, err := w.Store.Sweep(ctx, lost)
	if err == nil && swept != (record.Swept{}) {
		w.Log.InfoContext(ctx, "swept", "lost", swept.Redispatched, "interrupted", swept.Interrupted, "killers", swept.Killers, "unclear_mails", swept.Unclear)
	}
	return err
}

// adopt looks for what waits without a job. Finding any means that something
// of ours is wrong.
func (w *Worker) adopt(ctx context.Context) error {
	n, err := w.Store.Adopt(ctx)
	if err == nil && n > 0 {
		w.Log.WarnContext(ctx, "orphans adopted", "jobs", n)
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

// purge deletes what each company's retention no longer allows. What is wrong
// with one company does not keep the others' data.
func (w *Worker) purge(ctx context.Context) error {
	kept, err := w.retentions(ctx)
	errs := []error{err}
	for _, company := range slices.Sorted(maps.Keys(kept)) {
		deleted, err := 0, error(nil)
		for more := true; more && err == nil && ctx.Err() == nil; {
			var n int
			n, more, err = w.Store.Purge(ctx, company, kept[company])
			deleted += n
		}
		if deleted > 0 {
			w.Log.InfoContext(ctx, "purged", "company", company, "rows", deleted)
		}
		errs = append(errs, err)
	}
	_, err = w.Store.PurgeAlerts(ctx)
	return errors.Join(append(errs, err)...)
}

// retentions is how long each company's data is kept: as its file says, or as it
// said last. That a file is gone or broken is no reason to keep people's data for
// ever.
func (w *Worker) retentions(ctx context.Context) (map[string]record.Retention, error) {
	out, err := w.Store.Retentions(ctx)
	if err != nil {
		out = map[string]record.Retention{}
	}
	preset := configs.DefaultRetention()
	for company, r := range out {
		out[company] = record.Retention{Candidates: cmp.Or(r.Candidates, preset.Candidates.Std()), Mails: cmp.Or(r.Mails, preset.Mails.Std())}
	}
	for _, c := range w.Tenants.Companies() {
		out[c.ID] = record.Retention{Candidates: c.Retention.Candidates.Std(), Mails: c.Retention.Mails.Std()}
	}
	return out, err
}
