package table

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/career-relay/connector/ats"
)

// A charset is a way to read bytes as text.
type charset struct {
	name string
	how  encoding.Encoding
	// lossy marks a guess under which some bytes may mean nothing; they are
	// read as U+FFFD.
	lossy bool
}

// Japanese files that are called Shift_JIS hold characters of CP932, which this
// decoder knows.
var (
	utf8Plain = charset{"utf-8", unicode.UTF8, false}
	utf8Lossy = charset{"utf-8", unicode.UTF8, true}
	utf8BOM   = charset{"utf-8-bom", unicode.UTF8BOM, true}
	cp932     = charset{"cp932", japanese.ShiftJIS, true}
	utf16LE   = charset{"utf-16le", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), true}
	utf16BE   = charset{"utf-16be", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), true}
)

// charsets are the words of settings.
var charsets = map[string]charset{"utf-8": utf8Lossy, "cp932": cp932, "utf-16le": utf16LE, "utf-16be": utf16BE}

// boms are the marks that tell an encoding for certain.
var boms = []struct {
	mark []byte
	of   charset
}{
	{[]byte("\xef\xbb\xbf"), utf8BOM},
	{[]byte("\xff\xfe"), charset{"utf-16le-bom", unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), true}},
	{[]byte("\xfe\xff"), charset{"utf-16be-bom", unicode.UTF16(unicode.BigEndian, unicode.UseBOM), true}},
}

// guesses are the encodings that the file may have, the likeliest first. UTF-8
// is asked before CP932, which takes much UTF-8 without complaint and makes
// nonsense of it; the header must confirm the guess.
func (s source) guesses(wanted string) ([]charset, error) {
	head := make([]byte, 4096)
	n, err := s.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, ats.Errorf(ats.Busy, "reading the file: %w", err)
	}
	head = head[:n]
	for _, b := range boms {
		if bytes.HasPrefix(head, b.mark) {
			return []charset{b.of}, nil
		}
	}
	if c, ok := charsets[wanted]; ok {
		return []charset{c}, nil
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return byZeros(head), nil
	}
	valid, err := s.utf8()
	switch {
	case err != nil:
		return nil, err
	case valid:
		return []charset{utf8Plain}, nil
	}
	return []charset{cp932, utf8Lossy}, nil
}

// byZeros tells the two orders of UTF-16 by where ASCII has its zeros.
func byZeros(head []byte) []charset {
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	if zeros[1] >= zeros[0] {
		return []charset{utf16LE}
	}
	return []charset{utf16BE}
}

// utf8 reports whether the whole file is valid UTF-8.
func (s source) utf8() (bool, error) {
	_, err := io.Copy(io.Discard, transform.NewReader(s.reader(), encoding.UTF8Validator))
	switch {
	case errors.Is(err, encoding.ErrInvalidUTF8):
		return false, nil
	case err != nil:
		return false, ats.Errorf(ats.Busy, "reading the file: %w", err)
	}
	return true, nil
}

func (c charset) reader(r io.Reader) io.Reader { return transform.NewReader(r, c.how.NewDecoder()) }

// damaged reports whether bytes of s meant nothing.
func (c charset) damaged(s string) bool { return c.lossy && strings.ContainsRune(s, utf8.RuneError) }
