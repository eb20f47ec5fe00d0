// Package verify holds the ways in which vendors sign what they send, each
// with the signing beside the verifying.
package verify

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // an algorithm that a vendor may have chosen
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// A Scheme is one way to sign.
type Scheme interface {
	// Verify returns the number of the secret that fits, or an ats.Denied
	// error. It compares in constant time and depends on p.Received, never on
	// the clock.
	Verify(p connectors.Payload, secrets []connectors.Secret) (match int, err error)
	// Sign returns p as its vendor would send it at p.Received.
	Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error)
	// Validate reports what is wrong with the scheme's settings, and with
	// secrets that are not written as the scheme needs them.
	Validate(secrets []connectors.Secret) error
}

// algorithms are the hash functions by the names that files use.
var algorithms = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

func sum(algorithm string, key, message []byte) []byte {
	mac := hmac.New(algorithms[algorithm], key)
	_, _ = mac.Write(message)
	return mac.Sum(nil)
}

// Find returns the number of the first secret, valid when p arrived, for which
// fits is true.
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
		return 0, ats.Errorf(ats.Denied, "no secret of this connection is valid for this delivery")
	}
	return 0, ats.Errorf(ats.Denied, "the signature does not fit any secret of this connection")
}

// equal compares in constant time.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// anyEqual compares every code with every sum, whatever the result, so that
// the time taken tells nothing.
func anyEqual(codes, sums [][]byte) bool {
	fits := 0
	for _, c := range codes {
		for _, s := range sums {
			fits |= subtle.ConstantTimeCompare(c, s)
		}
	}
	return fits == 1
}

// defaultTolerance is how far a signed time may be from the time of arrival.
const defaultTolerance = 300 * time.Second

// recent refuses a signed time that is too far from the time of arrival.
func recent(where, text string, received time.Time, tolerance ats.Duration) error {
	t, _, ok := parseTime(text)
	if !ok {
		return ats.Errorf(ats.Denied, "the time in %s is not one: want Unix seconds or milliseconds, or 2026-11-24T09:00:00Z", where)
	}
	limit := tolerance.Std()
	if limit == 0 {
		limit = defaultTolerance
	}
	if age := received.Sub(t); age.Abs() > limit {
		return ats.Errorf(ats.Denied, "the time in %s is %s away from ours; %s are allowed: check the sender's clock", where, age.Abs().Round(time.Second), limit)
	}
	return nil
}

// The ways in which a signed time is written.
const (
	inSeconds = "seconds"
	inMillis  = "milliseconds"
)

// isoTimes are the layouts of a signed time that is not a number.
var isoTimes = []string{time.RFC3339, "2006-01-02T15:04:05-0700"}

// parseTime reads a signed time; form says how it is written.
func parseTime(text string) (t time.Time, form string, ok bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if len(text) > 11 {
			return time.UnixMilli(n), inMillis, true
		}
		return time.Unix(n, 0), inSeconds, true
	}
	for _, layout := range isoTimes {
		if t, err := time.Parse(layout, text); err == nil {
			return t, layout, true
		}
	}
	return time.Time{}, inSeconds, false
}

// formatTime writes a signed time in the form that parseTime told.
func formatTime(t time.Time, form string) string {
	switch form {
	case inSeconds:
		return strconv.FormatInt(t.Unix(), 10)
	case inMillis:
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return t.UTC().Format(form)
}

// Words is one word or a list of them, as a file has it.
type Words []string

// UnmarshalYAML reads hex or [hex, base64].
func (w *Words) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if err := unmarshal(&one); err == nil {
		*w = Words{one}
		return nil
	}
	return unmarshal((*[]string)(w))
}

// known reports a word that a table does not have.
func known[T any](key, word string, table map[string]T) error {
	if _, ok := table[word]; ok || word == "" {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %s", key, word, strings.Join(slices.Sorted(maps.Keys(table)), ", "))
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
