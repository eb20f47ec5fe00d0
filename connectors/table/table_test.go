package table_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/table"
)

const head = "応募ID,氏名,メールアドレス,選考結果\n"

// rows reads a file and returns its rows of data and what is said of the others.
func rows(tb testing.TB, file string) (data []table.Row, said []string) {
	tb.Helper()
	s, err := table.Preset{}.Open(strings.NewReader(file))
	if err != nil {
		tb.Fatal(err)
	}
	for r, err := range s.Rows() {
		switch {
		case err != nil:
			said = append(said, err.Error())
		case r.Skip != "":
			said = append(said, fmt.Sprintf("row %d: %s", r.Number, r.Skip))
		default:
			data = append(data, r)
		}
	}
	return data, said
}

// encodings write text as files of each encoding have it.
var encodings = map[string]struct {
	mark string
	how  encoding.Encoding
}{
	"utf-8":        {"", encoding.Nop},
	"utf-8-bom":    {"\xef\xbb\xbf", encoding.Nop},
	"cp932":        {"", japanese.ShiftJIS},
	"utf-16le-bom": {"\xff\xfe", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
	"utf-16be-bom": {"\xfe\xff", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
	"utf-16le":     {"", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
	"utf-16be":     {"", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
}

func write(tb testing.TB, encoding, text string) string {
	tb.Helper()
	out, err := encodings[encoding].how.NewEncoder().String(text)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestEncodings(t *testing.T) {
	text, err := os.ReadFile("testdata/encoding-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Cases []struct{ Hex, Text, Encoding string }
		Wrong struct {
			UTF8 string `json:"utf8_hex"`
			Read string `json:"read_as_cp932"`
		} `json:"wrong_first_guess"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors.Cases {
		t.Run(v.Encoding+" "+v.Hex, func(t *testing.T) {
			e, ok := encodings[v.Encoding]
			raw, err := hex.DecodeString(v.Hex)
			if err != nil || !ok {
				t.Fatal(err, v.Encoding)
			}
			cell := strings.TrimPrefix(string(raw), e.mark)
			file := e.mark + write(t, v.Encoding, head+"1,山") + cell + write(t, v.Encoding, "田,a@example.jp,不採用\n")
			s, err := table.Preset{}.Open(strings.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			got, said := rows(t, file)
			if s.Encoding != v.Encoding || len(said) > 0 || len(got) != 1 || got[0].Body.FullName != "山"+v.Text+"田" {
				t.Errorf("got %s: %v, %v; want %s", s.Encoding, got, said, v.Text)
			}
		})
	}
	raw, err := hex.DecodeString(vectors.Wrong.UTF8)
	if err != nil {
		t.Fatal(err)
	}
	if wrong, err := japanese.ShiftJIS.NewDecoder().String(string(raw)); err != nil || wrong != vectors.Wrong.Read {
		t.Errorf("the wrong guess: got %s (%v), want %s without an error", wrong, err, vectors.Wrong.Read)
	}
}

func TestEncodingsWithoutAMark(t *testing.T) {
	for name := range encodings {
		file := encodings[name].mark + write(t, name, head+"1,髙橋 美咲,misaki@example.jp,不採用\n")
		s, err := table.Preset{}.Open(strings.NewReader(file))
		if err != nil || s.Encoding != name {
			t.Errorf("%s: got %v (%v)", name, s, err)
		}
	}
	// What the company says goes before a guess, a mark before both.
	for file, want := range map[string]string{
		write(t, "cp932", head):     "cp932",
		"\xef\xbb\xbf" + head:       "utf-8-bom",
		"ID,name,mail,status\n1,,,": "cp932",
	} {
		s, err := table.Preset{Encoding: "cp932"}.Open(strings.NewReader(file))
		if err != nil || s.Encoding != want {
			t.Errorf("said to be cp932: got %v (%v), want %s", s, err, want)
		}
	}
}

// The common headers are the agreed ones.
func TestCommonHeaders(t *testing.T) {
	text, err := os.ReadFile("testdata/header-aliases.json")
	if err != nil {
		t.Fatal(err)
	}
	var agreed map[string]json.RawMessage
	if err := json.Unmarshal(text, &agreed); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"outcome_withdrawn_flag": table.Withdrawn}
	for column, raw := range agreed {
		var headers []string
		if json.Unmarshal(raw, &headers) != nil || column == "phone" { // telephone numbers are not taken over
			continue
		}
		for _, h := range headers {
			want := column
			if names[column] != "" {
				want = names[column]
			}
			if h == "不合格" { // it is filled in, or ticked
				want = table.Rejected
			}
			for _, written := range []string{h, " " + strings.ToUpper(h) + "（ ）※", "【" + h} {
				s, err := table.Preset{}.Open(strings.NewReader("名前,email,結果," + written + "\n"))
				if err != nil {
					t.Fatalf("%s: %v", written, err)
				}
				if got := s.Columns[3].Name; got != want && strings.HasPrefix(written, "【") == (got == want) {
					t.Errorf("%s: got %q, want %s", written, got, want)
				}
			}
		}
	}
}

func TestDelimiters(t *testing.T) {
	for name, sign := range map[string]string{"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"} {
		file := strings.ReplaceAll(head+"1,髙橋 美咲,misaki@example.jp,不採用\n", ",", sign)
		s, err := table.Preset{}.Open(strings.NewReader(file))
		if err != nil || s.Delimiter != name {
			t.Errorf("%s: got %v (%v)", name, s, err)
		}
	}
}

func TestCells(t *testing.T) {
	tests := map[string]struct{ cell, want string }{
		"plain":                                {"髙橋 美咲", "髙橋 美咲"},
		"blanks around it":                     {" 　髙橋　美咲\u200b ", "髙橋　美咲"},
		"quotation marks":                      {`"髙橋, 美咲"`, "髙橋, 美咲"},
		"a line break inside":                  {"\"髙橋\r\n美咲\"", "髙橋\n美咲"},
		"doubled quotation marks":              {`"髙橋 ""ミサ"" 美咲"`, `髙橋 "ミサ" 美咲`},
		"quotation marks that are not doubled": {`"髙橋 "ミサ" 美咲"`, `髙橋 "ミサ" 美咲`},
		"quotation marks within":               {`髙橋 "ミサ" 美咲`, `髙橋 "ミサ" 美咲`},
		"an apostrophe alone":                  {"'", ""},
		"an apostrophe and a line break":       {"\"'\n\"", ""},
		"an apostrophe before a number":        {"'0900", "0900"},
		"an apostrophe in a name":              {"'Adī", "'Adī"},
		"a formula that keeps a zero":          {`"=""09000001202"""`, "09000001202"},
		"a formula as text":                    {"=1+1", "=1+1"},
		"a dash":                               {"－", ""},
		"several dashes":                       {"--", ""},
		"a name in its own form":               {"神", "神"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, said := rows(t, head+"1,"+tt.cell+",a@example.jp,不採用\n")
			if len(said) > 0 || len(got) != 1 || got[0].Body.FullName != tt.want {
				t.Errorf("got %+v (%v), want %q", got, said, tt.want)
			}
		})
	}
}

func TestRows(t *testing.T) {
	const person = ",髙橋 美咲,misaki@example.jp,不採用"
	tests := map[string]struct {
		file string
		want []int // numbers of the rows of data
		said []string
	}{
		"ends without a line break":   {head + "1" + person, []int{2}, nil},
		"old line breaks":             {strings.ReplaceAll(head, "\n", "\r") + "1" + person + "\r2" + person, []int{2, 3}, nil},
		"titles above the header":     {"出力日時：2026年11月20日\n\n" + head + "1" + person, []int{4}, nil},
		"blank rows":                  {head + "\n,,,\n1" + person + "\n,,\n\n2" + person + "\n\n", []int{4, 7}, nil},
		"a total at the end":          {head + "1" + person + "\n合計,1,,1\n", []int{2}, []string{"row 3: a total"}},
		"a name that begins like one": {head + "1,計良 太郎,kera@example.jp,不採用\n", []int{2}, nil},
		"a heading and a footer":      {head + "2026年11月,,,\n1" + person + "\n出力件数：1件\n", []int{3}, []string{"row 2: a heading or a footer", "row 4: a heading or a footer"}},
		"the header again":            {head + "1" + person + "\n" + head + "2" + person, []int{2, 4}, []string{"row 3: a header again"}},
		"a header in two languages":   {head + "id,name,email,status\n1" + person, []int{3}, []string{"row 2: a header again"}},
		"another header": {head + "1" + person + "\n氏名,応募ID,メールアドレス,選考結果\n山田,2,b@example.jp,不採用\n", []int{2}, []string{
			"row 3: another header with other columns; put each table into a file of its own",
		}},
		"a cell too many": {head + "1" + person + ",x\n2" + person, []int{3}, []string{
			"row 2: it has 5 cells and the header 4; a cell with a delimiter or a line break needs quotation marks",
		}},
		"blank cells too many": {head + "1" + person + ",,\n", []int{2}, nil},
		"a row that is cut": {head + "1,髙橋\n2" + person, []int{3}, []string{
			"row 2: it has 2 cells and the header 4; it is cut before the column メールアドレス",
		}},
		"unimportant cells that are cut": {"応募ID,氏名,メールアドレス,選考結果,応募日,メモ\n1" + person + "\n", []int{2}, nil},
		"a rounded id": {head + "1.23457E+12" + person, nil, []string{
			"row 2, column 1 (応募ID): a spreadsheet rounded this id; export the file again and do not save it in between",
		}},
		"a row without an id": {head + person[0:] + "\n2" + person, []int{3}, []string{
			"row 2, column 1 (応募ID): no application id, though other rows have one",
		}},
		"a file without ids":       {"氏名,メールアドレス,選考結果\n髙橋,a@example.jp,不採用\n", []int{2}, nil},
		"a formula that failed":    {head + "1,髙橋,#N/A,不採用\n", nil, []string{"row 2, column 3 (メールアドレス): a formula that failed"}},
		"the same header twice":    {"ID,氏名,メール,メール,結果\n1,髙橋,a@example.jp,a@example.jp,不採用\n2,髙橋,,a@example.jp,不採用\n", []int{2, 3}, nil},
		"a header twice, two ways": {"ID,氏名,メール,メール,結果\n1,髙橋,a@example.jp,b@example.jp,不採用\n", nil, []string{"row 2, column 4 (メール): another column has the same header and another value; which one counts?"}},
		"a quotation mark that is never closed": {head + "1" + person + "\n2,\"髙橋,misaki@example.jp,不採用\n", []int{2}, []string{
			"row 3, column 2: a quotation mark opens this cell and none closes it",
		}},
		"an endless cell": {head + "1,\"" + strings.Repeat("あ\n", 30_000) + "\",a@example.jp,不採用\n", nil, []string{
			"row 2, column 2: a cell is longer than 64 KiB; perhaps a quotation mark is missing",
		}},
		"an endless cell without marks": {head + "1," + strings.Repeat("あ", 30_000) + ",a@example.jp,不採用\n", nil, []string{"row 2: a cell is longer than 64 KiB"}},
		"an endless row":                {head + strings.Repeat(",", 1001) + "\n", nil, []string{"row 2 has more than 1000 cells"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			data, said := rows(t, tt.file)
			var got []int
			for _, r := range data {
				got = append(got, r.Number)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.said, said); diff != "" {
				t.Errorf("words differ (-want +got):\n%s", diff)
			}
		})
	}
}

// A row that is damaged does not spoil the file, and nothing of it is repeated.
func TestDamagedBytes(t *testing.T) {
	cp := write(t, "cp932", head+"1,髙橋,a@example.jp,不採用\n2,山")
	data, said := rows(t, cp+"\x81\xff"+write(t, "cp932", "田,b@example.jp,不採用\n"))
	if len(data) != 1 || len(said) != 1 || said[0] != "row 3, column 2 (氏名): holds bytes that are not cp932" {
		t.Errorf("cp932: got %v, %q", data, said)
	}
	data, said = rows(t, head+"1,髙橋,a@example.jp,不採用\n2,山\xe7田,b@example.jp,不採用\n")
	if len(data) != 1 || len(said) != 1 || said[0] != "row 3, column 2 (氏名): holds bytes that are not utf-8" {
		t.Errorf("utf-8: got %v, %q", data, said)
	}
	data, said = rows(t, "応募ID,氏名,メールアドレス,選考結果,メモ\n1,髙橋,a@example.jp,不採用,\xe7\n")
	if len(data) != 1 || len(said) != 0 {
		t.Errorf("in a column that is not used: got %v, %q", data, said)
	}
}

func TestRefusedFiles(t *testing.T) {
	wide := strings.Repeat("x,", 20) + "\n"
	tests := map[string]struct {
		preset table.Preset
		file   string
		want   string
		fault  ats.Fault
	}{
		"empty":                             {table.Preset{}, "", "the file is empty", ats.Invalid},
		"an old workbook":                   {table.Preset{}, "\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel file, or one with a password: save it as .xlsx without one, or as CSV", ats.Invalid},
		"a web page":                        {table.Preset{}, " <html><table>", "a web page or XML, whatever its name says: save it as .xlsx or CSV", ats.Invalid},
		"a PDF":                             {table.Preset{}, "%PDF-1.7", "a PDF: export the list as .xlsx or CSV", ats.Invalid},
		"a zip that is broken":              {table.Preset{}, "PK\x03\x04 broken", "the workbook is damaged: it is no readable zip file", ats.Invalid},
		"nothing known":                     {table.Preset{}, wide, "no header in the first 20 rows: none of their cells names a column that is known; say the row (table.header) and the columns (table.columns)", ats.Invalid},
		"data without a header":             {table.Preset{}, "1,髙橋 美咲,misaki@example.jp,不採用\n", "no header in the first 20 rows: none of their cells names a column that is known; say the row (table.header) and the columns (table.columns)", ats.Invalid},
		"a header that lacks something":     {table.Preset{}, "題名\n応募ID,氏名,電話番号\n1,髙橋,090\n", "no header in the first 20 rows: row 2 is the likeliest and has application_id, full_name, but no email, no outcome; say the row (table.header) or the columns (table.columns)", ats.Invalid},
		"an unknown delimiter":              {table.Preset{}, strings.ReplaceAll(head, ",", "^"), "no header in the first 20 rows: none of their cells names a column that is known; say the row (table.header) and the columns (table.columns)", ats.Invalid},
		"the wrong delimiter":               {table.Preset{Delimiter: "tab"}, head, "no header in the first 20 rows: none of their cells names a column that is known; say the row (table.header) and the columns (table.columns)", ats.Invalid},
		"a header too far down":             {table.Preset{}, strings.Repeat("\n", 20) + head, "no header in the first 20 rows: none of their cells names a column that is known; say the row (table.header) and the columns (table.columns)", ats.Invalid},
		"the wrong row":                     {table.Preset{Header: 2}, head + "1,髙橋,a@example.jp,不採用\n", "no header in the first 20 rows: none of their cells names a column that is known; say the row (table.header) and the columns (table.columns)", ats.Invalid},
		"a quotation mark above the header": {table.Preset{}, "\"\n" + head, "row 1, column 1: a quotation mark opens this cell and none closes it", ats.Invalid},
		"a column that the company named":   {table.Preset{}.With(table.Preset{Columns: map[string]table.Headers{"ended_at": {"お見送り通知日"}}}), head, "table.columns.ended_at: the header (row 1) has no such column", ats.Invalid},
		"a column that is to be kept":       {table.Preset{Keep: []string{"部署"}}, head, "table.keep[0]: the header (row 1) has no such column", ats.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tt.preset.Open(strings.NewReader(tt.file))
			if err == nil || err.Error() != tt.want || ats.FaultOf(err) != tt.fault {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	// A header further down is found when its row is said.
	if s, err := (table.Preset{Header: 21}).Open(strings.NewReader(strings.Repeat("\n", 20) + head)); err != nil || s.Header != 21 {
		t.Errorf("got %v (%v), want row 21", s, err)
	}
}

func TestTooLarge(t *testing.T) {
	_, err := table.Preset{}.Open(io.LimitReader(zeros{}, table.MaxFile+1))
	if ats.FaultOf(err) != ats.TooLarge || !strings.Contains(err.Error(), "50 MiB") {
		t.Errorf("a stream: got %v", err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "sparse"))
	if err == nil {
		err = f.Truncate(table.MaxFile + 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err = (table.Preset{}).Open(f); ats.FaultOf(err) != ats.TooLarge {
		t.Errorf("a file: got %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// broken fails after some bytes.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errors.New("gone")
	}
	return n, err
}

func TestAFileThatCannotBeRead(t *testing.T) {
	if _, err := (table.Preset{}).Open(broken{strings.NewReader(head)}); ats.FaultOf(err) != ats.Busy {
		t.Errorf("got %v, want busy", err)
	}
}

// The longest file is read to its end in little memory, and one row more is
// refused.
func TestLongFile(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 200,000 rows")
	}
	path := filepath.Join(t.TempDir(), "long.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	_, _ = f.WriteString(head)
	row := func(i int) string { return fmt.Sprintf("A-%d,髙橋 美咲,misaki%d@example.jp,不採用\n", i, i) }
	for part := range 200 {
		var b bytes.Buffer
		for i := range table.MaxRows / 200 {
			b.WriteString(row(part*1000 + i))
		}
		if _, err := f.Write(b.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	count := func() (n int, peak uint64, last error) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		base := m.HeapAlloc
		for _, err := range (table.Reader{Now: time.Now}).Read(f) {
			if err != nil {
				return n, peak, err
			}
			if n++; n%20_000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&m)
				if m.HeapAlloc > base {
					peak = max(peak, m.HeapAlloc-base)
				}
			}
		}
		return n, peak, nil
	}
	n, peak, err := count()
	if n != table.MaxRows || err != nil || peak > 4<<20 {
		t.Errorf("got %d rows with %d KiB (%v), want all in little memory", n, peak>>10, err)
	}
	_, _ = f.WriteString(row(1) + row(2))
	n, _, err = count()
	if n != table.MaxRows || ats.FaultOf(err) != ats.TooLarge || err.Error() != "row 200002: the file has more than 200000 rows; split it" {
		t.Errorf("one more: got %d rows (%v)", n, err)
	}
}

func TestPayload(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	file := "応募ID,姓,名,セイ,メイ,メール,携帯メールアドレス,職種,選考結果,辞退,応募経路,タグ,連絡不要,通知済み,部署,年齢\n" +
		"０１,髙橋,美咲,タカハシ,ミサキ,a@example.jp,b@example.jp,営業,不採用,×,紹介,\"同意、英語;Go\",○,無,第一,41\n" +
		"2,,中村 葵,,,,,,,辞退,,,,済,,\n"
	p := table.Preset{Keep: []string{"部署"}}
	var got []string
	for payload, err := range (table.Reader{Preset: p, Now: func() time.Time { return now }}).Read(strings.NewReader(file)) {
		if err != nil {
			t.Fatal(err)
		}
		if !payload.Received.Equal(now) || payload.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %v, %s", payload.Header, payload.Received)
		}
		got = append(got, payload.Header.Get(table.RowHeader)+" "+string(payload.Body))
	}
	want := []string{
		`2 {"application_id":"01","family_name":"髙橋","given_name":"美咲","kana":"タカハシ ミサキ","email":["a@example.jp","b@example.jp"],"job_title":"営業",` +
			`"results":[{"column":"選考結果","label":"不採用"}],"channel":"紹介","tags":["同意","英語","Go"],"do_not_contact":true,` +
			`"cells":{"セイ":"タカハシ","タグ":"同意、英語;Go","メイ":"ミサキ","メール":"a@example.jp","名":"美咲","姓":"髙橋","応募ID":"０１","応募経路":"紹介","携帯メールアドレス":"b@example.jp","職種":"営業","辞退":"×","通知済み":"無","連絡不要":"○","選考結果":"不採用","部署":"第一"}}`,
		`3 {"application_id":"2","full_name":"中村 葵","results":[{"column":"辞退","label":"辞退","says":"withdrawn"}],"already_sent":true,"cells":{"名":"中村 葵","応募ID":"2","辞退":"辞退","通知済み":"済"}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("payloads differ (-want +got):\n%s", diff)
	}
}

// A reader stops when its caller does, and goes on behind a row that cannot be
// used.
func TestReadStops(t *testing.T) {
	file := head + "1,a,a@example.jp,x\n2,b,b@example.jp,x,y\n3,c,c@example.jp,x\n合計,3,,\n4,d,d@example.jp,x\n"
	for stop, want := range map[int]int{1: 1, 2: 2, 9: 4} {
		n := 0
		for _, err := range (table.Reader{Now: time.Now}).Read(strings.NewReader(file)) {
			if err != nil && ats.FaultOf(err) != ats.Invalid {
				t.Fatal(err)
			}
			if n++; n == stop {
				break
			}
		}
		if n != want {
			t.Errorf("stopped after %d: got %d", stop, n)
		}
	}
	var errs []error
	for _, err := range (table.Reader{Now: time.Now}).Read(strings.NewReader("x")) {
		errs = append(errs, err)
	}
	if len(errs) != 1 || ats.FaultOf(errs[0]) != ats.Invalid {
		t.Errorf("no table: got %v", errs)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(head+"1,髙橋,a@example.jp,不採用\n"), "", "")
	f.Add([]byte("応募ID\t氏名\tメール\t結果\r\n1\t\"a\"b\"\tx\t\r\n"), "cp932", "tab")
	f.Add([]byte("\xff\xfe"+"a\x00,\x00"), "", "")
	f.Add(book(f, workbook{sheets: []sheet{{"一覧", `<row r="1"><c r="A1" t="inlineStr"><is><t>ID</t></is></c></row>`}}}), "", "")
	for _, file := range []string{"applicants-cp932.tsv", "sheets-export-utf8bom.csv"} {
		text, err := os.ReadFile("../hrmos/testdata/files/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "", "")
	}
	f.Fuzz(func(t *testing.T, file []byte, encoding, delimiter string) {
		s, err := table.Preset{Encoding: encoding, Delimiter: delimiter}.Open(bytes.NewReader(file))
		if err != nil {
			sound(t, err)
			return
		}
		last := s.Header
		for r, err := range s.Rows() {
			if r.Number <= last && err == nil {
				t.Fatalf("row %d follows row %d", r.Number, last)
			}
			last = r.Number
			if err != nil {
				sound(t, err)
			}
			if r.Skip == "" && err == nil && !json.Valid(r.Payload(time.Time{}).Body) {
				t.Fatal("the body is not JSON")
			}
		}
	})
}

// sound fails unless an error has a fault and is short.
func sound(t *testing.T, err error) {
	t.Helper()
	if f := ats.FaultOf(err); f != ats.Invalid && f != ats.TooLarge || len(err.Error()) > 2000 {
		t.Fatalf("got %v", err)
	}
}
