package store

import (
	"context"
	"time"

	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// Vitals reads what alerts are judged by, and notes which connections were
// heard from since it was read last.
func (s *Store) Vitals(ctx context.Context) (record.Vitals, error) {
	v := record.Vitals{Oldest: map[string]time.Time{}, Dead: map[string]int{}, Parked: map[string]int{}, Unclear: map[string]int{}, Heard: map[string]time.Time{}}
	for _, q := range []struct {
		query string
		into  map[string]int
	}{
		{`SELECT company, '', count(*) FROM jobs WHERE state = 'dead' AND NOT (kind IN ('decode', 'feedback') AND fault = 'invalid') GROUP BY company`, v.Dead},
		{`SELECT company, '', count(*) FROM deliveries WHERE disposition = 'parked' GROUP BY company`, v.Parked},
		{`SELECT company, '', count(*) FROM mails WHERE state = 'unclear' GROUP BY company`, v.Unclear},
	} {
		if err := s.tally(ctx, q.query, nil, func(company, _ string, n int) { q.into[company] = n }); err != nil {
			return v, err
		}
	}
	p := record.Pulse{Backlog: map[string]record.Backlog{}}
	if err := s.backlog(ctx, &p); err != nil {
		return v, err
	}
	for queue, b := range p.Backlog {
		v.Oldest[queue] = b.Oldest
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+brakeColumns+` FROM brakes WHERE resolved_at = 0 ORDER BY id`)
	if err != nil {
		return v, unavailable("reading brakes", err)
	}
	err = scan(rows, func() error {
		b, err := scanBrake(rows)
		v.Brakes = append(v.Brakes, b)
		return err
	})
	if err != nil {
		return v, unavailable("reading brakes", err)
	}
	if v.Polls, err = s.Polls(ctx, ""); err != nil {
		return v, err
	}
	if err := s.listen(ctx); err != nil {
		return v, unavailable("noting who was heard", err)
	}
	v.Heard, err = s.heard(ctx)
	return v, err
}

// overlap is how far a look at the deliveries goes back beyond the last one,
// for those that were being written then.
const overlap = 2 * time.Minute

// listen notes when each connection was heard from last. It reads only what
// came since the last time. A stranger's delivery and an imported file are no
// news of a connection.
func (s *Store) listen(ctx context.Context) error {
	now := s.Now()
	at, err := s.heard(ctx)
	if err != nil {
		return err
	}
	since := at["/"]
	if !since.IsZero() {
		since = since.Add(-overlap)
	}
	rows, err := s.read.QueryContext(ctx, `
		WITH received AS MATERIALIZED (SELECT company, connection, received_at FROM deliveries WHERE id >= $1 AND door IN ($2, $3) AND disposition <> 'quarantined')
		SELECT company, connection, max(received_at) FROM received GROUP BY company, connection ORDER BY company, connection`, firstID(since), string(connectors.Webhook), string(connectors.Poll))
	if err != nil {
		return err
	}
	type news struct {
		company, connection string
		at                  int64
	}
	all := []news{{at: micros(now)}}
	err = scan(rows, func() error {
		var n news
		err := rows.Scan(&n.company, &n.connection, &n.at)
		all = append(all, n)
		return err
	})
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, t *tx) error {
		for _, n := range all {
			_, err := t.exec(ctx, `INSERT INTO heard (company, connection, at) VALUES ($1, $2, $3) ON CONFLICT (company, connection) DO UPDATE SET at = excluded.at WHERE heard.at < excluded.at`,
				n.company, n.connection, n.at)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) heard(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT company || '/' || connection, at FROM heard`)
	if err != nil {
		return nil, unavailable("reading who was heard", err)
	}
	out := map[string]time.Time{}
	err = scan(rows, func() error {
		var name string
		var at int64
		err := rows.Scan(&name, &at)
		out[name] = clockTime(at)
		return err
	})
	if err != nil {
		return nil, unavailable("reading who was heard", err)
	}
	return out, nil
}
