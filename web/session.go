package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

// The cookies of the console. The session's is a random token, of which the
// database has the hash only; that of the steps before it opens nothing but the
// next step.
const (
	sessionCookie  = "careerrelay_session"
	stepCookie     = "careerrelay_step"
	deviceCookie   = "careerrelay_device"
	languageCookie = "careerrelay_language"

	stepLife     = 10 * time.Minute
	deviceLife   = 365 * 24 * time.Hour
	languageLife = 365 * 24 * time.Hour
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

// access are the settings for signing in.
func (k *console) access() access.Settings { return k.Deps.Tenants.Shared().Access }

// who returns the visitor of a request, an ats.Denied error for a stranger.
func (k *console) who(r *http.Request) (visitor, error) {
	token := cookie(r, sessionCookie)
	if token == "" {
		return visitor{}, ats.Errorf(ats.Denied, "not logged in")
	}
	if k.demo.holds(token) && local(r) {
		return visitor{Actor: k.DemoUser, token: token}, nil
	}
	actor, err := k.Accounts.Session(r.Context(), token, k.access().IdleFor())
	return visitor{Actor: actor, token: token}, err
}

// visit is what is known of whoever signs in.
func (k *console) visit(r *http.Request) record.Visit {
	return record.Visit{Agent: agentOf(r.UserAgent()), Settings: k.access()}
}

// encrypted reports whether the browser reached us, or the proxy in front of
// us, by https.
func encrypted(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// cookieName is the name under which a cookie goes: over https one that
// browsers take only from this host, only encrypted and only for all paths, so
// that no neighbour can plant one.
func cookieName(r *http.Request, name string) string {
	if encrypted(r) {
		return "__Host-" + name
	}
	return name
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(cookieName(r, name))
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie writes a cookie that scripts cannot read and other sites cannot
// send along with a form. No life takes it away.
func setCookie(c *gin.Context, name, value string, life time.Duration) {
	age := int(life / time.Second)
	if life <= 0 {
		age = -1
	}
	http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // Secure would lose the cookie where the console is read over plain http, as on this machine
		Name: cookieName(c.Request, name), Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: encrypted(c.Request),
	})
}

// checkForm reads a form and refuses one that another site sent or that was
// not made for this session.
func (k *console) checkForm(c *gin.Context, v visitor) error {
	if err := readFormOf(c, bodyLimit(c)); err != nil {
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

// agentOf says in two words from what somebody comes, so that people know
// their own sessions in a list. What it does not know it does not repeat.
func agentOf(agent string) string {
	browser, system := "", ""
	for _, b := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, b[0]) {
			browser = b[1]
			break
		}
	}
	for _, s := range [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, s[0]) {
			system = s[1]
			break
		}
	}
	if browser == "" || system == "" {
		return browser + system
	}
	return browser + ", " + system
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
