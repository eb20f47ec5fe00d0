package web_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

// An issuer is an identity provider that enforces what it should: the client,
// its secret, the address to come back to, PKCE, and a code that works once.
type issuer struct {
	t     *testing.T
	url   string
	key   *rsa.PrivateKey
	codes map[string]url.Values // what each was asked for with
	// claims and signer may be changed before somebody comes back.
	claims func(claims map[string]any)
	signer *rsa.PrivateKey
	now    func() time.Time
}

func newIssuer(t *testing.T, now func() time.Time) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, signer: key, codes: map[string]url.Values{}, claims: func(map[string]any) {}, now: now}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": i.url, "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token", "jwks_uri": i.url + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &i.key.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		client, secret, _ := r.BasicAuth()
		asked, known := i.codes[r.FormValue("code")]
		delete(i.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if !known || client != "console" || secret != "client-secret" || r.FormValue("redirect_uri") != asked.Get("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]any{"error": "invalid_grant"})
			return
		}
		answer(w, map[string]any{"access_token": "AT", "token_type": "Bearer", "expires_in": 300, "id_token": i.sign(asked.Get("nonce"))})
	})
	return i
}

func (i *issuer) sign(nonce string) string {
	i.t.Helper()
	claims := map[string]any{
		"iss": i.url, "aud": "console", "sub": "s-1", "nonce": nonce, "iat": i.now().Unix(), "exp": i.now().Add(5 * time.Minute).Unix(),
		"email": "Hana@relay.example.jp", "email_verified": true, "groups": []string{"everybody", "duty"},
	}
	i.claims(claims)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.signer, KeyID: "k1"}}, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	text, _ := json.Marshal(claims)
	signed, err := signer.Sign(text)
	if err != nil {
		i.t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}

// authorize is the provider's login page: it checks how it is asked, and leads
// back with a code.
func (i *issuer) authorize(address string) (back *url.URL) {
	i.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		i.t.Fatal(err)
	}
	q := u.Query()
	if !strings.HasPrefix(address, i.url+"/authorize?") || q.Get("client_id") != "console" || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" ||
		len(q.Get("code_challenge")) < 43 || len(q.Get("state")) < 20 || len(q.Get("nonce")) < 20 || q.Get("state") == q.Get("nonce") || !strings.Contains(" "+q.Get("scope")+" ", " openid ") {
		i.t.Fatalf("asked for as %v", q)
	}
	code := rand.Text()
	i.codes[code] = q
	back, _ = url.Parse(q.Get("redirect_uri"))
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
	return back
}

// provided is an office that an identity provider leads to.
func provided(t *testing.T) (*office, *issuer) {
	t.Helper()
	var i *issuer
	o := newOffice(t, func(o *office) {
		i = newIssuer(t, o.clock)
		o.shared.Access = access.Settings{Console: "http://127.0.0.1:1", OIDC: &access.OIDC{
			Issuer: i.url, ClientID: "console", ClientSecret: "client-secret", Domains: []string{"relay.example.jp", "acme.example.jp"},
			Grants: []access.Grant{{Group: "duty", Role: record.Operator}, {Domain: "acme.example.jp", Role: record.Recruiter, Company: "acme"}, {Group: "ghosts", Role: record.Recruiter, Company: "nobody"}},
		}}
	})
	return o, i
}

// set is the value of a cookie that an answer sets.
func set(p page, name string) string {
	for _, line := range p.header.Values("Set-Cookie") {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			value, _, _ = strings.Cut(value, ";")
			return value
		}
	}
	return ""
}

// come goes to the provider and back.
func (o *office) come(i *issuer, change func(back *url.URL, cookie *string)) page {
	o.t.Helper()
	o.cookie = ""
	out := o.postOps("/login/oidc", url.Values{"to": {"/jobs"}})
	if out.code != http.StatusSeeOther {
		o.t.Fatalf("setting out: status %d\n%s", out.code, out.body)
	}
	cookie := set(out, "careerrelay_oidc")
	back := i.authorize(out.header.Get("Location"))
	if change != nil {
		change(back, &cookie)
	}
	return o.ask(http.MethodGet, back.RequestURI(), "", func(r *http.Request) {
		r.AddCookie(&http.Cookie{Name: "careerrelay_language", Value: "en"})
		r.AddCookie(&http.Cookie{Name: "careerrelay_oidc", Value: cookie})
	})
}

func TestComingThroughAProvider(t *testing.T) {
	o, i := provided(t)
	if got := o.show("/login", "en"); !strings.Contains(got.body, "Continue with the company account") || !strings.Contains(got.body, `name="password"`) {
		t.Errorf("the login offers\n%s", got.body)
	}
	got := o.come(i, nil)
	if got.code != http.StatusSeeOther || got.header.Get("Location") != "/jobs" {
		t.Fatalf("status %d to %q\n%s", got.code, got.header.Get("Location"), got.body)
	}
	a, err := o.store.Session(t.Context(), sessionIn(got), time.Hour)
	if err != nil || a != (record.Actor{Name: "user:hana@relay.example.jp", Role: record.Operator}) {
		t.Errorf("got %+v (%v)", a, err)
	}
	i.claims = func(c map[string]any) {
		c["sub"], c["email"], c["groups"], c["email_verified"] = "s-2", "ken@acme.example.jp", "none", "true"
	}
	a, err = o.store.Session(t.Context(), sessionIn(o.come(i, nil)), time.Hour)
	if err != nil || a != (record.Actor{Name: "user:ken@acme.example.jp", Role: record.Recruiter, Company: "acme"}) {
		t.Errorf("got %+v (%v)", a, err)
	}
}

func TestWhomAProviderDoesNotBring(t *testing.T) {
	o, i := provided(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	o.must(err)
	for name, tt := range map[string]struct {
		claims func(map[string]any)
		back   func(*url.URL, *string)
		signer *rsa.PrivateKey
		want   string
	}{
		"an expired token":            {claims: func(c map[string]any) { c["exp"] = o.clock().Add(-time.Minute).Unix() }, want: "could not be verified"},
		"a token for somebody else":   {claims: func(c map[string]any) { c["aud"] = "another" }, want: "could not be verified"},
		"a token of somebody else":    {claims: func(c map[string]any) { c["iss"] = "https://evil.test" }, want: "could not be verified"},
		"a token asked for before":    {claims: func(c map[string]any) { c["nonce"] = "OLD" }, want: "could not be verified"},
		"a token without a nonce":     {claims: func(c map[string]any) { delete(c, "nonce") }, want: "could not be verified"},
		"a token of another key":      {signer: stranger, want: "could not be verified"},
		"an address not verified":     {claims: func(c map[string]any) { c["email_verified"] = false }, want: "not verified at the identity provider"},
		"no address":                  {claims: func(c map[string]any) { delete(c, "email") }, want: "gives no mail address"},
		"another domain":              {claims: func(c map[string]any) { c["email"] = "hana@evil.test" }, want: "of this domain are not let in"},
		"no group":                    {claims: func(c map[string]any) { c["groups"] = []string{"everybody"} }, want: "no role here"},
		"a company that is not there": {claims: func(c map[string]any) { c["groups"] = []string{"ghosts"} }, want: "no role here"},
		"a state of somebody else":    {back: func(u *url.URL, _ *string) { u.RawQuery += "x" }, want: "begun elsewhere"},
		"a browser without the start": {back: func(_ *url.URL, c *string) { *c = "" }, want: "begun elsewhere"},
		"a made-up start":             {back: func(_ *url.URL, c *string) { *c = "e30" }, want: "begun elsewhere"},
		"a refusal":                   {back: func(u *url.URL, _ *string) { u.RawQuery = "error=access_denied&state=" + u.Query().Get("state") }, want: "cancelled there"},
		"a made-up code":              {back: func(u *url.URL, _ *string) { u.RawQuery = "code=GUESS&state=" + u.Query().Get("state") }, want: "did not accept"},
		"another verifier": {back: func(_ *url.URL, c *string) {
			text, _ := base64.RawURLEncoding.DecodeString(*c)
			var j map[string]string
			_ = json.Unmarshal(text, &j)
			j["verifier"] = strings.Repeat("x", 43)
			text, _ = json.Marshal(j)
			*c = base64.RawURLEncoding.EncodeToString(text)
		}, want: "did not accept"},
	} {
		i.claims, i.signer = func(map[string]any) {}, i.key
		if tt.claims != nil {
			i.claims = tt.claims
		}
		if tt.signer != nil {
			i.signer = tt.signer
		}
		got := o.come(i, tt.back)
		if got.code != http.StatusForbidden || sessionIn(got) != "" || !strings.Contains(got.body, tt.want) {
			t.Errorf("%s: status %d, session %q, want %q in\n%s", name, got.code, sessionIn(got), tt.want, got.body)
		}
	}
	if users, err := o.store.Users(t.Context()); err != nil || len(users) != 0 {
		t.Errorf("accounts came to be: %v (%v)", users, err)
	}
	for _, secret := range []string{"hana@", "client-secret", "GUESS"} {
		if strings.Contains(strings.ToLower(o.log.String()), strings.ToLower(secret)) {
			t.Errorf("the log has %s", secret)
		}
	}
	i.claims, i.signer = func(map[string]any) {}, i.key
	var used string
	if got := o.come(i, func(u *url.URL, _ *string) { used = u.Query().Get("code") }); got.code != http.StatusSeeOther {
		t.Fatalf("status %d\n%s", got.code, got.body)
	}
	if got := o.come(i, func(u *url.URL, _ *string) {
		u.RawQuery = url.Values{"code": {used}, "state": {u.Query().Get("state")}}.Encode()
	}); got.code != http.StatusForbidden {
		t.Errorf("a code a second time: status %d", got.code)
	}
	o.must(o.store.DisableUser(t.Context(), record.System, "hana@relay.example.jp", "left"))
	if got := o.come(i, nil); got.code != http.StatusForbidden || !strings.Contains(got.body, "switched off") {
		t.Errorf("who was switched off: status %d\n%s", got.code, got.body)
	}
}

func TestOnlyTheProvider(t *testing.T) {
	o, _ := provided(t)
	o.user("megumi", record.Admin)
	o.shared.Access.OIDCOnly = true
	if got := o.show("/login", "en"); strings.Contains(got.body, `name="password"`) || !strings.Contains(got.body, "/login/oidc") {
		t.Errorf("the login offers\n%s", got.body)
	}
	if got := o.tries("megumi", "a long password"); got.code != http.StatusForbidden || sessionIn(got) != "" {
		t.Errorf("a password: status %d", got.code)
	}
	o.shared.Access.OIDC = nil // what a mistake in the file leaves
	if got := o.show("/login", "en"); !strings.Contains(got.body, "careerrelay config check") {
		t.Errorf("nobody is told why:\n%s", got.body)
	}
	if got := o.postOps("/login/oidc", url.Values{}); got.code != http.StatusNotFound {
		t.Errorf("no provider: status %d", got.code)
	}
}

func TestAProviderThatIsAway(t *testing.T) {
	o, _ := provided(t)
	o.shared.Access.OIDC.Issuer = "http://127.0.0.1:1"
	if got := o.postOps("/login/oidc", url.Values{}); got.code != http.StatusServiceUnavailable || !strings.Contains(got.body, "応答がありません") && !strings.Contains(got.body, "does not answer") {
		t.Errorf("status %d\n%s", got.code, got.body)
	}
}
