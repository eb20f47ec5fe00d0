package store

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

// AddToken makes an API token for a user with everything that the role allows.
func (s *Store) AddToken(ctx context.Context, actor record.Actor, user, name string, role record.Role) (string, error) {
	return s.MakeToken(ctx, actor, record.Token{User: user, Name: name, Role: role})
}

// MakeToken makes an API token. It is shown once; only its hash is kept. Its
// role and company are at most the user's.
func (s *Store) MakeToken(ctx context.Context, actor record.Actor, k record.Token) (string, error) {
	token := "cr_" + rand.Text()
	if k.Name = strings.TrimSpace(k.Name); k.Name == "" || len(k.Name) > 100 || strings.ContainsAny(k.Name, "\r\n/") {
		return "", ats.Errorf(ats.Invalid, "name: say what the token is for, in one line")
	}
	if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(s.Now()) {
		return "", ats.Errorf(ats.Invalid, "expires: lies in the past")
	}
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		u, err := scanUser(t.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.name = $1 AND u.disabled_at = 0`, k.User))
		if errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.NotFound, "no user %s", k.User)
		}
		if err != nil {
			return err
		}
		if k.Role == "" {
			k.Role = u.Role
		}
		if u.Company != "" {
			if k.Company != "" && k.Company != u.Company {
				return ats.Errorf(ats.Denied, "%s belongs to %s and cannot have a token for %s", u.Name, u.Company, k.Company)
			}
			k.Company = u.Company
		}
		if !u.Role.Includes(k.Role) {
			return ats.Errorf(ats.Denied, "%s is %s and cannot have a token as %q", k.User, u.Role, k.Role)
		}
		if k.Role == record.Admin && k.Company != "" {
			return ats.Errorf(ats.Invalid, "company: an admin's token sees all companies; choose another role")
		}
		if k.Role == record.Recruiter && k.Company == "" {
			return ats.Errorf(ats.Invalid, "company: required for a token as recruiter")
		}
		if k.Scopes, err = access.ParseScopes(string(k.Scopes), k.Role); err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO tokens (id, user_id, name, hash, role, company, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			s.newID(), u.ID, k.Name, tokenHash(token), string(k.Role), k.Company, string(k.Scopes), micros(s.Now()), micros(k.ExpiresAt))
		if err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "token", Noun: "user", Subject: k.User, Company: k.Company, Detail: fmt.Sprintf("%s as %s for %s", k.Name, k.Role, k.Scopes)})
	})
	if err != nil {
		return "", refused("saving a token", err)
	}
	return token, nil
}

// Tokens lists the tokens of a user, or all when user is empty, the newest
// first. Revoked ones stay.
func (s *Store) Tokens(ctx context.Context, user string) ([]record.Token, error) {
	var c clause
	c.add(`u.name = ?`, user)
	return list(ctx, s, `SELECT k.id, u.name, k.name, k.role, k.company, k.scopes, k.created_at, k.expires_at, k.used_on, k.revoked_at FROM tokens k JOIN users u ON u.id = k.user_id`, "k.id DESC", c, record.MaxPage,
		func(row scanner) (record.Token, error) {
			var k record.Token
			var created, expires, revoked int64
			err := row.Scan(&k.ID, &k.User, &k.Name, &k.Role, &k.Company, &k.Scopes, &created, &expires, &k.UsedOn, &revoked)
			k.CreatedAt, k.ExpiresAt, k.RevokedAt = clockTime(created), clockTime(expires), clockTime(revoked)
			return k, err
		})
}

// RevokeToken ends a token. With of it ends only a token of that user;
// another's looks like none.
func (s *Store) RevokeToken(ctx context.Context, actor record.Actor, id, of, reason string) error {
	if err := needReason(reason); err != nil {
		return err
	}
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var user, name, company string
		var revoked int64
		err := t.QueryRowContext(ctx, `SELECT u.name, k.name, k.company, k.revoked_at FROM tokens k JOIN users u ON u.id = k.user_id WHERE k.id = $1`, id).Scan(&user, &name, &company, &revoked)
		if errors.Is(err, sql.ErrNoRows) || err == nil && of != "" && of != user {
			return ats.Errorf(ats.NotFound, "no token %s", id)
		}
		if err != nil {
			return err
		}
		if revoked != 0 {
			return ats.Errorf(ats.Conflict, "the token was revoked before")
		}
		if _, err := t.exec(ctx, `UPDATE tokens SET revoked_at = $1 WHERE id = $2`, micros(s.Now()), id); err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "revoke token", Noun: "user", Subject: user, Company: company, Reason: reason, Detail: name})
	})
	if err != nil {
		return refused("revoking a token", err)
	}
	return nil
}

// Token returns who has an API token. Its role is never more than the user's,
// and it sees nothing that the user does not see. The day of its last use is
// kept.
func (s *Store) Token(ctx context.Context, token string) (record.Actor, error) {
	now := s.Now()
	var a record.Actor
	var id, company, used string
	var most record.Role
	err := s.read.QueryRowContext(ctx, `SELECT k.id, u.name || '/' || k.name, u.role, u.company, k.role, k.company, k.scopes, k.used_on FROM tokens k JOIN users u ON u.id = k.user_id
		WHERE k.hash = $1 AND k.revoked_at = 0 AND (k.expires_at = 0 OR k.expires_at > $2) AND u.disabled_at = 0`, tokenHash(token), micros(now)).
		Scan(&id, &a.Name, &most, &company, &a.Role, &a.Company, &a.Scopes, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return record.Actor{}, errStranger
	}
	if err != nil {
		return record.Actor{}, unavailable("reading a token", err)
	}
	a.Name = "token:" + a.Name
	if !most.Includes(a.Role) {
		a.Role = most
	}
	if company != "" {
		a.Company = company
	}
	if a.Role == record.Recruiter && a.Company == "" {
		return record.Actor{}, errStranger
	}
	if today := now.UTC().Format(time.DateOnly); used != today {
		err = s.update(ctx, func(ctx context.Context, t *tx) error {
			_, err := t.exec(ctx, `UPDATE tokens SET used_on = $1 WHERE id = $2`, today, id)
			return err
		})
		if err != nil {
			return record.Actor{}, unavailable("noting the use of a token", err)
		}
	}
	return a, nil
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func equalText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
