package mapping

import (
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// An Outcome is what a free-text label means.
type Outcome string

// The outcomes. Only OutcomeRejected leads to a mail; an ambiguous or unknown
// label waits until the company has said what it means.
const (
	OutcomeRejected  Outcome = "rejected"
	OutcomeWithdrawn Outcome = "withdrawn"
	OutcomeHired     Outcome = "hired"
	OutcomeClosed    Outcome = "position_closed"
	OutcomeOngoing   Outcome = "ongoing"
	OutcomeIgnored   Outcome = "ignored"
	OutcomeAmbiguous Outcome = "ambiguous"
	OutcomeUnknown   Outcome = "unknown"
)

// outcomes are tried from top to bottom; the order decides, because 不採用
// contains 採用 and 採用見送り contains both.
var outcomes = []struct {
	outcome Outcome
	label   *regexp.Regexp
}{
	{OutcomeAmbiguous, regexp.MustCompile(`(辞退.*(不採用|不合格|見送))|((不採用|不合格|見送).*辞退)`)},
	{OutcomeIgnored, regexp.MustCompile(`重複|ダブり|ダブリ|二重応募|テスト|動作確認|誤登録|対象外|非選考`)},
	{OutcomeIgnored, regexp.MustCompile(`連絡(が)?(取れ|とれ|つか)|連絡(不通|不可|なし)|音信不通|無断|不参加|欠席|来な(い|かった)|来社なし|ノーショー|no-?show`)},
	{OutcomeOngoing, regexp.MustCompile(`取消|取り消し|撤回|タレントプール|プール`)},
	{OutcomeWithdrawn, regexp.MustCompile(`辞退|応募(を)?見送|他社(で|に|へ)?(の)?(決定|内定|入社|採用)|他採用済|他決|取り?下げ|withdr|refusedbycandidate|declinedbycandidate`)},
	{OutcomeOngoing, regexp.MustCompile(`保留|補欠|ペンディング|キープ|予定|待ち|連絡前|候補$|仮判定|検討中|(他|別)(の)?(ポジション|職種|求人|部署).*(打診|転送|移行|選考|案内)`)},
	{OutcomeClosed, regexp.MustCompile(`(求人|募集|ポジション)(が|の)?(クローズ|終了|停止|充足|中止)|充足|企業都合|会社都合|採用中止`)},
	{OutcomeRejected, regexp.MustCompile(`不採用|不合格|見送|落選|不通過|お祈り|選外|否決|書類落ち|面接落ち|^ng$|^ng[^a-z]|書類ng|面接ng|^不可$|^否$|^×$|^x$|reject|unqualified|^fail(ed)?$`)},
	{OutcomeOngoing, regexp.MustCompile(`確認中|選考中|対応中|調整中|面接|書類|応募|新規|未着手|未対応|通過|^合格|適性検査|オファー面談|合否`)},
	{OutcomeHired, regexp.MustCompile(`内定|入社|採用|承諾|hired|offeraccepted`)},
}

// OutcomeOf reads a label that people typed. A blank one has not ended.
func OutcomeOf(label string) Outcome {
	s := strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(label)), ""))
	if s == "" {
		return OutcomeOngoing
	}
	for _, o := range outcomes {
		if o.label.MatchString(s) {
			return o.outcome
		}
	}
	return OutcomeUnknown
}

// OutcomeOfAll reads several labels of one application, the most telling first,
// each by read, such as OutcomeOf. The first that says anything counts, and at
// is its number, or -1 when all are blank. Labels that reject and say something
// else too are ambiguous.
func OutcomeOfAll(labels []string, read func(label string) Outcome) (outcome Outcome, at int) {
	outcome, at = OutcomeOngoing, -1
	said := map[Outcome]int{}
	for i, label := range labels {
		if strings.TrimSpace(label) == "" {
			continue
		}
		o := read(label)
		if _, before := said[o]; !before {
			said[o] = i
		}
		if at < 0 || outcome == OutcomeUnknown {
			outcome, at = o, i
		}
	}
	if _, rejected := said[OutcomeRejected]; !rejected {
		return outcome, at
	}
	for _, o := range []Outcome{OutcomeWithdrawn, OutcomeHired, OutcomeAmbiguous, OutcomeOngoing} {
		if i, ok := said[o]; ok && (outcome == o || outcome == OutcomeRejected && o != OutcomeOngoing) {
			return OutcomeAmbiguous, i
		}
	}
	return outcome, at
}
