package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

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

// Unsubscribe puts the person of a stop link on the list of those who want no
// offers. Results of selections still reach them.
func (s *Store) Unsubscribe(ctx context.Context, l record.Link, how string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var ref []byte
		err := t.QueryRowContext(ctx, `SELECT address_ref FROM mails WHERE application = $1 AND company = $2 AND person_id = $3 ORDER BY id DESC LIMIT 1`, l.Application, l.Company, l.Person).Scan(&ref)
		if errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.NotFound, "no mail goes with this link")
		}
		if err != nil {
			return err
		}
		return t.suppress(ctx, l.Company, ref, ScopeOffers, how)
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("unsubscribing", err)
	}
	return err
}
