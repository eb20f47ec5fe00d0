package verify

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// HMAC is a code over the raw body, or over a message made from the payload.
type HMAC struct {
	Place     `yaml:",inline"` // of the code
	Prefix    string           `yaml:"prefix"`
	Separator string           `yaml:"separator"` // between several codes; those without the prefix do not count
	Algorithm string           `yaml:"algorithm"` // default sha256
	Encoding  Words            `yaml:"encoding"`  // default hex; several are tried, the first signs
	Key       string           `yaml:"key"`       // how the secret is written: text (default), hex, base64
	// Time is where the vendor's time of sending stands, which then must be
	// within Tolerance (default 300 s) of the time of arrival. It protects only
	// when it is part of the message.
	Time      Place        `yaml:"time"`
	Tolerance ats.Duration `yaml:"tolerance"`
	// Messages returns what may have been signed; one of them must fit. Nil is
	// the raw body.
	Messages func(connectors.Payload) [][]byte `yaml:"-"`
}

// maxCodes bounds the codes and messages that are tried for one payload.
const maxCodes = 10

// A codec writes a code down and reads it again.
type codec struct {
	write func([]byte) string
	read  func(string) ([]byte, error)
}

// codecs are the ways to write a code down, by the names that files use.
// Capital hex is fine; whether base64 is padded says nothing.
var codecs = map[string]codec{
	"hex": {hex.EncodeToString, hex.DecodeString},
	"base64": {base64.StdEncoding.EncodeToString, func(s string) ([]byte, error) {
		return base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
	}},
	"base64url": {base64.RawURLEncoding.EncodeToString, func(s string) ([]byte, error) {
		return base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
	}},
	"base64hex": { // base64 of the hex text
		func(b []byte) string { return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(b))) },
		func(s string) ([]byte, error) {
			text, err := base64.StdEncoding.Strict().DecodeString(s)
			if err != nil {
				return nil, err
			}
			return hex.DecodeString(string(text))
		},
	},
}

// keys are the ways to write a secret down.
var keys = map[string]func(string) ([]byte, error){
	"text":   func(s string) ([]byte, error) { return []byte(s), nil },
	"hex":    hex.DecodeString,
	"base64": base64.StdEncoding.DecodeString,
}

// Validate implements Scheme.
func (h HMAC) Validate(secrets []connectors.Secret) error {
	errs := []error{h.validate(), known("algorithm", h.Algorithm, algorithms), known("key", h.Key, keys)}
	for _, e := range h.Encoding {
		errs = append(errs, known("encoding", e, codecs))
	}
	if !h.Time.IsZero() {
		if err := h.Time.validate(); err != nil {
			errs = append(errs, fmt.Errorf("time: %w", err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, s := range secrets {
		if _, err := h.key(s); err != nil {
			errs = append(errs, fmt.Errorf("secrets[%d]: not written in %s", i, h.Key))
		}
	}
	return errors.Join(errs...)
}

// Verify implements Scheme.
func (h HMAC) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	text, err := h.get(p)
	if err != nil {
		return 0, err
	}
	codes, err := h.codes(text)
	if err != nil {
		return 0, err
	}
	if !h.Time.IsZero() {
		sent, err := h.Time.get(p)
		if err != nil {
			return 0, err
		}
		if err := recent(h.Time.String(), sent, p.Received, h.Tolerance); err != nil {
			return 0, err
		}
	}
	messages := messages(h.Messages, p)
	if len(messages) == 0 {
		return 0, ats.Errorf(ats.Denied, "what should be signed cannot be made from this payload")
	}
	return Find(p, secrets, func(s connectors.Secret) bool { return anyEqual(codes, h.sums(s, messages)) })
}

// Sign implements Scheme.
func (h HMAC) Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error) {
	if !h.Time.IsZero() {
		sent, _ := h.Time.get(p) // its form, when it is there already
		_, form, _ := parseTime(sent)
		var err error
		if p, err = h.Time.set(p, formatTime(p.Received, form)); err != nil {
			return p, err
		}
	}
	messages := messages(h.Messages, p)
	if len(messages) == 0 {
		return p, ats.Errorf(ats.Invalid, "what should be signed cannot be made from this payload")
	}
	sums := h.sums(secret, messages[:1])
	if len(sums) == 0 {
		return p, ats.Errorf(ats.Invalid, "the secret is not written in %s", h.Key)
	}
	return h.set(p, h.Prefix+codecs[h.encodings()[0]].write(sums[0]))
}

// codes reads the codes that a payload carries.
func (h HMAC) codes(text string) ([][]byte, error) {
	parts := []string{text}
	if h.Separator != "" {
		parts = strings.Split(text, h.Separator)
	}
	var codes [][]byte
	prefixed := false
	for _, part := range parts[:min(len(parts), maxCodes)] {
		part, ok := strings.CutPrefix(strings.TrimSpace(part), h.Prefix)
		if !ok {
			continue
		}
		prefixed = true
		for _, e := range h.encodings() {
			if code, err := codecs[e].read(part); err == nil {
				codes = append(codes, code)
			}
		}
	}
	switch {
	case !prefixed:
		return nil, ats.Errorf(ats.Denied, "%s does not begin with %q", h.Place, h.Prefix)
	case len(codes) == 0:
		return nil, ats.Errorf(ats.Denied, "%s is not written in %s", h.Place, strings.Join(h.encodings(), " or "))
	}
	return codes, nil
}

func (h HMAC) encodings() Words {
	if len(h.Encoding) == 0 {
		return Words{"hex"}
	}
	return h.Encoding
}

func (h HMAC) key(s connectors.Secret) ([]byte, error) { return keys[or(h.Key, "text")](s.Value) }

func (h HMAC) sums(s connectors.Secret, messages [][]byte) [][]byte {
	key, err := h.key(s)
	if err != nil || len(key) == 0 {
		return nil
	}
	var sums [][]byte
	for _, m := range messages {
		sums = append(sums, sum(or(h.Algorithm, "sha256"), key, m))
	}
	return sums
}

func messages(from func(connectors.Payload) [][]byte, p connectors.Payload) [][]byte {
	if from == nil {
		return [][]byte{p.Body}
	}
	all := from(p)
	return all[:min(len(all), maxCodes)]
}
