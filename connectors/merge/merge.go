// Package merge connects to Merge (merge.dev), through which many ATSs can be
// reached.
package merge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to Merge. Account is
// the id of the linked account.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	AccountToken  ats.Secret `yaml:"account_token"`
	APIURL        string     `yaml:"api_url"` // default https://api.merge.dev/api/ats/v1
	// RemoteUserID is the user of the ATS in whose name candidates are created.
	RemoteUserID string `yaml:"remote_user_id"`
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	for _, q := range []struct{ key, value, why string }{
		{"api_key", string(s.APIKey), "Merge's webhooks hold no person"},
		{"account_token", string(s.AccountToken), "it came with the webhook that told of the linked account"},
		{"account", s.Account, "write the id of the linked account, because a webhook hears of all of them"},
		{"since", s.Since, "write the day of connection, because a first sync brings the past"},
	} {
		if q.value == "" {
			errs = append(errs, fmt.Errorf("%s: required; %s", q.key, q.why))
		}
	}
	return errors.Join(errs...)
}

const (
	defaultURL = "https://api.merge.dev/api/ats/v1"
	perSecond  = 1.2 // a hundred calls in a minute are the least that a plan allows
	burst      = 20
	perPage    = 100
	overlap    = 10 * time.Minute
	everything = "candidate,job,current_stage,reject_reason"
)

// A Connector reads what belongs to the applications of one linked account.
type Connector struct {
	*spec.Connector
	api.Sweeping
	api     *api.Client
	account string
	user    string
	now     func() time.Time
}

var (
	_ connectors.Poller    = (*Connector)(nil)
	_ connectors.Pager     = (*Connector)(nil)
	_ connectors.Completer = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.Pusher    = (*Connector)(nil)
	_ connectors.JobLister = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	c := &Connector{account: set.Account, user: set.RemoteUserID, now: env.Now}
	errs := []error{set.Validate()}
	var err error
	c.Connector, err = spec.New(s, set.Settings)
	errs = append(errs, err)
	c.api, err = api.New(env, api.Options{
		Base: set.APIURL, Auth: api.Bearer(set.APIKey), Header: http.Header{"X-Account-Token": {string(set.AccountToken)}}, Rate: perSecond, Burst: burst,
	})
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

type object = map[string]any

// Complete implements connectors.Completer. What the poll brought is complete.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State != ats.Rejected || e.Candidate.FamilyName+e.Candidate.GivenName != "" || e.Candidate.Email != "" {
		return nil
	}
	row, err := c.application(ctx, e.Application)
	if ats.FaultOf(err) == ats.NotFound {
		return fmt.Errorf("%w: it was removed, or it belongs to another linked account", err)
	}
	if err != nil {
		return err
	}
	return c.Again(e, c.body(row), c.now())
}

// State implements connectors.Checker with what Merge knows; that is as new as
// its last look at the ATS.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	row, err := c.application(ctx, e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.Again(&e, c.body(row), c.now()))
}

// plainID is what an id of Merge looks like.
var plainID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// related are the members of an application that may be ids, with the kind of
// what they name.
var related = map[string]string{"candidate": "candidates", "job": "jobs", "current_stage": "job-interview-stages", "reject_reason": "reject-reasons"}

// application reads an application with what belongs to it. What cannot be read
// stays an id, but for the candidate.
func (c *Connector) application(ctx context.Context, id string) (object, error) {
	row, err := c.get(ctx, "applications", id, url.Values{"expand": {everything}})
	if err != nil {
		return nil, err
	}
	for member, kind := range related {
		id, ok := row[member].(string)
		if !ok {
			continue
		}
		one, err := c.get(ctx, kind, id, nil)
		switch fault := ats.FaultOf(err); {
		case err == nil:
			row[member] = one
		case kind == "candidates" || fault != ats.NotFound && fault != ats.Denied:
			return nil, err
		}
	}
	return row, nil
}

func (c *Connector) get(ctx context.Context, kind, id string, query url.Values) (object, error) {
	if !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the id in %s is not one of Merge's", kind)
	}
	var one object
	if err := c.api.Get(ctx, "/"+kind+"/"+id, query, &one); err != nil {
		return nil, err
	}
	if one["id"] != id {
		return nil, ats.Errorf(ats.Invalid, "Merge's answer is not what was asked for in %s", kind)
	}
	return one, nil
}

// body holds an application as if a webhook had brought it.
func (c *Connector) body(row object) object {
	return object{"hook": object{"event": "Application.changed"}, "linked_account": object{"id": c.account}, "data": row}
}

// Poll implements connectors.Poller. It finds what no webhook told.
func (c *Connector) Poll(ctx context.Context, cursor string) ([]connectors.Payload, string, error) {
	return api.Swept(ctx, cursor, c.now(), overlap, c.page)
}

func (c *Connector) page(ctx context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
	query := url.Values{
		"modified_after": {s.Since.UTC().Format(time.RFC3339)}, "expand": {everything}, "include_deleted_data": {"true"}, "page_size": {strconv.Itoa(perPage)},
	}
	if s.Page != "" {
		query.Set("cursor", s.Page)
	}
	var answer struct {
		Results []object
		Next    string
	}
	if err := c.api.Get(ctx, "/applications", query, &answer); err != nil {
		return nil, "", err
	}
	if answer.Results == nil {
		return nil, "", ats.Errorf(ats.Invalid, "Merge's answer is not a list of applications")
	}
	news := make([]connectors.Payload, 0, len(answer.Results))
	for _, row := range answer.Results {
		if _, ok := row["id"].(string); !ok {
			return nil, "", ats.Errorf(ats.Invalid, "a row of Merge's answer is no application")
		}
		row, decided := kept(row)
		body, err := json.Marshal(c.body(row))
		if err != nil {
			return nil, "", err
		}
		news = append(news, s.Payload(body, decided, c.now()))
	}
	return news, answer.Next, nil
}

// kept returns what is worth keeping of a row, and when it was rejected. Of who
// was not rejected no person is kept.
func kept(row object) (object, time.Time) {
	text, _ := row["rejected_at"].(string)
	decided, _ := time.Parse(time.RFC3339, text) // of a time that is none, Decode complains
	if row["remote_was_deleted"] != true && (text != "" || row["reject_reason"] != nil) {
		return row, decided
	}
	few := object{}
	for _, name := range []string{"id", "modified_at", "rejected_at", "remote_was_deleted"} {
		few[name] = row[name]
	}
	return few, time.Time{}
}

// Push implements connectors.Pusher.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	if err != nil {
		return "", err
	}
	if !plainID.MatchString(jobID) {
		return "", ats.Errorf(ats.Invalid, "the job's id is not one of Merge's")
	}
	person, err := c.create(ctx, "/candidates", object{
		"first_name": p.Given, "last_name": p.Family, "email_addresses": []object{{"value": p.Email, "email_address_type": "PERSONAL"}},
	})
	if err != nil {
		return "", err
	}
	return c.create(ctx, "/applications", object{"candidate": person, "job": jobID, "source": api.Note})
}

func (c *Connector) create(ctx context.Context, path string, model object) (string, error) {
	in := object{"model": model}
	if c.user != "" {
		in["remote_user_id"] = c.user
	}
	var made struct{ Model struct{ ID string } }
	if err := c.api.Create(ctx, path, in, &made); err != nil {
		return "", err
	}
	if made.Model.ID == "" {
		return "", ats.Errorf(ats.Unclear, "Merge's answer does not name what it made")
	}
	return made.Model.ID, nil
}
