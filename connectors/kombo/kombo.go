// Package kombo connects to Kombo, through which many ATSs can be reached.
package kombo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to Kombo. Account is
// the id of the integration.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	APIURL        string     `yaml:"api_url"` // default https://api.kombo.dev/v1, which is in Europe
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	if s.APIKey == "" {
		errs = append(errs, errors.New("api_key: required; Kombo's webhooks say only that something changed"))
	}
	if s.Account == "" {
		errs = append(errs, errors.New("account: required; write the id of the integration, such as greenhouse:7Ut4…"))
	}
	return errors.Join(errs...)
}

const (
	defaultURL = "https://api.kombo.dev/v1"
	perPage    = 250
	overlap    = 10 * time.Minute
)

// A Connector reads what changed in one integration.
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
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Bearer(set.APIKey), Header: http.Header{"X-Integration-Id": {set.Account}}})
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

type object = map[string]any

// Poll implements connectors.Poller.
func (c *Connector) Poll(ctx context.Context, cursor string) ([]connectors.Payload, string, error) {
	return api.Swept(ctx, cursor, c.now(), overlap, c.page)
}

// page reads one page of the applications that changed.
func (c *Connector) page(ctx context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
	query := url.Values{"updated_after": {s.Since.UTC().Format(time.RFC3339)}, "include_deleted": {"true"}, "page_size": {strconv.Itoa(perPage)}}
	if s.Page != "" {
		query.Set("cursor", s.Page)
	}
	rows, next, err := c.list(ctx, "/ats/applications", query)
	if err != nil {
		return nil, "", err
	}
	news := make([]connectors.Payload, 0, len(rows))
	for _, row := range rows {
		body, decided, err := kept(row)
		if err != nil {
			return nil, "", err
		}
		news = append(news, s.Payload(body, decided, c.now()))
	}
	return news, next, nil
}

// needed is all that is kept of an application that was not rejected.
var needed = []string{"id", "outcome", "rejected_at", "remote_deleted_at", "remote_updated_at", "changed_at", "candidate_id", "job_id"}

// kept returns what is worth keeping of a row, and when it was rejected; long
// ago when nobody knows.
func kept(row json.RawMessage) ([]byte, time.Time, error) {
	var r map[string]json.RawMessage
	if json.Unmarshal(row, &r) != nil || r["id"] == nil {
		return nil, time.Time{}, ats.Errorf(ats.Invalid, "a row of Kombo's answer is no application")
	}
	var at struct {
		Outcome    string
		RejectedAt string `json:"rejected_at"`
		UpdatedAt  string `json:"remote_updated_at"`
		DeletedAt  string `json:"remote_deleted_at"`
	}
	_ = json.Unmarshal(row, &at) // what is of another type, the rules will see
	if at.DeletedAt == "" && (at.RejectedAt != "" || at.Outcome != "" && at.Outcome != "PENDING" && at.Outcome != "HIRED") {
		for _, text := range []string{at.RejectedAt, at.UpdatedAt} {
			if decided, err := time.Parse(time.RFC3339, text); err == nil {
				return row, decided, nil
			}
		}
		return row, time.Unix(0, 0), nil
	}
	few := map[string]json.RawMessage{}
	for _, name := range needed {
		if v := r[name]; v != nil {
			few[name] = v
		}
	}
	body, err := json.Marshal(few)
	return body, time.Time{}, err
}

// list reads one page of anything. Some errors come with 200.
func (c *Connector) list(ctx context.Context, path string, query url.Values) (rows []json.RawMessage, next string, err error) {
	var answer struct {
		Status string
		Data   struct {
			Results []json.RawMessage
			Next    string
		}
		Error struct{ Code string }
	}
	if err := c.api.Get(ctx, path, query, &answer); err != nil {
		return nil, "", err
	}
	switch {
	case strings.HasSuffix(answer.Error.Code, "RATE_LIMIT_EXCEEDED"):
		return nil, "", ats.BusyFor(limitWait, "Kombo's limit of calls is used up")
	case answer.Status != "success":
		return nil, "", ats.Errorf(ats.Invalid, "Kombo's answer is no success")
	}
	return answer.Data.Results, answer.Data.Next, nil
}

// limitWait is how long we wait when Kombo does not say it.
const limitWait = 30 * time.Second

// plainID is what an id of Kombo looks like; a comma would name several.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// one reads the only row with an id.
func (c *Connector) one(ctx context.Context, path, id string) (json.RawMessage, error) {
	if !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the id is not one of Kombo's")
	}
	rows, _, err := c.list(ctx, path, url.Values{"ids": {id}, "include_deleted": {"true"}})
	if err != nil {
		return nil, err
	}
	var row struct{ ID string }
	switch {
	case len(rows) == 0:
		return nil, ats.Errorf(ats.NotFound, "Kombo has nothing with this id")
	case len(rows) > 1 || json.Unmarshal(rows[0], &row) != nil || row.ID != id:
		return nil, ats.Errorf(ats.Invalid, "Kombo's answer is not what was asked for")
	}
	return rows[0], nil
}

// Complete implements connectors.Completer: the department, and whether the job
// is confidential. A job that cannot be read leaves them out.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State != ats.Rejected || e.Job.ID == "" {
		return nil
	}
	row, err := c.one(ctx, "/ats/jobs", e.Job.ID)
	switch fault := ats.FaultOf(err); {
	case fault == ats.NotFound, fault == ats.Denied:
		return nil
	case err != nil:
		return err
	}
	var job struct {
		Department, Visibility string
		Confidential           bool
	}
	if json.Unmarshal(row, &job) != nil {
		return ats.Errorf(ats.Invalid, "Kombo's answer is not a job")
	}
	e.Job.Department, e.Job.Confidential = job.Department, job.Confidential || job.Visibility == "CONFIDENTIAL"
	return nil
}

// State implements connectors.Checker with what Kombo knows; that is as new as
// its last look at the ATS.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	row, err := c.one(ctx, "/ats/applications", e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.Again(&e, row, c.now()))
}

// Push implements connectors.Pusher. Kombo names us as the source, and joins a
// candidate whom the ATS knows.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	switch {
	case err != nil:
		return "", err
	case p.Given == "":
		return "", ats.Errorf(ats.Invalid, "Kombo wants a family name and a given name")
	case !plainID.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "the job's id is not one of Kombo's")
	}
	var made struct{ Data struct{ ID string } }
	err = c.api.Create(ctx, "/ats/jobs/"+jobID+"/applications", object{
		"candidate": object{"first_name": p.Given, "last_name": p.Family, "email_address": p.Email},
	}, &made)
	return made.Data.ID, err
}
