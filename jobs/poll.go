package jobs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// Cursors keeps where the pollers stand.
type Cursors interface {
	Polls(ctx context.Context, company string) ([]record.Poll, error)
	ClaimPoll(ctx context.Context, company, connection, vendor string, lease time.Duration, now bool) (record.Poll, error)
	KeepPoll(ctx context.Context, p record.Poll, news []record.Arrival) (kept int, err error)
	RingPoll(ctx context.Context, company, connection string) error
	SilencePoll(ctx context.Context, company, connection string) error
}

const (
	pollTick = 5 * time.Second // how often is looked for sweeps that are due
	// Sweeps under way in this process: all, and those of one company, so that
	// a company's dead vendors cannot take all places.
	pollPlaces  = 8
	pollCompany = 2
	// pollPatience bounds one call of a poller, and pollLease is how long a
	// sweep belongs to whoever began it unless a part of it is kept before.
	pollPatience = 2 * time.Minute
	pollLease    = 3 * time.Minute
	// The time from sweep to sweep.
	pollEvery    = 15 * time.Minute
	pollShortest = time.Minute
	// pollAlarm is how many failures in a row open the brake. A refused key
	// opens it at once.
	pollAlarm = 5
)

var (
	// pollRetries is when a failed sweep is tried again, by the number of
	// failures, and pollProbes how rarely a vendor that refuses the key is asked.
	pollRetries = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
	pollProbes  = []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour}
)

// A target is a connection that can be swept.
type target struct {
	company    *configs.Company
	connection string
	poller     connectors.Poller
	conn       connectors.Connector
}

func (t target) name() string { return t.company.ID + "/" + t.connection }

// poll sweeps what is due until ctx ends, then waits for what is under way.
func (w *Worker) poll(ctx context.Context) error {
	var under sweeps
	defer under.group.Wait()
	trouble := trouble{log: w.Log, what: "polling"}
	for ctx.Err() == nil {
		trouble.note(ctx, w.pollDue(ctx, &under))
		sleep(ctx, pollTick)
	}
	return nil
}

// sweeps are those under way in this process, by company.
type sweeps struct {
	group sync.WaitGroup
	mu    sync.Mutex
	all   int
	of    map[string]int
	named map[string]bool
}

// begin takes a place for a sweep, if there is one.
func (s *sweeps) begin(t target) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= pollPlaces || s.of[t.company.ID] >= pollCompany || s.named[t.name()] {
		return false
	}
	if s.of == nil {
		s.of, s.named = map[string]int{}, map[string]bool{}
	}
	s.all++
	s.of[t.company.ID]++
	s.named[t.name()] = true
	return true
}

func (s *sweeps) end(t target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	s.of[t.company.ID]--
	delete(s.named, t.name())
}

// pollDue begins the sweeps that are due, the longest due first, as far as
// there are places.
func (w *Worker) pollDue(ctx context.Context, under *sweeps) error {
	rows, err := w.Store.Polls(ctx, "")
	if err != nil {
		return err
	}
	known := map[string]record.Poll{}
	for _, p := range rows {
		known[p.Company+"/"+p.Connection] = p
	}
	targets := w.targets()
	for name, p := range known {
		if _, swept := targets[name]; !swept && p.Alarmed {
			if err := w.Store.SilencePoll(ctx, p.Company, p.Connection); err != nil {
				return err
			}
		}
	}
	now := w.Now()
	due := slices.DeleteFunc(slices.Sorted(maps.Keys(targets)), func(name string) bool { return !known[name].Due(now) })
	slices.SortStableFunc(due, func(a, b string) int { return known[a].DueAt.Compare(known[b].DueAt) })
	for _, name := range due {
		t := targets[name]
		if !under.begin(t) {
			continue
		}
		under.group.Go(func() {
			defer under.end(t)
			_, _ = w.pollOnce(ctx, t, false) // it was recorded, or somebody else has it, or SQL is away, which shows elsewhere
		})
	}
	return nil
}

// targets are the connections that can be swept and are not paused, by name.
func (w *Worker) targets() map[string]target {
	out := map[string]target{}
	for _, c := range w.Tenants.Companies() {
		for connection, settings := range c.Connections {
			if settings.Paused {
				continue
			}
			conn, err := w.Open(c.ID, connection)
			if err != nil {
				continue // the company's status says why
			}
			if poller, ok := conn.(connectors.Poller); ok {
				t := target{c, connection, poller, conn}
				out[t.name()] = t
			}
		}
	}
	return out
}

// Poll sweeps one connection now, whether it is due or not, and returns how it
// stands then. While another process sweeps it the error is ats.Duplicate.
func (w *Worker) Poll(ctx context.Context, company, connection string) (Polled, error) {
	c, err := w.Tenants.Company(company)
	if err != nil {
		return Polled{}, err
	}
	settings, ok := c.Connections[connection]
	if !ok {
		return Polled{}, ats.Errorf(ats.NotFound, "%s has no connection %s", company, connection)
	}
	conn, err := w.Open(company, connection)
	if err != nil {
		return Polled{}, err
	}
	poller, ok := conn.(connectors.Poller)
	switch {
	case !ok:
		return Polled{}, ats.Errorf(ats.Invalid, "%s/%s is not polled: %s sends its news", company, connection, settings.Vendor)
	case settings.Paused:
		return Polled{}, ats.Errorf(ats.Conflict, "%s/%s is paused", company, connection)
	}
	return w.pollOnce(ctx, target{c, connection, poller, conn}, true)
}

// Polled says what a sweep brought.
type Polled struct {
	First bool // all of it is history
	News  int
	Kept  int // of the news, those not brought before
}

// pollOnce claims a sweep, carries it out part by part and records how it ended.
func (w *Worker) pollOnce(ctx context.Context, t target, now bool) (done Polled, err error) {
	p, err := w.Store.ClaimPoll(ctx, t.company.ID, t.connection, t.company.Connections[t.connection].Vendor, pollLease, now)
	if err != nil {
		return done, err
	}
	begun := w.Now()
	done.First = p.First
	for err == nil && !p.Lease.IsZero() {
		err = w.pollPart(ctx, t, &p, &done)
	}
	outcome, level := "done", slog.LevelDebug
	switch {
	case err != nil:
		outcome, level = "failed", slog.LevelWarn
	case done.News > 0 || done.First:
		level = slog.LevelInfo
	}
	w.Meter.Job("poll", outcome, w.Now().Sub(begun))
	w.Log.Log(ctx, level, "connection swept", "company", p.Company, "connection", p.Connection, "vendor", p.Vendor, "outcome", outcome,
		"first", done.First, "news", done.News, "kept", done.Kept, "failures", p.Failures, "err", p.Error, "next", p.DueAt)
	return done, err
}

// pollPart asks for one part of a sweep and keeps it together with the cursor
// behind it and with what became of the sweep.
func (w *Worker) pollPart(ctx context.Context, t target, p *record.Poll, done *Polled) error {
	news, next, asked := w.ask(ctx, t, p.Cursor)
	if asked != nil && next == "" {
		news, next = nil, p.Cursor
	}
	arrivals := w.arrivals(t, *p, news)
	now := w.Now()
	p.Cursor, p.Lease = next, time.Time{}
	pager, ok := t.poller.(connectors.Pager)
	switch {
	case asked != nil && ctx.Err() != nil: // our own shutdown is no failure
		p.DueAt = now
	case asked != nil:
		setBack(p, asked, now)
	default:
		p.UpdatedAt, p.Failures, p.Error, p.Fault, p.Alarmed = now, 0, "", "", false
		if ok && pager.More(next) {
			p.Lease = now.Add(pollLease)
			break
		}
		p.First, p.SweptAt, p.DueAt = false, now, slot(t.name(), t.every(), now)
	}
	kept, err := w.Store.KeepPoll(context.WithoutCancel(ctx), *p, arrivals)
	if err != nil {
		return err
	}
	done.News, done.Kept = done.News+len(news), done.Kept+kept
	return asked
}

// setBack notes how a sweep failed and when it is tried again. A vendor that
// asks us to wait has not failed; it is waited for exactly.
func setBack(p *record.Poll, err error, now time.Time) {
	p.Error, p.Fault = scrub(err), ats.FaultOf(err)
	if wait := ats.WaitOf(err); p.Fault == ats.Busy && wait > 0 {
		p.DueAt = now.Add(wait)
		return
	}
	steps := pollRetries
	if p.Fault == ats.Denied {
		steps = pollProbes
	}
	p.DueAt = now.Add(steps[min(p.Failures, len(steps)-1)])
	p.Failures++
	p.Alarmed = p.Alarmed || p.Fault == ats.Denied || p.Failures >= pollAlarm
}

// ask calls the poller once. A panic in it is an error of this connection only.
func (w *Worker) ask(ctx context.Context, t target, cursor string) (news []connectors.Payload, next string, err error) {
	defer func() {
		if r := recover(); r != nil {
			w.Log.ErrorContext(ctx, "panic", "company", t.company.ID, "connection", t.connection, "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			news, next, err = nil, "", fmt.Errorf("panic while polling: %T", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, pollPatience)
	defer cancel()
	return t.poller.Poll(ctx, cursor)
}

// arrivals makes deliveries of news. Those of a first sweep are history.
func (w *Worker) arrivals(t target, p record.Poll, news []connectors.Payload) []record.Arrival {
	out := make([]record.Arrival, len(news))
	for i, n := range news {
		if p.First {
			n = n.AsHistory()
		}
		if n.Received.IsZero() {
			n.Received = w.Now()
		}
		d := connectors.Delivery{Company: t.company.ID, Connection: t.connection, Door: connectors.Poll, Key: newsKey(t.conn, n), Payload: n}
		out[i] = record.Arrival{Delivery: d, Vendor: p.Vendor, Disposition: record.New, Keep: t.company.Retention.Deliveries.Std()}
	}
	return out
}

// newsKey is what the same news has in common when it comes again.
func newsKey(conn connectors.Connector, p connectors.Payload) string {
	if named, ok := conn.(connectors.Identifier); ok {
		if key := named.Key(p); key != "" {
			return key
		}
	}
	sum := sha256.Sum256(p.Body)
	return hex.EncodeToString(sum[:])
}

// every is the time from sweep to sweep.
func (t target) every() time.Duration {
	return max(cmp.Or(t.company.Connections[t.connection].Poll.Every.Std(), pollEvery), pollShortest)
}

// slot is the first time after now at which a connection is swept. Each has its
// own offset, which is always the same, so that the sweeps of all spread evenly
// over the time between them, on however many processes.
func slot(name string, every time.Duration, now time.Time) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	offset := time.Duration(h.Sum64() % uint64(every)) //nolint:gosec // every is positive
	at := now.Truncate(every).Add(offset)
	for !at.After(now) {
		at = at.Add(every)
	}
	return at
}
