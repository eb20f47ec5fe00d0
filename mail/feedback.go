package mail

import (
	"net/http"
	"time"
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

// ParseEvents reads the body of SendGrid's event webhook.
func ParseEvents(body []byte) ([]Feedback, error) { return nil, nil }

// VerifyEvents checks that SendGrid signed the body; publicKey is base64 DER.
func VerifyEvents(publicKey string, h http.Header, body []byte) error { return nil }
