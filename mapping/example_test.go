package mapping_test

import (
	"fmt"
	"time"

	"github.com/career-relay/connector/mapping"
)

func Example() {
	m, err := mapping.Compile(mapping.Spec{
		Map: map[string]string{
			"id":         ".body.application_id",
			"at":         ".body.decided_on",
			"stage":      ".body.step",
			"job.title":  ".body.job",
			"evidence":   ".body.result",
			"stage_kind": `if .body.step == "社長と話す" then "final" else null end`,
		},
		Events: []mapping.Rule{
			{When: `.body.result | outcome == "rejected"`, State: "rejected", Side: "company"},
			{When: `.body.result | outcome == "withdrawn"`, State: "withdrawn", Side: "candidate"},
			{When: `.body.result | outcome == "ongoing"`, Ignore: true},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)
	for _, result := range []string{"お見送り", "選考辞退", "二次面接", "クローズ"} {
		body := map[string]any{"application_id": "A-1", "decided_on": "令和8年11月20日", "step": "社長と話す", "job": "エンジニア", "result": result}
		events, err := m.Map(map[string]any{"body": body}, now)
		if err != nil {
			fmt.Println(result, "→", err)
			continue
		}
		fmt.Println(result, "→", len(events), "event")
		for _, e := range events {
			fmt.Println("  ", e.State, "by", e.Side, e.StageKind, e.At.Format(time.RFC3339))
		}
	}
	// Output:
	// お見送り → 1 event
	//    rejected by company final 2026-11-20T14:59:59Z
	// 選考辞退 → 1 event
	//    withdrawn by candidate final 2026-11-20T14:59:59Z
	// 二次面接 → 0 event
	// クローズ → no rule knows this payload
}
