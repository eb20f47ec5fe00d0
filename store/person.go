package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// FindPeople returns the ids of a company's people with this address or name.
func (s *Store) FindPeople(ctx context.Context, company, query string) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM people WHERE company = $1 AND (person_ref = $2 OR name_index = $3) ORDER BY id LIMIT 200`,
		company, s.addressRef(company, ats.Email(query)), s.nameIndex(company, query))
	if err != nil {
		return nil, unavailable("finding people", err)
	}
	ids, err := texts(rows)
	if err != nil {
		return nil, unavailable("finding people", err)
	}
	return ids, nil
}

// ExportPerson collects everything that is kept about a person.
func (s *Store) ExportPerson(ctx context.Context, actor record.Actor, id, reason string) (record.Dossier, error) {
	d := record.Dossier{ID: id}
	err := s.read.QueryRowContext(ctx, `SELECT company FROM people WHERE id = $1`, id).Scan(&d.Company)
	if errors.Is(err, sql.ErrNoRows) {
		return d, ats.Errorf(ats.NotFound, "no person %s", id)
	}
	if err != nil {
		return d, unavailable("exporting a person", err)
	}
	if err := s.Audit(ctx, actor, record.Audit{Verb: "export", Noun: "person", Subject: id, Company: d.Company, Reason: reason}); err != nil {
		return d, err
	}
	for _, collect := range []func(context.Context, *record.Dossier) error{s.exportApplications, s.exportMails, s.exportRegistrations} {
		if err := collect(ctx, &d); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (s *Store) idsOf(ctx context.Context, table, person string) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM `+table+` WHERE person_id = $1 ORDER BY id`, person)
	if err != nil {
		return nil, unavailable("exporting a person", err)
	}
	return texts(rows)
}

func (s *Store) exportApplications(ctx context.Context, d *record.Dossier) error {
	ids, err := s.idsOf(ctx, "applications", d.ID)
	for _, id := range ids {
		a, err := s.Application(ctx, id, true)
		if err != nil && ats.FaultOf(err) != ats.NotFound {
			return err
		}
		d.Applications = append(d.Applications, a)
	}
	return err
}

func (s *Store) exportMails(ctx context.Context, d *record.Dossier) error {
	ids, err := s.idsOf(ctx, "mails", d.ID)
	for _, id := range ids {
		m, msg, err := s.Letter(ctx, id)
		switch {
		case err == nil:
			d.Mails = append(d.Mails, record.DossierMail{Mail: m, Message: &msg})
		case ats.FaultOf(err) == ats.NotFound:
			d.Mails = append(d.Mails, record.DossierMail{Mail: m})
		default:
			return err
		}
	}
	return err
}

func (s *Store) exportRegistrations(ctx context.Context, d *record.Dossier) error {
	ids, err := s.idsOf(ctx, "registrations", d.ID)
	for _, id := range ids {
		m, err := s.Membership(ctx, id)
		if ats.FaultOf(err) == ats.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		d.Registrations = append(d.Registrations, m.Profile)
		d.Consents = append(d.Consents, m.Consents...)
		d.Referrals = append(d.Referrals, m.Referrals...)
	}
	return err
}

// ErasePerson destroys the person's data key, and with it everything personal
// in every table; waiting mails are cancelled, links revoked, consents
// withdrawn and raw deliveries deleted. Counts and the ledger stay. The
// suppression list stays too: it keeps a keyed hash only, and without it the
// person would be written to again.
func (s *Store) ErasePerson(ctx context.Context, actor record.Actor, id, reason string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var company string
		err := t.QueryRowContext(ctx, `SELECT company FROM people WHERE id = $1 AND erased_at = 0`, id).Scan(&company)
		if errors.Is(err, sql.ErrNoRows) {
			return t.missing(ctx, "people", "person", id, "was erased before")
		}
		if err != nil {
			return err
		}
		now := micros(s.Now())
		for _, statement := range []string{
			`UPDATE jobs SET state = 'cancelled', error = 'erased', updated_at = $2 WHERE state IN ('waiting', 'dispatched', 'dead') AND subject IN (SELECT id FROM mails WHERE person_id = $1 AND state = 'held' UNION SELECT id FROM referrals WHERE person_id = $1)`,
			`UPDATE mails SET state = 'cancelled', stopped = 0, reason = 'erased', updated_at = $2 WHERE person_id = $1 AND state = 'held'`,
			`UPDATE mails SET sealed = NULL, updated_at = $2 WHERE person_id = $1`,
			`UPDATE links SET revoked_at = $2 WHERE person_id = $1 AND revoked_at = 0`,
			`UPDATE consents SET withdrawn_at = $2 WHERE person_id = $1 AND withdrawn_at = 0`,
			`UPDATE referrals SET state = 'cancelled', reason = 'erased', updated_at = $2 WHERE person_id = $1 AND state IN ('waiting', 'failed')`,
			`UPDATE referrals SET state = 'withdrawn', reason = 'erased', updated_at = $2 WHERE person_id = $1 AND state = 'handed_over'`,
			`UPDATE registrations SET state = 'erased', sealed = NULL, confirmed_at = CASE WHEN confirmed_at > $2 THEN $2 ELSE confirmed_at END WHERE person_id = $1`,
			`UPDATE applications SET state = 'erased', sealed = NULL, evidence = '', updated_at = $2 WHERE person_id = $1`,
		} {
			if _, err := t.exec(ctx, statement, id, now); err != nil {
				return err
			}
		}
		for _, statement := range []string{
			`DELETE FROM deliveries WHERE id IN (SELECT e.delivery FROM events e JOIN applications a ON a.id = e.application WHERE a.person_id = $1)`,
			`UPDATE events SET evidence = '', status = '', reason = '' WHERE application IN (SELECT id FROM applications WHERE person_id = $1)`,
		} {
			if _, err := t.exec(ctx, statement, id); err != nil {
				return err
			}
		}
		if err := t.destroyKey(ctx, id); err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "erase", Noun: "person", Subject: id, Company: company, Reason: reason})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("erasing a person", err)
	}
	return err
}

// Purge deletes what is older than it may be: raw deliveries past their day,
// registrations that were never confirmed, the content of old mails and the
// personal part of old applications. It works in portions of a thousand rows
// and reports whether more is left.
func (s *Store) Purge(ctx context.Context, company string, r record.Retention) (deleted int, more bool, err error) {
	const portion = 1000
	now := s.Now()
	steps := []struct {
		statement string
		before    time.Time
	}{
		{`DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE company = $1 AND expires_at <= $2 AND disposition <> 'new' LIMIT $3)`, now},
		{`UPDATE registrations SET state = 'expired', sealed = NULL WHERE id IN (SELECT id FROM registrations WHERE company = $1 AND state = 'pending' AND expires_at <= $2 LIMIT $3)`, now},
	}
	if r.Mails > 0 {
		steps = append(steps, struct {
			statement string
			before    time.Time
		}{`UPDATE mails SET sealed = NULL WHERE id IN (SELECT id FROM mails WHERE company = $1 AND created_at <= $2 AND state NOT IN ('held', 'sending') AND sealed IS NOT NULL LIMIT $3)`, now.Add(-r.Mails)})
	}
	if r.Candidates > 0 {
		steps = append(steps, struct {
			statement string
			before    time.Time
		}{`UPDATE applications SET sealed = NULL WHERE id IN (SELECT id FROM applications WHERE company = $1 AND updated_at <= $2 AND sealed IS NOT NULL LIMIT $3)`, now.Add(-r.Candidates)})
	}
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		deleted, more = 0, false
		for _, step := range steps {
			n, err := t.exec(ctx, step.statement, company, micros(step.before), portion)
			if err != nil {
				return err
			}
			deleted += int(n)
			more = more || n == portion
		}
		return nil
	})
	if err != nil {
		err = unavailable("purging", err)
	}
	return deleted, more, err
}
