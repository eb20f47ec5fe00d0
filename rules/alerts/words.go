package alerts

import (
	"strconv"
	"strings"
	"time"
)

// A saying is an alert in one language.
type saying struct{ name, what, todo string }

// sayings say every kind in Japanese and English. {company}, {subject}, {n},
// {since} and {ends} stand for what the alert is about.
var sayings = map[Kind][2]saying{
	VolumeBrake: {
		{"件数のブレーキ", "いつもより多いお見送りが届いたため、メールを止めています。", "止めたメールを確かめ、正しければ送信予定に戻し、誤りなら取り消してください。"},
		{"Volume brake", "More rejections than usual came in; their mails are held.", "Look at the held mails. Release them if they are right, cancel them if they are not."},
	},
	BounceBrake: {
		{"宛先不明のブレーキ", "宛先のないメールが多いため、この会社のメールをすべて止めています。", "宛先の出どころを確かめてから、理由を添えてブレーキを解除してください。"},
		{"Bounce brake", "Too many mails bounce; all mails of the company are held.", "Find out where the addresses come from, then release the brake with a reason."},
	},
	ComplaintBrake: {
		{"迷惑メール報告のブレーキ", "迷惑メールとして報告されたため、この会社のメールをすべて止めています。", "文面と宛先を確かめてから、理由を添えてブレーキを解除してください。"},
		{"Complaint brake", "Recipients call the mails junk; all mails of the company are held.", "Look at the letters and at who got them, then release the brake with a reason."},
	},
	CredentialsBrake: {
		{"送信サービスの拒否", "送信サービスが認証か差出人を拒否しています。メールは失われず、待っています。", "鍵と差出人の確認状態を直してください。直ると、ひとりでに再開します。"},
		{"Transport refuses", "The mail provider refuses the key or the sender. No mail is lost; they wait.", "Repair the key or the verification of the sender. Sending resumes by itself."},
	},
	PollBrake: {
		{"取得できない接続", "ATSから情報を取得できません。メールは止まりません。", "会社の設定の鍵を直してください。その間のできごとは、あとから取得します。"},
		{"Not polled", "A vendor cannot be asked for news. Mails are not stopped by it.", "Repair the key in the company's file. What happened meanwhile is found later."},
	},
	Silence: {
		{"静かな接続", "接続 {subject} から、{since} を最後に何も届いていません。", "ATSのWebhookの設定と鍵を確かめてください。お見送りがなかっただけなら、何もしなくてかまいません。"},
		{"Silent connection", "Nothing has come from the connection {subject} since {since}.", "Check the webhook and its secret at the ATS. If there simply were no decisions, nothing is wrong."},
	},
	PollSilence: {
		{"取得が進まない接続", "接続 {subject} への問い合わせに、{since} から答えがありません。", "処理するプロセスが動いているかと、ATSの障害情報を確かめてください。"},
		{"Polls get no answer", "The connection {subject} has not answered a poll since {since}.", "See whether a working process runs, and whether the vendor has an outage."},
	},
	QueueOld: {
		{"順番待ちの遅れ", "処理の順番待ちが {since} から続いています。失われたものはありません。", "処理するプロセスとRedisを確かめてください。"},
		{"Work waits too long", "Work that is due has waited since {since}. Nothing is lost.", "Check the working processes and Redis."},
	},
	JobsDead: {
		{"止まった処理", "{n}件の処理が止まりました。消すまで残ります。", "原因を直してから、再実行してください。"},
		{"Stopped jobs", "Jobs stopped for good: {n}. They are kept until somebody acts.", "Repair the cause, then run them again."},
	},
	Parked: {
		{"読めなかった受信", "{n}件の受信を読めませんでした。保管してあります。", "接続の規則を直してから、読み直してください。"},
		{"Not understood", "Deliveries that no rule understands: {n}. They are kept.", "Repair the mapping of the connection, then replay them."},
	},
	Unclear: {
		{"結果が不明なメール", "{n}通のメールが届いたかどうか分かりません。二重には送りません。", "送信サービスの記録を調べ、送れていたかどうかを決めてください。"},
		{"Unclear mails", "Mails that perhaps left: {n}. None is sent twice.", "Look them up in the provider's activity and decide whether they left."},
	},
	FileBroken: {
		{"設定ファイルの誤り", "設定ファイルに{n}か所の誤りがあり、新しい内容は使われていません。", "誤りの場所は careerrelay config check と画面で分かります。直すとすぐに読み直します。"},
		{"File with mistakes", "Mistakes in the configuration file: {n}. Its newest content is not in force.", "careerrelay config check and the console say where. A corrected file is read at once."},
	},
	Certificate: {
		{"証明書の期限", "{subject} のTLS証明書の期限は {ends} です。過ぎると、受信もリンクも使えません。", "証明書を更新してください。"},
		{"Certificate ends", "The TLS certificate of {subject} ends on {ends}. After it nothing is received and no link works.", "Renew the certificate."},
	},
	Licence: {
		{"許可の期限", "受取先 {subject} の許可の期限は {ends} です。過ぎると、引き渡しを行いません。", "更新された許可の期限を relay.yaml に入れてください。"},
		{"Licence ends", "The licence of the recipient {subject} ends on {ends}. After it nothing is handed over.", "Put the renewed licence's last day into relay.yaml."},
	},
}

// states say what a word of an alert means.
var states = map[Word][2]string{Opened: {"要対応", "Alert"}, Reminded: {"継続中", "Still open"}, Resolved: {"解決", "Resolved"}}

func in(locale string) int {
	if locale == "en" {
		return 1
	}
	return 0
}

// Name names a kind; "" when there is no such kind.
func Name(k Kind, locale string) string { return sayings[k][in(locale)].name }

// Advice says what to do about an alert of a kind.
func Advice(k Kind, locale string) string { return sayings[k][in(locale)].todo }

// Text says what an alert is about, with times in zone.
func (a Alert) Text(locale string, zone *time.Location) string {
	clock := func(t time.Time, layout string) string { return t.In(zone).Format(layout) }
	return strings.NewReplacer(
		"{subject}", a.Subject, "{n}", strconv.Itoa(a.Count),
		"{since}", clock(a.Since, "2006-01-02 15:04"), "{ends}", clock(a.EndsAt, "2006-01-02"),
	).Replace(sayings[a.Kind][in(locale)].what)
}

// Headline is the first line of what is sent about an alert. about is the
// company's name, or the service's.
func (a Alert) Headline(w Word, locale, about string) string {
	if in(locale) == 1 {
		return "[" + states[w][1] + "] " + about + ": " + Name(a.Kind, locale)
	}
	return "【" + states[w][0] + "】" + about + "：" + Name(a.Kind, locale)
}
