// Package jobadder connects to JobAdder.
package jobadder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to JobAdder.
type Settings struct {
	spec.Settings `yaml:",inline"`
	ClientID      string     `yaml:"client_id"`
	ClientSecret  ats.Secret `yaml:"client_secret"`
	RefreshToken  ats.Secret `yaml:"refresh_token"`
	APIURL        string     `yaml:"api_url"`   // default https://api.jobadder.com/v2
	TokenURL      string     `yaml:"token_url"` // default https://id.jobadder.com/connect/token
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	for _, q := range []struct{ key, value string }{
		{"client_id", s.ClientID}, {"client_secret", string(s.ClientSecret)}, {"refresh_token", string(s.RefreshToken)},
	} {
		if q.value == "" {
			errs = append(errs, fmt.Errorf("%s: required; JobAdder's webhooks hold no person", q.key))
		}
	}
	return errors.Join(errs...)
}

const (
	defaultURL      = "https://api.jobadder.com/v2"
	defaultTokenURL = "https://id.jobadder.com/connect/token" //nolint:gosec // an address
	event           = "jobapplication_status_changed"
	perPage         = 200
	source          = "Career Relay" // of those whom we put in
	// Ten failures within an hour suspend a webhook; what failed is lost too.
	overlap = 70 * time.Minute
)

// A Connector reads in JobAdder's API what its webhooks only hint at, and
// watches over the webhook: once it is suspended, nothing comes any more.
type Connector struct {
	*spec.Connector
	api.Sweeping
	api     *api.Client
	secrets []connectors.Secret
	url     string // of our webhook
	now     func() time.Time
	log     *slog.Logger
}

var (
	_ connectors.Completer  = (*Connector)(nil)
	_ connectors.Checker    = (*Connector)(nil)
	_ connectors.Poller     = (*Connector)(nil)
	_ connectors.Pager      = (*Connector)(nil)
	_ connectors.Subscriber = (*Connector)(nil)
	_ connectors.Pusher     = (*Connector)(nil)
	_ connectors.Finder     = (*Connector)(nil)
	_ connectors.JobLister  = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL, TokenURL: defaultTokenURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	c := &Connector{secrets: set.Secrets, url: env.URL, now: env.Now, log: env.Log}
	errs := []error{set.Validate()}
	var err error
	c.Connector, err = spec.New(s, set.Settings)
	errs = append(errs, err)
	c.api, err = api.New(env, api.Options{Base: set.APIURL, OAuth: &api.OAuth{
		URL: set.TokenURL, Check: region(set.APIURL),
		Grant: url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {string(set.RefreshToken)}, "client_id": {set.ClientID}, "client_secret": {string(set.ClientSecret)},
		},
	}})
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

// regional is the address of an account's own API.
var regional = regexp.MustCompile(`^https://[a-z0-9-]{1,40}\.jobadder\.com/v2/?$`)

// region makes sure that the account's API is the one that is configured. It is
// named beside the token, and differs between regions.
func region(configured string) func(map[string]any) error {
	return func(answer map[string]any) error {
		named, _ := answer["api"].(string)
		if named == "" || strings.TrimSuffix(named, "/") == strings.TrimSuffix(configured, "/") {
			return nil
		}
		if !regional.MatchString(named) {
			return ats.Errorf(ats.Invalid, "JobAdder names an API outside of its own addresses")
		}
		return ats.Errorf(ats.Invalid, "api_url: write %s, where this account is", named)
	}
}

type object = map[string]any

// plainID is what an id of JobAdder looks like.
var plainID = regexp.MustCompile(`^[0-9]{1,18}$`)

// Complete implements connectors.Completer. Of e only the id and the time count.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	answers, err := c.application(ctx, e.Application)
	if ats.FaultOf(err) == ats.NotFound {
		return fmt.Errorf("%w: it was deleted, or the delivery was forged", err)
	}
	if err != nil {
		return err
	}
	return c.Fill(e, answers)
}

// State implements connectors.Checker. It is "" for an application that the
// company does not count as any.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	answers, err := c.application(ctx, e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.Fill(&e, answers))
}

// application reads an application, and what its status means in the list of
// statuses: the application itself may not say it.
func (c *Connector) application(ctx context.Context, id string) (object, error) {
	if !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the application's id is not one of JobAdder's")
	}
	var raw json.RawMessage
	if err := c.api.Get(ctx, "/applications/"+id, nil, &raw); err != nil {
		return nil, err
	}
	var a struct {
		ApplicationID json.Number
		Status        struct{ StatusID json.Number }
	}
	if json.Unmarshal(raw, &a) != nil || a.ApplicationID.String() != id {
		return nil, ats.Errorf(ats.Invalid, "JobAdder's answer is not the application that was asked for")
	}
	var list struct {
		Items []struct {
			StatusID         json.Number
			Active, Rejected bool
		}
	}
	if err := c.api.Get(ctx, "/applications/lists/status", nil, &list); err != nil {
		return nil, err
	}
	answers := object{"application": raw}
	for _, s := range list.Items {
		if s.StatusID == a.Status.StatusID {
			answers["status"] = object{"active": s.Active, "rejected": s.Rejected}
		}
	}
	return answers, nil
}

// Poll implements connectors.Poller. While the webhook is well it only looks at
// it. A suspended one is switched on again, and what was rejected meanwhile is
// read; when it was rejected JobAdder does not say, so a person looks.
func (c *Connector) Poll(ctx context.Context, cursor string) ([]connectors.Payload, string, error) {
	return api.Swept(ctx, cursor, c.now(), overlap, c.page)
}

// page reads one page. Its name is its offset and how many records there were:
// when they become fewer, others moved to the page before, which is read once
// more.
func (c *Connector) page(ctx context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
	offset, total := 0, 0
	if s.Page == "" {
		if suspended, err := c.revive(ctx); err != nil || !suspended {
			return nil, "", err
		}
	} else if _, err := fmt.Sscanf(s.Page, "%d/%d", &offset, &total); err != nil || offset < 0 {
		return nil, "", ats.Errorf(ats.Invalid, "the cursor names no page")
	}
	var answer struct {
		Items []struct {
			ApplicationID json.Number
			UpdatedAt     string
		}
		TotalCount int
	}
	err := c.api.Get(ctx, "/applications", url.Values{
		"rejected": {"true"}, "updatedAt": {">" + s.Since.UTC().Format(time.RFC3339)}, "limit": {strconv.Itoa(perPage)}, "offset": {strconv.Itoa(offset)},
	}, &answer)
	if err != nil {
		return nil, "", err
	}
	if answer.Items == nil {
		return nil, "", ats.Errorf(ats.Invalid, "JobAdder's answer is not a list of applications")
	}
	news := make([]connectors.Payload, 0, len(answer.Items))
	for _, a := range answer.Items {
		body, err := json.Marshal(object{"event": event, "eventDate": a.UpdatedAt, "eventData": object{"applicationId": a.ApplicationID}})
		if err != nil {
			return nil, "", err
		}
		news = append(news, connectors.Payload{Body: body, Received: c.now()}.AsHistory())
	}
	next := offset + len(answer.Items)
	switch {
	case offset > 0 && answer.TotalCount < total:
		next = max(offset-perPage, 0)
	case len(answer.Items) == 0 || next >= answer.TotalCount:
		return news, "", nil
	}
	return news, fmt.Sprintf("%d/%d", next, answer.TotalCount), nil
}

// A hook is one webhook.
type hook struct {
	WebhookID string
	URL       string
	Events    []string
	Status    string
}

// revive switches our webhook on again when it is suspended.
func (c *Connector) revive(ctx context.Context) (suspended bool, err error) {
	hooks, err := c.hooks(ctx, url.Values{"status": {"Suspended"}})
	if err != nil {
		return false, err
	}
	for _, h := range hooks {
		if h.URL != c.url || h.Status != "Suspended" {
			continue
		}
		c.log.WarnContext(ctx, "webhook was suspended", "vendor", "jobadder", "webhook", h.WebhookID)
		if err := c.enable(ctx, h); err != nil {
			return false, err
		}
		suspended = true
	}
	return suspended, nil
}

func (c *Connector) hooks(ctx context.Context, query url.Values) ([]hook, error) {
	var answer struct{ Items []hook }
	err := c.api.Get(ctx, "/webhooks", query, &answer)
	if err == nil && answer.Items == nil {
		err = ats.Errorf(ats.Invalid, "JobAdder's answer is not a list of webhooks")
	}
	return answer.Items, err
}

// plainUUID is what an id of a webhook looks like.
var plainUUID = regexp.MustCompile(`^[0-9a-fA-F-]{1,64}$`)

func (c *Connector) enable(ctx context.Context, h hook) error {
	if !plainUUID.MatchString(h.WebhookID) {
		return ats.Errorf(ats.Invalid, "the webhook's id is not one of JobAdder's")
	}
	return c.api.Put(ctx, "/webhooks/"+h.WebhookID, object{"status": "Enabled"}, nil)
}

// Subscribe implements connectors.Subscriber.
func (c *Connector) Subscribe(ctx context.Context, callback string) (connectors.Subscription, error) {
	i := slices.IndexFunc(c.secrets, func(s connectors.Secret) bool { return s.At(c.now()) })
	if i < 0 {
		return connectors.Subscription{}, ats.Errorf(ats.Invalid, "secrets: none is valid now")
	}
	hooks, err := c.hooks(ctx, nil)
	if err != nil {
		return connectors.Subscription{}, err
	}
	for _, h := range hooks {
		if h.URL != callback || !slices.Contains(h.Events, event) {
			continue
		}
		if h.Status != "Enabled" {
			err = c.enable(ctx, h)
		}
		return connectors.Subscription{ID: h.WebhookID}, err
	}
	var made hook
	err = c.api.Post(ctx, "/webhooks", object{
		"name": "Career Relay", "events": []string{event}, "url": callback, "authorization": c.secrets[i].Value, "status": "Enabled",
	}, &made)
	return connectors.Subscription{ID: made.WebhookID}, err
}

// Unsubscribe implements connectors.Subscriber.
func (c *Connector) Unsubscribe(ctx context.Context, id string) error {
	if !plainUUID.MatchString(id) {
		return ats.Errorf(ats.Invalid, "the webhook's id is not one of JobAdder's")
	}
	return c.api.Delete(ctx, "/webhooks/"+id, nil)
}

// Push implements connectors.Pusher. A person whom JobAdder knows by the address
// gets no second record, and no second application for the same job.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	if err != nil {
		return "", err
	}
	if !plainID.MatchString(jobID) {
		return "", ats.Errorf(ats.Invalid, "the job's id is not one of JobAdder's")
	}
	person, err := c.person(ctx, p)
	if err != nil {
		return "", err
	}
	var made, have struct {
		Items []struct{ ApplicationID json.Number }
	}
	err = c.api.Get(ctx, "/applications", url.Values{"candidateId": {person.String()}, "jobId": {jobID}}, &have)
	if err != nil {
		return "", err
	}
	if len(have.Items) == 0 {
		if err := c.api.Create(ctx, "/jobs/"+jobID+"/applications", object{"candidateId": []json.Number{person}}, &made); err != nil {
			return "", err
		}
		have = made
	}
	if len(have.Items) == 0 {
		return "", ats.Errorf(ats.Unclear, "JobAdder's answer does not name the application")
	}
	return have.Items[0].ApplicationID.String(), nil
}

// Finds implements connectors.Finder.
func (c *Connector) Finds() bool { return true }

// person finds a person by the address, or makes one.
func (c *Connector) person(ctx context.Context, p api.Person) (json.Number, error) {
	type candidate struct{ CandidateID json.Number }
	var found struct{ Items []candidate }
	if err := c.api.Get(ctx, "/candidates", url.Values{"email": {p.Email}}, &found); err != nil {
		return "", err
	}
	if len(found.Items) > 0 {
		return found.Items[0].CandidateID, nil
	}
	var made candidate
	err := c.api.Create(ctx, "/candidates", object{"firstName": p.Given, "lastName": p.Family, "email": p.Email, "source": source}, &made)
	return made.CandidateID, err
}
