package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

const jobColumns = `id, company, kind, queue, subject, state, seq, attempts, starts, due_at, error, fault, deaths, replay_of, batch, trace, created_at, updated_at`

type scanner interface{ Scan(dest ...any) error }

func scanJob(row scanner) (record.Job, error) {
	var j record.Job
	var due, created, updated int64
	err := row.Scan(&j.ID, &j.Company, &j.Kind, &j.Queue, &j.Subject, &j.State, &j.Seq, &j.Attempts, &j.Starts, &due,
		&j.Error, &j.Fault, &j.Deaths, &j.ReplayOf, &j.Batch, &j.Trace, &created, &updated)
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
		_, err = t.exec(ctx, `
			UPDATE mails SET state = 'failed', reason = 'its job is dead', updated_at = $1
			WHERE state = 'held' AND id IN (SELECT subject FROM jobs WHERE kind = 'mail' AND state = 'running' AND lease_until <= $1 AND starts >= $2)`, micros(now), maxStarts)
		if err != nil {
			return err
		}
		n, err = t.exec(ctx, `
			UPDATE jobs SET state = 'dead', error = $1, fault = $2, deaths = deaths + starts, vendor = `+vendorOf+`, lease_until = 0, updated_at = $3
			WHERE state = 'running' AND lease_until <= $3 AND starts >= $4`,
			"kills its worker: started 3 times without an outcome", record.Killer, micros(now), maxStarts)
		if err != nil {
			return err
		}
		swept.Killers = int(n)
		n, err = t.exec(ctx, `UPDATE jobs SET state = 'waiting', due_at = $1, error = 'interrupted', lease_until = 0, updated_at = $1 WHERE state = 'running' AND lease_until <= $1`, micros(now))
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

// unattended are the mails, referrals and batches that wait without a job that
// would see to them. There should be none; a dead or unclear job waits for a person.
const unattended = `
	SELECT m.id, m.company, 'mail', m.due_at FROM mails m WHERE m.state = 'held' AND m.stopped = 0
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = m.id AND j.state IN ('waiting', 'dispatched', 'running', 'dead', 'unclear'))
	UNION ALL
	SELECT r.id, r.company, 'referral', 0 FROM referrals r WHERE r.state = 'waiting'
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = r.id AND j.state IN ('waiting', 'dispatched', 'running', 'dead', 'unclear'))
	UNION ALL
	SELECT b.id, '', 'batch', 0 FROM batches b WHERE b.state = 'running' AND b.same IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = b.id AND j.state IN ('waiting', 'dispatched', 'running'))
	ORDER BY 1 LIMIT 500`

// Adopt gives a job to each mail, referral and batch that waits without one.
func (s *Store) Adopt(ctx context.Context) (int, error) {
	// Looked up outside the transaction first: it takes a while and finds nothing.
	orphans, err := s.orphans(ctx, s.read)
	if err != nil || len(orphans) == 0 {
		return 0, err
	}
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		if orphans, err = s.orphans(ctx, t); err != nil {
			return err
		}
		return t.enqueue(ctx, orphans...)
	})
	if err != nil {
		return 0, unavailable("adopting orphans", err)
	}
	return len(orphans), nil
}

func (s *Store) orphans(ctx context.Context, q querier) ([]record.Job, error) {
	rows, err := q.QueryContext(ctx, unattended)
	if err != nil {
		return nil, unavailable("looking for orphans", err)
	}
	var out []record.Job
	err = scan(rows, func() error {
		j := record.Job{Queue: record.LiveQueue}
		var due int64
		err := rows.Scan(&j.Subject, &j.Company, &j.Kind, &due)
		if j.Kind == record.BatchJob {
			j.Queue = record.BulkQueue
		}
		j.DueAt = clockTime(due)
		out = append(out, j)
		return err
	})
	if err != nil {
		return nil, unavailable("looking for orphans", err)
	}
	return out, nil
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

// enqueue creates waiting jobs in the transaction that creates their work. It
// fails when a subject has a job already that is not over.
func (t *tx) enqueue(ctx context.Context, jobs ...record.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	now := t.s.Now()
	for group := range slices.Chunk(jobs, t.step(len(jobs))) {
		var args []any
		for _, j := range group {
			if j.DueAt.IsZero() {
				j.DueAt = now
			}
			t.dirty = t.dirty || !j.DueAt.After(now)
			args = append(args, t.s.newID(), j.Company, j.Kind, j.Queue, j.Subject, string(record.JobWaiting), micros(j.DueAt),
				j.ReplayOf, j.Batch, j.Trace, micros(now), micros(now))
		}
		_, err := t.exec(ctx, `INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, replay_of, batch, trace, created_at, updated_at) VALUES `+places(len(group), 12), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// startedLately is how long a running job counts as being at work. One that
// started before lost its worker or is so slow that others should not wait.
const startedLately = 30 * time.Second

// Load says of each company with waiting jobs or jobs under way in a queue how
// many are due, counted up to limit, and how many are under way.
func (s *Store) Load(ctx context.Context, queue string, limit int) ([]record.Load, error) {
	loads := map[string]record.Load{}
	now := s.Now()
	// The recursion steps through the index from company to company, so that
	// its cost does not grow with the number of waiting jobs.
	err := s.tally(ctx, `
		WITH RECURSIVE c (company) AS (
			SELECT min(company) FROM jobs WHERE state = 'waiting' AND queue = $1
			UNION ALL
			SELECT (SELECT min(j.company) FROM jobs j WHERE j.state = 'waiting' AND j.queue = $1 AND j.company > c.company)
			FROM c WHERE c.company IS NOT NULL)
		SELECT company, '', (SELECT count(*) FROM (
			SELECT 1 FROM jobs j WHERE j.state = 'waiting' AND j.queue = $1 AND j.company = c.company AND j.due_at <= $2 LIMIT $3 + 0) AS due)
		FROM c WHERE company IS NOT NULL`, []any{queue, micros(now), limit}, func(company, _ string, n int) {
		loads[company] = record.Load{Company: company, Due: n}
	})
	if err != nil {
		return nil, err
	}
	err = s.tally(ctx, `
		SELECT company, '', count(*) FROM jobs
		WHERE state IN ('dispatched', 'running') AND queue = $1 AND (state = 'dispatched' OR updated_at > $2) GROUP BY company`,
		[]any{queue, micros(now.Add(-startedLately))}, func(company, _ string, n int) {
			loads[company] = record.Load{Company: company, Due: loads[company].Due, Flying: n}
		})
	return slices.Collect(maps.Values(loads)), err
}

// Dispatch takes due jobs of a queue, of each company up to its share and the
// longest due first, and marks them dispatched.
func (s *Store) Dispatch(ctx context.Context, queue string, shares map[string]int) ([]record.Ticket, error) {
	var tickets []record.Ticket
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		tickets = nil
		if err := t.lazily(ctx); err != nil {
			return err
		}
		for company, n := range shares {
			taken, err := t.claimJobs(ctx, queue, company, n)
			if err != nil {
				return err
			}
			tickets = append(tickets, taken...)
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("dispatching", err)
	}
	return tickets, nil
}

func (t *tx) claimJobs(ctx context.Context, queue, company string, n int) ([]record.Ticket, error) {
	lock := ""
	if t.pg {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	now := micros(t.s.Now())
	rows, err := t.QueryContext(ctx, `
		WITH picked AS MATERIALIZED (
			SELECT id FROM jobs WHERE state = 'waiting' AND queue = $2 AND company = $3 AND due_at <= $1 ORDER BY due_at LIMIT $4 + 0`+lock+`)
		UPDATE jobs SET state = 'dispatched', seq = seq + 1, dispatched_at = $1, updated_at = $1
		WHERE id IN (SELECT id FROM picked) RETURNING id, seq`, now, queue, company, n)
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

// NextDue returns when the next waiting job is due; zero when none waits.
func (s *Store) NextDue(ctx context.Context) (time.Time, error) {
	var due int64
	err := s.read.QueryRowContext(ctx, `SELECT due_at FROM jobs WHERE state = 'waiting' ORDER BY due_at LIMIT 1`).Scan(&due)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, unavailable("looking for due jobs", err)
	}
	return clockTime(due), nil
}

// StartJob is the fence: only one caller gets the job for this seq, and only
// while it is dispatched. Everyone else gets an ats.Duplicate error.
func (s *Store) StartJob(ctx context.Context, id string, seq int64, lease time.Duration) (record.Job, error) {
	var j record.Job
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		err := t.lazily(ctx) // a fence that is lost in a crash is set again
		if err != nil {
			return err
		}
		now := s.Now()
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

// FinishJob records the outcome of a run. A run that ends so while its mail is
// being sent did not settle it: the mail is unclear and must not be sent again
// by itself.
func (s *Store) FinishJob(ctx context.Context, j record.Job, o record.Outcome) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if j.Kind == record.MailJob {
			given, err := t.abandonMail(ctx, j, o)
			if err != nil || given {
				return err
			}
		}
		return t.finishJob(ctx, j, o)
	})
	if err != nil && ats.FaultOf(err) == "" {
		return unavailable("finishing a job", err)
	}
	return err
}

// finishJob is part of the transaction that keeps the effects of the run. When
// the lease was lost meanwhile the whole transaction must fail: somebody else
// has the job.
func (t *tx) finishJob(ctx context.Context, j record.Job, o record.Outcome) error {
	n, err := t.endJob(ctx, j, o, `state = 'running'`)
	if err == nil && n == 0 {
		return ats.Errorf(ats.Duplicate, "job %s lost its lease", j.ID)
	}
	return err
}

// endJob ends a run of a job that is in one of the states that from names.
func (t *tx) endJob(ctx context.Context, j record.Job, o record.Outcome, from string) (int64, error) {
	now := t.s.Now()
	if o.DueAt.IsZero() {
		o.DueAt = j.DueAt
	}
	n, err := t.exec(ctx, `
		UPDATE jobs SET state = $1, due_at = $2, error = $3, fault = $4, attempts = attempts + $5, starts = 0, lease_until = 0, updated_at = $6
		WHERE id = $7 AND seq = $8 AND `+from,
		string(o.State), micros(o.DueAt), o.Error, string(o.Fault), flag(o.Consumed), micros(now), j.ID, j.Seq)
	if err == nil && n > 0 && o.State == record.JobDead {
		err = t.bury(ctx, j.ID)
	}
	t.dirty = t.dirty || err == nil && o.State == record.JobWaiting && !o.DueAt.After(now)
	return n, err
}

// vendorOf is the vendor of what a job works on, or the recipient of a referral.
const vendorOf = `coalesce((SELECT d.vendor FROM deliveries d WHERE d.id = jobs.subject),
	(SELECT a.vendor FROM mails m JOIN applications a ON a.id = m.application WHERE m.id = jobs.subject),
	(SELECT r.recipient FROM referrals r WHERE r.id = jobs.subject), '')`

// bury counts a death and notes what the dead are grouped by.
func (t *tx) bury(ctx context.Context, id string) error {
	_, err := t.exec(ctx, `UPDATE jobs SET deaths = deaths + 1, fault = CASE WHEN fault = '' THEN $1 ELSE fault END, vendor = `+vendorOf+` WHERE id = $2`, record.Unexpected, id)
	return err
}

// Graves groups the dead jobs of a company, or of all, by class of error, vendor
// and kind, the largest groups first. The filter may narrow by these and by
// company. It reads one index from end to end.
func (s *Store) Graves(ctx context.Context, f record.Filter) ([]record.Grave, error) {
	var c clause
	company := f.Company
	c.conditions = append(c.conditions, `state = 'dead'`)
	c.add(`company = ?`, take(&f.Company))
	c.add(`fault = ?`, take(&f.Fault))
	c.add(`vendor = ?`, take(&f.Vendor))
	c.add(`kind = ?`, take(&f.Kind))
	if f.Narrow() {
		return nil, ats.Errorf(ats.Invalid, "the groups of the dead are narrowed by company, vendor, kind and fault")
	}
	c.args = append(c.args, record.PoisonAfter)
	rows, err := s.read.QueryContext(ctx, `
		SELECT fault, vendor, kind, count(*), count(CASE WHEN deaths >= $`+strconv.Itoa(len(c.args))+` THEN 1 END), min(updated_at), max(updated_at)
		FROM jobs`+c.where()+` GROUP BY fault, vendor, kind ORDER BY count(*) DESC, fault, vendor, kind LIMIT 200`, c.args...)
	if err != nil {
		return nil, unavailable("grouping the dead", err)
	}
	out := []record.Grave{}
	err = scan(rows, func() error {
		var g record.Grave
		var first, last int64
		err := rows.Scan(&g.Fault, &g.Vendor, &g.Kind, &g.Count, &g.Poison, &first, &last)
		g.First, g.Last = clockTime(first), clockTime(last)
		out = append(out, g)
		return err
	})
	for i := range out {
		if err == nil {
			g := &out[i]
			err = s.read.QueryRowContext(ctx, `SELECT error FROM jobs WHERE state = 'dead' AND fault = $1 AND vendor = $2 AND kind = $3 AND ($4 = '' OR company = $4) LIMIT 1`,
				g.Fault, g.Vendor, g.Kind, company).Scan(&g.Error)
			if errors.Is(err, sql.ErrNoRows) {
				err = nil
			}
		}
	}
	if err != nil {
		return nil, unavailable("grouping the dead", err)
	}
	return out, nil
}
