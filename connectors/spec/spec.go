// Package spec runs a connector that is described by a file.
package spec

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/connectors/verify"
	"github.com/career-relay/connector/mapping"
)

// File is the name of a connector's file in its folder.
const File = "connector.yaml"

// A Spec is a connector.yaml.
type Spec struct {
	Vendor string `yaml:"vendor"`
	Docs   string `yaml:"docs"` // where the vendor describes what it sends
	// Door is how payloads arrive: webhook (default), poll or file.
	Door connectors.Door `yaml:"door"`
	// Trust is "hint" when the signature does not cover the content: then only
	// the ids count, and code must complete and check them.
	Trust string `yaml:"trust"`

	// One of these says how webhooks are signed; code means that the vendor's
	// own package says it, with Connector.Use.
	HMAC     *HMAC            `yaml:"hmac"`
	Timed    *Timed           `yaml:"timed"`
	Token    *verify.Token    `yaml:"token"`
	Basic    *verify.Basic    `yaml:"basic"`
	Standard *verify.Standard `yaml:"standard"`
	Code     bool             `yaml:"code"`

	// The rest is jq over {headers, query, body, received}; names of headers
	// are in lower case.
	SecretFor string    `yaml:"secret_for"` // the kind of delivery that a secret may be bound to
	Key       string    `yaml:"key"`        // what is equal for redeliveries
	Ping      string    `yaml:"ping"`       // true for the vendor's test delivery
	Rings     string    `yaml:"rings"`      // true for a delivery that only says that there is news to poll
	Account   string    `yaml:"account"`    // whose data a delivery is about, where one address hears of many
	Handshake Handshake `yaml:"handshake"`
	Answers   Answers   `yaml:"answers"`
	// Each takes a payload apart: every output is one item, which the rules see
	// as .item beside the rest.
	Each string `yaml:"each"`

	// Labels are the labels in a payload, or in the answers of the API, that every
	// company has its own of; outcomes: of a connection says what they mean.
	Labels string `yaml:"labels"`

	// Table says what is known of exported files, for door: file.
	Table *table.Preset `yaml:"table"`

	mapping.Spec `yaml:",inline"`

	// Fetched says the same of the answers of the vendor's API, for code that
	// completes events: see Connector.Fill.
	Fetched mapping.Spec `yaml:"fetched"`

	ready *program // what Load made of it
}

// A program is a Spec that is ready to run, without any customer's own rules.
type program struct {
	scheme  verify.Scheme
	mapper  *mapping.Mapper
	fetched *mapping.Mapper
	x       expressions
}

// compile prepares s. Its error lists every problem with the path of its key.
func (s Spec) compile() (*program, error) {
	if s.ready != nil {
		return s.ready, nil
	}
	p, errs := &program{}, []error{s.validate()}
	var err error
	if p.scheme, err = s.scheme(); err == nil && p.scheme != nil {
		err = prefix(s.schemeName(), p.scheme.Validate(nil))
	}
	errs = append(errs, err)
	p.x, err = s.expressions()
	errs = append(errs, err)
	p.mapper, err = mapping.Compile(s.rules())
	errs = append(errs, err)
	if s.fetches() {
		p.fetched, err = mapping.Compile(s.Fetched)
		errs = append(errs, prefix("fetched", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return p, nil
}

// A Handshake is how a vendor tests our address before it signs anything. What
// it asks for is answered with 200 and has no effect.
type Handshake struct {
	When string `yaml:"when"` // jq: true for the test
	Echo string `yaml:"echo"` // a header that goes back as it came
	Body string `yaml:"body"` // jq: the text that is the answer
}

// Answers are what the vendor wants to be answered.
type Answers struct {
	OK     int    `yaml:"ok"`     // default 200
	Denied int    `yaml:"denied"` // default 401
	Type   string `yaml:"type"`   // content type of Body
	Body   string `yaml:"body"`   // to a delivery that was kept
}

func (s Spec) fetches() bool { return len(s.Fetched.Map)+len(s.Fetched.Events) > 0 }

// validate reports what the keys say that need no program.
func (s Spec) validate() error {
	var errs []error
	if s.Vendor == "" {
		errs = append(errs, errors.New("vendor: required"))
	}
	if s.Trust != "" && s.Trust != "hint" {
		errs = append(errs, fmt.Errorf("trust: %q is not known; write hint, or leave it away", s.Trust))
	}
	switch s.Door {
	case "", connectors.Webhook:
		if n := len(s.schemes()); n != 1 {
			errs = append(errs, fmt.Errorf("want one of hmac, timed, token, basic, standard, code: have %d", n))
		}
	case connectors.Poll, connectors.File:
		if len(s.schemes()) > 0 {
			errs = append(errs, fmt.Errorf("door: %s has no signature", s.Door))
		}
	default:
		errs = append(errs, fmt.Errorf("door: %q is not one of webhook, poll, file", s.Door))
	}
	if h := s.Handshake; h.When == "" && (h.Echo != "" || h.Body != "") {
		errs = append(errs, errors.New("handshake: when is required"))
	}
	for key, code := range map[string]int{"ok": s.Answers.OK, "denied": s.Answers.Denied} {
		if code != 0 && http.StatusText(code) == "" {
			errs = append(errs, fmt.Errorf("answers: %s: %d is no status code", key, code))
		}
	}
	return errors.Join(append(errs, s.validateTable())...)
}
