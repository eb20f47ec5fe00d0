package configs

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones, also where the system has none
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
)

// A shape says what may stand at one place of a file. The same table checks a
// file, fills in what it leaves out and is printed as JSON Schema.
type shape struct {
	about string // for whoever writes the file

	// One of these says what stands here.
	kind   *kind    // a scalar
	words  []string // one of these words
	list   *shape   // a list of it
	fields []field  // keys
	each   *shape   // keys of the file's own choice, each with this below it
	either []*shape // what fits, each of another kind of node

	later []string // words that have a meaning, but not in this version
	open  bool     // further keys belong to somebody else
}

// A field is one key of a shape.
type field struct {
	key      string
	required bool
	preset   string // in YAML: what stands for the key when the file leaves it out
	shape
}

func (s *shape) field(key string) *field {
	i := slices.IndexFunc(s.fields, func(f field) bool { return f.key == key })
	if i < 0 {
		return nil
	}
	return &s.fields[i]
}

func (s *shape) keys() []string {
	out := make([]string, len(s.fields))
	for i, f := range s.fields {
		out[i] = f.key
	}
	return out
}

func (s *shape) node() yaml.Kind {
	switch {
	case s.fields != nil || s.each != nil:
		return yaml.MappingNode
	case s.list != nil:
		return yaml.SequenceNode
	}
	return yaml.ScalarNode
}

// pick returns the alternative that fits the kind of n.
func (s *shape) pick(n *yaml.Node) *shape {
	for _, one := range s.either {
		if one.node() == n.Kind {
			return one
		}
	}
	return s
}

// want says in words what s takes.
func (s *shape) want() string {
	switch {
	case s.either != nil:
		var all []string
		for _, one := range s.either {
			all = append(all, one.want())
		}
		return strings.Join(all, ", or ")
	case s.fields != nil:
		return "the keys " + strings.Join(s.keys(), ", ")
	case s.each != nil:
		return "keys with their values"
	case s.list != nil:
		return "a list"
	case s.words != nil:
		return "one of " + strings.Join(s.words, ", ")
	}
	return s.kind.want
}

// have says in words what n is.
func have(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys"
	case yaml.SequenceNode:
		return "a list"
	default:
		return haveScalar(n)
	}
}

func haveScalar(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}

// A kind is a kind of scalar.
type kind struct {
	want   string
	schema map[string]any
	ok     func(n *yaml.Node) bool
}

// matching makes a kind of text that a pattern describes.
func matching(want, pattern string) *kind {
	re := regexp.MustCompile(pattern)
	return &kind{want: want, schema: map[string]any{"type": "string", "pattern": pattern}, ok: func(n *yaml.Node) bool {
		return text(n) && re.MatchString(n.Value)
	}}
}

func text(n *yaml.Node) bool { return n.ShortTag() == "!!str" }

func number(n *yaml.Node) bool {
	v, err := strconv.ParseFloat(n.Value, 64)
	return err == nil && v >= 1 && v <= 1e9
}

var (
	durations = regexp.MustCompile(`^([0-9]+d|0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$`)
	zones     = regexp.MustCompile(`^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$`)
)

// The kinds.
var (
	oneLine = &kind{"one line of text", map[string]any{"type": "string", "pattern": `\S`}, func(n *yaml.Node) bool {
		return text(n) && strings.TrimSpace(n.Value) != "" && strings.IndexFunc(n.Value, unicode.IsControl) < 0
	}}
	prose = &kind{"text", map[string]any{"type": "string", "pattern": `\S`}, func(n *yaml.Node) bool {
		return text(n) && strings.TrimSpace(n.Value) != ""
	}}
	truth = &kind{"true or false", map[string]any{"type": "boolean"}, func(n *yaml.Node) bool {
		return n.ShortTag() == "!!bool"
	}}
	count = &kind{"a whole number, 1 or more", map[string]any{"type": "integer", "minimum": 1}, func(n *yaml.Node) bool {
		return n.ShortTag() == "!!int" && number(n)
	}}
	days = &kind{"a whole number, 0 or more", map[string]any{"type": "integer", "minimum": 0}, func(n *yaml.Node) bool {
		return n.ShortTag() == "!!int" && (n.Value == "0" || number(n))
	}}
	factor = &kind{"a number, 1 or more", map[string]any{"type": "number", "minimum": 1}, func(n *yaml.Node) bool {
		return (n.ShortTag() == "!!int" || n.ShortTag() == "!!float") && number(n)
	}}
	duration = &kind{"a duration such as 90m, 24h or 30d", map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "pattern": durations.String()}, map[string]any{"const": 0},
	}}, func(n *yaml.Node) bool {
		var d ats.Duration
		return (text(n) || n.Value == "0") && durations.MatchString(n.Value) && d.UnmarshalText([]byte(n.Value)) == nil
	}}
	date = &kind{"a date such as 2026-12-31", map[string]any{"type": "string", "format": "date"}, func(n *yaml.Node) bool {
		_, err := time.Parse(time.DateOnly, n.Value)
		return err == nil
	}}
	email = &kind{"a mail address", map[string]any{"type": "string", "format": "email"}, func(n *yaml.Node) bool {
		address, _ := ats.ParseEmail(n.Value)
		return text(n) && address != ""
	}}
	zone = &kind{"a time zone such as Asia/Tokyo", map[string]any{"type": "string", "pattern": zones.String()}, func(n *yaml.Node) bool {
		_, err := time.LoadLocation(n.Value)
		return text(n) && zones.MatchString(n.Value) && err == nil
	}}
	folder = &kind{"a folder beside this file", map[string]any{"type": "string", "pattern": `^[^/\\]`}, func(n *yaml.Node) bool {
		return text(n) && filepath.IsLocal(n.Value) && filepath.Clean(n.Value) != "."
	}}
	website = &kind{"an address that begins with https://", map[string]any{"type": "string", "pattern": "^https://."}, func(n *yaml.Node) bool {
		u, err := url.Parse(n.Value)
		return text(n) && err == nil && u.Scheme == "https" && u.Host != ""
	}}
	hour   = matching(`a time of day in quotes, such as "10:00"`, `^(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)$`)
	ident  = matching("a name of a-z, 0-9 and -, at most 63 long", `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	secret = matching("env:NAME or file:PATH; a secret itself never stands in this file", `^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$`)
)
