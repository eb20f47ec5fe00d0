package web

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A holdPage is what leaves next, with one mail opened.
type holdPage struct {
	*sheet
	Views   []link
	Braked  []record.Brake
	Rows    []record.Mail
	Open    *record.Mail
	Letter  mailView
	Verbs   []verbLink
	Edit    bool
	Asks    bool // the provider can be asked, perhaps
	Line    string
	Reason  string
	Err     string
	Older   string
	Newest  string
	address url.Values
}

// holdViews are the parts of the hold queue: what waits for its time, and what
// waits for a person and why.
var holdViews = []struct{ name, state, reason string }{
	{"due", "held", ""},
	{"brake", "stopped", "brake_volume"},
	{"stopped", "stopped", ""},
	{"unclear", "unclear", ""},
	{"failed", "failed", ""},
}

func (k *console) hold(c *gin.Context, s *sheet) error {
	return k.showHold(c, s, http.StatusOK, c.Query("id"), "", "", "")
}

func (k *console) showHold(c *gin.Context, s *sheet, code int, id, line, reason, problem string) error {
	ctx, name, company := c.Request.Context(), c.Query("view"), c.Query("company")
	at := max(slices.IndexFunc(holdViews, func(v struct{ name, state, reason string }) bool { return v.name == name }), 0)
	view := holdViews[at]
	p := holdPage{sheet: s, Line: line, Reason: reason, Err: problem, address: url.Values{"view": {view.name}}}
	if company != "" {
		p.address.Set("company", company)
	}
	f := record.Filter{Company: company, State: view.state, Error: view.reason, Order: record.ByDue, After: c.Query("after"), Limit: 30}
	page, err := fetch(ctx, f, k.Desk.Mails, func(m record.Mail) string { return m.ID })
	if err != nil {
		return err
	}
	if p.Rows = page.Items; page.Next != "" {
		p.Older = p.to("after", page.Next)
	}
	if f.After != "" {
		p.Newest = p.to("", "")
	}
	open := s.Beat.Of(company).Mails
	for _, v := range holdViews {
		l := link{Text: s.t("hold.view." + v.name), URL: "/hold?" + url.Values{"view": {v.name}, "company": {company}}.Encode(), Active: v.name == view.name}
		if v.reason == "" {
			l.Count = open[v.state]
		}
		p.Views = append(p.Views, l)
	}
	for _, b := range s.Beat.Brakes {
		if b.Kind == "volume" && (company == "" || b.Company == company) {
			p.Braked = append(p.Braked, b)
		}
	}
	if id == "" && len(p.Rows) > 0 {
		id = p.Rows[0].ID
	}
	if id != "" {
		if err := k.openHeld(c, s, &p, id); err != nil {
			return err
		}
	}
	s.of(company)
	s.Nav = "hold"
	s.Title = s.t("hold.h1", "count", s.Count("mail", waiting(s.Beat.Of(company))))
	k.render(c, code, "hold", p)
	return nil
}

// openHeld shows one mail beside the list.
func (k *console) openHeld(c *gin.Context, s *sheet, p *holdPage, id string) error {
	m, err := k.Desk.Mail(c.Request.Context(), id)
	if err != nil {
		return err
	}
	p.Open, p.Verbs = &m, s.verbsOf(mailNoun, mailState(m), id)
	if p.Letter, err = k.letter(c, s, id, p.to("id", id)+"&"); err != nil {
		return err
	}
	p.Letter.View, p.Letter.In = viewOf(c.Query("show")), "hold"
	for i, v := range views {
		p.Letter.Views[i].URL, p.Letter.Views[i].Active = p.to("id", id)+"&show="+v+"#letter", v == p.Letter.View
	}
	p.Edit = s.May() && m.State == record.MailHeld && m.Purpose == "thank_you" && p.Letter.Message != nil
	p.Asks = s.May() && m.State == record.MailUnclear
	if p.Edit && p.Err == "" {
		p.Line = p.Letter.Message.PersonalLine
	}
	return nil
}

// viewOf is one of the ways to look at a mail.
func viewOf(name string) string {
	if slices.Contains(views, name) {
		return name
	}
	return views[0]
}

func (p holdPage) to(word, value string) string {
	q := maps.Clone(p.address)
	if word != "" {
		q.Set(word, value)
	}
	return "/hold?" + q.Encode()
}

// Address opens a mail of the list.
func (p holdPage) Address(m record.Mail) string { return p.to("id", m.ID) + "#letter" }

// Upcoming reports whether the next mail leaves later than now.
func (p holdPage) Upcoming() bool { return p.Beat.NextMail.After(p.Now) }

// Letters counts the characters of the personal line.
func (p holdPage) Letters() int { return len([]rune(p.Line)) }

// editPage writes a mail anew with another personal line.
func (k *console) editPage(c *gin.Context, s *sheet) error {
	id, form := c.Param("id"), c.Request.PostForm
	line, reason := form.Get("line"), form.Get("reason")
	_, err := k.edit(c.Request.Context(), s.Who.Actor, id, line, reason)
	switch ats.FaultOf(err) {
	case ats.Invalid, ats.Conflict:
		return k.showHold(c, s, status(err), id, line, reason, err.Error())
	default:
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/hold?id="+url.QueryEscape(id)+"#letter")
	return nil
}

// askPage asks the provider about a mail.
func (k *console) askPage(c *gin.Context, s *sheet) error {
	id, reason := c.Param("id"), c.Request.PostForm.Get("reason")
	_, err := k.ask(c.Request.Context(), s.Who.Actor, id, reason)
	switch ats.FaultOf(err) {
	case ats.Invalid, ats.Conflict, ats.NotFound, ats.Busy:
		return k.showHold(c, s, http.StatusConflict, id, "", reason, err.Error())
	default:
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/mails/"+url.PathEscape(id))
	return nil
}

// A brakePage is what a volume brake has stopped, for two persons to decide.
type brakePage struct {
	*sheet
	Brake   record.Brake
	Rows    []record.Mail
	More    bool
	Total   int // of what it stopped
	Batch   int // of the brake's setting
	Samples []sample
	Late    bool // mails were stopped since it was vouched for
	Own     bool // the visitor vouched
	Reason  string
	Err     string
}

// A sample is a mail that must be looked at before many are released.
type sample struct {
	record.Mail
	Seen bool
}

// mustSee is how many mails are looked at before many are released.
const mustSee = 3

// Vouched reports whether a first person vouched for all that is stopped.
func (p brakePage) Vouched() bool { return p.Brake.AskedBy != "" && !p.Late }

// Seen reports whether the visitor looked at the samples.
func (p brakePage) Seen() bool {
	return !slices.ContainsFunc(p.Samples, func(s sample) bool { return !s.Seen })
}

// braked finds what the brake stopped.
func braked(company string) record.Filter {
	return record.Filter{Company: company, State: "stopped", Error: "brake_volume"}
}

func (k *console) brakePage(c *gin.Context, s *sheet) error {
	return k.showBrake(c, s, http.StatusOK, "", "")
}

func (k *console) showBrake(c *gin.Context, s *sheet, code int, reason, problem string) error {
	ctx, company := c.Request.Context(), c.Param("company")
	open, err := k.Desk.Brakes(ctx, company, false)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(open, func(b record.Brake) bool { return b.Kind == "volume" })
	if i < 0 {
		return ats.Errorf(ats.NotFound, "no volume brake of %s is on", company)
	}
	p := brakePage{sheet: s, Brake: open[i], Own: open[i].AskedBy == s.Who.Name, Reason: reason, Err: problem}
	f := braked(company)
	f.Limit = record.MaxPage
	if p.Rows, err = k.Desk.Mails(ctx, f); err != nil {
		return err
	}
	f.Limit = 0
	done, err := k.Desk.StopMails(ctx, record.Order{Filter: f, DryRun: true})
	if err != nil {
		return err
	}
	p.Total, p.More = done.Matched, done.Matched > len(p.Rows)
	for i := range min(mustSee, len(p.Rows)) {
		m := p.Rows[i*len(p.Rows)/mustSee]
		if len(p.Rows) < mustSee {
			m = p.Rows[i]
		}
		until, err := k.revealed(ctx, s.Who.Actor, mailNoun, m.ID)
		if err != nil {
			return err
		}
		p.Samples = append(p.Samples, sample{m, until.After(time.Time{}) || k.demo.holds(s.Who.token)})
	}
	p.Late = slices.ContainsFunc(p.Rows, func(m record.Mail) bool { return m.UpdatedAt.After(p.Brake.AskedAt) })
	if settings, err := k.Tenants(ctx).Company(company); err == nil {
		p.Batch = settings.Sending.Brake.Batch
	}
	s.of(company)
	s.Nav, s.Path = "hold", "/hold/brakes/"+url.PathEscape(company)
	s.Title = s.t("brake.h1", "company", s.Company(company), "count", s.Count("mail", p.Total))
	k.render(c, code, "brake", p)
	return nil
}

// vouch is the first person's step.
func (k *console) vouch(c *gin.Context, s *sheet) error {
	reason := c.Request.PostForm.Get("reason")
	if c.Request.PostForm.Get("meant") == "" {
		return k.showBrake(c, s, http.StatusBadRequest, reason, s.t("brake.tick"))
	}
	_, err := k.askRelease(c.Request.Context(), s.Who.Actor, c.Param("company"), reason)
	if ats.FaultOf(err) == ats.Invalid {
		return k.showBrake(c, s, http.StatusBadRequest, reason, s.t("reason.missing"))
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/hold/brakes/"+url.PathEscape(c.Param("company")))
	return nil
}

// releaseBraked is the second person's step. The store asks once more who it is.
func (k *console) releaseBraked(c *gin.Context, s *sheet) error {
	ctx, company, form := c.Request.Context(), c.Param("company"), c.Request.PostForm
	reason, err := record.NeedReason(form.Get("reason"))
	if err != nil {
		return k.showBrake(c, s, http.StatusBadRequest, form.Get("reason"), s.t("reason.missing"))
	}
	if form.Get("meant") == "" || form.Get("right") == "" {
		return k.showBrake(c, s, http.StatusBadRequest, reason, s.t("brake.tick"))
	}
	if err := k.sawSamples(c, s); err != nil {
		return k.showBrake(c, s, http.StatusConflict, reason, s.t("brake.look"))
	}
	done, err := k.Desk.ReleaseMails(ctx, record.Order{Actor: s.Who.Actor, Filter: braked(company), Reason: reason})
	if err != nil {
		return err
	}
	k.pulse.forget()
	if done.Changed == 0 {
		why := s.t("verb.nothing")
		for skipped := range done.Skipped {
			why = s.Say(skipped)
		}
		return k.showBrake(c, s, http.StatusConflict, reason, why)
	}
	to := "/hold?" + url.Values{"company": {company}}.Encode()
	if done.Batch != "" {
		to = "/batches/" + url.PathEscape(done.Batch)
	}
	c.Redirect(http.StatusSeeOther, to)
	return nil
}

var errUnseen = errors.New("the samples were not looked at")

// sawSamples reports an error unless the visitor looked at as many of the stopped
// mails as a release needs.
func (k *console) sawSamples(c *gin.Context, s *sheet) error {
	f := braked(c.Param("company"))
	f.Limit = record.MaxPage
	found, err := k.Desk.Mails(c.Request.Context(), f)
	if err != nil || k.demo.holds(s.Who.token) {
		return err
	}
	seen := 0
	for _, m := range found {
		until, err := k.revealed(c.Request.Context(), s.Who.Actor, mailNoun, m.ID)
		if err != nil {
			return err
		}
		if !until.IsZero() {
			seen++
		}
		if seen == min(mustSee, len(found)) {
			return nil
		}
	}
	return errUnseen
}
