package access_test

import (
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/rules/access"
)

func TestRoles(t *testing.T) {
	want := map[access.Role]string{ // the roles that each includes
		access.Recruiter: "recruiter", access.Viewer: "viewer", access.Operator: "recruiter viewer operator", access.Admin: "recruiter viewer operator admin", "king": "", "": "",
	}
	for role, includes := range want {
		for _, other := range append(access.Roles, "king", "") {
			if got := role.Includes(other); got != (other != "" && strings.Contains(" "+includes+" ", " "+string(other)+" ")) {
				t.Errorf("%q includes %q: got %v", role, other, got)
			}
		}
	}
}

func TestPlaces(t *testing.T) {
	for name, tt := range map[string]struct {
		role    access.Role
		company string
		ok      bool
	}{
		"a recruiter of a company":  {access.Recruiter, "acme", true},
		"a recruiter of nothing":    {access.Recruiter, "", false},
		"a viewer":                  {access.Viewer, "", true},
		"a viewer of one company":   {access.Viewer, "acme", false},
		"an admin of one company":   {access.Admin, "acme", false},
		"somebody without a role":   {"", "", false},
		"somebody of a made-up one": {"king", "acme", false},
	} {
		if err := tt.role.CheckPlace(tt.company); (err == nil) != tt.ok || err != nil && ats.FaultOf(err) != ats.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestScopes(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		role access.Role
		want access.Scopes
		bad  bool
	}{
		"nothing said":                   {"", access.Operator, "read write reveal", false},
		"nothing said to a viewer":       {" ", access.Viewer, "read", false},
		"some, in another order":         {"reveal, read", access.Operator, "read reveal", false},
		"twice the same":                 {"read read", access.Admin, "read", false},
		"more than the role":             {"admin", access.Operator, "", true},
		"to reveal, as a viewer":         {"read reveal", access.Viewer, "", true},
		"a made-up one":                  {"readwrite", access.Admin, "", true},
		"everything":                     {"admin write reveal read", access.Admin, access.AllScopes, false},
		"nothing said to a made-up role": {"", "king", "", false},
	} {
		got, err := access.ParseScopes(tt.text, tt.role)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, tt.want)
		}
	}
	if access.Scopes("").Has(access.Read) || access.Scopes("read").Has("") || access.Scopes("readwrite").Has(access.Write) {
		t.Error("a scope is found where it is not")
	}
}

// TestCodes uses the vectors of RFC 6238, appendix B, whose last six digits
// are the codes of six digits.
func TestCodes(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := access.Code(secret, access.Step(time.Unix(at, 0))); got != want {
			t.Errorf("at %d: got %s, want %s", at, got, want)
		}
	}
	now := time.Unix(2000000000, 0)
	step := access.Step(now)
	for name, tt := range map[string]struct {
		code string
		last int64
		want int64
	}{
		"the code of now":                {"279037", 0, step},
		"with a blank":                   {"279 037", 0, step},
		"in wide digits":                 {"２７９０３７", 0, step},
		"a code used before":             {"279037", step, 0},
		"the one before":                 {access.Code(secret, step-1), step - 2, step - 1},
		"the one before, after this one": {access.Code(secret, step-1), step, 0},
		"of a clock that is fast":        {access.Code(secret, step+1), step, step + 1},
		"too old":                        {access.Code(secret, step-2), 0, 0},
		"too new":                        {access.Code(secret, step+2), 0, 0},
		"nothing":                        {"", 0, 0},
		"one digit more":                 {"2790370", 0, 0},
	} {
		got, ok := access.CheckCode(secret, tt.code, now, tt.last)
		if got != tt.want || ok != (tt.want != 0) {
			t.Errorf("%s: got step %d (%v), want %d", name, got, ok, tt.want)
		}
	}
	if got, want := access.SecretURI("Career Relay", "hana@example.jp", secret), "otpauth://totp/Career%20Relay:hana@example.jp?issuer=Career%20Relay&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func provider() access.OIDC {
	return access.OIDC{
		Issuer: "https://login.example.jp", ClientID: "console", Domains: []string{"relay.example.jp", "acme.example.jp"},
		Grants: []access.Grant{
			{Email: "boss@relay.example.jp", Role: access.Admin},
			{Group: "duty", Role: access.Operator},
			{Domain: "acme.example.jp", Role: access.Recruiter, Company: "acme"},
		},
	}
}

func TestDecide(t *testing.T) {
	for name, tt := range map[string]struct {
		claims  access.Claims
		role    access.Role
		company string
		refusal access.Refusal
	}{
		"by address":               {access.Claims{Email: "Boss@relay.example.jp", Verified: true, Groups: []string{"duty"}}, access.Admin, "", ""},
		"by group":                 {access.Claims{Email: "hana@relay.example.jp", Verified: true, Groups: []string{"all", "duty"}}, access.Operator, "", ""},
		"by domain":                {access.Claims{Email: "ken@ACME.example.jp", Verified: true}, access.Recruiter, "acme", ""},
		"in no group":              {access.Claims{Email: "hana@relay.example.jp", Verified: true, Groups: []string{"duty2"}}, "", "", access.NoGrant},
		"an address not checked":   {access.Claims{Email: "boss@relay.example.jp"}, "", "", access.Unverified},
		"another domain":           {access.Claims{Email: "boss@relay.example.jp.evil.test", Verified: true, Groups: []string{"duty"}}, "", "", access.BadDomain},
		"a domain that ends alike": {access.Claims{Email: "x@notacme.example.jp", Verified: true}, "", "", access.BadDomain},
		"no address":               {access.Claims{Verified: true, Groups: []string{"duty"}}, "", "", access.NoEmail},
		"two at signs":             {access.Claims{Email: "x@relay.example.jp@evil.test", Verified: true}, "", "", access.BadDomain},
	} {
		g, refusal := provider().Decide(tt.claims)
		if g.Role != tt.role || g.Company != tt.company || refusal != tt.refusal {
			t.Errorf("%s: got %+v, %q", name, g, refusal)
		}
	}
}

func TestSettings(t *testing.T) {
	good := func() access.Settings {
		o := provider()
		return access.Settings{Console: "https://ops.example.jp", OIDC: &o}
	}
	for name, tt := range map[string]struct {
		change func(*access.Settings)
		want   string // "" for none
	}{
		"complete":                  {func(*access.Settings) {}, ""},
		"nothing at all":            {func(s *access.Settings) { *s = access.Settings{} }, ""},
		"only a provider":           {func(s *access.Settings) { s.OIDCOnly = true }, ""},
		"this machine":              {func(s *access.Settings) { s.OIDC.Issuer, s.Console = "http://127.0.0.1:9000", "http://localhost:8081" }, ""},
		"only a provider, but none": {func(s *access.Settings) { s.OIDC, s.OIDCOnly = nil, true }, "oidc_only"},
		"no way back":               {func(s *access.Settings) { s.Console = "" }, "console"},
		"a way back in the open":    {func(s *access.Settings) { s.Console = "http://ops.example.jp" }, "console"},
		"a provider in the open":    {func(s *access.Settings) { s.OIDC.Issuer = "http://login.example.jp" }, "oidc.issuer"},
		"no client":                 {func(s *access.Settings) { s.OIDC.ClientID = "" }, "oidc.client_id"},
		"no grants":                 {func(s *access.Settings) { s.OIDC.Grants = nil }, "oidc.grants"},
		"a grant to nobody":         {func(s *access.Settings) { s.OIDC.Grants[0].Email = "" }, "oidc.grants[0]"},
		"a grant to two":            {func(s *access.Settings) { s.OIDC.Grants[0].Group = "duty" }, "oidc.grants[0]"},
		"a recruiter of nothing":    {func(s *access.Settings) { s.OIDC.Grants[2].Company = "" }, "oidc.grants[2].company"},
		"idle longer than all":      {func(s *access.Settings) { s.Idle = ats.Duration(13 * time.Hour) }, "idle"},
	} {
		s := good()
		tt.change(&s)
		got, err := "", s.Validate()
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != tt.want {
			t.Errorf("%s: got %v, want a problem of %q", name, err, tt.want)
		}
	}
}
