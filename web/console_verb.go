package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A verbPage is the preview of a verb: what would happen to how many, what
// would not and why. Nothing happens before its form is sent.
type verbPage struct {
	*sheet
	Key      string // of the words of this verb
	Noun     noun
	Bad      bool
	Address  string // of the form, with the filter
	Back     string
	Words    string // the filter
	Done     record.Done
	Parts    []partOf
	Asks     bool // whether the mails left
	Rerun    bool // the workers do it step by step
	Rate     int
	Halt     int
	Divided  bool // in the parts of a batch
	Compared *comparison
	Reason   string
	Err      string
}

// A partOf is one part of what a filter found.
type partOf struct {
	Text  string
	Count int
	X     int // of the bar, in 370 units
	Width int
	Bar   int // the width without the gap
	Runs  bool
	Shape string
	Why   []partOf // the reasons of a part
	Such  []link   // some of them
}

// preview shows what a verb would do.
func (k *console) preview(v verb) showing {
	return func(c *gin.Context, s *sheet) error { return k.showVerb(c, s, v, http.StatusOK, "", "") }
}

func (k *console) showVerb(c *gin.Context, s *sheet, v verb, code int, reason, problem string) error {
	q := ticked(c.Request.URL.Query())
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
	several := f.ID == "" || strings.Contains(f.ID, ",")
	if !several {
		p.Back = "/" + v.noun.Path + "/" + url.PathEscape(f.ID)
	}
	p.Rerun, p.Halt, p.Divided = v.rerun && several, record.DefaultHalt, done.Samples != nil
	if v.name == "replay" && !several {
		if p.Compared, err = k.compare(c.Request.Context(), s, f.ID); err != nil {
			return err
		}
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
	p.Parts = []partOf{{Text: p.t(p.Key + ".part"), Count: p.Done.Changed, Runs: true, Shape: "run", Such: p.such("")}}
	skipped := slices.SortedFunc(maps.Keys(p.Done.Skipped), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.Done.Skipped[b], p.Done.Skipped[a]), cmp.Compare(a, b))
	})
	if p.Divided {
		p.gather(skipped)
	} else {
		for _, why := range skipped {
			p.Parts = append(p.Parts, partOf{Text: p.skip(p.Noun.One, why), Count: p.Done.Skipped[why], Shape: "none"})
		}
	}
	all := p.Done.Matched
	if p.Done.Looked > 0 {
		all = p.Done.Looked
	}
	x := 0
	for i := range p.Parts {
		if all > 0 {
			p.Parts[i].X, p.Parts[i].Width = x, 370*p.Parts[i].Count/all
		}
		p.Parts[i].Bar = max(p.Parts[i].Width-2, 1)
		x += p.Parts[i].Width
	}
}

// gather puts the reasons of a batch's preview into its parts.
func (p *verbPage) gather(skipped []string) {
	for _, name := range record.Parts[1:] {
		part := partOf{Text: p.t("verb.part." + name), Shape: map[bool]string{true: "done", false: "none"}[name == record.PartDone]}
		for _, why := range skipped {
			if record.PartOf(why) == name {
				part.Count += p.Done.Skipped[why]
				part.Why = append(part.Why, partOf{Text: p.skip(p.Noun.One, why), Count: p.Done.Skipped[why], Such: p.such(why)})
			}
		}
		if part.Count > 0 {
			p.Parts = append(p.Parts, part)
		}
	}
}

// such links a few of those that a reason holds for.
func (p *verbPage) such(why string) []link {
	var out []link
	for _, id := range p.Done.Samples[why] {
		out = append(out, link{Text: p.Short(id), URL: "/" + p.Noun.Path + "/" + url.PathEscape(id)})
	}
	return out
}

// skip says why something is left alone: a reason, or the state it is in.
func (s *sheet) skip(noun, why string) string {
	if said := s.known("say."+why, ""); said != "" {
		return said
	}
	return s.t("verb.state", "state", s.State(record.Plural(noun), why))
}

// ticked puts ids that were ticked one by one into one word.
func ticked(q url.Values) url.Values {
	q = maps.Clone(q)
	if ids := q["id"]; len(ids) > 1 {
		q.Set("id", strings.Join(ids, ","))
	}
	return q
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
		var err1, err2 error
		o.Rate, err1 = number(form.Get("rate"))
		o.Halt, err2 = number(form.Get("halt"))
		if err1 != nil || err2 != nil {
			return k.showVerb(c, s, v, http.StatusBadRequest, o.Reason, s.t("verb.number"))
		}
		if _, err := record.NeedReason(o.Reason); err != nil {
			return k.showVerb(c, s, v, http.StatusBadRequest, o.Reason, s.t("reason.missing"))
		}
		if v.name == "resolve" && o.Sent == nil {
			return k.showVerb(c, s, v, http.StatusBadRequest, o.Reason, s.t("verb.mails.resolve.choose"))
		}
		done, err := k.run(c.Request.Context(), v, o)
		if ats.FaultOf(err) == ats.Conflict {
			return k.showVerb(c, s, v, http.StatusConflict, o.Reason, s.t("verb.conflict")+" "+err.Error())
		}
		if err != nil {
			return err
		}
		if done.Changed == 0 && done.Batch == "" {
			return k.showVerb(c, s, v, http.StatusConflict, o.Reason, s.t("verb.nothing"))
		}
		to := "/batches/" + url.PathEscape(done.Batch)
		switch {
		case done.Batch == "":
			to = "/" + v.noun.Path + "/" + url.PathEscape(done.IDs[0])
		case !s.Sees("/batches/:id"):
			to = "/" + v.noun.Path + "?company=" + url.QueryEscape(s.Who.Company)
		}
		c.Redirect(http.StatusSeeOther, to)
		return nil
	}
}

// number reads a number of a form; nothing is zero.
func number(text string) (int, error) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = strconv.ErrRange
	}
	return n, err
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
		switch c.Request.PostForm.Get("in") {
		case "mailbox":
			to = "/mailbox?id=" + url.QueryEscape(id)
		case "hold":
			to = "/hold?id=" + url.QueryEscape(id) + "#letter"
		}
		c.Redirect(http.StatusSeeOther, to)
		return nil
	}
}
