package table

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/career-relay/connector/ats"
)

// A Sheet is the table in a file, with what was found out about it.
type Sheet struct {
	Encoding  string // utf-8, utf-8-bom, cp932, …, or xlsx
	Delimiter string // of a text
	Name      string // of the sheet in a workbook
	Header    int    // the row of the header
	Columns   []Column

	layout  layout
	charset charset // of a text
	lines   func() iter.Seq2[line, error]
}

// A Column is a column of a file.
type Column struct {
	Header string // as it stands in the file
	Name   string // what it is; "" for one that is not taken over
}

// Kept is the Name of a column that is only kept for a company's own rules.
const Kept = "kept"

// headerRows is how far down a header is looked for: titles may stand above it.
const headerRows = 20

// Open finds out what a file is. It refuses a file whose header does not say
// whose applications it holds, where to write to and how they ended.
func (p Preset) Open(file io.Reader) (*Sheet, error) {
	src, err := open(file)
	if err != nil {
		return nil, err
	}
	var candidates []*Sheet
	if head := src.head(); bytes.HasPrefix(head, []byte("PK")) {
		candidates, err = workbook(src, p.Sheet)
	} else if err = foreign(head); err == nil {
		candidates, err = texts(src, p)
	}
	if err != nil {
		return nil, err
	}
	s, err := p.choose(candidates)
	if err != nil {
		return nil, err
	}
	return s, p.name(s)
}

// head is the beginning of a file; an error of reading shows again later.
func (s source) head() []byte {
	head := make([]byte, 512)
	n, _ := s.ReadAt(head, 0)
	return head[:n]
}

// foreign refuses files that only look like tables.
func foreign(head []byte) error {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return ats.Errorf(ats.Invalid, "an old Excel file, or one with a password: save it as .xlsx without one, or as CSV")
	case bytes.HasPrefix(head, []byte("<")):
		return ats.Errorf(ats.Invalid, "a web page or XML, whatever its name says: save it as .xlsx or CSV")
	case bytes.HasPrefix(head, []byte("%PDF")):
		return ats.Errorf(ats.Invalid, "a PDF: export the list as .xlsx or CSV")
	}
	return nil
}

// texts are the ways to read a text: each encoding it may have with each
// delimiter.
func texts(src source, p Preset) ([]*Sheet, error) {
	guesses, err := src.guesses(p.Encoding)
	if err != nil {
		return nil, err
	}
	var out []*Sheet
	for _, c := range guesses {
		for _, d := range delimiters {
			if p.Delimiter == "" || p.Delimiter == d.name {
				out = append(out, &Sheet{
					Encoding: c.name, Delimiter: d.name, charset: c,
					lines: func() iter.Seq2[line, error] { return split(c.reader(src.reader()), d.sign) },
				})
			}
		}
	}
	return out, nil
}

// choose returns the candidate whose header says most. Two sheets of one
// workbook that could both be meant are refused: one would be left out.
func (p Preset) choose(candidates []*Sheet) (*Sheet, error) {
	var good, best *Sheet
	var broken error
	for _, s := range candidates {
		err := p.findHeader(s)
		broken = cmp.Or(broken, err)
		switch {
		case s.Header == 0:
			continue
		case best == nil || s.layout.score > best.layout.score:
			best = s
		}
		if len(s.layout.lacks()) > 0 {
			continue
		}
		if good != nil && s.Name != "" {
			return nil, ats.Errorf(ats.Invalid, "the sheets %q and %q could both be meant: name one (table.sheet)", good.Name, s.Name)
		}
		if good == nil || s.layout.score > good.layout.score {
			good = s
		}
	}
	switch {
	case good != nil:
		return good, nil
	case broken != nil:
		return nil, broken
	case best == nil:
		return nil, ats.Errorf(ats.Invalid, "no header in the first %d rows: none of their cells names a column that is known; say the row (table.header) and the columns (table.columns)", headerRows)
	}
	return nil, ats.Errorf(ats.Invalid, "no header in the first %d rows: row %d is the likeliest and has %s, but no %s; say the row (table.header) or the columns (table.columns)",
		headerRows, best.Header, strings.Join(best.layout.found(), ", "), strings.Join(best.layout.lacks(), ", no "))
}

// findHeader looks for the row that says most, preferring one that lacks
// nothing. Header stays 0 when no row says anything.
func (p Preset) findHeader(s *Sheet) error {
	for l, err := range s.lines() {
		if err != nil {
			return err
		}
		if l.number > max(headerRows, p.Header) {
			break
		}
		if p.Header != 0 && l.number != p.Header {
			continue
		}
		found := p.layout(l.cells)
		complete, better := len(found.lacks()) == 0, found.score > s.layout.score
		switch have := s.Header != 0 && len(s.layout.lacks()) == 0; {
		case complete && !have, complete == have && better:
			s.Header, s.layout = l.number, found
		}
	}
	return nil
}

// name says what each column is and refuses a file that lacks one of those that
// the company named.
func (p Preset) name(s *Sheet) error {
	s.Columns = make([]Column, len(s.layout.headers))
	for i, h := range s.layout.headers {
		s.Columns[i].Header = h
	}
	for name, at := range s.layout.places {
		for _, i := range at {
			s.Columns[i].Name = name
		}
	}
	for _, name := range p.must {
		if !s.layout.has(name) {
			return ats.Errorf(ats.Invalid, "table.columns.%s: the header (row %d) has no such column", name, s.Header)
		}
	}
	for k, h := range p.Keep {
		i := slices.IndexFunc(s.Columns, func(c Column) bool { return normalise(c.Header) == normalise(h) })
		if i < 0 {
			return ats.Errorf(ats.Invalid, "table.keep[%d]: the header (row %d) has no such column", k, s.Header)
		}
		if s.Columns[i].Name == "" {
			s.Columns[i].Name = Kept
		}
	}
	return nil
}

// found lists the columns that a header has.
func (l layout) found() []string {
	var out []string
	for _, name := range Names() {
		if l.has(name) {
			out = append(out, name)
		}
	}
	return out
}

// Rows reads the rows below the header. An error that holds a *RowError is
// about one row and the rows after it follow; any other is the last.
func (s *Sheet) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		count := 0
		for l, err := range s.lines() {
			if err != nil {
				yield(Row{Number: l.number}, err)
				return
			}
			filled := values(l.cells)
			if l.number <= s.Header || len(filled) == 0 {
				continue
			}
			if count++; count > MaxRows {
				yield(Row{Number: l.number}, ats.Errorf(ats.TooLarge, "row %d: the file has more than %d rows; split it", l.number, MaxRows))
				return
			}
			row, err := s.row(l, filled)
			_, about := errors.AsType[*RowError](err)
			if !yield(row, err) || err != nil && !about {
				return
			}
		}
	}
}

// A RowError says what is wrong with one row, and never what stands in it.
type RowError struct {
	Row     int
	Column  int    // from 1; 0 for the row as a whole
	Header  string // of the column
	Problem string
}

// Error implements error.
func (e *RowError) Error() string {
	switch {
	case e.Column == 0:
		return fmt.Sprintf("row %d: %s", e.Row, e.Problem)
	case e.Header == "":
		return fmt.Sprintf("row %d, column %d: %s", e.Row, e.Column, e.Problem)
	}
	return fmt.Sprintf("row %d, column %d (%s): %s", e.Row, e.Column, e.Header, e.Problem)
}
