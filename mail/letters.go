package mail

import (
	"io/fs"
	"time"

	"github.com/career-relay/connector/ats"
)

// Settings is what a company configures about its mail.
type Settings struct {
	Transport string     `yaml:"transport"` // mailbox, sendgrid; smtp comes later
	APIKey    ats.Secret `yaml:"api_key"`
	// EventKey is the public key (base64 DER) with which SendGrid signs its event webhook.
	EventKey  string    `yaml:"event_key"`
	From      Address   `yaml:"from"`
	ReplyTo   ats.Email `yaml:"reply_to"`
	Sender    Sender    `yaml:"sender"`
	Documents Documents `yaml:"documents"`
	Templates string    `yaml:"templates"` // folder of overrides, beside the company file
}

// A Sender is who writes, for the signature and the legal footer.
type Sender struct {
	Name    string `yaml:"name"`
	Address string `yaml:"address"`
	Contact string `yaml:"contact"`
}

// Documents says what happens to what the candidate sent in, in the languages of the mails.
type Documents struct {
	JA string `yaml:"ja"`
	EN string `yaml:"en"`
}

// A Letter is everything that a mail may say.
type Letter struct {
	CompanyID, CompanyName string
	Event                  ats.Event // of the application; zero for replies to a person's own deed
	To                     Address   // of a reply; the event's candidate otherwise
	Locale                 string    // "ja" or "en"
	Zone                   *time.Location
	SendID                 string
	PersonalLine           string
	RelayURL               string // empty: no relay block
	RelayUntil             time.Time
	UnsubscribeURL         string
	OneClickURL            string
	ConfirmURL             string // of a confirmation mail
	ConfirmUntil           time.Time
	MyURL                  string   // of a receipt: the person's own page
	Recipients             []string // of a receipt: who receives the profile, with licence
	Agreed                 []string // of a receipt: each text as it was agreed to
}

// Templates are the letters of one company.
type Templates struct{}

// Load reads the shipped letters and puts the company's own files over them; own may be nil.
func Load(own fs.FS) (*Templates, error) { return nil, ats.Errorf(ats.Busy, "unwritten") }

// Thanks writes the result of a selection.
func (t *Templates) Thanks(s Settings, l Letter) (Message, error) { return Message{}, nil }

// Confirm writes the second step of a registration.
func (t *Templates) Confirm(s Settings, l Letter) (Message, error) { return Message{}, nil }

// Receipt writes what was agreed and how to take it back.
func (t *Templates) Receipt(s Settings, l Letter) (Message, error) { return Message{}, nil }

// Check refuses a message that must not leave.
func Check(m Message) error { return nil }
