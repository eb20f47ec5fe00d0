package mapping_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mapping"
)

func expression(tb testing.TB, text string) *mapping.Expression {
	tb.Helper()
	x, err := mapping.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

func TestFunctions(t *testing.T) {
	doc := document(t, `{"blank":" \t","null":"null","undefined":"undefined","template":" {{ candidate.email }} ","variable":"${email}","half":"{{x","text":" Hana ","number":7,"zero":0,
		"label":"選考辞退"}`)
	tests := map[string]string{
		".body.label | outcome":             "withdrawn",
		".body.label | ended_by":            "candidate",
		".body.number | ended_by":           "unknown",
		".body.number | outcome":            "ongoing",
		`.body.blank | given // "none"`:     "none",
		`.body.null | given // "none"`:      "none",
		`.body.undefined | given // "none"`: "none",
		`.body.template | given // "none"`:  "none",
		`.body.variable | given // "none"`:  "none",
		`.body.missing | given // "none"`:   "none",
		`.body.half | given // "none"`:      "{{x",
		`.body.text | given // "none"`:      "Hana",
		`.body.number | given // "none"`:    "7",
		`.body.zero | given // "none"`:      "0",
		".body.text | digest | length":      "20",
		`.body.number | digest // "none"`:   "none",
		`(.body.text | digest) == (.body.text | digest) and (.body.text | digest) != (.body.half | digest)`: "true",
		`.body.text | digest | contains("Hana")`:                                                            "false",
	}
	for text, want := range tests {
		if got, _ := expression(t, text).Text(doc); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	doc := document(t, `{"list":["a",null,{"b":1}],"n":5}`)
	tests := map[string]struct {
		text string
		want []any
		err  string
	}{
		"every output":          {".body.list[]", []any{"a", nil, map[string]any{"b": doc["body"].(map[string]any)["list"].([]any)[2].(map[string]any)["b"]}}, ""},
		"none":                  {"empty", nil, ""},
		"as many as allowed":    {"range(3)", []any{0, 1, 2}, ""},
		"one too many":          {"range(4)", nil, "has more than 3 outputs"},
		"an endless number":     {"repeat(1)", nil, "has more than 3 outputs"},
		"one that does not end": {"last(range(1e15))", nil, "takes longer than 200ms"},
		"what does not fit":     {".body.n[]", nil, "does not fit this payload"},
		"a part that does not":  {".body.list[] | .x", nil, "does not fit this payload"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := expression(t, tt.text).Values(doc, 3)
			if tt.err != "" {
				if ats.FaultOf(err) != ats.Invalid || !strings.HasSuffix(err.Error(), tt.err) || got != nil {
					t.Errorf("got %v and %v, want %s", got, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
