package lever_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/lever/levertest"
)

func TestPush(t *testing.T) {
	const posting = "f2f01e16-27f8-4711-a728-7c2cc6b0ac7a"
	person := ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}
	s := account(t)
	c := connect(t, s, "user_id: "+levertest.User+"\n")
	ref, err := c.Push(t.Context(), person, posting)
	if err != nil {
		t.Fatal(err)
	}
	made := s.Of(string(person.Email))
	if len(made) != 1 || made[0]["id"] != ref || made[0]["origin"] != "agency" || !slices.Equal(made[0]["sources"].([]string), []string{"Career Relay"}) {
		t.Errorf("got %s: %v", ref, made)
	}
	if notes := s.Notes(ref); len(notes) != 1 || notes[0] != "キャリアリレー経由 (introduced by Career Relay)" {
		t.Errorf("notes: %v", notes)
	}
	if again, err := c.Push(t.Context(), person, posting); err != nil || again != ref {
		t.Errorf("repeated: got %q, %v, want %s", again, err, ref)
	}
	if other, err := c.Push(t.Context(), person, "another-posting"); err != nil || other == ref || len(s.Of(string(person.Email))) != 2 {
		t.Errorf("for another posting: got %q, %v", other, err)
	}
	for name, tt := range map[string]struct {
		settings string
		person   ats.Candidate
		job      string
		fail     []int
		want     ats.Fault
	}{
		"in nobody's name":    {"", person, posting, nil, ats.Invalid},
		"in another's name":   {"user_id: other\n", ats.Candidate{Name: "田中 健", Email: "ken@example.jp"}, posting, nil, ats.Invalid},
		"a job that is a way": {"user_id: " + levertest.User + "\n", person, "../users", nil, ats.Invalid},
		"nobody":              {"user_id: " + levertest.User + "\n", ats.Candidate{}, posting, nil, ats.Invalid},
		"nobody can say":      {"user_id: " + levertest.User + "\n", ats.Candidate{Name: "田中 健", Email: "ken@example.jp"}, posting, []int{0, 502}, ats.Unclear},
		"the look-up is down": {"user_id: " + levertest.User + "\n", person, posting, []int{502}, ats.Busy},
	} {
		s.Fail(tt.fail...)
		if _, err := connect(t, s, tt.settings).Push(t.Context(), tt.person, tt.job); ats.FaultOf(err) != tt.want || strings.Contains(err.Error(), "@") {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	s.Fail(0, 0, 500) // the note
	if ref, err := c.Push(t.Context(), ats.Candidate{Name: "田中 健", Email: "ken@example.jp"}, posting); err != nil || len(s.Notes(ref)) != 0 {
		t.Errorf("without the note: got %q, %v", ref, err)
	}
}
