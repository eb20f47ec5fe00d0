package web

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"rsc.io/qr"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/rules/access"
)

// A factorPage shows what to set up as a second factor.
type factorPage struct {
	*sheet
	Door    bool // on the way in, without the frame of the console
	Self    string
	Account string
	Picture template.HTML
	Secret  []string // in groups, to be typed
	URI     string
	Err     string
}

// showFactor shows the secret that a session may set up. Nothing is kept
// before its first code is entered.
func (k *console) showFactor(c *gin.Context, s *sheet, code int, user, token, problem string, door bool) {
	secret := k.Accounts.NewFactor(token)
	p := factorPage{sheet: s, Door: door, Self: c.Request.URL.RequestURI(), Account: user, Err: problem}
	p.URI = access.SecretURI("Career Relay", user, secret)
	text := access.SecretText(secret)
	for i := 0; i < len(text); i += 4 {
		p.Secret = append(p.Secret, text[i:min(i+4, len(text))])
	}
	p.Picture = picture(p.URI, s.t("factor.picture"))
	p.Title = s.t("factor.title")
	k.render(c, code, "factor", p)
}

// picture draws a text so that a camera can read it: black on white in both
// colour schemes, with the quiet zone around it. Without a picture the text is
// still there to be typed.
func picture(text, label string) template.HTML {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return ""
	}
	const quiet = 4
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				_, _ = fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	size := code.Size + 2*quiet
	return template.HTML(fmt.Sprintf(`<svg class="qr" role="img" aria-label="%s" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path class="paper" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`, //nolint:gosec // numbers, and a label that is escaped
		template.HTMLEscapeString(label), size, size, size, size, path.String()))
}

// A recoveryPage shows recovery codes, this once.
type recoveryPage struct {
	*sheet
	Door  bool
	Codes []string
	To    string
}

func (k *console) showRecovery(c *gin.Context, s *sheet, codes []string, to string, door bool) {
	s.Title = s.t("recovery.title")
	k.render(c, http.StatusOK, "recovery", recoveryPage{sheet: s, Door: door, Codes: codes, To: to})
}

// newFactor shows what to set up to somebody who is signed in.
func (k *console) newFactor(c *gin.Context, s *sheet) error {
	u, err := k.self(c, s)
	if err != nil {
		return err
	}
	if u.Factor || u.Provider != "" {
		c.Redirect(http.StatusSeeOther, "/account")
		return nil
	}
	k.showFactor(c, s, http.StatusOK, u.Name, s.Who.token, "", false)
	return nil
}

// setFactor sets the second factor of somebody who is signed in up.
func (k *console) setFactor(c *gin.Context, s *sheet) error {
	in, codes, err := k.Accounts.SetFactor(c.Request.Context(), s.Who.token, c.Request.PostForm.Get("code"), k.visit(c.Request))
	if ats.FaultOf(err) == ats.Denied {
		k.showFactor(c, s, http.StatusUnauthorized, s.Who.User(), s.Who.token, s.t("login.code.wrong"), false)
		return nil
	}
	if err != nil {
		return err
	}
	k.admit(c, in)
	s.Who.token = in.Token
	k.showRecovery(c, s, codes, "/account", false)
	return nil
}
