package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/lever/levertest"
	"github.com/career-relay/connector/jobs/jobstest"
	"github.com/career-relay/connector/mail/mailtest"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/store/storetest"
)

// A house is a whole server with an outside world of fakes.
type house struct {
	t        *testing.T
	server   *server
	base     string // of the public door
	opsBase  string
	sendGrid *mailtest.SendGrid
	lever    *levertest.Server
	network  *relay.Simulator
	redis    *jobstest.Server // nil when Redis runs in the process
	client   *http.Client     // to vendors and recipients; nil for one that reaches everything
	log      *lines
}

const (
	walkSecret   = "walk-secret-0123456789"
	networkKey   = "whsec_d2Fsay10ZXN0LW5ldHdvcmsta2V5LTAxMjM0NTY3ODk="
	walkOpsToken = "walk-ops-token-0123456789"
)

const walkCompany = `company: acme
name: {ja: 株式会社アクメ, en: Acme Inc.}
locale: ja
connections:
  greenhouse: {vendor: greenhouse, secrets: ["env:WALK_SECRET"]}
  lever: {vendor: lever, secrets: ["env:WALK_SECRET"], api_key: "env:LEVER_KEY", api_url: "env:LEVER_URL"}
  sheet: {vendor: generic, secrets: ["env:WALK_SECRET"]}
mail:
  transport: sendgrid
  event_key: EVENT_KEY
  from: {address: saiyo@acme.example.jp, name: アクメ 採用チーム}
  sender: {name: 株式会社アクメ, address: 東京都渋谷区例町1-1-1, contact: saiyo@acme.example.jp}
sending: {mode: live, delay: 0s, window: always, holidays: none, max_age: 3650d}
relay: {mode: link, recipients: [network]}
`

const walkShared = `operator:
  name: {ja: 例示運営, en: Example Operations}
  contact: desk@relay.example.jp
  address: 東京都千代田区例町1-2-3
  privacy: https://relay.example.jp/privacy
recipients:
  network:
    name: {ja: 例示ネットワーク, en: Example Network}
    url: env:NETWORK_URL
    secrets: [env:NETWORK_KEY]
    licence: 13-ユ-000000
    address: 東京都港区例町4-5-6
    representative: 代表取締役 例山 太一
    contact: desk@network.example.jp
`

// eachBackEnd runs a test on everything in one process, and on PostgreSQL with
// a real Redis.
func eachBackEnd(t *testing.T, test func(t *testing.T, h *house)) {
	t.Run("SQLite and Redis in the process", func(t *testing.T) { test(t, openHouse(t, nil)) })
	t.Run("PostgreSQL and Redis", func(t *testing.T) {
		if testing.Short() {
			t.Skip("short: needs servers")
		}
		redis := jobstest.Redis(t)
		h := openHouse(t, redis, "DATABASE_URL", storetest.Postgres(t), "REDIS_URL", redis.URL())
		test(t, h)
	})
}

func openHouse(t *testing.T, redis *jobstest.Server, env ...string) *house {
	t.Helper()
	h := &house{t: t, sendGrid: mailtest.Start(t), redis: redis, log: &lines{}}
	var err error
	if h.lever, err = levertest.New("lever-key", stamp); err != nil {
		t.Fatal(err)
	}
	h.network = relay.NewSimulator([]string{networkKey}, stamp)
	dir := t.TempDir()
	company := strings.Replace(walkCompany, "EVENT_KEY", h.sendGrid.PublicKey(), 1)
	write(t, filepath.Join(dir, "configs", "acme.yaml"), company)
	// The same company with a hold, in which minds may change.
	write(t, filepath.Join(dir, "configs", "slow.yaml"), strings.NewReplacer("company: acme", "company: slow", "delay: 0s", "delay: 1h").Replace(company))
	write(t, filepath.Join(dir, "configs", "relay.yaml"), walkShared)
	values := map[string]string{
		"CONFIGS": filepath.Join(dir, "configs"), "DATA": filepath.Join(dir, "data"), "SENDGRID_API_KEY": string(mailtest.Key), "SENDGRID_BASE_URL": h.sendGrid.URL,
		"CAREERRELAY_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "OPS_TOKEN": walkOpsToken, "WALK_SECRET": walkSecret,
		"LEVER_KEY": "lever-key", "LEVER_URL": serveFake(t, h.lever) + "/v1", "NETWORK_URL": serveFake(t, h.network) + "/referrals", "NETWORK_KEY": networkKey,
	}
	for i := 0; i < len(env); i += 2 {
		values[env[i]] = env[i+1]
	}
	h.start(values)
	return h
}

func serveFake(t *testing.T, handler http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

// start runs the server until the test ends.
func (h *house) start(values map[string]string) {
	h.t.Helper()
	s := &settings{}
	s.bind(pflag.NewFlagSet("", pflag.ContinueOnError), func(name string) (string, bool) {
		v, ok := values[name]
		return v, ok
	})
	if h.client == nil {
		h.client = relay.NewHTTPClient(true)
	}
	h.server = &server{settings: s, migrate: true, client: h.client, log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for address, l := range map[*string]*net.Listener{&s.listen: &h.server.public, &s.opsListen: &h.server.ops} {
		if err := listen(h.t.Context(), "127.0.0.1:0", l); err != nil {
			h.t.Fatal(err)
		}
		*address = (*l).Addr().String()
	}
	if err := s.check(); err != nil {
		h.t.Fatal(err)
	}
	h.base, h.opsBase = s.publicURL, "http://"+s.opsListen
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- h.server.run(ctx, func(context.Context) error {
			close(ready)
			return nil
		})
	}()
	select {
	case <-ready:
	case err := <-done:
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			h.t.Error(err)
		}
		if h.t.Failed() {
			h.t.Log(h.log.text())
		}
	})
}

// lines collects what is logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// hook sends a vendor's sample of a rejection, signed, and returns the status of
// the answer.
func (h *house) hook(company, connection, vendor string, change func(*connectors.Payload)) int {
	h.t.Helper()
	conn, err := h.server.connector(company, connection)
	if err != nil {
		h.t.Fatal(err)
	}
	p, err := signedSample(conn, vendor, "rejected")
	if err != nil {
		h.t.Fatal(err)
	}
	if change != nil {
		change(&p)
	}
	status, err := post(h.t.Context(), h.base+"/hooks/"+company+"/"+connection, p)
	if err != nil {
		h.t.Fatal(err)
	}
	return status
}

// sheet sends a row of the generic signed webhook.
func (h *house) sheet(company, body string) int {
	h.t.Helper()
	conn, err := h.server.connector(company, "sheet")
	if err != nil {
		h.t.Fatal(err)
	}
	p, err := conn.(connectors.Signer).Sign(connectors.Payload{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body), Received: stamp()})
	if err != nil {
		h.t.Fatal(err)
	}
	status, err := post(h.t.Context(), h.base+"/hooks/"+company+"/sheet", p)
	if err != nil {
		h.t.Fatal(err)
	}
	return status
}

// until waits for something that happens in another goroutine.
func (h *house) until(what string, happened func() bool) {
	h.t.Helper()
	for range 1200 {
		if happened() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	h.t.Fatalf("waited in vain until %s", what)
}

// rest waits until no job of a company is at work.
func (h *house) rest(company string) {
	h.t.Helper()
	h.until("nothing is at work", func() bool {
		jobs, err := h.server.db.Jobs(h.t.Context(), record.Filter{Company: company, Limit: record.MaxPage})
		if err != nil {
			h.t.Fatal(err)
		}
		for _, j := range jobs {
			due := j.State == record.JobWaiting && !j.DueAt.After(h.server.db.Now())
			if due || j.State == record.JobDispatched || j.State == record.JobRunning {
				return false
			}
		}
		return true
	})
}

func (h *house) mails(company string) []record.Mail {
	h.t.Helper()
	mails, err := h.server.db.Mails(h.t.Context(), record.Filter{Company: company})
	if err != nil {
		h.t.Fatal(err)
	}
	return mails
}

func (h *house) get(address string) (int, string) {
	h.t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (h *house) form(address string, values url.Values) (int, string) {
	h.t.Helper()
	resp, err := http.PostForm(address, values)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestARejectionBecomesOneMail(t *testing.T) {
	eachBackEnd(t, func(t *testing.T, h *house) {
		if got := h.hook("acme", "greenhouse", "greenhouse", nil); got != http.StatusOK {
			t.Fatalf("the door answered %d", got)
		}
		h.until("a mail left", func() bool { return h.sendGrid.Count() > 0 })
		for range 20 {
			if got := h.hook("acme", "greenhouse", "greenhouse", nil); got != http.StatusOK {
				t.Errorf("a redelivery was answered with %d", got)
			}
		}
		if got := h.hook("acme", "greenhouse", "greenhouse", func(p *connectors.Payload) { p.Body = append(p.Body, ' ') }); got != http.StatusUnauthorized {
			t.Errorf("a changed body was answered with %d", got)
		}
		h.rest("acme")
		if got := h.sendGrid.Count(); got != 1 {
			t.Errorf("%d mails left, want 1", got)
		}
		m := h.sendGrid.Mails()[0]
		if !strings.Contains(m.Text, " 様") || !strings.Contains(m.Text, h.base+"/r/") || !strings.Contains(m.Text, h.base+"/u/") {
			t.Errorf("the mail lacks the name or a link:\n%s", m.Text)
		}
		h.provider(t, m)
	})
}

// provider lets the mail provider speak, signed and unsigned.
func (h *house) provider(t *testing.T, m mailtest.Mail) {
	t.Helper()
	body, header := h.sendGrid.Sign(m.Event("delivered", stamp()), m.Event("bounce", stamp()).With("type", "bounce"))
	bad := header.Clone()
	bad.Set("X-Twilio-Email-Event-Webhook-Timestamp", "1")
	for status, head := range map[int]http.Header{http.StatusUnauthorized: bad, http.StatusOK: header} {
		got, err := post(t.Context(), h.base+"/hooks/mail/acme", connectors.Payload{Header: head, Body: body})
		if err != nil || got != status {
			t.Errorf("the provider's events were answered with %d (%v), want %d", got, err, status)
		}
	}
	h.until("the bounce is known", func() bool { return h.mails("acme")[0].Delivery == "bounced" })
	// The same person is turned down again: the mailbox is dead, so nothing leaves.
	if got := h.sheet("acme", `{"application_id":"S-1","name":"佐藤 花子","email":"`+m.To+`","outcome":"不採用","ended_at":"2026-10-02"}`); got != http.StatusOK {
		t.Fatalf("the door answered %d", got)
	}
	h.rest("acme")
	if got := h.sendGrid.Count(); got != 1 {
		t.Errorf("%d mails left, want 1", got)
	}
}

func TestAChangedMindIsRespected(t *testing.T) {
	eachBackEnd(t, func(t *testing.T, h *house) {
		row := func(id, outcome, at string) string {
			return `{"application_id":"` + id + `","name":"高橋 蓮","email":"ren@example.jp","outcome":"` + outcome + `","ended_at":"` + at + `"}`
		}
		for _, body := range []string{
			row("A", "不採用", "2026-10-02T10:00:00+09:00"), row("A", "内定", "2026-10-02T11:00:00+09:00"),
			row("B", "内定", "2026-10-02T11:00:00+09:00"), row("B", "不採用", "2026-10-02T10:00:00+09:00"), // out of order
			row("C", "選考辞退", "2026-10-02T10:00:00+09:00"),
		} {
			if got := h.sheet("acme", body); got != http.StatusOK {
				t.Fatalf("the door answered %d", got)
			}
			h.rest("acme")
		}
		// A's mail left before the mind changed: that company waits for nothing.
		if got := h.sendGrid.Count(); got != 1 {
			t.Errorf("%d mails left, want 1", got)
		}
		// With a hold the mail is taken back.
		for _, body := range []string{row("D", "不採用", stamp().Format(time.RFC3339)), row("D", "内定", stamp().Add(time.Second).Format(time.RFC3339))} {
			if got := h.sheet("slow", body); got != http.StatusOK {
				t.Fatalf("the door answered %d", got)
			}
			h.rest("slow")
		}
		if m := h.mails("slow"); len(m) != 1 || m[0].State != record.MailCancelled {
			t.Errorf("the mail is %+v, want it cancelled", m)
		}
	})
}

func TestTheATSIsAskedAtTheSecondOfSending(t *testing.T) {
	eachBackEnd(t, func(t *testing.T, h *house) {
		if got := h.hook("acme", "lever", "lever", nil); got != http.StatusOK {
			t.Fatalf("the door answered %d", got)
		}
		h.until("a mail left", func() bool { return h.sendGrid.Count() == 1 })
		if got := h.hook("slow", "lever", "lever", nil); got != http.StatusOK {
			t.Fatalf("the door answered %d", got)
		}
		h.rest("slow")
		h.lever.Reopen(levertest.Rejected) // no webhook tells us
		m := h.mails("slow")
		if len(m) != 1 || m[0].State != record.MailHeld {
			t.Fatalf("the mail is %+v, want it held", m)
		}
		// A person asks to send at once, but the ATS has changed its mind.
		order := record.Order{Actor: record.System, Filter: record.Filter{ID: h.jobOf(m[0].ID)}, Reason: "test"}
		if _, err := h.server.db.RetryJobs(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		h.rest("slow")
		if m := h.mails("slow"); m[0].State == record.MailSent || h.sendGrid.Count() != 1 {
			t.Errorf("the mail is %s and %d left", m[0].State, h.sendGrid.Count())
		}
	})
}

func (h *house) jobOf(subject string) string {
	h.t.Helper()
	jobs, err := h.server.db.JobsOf(h.t.Context(), subject)
	if err != nil || len(jobs) == 0 {
		h.t.Fatalf("no job of %s: %v", subject, err)
	}
	return jobs[len(jobs)-1].ID
}

var pageLink = regexp.MustCompile(`http://[^/\s]+/[ru]/[A-Za-z0-9_-]+`)

func TestAYesTravelsToTheRecipient(t *testing.T) {
	eachBackEnd(t, func(t *testing.T, h *house) {
		h.sheet("acme", `{"application_id":"Y","name":"山田 葵","email":"aoi@example.jp","outcome":"不採用","stage":"一次面接","ended_at":"2026-10-02"}`)
		h.until("a mail left", func() bool { return h.sendGrid.Count() == 1 })
		link := pageLink.FindString(h.sendGrid.Mails()[0].Text)
		if status, page := h.get(link); status != http.StatusOK || !strings.Contains(page, "株式会社アクメ") {
			t.Fatalf("the landing page answered %d", status)
		}
		h.register(t, link)
		h.until("the confirmation mail left", func() bool { return h.sendGrid.Count() == 2 })
		if got := len(h.network.Received()); got != 0 {
			t.Fatalf("%d referrals before the address was confirmed", got)
		}
		confirm := pageLink.FindString(h.sendGrid.Mails()[1].Text)
		_, page := h.get(confirm)
		h.rest("acme")
		if got := len(h.network.Received()); got != 0 {
			t.Fatalf("%d referrals after merely opening the link", got)
		}
		h.form(h.base+action.FindStringSubmatch(page)[1], url.Values{})
		h.until("the referral arrived", func() bool { return len(h.network.Received()) == 1 })
		h.rest("acme")
		company, err := h.server.tenants.Company("acme")
		if err != nil {
			t.Fatal(err)
		}
		account, err := h.server.db.Account(t.Context(), "acme", company.Relay.Policy)
		if err != nil || account.Net != 1 || account.ToNext != 9 {
			t.Errorf("the account is %+v (%v), want one introduction", account, err)
		}
		h.leaks(t, "山田", "葵", "aoi@example.jp", walkSecret)
	})
}

var (
	action   = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
	required = regexp.MustCompile(`<(?:input|textarea)[^>]* name="([a-z_]+)"[^>]* required`)
	handover = regexp.MustCompile(`name="relay_handover" value="([0-9a-f]+)"`)
	choice   = regexp.MustCompile(`<select[^>]* name="([a-z_]+)"[^>]* required[^>]*><option value="">[^<]*</option><option value="([^"]+)"`)
)

// register fills the form behind a landing page in, with one consent of several.
func (h *house) register(t *testing.T, link string) {
	t.Helper()
	status, page := h.get(link + "/register")
	agreed := handover.FindStringSubmatch(page)
	if status != http.StatusOK || agreed == nil {
		t.Fatalf("the form answered %d without the consent:\n%s", status, page)
	}
	values := url.Values{"relay_handover": {agreed[1]}}
	for _, field := range required.FindAllStringSubmatch(page, -1) {
		values.Set(field[1], map[string]string{"name": "山田 葵", "kana": "ヤマダ アオイ", "mail": "aoi@example.jp"}[field[1]])
	}
	for _, field := range choice.FindAllStringSubmatch(page, -1) {
		values.Set(field[1], field[2])
	}
	if status, page := h.form(link+"/register", values); status/100 != 2 {
		t.Fatalf("the form was answered with %d:\n%s", status, page)
	}
}

// leaks looks for personal data where there must be none.
func (h *house) leaks(t *testing.T, words ...string) {
	t.Helper()
	_, metrics := h.get(h.opsBase + "/metrics")
	places := map[string]string{"the log": h.log.text(), "the metrics": metrics}
	if h.redis != nil {
		places["Redis"] = dumpRedis(t, h.redis.URL())
	}
	for place, text := range places {
		for _, word := range words {
			if strings.Contains(text, word) {
				t.Errorf("%s holds %q", place, word)
			}
		}
	}
}

func TestRedisMayVanish(t *testing.T) {
	if testing.Short() {
		t.Skip("short: needs servers")
	}
	redis := jobstest.Redis(t)
	h := openHouse(t, redis, "DATABASE_URL", storetest.Postgres(t), "REDIS_URL", redis.URL())
	redis.Kill()
	for _, id := range []string{"1", "2", "3"} {
		if got := h.sheet("acme", `{"application_id":"`+id+`","name":"伊藤 湊","email":"m`+id+`@example.jp","outcome":"不採用","ended_at":"2026-10-02"}`); got != http.StatusOK {
			t.Errorf("the door answered %d without Redis", got)
		}
	}
	redis.Restart()
	redis.Wipe()
	h.until("every mail left", func() bool { return h.sendGrid.Count() == 3 })
}
