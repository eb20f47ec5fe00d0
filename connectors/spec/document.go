package spec

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Limits of what a payload may be.
const (
	MaxDepth    = 64
	MaxUnpacked = 8 << 20 // bytes after decompression
)

// Document reads a payload into the value that mapping expressions see:
// {headers, query, body, received}. Header names are in lower case.
func Document(p connectors.Payload) (map[string]any, error) {
	raw, err := unpack(p)
	if err != nil {
		return nil, err
	}
	body, err := readBody(p.Header.Get("Content-Type"), raw)
	if err != nil {
		return nil, err
	}
	headers := map[string]any{}
	for name := range p.Header {
		headers[strings.ToLower(name)] = p.Header.Get(name)
	}
	query := map[string]any{}
	for name := range p.Query {
		query[name] = p.Query.Get(name)
	}
	return map[string]any{"headers": headers, "query": query, "body": body, "received": json.Number(itoa(p.Received.Unix()))}, nil
}

// unpack undoes gzip, by the header or by the body's own mark.
func unpack(p connectors.Payload) ([]byte, error) {
	packed := strings.EqualFold(p.Header.Get("Content-Encoding"), "gzip") || bytes.HasPrefix(p.Body, []byte{0x1f, 0x8b})
	if !packed {
		return p.Body, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(p.Body))
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "the body is not gzip, though it says so")
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxUnpacked+1))
	switch {
	case len(out) > MaxUnpacked:
		return nil, ats.Errorf(ats.TooLarge, "the body unpacks to more than %d MiB", MaxUnpacked>>20)
	case err != nil:
		return nil, ats.Errorf(ats.Invalid, "the gzip body is cut or damaged")
	}
	return out, nil
}

func readBody(contentType string, raw []byte) (any, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if contentType != "" && err != nil {
		kind = ""
	}
	switch {
	case kind == "application/x-www-form-urlencoded":
		return readForm(raw)
	case kind == "" || kind == "application/json" || kind == "text/json" || kind == "text/plain" || strings.HasSuffix(kind, "+json"):
		return readJSON(raw)
	}
	return nil, ats.Errorf(ats.Invalid, "content type %s is not one this connector reads; want application/json", kind)
}

func readForm(raw []byte) (any, error) {
	values, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "the form is not readable")
	}
	out := map[string]any{}
	for name := range values {
		out[name] = values.Get(name)
	}
	return out, nil
}

// readJSON is strict where two readers could differ: no duplicate keys, no
// invalid UTF-8, nothing after the value. Numbers keep their digits. A lone
// surrogate becomes U+FFFD, as the standard library does; in a name that shows
// and a person looks.
func readJSON(raw []byte) (any, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(raw) {
		return nil, ats.Errorf(ats.Invalid, "the body is not UTF-8")
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, ats.Errorf(ats.Invalid, "the body is empty")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, ats.Errorf(ats.Invalid, "something follows the JSON value at byte %d", d.InputOffset())
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, notJSON(d, err)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == MaxDepth {
		return nil, ats.Errorf(ats.Invalid, "the JSON is nested deeper than %d", MaxDepth)
	}
	if delim == '{' {
		return readObject(d, depth)
	}
	list := []any{}
	for d.More() {
		v, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(d, err)
	}
	return list, nil
}

func readObject(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, notJSON(d, err)
		}
		key, ok := token.(string)
		if !ok {
			return nil, notJSON(d, nil)
		}
		if _, twice := object[key]; twice {
			return nil, ats.Errorf(ats.Invalid, "a key stands twice in one object, before byte %d: it is not clear which counts", d.InputOffset())
		}
		if object[key], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(d, err)
	}
	return object, nil
}

// notJSON tells where a body stops being JSON, without quoting it.
func notJSON(d *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ats.Errorf(ats.Invalid, "the JSON ends too early, at byte %d", d.InputOffset())
	}
	return ats.Errorf(ats.Invalid, "the body is not JSON, at byte %d", d.InputOffset())
}
