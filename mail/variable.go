package mail

import (
	"slices"
	"strings"
)

// A shape says how a variable may be used in a letter.
type shape int

const (
	word  shape = iota // within a line
	href               // as the target of a link
	items              // on a line of its own; becomes bullets
	part               // on a line of its own; another file
)

// A variable is something a letter may mention, by a Japanese or an English
// name. There are no others: what a mail can say is closed.
type variable struct {
	ja, en string
	shape  shape
	in     []Purpose // nil: everywhere
}

var variables = []*variable{
	{ja: "宛名", en: "greeting"},
	{ja: "氏名", en: "name"},
	{ja: "姓", en: "family_name"},
	{ja: "会社名", en: "company"},
	{ja: "差出人", en: "from_name"},
	{ja: "事業者名", en: "legal_name"},
	{ja: "事業者住所", en: "legal_address"},
	{ja: "連絡先", en: "contact"},
	{ja: "配信停止URL", en: "unsubscribe_url", shape: href},
	{ja: "求人名", en: "job", in: []Purpose{ThankYou}},
	{ja: "一言", en: "personal_line", in: []Purpose{ThankYou}},
	{ja: "書類の取扱い", en: "documents", in: []Purpose{ThankYou}},
	{ja: "キャリアリレー案内", en: "relay_offer", shape: part, in: []Purpose{ThankYou}},
	{ja: "案内URL", en: "relay_url", shape: href, in: []Purpose{ThankYou}},
	{ja: "案内期限", en: "relay_until", in: []Purpose{ThankYou}},
	{ja: "確認URL", en: "confirm_url", shape: href, in: []Purpose{RelayConfirm}},
	{ja: "確認期限", en: "confirm_until", in: []Purpose{RelayConfirm}},
	{ja: "マイページURL", en: "my_page_url", shape: href, in: []Purpose{RelayReceipt}},
	{ja: "同意内容", en: "agreed", shape: items, in: []Purpose{RelayReceipt}},
	{ja: "提供先", en: "recipients", shape: items, in: []Purpose{RelayReceipt}},
}

// find returns the variable called name, or nil.
func find(name string) *variable {
	for _, v := range variables {
		if v.ja == name || v.en == name {
			return v
		}
	}
	return nil
}

// known reports whether letters of purpose p may use v.
func (v *variable) known(p Purpose) bool { return v.in == nil || slices.Contains(v.in, p) }

// values are what the variables stand for in one mail, by English name. A
// missing one is empty.
type values struct {
	text map[string]string
	list map[string][]string
}

// has reports whether {{#if v}} holds.
func (vs values) has(v *variable) bool {
	return vs.text[v.en] != "" || len(vs.list[v.en]) > 0
}

// suggest ends an error about a name that is not one of have: with the one that
// was probably meant, or with all of them.
func suggest(name string, have []string) string {
	best, distance := "", 1+max(1, len([]rune(name))/3)
	for _, h := range have {
		if d := edits(strings.ToLower(name), strings.ToLower(h)); d < distance {
			best, distance = h, d
		}
	}
	if best != "" {
		return "; did you mean " + best + "?"
	}
	return "; have " + strings.Join(have, ", ")
}

// edits counts the letters to change, add or drop to get from a to b.
func edits(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before := row[0]
		row[0] = i + 1
		for j := range y {
			cost := before
			if x[i] != y[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, before+1, row[j]+1)
		}
	}
	return row[len(y)]
}
