package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Canonical signs method, address, chosen headers and the hash of the body in
// the header Authorization, as iCIMS does. The address is the public one: what
// a proxy makes of it was not signed.
type Canonical struct {
	Name string // first word of Authorization, such as x-icims-v1-hmac-sha256
	Date string // header with the time of sending
	Hash string // header with the SHA-256 of the body without compression
	User string // signs for this user; only Sign needs it
	URL  string // connectors.Env.URL
	// Tolerance is how far Date may be from the time of arrival; default 300 s.
	Tolerance ats.Duration
}

// Validate implements Scheme.
func (c Canonical) Validate([]connectors.Secret) error {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
		return errors.New("the public address of the webhook is not known, and this vendor signs it")
	}
	return nil
}

// Verify implements Scheme.
func (c Canonical) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	text, err := Place{Header: "Authorization"}.get(p)
	if err != nil {
		return 0, err
	}
	signed, code, err := c.parts(text)
	if err != nil {
		return 0, err
	}
	date, err := Place{Header: c.Date}.get(p)
	if err != nil {
		return 0, err
	}
	if err := recent("the header "+c.Date, date, p.Received, c.Tolerance); err != nil {
		return 0, err
	}
	hash, err := bodyHash(p)
	if err != nil {
		return 0, ats.Errorf(ats.Denied, "the body cannot be hashed: %w", err)
	}
	if got, err := (Place{Header: c.Hash}).get(p); err != nil || !equal(got, hash) {
		return 0, ats.Errorf(ats.Denied, "the header %s is not the hash of the body", c.Hash)
	}
	message := c.message(p, signed, date)
	return Find(p, secrets, func(s connectors.Secret) bool {
		return anyEqual([][]byte{code}, [][]byte{sum("sha256", []byte(s.Value), []byte(message))})
	})
}

// parts takes Authorization apart. Without the hash of the body and the date
// among the signed headers neither of them would be protected.
func (c Canonical) parts(text string) (signed []string, code []byte, err error) {
	bad := ats.Errorf(ats.Denied, "the header Authorization is not %s user=…,signedheaders=…,signature=…", c.Name)
	name, rest, _ := strings.Cut(text, " ")
	if name != c.Name {
		return nil, nil, bad
	}
	for part := range strings.SplitSeq(rest, ",") {
		switch k, v, _ := strings.Cut(strings.TrimSpace(part), "="); k {
		case "signedheaders":
			signed = strings.Split(v, ";")
		case "signature":
			if code, err = codecs["hex"].read(v); err != nil {
				return nil, nil, bad
			}
		}
	}
	if len(code) == 0 {
		return nil, nil, bad
	}
	for _, must := range []string{c.Hash, c.Date} {
		if !slices.Contains(signed, strings.ToLower(must)) {
			return nil, nil, ats.Errorf(ats.Denied, "the header %s is not signed", must)
		}
	}
	return signed, code, nil
}

func (c Canonical) message(p connectors.Payload, signed []string, date string) string {
	u, err := url.Parse(c.URL)
	if err != nil { // Validate refuses it
		u = &url.URL{}
	}
	lines := []string{http.MethodPost, u.EscapedPath(), u.RawQuery}
	for _, name := range signed {
		value := p.Header.Get(name)
		if name == "host" {
			value = u.Host
		}
		lines = append(lines, name+":"+value)
	}
	lines = append(lines, "", strings.Join(signed, ";"))
	hash := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return c.Name + "\n" + date + "\n" + hex.EncodeToString(hash[:])
}

// Sign implements Scheme.
func (c Canonical) Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error) {
	hash, err := bodyHash(p)
	if err != nil {
		return p, err
	}
	date := p.Received.UTC().Format("2006-01-02T15:04:05-0700")
	for _, h := range [][2]string{{c.Hash, hash}, {c.Date, date}} {
		if p, err = (Place{Header: h[0]}).set(p, h[1]); err != nil {
			return p, err
		}
	}
	signed := []string{"content-type", "host", strings.ToLower(c.Hash), strings.ToLower(c.Date)}
	slices.Sort(signed)
	code := codecs["hex"].write(sum("sha256", []byte(secret.Value), []byte(c.message(p, signed, date))))
	return Place{Header: "Authorization"}.set(p, c.Name+" user="+c.User+",signedheaders="+strings.Join(signed, ";")+",signature="+code)
}

func bodyHash(p connectors.Payload) (string, error) {
	body, err := p.Content()
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256(body)
	return hex.EncodeToString(hash[:]), nil
}
