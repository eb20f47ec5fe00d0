// Package salesforce connects to companies that run their hiring on Salesforce,
// by outbound messages.
package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/internal/fields"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/verify"
)

// Settings is what a company configures for a connection to Salesforce.
type Settings struct {
	spec.Settings  `yaml:",inline"`
	OrganizationID string     `yaml:"organization_id"`
	Object         string     `yaml:"object"`  // API name, such as Application__c
	Fields         fields.Map `yaml:"fields"`  // by their API names
	APIURL         string     `yaml:"api_url"` // https://<my domain>.my.salesforce.com
	APIVersion     string     `yaml:"api_version"`
	ClientID       string     `yaml:"client_id"`
	ClientSecret   ats.Secret `yaml:"client_secret"`
	// RefreshToken is for a connected app without the client credentials flow.
	RefreshToken ats.Secret `yaml:"refresh_token"`
	// ConsentValue is what the field of the consent holds when somebody agreed
	// to be introduced. Without it the usual words for yes count.
	ConsentValue string `yaml:"consent_value"`
}

const (
	defaultVersion = "v62.0"
	updated        = "SystemModstamp" // when a record was changed last
	perSecond      = 10
	burst          = 20
	maxMessages    = 100 // of one delivery, by Salesforce's description
	// shortest is the least length of the secret in the address: little else
	// keeps strangers out.
	shortest = 32
)

var (
	organizationID = regexp.MustCompile(`^00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$`)
	apiName        = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,79}$`)
	apiVersion     = regexp.MustCompile(`^v[0-9]{2,3}\.0$`)
	recordID       = regexp.MustCompile(`^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$`)
)

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	for _, one := range []struct {
		ok   bool
		text string
	}{
		{organizationID.MatchString(s.OrganizationID), "organization_id: required; the organisation's id of 15 or 18 characters, which begins with 00D"},
		{apiName.MatchString(s.Object), "object: required; the API name of the object, such as Application__c"},
		{apiVersion.MatchString(s.APIVersion), "api_version: write one like " + defaultVersion},
		{s.APIURL != "", "api_url: required; write https://<my domain>.my.salesforce.com"},
		{s.ClientID != "", "client_id: required; messages are not signed, so every record is read again"},
		{s.ClientSecret != "", "client_secret: required"},
	} {
		if !one.ok {
			errs = append(errs, errors.New(one.text))
		}
	}
	errs = append(errs, s.Fields.Validate())
	for _, name := range s.Fields.Names() {
		if !apiName.MatchString(name) {
			errs = append(errs, fmt.Errorf("fields: %q is no API name of a field", name))
		}
	}
	for i, secret := range s.Secrets {
		if n := len(secret.Value); n > 0 && n < shortest {
			errs = append(errs, fmt.Errorf("secrets[%d]: has %d characters, want %d random ones", i, n, shortest))
		}
	}
	return errors.Join(errs...)
}

// oauth is how tokens are got.
func (s Settings) oauth() *api.OAuth {
	grant := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.ClientID}, "client_secret": {string(s.ClientSecret)}}
	if s.RefreshToken != "" {
		grant.Set("grant_type", "refresh_token")
		grant.Set("refresh_token", string(s.RefreshToken))
	}
	return &api.OAuth{URL: strings.TrimSuffix(s.APIURL, "/") + "/services/oauth2/token", Grant: grant}
}

// A Connector reads in Salesforce's API what its messages only hint at.
type Connector struct {
	*spec.Connector
	api.Sweeping
	api   *api.Client
	set   Settings
	reads fields.Reader
	now   func() time.Time
}

var (
	_ connectors.Completer = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.Redactor  = (*Connector)(nil)
	_ connectors.Poller    = (*Connector)(nil)
	_ connectors.Pager     = (*Connector)(nil)
	_ connectors.Addresser = (*Connector)(nil)
)

// Address implements connectors.Addresser.
func (*Connector) Address(callback string) string { return callback + "?key=<the secret>" }

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIVersion: defaultVersion, Fields: fields.Map{UpdatedAt: updated}}
	if err := decode(&set); err != nil {
		return nil, err
	}
	c := &Connector{set: set, now: env.Now, reads: fields.Reader{Map: set.Fields, ConsentValue: set.ConsentValue}}
	errs := []error{set.Validate()}
	var err error
	c.reads.Words, err = spec.NewVocabulary("outcomes", set.Outcomes)
	errs = append(errs, err)
	set.Outcomes = nil // they are read here, together with the usual words
	c.Connector, err = spec.New(s, set.Settings)
	errs = append(errs, err)
	if c.Connector != nil {
		errs = append(errs, c.Use(scheme{verify.Token{Place: verify.Place{Query: secretKey}}, set.OrganizationID}))
	}
	if set.APIURL != "" {
		c.api, err = api.New(env, api.Options{Base: set.APIURL, OAuth: set.oauth(), Rate: perSecond, Burst: burst})
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

// secretKey is the parameter of the address that holds the secret.
const secretKey = "key"

// A scheme lets messages in that know the secret and are of the organisation.
type scheme struct {
	verify.Token
	organization string
}

// Verify implements verify.Scheme. A body that says nothing of an organisation
// is no message; decoding says so.
func (s scheme) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	n, err := s.Token.Verify(p, secrets)
	if err == nil && s.foreign(p) {
		return 0, ats.Errorf(ats.Denied, "the message is of another organisation")
	}
	return n, err
}

// Sign implements verify.Scheme.
func (s scheme) Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error) {
	if s.foreign(p) {
		return p, ats.Errorf(ats.Invalid, "the message is of another organisation")
	}
	return s.Token.Sign(p, secret)
}

func (s scheme) foreign(p connectors.Payload) bool {
	m, err := read(p.Body)
	return err == nil && !same(m.Body.Notifications.Organization, s.organization)
}

// same compares ids; the longer form of one has a checksum behind it.
func same(a, b string) bool {
	const short = 15
	return len(a) >= short && len(b) >= short && a[:short] == b[:short]
}

// The namespaces of a message.
const (
	soap     = "http://schemas.xmlsoap.org/soap/envelope/"
	outbound = "http://soap.sforce.com/2005/09/outbound"
	sobject  = "urn:sobject.enterprise.soap.sforce.com"
	instance = "http://www.w3.org/2001/XMLSchema-instance"
)

// A message is as much of a delivery as counts: which records are to be read.
// Names without their namespaces would be anybody's.
type message struct {
	XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
	Body    struct {
		Notifications struct {
			Organization string         `xml:"http://soap.sforce.com/2005/09/outbound OrganizationId"`
			List         []notification `xml:"http://soap.sforce.com/2005/09/outbound Notification"`
		} `xml:"http://soap.sforce.com/2005/09/outbound notifications"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

type notification struct {
	ID     string `xml:"http://soap.sforce.com/2005/09/outbound Id"`
	Object struct {
		Type string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
		ID   string `xml:"urn:sobject.enterprise.soap.sforce.com Id"`
	} `xml:"http://soap.sforce.com/2005/09/outbound sObject"`
}

// read reads a message. A document type is refused before anything in it is
// looked at: with one, a sender defines entities of its own.
func read(body []byte) (message, error) {
	var m message
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if _, typed := token.(xml.Directive); err != nil || typed {
			return m, ats.Errorf(ats.Invalid, "the body is not XML without a document type")
		}
	}
	if xml.Unmarshal(body, &m) != nil || m.Body.Notifications.Organization == "" {
		return m, ats.Errorf(ats.Invalid, "the body is not an outbound message")
	}
	return m, nil
}

// session is where a message holds a session of Salesforce.
var session = regexp.MustCompile(`(<(?:[A-Za-z0-9]+:)?SessionId[^<>]*>)[^<]*`)

// Redact implements connectors.Redactor. Of a message only the ids stay: its
// fields are read again, and a session is nobody's business.
func (c *Connector) Redact(p connectors.Payload) connectors.Payload {
	p.Query = maps.Clone(p.Query)
	delete(p.Query, secretKey)
	m, err := read(p.Body)
	if err != nil {
		p.Body = session.ReplaceAll(p.Body, []byte("$1"))
		return p // somebody must look at it
	}
	p.Body = envelope(m.Body.Notifications.Organization, m.Body.Notifications.List...)
	return p
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
	return b.String()
}

// Decode implements connectors.Connector.
func (c *Connector) Decode(p connectors.Payload) ([]ats.Event, error) {
	events, err := c.Connector.Decode(p)
	if err != nil {
		return nil, err
	}
	m, err := read(p.Body)
	if err != nil {
		return nil, err
	}
	list := m.Body.Notifications.List
	switch {
	case !same(m.Body.Notifications.Organization, c.set.OrganizationID):
		return nil, ats.Errorf(ats.Invalid, "the message is of another organisation")
	case len(list) > maxMessages:
		return nil, ats.Errorf(ats.TooLarge, "the message has more than %d notifications", maxMessages)
	case len(list) != len(events):
		return nil, ats.Errorf(ats.Invalid, "some of the notifications are not in the namespace of outbound messages")
	}
	for i, n := range list {
		_, object, _ := strings.Cut(n.Object.Type, ":")
		switch {
		case object != c.set.Object:
			return nil, ats.Errorf(ats.Invalid, "the message is about another object than %s", c.set.Object)
		case n.Object.ID != events[i].Application || !recordID.MatchString(n.Object.ID):
			return nil, ats.Errorf(ats.Invalid, "the message does not name a record")
		}
	}
	return events, nil
}

// read reads a record.
func (c *Connector) read(ctx context.Context, id string) (map[string]any, error) {
	if !recordID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the id is not one of Salesforce's")
	}
	names := append(c.set.Fields.Names(), "Id")
	var out map[string]any
	err := c.api.Get(ctx, "/services/data/"+c.set.APIVersion+"/sobjects/"+c.set.Object+"/"+id, url.Values{"fields": {strings.Join(names, ",")}}, &out)
	if err != nil {
		return nil, err
	}
	if got, _ := out["Id"].(string); !same(got, id) {
		return nil, ats.Errorf(ats.Invalid, "Salesforce's answer is not the record that was asked for")
	}
	return out, nil
}

// fill puts what a record says into e.
func (c *Connector) fill(e *ats.Event, record map[string]any) error {
	return c.Fill(e, c.reads.Answers(e.Application, func(field string) []string {
		switch v := record[field].(type) {
		case string:
			if field == c.set.Fields.Consent || slices.Contains(c.set.Fields.Outcome, field) {
				return strings.Split(v, ";") // several choices of one list
			}
			return []string{v}
		case bool, json.Number:
			return []string{fmt.Sprint(v)}
		}
		return nil
	}))
}

// Complete implements connectors.Completer. Of e only the id counts.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	record, err := c.read(ctx, e.Application)
	if ats.FaultOf(err) == ats.NotFound {
		return fmt.Errorf("%w: the record was deleted, or the integration user may not see it, or the delivery was forged", err)
	}
	if err != nil {
		return err
	}
	return c.fill(e, record)
}

// State implements connectors.Checker. It is "" for a record that has not ended,
// or is not counted.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	record, err := c.read(ctx, e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.fill(&e, record))
}
