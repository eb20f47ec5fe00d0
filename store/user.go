package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// AddUser makes a console account, or sets the password and role of an
// existing one.
func (s *Store) AddUser(ctx context.Context, actor record.Actor, name, password string, role record.Role) (record.User, error) {
	return s.SaveUser(ctx, actor, record.User{Name: name, Role: role}, password)
}

// SaveUser makes a console account, or sets the password, role and company of
// an existing one, which signs in again everywhere.
func (s *Store) SaveUser(ctx context.Context, actor record.Actor, u record.User, password string) (record.User, error) {
	if u.Name == "" || len(u.Name) > 200 || strings.ContainsAny(u.Name, " \t\r\n:/") {
		return record.User{}, ats.Errorf(ats.Invalid, "name: use letters, digits, dots or dashes, or a mail address")
	}
	if err := u.Role.CheckPlace(u.Company); err != nil {
		return record.User{}, err
	}
	if err := checkNewPassword(u.Name, password); err != nil {
		return record.User{}, err
	}
	hash := s.hashPassword(password)
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var provider string
		err := t.QueryRowContext(ctx, `SELECT issuer FROM users WHERE name = $1`, u.Name).Scan(&provider)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if provider != "" {
			return ats.Errorf(ats.Conflict, "%s signs in through %s and has no password", u.Name, provider)
		}
		err = t.QueryRowContext(ctx, `INSERT INTO users (id, name, password, role, company, created_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (name) DO UPDATE SET password = excluded.password, role = excluded.role, company = excluded.company, disabled_at = 0 RETURNING id`,
			s.newID(), u.Name, hash, string(u.Role), u.Company, micros(s.Now())).Scan(&u.ID)
		if err != nil {
			return err
		}
		if err := t.signOut(ctx, u.ID, ""); err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "add", Noun: "user", Subject: u.Name, Company: u.Company, Detail: "role " + string(u.Role)})
	})
	if err != nil {
		return u, refused("saving a user", err)
	}
	return s.User(ctx, u.Name)
}

// refused leaves an error that says what is wrong as it is; any other is an
// outage.
func refused(doing string, err error) error {
	if ats.FaultOf(err) != "" {
		return err
	}
	return unavailable(doing, err)
}

const userColumns = `u.id, u.name, u.role, u.company, u.issuer, CASE WHEN u.factor IS NULL THEN 0 ELSE 1 END, (SELECT count(*) FROM recovery_codes r WHERE r.user_id = u.id), u.created_at, u.login_at, u.disabled_at`

func scanUser(row scanner) (record.User, error) {
	var u record.User
	var created, login, disabled int64
	err := row.Scan(&u.ID, &u.Name, &u.Role, &u.Company, &u.Provider, &u.Factor, &u.Recovery, &created, &login, &disabled)
	u.CreatedAt, u.LoginAt, u.Disabled = clockTime(created), clockTime(login), disabled != 0
	return u, err
}

// Users lists the console accounts, those that are switched off last.
func (s *Store) Users(ctx context.Context) ([]record.User, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+userColumns+` FROM users u ORDER BY CASE WHEN u.disabled_at = 0 THEN 0 ELSE 1 END, u.name`)
	if err != nil {
		return nil, unavailable("listing users", err)
	}
	out := []record.User{}
	err = scan(rows, func() error {
		u, err := scanUser(rows)
		out = append(out, u)
		return err
	})
	return out, err
}

// User returns one account.
func (s *Store) User(ctx context.Context, name string) (record.User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.name = $1`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return u, ats.Errorf(ats.NotFound, "no user %s", name)
	}
	if err != nil {
		return u, unavailable("reading a user", err)
	}
	return u, nil
}

// changeUser does something to an account, for a reason, and notes it.
func (s *Store) changeUser(ctx context.Context, actor record.Actor, name, verb, reason, detail string, change func(ctx context.Context, t *tx, u record.User) error) error {
	if err := needReason(reason); err != nil {
		return err
	}
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		// Changes of accounts queue up, so that two admins cannot take the role
		// from each other at the same time.
		if t.pg {
			if _, err := t.exec(ctx, `SELECT pg_advisory_xact_lock(7243190357)`); err != nil {
				return err
			}
		}
		u, err := scanUser(t.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.name = $1`, name))
		if errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.NotFound, "no user %s", name)
		}
		if err != nil {
			return err
		}
		if err := change(ctx, t, u); err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: verb, Noun: "user", Subject: name, Company: u.Company, Reason: reason, Detail: detail})
	})
	if err != nil {
		return refused("changing a user", err)
	}
	return nil
}

// ChangeRole gives an account another role. Who has it signs in again.
func (s *Store) ChangeRole(ctx context.Context, actor record.Actor, name string, role record.Role, company, reason string) error {
	if err := role.CheckPlace(company); err != nil {
		return err
	}
	detail := "role " + string(role)
	return s.changeUser(ctx, actor, name, "change role", reason, detail, func(ctx context.Context, t *tx, u record.User) error {
		if u.Provider != "" {
			return ats.Errorf(ats.Conflict, "%s has the role that the provider's groups give; change the grants", name)
		}
		if u.Role == role && u.Company == company {
			return ats.Errorf(ats.Conflict, "%s is %s already", name, role)
		}
		if role != record.Admin {
			if err := t.keepAnAdmin(ctx, u); err != nil {
				return err
			}
		}
		if _, err := t.exec(ctx, `UPDATE users SET role = $1, company = $2 WHERE id = $3`, string(role), company, u.ID); err != nil {
			return err
		}
		return t.signOut(ctx, u.ID, "")
	})
}

// keepAnAdmin refuses to lose the last account that can manage the others.
func (t *tx) keepAnAdmin(ctx context.Context, u record.User) error {
	if u.Role != record.Admin || u.Disabled {
		return nil
	}
	var others int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE role = 'admin' AND disabled_at = 0 AND id <> $1`, u.ID).Scan(&others)
	if err == nil && others == 0 {
		return ats.Errorf(ats.Conflict, "%s is the last admin; make another one first", u.Name)
	}
	return err
}

// DisableUser switches an account off: its sessions end, its tokens stop
// working. It stays in the list, so that the audit log keeps its meaning.
func (s *Store) DisableUser(ctx context.Context, actor record.Actor, name, reason string) error {
	return s.changeUser(ctx, actor, name, "disable", reason, "", func(ctx context.Context, t *tx, u record.User) error {
		if u.Disabled {
			return ats.Errorf(ats.Conflict, "%s is switched off already", name)
		}
		if err := t.keepAnAdmin(ctx, u); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE users SET disabled_at = $1 WHERE id = $2`, micros(s.Now()), u.ID); err != nil {
			return err
		}
		return t.signOut(ctx, u.ID, "")
	})
}

// EnableUser switches an account on again.
func (s *Store) EnableUser(ctx context.Context, actor record.Actor, name, reason string) error {
	return s.changeUser(ctx, actor, name, "enable", reason, "", func(ctx context.Context, t *tx, u record.User) error {
		if !u.Disabled {
			return ats.Errorf(ats.Conflict, "%s is switched on", name)
		}
		_, err := t.exec(ctx, `UPDATE users SET disabled_at = 0 WHERE id = $1`, u.ID)
		return err
	})
}

// ChangePassword sets the password of whoever has the session and knows the
// old one. Other sessions end and this one gets a new token.
func (s *Store) ChangePassword(ctx context.Context, session, old, password string) (token string, err error) {
	var id, name, stored, issuer string
	err = s.read.QueryRowContext(ctx, `SELECT u.id, u.name, u.password, u.issuer FROM sessions x JOIN users u ON u.id = x.user_id WHERE x.hash = $1 AND x.step = ''`, tokenHash(session)).Scan(&id, &name, &stored, &issuer)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errStranger
	}
	if err != nil {
		return "", unavailable("changing a password", err)
	}
	if issuer != "" {
		return "", ats.Errorf(ats.Conflict, "%s signs in through %s and has no password", name, issuer)
	}
	if right, _ := s.checkPassword(stored, old); !right {
		return "", ats.Errorf(ats.Denied, "the present password is wrong")
	}
	if err := checkNewPassword(name, password); err != nil {
		return "", err
	}
	hash := s.hashPassword(password)
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE users SET password = $1 WHERE id = $2 AND password = $3 AND disabled_at = 0`, hash, id, stored)
		if err != nil {
			return err
		}
		if n == 0 {
			return ats.Errorf(ats.Conflict, "the password was changed meanwhile")
		}
		if token, err = t.rotate(ctx, session); err != nil {
			return err
		}
		if err := t.signOut(ctx, id, token); err != nil {
			return err
		}
		return t.audit(ctx, record.Actor{Name: "user:" + name}, record.Audit{Verb: "change password", Noun: "user", Subject: name})
	})
	if err != nil {
		return "", refused("changing a password", err)
	}
	return token, nil
}

// LinkUser makes an account of this name wait for its first visit through an
// identity provider. Its password is gone.
func (s *Store) LinkUser(ctx context.Context, actor record.Actor, name, issuer, reason string) error {
	return s.changeUser(ctx, actor, name, "link", reason, issuer, func(ctx context.Context, t *tx, u record.User) error {
		if u.Provider != "" {
			return ats.Errorf(ats.Conflict, "%s signs in through %s already", name, u.Provider)
		}
		if _, err := t.exec(ctx, `UPDATE users SET issuer = $1, password = '', factor = NULL, code_step = 0 WHERE id = $2`, issuer, u.ID); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, u.ID); err != nil {
			return err
		}
		return t.signOut(ctx, u.ID, "")
	})
}

// provided finds the account of somebody whom a provider knows, or makes it.
func (t *tx) provided(ctx context.Context, who record.Identity, name string) (record.User, error) {
	u, err := scanUser(t.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.issuer = $1 AND u.subject = $2`, who.Issuer, who.Subject))
	if !errors.Is(err, sql.ErrNoRows) {
		return u, err
	}
	n, err := t.exec(ctx, `UPDATE users SET subject = $1 WHERE name = $2 AND issuer = $3 AND subject = ''`, who.Subject, name, who.Issuer)
	if err == nil && n == 0 {
		n, err = t.exec(ctx, `INSERT INTO users (id, name, role, company, issuer, subject, password, created_at) VALUES ($1, $2, $3, $4, $5, $6, '', $7) ON CONFLICT (name) DO NOTHING`,
			t.s.newID(), name, string(who.Grant.Role), who.Grant.Company, who.Issuer, who.Subject, micros(t.s.Now()))
	}
	if err != nil {
		return u, err
	}
	if n == 0 {
		return u, ats.Errorf(ats.Conflict, "there is another account of the name %s; careerrelay user link gives it to the provider", name)
	}
	return scanUser(t.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.issuer = $1 AND u.subject = $2`, who.Issuer, who.Subject))
}

// Admit signs in whom an identity provider knows. An account is made on the
// first visit; role and company follow the grant on every one. An account with
// a password is never taken over: it and the provider's may be two people.
func (s *Store) Admit(ctx context.Context, who record.Identity, v record.Visit) (record.Entry, error) {
	name, g := strings.ToLower(who.Name), who.Grant
	if err := g.Role.CheckPlace(g.Company); err != nil {
		return record.Entry{}, err
	}
	var e record.Entry
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		u, err := t.provided(ctx, who, name)
		switch {
		case err != nil:
			return err
		case u.Disabled:
			return ats.Errorf(ats.Denied, "%s is switched off", u.Name)
		case u.Role != g.Role || u.Company != g.Company:
			if _, err := t.exec(ctx, `UPDATE users SET role = $1, company = $2 WHERE id = $3`, string(g.Role), g.Company, u.ID); err != nil {
				return err
			}
			if err := t.signOut(ctx, u.ID, ""); err != nil {
				return err
			}
		}
		if e, err = t.enter(ctx, u.ID, u.Name, record.In, v); err != nil {
			return err
		}
		return t.audit(ctx, record.Actor{Name: "user:" + u.Name}, record.Audit{Verb: "login", Noun: "user", Subject: u.Name, Company: g.Company, Detail: fmt.Sprintf("through %s as %s", who.Issuer, g.Role)})
	})
	if err != nil {
		return record.Entry{}, refused("signing in", err)
	}
	return e, nil
}
