package mapping

// A Reason says how a document was understood, for whoever writes rules.
type Reason struct {
	Rule  int      `json:"rule"` // its place among all; -1 when none applied
	When  string   `json:"when,omitempty"`
	Says  string   `json:"says"`  // ignored, parked, or state and side
	Empty []string `json:"empty"` // fields of the rule that the document leaves empty
}

// Explain finds the rule that Map uses for doc.
func (m *Mapper) Explain(doc any) Reason {
	ctx, cancel := newBudget()
	defer cancel()
	for i, r := range m.rules {
		yes, err := evaluate(ctx, r.when, doc)
		if err != nil {
			return Reason{Rule: i, When: r.When, Says: "its condition failed"}
		}
		if yes != true {
			continue
		}
		out := Reason{Rule: i, When: r.When, Says: r.State + " by " + r.Side}
		switch {
		case r.Ignore:
			out.Says = "ignored"
		case r.Park != "":
			out.Says = "parked"
		}
		for _, f := range r.fields {
			if v, err := evaluate(ctx, f.code, doc); err == nil && blank(v) {
				out.Empty = append(out.Empty, f.name)
			}
		}
		return out
	}
	return Reason{Rule: -1, Says: "no rule knows it"}
}

func blank(v any) bool {
	if list, ok := v.([]any); ok {
		return len(list) == 0
	}
	return v == nil || v == ""
}
