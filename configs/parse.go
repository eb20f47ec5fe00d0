package configs

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limits of what is read of a file.
const (
	maxDepth = 50
	maxKeys  = 2000 // or items, side by side
)

// parse reads the text. What it leaves for the other steps is a mapping.
func (f *file) parse() {
	for i, b := 0, f.text; len(b) > 0; {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			f.fault(&yaml.Node{Line: 1 + bytes.Count(f.text[:i], []byte("\n"))}, "", "not UTF-8; save the file as UTF-8")
			return
		}
		i, b = i+size, b[size:]
	}
	d := yaml.NewDecoder(bytes.NewReader(f.text))
	var doc, second yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		f.fault(nil, "", "empty; careerrelay config init writes a new one")
		return
	case err != nil:
		line, text := f.syntax(err)
		f.fault(&yaml.Node{Line: line}, "", "not YAML: %s", text)
		return
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		f.fault(root, "", "want keys, have %s", have(root))
		return
	}
	if n, what := excess(root, maxDepth); n != nil {
		f.fault(n, "", "%s", what)
		return
	}
	f.root = root
	switch err := d.Decode(&second); {
	case err == nil:
		f.fault(&second, "", "a second document; one file holds one")
	case !errors.Is(err, io.EOF):
		line, text := f.syntax(err)
		f.fault(&yaml.Node{Line: line}, "", "not YAML: %s", text)
	}
}

// excess returns a node that is over a limit, or nil.
func excess(n *yaml.Node, levels int) (over *yaml.Node, what string) {
	switch {
	case levels == 0:
		return n, "nested deeper than " + strconv.Itoa(maxDepth) + " levels"
	case n.Kind == yaml.MappingNode && len(n.Content) > 2*maxKeys, n.Kind == yaml.SequenceNode && len(n.Content) > maxKeys:
		return n, "more than " + strconv.Itoa(maxKeys) + " keys or items side by side"
	}
	for _, c := range n.Content {
		if over, what = excess(c, levels-1); over != nil {
			return over, what
		}
	}
	return nil, ""
}

var (
	numbered = regexp.MustCompile(`^line (\d+): `)
	anchor   = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntax reads the line from one of yaml's errors. The parser counts lines from
// 0 and the scanner from 1, and an unknown anchor has none.
func (f *file) syntax(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	line = 1
	if m := numbered.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
		if strings.HasPrefix(text, "did not find expected") {
			line++
		}
		line = min(line, len(bytes.Split(bytes.TrimSuffix(f.text, []byte("\n")), []byte("\n")))) // never behind the end
	}
	if m := anchor.FindStringSubmatch(text); m != nil {
		before, _, _ := bytes.Cut(f.text, []byte("*"+m[1]))
		line = 1 + bytes.Count(before, []byte("\n"))
	}
	return line, text
}
