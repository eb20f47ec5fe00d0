package spec_test

import (
	"strings"
	"testing"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/mapping"
)

func TestVocabulary(t *testing.T) {
	v, err := spec.NewVocabulary("outcomes", map[string]string{"選考終了": "rejected", "A 判定": "ongoing", "不採用": "position_closed"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		labels []string
		want   mapping.Outcome
		at     int
	}{
		"the company's own word":                   {[]string{"選考終了"}, mapping.OutcomeRejected, 0},
		"width and blanks do not matter":           {[]string{"ａ判定"}, mapping.OutcomeOngoing, 0},
		"its word comes before the usual one":      {[]string{"不採用"}, mapping.OutcomeClosed, 0},
		"a usual word":                             {[]string{"", "お見送り"}, mapping.OutcomeRejected, 1},
		"its word does not hide who said no first": {[]string{"辞退", "選考終了"}, mapping.OutcomeAmbiguous, 0},
	} {
		if got, at := v.Outcome(tt.labels); got != tt.want || at != tt.at {
			t.Errorf("%s: got %s by %d, want %s by %d", name, got, at, tt.want, tt.at)
		}
	}
	if _, err := spec.NewVocabulary("outcomes", map[string]string{"終了": "unknown"}); err == nil || !strings.Contains(err.Error(), "outcomes.終了") || ats.FaultOf(err) != "" {
		t.Errorf("got %v", err)
	}
}
