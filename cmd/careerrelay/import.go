package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/store"
)

func importCommand(s *settings) *cobra.Command {
	return noun("import", "Exported files (CSV, TSV, XLSX) of systems without a webhook", importPreview(s), importRun(s))
}

// importFlags say which file goes where.
type importFlags struct {
	company, connection, vendor, sheet string
	old                                bool
	json                               *bool
}

func importFlag(c *cobra.Command) *importFlags {
	f := &importFlags{json: jsonFlag(c)}
	c.Args = cobra.ExactArgs(1)
	c.Flags().StringVar(&f.company, "company", "", "the company (required)")
	c.Flags().StringVar(&f.connection, "connection", "", "the company's connection that the file belongs to (required)")
	c.Flags().StringVar(&f.vendor, "vendor", "", "the product that wrote the file, for a connection that is not set up yet (preview only)")
	c.Flags().StringVar(&f.sheet, "sheet", "", "the sheet of a workbook with several")
	c.Flags().BoolVar(&f.old, "include-old", false, "also take in decisions older than the company's max_age; their mails wait with a reason of their own")
	return f
}

// An importFile is a file that is open for one connection.
type importFile struct {
	*os.File
	name, hash string
	vendor     string
	intake     intake
}

// open opens the file of a command.
func (f *importFlags) open(s *settings, db *store.Store, path string) (*importFile, error) {
	if f.company == "" || f.connection == "" {
		return nil, ats.Errorf(ats.Invalid, "--company and --connection: required")
	}
	tenants, err := openTenants(s, nil)
	if err != nil {
		return nil, err
	}
	company, err := inForce(tenants, f.company)
	if err != nil {
		return nil, err
	}
	conn, vendor, err := f.connect(company, s.publicURL)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, ats.Errorf(ats.NotFound, "%w", err)
	}
	out := &importFile{File: file, name: path, vendor: vendor}
	out.intake = intake{company: company, connection: f.connection, conn: conn, db: db, old: f.old, now: db.Now()}
	out.intake.sheet, err = conn.Open(file, f.sheet)
	if err == nil {
		out.hash, err = hashOf(file)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return out, nil
}

// connect opens the connection, or as a preview of one that is not there yet
// the vendor.
func (f *importFlags) connect(company *configs.Company, base string) (*spec.Tabular, string, error) {
	own, ok := company.Connections[f.connection]
	if !ok && f.vendor == "" {
		return nil, "", ats.Errorf(ats.NotFound, "%s has no connection %s; write into its file: connections: {%s: {vendor: csv}}, or look at the file with --vendor first", company.ID, f.connection, f.connection)
	}
	var conn connectors.Connector
	var err error
	vendor := own.Vendor
	opener := newOpener(http.DefaultClient, nil, base)
	switch {
	case ok && f.vendor != "" && f.vendor != vendor:
		return nil, "", ats.Errorf(ats.Conflict, "--vendor: %s/%s is a connection to %s", company.ID, f.connection, vendor)
	case ok:
		conn, err = opener.make(company, f.connection)
	default:
		vendor = f.vendor
		factory := all.Factories()[vendor]
		if factory == nil {
			return nil, "", ats.Errorf(ats.NotFound, "--vendor: %q is not known; see careerrelay vendor list", vendor)
		}
		conn, err = factory(opener.env, func(any) error { return nil })
	}
	if err != nil {
		return nil, "", err
	}
	if t, ok := conn.(*spec.Tabular); ok {
		return t, vendor, nil
	}
	return nil, "", ats.Errorf(ats.Invalid, "%s is not imported from files; use a connection to the product that wrote the file, or to csv", vendor)
}

// hashOf names the content of a file.
func hashOf(file *os.File) (string, error) {
	sum := sha256.New()
	_, err := file.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(sum, file)
	}
	if err != nil {
		return "", ats.Errorf(ats.Busy, "reading the file: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// A tally counts what becomes of the rows of a file.
type tally struct {
	Counts map[verdict]int `json:"counts"`
	Labels []labelCount    `json:"labels"` // that nobody understands yet

	index map[labelKey]int
}

type labelKey struct {
	column, label string
	verdict       verdict
}

// A labelCount is a label that must be explained.
type labelCount struct {
	Label   string  `json:"label"`
	Column  string  `json:"column"`
	Verdict verdict `json:"verdict"`
	Rows    int     `json:"rows"`
}

// maxLabels bounds the list of labels: more than that are notes, not results.
const maxLabels = 100

func (t *tally) add(j judged) {
	if t.Counts == nil {
		t.Counts, t.Labels, t.index = map[verdict]int{}, []labelCount{}, map[labelKey]int{}
	}
	t.Counts[j.Verdict]++
	if j.Verdict != rowUnknown && j.Verdict != rowAmbiguous {
		return
	}
	k := labelKey{j.Column, j.Label, j.Verdict}
	i, ok := t.index[k]
	if !ok {
		if len(t.Labels) == maxLabels {
			return
		}
		i = len(t.Labels)
		t.index[k], t.Labels = i, append(t.Labels, labelCount{Label: j.Label, Column: j.Column, Verdict: j.Verdict})
	}
	t.Labels[i].Rows++
}

func importPreview(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "preview FILE", Short: "Show for every row of a file what an import would do, and why",
		Long: `Read an exported file, ask the rules and what is known here about every row, and
change nothing. Personal data is masked; the labels that nobody understands yet are
listed, so that they can be explained in the connection's table.outcomes.`,
		Example: "  careerrelay import preview applicants.csv --company acme --connection hrmos\n  careerrelay import preview applicants.xlsx --company acme --connection new --vendor csv --json",
	}
	f := importFlag(c)
	limit := c.Flags().Int("limit", 50, "rows that are printed; --json prints all")
	only := c.Flags().StringSlice("verdict", nil, "print only rows with these verdicts")
	reveal := c.Flags().Bool("reveal", false, "show names and addresses; noted in the audit log (needs --reason)")
	reason := c.Flags().String("reason", "", "why names and addresses are revealed")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) (err error) {
		if err := known(*only); err != nil {
			return err
		}
		file, err := f.open(s, db, args[0])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		if *reveal {
			if err := noteReveal(cmd.Context(), db, "file", file.hash, f.company, *reason); err != nil {
				return err
			}
			file.intake.reveal = true
		}
		show := func(j judged) bool { return len(*only) == 0 || slices.Contains(*only, string(j.Verdict)) }
		if *f.json {
			return file.previewJSON(cmd.Context(), cmd.OutOrStdout(), show)
		}
		return file.preview(cmd.Context(), cmd.OutOrStdout(), show, *limit)
	})
	return c
}

// known refuses verdicts that are none.
func known(names []string) error {
	for _, name := range names {
		var have []string
		for _, v := range verdicts {
			have = append(have, string(v.verdict))
		}
		if !slices.Contains(have, name) {
			return ats.Errorf(ats.Invalid, "--verdict: %q is not one of %s", name, strings.Join(have, ", "))
		}
	}
	return nil
}

// A fileView is what was found out about a file.
type fileView struct {
	File       string            `json:"file"`
	Hash       string            `json:"hash"`
	Company    string            `json:"company"`
	Connection string            `json:"connection"`
	Vendor     string            `json:"vendor"`
	Encoding   string            `json:"encoding"`
	Delimiter  string            `json:"delimiter,omitempty"`
	Sheet      string            `json:"sheet,omitempty"`
	Header     int               `json:"header"`
	Columns    map[string]string `json:"columns"` // header → what it is
	Unused     []string          `json:"unused"`
}

func (f *importFile) view() fileView {
	sheet := f.intake.sheet
	v := fileView{
		File: f.name, Hash: f.hash, Company: f.intake.company.ID, Connection: f.intake.connection, Vendor: f.vendor,
		Encoding: sheet.Encoding, Delimiter: sheet.Delimiter, Sheet: sheet.Name, Header: sheet.Header, Columns: map[string]string{}, Unused: []string{},
	}
	for _, c := range sheet.Columns {
		switch {
		case c.Name != "":
			v.Columns[c.Header] = c.Name
		case c.Header != "":
			v.Unused = append(v.Unused, c.Header)
		}
	}
	return v
}

// previewJSON writes the rows as they are judged, so that a long file needs no
// more memory than a short one.
func (f *importFile) previewJSON(ctx context.Context, out io.Writer, show func(judged) bool) error {
	if err := f.intake.survey(ctx); err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	write := func(text string, v any) {
		b, _ := json.Marshal(v) // texts and numbers can always be written
		_, _ = w.WriteString(text)
		_, _ = w.Write(b)
	}
	write("{\n\"file\": ", f.view())
	_, _ = w.WriteString(",\n\"rows\": [")
	var t tally
	comma := "\n"
	err := f.intake.judge(ctx, func(rows []judged) error {
		for _, j := range rows {
			t.add(j)
			if show(j) {
				write(comma, j)
				comma = ",\n"
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	write("\n],\n\"counts\": ", t.Counts)
	write(",\n\"labels\": ", t.Labels)
	_, _ = w.WriteString("\n}\n")
	return w.Flush()
}

// preview prints what an import would do.
func (f *importFile) preview(ctx context.Context, w io.Writer, show func(judged) bool, limit int) error {
	if err := f.intake.survey(ctx); err != nil {
		return err
	}
	var t tally
	var shown []judged
	matched := 0
	err := f.intake.judge(ctx, func(rows []judged) error {
		for _, j := range rows {
			t.add(j)
			if !show(j) {
				continue
			}
			if matched++; matched <= limit {
				shown = append(shown, j)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := f.printFile(w); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	if err := printList(w, false, shown, []column[judged]{
		{"row", func(j judged) string { return strconv.Itoa(j.Row) }},
		{"application", func(j judged) string { return j.Application }},
		{"name", func(j judged) string { return j.Name }},
		{"address", func(j judged) string { return j.Address }},
		{"label", func(j judged) string { return j.Label }},
		{"verdict", func(j judged) string { return string(j.Verdict) }},
		{"reason", func(j judged) string { return j.Reason }},
	}); err != nil {
		return err
	}
	if matched > limit {
		_, _ = fmt.Fprintf(w, "… and %d more rows; --limit, --verdict and --json show them\n", matched-limit)
	}
	_, _ = fmt.Fprintln(w)
	if err := t.print(w); err != nil {
		return err
	}
	in := f.intake
	_, err = fmt.Fprintf(w, "\nnothing was changed. To import: careerrelay import run %s --company %s --connection %s --reason '…'\n", quote(f.name), in.company.ID, in.connection)
	return err
}

func (f *importFile) printFile(w io.Writer) error {
	v := f.view()
	form := slices.DeleteFunc([]string{v.Encoding, v.Delimiter, v.Sheet, fmt.Sprintf("header in row %d", v.Header)}, func(s string) bool { return s == "" })
	var used []string
	for _, name := range append(table.Names(), table.Kept) {
		for _, c := range f.intake.sheet.Columns {
			if c.Name == name {
				used = append(used, name+" = "+c.Header)
			}
		}
	}
	return printFacts(w, [2]string{"file", cell(v.File)}, [2]string{"goes to", v.Company + "/" + v.Connection + " (" + v.Vendor + ")"},
		[2]string{"read as", strings.Join(form, ", ")}, [2]string{"columns", strings.Join(used, ", ")}, [2]string{"not used", strings.Join(v.Unused, ", ")})
}

// quote writes a path as a shell takes it.
func quote(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }

// print writes the summary.
func (t *tally) print(w io.Writer) error {
	type line struct {
		verdict, text string
		rows          int
	}
	var lines []line
	for _, v := range verdicts {
		if n := t.Counts[v.verdict]; n > 0 {
			lines = append(lines, line{string(v.verdict), v.text, n})
		}
	}
	if err := printList(w, false, lines, []column[line]{
		{"verdict", func(l line) string { return l.verdict }},
		{"rows", func(l line) string { return strconv.Itoa(l.rows) }},
		{"what happens", func(l line) string { return l.text }},
	}); err != nil || len(t.Labels) == 0 {
		return err
	}
	_, _ = fmt.Fprintln(w, "\nlabels that must be explained before their rows count:")
	if err := printList(w, false, t.Labels, []column[labelCount]{
		{"label", func(l labelCount) string { return l.Label }},
		{"column", func(l labelCount) string { return l.Column }},
		{"verdict", func(l labelCount) string { return string(l.Verdict) }},
		{"rows", func(l labelCount) string { return strconv.Itoa(l.Rows) }},
	}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "in the connection: table: {outcomes: {%q: rejected}}   # or withdrawn, hired, position_closed, ongoing, ignored\n", t.Labels[0].Label)
	return err
}

func importRun(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "run FILE", Short: "Take a file in; its mails wait until a person releases them",
		Long: `Keep the rows of an exported file as deliveries, which the server decodes. The mails
that follow are held: nothing leaves before a person releases the import. Run the
same command again when it was interrupted; rows that were kept stay kept once.`,
		Example: "  careerrelay import run applicants.csv --company acme --connection hrmos --reason 'November rejections'",
	}
	f := importFlag(c)
	reason := c.Flags().String("reason", "", "why; kept in the audit log (required)")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) (err error) {
		if strings.TrimSpace(*reason) == "" {
			return ats.Errorf(ats.Invalid, "--reason: required; it is kept in the audit log")
		}
		file, err := f.open(s, db, args[0])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		if _, ok := file.intake.company.Connections[f.connection]; !ok {
			return ats.Errorf(ats.Conflict, "%s has no connection %s yet: write it into the company's file first; --vendor is for a preview", f.company, f.connection)
		}
		done, err := file.run(cmd.Context(), db, *reason)
		if err != nil {
			return err
		}
		if *f.json {
			return printJSON(cmd.OutOrStdout(), done)
		}
		return done.print(cmd.OutOrStdout(), file.intake.company)
	})
	return c
}

// An imported is what an import did and what can be done with it.
type imported struct {
	tally
	Batch   string   `json:"batch"` // "" when nothing was new
	Resumed bool     `json:"resumed"`
	Saved   int      `json:"saved"`
	Next    []string `json:"next"` // commands

	waiting int  // mails that wait for a person
	replay  bool // rows of an earlier import are understood now
}

// run keeps the rows that mean something.
func (f *importFile) run(ctx context.Context, db *store.Store, reason string) (done imported, err error) {
	in := &f.intake
	i := record.Import{Actor: caller(), Company: in.company.ID, Connection: in.connection, File: f.hash, Reason: reason}
	if err := in.survey(ctx); err != nil {
		return done, err
	}
	if done.Batch, err = db.RunningImport(ctx, i); err != nil {
		return done, err
	}
	done.Resumed = done.Batch != ""
	err = in.judge(ctx, func(rows []judged) error {
		var arrivals []record.Arrival
		for _, j := range rows {
			done.add(j)
			done.replay = done.replay || j.replay
			if j.keep {
				arrivals = append(arrivals, f.arrival(j))
			}
			if j.keep && (j.Verdict == rowMail || j.Verdict == rowHeld) {
				done.waiting++
			}
		}
		if len(arrivals) > 0 && done.Batch == "" {
			var err error
			if done.Batch, err = db.StartImport(ctx, i); err != nil {
				return err
			}
		}
		n, err := db.SaveRows(ctx, done.Batch, arrivals)
		done.Saved += n
		return err
	})
	switch {
	case ctx.Err() != nil:
		return done, ats.Errorf(ats.Busy, "interrupted with %d rows kept; the same command goes on: %w", done.Saved, ctx.Err())
	case err == nil && done.Batch != "":
		err = db.EndImport(ctx, done.Batch, done.rows())
	}
	done.Next = f.next(done)
	return done, err
}

func (t *tally) rows() int {
	n := 0
	for _, count := range t.Counts {
		n += count
	}
	return n
}

// arrival makes the delivery of a row.
func (f *importFile) arrival(j judged) record.Arrival {
	in := f.intake
	return record.Arrival{
		Vendor: f.vendor, Disposition: record.New, Keep: in.company.Retention.Deliveries.Std(),
		Delivery: connectors.Delivery{Company: in.company.ID, Connection: in.connection, Door: connectors.File, Key: j.key, Payload: j.payload},
	}
}

// next lists the commands that go on from here.
func (f *importFile) next(done imported) []string {
	in := f.intake
	of := " --company " + in.company.ID
	var out []string
	if done.Batch != "" {
		of := of + " --batch " + done.Batch
		out = append(out, "careerrelay mail list"+of, "careerrelay mail release"+of+" --error cold --reason '…' --yes", "careerrelay mail cancel"+of+" --reason '…' --yes")
		if done.Counts[rowUnknown]+done.Counts[rowAmbiguous]+done.Counts[rowUnread] > 0 {
			out = append(out, "careerrelay delivery replay"+of+" --state parked --reason '…' --yes")
		}
	}
	if done.replay {
		out = append(out, "careerrelay delivery replay"+of+" --connection "+in.connection+" --state parked --reason '…' --yes")
	}
	return out
}

// print says what was done and what may follow.
func (d *imported) print(w io.Writer, company *configs.Company) error {
	if err := d.tally.print(w); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	switch {
	case d.Batch == "":
		_, _ = fmt.Fprintln(w, "nothing new: no row was kept")
	case d.Resumed:
		_, _ = fmt.Fprintf(w, "batch %s, which had been interrupted: %d more rows kept\n", d.Batch, d.Saved)
	default:
		_, _ = fmt.Fprintf(w, "batch %s: %d rows kept\n", d.Batch, d.Saved)
	}
	if d.waiting > 0 {
		_, _ = fmt.Fprintf(w, "mails that the server writes and holds until they are released: %d; --error cold leaves out those at which a person must look\n", d.waiting)
	}
	if company.Sending.Mode != sending.Live {
		_, _ = fmt.Fprintf(w, "%s is in %s: released mails are not sent\n", company.ID, company.Sending.Mode)
	}
	for _, command := range d.Next {
		_, _ = fmt.Fprintln(w, "  "+command)
	}
	return nil
}
