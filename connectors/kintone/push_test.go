package kintone_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/kintone/kintonetest"
)

// lossy loses the answers to some calls.
type lossy struct {
	http.RoundTripper
	lose int
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && l.lose > 0 {
		l.lose--
		_ = answer.Body.Close()
		return nil, errors.New("connection reset")
	}
	return answer, err
}

func TestPush(t *testing.T) {
	person := ats.Candidate{Name: "佐藤 美咲", Kana: "サトウ ミサキ", Email: "misaki.sato@example.jp"}
	const push = "push:\n  set: {選考ステータス: エントリー}\n"
	inBubble(t, func(t *testing.T, s *kintonetest.Server) {
		out := &lossy{RoundTripper: s, lose: 1}
		c := connect(t, out, strings.Replace(push, "push:\n", "push:\n  note: 応募経路\n", 1))
		if _, err := c.Push(t.Context(), person, "101"); ats.FaultOf(err) != ats.Unclear {
			t.Errorf("the answer is lost: got %v", err)
		}
		ref, err := c.Push(t.Context(), person, "101")
		if err != nil || ref == "" {
			t.Fatalf("repeated: got %q, %v", ref, err)
		}
		made := s.Find("メールアドレス", string(person.Email))
		if len(made) != 1 {
			t.Fatalf("%d records, want one", len(made))
		}
		for code, want := range map[string]string{
			"氏名": "佐藤 美咲", "ふりがな": "サトウ ミサキ", "選考ステータス": "エントリー", "求人番号": "101", "応募経路": "キャリアリレー経由 (introduced by Career Relay)", "$id": ref,
		} {
			if f, _ := made[0][code].(map[string]any); f["value"] != want {
				t.Errorf("%s: got %v, want %s", code, f["value"], want)
			}
		}
		if other, err := c.Push(t.Context(), person, "102"); err != nil || other == ref {
			t.Errorf("for another job: got %q, %v", other, err)
		}
	})
	for name, tt := range map[string]struct {
		settings string
		person   ats.Candidate
		job      string
		want     string
	}{
		"it is not switched on":     {"", person, "101", "push: required"},
		"a field that is not there": {"push: {note: 紹介者}\n", person, "101", "the app has no field 紹介者"},
		"a job that leads away":     {push, person, `1" or $id > "0`, "the job cannot be written"},
		"nobody":                    {push, ats.Candidate{Email: person.Email}, "101", "no name"},
	} {
		inBubble(t, func(t *testing.T, s *kintonetest.Server) {
			if _, err := connect(t, s, tt.settings).Push(t.Context(), tt.person, tt.job); ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %s", name, err, tt.want)
			}
			if n := len(s.Find("メールアドレス", string(person.Email))); n != 0 {
				t.Errorf("%s: %d records", name, n)
			}
		})
	}
}
