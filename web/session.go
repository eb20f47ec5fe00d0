package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// The cookies of the console. The session's is a random token, of which the
// database has the hash only.
const (
	sessionCookie  = "careerrelay_session"
	languageCookie = "careerrelay_language"

	sessionLife  = 12 * 60 * 60 // seconds; the database ends a session by itself
	languageLife = 365 * 24 * 60 * 60
)

// A visitor is who reads a page of the console.
type visitor struct {
	record.Actor
	token string
}

// CSRF proves that a form was made for this session. It tells nothing about
// the session's token, and every replica can check it.
func (v visitor) CSRF() string {
	sum := sha256.Sum256([]byte("form of " + v.token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// who returns the visitor of a request, an ats.Denied error for a stranger.
func (k *console) who(r *http.Request) (visitor, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return visitor{}, ats.Errorf(ats.Denied, "not logged in")
	}
	if k.demo.holds(cookie.Value) && local(r) {
		return visitor{Actor: k.DemoUser, token: cookie.Value}, nil
	}
	actor, err := k.Accounts.Session(r.Context(), cookie.Value)
	return visitor{Actor: actor, token: cookie.Value}, err
}

// setCookie writes a cookie that scripts cannot read and other sites cannot
// send along with a form.
func setCookie(c *gin.Context, name, value string, life int) {
	http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // Secure would lose the cookie where the console is read over plain http, as on this machine
		Name: name, Value: value, Path: "/", MaxAge: life, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: c.Request.TLS != nil || c.GetHeader("X-Forwarded-Proto") == "https",
	})
}

// checkForm reads a form and refuses one that another site sent or that was
// not made for this session.
func (k *console) checkForm(c *gin.Context, v visitor) error {
	if err := readForm(c); err != nil {
		return err
	}
	if k.origins.Check(c.Request) != nil || v.token != "" && !equal(c.Request.PostForm.Get("csrf"), v.CSRF()) {
		return ats.Errorf(ats.Denied, "the form does not belong to this session")
	}
	return nil
}

// localPath returns path if it is an address within the console, and the
// overview otherwise, so that a login cannot lead elsewhere.
func localPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	return path
}

// A demoDoor is the way in without a password, for a demonstration. There is
// one session, which lives as long as the process or until its logout.
type demoDoor struct {
	mu    sync.Mutex
	token string
}

func (d *demoDoor) open() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.token == "" {
		d.token = rand.Text()
	}
	return d.token
}

func (d *demoDoor) holds(token string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.token != "" && equal(d.token, token)
}

func (d *demoDoor) shut() {
	d.mu.Lock()
	d.token = ""
	d.mu.Unlock()
}
