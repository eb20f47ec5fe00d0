package store

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"errors"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
)

// Register keeps an unconfirmed registration, each consent with the exact text
// that was shown, and plans the confirmation mail.
func (s *Store) Register(ctx context.Context, r record.Registration) (id string, err error) {
	token := consent.NewToken()
	message, err := r.Confirm(token)
	if err != nil {
		return "", err
	}
	id = s.newID()
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		p, err := t.readPerson(ctx, r.Link.Person)
		if err != nil {
			return err
		}
		sealed, err := seal(p.aead, "registration "+id, r.Profile)
		if err != nil {
			return err
		}
		now := s.Now()
		_, err = t.exec(ctx, `INSERT INTO registrations (id, company, application, person_id, state, sealed, locale, created_at, expires_at) VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8)`,
			id, r.Link.Company, r.Link.Application, p.id, sealed, r.Profile.Locale, micros(now), micros(now.Add(r.Keep)))
		if err != nil {
			return err
		}
		for _, text := range r.Consents {
			if err := t.giveConsent(ctx, id, r.Link.Company, p.id, text); err != nil {
				return err
			}
		}
		_, err = t.planMail(ctx, plan{
			company: r.Link.Company, application: id, person: p, purpose: mail.RelayConfirm, message: message, due: now, decided: now, reason: "asked to confirm",
			links: []record.Link{{Token: token, Kind: record.ConfirmLink, Expires: now.Add(r.Keep), Locale: r.Profile.Locale, Registration: id}, r.Stop},
		})
		return err
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("keeping a registration", err)
	}
	return id, err
}

// Confirm makes a registration count: the consents become valid, the company
// is credited, the hand-overs are queued and the receipt is planned, all at
// once. A second confirmation is an ats.Duplicate error.
func (s *Store) Confirm(ctx context.Context, c record.Confirmation) error {
	my := consent.NewToken()
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		p, profile, err := t.confirmRegistration(ctx, c.Link)
		if err != nil {
			return err
		}
		consents, err := t.consentsOf(ctx, c.Link.Registration)
		if err != nil {
			return err
		}
		if err := t.refer(ctx, c, p, consents); err != nil {
			return err
		}
		if c.Policy.Trigger == credit.Registered {
			if err := t.countCredit(ctx, c.Link.Company, p.id, c.Link.Registration, c.Policy); err != nil {
				return err
			}
		}
		message, err := c.Receipt(profile, consents, my)
		if err != nil {
			return err
		}
		now := s.Now()
		_, err = t.planMail(ctx, plan{
			company: c.Link.Company, application: c.Link.Registration, person: p, purpose: mail.RelayReceipt, message: message, due: now, decided: now, reason: "confirmed",
			links: []record.Link{{Token: my, Kind: record.MyLink, Expires: c.MyExpires, Locale: profile.Locale, Registration: c.Link.Registration}, c.Stop},
		})
		return err
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("confirming a registration", err)
	}
	return err
}

func (t *tx) confirmRegistration(ctx context.Context, l record.Link) (person, relay.Profile, error) {
	var profile relay.Profile
	p, err := t.readPerson(ctx, l.Person)
	if err != nil {
		return p, profile, err
	}
	now := micros(t.s.Now())
	var sealed []byte
	err = t.QueryRowContext(ctx, `UPDATE registrations SET state = 'confirmed', confirmed_at = $1 WHERE id = $2 AND state = 'pending' AND expires_at > $1 RETURNING sealed`, now, l.Registration).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return p, profile, ats.Errorf(ats.Duplicate, "registration %s is not waiting to be confirmed", l.Registration)
	}
	if err != nil {
		return p, profile, err
	}
	if err := unseal(p.aead, "registration "+l.Registration, sealed, &profile); err != nil {
		return p, profile, err
	}
	_, err = t.exec(ctx, `UPDATE consents SET confirmed_at = $1 WHERE registration = $2 AND withdrawn_at = 0`, now, l.Registration)
	return p, profile, err
}

// Membership reads a registration for the person's own page or a hand-over.
func (s *Store) Membership(ctx context.Context, registration string) (record.Membership, error) {
	var m record.Membership
	var id string
	var sealed []byte
	err := s.read.QueryRowContext(ctx, `SELECT person_id, state, sealed FROM registrations WHERE id = $1`, registration).Scan(&id, &m.State, &sealed)
	if errors.Is(err, sql.ErrNoRows) || err == nil && len(sealed) == 0 {
		return m, ats.Errorf(ats.NotFound, "no registration %s", registration)
	}
	if err != nil {
		return m, unavailable("reading a registration", err)
	}
	var aead cipher.AEAD
	if aead, err = s.readPersonKey(ctx, s.read, id, ""); err != nil {
		return m, err
	}
	if err := unseal(aead, "registration "+registration, sealed, &m.Profile); err != nil {
		return m, err
	}
	m.Consents, m.Referrals, err = s.provided(ctx, registration)
	return m, err
}

// provided reads what was agreed to in a registration and who received it.
func (s *Store) provided(ctx context.Context, registration string) ([]record.Consent, []record.Referral, error) {
	t := &tx{querier: s.read, s: s, pg: s.pg}
	consents, err := t.consentsOf(ctx, registration)
	if err != nil {
		return nil, nil, unavailable("reading consents", err)
	}
	referrals, err := s.referralsOf(ctx, registration)
	return consents, referrals, err
}
