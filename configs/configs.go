// Package configs loads the companies' files and keeps the last good ones.
package configs

import (
	"log/slog"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
	"github.com/career-relay/connector/rules/sending"
)

// A Company is one client company, as its file says.
type Company struct {
	ID          string
	Name        relay.Names
	Locale      string // of candidates whose language is not known: "ja" or "en"
	Connections map[string]Connection
	Mail        mail.Settings
	Sending     sending.Settings
	Relay       Relay
	Survey      Survey
	Retention   Retention
	Alerts      Alerts
}

// Zone returns the company's time zone.
func (c *Company) Zone() *time.Location { return time.UTC }

// Calendar returns when the company's mails may leave.
func (c *Company) Calendar() sending.Calendar { return sending.NewCalendar(c.Sending, c.Zone()) }

// A Connection is one company's account at one vendor.
type Connection struct {
	Vendor string
	// Quarantine is how long deliveries with a bad signature are kept; 0 refuses them unkept.
	Quarantine ats.Duration
}

// Decode fills v, a vendor's settings type, strictly from the file: an unknown key is an error with file and line.
func (c Connection) Decode(v any) error { return nil }

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

// Alerts is who is told.
type Alerts struct {
	To ats.Email `yaml:"to"`
}

// Shared is what all companies share: configs/relay.yaml and configs/texts.
type Shared struct {
	Operator   Operator
	Recipients map[string]relay.Recipient
	Texts      consent.Texts
}

// Operator is who runs the service.
type Operator struct {
	Name    relay.Names `yaml:"name"`
	Contact string      `yaml:"contact"`
	Address string      `yaml:"address"`
	Privacy string      `yaml:"privacy"` // https address of the privacy notice
}

// A Status says which file of a company is in force, and what is wrong with a newer one.
type Status struct {
	Company   string    `json:"company"`
	File      string    `json:"file"`
	Hash      string    `json:"hash"` // of the content in force
	AppliedAt time.Time `json:"applied_at"`
	Errors    []string  `json:"errors"` // of the newest content, each with file:line
}

// Tenants are the companies in force. It may be used concurrently.
type Tenants struct{}

// Options says where the files are.
type Options struct {
	Dir    string
	Lookup func(name string) (string, bool) // of environment variables
	Now    func() time.Time
	Log    *slog.Logger
	// Validate opens a company's connections and reports what is wrong with them; may be nil.
	Validate func(*Company) error
}

// Open loads every file. A broken company is left out and reported by Status; only a
// broken folder is an error.
func Open(o Options) (*Tenants, error) { return &Tenants{}, nil }

// Reload reads what changed since the last load, by content hash.
func (t *Tenants) Reload() (changed []string) { return nil }

// Generation counts the changes that were applied.
func (t *Tenants) Generation() int { return 0 }

// Company returns a company in force.
func (t *Tenants) Company(id string) (*Company, error) {
	return nil, ats.Errorf(ats.NotFound, "no company %s", id)
}

// Companies lists the companies in force by id.
func (t *Tenants) Companies() []*Company { return nil }

// Shared returns what all companies share.
func (t *Tenants) Shared() *Shared { return &Shared{} }

// Status lists every company file, also the broken ones.
func (t *Tenants) Status() []Status { return nil }
