package mail

import (
	"html"
	"regexp"
	"slices"
	"strings"
)

// A scanned is what Check wants to know about an HTML part.
type scanned struct {
	text  string   // what is shown
	links []string // in order, each once
	loads bool     // it shows or runs more than words
}

var (
	attribute = regexp.MustCompile(`(?i)\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))`)
	loaders   = []string{"img", "script", "iframe", "object", "embed", "form", "input", "link", "base", "svg", "video", "audio"}
)

// scan reads an HTML part once. It need not understand bad HTML, only never take
// it for harmless: a tag that does not end swallows the rest.
func scan(s string) scanned {
	var out scanned
	var text strings.Builder
	text.Grow(len(s) / 2)
	for {
		at := strings.IndexByte(s, '<')
		if at < 0 {
			text.WriteString(s)
			break
		}
		text.WriteString(s[:at])
		s = s[at:]
		if strings.HasPrefix(s, "<!--") {
			_, s, _ = strings.Cut(s, "-->")
			continue
		}
		end := tagEnd(s)
		tag := s[:end]
		s = s[end:]
		name := tagName(tag)
		out.loads = out.loads || slices.Contains(loaders, name)
		if name == "a" || name == "area" {
			if m := attribute.FindStringSubmatch(tag); m != nil {
				out.links = append(out.links, html.UnescapeString(m[1]+m[2]+m[3]))
			}
		}
		if name == "style" {
			_, s, _ = strings.Cut(s, "</style>")
		}
	}
	out.text = html.UnescapeString(text.String())
	slices.Sort(out.links)
	out.links = slices.Compact(out.links)
	return out
}

// tagEnd returns where the tag that s begins with is over; > inside of quotes
// does not end it.
func tagEnd(s string) int {
	var quote byte
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return len(s)
}

func tagName(tag string) string {
	name := strings.TrimLeft(tag[1:], " \t\r\n/")
	if end := strings.IndexAny(name, " \t\r\n/>"); end >= 0 {
		name = name[:end]
	}
	return strings.ToLower(name)
}
