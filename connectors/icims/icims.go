// Package icims connects to iCIMS Talent Cloud.
package icims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/verify"
)

// Settings is what a company configures for a connection to iCIMS. Account is
// the customer's number.
type Settings struct {
	spec.Settings `yaml:",inline"`
	// Auth is how iCIMS proves itself: hmac (default) or basic.
	Auth        string     `yaml:"auth"`
	APIUser     string     `yaml:"api_user"`
	APIPassword ats.Secret `yaml:"api_password"`
	APIURL      string     `yaml:"api_url"` // default https://api.icims.com
}

// plainID is what an id of iCIMS looks like.
var plainID = regexp.MustCompile(`^[0-9]{1,18}$`)

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	if s.Auth != hmac && s.Auth != basic {
		errs = append(errs, fmt.Errorf("auth: %q is not one of %s, %s", s.Auth, hmac, basic))
	}
	if s.APIUser == "" || s.APIPassword == "" {
		errs = append(errs, errors.New("api_user, api_password: required; iCIMS's events hold no person"))
	}
	if !plainID.MatchString(s.Account) {
		errs = append(errs, errors.New("account: required; write the customer's number"))
	}
	if len(s.Outcomes) == 0 {
		errs = append(errs, errors.New("outcomes: required; write what the ids of the customer's statuses mean, such as C20551: rejected"))
	}
	return errors.Join(errs...)
}

const (
	defaultURL = "https://api.icims.com"
	hmac       = "hmac"
	basic      = "basic"
	user       = "icims" // for whom simulations sign
)

// A Connector reads in iCIMS's API what its events only hint at.
type Connector struct {
	*spec.Connector
	api      *api.Client
	customer string
	signed   bool // the signature covers the body
}

var (
	_ connectors.Completer = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL, Auth: hmac}
	if err := decode(&set); err != nil {
		return nil, err
	}
	var scheme verify.Scheme = verify.Canonical{
		Name: "x-icims-v1-hmac-sha256", Date: "x-icims-date", Hash: "x-icims-content-sha256", User: user, URL: env.URL, Tolerance: set.Tolerance,
	}
	if set.Auth == basic {
		scheme = verify.Basic{}
	}
	set.Tolerance = 0 // it is of the scheme
	c := &Connector{customer: "/customers/" + set.Account, signed: set.Auth == hmac}
	errs := []error{set.Validate()}
	var err error
	if c.Connector, err = spec.New(s, set.Settings); err == nil {
		err = c.Use(scheme)
	}
	errs = append(errs, err)
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Basic(ats.Secret(set.APIUser), set.APIPassword)})
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

type object = map[string]any

// Complete implements connectors.Completer. Who was not rejected is not read.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	hint := *e
	answers, err := c.workflow(ctx, hint)
	if ats.FaultOf(err) == ats.NotFound {
		return fmt.Errorf("%w: it was deleted, or the event was forged", err)
	}
	if err != nil {
		return err
	}
	if err := c.Fill(e, answers); err != nil || e.State != ats.Rejected {
		return err
	}
	for _, one := range []struct{ name, path, id, fields string }{
		{"person", "/people/", e.Candidate.ID, "firstname,lastname,email"}, {"job", "/jobs/", e.Job.ID, "jobtitle"},
	} {
		if one.id == "" {
			continue
		}
		switch answer, err := c.get(ctx, one.path, one.id, one.fields); {
		case err == nil:
			answers[one.name] = answer
		case ats.FaultOf(err) != ats.NotFound: // without it there is no address, or no title
			return err
		}
	}
	*e = hint
	return c.Fill(e, answers)
}

// State implements connectors.Checker. It is "" for a status of which the
// company said nothing, or that it is to be ignored: that is no rejection.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	answers, err := c.workflow(ctx, e)
	if err != nil {
		return "", err
	}
	switch err := c.Fill(&e, answers); {
	case ats.FaultOf(err) == ats.Duplicate, ats.FaultOf(err) == ats.Invalid:
		return "", nil
	case err != nil:
		return "", err
	}
	return e.State, nil
}

func (c *Connector) workflow(ctx context.Context, e ats.Event) (object, error) {
	answer, err := c.get(ctx, "/applicantworkflows/", e.Application, "status,source,sourcename,baseprofile,associatedprofile")
	var read struct{ Status, BaseProfile, AssociatedProfile *struct{ ID any } }
	if err == nil && (json.Unmarshal(answer, &read) != nil || read.Status == nil && read.BaseProfile == nil && read.AssociatedProfile == nil) {
		err = ats.Errorf(ats.Invalid, "iCIMS's answer is not a workflow")
	}
	return object{"workflow": answer, "signed": c.signed}, err
}

// get reads an object by its id alone: the links of an event could lead
// anywhere.
func (c *Connector) get(ctx context.Context, path, id, fields string) (json.RawMessage, error) {
	if !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "an id in the event is not one of iCIMS's")
	}
	var answer json.RawMessage
	err := c.api.Get(ctx, c.customer+path+id, url.Values{"fields": {fields}}, &answer)
	return answer, err
}
