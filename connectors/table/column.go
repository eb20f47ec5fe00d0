package table

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The columns that mean something. Everything else in a file (notes, ages,
// evaluations, telephone numbers) is not taken over.
const (
	ApplicationID  = "application_id"
	FullName       = "full_name"
	FamilyName     = "family_name"
	GivenName      = "given_name"
	FullKana       = "full_kana"
	FamilyKana     = "family_kana"
	GivenKana      = "given_kana"
	Email          = "email"
	EmailSecondary = "email_secondary"
	JobID          = "job_id"
	JobTitle       = "job_title"
	Stage          = "stage"
	Outcome        = "outcome"   // labels that say how it ended
	Rejected       = "rejected"  // filled in when it ended so
	Withdrawn      = "withdrawn" // filled in when it ended so
	Hired          = "hired"     // filled in when it ended so
	EndedAt        = "ended_at"
	UpdatedAt      = "updated_at"
	AppliedAt      = "applied_at"
	Channel        = "channel"
	ChannelDetail  = "channel_detail"
	AgentCompany   = "agent_company"
	Tags           = "tags"
	Consent        = "consent"
	DoNotContact   = "do_not_contact"
	AlreadySent    = "already_sent"
)

// common are the headers by which columns are known, the most telling first.
// They are written as normalise leaves them.
var common = []struct {
	name    string
	headers []string
}{
	{ApplicationID, []string{"応募id", "応募者id", "応募番号", "応募者番号", "候補者id", "選考id", "エントリーid", "エントリー番号", "受付番号", "管理番号", "id", "applicationid", "candidateid"}},
	{FullName, []string{"氏名", "名前", "お名前", "応募者名", "候補者名", "応募者氏名", "姓名", "氏名漢字", "name", "fullname"}},
	{FamilyName, []string{"姓", "氏名姓", "姓漢字", "苗字", "名字", "lastname", "familyname"}},
	{GivenName, []string{"名", "氏名名", "名漢字", "firstname", "givenname"}},
	{FullKana, []string{"フリガナ", "ふりがな", "氏名カナ", "氏名かな", "カナ", "応募者名カナ", "氏名フリガナ", "namekana"}},
	{FamilyKana, []string{"セイ", "せい", "姓カナ", "姓フリガナ", "lastnamekana"}},
	{GivenKana, []string{"メイ", "めい", "名カナ", "名フリガナ", "firstnamekana"}},
	{Email, []string{"メールアドレス", "eメール", "eメールアドレス", "メール", "emailアドレス", "email", "mail", "e-mail", "pcメールアドレス", "メールアドレス1", "連絡先メールアドレス"}},
	{EmailSecondary, []string{"携帯メールアドレス", "モバイルメールアドレス", "メールアドレス2", "サブメールアドレス"}},
	{JobID, []string{"求人id", "職種id", "募集id", "案件id", "求人番号", "案件番号", "jobid"}},
	{JobTitle, []string{"求人名", "求人", "職種", "応募職種", "応募求人", "募集職種", "応募案件", "案件名", "募集タイトル", "ポジション", "応募ポジション", "選考ポジション名", "jobtitle"}},
	{Stage, []string{"選考ステップ", "選考段階", "選考フェーズ", "フェーズ", "最終選考ステータス", "現在の選考ステップ"}},
	{Withdrawn, []string{"辞退", "辞退日"}},
	{Rejected, []string{"不合格"}},
	{Outcome, []string{
		"終了理由", "選考終了理由", "不採用理由区分", "選考結果", "結果", "判定結果", "判定", "合否", "選考ステータス", "ステータス", "outcome", "status",
	}},
	{Hired, []string{"入社日", "内定日"}},
	{EndedAt, []string{"選考終了日", "選考終了日時", "終了日", "終了日時", "不採用日", "不合格日", "判定結果入力日", "選考結果登録日時", "お見送り日", "見送り日"}},
	{UpdatedAt, []string{"更新日", "更新日時", "最終更新日", "最終更新日時"}},
	{AppliedAt, []string{"応募日", "応募日時", "応募時刻", "エントリー日", "エントリー日時", "受付日", "受付日時"}},
	{Channel, []string{"応募経路", "応募経路種別", "経路", "媒体", "媒体名", "流入経路", "応募媒体", "チャネル"}},
	{ChannelDetail, []string{"応募経路詳細", "媒体詳細"}},
	{AgentCompany, []string{"エージェント", "紹介会社", "人材紹介会社", "紹介会社名"}},
	{Tags, []string{"タグ", "ラベル", "応募ラベル", "フラグ"}},
	{Consent, []string{"紹介同意", "リレー紹介同意", "他社紹介同意", "第三者提供同意", "紹介への同意", "キャリアリレー同意", "referralconsent"}},
	{DoNotContact, []string{"連絡不要", "連絡禁止", "メール送信不可", "メール配信停止", "配信停止", "donotcontact"}},
	{AlreadySent, []string{"通知済み", "通知済"}},
}

// Names lists the columns that mean something.
func Names() []string {
	names := make([]string, len(common))
	for i, c := range common {
		names[i] = c.name
	}
	return names
}

// normalise makes headers comparable: without width, case, blanks, brackets and
// marks.
func normalise(header string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("()[]・:*※\"'\ufeff", r) {
			return -1
		}
		return r
	}, strings.ToLower(norm.NFKC.String(header)))
}

// A layout says where the columns of a file are.
type layout struct {
	headers []string // as they stand in the file
	places  map[string][]int
	score   int
}

// layout reads a row as a header.
func (p Preset) layout(cells []string) layout {
	l := layout{headers: make([]string, len(cells)), places: map[string][]int{}}
	at := map[string][]int{}
	for i, c := range cells {
		l.headers[i] = strings.Join(strings.Fields(c), " ")
		if n := normalise(c); n != "" {
			at[n] = append(at[n], i)
		}
	}
	taken := map[string]bool{} // what the preset gives one column, no other gets
	for _, names := range p.Columns {
		for _, h := range names {
			taken[normalise(h)] = true
		}
	}
	for _, c := range common {
		headers, own := p.Columns[c.name]
		if !own {
			headers = c.headers
		}
		for _, h := range headers {
			n := normalise(h)
			if !own && taken[n] {
				continue
			}
			l.places[c.name] = append(l.places[c.name], at[n]...)
		}
		l.score += len(l.places[c.name])
	}
	return l
}

func (l layout) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return len(l.places[n]) > 0 })
}

// lacks names what a header cannot do without: whose application it is, where
// to write to, and how it ended.
func (l layout) lacks() []string {
	var out []string
	if !l.has(ApplicationID, FullName, FamilyName) {
		out = append(out, ApplicationID+" or "+FullName)
	}
	if !l.has(Email) {
		out = append(out, Email)
	}
	if !l.has(Outcome, Rejected, Withdrawn) {
		out = append(out, Outcome)
	}
	return out
}
