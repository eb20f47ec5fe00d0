package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// A source is a vendor that is asked for news. Its cursor is how many of its
// events were told, with a plus behind it in the middle of a sweep.
type source struct {
	*vendor
	mu     sync.Mutex
	events []ats.Event
	part   int // events of one call; 0 for all
	fail   func(call int) error
	broken bool // what was read comes beside an error
	hook   func(ctx context.Context)
	calls  int
}

func (s *source) Poll(ctx context.Context, cursor string) ([]connectors.Payload, string, error) {
	s.mu.Lock()
	s.calls++
	call, fail, hook := s.calls, s.fail, s.hook
	s.mu.Unlock()
	if hook != nil {
		hook(ctx)
	}
	var err error
	if fail != nil {
		err = fail(call)
	}
	if err != nil && !s.broken {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	told := 0
	if cursor != "" {
		told, _ = strconv.Atoi(strings.TrimSuffix(cursor, "+"))
	}
	end := len(s.events)
	if s.part > 0 {
		end = min(end, told+s.part)
	}
	var news []connectors.Payload
	for _, e := range s.events[told:end] {
		body, _ := json.Marshal([]ats.Event{e})
		news = append(news, connectors.Payload{Body: body})
	}
	next := strconv.Itoa(end)
	if end < len(s.events) {
		next += "+"
	}
	return news, next, err
}

func (s *source) More(cursor string) bool { return strings.HasSuffix(cursor, "+") }

func (s *source) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *source) tell(events ...ats.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, events...)
}

// source makes the connection ats of a company one that is asked for news.
func (l *lab) source(companies ...string) map[string]*source {
	sources := map[string]*source{}
	for _, id := range append(companies, "acme") {
		if id != "acme" {
			l.office.open(id)
		}
		l.office.companies[id].Connections = map[string]configs.Connection{"ats": {Vendor: "fake"}}
		sources[id] = &source{vendor: &vendor{}}
	}
	l.Open = func(company, connection string) (connectors.Connector, error) {
		name, _, _ := strings.Cut(connection, "-")
		if s := sources[company]; s != nil && name == "ats" {
			return s, nil
		}
		return nil, ats.Errorf(ats.NotFound, "no connection %s", connection)
	}
	return sources
}

// tick sweeps what is due and waits for it.
func (l *lab) tick() {
	l.t.Helper()
	var under sweeps
	err := l.pollDue(context.Background(), &under)
	under.group.Wait()
	if err != nil {
		l.t.Fatal(err)
	}
}

// at returns where acme's poller stands.
func (l *lab) at() record.Poll {
	l.t.Helper()
	p, err := l.db.Poll(context.Background(), "acme", "ats")
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

// next lets time pass until the next sweep is due and sweeps.
func (l *lab) next() {
	l.t.Helper()
	l.clock.set(l.at().DueAt)
	l.tick()
	l.step()
}

func (l *lab) pollBrake() string {
	l.t.Helper()
	brakes, err := l.db.Brakes(context.Background(), "acme", false)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, b := range brakes {
		if b.Kind == "poll" {
			return b.Cause
		}
	}
	return ""
}

// The first sweep only fills the memory. What it brings never mails by itself,
// and does not count as the company's usual volume.
func TestTheFirstSweepIsSilent(t *testing.T) {
	l := newLab(t)
	s := l.source()["acme"]
	l.company().Sending.Brake.Batch = 5
	old := l.rejection("long ago")
	old.At = l.clock.now().AddDate(0, 0, -40)
	s.tell(old)
	for i := range 10 {
		s.tell(l.rejection(fmt.Sprint("past-", i)))
	}
	l.tick()
	l.step()
	l.expect("past-3", record.MailHeld, sending.CodeCold)
	mails, err := l.db.Mails(t.Context(), record.Filter{Company: "acme", Application: "long ago"})
	if err != nil || len(mails) != 0 {
		t.Errorf("a decision of long ago has %d mails, %v", len(mails), err)
	}
	if a, err := l.db.Application(t.Context(), "long ago", false); err != nil || a.State != ats.Rejected || a.Decision != sending.CodeHistory {
		t.Errorf("it is not recorded: %+v, %v", a, err)
	}
	s.tell(l.rejection("new"))
	l.next()
	l.until(l.clock.now().Add(24 * time.Hour))
	l.expect("new", record.MailSent, "")
	l.expect("past-3", record.MailHeld, sending.CodeCold)
	if n := len(l.post.letters()); n != 1 {
		t.Errorf("%d letters, want that of the new decision", n)
	}
}

func TestManyNewsAtOnceBrake(t *testing.T) {
	l := newLab(t)
	s := l.source()["acme"]
	l.tick()
	for i := range 80 {
		s.tell(l.rejection(strconv.Itoa(i)))
	}
	l.next()
	l.until(l.clock.now().Add(24 * time.Hour))
	if n := len(l.post.letters()); n != 0 {
		t.Errorf("%d letters left, want none before a person looked", n)
	}
	l.expect("7", record.MailHeld, "brake_volume")
}

func TestASweepIsDueAtItsOwnTime(t *testing.T) {
	l := newLab(t)
	s := l.source()["acme"]
	l.company().Connections["ats"] = configs.Connection{Vendor: "fake", Poll: configs.Poll{Every: ats.Duration(30 * time.Minute)}}
	l.tick()
	first := l.at().DueAt
	if wait := first.Sub(l.clock.now()); wait <= 0 || wait > 30*time.Minute {
		t.Errorf("the next sweep is due after %s", wait)
	}
	l.clock.set(first.Add(-time.Second))
	l.tick()
	if s.asked() != 1 {
		t.Fatalf("asked %d times before the time", s.asked())
	}
	l.clock.pass(5 * time.Second)
	l.tick()
	if got := l.at().DueAt; s.asked() != 2 || !got.Equal(first.Add(30*time.Minute)) {
		t.Errorf("asked %d times, next at %s, want %s", s.asked(), got, first.Add(30*time.Minute))
	}
	if at := l.at(); !at.UpdatedAt.Equal(l.clock.now()) || !at.SweptAt.Equal(l.clock.now()) || at.First {
		t.Errorf("got %+v", at)
	}
}

// The sweeps of many connections spread over the time between them.
func TestSlots(t *testing.T) {
	seen := map[int]int{}
	for i := range 600 {
		at := slot(fmt.Sprint("acme/", i), 15*time.Minute, monday)
		if !at.After(monday) || at.Sub(monday) > 15*time.Minute {
			t.Fatalf("got %s", at)
		}
		if again := slot(fmt.Sprint("acme/", i), 15*time.Minute, at); !again.Equal(at.Add(15 * time.Minute)) {
			t.Fatalf("after %s comes %s", at, again)
		}
		seen[int(at.Sub(monday)/time.Minute)]++
	}
	for minute := range 15 {
		if seen[minute] < 15 {
			t.Errorf("minute %d has %d sweeps of 600", minute, seen[minute])
		}
	}
}

func TestAnErrorOfTheVendor(t *testing.T) {
	soon, long := func(d time.Duration) bool { return d == time.Minute }, func(d time.Duration) bool { return d == 15*time.Minute }
	exact := func(d time.Duration) bool { return d == 41*time.Second }
	for name, tt := range map[string]struct {
		err      error
		wait     func(time.Duration) bool
		failures int
		brake    string
	}{
		"a limit is waited for exactly":           {ats.BusyFor(41*time.Second, "429"), exact, 0, ""},
		"a vendor that is down is asked again":    {ats.Errorf(ats.Busy, "503"), soon, 1, ""},
		"an answer of another form":               {ats.Errorf(ats.Invalid, "not the JSON"), soon, 1, ""},
		"a refused key stops and says so":         {ats.Errorf(ats.Denied, "401 Unauthorized"), long, 1, "ats: 401 Unauthorized"},
		"an error without a fault":                {errors.New("misaki@example.jp"), soon, 1, ""},
		"a panic is an error of this connection":  {nil, soon, 1, ""},
		"a key that may not read is refused also": {fmt.Errorf("candidacies: %w", ats.Errorf(ats.Denied, "403 Forbidden")), long, 1, "ats: candidacies: 403 Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			s := l.source()["acme"]
			s.fail = func(int) error {
				if tt.err == nil {
					panic("misaki@example.jp")
				}
				return tt.err
			}
			l.tick()
			at := l.at()
			if wait := at.DueAt.Sub(l.clock.now()); !tt.wait(wait) || at.Failures != tt.failures || at.Error == "" || !at.Lease.IsZero() {
				t.Errorf("waits %s after %d failures: %+v", wait, at.Failures, at)
			}
			if got := l.pollBrake(); got != tt.brake {
				t.Errorf("got the brake %q, want %q", got, tt.brake)
			}
			if strings.Contains(l.logs.String()+at.Error, "misaki@") {
				t.Error("the error shows a person")
			}
			s.fail = nil
			s.tell(l.rejection("1"))
			l.next()
			if at := l.at(); at.Error != "" || at.Failures != 0 || at.Cursor != "1" {
				t.Errorf("it works again: got %+v", at)
			}
			if got := l.pollBrake(); got != "" {
				t.Errorf("it works again: got the brake %q", got)
			}
		})
	}
}

func TestProbesBecomeRarer(t *testing.T) {
	for name, tt := range map[string]struct {
		fault   ats.Fault
		waits   []time.Duration
		alarmed int // from which failure on
	}{
		"a refused key":  {ats.Denied, []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 4 * time.Hour}, 1},
		"a dead machine": {ats.Busy, []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, time.Hour}, 5},
	} {
		l := newLab(t)
		s := l.source()["acme"]
		s.fail = func(int) error { return ats.Errorf(tt.fault, "no") }
		l.tick()
		for i, want := range tt.waits {
			at := l.at()
			if wait := at.DueAt.Sub(l.clock.now()); wait != want || at.Alarmed != (i+1 >= tt.alarmed) || (l.pollBrake() != "") != at.Alarmed {
				t.Errorf("%s: failure %d: waits %s, alarmed %t, want %s", name, i+1, wait, at.Alarmed, want)
			}
			l.next()
		}
	}
}

// What came before an error counts.
func TestASweepThatBreaksOffGoesOn(t *testing.T) {
	l := newLab(t)
	s := l.source()["acme"]
	l.tick()
	for i := range 5 {
		s.tell(l.rejection(strconv.Itoa(i)))
	}
	s.part, s.broken = 2, true
	s.fail = func(call int) error {
		if call == 3 {
			return ats.BusyFor(time.Minute, "429")
		}
		return nil
	}
	l.next()
	if at := l.at(); at.Cursor != "4+" || s.asked() != 3 {
		t.Fatalf("got %+v after %d calls", at, s.asked())
	}
	l.next()
	if at := l.at(); at.Cursor != "5" || s.asked() != 4 || at.Error != "" {
		t.Errorf("got %+v after %d calls", at, s.asked())
	}
	if n := l.deliveries(); n != 5 {
		t.Errorf("%d deliveries, want 5", n)
	}
}

// deliveries counts acme's deliveries.
func (l *lab) deliveries() int {
	l.t.Helper()
	all, err := l.db.Deliveries(context.Background(), record.Filter{Company: "acme", Limit: record.MaxPage})
	if err != nil {
		l.t.Fatal(err)
	}
	return len(all)
}

// A process that is killed in the middle of a sweep loses nothing of it, and
// another one goes on when the lease has ended.
func TestAKilledSweepGoesOn(t *testing.T) {
	l := newLab(t)
	s := l.source()["acme"]
	for i := range 4 {
		s.tell(l.rejection(strconv.Itoa(i)))
	}
	s.part = 3
	p, err := l.db.ClaimPoll(t.Context(), "acme", "ats", "fake", pollLease, false)
	if err != nil {
		t.Fatal(err)
	}
	targets := l.targets()
	if err := l.pollPart(t.Context(), targets["acme/ats"], &p, &Polled{}); err != nil {
		t.Fatal(err)
	}
	l.tick() // the process is gone, its lease is not
	if s.asked() != 1 {
		t.Fatalf("asked %d times within the lease", s.asked())
	}
	l.clock.pass(pollLease)
	l.tick()
	if at := l.at(); at.Cursor != "4" || at.First {
		t.Errorf("got %+v", at)
	}
	l.step()
	l.expect("3", record.MailHeld, sending.CodeCold) // still the first sweep
}

func TestAShutdownInterruptsASweep(t *testing.T) {
	l := newLab(t)
	s := l.source()["acme"]
	s.tell(l.rejection("1"))
	ctx, cancel := context.WithCancel(t.Context())
	s.hook = func(ctx context.Context) { cancel(); <-ctx.Done() }
	s.fail = func(int) error { return ats.Errorf(ats.Busy, "no answer") }
	var under sweeps
	if err := l.pollDue(ctx, &under); err != nil {
		t.Fatal(err)
	}
	under.group.Wait()
	if at := l.at(); at.Failures != 0 || at.Error != "" || !at.Lease.IsZero() || !at.DueAt.Equal(l.clock.now()) {
		t.Errorf("got %+v, want it to be due again at once", at)
	}
	s.hook, s.fail = nil, nil
	l.tick()
	if at := l.at(); at.Cursor != "1" {
		t.Errorf("got %+v", at)
	}
}

func TestAPausedConnectionRests(t *testing.T) {
	l := newLab(t)
	s := l.source()["acme"]
	s.fail = func(int) error { return ats.Errorf(ats.Denied, "401") }
	l.tick()
	if l.pollBrake() == "" {
		t.Fatal("no brake")
	}
	l.company().Connections["ats"] = configs.Connection{Vendor: "fake", Paused: true}
	l.clock.pass(24 * time.Hour)
	id := l.arrive(l.rejection("1"))
	l.tick()
	l.step()
	if s.asked() != 1 || l.pollBrake() != "" {
		t.Errorf("asked %d times, brake %q", s.asked(), l.pollBrake())
	}
	if d, j := l.delivery(id), l.job(id); d.Disposition != record.New || j.State != record.JobWaiting || j.Attempts != 0 {
		t.Errorf("the delivery is %s, its job %s after %d attempts; want both to wait", d.Disposition, j.State, j.Attempts)
	}
	if _, err := l.Poll(t.Context(), "acme", "ats"); ats.FaultOf(err) != ats.Conflict {
		t.Errorf("by hand: got %v", err)
	}
	l.company().Connections["ats"] = configs.Connection{Vendor: "fake"}
	s.fail = nil
	l.clock.pass(configWait * 2)
	l.tick()
	l.step()
	if d := l.delivery(id); d.Disposition != record.Decoded || s.asked() != 2 {
		t.Errorf("afterwards the delivery is %s, and the vendor was asked %d times", d.Disposition, s.asked())
	}
}

func TestABellMakesASweepDue(t *testing.T) {
	l := newLab(t)
	s := l.source()["acme"]
	l.tick()
	s.tell(l.rejection("1"))
	l.clock.pass(record.RingRest)
	id := l.deliver(arrival([]byte("ring")))
	l.step()
	if d := l.delivery(id); d.Disposition != record.Ignored || !strings.Contains(d.Reason, "there is news") {
		t.Errorf("the bell is %s (%s)", d.Disposition, d.Reason)
	}
	l.tick()
	l.step()
	if s.asked() != 2 {
		t.Errorf("asked %d times, want at once", s.asked())
	}
	l.letter("1")
}

func (s *source) Rings(p connectors.Payload) bool { return string(p.Body) == "ring" }

// No company waits for the dead vendors of another, and no connection is swept
// by two.
func TestSweepsAreShared(t *testing.T) {
	l := newLab(t)
	var others []string
	for i := range 4 {
		others = append(others, fmt.Sprint("other-", i))
	}
	sources := l.source(others...)
	for i := range 12 {
		l.company().Connections[fmt.Sprint("ats-", i)] = configs.Connection{Vendor: "fake"}
	}
	var mu sync.Mutex
	inside, most := map[string]int{}, map[string]int{}
	release := make(chan struct{})
	for id, s := range sources {
		s.hook = func(context.Context) {
			mu.Lock()
			inside[id]++
			most[id] = max(most[id], inside[id])
			mu.Unlock()
			if id == "acme" {
				<-release
			}
			mu.Lock()
			inside[id]--
			mu.Unlock()
		}
	}
	var under, elsewhere sweeps // two processes
	for range 3 {
		if err := errors.Join(l.pollDue(t.Context(), &under), l.pollDue(t.Context(), &elsewhere)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range others {
		for range 500 {
			if sources[id].asked() > 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if sources[id].asked() != 1 {
			t.Errorf("%s was asked %d times while the vendor of acme hangs", id, sources[id].asked())
		}
	}
	close(release)
	under.group.Wait()
	elsewhere.group.Wait()
	if most["acme"] > 2*pollCompany {
		t.Errorf("%d sweeps of one company at once", most["acme"])
	}
}

func TestPollByHand(t *testing.T) {
	l := newLab(t)
	s := l.source()["acme"]
	s.tell(l.rejection("1"), l.rejection("2"))
	done, err := l.Poll(t.Context(), "acme", "ats")
	if want := (Polled{First: true, News: 2, Kept: 2}); done != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", done, err, want)
	}
	s.tell(l.rejection("3"))
	done, err = l.Poll(t.Context(), "acme", "ats")
	if want := (Polled{News: 1, Kept: 1}); done != want || err != nil {
		t.Errorf("not due, but asked for: got %+v, %v, want %+v", done, err, want)
	}
	s.hook = func(ctx context.Context) {
		if _, err := l.Poll(ctx, "acme", "ats"); ats.FaultOf(err) != ats.Duplicate {
			t.Errorf("beside another: got %v", err)
		}
	}
	if _, err := l.Poll(t.Context(), "acme", "ats"); err != nil {
		t.Error(err)
	}
	s.hook = nil
	s.fail = func(int) error { return ats.Errorf(ats.Denied, "401") }
	if _, err := l.Poll(t.Context(), "acme", "ats"); ats.FaultOf(err) != ats.Denied {
		t.Errorf("got %v", err)
	}
	l.Open = l.open
	for connection, want := range map[string]ats.Fault{"nobody": ats.NotFound, "ats": ats.Invalid} {
		if _, err := l.Poll(t.Context(), "acme", connection); ats.FaultOf(err) != want {
			t.Errorf("%s: got %v, want %s", connection, err, want)
		}
	}
	if _, err := l.Poll(t.Context(), "nobody", "ats"); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("got %v", err)
	}
}

// The loop itself, with a vendor of each kind.
func TestPollingRuns(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		sources := l.source("globex")
		l.company().Connections["ats"] = configs.Connection{Vendor: "fake", Poll: configs.Poll{Every: ats.Duration(time.Minute)}}
		sources["globex"].fail = func(int) error { return ats.Errorf(ats.Denied, "401") }
		stop := l.start()
		time.Sleep(30 * time.Second)
		sources["acme"].tell(l.rejection("1"))
		time.Sleep(150 * time.Second)
		stop()
		if got := sources["acme"].asked(); got < 3 || got > 4 {
			t.Errorf("asked %d times in three minutes, want at once and then every minute", got)
		}
		if got := sources["globex"].asked(); got != 1 {
			t.Errorf("asked with a bad key %d times, want once", got)
		}
		l.letter("1")
	})
}

func TestNewsKeys(t *testing.T) {
	a := newsKey(&vendor{}, connectors.Payload{Body: []byte("a")})
	if b := newsKey(&vendor{}, connectors.Payload{Body: []byte("a"), Received: monday}); a != b || len(a) != 64 {
		t.Errorf("got %q and %q, want the same digest", a, b)
	}
	if got := newsKey(keyed{&vendor{}}, connectors.Payload{Body: []byte("a")}); got != "key of a" {
		t.Errorf("got %q, want the connector's", got)
	}
	if slices.Contains([]string{"", "key of "}, newsKey(keyed{&vendor{}}, connectors.Payload{})) {
		t.Error("a payload without a name has no key")
	}
}

type keyed struct{ *vendor }

func (keyed) Key(p connectors.Payload) string {
	if len(p.Body) == 0 {
		return ""
	}
	return "key of " + string(p.Body)
}
