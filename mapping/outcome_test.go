package mapping_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/career-relay/connector/mapping"
)

func TestOutcomeOf(t *testing.T) {
	for _, row := range table(t, "testdata/outcomes.csv") {
		if got := mapping.OutcomeOf(row[0]); string(got) != row[1] {
			t.Errorf("%s: got %s, want %s", row[0], got, row[1])
		}
	}
	tests := map[string]mapping.Outcome{
		"":               mapping.OutcomeOngoing, // a blank label has not ended
		" 　":             mapping.OutcomeOngoing,
		"不 採 用":          mapping.OutcomeRejected,
		"ｎｇ":             mapping.OutcomeRejected,
		"NG（連絡済）":        mapping.OutcomeRejected,
		"最終面接　お見送り":      mapping.OutcomeRejected,
		"Failed":         mapping.OutcomeRejected,
		"failure":        mapping.OutcomeUnknown,
		"No Show":        mapping.OutcomeIgnored,
		"NOSHOW":         mapping.OutcomeIgnored,
		"面接に来なかった":       mapping.OutcomeIgnored,
		"本人都合により辞退":      mapping.OutcomeWithdrawn,
		"応募を取り下げ":        mapping.OutcomeWithdrawn,
		"不合格（辞退扱い）":      mapping.OutcomeAmbiguous,
		"充足のため不採用":       mapping.OutcomeClosed,
		"不採用候補":          mapping.OutcomeOngoing,
		"別職種で選考":         mapping.OutcomeOngoing,
		"採用見送り":          mapping.OutcomeRejected,
		"オファー承諾":         mapping.OutcomeHired,
		"Offer accepted": mapping.OutcomeHired,
		"済":              mapping.OutcomeUnknown,
	}
	for label, want := range tests {
		if got := mapping.OutcomeOf(label); got != want {
			t.Errorf("%q: got %s, want %s", label, got, want)
		}
	}
}

// The rules in the code are the agreed rules: for every label of the vocabulary
// and every two of them in one cell, both say the same.
func TestOutcomeOfFollowsTheRules(t *testing.T) {
	text, err := os.ReadFile("testdata/outcome-rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules []struct{ Outcome, RE2 string }
	if err := json.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	words := make([]*regexp.Regexp, len(rules))
	for i, r := range rules {
		words[i] = regexp.MustCompile(r.RE2)
	}
	want := func(label string) string {
		s := strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(label)), ""))
		for i, w := range words {
			if w.MatchString(s) {
				return rules[i].Outcome
			}
		}
		return "unknown"
	}
	var labels []string
	for _, row := range table(t, "testdata/outcomes.csv") {
		labels = append(labels, row[0])
	}
	for _, a := range labels {
		for _, b := range append([]string{""}, labels...) {
			for _, label := range []string{a + b, a + "（" + b + "）", a + "/" + b} {
				if got := mapping.OutcomeOf(label); string(got) != want(label) {
					t.Errorf("%q: got %s, want %s", label, got, want(label))
				}
			}
		}
	}
}

func TestOutcomeOfAll(t *testing.T) {
	for name, tt := range map[string]struct {
		labels []string
		want   mapping.Outcome
		at     int
	}{
		"nothing":                              {nil, mapping.OutcomeOngoing, -1},
		"blanks":                               {[]string{"", "　"}, mapping.OutcomeOngoing, -1},
		"one label":                            {[]string{"不採用"}, mapping.OutcomeRejected, 0},
		"the first that says anything":         {[]string{"", "お見送り"}, mapping.OutcomeRejected, 1},
		"the most telling comes first":         {[]string{"内定辞退", "選考終了"}, mapping.OutcomeWithdrawn, 0},
		"one that is not known is passed over": {[]string{"選考終了", "不採用"}, mapping.OutcomeRejected, 1},
		"none is known":                        {[]string{"選考終了", "終了"}, mapping.OutcomeUnknown, 1},
		"both sides":                           {[]string{"不採用", "選考辞退"}, mapping.OutcomeAmbiguous, 1},
		"both sides, the other way":            {[]string{"選考辞退", "不採用"}, mapping.OutcomeAmbiguous, 0},
		"rejected and hired":                   {[]string{"不採用", "採用"}, mapping.OutcomeAmbiguous, 1},
		"rejected in the end":                  {[]string{"不採用", "選考中"}, mapping.OutcomeRejected, 0},
		"under way, rejected below":            {[]string{"選考中", "不採用"}, mapping.OutcomeAmbiguous, 0},
		"a duplicate, whatever else":           {[]string{"重複", "不採用"}, mapping.OutcomeIgnored, 0},
	} {
		if got, at := mapping.OutcomeOfAll(tt.labels, mapping.OutcomeOf); got != tt.want || at != tt.at {
			t.Errorf("%s: got %s by %d, want %s by %d", name, got, at, tt.want, tt.at)
		}
	}
}
