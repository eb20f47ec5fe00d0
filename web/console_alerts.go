package web

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
)

func alertKinds() []string {
	var out []string
	for _, k := range alerts.Kinds() {
		out = append(out, string(k))
	}
	return out
}

// onlyTold are the alerts that the overview knows only from being told; of the
// others it shows the numbers as they are now.
var onlyTold = map[alerts.Kind]bool{alerts.Silence: true, alerts.PollSilence: true, alerts.QueueOld: true, alerts.Certificate: true, alerts.Licence: true}

// told is an alert in the list of what needs a person.
func (p *overviewPage) told(a alerts.Alert) alert {
	shape := "warn"
	if a.Kind == alerts.QueueOld {
		shape = "stop"
	}
	return alert{
		Chip: chip(shape, p.AlertName(a)), Text: p.AlertText(a), More: alerts.Advice(a.Kind, p.Lang), Meta: p.t("alert.since", "at", p.At(a.OpenedAt), "span", p.Since(a.OpenedAt)),
		URL: "/alerts/" + url.PathEscape(a.ID), Button: p.t("alert.show"), of: a.Company,
	}
}

// AlertName names what an alert is.
func (s *sheet) AlertName(a alerts.Alert) string { return alerts.Name(a.Kind, s.Lang) }

// AlertText says what an alert is about, and of whom.
func (s *sheet) AlertText(a alerts.Alert) string {
	if a.Company == "" {
		return a.Text(s.Lang, s.zone)
	}
	return s.Company(a.Company) + s.t("colon") + a.Text(s.Lang, s.zone)
}

// AlertAdvice says what to do about an alert.
func (s *sheet) AlertAdvice(a alerts.Alert) string { return alerts.Advice(a.Kind, s.Lang) }

// AlertState is the state of an alert now.
func (s *sheet) AlertState(a alerts.Alert) string { return a.State(s.Now) }

func (k *console) alertList(c *gin.Context, s *sheet) error {
	return listing(k, c, s, alertNoun, k.Desk.Alerts, func(a alerts.Alert) string { return a.ID })
}

// An alertPage is one alert and what was done about it.
type alertPage struct {
	*sheet
	Row    alerts.Alert
	Where  string // the page of what it is about
	Audit  []record.Audit
	Reason string
	Err    string
}

func (k *console) alertPage(c *gin.Context, s *sheet) error {
	return k.showAlert(c, s, http.StatusOK, "")
}

func (k *console) showAlert(c *gin.Context, s *sheet, code int, problem string) error {
	ctx := c.Request.Context()
	row, err := k.alert(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	p := alertPage{sheet: s, Row: row.Alert, Where: where(row.Alert), Err: problem}
	if p.Audit, err = k.history(ctx, row.ID); err != nil {
		return err
	}
	s.of(row.Company)
	s.Nav = alertNoun.Path
	s.Title = s.AlertText(row.Alert)
	k.render(c, code, "alert", p)
	return nil
}

// where is the page on which something can be done about an alert.
func where(a alerts.Alert) string {
	q := url.Values{}
	if a.Company != "" {
		q.Set("company", a.Company)
	}
	switch a.Kind {
	case alerts.JobsDead:
		q.Set("state", "dead")
		return "/jobs?" + q.Encode()
	case alerts.Parked:
		q.Set("state", "parked")
		return "/deliveries?" + q.Encode()
	case alerts.Unclear:
		q.Set("state", "unclear")
		return "/mails?" + q.Encode()
	case alerts.VolumeBrake:
		q.Set("state", "stopped")
		return "/mails?" + q.Encode()
	default: // on the company's page
	}
	if a.Company != "" {
		return "/companies/" + url.PathEscape(a.Company)
	}
	return ""
}

// muteAlert keeps an alert from reminding, or lets it again.
func (k *console) muteAlert(on bool) showing {
	return func(c *gin.Context, s *sheet) error {
		id := c.Param("id")
		_, err := k.mute(c.Request.Context(), s.Who.Actor, id, c.Request.PostForm.Get("reason"), on)
		if ats.FaultOf(err) == ats.Invalid {
			return k.showAlert(c, s, http.StatusBadRequest, s.t("reason.missing"))
		}
		if err != nil {
			return err
		}
		c.Redirect(http.StatusSeeOther, "/alerts/"+url.PathEscape(id))
		return nil
	}
}

// releaseBrake lets the mails of a company go again.
func (k *console) releaseBrake(c *gin.Context, s *sheet) error {
	id, form := c.Param("id"), c.Request.PostForm
	if err := k.release(c.Request.Context(), s.Who.Actor, id, form.Get("kind"), form.Get("reason")); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/companies/"+url.PathEscape(id))
	return nil
}
