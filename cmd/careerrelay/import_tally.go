package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/career-relay/connector/intake"
)

// printTally writes what becomes of the rows of a file.
func printTally(w io.Writer, t intake.Tally) error {
	type line struct {
		verdict, text string
		rows          int
	}
	var lines []line
	for _, v := range intake.Verdicts {
		if n := t.Counts[v.Verdict]; n > 0 {
			lines = append(lines, line{string(v.Verdict), v.Text, n})
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
	if err := printList(w, false, t.Labels, []column[intake.LabelCount]{
		{"label", func(l intake.LabelCount) string { return l.Label }},
		{"column", func(l intake.LabelCount) string { return l.Column }},
		{"verdict", func(l intake.LabelCount) string { return string(l.Verdict) }},
		{"rows", func(l intake.LabelCount) string { return strconv.Itoa(l.Rows) }},
	}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "in the connection: table: {outcomes: {%q: rejected}}   # or withdrawn, hired, position_closed, ongoing, ignored\n", t.Labels[0].Label)
	return err
}
