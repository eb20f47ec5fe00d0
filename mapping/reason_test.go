package mapping_test

import (
	"testing"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mapping"
)

func TestEndedBy(t *testing.T) {
	tests := map[ats.Side][]string{
		ats.Company: {
			"Skills mismatch", "Skills don’t match", "スキル不一致 (skills mismatch)", "Under-qualified", "Underqualified", "Not enough experience",
			"Other candidates were a better match", "不採用", "書類選考 お見送り", "Unsuccessful - interview", "Rejected: Skills mismatch", "Culture fit", "Rejected by company", "経験不足", "Other candidates preferred",
		},
		ats.Applicant: {
			"Candidate withdrew", "Candidate withdrew / 辞退", "Withdrew", "応募者都合による辞退", "選考辞退", "Offer declined", "Candidate declined", "DECLINED OFFER", "Accepted another offer",
			"Accepted another job", "Took another role", "Found a different job", "他社決定", "No longer interested", "Not interested in the position", "Counter offer",
			"Changed their mind", "Staying at current employer", "Ｗｉｔｈｄｒａｗｎ", "Rejected by candidate",
		},
		ats.Unknown: {
			"", "  ", "Other", "No response", "No Response - OLD", "Unresponsive", "No show", "Ghosted", "Salary expectations", "Compensation", "Timing", "Location", "Relocation", "条件不一致", "その他",
			"Position closed", "求人クローズ", "Duplicate 重複", "保留", "不合格（辞退扱い）", "Declined by company", "Declined by hiring manager", "Personal reasons", "内定", "Position filled", "Counter-offer accepted",
		},
	}
	for want, reasons := range tests {
		for _, reason := range reasons {
			if got := mapping.EndedBy(reason); got != want {
				t.Errorf("%q: got %s, want %s", reason, got, want)
			}
		}
	}
}
