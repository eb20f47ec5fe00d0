package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/store"
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

// takeIn opens a file for a vendor's connection with these settings.
func takeIn(t *testing.T, vendor, settings, file string, known memory) *intake {
	t.Helper()
	conn, err := all.Factories()[vendor](connectors.Env{Now: func() time.Time { return importNow }}, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: " + vendor + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
	if err != nil {
		t.Fatal(err)
	}
	in := &intake{
		company: &configs.Company{ID: "acme", TimeZone: "Asia/Tokyo", Sending: sending.Defaults()}, connection: "file",
		conn: conn.(*spec.Tabular), db: known, now: importNow, reveal: true,
	}
	if in.sheet, err = in.conn.Open(strings.NewReader(file), ""); err != nil {
		t.Fatal(err)
	}
	return in
}

func (in *intake) all(t *testing.T) []judged {
	t.Helper()
	if err := in.survey(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out []judged
	err := in.judge(t.Context(), func(rows []judged) error {
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
			if form != nil && (form.Encoding != in.sheet.Encoding || form.Delimiter != in.sheet.Delimiter || form.Header != in.sheet.Header) {
				t.Errorf("found %s, %s, header in row %d; want %+v", in.sheet.Encoding, in.sheet.Delimiter, in.sheet.Header, *form)
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
var verdictOf = map[string][]verdict{
	"":                            {rowMail},
	"agent_channel":               {rowExcluded},
	"not_rejected":                {rowWithdrawn, rowOngoing},
	"not_final":                   {rowOngoing},
	"no_email":                    {rowNoAddress},
	"unknown_label":               {rowUnknown},
	"ambiguous_label":             {rowAmbiguous},
	"no_contact":                  {rowIgnored},
	"duplicate_or_test":           {rowIgnored},
	"same_person_same_job_recent": {rowSame},
}

func (want expectedRow) compare(t *testing.T, got judged) {
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
			in.old = tt.old
			var got []string
			for _, j := range in.all(t) {
				got = append(got, string(j.Verdict)+": "+j.Reason)
				if (j.Verdict == rowMail || j.Verdict == rowHeld) != (j.keep && j.event != nil && j.event.State == ats.Rejected && j.Verdict != rowNoAddress && j.Verdict != rowExcluded) {
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
	if got[3].Verdict != rowUnread || got[3].Reason != "neither an application id nor an address that could be used" {
		t.Errorf("without an address: got %s, %s", got[3].Verdict, got[3].Reason)
	}
	if strings.Contains(got[0].Application, "@") {
		t.Errorf("the id %s shows the address", got[0].Application)
	}
}

// A desk is the command line with a company and no server.
type desk struct {
	t   *testing.T
	env map[string]string
	dir string
}

const deskCompany = `company: acme
name: {ja: 株式会社アクメ}
connections:
  list: {vendor: csv, table: {outcomes: {保留中: ongoing}}}
  greenhouse: {vendor: greenhouse, secrets: ["env:SECRET"]}
mail:
  transport: mailbox
  from: {address: saiyo@acme.example.jp}
  sender: {name: 株式会社アクメ, address: 東京都渋谷区例町1-1-1, contact: saiyo@acme.example.jp}
`

func openDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir()}
	write(t, filepath.Join(d.dir, "configs", "acme.yaml"), deskCompany)
	write(t, filepath.Join(d.dir, "configs", "relay.yaml"), walkShared)
	d.env = map[string]string{"CONFIGS": filepath.Join(d.dir, "configs"), "DATA": filepath.Join(d.dir, "data"), "SECRET": "s3cret", "NETWORK_URL": "https://network.example.jp/referrals", "NETWORK_KEY": networkKey}
	return d
}

// call runs a command and returns its exit code and what it printed.
func (d *desk) call(ctx context.Context, args ...string) (code int, out, errOut string) {
	d.t.Helper()
	var o, e bytes.Buffer
	code = run(ctx, args, func(name string) (string, bool) { v, ok := d.env[name]; return v, ok }, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func (d *desk) settings() *settings {
	s := &settings{}
	s.bind(pflag.NewFlagSet("", pflag.ContinueOnError), func(name string) (string, bool) { v, ok := d.env[name]; return v, ok })
	return s
}

// store opens the database beside the commands.
func (d *desk) store() *store.Store {
	d.t.Helper()
	db, err := openStore(d.t.Context(), d.settings(), true, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = db.Close() })
	return db
}

// file writes a file with these rows and returns its path.
func (d *desk) file(name string, rows ...string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	write(d.t, path, "応募ID,氏名,メール,職種,選考結果,選考終了日\n"+strings.Join(rows, "\n")+"\n")
	return path
}

func rejected(id string) string {
	return fmt.Sprintf("%s,髙橋 美咲,misaki.%s@example.jp,営業,不採用,%s", id, id, time.Now().AddDate(0, 0, -2).Format("2006/1/2"))
}

func TestImportCommands(t *testing.T) {
	d := openDesk(t)
	var rows []string
	for i := range 3 {
		rows = append(rows, rejected(fmt.Sprint("A", i)))
	}
	path := d.file("november list.csv", append(rows, "B1,佐藤 花子,hanako@example.jp,営業,終了,", "B2,鈴木 一,hajime@example.jp,営業,保留中,", "合計,5,,,,")...)
	at := []string{"--company", "acme", "--connection", "list"}

	code, out, errOut := d.call(t.Context(), append([]string{"import", "preview", path}, at...)...)
	if code != exitDone {
		t.Fatalf("preview: %d %s", code, errOut)
	}
	for _, want := range []string{
		"utf-8, comma, header in row 1", "application_id = 応募ID", "A0", "髙…", "m…@example.jp", "mail           3 ", "unknown_label  1 ", "ongoing        1 ", "no_data        1 ",
		"終了", `table: {outcomes: {"終了": rejected}}`, "nothing was changed", "--company acme --connection list --reason",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("preview lacks %q:\n%s", want, out)
		}
	}
	if regexp.MustCompile(`髙橋|misaki\.|hanako`).MatchString(out) {
		t.Errorf("the preview shows personal data:\n%s", out)
	}
	code, out, _ = d.call(t.Context(), append([]string{"import", "preview", path, "--json", "--verdict", "mail,unknown_label"}, at...)...)
	var view struct {
		File   fileView
		Rows   []judged
		Counts map[verdict]int
		Labels []labelCount
	}
	if err := json.Unmarshal([]byte(out), &view); code != exitDone || err != nil {
		t.Fatalf("JSON: %d, %v:\n%s", code, err, out)
	}
	if diff := cmp.Diff(map[verdict]int{rowMail: 3, rowUnknown: 1, rowOngoing: 1, rowNote: 1}, view.Counts); diff != "" || len(view.Rows) != 4 || view.File.Header != 1 {
		t.Errorf("JSON: %d rows; counts differ (-want +got):\n%s", len(view.Rows), diff)
	}
	if diff := cmp.Diff([]labelCount{{"終了", "選考結果", rowUnknown, 1}}, view.Labels); diff != "" {
		t.Errorf("labels differ (-want +got):\n%s", diff)
	}
	if _, out, _ = d.call(t.Context(), "delivery", "list", "--json"); out != "[]\n" {
		t.Errorf("a preview kept something: %s", out)
	}

	done := d.run(t.Context(), path)
	if done.Saved != 4 || done.Batch == "" || done.Resumed || len(done.Next) != 4 {
		t.Fatalf("run: got %+v", done)
	}
	for _, next := range done.Next {
		args := strings.Fields(strings.ReplaceAll(strings.TrimPrefix(next, "careerrelay "), "'…'", "looked"))
		if code, _, errOut := d.call(t.Context(), args...); code != exitDone {
			t.Errorf("%s: %d %s", next, code, errOut)
		}
	}
	if again := d.run(t.Context(), path); again.Saved != 0 || again.Batch != "" || again.Counts[rowImported] != 4 {
		t.Errorf("again: got %+v", again)
	}
	if code, out, _ = d.call(t.Context(), append([]string{"import", "run", path, "--reason", "once more"}, at...)...); code != exitDone || !strings.Contains(out, "nothing new") || !strings.Contains(out, "acme is in dry_run") {
		t.Errorf("again: %d\n%s", code, out)
	}
	_, out, _ = d.call(t.Context(), "audit", "list", "--json")
	if !strings.Contains(out, `"November"`) || strings.Contains(out, "misaki") {
		t.Errorf("audit: %s", out)
	}
}

// run imports a file.
func (d *desk) run(ctx context.Context, path string) imported {
	d.t.Helper()
	code, out, errOut := d.call(ctx, "import", "run", path, "--company", "acme", "--connection", "list", "--reason", "November", "--json")
	if code != exitDone {
		d.t.Fatalf("run: %d %s", code, errOut)
	}
	var done imported
	if err := json.Unmarshal([]byte(out), &done); err != nil {
		d.t.Fatal(err)
	}
	return done
}

// An import that was cut off goes on in its batch, and every row is kept once.
func TestImportGoesOn(t *testing.T) {
	d := openDesk(t)
	var rows []string
	for i := range 3 * portion {
		rows = append(rows, rejected(fmt.Sprint("A", i)))
	}
	path := d.file("list.csv", rows...)
	s, db := d.settings(), d.store()
	f := importFlags{company: "acme", connection: "list"}
	file, err := f.open(s, db, path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	ctx, cut := context.WithCancel(t.Context())
	file.intake.db = cutting{db, cut}
	done, err := file.run(ctx, db, "November")
	if ats.FaultOf(err) != ats.Busy || !strings.Contains(err.Error(), "the same command goes on") || done.Saved != portion {
		t.Fatalf("cut off: got %d rows and %v, want %d", done.Saved, err, portion)
	}
	rest := d.run(t.Context(), path)
	if !rest.Resumed || rest.Batch != done.Batch || rest.Saved != 2*portion || rest.Counts[rowImported] != portion {
		t.Errorf("went on: got %+v, want batch %s", rest, done.Batch)
	}
	batches, err := db.Batches(t.Context(), record.Filter{})
	if err != nil || len(batches) != 1 || batches[0].State != "done" || batches[0].Changed != 3*portion || batches[0].Matched != 3*portion {
		t.Errorf("batches: got %+v (%v)", batches, err)
	}
	counts, err := db.Counts(t.Context(), "acme")
	if err != nil || counts.Deliveries["new"] != 3*portion || counts.Jobs["waiting"] != 3*portion {
		t.Errorf("got %+v (%v), want every row once", counts, err)
	}
}

// An import whose process is killed, again and again, keeps every row once.
func TestImportIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("short: needs the built binary")
	}
	binary := build(t)
	d := openDesk(t)
	const n = 2000
	rows := make([]string, n)
	for i := range rows {
		rows[i] = rejected(fmt.Sprint("A", i))
	}
	path := d.file("list.csv", rows...)
	d.env["PATH"] = os.Getenv("PATH")
	db := d.store()
	kept := func() int {
		counts, err := db.Counts(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return counts.Deliveries["new"]
	}
	for range 3 {
		before := kept()
		cmd := exec.CommandContext(t.Context(), binary, "import", "run", path, "--company", "acme", "--connection", "list", "--reason", "November")
		for name, value := range d.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			time.Sleep(5 * time.Millisecond)
			if kept() > before {
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed, or done
	}
	cut := kept()
	done := d.run(t.Context(), path)
	if kept() != n || done.Counts[rowImported] != cut || done.Saved != n-cut {
		t.Errorf("got %d rows, %d of them before the last run, which says %+v; want %d", kept(), cut, done, n)
	}
	if again := d.run(t.Context(), path); again.Saved != 0 || again.Counts[rowImported] != n {
		t.Errorf("once more: got %+v", again)
	}
	_, out, _ := d.call(t.Context(), "batch", "list", "--json")
	var batches []record.Batch
	if err := json.Unmarshal([]byte(out), &batches); err != nil || len(batches) != 1 || batches[0].Changed != n || batches[0].State != "done" {
		t.Errorf("batches: got %s (%v), want one of %d rows", out, err, n)
	}
}

// cutting is a store whose caller is stopped at the second look-up.
type cutting struct {
	rowStore
	cut func()
}

func (c cutting) KnownRows(ctx context.Context, company, connection string, rows []record.Row, since time.Time) ([]record.RowKnown, error) {
	if rows[0].Application != "A0" {
		c.cut()
	}
	return c.rowStore.KnownRows(ctx, company, connection, rows, since)
}

func TestImportRefusals(t *testing.T) {
	d := openDesk(t)
	good := d.file("good.csv", rejected("A1"))
	broken := d.file("broken.csv", rejected("A1"), `A2,"佐藤,x@example.jp`)
	tests := map[string]struct {
		args []string
		want string
	}{
		"no file":                    {[]string{"preview", filepath.Join(d.dir, "none.csv"), "--company", "acme", "--connection", "list"}, "no such file"},
		"no company":                 {[]string{"preview", good, "--connection", "list"}, "--company and --connection: required"},
		"an unknown company":         {[]string{"preview", good, "--company", "nobody", "--connection", "list"}, "no company nobody"},
		"an unknown connection":      {[]string{"preview", good, "--company", "acme", "--connection", "x"}, "write into its file: connections: {x: {vendor: csv}}"},
		"an unknown vendor":          {[]string{"preview", good, "--company", "acme", "--connection", "x", "--vendor", "nobody"}, `--vendor: "nobody" is not known`},
		"a vendor with webhooks":     {[]string{"preview", good, "--company", "acme", "--connection", "greenhouse"}, "greenhouse is not imported from files"},
		"another vendor":             {[]string{"preview", good, "--company", "acme", "--connection", "list", "--vendor", "rpm"}, "--vendor: acme/list is a connection to csv"},
		"an unknown verdict":         {[]string{"preview", good, "--company", "acme", "--connection", "list", "--verdict", "nice"}, `--verdict: "nice" is not one of mail, held`},
		"revealing without a reason": {[]string{"preview", good, "--company", "acme", "--connection", "list", "--reveal"}, "--reason: required to show personal data"},
		"no reason":                  {[]string{"run", good, "--company", "acme", "--connection", "list"}, "--reason: required"},
		"a connection to come":       {[]string{"run", good, "--company", "acme", "--connection", "x", "--vendor", "csv", "--reason", "y"}, "--vendor is for a preview"},
		"a file that breaks off":     {[]string{"run", broken, "--company", "acme", "--connection", "list", "--reason", "y"}, "row 3, column 2: a quotation mark opens this cell and none closes it"},
		"no table":                   {[]string{"preview", filepath.Join(d.dir, "configs", "acme.yaml"), "--company", "acme", "--connection", "list"}, "no header in the first 20 rows"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, _, errOut := d.call(t.Context(), append([]string{"import"}, tt.args...)...)
			if code != exitInput || !strings.Contains(errOut, tt.want) || strings.Contains(errOut, "example.jp") {
				t.Errorf("got %d, %s, want %s", code, errOut, tt.want)
			}
		})
	}
	if _, out, _ := d.call(t.Context(), "delivery", "list", "--json"); out != "[]\n" {
		t.Errorf("something was kept: %s", out)
	}
	// What a person asked for and gave a reason for is shown, and noted.
	code, out, _ := d.call(t.Context(), "import", "preview", good, "--company", "acme", "--connection", "x", "--vendor", "csv", "--reveal", "--reason", "asked by the recruiter")
	if code != exitDone || !strings.Contains(out, "misaki.A1@example.jp") || !strings.Contains(out, "髙橋 美咲") {
		t.Errorf("revealed: %d\n%s", code, out)
	}
	if _, out, _ = d.call(t.Context(), "audit", "list", "--json"); !strings.Contains(out, "asked by the recruiter") {
		t.Errorf("not noted: %s", out)
	}
}

// From the file to the mailbox: nothing leaves before the release, and then
// only what nobody has to look at.
func TestAnImportWaitsForItsRelease(t *testing.T) {
	eachBackEnd(t, func(t *testing.T, h *house) {
		company, err := os.ReadFile(filepath.Join(h.server.configs, "acme.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(h.server.configs, "acme.yaml"), strings.Replace(string(company), "connections:\n", "connections:\n  list: {vendor: csv}\n", 1))
		h.server.tenants.Reload()
		path := filepath.Join(t.TempDir(), "list.csv")
		write(t, path, "応募ID,氏名,メール,職種,選考結果,選考終了日\n"+rejected("A1")+"\n"+rejected("A2")+"\nA3,,taro@example.jp,営業,不採用,2026/11/1\nA4,佐藤 花子,hanako@example.jp,営業,辞退,2026/11/1\nA5,鈴木 一,hajime@example.jp,営業,終了,2026/11/1\n")
		call := func(args ...string) string {
			var out, errOut bytes.Buffer
			if code := run(t.Context(), args, h.server.lookup, strings.NewReader(""), &out, &errOut); code != exitDone {
				t.Fatalf("%v: %d %s", args, code, errOut.String())
			}
			return out.String()
		}
		var done imported
		if err := json.Unmarshal([]byte(call("import", "run", path, "--company", "acme", "--connection", "list", "--reason", "November", "--include-old", "--json")), &done); err != nil || done.Saved != 5 {
			t.Fatalf("run: got %+v (%v)", done, err)
		}
		h.until("every row is read", func() bool {
			c, err := h.server.db.Counts(t.Context(), "acme")
			return err == nil && c.Deliveries["decoded"] == 4 && c.Deliveries["parked"] == 1
		})
		h.rest("acme")
		mails, err := h.server.db.Mails(t.Context(), record.Filter{Company: "acme", Batch: done.Batch, State: "stopped"})
		if err != nil || len(mails) != 3 || h.sendGrid.Count() != 0 {
			t.Fatalf("before the release: %d mails wait (%v), %d left", len(mails), err, h.sendGrid.Count())
		}
		// A live rejection is not held up by the import.
		if got := h.hook("acme", "greenhouse", "greenhouse", nil); got != http.StatusOK {
			t.Fatalf("the door answered %d", got)
		}
		h.until("the live mail left", func() bool { return h.sendGrid.Count() == 1 })
		if said := call("mail", "release", "--company", "acme", "--batch", done.Batch, "--error", "cold", "--reason", "looked through", "--yes"); !strings.Contains(said, record.SkipImporter) {
			t.Errorf("who imported may release: %s", said)
		}
		second := record.Order{Actor: record.Actor{Name: "user:ryo", Role: record.Operator}, Filter: record.Filter{Company: "acme", Batch: done.Batch, Error: "cold"}, Reason: "looked through"}
		if released, err := h.server.db.ReleaseMails(t.Context(), second); err != nil || released.Changed != 2 {
			t.Fatalf("released: got %+v (%v)", released, err)
		}
		h.until("two more mails left", func() bool { return h.sendGrid.Count() == 3 })
		h.rest("acme")
		if got := h.sendGrid.Count(); got != 3 {
			t.Errorf("%d mails left, want 3", got)
		}
		if log := h.log.text(); strings.Contains(log, "misaki.A1") || strings.Contains(log, "髙橋") {
			t.Error("the log holds personal data")
		}
	})
}

// importedRows is how many rows the benchmark imports.
const importedRows = 100_000

// BenchmarkImport imports a long file by the built binary: how many rows a
// second, and how much memory at most.
func BenchmarkImport(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "careerrelay")
	if out, err := exec.Command("go", "build", "-tags", "nomsgpack", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	for b.Loop() {
		dir := b.TempDir()
		write(b, filepath.Join(dir, "configs", "acme.yaml"), deskCompany)
		write(b, filepath.Join(dir, "configs", "relay.yaml"), walkShared)
		var rows strings.Builder
		rows.WriteString("応募ID,氏名,メール,職種,選考結果,選考終了日\n")
		for i := range importedRows {
			rows.WriteString(rejected(fmt.Sprint("A", i)) + "\n")
		}
		path := filepath.Join(dir, "list.csv")
		write(b, path, rows.String())
		for _, verb := range []string{"preview", "run"} {
			cmd := exec.CommandContext(b.Context(), binary, "import", verb, path, "--company", "acme", "--connection", "list", "--reason", "November")
			cmd.Env = append(os.Environ(), "CONFIGS="+filepath.Join(dir, "configs"), "DATA="+filepath.Join(dir, "data"), "SECRET=s3cret", "NETWORK_URL=https://network.example.jp/referrals", "NETWORK_KEY="+networkKey)
			begun := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%s: %v\n%s", verb, err, out)
			}
			b.ReportMetric(importedRows/time.Since(begun).Seconds(), "rows/s-"+verb)
			if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
				b.ReportMetric(float64(use.Maxrss)/1000, "MB-"+verb)
			}
		}
	}
}
