package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

const (
	// collectPortion and handPortion are how many items one transaction of a
	// batch collects and hands over, so that the live path does not wait long.
	collectPortion = 500
	handPortion    = 50
	// stepPortions is how many transactions a step makes before it lets others
	// have the worker's place.
	stepPortions = 20
	// ahead is how much bulk work may be due before a batch hands over more: what
	// is not handed over yet can still be paused.
	ahead = 300
	// stepPause is when the next step follows, and watchPause how often a batch
	// looks whether the last of its jobs are over.
	stepPause, watchPause = 200 * time.Millisecond, 30 * time.Second
	// lookPortion is how many rows of a preview are looked at at once, and
	// lookLimit how many at most; the rest is only counted.
	lookPortion = 2000
	lookLimit   = 100_000
	maxSamples  = 3
)

// rerun returns what a batch does to each item and which items there are.
func (s *Store) rerun(r record.Rerun) (verb, clause, error) {
	switch r.Verb + " " + r.Noun {
	case "retry job":
		return retryJobs, s.jobClause(r.Filter), nil
	case "retry mail":
		return retryMails, s.mailClause(r.Filter), nil
	case "retry referral":
		return retryReferrals, s.referralClause(r.Filter), nil
	case "replay delivery":
		return replayDeliveries, s.deliveryClause(r.Filter), nil
	}
	return verb{}, clause{}, ats.Errorf(ats.Invalid, "no batch does %s to %s", r.Verb, record.Plural(r.Noun))
}

// Rerun runs one thing again at once, or makes a batch that runs everything
// again that the filter finds. With DryRun it only says what would be done,
// under the terms of today.
func (s *Store) Rerun(ctx context.Context, r record.Rerun, terms record.Terms) (record.Done, error) {
	v, c, err := s.rerun(r)
	if err != nil {
		return record.Done{}, err
	}
	if r.Filter.ID != "" && !strings.Contains(r.Filter.ID, ",") {
		return s.carryOut(ctx, r.Order, v, c)
	}
	done := record.Done{Verb: v.name, DryRun: r.DryRun, Skipped: map[string]int{}}
	if err := checkOrder(r.Order, c); err != nil {
		return done, err
	}
	if r.Rate < 0 || r.Halt < 0 {
		return done, ats.Errorf(ats.Invalid, "rate and halt are not below zero")
	}
	if done.Matched, err = s.matches(ctx, v, c); err != nil {
		return done, unavailable("counting", err)
	}
	if done.Matched > record.MaxBatch {
		return done, ats.Errorf(ats.TooLarge, "more than %d %s match; that is the limit of one batch: narrow the filter, for example with since and until", record.MaxBatch, record.Plural(v.noun))
	}
	if r.DryRun {
		return done, s.preview(ctx, v, c, terms, &done)
	}
	if done.Matched <= lookPortion { // a batch that would do nothing is none
		look := record.Done{Skipped: map[string]int{}}
		if err := s.preview(ctx, v, c, terms, &look); err != nil || look.Changed == 0 {
			done.Skipped = look.Skipped
			return done, err
		}
	}
	done.Batch, err = s.startBatch(ctx, r, v, done.Matched)
	return done, err
}

// matches counts what a filter finds, up to one more than a batch takes.
func (s *Store) matches(ctx context.Context, v verb, c clause) (n int, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+v.from+c.where()+` LIMIT `+strconv.Itoa(record.MaxBatch+1)+`) AS x`, c.args...).Scan(&n)
	return n, err
}

// A candidate is a row that a batch may change.
type candidate struct {
	id, company, letter, version, caution, skip string
	decided                                     int64
}

// why says why a candidate is left alone, "" for one that is not.
func (k candidate) why(terms record.Terms, now time.Time) string {
	if k.skip != "" || k.caution != "" || terms == nil {
		return cmp.Or(k.skip, k.caution)
	}
	term, known := terms(k.company)
	switch {
	case !known:
		return record.SkipCompany
	case k.decided > 0 && term.MaxAge > 0 && now.Sub(clockTime(k.decided)) > term.MaxAge:
		return record.SkipOld
	case k.letter != "" && term.Letters != nil && term.Letters[k.letter] != k.version:
		return record.SkipLetter
	}
	return ""
}

// candidates reads rows in the order of their ids.
func candidates(ctx context.Context, q querier, v verb, c clause, limit int) ([]candidate, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, company, decided, letter, version, caution, skip FROM (`+v.rows()+c.where()+` ORDER BY `+v.key+` LIMIT `+strconv.Itoa(limit)+`) AS x ORDER BY id`, c.args...)
	if err != nil {
		return nil, err
	}
	var out []candidate
	err = scan(rows, func() error {
		var k candidate
		err := rows.Scan(&k.id, &k.company, &k.decided, &k.letter, &k.version, &k.caution, &k.skip)
		out = append(out, k)
		return err
	})
	return out, err
}

// beyond is c from an id on.
func (c *clause) beyond(v verb, id string) clause {
	on := clause{conditions: slices.Clone(c.conditions), args: slices.Clone(c.args)}
	on.add(v.key+` > ?`, id)
	return on
}

// preview divides what a filter finds, in steps, so that no statement takes long.
func (s *Store) preview(ctx context.Context, v verb, c clause, terms record.Terms, done *record.Done) error {
	done.Samples = map[string][]string{}
	looked, place := 0, ""
	for looked < lookLimit {
		found, err := candidates(ctx, s.read, v, c.beyond(v, place), lookPortion)
		if err != nil {
			return unavailable("looking ahead", err)
		}
		for _, k := range found {
			why := k.why(terms, s.Now())
			if why == "" {
				done.Changed++
			} else {
				done.Skipped[why]++
			}
			if len(done.Samples[why]) < maxSamples {
				done.Samples[why] = append(done.Samples[why], k.id)
			}
			place = k.id
		}
		looked += len(found)
		if len(found) < lookPortion {
			done.Matched = looked // counted a moment later than before
			return nil
		}
	}
	done.Looked = looked
	return nil
}

// startBatch makes the batch. Another one that does the same and is not over is
// an ats.Conflict error that names it.
func (s *Store) startBatch(ctx context.Context, r record.Rerun, v verb, matched int) (string, error) {
	id, q := s.newID(), r.Filter.Query().Encode()
	same := s.hash("batch", v.name+" "+v.noun, q+" "+r.Filter.Email)
	sealed, err := s.sealAddress(ctx, id, r.Filter)
	if err != nil {
		return "", err
	}
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		now := micros(s.Now())
		n, err := t.exec(ctx, `
			INSERT INTO batches (id, verb, noun, filter, company, actor, reason, state, matched, changed, rate, halt, collected, last, paced_at, same, created_at, sealed)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, 0, $9, $10, 0, $1, $11, $12, $11, $13) ON CONFLICT DO NOTHING`,
			id, v.name, v.noun, q, r.Filter.Company, r.Actor.Name, r.Reason, matched, r.Rate, cmp.Or(r.Halt, record.DefaultHalt), now, same, sealed)
		if err != nil {
			return err
		}
		if n == 0 {
			return t.tellSame(ctx, same)
		}
		if err := t.enqueue(ctx, record.Job{Kind: record.BatchJob, Queue: record.BulkQueue, Subject: id}); err != nil {
			return err
		}
		return t.audit(ctx, r.Actor, record.Audit{
			Verb: v.name, Noun: v.noun, Subject: id, Company: r.Filter.Company, Reason: r.Reason, Detail: strconv.Itoa(matched) + " selected; " + q,
		})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("making a batch", err)
	}
	return id, err
}

func (t *tx) tellSame(ctx context.Context, same []byte) error {
	var id, actor, state string
	var at int64
	err := t.QueryRowContext(ctx, `SELECT id, actor, state, created_at FROM batches WHERE same = $1`, same).Scan(&id, &actor, &state, &at)
	if err != nil {
		return err
	}
	return ats.Errorf(ats.Conflict, "batch %s does the same already: %s started it at %s, it is %s", id, actor, clockTime(at).Format(time.RFC3339), state)
}

// sealAddress encrypts the address of a filter for the time in which the items
// are collected.
func (s *Store) sealAddress(ctx context.Context, batch string, f record.Filter) ([]byte, error) {
	if f.Email == "" {
		return nil, nil
	}
	aead, err := s.companyKey(ctx, f.Company)
	if err != nil {
		return nil, err
	}
	return seal(aead, "batch "+batch, f.Email)
}

// An openBatch is what a step knows of its batch.
type openBatch struct {
	record.Batch
	collected, failed, paced int
	place, last              string
	pacedAt                  int64
	sealed                   []byte
}

const batchColumns = `id, verb, noun, filter, company, actor, reason, state, note, matched, changed, rate, halt, created_at, ended_at`

func scanBatch(row scanner, more ...any) (record.Batch, error) {
	var b record.Batch
	var at, ended int64
	err := row.Scan(append([]any{&b.ID, &b.Verb, &b.Noun, &b.Filter, &b.Company, &b.Actor, &b.Reason, &b.State, &b.Note, &b.Matched, &b.Changed, &b.Rate, &b.Halt, &at, &ended}, more...)...)
	b.CreatedAt, b.EndedAt = clockTime(at), clockTime(ended)
	return b, err
}

func (t *tx) lockBatch(ctx context.Context, id string) (b openBatch, err error) {
	b.Batch, err = scanBatch(t.QueryRowContext(ctx, `SELECT `+batchColumns+`, collected, failed, paced, place, last, paced_at, sealed FROM batches WHERE id = $1`+t.forUpdate(), id),
		&b.collected, &b.failed, &b.paced, &b.place, &b.last, &b.pacedAt, &b.sealed)
	return b, err
}

// StepBatch does one step of the batch that j works for and finishes j: done when
// the batch is over or paused, waiting when more steps follow. Whatever a step
// did is kept portion by portion, so that after a crash the next step goes on
// where the last one committed.
func (s *Store) StepBatch(ctx context.Context, j record.Job, terms record.Terms) (record.JobState, error) {
	email, err := s.addressOf(ctx, j.Subject)
	if err != nil {
		return "", err
	}
	size := handPortion
	for n := range stepPortions {
		var end record.Outcome
		err := s.update(ctx, func(ctx context.Context, t *tx) (err error) {
			end, err = t.stepBatch(ctx, j, stepping{email, terms, size, n == stepPortions-1})
			return err
		})
		switch {
		case err == nil && end.State != "":
			return end.State, nil
		case err == nil, ats.FaultOf(err) != "":
		case outage(err):
			err = unavailable("stepping a batch", err)
		case size > 1:
			size, err = 1, nil // one of them is at fault
		default:
			err = s.skipNext(ctx, j.Subject, err)
		}
		if err != nil {
			return "", err
		}
	}
	return record.JobWaiting, s.FinishJob(ctx, j, record.Outcome{State: record.JobWaiting, DueAt: s.Now()})
}

// A stepping is how one portion of a step is done.
type stepping struct {
	email string
	terms record.Terms
	size  int
	last  bool // of the step
}

// stepBatch does one portion; the state of its outcome is empty when the step goes on.
func (t *tx) stepBatch(ctx context.Context, j record.Job, p stepping) (end record.Outcome, err error) {
	if err := t.holdsJob(ctx, j, `subject = $3`, j.Subject); err != nil {
		return end, err
	}
	b, err := t.lockBatch(ctx, j.Subject)
	gone := errors.Is(err, sql.ErrNoRows)
	if err != nil && !gone {
		return end, err
	}
	var wait time.Duration
	over := gone || b.State != record.BatchRunning
	switch {
	case over:
	case b.collected == 0:
		err = t.collect(ctx, b, p.email)
	default:
		wait, over, err = t.handOver(ctx, b, p)
	}
	switch {
	case err != nil:
		return end, err
	case over:
		end = record.Outcome{State: record.JobDone}
	case wait > 0 || p.last:
		end = record.Outcome{State: record.JobWaiting, DueAt: t.s.Now().Add(wait)}
	default:
		return end, nil
	}
	return end, t.finishJob(ctx, j, end)
}

// addressOf returns the address of a batch's filter while its items are collected.
func (s *Store) addressOf(ctx context.Context, batch string) (address string, err error) {
	var company string
	var sealed []byte
	err = s.read.QueryRowContext(ctx, `SELECT company, sealed FROM batches WHERE id = $1`, batch).Scan(&company, &sealed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", unavailable("reading a batch", err)
	}
	if len(sealed) == 0 {
		return "", nil
	}
	aead, err := s.companyKey(ctx, company)
	if err != nil {
		return "", err
	}
	return address, unseal(aead, "batch "+batch, sealed, &address)
}

// collect notes the next items of a batch: what its filter finds and was there
// when it was made.
func (t *tx) collect(ctx context.Context, b openBatch, email string) error {
	q, err := url.ParseQuery(b.Filter)
	if err != nil {
		return err
	}
	f, err := record.ParseFilter(q, t.s.Now())
	if err != nil {
		return err
	}
	f.Email = email
	v, c, err := t.s.rerun(record.Rerun{Order: record.Order{Filter: f}, Verb: b.Verb, Noun: b.Noun})
	if err != nil {
		return err
	}
	c = c.beyond(v, b.place)
	c.add(v.key+` <= ?`, b.last)
	c.args = append(c.args, b.ID)
	rows, err := t.QueryContext(ctx, `
		INSERT INTO batch_items (batch, id, state) SELECT CAST($`+strconv.Itoa(len(c.args))+` AS TEXT), x.id, 'waiting'
		FROM (SELECT `+v.key+` AS id FROM `+v.from+c.where()+` ORDER BY `+v.key+` LIMIT `+strconv.Itoa(collectPortion)+`) AS x WHERE true
		ON CONFLICT DO NOTHING RETURNING id`, c.args...)
	if err != nil {
		return err
	}
	ids, err := texts(rows)
	if err != nil {
		return err
	}
	if len(ids) == collectPortion {
		_, err = t.exec(ctx, `UPDATE batches SET place = $1 WHERE id = $2`, slices.Max(ids), b.ID)
		return err
	}
	_, err = t.exec(ctx, `UPDATE batches SET collected = 1, sealed = NULL, paced_at = $1, matched = (SELECT count(*) FROM batch_items i WHERE i.batch = batches.id) WHERE id = $2`, micros(t.s.Now()), b.ID)
	return err
}

// handOver gives the next items to the workers. wait is when to come again, zero
// for at once; over is true when there is nothing more to do.
func (t *tx) handOver(ctx context.Context, b openBatch, p stepping) (wait time.Duration, over bool, err error) {
	if halted, err := t.halt(ctx, b); halted || err != nil {
		return 0, halted, err
	}
	room, wait, err := t.room(ctx, b, p.size)
	if err != nil || room <= 0 {
		return wait, false, err
	}
	ids, err := t.nextItems(ctx, b.ID, room)
	if err != nil {
		return 0, false, err
	}
	if len(ids) == 0 {
		return t.watch(ctx, b.ID)
	}
	v, c, err := t.s.rerun(record.Rerun{Order: record.Order{Filter: record.Filter{ID: strings.Join(ids, ",")}}, Verb: b.Verb, Noun: b.Noun})
	if err != nil {
		return 0, false, err
	}
	found, err := candidates(ctx, t, v, c, len(ids))
	if err != nil {
		return 0, false, err
	}
	reasons := map[string]string{}
	for _, k := range found {
		reasons[k.id] = k.why(p.terms, t.s.Now())
	}
	handed := 0
	for _, id := range ids {
		why, there := reasons[id]
		if !there {
			why = record.SkipGone
		}
		if why == "" {
			done, err := v.each(ctx, t, id, b.ID)
			if err != nil {
				return 0, false, err
			}
			if !done {
				why = record.SkipMeanwhile
			}
		}
		if why == "" {
			handed++
		}
		if err := t.noteItem(ctx, b.ID, id, why); err != nil {
			return 0, false, err
		}
	}
	_, err = t.exec(ctx, `UPDATE batches SET changed = changed + $1, paced = paced + $1 WHERE id = $2`, handed, b.ID)
	return 0, false, err
}

func (t *tx) nextItems(ctx context.Context, batch string, n int) ([]string, error) {
	rows, err := t.QueryContext(ctx, `SELECT id FROM batch_items WHERE batch = $1 AND state = 'waiting' AND reason = '' ORDER BY id LIMIT $2`, batch, n)
	if err != nil {
		return nil, err
	}
	return texts(rows)
}

// noteItem records that an item was handed over, or why not.
func (t *tx) noteItem(ctx context.Context, batch, id, why string) error {
	state := record.ItemStarted
	if why != "" {
		state = record.ItemSkipped
	}
	_, err := t.exec(ctx, `UPDATE batch_items SET state = $1, reason = $2, at = $3 WHERE batch = $4 AND id = $5`, state, why, micros(t.s.Now()), batch, id)
	return err
}

// skipNext passes over an item that the database refuses to change.
func (s *Store) skipNext(ctx context.Context, batch string, cause error) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		ids, err := t.nextItems(ctx, batch, 1)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return cause
		}
		return t.noteItem(ctx, batch, ids[0], "the database refused it")
	})
	if err != nil {
		err = unavailable("passing over an item", err)
	}
	return err
}

// halt pauses a batch of which too many jobs have failed since it went on.
func (t *tx) halt(ctx context.Context, b openBatch) (bool, error) {
	dead, err := t.deadOf(ctx, b.ID, b.failed+b.Halt)
	if err != nil || dead < b.failed+b.Halt {
		return false, err
	}
	_, err = t.exec(ctx, `UPDATE batches SET state = 'paused', note = $1 WHERE id = $2`, fmt.Sprintf("paused by itself: %d failed", dead-b.failed), b.ID)
	return true, err
}

// deadOf counts the dead jobs of a batch, up to limit.
func (t *tx) deadOf(ctx context.Context, batch string, limit int) (n int, err error) {
	err = t.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM jobs WHERE batch = $1 AND batch <> '' AND state = 'dead' LIMIT $2) AS d`, batch, limit).Scan(&n)
	return n, err
}

// room is how many items may be handed over now.
func (t *tx) room(ctx context.Context, b openBatch, size int) (room int, wait time.Duration, err error) {
	var due int
	now := t.s.Now()
	err = t.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'waiting' AND queue = 'bulk' AND due_at <= $1 LIMIT $2) AS d`, micros(now), ahead).Scan(&due)
	room, wait = min(size, ahead-due), stepPause
	if b.Rate > 0 {
		passed := now.Sub(clockTime(b.pacedAt))
		if allowed := int(passed*time.Duration(b.Rate)/time.Minute) + 1 - b.paced; allowed < room {
			room, wait = allowed, max(time.Minute/time.Duration(b.Rate), stepPause)
		}
	}
	return room, wait, err
}

// watch waits for the last jobs of a batch of which everything was handed over.
func (t *tx) watch(ctx context.Context, batch string) (wait time.Duration, over bool, err error) {
	var open, soon int
	err = t.QueryRowContext(ctx, `
		SELECT count(*), coalesce(sum(CASE WHEN state <> 'waiting' OR due_at <= $1 THEN 1 ELSE 0 END), 0)
		FROM (SELECT state, due_at FROM jobs WHERE batch = $2 AND batch <> '' AND state IN `+live+` LIMIT 100) AS j`, micros(t.s.Now().Add(time.Second)), batch).Scan(&open, &soon)
	switch {
	case err != nil:
		return 0, false, err
	case soon > 0:
		return stepPause, false, nil
	case open > 0:
		return watchPause, false, nil
	}
	_, err = t.exec(ctx, `UPDATE batches SET state = 'done', ended_at = $1, same = NULL WHERE id = $2`, micros(t.s.Now()), batch)
	return 0, true, err
}

// MoveBatch pauses, resumes or cancels a batch that is not over. What was handed
// to the workers already runs to its end.
func (s *Store) MoveBatch(ctx context.Context, actor record.Actor, id, verb, reason string) (record.Batch, error) {
	var b openBatch
	err := s.update(ctx, func(ctx context.Context, t *tx) (err error) {
		if b, err = t.lockBatch(ctx, id); errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.NotFound, "no batch %s", id)
		}
		if err != nil {
			return err
		}
		if err := t.moveBatch(ctx, &b, verb); err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: verb, Noun: "batch", Subject: id, Company: b.Company, Reason: reason})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("moving a batch", err)
	}
	return b.Batch, err
}

func (t *tx) moveBatch(ctx context.Context, b *openBatch, verb string) error {
	now := t.s.Now()
	from := map[string][]string{"pause": {record.BatchRunning}, "resume": {record.BatchPaused}, "cancel": {record.BatchRunning, record.BatchPaused}}[verb]
	if from == nil {
		return ats.Errorf(ats.Invalid, "a batch can be paused, resumed or cancelled, not %q", verb)
	}
	var open int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM batches WHERE id = $1 AND same IS NOT NULL`, b.ID).Scan(&open)
	if err != nil {
		return err
	}
	if !slices.Contains(from, b.State) || open == 0 {
		return ats.Errorf(ats.Conflict, "batch %s is %s: it cannot %s", b.ID, b.State, verb)
	}
	switch verb {
	case "pause":
		b.State = record.BatchPaused
		_, err = t.exec(ctx, `UPDATE batches SET state = 'paused', note = '' WHERE id = $1`, b.ID)
	case "cancel":
		b.State, b.EndedAt = record.BatchCancelled, now
		_, err = t.exec(ctx, `UPDATE batches SET state = 'cancelled', ended_at = $1, same = NULL, sealed = NULL WHERE id = $2`, micros(now), b.ID)
	case "resume":
		b.State, b.Note = record.BatchRunning, ""
		var dead int
		if dead, err = t.deadOf(ctx, b.ID, record.MaxBatch); err != nil {
			return err
		}
		if _, err = t.exec(ctx, `UPDATE batches SET state = 'running', note = '', failed = $1, paced = 0, paced_at = $2 WHERE id = $3`, dead, micros(now), b.ID); err != nil {
			return err
		}
		err = t.QueryRowContext(ctx, `SELECT 1 FROM jobs WHERE subject = $1 AND state IN `+live, b.ID).Scan(&open)
		if errors.Is(err, sql.ErrNoRows) {
			err = t.enqueue(ctx, record.Job{Kind: record.BatchJob, Queue: record.BulkQueue, Subject: b.ID})
		}
	}
	return err
}

// Progress says how far a batch is.
func (s *Store) Progress(ctx context.Context, id string) (record.Progress, error) {
	p := record.Progress{Skipped: map[string]int{}, Jobs: map[string]int{}}
	err := s.tally(ctx, `SELECT state, reason, count(*) FROM batch_items WHERE batch = $1 GROUP BY state, reason`, []any{id}, func(state, reason string, n int) {
		switch state {
		case record.ItemWaiting:
			p.Waiting += n
		case record.ItemSkipped:
			p.Skipped[reason] += n
		}
	})
	if err != nil {
		return p, err
	}
	return p, s.tally(ctx, `SELECT '', state, count(*) FROM jobs WHERE batch = $1 AND batch <> '' GROUP BY state`, []any{id}, func(_, state string, n int) { p.Jobs[state] = n })
}

// Results lists what became of the items of a batch, in the order of their ids.
// The filter's batch says which, its after where to go on; its state narrows.
func (s *Store) Results(ctx context.Context, f record.Filter) ([]record.Result, error) {
	var noun, batch string
	err := s.read.QueryRowContext(ctx, `SELECT noun, state FROM batches WHERE id = $1`, f.Batch).Scan(&noun, &batch)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ats.Errorf(ats.NotFound, "no batch %s", f.Batch)
	}
	if err != nil {
		return nil, unavailable("reading a batch", err)
	}
	join := `j.subject = i.id AND j.batch = i.batch`
	if noun == "job" {
		join = `j.id = i.id`
	}
	var c clause
	c.add(`i.batch = ?`, f.Batch)
	c.add(`i.state = ?`, f.State)
	c.add(`i.id > ?`, f.After)
	return list(ctx, s, `SELECT i.id, i.state, i.reason, i.at, coalesce(j.id, ''), coalesce(j.company, ''), coalesce(j.subject, ''), coalesce(j.state, ''), coalesce(j.error, ''), coalesce(j.batch, ''), coalesce(j.updated_at, 0)
		FROM batch_items i LEFT JOIN jobs j ON `+join, "i.id", c, f.Rows(), func(row scanner) (record.Result, error) {
		var r record.Result
		var state, failure string
		var at, updated int64
		err := row.Scan(&r.ID, &r.State, &r.Reason, &at, &r.Job, &r.Company, &r.Subject, &state, &failure, &r.Batch, &updated)
		r.At = clockTime(at)
		switch {
		case r.State == record.ItemWaiting && batch == record.BatchCancelled:
			r.State = record.BatchCancelled
		case r.State == record.ItemStarted && r.Job == "":
			r.State = record.ItemGone
		case r.State == record.ItemStarted:
			r.State, r.Reason, r.At = state, failure, clockTime(updated)
		}
		if r.Batch == f.Batch {
			r.Batch = ""
		}
		return r, err
	})
}
