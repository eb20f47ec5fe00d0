package web_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
)

var changing = regexp.MustCompile(`\b[A-Z0-9]{26}\b|\?v=[0-9a-f]{12}`)

// fixed replaces what is different in every run.
func fixed(html string) string {
	return changing.ReplaceAllStringFunc(html, func(s string) string {
		if strings.HasPrefix(s, "?v=") {
			return "?v=HASH"
		}
		return "TOKEN"
	})
}

// journey is one person at every step.
type journey struct{ relay, confirm, confirmed, my, stop string }

func (s *site) journey() journey {
	s.t.Helper()
	tokens := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"}, record.Link{Kind: record.StopLink, Locale: "ja"})
	j := journey{relay: tokens[0], stop: tokens[1]}
	j.my = s.member(j.relay, consent.RelayHandover, consent.EmployerIntroduction, consent.Newsletter)
	j.confirmed = s.linkIn(s.letter(mail.RelayConfirm))
	s.wait(time.Minute)
	j.confirm = s.register(j.relay, consent.RelayHandover, consent.TellCompany)
	return j
}

// handOver lets the recipient take the profile, and withdraws one consent.
func (s *site) handOver(j journey) {
	s.t.Helper()
	ctx := s.t.Context()
	tickets, err := s.store.Dispatch(ctx, record.LiveQueue, map[string]int{"acme": 100})
	s.must(err)
	for _, ticket := range tickets {
		job, err := s.store.StartJob(ctx, ticket.Job, ticket.Seq, time.Minute)
		s.must(err)
		if job.Kind != record.ReferralJob {
			continue
		}
		r, err := s.store.Referral(ctx, job.Subject)
		s.must(err)
		s.must(s.store.SettleReferral(ctx, job, r, record.Handed{
			State: record.ReferralHandedOver, Reference: "L-42", Fields: []string{"name", "email", "occupation"},
			Policy: s.company.Relay.Policy, Job: record.Outcome{State: record.JobDone},
		}))
	}
	link, err := s.store.FindLink(ctx, record.MyLink, j.my)
	s.must(err)
	m, err := s.store.Membership(ctx, link.Registration)
	s.must(err)
	for _, given := range m.Consents {
		if given.Purpose == string(consent.Newsletter) {
			s.must(s.store.Withdraw(ctx, record.System, given.ID, "test"))
		}
	}
}

func TestPagesLookAsTheyShould(t *testing.T) {
	s := newSite(t)
	j := s.journey()
	s.handOver(j)
	wrong := s.answers("ja")
	wrong.Set("mail", "hanako＠example.jp")
	wrong.Set("job", "")
	for name, path := range map[string]string{
		"landing": "/r/" + j.relay, "register": "/r/" + j.relay + "/register", "sent": "/r/" + j.relay + "/sent",
		"confirm": "/r/" + j.confirm, "confirmed": "/r/" + j.confirmed, "mypage": "/r/" + j.my,
		"stop": "/u/" + j.stop, "stop_from_a_page": "/r/" + j.relay + "/stop", "stopped": "/u/" + j.stop + "/stopped",
		"ended": "/r/" + consent.NewToken(), "root": "/",
	} {
		for _, lang := range []string{"ja", "en"} {
			t.Run(name+"."+lang, func(t *testing.T) {
				got := s.get(path + "?lang=" + lang)
				atstest.Golden(t, "testdata/candidate/"+name+"."+lang+".html", fixed(got.body))
			})
		}
	}
	for _, lang := range []string{"ja", "en"} {
		t.Run("register_wrong."+lang, func(t *testing.T) {
			got := s.post("/r/"+j.relay+"/register?lang="+lang, wrong)
			atstest.Golden(t, "testdata/candidate/register_wrong."+lang+".html", fixed(got.body))
		})
	}
}

func TestReadingChangesNothing(t *testing.T) {
	s := newSite(t)
	j := s.journey()
	before := s.snapshot()
	for _, token := range []string{j.relay, j.confirm, j.confirmed, j.my, j.stop, consent.NewToken()} {
		for _, step := range []string{"", "/register", "/sent", "/confirm", "/withdraw", "/stop", "/stopped"} {
			for _, prefix := range []string{"/r/", "/u/"} {
				for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
					r := s.request(method, prefix+token+step+"?List-Unsubscribe=One-Click&page=1", "")
					if got := s.do(r); got.code >= http.StatusInternalServerError {
						t.Errorf("%s %s: status %d", method, prefix+"…"+step, got.code)
					}
				}
			}
		}
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/robots.txt", "/nothing", "/hooks/acme/greenhouse", "/hooks/mail/acme"} {
		s.get(path)
	}
	if after := s.snapshot(); after != before {
		t.Error("a GET changed the database")
	}
}

func TestSnapshotSeesEveryChange(t *testing.T) {
	s := newSite(t)
	before := s.snapshot()
	s.invite(record.Link{Kind: record.RelayLink})
	if s.snapshot() == before {
		t.Error("the snapshot did not see an application")
	}
}

func TestARegistrationIsKeptAsItWasGiven(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	confirm := s.register(token, consent.RelayHandover, consent.TellCompany)
	link, err := s.store.FindLink(t.Context(), record.ConfirmLink, confirm)
	s.must(err)
	m, err := s.store.Membership(t.Context(), link.Registration)
	s.must(err)
	want := relay.Profile{
		Name: "𠮷田 花子", Kana: "ヨシダ ハナコ", Email: "hanako@example.jp", Phone: "090-0000-0000", Prefecture: "JP-13",
		Occupation: "engineering", Place: "東京、在宅", Available: "open", Note: "開発を5年。\nチームのまとめ役も。", Locale: "ja",
	}
	if diff := cmp.Diff(want, m.Profile); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	if len(m.Consents) != 2 || len(m.Referrals) != 0 || m.State != "pending" {
		t.Fatalf("%d consents, %d referrals, state %s; want 2, none, pending", len(m.Consents), len(m.Referrals), m.State)
	}
	for i, purpose := range []consent.Purpose{consent.RelayHandover, consent.TellCompany} {
		got, text := m.Consents[i], s.shown(purpose, "ja")
		if got.Purpose != string(purpose) || got.Text != text.Body || got.TextVersion != text.Version || got.Locale != "ja" || !got.ConfirmedAt.IsZero() {
			t.Errorf("consent %d is %+v, want %s as it was shown, unconfirmed", i, got, purpose)
		}
	}
	letter := s.letter(mail.RelayConfirm)
	if letter.To.Address != "hanako@example.jp" {
		t.Error("the confirmation did not go to the address that was typed")
	}
}

func TestWhatIsWrongIsSaidBesideTheField(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	tests := map[string]struct {
		lang   string
		change func(url.Values)
		want   []string // ids in the summary
		words  string
	}{
		"nothing was filled in": {"ja", func(f url.Values) { clear(f) }, []string{"name", "kana", "mail", "pref", "job", "relay_handover"}, "6か所を確かめてください"},
		"katakana is not asked in English": {"en", func(f url.Values) {
			f.Set("kana", "")
		}, nil, ""},
		"the address is full width":          {"ja", func(f url.Values) { f.Set("mail", "hanako＠example.jp") }, []string{"mail"}, "hanako@example.jp のことですか。"},
		"the address has no domain":          {"ja", func(f url.Values) { f.Set("mail", "hanako") }, []string{"mail"}, "@ の前後"},
		"there are two addresses":            {"ja", func(f url.Values) { f.Set("mail", "a@example.jp, b@example.jp") }, []string{"mail"}, "ひとつだけ"},
		"nobody reads the address":           {"ja", func(f url.Values) { f.Set("mail", "no-reply@example.jp") }, []string{"mail"}, "返信を受け取らない"},
		"the name has no letters":            {"ja", func(f url.Values) { f.Set("name", "123") }, []string{"name"}, ""},
		"the name has a control character":   {"ja", func(f url.Values) { f.Set("name", "花\x00子") }, []string{"name"}, ""},
		"the name is too long":               {"ja", func(f url.Values) { f.Set("name", strings.Repeat("𠮷", 81)) }, []string{"name"}, "80字まで"},
		"the longest name is fine":           {"ja", func(f url.Values) { f.Set("name", strings.Repeat("𠮷", 80)) }, nil, ""},
		"hiragana is fine":                   {"ja", func(f url.Values) { f.Set("kana", "よしだ　はなこ") }, nil, ""},
		"kanji are no katakana":              {"ja", func(f url.Values) { f.Set("kana", "吉田") }, []string{"kana"}, ""},
		"a telephone has no letters":         {"ja", func(f url.Values) { f.Set("tel", "090-abcd") }, []string{"tel"}, ""},
		"a telephone may be left out":        {"ja", func(f url.Values) { f.Del("tel") }, nil, ""},
		"the prefecture is made up":          {"ja", func(f url.Values) { f.Set("pref", "JP-99") }, []string{"pref"}, ""},
		"the kind of work is made up":        {"ja", func(f url.Values) { f.Set("job", "astronaut") }, []string{"job"}, ""},
		"the time is made up":                {"ja", func(f url.Values) { f.Set("when", "now") }, []string{"when"}, ""},
		"the history is too long":            {"ja", func(f url.Values) { f.Set("note", strings.Repeat("字", 1001)) }, []string{"note"}, "1000字まで"},
		"line ends count once":               {"ja", func(f url.Values) { f.Set("note", strings.Repeat("字", 500)+strings.Repeat("\r\n字", 250)) }, nil, ""},
		"the hand-over was not agreed to":    {"ja", func(f url.Values) { f.Del(string(consent.RelayHandover)) }, []string{"relay_handover"}, "登録しなくても"},
		"a text was read in an old version":  {"ja", func(f url.Values) { f.Set(string(consent.Newsletter), "0123456789abcdef") }, []string{"newsletter"}, "新しくなりました"},
		"a box was ticked in other language": {"en", func(f url.Values) { f.Set(string(consent.Newsletter), s.shown(consent.Newsletter, "ja").Hash) }, []string{"newsletter"}, "the text has changed"},
		"a box was ticked by a guess":        {"ja", func(f url.Values) { f.Set(string(consent.RelayHandover), "on") }, []string{"relay_handover"}, ""},
	}
	inSummary := regexp.MustCompile(`<li><a href="#([a-z_]+)">`)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			form := s.answers(tt.lang, consent.RelayHandover)
			tt.change(form)
			before := s.snapshot()
			got := s.post("/r/"+token+"/register?lang="+tt.lang, form)
			if len(tt.want) == 0 {
				if got.code != http.StatusSeeOther {
					t.Fatalf("status %d, want 303\n%s", got.code, got.body)
				}
				return
			}
			if got.code != http.StatusUnprocessableEntity {
				t.Fatalf("status %d, want 422", got.code)
			}
			var ids []string
			for _, m := range inSummary.FindAllStringSubmatch(got.body, -1) {
				ids = append(ids, m[1])
				if !strings.Contains(got.body, `id="`+m[1]+`"`) {
					t.Errorf("the summary leads to #%s, which does not exist", m[1])
				}
			}
			if diff := cmp.Diff(tt.want, ids); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
			if !strings.Contains(got.body, tt.words) {
				t.Errorf("the page does not say %q", tt.words)
			}
			if s.snapshot() != before {
				t.Error("a form with mistakes was kept")
			}
		})
	}
}

func TestValuesSurviveAMistake(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	form := s.answers("ja", consent.RelayHandover, consent.Newsletter)
	form.Set("mail", "hanako＠example.jp")
	form.Set("note", `"><script>alert(1)</script>`)
	got := s.post("/r/"+token+"/register", form).body
	for _, want := range []string{
		`value="𠮷田 花子"`, `value="hanako＠example.jp"`, `<option value="JP-13" selected>`, `<option value="engineering" selected>`, `value="open" checked`,
		`value="` + form.Get("newsletter") + `" checked`, `value="` + form.Get("relay_handover") + `" checked`, `&lt;script&gt;`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has lost %s", want)
		}
	}
	if strings.Contains(got, "<script") {
		t.Error("what was typed runs as a script")
	}
}

// forbidden are words for what a form about work must not ask for.
var forbidden = regexp.MustCompile(`本籍|出生|家族|住宅|生活環境|宗教|支持政党|信条|人生観|尊敬|思想|労働組合|学生運動|購読|愛読|身元|健康|病歴|障害|国籍|年齢|生年月日|性別|婚姻|birth|gender|marital|religion|nationality|disability|health|family`)

func TestTheFormAsksNothingForbidden(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	controls := regexp.MustCompile(`<(?:input|select|textarea|label|legend|option|p class="hint")[^>]*>[^<]*`)
	for _, lang := range []string{"ja", "en"} {
		html := s.get("/r/" + token + "/register?lang=" + lang).body
		found := controls.FindAllString(html, -1)
		if len(found) < 20 {
			t.Fatalf("only %d controls found", len(found))
		}
		for _, c := range found {
			if word := forbidden.FindString(c); word != "" {
				t.Errorf("%s asks for %s", c, word)
			}
		}
		if strings.Contains(html, " checked") {
			t.Error("a box is ticked before the person did")
		}
		if got := regexp.MustCompile(`(?:value|placeholder)="[^"]*@`).FindString(html); got != "" {
			t.Errorf("the form knows an address: %s", got)
		}
	}
}

func TestAConfirmationWorksOnce(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	confirm := s.register(token, consent.RelayHandover)
	if got := s.get("/r/" + confirm); !strings.Contains(got.body, "登録を確定する") {
		t.Fatalf("no button:\n%s", got.body)
	}
	for range 3 {
		if got := s.post("/r/"+confirm+"/confirm", nil); got.code != http.StatusSeeOther || got.header.Get("Location") != "/r/"+confirm {
			t.Fatalf("status %d to %s, want 303 back to the page", got.code, got.header.Get("Location"))
		}
	}
	got := s.get("/r/" + confirm)
	if got.code != http.StatusOK || strings.Contains(got.body, "<button") || !strings.Contains(got.body, "確定しました") {
		t.Errorf("status %d, want a page that says it is done:\n%s", got.code, got.body)
	}
	referrals, err := s.store.Referrals(t.Context(), record.Filter{Company: "acme"})
	s.must(err)
	account, err := s.store.Account(t.Context(), "acme", s.company.Relay.Policy)
	s.must(err)
	mails, err := s.store.Mails(t.Context(), record.Filter{Purpose: string(mail.RelayReceipt)})
	s.must(err)
	if len(referrals) != 1 || account.Net != 1 || len(mails) != 1 {
		t.Errorf("%d referrals, %d introductions, %d receipts; want one each", len(referrals), account.Net, len(mails))
	}
	receipt := s.letter(mail.RelayReceipt)
	for _, want := range []string{"株式会社リンクス人材（許可番号 13-ユ-000000）", s.shown(consent.RelayHandover, "ja").Body[:60]} {
		if !strings.Contains(receipt.Text, want) {
			t.Errorf("the receipt lacks %s:\n%s", want, receipt.Text)
		}
	}
}

func TestOnlyWhomThePersonReadAboutReceives(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	confirm := s.register(token, consent.RelayHandover)
	s.company.Relay.Recipients = []string{"other", "links"} // changed before the confirmation
	s.post("/r/"+confirm+"/confirm", nil)
	referrals, err := s.store.Referrals(t.Context(), record.Filter{Company: "acme"})
	s.must(err)
	if len(referrals) != 1 || referrals[0].Recipient != "links" {
		t.Errorf("referrals %+v, want one to links, whom the text named", referrals)
	}
}

func TestWithdrawing(t *testing.T) {
	s := newSite(t)
	tokens := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})
	my := s.member(tokens[0], consent.RelayHandover, consent.Newsletter)
	stranger := s.member(s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0], consent.RelayHandover)
	id := regexp.MustCompile(`name="consent" value="([^"]+)"`).FindStringSubmatch(s.get("/r/" + my).body)[1]

	if got := s.post("/r/"+stranger+"/withdraw", url.Values{"consent": {id}}); got.code != http.StatusNotFound {
		t.Errorf("somebody else's consent: status %d, want 404", got.code)
	}
	for range 2 {
		got := s.post("/r/"+my+"/withdraw", url.Values{"consent": {id}})
		if got.code != http.StatusSeeOther || got.header.Get("Location") != "/r/"+my+"#relay_handover" {
			t.Errorf("status %d to %s, want 303 to the consent on the page", got.code, got.header.Get("Location"))
		}
	}
	html := s.get("/r/" + my).body
	if strings.Contains(html, id) || !strings.Contains(html, "取り消しました") || !strings.Contains(html, "お渡ししていません") {
		t.Errorf("the page does not show the withdrawal:\n%s", html)
	}
	consents, err := s.store.Consents(t.Context(), record.Filter{ID: id})
	s.must(err)
	if consents[0].WithdrawnAt.IsZero() {
		t.Error("the consent stands")
	}
	audits, err := s.store.Audits(t.Context(), record.Filter{Company: "acme"})
	s.must(err)
	if len(audits) != 1 || audits[0].Actor != "candidate" || audits[0].Verb != "withdraw" {
		t.Errorf("audit %+v, want one withdrawal by the candidate", audits)
	}
}

// A mail may be read again long after its other links have ended; the way out
// still works then, and needs no registration that is still there.
func TestEveryMailOfTheRelayHasAWayOut(t *testing.T) {
	for _, purpose := range []mail.Purpose{mail.RelayConfirm, mail.RelayReceipt} {
		s := newSite(t)
		s.member(s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0], consent.RelayHandover)
		m := s.letter(purpose)
		way, found := strings.CutPrefix(m.Unsubscribe, s.deps.PublicURL)
		if !found || !strings.Contains(m.Text, m.Unsubscribe) || !strings.Contains(m.HTML, m.Unsubscribe) {
			t.Fatalf("%s: the way out %q does not stand in the mail", purpose, m.Unsubscribe)
		}
		s.wait(2 * 365 * 24 * time.Hour)
		if got := s.get(way); got.code != http.StatusOK {
			t.Errorf("%s: looking at the page: status %d", purpose, got.code)
		}
		if got := s.post(way, url.Values{"page": {"1"}}); got.code != http.StatusSeeOther || !s.stopped() {
			t.Errorf("%s: status %d, or the mails go on", purpose, got.code)
		}
	}
}

// stopped reports whether the person's address is on the list.
func (s *site) stopped() bool {
	s.t.Helper()
	var no bool
	s.probe(func(k record.Known) { no = k.NoOffers })
	return no
}

// probe reads what is known when the next decision arrives.
func (s *site) probe(look func(record.Known)) {
	s.t.Helper()
	ctx := s.t.Context()
	id, err := s.store.SaveDelivery(ctx, arrival("greenhouse", consent.NewToken()))
	s.must(err)
	tickets, err := s.store.Dispatch(ctx, record.LiveQueue, map[string]int{"acme": 100})
	s.must(err)
	for _, ticket := range tickets {
		job, err := s.store.StartJob(ctx, ticket.Job, ticket.Seq, time.Minute)
		s.must(err)
		if job.Subject != id {
			continue
		}
		e := atstest.Rejection()
		e.Application = "probe"
		_, err = s.store.Accept(ctx, job, record.Delivery{ID: id, Company: "acme", Connection: "greenhouse"}, []ats.Event{e}, record.Limits{Hour: 1, Day: 1},
			func(_ ats.Event, k record.Known) (record.Ruling, error) {
				look(k)
				return record.Ruling{Action: "none", Code: "probe"}, nil
			})
		s.must(err)
	}
}

func TestStopping(t *testing.T) {
	form := "application/x-www-form-urlencoded"
	var multi bytes.Buffer
	w := multipart.NewWriter(&multi)
	_ = w.WriteField("List-Unsubscribe", "One-Click")
	_ = w.Close()
	tests := map[string]struct {
		kind, path  string
		contentType string
		body        string
		header      map[string]string
		code        int
		location    string
	}{
		"one click of a mailbox provider":          {record.StopLink, "/u/", form, "List-Unsubscribe=One-Click", nil, http.StatusOK, ""},
		"one click as multipart":                   {record.StopLink, "/u/", w.FormDataContentType(), multi.String(), nil, http.StatusOK, ""},
		"one click out of a web mail":              {record.StopLink, "/u/", form, "List-Unsubscribe=One-Click", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://mail.example.test"}, http.StatusOK, ""},
		"one click without the words":              {record.StopLink, "/u/", "", "", nil, http.StatusOK, ""},
		"the button of the page":                   {record.StopLink, "/u/", form, "page=1", map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusSeeOther, "/u/TOKEN/stopped"},
		"the button behind the landing page":       {record.RelayLink, "/r/", form, "page=1", map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusSeeOther, "/r/TOKEN/stopped"},
		"the button, pressed from another site":    {record.StopLink, "/u/", form, "page=1", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden, ""},
		"the link of another kind at this address": {record.RelayLink, "/u/", form, "List-Unsubscribe=One-Click", nil, http.StatusNotFound, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			token := s.invite(record.Link{Kind: tt.kind, Locale: "ja"})[0]
			path := tt.path + token
			if tt.path == "/r/" {
				path += "/stop"
			}
			r := s.request(http.MethodPost, path, tt.body)
			r.Header.Set("Content-Type", tt.contentType)
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			got := s.do(r)
			if want := strings.ReplaceAll(tt.location, "TOKEN", token); got.code != tt.code || got.header.Get("Location") != want {
				t.Errorf("status %d to %q, want %d to %q", got.code, got.header.Get("Location"), tt.code, want)
			}
			if want := tt.code < 400; s.stopped() != want {
				t.Errorf("stopped: %v, want %v", !want, want)
			}
		})
	}
}

func TestLinksThatDoNotWorkLookTheSame(t *testing.T) {
	s := newSite(t)
	tokens := s.invite(
		record.Link{Kind: record.RelayLink, Locale: "ja", Expires: s.clock().Add(time.Minute)},
		record.Link{Kind: record.MyLink, Locale: "ja"},
		record.Link{Kind: record.RelayLink, Locale: "ja"},
	)
	people, err := s.store.FindPeople(t.Context(), "acme", string(atstest.Rejection().Candidate.Email))
	s.must(err)
	s.wait(2 * time.Minute)
	s.must(s.store.ErasePerson(t.Context(), record.System, people[0], "test"))
	want := s.get("/r/" + consent.NewToken())
	for name, path := range map[string]string{
		"expired": "/r/" + tokens[0], "revoked": "/r/" + tokens[2], "without a registration": "/r/" + tokens[1], "cut off": "/r/" + tokens[2][:9],
		"very long": "/r/" + strings.Repeat("A", 3000), "another address": "/nothing/here", "a step that is not for it": "/r/" + tokens[2] + "/nothing",
	} {
		t.Run(name, func(t *testing.T) {
			got := s.get(path)
			if got.code != http.StatusNotFound || got.body != want.body {
				t.Errorf("status %d, or another page than for an unknown link:\n%s", got.code, cmp.Diff(want.body, got.body))
			}
		})
	}
}

func TestCompaniesThatLeftTheRelay(t *testing.T) {
	for name, change := range map[string]func(*site){
		"the relay is off":       func(s *site) { s.company.Relay.Mode = configs.RelayOff },
		"there are no receivers": func(s *site) { s.company.Relay.Recipients = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
			my := s.member(token, consent.RelayHandover)
			confirm := s.register(token, consent.RelayHandover)
			change(s)
			for path, want := range map[string]int{
				"/r/" + token: 404, "/r/" + token + "/register": 404, "/r/" + token + "/sent": 404, "/r/" + confirm: 404,
				"/r/" + my: 200, "/r/" + my + "/stop": 200, "/r/" + token + "/stop": 200,
			} {
				if got := s.get(path); got.code != want {
					t.Errorf("%s: status %d, want %d", fixed(path), got.code, want)
				}
			}
			if got := s.post("/r/"+confirm+"/confirm", nil); got.code != http.StatusNotFound {
				t.Errorf("confirming: status %d, want 404", got.code)
			}
		})
	}
}

func TestDeedsFromElsewhereAreRefused(t *testing.T) {
	tests := map[string]struct {
		site, origin string
		code         int
	}{
		"from our page":                           {"same-origin", "null", http.StatusSeeOther},
		"typed by the person":                     {"none", "", http.StatusSeeOther},
		"from another site":                       {"cross-site", "https://evil.example.test", http.StatusForbidden},
		"from a site beside ours":                 {"same-site", "null", http.StatusForbidden},
		"an old browser from our page":            {"", "null", http.StatusSeeOther},
		"an old browser that tells our address":   {"", "PUBLIC", http.StatusSeeOther},
		"an old browser from another site":        {"", "https://evil.example.test", http.StatusForbidden},
		"no browser":                              {"", "", http.StatusSeeOther},
		"an address that cannot be read as a URL": {"", "https://%zz", http.StatusForbidden},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			token := s.register(s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0], consent.RelayHandover)
			r := s.request(http.MethodPost, "/r/"+token+"/confirm", "")
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
			}
			if tt.origin != "" {
				r.Header.Set("Origin", strings.ReplaceAll(tt.origin, "PUBLIC", s.url))
			}
			before := s.snapshot()
			if got := s.do(r); got.code != tt.code {
				t.Errorf("status %d, want %d", got.code, tt.code)
			}
			if changed := s.snapshot() != before; changed != (tt.code == http.StatusSeeOther) {
				t.Errorf("database changed: %v", changed)
			}
		})
	}
}

func TestFloodsOfFormsAreSlowed(t *testing.T) {
	s := newSite(t)
	tokens := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"}, record.Link{Kind: record.RelayLink, Locale: "ja"})
	form := s.answers("ja", consent.RelayHandover)
	var last page
	kept := 0
	for range 15 {
		last = s.post("/r/"+tokens[0]+"/register", form)
		if last.code == http.StatusSeeOther {
			kept++
		}
	}
	if kept != 10 || last.code != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" {
		t.Errorf("%d kept, then %d; want 10, then 429 with Retry-After", kept, last.code)
	}
	if got := s.post("/r/"+tokens[1]+"/register", form); got.code != http.StatusSeeOther {
		t.Errorf("another link: status %d, want 303", got.code)
	}
	for range 60 {
		last = s.post("/r/"+tokens[0]+"/register", url.Values{})
	}
	if last.code != http.StatusTooManyRequests {
		t.Errorf("mistakes without end: status %d, want 429", last.code)
	}
	s.wait(25 * time.Hour)
	if got := s.post("/r/"+tokens[0]+"/register", form); got.code != http.StatusSeeOther {
		t.Errorf("a day later: status %d, want 303", got.code)
	}
}

func TestFormsThatCannotBeRead(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	for name, tt := range map[string]struct {
		contentType, body string
		code              int
	}{
		"too long":             {"application/x-www-form-urlencoded", "note=" + strings.Repeat("x", 70<<10), http.StatusRequestEntityTooLarge},
		"broken encoding":      {"application/x-www-form-urlencoded", "name=%zz", http.StatusBadRequest},
		"multipart without it": {"multipart/form-data", "x", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.request(http.MethodPost, "/r/"+token+"/register", tt.body)
			r.Header.Set("Content-Type", tt.contentType)
			if got := s.do(r); got.code != tt.code || !strings.Contains(got.body, "<h1>") {
				t.Errorf("status %d, want %d with a page", got.code, tt.code)
			}
		})
	}
}

// outage is a database that is away.
type outage struct{}

var errAway = ats.BusyFor(7*time.Second, "the database is away")

func (outage) FindLink(context.Context, string, string) (record.Link, error) {
	return record.Link{}, errAway
}
func (outage) Register(context.Context, record.Registration) (string, error) { return "", errAway }
func (outage) Confirm(context.Context, record.Confirmation) error            { return errAway }
func (outage) Membership(context.Context, string) (record.Membership, error) {
	return record.Membership{}, errAway
}
func (outage) Withdraw(context.Context, record.Actor, string, string) error { return errAway }
func (outage) Unsubscribe(context.Context, record.Link, string) error       { return errAway }

func TestPagesDuringAnOutage(t *testing.T) {
	s := newSite(t, func(s *site) { s.deps.People = outage{} })
	token := consent.NewToken()
	for _, got := range []page{s.get("/r/" + token + "?lang=en"), s.post("/u/"+token+"?lang=en", url.Values{"List-Unsubscribe": {"One-Click"}})} {
		if got.code != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "7" || !strings.Contains(got.body, "not available right now") {
			t.Errorf("status %d, Retry-After %q, want a page that says to come back:\n%s", got.code, got.header.Get("Retry-After"), got.body)
		}
	}
	if strings.Contains(s.log.String(), token) {
		t.Error("the log has the token")
	}
}

func TestABrokenCompanyFileIsOurOutage(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	s.company.ID = "another"
	s.status = []configs.Status{{Company: "acme", Errors: []string{"acme.yaml:3: locale: unknown"}}}
	if got := s.get("/r/" + token); got.code != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503: the person's link is good", got.code)
	}
}

func TestBrokenLettersAreOurOutage(t *testing.T) {
	s := newSite(t)
	tokens := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})
	confirm := s.register(tokens[0], consent.RelayHandover)
	broken := newSite(t, func(b *site) {
		b.deps.People = s.store
		b.deps.Letters = func(*configs.Company) (*mail.Templates, error) { return nil, ats.Errorf(ats.Invalid, "a broken file") }
	})
	before := s.snapshot()
	for _, got := range []page{
		broken.post("/r/"+tokens[0]+"/register", s.answers("ja", consent.RelayHandover)),
		broken.post("/r/"+confirm+"/confirm", nil),
	} {
		if got.code != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503: the person did nothing wrong", got.code)
		}
	}
	if s.snapshot() != before {
		t.Error("something was kept although nobody was written to")
	}
	if !strings.Contains(broken.log.String(), "a broken file") {
		t.Errorf("the log does not name the cause:\n%s", broken.log)
	}
}

func TestTheLanguageStaysAsChosen(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	for name, tt := range map[string]struct{ path, accept, lang, link string }{
		"that of the mail":             {"/r/" + token, "en", "ja", `href="/r/` + token + `/register"`},
		"that of the person":           {"/r/" + token + "?lang=en", "", "en", `href="/r/` + token + `/register?lang=en"`},
		"one that does not exist":      {"/r/" + token + "?lang=fr", "", "ja", `href="?lang=en"`},
		"that of the browser, English": {"/", "fr, en;q=0.5", "en", `href="?lang=ja"`},
		"that of the browser, none":    {"/", "", "ja", `href="?lang=en"`},
		"that of the browser, broken":  {"/", ";;;", "ja", `href="?lang=en"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.request(http.MethodGet, tt.path, "")
			r.Header.Set("Accept-Language", tt.accept)
			got := s.do(r)
			if got.header.Get("Content-Language") != tt.lang || !strings.Contains(got.body, `<html lang="`+tt.lang+`">`) || !strings.Contains(got.body, tt.link) {
				t.Errorf("want the page in %s with %s:\n%s", tt.lang, tt.link, got.body)
			}
		})
	}
}

func TestALinkWithoutALanguageTakesTheCompanys(t *testing.T) {
	s := newSite(t, func(s *site) { s.company.Locale = "en" })
	token := s.invite(record.Link{Kind: record.RelayLink})[0]
	if got := s.get("/r/" + token); got.header.Get("Content-Language") != "en" {
		t.Errorf("language %s, want en", got.header.Get("Content-Language"))
	}
}

func TestNothingPersonalGetsOut(t *testing.T) {
	s := newSite(t)
	j := s.journey()
	s.post("/r/"+j.my+"/withdraw", url.Values{"consent": {"nonsense"}})
	s.post("/u/"+j.stop, url.Values{"List-Unsubscribe": {"One-Click"}})
	form := s.answers("ja")
	form.Set("mail", "taro＠example.jp")
	s.post("/r/"+j.relay+"/register", form)
	s.get("/r/" + j.my + "/nothing")
	log := s.log.String()
	for _, secret := range []string{j.relay, j.confirm, j.confirmed, j.my, j.stop, "花子", "ハナコ", "example.jp", "090-", "開発"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, "registration confirmed") || !strings.Contains(log, "offers stopped") {
		t.Errorf("the log lacks what was done:\n%s", log)
	}
}

func TestHeadersOfPages(t *testing.T) {
	s := newSite(t, func(s *site) { s.deps.PublicURL = "https://relay.example.jp" })
	j := s.journey()
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Referrer-Policy":         "no-referrer", "X-Robots-Tag": "noindex, nofollow", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Strict-Transport-Security": "max-age=31536000",
	}
	for _, path := range []string{"/r/" + j.relay, "/r/" + j.my, "/u/" + j.stop, "/r/unknown", "/", "/nothing"} {
		got := s.get(path)
		for name, value := range want {
			if got.header.Get(name) != value {
				t.Errorf("%s: %s is %q, want %q", fixed(path), name, got.header.Get(name), value)
			}
		}
	}
}
