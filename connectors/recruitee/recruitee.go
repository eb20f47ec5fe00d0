// Package recruitee connects to Recruitee (Tellent).
package recruitee

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to Recruitee.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"` // without it nothing is read again, and nothing written
	APIURL        string     `yaml:"api_url"` // default https://api.recruitee.com
}

const defaultURL = "https://api.recruitee.com"

// A Connector reads the state of candidacies in Recruitee's API and creates
// candidates there.
type Connector struct {
	*spec.Connector
	api     *api.Client
	company string // path of the company
	now     func() time.Time
}

var (
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.Pusher    = (*Connector)(nil)
	_ connectors.JobLister = (*Connector)(nil)
)

// plainID is what the ids of Recruitee look like.
var plainID = regexp.MustCompile(`^[0-9]{1,18}$`)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	plain, err := spec.New(s, set.Settings)
	if err != nil || set.APIKey == "" {
		return plain, err
	}
	if !plainID.MatchString(set.Account) {
		return nil, ats.Errorf(ats.Invalid, "account: required with api_key; write the company's number in Recruitee")
	}
	c := &Connector{Connector: plain, company: "/c/" + set.Account, now: env.Now}
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Bearer(set.APIKey)})
	return c, err
}

// A placement is one person's candidacy for one job.
type placement struct {
	OfferID          json.Number `json:"offer_id"`
	DisqualifiedAt   string      `json:"disqualified_at"`
	HiredAt          string      `json:"hired_at"`
	DisqualifyReason any         `json:"disqualify_reason"` // a text
}

// State implements connectors.Checker. It is "" for a person who no longer is a
// candidate for the job.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	candidate, offer, _ := strings.Cut(e.Application, "-")
	if !plainID.MatchString(candidate) || offer != "" && !plainID.MatchString(offer) {
		return "", ats.Errorf(ats.Invalid, "the application's id is not one of Recruitee's")
	}
	var answer struct {
		Candidate struct {
			ID         json.Number
			Placements []placement
		}
	}
	if err := c.api.Get(ctx, c.company+"/candidates/"+candidate, nil, &answer); err != nil {
		return "", err
	}
	if answer.Candidate.ID.String() != candidate {
		return "", ats.Errorf(ats.Invalid, "Recruitee's answer is not the candidate who was asked for")
	}
	var state ats.State
	for _, p := range answer.Candidate.Placements {
		if offer != "" && p.OfferID.String() != offer {
			continue
		}
		var err error
		if state, err = c.state(candidate, p); err != nil || state == ats.Reopened {
			return state, err // of an application without a job any open one counts
		}
	}
	return state, nil
}

// state lets the rules say what a placement means, as if a webhook told of it.
func (c *Connector) state(candidate string, p placement) (ats.State, error) {
	switch {
	case p.HiredAt != "":
		return ats.Hired, nil
	case p.DisqualifiedAt == "":
		return ats.Reopened, nil
	}
	type object = map[string]any
	var e ats.Event
	return spec.State(&e, c.Again(&e, object{
		"event_type": "candidate_moved", "event_subtype": "disqualified", "created_at": p.DisqualifiedAt,
		"payload": object{
			"candidate": object{"id": candidate}, "offer": object{"id": p.OfferID}, "details": object{"disqualify_reason": object{"name": p.DisqualifyReason}},
		},
	}, c.now()))
}

// Push implements connectors.Pusher. Recruitee sends no mail of its own then.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	if err != nil {
		return "", err
	}
	if !plainID.MatchString(jobID) {
		return "", ats.Errorf(ats.Invalid, "the job's id is not one of Recruitee's")
	}
	var made struct{ Candidate struct{ ID json.Number } }
	err = c.api.Create(ctx, c.company+"/candidates", map[string]any{
		"candidate": map[string]any{"name": p.Name, "emails": []string{p.Email}, "sources": []string{api.Note}},
		"offers":    []json.Number{json.Number(jobID)},
	}, &made)
	return made.Candidate.ID.String(), err
}
