// Package web answers HTTP: webhooks and candidate pages on the public
// address, console, API and metrics on the one for operations.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
	"github.com/career-relay/connector/rules/credit"
)

// Deps is what the pages need. Every field is required unless it says so.
type Deps struct {
	Now func() time.Time
	Log *slog.Logger
	// Tenants are the companies as they are configured now.
	Tenants Tenants
	// Open returns the connector of a connection, an ats.NotFound error for an
	// unknown company or connection.
	Open   func(company, connection string) (connectors.Connector, error)
	Inbox  Inbox
	People People
	Desk   Desk
	Files  Files
	// Clerk does what needs connectors, letters or transports.
	Clerk Clerk
	// Terms says what a company's configuration allows to be run again; nil asks
	// no configuration.
	Terms    record.Terms
	Accounts Accounts
	// Letters returns a company's letters.
	Letters func(*configs.Company) (*mail.Templates, error)
	// Ready reports whether work can be done; a Problem that is not fatal
	// leaves the process ready.
	Ready func(ctx context.Context) []Problem
	// PublicURL is the base of links in mails and of webhook addresses, without
	// a slash at its end.
	PublicURL string
	OpsToken  ats.Secret // optional: an admin token of the API
	Version   string
	Metrics   *Metrics
	// DemoUser may enter the console without a password, from this machine
	// only; zero for nobody. Everything must be invented where it is set.
	DemoUser record.Actor
}

// A Problem is something that is not as it should be.
type Problem struct {
	Name  string `json:"name"` // "database", "redis", …
	Text  string `json:"text"`
	Fatal bool   `json:"fatal"`
}

// Tenants are the configured companies.
type Tenants interface {
	Company(id string) (*configs.Company, error)
	Companies() []*configs.Company
	Shared() *configs.Shared
	Status() []configs.Status
}

// tenant finds a company in force. One whose file has mistakes and never was in
// force is away, not unknown: whoever asks for it shall come again.
func (d Deps) tenant(id string) (*configs.Company, error) {
	company, err := d.Tenants.Company(id)
	if ats.FaultOf(err) == ats.NotFound && slices.ContainsFunc(d.Tenants.Status(), func(s configs.Status) bool { return s.Company == id }) {
		return nil, ats.Errorf(ats.Busy, "the file of company %s has mistakes; careerrelay config check lists them", id)
	}
	return company, err
}

// An Inbox keeps deliveries. SaveDelivery returns after the commit; a
// redelivery is an ats.Duplicate error, an outage has the fault ats.Busy.
type Inbox interface {
	SaveDelivery(ctx context.Context, a record.Arrival) (id string, err error)
	NoteSecret(ctx context.Context, company, connection, secret string) error
}

// People is what the candidate pages do.
type People interface {
	FindLink(ctx context.Context, kind, token string) (record.Link, error)
	Register(ctx context.Context, r record.Registration) (id string, err error)
	Confirm(ctx context.Context, c record.Confirmation) error
	Membership(ctx context.Context, registration string) (record.Membership, error)
	Withdraw(ctx context.Context, actor record.Actor, consent, reason string) error
	Unsubscribe(ctx context.Context, l record.Link, how string) error
}

// Desk is what operators read and do; the command line calls the same methods.
type Desk interface {
	Pulse(ctx context.Context, since time.Time) (record.Pulse, error)
	Brakes(ctx context.Context, company string, all bool) ([]record.Brake, error)
	Polls(ctx context.Context, company string) ([]record.Poll, error)
	ReleaseBrake(ctx context.Context, actor record.Actor, company, kind, reason string) error
	Alerts(ctx context.Context, f record.Filter) ([]alerts.Alert, error)
	MuteAlert(ctx context.Context, actor record.Actor, id string, until time.Time, reason string) error
	Deliveries(ctx context.Context, f record.Filter) ([]record.Delivery, error)
	Delivery(ctx context.Context, id string) (record.Delivery, connectors.Delivery, error)
	Applications(ctx context.Context, f record.Filter) ([]record.Application, error)
	Application(ctx context.Context, id string, reveal bool) (record.Application, error)
	Events(ctx context.Context, application string) ([]record.Event, error)
	EventsOf(ctx context.Context, delivery string) ([]record.Event, error)
	Mails(ctx context.Context, f record.Filter) ([]record.Mail, error)
	Mail(ctx context.Context, id string) (record.Mail, error)
	MailHistory(ctx context.Context, id string) ([]record.Attempt, []record.MailEvent, error)
	Letter(ctx context.Context, id string) (record.Mail, mail.Message, error)
	Jobs(ctx context.Context, f record.Filter) ([]record.Job, error)
	Job(ctx context.Context, id string) (record.Job, error)
	JobsOf(ctx context.Context, subject string) ([]record.Job, error)
	Batches(ctx context.Context, f record.Filter) ([]record.Batch, error)
	Consents(ctx context.Context, f record.Filter) ([]record.Consent, error)
	Referrals(ctx context.Context, f record.Filter) ([]record.Referral, error)
	Referral(ctx context.Context, id string) (record.Referral, error)
	Account(ctx context.Context, company string, p credit.Policy) (record.Account, error)
	Audits(ctx context.Context, f record.Filter) ([]record.Audit, error)
	WalkAudit(ctx context.Context, f record.Filter, each func(record.Audit) error) error
	VerifyAudit(ctx context.Context) (int, error)
	AuditAnchor(ctx context.Context) (string, error)
	CheckAnchor(ctx context.Context, anchor string) error
	Audit(ctx context.Context, actor record.Actor, a record.Audit) error

	Graves(ctx context.Context, f record.Filter) ([]record.Grave, error)
	Progress(ctx context.Context, batch string) (record.Progress, error)
	Results(ctx context.Context, f record.Filter) ([]record.Result, error)
	SecretUses(ctx context.Context, company string) ([]record.SecretUse, error)

	Rerun(ctx context.Context, r record.Rerun, terms record.Terms) (record.Done, error)
	MoveBatch(ctx context.Context, actor record.Actor, id, verb, reason string) (record.Batch, error)
	AskRelease(ctx context.Context, actor record.Actor, company, reason string) error
	CancelJobs(ctx context.Context, o record.Order) (record.Done, error)
	ReleaseMails(ctx context.Context, o record.Order) (record.Done, error)
	SendMails(ctx context.Context, o record.Order) (record.Done, error)
	StopMails(ctx context.Context, o record.Order) (record.Done, error)
	CancelMails(ctx context.Context, o record.Order) (record.Done, error)
	ResolveMails(ctx context.Context, o record.Order, sent bool) (record.Done, error)
	Withdraw(ctx context.Context, actor record.Actor, consent, reason string) error
	FindPeople(ctx context.Context, company, query string) ([]string, error)
	ErasePerson(ctx context.Context, actor record.Actor, id, reason string) error
}

// A Clerk does for operators what the database cannot do alone.
type Clerk interface {
	Edit(ctx context.Context, actor record.Actor, id, line, reason string) error
	Ask(ctx context.Context, actor record.Actor, id, reason string) error
	Release(ctx context.Context, r record.Rerun, terms record.Terms) (record.Done, error)
	Difference(ctx context.Context, delivery string) (record.Difference, error)
}

// Accounts knows who may use the console and the API.
type Accounts interface {
	Login(ctx context.Context, name, password string, v record.Visit) (record.Entry, error)
	Arriving(ctx context.Context, token string) (record.Entry, error)
	EnterCode(ctx context.Context, token, code string, v record.Visit) (record.Entry, error)
	Admit(ctx context.Context, who record.Identity, v record.Visit) (record.Entry, error)
	Logout(ctx context.Context, token string) error
	Session(ctx context.Context, token string, idle time.Duration) (record.Actor, error)
	Token(ctx context.Context, token string) (record.Actor, error)
	Device(user string) string
	Knows(user, device string) bool

	NewFactor(session string) []byte
	SetFactor(ctx context.Context, session, code string, v record.Visit) (record.Entry, []string, error)
	RenewRecovery(ctx context.Context, session, code string) ([]string, error)
	ResetFactor(ctx context.Context, actor record.Actor, name, reason string) error
	ChangePassword(ctx context.Context, session, old, password string) (token string, err error)

	Users(ctx context.Context) ([]record.User, error)
	User(ctx context.Context, name string) (record.User, error)
	SaveUser(ctx context.Context, actor record.Actor, u record.User, password string) (record.User, error)
	ChangeRole(ctx context.Context, actor record.Actor, name string, role record.Role, company, reason string) error
	DisableUser(ctx context.Context, actor record.Actor, name, reason string) error
	EnableUser(ctx context.Context, actor record.Actor, name, reason string) error
	Sessions(ctx context.Context, user, current string, idle time.Duration) ([]record.Session, error)
	EndSession(ctx context.Context, actor record.Actor, id, of string) error
	EndSessions(ctx context.Context, actor record.Actor, user, except, reason string) error
	Tokens(ctx context.Context, user string) ([]record.Token, error)
	MakeToken(ctx context.Context, actor record.Actor, k record.Token) (string, error)
	RevokeToken(ctx context.Context, actor record.Actor, id, of, reason string) error
}

// statuses translates faults for HTTP. A redelivery is a success to its sender.
var statuses = map[ats.Fault]int{
	ats.Invalid:   http.StatusBadRequest,
	ats.Denied:    http.StatusUnauthorized,
	ats.NotFound:  http.StatusNotFound,
	ats.Duplicate: http.StatusOK,
	ats.Conflict:  http.StatusConflict,
	ats.TooLarge:  http.StatusRequestEntityTooLarge,
	ats.Busy:      http.StatusServiceUnavailable,
}

// status returns the status code for an error without a fault too: our bug.
func status(err error) int {
	if code, ok := statuses[ats.FaultOf(err)]; ok {
		return code
	}
	return http.StatusInternalServerError
}

// engine returns a router that survives panics.
func engine(d Deps) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	_ = e.SetTrustedProxies(nil) // nil is always valid
	e.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, _ any) {
		// Not the value of the panic, which may hold personal data.
		d.Log.ErrorContext(c.Request.Context(), "panic in a handler", "route", c.FullPath(), "stack", string(debug.Stack()))
		c.AbortWithStatus(http.StatusInternalServerError)
	}))
	return e
}
