package record

import (
	"time"

	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
)

// A Link is a personal way in: whoever has the token may see the page.
type Link struct {
	Token   string
	Kind    string
	Expires time.Time
	Locale  string

	Company      string // the rest is set by the store
	Application  string
	Person       string
	Registration string
}

// A Registration is what a person sent from the page behind a relay link.
type Registration struct {
	Link     Link
	Profile  relay.Profile
	Consents []consent.Text // what was agreed to, as it was shown
	// Confirm makes the mail whose link proves the mailbox; token is the one
	// that works.
	Confirm func(token string) (mail.Message, error)
	Stop    Link          // the way out in that mail; it outlives the other one
	Keep    time.Duration // how long it waits to be confirmed
}

// A Confirmation is what follows from the second step of a registration.
type Confirmation struct {
	Link       Link
	Policy     credit.Policy
	Recipients []string // who receives the profile
	MyExpires  time.Time
	Stop       Link // the way out in the receipt
	// Receipt makes the mail that says what was agreed; my is the token of the
	// person's own page.
	Receipt func(p relay.Profile, consents []Consent, my string) (mail.Message, error)
}

// A Membership is what a person's own page shows.
type Membership struct {
	Profile   relay.Profile
	State     string
	Consents  []Consent
	Referrals []Referral
}

// A Handed is how a hand-over ended, with the outcome of its job.
type Handed struct {
	State     ReferralState
	Reference string
	Reason    string
	Fields    []string // names of what was provided
	Consent   string   // id of the consent on which it was
	Provider  relay.Party
	Receiver  relay.Party
	Policy    credit.Policy // counts now if its trigger is the hand-over
	Job       Outcome
}

// A Dossier is everything kept about a person, for a request of disclosure.
type Dossier struct {
	ID      string `json:"id"`
	Company string `json:"company"`
	// ErasedAt is when everything personal was destroyed. What is left says what
	// was done, but not to whom.
	ErasedAt      time.Time       `json:"erased_at,omitzero"`
	Applications  []Application   `json:"applications"`
	Mails         []DossierMail   `json:"mails"`
	Registrations []relay.Profile `json:"registrations"`
	Consents      []Consent       `json:"consents"`
	Referrals     []Referral      `json:"referrals"`
}

// A DossierMail is a mail with its content.
type DossierMail struct {
	Mail
	Message *mail.Message `json:"message,omitempty"`
}

// A Retention says how long a company's data is kept; zero keeps it.
type Retention struct{ Candidates, Mails time.Duration }

// An Order is a verb over everything that a filter finds.
type Order struct {
	Actor  Actor
	Filter Filter
	Reason string // required
	DryRun bool   // count only
}

// Rules translates consents into the words of the rules.
func Rules(consents []Consent) []consent.Record {
	out := make([]consent.Record, len(consents))
	for i, c := range consents {
		out[i] = consent.Record{
			ID: c.ID, Purpose: consent.Purpose(c.Purpose), TextVersion: c.TextVersion, Locale: c.Locale, Text: c.Text,
			GivenAt: c.GivenAt, ConfirmedAt: c.ConfirmedAt, WithdrawnAt: c.WithdrawnAt,
		}
	}
	return out
}

// The kinds of link.
const (
	RelayLink   = "relay"   // from a thank-you mail to the landing page
	ConfirmLink = "confirm" // from a confirmation mail, works once
	MyLink      = "my"      // from a receipt mail to the person's own page
	StopLink    = "stop"    // unsubscribe, in every mail
)
