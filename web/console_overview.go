package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// An overviewPage answers whether everything is fine and what to do first.
type overviewPage struct {
	*sheet
	Alerts    []alert
	Counts    record.Counts
	Received  int // within a day
	Unread    int
	Refused   int
	Waiting   int           // mails
	Oldest    time.Duration // of what is due in any queue
	Queues    []pair        // how much is due in each
	Companies []companyRow
}

// An alert is something that needs a person.
type alert struct {
	Chip   template.HTML
	Text   string // what happened
	More   string
	Meta   string // since when, and what is safe
	URL    string
	Button string
	Fatal  bool
	of     string // the company, if it is about one
}

// A companyRow is one company as the lists of companies show it.
type companyRow struct {
	ID       string
	Name     string
	State    string
	Last     *record.Delivery
	Received int
	Waiting  int
	Needs    int // what waits for a person
	Status   configs.Status
	Company  *configs.Company // nil when no content of its file was ever good
}

func (k *console) overview(c *gin.Context, s *sheet) error {
	if s.Who.Role == record.Recruiter { // to whom the company is everything
		c.Redirect(http.StatusSeeOther, "/companies/"+url.PathEscape(s.Who.Company))
		return nil
	}
	s.Nav = "overview"
	p := overviewPage{sheet: s, Counts: s.Beat.Of("")}
	p.Waiting = waiting(p.Counts)
	for _, states := range s.Beat.Received {
		for _, n := range states {
			p.Received += n
		}
		p.Unread += states[string(record.Parked)]
		p.Refused += states[string(record.Quarantined)]
	}
	for _, queue := range queues {
		b := s.Beat.Backlog[queue]
		p.Queues = append(p.Queues, pair{queue, s.Num(b.Due)})
		if b.Due > 0 {
			p.Oldest = max(p.Oldest, s.Now.Sub(b.Oldest))
		}
	}
	var err error
	if p.Companies, err = k.companyRows(c, s); err != nil {
		return err
	}
	p.Alerts = append(k.problems(c, s), p.alerts()...)
	p.say()
	k.render(c, http.StatusOK, "overview", p)
	return nil
}

// say writes the heading: the first line answers the question, the next says
// who is not concerned.
func (p *overviewPage) say() {
	heading := "overview.fine"
	if slices.ContainsFunc(p.Alerts, func(a alert) bool { return a.Fatal }) {
		heading = "overview.down"
	}
	p.Title = p.t(heading)
	concerned := map[string]bool{}
	all := false
	for _, a := range p.Alerts {
		all = all || a.of == ""
		concerned[a.of] = true
	}
	switch {
	case len(p.Alerts) == 0:
		p.Title += p.t("overview.nothing")
		p.Lead = p.t("overview.lead", "companies", p.Count("company", len(p.Companies)))
	case !all && len(p.Companies) > len(concerned):
		p.Title += p.t("overview.needs", "count", p.Count("need", len(p.Alerts)))
		p.Lead = p.t("overview.others", "count", p.Count("company", len(p.Companies)-len(concerned)))
	default:
		p.Title += p.t("overview.needs", "count", p.Count("need", len(p.Alerts)))
	}
}

// perCompany are problems that the overview tells company by company.
var perCompany = []string{"configuration", "transport"}

// problems are what the process itself finds wrong.
func (k *console) problems(c *gin.Context, s *sheet) []alert {
	var out []alert
	for _, p := range k.Ready(c.Request.Context()) {
		if slices.Contains(perCompany, p.Name) {
			continue
		}
		shape, word := "warn", "alert.problem"
		if p.Fatal {
			shape, word = "stop", "alert.fatal"
		}
		out = append(out, alert{Chip: chip(shape, s.t(word)), Text: p.Name, More: p.Text, Fatal: p.Fatal, URL: "/help", Button: s.t("nav.help")})
	}
	return out
}

// alerts lists what needs a person, the loudest first.
func (p *overviewPage) alerts() []alert {
	var out []alert
	braked := map[string]bool{}
	for _, b := range p.Beat.Brakes {
		braked[b.Company] = braked[b.Company] || b.Kind == "volume"
		out = append(out, p.brake(b))
	}
	for _, a := range p.Beat.Alerts {
		if onlyTold[a.Kind] {
			out = append(out, p.told(a))
		}
	}
	for _, row := range p.Companies {
		out = append(out, p.company(row)...)
	}
	stopped := 0
	for company, counts := range p.Beat.Open {
		if !braked[company] {
			stopped += counts.Mails["stopped"]
		}
	}
	for _, a := range []struct {
		shape, key, noun, url string
		n                     int
	}{
		{"ask", "unclear", "mail", "/mails?state=unclear", p.Counts.Mails["unclear"]},
		{"stop", "failed", "mail", "/mails?state=failed", p.Counts.Mails["failed"]},
		{"stop", "dead", "job", "/jobs?state=dead", p.Counts.Jobs["dead"]},
		{"stop", "referrals", "referral", "/referrals?state=failed", p.Counts.Referrals["failed"]},
		{"stop", "quarantined", "delivery", "/deliveries?state=quarantined", p.Counts.Deliveries["quarantined"]},
		{"warn", "parked", "delivery", "/deliveries?state=parked", p.Counts.Deliveries["parked"]},
		{"hold", "stopped", "mail", "/mails?state=stopped", stopped},
	} {
		if a.n == 0 {
			continue
		}
		count := p.Count(a.noun, a.n)
		out = append(out, alert{
			Chip: chip(a.shape, p.t("alert."+a.key)), Text: p.t("alert."+a.key+".text", "count", count), More: p.t("alert." + a.key + ".more"),
			URL: a.url, Button: p.t("alert.look", "count", count),
		})
	}
	return out
}

func (p *overviewPage) brake(b record.Brake) alert {
	shape := "stop"
	if !b.StopsMail() {
		shape = "warn"
	}
	a := alert{
		Chip: chip(shape, p.t("alert.brake."+b.Kind)), Meta: p.t("alert.since", "at", p.At(b.OpenedAt), "span", p.Since(b.OpenedAt)),
		URL: "/companies/" + url.PathEscape(b.Company), Button: p.t("alert.brake.look"), of: b.Company,
		Text: p.t("alert.brake."+b.Kind+".text", "company", p.Company(b.Company)), More: p.Say(b.Cause),
	}
	if b.Kind == "volume" {
		count := p.Count("mail", p.Beat.Of(b.Company).Mails["stopped"])
		a.Text = p.t("alert.brake.volume.text", "company", p.Company(b.Company), "count", count)
		a.URL, a.Button = "/mails?"+url.Values{"company": {b.Company}, "state": {"stopped"}}.Encode(), p.t("alert.look", "count", count)
	}
	return a
}

// company says what is wrong with a company's file and with how its mails
// leave.
func (p *overviewPage) company(row companyRow) []alert {
	var out []alert
	at := "/companies/" + url.PathEscape(row.ID)
	if n := len(row.Status.Errors); n > 0 {
		key, shape := "alert.stale", "warn"
		if row.Company == nil {
			key, shape = "alert.broken", "stop"
		}
		out = append(out, alert{
			Chip: chip(shape, p.t(key)), Text: p.t(key+".text", "company", row.Name), More: row.Status.Errors[0], Meta: p.t(key + ".meta"),
			URL: at, Button: p.t("alert.config.look"), of: row.ID,
		})
	}
	if row.State == "mailbox" {
		out = append(out, alert{
			Chip: chip("warn", p.t("alert.mailbox")), Text: p.t("alert.mailbox.text", "company", row.Name), More: p.t("alert.mailbox.more"),
			URL: at, Button: p.t("alert.mailbox.look"), of: row.ID,
		})
	}
	return out
}

// companyRows lists the companies, those in force and those whose file never
// was good.
func (k *console) companyRows(c *gin.Context, s *sheet) ([]companyRow, error) {
	byID := map[string]companyRow{}
	for _, status := range s.firms.Status() {
		byID[status.Company] = companyRow{ID: status.Company, Status: status}
	}
	for _, company := range s.firms.Companies() {
		row := byID[company.ID]
		row.ID, row.Company = company.ID, company
		byID[company.ID] = row
	}
	var out []companyRow
	for id, row := range byID {
		open := s.Beat.Of(id)
		row.Name, row.State = s.Company(id), k.companyState(s, row)
		row.Waiting = waiting(open)
		row.Needs = open.Mails["stopped"] + open.Mails["unclear"] + open.Mails["failed"] + open.Jobs["dead"] + open.Deliveries["parked"] + open.Deliveries["quarantined"] + open.Referrals["failed"]
		for _, n := range s.Beat.Received[id] {
			row.Received += n
		}
		last, err := k.Desk.Deliveries(c.Request.Context(), record.Filter{Company: id, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(last) > 0 {
			row.Last = &last[0]
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b companyRow) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// companyState names how a company is doing, the loudest first.
func (k *console) companyState(s *sheet, row companyRow) string {
	on := func(stops bool) bool {
		return slices.ContainsFunc(s.Beat.Brakes, func(b record.Brake) bool { return b.Company == row.ID && b.StopsMail() == stops })
	}
	switch {
	case row.Company == nil:
		return "broken"
	case on(true):
		return "braked"
	case on(false):
		return "unheard"
	case len(row.Status.Errors) > 0:
		return "stale"
	case k.boxed(row.Company):
		return "mailbox"
	}
	return string(row.Company.Sending.Mode)
}

// boxed reports whether a company that is live only writes to the built-in
// mailbox. In a demonstration that is meant.
func (k *console) boxed(c *configs.Company) bool {
	return k.DemoUser.Name == "" && c.Sending.Mode == sending.Live && (c.Mail.Transport == "" || c.Mail.Transport == "mailbox")
}
