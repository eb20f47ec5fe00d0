package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

const jobColumns = `id, company, kind, queue, subject, state, seq, attempts, starts, due_at, error, fault, replay_of, batch, trace, created_at, updated_at`

type scanner interface{ Scan(dest ...any) error }

func scanJob(row scanner) (record.Job, error) {
	var j record.Job
	var due, created, updated int64
	err := row.Scan(&j.ID, &j.Company, &j.Kind, &j.Queue, &j.Subject, &j.State, &j.Seq, &j.Attempts, &j.Starts, &due,
		&j.Error, &j.Fault, &j.ReplayOf, &j.Batch, &j.Trace, &created, &updated)
	j.DueAt, j.CreatedAt, j.UpdatedAt = clockTime(due), clockTime(created), clockTime(updated)
	return j, err
}

// maxStarts is how often a job may start without reaching an outcome.
const maxStarts = 3

// Sweep gives lost jobs back: those dispatched longer than lost ago and those
// whose lease ran out. A job that took its worker down maxStarts times is
// dead. A mail that was being handed to its transport becomes unclear.
func (s *Store) Sweep(ctx context.Context, lost time.Duration) (record.Swept, error) {
	var swept record.Swept
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		swept = record.Swept{}
		now := s.Now()
		n, err := t.exec(ctx, `UPDATE jobs SET state = 'waiting', updated_at = $1 WHERE state = 'dispatched' AND dispatched_at <= $2`,
			micros(now), micros(now.Add(-lost)))
		if err != nil {
			return err
		}
		swept.Redispatched = int(n)
		if err := t.sweepMails(ctx, &swept); err != nil {
			return err
		}
		n, err = t.exec(ctx, `
			UPDATE jobs SET state = 'dead', error = $1, fault = '', lease_until = 0, updated_at = $2
			WHERE state = 'running' AND lease_until <= $2 AND starts >= $3`,
			"kills its worker: started 3 times without an outcome", micros(now), maxStarts)
		if err != nil {
			return err
		}
		swept.Killers = int(n)
		n, err = t.exec(ctx, `UPDATE jobs SET state = 'waiting', due_at = $1, error = 'interrupted', updated_at = $1 WHERE state = 'running' AND lease_until <= $1`, micros(now))
		if err != nil {
			return err
		}
		swept.Interrupted = int(n)
		t.dirty = swept.Redispatched+swept.Interrupted > 0
		return nil
	})
	if err != nil {
		return swept, unavailable("sweeping", err)
	}
	return swept, nil
}

// Recall makes every dispatched job waiting again. It is for a Redis that is
// known to be empty; a stale ticket that turns up later fails at the fence.
func (s *Store) Recall(ctx context.Context) (int, error) {
	var n int64
	err := s.update(ctx, func(ctx context.Context, t *tx) (err error) {
		n, err = t.exec(ctx, `UPDATE jobs SET state = 'waiting', updated_at = $1 WHERE state = 'dispatched'`, micros(s.Now()))
		t.dirty = n > 0
		return err
	})
	if err != nil {
		return 0, unavailable("recalling jobs", err)
	}
	return int(n), nil
}

// Lease reports whether the caller may run the named periodic work of tick.
// Of all replicas one gets true.
func (s *Store) Lease(ctx context.Context, name string, tick int64, owner string) (bool, error) {
	var n int64
	err := s.update(ctx, func(ctx context.Context, t *tx) (err error) {
		n, err = t.exec(ctx, `INSERT INTO leases (name, tick, owner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, name, tick, owner)
		if err != nil || n == 0 {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM leases WHERE name = $1 AND tick < $2`, name, tick-10)
		return err
	})
	if err != nil {
		return false, unavailable("taking a lease", err)
	}
	return n == 1, nil
}

// enqueue creates waiting jobs in the transaction that creates their work.
func (t *tx) enqueue(ctx context.Context, jobs ...record.Job) error {
	now := t.s.Now()
	step := 1
	if t.pg {
		step = len(jobs)
	}
	for ; len(jobs) > 0; jobs = jobs[step:] {
		var args []any
		for _, j := range jobs[:step] {
			if j.DueAt.IsZero() {
				j.DueAt = now
			}
			t.dirty = t.dirty || !j.DueAt.After(now)
			args = append(args, t.s.newID(), j.Company, j.Kind, j.Queue, j.Subject, string(record.JobWaiting), micros(j.DueAt),
				j.ReplayOf, j.Batch, j.Trace, micros(now), micros(now))
		}
		_, err := t.exec(ctx, `INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, replay_of, batch, trace, created_at, updated_at) VALUES `+places(step, 12), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// Dispatch takes up to room due jobs of a queue, the same number from every
// company that has any, the longest due first, and marks them dispatched.
func (s *Store) Dispatch(ctx context.Context, queue string, room int) ([]record.Ticket, error) {
	var tickets []record.Ticket
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		tickets = nil
		companies, err := t.dueCompanies(ctx, queue)
		if err != nil || len(companies) == 0 {
			return err
		}
		for room > len(tickets) && len(companies) > 0 {
			share := max(1, (room-len(tickets))/len(companies))
			var more []string
			for _, company := range companies {
				share = min(share, room-len(tickets))
				taken, err := t.claimJobs(ctx, queue, company, share)
				if err != nil {
					return err
				}
				tickets = append(tickets, taken...)
				if len(taken) == share && share > 0 {
					more = append(more, company)
				}
			}
			companies = more
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("dispatching", err)
	}
	return tickets, nil
}

// dueCompanies steps through the index from company to company, so that its
// cost does not grow with the number of waiting jobs.
func (t *tx) dueCompanies(ctx context.Context, queue string) ([]string, error) {
	rows, err := t.QueryContext(ctx, `
		WITH RECURSIVE c (company) AS (
			SELECT min(company) FROM jobs WHERE state = 'waiting' AND queue = $1
			UNION ALL
			SELECT (SELECT min(j.company) FROM jobs j WHERE j.state = 'waiting' AND j.queue = $1 AND j.company > c.company)
			FROM c WHERE c.company IS NOT NULL)
		SELECT company FROM c
		WHERE company IS NOT NULL AND EXISTS (SELECT 1 FROM jobs j WHERE j.state = 'waiting' AND j.queue = $1 AND j.company = c.company AND j.due_at <= $2)`,
		queue, micros(t.s.Now()))
	if err != nil {
		return nil, err
	}
	var companies []string
	err = scan(rows, func() error {
		var c string
		if err := rows.Scan(&c); err != nil {
			return err
		}
		companies = append(companies, c)
		return nil
	})
	return companies, err
}

func (t *tx) claimJobs(ctx context.Context, queue, company string, n int) ([]record.Ticket, error) {
	lock := ""
	if t.pg {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	now := micros(t.s.Now())
	rows, err := t.QueryContext(ctx, `
		UPDATE jobs SET state = 'dispatched', seq = seq + 1, dispatched_at = $1, updated_at = $1
		WHERE id IN (SELECT id FROM jobs WHERE state = 'waiting' AND queue = $2 AND company = $3 AND due_at <= $1 ORDER BY due_at LIMIT $4`+lock+`)
		RETURNING id, seq`, now, queue, company, n)
	if err != nil {
		return nil, err
	}
	var out []record.Ticket
	err = scan(rows, func() error {
		ticket := record.Ticket{Queue: queue}
		if err := rows.Scan(&ticket.Job, &ticket.Seq); err != nil {
			return err
		}
		out = append(out, ticket)
		return nil
	})
	return out, err
}

// Flying counts the dispatched jobs of a queue: what may be in Redis now.
func (s *Store) Flying(ctx context.Context, queue string) (int, error) {
	var n int
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE state = 'dispatched' AND queue = $1`, queue).Scan(&n)
	if err != nil {
		return 0, unavailable("counting dispatched jobs", err)
	}
	return n, nil
}

// NextDue returns when the next waiting job is due; zero when none waits.
func (s *Store) NextDue(ctx context.Context) (time.Time, error) {
	var due sql.NullInt64
	err := s.read.QueryRowContext(ctx, `SELECT min(due_at) FROM jobs WHERE state = 'waiting'`).Scan(&due)
	if err != nil {
		return time.Time{}, unavailable("looking for due jobs", err)
	}
	return clockTime(due.Int64), nil
}

// StartJob is the fence: only one caller gets the job for this seq, and only
// while it is dispatched. Everyone else gets an ats.Duplicate error.
func (s *Store) StartJob(ctx context.Context, id string, seq int64, lease time.Duration) (record.Job, error) {
	var j record.Job
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if t.pg {
			// A fence that is lost in a crash is set again; it need not wait for the disk.
			if _, err := t.exec(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
				return err
			}
		}
		now := s.Now()
		var err error
		j, err = scanJob(t.QueryRowContext(ctx, `
			UPDATE jobs SET state = 'running', starts = starts + 1, lease_until = $1, updated_at = $2
			WHERE id = $3 AND seq = $4 AND state = 'dispatched' RETURNING `+jobColumns,
			micros(now.Add(lease)), micros(now), id, seq))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return j, ats.Errorf(ats.Duplicate, "job %s is not waiting for run %d", id, seq)
	}
	if err != nil {
		return j, unavailable("starting a job", err)
	}
	return j, nil
}

// FinishJob records the outcome of a run.
func (s *Store) FinishJob(ctx context.Context, j record.Job, o record.Outcome) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error { return t.finishJob(ctx, j, o) })
	if err != nil && ats.FaultOf(err) == "" {
		return unavailable("finishing a job", err)
	}
	return err
}

// finishJob is part of the transaction that keeps the effects of the run. When
// the lease was lost meanwhile the whole transaction must fail: somebody else
// has the job.
func (t *tx) finishJob(ctx context.Context, j record.Job, o record.Outcome) error {
	now := t.s.Now()
	if o.DueAt.IsZero() {
		o.DueAt = j.DueAt
	}
	n, err := t.exec(ctx, `
		UPDATE jobs SET state = $1, due_at = $2, error = $3, fault = $4, attempts = attempts + $5, starts = 0, lease_until = 0, updated_at = $6
		WHERE id = $7 AND seq = $8 AND state = 'running'`,
		string(o.State), micros(o.DueAt), o.Error, string(o.Fault), flag(o.Consumed), micros(now), j.ID, j.Seq)
	if err != nil {
		return err
	}
	if n == 0 {
		return ats.Errorf(ats.Duplicate, "job %s lost its lease", j.ID)
	}
	t.dirty = t.dirty || o.State == record.JobWaiting && !o.DueAt.After(now)
	return nil
}
