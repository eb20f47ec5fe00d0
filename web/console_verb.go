package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A verbPage is the preview of a verb: what would happen to how many, what
// would not and why. Nothing happens before its form is sent.
type verbPage struct {
	*sheet
	Key     string // of the words of this verb
	Noun    noun
	Bad     bool
	Address string // of the form, with the filter
	Back    string
	Words   string // the filter
	Done    record.Done
	Parts   []partOf
	Asks    bool // whether the mails left
	Reason  string
	Err     string
}

// A partOf is one part of what a filter found.
type partOf struct {
	Text  string
	Count int
	X     int // of the bar, in 370 units
	Width int
	Bar   int // the width without the gap
	Runs  bool
}

// preview shows what a verb would do.
func (k *console) preview(v verb) showing {
	return func(c *gin.Context, s *sheet) error { return k.showVerb(c, s, v, http.StatusOK, "", "") }
}

func (k *console) showVerb(c *gin.Context, s *sheet, v verb, code int, reason, problem string) error {
	q := c.Request.URL.Query()
	f, err := v.noun.filter(q, k.Now())
	if err != nil {
		return err
	}
	done, err := k.run(c.Request.Context(), v, order{Order: record.Order{Actor: s.Who.Actor, Filter: f, DryRun: true}})
	if err != nil {
		return err
	}
	p := verbPage{
		sheet: s, Key: "verb." + v.noun.Path + "." + v.name, Noun: v.noun, Bad: v.name == "cancel", Asks: v.name == "resolve",
		Address: c.Request.URL.RequestURI(), Back: "/" + v.noun.Path + "?" + q.Encode(), Words: words(q), Done: done, Reason: reason, Err: problem,
	}
	if f.ID != "" {
		p.Back = "/" + v.noun.Path + "/" + url.PathEscape(f.ID)
	}
	s.Path, s.Nav = p.Address, v.noun.Path
	title := ".h1"
	if done.Changed == done.Matched {
		title = ".do"
	}
	p.Title = s.t(p.Key+title, "matched", s.Count(v.noun.One, done.Matched), "count", s.Count(v.noun.One, done.Changed))
	p.divide()
	k.render(c, code, "verb", p)
	return nil
}

// divide makes the parts and their widths.
func (p *verbPage) divide() {
	p.Parts = []partOf{{Text: p.t(p.Key + ".part"), Count: p.Done.Changed, Runs: true}}
	skipped := slices.SortedFunc(maps.Keys(p.Done.Skipped), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.Done.Skipped[b], p.Done.Skipped[a]), cmp.Compare(a, b))
	})
	for _, why := range skipped {
		p.Parts = append(p.Parts, partOf{Text: p.skip(why), Count: p.Done.Skipped[why]})
	}
	x := 0
	for i := range p.Parts {
		if p.Done.Matched > 0 {
			p.Parts[i].X, p.Parts[i].Width = x, 370*p.Parts[i].Count/p.Done.Matched
		}
		p.Parts[i].Bar = max(p.Parts[i].Width-2, 1)
		x += p.Parts[i].Width
	}
}

// skip says why something is left alone: a reason, or the state it is in.
func (p *verbPage) skip(why string) string {
	if said := p.known("say."+why, ""); said != "" {
		return said
	}
	return p.t("verb.state", "state", p.State(p.Noun.Path, why))
}

// carryOut does what the preview showed, counting once more.
func (k *console) carryOut(v verb) showing {
	return func(c *gin.Context, s *sheet) error {
		f, err := v.noun.filter(c.Request.URL.Query(), k.Now())
		if err != nil {
			return err
		}
		form := c.Request.PostForm
		o := order{Order: record.Order{Actor: s.Who.Actor, Filter: f, Reason: form.Get("reason")}}
		if sent := form.Get("sent"); sent != "" {
			left := sent == "yes"
			o.Sent = &left
		}
		if _, err := needReason(o.Reason); err != nil {
			return k.showVerb(c, s, v, http.StatusBadRequest, o.Reason, s.t("reason.missing"))
		}
		if v.name == "resolve" && o.Sent == nil {
			return k.showVerb(c, s, v, http.StatusBadRequest, o.Reason, s.t("verb.mails.resolve.choose"))
		}
		done, err := k.run(c.Request.Context(), v, o)
		if err != nil {
			return err
		}
		if done.Changed == 0 {
			return k.showVerb(c, s, v, http.StatusConflict, o.Reason, s.t("verb.nothing"))
		}
		to := "/" + v.noun.Path + "/" + url.PathEscape(done.IDs[0])
		if done.Batch != "" {
			to = "/batches/" + url.PathEscape(done.Batch)
		}
		c.Redirect(http.StatusSeeOther, to)
		return nil
	}
}

// withdrawConsent takes a consent back.
func (k *console) withdrawConsent(c *gin.Context, s *sheet) error {
	id, reason := c.Param("id"), c.Request.PostForm.Get("reason")
	_, err := k.withdraw(c.Request.Context(), s.Who.Actor, id, reason)
	if ats.FaultOf(err) == ats.Invalid {
		return k.showConsent(c, s, http.StatusBadRequest, s.t("reason.missing"))
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/consents/"+url.PathEscape(id))
	return nil
}

// unlockPage notes why somebody looks and leads back to the page, which then
// shows it.
func (k *console) unlockPage(n noun) showing {
	return func(c *gin.Context, s *sheet) error {
		id, err := k.unlock(c.Request.Context(), s.Who.Actor, n, c.Param("id"), c.Request.PostForm.Get("reason"))
		if err != nil {
			return err
		}
		to := "/" + n.Path + "/" + url.PathEscape(id)
		if c.Request.PostForm.Get("in") == "mailbox" {
			to = "/mailbox?id=" + url.QueryEscape(id)
		}
		c.Redirect(http.StatusSeeOther, to)
		return nil
	}
}
