package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// The limits of the login: wrong passwords per name, per address and per known
// browser, wrong codes per name, and how many passwords are checked at a time,
// because each check takes 64 MiB.
const (
	loginsPerName    = 5
	loginsPerAddress = 30
	codesPerName     = 10
	loginWindow      = 15 * time.Minute
	loginsAtOnce     = 4
)

// A porter lets people in. Strangers share a few attempts per name; a browser
// from which the user has come before has attempts of its own. So whoever
// guesses at a name makes other strangers wait, and not its user.
type porter struct {
	names, addresses, devices, codes *gate
	turn                             chan struct{}
}

func newPorter() *porter {
	return &porter{
		names: newGate(loginsPerName, loginWindow), addresses: newGate(loginsPerAddress, loginWindow),
		devices: newGate(loginsPerName, loginWindow), codes: newGate(codesPerName, loginWindow), turn: make(chan struct{}, loginsAtOnce),
	}
}

// An attempt is one try to sign in, as far as the gates are concerned.
type attempt struct {
	p                     *porter
	name, address, device string // device: "" for a browser that is not known
}

func (a attempt) pass(now time.Time) bool {
	if a.device != "" {
		return a.p.devices.pass(a.device, now)
	}
	return a.p.addresses.pass(a.address, now) && a.p.names.pass(a.name, now)
}

// forgive takes the attempt back: it was right.
func (a attempt) forgive() {
	if a.device != "" {
		a.p.devices.forgive(a.device)
		return
	}
	a.p.names.forgive(a.name)
	a.p.addresses.forgive(a.address)
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
	Login     string
	To        string // where the visitor wanted to go
	Err       string
	First     bool // nobody has an account yet
	Demo      bool
	Ended     bool // a session was lost while something was to be done
	Passwords bool
	Provider  string // host of the identity provider
	Console   string // where this is
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
	settings := k.access()
	p.Passwords, p.Console = settings.Passwords(), c.Request.Host
	if settings.OIDC != nil {
		if u, err := url.Parse(settings.OIDC.Issuer); err == nil {
			p.Provider = u.Host
		}
	}
	if users, err := k.Accounts.Users(c.Request.Context()); err == nil {
		p.First = len(users) == 0 && p.Passwords
	}
	k.render(c, code, "login", p)
}

// enter checks a name and a password. Whatever is wrong, the answer is the
// same.
func (k *console) enter(c *gin.Context) {
	s := k.sheet(c, visitor{})
	if err := k.checkForm(c, visitor{}); err != nil {
		k.sorry(c, s, err)
		return
	}
	form := c.Request.PostForm
	name, to := strings.TrimSpace(form.Get("name")), localPath(form.Get("to"))
	if !k.access().Passwords() {
		k.askLogin(c, http.StatusForbidden, loginPage{To: to, Err: s.t("login.nopasswords")})
		return
	}
	try := attempt{p: k.porter, name: name, address: peerOf(c.Request)}
	if device := cookie(c.Request, deviceCookie); k.Accounts.Knows(name, device) {
		try.device = device
	}
	if !try.pass(k.Now()) {
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
	e, err := k.Accounts.Login(c.Request.Context(), name, form.Get("password"), k.visit(c.Request))
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
	try.forgive()
	k.goOn(c, e, to)
}

// goOn leads somebody who signs in to the next step, or in.
func (k *console) goOn(c *gin.Context, e record.Entry, to string) {
	if e.Step == record.In {
		k.admit(c, e)
		c.Redirect(http.StatusSeeOther, to)
		return
	}
	setCookie(c, stepCookie, e.Token, stepLife)
	c.Redirect(http.StatusSeeOther, stepAddress(e.Step, to))
}

// admit gives the browser its session, and a mark by which it is known at the
// next login.
func (k *console) admit(c *gin.Context, e record.Entry) {
	k.Metrics.login("ok")
	setCookie(c, sessionCookie, e.Token, k.access().Life())
	if device := cookie(c.Request, deviceCookie); !k.Accounts.Knows(e.User, device) {
		setCookie(c, deviceCookie, k.Accounts.Device(e.User), deviceLife)
	}
	if cookie(c.Request, stepCookie) != "" {
		setCookie(c, stepCookie, "", 0)
	}
}

func stepAddress(step record.Step, to string) string {
	path := "/login/code"
	if step == record.Enroll {
		path = "/login/factor"
	}
	if to == "/" {
		return path
	}
	return path + "?" + url.Values{"to": {to}}.Encode()
}

// arriving returns who has given the password, at one of the steps. Anybody
// else is led to the beginning.
func (k *console) arriving(c *gin.Context, step record.Step) (record.Entry, bool) {
	e, err := k.Accounts.Arriving(c.Request.Context(), cookie(c.Request, stepCookie))
	switch {
	case ats.FaultOf(err) == ats.Denied:
		c.Redirect(http.StatusSeeOther, loginAddress(localPath(c.Query("to")), c.Request.Method == http.MethodPost))
		return e, false
	case err != nil:
		k.sorry(c, k.sheet(c, visitor{}), err)
		return e, false
	case e.Step != step:
		c.Redirect(http.StatusSeeOther, stepAddress(e.Step, localPath(c.Query("to"))))
		return e, false
	}
	return e, true
}

// A codePage asks for the second factor.
type codePage struct {
	*sheet
	To  string
	Err string
}

func (k *console) askCode(c *gin.Context) {
	if _, ok := k.arriving(c, record.Code); ok {
		k.showCode(c, http.StatusOK, "")
	}
}

func (k *console) showCode(c *gin.Context, code int, problem string) {
	p := codePage{sheet: k.sheet(c, visitor{}), To: localPath(c.Query("to")), Err: problem}
	p.Title = p.t("login.code.title")
	k.render(c, code, "code", p)
}

// enterCode takes the code and opens the session.
func (k *console) enterCode(c *gin.Context) {
	s := k.sheet(c, visitor{})
	if err := k.checkForm(c, visitor{}); err != nil {
		k.sorry(c, s, err)
		return
	}
	e, ok := k.arriving(c, record.Code)
	if !ok {
		return
	}
	// Only whoever knows the password gets here, so that this makes nobody else
	// wait.
	if !k.porter.codes.pass(e.User, k.Now()) {
		k.Metrics.login("limited")
		c.Header("Retry-After", strconv.Itoa(int(loginWindow.Seconds())))
		k.showCode(c, http.StatusTooManyRequests, s.t("login.limited"))
		return
	}
	in, err := k.Accounts.EnterCode(c.Request.Context(), e.Token, c.Request.PostForm.Get("code"), k.visit(c.Request))
	switch {
	case ats.FaultOf(err) == ats.Denied:
		k.Metrics.login("refused")
		k.Log.WarnContext(c.Request.Context(), "login refused")
		if _, ok := k.arriving(c, record.Code); ok {
			k.showCode(c, http.StatusUnauthorized, s.t("login.code.wrong"))
		}
		return
	case err != nil:
		k.sorry(c, s, err)
		return
	}
	k.porter.codes.forgive(e.User)
	k.goOn(c, in, localPath(c.Query("to")))
}

// askFactor shows what to set up where the role needs a second factor.
func (k *console) askFactor(c *gin.Context) {
	if e, ok := k.arriving(c, record.Enroll); ok {
		s := k.sheet(c, visitor{})
		k.showFactor(c, s, http.StatusOK, e.User, e.Token, "", true)
	}
}

// enterFactor sets up the second factor and opens the session.
func (k *console) enterFactor(c *gin.Context) {
	s := k.sheet(c, visitor{})
	if err := k.checkForm(c, visitor{}); err != nil {
		k.sorry(c, s, err)
		return
	}
	e, ok := k.arriving(c, record.Enroll)
	if !ok {
		return
	}
	in, codes, err := k.Accounts.SetFactor(c.Request.Context(), e.Token, c.Request.PostForm.Get("code"), k.visit(c.Request))
	switch {
	case ats.FaultOf(err) == ats.Denied:
		k.showFactor(c, s, http.StatusUnauthorized, e.User, e.Token, s.t("login.code.wrong"), true)
		return
	case err != nil:
		k.sorry(c, s, err)
		return
	}
	k.admit(c, in)
	k.showRecovery(c, s, codes, localPath(c.Query("to")), true)
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
	setCookie(c, sessionCookie, k.demo.open(), k.access().Life())
	c.Redirect(http.StatusSeeOther, localPath(c.Request.PostForm.Get("to")))
}

// leave ends the session.
func (k *console) leave(c *gin.Context, s *sheet) error {
	if k.demo.holds(s.Who.token) {
		k.demo.shut()
	} else if err := k.Accounts.Logout(c.Request.Context(), s.Who.token); err != nil {
		return err
	}
	setCookie(c, sessionCookie, "", 0)
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

// peerOf names the machine that a request comes from. Whoever has one address
// of IPv6 has a whole network of them.
func peerOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return host
}
