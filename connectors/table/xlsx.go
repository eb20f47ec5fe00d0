package table

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
)

// Limits of a workbook, which is packed: what it unpacks to, in bytes.
const (
	maxUnpacked = 256 << 20 // of one part
	maxShared   = 64 << 20  // of all texts, which are kept in memory
	maxToken    = 1 << 20   // of one element or text
	maxParts    = 10_000
	maxSheets   = 200
)

// A book is a workbook (.xlsx). Only what is needed of the format is read:
// values, the texts that cells share, and which numbers are dates.
type book struct {
	parts  map[string]*zip.File
	shared []string
	dates  []bool // by style: whether a number is a date
	from   int    // the day 0 of dates, in days since 1899-12-30
}

// workbook returns the sheets of a workbook, or the one with a name.
func workbook(src source, name string) ([]*Sheet, error) {
	if src.parts() > maxParts {
		return nil, ats.Errorf(ats.TooLarge, "the workbook consists of more than %d parts", maxParts)
	}
	z, err := zip.NewReader(src, src.size)
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "the workbook is damaged: it is no readable zip file")
	}
	b := &book{parts: map[string]*zip.File{}}
	for _, f := range z.File {
		b.parts[partName(f.Name)] = f
	}
	if b.parts["xl/workbook.xml"] == nil {
		return nil, ats.Errorf(ats.Invalid, "not an .xlsx workbook; save the list as .xlsx or CSV")
	}
	targets, err := b.targets()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(b.readShared(), b.readStyles()); err != nil {
		return nil, err
	}
	return b.sheets(targets, name)
}

// parts is how many parts a zip file says it has. The reader of zip files would
// make room for all of them.
func (s source) parts() int {
	const mark, most = "PK\x05\x06", 22 + 64<<10 // the end of the list, with the longest comment
	tail := make([]byte, min(s.size, most))
	_, _ = s.ReadAt(tail, s.size-int64(len(tail))) // an error shows again when the file is read
	i := bytes.LastIndex(tail, []byte(mark))
	if i < 0 || len(tail) < i+12 {
		return 0
	}
	return int(binary.LittleEndian.Uint16(tail[i+10:]))
}

// sheets lists the sheets that are shown.
func (b *book) sheets(targets map[string]string, name string) ([]*Sheet, error) {
	var out []*Sheet
	for e, err := range b.starts("xl/workbook.xml") {
		switch {
		case err != nil:
			return nil, err
		case e.Name.Local == "workbookPr" && isTrue(attr(e, "date1904")):
			b.from = 1462
		case e.Name.Local != "sheet":
			continue
		}
		title, part, state := attr(e, "name"), targets[attr(e, "id")], attr(e, "state")
		hidden := state != "" && state != "visible"
		if b.parts[part] == nil || name == "" && hidden || name != "" && title != name {
			continue
		}
		if len(out) == maxSheets {
			return nil, ats.Errorf(ats.TooLarge, "the workbook has more than %d sheets", maxSheets)
		}
		out = append(out, &Sheet{Encoding: "xlsx", Name: title, lines: func() iter.Seq2[line, error] { return b.lines(part) }})
	}
	if len(out) == 0 {
		return nil, ats.Errorf(ats.Invalid, "the workbook has no such sheet (table.sheet)")
	}
	return out, nil
}

// targets maps the ids of relations to the parts of the workbook.
func (b *book) targets() (map[string]string, error) {
	out := map[string]string{}
	for e, err := range b.starts("xl/_rels/workbook.xml.rels") {
		if err != nil {
			return nil, err
		}
		if e.Name.Local == "Relationship" {
			part := attr(e, "Target")
			if !strings.HasPrefix(part, "/") {
				part = path.Join("xl", part)
			}
			out[attr(e, "Id")] = partName(part)
		}
	}
	return out, nil
}

// partName is how parts are compared.
func partName(name string) string { return strings.ToLower(strings.TrimPrefix(name, "/")) }

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func isTrue(v string) bool { return v == "1" || v == "true" }

// readShared reads the texts that cells share, without the readings (furigana)
// that stand beside them.
func (b *book) readShared() error {
	size := 0
	var text text
	for token, err := range b.tokens("xl/sharedstrings.xml") {
		if err != nil {
			return err
		}
		text.take(token)
		if name, _, start := element(token); name != "si" || start {
			continue
		}
		s := text.String()
		if size += len(s) + 16; size > maxShared {
			return ats.Errorf(ats.TooLarge, "the texts of the workbook are larger than %d MiB; save the list as CSV", maxShared>>20)
		}
		b.shared = append(b.shared, s)
	}
	return nil
}

// A text collects what stands in the t elements of a shared text or a cell.
type text struct {
	strings.Builder
	in, reading bool
}

func (t *text) take(token xml.Token) {
	switch e := token.(type) {
	case xml.StartElement:
		switch e.Name.Local {
		case "si", "is":
			t.Reset()
		case "rPh":
			t.reading = true
		case "t":
			t.in = true
		}
	case xml.EndElement:
		switch e.Name.Local {
		case "rPh":
			t.reading = false
		case "t":
			t.in = false
		}
	case xml.CharData:
		if t.in && !t.reading {
			_, _ = t.Write(e)
		}
	}
}

// element returns the name of the element that begins or ends with token.
func element(token xml.Token) (name string, e xml.StartElement, start bool) {
	switch t := token.(type) {
	case xml.StartElement:
		return t.Name.Local, t, true
	case xml.EndElement:
		return t.Name.Local, e, false
	}
	return "", e, false
}

// lines reads the rows of a sheet.
func (b *book) lines(part string) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		var r rows
		r.book = b
		for token, err := range b.tokens(part) {
			l, ended, err := r.take(token, err)
			if err != nil {
				yield(line{number: r.line.number}, err)
				return
			}
			if ended && len(l.cells) > 0 && !yield(l, nil) {
				return
			}
		}
	}
}

// rows puts the rows of a sheet together.
type rows struct {
	book  *book
	line  line
	cell  xml.StartElement
	at    int // the cell's column, from 0
	value strings.Builder
	in    bool // a value
	text  text
}

// take reads one token and returns the row that it ends.
func (r *rows) take(token xml.Token, err error) (l line, ended bool, _ error) {
	if err != nil {
		return l, false, err
	}
	r.text.take(token)
	switch e := token.(type) {
	case xml.StartElement:
		r.start(e)
	case xml.CharData:
		if r.in {
			_, _ = r.value.Write(e)
		}
	case xml.EndElement:
		switch e.Name.Local {
		case "v":
			r.in = false
		case "c":
			err = r.put()
		case "row":
			return r.line, true, nil
		}
	}
	return l, false, err
}

func (r *rows) start(e xml.StartElement) {
	switch e.Name.Local {
	case "row":
		number := r.line.number + 1
		if n, err := strconv.Atoi(attr(e, "r")); err == nil && n > 0 {
			number = n
		}
		r.line, r.at = line{number: number, hidden: isTrue(attr(e, "hidden")), whole: true}, -1
	case "c":
		r.cell = e
		r.at++
		if i := columnOf(attr(e, "r")); i >= 0 {
			r.at = i
		}
		r.value.Reset()
		r.text.Reset()
	case "v":
		r.in = true
	}
}

// columnOf reads the column of a reference such as AB12; -1 for none.
func columnOf(ref string) int {
	i := -1
	for _, c := range ref {
		if c < 'A' || c > 'Z' || i > 1<<20 {
			break
		}
		i = (i+1)*26 + int(c-'A')
	}
	return i
}

// put adds the cell to its row.
func (r *rows) put() error {
	v, err := r.content()
	if err != nil || v == "" {
		return err
	}
	if r.at >= maxCells {
		return ats.Errorf(ats.TooLarge, "row %d has more than %d cells", r.line.number, maxCells)
	}
	for len(r.line.cells) <= r.at {
		r.line.cells = append(r.line.cells, "")
	}
	r.line.cells[r.at] = v
	return nil
}

// content is what a cell shows: of a formula its last result, of a date the
// date.
func (r *rows) content() (string, error) {
	raw := r.value.String()
	switch attr(r.cell, "t") {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(raw))
		if err != nil || i < 0 || i >= len(r.book.shared) {
			return "", ats.Errorf(ats.Invalid, "row %d, column %d: the workbook is damaged: a text is missing", r.line.number, r.at+1)
		}
		return unescape(r.book.shared[i]), nil
	case "inlineStr":
		return unescape(r.text.String()), nil
	case "str", "e", "d":
		return unescape(raw), nil
	case "b":
		return strconv.FormatBool(isTrue(strings.TrimSpace(raw))), nil
	}
	style, err := strconv.Atoi(attr(r.cell, "s"))
	return r.book.number(strings.TrimSpace(raw), err == nil && style >= 0 && style < len(r.book.dates) && r.book.dates[style]), nil
}

// unescape reads _x000D_, by which a workbook writes characters that XML
// cannot hold.
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	return escaped.ReplaceAllStringFunc(s, func(code string) string {
		n, _ := strconv.ParseUint(code[2:6], 16, 16) // the pattern is four hexadecimal digits
		return string(rune(n))
	})
}

var escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// starts yields the start of every element of a part.
func (b *book) starts(part string) iter.Seq2[xml.StartElement, error] {
	return func(yield func(xml.StartElement, error) bool) {
		for token, err := range b.tokens(part) {
			e, ok := token.(xml.StartElement)
			if (ok || err != nil) && !yield(e, err) {
				return
			}
		}
	}
}

// tokens yields what a part consists of; a part that is not there of nothing.
// An error is the last.
func (b *book) tokens(part string) iter.Seq2[xml.Token, error] {
	return func(yield func(xml.Token, error) bool) {
		f := b.parts[part]
		if f == nil {
			return
		}
		in, err := f.Open()
		if err != nil {
			yield(nil, damagedPart(part))
			return
		}
		defer func() { _ = in.Close() }()
		limited := &bounded{in: in}
		d := xml.NewDecoder(limited)
		for {
			token, err := d.RawToken() // keeps nothing of what encloses it, however deep
			switch {
			case errors.Is(err, io.EOF):
				return
			case limited.full:
				err = ats.Errorf(ats.TooLarge, "the workbook unpacks to more than it may; save the list as CSV")
			case err != nil:
				err = damagedPart(part)
			}
			if !yield(token, err) || err != nil {
				return
			}
		}
	}
}

func damagedPart(part string) error {
	return ats.Errorf(ats.Invalid, "the workbook is damaged: its part %s cannot be read", path.Base(part))
}

// bounded ends a part that unpacks to too much, and an element that never ends:
// the reader of XML keeps a whole element in memory.
type bounded struct {
	in        io.Reader
	read, run int
	full      bool
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	b.read, b.run = b.read+n, b.run+n
	if i := bytes.LastIndexByte(p[:n], '>'); i >= 0 {
		b.run = n - i - 1
	}
	if b.full = b.full || b.read > maxUnpacked || b.run > maxToken; b.full {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
