package web

import (
	"cmp"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/intake"
	"github.com/career-relay/connector/record"
)

// routeFiles registers the pages of exported files.
func (k *console) routeFiles(e *gin.Engine) {
	e.GET(filesPath, k.page(record.Operator, k.filesPage))
	e.POST(filesPath, k.page(record.Operator, k.takeForm))
	e.GET("/files/:id", k.page(record.Operator, k.filePage))
	e.POST("/files/:id/explain", k.page(record.Operator, k.explainForm))
	e.POST("/files/:id/import", k.page(record.Operator, k.importForm))
	e.POST("/files/:id/drop", k.page(record.Operator, k.dropForm))
}

// A filesPage is where a company's exported files come in.
type filesPage struct {
	*sheet
	ID          string
	Connections []pair // name and vendor
	Presets     []record.Preset
	Waiting     []record.Upload
	Limit       int // MiB
	Chosen      record.Upload
	Err         string
}

func (k *console) filesPage(c *gin.Context, s *sheet) error {
	return k.showFiles(c, s, http.StatusOK, record.Upload{}, "")
}

func (k *console) showFiles(c *gin.Context, s *sheet, code int, chosen record.Upload, problem string) error {
	company, err := k.Tenants(c.Request.Context()).Company(c.Param("id"))
	if err != nil {
		return err
	}
	p := filesPage{sheet: s, ID: company.ID, Limit: maxFile >> 20, Chosen: chosen, Err: problem}
	for _, name := range k.fileConnections(c.Request.Context(), company) {
		p.Connections = append(p.Connections, pair{name, company.Connections[name].Vendor})
	}
	if p.Presets, err = k.Files.Presets(c.Request.Context(), company.ID); err != nil {
		return err
	}
	if p.Waiting, err = k.Files.Uploads(c.Request.Context(), company.ID); err != nil {
		return err
	}
	s.of(company.ID)
	s.Nav, s.Path, s.Title = "companies", "/companies/"+url.PathEscape(company.ID)+"/files", s.t("files.h1", "company", s.Company(company.ID))
	k.render(c, code, "files", p)
	return nil
}

// takeForm keeps an uploaded file and shows what is in it.
func (k *console) takeForm(c *gin.Context, s *sheet) error {
	form := c.Request.PostForm
	u := record.Upload{Company: c.Param("id"), Connection: form.Get("connection"), Preset: form.Get("preset"), Sheet: form.Get("sheet")}
	content, err := posted(c.Request)
	if err == nil {
		u, err = k.upload(c.Request.Context(), s.Who.Actor, u, content)
	}
	switch ats.FaultOf(err) {
	case "":
	case ats.Invalid, ats.TooLarge, ats.Conflict:
		return k.showFiles(c, s, status(err), u, err.Error())
	default:
		return err
	}
	if err == nil {
		c.Redirect(http.StatusSeeOther, "/files/"+url.PathEscape(u.ID))
	}
	return err
}

// posted reads the file of a form.
func posted(r *http.Request) ([]byte, error) {
	file, _, err := r.FormFile("file")
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "choose a file")
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, ats.Errorf(ats.Invalid, "the file broke off")
	case len(content) > maxFile:
		return nil, ats.Errorf(ats.TooLarge, "the file has more than %d MiB; take it in with careerrelay import run", maxFile>>20)
	}
	return content, nil
}

// A filePage shows what an import of a file would do.
type filePage struct {
	*sheet
	File    filePreview
	Verdict string     // of the rows that are shown; "" for all
	Old     bool       // decisions of long ago too
	Views   []fileView // the verdicts that there are
	Matched int        // rows of the verdict
	Used    []pair     // column and header
	Names   []string   // of columns
	Means   []string   // what a label may mean
	Reason  string
	Err     string
	Broken  string // why the file cannot be read
}

// A fileView is the rows of one verdict.
type fileView struct {
	Verdict string
	Count   int
	What    string // happens
	Shape   string
	URL     string
}

// verdictShapes are the marks of the verdicts.
var verdictShapes = map[intake.Verdict]string{
	intake.RowMail: "run", intake.RowHeld: "ask", intake.RowUnknown: "warn", intake.RowAmbiguous: "warn", intake.RowUnread: "stop", intake.RowConflict: "warn",
	intake.RowWithdrawn: "done", intake.RowHired: "done", intake.RowClosed: "done", intake.RowReopened: "done", intake.RowNoAddress: "hold", intake.RowExcluded: "hold",
}

func (k *console) filePage(c *gin.Context, s *sheet) error {
	return k.showFile(c, s, http.StatusOK, "", "")
}

func (k *console) showFile(c *gin.Context, s *sheet, code int, reason, problem string) error {
	patient(c)
	id, old := c.Param("id"), c.Request.FormValue("include_old") == "true"
	p := filePage{sheet: s, Verdict: c.Query("verdict"), Old: old, Names: table.Names(), Means: finalMeanings, Reason: reason, Err: problem}
	var err error
	p.File, err = k.previewFile(c.Request.Context(), id, look{verdict: p.Verdict, old: old, lang: s.Lang})
	switch {
	case err != nil && p.File.Company != "" && ats.FaultOf(err) == ats.Invalid: // it can be explained
		p.Broken = err.Error()
	case err != nil:
		return err
	}
	p.Matched = p.File.Tally.Rows()
	if p.Verdict != "" {
		p.Matched = p.File.Counts[intake.Verdict(p.Verdict)]
	}
	address := "/files/" + url.PathEscape(id)
	for _, v := range intake.Verdicts {
		n := p.File.Counts[v.Verdict]
		if n == 0 {
			continue
		}
		q := url.Values{"verdict": {string(v.Verdict)}}
		if old {
			q.Set("include_old", "true")
		}
		p.Views = append(p.Views, fileView{string(v.Verdict), n, s.t("file.what." + string(v.Verdict)), cmp.Or(verdictShapes[v.Verdict], "none"), address + "?" + q.Encode()})
	}
	for _, header := range slices.Sorted(maps.Keys(p.File.Columns)) {
		p.Used = append(p.Used, pair{s.t("file.column." + p.File.Columns[header]), header})
	}
	s.of(p.File.Company)
	s.Nav, s.Path = "companies", address
	s.Title = s.t("file.h1", "mails", s.Num(p.File.Counts[intake.RowMail]+p.File.Counts[intake.RowHeld]), "rows", s.Num(p.File.Tally.Rows()))
	k.render(c, code, "file", p)
	return nil
}

// Verdict1 is the verdict of one row.
func (p filePage) Verdict1(v intake.Verdict) template.HTML {
	return chip(cmp.Or(verdictShapes[v], "none"), p.t("file.verdict."+string(v)))
}

// finalMeanings are what a label may mean.
var finalMeanings = []string{"rejected", "withdrawn", "hired", "position_closed", "ongoing", "ignored"}

// explainForm saves what a person said about labels and columns.
func (k *console) explainForm(c *gin.Context, s *sheet) error {
	form := c.Request.PostForm
	p := record.Preset{Name: form.Get("name"), Encoding: form.Get("encoding"), Delimiter: form.Get("delimiter"), Columns: chosen(form, "header", "is"), Outcomes: chosen(form, "label", "means")}
	if text := form.Get("row"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return ats.Errorf(ats.Invalid, "the row of the header is no number")
		}
		p.Header = n
	}
	if _, err := k.explain(c.Request.Context(), s.Who.Actor, c.Param("id"), p); ats.FaultOf(err) == ats.Invalid {
		return k.showFile(c, s, http.StatusBadRequest, "", err.Error())
	} else if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/files/"+url.PathEscape(c.Param("id")))
	return nil
}

// chosen pairs the fields of a form that stand beside each other; what was left
// open is not said.
func chosen(form url.Values, of, is string) map[string]string {
	out := map[string]string{}
	for i, name := range form[of] {
		if i < len(form[is]) && form[is][i] != "" {
			out[name] = form[is][i]
		}
	}
	return out
}

// importForm keeps the rows of a file.
func (k *console) importForm(c *gin.Context, s *sheet) error {
	reason, old := c.Request.PostForm.Get("reason"), c.Request.PostForm.Get("include_old") == "true"
	if _, err := record.NeedReason(reason); err != nil {
		return k.showFile(c, s, http.StatusBadRequest, reason, s.t("reason.missing"))
	}
	patient(c)
	done, err := k.importFile(c.Request.Context(), s.Who.Actor, c.Param("id"), reason, old)
	if err != nil {
		return err
	}
	to := "/batches"
	if done.Batch != "" {
		to += "/" + url.PathEscape(done.Batch)
	}
	c.Redirect(http.StatusSeeOther, to)
	return nil
}

func (k *console) dropForm(c *gin.Context, s *sheet) error {
	u, err := k.dropFile(c.Request.Context(), s.Who.Actor, c.Param("id"), "")
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/companies/"+url.PathEscape(u.Company)+"/files")
	return nil
}

// KiB writes a size.
func (s *sheet) KiB(bytes int) string { return s.Num((bytes + 1023) >> 10) }
