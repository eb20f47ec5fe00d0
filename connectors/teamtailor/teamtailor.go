// Package teamtailor connects to Teamtailor.
package teamtailor

import (
	"context"
	"encoding/json"
	"fmt"
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
	"github.com/career-relay/connector/connectors/verify"
)

// Settings is what a company configures for a connection to Teamtailor.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	APIURL        string     `yaml:"api_url"` // default https://api.teamtailor.com/v1, which is in Europe
	// Signature is the version that is chosen in the webhook: v2 (default) or v1.
	Signature string `yaml:"signature"`
	// NoEmbargo says that candidates may always be told at once, so that a
	// rejection that names no day has none.
	NoEmbargo bool `yaml:"no_embargo"`
}

const (
	defaultURL = "https://api.teamtailor.com/v1"
	version    = "20240404"
	perSecond  = 4 // fifty calls in ten seconds are allowed
	burst      = 10
	perPage    = 30 // the most that Teamtailor gives
	everything = "candidate,job,stage,reject-reason"
	// The poll leaves the newest changes to the webhooks, which say more.
	leave   = 2 * time.Minute
	overlap = 10 * time.Minute
)

// A Connector reads in Teamtailor's API what its webhooks only hint at, and
// looks for what they did not tell: nothing is sent twice there.
type Connector struct {
	*spec.Connector
	api.Sweeping
	api       *api.Client
	now       func() time.Time
	signed    bool // the signature covers what a delivery says
	noEmbargo bool
}

var (
	_ connectors.Completer = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.Poller    = (*Connector)(nil)
	_ connectors.Pager     = (*Connector)(nil)
	_ connectors.Pusher    = (*Connector)(nil)
	_ connectors.JobLister = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL, Signature: "v2"}
	if err := decode(&set); err != nil {
		return nil, err
	}
	plain, err := spec.New(s, set.Settings)
	if err != nil {
		return nil, err
	}
	c := &Connector{Connector: plain, now: env.Now, signed: set.Signature == "v2", noEmbargo: set.NoEmbargo}
	switch {
	case set.APIKey == "":
		return nil, ats.Errorf(ats.Invalid, "api_key: required; Teamtailor's webhooks hold no person")
	case set.Since == "":
		return nil, ats.Errorf(ats.Invalid, "since: required; write the day of connection, because any edit brings old rejections again")
	case set.Signature == "v1":
		err = c.Use(verify.HMAC{Place: verify.Place{Header: "TT-Signature"}, Encoding: verify.Words{"base64hex"}, Messages: id})
	case !c.signed:
		err = ats.Errorf(ats.Invalid, "signature: %q is not one of v1, v2", set.Signature)
	}
	if err != nil {
		return nil, err
	}
	c.api, err = api.New(env, api.Options{
		Base: set.APIURL, Auth: api.Header("Authorization", "Token token=", set.APIKey),
		Header: http.Header{"X-Api-Version": {version}, "Accept": {mediaType}, "Content-Type": {mediaType}}, Rate: perSecond, Burst: burst,
	})
	return c, err
}

const mediaType = "application/vnd.api+json"

// id is all that version 1 of the signature covers.
func id(p connectors.Payload) [][]byte {
	type event struct{ Data struct{ ID json.RawMessage } }
	var body struct {
		Payload *event
		event
	}
	if json.Unmarshal(p.Body, &body) != nil {
		return nil
	}
	e := body.event
	if body.Payload != nil {
		e = *body.Payload
	}
	text := strings.Trim(string(e.Data.ID), `"`)
	if !plainID.MatchString(text) {
		return nil
	}
	return [][]byte{[]byte(text)}
}

// plainID is what an id of Teamtailor looks like.
var plainID = regexp.MustCompile(`^[0-9]{1,18}$`)

type object = map[string]any

// A resource is one of the API's, with those that were included.
type resource struct {
	Data     json.RawMessage
	Included []json.RawMessage
}

// Complete implements connectors.Completer. Of e only the id counts, and the day
// before which nobody may be told; the rest is what Teamtailor says now.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State == ats.Erased {
		return c.erased(ctx, *e)
	}
	answers, err := c.application(ctx, e.Application)
	if ats.FaultOf(err) == ats.NotFound {
		return fmt.Errorf("%w: it was deleted, or the delivery was forged", err)
	}
	if err != nil {
		return err
	}
	answers["signed"], answers["no_embargo"] = c.signed, c.noEmbargo
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

// erased makes sure that what should be gone is gone.
func (c *Connector) erased(ctx context.Context, e ats.Event) error {
	path, id := "/job-applications/", e.Application
	if e.Person() {
		path, id = "/candidates/", e.Candidate.ID
	}
	var answer resource
	switch err := c.get(ctx, path, id, nil, &answer); {
	case ats.FaultOf(err) == ats.NotFound:
		return nil
	case err != nil:
		return err
	}
	return ats.Errorf(ats.Invalid, "a deletion was announced, but Teamtailor still has it; replay this when it is gone")
}

func (c *Connector) get(ctx context.Context, path, id string, query url.Values, out any) error {
	if !plainID.MatchString(id) {
		return ats.Errorf(ats.Invalid, "the id is not one of Teamtailor's")
	}
	return c.api.Get(ctx, path+id, query, out)
}

// application reads an application with what belongs to it, by the names that
// the fetched rules have for them.
func (c *Connector) application(ctx context.Context, id string) (object, error) {
	var answer resource
	if err := c.get(ctx, "/job-applications/", id, url.Values{"include": {everything}}, &answer); err != nil {
		return nil, err
	}
	type link struct{ Type, ID string }
	var data struct {
		link
		Attributes    object
		Relationships map[string]struct{ Data *link }
	}
	if json.Unmarshal(answer.Data, &data) != nil || data.ID != id || data.Attributes == nil {
		return nil, ats.Errorf(ats.Invalid, "Teamtailor's answer is not the application that was asked for")
	}
	answers := object{"application": answer.Data}
	for _, included := range answer.Included {
		var one link
		if json.Unmarshal(included, &one) != nil {
			continue
		}
		for relation, name := range map[string]string{"candidate": "candidate", "job": "job", "stage": "stage", "reject-reason": "reason"} {
			if at := data.Relationships[relation].Data; at != nil && *at == one {
				answers[name] = included
			}
		}
	}
	return answers, nil
}

// Poll implements connectors.Poller. It finds the rejections that no webhook
// told; for how long the candidates may not know of them, nobody said.
func (c *Connector) Poll(ctx context.Context, cursor string) ([]connectors.Payload, string, error) {
	return api.Swept(ctx, cursor, c.now(), overlap, c.page)
}

// page reads one page of what was changed. Its name is its number and how many
// records there were: when they become fewer, others moved to the page before,
// which is read once more.
func (c *Connector) page(ctx context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
	number, records := 1, 0
	if s.Page != "" {
		if _, err := fmt.Sscanf(s.Page, "%d/%d", &number, &records); err != nil || number < 1 {
			return nil, "", ats.Errorf(ats.Invalid, "the cursor names no page")
		}
	}
	var answer struct {
		Data []struct {
			ID         string
			Attributes struct {
				UpdatedAt  string `json:"updated-at"`
				RejectedAt string `json:"rejected-at"`
			}
		}
		Meta struct {
			RecordCount int `json:"record-count"`
		}
		Links struct{ Next string }
	}
	err := c.api.Get(ctx, "/job-applications", url.Values{
		"filter[updated-at][from]": {s.Since.UTC().Format(time.RFC3339)},
		"page[size]":               {strconv.Itoa(perPage)}, "page[number]": {strconv.Itoa(number)},
	}, &answer)
	if err != nil {
		return nil, "", err
	}
	if answer.Data == nil {
		return nil, "", ats.Errorf(ats.Invalid, "Teamtailor's answer is not a list of applications")
	}
	var news []connectors.Payload
	for _, a := range answer.Data {
		updated, err := time.Parse(time.RFC3339, a.Attributes.UpdatedAt)
		if a.Attributes.RejectedAt == "" || err == nil && updated.After(s.Started.Add(-leave)) {
			continue
		}
		rejected, _ := time.Parse(time.RFC3339, a.Attributes.RejectedAt) // what cannot be read, Decode shows
		body, err := json.Marshal(object{"event_name": "job_application.update", "data": object{
			"id": a.ID, "type": "job_applications", "attributes": object{"updated_at": a.Attributes.UpdatedAt, "rejected_at": a.Attributes.RejectedAt},
		}})
		if err != nil {
			return news, "", err
		}
		news = append(news, s.Payload(body, rejected, c.now()))
	}
	switch {
	case number > 1 && answer.Meta.RecordCount < records:
		number--
	case answer.Links.Next == "":
		return news, "", nil
	default:
		number++
	}
	return news, fmt.Sprintf("%d/%d", number, answer.Meta.RecordCount), nil
}

// Push implements connectors.Pusher. A candidate whom Teamtailor knows by the
// address is not made a second time.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	if err != nil {
		return "", err
	}
	if !plainID.MatchString(jobID) {
		return "", ats.Errorf(ats.Invalid, "the job's id is not one of Teamtailor's")
	}
	var made struct{ Data struct{ ID string } }
	if err := c.api.Post(ctx, "/candidates", object{"data": object{"type": "candidates", "attributes": object{
		"first-name": p.Given, "last-name": p.Family, "email": p.Email, "sourced": true, "merge": true,
	}}}, &made); err != nil {
		return "", err
	}
	relation := func(kind, id string) object { return object{"data": object{"type": kind, "id": id}} }
	err = c.api.Create(ctx, "/job-applications", object{"data": object{
		"type": "job-applications", "attributes": object{"cover-letter": api.Note, "sourced": true},
		"relationships": object{"candidate": relation("candidates", made.Data.ID), "job": relation("jobs", jobID)},
	}}, &made)
	return made.Data.ID, err
}
