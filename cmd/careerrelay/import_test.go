package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/intake"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

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
		Rows   []intake.Judged
		Counts map[intake.Verdict]int
		Labels []intake.LabelCount
	}
	if err := json.Unmarshal([]byte(out), &view); code != exitDone || err != nil {
		t.Fatalf("JSON: %d, %v:\n%s", code, err, out)
	}
	if diff := cmp.Diff(map[intake.Verdict]int{intake.RowMail: 3, intake.RowUnknown: 1, intake.RowOngoing: 1, intake.RowNote: 1}, view.Counts); diff != "" || len(view.Rows) != 4 || view.File.Header != 1 {
		t.Errorf("JSON: %d rows; counts differ (-want +got):\n%s", len(view.Rows), diff)
	}
	if diff := cmp.Diff([]intake.LabelCount{{Label: "終了", Column: "選考結果", Verdict: intake.RowUnknown, Rows: 1}}, view.Labels); diff != "" {
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
	if again := d.run(t.Context(), path); again.Saved != 0 || again.Batch != "" || again.Counts[intake.RowImported] != 4 {
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
	for i := range 3 * intake.Portion {
		rows = append(rows, rejected(fmt.Sprint("A", i)))
	}
	path := d.file("list.csv", rows...)
	s, db := d.settings(), d.store()
	f := importFlags{company: "acme", connection: "list"}
	file, err := f.open(t.Context(), s, db, path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	ctx, cut := context.WithCancel(t.Context())
	file.intake.Store = cutting{db, cut}
	done, err := file.run(ctx, "November")
	if ats.FaultOf(err) != ats.Busy || !strings.Contains(err.Error(), "the same command goes on") || done.Saved != intake.Portion {
		t.Fatalf("cut off: got %d rows and %v, want %d", done.Saved, err, intake.Portion)
	}
	rest := d.run(t.Context(), path)
	if !rest.Resumed || rest.Batch != done.Batch || rest.Saved != 2*intake.Portion || rest.Counts[intake.RowImported] != intake.Portion {
		t.Errorf("went on: got %+v, want batch %s", rest, done.Batch)
	}
	batches, err := db.Batches(t.Context(), record.Filter{})
	if err != nil || len(batches) != 1 || batches[0].State != "done" || batches[0].Changed != 3*intake.Portion || batches[0].Matched != 3*intake.Portion {
		t.Errorf("batches: got %+v (%v)", batches, err)
	}
	counts, err := db.Counts(t.Context(), "acme")
	if err != nil || counts.Deliveries["new"] != 3*intake.Portion || counts.Jobs["waiting"] != 3*intake.Portion {
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
	if kept() != n || done.Counts[intake.RowImported] != cut || done.Saved != n-cut {
		t.Errorf("got %d rows, %d of them before the last run, which says %+v; want %d", kept(), cut, done, n)
	}
	if again := d.run(t.Context(), path); again.Saved != 0 || again.Counts[intake.RowImported] != n {
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
	intake.Store
	cut func()
}

func (c cutting) KnownRows(ctx context.Context, company, connection string, rows []record.Row, since time.Time) ([]record.RowKnown, error) {
	if rows[0].Application != "A0" {
		c.cut()
	}
	return c.Store.KnownRows(ctx, company, connection, rows, since)
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
		if said := call("mail", "release", "--company", "acme", "--batch", done.Batch, "--error", "cold", "--reason", "looked through", "--yes"); !strings.Contains(said, "release 2 of 2 mails found") {
			t.Errorf("released: %s", said)
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

// What was explained in the console counts on the command line too.
func TestAnImportByAPreset(t *testing.T) {
	d := openDesk(t)
	path := d.file("list.csv", "B1,佐藤 花子,hanako@example.jp,営業,ご縁なし,"+time.Now().AddDate(0, 0, -2).Format("2006/1/2"))
	at := []string{"import", "preview", path, "--company", "acme", "--connection", "list"}
	if code, _, errOut := d.call(t.Context(), append(slices.Clip(at), "--preset", "HR")...); code != exitInput || !strings.Contains(errOut, "acme has no preset HR") {
		t.Errorf("an unknown preset: %d %s", code, errOut)
	}
	if err := d.store().SavePreset(t.Context(), record.Actor{Name: "user:hana"}, record.Preset{Company: "acme", Name: "HR", Outcomes: map[string]string{"ご縁なし": "rejected"}}); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{"unknown_label  1 ": at, "mail     1 ": append(slices.Clip(at), "--preset", "HR")} {
		if code, out, errOut := d.call(t.Context(), args...); code != exitDone || !strings.Contains(out, want) {
			t.Errorf("%v: %d %s\n%s", args, code, errOut, out)
		}
	}
}
