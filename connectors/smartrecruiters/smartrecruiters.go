// Package smartrecruiters connects to SmartRecruiters.
package smartrecruiters

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to SmartRecruiters.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	// ClientID and ClientSecret are an OAuth client, in place of APIKey; without
	// RefreshToken it speaks for itself.
	ClientID     string     `yaml:"client_id"`
	ClientSecret ats.Secret `yaml:"client_secret"`
	RefreshToken ats.Secret `yaml:"refresh_token"`
	TokenURL     string     `yaml:"token_url"` // default https://api.smartrecruiters.com/identity/oauth/token
	APIURL       string     `yaml:"api_url"`   // default https://api.smartrecruiters.com
	// ReadConsents lets rules see what the candidate decided, as .consents; what
	// its words mean the company's own rules say.
	ReadConsents bool `yaml:"read_consents"`
	// AlertTo gets SmartRecruiters' mail about deliveries that fail.
	AlertTo string `yaml:"alert_to"`
	// Source is that of the candidates that we create, by the ids of
	// GET /configuration/sources.
	Source Source `yaml:"source"`
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	client := s.ClientID != "" || s.ClientSecret != "" || s.RefreshToken != ""
	switch {
	case s.APIKey == "" && !client:
		return errors.New("api_key: required, or client_id and client_secret; SmartRecruiters' webhooks say only which application changed")
	case s.APIKey != "" && client:
		return errors.New("api_key: write either this or client_id and client_secret")
	case client && (s.ClientID == "" || s.ClientSecret == ""):
		return errors.New("client_id, client_secret: an OAuth client needs both")
	}
	return nil
}

// oauth is how tokens are got.
func (s Settings) oauth() *api.OAuth {
	grant := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.ClientID}, "client_secret": {string(s.ClientSecret)}}
	if s.RefreshToken != "" {
		grant.Set("grant_type", "refresh_token")
		grant.Set("refresh_token", string(s.RefreshToken))
	}
	return &api.OAuth{URL: s.TokenURL, Grant: grant}
}

// A Source is one of the company's sources of candidates.
type Source struct {
	Type    string `yaml:"type" json:"sourceTypeId,omitempty"`
	SubType string `yaml:"sub_type" json:"sourceSubTypeId,omitempty"`
	ID      string `yaml:"id" json:"sourceId,omitempty"`
}

const (
	defaultURL      = "https://api.smartrecruiters.com"
	defaultTokenURL = "https://api.smartrecruiters.com/identity/oauth/token" //nolint:gosec // an address
	perSecond       = 10
	burst           = 8                // as many calls as may run at once
	timeout         = 30 * time.Second // the activation of a webhook waits for our answer
)

// A Connector reads in SmartRecruiters' API what its webhooks only announce.
type Connector struct {
	*spec.Connector
	api *api.Client
	set Settings
	log *slog.Logger
}

var (
	_ connectors.Completer  = (*Connector)(nil)
	_ connectors.Checker    = (*Connector)(nil)
	_ connectors.Subscriber = (*Connector)(nil)
	_ connectors.Pusher     = (*Connector)(nil)
	_ connectors.JobLister  = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL, TokenURL: defaultTokenURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	c := &Connector{set: set, log: env.Log}
	errs := []error{set.Validate()}
	var err error
	c.Connector, err = spec.New(s, set.Settings)
	errs = append(errs, err)
	o := api.Options{Base: set.APIURL, Rate: perSecond, Burst: burst, Timeout: timeout, Auth: api.Header("X-SmartToken", "", set.APIKey)}
	if set.APIKey == "" {
		o.OAuth = set.oauth()
	}
	c.api, err = api.New(env, o)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

type object = map[string]any

// Complete implements connectors.Completer. A change of status becomes what
// SmartRecruiters says now.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State == ats.Erased {
		return nil
	}
	where, answers, err := c.application(ctx, e.Application)
	if err != nil {
		return err
	}
	status := answers["application"].(object)["status"]
	if slices.Contains([]any{"REJECTED", "WITHDRAWN", "HIRED"}, status) {
		if err := c.add(ctx, answers, "history", where+"/status/history"); err != nil {
			return err
		}
	}
	if status == "REJECTED" {
		candidate, job, _ := strings.Cut(e.Application, ":")
		if err := c.add(ctx, answers, "candidate", "/candidates/"+candidate); err != nil {
			return err
		}
		if c.set.ReadConsents {
			if err := c.add(ctx, answers, "consents", "/candidates/"+candidate+"/consents"); err != nil && !gone(err) {
				return err
			}
		}
		// A job that may not be read leaves its department out.
		if err := c.add(ctx, answers, "job", "/jobs/"+job); err != nil && !gone(err) {
			return err
		}
	}
	return c.Fill(e, answers)
}

// State implements connectors.Checker.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	_, answers, err := c.application(ctx, e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.Fill(&e, answers))
}

// plainID is what an id looks like; anything else could lead a call elsewhere.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// application reads an application, and says where it stands.
func (c *Connector) application(ctx context.Context, id string) (where string, answers object, err error) {
	candidate, job, ok := strings.Cut(id, ":")
	if !ok || !plainID.MatchString(candidate) || !plainID.MatchString(job) {
		return "", nil, ats.Errorf(ats.Invalid, "the ids of candidate and job are not SmartRecruiters'")
	}
	where = "/candidates/" + candidate + "/jobs/" + job
	answers = object{"ids": object{"candidate": candidate, "job": job}}
	if err := c.add(ctx, answers, "application", where); err != nil {
		if ats.FaultOf(err) == ats.NotFound {
			err = ats.Errorf(ats.NotFound, "%w: it was deleted, or the API key may not read it", err)
		}
		return "", nil, err
	}
	return where, answers, nil
}

// add reads a path into an answer.
func (c *Connector) add(ctx context.Context, answers object, name, path string) error {
	var answer object
	err := c.api.Get(ctx, path, nil, &answer)
	if err == nil {
		answers[name] = answer
	}
	return err
}

func gone(err error) bool { return ats.FaultOf(err) == ats.NotFound || ats.FaultOf(err) == ats.Denied }

const subscriptions = "/webhooks-api/v201907/subscriptions"

// events are those that are needed.
var events = []string{"application.status.updated", "candidate.deleted"}

type subscription struct {
	ID, CallbackURL, Status string
}

// Subscribe implements connectors.Subscriber. A new subscription sends nothing
// until the connection has its secret: only then is it activated, for which our
// address must answer.
func (c *Connector) Subscribe(ctx context.Context, callback string) (connectors.Subscription, error) {
	s, err := c.find(ctx, callback)
	if err != nil {
		return connectors.Subscription{}, err
	}
	if s.ID == "" {
		in := object{"callbackUrl": callback, "events": events}
		if c.set.AlertTo != "" {
			in["alertingEmailAddress"] = c.set.AlertTo
		}
		if err := c.api.Create(ctx, subscriptions, in, &s); err != nil {
			return connectors.Subscription{}, err
		}
	}
	out := connectors.Subscription{ID: s.ID}
	if !plainID.MatchString(s.ID) {
		return out, ats.Errorf(ats.Invalid, "SmartRecruiters' answer has no subscription id")
	}
	key, err := c.key(ctx, s.ID)
	switch {
	case err != nil:
		return out, err
	case !slices.ContainsFunc(c.set.Secrets, func(known connectors.Secret) bool { return known.Value == key }):
		out.Secret = ats.Secret(key)
		return out, nil
	case s.Status == "active":
		return out, nil
	}
	return out, c.api.Put(ctx, subscriptions+"/"+s.ID+"/activation", nil, nil)
}

// find looks for the subscription of an address. Whether the list stands alone
// or in an object is not documented; there are no more than twenty.
func (c *Connector) find(ctx context.Context, callback string) (subscription, error) {
	var answer json.RawMessage
	if err := c.api.Get(ctx, subscriptions, nil, &answer); err != nil {
		return subscription{}, err
	}
	var list []subscription
	var at any = &struct{ Content *[]subscription }{&list}
	if bytes.HasPrefix(answer, []byte("[")) {
		at = &list
	}
	if json.Unmarshal(answer, at) != nil {
		return subscription{}, ats.Errorf(ats.Invalid, "SmartRecruiters' answer is not a list of subscriptions")
	}
	for _, s := range list {
		if s.CallbackURL == callback {
			return s, nil
		}
	}
	return subscription{}, nil
}

// key returns the secret key of a subscription. Asking for a new one would
// retire the one before, so that is only done when there is none.
func (c *Connector) key(ctx context.Context, id string) (string, error) {
	var answer struct{ SecretKey string }
	path := subscriptions + "/" + id + "/secret-key"
	err := c.api.Get(ctx, path, nil, &answer)
	if ats.FaultOf(err) == ats.NotFound || err == nil && answer.SecretKey == "" {
		err = c.api.Post(ctx, path, nil, &answer)
	}
	if err == nil && answer.SecretKey == "" {
		err = ats.Errorf(ats.Invalid, "SmartRecruiters' answer has no secret key")
	}
	return answer.SecretKey, err
}

// Unsubscribe implements connectors.Subscriber.
func (c *Connector) Unsubscribe(ctx context.Context, id string) error {
	if !plainID.MatchString(id) {
		return ats.Errorf(ats.Invalid, "want the id of a subscription")
	}
	return c.api.Delete(ctx, subscriptions+"/"+id, nil)
}

// Push implements connectors.Pusher. Somebody whom SmartRecruiters knows by
// address and name is ats.Conflict.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	switch {
	case err != nil:
		return "", err
	case !plainID.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "want the id of a job")
	}
	in := object{"firstName": p.Given, "lastName": p.Family, "email": p.Email}
	if c.set.Source != (Source{}) {
		in["sourceDetails"] = c.set.Source
	}
	var made struct{ ID string }
	if err := c.api.Create(ctx, "/jobs/"+jobID+"/candidates", in, &made); err != nil {
		return "", err
	}
	// The candidate is there: without the note nothing must be done again.
	note := object{"content": "#[CANDIDATE:" + made.ID + "] " + api.Note, "shareWith": object{"openNote": true}}
	if err := c.api.Post(ctx, "/messages/shares", note, nil); err != nil && c.log != nil {
		c.log.WarnContext(ctx, "note left out", "candidate", made.ID, "err", err)
	}
	return made.ID, nil
}
