package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

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
	return s.carryOut(ctx, o, retryJobs, s.jobClause(o.Filter))
}

var retryJobs = verb{
	name: "retry", noun: "job", each: retryJob, key: "id",
	columns: `id, company, ` + mailOf + `,
		CASE WHEN ` + poisonous + ` THEN '` + record.SkipPoison + `'
		WHEN kind = 'mail' THEN coalesce((SELECT ` + cautions + ` FROM mails m WHERE m.id = jobs.subject), '')
		WHEN kind IN ('decode', 'feedback') THEN coalesce((SELECT CASE WHEN d.disposition IN ('decoded', 'ignored') THEN '` + record.SkipRead + `' ELSE '' END FROM deliveries d WHERE d.id = jobs.subject), '` + record.SkipGone + `')
		ELSE '' END AS caution,
		CASE
		WHEN state = 'unclear' THEN 'unclear: resolve the mail'
		WHEN state IN ('dispatched', 'running') THEN 'at work'
		WHEN state IN ('done', 'cancelled') THEN state
		WHEN kind = 'batch' THEN 'a batch: resume the batch'
		WHEN EXISTS (SELECT 1 FROM jobs n WHERE n.subject = jobs.subject AND n.id > jobs.id) THEN 'a newer job took its place'
		WHEN kind = 'mail' AND EXISTS (SELECT 1 FROM mails m WHERE m.id = jobs.subject AND m.state = 'sent') THEN '` + record.SkipSent + `'
		WHEN kind = 'mail' AND NOT EXISTS (SELECT 1 FROM mails m WHERE m.id = jobs.subject AND m.stopped = 0 AND m.state IN ('held', 'failed')) THEN 'its mail is not waiting'
		WHEN kind = 'referral' AND NOT EXISTS (SELECT 1 FROM referrals r WHERE r.id = jobs.subject AND r.state IN ('waiting', 'failed') AND NOT ` + twinned + `) THEN 'its referral is not waiting'
		ELSE '' END AS skip`,
	from: `jobs`,
}

// poisonous is record.PoisonAfter as a condition.
const poisonous = `deaths >= 3`

// mailOf is what the terms of a company ask about the mail of a job.
const mailOf = `coalesce((SELECT m.decided_at FROM mails m WHERE m.id = jobs.subject AND m.purpose = 'thank_you'), 0) AS decided,
		coalesce((SELECT m.template FROM mails m WHERE m.id = jobs.subject), '') AS letter, coalesce((SELECT m.version FROM mails m WHERE m.id = jobs.subject), '') AS version`

// cautions is why a mail m is not sent again along with others. Alone, a person
// may try: everything is asked again at the second of sending.
const cautions = `CASE
		WHEN m.sealed IS NULL THEN '` + record.SkipErased + `'
		WHEN m.purpose = 'thank_you' AND NOT EXISTS (SELECT 1 FROM applications a WHERE a.id = m.application AND a.state = 'rejected') THEN '` + record.SkipMoved + `'
		WHEN EXISTS (SELECT 1 FROM suppressions p WHERE p.company = m.company AND p.address_ref = m.address_ref AND p.scope = '` + ScopeAll + `') THEN '` + record.SkipSuppressed + `'
		ELSE '' END`

func retryJob(ctx context.Context, t *tx, id, batch string) (bool, error) {
	now := micros(t.s.Now())
	var company string
	err := t.QueryRowContext(ctx, `SELECT company FROM jobs WHERE id = $1 AND kind = 'referral'`, id).Scan(&company)
	if err == nil {
		err = t.lockCompany(ctx, company) // the job of its twin may be retried at once
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	n, err := t.exec(ctx, `
		UPDATE jobs SET state = 'waiting', due_at = $1, attempts = 0, starts = 0, updated_at = $1,
			batch = CASE WHEN $2 = '' THEN batch ELSE $2 END, queue = CASE WHEN $2 = '' THEN queue ELSE 'bulk' END
		WHERE id = $3 AND state IN ('dead', 'waiting') AND NOT EXISTS (SELECT 1 FROM jobs n WHERE n.subject = jobs.subject AND n.id > jobs.id)
			AND NOT EXISTS (SELECT 1 FROM referrals r WHERE r.id = jobs.subject AND r.state = 'failed' AND `+twinned+`)`, now, batch, id)
	if err != nil || n == 0 {
		return false, err
	}
	t.dirty = true
	for _, follow := range []string{
		`UPDATE mails SET state = 'held', released = 1, reason = 'retried', updated_at = $1 WHERE state = 'failed' AND id = (SELECT subject FROM jobs WHERE id = $2)`,
		`UPDATE referrals SET state = 'waiting', reason = 'retried', updated_at = $1 WHERE state = 'failed' AND id = (SELECT subject FROM jobs WHERE id = $2)`,
	} {
		if _, err := t.exec(ctx, follow, now, id); err != nil {
			return false, err
		}
	}
	return true, nil
}

// CancelJobs takes waiting and dead jobs away, and what they were to do with
// them. A mail is cancelled by its own verb.
func (s *Store) CancelJobs(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, verb{
		name: "cancel", noun: "job", each: cancelJob,
		columns: `id, company, CASE WHEN kind = 'mail' THEN 'a mail: cancel the mail' WHEN state IN ('waiting', 'dead') THEN '' ELSE state END AS skip`,
		from:    `jobs`,
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

// RetryMails sends mails again that have failed, each by its dead job.
func (s *Store) RetryMails(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, retryMails, s.mailClause(o.Filter))
}

var retryMails = verb{
	name: "retry", noun: "mail", each: retryMail, key: "m.id",
	columns: `m.id, m.company, CASE WHEN m.purpose = 'thank_you' THEN m.decided_at ELSE 0 END AS decided, m.template AS letter, m.version AS version,
		` + cautions + ` AS caution, CASE WHEN m.state <> 'failed' THEN m.state ELSE '' END AS skip`,
	from: mailTables,
}

func retryMail(ctx context.Context, t *tx, id, batch string) (bool, error) {
	var job string
	err := t.QueryRowContext(ctx, `SELECT j.id FROM jobs j JOIN mails m ON m.id = j.subject WHERE j.subject = $1 AND j.state = 'dead' AND m.state = 'failed' ORDER BY j.id DESC LIMIT 1`, id).Scan(&job)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return retryJob(ctx, t, job, batch)
}

// ReplayDeliveries decodes deliveries again with today's rules, on the bulk
// queue. What is known already changes nothing. A quarantined delivery is
// verified again when it runs.
func (s *Store) ReplayDeliveries(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, replayDeliveries, s.deliveryClause(o.Filter))
}

var replayDeliveries = verb{
	name: "replay", noun: "delivery", each: replayDelivery, key: "d.id",
	columns: `d.id, d.company, 0 AS decided, '' AS letter, '' AS version,
		CASE WHEN EXISTS (SELECT 1 FROM jobs j WHERE j.subject = d.id AND j.state = 'dead' AND j.` + poisonous + ` AND NOT EXISTS (SELECT 1 FROM jobs n WHERE n.subject = d.id AND n.id > j.id)) THEN '` + record.SkipPoison + `' ELSE '' END AS caution,
		CASE
		WHEN EXISTS (SELECT 1 FROM jobs j WHERE j.subject = d.id AND j.state IN ` + live + `) THEN 'at work'
		WHEN d.disposition = 'new' THEN 'not decoded yet: retry its job'
		ELSE '' END AS skip`,
	from: `deliveries d`,
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
	// A batch leaves alone what another run did since the batch was made.
	err = t.QueryRowContext(ctx, `
		SELECT count(*) FILTER (WHERE state IN `+live+` OR state = 'done' AND updated_at > (SELECT b.created_at FROM batches b WHERE b.id = $2)), coalesce(min(id), $1), coalesce(max(deaths), 0)
		FROM jobs WHERE subject = $1`, id, batch).Scan(&atWork, &j.ReplayOf, &j.Deaths)
	if err != nil || atWork > 0 {
		return false, err
	}
	// The dead job is superseded: it need not be looked after any more.
	if _, err := t.exec(ctx, `UPDATE jobs SET state = 'cancelled', updated_at = $1 WHERE subject = $2 AND state = 'dead'`, micros(t.s.Now()), id); err != nil {
		return false, err
	}
	if err := t.enqueue(ctx, j); err != nil || j.Deaths == 0 {
		return err == nil, err
	}
	_, err = t.exec(ctx, `UPDATE jobs SET deaths = $1 WHERE subject = $2 AND state = 'waiting'`, j.Deaths, id)
	return true, err
}

// ReleaseMails lets stopped mails go: a person looked at them. Age and volume
// are not asked again, everything else is. What the volume brake stopped, and
// what was imported, is released by somebody else than who vouched for it or
// imported it.
func (s *Store) ReleaseMails(ctx context.Context, o record.Order) (record.Done, error) {
	c := s.mailClause(o.Filter)
	c.args = append(c.args, o.Actor.Name)
	return s.carryOut(ctx, o, verb{
		name: "release", noun: "mail",
		each: func(ctx context.Context, t *tx, id, batch string) (bool, error) {
			return releaseMail(ctx, t, id, batch, o.Actor.Name)
		},
		columns: `m.id, m.company, CASE WHEN m.state <> 'held' THEN m.state WHEN m.stopped = 0 THEN 'not stopped' WHEN m.address_ref IS NULL THEN 'no address' ELSE ` + second("$"+strconv.Itoa(len(c.args))) + ` END AS skip`,
		from:    mailTables,
	}, c)
}

func releaseMail(ctx context.Context, t *tx, id, batch, who string) (bool, error) {
	now := micros(t.s.Now())
	var company string
	var due int64
	err := t.QueryRowContext(ctx, `
		UPDATE mails AS m SET stopped = 0, released = 1, reason = 'released', updated_at = $1 WHERE id = $2 AND state = 'held' AND stopped = 1 AND address_ref IS NOT NULL AND `+second("$3")+` = ''
		RETURNING company, due_at`, now, id, who).Scan(&company, &due)
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

// SendMails lets waiting mails leave now, whatever the hour. It takes one at a
// time: nobody writes to many at night by mistake.
func (s *Store) SendMails(ctx context.Context, o record.Order) (record.Done, error) {
	if o.Filter.ID == "" || strings.Contains(o.Filter.ID, ",") {
		return record.Done{}, ats.Errorf(ats.Invalid, "id: one mail at a time is sent now")
	}
	return s.carryOut(ctx, o, verb{
		name: "send", noun: "mail",
		columns: `m.id, m.company, CASE WHEN m.state <> 'held' THEN m.state WHEN m.stopped = 1 THEN '` + record.SkipNotNow + `' ELSE '' END AS skip`,
		from:    mailTables,
		each: func(ctx context.Context, t *tx, id, _ string) (bool, error) {
			now := micros(t.s.Now())
			n, err := t.takeBack(ctx, "the mail is sent now", `released = 1, urgent = 1, due_at = $1, reason = 'sent now by a person', updated_at = $1`, `id = $2 AND stopped = 0`, now, id)
			if err != nil || n == 0 {
				return false, err
			}
			var company string
			if err := t.QueryRowContext(ctx, `SELECT company FROM mails WHERE id = $1`, id).Scan(&company); err != nil {
				return false, err
			}
			return true, t.enqueue(ctx, record.Job{Company: company, Kind: record.MailJob, Queue: record.LiveQueue, Subject: id})
		},
	}, s.mailClause(o.Filter))
}

// StopMails holds waiting mails until a person releases them.
func (s *Store) StopMails(ctx context.Context, o record.Order) (record.Done, error) {
	return s.carryOut(ctx, o, verb{
		name: "stop", noun: "mail",
		columns: `m.id, m.company, CASE WHEN m.state <> 'held' THEN m.state WHEN m.stopped = 1 THEN 'stopped already' ELSE '' END AS skip`,
		from:    mailTables,
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
		columns: `m.id, m.company, CASE WHEN m.state <> 'held' THEN m.state ELSE '' END AS skip`,
		from:    mailTables,
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
		columns: `m.id, m.company, CASE WHEN m.state <> 'unclear' THEN m.state ELSE '' END AS skip`,
		from:    mailTables,
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
	return s.carryOut(ctx, o, retryReferrals, s.referralClause(o.Filter))
}

var retryReferrals = verb{
	name: "retry", noun: "referral", each: retryReferral, key: "r.id",
	columns: `r.id, r.company, 0 AS decided, '' AS letter, '' AS version, '' AS caution, CASE WHEN r.state <> 'failed' THEN r.state WHEN ` + twinned + ` THEN '` + reasonTwin + `'
		WHEN ` + handing + ` THEN 'at work' ELSE '' END AS skip`,
	from: `referrals r`,
}

// twinned is true of a referral r whose person went, or goes, to the same
// recipient by another one.
const twinned = `EXISTS (SELECT 1 FROM referrals o WHERE o.person_id = r.person_id AND o.company = r.company AND o.recipient = r.recipient AND o.id <> r.id AND o.state IN ('waiting', 'handed_over'))`

// handing is true of a referral r that a job works on.
const handing = `EXISTS (SELECT 1 FROM jobs j WHERE j.subject = r.id AND j.state IN ` + live + `)`

func retryReferral(ctx context.Context, t *tx, id, batch string) (bool, error) {
	now := micros(t.s.Now())
	var company string
	err := t.QueryRowContext(ctx, `SELECT company FROM referrals WHERE id = $1`, id).Scan(&company)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := t.lockCompany(ctx, company); err != nil { // its twin may be retried at once
		return false, err
	}
	n, err := t.exec(ctx, `UPDATE referrals AS r SET state = 'waiting', reason = 'retried', updated_at = $1 WHERE id = $2 AND state = 'failed' AND NOT `+twinned+` AND NOT `+handing, now, id)
	if err != nil || n == 0 {
		return false, err
	}
	if _, err := t.exec(ctx, `UPDATE jobs SET state = 'cancelled', updated_at = $1 WHERE subject = $2 AND state = 'dead'`, now, id); err != nil {
		return false, err
	}
	return true, t.enqueue(ctx, record.Job{Company: company, Kind: record.ReferralJob, Queue: queueOf(batch), Subject: id, Batch: batch})
}

// Reinstate gives a quarantined delivery, whose signature was found good, to the
// decoder: p is its payload as it is kept from now on, for keep, and the secret
// of d the one that fitted.
func (s *Store) Reinstate(ctx context.Context, d record.Delivery, p connectors.Payload, keep time.Duration) error {
	aead, err := s.companyKey(ctx, d.Company)
	if err != nil {
		return err
	}
	sealed := sealPayload(nil, aead, "delivery "+d.ID, p)
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE deliveries SET disposition = 'new', reason = 'verified again', secret = $1, payload = $2, expires_at = CASE WHEN expires_at > $3 THEN expires_at ELSE $3 END WHERE id = $4 AND disposition = 'quarantined'`,
			d.Secret, sealed, micros(d.ReceivedAt.Add(keep)), d.ID)
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
