// Package mapping makes events from any payload by rules written in jq.
package mapping

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/itchyny/gojq"

	"github.com/career-relay/connector/ats"
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
	Park   string            `yaml:"park"` // why a person must look: known, but not to be decided
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
	rules []rule
}

// A rule is a Rule that is ready to run, with the fields that it gives.
type rule struct {
	Rule
	when   *gojq.Code
	fields []field
}

type field struct {
	name string
	code *gojq.Code
}

// Compile checks s and prepares it. Its error lists every problem with the
// path of its key.
func Compile(s Spec) (*Mapper, error) {
	general, err := compileFields("map", s.Map)
	errs := []error{err}
	if len(s.Events) == 0 {
		errs = append(errs, errors.New("events: at least one rule"))
	}
	m := &Mapper{}
	for i, r := range s.Events {
		c, err := compileRule(r, general)
		if err != nil {
			errs = append(errs, prefix(fmt.Sprintf("events[%d]: ", i), err))
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
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // only the outermost join is split
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
	own, err := compileFields("map", r.Map)
	errs = append(errs, err)
	if r.Ignore || r.Park != "" {
		meaning := r.State != "" || r.Side != "" || len(r.Map) > 0
		if r.Ignore && (meaning || r.Park != "") {
			errs = append(errs, errors.New("ignore: stands alone"))
		}
		if r.Park != "" && meaning {
			errs = append(errs, errors.New("park: stands alone"))
		}
		return c, errors.Join(errs...)
	}
	if !slices.Contains(ats.States, ats.State(r.State)) {
		errs = append(errs, fmt.Errorf("state: %q is not one of %v", r.State, ats.States))
	}
	if !slices.Contains(ats.Sides, ats.Side(r.Side)) {
		errs = append(errs, fmt.Errorf("side: %q is not one of %v", r.Side, ats.Sides))
	}
	for _, name := range fieldNames {
		if code := own[name]; code != nil {
			c.fields = append(c.fields, field{name, code})
		} else if code := general[name]; code != nil {
			c.fields = append(c.fields, field{name, code})
		}
	}
	if !slices.ContainsFunc(c.fields, func(f field) bool { return f.name == "id" || f.name == "candidate.id" }) {
		errs = append(errs, errors.New("map.id: required, or candidate.id for an event about a person"))
	}
	return c, errors.Join(errs...)
}

func compileFields(path string, fields map[string]string) (map[string]*gojq.Code, error) {
	out := map[string]*gojq.Code{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if setters[name] == nil {
			errs = append(errs, fmt.Errorf("%s.%s: no such field%s; have %v", path, name, nearest(name, fieldNames), fieldNames))
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

// Map returns the event in doc, or none for a payload that a rule ignores. A
// payload that no rule knows is an ats.Invalid error: it must not be lost.
func (m *Mapper) Map(doc any, received time.Time) ([]ats.Event, error) {
	ctx, cancel := newBudget()
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
		if r.Park != "" {
			return nil, ats.Errorf(ats.Invalid, "%s", r.Park)
		}
		e, err := r.event(ctx, doc, received)
		if err != nil {
			return nil, ats.Errorf(ats.Invalid, "events[%d].%w", i, err)
		}
		return []ats.Event{e}, nil
	}
	return nil, ats.Errorf(ats.Invalid, "no rule knows this payload")
}

func (r rule) event(ctx context.Context, doc any, received time.Time) (ats.Event, error) {
	d := draft{e: ats.Event{State: ats.State(r.State), Side: ats.Side(r.Side)}}
	for _, f := range r.fields {
		v, err := evaluate(ctx, f.code, doc)
		if err == nil && v != nil {
			err = setters[f.name](&d, v)
		}
		if err != nil {
			return d.e, fmt.Errorf("map.%s: %w", f.name, err)
		}
	}
	return d.finish(received)
}

// A draft is an event whose times are still to be chosen.
type draft struct {
	e          ats.Event
	at, sent   instant
	emailSorry string
}

func (d *draft) finish(received time.Time) (ats.Event, error) {
	e := d.e
	switch {
	case !d.at.IsZero():
		e.At, e.Clock = d.at.within(received), ats.DecidedClock
	case !d.sent.IsZero():
		e.At, e.Clock = d.sent.within(received), ats.SentClock
	default:
		e.At, e.Clock = received.UTC(), ats.ReceivedClock
	}
	if e.Application == "" && e.Candidate.ID == "" {
		return e, errors.New("map.id: the payload has no id")
	}
	if e.Application == "" && e.State != ats.Erased && e.State != ats.Merged {
		return e, errors.New("map.id: the payload has no application id")
	}
	if e.StageKind == "" {
		e.StageKind = ats.StageKindOf(e.Stage)
	}
	if e.Candidate.FamilyName == "" && e.Candidate.GivenName == "" {
		name, _ := ats.Greeting(e.Candidate)
		e.Candidate.FamilyName, e.Candidate.GivenName = ats.SplitName(name)
	}
	if e.Candidate.Email == "" && d.emailSorry != "" {
		e.Problems = append(e.Problems, d.emailSorry)
	}
	return e, nil
}
