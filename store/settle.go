package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// ClaimMail takes a held mail for sending and opens the attempt, durably,
// before anything leaves. Whoever comes second, or after a cancellation, a
// stop or a change of the application's state, gets an ats.Duplicate error.
func (s *Store) ClaimMail(ctx context.Context, j record.Job, id, transport string) (attempt int, err error) {
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		now := micros(s.Now())
		err := t.QueryRowContext(ctx, `
			UPDATE mails SET state = 'sending', attempts = attempts + 1, transport = $1, updated_at = $2
			WHERE id = $3 AND state = 'held' AND stopped = 0
				AND (purpose <> 'thank_you' OR EXISTS (SELECT 1 FROM applications a WHERE a.id = mails.application AND a.state = 'rejected'))
			RETURNING attempts`, transport, now, id).Scan(&attempt)
		if errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.Duplicate, "mail %s is not held any more", id)
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO mail_attempts (mail, number, outcome, started_at) VALUES ($1, $2, 'sending', $3)`, id, attempt, now); err != nil {
			return err
		}
		return t.holdsJob(ctx, j, `subject = $3 AND lease_until > $4`, id, micros(s.Now()))
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("claiming a mail", err)
	}
	return attempt, err
}

// holdsJob fails unless this run of the job is still the one that counts. The
// further conditions start at $3.
func (t *tx) holdsJob(ctx context.Context, j record.Job, further string, args ...any) error {
	var n int
	err := t.QueryRowContext(ctx, `SELECT 1 FROM jobs WHERE id = $1 AND seq = $2 AND state = 'running' AND `+further+t.forUpdate(), append([]any{j.ID, j.Seq}, args...)...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return ats.Errorf(ats.Duplicate, "job %s lost its lease", j.ID)
	}
	return err
}

// SettleMail records what became of a mail and finishes the job. The end of an
// attempt is the word of the only witness: it counts even when the witness was
// so slow that its lease is gone, unless somebody decided otherwise since.
func (s *Store) SettleMail(ctx context.Context, j record.Job, id string, o record.Settlement) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error { return t.settleMail(ctx, j, id, o) })
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("settling a mail", err)
	}
	return err
}

func (t *tx) settleMail(ctx context.Context, j record.Job, id string, o record.Settlement) error {
	application, reopened, err := t.lockApplicationOf(ctx, id)
	if err != nil {
		return err
	}
	if o.Attempt > 0 {
		if o, err = t.endAttempt(ctx, id, o); err != nil {
			return err
		}
	}
	moved, err := t.moveMail(ctx, id, o)
	if err != nil {
		return err
	}
	if err := t.settleBrake(ctx, j.Company, o); err != nil {
		return err
	}
	switch {
	case o.Attempt == 0:
		err = t.finishJob(ctx, j, o.Job)
	case moved:
		err = t.finishAttempt(ctx, j, id, o)
	default:
		err = ats.Errorf(ats.Duplicate, "mail %s was settled otherwise", id)
	}
	if err != nil || o.State != record.MailHeld || reopened == "" {
		return err
	}
	// The application changed while the mail was on its way and came back.
	return t.cancelMails(ctx, application, string(reopened))
}

// lockApplicationOf makes the settlement and the acceptance of an event of the
// same application wait for one another. It returns the application's state if
// the thank-you mail may not be sent in it.
func (t *tx) lockApplicationOf(ctx context.Context, mail string) (application string, reopened ats.State, err error) {
	var state ats.State
	err = t.QueryRowContext(ctx, `
		SELECT id, state FROM applications
		WHERE id = (SELECT application FROM mails WHERE id = $1 AND purpose = 'thank_you')`+t.forUpdate(), mail).Scan(&application, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil // a mail of a registration
	}
	if state == ats.Rejected {
		state = ""
	}
	return application, state, err
}

// endAttempt closes the attempt. A provider that spoke of the mail has it,
// whatever the transport said.
func (t *tx) endAttempt(ctx context.Context, id string, o record.Settlement) (record.Settlement, error) {
	outcome := string(o.State)
	if o.State == record.MailHeld {
		outcome = "not_sent"
	}
	if o.State != record.MailSent {
		proven, err := t.proven(ctx, id)
		if err != nil {
			return o, err
		}
		if proven {
			o.State, o.Stopped, o.Reason, o.Job = record.MailSent, false, provenReason, record.Outcome{State: record.JobDone}
			outcome = string(record.MailSent)
		}
	}
	_, err := t.exec(ctx, `UPDATE mail_attempts SET outcome = $1, detail = $2, ended_at = $3 WHERE mail = $4 AND number = $5`,
		outcome, o.Detail, micros(t.s.Now()), id, o.Attempt)
	return o, err
}

// moveMail sets the mail's state. The end of an attempt finds it sending, or
// unclear when a sweep gave the attempt up. That it was sent counts even when it
// meanwhile waits again or was cancelled, so that it does not leave twice.
func (t *tx) moveMail(ctx context.Context, id string, o record.Settlement) (bool, error) {
	from := `state = 'held' AND attempts >= $9`
	switch {
	case o.Attempt > 0 && o.State == record.MailSent:
		from = `state IN ('sending', 'unclear', 'held', 'cancelled') AND attempts = $9`
	case o.Attempt > 0:
		from = `state IN ('sending', 'unclear') AND attempts = $9`
	}
	now, sent := micros(t.s.Now()), int64(0)
	if o.State == record.MailSent {
		sent = now
	}
	n, err := t.exec(ctx, `
		UPDATE mails SET state = $1, stopped = $2, reason = $3, due_at = CASE WHEN CAST($4 AS BIGINT) = 0 THEN due_at ELSE $4 END,
			provider_id = CASE WHEN $5 = '' THEN provider_id ELSE $5 END, sent_at = CASE WHEN CAST($6 AS BIGINT) = 0 THEN sent_at ELSE $6 END, updated_at = $7
		WHERE id = $8 AND `+from,
		string(o.State), flag(o.Stopped), o.Reason, micros(o.DueAt), o.ProviderID, sent, now, id, o.Attempt)
	return n > 0, err
}

// finishAttempt finishes the job of an attempt: it runs, or was given up by a
// sweep. If neither, it has been replaced: then its successor has nothing to do.
func (t *tx) finishAttempt(ctx context.Context, j record.Job, id string, o record.Settlement) error {
	n, err := t.endJob(ctx, j, o.Job, `state IN ('running', 'unclear')`)
	if err != nil || n > 0 {
		return err
	}
	_, err = t.exec(ctx, `UPDATE jobs SET state = 'cancelled', error = 'the mail was sent before', lease_until = 0, updated_at = $1 WHERE subject = $2 AND state IN ('waiting', 'dispatched', 'running')`,
		micros(t.s.Now()), id)
	return err
}

func (t *tx) settleBrake(ctx context.Context, company string, o record.Settlement) error {
	switch {
	case o.Brake != "":
		return t.openBrake(ctx, company, "credentials", o.Brake, t.s.Now().Add(probeAfter))
	case o.Release:
		return t.closeBrakes(ctx, company, "credentials")
	}
	return nil
}

// sweepMails settles what was being sent when its worker vanished: nobody knows
// whether it was, unless the provider spoke of it.
func (t *tx) sweepMails(ctx context.Context, swept *record.Swept) error {
	rows, err := t.QueryContext(ctx, `
		SELECT m.id FROM mails m JOIN jobs j ON j.subject = m.id
		WHERE j.state = 'running' AND j.lease_until <= $1 AND m.state = 'sending' ORDER BY m.id`, micros(t.s.Now()))
	if err != nil {
		return err
	}
	ids, err := texts(rows)
	if err != nil {
		return err
	}
	for _, id := range ids {
		n, err := t.giveUp(ctx, id)
		if err != nil {
			return err
		}
		swept.Unclear += n
	}
	return nil
}

// abandonMail settles the mail of a job whose run ended without settling it. It
// reports true when that ended the job too.
func (t *tx) abandonMail(ctx context.Context, j record.Job, o record.Outcome) (bool, error) {
	var state record.MailState
	err := t.QueryRowContext(ctx, `SELECT state FROM mails WHERE id = $1`+t.forUpdate(), j.Subject).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch {
	case state == record.MailSending:
		if err := t.holdsJob(ctx, j, `subject = $3`, j.Subject); err != nil {
			return false, err
		}
		_, err = t.giveUp(ctx, j.Subject)
		return true, err
	case state == record.MailHeld && o.State == record.JobDead:
		_, err = t.exec(ctx, `UPDATE mails SET state = 'failed', reason = 'its job is dead', updated_at = $1 WHERE id = $2`, micros(t.s.Now()), j.Subject)
	}
	return false, err
}

// giveUp makes a mail that was being sent unclear, with its attempt and job. It
// returns 1, or 0 when it is settled another way.
func (t *tx) giveUp(ctx context.Context, id string) (int, error) {
	now := micros(t.s.Now())
	n, err := t.exec(ctx, `UPDATE mails SET state = 'unclear', reason = 'interrupted', updated_at = $1 WHERE id = $2 AND state = 'sending'`, now, id)
	if err != nil || n == 0 {
		return 0, err
	}
	if _, err := t.exec(ctx, `UPDATE mail_attempts SET outcome = 'unclear', detail = 'interrupted', ended_at = $1 WHERE mail = $2 AND outcome = 'sending'`, now, id); err != nil {
		return 0, err
	}
	_, err = t.exec(ctx, `
		UPDATE jobs SET state = 'unclear', error = 'interrupted while handing the mail over', fault = 'unclear', lease_until = 0, updated_at = $1
		WHERE subject = $2 AND state = 'running'`, now, id)
	if err != nil {
		return 0, err
	}
	proven, err := t.proven(ctx, id)
	if err != nil || !proven {
		return 1, err
	}
	return 0, t.proveSent(ctx, id, now)
}

const provenReason = "the provider reported it"

// proven reports whether the provider ever spoke of a mail: it could not if it
// did not have it.
func (t *tx) proven(ctx context.Context, id string) (bool, error) {
	var n int
	err := t.QueryRowContext(ctx, `SELECT 1 FROM mail_events WHERE mail = $1 LIMIT 1`, id).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// proveSent settles a mail that the provider spoke of: one that is unclear, and
// one that waits again or was cancelled after an attempt. One that is being sent
// is left to its attempt, which asks for the proof when it ends.
func (t *tx) proveSent(ctx context.Context, id string, at int64) error {
	now := micros(t.s.Now())
	n, err := t.exec(ctx, `UPDATE mails SET state = 'sent', stopped = 0, reason = $1, sent_at = $2, updated_at = $3 WHERE id = $4 AND (state = 'unclear' OR state IN ('held', 'cancelled') AND attempts > 0)`,
		provenReason, at, now, id)
	if err != nil || n == 0 {
		return err
	}
	_, err = t.exec(ctx, `UPDATE jobs SET state = 'done', error = '', fault = '', lease_until = 0, updated_at = $1 WHERE subject = $2 AND state IN ('waiting', 'dispatched', 'running', 'unclear', 'dead')`, now, id)
	return err
}
