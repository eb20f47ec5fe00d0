// Package googlesheets holds the script for spreadsheets; its tests show that the
// connector generic understands what the script sends.
package googlesheets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

// sheet is the connection that the script speaks to.
func sheet(tb testing.TB, secret string) *spec.Connector {
	tb.Helper()
	s, err := spec.Shipped("generic")
	if err != nil {
		tb.Fatal(err)
	}
	c, err := spec.New(s, spec.Settings{Vendor: "generic", Secrets: []connectors.Secret{{Value: secret}}})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// vectors are signatures that are right, and some that are not.
type vectors struct {
	Secret    string
	Timestamp int64
	Vectors   []struct {
		Body, V1, Why string
		Valid         bool
		Now           int64
	}
}

func readVectors(tb testing.TB) vectors {
	tb.Helper()
	var v vectors
	if err := json.Unmarshal(read(tb, "hmac-vectors.json"), &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func payload(body []byte, signature string, at time.Time) connectors.Payload {
	return connectors.Payload{Header: http.Header{"Content-Type": {"application/json"}, "X-Webhook-Signature": {signature}}, Body: body, Received: at}
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	c := sheet(t, v.Secret)
	for _, one := range v.Vectors {
		now := v.Timestamp
		if one.Now != 0 {
			now = one.Now
		}
		p := payload(read(t, one.Body), fmt.Sprintf("t=%d,v1=%s", v.Timestamp, one.V1), time.Unix(now, 0))
		if err := c.Verify(p); (err == nil) != one.Valid || err != nil && ats.FaultOf(err) != ats.Denied {
			t.Errorf("%s (%s): got %v, want valid %t", one.Body, one.Why, err, one.Valid)
		}
	}
	one, err1 := c.Decode(payload(read(t, "body-utf8.json"), "", time.Unix(v.Timestamp, 0)))
	two, err2 := c.Decode(payload(read(t, "body-ascii.json"), "", time.Unix(v.Timestamp, 0)))
	if diff := cmp.Diff(one, two); diff != "" || err1 != nil || err2 != nil || len(one) != 1 {
		t.Errorf("%v, %v: both forms must mean the same:\n%s", err1, err2, diff)
	}
}

// A play is what the script does with a sheet. node runs it.
type play struct {
	Now      int64   `json:"now"`
	Secret   string  `json:"secret"`
	Cells    [][]any `json:"cells"`
	Statuses []int   `json:"statuses,omitempty"`
	Steps    [][]any `json:"steps"`
}

type outcome struct {
	Posts []struct {
		URL, Type, Body, Signature string
		Follows                    bool
	}
	Cells            [][]any
	Errors, Warnings []string
	Triggers, Codes  []string
}

const now = 1795136400 // 2026-11-20 10:00 in Japan

func run(t *testing.T, p play) outcome {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the script itself is not run, only its signatures are checked")
	}
	p.Now, p.Secret = now, "whsec_example_minato_2026"
	in, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "harness.js"))
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var out outcome
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// meanings is what the connector makes of the script's posts.
func meanings(t *testing.T, out outcome) []string {
	t.Helper()
	c := sheet(t, "whsec_example_minato_2026")
	var said []string
	for _, post := range out.Posts {
		seconds, _, _ := strings.Cut(strings.TrimPrefix(post.Signature, "t="), ",")
		n, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		p := payload([]byte(post.Body), post.Signature, time.Unix(n, 0))
		if err := c.Verify(p); err != nil {
			t.Errorf("%s: %v", post.Body, err)
		}
		if strings.IndexFunc(post.Body, func(r rune) bool { return r > 126 }) >= 0 || post.Type != "application/json" || post.Follows || post.URL != "https://relay.example.jp/hooks/acme/sheet" {
			t.Errorf("got %+v", post)
		}
		if c.Ping(p) {
			said = append(said, "ping")
			continue
		}
		events, err := c.Decode(p)
		if err != nil {
			said = append(said, "parked")
			continue
		}
		for _, e := range events {
			said = append(said, strings.TrimSpace(fmt.Sprint(e.Application, " ", e.State, " ", e.Candidate.Name)))
		}
	}
	return said
}

var head = []any{"応募ID", "氏名", "ふりがな", "メールアドレス", "応募職種", "応募経路", "選考段階", "選考結果", "選考終了日", "紹介同意", "キャリアリレー"}

func row(id, name, result string) []any {
	return []any{id, name, "", id + "@example.jp", "営業", "自社サイト", "一次面接", result, map[string]string{"date": "2026-11-19T00:00:00+09:00"}, true, ""}
}

func TestSignatures(t *testing.T) {
	v := readVectors(t)
	var steps [][]any
	var want []string
	for _, one := range v.Vectors {
		if one.Valid && one.V1 == strings.ToLower(one.V1) {
			steps = append(steps, []any{"sign", strconv.FormatInt(v.Timestamp, 10), string(read(t, one.Body))})
			want = append(want, one.V1)
		}
	}
	if diff := cmp.Diff(want, run(t, play{Cells: [][]any{head}, Steps: steps}).Codes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The first run is silent: what stands in the sheet is taken for told.
func TestSetUp(t *testing.T) {
	out := run(t, play{
		Cells: [][]any{head, row("S-1", "髙橋 美咲", "不採用"), row("S-2", "佐藤 花子", ""), row("S-3", "𠮷田 健", "選考中")},
		Steps: [][]any{{"run", "setUp"}, {"run", "sweep"}, {"run", "setUp"}},
	})
	if diff := cmp.Diff([]string{"ping", "ping"}, meanings(t, out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"onSheetEdit", "sweep"}, out.Triggers); diff != "" {
		t.Errorf("triggers (-want +got):\n%s", diff)
	}
	for i, want := range []string{"不採用", "", "選考中"} {
		if got := out.Cells[i+1][10]; got != want {
			t.Errorf("row %d: told %v, want %s", i+1, got, want)
		}
	}
}

func TestSweep(t *testing.T) {
	const result, told = 7, 10
	for name, tt := range map[string]struct {
		cells [][]any
		steps [][]any
		said  []string
		told  []any    // of the rows
		errs  []string // beginnings
	}{
		"a rejection is told once": {
			[][]any{head, row("S-1", "髙橋 美咲", "")},
			[][]any{{"run", "setUp"}, {"set", 1, result, "不採用"}, {"run", "onSheetEdit"}, {"run", "sweep"}},
			[]string{"ping", "S-1 rejected 髙橋 美咲"},
			[]any{"不採用"},
			nil,
		},
		"words on the way are not told": {
			[][]any{head, row("S-1", "髙橋 美咲", "")}, [][]any{{"run", "setUp"}, {"set", 1, result, "書類選考"}, {"run", "sweep"}}, []string{"ping"}, []any{""}, nil,
		},
		"a changed mind is": {
			[][]any{head, row("S-1", "髙橋 美咲", "")},
			[][]any{{"run", "setUp"}, {"set", 1, result, "お見送り"}, {"run", "sweep"}, {"set", 1, result, "二次面接"}, {"run", "sweep"}, {"set", 1, result, "内定辞退"}, {"run", "sweep"}},
			[]string{"ping", "S-1 rejected 髙橋 美咲", "S-1 reopened", "S-1 withdrawn 髙橋 美咲"},
			[]any{"内定辞退"},
			nil,
		},
		"a result that is taken out again": {
			[][]any{head, row("S-1", "髙橋 美咲", "")},
			[][]any{{"run", "setUp"}, {"set", 1, result, "不採用"}, {"run", "sweep"}, {"set", 1, result, ""}, {"run", "sweep"}, {"run", "sweep"}},
			[]string{"ping", "S-1 rejected 髙橋 美咲", "S-1 reopened"},
			[]any{""},
			nil,
		},
		"a pasted block": {
			[][]any{head},
			[][]any{{"run", "setUp"}, {"add", row("S-1", "髙橋 美咲", "不採用")}, {"add", row("S-2", "𠮷田 健", "不合格")}, {"add", row("S-3", "中村 葵", "要相談")}, {"run", "onSheetEdit"}},
			[]string{"ping", "S-1 rejected 髙橋 美咲", "S-2 rejected 𠮷田 健"},
			[]any{"不採用", "不合格", ""},
			nil,
		},
		"without an id the person and the job stand for it": {
			[][]any{head, row("", "髙橋 美咲", "")},
			[][]any{{"run", "setUp"}, {"set", 1, result, "不採用"}, {"run", "sweep"}, {"set", 1, result, "面接"}, {"run", "sweep"}},
			[]string{"ping", "derived-ecf11902c847fd48900a rejected 髙橋 美咲", "derived-ecf11902c847fd48900a reopened"},
			[]any{"面接"},
			nil,
		},
		"a refusal stops the sweep, and the next one goes on": {
			[][]any{head, row("S-1", "髙橋 美咲", ""), row("S-2", "𠮷田 健", "")},
			[][]any{{"run", "setUp"}, {"set", 1, result, "不採用"}, {"set", 2, result, "不採用"}, {"answer", 503}, {"run", "sweep"}, {"run", "sweep"}},
			[]string{"ping", "S-1 rejected 髙橋 美咲", "S-1 rejected 髙橋 美咲", "S-2 rejected 𠮷田 健"},
			[]any{"不採用", "不採用"},
			[]string{"受け取られませんでした (503)"},
		},
		"a wrong secret says so": {
			[][]any{head}, [][]any{{"answer", 401}, {"run", "setUp"}}, []string{"ping"}, nil, []string{"受け取られませんでした (401): SECRET が違います"},
		},
		"rows that are sorted meanwhile do not get one another's mark": {
			[][]any{head, row("S-1", "髙橋 美咲", ""), row("S-2", "𠮷田 健", "")},
			[][]any{{"run", "setUp"}, {"set", 1, result, "不採用"}, {"reverseAfterPost"}, {"run", "sweep"}, {"run", "sweep"}},
			[]string{"ping", "S-1 rejected 髙橋 美咲", "S-1 rejected 髙橋 美咲"},
			[]any{"", "不採用"},
			nil,
		},
		"two sweeps at once": {
			[][]any{head, row("S-1", "髙橋 美咲", "")}, [][]any{{"run", "setUp"}, {"set", 1, result, "不採用"}, {"lock", true}, {"run", "sweep"}}, []string{"ping"}, []any{""}, nil,
		},
		"a long list is told in parts": {
			[][]any{head, row("S-1", "髙橋 美咲", ""), row("S-2", "𠮷田 健", "")},
			[][]any{{"run", "setUp"}, {"set", 1, result, "不採用"}, {"set", 2, result, "不採用"}, {"slow", 300}, {"run", "sweep"}},
			[]string{"ping", "S-1 rejected 髙橋 美咲"},
			[]any{"不採用", ""},
			nil,
		},
		"a sheet without the column": {
			[][]any{{"応募ID", "選考結果"}}, [][]any{{"run", "setUp"}, {"run", "sweep"}}, nil, nil, []string{"列がありません: キャリアリレー", "列がありません: キャリアリレー"},
		},
		"a sheet without any identity": {
			[][]any{{"氏名", "選考結果", "キャリアリレー"}}, [][]any{{"run", "sweep"}}, nil, nil, []string{"応募ID かメールアドレスの列が必要です"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := run(t, play{Cells: tt.cells, Steps: tt.steps})
			if diff := cmp.Diff(tt.said, meanings(t, out)); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
			for i, want := range tt.told {
				if got := out.Cells[i+1][told]; got != want {
					t.Errorf("row %d: told %v, want %v", i+1, got, want)
				}
			}
			if len(out.Errors) != len(tt.errs) {
				t.Fatalf("errors: got %v, want %v", out.Errors, tt.errs)
			}
			for i, want := range tt.errs {
				if !strings.HasPrefix(out.Errors[i], want) {
					t.Errorf("got %q, want %q", out.Errors[i], want)
				}
			}
		})
	}
}

// A row is told with everything that the columns hold, and nobody is named in a
// log line.
func TestRow(t *testing.T) {
	nobody := row("", "名無し 太郎", "不採用")
	nobody[3] = ""
	full := row("S-1", "𠮷田 健", "お見送り")
	full[2], full[8] = "よしだ けん", map[string]string{"date": "2026-11-19T18:31:07+09:00"}
	out := run(t, play{Cells: [][]any{head}, Steps: [][]any{{"add", nobody}, {"add", full}, {"run", "sweep"}}})
	if len(out.Posts) != 1 || len(out.Warnings) != 1 || strings.Contains(out.Warnings[0], "名無し") || !strings.Contains(out.Warnings[0], "2 行目") {
		t.Fatalf("got %d posts, warnings %v", len(out.Posts), out.Warnings)
	}
	events, err := sheet(t, "s").Decode(payload([]byte(out.Posts[0].Body), "", time.Unix(now, 0)))
	if err != nil || len(events) != 1 {
		t.Fatalf("got %d events, %v", len(events), err)
	}
	want := ats.Event{
		Application: "S-1", State: ats.Rejected, Side: ats.Company, Evidence: "outcome means rejected", At: time.Date(2026, 11, 19, 9, 31, 7, 0, time.UTC), Clock: ats.DecidedClock,
		Candidate: ats.Candidate{Name: "𠮷田 健", FamilyName: "𠮷田", GivenName: "健", Kana: "よしだ けん", Email: "S-1@example.jp"},
		Job:       ats.Job{Title: "営業"}, Stage: "一次面接", StageKind: ats.Interview, Status: "お見送り", Source: "自社サイト", Consent: ats.ConsentYes,
	}
	if diff := cmp.Diff(want, events[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
