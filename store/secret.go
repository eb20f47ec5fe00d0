package store

import (
	"context"

	"github.com/career-relay/connector/record"
)

// NoteSecret notes that a secret fitted just now. It is called now and then, not
// for every delivery.
func (s *Store) NoteSecret(ctx context.Context, company, connection, secret string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `
			INSERT INTO secret_uses (company, connection, secret, first_at, last_at) VALUES ($1, $2, $3, $4, $4)
			ON CONFLICT (company, connection, secret) DO UPDATE SET last_at = CASE WHEN excluded.last_at > secret_uses.last_at THEN excluded.last_at ELSE secret_uses.last_at END`,
			company, connection, secret, micros(s.Now()))
		return err
	})
	if err != nil {
		return unavailable("noting a secret", err)
	}
	return nil
}

// SecretUses says when the secrets of a company's connections fitted, or of all.
func (s *Store) SecretUses(ctx context.Context, company string) ([]record.SecretUse, error) {
	var c clause
	c.add(`company = ?`, company)
	return list(ctx, s, `SELECT company, connection, secret, first_at, last_at FROM secret_uses`, "company, connection, last_at DESC", c, 10_000, func(row scanner) (record.SecretUse, error) {
		var u record.SecretUse
		var first, last int64
		err := row.Scan(&u.Company, &u.Connection, &u.Secret, &first, &last)
		u.FirstAt, u.LastAt = clockTime(first), clockTime(last)
		return u, err
	})
}
