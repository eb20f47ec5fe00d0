package intake

import (
	"context"
	"encoding/json"
	"io/fs"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// importNow is when the sample files are imported.
var importNow = time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC)

// A memory is what is known about rows, by application, and by the key of a row.
type memory map[string]record.RowKnown

func (m memory) KnownRows(_ context.Context, _, _ string, rows []record.Row, _ time.Time) ([]record.RowKnown, error) {
	out := make([]record.RowKnown, len(rows))
	for i, r := range rows {
		out[i] = m[r.Application]
	}
	return out, nil
}

func (memory) RunningImport(context.Context, record.Import) (string, error) { return "", nil }
func (memory) StartImport(context.Context, record.Import) (string, error)   { return "B", nil }
func (memory) EndImport(context.Context, string, int) error                 { return nil }
func (memory) SaveRows(_ context.Context, _ string, rows []record.Arrival) (int, error) {
	return len(rows), nil
}

// connect opens a vendor's connection with these settings.
func connect(t *testing.T, vendor, settings string, known memory) *Intake {
	t.Helper()
	conn, err := all.Factories()[vendor](connectors.Env{Now: func() time.Time { return importNow }}, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: " + vendor + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Intake{
		Company: &configs.Company{ID: "acme", TimeZone: "Asia/Tokyo", Sending: sending.Defaults()}, Connection: "file",
		Conn: conn.(*spec.Tabular), Store: known, Now: importNow, Reveal: true,
	}
}

// takeIn opens a file for such a connection.
func takeIn(t *testing.T, vendor, settings, file string, known memory) *Intake {
	t.Helper()
	in := connect(t, vendor, settings, known)
	if err := in.Open(strings.NewReader(file), ""); err != nil {
		t.Fatal(err)
	}
	return in
}

func (in *Intake) all(t *testing.T) []Judged {
	t.Helper()
	var out []Judged
	err := in.Judge(t.Context(), func(rows []Judged) error {
		out = append(out, rows...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An expectedRow is what somebody who read the vendors' documents expects of a
// row.
type expectedRow struct {
	Application string `json:"application_id"`
	Outcome     string
	Action      string
	Reason      string
	Candidate   struct {
		Name string `json:"full_name"`
		Kana string
	}
	Email   string
	Job     struct{ ID, Title string }
	Stage   string
	EndedAt string `json:"ended_at"`
	Basis   string `json:"ended_at_basis"`
	Applied string `json:"applied_at"`
	Consent string
}

type detected struct {
	Encoding  string
	Delimiter string
	Header    int `json:"header_row"`
}

// expectations are the vendors' sample files with what is expected of them.
var expectations = []struct {
	vendor, settings, file, expected string
}{
	{"hrmos", consentByTag, "applicants-cp932.tsv", "expected.json"},
	{"hrmos", consentByTag, "sheets-export-utf8bom.csv", "expected.json"},
	{"jobcan", consentByTag, "applicants-cp932.csv", "expected.json"},
	{"jobcan", consentByTag, "applicants-utf8.csv", "expected.json"},
	{"rpm", "", "applicants-cp932.csv", "expected.json"},
	{"csv", "", "generic-utf8-nobom.csv", "expected.json"},
	{"csv", "", "generic-rejections-utf8bom.csv", "expected.generic-rejections.json"},
}

const consentByTag = `map: {consent: 'if .body.tags // [] | index("リレー紹介同意") then "yes" else .body.consent end'}`

func TestImportAsExpected(t *testing.T) {
	for _, e := range expectations {
		t.Run(e.vendor+"/"+e.file, func(t *testing.T) {
			file, err := fs.ReadFile(connectors.Files, path.Join(e.vendor, "testdata/files", e.file))
			if err != nil {
				t.Fatal(err)
			}
			rows, form := expected(t, e.vendor, e.expected, e.file)
			in := takeIn(t, e.vendor, e.settings, string(file), memory{})
			if form != nil && (form.Encoding != in.Sheet.Encoding || form.Delimiter != in.Sheet.Delimiter || form.Header != in.Sheet.Header) {
				t.Errorf("found %s, %s, header in row %d; want %+v", in.Sheet.Encoding, in.Sheet.Delimiter, in.Sheet.Header, *form)
			}
			got := in.all(t)
			if len(got) != len(rows) {
				t.Fatalf("got %d rows, want %d", len(got), len(rows))
			}
			for i, want := range rows {
				want.compare(t, got[i])
			}
		})
	}
}

// expected reads what is expected of a file. The form of the document is the
// vendors' own.
func expected(t *testing.T, vendor, name, file string) ([]expectedRow, *detected) {
	t.Helper()
	text, err := fs.ReadFile(connectors.Files, path.Join(vendor, "testdata/files", name))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if own, ok := doc[file]; ok {
		one := struct {
			Detected detected
			Events   []expectedRow
		}{}
		if err := json.Unmarshal(own, &one); err != nil {
			t.Fatal(err)
		}
		return one.Events, &one.Detected
	}
	var rows []expectedRow
	if err := json.Unmarshal(doc["events"], &rows); err != nil {
		t.Fatal(err)
	}
	var forms map[string]detected
	if doc["detected"] == nil {
		return rows, nil
	}
	if err := json.Unmarshal(doc["detected"], &forms); err != nil {
		t.Fatal(err)
	}
	form := forms[file]
	return rows, &form
}

// verdictOf is the verdict by the reason that documents give.
var verdictOf = map[string][]Verdict{
	"":                            {RowMail},
	"agent_channel":               {RowExcluded},
	"not_rejected":                {RowWithdrawn, RowOngoing},
	"not_final":                   {RowOngoing},
	"no_email":                    {RowNoAddress},
	"unknown_label":               {RowUnknown},
	"ambiguous_label":             {RowAmbiguous},
	"no_contact":                  {RowIgnored},
	"duplicate_or_test":           {RowIgnored},
	"same_person_same_job_recent": {RowSame},
}

func (want expectedRow) compare(t *testing.T, got Judged) {
	t.Helper()
	ok := false
	for _, v := range verdictOf[want.Reason] {
		ok = ok || v == got.Verdict
	}
	if !ok || got.Application != want.Application || string(got.reading.Outcome) != want.Outcome {
		t.Errorf("%s: got %s, %s, %s (%s); want %s, %s", want.Application, got.Application, got.reading.Outcome, got.Verdict, got.Reason, want.Outcome, want.Reason)
	}
	for what, pair := range map[string][2]string{"name": {want.Candidate.Name, got.Name}, "address": {want.Email, got.Address}} {
		if pair[0] != "" && pair[0] != pair[1] {
			t.Errorf("%s: %s: got %q, want %q", want.Application, what, pair[1], pair[0])
		}
	}
	if want.Applied != "" && got.reading.Applied.In(japan).Format(time.DateOnly) != want.Applied {
		t.Errorf("%s: applied: got %s, want %s", want.Application, got.reading.Applied, want.Applied)
	}
	e := got.event
	if e == nil {
		return
	}
	kana, _ := ats.Greeting(ats.Candidate{Name: e.Candidate.Kana})
	for what, pair := range map[string][2]string{
		"kana": {want.Candidate.Kana, kana}, "job": {want.Job.Title, e.Job.Title}, "job id": {want.Job.ID, e.Job.ID}, "stage": {want.Stage, e.Stage},
		"consent": {map[string]string{"tag_present": "yes", "field_yes": "yes", "none": "unknown"}[want.Consent], string(e.Consent) + map[bool]string{true: "unknown"}[e.Consent == ""]},
		"basis":   {map[string]string{"record_updated_at": string(ats.SentClock)}[want.Basis], string(e.Clock)},
		"ended":   {want.EndedAt, e.At.In(japan).Format(map[bool]string{true: time.RFC3339, false: time.DateOnly}[strings.Contains(want.EndedAt, "T")])},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			t.Errorf("%s: %s: got %q, want %q", want.Application, what, pair[1], pair[0])
		}
	}
}

var japan = time.FixedZone("JST", 9*60*60)

func TestImportVerdicts(t *testing.T) {
	const head = "応募ID,氏名,メール,職種,選考結果,ステータス,選考終了日,応募日,応募経路,連絡不要,通知済み\n"
	tests := map[string]struct {
		rows     string
		settings string
		known    memory
		old      bool
		want     []string // verdict: reason
	}{
		"a rejection": {rows: "1,髙橋 美咲,a@example.jp,営業,不採用,,2026/11/19,2026/11/1,求人媒体,,", want: []string{"mail: "}},
		"without a time": {
			rows: "1,髙橋 美咲,a@example.jp,営業,不採用,,,,,,", want: []string{"mail: the file has no time of the decision; that of the import counts"},
		},
		"a doubtful address": {rows: "1,髙橋 美咲,info@example.jp,営業,不採用,,2026/11/19,,,,", want: []string{"held: The address is doubtful; a person must check it."}},
		"a doubtful name":    {rows: "1,=1+1,a@example.jp,営業,不採用,,2026/11/19,,,,", want: []string{"held: There is no usable name; a person must check it."}},
		"a test":             {rows: "1,テスト 太郎,a@example.jp,営業,不採用,,2026/11/19,,,,", want: []string{"held: The name looks like a test; a person must check it."}},
		"no address":         {rows: "1,髙橋 美咲,,営業,不採用,,2026/11/19,,,,", want: []string{"no_address: there is no address"}},
		"no good address":    {rows: "1,髙橋 美咲,a.example.jp,営業,不採用,,2026/11/19,,,,", want: []string{"no_address: the address is none"}},
		"several addresses":  {rows: `1,髙橋 美咲,"a@example.jp, b@example.jp",営業,不採用,,2026/11/19,,,,`, want: []string{"no_address: several addresses in one cell"}},
		"an agency":          {rows: "1,髙橋 美咲,a@example.jp,営業,不採用,,2026/11/19,,人材紹介,,", want: []string{"excluded: An agency introduced this person, who is not written to directly."}},
		"an employee's word": {rows: "1,髙橋 美咲,a@example.jp,営業,不採用,,2026/11/19,,社員紹介,,", want: []string{"mail: "}},
		"do not contact":     {rows: "1,髙橋 美咲,a@example.jp,営業,不採用,,2026/11/19,,,○,", want: []string{"excluded: The ATS says not to contact this person."}},
		"told already":       {rows: "1,髙橋 美咲,a@example.jp,営業,不採用,,2026/11/19,,,,済", want: []string{"ignored: the file says that the person was told"}},
		"a dead mailbox": {
			rows: "1,髙橋 美咲,a@example.jp,営業,不採用,,2026/11/19,,,,", known: memory{"1": {Suppressed: true}},
			want: []string{"excluded: The address is on the suppression list: it is dead, or refused our mails."},
		},
		"how it ended": {
			rows: "1,あい,a@example.jp,営業,内定辞退,,2026/11/19,,,,\n2,あい,b@example.jp,営業,採用,,2026/11/19,,,,\n3,あい,c@example.jp,営業,充足,,2026/11/19,,,,",
			want: []string{"withdrawn: The candidate withdrew.", "hired: The candidate was hired.", "closed: The position was closed, so no result is sent."},
		},
		"what has not ended": {
			rows: "1,あい,a@example.jp,営業,,,,,,,\n2,あい,b@example.jp,営業,不採用予定,,,,,,\n3,あい,c@example.jp,営業,,一次面接,,,,,",
			want: []string{"ongoing: it has not ended", "ongoing: it has not ended", "ongoing: it has not ended"},
		},
		"nobody answered, twice, a test": {
			rows: "1,あい,a@example.jp,営業,連絡不通,,,,,,\n2,あい,b@example.jp,営業,重複,,,,,,",
			want: []string{"ignored: no decision about a person", "ignored: no decision about a person"},
		},
		"a label that nobody knows": {
			rows: "1,髙橋,a@example.jp,営業,終了,,2026/11/19,,,,\n2,髙橋,b@example.jp,営業,辞退・不採用,,2026/11/19,,,,",
			want: []string{
				"unknown_label: the result is not a word we know: explain it in table.outcomes",
				"ambiguous: the result can mean either side: explain it in table.outcomes",
			},
		},
		"a label that the company explained": {
			rows: "1,髙橋,a@example.jp,営業,Ｃ 判定,,2026/11/19,,,,\n2,佐藤,b@example.jp,営業,不採用,,2026/11/19,,,,", settings: "table: {outcomes: {C判定: rejected, 不採用: ongoing}}",
			want: []string{"mail: ", "ongoing: it has not ended"},
		},
		"two columns": {
			rows: "1,あい,a@example.jp,営業,終了,不採用,2026/11/19,,,,\n2,いう,b@example.jp,営業,不採用,辞退,2026/11/19,,,,\n3,うえ,c@example.jp,営業,通過,不採用,2026/11/19,,,,\n4,えお,d@example.jp,営業,不採用,選考中,2026/11/19,,,,",
			want: []string{
				"mail: ",
				"ambiguous: the result can mean either side: explain it in table.outcomes",
				"ambiguous: the result can mean either side: explain it in table.outcomes",
				"mail: ",
			},
		},
		"decided long ago": {
			rows: "1,髙橋,a@example.jp,営業,不採用,,2026/10/1,,,,\n2,佐藤,b@example.jp,営業,辞退,,2026/10/1,,,,",
			want: []string{"too_old: decided 49 days ago, more than 30d; --include-old takes it in", "too_old: decided 49 days ago, more than 30d; --include-old takes it in"},
		},
		"applied for years ago": {rows: "1,髙橋,a@example.jp,営業,不採用,,2026/11/19,2023/11/19,,,", want: []string{"too_old: applied 1096 days ago, more than 365d: taken for bookkeeping"}},
		"old, and wanted": {
			rows: "1,髙橋,a@example.jp,営業,不採用,,2026/10/1,,,,\n2,佐藤,b@example.jp,営業,不採用,,2026/11/19,2023/11/19,,,\n3,鈴木,c@example.jp,営業,辞退,,2026/10/1,,,,", old: true,
			want: []string{"held: The decision is too old; a person must release it.", "too_old: applied 1096 days ago, more than 365d: taken for bookkeeping", "withdrawn: The candidate withdrew."},
		},
		"an application that is known": {
			rows: "1,髙橋,a@example.jp,営業,不採用,,2026/11/19,,,,\n2,佐藤,b@example.jp,営業,採用,,2026/11/19,,,,\n3,鈴木,c@example.jp,営業,不採用,,2026/11/1,,,,\n4,田中,d@example.jp,営業,不採用,,2026/11/19,,,,\n5,伊藤,e@example.jp,営業,不採用,,2026/11/19,,,,",
			known: memory{
				"1": {State: ats.Rejected, StateAt: importNow.AddDate(0, 0, -2)}, "2": {State: ats.Rejected, StateAt: importNow.AddDate(0, 0, -2)},
				"3": {State: ats.Hired, StateAt: importNow.AddDate(0, 0, -2)}, "4": {State: ats.Erased}, "5": {State: ats.Reopened, StateAt: importNow.AddDate(0, 0, -2), Written: true},
			},
			want: []string{
				"known: known as rejected", "hired: The candidate was hired.", "known: The event is older than what is known and changes nothing.",
				"known: The candidate was erased.", "excluded: The result was already sent for this application.",
			},
		},
		"an application that goes on": {
			rows:  "1,髙橋,a@example.jp,営業,選考中,,,,,,\n2,佐藤,b@example.jp,営業,選考中,,,,,,\n3,鈴木,c@example.jp,営業,,,,,,,",
			known: memory{"1": {State: ats.Rejected, StateAt: importNow}, "2": {State: ats.Hired, StateAt: importNow}, "3": {State: ats.Reopened}},
			want:  []string{"reopened: known as rejected, and here it still runs", "ongoing: it has not ended", "ongoing: it has not ended"},
		},
		"a row that came before": {
			rows:  "1,髙橋,a@example.jp,営業,不採用,,2026/11/19,,,,\n2,佐藤,b@example.jp,営業,不採用,,2026/11/19,,,,\n3,鈴木,c@example.jp,営業,終了,,2026/11/19,,,,",
			known: memory{"1": {Saved: record.Decoded, State: ats.Rejected}, "2": {Saved: record.Parked}, "3": {Saved: record.Parked}},
			want: []string{
				"imported: the same row was imported before", "imported: imported before and parked; it is understood now: replay it",
				"unknown_label: imported before and parked: the result is not a word we know: explain it in table.outcomes",
			},
		},
		"the same row twice": {rows: "1,髙橋,a@example.jp,営業,不採用,,2026/11/19,,,,\n1,髙橋,a@example.jp,営業,不採用,,2026/11/19,,,,", want: []string{"mail: ", "duplicate: the same as row 2"}},
		"two rows that differ": {
			rows: "1,髙橋,a@example.jp,営業,通過,,2026/11/1,,,,\n1,髙橋,a@example.jp,営業,不採用,,2026/11/19,,,,\n2,佐藤,b@example.jp,営業,通過,,,,,,\n2,佐藤,b@example.jp,営業,一次面接,,,,,,",
			want: []string{
				"conflict: several rows are about this application and differ; the first is row 2", "conflict: several rows are about this application and differ; the first is row 2",
				"ongoing: it has not ended", "ongoing: it has not ended",
			},
		},
		"one person and one job": {
			rows:  "1,髙橋,A@example.jp,営業,不採用,,2026/11/18,,,,\n2,髙橋,a@example.jp,営業,不採用,,2026/11/19,,,,\n3,髙橋,a@example.jp,経理,不採用,,2026/11/19,,,,\n4,佐藤,b@example.jp,営業,不採用,,2026/11/19,,,,",
			known: memory{"4": {Twin: "W-9"}},
			want: []string{
				"mail: ", "same_person: the same person and job as row 2", "mail: ", "same_person: the same person and job as the application W-9",
			},
		},
		"one person and one job, once more after a year": {
			rows:  "1,髙橋,a@example.jp,営業,不採用,,2025/11/18,,,,\n2,髙橋,a@example.jp,営業,不採用,,2026/11/19,,,,",
			known: memory{"1": {State: ats.Rejected}},
			want:  []string{"known: known as rejected", "mail: "},
		},
		"one person whose other row was imported before": {
			rows:  "1,髙橋,a@example.jp,営業,不採用,,2026/11/18,,,,\n2,髙橋,a@example.jp,営業,不採用,,2026/11/19,,,,",
			known: memory{"1": {Saved: record.New}},
			want:  []string{"imported: the same row was imported before", "same_person: the same person and job as row 2"},
		},
		"what cannot be read": {
			rows: "1,髙橋,a@example.jp,営業,不採用,,近日中,,,,\n2,佐藤,b@example.jp\n,鈴木,c@example.jp,営業,不採用,,,,,,\n合計,3,,,,,,,,,",
			want: []string{
				"unreadable: events[1].map.at: not a time: want 2026-11-24T09:00:00+09:00, a date, or Unix seconds or milliseconds",
				"unreadable: it has 3 cells and the header 11; it is cut before the column 選考結果",
				"unreadable: column 1 (応募ID): no application id, though other rows have one",
				"no_data: a total",
			},
		},
		"rules of the company's own": {
			rows:     "1,髙橋,a@example.jp,営業,不採用,,2026/11/19,,求人媒体,,\n2,佐藤,b@example.jp,営業,不採用,,2026/11/19,,,,",
			settings: `events: [{when: '.body.cells["応募経路"] == "求人媒体"', ignore: true}]`,
			want:     []string{"ignored: no decision about a person", "mail: "},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := takeIn(t, "csv", tt.settings, head+tt.rows+"\n", tt.known)
			in.Old = tt.old
			var got []string
			for _, j := range in.all(t) {
				got = append(got, string(j.Verdict)+": "+j.Reason)
				if (j.Verdict == RowMail || j.Verdict == RowHeld) != (j.keep && j.event != nil && j.event.State == ats.Rejected && j.Verdict != RowNoAddress && j.Verdict != RowExcluded) {
					t.Errorf("row %d: %s, kept %t", j.Row, j.Verdict, j.keep)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdicts differ (-want +got):\n%s", diff)
			}
		})
	}
}

// Without an id in the file the address and the job are one application.
func TestImportWithoutIDs(t *testing.T) {
	in := takeIn(t, "csv", "", "氏名,メール,職種,結果,終了日\n髙橋,Ａ@example.jp,営業,不採用,2026/11/19\n髙橋,a@EXAMPLE.jp,営 業,不採用,2026/11/19\n髙橋,a@example.jp,経理,不採用,2026/11/19\n佐藤,,営業,不採用,2026/11/19\n", memory{})
	got := in.all(t)
	if got[0].Application == "" || got[0].Application != got[1].Application || got[0].Application == got[2].Application {
		t.Errorf("got %s, %s and %s; want the first two alike", got[0].Application, got[1].Application, got[2].Application)
	}
	if got[3].Verdict != RowUnread || got[3].Reason != "neither an application id nor an address that could be used" {
		t.Errorf("without an address: got %s, %s", got[3].Verdict, got[3].Reason)
	}
	if strings.Contains(got[0].Application, "@") {
		t.Errorf("the id %s shows the address", got[0].Application)
	}
}

// A file that is no list is refused with a reason before anything is kept, and a
// row that cannot be trusted becomes no mail.
func TestBadFiles(t *testing.T) {
	const head = "応募ID,氏名,メール,職種,選考結果,選考終了日\n"
	for name, tt := range map[string]struct{ settings, file, refused, verdicts string }{
		"an empty file":       {file: "", refused: "the file is empty"},
		"only a header":       {file: head, verdicts: ""},
		"a web page":          {file: "<!doctype html><html><body>ログイン</body></html>", refused: "a web page"},
		"a wrong delimiter":   {settings: "table: {delimiter: tab}", file: head + "1,髙橋,a@example.jp,営業,不採用,2026/11/19\n", refused: "header"},
		"two headers":         {file: head + "1,髙橋,a@example.jp,営業,不採用,2026/11/19\n\n氏名,応募ID,メール,選考結果\n佐藤,2,b@example.jp,不採用\n", refused: "another header"},
		"the header again":    {file: head + "1,髙橋,a@example.jp,営業,不採用,2026/11/19\n" + head, verdicts: "mail no_data"},
		"a merged cell":       {file: head + "営業部の応募者,,,,,\n1,髙橋,a@example.jp,営業,不採用,2026/11/19\n", verdicts: "no_data mail"},
		"formulas":            {file: head + `1,"=HYPERLINK(""https://evil.test"",""髙橋"")",a@example.jp,営業,不採用,2026/11/19` + "\n2,髙橋,=1+1,営業,不採用,2026/11/19\n3,髙橋,#REF!,営業,不採用,2026/11/19\n", verdicts: "held no_address unreadable"},
		"a header in a cell":  {file: head + "1,髙橋,\"a@example.jp\r\nBcc: x@example.jp\",営業,不採用,2026/11/19\n", verdicts: "no_address"},
		"a quote left open":   {file: head + "1,\"髙橋,a@example.jp,営業,不採用,2026/11/19\n2,佐藤,b@example.jp,営業,不採用,2026/11/19\n", refused: "quotation"},
		"a row that is short": {file: head + "1,髙橋,a@example.jp\n", verdicts: "unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			in := connect(t, "csv", tt.settings, memory{})
			err := in.Open(strings.NewReader(tt.file), "")
			var got []string
			if err == nil {
				err = in.Judge(t.Context(), func(rows []Judged) error {
					for _, j := range rows {
						got = append(got, string(j.Verdict))
					}
					return nil
				})
			}
			if refused := err != nil && ats.FaultOf(err) == ats.Invalid && tt.refused != "" && strings.Contains(err.Error(), tt.refused); refused != (tt.refused != "") || err != nil && !refused {
				t.Fatalf("got %v, want %q", err, tt.refused)
			}
			if tt.refused == "" && strings.Join(got, " ") != tt.verdicts {
				t.Errorf("got %q, want %s", got, tt.verdicts)
			}
		})
	}
}
