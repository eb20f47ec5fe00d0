// Package stackone connects to StackOne, through which many ATSs can be reached.
package stackone

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

// Settings is what a company configures for a connection to StackOne. Account is
// the id of the linked account.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	APIURL        string     `yaml:"api_url"` // default https://api.stackone.com
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	if s.APIKey == "" {
		errs = append(errs, errors.New("api_key: required; StackOne's webhooks say only which record changed"))
	}
	if s.Account == "" {
		errs = append(errs, errors.New("account: required; write the id of the linked account"))
	}
	if s.Since == "" {
		errs = append(errs, errors.New("since: required; write the day of connection, because any edit brings old rejections again"))
	}
	return errors.Join(errs...)
}

const (
	defaultURL = "https://api.stackone.com"
	perPage    = 100
	overlap    = 10 * time.Minute
)

// A Connector reads the applications of one linked account.
type Connector struct {
	*spec.Connector
	api.Sweeping
	api *api.Client
	now func() time.Time
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
	c := &Connector{now: env.Now}
	errs := []error{set.Validate()}
	var err error
	c.Connector, err = spec.New(s, set.Settings)
	errs = append(errs, err)
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Basic(set.APIKey, ""), Header: http.Header{"X-Account-Id": {set.Account}}})
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

type object = map[string]any

// Complete implements connectors.Completer. Of a webhook only the id counts;
// what the poll brought lacks only the job.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State != ats.Rejected {
		return nil
	}
	if e.Candidate.ID == "" {
		err := c.read(ctx, e)
		if ats.FaultOf(err) == ats.NotFound {
			return fmt.Errorf("%w: it was deleted, or it belongs to another account", err)
		}
		if err != nil {
			return err
		}
	}
	return c.job(ctx, e)
}

// job adds what the application does not say of its job. One that cannot be read
// leaves it out.
func (c *Connector) job(ctx context.Context, e *ats.Event) error {
	if e.State != ats.Rejected || e.Job.ID == "" {
		return nil
	}
	job, err := c.get(ctx, "jobs", e.Job.ID)
	switch fault := ats.FaultOf(err); {
	case fault == ats.NotFound, fault == ats.Denied:
		return nil
	case err != nil:
		return err
	}
	e.Job.Title, _ = job["title"].(string)
	confidential := job["confidential"]
	e.Job.Confidential = confidential == true || confidential == "true"
	return nil
}

// State implements connectors.Checker.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	return spec.State(&e, c.read(ctx, &e))
}

// read reads an application as if it came by itself.
func (c *Connector) read(ctx context.Context, e *ats.Event) error {
	application, err := c.get(ctx, "applications", e.Application)
	if err != nil {
		return err
	}
	return c.Again(e, object{"application": application}, c.now())
}

// plainID is what the ids of StackOne look like.
var plainID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:=-]{0,255}$`)

func (c *Connector) get(ctx context.Context, kind, id string) (object, error) {
	if !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the id in %s is not one of StackOne's", kind)
	}
	var answer struct{ Data object }
	if err := c.api.Get(ctx, "/unified/ats/"+kind+"/"+url.PathEscape(id), nil, &answer); err != nil {
		return nil, err
	}
	if answer.Data["id"] != id {
		return nil, ats.Errorf(ats.Invalid, "StackOne's answer is not what was asked for in %s", kind)
	}
	return answer.Data, nil
}

// Poll implements connectors.Poller. It finds what no webhook told.
func (c *Connector) Poll(ctx context.Context, cursor string) ([]connectors.Payload, string, error) {
	return api.Swept(ctx, cursor, c.now(), overlap, c.page)
}

func (c *Connector) page(ctx context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
	query := url.Values{"filter[updated_after]": {s.Since.UTC().Format("2006-01-02T15:04:05.000Z")}, "page_size": {strconv.Itoa(perPage)}}
	if s.Page != "" {
		query.Set("next", s.Page)
	}
	var answer struct {
		Data []object
		Next string
	}
	if err := c.api.Get(ctx, "/unified/ats/applications", query, &answer); err != nil {
		return nil, "", err
	}
	if answer.Data == nil {
		return nil, "", ats.Errorf(ats.Invalid, "StackOne's answer is not a list of applications")
	}
	news := make([]connectors.Payload, 0, len(answer.Data))
	for _, row := range answer.Data {
		if _, ok := row["id"].(string); !ok {
			return nil, "", ats.Errorf(ats.Invalid, "a row of StackOne's answer is no application")
		}
		row, decided := kept(row)
		body, err := json.Marshal(object{"application": row})
		if err != nil {
			return nil, "", err
		}
		news = append(news, s.Payload(body, decided, c.now()))
	}
	return news, answer.Next, nil
}

// needed is all that is kept of an application that was not rejected.
var needed = []string{"id", "application_status", "candidate_id", "job_id", "updated_at"}

// kept returns what is worth keeping of a row, and when it was rejected; long
// ago when nobody knows.
func kept(row object) (object, time.Time) {
	status, _ := row["application_status"].(object)
	reasons, _ := row["rejected_reasons"].([]any)
	if row["rejected_at"] == nil && status["value"] != "rejected" && status["value"] != "declined_by_candidate" && len(reasons) == 0 {
		few := object{}
		for _, name := range needed {
			few[name] = row[name]
		}
		return few, time.Time{}
	}
	for _, name := range []string{"rejected_at", "updated_at"} {
		text, _ := row[name].(string)
		if decided, err := time.Parse(time.RFC3339, text); err == nil {
			return row, decided
		}
	}
	return row, time.Unix(0, 0)
}
