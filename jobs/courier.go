package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// taskType is the only type of task. asynq matches types by prefix, so it has
// no part that another could share.
const taskType = "careerrelay.job"

// marker is a key that is gone when Redis lost its memory.
const marker = "careerrelay:marker"

// A Courier carries job numbers through Redis. It forgets everything when
// Redis does, and nothing is lost by that.
type Courier struct {
	log     *slog.Logger
	send    redis.UniversalClient // repeats what was cut off: enqueueing twice is harmless
	receive redis.UniversalClient // never repeats: a dequeue that is run twice loses a task for a minute
	client  *asynq.Client
	inproc  *miniredis.Miniredis
	stop    chan struct{}
	stopped chan struct{}
}

// OpenCourier opens Redis at address (redis://, rediss://, redis-sentinel://),
// or one in this process when address is empty. It does not wait for Redis.
func OpenCourier(address string, log *slog.Logger) (*Courier, error) {
	c := &Courier{log: log, stop: make(chan struct{}), stopped: make(chan struct{})}
	inProcess := address == ""
	if inProcess {
		address = "redis://in-process"
	}
	options, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if inProcess {
		c.inproc = miniredis.NewMiniRedis()
		options.Dialer = func(context.Context, string, string) (net.Conn, error) { return c.inproc.Dial() }
	}
	redis.SetLogger(quiet{log})
	c.send = redis.NewUniversalClient(options)
	once := *options
	once.MaxRetries = -1
	c.receive = redis.NewUniversalClient(&once)
	c.receive.AddHook(breather{})
	c.client = asynq.NewClientFromRedisClient(c.send)
	go c.tick()
	return c, nil
}

// tick moves the clock of an in-process Redis, where nothing expires by itself.
func (c *Courier) tick() {
	defer close(c.stopped)
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if c.inproc != nil {
				c.inproc.FastForward(time.Second)
			}
		case <-c.stop:
			return
		}
	}
}

// redisPatience is how long Redis may take to answer before it counts as away.
const redisPatience = 3 * time.Second

// Ping reports whether Redis answers.
func (c *Courier) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	if err := c.send.Ping(ctx).Err(); err != nil {
		return ats.Errorf(ats.Busy, "redis does not answer: %w", err)
	}
	return nil
}

// A ticket is all that Redis ever sees of a job.
type ticket struct {
	Job string `json:"job"`
	Seq int64  `json:"seq"`
}

// Carry puts a ticket into its queue. A ticket that is there already is fine.
func (c *Courier) Carry(ctx context.Context, t record.Ticket) error {
	payload, err := json.Marshal(ticket{Job: t.Job, Seq: t.Seq})
	if err != nil {
		return err
	}
	_, err = c.client.EnqueueContext(ctx, asynq.NewTask(taskType, payload),
		asynq.TaskID(t.Job+":"+strconv.FormatInt(t.Seq, 10)), asynq.Queue(t.Queue), asynq.MaxRetry(sqlRetries), asynq.Timeout(lease))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	if err != nil {
		return ats.Errorf(ats.Busy, "carrying a job: %w", err)
	}
	return nil
}

// Forgot reports, once, that Redis has lost its memory since the last call (or
// was never used). Whatever was on its way is gone then.
func (c *Courier) Forgot(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	fresh, err := c.send.SetNX(ctx, marker, "1", 0).Result()
	if err != nil {
		return false, ats.Errorf(ats.Busy, "redis does not answer: %w", err)
	}
	return fresh, nil
}

// Close lets go of Redis. The servers must have stopped.
func (c *Courier) Close() error {
	close(c.stop)
	<-c.stopped
	err := errors.Join(c.send.Close(), c.receive.Close())
	if c.inproc != nil {
		c.inproc.Close()
	}
	return err
}

// A breather makes whoever got an error from Redis wait. asynq's servers ask
// again at once, which would keep the processor busy for as long as Redis is
// away.
type breather struct{}

// errorPause is how long.
const errorPause = 200 * time.Millisecond

// DialHook implements redis.Hook.
func (breather) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (breather) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "NOSCRIPT") {
			sleep(ctx, errorPause)
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (breather) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// quiet gives go-redis' own log lines to ours.
type quiet struct{ log *slog.Logger }

// Printf implements go-redis' logger.
func (q quiet) Printf(ctx context.Context, format string, args ...any) {
	q.log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, args...))
}
