package configs

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A reference is a value that stands outside the file: in the environment
// (env:NAME) or in another file (file:PATH).
type reference struct {
	name  string // as the file has it
	value string // "" when there is none
}

// isReference reports whether n names a value that stands elsewhere.
func isReference(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (strings.HasPrefix(n.Value, "env:") || strings.HasPrefix(n.Value, "file:"))
}

// resolve puts the values in place of the references in n and below it.
func (f *file) resolve(n *yaml.Node, path string) {
	switch {
	case n == nil:
	case isReference(n):
		if f.known(path) {
			return
		}
		value, err := f.value(n.Value)
		f.refs = append(f.refs, reference{n.Value, value})
		if err != nil {
			f.fault(n, path, "%v", err)
			return
		}
		f.origin[n] = n.Value
		n.Value, n.Tag = value, "!!str"
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			f.resolve(n.Content[i+1], join(path, short(n.Content[i].Value)))
		}
	case n.Kind == yaml.SequenceNode:
		for i, one := range n.Content {
			f.resolve(one, item(path, i))
		}
	}
}

// value reads the value of a reference.
func (f *file) value(name string) (string, error) {
	var value string
	if variable, ok := strings.CutPrefix(name, "env:"); ok {
		if value, _ = f.lookup(variable); value == "" {
			return "", fmt.Errorf("the environment variable %s is not set", short(variable))
		}
	} else {
		path := strings.TrimPrefix(name, "file:")
		if !filepath.IsAbs(path) {
			path = filepath.Join(f.dir, path)
		}
		b, err := readAll(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", short(name), err)
		}
		if value = strings.TrimRight(string(b), "\r\n"); value == "" {
			return "", fmt.Errorf("%s: the file is empty", short(name))
		}
	}
	if !utf8.ValidString(value) {
		return "", errors.New(short(name) + ": not UTF-8")
	}
	return value, nil
}

// scrub takes secrets out of a text that somebody else wrote.
func (f *file) scrub(text string) string {
	const least = 4 // a shorter one would tear every text apart and hides nothing
	for _, r := range f.refs {
		if len(r.value) >= least {
			text = strings.ReplaceAll(text, r.value, "[secret]")
		}
	}
	return text
}
