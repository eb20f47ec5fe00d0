package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/web"
)

// scraped are the samples of a scrape by name and labels.
func scraped(tb testing.TB, p page) map[string]string {
	tb.Helper()
	if p.code != http.StatusOK {
		tb.Fatalf("status %d\n%s", p.code, p.body)
	}
	out := map[string]string{}
	for line := range strings.Lines(p.body) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			out[name] = value
		}
	}
	return out
}

func TestMetrics(t *testing.T) {
	o := newOffice(t, func(o *office) { o.ops.Metrics = web.NewMetrics("v1.2.3") })
	o.seed()
	m := o.ops.Metrics
	m.Job("mail", "done", 40*time.Millisecond)
	m.Job("decode", "parked", 0)
	m.Mail("acme", "sent")
	m.Hook("acme", "greenhouse", "kept", 2*time.Millisecond)
	o.login(record.Viewer)
	o.tries("nobody", "a wrong password")
	o.show("/applications/48213377", "ja")
	o.show("/people/misaki@example.jp", "ja")
	o.ask("PURGE", "/jobs", "")
	got := scraped(t, o.ask(http.MethodGet, "/metrics", ""))
	for name, want := range map[string]string{
		`careerrelay_jobs_total{kind="mail",outcome="done"}`:                                                "1",
		`careerrelay_jobs_total{kind="decode",outcome="parked"}`:                                            "1",
		`careerrelay_job_seconds_count{kind="mail"}`:                                                        "1",
		`careerrelay_mails_total{class="sent",company="acme"}`:                                              "1",
		`careerrelay_hooks_total{company="acme",outcome="kept",vendor="greenhouse"}`:                        "1",
		`careerrelay_hook_seconds_count{vendor="greenhouse"}`:                                               "1",
		`careerrelay_logins_total{outcome="ok"}`:                                                            "1",
		`careerrelay_logins_total{outcome="refused"}`:                                                       "1",
		`careerrelay_http_requests_total{code="200",listener="ops",method="GET",route="/applications/:id"}`: "1",
		`careerrelay_http_requests_total{code="404",listener="ops",method="GET",route="/people/:id"}`:       "1",
		`careerrelay_http_requests_total{code="405",listener="ops",method="other",route="none"}`:            "1",
		`careerrelay_database_up`:                                                                           "1",
		`careerrelay_deliveries_open{company="acme",state="quarantined"}`:                                   "1",
		`careerrelay_mails_open{company="northwind",state="stopped"}`:                                       "5",
		`careerrelay_mails_open{company="acme",state="unclear"}`:                                            "1",
		`careerrelay_jobs_open{company="acme",state="dead"}`:                                                "3",
		`careerrelay_referrals_open{company="acme",state="failed"}`:                                         "1",
		`careerrelay_queue_due{queue="bulk"}`:                                                               "3",
		`careerrelay_brakes_open{company="northwind",kind="volume"}`:                                        "1",
		`careerrelay_config_problems{company="acme"}`:                                                       "1",
		`careerrelay_config_problems{company="northwind"}`:                                                  "0",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if got[`careerrelay_queue_oldest_seconds{queue="bulk"}`] == "0" {
		t.Error("the bulk queue has waited for no time at all")
	}
	all := fmt.Sprint(got)
	if !regexp.MustCompile(`careerrelay_build_info\{go="go[^"]+",version="v1.2.3"\}:1`).MatchString(all) {
		t.Error("the running version is not told")
	}
	if strings.Contains(all, "misaki") || strings.Contains(all, o.app("48213377").ID) {
		t.Error("the metrics name a person or an id")
	}
}

func TestWhoMayReadMetrics(t *testing.T) {
	o := newOffice(t)
	h := web.Ops(o.ops)
	viewer := o.token(record.Viewer)
	for name, tt := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"this machine":         {func(*http.Request) {}, 200},
		"this machine by name": {func(r *http.Request) { r.Host = "localhost:8081" }, 200},
		"this machine, IPv6":   {func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:1", "[::1]:8081" }, 200},
		"elsewhere":            {func(r *http.Request) { r.RemoteAddr = "192.0.2.7:1" }, 401},
		"elsewhere with OPS_TOKEN": {func(r *http.Request) {
			r.RemoteAddr = "192.0.2.7:1"
			r.Header.Set("Authorization", "Bearer ops-secret")
		}, 200},
		"elsewhere with a user's token": {func(r *http.Request) { r.RemoteAddr = "192.0.2.7:1"; r.Header.Set("Authorization", "bearer "+viewer) }, 200},
		"elsewhere with a wrong token":  {func(r *http.Request) { r.RemoteAddr = "192.0.2.7:1"; r.Header.Set("Authorization", "Bearer x") }, 401},
		"through a proxy":               {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.7") }, 401},
		"a page that points here":       {func(r *http.Request) { r.Host = "evil.test" }, 401},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:1", "127.0.0.1:8081"
		tt.change(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.code {
			t.Errorf("%s: status %d, want %d", name, w.Code, tt.code)
		}
	}
}

// counted counts how often the service is felt.
type counted struct {
	web.Desk
	n   atomic.Int64
	err error
}

func (c *counted) Pulse(ctx context.Context, since time.Time) (record.Pulse, error) {
	c.n.Add(1)
	if c.err != nil {
		return record.Pulse{}, c.err
	}
	return c.Desk.Pulse(ctx, since)
}

func TestScrapesCostLittle(t *testing.T) {
	c := &counted{}
	o := newOffice(t, func(o *office) { c.Desk, o.ops.Desk = o.store, c })
	o.login(record.Viewer)
	for range 20 {
		o.ask(http.MethodGet, "/metrics", "")
		o.show("/jobs", "ja")
	}
	if n := c.n.Load(); n != 1 {
		t.Errorf("twenty scrapes and pages at once read the numbers %d times, want once", n)
	}
	o.wait(3 * time.Second)
	o.ask(http.MethodGet, "/metrics", "")
	if n := c.n.Load(); n != 2 {
		t.Errorf("three seconds later the numbers were read %d times, want twice", n)
	}
}

func TestMetricsDuringAnOutage(t *testing.T) {
	c := &counted{err: errors.New("away")}
	o := newOffice(t, func(o *office) { c.Desk, o.ops.Desk = o.store, c })
	got := scraped(t, o.ask(http.MethodGet, "/metrics", ""))
	if got["careerrelay_database_up"] != "0" || got[`careerrelay_config_problems{company="acme"}`] != "0" {
		t.Errorf("during an outage: up is %q", got["careerrelay_database_up"])
	}
	for name := range got {
		if strings.HasPrefix(name, "careerrelay_queue") {
			t.Errorf("during an outage %s is told", name)
		}
	}
}

func TestMetricsNeedNoPreparation(t *testing.T) {
	var m web.Metrics
	m.Job("mail", "done", time.Second)
	m.Mail("acme", "sent")
	m.Hook("", "", "unknown", 0)
}

func TestHealth(t *testing.T) {
	o := newOffice(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if got := o.ask(method, "/healthz", ""); got.code != http.StatusOK {
			t.Errorf("%s: status %d", method, got.code)
		}
	}
}
