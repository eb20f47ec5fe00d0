package store

import (
	"context"

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
// offers, with every address that the company's mails to this person went to.
// Results of selections still reach them.
func (s *Store) Unsubscribe(ctx context.Context, l record.Link, how string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT DISTINCT address_ref FROM mails WHERE company = $1 AND person_id = $2 AND address_ref IS NOT NULL`, l.Company, l.Person)
		if err != nil {
			return err
		}
		var refs [][]byte
		err = scan(rows, func() error {
			var ref []byte
			err := rows.Scan(&ref)
			refs = append(refs, ref)
			return err
		})
		if err != nil {
			return err
		}
		if len(refs) == 0 {
			return ats.Errorf(ats.NotFound, "no mail goes with this link")
		}
		for _, ref := range refs {
			if err := t.suppress(ctx, l.Company, ref, ScopeOffers, how); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("unsubscribing", err)
	}
	return err
}
