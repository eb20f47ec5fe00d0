package web

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
)

// The limits of the login: wrong passwords per name and per address, and how
// many passwords are checked at a time, because each check takes 64 MiB.
const (
	loginsPerName    = 5
	loginsPerAddress = 30
	loginWindow      = 15 * time.Minute
	loginsAtOnce     = 4
)

// A porter lets people in.
type porter struct {
	names, addresses *gate
	turn             chan struct{}
}

func newPorter() *porter {
	return &porter{names: newGate(loginsPerName, loginWindow), addresses: newGate(loginsPerAddress, loginWindow), turn: make(chan struct{}, loginsAtOnce)}
}

// forgive takes back what pass counted: the name turned out to be right.
func (g *gate) forgive(name string) {
	g.mu.Lock()
	delete(g.turns, name)
	g.mu.Unlock()
}

// A loginPage is the way in.
type loginPage struct {
	*sheet
	Login string
	To    string // where the visitor wanted to go
	Err   string
	First bool // nobody has an account yet
	Demo  bool
	Ended bool // a session was lost while something was to be done
}

// login shows the way in.
func (k *console) login(c *gin.Context) {
	if _, err := k.who(c.Request); err == nil {
		c.Redirect(http.StatusSeeOther, "/")
		return
	}
	k.askLogin(c, http.StatusOK, loginPage{To: localPath(c.Query("to")), Ended: c.Query("ended") != ""})
}

func (k *console) askLogin(c *gin.Context, code int, p loginPage) {
	p.sheet = k.sheet(c, visitor{})
	p.Title = p.t("login.title")
	p.Demo = k.DemoUser.Name != "" && local(c.Request)
	if users, err := k.Accounts.Users(c.Request.Context()); err == nil {
		p.First = len(users) == 0
	}
	k.render(c, code, "login", p)
}

// enter checks a name and a password. Whatever is wrong, the answer is the
// same.
func (k *console) enter(c *gin.Context) {
	if err := k.checkForm(c, visitor{}); err != nil {
		k.sorry(c, k.sheet(c, visitor{}), err)
		return
	}
	form := c.Request.PostForm
	name, to := strings.TrimSpace(form.Get("name")), localPath(form.Get("to"))
	s := k.sheet(c, visitor{})
	address := peerOf(c.Request)
	now := k.Now()
	if !k.porter.addresses.pass(address, now) || !k.porter.names.pass(name, now) {
		k.Metrics.login("limited")
		c.Header("Retry-After", strconv.Itoa(int(loginWindow.Seconds())))
		k.askLogin(c, http.StatusTooManyRequests, loginPage{Login: name, To: to, Err: s.t("login.limited")})
		return
	}
	select {
	case k.porter.turn <- struct{}{}:
		defer func() { <-k.porter.turn }()
	case <-c.Request.Context().Done():
		return
	}
	token, err := k.Accounts.Login(c.Request.Context(), name, form.Get("password"))
	switch {
	case ats.FaultOf(err) == ats.Denied:
		k.Metrics.login("refused")
		k.Log.WarnContext(c.Request.Context(), "login refused")
		k.askLogin(c, http.StatusUnauthorized, loginPage{Login: name, To: to, Err: s.t("login.wrong")})
		return
	case err != nil:
		k.sorry(c, s, err)
		return
	}
	k.porter.names.forgive(name)
	k.porter.addresses.forgive(address)
	k.Metrics.login("ok")
	setCookie(c, sessionCookie, token, sessionLife)
	c.Redirect(http.StatusSeeOther, to)
}

// enterDemo lets whoever sits at this machine into a demonstration.
func (k *console) enterDemo(c *gin.Context) {
	s := k.sheet(c, visitor{})
	if err := k.checkForm(c, visitor{}); err != nil {
		k.sorry(c, s, err)
		return
	}
	if k.DemoUser.Name == "" || !local(c.Request) {
		k.sorry(c, s, ats.Errorf(ats.NotFound, "no page %s", c.Request.URL.Path))
		return
	}
	setCookie(c, sessionCookie, k.demo.open(), sessionLife)
	c.Redirect(http.StatusSeeOther, localPath(c.Request.PostForm.Get("to")))
}

// leave ends the session.
func (k *console) leave(c *gin.Context, s *sheet) error {
	if k.demo.holds(s.Who.token) {
		k.demo.shut()
	} else if err := k.Accounts.Logout(c.Request.Context(), s.Who.token); err != nil {
		return err
	}
	setCookie(c, sessionCookie, "", -1)
	c.Redirect(http.StatusSeeOther, "/login")
	return nil
}

// speak sets the language of the pages.
func (k *console) speak(c *gin.Context) {
	who, _ := k.who(c.Request) // a stranger may choose too
	if err := k.checkForm(c, who); err != nil {
		k.sorry(c, k.sheet(c, who), err)
		return
	}
	lang := c.Request.PostForm.Get("lang")
	if lang != english {
		lang = japanese
	}
	setCookie(c, languageCookie, lang, languageLife)
	c.Redirect(http.StatusSeeOther, localPath(c.Request.PostForm.Get("to")))
}

// loginAddress leads to the login and back.
func loginAddress(to string, ended bool) string {
	q := url.Values{}
	if to != "/" {
		q.Set("to", to)
	}
	if ended {
		q.Set("ended", "1")
	}
	if len(q) == 0 {
		return "/login"
	}
	return "/login?" + q.Encode()
}

// peerOf names the machine that a request comes from.
func peerOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
