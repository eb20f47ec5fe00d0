package mail

import (
	"cmp"
	"html"
	"regexp"
	"strings"
)

// A page is a mail while it is being written. The text and the HTML part grow
// together from the same lines, so they cannot say different things.
type page struct {
	lang  *language
	vals  values
	parts map[*variable][]node

	text, html strings.Builder
	rows       []row  // of the paragraph at hand
	gap        string // in the text part, before what comes next
	place      place
	open       bool // a row of the layout table is open
	button     bool // the box at hand has its button: what follows is small
	heading    bool // the paragraph at hand stands above a list
}

// A place is where on the page something is being written.
type place int

const (
	inLetter place = iota
	inBox
	inFoot
)

// A row is one line in both parts, broken for the text part; with a target it is
// a link.
type row struct{ text, html, target string }

// write runs through a letter.
func (p *page) write(nodes []node) {
	for _, n := range nodes {
		switch n.kind {
		case lineNode:
			if n.fixed != nil {
				p.rows = append(p.rows, *n.fixed)
			} else if text := plain(n.words, p.vals); strings.TrimSpace(text) != "" {
				p.rows = append(p.rows, row{text: wrap(text, ""), html: p.markup(n.words)})
			}
		case linkNode:
			if target := plain(n.target, p.vals); target != "" {
				p.rows = append(p.rows, row{
					text: wrap(cmp.Or(plain(n.words, p.vals), target), ""), html: cmp.Or(p.markup(n.words), html.EscapeString(target)), target: target,
				})
			}
		case blankNode:
			p.flush()
		case itemsNode:
			p.items(p.vals.list[n.name.en])
		case partNode:
			p.flush()
			p.write(p.parts[n.name])
			p.flush()
		case choiceNode:
			if p.vals.has(n.name) {
				p.write(n.then)
			} else {
				p.write(n.other)
			}
		case boxNode:
			p.box(n)
		}
	}
}

// flush ends a paragraph. A link that stands alone becomes a button.
func (p *page) flush() {
	rows := p.rows
	p.rows = nil
	if len(rows) == 0 {
		return
	}
	p.say("")
	for i, r := range rows {
		if i > 0 {
			p.text.WriteByte('\n')
		}
		p.text.WriteString(r.text)
		if r.target != "" {
			p.text.WriteString(p.lang.colon + "\n" + r.target)
		}
	}
	p.row()
	if len(rows) == 1 && rows[0].target != "" && p.place != inFoot {
		p.button = true
		p.html.WriteString(p.lang.style.button + html.EscapeString(rows[0].target) + `">` + rows[0].html + "</a></td></tr></table>\n")
		if p.place == inLetter {
			p.html.WriteString(`<div style="height:20px;line-height:20px;font-size:1px;">&nbsp;</div>` + "\n")
		}
		return
	}
	p.html.WriteString(p.opening())
	for i, r := range rows {
		if i > 0 {
			p.html.WriteString("<br>\n")
		}
		if r.target != "" {
			p.html.WriteString(p.lang.style.link + html.EscapeString(r.target) + `">` + r.html + "</a>")
		} else {
			p.html.WriteString(r.html)
		}
	}
	p.html.WriteString("</p>\n")
}

// opening returns the tag of a paragraph at this place.
func (p *page) opening() string {
	s := p.lang.style
	switch {
	case p.heading:
		return s.heading
	case p.place == inFoot:
		return s.foot
	case p.place == inBox && p.button:
		return s.small
	case p.place == inBox:
		return s.boxed
	}
	return s.paragraph
}

// say adds a paragraph to the text part.
func (p *page) say(text string) {
	p.text.WriteString(p.gap + text)
	p.gap = "\n\n"
}

// row opens a row of the layout table for the letter, unless one is open.
func (p *page) row() {
	if p.place == inLetter && !p.open {
		p.html.WriteString(rowOpen)
		p.open = true
	}
}

func (p *page) closeRow() {
	if p.open {
		p.html.WriteString(rowClose)
		p.open = false
	}
}

// items writes a list. The line before it, if any, is its heading.
func (p *page) items(items []string) {
	if len(items) == 0 {
		return
	}
	if len(p.rows) > 0 {
		p.heading = len(p.rows) == 1
		p.flush()
		p.heading, p.gap = false, "\n"
	}
	p.row()
	p.html.WriteString(p.lang.style.list)
	lines := make([]string, len(items))
	for i, item := range items {
		lines[i] = wrap(p.lang.bullet+tidy(item), p.lang.hang)
		p.html.WriteString(p.lang.style.item + p.linked(tidy(item)) + "</li>\n")
	}
	p.say(strings.Join(lines, "\n"))
	p.html.WriteString("</ul>\n")
}

// box writes what stands apart from the letter.
func (p *page) box(n node) {
	p.flush()
	p.closeRow()
	p.say(p.lang.rule + " " + plain(n.words, p.vals) + " " + p.lang.rule)
	p.html.WriteString(boxOpen + p.lang.style.title + p.markup(n.words) + "</p>\n")
	p.place, p.button, p.gap = inBox, false, "\n"
	p.write(n.then)
	p.flush()
	p.gap = "\n"
	p.say(p.lang.ruler)
	p.html.WriteString(boxClose)
	p.place = inLetter
}

// foot writes the legal footer, below the mark by which mail programs know it.
func (p *page) foot(why []span, nodes []node) {
	p.flush()
	p.closeRow()
	p.say("-- \n")
	p.html.WriteString(footOpen)
	p.place, p.gap = inFoot, ""
	p.rows = []row{{text: wrap(plain(why, p.vals), ""), html: p.markup(why)}}
	p.write(nodes)
	p.flush()
	p.html.WriteString(rowClose)
}

// plain returns the words of a line as they are.
func plain(spans []span, vals values) string {
	var b strings.Builder
	for _, s := range spans {
		switch {
		case s.value != nil:
			b.WriteString(vals.text[s.value.en])
		case s.cond != nil && vals.has(s.cond):
			b.WriteString(plain(s.then, vals))
		case s.cond != nil:
			b.WriteString(plain(s.other, vals))
		default:
			b.WriteString(s.text)
		}
	}
	return b.String()
}

// markup returns the words of a line as HTML.
func (p *page) markup(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		switch {
		case s.value != nil && s.value.en == "contact":
			b.WriteString(p.linked(p.vals.text["contact"]))
		case s.value != nil:
			b.WriteString(p.escape(p.vals.text[s.value.en]))
		case s.cond != nil && p.vals.has(s.cond):
			b.WriteString(p.markup(s.then))
		case s.cond != nil:
			b.WriteString(p.markup(s.other))
		default:
			b.WriteString(s.html)
		}
	}
	return b.String()
}

// linked writes a value of the company's, whose links are shown as links.
func (p *page) linked(value string) string {
	var b strings.Builder
	for {
		at := link.FindStringIndex(value)
		if at == nil {
			b.WriteString(p.escape(value))
			return b.String()
		}
		target := html.EscapeString(value[at[0]:at[1]])
		b.WriteString(p.escape(value[:at[0]]) + p.lang.style.link + target + `">` + target + "</a>")
		value = value[at[1]:]
	}
}

// run finds Japanese among other words, with the selectors that choose a glyph.
var run = regexp.MustCompile(`[\p{Han}\p{Hiragana}\p{Katakana}](?: ?[\p{Han}\p{Hiragana}\p{Katakana}\x{3001}-\x{303F}\x{30FB}ー（）\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}])*`)

// escape writes a value as HTML. What is in another language than the mail says
// so, or gets a font that has its letters.
func (p *page) escape(value string) string {
	s := html.EscapeString(value)
	switch {
	case p.lang.code == "en" && japanese(value):
		return run.ReplaceAllString(s, `<span lang="ja">$0</span>`)
	case p.lang.code == "ja" && accented(value):
		return `<span style="font-family:` + latin + `;">` + s + "</span>"
	}
	return s
}
