package table

import (
	"bufio"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/career-relay/connector/ats"
)

// A line is one row of a file as it stands there, of data or not. Its number is
// the one that a spreadsheet shows.
type line struct {
	number int
	cells  []string
	hidden bool
	// whole says that cells which are missing at the end are blank; a text may
	// have been cut there.
	whole bool
}

// delimiters are the words of settings, in the order in which they are guessed.
var delimiters = []struct {
	name string
	sign rune
}{{"comma", ','}, {"tab", '\t'}, {"semicolon", ';'}, {"pipe", '|'}}

// split takes delimited text apart. Cells in quotation marks may hold the
// delimiter, line breaks and doubled quotation marks; one that is not doubled
// stands for itself, because much software does not double them. An error is
// the last thing.
func split(r io.Reader, delimiter rune) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		s := splitter{in: bufio.NewReaderSize(r, 64<<10), delimiter: delimiter}
		for {
			l, err := s.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

type splitter struct {
	in        *bufio.Reader
	delimiter rune
	number    int
	cells     int // of the row before
	cell      strings.Builder
}

// end is what stands after a cell.
type end int

const (
	endOfCell end = iota
	endOfLine
	endOfFile
)

// next returns the next row, or io.EOF.
func (s *splitter) next() (line, error) {
	s.number++
	l := line{number: s.number, cells: make([]string, 0, s.cells)}
	for {
		e, err := s.readCell(len(l.cells) + 1)
		if err != nil {
			return l, err
		}
		if e == endOfFile && len(l.cells) == 0 && s.cell.Len() == 0 {
			return l, io.EOF
		}
		if len(l.cells) == maxCells {
			return l, ats.Errorf(ats.TooLarge, "row %d has more than %d cells", s.number, maxCells)
		}
		l.cells = append(l.cells, s.cell.String())
		if e != endOfCell {
			s.cells = len(l.cells)
			return l, nil
		}
	}
}

// readCell reads one cell and says what stands behind it.
func (s *splitter) readCell(column int) (end, error) {
	s.cell.Reset()
	first, err := s.read()
	if err != nil || first != '"' {
		return s.plain(first, err)
	}
	for {
		r, err := s.read()
		switch {
		case errors.Is(err, io.EOF):
			return 0, ats.Errorf(ats.Invalid, "row %d, column %d: a quotation mark opens this cell and none closes it", s.number, column)
		case err != nil:
			return 0, err
		case s.cell.Len() > maxCell:
			return 0, ats.Errorf(ats.Invalid, "row %d, column %d: a cell is longer than %d KiB; perhaps a quotation mark is missing", s.number, column, maxCell>>10)
		case r != '"':
			s.cell.WriteRune(r)
			continue
		}
		after, err := s.read()
		switch {
		case err == nil && after == '"':
			s.cell.WriteRune('"')
		case err != nil || s.ends(after):
			return s.after(after, err)
		default: // it was none of the two
			s.cell.WriteRune('"')
			s.cell.WriteRune(after)
		}
	}
}

// plain reads a cell without quotation marks from its first character on.
func (s *splitter) plain(r rune, err error) (end, error) {
	for err == nil && !s.ends(r) {
		if s.cell.Len() > maxCell {
			return 0, ats.Errorf(ats.Invalid, "row %d: a cell is longer than %d KiB", s.number, maxCell>>10)
		}
		s.cell.WriteRune(r)
		r, err = s.read()
	}
	return s.after(r, err)
}

// ends reports whether r ends a cell.
func (s *splitter) ends(r rune) bool { return r == s.delimiter || r == '\n' }

// after says what the end of a cell means.
func (s *splitter) after(r rune, err error) (end, error) {
	switch {
	case errors.Is(err, io.EOF):
		return endOfFile, nil
	case err != nil:
		return 0, err
	case r == s.delimiter:
		return endOfCell, nil
	}
	return endOfLine, nil
}

// read returns the next character; a line break is one, however it is written.
func (s *splitter) read() (rune, error) {
	r, _, err := s.in.ReadRune()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			err = ats.Errorf(ats.Busy, "reading the file: %w", err)
		}
		return 0, err
	}
	if r != '\r' {
		return r, nil
	}
	if next, err := s.in.Peek(1); err == nil && next[0] == '\n' {
		_, _ = s.in.Discard(1)
	}
	return '\n', nil
}
