// Package ashby connects to Ashby.
package ashby

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to Ashby.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"` // without it nothing is read again, and nothing written
	APIURL        string     `yaml:"api_url"` // default https://api.ashbyhq.com
	// SourceID is the source of the candidates that we create.
	SourceID string `yaml:"source_id"`
}

const (
	defaultURL = "https://api.ashbyhq.com"
	version    = "2026-01-01"
)

// A Listener is a connection that can only listen.
type Listener struct {
	*spec.Connector
}

// A Connector reads in Ashby's API what is left out of its webhooks.
type Connector struct {
	Listener
	api      *api.Client
	secrets  []connectors.Secret
	sourceID string
	now      func() time.Time
}

var (
	_ connectors.Redactor   = Listener{}
	_ connectors.Completer  = (*Connector)(nil)
	_ connectors.Checker    = (*Connector)(nil)
	_ connectors.Subscriber = (*Connector)(nil)
	_ connectors.Pusher     = (*Connector)(nil)
	_ connectors.Finder     = (*Connector)(nil)
	_ connectors.JobLister  = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	plain, err := spec.New(s, set.Settings)
	if err != nil {
		return nil, err
	}
	listener := Listener{plain}
	if set.APIKey == "" {
		return listener, nil
	}
	c := &Connector{Listener: listener, secrets: set.Secrets, sourceID: set.SourceID, now: env.Now}
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Basic(set.APIKey, ""), Header: http.Header{"Ashby-Version": {version}}})
	return c, err
}

type object = map[string]any

// Redact implements connectors.Redactor. From where and by which browser
// somebody applied is nobody's business here.
func (Listener) Redact(p connectors.Payload) connectors.Payload {
	d := json.NewDecoder(bytes.NewReader(p.Body))
	d.UseNumber()
	var body object
	if d.Decode(&body) != nil {
		return p // somebody must look at it
	}
	data, _ := body["data"].(object)
	if application, ok := data["application"].(object); ok {
		delete(application, "submitterClientIp")
		delete(application, "submitterUserAgent")
		if text, err := json.Marshal(body); err == nil {
			p.Body = text
		}
	}
	return p
}

// Complete implements connectors.Completer. A rejection becomes what Ashby says
// now, with the last stage, the department and further addresses.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State != ats.Rejected {
		return nil
	}
	a, err := c.application(ctx, e.Application)
	if err != nil {
		return err
	}
	if err := errors.Join(c.addresses(ctx, a), c.department(ctx, a)); err != nil {
		return err
	}
	return c.read(e, a)
}

// State implements connectors.Checker.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	a, err := c.application(ctx, e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.read(&e, a))
}

func (c *Connector) application(ctx context.Context, id string) (object, error) {
	var a object
	err := c.call(ctx, "application.info", object{"applicationId": id}, &a)
	switch {
	case ats.FaultOf(err) == ats.NotFound:
		return nil, ats.Errorf(ats.NotFound, "%w: the application was deleted, or the API key may not read it", err)
	case err == nil && a["id"] != id:
		return nil, ats.Errorf(ats.Invalid, "Ashby's answer is not the application that was asked for")
	}
	return a, err
}

// read puts into e what an application says.
func (c *Connector) read(e *ats.Event, application object) error {
	return c.Again(e, object{"action": "applicationUpdate", "data": object{"application": application}}, c.now())
}

// addresses adds the further addresses of a rejected person who has no main one.
func (c *Connector) addresses(ctx context.Context, a object) error {
	person, _ := a["candidate"].(object)
	if person == nil || person["primaryEmailAddress"] != nil || a["status"] != "Archived" {
		return nil
	}
	var more object
	if err := c.call(ctx, "candidate.info", object{"id": person["id"]}, &more); err != nil {
		return err
	}
	person["emailAddresses"] = more["emailAddresses"]
	return nil
}

// department adds the name of the job's department. One that cannot be read
// leaves it out.
func (c *Connector) department(ctx context.Context, a object) error {
	job, _ := a["job"].(object)
	if job == nil || job["departmentId"] == nil || a["status"] != "Archived" {
		return nil
	}
	var d object
	err := c.call(ctx, "department.info", object{"departmentId": job["departmentId"]}, &d)
	if fault := ats.FaultOf(err); fault == ats.NotFound || fault == ats.Denied {
		return nil
	}
	job["departmentName"] = d["name"]
	return err
}

// webhooks are the events that are needed. A hire is a change of stage too.
var webhooks = []string{"candidateStageChange", "candidateDelete", "candidateMerge"}

// Subscribe implements connectors.Subscriber. Ashby lists no webhooks, but it
// refuses to make one twice; of those that were there the id is not known.
func (c *Connector) Subscribe(ctx context.Context, callback string) (connectors.Subscription, error) {
	i := slices.IndexFunc(c.secrets, func(s connectors.Secret) bool { return s.At(c.now()) })
	if i < 0 {
		return connectors.Subscription{}, ats.Errorf(ats.Invalid, "secrets: none is valid now")
	}
	var ids []string
	for _, kind := range webhooks {
		var made struct {
			ID      string
			Enabled *bool
		}
		err := c.call(ctx, "webhook.create", object{"webhookType": kind, "requestUrl": callback, "secretToken": c.secrets[i].Value}, &made)
		switch {
		case ats.FaultOf(err) == ats.Duplicate:
			continue
		case err != nil:
			return connectors.Subscription{ID: strings.Join(ids, ",")}, err
		}
		ids = append(ids, made.ID)
		if made.Enabled != nil && !*made.Enabled {
			return connectors.Subscription{ID: strings.Join(ids, ",")}, ats.Errorf(ats.Conflict,
				"Ashby made the webhook for %s but switched it off, because its ping was not answered with success; tick it in Admin > Integrations > Webhooks when the address can be reached", kind)
		}
	}
	return connectors.Subscription{ID: strings.Join(ids, ",")}, nil
}

// Unsubscribe implements connectors.Subscriber.
func (c *Connector) Unsubscribe(ctx context.Context, id string) error {
	var errs []error
	for one := range strings.SplitSeq(id, ",") {
		if err := c.call(ctx, "webhook.delete", object{"webhookId": one}, nil); ats.FaultOf(err) != ats.NotFound {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Push implements connectors.Pusher. A person whom Ashby knows by the address
// gets no second record, and no second application for the same job.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	if err != nil {
		return "", err
	}
	person, ref, err := c.find(ctx, p.Email, jobID)
	if err != nil || ref != "" {
		return ref, err
	}
	var made struct{ ID string }
	if person == "" {
		if err := c.create(ctx, "candidate.create", object{"name": p.Name, "email": p.Email}, &made); err != nil {
			return "", err
		}
		person = made.ID
	}
	note := object{"candidateId": person, "note": object{"type": "text/plain", "value": api.Note}}
	if err := c.call(ctx, "candidate.createNote", note, nil); err != nil {
		return "", err
	}
	err = c.create(ctx, "application.create", object{"candidateId": person, "jobId": jobID}, &made)
	return made.ID, err
}

// Finds implements connectors.Finder.
func (c *Connector) Finds() bool { return true }

// find looks for a person and for the person's application for a job.
func (c *Connector) find(ctx context.Context, email, jobID string) (person, application string, err error) {
	var found []struct{ ID string }
	if err := c.call(ctx, "candidate.search", object{"email": email}, &found); err != nil || len(found) == 0 {
		return "", "", err
	}
	person = found[0].ID
	var known struct{ ApplicationIDs []string }
	if err := c.call(ctx, "candidate.info", object{"id": person}, &known); err != nil {
		return "", "", err
	}
	for _, id := range known.ApplicationIDs {
		var a struct{ Job struct{ ID string } }
		if err := c.call(ctx, "application.info", object{"applicationId": id}, &a); err != nil {
			return "", "", err
		}
		if a.Job.ID == jobID {
			return person, id, nil
		}
	}
	return person, "", nil
}

// create makes something with the source of our candidates. Asked again it
// would make a second one.
func (c *Connector) create(ctx context.Context, method string, in object, out any) error {
	if c.sourceID != "" {
		in["sourceId"] = c.sourceID
	}
	_, err := c.answer(method, func(a any) error { return c.api.Create(ctx, "/"+method, in, a) }, out)
	return err
}

// call calls a method that may be called again; all of Ashby's are POST.
func (c *Connector) call(ctx context.Context, method string, in, out any) error {
	_, err := c.list(ctx, method, in, out)
	return err
}

// list is call for a method that may have further pages; next is the cursor of
// the next one.
func (c *Connector) list(ctx context.Context, method string, in, out any) (next string, err error) {
	return c.answer(method, func(a any) error { return c.api.Post(ctx, "/"+method, in, a) }, out)
}

// answer reads what is in an answer. Most of Ashby's errors come with 200.
func (c *Connector) answer(method string, call func(any) error, out any) (next string, err error) {
	var a struct {
		Success           bool
		Results           json.RawMessage
		MoreDataAvailable bool
		NextCursor        string
		Errors            []any
		ErrorInfo         struct{ Code string }
	}
	if err := call(&a); err != nil {
		return "", err
	}
	if !a.Success {
		return "", refused(method, a.ErrorInfo.Code, fmt.Sprint(a.Errors...))
	}
	if out == nil {
		return "", nil
	}
	d := json.NewDecoder(strings.NewReader(string(a.Results)))
	d.UseNumber()
	if d.Decode(out) != nil {
		return "", ats.Errorf(ats.Invalid, "%s: the results are not those that this connector knows", method)
	}
	if !a.MoreDataAvailable {
		a.NextCursor = ""
	}
	return a.NextCursor, nil
}

// plainCode is what the name of an error looks like. Other texts may hold
// anything and are not repeated.
var plainCode = regexp.MustCompile(`^[a-z_]{1,60}$`)

func refused(method, code, texts string) error {
	if plainCode.MatchString(texts) {
		code = texts
	}
	if !plainCode.MatchString(code) {
		code = "refused"
	}
	fault := ats.Invalid
	switch all := strings.ToLower(code + texts); {
	case strings.Contains(all, "not_found"):
		fault = ats.NotFound
	case strings.Contains(all, "permission"):
		fault = ats.Denied
	case strings.Contains(all, "duplicate"):
		fault = ats.Duplicate
	}
	return ats.Errorf(fault, "%s: %s", method, code)
}
