package jobs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/credit"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/store"
)

// monday is a business day in Tokyo, at 11 in the morning.
var (
	tokyo  = time.FixedZone("JST", 9*60*60)
	monday = time.Date(2026, 10, 5, 11, 0, 0, 0, tokyo)
)

// A lab is a worker on a real store, with everything around it faked.
type lab struct {
	*Worker
	t      testing.TB
	db     *store.Store
	clock  *clock
	ats    *vendor
	post   *post
	bell   *post // of the service's own mails
	office *office
	logs   *journal
	meter  *meter
	number atomic.Int64 // of deliveries
}

// newLab opens a lab whose clock stands still at monday until it is moved.
func newLab(t testing.TB) *lab {
	t.Helper()
	l := openLab(t, &clock{at: monday})
	return l
}

func openLab(t testing.TB, c *clock) *lab {
	t.Helper()
	l := &lab{t: t, clock: c, ats: &vendor{secret: "right"}, post: &post{}, bell: &post{}, office: &office{companies: map[string]*configs.Company{}}, logs: &journal{}, meter: &meter{}}
	log := slog.New(slog.NewJSONHandler(l.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	db, err := store.Open(context.Background(), store.Options{Dir: t.TempDir(), Keys: [][]byte{bytes.Repeat([]byte{7}, 32)}, Migrate: true, Now: c.now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	letters, err := mail.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.db = db
	l.office.open("acme")
	l.Worker = &Worker{
		Store: db, Tenants: l.office, Open: l.open,
		Transport: func(*configs.Company) (Transport, error) { return Transport{Transport: l.post, Name: "fake"}, nil },
		Post: func(context.Context, string) (Transport, ats.Email, error) {
			return Transport{Transport: l.bell, Name: "fake"}, "alerts@relay.example.test", nil
		},
		Letters: func(*configs.Company) (*mail.Templates, error) { return letters, nil },
		Relay:   &relay.Client{HTTP: http.DefaultClient, Now: db.Now}, PublicURL: "https://relay.example.test", Name: "lab",
		Now: db.Now, Log: log, Meter: l.meter,
	}
	return l
}

func (l *lab) open(company, connection string) (connectors.Connector, error) {
	if connection != "ats" {
		return nil, ats.Errorf(ats.NotFound, "no connection %s", connection)
	}
	return l.ats.as(), nil
}

// company returns the settings of acme, to be changed by a test.
func (l *lab) company() *configs.Company { return l.office.companies["acme"] }

// A clock stands still until it is moved.
type clock struct {
	mu   sync.Mutex
	at   time.Time     // zero: the real time
	skew time.Duration // against the real time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return time.Now().Add(c.skew)
	}
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

func (c *clock) pass(d time.Duration) { c.set(c.now().Add(d)) }

// An office holds hand-made companies.
type office struct {
	mu        sync.Mutex
	companies map[string]*configs.Company
	shared    configs.Shared
	broken    []configs.Status // of files with mistakes
}

// open adds a company whose mails leave at once, from eight to eight on every
// weekday.
func (o *office) open(id string) *configs.Company {
	s := sending.Defaults()
	s.Mode, s.Delay = sending.Live, 0
	c := &configs.Company{
		ID: id, Name: relay.Names{JA: "株式会社アクメ", EN: "Acme Inc."}, Locale: "ja", TimeZone: "Asia/Tokyo", Sending: s,
		Mail: mail.Settings{
			Transport: "mailbox", From: mail.Address{Address: "saiyo@acme.example", Name: "アクメ 採用チーム"}, ReplyTo: "saiyo@acme.example",
			Sender: mail.Sender{Name: "株式会社アクメ", Address: "東京都千代田区1-1", Contact: "saiyo@acme.example"},
		},
		Relay: configs.Relay{Mode: configs.RelayLink, Policy: credit.Policy{Trigger: credit.Registered, Ratio: 10}},
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.companies[id] = c
	return c
}

func (o *office) Company(id string) (*configs.Company, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c, ok := o.companies[id]; ok {
		return c, nil
	}
	return nil, ats.Errorf(ats.NotFound, "no company %s", id)
}

func (o *office) Companies() []*configs.Company {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.SortedFunc(maps.Values(o.companies), func(a, b *configs.Company) int { return cmp.Compare(a.ID, b.ID) })
}

func (o *office) Shared() *configs.Shared { return &o.shared }

func (o *office) Status() []configs.Status { return o.broken }

func (o *office) SharedStatus() configs.Status { return configs.Status{Company: "relay"} }

// A vendor is an ATS whose payloads are our own events in JSON. What it can do
// besides is switched on by setting the function.
type vendor struct {
	mu       sync.Mutex
	secret   string
	hint     bool
	decode   func(connectors.Payload) ([]ats.Event, error)
	complete func(ctx context.Context, e *ats.Event) error
	state    func(ctx context.Context, e ats.Event) (ats.State, error)
	asked    int // how often state was
}

type (
	completer struct{ *vendor }
	checker   struct{ *vendor }
	both      struct {
		completer
		check checker
	}
)

func (v *vendor) as() connectors.Connector {
	switch {
	case v.complete != nil && v.state != nil:
		return both{completer{v}, checker{v}}
	case v.complete != nil:
		return completer{v}
	case v.state != nil:
		return checker{v}
	}
	return v
}

func (v *vendor) Decode(p connectors.Payload) ([]ats.Event, error) {
	v.mu.Lock()
	decode := v.decode
	v.mu.Unlock()
	if decode != nil {
		return decode(p)
	}
	var events []ats.Event
	if err := json.Unmarshal(p.Body, &events); err != nil {
		return nil, ats.Errorf(ats.Invalid, "no rule knows this payload")
	}
	return events, nil
}

func (v *vendor) Verify(p connectors.Payload) error {
	if p.Header.Get("X-Secret") != v.secret {
		return ats.Errorf(ats.Denied, "the signature does not fit")
	}
	return nil
}

func (v *vendor) Ping(p connectors.Payload) bool { return string(p.Body) == "ping" }

func (v *vendor) Hint() bool { return v.hint }

func (c completer) Complete(ctx context.Context, e *ats.Event) error { return c.complete(ctx, e) }

func (c checker) State(ctx context.Context, e ats.Event) (ats.State, error) {
	c.mu.Lock()
	c.asked++
	c.mu.Unlock()
	return c.state(ctx, e)
}

func (b both) State(ctx context.Context, e ats.Event) (ats.State, error) {
	return b.check.State(ctx, e)
}

// A post keeps what was sent. fail, if set, answers instead of sending.
type post struct {
	mu    sync.Mutex
	sent  []mail.Message
	tries int
	fail  func(n int, m mail.Message) error
	hook  func(ctx context.Context, m mail.Message)
}

func (p *post) Send(ctx context.Context, m mail.Message) (mail.Receipt, error) {
	p.mu.Lock()
	p.tries++
	n, fail, hook := p.tries, p.fail, p.hook
	p.mu.Unlock()
	if hook != nil {
		hook(ctx, m)
	}
	if fail != nil {
		if err := fail(n, m); err != nil {
			return mail.Receipt{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return mail.Receipt{Transport: "fake", ProviderID: fmt.Sprintf("provider-%d", n)}, nil
}

func (p *post) letters() []mail.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

func (p *post) attempts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tries
}

// A journal keeps log lines.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// A meter counts.
type meter struct {
	mu     sync.Mutex
	counts map[string]int
}

func (m *meter) count(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[string]int{}
	}
	m.counts[what]++
}

func (m *meter) Job(kind, outcome string, _ time.Duration) { m.count(kind + " " + outcome) }
func (m *meter) Mail(_, class string)                      { m.count("mail " + class) }

func (m *meter) of(what string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[what]
}

// rejection returns the news that acme decided now against application id.
func (l *lab) rejection(id string) ats.Event {
	e := atstest.Rejection()
	e.Application, e.At, e.Candidate.ID = id, l.clock.now(), "C-"+id
	e.Candidate.Email = ats.Email("misaki." + id + "@example.jp")
	return e
}

// news returns another event about an application.
func (l *lab) news(id string, s ats.State) ats.Event {
	e := l.rejection(id)
	e.State = s
	return e
}

// arrive keeps a delivery with these events for acme, as the door does.
func (l *lab) arrive(events ...ats.Event) string { return l.arriveFor("acme", events...) }

func (l *lab) arriveFor(company string, events ...ats.Event) string {
	l.t.Helper()
	body, err := json.Marshal(events)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.deliver(record.Arrival{Delivery: connectors.Delivery{Company: company, Connection: "ats", Door: connectors.Webhook, Payload: connectors.Payload{Body: body}}})
}

func (l *lab) deliver(a record.Arrival) string {
	l.t.Helper()
	id, err := l.save(a)
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

func (l *lab) save(a record.Arrival) (string, error) {
	a.Vendor, a.Keep = "fake", 30*24*time.Hour
	a.Disposition = cmp.Or(a.Disposition, record.New)
	a.Delivery.Payload.Received = l.clock.now()
	if a.Delivery.Key == "" {
		a.Delivery.Key = fmt.Sprint("delivery ", l.number.Add(1))
	}
	return l.db.SaveDelivery(context.Background(), a)
}

// step runs everything that is due now, by hand, and returns how much it was.
func (l *lab) step() int {
	l.t.Helper()
	n := 0
	for tickets := l.tickets(); len(tickets) > 0; tickets = l.tickets() {
		for _, t := range tickets {
			if err := l.handle(context.Background(), t); err != nil {
				l.t.Fatalf("handling %s: %v", t.Job, err)
			}
			n++
		}
	}
	return n
}

// tickets takes what is due out of SQL, as the dispatcher does.
func (l *lab) tickets() []record.Ticket {
	l.t.Helper()
	var out []record.Ticket
	for _, p := range pools {
		loads, err := l.Store.Load(context.Background(), p.queue, p.each)
		if err != nil {
			l.t.Fatal(err)
		}
		shares, _ := p.share(loads, l.configured)
		tickets, err := l.Store.Dispatch(context.Background(), p.queue, shares)
		if err != nil {
			l.t.Fatal(err)
		}
		out = append(out, tickets...)
	}
	return out
}

// until lets time pass up to t, running everything when it is due.
func (l *lab) until(t time.Time) {
	l.t.Helper()
	for {
		l.step()
		due, err := l.db.NextDue(context.Background())
		if err != nil {
			l.t.Fatal(err)
		}
		if due.IsZero() || due.After(t) {
			l.clock.set(t)
			return
		}
		l.clock.set(due)
	}
}

// letter returns the thank-you mail of an application of acme.
func (l *lab) letter(application string) record.Mail {
	l.t.Helper()
	mails, err := l.db.Mails(context.Background(), record.Filter{Company: "acme", Application: application, Purpose: string(mail.ThankYou)})
	if err != nil {
		l.t.Fatal(err)
	}
	if len(mails) != 1 {
		l.t.Fatalf("application %s has %d mails, want 1", application, len(mails))
	}
	return mails[0]
}

// expect fails unless the application's mail is in a state, for a reason.
func (l *lab) expect(application string, state record.MailState, reason string) record.Mail {
	l.t.Helper()
	m := l.letter(application)
	if m.State != state || m.Reason != reason {
		l.t.Errorf("mail of %s is %s (%s), want %s (%s)", application, m.State, m.Reason, state, reason)
	}
	return m
}

// job returns the newest job of a subject.
func (l *lab) job(subject string) record.Job {
	l.t.Helper()
	jobs, err := l.db.JobsOf(context.Background(), subject)
	if err != nil {
		l.t.Fatal(err)
	}
	if len(jobs) == 0 {
		l.t.Fatalf("%s has no job", subject)
	}
	return jobs[len(jobs)-1]
}

func (l *lab) order(f record.Filter) record.Order {
	f.Company = cmp.Or(f.Company, "acme")
	return record.Order{Actor: record.System, Filter: f, Reason: "test"}
}
