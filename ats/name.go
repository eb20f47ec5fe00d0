package ats

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Codes of Greeting.
const (
	NameMissing = "name_missing" // no name, a placeholder, a company, or damaged on its way
	NameTest    = "name_test"    // a test of the ATS, not a person
)

// A name in characters and a field with its remarks in bytes are not longer.
const (
	maxName  = 80
	maxField = 1000
)

// Greeting returns the full name to be used before 様 or after Dear, without
// an honorific or a remark that stood beside it. The name is never normalised:
// 髙 stays 髙. When there is no usable name it is empty and code says why.
func Greeting(c Candidate) (name, code string) {
	s := c.Name
	if strings.TrimSpace(s) == "" {
		s = joinName(c.FamilyName, c.GivenName)
	}
	if len(s) > maxField {
		return "", NameMissing
	}
	s = visible(s)
	firm := companyMark.MatchString(s)
	s = withoutHonorific(withoutRemarks(s))
	switch {
	case testName.MatchString(fold(s)):
		return "", NameTest
	case c.Anonymized || firm || company.MatchString(s) || placeholder(s) || damaged(s) || len([]rune(s)) > maxName:
		return "", NameMissing
	}
	return s, ""
}

// joinName puts the parts in the order of their script: the family comes first
// in Japanese, Chinese and Korean writing.
func joinName(family, given string) string {
	if eastAsian.MatchString(family + given) {
		return family + " " + given
	}
	return given + " " + family
}

var eastAsian = regexp.MustCompile(`[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]`)

// visible drops what cannot be seen, except the joiners that some scripts need,
// and leaves one space between words.
func visible(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) && !joiner(r) {
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

func joiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

var remark = regexp.MustCompile(`[（(\[［【〔][^（(\[［【〔）)\]］】〕]*[）)\]］】〕]`)

// withoutRemarks takes away what stands in brackets, the innermost first.
func withoutRemarks(s string) string {
	for remark.MatchString(s) {
		s = remark.ReplaceAllString(s, " ")
	}
	return strings.Join(strings.Fields(s), " ")
}

var (
	honorifics = []string{"様", "さま", "さん", "先生", "殿", "氏"}
	title      = regexp.MustCompile(`(?i)^(mr|mrs|ms|miss|mx)\.? `)
)

// withoutHonorific takes away what others put around a name. A family name may
// end in 殿 or 氏, so these two go only when enough is left.
func withoutHonorific(s string) string {
	s = title.ReplaceAllString(s, "")
	for {
		i := slices.IndexFunc(honorifics, func(h string) bool {
			name, ok := strings.CutSuffix(s, h)
			return ok && (h != "殿" && h != "氏" || name == "" || strings.HasSuffix(name, " ") || len([]rune(name)) > 1)
		})
		if i < 0 {
			return s
		}
		s = strings.TrimRight(strings.TrimSuffix(s, honorifics[i]), " ")
	}
}

var (
	// testName knows the names of tests; a person may be called テストーニ.
	testName = regexp.MustCompile(`(?i)(^| )(test|dummy|テスト|てすと|ﾃｽﾄ|ダミー|サンプル)[\d_-]*( |$)|^(テスト|てすと|ﾃｽﾄ|ダミー|サンプル)(\p{Han}|\p{Hiragana}|[a-z\d]|タロ|ハナ|ユーザ|ネーム)|^(test|dummy)[ _-]?(user|taro|hanako|account|candidate|applicant)|動作確認`)
	// company and companyMark know firms; the mark is a remark in brackets.
	company     = regexp.MustCompile(`(?i)株式会社|有限会社|合同会社|合資会社|合名会社|(社団|財団|医療|学校|社会福祉)法人|[㈱㈲]|御中$|[ ,.](inc|ltd|llc|corp|gmbh)\.?$`)
	companyMark = regexp.MustCompile(`^[（(][株有同][）)]|[（(][株有同][）)]$`)
	// empties are words that systems write where they have no name.
	empties = []string{"null", "nil", "undefined", "none", "n.a", "unknown", "anonymous", "deleted", "redacted", "candidate", "applicant", "名前", "氏名", "お名前", "不明", "未入力", "未設定", "未登録", "未定", "匿名", "なし", "無し", "応募者", "候補者", "非公開"}
)

// placeholder reports whether every word only stands where a name should be.
func placeholder(s string) bool {
	for word := range strings.FieldsSeq(strings.ToLower(fold(s))) {
		if !slices.Contains(empties, word) {
			return false
		}
	}
	return true
}

// garbled are the marks of UTF-8 that was read as a Japanese legacy encoding,
// of signs that stand for a name in a sample, and of a part that a program left
// out. Somebody may be called Null, but not null.
var garbled = regexp.MustCompile(`\p{Han}[ｦ-ﾟ]|[ｦ-ﾟ]\p{Han}|[縺繧繝].*[縺繧繝]|[〇○◯]{2}|(^| )(null|undefined)( |$)`)

// damaged reports whether s holds anything that no name is written with, or no
// letter at all.
func damaged(s string) bool {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !joiner(r) && !strings.ContainsRune(" '’‘`-‐‑–.．・･·゠＝〇○◯", r)
	}
	return strings.IndexFunc(s, odd) >= 0 || strings.IndexFunc(s, unicode.IsLetter) < 0 || garbled.MatchString(s)
}

var (
	eastAsianWord = regexp.MustCompile(`^[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{M}々〆ー]+$`)
	katakanaPair  = regexp.MustCompile(`^[\p{Katakana}ー]+ [\p{Katakana}ー]+$`)
)

// SplitName parts a name as Greeting returns it. It never guesses: only two
// words in East Asian writing are a family name and a given name, and two words
// in katakana may be a foreign name in its own order.
func SplitName(name string) (family, given string) {
	family, given, ok := strings.Cut(name, " ")
	if !ok || katakanaPair.MatchString(name) || !eastAsianWord.MatchString(family) || !eastAsianWord.MatchString(given) {
		return "", ""
	}
	return family, given
}
