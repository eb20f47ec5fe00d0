// Package pinpoint connects to Pinpoint (pinpointhq.com).
package pinpoint

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to Pinpoint.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	Subdomain     string     `yaml:"subdomain"` // as in https://<subdomain>.pinpointhq.com
	APIURL        string     `yaml:"api_url"`   // default https://<subdomain>.pinpointhq.com/api/v1
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	if s.APIKey == "" {
		errs = append(errs, errors.New("api_key: required; Pinpoint's webhooks say only which application changed"))
	}
	if !subdomain.MatchString(s.Subdomain) {
		errs = append(errs, errors.New("subdomain: required; what stands before .pinpointhq.com"))
	}
	return errors.Join(errs...)
}

var subdomain = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// A Connector reads in Pinpoint's API what its webhooks only announce.
type Connector struct {
	*spec.Connector
	api *api.Client
	log *slog.Logger
}

var (
	_ connectors.Completer = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.Pusher    = (*Connector)(nil)
	_ connectors.JobLister = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	var set Settings
	if err := decode(&set); err != nil {
		return nil, err
	}
	if set.APIURL == "" {
		set.APIURL = "https://" + set.Subdomain + ".pinpointhq.com/api/v1"
	}
	c := &Connector{log: env.Log}
	errs := []error{set.Validate()}
	var err error
	c.Connector, err = spec.New(s, set.Settings)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	c.api, err = api.New(env, api.Options{
		Base: set.APIURL, Auth: api.Header("X-API-KEY", "", set.APIKey),
		Header: http.Header{"Accept": {jsonAPI}, "Content-Type": {jsonAPI}},
	})
	return c, err
}

const jsonAPI = "application/vnd.api+json"

type object = map[string]any

// A resource is an object of JSON:API.
type resource struct {
	Type          string              `json:"type"`
	ID            string              `json:"id,omitempty"`
	Attributes    object              `json:"attributes,omitempty"`
	Relationships map[string]relation `json:"relationships,omitempty"`
}

type relation struct {
	Data *resource `json:"data"`
}

// to is a relation to one object.
func to(kind, id string) relation { return relation{&resource{Type: kind, ID: id}} }

// flat returns the attributes with the id among them.
func (r resource) flat() object {
	out := object{}
	maps.Copy(out, r.Attributes)
	out["id"] = r.ID
	return out
}

// Complete implements connectors.Completer.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State == ats.Hired { // the event itself says so
		return nil
	}
	answers, err := c.application(ctx, e.Application)
	if err != nil {
		return err
	}
	return c.Fill(e, answers)
}

// State implements connectors.Checker.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	answers, err := c.application(ctx, e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.Fill(&e, answers))
}

// plainID is what an id looks like; anything else could lead a call elsewhere.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// application reads an application with its stage and its job.
func (c *Connector) application(ctx context.Context, id string) (object, error) {
	if !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the application's id is not one of Pinpoint's")
	}
	var answer struct {
		Data     resource
		Included []resource
	}
	err := c.api.Get(ctx, "/applications/"+id, url.Values{"include": {"stage,job"}}, &answer)
	switch {
	case ats.FaultOf(err) == ats.NotFound:
		return nil, ats.Errorf(ats.NotFound, "%w: it was deleted, or the API key may not read it", err)
	case err != nil:
		return nil, err
	case answer.Data.ID != id:
		return nil, ats.Errorf(ats.Invalid, "Pinpoint's answer is not the application that was asked for")
	}
	answers := object{"application": answer.Data.flat(), "reasons": reasons(answer.Data.Attributes["tags"])}
	for _, name := range []string{"stage", "job"} {
		it := answer.Data.Relationships[name].Data
		for _, r := range answer.Included {
			if it != nil && r.Type == it.Type && r.ID == it.ID {
				answers[name] = r.flat()
			}
		}
	}
	return answers, nil
}

var (
	reasonTag     = regexp.MustCompile(`(?i)^\s*rejection[ _-]?reason\s*:\s*(.+)$`)
	reasonContext = regexp.MustCompile(`(?i)reject`)
)

// reasons returns the rejection reasons among tags. How tags are written is not
// documented: as text with their context, or as objects.
func reasons(tags any) []string {
	out := []string{}
	list, _ := tags.([]any)
	for _, tag := range list {
		switch tag := tag.(type) {
		case string:
			if m := reasonTag.FindStringSubmatch(tag); m != nil {
				out = append(out, strings.TrimSpace(m[1]))
			}
		case object:
			context, _ := tag["context"].(string)
			for _, member := range []string{"tag", "name"} {
				if text, _ := tag[member].(string); text != "" && reasonContext.MatchString(context) {
					out = append(out, text)
					break
				}
			}
		}
	}
	return out
}

// Push implements connectors.Pusher. Whether Pinpoint takes the same person
// twice is not known, so a push of which nobody knows whether it was done must
// not be repeated.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	switch {
	case err != nil:
		return "", err
	case !plainID.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "want the id of a job")
	}
	var made struct{ Data resource }
	in := resource{
		Type: "applications", Attributes: object{"first_name": p.Given, "last_name": p.Family, "email": p.Email},
		Relationships: map[string]relation{"job": to("jobs", jobID)},
	}
	if err := c.api.Create(ctx, "/applications", object{"data": in}, &made); err != nil {
		return "", err
	}
	// The candidate is there: without the note nothing must be done again.
	note := resource{Type: "comments", Attributes: object{"body": api.Note}, Relationships: map[string]relation{"application": to("applications", made.Data.ID)}}
	if err := c.api.Post(ctx, "/comments", object{"data": note}, nil); err != nil && c.log != nil {
		c.log.WarnContext(ctx, "note left out", "candidate", made.Data.ID, "err", err)
	}
	return made.Data.ID, nil
}
