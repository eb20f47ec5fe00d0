package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// Public returns what strangers reach: the doors for webhooks, the candidate
// pages and the checks of a load balancer.
func Public(d Deps) http.Handler {
	e := engine(d)
	h, p := newHooks(d), newPages(d)

	webhook, feedback := h.answer(h.webhook), h.answer(h.feedback)
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead} {
		e.Handle(method, "/hooks/:company/:connection", webhook)
	}
	e.POST("/hooks/"+mailConnection+"/:company", feedback)

	readable(e, "/healthz", healthz)
	readable(e, "/readyz", readyz(d))
	readable(e, "/robots.txt", robots)
	readable(e, "/static/:name", serveAssets(candidateAssets))

	site := e.Group("", guarded(d.PublicURL))
	readable(site, "/", p.root)
	p.routes(site)
	e.NoRoute(guarded(d.PublicURL), p.lost)
	e.NoMethod(func(c *gin.Context) { c.String(http.StatusMethodNotAllowed, "method not allowed\n") })
	return e
}

// readable serves GET and HEAD.
func readable(r gin.IRoutes, path string, fn gin.HandlerFunc) {
	r.GET(path, fn)
	r.HEAD(path, fn)
}

// policy is the content security policy of the candidate pages: no script, and
// nothing from another host.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded sets the headers of pages that belong to one person.
func guarded(publicURL string) gin.HandlerFunc {
	secure := strings.HasPrefix(publicURL, "https://")
	return func(c *gin.Context) {
		h := c.Writer.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
	}
}

// healthz says that the process is up.
func healthz(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.String(http.StatusOK, "ok\n")
}

// readiness bounds the wait for the answer of what is checked.
const readiness = 3 * time.Second

// readyz says whether work can be done, and for strangers only the names of
// what is not as it should be.
func readyz(d Deps) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), readiness)
		defer cancel()
		code, names := http.StatusOK, []string{}
		for _, problem := range d.Ready(ctx) {
			names = append(names, problem.Name)
			if problem.Fatal {
				code = http.StatusServiceUnavailable
			}
		}
		c.Header("Cache-Control", "no-store")
		c.JSON(code, gin.H{"ready": code == http.StatusOK, "problems": names})
	}
}

func robots(c *gin.Context) { c.String(http.StatusOK, "User-agent: *\nDisallow: /\n") }

// root is the page for somebody who looks around.
func (p *pages) root(c *gin.Context) {
	v := p.stranger(c)
	p.end(c, v, v.tell(c, http.StatusOK, "root"))
}

// lost answers an address that does not exist. It looks like a link that has
// ended.
func (p *pages) lost(c *gin.Context) {
	if strings.HasPrefix(c.Request.URL.Path, "/hooks/") {
		c.String(http.StatusNotFound, "no such address\n")
		return
	}
	v := p.stranger(c)
	p.end(c, v, v.tell(c, http.StatusNotFound, "ended"))
}
