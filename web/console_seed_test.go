package web_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/verify"
	"github.com/career-relay/connector/jobs"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/alerts"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/web"
)

// hostile is what an attacker would put into every field that reaches a page.
const hostile = `"><script>alert(1)</script>`

// An office is the address for operations over a database with a bit of
// everything.
type office struct {
	*site
	ops       web.Deps
	base      string
	firms     firms
	letters   *mail.Templates
	transport jobs.Transport
	cookie    string // of the session that get and post use
}

// firms are several companies, one of them with a file that never was good.
type firms struct {
	all    []*configs.Company
	shared *configs.Shared
	status []configs.Status
}

func (f *firms) Company(id string) (*configs.Company, error) {
	for _, c := range f.all {
		if c.ID == id {
			return c, nil
		}
	}
	return nil, ats.Errorf(ats.NotFound, "no company %s", id)
}
func (f *firms) Companies() []*configs.Company { return f.all }
func (f *firms) Shared() *configs.Shared       { return f.shared }
func (f *firms) Status() []configs.Status      { return f.status }
func (f *firms) SharedStatus() configs.Status  { return configs.Status{Company: "relay"} }

func firm(id, ja, en string, change func(*configs.Company)) *configs.Company {
	c := acme()
	c.ID, c.Name = id, relay.Names{JA: ja, EN: en}
	c.Mail.Sender.Name, c.Mail.From.Name = ja, ja+" 採用チーム"
	c.Connections = map[string]configs.Connection{"greenhouse": {Vendor: "greenhouse"}}
	c.Sending = sending.Defaults()
	c.Sending.Mode = sending.Live
	c.Retention = configs.Retention{Deliveries: ats.Duration(30 * 24 * time.Hour), Candidates: ats.Duration(180 * 24 * time.Hour), Mails: ats.Duration(365 * 24 * time.Hour)}
	change(c)
	return c
}

// newOffice serves an empty office. change may alter what it depends on.
func newOffice(tb testing.TB, change ...func(*office)) *office {
	tb.Helper()
	o := &office{site: newSite(tb)}
	var err error
	o.letters, err = mail.Load(nil)
	o.must(err)
	o.firms = firms{shared: o.shared, all: []*configs.Company{
		firm("acme", "株式会社アクメ", "Acme Inc.", func(c *configs.Company) {
			c.Mail.Transport = "sendgrid"
			c.Connections["herp"] = configs.Connection{Vendor: "herp-hire"}
		}),
		firm("hoshizora", "株式会社ほしぞら", "Hoshizora KK", func(c *configs.Company) { c.Sending.Mode = sending.DryRun }),
		firm("northwind", "Northwind KK", "Northwind KK", func(c *configs.Company) { c.Sending.Brake.Batch = 3 }),
	}}
	for _, c := range o.firms.all {
		o.firms.status = append(o.firms.status, configs.Status{Company: c.ID, File: "configs/" + c.ID + ".yaml", Hash: "4f1c0de", AppliedAt: morning.Add(-48 * time.Hour)})
	}
	o.ops = o.deps
	o.ops.Tenants, o.ops.Desk, o.ops.Files, o.ops.Accounts = &o.firms, o.store, o.store, o.store
	o.ops.OpsToken, o.ops.Version = "ops-secret", "v0.0.0-test"
	o.ops.PublicURL = "https://relay.example.jp"
	o.ops.Open = func(company, name string) (connectors.Connector, error) {
		if company == "acme" && name == "list" {
			return all.Factories()["csv"](connectors.Env{Now: o.ops.Now}, func(any) error { return nil })
		}
		if company == "acme" && name == "herp" {
			return nil, ats.Errorf(ats.Invalid, "api_key: required")
		}
		return vendor{scheme: verify.Token{Place: verify.Place{Header: "X-Key"}}, secrets: []connectors.Secret{{Value: "right"}}}, nil
	}
	o.ops.Clerk = &jobs.Clerk{
		Store: o.store, Tenants: &o.firms, Now: o.clock, PublicURL: o.ops.PublicURL,
		Open:      func(company, name string) (connectors.Connector, error) { return o.ops.Open(company, name) },
		Letters:   func(*configs.Company) (*mail.Templates, error) { return o.letters, nil },
		Transport: func(*configs.Company) (jobs.Transport, error) { return o.transport, nil },
	}
	o.transport = jobs.Transport{Transport: mail.Mailbox{}, Name: "mailbox"}
	for _, c := range change {
		c(o)
	}
	server := httptest.NewServer(web.Ops(o.ops))
	tb.Cleanup(server.Close)
	o.base = server.URL
	return o
}

// at sets the clock.
func (o *office) at(t time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = t
}

// deliver keeps a delivery and starts the job that reads it.
func (o *office) deliver(company, connection, body string) (record.Delivery, record.Job) {
	o.t.Helper()
	id, err := o.store.SaveDelivery(o.t.Context(), record.Arrival{
		Delivery: connectors.Delivery{
			Company: company, Connection: connection, Door: connectors.Webhook, Key: fmt.Sprint(body, o.clock().UnixNano()),
			Payload: connectors.Payload{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body), Received: o.clock()},
		},
		Vendor: "greenhouse", Disposition: record.New, Keep: 30 * 24 * time.Hour,
	})
	o.must(err)
	return record.Delivery{ID: id, Company: company, Connection: connection, Vendor: "greenhouse", Door: "webhook"}, o.start(company, id)
}

// start dispatches what is due and starts the job of a subject; the others go
// back.
func (o *office) start(company, subject string) record.Job {
	o.t.Helper()
	ctx := o.t.Context()
	for range 5 {
		for _, queue := range []string{record.LiveQueue, record.BulkQueue} {
			tickets, err := o.store.Dispatch(ctx, queue, map[string]int{company: 100})
			o.must(err)
			var found *record.Job
			for _, ticket := range tickets {
				j, err := o.store.StartJob(ctx, ticket.Job, ticket.Seq, time.Minute)
				o.must(err)
				if j.Subject == subject {
					found = &j
					continue
				}
				o.must(o.store.FinishJob(ctx, j, record.Outcome{State: record.JobWaiting, DueAt: j.DueAt}))
			}
			if found != nil {
				return *found
			}
		}
	}
	o.t.Fatalf("no job of %s is due", subject)
	return record.Job{}
}

// event is a rejection with something changed.
func (o *office) event(application string, change func(*ats.Event)) ats.Event {
	e := atstest.Rejection()
	e.Application, e.At = application, o.clock().Add(-time.Minute)
	e.Candidate.ID = "C-" + application
	e.Candidate.Email = ats.Email("person-" + application + "@example.jp")
	if change != nil {
		change(&e)
	}
	return e
}

// decide is what the worker's judge does, with the shipped letters.
func (o *office) decide(company string) record.Decider {
	return func(e ats.Event, known record.Known) (record.Ruling, error) {
		c, err := o.firms.Company(company)
		o.must(err)
		plan := sending.Decide(c.Sending, c.Calendar(), sending.Facts{
			Event: e, Previous: known.Previous, PreviousAt: known.PreviousAt, Now: o.clock(),
			Volume: sending.Volume{LastHour: known.LastHour, LastDay: known.LastDay, BusiestDay: known.BusiestDay}, Suppressed: known.Suppressed, Written: known.Written,
		})
		r := record.Ruling{Action: string(plan.Action), Code: plan.Code, Stale: plan.Stale, Cancel: plan.Cancel, Due: plan.Due, StopAll: plan.Code == sending.CodeBrakeVolume}
		for _, check := range plan.Checks {
			r.Checks = append(r.Checks, record.Check{Code: check.Code, OK: check.OK, Detail: check.Detail})
		}
		if plan.Action == sending.None {
			return r, nil
		}
		link := record.Link{Token: consent.NewToken(), Kind: record.RelayLink, Expires: o.clock().Add(consent.RelayLinkLife), Locale: "ja"}
		stop := record.Link{Token: consent.NewToken(), Kind: record.StopLink, Expires: o.clock().Add(consent.RelayLinkLife), Locale: "ja"}
		m, err := o.letters.Thanks(c.Mail, mail.Letter{
			CompanyID: company, CompanyName: c.Name.In("ja"), Event: e, Locale: "ja", Zone: c.Zone(), SendID: consent.NewToken(),
			RelayURL: o.url + "/r/" + link.Token, RelayUntil: link.Expires, UnsubscribeURL: o.url + "/u/" + stop.Token,
		})
		o.must(err)
		r.Mail, r.Links = &m, []record.Link{link, stop}
		return r, nil
	}
}

// tell lets an event come in and returns the delivery.
func (o *office) tell(company string, e ats.Event) record.Delivery {
	o.t.Helper()
	d, j := o.deliver(company, "greenhouse", fmt.Sprintf(`{"application":{"id":%q},"secret_of":"%s"}`, e.Application, string(e.Candidate.Email)))
	_, err := o.store.Accept(o.t.Context(), j, d, []ats.Event{e}, record.Limits{Hour: 60, Day: 60}, o.decide(company))
	o.must(err)
	return d
}

// app returns the application with a vendor's id.
func (o *office) app(id string) record.Application {
	o.t.Helper()
	a, err := o.store.Application(o.t.Context(), id, false)
	o.must(err)
	return a
}

// mailOf returns the result mail of an application.
func (o *office) mailOf(application string) record.Mail {
	o.t.Helper()
	found, err := o.store.Mails(o.t.Context(), record.Filter{Application: application, Purpose: string(mail.ThankYou)})
	o.must(err)
	if len(found) != 1 {
		o.t.Fatalf("application %s has %d result mails", application, len(found))
	}
	return found[0]
}

// send carries a mail's job out when it is due.
func (o *office) send(application string, how record.Settlement) {
	o.t.Helper()
	m := o.mailOf(application)
	if m.DueAt.After(o.clock()) {
		o.at(m.DueAt)
	}
	j := o.start(m.Company, m.ID)
	if how.State != record.MailCancelled {
		attempt, err := o.store.ClaimMail(o.t.Context(), j, m.ID, "sendgrid")
		o.must(err)
		how.Attempt = attempt
	}
	o.must(o.store.SettleMail(o.t.Context(), j, m.ID, how))
}

// report lets the mail provider say something about a mail.
func (o *office) report(application string, kinds ...mail.Kind) {
	o.t.Helper()
	m := o.mailOf(application)
	d, j := o.deliver(m.Company, "mail", "events")
	var words []mail.Feedback
	for i, kind := range kinds {
		words = append(words, mail.Feedback{EventID: fmt.Sprint(m.ID, i), SendID: m.SendID, Kind: kind, At: o.clock().Add(time.Duration(i+3) * time.Second)})
	}
	_, err := o.store.Report(o.t.Context(), j, d.ID, words)
	o.must(err)
}

// registers lets the person of an application register and confirm.
func (o *office) registers(company, application string, agree ...consent.Purpose) {
	o.t.Helper()
	ctx := o.t.Context()
	_, m, err := o.store.Letter(ctx, o.mailOf(application).ID)
	o.must(err)
	link, err := o.store.FindLink(ctx, record.RelayLink, o.linkIn(m))
	o.must(err)
	var texts []consent.Text
	for _, purpose := range agree {
		texts = append(texts, o.shown(purpose, "ja"))
	}
	answer := func(purpose mail.Purpose) mail.Message {
		return mail.Message{SendID: consent.NewToken(), Company: company, Purpose: purpose, To: m.To, From: m.From, Subject: "登録", Text: "登録", HTML: "<p>登録</p>", Template: string(purpose), Version: "1", Locale: "ja"}
	}
	token := ""
	_, err = o.store.Register(ctx, record.Registration{
		Link: link, Profile: relay.Profile{Name: m.To.Name, Email: m.To.Address, Occupation: "engineering", Locale: "ja"}, Consents: texts, Keep: 7 * 24 * time.Hour,
		Confirm: func(t string) (mail.Message, error) { token = t; return answer(mail.RelayConfirm), nil },
	})
	o.must(err)
	o.wait(3 * time.Minute)
	confirm, err := o.store.FindLink(ctx, record.ConfirmLink, token)
	o.must(err)
	o.must(o.store.Confirm(ctx, record.Confirmation{
		Link: confirm, Policy: credit.DefaultPolicy(), Recipients: []string{"links"}, MyExpires: o.clock().Add(time.Hour),
		Receipt: func(relay.Profile, []record.Consent, string) (mail.Message, error) {
			return answer(mail.RelayReceipt), nil
		},
	}))
}

// handOverNext ends the hand-over that waits in a company.
func (o *office) handOverNext(company string, h record.Handed) {
	o.t.Helper()
	waiting, err := o.store.Referrals(o.t.Context(), record.Filter{Company: company, State: "waiting"})
	o.must(err)
	j := o.start(company, waiting[0].ID)
	o.must(o.store.SettleReferral(o.t.Context(), j, waiting[0], h))
}

// sent is how a mail is settled that its transport took.
var sent = record.Settlement{State: record.MailSent, ProviderID: "prov-1", Job: record.Outcome{State: record.JobDone}}

// noon is when the seeded office is looked at: Friday, 14:32 in Tokyo.
var noon = time.Date(2026, 11, 20, 5, 32, 8, 0, time.UTC)

// seed fills the office with a week's work: something in every state.
func (o *office) seed() {
	o.t.Helper()
	ctx := o.t.Context()

	o.at(noon.AddDate(0, 0, -3))
	o.tell("acme", o.event("48213377", func(e *ats.Event) {
		e.Candidate.Name, e.Candidate.FamilyName, e.Candidate.GivenName, e.Candidate.Email = "髙橋 美咲", "髙橋", "美咲", "misaki@example.jp"
		e.Job.Title = "シニアバックエンドエンジニア"
	}))
	o.send("48213377", sent)
	o.wait(7 * time.Second)
	o.report("48213377", mail.Processed, mail.Delivered)
	o.wait(9 * time.Hour)
	o.registers("acme", "48213377", consent.RelayHandover, consent.EmployerIntroduction)
	o.handOverNext("acme", record.Handed{State: record.ReferralHandedOver, Reference: "L-42", Fields: []string{"name", "email", "occupation"}, Policy: credit.DefaultPolicy(), Job: record.Outcome{State: record.JobDone}})

	o.at(noon.AddDate(0, 0, -2))
	o.tell("acme", o.event("48213380", nil))
	o.send("48213380", sent)
	o.registers("acme", "48213380", consent.RelayHandover, consent.TellCompany)
	o.handOverNext("acme", record.Handed{State: record.ReferralFailed, Reason: "the recipient answers 422: prefecture is required", Job: record.Outcome{State: record.JobDead, Error: "the recipient answers 422", Fault: ats.Invalid, Consumed: true}})

	o.at(noon.AddDate(0, 0, -1).Add(-5 * time.Hour))
	o.tell("acme", o.event("48213381", func(e *ats.Event) { e.Side, e.State = ats.Applicant, ats.Withdrawn }))
	o.tell("acme", o.event("48213382", nil))
	o.wait(time.Hour)
	o.tell("acme", o.event("48213382", func(e *ats.Event) { e.State, e.Side = ats.Reopened, ats.Company }))
	o.tell("acme", o.event("48213383", nil))
	o.send("48213383", record.Settlement{State: record.MailUnclear, Reason: "the answer was cut off", Detail: "read: connection reset", Job: record.Outcome{State: record.JobUnclear, Error: "the answer was cut off", Fault: ats.Unclear, Consumed: true}})
	o.tell("acme", o.event("48213384", nil))
	o.send("48213384", record.Settlement{State: record.MailFailed, Reason: "the transport answers 400", Detail: "the transport answers 400", Job: record.Outcome{State: record.JobDead, Error: "the transport answers 400", Fault: ats.Invalid, Consumed: true}})

	o.at(noon.Add(-4 * time.Hour))
	o.tell("hoshizora", o.event("7001", func(e *ats.Event) { e.At = o.clock().AddDate(0, 0, -2) }))
	o.send("7001", record.Settlement{State: record.MailCancelled, Reason: sending.CodeDryRun, Job: record.Outcome{State: record.JobDone}})
	o.at(noon.Add(-3 * time.Hour))
	for i := range 5 {
		o.tell("northwind", o.event(fmt.Sprint("N-", i), func(e *ats.Event) { e.Job.Title = "2027年新卒 総合職" }))
	}
	for i := range 3 {
		o.wait(time.Minute)
		d, j := o.deliver("acme", "greenhouse", fmt.Sprintf(`{"action":"unknown","n":%d}`, i))
		o.must(o.store.Park(ctx, j, d.ID, record.Parked, "no rule knows this payload", record.Outcome{State: record.JobDead, Error: "no rule knows this payload", Fault: ats.Invalid, Consumed: true}))
	}
	_, err := o.store.SaveDelivery(ctx, record.Arrival{
		Delivery: connectors.Delivery{Company: "acme", Connection: "greenhouse", Door: connectors.Webhook, Key: "refused", Payload: connectors.Payload{Body: []byte(`{}`), Received: o.clock()}},
		Vendor:   "greenhouse", Disposition: record.Quarantined, Reason: "the signature does not fit", Keep: 72 * time.Hour,
	})
	o.must(err)
	o.tell("acme", o.event("EVIL-1", func(e *ats.Event) {
		e.Job.Title, e.Stage, e.Evidence, e.Status, e.Candidate.Name = hostile, hostile, hostile, hostile, "山田 "+hostile
	}))
	d, j := o.deliver("acme", "greenhouse", hostile)
	o.must(o.store.Park(ctx, j, d.ID, record.Parked, hostile, record.Outcome{State: record.JobDead, Error: hostile, Fault: ats.Invalid, Consumed: true}))
	o.tell("acme", o.event("48213390", func(e *ats.Event) { e.Job.Title = "広報" }))
	_, err = o.store.RetryJobs(ctx, record.Order{Actor: record.Actor{Name: "user:megumi", Role: record.Operator}, Filter: record.Filter{Company: "acme", Error: "no rule"}, Reason: "mapping repaired"})
	o.must(err)
	o.alarms()
	o.firms.status[0].Errors = []string{"configs/acme.yaml:23:5: windows: no such key; did you mean window?"}
	o.firms.status = append(o.firms.status, configs.Status{Company: "aoba", File: "configs/aoba.yaml", Errors: []string{"configs/aoba.yaml:1:1: company: required"}})
	o.at(noon)
}

// rerun starts a batch over the dead jobs and lets it make its first step.
func (o *office) rerun() {
	o.t.Helper()
	_, err := o.store.Rerun(o.t.Context(), record.Rerun{Order: record.Order{Actor: record.Actor{Name: "user:ryo"}, Filter: record.Filter{State: "dead"}, Reason: "the provider is back"}, Verb: "retry", Noun: "job", Rate: 1}, nil)
	o.must(err)
	o.stepBatches()
}

// stepBatches lets the workers do one step of every batch.
func (o *office) stepBatches() {
	o.t.Helper()
	ctx := o.t.Context()
	tickets, err := o.store.Dispatch(ctx, record.BulkQueue, map[string]int{"": 10})
	o.must(err)
	for _, ticket := range tickets {
		j, err := o.store.StartJob(ctx, ticket.Job, ticket.Seq, time.Minute)
		o.must(err)
		_, err = o.store.StepBatch(ctx, j, nil)
		o.must(err)
	}
}

// alarms tells of what is wrong by now; one alert is over.
func (o *office) alarms() {
	o.t.Helper()
	over := alerts.Condition{Company: "hoshizora", Kind: alerts.PollBrake}
	now := []alerts.Condition{
		{Company: "acme", Kind: alerts.Silence, Subject: "greenhouse", Since: noon.AddDate(0, 0, -20)},
		{Company: "northwind", Kind: alerts.VolumeBrake, Since: o.clock()},
		{Kind: alerts.Licence, Subject: "links", Stage: 2, EndsAt: noon.AddDate(0, 0, 29)},
	}
	for i, holds := range [][]alerts.Condition{append(now, over), now, now} {
		at := noon.Add(time.Duration(i-3) * 10 * time.Minute)
		_, err := o.store.Alarm(o.t.Context(), func(open []alerts.Alert) []alerts.Change { return alerts.Step(open, holds, nil, at) }, func(alerts.Alert) []string { return nil })
		o.must(err)
	}
}

// login makes a user and logs in.
func (o *office) login(role record.Role) {
	o.t.Helper()
	name := "megumi-" + string(role)
	_, err := o.store.AddUser(o.t.Context(), record.System, name, "a long password", role)
	o.must(err)
	o.cookie = ""
	res := o.postOps("/login", url.Values{"name": {name}, "password": {"a long password"}})
	if res.code != http.StatusSeeOther {
		o.t.Fatalf("login: status %d\n%s", res.code, res.body)
	}
	o.cookie, _, _ = strings.Cut(strings.TrimPrefix(res.header.Get("Set-Cookie"), "careerrelay_session="), ";")
}

// ask sends a request to the address for operations.
func (o *office) ask(method, path, body string, change ...func(*http.Request)) page {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.base+path, strings.NewReader(body))
	o.must(err)
	if o.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "careerrelay_session", Value: o.cookie})
	}
	for _, c := range change {
		c(r)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	o.must(err)
	defer func() { _ = res.Body.Close() }()
	return page{res.StatusCode, res.Header, readAll(o.t, res.Body)}
}

func (o *office) show(path string, lang string) page {
	o.t.Helper()
	return o.ask(http.MethodGet, path, "", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "careerrelay_language", Value: lang}) })
}

// postOps sends a form as a browser does from one of our pages.
func (o *office) postOps(path string, form url.Values, change ...func(*http.Request)) page {
	o.t.Helper()
	if o.cookie != "" && form.Get("csrf") == "" {
		form.Set("csrf", o.csrf())
	}
	return o.ask(http.MethodPost, path, form.Encode(), append([]func(*http.Request){func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", o.base)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}}, change...)...)
}

// csrf reads the token that our pages put into their forms.
func (o *office) csrf() string {
	o.t.Helper()
	_, rest, ok := strings.Cut(o.ask(http.MethodGet, "/help", "").body, `name="csrf" value="`)
	if !ok {
		o.t.Fatal("the help page has no form")
	}
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

// api calls the API with a token.
func (o *office) api(method, path, body, token string) page {
	o.t.Helper()
	return o.ask(method, "/api/v1"+path, body, func(r *http.Request) {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

// token makes an API token of a role.
func (o *office) token(role record.Role) string {
	o.t.Helper()
	name := "robot-" + string(role)
	_, err := o.store.AddUser(context.Background(), record.System, name, "a long password", role)
	o.must(err)
	token, err := o.store.AddToken(context.Background(), record.System, name, "test", role)
	o.must(err)
	return token
}

// paths lists every page of the console with an example in it.
func (o *office) paths() map[string]string {
	o.t.Helper()
	ctx := o.t.Context()
	sentMail, app := o.mailOf("48213377"), o.app("48213377")
	paths := map[string]string{
		"overview": "/", "mailbox": "/mailbox", "help": "/help",
		"deliveries": "/deliveries", "applications": "/applications", "jobs": "/jobs", "mails": "/mails", "referrals": "/referrals",
		"consents": "/consents", "credits": "/credits", "credit": "/credits/acme", "companies": "/companies", "batches": "/batches", "audit": "/audit",
		"company": "/companies/acme", "company_broken": "/companies/aoba", "company_braked": "/companies/northwind",
		"jobs_dead": "/jobs?state=dead", "mails_stopped": "/mails?company=northwind&state=stopped", "mails_due": "/mails?order=due&state=held",
		"application": "/applications/" + app.ID, "application_held": "/applications/48213390", "application_reopened": "/applications/48213382", "application_evil": "/applications/EVIL-1",
		"mail": "/mails/" + sentMail.ID, "mail_unclear": "/mails/" + o.mailOf("48213383").ID, "mail_held": "/mails/" + o.mailOf("48213390").ID, "mail_evil": "/mails/" + o.mailOf("EVIL-1").ID,
		"person": "/people/" + app.PersonID, "jobs_retry": "/jobs/retry?state=dead&company=acme", "jobs_cancel": "/jobs/cancel?company=acme&state=dead",
		"deliveries_replay": "/deliveries/replay?company=acme&state=parked", "mails_release": "/mails/release?company=northwind&state=stopped",
		"mails_stop": "/mails/stop?company=acme&state=held", "mails_cancel": "/mails/cancel?company=acme", "mails_resolve": "/mails/resolve?state=unclear",
		"referrals_retry": "/referrals/retry?state=failed", "jobs_none": "/jobs?state=dead&company=hoshizora",
	}
	told, err := o.store.Alerts(ctx, record.Filter{})
	o.must(err)
	for _, a := range told {
		paths["alert_"+string(a.Kind)] = "/alerts/" + a.ID
	}
	paths["alerts"], paths["alerts_open"], paths["alerts_kind"] = "/alerts", "/alerts?state=open", "/alerts?kind=licence"
	deliveries, err := o.store.Deliveries(ctx, record.Filter{State: "parked"})
	o.must(err)
	paths["delivery"] = "/deliveries/" + deliveries[0].ID
	deliveries, err = o.store.Deliveries(ctx, record.Filter{Application: "48213377"})
	o.must(err)
	paths["delivery_decoded"] = "/deliveries/" + deliveries[0].ID
	jobs, err := o.store.Jobs(ctx, record.Filter{State: "dead"})
	o.must(err)
	i := slices.IndexFunc(jobs, func(j record.Job) bool { return j.Error == hostile })
	paths["job"] = "/jobs/" + jobs[i].ID
	referrals, err := o.store.Referrals(ctx, record.Filter{State: "handed_over"})
	o.must(err)
	paths["referral"] = "/referrals/" + referrals[0].ID
	consents, err := o.store.Consents(ctx, record.Filter{Person: app.PersonID})
	o.must(err)
	paths["consent"] = "/consents/" + consents[0].ID
	batches, err := o.store.Batches(ctx, record.Filter{})
	o.must(err)
	paths["batch"] = "/batches/" + batches[0].ID
	for _, b := range batches {
		if b.State == record.BatchRunning {
			paths["batch_steps"] = "/batches/" + b.ID
		}
	}
	paths["delivery_compared"] = paths["delivery_decoded"] + "?compare=1"
	maps.Copy(paths, map[string]string{
		"graves": "/dead-letters", "graves_none": "/dead-letters?company=hoshizora", "hold": "/hold", "hold_held": "/hold?id=" + o.mailOf("48213390").ID, "hold_unclear": "/hold?view=unclear",
		"hold_none": "/hold?company=hoshizora", "brake": "/hold/brakes/northwind", "mails_retry": "/mails/retry?state=failed", "mails_send": "/mails/send?id=" + o.mailOf("48213390").ID,
		"deliveries_release": "/deliveries/release?state=quarantined", "deliveries_quarantined": "/deliveries?state=quarantined", "delivery_replay": "/deliveries/replay?id=" + deliveries[0].ID,
	})
	return paths
}
