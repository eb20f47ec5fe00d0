// Package relay hands a consenting candidate's profile to a recipient.
package relay

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// A Recipient receives referrals: the Career Relay network or a partner agency.
type Recipient struct {
	ID      string       `yaml:"-" json:"id"`
	Name    Names        `yaml:"name" json:"name"`
	URL     string       `yaml:"url" json:"url"`
	Secrets []ats.Secret `yaml:"secrets" json:"-"` // whsec_… (Standard Webhooks); the first signs, the rest only verify
	// Connection is one of a company's own, company/connection, in place of URL
	// and Secrets: candidates are put into that ATS, for the job with the id Job.
	Connection string `yaml:"connection" json:"connection,omitempty"`
	Job        string `yaml:"job" json:"job,omitempty"`
	Licence    string `yaml:"licence" json:"licence"`
	// LicenceUntil is the licence's last day in Japan; "" when it has no end.
	LicenceUntil string `yaml:"licence_until" json:"licence_until,omitempty"`
	Address      string `yaml:"address" json:"address"`
	Head         string `yaml:"representative" json:"representative"`
	Contact      string `yaml:"contact" json:"contact"`
}

// Validate reports every problem in r, each with the path of its key. A person
// has to be told who receives the profile, so the names are required too.
func (r Recipient) Validate() error {
	var errs []error
	if r.Name.JA == "" && r.Name.EN == "" {
		errs = append(errs, errors.New("name: required"))
	}
	errs = append(errs, r.way())
	errs = append(errs, Hook{Secrets: r.Secrets}.weak()...)
	for _, f := range []struct{ key, value string }{{"licence", r.Licence}, {"address", r.Address}, {"representative", r.Head}, {"contact", r.Contact}} {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("%s: required", f.key))
		}
	}
	if _, err := time.Parse(time.DateOnly, r.LicenceUntil); r.LicenceUntil != "" && err != nil {
		errs = append(errs, errors.New("licence_until: want a date such as 2027-03-31"))
	}
	return errors.Join(errs...)
}

// japan is where licences end at midnight. It has no summer time.
var japan = time.FixedZone("JST", 9*60*60)

// LicenceEnds is the moment at which the licence is over; zero for never.
func (r Recipient) LicenceEnds() time.Time {
	last, err := time.ParseInLocation(time.DateOnly, r.LicenceUntil, japan)
	if err != nil {
		return time.Time{}
	}
	return last.AddDate(0, 0, 1)
}

// Licensed reports whether r may receive profiles at now.
func (r Recipient) Licensed(now time.Time) bool {
	end := r.LicenceEnds()
	return end.IsZero() || now.Before(end)
}

// way reports what is wrong with how profiles travel: signed to an address, or
// into an ATS.
func (r Recipient) way() error {
	if r.Connection == "" {
		errs := Hook{URL: r.URL, Secrets: r.Secrets}.missing()
		if r.Job != "" {
			errs = append(errs, errors.New("job: only with connection"))
		}
		return errors.Join(errs...)
	}
	company, connection, ok := strings.Cut(r.Connection, "/")
	switch {
	case !ok || company == "" || connection == "" || strings.Contains(connection, "/"):
		return errors.New("connection: want company/connection, such as globex/ashby")
	case r.Job == "":
		return errors.New("job: required with connection: the id of an open job; careerrelay vendor jobs lists them")
	case r.URL != "" || len(r.Secrets) > 0:
		return errors.New("url, secrets: not with connection")
	}
	return nil
}

// ATS returns the company and the connection into which candidates are put; ok
// is false for a recipient with an address of its own.
func (r Recipient) ATS() (company, connection string, ok bool) {
	return strings.Cut(r.Connection, "/")
}

// safe reports whether a profile may travel to an address.
func safe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}

// Names is a name in the languages of our pages.
type Names struct {
	JA string `yaml:"ja" json:"ja"`
	EN string `yaml:"en" json:"en"`
}

// In returns the name in locale, or the other one when that is missing.
func (n Names) In(locale string) string {
	if locale == "en" && n.EN != "" || n.JA == "" {
		return n.EN
	}
	return n.JA
}

// A Referral is the hand-over of one consented profile to one recipient. Its
// JSON is the body that the recipient gets.
type Referral struct {
	ID         string     `json:"id"`
	Recipient  string     `json:"recipient"`
	CreatedAt  time.Time  `json:"created_at"`
	Candidate  Profile    `json:"candidate"`
	Provenance Provenance `json:"provenance"`
	Consents   []Consent  `json:"consents"`
}

// LogValue returns what says which referral it is, without the profile.
func (r Referral) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", r.ID), slog.String("recipient", r.Recipient))
}

// A Profile is what the person typed and agreed to hand over. Empty fields are
// left out.
type Profile struct {
	Name       string    `json:"name"`
	Kana       string    `json:"kana,omitempty"`
	Email      ats.Email `json:"email"`
	Phone      string    `json:"phone,omitempty"`
	Prefecture string    `json:"prefecture,omitempty"`
	Occupation string    `json:"occupation,omitempty"`
	Industry   string    `json:"industry,omitempty"`
	Place      string    `json:"place,omitempty"` // where the person wants to work
	Available  string    `json:"available,omitempty"`
	Note       string    `json:"note,omitempty"`
	Locale     string    `json:"locale"`
}

// LogValue returns a mask.
func (Profile) LogValue() slog.Value { return slog.StringValue("[profile]") }

// Format writes a mask for every verb.
func (Profile) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[profile]") }

// Fields lists the names of the fields that p carries, for the record of what
// was provided.
func (p Profile) Fields() []string {
	var names []string
	for _, f := range []struct{ name, value string }{
		{"name", p.Name},
		{"kana", p.Kana},
		{"email", string(p.Email)},
		{"phone", p.Phone},
		{"prefecture", p.Prefecture},
		{"occupation", p.Occupation},
		{"industry", p.Industry},
		{"place", p.Place},
		{"available", p.Available},
		{"note", p.Note},
	} {
		if f.value != "" {
			names = append(names, f.name)
		}
	}
	return names
}

// A Provenance tells a recipient where a profile comes from.
type Provenance struct {
	Company     string `json:"company"`      // the inviting company's id
	CompanyName string `json:"company_name"` // and name
	Provider    Party  `json:"provider"`     // the company as the law knows it
	// How the data was acquired, in a sentence for the recipient's own record.
	How          string    `json:"how"`
	RegisteredAt time.Time `json:"registered_at"`
	ConfirmedAt  time.Time `json:"confirmed_at"`
}

// A Party is one side of a hand-over, as both sides must keep it on record.
type Party struct {
	Name           string `json:"name" yaml:"name"`
	Address        string `json:"address" yaml:"address"` // postal
	Representative string `json:"representative,omitempty" yaml:"representative"`
	Licence        string `json:"licence,omitempty" yaml:"-"` // of a recipient
}

// Party returns who r is, as the record of a hand-over says it.
func (r Recipient) Party() Party {
	return Party{Name: r.Name.In("ja"), Address: r.Address, Representative: r.Head, Licence: r.Licence}
}

// Withdrawn is the type of a Withdrawal.
const Withdrawn = "referral.withdrawn"

// A Withdrawal tells a recipient that a person took the consent back, or was
// erased, after the hand-over. It says which referral, and nothing about the
// person.
type Withdrawal struct {
	Type      string    `json:"type"`      // Withdrawn; a referral has none
	ID        string    `json:"id"`        // of the referral
	Reference string    `json:"reference"` // that the recipient gave it
	Recipient string    `json:"recipient"`
	Reason    string    `json:"reason"` // "consent withdrawn" or "erased"
	At        time.Time `json:"withdrawn_at"`
}

// A Consent is the proof of one agreement.
type Consent struct {
	ID      string    `json:"id"`
	Purpose string    `json:"purpose"`
	Text    string    `json:"text_version"`
	Locale  string    `json:"locale"`
	GivenAt time.Time `json:"given_at"`
}

// A Receipt is a recipient's answer.
type Receipt struct {
	Reference string `json:"reference"`
}
