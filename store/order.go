package store

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

const (
	// maxOrder bounds how many rows one order changes; the rest stays and is
	// found by the same order again.
	maxOrder = 100_000
	// portion is how many rows one transaction of an order changes, so that the
	// live path does not wait for a big order.
	portion = 500
	// maxIDs is how many of the changed rows an answer names.
	maxIDs = 100
)

// A verb is something that can be done to many rows.
type verb struct {
	name, noun string
	// query finds rows as id and skip: why this row is left as it is, "" to
	// change it. For a batch it also tells company, decided, letter and version,
	// which the company's term is asked about, and caution: why the row is left
	// as it is unless it is meant alone. key is the column of the id.
	query, key string
	// each changes one row and reports whether it could: since it was found
	// somebody else may have changed it.
	each func(ctx context.Context, t *tx, id, batch string) (bool, error)
}

func checkOrder(o record.Order, c clause) error {
	if !o.Filter.Narrow() {
		return ats.Errorf(ats.Invalid, "filter: say which; nothing narrows the selection")
	}
	if c.left.Narrow() {
		return ats.Errorf(ats.Invalid, "filter: %s does not narrow this selection", strings.Join(slices.Sorted(maps.Keys(c.left.Query())), ", "))
	}
	if strings.TrimSpace(o.Reason) == "" && !o.DryRun {
		return ats.Errorf(ats.Invalid, "reason: required; it is kept in the audit log")
	}
	return o.Filter.NeedCompany()
}

// carryOut does v to the rows that c finds, in portions, and keeps batch and
// audit beside.
func (s *Store) carryOut(ctx context.Context, o record.Order, v verb, c clause) (record.Done, error) {
	done := record.Done{Verb: v.name, DryRun: o.DryRun, Skipped: map[string]int{}}
	if err := checkOrder(o, c); err != nil {
		return done, err
	}
	ids, err := s.selection(ctx, v, c, &done)
	if err != nil {
		return done, unavailable(v.name, err)
	}
	if done.Matched == 0 && o.Filter.ID != "" {
		return done, ats.Errorf(ats.NotFound, "no %s %s", v.noun, o.Filter.ID)
	}
	if o.DryRun {
		done.Changed, done.IDs = len(ids), ids[:min(len(ids), maxIDs)]
		return done, nil
	}
	if len(ids) > 1 {
		done.Batch = s.newID()
	}
	for i := 0; i < len(ids); i += portion {
		part := ids[i:min(i+portion, len(ids))]
		if err := s.carryOutPart(ctx, o, v, part, len(ids), i == 0, i+len(part) == len(ids), &done); err != nil {
			s.endBatch(ctx, done.Batch, "interrupted")
			return done, err
		}
	}
	return done, nil
}

// selection counts the rows and returns the ids of those to change.
func (s *Store) selection(ctx context.Context, v verb, c clause, done *record.Done) ([]string, error) {
	from := ` FROM (` + v.query + c.where() + `) AS x`
	rows, err := s.read.QueryContext(ctx, `SELECT skip, count(*)`+from+` GROUP BY skip`, c.args...)
	if err != nil {
		return nil, err
	}
	err = scan(rows, func() error {
		var skip string
		var n int
		if err := rows.Scan(&skip, &n); err != nil {
			return err
		}
		done.Matched += n
		if skip != "" {
			done.Skipped[skip] = n
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err = s.read.QueryContext(ctx, `SELECT id`+from+` WHERE skip = '' ORDER BY id LIMIT `+strconv.Itoa(maxOrder), c.args...)
	if err != nil {
		return nil, err
	}
	return texts(rows)
}

// carryOutPart changes one portion. The first also writes the batch and the
// audit entry, so that nothing is changed without them.
func (s *Store) carryOutPart(ctx context.Context, o record.Order, v verb, ids []string, selected int, first, last bool, done *record.Done) error {
	if err := ctx.Err(); err != nil {
		return ats.Errorf(ats.Busy, "%s: %d of %d done: %w", v.name, done.Changed, selected, err)
	}
	var changed []string
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		changed = nil
		for _, id := range ids {
			ok, err := v.each(ctx, t, id, done.Batch)
			if err != nil {
				return err
			}
			if ok {
				changed = append(changed, id)
			}
		}
		if done.Batch == "" && len(changed) == 0 {
			return nil
		}
		if err := t.noteBatch(ctx, o, v, done, len(changed), first, last); err != nil || !first {
			return err
		}
		subject := done.Batch
		if subject == "" {
			subject = ids[0]
		}
		return t.audit(ctx, o.Actor, record.Audit{
			Verb: v.name, Noun: v.noun, Subject: subject, Company: o.Filter.Company, Reason: o.Reason,
			Detail: strconv.Itoa(selected) + " selected; " + o.Filter.Query().Encode(),
		})
	})
	if err != nil {
		if ats.FaultOf(err) == "" {
			err = unavailable(v.name, err)
		}
		return err
	}
	done.Changed += len(changed)
	done.IDs = append(done.IDs, changed[:min(len(changed), maxIDs-len(done.IDs))]...)
	if n := len(ids) - len(changed); n > 0 {
		done.Skipped[record.SkipMeanwhile] += n
	}
	return nil
}

func (t *tx) noteBatch(ctx context.Context, o record.Order, v verb, done *record.Done, changed int, first, last bool) error {
	if done.Batch == "" {
		return nil
	}
	state := "running"
	if last {
		state = "done"
	}
	var err error
	if first {
		_, err = t.exec(ctx, `INSERT INTO batches (id, verb, noun, filter, company, actor, reason, state, matched, changed, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			done.Batch, v.name, v.noun, o.Filter.Query().Encode(), o.Filter.Company, o.Actor.Name, o.Reason, state, done.Matched, changed, micros(t.s.Now()))
	} else {
		_, err = t.exec(ctx, `UPDATE batches SET state = $1, changed = changed + $2 WHERE id = $3`, state, changed, done.Batch)
	}
	return err
}

// endBatch marks a batch that did not come to its end; if that fails too, it
// stays running.
func (s *Store) endBatch(ctx context.Context, batch, state string) {
	err := s.update(context.WithoutCancel(ctx), func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE batches SET state = $1 WHERE id = $2`, state, batch)
		return err
	})
	if err != nil {
		s.log.WarnContext(ctx, "batch not ended", "batch", batch, "err", err)
	}
}
