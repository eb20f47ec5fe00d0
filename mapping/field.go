package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
)

// maxText bounds one value in bytes.
const maxText = 2000

// setters fill the fields of an event, by the names that mapping files use.
var setters = map[string]func(d *draft, v any) error{
	"id":                       text(func(d *draft) *string { return &d.e.Application }),
	"at":                       moment(func(d *draft) *instant { return &d.at }),
	"sent_at":                  moment(func(d *draft) *instant { return &d.sent }),
	"side":                     setSide,
	"state":                    setState,
	"evidence":                 text(func(d *draft) *string { return &d.e.Evidence }),
	"stage":                    text(func(d *draft) *string { return &d.e.Stage }),
	"stage_kind":               setStageKind,
	"status":                   text(func(d *draft) *string { return &d.e.Status }),
	"reason":                   text(func(d *draft) *string { return &d.e.Reason }),
	"source":                   text(func(d *draft) *string { return &d.e.Source }),
	"agent":                    truth(func(d *draft) *bool { return &d.e.Agent }),
	"consent":                  setConsent,
	"personal_line":            text(func(d *draft) *string { return &d.e.PersonalLine }),
	"not_before":               setNotBefore,
	"history":                  truth(func(d *draft) *bool { return &d.e.History }),
	"into":                     text(func(d *draft) *string { return &d.e.Into }),
	"also":                     setAlso,
	"candidate.id":             text(func(d *draft) *string { return &d.e.Candidate.ID }),
	"candidate.name":           text(func(d *draft) *string { return &d.e.Candidate.Name }),
	"candidate.family_name":    text(func(d *draft) *string { return &d.e.Candidate.FamilyName }),
	"candidate.given_name":     text(func(d *draft) *string { return &d.e.Candidate.GivenName }),
	"candidate.kana":           text(func(d *draft) *string { return &d.e.Candidate.Kana }),
	"candidate.email":          setEmail,
	"candidate.locale":         setLocale,
	"candidate.type":           text(func(d *draft) *string { return &d.e.Candidate.Type }),
	"candidate.do_not_contact": truth(func(d *draft) *bool { return &d.e.Candidate.DoNotContact }),
	"candidate.private":        truth(func(d *draft) *bool { return &d.e.Candidate.Private }),
	"candidate.anonymized":     truth(func(d *draft) *bool { return &d.e.Candidate.Anonymized }),
	"job.id":                   text(func(d *draft) *string { return &d.e.Job.ID }),
	"job.title":                text(func(d *draft) *string { return &d.e.Job.Title }),
	"job.department":           text(func(d *draft) *string { return &d.e.Job.Department }),
	"job.confidential":         truth(func(d *draft) *bool { return &d.e.Job.Confidential }),
}

var fieldNames = slices.Sorted(maps.Keys(setters))

// Fields lists the names that a mapping file can give.
func Fields() []string { return slices.Clone(fieldNames) }

func text(field func(*draft) *string) func(*draft, any) error {
	return func(d *draft, v any) error {
		s, err := scalar(v)
		if err != nil {
			return err
		}
		*field(d) = s
		return nil
	}
}

// scalar writes a string or a number as text, the number with its own digits.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		s := strings.TrimSpace(v)
		if len(s) > maxText {
			s = strings.ToValidUTF8(s[:maxText], "")
		}
		return s, nil
	case json.Number:
		return v.String(), nil
	case int:
		return strconv.Itoa(v), nil
	case *big.Int:
		return v.String(), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", fmt.Errorf("want text, have %s", kind(v))
}

// kind names what v is, never what it says.
func kind(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "text"
	}
	return "a number"
}

func truth(field func(*draft) *bool) func(*draft, any) error {
	return func(d *draft, v any) error {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("want true or false, have %s", kind(v))
		}
		*field(d) = b
		return nil
	}
}

func moment(field func(*draft) *instant) func(*draft, any) error {
	return func(d *draft, v any) error {
		s, err := scalar(v)
		if err != nil {
			return err
		}
		*field(d), err = parseInstant(s)
		return err
	}
}

// setNotBefore takes a time, or the word unknown where the vendor knows an
// embargo and did not say it.
func setNotBefore(d *draft, v any) error {
	s, err := scalar(v)
	switch {
	case err != nil:
		return err
	case s == "unknown":
		d.e.Problems = append(d.e.Problems, ats.EmbargoUnknown)
		return nil
	}
	i, err := parseInstant(s)
	d.e.NotBefore = i.Time
	return err
}

func setState(d *draft, v any) error {
	s, err := scalar(v)
	if err != nil {
		return err
	}
	if !slices.Contains(ats.States, ats.State(s)) {
		return fmt.Errorf("not one of %v", ats.States)
	}
	d.e.State = ats.State(s)
	return nil
}

func setSide(d *draft, v any) error {
	s, err := scalar(v)
	if err != nil {
		return err
	}
	if !slices.Contains(ats.Sides, ats.Side(s)) {
		return fmt.Errorf("not one of %v", ats.Sides)
	}
	d.e.Side = ats.Side(s)
	return nil
}

// setStageKind takes one of our kinds, or a vendor's word for one.
func setStageKind(d *draft, v any) error {
	s, err := scalar(v)
	if err != nil {
		return err
	}
	d.e.StageKind = ats.StageKind(s)
	if !slices.Contains([]ats.StageKind{ats.Document, ats.Interview, ats.Final}, d.e.StageKind) {
		d.e.StageKind = ats.StageKindOf(s)
	}
	return nil
}

// setLocale keeps the language of a tag such as ja-JP.
func setLocale(d *draft, v any) error {
	s, err := scalar(v)
	if err != nil {
		return err
	}
	s, _, _ = strings.Cut(strings.ReplaceAll(strings.ToLower(s), "_", "-"), "-")
	d.e.Candidate.Locale = s
	return nil
}

// yes are the only values that count as a consent.
var yes = []string{"はい", "同意する", "同意", "true", "1", "yes", "○"}

func setConsent(d *draft, v any) error {
	s, err := scalar(v)
	if err != nil || s == "" {
		return err
	}
	d.e.Consent = ats.ConsentNo
	if slices.Contains(yes, strings.ToLower(s)) {
		d.e.Consent = ats.ConsentYes
	}
	return nil
}

func setAlso(d *draft, v any) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("want a list, have %s", kind(v))
	}
	for _, one := range list {
		s, err := scalar(one)
		if err != nil {
			return err
		}
		d.e.Also = append(d.e.Also, s)
	}
	return nil
}

// setEmail takes an address or a list of them. The first plain one counts, or
// the first that a person should look at. An address that cannot be used leaves
// a problem, not an error: the rejection itself must not be lost.
func setEmail(d *draft, v any) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var doubtful ats.Email
	d.emailSorry = ats.EmailMissing
	for _, one := range list {
		s, _ := one.(string)
		address, problem := ats.ParseEmail(s)
		switch {
		case problem == "":
			d.e.Candidate.Email = address
			return nil
		case address != "" && doubtful == "":
			doubtful = address
		case problem != ats.EmailMissing:
			d.emailSorry = problem
		}
	}
	if doubtful != "" {
		d.e.Candidate.Email = doubtful
		d.e.Problems = append(d.e.Problems, ats.EmailReview)
	}
	return nil
}

// nearest suggests the known word that is closest to a wrong one.
func nearest(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := edits(word, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, last+cost)
		}
	}
	return row[len(b)]
}
