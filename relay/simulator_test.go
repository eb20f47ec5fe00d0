package relay_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/relay"
)

// network starts a simulator with a client that knows it.
func network(tb testing.TB, query string) (*relay.Simulator, *relay.Client, relay.Recipient) {
	tb.Helper()
	sim := relay.NewSimulator([]string{"whsec_b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldA==", secret}, clock)
	s := httptest.NewServer(sim)
	tb.Cleanup(s.Close)
	return sim, client(relay.NewHTTPClient(true)), recipient(s.URL + "/referrals" + query)
}

func TestSimulatorTakesReferrals(t *testing.T) {
	sim, c, r := network(t, "")
	first := referral()
	for range 3 {
		receipt, err := c.Hand(t.Context(), r, first)
		if err != nil || receipt.Reference != "CR-000001" {
			t.Fatalf("got %+v and %v", receipt, err)
		}
	}
	second := referral()
	second.ID = "01K7SECOND"
	if receipt, err := c.Hand(t.Context(), r, second); err != nil || receipt.Reference != "CR-000002" {
		t.Errorf("got %+v and %v", receipt, err)
	}
	changed := first
	changed.Candidate.Phone = ""
	if receipt, err := c.Hand(t.Context(), r, changed); err != nil || receipt.Reference != "CR-000001" {
		t.Errorf("another body under a known id: got %+v and %v", receipt, err)
	}
	if diff := cmp.Diff([]relay.Referral{first, second}, sim.Received()); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

func TestSimulatorCountsOnce(t *testing.T) {
	sim, c, r := network(t, "")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			ref := referral()
			ref.ID = fmt.Sprintf("R-%d", i%5)
			if _, err := c.Hand(t.Context(), r, ref); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := len(sim.Received()); got != 5 {
		t.Errorf("got %d referrals, want 5", got)
	}
}

func TestSimulatorFails(t *testing.T) {
	tests := map[string]struct {
		query string
		fault []ats.Fault // of one post after the other
		wait  time.Duration
		kept  int // after them
	}{
		"never":                  {"", []ats.Fault{"", ""}, 0, 1},
		"always":                 {"?fail=503", []ats.Fault{ats.Busy, ats.Busy, ats.Busy}, 0, 0},
		"with a time to wait":    {"?fail=429&retry_after=60", []ats.Fault{ats.Busy}, time.Minute, 0},
		"for good":               {"?fail=410", []ats.Fault{ats.Invalid}, 0, 0},
		"by refusing us":         {"?fail=401", []ats.Fault{ats.Denied}, 0, 0},
		"twice":                  {"?fail=500&times=2", []ats.Fault{ats.Busy, ats.Busy, "", ""}, 0, 1},
		"but keeps the referral": {"?fail=500&times=1&kept=1", []ats.Fault{ats.Busy, ""}, 0, 1},
		"with nonsense":          {"?fail=200", []ats.Fault{ats.Invalid}, 0, 0},
		"with more nonsense":     {"?fail=500&times=often", []ats.Fault{ats.Invalid}, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sim, c, r := network(t, tt.query)
			for i, want := range tt.fault {
				receipt, err := c.Hand(t.Context(), r, referral())
				if ats.FaultOf(err) != want || (err == nil) != (want == "") || ats.WaitOf(err) != tt.wait {
					t.Errorf("post %d: got %v, want %q", i+1, err, want)
				}
				if (receipt.Reference == "CR-000001") != (err == nil) {
					t.Errorf("post %d: got %+v", i+1, receipt)
				}
			}
			if got := len(sim.Received()); got != tt.kept {
				t.Errorf("%d referrals were kept, want %d", got, tt.kept)
			}
		})
	}
}

func TestSimulatorRefuses(t *testing.T) {
	body := func(change func(*relay.Referral)) []byte {
		ref := referral()
		change(&ref)
		b, err := json.Marshal(ref)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := body(func(*relay.Referral) {})
	tests := map[string]struct {
		body   []byte
		header func(http.Header)
		status int
		want   string
	}{
		"a good referral":      {good, nil, 201, `{"reference":"CR-000001"}`},
		"no signature":         {good, func(h http.Header) { h.Del("Webhook-Signature") }, 401, `{"error":"a Webhook- header is missing or unreadable"}`},
		"a wrong signature":    {good, func(h http.Header) { h.Set("Webhook-Signature", "v1,AAAA") }, 401, `{"error":"the signature does not fit"}`},
		"an old timestamp":     {good, func(h http.Header) { h.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix()-301, 10)) }, 401, `{"error":"the timestamp is more than 5m0s away from ours"}`},
		"no JSON":              {[]byte("{"), nil, 400, `{"error":"the body is not a referral"}`},
		"another id":           {body(func(r *relay.Referral) { r.ID = "X" }), nil, 422, `{"error":"id: differs from Webhook-Id"}`},
		"no name":              {body(func(r *relay.Referral) { r.Candidate.Name = "" }), nil, 422, `{"error":"candidate: want a name and an email"}`},
		"no address":           {body(func(r *relay.Referral) { r.Candidate.Email = "" }), nil, 422, `{"error":"candidate: want a name and an email"}`},
		"no provenance":        {body(func(r *relay.Referral) { r.Provenance.Company = "" }), nil, 422, `{"error":"provenance and consents: required"}`},
		"no consent":           {body(func(r *relay.Referral) { r.Consents = nil }), nil, 422, `{"error":"provenance and consents: required"}`},
		"a body without limit": {bytes.Repeat([]byte(" "), 1<<20+1), nil, 413, `{"error":"the body is too large or cut"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sim := relay.NewSimulator([]string{secret}, clock)
			signature, err := relay.Sign(secret, "01K7REFERRAL", now, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/referrals", bytes.NewReader(tt.body))
			r.Header.Set("Webhook-Id", "01K7REFERRAL")
			r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
			r.Header.Set("Webhook-Signature", signature)
			if tt.header != nil {
				tt.header(r.Header)
			}
			w := httptest.NewRecorder()
			sim.ServeHTTP(w, r)
			if w.Code != tt.status || strings.TrimSpace(w.Body.String()) != tt.want {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.want)
			}
			if got := len(sim.Received()); (got == 1) != (tt.status == 201) {
				t.Errorf("%d referrals were kept", got)
			}
		})
	}
}

func TestSimulatorPage(t *testing.T) {
	sim, c, r := network(t, "")
	pages := map[string]struct{ query, language string }{
		"ja": {"?lang=ja", ""}, "en": {"?lang=en", "ja"}, "browser-ja": {"", "ja,en;q=0.5"}, "browser-en": {"", "fr"}, "reveal": {"?lang=ja&reveal=1", ""},
	}
	show := func(query, language string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, "/"+query, nil)
		req.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, req)
		return w
	}
	atstest.Golden(t, "testdata/empty-ja.golden", show("?lang=ja", "").Body.Bytes())
	atstest.Golden(t, "testdata/empty-en.golden", show("?lang=en", "").Body.Bytes())
	if _, err := c.Hand(t.Context(), r, referral()); err != nil {
		t.Fatal(err)
	}
	if body := show("?lang=en", "").Body.String(); !strings.Contains(body, "One referral has arrived.") {
		t.Errorf("the page does not count one: %s", body)
	}
	hostile := referral()
	hostile.ID, hostile.Candidate.Name, hostile.Provenance.CompanyName = "01K7HOSTILE", "<script>alert(1)</script>", `"><img src=x>`
	for range 2 {
		if _, err := c.Hand(t.Context(), r, hostile); err != nil {
			t.Fatal(err)
		}
	}
	for name, p := range pages {
		w := show(p.query, p.language)
		body := w.Body.String()
		if w.Code != http.StatusOK || strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
			t.Errorf("%s: got %d %s", name, w.Code, body)
		}
		if shown := strings.Contains(body, "花子") || strings.Contains(body, "hanako@example.jp") || strings.Contains(body, "090-"); shown != (name == "reveal") {
			t.Errorf("%s: personal data shown: %t", name, shown)
		}
		for header, want := range map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		_, style, _ := strings.Cut(body, "<style>")
		style, _, _ = strings.Cut(style, "</style>")
		sum := sha256.Sum256([]byte(style))
		if policy, want := w.Header().Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"; policy != want {
			t.Errorf("%s: the policy is %q, want %q", name, policy, want)
		}
	}
	for _, name := range []string{"ja", "en", "reveal"} {
		atstest.Golden(t, "testdata/page-"+name+".golden", show(pages[name].query, "").Body.Bytes())
	}
	if a, b := show("", "ja").Body.String(), show("?lang=ja", "").Body.String(); a != b {
		t.Error("the browser's language does not count")
	}
	if len(sim.Received()) != 2 {
		t.Error("reading changed what was received")
	}
}

func TestSimulatorMethods(t *testing.T) {
	sim := relay.NewSimulator([]string{secret}, clock)
	for method, want := range map[string]int{http.MethodHead: 200, http.MethodGet: 200, http.MethodPut: 405, http.MethodDelete: 405, http.MethodPost: 401} {
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, httptest.NewRequest(method, "/any/where", http.NoBody))
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", method, w.Code, want)
		}
		if allow := w.Header().Get("Allow"); (allow == "GET, HEAD, POST") != (want == 405) {
			t.Errorf("%s: Allow is %q", method, allow)
		}
	}
}

// The memory of a simulator is bounded: the oldest go.
func TestSimulatorForgets(t *testing.T) {
	sim := relay.NewSimulator([]string{secret}, clock)
	for i := range 510 {
		ref := referral()
		ref.ID = fmt.Sprintf("R-%d", i)
		hand(t, sim, ref, "?fail=500&times=0")
	}
	got := sim.Received()
	if len(got) != 500 || got[0].ID != "R-10" || got[499].ID != "R-509" {
		t.Errorf("%d referrals are left", len(got))
	}
}

// hand gives a referral to a simulator without a network.
func hand(tb testing.TB, sim *relay.Simulator, ref relay.Referral, query string) {
	tb.Helper()
	c := client(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, r)
		return w.Result(), nil
	})})
	if _, err := c.Hand(tb.Context(), recipient("https://network.example/"+query), ref); err != nil {
		tb.Fatal(err)
	}
}

func ExampleSimulator() {
	clock := func() time.Time { return time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC) }
	s := httptest.NewServer(relay.NewSimulator([]string{"whsec_ZXhhbXBsZS1zZWNyZXQtZXhhbXBsZS1zZWNyZXQ="}, clock))
	defer s.Close()
	c := relay.Client{HTTP: relay.NewHTTPClient(true), Now: clock}
	to := relay.Recipient{ID: "network", URL: s.URL + "?fail=503&times=1", Secrets: []ats.Secret{"whsec_ZXhhbXBsZS1zZWNyZXQtZXhhbXBsZS1zZWNyZXQ="}}
	ref := relay.Referral{
		ID: "R-1", Candidate: relay.Profile{Name: "見本 花子", Email: "hanako@example.jp"}, Provenance: relay.Provenance{Company: "acme"},
		Consents: []relay.Consent{{ID: "C-1", Purpose: "relay_handover"}},
	}
	for range 3 {
		receipt, err := c.Hand(context.Background(), to, ref)
		fmt.Println(receipt.Reference, err)
	}
	// Output:
	//  network is busy: status 503
	// CR-000001 <nil>
	// CR-000001 <nil>
}
