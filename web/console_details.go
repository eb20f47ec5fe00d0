package web

import (
	"context"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
)

// A deliveryPage is one delivery and what became of it.
type deliveryPage struct {
	*sheet
	Row      deliveryDetail
	Compared *comparison
	Until    time.Time // until when the payload is revealed
	Raw      *raw
	Header   []pair
	Verbs    []verbLink
}

func (k *console) deliveryPage(c *gin.Context, s *sheet) error {
	ctx, id := c.Request.Context(), c.Param("id")
	d, err := k.delivery(ctx, id)
	if err != nil {
		return err
	}
	s.of(d.Company)
	s.Nav = "deliveries"
	s.Title = s.t("delivery.h1." + string(d.Disposition))
	p := deliveryPage{sheet: s, Row: d, Verbs: s.verbsOf(deliveryNoun, string(d.Disposition), id)}
	if p.Until, err = k.revealed(ctx, s.Who.Actor, deliveryNoun, id); err != nil {
		return err
	}
	if c.Query("compare") != "" {
		if p.Compared, err = k.compare(ctx, s, id); err != nil {
			return err
		}
	}
	if !p.Until.IsZero() {
		shown, err := k.payload(ctx, id)
		if err != nil {
			return err
		}
		if indented := pretty(shown.Body); indented != "" {
			shown.Body = indented
		}
		p.Raw = &shown
		for _, name := range slices.Sorted(maps.Keys(shown.Header)) {
			p.Header = append(p.Header, pair{name, strings.Join(shown.Header[name], ", ")})
		}
	}
	k.render(c, http.StatusOK, "delivery", p)
	return nil
}

// A comparison is what a delivery said and says, or why it cannot be told.
type comparison struct {
	record.Difference
	Problem string
}

// compare reads a delivery with today's rules. That these cannot be asked is an
// answer too.
func (k *console) compare(ctx context.Context, s *sheet, id string) (*comparison, error) {
	d, err := k.Clerk.Difference(ctx, id)
	if fault := ats.FaultOf(err); fault == ats.Conflict || fault == ats.NotFound {
		return &comparison{Problem: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	return &comparison{Difference: d, Problem: s.Say(d.Error)}, nil
}

// pretty indents JSON for reading; "" for anything else.
func pretty(body string) string {
	raw := json.RawMessage(body)
	out, err := json.MarshalIndent(raw, "", "  ")
	if err != nil || len(body) == 0 {
		return ""
	}
	return string(out)
}

// A jobPage is one job, what it works on and how its runs ended.
type jobPage struct {
	*sheet
	Row        jobDetail
	SubjectURL string
	Verbs      []verbLink
}

// subjects are the pages of what jobs work on.
var subjects = map[string]string{record.DecodeJob: "/deliveries/", record.FeedbackJob: "/deliveries/", record.MailJob: "/mails/", record.ReferralJob: "/referrals/", record.WithdrawalJob: "/referrals/"}

func (k *console) jobPage(c *gin.Context, s *sheet) error {
	d, err := k.job(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	s.of(d.Company)
	s.Nav = "jobs"
	s.Title = s.t("job.h1", "kind", s.Word("kind", d.Kind), "state", s.State("jobs", d.State))
	p := jobPage{sheet: s, Row: d, Verbs: s.verbsOf(jobNoun, string(d.State), d.ID)}
	if base, ok := subjects[d.Kind]; ok {
		p.SubjectURL = base + url.PathEscape(d.Subject)
	}
	k.render(c, http.StatusOK, "job", p)
	return nil
}

type referralPage struct {
	*sheet
	Row   referralDetail
	Verbs []verbLink
}

func (k *console) referralPage(c *gin.Context, s *sheet) error {
	d, err := k.referral(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	s.of(d.Company)
	s.Nav = "referrals"
	s.Title = s.t("referral.h1", "recipient", s.Recipient(d.Recipient), "state", s.State("referrals", d.State))
	k.render(c, http.StatusOK, "referral", referralPage{sheet: s, Row: d, Verbs: s.verbsOf(referralNoun, string(d.State), d.ID)})
	return nil
}

type consentPage struct {
	*sheet
	Row    record.Consent
	Audit  []record.Audit
	Reason string
	Err    string
}

func (k *console) consentPage(c *gin.Context, s *sheet) error {
	return k.showConsent(c, s, http.StatusOK, "")
}

func (k *console) showConsent(c *gin.Context, s *sheet, code int, problem string) error {
	row, err := k.consent(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	p := consentPage{sheet: s, Row: row, Err: problem}
	if p.Audit, err = k.history(c.Request.Context(), row.ID); err != nil {
		return err
	}
	s.of(row.Company)
	s.Nav = "consents"
	s.Title = s.t("consent.h1", "purpose", s.Word("purpose", row.Purpose))
	k.render(c, code, "consent", p)
	return nil
}

// An accountRow is a company's ledger in sum.
type accountRow struct {
	record.Account
	Boxes []bool // the places on the way to the next slot, taken or free
}

// boxes shows how far the next slot is. A ratio of more than twenty is shown
// in words only.
func boxes(a record.Account) []bool {
	if a.Ratio < 1 || a.Ratio > 20 {
		return nil
	}
	out := make([]bool, a.Ratio)
	for i := range a.Ratio - a.ToNext {
		out[i] = true
	}
	return out
}

// Taken is how many places on the way to the next slot are taken.
func (a accountRow) Taken() int { return a.Ratio - a.ToNext }

type creditListPage struct {
	*sheet
	Accounts []accountRow
}

func (k *console) creditList(c *gin.Context, s *sheet) error {
	accounts, err := k.accounts(c.Request.Context())
	if err != nil {
		return err
	}
	p := creditListPage{sheet: s}
	slots := 0
	for _, a := range accounts {
		p.Accounts = append(p.Accounts, accountRow{a, boxes(a)})
		slots += len(a.Slots)
	}
	s.Nav, s.Title = "credits", s.t("credits.h1", "count", s.Count("slot", slots))
	k.render(c, http.StatusOK, "credits", p)
	return nil
}

type creditPage struct {
	*sheet
	Row    accountRow
	Policy configs.Relay
}

func (k *console) creditPage(c *gin.Context, s *sheet) error {
	company := c.Param("company")
	a, err := k.account(c.Request.Context(), company)
	if err != nil {
		return err
	}
	settings, err := k.Tenants(c.Request.Context()).Company(company)
	if err != nil {
		return err
	}
	s.of(company)
	slices.Reverse(a.Entries)
	s.Nav, s.Title = "credits", s.t("credit.h1", "company", s.Company(company), "count", s.Count("slot", len(a.Slots)), "more", a.ToNext)
	k.render(c, http.StatusOK, "credit", creditPage{sheet: s, Row: accountRow{a, boxes(a)}, Policy: settings.Relay})
	return nil
}

type companyListPage struct {
	*sheet
	Companies []companyRow
}

func (k *console) companyList(c *gin.Context, s *sheet) error {
	found, err := k.companyRows(c, s)
	if err != nil {
		return err
	}
	s.Nav = "companies"
	s.Title = s.t("companies.h1", "count", s.Count("company", len(found)))
	k.render(c, http.StatusOK, "companies", companyListPage{sheet: s, Companies: found})
	return nil
}

// A companyPage says whether a company works and how to connect it.
type companyPage struct {
	*sheet
	Row         companyRow
	Counts      record.Counts
	Connections []connection
	MailHook    string // address for the mail provider's events
	Brakes      []record.Brake
	Answers     []briefing
	StopURL     string
}

// StatusState names the state of the file when it has problems.
func (p companyPage) StatusState() string {
	if p.Row.Company == nil {
		return "broken"
	}
	return "stale"
}

// Stopped is the sign of a brake that is on.
func (p companyPage) Stopped(key string) template.HTML { return chip("stop", p.t(key)) }

// Resolved is the sign of a brake that is off again.
func (p companyPage) Resolved() template.HTML { return chip("done", p.t("company.resolved")) }

// Plain shows the company's own address, which is no candidate's.
func (companyPage) Plain(a ats.Email) string { return string(a) }

// A connection is one account at a vendor as the page shows it.
type connection struct {
	Name   string
	Vendor string
	Doors  []string
	Hook   string // address to be entered at the vendor
	Last   *record.Delivery
	Err    string
	Poll   *record.Poll // of one that is asked for news and was
	// Secrets are the names of its secrets and when each fitted last.
	Secrets []record.SecretUse
}

func (k *console) companyPage(c *gin.Context, s *sheet) error {
	id := c.Param("id")
	found, err := k.companyRows(c, s)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(found, func(r companyRow) bool { return r.ID == id })
	if i < 0 {
		return ats.Errorf(ats.NotFound, "no company %s: there is no file %s.yaml", id, id)
	}
	s.of(id)
	s.Nav = "companies"
	p := companyPage{sheet: s, Row: found[i], Counts: s.Beat.Of(id), StopURL: "/mails/stop?" + url.Values{"company": {id}, "state": {"held"}}.Encode()}
	if p.Brakes, err = k.Desk.Brakes(c.Request.Context(), id, true); err != nil {
		return err
	}
	if p.Row.Company != nil {
		if p.Answers, err = k.answers(c.Request.Context(), p); err != nil {
			return err
		}
		if p.Connections, err = k.connections(c, p.Row.Company); err != nil {
			return err
		}
		if err := k.secrets(c, &p); err != nil {
			return err
		}
		if p.Row.Company.Mail.Transport == "sendgrid" {
			p.MailHook = k.PublicURL + "/hooks/mail/" + id
		}
	}
	s.Title = s.t("company.h1."+p.Row.State, "company", p.Row.Name)
	k.render(c, http.StatusOK, "company", p)
	return nil
}

func (k *console) connections(c *gin.Context, company *configs.Company) ([]connection, error) {
	polls, err := k.Desk.Polls(c.Request.Context(), company.ID)
	if err != nil {
		return nil, err
	}
	var out []connection
	for _, name := range slices.Sorted(maps.Keys(company.Connections)) {
		one := connection{Name: name, Vendor: company.Connections[name].Vendor}
		if conn, err := k.Open(company.ID, name); err != nil {
			one.Err = err.Error()
		} else {
			one.Doors = doors(conn)
		}
		if slices.Contains(one.Doors, string(connectors.Webhook)) {
			one.Hook = k.PublicURL + "/hooks/" + company.ID + "/" + name
		}
		last, err := k.Desk.Deliveries(c.Request.Context(), record.Filter{Company: company.ID, Connection: name, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(last) > 0 {
			one.Last = &last[0]
		}
		if i := slices.IndexFunc(polls, func(p record.Poll) bool { return p.Connection == name }); i >= 0 && slices.Contains(one.Doors, string(connectors.Poll)) {
			one.Poll = &polls[i]
		}
		out = append(out, one)
	}
	return out, nil
}

// secrets tells when the secrets of the connections fitted last: those of the
// file in its order, then those that it has no more.
func (k *console) secrets(c *gin.Context, p *companyPage) error {
	uses, err := k.Desk.SecretUses(c.Request.Context(), p.Row.ID)
	if err != nil {
		return err
	}
	for i := range p.Connections {
		one := &p.Connections[i]
		for _, name := range p.Row.Company.Connections[one.Name].SecretNames() {
			use := record.SecretUse{Connection: one.Name, Secret: name}
			for _, u := range uses {
				if u.Connection == one.Name && u.Secret == name {
					use = u
				}
			}
			one.Secrets = append(one.Secrets, use)
		}
	}
	return nil
}

// hears reports whether webhooks come to a connector: one that a file describes
// could take them, whether its vendor sends any or not.
func hears(conn connectors.Connector) bool {
	d, ok := conn.(interface{ Door() connectors.Door })
	return !ok || d.Door() == connectors.Webhook
}

// doors names the doors of a connector.
func doors(conn connectors.Connector) []string {
	var out []string
	if _, ok := conn.(connectors.Receiver); ok && hears(conn) {
		out = append(out, string(connectors.Webhook))
	}
	if _, ok := conn.(connectors.Poller); ok {
		out = append(out, string(connectors.Poll))
	}
	if _, ok := conn.(connectors.Reader); ok {
		out = append(out, string(connectors.File))
	}
	return out
}

// A helpPage explains states, filters and commands.
type helpPage struct {
	*sheet
	Nouns    []noun
	Filters  []pair
	Version  string
	API      string
	Commands []string
}

// runbook is where each alert is explained.
const runbook = alerts.Runbook

// Runbook is where each alert is explained.
func (helpPage) Runbook() string { return runbook }

func (k *console) help(c *gin.Context, s *sheet) error {
	s.Nav, s.Title = "help", s.t("help.h1")
	p := helpPage{sheet: s, Nouns: nouns[:7], Version: k.Version, API: apiBase + "/openapi.json"}
	for _, word := range allWords() {
		p.Filters = append(p.Filters, pair{word, s.t("help.word." + word)})
	}
	k.render(c, http.StatusOK, "help", p)
	return nil
}
