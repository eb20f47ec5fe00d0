package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

const mailColumns = `m.id, m.company, m.application, m.person_id, m.purpose, m.state, m.stopped, m.released, m.urgent, m.reason, m.template, m.version, m.locale,
	m.send_id, m.transport, m.provider_id, m.batch, m.delivery, m.attempts, m.due_at, m.decided_at, m.sent_at, m.created_at, m.updated_at, coalesce(a.application_id, '')`

const mailTables = `mails m LEFT JOIN applications a ON a.id = m.application`

func scanMail(row scanner, more ...any) (record.Mail, error) {
	var m record.Mail
	var stopped, released, urgent int64
	var due, decided, sent, created, updated int64
	err := row.Scan(append([]any{
		&m.ID, &m.Company, &m.Application, &m.PersonID, &m.Purpose, &m.State, &stopped, &released, &urgent, &m.Reason, &m.Template, &m.Version, &m.Locale,
		&m.SendID, &m.Transport, &m.ProviderID, &m.Batch, &m.Delivery, &m.Attempts, &due, &decided, &sent, &created, &updated, &m.ApplicationID,
	}, more...)...)
	m.Stopped, m.Released, m.Urgent = stopped != 0, released != 0, urgent != 0
	m.DueAt, m.DecidedAt, m.SentAt = clockTime(due), clockTime(decided), clockTime(sent)
	m.CreatedAt, m.UpdatedAt = clockTime(created), clockTime(updated)
	return m, err
}

// A plan is a mail to be put into the outbox.
type plan struct {
	company     string
	application string // also the registration's id, for its mails
	fresh       bool   // the application cannot have a mail yet
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
// the application has one already. One that the connector took back before
// anything was sent makes room: the company changed its mind twice. So does one
// that lacked an address.
func (t *tx) planMail(ctx context.Context, p plan) (bool, error) {
	if p.message.SendID == "" {
		return false, ats.Errorf(ats.Invalid, "a mail has no send id")
	}
	id := ""
	if !p.fresh {
		taken, free, err := t.placeFor(ctx, p)
		if err != nil || !free {
			return false, err
		}
		id = taken
	}
	write := updateMail
	if id == "" {
		id, write = t.s.newID(), insertMail
	}
	sealed, err := sealMessage(p.person.aead, "mail "+id, p.message)
	if err != nil {
		return false, err
	}
	n, err := t.exec(ctx, write, id, p.company, p.application, string(p.purpose), p.person.id, flag(p.stopped), p.reason,
		p.message.Template, p.message.Version, p.message.Locale, contentHash(p.message), t.s.addressRef(p.company, p.message.To.Address), p.message.SendID,
		micros(p.due), micros(p.decided), micros(t.s.Now()), sealed)
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

// placeFor tells whether the mail may be planned, and the id of the row that it
// takes over, if there is one.
func (t *tx) placeFor(ctx context.Context, p plan) (id string, free bool, err error) {
	var state record.MailState
	var final, tried, lame int64
	err = t.QueryRowContext(ctx, `
		SELECT id, state, final, (SELECT count(*) FROM mail_attempts a WHERE a.mail = m.id AND a.outcome <> 'not_sent'),
			CASE WHEN `+unaddressed+` THEN 1 ELSE 0 END
		FROM mails m WHERE application = $1 AND purpose = $2 AND company = $3`+t.forUpdate(), p.application, string(p.purpose), p.company).
		Scan(&id, &state, &final, &tried, &lame)
	if errors.Is(err, sql.ErrNoRows) {
		return "", true, nil
	}
	return id, lame == 1 || state == record.MailCancelled && final == 0 && tried == 0, err
}

// unaddressed is true of a mail that was held because nobody knows where to.
const unaddressed = `(state = 'held' AND stopped = 1 AND address_ref IS NULL)`

const insertMail = `
	INSERT INTO mails (id, company, application, purpose, person_id, state, stopped, reason, template, version, locale, hash, address_ref, send_id, due_at, decided_at, created_at, updated_at, sealed)
	VALUES ($1, $2, $3, $4, $5, 'held', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17)
	ON CONFLICT (application, purpose, company) DO NOTHING`

// updateMail counts the mail as created now: it is one more that was planned.
const updateMail = `
	UPDATE mails SET person_id = $5, state = 'held', stopped = $6, released = 0, urgent = 0, reason = $7, template = $8, version = $9, locale = $10, hash = $11, address_ref = $12,
		send_id = $13, due_at = $14, decided_at = $15, created_at = $16, updated_at = $16, sealed = $17
	WHERE id = $1 AND company = $2 AND application = $3 AND purpose = $4 AND (state = 'cancelled' OR ` + unaddressed + `)`

// takeBack changes mails that wait, ends their jobs and returns how many. A job that runs just
// now ends too: it has not claimed its mail yet, and its run must not come back
// to one that is planned or released anew. In set and where, $1 and up are args.
func (t *tx) takeBack(ctx context.Context, reason, set, where string, args ...any) (int, error) {
	rows, err := t.QueryContext(ctx, `UPDATE mails SET `+set+` WHERE state = 'held' AND `+where+` RETURNING id`, args...)
	if err != nil {
		return 0, err
	}
	ids, err := texts(rows)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		_, err := t.exec(ctx, `
			UPDATE jobs SET state = 'cancelled', error = $1, lease_until = 0, updated_at = $2
			WHERE subject = $3 AND state IN ('waiting', 'dispatched', 'running', 'dead')`, reason, micros(t.s.Now()), id)
		if err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// cancelMails takes back the thank-you mail of an application if it waits.
func (t *tx) cancelMails(ctx context.Context, application, reason string) error {
	_, err := t.takeBack(ctx, reason, `state = 'cancelled', stopped = 0, reason = $1, updated_at = $2`, `application = $3 AND purpose = 'thank_you'`,
		reason, micros(t.s.Now()), application)
	return err
}

// brakeVolume stops the company's mails of the last hour that still wait: when
// the fifty-first comes, the first fifty are as doubtful.
func (t *tx) brakeVolume(ctx context.Context, company string) error {
	now := t.s.Now()
	_, err := t.takeBack(ctx, reasonVolume, `stopped = 1, reason = $1, updated_at = $2`,
		`company = $3 AND purpose = 'thank_you' AND created_at >= $4 AND stopped = 0 AND released = 0`, reasonVolume, micros(now), company, micros(now.Add(-time.Hour)))
	if err != nil {
		return err
	}
	return t.openBrake(ctx, company, "volume", "more decisions than the brake allows; their mails wait for a person", time.Time{})
}

// postingQuery reads all that is asked of a mail before it leaves.
const postingQuery = `
	SELECT ` + mailColumns + `, m.sealed, coalesce(a.connection, ''), coalesce(a.application_id, ''), coalesce(a.candidate_id, ''), coalesce(a.state, ''), p.wrapped_key,
		EXISTS (SELECT 1 FROM suppressions s WHERE s.company = m.company AND s.address_ref = m.address_ref AND s.scope = '` + ScopeAll + `'),
		coalesce(b.id, ''), coalesce(b.kind, ''), coalesce(b.cause, ''), coalesce(b.opened_at, 0), coalesce(b.probe_at, 0)
	FROM ` + mailTables + `
		LEFT JOIN people p ON p.id = m.person_id
		LEFT JOIN brakes b ON b.company = m.company AND b.kind IN ('bounces', 'complaints', 'credentials') AND b.resolved_at = 0
	WHERE m.id = $1 ORDER BY b.kind` // of several brakes the one that cannot be probed

// Posting reads a mail for sending.
func (s *Store) Posting(ctx context.Context, id string) (record.Posting, error) {
	var p record.Posting
	var sealed, wrapped []byte
	var opened, probe int64
	m, err := scanMail(s.read.QueryRowContext(ctx, postingQuery, id),
		&sealed, &p.Connection, &p.Event.Application, &p.Event.Candidate.ID, &p.State, &wrapped, &p.Suppressed,
		&p.Brake.ID, &p.Brake.Kind, &p.Brake.Cause, &opened, &probe)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ats.Errorf(ats.NotFound, "no mail %s", id)
	}
	if err != nil {
		return p, unavailable("reading a mail", err)
	}
	p.Mail, p.Event.State, p.Event.At = m, p.State, m.DecidedAt
	if p.Brake.ID != "" {
		p.Brake.Company, p.Brake.OpenedAt, p.Brake.ProbeAt = m.Company, clockTime(opened), clockTime(probe)
	}
	if m.State != record.MailHeld || len(sealed) == 0 {
		return p, nil
	}
	aead, err := s.personKey(m.PersonID, wrapped)
	if err != nil {
		return p, err
	}
	p.Message, err = unsealMessage(aead, "mail "+id, sealed)
	return p, err
}

// Mail reads one mail without its content.
func (s *Store) Mail(ctx context.Context, id string) (record.Mail, error) {
	m, err := scanMail(s.read.QueryRowContext(ctx, `SELECT `+mailColumns+` FROM `+mailTables+` WHERE m.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return m, ats.Errorf(ats.NotFound, "no mail %s", id)
	}
	if err != nil {
		return m, unavailable("reading a mail", err)
	}
	return m, nil
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
	aead, err := s.readPersonKey(ctx, s.read, m.PersonID, "")
	if err != nil {
		return m, msg, err
	}
	msg, err = unsealMessage(aead, "mail "+id, sealed)
	return m, msg, err
}

// MailHistory returns the attempts to send a mail and what the provider said.
func (s *Store) MailHistory(ctx context.Context, id string) ([]record.Attempt, []record.MailEvent, error) {
	var c clause
	c.add(`mail = ?`, id)
	attempts, err := list(ctx, s, `SELECT number, outcome, detail, started_at, ended_at FROM mail_attempts`, "number", c, record.MaxPage,
		func(row scanner) (record.Attempt, error) {
			var a record.Attempt
			var started, ended int64
			err := row.Scan(&a.Number, &a.Outcome, &a.Detail, &started, &ended)
			a.StartedAt, a.EndedAt = clockTime(started), clockTime(ended)
			return a, err
		})
	if err != nil {
		return nil, nil, err
	}
	events, err := list(ctx, s, `SELECT kind, detail, at FROM mail_events`, "at", c, record.MaxPage,
		func(row scanner) (record.MailEvent, error) {
			var e record.MailEvent
			var at int64
			err := row.Scan(&e.Kind, &e.Detail, &at)
			e.At = clockTime(at)
			return e, err
		})
	return attempts, events, err
}

// ReplaceLetter gives a mail that waits other content, with new personal links. A
// run of its job that has read the old content cannot send it any more.
func (s *Store) ReplaceLetter(ctx context.Context, actor record.Actor, id string, m mail.Message, links []record.Link, reason string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		row, err := scanMail(t.QueryRowContext(ctx, `SELECT `+mailColumns+` FROM `+mailTables+` WHERE m.id = $1`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.NotFound, "no mail %s", id)
		}
		if err != nil {
			return err
		}
		p, err := t.readPerson(ctx, row.PersonID)
		if err != nil {
			return err
		}
		sealed, err := sealMessage(p.aead, "mail "+id, m)
		if err != nil {
			return err
		}
		n, err := t.takeBack(ctx, "the mail was changed by a person", `template = $1, version = $2, hash = $3, updated_at = CASE WHEN stopped = 1 THEN updated_at ELSE $4 END, sealed = $5`,
			`id = $6 AND send_id = $7`, m.Template, m.Version, contentHash(m), micros(s.Now()), sealed, id, m.SendID)
		if err != nil {
			return err
		}
		if n == 0 {
			return ats.Errorf(ats.Conflict, "mail %s does not wait any more", id)
		}
		if err := t.insertLinks(ctx, links, row.Company, row.Application, row.PersonID); err != nil {
			return err
		}
		if !row.Stopped {
			err := t.enqueue(ctx, record.Job{Company: row.Company, Kind: record.MailJob, Queue: record.LiveQueue, Subject: id, DueAt: row.DueAt})
			if err != nil {
				return err
			}
		}
		return t.audit(ctx, actor, record.Audit{Verb: "edit", Noun: "mail", Subject: id, Company: row.Company, Reason: reason, Detail: "personal line; " + m.Version})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("changing a mail", err)
	}
	return err
}

// ProveMail settles an unclear mail that its provider turned out to know.
func (s *Store) ProveMail(ctx context.Context, actor record.Actor, id, providerID, reason string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		now := micros(s.Now())
		var company string
		err := t.QueryRowContext(ctx, `UPDATE mails SET provider_id = $1 WHERE id = $2 AND state = 'unclear' RETURNING company`, providerID, id).Scan(&company)
		if errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.Conflict, "mail %s is not unclear any more", id)
		}
		if err != nil {
			return err
		}
		if err := t.proveSent(ctx, id, now); err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "ask", Noun: "mail", Subject: id, Company: company, Reason: reason, Detail: "the provider has it"})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("settling a mail", err)
	}
	return err
}

// contentHash tells whether two mails say the same.
func contentHash(m mail.Message) string {
	sum := sha256.Sum256([]byte(m.Subject + "\x00" + m.Text + "\x00" + m.HTML))
	return hex.EncodeToString(sum[:])
}
