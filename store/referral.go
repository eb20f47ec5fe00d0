package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
)

const referralColumns = `r.id, r.company, r.recipient, r.person_id, r.registration, r.state, r.reference, r.reason, r.twin, r.told_at, r.created_at, r.updated_at,
	coalesce(p.fields, ''), coalesce(p.consent, ''), coalesce(p.parties, '')`

const referralTables = `referrals r LEFT JOIN provisions p ON p.id = (SELECT max(x.id) FROM provisions x WHERE x.referral = r.id)`

// parties are both sides of a hand-over, as they were when it was made.
type parties struct {
	Provider relay.Party `json:"provider"`
	Receiver relay.Party `json:"receiver"`
}

func scanReferral(row scanner) (record.Referral, error) {
	var r record.Referral
	var told, created, updated int64
	var fields, sides string
	err := row.Scan(&r.ID, &r.Company, &r.Recipient, &r.PersonID, &r.Registration, &r.State, &r.Reference, &r.Reason, &r.Twin, &told, &created, &updated, &fields, &r.Consent, &sides)
	r.ToldAt, r.CreatedAt, r.UpdatedAt = clockTime(told), clockTime(created), clockTime(updated)
	if err != nil || sides == "" {
		return r, err
	}
	r.Fields = strings.Fields(fields)
	var both parties
	err = json.Unmarshal([]byte(sides), &both)
	r.Provider, r.Receiver = both.Provider, both.Receiver
	return r, err
}

// reasonTwin is why a hand-over is not made: the same person's profile goes, or
// went, to the same recipient from another registration.
const reasonTwin = "handed over once already"

// refer queues the hand-over to each recipient, if the person agreed to it and
// the recipient does not have this person from us.
func (t *tx) refer(ctx context.Context, c record.Confirmation, p person, consents []record.Consent) error {
	if _, ok := consent.May(record.Rules(consents), consent.RelayHandover, t.s.Now()); !ok {
		return nil
	}
	if err := t.lockCompany(ctx, c.Link.Company); err != nil { // two registrations of a person may be confirmed at once
		return err
	}
	now := micros(t.s.Now())
	for _, recipient := range c.Recipients {
		var twin string
		err := t.QueryRowContext(ctx, `SELECT id FROM referrals WHERE person_id = $1 AND company = $2 AND recipient = $3 AND state IN ('waiting', 'handed_over') ORDER BY id LIMIT 1`,
			p.id, c.Link.Company, recipient).Scan(&twin)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		id, state, reason := t.s.newID(), record.ReferralWaiting, ""
		if twin != "" {
			state, reason = record.ReferralCancelled, reasonTwin
		}
		_, err = t.exec(ctx, `INSERT INTO referrals (id, company, recipient, person_id, registration, state, reason, twin, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`,
			id, c.Link.Company, recipient, p.id, c.Link.Registration, string(state), reason, twin, now)
		if err != nil {
			return err
		}
		if twin != "" {
			continue
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
		if err := t.finishJob(ctx, j, h.Job); err != nil || h.State != record.ReferralHandedOver || n > 0 {
			return err
		}
		return t.tell(ctx, `id = $1`, r.ID)
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
	sides, err := json.Marshal(parties{h.Provider, h.Receiver})
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO provisions (id, referral, recipient, fields, consent, parties, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.s.newID(), r.ID, r.Recipient, strings.Join(h.Fields, " "), h.Consent, string(sides), now)
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
	return t.tell(ctx, strings.ReplaceAll(where, "$2", "$1"), arg)
}

// tell queues the word to the recipients of the hand-overs that were taken back
// and of which they do not know yet.
func (t *tx) tell(ctx context.Context, where, arg string) error {
	rows, err := t.QueryContext(ctx, `SELECT id, company FROM referrals WHERE `+where+` AND state = 'withdrawn' AND told_at = 0
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = referrals.id AND (j.kind = 'withdrawal' OR j.state IN `+live+`))`, arg)
	if err != nil {
		return err
	}
	var due []record.Job
	err = scan(rows, func() error {
		j := record.Job{Kind: record.WithdrawalJob, Queue: record.LiveQueue}
		err := rows.Scan(&j.Subject, &j.Company)
		due = append(due, j)
		return err
	})
	if err != nil {
		return err
	}
	return t.enqueue(ctx, due...)
}

// SettleWithdrawal finishes the job that told a recipient, or tried to.
func (s *Store) SettleWithdrawal(ctx context.Context, j record.Job, r record.Referral, o record.Outcome) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if o.State == record.JobDone {
			now := micros(s.Now())
			if _, err := t.exec(ctx, `UPDATE referrals SET told_at = $1, updated_at = $1 WHERE id = $2`, now, r.ID); err != nil {
				return err
			}
		}
		return t.finishJob(ctx, j, o)
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("settling a withdrawal", err)
	}
	return err
}

func (s *Store) referralsOf(ctx context.Context, registration string) ([]record.Referral, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+referralColumns+` FROM `+referralTables+` WHERE r.registration = $1 ORDER BY r.id`, registration)
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
	r, err := scanReferral(s.read.QueryRowContext(ctx, `SELECT `+referralColumns+` FROM `+referralTables+` WHERE r.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, ats.Errorf(ats.NotFound, "no referral %s", id)
	}
	if err != nil {
		return r, unavailable("reading a referral", err)
	}
	return r, nil
}
