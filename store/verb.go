package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// maxOrder bounds how many rows one order changes; the rest stays and is found
// by the same order again.
const maxOrder = 100_000

func checkOrder(o record.Order) error {
	if !o.Filter.Narrow() {
		return ats.Errorf(ats.Invalid, "filter: say which; nothing narrows the selection")
	}
	if strings.TrimSpace(o.Reason) == "" && !o.DryRun {
		return ats.Errorf(ats.Invalid, "reason: required; it is kept in the audit log")
	}
	return o.Filter.NeedCompany()
}

// carryOut runs one function over the rows that a query finds, each found row
// with its skip reason ("" to change it), and keeps batch and audit beside.
func (s *Store) carryOut(ctx context.Context, o record.Order, verb, noun, query string, c clause, each func(ctx context.Context, t *tx, id, batch string) error) (record.Done, error) {
	done := record.Done{Verb: verb, DryRun: o.DryRun, Skipped: map[string]int{}}
	if err := checkOrder(o); err != nil {
		return done, err
	}
	c.args = append(c.args, maxOrder)
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		done.Matched, done.Changed, done.IDs, done.Skipped = 0, 0, nil, map[string]int{}
		rows, err := t.QueryContext(ctx, query+c.where()+" ORDER BY 1 LIMIT $"+strconv.Itoa(len(c.args)), c.args...)
		if err != nil {
			return err
		}
		var ids []string
		err = scan(rows, func() error {
			var id, skip string
			if err := rows.Scan(&id, &skip); err != nil {
				return err
			}
			done.Matched++
			if skip != "" {
				done.Skipped[skip]++
				return nil
			}
			ids = append(ids, id)
			return nil
		})
		if err != nil {
			return err
		}
		done.Changed = len(ids)
		done.IDs = ids[:min(len(ids), 100)]
		if o.DryRun || len(ids) == 0 {
			return nil
		}
		return t.carryOut(ctx, o, verb, noun, ids, &done, each)
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable(verb, err)
	}
	if err == nil && done.Matched == 0 && o.Filter.ID != "" {
		err = ats.Errorf(ats.NotFound, "no %s %s", noun, o.Filter.ID)
	}
	return done, err
}

func (t *tx) carryOut(ctx context.Context, o record.Order, verb, noun string, ids []string, done *record.Done, each func(ctx context.Context, t *tx, id, batch string) error) error {
	subject := ids[0]
	batch := ""
	if len(ids) > 1 {
		batch = t.s.newID()
		subject, done.Batch = batch, batch
		_, err := t.exec(ctx, `INSERT INTO batches (id, verb, noun, filter, company, actor, reason, state, matched, changed, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'done', $8, $9, $10)`,
			batch, verb, noun, o.Filter.Query().Encode(), o.Filter.Company, o.Actor.Name, o.Reason, done.Matched, len(ids), micros(t.s.Now()))
		if err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := each(ctx, t, id, batch); err != nil {
			return err
		}
	}
	return t.audit(ctx, o.Actor, record.Audit{
		Verb: verb, Noun: noun, Subject: subject, Company: o.Filter.Company, Reason: o.Reason,
		Detail: strconv.Itoa(len(ids)) + " changed; " + o.Filter.Query().Encode(),
	})
}

// RetryJobs runs dead and waiting jobs again, now.
func (s *Store) RetryJobs(ctx context.Context, o record.Order) (record.Done, error) {
	query := `SELECT id, CASE
		WHEN state = 'unclear' THEN 'unclear: resolve the mail'
		WHEN state IN ('dispatched', 'running') THEN 'at work'
		WHEN state = 'done' THEN 'done'
		WHEN kind = 'mail' AND NOT EXISTS (SELECT 1 FROM mails m WHERE m.id = jobs.subject AND m.stopped = 0 AND m.state IN ('held', 'failed')) THEN 'its mail is not waiting'
		WHEN kind = 'referral' AND NOT EXISTS (SELECT 1 FROM referrals r WHERE r.id = jobs.subject AND r.state IN ('waiting', 'failed')) THEN 'its referral is not waiting'
		WHEN state = 'cancelled' THEN 'cancelled'
		ELSE '' END FROM jobs`
	return s.carryOut(ctx, o, "retry", "job", query, s.jobClause(o.Filter), func(ctx context.Context, t *tx, id, batch string) error {
		now := micros(s.Now())
		_, err := t.exec(ctx, `UPDATE mails SET state = 'held', released = 1, reason = 'retried', updated_at = $1 WHERE state = 'failed' AND id IN (SELECT subject FROM jobs WHERE id = $2 AND kind = 'mail')`, now, id)
		if err != nil {
			return err
		}
		t.dirty = true
		_, err = t.exec(ctx, `UPDATE jobs SET state = 'waiting', due_at = $1, attempts = 0, starts = 0, batch = CASE WHEN $2 = '' THEN batch ELSE $2 END, updated_at = $1 WHERE id = $3 AND state IN ('dead', 'waiting')`, now, batch, id)
		return err
	})
}

// CancelJobs takes waiting and dead jobs away. A mail is cancelled by its own
// verb.
func (s *Store) CancelJobs(ctx context.Context, o record.Order) (record.Done, error) {
	query := `SELECT id, CASE WHEN kind = 'mail' THEN 'a mail: cancel the mail' WHEN state IN ('waiting', 'dead') THEN '' ELSE state END FROM jobs`
	return s.carryOut(ctx, o, "cancel", "job", query, s.jobClause(o.Filter), func(ctx context.Context, t *tx, id, _ string) error {
		_, err := t.exec(ctx, `UPDATE jobs SET state = 'cancelled', error = 'cancelled by a person', updated_at = $1 WHERE id = $2 AND state IN ('waiting', 'dead')`, micros(s.Now()), id)
		return err
	})
}

// ReplayDeliveries decodes deliveries again with today's rules, on the bulk
// queue. What is known already changes nothing. A quarantined delivery is
// verified again when it runs.
func (s *Store) ReplayDeliveries(ctx context.Context, o record.Order) (record.Done, error) {
	query := `SELECT id, CASE WHEN disposition = 'new' THEN 'not decoded yet' ELSE '' END FROM deliveries d`
	return s.carryOut(ctx, o, "replay", "delivery", query, s.deliveryClause(o.Filter), func(ctx context.Context, t *tx, id, batch string) error {
		j := record.Job{Queue: record.BulkQueue, Kind: record.DecodeJob, Subject: id, Batch: batch, ReplayOf: id}
		var door string
		if err := t.QueryRowContext(ctx, `SELECT company, door FROM deliveries WHERE id = $1`, id).Scan(&j.Company, &door); err != nil {
			return err
		}
		if door == "mail" {
			j.Kind = record.FeedbackJob
		}
		err := t.QueryRowContext(ctx, `SELECT id FROM jobs WHERE subject = $1 ORDER BY id LIMIT 1`, id).Scan(&j.ReplayOf)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return t.enqueue(ctx, j)
	})
}

// ReleaseMails lets stopped mails go: a person looked at them. Age and volume
// are not asked again, everything else is.
func (s *Store) ReleaseMails(ctx context.Context, o record.Order) (record.Done, error) {
	query := `SELECT m.id, CASE WHEN m.state <> 'held' THEN m.state WHEN m.stopped = 0 THEN 'not stopped' ELSE '' END FROM ` + mailTables
	return s.carryOut(ctx, o, "release", "mail", query, s.mailClause(o.Filter), func(ctx context.Context, t *tx, id, batch string) error {
		now := s.Now()
		var company string
		var due int64
		err := t.QueryRowContext(ctx, `UPDATE mails SET stopped = 0, released = 1, reason = 'released', updated_at = $1 WHERE id = $2 AND state = 'held' AND stopped = 1 RETURNING company, due_at`, micros(now), id).Scan(&company, &due)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.closeBrakes(ctx, company, "volume"); err != nil {
			return err
		}
		return t.enqueue(ctx, record.Job{Company: company, Kind: record.MailJob, Queue: record.LiveQueue, Subject: id, Batch: batch, DueAt: clockTime(max(due, micros(now)))})
	})
}

// StopMails holds waiting mails until a person releases them.
func (s *Store) StopMails(ctx context.Context, o record.Order) (record.Done, error) {
	query := `SELECT m.id, CASE WHEN m.state <> 'held' THEN m.state WHEN m.stopped = 1 THEN 'stopped already' ELSE '' END FROM ` + mailTables
	return s.carryOut(ctx, o, "stop", "mail", query, s.mailClause(o.Filter), func(ctx context.Context, t *tx, id, _ string) error {
		return t.endMail(ctx, id, `UPDATE mails SET stopped = 1, reason = 'stopped by a person', updated_at = $1 WHERE id = $2 AND state = 'held'`)
	})
}

// CancelMails takes waiting mails back for good.
func (s *Store) CancelMails(ctx context.Context, o record.Order) (record.Done, error) {
	query := `SELECT m.id, CASE WHEN m.state <> 'held' THEN m.state ELSE '' END FROM ` + mailTables
	return s.carryOut(ctx, o, "cancel", "mail", query, s.mailClause(o.Filter), func(ctx context.Context, t *tx, id, _ string) error {
		return t.endMail(ctx, id, `UPDATE mails SET state = 'cancelled', stopped = 0, attempts = attempts + 1, reason = 'cancelled by a person', updated_at = $1 WHERE id = $2 AND state = 'held'`)
	})
}

// endMail runs a statement over a mail and takes its waiting job away.
func (t *tx) endMail(ctx context.Context, id, statement string) error {
	now := micros(t.s.Now())
	n, err := t.exec(ctx, statement, now, id)
	if err != nil || n == 0 {
		return err
	}
	_, err = t.exec(ctx, `UPDATE jobs SET state = 'cancelled', error = 'the mail does not wait any more', updated_at = $1 WHERE subject = $2 AND kind = 'mail' AND state IN ('waiting', 'dispatched', 'dead')`, now, id)
	return err
}

// ResolveMails settles unclear mails by a person's word: they were sent, or
// they were not and go out again.
func (s *Store) ResolveMails(ctx context.Context, o record.Order, sent bool) (record.Done, error) {
	verb := "resolve as not sent"
	if sent {
		verb = "resolve as sent"
	}
	query := `SELECT m.id, CASE WHEN m.state <> 'unclear' THEN m.state ELSE '' END FROM ` + mailTables
	return s.carryOut(ctx, o, verb, "mail", query, s.mailClause(o.Filter), func(ctx context.Context, t *tx, id, batch string) error {
		now := micros(s.Now())
		state, jobs := record.MailHeld, record.JobCancelled
		if sent {
			state, jobs = record.MailSent, record.JobDone
		}
		var company string
		err := t.QueryRowContext(ctx, `UPDATE mails SET state = $1, released = 1, reason = $2, sent_at = CASE WHEN $1 = 'sent' THEN $3 ELSE sent_at END, updated_at = $3 WHERE id = $4 AND state = 'unclear' RETURNING company`,
			string(state), "a person said so", now, id).Scan(&company)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE jobs SET state = $1, error = '', fault = '', updated_at = $2 WHERE subject = $3 AND kind = 'mail' AND state = 'unclear'`, string(jobs), now, id); err != nil || sent {
			return err
		}
		return t.enqueue(ctx, record.Job{Company: company, Kind: record.MailJob, Queue: record.LiveQueue, Subject: id, Batch: batch})
	})
}

// RetryReferrals hands over again what failed.
func (s *Store) RetryReferrals(ctx context.Context, o record.Order) (record.Done, error) {
	var c clause
	c.add(`r.id = ?`, o.Filter.ID)
	c.add(`r.company = ?`, o.Filter.Company)
	c.add(`r.recipient = ?`, o.Filter.Recipient)
	c.add(`r.state = ?`, o.Filter.State)
	c.add(`r.reason LIKE ? ESCAPE '\'`, part(o.Filter.Error))
	c.add(`r.created_at >= ?`, micros(o.Filter.Since))
	query := `SELECT r.id, CASE WHEN r.state <> 'failed' THEN r.state ELSE '' END FROM referrals r`
	return s.carryOut(ctx, o, "retry", "referral", query, c, func(ctx context.Context, t *tx, id, batch string) error {
		var company string
		err := t.QueryRowContext(ctx, `UPDATE referrals SET state = 'waiting', reason = 'retried', updated_at = $1 WHERE id = $2 AND state = 'failed' RETURNING company`, micros(s.Now()), id).Scan(&company)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE jobs SET state = 'cancelled', updated_at = $1 WHERE subject = $2 AND state = 'dead'`, micros(s.Now()), id); err != nil {
			return err
		}
		return t.enqueue(ctx, record.Job{Company: company, Kind: record.ReferralJob, Queue: record.LiveQueue, Subject: id, Batch: batch})
	})
}

// Reinstate gives a quarantined delivery, whose signature was found good, to
// the decoder; otherwise it stays where it is.
func (s *Store) Reinstate(ctx context.Context, id string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		return t.settleDelivery(ctx, id, record.New, "verified again")
	})
	if err != nil {
		return unavailable("reinstating a delivery", err)
	}
	return nil
}

// Park settles a delivery that cannot be used as it is, with its job. The
// reason says why and holds no personal data.
func (s *Store) Park(ctx context.Context, j record.Job, delivery string, d record.Disposition, reason string, o record.Outcome) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if err := t.settleDelivery(ctx, delivery, d, reason); err != nil {
			return err
		}
		return t.finishJob(ctx, j, o)
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("parking a delivery", err)
	}
	return err
}
