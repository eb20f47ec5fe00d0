package web

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

// A mailView is what may be seen of a mail's content.
type mailView struct {
	ID      string
	View    string // html, text or source
	Views   []link
	Message *mail.Message // nil while it is hidden, or gone
	Gone    bool          // erased, or past its time
	Until   time.Time     // when it is hidden again; zero in a demonstration
	Links   []string      // in a demonstration, where they may be followed
	Header  []pair        // of the message itself
	To      string        // while hidden
	In      string        // "mailbox" to come back there
}

type pair struct{ Name, Value string }

// views are the ways to look at a mail.
var views = []string{"html", "text", "source"}

var address = regexp.MustCompile(`https?://[^\s<>"）】」]+`)

// letter reads as much of a mail's content as the visitor may see. In a
// demonstration everybody is invented, so nothing is hidden.
func (k *console) letter(c *gin.Context, s *sheet, id, base string) (mailView, error) {
	ctx := c.Request.Context()
	l := mailView{ID: id, View: c.Query("view")}
	if !slices.Contains(views, l.View) {
		l.View = views[0]
	}
	for _, v := range views {
		l.Views = append(l.Views, link{Text: s.t("letter." + v), URL: base + "view=" + v, Active: v == l.View})
	}
	_, message, err := k.Desk.Letter(ctx, id)
	if ats.FaultOf(err) == ats.NotFound {
		l.Gone = true
		return l, nil
	}
	if err != nil {
		return l, err
	}
	demo := k.demo.holds(s.Who.token)
	if l.Until, err = k.revealed(ctx, s.Who.Actor, mailNoun, id); err != nil {
		return l, err
	}
	if l.Until.IsZero() && !demo {
		l.To = masked(message.To.Name)
		if message.To.Address != "" {
			l.To += " <" + maskedAddress(message.To.Address) + ">"
		}
		return l, nil
	}
	l.Message = &message
	for _, name := range slices.Sorted(maps.Keys(message.Header)) {
		l.Header = append(l.Header, pair{name, message.Header[name]})
	}
	if demo {
		l.Until = time.Time{}
		for _, found := range address.FindAllString(message.Text, -1) {
			if !slices.Contains(l.Links, found) {
				l.Links = append(l.Links, found)
			}
		}
	}
	return l, nil
}

// Line writes an address with its name. It is personal.
func (l mailView) Line(a mail.Address) string {
	if a.Name == "" {
		return string(a.Address)
	}
	if a.Address == "" {
		return a.Name
	}
	return a.Name + " <" + string(a.Address) + ">"
}

// A mailPage is one mail with its history.
type mailPage struct {
	*sheet
	Row    mailDetail
	Letter mailView
	Verbs  []verbLink
}

func (k *console) mailPage(c *gin.Context, s *sheet) error {
	id := c.Param("id")
	d, err := k.mail(c.Request.Context(), id)
	if err != nil {
		return err
	}
	s.of(d.Company)
	p := mailPage{sheet: s, Row: d, Verbs: s.verbsOf(mailNoun, mailState(d.Mail), id)}
	if p.Letter, err = k.letter(c, s, id, "/mails/"+url.PathEscape(id)+"?"); err != nil {
		return err
	}
	s.Nav = "mails"
	s.Title = s.t("mail.h1."+mailState(d.Mail), "at", s.Long(mailTime(d.Mail)))
	k.render(c, http.StatusOK, "mail", p)
	return nil
}

// HintState names what is said about the state of a mail.
func (p mailPage) HintState() string { return mailState(p.Row.Mail) }

// mailState is the state of a mail as lists filter it.
func mailState(m record.Mail) string {
	if m.State == record.MailHeld && m.Stopped {
		return "stopped"
	}
	return string(m.State)
}

// mailTime is the time that matters about a mail: when it left, or else when it
// may leave.
func mailTime(m record.Mail) time.Time {
	switch {
	case !m.SentAt.IsZero():
		return m.SentAt
	case m.State == record.MailHeld:
		return m.DueAt
	}
	return m.UpdatedAt
}

// MailTime is mailTime for a table.
func (s *sheet) MailTime(m record.Mail) string { return s.At(mailTime(m)) }

// mailDocument serves the HTML of a mail as a document of its own, which may do
// nothing at all.
func (k *console) mailDocument(c *gin.Context, s *sheet) error {
	l, err := k.letter(c, s, c.Param("id"), "")
	if err != nil {
		return err
	}
	if l.Gone {
		return ats.Errorf(ats.NotFound, "no content of a mail %s is kept", c.Param("id"))
	}
	if l.Message == nil {
		return ats.Errorf(ats.Denied, "the content of this mail is hidden; open its page and say why you look")
	}
	c.Header("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")
	c.Header("X-Frame-Options", "SAMEORIGIN")
	c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(l.Message.HTML))
	return nil
}

// A mailboxPage shows what was sent or would have been, newest first, with one
// mail opened.
type mailboxPage struct {
	*sheet
	Rows      []record.Mail
	Companies []link
	Open      *record.Mail
	Letter    mailView
	Older     string
	Newest    string
	Boxed     []string // live companies that only write to this mailbox
}

// mailbox lists every mail as a mailbox does.
func (k *console) mailbox(c *gin.Context, s *sheet) error {
	f := record.Filter{Company: c.Query("company"), After: c.Query("after"), Limit: 30}
	ctx := c.Request.Context()
	page, err := fetch(ctx, f, k.Desk.Mails, func(m record.Mail) string { return m.ID })
	if err != nil {
		return err
	}
	s.of(f.Company)
	s.Nav = "mailbox"
	p := mailboxPage{sheet: s, Rows: page.Items, Older: mailboxAddress(f.Company, page.Next, "")}
	if page.Next == "" {
		p.Older = ""
	}
	if f.After != "" {
		p.Newest = mailboxAddress(f.Company, "", "")
	}
	p.Companies = append(p.Companies, link{Text: s.t("list.all"), URL: "/mailbox", Active: f.Company == ""})
	for _, company := range s.firms.Companies() {
		p.Companies = append(p.Companies, link{Text: s.Company(company.ID), URL: mailboxAddress(company.ID, "", ""), Active: company.ID == f.Company})
		if k.boxed(company) {
			p.Boxed = append(p.Boxed, s.Company(company.ID))
		}
	}
	id := c.Query("id")
	if id == "" && len(p.Rows) > 0 {
		id = p.Rows[0].ID
	}
	if id != "" {
		open, err := k.Desk.Mail(ctx, id)
		if err != nil {
			return err
		}
		p.Open = &open
		if p.Letter, err = k.letter(c, s, id, mailboxAddress(f.Company, f.After, id)+"&"); err != nil {
			return err
		}
		p.Letter.In = "mailbox"
	}
	s.Title = s.t("mailbox.h1")
	k.render(c, http.StatusOK, "mailbox", p)
	return nil
}

// Address opens a mail of the list.
func (p mailboxPage) Address(m record.Mail) string {
	company := ""
	for _, l := range p.Companies {
		if l.Active && l.URL != "/mailbox" {
			company = m.Company
		}
	}
	return mailboxAddress(company, "", m.ID) + "#letter"
}

func mailboxAddress(company, after, id string) string {
	q := url.Values{}
	for name, value := range map[string]string{"company": company, "after": after, "id": id} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/mailbox"
	}
	return "/mailbox?" + q.Encode()
}
