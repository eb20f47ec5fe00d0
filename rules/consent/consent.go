// Package consent knows what a person agreed to and what follows from it.
package consent

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// A Purpose is one thing a person can agree to.
type Purpose string

// The purposes. Statistics is a notice, not a question.
const (
	RelayHandover        Purpose = "relay_handover"
	EmployerIntroduction Purpose = "employer_introduction"
	Newsletter           Purpose = "newsletter"
	TellCompany          Purpose = "tell_company"
	Statistics           Purpose = "statistics"
)

// Purposes lists what is asked, in the order of the form.
var Purposes = []Purpose{RelayHandover, EmployerIntroduction, Newsletter, TellCompany}

// How long links live.
const (
	RelayLinkLife   = 28 * 24 * time.Hour
	ConfirmLinkLife = 7 * 24 * time.Hour
	MyLinkLife      = 365 * 24 * time.Hour
	StopLinkLife    = 5 * 365 * 24 * time.Hour // longer than any mail is kept
)

// A Text is the wording of one purpose in one language. A changed wording gets
// a new version; what a person saw is never rewritten.
type Text struct {
	Purpose Purpose `yaml:"purpose"`
	Version string  `yaml:"version"`
	Locale  string  `yaml:"locale"`
	Body    string  `yaml:"body"` // with {{company_name}}, {{recipient_name}}, {{licence}}
	Hash    string  `yaml:"-"`    // of Body as it was shown
}

// Texts are the wordings in force, one for each purpose and language.
type Texts []Text

// Find returns the text of a purpose in a language.
func (ts Texts) Find(p Purpose, locale string) (Text, error) {
	for _, t := range ts {
		if t.Purpose == p && t.Locale == locale {
			return t, nil
		}
	}
	return Text{}, ats.Errorf(ats.NotFound, "no text for %s in %s", p, locale)
}

// Validate reports every problem: each purpose and the notice need one text in
// Japanese and one in English, and no unknown variables.
func (ts Texts) Validate() error {
	var errs []error
	all := slices.Concat(Purposes, []Purpose{Statistics})
	for _, p := range all {
		for _, locale := range []string{"ja", "en"} {
			if _, err := ts.Find(p, locale); err != nil {
				errs = append(errs, err)
			}
		}
	}
	seen := map[[2]string]bool{}
	for i, t := range ts {
		key := [2]string{string(t.Purpose), t.Locale}
		if seen[key] {
			errs = append(errs, fmt.Errorf("texts[%d]: a second text for %s in %s", i, t.Purpose, t.Locale))
		}
		seen[key] = true
		if !slices.Contains(all, t.Purpose) {
			errs = append(errs, fmt.Errorf("texts[%d].purpose: %q is not one of %v", i, t.Purpose, all))
		}
		if t.Locale != "ja" && t.Locale != "en" {
			errs = append(errs, fmt.Errorf("texts[%d].locale: %q is not one of ja, en", i, t.Locale))
		}
		if t.Version == "" {
			errs = append(errs, fmt.Errorf("texts[%d].version: required", i))
		}
		if strings.TrimSpace(t.Body) == "" {
			errs = append(errs, fmt.Errorf("texts[%d].body: required", i))
		}
		if _, err := t.Show(Names{}); err != nil {
			errs = append(errs, fmt.Errorf("texts[%d].body: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// Names fill a text.
type Names struct{ Company, Recipient, Licence string }

var variable = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// Show returns the text as a person sees it, with the hash of exactly that.
func (t Text) Show(n Names) (Text, error) {
	var unknown error
	if rest := variable.ReplaceAllString(t.Body, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		unknown = ats.Errorf(ats.Invalid, "{{ and }} do not pair")
	}
	t.Body = variable.ReplaceAllStringFunc(t.Body, func(m string) string {
		switch name := variable.FindStringSubmatch(m)[1]; name {
		case "company_name":
			return n.Company
		case "recipient_name":
			return n.Recipient
		case "licence":
			return n.Licence
		default:
			unknown = ats.Errorf(ats.Invalid, "{{%s}} is not a variable; have company_name, recipient_name, licence", name)
			return m
		}
	})
	sum := sha256.Sum256([]byte(t.Body))
	t.Hash = hex.EncodeToString(sum[:])
	return t, unknown
}

// A Record is one recorded yes.
type Record struct {
	ID          string
	Purpose     Purpose
	TextVersion string
	Locale      string
	Text        string // as it was shown
	GivenAt     time.Time
	ConfirmedAt time.Time
	WithdrawnAt time.Time
}

// valid reports whether r allows anything at t: given, confirmed by the mailbox
// and not taken back.
func (r Record) valid(t time.Time) bool {
	return !r.GivenAt.IsZero() && !r.ConfirmedAt.IsZero() && !t.Before(r.ConfirmedAt) && (r.WithdrawnAt.IsZero() || t.Before(r.WithdrawnAt))
}

// May returns the consent that allows p at t. An introduction to employers
// also needs the hand-over that it rests on.
func May(records []Record, p Purpose, t time.Time) (Record, bool) {
	if p == EmployerIntroduction {
		if _, ok := May(records, RelayHandover, t); !ok {
			return Record{}, false
		}
	}
	for _, r := range records {
		if r.Purpose == p && r.valid(t) {
			return r, true
		}
	}
	return Record{}, false
}

// NewToken returns an opaque random token of at least 128 bits that can stand
// in a URL.
func NewToken() string { return rand.Text() }

// HashToken is what is stored of a token. A plain hash is enough: nobody can
// guess a random token by trying, so there is nothing to slow down.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
