package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
)

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

// SettleReferral records how a hand-over ended and finishes the job.
func (s *Store) SettleReferral(ctx context.Context, j record.Job, r record.Referral, h record.Handed) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE referrals SET state = $1, reference = $2, reason = $3, updated_at = $4 WHERE id = $5 AND state IN ('waiting', 'failed')`,
			string(h.State), h.Reference, h.Reason, micros(s.Now()), r.ID)
		if err != nil {
			return err
		}
		if h.State == record.ReferralHandedOver {
			if err := t.provide(ctx, r, h, n > 0); err != nil {
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

// provide records what was provided. When the consent was withdrawn while the
// profile was on its way, the recipient has it all the same, and must be told.
func (t *tx) provide(ctx context.Context, r record.Referral, h record.Handed, wanted bool) error {
	now := micros(t.s.Now())
	_, err := t.exec(ctx, `INSERT INTO provisions (id, referral, recipient, fields, at) VALUES ($1, $2, $3, $4, $5)`, t.s.newID(), r.ID, r.Recipient, strings.Join(h.Fields, " "), now)
	if err != nil {
		return err
	}
	if !wanted {
		_, err := t.exec(ctx, `UPDATE referrals SET state = 'withdrawn', reference = $1, updated_at = $2 WHERE id = $3 AND state = 'cancelled'`, h.Reference, now, r.ID)
		return err
	}
	if h.Policy.Trigger == credit.HandedOver {
		return t.countCredit(ctx, r.Company, r.PersonID, r.Registration, h.Policy)
	}
	return nil
}

// stopReferrals ends hand-overs: one that waits is cancelled, one that was made
// is marked, so that the recipient can be told. In where, $2 is arg.
func (t *tx) stopReferrals(ctx context.Context, reason, where, arg string) error {
	now := micros(t.s.Now())
	for _, statement := range []string{
		`UPDATE jobs SET state = 'cancelled', error = $3, updated_at = $1 WHERE state IN ('waiting', 'dispatched', 'dead') AND subject IN (SELECT id FROM referrals WHERE ` + where + ` AND state IN ('waiting', 'failed'))`,
		`UPDATE referrals SET state = 'cancelled', reason = $3, updated_at = $1 WHERE ` + where + ` AND state IN ('waiting', 'failed')`,
		`UPDATE referrals SET state = 'withdrawn', reason = $3, updated_at = $1 WHERE ` + where + ` AND state = 'handed_over'`,
	} {
		if _, err := t.exec(ctx, statement, now, arg, reason); err != nil {
			return err
		}
	}
	return nil
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
	if err != nil {
		return nil, unavailable("reading referrals", err)
	}
	return out, nil
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
