package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

const mailColumns = `m.id, m.company, m.application, m.person_id, m.purpose, m.state, m.stopped, m.released, m.reason, m.template, m.version, m.locale,
	m.send_id, m.transport, m.provider_id, m.delivery, m.attempts, m.due_at, m.decided_at, m.sent_at, m.created_at, m.updated_at, coalesce(a.application_id, '')`

const mailTables = `mails m LEFT JOIN applications a ON a.id = m.application`

func scanMail(row scanner, more ...any) (record.Mail, error) {
	var m record.Mail
	var stopped, released int64
	var due, decided, sent, created, updated int64
	err := row.Scan(append([]any{&m.ID, &m.Company, &m.Application, &m.PersonID, &m.Purpose, &m.State, &stopped, &released, &m.Reason, &m.Template, &m.Version, &m.Locale,
		&m.SendID, &m.Transport, &m.ProviderID, &m.Delivery, &m.Attempts, &due, &decided, &sent, &created, &updated, &m.ApplicationID}, more...)...)
	m.Stopped, m.Released = stopped != 0, released != 0
	m.DueAt, m.DecidedAt, m.SentAt = clockTime(due), clockTime(decided), clockTime(sent)
	m.CreatedAt, m.UpdatedAt = clockTime(created), clockTime(updated)
	return m, err
}

// A plan is a mail to be put into the outbox.
type plan struct {
	company     string
	application string // also the registration's id, for its mails
	person      person
	purpose     mail.Purpose
	message     mail.Message
	due         time.Time
	decided     time.Time
	stopped     bool
	reason      string
	links       []record.Link
	trace       string
}

// planMail puts a mail into the outbox with the job that will send it, unless
// the application has one already. A mail that was cancelled before anything
// was sent makes room for a new one: the company changed its mind twice.
func (t *tx) planMail(ctx context.Context, p plan) (bool, error) {
	if p.person.aead == nil {
		return false, nil
	}
	id := t.s.newID()
	var old string
	err := t.QueryRowContext(ctx, `SELECT id FROM mails WHERE company = $1 AND application = $2 AND purpose = $3 AND state = 'cancelled' AND attempts = 0`+t.forUpdate(),
		p.company, p.application, string(p.purpose)).Scan(&old)
	switch {
	case err == nil:
		id = old
	case !errors.Is(err, sql.ErrNoRows):
		return false, err
	}
	sealed, err := seal(p.person.aead, "mail "+id, p.message)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256([]byte(p.message.Subject + "\x00" + p.message.Text + "\x00" + p.message.HTML))
	now := micros(t.s.Now())
	n, err := t.exec(ctx, `
		INSERT INTO mails (id, company, application, person_id, purpose, state, stopped, reason, template, version, locale, sealed, hash, address_ref, send_id, due_at, decided_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, 'held', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)
		ON CONFLICT (company, application, purpose) DO UPDATE SET person_id = excluded.person_id, state = 'held', stopped = excluded.stopped, released = 0, reason = excluded.reason,
			template = excluded.template, version = excluded.version, locale = excluded.locale, sealed = excluded.sealed, hash = excluded.hash, address_ref = excluded.address_ref,
			send_id = excluded.send_id, due_at = excluded.due_at, decided_at = excluded.decided_at, updated_at = excluded.updated_at
		WHERE mails.state = 'cancelled' AND mails.attempts = 0`,
		id, p.company, p.application, p.person.id, string(p.purpose), flag(p.stopped), p.reason, p.message.Template, p.message.Version, p.message.Locale, sealed,
		hex.EncodeToString(sum[:]), t.s.addressRef(p.company, p.message.To.Address), p.message.SendID, micros(p.due), micros(p.decided), now)
	if err != nil || n == 0 {
		return false, err
	}
	if err := t.insertLinks(ctx, p.links, p.company, p.application, p.person.id); err != nil {
		return false, err
	}
	if p.stopped {
		return true, nil
	}
	return true, t.enqueue(ctx, record.Job{Company: p.company, Kind: record.MailJob, Queue: record.LiveQueue, Subject: id, DueAt: p.due, Trace: p.trace})
}

// cancelMails takes back the mails of an application that still wait.
func (t *tx) cancelMails(ctx context.Context, application, reason string) error {
	now := micros(t.s.Now())
	_, err := t.exec(ctx, `
		UPDATE jobs SET state = 'cancelled', error = $1, updated_at = $2
		WHERE kind = 'mail' AND state IN ('waiting', 'dispatched') AND subject IN (SELECT id FROM mails WHERE application = $3 AND purpose = 'thank_you' AND state = 'held')`, reason, now, application)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE mails SET state = 'cancelled', stopped = 0, reason = $1, updated_at = $2 WHERE application = $3 AND purpose = 'thank_you' AND state = 'held'`, reason, now, application)
	return err
}

// brakeVolume stops the company's mails of the last hour that still wait: when
// the fifty-first comes, the first fifty are as doubtful.
func (t *tx) brakeVolume(ctx context.Context, company string) error {
	now := t.s.Now()
	rows, err := t.QueryContext(ctx, `SELECT id FROM mails WHERE company = $1 AND purpose = 'thank_you' AND created_at >= $2 AND state = 'held' AND stopped = 0 AND released = 0`,
		company, micros(now.Add(-time.Hour)))
	if err != nil {
		return err
	}
	ids, err := texts(rows)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := t.exec(ctx, `UPDATE mails SET stopped = 1, reason = 'brake_volume', updated_at = $1 WHERE id = $2 AND state = 'held'`, micros(now), id); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE jobs SET state = 'cancelled', error = 'brake_volume', updated_at = $1 WHERE subject = $2 AND kind = 'mail' AND state IN ('waiting', 'dispatched')`, micros(now), id); err != nil {
			return err
		}
	}
	return t.openBrake(ctx, company, "volume", "more decisions than the brake allows; their mails wait for a person", time.Time{})
}

func texts(rows *sql.Rows) ([]string, error) {
	var out []string
	err := scan(rows, func() error {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err
		}
		out = append(out, s)
		return nil
	})
	return out, err
}

// Posting reads a mail for sending.
func (s *Store) Posting(ctx context.Context, id string) (record.Posting, error) {
	var p record.Posting
	var sealed, ref []byte
	var connection, application, candidate, state sql.NullString
	m, err := scanMail(s.read.QueryRowContext(ctx, `SELECT `+mailColumns+`, m.sealed, m.address_ref, a.connection, a.application_id, a.candidate_id, a.state FROM `+mailTables+` WHERE m.id = $1`, id),
		&sealed, &ref, &connection, &application, &candidate, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ats.Errorf(ats.NotFound, "no mail %s", id)
	}
	if err != nil {
		return p, unavailable("reading a mail", err)
	}
	p.Mail, p.State, p.Connection = m, ats.State(state.String), connection.String
	p.Event = ats.Event{Application: application.String, State: ats.State(state.String), At: m.DecidedAt, Candidate: ats.Candidate{ID: candidate.String}}
	if m.State != record.MailHeld || len(sealed) == 0 {
		return p, nil
	}
	aead, err := s.readPersonKey(ctx, s.read, m.PersonID)
	if err != nil {
		return p, err
	}
	if err := unseal(aead, "mail "+id, sealed, &p.Message); err != nil {
		return p, err
	}
	t := &tx{querier: s.read, s: s, pg: s.pg}
	if p.Suppressed, _, err = t.suppressed(ctx, m.Company, ref); err != nil {
		return p, unavailable("reading suppressions", err)
	}
	p.Brake, err = s.openBrakeOf(ctx, m.Company, "credentials")
	return p, err
}

// ClaimMail takes a held mail for sending and opens the attempt, durably,
// before anything leaves. Whoever comes second, or after a cancellation, a
// stop or a change of the application's state, gets an ats.Duplicate error.
func (s *Store) ClaimMail(ctx context.Context, j record.Job, id, transport string) (attempt int, err error) {
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		if err := t.holdsLease(ctx, j); err != nil {
			return err
		}
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
		_, err = t.exec(ctx, `INSERT INTO mail_attempts (mail, number, outcome, started_at) VALUES ($1, $2, 'sending', $3)`, id, attempt, now)
		return err
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("claiming a mail", err)
	}
	return attempt, err
}

// holdsLease fails unless this run of the job is still the one that counts.
func (t *tx) holdsLease(ctx context.Context, j record.Job) error {
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE id = $1 AND seq = $2 AND state = 'running' AND lease_until > $3`, j.ID, j.Seq, micros(t.s.Now())).Scan(&n)
	if err == nil && n == 0 {
		return ats.Errorf(ats.Duplicate, "job %s lost its lease", j.ID)
	}
	return err
}

// SettleMail records what became of a mail and finishes the job.
func (s *Store) SettleMail(ctx context.Context, j record.Job, id string, o record.Settlement) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error { return t.settleMail(ctx, j, id, o) })
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("settling a mail", err)
	}
	return err
}

func (t *tx) settleMail(ctx context.Context, j record.Job, id string, o record.Settlement) error {
	now := t.s.Now()
	from, sent := record.MailHeld, int64(0)
	if o.Attempt > 0 {
		from = record.MailSending
		if _, err := t.exec(ctx, `UPDATE mail_attempts SET outcome = $1, detail = $2, ended_at = $3 WHERE mail = $4 AND number = $5`,
			attemptOutcome(o), o.Detail, micros(now), id, o.Attempt); err != nil {
			return err
		}
	}
	if o.State == record.MailSent {
		sent = micros(now)
	}
	// A mail that meanwhile was resolved by an event of the provider, or
	// cancelled, keeps that state.
	_, err := t.exec(ctx, `
		UPDATE mails SET state = $1, stopped = $2, reason = $3, due_at = CASE WHEN $4 = 0 THEN due_at ELSE $4 END, provider_id = CASE WHEN $5 = '' THEN provider_id ELSE $5 END,
			sent_at = CASE WHEN $6 = 0 THEN sent_at ELSE $6 END, updated_at = $7
		WHERE id = $8 AND state = $9`,
		string(o.State), flag(o.Stopped), o.Reason, micros(o.DueAt), o.ProviderID, sent, micros(now), id, string(from))
	if err != nil {
		return err
	}
	if o.Brake != "" {
		if err := t.openBrake(ctx, j.Company, "credentials", o.Brake, now.Add(probeAfter)); err != nil {
			return err
		}
	}
	if o.Release {
		if err := t.closeBrakes(ctx, j.Company, "credentials"); err != nil {
			return err
		}
	}
	return t.finishJob(ctx, j, o.Job)
}

// attemptOutcome names how an attempt ended: a mail that is held again was not
// sent.
func attemptOutcome(o record.Settlement) string {
	if o.State == record.MailHeld {
		return "not_sent"
	}
	return string(o.State)
}

// sweepMails makes unclear what was being sent when its worker vanished.
func (t *tx) sweepMails(ctx context.Context, swept *record.Swept) error {
	now := micros(t.s.Now())
	n, err := t.exec(ctx, `
		UPDATE mails SET state = 'unclear', reason = 'interrupted', updated_at = $1
		WHERE state = 'sending' AND id IN (SELECT subject FROM jobs WHERE kind = 'mail' AND state = 'running' AND lease_until <= $1)`, now)
	if err != nil {
		return err
	}
	swept.Unclear = int(n)
	_, err = t.exec(ctx, `
		UPDATE jobs SET state = 'unclear', error = 'interrupted while handing the mail over', fault = 'unclear', lease_until = 0, updated_at = $1
		WHERE kind = 'mail' AND state = 'running' AND lease_until <= $1 AND subject IN (SELECT id FROM mails WHERE state = 'unclear')`, now)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE mail_attempts SET outcome = 'unclear', detail = 'interrupted', ended_at = $1 WHERE outcome = 'sending' AND mail IN (SELECT id FROM mails WHERE state = 'unclear')`, now)
	return err
}

// Report keeps the provider's events about our mails and finishes the job.
// Events about mails that are not ours are counted and dropped: the provider's
// account may serve other senders too.
func (s *Store) Report(ctx context.Context, j record.Job, delivery string, words []mail.Feedback) (record.Reported, error) {
	var done record.Reported
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		done = record.Reported{}
		for _, w := range words {
			if err := t.report(ctx, j.Company, w, &done); err != nil {
				return err
			}
		}
		disposition := record.Decoded
		if done.New+done.Repeated == 0 {
			disposition = record.Ignored
		}
		if err := t.settleDelivery(ctx, delivery, disposition, ""); err != nil {
			return err
		}
		return t.finishJob(ctx, j, record.Outcome{State: record.JobDone})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("keeping the provider's events", err)
	}
	return done, err
}

func (t *tx) report(ctx context.Context, company string, w mail.Feedback, done *record.Reported) error {
	var id string
	var ref []byte
	// Events start with the id of the request: one request carries one mail.
	request, _, _ := strings.Cut(w.ProviderID, ".")
	err := t.QueryRowContext(ctx, `SELECT id, address_ref FROM mails WHERE company = $1 AND (send_id = $2 OR ($3 <> '' AND provider_id = $3)) ORDER BY id LIMIT 1`,
		company, w.SendID, request).Scan(&id, &ref)
	if errors.Is(err, sql.ErrNoRows) {
		done.Foreign++
		return nil
	}
	if err != nil {
		return err
	}
	n, err := t.exec(ctx, `INSERT INTO mail_events (event_id, mail, company, kind, detail, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		w.EventID, id, company, string(w.Kind), w.Detail, micros(w.At))
	if err != nil {
		return err
	}
	if n == 0 {
		done.Repeated++
		return nil
	}
	done.New++
	return t.heed(ctx, company, id, ref, w)
}

// rank orders the provider's words; a later word of lower rank, which is only
// late, does not undo one of higher rank.
var rank = map[string]int{"processed": 1, "deferred": 2, "delivered": 3, "blocked": 4, "dropped": 4, "bounced": 5, "unsubscribed": 5, "complaint": 6}

// heed lets an event of the provider take effect on the mail and on the
// suppression list.
func (t *tx) heed(ctx context.Context, company, id string, ref []byte, w mail.Feedback) error {
	now := micros(t.s.Now())
	kind := string(w.Kind)
	var last string
	if err := t.QueryRowContext(ctx, `SELECT delivery FROM mails WHERE id = $1`+t.forUpdate(), id).Scan(&last); err != nil {
		return err
	}
	if rank[kind] > rank[last] {
		if _, err := t.exec(ctx, `UPDATE mails SET delivery = $1, updated_at = $2 WHERE id = $3`, kind, now, id); err != nil {
			return err
		}
	}
	if err := t.proveSent(ctx, id, w, now); err != nil {
		return err
	}
	switch {
	case kind == "complaint", kind == "bounced" && w.Permanent, kind == "dropped" && w.Permanent:
		return t.suppress(ctx, company, ref, ScopeAll, kind)
	case kind == "unsubscribed":
		return t.suppress(ctx, company, ref, ScopeOffers, kind)
	}
	return nil
}

// proveSent settles an unclear mail: the provider could not speak of a mail
// that it does not have.
func (t *tx) proveSent(ctx context.Context, id string, w mail.Feedback, now int64) error {
	n, err := t.exec(ctx, `UPDATE mails SET state = 'sent', reason = 'the provider reported it', sent_at = $1, updated_at = $2 WHERE id = $3 AND state = 'unclear'`, micros(w.At), now, id)
	if err != nil || n == 0 {
		return err
	}
	_, err = t.exec(ctx, `UPDATE jobs SET state = 'done', error = '', fault = '', updated_at = $1 WHERE subject = $2 AND kind = 'mail' AND state = 'unclear'`, now, id)
	return err
}

// Scopes of a suppression.
const (
	ScopeAll    = "all"    // nothing is sent: the mailbox is dead or complained
	ScopeOffers = "offers" // results yes, offers no: the person opted out
)

func (t *tx) suppress(ctx context.Context, company string, ref []byte, scope, cause string) error {
	if ref == nil {
		return nil
	}
	_, err := t.exec(ctx, `INSERT INTO suppressions (company, address_ref, scope, cause, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, company, ref, scope, cause, micros(t.s.Now()))
	return err
}

func (t *tx) suppressed(ctx context.Context, company string, ref []byte) (all, offers bool, err error) {
	if ref == nil {
		return false, false, nil
	}
	rows, err := t.QueryContext(ctx, `SELECT scope FROM suppressions WHERE company = $1 AND address_ref = $2`, company, ref)
	if err != nil {
		return false, false, err
	}
	scopes, err := texts(rows)
	for _, s := range scopes {
		all = all || s == ScopeAll
		offers = offers || s == ScopeOffers
	}
	return all, offers, err
}

// Letter returns the exact bytes of a mail, for a preview or a mailbox.
func (s *Store) Letter(ctx context.Context, id string) (record.Mail, mail.Message, error) {
	var msg mail.Message
	var sealed []byte
	m, err := scanMail(s.read.QueryRowContext(ctx, `SELECT `+mailColumns+`, m.sealed FROM `+mailTables+` WHERE m.id = $1`, id), &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return m, msg, ats.Errorf(ats.NotFound, "no mail %s", id)
	}
	if err != nil {
		return m, msg, unavailable("reading a mail", err)
	}
	if len(sealed) == 0 {
		return m, msg, ats.Errorf(ats.NotFound, "the content of mail %s was erased", id)
	}
	aead, err := s.readPersonKey(ctx, s.read, m.PersonID)
	if err != nil {
		return m, msg, err
	}
	if err := unseal(aead, "mail "+id, sealed, &msg); err != nil {
		return m, msg, fmt.Errorf("mail %s: %w", id, err)
	}
	return m, msg, nil
}
