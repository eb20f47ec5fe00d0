package mail

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/career-relay/connector/ats"
)

// maxPersonal bounds a personal line in characters.
const maxPersonal = 120

// reasons are words by which a personal line would give a reason, compare with
// others, or touch what must not count in a selection. Such a line can hurt
// the person who reads it and the company that wrote it.
var reasons = regexp.MustCompile(`不足|足りな|足りず|満たな|満たず|達しな|達せず|達しませ|及ばな|及ばず|至らな|至らず|乏しい|欠け|欠如|未熟|物足り|弱み|短所|懸念|不安が|不採用|不合格|落選|残念|見送り|理由|ミスマッチ|合わな|合いませ|他の候補者|ほかの候補者|他の応募者|ほかの応募者|別の候補者|別の方に|他の方に|ほかの方に|と比べ|と比較|` +
	`年齢|高齢|ご年配|若すぎ|お若い|若さ|女性|男性|性別|国籍|外国人|人種|妊娠|出産|育児|産休|育休|結婚|既婚|独身|離婚|家族|家庭|配偶者|障害|障がい|病気|持病|病歴|健康状態|宗教|信仰|信条|思想|支持政党|労働組合|出身地|本籍|学歴|容姿|外見|` +
	`(?i:\b(?:lack(?:s|ed|ing)?|insufficient|not enough|under-?qualified|over-?qualified|inexperienced|weak(?:ness(?:es)?)?|shortcomings?|mismatch|not (?:a|the right) (?:fit|match)|culture fit|(?:other|another|stronger|better) (?:candidates?|applicants?)|compared (?:to|with)|reasons?|reject(?:ed|ion)?|unfortunately|regret(?:s|fully|tably)?|age|aged|too (?:old|young)|elderly|gender|sex|female|male|wom[ae]n|pregnan(?:t|cy)|maternity|married|marriage|nationality|foreigner|ethnic(?:ity)?|religio(?:n|us)|disab(?:led|ility)|illness)\b)`)

var contactWords = regexp.MustCompile(`(?i)https?:|www\.|[@＠]`)

// CheckPersonalLine refuses, with an ats.Invalid error, a sentence that a
// recruiter adds to a mail when it is not one line of at most 120 characters, has
// something to be filled in, holds a link or an address, or speaks of reasons.
func CheckPersonalLine(s string) error {
	bare := strings.Map(func(r rune) rune { // 不 足 is 不足
		if r == ' ' || r == '\u3000' || r == '\u200b' {
			return -1
		}
		return r
	}, s)
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }):
		return ats.Errorf(ats.Invalid, "personal line: must be one line")
	case len([]rune(s)) > maxPersonal:
		return ats.Errorf(ats.Invalid, "personal line: longer than %d characters", maxPersonal)
	case unfilled(s) != "":
		return ats.Errorf(ats.Invalid, "personal line: %s", unfilled(s))
	case contactWords.MatchString(s):
		return ats.Errorf(ats.Invalid, "personal line: must not hold a link or an address")
	}
	for _, text := range []string{s, bare} {
		if found := reasons.FindString(text); found != "" {
			return ats.Errorf(ats.Invalid, "personal line: %q speaks of reasons or of what must not count; say what stayed with you instead", found)
		}
	}
	return nil
}
