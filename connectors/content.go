package connectors

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"

	"github.com/career-relay/connector/ats"
)

// MaxContent bounds a body after decompression, in bytes.
const MaxContent = 8 << 20

// Content returns the body without its compression, which is known by the
// header or by the body's own mark.
func (p Payload) Content() ([]byte, error) {
	packed := strings.EqualFold(p.Header.Get("Content-Encoding"), "gzip") || bytes.HasPrefix(p.Body, []byte{0x1f, 0x8b})
	if !packed {
		return p.Body, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(p.Body))
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "the body is not gzip, though it says so")
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxContent+1))
	switch {
	case len(out) > MaxContent:
		return nil, ats.Errorf(ats.TooLarge, "the body unpacks to more than %d MiB", MaxContent>>20)
	case err != nil:
		return nil, ats.Errorf(ats.Invalid, "the gzip body is cut or damaged")
	}
	return out, nil
}
