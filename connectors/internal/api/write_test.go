package api_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
)

// TestWrites is what becomes of a call of which nobody knows whether it was done.
func TestWrites(t *testing.T) {
	fails := func(err error) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	for name, tt := range map[string]struct {
		answer       func(*http.Request) (*http.Response, error)
		post, create ats.Fault
	}{
		"done":              {says(201, "{}"), "", ""},
		"no content":        {says(204, ""), "", ""},
		"an empty answer":   {says(200, ""), ats.Invalid, ats.Invalid},
		"never answered":    {fails(errors.New("connection reset")), ats.Busy, ats.Unclear},
		"broken off":        {broken, ats.Busy, ats.Unclear},
		"down":              {says(500, ""), ats.Busy, ats.Unclear},
		"not reached":       {fails(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), ats.Busy, ats.Busy},
		"too many":          {says(429, ""), ats.Busy, ats.Busy},
		"there already":     {says(409, ""), ats.Conflict, ats.Conflict},
		"a private address": {fails(ats.Errorf(ats.Denied, "not a public address")), ats.Denied, ats.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, env(tt.answer), api.Options{})
			var out struct{}
			if err := c.Post(t.Context(), "/x", nil, &out); ats.FaultOf(err) != tt.post {
				t.Errorf("post: got %v, want %q", err, tt.post)
			}
			if err := c.Put(t.Context(), "/x", nil, &out); ats.FaultOf(err) != tt.post {
				t.Errorf("put: got %v, want %q", err, tt.post)
			}
			if err := c.Create(t.Context(), "/x", nil, &out); ats.FaultOf(err) != tt.create {
				t.Errorf("create: got %v, want %q", err, tt.create)
			}
		})
	}
	for status, want := range map[int]ats.Fault{204: "", 404: "", 410: "", 403: ats.Denied} {
		var got *http.Request
		c := client(t, env(func(r *http.Request) (*http.Response, error) {
			got = r
			return says(status, "")(r)
		}), api.Options{})
		if err := c.Delete(t.Context(), "/things/1", url.Values{"force": {"true"}}); ats.FaultOf(err) != want {
			t.Errorf("delete answered by %d: got %v, want %q", status, err, want)
		}
		if got.Method != http.MethodDelete || got.URL.RawQuery != "force=true" {
			t.Errorf("got %s %s", got.Method, got.URL)
		}
	}
}

// A grantor gives tokens and takes only the newest.
type grantor struct {
	t      *testing.T
	now    time.Time
	status int // to who wants a token, if it is not a good one
	answer string
	tokens int
	dead   string // a token that is no longer taken
	calls  int
}

func (g *grantor) env() connectors.Env {
	return connectors.Env{HTTP: &http.Client{Transport: transport(g.serve)}, Now: func() time.Time { return g.now }}
}

func (g *grantor) serve(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "accounts.ats.test" {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if r.Method != http.MethodPost || r.URL.Path != "/oauth/v2/token" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" ||
			string(text) != "grant_type=refresh_token&refresh_token=r-1" || r.Header.Get("Authorization") != "" {
			g.t.Errorf("got %s %s with %s", r.Method, r.URL, text)
		}
		g.tokens++
		if g.status != 0 {
			return says(g.status, g.answer)(r)
		}
		return says(200, `{"access_token":"t-`+strings.Repeat("i", g.tokens)+`","expires_in":600,"api_domain":"https://api.ats.test"}`)(r)
	}
	g.calls++
	if got := r.Header.Get("Authorization"); got != "Own-token t-"+strings.Repeat("i", g.tokens) || got == g.dead {
		return says(401, "")(r)
	}
	return says(200, "{}")(r)
}

func (g *grantor) client(check func(map[string]any) error) *api.Client {
	return client(g.t, g.env(), api.Options{OAuth: &api.OAuth{
		URL: "https://accounts.ats.test/oauth/v2/token", Prefix: "Own-token ",
		Grant: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"r-1"}}, Check: check,
	}})
}

func TestOAuth(t *testing.T) {
	g := &grantor{t: t, now: now}
	c := g.client(nil)
	get := func(what string, tokens int) {
		t.Helper()
		if err := c.Get(t.Context(), "/x", nil, nil); err != nil || g.tokens != tokens {
			t.Errorf("%s: got %v after %d tokens, want %d", what, err, g.tokens, tokens)
		}
	}
	get("the first call", 1)
	get("the second call", 1)
	g.now = now.Add(8 * time.Minute)
	get("before the end", 1)
	g.now = now.Add(9 * time.Minute)
	get("shortly before the end", 2)
	g.dead = "Own-token t-ii"
	get("a token that ended early", 3)
	if g.calls != 6 {
		t.Errorf("got %d calls, want one twice", g.calls)
	}
	g.dead, g.calls = "Own-token t-iiii", 0
	g.now = now.Add(time.Hour)
	get("and again", 5)
}

func TestOAuthFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		answer string
		check  func(map[string]any) error
		fault  ats.Fault
		want   string
	}{
		"refused":              {400, `{"error":"invalid_grant"}`, nil, ats.Denied, "400 Bad Request: check the OAuth client and the refresh token"},
		"refused with 200":     {200, `{"error":"invalid_code"}`, nil, ats.Denied, "getting a token: invalid_code"},
		"an error with a leak": {200, `{"error":"misaki@example.jp"}`, nil, ats.Denied, "no token in the answer"},
		"no token":             {200, `{}`, nil, ats.Denied, "no token in the answer"},
		"not allowed":          {403, ``, nil, ats.Denied, "403 Forbidden"},
		"down":                 {503, ``, nil, ats.Busy, "503"},
		"a page":               {200, `<html>`, nil, ats.Denied, "not the JSON"},
		"checked":              {200, `{"access_token":"t"}`, func(map[string]any) error { return ats.Errorf(ats.Conflict, "elsewhere") }, ats.Conflict, "elsewhere"},
		"a new token, refused": {200, `{"access_token":"t-other","expires_in":"soon"}`, nil, ats.Denied, "GET api.ats.test/x: 401"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &grantor{t: t, now: now, status: tt.status, answer: tt.answer}
			err := g.client(tt.check).Get(t.Context(), "/x", nil, nil)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "r-1") || strings.Contains(err.Error(), "misaki") {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
			if g.calls > 2 {
				t.Errorf("got %d calls, want no more than one repetition", g.calls)
			}
		})
	}
	for _, address := range []string{"", "http://accounts.ats.test/token", "https://accounts.ats.test", "://"} {
		if _, err := api.New(env(says(200, "")), api.Options{Base: "https://api.ats.test", OAuth: &api.OAuth{URL: address}}); ats.FaultOf(err) != ats.Invalid {
			t.Errorf("tokens from %q: got %v, want invalid", address, err)
		}
	}
}
