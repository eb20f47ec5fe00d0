// Package table takes exported files apart: CSV, TSV and XLSX.
package table

import (
	"bytes"
	"io"
	"iter"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Limits of a file. Whoever has more splits it.
const (
	MaxFile = 50 << 20 // bytes
	MaxRows = 200_000  // of data

	maxCells = 1000     // of a row
	maxCell  = 64 << 10 // bytes
)

// A Reader takes files apart by a preset. Every row of data becomes a payload
// whose body is a Body as JSON and whose header Row is the row's number. A row
// that cannot be used is an error that holds a *RowError; the rows after it
// follow. Any other error is the last.
type Reader struct {
	Preset Preset
	Now    func() time.Time
}

var _ connectors.Reader = Reader{}

// Read implements connectors.Reader.
func (r Reader) Read(file io.Reader) iter.Seq2[connectors.Payload, error] {
	return func(yield func(connectors.Payload, error) bool) {
		sheet, err := r.Preset.Open(file)
		if err != nil {
			yield(connectors.Payload{}, err)
			return
		}
		now := r.Now()
		for row, err := range sheet.Rows() {
			switch {
			case err != nil:
				if !yield(connectors.Payload{}, err) {
					return
				}
			case row.Skip != "":
			case !yield(row.Payload(now), nil):
				return
			}
		}
	}
}

// A source is a file that can be read again and again.
type source struct {
	io.ReaderAt
	size int64
}

func (s source) reader() io.Reader { return io.NewSectionReader(s, 0, s.size) }

// open makes a file readable again and again. What cannot be read at any place
// is kept in memory; it is small enough.
func open(file io.Reader) (source, error) {
	s, err := sized(file)
	switch {
	case err != nil:
		return s, err
	case s.size > MaxFile:
		return s, ats.Errorf(ats.TooLarge, "the file is larger than %d MiB; split it", MaxFile>>20)
	case s.size == 0:
		return s, ats.Errorf(ats.Invalid, "the file is empty")
	}
	return s, nil
}

func sized(file io.Reader) (source, error) {
	if f, ok := file.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		if size, err := f.Seek(0, io.SeekEnd); err == nil {
			return source{f, size}, nil
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return source{}, ats.Errorf(ats.Busy, "reading the file: %w", err)
	}
	return source{bytes.NewReader(text), int64(len(text))}, nil
}
