package mail_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
)

func TestCheckRefuses(t *testing.T) {
	ts := load(t, nil)
	good := thanks(t, ts, settings(), letter("ja"))
	both := func(old, new string) func(*mail.Message) {
		return func(m *mail.Message) {
			m.Text, m.HTML = strings.ReplaceAll(m.Text, old, new), strings.ReplaceAll(m.HTML, old, new)
		}
	}
	header := func(name, value string) func(*mail.Message) {
		return func(m *mail.Message) {
			m.Header = maps.Clone(m.Header)
			m.Header[name] = value
		}
	}
	tests := map[string]struct {
		change func(*mail.Message)
		want   string
	}{
		"a circle placeholder":   {both("バックエンドエンジニア", "〇〇のご経験"), "〇〇 is left to be filled in"},
		"the other circle":       {both("バックエンドエンジニア", "○○"), "○○ is left to be filled in"},
		"the big circle":         {both("バックエンドエンジニア", "◯◯"), "◯◯ is left to be filled in"},
		"a triangle placeholder": {both("バックエンドエンジニア", "△△"), "text, line 4: △△ is left to be filled in"},
		"an unresolved variable": {both("バックエンドエンジニア", "{{求人名}}"), "{{ is left to be filled in"},
		"a placeholder in the subject": {
			func(m *mail.Message) { m.Subject = "〇〇様へ" }, "subject: 〇〇 is left to be filled in",
		},
		"a placeholder in the HTML only": {
			func(m *mail.Message) { m.HTML = strings.Replace(m.HTML, "バックエンド", "{{x}}", 1) }, "html: {{ is left to be filled in",
		},
		"a doubled honorific":       {both("佐藤 美咲 様", "佐藤 美咲様 様"), "text, line 1: a doubled honorific"},
		"honorifics of two kinds":   {both("佐藤 美咲 様", "株式会社例 御中 様"), "a doubled honorific"},
		"no name of the sender":     {func(m *mail.Message) { m.Sender.Name = "" }, "footer: no name of the sender"},
		"no postal address":         {both("東京都見本区例町4-5-6", ""), "footer: the postal address of the sender does not stand in both parts"},
		"no address in the text":    {func(m *mail.Message) { m.Text = strings.Replace(m.Text, "東京都", "", 1) }, "footer: the postal address"},
		"no address in the HTML":    {func(m *mail.Message) { m.HTML = strings.Replace(m.HTML, "東京都", "", 1) }, "footer: the postal address"},
		"no contact":                {func(m *mail.Message) { m.Sender.Contact = " " }, "footer: no contact of the sender"},
		"no way out":                {func(m *mail.Message) { m.Unsubscribe = "" }, "unsubscribe: missing"},
		"a way out nobody sees":     {func(m *mail.Message) { m.Unsubscribe += "x" }, "unsubscribe: the link does not stand in both parts"},
		"no one-click header":       {func(m *mail.Message) { m.Header = nil }, "header List-Unsubscribe: missing"},
		"half of one-click":         {header("List-Unsubscribe-Post", ""), "header List-Unsubscribe: missing, or without List-Unsubscribe-Post"},
		"another one-click":         {header("List-Unsubscribe-Post", "Yes"), "header List-Unsubscribe-Post: must be"},
		"one-click by mail":         {header("List-Unsubscribe", "<mailto:stop@acme.example.jp>"), "header List-Unsubscribe: must be one https address"},
		"one-click by http":         {header("List-Unsubscribe", "<http://relay.example.jp/u/x>"), "header List-Unsubscribe: must be one https address"},
		"one-click without braces":  {header("List-Unsubscribe", "https://relay.example.jp/u/x"), "header List-Unsubscribe: must be one https address"},
		"a link with http":          {both("https://relay.example.jp/r", "http://relay.example.jp/r"), "text: a link that is not https"},
		"http on a host like ours":  {both("https://relay.example.jp/r", "http://localhost.example.jp/r"), "html: a link that is not https"},
		"a link with a password":    {both("https://relay.example.jp/r", "https://a:b@relay.example.jp/r"), "a link that is not https"},
		"a link in the text only":   {func(m *mail.Message) { m.Text += "https://other.example.jp\n" }, "links: the text part has 3 and the html part 2"},
		"a link in the HTML only":   {func(m *mail.Message) { m.HTML += "<a href='https://other.example.jp'>x</a>" }, "links: the text part has 2 and the html part 3"},
		"another link in the HTML":  {func(m *mail.Message) { m.HTML = strings.Replace(m.HTML, "/r/RRR", "/r/SRR", 1) }, "and they differ"},
		"a script as link":          {func(m *mail.Message) { m.HTML += `<a href="javascript:x">x</a>` }, "html: a link that is not https"},
		"a name with a link":        {both("佐藤 美咲", "https://evil.example.jp"), "and they differ"},
		"a picture":                 {func(m *mail.Message) { m.HTML += `<IMG SRC="https://x.example.jp/p.gif">` }, "html: holds a picture"},
		"too much HTML":             {func(m *mail.Message) { m.HTML += strings.Repeat(" ", 100<<10) }, "html: larger than 100 KB"},
		"no text":                   {func(m *mail.Message) { m.Text = "\n" }, "text: empty"},
		"no HTML":                   {func(m *mail.Message) { m.HTML = "<p></p>" }, "html: empty"},
		"no subject":                {func(m *mail.Message) { m.Subject = " " }, "subject: empty"},
		"a subject like a book":     {func(m *mail.Message) { m.Subject = strings.Repeat("長", 201) }, "subject: longer than 200 characters"},
		"a line end in the subject": {func(m *mail.Message) { m.Subject = "x\r\nBcc: y" }, "subject: control character"},
		"no recipient":              {func(m *mail.Message) { m.To.Address = "" }, "to: no address"},
		"no address at all":         {func(m *mail.Message) { m.To.Address = "misaki" }, "to: not a mail address"},
		"two recipients":            {func(m *mail.Message) { m.To.Address = "a@example.jp,b@example.jp" }, "to: not a mail address"},
		"a full-width address":      {func(m *mail.Message) { m.To.Address = "taro＠example.jp" }, "to: not a mail address"},
		"a recipient with headers":  {func(m *mail.Message) { m.To.Address = "a@example.jp\r\nBcc: b@example.jp" }, "to: not a mail address"},
		"a name with headers":       {func(m *mail.Message) { m.To.Name = "佐藤\nBcc: b@example.jp" }, "to: control character in the name"},
		"no sender":                 {func(m *mail.Message) { m.From.Address = "" }, "from: no address"},
		"a sender with headers":     {func(m *mail.Message) { m.From.Name = "x\ry" }, "from: control character in the name"},
		"a bad place for replies":   {func(m *mail.Message) { m.ReplyTo.Address = "here" }, "reply_to: not a mail address"},
		"no send id":                {func(m *mail.Message) { m.SendID = "" }, "send id: missing"},
		"a header with a line end":  {header("X-Note", "a\r\nBcc: b@example.jp"), "header X-Note: empty, or not plain ASCII"},
		"a header in Japanese":      {header("X-Note", "結果"), "header X-Note: empty, or not plain ASCII"},
		"a header of the transport": {header("Bcc", "b@example.jp"), "header Bcc: belongs to the transport"},
		"a header that is none":     {header("X Note:", "b"), "header: not a name of a header"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := good
			tt.change(&m)
			err := mail.Check(m)
			if ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v\nwant %s", err, tt.want)
			}
			for _, personal := range []string{"misaki", "佐藤", "b@example", "RRRR", "UUUU", "evil", "バックエンド"} {
				if strings.Contains(err.Error(), personal) {
					t.Errorf("the error quotes %q: %v", personal, err)
				}
			}
		})
	}
}

func TestCheckAccepts(t *testing.T) {
	ts := load(t, nil)
	tests := map[string]func(*mail.Settings, *mail.Letter){
		"a plain mail": func(*mail.Settings, *mail.Letter) {},
		"http on this machine": func(_ *mail.Settings, l *mail.Letter) {
			l.RelayURL, l.UnsubscribeURL, l.OneClickURL = "http://localhost:8080/r/x", "http://127.0.0.1:8080/u/x", "http://[::1]:8080/u/x"
		},
		"an old carrier address": func(_ *mail.Settings, l *mail.Letter) { l.Event.Candidate.Email = "a..b@docomo.ne.jp" },
		"an address to look at":  func(_ *mail.Settings, l *mail.Letter) { l.Event.Candidate.Email = "no-reply@example.jp" },
		"one circle in a title":  func(_ *mail.Settings, l *mail.Letter) { l.Event.Job.Title = "○×ゲームの開発" },
		"nowhere to reply":       func(s *mail.Settings, _ *mail.Letter) { s.ReplyTo = "" },
		"an address that is folded": func(s *mail.Settings, _ *mail.Letter) {
			s.Sender.Address = strings.Repeat("東京都見本区例町4-5-6 ", 8)
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s, l := settings(), letter("ja")
			change(&s, &l)
			if err := mail.Check(thanks(t, ts, s, l)); err != nil {
				t.Error(err)
			}
		})
	}
	reply, err := ts.Confirm(settings(), reply("ja"))
	if err := errors.Join(err, mail.Check(reply)); err != nil {
		t.Errorf("a reply has no way out and needs none: %v", err)
	}
}

func TestCheckReportsEverythingAtOnce(t *testing.T) {
	err := mail.Check(mail.Message{})
	for _, want := range []string{"from: no address", "to: no address", "subject: empty", "send id", "List-Unsubscribe", "text: empty", "html: empty", "unsubscribe", "footer: no name"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func TestPersonalLine(t *testing.T) {
	tests := map[string]struct {
		line, want string // want "" accepts
	}{
		"nothing":                     {"", ""},
		"a memory":                    {"決済基盤を作り直されたときのお話は、面接官一同とても心に残りました。", ""},
		"a memory in English":         {"The way you explained your forecasting project stayed with all of us.", ""},
		"praise of a skill":           {"設計の考え方をわかりやすくお話しくださり、学ぶところが多くありました。", ""},
		"a word inside another":       {"Your packaging ideas and the way you managed the message board stayed with us.", ""},
		"120 characters":              {strings.Repeat("あ", 120), ""},
		"121 characters":              {strings.Repeat("あ", 121), "longer than 120 characters"},
		"two lines":                   {"お話は心に残りました。\nまた。", "one line"},
		"a line separator":            {"お話は心に残りました。\u2028また。", "one line"},
		"a lack":                      {"経験が不足していました。", `"不足"`},
		"a lack with spaces":          {"経験が不 足していました。", `"不足"`},
		"not enough":                  {"あと一歩足りない点がありました。", `"足りな"`},
		"age":                         {"年齢の点で", `"年齢"`},
		"sex":                         {"女性らしい視点が", `"女性"`},
		"a comparison":                {"ほかの候補者の方が", `"ほかの候補者"`},
		"a reason":                    {"見送りの理由は", "reasons"},
		"a word that is never used":   {"残念ながら", `"残念"`},
		"a lack in English":           {"You lacked the experience we need.", `"lacked"`},
		"age in English":              {"For your age, impressive.", `"age"`},
		"a comparison in English":     {"We had stronger candidates.", `"stronger candidates"`},
		"rejection in English":        {"We REJECTED you with a heavy heart.", `"REJECTED"`},
		"a placeholder":               {"〇〇のご経験は心に残りました。", "〇〇 is left to be filled in"},
		"a variable":                  {"{{氏名}}様のお話は", "is left to be filled in"},
		"a link":                      {"https://acme.example.jp をご覧ください。", "a link or an address"},
		"a link without its protocol": {"www.acme.example.jp をご覧ください。", "a link or an address"},
		"an address":                  {"saiyo@acme.example.jp までどうぞ。", "a link or an address"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := mail.CheckPersonalLine(tt.line)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	tests := map[string]struct {
		change func(*mail.Settings)
		want   []string // nil accepts
	}{
		"complete":                 {func(*mail.Settings) {}, nil},
		"the mailbox needs no key": {func(s *mail.Settings) { s.Transport, s.APIKey = "mailbox", "" }, nil},
		"nothing": {func(s *mail.Settings) { *s = mail.Settings{} }, []string{
			"from.address: required", "sender.name: required", "sender.address: required", "sender.contact: required",
		}},
		"SMTP":                      {func(s *mail.Settings) { s.Transport = "smtp" }, []string{"transport: smtp is not in this version"}},
		"a carrier pigeon":          {func(s *mail.Settings) { s.Transport = "pigeon" }, []string{`transport: "pigeon" is not one of mailbox, sendgrid`}},
		"SendGrid without a key":    {func(s *mail.Settings) { s.APIKey = "" }, []string{"api_key: required with transport sendgrid"}},
		"a sender without a domain": {func(s *mail.Settings) { s.From.Address = "saiyo" }, []string{"from.address: not a mail address"}},
		"two addresses for replies": {func(s *mail.Settings) { s.ReplyTo = "a@acme.example.jp, b@acme.example.jp" }, []string{"reply_to: not a mail address"}},
		"a name of two lines":       {func(s *mail.Settings) { s.From.Name = "a\nb" }, []string{"from.name: must be one line"}},
		"a name like a letter":      {func(s *mail.Settings) { s.From.Name = strings.Repeat("あ", 101) }, []string{"from.name: longer than 100 characters"}},
		"an address to be filled in": {func(s *mail.Settings) { s.Sender.Address = "東京都〇〇区" }, []string{
			"sender.address: 〇〇 is left to be filled in",
		}},
		"a page as contact":         {func(s *mail.Settings) { s.Sender.Contact = "https://acme.example.jp/contact" }, nil},
		"a telephone as contact":    {func(s *mail.Settings) { s.Sender.Contact = "03-0000-0000（平日10時から17時）" }, nil},
		"an unsafe page as contact": {func(s *mail.Settings) { s.Sender.Contact = "http://acme.example.jp/contact" }, []string{"sender.contact: must not hold a link"}},
		"a page among words":        {func(s *mail.Settings) { s.Sender.Contact = "窓口 https://acme.example.jp" }, []string{"sender.contact: must not hold a link"}},
		"a link about documents":    {func(s *mail.Settings) { s.Documents.EN = "See https://acme.example.jp." }, []string{"documents.en: must not hold a link"}},
		"a novel about documents":   {func(s *mail.Settings) { s.Documents.JA = strings.Repeat("あ", 501) }, []string{"documents.ja: longer than 500 characters"}},
		"a bad key for events":      {func(s *mail.Settings) { s.EventKey = "???" }, []string{"event_key: public key 1: not base64"}},
		"everything at once": {func(s *mail.Settings) { s.Transport, s.From.Address, s.Sender.Contact = "smtp", "", "" }, []string{
			"transport: smtp", "from.address: required", "sender.contact: required",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := settings()
			tt.change(&s)
			err := s.Validate()
			if tt.want == nil && err != nil {
				t.Error(err)
			}
			for _, want := range tt.want {
				if err == nil || !strings.Contains("\n"+err.Error(), "\n"+want) {
					t.Errorf("no line %q in\n%v", want, err)
				}
			}
		})
	}
}
