package spec

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/career-relay/connector/ats"
)

// readXML reads XML into what jq can walk: an element without attributes and
// children is its text, any other an object of its children by local name, with
// attributes as "@name" and text as "#text". Equal children are a list. Where
// two readers could differ it refuses: no document type, hence no entities of
// the sender's own.
func readXML(raw []byte) (any, error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	var root any
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, notXML(d)
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, ats.Errorf(ats.Invalid, "the XML has a document type, which is not read")
		case xml.StartElement:
			if root != nil {
				return nil, notXML(d)
			}
			v, err := readElement(d, t, 1)
			if err != nil {
				return nil, err
			}
			root = map[string]any{t.Name.Local: v}
		}
	}
	if root == nil {
		return nil, ats.Errorf(ats.Invalid, "the body is empty")
	}
	return root, nil
}

func readElement(d *xml.Decoder, start xml.StartElement, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, ats.Errorf(ats.Invalid, "the XML is nested deeper than %d", MaxDepth)
	}
	object := map[string]any{}
	absent := false
	for _, a := range start.Attr {
		switch {
		case a.Name.Local == "nil" && a.Value == "true":
			absent = true
		case a.Name.Space != "xmlns": // a prefix says nothing
			object["@"+a.Name.Local] = a.Value
		}
	}
	var text strings.Builder
	for {
		token, err := d.Token()
		if err != nil {
			return nil, notXML(d)
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, ats.Errorf(ats.Invalid, "the XML has a document type, which is not read")
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			v, err := readElement(d, t, depth+1)
			if err != nil {
				return nil, err
			}
			add(object, t.Name.Local, v)
		case xml.EndElement:
			return element(object, text.String(), absent), nil
		}
	}
}

// element is the value of an element that was read whole.
func element(object map[string]any, text string, absent bool) any {
	switch {
	case absent:
		return nil
	case len(object) == 0:
		return text
	case strings.TrimSpace(text) != "":
		object["#text"] = text
	}
	return object
}

// add puts a child beside its equals.
func add(object map[string]any, name string, v any) {
	before, there := object[name]
	if !there {
		object[name] = v
		return
	}
	if list, ok := before.([]any); ok {
		object[name] = append(list, v)
		return
	}
	object[name] = []any{before, v}
}

func notXML(d *xml.Decoder) error {
	return ats.Errorf(ats.Invalid, "the body is not XML in UTF-8, at byte %d", d.InputOffset())
}
