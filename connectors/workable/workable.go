// Package workable connects to Workable.
package workable

import (
	"context"
	"encoding/json"
	"errors"
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

// Settings is what a company configures for a connection to Workable.
type Settings struct {
	spec.Settings `yaml:",inline"`
	// Subdomain is the account, as in https://<subdomain>.workable.com; without
	// it nothing is read again, and nothing written.
	Subdomain string     `yaml:"subdomain"`
	APIKey    ats.Secret `yaml:"api_key"` // default: the secret that is valid, which is the account's API token
	APIURL    string     `yaml:"api_url"` // default https://<subdomain>.workable.com/spi/v3
	// Deletions subscribes to candidate_deleted too, at an address of its own.
	Deletions bool `yaml:"deletions"`
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	if s.Subdomain != "" && !subdomain.MatchString(s.Subdomain) {
		return errors.New("subdomain: want only what stands before .workable.com")
	}
	if s.Subdomain == "" && (s.APIKey != "" || s.APIURL != "" || s.Deletions) {
		return errors.New("subdomain: required to call Workable")
	}
	return nil
}

var subdomain = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

const (
	perSecond = 1 // ten calls in ten seconds are allowed
	burst     = 10
	perPage   = 100 // the most that Workable gives
	overlap   = time.Hour
)

// A Connector reads in Workable's API what a webhook leaves open, and looks for
// what none told.
type Connector struct {
	*spec.Connector
	api.Sweeping
	api *api.Client
	set Settings
	now func() time.Time
}

var (
	_ connectors.Completer  = (*Connector)(nil)
	_ connectors.Checker    = (*Connector)(nil)
	_ connectors.Poller     = (*Connector)(nil)
	_ connectors.Pager      = (*Connector)(nil)
	_ connectors.Subscriber = (*Connector)(nil)
	_ connectors.Pusher     = (*Connector)(nil)
	_ connectors.JobLister  = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	var set Settings
	if err := decode(&set); err != nil {
		return nil, err
	}
	plain, err := spec.New(s, set.Settings)
	if err := errors.Join(set.Validate(), err); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	if set.Subdomain == "" {
		return plain, nil
	}
	if set.APIURL == "" {
		set.APIURL = "https://" + set.Subdomain + ".workable.com/spi/v3"
	}
	c := &Connector{Connector: plain, set: set, now: env.Now}
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Token(c.token), Rate: perSecond, Burst: burst})
	return c, err
}

// token is the account's API token, with which webhooks are signed as well.
func (c *Connector) token(context.Context) (ats.Secret, error) {
	if c.set.APIKey != "" {
		return c.set.APIKey, nil
	}
	for _, s := range c.set.Secrets {
		if s.At(c.now()) {
			return ats.Secret(s.Value), nil
		}
	}
	return "", ats.Errorf(ats.Denied, "no secret of this connection is valid now")
}

type object = map[string]any

// Complete implements connectors.Completer. A rejection becomes what Workable
// says now, with what the job says of itself.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State != ats.Rejected {
		return nil
	}
	candidate, err := c.candidate(ctx, e.Application)
	if err != nil {
		return err
	}
	if err := c.job(ctx, candidate); err != nil {
		return err
	}
	return c.read(e, candidate)
}

// State implements connectors.Checker.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	candidate, err := c.candidate(ctx, e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.read(&e, candidate))
}

// plainID is what an id looks like; anything else could lead a call elsewhere.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// candidate reads a candidate and makes sure that it says who ended it.
func (c *Connector) candidate(ctx context.Context, id string) (object, error) {
	if !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the candidate's id is not one of Workable's")
	}
	var answer struct{ Candidate object }
	if err := c.api.Get(ctx, "/candidates/"+id, nil, &answer); err != nil {
		return nil, err
	}
	candidate := answer.Candidate
	if candidate["id"] != id {
		return nil, ats.Errorf(ats.Invalid, "Workable's answer is not the candidate that was asked for")
	}
	if candidate["disqualified"] != true || candidate["withdrew"] != nil {
		return candidate, nil
	}
	var reasons []struct {
		Description       string
		CandidateWithdrew bool `json:"candidate_withdrew"`
	}
	if err := c.api.Get(ctx, "/disqualification_reasons", nil, &reasons); err != nil {
		return nil, err
	}
	for _, r := range reasons {
		if r.Description == candidate["disqualification_reason"] {
			candidate["withdrew"] = r.CandidateWithdrew
		}
	}
	return candidate, nil
}

// job adds the job's department, and whether it is confidential. A job that may
// not be read leaves both out.
func (c *Connector) job(ctx context.Context, candidate object) error {
	job, _ := candidate["job"].(object)
	code, _ := job["shortcode"].(string)
	if !plainID.MatchString(code) {
		return nil
	}
	var answer struct {
		Department   any
		Confidential bool
	}
	err := c.api.Get(ctx, "/jobs/"+code, nil, &answer)
	if fault := ats.FaultOf(err); fault == ats.NotFound || fault == ats.Denied {
		return nil
	}
	job["department"], job["confidential"] = answer.Department, answer.Confidential
	return err
}

// read puts into e what a candidate says.
func (c *Connector) read(e *ats.Event, candidate object) error {
	return c.Again(e, object{"event_type": "candidate_moved", "fired_at": candidate["updated_at"], "data": candidate}, c.now())
}

// Poll implements connectors.Poller. It finds the disqualifications of which no
// webhook told.
func (c *Connector) Poll(ctx context.Context, cursor string) ([]connectors.Payload, string, error) {
	return api.Swept(ctx, cursor, c.now(), overlap, c.page)
}

// page reads candidates that were changed. The list says neither who ended it
// nor when: that is left to Complete.
func (c *Connector) page(ctx context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
	path, query := "/candidates", url.Values{"updated_after": {s.Since.UTC().Format(time.RFC3339)}, "limit": {strconv.Itoa(perPage)}}
	if s.Page != "" {
		var err error
		if path, query, err = c.api.Within(s.Page); err != nil {
			return nil, "", err
		}
	}
	var answer struct {
		Candidates []struct {
			ID           string
			Disqualified bool
			UpdatedAt    time.Time `json:"updated_at"`
		}
		Paging struct{ Next string }
	}
	if err := c.api.Get(ctx, path, query, &answer); err != nil {
		return nil, "", err
	}
	if answer.Candidates == nil {
		return nil, "", ats.Errorf(ats.Invalid, "Workable's answer is not a list of candidates")
	}
	var news []connectors.Payload
	for _, one := range answer.Candidates {
		if !one.Disqualified {
			continue
		}
		body, err := json.Marshal(object{
			"event_type": "candidate_moved", "fired_at": one.UpdatedAt, "data": object{"id": one.ID, "disqualified": true},
		})
		if err != nil {
			return news, "", err
		}
		news = append(news, s.Payload(body, one.UpdatedAt, c.now()))
	}
	return news, answer.Paging.Next, nil
}

// A subscription is what Workable knows of one event.
type subscription struct {
	ID           json.Number `json:"id"`
	Event        string      `json:"event"`
	Target       string      `json:"target"`
	ValidUntil   *time.Time  `json:"valid_until"`
	StageSlug    *string     `json:"stage_slug"`
	JobShortcode *string     `json:"job_shortcode"`
}

// limited reports whether s hides candidates of other stages or jobs.
func (s subscription) limited() bool {
	return s.StageSlug != nil && *s.StageSlug != "" || s.JobShortcode != nil && *s.JobShortcode != ""
}

// Subscribe implements connectors.Subscriber. Every address can have one event.
func (c *Connector) Subscribe(ctx context.Context, callback string) (connectors.Subscription, error) {
	wanted := []subscription{{Event: "candidate_moved", Target: callback}}
	if c.set.Deletions {
		wanted = append(wanted, subscription{Event: "candidate_deleted", Target: callback + "?event=candidate_deleted"})
	}
	var there struct{ Subscriptions []subscription }
	if err := c.api.Get(ctx, "/subscriptions", nil, &there); err != nil {
		return connectors.Subscription{}, err
	}
	var out connectors.Subscription
	var ids []string
	for _, want := range wanted {
		i := slices.IndexFunc(there.Subscriptions, func(s subscription) bool { return s.Event == want.Event && s.Target == want.Target })
		switch {
		case i < 0:
			if err := c.subscribe(ctx, &want); err != nil {
				return out, err
			}
		case there.Subscriptions[i].limited():
			return out, ats.Errorf(ats.Conflict, "subscription %s hides rejections, because it is limited to a stage or a job; remove it and try again", there.Subscriptions[i].ID)
		default:
			want = there.Subscriptions[i]
		}
		ids = append(ids, want.ID.String())
		out.ID = strings.Join(ids, ",")
		if want.ValidUntil != nil && (out.Until.IsZero() || want.ValidUntil.Before(out.Until)) {
			out.Until = *want.ValidUntil
		}
	}
	return out, nil
}

func (c *Connector) subscribe(ctx context.Context, s *subscription) error {
	in := object{"target": s.Target, "event": s.Event, "args": object{"account_id": c.set.Subdomain, "job_shortcode": "", "stage_slug": ""}}
	err := c.api.Post(ctx, "/subscriptions", in, s)
	switch {
	case ats.FaultOf(err) == ats.Conflict:
		return ats.Errorf(ats.Conflict, "%w: another event of Workable's is sent to this address already", err)
	case err == nil && s.ID == "":
		return ats.Errorf(ats.Invalid, "Workable's answer has no subscription id")
	}
	return err
}

// Unsubscribe implements connectors.Subscriber.
func (c *Connector) Unsubscribe(ctx context.Context, id string) error {
	var errs []error
	for one := range strings.SplitSeq(id, ",") {
		if !plainID.MatchString(one) {
			return ats.Errorf(ats.Invalid, "want the id of a subscription, or several with commas between them")
		}
		errs = append(errs, c.api.Delete(ctx, "/subscriptions/"+one, nil))
	}
	return errors.Join(errs...)
}

// Push implements connectors.Pusher. Workable takes the same person twice, so a
// push of which nobody knows whether it was done must not be repeated.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	switch {
	case err != nil:
		return "", err
	case !plainID.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "want the shortcode of a job")
	}
	in := object{"sourced": true, "candidate": object{ // sourced: Workable writes no mail
		"name": p.Name, "firstname": p.Given, "lastname": p.Family, "email": p.Email, "summary": api.Note,
	}}
	var made struct{ Candidate struct{ ID string } }
	err = c.api.Create(ctx, "/jobs/"+jobID+"/candidates", in, &made)
	return made.Candidate.ID, err
}
