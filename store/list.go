package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A clause collects conditions with their arguments. An empty value adds
// nothing.
type clause struct {
	conditions []string
	args       []any
}

func (c *clause) add(condition string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case int64:
		if v == 0 {
			return
		}
	case []byte:
		if v == nil {
			return
		}
	}
	c.args = append(c.args, value)
	c.conditions = append(c.conditions, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(c.args))))
}

func (c *clause) where() string {
	if len(c.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.conditions, " AND ")
}

// part matches a piece of text, with the wildcards of LIKE taken literally.
func part(s string) string {
	if s == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) + "%"
}

// list reads one page, newest first.
func list[T any](ctx context.Context, s *Store, query, order string, c clause, limit int, read func(scanner) (T, error)) ([]T, error) {
	c.args = append(c.args, limit)
	rows, err := s.read.QueryContext(ctx, query+c.where()+" ORDER BY "+order+" LIMIT $"+strconv.Itoa(len(c.args)), c.args...)
	if err != nil {
		return nil, unavailable("listing", err)
	}
	out := []T{}
	err = scan(rows, func() error {
		v, err := read(rows)
		out = append(out, v)
		return err
	})
	if err != nil {
		return nil, unavailable("listing", err)
	}
	return out, nil
}

const deliveryList = `SELECT id, company, connection, vendor, door, disposition, reason, repeats, size, received_at, expires_at FROM deliveries d`

func scanDelivery(row scanner) (record.Delivery, error) {
	var d record.Delivery
	var received, expires int64
	err := row.Scan(&d.ID, &d.Company, &d.Connection, &d.Vendor, &d.Door, &d.Disposition, &d.Reason, &d.Repeats, &d.Size, &received, &expires)
	d.ReceivedAt, d.ExpiresAt = clockTime(received), clockTime(expires)
	return d, err
}

func (s *Store) deliveryClause(f record.Filter) clause {
	var c clause
	c.add(`d.id = ?`, f.ID)
	c.add(`d.id < ?`, f.After)
	c.add(`d.company = ?`, f.Company)
	c.add(`d.connection = ?`, f.Connection)
	c.add(`d.vendor = ?`, f.Vendor)
	c.add(`d.disposition = ?`, f.State)
	c.add(`d.reason LIKE ? ESCAPE '\'`, part(f.Error))
	c.add(`d.received_at >= ?`, micros(f.Since))
	c.add(`d.received_at < ?`, micros(f.Until))
	c.add(`d.id IN (SELECT e.delivery FROM events e JOIN applications a ON a.id = e.application WHERE a.application_id = ?)`, f.Application)
	if f.Email != "" {
		c.add(`d.id IN (SELECT e.delivery FROM events e JOIN applications a ON a.id = e.application JOIN people p ON p.id = a.person_id WHERE p.person_ref = ?)`, s.addressRef(f.Company, ats.Email(f.Email)))
	}
	return c
}

// Deliveries lists deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, f record.Filter) ([]record.Delivery, error) {
	if err := f.NeedCompany(); err != nil {
		return nil, err
	}
	return list(ctx, s, deliveryList, "d.id DESC", s.deliveryClause(f), f.Rows(), scanDelivery)
}

func (s *Store) applicationClause(f record.Filter) clause {
	var c clause
	c.add(`id = ?`, f.ID)
	c.add(`id < ?`, f.After)
	c.add(`company = ?`, f.Company)
	c.add(`connection = ?`, f.Connection)
	c.add(`vendor = ?`, f.Vendor)
	c.add(`state = ?`, f.State)
	c.add(`decision LIKE ? ESCAPE '\'`, part(f.Error))
	c.add(`application_id = ?`, f.Application)
	c.add(`updated_at >= ?`, micros(f.Since))
	c.add(`updated_at < ?`, micros(f.Until))
	if f.Email != "" {
		c.add(`person_id IN (SELECT id FROM people WHERE person_ref = ?)`, s.addressRef(f.Company, ats.Email(f.Email)))
	}
	return c
}

// Applications lists applications, newest first.
func (s *Store) Applications(ctx context.Context, f record.Filter) ([]record.Application, error) {
	if err := f.NeedCompany(); err != nil {
		return nil, err
	}
	return list(ctx, s, `SELECT `+applicationColumns+` FROM applications`, "id DESC", s.applicationClause(f), f.Rows(),
		func(r scanner) (record.Application, error) { return scanApplication(r) })
}

// Application reads one application, by its own id or by the vendor's. With
// reveal it carries the candidate; the caller writes the audit entry.
func (s *Store) Application(ctx context.Context, id string, reveal bool) (record.Application, error) {
	var sealed []byte
	a, err := scanApplication(s.read.QueryRowContext(ctx, `SELECT `+applicationColumns+`, sealed FROM applications WHERE id = $1 OR application_id = $1 ORDER BY id DESC LIMIT 1`, id), &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return a, ats.Errorf(ats.NotFound, "no application %s", id)
	}
	if err != nil {
		return a, unavailable("reading an application", err)
	}
	if !reveal || len(sealed) == 0 {
		return a, nil
	}
	aead, err := s.readPersonKey(ctx, s.read, a.PersonID)
	if err != nil {
		return a, err
	}
	a.Candidate = &ats.Candidate{}
	return a, unseal(aead, "application "+a.ID, sealed, a.Candidate)
}

// Events lists the history of an application, oldest first.
func (s *Store) Events(ctx context.Context, application string) ([]record.Event, error) {
	var c clause
	c.add(`application = ?`, application)
	return list(ctx, s, `SELECT id, delivery, application, state, side, evidence, clock, status, stale, action, code, checks, occurred_at, created_at FROM events`, "id", c, record.MaxPage,
		func(row scanner) (record.Event, error) {
			var e record.Event
			var stale, occurred, created int64
			var checks string
			err := row.Scan(&e.ID, &e.Delivery, &e.Application, &e.State, &e.Side, &e.Evidence, &e.Clock, &e.Status, &stale, &e.Action, &e.Code, &checks, &occurred, &created)
			if err != nil {
				return e, err
			}
			e.Stale, e.OccurredAt, e.CreatedAt = stale != 0, clockTime(occurred), clockTime(created)
			return e, json.Unmarshal([]byte(checks), &e.Checks)
		})
}

func (s *Store) mailClause(f record.Filter) clause {
	var c clause
	c.add(`m.id = ?`, f.ID)
	c.add(`m.id < ?`, f.After)
	c.add(`m.company = ?`, f.Company)
	c.add(`m.purpose = ?`, f.Purpose)
	switch f.State {
	case "stopped": // a held mail that waits for a person
		c.add(`m.state = 'held' AND m.stopped = ?`, int64(1))
	default:
		c.add(`m.state = ?`, f.State)
	}
	c.add(`m.reason LIKE ? ESCAPE '\'`, part(f.Error))
	c.add(`a.application_id = ?`, f.Application)
	c.add(`a.connection = ?`, f.Connection)
	c.add(`a.vendor = ?`, f.Vendor)
	c.add(`m.created_at >= ?`, micros(f.Since))
	c.add(`m.created_at < ?`, micros(f.Until))
	if f.Email != "" {
		c.add(`m.address_ref = ?`, s.addressRef(f.Company, ats.Email(f.Email)))
	}
	return c
}

// Mails lists the outbox, newest first.
func (s *Store) Mails(ctx context.Context, f record.Filter) ([]record.Mail, error) {
	if err := f.NeedCompany(); err != nil {
		return nil, err
	}
	return list(ctx, s, `SELECT `+mailColumns+` FROM `+mailTables, "m.id DESC", s.mailClause(f), f.Rows(),
		func(r scanner) (record.Mail, error) { return scanMail(r) })
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

func (s *Store) jobClause(f record.Filter) clause {
	var c clause
	c.add(`id = ?`, f.ID)
	c.add(`id < ?`, f.After)
	c.add(`company = ?`, f.Company)
	c.add(`kind = ?`, f.Kind)
	c.add(`state = ?`, f.State)
	c.add(`batch = ?`, f.Batch)
	c.add(`(error LIKE ? ESCAPE '\' OR fault LIKE ? ESCAPE '\')`, part(f.Error))
	c.add(`created_at >= ?`, micros(f.Since))
	c.add(`created_at < ?`, micros(f.Until))
	c.add(`subject IN (SELECT e.delivery FROM events e JOIN applications a ON a.id = e.application WHERE a.application_id = ? UNION SELECT m.id FROM mails m JOIN applications a ON a.id = m.application WHERE a.application_id = ?)`, f.Application)
	c.add(`subject IN (SELECT d.id FROM deliveries d WHERE d.vendor = ? UNION SELECT m.id FROM mails m JOIN applications a ON a.id = m.application WHERE a.vendor = ?)`, f.Vendor)
	c.add(`subject IN (SELECT d.id FROM deliveries d WHERE d.connection = ? UNION SELECT m.id FROM mails m JOIN applications a ON a.id = m.application WHERE a.connection = ?)`, f.Connection)
	return c
}

// Jobs lists jobs, newest first.
func (s *Store) Jobs(ctx context.Context, f record.Filter) ([]record.Job, error) {
	return list(ctx, s, `SELECT `+jobColumns+` FROM jobs`, "id DESC", s.jobClause(f), f.Rows(), scanJob)
}

// Job reads one job.
func (s *Store) Job(ctx context.Context, id string) (record.Job, error) {
	j, err := scanJob(s.read.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return j, ats.Errorf(ats.NotFound, "no job %s", id)
	}
	if err != nil {
		return j, unavailable("reading a job", err)
	}
	return j, nil
}

// JobsOf lists the jobs of a delivery, a mail or a referral, oldest first.
func (s *Store) JobsOf(ctx context.Context, subject string) ([]record.Job, error) {
	var c clause
	c.add(`subject = ?`, subject)
	return list(ctx, s, `SELECT `+jobColumns+` FROM jobs`, "id", c, record.MaxPage, scanJob)
}

// Referrals lists hand-overs, newest first.
func (s *Store) Referrals(ctx context.Context, f record.Filter) ([]record.Referral, error) {
	var c clause
	c.add(`r.id = ?`, f.ID)
	c.add(`r.id < ?`, f.After)
	c.add(`r.company = ?`, f.Company)
	c.add(`r.recipient = ?`, f.Recipient)
	c.add(`r.state = ?`, f.State)
	c.add(`r.reason LIKE ? ESCAPE '\'`, part(f.Error))
	c.add(`r.created_at >= ?`, micros(f.Since))
	c.add(`r.created_at < ?`, micros(f.Until))
	return list(ctx, s, `SELECT `+referralColumns+` FROM referrals r`, "r.id DESC", c, f.Rows(), scanReferral)
}

// Consents lists consents, newest first, without their texts unless one is
// asked for by its id.
func (s *Store) Consents(ctx context.Context, f record.Filter) ([]record.Consent, error) {
	var c clause
	c.add(`c.id = ?`, f.ID)
	c.add(`c.id < ?`, f.After)
	c.add(`c.company = ?`, f.Company)
	c.add(`c.purpose = ?`, f.Purpose)
	switch f.State {
	case "given":
		c.add(`c.withdrawn_at < ?`, int64(1))
	case "withdrawn":
		c.add(`c.withdrawn_at >= ?`, int64(1))
	}
	c.add(`c.given_at >= ?`, micros(f.Since))
	c.add(`c.given_at < ?`, micros(f.Until))
	return list(ctx, s, `SELECT `+consentColumns+` FROM `+consentTables, "c.id DESC", c, f.Rows(), scanConsent)
}

// Batches lists what was done to many things at once, newest first.
func (s *Store) Batches(ctx context.Context, f record.Filter) ([]record.Batch, error) {
	var c clause
	c.add(`id = ?`, f.ID)
	c.add(`id < ?`, f.After)
	c.add(`company = ?`, f.Company)
	c.add(`state = ?`, f.State)
	return list(ctx, s, `SELECT id, verb, noun, filter, company, actor, reason, state, matched, changed, created_at FROM batches`, "id DESC", c, f.Rows(),
		func(row scanner) (record.Batch, error) {
			var b record.Batch
			var at int64
			err := row.Scan(&b.ID, &b.Verb, &b.Noun, &b.Filter, &b.Company, &b.Actor, &b.Reason, &b.State, &b.Matched, &b.Changed, &at)
			b.CreatedAt = clockTime(at)
			return b, err
		})
}

// Counts returns how many rows of each state a company has, or all companies.
func (s *Store) Counts(ctx context.Context, company string) (record.Counts, error) {
	c := record.Counts{Deliveries: map[string]int{}, Mails: map[string]int{}, Jobs: map[string]int{}, Referrals: map[string]int{}}
	for _, q := range []struct {
		query string
		into  map[string]int
	}{
		{`SELECT disposition, count(*) FROM deliveries WHERE $1 = '' OR company = $1 GROUP BY disposition`, c.Deliveries},
		{`SELECT CASE WHEN state = 'held' AND stopped = 1 THEN 'stopped' ELSE state END AS s, count(*) FROM mails WHERE $1 = '' OR company = $1 GROUP BY s`, c.Mails},
		{`SELECT state, count(*) FROM jobs WHERE $1 = '' OR company = $1 GROUP BY state`, c.Jobs},
		{`SELECT state, count(*) FROM referrals WHERE $1 = '' OR company = $1 GROUP BY state`, c.Referrals},
	} {
		rows, err := s.read.QueryContext(ctx, q.query, company)
		if err != nil {
			return c, unavailable("counting", err)
		}
		err = scan(rows, func() error {
			var state string
			var n int
			err := rows.Scan(&state, &n)
			q.into[state] = n
			return err
		})
		if err != nil {
			return c, unavailable("counting", err)
		}
	}
	return c, nil
}
