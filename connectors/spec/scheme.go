package spec

import (
	"errors"
	"slices"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/verify"
)

// An HMAC is a verify.HMAC whose signed message a file can give.
type HMAC struct {
	verify.HMAC `yaml:",inline"`
	// Message is jq for what is signed; default the raw body. It sees raw (the
	// body as text), compact (the JSON without blanks) and members (the parts
	// of a JSON object, each as it is written) beside headers, query and body.
	// Several outputs are alternatives, the first of which signs.
	Message string `yaml:"message"`
}

// A Timed is a verify.Timed whose signed message a file can give.
type Timed struct {
	verify.Timed `yaml:",inline"`
	Message      string `yaml:"message"` // as in HMAC, without the time and the dot
}

// maxMessages bounds the alternatives of a message.
const maxMessages = 4

// schemes lists the schemes that the file names.
func (s Spec) schemes() []string {
	var names []string
	for _, one := range []struct {
		name string
		set  bool
	}{
		{"hmac", s.HMAC != nil},
		{"timed", s.Timed != nil},
		{"token", s.Token != nil},
		{"basic", s.Basic != nil},
		{"standard", s.Standard != nil},
		{"code", s.Code},
	} {
		if one.set {
			names = append(names, one.name)
		}
	}
	return names
}

func (s Spec) schemeName() string {
	if names := s.schemes(); len(names) > 0 {
		return names[0]
	}
	return ""
}

// scheme returns how webhooks are signed; nil when code does it, or nobody.
func (s Spec) scheme() (verify.Scheme, error) {
	switch {
	case s.HMAC != nil:
		h := s.HMAC.HMAC
		var err error
		if h.Messages, err = messages("hmac", s.HMAC.Message); err != nil {
			return nil, err
		}
		return h, nil
	case s.Timed != nil:
		m := s.Timed.Timed
		var err error
		if m.Messages, err = messages("timed", s.Timed.Message); err != nil {
			return nil, err
		}
		return m, nil
	case s.Token != nil:
		return *s.Token, nil
	case s.Basic != nil:
		return *s.Basic, nil
	case s.Standard != nil:
		return *s.Standard, nil
	}
	return nil, nil
}

// Covers reports whether the signature protects the content.
func (s Spec) Covers() bool {
	return s.Trust != "hint" && s.Token == nil && s.Basic == nil
}

// tolerant returns scheme with a customer's own tolerance.
func tolerant(scheme verify.Scheme, tolerance ats.Duration) (verify.Scheme, error) {
	if tolerance == 0 {
		return scheme, nil
	}
	switch scheme := scheme.(type) {
	case verify.HMAC:
		if !scheme.Time.IsZero() {
			scheme.Tolerance = tolerance
			return scheme, nil
		}
	case verify.Timed:
		scheme.Tolerance = tolerance
		return scheme, nil
	case verify.Standard:
		scheme.Tolerance = tolerance
		return scheme, nil
	}
	return nil, errors.New("tolerance: this vendor signs no time")
}

// messages prepares what is signed; nil is the raw body.
func messages(scheme, text string) (func(connectors.Payload) [][]byte, error) {
	x, err := parse(scheme+".message", text)
	if err != nil || x == nil {
		return nil, err
	}
	return func(p connectors.Payload) [][]byte {
		values, err := x.Values(view(p, text), maxMessages)
		if err != nil {
			return nil
		}
		var out [][]byte
		for _, v := range values {
			if s, ok := v.(string); ok {
				out = append(out, []byte(s))
			}
		}
		return out
	}, nil
}

// bound returns the secrets with those emptied that belong to another kind of
// delivery.
func (c *Connector) bound(p connectors.Payload) []connectors.Secret {
	if !c.x.secretFor.set() {
		return c.secrets
	}
	kind, out := c.x.secretFor.of(p), slices.Clone(c.secrets)
	for i := range out {
		if out[i].For != "" && out[i].For != kind {
			out[i].Value = ""
		}
	}
	return out
}
