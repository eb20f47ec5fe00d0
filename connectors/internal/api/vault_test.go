package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/internal/apitest"
)

// A rotator takes each refresh token only once, and gives the next with every
// token. Access tokens live for ten minutes.
type rotator struct {
	mu      sync.Mutex
	now     time.Time
	n       int // tokens given
	lose    int // answers that get lost on the way
	patient bool
	refused int
}

func (r *rotator) at() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// pass lets all access tokens end.
func (r *rotator) pass() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(time.Hour)
}

func (r *rotator) tokens() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

func (r *rotator) serve(q *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.URL.Path != "/token" {
		if q.Header.Get("Authorization") != fmt.Sprintf("Bearer access-%d", r.n) {
			r.refused++
			return says(401, "")(q)
		}
		return says(200, "{}")(q)
	}
	if err := q.ParseForm(); err != nil {
		return nil, err
	}
	got := q.PostForm.Get("refresh_token")
	before := r.patient && got == fmt.Sprintf("refresh-%d", r.n-1) // some take the last one once more
	if got != fmt.Sprintf("refresh-%d", r.n) && !before {
		return says(400, `{"error":"invalid_grant"}`)(q)
	}
	r.n++
	if r.lose > 0 {
		r.lose--
		return nil, errors.New("connection reset")
	}
	return says(200, fmt.Sprintf(`{"access_token":"access-%d","refresh_token":"refresh-%d","expires_in":600,"region":"eu"}`, r.n, r.n))(q)
}

// process is one of several that serve the same connection.
func (r *rotator) process(t *testing.T, v connectors.Vault, refresh string, check func(map[string]any) error) *api.Client {
	t.Helper()
	env := connectors.Env{HTTP: &http.Client{Transport: transport(r.serve)}, Now: r.at, Vault: v}
	return client(t, env, api.Options{OAuth: &api.OAuth{
		URL: "https://api.ats.test/token", Check: check,
		Grant: url.Values{"grant_type": {"refresh_token"}, "client_id": {"c"}, "client_secret": {"s"}, "refresh_token": {refresh}},
	}})
}

func get(t *testing.T, what string, c *api.Client, want ats.Fault) {
	t.Helper()
	if err := c.Get(t.Context(), "/x", nil, nil); (err == nil) != (want == "") || ats.FaultOf(err) != want {
		t.Errorf("%s: got %v, want %q", what, err, want)
	}
}

func TestRotatedTokens(t *testing.T) {
	t.Run("without a vault, in one process", func(t *testing.T) {
		r := &rotator{now: now}
		c := r.process(t, nil, "refresh-0", nil)
		for range 3 {
			get(t, "a call", c, "")
			r.pass()
		}
		if r.tokens() != 3 {
			t.Errorf("got %d tokens, want 3", r.tokens())
		}
	})
	t.Run("over restarts", func(t *testing.T) {
		r, v := &rotator{now: now}, &apitest.Vault{}
		for range 3 {
			get(t, "a new process", r.process(t, v, "refresh-0", nil), "")
		}
		if r.tokens() != 1 {
			t.Errorf("got %d tokens, want the first to be shared", r.tokens())
		}
		r.pass()
		get(t, "after its end", r.process(t, v, "refresh-0", nil), "")
		if r.tokens() != 2 || r.refused > 0 {
			t.Errorf("got %d tokens and %d refusals, want 2 and none", r.tokens(), r.refused)
		}
	})
	t.Run("one of many processes renews, the others pick up", func(t *testing.T) {
		r, v := &rotator{now: now}, &apitest.Vault{}
		var processes []*api.Client
		for range 8 {
			processes = append(processes, r.process(t, v, "refresh-0", nil))
		}
		for round := 1; round <= 3; round++ {
			var group sync.WaitGroup
			for _, c := range processes {
				group.Go(func() { get(t, "at the same time", c, "") })
			}
			group.Wait()
			if r.tokens() != round {
				t.Errorf("round %d: got %d tokens", round, r.tokens())
			}
			r.pass()
		}
	})
	t.Run("a token that ended early for all", func(t *testing.T) {
		r, v := &rotator{now: now}, &apitest.Vault{}
		a, b := r.process(t, v, "refresh-0", nil), r.process(t, v, "refresh-0", nil)
		get(t, "a", a, "")
		get(t, "b", b, "")
		r.mu.Lock()
		r.n++ // somebody signed in elsewhere
		r.mu.Unlock()
		get(t, "a, whose refresh token is no longer taken", a, ats.Denied)
		c := r.process(t, v, "refresh-2", nil)
		get(t, "a grant that a person gave anew", c, "")
	})
	t.Run("the answer with the token is lost", func(t *testing.T) {
		r, v := &rotator{now: now, lose: 1, patient: true}, &apitest.Vault{}
		c := r.process(t, v, "refresh-0", nil)
		get(t, "the call whose token got lost", c, ats.Busy)
		get(t, "the next one", c, "")
		get(t, "another process", r.process(t, v, "refresh-0", nil), "")
		if v.Kept() != 1 {
			t.Errorf("kept %d tokens, want the one that arrived", v.Kept())
		}
	})
	t.Run("the database is away while a token is renewed", func(t *testing.T) {
		r, v := &rotator{now: now}, &apitest.Vault{}
		v.Break(ats.Errorf(ats.Busy, "database away"))
		c := r.process(t, v, "refresh-0", nil)
		get(t, "the call goes on", c, "")
		r.pass()
		get(t, "and the next, with the token that only this process has", c, "")
		v.Break(nil)
		get(t, "it is back", c, "")
		get(t, "another process", r.process(t, v, "refresh-0", nil), "")
		if r.tokens() != 2 || v.Kept() != 1 {
			t.Errorf("got %d tokens, %d kept, want 2 and the newer", r.tokens(), v.Kept())
		}
	})
	t.Run("an answer that is refused is kept for the next try", func(t *testing.T) {
		r, v := &rotator{now: now}, &apitest.Vault{}
		wrong := func(map[string]any) error { return ats.Errorf(ats.Conflict, "another region") }
		get(t, "configured for another region", r.process(t, v, "refresh-0", wrong), ats.Conflict)
		get(t, "the same again", r.process(t, v, "refresh-0", wrong), ats.Conflict)
		get(t, "corrected", r.process(t, v, "refresh-0", nil), "")
	})
	t.Run("a changed client secret keeps the grant, a changed refresh token begins another", func(t *testing.T) {
		r, v := &rotator{now: now}, &apitest.Vault{}
		get(t, "the first grant", r.process(t, v, "refresh-0", nil), "")
		r.mu.Lock()
		r.n = 40 // the person authorised again
		r.mu.Unlock()
		get(t, "the second grant", r.process(t, v, "refresh-40", nil), "")
		if r.tokens() != 41 || r.refused != 0 {
			t.Errorf("got %d tokens and %d refusals, want the new grant to be used at once", r.tokens(), r.refused)
		}
	})
}
