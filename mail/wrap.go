package mail

import (
	"strings"
	"unicode"
)

// columns is where lines of the text part end, a wide character counting two.
// Some carriers refuse very long lines, and phones show these unbroken.
const columns = 70

// A class says what a character means for the end of a line.
type class uint8

const (
	noStart class = 1 << iota // no line begins with it
	noEnd                     // no line ends with it
	phrase                    // a phrase ends with it: marks, and the hiragana that do
	broad                     // takes two columns
	nothing                   // takes no column: it belongs to the character before
	digit
	hiragana
)

// classes are the characters that matter by themselves. Hiragana that do not
// end a phrase mostly stand within a word, as in 申し訳.
var classes = func() map[rune]class {
	all := map[rune]class{}
	for chars, c := range map[string]class{
		"、。，．・：；！？）」』】〕〉》ー々〜ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ―": noStart | broad,
		"…‥,.:;!?)]}": noStart, "（「『【〔〈《": noEnd | broad, "([{": noEnd, "　、。」』）】：；！？": phrase | broad,
		"はがをにへとでもやかてばるたいくうずんつなねよらどの": phrase,
	} {
		for _, r := range chars {
			all[r] |= c
		}
	}
	return all
}()

func classOf(r rune) class {
	c := classes[r]
	switch {
	case r >= '0' && r <= '9':
		c |= digit
	case r < 0x300:
	case r >= 0x3041 && r <= 0x3096:
		c |= broad | hiragana
	case r >= 0x3000 && r <= 0x30FF || r >= 0x3400 && r <= 0x9FFF || r >= 0xAC00 && r <= 0xD7A3 || r >= 0xF900 && r <= 0xFAFF || r >= 0xFF01 && r <= 0xFF60 || r >= 0x1F300 && r <= 0x3FFFF:
		c |= broad
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		c |= nothing
	}
	return c
}

func width(s string) int {
	n := 0
	for _, r := range s {
		n += classOf(r).width()
	}
	return n
}

func (c class) width() int {
	switch {
	case c&nothing != 0:
		return 0
	case c&broad != 0:
		return 2
	}
	return 1
}

// wrap breaks s into lines. English breaks at spaces. Japanese breaks where a
// phrase probably ends (after a mark, or where certain hiragana are followed by
// something else), never before a closing mark or inside a number, a Latin word
// or an address. Every line but the first begins with indent.
func wrap(s, indent string) string {
	var out strings.Builder
	for limit := columns; ; limit = columns - width(indent) {
		cut := breakAt(s, limit)
		out.WriteString(strings.TrimRight(s[:cut], " "))
		if s = strings.TrimLeft(s[cut:], " "); s == "" {
			return out.String()
		}
		out.WriteString("\n" + indent)
	}
}

// breakAt returns how many bytes of s fit on a line, ending at the best place.
func breakAt(s string, limit int) int {
	col, good, goodCol, fair := 0, 0, 0, 0
	var before rune
	var a class
	for i, r := range s {
		b := classOf(r)
		switch quality(before, r, a, b) {
		case 2:
			good, goodCol = i, col
		case 1:
			fair = i
		}
		before, a = r, b
		if col += b.width(); col <= limit || r == ' ' {
			continue
		}
		if good > 0 && (goodCol > limit/2 || fair == 0) {
			return good
		}
		if fair > 0 {
			return fair
		}
	}
	return len(s)
}

// quality says how well a line may end between two characters: 2 well, 1 if
// need be, 0 not at all.
func quality(before, after rune, a, b class) int {
	switch {
	case before == 0 || after == ' ' || b&(noStart|nothing) != 0 || a&noEnd != 0:
		return 0
	case before == ' ':
		return 2
	case a&phrase != 0 && (a&hiragana == 0 || b&hiragana == 0):
		return 2
	case a&broad == 0 && b&broad == 0 || (a|b)&digit != 0:
		return 0
	}
	return 1
}
