package mail

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/career-relay/connector/ats"
)

// Bounds of a mail. Gmail cuts off HTML of more than 102 KB, and with it the
// footer; a subject of 200 characters is longer than any program shows.
const (
	maxHTML    = 100 << 10
	maxSubject = 200
)

var (
	// placeholder finds what a writer left to be filled in, and doubled
	// honorifics.
	placeholder = regexp.MustCompile(`[〇○◯]{2,}|[△▲]{2,}|[□■]{2,}|\{\{|\}\}|様[ 　]*様|御中[ 　]*様|様[ 　]*御中`)

	link   = regexp.MustCompile(`(?i)\bhttps?://[^\s<>"'、。，．）」』】]+`)
	header = regexp.MustCompile(`^[!#-'*+\-.0-9A-Z^_` + "`" + `a-z|~]+$`)

	reserved = []string{ // headers that a transport writes itself
		"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
		"to", "from", "subject", "reply-to", "cc", "bcc",
	}
)

// Check refuses a message that must not leave, with an ats.Invalid error that
// says everything that is wrong with it and where, without quoting it.
func Check(m Message) error {
	c := &checker{m: m, html: scan(m.HTML)}
	c.envelope()
	c.headers()
	c.words()
	c.links()
	c.footer()
	if len(c.problems) == 0 {
		return nil
	}
	return ats.Errorf(ats.Invalid, "%s", strings.Join(c.problems, "; "))
}

type checker struct {
	m        Message
	html     scanned
	problems []string
}

func (c *checker) wrong(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *checker) envelope() {
	for _, a := range []struct {
		field    string
		address  Address
		required bool
	}{{"from", c.m.From, true}, {"to", c.m.To, true}, {"reply_to", c.m.ReplyTo, false}} {
		switch {
		case a.address.Address == "" && a.required:
			c.wrong("%s: no address", a.field)
		case a.address.Address != "" && !usable(a.address.Address):
			c.wrong("%s: not a mail address", a.field)
		}
		if strings.ContainsFunc(a.address.Name, unicode.IsControl) {
			c.wrong("%s: control character in the name", a.field)
		}
	}
	switch n := len([]rune(c.m.Subject)); {
	case strings.TrimSpace(c.m.Subject) == "":
		c.wrong("subject: empty")
	case n > maxSubject:
		c.wrong("subject: longer than %d characters", maxSubject)
	}
	if strings.ContainsFunc(c.m.Subject, unicode.IsControl) {
		c.wrong("subject: control character")
	}
	if c.m.SendID == "" || strings.ContainsFunc(c.m.SendID, notPrintable) {
		c.wrong("send id: missing, or not plain ASCII")
	}
}

func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

func (c *checker) headers() {
	for name, value := range c.m.Header {
		switch {
		case !header.MatchString(name):
			c.wrong("header: not a name of a header")
		case slices.Contains(reserved, strings.ToLower(name)):
			c.wrong("header %s: belongs to the transport", name)
		case value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
			c.wrong("header %s: empty, or not plain ASCII", name)
		}
	}
	list, post := c.m.Header["List-Unsubscribe"], c.m.Header["List-Unsubscribe-Post"]
	target, ok := strings.CutPrefix(list, "<")
	target, ok2 := strings.CutSuffix(target, ">")
	switch {
	case list == "" && post == "" && c.reply():
	case list == "" || post == "":
		c.wrong("header List-Unsubscribe: missing, or without List-Unsubscribe-Post")
	case !ok || !ok2 || !safe(target):
		c.wrong("header List-Unsubscribe: must be one https address in angle brackets")
	case post != "List-Unsubscribe=One-Click":
		c.wrong("header List-Unsubscribe-Post: must be List-Unsubscribe=One-Click")
	}
}

// reply reports whether the mail answers a person's own deed. Such a mail comes
// once and needs no way to stop more of them.
func (c *checker) reply() bool {
	return c.m.Purpose == RelayConfirm || c.m.Purpose == RelayReceipt
}

// words looks for what was left to be filled in.
func (c *checker) words() {
	if found := unfilled(c.m.Subject); found != "" {
		c.wrong("subject: %s", found)
	}
	if strings.TrimSpace(c.m.Text) == "" {
		c.wrong("text: empty")
	}
	number := 0
	for line := range strings.Lines(c.m.Text) {
		number++
		if found := unfilled(line); found != "" {
			c.wrong("text, line %d: %s", number, found)
		}
	}
	if strings.TrimSpace(c.html.text) == "" {
		c.wrong("html: empty")
	}
	for line := range strings.Lines(c.html.text) {
		if found := unfilled(line); found != "" {
			c.wrong("html: %s", found)
		}
	}
	if len(c.m.HTML) > maxHTML {
		c.wrong("html: larger than %d KB", maxHTML>>10)
	}
	if c.html.loads {
		c.wrong("html: holds a picture, a script, a form or something loaded")
	}
}

// unfilled says what in s a writer left to be filled in, or "".
func unfilled(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		switch r {
		case '〇', '○', '◯', '△', '▲', '□', '■', '{', '}', '様':
			return true
		}
		return false
	}) {
		return "" // the usual case, without the cost of the expression
	}
	switch found := placeholder.FindString(s); {
	case found == "":
		return ""
	case strings.Contains(found, "様"):
		return "a doubled honorific, " + found
	default:
		return found + " is left to be filled in"
	}
}

// links compares where the two parts lead to.
func (c *checker) links() {
	inText, inHTML := textLinks(c.m.Text), c.html.links
	for part, links := range map[string][]string{"text": inText, "html": inHTML} {
		if slices.ContainsFunc(links, func(l string) bool { return !safe(l) }) {
			c.wrong("%s: a link that is not https", part)
		}
	}
	if !slices.Equal(inText, inHTML) {
		c.wrong("links: the text part has %d and the html part %d, and they differ", len(inText), len(inHTML))
	}
	switch {
	case c.m.Unsubscribe == "" && !c.reply():
		c.wrong("unsubscribe: missing")
	case c.m.Unsubscribe != "" && (!slices.Contains(inText, c.m.Unsubscribe) || !slices.Contains(inHTML, c.m.Unsubscribe)):
		c.wrong("unsubscribe: the link does not stand in both parts")
	}
}

// textLinks returns the links of a text part in order, each once.
func textLinks(s string) []string {
	var links []string
	for line := range strings.Lines(s) {
		if strings.Contains(line, "://") {
			links = append(links, link.FindAllString(line, -1)...)
		}
	}
	slices.Sort(links)
	return slices.Compact(links)
}

// safe reports whether a link may stand in a mail: https, or http on this very
// machine, for a demonstration.
func safe(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsFunc(s, notPrintable) {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// footer looks for what the law wants to be read in every mail.
func (c *checker) footer() {
	for _, f := range []struct{ field, value string }{
		{"name", c.m.Sender.Name}, {"postal address", c.m.Sender.Address}, {"contact", c.m.Sender.Contact},
	} {
		switch {
		case strings.TrimSpace(f.value) == "":
			c.wrong("footer: no %s of the sender", f.field)
		case !holds(c.m.Text, f.value) || !holds(c.html.text, f.value):
			c.wrong("footer: the %s of the sender does not stand in both parts", f.field)
		}
	}
}

// holds reports whether words stand in s, however its lines are broken.
func holds(s, words string) bool {
	return strings.Contains(s, words) || strings.Contains(squeeze(s), squeeze(words))
}

func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}
