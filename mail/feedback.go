package mail

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"

	"github.com/career-relay/connector/ats"
)

// A Kind is what a provider says about a mail.
type Kind string

// The kinds of feedback.
const (
	Processed    Kind = "processed"
	Deferred     Kind = "deferred"
	Delivered    Kind = "delivered"
	Blocked      Kind = "blocked"
	Dropped      Kind = "dropped"
	Bounced      Kind = "bounced"
	Unsubscribed Kind = "unsubscribed"
	Complaint    Kind = "complaint"
)

// A Feedback is one word of a mail provider about one mail.
type Feedback struct {
	EventID    string // unique
	SendID     string // ours, when it came back
	ProviderID string
	Kind       Kind
	Permanent  bool   // the address will never work
	Detail     string // without personal data
	At         time.Time
}

// MaxEvents bounds the events of one body.
const MaxEvents = 10_000

// An event is what we read of one of SendGrid's. The types are not relied on:
// custom arguments of other senders stand among the same keys.
type event struct {
	Event     any `json:"event"`
	EventID   any `json:"sg_event_id"`
	MessageID any `json:"sg_message_id"`
	SendID    any `json:"cr_send"`
	Timestamp any `json:"timestamp"`
	Type      any `json:"type"`
	Reason    any `json:"reason"`
	Response  any `json:"response"`
	Status    any `json:"status"`
	Class     any `json:"bounce_classification"`
}

// kinds are SendGrid's events that say something about a mail. Others, such as
// opens, which we never ask for, are passed over.
var kinds = map[string]Kind{
	"processed": Processed, "deferred": Deferred, "delivered": Delivered, "bounce": Bounced, "dropped": Dropped,
	"spamreport": Complaint, "unsubscribe": Unsubscribed, "group_unsubscribe": Unsubscribed,
}

// lasting are the reasons of a drop that hold for every later mail.
var lasting = map[string]bool{"Bounced Address": true, "Invalid": true, "Spam Reporting Address": true}

// passing are the classes of a bounce that say nothing about the address.
var passing = map[string]bool{"Content": true, "Reputation": true, "Frequency or Volume Too High": true, "Technical": true, "Technical Failure": true}

// ParseEvents reads the body of SendGrid's event webhook. Events that are not
// about the fate of a mail are passed over; anything that is not such a body
// is an ats.Invalid error, too many events are an ats.TooLarge one.
func ParseEvents(body []byte) ([]Feedback, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil || raw == nil {
		return nil, ats.Errorf(ats.Invalid, "events: not a JSON array")
	}
	if len(raw) > MaxEvents {
		return nil, ats.Errorf(ats.TooLarge, "events: %d in one body, more than %d", len(raw), MaxEvents)
	}
	var out []Feedback
	for i, r := range raw {
		var e event
		if err := json.Unmarshal(r, &e); err != nil {
			return nil, ats.Errorf(ats.Invalid, "events[%d]: not an event", i)
		}
		kind, ok := kinds[text(e.Event)]
		if !ok {
			continue
		}
		f, problem := e.feedback(kind)
		if problem != "" {
			return nil, ats.Errorf(ats.Invalid, "events[%d].%s", i, problem)
		}
		out = append(out, f)
	}
	return out, nil
}

func (e event) feedback(kind Kind) (f Feedback, problem string) {
	id := text(e.EventID)
	if !opaque(id) {
		return f, "sg_event_id: required, up to 200 plain characters"
	}
	seconds, err := strconv.ParseFloat(text(e.Timestamp), 64)
	if err != nil || !(seconds > 0 && seconds < 1<<33) {
		return f, "timestamp: not a time in seconds"
	}
	f = Feedback{EventID: id, Kind: kind, At: time.Unix(int64(seconds), 0).UTC()}
	if id := text(e.SendID); opaque(id) {
		f.SendID = id
	}
	if id := text(e.MessageID); opaque(id) {
		f.ProviderID = id
	}
	if kind == Bounced && text(e.Type) == "blocked" {
		f.Kind = Blocked
	}
	f.Permanent = kind == Bounced && text(e.Type) == "bounce" && !passing[text(e.Class)] || kind == Dropped && lasting[text(e.Reason)]
	f.Detail = e.detail()
	return f, ""
}

// opaque reports whether s is an id: plain, short and not an address.
func opaque(s string) bool {
	return s != "" && len(s) <= 200 && !strings.ContainsFunc(s, notPrintable) && !strings.Contains(s, "@")
}

// text returns a string or a number as text, everything else as "".
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

var (
	reply    = regexp.MustCompile(`^[245]\d\d\b`)
	enhanced = regexp.MustCompile(`\b[245]\.\d{1,3}\.\d{1,3}\b`)
	// told are the words that may be repeated; everything else that a mail
	// server writes may name the person.
	told = map[string]bool{
		"Invalid Address": true, "Mailbox Unavailable": true, "Content": true, "Reputation": true, "Frequency or Volume Too High": true,
		"Technical": true, "Technical Failure": true, "Unclassified": true,
		"Invalid SMTPAPI header": true, "Spam Content": true, "Unsubscribed Address": true, "Bounced Address": true,
		"Spam Reporting Address": true, "Invalid": true, "Recipient List over Package Quota": true,
	}
)

// detail says what a mail server answered, by codes and by words from a list.
func (e event) detail() string {
	var parts []string
	says := cmp.Or(text(e.Response), text(e.Reason))
	if code := reply.FindString(says); code != "" {
		parts = append(parts, code)
	}
	if code := enhanced.FindString(text(e.Status) + " " + says); code != "" {
		parts = append(parts, code)
	}
	for _, w := range []string{text(e.Reason), text(e.Class)} {
		if told[w] {
			parts = append(parts, w)
		}
	}
	return strings.Join(parts, " ")
}

// VerifyEvents checks that SendGrid signed the body, exactly as it came. The key
// is base64 DER; several, while keys rotate, stand with spaces between. A bad
// key is an ats.Invalid error, everything else ats.Denied.
func VerifyEvents(publicKey string, h http.Header, body []byte) error {
	keys, err := eventKeys(publicKey)
	if err != nil {
		return err
	}
	signature, timestamp := h.Get(eventwebhook.VerificationHTTPHeader), h.Get(eventwebhook.TimestampHTTPHeader)
	if signature == "" || timestamp == "" {
		return ats.Errorf(ats.Denied, "the events are not signed")
	}
	for _, key := range keys {
		if ok, err := eventwebhook.VerifySignature(key, body, signature, timestamp); err == nil && ok {
			return nil
		}
	}
	return ats.Errorf(ats.Denied, "the signature of the events does not fit")
}

// eventKeys reads public keys. It does what the vendor's library does, without
// panicking on a key of another kind.
func eventKeys(s string) ([]*ecdsa.PublicKey, error) {
	var keys []*ecdsa.PublicKey
	for i, field := range strings.Fields(s) {
		der, err := base64.StdEncoding.DecodeString(field)
		if err != nil {
			return nil, ats.Errorf(ats.Invalid, "public key %d: not base64", i+1)
		}
		parsed, err := x509.ParsePKIXPublicKey(der)
		key, ok := parsed.(*ecdsa.PublicKey)
		if err != nil || !ok || key.Curve != elliptic.P256() {
			return nil, ats.Errorf(ats.Invalid, "public key %d: not an ECDSA key on the curve P-256", i+1)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, ats.Errorf(ats.Invalid, "public key: required")
	}
	return keys, nil
}
