// Package mail writes mails and hands them to a transport.
package mail

import (
	"context"

	"github.com/career-relay/connector/ats"
)

// A Purpose says why a mail is written. An application has at most one mail for
// each purpose.
type Purpose string

// The purposes.
const (
	ThankYou     Purpose = "thank_you"     // the result, with thanks
	RelayConfirm Purpose = "relay_confirm" // the second step of a registration
	RelayReceipt Purpose = "relay_receipt" // what was agreed, and how to take it back
)

// An Address is a mail address with the name shown beside it.
type Address struct {
	Address ats.Email `json:"address" yaml:"address"`
	Name    string    `json:"name,omitempty" yaml:"name"`
}

// A Message is one mail to one person, exactly as it will leave. It is stored
// (encrypted) when it is planned and not changed afterwards, except by a person.
type Message struct {
	// SendID is our own opaque random id; it comes back in the provider's
	// events. The provider does not treat it as personal data.
	SendID  string            `json:"send_id"`
	Company string            `json:"company"`
	Purpose Purpose           `json:"purpose"`
	From    Address           `json:"from"`
	ReplyTo Address           `json:"reply_to"`
	To      Address           `json:"to"`
	Subject string            `json:"subject"`
	Text    string            `json:"text"`
	HTML    string            `json:"html"`
	Header  map[string]string `json:"header,omitempty"`
	// Sender and Unsubscribe, the link, are what Check looks for in both parts.
	Sender      Sender `json:"sender"`
	Unsubscribe string `json:"unsubscribe,omitempty"`
	// PersonalLine is what a recruiter added, if it stands in the mail.
	PersonalLine string `json:"personal_line,omitempty"`
	// Template and Version name the source the bytes were made from.
	Template string `json:"template"`
	Version  string `json:"version"`
	Locale   string `json:"locale"`
}

// A Receipt is a transport's word that it took a message.
type Receipt struct {
	Transport  string // "mailbox", "sendgrid"
	ProviderID string
}

// A Transport sends one message to one recipient. It makes one attempt and
// classes what happened by fault: Invalid means refused for good, Denied that
// our credentials or sender are refused (nothing of this company can go out),
// Busy that it was surely not accepted, Unclear that it perhaps was.
type Transport interface {
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Mailbox is the transport of the built-in mailbox: it keeps nothing, because the
// outbox holds the exact bytes and the mailbox page shows them.
type Mailbox struct{}

// Send implements Transport.
func (Mailbox) Send(_ context.Context, m Message) (Receipt, error) {
	return Receipt{Transport: "mailbox", ProviderID: "mailbox-" + m.SendID}, nil
}
