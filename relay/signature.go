package relay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// The headers of Standard Webhooks.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// tolerance is how far a sender's clock may be from the recipient's.
const tolerance = 5 * time.Minute

// minKey is what Standard Webhooks asks of a secret, in bytes.
const minKey = 24

// key returns the bytes of a whsec_ secret.
func key(s ats.Secret) ([]byte, error) {
	coded, ok := strings.CutPrefix(string(s), "whsec_")
	b, err := base64.StdEncoding.DecodeString(coded)
	if !ok || err != nil || len(b) == 0 {
		return nil, ats.Errorf(ats.Invalid, "want whsec_ and base64, as Standard Webhooks has it")
	}
	return b, nil
}

// Sign returns the value of Webhook-Signature for a delivery.
func Sign(secret ats.Secret, id string, at time.Time, body []byte) (string, error) {
	k, err := key(secret)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, k)
	_, _ = fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// Verify returns an ats.Denied error unless one of the secrets signed body for
// the id and the time in h, and that time is near now. It is the recipient's
// half of Sign.
func Verify(secrets []ats.Secret, h http.Header, body []byte, now time.Time) error {
	id, signatures := h.Get(headerID), h.Get(headerSignature)
	seconds, err := strconv.ParseInt(h.Get(headerTimestamp), 10, 64)
	if id == "" || err != nil || signatures == "" {
		return ats.Errorf(ats.Denied, "a Webhook- header is missing or unreadable")
	}
	at := time.Unix(seconds, 0)
	if now.Sub(at).Abs() > tolerance {
		return ats.Errorf(ats.Denied, "the timestamp is more than %s away from ours", tolerance)
	}
	fits := false
	for _, s := range secrets {
		want, err := Sign(s, id, at, body)
		if err != nil {
			return ats.Errorf(ats.Denied, "our secret: %w", err)
		}
		for got := range strings.FieldsSeq(signatures) {
			fits = hmac.Equal([]byte(got), []byte(want)) || fits
		}
	}
	if !fits {
		return ats.Errorf(ats.Denied, "the signature does not fit")
	}
	return nil
}
