package mail

import (
	"strings"
	"time"
	"unicode"
)

// A language is what differs between the mails of two languages apart from the
// words of the letters.
type language struct {
	code    string
	day     string // layout of a date
	colon   string // between the words of a link and its address
	bullet  string
	hang    string // before the further lines of a bullet
	rule    string // around the title of a box
	ruler   string // below the box
	anybody string // greeting of a person whose name is not known
	// recruiting signs when nobody else does.
	recruiting string
	documents  string // true of everybody who keeps to the law
	style      style
}

var languages = map[string]*language{
	"ja": {
		code: "ja", day: "2006年1月2日", colon: "：", bullet: "・", hang: "　", rule: "―――", ruler: "――――――――――――――――――――",
		anybody:    "ご応募者様",
		recruiting: "採用担当",
		documents:  "お預かりした応募書類と個人情報は、選考での利用を終えたのち、法令と社内の定めに沿って責任をもって消去いたします。",
		style:      newStyle("-apple-system,BlinkMacSystemFont,'Hiragino Sans','BIZ UDPGothic','Noto Sans JP',Meiryo,sans-serif", "1.9"),
	},
	"en": {
		code: "en", day: "2 January 2006", colon: ":", bullet: "- ", hang: "  ", rule: "---", ruler: "---------------------------------------------",
		anybody:    "Dear applicant,",
		recruiting: "Recruiting",
		documents:  "Once the documents and details you sent us are no longer needed for the selection, we will erase them as the law and our own rules require.",
		style:      newStyle(latin, "1.65"),
	},
}

const latin = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"

// greeting returns the first line of a letter to a person called name.
func (g *language) greeting(name string) string {
	switch {
	case name == "":
		return g.anybody
	case g.code == "ja":
		return name + " 様"
	}
	return "Dear " + name + ","
}

// until returns the last whole day before t, so that "open until" is true all
// day long.
func (g *language) until(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).AddDate(0, 0, -1).Format(g.day)
}

// team returns who signs. A Japanese name cannot be read in an English mail.
func (g *language) team(name string) string {
	if name != "" && (g.code == "ja" || !japanese(name)) {
		return name
	}
	return g.recruiting
}

// display returns the name beside the sender's address.
func (g *language) display(name, company string) string {
	if g.team(name) == g.recruiting {
		return company + " " + g.recruiting
	}
	return name
}

// japanese reports whether s has Han characters or kana.
func japanese(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
	})
}

// accented reports whether s has letters that are neither Japanese nor plain
// ASCII, which Japanese fonts draw badly or not at all.
func accented(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsLetter(r) }) && !japanese(s)
}

// tidy makes data of others fit for one line: no control characters, no line
// ends, nothing that turns the direction of what follows. Letters are never
// changed: 髙 stays 髙.
func tidy(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			return ' '
		case r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\ufeff' || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s))
}
