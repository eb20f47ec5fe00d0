package configs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/career-relay/connector/ats"
)

// A problem is one thing that is wrong with a file. Its text holds no secret.
type problem struct {
	file string
	line int // 0 when the file as a whole is meant
	key  string
	text string
}

func (p problem) Error() string {
	s := p.file
	if p.line > 0 {
		s = fmt.Sprintf("%s:%d", s, p.line)
	}
	if p.key != "" {
		s += ": " + p.key
	}
	return s + ": " + p.text
}

// maxProblems bounds what is noted of one file.
const maxProblems = 100

// sentences puts problems into words, in the order of their files.
func sentences(problems []problem) []string {
	sorted := slices.Clone(problems)
	slices.SortStableFunc(sorted, func(a, b problem) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line)) })
	out := []string{}
	for _, p := range sorted {
		out = append(out, p.Error())
	}
	return out
}

// joined makes one error of problems, or nil of none.
func joined(problems []problem) error {
	var errs []error
	for _, p := range problems {
		errs = append(errs, p)
	}
	if err := errors.Join(errs...); err != nil {
		return ats.Errorf(ats.Invalid, "%w", err)
	}
	return nil
}

// split takes a joined error apart, also where it is wrapped: what was put
// before it then stands before each part. A problem is complete as it is.
func split(err error) []error {
	if p, ok := err.(problem); ok { //nolint:errorlint // its wrapper adds nothing
		return []error{p}
	}
	switch e := err.(type) { //nolint:errorlint // the tree is walked node by node
	case interface{ Unwrap() []error }:
		parts := e.Unwrap()
		if err.Error() != errors.Join(parts...).Error() {
			break
		}
		var out []error
		for _, part := range parts {
			out = append(out, split(part)...)
		}
		return out
	case interface{ Unwrap() error }:
		inner := e.Unwrap()
		if inner == nil {
			break
		}
		before, ok := strings.CutSuffix(err.Error(), inner.Error())
		if !ok {
			break
		}
		parts := split(inner)
		for i, part := range parts {
			if _, complete := part.(problem); !complete && before != "" { //nolint:errorlint // see above
				parts[i] = fmt.Errorf("%s%w", before, part)
			}
		}
		return parts
	}
	return []error{err}
}

// suggest names the known word that is closest to a wrong one, or all of them.
func suggest(word string, known []string) string {
	best, distance := "", min(3, len(word))
	for _, k := range known {
		if d := edits(word, k); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return "; did you mean " + best + "?"
	case len(known) == 0:
		return ""
	}
	return "; have " + strings.Join(known, ", ")
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, last+cost)
		}
	}
	return row[len(b)]
}
