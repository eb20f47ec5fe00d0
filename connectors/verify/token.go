package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Token is the secret itself at a place. It proves who sent a payload as long
// as nobody else saw one, and it protects no content.
type Token struct {
	Place  `yaml:",inline"`
	Prefix string `yaml:"prefix"`
}

// Validate implements Scheme.
func (k Token) Validate([]connectors.Secret) error { return k.validate() }

// Verify implements Scheme.
func (k Token) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	got, err := k.get(p)
	if err != nil {
		return 0, err
	}
	got, ok := strings.CutPrefix(got, k.Prefix)
	if !ok {
		return 0, ats.Errorf(ats.Denied, "%s does not begin with %q", k.Place, k.Prefix)
	}
	return Find(p, secrets, func(s connectors.Secret) bool { return equal(got, s.Value) })
}

// Sign implements Scheme.
func (k Token) Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error) {
	return k.set(p, k.Prefix+secret.Value)
}

// Basic is HTTP basic authentication; the secret is user:password.
type Basic struct{}

const basicPrefix = "basic "

// Validate implements Scheme.
func (Basic) Validate(secrets []connectors.Secret) error {
	var errs []error
	for i, s := range secrets {
		if user, password, ok := strings.Cut(s.Value, ":"); !ok || user == "" || password == "" {
			errs = append(errs, fmt.Errorf("secrets[%d]: not user:password", i))
		}
	}
	return errors.Join(errs...)
}

// Verify implements Scheme.
func (Basic) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	got, err := Place{Header: "Authorization"}.get(p)
	if err != nil {
		return 0, err
	}
	if len(got) < len(basicPrefix) || !strings.EqualFold(got[:len(basicPrefix)], basicPrefix) {
		return 0, ats.Errorf(ats.Denied, "the header Authorization is not Basic")
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(got[len(basicPrefix):]))
	if err != nil {
		return 0, ats.Errorf(ats.Denied, "the header Authorization is not base64")
	}
	return Find(p, secrets, func(s connectors.Secret) bool { return equal(string(pair), s.Value) })
}

// Sign implements Scheme.
func (Basic) Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error) {
	return Place{Header: "Authorization"}.set(p, "Basic "+base64.StdEncoding.EncodeToString([]byte(secret.Value)))
}
