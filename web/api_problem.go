package web

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
)

// A problem is an error as RFC 9457 writes it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"` // where, what, and what to do
	Status int    `json:"status"`
}

// titles says each fault in a few words.
var titles = map[ats.Fault]string{
	ats.Invalid:   "The request cannot be carried out as it is written",
	ats.Denied:    "Who asks is not known",
	ats.NotFound:  "There is no such thing",
	ats.Duplicate: "This was done before",
	ats.Conflict:  "The thing is not in a state that allows this",
	ats.TooLarge:  "The request is over a limit",
	ats.Busy:      "Not done: something we need does not answer",
}

// fail answers an error. What has no fault is ours: it goes to the log, and the
// caller learns only that.
func (k *desk) fail(c *gin.Context, err error) {
	fault, code := ats.FaultOf(err), status(err)
	p := problem{Type: "urn:careerrelay:problem:" + string(fault), Title: titles[fault], Detail: err.Error(), Status: code}
	switch {
	case fault == ats.Denied:
		c.Header("WWW-Authenticate", challenge)
	case fault == ats.Duplicate:
		p.Status = http.StatusConflict
	case fault == ats.Busy:
		c.Header("Retry-After", seconds(err))
		p.Detail += "; nothing was changed, try again in a moment"
	case p.Title == "":
		k.Log.ErrorContext(c.Request.Context(), "request failed", "route", c.FullPath(), "err", err)
		p.Type, p.Title, p.Detail = "about:blank", "A fault of ours", "the log of this process says more; the order was not carried out"
	}
	k.answerProblem(c, p)
}

// forbid answers a caller who is known but may not do this.
func (k *desk) forbid(c *gin.Context, detail string) {
	k.answerProblem(c, problem{Type: "urn:careerrelay:problem:forbidden", Title: "Your role does not allow this", Detail: detail, Status: http.StatusForbidden})
}

func (k *desk) answerProblem(c *gin.Context, p problem) {
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(p.Status, p)
}
