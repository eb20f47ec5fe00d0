package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

// routeAccess registers the pages about accounts.
func (k *console) routeAccess(e *gin.Engine) {
	e.GET("/account", k.page(record.Viewer, k.accountPage))
	e.GET("/account/factor", k.page(record.Viewer, k.newFactor))
	for path, do := range map[string]showing{
		"/account/factor": k.setFactor, "/account/recovery": k.renewRecovery, "/account/password": k.changePassword,
		"/account/tokens": k.makeToken, "/account/tokens/:id/revoke": k.revokeOwnToken, "/account/sessions/:id/end": k.endOwnSession,
	} {
		e.POST(path, k.page(record.Viewer, do))
	}
	e.GET("/users", k.page(record.Admin, k.userList))
	e.GET("/users/:name", k.page(record.Admin, k.userPage))
	for path, do := range map[string]showing{
		"/users": k.addUser, "/users/:name/role": k.changeRole, "/users/:name/password": k.resetPassword, "/users/:name/disable": k.disableUser, "/users/:name/enable": k.enableUser,
		"/users/:name/factor": k.resetFactor, "/users/:name/sessions": k.endSessions, "/users/:name/sessions/:id/end": k.endSession, "/users/:name/tokens/:id/revoke": k.revokeToken,
	} {
		e.POST(path, k.page(record.Admin, do))
	}
	e.GET("/audit/export", k.page(record.Viewer, k.exportAudit))
	e.GET("/audit/verify", k.page(record.Admin, k.verifyAudit))
}

// HasAccount reports whether the visitor has an account, which those who only
// look at a demonstration have not.
func (s *sheet) HasAccount() bool { return s.Who.User() != "" && !s.k.demo.holds(s.Who.token) }

// self returns the visitor's account.
func (k *console) self(c *gin.Context, s *sheet) (record.User, error) {
	if !s.HasAccount() {
		return record.User{}, ats.Errorf(ats.NotFound, "a demonstration has no accounts")
	}
	return k.Accounts.User(c.Request.Context(), s.Who.User())
}

// An accountPage is the visitor's own account.
type accountPage struct {
	*sheet
	User     record.User
	Must     bool // the role needs a second factor
	Sessions []record.Session
	Tokens   []record.Token
	Scopes   []string // that a token may have
	Firms    []firmChoice
	Err      map[string]string // by form
	Made     string            // a token, shown this once
	Name     string            // of the token, as it was typed
	Done     string
}

// A firmChoice is a company to choose.
type firmChoice struct{ ID, Name string }

func (k *console) accountPage(c *gin.Context, s *sheet) error {
	p := accountPage{}
	if c.Query("done") != "" {
		p.Done = s.known("account.done."+c.Query("done"), "")
	}
	return k.showAccount(c, s, http.StatusOK, p)
}

func (k *console) showAccount(c *gin.Context, s *sheet, code int, p accountPage) error {
	ctx := c.Request.Context()
	u, err := k.self(c, s)
	if err != nil {
		return err
	}
	p.sheet, p.User, p.Must = s, u, k.access().Must(u.Role)
	if p.Sessions, err = k.Accounts.Sessions(ctx, u.Name, s.Who.token, k.access().IdleFor()); err != nil {
		return err
	}
	if p.Tokens, err = k.Accounts.Tokens(ctx, u.Name); err != nil {
		return err
	}
	p.Scopes = strings.Fields(string(access.ScopesOf(u.Role)))
	p.Firms = s.choices()
	s.Title, s.Path = s.t("account.h1", "name", s.Visitor()), "/account"
	k.render(c, code, "account", p)
	return nil
}

// choices are the companies that the visitor may see, to choose one.
func (s *sheet) choices() []firmChoice {
	var out []firmChoice
	for _, c := range s.firms.Companies() {
		out = append(out, firmChoice{c.ID, s.Company(c.ID)})
	}
	return out
}

// accountError shows what is wrong at the form it belongs to, in words where
// there are some.
func (k *console) accountError(c *gin.Context, s *sheet, form string, err error) error {
	code := status(err)
	switch ats.FaultOf(err) {
	case ats.Denied:
		code = http.StatusForbidden
	case ats.Invalid, ats.Conflict:
	default:
		return err
	}
	return k.showAccount(c, s, code, accountPage{Err: map[string]string{form: s.complaint(err)}, Name: c.Request.PostForm.Get("name")})
}

// complaint says what is wrong with a form: in the language of the page where
// the catalogue knows it, else as the program says it.
func (s *sheet) complaint(err error) string {
	field, _, _ := strings.Cut(err.Error(), ":")
	return s.known("complaint."+string(ats.FaultOf(err))+"."+field, err.Error())
}

func (k *console) changePassword(c *gin.Context, s *sheet) error {
	form := c.Request.PostForm
	if !k.porter.codes.pass(s.Who.User(), k.Now()) {
		return k.showAccount(c, s, http.StatusTooManyRequests, accountPage{Err: map[string]string{"password": s.t("login.limited")}})
	}
	token, err := k.Accounts.ChangePassword(c.Request.Context(), s.Who.token, form.Get("old"), form.Get("password"))
	if ats.FaultOf(err) == ats.Denied {
		return k.showAccount(c, s, http.StatusForbidden, accountPage{Err: map[string]string{"password": s.t("account.password.wrong")}})
	}
	if err != nil {
		return k.accountError(c, s, "password", err)
	}
	k.porter.codes.forgive(s.Who.User())
	setCookie(c, sessionCookie, token, k.access().Life())
	c.Redirect(http.StatusSeeOther, "/account?done=password")
	return nil
}

func (k *console) renewRecovery(c *gin.Context, s *sheet) error {
	if !k.porter.codes.pass(s.Who.User(), k.Now()) {
		return k.showAccount(c, s, http.StatusTooManyRequests, accountPage{Err: map[string]string{"recovery": s.t("login.limited")}})
	}
	codes, err := k.Accounts.RenewRecovery(c.Request.Context(), s.Who.token, c.Request.PostForm.Get("code"))
	if ats.FaultOf(err) == ats.Denied {
		return k.showAccount(c, s, http.StatusForbidden, accountPage{Err: map[string]string{"recovery": s.t("login.code.wrong")}})
	}
	if err != nil {
		return err
	}
	k.porter.codes.forgive(s.Who.User())
	k.showRecovery(c, s, codes, "/account", false)
	return nil
}

// tokenDays are how long a token made on the page may last; none for as long
// as it is not revoked.
var tokenDays = map[string]time.Duration{"30": 30 * 24 * time.Hour, "90": 90 * 24 * time.Hour, "365": 365 * 24 * time.Hour}

func (k *console) makeToken(c *gin.Context, s *sheet) error {
	form := c.Request.PostForm
	t := record.Token{User: s.Who.User(), Name: form.Get("name"), Company: form.Get("company"), Scopes: access.Scopes(strings.Join(form["scope"], " "))}
	if len(form["scope"]) == 0 {
		return k.showAccount(c, s, http.StatusBadRequest, accountPage{Name: t.Name, Err: map[string]string{"token": s.t("account.token.noscope")}})
	}
	if d, ok := tokenDays[form.Get("days")]; ok {
		t.ExpiresAt = k.Now().Add(d)
	}
	if t.Company != "" {
		if _, err := s.firms.Company(t.Company); err != nil {
			return err
		}
	}
	if t.Company != "" && s.Who.Role == record.Admin { // a token for one company manages no accounts
		t.Role = record.Operator
		if slices.Contains(form["scope"], string(access.Manage)) {
			return k.showAccount(c, s, http.StatusBadRequest, accountPage{Name: t.Name, Err: map[string]string{"token": s.t("account.token.adminall")}})
		}
	}
	token, err := k.Accounts.MakeToken(c.Request.Context(), s.Who.Actor, t)
	if err != nil {
		return k.accountError(c, s, "token", err)
	}
	return k.showAccount(c, s, http.StatusOK, accountPage{Made: token})
}

func (k *console) revokeOwnToken(c *gin.Context, s *sheet) error {
	if err := k.Accounts.RevokeToken(c.Request.Context(), s.Who.Actor, c.Param("id"), s.Who.User(), s.t("account.token.own")); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/account?done=token")
	return nil
}

func (k *console) endOwnSession(c *gin.Context, s *sheet) error {
	if err := k.Accounts.EndSession(c.Request.Context(), s.Who.Actor, c.Param("id"), s.Who.User()); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/account?done=session")
	return nil
}

// A userListPage lists who may sign in, who is signed in and which tokens
// there are.
type userListPage struct {
	*sheet
	Users     []record.User
	Sessions  []record.Session
	Tokens    []record.Token
	Firms     []firmChoice
	Passwords bool
	Lacking   int // accounts whose role needs a second factor that they have not
	Must      map[string]bool
	Form      url.Values
	Err       string
}

func (k *console) userList(c *gin.Context, s *sheet) error {
	return k.showUsers(c, s, http.StatusOK, url.Values{"role": {string(record.Operator)}}, "")
}

func (k *console) showUsers(c *gin.Context, s *sheet, code int, form url.Values, problem string) error {
	ctx := c.Request.Context()
	p := userListPage{sheet: s, Form: form, Err: problem, Firms: s.choices(), Passwords: k.access().Passwords(), Must: map[string]bool{}}
	var err error
	if p.Users, err = k.Accounts.Users(ctx); err != nil {
		return err
	}
	if p.Sessions, err = k.Accounts.Sessions(ctx, "", s.Who.token, k.access().IdleFor()); err != nil {
		return err
	}
	if p.Tokens, err = k.Accounts.Tokens(ctx, ""); err != nil {
		return err
	}
	on := 0
	for _, u := range p.Users {
		if !u.Disabled {
			on++
		}
		if !u.Disabled && !u.Factor && u.Provider == "" && k.access().Must(u.Role) {
			p.Lacking++
			p.Must[u.Name] = true
		}
	}
	s.Nav, s.Path, s.Title = "users", "/users", s.t("users.h1", "count", s.Count("user", on), "sessions", s.Count("session", len(p.Sessions)))
	k.render(c, code, "users", p)
	return nil
}

// Chosen is what the form of a new account has in a field.
func (p userListPage) Chosen(field string) string { return p.Form.Get(field) }

// addUser makes an account. One that exists is not overwritten.
func (k *console) addUser(c *gin.Context, s *sheet) error {
	form := c.Request.PostForm
	u := record.User{Name: strings.TrimSpace(form.Get("name")), Role: record.Role(form.Get("role"))}
	if u.Role == record.Recruiter {
		u.Company = form.Get("company")
		if _, err := s.firms.Company(u.Company); err != nil {
			return k.showUsers(c, s, http.StatusBadRequest, form, s.t("users.company"))
		}
	}
	if _, err := k.Accounts.User(c.Request.Context(), u.Name); err == nil {
		return k.showUsers(c, s, http.StatusConflict, form, s.t("users.exists", "name", u.Name))
	}
	_, err := k.Accounts.SaveUser(c.Request.Context(), s.Who.Actor, u, form.Get("password"))
	if fault := ats.FaultOf(err); fault == ats.Invalid || fault == ats.Conflict {
		return k.showUsers(c, s, status(err), form, s.complaint(err))
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/users/"+url.PathEscape(u.Name))
	return nil
}

// A userPage is one account with everything that an admin can do to it.
type userPage struct {
	*sheet
	User     record.User
	Must     bool
	Sessions []record.Session
	Tokens   []record.Token
	Firms    []firmChoice
	Audit    []record.Audit
	Self     bool
	Reason   string
	Err      map[string]string
}

func (k *console) userPage(c *gin.Context, s *sheet) error {
	return k.showUser(c, s, http.StatusOK, "", "")
}

func (k *console) showUser(c *gin.Context, s *sheet, code int, form, problem string) error {
	ctx := c.Request.Context()
	u, err := k.Accounts.User(ctx, c.Param("name"))
	if err != nil {
		return err
	}
	p := userPage{sheet: s, User: u, Must: k.access().Must(u.Role), Firms: s.choices(), Self: u.Name == s.Who.User(), Reason: c.Request.PostForm.Get("reason"), Err: map[string]string{form: problem}}
	if p.Sessions, err = k.Accounts.Sessions(ctx, u.Name, s.Who.token, k.access().IdleFor()); err != nil {
		return err
	}
	if p.Tokens, err = k.Accounts.Tokens(ctx, u.Name); err != nil {
		return err
	}
	if p.Audit, err = k.Desk.Audits(ctx, record.Filter{ID: u.Name, Noun: "user"}); err != nil {
		return err
	}
	s.Nav, s.Path, s.Title = "users", "/users/"+url.PathEscape(u.Name), u.Name
	k.render(c, code, "user", p)
	return nil
}

// changed leads back to an account after something was done to it, or says at
// its form why it was not.
func (k *console) changed(c *gin.Context, s *sheet, form string, err error) error {
	switch ats.FaultOf(err) {
	case "":
		if err != nil {
			return err
		}
		to := "/users/" + url.PathEscape(c.Param("name"))
		if c.PostForm("in") == "users" {
			to = "/users"
		}
		c.Redirect(http.StatusSeeOther, to)
		return nil
	case ats.Invalid, ats.Conflict:
		return k.showUser(c, s, status(err), form, s.complaint(err))
	default:
		return err
	}
}

func (k *console) changeRole(c *gin.Context, s *sheet) error {
	form := c.Request.PostForm
	role, company := record.Role(form.Get("role")), ""
	if role == record.Recruiter {
		company = form.Get("company")
		if _, err := s.firms.Company(company); err != nil {
			return k.showUser(c, s, http.StatusBadRequest, "role", s.t("users.company"))
		}
	}
	return k.changed(c, s, "role", k.Accounts.ChangeRole(c.Request.Context(), s.Who.Actor, c.Param("name"), role, company, form.Get("reason")))
}

// resetPassword gives an account another password, which its owner changes
// after the next login.
func (k *console) resetPassword(c *gin.Context, s *sheet) error {
	u, err := k.Accounts.User(c.Request.Context(), c.Param("name"))
	if err != nil {
		return err
	}
	_, err = k.Accounts.SaveUser(c.Request.Context(), s.Who.Actor, u, c.Request.PostForm.Get("password"))
	return k.changed(c, s, "password", err)
}

func (k *console) disableUser(c *gin.Context, s *sheet) error {
	return k.changed(c, s, "disable", k.Accounts.DisableUser(c.Request.Context(), s.Who.Actor, c.Param("name"), c.Request.PostForm.Get("reason")))
}

func (k *console) enableUser(c *gin.Context, s *sheet) error {
	return k.changed(c, s, "disable", k.Accounts.EnableUser(c.Request.Context(), s.Who.Actor, c.Param("name"), c.Request.PostForm.Get("reason")))
}

func (k *console) resetFactor(c *gin.Context, s *sheet) error {
	return k.changed(c, s, "factor", k.Accounts.ResetFactor(c.Request.Context(), s.Who.Actor, c.Param("name"), c.Request.PostForm.Get("reason")))
}

// endSessions signs an account out everywhere; an admin's own session stays.
func (k *console) endSessions(c *gin.Context, s *sheet) error {
	return k.changed(c, s, "sessions", k.Accounts.EndSessions(c.Request.Context(), s.Who.Actor, c.Param("name"), s.Who.token, c.Request.PostForm.Get("reason")))
}

func (k *console) endSession(c *gin.Context, s *sheet) error {
	return k.changed(c, s, "sessions", k.Accounts.EndSession(c.Request.Context(), s.Who.Actor, c.Param("id"), c.Param("name")))
}

func (k *console) revokeToken(c *gin.Context, s *sheet) error {
	return k.changed(c, s, "tokens", k.Accounts.RevokeToken(c.Request.Context(), s.Who.Actor, c.Param("id"), c.Param("name"), c.Request.PostForm.Get("reason")))
}
