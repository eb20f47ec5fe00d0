// Package breezy connects to Breezy HR.
package breezy

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to Breezy. To call
// Breezy, account names the company's id there.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"` // without it nothing is read again, and nothing written
	APIURL        string     `yaml:"api_url"` // default https://api.breezy.hr/v3
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	if s.APIKey != "" && !plainID.MatchString(s.Account) {
		return errors.New("account: required to call Breezy; it is the company's id, as in every delivery under object.company._id")
	}
	return nil
}

const defaultURL = "https://api.breezy.hr/v3"

// A Connector reads in Breezy's API where a candidate stands now.
type Connector struct {
	*spec.Connector
	api     *api.Client
	company string // the path of the company
	now     func() time.Time
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
	set := Settings{APIURL: defaultURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	plain, err := spec.New(s, set.Settings)
	if err := errors.Join(set.Validate(), err); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	if set.APIKey == "" {
		return plain, nil
	}
	c := &Connector{Connector: plain, company: "/company/" + set.Account, now: env.Now}
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Header("Authorization", "", set.APIKey)})
	return c, err
}

type object = map[string]any

// Complete implements connectors.Completer. It looks for the address that a
// delivery about a rejection leaves out.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State != ats.Rejected || e.Candidate.Email != "" {
		return nil
	}
	candidate, err := c.candidate(ctx, e.Application)
	if err != nil {
		return err
	}
	text, _ := candidate["email_address"].(string)
	address, problem := ats.ParseEmail(text)
	if address == "" {
		return nil // the event says already that there is none
	}
	e.Candidate.Email, e.Problems = address, nil
	if problem != "" {
		e.Problems = []string{ats.EmailReview}
	}
	return nil
}

// State implements connectors.Checker.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	candidate, err := c.candidate(ctx, e.Application)
	if err != nil {
		return "", err
	}
	position, _, _ := strings.Cut(e.Application, ":")
	return spec.State(&e, c.Again(&e, object{"type": "candidateStatusUpdated", "object": object{
		"position": object{"_id": position}, "stage": candidate["stage"], "candidate": candidate,
	}}, c.now()))
}

// plainID is what an id looks like; anything else could lead a call elsewhere.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (c *Connector) candidate(ctx context.Context, application string) (object, error) {
	position, id, ok := strings.Cut(application, ":")
	if !ok || !plainID.MatchString(position) || !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the ids of position and candidate are not Breezy's")
	}
	var candidate object
	if err := c.api.Get(ctx, c.company+"/position/"+position+"/candidate/"+id, nil, &candidate); err != nil {
		return nil, err
	}
	if candidate["_id"] != id {
		return nil, ats.Errorf(ats.Invalid, "Breezy's answer is not the candidate that was asked for")
	}
	return candidate, nil
}

const endpoints = "/webhook_endpoints"

// events are those that are needed.
var events = []string{"candidateStatusUpdated", "candidateDeleted"}

type endpoint struct {
	ID     string `json:"_id"`
	URL    string `json:"url"`
	Status string `json:"status"`
	Secret string `json:"secret"` // only of a new one
}

// Subscribe implements connectors.Subscriber.
func (c *Connector) Subscribe(ctx context.Context, callback string) (connectors.Subscription, error) {
	var list []endpoint
	if err := c.api.Get(ctx, c.company+endpoints, nil, &list); err != nil {
		return connectors.Subscription{}, err
	}
	if i := slices.IndexFunc(list, func(e endpoint) bool { return e.URL == callback }); i >= 0 {
		found := connectors.Subscription{ID: list[i].ID}
		if list[i].Status == "paused" {
			return found, ats.Errorf(ats.Conflict, "Breezy has the webhook %s but paused it; switch it on there, or remove it and try again", found.ID)
		}
		return found, nil
	}
	var made endpoint
	in := object{"url": callback, "description": "Career Relay", "events": events}
	if err := c.api.Create(ctx, c.company+endpoints, in, &made); err != nil {
		return connectors.Subscription{}, err
	}
	if made.ID == "" || made.Secret == "" {
		return connectors.Subscription{ID: made.ID}, ats.Errorf(ats.Invalid, "Breezy's answer has no secret")
	}
	return connectors.Subscription{ID: made.ID, Secret: ats.Secret(made.Secret)}, nil
}

// Unsubscribe implements connectors.Subscriber.
func (c *Connector) Unsubscribe(ctx context.Context, id string) error {
	if !plainID.MatchString(id) {
		return ats.Errorf(ats.Invalid, "want the id of a webhook")
	}
	return c.api.Delete(ctx, c.company+endpoints+"/"+id, nil)
}

// Push implements connectors.Pusher. Breezy takes the same person twice, so a
// push of which nobody knows whether it was done must not be repeated.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	switch {
	case err != nil:
		return "", err
	case !plainID.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "want the id of a position")
	}
	var made endpoint
	in := object{"name": p.Name, "email_address": p.Email, "summary": api.Note}
	if err := c.api.Create(ctx, c.company+"/position/"+jobID+"/candidates", in, &made); err != nil {
		return "", err
	}
	return jobID + ":" + made.ID, nil
}
