package table_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/connectors/table"
)

func TestPresetWith(t *testing.T) {
	vendor := table.Preset{
		Encoding: "cp932", Header: 2, Columns: map[string]table.Headers{"stage": {"ステータス", "段階"}, "email": {"連絡先"}},
		Keep: []string{"部署"}, Outcomes: map[string]string{"終了": "ongoing", "済": "ignored"},
	}
	var own table.Preset
	if err := yaml.Unmarshal([]byte("{delimiter: tab, columns: {outcome: ステータス, email: [アドレス, メール]}, keep: [年度], outcomes: {終了: rejected}}"), &own); err != nil {
		t.Fatal(err)
	}
	want := table.Preset{
		Encoding: "cp932", Delimiter: "tab", Header: 2, Keep: []string{"部署", "年度"}, Outcomes: map[string]string{"終了": "rejected", "済": "ignored"},
		Columns: map[string]table.Headers{"stage": {"段階"}, "outcome": {"ステータス"}, "email": {"アドレス", "メール"}},
	}
	if diff := cmp.Diff(want, vendor.With(own), cmpopts.IgnoreUnexported(table.Preset{})); diff != "" {
		t.Errorf("differs (-want +got):\n%s", diff)
	}
	if vendor.Columns["stage"][0] != "ステータス" || vendor.Outcomes["終了"] != "ongoing" {
		t.Errorf("the vendor's preset changed: %+v", vendor)
	}
	for _, p := range []table.Preset{{}, {Columns: map[string]table.Headers{}}, {Header: 1}, {Outcomes: map[string]string{"a": "b"}}} {
		if got, want := p.IsZero(), p.Header == 0 && len(p.Outcomes) == 0; got != want {
			t.Errorf("%+v: got zero %t", p, got)
		}
	}
}

func TestPresetValidate(t *testing.T) {
	good := table.Preset{Encoding: "utf-16le", Delimiter: "pipe", Header: 3, Columns: map[string]table.Headers{"email": {"連絡先"}}}
	if err := good.Validate(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	err := table.Preset{
		Encoding: "shift-jis", Delimiter: ",", Header: -1,
		Columns: map[string]table.Headers{"mail": {"連絡先"}, "email": {"連絡先"}, "stage": {" "}},
	}.Validate()
	want := []string{
		`table.encoding: "shift-jis" is not one of cp932, utf-16be, utf-16le, utf-8`,
		`table.delimiter: "," is not one of comma, tab, semicolon, pipe`,
		`table.header: rows are counted from 1`,
		`table.columns.mail: no such column; have ` + strings.Join(table.Names(), " "),
		`table.columns.mail: 連絡先 is email already`,
		`table.columns.stage: a header is blank`,
	}
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("problems differ (-want +got):\n%s", diff)
	}
}

// What the company names, no other column gets.
func TestColumnsOfTheCompany(t *testing.T) {
	p := table.Preset{Columns: map[string]table.Headers{"stage": {"ステータス"}, "outcome": {"備考1"}}}
	s, err := p.Open(strings.NewReader("応募ID,氏名,メール,ステータス,備考１,結果\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range s.Columns {
		got = append(got, c.Name)
	}
	if diff := cmp.Diff([]string{"application_id", "full_name", "email", "stage", "outcome", ""}, got); diff != "" {
		t.Errorf("columns differ (-want +got):\n%s", diff)
	}
}
