package spec_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/mapping"
)

// tabular opens a connection whose files are imported.
func tabular(t *testing.T, file string, set spec.Settings) *spec.Tabular {
	t.Helper()
	conn, err := spec.Open(load(t, file), connectors.Env{Now: func() time.Time { return tableNow }}, func(v any) error {
		*v.(*spec.Settings) = set
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*spec.Tabular)
}

var tableNow = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

const anyFile = "vendor: x\ndoor: file\ntable: {}\n"

func TestOutcomesOfRows(t *testing.T) {
	says := func(column, label string) table.Result {
		return table.Result{Column: column, Label: label, Says: column}
	}
	cell := func(column, label string) table.Result { return table.Result{Column: column, Label: label} }
	own := map[string]string{"Ｃ 判定": "rejected", "不採用": "ongoing", "保留": "position_closed"}
	tests := map[string]struct {
		results []table.Result
		own     map[string]string
		want    mapping.Outcome
		by      string
	}{
		"nothing":                          {nil, nil, "ongoing", ""},
		"one label":                        {[]table.Result{cell("結果", "お見送り")}, nil, "rejected", "お見送り"},
		"the first that says anything":     {[]table.Result{cell("理由", "スキル"), cell("結果", "不採用"), cell("状態", "一次面接")}, nil, "rejected", "不採用"},
		"nobody knows any":                 {[]table.Result{cell("理由", "スキル"), cell("状態", "終了")}, nil, "unknown", "スキル"},
		"a reason that says who":           {[]table.Result{cell("理由", "他社決定"), cell("状態", "終了")}, nil, "withdrawn", "他社決定"},
		"rejected and withdrawn":           {[]table.Result{cell("結果", "不採用"), cell("状態", "辞退")}, nil, "ambiguous", "辞退"},
		"withdrawn and rejected":           {[]table.Result{cell("理由", "辞退"), cell("結果", "不採用")}, nil, "ambiguous", "辞退"},
		"rejected and hired":               {[]table.Result{cell("結果", "不採用"), says("hired", "2026/11/1")}, nil, "ambiguous", "2026/11/1"},
		"hired and rejected":               {[]table.Result{cell("結果", "採用"), cell("状態", "不採用")}, nil, "ambiguous", "採用"},
		"rejected and both":                {[]table.Result{cell("結果", "不採用"), cell("状態", "辞退・不採用")}, nil, "ambiguous", "辞退・不採用"},
		"it runs and is rejected":          {[]table.Result{cell("結果", "通過"), cell("状態", "不採用")}, nil, "ambiguous", "通過"},
		"rejected while a step is named":   {[]table.Result{cell("結果", "不採用"), cell("状態", "面接")}, nil, "rejected", "不採用"},
		"filled and rejected":              {[]table.Result{cell("理由", "充足"), cell("結果", "不採用")}, nil, "position_closed", "充足"},
		"nobody answered and rejected":     {[]table.Result{cell("理由", "連絡不通"), cell("結果", "不採用")}, nil, "ignored", "連絡不通"},
		"a column by its word":             {[]table.Result{says("rejected", "不合格")}, nil, "rejected", "不合格"},
		"a column that is ticked":          {[]table.Result{says("rejected", "○")}, nil, "rejected", "○"},
		"a column with the date":           {[]table.Result{says("withdrawn", "2026年11月10日"), says("hired", "2026/11/1")}, nil, "withdrawn", "2026年11月10日"},
		"a column with another word":       {[]table.Result{says("rejected", "不合格予定")}, nil, "ongoing", "不合格予定"},
		"a column with a note":             {[]table.Result{says("withdrawn", "電話あり")}, nil, "unknown", "電話あり"},
		"the company's own label":          {[]table.Result{cell("結果", "c判定")}, own, "rejected", "c判定"},
		"the company's own before ours":    {[]table.Result{cell("結果", "不採用")}, own, "ongoing", "不採用"},
		"the company's own for a tick":     {[]table.Result{says("rejected", "保 留")}, own, "position_closed", "保 留"},
		"what the company did not explain": {[]table.Result{cell("結果", "D判定")}, own, "unknown", "D判定"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := tabular(t, anyFile, spec.Settings{Table: table.Preset{Outcomes: tt.own}}).Of(table.Body{Results: tt.results})
			if got.Outcome != tt.want || got.Label != tt.by {
				t.Errorf("got %s by %q, want %s by %q", got.Outcome, got.Label, tt.want, tt.by)
			}
		})
	}
}

func TestIdentityOfRows(t *testing.T) {
	c := tabular(t, anyFile, spec.Settings{})
	id := func(b table.Body) string { return c.Of(b).ID }
	if got := id(table.Body{ApplicationID: "A-1", Email: []string{"a@example.jp"}}); got != "A-1" {
		t.Errorf("its own: got %s", got)
	}
	one := id(table.Body{Email: []string{"nonsense", "A@Example.jp"}, JobTitle: "営業 職"})
	if one == "" || strings.Contains(one, "@") || one != id(table.Body{Email: []string{"a@example.jp"}, JobTitle: "営業職"}) {
		t.Errorf("of the same person and job: got %s", one)
	}
	for what, other := range map[string]table.Body{
		"another job": {Email: []string{"a@example.jp"}, JobTitle: "経理"}, "a job by its id": {Email: []string{"a@example.jp"}, JobID: "7", JobTitle: "営業職"}, "another person": {Email: []string{"b@example.jp"}, JobTitle: "営業職"},
	} {
		if got := id(other); got == one || got == "" {
			t.Errorf("%s: got %s", what, got)
		}
	}
	if got := id(table.Body{Email: []string{"x"}, JobTitle: "営業"}); got != "" {
		t.Errorf("of nobody: got %s", got)
	}
	applied := c.Of(table.Body{AppliedAt: "令和8年11月2日"}).Applied
	if want := time.Date(2026, 11, 2, 14, 59, 59, 0, time.UTC); !applied.Equal(want) {
		t.Errorf("applied: got %s, want %s", applied, want)
	}
	if at := c.Of(table.Body{AppliedAt: "近日"}).Applied; !at.IsZero() {
		t.Errorf("a time that is none: got %s", at)
	}
}

func TestRowsBecomeEvents(t *testing.T) {
	const head = "応募ID,氏名,メール,選考結果,終了日,応募経路,紹介会社,通知済み\n"
	tests := map[string]struct {
		row  string
		want string
	}{
		"rejected":           {"1,髙橋 美咲,a@example.jp,不採用,2026/11/19,,,", "rejected company decided 2026-11-19T14:59:59Z agent=false 不採用 | 選考結果 says rejected"},
		"withdrawn":          {"1,髙橋 美咲,a@example.jp,選考辞退,令和8年11月19日,,,", "withdrawn candidate decided 2026-11-19T14:59:59Z agent=false 選考辞退 | 選考結果 says withdrawn"},
		"hired":              {"1,髙橋 美咲,a@example.jp,採用,,,,", "hired company received 2026-11-24T00:00:00Z agent=false 採用 | 選考結果 says hired"},
		"closed":             {"1,髙橋 美咲,a@example.jp,求人クローズ,,,,", "closed company received 2026-11-24T00:00:00Z agent=false 求人クローズ | 選考結果 says position_closed"},
		"still running":      {"1,髙橋 美咲,a@example.jp,,2026/11/19,,,", "reopened company received 2026-11-24T00:00:00Z agent=false  | "},
		"an agency":          {"1,髙橋 美咲,a@example.jp,不採用,2026/11/19,転職エージェント,,", "rejected company decided 2026-11-19T14:59:59Z agent=true 不採用 | 選考結果 says rejected"},
		"an agency by name":  {"1,髙橋 美咲,a@example.jp,不採用,2026/11/19,,みほん社,", "rejected company decided 2026-11-19T14:59:59Z agent=true 不採用 | 選考結果 says rejected"},
		"a note as a result": {"1,髙橋 美咲,a@example.jp,不採用。本人へは田中より電話で連絡済みです,2026/11/19,,,", "rejected company decided 2026-11-19T14:59:59Z agent=false (a longer text) | 選考結果 says rejected"},
		"ignored":            {"1,髙橋 美咲,a@example.jp,重複,,,,", ""},
		"told":               {"1,髙橋 美咲,a@example.jp,不採用,2026/11/19,,,○", ""},
		"unknown":            {"1,髙橋 美咲,a@example.jp,終了,,,,", "invalid: the result is not a word we know: explain it in table.outcomes"},
		"ambiguous":          {"1,髙橋 美咲,a@example.jp,不採用/辞退,,,,", "invalid: the result can mean either side: explain it in table.outcomes"},
		"no time":            {"1,髙橋 美咲,a@example.jp,不採用,46345,,,", "invalid: events[1].map.at: not a time: want 2026-11-24T09:00:00+09:00, a date, or Unix seconds or milliseconds"},
	}
	c := tabular(t, anyFile, spec.Settings{})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for p, err := range c.Read(strings.NewReader(head + tt.row)) {
				if err != nil {
					t.Fatal(err)
				}
				events, err := c.Decode(p)
				got := ""
				if err != nil {
					got = fmt.Sprintf("%s: %v", ats.FaultOf(err), err)
				}
				for _, e := range events {
					got = fmt.Sprintf("%s %s %s %s agent=%t %s | %s", e.State, e.Side, e.Clock, e.At.Format(time.RFC3339), e.Agent, e.Status, e.Evidence)
				}
				if got != tt.want {
					t.Errorf("got %s\nwant %s", got, tt.want)
				}
			}
		})
	}
	for name, body := range map[string]string{"no row": `["x"]`, "no JSON": `{`, "of other types": `{"results": "x"}`} {
		p := connectors.Payload{Body: []byte(body), Received: tableNow}
		if events, err := c.Decode(p); ats.FaultOf(err) != ats.Invalid || events != nil {
			t.Errorf("%s: got %v (%v)", name, events, err)
		}
	}
}

// The vendor's file may know more, and the company goes before both.
func TestFilesOfAVendorAndACompany(t *testing.T) {
	vendor := anyFile[:len(anyFile)-len("table: {}\n")] + "table: {columns: {stage: 選考ステータス}, outcomes: {終了: ongoing, 済: rejected}}\nmap: {source: '\"x\"'}\nevents: [{when: '.body.stage == \"社内\"', ignore: true}]\n"
	s := load(t, vendor)
	want := []string{"rejected", "withdrawn", "hired", "closed", "reopened"}
	if diff := cmp.Diff(want, s.States()); diff != "" {
		t.Errorf("states differ (-want +got):\n%s", diff)
	}
	if got := load(t, "vendor: x\nhmac: {header: S}"+lastRules).States(); len(got) == 0 {
		t.Error("no states of a vendor with webhooks")
	}
	c := tabular(t, vendor, spec.Settings{Table: table.Preset{Outcomes: map[string]string{"終了": "withdrawn"}}, Events: []mapping.Rule{{When: `.id == "9"`, State: "erased", Side: "unknown"}}})
	file := "応募ID,氏名,メール,選考ステータス,結果\n1,あい,a@example.jp,社内,不採用\n2,あい,b@example.jp,面接,終了\n3,あい,c@example.jp,面接,済\n9,あい,d@example.jp,面接,終了\n"
	var got []string
	for p, err := range c.Read(strings.NewReader(file)) {
		events, failed := c.Decode(p)
		if err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		text := ""
		for _, e := range events {
			text = string(e.State) + " " + e.Source
		}
		got = append(got, text)
	}
	if diff := cmp.Diff([]string{"", "withdrawn x", "rejected x", "erased x"}, got); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
	sheet, err := c.Open(strings.NewReader(file), "")
	if err != nil || sheet.Header != 1 {
		t.Errorf("got %+v (%v)", sheet, err)
	}
	// Trying a file out needs no connection.
	r, err := spec.Reader(s)
	if err != nil {
		t.Fatal(err)
	}
	if events, err := r.Decode(connectors.Payload{Body: []byte(`{"application_id":"1","results":[{"column":"結果","label":"済"}]}`), Received: tableNow}); err != nil || len(events) != 1 || events[0].State != ats.Rejected {
		t.Errorf("tried out: got %v (%v)", events, err)
	}
}

func TestTableProblems(t *testing.T) {
	for file, want := range map[string]string{
		"vendor: x\ndoor: file\n":                                                "table: required with door: file; write {} when nothing is known of the files",
		"vendor: x\nhmac: {header: S}\ntable: {}" + lastRules:                    "table: only with door: file",
		anyFile + "each: .body.rows[]\n":                                         "each: a row of a file is one item",
		"vendor: x\ndoor: file\ntable: {outcomes: {終了: maybe}}\n":                `table.outcomes.終了: "maybe" is not one of [rejected withdrawn hired position_closed ongoing ignored]`,
		"vendor: x\ndoor: file\ntable: {columns: {mail: x}, encoding: latin1}\n": `table.encoding: "latin1" is not one of`,
		"vendor: x\ndoor: file\ntable: {colums: {}}\n":                           "colums: no such key here",
	} {
		if _, err := spec.Load(fstest.MapFS{spec.File: {Data: []byte(file)}}); ats.FaultOf(err) != ats.Invalid || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: got %v, want %s", file, err, want)
		}
	}
	for what, tt := range map[string]struct {
		file string
		set  spec.Settings
		want string
	}{
		"a label":                      {anyFile, spec.Settings{Table: table.Preset{Outcomes: map[string]string{"終了": "unknown"}}}, `table.outcomes.終了: "unknown" is not one of`},
		"a column":                     {anyFile, spec.Settings{Table: table.Preset{Columns: map[string]table.Headers{"mail": {"x"}}}}, "table.columns.mail: no such column"},
		"a secret":                     {anyFile, spec.Settings{Secrets: []connectors.Secret{{Value: "x"}}}, "secrets: x signs nothing"},
		"a table where none is needed": {"vendor: x\nhmac: {header: S}" + lastRules, spec.Settings{Secrets: []connectors.Secret{{Value: "x"}}, Table: table.Preset{Header: 2}}, "table: no files of x are imported"},
	} {
		if _, err := spec.New(load(t, tt.file), tt.set); ats.FaultOf(err) != ats.Invalid || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: got %v, want %s", what, err, tt.want)
		}
	}
}
