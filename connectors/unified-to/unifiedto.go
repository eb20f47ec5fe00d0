// Package unifiedto connects to Unified.to, through which many ATSs can be
// reached.
package unifiedto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/verify"
)

// Settings is what a company configures for a connection to Unified.to. Account
// is the id of Unified.to's connection to the ATS.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	APIURL        string     `yaml:"api_url"` // default https://api.unified.to
	// URLToken is what the webhook's address must carry as ?k=, because all
	// customers of a workspace share the secret.
	URLToken ats.Secret `yaml:"url_token"`
	// SHA256 takes the signature sig256 in place of sig.
	SHA256 bool `yaml:"sha256"`
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	for _, q := range []struct{ key, value, why string }{
		{"api_key", string(s.APIKey), "Unified.to's webhooks hold no person"},
		{"account", s.Account, "write the id of the connection in Unified.to"},
		{"since", s.Since, "write the day of connection, because any edit brings old rejections again"},
		{"url_token", string(s.URLToken), "write any long random text, and put it behind the webhook's address as ?k=…"},
	} {
		if q.value == "" {
			errs = append(errs, fmt.Errorf("%s: required; %s", q.key, q.why))
		}
	}
	return errors.Join(errs...)
}

const defaultURL = "https://api.unified.to"

// A Connector reads the applications of one connection to an ATS.
type Connector struct {
	*spec.Connector
	api     *api.Client
	account string
	token   string
	now     func() time.Time
}

var (
	_ connectors.Completer  = (*Connector)(nil)
	_ connectors.Checker    = (*Connector)(nil)
	_ connectors.Subscriber = (*Connector)(nil)
	_ connectors.Pusher     = (*Connector)(nil)
	_ connectors.JobLister  = (*Connector)(nil)
	_ connectors.Addresser  = (*Connector)(nil)
)

// Address implements connectors.Addresser.
func (*Connector) Address(callback string) string { return callback + "?k=<url_token>" }

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	c := &Connector{account: set.Account, token: string(set.URLToken), now: env.Now}
	errs := []error{set.Validate()}
	var err error
	if c.Connector, err = spec.New(s, set.Settings); err == nil {
		err = c.Use(scheme{signature(set.SHA256), verify.Token{Place: verify.Place{Query: "k"}}, connectors.Secret{Value: c.token}})
	}
	errs = append(errs, err)
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Bearer(set.APIKey)})
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

// signature is a member of the body with a code over two others, as they are
// written.
func signature(sha256 bool) verify.HMAC {
	h := verify.HMAC{Place: verify.Place{Body: "sig"}, Algorithm: "sha1", Encoding: verify.Words{"base64", "hex"}, Messages: signed}
	if sha256 {
		h.Body, h.Algorithm = "sig256", "sha256"
	}
	return h
}

func signed(p connectors.Payload) [][]byte {
	var body struct {
		Data  json.RawMessage
		Nonce string
	}
	if json.Unmarshal(p.Body, &body) != nil || body.Data == nil {
		return nil
	}
	return [][]byte{append(body.Data, body.Nonce...)}
}

// A scheme wants a signature and the token in the address.
type scheme struct {
	verify.Scheme
	address verify.Token
	token   connectors.Secret
}

// Verify implements verify.Scheme.
func (s scheme) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	if _, err := s.address.Verify(p, []connectors.Secret{s.token}); err != nil {
		return 0, err
	}
	return s.Scheme.Verify(p, secrets)
}

// Sign implements verify.Scheme.
func (s scheme) Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error) {
	p, err := s.address.Sign(p, s.token)
	if err != nil {
		return p, err
	}
	return s.Scheme.Sign(p, secret)
}

type object = map[string]any

// Complete implements connectors.Completer. Nothing is read about the past, nor
// about what never leads to a mail.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	if e.State != ats.Rejected || e.History {
		return nil
	}
	item, err := c.get(ctx, "application", e.Application)
	if ats.FaultOf(err) == ats.NotFound {
		return fmt.Errorf("%w: it was deleted, or the delivery was forged", err)
	}
	if err != nil {
		return err
	}
	for member, name := range map[string]string{"candidate_id": "candidate", "job_id": "job"} {
		id, _ := item[member].(string)
		if id == "" {
			continue
		}
		switch one, err := c.get(ctx, name, id); {
		case err == nil:
			item[name] = one
		case ats.FaultOf(err) != ats.NotFound: // without it there is no address, or no title
			return err
		}
	}
	return c.again(e, item)
}

// State implements connectors.Checker.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	item, err := c.get(ctx, "application", e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.again(&e, item))
}

// plainID is what the ids of ATSs look like.
var plainID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:=@+-]{0,127}$`)

// path leads to an object of the connection.
func (c *Connector) path(kind, id string) (string, error) {
	if !plainID.MatchString(id) {
		return "", ats.Errorf(ats.Invalid, "the id in %s cannot be used", kind)
	}
	return "/ats/" + url.PathEscape(c.account) + "/" + kind + "/" + url.PathEscape(id), nil
}

func (c *Connector) get(ctx context.Context, kind, id string) (object, error) {
	path, err := c.path(kind, id)
	if err != nil {
		return nil, err
	}
	var one object
	if err := c.api.Get(ctx, path, nil, &one); err != nil {
		return nil, err
	}
	if one["id"] != id {
		return nil, ats.Errorf(ats.Invalid, "Unified.to's answer is not the %s that was asked for", kind)
	}
	return one, nil
}

// again reads an application as if a webhook had brought it.
func (c *Connector) again(e *ats.Event, item object) error {
	return c.Again(e, object{"data": []object{item}, "webhook": object{"connection_id": c.account, "object_type": "ats_application", "event": "updated"}}, c.now())
}

// A hook is one webhook in Unified.to.
type hook struct {
	ID           string `json:"id,omitempty"`
	HookURL      string `json:"hook_url"`
	ConnectionID string `json:"connection_id"`
	ObjectType   string `json:"object_type"`
	Event        string `json:"event"`
}

// Subscribe implements connectors.Subscriber. The past is not asked for.
func (c *Connector) Subscribe(ctx context.Context, callback string) (connectors.Subscription, error) {
	var have []hook
	if err := c.api.Get(ctx, "/unified/webhook", url.Values{"connection_id": {c.account}}, &have); err != nil {
		return connectors.Subscription{}, err
	}
	var ids []string
	for _, event := range []string{"updated", "deleted"} { // updated is sent for new applications too
		want := hook{HookURL: callback + "?k=" + url.QueryEscape(c.token), ConnectionID: c.account, ObjectType: "ats_application", Event: event}
		made, err := c.subscribe(ctx, have, want)
		if err != nil {
			return connectors.Subscription{ID: strings.Join(ids, ",")}, err
		}
		ids = append(ids, made)
	}
	return connectors.Subscription{ID: strings.Join(ids, ",")}, nil
}

func (c *Connector) subscribe(ctx context.Context, have []hook, want hook) (string, error) {
	for _, h := range have {
		id := h.ID
		if h.ID = ""; h == want {
			return id, nil
		}
	}
	body, err := json.Marshal(want)
	if err != nil {
		return "", err
	}
	var made hook
	_, err = c.api.Do(ctx, http.MethodPost, "/unified/webhook", url.Values{"include_all": {"false"}}, body, &made)
	return made.ID, err
}

// Unsubscribe implements connectors.Subscriber.
func (c *Connector) Unsubscribe(ctx context.Context, id string) error {
	var errs []error
	for one := range strings.SplitSeq(id, ",") {
		if !plainID.MatchString(one) {
			errs = append(errs, ats.Errorf(ats.Invalid, "the id of a webhook cannot be used"))
			continue
		}
		errs = append(errs, c.api.Delete(ctx, "/unified/webhook/"+url.PathEscape(one), nil))
	}
	return errors.Join(errs...)
}

// Push implements connectors.Pusher.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	if err != nil {
		return "", err
	}
	if !plainID.MatchString(jobID) {
		return "", ats.Errorf(ats.Invalid, "the job's id cannot be used")
	}
	person, err := c.create(ctx, "candidate", object{
		"name": p.Name, "first_name": p.Given, "last_name": p.Family, "emails": []object{{"email": p.Email, "type": "HOME"}}, "sources": []string{api.Note},
	})
	if err != nil {
		return "", err
	}
	return c.create(ctx, "application", object{"candidate_id": person, "job_id": jobID, "source": api.Note})
}

func (c *Connector) create(ctx context.Context, kind string, in object) (string, error) {
	var made struct{ ID string }
	if err := c.api.Create(ctx, "/ats/"+url.PathEscape(c.account)+"/"+kind, in, &made); err != nil {
		return "", err
	}
	if made.ID == "" {
		return "", ats.Errorf(ats.Unclear, "Unified.to's answer does not name what it made")
	}
	return made.ID, nil
}
