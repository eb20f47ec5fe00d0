package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

const (
	// stepLife is how long somebody may take between the password and the code.
	stepLife = 10 * time.Minute
	// stepTries is how many codes somebody may try before the password is asked
	// again.
	stepTries = 5
	// glance is how exactly the last use of a session is known: looking at a
	// page shall not write each time.
	glance = time.Minute
)

// errStranger is the same whatever is wrong with a session or a token.
var errStranger = ats.Errorf(ats.Denied, "not logged in")

// Login checks a name and a password. A wrong name and a wrong password look
// the same and take as long.
func (s *Store) Login(ctx context.Context, name, password string, v record.Visit) (record.Entry, error) {
	var id, stored string
	var role record.Role
	var factor bool
	err := s.read.QueryRowContext(ctx, `SELECT id, password, role, CASE WHEN factor IS NULL THEN 0 ELSE 1 END FROM users WHERE name = $1 AND disabled_at = 0`, name).Scan(&id, &stored, &role, &factor)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return record.Entry{}, unavailable("logging in", err)
	}
	right, current := s.checkPassword(stored, password)
	if !right || id == "" {
		return record.Entry{}, ats.Errorf(ats.Denied, "name or password is wrong")
	}
	step := record.In
	switch {
	case factor:
		step = record.Code
	case v.Settings.Must(role):
		step = record.Enroll
	}
	fresh := ""
	if !current {
		fresh = s.hashPassword(password)
	}
	var e record.Entry
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		if fresh != "" {
			if _, err := t.exec(ctx, `UPDATE users SET password = $1 WHERE id = $2 AND password = $3`, fresh, id, stored); err != nil {
				return err
			}
		}
		var err error
		if e, err = t.enter(ctx, id, name, step, v); err != nil || step != record.In {
			return err
		}
		return t.auditLogin(ctx, name, "")
	})
	if err != nil {
		return record.Entry{}, unavailable("opening a session", err)
	}
	return e, nil
}

func (t *tx) auditLogin(ctx context.Context, name, detail string) error {
	return t.audit(ctx, record.Actor{Name: "user:" + name}, record.Audit{Verb: "login", Noun: "user", Subject: name, Detail: detail})
}

// enter opens a session, or what becomes one after the next step.
func (t *tx) enter(ctx context.Context, user, name string, step record.Step, v record.Visit) (record.Entry, error) {
	now, life := t.s.Now(), v.Settings.Life()
	if step != record.In {
		life = stepLife
	} else if _, err := t.exec(ctx, `UPDATE users SET login_at = $1 WHERE id = $2`, micros(now), user); err != nil {
		return record.Entry{}, err
	}
	if _, err := t.exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, micros(now)); err != nil {
		return record.Entry{}, err
	}
	token := rand.Text()
	_, err := t.exec(ctx, `INSERT INTO sessions (id, hash, user_id, step, agent, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.s.newID(), tokenHash(token), user, string(step), v.Agent, micros(now), micros(now), micros(now.Add(life)))
	return record.Entry{Token: token, User: name, Step: step}, err
}

// rotate gives a session another token.
func (t *tx) rotate(ctx context.Context, session string) (string, error) {
	token := rand.Text()
	n, err := t.exec(ctx, `UPDATE sessions SET hash = $1 WHERE hash = $2`, tokenHash(token), tokenHash(session))
	if err == nil && n == 0 {
		err = errStranger
	}
	return token, err
}

// signOut ends the sessions of a user, but for the one that has the token.
func (t *tx) signOut(ctx context.Context, user, except string) error {
	_, err := t.exec(ctx, `DELETE FROM sessions WHERE user_id = $1 AND hash <> $2`, user, tokenHash(except))
	return err
}

// Logout ends a session.
func (s *Store) Logout(ctx context.Context, token string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var name string
		err := t.QueryRowContext(ctx, `SELECT u.name FROM sessions x JOIN users u ON u.id = x.user_id WHERE x.hash = $1`, tokenHash(token)).Scan(&name)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM sessions WHERE hash = $1`, tokenHash(token)); err != nil {
			return err
		}
		return t.audit(ctx, record.Actor{Name: "user:" + name}, record.Audit{Verb: "logout", Noun: "user", Subject: name})
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

// Session returns who has a session token. A session that lay idle for too
// long is over.
func (s *Store) Session(ctx context.Context, token string, idle time.Duration) (record.Actor, error) {
	now := s.Now()
	var a record.Actor
	var seen int64
	err := s.read.QueryRowContext(ctx, `SELECT u.name, u.role, u.company, x.seen_at FROM sessions x JOIN users u ON u.id = x.user_id
		WHERE x.hash = $1 AND x.step = '' AND x.expires_at > $2 AND x.seen_at > $3 AND u.disabled_at = 0`, tokenHash(token), micros(now), micros(now.Add(-idle))).Scan(&a.Name, &a.Role, &a.Company, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return record.Actor{}, errStranger
	}
	if err != nil {
		return record.Actor{}, unavailable("reading a session", err)
	}
	a.Name = "user:" + a.Name
	if now.Sub(clockTime(seen)) < glance {
		return a, nil
	}
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE sessions SET seen_at = $1 WHERE hash = $2 AND seen_at < $1`, micros(now), tokenHash(token))
		return err
	})
	if err != nil {
		return record.Actor{}, unavailable("keeping a session", err)
	}
	return a, nil
}

// Arriving returns who has given the password and has a step left.
func (s *Store) Arriving(ctx context.Context, token string) (record.Entry, error) {
	e := record.Entry{Token: token}
	err := s.read.QueryRowContext(ctx, `SELECT u.name, x.step FROM sessions x JOIN users u ON u.id = x.user_id
		WHERE x.hash = $1 AND x.step <> '' AND x.expires_at > $2 AND u.disabled_at = 0`, tokenHash(token), micros(s.Now())).Scan(&e.User, &e.Step)
	if errors.Is(err, sql.ErrNoRows) {
		return e, errStranger
	}
	if err != nil {
		return e, unavailable("reading a session", err)
	}
	return e, nil
}

// Sessions lists who is signed in: a user, or everybody when user is empty.
// current is the token of whoever asks.
func (s *Store) Sessions(ctx context.Context, user, current string, idle time.Duration) ([]record.Session, error) {
	var c clause
	c.add(`x.expires_at > ?`, micros(s.Now()))
	c.add(`x.seen_at > ?`, micros(s.Now().Add(-idle)))
	c.add(`u.name = ?`, user)
	return list(ctx, s, `SELECT x.id, u.name, x.agent, x.created_at, x.seen_at, x.expires_at, x.hash FROM sessions x JOIN users u ON u.id = x.user_id AND x.step = '' AND u.disabled_at = 0`, "x.seen_at DESC, x.id", c, record.MaxPage,
		func(row scanner) (record.Session, error) {
			var r record.Session
			var created, seen, expires int64
			var hash []byte
			err := row.Scan(&r.ID, &r.User, &r.Agent, &created, &seen, &expires, &hash)
			r.CreatedAt, r.SeenAt, r.ExpiresAt = clockTime(created), clockTime(seen), clockTime(expires)
			r.Current = string(hash) == string(tokenHash(current))
			return r, err
		})
}

// EndSession signs somebody out of one place. With of it ends only a session
// of that user; another's looks like none.
func (s *Store) EndSession(ctx context.Context, actor record.Actor, id, of string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var user, company string
		err := t.QueryRowContext(ctx, `SELECT u.name, u.company FROM sessions x JOIN users u ON u.id = x.user_id WHERE x.id = $1`, id).Scan(&user, &company)
		if errors.Is(err, sql.ErrNoRows) || err == nil && of != "" && of != user {
			return ats.Errorf(ats.NotFound, "no session %s", id)
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM sessions WHERE id = $1`, id); err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "end session", Noun: "user", Subject: user, Company: company})
	})
	if err != nil {
		return refused("ending a session", err)
	}
	return nil
}

// EndSessions signs a user out everywhere, but for the session that has the
// token except.
func (s *Store) EndSessions(ctx context.Context, actor record.Actor, user, except, reason string) error {
	return s.changeUser(ctx, actor, user, "end sessions", reason, "", func(ctx context.Context, t *tx, u record.User) error {
		return t.signOut(ctx, u.ID, except)
	})
}

// Device makes a token by which the browser of a user is known again. It opens
// nothing: it only keeps those who guess passwords elsewhere from making the
// user wait.
func (s *Store) Device(user string) string {
	nonce := rand.Text()
	return nonce + "." + base64.RawURLEncoding.EncodeToString(s.hash("device", user, nonce))
}

// Knows reports whether Device made a token for the user.
func (s *Store) Knows(user, device string) bool {
	nonce, mac, ok := cutLast(device)
	return ok && equalText(mac, base64.RawURLEncoding.EncodeToString(s.hash("device", user, nonce)))
}
