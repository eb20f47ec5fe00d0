package mail

import (
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/career-relay/connector/ats"
)

// A source is a letter, or a part of letters, taken apart. The language of its
// file is closed: a head of "key: value" lines between two lines of three
// dashes, then paragraphs with {{variables}}, {{#if variable}} … {{else}} …
// {{/if}}, links ([words](address), on a line of their own) and one box
// (=== title … ===). There is no loop and no code, so that whoever writes a
// letter can neither hang the service nor reach anything but the variables.
type source struct {
	version string
	subject []span
	preview []span // shown beside the subject in a list of mails
	why     []span // why the person gets this mail, for the footer
	body    []node
	uses    map[*variable]bool
}

// A span is a piece of a line: words of the author, a variable, or a choice.
type span struct {
	text, html  string // words, as they are and escaped
	value       *variable
	cond        *variable
	then, other []span
}

// A node is a line, or something that stands where lines do.
type node struct {
	kind        nodeKind
	words       []span    // of a line; the label of a link; the title of a box
	target      []span    // of a link
	name        *variable // of a choice, a list or a part
	then, other []node    // of a choice; then is also the inside of a box
	fixed       *row      // a line without variables, ready made
}

type nodeKind int

const (
	lineNode nodeKind = iota
	blankNode
	linkNode
	itemsNode
	partNode
	choiceNode
	boxNode
)

// Bounds of a file. HRMOS, whose mails recruiters know, allows 10,000 characters.
const (
	maxSource = 32 << 10
	maxDepth  = 8
)

var (
	linkLine = regexp.MustCompile(`^\[(.+)\]\((.+)\)$`)
	version  = regexp.MustCompile(`^[0-9A-Za-z._-]{1,20}$`)
	tag      = regexp.MustCompile(`\{\{.*?\}\}`)
)

// A parser reads one file and collects everything that is wrong with it.
type parser struct {
	file    string
	purpose Purpose // "" for a part, which serves several
	lines   []string
	at      int // lines read so far: the number of the line at hand
	depth   int
	boxed   bool
	src     source
	errs    []error
}

// parse reads the file of a letter of purpose p; "" means a part of letters.
func parse(file string, p Purpose, content []byte) (source, error) {
	if len(content) > maxSource {
		return source{}, ats.Errorf(ats.Invalid, "%s: larger than %d bytes", file, maxSource)
	}
	if !utf8.Valid(content) {
		return source{}, ats.Errorf(ats.Invalid, "%s: not UTF-8; save it with that encoding", file)
	}
	text := strings.TrimPrefix(strings.ReplaceAll(string(content), "\r\n", "\n"), "\ufeff")
	ps := &parser{file: file, purpose: p, lines: strings.Split(text, "\n"), src: source{uses: map[*variable]bool{}}}
	ps.head()
	for ps.at < len(ps.lines) {
		nodes, end := ps.block()
		ps.src.body = append(ps.src.body, nodes...)
		if end != "" {
			ps.wrong("%s closes nothing", end)
		}
	}
	return ps.src, errors.Join(ps.errs...)
}

func (p *parser) wrong(format string, args ...any) {
	p.wrongAt(p.at, format, args...)
}

func (p *parser) wrongAt(line int, format string, args ...any) {
	p.errs = append(p.errs, ats.Errorf(ats.Invalid, "%s:%d: %w", p.file, line, fmt.Errorf(format, args...)))
}

func (p *parser) next() (line string, ok bool) {
	if p.at == len(p.lines) {
		return "", false
	}
	p.at++
	return strings.TrimFunc(p.lines[p.at-1], unicode.IsSpace), true
}

// head reads what stands above the text.
func (p *parser) head() {
	if line, _ := p.next(); line != "---" {
		p.wrong("must begin with a line --- and the subject and version of the letter")
		return
	}
	keys := []string{"version"}
	if p.purpose != "" {
		keys = []string{"version", "subject", "preview", "why"}
	}
	seen := map[string]bool{}
	for {
		line, ok := p.next()
		if !ok {
			p.wrongAt(1, "the head is never closed; write --- below it")
			return
		}
		if line == "---" {
			break
		}
		key, value, _ := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if seen[key] {
			p.wrong("a second %s", key)
		}
		switch seen[key] = true; {
		case line == "":
		case key == "version":
			p.src.version = value
			if !version.MatchString(value) {
				p.wrong("version: write up to 20 letters, digits and .-_")
			}
		case p.purpose != "" && key == "subject":
			p.src.subject = p.spans(value)
		case p.purpose != "" && key == "preview":
			p.src.preview = p.spans(value)
		case p.purpose != "" && key == "why":
			p.src.why = p.spans(value)
		default:
			p.wrong("%q is not a key of the head%s", key, suggest(key, keys))
		}
	}
	for _, key := range keys {
		if !seen[key] && key != "preview" {
			p.wrong("%s: required in the head", key)
		}
	}
}

// block reads lines up to the end of the file or to something that closes,
// which it returns.
func (p *parser) block() (nodes []node, end string) {
	for {
		line, ok := p.next()
		if !ok {
			return nodes, ""
		}
		name, isTag := soleTag(line)
		switch m := linkLine.FindStringSubmatch(line); {
		case isTag && (name == "/if" || name == "else"):
			return nodes, "{{" + name + "}}"
		case line == "===":
			return nodes, line
		case line == "":
			nodes = append(nodes, node{kind: blankNode})
		case isTag && strings.HasPrefix(name, "#if"):
			nodes = append(nodes, p.choice(name))
		case strings.HasPrefix(line, "==="):
			nodes = append(nodes, p.box(strings.TrimSpace(line[3:])))
		case m != nil:
			nodes = append(nodes, node{kind: linkNode, words: p.spans(m[1]), target: p.target(m[2])})
		case isTag && find(name) != nil && find(name).shape == items:
			nodes = append(nodes, node{kind: itemsNode, name: p.use(name)})
		case isTag && find(name) != nil && find(name).shape == part && !p.boxed:
			nodes = append(nodes, node{kind: partNode, name: p.use(name)})
		default:
			nodes = append(nodes, p.line(line))
		}
	}
}

// line reads a line of words; most have no variables and are the same in every
// mail.
func (p *parser) line(s string) node {
	n := node{kind: lineNode, words: p.spans(s)}
	if len(n.words) == 1 && n.words[0].text != "" {
		n.fixed = &row{text: wrap(n.words[0].text, ""), html: n.words[0].html}
	}
	return n
}

// soleTag returns what stands in the braces of a line that is nothing else.
func soleTag(line string) (name string, ok bool) {
	if tag.FindString(line) != line || line == "" {
		return "", false
	}
	return inner(line), true
}

func inner(tag string) string {
	return strings.TrimFunc(tag[2:len(tag)-2], unicode.IsSpace)
}

// choice reads from {{#if}} on a line of its own to its {{/if}}.
func (p *parser) choice(name string) node {
	opened := p.at
	n := node{kind: choiceNode, name: p.condition(name)}
	var end string
	if !p.enter() {
		return n
	}
	defer p.leave()
	if n.then, end = p.block(); end == "{{else}}" {
		n.other, end = p.block()
	}
	switch end {
	case "{{/if}}":
	case "":
		p.wrongAt(opened, "{{%s}} is never closed; write {{/if}} on a line below", name)
	default:
		p.wrong("%s stands inside {{%s}} of line %d, which is still open", end, name, opened)
	}
	return n
}

// box reads from "=== title" to "===".
func (p *parser) box(title string) node {
	opened := p.at
	n := node{kind: boxNode, words: p.spans(title)}
	if p.boxed {
		p.wrong("a box cannot stand inside another")
	}
	if !p.enter() {
		return n
	}
	defer p.leave()
	p.boxed = true
	defer func() { p.boxed = false }()
	var end string
	switch n.then, end = p.block(); end {
	case "===":
	case "":
		p.wrongAt(opened, "the box is never closed; write === on a line below")
	default:
		p.wrong("%s stands inside the box of line %d, which is still open", end, opened)
	}
	return n
}

// enter goes one level deeper, or gives up on the file.
func (p *parser) enter() bool {
	if p.depth++; p.depth <= maxDepth {
		return true
	}
	p.wrong("more than %d levels inside each other", maxDepth)
	p.at = len(p.lines)
	return false
}

func (p *parser) leave() { p.depth-- }

// target reads where a link goes: a variable that is an address, or an https
// address of the author's own.
func (p *parser) target(s string) []span {
	if name, ok := soleTag(s); ok {
		if v := p.use(name); v != nil && v.shape == href {
			return []span{{value: v}}
		} else if v != nil {
			p.wrong("{{%s}} is not an address to link to", name)
		}
		return nil
	}
	if !webPage(s) {
		p.wrong("a link needs {{a variable}} or an address with https://")
		return nil
	}
	return words(s)
}

func words(s string) []span { return []span{{text: s, html: html.EscapeString(s)}} }

// spans reads the inside of a line.
func (p *parser) spans(s string) []span {
	spans, rest, end := p.inline(s, 0)
	if end != "" {
		p.wrong("%s closes nothing in this line", end)
	}
	if rest != "" && end == "" {
		p.wrong("{{ is never closed; write }}")
	}
	return spans
}

// inline reads up to the end of s or to a tag that closes, which it returns.
func (p *parser) inline(s string, depth int) (spans []span, rest, end string) {
	for {
		at := tag.FindStringIndex(s)
		if at == nil {
			if strings.Contains(s, "{{") {
				return spans, s, ""
			}
			return append(spans, p.literal(s)...), "", ""
		}
		spans = append(spans, p.literal(s[:at[0]])...)
		name := inner(s[at[0]:at[1]])
		s = s[at[1]:]
		switch {
		case name == "else" || name == "/if":
			return spans, s, "{{" + name + "}}"
		case strings.HasPrefix(name, "#if") && depth == maxDepth:
			p.wrong("more than %d levels inside each other", maxDepth)
			return spans, "", ""
		case strings.HasPrefix(name, "#if"):
			c := span{cond: p.condition(name)}
			if c.then, s, end = p.inline(s, depth+1); end == "{{else}}" {
				c.other, s, end = p.inline(s, depth+1)
			}
			if end != "{{/if}}" {
				p.wrong("{{%s}} is never closed; write {{/if}} in the same line", name)
				return spans, "", ""
			}
			spans = append(spans, c)
		default:
			v := p.use(name)
			if v != nil && v.shape == href {
				p.wrong("{{%s}} is an address; write [words]({{%s}}) on a line of its own", name, name)
			} else if v != nil && v.shape != word {
				p.wrong("{{%s}} must stand on a line of its own, outside a box", name)
			}
			spans = append(spans, span{value: v})
		}
	}
}

// literal checks words of the author.
func (p *parser) literal(s string) []span {
	switch {
	case s == "":
		return nil
	case strings.ContainsAny(s, "｛｝"):
		p.wrong("a variable is written with the half-width braces {{ }}")
	case strings.Contains(s, "}}"):
		p.wrong("}} closes nothing")
	case placeholder.MatchString(s):
		p.wrong("%s is left to be filled in; use a variable", placeholder.FindString(s))
	case link.MatchString(s):
		p.wrong("a link is written [words](https://…) on a line of its own")
	case strings.ContainsFunc(s, unicode.IsControl):
		p.wrong("holds a control character")
	}
	return words(s)
}

// condition reads the variable of {{#if variable}}.
func (p *parser) condition(name string) *variable {
	return p.variable(strings.TrimFunc(strings.TrimPrefix(name, "#if"), unicode.IsSpace))
}

// variable finds a variable that letters of this purpose may use; otherwise it
// says what was probably meant.
func (p *parser) variable(name string) *variable {
	v := find(name)
	if r := []rune(name); len(r) > 40 {
		name = string(r[:40]) + "…"
	}
	switch {
	case strings.HasPrefix(name, "#") || strings.HasPrefix(name, "/") || strings.HasPrefix(name, ">") || strings.HasPrefix(name, "^"):
		p.wrong("{{%s}} is not in the language; it knows {{variable}}, {{#if variable}}, {{else}} and {{/if}}", name)
		return nil
	case v == nil:
		p.wrong("{{%s}} is not a variable%s", name, suggest(name, p.names()))
		return nil
	case p.purpose != "" && !v.known(p.purpose):
		p.wrong("{{%s}} is not known in a %s letter", name, p.purpose)
		return nil
	case p.purpose == "" && v.shape == part:
		p.wrong("{{%s}} cannot stand inside another part", name)
		return nil
	}
	return v
}

// use finds a variable whose value will stand in the mail.
func (p *parser) use(name string) *variable {
	v := p.variable(name)
	if v != nil {
		p.src.uses[v] = true
	}
	return v
}

// names lists the variables by the names of the language the file is in.
func (p *parser) names() []string {
	var names []string
	for _, v := range variables {
		if p.purpose != "" && !v.known(p.purpose) {
			continue
		}
		if strings.Contains(p.file, ".ja.") {
			names = append(names, v.ja)
		} else {
			names = append(names, v.en)
		}
	}
	return names
}
