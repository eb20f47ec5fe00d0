// Package connectors says what a connector to an applicant tracking system is.
package connectors

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/career-relay/connector/ats"
)

// A Payload is what came through a door. It is plain data: it can be stored,
// replayed and used as test input.
type Payload struct {
	Header   http.Header // webhooks only
	Query    url.Values  // webhooks only
	Body     []byte
	Received time.Time
}

// A Door is how payloads arrive.
type Door string

// The doors.
const (
	Webhook Door = "webhook"
	Poll    Door = "poll"
	File    Door = "file"
	Mail    Door = "mail" // a mail provider's events
)

// A Delivery is a recorded payload.
type Delivery struct {
	ID         string
	Company    string
	Connection string
	Door       Door
	Key        string // equal for redeliveries
	Payload    Payload
}

// A Connector serves one connection: one company's account at one vendor.
// It also implements at least one door.
type Connector interface {
	// Decode returns the events in p. There may be none: the payload is known
	// and uninteresting, or a ping. A payload that no rule knows is an
	// ats.Invalid error. Decode does no I/O.
	Decode(p Payload) ([]ats.Event, error)
}

// Doors.
type (
	// A Receiver takes webhooks.
	Receiver interface {
		// Verify returns an ats.Denied error unless the vendor sent p. It
		// compares with p.Received, never with the clock.
		Verify(p Payload) error
	}

	// A Poller asks the vendor for news since cursor, "" the first time. What it
	// read before an error comes with the error: news and next count then too.
	// News that happened before the first time are history.
	Poller interface {
		Poll(ctx context.Context, cursor string) (news []Payload, next string, err error)
	}

	// A Pager is a Poller whose sweep takes several calls of Poll: what one call
	// brought is kept before the next is made.
	Pager interface {
		// More reports whether cursor lies within a sweep.
		More(cursor string) bool
	}

	// A Reader takes exported files apart.
	Reader interface {
		Read(file io.Reader) iter.Seq2[Payload, error]
	}
)

// Capabilities, which callers discover by type assertion.
type (
	// A Handshaker answers a vendor that tests our address before it signs
	// anything. The answer is 200, and nothing is kept: a handshake must have
	// no effect, because anybody can send one.
	Handshaker interface {
		Handshake(p Payload) (reply []byte, ok bool)
	}

	// An Identifier names payloads. Without it, or when it returns "", the
	// hash of the body does.
	Identifier interface {
		Key(p Payload) string
	}

	// An Acknowledger says which status codes its vendor wants: ok after a
	// delivery was kept, denied for a bad signature. Without it 200 and 401.
	Acknowledger interface {
		Statuses() (ok, denied int)
	}

	// A Replier says what its vendor wants to read besides the status code,
	// after a delivery was kept or was there already; its headers go into the
	// answer to a handshake too. The zero Reply is for vendors that do not care.
	Replier interface {
		Reply(p Payload) Reply
	}

	// A Matcher verifies like its Verify and tells which of the connection's
	// secrets fitted, so that it shows when an old one is no longer used.
	Matcher interface {
		Match(p Payload) (secret int, err error)
	}

	// A Pinger recognises a vendor's test delivery, so that it can be shown as
	// "connection OK".
	Pinger interface {
		Ping(p Payload) bool
	}

	// A Ringer recognises a delivery that says only that there is news: Poll is
	// due then, whatever the schedule says.
	Ringer interface {
		Rings(p Payload) bool
	}

	// A Redactor takes out of its verified payloads what must not be kept: a
	// session, or data that nobody trusts. What is left must still decode.
	Redactor interface {
		Redact(p Payload) Payload
	}

	// An Addresser says what its webhook's address has behind callback. A secret
	// in it is named, not shown.
	Addresser interface {
		Address(callback string) string
	}

	// A Completer fetches what an event's payload left out.
	Completer interface {
		Complete(ctx context.Context, e *ats.Event) error
	}

	// A Checker reads an application's state now, right before we act on it.
	Checker interface {
		State(ctx context.Context, e ats.Event) (ats.State, error)
	}

	// A Hinter says that its payloads are not authenticated content: only the
	// ids in them count, Complete and State decide. Hints need both.
	Hinter interface {
		Hint() bool
	}

	// A Signer makes the headers and the body that its vendor would send, for
	// simulations and tests.
	Signer interface {
		Sign(p Payload) (Payload, error)
	}

	// A Subscriber manages webhook subscriptions.
	Subscriber interface {
		// Subscribe makes sure that the vendor sends what this connector needs
		// to callback. It looks before it creates, so it may be called again:
		// to finish what broke off, and to renew what ends by itself.
		Subscribe(ctx context.Context, callback string) (Subscription, error)
		Unsubscribe(ctx context.Context, id string) error
	}

	// A Pusher creates a candidate in the vendor's system, with us as the source
	// and a note that says so, as far as the vendor has places for them. The
	// error is ats.Unclear when nobody can tell whether the vendor did it.
	Pusher interface {
		Push(ctx context.Context, c ats.Candidate, jobID string) (ref string, err error)
	}

	// A Finder is a Pusher that looks for what it would create, so that Push may
	// be repeated whatever became of it before.
	Finder interface {
		Finds() bool
	}

	// A JobLister lists the jobs that are open, which are those that Push can
	// name. An error ends the list.
	JobLister interface {
		Jobs(ctx context.Context) iter.Seq2[ats.Job, error]
	}
)

// Verified checks the signature of p and counts from 1 which secret fitted; 0 when
// the connector does not tell.
func Verified(door Receiver, p Payload) (secret int, err error) {
	if m, ok := door.(Matcher); ok {
		n, err := m.Match(p)
		return n + 1, err
	}
	return 0, door.Verify(p)
}

// A Reply is what a vendor reads in an answer besides the status code.
type Reply struct {
	Header http.Header
	Body   []byte
}

// A Subscription is what a Subscriber found or made.
type Subscription struct {
	ID string // the vendor's; several with commas between them where every event has its own
	// Secret is set when the vendor made it and the connection does not have it
	// yet. Store it among the connection's secrets, then subscribe once more:
	// it may be shown only this once, and some vendors send nothing before.
	Secret ats.Secret
	// Until is when the vendor stops unless Subscribe is called again; zero for
	// never.
	Until time.Time
}

// Env is what the service lends a connector.
type Env struct {
	HTTP *http.Client // refuses private addresses, unless the service allows them
	Log  *slog.Logger
	Now  func() time.Time
	// URL is the public address of the connection's webhook route, for vendors
	// that sign it or want to be told it.
	URL string
	// Vault keeps the connection's OAuth token. Without it every process gets
	// its own, which ends with it.
	Vault Vault
}

// A Factory opens a connector. It passes decode a pointer to the vendor's
// settings type; decode fills it strictly from the company's configuration.
type Factory func(env Env, decode func(any) error) (Connector, error)

// A Secret is one key of a connection with the time it is valid. The zero
// times mean no bound. It hides itself in every formatted output.
type Secret struct {
	Value     string
	NotBefore time.Time
	NotAfter  time.Time
	// For binds the secret to one kind of delivery, at a vendor that gives
	// every kind its own secret; "" fits all.
	For string
}

// String returns a mask.
func (Secret) String() string { return "[secret]" }

// GoString returns a mask.
func (Secret) GoString() string { return "[secret]" }

// Format writes a mask for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// MarshalText returns a mask, so that settings can be printed.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// LogValue returns a mask.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// At reports whether s is valid at t.
func (s Secret) At(t time.Time) bool {
	return !t.Before(s.NotBefore) && (s.NotAfter.IsZero() || t.Before(s.NotAfter))
}

// UnmarshalYAML reads a secret from its bare value or from
// {value: …, from: 2026-12-01, until: 2026-12-31, for: candidateHired}; the
// day of until is included, both in UTC.
func (s *Secret) UnmarshalYAML(unmarshal func(any) error) error {
	if err := unmarshal(&s.Value); err == nil {
		return nil
	}
	var v struct {
		Value string `yaml:"value"`
		From  string `yaml:"from"`
		Until string `yaml:"until"`
		For   string `yaml:"for"`
	}
	if err := unmarshal(&v); err != nil {
		return err
	}
	s.Value, s.For = v.Value, v.For
	for _, bound := range []struct {
		text string
		at   *time.Time
		days int
	}{{v.From, &s.NotBefore, 0}, {v.Until, &s.NotAfter, 1}} {
		if bound.text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, bound.text)
		if err != nil {
			return ats.Errorf(ats.Invalid, "%q is not a date; write 2026-12-31", bound.text)
		}
		*bound.at = day.AddDate(0, 0, bound.days)
	}
	return nil
}
