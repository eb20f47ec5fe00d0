package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// OAuth is a grant that a company gave once. From it come the tokens that calls
// carry, each for as long as it is valid. A refresh token that comes with one
// takes the place of the configured one: its vendor takes each only once.
type OAuth struct {
	URL    string     // where tokens are given, such as https://accounts.example.com/oauth/token
	Grant  url.Values // what proves the grant: grant_type, client_id, client_secret, refresh_token, …
	Auth   Auth       // of the client, where it does not stand in Grant; may be nil
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

// Bounds of a renewal, which one process does for all.
const (
	renewLease = 30 * time.Second       // a renewal is taken for dead after
	renewLook  = 250 * time.Millisecond // how often the others look for its end
	renewKeep  = 10 * time.Second       // how long keeping what was got is tried
)

// tokens keeps the newest token of a grant.
type tokens struct {
	OAuth
	api   *Client
	path  string
	now   func() time.Time
	vault connectors.Vault
	grant string // its mark among the kept ones

	mu   sync.Mutex
	have connectors.Token
	// unkept is set while have could not be kept: nobody else has it, and the
	// vendor may take nothing older any more.
	unkept bool
	dead   ats.Secret // a token that was refused
}

func newTokens(env connectors.Env, o OAuth) (*tokens, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Path == "" {
		return nil, ats.Errorf(ats.Invalid, "the address of the OAuth tokens cannot be used")
	}
	proof := maps.Clone(o.Grant)
	delete(proof, "client_secret") // a new one changes nothing about the grant
	sum := sha256.Sum256([]byte(o.URL + "\n" + proof.Encode()))
	t := &tokens{OAuth: o, path: u.EscapedPath(), now: env.Now, vault: env.Vault, grant: hex.EncodeToString(sum[:16])}
	if t.Prefix == "" {
		t.Prefix = "Bearer "
	}
	u.Path, u.RawPath = "", ""
	t.api, err = New(env, Options{Base: u.String(), Auth: o.Auth, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}})
	return t, err
}

// auth implements Auth.
func (t *tokens) auth(ctx context.Context, r *http.Request) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.unkept {
		t.keep(ctx)
	}
	if !t.usable(t.have) {
		if err := t.get(ctx); err != nil {
			return err
		}
	}
	r.Header.Set("Authorization", t.Prefix+string(t.have.Access))
	return nil
}

func (t *tokens) usable(k connectors.Token) bool {
	return k.Grant == t.grant && k.Access != "" && k.Access != t.dead && t.now().Before(k.Until)
}

// drop forgets the token of a call that was refused, unless another call got a
// new one meanwhile.
func (t *tokens) drop(r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Header.Get("Authorization") == t.Prefix+string(t.have.Access) {
		t.dead = t.have.Access
	}
}

// get takes the token that another process got, or renews it for all.
func (t *tokens) get(ctx context.Context) error {
	if t.vault == nil || t.unkept { // what was not kept is the newest there is
		return t.renew(ctx, t.have)
	}
	for {
		kept, err := t.vault.Token(ctx)
		if err != nil {
			return err
		}
		if t.usable(kept) {
			t.have = kept
			return nil
		}
		switch err := t.vault.Claim(ctx, kept.Version, renewLease); {
		case err == nil:
			if err := t.renew(ctx, kept); err != nil {
				return errors.Join(err, t.vault.Release(context.WithoutCancel(ctx), kept.Version))
			}
			return nil
		case ats.FaultOf(err) != ats.Duplicate:
			return err
		}
		wait := time.NewTimer(renewLook)
		select {
		case <-ctx.Done():
			wait.Stop()
			return ats.Errorf(ats.Busy, "getting a token: another process does it, for too long")
		case <-wait.C:
		}
	}
}

// renew gets a token in place of old. Where the refresh token that was kept is
// not taken, the configured one is tried: somebody may have put it there after
// the other was lost.
func (t *tokens) renew(ctx context.Context, old connectors.Token) error {
	if old.Grant != t.grant {
		old.Refresh = "" // of another grant
	}
	made, answer, err := t.ask(ctx, old.Refresh)
	if old.Refresh != "" && ats.FaultOf(err) == ats.Denied {
		made, answer, err = t.ask(ctx, "")
	}
	if err != nil {
		return err
	}
	if made.Refresh == "" {
		made.Refresh = old.Refresh
	}
	if t.Check != nil {
		if err = t.Check(answer); err != nil {
			made.Access = "" // not to be used; but the refresh token is the only one now
		}
	}
	made.Version, made.Grant = old.Version, t.grant
	t.have, t.dead, t.unkept = made, "", t.vault != nil
	if t.unkept {
		t.keep(ctx)
	}
	return err
}

// keep keeps the newest token for all. The call that needed it goes on even
// when that fails; the next one tries again.
func (t *tokens) keep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewKeep)
	defer cancel()
	switch err := t.vault.Keep(ctx, t.have); {
	case err == nil:
		t.have.Version++
		t.unkept = false
	case ats.FaultOf(err) == ats.Duplicate: // another process kept a newer one
		t.unkept = false
	}
}

// plainCode is what the name of an error looks like that may be repeated.
var plainCode = regexp.MustCompile(`^[a-zA-Z_]{1,40}$`)

// ask asks for a token, by the configured refresh token when refresh is empty.
// Once it is asked the answer is waited for, also while the process stops: a
// refresh token that was taken is worth nothing without it.
func (t *tokens) ask(ctx context.Context, refresh ats.Secret) (made connectors.Token, answer map[string]any, err error) {
	form := maps.Clone(t.Grant)
	if refresh != "" {
		form.Set("refresh_token", string(refresh))
	}
	_, err = t.api.Do(context.WithoutCancel(ctx), http.MethodPost, t.path, nil, []byte(form.Encode()), &answer)
	if ats.FaultOf(err) == ats.Invalid || ats.FaultOf(err) == ats.NotFound {
		return made, nil, ats.Errorf(ats.Denied, "getting a token: %w: check the OAuth client and the refresh token", err)
	}
	if err != nil {
		return made, nil, err
	}
	token, _ := answer["access_token"].(string)
	if token == "" { // some vendors say so with 200
		code, _ := answer["error"].(string)
		if !plainCode.MatchString(code) {
			code = "no token in the answer"
		}
		return made, nil, ats.Errorf(ats.Denied, "getting a token: %s: check the OAuth client and the refresh token", code)
	}
	life := defaultLife
	if n, ok := answer["expires_in"].(json.Number); ok {
		if seconds, err := n.Float64(); err == nil && seconds > 0 && seconds < maxLife.Seconds() {
			life = time.Duration(seconds * float64(time.Second))
		}
	}
	next, _ := answer["refresh_token"].(string)
	return connectors.Token{Access: ats.Secret(token), Refresh: ats.Secret(next), Until: t.now().Add(life - min(spare, life/2))}, answer, nil
}
