package web_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
	"github.com/career-relay/connector/store"
	"github.com/career-relay/connector/web"
)

// morning is when the tests take place, unless they say otherwise.
var morning = time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)

// A site is the public address over a database of its own.
type site struct {
	t       testing.TB
	deps    web.Deps
	store   *store.Store
	file    string
	url     string
	log     *journal
	company *configs.Company
	shared  *configs.Shared
	status  []configs.Status // of companies' files

	mu  sync.Mutex
	now time.Time
}

// A journal is a log that tests read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) wait(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// tenants are the companies of a test: one.
type tenants struct{ s *site }

func (t tenants) Company(id string) (*configs.Company, error) {
	if id != t.s.company.ID {
		return nil, ats.Errorf(ats.NotFound, "no company %s", id)
	}
	return t.s.company, nil
}
func (t tenants) Companies() []*configs.Company { return []*configs.Company{t.s.company} }
func (t tenants) Shared() *configs.Shared       { return t.s.shared }
func (t tenants) Status() []configs.Status      { return t.s.status }

func acme() *configs.Company {
	return &configs.Company{
		ID: "acme", Name: relay.Names{JA: "株式会社アクメ", EN: "Acme Inc."}, Locale: "ja", TimeZone: "Asia/Tokyo",
		Connections: map[string]configs.Connection{},
		Mail: mail.Settings{
			Transport: "mailbox", From: mail.Address{Address: "saiyo@acme.example.jp", Name: "アクメ 採用チーム"},
			Sender: mail.Sender{Name: "株式会社アクメ", Address: "東京都見本区例町4-5-6", Contact: "saiyo@acme.example.jp"},
		},
		Relay:     configs.Relay{Mode: configs.RelayLink, Policy: credit.DefaultPolicy(), Recipients: []string{"links"}},
		Retention: configs.Retention{Deliveries: ats.Duration(30 * 24 * time.Hour)},
	}
}

func shared() *configs.Shared {
	return &configs.Shared{
		Operator: configs.Operator{
			Name:    relay.Names{JA: "株式会社サンプル運営（キャリアリレー）", EN: "Sample Operations KK (Career Relay)"},
			Address: "東京都見本区例町1-2-3", Contact: "soudan@relay.example.jp", Privacy: "https://relay.example.jp/privacy",
		},
		Recipients: map[string]relay.Recipient{
			"links": {ID: "links", Name: relay.Names{JA: "株式会社リンクス人材", EN: "Links Jinzai KK"}, Licence: "13-ユ-000000", Contact: "privacy@links.example.jp"},
			"other": {ID: "other", Name: relay.Names{JA: "株式会社べつの人材", EN: "Betsuno Jinzai KK"}, Licence: "27-ユ-000000"},
		},
		Texts: consent.Texts{
			{Purpose: consent.RelayHandover, Version: "3", Locale: "ja", Body: "登録した情報（氏名・連絡先・希望条件・職歴）を、求人の紹介を受けるため、人材紹介会社 {{recipient_name}}（許可番号 {{licence}}）に提供することに同意します。"},
			{Purpose: consent.RelayHandover, Version: "3", Locale: "en", Body: "I agree that what I entered (name, contact details, wishes, work history) is given to the employment agency {{recipient_name}} (licence {{licence}}) so that it can introduce openings to me."},
			{Purpose: consent.EmployerIntroduction, Version: "3", Locale: "ja", Body: "{{recipient_name}}が、氏名を伏せた経歴の概要を求人企業に示すことに同意します。氏名の開示は、その都度確認を受けます。"},
			{Purpose: consent.EmployerIntroduction, Version: "3", Locale: "en", Body: "I agree that {{recipient_name}} shows employers an outline of my experience without my name. My name is given only after I say yes, each time."},
			{Purpose: consent.Newsletter, Version: "1", Locale: "ja", Body: "{{company_name}}から募集情報のメールを受け取ることを希望します。"},
			{Purpose: consent.Newsletter, Version: "1", Locale: "en", Body: "I would like to receive mails about openings from {{company_name}}."},
			{Purpose: consent.TellCompany, Version: "1", Locale: "ja", Body: "私が登録したことを{{company_name}}に知らせることに同意します。"},
			{Purpose: consent.TellCompany, Version: "1", Locale: "en", Body: "I agree that {{company_name}} is told that I registered."},
			{Purpose: consent.Statistics, Version: "1", Locale: "ja", Body: "どの人か分からない人数だけの集計に使います。5人に満たない数は表示しません。同意の欄はありません。"},
			{Purpose: consent.Statistics, Version: "1", Locale: "en", Body: "We count people in ways that show nobody. Numbers below five are hidden. There is no box for this."},
		},
	}
}

// newSite serves the public address. change may alter what it depends on
// before it starts.
func newSite(tb testing.TB, change ...func(*site)) *site {
	tb.Helper()
	dir := tb.TempDir()
	s := &site{t: tb, file: filepath.Join(dir, "careerrelay.db"), log: &journal{}, company: acme(), shared: shared(), now: morning}
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	var err error
	s.store, err = store.Open(tb.Context(), store.Options{Dir: dir, Keys: [][]byte{bytes.Repeat([]byte{7}, 32)}, Migrate: true, Log: logger, Now: s.clock})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			tb.Error(err)
		}
	})
	letters, err := mail.Load(nil)
	if err != nil {
		tb.Fatal(err)
	}
	s.deps = web.Deps{
		Now: s.clock, Log: logger, Tenants: tenants{s}, Inbox: s.store, People: s.store, Metrics: &web.Metrics{},
		Open: func(_, connection string) (connectors.Connector, error) {
			return nil, ats.Errorf(ats.NotFound, "no connection %s", connection)
		},
		Letters: func(*configs.Company) (*mail.Templates, error) { return letters, nil },
		Ready:   func(context.Context) []web.Problem { return nil },
	}
	for _, c := range change {
		c(s)
	}
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	if s.deps.PublicURL == "" {
		s.deps.PublicURL = s.url
	}
	server.Config.Handler = web.Public(s.deps)
	server.Start()
	tb.Cleanup(server.Close)
	return s
}

// invite lets a company turn somebody down, so that a person has a link of
// each of these kinds. It returns the tokens.
func (s *site) invite(links ...record.Link) []string {
	s.t.Helper()
	ctx := s.t.Context()
	n := strings.Count(s.log.String(), "invited")
	delivery, err := s.store.SaveDelivery(ctx, record.Arrival{
		Delivery: connectors.Delivery{Company: "acme", Connection: "greenhouse", Door: connectors.Webhook, Key: fmt.Sprint("invitation", n), Payload: connectors.Payload{Received: s.clock()}},
		Vendor:   "greenhouse", Disposition: record.New, Keep: time.Hour,
	})
	s.must(err)
	tickets, err := s.store.Dispatch(ctx, record.LiveQueue, map[string]int{"acme": 100})
	s.must(err)
	var job record.Job
	for _, ticket := range tickets {
		j, err := s.store.StartJob(ctx, ticket.Job, ticket.Seq, time.Minute)
		s.must(err)
		if j.Subject == delivery {
			job = j
		}
	}
	var tokens []string
	for i := range links {
		links[i].Token = consent.NewToken()
		if links[i].Expires.IsZero() {
			links[i].Expires = s.clock().Add(consent.RelayLinkLife)
		}
		tokens = append(tokens, links[i].Token)
	}
	e := atstest.Rejection()
	e.Application = fmt.Sprint("A-", n)
	_, err = s.store.Accept(ctx, job, record.Delivery{ID: delivery, Company: "acme", Connection: "greenhouse", Vendor: "greenhouse"}, []ats.Event{e}, record.Limits{Hour: 10, Day: 10},
		func(e ats.Event, _ record.Known) (record.Ruling, error) {
			return record.Ruling{
				Action: "mail", Code: "send", Due: s.clock(), Links: links,
				Mail: &mail.Message{SendID: consent.NewToken(), Company: "acme", To: mail.Address{Address: e.Candidate.Email}, Text: "result"},
			}, nil
		})
	s.must(err)
	_, _ = s.log.Write([]byte("invited\n"))
	return tokens
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// A page is an answer as a browser gets it, without following redirects.
type page struct {
	code   int
	header http.Header
	body   string
}

func (s *site) do(r *http.Request) page {
	s.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	s.must(err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	s.must(err)
	if got := res.Header.Values("Set-Cookie"); len(got) > 0 {
		s.t.Errorf("%s %s sets cookies: %v", r.Method, r.URL.Path, got)
	}
	return page{res.StatusCode, res.Header, string(body)}
}

func (s *site) request(method, path, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	s.must(err)
	return r
}

func (s *site) get(path string) page {
	s.t.Helper()
	return s.do(s.request(http.MethodGet, path, ""))
}

// post sends a form as a browser does from one of our own pages.
func (s *site) post(path string, form url.Values) page {
	s.t.Helper()
	r := s.request(http.MethodPost, path, form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", "null")
	return s.do(r)
}

// snapshot is the hash of everything in the database.
func (s *site) snapshot() string {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.file+"?mode=ro")
	s.must(err)
	defer func() { _ = db.Close() }()
	sum := sha256.New()
	for _, table := range column(s.t, db, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`) {
		rows := column(s.t, db, `SELECT json_array(`+strings.Join(column(s.t, db, `SELECT 'hex("' || name || '")' FROM pragma_table_info('`+table+`')`), ",")+`) FROM "`+table+`"`)
		slices.Sort(rows)
		_, _ = fmt.Fprintln(sum, table, rows)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func column(tb testing.TB, db *sql.DB, query string) []string {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), query)
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			tb.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

// letter returns the newest mail of a purpose.
func (s *site) letter(purpose mail.Purpose) mail.Message {
	s.t.Helper()
	mails, err := s.store.Mails(s.t.Context(), record.Filter{Company: "acme", Purpose: string(purpose)})
	s.must(err)
	if len(mails) == 0 {
		s.t.Fatalf("no mail for %s", purpose)
	}
	_, m, err := s.store.Letter(s.t.Context(), mails[0].ID)
	s.must(err)
	return m
}

var linkInMail = regexp.MustCompile(`/r/([A-Za-z0-9]+)`)

// linkIn returns the token of the link in a mail.
func (s *site) linkIn(m mail.Message) string {
	s.t.Helper()
	found := linkInMail.FindStringSubmatch(m.Text)
	if found == nil {
		s.t.Fatalf("no link in the mail:\n%s", m.Text)
	}
	return found[1]
}

// answers are what a careful person types.
func (s *site) answers(lang string, agree ...consent.Purpose) url.Values {
	s.t.Helper()
	form := url.Values{
		"name": {"𠮷田 花子"}, "kana": {"ヨシダ ハナコ"}, "mail": {"hanako@example.jp"}, "tel": {"090-0000-0000"}, "pref": {"JP-13"},
		"job": {"engineering"}, "place": {"東京、在宅"}, "when": {"open"}, "note": {"開発を5年。\r\nチームのまとめ役も。"},
	}
	for _, purpose := range agree {
		form.Set(string(purpose), s.shown(purpose, lang).Hash)
	}
	return form
}

// shown is a consent text as it stands on the page.
func (s *site) shown(purpose consent.Purpose, lang string) consent.Text {
	s.t.Helper()
	text, err := s.shared.Texts.Find(purpose, lang)
	s.must(err)
	links := s.shared.Recipients["links"]
	text, err = text.Show(consent.Names{Company: s.company.Name.In(lang), Recipient: links.Name.In(lang), Licence: links.Licence})
	s.must(err)
	return text
}

// register goes through the form and returns the token of the confirmation.
func (s *site) register(relayToken string, agree ...consent.Purpose) string {
	s.t.Helper()
	if got := s.post("/r/"+relayToken+"/register", s.answers("ja", agree...)); got.code != http.StatusSeeOther {
		s.t.Fatalf("registering: status %d\n%s", got.code, got.body)
	}
	return s.linkIn(s.letter(mail.RelayConfirm))
}

// member registers and confirms, and returns the token of the person's page.
func (s *site) member(relayToken string, agree ...consent.Purpose) string {
	s.t.Helper()
	token := s.register(relayToken, agree...)
	if got := s.post("/r/"+token+"/confirm", nil); got.code != http.StatusSeeOther {
		s.t.Fatalf("confirming: status %d\n%s", got.code, got.body)
	}
	return s.linkIn(s.letter(mail.RelayReceipt))
}
