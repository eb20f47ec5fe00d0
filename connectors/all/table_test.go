package all

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

// A fileRow is a row of an exported file as a golden file has it.
type fileRow struct {
	Row   int             `json:"row"`
	Skip  string          `json:"skip,omitempty"`
	Error string          `json:"error,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
	Means any             `json:"means,omitempty"`
}

// importers are the vendors whose files are imported.
func importers(t *testing.T) []*vendor {
	t.Helper()
	var out []*vendor
	for _, name := range Vendors() {
		s, err := spec.Shipped(name)
		if err != nil || s.Door != connectors.File {
			continue // the fleet looks at the others
		}
		folder, err := folder(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &vendor{name: name, folder: folder, spec: s, factory: Factories()[name]})
	}
	return out
}

// exports lists the exported files among a vendor's samples.
func (v *vendor) exports(t *testing.T) []string {
	t.Helper()
	all, err := fs.Glob(v.folder, "testdata/files/*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range all {
		if e := path.Ext(f); e == ".csv" || e == ".tsv" || e == ".xlsx" {
			out = append(out, f)
		}
	}
	return out
}

// readExport reads an exported file row by row.
func (v *vendor) readExport(t *testing.T, file string) (form []string, rows []fileRow) {
	t.Helper()
	text, err := fs.ReadFile(v.folder, file)
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := v.open(t, "").(*spec.Tabular)
	if !ok {
		t.Fatal("reads no files")
	}
	sheet, err := conn.Open(bytes.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	form = []string{sheet.Encoding, sheet.Delimiter, sheet.Name}
	for row, err := range sheet.Rows() {
		r := fileRow{Row: row.Number, Skip: row.Skip}
		switch {
		case err != nil:
			r.Error = err.Error()
		case row.Skip == "":
			p := row.Payload(v.sample(t, playedCase).Received)
			events, err := conn.Decode(p)
			r.Body, r.Means = p.Body, outcome(conn, p, events, err)
		}
		rows = append(rows, r)
	}
	return form, rows
}

// TestExports compares what the sample exports of every vendor mean with what
// was read and accepted. The door reads the same rows.
func TestExports(t *testing.T) {
	for _, v := range importers(t) {
		for _, file := range v.exports(t) {
			t.Run(v.name+"/"+path.Base(file), func(t *testing.T) {
				form, rows := v.readExport(t, file)
				atstest.Golden(t, "../"+v.name+"/"+file+".golden", map[string]any{"form": form, "rows": rows})
				text, err := fs.ReadFile(v.folder, file)
				if err != nil {
					t.Fatal(err)
				}
				var bodies []string
				for p, err := range v.open(t, "").(connectors.Reader).Read(bytes.NewReader(text)) {
					if err == nil {
						bodies = append(bodies, string(p.Body))
					}
				}
				for _, r := range rows {
					if r.Body == nil {
						continue
					}
					if len(bodies) == 0 || bodies[0] != string(r.Body) {
						t.Fatalf("row %d: the door reads another body", r.Row)
					}
					bodies = bodies[1:]
				}
			})
		}
	}
}

// The same list is the same rows, however it was exported: a second import
// recognises them.
func TestTheSameListInTwoForms(t *testing.T) {
	forms := map[string][2]string{
		"hrmos":  {"testdata/files/applicants-cp932.tsv", "testdata/files/sheets-export-utf8bom.csv"},
		"jobcan": {"testdata/files/applicants-cp932.csv", "testdata/files/applicants-utf8.csv"},
	}
	for _, v := range importers(t) {
		files, ok := forms[v.name]
		if !ok {
			continue
		}
		var lists [2][]string
		for i, file := range files {
			_, rows := v.readExport(t, file)
			for _, r := range rows {
				lists[i] = append(lists[i], string(r.Body))
			}
		}
		if diff := cmp.Diff(lists[0], lists[1]); diff != "" || len(lists[0]) == 0 {
			t.Errorf("%s: rows differ:\n%s", v.name, diff)
		}
	}
}
