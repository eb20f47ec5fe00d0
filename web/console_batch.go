package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A batchPage is how far a batch is and what became of its items.
type batchPage struct {
	*sheet
	Row     batchDetail
	Mine    []pair // the filter in words
	Facts   []fact
	Over    int // items that are settled
	Skipped []partOf
	Results []record.Result
	Older   string
	Things  string // where the things are that it works on
	Reason  string
	Err     string
}

// A fact is a number with its name.
type fact struct {
	Name  string
	Count int
	URL   string
}

func (k *console) batchPage(c *gin.Context, s *sheet) error {
	return k.showBatch(c, s, http.StatusOK, "", "")
}

func (k *console) showBatch(c *gin.Context, s *sheet, code int, reason, problem string) error {
	ctx := c.Request.Context()
	d, err := k.batch(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	p := batchPage{sheet: s, Row: d, Reason: reason, Err: problem, Things: "/" + record.Plural(d.Noun) + "/"}
	if q, err := url.ParseQuery(d.Filter); err == nil {
		p.Mine = []pair{{s.t("field.filter"), words(q)}}
	}
	if p.Stepwise() {
		p.count()
		f := record.Filter{Batch: d.ID, After: c.Query("after")}
		page, err := fetch(ctx, f, k.Desk.Results, func(r record.Result) string { return r.ID })
		if err != nil {
			return err
		}
		p.Results = page.Items
		if page.Next != "" {
			p.Older = "?after=" + url.QueryEscape(page.Next) + "#results"
		}
	}
	s.Nav, s.Path = "batches", "/batches/"+url.PathEscape(d.ID)
	title := "batch.h1"
	if p.Stepwise() {
		title = "batch.h1.steps"
	}
	s.Title = s.t(title, "changed", s.Count(d.Noun, d.Changed), "matched", s.Count(d.Noun, d.Matched), "over", s.Num(p.Over))
	k.render(c, code, "batch", &p)
	return nil
}

// Stepwise reports whether the workers carry the batch out, item by item.
func (p *batchPage) Stepwise() bool { return p.Row.Halt > 0 }

// count sums up how far the batch is.
func (p *batchPage) count() {
	jobs := p.Row.Progress.Jobs
	skipped := 0
	for _, why := range slices.Sorted(maps.Keys(p.Row.Progress.Skipped)) {
		n := p.Row.Progress.Skipped[why]
		skipped += n
		p.Skipped = append(p.Skipped, partOf{Text: p.skip(p.Row.Noun, why), Count: n})
	}
	slices.SortStableFunc(p.Skipped, func(a, b partOf) int { return cmp.Compare(b.Count, a.Count) })
	to := func(state string) string {
		return "/jobs?" + url.Values{"batch": {p.Row.Batch.ID}, "state": {state}}.Encode()
	}
	flying := jobs["dispatched"] + jobs["running"]
	p.Facts = []fact{
		{p.t("batch.done"), jobs["done"], to("done")},
		{p.t("batch.waiting"), jobs["waiting"] + flying, to("waiting")},
		{p.t("batch.failed"), jobs["dead"] + jobs["unclear"], to("dead")},
		{p.t("batch.skipped"), skipped + jobs["cancelled"], ""},
	}
	p.Over = jobs["done"] + jobs["dead"] + jobs["unclear"] + jobs["cancelled"] + skipped
	left := max(p.Row.Progress.Waiting, p.Row.Matched-p.Over-jobs["waiting"]-flying) // while they are collected
	if p.Row.State == record.BatchCancelled {
		left = p.Row.Progress.Waiting
	}
	p.Facts = append(p.Facts, fact{p.t("batch.left"), left, ""})
}

// Moves are what can be done to the batch now.
func (p *batchPage) Moves() []string {
	switch {
	case !p.May() || !p.Stepwise():
		return nil
	case p.Row.State == record.BatchRunning:
		return []string{"pause", "cancel"}
	case p.Row.State == record.BatchPaused:
		return []string{"resume", "cancel"}
	}
	return nil
}

// Result writes the state of an item.
func (p *batchPage) Result(state string) any { return p.Chip("results", state) }

// moveBatchPage pauses, resumes or cancels a batch.
func (k *console) moveBatchPage(verb string) showing {
	return func(c *gin.Context, s *sheet) error {
		reason := c.Request.PostForm.Get("reason")
		_, err := k.moveBatch(c.Request.Context(), s.Who.Actor, c.Param("id"), verb, reason)
		switch ats.FaultOf(err) {
		case ats.Invalid:
			return k.showBatch(c, s, http.StatusBadRequest, reason, s.t("reason.missing"))
		case ats.Conflict:
			return k.showBatch(c, s, http.StatusConflict, reason, s.t("batch.moved"))
		default:
		}
		if err != nil {
			return err
		}
		c.Redirect(http.StatusSeeOther, "/batches/"+url.PathEscape(c.Param("id")))
		return nil
	}
}

// results writes what became of the items of a batch as a file.
func (k *console) results(c *gin.Context, s *sheet) error {
	ctx, f := c.Request.Context(), record.Filter{Batch: c.Param("id"), Limit: record.MaxPage}
	page, err := k.Desk.Results(ctx, f)
	if err != nil {
		return err
	}
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Content-Disposition", `attachment; filename="batch-`+f.Batch+`.csv"`)
	out, err := record.NewResults(c.Writer)
	for err == nil {
		if err = record.WriteResults(out, page); err != nil || len(page) < record.MaxPage {
			break
		}
		f.After = page[len(page)-1].ID
		page, err = k.Desk.Results(ctx, f)
	}
	if err != nil { // the head is out already: only the connection can say so
		k.Log.WarnContext(ctx, "results broken off", "batch", f.Batch, "err", err)
		c.Abort()
		panic(http.ErrAbortHandler)
	}
	return nil
}

// A gravesPage groups the dead jobs.
type gravesPage struct {
	*sheet
	Graves    []record.Grave
	Sum       int
	Poison    int
	Companies []link
	Of        string
}

func (k *console) graves(c *gin.Context, s *sheet) error {
	f, err := noun{Path: "dead letters", words: graveWords}.filter(c.Request.URL.Query(), k.Now())
	if err != nil {
		return err
	}
	p := gravesPage{sheet: s, Of: f.Company}
	if p.Graves, err = k.Desk.Graves(c.Request.Context(), f); err != nil {
		return err
	}
	for _, g := range p.Graves {
		p.Sum += g.Count
		p.Poison += g.Poison
	}
	p.Companies = append(p.Companies, link{Text: s.t("list.all"), URL: "/dead-letters", Active: f.Company == ""})
	for _, company := range k.Tenants(c.Request.Context()).Companies() {
		p.Companies = append(p.Companies, link{Text: s.Company(company.ID), URL: "/dead-letters?company=" + url.QueryEscape(company.ID), Active: company.ID == f.Company})
	}
	s.of(f.Company)
	s.Nav = "dead-letters"
	s.Title = s.t("graves.h1", "count", s.Count("job", p.Sum), "groups", strconv.Itoa(len(p.Graves)))
	k.render(c, http.StatusOK, "graves", p)
	return nil
}

// filter narrows to one group.
func (p gravesPage) filter(g record.Grave) string {
	q := url.Values{"state": {string(record.JobDead)}, "fault": {g.Fault}, "kind": {g.Kind}}
	for word, value := range map[string]string{"vendor": g.Vendor, "company": p.Of} {
		if value != "" {
			q.Set(word, value)
		}
	}
	return q.Encode()
}

// List is the address of a group's jobs.
func (p gravesPage) List(g record.Grave) string { return "/jobs?" + p.filter(g) }

// Retry is the address of the preview of running a group again.
func (p gravesPage) Retry(g record.Grave) string { return "/jobs/retry?" + p.filter(g) }

// Runbook is where a class of error is explained.
func (gravesPage) Runbook(g record.Grave) string { return runbook + "#dead-" + url.PathEscape(g.Fault) }
