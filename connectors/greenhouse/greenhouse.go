// Package greenhouse connects to Greenhouse Recruiting.
package greenhouse

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to Greenhouse. Its
// webhooks need nothing but a secret: the keys open two further doors, each by
// itself.
type Settings struct {
	spec.Settings `yaml:",inline"`
	// ClientID, ClientSecret and UserID are a credential of Harvest v3, with
	// which an application's state is read again before a mail leaves.
	ClientID     string     `yaml:"client_id"`
	ClientSecret ats.Secret `yaml:"client_secret"`
	UserID       string     `yaml:"user_id"` // in whose rights it reads
	APIURL       string     `yaml:"api_url"` // default https://harvest.greenhouse.io/v3
	TokenURL     string     `yaml:"token_url"`
	// APIKey is the key of the Candidate Ingestion API, and OnBehalfOf the
	// address of the user in whose name candidates are put in.
	APIKey     ats.Secret `yaml:"api_key"`
	OnBehalfOf string     `yaml:"on_behalf_of"`
	PartnerURL string     `yaml:"partner_url"` // default https://api.greenhouse.io/v1/partner
}

const (
	defaultURL        = "https://harvest.greenhouse.io/v3"
	defaultTokenURL   = "https://auth.greenhouse.io/token" //nolint:gosec // an address
	defaultPartnerURL = "https://api.greenhouse.io/v1/partner"
	perSecond         = 5 // 50 calls in ten seconds were allowed, and nothing else was said since
	burst             = 10
)

// plainID is what an id of Greenhouse looks like.
var plainID = regexp.MustCompile(`^[0-9]{1,18}$`)

// harvest reports whether the settings name a credential of Harvest.
func (s Settings) harvest() bool { return s.ClientID != "" || s.ClientSecret != "" || s.UserID != "" }

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	if s.harvest() && (s.ClientID == "" || s.ClientSecret == "" || !plainID.MatchString(s.UserID)) {
		errs = append(errs, errors.New("client_id, client_secret, user_id: a credential of Harvest v3 needs all three; user_id is the number of a user"))
	}
	if _, problem := ats.ParseEmail(s.OnBehalfOf); s.APIKey != "" && problem != "" {
		errs = append(errs, errors.New("on_behalf_of: required with api_key; write the address of a user of Greenhouse"))
	}
	return errors.Join(errs...)
}

// What a connection can do depends on its keys.
type (
	// A Checking connection reads applications again.
	Checking struct {
		*spec.Connector
		*harvest
	}

	// A Pushing connection puts candidates in.
	Pushing struct {
		*spec.Connector
		*ingestion
	}

	// A Connector does both.
	Connector struct {
		*spec.Connector
		*harvest
		*ingestion
	}
)

var (
	_ connectors.Checker   = Checking{}
	_ connectors.Pusher    = Pushing{}
	_ connectors.JobLister = Pushing{}
	_ connectors.Checker   = Connector{}
	_ connectors.Pusher    = Connector{}
	_ connectors.JobLister = Connector{}
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL, TokenURL: defaultTokenURL, PartnerURL: defaultPartnerURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	plain, err := spec.New(s, set.Settings)
	errs := []error{set.Validate(), err}
	h, g := &harvest{}, &ingestion{}
	if set.harvest() {
		h.api, err = api.New(env, api.Options{Base: set.APIURL, Rate: perSecond, Burst: burst, OAuth: &api.OAuth{
			URL: set.TokenURL, Auth: api.Basic(ats.Secret(set.ClientID), set.ClientSecret),
			Grant: url.Values{"grant_type": {"client_credentials"}, "sub": {set.UserID}},
		}})
		errs = append(errs, err)
	}
	if set.APIKey != "" {
		g.api, err = api.New(env, api.Options{
			Base: set.PartnerURL, Auth: api.Basic(set.APIKey, ""), Header: http.Header{"On-Behalf-Of": {set.OnBehalfOf}}, Rate: perSecond, Burst: burst,
		})
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	switch {
	case h.api != nil && g.api != nil:
		return Connector{plain, h, g}, nil
	case h.api != nil:
		return Checking{plain, h}, nil
	case g.api != nil:
		return Pushing{plain, g}, nil
	}
	return plain, nil
}

type object = map[string]any
