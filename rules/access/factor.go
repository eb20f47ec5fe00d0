package access

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 as authenticator apps know it; HMAC does not need a hash without collisions
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The second factor is a code of RFC 6238 as every authenticator app makes it:
// six digits, half a minute each. The codes of the step before and after count
// too, because clocks differ.
const (
	codeStep   = 30 * time.Second
	codeLeeway = 1

	// SecretSize is how many bytes a secret has.
	SecretSize = 20
)

// Step is the number of the half minute at t.
func Step(t time.Time) int64 { return t.Unix() / int64(codeStep/time.Second) }

// Code is the code of a step.
func Code(secret []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step)) //nolint:gosec // steps since 1970
	mac := hmac.New(sha1.New, secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:at+4]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// CheckCode returns the step whose code was given. Steps up to last are used
// up, so that nobody can use a code that they saw being typed.
func CheckCode(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	code = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\u3000' {
			return -1
		}
		if r >= '０' && r <= '９' { // typed with a Japanese keyboard
			return r - '０' + '0'
		}
		return r
	}, code)
	for s := Step(now) - codeLeeway; s <= Step(now)+codeLeeway; s++ {
		if subtle.ConstantTimeCompare([]byte(Code(secret, s)), []byte(code)) == 1 && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// SecretText is a secret as people type it into an app.
func SecretText(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// SecretURI is a secret as apps read it out of a picture.
func SecretURI(issuer, account string, secret []byte) string {
	q := url.Values{"secret": {SecretText(secret)}, "issuer": {issuer}}
	return (&url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + account, RawQuery: strings.ReplaceAll(q.Encode(), "+", "%20")}).String()
}
