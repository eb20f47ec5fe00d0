package store

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

// recoveryCodes is how many codes replace a lost second factor, each once.
const recoveryCodes = 10

// errCode is the same for a wrong code, one that was used and one that is too
// old.
var errCode = ats.Errorf(ats.Denied, "the code is wrong or was used before")

// accountKey encrypts the secrets of second factors. It hangs on the index
// key, so that it lasts as long as the database and moves with the master key.
func (s *Store) accountKey() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.keys.index, nil, "career-relay accounts", keySize)
	if err != nil {
		return nil, err
	}
	return newAEAD(key)
}

// NewFactor returns the secret that a session may set up as its user's second
// factor. It is always the same for a session and never for two, so that a
// page can show it without writing it down.
func (s *Store) NewFactor(session string) []byte {
	return s.hash("factor", "", session)[:access.SecretSize]
}

// SetFactor sets up the second factor that NewFactor returned, once its first
// code shows that it works. It returns the recovery codes, which are shown this
// once. What was arriving is signed in, and every session gets a new token or
// ends.
func (s *Store) SetFactor(ctx context.Context, session, code string, v record.Visit) (record.Entry, []string, error) {
	secret := s.NewFactor(session)
	aead, err := s.accountKey()
	if err != nil {
		return record.Entry{}, nil, err
	}
	var e record.Entry
	var codes []string
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		a, err := t.arrival(ctx, session)
		if err != nil {
			return err
		}
		if a.step == record.Code {
			return ats.Errorf(ats.Conflict, "%s has a second factor already", a.name)
		}
		step, ok := access.CheckCode(secret, code, s.Now(), 0)
		if !ok {
			return errCode // harmless to try: the secret is on the page
		}
		n, err := t.exec(ctx, `UPDATE users SET factor = $1, code_step = $2 WHERE id = $3 AND factor IS NULL AND issuer = ''`, encrypt(aead, "factor of "+a.user, secret), step, a.user)
		if err != nil {
			return err
		}
		if n == 0 {
			return ats.Errorf(ats.Conflict, "%s has a second factor already, or signs in through a provider", a.name)
		}
		if codes, err = t.newRecoveryCodes(ctx, a.user); err != nil {
			return err
		}
		if err := t.signOut(ctx, a.user, ""); err != nil {
			return err
		}
		if e, err = t.enter(ctx, a.user, a.name, record.In, v); err != nil {
			return err
		}
		return t.audit(ctx, record.Actor{Name: "user:" + a.name}, record.Audit{Verb: "set second factor", Noun: "user", Subject: a.name, Company: a.company})
	})
	if err != nil {
		return record.Entry{}, nil, refused("setting up a second factor", err)
	}
	return e, codes, nil
}

// An arrival is somebody who has a session, or a step left to one.
type arrival struct {
	user, name, company string
	step                record.Step
	tries               int
}

func (t *tx) arrival(ctx context.Context, session string) (arrival, error) {
	var a arrival
	err := t.QueryRowContext(ctx, `SELECT u.id, u.name, u.company, x.step, x.tries FROM sessions x JOIN users u ON u.id = x.user_id
		WHERE x.hash = $1 AND x.expires_at > $2 AND u.disabled_at = 0`, tokenHash(session), micros(t.s.Now())).Scan(&a.user, &a.name, &a.company, &a.step, &a.tries)
	if errors.Is(err, sql.ErrNoRows) {
		return a, errStranger
	}
	return a, err
}

func (t *tx) newRecoveryCodes(ctx context.Context, user string) ([]string, error) {
	if _, err := t.exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, user); err != nil {
		return nil, err
	}
	var codes []string
	for range recoveryCodes {
		code := strings.ToLower(rand.Text()[:16]) // 80 bits
		codes = append(codes, code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:])
		if _, err := t.exec(ctx, `INSERT INTO recovery_codes (hash, user_id) VALUES ($1, $2)`, t.s.recoveryHash(user, code), user); err != nil {
			return nil, err
		}
	}
	return codes, nil
}

// recoveryHash is keyed, and the code has 80 random bits: nothing more is
// needed against guessing.
func (s *Store) recoveryHash(user, code string) []byte {
	plain := strings.NewReplacer("-", "", " ", "", "\u3000", "").Replace(strings.ToLower(code))
	return s.hash("recovery", user, plain)
}

// EnterCode takes the code of the second factor, or a recovery code, and signs
// in. After a few wrong ones the password is asked again.
func (s *Store) EnterCode(ctx context.Context, session, code string, v record.Visit) (record.Entry, error) {
	var e record.Entry
	var wrong error
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		a, err := t.arrival(ctx, session)
		if err != nil {
			return err
		}
		if a.step != record.Code {
			return errStranger
		}
		how, err := t.useCode(ctx, a.user, code)
		if ats.FaultOf(err) == ats.Denied {
			wrong = err
			if a.tries+1 >= stepTries {
				_, err = t.exec(ctx, `DELETE FROM sessions WHERE hash = $1`, tokenHash(session))
				return err
			}
			_, err = t.exec(ctx, `UPDATE sessions SET tries = tries + 1 WHERE hash = $1`, tokenHash(session))
			return err
		}
		if err != nil {
			return err
		}
		wrong = nil
		if _, err := t.exec(ctx, `DELETE FROM sessions WHERE hash = $1`, tokenHash(session)); err != nil {
			return err
		}
		if e, err = t.enter(ctx, a.user, a.name, record.In, v); err != nil {
			return err
		}
		return t.auditLogin(ctx, a.name, how)
	})
	if err != nil {
		return record.Entry{}, refused("taking a code", err)
	}
	return e, wrong
}

// useCode uses a code up; the database decides who is first.
func (t *tx) useCode(ctx context.Context, user, code string) (how string, err error) {
	n, err := t.exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2`, user, t.s.recoveryHash(user, code))
	if err != nil {
		return "", err
	}
	if n > 0 {
		var left int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM recovery_codes WHERE user_id = $1`, user).Scan(&left)
		return fmt.Sprintf("recovery code, %d left", left), err
	}
	var sealed []byte
	var last int64
	if err := t.QueryRowContext(ctx, `SELECT factor, code_step FROM users WHERE id = $1`, user).Scan(&sealed, &last); err != nil {
		return "", err
	}
	if sealed == nil {
		return "", errCode
	}
	aead, err := t.s.accountKey()
	if err != nil {
		return "", err
	}
	secret, err := aead.Open(nil, nil, sealed, []byte("factor of "+user))
	if err != nil {
		return "", fmt.Errorf("decrypting a second factor: %w", err)
	}
	step, ok := access.CheckCode(secret, code, t.s.Now(), last)
	if !ok {
		return "", errCode
	}
	n, err = t.exec(ctx, `UPDATE users SET code_step = $1 WHERE id = $2 AND code_step < $1`, step, user)
	if err == nil && n == 0 {
		err = errCode
	}
	return "second factor", err
}

// RenewRecovery replaces the recovery codes of whoever has the session and
// gives a code of the second factor.
func (s *Store) RenewRecovery(ctx context.Context, session, code string) ([]string, error) {
	var codes []string
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		a, err := t.arrival(ctx, session)
		if err != nil {
			return err
		}
		if a.step != record.In {
			return errStranger
		}
		if _, err := t.useCode(ctx, a.user, code); err != nil {
			return err
		}
		if codes, err = t.newRecoveryCodes(ctx, a.user); err != nil {
			return err
		}
		return t.audit(ctx, record.Actor{Name: "user:" + a.name}, record.Audit{Verb: "renew recovery codes", Noun: "user", Subject: a.name, Company: a.company})
	})
	if err != nil {
		return nil, refused("renewing recovery codes", err)
	}
	return codes, nil
}

// ResetFactor takes a user's second factor away, for whoever lost it. The user
// signs in again everywhere and, where the role needs one, sets up another.
func (s *Store) ResetFactor(ctx context.Context, actor record.Actor, name, reason string) error {
	return s.changeUser(ctx, actor, name, "reset second factor", reason, "", func(ctx context.Context, t *tx, u record.User) error {
		if !u.Factor {
			return ats.Errorf(ats.Conflict, "%s has no second factor", name)
		}
		if _, err := t.exec(ctx, `UPDATE users SET factor = NULL, code_step = 0 WHERE id = $1`, u.ID); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, u.ID); err != nil {
			return err
		}
		return t.signOut(ctx, u.ID, "")
	})
}
