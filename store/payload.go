package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
)

// A stored payload is its time, its headers, its query and its body, each text
// with its length before it. As JSON a body would grow by a third, and the rest
// would cost more than its encryption.

func appendPayload(b []byte, p connectors.Payload) []byte {
	b = binary.AppendVarint(b, p.Received.UnixNano())
	b = appendValues(b, p.Header)
	b = appendValues(b, p.Query)
	return append(b, p.Body...)
}

func appendValues(b []byte, values map[string][]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(values)))
	for name, all := range values {
		b = binary.AppendUvarint(appendText(b, name), uint64(len(all)))
		for _, v := range all {
			b = appendText(b, v)
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// readPayload reads what appendPayload wrote. The body is a part of b.
func readPayload(b []byte) (connectors.Payload, error) {
	r := reader{rest: b}
	p := connectors.Payload{Received: time.Unix(0, r.signed()).UTC(), Header: r.values(), Query: r.values()}
	p.Body = r.rest
	if r.cut {
		return connectors.Payload{}, errors.New("a payload is cut short")
	}
	return p, nil
}

// A stored message is its text, its HTML and the rest of it as JSON. As JSON the
// two long parts would cost as much as everything else that is done to a mail.

func appendMessage(b []byte, m mail.Message) ([]byte, error) {
	b = appendText(appendText(b, m.Text), m.HTML)
	m.Text, m.HTML = "", ""
	rest, err := json.Marshal(m)
	return append(b, rest...), err
}

func readMessage(b []byte) (mail.Message, error) {
	var m mail.Message
	r := reader{rest: b}
	text, html := r.text(), r.text()
	if r.cut {
		return m, errors.New("a message is cut short")
	}
	err := json.Unmarshal(r.rest, &m)
	m.Text, m.HTML = text, html
	return m, err
}

// A reader takes apart what it is given and notes if that ends too early.
type reader struct {
	rest []byte
	cut  bool
}

func (r *reader) take(n int) {
	if n <= 0 {
		r.rest, r.cut = nil, true
		return
	}
	r.rest = r.rest[n:]
}

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.rest)
	r.take(n)
	return v
}

// length reads a number of things of which each needs a byte at least.
func (r *reader) length() int {
	v, n := binary.Uvarint(r.rest)
	r.take(n)
	if v > uint64(len(r.rest)) {
		r.rest, r.cut = nil, true
		return 0
	}
	return int(v) //nolint:gosec // at most the length of rest
}

func (r *reader) text() string {
	n := r.length()
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

// values reads headers or a query; nil when there are none.
func (r *reader) values() map[string][]string {
	n := r.length()
	if n == 0 {
		return nil
	}
	out := make(map[string][]string, n)
	for range n {
		name := r.text()
		all := make([]string, r.length())
		for i := range all {
			all[i] = r.text()
		}
		out[name] = all
	}
	return out
}
