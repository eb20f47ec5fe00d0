// Package mapping makes events from any payload by rules written in jq.
package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"github.com/career-relay/connector/ats"
)

// Deadline bounds the evaluation of one payload; maxText one value.
const (
	Deadline = 200 * time.Millisecond
	maxText  = 2000
)

// A Spec is a mapping as it stands in a file: where things are, and what they
// mean. The expressions see {headers, query, body, received}.
type Spec struct {
	Map    map[string]string `yaml:"map"`
	Events []Rule            `yaml:"events"`
}

// A Rule says what a payload means when it applies. The first that applies
// wins; its own map replaces single fields.
type Rule struct {
	When   string            `yaml:"when"`
	Ignore bool              `yaml:"ignore"`
	State  string            `yaml:"state"`
	Side   string            `yaml:"side"`
	Map    map[string]string `yaml:"map"`
}

// With returns s with a customer's own rules before its rules and the
// customer's fields in place of its fields.
func (s Spec) With(own Spec) Spec {
	out := Spec{Map: maps.Clone(s.Map), Events: slices.Concat(own.Events, s.Events)}
	if out.Map == nil {
		out.Map = map[string]string{}
	}
	maps.Copy(out.Map, own.Map)
	return out
}

// A Mapper is a compiled Spec. It may be used concurrently.
type Mapper struct {
	fields map[string]*gojq.Code
	rules  []rule
}

type rule struct {
	Rule
	when   *gojq.Code
	fields map[string]*gojq.Code
}

// Compile checks s and prepares it. Its error lists every problem with the
// path of its key.
func Compile(s Spec) (*Mapper, error) {
	m := &Mapper{}
	var errs []error
	var err error
	if m.fields, err = compileFields("map", s.Map); err != nil {
		errs = append(errs, err)
	}
	if len(s.Events) == 0 {
		errs = append(errs, errors.New("events: at least one rule"))
	}
	for i, r := range s.Events {
		c, err := compileRule(r, m.fields)
		if err != nil {
			errs = append(errs, prefix(fmt.Sprintf("events[%d]: ", i), err))
			continue
		}
		m.rules = append(m.rules, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return m, nil
}

// prefix puts a path before every line of a joined error.
func prefix(path string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // only the outermost join is split
		var out []error
		for _, e := range joined.Unwrap() {
			out = append(out, prefix(path, e))
		}
		return errors.Join(out...)
	}
	return fmt.Errorf("%s%w", path, err)
}

func compileRule(r Rule, general map[string]*gojq.Code) (rule, error) {
	c := rule{Rule: r}
	var errs []error
	var err error
	if r.When == "" {
		errs = append(errs, errors.New("when: required"))
	} else if c.when, err = compile(r.When); err != nil {
		errs = append(errs, fmt.Errorf("when: %w", err))
	}
	if c.fields, err = compileFields("map", r.Map); err != nil {
		errs = append(errs, err)
	}
	if r.Ignore {
		if r.State != "" || r.Side != "" || len(r.Map) > 0 {
			errs = append(errs, errors.New("ignore: stands alone"))
		}
		return c, errors.Join(errs...)
	}
	if !slices.Contains(ats.States, ats.State(r.State)) {
		errs = append(errs, fmt.Errorf("state: %q is not one of %v", r.State, ats.States))
	}
	if !slices.Contains(ats.Sides, ats.Side(r.Side)) {
		errs = append(errs, fmt.Errorf("side: %q is not one of %v", r.Side, ats.Sides))
	}
	if c.fields["id"] == nil && general["id"] == nil && c.fields["candidate.id"] == nil && general["candidate.id"] == nil {
		errs = append(errs, errors.New("map.id: required, or candidate.id for an event about a person"))
	}
	return c, errors.Join(errs...)
}

func compileFields(path string, fields map[string]string) (map[string]*gojq.Code, error) {
	out := map[string]*gojq.Code{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if setters[name] == nil {
			errs = append(errs, fmt.Errorf("%s.%s: no such field%s; have %v", path, name, nearest(name, Fields()), Fields()))
			continue
		}
		code, err := compile(fields[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%s: %w", path, name, err))
			continue
		}
		out[name] = code
	}
	return out, errors.Join(errs...)
}

// refused are the parts of jq that reach outside the payload.
var refused = []string{"now", "env", "$ENV", "input", "inputs", "debug", "stderr", "input_filename", "input_line_number", "localtime", "mktime", "$__loc__", "halt", "halt_error"}

func compile(text string) (*gojq.Code, error) {
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not jq: %w", text, err)
	}
	for _, word := range strings.FieldsFunc(query.String(), func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.\"", r)
	}) {
		if slices.Contains(refused, word) {
			return nil, fmt.Errorf("%q: %s is not allowed here; only the payload can be read", text, word)
		}
	}
	code, err := gojq.Compile(query, gojq.WithEnvironLoader(func() []string { return nil }),
		gojq.WithFunction("outcome", 0, 0, func(v any, _ []any) any {
			s, _ := v.(string)
			return string(OutcomeOf(s))
		}))
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return code, nil
}

// Map returns the event in doc, or none for a payload that a rule ignores. A
// payload that no rule knows is an ats.Invalid error: it must not be lost.
func (m *Mapper) Map(doc any, received time.Time) ([]ats.Event, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	for i, r := range m.rules {
		yes, err := evaluate(ctx, r.when, doc)
		if err != nil {
			return nil, ats.Errorf(ats.Invalid, "events[%d].when: %w", i, err)
		}
		if yes != true {
			continue
		}
		if r.Ignore {
			return nil, nil
		}
		e, err := m.event(ctx, r, doc, received)
		if err != nil {
			return nil, ats.Errorf(ats.Invalid, "events[%d]: %w", i, err)
		}
		return []ats.Event{e}, nil
	}
	return nil, ats.Errorf(ats.Invalid, "no rule knows this payload")
}

func (m *Mapper) event(ctx context.Context, r rule, doc any, received time.Time) (ats.Event, error) {
	e := ats.Event{State: ats.State(r.State), Side: ats.Side(r.Side)}
	d := draft{e: &e}
	for _, name := range Fields() {
		code := r.fields[name]
		if code == nil {
			code = m.fields[name]
		}
		if code == nil {
			continue
		}
		v, err := evaluate(ctx, code, doc)
		if err != nil {
			return e, fmt.Errorf("map.%s: %w", name, err)
		}
		if v == nil {
			continue
		}
		if err := setters[name](&d, v); err != nil {
			return e, fmt.Errorf("map.%s: %w", name, err)
		}
	}
	return d.finish(received)
}

// evaluate returns the first output of an expression. Errors name the kind of
// trouble only: gojq's own texts quote the payload.
func evaluate(ctx context.Context, code *gojq.Code, doc any) (any, error) {
	v, ok := code.RunWithContext(ctx, doc).Next()
	if !ok {
		return nil, nil
	}
	if err, isErr := v.(error); isErr {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("takes longer than %s", Deadline)
		}
		return nil, nil //nolint:nilerr // a value of an unexpected kind is a missing value
	}
	return v, nil
}

// A draft is an event whose times are still to be chosen.
type draft struct {
	e          *ats.Event
	at, sent   time.Time
	emailSorry string
}

func (d *draft) finish(received time.Time) (ats.Event, error) {
	e := d.e
	switch {
	case !d.at.IsZero():
		e.At, e.Clock = d.at, ats.DecidedClock
	case !d.sent.IsZero():
		e.At, e.Clock = d.sent, ats.SentClock
	default:
		e.At, e.Clock = received.UTC(), ats.ReceivedClock
	}
	if e.Application == "" && e.Candidate.ID == "" {
		return *e, errors.New("map.id: the payload has no id")
	}
	if e.Application == "" && e.State != ats.Erased && e.State != ats.Merged {
		return *e, errors.New("map.id: the payload has no application id")
	}
	if e.StageKind == "" {
		e.StageKind = ats.StageKindOf(e.Stage)
	}
	if e.Candidate.Email == "" && d.emailSorry != "" {
		e.Problems = append(e.Problems, d.emailSorry)
	}
	return *e, nil
}

// setters fill the fields of an event, by the names that mapping files use.
var setters = map[string]func(d *draft, v any) error{
	"id":                       text(func(d *draft) *string { return &d.e.Application }),
	"at":                       moment(func(d *draft) *time.Time { return &d.at }),
	"sent_at":                  moment(func(d *draft) *time.Time { return &d.sent }),
	"side":                     setSide,
	"state":                    setState,
	"evidence":                 text(func(d *draft) *string { return &d.e.Evidence }),
	"stage":                    text(func(d *draft) *string { return &d.e.Stage }),
	"stage_kind":               text(func(d *draft) *string { return (*string)(&d.e.StageKind) }),
	"status":                   text(func(d *draft) *string { return &d.e.Status }),
	"reason":                   text(func(d *draft) *string { return &d.e.Reason }),
	"source":                   text(func(d *draft) *string { return &d.e.Source }),
	"agent":                    truth(func(d *draft) *bool { return &d.e.Agent }),
	"consent":                  setConsent,
	"personal_line":            text(func(d *draft) *string { return &d.e.PersonalLine }),
	"into":                     text(func(d *draft) *string { return &d.e.Into }),
	"also":                     setAlso,
	"candidate.id":             text(func(d *draft) *string { return &d.e.Candidate.ID }),
	"candidate.name":           text(func(d *draft) *string { return &d.e.Candidate.Name }),
	"candidate.family_name":    text(func(d *draft) *string { return &d.e.Candidate.FamilyName }),
	"candidate.given_name":     text(func(d *draft) *string { return &d.e.Candidate.GivenName }),
	"candidate.kana":           text(func(d *draft) *string { return &d.e.Candidate.Kana }),
	"candidate.email":          setEmail,
	"candidate.locale":         text(func(d *draft) *string { return &d.e.Candidate.Locale }),
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
func Fields() []string { return fieldNames }

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

func kind(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	}
	return "a value of another kind"
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

func moment(field func(*draft) *time.Time) func(*draft, any) error {
	return func(d *draft, v any) error {
		s, err := scalar(v)
		if err != nil || s == "" {
			return err
		}
		t, err := ParseTime(s)
		if err != nil {
			return err
		}
		*field(d) = t
		return nil
	}
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

// setEmail takes an address or a list of them; the first usable one counts. An
// address that cannot be used leaves a problem, not an error: the rejection
// itself must not be lost.
func setEmail(d *draft, v any) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	d.emailSorry = ats.EmailMissing
	for _, one := range list {
		s, ok := one.(string)
		if !ok {
			continue
		}
		address, problem := ats.ParseEmail(s)
		if address != "" {
			d.e.Candidate.Email = address
			if problem != "" {
				d.e.Problems = append(d.e.Problems, problem)
			}
			return nil
		}
		if problem != ats.EmailMissing {
			d.emailSorry = problem
		}
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

// An Expression is one jq expression outside the field table.
type Expression struct{ code *gojq.Code }

// Parse prepares an expression; an empty one is nil.
func Parse(s string) (*Expression, error) {
	if s == "" {
		return nil, nil
	}
	code, err := compile(s)
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return &Expression{code}, nil
}

func (x *Expression) value(doc any) any {
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	v, err := evaluate(ctx, x.code, doc)
	if err != nil {
		return nil
	}
	return v
}

// True reports whether the expression is true of doc.
func (x *Expression) True(doc any) bool { return x.value(doc) == true }

// Text returns the expression's text or number.
func (x *Expression) Text(doc any) (string, bool) {
	v := x.value(doc)
	if v == nil {
		return "", false
	}
	s, err := scalar(v)
	return s, err == nil && s != ""
}
