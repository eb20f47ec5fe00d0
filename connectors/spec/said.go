package spec

import (
	"fmt"

	"github.com/career-relay/connector/mapping"
)

// saidRules are what a company's own labels mean, once it has said so. They go
// behind the customer's rules and before the vendor's. When several labels of
// one payload have a meaning, the first of these counts.
var saidRules = []mapping.Rule{
	{When: `.said.ignored != null`, Ignore: true},
	said(mapping.OutcomeWithdrawn, "withdrawn", "candidate"),
	said(mapping.OutcomeHired, "hired", "company"),
	said(mapping.OutcomeClosed, "closed", "company"),
	said(mapping.OutcomeOngoing, "reopened", "company"),
	said(mapping.OutcomeRejected, "rejected", "company"),
}

func said(o mapping.Outcome, state, side string) mapping.Rule {
	label := ".said." + string(o)
	return mapping.Rule{
		When: label + " != null", State: state, Side: side,
		Map: map[string]string{"evidence": `"the company says what this means: " + ` + label},
	}
}

// meanings are what one company says of labels that every company has its own
// of, such as stages and reasons.
type meanings struct {
	labels *mapping.Expression
	own    map[string]mapping.Outcome
}

// maxLabels bounds the labels of one payload.
const maxLabels = 20

// meaningsOf prepares a company's outcomes; nil when it has none.
func (c *Connector) meaningsOf(outcomes map[string]string) (*meanings, error) {
	switch {
	case len(outcomes) == 0:
		return nil, nil
	case c.x.labels == nil:
		return nil, fmt.Errorf("outcomes: %s sends no labels of a company's own", c.spec.Vendor)
	}
	own, err := labels("outcomes", outcomes)
	return &meanings{c.x.labels, own}, err
}

// say adds to a document which of its labels have a meaning: outcome → label.
func (m *meanings) say(doc map[string]any) {
	if m == nil {
		return
	}
	said := map[string]any{}
	values, _ := m.labels.Values(doc, maxLabels) // what does not fit has no labels
	for _, v := range values {
		label := fmt.Sprint(v)
		if o, ok := m.own[fold(label)]; ok && v != nil && said[string(o)] == nil {
			said[string(o)] = ShortLabel(label)
		}
	}
	doc["said"] = said
}
