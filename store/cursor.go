package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

const pollColumns = `company, connection, vendor, first_sweep, updated_at, swept_at, started_at, due_at, rung_at, failures, error, fault, alarmed, cursor, seq, lease_until`

func scanPoll(row scanner) (record.Poll, error) {
	var p record.Poll
	var first, updated, swept, started, due, rung, alarmed, lease int64
	err := row.Scan(&p.Company, &p.Connection, &p.Vendor, &first, &updated, &swept, &started, &due, &rung, &p.Failures, &p.Error, &p.Fault, &alarmed, &p.Cursor, &p.Seq, &lease)
	p.First, p.Alarmed = first != 0, alarmed != 0
	p.UpdatedAt, p.SweptAt, p.StartedAt = clockTime(updated), clockTime(swept), clockTime(started)
	p.DueAt, p.RungAt, p.Lease = clockTime(due), clockTime(rung), clockTime(lease)
	return p, err
}

// Polls lists where the pollers stand, without their cursors, which are long:
// those of one company, or of all when company is empty. A connection that was
// never swept is not among them.
func (s *Store) Polls(ctx context.Context, company string) ([]record.Poll, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+strings.Replace(pollColumns, "cursor", "''", 1)+` FROM cursors WHERE $1 = '' OR company = $1 ORDER BY company, connection`, company)
	if err != nil {
		return nil, unavailable("reading cursors", err)
	}
	var out []record.Poll
	err = scan(rows, func() error {
		p, err := scanPoll(rows)
		out = append(out, p)
		return err
	})
	if err != nil {
		return nil, unavailable("reading cursors", err)
	}
	return out, nil
}

// Poll returns where the poller of a connection stands, with its cursor. One that
// never ran stands before its first sweep.
func (s *Store) Poll(ctx context.Context, company, connection string) (record.Poll, error) {
	p, err := scanPoll(s.read.QueryRowContext(ctx, `SELECT `+pollColumns+` FROM cursors WHERE company = $1 AND connection = $2`, company, connection))
	if errors.Is(err, sql.ErrNoRows) {
		return record.Poll{Company: company, Connection: connection, First: true}, nil
	}
	if err != nil {
		return p, unavailable("reading a cursor", err)
	}
	return p, nil
}

// ClaimPoll gives one caller the sweep of a connection until the lease ends, and
// everybody else an ats.Duplicate error. With now the sweep need not be due.
// What another vendor's connector left under the same name is forgotten.
func (s *Store) ClaimPoll(ctx context.Context, company, connection, vendor string, lease time.Duration, now bool) (record.Poll, error) {
	var p record.Poll
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		at := s.Now()
		_, err := t.exec(ctx, `INSERT INTO cursors (company, connection, vendor, cursor, updated_at) VALUES ($1, $2, $3, '', 0) ON CONFLICT DO NOTHING`, company, connection, vendor)
		if err != nil {
			return err
		}
		p, err = scanPoll(t.QueryRowContext(ctx, `
			UPDATE cursors SET seq = seq + 1, lease_until = $1, started_at = $2, vendor = $3,
				cursor = CASE WHEN vendor = $3 THEN cursor ELSE '' END, first_sweep = CASE WHEN vendor = $3 THEN first_sweep ELSE 1 END
			WHERE company = $4 AND connection = $5 AND lease_until <= $2 AND ($6 = 1 OR due_at <= $2 OR (error = '' AND rung_at > started_at AND started_at <= $7))
			RETURNING `+pollColumns, micros(at.Add(lease)), micros(at), vendor, company, connection, flag(now), micros(at.Add(-record.RingRest))))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return p, ats.Errorf(ats.Duplicate, "%s/%s is being swept, or is not due", company, connection)
	}
	if err != nil {
		return p, unavailable("claiming a sweep", err)
	}
	return p, nil
}

// arrivalsAtOnce bounds the rows of one statement: PostgreSQL numbers its
// parameters with 16 bits.
const arrivalsAtOnce = 1000

// KeepPoll keeps where a sweep stands, with its news as deliveries and the jobs
// that will decode them, in one transaction, and returns how many were new. A
// sweep that lost its lease keeps nothing and gets an ats.Duplicate error.
func (s *Store) KeepPoll(ctx context.Context, p record.Poll, news []record.Arrival) (kept int, err error) {
	aead, err := s.companyKey(ctx, p.Company)
	if err != nil {
		return 0, err
	}
	queues := map[string][]record.Arrival{}
	for _, a := range news {
		queue := record.LiveQueue
		if a.Delivery.Payload.History() {
			queue = record.BulkQueue // the past does not slow the present
		}
		queues[queue] = append(queues[queue], a)
	}
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		kept = 0
		n, err := t.exec(ctx, `
			UPDATE cursors SET cursor = $1, first_sweep = $2, updated_at = $3, swept_at = $4, due_at = $5, lease_until = $6, failures = $7, error = $8, fault = $9, alarmed = $10
			WHERE company = $11 AND connection = $12 AND seq = $13 AND lease_until > 0`,
			p.Cursor, flag(p.First), micros(p.UpdatedAt), micros(p.SweptAt), micros(p.DueAt), micros(p.Lease), p.Failures, p.Error, string(p.Fault), flag(p.Alarmed),
			p.Company, p.Connection, p.Seq)
		if err != nil {
			return err
		}
		if n == 0 {
			return ats.Errorf(ats.Duplicate, "the sweep of %s/%s lost its lease", p.Company, p.Connection)
		}
		for queue, arrivals := range queues {
			for part := range slices.Chunk(arrivals, min(t.step(len(arrivals)), arrivalsAtOnce)) {
				n, err := t.saveArrivals(ctx, aead, part, queue, "")
				if err != nil {
					return err
				}
				kept += n
			}
		}
		return t.easePolls(ctx, p.Company)
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("keeping a sweep", err)
	}
	return kept, err
}

// RingPoll makes the next sweep of a connection due.
func (s *Store) RingPoll(ctx context.Context, company, connection string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE cursors SET rung_at = $1 WHERE company = $2 AND connection = $3`, micros(s.Now()), company, connection)
		return err
	})
	if err != nil {
		return unavailable("noting that there is news", err)
	}
	return nil
}

// SilencePoll takes back the alarm of a connection that is not swept any more.
func (s *Store) SilencePoll(ctx context.Context, company, connection string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, `UPDATE cursors SET alarmed = 0 WHERE company = $1 AND connection = $2`, company, connection); err != nil {
			return err
		}
		return t.easePolls(ctx, company)
	})
	if err != nil {
		return unavailable("taking an alarm back", err)
	}
	return nil
}

// easePolls opens, changes or closes the poll brake, as the company's
// connections stand.
func (t *tx) easePolls(ctx context.Context, company string) error {
	rows, err := t.QueryContext(ctx, `
		SELECT connection || ': ' || error FROM cursors WHERE company = $1 AND alarmed = 1
		UNION ALL SELECT connection || ': webhook not renewed: ' || error FROM subscriptions WHERE company = $1 AND alarmed = 1 ORDER BY 1`, company)
	if err != nil {
		return err
	}
	causes, err := texts(rows)
	if err != nil {
		return err
	}
	if len(causes) == 0 {
		return t.closeBrakes(ctx, company, record.PollBrake)
	}
	return t.openBrake(ctx, company, record.PollBrake, strings.Join(causes, "; "), time.Time{})
}
