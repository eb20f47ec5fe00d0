package intake

import (
	"fmt"

	"github.com/career-relay/connector/ats"
)

const japanese = "ja"

// words are the reasons that no rule has words for.
var words = map[string]struct{ ja, en string }{
	"no_id":          {"応募番号も、使えるメールアドレスもありません", "neither an application id nor an address that could be used"},
	"conflict":       {"同じ応募の行がいくつかあり、内容が違います（最初は%d行目）", "several rows are about this application and differ; the first is row %d"},
	"duplicate":      {"%d行目と同じ行です", "the same as row %d"},
	"told":           {"本人に通知済みとあります", "the file says that the person was told"},
	"no_decision":    {"合否の判断ではありません", "no decision about a person"},
	"parked_before":  {"以前に取り込み、保留中です：%s", "imported before and parked: %s"},
	"replay":         {"以前に取り込み、保留中です。いまは読めるので「読み直し」をしてください", "imported before and parked; it is understood now: replay it"},
	"imported":       {"同じ行を以前に取り込んでいます", "the same row was imported before"},
	"reopened":       {"こちらでは「%s」ですが、ファイルでは選考中です", "known as %s, and here it still runs"},
	"known":          {"すでに「%s」として知っています", "known as %s"},
	"ongoing":        {"選考は終わっていません", "it has not ended"},
	"applied":        {"応募は%d日前で、%d日を超えています。過去の整理とみなします", "applied %d days ago, more than %dd: taken for bookkeeping"},
	"decided":        {"決定は%d日前で、%d日を超えています。「古い決定も取り込む」で取り込めます", "decided %d days ago, more than %dd; --include-old takes it in"},
	"twin_row":       {"%d行目と同じ人・同じ求人です", "the same person and job as row %d"},
	"twin":           {"応募%sと同じ人・同じ求人です", "the same person and job as the application %s"},
	"no_time":        {"決定の日時がないので、取り込みの日時とします", "the file has no time of the decision; that of the import counts"},
	"no_email":       {"メールアドレスの形ではありません", "the address is none"},
	"several_emails": {"1つのセルにメールアドレスがいくつもあります", "several addresses in one cell"},
	"blank_email":    {"メールアドレスがありません", "there is no address"},
	"label_unknown":  {"結果の言葉の意味がわかりません。意味を決めてください", ""},
	"label_doubtful": {"企業側とも本人側とも読める言葉です。意味を決めてください", ""},
}

// states are what an application is known as, in Japanese.
var states = map[ats.State]string{
	ats.Rejected: "不採用", ats.Withdrawn: "辞退", ats.Hired: "採用", ats.Reopened: "選考再開", ats.Closed: "募集終了", ats.Erased: "消去済み", ats.Merged: "統合済み",
}

func (in *Intake) say(key string, args ...any) string {
	w := words[key]
	if in.Lang == japanese {
		return fmt.Sprintf(w.ja, args...)
	}
	return fmt.Sprintf(w.en, args...)
}

func (in *Intake) state(s ats.State) string {
	if in.Lang == japanese {
		return states[s]
	}
	return string(s)
}

func (in *Intake) language() string {
	if in.Lang == japanese {
		return japanese
	}
	return "en"
}

// unexplained is why a label parks a row: in the words of the rule that did it,
// which may be the company's own.
func (in *Intake) unexplained(key string, err error) string {
	if in.Lang == japanese {
		return in.say(key)
	}
	return err.Error()
}
