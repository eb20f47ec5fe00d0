package configs

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// check notes everything that does not fit s and fills in what n leaves out.
func (f *file) check(n *yaml.Node, s *shape, path string) {
	s = s.pick(n)
	switch {
	case n.Kind == yaml.AliasNode:
		f.fault(n, path, "aliases such as *%s are not followed here; write the value out", short(n.Value))
	case s.either != nil || s.node() != n.Kind:
		f.fault(n, path, "want %s; have %s", s.want(), have(n))
	case n.Kind == yaml.MappingNode:
		f.checkKeys(n, s, path)
	case n.Kind == yaml.SequenceNode:
		for i, one := range n.Content {
			f.check(one, s.list, item(path, i))
		}
	case s.words != nil:
		f.checkWord(n, s, path)
	case !s.kind.ok(n):
		f.fault(n, path, "want %s", s.kind.want)
	}
}

func (f *file) checkWord(n *yaml.Node, s *shape, path string) {
	switch {
	case !text(n):
		f.fault(n, path, "want %s; have %s", s.want(), have(n))
	case slices.Contains(s.later, n.Value):
		f.fault(n, path, "%s comes in a later version; have %s", n.Value, strings.Join(s.words, ", "))
	case !slices.Contains(s.words, n.Value):
		f.fault(n, path, "%q is not %s", short(n.Value), s.want())
	}
}

func (f *file) checkKeys(n *yaml.Node, s *shape, path string) {
	f.eachKey(n, path, func(k, v *yaml.Node, at string) {
		switch fd := s.field(k.Value); {
		case fd != nil:
			f.check(v, &fd.shape, at)
		case s.each != nil:
			f.check(v, s.each, at)
		case s.open:
			f.checkOpen(k.Value, v, at)
		default:
			f.fault(k, at, "no such key%s", suggest(k.Value, s.keys()))
		}
	})
	for i := range s.fields {
		f.fill(n, &s.fields[i], path)
	}
}

// fill adds what stands for a key that n leaves out.
func (f *file) fill(n *yaml.Node, fd *field, path string) {
	var v *yaml.Node
	switch {
	case get(n, fd.key) != nil:
		return
	case fd.required:
		f.fault(&yaml.Node{}, join(path, fd.key), "required: %s", fd.want())
		return
	case fd.preset != "":
		v = preset(fd.preset)
	case fd.fields != nil && !slices.ContainsFunc(fd.fields, func(below field) bool { return below.required }):
		v = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for i := range fd.fields {
			f.fill(v, &fd.fields[i], join(path, fd.key))
		}
		if len(v.Content) == 0 {
			return
		}
	default:
		return
	}
	set(n, fd.key, v)
}

func set(n *yaml.Node, key string, v *yaml.Node) {
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, v)
}

// preset reads a default. It stands in no line.
func preset(text string) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) == 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
	unline(&doc)
	return doc.Content[0]
}

func unline(n *yaml.Node) {
	n.Line = 0
	for _, c := range n.Content {
		unline(c)
	}
}

// eachKey calls fn for the keys of n and notes those that cannot be meant.
func (f *file) eachKey(n *yaml.Node, path string, fn func(k, v *yaml.Node, at string)) {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			f.fault(k, path, "a key must be a word")
			continue
		}
		at := join(path, short(k.Value))
		if first, twice := lines[k.Value]; twice {
			f.fault(k, at, "stands twice; the first is in line %d", first)
			continue
		}
		lines[k.Value] = k.Line
		fn(k, v, at)
	}
}

// checkOpen checks what somebody else will read: only what holds everywhere.
func (f *file) checkOpen(key string, n *yaml.Node, path string) {
	if slices.Contains(secretKeys, key) {
		f.check(n, anySecret, path)
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		f.check(n, anySecret, path)
	case yaml.MappingNode:
		f.eachKey(n, path, func(k, v *yaml.Node, at string) { f.checkOpen(k.Value, v, at) })
	case yaml.SequenceNode:
		for i, one := range n.Content {
			f.checkOpen("", one, item(path, i))
		}
	default:
		if n.ShortTag() == "!!null" {
			f.fault(n, path, "nothing stands here; write a value or take the key away")
		}
	}
}
