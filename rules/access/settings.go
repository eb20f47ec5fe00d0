package access

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// Settings say who may sign in to the console, and how. The zero value lets
// local accounts in with a password.
type Settings struct {
	Console      string       `yaml:"console"`       // the console's address as browsers see it
	SecondFactor []Role       `yaml:"second_factor"` // roles that must have one
	Idle         ats.Duration `yaml:"idle"`          // a session ends when nothing was done for so long
	Session      ats.Duration `yaml:"session"`       // and after so long in any case
	OIDC         *OIDC        `yaml:"oidc"`          // nil: none
	OIDCOnly     bool         `yaml:"oidc_only"`     // passwords are refused
}

// What holds when nothing is said.
const (
	idle    = 2 * time.Hour
	session = 12 * time.Hour
)

// IdleFor is how long a session may lie idle.
func (s Settings) IdleFor() time.Duration { return or(s.Idle.Std(), idle) }

// Life is how long a session lasts at most.
func (s Settings) Life() time.Duration { return or(s.Session.Std(), session) }

func or(d, standard time.Duration) time.Duration {
	if d <= 0 {
		return standard
	}
	return d
}

// Passwords reports whether local accounts may sign in.
func (s Settings) Passwords() bool { return !s.OIDCOnly }

// Must reports whether a role needs a second factor.
func (s Settings) Must(r Role) bool { return slices.Contains(s.SecondFactor, r) }

// Validate reports every problem in s.
func (s Settings) Validate() error {
	var errs []error
	if s.Console != "" && !secure(s.Console) {
		errs = append(errs, errors.New("console: write https://host, or http on this machine"))
	}
	if s.Idle.Std() > s.Life() {
		errs = append(errs, errors.New("idle: longer than session"))
	}
	if s.OIDC == nil {
		if s.OIDCOnly {
			errs = append(errs, errors.New("oidc_only: there is no oidc, so that nobody could sign in"))
		}
		return errors.Join(errs...)
	}
	if s.Console == "" {
		errs = append(errs, errors.New("console: required with oidc; the provider leads back to it"))
	}
	for _, err := range s.OIDC.problems() {
		errs = append(errs, fmt.Errorf("oidc.%w", err))
	}
	return errors.Join(errs...)
}

// An OIDC is an identity provider and what its word is worth here.
type OIDC struct {
	Issuer       string     `yaml:"issuer"`
	ClientID     string     `yaml:"client_id"`
	ClientSecret ats.Secret `yaml:"client_secret"` // optional: a public client has none
	Scopes       []string   `yaml:"scopes"`        // beside openid and email
	GroupsClaim  string     `yaml:"groups_claim"`  // default: groups
	Domains      []string   `yaml:"domains"`       // of addresses that are let in; none: all
	Grants       []Grant    `yaml:"grants"`        // the first that fits counts
}

// A Grant gives a role to whoever has an address, a domain or a group.
type Grant struct {
	Email   string `yaml:"email"`
	Domain  string `yaml:"domain"`
	Group   string `yaml:"group"`
	Role    Role   `yaml:"role"`
	Company string `yaml:"company"`
}

func (o OIDC) problems() []error {
	var errs []error
	if !secure(o.Issuer) {
		errs = append(errs, errors.New("issuer: write https://host, as the provider writes it"))
	}
	if o.ClientID == "" {
		errs = append(errs, errors.New("client_id: required"))
	}
	if len(o.Grants) == 0 {
		errs = append(errs, errors.New("grants: required; without one nobody has a role"))
	}
	for i, g := range o.Grants {
		if given := len(g.Email) + len(g.Domain) + len(g.Group); given == 0 || given != max(len(g.Email), len(g.Domain), len(g.Group)) {
			errs = append(errs, fmt.Errorf("grants[%d]: write one of email, domain and group", i))
		}
		if err := g.Role.CheckPlace(g.Company); err != nil {
			errs = append(errs, fmt.Errorf("grants[%d].%w", i, err))
		}
	}
	return errs
}

// Groups names the claim that holds the groups.
func (o OIDC) Groups() string {
	if o.GroupsClaim == "" {
		return "groups"
	}
	return o.GroupsClaim
}

// Claims are what a provider says of somebody.
type Claims struct {
	Email    string
	Verified bool // the provider has checked the address
	Groups   []string
}

// A Refusal is why somebody whom the provider knows is not let in.
type Refusal string

// The refusals.
const (
	NoEmail    Refusal = "no_email"
	Unverified Refusal = "unverified"
	BadDomain  Refusal = "domain"
	NoGrant    Refusal = "no_grant"
)

// Decide returns the grant of somebody, or why there is none.
func (o OIDC) Decide(c Claims) (Grant, Refusal) {
	email := strings.ToLower(c.Email)
	at := strings.LastIndexByte(email, '@')
	switch {
	case at < 1 || strings.ContainsAny(email, " \t\r\n:"):
		return Grant{}, NoEmail
	case !c.Verified:
		return Grant{}, Unverified
	case len(o.Domains) > 0 && !slices.ContainsFunc(o.Domains, func(d string) bool { return strings.EqualFold(d, email[at+1:]) }):
		return Grant{}, BadDomain
	}
	for _, g := range o.Grants {
		if g.Email != "" && strings.EqualFold(g.Email, email) || g.Domain != "" && strings.EqualFold(g.Domain, email[at+1:]) || g.Group != "" && slices.Contains(c.Groups, g.Group) {
			return g, ""
		}
	}
	return Grant{}, NoGrant
}

// secure reports whether address is one of https, or of this machine.
func secure(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}
