package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/consent"
)

const consentColumns = `c.id, c.company, c.person_id, c.registration, c.purpose, c.text_version, c.locale, coalesce(x.body, ''), c.how, c.given_at, c.confirmed_at, c.withdrawn_at`

const consentTables = `consents c LEFT JOIN consent_texts x ON x.purpose = c.purpose AND x.version = c.text_version AND x.locale = c.locale AND x.hash = c.text_hash`

func scanConsent(row scanner) (record.Consent, error) {
	var c record.Consent
	var given, confirmed, withdrawn int64
	err := row.Scan(&c.ID, &c.Company, &c.PersonID, &c.Registration, &c.Purpose, &c.TextVersion, &c.Locale, &c.Text, &c.How, &given, &confirmed, &withdrawn)
	c.GivenAt, c.ConfirmedAt, c.WithdrawnAt = clockTime(given), clockTime(confirmed), clockTime(withdrawn)
	return c, err
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

// Withdraw takes a consent back. Without the consent to the hand-over, one that
// waits is cancelled and the recipient of one that was made is told; what it counted is taken back if the company's policy says so.
func (s *Store) Withdraw(ctx context.Context, actor record.Actor, id, reason string) error {
	if err := needReason(reason); err != nil {
		return err
	}
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var company, person, registration, purpose string
		err := t.QueryRowContext(ctx, `UPDATE consents SET withdrawn_at = $1 WHERE id = $2 AND withdrawn_at = 0 RETURNING company, person_id, registration, purpose`, micros(s.Now()), id).
			Scan(&company, &person, &registration, &purpose)
		if errors.Is(err, sql.ErrNoRows) {
			return t.missing(ctx, "consents", "consent", id, "was withdrawn before")
		}
		if err != nil {
			return err
		}
		if consent.Purpose(purpose) == consent.RelayHandover {
			if err := t.stopReferrals(ctx, "consent withdrawn", `(registration = $2 OR id IN (SELECT x.twin FROM referrals x WHERE x.registration = $2 AND x.twin <> ''))`, registration); err != nil {
				return err
			}
			if err := t.undoCredit(ctx, company, person, registration); err != nil {
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
