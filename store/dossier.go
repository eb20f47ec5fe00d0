package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// ExportPerson collects everything that is kept about a person.
func (s *Store) ExportPerson(ctx context.Context, actor record.Actor, id, reason string) (record.Dossier, error) {
	d := record.Dossier{ID: id}
	if err := needReason(reason); err != nil {
		return d, err
	}
	var erased int64
	err := s.read.QueryRowContext(ctx, `SELECT company, erased_at FROM people WHERE id = $1`, id).Scan(&d.Company, &erased)
	d.ErasedAt = clockTime(erased)
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
	ids, err := texts(rows)
	if err != nil {
		return nil, unavailable("exporting a person", err)
	}
	return ids, nil
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
		switch {
		case err == nil:
			d.Registrations = append(d.Registrations, m.Profile)
		case ats.FaultOf(err) == ats.NotFound: // the profile is gone; what was agreed and handed over stays on record
			m.Consents, m.Referrals, err = s.provided(ctx, id)
		}
		if err != nil {
			return err
		}
		d.Consents = append(d.Consents, m.Consents...)
		d.Referrals = append(d.Referrals, m.Referrals...)
	}
	return err
}
