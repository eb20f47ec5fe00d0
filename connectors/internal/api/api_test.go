package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// env lends a client that is answered by a function, without a network.
func env(answer func(*http.Request) (*http.Response, error)) connectors.Env {
	return connectors.Env{HTTP: &http.Client{Transport: transport(answer)}, Now: func() time.Time { return now }}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// says answers everything with one status, body and headers.
func says(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i+1 < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func client(t *testing.T, e connectors.Env, o api.Options) *api.Client {
	t.Helper()
	if o.Base == "" {
		o.Base = "https://api.ats.test/v1/"
	}
	c, err := api.New(e, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCall(t *testing.T) {
	var got *http.Request
	var sent string
	e := env(func(r *http.Request) (*http.Response, error) {
		got = r
		text, err := io.ReadAll(r.Body)
		sent = string(text)
		if err != nil {
			return nil, err
		}
		return says(http.StatusOK, `{"id":9007199254740993}`)(r)
	})
	key := ats.Secret("k-1")
	for name, tt := range map[string]struct {
		auth api.Auth
		want string // of Authorization
	}{
		"basic":  {api.Basic(key, ""), "Basic ay0xOg=="},
		"bearer": {api.Bearer(key), "Bearer k-1"},
		"token":  {api.Token(func(context.Context) (ats.Secret, error) { return "fresh", nil }), "Bearer fresh"},
		"header": {api.Header("Authorization", "Token token=", key), "Token token=k-1"},
		"none":   {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, e, api.Options{Auth: tt.auth, Header: http.Header{"X-Api-Version": {"20240404"}}})
			var out map[string]any
			if err := c.Get(t.Context(), "/things/a%2Fb", url.Values{"q": {"x y"}}, &out); err != nil {
				t.Fatal(err)
			}
			if got.URL.String() != "https://api.ats.test/v1/things/a%2Fb?q=x+y" || got.Method != http.MethodGet || got.Header.Get("Content-Type") != "" {
				t.Errorf("got %s %s", got.Method, got.URL)
			}
			if got.Header.Get("Authorization") != tt.want || got.Header.Get("X-Api-Version") != "20240404" || got.Header.Get("Accept") != "application/json" {
				t.Errorf("got headers %v, want Authorization %q", got.Header, tt.want)
			}
			if diff := cmp.Diff(map[string]any{"id": json.Number("9007199254740993")}, out); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	c := client(t, e, api.Options{Header: http.Header{"Accept": {"application/vnd.api+json"}}})
	if err := c.Post(t.Context(), "/candidate.info", map[string]string{"id": "1"}, nil); err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || sent != `{"id":"1"}` || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Accept") != "application/vnd.api+json" {
		t.Errorf("got %s with %s and %v", got.Method, sent, got.Header)
	}
}

func TestFaults(t *testing.T) {
	tests := map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		fault  ats.Fault
		wait   time.Duration
		want   string
	}{
		"not authenticated":      {says(401, ""), ats.Denied, 0, "401 Unauthorized: check the API key"},
		"not allowed":            {says(403, ""), ats.Denied, 0, "403 Forbidden"},
		"not there":              {says(404, ""), ats.NotFound, 0, "404 Not Found"},
		"gone":                   {says(410, ""), ats.NotFound, 0, "410 Gone"},
		"wrong":                  {says(422, ""), ats.Invalid, 0, "422 Unprocessable Entity"},
		"elsewhere":              {says(302, "", "Location", "https://other.test/"), ats.Invalid, 0, "it wants to send us elsewhere"},
		"an unknown status":      {says(499, ""), ats.Invalid, 0, "499"},
		"too many, silent":       {says(429, ""), ats.Busy, 30 * time.Second, "429 Too Many Requests"},
		"too many, in seconds":   {says(429, "", "Retry-After", "17"), ats.Busy, 17 * time.Second, "429"},
		"too many, at once":      {says(429, "", "Retry-After", "0"), ats.Busy, time.Second, "429"},
		"too many, for a year":   {says(429, "", "Retry-After", "31536000"), ats.Busy, 6 * time.Hour, "429"},
		"too many, by date":      {says(429, "", "Retry-After", "Tue, 24 Nov 2026 09:02:00 GMT"), ats.Busy, 2 * time.Minute, "429"},
		"too many, Unix time":    {says(429, "", "X-RateLimit-Reset", strconv.FormatInt(now.Unix()+40, 10)), ats.Busy, 40 * time.Second, "429"},
		"too many, milliseconds": {says(429, "", "X-Rate-Limit-Reset", strconv.FormatInt(now.UnixMilli()+4500, 10)), ats.Busy, 4500 * time.Millisecond, "429"},
		"too many, a time":       {says(429, "", "X-Reset-At", "2026-11-24T18:01:00+09:00"), ats.Busy, time.Minute, "429"},
		"too many, in the past":  {says(429, "", "X-RateLimit-Reset", "1500000000"), ats.Busy, time.Second, "429"},
		"too many, a riddle":     {says(429, "", "Retry-After", "soon", "X-Reset", "9"), ats.Busy, 9 * time.Second, "429"},
		"too many, no number":    {says(429, "", "Retry-After", "NaN"), ats.Busy, 30 * time.Second, "429"},
		"too many, below zero":   {says(429, "", "Retry-After", "-5"), ats.Busy, 30 * time.Second, "429"},
		"down":                   {says(500, "secret detail"), ats.Busy, 0, "500 Internal Server Error"},
		"down for a while":       {says(503, "", "Retry-After", "60"), ats.Busy, time.Minute, "503 Service Unavailable"},
		"slow":                   {says(408, ""), ats.Busy, 0, "408 Request Timeout"},
		"no answer":              {func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") }, ats.Busy, 0, "no answer: connection reset"},
		"a private address": {func(*http.Request) (*http.Response, error) {
			return nil, ats.Errorf(ats.Denied, "10.0.0.1 is not a public address")
		}, ats.Denied, 0, "10.0.0.1 is not a public address"},
		"an answer in pieces":      {broken, ats.Busy, 0, "the answer broke off"},
		"an answer without end":    {says(200, strings.Repeat(" ", api.MaxBody+1)), ats.TooLarge, 0, "more than 8 MiB"},
		"an answer that is a page": {says(200, "<html>"), ats.Invalid, 0, "is not the JSON that this connector knows"},
		"an answer of other types": {says(200, `{"id":"misaki@example.jp"}`), ats.Invalid, 0, "is not the JSON that this connector knows"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := client(t, env(tt.answer), api.Options{Auth: api.Bearer("secret-key")})
			var out struct{ ID int }
			err := c.Get(t.Context(), "/people/7f2c/mails/misaki@example.jp", url.Values{"email": {"misaki@example.jp"}}, &out)
			if ats.FaultOf(err) != tt.fault || ats.WaitOf(err) != tt.wait || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s, wait %s), want %s, %s, wait %s", err, ats.FaultOf(err), ats.WaitOf(err), tt.fault, tt.want, tt.wait)
			}
			if !strings.HasPrefix(err.Error(), "GET api.ats.test/people/…/mails/…: ") {
				t.Errorf("got %v, want it to say which call", err)
			}
			for _, leak := range []string{"misaki", "secret", "7f2c"} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("the error holds %q: %v", leak, err)
				}
			}
		})
	}
}

func broken(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(io.MultiReader(strings.NewReader("{"), failing{})), Request: r}, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestNetwork is what only a real connection shows.
func TestNetwork(t *testing.T) {
	block := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/away":
			http.Redirect(w, r, "/v1/home", http.StatusFound)
		case "/v1/home":
			t.Error("followed a redirect")
		case "/v1/slow":
			<-block
		}
	}))
	defer server.Close()
	defer close(block)
	e := connectors.Env{HTTP: server.Client(), Now: time.Now}
	c := client(t, e, api.Options{Base: server.URL + "/v1", Timeout: 50 * time.Millisecond})
	if err := c.Get(t.Context(), "/away", nil, nil); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("a redirect: got %v, want invalid", err)
	}
	if err := c.Get(t.Context(), "/slow", nil, nil); ats.FaultOf(err) != ats.Busy || !strings.Contains(err.Error(), "it took too long") {
		t.Errorf("a slow answer: got %v, want busy", err)
	}
	if e.HTTP.CheckRedirect != nil {
		t.Error("the lent client was changed")
	}
}

func TestRate(t *testing.T) {
	c := client(t, env(says(200, "{}")), api.Options{Rate: 0.001, Burst: 2})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range 3 {
		err := c.Get(ctx, "/x", nil, nil)
		if i < 2 && err != nil || i == 2 && ats.FaultOf(err) != ats.Busy {
			t.Errorf("call %d: got %v", i, err)
		}
	}
}

func TestPaths(t *testing.T) {
	called := false
	c := client(t, env(func(r *http.Request) (*http.Response, error) {
		called = true
		return says(200, "{}")(r)
	}), api.Options{})
	for _, path := range []string{"/a?b=c", "/a#b", "/%zz"} {
		if err := c.Get(t.Context(), path, nil, nil); ats.FaultOf(err) != ats.Invalid || called {
			t.Errorf("%s: got %v, called %t", path, err, called)
		}
	}
	denied := api.Token(func(context.Context) (ats.Secret, error) {
		return "", ats.Errorf(ats.Denied, "the refresh token is dead")
	})
	c = client(t, env(says(200, "{}")), api.Options{Auth: denied})
	if err := c.Get(t.Context(), "/x", nil, nil); ats.FaultOf(err) != ats.Denied {
		t.Errorf("without a token: got %v, want denied", err)
	}
	if err := c.Post(t.Context(), "/x", func() {}, nil); err == nil {
		t.Error("what cannot be written: got no error")
	}
}

func TestNew(t *testing.T) {
	good := env(says(200, ""))
	for name, tt := range map[string]struct {
		env  connectors.Env
		base string
		ok   bool
	}{
		"https":                {good, "https://api.ats.test/v1", true},
		"this machine":         {good, "http://127.0.0.1:8080", true},
		"this machine by name": {good, "http://localhost:8080/v1", true},
		"http":                 {good, "http://api.ats.test", false},
		"no host":              {good, "https:///v1", false},
		"no address":           {good, "api.ats.test", false},
		"a password":           {good, "https://a:b@api.ats.test", false},
		"parameters":           {good, "https://api.ats.test?a=b", false},
		"control signs":        {good, "https://api.ats.test\n", false},
		"nothing lent":         {connectors.Env{}, "https://api.ats.test", false},
	} {
		if _, err := api.New(tt.env, api.Options{Base: tt.base}); (err == nil) != tt.ok {
			t.Errorf("%s: got %v, want ok %t", name, err, tt.ok)
		}
	}
}

func TestWithin(t *testing.T) {
	c := client(t, env(says(200, "{}")), api.Options{})
	path, query, err := c.Within("https://api.ats.test/v1/jobs/a%2Fb?page=2&q=x+y")
	if diff := cmp.Diff(url.Values{"page": {"2"}, "q": {"x y"}}, query); diff != "" || path != "/jobs/a%2Fb" || err != nil {
		t.Errorf("got %s, %v (-want +got):\n%s", path, err, diff)
	}
	for _, address := range []string{
		"https://other.test/v1/jobs", "http://api.ats.test/v1/jobs", "https://api.ats.test:8443/v1/jobs", "https://api.ats.test.evil.test/v1/jobs",
		"https://u:p@api.ats.test/v1/jobs", "https://api.ats.test/v2/jobs", "https://api.ats.test/v1", "https://api.ats.test/v1jobs", "https://api.ats.test/v1/../v2/jobs", "/v1/jobs", "%zz", "",
	} {
		if path, _, err := c.Within(address); ats.FaultOf(err) != ats.Invalid {
			t.Errorf("%s: got %s, %v, want invalid", address, path, err)
		}
	}
}

func TestEach(t *testing.T) {
	pages := map[string]string{"": "b", "b": "c", "c": "", "loop": "loop", "x": "y", "y": "x"}
	for name, tt := range map[string]struct {
		first string
		most  int
		seen  int
		fault ats.Fault
	}{
		"to the end":          {"", 3, 3, ""},
		"one too many":        {"", 2, 2, ats.TooLarge},
		"the same page again": {"loop", 9, 2, ats.Invalid},
		"round and round":     {"x", 9, 9, ats.TooLarge},
		"an error":            {"unknown", 9, 1, ats.Busy},
	} {
		seen := 0
		err := api.Each(tt.most, func(page string) (string, error) {
			seen++
			if seen == 1 && tt.first != "" {
				page = tt.first
			}
			next, ok := pages[page]
			if !ok {
				return "", ats.Errorf(ats.Busy, "down")
			}
			return next, nil
		})
		if seen != tt.seen || ats.FaultOf(err) != tt.fault || tt.fault == "" && err != nil {
			t.Errorf("%s: got %d pages, %v, want %d, %s", name, seen, err, tt.seen, tt.fault)
		}
	}
}
