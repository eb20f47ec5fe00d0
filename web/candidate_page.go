package web

import (
	"bytes"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
)

// candidateTemplates are the pages by name, each with the layout around it.
var candidateTemplates = mustPages("landing", "register", "sent", "confirm", "confirmed", "mypage", "stop", "stopped", "message")

func mustPages(names ...string) map[string]*template.Template {
	all := map[string]*template.Template{}
	for _, name := range names {
		all[name] = template.Must(template.ParseFS(files, "templates/candidate/layout.html", "templates/candidate/"+name+".html"))
	}
	return all
}

// candidateAssets are the static files of the candidate pages.
var candidateAssets = assets("candidate.css", "mark.svg")

// A view is what every candidate page needs: the language, the link through
// which the person came and the company that invited them. A page without a
// valid link has neither of the two.
type view struct {
	Lang    string
	asked   bool // the language was chosen on the page
	base    string
	link    record.Link
	company *configs.Company
	shared  *configs.Shared
	title   string
	Data    any
}

// T returns a sentence of the catalogue.
func (v *view) T(key string, pairs ...any) (string, error) {
	return candidateWords.say(v.Lang, key, append([]any{"company", v.Company()}, pairs...)...)
}

// must is T for Go code; the tests try every sentence.
func (v *view) must(key string, pairs ...any) string {
	s, _ := v.T(key, pairs...)
	return s
}

// Parts returns a sentence cut where its parts may stand on lines of their own.
func (v *view) Parts(key string, pairs ...any) ([]string, error) {
	s, err := v.T(key, pairs...)
	return strings.Split(s, "|"), err
}

// Title is the first part of the document's title.
func (v *view) Title() (string, error) { return v.T(v.title + ".title") }

// Other is the language that the page is not in.
func (v *view) Other() string {
	if v.Lang == english {
		return japanese
	}
	return english
}

// Company is the name of the company that invited the person.
func (v *view) Company() string {
	if v.company == nil {
		return ""
	}
	return v.company.Name.In(v.Lang)
}

// URL is the address of a step behind the person's link. The language stays as
// it was chosen.
func (v *view) URL(step string) string { return v.base + step + v.suffix() }

func (v *view) suffix() string {
	if v.asked {
		return "?lang=" + v.Lang
	}
	return ""
}

// StopURL leads to the page that stops the mails, from every page but that one.
func (v *view) StopURL() string {
	if v.link.Token == "" || v.link.Kind == record.StopLink {
		return ""
	}
	return v.URL("/stop")
}

// Asset is the address of a static file.
func (v *view) Asset(name string) string { return candidateAssets[name].url() }

// An operator is who runs the service, in the language of the page.
type operator struct{ Name, Address, Contact string }

// Operator says who runs the service.
func (v *view) Operator() operator {
	o := v.shared.Operator
	return operator{Name: o.Name.In(v.Lang), Address: o.Address, Contact: o.Contact}
}

// Privacy is the address of the operator's privacy notice.
func (v *view) Privacy() string { return v.shared.Operator.Privacy }

func (v *view) zone() *time.Location {
	if v.company == nil {
		return time.UTC
	}
	return v.company.Zone()
}

// Day writes a date out, in the company's zone.
func (v *view) Day(t time.Time) string { return day(t.In(v.zone()), v.Lang) }

// Time writes a date and the time of day out, in the company's zone.
func (v *view) Time(t time.Time) string { return moment(t.In(v.zone()), v.Lang) }

// Short is Time without the day of the week, for a place with little room.
func (v *view) Short(t time.Time) string { return short(t.In(v.zone()), v.Lang) }

// Zone says which clock the times follow.
func (v *view) Zone() string { return zoneName(v.zone(), v.Lang) }

// A recipient is who receives the profile.
type recipient struct{ ID, Name, Japanese, Licence, Contact string }

// recipients lists who receives the profiles of people whom the company invites.
func (v *view) recipients() []recipient {
	var out []recipient
	for _, id := range v.company.Relay.Recipients {
		if r, ok := v.shared.Recipients[id]; ok {
			out = append(out, v.recipient(id, r))
		}
	}
	return out
}

func (v *view) recipient(id string, r relay.Recipient) recipient {
	out := recipient{ID: id, Name: r.Name.In(v.Lang), Licence: r.Licence, Contact: r.Contact}
	if v.Lang != japanese && r.Name.JA != out.Name {
		out.Japanese = r.Name.JA
	}
	return out
}

// names lists recipients in a sentence.
func (v *view) names(all []recipient) string {
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
	}
	return joined(names, v.must("comma"), v.must("and"))
}

// licensed lists recipients with their licence numbers, for a mail.
func (v *view) licensed(all []recipient) []string {
	var out []string
	for _, r := range all {
		if r.Licence == "" {
			out = append(out, r.Name)
			continue
		}
		out = append(out, v.must("licensed", "name", r.Name, "licence", r.Licence))
	}
	return out
}

// inviting reports whether people may register now.
func (v *view) inviting() error {
	if v.company.Relay.Mode != configs.RelayLink || len(v.recipients()) == 0 {
		return ats.Errorf(ats.NotFound, "the company takes part in the relay no more")
	}
	return nil
}

// render writes a page. title names the sentence of its title.
func (v *view) render(c *gin.Context, code int, name, title string, data any) error {
	v.title, v.Data = title, data
	var page bytes.Buffer
	if err := candidateTemplates[name].ExecuteTemplate(&page, "layout", v); err != nil {
		return err
	}
	c.Header("Content-Language", v.Lang)
	c.Data(code, "text/html; charset=utf-8", page.Bytes())
	return nil
}

// tell writes a page that only says something.
func (v *view) tell(c *gin.Context, code int, name string) error {
	title, err := v.Parts(name + ".h1")
	if err != nil {
		return err
	}
	lines, err := v.Parts(name + ".text")
	if err != nil {
		return err
	}
	return v.render(c, code, "message", name, struct{ Title, Lines []string }{title, lines})
}

// stranger is the view of somebody without a valid link.
func (p *pages) stranger(c *gin.Context) *view {
	v := &view{Lang: negotiate(c.GetHeader("Accept-Language")), shared: p.Tenants.Shared()}
	v.choose(c)
	return v
}

// choose takes the language that was asked for on a page.
func (v *view) choose(c *gin.Context) {
	if lang := c.Query("lang"); lang == japanese || lang == english {
		v.Lang, v.asked = lang, true
	}
}

// guest is the view of a person who came through a link of this kind, or of
// any kind when none is named.
func (p *pages) guest(c *gin.Context, prefix, kind string) (*view, error) {
	token := c.Param("token")
	link, err := p.People.FindLink(c.Request.Context(), kind, token)
	if err != nil {
		return nil, err
	}
	company, err := p.tenant(link.Company)
	if err != nil {
		return nil, err
	}
	v := &view{Lang: link.Locale, base: prefix + token, link: link, company: company, shared: p.Tenants.Shared()}
	if v.Lang != japanese && v.Lang != english {
		v.Lang = company.Locale
	}
	if v.Lang != english {
		v.Lang = japanese
	}
	v.choose(c)
	return v, nil
}

// messages are the pages for requests that cannot be answered as asked.
var messages = map[int]string{
	http.StatusBadRequest:            "unreadable",
	http.StatusNotFound:              "ended",
	http.StatusRequestEntityTooLarge: "large",
}
