package configs

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decode fills v from n, which stands at path, strictly: a key that v does not
// have is a problem, and more are suggested for it beside v's own. Nodes that
// have a problem already are left out.
//
// yaml is strict only where it reads a text, and then knows only the lines of
// that. So n is written out anew, every key in a line of its own, and what yaml
// says of a line is traced back to the file.
func (f *file) decode(n *yaml.Node, path string, v any, more ...string) {
	written := f.plain(n, path)
	b, err := yaml.Marshal(written)
	var again yaml.Node
	if err == nil {
		err = yaml.Unmarshal(b, &again)
	}
	if err == nil {
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		err = d.Decode(v)
	}
	wrong, ok := errors.AsType[*yaml.TypeError](err)
	switch {
	case err == nil:
	case ok:
		places, known := map[int][]place{}, keysOf(v)
		trace(written, again.Content[0], path, places)
		for _, key := range more {
			if !slices.Contains(known, key) {
				known = append(known, key)
			}
		}
		for _, text := range wrong.Errors[:min(len(wrong.Errors), maxProblems)] {
			f.translate(text, n, path, places, known)
		}
	case written.Kind == yaml.MappingNode && len(written.Content) > 2:
		// A type of v's refused its text, and yaml does not say where: key by
		// key it is known.
		for pair := range slices.Chunk(written.Content, 2) {
			f.decode(&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: pair[0].Line, Content: pair}, path, v, more...)
		}
	case written.Kind == yaml.MappingNode && len(written.Content) == 2:
		f.fault(written.Content[1], join(path, short(written.Content[0].Value)), "%v", err)
	default:
		f.fault(n, path, "%v", err)
	}
}

// plain copies n as it is decoded: without comments and styles, and without
// what has a problem.
func (f *file) plain(n *yaml.Node, path string) *yaml.Node {
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Line: n.Line}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if at := join(path, short(k.Value)); k.Kind == yaml.ScalarNode && !f.bad(at) {
				out.Content = append(out.Content, f.plain(k, at), f.plain(v, at))
			}
		}
	case yaml.SequenceNode:
		for i, v := range n.Content {
			if at := item(path, i); !f.bad(at) {
				out.Content = append(out.Content, f.plain(v, at))
			}
		}
	default:
		if text(n) {
			out.Style = yaml.DoubleQuotedStyle
		}
	}
	return out
}

// bad reports whether a problem was noted at exactly key.
func (f *file) bad(key string) bool {
	return slices.ContainsFunc(f.problems, func(p problem) bool { return p.key == key })
}

// A place is where a node stands in a file.
type place struct {
	path string
	node *yaml.Node
}

// trace notes for every line of a written text what stands there, from the
// outside in. n was written, again was read from the text.
func trace(n, again *yaml.Node, path string, places map[int][]place) {
	places[again.Line] = append(places[again.Line], place{path, n})
	for i := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			trace(n.Content[i], again.Content[i], item(path, i), places)
		case i%2 == 0:
			at := join(path, short(n.Content[i].Value))
			places[again.Content[i].Line] = append(places[again.Content[i].Line], place{at, n.Content[i]})
			trace(n.Content[i+1], again.Content[i+1], at, places)
		}
	}
}

var (
	wrongType = regexp.MustCompile(`(?s)^line (\d+): cannot unmarshal (!!\w+).* into (\S+)$`)
	wrongKey  = regexp.MustCompile(`(?s)^line (\d+): field (.+) not found in type \S+$`)
)

// translate notes what yaml says about a line of a written text. It does not
// repeat values, which may be secrets.
func (f *file) translate(said string, n *yaml.Node, path string, places map[int][]place, known []string) {
	if m := wrongKey.FindStringSubmatch(said); m != nil {
		line, _ := strconv.Atoi(m[1])
		for _, p := range places[line] {
			if p.node.Kind == yaml.ScalarNode && p.node.Value == m[2] {
				if p.path != join(path, short(m[2])) { // deeper down other keys are known
					known = nil
				}
				f.fault(p.node, p.path, "no such key%s", suggest(m[2], known))
				return
			}
		}
	}
	if m := wrongType.FindStringSubmatch(said); m != nil {
		line, _ := strconv.Atoi(m[1])
		kind := yaml.ScalarNode
		switch m[2] {
		case "!!map":
			kind = yaml.MappingNode
		case "!!seq":
			kind = yaml.SequenceNode
		}
		for _, p := range slices.Backward(places[line]) {
			if p.node.Kind == kind {
				f.fault(p.node, p.path, "want %s; have %s", typeWords(m[3]), have(p.node))
				return
			}
		}
	}
	f.fault(n, path, "cannot be read")
}

// typeWords says in words what a Go type takes.
func typeWords(name string) string {
	switch {
	case strings.HasPrefix(name, "[]"):
		return "a list"
	case name == "string":
		return "text"
	case name == "bool":
		return "true or false"
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "uint"), strings.HasPrefix(name, "float"):
		return "a number"
	case strings.HasPrefix(name, "map["):
		return "keys with their values"
	}
	return "another kind of value"
}

// keysOf lists the keys that a settings type has.
func keysOf(v any) []string {
	b, err := yaml.Marshal(v)
	if err != nil {
		return nil
	}
	var n yaml.Node
	if err := yaml.Unmarshal(b, &n); err != nil || len(n.Content) == 0 || n.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	var out []string
	for pair := range slices.Chunk(n.Content[0].Content, 2) {
		out = append(out, pair[0].Value)
	}
	return out
}
