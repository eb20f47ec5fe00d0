package configs

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
)

// A Value is one effective setting of a company and where it comes from.
type Value struct {
	Key   string `json:"key"`
	Value string `json:"value"` // "[secret]" for whatever does not stand in the file itself
	From  string `json:"from"`  // file:line, "default" or "environment NAME"
}

// Effective lists every setting of a company in force, in the order of the documentation.
func (t *Tenants) Effective(id string) ([]Value, error) {
	values, ok := t.now.Load().values[id]
	if !ok {
		return nil, ats.Errorf(ats.NotFound, "no company %s", id)
	}
	return slices.Clone(values), nil
}

// A Change is what a new content of a company's file did to one setting.
type Change struct {
	// Key is empty when what changed is not shown: a secret's value, or a file
	// beside the company's, such as a letter.
	Key    string `json:"key"`
	Before string `json:"before"` // "" when the setting was not there
	After  string `json:"after"`  // "" when it is gone
}

// changes compares the settings of two contents, in the order of the newer one.
func changes(before, after []Value) []Change {
	old := map[string]string{}
	for _, v := range before {
		old[v.Key] = v.Value
	}
	var out []Change
	for _, v := range after {
		if was, ok := old[v.Key]; !ok || was != v.Value {
			out = append(out, Change{Key: v.Key, Before: was, After: v.Value})
		}
		delete(old, v.Key)
	}
	for _, v := range before {
		if was, gone := old[v.Key]; gone {
			out = append(out, Change{Key: v.Key, Before: was})
		}
	}
	if out == nil {
		out = []Change{{}}
	}
	return out
}

func (f *file) effective() []Value { return f.values(nil, f.root, companyFile, "") }

func (f *file) values(out []Value, n *yaml.Node, s *shape, path string) []Value {
	if s != nil {
		s = s.pick(n)
	}
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return append(out, Value{Key: path, Value: f.show(n), From: f.from(n)})
	}
	var first []string
	if s != nil {
		first = s.keys()
	}
	for _, key := range first {
		if v := get(n, key); v != nil {
			out = f.values(out, v, &s.field(key).shape, join(path, key))
		}
	}
	for pair := range slices.Chunk(n.Content, 2) {
		if key := pair[0].Value; !slices.Contains(first, key) {
			var below *shape
			if s != nil {
				below = s.each
			}
			out = f.values(out, pair[1], below, join(path, key))
		}
	}
	return out
}

// show writes n on one line.
func (f *file) show(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.SequenceNode:
		for _, one := range n.Content {
			parts = append(parts, f.show(one))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		for pair := range slices.Chunk(n.Content, 2) {
			parts = append(parts, pair[0].Value+": "+f.show(pair[1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		if _, outside := f.origin[n]; outside {
			return "[secret]"
		}
		return n.Value
	}
}

// from says where n comes from.
func (f *file) from(n *yaml.Node) string {
	outside := f.outside(n)
	switch {
	case n.Line == 0 && outside != nil:
		return "environment " + strings.TrimPrefix(outside[0], "env:")
	case n.Line == 0:
		return "default"
	}
	return strings.Join(append([]string{fmt.Sprintf("%s:%d", f.name, n.Line)}, outside...), ", ")
}

// outside lists the references in n and below it.
func (f *file) outside(n *yaml.Node) []string {
	var out []string
	if name, ok := f.origin[n]; ok {
		out = append(out, name)
	}
	for _, below := range n.Content {
		out = append(out, f.outside(below)...)
	}
	return out
}
