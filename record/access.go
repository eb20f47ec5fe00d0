package record

import (
	"strings"
	"time"

	"github.com/career-relay/connector/rules/access"
)

// A Role says what a user or a token may do.
type Role = access.Role

// The roles.
const (
	Recruiter = access.Recruiter
	Viewer    = access.Viewer
	Operator  = access.Operator
	Admin     = access.Admin
)

// An Actor is who does something, for the audit log.
type Actor struct {
	Name    string        `json:"name"` // "user:hana", "token:ci", "cli:root", "system"
	Role    Role          `json:"role"`
	Company string        `json:"company,omitempty"` // sees this one only; "" for all
	Scopes  access.Scopes `json:"scopes,omitempty"`  // of a token
}

// User is the name of the account that acts; "" when none does.
func (a Actor) User() string {
	name, ok := strings.CutPrefix(a.Name, "user:")
	if !ok {
		return ""
	}
	return name
}

// A User may use the console.
type User struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	Company   string    `json:"company,omitempty"`
	Provider  string    `json:"provider,omitempty"` // issuer of an account that signs in there; it has no password
	Factor    bool      `json:"second_factor"`
	Recovery  int       `json:"recovery_codes"` // unused ones
	CreatedAt time.Time `json:"created_at"`
	LoginAt   time.Time `json:"login_at,omitzero"`
	Disabled  bool      `json:"disabled"`
}

// A Session is somebody signed in to the console.
type Session struct {
	ID        string    `json:"id"`
	User      string    `json:"user"`
	Agent     string    `json:"agent"` // browser and system in words
	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"seen_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Current   bool      `json:"current"` // of whoever asks
}

// A Token lets a program use the API in the name of a user.
type Token struct {
	ID        string        `json:"id"`
	User      string        `json:"user"`
	Name      string        `json:"name"`
	Role      Role          `json:"role"`
	Company   string        `json:"company,omitempty"`
	Scopes    access.Scopes `json:"scopes"`
	CreatedAt time.Time     `json:"created_at"`
	ExpiresAt time.Time     `json:"expires_at,omitzero"`
	UsedOn    string        `json:"used_on,omitempty"` // day, in UTC
	RevokedAt time.Time     `json:"revoked_at,omitzero"`
}

// A Visit is what is known of somebody who signs in, beside who they are.
type Visit struct {
	Agent    string
	Settings access.Settings
}

// An Identity is somebody as an identity provider knows them.
type Identity struct {
	Issuer, Subject string
	Name            string // their address
	Grant           access.Grant
}

// A Step is what is left to do of signing in.
type Step string

// The steps.
const (
	In     Step = ""       // nothing
	Code   Step = "code"   // the code of the second factor
	Enroll Step = "enroll" // set the second factor up, which the role needs
)

// An Entry is the token of somebody who signs in. It is a session's only after
// the last step.
type Entry struct {
	Token string
	User  string
	Step  Step
}
