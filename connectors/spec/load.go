package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Load reads connector.yaml from a folder. Its error lists every problem, each
// with file and line.
func Load(folder fs.FS) (Spec, error) {
	var s Spec
	text, err := fs.ReadFile(folder, File)
	if err != nil {
		return s, ats.Errorf(ats.NotFound, "reading %s: %w", File, err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return s, ats.Errorf(ats.Invalid, "%w", lines(err))
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		return s, ats.Errorf(ats.Invalid, "%w", lines(err))
	}
	if s.ready, err = s.compile(); err != nil {
		return s, ats.Errorf(ats.Invalid, "%w", located(&root, err))
	}
	return s, nil
}

// Shipped loads the file of a vendor that is part of the program.
func Shipped(vendor string) (Spec, error) {
	folder, err := fs.Sub(connectors.Files, vendor)
	if err != nil {
		return Spec{}, ats.Errorf(ats.NotFound, "vendor %s: %w", vendor, err)
	}
	return Load(folder)
}

var (
	yamlLine  = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	yamlField = regexp.MustCompile(`^field (\S+) not found in type \S+$`)
)

// lines says in our words and with file:line what the YAML reader found.
func lines(err error) error {
	texts := []string{err.Error()}
	if all, ok := errors.AsType[*yaml.TypeError](err); ok {
		texts = all.Errors
	}
	var errs []error
	for _, text := range texts {
		line := "1"
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			line, text = m[1], m[2]
		}
		if m := yamlField.FindStringSubmatch(text); m != nil {
			text = m[1] + ": no such key here"
		}
		errs = append(errs, fmt.Errorf("%s:%s: %s", File, line, text))
	}
	return errors.Join(errs...)
}

// located puts file and line before every problem, by the path of its key with
// which it begins.
func located(root *yaml.Node, err error) error {
	var errs []error
	for problem := range strings.SplitSeq(err.Error(), "\n") {
		errs = append(errs, fmt.Errorf("%s:%d: %s", File, lineOf(root, problem), problem))
	}
	return errors.Join(errs...)
}

// lineOf returns the line of the deepest key that the path at the beginning of
// a problem names.
func lineOf(n *yaml.Node, problem string) int {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	switch n.Kind {
	default:
		return n.Line
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			rest, ok := strings.CutPrefix(problem, key.Value)
			if !ok || rest == "" || !strings.ContainsRune(".[:", rune(rest[0])) {
				continue
			}
			if value.Kind == yaml.ScalarNode {
				return key.Line
			}
			return lineOf(value, strings.TrimLeft(rest, ".: "))
		}
	case yaml.SequenceNode:
		index, rest, ok := strings.Cut(strings.TrimPrefix(problem, "["), "]")
		if i, err := strconv.Atoi(index); ok && err == nil && i < len(n.Content) {
			return lineOf(n.Content[i], strings.TrimLeft(rest, ".: "))
		}
	}
	return n.Line
}

// prefix puts the path of a key before every problem.
func prefix(path string, err error) error {
	if err == nil {
		return nil
	}
	var errs []error
	for problem := range strings.SplitSeq(err.Error(), "\n") {
		errs = append(errs, errors.New(path+": "+problem))
	}
	return errors.Join(errs...)
}
