// Package access decides who may come in and what they may do there: roles,
// what a token is for, second factors, and what an identity provider's word is
// worth.
package access

import (
	"slices"
	"strings"

	"github.com/career-relay/connector/ats"
)

// A Role says what somebody may do.
type Role string

// The roles. A viewer reads, an operator also acts, an admin also manages
// accounts. A recruiter sees one company only: its status, its applications
// and its mails, which they may hold, release and cancel.
const (
	Recruiter Role = "recruiter"
	Viewer    Role = "viewer"
	Operator  Role = "operator"
	Admin     Role = "admin"
)

// Roles lists the roles, the smallest first.
var Roles = []Role{Recruiter, Viewer, Operator, Admin}

// Known reports whether r is a role.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// Includes reports whether r may do everything that other may. A recruiter is
// beside the others: they read less than a viewer and do more.
func (r Role) Includes(other Role) bool {
	if other == Recruiter {
		return r == Recruiter || r.rank() >= Operator.rank()
	}
	return other.rank() > 0 && r.rank() >= other.rank()
}

func (r Role) rank() int {
	switch r {
	case Admin:
		return 3
	case Operator:
		return 2
	case Viewer:
		return 1
	case Recruiter:
	}
	return 0
}

// CheckPlace refuses a role without the company that it needs, or with one
// that would not narrow it.
func (r Role) CheckPlace(company string) error {
	switch {
	case !r.Known():
		return ats.Errorf(ats.Invalid, "role: %q is not one of %s", r, join(Roles))
	case r == Recruiter && company == "":
		return ats.Errorf(ats.Invalid, "company: required for a recruiter, who sees one company only")
	case r != Recruiter && company != "":
		return ats.Errorf(ats.Invalid, "company: only a recruiter belongs to one company; %s sees all", r)
	}
	return nil
}

// A Scope is one thing that a token may be used for.
type Scope string

// The scopes: to read lists and rows, to carry out verbs, to see what is
// personal, to manage accounts.
const (
	Read   Scope = "read"
	Write  Scope = "write"
	Reveal Scope = "reveal"
	Manage Scope = "admin"
)

var scopes = []Scope{Read, Write, Reveal, Manage}

// Scopes are what a token may be used for, with blanks between: "read write".
// None are none.
type Scopes string

// AllScopes are all that there are.
const AllScopes Scopes = "read write reveal admin"

// ScopesOf are all scopes that are of use to a role.
func ScopesOf(r Role) Scopes {
	switch r {
	case Admin:
		return AllScopes
	case Operator, Recruiter:
		return "read write reveal"
	case Viewer:
		return "read"
	}
	return ""
}

// ParseScopes reads scopes with blanks or commas between and refuses those
// that are of no use to the role.
func ParseScopes(text string, r Role) (Scopes, error) {
	words := strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
	if len(words) == 0 {
		return ScopesOf(r), nil
	}
	var out []string
	for _, s := range scopes {
		if slices.Contains(words, string(s)) {
			out = append(out, string(s))
		}
	}
	for _, w := range words {
		if !slices.Contains(scopes, Scope(w)) {
			return "", ats.Errorf(ats.Invalid, "scope: %q is not one of %s", w, join(scopes))
		}
		if !ScopesOf(r).Has(Scope(w)) {
			return "", ats.Errorf(ats.Invalid, "scope: %s is of no use to the role %s", w, r)
		}
	}
	return Scopes(strings.Join(out, " ")), nil
}

// Has reports whether s is among them.
func (all Scopes) Has(s Scope) bool { return slices.Contains(strings.Fields(string(all)), string(s)) }

func join[T ~string](words []T) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return strings.Join(out, ", ")
}
