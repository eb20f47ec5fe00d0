package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a file, in bytes.
const maxFile = 1 << 20

// A file is one YAML file with what is wrong with it.
type file struct {
	name     string // as problems show it
	dir      string // where its relative paths begin
	text     []byte
	root     *yaml.Node // its keys; empty when the file cannot be read as YAML
	lookup   func(string) (string, bool)
	refs     []reference
	origin   map[*yaml.Node]string // of a value: what stands in the file, or where a default was read
	problems []problem
}

// readFile reads the file at path. A file that does not exist is an
// fs.ErrNotExist error; every other trouble is a problem of the file.
func readFile(path string, lookup func(string) (string, bool)) (*file, error) {
	f := newFile(filepath.ToSlash(path), filepath.Dir(path), lookup)
	var err error
	f.text, err = readAll(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		f.fault(nil, "", "%v", err)
	default:
		f.parse()
	}
	return f, nil
}

func newFile(name, dir string, lookup func(string) (string, bool)) *file {
	return &file{name: name, dir: dir, lookup: lookup, root: &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1}, origin: map[*yaml.Node]string{}}
}

// readAll reads a file of bounded size. Its errors do not repeat the path.
func readAll(path string) ([]byte, error) {
	r, err := os.Open(path) //nolint:gosec // the operator's own folder
	if err != nil {
		return nil, withoutPath(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case len(b) > maxFile:
		return nil, errors.New("larger than 1 MiB")
	}
	return b, nil
}

func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// fault notes a problem with n, or with the file as a whole.
func (f *file) fault(n *yaml.Node, key, format string, args ...any) {
	p := problem{file: f.name, key: key, text: f.scrub(fmt.Sprintf(format, args...))}
	if n != nil {
		p.line = n.Line
		if p.line == 0 { // a default
			p.line = f.line(key)
		}
	}
	f.note(p)
}

func (f *file) note(p problem) {
	switch len(f.problems) {
	case maxProblems: // enough is known
	case maxProblems - 1:
		f.problems = append(f.problems, problem{file: f.name, text: "more is wrong; this is where it begins"})
	default:
		f.problems = append(f.problems, p)
	}
}

// known reports whether a problem was noted at key, above or below it: nothing
// more can be said about it then.
func (f *file) known(key string) bool { return anyAt(f.problems, key) }

func anyAt(problems []problem, key string) bool {
	return slices.ContainsFunc(problems, func(p problem) bool { return p.key != "" && (within(p.key, key) || within(key, p.key)) })
}

// within reports whether path is key or below it.
func within(path, key string) bool {
	rest, ok := strings.CutPrefix(path, key)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// report notes the problems in err, whose texts begin with the path of their
// key below prefix, unless something was noted there before.
func (f *file) report(prefix string, err error) {
	if err == nil {
		return
	}
	before := f.problems
	for _, e := range split(err) {
		if p, ok := e.(problem); ok { //nolint:errorlint // split leaves problems bare
			f.note(p)
			continue
		}
		key, rest, ok := strings.Cut(prefix+e.Error(), ": ")
		if _, v, _ := step(f.root, key); !ok || prefix == "" && v == nil {
			f.fault(nil, "", "%v", e)
			continue
		}
		if anyAt(before, key) {
			continue
		}
		word, _, _ := strings.Cut(rest, ": ") // a vendor's own key, perhaps
		f.note(problem{f.name, f.line(join(key, word)), key, f.scrub(rest)})
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// line finds the line of a key, or of the nearest key above it that stands in
// the file.
func (f *file) line(path string) int {
	n, line := f.root, f.root.Line
	for path != "" {
		key, v, rest := step(n, path)
		if v == nil {
			break
		}
		if key.Line > 0 {
			line = key.Line
		}
		n, path = v, rest
	}
	return max(line, 1)
}

// step goes one key down a path. Keys may hold dots, so the longest that fits
// counts.
func step(n *yaml.Node, path string) (key, value *yaml.Node, rest string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if within(path, k.Value) && (key == nil || len(k.Value) > len(key.Value)) {
				key, value, rest = k, n.Content[i+1], strings.TrimPrefix(path[len(k.Value):], ".")
			}
		}
	case yaml.SequenceNode:
		for i, v := range n.Content {
			if after, ok := strings.CutPrefix(path, item("", i)); ok {
				return v, v, strings.TrimPrefix(after, ".")
			}
		}
	default:
	}
	return key, value, rest
}

// get returns the value of a key of n, or nil.
func get(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// without returns n without some of its keys.
func without(n *yaml.Node, keys ...string) *yaml.Node {
	out := *n
	out.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !slices.Contains(keys, n.Content[i].Value) {
			out.Content = append(out.Content, n.Content[i:i+2]...)
		}
	}
	return &out
}

// short is what a problem repeats of a file: not much, and on one line.
func short(s string) string {
	const most = 40
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
