package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/career-relay/connector/record"
)

// Pulse reads what is open now and what was received since. Every query runs
// over an index and stops at what is finished.
func (s *Store) Pulse(ctx context.Context, since time.Time) (record.Pulse, error) {
	p := record.Pulse{Open: map[string]record.Counts{}, Received: map[string]map[string]int{}, Backlog: map[string]record.Backlog{}}
	for _, q := range []struct {
		query string
		into  func(record.Counts) map[string]int
	}{
		{
			`SELECT company, disposition, count(*) FROM deliveries WHERE disposition IN ('new', 'parked', 'quarantined') GROUP BY company, disposition`,
			func(c record.Counts) map[string]int { return c.Deliveries },
		},
		{
			`SELECT company, CASE WHEN state = 'held' AND stopped = 1 THEN 'stopped' ELSE state END AS s, count(*) FROM mails WHERE state IN ('held', 'sending', 'unclear', 'failed') GROUP BY company, s`,
			func(c record.Counts) map[string]int { return c.Mails },
		},
		{
			`SELECT company, state, count(*) FROM jobs WHERE state IN ('waiting', 'dispatched', 'running', 'dead', 'unclear') GROUP BY company, state`,
			func(c record.Counts) map[string]int { return c.Jobs },
		},
		{
			`SELECT company, state, count(*) FROM referrals WHERE state IN ('waiting', 'failed') GROUP BY company, state`,
			func(c record.Counts) map[string]int { return c.Referrals },
		},
	} {
		err := s.tally(ctx, q.query, nil, func(company, state string, n int) {
			if _, ok := p.Open[company]; !ok {
				p.Open[company] = record.NewCounts()
			}
			q.into(p.Open[company])[state] = n
		})
		if err != nil {
			return p, err
		}
	}
	err := s.tally(ctx, `
		WITH received AS MATERIALIZED (SELECT company, disposition FROM deliveries WHERE id >= $1)
		SELECT company, disposition, count(*) FROM received GROUP BY company, disposition`, []any{firstID(since)}, func(company, state string, n int) {
		if p.Received[company] == nil {
			p.Received[company] = map[string]int{}
		}
		p.Received[company][state] = n
	})
	if err != nil {
		return p, err
	}
	return p, s.backlog(ctx, &p)
}

// firstID returns an id that sorts before all that were made from t on.
func firstID(t time.Time) string {
	var id ulid.ULID
	if t.After(time.Unix(0, 0)) {
		_ = id.SetTime(ulid.Timestamp(t)) // fails beyond the year 10889
	}
	return id.String()
}

func (s *Store) tally(ctx context.Context, query string, args []any, add func(company, state string, n int)) error {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return unavailable("counting", err)
	}
	err = scan(rows, func() error {
		var company, state string
		var n int
		if err := rows.Scan(&company, &state, &n); err != nil {
			return err
		}
		add(company, state, n)
		return nil
	})
	if err != nil {
		return unavailable("counting", err)
	}
	return nil
}

func (s *Store) backlog(ctx context.Context, p *record.Pulse) error {
	rows, err := s.read.QueryContext(ctx, `
		WITH due AS MATERIALIZED (SELECT queue, due_at FROM jobs WHERE state = 'waiting' AND due_at <= $1 ORDER BY due_at)
		SELECT queue, count(*), min(due_at) FROM due GROUP BY queue`, micros(s.Now()))
	if err != nil {
		return unavailable("counting", err)
	}
	err = scan(rows, func() error {
		var queue string
		var n int
		var oldest int64
		if err := rows.Scan(&queue, &n, &oldest); err != nil {
			return err
		}
		p.Backlog[queue] = record.Backlog{Due: n, Oldest: clockTime(oldest)}
		return nil
	})
	if err != nil {
		return unavailable("counting", err)
	}
	var next int64
	err = s.read.QueryRowContext(ctx, `SELECT due_at FROM jobs WHERE state = 'waiting' AND kind = 'mail' ORDER BY due_at LIMIT 1`).Scan(&next)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return unavailable("counting", err)
	}
	p.NextMail = clockTime(next)
	return nil
}
