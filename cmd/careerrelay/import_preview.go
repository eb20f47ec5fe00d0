package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/intake"
	"github.com/career-relay/connector/store"
)

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
		file, err := f.open(cmd.Context(), s, db, args[0])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		if *reveal {
			if err := noteReveal(cmd.Context(), db, "file", file.intake.Hash, f.company, *reason); err != nil {
				return err
			}
			file.intake.Reveal = true
		}
		show := func(j intake.Judged) bool { return len(*only) == 0 || slices.Contains(*only, string(j.Verdict)) }
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
		for _, v := range intake.Verdicts {
			have = append(have, string(v.Verdict))
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
	sheet := f.intake.Sheet
	v := fileView{
		File: f.name, Hash: f.intake.Hash, Company: f.intake.Company.ID, Connection: f.intake.Connection, Vendor: f.intake.Vendor,
		Encoding: sheet.Encoding, Delimiter: sheet.Delimiter, Sheet: sheet.Name, Header: sheet.Header,
	}
	v.Columns, v.Unused = f.intake.Columns()
	return v
}

// previewJSON writes the rows as they are intake.Judged, so that a long file needs no
// more memory than a short one.
func (f *importFile) previewJSON(ctx context.Context, out io.Writer, show func(intake.Judged) bool) error {
	w := bufio.NewWriterSize(out, 64<<10) // nothing is written of a file that cannot be read
	write := func(text string, v any) {
		b, _ := json.Marshal(v) // texts and numbers can always be written
		_, _ = w.WriteString(text)
		_, _ = w.Write(b)
	}
	write("{\n\"file\": ", f.view())
	_, _ = w.WriteString(",\n\"rows\": [")
	t := intake.NewTally()
	comma := "\n"
	err := f.intake.Judge(ctx, func(rows []intake.Judged) error {
		for _, j := range rows {
			t.Add(j)
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
func (f *importFile) preview(ctx context.Context, w io.Writer, show func(intake.Judged) bool, limit int) error {
	t := intake.NewTally()
	var shown []intake.Judged
	matched := 0
	err := f.intake.Judge(ctx, func(rows []intake.Judged) error {
		for _, j := range rows {
			t.Add(j)
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
	if err := printList(w, false, shown, []column[intake.Judged]{
		{"row", func(j intake.Judged) string { return strconv.Itoa(j.Row) }},
		{"application", func(j intake.Judged) string { return j.Application }},
		{"name", func(j intake.Judged) string { return j.Name }},
		{"address", func(j intake.Judged) string { return j.Address }},
		{"label", func(j intake.Judged) string { return j.Label }},
		{"verdict", func(j intake.Judged) string { return string(j.Verdict) }},
		{"reason", func(j intake.Judged) string { return j.Reason }},
	}); err != nil {
		return err
	}
	if matched > limit {
		_, _ = fmt.Fprintf(w, "… and %d more rows; --limit, --verdict and --json show them\n", matched-limit)
	}
	_, _ = fmt.Fprintln(w)
	if err := printTally(w, t); err != nil {
		return err
	}
	in := f.intake
	_, err = fmt.Fprintf(w, "\nnothing was changed. To import: careerrelay import run %s --company %s --connection %s --reason '…'\n", quote(f.name), in.Company.ID, in.Connection)
	return err
}

func (f *importFile) printFile(w io.Writer) error {
	v := f.view()
	form := slices.DeleteFunc([]string{v.Encoding, v.Delimiter, v.Sheet, fmt.Sprintf("header in row %d", v.Header)}, func(s string) bool { return s == "" })
	var used []string
	for _, name := range append(table.Names(), table.Kept) {
		for _, c := range f.intake.Sheet.Columns {
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
