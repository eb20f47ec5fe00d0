package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Timed is a header t=<Unix seconds>,v1=<hex> with a code over t, a dot and the
// raw body. Several v1 may stand while a key changes; capital hex is fine.
type Timed struct {
	Header  string `yaml:"header"`
	Label   string `yaml:"label"`   // of the codes; default v1
	Wrapped string `yaml:"wrapped"` // base64, when the whole header is written so
	// Tolerance is how far t may be from the time of arrival; default 300 s.
	Tolerance ats.Duration `yaml:"tolerance"`
	// Messages returns what may follow the dot; one of them must fit. Nil is
	// the raw body.
	Messages func(connectors.Payload) [][]byte `yaml:"-"`
}

// Validate implements Scheme.
func (m Timed) Validate([]connectors.Secret) error {
	var errs []error
	if m.Header == "" {
		errs = append(errs, errors.New("header: required"))
	}
	if m.Wrapped != "" && m.Wrapped != "base64" {
		errs = append(errs, fmt.Errorf("wrapped: %q is not known; write base64, or leave it away", m.Wrapped))
	}
	return errors.Join(errs...)
}

// Verify implements Scheme.
func (m Timed) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	value, err := Place{Header: m.Header}.get(p)
	if err != nil {
		return 0, err
	}
	t, codes, err := m.parts(value)
	if err != nil {
		return 0, err
	}
	if err := recent("the header "+m.Header, t, p.Received, m.Tolerance); err != nil {
		return 0, err
	}
	bodies := messages(m.Messages, p)
	return Find(p, secrets, func(s connectors.Secret) bool {
		var sums [][]byte
		for _, b := range bodies {
			sums = append(sums, m.sum(s, t, b))
		}
		return anyEqual(codes, sums)
	})
}

// parts takes the header apart. Parts with other labels are of other versions
// of the scheme and do not count.
func (m Timed) parts(value string) (t string, codes [][]byte, err error) {
	if m.Wrapped != "" {
		text, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return "", nil, ats.Errorf(ats.Denied, "the header %s is not base64", m.Header)
		}
		value = string(text)
	}
	bad := ats.Errorf(ats.Denied, "the header %s is not t=…,%s=…", m.Header, m.label())
	for part := range strings.SplitSeq(value, ",") {
		switch k, v, _ := strings.Cut(strings.TrimSpace(part), "="); k {
		case "t":
			if t != "" {
				return "", nil, bad
			}
			t = v
		case m.label():
			if code, err := codecs["hex"].read(v); err == nil {
				codes = append(codes, code)
			}
		}
	}
	if t == "" || len(codes) == 0 || len(codes) > maxCodes {
		return "", nil, bad
	}
	return t, codes, nil
}

// Sign implements Scheme.
func (m Timed) Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error) {
	bodies := messages(m.Messages, p)
	if len(bodies) == 0 {
		return p, ats.Errorf(ats.Invalid, "what should be signed cannot be made from this payload")
	}
	t := strconv.FormatInt(p.Received.Unix(), 10)
	value := "t=" + t + "," + m.label() + "=" + codecs["hex"].write(m.sum(secret, t, bodies[0]))
	if m.Wrapped != "" {
		value = base64.StdEncoding.EncodeToString([]byte(value))
	}
	return Place{Header: m.Header}.set(p, value)
}

func (m Timed) label() string { return or(m.Label, "v1") }

func (m Timed) sum(s connectors.Secret, t string, body []byte) []byte {
	return sum("sha256", []byte(s.Value), append([]byte(t+"."), body...))
}
