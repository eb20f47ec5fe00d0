package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/alerts"
	"github.com/career-relay/connector/rules/consent"
)

// A watch is everybody who is told about alerts.
type watch struct {
	now    func() time.Time
	mu     sync.Mutex
	said   map[string][]string // what came through each web channel
	status map[string]int      // answers of it; 0 for 200
}

func (w *watch) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	channel := strings.TrimPrefix(r.URL.Path, "/")
	if code := w.status[channel]; code != 0 {
		http.Error(rw, "misaki@example.jp", code)
		return
	}
	if channel == "hook" {
		if err := relay.Verify([]ats.Secret{whsec}, r.Header, body, w.now()); err != nil {
			http.Error(rw, err.Error(), http.StatusUnauthorized)
			return
		}
	}
	w.said[channel] = append(w.said[channel], string(body))
}

func (w *watch) count(channel string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.said[channel])
}

// watched gives the lab every channel, and a connection to be listened to.
func (l *lab) watched() *watch {
	l.t.Helper()
	w := &watch{now: l.clock.now, said: map[string][]string{}, status: map[string]int{}}
	server := httptest.NewServer(w)
	l.t.Cleanup(server.Close)
	client := server.Client()
	l.t.Cleanup(client.CloseIdleConnections)
	l.Relay = &relay.Client{HTTP: client, Now: l.db.Now}
	l.office.shared.Alerts = configs.Duty{
		Alerts: configs.Alerts{To: "duty@relay.example.test", Slack: ats.Secret(server.URL + "/duty")}, Locale: "en",
		Webhook: &relay.Hook{URL: server.URL + "/hook", Secrets: []ats.Secret{whsec}},
	}
	l.office.shared.Access.Console = "https://ops.example.test/"
	l.company().Alerts = configs.Alerts{To: "ops@acme.example", Slack: ats.Secret(server.URL + "/acme")}
	l.company().Connections = map[string]configs.Connection{"ats": {Vendor: "fake", Silence: 2}}
	return w
}

// look does what is due, runs the chore once and sends what follows.
func (l *lab) look() {
	l.t.Helper()
	l.step()
	if err := l.alarm(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	l.step()
}

// brake opens or closes the poll brake of acme, which stops nothing else.
func (l *lab) brake(cause string) {
	l.t.Helper()
	p, err := l.db.ClaimPoll(l.t.Context(), "acme", "polled", "fake", time.Minute, true)
	if err != nil {
		l.t.Fatal(err)
	}
	p.Lease, p.Error, p.Alarmed, p.UpdatedAt = time.Time{}, cause, cause != "", l.clock.now()
	if _, err := l.db.KeepPoll(l.t.Context(), p, nil); err != nil {
		l.t.Fatal(err)
	}
}

// told lists the headlines that the person on duty got by mail.
func (l *lab) told() []string {
	var out []string
	for _, m := range l.bell.letters() {
		if m.To.Address == "duty@relay.example.test" {
			out = append(out, m.Subject)
		}
	}
	return out
}

func TestAnAlertIsToldOnceInEveryChannelUntilItIsOver(t *testing.T) {
	l := newLab(t)
	w := l.watched()
	l.look()
	l.brake("401")
	for range 5 {
		l.look()
		l.clock.pass(time.Minute)
	}
	want := []string{"[Alert] Acme Inc.: Not polled"}
	if diff := cmp.Diff(want, l.told()); diff != "" {
		t.Fatalf("told differs (-want +got):\n%s", diff)
	}
	restarted := &Worker{Store: l.db, Tenants: l.office, PublicURL: l.PublicURL, Now: l.Now, Log: l.Log}
	if err := restarted.alarm(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.clock.pass(25 * time.Hour)
	l.look()
	l.brake("")
	l.look()
	l.clock.pass(10 * time.Minute)
	l.look()
	l.clock.pass(30 * 24 * time.Hour)
	l.look()
	want = append(want, "[Still open] Acme Inc.: Not polled", "[Resolved] Acme Inc.: Not polled")
	if diff := cmp.Diff(want, l.told()); diff != "" {
		t.Errorf("told differs (-want +got):\n%s", diff)
	}
	for _, channel := range []string{"duty", "acme", "hook"} {
		if n := w.count(channel); n != 3 {
			t.Errorf("%s got %d, want 3", channel, n)
		}
	}
	letters := l.bell.letters()
	if len(letters) != 6 {
		t.Fatalf("%d mails, want 3 to each of two", len(letters))
	}
	own := letters[slices.IndexFunc(letters, func(m mail.Message) bool { return m.To.Address == "ops@acme.example" })]
	if own.Subject != "【要対応】株式会社アクメ：取得できない接続" || !strings.Contains(own.Text, "鍵を直して") || own.From.Address != "alerts@relay.example.test" {
		t.Errorf("the company's mail: %+v", own)
	}
	var hook struct {
		Type string
		Data struct{ ID, Company, Kind, Text, Advice, Runbook, URL string }
	}
	if err := json.Unmarshal([]byte(w.said["hook"][0]), &hook); err != nil {
		t.Fatal(err)
	}
	if hook.Type != "alert.opened" || hook.Data.Company != "acme" || hook.Data.Kind != "poll_brake" || hook.Data.URL != "https://ops.example.test/alerts/"+hook.Data.ID || !strings.HasSuffix(hook.Data.Runbook, "docs/runbook.md#a-connection-is-not-polled-poll-brake") {
		t.Errorf("the webhook carries %+v", hook)
	}
	if !strings.Contains(w.said["hook"][2], `"type":"alert.resolved"`) || strings.Contains(w.said["hook"][2], `"advice"`) {
		t.Errorf("the end: %s", w.said["hook"][2])
	}
}

// Of several processes one looks at a time, and what one has told no other
// tells again.
func TestReplicasTellOnce(t *testing.T) {
	l := newLab(t)
	w := l.watched()
	l.brake("401")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			replica := &Worker{Store: l.db, Tenants: l.office, Open: l.open, Relay: l.Relay, Post: l.Post, Now: l.Now, Log: l.Log, Meter: l.meter, PublicURL: l.PublicURL}
			for _, c := range replica.chores() {
				if c.name == "alerts" {
					if err := replica.chore(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
			}
			if err := replica.alarm(t.Context()); err != nil { // even without the lease
				t.Error(err)
			}
		})
	}
	all.Wait()
	l.step()
	if n := w.count("hook"); n != 1 || len(l.told()) != 1 {
		t.Errorf("told %d times by webhook and %q by mail", n, l.told())
	}
}

func TestAChannelThatFailsIsTriedAgain(t *testing.T) {
	l := newLab(t)
	w := l.watched()
	w.status["duty"], w.status["acme"] = http.StatusInternalServerError, http.StatusNotFound
	l.bell.fail = func(n int, _ mail.Message) error {
		if n == 1 {
			return ats.Errorf(ats.Unclear, "no answer")
		}
		return nil
	}
	l.brake("401")
	l.look()
	if w.count("hook") != 1 || len(l.bell.letters()) != 1 {
		t.Errorf("the others: %d by webhook, %d mails", w.count("hook"), len(l.bell.letters()))
	}
	jobs, err := l.db.Jobs(t.Context(), record.Filter{Kind: record.AlertJob})
	if err != nil {
		t.Fatal(err)
	}
	states := map[record.JobState]int{}
	for _, j := range jobs {
		states[j.State]++
		if strings.Contains(j.Error, "misaki") || strings.Contains(j.Error, "http") {
			t.Errorf("an error says %q", j.Error)
		}
	}
	if diff := cmp.Diff(map[record.JobState]int{record.JobDone: 2, record.JobWaiting: 2, record.JobDead: 1}, states); diff != "" {
		t.Errorf("jobs differ (-want +got):\n%s", diff)
	}
	w.status["duty"] = 0
	l.until(l.clock.now().Add(time.Hour))
	if w.count("duty") != 1 || len(l.bell.letters()) != 2 {
		t.Errorf("later: %d by chat, %d mails", w.count("duty"), len(l.bell.letters()))
	}
}

func TestAChannelThatIsTakenOutEndsItsNotices(t *testing.T) {
	l := newLab(t)
	l.watched()
	l.brake("401")
	if err := l.alarm(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.office.shared.Alerts, l.company().Alerts = configs.Duty{}, configs.Alerts{}
	l.step()
	jobs, err := l.db.Jobs(t.Context(), record.Filter{Kind: record.AlertJob, State: "cancelled"})
	if err != nil || len(jobs) != 5 || jobs[0].Error != "the channel is not configured any more" {
		t.Errorf("jobs %+v (%v)", jobs, err)
	}
}

// TestEveryCauseIsTold makes everything go wrong, with something personal in
// all of it, and reads every message.
func TestEveryCauseIsTold(t *testing.T) {
	l := newLab(t)
	w := l.watched()
	l.office.shared.Alerts.Certificate = true
	ends, answers := l.clock.now().Add(5*24*time.Hour), true
	l.Certificate = func(context.Context) (time.Time, error) {
		if !answers {
			return time.Time{}, errors.New("misaki@example.jp")
		}
		return ends, nil
	}
	l.office.shared.Recipients = map[string]relay.Recipient{"network": {ID: "network", LicenceUntil: "2026-10-20"}}
	l.office.broken = []configs.Status{{Company: "globex", Errors: []string{"globex.yaml:1: misaki@example.jp"}}}
	l.post.fail = func(int, mail.Message) error { return errors.New("misaki@example.jp") } // unclear
	l.arrive(l.rejection("1"))
	l.deliver(arrival([]byte(`{"unknown":"佐藤 美咲 <misaki@example.jp>"}`)))
	l.until(l.clock.now().Add(soon))
	l.ats.decode = func(connectors.Payload) ([]ats.Event, error) { return nil, errors.New("misaki@example.jp") }
	l.arrive(l.rejection("2"))
	l.brake("misaki@example.jp")
	for range 40 { // a week: the decode job dies, and the connection falls silent
		l.until(l.clock.now().Add(4 * time.Hour))
		if err := l.alarm(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	l.step()
	kinds := map[alerts.Kind]bool{}
	rows, err := l.db.Alerts(t.Context(), record.Filter{State: "open", Limit: record.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rows {
		kinds[a.Kind] = true
	}
	for _, k := range []alerts.Kind{alerts.PollBrake, alerts.Silence, alerts.JobsDead, alerts.Parked, alerts.Unclear, alerts.FileBroken, alerts.Certificate, alerts.Licence} {
		if !kinds[k] {
			t.Errorf("nobody was told of %s", k)
		}
	}
	var all strings.Builder
	for _, said := range w.said {
		all.WriteString(strings.Join(said, "\n"))
	}
	for _, m := range l.bell.letters() {
		all.WriteString(m.Subject + m.Text + m.HTML)
	}
	all.WriteString(l.logs.String())
	for _, personal := range []string{"misaki", "佐藤", "美咲"} {
		if at := strings.Index(all.String(), personal); at >= 0 {
			t.Errorf("%q is told: …%s…", personal, all.String()[max(0, at-200):at+50])
		}
	}
	// While nobody answers, the alert about the certificate stands.
	before := len(l.told())
	answers = false
	l.clock.pass(24 * time.Hour)
	l.look()
	if slices.ContainsFunc(l.told()[before:], func(s string) bool { return strings.HasPrefix(s, "[Resolved]") && strings.Contains(s, "Certificate") }) {
		t.Error("the certificate is said to be good because nobody answers")
	}
	answers, ends = true, l.clock.now().Add(90*24*time.Hour)
	for range 3 {
		l.clock.pass(time.Hour)
		l.look()
	}
	if !slices.Contains(l.told(), "[Resolved] Career Relay: Certificate ends") {
		t.Errorf("told %q", l.told())
	}
}

// Silence is counted in business days, and a paused connection is not missed.
func TestSilence(t *testing.T) {
	l := newLab(t)
	l.watched()
	l.arrive(l.rejection("1"))
	l.look()
	for day := range 4 { // Tuesday to Friday
		l.until(monday.AddDate(0, 0, day+1))
		l.look()
		if want := max(0, day-1); len(l.told()) != want { // on Thursday, and again on Friday
			t.Errorf("%d days later: told %q", day+1, l.told())
		}
	}
	l.arrive(l.rejection("2"))
	l.look()
	l.clock.pass(10 * time.Minute)
	l.look()
	want := []string{"[Alert] Acme Inc.: Silent connection", "[Still open] Acme Inc.: Silent connection", "[Resolved] Acme Inc.: Silent connection"}
	if diff := cmp.Diff(want, l.told()); diff != "" {
		t.Errorf("told differs (-want +got):\n%s", diff)
	}
	l.company().Connections["ats"] = configs.Connection{Vendor: "fake", Silence: 2, Paused: true}
	l.until(monday.AddDate(0, 0, 20))
	l.look()
	if diff := cmp.Diff(want, l.told()); diff != "" {
		t.Errorf("a paused connection (-want +got):\n%s", diff)
	}
}

func TestNothingIsHandedOverAfterALicenceEnded(t *testing.T) {
	l := newLab(t)
	network := l.network()
	n := l.office.shared.Recipients["network"]
	n.LicenceUntil = "2026-10-04" // yesterday
	l.office.shared.Recipients["network"] = n
	r := l.register(consent.RelayHandover)
	l.until(l.clock.now().Add(24 * time.Hour))
	if network.asked != 0 {
		t.Fatalf("the recipient was asked %d times", network.asked)
	}
	if j := l.job(r.ID); j.State != record.JobWaiting || j.Error != "the licence of network ended on 2026-10-04" {
		t.Errorf("job %+v", j)
	}
	n.LicenceUntil = "2031-10-04"
	l.office.shared.Recipients["network"] = n
	l.until(l.clock.now().Add(time.Hour))
	if r, err := l.db.Referral(t.Context(), r.ID); err != nil || r.State != record.ReferralHandedOver {
		t.Errorf("referral %+v (%v)", r, err)
	}
}
