package web

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
)

// A listPage is a list with its filter. The address is the truth: everything
// that narrows stands in it and can be taken off one by one.
type listPage struct {
	*sheet
	Noun   noun
	Rows   any
	Total  string // how many rows there are, when that is known
	Empty  bool
	Words  string // the filter in words
	Err    string // what is wrong with it
	Views  []link
	Facets []facet
	Chips  []chipLink
	Verbs  []verbLink
	Newest string // address of the first page, when this is a later one
	Older  string // address of the next page
	query  []pair // what narrows, as the address has it
	state  string // that the filter asks for
}

type link struct {
	Text   string
	URL    string
	Count  int
	Active bool
}

type facet struct {
	Title string
	Links []link
}

type chipLink struct{ Text, Remove string }

// A verbLink leads to the preview of a verb.
type verbLink struct {
	Text string
	URL  string
	Path string // without the selection
	Bad  bool
	Main bool
}

// listing shows the rows that the address asks for.
func listing[T any](k *console, c *gin.Context, s *sheet, n noun, read func(context.Context, record.Filter) ([]T, error), id func(T) string) error {
	q := c.Request.URL.Query()
	maps.DeleteFunc(q, func(_ string, v []string) bool { return strings.TrimSpace(v[0]) == "" })
	p := listPage{sheet: s, Noun: n, Words: words(q)}
	s.Nav = n.Path
	code := http.StatusOK
	f, err := n.filter(q, k.Now(), paging...)
	switch {
	case ats.FaultOf(err) == ats.Invalid:
		p.Err, code = err.Error(), http.StatusBadRequest
		p.Title = s.t("list.unread")
	case err != nil:
		return err
	default:
		if f.Company != "" {
			s.of(f.Company)
		}
		p.state = f.State
		page, err := fetch(c.Request.Context(), f, read, id)
		if err != nil {
			return err
		}
		p.Rows, p.Empty = page.Items, len(page.Items) == 0
		p.turn(q, f, len(page.Items), page.Next)
		p.verbs(q, f)
	}
	p.narrow(q, f)
	k.render(c, code, n.Path, &p)
	return nil
}

// turn sets what depends on the page of the list.
func (p *listPage) turn(q url.Values, f record.Filter, n int, next string) {
	if f.After != "" {
		p.Newest = p.address(q, "after", "")
	}
	if next != "" {
		p.Older = p.address(q, "after", next)
	}
	if total, ok := p.total(q, f, n, next); ok {
		p.Total = p.Count(p.Noun.One, total)
	}
	title := "list.title"
	if p.Total == "" {
		title += ".open"
	}
	if f.State != "" {
		title += ".state"
	}
	p.Title = p.t(title, "noun", p.t("noun."+p.Noun.Path), "state", p.State(p.Noun.Path, f.State), "count", p.Total)
}

// total returns how many rows the filter finds in all, when that is known: on
// the only page of a list, or for open work, which is counted all the time.
func (p *listPage) total(q url.Values, f record.Filter, n int, next string) (int, bool) {
	if f.After == "" && next == "" {
		return n, true
	}
	for word := range q {
		if word != "state" && word != "company" && word != "after" && word != "limit" {
			return 0, false
		}
	}
	total, ok := p.open(f.Company)[f.State]
	return total, ok
}

// open counts the noun's open rows by state.
func (p *listPage) open(company string) map[string]int {
	c := p.Beat.Of(company)
	c.Mails["held"] = waiting(c)
	return map[string]map[string]int{"deliveries": c.Deliveries, "mails": c.Mails, "jobs": c.Jobs, "referrals": c.Referrals}[p.Noun.Path]
}

// waiting counts the mails that wait: for their time, or for a person.
func waiting(c record.Counts) int { return c.Mails["held"] + c.Mails["stopped"] }

// address is the address of the list with one word changed or, when value is
// empty, taken off. Every change but the page itself starts on the first page.
func (p *listPage) address(q url.Values, word, value string) string {
	q = maps.Clone(q)
	q.Del("after")
	q.Del(word)
	if value != "" {
		q.Set(word, value)
	}
	if len(q) == 0 {
		return "/" + p.Noun.Path
	}
	return "/" + p.Noun.Path + "?" + q.Encode()
}

// spans are the spans of time that the filter offers.
var spans = []string{"1h", "24h", "7d", "30d"}

// narrow sets views, facets and chips.
func (p *listPage) narrow(q url.Values, f record.Filter) {
	if len(p.Noun.States) > 0 {
		open := p.open(f.Company)
		p.Views = append(p.Views, link{Text: p.t("list.all"), URL: p.address(q, "state", ""), Active: f.State == ""})
		for _, state := range p.Noun.States {
			p.Views = append(p.Views, link{Text: p.State(p.Noun.Path, state), URL: p.address(q, "state", state), Active: f.State == state, Count: open[state]})
		}
	}
	choices := map[string][]string{"order": {"", record.ByDue}, "since": spans, "kind": {record.DecodeJob, record.MailJob, record.ReferralJob, record.WithdrawalJob, record.FeedbackJob, record.AlertJob}, "purpose": p.purposes()}
	if p.Noun.Path == alertNoun.Path {
		choices["kind"] = alertKinds()
	}
	for _, c := range p.firms.Companies() {
		choices["company"] = append(choices["company"], c.ID)
		if c.ID == f.Company {
			choices["connection"] = slices.Sorted(maps.Keys(c.Connections))
		}
	}
	for _, word := range []string{"company", "connection", "kind", "purpose", "since", "order"} {
		if !slices.Contains(p.Noun.words, word) || len(choices[word]) < 2 {
			continue
		}
		one := facet{Title: p.t("word." + word)}
		for _, value := range choices[word] {
			l := link{Text: p.value(word, value), URL: p.address(q, word, value), Active: q.Get(word) == value}
			if l.Active { // a second time takes it off
				l.URL = p.address(q, word, "")
			}
			one.Links = append(one.Links, l)
		}
		p.Facets = append(p.Facets, one)
	}
	for _, word := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(paging, word) {
			p.query = append(p.query, pair{word, q.Get(word)})
			p.Chips = append(p.Chips, chipLink{Text: p.t("list.chip", "word", p.known("word."+word, word), "value", p.value(word, q.Get(word))), Remove: p.address(q, word, "")})
		}
	}
}

func (p *listPage) purposes() []string {
	if p.Noun.Path == "mails" {
		return []string{"thank_you", "relay_confirm", "relay_receipt"}
	}
	return []string{"relay_handover", "employer_introduction", "newsletter", "tell_company"}
}

// value is a value of the filter in words.
func (p *listPage) value(word, value string) string {
	switch word {
	case "company":
		return p.Company(value)
	case "state":
		return p.State(p.Noun.Path, value)
	case "id", "person", "batch":
		return p.Short(value)
	case "kind":
		if name := alerts.Name(alerts.Kind(value), p.Lang); name != "" {
			return name
		}
	}
	return p.known(word+"."+value, value)
}

// verbs offers what can be done to everything that the filter finds.
func (p *listPage) verbs(q url.Values, f record.Filter) {
	if !f.Narrow() || p.Empty {
		return
	}
	q = maps.Clone(q)
	for _, word := range paging {
		q.Del(word)
	}
	p.Verbs = p.verbLinks(p.Noun, f.State, q)
}

// Ticks reports whether the rows can be ticked: something can be done to them.
func (p *listPage) Ticks() bool { return p.May() && !p.Empty && len(able[p.Noun.Path][p.state]) > 0 }

// Ticked are the verbs for what is ticked.
func (p *listPage) Ticked() []verbLink {
	return p.verbLinks(p.Noun, p.state, nil)
}

// able says which verbs make sense for a state; "" stands for all states.
var able = map[string]map[string][]string{
	"jobs":       {"": {"retry", "cancel"}, "dead": {"retry", "cancel"}, "waiting": {"retry", "cancel"}},
	"deliveries": {"": {"replay"}, "decoded": {"replay"}, "ignored": {"replay"}, "parked": {"replay"}, "quarantined": {"release"}},
	"mails":      {"": {"release", "stop", "cancel"}, "held": {"send", "stop", "cancel"}, "stopped": {"release", "cancel"}, "unclear": {"resolve"}, "failed": {"retry"}},
	"referrals":  {"": {"retry"}, "failed": {"retry"}},
}

func (s *sheet) verbLinks(n noun, state string, q url.Values) []verbLink {
	var out []verbLink
	for _, name := range able[n.Path][state] {
		if !s.Can(n.Path, name) || name == "send" && q.Get("id") == "" { // one at a time
			continue
		}
		key := "verb." + n.Path + "." + name
		out = append(out, verbLink{
			Text: s.t(key + ".review"), Path: "/" + n.Path + "/" + name, URL: "/" + n.Path + "/" + name + "?" + q.Encode(),
			Bad: name == "cancel", Main: len(out) == 0,
		})
	}
	return out
}

// verbsOf offers what can be done to one row.
func (s *sheet) verbsOf(n noun, state, id string) []verbLink {
	return s.verbLinks(n, state, url.Values{"id": {id}})
}

// words writes a query as the filter of the page: company:acme state:dead.
func words(q url.Values) string {
	var out []string
	for _, word := range slices.Sorted(maps.Keys(q)) {
		if slices.Contains(paging, word) {
			continue
		}
		value := q.Get(word)
		if strings.ContainsAny(value, " \"") {
			value = `"` + strings.ReplaceAll(value, `"`, "") + `"`
		}
		out = append(out, word+":"+value)
	}
	return strings.Join(out, " ")
}

func (k *console) deliveryList(c *gin.Context, s *sheet) error {
	return listing(k, c, s, deliveryNoun, k.Desk.Deliveries, func(d record.Delivery) string { return d.ID })
}

func (k *console) applicationList(c *gin.Context, s *sheet) error {
	return listing(k, c, s, applicationNoun, k.Desk.Applications, func(a record.Application) string { return a.ID })
}

func (k *console) mailList(c *gin.Context, s *sheet) error {
	return listing(k, c, s, mailNoun, k.Desk.Mails, func(m record.Mail) string { return m.ID })
}

func (k *console) jobList(c *gin.Context, s *sheet) error {
	return listing(k, c, s, jobNoun, k.Desk.Jobs, func(j record.Job) string { return j.ID })
}

func (k *console) referralList(c *gin.Context, s *sheet) error {
	return listing(k, c, s, referralNoun, k.Desk.Referrals, func(r record.Referral) string { return r.ID })
}

func (k *console) consentList(c *gin.Context, s *sheet) error {
	return listing(k, c, s, consentNoun, k.Desk.Consents, func(c record.Consent) string { return c.ID })
}

func (k *console) batchList(c *gin.Context, s *sheet) error {
	return listing(k, c, s, batchNoun, k.Desk.Batches, func(b record.Batch) string { return b.ID })
}

func (k *console) auditList(c *gin.Context, s *sheet) error {
	return listing(k, c, s, auditNoun, k.Desk.Audits, func(a record.Audit) string { return strconv.FormatInt(a.Seq, 10) })
}
