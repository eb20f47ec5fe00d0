package store

import (
	"context"

	"github.com/career-relay/connector/record"
)

// Subscriptions lists the webhooks that end by themselves: those of one company,
// or of all when company is empty.
func (s *Store) Subscriptions(ctx context.Context, company string) ([]record.Subscription, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT company, connection, vendor, id, ends_at, renewed_at, due_at, failures, error, alarmed FROM subscriptions
		WHERE $1 = '' OR company = $1 ORDER BY company, connection`, company)
	if err != nil {
		return nil, unavailable("reading subscriptions", err)
	}
	var out []record.Subscription
	err = scan(rows, func() error {
		var r record.Subscription
		var ends, renewed, due, alarmed int64
		err := rows.Scan(&r.Company, &r.Connection, &r.Vendor, &r.ID, &ends, &renewed, &due, &r.Failures, &r.Error, &alarmed)
		r.EndsAt, r.RenewedAt, r.DueAt, r.Alarmed = clockTime(ends), clockTime(renewed), clockTime(due), alarmed != 0
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, unavailable("reading subscriptions", err)
	}
	return out, nil
}

// KeepSubscription keeps how a connection's subscription stands.
func (s *Store) KeepSubscription(ctx context.Context, r record.Subscription) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `
			INSERT INTO subscriptions (company, connection, vendor, id, ends_at, renewed_at, due_at, failures, error, alarmed)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (company, connection) DO UPDATE SET vendor = excluded.vendor, id = excluded.id, ends_at = excluded.ends_at, renewed_at = excluded.renewed_at,
				due_at = excluded.due_at, failures = excluded.failures, error = excluded.error, alarmed = excluded.alarmed`,
			r.Company, r.Connection, r.Vendor, r.ID, micros(r.EndsAt), micros(r.RenewedAt), micros(r.DueAt), r.Failures, r.Error, flag(r.Alarmed))
		if err != nil {
			return err
		}
		return t.easePolls(ctx, r.Company)
	})
	if err != nil {
		return unavailable("keeping a subscription", err)
	}
	return nil
}

// DropSubscription forgets a connection's subscription, and its alarm.
func (s *Store) DropSubscription(ctx context.Context, company, connection string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, `DELETE FROM subscriptions WHERE company = $1 AND connection = $2`, company, connection); err != nil {
			return err
		}
		return t.easePolls(ctx, company)
	})
	if err != nil {
		return unavailable("forgetting a subscription", err)
	}
	return nil
}
