package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// OAuth is a grant that a company gave once. From it come the tokens that calls
// carry, each for as long as it is valid.
type OAuth struct {
	URL    string     // where tokens are given, such as https://accounts.example.com/oauth/token
	Grant  url.Values // what proves the grant: grant_type, client_id, client_secret, refresh_token, …
	Prefix string     // before the token in Authorization; default "Bearer "
	// Check may refuse the answer with the token; may be nil.
	Check func(answer map[string]any) error
}

// Lives of tokens.
const (
	defaultLife = time.Hour // of a token that does not say
	maxLife     = 365 * 24 * time.Hour
	spare       = time.Minute // by which a token is renewed before its end
)

// tokens keeps the newest token of a grant.
type tokens struct {
	OAuth
	api  *Client
	path string
	now  func() time.Time

	mu    sync.Mutex
	token string
	until time.Time
}

func newTokens(env connectors.Env, o OAuth) (*tokens, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Path == "" {
		return nil, ats.Errorf(ats.Invalid, "the address of the OAuth tokens cannot be used")
	}
	t := &tokens{OAuth: o, path: u.EscapedPath(), now: env.Now}
	if t.Prefix == "" {
		t.Prefix = "Bearer "
	}
	u.Path, u.RawPath = "", ""
	t.api, err = New(env, Options{Base: u.String(), Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}})
	return t, err
}

// auth implements Auth.
func (t *tokens) auth(ctx context.Context, r *http.Request) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == "" || !t.now().Before(t.until) {
		if err := t.renew(ctx); err != nil {
			return err
		}
	}
	r.Header.Set("Authorization", t.Prefix+t.token)
	return nil
}

// drop forgets the token of a call that was refused, unless another call got a
// new one meanwhile.
func (t *tokens) drop(r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Header.Get("Authorization") == t.Prefix+t.token {
		t.token = ""
	}
}

// plainCode is what the name of an error looks like that may be repeated.
var plainCode = regexp.MustCompile(`^[a-zA-Z_]{1,40}$`)

func (t *tokens) renew(ctx context.Context) error {
	var answer map[string]any
	_, err := t.api.Do(ctx, http.MethodPost, t.path, nil, []byte(t.Grant.Encode()), &answer)
	if ats.FaultOf(err) == ats.Invalid || ats.FaultOf(err) == ats.NotFound {
		return ats.Errorf(ats.Denied, "getting a token: %w: check the OAuth client and the refresh token", err)
	}
	if err != nil {
		return err
	}
	token, _ := answer["access_token"].(string)
	if token == "" { // some vendors say so with 200
		code, _ := answer["error"].(string)
		if !plainCode.MatchString(code) {
			code = "no token in the answer"
		}
		return ats.Errorf(ats.Denied, "getting a token: %s: check the OAuth client and the refresh token", code)
	}
	if t.Check != nil {
		if err := t.Check(answer); err != nil {
			return err
		}
	}
	life := defaultLife
	if n, ok := answer["expires_in"].(json.Number); ok {
		if seconds, err := n.Float64(); err == nil && seconds > 0 && seconds < maxLife.Seconds() {
			life = time.Duration(seconds * float64(time.Second))
		}
	}
	t.token, t.until = token, t.now().Add(life-min(spare, life/2))
	return nil
}
