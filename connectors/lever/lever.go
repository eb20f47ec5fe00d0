// Package lever connects to Lever (LeverTRM).
package lever

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to Lever.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	APIURL        string     `yaml:"api_url"` // default https://api.lever.co/v1
	// Reasons says what an archive reason means, by its text or its id:
	// company, candidate, unknown, closed or ignore.
	Reasons map[string]string `yaml:"reasons"`
	// UserID is in whose name candidates are put into Lever.
	UserID string `yaml:"user_id"`
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	if s.APIKey == "" {
		errs = append(errs, errors.New("api_key: required; Lever's webhooks say only which opportunity changed"))
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Reasons)) {
		if word := s.Reasons[reason]; !slices.Contains(meanings, word) {
			errs = append(errs, fmt.Errorf("reasons.%s: %q is not one of %s", reason, word, strings.Join(meanings, ", ")))
		}
	}
	return errors.Join(errs...)
}

var meanings = []string{"company", "candidate", "unknown", "closed", "ignore"}

const (
	defaultURL = "https://api.lever.co/v1"
	perSecond  = 10
	burst      = 20
	maxPages   = 20  // of one person's opportunities
	perPage    = 100 // the most that Lever gives
)

// A Connector reads in Lever's API what its webhooks only hint at.
type Connector struct {
	*spec.Connector
	api     *api.Client
	reasons map[string]string // by text in lower case, or id
	user    string
	log     *slog.Logger
}

var (
	_ connectors.Completer = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.JobLister = (*Connector)(nil)
	_ connectors.Pusher    = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	c := &Connector{reasons: map[string]string{}, user: set.UserID, log: env.Log}
	for reason, word := range set.Reasons {
		c.reasons[reasonKey(reason)] = word
	}
	errs := []error{set.Validate()}
	var err error
	c.Connector, err = spec.New(s, set.Settings)
	errs = append(errs, err)
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Basic(set.APIKey, ""), Rate: perSecond, Burst: burst})
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

// reasonKey is a reason's text as people may type it.
func reasonKey(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// An opportunity is one candidacy, read as far as the code decides by it; raw is
// all of it.
type opportunity struct {
	raw          map[string]any
	Contact      object
	Archived     *struct{ Reason string }
	Applications []object
}

// An object is one that Lever expands, or only its id.
type object struct {
	ID        string
	Posting   string
	CreatedAt json.Number
	raw       any
}

// UnmarshalJSON reads an id or an object.
func (o *object) UnmarshalJSON(text []byte) error {
	if err := decode(text, &o.raw); err != nil {
		return err
	}
	if id, ok := o.raw.(string); ok {
		o.ID = id
		return nil
	}
	type plain object
	return decode(text, (*plain)(o))
}

// Complete implements connectors.Completer. Of e only the id of the opportunity
// and the signed time count; everything else is what Lever says now.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	o, err := c.opportunity(ctx, e.Application)
	switch {
	case ats.FaultOf(err) == ats.NotFound && e.State == ats.Erased:
		e.Evidence = "Lever no longer has the opportunity"
		return nil
	case ats.FaultOf(err) == ats.NotFound:
		return fmt.Errorf("%w: it was deleted, or it is confidential and the API key may not read it, or the delivery was forged", err)
	case err != nil:
		return err
	case e.State == ats.Erased:
		return ats.Errorf(ats.Invalid, "a deletion was announced, but Lever still has the opportunity; replay this when it is gone")
	}
	answers := map[string]any{"opportunity": o.raw}
	for _, read := range []func(context.Context, opportunity, map[string]any) error{c.posting, c.reason, c.elsewhere} {
		if err := read(ctx, o, answers); err != nil {
			return err
		}
	}
	return c.Fill(e, answers)
}

// State implements connectors.Checker. It is "" for an opportunity that the
// company does not count as any.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	o, err := c.opportunity(ctx, e.Application)
	if err != nil {
		return "", err
	}
	answers := map[string]any{"opportunity": o.raw}
	if err := c.reason(ctx, o, answers); err != nil {
		return "", err
	}
	return spec.State(&e, c.Fill(&e, answers))
}

// plainID is what an id looks like; anything else could lead a call elsewhere.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// get reads the member data of an answer.
func (c *Connector) get(ctx context.Context, kind, id string, query url.Values) (json.RawMessage, error) {
	if !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the id in %s is not one of Lever's", kind)
	}
	var answer struct{ Data json.RawMessage }
	err := c.api.Get(ctx, "/"+kind+"/"+id, query, &answer)
	return answer.Data, err
}

func (c *Connector) opportunity(ctx context.Context, id string) (o opportunity, err error) {
	data, err := c.get(ctx, "opportunities", id, url.Values{"expand": {"applications,stage,contact"}})
	if err != nil {
		return o, err
	}
	if err := errors.Join(decode(data, &o), decode(data, &o.raw)); err != nil || o.raw["id"] != id {
		return o, ats.Errorf(ats.Invalid, "Lever's answer is not the opportunity that was asked for")
	}
	return o, nil
}

// posting reads the job of the opportunity's newest application. A job that
// cannot be read leaves its title out; one that must not be is confidential.
func (c *Connector) posting(ctx context.Context, o opportunity, answers map[string]any) error {
	if len(o.Applications) == 0 {
		return nil
	}
	newest := slices.MaxFunc(o.Applications, func(a, b object) int { return strings.Compare(string(a.CreatedAt), string(b.CreatedAt)) })
	if newest.Posting == "" {
		return nil
	}
	answers["application"] = newest.raw
	data, err := c.get(ctx, "postings", newest.Posting, nil)
	switch fault := ats.FaultOf(err); {
	case fault == ats.Denied:
		answers["posting"] = map[string]any{"confidentiality": "confidential"}
	case err == nil:
		answers["posting"] = data
	case fault != ats.NotFound:
		return err
	}
	return nil
}

// reason reads why the opportunity was archived, and what the company says
// about that.
func (c *Connector) reason(ctx context.Context, o opportunity, answers map[string]any) error {
	if o.Archived == nil || o.Archived.Reason == "" {
		return nil
	}
	data, err := c.get(ctx, "archive_reasons", o.Archived.Reason, nil)
	if err != nil && ats.FaultOf(err) != ats.NotFound {
		return err
	}
	var r struct{ Text string }
	if err == nil {
		if err := decode(data, &r); err != nil {
			return ats.Errorf(ats.Invalid, "Lever's answer is not an archive reason")
		}
		answers["reason"] = data
	}
	for _, key := range []string{o.Archived.Reason, r.Text} {
		if said := c.reasons[reasonKey(key)]; said != "" {
			answers["said"] = said
			break
		}
	}
	return nil
}

// elsewhere asks whether the person is still considered for another job: then
// a thank-you for this one may be wrong, and a person should look.
func (c *Connector) elsewhere(ctx context.Context, o opportunity, answers map[string]any) error {
	if o.Archived == nil || !plainID.MatchString(o.Contact.ID) {
		return nil
	}
	return api.Each(maxPages, func(page string) (string, error) {
		query := url.Values{"contact_id": {o.Contact.ID}, "limit": {strconv.Itoa(perPage)}}
		if page != "" {
			query.Set("offset", page)
		}
		var answer struct {
			Data []struct {
				ID       string
				Archived *struct{}
			}
			HasNext bool
			Next    string
		}
		if err := c.api.Get(ctx, "/opportunities", query, &answer); err != nil {
			return "", err
		}
		for _, other := range answer.Data {
			if other.ID != o.raw["id"] && other.Archived == nil {
				answers["elsewhere"] = true
				return "", nil
			}
		}
		if !answer.HasNext {
			return "", nil
		}
		return answer.Next, nil
	})
}

// decode reads JSON in which numbers keep their digits.
func decode(text []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	return d.Decode(v)
}
