package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mapping"
)

// An expression is jq that also works on a payload that cannot be read.
type expression struct {
	*mapping.Expression
	text string
}

// parse prepares the expression of a key; an empty one is nil.
func parse(key, text string) (*mapping.Expression, error) {
	x, err := mapping.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return x, nil
}

func (x expression) set() bool { return x.Expression != nil }

// is reports whether the expression is true of p.
func (x expression) is(p connectors.Payload) bool { return x.set() && x.True(view(p, x.text)) }

// of returns the expression's text for p, "" for none.
func (x expression) of(p connectors.Payload) string {
	if !x.set() {
		return ""
	}
	s, _ := x.Text(view(p, x.text))
	return s
}

// expressions are the compiled single expressions of a Spec.
type expressions struct {
	secretFor, key, ping, rings, account, shakes, shakeBody expression
	each, labels                                            *mapping.Expression
}

func (s Spec) expressions() (expressions, error) {
	var x expressions
	var errs []error
	for _, one := range []struct {
		key, text string
		at        *expression
	}{
		{"secret_for", s.SecretFor, &x.secretFor},
		{"key", s.Key, &x.key},
		{"ping", s.Ping, &x.ping},
		{"rings", s.Rings, &x.rings},
		{"account", s.Account, &x.account},
		{"handshake.when", s.Handshake.When, &x.shakes},
		{"handshake.body", s.Handshake.Body, &x.shakeBody},
	} {
		var err error
		one.at.text = one.text
		one.at.Expression, err = parse(one.key, one.text)
		errs = append(errs, err)
	}
	var err error
	x.each, err = parse("each", s.Each)
	errs = append(errs, err)
	x.labels, err = parse("labels", s.Labels)
	return x, errors.Join(append(errs, err)...)
}

// maxItems bounds the items of one payload.
const maxItems = 1000

// documents returns what the rules see of a payload: one document, or one for
// each of its items, and none for a test delivery.
func (x expressions) documents(p connectors.Payload) ([]map[string]any, error) {
	doc, err := Document(p)
	if err != nil || x.ping.set() && x.ping.True(doc) {
		return nil, err
	}
	if x.each == nil {
		return []map[string]any{doc}, nil
	}
	values, err := x.each.Values(doc, maxItems)
	if err != nil {
		return nil, shaped(doc["body"], fmt.Errorf("each: %w", err))
	}
	docs := make([]map[string]any, len(values))
	for i, v := range values {
		docs[i] = maps.Clone(doc)
		docs[i]["item"] = v
	}
	return docs, nil
}

// view is the document for an expression that is asked before anything is
// known to be authentic or readable: only the parts that it names are made, and
// a body that cannot be read is null.
func view(p connectors.Payload, text string) map[string]any {
	doc := envelope(p)
	if strings.Contains(text, "body") {
		if content, err := p.Content(); err == nil {
			doc["body"], _ = readBody(p.Header.Get("Content-Type"), content)
		}
	}
	if strings.Contains(text, "raw") {
		doc["raw"] = string(p.Body)
	}
	if strings.Contains(text, "compact") {
		var b bytes.Buffer
		if json.Compact(&b, p.Body) == nil {
			doc["compact"] = b.String()
		}
	}
	if strings.Contains(text, "members") {
		doc["members"] = members(p.Body)
	}
	return doc
}

// members returns the parts of a JSON object as they are written.
func members(body []byte) map[string]any {
	var raw map[string]json.RawMessage
	if json.Unmarshal(body, &raw) != nil {
		return nil
	}
	out := make(map[string]any, len(raw))
	for name, value := range raw {
		out[name] = string(value)
	}
	return out
}
