// Package verify holds the ways in which vendors sign what they send, each
// with the signing beside the verifying.
package verify

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // an algorithm that a vendor may have chosen
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// A Scheme is one way to sign. Verify returns the number of the secret that
// fits, or an ats.Denied error; it compares in constant time and depends on
// p.Received, never on the clock. Sign returns p as its vendor would send it.
type Scheme interface {
	Verify(p connectors.Payload, secrets []connectors.Secret) (match int, err error)
	Sign(p connectors.Payload, secret connectors.Secret) connectors.Payload
}

// Algorithms are the hash functions by the names that files use.
var Algorithms = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// Encodings are the ways to write a signature down.
var Encodings = map[string]func([]byte) string{"hex": hex.EncodeToString, "base64": base64.StdEncoding.EncodeToString}

// MAC is the HMAC of message under secret, written down.
func MAC(algorithm, encoding string, secret connectors.Secret, message []byte) string {
	mac := hmac.New(Algorithms[algorithm], []byte(secret.Value))
	_, _ = mac.Write(message)
	return Encodings[encoding](mac.Sum(nil))
}

// Equal compares in constant time.
func Equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Find returns the first secret, valid when p arrived, for which fits is true.
func Find(p connectors.Payload, secrets []connectors.Secret, fits func(connectors.Secret) bool) (int, error) {
	valid := 0
	for i, s := range secrets {
		if s.Value == "" || !s.At(p.Received) {
			continue
		}
		valid++
		if fits(s) {
			return i, nil
		}
	}
	if valid == 0 {
		return 0, ats.Errorf(ats.Denied, "no secret of this connection is valid now")
	}
	return 0, ats.Errorf(ats.Denied, "the signature does not fit any secret of this connection")
}

func header(p connectors.Payload, name string) (string, error) {
	values := p.Header.Values(name)
	switch len(values) {
	case 1:
		return values[0], nil
	case 0:
		return "", ats.Errorf(ats.Denied, "the header %s is missing", name)
	}
	return "", ats.Errorf(ats.Denied, "the header %s stands more than once", name)
}

func with(p connectors.Payload, name, value string) connectors.Payload {
	p.Header = p.Header.Clone()
	if p.Header == nil {
		p.Header = http.Header{}
	}
	p.Header.Set(name, value)
	return p
}

// HMAC is a code over the raw body in a header.
type HMAC struct {
	Header    string `yaml:"header"`
	Prefix    string `yaml:"prefix"`
	Algorithm string `yaml:"algorithm"` // default sha256
	Encoding  string `yaml:"encoding"`  // default hex
}

// Verify implements Scheme.
func (h HMAC) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	got, err := header(p, h.Header)
	if err != nil {
		return 0, err
	}
	got, ok := strings.CutPrefix(got, h.Prefix)
	if !ok {
		return 0, ats.Errorf(ats.Denied, "the header %s does not begin with %q", h.Header, h.Prefix)
	}
	return Find(p, secrets, func(s connectors.Secret) bool { return Equal(got, h.sum(s, p.Body)) })
}

// Sign implements Scheme.
func (h HMAC) Sign(p connectors.Payload, secret connectors.Secret) connectors.Payload {
	return with(p, h.Header, h.Prefix+h.sum(secret, p.Body))
}

func (h HMAC) sum(s connectors.Secret, body []byte) string {
	return MAC(or(h.Algorithm, "sha256"), or(h.Encoding, "hex"), s, body)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Timed is a header t=<Unix seconds>,v1=<hex> with a code over t, a dot and the
// raw body. Several v1 may stand while a key changes; capital hex is fine.
type Timed struct {
	Header string `yaml:"header"`
	// Tolerance is how far t may be from the time of arrival; default 300 s.
	Tolerance ats.Duration `yaml:"tolerance"`
}

const defaultTolerance = 300 * time.Second

// Verify implements Scheme.
func (m Timed) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	value, err := header(p, m.Header)
	if err != nil {
		return 0, err
	}
	var t string
	var codes []string
	for part := range strings.SplitSeq(value, ",") {
		switch k, v, _ := strings.Cut(strings.TrimSpace(part), "="); k {
		case "t":
			t = v
		case "v1":
			codes = append(codes, strings.ToLower(v))
		}
	}
	if t == "" || len(codes) == 0 || len(codes) > 10 {
		return 0, ats.Errorf(ats.Denied, "the header %s is not t=…,v1=…", m.Header)
	}
	if err := m.recent(t, p.Received); err != nil {
		return 0, err
	}
	return Find(p, secrets, func(s connectors.Secret) bool {
		want, fits := timedSum(s, t, p.Body), false
		for _, c := range codes {
			fits = Equal(c, want) || fits
		}
		return fits
	})
}

func (m Timed) recent(t string, received time.Time) error {
	return recent(m.Header, t, received, m.Tolerance)
}

func recent(name, t string, received time.Time, tolerance ats.Duration) error {
	seconds, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return ats.Errorf(ats.Denied, "the time in %s is not a number of seconds", name)
	}
	limit := tolerance.Std()
	if limit == 0 {
		limit = defaultTolerance
	}
	if age := received.Sub(time.Unix(seconds, 0)); age.Abs() > limit {
		return ats.Errorf(ats.Denied, "the time in %s is %s away from ours; %s are allowed: check the sender's clock", name, age.Abs().Round(time.Second), limit)
	}
	return nil
}

// Sign implements Scheme.
func (m Timed) Sign(p connectors.Payload, secret connectors.Secret) connectors.Payload {
	t := strconv.FormatInt(p.Received.Unix(), 10)
	return with(p, m.Header, "t="+t+",v1="+timedSum(secret, t, p.Body))
}

func timedSum(s connectors.Secret, t string, body []byte) string {
	return MAC("sha256", "hex", s, append([]byte(t+"."), body...))
}

// Token is the secret itself in a header.
type Token struct {
	Header string `yaml:"header"`
	Prefix string `yaml:"prefix"`
}

// Verify implements Scheme.
func (k Token) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	got, err := header(p, k.Header)
	if err != nil {
		return 0, err
	}
	return Find(p, secrets, func(s connectors.Secret) bool { return Equal(got, k.Prefix+s.Value) })
}

// Sign implements Scheme.
func (k Token) Sign(p connectors.Payload, secret connectors.Secret) connectors.Payload {
	return with(p, k.Header, k.Prefix+secret.Value)
}

// Basic is HTTP basic authentication; the secret is user:password.
type Basic struct{}

// Verify implements Scheme.
func (Basic) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	got, err := header(p, "Authorization")
	if err != nil {
		return 0, err
	}
	return Find(p, secrets, func(s connectors.Secret) bool { return Equal(got, basic(s)) })
}

// Sign implements Scheme.
func (Basic) Sign(p connectors.Payload, secret connectors.Secret) connectors.Payload {
	return with(p, "Authorization", basic(secret))
}

func basic(s connectors.Secret) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(s.Value))
}

// Standard is the scheme of standardwebhooks.com: a code over id, time and body
// in three headers. The secret is whsec_ and base64, or plain text.
type Standard struct {
	Tolerance ats.Duration `yaml:"tolerance"`
}

// Verify implements Scheme.
func (v Standard) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	var values [3]string
	for i, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		var err error
		if values[i], err = header(p, name); err != nil {
			return 0, err
		}
	}
	if err := recent("Webhook-Timestamp", values[1], p.Received, v.Tolerance); err != nil {
		return 0, err
	}
	return Find(p, secrets, func(s connectors.Secret) bool {
		want, fits := standardSum(s, values[0], values[1], p.Body), false
		for code := range strings.FieldsSeq(values[2]) {
			fits = Equal(code, "v1,"+want) || fits
		}
		return fits
	})
}

// Sign implements Scheme.
func (Standard) Sign(p connectors.Payload, secret connectors.Secret) connectors.Payload {
	sum := sha256.Sum256(p.Body)
	id, t := "msg_"+hex.EncodeToString(sum[:12]), strconv.FormatInt(p.Received.Unix(), 10)
	p = with(with(p, "Webhook-Id", id), "Webhook-Timestamp", t)
	return with(p, "Webhook-Signature", "v1,"+standardSum(secret, id, t, p.Body))
}

func standardSum(s connectors.Secret, id, t string, body []byte) string {
	if coded, ok := strings.CutPrefix(s.Value, "whsec_"); ok {
		if key, err := base64.StdEncoding.DecodeString(coded); err == nil {
			s.Value = string(key)
		}
	}
	return MAC("sha256", "base64", s, bytes.Join([][]byte{[]byte(id), []byte(t), body}, []byte(".")))
}
