package ats

import (
	"regexp"
	"strings"
	"unicode"
)

// Codes of Greeting.
const (
	NameMissing = "name_missing" // no name, or one that was damaged on its way
	NameTest    = "name_test"    // a test of the ATS, not a person
)

var (
	remark    = regexp.MustCompile(`[（(\[［【〔].*?[）)\]］】〕]`)
	honorific = regexp.MustCompile(`(様|さま|さん|殿|氏|先生|御中)$`)
	damaged   = regexp.MustCompile(`[?？〓\x{FFFD}=$<>{}@\[\]|\\]`)
	testName  = regexp.MustCompile(`(?i)^(テスト|てすと|ﾃｽﾄ|test|dummy|ダミー|サンプル)([\s　]|$|応募|太郎|\d)`)
)

// maxName bounds a name in characters; a longer one is not a name.
const maxName = 80

// Greeting returns the full name to be used before 様 or after Dear, without
// an honorific or a remark that stood beside it. The name is never normalised:
// 髙 stays 髙. When there is no usable name it is empty and code says why.
func Greeting(c Candidate) (name, code string) {
	s := c.Name
	if strings.TrimSpace(s) == "" {
		s = strings.TrimSpace(c.FamilyName + " " + c.GivenName)
	}
	s = strings.Join(strings.FieldsFunc(remark.ReplaceAllString(s, ""), space), " ")
	for stripped := honorific.ReplaceAllString(s, ""); stripped != s && stripped != ""; stripped = honorific.ReplaceAllString(s, "") {
		s = strings.TrimRightFunc(stripped, space)
	}
	switch {
	case testName.MatchString(s):
		return "", NameTest
	case s == "" || damaged.MatchString(s) || !letters(s) || len([]rune(s)) > maxName || c.Anonymized:
		return "", NameMissing
	}
	return s, ""
}

func space(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u3000' || r == '\u200b' || r == '\ufeff'
}

func letters(s string) bool { return strings.IndexFunc(s, unicode.IsLetter) >= 0 }
