package web

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// consoleTemplates are the pages, and the parts they are made of.
var consoleTemplates = template.Must(template.New("console").Funcs(template.FuncMap{"part": part}).ParseFS(files, "templates/console/*.html"))

// part hands a page and one value to a part of it: in there the page is .S and
// the value is .V.
func part(s, v any) struct{ S, V any } { return struct{ S, V any }{s, v} }

// consoleAssets are the static files of the console.
var consoleAssets = assets("console.css", "mark.svg")

// A console is the pages for operators. They work without script; a GET never
// changes anything.
type console struct {
	*desk
	porter  *porter
	demo    demoDoor
	oidc    provider
	origins *http.CrossOriginProtection
}

func newConsole(k *desk) *console {
	return &console{desk: k, porter: newPorter(), origins: http.NewCrossOriginProtection()}
}

// route registers the pages.
func (k *console) route(e *gin.Engine) {
	e.NoRoute(k.lost)
	e.NoMethod(func(c *gin.Context) {
		k.answerProblem(c, problem{Type: "about:blank", Title: "This address does not take " + c.Request.Method, Detail: "see " + apiBase + "/openapi.json", Status: http.StatusMethodNotAllowed})
	})
	e.GET("/static/:name", serveAssets(consoleAssets))
	e.GET("/login", k.login)
	e.POST("/login", k.enter)
	e.POST("/login/demo", k.enterDemo)
	e.GET("/login/code", k.askCode)
	e.POST("/login/code", k.enterCode)
	e.GET("/login/factor", k.askFactor)
	e.POST("/login/factor", k.enterFactor)
	e.POST("/login/oidc", k.leaveForProvider)
	e.GET("/login/oidc/callback", k.returnFromProvider)
	e.POST("/language", k.speak)
	e.POST("/logout", k.page(record.Viewer, k.leave))

	for path, show := range map[string]showing{
		"/": k.overview, "/mailbox": k.mailbox, "/help": k.help,
		"/deliveries": k.deliveryList, "/deliveries/:id": k.deliveryPage,
		"/applications": k.applicationList, "/applications/:id": k.applicationPage,
		"/jobs": k.jobList, "/jobs/:id": k.jobPage,
		"/mails": k.mailList, "/mails/:id": k.mailPage, "/mails/:id/html": k.mailDocument,
		"/referrals": k.referralList, "/referrals/:id": k.referralPage,
		"/consents": k.consentList, "/consents/:id": k.consentPage,
		"/credits": k.creditList, "/credits/:company": k.creditPage,
		"/companies": k.companyList, "/companies/:id": k.companyPage,
		"/batches": k.batchList, "/batches/:id": k.batchPage, "/batches/:id/results.csv": k.results,
		"/dead-letters": k.graves, "/hold": k.hold, "/hold/brakes/:company": k.brakePage,
		"/alerts": k.alertList, "/alerts/:id": k.alertPage,
		"/audit": k.auditList, "/people/:id": k.personPage,
	} {
		e.GET(path, k.page(record.Viewer, show))
	}
	e.POST("/find", k.page(record.Viewer, k.find))
	k.routeAccess(e)
	k.routeFiles(e)
	for _, v := range verbs {
		path := "/" + v.noun.Path + "/" + v.name
		e.GET(path, k.page(record.Operator, k.preview(v)))
		e.POST(path, k.page(record.Operator, k.carryOut(v)))
	}
	for path, do := range map[string]showing{
		"/deliveries/:id/reveal": k.unlockPage(deliveryNoun), "/applications/:id/reveal": k.unlockPage(applicationNoun), "/mails/:id/reveal": k.unlockPage(mailNoun),
		"/alerts/:id/mute": k.muteAlert(true), "/alerts/:id/unmute": k.muteAlert(false), "/companies/:id/release": k.releaseBrake,
		"/consents/:id/withdraw": k.withdrawConsent, "/people/:id/erase": k.erasePerson,
		"/batches/:id/pause": k.moveBatchPage("pause"), "/batches/:id/resume": k.moveBatchPage("resume"), "/batches/:id/cancel": k.moveBatchPage("cancel"),
		"/mails/:id/edit": k.editPage, "/mails/:id/ask": k.askPage, "/hold/brakes/:company/vouch": k.vouch, "/hold/brakes/:company/release": k.releaseBraked,
	} {
		e.POST(path, k.page(record.Operator, do))
	}
}

// A showing answers one request of a visitor.
type showing func(c *gin.Context, s *sheet) error

// page serves a visitor who may do this; a stranger is led to the login.
func (k *console) page(role record.Role, show showing) gin.HandlerFunc {
	return func(c *gin.Context) {
		who, err := k.who(c.Request)
		form := c.Request.Method == http.MethodPost
		if ats.FaultOf(err) == ats.Denied {
			to := c.Request.URL.RequestURI()
			if form {
				to = localPath(c.Request.URL.Path)
			}
			c.Redirect(http.StatusSeeOther, loginAddress(to, form))
			return
		}
		s := k.sheet(c, who)
		if err == nil && form {
			err = k.checkForm(c, who)
		}
		if err == nil && !may(who.Role, c.Request.Method, c.FullPath(), role) {
			k.refuse(c, s, role)
			return
		}
		if err == nil {
			err = show(c, s)
		}
		if err != nil {
			k.sorry(c, s, err)
		}
	}
}

// A sheet is what every page needs.
type sheet struct {
	k      *console
	Lang   string
	Now    time.Time
	Who    visitor
	Title  string // of the window; says nothing about a person
	Lead   string
	Nav    string // the entry of the navigation that the page belongs to
	Path   string // to come back to after a change of language
	Beat   beat
	zone   *time.Location
	firms  Tenants // that the visitor may see
	Broken int     // companies whose newest file is not in force
}

// sheet also lets the rest of the request be done in the visitor's name.
func (k *console) sheet(c *gin.Context, who visitor) *sheet {
	if who.Name != "" {
		c.Request = c.Request.WithContext(as(c.Request.Context(), who.Actor))
	}
	firms := k.Tenants(c.Request.Context())
	s := &sheet{k: k, Lang: negotiate(c.GetHeader("Accept-Language")), Now: k.Now(), Who: who, Path: "/", zone: zone(firms), firms: firms}
	if lang := cookie(c.Request, languageCookie); lang == english || lang == japanese {
		s.Lang = lang
	}
	if c.Request.Method == http.MethodGet {
		s.Path = c.Request.URL.RequestURI()
	}
	if who.Name == "" {
		return s
	}
	for _, status := range firms.Status() {
		s.Broken += min(len(status.Errors), 1)
	}
	// Without the numbers a page is still worth showing; the overview says why
	// they are missing.
	s.Beat, _ = k.pulse.feel(c.Request.Context())
	return s
}

// zone is the clock of the pages: that of the companies when they have the
// same, else UTC.
func zone(firms Tenants) *time.Location {
	var zone *time.Location
	for _, c := range firms.Companies() {
		switch z := c.Zone(); {
		case zone == nil:
			zone = z
		case zone.String() != z.String():
			return time.UTC
		}
	}
	if zone == nil {
		return time.UTC
	}
	return zone
}

// of makes the page follow the clock of one company.
func (s *sheet) of(company string) {
	if c, err := s.firms.Company(company); err == nil {
		s.zone = c.Zone()
	}
}

// render writes a page.
func (k *console) render(c *gin.Context, code int, name string, page any) {
	var out bytes.Buffer
	if err := consoleTemplates.ExecuteTemplate(&out, name+".html", page); err != nil {
		k.Log.ErrorContext(c.Request.Context(), "page failed", "page", name, "err", err)
		c.String(http.StatusInternalServerError, "this page could not be made; the log says more\n")
		return
	}
	c.Data(code, "text/html; charset=utf-8", out.Bytes())
}

// A sorryPage says what went wrong, where, and what to do.
type sorryPage struct {
	*sheet
	Text string
	Code string // the error in the words of the program
}

// sorry answers an error.
func (k *console) sorry(c *gin.Context, s *sheet, err error) {
	fault, code := ats.FaultOf(err), status(err)
	p := sorryPage{sheet: s, Code: err.Error()}
	switch fault {
	case ats.Denied:
		code = http.StatusForbidden
	case ats.Duplicate:
		code = http.StatusConflict
	case ats.Busy:
		c.Header("Retry-After", seconds(err))
	case ats.Invalid, ats.NotFound, ats.Conflict, ats.TooLarge:
	default:
		fault, p.Code = "ours", ""
		k.Log.ErrorContext(c.Request.Context(), "request failed", "route", c.FullPath(), "err", err)
	}
	p.Title, p.Text = s.t("sorry."+string(fault)+".h1"), s.t("sorry."+string(fault))
	k.render(c, code, "sorry", p)
}

// refuse answers a visitor whose role is too small.
func (k *console) refuse(c *gin.Context, s *sheet, role record.Role) {
	s.Title = s.t("sorry.role.h1")
	k.render(c, http.StatusForbidden, "sorry", sorryPage{sheet: s, Text: s.t("sorry.role", "role", s.t("role."+string(role)), "yours", s.t("role."+string(s.Who.Role)))})
}

// lost answers an address that does not exist.
func (k *console) lost(c *gin.Context) {
	err := ats.Errorf(ats.NotFound, "no page %s", c.Request.URL.Path)
	if strings.HasPrefix(c.Request.URL.Path, "/api/") {
		k.fail(c, ats.Errorf(ats.NotFound, "no route %s %s; see %s/openapi.json", c.Request.Method, c.Request.URL.Path, apiBase))
		return
	}
	who, denied := k.who(c.Request)
	if denied != nil {
		c.Redirect(http.StatusSeeOther, "/login")
		return
	}
	k.sorry(c, k.sheet(c, who), err)
}

// t returns a sentence of the catalogue for Go code; the tests try every one.
func (s *sheet) t(key string, pairs ...any) string {
	text, err := s.T(key, pairs...)
	if err != nil {
		return key
	}
	return text
}

// T returns a sentence of the catalogue.
func (s *sheet) T(key string, pairs ...any) (string, error) {
	return consoleWords.say(s.Lang, key, pairs...)
}

// consoleWords is the catalogue of the console.
var consoleWords = mustWords("templates/console/words.json")

// known returns a sentence of the catalogue if there is one, else plain: codes
// of vendors and errors of the program stay as they are.
func (s *sheet) known(key, plain string) string {
	if text, err := s.T(key); err == nil {
		return text
	}
	return plain
}

// Count writes a number with its noun: "21 jobs".
func (s *sheet) Count(noun string, n int) string {
	key := "count." + noun
	if n == 1 {
		key += ".one"
	}
	return s.t(key, "n", s.Num(n))
}

// Num writes a number with separators.
func (s *sheet) Num(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// May reports whether the visitor may act.
func (s *sheet) May() bool { return s.Who.Role.Includes(record.Operator) }

// A revealForm asks why somebody wants to see what is personal.
type revealForm struct {
	URL  string
	In   string // page to come back to
	Text string
}

// Reveal makes the form for one row.
func (s *sheet) Reveal(path, id, in string) revealForm {
	return revealForm{URL: "/" + path + "/" + url.PathEscape(id) + "/reveal", In: in, Text: s.t("reveal." + path)}
}

// Ticks reports whether the rows of a list can be ticked one by one; only the page
// of a list says yes.
func (*sheet) Ticks() bool { return false }

// Entries are the entries of the navigation, with how much in each needs a
// person.
func (s *sheet) Entries() []link {
	open := s.Beat.Of("")
	needs := map[string]int{
		"hold": open.Mails["stopped"] + open.Mails["unclear"] + open.Mails["failed"], "dead-letters": open.Jobs["dead"],
		"deliveries": open.Deliveries["parked"] + open.Deliveries["quarantined"], "referrals": open.Referrals["failed"], "companies": s.Broken, "alerts": len(s.Beat.Alerts),
	}
	var out []link
	for _, name := range []string{"overview", "alerts", "mailbox", "applications", "deliveries", "hold", "mails", "dead-letters", "jobs", "referrals", "consents", "credits", "batches", "companies", "audit", "users", "help"} {
		l := link{Text: s.t("nav." + name), URL: "/" + name, Count: needs[name], Active: s.Nav == name}
		if name == "overview" {
			l.URL = "/"
		}
		if !s.Sees(l.URL) {
			continue
		}
		out = append(out, l)
	}
	return out
}

// Asset is the address of a static file.
func (s *sheet) Asset(name string) string { return consoleAssets[name].url() }

// Other is the language that the page is not in.
func (s *sheet) Other() string {
	if s.Lang == english {
		return japanese
	}
	return english
}

// Visitor is the visitor's name without its kind.
func (s *sheet) Visitor() string {
	_, name, ok := strings.Cut(s.Who.Name, ":")
	if !ok {
		return s.Who.Name
	}
	return name
}

// Company is a company's name in the language of the page, or its id when it
// is not configured any more.
func (s *sheet) Company(id string) string {
	if c, err := s.firms.Company(id); err == nil {
		if name := c.Name.In(s.Lang); name != "" {
			return name
		}
	}
	return id
}

// Short is the end of an id, which is enough to tell it from its neighbours.
func (s *sheet) Short(id string) string {
	if len(id) <= 10 {
		return id
	}
	return "…" + id[len(id)-8:]
}

// At writes a time for a table.
func (s *sheet) At(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	t = t.In(s.zone)
	if t.Year() != s.Now.In(s.zone).Year() {
		return t.Format("2006/01/02 15:04")
	}
	return t.Format("01/02 15:04")
}

// Clock writes the time of day to the second.
func (s *sheet) Clock(t time.Time) string { return t.In(s.zone).Format("15:04:05") }

// Day writes a date out.
func (s *sheet) Day(t time.Time) string { return day(t.In(s.zone), s.Lang) }

// Long writes a date and the time of day out.
func (s *sheet) Long(t time.Time) string { return moment(t.In(s.zone), s.Lang) }

// Zone says which clock the times of the page follow.
func (s *sheet) Zone() string { return zoneName(s.zone, s.Lang) }

// For writes a span of time in its two largest units at most.
func (s *sheet) For(d time.Duration) string {
	switch {
	case d < time.Minute:
		return s.t("span.seconds", "n", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return s.t("span.minutes", "n", int(d.Minutes()))
	case d < 48*time.Hour && d%(24*time.Hour) != 0:
		if m := int(d.Minutes()) % 60; m != 0 {
			return s.t("span.hours_minutes", "n", int(d.Hours()), "m", m)
		}
		return s.t("span.hours", "n", int(d.Hours()))
	case d < 48*time.Hour:
		return s.t("span.day")
	}
	return s.t("span.days", "n", int(d.Hours()/24))
}

// Span writes a length of time out of the configuration.
func (s *sheet) Span(d ats.Duration) string { return s.For(d.Std()) }

// Since writes how long ago t was.
func (s *sheet) Since(t time.Time) string { return s.For(s.Now.Sub(t)) }

// Stamp writes a time for machines, beside the one for people.
func (s *sheet) Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
