package fields_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/connectors/internal/fields"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/mapping"
)

func TestAnswers(t *testing.T) {
	words, err := spec.NewVocabulary("outcomes", map[string]string{"A判定なし": "rejected"})
	if err != nil {
		t.Fatal(err)
	}
	r := fields.Reader{
		Map:   fields.Map{Outcome: []string{"理由", "状態"}, Name: "氏名", Email: "メール", EndedAt: "終了日", Consent: "同意"},
		Words: words, ConsentValue: "同意する",
	}
	for name, tt := range map[string]struct {
		record       map[string][]string
		want         map[string]any
		outcome      mapping.Outcome
		label, field string
	}{
		"nothing": {nil, map[string]any{}, mapping.OutcomeOngoing, "", ""},
		"all of it": {
			map[string][]string{"理由": {"不採用"}, "状態": {"選考終了"}, "氏名": {"髙橋 美咲"}, "メール": {"m@example.jp"}, "終了日": {"2026-11-19"}, "同意": {"案内", "同意する"}, "評価": {"C"}},
			map[string]any{"name": "髙橋 美咲", "email": "m@example.jp", "ended_at": "2026-11-19", "consent": "yes"},
			mapping.OutcomeRejected, "不採用", "理由",
		},
		"another tick is no consent":      {map[string][]string{"同意": {"案内"}}, map[string]any{}, mapping.OutcomeOngoing, "", ""},
		"the second field":                {map[string][]string{"理由": {""}, "状態": {"A判定なし"}}, map[string]any{}, mapping.OutcomeRejected, "A判定なし", "状態"},
		"several ticks":                   {map[string][]string{"理由": {"不採用", "辞退"}}, map[string]any{}, mapping.OutcomeAmbiguous, "辞退", "理由"},
		"a note in the place of a result": {map[string][]string{"理由": {strings.Repeat("面接での受け答えが", 5)}}, map[string]any{}, mapping.OutcomeOngoing, "(a longer text)", "理由"},
	} {
		got := r.Answers("7", func(field string) []string { return tt.record[field] })
		want := map[string]any{"application": "7", "record": tt.want, "outcome": tt.outcome, "label": tt.label, "field": tt.field}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	r.ConsentValue = ""
	if got := r.Answers("7", func(string) []string { return []string{"true"} })["record"].(map[string]any)["consent"]; got != "true" {
		t.Errorf("without a value of its own: got %v, want what stands there", got)
	}
}

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		m    fields.Map
		want string
	}{
		"nothing":             {fields.Map{}, "fields.outcome: required; write the fields that hold the result, the most telling first\nfields.email: required\nfields.name: required, or family_name and given_name"},
		"an empty name":       {fields.Map{Outcome: []string{"a", ""}, Email: "b", Name: "c"}, "fields.outcome: required; write the fields that hold the result, the most telling first"},
		"a family name alone": {fields.Map{Outcome: []string{"a"}, Email: "b", FamilyName: "c"}, ""},
	} {
		got := ""
		if err := tt.m.Validate(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	m := fields.Map{Outcome: []string{"Result__c", "Stage__c"}, Stage: "Stage__c", Email: "Email__c", Consent: "Consent__c"}
	if diff := cmp.Diff([]string{"Consent__c", "Email__c", "Result__c", "Stage__c"}, m.Names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
