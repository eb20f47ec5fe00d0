package table_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/table"
)

// A workbook is what a test writes into an .xlsx file; what is "" is left out.
type workbook struct {
	sheets  []sheet
	hidden  int // the number of a sheet that is hidden
	first   string
	shared  string
	styles  string
	rels    string
	without bool // without the part of the first sheet
}

type sheet struct{ name, rows string }

func book(tb testing.TB, w workbook) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name, text string) {
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write([]byte(`<?xml version="1.0" encoding="UTF-8"?>` + text))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	var list, rels strings.Builder
	for i, s := range w.sheets {
		state := ""
		if i+1 == w.hidden {
			state = ` state="hidden"`
		}
		fmt.Fprintf(&list, `<sheet name="%s" sheetId="%d" r:id="rId%d"%s/>`, s.name, i+1, i+1, state)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Target="worksheets/sheet%d.xml"/>`, i+1, i+1)
		if !w.without {
			add(fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), `<worksheet><sheetData>`+s.rows+`</sheetData></worksheet>`)
		}
	}
	add("xl/workbook.xml", `<workbook xmlns:r="r">`+w.first+`<sheets>`+list.String()+`</sheets></workbook>`)
	add("xl/_rels/workbook.xml.rels", `<Relationships>`+rels.String()+w.rels+`</Relationships>`)
	if w.shared != "" {
		add("xl/sharedStrings.xml", w.shared)
	}
	if w.styles != "" {
		add("xl/styles.xml", w.styles)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// row writes a row of texts.
func row(number int, cells ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<row r="%d">`, number)
	for i, c := range cells {
		if c != "" {
			fmt.Fprintf(&b, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+i, number, c)
		}
	}
	return b.String() + `</row>`
}

var header = row(1, "応募ID", "氏名", "メールアドレス", "選考結果", "選考終了日時")

// Dates in the formats that Japanese workbooks have, and numbers that are none.
const styles = `<styleSheet><numFmts><numFmt numFmtId="176" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/><numFmt numFmtId="177" formatCode="[$-411]ggge&quot;年&quot;m&quot;月&quot;d&quot;日&quot;;@"/>
	<numFmt numFmtId="178" formatCode="[Red]#,##0&quot;days&quot;;&quot;hours&quot;"/><numFmt numFmtId="179" formatCode="[h]:mm"/><numFmt numFmtId="180" formatCode="0.00E+00\h"/></numFmts>
	<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
	<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="176"/><xf numFmtId="177"/><xf numFmtId="178"/><xf numFmtId="57"/><xf numFmtId="22"/><xf numFmtId="180"/><xf numFmtId="179"/></cellXfs></styleSheet>`

func TestWorkbookCells(t *testing.T) {
	tests := map[string]struct{ cell, want string }{
		"a shared text":           {`<c r="E2" t="s"><v>0</v></c>`, "2026年11月19日"},
		"without its reading":     {`<c r="E2" t="s"><v>1</v></c>`, "髙橋 美咲"},
		"an escaped line break":   {`<c r="E2" t="s"><v>2</v></c>`, "a\rb"},
		"a text in the cell":      {`<c r="E2" t="inlineStr"><is><r><t>ab</t></r><r><t xml:space="preserve"> c</t></r><rPh><t>エー</t></rPh></is></c>`, "ab c"},
		"a formula's text":        {`<c r="E2" t="str"><f>A1&amp;"x"</f><v>x&amp;y</v></c>`, "x&y"},
		"a formula's number":      {`<c r="E2"><f>1+1</f><v>2</v></c>`, "2"},
		"a date":                  {`<c r="E2" s="1"><v>46345</v></c>`, "2026-11-19"},
		"a date and a time":       {`<c r="E2" s="6"><v>46345.771608796</v></c>`, "2026-11-19T18:31:07"},
		"a written date":          {`<c r="E2" s="2"><v>46345</v></c>`, "2026-11-19"},
		"a date of an era":        {`<c r="E2" s="3"><v>46345</v></c>`, "2026-11-19"},
		"a built-in Japanese one": {`<c r="E2" s="5"><v>46345</v></c>`, "2026-11-19"},
		"a time of day":           {`<c r="E2" s="8"><v>0.75</v></c>`, "18:00:00"},
		"a date in ISO form":      {`<c r="E2" t="d"><v>2026-11-19T18:31:07</v></c>`, "2026-11-19T18:31:07"},
		"a number":                {`<c r="E2"><v>46345</v></c>`, "46345"},
		"a number with words":     {`<c r="E2" s="4"><v>46345</v></c>`, "46345"},
		"a scientific format":     {`<c r="E2" s="7"><v>46345</v></c>`, "46345"},
		"a large number":          {`<c r="E2"><v>9.0000001202E10</v></c>`, "90000001202"},
		"a number that is cut":    {`<c r="E2"><v>12345678901234567</v></c>`, "1.2345678901234568e+16"},
		"a truth":                 {`<c r="E2" t="b"><v>1</v></c>`, "true"},
		"a style that is missing": {`<c r="E2" s="99"><v>5</v></c>`, "5"},
		"without a place":         {`<c t="str"><v>here</v></c>`, "here"},
		"blank":                   {`<c r="E2" s="1"/>`, ""},
	}
	const shared = `<sst><si><t>2026年11月19日</t></si><si><r><t>髙橋</t></r><r><t xml:space="preserve"> 美咲</t></r><rPh sb="0" eb="2"><t>タカハシ</t></rPh><phoneticPr/></si><si><t>a_x000D_b</t></si></sst>`
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			line := strings.TrimSuffix(row(2, "1", "髙橋", "a@example.jp", "不採用"), "</row>") + tt.cell + "</row>"
			got, said := rows(t, string(book(t, workbook{sheets: []sheet{{"応募者", header + line}}, shared: shared, styles: styles})))
			if len(said) > 0 || len(got) != 1 || got[0].Body.EndedAt != tt.want {
				t.Errorf("got %+v (%v), want %q", got, said, tt.want)
			}
		})
	}
	old := workbook{sheets: []sheet{{"応募者", header + strings.TrimSuffix(row(2, "1", "髙橋", "a@example.jp", "不採用"), "</row>") + `<c r="E2" s="1"><v>44883</v></c></row>`}}, styles: styles, first: `<workbookPr date1904="1"/>`}
	if got, said := rows(t, string(book(t, old))); len(said) > 0 || got[0].Body.EndedAt != "2026-11-19" {
		t.Errorf("days since 1904: got %+v (%v)", got, said)
	}
}

func TestWorkbookRows(t *testing.T) {
	person := func(n int, id string) string { return row(n, id, "髙橋", "a@example.jp", "不採用") }
	hidden := strings.Replace(person(5, "4"), `<row`, `<row hidden="1"`, 1)
	failed := strings.Replace(person(7, "5"), `t="inlineStr"><is><t>a@example.jp</t></is>`, `t="e"><v>#REF!</v>`, 1)
	sheets := row(1, "応募者一覧") + strings.Replace(header, `r="1"`, `r="3"`, 1) + person(4, "2") + hidden + row(6, "2026年11月") + failed + row(9, "合計", "", "", "3")
	got, said := rows(t, string(book(t, workbook{sheets: []sheet{{"一覧", sheets}}})))
	want := []string{"row 5: hidden in the spreadsheet", "row 6: a heading or a footer", "row 7, column 3 (メールアドレス): a formula that failed", "row 9: a total"}
	if diff := cmp.Diff(want, said); diff != "" || len(got) != 1 || got[0].Number != 4 {
		t.Errorf("got %v; words differ (-want +got):\n%s", got, diff)
	}
}

func TestWorkbookSheets(t *testing.T) {
	list := sheet{"10月", header + row(2, "1", "髙橋", "a@example.jp", "不採用")}
	other := sheet{"11月", header + row(2, "2", "髙橋", "a@example.jp", "不採用")}
	notes := sheet{"メモ", row(1, "x")}
	tests := map[string]struct {
		book workbook
		name string
		want string // the sheet, or the error
	}{
		"the one with a header":  {workbook{sheets: []sheet{notes, list}}, "", "10月"},
		"the one that is named":  {workbook{sheets: []sheet{list, other}}, "11月", "11月"},
		"a hidden one":           {workbook{sheets: []sheet{list, other}, hidden: 2}, "", "10月"},
		"a hidden one by name":   {workbook{sheets: []sheet{list, other}, hidden: 2}, "11月", "11月"},
		"two that could be it":   {workbook{sheets: []sheet{list, other}}, "", `the sheets "10月" and "11月" could both be meant: name one (table.sheet)`},
		"none of this name":      {workbook{sheets: []sheet{list}}, "12月", "the workbook has no such sheet (table.sheet)"},
		"no sheet at all":        {workbook{}, "", "the workbook has no such sheet (table.sheet)"},
		"none with a header":     {workbook{sheets: []sheet{notes}}, "", "no header in the first 20 rows: none of their cells names a column that is known; say the row (table.header) and the columns (table.columns)"},
		"a sheet that is away":   {workbook{sheets: []sheet{list}, without: true}, "", "the workbook has no such sheet (table.sheet)"},
		"a text that is missing": {workbook{sheets: []sheet{{"x", `<row r="1"><c r="A1" t="s"><v>7</v></c></row>`}}}, "", "row 1, column 1: the workbook is damaged: a text is missing"},
		"broken XML":             {workbook{sheets: []sheet{{"x", `<row r="1"><c`}}}, "", "the workbook is damaged: its part sheet1.xml cannot be read"},
		"an entity":              {workbook{sheets: []sheet{list}, first: `<!DOCTYPE x [<!ENTITY a "b">]>&a;`}, "", "the workbook is damaged: its part workbook.xml cannot be read"},
		"too many cells":         {workbook{sheets: []sheet{{"x", `<row r="1"><c r="XFD1" t="str"><v>x</v></c></row>`}}}, "", "row 1 has more than 1000 cells"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := table.Preset{Sheet: tt.name}.Open(bytes.NewReader(book(t, tt.book)))
			got := fmt.Sprint(err)
			if err == nil {
				got = s.Name
			}
			if got != tt.want || err != nil && ats.FaultOf(err) != ats.Invalid && ats.FaultOf(err) != ats.TooLarge {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A small file that unpacks to a huge one must not fill the memory.
func TestZipBombs(t *testing.T) {
	text := strings.Repeat("あ", 400<<10)
	many := `<sst>` + strings.Repeat(`<si><t>`+strings.Repeat("x", 1<<19)+`</t></si>`, 140) + `</sst>`
	list := []sheet{{"x", header}}
	tests := map[string]workbook{
		"one huge text":    {sheets: list, shared: `<sst><si><t>` + text + `</t></si></sst>`},
		"many texts":       {sheets: list, shared: many},
		"one huge element": {sheets: list, shared: `<sst a="` + text + `"/>`},
		"deeply nested":    {sheets: []sheet{{"x", header + strings.Repeat("<a>", 1<<20)}}},
	}
	for name, w := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := table.Preset{}.Open(bytes.NewReader(book(t, w)))
			if err == nil {
				for _, failed := range s.Rows() {
					err = failed
				}
			}
			if want := ats.TooLarge; ats.FaultOf(err) != want && name != "deeply nested" {
				t.Errorf("got %v, want too large", err)
			}
		})
	}
	if n, err := io.Copy(io.Discard, table.Unpacked(endless{})); err == nil || n > 300<<20 {
		t.Errorf("an endless part: read %d MiB (%v)", n>>20, err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range 10_001 {
		if _, err := z.Create(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := (table.Preset{}).Open(bytes.NewReader(b.Bytes())); ats.FaultOf(err) != ats.TooLarge {
		t.Errorf("too many parts: got %v", err)
	}
	b.Reset()
	z = zip.NewWriter(&b)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := (table.Preset{}).Open(bytes.NewReader(b.Bytes())); err == nil || !strings.HasPrefix(err.Error(), "not an .xlsx workbook") {
		t.Errorf("another zip file: got %v", err)
	}
}

// endless is a part that never ends, of small elements.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '>'
	}
	return len(p), nil
}
