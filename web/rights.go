package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

// recruiters lists what recruiters may open and do; everything else is closed
// to them, what comes later too. Of what is open they see their own company's
// rows only: see fence.
var recruiters = map[string]bool{
	"GET /": true, "POST /find": true, "POST /logout": true, "GET /help": true,
	"GET /companies/:id": true, "GET /applications": true, "GET /applications/:id": true, "POST /applications/:id/reveal": true,
	"GET /mailbox": true, "GET /mails": true, "GET /mails/:id": true, "GET /mails/:id/html": true, "POST /mails/:id/reveal": true,
	"GET /mails/stop": true, "POST /mails/stop": true, "GET /mails/release": true, "POST /mails/release": true, "GET /mails/cancel": true, "POST /mails/cancel": true,
	"GET /account": true, "GET /account/factor": true, "POST /account/factor": true, "POST /account/password": true, "POST /account/recovery": true,
	"POST /account/tokens": true, "POST /account/tokens/:id/revoke": true, "POST /account/sessions/:id/end": true,

	"GET /api/v1/applications": true, "GET /api/v1/applications/:id": true, "POST /api/v1/applications/:id/reveal": true,
	"GET /api/v1/mails": true, "GET /api/v1/mails/:id": true, "POST /api/v1/mails/:id/reveal": true,
	"POST /api/v1/mails/stop": true, "POST /api/v1/mails/release": true, "POST /api/v1/mails/cancel": true,
	"GET /api/v1/companies/status": true, "GET /api/v1/brakes": true,
}

// may reports whether a role may use a route, which is open from a role on.
func may(role record.Role, method, route string, least record.Role) bool {
	if role == record.Recruiter {
		return recruiters[method+" "+route]
	}
	return role.Includes(least)
}

// need returns what a token must be good for to use a route of the API.
func (r apiRoute) need() access.Scope {
	switch {
	case r.scope != "":
		return r.scope
	case r.role == record.Admin:
		return access.Manage
	case r.method == http.MethodGet:
		return access.Read
	}
	return access.Write
}

// Can reports whether the visitor may send a form to an address of the console,
// which is open from operators on.
func (s *sheet) Can(parts ...string) bool {
	return may(s.Who.Role, http.MethodPost, "/"+strings.Join(parts, "/"), record.Operator)
}

// Sees reports whether the visitor may open a page of the console.
func (s *sheet) Sees(path string) bool {
	least := record.Viewer
	if slices.Contains(adminPages, path) {
		least = record.Admin
	}
	return may(s.Who.Role, http.MethodGet, path, least)
}

// Roles are the roles that an account may have.
func (*sheet) Roles() []record.Role { return access.Roles }

// Over reports whether a time, if there is one, has passed.
func (s *sheet) Over(t time.Time) bool { return !t.IsZero() && !t.After(s.Now) }

// adminPages are the entries of the navigation for admins only.
var adminPages = []string{"/users"}
