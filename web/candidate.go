package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
)

// The limits of the candidate pages. A link belongs to one person, so these
// are generous for a person and tight for a machine.
const (
	maxSent       = 64 << 10 // bytes of a form
	posts         = 60       // per link and hour
	registrations = 10       // confirmation mails per link and day
)

// stopPath is the address in the List-Unsubscribe header of every mail.
const stopPath = "/u/:token"

// confirmed is the state of a registration that counts.
const confirmed = "confirmed"

// pages are the candidate pages. What a person may see and do follows from the
// kind of the link; there are no cookies and no accounts. A GET changes nothing.
type pages struct {
	Deps
	posts         *gate
	registrations *gate
}

func newPages(d Deps) *pages {
	return &pages{Deps: d, posts: newGate(posts, time.Hour), registrations: newGate(registrations, 24*time.Hour)}
}

// An act answers one request of a person with a valid link.
type act func(c *gin.Context, v *view) error

func (p *pages) routes(g *gin.RouterGroup) {
	for path, fn := range map[string]gin.HandlerFunc{
		"/r/:token":          p.page("/r/", "", p.open),
		"/r/:token/register": p.page("/r/", record.RelayLink, p.form),
		"/r/:token/sent":     p.page("/r/", record.RelayLink, p.sent),
		"/r/:token/stop":     p.page("/r/", "", p.stopPage),
		"/r/:token/stopped":  p.page("/r/", "", p.stopped),
		stopPath:             p.page("/u/", record.StopLink, p.stopPage),
		"/u/:token/stopped":  p.page("/u/", record.StopLink, p.stopped),
	} {
		readable(g, path, fn)
	}
	g.POST("/r/:token/register", p.deed("/r/", record.RelayLink, p.register))
	g.POST("/r/:token/confirm", p.deed("/r/", record.ConfirmLink, p.confirm))
	g.POST("/r/:token/withdraw", p.deed("/r/", record.MyLink, p.withdraw))
	g.POST("/r/:token/stop", p.deed("/r/", "", p.stop))
	g.POST(stopPath, p.deed("/u/", record.StopLink, p.stop))
}

// page serves a GET.
func (p *pages) page(prefix, kind string, fn act) gin.HandlerFunc {
	return func(c *gin.Context) {
		v, err := p.guest(c, prefix, kind)
		if err == nil {
			err = fn(c, v)
		}
		p.end(c, v, err)
	}
}

// deed serves a POST. The secret in the address already proves that the person
// came from the mail; a browser that says it was sent here by another site is
// refused all the same.
func (p *pages) deed(prefix, kind string, fn act) gin.HandlerFunc {
	return p.page(prefix, kind, func(c *gin.Context, v *view) error {
		if err := readForm(c); err != nil {
			return err
		}
		if !oneClick(c) && p.crossSite(c.Request) {
			return v.tell(c, http.StatusForbidden, "cross")
		}
		if !p.posts.pass(v.link.Token, p.Now()) {
			return p.slowDown(c, v)
		}
		return fn(c, v)
	})
}

func (p *pages) slowDown(c *gin.Context, v *view) error {
	c.Header("Retry-After", "3600")
	return v.tell(c, http.StatusTooManyRequests, "often")
}

// readForm parses a form of either encoding: mailbox providers send both.
func readForm(c *gin.Context) error { return readFormOf(c, maxSent) }

// readFormOf is readForm for a form of at most limit bytes. None of it goes to
// the disk.
func readFormOf(c *gin.Context, limit int64) error {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	var err error
	if strings.HasPrefix(c.GetHeader("Content-Type"), "multipart/form-data") {
		err = c.Request.ParseMultipartForm(limit)
	} else {
		err = c.Request.ParseForm()
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return ats.Errorf(ats.TooLarge, "the form has more than %d bytes", limit)
	}
	if err != nil {
		return ats.Errorf(ats.Invalid, "the form could not be parsed") // err may quote what was typed
	}
	return nil
}

// oneClick reports whether a mailbox provider unsubscribes its user, as RFC
// 8058 says. That may come from anywhere.
func oneClick(c *gin.Context) bool {
	return c.FullPath() == stopPath && c.Request.PostForm.Get("List-Unsubscribe") == "One-Click"
}

// crossSite reports whether a browser says that another site sent the person.
// Our pages send no referrer, which turns the Origin of their forms into
// "null", so that only an Origin of somebody else tells.
func (p *pages) crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		origin := r.Header.Get("Origin")
		if origin == "" || origin == "null" || origin == p.PublicURL {
			return false
		}
		u, err := url.Parse(origin)
		return err != nil || u.Host != r.Host
	}
	return true
}

// end answers what went wrong, and writes it down if it is our fault.
func (p *pages) end(c *gin.Context, v *view, err error) {
	if err == nil {
		return
	}
	code := status(err)
	name, ok := messages[code]
	if !ok {
		name, code = "busy", max(code, http.StatusInternalServerError)
	}
	if v == nil {
		v = p.stranger(c)
	}
	if code >= http.StatusInternalServerError {
		c.Header("Retry-After", seconds(err))
		p.Log.ErrorContext(c.Request.Context(), "page failed", "route", c.FullPath(), "err", err)
	}
	if err := v.tell(c, code, name); err != nil {
		p.Log.ErrorContext(c.Request.Context(), "page failed", "route", c.FullPath(), "err", err)
		c.String(http.StatusInternalServerError, "try again later\n")
	}
}

// open shows the page that belongs to the kind of the link.
func (p *pages) open(c *gin.Context, v *view) error {
	switch v.link.Kind {
	case record.RelayLink:
		return p.landing(c, v)
	case record.ConfirmLink:
		return p.confirmPage(c, v)
	case record.MyLink:
		return p.mine(c, v)
	}
	return p.stopPage(c, v)
}

func (p *pages) landing(c *gin.Context, v *view) error {
	if err := v.inviting(); err != nil {
		return err
	}
	all := v.recipients()
	return v.render(c, http.StatusOK, "landing", "landing", struct {
		Until      time.Time
		Recipients []recipient
		Names      string
	}{lastMoment(v.link), all, v.names(all)})
}

// lastMoment is when a link still works. One that ends at midnight ends with
// the day before.
func lastMoment(l record.Link) time.Time { return l.Expires.Add(-time.Nanosecond) }

func (p *pages) sent(c *gin.Context, v *view) error {
	if err := v.inviting(); err != nil {
		return err
	}
	return v.render(c, http.StatusOK, "sent", "sent", struct{ Days int }{confirmDays})
}

// An agreed is a consent on the page that confirms it.
type agreed struct{ Name, Text, Locale string }

func (p *pages) confirmPage(c *gin.Context, v *view) error {
	m, err := p.People.Membership(c.Request.Context(), v.link.Registration)
	if err != nil {
		return err
	}
	if m.State == confirmed {
		return v.render(c, http.StatusOK, "confirmed", "confirmed", struct{ Names string }{v.names(v.named(m))})
	}
	if err := v.inviting(); err != nil {
		return err
	}
	var all []agreed
	for _, given := range m.Consents {
		all = append(all, agreed{v.consentName(consent.Purpose(given.Purpose)), given.Text, given.Locale})
	}
	return v.render(c, http.StatusOK, "confirm", "confirm", struct {
		Agreed []agreed
		Until  time.Time
	}{all, lastMoment(v.link)})
}

// named returns the recipients whose names stand in the text that the person
// agreed to. Whoever was configured since then gets nothing.
func (v *view) named(m record.Membership) []recipient {
	at := slices.IndexFunc(m.Consents, func(c record.Consent) bool { return c.Purpose == string(consent.RelayHandover) })
	if at < 0 {
		return nil
	}
	given := m.Consents[at]
	return slices.DeleteFunc(v.recipients(), func(r recipient) bool {
		name := v.shared.Recipients[r.ID].Name.In(given.Locale)
		return name == "" || !strings.Contains(given.Text, name)
	})
}

// confirm makes a registration count. Whoever presses twice sees the same page.
func (p *pages) confirm(c *gin.Context, v *view) error {
	ctx := c.Request.Context()
	if err := v.inviting(); err != nil {
		return err
	}
	m, err := p.People.Membership(ctx, v.link.Registration)
	if err != nil {
		return err
	}
	letters, err := p.Letters(v.company)
	if err != nil {
		return unwritten(err)
	}
	to, stop := v.named(m), p.wayOut(m.Profile)
	err = p.People.Confirm(ctx, record.Confirmation{
		Stop: stop,
		Link: v.link, Policy: v.company.Relay.Policy, Recipients: ids(to), MyExpires: p.Now().Add(consent.MyLinkLife),
		Receipt: func(profile relay.Profile, consents []record.Consent, my string) (mail.Message, error) {
			l := p.letter(v, profile, stop)
			l.MyURL = p.PublicURL + "/r/" + my
			l.Recipients = v.licensed(to)
			for _, given := range consents {
				l.Agreed = append(l.Agreed, given.Text)
			}
			message, err := letters.Receipt(v.company.Mail, l)
			return message, unwritten(err)
		},
	})
	if err != nil && ats.FaultOf(err) != ats.Duplicate {
		return err
	}
	if err == nil {
		p.Log.InfoContext(ctx, "registration confirmed", "company", v.link.Company, "registration", v.link.Registration, "recipients", len(to))
	}
	c.Redirect(http.StatusSeeOther, v.URL(""))
	return nil
}

// unwritten marks a letter that cannot be written as our outage: the person did
// nothing wrong.
func unwritten(err error) error {
	if err == nil {
		return nil
	}
	return ats.Errorf(ats.Busy, "writing to the person: %w", err)
}

func ids(all []recipient) []string {
	var out []string
	for _, r := range all {
		out = append(out, r.ID)
	}
	return out
}

// letter is what every mail to a person who registers says.
func (p *pages) letter(v *view, profile relay.Profile, stop record.Link) mail.Letter {
	return mail.Letter{
		CompanyID: v.company.ID, CompanyName: v.company.Name.In(profile.Locale), Locale: profile.Locale, Zone: v.company.Zone(),
		To: mail.Address{Address: profile.Email, Name: profile.Name}, SendID: consent.NewToken(),
		UnsubscribeURL: p.PublicURL + "/u/" + stop.Token,
	}
}

// wayOut is the link with which whoever gets a mail of ours says that it is
// enough, long after the mail's other links have ended.
func (p *pages) wayOut(profile relay.Profile) record.Link {
	return record.Link{Token: consent.NewToken(), Kind: record.StopLink, Expires: p.Now().Add(consent.StopLinkLife), Locale: profile.Locale}
}

// An item is one consent on a person's own page.
type item struct {
	record.Consent
	Name        string
	Given       bool
	Withdrawn   bool
	Remark      string
	Consequence string
}

// A passed is one hand-over on a person's own page.
type passed struct{ Name, State, Reference, Fields, Contact string }

// A value is one answer of the person; Lang is set when they wrote it on a page
// in the other language.
type value struct{ Label, Value, Lang string }

// mine shows what a person agreed to and who received what.
func (p *pages) mine(c *gin.Context, v *view) error {
	m, err := p.People.Membership(c.Request.Context(), v.link.Registration)
	if err != nil {
		return err
	}
	data := struct {
		Profile   relay.Profile
		Confirmed time.Time
		Consents  []item
		Referrals []passed
		Values    []value
	}{Profile: m.Profile, Values: v.values(m.Profile)}
	for _, purpose := range consent.Purposes {
		data.Consents = append(data.Consents, v.item(purpose, m))
	}
	for _, given := range m.Consents {
		if given.ConfirmedAt.After(data.Confirmed) {
			data.Confirmed = given.ConfirmedAt
		}
	}
	for _, r := range m.Referrals {
		data.Referrals = append(data.Referrals, v.passed(r))
	}
	return v.render(c, http.StatusOK, "mypage", "my", data)
}

func (v *view) item(purpose consent.Purpose, m record.Membership) item {
	i := item{Name: v.consentName(purpose), Consent: record.Consent{Purpose: string(purpose)}}
	for _, given := range m.Consents {
		if given.Purpose == string(purpose) {
			i.Consent = given
			i.Given = given.WithdrawnAt.IsZero()
			i.Withdrawn = !i.Given
		}
	}
	switch {
	case purpose == consent.RelayHandover && i.Given:
		i.Consequence = v.must("my.consequence", "recipients", v.names(v.named(m)))
	case purpose == consent.TellCompany && !i.Given && !i.Withdrawn:
		i.Remark = v.must("my.not_told")
	}
	return i
}

func (v *view) passed(r record.Referral) passed {
	to := recipient{Name: r.Recipient}
	if known, ok := v.shared.Recipients[r.Recipient]; ok {
		to = v.recipient(r.Recipient, known)
	}
	var fields []string
	for _, f := range r.Fields {
		fields = append(fields, v.must("passed."+f))
	}
	return passed{
		Name: to.Name, Contact: to.Contact, Reference: r.Reference, Fields: strings.Join(fields, v.must("comma")),
		State: v.must("referral."+string(r.State), "time", v.Time(r.UpdatedAt)),
	}
}

// withdraw takes one consent back. Only those of the person's own registration
// can be named.
func (p *pages) withdraw(c *gin.Context, v *view) error {
	ctx := c.Request.Context()
	m, err := p.People.Membership(ctx, v.link.Registration)
	if err != nil {
		return err
	}
	id := c.Request.PostForm.Get("consent")
	at := slices.IndexFunc(m.Consents, func(given record.Consent) bool { return given.ID == id })
	if at < 0 {
		return ats.Errorf(ats.NotFound, "the registration has no such consent")
	}
	err = p.People.Withdraw(ctx, record.Actor{Name: "candidate"}, id, "on the person's own page")
	if err != nil && ats.FaultOf(err) != ats.Conflict { // was withdrawn before
		return err
	}
	if err == nil {
		p.Log.InfoContext(ctx, "consent withdrawn", "company", v.link.Company, "consent", id, "purpose", m.Consents[at].Purpose)
	}
	c.Redirect(http.StatusSeeOther, v.URL("")+"#"+m.Consents[at].Purpose)
	return nil
}

// stopPage asks whether the mails shall stop.
func (p *pages) stopPage(c *gin.Context, v *view) error {
	action := v.URL("/stop")
	if strings.HasPrefix(v.base, "/u/") {
		action = v.URL("")
	}
	return v.render(c, http.StatusOK, "stop", "stop", struct{ Action string }{action})
}

func (p *pages) stopped(c *gin.Context, v *view) error {
	return v.render(c, http.StatusOK, "stopped", "stopped", nil)
}

// stop puts the person on the list of those who want no offers. A mailbox
// provider that does it for the person gets its answer at once: RFC 8058 allows
// no redirect.
func (p *pages) stop(c *gin.Context, v *view) error {
	how := "one_click"
	if c.Request.PostForm.Get("page") != "" {
		how = "page"
	}
	ctx := c.Request.Context()
	if err := p.People.Unsubscribe(ctx, v.link, how); err != nil {
		return err
	}
	p.Log.InfoContext(ctx, "offers stopped", "company", v.link.Company, "how", how)
	if how == "page" {
		c.Redirect(http.StatusSeeOther, v.URL("/stopped"))
		return nil
	}
	return p.stopped(c, v)
}
