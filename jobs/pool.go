package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/career-relay/connector/record"
)

// A pool is the places in which the jobs of one queue run in this process.
// Each queue has servers of its own, so that bulk work cannot take the places
// of live work.
type pool struct {
	queue   string
	servers int // each takes tasks out one by one
	places  int // of each server
	// interval is how often an idle server looks for a task.
	interval time.Duration
	// window is how many jobs may be dispatched or at work at once, over all
	// processes. It is small, because what is still in SQL can be cancelled and
	// reordered and is safe, and fits into the places of one process, so that no
	// ticket stands behind those of a slow company.
	window int
	// each is how many of them may be one company's: what its dead ATS blocks is
	// a part of the places and never all.
	each int
}

var pools = []pool{
	{queue: record.LiveQueue, servers: 2, places: 128, interval: 25 * time.Millisecond, window: 256, each: 64},
	{queue: record.BulkQueue, servers: 1, places: 32, interval: 50 * time.Millisecond, window: 32, each: 16},
}

const (
	lease          = 90 * time.Second // of a running job
	handlerTimeout = 60 * time.Second // shorter than the lease
	sqlRetries     = 3                // asynq's own retries serve only "SQL does not answer"
	sqlRetryAfter  = 5 * time.Second
	// shutdownGrace is how long a shutdown waits before it interrupts what is at
	// work, and interruptGrace how long what was interrupted has to say so.
	shutdownGrace  = 8 * time.Second
	interruptGrace = 5 * time.Second
)

var (
	errShutdown = errors.New("interrupted by a shutdown")
	errTooLong  = fmt.Errorf("took longer than %v", handlerTimeout)
	// errSQL is what Redis may know of an error.
	errSQL = errors.New("the database does not answer")
)

// A handler runs one ticket. An error means that it must be tried again.
type handler func(ctx context.Context, t record.Ticket) error

// serve starts the servers of every queue. stop takes no more tasks, waits for
// what is at work, interrupts it after a while and returns when all has ended.
func (c *Courier) serve(handle handler) (stop func(), err error) {
	w := &crew{log: c.log, handle: handle}
	w.ctx, w.interrupt = context.WithCancelCause(context.Background())
	for _, p := range pools {
		for range p.servers {
			s := asynq.NewServerFromRedisClient(c.receive, asynq.Config{
				Concurrency: p.places, Queues: map[string]int{p.queue: 1}, TaskCheckInterval: p.interval,
				DelayedTaskCheckInterval: time.Second, ShutdownTimeout: shutdownGrace + interruptGrace,
				RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return sqlRetryAfter },
				Logger:         bridge{c.log}, LogLevel: asynq.WarnLevel,
			})
			mux := asynq.NewServeMux()
			mux.HandleFunc(taskType, w.take)
			if err := s.Start(mux); err != nil {
				w.clear()
				return nil, fmt.Errorf("starting the workers: %w", err)
			}
			w.servers = append(w.servers, s)
		}
	}
	return w.clear, nil
}

// A crew works on the tasks of all servers.
type crew struct {
	log       *slog.Logger
	handle    handler
	servers   []*asynq.Server
	ctx       context.Context // of every handler: asynq's own ends when Redis is away for a while
	interrupt context.CancelCauseFunc
	working   sync.WaitGroup
}

func (w *crew) take(task context.Context, t *asynq.Task) error {
	w.working.Add(1) // asynq does not wait for a handler whose task it gave up
	defer w.working.Done()
	ctx, cancel := context.WithTimeoutCause(w.ctx, handlerTimeout, errTooLong)
	defer cancel()
	var v ticket
	if err := json.Unmarshal(t.Payload(), &v); err != nil || t.Type() != taskType {
		return fmt.Errorf("not a ticket of ours: %w", asynq.SkipRetry)
	}
	queue, _ := asynq.GetQueueName(task)
	err := w.handle(ctx, record.Ticket{Job: v.Job, Seq: v.Seq, Queue: queue})
	if err == nil {
		return nil
	}
	w.log.WarnContext(ctx, "ticket put back", "job", v.Job, "seq", v.Seq, "err", err)
	if n, _ := asynq.GetRetryCount(task); n >= sqlRetries {
		return fmt.Errorf("%w: %w", errSQL, asynq.RevokeTask) // the sweep finds the job
	}
	return errSQL
}

func (w *crew) clear() {
	for _, s := range w.servers {
		s.Stop() // all stop taking before any waits
	}
	timer := time.AfterFunc(shutdownGrace, func() { w.interrupt(errShutdown) })
	defer timer.Stop()
	var ending sync.WaitGroup
	for _, s := range w.servers {
		ending.Go(s.Shutdown)
	}
	ending.Wait()
	w.interrupt(errShutdown)
	w.working.Wait()
}

// bridge gives asynq's log lines to ours. They speak of Redis, of which our own
// loops speak too, once and not several times a second.
type bridge struct{ log *slog.Logger }

func (b bridge) Debug(args ...any) { b.log.Debug("courier", "text", fmt.Sprint(args...)) }
func (b bridge) Info(args ...any)  { b.log.Debug("courier", "text", fmt.Sprint(args...)) }
func (b bridge) Warn(args ...any)  { b.log.Debug("courier", "text", fmt.Sprint(args...)) }
func (b bridge) Error(args ...any) { b.log.Debug("courier", "text", fmt.Sprint(args...)) }
func (b bridge) Fatal(args ...any) { b.log.Error("courier", "text", fmt.Sprint(args...)) }
