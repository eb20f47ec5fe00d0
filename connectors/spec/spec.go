// Package spec runs a connector that is described by a file.
package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/verify"
	"github.com/career-relay/connector/mapping"
)

// File is the name of a connector's file in its folder.
const File = "connector.yaml"

// A Spec is a connector.yaml.
type Spec struct {
	Vendor string `yaml:"vendor"`
	Docs   string `yaml:"docs"` // where the vendor describes its webhooks
	// Trust is "hint" when the signature does not cover the content: then only
	// the ids count, and code must complete and check them.
	Trust string `yaml:"trust"`

	// One of these says how deliveries are signed; code means that the vendor's
	// own package does it.
	HMAC     *verify.HMAC     `yaml:"hmac"`
	Timed    *verify.Timed    `yaml:"timed"`
	Token    *verify.Token    `yaml:"token"`
	Basic    *verify.Basic    `yaml:"basic"`
	Standard *verify.Standard `yaml:"standard"`
	Code     bool             `yaml:"code"`

	Key     string  `yaml:"key"`  // jq: what is equal for redeliveries
	Ping    string  `yaml:"ping"` // jq: true for the vendor's test delivery
	Answers Answers `yaml:"answers"`

	mapping.Spec `yaml:",inline"`
}

// Answers are the status codes that the vendor wants.
type Answers struct {
	OK     int `yaml:"ok"`     // default 200
	Denied int `yaml:"denied"` // default 401
}

// Settings is what a company configures for a connection.
type Settings struct {
	Vendor  string              `yaml:"vendor"`
	Secrets []connectors.Secret `yaml:"secrets"`
	// The customer's own rules, tried before the vendor's, and fields in place
	// of the vendor's.
	Events []mapping.Rule    `yaml:"events"`
	Map    map[string]string `yaml:"map"`
}

// Load reads connector.yaml from a folder. Its errors name file and line.
func Load(folder fs.FS) (Spec, error) {
	var s Spec
	text, err := fs.ReadFile(folder, File)
	if err != nil {
		return s, ats.Errorf(ats.NotFound, "reading %s: %w", File, err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		return s, ats.Errorf(ats.Invalid, "%s: %w", File, err)
	}
	if err := s.validate(); err != nil {
		return s, ats.Errorf(ats.Invalid, "%s: %w", File, err)
	}
	return s, nil
}

func (s Spec) validate() error {
	var errs []error
	if s.Vendor == "" {
		errs = append(errs, errors.New("vendor: required"))
	}
	if s.Trust != "" && s.Trust != "hint" {
		errs = append(errs, fmt.Errorf("trust: %q is not known; write hint, or leave it away", s.Trust))
	}
	schemes := 0
	for _, set := range []bool{s.HMAC != nil, s.Timed != nil, s.Token != nil, s.Basic != nil, s.Standard != nil, s.Code} {
		if set {
			schemes++
		}
	}
	if schemes != 1 {
		errs = append(errs, fmt.Errorf("want one of hmac, timed, token, basic, standard, code: have %d", schemes))
	}
	if s.HMAC != nil {
		if s.HMAC.Algorithm != "" && verify.Algorithms[s.HMAC.Algorithm] == nil {
			errs = append(errs, fmt.Errorf("hmac.algorithm: %q is not one of sha1, sha256, sha512", s.HMAC.Algorithm))
		}
		if s.HMAC.Encoding != "" && verify.Encodings[s.HMAC.Encoding] == nil {
			errs = append(errs, fmt.Errorf("hmac.encoding: %q is not one of hex, base64", s.HMAC.Encoding))
		}
	}
	_, err := mapping.Compile(s.Spec)
	return errors.Join(append(errs, err)...)
}

func (s Spec) scheme() verify.Scheme {
	switch {
	case s.HMAC != nil:
		return *s.HMAC
	case s.Timed != nil:
		return *s.Timed
	case s.Token != nil:
		return *s.Token
	case s.Basic != nil:
		return *s.Basic
	case s.Standard != nil:
		return *s.Standard
	}
	return nil
}

// A Connector does what a file says. Vendors that need code embed it.
type Connector struct {
	spec    Spec
	secrets []connectors.Secret
	scheme  verify.Scheme
	mapper  *mapping.Mapper
	key     *mapping.Expression
	ping    *mapping.Expression
}

var (
	_ connectors.Receiver     = (*Connector)(nil)
	_ connectors.Identifier   = (*Connector)(nil)
	_ connectors.Pinger       = (*Connector)(nil)
	_ connectors.Acknowledger = (*Connector)(nil)
	_ connectors.Hinter       = (*Connector)(nil)
	_ connectors.Signer       = (*Connector)(nil)
)

// New makes the connector of one connection.
func New(s Spec, set Settings) (*Connector, error) {
	c := &Connector{spec: s, secrets: set.Secrets, scheme: s.scheme()}
	if len(set.Secrets) == 0 {
		return nil, ats.Errorf(ats.Invalid, "secrets: required; write [env:NAME] with the secret that %s signs with", s.Vendor)
	}
	for i, secret := range set.Secrets {
		if secret.Value == "" {
			return nil, ats.Errorf(ats.Invalid, "secrets[%d]: empty", i)
		}
	}
	var err error
	if c.mapper, err = mapping.Compile(s.With(mapping.Spec{Map: set.Map, Events: set.Events})); err != nil {
		return nil, err
	}
	if c.key, err = mapping.Parse(s.Key); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if c.ping, err = mapping.Parse(s.Ping); err != nil {
		return nil, fmt.Errorf("ping: %w", err)
	}
	return c, nil
}

// Factory opens connectors of a vendor that its file describes completely.
func Factory(s Spec) connectors.Factory {
	return func(_ connectors.Env, decode func(any) error) (connectors.Connector, error) {
		var set Settings
		if err := decode(&set); err != nil {
			return nil, err
		}
		return New(s, set)
	}
}

// Verify implements connectors.Receiver.
func (c *Connector) Verify(p connectors.Payload) error {
	if c.scheme == nil {
		return ats.Errorf(ats.Denied, "%s has no signature of its own", c.spec.Vendor)
	}
	_, err := c.scheme.Verify(p, c.secrets)
	return err
}

// Sign implements connectors.Signer with the first secret.
func (c *Connector) Sign(p connectors.Payload) (connectors.Payload, error) {
	if c.scheme == nil {
		return p, ats.Errorf(ats.Invalid, "%s has no signature of its own", c.spec.Vendor)
	}
	return c.scheme.Sign(p, c.secrets[0]), nil
}

// Secrets returns the connection's secrets, for schemes in code.
func (c *Connector) Secrets() []connectors.Secret { return c.secrets }

// Decode implements connectors.Connector.
func (c *Connector) Decode(p connectors.Payload) ([]ats.Event, error) {
	doc, err := Document(p)
	if err != nil {
		return nil, err
	}
	return c.mapper.Map(doc, p.Received)
}

// Key implements connectors.Identifier.
func (c *Connector) Key(p connectors.Payload) string {
	if c.key == nil {
		return ""
	}
	doc, err := Document(p)
	if err != nil {
		return ""
	}
	s, _ := c.key.Text(doc)
	return s
}

// Ping implements connectors.Pinger.
func (c *Connector) Ping(p connectors.Payload) bool {
	if c.ping == nil {
		return false
	}
	doc, err := Document(p)
	if err != nil {
		return false
	}
	return c.ping.True(doc)
}

// Statuses implements connectors.Acknowledger.
func (c *Connector) Statuses() (ok, denied int) {
	ok, denied = c.spec.Answers.OK, c.spec.Answers.Denied
	if ok == 0 {
		ok = 200
	}
	if denied == 0 {
		denied = 401
	}
	return ok, denied
}

// Hint implements connectors.Hinter.
func (c *Connector) Hint() bool { return c.spec.Trust == "hint" }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
