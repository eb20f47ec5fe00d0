package spec

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/connectors/verify"
	"github.com/career-relay/connector/mapping"
)

// Settings is what a company configures for a connection. A vendor that needs
// more embeds it in its own settings, inline.
type Settings struct {
	Vendor  string              `yaml:"vendor"`
	Secrets []connectors.Secret `yaml:"secrets"`
	// Tolerance replaces how far the vendor's time of sending may be from ours.
	Tolerance ats.Duration `yaml:"tolerance"`
	// Account is the only one of the vendor's accounts that the connection hears
	// of, and Since the day from which decisions are news and not history.
	Account string `yaml:"account"`
	Since   string `yaml:"since"`
	// The customer's own rules, tried before the vendor's, and fields in place
	// of the vendor's. Where the file has fetched rules, they belong to those.
	Events []mapping.Rule    `yaml:"events"`
	Map    map[string]string `yaml:"map"`
	// Outcomes says what the company's own stages, statuses or reasons mean:
	// rejected, withdrawn, hired, position_closed, ongoing or ignored.
	Outcomes map[string]string `yaml:"outcomes"`
	// What the company knows of its exported files.
	Table table.Preset `yaml:"table"`
}

// A Connector does what a file says. Vendors that need code embed it. It may be
// used concurrently.
type Connector struct {
	program
	spec    Spec
	secrets []connectors.Secret
	scope   scope
	rows    *rows     // nil where no files are imported
	says    *meanings // nil without outcomes of the company's own
}

var (
	_ connectors.Receiver     = (*Connector)(nil)
	_ connectors.Matcher      = (*Connector)(nil)
	_ connectors.Signer       = (*Connector)(nil)
	_ connectors.Handshaker   = (*Connector)(nil)
	_ connectors.Replier      = (*Connector)(nil)
	_ connectors.Identifier   = (*Connector)(nil)
	_ connectors.Pinger       = (*Connector)(nil)
	_ connectors.Ringer       = (*Connector)(nil)
	_ connectors.Acknowledger = (*Connector)(nil)
	_ connectors.Hinter       = (*Connector)(nil)
)

// New makes the connector of one connection. Its error lists every problem.
func New(s Spec, set Settings) (*Connector, error) {
	p, err := s.compile()
	if err != nil {
		return nil, err
	}
	c := &Connector{program: *p, spec: s, secrets: set.Secrets}
	errs := []error{c.validateSecrets()}
	c.scope, err = s.scopeOf(set)
	errs = append(errs, err)
	c.rows, err = s.rowsOf(set.Table)
	errs = append(errs, err)
	c.says, err = c.meaningsOf(set.Outcomes)
	errs = append(errs, err)
	c.scheme, err = tolerant(c.scheme, set.Tolerance)
	if err == nil && c.scheme != nil {
		err = c.scheme.Validate(set.Secrets)
	}
	errs = append(errs, err)
	own := mapping.Spec{Map: set.Map, Events: set.Events}
	if c.says != nil {
		own.Events = slices.Concat(own.Events, saidRules)
	}
	if len(own.Map)+len(own.Events) > 0 {
		errs = append(errs, c.adopt(own))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

// Reader makes a connector without a connection, for trying a file: it decodes,
// and nothing that it is given can be verified.
func Reader(s Spec) (*Connector, error) {
	p, err := s.compile()
	if err != nil {
		return nil, err
	}
	c := &Connector{program: *p, spec: s}
	c.rows, err = s.rowsOf(table.Preset{})
	return c, err
}

// adopt puts a customer's own rules before the vendor's.
func (c *Connector) adopt(own mapping.Spec) (err error) {
	if c.spec.fetches() {
		c.fetched, err = mapping.Compile(c.spec.Fetched.With(own))
		return err
	}
	c.mapper, err = mapping.Compile(c.spec.rules().With(own))
	return err
}

func (c *Connector) validateSecrets() error {
	if len(c.spec.schemes()) == 0 {
		if len(c.secrets) > 0 {
			return fmt.Errorf("secrets: %s signs nothing", c.spec.Vendor)
		}
		return nil
	}
	if len(c.secrets) == 0 {
		return fmt.Errorf("secrets: required; write [env:NAME] with the secret that %s signs with", c.spec.Vendor)
	}
	var errs []error
	for i, s := range c.secrets {
		if s.Value == "" {
			errs = append(errs, fmt.Errorf("secrets[%d]: empty", i))
		}
		if s.For != "" && c.spec.SecretFor == "" {
			errs = append(errs, fmt.Errorf("secrets[%d].for: %s has no secrets for single kinds of delivery", i, c.spec.Vendor))
		}
	}
	return errors.Join(errs...)
}

// Open opens a connection to a vendor that its file describes completely. A
// vendor's own package has a function of the same form.
func Open(s Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	var set Settings
	if err := decode(&set); err != nil {
		return nil, err
	}
	c, err := New(s, set)
	if err == nil && s.Table != nil {
		return &Tabular{Connector: c, now: env.Now}, nil
	}
	return c, err
}

// Factory is Open for one file.
func Factory(s Spec) connectors.Factory {
	return func(env connectors.Env, decode func(any) error) (connectors.Connector, error) {
		return Open(s, env, decode)
	}
}

// Match implements connectors.Matcher.
func (c *Connector) Match(p connectors.Payload) (int, error) {
	switch {
	case c.scheme != nil:
		return c.scheme.Verify(p, c.bound(p))
	case c.spec.Code:
		return 0, ats.Errorf(ats.Denied, "nothing checks the signature of %s", c.spec.Vendor)
	}
	return 0, ats.Errorf(ats.NotFound, "%s takes no webhooks", c.spec.Vendor)
}

// Verify implements connectors.Receiver.
func (c *Connector) Verify(p connectors.Payload) error {
	_, err := c.Match(p)
	return err
}

// Sign implements connectors.Signer with the first secret that fits.
func (c *Connector) Sign(p connectors.Payload) (connectors.Payload, error) {
	if c.scheme != nil {
		for _, s := range c.bound(p) {
			if s.Value != "" {
				return c.scheme.Sign(p, s)
			}
		}
	}
	return p, ats.Errorf(ats.Invalid, "%s has no signature that could be made", c.spec.Vendor)
}

// Use sets how webhooks are signed, for a vendor whose file says code. It is
// called once, before the connector is used.
func (c *Connector) Use(scheme verify.Scheme) error {
	if err := scheme.Validate(c.secrets); err != nil {
		return ats.Errorf(ats.Invalid, "%w", err)
	}
	c.scheme = scheme
	return nil
}

// Decode implements connectors.Connector. A test delivery holds no events.
func (c *Connector) Decode(p connectors.Payload) ([]ats.Event, error) {
	docs, err := c.x.documents(p)
	if err != nil || c.foreign(p) {
		return nil, err
	}
	var events []ats.Event
	for i, doc := range docs {
		c.rows.read(doc, p)
		c.says.say(doc)
		more, err := c.mapper.Map(doc, p.Received)
		switch {
		case err != nil && c.x.each != nil:
			return nil, fmt.Errorf("item %d: %w", i, err)
		case err != nil:
			return nil, shaped(doc["body"], err)
		}
		for i := range more {
			c.scope.date(&more[i], p.History())
		}
		events = append(events, more...)
	}
	return events, nil
}

// Fill replaces e by what the fetched rules make of the vendor's answers. They
// see the answers by the names that the code gives them and, as .hint, what e
// said so far. When a rule ignores them the error is ats.Duplicate: the event
// is left away.
func (c *Connector) Fill(e *ats.Event, answers map[string]any) error {
	if c.fetched == nil {
		return fmt.Errorf("%s has no fetched rules", c.spec.Vendor)
	}
	all := map[string]any{}
	maps.Copy(all, answers)
	all["hint"] = e
	text, err := json.Marshal(all) // whatever the code's types are, jq sees plain JSON
	if err != nil {
		return fmt.Errorf("writing the answers: %w", err)
	}
	doc, err := readJSON(text)
	if err != nil {
		return fmt.Errorf("the answers: %w", err)
	}
	if doc, ok := doc.(map[string]any); ok {
		c.says.say(doc)
	}
	events, err := c.fetched.Map(doc, e.At)
	if err != nil {
		return fmt.Errorf("fetched: %w", err)
	}
	if len(events) == 0 {
		return ats.Errorf(ats.Duplicate, "nothing in the answers concerns us")
	}
	c.scope.date(&events[0], e.History)
	*e = events[0]
	return nil
}

// Key implements connectors.Identifier.
func (c *Connector) Key(p connectors.Payload) string { return c.x.key.of(p) }

// Ping implements connectors.Pinger. What cannot be read is no test delivery: it
// must be seen.
func (c *Connector) Ping(p connectors.Payload) bool {
	if !c.x.ping.set() {
		return false
	}
	doc, err := Document(p)
	return err == nil && c.x.ping.True(doc)
}

// Rings implements connectors.Ringer.
func (c *Connector) Rings(p connectors.Payload) bool { return c.x.rings.is(p) && !c.foreign(p) }

// Handshake implements connectors.Handshaker.
func (c *Connector) Handshake(p connectors.Payload) ([]byte, bool) {
	if !c.x.shakes.is(p) {
		return nil, false
	}
	return []byte(c.x.shakeBody.of(p)), true
}

// Reply implements connectors.Replier.
func (c *Connector) Reply(p connectors.Payload) connectors.Reply {
	r := connectors.Reply{Header: http.Header{}}
	if c.x.shakes.is(p) {
		if name := c.spec.Handshake.Echo; name != "" && echoable(p.Header.Get(name)) {
			r.Header.Set(name, p.Header.Get(name))
		}
		return r
	}
	if c.spec.Answers.Type != "" {
		r.Header.Set("Content-Type", c.spec.Answers.Type)
	}
	r.Body = []byte(c.spec.Answers.Body)
	return r
}

// echoable reports whether a stranger's header may go back: a short word
// without signs that mean something elsewhere.
func echoable(value string) bool {
	return value != "" && len(value) <= 256 && strings.IndexFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// Statuses implements connectors.Acknowledger.
func (c *Connector) Statuses() (ok, denied int) {
	ok, denied = c.spec.Answers.OK, c.spec.Answers.Denied
	if ok == 0 {
		ok = http.StatusOK
	}
	if denied == 0 {
		denied = http.StatusUnauthorized
	}
	return ok, denied
}

// Door is how most of the vendor's payloads arrive.
func (c *Connector) Door() connectors.Door { return cmp.Or(c.spec.Door, connectors.Webhook) }

// Hint implements connectors.Hinter.
func (c *Connector) Hint() bool { return c.spec.Trust == "hint" }
