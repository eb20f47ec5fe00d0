package mailtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// An Event is one event of the event webhook, open to every change.
type Event map[string]any

// Event returns an event about m, with the keys that SendGrid sends with every
// one and an id of its own. Its kind is one of the vendor's: processed, deferred,
// delivered, bounce (set type to bounce or blocked), dropped (set reason),
// spamreport, unsubscribe and so on.
func (m Mail) Event(kind string, at time.Time) Event {
	e := Event{
		"email": m.To, "timestamp": at.Unix(), "event": kind, "sg_event_id": "event-" + rand.Text(),
		"sg_message_id": m.MessageID + ".recvd-5f54b5d587-l4s5c-1-66B2A4A2-1E.0", "smtp-id": "<" + m.MessageID + "@geopod-ismtpd-1>",
		"category": m.Category,
	}
	for name, value := range m.Args { // they come back among the others, which win
		if _, taken := e[name]; !taken {
			e[name] = value
		}
	}
	return e
}

// With returns e with one more key.
func (e Event) With(key string, value any) Event {
	c := maps.Clone(e)
	c[key] = value
	return c
}

// PublicKey returns the key that verifies the fake's events, as a company
// configures it.
func (s *SendGrid) PublicKey() string {
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(der)
}

// Sign returns the body and the headers of a webhook that carries events.
func (s *SendGrid) Sign(events ...Event) (body []byte, header http.Header) {
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(events)
	return s.SignBody(append(bytes.TrimRight(b.Bytes(), "\n"), "\r\n"...))
}

// SignBody signs a body of any content. The vendor signs the timestamp, a header
// of its own, together with the body.
func (s *SendGrid) SignBody(body []byte) ([]byte, http.Header) {
	timestamp := strconv.FormatInt(time.Date(2026, 11, 24, 1, 7, 0, 0, time.UTC).Unix(), 10)
	sum := sha256.Sum256(append([]byte(timestamp), body...))
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		return body, nil
	}
	return body, http.Header{
		"Content-Type":                           {"application/json"},
		"X-Twilio-Email-Event-Webhook-Timestamp": {timestamp},
		"X-Twilio-Email-Event-Webhook-Signature": {base64.StdEncoding.EncodeToString(signature)},
	}
}
