package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// MaxDepth bounds how deep a payload may be nested.
const MaxDepth = 64

// Document reads a payload into the value that mapping expressions see:
// {headers, query, body, received}. Names of headers are in lower case.
func Document(p connectors.Payload) (map[string]any, error) {
	content, err := p.Content()
	if err != nil {
		return nil, err
	}
	doc := envelope(p)
	doc["body"], err = readBody(p.Header.Get("Content-Type"), content)
	return doc, err
}

// envelope is the document without the body.
func envelope(p connectors.Payload) map[string]any {
	headers := map[string]any{}
	for name := range p.Header {
		headers[strings.ToLower(name)] = p.Header.Get(name)
	}
	query := map[string]any{}
	for name := range p.Query {
		query[name] = p.Query.Get(name)
	}
	return map[string]any{
		"headers": headers, "query": query, "body": nil,
		"received": json.Number(strconv.FormatInt(p.Received.Unix(), 10)),
	}
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
	case kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"):
		return readXML(raw)
	}
	return nil, ats.Errorf(ats.Invalid, "content type %s is not one this connector reads; want application/json", kind)
}

// readForm reads a form; a name that stands several times has a list.
func readForm(raw []byte) (any, error) {
	values, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "the form is not readable")
	}
	out := map[string]any{}
	for name, list := range values {
		if !utf8.ValidString(name + strings.Join(list, "")) {
			return nil, ats.Errorf(ats.Invalid, "the form is not UTF-8")
		}
		if len(list) == 1 {
			out[name] = list[0]
			continue
		}
		several := make([]any, len(list))
		for i, s := range list {
			several[i] = s
		}
		out[name] = several
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
		return nil, ats.Errorf(ats.Invalid, "the body is empty: the sender put nothing into it")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, ats.Errorf(ats.Invalid, "something follows the JSON value at byte %d: send one in each request", d.InputOffset())
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
	return ats.Errorf(ats.Invalid, "the body is not JSON, at byte %d: look at what the sender writes and at its Content-Type", d.InputOffset())
}

// shaped gives the error of a body of which nothing could be made a clearer
// word, when the body is not even an object.
func shaped(body any, err error) error {
	kind, advice := "null", "send the fields in one object {…}"
	switch body.(type) {
	case map[string]any:
		return err
	case []any:
		kind, advice = "a list", "send each object {…} in a request of its own"
	case string:
		kind, advice = "a text in quotes", "it may have been turned into JSON twice"
	case json.Number:
		kind = "a number"
	case bool:
		kind = "true or false"
	}
	return ats.Errorf(ats.Invalid, "the body is %s at its top, not one object: %s", kind, advice)
}
