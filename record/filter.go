package record

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// PageSize is how many rows a list returns unless asked, MaxPage at most.
const (
	PageSize = 50
	MaxPage  = 200
)

// A Filter narrows a list. Empty fields do not narrow. The same filter is used
// by the command line, the API and the console; a list ignores the fields
// that its rows do not have.
type Filter struct {
	ID          string // one, or several with commas between them
	Company     string
	Connection  string
	Vendor      string
	State       string // state, or disposition of a delivery
	Kind        string // kind of a job or of an alert
	Purpose     string
	Recipient   string
	Fault       string // class of a job's error; "unexpected" for one without
	Error       string // part of a job's error or of a mail's or delivery's reason
	Application string // the vendor's application id
	Email       string // an address; compared through the keyed hash
	Person      string // our own id of a person, which is not personal data
	Batch       string
	Actor       string // of the audit log: who did it
	Verb        string // of the audit log: what was done
	Noun        string // of the audit log: to what kind of thing
	Since       time.Time
	Until       time.Time
	Order       string // of mails: "" for the newest first, ByDue for the next due first
	After       string // id of the last row of the page before
	Limit       int
}

// ByDue is the order of an outbox: what leaves next comes first.
const ByDue = "due"

// states are what State can be, by the kind of row as the audit log calls it.
var states = map[string][]string{
	"delivery":    {"new", "decoded", "ignored", "parked", "quarantined"},
	"application": {"rejected", "withdrawn", "hired", "reopened", "closed", "erased", "merged"},
	"mail":        {"held", "stopped", "sending", "sent", "unclear", "failed", "cancelled", "suppressed"},
	"job":         {"waiting", "dispatched", "running", "done", "dead", "cancelled", "unclear"},
	"referral":    {"waiting", "handed_over", "failed", "cancelled", "withdrawn"},
	"consent":     {"given", "withdrawn"},
	"batch":       {"running", "paused", "done", "cancelled", "interrupted"},
	"alert":       {"open", "muted", "resolved"},
}

// States lists the states of a kind of row.
func States(noun string) []string { return slices.Clone(states[noun]) }

// CheckState refuses a state that no row of this kind can have: the list would
// be empty, and nobody would know why.
func (f Filter) CheckState(noun string) error {
	if known := states[noun]; f.State != "" && len(known) > 0 && !slices.Contains(known, f.State) {
		return ats.Errorf(ats.Invalid, "state: %q is not a state of %s; have %s", f.State, Plural(noun), strings.Join(known, " "))
	}
	return nil
}

// plurals are those that want more than an s.
var plurals = map[string]string{"delivery": "deliveries", "batch": "batches"}

// Plural is the word for several rows of a kind.
func Plural(noun string) string {
	if p, ok := plurals[noun]; ok {
		return p
	}
	return noun + "s"
}

// names maps the words of URLs and flags to fields.
var names = map[string]func(*Filter) *string{
	"id":          func(f *Filter) *string { return &f.ID },
	"company":     func(f *Filter) *string { return &f.Company },
	"connection":  func(f *Filter) *string { return &f.Connection },
	"vendor":      func(f *Filter) *string { return &f.Vendor },
	"state":       func(f *Filter) *string { return &f.State },
	"kind":        func(f *Filter) *string { return &f.Kind },
	"purpose":     func(f *Filter) *string { return &f.Purpose },
	"recipient":   func(f *Filter) *string { return &f.Recipient },
	"fault":       func(f *Filter) *string { return &f.Fault },
	"error":       func(f *Filter) *string { return &f.Error },
	"application": func(f *Filter) *string { return &f.Application },
	"batch":       func(f *Filter) *string { return &f.Batch },
	"person":      func(f *Filter) *string { return &f.Person },
	"actor":       func(f *Filter) *string { return &f.Actor },
	"verb":        func(f *Filter) *string { return &f.Verb },
	"noun":        func(f *Filter) *string { return &f.Noun },
	"order":       func(f *Filter) *string { return &f.Order },
	"after":       func(f *Filter) *string { return &f.After },
}

// Text returns the field of f that name names, for a flag or a form.
func (f *Filter) Text(name string) *string {
	if get, ok := names[name]; ok {
		return get(f)
	}
	return nil
}

// ParseFilter reads a filter from a query string. An unknown word is an
// ats.Invalid error that lists the known ones. now is the reference of
// relative times such as "24h" or "7d". Addresses are never read from URLs.
func ParseFilter(q url.Values, now time.Time) (Filter, error) {
	var f Filter
	for name, values := range q {
		value := strings.TrimSpace(values[0])
		if value == "" {
			continue
		}
		if err := f.set(name, value, now); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *Filter) set(name, value string, now time.Time) error {
	var err error
	switch name {
	case "since":
		f.Since, err = ParseTime(value, now)
	case "until":
		f.Until, err = ParseTime(value, now)
	case "limit":
		f.Limit, err = strconv.Atoi(value)
		if err != nil || f.Limit < 1 || f.Limit > MaxPage {
			return ats.Errorf(ats.Invalid, "limit: %q is not a number from 1 to %d", value, MaxPage)
		}
	case "order":
		if value != ByDue {
			return ats.Errorf(ats.Invalid, "order: %q is not one of %s", value, ByDue)
		}
		f.Order = value
	default:
		field := f.Text(name)
		if field == nil {
			return ats.Errorf(ats.Invalid, "%q is not a filter; have %s", name, strings.Join(FilterNames(), " "))
		}
		*field = value
	}
	return err
}

// FilterNames lists the words that ParseFilter knows.
func FilterNames() []string {
	all := []string{"since", "until", "limit"}
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// ParseTime reads an RFC 3339 time, a date (midnight UTC), or an age such as
// "24h" or "7d" before now.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	var age ats.Duration
	if err := age.UnmarshalText([]byte(s)); err != nil {
		return time.Time{}, ats.Errorf(ats.Invalid, "%q is not a time; write 2026-11-24, 2026-11-24T09:00:00+09:00, 24h or 7d", s)
	}
	return now.Add(-age.Std()), nil
}

// Query writes f as a query string that ParseFilter reads.
func (f Filter) Query() url.Values {
	q := url.Values{}
	for name, get := range names {
		if v := *get(&f); v != "" {
			q.Set(name, v)
		}
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339))
	}
	if !f.Until.IsZero() {
		q.Set("until", f.Until.Format(time.RFC3339))
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

// Narrow reports whether f narrows at all. Verbs over a filter that does not
// are refused.
func (f Filter) Narrow() bool {
	f.Order, f.After, f.Limit = "", "", 0
	return f != Filter{}
}

// NeedCompany is an ats.Invalid error when f asks for an address without
// saying whose: the keyed hashes of addresses differ from company to company.
func (f Filter) NeedCompany() error {
	if f.Email != "" && f.Company == "" {
		return ats.Errorf(ats.Invalid, "email: needs company beside it")
	}
	return nil
}

// Rows returns the number of rows to read.
func (f Filter) Rows() int {
	if f.Limit <= 0 {
		return PageSize
	}
	return min(f.Limit, MaxPage)
}
