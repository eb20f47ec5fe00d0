package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/consent"
)

func (t *tx) insertLinks(ctx context.Context, links []record.Link, company, application, person string) error {
	for _, l := range links {
		if l.Token == "" {
			continue // the mail has none of this kind
		}
		_, err := t.exec(ctx, `INSERT INTO links (hash, kind, company, application, person_id, registration, locale, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			consent.HashToken(l.Token), l.Kind, company, application, person, l.Registration, l.Locale, micros(t.s.Now()), micros(l.Expires))
		if err != nil {
			return err
		}
	}
	return nil
}

// FindLink returns the link of a token, if it is of this kind; an empty kind
// takes every link. An unknown token and one that has ended look the same:
// ats.NotFound.
func (s *Store) FindLink(ctx context.Context, kind, token string) (record.Link, error) {
	l := record.Link{Token: token}
	var expires, revoked int64
	err := s.read.QueryRowContext(ctx, `SELECT kind, company, application, person_id, registration, locale, expires_at, revoked_at FROM links WHERE hash = $1`,
		consent.HashToken(token)).Scan(&l.Kind, &l.Company, &l.Application, &l.Person, &l.Registration, &l.Locale, &expires, &revoked)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return l, unavailable("reading a link", err)
	}
	l.Expires = clockTime(expires)
	if err != nil || kind != "" && kind != l.Kind || revoked != 0 || !s.Now().Before(l.Expires) {
		return record.Link{}, ats.Errorf(ats.NotFound, "this link has ended")
	}
	return l, nil
}
