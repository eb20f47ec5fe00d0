package web_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/verify"
	"github.com/career-relay/connector/record"
)

// A vendor is a connector that verifies and does little else.
type vendor struct {
	scheme  verify.Scheme
	secrets []connectors.Secret
}

func (vendor) Decode(connectors.Payload) ([]ats.Event, error) { return nil, nil }

func (v vendor) Verify(p connectors.Payload) error {
	_, err := v.scheme.Verify(p, v.secrets)
	return err
}

func (v vendor) Match(p connectors.Payload) (int, error) { return v.scheme.Verify(p, v.secrets) }

// shaker is a vendor that tests our address.
type shaker struct{ vendor }

func (shaker) Handshake(p connectors.Payload) ([]byte, bool) {
	challenge := p.Query.Get("challenge")
	return []byte(challenge), challenge != ""
}

// picky is a vendor that also wants other status codes, names its deliveries
// and reads the answer.
type picky struct{ shaker }

func (picky) Statuses() (ok, denied int) { return http.StatusAccepted, http.StatusTeapot }

func (picky) Key(p connectors.Payload) string { return p.Header.Get("X-Id") }

func (picky) Reply(connectors.Payload) connectors.Reply {
	return connectors.Reply{Header: http.Header{"Content-Type": {"text/xml"}, "X-Ack": {"1"}}, Body: []byte("<ack/>")}
}

// Redact implements connectors.Redactor.
func (picky) Redact(p connectors.Payload) connectors.Payload {
	p.Body = bytes.ReplaceAll(p.Body, []byte("session"), nil)
	return p
}

// poller is a connector without a door for webhooks.
type poller struct{}

func (poller) Decode(connectors.Payload) ([]ats.Event, error) { return nil, nil }

var signature = verify.HMAC{Place: verify.Place{Header: "X-Signature"}}

// door is a site with connections of every sort.
func door(tb testing.TB, change ...func(*site)) *site {
	tb.Helper()
	known := map[string]connectors.Connector{
		"greenhouse": vendor{signature, []connectors.Secret{
			{Value: "first"},
			{Value: "second"},
			{Value: "old", NotAfter: morning.Add(-time.Hour)},
			{Value: "future", NotBefore: morning.Add(time.Hour)},
		}},
		"timed":  vendor{verify.Timed{Header: "X-Timed"}, []connectors.Secret{{Value: "first"}}},
		"picky":  picky{shaker{vendor{signature, []connectors.Secret{{Value: "first"}}}}},
		"shaker": shaker{},
		"basic":  vendor{verify.Token{Place: verify.Place{Header: "Authorization"}}, []connectors.Secret{{Value: "first"}}},
		"poller": poller{},
	}
	return newSite(tb, append([]func(*site){func(s *site) {
		for name := range known {
			s.company.Connections[name] = configs.Connection{Vendor: name}
		}
		s.company.Connections["basic"] = configs.Connection{Vendor: "basic", Quarantine: ats.Duration(7 * 24 * time.Hour)}
		s.company.Connections["broken"] = configs.Connection{Vendor: "broken"}
		s.deps.Open = func(_, connection string) (connectors.Connector, error) {
			if c, ok := known[connection]; ok {
				return c, nil
			}
			return nil, ats.Errorf(ats.NotFound, "the connection %s cannot be opened", connection)
		}
	}}, change...)...)
}

// signed makes the request of a vendor.
func (s *site) signed(connection, body, secret string, scheme verify.Scheme, at time.Time) *http.Request {
	s.t.Helper()
	p, err := scheme.Sign(connectors.Payload{Header: http.Header{}, Body: []byte(body), Received: at}, connectors.Secret{Value: secret})
	s.must(err)
	r := s.request(http.MethodPost, "/hooks/acme/"+connection, body)
	r.Header = p.Header
	r.Header.Set("Content-Type", "application/json")
	return r
}

func arrival(connection, key string) record.Arrival {
	return record.Arrival{
		Delivery: connectors.Delivery{Company: "acme", Connection: connection, Door: connectors.Webhook, Key: key, Payload: connectors.Payload{Received: morning}},
		Vendor:   connection, Disposition: record.New, Keep: time.Hour,
	}
}

func (s *site) deliveries(f record.Filter) []record.Delivery {
	s.t.Helper()
	all, err := s.store.Deliveries(s.t.Context(), f)
	s.must(err)
	return all
}

// zipped is a compressed body; what is inside does not matter at the door.
func zipped(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, `{"action":"reject"}`); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheDoor(t *testing.T) {
	const body = `{"action":"reject"}`
	good := func(s *site) *http.Request { return s.signed("greenhouse", body, "first", signature, morning) }
	unsigned := func(method, path, body string) func(*site) *http.Request {
		return func(s *site) *http.Request { return s.request(method, path, body) }
	}
	with := func(make func(*site) *http.Request, change func(*http.Request)) func(*site) *http.Request {
		return func(s *site) *http.Request {
			r := make(s)
			change(r)
			return r
		}
	}
	tests := map[string]struct {
		make func(*site) *http.Request
		code int
		body string
		kept int
	}{
		"signed with the first secret":     {good, http.StatusOK, "ok\n", 1},
		"signed with the second secret":    {func(s *site) *http.Request { return s.signed("greenhouse", body, "second", signature, morning) }, http.StatusOK, "ok\n", 1},
		"signed with a secret that ended":  {func(s *site) *http.Request { return s.signed("greenhouse", body, "old", signature, morning) }, http.StatusUnauthorized, "signature refused\n", 0},
		"signed with a secret of tomorrow": {func(s *site) *http.Request { return s.signed("greenhouse", body, "future", signature, morning) }, http.StatusUnauthorized, "signature refused\n", 0},
		"signed with a wrong secret":       {func(s *site) *http.Request { return s.signed("greenhouse", body, "wrong", signature, morning) }, http.StatusUnauthorized, "signature refused\n", 0},
		"not signed":                       {unsigned(http.MethodPost, "/hooks/acme/greenhouse", body), http.StatusUnauthorized, "signature refused\n", 0},
		"a signature over other bytes": {with(good, func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body+"\n")), int64(len(body)+1)
		}), http.StatusUnauthorized, "signature refused\n", 0},
		"a signature that stands twice": {with(good, func(r *http.Request) { r.Header.Add("X-Signature", "00") }), http.StatusUnauthorized, "signature refused\n", 0},
		"a clock that is right": {func(s *site) *http.Request {
			return s.signed("timed", body, "first", verify.Timed{Header: "X-Timed"}, morning)
		}, http.StatusOK, "ok\n", 1},
		"a clock five minutes behind": {func(s *site) *http.Request {
			return s.signed("timed", body, "first", verify.Timed{Header: "X-Timed"}, morning.Add(-300*time.Second))
		}, http.StatusOK, "ok\n", 1},
		"a clock far behind": {func(s *site) *http.Request {
			return s.signed("timed", body, "first", verify.Timed{Header: "X-Timed"}, morning.Add(-301*time.Second))
		}, http.StatusUnauthorized, "signature refused\n", 0},
		"a clock far ahead": {func(s *site) *http.Request {
			return s.signed("timed", body, "first", verify.Timed{Header: "X-Timed"}, morning.Add(301*time.Second))
		}, http.StatusUnauthorized, "signature refused\n", 0},
		"no JSON": {func(s *site) *http.Request {
			return s.signed("greenhouse", "\xff\x00 not JSON", "first", signature, morning)
		}, http.StatusOK, "ok\n", 1},
		"an empty body":     {func(s *site) *http.Request { return s.signed("greenhouse", "", "first", signature, morning) }, http.StatusOK, "ok\n", 1},
		"a compressed body": {with(func(s *site) *http.Request { return s.signed("greenhouse", zipped(t), "first", signature, morning) }, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }), http.StatusOK, "ok\n", 1},
		"the longest body": {func(s *site) *http.Request {
			return s.signed("greenhouse", strings.Repeat("x", 1<<20), "first", signature, morning)
		}, http.StatusOK, "ok\n", 1},
		"a body over the limit": {func(s *site) *http.Request {
			return s.signed("greenhouse", strings.Repeat("x", 1<<20+1), "first", signature, morning)
		}, http.StatusRequestEntityTooLarge, "too large\n", 0},
		"a body over the limit in pieces": {with(func(s *site) *http.Request {
			return s.signed("greenhouse", strings.Repeat("x", 1<<20+1), "first", signature, morning)
		}, func(r *http.Request) {
			r.ContentLength = -1
		}), http.StatusRequestEntityTooLarge, "too large\n", 0},
		"a body in pieces": {with(good, func(r *http.Request) { r.ContentLength = -1 }), http.StatusOK, "ok\n", 1},
		"too many headers": {with(good, func(r *http.Request) {
			for i := range 70 {
				r.Header.Set(fmt.Sprint("X-", i), "1")
			}
		}), http.StatusRequestHeaderFieldsTooLarge, "too large\n", 0},
		"headers over the limit":        {with(good, func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("x", 17<<10)) }), http.StatusRequestHeaderFieldsTooLarge, "too large\n", 0},
		"an unknown company":            {unsigned(http.MethodPost, "/hooks/nobody/greenhouse", body), http.StatusNotFound, "no such address\n", 0},
		"an unknown connection":         {unsigned(http.MethodPost, "/hooks/acme/lever", body), http.StatusNotFound, "no such address\n", 0},
		"a connection that is broken":   {unsigned(http.MethodPost, "/hooks/acme/broken", body), http.StatusNotFound, "no such address\n", 0},
		"a connection without webhooks": {unsigned(http.MethodPost, "/hooks/acme/poller", body), http.StatusNotFound, "no such address\n", 0},
		"more path":                     {unsigned(http.MethodPost, "/hooks/acme/greenhouse/more", body), http.StatusNotFound, "no such address\n", 0},
		"GET":                           {unsigned(http.MethodGet, "/hooks/acme/greenhouse", ""), http.StatusMethodNotAllowed, "only POST\n", 0},
		"HEAD":                          {unsigned(http.MethodHead, "/hooks/acme/greenhouse", ""), http.StatusMethodNotAllowed, "", 0},
		"GET at an unknown connection":  {unsigned(http.MethodGet, "/hooks/acme/lever", ""), http.StatusNotFound, "no such address\n", 0},
		"PUT":                           {unsigned(http.MethodPut, "/hooks/acme/greenhouse", body), http.StatusMethodNotAllowed, "method not allowed\n", 0},
		"a vendor's own success":        {func(s *site) *http.Request { return s.signed("picky", body, "first", signature, morning) }, http.StatusAccepted, "<ack/>", 1},
		"a vendor's own refusal":        {unsigned(http.MethodPost, "/hooks/acme/picky", body), http.StatusTeapot, "signature refused\n", 0},
		"a handshake by GET":            {unsigned(http.MethodGet, "/hooks/acme/picky?challenge=42", ""), http.StatusOK, "42", 0},
		"a handshake by POST":           {unsigned(http.MethodPost, "/hooks/acme/picky?challenge=42", ""), http.StatusOK, "42", 0},
		"GET without the handshake":     {unsigned(http.MethodGet, "/hooks/acme/picky", ""), http.StatusMethodNotAllowed, "only POST\n", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := door(t)
			got := s.do(tt.make(s))
			if got.code != tt.code || got.body != tt.body {
				t.Errorf("answer %d %q, want %d %q", got.code, got.body, tt.code, tt.body)
			}
			if got.code == http.StatusMethodNotAllowed && got.header.Get("Allow") == "" {
				t.Error("the answer does not say which methods are allowed")
			}
			if kept := len(s.deliveries(record.Filter{})); kept != tt.kept {
				t.Errorf("%d deliveries kept, want %d", kept, tt.kept)
			}
			if lines := strings.Count(s.log.String(), "webhook answered"); lines != 1 && tt.code != http.StatusNotFound && tt.body != "method not allowed\n" {
				t.Errorf("%d lines in the log, want 1:\n%s", lines, s.log)
			}
			if s.log.String() != "" && !regexp.MustCompile(` took_ms=\d+(\.\d+)?\s`).MatchString(s.log.String()) {
				t.Errorf("the line does not say in milliseconds how long it took:\n%s", s.log)
			}
			if strings.Contains(s.log.String(), "reject") || strings.Contains(got.body, "secret") {
				t.Error("the body or a secret is told")
			}
		})
	}
}

func TestAHandshakeCannotMakeABrowserRunIt(t *testing.T) {
	s := door(t)
	for challenge, want := range map[string]string{"<script>1</script>": "text/plain; charset=utf-8", `{"a":1}`: "application/json"} {
		got := s.get("/hooks/acme/shaker?challenge=" + url.QueryEscape(challenge))
		if got.body != challenge || got.header.Get("Content-Type") != want || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("answer %q as %s, want it back as %s", got.body, got.header.Get("Content-Type"), want)
		}
	}
}

func TestRedeliveriesAreSuccesses(t *testing.T) {
	s := door(t)
	send := func(connection, body, id string) page {
		r := s.signed(connection, body, "first", signature, morning)
		r.Header.Set("X-Id", id)
		return s.do(r)
	}
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusOK} {
		if got := send("greenhouse", "{}", ""); got.code != want || got.body != "ok\n" {
			t.Errorf("delivery %d: %d %q, want the answer of the first", i, got.code, got.body)
		}
	}
	if got := s.deliveries(record.Filter{}); len(got) != 1 || got[0].Repeats != 2 {
		t.Fatalf("deliveries %+v, want one with two repeats", got)
	}
	for _, body := range []string{"a", "b"} { // the vendor's own id counts, not the body
		if got := send("picky", body, "event-1"); got.code != http.StatusAccepted {
			t.Errorf("status %d, want the vendor's own", got.code)
		}
	}
	send("picky", "c", strings.Repeat("long", 100))
	send("picky", "d", "") // no id: the hash of the body
	if got := s.deliveries(record.Filter{Connection: "picky"}); len(got) != 3 {
		t.Errorf("%d deliveries, want 3: one for each id and one for the body without", len(got))
	}
	r := s.signed("greenhouse", "{}", "first", signature, morning)
	r.URL.RawQuery = "event=2"
	s.do(r)
	if got := s.deliveries(record.Filter{Connection: "greenhouse"}); len(got) != 2 {
		t.Errorf("%d deliveries, want 2: what stands in the query counts", len(got))
	}
}

func TestAHundredAtOnce(t *testing.T) {
	s := door(t)
	var wg sync.WaitGroup
	codes := make(chan int, 200)
	for i := range 200 {
		wg.Go(func() {
			codes <- s.do(s.signed("greenhouse", fmt.Sprintf(`{"n":%d}`, i/2), "first", signature, morning)).code
		})
	}
	wg.Wait()
	close(codes)
	for code := range codes {
		if code != http.StatusOK {
			t.Errorf("status %d, want 200", code)
		}
	}
	jobs, err := s.store.Jobs(t.Context(), record.Filter{Kind: record.DecodeJob, Limit: record.MaxPage})
	s.must(err)
	if kept := s.deliveries(record.Filter{Limit: record.MaxPage}); len(kept) != 100 || len(jobs) != 100 {
		t.Errorf("%d deliveries with %d jobs, want 100 each", len(kept), len(jobs))
	}
}

// inbox answers SaveDelivery as a test wants.
type inbox func(ctx context.Context, a record.Arrival) (string, error)

func (inbox) NoteSecret(context.Context, string, string, string) error { return nil }

func (f inbox) SaveDelivery(ctx context.Context, a record.Arrival) (string, error) { return f(ctx, a) }

func TestADatabaseThatIsAway(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		code  int
		after string
	}{
		"it says for how long":    {ats.BusyFor(90*time.Second, "shutting down"), http.StatusServiceUnavailable, "90"},
		"it does not say":         {ats.Errorf(ats.Busy, "connection refused"), http.StatusServiceUnavailable, "30"},
		"something else is wrong": {errors.New("a bug"), http.StatusInternalServerError, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := door(t, func(s *site) {
				s.deps.Inbox = inbox(func(context.Context, record.Arrival) (string, error) { return "", tt.err })
			})
			got := s.do(s.signed("greenhouse", "{}", "first", signature, morning))
			if got.code != tt.code || got.header.Get("Retry-After") != tt.after || got.body != "try again later\n" {
				t.Errorf("%d %q, Retry-After %q; want %d with %q", got.code, got.body, got.header.Get("Retry-After"), tt.code, tt.after)
			}
			if !strings.Contains(s.log.String(), "level=ERROR") {
				t.Errorf("the log does not say so:\n%s", s.log)
			}
		})
	}
}

// A vendor may take 404 for the end of an address and never come again.
func TestACompanyWhoseFileIsBrokenIsAway(t *testing.T) {
	s := door(t, func(s *site) {
		s.status = []configs.Status{{Company: "broken", Errors: []string{"broken.yaml:3: locale: unknown"}}}
	})
	for path, code := range map[string]int{
		"/hooks/broken/greenhouse": http.StatusServiceUnavailable, "/hooks/mail/broken": http.StatusServiceUnavailable,
		"/hooks/never-heard-of/greenhouse": http.StatusNotFound, "/hooks/mail/never-heard-of": http.StatusNotFound,
	} {
		got := s.do(s.request(http.MethodPost, path, "{}"))
		if got.code != code || (got.header.Get("Retry-After") != "") != (code == http.StatusServiceUnavailable) {
			t.Errorf("%s: %d, Retry-After %q; want %d", path, got.code, got.header.Get("Retry-After"), code)
		}
	}
}

func TestWhatIsKeptOfADelivery(t *testing.T) {
	s := door(t)
	r := s.signed("greenhouse", "{}", "first", signature, morning)
	r.URL.RawQuery = "event=1&event=2"
	for name, value := range map[string]string{
		"Cookie": "a=b", "Authorization": "Bearer x", "X-Hop": "1", "Connection": "X-Hop", "X-Forwarded-For": "192.0.2.1", "User-Agent": "vendor/1", "Accept": "*/*",
	} {
		r.Header.Set(name, value)
	}
	s.do(r)
	row, d, err := s.store.Delivery(t.Context(), s.deliveries(record.Filter{})[0].ID)
	s.must(err)
	want := http.Header{"Content-Type": {"application/json"}, "X-Signature": r.Header["X-Signature"], "User-Agent": {"vendor/1"}}
	d.Payload.Header.Del("Content-Length")
	if diff := cmp.Diff(want, d.Payload.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if string(d.Payload.Body) != "{}" || len(d.Payload.Query["event"]) != 2 || !d.Payload.Received.Equal(morning) {
		t.Errorf("payload %q %v %s", d.Payload.Body, d.Payload.Query, d.Payload.Received)
	}
	if row.Vendor != "greenhouse" || row.Door != string(connectors.Webhook) || !row.ExpiresAt.Equal(morning.Add(30*24*time.Hour)) {
		t.Errorf("row %+v", row)
	}
}

func TestWhatMustNotBeKeptIsNot(t *testing.T) {
	s := door(t)
	if res := s.do(s.signed("picky", `{"id":"session"}`, "first", signature, morning)); res.code != http.StatusAccepted {
		t.Fatalf("got %d", res.code)
	}
	_, d, err := s.store.Delivery(t.Context(), s.deliveries(record.Filter{})[0].ID)
	s.must(err)
	if string(d.Payload.Body) != `{"id":""}` {
		t.Errorf("kept %s", d.Payload.Body)
	}
}

func TestTracesGoOn(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, tt := range map[string]struct {
		header string
		want   *regexp.Regexp
	}{
		"the vendor's own": {parent, regexp.MustCompile(`^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$`)},
		"none":             {"", regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-00$`)},
		"nonsense":         {"00-zz", regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-00$`)},
	} {
		t.Run(name, func(t *testing.T) {
			s := door(t)
			r := s.signed("greenhouse", "{}", "first", signature, morning)
			r.Header.Set("Traceparent", tt.header)
			s.do(r)
			jobs, err := s.store.Jobs(t.Context(), record.Filter{})
			s.must(err)
			if !tt.want.MatchString(jobs[0].Trace) {
				t.Errorf("trace %s, want %s", jobs[0].Trace, tt.want)
			}
		})
	}
}

func TestQuarantine(t *testing.T) {
	s := door(t)
	send := func(body, token string) page {
		r := s.request(http.MethodPost, "/hooks/acme/basic", body)
		r.Header.Set("Authorization", token)
		return s.do(r)
	}
	for i := range 105 {
		if got := send(fmt.Sprint("forged ", i), "wrong"); got.code != http.StatusUnauthorized {
			t.Fatalf("status %d, want 401", got.code)
		}
	}
	held := s.deliveries(record.Filter{State: string(record.Quarantined), Limit: record.MaxPage})
	if len(held) != 100 {
		t.Fatalf("%d kept in this hour, want 100", len(held))
	}
	row, d, err := s.store.Delivery(t.Context(), held[0].ID)
	s.must(err)
	if d.Payload.Header.Get("Authorization") != "wrong" || !row.ExpiresAt.Equal(morning.Add(7*24*time.Hour)) || row.Reason == "" {
		t.Errorf("kept %+v with %v, want the header that was refused, a reason and seven days", row, d.Payload.Header)
	}
	if jobs, err := s.store.Jobs(t.Context(), record.Filter{}); err != nil || len(jobs) != 0 {
		t.Errorf("%d jobs, %v; a refused delivery is not decoded", len(jobs), err)
	}
	// A forgery does not take the place of the real one.
	send("real", "wrong")
	if got := send("real", "first"); got.code != http.StatusOK {
		t.Errorf("the real one: status %d, want 200", got.code)
	}
	if got := s.deliveries(record.Filter{State: string(record.New)}); len(got) != 1 || got[0].Repeats != 0 {
		t.Errorf("%+v, want the real one as a new delivery", got)
	}
	s.wait(time.Hour)
	send("next hour", "wrong")
	if held := s.deliveries(record.Filter{State: string(record.Quarantined), Limit: record.MaxPage}); len(held) != 101 {
		t.Errorf("%d kept, want 101 in the next hour", len(held))
	}
}

func TestAFloodOfRefusalsStaysOutOfDatabaseAndLog(t *testing.T) {
	s := door(t)
	before := s.snapshot()
	for range 300 {
		s.do(s.request(http.MethodPost, "/hooks/acme/greenhouse", "{}"))
		s.do(s.request(http.MethodPost, "/hooks/someone@example.jp/greenhouse", "{}"))
	}
	if s.snapshot() != before {
		t.Error("refused requests changed the database")
	}
	if lines := strings.Count(s.log.String(), "webhook answered"); lines != 200 {
		t.Errorf("%d lines, want 100 for the connection and 100 for strangers", lines)
	}
	if strings.Contains(s.log.String(), "someone") {
		t.Error("the log holds what strangers write into paths")
	}
	if got := s.do(s.signed("greenhouse", "{}", "first", signature, morning)); got.code != http.StatusOK {
		t.Errorf("a good one: status %d, want 200", got.code)
	}
	if !strings.Contains(s.log.String(), "outcome=kept") {
		t.Error("the flood hides the line about the good one")
	}
}

// raw sends bytes as they are and hangs up.
func (s *site) raw(text string, answer bool) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	s.must(err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, text)
	s.must(err)
	if !answer {
		return ""
	}
	s.must(conn.(*net.TCPConn).CloseWrite())
	line, err := bufio.NewReader(conn).ReadString('\n')
	s.must(err)
	return strings.TrimSpace(line)
}

func TestATruncatedBodyIsNotKept(t *testing.T) {
	s := door(t)
	got := s.raw("POST /hooks/acme/greenhouse HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"half\":", true)
	if got != "HTTP/1.1 400 Bad Request" {
		t.Errorf("answer %q, want 400", got)
	}
	if n := len(s.deliveries(record.Filter{})); n != 0 {
		t.Errorf("%d deliveries kept, want none", n)
	}
}

func TestWhoeverHangsUpDoesNotLoseADelivery(t *testing.T) {
	entered, left, saved := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var inner *site
	s := door(t, func(s *site) {
		inner = s
		s.deps.Inbox = inbox(func(ctx context.Context, a record.Arrival) (string, error) {
			close(entered)
			<-left
			id, err := inner.store.SaveDelivery(ctx, a)
			saved <- err
			return id, err
		})
	})
	r := s.signed("greenhouse", "{}", "first", signature, morning)
	ctx, hangUp := context.WithCancel(t.Context())
	go func() {
		<-entered
		hangUp()
		time.Sleep(50 * time.Millisecond) // the server notices
		close(left)
	}()
	_, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err == nil {
		t.Fatal("the client got an answer after it hung up")
	}
	if err := <-saved; err != nil {
		t.Errorf("saving: %v, want it to go on", err)
	}
	if n := len(s.deliveries(record.Filter{})); n != 1 {
		t.Errorf("%d deliveries, want the one in hand", n)
	}
}

func TestAHangUpWhileTheBodyArrives(t *testing.T) {
	s := door(t)
	s.raw("POST /hooks/acme/greenhouse HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{", false)
	if got := s.do(s.signed("greenhouse", "{}", "first", signature, morning)); got.code != http.StatusOK {
		t.Errorf("the next one: status %d, want 200", got.code)
	}
}

// events signs as SendGrid does.
func (s *site) events(key *ecdsa.PrivateKey, body string) *http.Request {
	s.t.Helper()
	stamp := strconv.FormatInt(morning.Unix(), 10)
	sum := sha256.Sum256([]byte(stamp + body))
	code, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	s.must(err)
	r := s.request(http.MethodPost, "/hooks/mail/acme", body)
	r.Header.Set("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(code))
	r.Header.Set("X-Twilio-Email-Event-Webhook-Timestamp", stamp)
	return r
}

func TestMailEvents(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	const body = `[{"event":"delivered","sg_event_id":"e1"}]` + "\r\n"
	big := strings.Repeat(" ", 3<<20) + body
	for name, tt := range map[string]struct {
		make func(*site) *http.Request
		key  bool
		code int
		kept int
	}{
		"signed":                  {func(s *site) *http.Request { return s.events(key, body) }, true, http.StatusOK, 1},
		"three megabytes":         {func(s *site) *http.Request { return s.events(key, big) }, true, http.StatusOK, 1},
		"five megabytes":          {func(s *site) *http.Request { return s.events(key, strings.Repeat(" ", 5<<20)) }, true, http.StatusRequestEntityTooLarge, 0},
		"signed by somebody else": {func(s *site) *http.Request { return s.events(other, body) }, true, http.StatusUnauthorized, 0},
		"not signed":              {func(s *site) *http.Request { return s.request(http.MethodPost, "/hooks/mail/acme", body) }, true, http.StatusUnauthorized, 0},
		"no key is configured":    {func(s *site) *http.Request { return s.events(key, body) }, false, http.StatusNotFound, 0},
		"an unknown company":      {func(s *site) *http.Request { return s.request(http.MethodPost, "/hooks/mail/nobody", body) }, true, http.StatusNotFound, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := door(t, func(s *site) {
				if tt.key {
					s.company.Mail.EventKey = base64.StdEncoding.EncodeToString(der)
				}
			})
			for range 2 { // the second is a redelivery
				if got := s.do(tt.make(s)); got.code != tt.code {
					t.Errorf("status %d, want %d", got.code, tt.code)
				}
			}
			kept := s.deliveries(record.Filter{})
			if len(kept) != tt.kept {
				t.Fatalf("%d kept, want %d", len(kept), tt.kept)
			}
			if tt.kept == 1 && (kept[0].Connection != "mail" || kept[0].Door != string(connectors.Mail) || kept[0].Repeats != 1) {
				t.Errorf("kept %+v", kept[0])
			}
			jobs, err := s.store.Jobs(t.Context(), record.Filter{Kind: record.FeedbackJob})
			s.must(err)
			if len(jobs) != tt.kept {
				t.Errorf("%d jobs, want %d", len(jobs), tt.kept)
			}
			if !tt.key && !strings.Contains(s.log.String(), "event_key is not configured") {
				t.Errorf("the log does not name the cause:\n%s", s.log)
			}
		})
	}
}
