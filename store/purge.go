package store

import (
	"context"
	"time"

	"github.com/career-relay/connector/record"
)

// purgePortion is how many rows of a table one transaction purges, so that the
// live path does not wait long.
const purgePortion = 500

// A purge deletes or empties old rows and returns of each the id, or the
// person whose data it held.
type purge struct {
	statement string
	before    time.Time
	people    bool // it returns people, who may be forgotten now
}

// Purge deletes what is older than it may be: raw deliveries and files past their day
// with their jobs that are over, registrations that were never confirmed, the
// content of old mails and the personal part of old applications. Mails that
// nobody decided about for so long are cancelled. It works in portions and reports whether more is left.
func (s *Store) Purge(ctx context.Context, company string, r record.Retention) (deleted int, more bool, err error) {
	now := s.Now()
	steps := []purge{
		{`DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE company = $1 AND expires_at <= $2 AND disposition <> 'new' LIMIT $3) RETURNING id`, now, false},
		{`DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE company = $1 AND expires_at <= $2 LIMIT $3) RETURNING id`, now, false},
		{`UPDATE registrations SET state = 'expired', sealed = NULL WHERE id IN (SELECT id FROM registrations WHERE company = $1 AND state = 'pending' AND expires_at <= $2 LIMIT $3) RETURNING person_id`, now, true},
	}
	if r.Mails > 0 {
		steps = append(steps, purge{`UPDATE mails SET sealed = NULL WHERE id IN (SELECT id FROM mails WHERE company = $1 AND created_at <= $2 AND state NOT IN ('held', 'sending') AND sealed IS NOT NULL LIMIT $3) RETURNING person_id`, now.Add(-r.Mails), true})
	}
	if r.Candidates > 0 {
		steps = append(steps, purge{`UPDATE applications SET sealed = NULL WHERE id IN (SELECT id FROM applications WHERE company = $1 AND updated_at <= $2 AND sealed IS NOT NULL LIMIT $3) RETURNING person_id`, now.Add(-r.Candidates), true})
	}
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		deleted, more = 0, false
		if err := t.keepFor(ctx, company, r); err != nil {
			return err
		}
		if r.Mails > 0 {
			// Nobody decided about these; they do not lie there for ever.
			_, err := t.takeBack(ctx, "its time is over", `state = 'cancelled', stopped = 0, final = 1, reason = 'retention', updated_at = $1`, `company = $2 AND created_at <= $3`,
				micros(now), company, micros(now.Add(-r.Mails)))
			if err != nil {
				return err
			}
		}
		for _, step := range steps {
			n, err := t.purge(ctx, company, step)
			if err != nil {
				return err
			}
			deleted += n
			more = more || n == purgePortion
		}
		return nil
	})
	if err != nil {
		err = unavailable("purging", err)
	}
	return deleted, more, err
}

// keepFor remembers how long a company's data is kept.
func (t *tx) keepFor(ctx context.Context, company string, r record.Retention) error {
	if r == (record.Retention{}) {
		return nil
	}
	_, err := t.exec(ctx, `UPDATE companies SET keep_candidates = $1, keep_mails = $2 WHERE id = $3 AND (keep_candidates <> $1 OR keep_mails <> $2)`,
		r.Candidates.Microseconds(), r.Mails.Microseconds(), company)
	return err
}

// Retentions lists every company of which something is kept or was, with the
// periods of its last purge, which are zero before the first.
func (s *Store) Retentions(ctx context.Context) (map[string]record.Retention, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, keep_candidates, keep_mails FROM companies`)
	if err != nil {
		return nil, unavailable("reading the retention periods", err)
	}
	out := map[string]record.Retention{}
	err = scan(rows, func() error {
		var id string
		var candidates, mails int64
		err := rows.Scan(&id, &candidates, &mails)
		out[id] = record.Retention{Candidates: time.Duration(candidates) * time.Microsecond, Mails: time.Duration(mails) * time.Microsecond}
		return err
	})
	if err != nil {
		return nil, unavailable("reading the retention periods", err)
	}
	return out, nil
}

func (t *tx) purge(ctx context.Context, company string, p purge) (int, error) {
	rows, err := t.QueryContext(ctx, p.statement, company, micros(p.before), purgePortion)
	if err != nil {
		return 0, err
	}
	ids, err := texts(rows)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if p.people {
			err = t.forget(ctx, id)
		} else {
			_, err = t.exec(ctx, `DELETE FROM jobs WHERE subject = $1 AND state IN ('done', 'cancelled')`, id)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
