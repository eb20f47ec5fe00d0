package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// live are the states of a job that is not over.
const live = `('waiting', 'dispatched', 'running')`

// queueOf is where the jobs of an order go: many at once must not slow live
// work.
func queueOf(batch string) string {
	if batch == "" {
		return record.LiveQueue
	}
	return record.BulkQueue
}

// RetryJobs runs dead and waiting jobs again, now.
func (s *Store) RetryJobs(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, verb{name: "retry", noun: "job", each: retryJob, query: `SELECT id, company, CASE
		WHEN state = 'unclear' THEN 'unclear: resolve the mail'
		WHEN state IN ('dispatched', 'running') THEN 'at work'
		WHEN state IN ('done', 'cancelled') THEN state
		WHEN EXISTS (SELECT 1 FROM jobs n WHERE n.subject = jobs.subject AND n.id > jobs.id) THEN 'a newer job took its place'
		WHEN kind = 'mail' AND NOT EXISTS (SELECT 1 FROM mails m WHERE m.id = jobs.subject AND m.stopped = 0 AND m.state IN ('held', 'failed')) THEN 'its mail is not waiting'
		WHEN kind = 'referral' AND NOT EXISTS (SELECT 1 FROM referrals r WHERE r.id = jobs.subject AND r.state IN ('waiting', 'failed') AND NOT ` + twinned + `) THEN 'its referral is not waiting'
		ELSE '' END AS skip FROM jobs`}, s.jobClause(o.Filter))
}

func retryJob(ctx context.Context, t *tx, id, batch string) (bool, error) {
	now := micros(t.s.Now())
	n, err := t.exec(ctx, `
		UPDATE jobs SET state = 'waiting', due_at = $1, attempts = 0, starts = 0, updated_at = $1,
			batch = CASE WHEN $2 = '' THEN batch ELSE $2 END, queue = CASE WHEN $2 = '' THEN queue ELSE 'bulk' END
		WHERE id = $3 AND state IN ('dead', 'waiting') AND NOT EXISTS (SELECT 1 FROM jobs n WHERE n.subject = jobs.subject AND n.id > jobs.id)`, now, batch, id)
	if err != nil || n == 0 {
		return false, err
	}
	t.dirty = true
	_, err = t.exec(ctx, `UPDATE mails SET state = 'held', released = 1, reason = 'retried', updated_at = $1 WHERE state = 'failed' AND id = (SELECT subject FROM jobs WHERE id = $2)`, now, id)
	return true, err
}

// CancelJobs takes waiting and dead jobs away, and what they were to do with
// them. A mail is cancelled by its own verb.
func (s *Store) CancelJobs(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, verb{
		name: "cancel", noun: "job", each: cancelJob,
		query: `SELECT id, company, CASE WHEN kind = 'mail' THEN 'a mail: cancel the mail' WHEN state IN ('waiting', 'dead') THEN '' ELSE state END AS skip FROM jobs`,
	}, s.jobClause(o.Filter))
}

func cancelJob(ctx context.Context, t *tx, id, _ string) (bool, error) {
	now := micros(t.s.Now())
	var subject string
	err := t.QueryRowContext(ctx, `UPDATE jobs SET state = 'cancelled', error = 'cancelled by a person', updated_at = $1 WHERE id = $2 AND kind <> 'mail' AND state IN ('waiting', 'dead') RETURNING subject`, now, id).Scan(&subject)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := t.exec(ctx, `UPDATE deliveries SET disposition = 'ignored', reason = 'cancelled by a person' WHERE id = $1 AND disposition = 'new'`, subject); err != nil {
		return false, err
	}
	_, err = t.exec(ctx, `UPDATE referrals SET state = 'cancelled', reason = 'cancelled by a person', updated_at = $1 WHERE id = $2 AND state IN ('waiting', 'failed')`, now, subject)
	return true, err
}

// ReplayDeliveries decodes deliveries again with today's rules, on the bulk
// queue. What is known already changes nothing. A quarantined delivery is
// verified again when it runs.
func (s *Store) ReplayDeliveries(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, verb{name: "replay", noun: "delivery", each: replayDelivery, query: `SELECT d.id, d.company, CASE
		WHEN EXISTS (SELECT 1 FROM jobs j WHERE j.subject = d.id AND j.state IN ` + live + `) THEN 'at work'
		WHEN d.disposition = 'new' THEN 'not decoded yet: retry its job'
		ELSE '' END AS skip FROM deliveries d`}, s.deliveryClause(o.Filter))
}

func replayDelivery(ctx context.Context, t *tx, id, batch string) (bool, error) {
	var company string
	var door connectors.Door
	err := t.QueryRowContext(ctx, `SELECT company, door FROM deliveries WHERE id = $1 AND disposition <> 'new'`+t.forUpdate(), id).Scan(&company, &door)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// Asked after the delivery is locked, so that a replay at the same time is seen.
	var atWork int
	j := decodeJob(company, door, id)
	j.Queue, j.Batch = record.BulkQueue, batch
	err = t.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE state IN `+live+`), coalesce(min(id), $1) FROM jobs WHERE subject = $1`, id).Scan(&atWork, &j.ReplayOf)
	if err != nil || atWork > 0 {
		return false, err
	}
	// The dead job is superseded: it need not be looked after any more.
	if _, err := t.exec(ctx, `UPDATE jobs SET state = 'cancelled', updated_at = $1 WHERE subject = $2 AND state = 'dead'`, micros(t.s.Now()), id); err != nil {
		return false, err
	}
	return true, t.enqueue(ctx, j)
}

// ReleaseMails lets stopped mails go: a person looked at them. Age and volume
// are not asked again, everything else is.
func (s *Store) ReleaseMails(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, verb{
		name: "release", noun: "mail", each: releaseMail,
		query: `SELECT m.id, m.company, CASE WHEN m.state <> 'held' THEN m.state WHEN m.stopped = 0 THEN 'not stopped' WHEN m.address_ref IS NULL THEN 'no address' ELSE '' END AS skip FROM ` + mailTables,
	}, s.mailClause(o.Filter))
}

func releaseMail(ctx context.Context, t *tx, id, batch string) (bool, error) {
	now := micros(t.s.Now())
	var company string
	var due int64
	err := t.QueryRowContext(ctx, `UPDATE mails SET stopped = 0, released = 1, reason = 'released', updated_at = $1 WHERE id = $2 AND state = 'held' AND stopped = 1 AND address_ref IS NOT NULL RETURNING company, due_at`, now, id).Scan(&company, &due)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := t.easeVolume(ctx, company); err != nil {
		return false, err
	}
	return true, t.enqueue(ctx, record.Job{Company: company, Kind: record.MailJob, Queue: queueOf(batch), Subject: id, Batch: batch, DueAt: clockTime(max(due, now))})
}

// StopMails holds waiting mails until a person releases them.
func (s *Store) StopMails(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, verb{
		name: "stop", noun: "mail",
		query: `SELECT m.id, m.company, CASE WHEN m.state <> 'held' THEN m.state WHEN m.stopped = 1 THEN 'stopped already' ELSE '' END AS skip FROM ` + mailTables,
		each: func(ctx context.Context, t *tx, id, _ string) (bool, error) {
			n, err := t.takeBack(ctx, "the mail was stopped by a person", `stopped = 1, reason = 'stopped by a person', updated_at = $1`, `id = $2 AND stopped = 0`, micros(t.s.Now()), id)
			return n > 0, err
		},
	}, s.mailClause(o.Filter))
}

// CancelMails takes waiting mails back for good: even if the application is
// rejected once more, no other takes their place.
func (s *Store) CancelMails(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, verb{
		name: "cancel", noun: "mail",
		query: `SELECT m.id, m.company, CASE WHEN m.state <> 'held' THEN m.state ELSE '' END AS skip FROM ` + mailTables,
		each: func(ctx context.Context, t *tx, id, _ string) (bool, error) {
			n, err := t.takeBack(ctx, "the mail was cancelled by a person", `state = 'cancelled', stopped = 0, final = 1, reason = 'cancelled by a person', updated_at = $1`, `id = $2`, micros(t.s.Now()), id)
			if err != nil || n == 0 {
				return false, err
			}
			var company string
			if err := t.QueryRowContext(ctx, `SELECT company FROM mails WHERE id = $1`, id).Scan(&company); err != nil {
				return false, err
			}
			return true, t.easeVolume(ctx, company)
		},
	}, s.mailClause(o.Filter))
}

// ResolveMails settles unclear mails by a person's word: they were sent, or
// they were not and go out again.
func (s *Store) ResolveMails(ctx context.Context, o record.Order, sent bool) (record.Done, error) {
	name, each := "resolve as not sent", resolveNotSent
	if sent {
		name, each = "resolve as sent", resolveSent
	}
	return s.carryOut(ctx, o, verb{
		name: name, noun: "mail", each: each,
		query: `SELECT m.id, m.company, CASE WHEN m.state <> 'unclear' THEN m.state ELSE '' END AS skip FROM ` + mailTables,
	}, s.mailClause(o.Filter))
}

func resolveSent(ctx context.Context, t *tx, id, _ string) (bool, error) {
	now := micros(t.s.Now())
	n, err := t.exec(ctx, `UPDATE mails SET state = 'sent', reason = 'a person said so', sent_at = $1, updated_at = $1 WHERE id = $2 AND state = 'unclear'`, now, id)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = t.exec(ctx, `UPDATE jobs SET state = 'done', error = '', fault = '', updated_at = $1 WHERE subject = $2 AND state = 'unclear'`, now, id)
	return true, err
}

func resolveNotSent(ctx context.Context, t *tx, id, batch string) (bool, error) {
	now := micros(t.s.Now())
	var company string
	err := t.QueryRowContext(ctx, `UPDATE mails SET state = 'held', released = 1, reason = 'a person said so', updated_at = $1 WHERE id = $2 AND state = 'unclear' RETURNING company`, now, id).Scan(&company)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := t.exec(ctx, `UPDATE jobs SET state = 'cancelled', updated_at = $1 WHERE subject = $2 AND state = 'unclear'`, now, id); err != nil {
		return false, err
	}
	return true, t.enqueue(ctx, record.Job{Company: company, Kind: record.MailJob, Queue: queueOf(batch), Subject: id, Batch: batch})
}

// RetryReferrals hands over again what failed.
func (s *Store) RetryReferrals(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, verb{
		name: "retry", noun: "referral", each: retryReferral,
		query: `SELECT r.id, r.company, CASE WHEN r.state <> 'failed' THEN r.state WHEN ` + twinned + ` THEN '` + reasonTwin + `'
			WHEN EXISTS (SELECT 1 FROM jobs j WHERE j.subject = r.id AND j.state IN ` + live + `) THEN 'at work' ELSE '' END AS skip FROM ` + referralTables,
	}, s.referralClause(o.Filter))
}

// twinned is true of a referral r whose person went, or goes, to the same
// recipient by another one.
const twinned = `EXISTS (SELECT 1 FROM referrals o WHERE o.person_id = r.person_id AND o.company = r.company AND o.recipient = r.recipient AND o.id <> r.id AND o.state IN ('waiting', 'handed_over'))`

func retryReferral(ctx context.Context, t *tx, id, batch string) (bool, error) {
	now := micros(t.s.Now())
	var company string
	err := t.QueryRowContext(ctx, `UPDATE referrals SET state = 'waiting', reason = 'retried', updated_at = $1 WHERE id = $2 AND state = 'failed'
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = $2 AND j.state IN `+live+`) RETURNING company`, now, id).Scan(&company)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := t.exec(ctx, `UPDATE jobs SET state = 'cancelled', updated_at = $1 WHERE subject = $2 AND state = 'dead'`, now, id); err != nil {
		return false, err
	}
	return true, t.enqueue(ctx, record.Job{Company: company, Kind: record.ReferralJob, Queue: queueOf(batch), Subject: id, Batch: batch})
}

// Reinstate gives a quarantined delivery, whose signature was found good, to
// the decoder; otherwise it stays where it is.
func (s *Store) Reinstate(ctx context.Context, id string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE deliveries SET disposition = 'new', reason = 'verified again' WHERE id = $1 AND disposition = 'quarantined'`, id)
		return err
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
