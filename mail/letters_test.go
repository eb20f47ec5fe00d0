package mail_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/mail"
)

var tokyo = time.FixedZone("JST", 9*60*60)

func settings() mail.Settings {
	return mail.Settings{
		Transport: "sendgrid", APIKey: "SG.invented",
		From:    mail.Address{Address: "saiyo@acme.example.jp", Name: "アクメ 採用チーム"},
		ReplyTo: "reply@acme.example.jp",
		Sender:  mail.Sender{Name: "株式会社アクメ", Address: "〒000-0000 東京都見本区例町4-5-6", Contact: "saiyo@acme.example.jp"},
	}
}

func letter(locale string) mail.Letter {
	l := mail.Letter{
		CompanyID: "acme", CompanyName: "株式会社アクメ", Event: atstest.Rejection(), Locale: locale, Zone: tokyo, SendID: "SEND0001",
		RelayURL:       "https://relay.example.jp/r/RRRRRRRRRRRRRRRRRRRRRRRRRR",
		RelayUntil:     time.Date(2026, 12, 18, 15, 0, 0, 0, time.UTC), // midnight in Tokyo: the 18th is the last day
		UnsubscribeURL: "https://relay.example.jp/u/UUUUUUUUUUUUUUUUUUUUUUUUUU",
		OneClickURL:    "https://relay.example.jp/u/UUUUUUUUUUUUUUUUUUUUUUUUUU",
	}
	if locale == "en" {
		l.CompanyName, l.Event.Job.Title = "Acme Inc.", "Data Analyst"
		l.Event.Candidate.Name, l.Event.Candidate.FamilyName, l.Event.Candidate.GivenName = "Nguyễn Thị Hồng", "Nguyễn", "Hồng"
	}
	return l
}

func reply(locale string) mail.Letter {
	l := letter(locale)
	l.Event = ats.Event{}
	l.RelayURL, l.UnsubscribeURL, l.OneClickURL = "", "", ""
	l.To = mail.Address{Address: "misaki.sato@example.jp", Name: "佐藤 美咲"}
	l.ConfirmURL = "https://relay.example.jp/c/CCCCCCCCCCCCCCCCCCCCCCCCCC"
	l.ConfirmUntil = time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	l.MyURL = "https://relay.example.jp/my/MMMMMMMMMMMMMMMMMMMMMMMMMM"
	l.Agreed = []string{
		"登録した情報（氏名・連絡先・希望条件・職歴）を、求人の紹介を受けるため、人材紹介会社 株式会社リンクス人材（許可番号 13-ユ-000000）に提供することに同意します。",
		"株式会社アクメから募集情報のメールを受け取ることを希望します。",
	}
	l.Recipients = []string{"株式会社リンクス人材（有料職業紹介事業 許可番号 13-ユ-000000）"}
	if locale == "en" {
		l.To.Name = "Nguyễn Thị Hồng"
		l.Agreed = []string{
			"I agree that what I registered (name, contact, wishes, career) is provided to the agency Links Jinzai K.K. (licence 13-ユ-000000) so that it can introduce openings to me.",
			"I would like to receive mails about openings from Acme Inc.",
		}
		l.Recipients = []string{"Links Jinzai K.K. (fee-charging employment placement, licence 13-ユ-000000)"}
	}
	return l
}

func load(tb testing.TB, files map[string]string) *mail.Templates {
	tb.Helper()
	own := fstest.MapFS{}
	for name, content := range files {
		own[name] = &fstest.MapFile{Data: []byte(content)}
	}
	ts, err := mail.Load(own)
	if err != nil {
		tb.Fatal(err)
	}
	return ts
}

// thanks writes the letter and insists on it.
func thanks(tb testing.TB, ts *mail.Templates, s mail.Settings, l mail.Letter) mail.Message {
	tb.Helper()
	m, err := ts.Thanks(s, l)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// all returns every shipped letter in every variant, by the name of its golden
// files.
func all(t *testing.T) map[string]mail.Message {
	t.Helper()
	ts, err := mail.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]mail.Message{}
	for _, locale := range []string{"ja", "en"} {
		line := map[string]string{
			"ja": "決済基盤を作り直されたときのお話は、面接官一同とても心に残りました。",
			"en": "The way you explained your forecasting project to people outside your field stayed with all of us.",
		}[locale]
		variants := map[string]func(*mail.Letter){
			"plain":         func(*mail.Letter) {},
			"no_relay":      func(l *mail.Letter) { l.RelayURL = "" },
			"personal_line": func(l *mail.Letter) { l.PersonalLine = line },
			"bare":          func(l *mail.Letter) { l.RelayURL, l.Event.Job.Title, l.Event.Candidate.Name = "", "", "???" },
		}
		for _, stage := range []ats.StageKind{"", ats.Document, ats.Interview, ats.Final} {
			for variant, change := range variants {
				l := letter(locale)
				l.Event.StageKind = stage
				change(&l)
				m := thanks(t, ts, settings(), l)
				out[m.Template+"."+variant] = m
			}
		}
		for _, write := range []func(mail.Settings, mail.Letter) (mail.Message, error){ts.Confirm, ts.Receipt} {
			m, err := write(settings(), reply(locale))
			if err != nil {
				t.Fatal(err)
			}
			out[m.Template] = m
		}
	}
	return out
}

func TestShippedLetters(t *testing.T) {
	messages := all(t)
	if len(messages) != 2*(4*4+2) {
		t.Errorf("got %d messages", len(messages))
	}
	for name, m := range messages {
		t.Run(name, func(t *testing.T) {
			atstest.Golden(t, "testdata/"+name+".txt", envelope(m)+"\n"+m.Text)
			atstest.Golden(t, "testdata/"+name+".html", m.HTML)
			if err := mail.Check(m); err != nil {
				t.Errorf("preflight: %v", err)
			}
		})
	}
}

// envelope is what stands around the two parts, without the version, which
// changes with every letter.
func envelope(m mail.Message) string {
	lines := []string{
		fmt.Sprintf("From: %s <%s>", m.From.Name, string(m.From.Address)),
		"Reply-To: " + string(m.ReplyTo.Address),
		fmt.Sprintf("To: %s <%s>", m.To.Name, string(m.To.Address)),
		"Subject: " + m.Subject,
	}
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		lines = append(lines, name+": "+m.Header[name])
	}
	return strings.Join(append(lines, "Purpose: "+string(m.Purpose), "Template: "+m.Template, ""), "\n")
}

func TestShippedWordsAreKind(t *testing.T) {
	never := []string{
		"残念", "不採用", "不合格", "落選", "チャンス", "今すぐ", "ご縁がな", "お祈り", "時下", "必ず", "御中",
		"nfortunately", "regret", "reject", "unsuccessful", "act now", "guarantee",
	}
	for name, m := range all(t) {
		for _, w := range never {
			if strings.Contains(m.Subject+m.Text+m.HTML, w) {
				t.Errorf("%s says %q", name, w)
			}
		}
		if !strings.HasPrefix(m.Template, "thank_you") {
			continue
		}
		text := strings.Join(strings.Fields(m.Text), " ")
		result := strings.Index(text, "見送")
		if m.Locale == "en" {
			result = strings.Index(text, "decided not to")
		}
		if offer := strings.Index(text, "/r/"); result < 0 || offer >= 0 && offer < result {
			t.Errorf("%s: the result must be said, and before the offer", name)
		}
		if offer := strings.Contains(m.Subject, "キャリアリレー") || strings.Contains(m.Subject, "Career Relay"); offer {
			t.Errorf("%s: the subject advertises", name)
		}
	}
}

func TestHTMLIsPlainAndSmall(t *testing.T) {
	for name, m := range all(t) {
		if len(m.HTML) > 12<<10 {
			t.Errorf("%s: %d bytes", name, len(m.HTML))
		}
		for _, w := range []string{"<img", "<script", "url(", "http://", "@import", "@font-face"} {
			if strings.Contains(m.HTML, w) {
				t.Errorf("%s holds %s", name, w)
			}
		}
		for _, w := range []string{`<html lang="` + m.Locale + `">`, "max-width:600px", `role="presentation"`, "prefers-color-scheme: dark"} {
			if !strings.Contains(m.HTML, w) {
				t.Errorf("%s lacks %s", name, w)
			}
		}
		for line := range strings.SplitSeq(m.Text, "\n") {
			if len(line) > 300 {
				t.Errorf("%s: a line of %d bytes", name, len(line))
			}
		}
	}
}

func TestStages(t *testing.T) {
	ts := load(t, nil)
	tests := map[string]struct {
		stage ats.StageKind
		want  string
	}{
		"the vendor's words did not tell": {"", "thank_you.ja"},
		"a document screening":            {ats.Document, "thank_you-document.ja"},
		"an interview":                    {ats.Interview, "thank_you-interview.ja"},
		"the last interview":              {ats.Final, "thank_you-final.ja"},
		"a stage of a later version":      {"trial", "thank_you.ja"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := letter("ja")
			l.Event.StageKind = tt.stage
			if got := thanks(t, ts, settings(), l).Template; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	ts := load(t, nil)
	tests := map[string]struct {
		candidate ats.Candidate
		ja, en    string
	}{
		"outside the basic plane":    {ats.Candidate{Name: "\U00020BB7野 太郎"}, "\U00020BB7野 太郎 様", "Dear \U00020BB7野 太郎,"},
		"ladder-type high":           {ats.Candidate{Name: "\u9ad9橋 一"}, "\u9ad9橋 一 様", "Dear \u9ad9橋 一,"},
		"compatibility block":        {ats.Candidate{Name: "宮\ufa11 駿"}, "宮\ufa11 駿 様", "Dear 宮\ufa11 駿,"},
		"changed by normalisation":   {ats.Candidate{Name: "\ufa46 \ufa19\uf9dc\ufa4f"}, "\ufa46 \ufa19\uf9dc\ufa4f 様", "Dear \ufa46 \ufa19\uf9dc\ufa4f,"},
		"astral surnames":            {ats.Candidate{Name: "\U0002123D野 \U0002363A"}, "\U0002123D野 \U0002363A 様", "Dear \U0002123D野 \U0002363A,"},
		"variation selector":         {ats.Candidate{Name: "葛\U000E0100城 明"}, "葛\U000E0100城 明 様", "Dear 葛\U000E0100城 明,"},
		"half-width kana":            {ats.Candidate{Name: "ﾔﾏﾀﾞ ﾀﾛｳ"}, "ﾔﾏﾀﾞ ﾀﾛｳ 様", "Dear ﾔﾏﾀﾞ ﾀﾛｳ,"},
		"decomposed kana":            {ats.Candidate{Name: "か\u3099とう 花"}, "か\u3099とう 花 様", "Dear か\u3099とう 花,"},
		"one character each":         {ats.Candidate{Name: "林 一"}, "林 一 様", "Dear 林 一,"},
		"ideographic space":          {ats.Candidate{Name: "佐藤　美咲"}, "佐藤 美咲 様", "Dear 佐藤 美咲,"},
		"no-break space":             {ats.Candidate{Name: "佐藤\u00a0美咲"}, "佐藤 美咲 様", "Dear 佐藤 美咲,"},
		"Vietnamese marks, combined": {ats.Candidate{Name: "Nguye\u0302\u0303n Thi\u0323 Ho\u0302\u0300ng"}, "Nguye\u0302\u0303n Thi\u0323 Ho\u0302\u0300ng 様", "Dear Nguye\u0302\u0303n Thi\u0323 Ho\u0302\u0300ng,"},
		"apostrophe and hyphen":      {ats.Candidate{Name: "Mary-Jane O'Connor"}, "Mary-Jane O'Connor 様", "Dear Mary-Jane O'Connor,"},
		"mononym":                    {ats.Candidate{Name: "Björk"}, "Björk 様", "Dear Björk,"},
		"long name":                  {ats.Candidate{Name: "Maria del Carmen Fernández-Villaverde y Ortiz de Zárate"}, "Maria del Carmen Fernández-Villaverde y Ortiz de Zárate 様", "Dear Maria del Carmen Fernández-Villaverde y Ortiz de Zárate,"},
		"right to left":              {ats.Candidate{Name: "محمد علي"}, "محمد علي 様", "Dear محمد علي,"},
		"honorific in the source":    {ats.Candidate{Name: "山田太郎様"}, "山田太郎 様", "Dear 山田太郎,"},
		"honorific with a space":     {ats.Candidate{Name: "John Smith 様"}, "John Smith 様", "Dear John Smith,"},
		"two honorifics":             {ats.Candidate{Name: "山田 太郎さん様"}, "山田 太郎 様", "Dear 山田 太郎,"},
		"family name only":           {ats.Candidate{FamilyName: "山田"}, "山田 様", "Dear 山田,"},
		"order reversed":             {ats.Candidate{Name: "Taro YAMADA"}, "Taro YAMADA 様", "Dear Taro YAMADA,"},
		"remark beside the name":     {ats.Candidate{Name: "山田 太郎（旧姓 鈴木）"}, "山田 太郎 様", "Dear 山田 太郎,"},
		"line break":                 {ats.Candidate{Name: "山田\r\n太郎"}, "山田 太郎 様", "Dear 山田 太郎,"},
		"no name":                    {ats.Candidate{}, "ご応募者様", "Dear applicant,"},
		"only an honorific":          {ats.Candidate{Name: "様"}, "ご応募者様", "Dear applicant,"},
		"only space":                 {ats.Candidate{Name: " 　 "}, "ご応募者様", "Dear applicant,"},
		"damaged":                    {ats.Candidate{Name: "?? 太郎"}, "ご応募者様", "Dear applicant,"},
		"template in the name":       {ats.Candidate{Name: "{{.}} {{氏名}}"}, "ご応募者様", "Dear applicant,"},
		"script in the name":         {ats.Candidate{Name: "<script>alert(1)</script>"}, "ご応募者様", "Dear applicant,"},
		"formula":                    {ats.Candidate{Name: "=1+1"}, "ご応募者様", "Dear applicant,"},
		"anonymised":                 {ats.Candidate{Name: "佐藤 美咲", Anonymized: true}, "ご応募者様", "Dear applicant,"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for locale, want := range map[string]string{"ja": tt.ja, "en": tt.en} {
				l := letter(locale)
				l.Event.Candidate = tt.candidate
				l.Event.Candidate.Email = "misaki.sato@example.jp"
				m := thanks(t, ts, settings(), l)
				if got, _, _ := strings.Cut(m.Text, "\n"); got != want {
					t.Errorf("text greets %q, want %q", got, want)
				}
				if !strings.Contains(words(m.HTML), want) {
					t.Errorf("html does not greet %q", want)
				}
				if err := mail.Check(m); err != nil {
					t.Errorf("preflight: %v", err)
				}
				if strings.ContainsAny(m.Subject+m.To.Name, "\r\n") {
					t.Error("a line end in a header")
				}
			}
		})
	}
}

func TestFamilyName(t *testing.T) {
	tests := map[string]struct {
		candidate ats.Candidate
		want      string
	}{
		"full name with a space":     {ats.Candidate{Name: "佐藤 美咲", FamilyName: "佐藤", GivenName: "美咲"}, "佐藤様の"},
		"full name without":          {ats.Candidate{Name: "佐藤美咲", FamilyName: "佐藤", GivenName: "美咲"}, "佐藤様の"},
		"fields swapped":             {ats.Candidate{Name: "佐藤 美咲", FamilyName: "美咲", GivenName: "佐藤"}, ""},
		"beginning of another name":  {ats.Candidate{Name: "林田一郎", FamilyName: "林", GivenName: "一郎"}, ""},
		"cut in front of a selector": {ats.Candidate{Name: "葛\U000E0100 一郎", FamilyName: "葛", GivenName: "一郎"}, ""},
		"Latin name":                 {ats.Candidate{Name: "John Smith", FamilyName: "John", GivenName: "Smith"}, ""},
		"no field":                   {ats.Candidate{Name: "佐藤 美咲"}, ""},
	}
	ts := load(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := letter("ja")
			l.Event.Candidate = tt.candidate
			m := thanks(t, ts, settings(), l)
			if want := "\n" + tt.want + "これからの歩みを"; !strings.Contains(m.Text, want) {
				t.Errorf("no %q in\n%s", want, m.Text)
			}
		})
	}
}

// Nothing but what the variables stand for reaches a mail: every other word of
// the event carries a marker, and no mail carries the marker.
func TestOnlyVariablesReachAMail(t *testing.T) {
	const marker = "TAINT"
	l := letter("ja")
	taint(reflect.ValueOf(&l.Event).Elem(), marker)
	l.Event.Also = []string{marker}
	l.Event.Candidate.Name, l.Event.Candidate.FamilyName, l.Event.Candidate.GivenName = "佐藤 美咲", "佐藤", "美咲"
	l.Event.Candidate.Email, l.Event.Job.Title = "misaki.sato@example.jp", "経理"
	if l.Event.Reason != marker || l.Event.Evidence != marker || l.Event.Candidate.Kana != marker {
		t.Fatal("the marker is not where it should be")
	}
	ts := load(t, nil)
	for _, stage := range []ats.StageKind{ats.Document, ats.Interview, ats.Final, "other"} {
		l.Event.StageKind = stage
		m := thanks(t, ts, settings(), l)
		if strings.Contains(fmt.Sprintf("%#v", m), marker) {
			t.Errorf("%s carries what no variable stands for", m.Template)
		}
	}
}

// taint sets every string in v.
func taint(v reflect.Value, marker string) {
	for _, f := range v.Fields() {
		if f.Kind() == reflect.String {
			f.SetString(marker)
		}
		if f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]() {
			taint(f, marker)
		}
	}
}

func TestValuesStayValues(t *testing.T) {
	tests := map[string]struct {
		change func(*mail.Settings, *mail.Letter)
		text   string // stands in the text part
		html   string // stands in the HTML part
	}{
		"HTML in a job's title": {
			func(_ *mail.Settings, l *mail.Letter) { l.Event.Job.Title = `R&D <b>"lead"</b>` },
			`「R&D <b>"lead"</b>」`, `「R&amp;D &lt;b&gt;&#34;lead&#34;&lt;/b&gt;」`,
		},
		"the mini language in a job's title": {
			func(_ *mail.Settings, l *mail.Letter) { l.Event.Job.Title = "=== [x](y) /if" },
			"「=== [x](y) /if」", "「=== [x](y) /if」",
		},
		"line ends in a job's title": {
			func(_ *mail.Settings, l *mail.Letter) { l.Event.Job.Title = "営業\r\n\r\n===\u2028法人" },
			"「営業    === 法人」", "「営業    === 法人」",
		},
		"a direction override": {
			func(_ *mail.Settings, l *mail.Letter) { l.Event.Job.Title = "経理\u202eXX\u2066" },
			"「経理XX」", "「経理XX」",
		},
		"a title that is none": {
			func(_ *mail.Settings, l *mail.Letter) { l.Event.Job.Title = strings.Repeat("職", 121) },
			"先日は、当社の面接に", "先日は、当社の面接に",
		},
		"the company's own word on documents": {
			func(s *mail.Settings, _ *mail.Letter) {
				s.Documents.JA = "お送りいただいた書類は、6か月後に消去いたします。"
			},
			"お送りいただいた書類は、6か月後に消去いたします。", "お送りいただいた書類は、6か月後に消去いたします。",
		},
		"a personal line with a reason is left out": {
			func(_ *mail.Settings, l *mail.Letter) { l.PersonalLine = "経験が不足していました。" },
			"申し訳ございません。\n\nお預かりした", "お預かりした",
		},
		"a personal line with a link is left out": {
			func(_ *mail.Settings, l *mail.Letter) {
				l.PersonalLine = "https://evil.example をご覧ください。"
			},
			"申し訳ございません。\n\nお預かりした", "お預かりした",
		},
		"a page as contact": {
			func(s *mail.Settings, _ *mail.Letter) { s.Sender.Contact = "https://acme.example.jp/contact?a=1&b=2" },
			"お問い合わせ：https://acme.example.jp/contact?a=1&b=2\n", `href="https://acme.example.jp/contact?a=1&amp;b=2"`,
		},
	}
	ts := load(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, l := settings(), letter("ja")
			tt.change(&s, &l)
			m := thanks(t, ts, s, l)
			if !strings.Contains(m.Text, tt.text) {
				t.Errorf("no %q in\n%s", tt.text, m.Text)
			}
			if !strings.Contains(m.HTML, tt.html) {
				t.Errorf("no %q in\n%s", tt.html, m.HTML)
			}
			if strings.Contains(m.Text+m.HTML, "不足") || strings.Contains(m.Text+m.HTML, "evil") {
				t.Error("what was to be left out is there")
			}
			if err := mail.Check(m); err != nil {
				t.Errorf("preflight: %v", err)
			}
		})
	}
}

// A consent may name a page; the receipt then leads there in both parts.
func TestReceiptShowsLinksOfConsents(t *testing.T) {
	l := reply("ja")
	l.Agreed = []string{"取扱い（https://relay.example.jp/privacy?v=3&l=ja）に同意します。"}
	m, err := load(t, nil).Receipt(settings(), l)
	if err != nil {
		t.Fatal(err)
	}
	if err := mail.Check(m); err != nil {
		t.Error(err)
	}
	if want := `href="https://relay.example.jp/privacy?v=3&amp;l=ja"`; !strings.Contains(m.HTML, want) || !strings.Contains(words(m.HTML), l.Agreed[0]) {
		t.Errorf("no %s in\n%s", want, m.HTML)
	}
}

func TestEnglishNamesTheSenderReadably(t *testing.T) {
	ts := load(t, nil)
	m := thanks(t, ts, settings(), letter("en"))
	if got, want := m.From.Name, "Acme Inc. Recruiting"; got != want {
		t.Errorf("from %q, want %q", got, want)
	}
	s := settings()
	s.From.Name = "Ryo at Acme"
	m = thanks(t, ts, s, letter("en"))
	if m.From.Name != "Ryo at Acme" || !strings.Contains(m.Text, "\nRyo at Acme\nAcme Inc.\n") {
		t.Errorf("from %q, signed\n%s", m.From.Name, m.Text)
	}
	s.From.Name, s.ReplyTo = "", ""
	m = thanks(t, ts, s, letter("ja"))
	if m.From.Name != "株式会社アクメ 採用担当" || m.ReplyTo.Address != s.From.Address {
		t.Errorf("from %q, reply to %q", m.From.Name, string(m.ReplyTo.Address))
	}
}

func TestRepliesNeedTheirLinks(t *testing.T) {
	ts := load(t, nil)
	tests := map[string]func() error{
		"a confirmation without a link":      func() error { l := reply("ja"); l.ConfirmURL = ""; _, err := ts.Confirm(settings(), l); return err },
		"a receipt without the own page":     func() error { l := reply("ja"); l.MyURL = ""; _, err := ts.Receipt(settings(), l); return err },
		"a receipt of nothing":               func() error { l := reply("ja"); l.Agreed = nil; _, err := ts.Receipt(settings(), l); return err },
		"a language that is not there":       func() error { _, err := ts.Thanks(settings(), letter("fr")); return err },
		"a confirmation in no language":      func() error { l := reply(""); _, err := ts.Confirm(settings(), l); return err },
		"a path in the name of the language": func() error { _, err := ts.Thanks(settings(), letter("../ja")); return err },
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			if err := do(); ats.FaultOf(err) != ats.Invalid {
				t.Errorf("got %v, want an invalid error", err)
			}
		})
	}
}

const ownLetter = "---\nversion: acme-7\nsubject: 結果のご連絡\nwhy: ご応募への返信です。\n---\n{{宛名}}\n\n今回は見送らせていただきます。\n\n{{キャリアリレー案内}}\n"

func TestOwnLetterReplacesTheShippedOne(t *testing.T) {
	shipped, own := load(t, nil), load(t, map[string]string{"thank_you-interview.ja.txt": ownLetter, ".DS_Store": "x"})
	l := letter("ja")
	m := thanks(t, own, settings(), l)
	if m.Subject != "結果のご連絡" || !strings.HasPrefix(m.Version, "acme-7.") || m.Template != "thank_you-interview.ja" {
		t.Errorf("got %s, %s, %s", m.Subject, m.Template, m.Version)
	}
	for _, want := range []string{"佐藤 美咲 様", l.RelayURL, l.UnsubscribeURL, "株式会社アクメ", "-- \nご応募への返信です。\n"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("no %q in\n%s", want, m.Text)
		}
	}
	l.Event.StageKind = ats.Final
	if diff := cmp.Diff(thanks(t, shipped, settings(), l), thanks(t, own, settings(), l)); diff != "" {
		t.Errorf("another letter changed:\n%s", diff)
	}
}

func TestVersionFollowsTheContent(t *testing.T) {
	version := func(files map[string]string) string {
		return thanks(t, load(t, files), settings(), letter("ja")).Version
	}
	first := version(map[string]string{"thank_you-interview.ja.txt": ownLetter})
	if again := version(map[string]string{"thank_you-interview.ja.txt": ownLetter}); again != first {
		t.Errorf("got %s, then %s", first, again)
	}
	if other := version(map[string]string{"thank_you-interview.ja.txt": ownLetter + "\n以上\n"}); other == first {
		t.Error("another text has the same version")
	}
	footer := "---\nversion: 2\n---\n{{事業者名}} {{事業者住所}} {{連絡先}}\n[停止]({{配信停止URL}})\n"
	if other := version(map[string]string{"thank_you-interview.ja.txt": ownLetter, "footer.ja.txt": footer}); other == first {
		t.Error("another footer has the same version")
	}
}

// words returns the text that an HTML part shows.
func words(s string) string {
	var b strings.Builder
	for _, part := range strings.Split(s, "<")[1:] {
		_, text, _ := strings.Cut(part, ">")
		b.WriteString(text)
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#39;", "'", "&#34;", `"`, "&amp;", "&").Replace(b.String())
}
