package main

import (
	"fmt"
	"io"
	"strconv"
)

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

func newTally() tally {
	return tally{Counts: map[verdict]int{}, Labels: []labelCount{}, index: map[labelKey]int{}}
}

func (t *tally) add(j judged) {
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

func (t *tally) rows() int {
	n := 0
	for _, count := range t.Counts {
		n += count
	}
	return n
}

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
