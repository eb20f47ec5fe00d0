package table

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Preset says what is known of a file before it is opened. The zero Preset
// finds everything out.
type Preset struct {
	Encoding  string `yaml:"encoding"`  // utf-8, cp932, utf-16le, utf-16be
	Delimiter string `yaml:"delimiter"` // comma, tab, semicolon, pipe
	Header    int    `yaml:"header"`    // the row of the header
	Sheet     string `yaml:"sheet"`     // of a workbook
	// Columns gives the headers of a column in place of the common ones, the
	// most telling first.
	Columns map[string]Headers `yaml:"columns"`
	// Keep names headers of further columns, for rules of the company's own.
	Keep []string `yaml:"keep"`
	// Outcomes says what labels mean: label → rejected, withdrawn, hired,
	// position_closed, ongoing or ignored.
	Outcomes map[string]string `yaml:"outcomes"`

	must []string // the columns that the company named: the file has to have them
}

// Headers are one header or a list of them.
type Headers []string

// UnmarshalYAML reads a list or a single header.
func (h *Headers) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if err := unmarshal(&one); err == nil {
		*h = Headers{one}
		return nil
	}
	return unmarshal((*[]string)(h))
}

// IsZero reports whether p says nothing.
func (p Preset) IsZero() bool {
	return p.Encoding == "" && p.Delimiter == "" && p.Header == 0 && p.Sheet == "" && len(p.Columns)+len(p.Keep)+len(p.Outcomes) == 0
}

// With returns p with what a company says of its own files in its place.
func (p Preset) With(own Preset) Preset {
	for _, f := range []struct{ to, from *string }{{&p.Encoding, &own.Encoding}, {&p.Delimiter, &own.Delimiter}, {&p.Sheet, &own.Sheet}} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	if own.Header != 0 {
		p.Header = own.Header
	}
	columns := maps.Clone(own.Columns)
	if columns == nil {
		columns = map[string]Headers{}
	}
	taken := map[string]bool{}
	for _, headers := range own.Columns {
		for _, h := range headers {
			taken[normalise(h)] = true
		}
	}
	for name, headers := range p.Columns {
		if _, ok := columns[name]; !ok { // the company's word for a header goes before the vendor's
			columns[name] = slices.DeleteFunc(slices.Clone(headers), func(h string) bool { return taken[normalise(h)] })
		}
	}
	p.Columns, p.must = columns, slices.Sorted(maps.Keys(own.Columns))
	p.Keep = slices.Concat(p.Keep, own.Keep)
	outcomes := maps.Clone(p.Outcomes)
	if outcomes == nil {
		outcomes = map[string]string{}
	}
	maps.Copy(outcomes, own.Outcomes)
	p.Outcomes = outcomes
	return p
}

// Validate reports every problem of p, with the path of its key.
func (p Preset) Validate() error {
	var errs []error
	if _, ok := charsets[p.Encoding]; !ok && p.Encoding != "" {
		errs = append(errs, fmt.Errorf("table.encoding: %q is not one of %s", p.Encoding, strings.Join(slices.Sorted(maps.Keys(charsets)), ", ")))
	}
	var names []string
	for _, d := range delimiters {
		names = append(names, d.name)
	}
	if p.Delimiter != "" && !slices.Contains(names, p.Delimiter) {
		errs = append(errs, fmt.Errorf("table.delimiter: %q is not one of %s", p.Delimiter, strings.Join(names, ", ")))
	}
	if p.Header < 0 {
		errs = append(errs, errors.New("table.header: rows are counted from 1"))
	}
	used := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(p.Columns)) {
		if !slices.Contains(Names(), name) {
			errs = append(errs, fmt.Errorf("table.columns.%s: no such column; have %s", name, strings.Join(Names(), " ")))
		}
		for _, h := range p.Columns[name] {
			n := normalise(h)
			switch other := used[n]; {
			case n == "":
				errs = append(errs, fmt.Errorf("table.columns.%s: a header is blank", name))
			case other != "" && other != name:
				errs = append(errs, fmt.Errorf("table.columns.%s: %s is %s already", name, h, other))
			}
			used[n] = name
		}
	}
	return errors.Join(errs...)
}
