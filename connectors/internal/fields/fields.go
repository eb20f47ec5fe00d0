// Package fields reads records whose fields a company has named itself.
package fields

import (
	"errors"
	"slices"

	"github.com/career-relay/connector/connectors/spec"
)

// A Map says which of a company's own fields holds what. It is a part of a
// connection's settings.
type Map struct {
	Outcome      []string `yaml:"outcome"` // the most telling first
	Name         string   `yaml:"name"`
	FamilyName   string   `yaml:"family_name"`
	GivenName    string   `yaml:"given_name"`
	Kana         string   `yaml:"kana"`
	Email        string   `yaml:"email"`
	Locale       string   `yaml:"locale"`
	JobID        string   `yaml:"job_id"`
	JobTitle     string   `yaml:"job_title"`
	Department   string   `yaml:"department"`
	Stage        string   `yaml:"stage"`
	EndedAt      string   `yaml:"ended_at"`
	UpdatedAt    string   `yaml:"updated_at"`
	Channel      string   `yaml:"channel"`
	Consent      string   `yaml:"consent"`
	PersonalLine string   `yaml:"personal_line"`
}

// Validate reports every field that is missing.
func (m Map) Validate() error {
	var errs []error
	if len(m.Outcome) == 0 || slices.Contains(m.Outcome, "") {
		errs = append(errs, errors.New("fields.outcome: required; write the fields that hold the result, the most telling first"))
	}
	if m.Email == "" {
		errs = append(errs, errors.New("fields.email: required"))
	}
	if m.Name == "" && m.FamilyName == "" {
		errs = append(errs, errors.New("fields.name: required, or family_name and given_name"))
	}
	return errors.Join(errs...)
}

// single are the fields that hold one text, by the names that rules use.
func (m Map) single() map[string]string {
	return map[string]string{
		"name": m.Name, "family_name": m.FamilyName, "given_name": m.GivenName, "kana": m.Kana, "email": m.Email, "locale": m.Locale,
		"job_id": m.JobID, "job_title": m.JobTitle, "department": m.Department, "stage": m.Stage, "ended_at": m.EndedAt, "updated_at": m.UpdatedAt,
		"channel": m.Channel, "personal_line": m.PersonalLine,
	}
}

// Names lists the company's fields, each once.
func (m Map) Names() []string {
	out := slices.Concat(m.Outcome, []string{m.Consent})
	for _, name := range m.single() {
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return name == "" })
}

// A Reader reads records by a Map.
type Reader struct {
	Map
	// Words are what the company says that its labels mean.
	Words spec.Vocabulary
	// ConsentValue is what stands for a yes; without it the usual words count.
	ConsentValue string
}

// Answers are what rules see of a record: application; record, by the names of
// the Map; outcome, what its labels mean together; label and field, which
// decided. texts returns the texts in a field.
func (r Reader) Answers(application string, texts func(field string) []string) map[string]any {
	out := map[string]any{}
	for name, field := range r.single() {
		if field == "" {
			continue
		}
		if all := texts(field); len(all) > 0 && all[0] != "" {
			out[name] = all[0]
		}
	}
	if r.Consent != "" {
		for _, s := range texts(r.Consent) {
			switch {
			case s == "":
			case r.ConsentValue == "":
				out["consent"] = s
			case s == r.ConsentValue:
				out["consent"] = "yes"
			}
		}
	}
	var labels, of []string
	for _, field := range r.Outcome {
		for _, label := range texts(field) {
			labels, of = append(labels, label), append(of, field)
		}
	}
	outcome, at := r.Words.Outcome(labels)
	answers := map[string]any{"application": application, "record": out, "outcome": outcome, "label": "", "field": ""}
	if at >= 0 {
		answers["label"], answers["field"] = spec.ShortLabel(labels[at]), of[at]
	}
	return answers
}
