package web

import (
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// writeAudit hands out the part of the audit log that the address selects,
// oldest first and whole.
func (k *desk) writeAudit(c *gin.Context, q url.Values) error {
	format := q.Get("format")
	if format == "" {
		format = record.AuditFormats[0]
	}
	q = maps.Clone(q)
	q.Del("format")
	f, err := auditNoun.filter(q, k.Now())
	if err != nil {
		return err
	}
	kind := map[string]string{"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}[format]
	if kind == "" {
		_, err := record.NewAuditWriter(c.Writer, format)
		return err
	}
	c.Header("Content-Type", kind)
	c.Header("Content-Disposition", `attachment; filename="audit.`+format+`"`)
	out, err := record.NewAuditWriter(c.Writer, format)
	if err != nil {
		return err
	}
	if err := k.Desk.WalkAudit(c.Request.Context(), f, out.Write); err != nil {
		return err
	}
	return out.Flush()
}

func (k *console) exportAudit(c *gin.Context, _ *sheet) error {
	err := k.writeAudit(c, c.Request.URL.Query())
	if err != nil && c.Writer.Written() { // too late to say so: break off, so that nobody takes it for the whole
		k.Log.ErrorContext(c.Request.Context(), "export broke off", "route", c.FullPath(), "err", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// A verifyPage says whether the audit log is sound.
type verifyPage struct {
	*sheet
	Sound  int
	Wrong  string // what is wrong
	Anchor string // the end of the log
	Given  string // the anchor to be checked
	Err    string
}

// Stopped is the sign of a log that is not sound.
func (p verifyPage) Stopped() template.HTML { return chip("stop", p.t("verify.stop")) }

// Runbook is where it is explained what to do then.
func (verifyPage) Runbook() string { return runbook + "#the-audit-log-does-not-verify" }

// AuditExport is the address that hands out what the list shows, whole.
func (p *listPage) AuditExport(format string) string {
	q := url.Values{}
	for _, chip := range p.query {
		q.Set(chip.Name, chip.Value)
	}
	q.Set("format", format)
	return "/audit/export?" + q.Encode()
}

func (k *console) verifyAudit(c *gin.Context, s *sheet) error {
	v, err := k.verify(c, strings.TrimSpace(c.Query("anchor")))
	p := verifyPage{sheet: s, Sound: v.Entries, Anchor: v.Anchor, Given: strings.TrimSpace(c.Query("anchor"))}
	code := http.StatusOK
	switch ats.FaultOf(err) {
	case ats.Conflict:
		p.Wrong = err.Error()
	case ats.Invalid:
		p.Err, code = err.Error(), http.StatusBadRequest
	default:
		if err != nil {
			return err
		}
	}
	s.Nav = "audit"
	switch {
	case p.Wrong != "":
		s.Title = s.t("verify.h1.wrong", "count", s.Count("audit entry", p.Sound))
	case p.Err != "":
		s.Title = s.t("verify.h1.unread")
	default:
		s.Title = s.t("verify.h1", "count", s.Count("audit entry", p.Sound))
	}
	k.render(c, code, "verify", p)
	return nil
}

// A verification says how far the audit log is sound.
type verification struct {
	Entries int    `json:"entries"` // that follow from one another
	Anchor  string `json:"anchor"`  // the end of the log, to be kept elsewhere
}

// verify walks the whole audit log and checks an anchor that was kept
// elsewhere, if there is one.
func (k *desk) verify(c *gin.Context, anchor string) (verification, error) {
	ctx := c.Request.Context()
	var v verification
	var err error
	if v.Anchor, err = k.Desk.AuditAnchor(ctx); err != nil {
		return v, err
	}
	if anchor != "" {
		if err := k.Desk.CheckAnchor(ctx, anchor); err != nil {
			return v, err
		}
	}
	v.Entries, err = k.Desk.VerifyAudit(ctx)
	return v, err
}
