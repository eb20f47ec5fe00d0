package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

var (
	errMissing = errors.New("no such member")
	errTwice   = errors.New("the member stands twice")
	errNotJSON = errors.New("not a JSON object")
)

// member returns where the value at a dotted path stands in a JSON object, so
// that its bytes can be read and replaced as they are.
func member(object []byte, path string) (start, end int, err error) {
	name, rest, deeper := strings.Cut(path, ".")
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return 0, 0, errNotJSON
	}
	found := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return 0, 0, errNotJSON
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return 0, 0, errNotJSON
		}
		if key != name {
			continue
		}
		if found {
			return 0, 0, errTwice
		}
		found = true
		end = int(d.InputOffset())
		start = end - len(value)
	}
	if _, err := d.Token(); err != nil {
		return 0, 0, errNotJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return 0, 0, errNotJSON
	}
	if !found {
		return 0, 0, errMissing
	}
	if !deeper {
		return start, end, nil
	}
	from, to, err := member(object[start:end], rest)
	return start + from, start + to, err
}

// memberText returns a text as it means, everything else as it is written.
func memberText(object []byte, path string) (string, error) {
	start, end, err := member(object, path)
	if err != nil {
		return "", err
	}
	raw := object[start:end]
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", errNotJSON
		}
		return s, nil
	case 'n':
		return "", errMissing
	}
	return string(raw), nil
}

// setMember replaces the value at a path, or adds a member to the object
// itself. Where a number stood, digits stay a number.
func setMember(object []byte, path, text string) ([]byte, error) {
	value, err := json.Marshal(text)
	if err != nil {
		return nil, err
	}
	start, end, err := member(object, path)
	if errors.Is(err, errMissing) && !strings.Contains(path, ".") {
		return addMember(object, path, value), nil
	}
	if err != nil {
		return nil, err
	}
	if number(object[start:end]) && number([]byte(text)) {
		value = []byte(text)
	}
	return slices.Concat(object[:start], value, object[end:]), nil
}

// number reports whether a value is a JSON number without a sign.
func number(value []byte) bool {
	return len(value) > 0 && '0' <= value[0] && value[0] <= '9' && json.Valid(value)
}

// addMember appends a member to an object that lacks it.
func addMember(object []byte, name string, value []byte) []byte {
	key, _ := json.Marshal(name) // a string always can be
	last := bytes.LastIndexByte(object, '}')
	head := bytes.TrimRight(object[:last], " \t\r\n")
	if !bytes.HasSuffix(head, []byte("{")) {
		head = append(slices.Clone(head), ',')
	}
	return slices.Concat(head, key, []byte(":"), value, object[last:])
}
