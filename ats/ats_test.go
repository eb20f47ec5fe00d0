package ats_test

import (
	"testing"

	"github.com/career-relay/connector/ats"
)

func TestPerson(t *testing.T) {
	tests := map[string]struct {
		event ats.Event
		want  bool
	}{
		"an application":                {ats.Event{Application: "A-1"}, false},
		"an application and its person": {ats.Event{Application: "A-1", Candidate: ats.Candidate{ID: "C-1"}}, false},
		"a person only":                 {ats.Event{Candidate: ats.Candidate{ID: "C-1"}}, true},
		"neither":                       {ats.Event{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.event.Person(); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

func TestStageKindOf(t *testing.T) {
	tests := map[ats.StageKind][]string{
		ats.Document: {
			"書類選考", "書類", "応募", "応募受付", "エントリーシート", "適性検査", "書類選考（最初）", "Application Review", "Applied", "New applicants", "New lead", "Leads", "Sourced",
			"Resume Screen", "Recruiter Screen", "Screening", "CV review", "applicationReview", "ＡＰＰＬＩＥＤ",
		},
		ats.Interview: {
			"一次面接", "二次面接", "面談", "カジュアル面談", "技術課題", "firstInterview", "interview#2", "Interviewing", "Phone screen", "On-site", "Onsite", "Video interview",
			"Technical interview", "Screen call", "Take-home", "take home test", "Case Study", "Assessment", "New Manager Interview", "Team Lead Interview", "INTERVIEW", "グループディスカッション", "Unsuccessful - interview",
		},
		ats.Final: {
			"最終面接", "最終選考", "役員面接", "社長面接", "Final Interview", "finalInterview", "Final round", "Executive interview", "Offer", "offer review", "内定", "オファー面談", "jobOffer",
		},
		"": {"", " ", "Rejected", "Hired", "Inbox", "Reference check", "辞退", "5f5f5f5f-0000-4000-8000-000000000aaa", "Leadership", "Renewal", "12", "\xff"},
	}
	for want, words := range tests {
		for _, word := range words {
			if got := ats.StageKindOf(word); got != want {
				t.Errorf("%q: got %q, want %q", word, got, want)
			}
		}
	}
}
