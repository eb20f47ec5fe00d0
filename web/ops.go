package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

// A desk is what console and API have in common.
type desk struct {
	Deps
	pulse *pulse
}

// opsBody bounds a body on the address for operations: a form or an order.
const opsBody = 64 << 10

// Ops returns the handler of the address for operations: console, API and
// metrics. Everything but /healthz, /readyz, the login page and the description of the
// API needs a login or a token; see scrape for /metrics.
func Ops(d Deps) http.Handler {
	k := &desk{Deps: d, pulse: &pulse{desk: d.Desk, now: d.Now}}
	k.Desk = fence{d.Desk}
	k.Clerk = fencedClerk{d.Clerk, fence{d.Desk}}
	d.Metrics.watch(k.level)
	e := engine(d)
	e.Use(d.Metrics.measure("ops", d.Now), opsGuard)
	readable(e, "/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	readable(e, "/readyz", readyz(d))
	e.GET("/metrics", k.scrape)
	k.routeAPI(e)
	newConsole(k).route(e)
	return e
}

// bodyLimit is how much a route takes, in bytes: where a file is uploaded, that
// and a form around it.
func bodyLimit(c *gin.Context) int64 {
	if c.FullPath() == filesPath || c.FullPath() == apiBase+filesPath {
		return maxFile + opsBody
	}
	return opsBody
}

// opsGuard limits bodies and sets the headers that every answer carries. The
// referrer stays within the console: without it browsers would send no origin
// with a form, and the origin is checked.
func opsGuard(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, bodyLimit(c))
	for name, value := range map[string]string{
		"Content-Security-Policy":    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":     "nosniff",
		"X-Frame-Options":            "DENY",
		"Referrer-Policy":            "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin",
		"X-Robots-Tag":               "noindex",
		"Cache-Control":              "no-store",
	} {
		c.Header(name, value)
	}
}

// level is what a scrape reads.
func (k *desk) level(ctx context.Context) level {
	l := level{now: k.Now(), broken: map[string]int{}}
	for _, s := range k.Deps.Tenants.Status() {
		l.broken[s.Company] = len(s.Errors)
	}
	l.beat, l.err = k.pulse.whole(ctx)
	return l
}

// scrape answers /metrics. They name companies and nobody else, so who sits at
// this machine needs no token; from elsewhere every valid token will do.
func (k *desk) scrape(c *gin.Context) {
	if !local(c.Request) {
		if _, err := k.bearer(c.Request); err != nil {
			c.Header("WWW-Authenticate", challenge)
			c.String(status(err), "%s\n", "metrics are for this machine only; from elsewhere send a token: Authorization: Bearer …")
			return
		}
	}
	k.Metrics.handler().ServeHTTP(c.Writer, c.Request)
}

// challenge tells a client how to authenticate.
const challenge = `Bearer realm="careerrelay"`

// bearer returns who sends a token: OPS_TOKEN or one of a user.
func (k *desk) bearer(r *http.Request) (record.Actor, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "bearer") || token == "" {
		return record.Actor{}, ats.Errorf(ats.Denied, "no token; send Authorization: Bearer TOKEN with OPS_TOKEN or a token made by careerrelay user token")
	}
	if k.OpsToken != "" && equal(token, string(k.OpsToken)) {
		return record.Actor{Name: "token:ops", Role: record.Admin, Scopes: access.AllScopes}, nil
	}
	who, err := k.Accounts.Token(r.Context(), token)
	if ats.FaultOf(err) == ats.Denied {
		return who, ats.Errorf(ats.Denied, "the token is not known or was revoked; make one with careerrelay user token")
	}
	return who, err
}

// equal compares secrets in a time that tells nothing about them.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// local reports whether a request comes from this machine and was meant for
// it: a page of a stranger that lets its name point here has another host, and
// a proxy says for whom it asks.
func local(r *http.Request) bool {
	if r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "" {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.IsLoopback()
}
