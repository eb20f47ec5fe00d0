package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/alerts"
)

// The channels: of whoever is on duty for the service, and of the company.
const (
	dutyMail     = "duty:mail"
	dutySlack    = "duty:slack"
	dutyWebhook  = "duty:webhook"
	companyMail  = "company:mail"
	companySlack = "company:slack"
)

// channels are the channels through which an alert is told. Nobody is told
// twice in the same place.
func (w *Worker) channels(a alerts.Alert) []string {
	duty := w.Tenants.Shared().Alerts
	var company configs.Alerts
	if c, err := w.Tenants.Company(a.Company); err == nil {
		company = c.Alerts
	}
	var out []string
	for _, c := range []struct {
		name string
		on   bool
	}{
		{dutyMail, duty.To != ""},
		{dutySlack, duty.Slack != ""},
		{dutyWebhook, duty.Webhook != nil},
		{companyMail, company.To != "" && company.To != duty.To},
		{companySlack, company.Slack != "" && company.Slack != duty.Slack},
	} {
		if c.on {
			out = append(out, c.name)
		}
	}
	return out
}

// errNoChannel ends a notice whose channel was taken out of the configuration.
var errNoChannel = errors.New("the channel is not configured any more")

// notice tells one word about an alert through one channel. To tell it twice
// does no harm, so whatever is in doubt is repeated.
func (w *Worker) notice(ctx context.Context, j record.Job) (record.JobState, error) {
	n, err := w.Store.Notice(ctx, j.Subject)
	if err != nil {
		return "", err
	}
	switch err := w.tell(ctx, n); {
	case errors.Is(err, errNoChannel):
		return w.finish(ctx, j, record.Outcome{State: record.JobCancelled, Error: err.Error()})
	case err != nil:
		return "", err
	}
	return w.finish(context.WithoutCancel(ctx), j, record.Outcome{State: record.JobDone})
}

// tell sends a notice on its way.
func (w *Worker) tell(ctx context.Context, n record.Notice) error {
	shared := w.Tenants.Shared()
	duty := shared.Alerts
	var own configs.Alerts
	company, err := w.Tenants.Company(n.Alert.Company)
	if err == nil {
		own = company.Alerts
	} else {
		company = nil
	}
	switch letter := write(n, shared, company); n.Channel {
	case dutyMail:
		return w.tellByMail(ctx, n, letter, duty.To)
	case companyMail:
		return w.tellByMail(ctx, n, letter, own.To)
	case dutySlack:
		return w.tellByChat(ctx, n, letter, duty.Slack)
	case companySlack:
		return w.tellByChat(ctx, n, letter, own.Slack)
	case dutyWebhook:
		return w.tellByHook(ctx, n, letter, duty.Webhook)
	}
	return errNoChannel
}

// A letter is a notice in the words of whoever gets it.
type letter struct {
	about    string // the company's name, or the service's
	headline string
	text     string
	advice   string // what to do; "" when it is over
	runbook  string
	console  string // the alert's page; "" when it is not known where that is
	locale   string
}

// service is what the service calls itself.
var service = relay.Names{JA: "キャリアリレー", EN: "Career Relay"}

// write puts a notice into words, in the language of its channel. company is
// nil for what concerns the service, and for a company that is not in force.
func write(n record.Notice, shared *configs.Shared, company *configs.Company) letter {
	l := letter{locale: shared.Alerts.Locale, runbook: n.Alert.Kind.Runbook()}
	zone, name := time.FixedZone("JST", 9*60*60), service
	switch {
	case company != nil:
		zone, name = company.Zone(), company.Name
		if n.Channel == companyMail || n.Channel == companySlack {
			l.locale = company.Locale
		}
	case n.Alert.Company != "":
		name = relay.Names{JA: n.Alert.Company}
	}
	l.about = name.In(l.locale)
	l.headline, l.text = n.Alert.Headline(n.Word, l.locale, l.about), n.Alert.Text(l.locale, zone)
	if n.Word != alerts.Resolved {
		l.advice = alerts.Advice(n.Alert.Kind, l.locale)
	}
	if base := shared.Access.Console; base != "" {
		l.console = strings.TrimRight(base, "/") + "/alerts/" + n.Alert.ID
	}
	return l
}

// lines are the letter below its headline.
func (l letter) lines() []string {
	var out []string
	for _, line := range []string{l.text, l.advice, l.runbook, l.console} {
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}

// alertPurpose is the purpose of a mail about an alert. It is not one of the
// outbox, and nobody can opt out of it.
const alertPurpose mail.Purpose = "alert"

func (w *Worker) tellByMail(ctx context.Context, n record.Notice, l letter, to ats.Email) error {
	if to == "" {
		return errNoChannel
	}
	transport, from, err := w.Post(ctx, n.Alert.Company)
	if err != nil {
		return err
	}
	var body strings.Builder
	for _, line := range append([]string{l.headline}, l.lines()...) {
		body.WriteString("<p>" + html.EscapeString(line) + "</p>\n")
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	_, err = transport.Send(ctx, mail.Message{
		SendID: n.ID, Company: n.Alert.Company, Purpose: alertPurpose, From: mail.Address{Address: from, Name: service.In(l.locale)}, To: mail.Address{Address: to},
		Subject: l.headline, Text: strings.Join(l.lines(), "\n\n") + "\n", HTML: `<!doctype html><html lang="` + l.locale + `"><meta charset="utf-8"><body>` + "\n" + body.String() + "</body></html>\n",
		Header: map[string]string{"Auto-Submitted": "auto-generated"}, Template: string(alertPurpose), Version: "1", Locale: l.locale,
	})
	return err
}

// chatMarks are what Slack reads as marks.
var chatMarks = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (w *Worker) tellByChat(ctx context.Context, n record.Notice, l letter, address ats.Secret) error {
	if address == "" {
		return errNoChannel
	}
	return w.Relay.Say(ctx, n.Channel, address, "*"+chatMarks.Replace(l.headline)+"*\n"+chatMarks.Replace(strings.Join(l.lines(), "\n")))
}

// A hookBody is what a webhook about an alert carries.
type hookBody struct {
	Type      string    `json:"type"` // alert.opened, alert.reminded, alert.resolved
	Timestamp time.Time `json:"timestamp"`
	Data      hookData  `json:"data"`
}

type hookData struct {
	alerts.Alert
	CompanyName string `json:"company_name,omitempty"`
	Headline    string `json:"headline"`
	Text        string `json:"text"`
	Advice      string `json:"advice,omitempty"`
	Runbook     string `json:"runbook"`
	URL         string `json:"url,omitempty"`
}

func (w *Worker) tellByHook(ctx context.Context, n record.Notice, l letter, hook *relay.Hook) error {
	if hook == nil {
		return errNoChannel
	}
	b := hookBody{Type: "alert." + string(n.Word), Timestamp: n.CreatedAt, Data: hookData{Alert: n.Alert, Headline: l.headline, Text: l.text, Advice: l.advice, Runbook: l.runbook, URL: l.console}}
	if n.Alert.Company != "" {
		b.Data.CompanyName = l.about
	}
	body, err := json.Marshal(b)
	if err != nil {
		return ats.Errorf(ats.Invalid, "the notice cannot be written as JSON")
	}
	return w.Relay.Notify(ctx, n.Channel, *hook, n.ID, body)
}
