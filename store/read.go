package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

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
	aead, err := s.readPersonKey(ctx, s.read, a.PersonID, "")
	if err != nil {
		return a, err
	}
	a.Candidate = &ats.Candidate{}
	return a, unseal(aead, "application "+a.ID, sealed, a.Candidate)
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
