// Package configs loads the companies' files and keeps the last good ones.
package configs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/access"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
	"github.com/career-relay/connector/rules/sending"
)

// A Company is one client company, as its file says.
type Company struct {
	ID          string                `yaml:"company"`
	Name        relay.Names           `yaml:"name"`
	Locale      string                `yaml:"locale"` // of candidates whose language is not known: "ja" or "en"
	TimeZone    string                `yaml:"time_zone"`
	Connections map[string]Connection `yaml:"-"`
	Mail        mail.Settings         `yaml:"mail"`
	Sending     sending.Settings      `yaml:"sending"`
	Relay       Relay                 `yaml:"relay"`
	Survey      Survey                `yaml:"survey"`
	Retention   Retention             `yaml:"retention"`
	Alerts      Alerts                `yaml:"alerts"`
	// Templates holds the company's own letters as they were when the file was
	// applied; nil when it has none.
	Templates fs.FS `yaml:"-"`

	zone *time.Location // TimeZone, found when the file was read
}

// Zone returns the company's time zone.
func (c *Company) Zone() *time.Location {
	if c.zone != nil {
		return c.zone
	}
	return locate(c.TimeZone) // no file made this company
}

// locate finds a time zone, which takes reading a file.
func locate(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil { // the loader refuses such a file
		return time.UTC
	}
	return zone
}

// Calendar returns when the company's mails may leave.
func (c *Company) Calendar() sending.Calendar { return sending.NewCalendar(c.Sending, c.Zone()) }

// Provider is who the company is for the recipients of profiles: what the file
// says, or who signs the mails.
func (c *Company) Provider() relay.Party {
	p := c.Relay.Provider
	p.Name, p.Address = cmp.Or(p.Name, c.Mail.Sender.Name), cmp.Or(p.Address, c.Mail.Sender.Address)
	return p
}

// BusinessDays is the company's calendar for counting days on which work is
// done. A company that sends at every hour works from Monday to Friday all the
// same.
func (c *Company) BusinessDays() sending.Calendar {
	s := c.Sending
	if s.Window.Always() {
		s.Window = sending.Defaults().Window
	}
	return sending.NewCalendar(s, c.Zone())
}

// A RelayMode says how a company takes part in the relay.
type RelayMode string

// The modes of the relay.
const (
	RelayLink     RelayMode = "link"     // the mail carries a personal link
	RelayHandover RelayMode = "handover" // the company hands over by its own consent (later)
	RelayOff      RelayMode = "off"
)

// Relay is how a company takes part in the relay.
type Relay struct {
	Mode       RelayMode     `yaml:"mode"`
	Policy     credit.Policy `yaml:"policy"`
	Recipients []string      `yaml:"recipients"`
	Provider   relay.Party   `yaml:"provider"` // see Company.Provider
}

// Survey is whether and when people are asked how it was.
type Survey struct {
	Enabled bool         `yaml:"enabled"`
	After   ats.Duration `yaml:"after"`
}

// Retention is how long things are kept.
type Retention struct {
	Deliveries ats.Duration `yaml:"deliveries"`
	Candidates ats.Duration `yaml:"candidates"`
	Mails      ats.Duration `yaml:"mails"`
}

// DefaultRetention is that of a company that says nothing, and of one whose file
// is gone and whose own periods nobody knows.
func DefaultRetention() Retention {
	const day = ats.Duration(24 * time.Hour)
	return Retention{Deliveries: 30 * day, Candidates: 180 * day, Mails: 365 * day}
}

// Validate reports every problem in r. Nothing about a person is kept for ever.
func (r Retention) Validate() error {
	var errs []error
	for _, k := range []struct {
		key string
		d   ats.Duration
	}{{"deliveries", r.Deliveries}, {"candidates", r.Candidates}, {"mails", r.Mails}} {
		if k.d <= 0 {
			errs = append(errs, errors.New(k.key+": must be longer than 0"))
		}
	}
	return errors.Join(errs...)
}

// Alerts is who is told about a company.
type Alerts struct {
	To    ats.Email  `yaml:"to"`
	Slack ats.Secret `yaml:"slack"` // the address of an incoming webhook
}

// Validate reports every problem in a.
func (a Alerts) Validate() error {
	if a.Slack != "" && !relay.Safe(string(a.Slack)) {
		return errors.New("slack: want the https address of an incoming webhook")
	}
	return nil
}

// Duty is who is told about all companies and about the service itself.
type Duty struct {
	Alerts  `yaml:",inline"`
	From    ats.Email   `yaml:"from"` // of the service's own mails, at its own transport
	Locale  string      `yaml:"locale"`
	Webhook *relay.Hook `yaml:"webhook"`
	// Certificate is whether the certificate of PUBLIC_URL is looked at.
	Certificate bool `yaml:"certificate"`
}

// Validate reports every problem in d.
func (d Duty) Validate() error {
	err := d.Alerts.Validate()
	if d.Webhook == nil {
		return err
	}
	if wrong := d.Webhook.Validate(); wrong != nil {
		for _, e := range split(wrong) {
			err = errors.Join(err, fmt.Errorf("webhook.%w", e))
		}
	}
	return err
}

// Shared is what all companies share: configs/relay.yaml and configs/texts.
type Shared struct {
	Operator   Operator                   `yaml:"operator"`
	Alerts     Duty                       `yaml:"alerts"`
	Recipients map[string]relay.Recipient `yaml:"recipients"`
	Access     access.Settings            `yaml:"access"` // of the console
	Texts      consent.Texts              `yaml:"-"`
}

// Operator is who runs the service.
type Operator struct {
	Name    relay.Names `yaml:"name"`
	Contact string      `yaml:"contact"`
	Address string      `yaml:"address"`
	Privacy string      `yaml:"privacy"` // https address of the privacy notice
}
