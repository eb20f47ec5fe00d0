package relay

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
)

func TestNotifyAndSay(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	const secret = ats.Secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	status := 0
	var header http.Header
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	}))
	defer server.Close()
	c := &Client{HTTP: server.Client(), Now: func() time.Time { return now }}
	hook := Hook{URL: server.URL, Secrets: []ats.Secret{secret}}

	status = http.StatusNoContent
	if err := c.Notify(t.Context(), "operator", hook, "n1", []byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if err := Verify([]ats.Secret{secret}, header, body, now); err != nil || header.Get(headerID) != "n1" {
		t.Errorf("signature: %v, %v", err, header)
	}
	if err := c.Say(t.Context(), "operator", ats.Secret(server.URL+"/services/T0/secret"), "株式会社アクメ: <静か> & more"); err != nil {
		t.Fatal(err)
	}
	var said map[string]string
	if err := json.Unmarshal(body, &said); err != nil || said["text"] != "株式会社アクメ: <静か> & more" || len(said) != 1 {
		t.Errorf("said %s (%v)", body, err)
	}

	for code, want := range map[int]ats.Fault{302: ats.Invalid, 400: ats.Invalid, 403: ats.Denied, 404: ats.Invalid, 429: ats.Busy, 500: ats.Busy} {
		status = code
		if got := ats.FaultOf(c.Notify(t.Context(), "operator", hook, "n1", nil)); got != want {
			t.Errorf("notify at %d: got %q, want %q", code, got, want)
		}
		err := c.Say(t.Context(), "operator", ats.Secret(server.URL+"/services/T0/secret"), "x")
		if got := ats.FaultOf(err); got != want {
			t.Errorf("say at %d: got %q, want %q", code, got, want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the address stands in %v", err)
		}
	}
	server.Close()
	if err := c.Say(t.Context(), "operator", ats.Secret(server.URL+"/services/T0/secret"), "x"); ats.FaultOf(err) != ats.Busy || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody answers: %v", err)
	}
	for name, err := range map[string]error{
		"an address without TLS": c.Say(t.Context(), "operator", "http://hooks.example.jp/x", "x"),
		"no address":             c.Say(t.Context(), "operator", "://", "x"),
		"no secret":              c.Notify(t.Context(), "operator", Hook{URL: server.URL}, "n1", nil),
		"a bad secret":           c.Notify(t.Context(), "operator", Hook{URL: server.URL, Secrets: []ats.Secret{"x"}}, "n1", nil),
	} {
		if ats.FaultOf(err) != ats.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What alerts are sent to is configured, so it may not lead into our own network.
func TestNotifyStaysOutside(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	c := &Client{HTTP: NewHTTPClient(false), Now: time.Now}
	if err := c.Say(t.Context(), "operator", ats.Secret(server.URL), "x"); ats.FaultOf(err) != ats.Denied {
		t.Errorf("got %v", err)
	}
}

func TestLicence(t *testing.T) {
	for name, test := range map[string]struct {
		until string
		now   time.Time
		want  bool
	}{
		"no end":                    {"", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), true},
		"its last second in Japan":  {"2027-03-31", time.Date(2027, 3, 31, 14, 59, 59, 0, time.UTC), true},
		"the day after it in Japan": {"2027-03-31", time.Date(2027, 3, 31, 15, 0, 0, 0, time.UTC), false},
	} {
		if got := (Recipient{LicenceUntil: test.until}).Licensed(test.now); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
