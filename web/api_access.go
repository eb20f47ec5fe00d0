package web

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

// accessRoutes are the routes about accounts, sessions, tokens and the audit
// log as a whole.
func (k *desk) accessRoutes() []apiRoute {
	admin := func(method, path, id, answer, summary string, do func(c *gin.Context, who record.Actor) (any, error)) apiRoute {
		return apiRoute{method: method, path: path, id: id, role: record.Admin, answer: answer, summary: summary, do: do}
	}
	all := func(r apiRoute) apiRoute { r.list = true; return r }
	user := func(verb, id, summary string, do func(ctx context.Context, who record.Actor, name, reason string) error) apiRoute {
		r := because("/users/{name}/"+verb, id, "Done", summary, func(ctx context.Context, who record.Actor, name, reason string) (record.Done, error) {
			return k.one(verb, name, reason, func(reason string) error { return do(ctx, who, name, reason) })
		})
		r.role = record.Admin
		return r
	}
	make := admin(http.MethodPost, "/tokens", "makeToken", "NewToken", "Make a token; the answer is the only place where it stands", k.newToken)
	make.body = "TokenOrder"
	verify := admin(http.MethodGet, "/audit/verify", "verifyAudit", "Verification", "Walk the whole audit log; 409 names the first entry that does not follow, or an anchor that does not fit", k.verifyRoute)
	verify.query = []string{"anchor"}
	revoke := because("/tokens/{id}/revoke", "revokeToken", "Done", "End a token", func(ctx context.Context, who record.Actor, id, reason string) (record.Done, error) {
		return k.one("revoke", id, reason, func(reason string) error { return k.Accounts.RevokeToken(ctx, who, id, "", reason) })
	})
	revoke.role = record.Admin
	end := because("/sessions/{id}/end", "endSession", "Done", "Sign somebody out of one place", func(ctx context.Context, who record.Actor, id, reason string) (record.Done, error) {
		return k.one("end", id, reason, func(string) error { return k.Accounts.EndSession(ctx, who, id, "") })
	})
	end.role = record.Admin
	return []apiRoute{
		all(admin(http.MethodGet, "/users", "listUsers", "User", "The accounts, those that are switched off last", func(c *gin.Context, _ record.Actor) (any, error) {
			return whole(k.Accounts.Users(c.Request.Context()))
		})),
		user("disable", "disableUser", "Switch an account off: its sessions end, its tokens stop working", k.Accounts.DisableUser),
		user("enable", "enableUser", "Switch an account on again", k.Accounts.EnableUser),
		user("reset-factor", "resetFactor", "Take away a second factor that was lost", k.Accounts.ResetFactor),
		user("end-sessions", "endSessions", "Sign an account out everywhere", func(ctx context.Context, who record.Actor, name, reason string) error {
			return k.Accounts.EndSessions(ctx, who, name, "", reason)
		}),
		all(admin(http.MethodGet, "/sessions", "listSessions", "Session", "Who is signed in to the console", func(c *gin.Context, _ record.Actor) (any, error) {
			return whole(k.Accounts.Sessions(c.Request.Context(), "", "", k.Deps.Tenants.Shared().Access.IdleFor()))
		})),
		end,
		all(admin(http.MethodGet, "/tokens", "listTokens", "Token", "The tokens, the newest first, without what they are", func(c *gin.Context, _ record.Actor) (any, error) {
			return whole(k.Accounts.Tokens(c.Request.Context(), ""))
		})),
		make, revoke, verify,
	}
}

// whole is a list that has one page.
func whole[T any](items []T, err error) (any, error) {
	if items == nil {
		items = []T{}
	}
	return rows[T]{Items: items}, err
}

func (k *desk) newToken(c *gin.Context, who record.Actor) (any, error) {
	var body struct {
		User      string        `json:"user"`
		Name      string        `json:"name"`
		Role      record.Role   `json:"role"`
		Company   string        `json:"company"`
		Scopes    access.Scopes `json:"scopes"`
		ExpiresAt time.Time     `json:"expires_at"`
	}
	if err := readJSON(c, &body); err != nil {
		return nil, err
	}
	if body.Company != "" {
		if _, err := k.Tenants(c.Request.Context()).Company(body.Company); err != nil {
			return nil, err
		}
	}
	token, err := k.Accounts.MakeToken(c.Request.Context(), who, record.Token{User: body.User, Name: body.Name, Role: body.Role, Company: body.Company, Scopes: body.Scopes, ExpiresAt: body.ExpiresAt})
	return madeToken{token}, err
}

// A madeToken is a token, which is shown once.
type madeToken struct {
	Token string `json:"token"`
}

func (k *desk) verifyRoute(c *gin.Context, _ record.Actor) (any, error) {
	for word := range c.Request.URL.Query() {
		if word != "anchor" {
			return nil, ats.Errorf(ats.Invalid, "%q is not known here; have anchor", word)
		}
	}
	return k.verify(c, c.Query("anchor"))
}
