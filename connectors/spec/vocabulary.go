package spec

import "github.com/career-relay/connector/mapping"

// A Vocabulary is what a company says that labels of its own mean. For code that
// reads several labels of one application together.
type Vocabulary map[string]mapping.Outcome

// NewVocabulary reads what stands at path in a company's file: label → outcome.
func NewVocabulary(path string, outcomes map[string]string) (Vocabulary, error) {
	own, err := labels(path, outcomes)
	return own, err
}

// Outcome reads labels, the most telling first, as mapping.OutcomeOfAll does; the
// company's own words come before the usual ones.
func (v Vocabulary) Outcome(labels []string) (outcome mapping.Outcome, at int) {
	return mapping.OutcomeOfAll(labels, func(label string) mapping.Outcome {
		if o, ok := v[fold(label)]; ok {
			return o
		}
		return mapping.OutcomeOf(label)
	})
}
