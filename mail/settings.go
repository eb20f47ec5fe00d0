package mail

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/career-relay/connector/ats"
)

// Settings is what a company configures about its mail.
type Settings struct {
	Transport string     `yaml:"transport"` // mailbox (also when empty) or sendgrid
	APIKey    ats.Secret `yaml:"api_key"`
	// EventKey is the public key (base64 DER) with which SendGrid signs its
	// event webhook; several, while keys rotate, stand with spaces between.
	EventKey  string    `yaml:"event_key"`
	From      Address   `yaml:"from"`
	ReplyTo   ats.Email `yaml:"reply_to"` // default: From
	Sender    Sender    `yaml:"sender"`
	Documents Documents `yaml:"documents"`
	Templates string    `yaml:"templates"` // folder of overrides, beside the company file
}

// A Sender is who writes, for the signature and the legal footer.
type Sender struct {
	Name    string `yaml:"name" json:"name"`
	Address string `yaml:"address" json:"address"` // postal
	Contact string `yaml:"contact" json:"contact"` // mail address, telephone number or https page
}

// Documents says what happens to what the candidate sent in, in the languages of
// the mails: a whole sentence, in place of one that is true of everybody who
// keeps to the law.
type Documents struct {
	JA string `yaml:"ja"`
	EN string `yaml:"en"`
}

// maxDocuments bounds that sentence in characters.
const maxDocuments = 500

// Validate reports every problem in s, each with the path of its key.
func (s Settings) Validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	switch s.Transport {
	case "", "mailbox":
	case "sendgrid":
		if s.APIKey == "" {
			wrong("api_key", "required with transport sendgrid")
		}
	case "smtp":
		wrong("transport", "smtp is not in this version; use sendgrid, or mailbox to send nothing")
	default:
		wrong("transport", "%q is not one of mailbox, sendgrid", s.Transport)
	}
	if s.EventKey != "" {
		if _, err := eventKeys(s.EventKey); err != nil {
			wrong("event_key", "%w", err)
		}
	}
	if s.From.Address == "" {
		wrong("from.address", "required")
	} else if !usable(s.From.Address) {
		wrong("from.address", "not a mail address")
	}
	if s.ReplyTo != "" && !usable(s.ReplyTo) {
		wrong("reply_to", "not a mail address")
	}
	for _, f := range []struct {
		key, value string
		required   bool
		limit      int
	}{
		{"from.name", s.From.Name, false, 100},
		{"sender.name", s.Sender.Name, true, 100},
		{"sender.address", s.Sender.Address, true, 200},
		{"sender.contact", s.Sender.Contact, true, 200},
		{"documents.ja", s.Documents.JA, false, maxDocuments},
		{"documents.en", s.Documents.EN, false, maxDocuments},
	} {
		switch text := strings.TrimSpace(f.value); {
		case text == "" && f.required:
			wrong(f.key, "required; the law asks for it in every mail")
		case strings.ContainsFunc(text, unicode.IsControl):
			wrong(f.key, "must be one line")
		case len([]rune(text)) > f.limit:
			wrong(f.key, "longer than %d characters", f.limit)
		case placeholder.MatchString(text):
			wrong(f.key, "%s is left to be filled in", placeholder.FindString(text))
		case link.MatchString(text) && (f.key != "sender.contact" || !webPage(text)):
			wrong(f.key, "must not hold a link; only sender.contact may be one, with https")
		}
	}
	return errors.Join(errs...)
}

// usable reports whether a mail can be sent to or from an address as it stands.
func usable(e ats.Email) bool {
	parsed, problem := ats.ParseEmail(string(e))
	return parsed == e && (problem == "" || problem == ats.EmailReview)
}

// webPage reports whether s is the https address of a page, and nothing else.
func webPage(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && link.FindString(s) == s
}
