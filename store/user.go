package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// argon2id with the second recommended setting of RFC 9106: 64 MiB, 3 passes.
const (
	argonMemory  = 64 * 1024
	argonPasses  = 3
	argonLanes   = 4
	minPassword  = 10
	sessionHours = 12
)

// AddUser makes a console account, or sets the password and role of an
// existing one.
func (s *Store) AddUser(ctx context.Context, actor record.Actor, name, password string, role record.Role) (record.User, error) {
	if name == "" || strings.ContainsAny(name, " \t\r\n:") {
		return record.User{}, ats.Errorf(ats.Invalid, "name: use letters, digits, dots or dashes")
	}
	if len(password) < minPassword {
		return record.User{}, ats.Errorf(ats.Invalid, "password: at least %d characters", minPassword)
	}
	if !role.Includes(record.Viewer) {
		return record.User{}, ats.Errorf(ats.Invalid, "role: %q is not one of viewer, operator, admin", role)
	}
	u := record.User{Name: name, Role: role}
	hash := s.hashPassword(password)
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var created int64
		err := t.QueryRowContext(ctx, `INSERT INTO users (id, name, password, role, created_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (name) DO UPDATE SET password = excluded.password, role = excluded.role, disabled_at = 0 RETURNING id, created_at`,
			s.newID(), name, hash, string(role), micros(s.Now())).Scan(&u.ID, &created)
		if err != nil {
			return err
		}
		u.CreatedAt = clockTime(created)
		if _, err := t.exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, u.ID); err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "add", Noun: "user", Subject: name, Detail: "role " + string(role)})
	})
	if err != nil {
		return u, unavailable("saving a user", err)
	}
	return u, nil
}

// Users lists the console accounts.
func (s *Store) Users(ctx context.Context) ([]record.User, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, name, role, created_at FROM users WHERE disabled_at = 0 ORDER BY name`)
	if err != nil {
		return nil, unavailable("listing users", err)
	}
	out := []record.User{}
	err = scan(rows, func() error {
		var u record.User
		var at int64
		err := rows.Scan(&u.ID, &u.Name, &u.Role, &at)
		u.CreatedAt = clockTime(at)
		out = append(out, u)
		return err
	})
	return out, err
}

func (s *Store) hashPassword(password string) string {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	key := s.stretch(password, salt)
	return base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(key)
}

// stretch makes a key of a password, one at a time: it takes so much memory that
// many at once would be a way to stop the program.
func (s *Store) stretch(password string, salt []byte) []byte {
	s.argonMu.Lock()
	defer s.argonMu.Unlock()
	return argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, 32)
}

func (s *Store) checkPassword(stored, password string) bool {
	salt64, key64, _ := strings.Cut(stored, "$")
	salt, err := base64.RawStdEncoding.DecodeString(salt64)
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(key64)
	if err != nil {
		return false
	}
	return subtle.ConstantTimeCompare(s.stretch(password, salt), want) == 1
}

// noUser is compared against when there is no such user, so that the answer
// takes as long as for one that exists. No password has this hash.
const noUser = "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Login opens a session. A wrong name and a wrong password look the same.
func (s *Store) Login(ctx context.Context, name, password string) (token string, err error) {
	var id string
	stored := noUser
	err = s.read.QueryRowContext(ctx, `SELECT id, password FROM users WHERE name = $1 AND disabled_at = 0`, name).Scan(&id, &stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", unavailable("logging in", err)
	}
	if !s.checkPassword(stored, password) || id == "" {
		return "", ats.Errorf(ats.Denied, "name or password is wrong")
	}
	token = rand.Text()
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		now := s.Now()
		if _, err := t.exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, micros(now)); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO sessions (hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)`, tokenHash(token), id, micros(now), micros(now.Add(sessionHours*time.Hour)))
		if err != nil {
			return err
		}
		return t.audit(ctx, record.Actor{Name: "user:" + name}, record.Audit{Verb: "login", Noun: "user", Subject: name})
	})
	if err != nil {
		return "", unavailable("opening a session", err)
	}
	return token, nil
}

// Logout ends a session.
func (s *Store) Logout(ctx context.Context, token string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `DELETE FROM sessions WHERE hash = $1`, tokenHash(token))
		return err
	})
	if err != nil {
		return unavailable("ending a session", err)
	}
	return nil
}

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Session returns who has a session token.
func (s *Store) Session(ctx context.Context, token string) (record.Actor, error) {
	a, err := s.actor(ctx, `SELECT u.name, u.role, u.role FROM sessions x JOIN users u ON u.id = x.user_id WHERE x.hash = $1 AND x.expires_at > $2 AND u.disabled_at = 0`, tokenHash(token), micros(s.Now()))
	a.Name = "user:" + a.Name
	return a, err
}

// Token returns who has an API token. Its role is never more than the user's.
func (s *Store) Token(ctx context.Context, token string) (record.Actor, error) {
	a, err := s.actor(ctx, `SELECT u.name || '/' || k.name, u.role, k.role FROM tokens k JOIN users u ON u.id = k.user_id WHERE k.hash = $1 AND k.revoked_at = 0 AND u.disabled_at = 0`, tokenHash(token))
	a.Name = "token:" + a.Name
	return a, err
}

func (s *Store) actor(ctx context.Context, query string, args ...any) (record.Actor, error) {
	var a record.Actor
	var most record.Role
	err := s.read.QueryRowContext(ctx, query, args...).Scan(&a.Name, &most, &a.Role)
	if errors.Is(err, sql.ErrNoRows) {
		return a, ats.Errorf(ats.Denied, "not logged in")
	}
	if err != nil {
		return a, unavailable("reading a session", err)
	}
	if !most.Includes(a.Role) {
		a.Role = most
	}
	return a, nil
}

// AddToken makes an API token for a user. It is shown once; only its hash is
// kept. Its role is at most the user's.
func (s *Store) AddToken(ctx context.Context, actor record.Actor, user, name string, role record.Role) (string, error) {
	token := "cr_" + rand.Text()
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var id string
		var has record.Role
		err := t.QueryRowContext(ctx, `SELECT id, role FROM users WHERE name = $1 AND disabled_at = 0`, user).Scan(&id, &has)
		if errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.NotFound, "no user %s", user)
		}
		if err != nil {
			return err
		}
		if role == "" {
			role = has
		}
		if !has.Includes(role) || !role.Includes(record.Viewer) {
			return ats.Errorf(ats.Denied, "%s is %s and cannot have a token as %q", user, has, role)
		}
		_, err = t.exec(ctx, `INSERT INTO tokens (id, user_id, name, hash, role, created_at) VALUES ($1, $2, $3, $4, $5, $6)`, s.newID(), id, name, tokenHash(token), string(role), micros(s.Now()))
		if err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "token", Noun: "user", Subject: user, Detail: fmt.Sprintf("%s as %s", name, role)})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("saving a token", err)
	}
	return token, err
}
