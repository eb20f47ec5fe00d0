package store

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
)

// SettleReferral records how a hand-over ended and finishes the job.
func (s *Store) SettleReferral(ctx context.Context, j record.Job, r record.Referral, h record.Handed) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		now := micros(s.Now())
		n, err := t.exec(ctx, `UPDATE referrals SET state = $1, reference = $2, reason = $3, updated_at = $4 WHERE id = $5 AND state IN ('waiting', 'failed')`,
			string(h.State), h.Reference, h.Reason, now, r.ID)
		if err != nil {
			return err
		}
		if h.State == record.ReferralHandedOver && n > 0 {
			if err := t.provide(ctx, r, h, now); err != nil {
				return err
			}
		}
		return t.finishJob(ctx, j, h.Job)
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("settling a referral", err)
	}
	return err
}

func (t *tx) provide(ctx context.Context, r record.Referral, h record.Handed, now int64) error {
	_, err := t.exec(ctx, `INSERT INTO provisions (id, referral, recipient, fields, at) VALUES ($1, $2, $3, $4, $5)`, t.s.newID(), r.ID, r.Recipient, strings.Join(h.Fields, " "), now)
	if err != nil {
		return err
	}
	if h.Policy.Trigger == credit.HandedOver {
		return t.countCredit(ctx, r.Company, r.PersonID, r.Registration, h.Policy)
	}
	return nil
}

// countCredit adds an entry to the company's ledger and opens the slots that
// are due. The company's row makes concurrent entries queue up.
func (t *tx) countCredit(ctx context.Context, company, person, registration string, p credit.Policy) error {
	if _, err := t.exec(ctx, `UPDATE companies SET credit_turn = credit_turn + 1 WHERE id = $1`, company); err != nil {
		return err
	}
	now := t.s.Now()
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, `INSERT INTO policies (company, version, body, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, company, p.Version(), string(body), micros(now)); err != nil {
		return err
	}
	history, slots, err := t.ledger(ctx, company)
	if err != nil {
		return err
	}
	e := p.Count(history, person, now)
	n, err := t.exec(ctx, `INSERT INTO credits (id, company, kind, person_id, registration, amount, policy, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		t.s.newID(), company, string(e.Kind), person, registration, e.Amount, e.Policy, micros(now))
	if err != nil || n == 0 {
		return err
	}
	for range p.Owed(append(history, e), slots) {
		_, err := t.exec(ctx, `INSERT INTO slots (id, company, state, policy, earned_at, updated_at) VALUES ($1, $2, 'earned', $3, $4, $4)`, t.s.newID(), company, p.Version(), micros(now))
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) ledger(ctx context.Context, company string) ([]credit.Entry, []credit.Slot, error) {
	rows, err := t.QueryContext(ctx, `SELECT id, kind, person_id, registration, amount, policy, at FROM credits WHERE company = $1 ORDER BY id`, company)
	if err != nil {
		return nil, nil, err
	}
	var entries []credit.Entry
	err = scan(rows, func() error {
		var e credit.Entry
		var at int64
		err := rows.Scan(&e.ID, &e.Kind, &e.Person, &e.Referral, &e.Amount, &e.Policy, &at)
		e.At = clockTime(at)
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	rows, err = t.QueryContext(ctx, `SELECT id, state, policy, earned_at FROM slots WHERE company = $1 ORDER BY id`, company)
	if err != nil {
		return nil, nil, err
	}
	var slots []credit.Slot
	err = scan(rows, func() error {
		var l credit.Slot
		var at int64
		err := rows.Scan(&l.ID, &l.State, &l.Policy, &at)
		l.EarnedAt = clockTime(at)
		slots = append(slots, l)
		return err
	})
	return entries, slots, err
}

// Account sums up a company's ledger under its policy in force.
func (s *Store) Account(ctx context.Context, company string, p credit.Policy) (record.Account, error) {
	t := &tx{querier: s.read, s: s, pg: s.pg}
	entries, slots, err := t.ledger(ctx, company)
	if err != nil {
		return record.Account{}, unavailable("reading the ledger", err)
	}
	b := p.Balance(entries)
	a := record.Account{Company: company, Net: b.Net, Ratio: b.Ratio, ToNext: b.ToNext, Slots: []record.Slot{}, Entries: []record.Credit{}}
	for _, e := range entries {
		a.Entries = append(a.Entries, record.Credit{ID: e.ID, Company: company, Kind: string(e.Kind), PersonID: e.Person, Referral: e.Referral, Amount: e.Amount, Policy: e.Policy, At: e.At})
	}
	for _, l := range slots {
		a.Slots = append(a.Slots, record.Slot{ID: l.ID, Company: company, State: string(l.State), Policy: l.Policy, EarnedAt: l.EarnedAt})
	}
	return a, nil
}

// Reconcile compares a company's slots with what its ledger earned and opens
// what is missing. It returns how many it opened.
func (s *Store) Reconcile(ctx context.Context, actor record.Actor, company string, p credit.Policy) (int, error) {
	opened := 0
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, `UPDATE companies SET credit_turn = credit_turn + 1 WHERE id = $1`, company); err != nil {
			return err
		}
		entries, slots, err := t.ledger(ctx, company)
		if err != nil {
			return err
		}
		opened = p.Owed(entries, slots)
		for range opened {
			_, err := t.exec(ctx, `INSERT INTO slots (id, company, state, policy, earned_at, updated_at) VALUES ($1, $2, 'earned', $3, $4, $4)`, t.s.newID(), company, p.Version(), micros(s.Now()))
			if err != nil {
				return err
			}
		}
		if opened == 0 {
			return nil
		}
		return t.audit(ctx, actor, record.Audit{Verb: "reconcile", Noun: "credit", Subject: company, Company: company, Detail: fmt.Sprintf("%d slots opened", opened)})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("reconciling the ledger", err)
	}
	return opened, err
}

// Unsubscribe puts the person of a stop link on the list of those who want no
// offers. Results of selections still reach them.
func (s *Store) Unsubscribe(ctx context.Context, l record.Link, how string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var ref []byte
		err := t.QueryRowContext(ctx, `SELECT address_ref FROM mails WHERE company = $1 AND application = $2 AND person_id = $3 ORDER BY id DESC LIMIT 1`, l.Company, l.Application, l.Person).Scan(&ref)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return t.suppress(ctx, l.Company, ref, ScopeOffers, how)
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("unsubscribing", err)
	}
	return err
}

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
		p, err := t.openLinkPerson(ctx, r.Link)
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
			links: []record.Link{{Token: token, Kind: record.ConfirmLink, Expires: now.Add(r.Keep), Locale: r.Profile.Locale, Registration: id}},
		})
		return err
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("keeping a registration", err)
	}
	return id, err
}

func (t *tx) openLinkPerson(ctx context.Context, l record.Link) (person, error) {
	aead, err := t.s.readPersonKey(ctx, t, l.Person)
	return person{id: l.Person, aead: aead}, err
}

func (t *tx) giveConsent(ctx context.Context, registration, company, person string, text consent.Text) error {
	now := micros(t.s.Now())
	_, err := t.exec(ctx, `INSERT INTO consent_texts (purpose, version, locale, hash, body, first_seen) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		string(text.Purpose), text.Version, text.Locale, text.Hash, text.Body, now)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO consents (id, company, person_id, registration, purpose, text_version, text_hash, locale, how, given_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'form', $9)`,
		t.s.newID(), company, person, registration, string(text.Purpose), text.Version, text.Hash, text.Locale, now)
	return err
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
			links: []record.Link{{Token: my, Kind: record.MyLink, Expires: c.MyExpires, Locale: profile.Locale, Registration: c.Link.Registration}},
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
	p, err := t.openLinkPerson(ctx, l)
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

// refer queues the hand-over to each recipient, if the person agreed to it.
func (t *tx) refer(ctx context.Context, c record.Confirmation, p person, consents []record.Consent) error {
	if _, ok := consent.May(record.Rules(consents), consent.RelayHandover, t.s.Now()); !ok {
		return nil
	}
	now := micros(t.s.Now())
	for _, recipient := range c.Recipients {
		id := t.s.newID()
		_, err := t.exec(ctx, `INSERT INTO referrals (id, company, recipient, person_id, registration, state, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $6)`,
			id, c.Link.Company, recipient, p.id, c.Link.Registration, now)
		if err != nil {
			return err
		}
		if err := t.enqueue(ctx, record.Job{Company: c.Link.Company, Kind: record.ReferralJob, Queue: record.LiveQueue, Subject: id}); err != nil {
			return err
		}
	}
	return nil
}

const consentColumns = `c.id, c.company, c.person_id, c.registration, c.purpose, c.text_version, c.locale, coalesce(x.body, ''), c.how, c.given_at, c.confirmed_at, c.withdrawn_at`

const consentTables = `consents c LEFT JOIN consent_texts x ON x.purpose = c.purpose AND x.version = c.text_version AND x.locale = c.locale AND x.hash = c.text_hash`

func scanConsent(row scanner) (record.Consent, error) {
	var c record.Consent
	var given, confirmed, withdrawn int64
	err := row.Scan(&c.ID, &c.Company, &c.PersonID, &c.Registration, &c.Purpose, &c.TextVersion, &c.Locale, &c.Text, &c.How, &given, &confirmed, &withdrawn)
	c.GivenAt, c.ConfirmedAt, c.WithdrawnAt = clockTime(given), clockTime(confirmed), clockTime(withdrawn)
	return c, err
}

func (t *tx) consentsOf(ctx context.Context, registration string) ([]record.Consent, error) {
	rows, err := t.QueryContext(ctx, `SELECT `+consentColumns+` FROM `+consentTables+` WHERE c.registration = $1 ORDER BY c.id`, registration)
	if err != nil {
		return nil, err
	}
	var out []record.Consent
	err = scan(rows, func() error {
		c, err := scanConsent(rows)
		out = append(out, c)
		return err
	})
	return out, err
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
	if aead, err = s.readPersonKey(ctx, s.read, id); err != nil {
		return m, err
	}
	if err := unseal(aead, "registration "+registration, sealed, &m.Profile); err != nil {
		return m, err
	}
	t := &tx{querier: s.read, s: s, pg: s.pg}
	if m.Consents, err = t.consentsOf(ctx, registration); err != nil {
		return m, unavailable("reading consents", err)
	}
	m.Referrals, err = s.referralsOf(ctx, registration)
	return m, err
}

// Withdraw takes a consent back. A hand-over that waits is cancelled, one that
// was made is marked, so that the recipient can be told.
func (s *Store) Withdraw(ctx context.Context, actor record.Actor, id, reason string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		now := micros(s.Now())
		var company, registration, purpose string
		err := t.QueryRowContext(ctx, `UPDATE consents SET withdrawn_at = $1 WHERE id = $2 AND withdrawn_at = 0 RETURNING company, registration, purpose`, now, id).Scan(&company, &registration, &purpose)
		if errors.Is(err, sql.ErrNoRows) {
			return t.missing(ctx, "consents", "consent", id, "was withdrawn before")
		}
		if err != nil {
			return err
		}
		if consent.Purpose(purpose) == consent.RelayHandover {
			if err := t.stopReferrals(ctx, registration); err != nil {
				return err
			}
		}
		return t.audit(ctx, actor, record.Audit{Verb: "withdraw", Noun: "consent", Subject: id, Company: company, Reason: reason})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("withdrawing a consent", err)
	}
	return err
}

func (t *tx) stopReferrals(ctx context.Context, registration string) error {
	now := micros(t.s.Now())
	for _, statement := range []string{
		`UPDATE jobs SET state = 'cancelled', error = 'consent withdrawn', updated_at = $1 WHERE kind = 'referral' AND state IN ('waiting', 'dispatched') AND subject IN (SELECT id FROM referrals WHERE registration = $2 AND state = 'waiting')`,
		`UPDATE referrals SET state = 'cancelled', reason = 'consent withdrawn', updated_at = $1 WHERE registration = $2 AND state IN ('waiting', 'failed')`,
		`UPDATE referrals SET state = 'withdrawn', reason = 'consent withdrawn', updated_at = $1 WHERE registration = $2 AND state = 'handed_over'`,
	} {
		if _, err := t.exec(ctx, statement, now, registration); err != nil {
			return err
		}
	}
	return nil
}

// missing tells a row that does not exist from one in another state.
func (t *tx) missing(ctx context.Context, table, noun, id, otherwise string) error {
	var n int
	if err := t.QueryRowContext(ctx, `SELECT count(*) FROM `+table+` WHERE id = $1`, id).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return ats.Errorf(ats.NotFound, "no %s %s", noun, id)
	}
	return ats.Errorf(ats.Conflict, "%s %s %s", noun, id, otherwise)
}

const referralColumns = `r.id, r.company, r.recipient, r.person_id, r.registration, r.state, r.reference, r.reason, r.created_at, r.updated_at, coalesce((SELECT max(p.fields) FROM provisions p WHERE p.referral = r.id), '')`

func scanReferral(row scanner) (record.Referral, error) {
	var r record.Referral
	var created, updated int64
	var fields string
	err := row.Scan(&r.ID, &r.Company, &r.Recipient, &r.PersonID, &r.Registration, &r.State, &r.Reference, &r.Reason, &created, &updated, &fields)
	r.CreatedAt, r.UpdatedAt = clockTime(created), clockTime(updated)
	if fields != "" {
		r.Fields = strings.Fields(fields)
	}
	return r, err
}

func (s *Store) referralsOf(ctx context.Context, registration string) ([]record.Referral, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+referralColumns+` FROM referrals r WHERE r.registration = $1 ORDER BY r.id`, registration)
	if err != nil {
		return nil, unavailable("reading referrals", err)
	}
	var out []record.Referral
	err = scan(rows, func() error {
		r, err := scanReferral(rows)
		out = append(out, r)
		return err
	})
	return out, err
}

// Referral reads one hand-over.
func (s *Store) Referral(ctx context.Context, id string) (record.Referral, error) {
	r, err := scanReferral(s.read.QueryRowContext(ctx, `SELECT `+referralColumns+` FROM referrals r WHERE r.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, ats.Errorf(ats.NotFound, "no referral %s", id)
	}
	if err != nil {
		return r, unavailable("reading a referral", err)
	}
	return r, nil
}
