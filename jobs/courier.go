package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

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
	redis.SetLogger(quiet{log})
	c := &Courier{log: log, stop: make(chan struct{}), stopped: make(chan struct{})}
	options, err := c.options(address)
	if err != nil {
		return nil, err
	}
	c.send = redis.NewUniversalClient(options)
	once := *options
	once.MaxRetries = -1
	c.receive = redis.NewUniversalClient(&once)
	c.client = asynq.NewClientFromRedisClient(c.send)
	go c.tick()
	return c, nil
}

func (c *Courier) options(address string) (*redis.UniversalOptions, error) {
	o := &redis.UniversalOptions{
		PoolSize: 64, DialTimeout: 2 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		// The probing would only cost a command that older servers refuse.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if address == "" {
		c.inproc = miniredis.NewMiniRedis()
		o.Addrs = []string{"in-process"}
		o.Dialer = func(context.Context, string, string) (net.Conn, error) { return c.inproc.Dial() }
		return o, nil
	}
	if strings.HasPrefix(address, "redis-sentinel://") {
		return o, sentinel(address, o)
	}
	parsed, err := redis.ParseURL(address)
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "REDIS_URL is not an address; write redis://host:6379/0, rediss://… or redis-sentinel://…") // err may quote the password
	}
	o.Addrs, o.DB, o.Username, o.Password, o.TLSConfig = []string{parsed.Addr}, parsed.DB, parsed.Username, parsed.Password, parsed.TLSConfig
	return o, nil
}

// sentinel reads redis-sentinel://user:password@host1:26379,host2:26379/master/0.
func sentinel(address string, o *redis.UniversalOptions) error {
	u, err := url.Parse(address)
	if err != nil {
		return ats.Errorf(ats.Invalid, "REDIS_URL is not an address; write redis-sentinel://host1:26379,host2:26379/master/0")
	}
	master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if master == "" {
		return ats.Errorf(ats.Invalid, "REDIS_URL names no master; write redis-sentinel://host1:26379,host2:26379/master/0")
	}
	o.Addrs, o.MasterName, o.Username = strings.Split(u.Host, ","), master, u.User.Username()
	o.Password, _ = u.User.Password()
	if db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil {
			return ats.Errorf(ats.Invalid, "REDIS_URL: %q is not the number of a database", db)
		}
	}
	return nil
}

// tick moves the clock of an in-process Redis, where nothing expires by itself.
func (c *Courier) tick() {
	defer close(c.stopped)
	if c.inproc == nil {
		<-c.stop
		return
	}
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			c.inproc.FastForward(time.Second)
		case <-c.stop:
			return
		}
	}
}

// Embedded reports whether Redis runs in this process.
func (c *Courier) Embedded() bool { return c.inproc != nil }

// Ping reports whether Redis answers.
func (c *Courier) Ping(ctx context.Context) error {
	if err := c.send.Ping(ctx).Err(); err != nil {
		return ats.Errorf(ats.Busy, "redis does not answer: %w", err)
	}
	return nil
}

// Carry puts a ticket into its queue. A ticket that is there already is fine.
func (c *Courier) Carry(ctx context.Context, t record.Ticket) error {
	payload, err := json.Marshal(ticket{Job: t.Job, Seq: t.Seq})
	if err != nil {
		return err
	}
	_, err = c.client.EnqueueContext(ctx, asynq.NewTask(taskType, payload),
		asynq.TaskID(t.Job+":"+strconv.FormatInt(t.Seq, 10)), asynq.Queue(t.Queue), asynq.MaxRetry(sqlRetries), asynq.Timeout(handlerTimeout))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	if err != nil {
		return ats.Errorf(ats.Busy, "carrying a job: %w", err)
	}
	return nil
}

// A ticket is all that Redis ever sees of a job.
type ticket struct {
	Job string `json:"job"`
	Seq int64  `json:"seq"`
}

// Forgot reports, once, that Redis has lost its memory since the last call (or
// was never used). Whatever was on its way is gone then.
func (c *Courier) Forgot(ctx context.Context) (bool, error) {
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

// A pool is how many jobs of a queue run at once in this process, and how fast
// an idle one notices a new job. Each queue has servers of its own, so that
// bulk work cannot take the places of live work. Live work has two: one server
// takes tasks out one by one.
type pool struct {
	queue    string
	servers  int
	places   int
	interval time.Duration
}

var pools = []pool{
	{queue: record.LiveQueue, servers: 2, places: 24, interval: 25 * time.Millisecond},
	{queue: record.BulkQueue, servers: 1, places: 4, interval: 200 * time.Millisecond},
}

const (
	lease          = 90 * time.Second // of a running job
	handlerTimeout = 60 * time.Second // shorter than the lease
	sqlRetries     = 3                // asynq's own retries serve only "SQL does not answer"
	shutdownGrace  = 8 * time.Second
)

// serve starts the servers of every queue; stop waits for what is at work.
func (c *Courier) serve(handle func(ctx context.Context, t record.Ticket) error) (stop func(), err error) {
	var servers []*asynq.Server
	stop = func() {
		for _, s := range servers {
			s.Stop() // all stop taking before any waits
		}
		for _, s := range servers {
			s.Shutdown()
		}
	}
	for _, p := range pools {
		for range p.servers {
			s := asynq.NewServerFromRedisClient(c.receive, asynq.Config{
				Concurrency: p.places, Queues: map[string]int{p.queue: 1}, TaskCheckInterval: p.interval,
				DelayedTaskCheckInterval: time.Second, ShutdownTimeout: shutdownGrace,
				RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 5 * time.Second },
				Logger:         bridge{c.log}, LogLevel: asynq.WarnLevel,
			})
			mux := asynq.NewServeMux()
			mux.HandleFunc(taskType, func(ctx context.Context, t *asynq.Task) error {
				var v ticket
				if err := json.Unmarshal(t.Payload(), &v); err != nil {
					return fmt.Errorf("decoding a ticket: %w: %w", err, asynq.SkipRetry)
				}
				return handle(ctx, record.Ticket{Job: v.Job, Seq: v.Seq})
			})
			if err := s.Start(mux); err != nil {
				stop()
				return nil, fmt.Errorf("starting the workers: %w", err)
			}
			servers = append(servers, s)
		}
	}
	return stop, nil
}

// quiet gives go-redis' own log lines to ours.
type quiet struct{ log *slog.Logger }

// Printf implements go-redis' logger.
func (q quiet) Printf(ctx context.Context, format string, args ...any) {
	q.log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, args...))
}

// bridge gives asynq's log lines to ours.
type bridge struct{ log *slog.Logger }

func (b bridge) Debug(args ...any) { b.log.Debug("courier", "text", fmt.Sprint(args...)) }
func (b bridge) Info(args ...any)  { b.log.Debug("courier", "text", fmt.Sprint(args...)) }
func (b bridge) Warn(args ...any)  { b.log.Warn("courier", "text", fmt.Sprint(args...)) }
func (b bridge) Error(args ...any) { b.log.Error("courier", "text", fmt.Sprint(args...)) }
func (b bridge) Fatal(args ...any) { b.log.Error("courier", "text", fmt.Sprint(args...)) }

// Depth is how much of a queue is in Redis.
type Depth struct{ Pending, Active, Retry, Archived int }

// Depths looks into Redis. Archived is zero unless something of ours is wrong.
func (c *Courier) Depths() (map[string]Depth, error) {
	inspector := asynq.NewInspectorFromRedisClient(c.send)
	out := map[string]Depth{}
	for _, p := range pools {
		info, err := inspector.GetQueueInfo(p.queue)
		if errors.Is(err, asynq.ErrQueueNotFound) {
			out[p.queue] = Depth{}
			continue
		}
		if err != nil {
			return nil, ats.Errorf(ats.Busy, "looking into redis: %w", err)
		}
		out[p.queue] = Depth{Pending: info.Pending, Active: info.Active, Retry: info.Retry, Archived: info.Archived}
	}
	return out, nil
}

var _ io.Closer = (*Courier)(nil)
