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
	// columns tell of a row id, company and skip: why this row is left as it is,
	// "" to change it. For a batch they also tell decided, letter and version,
	// which the company's term is asked about, and caution: why the row is left
	// as it is unless it is meant alone. from names the tables, key the column of
	// the id.
	columns, from, key string
	// each changes one row and reports whether it could: since it was found
	// somebody else may have changed it.
	each func(ctx context.Context, t *tx, id, batch string) (bool, error)
}

// rows selects everything that v may be about.
func (v verb) rows() string { return `SELECT ` + v.columns + ` FROM ` + v.from }

func checkOrder(o record.Order, c clause) error {
	if !o.Filter.Narrow() {
		return ats.Errorf(ats.Invalid, "filter: say which; nothing narrows the selection")
	}
	if c.left.Narrow() {
		return ats.Errorf(ats.Invalid, "filter: %s does not narrow this selection", strings.Join(slices.Sorted(maps.Keys(c.left.Query())), ", "))
	}
	if !o.DryRun {
		if err := needReason(o.Reason); err != nil {
			return err
		}
	}
	return o.Filter.NeedCompany()
}

// needReason refuses a deed that nobody gave a reason for.
func needReason(reason string) error {
	_, err := record.NeedReason(reason)
	return err
}

// A chosen is what an order is going to change.
type chosen struct {
	ids       []string
	companies map[string]int // how many rows of each
}

// company returns the one company that all rows belong to, "" for several.
func (c chosen) company() string {
	for id := range c.companies {
		if len(c.companies) == 1 {
			return id
		}
	}
	return ""
}

// carryOut does v to the rows that c finds, in portions, and keeps batch and
// audit beside.
func (s *Store) carryOut(ctx context.Context, o record.Order, v verb, c clause) (record.Done, error) {
	done := record.Done{Verb: v.name, DryRun: o.DryRun, Skipped: map[string]int{}}
	if err := checkOrder(o, c); err != nil {
		return done, err
	}
	all, err := s.selection(ctx, v, c, &done)
	if err != nil {
		return done, unavailable(v.name, err)
	}
	if done.Matched == 0 && o.Filter.ID != "" {
		return done, ats.Errorf(ats.NotFound, "no %s %s", v.noun, o.Filter.ID)
	}
	ids := all.ids
	if o.DryRun {
		done.Changed, done.IDs = len(ids), ids[:min(len(ids), maxIDs)]
		return done, nil
	}
	if len(ids) > 1 {
		done.Batch = s.newID()
	}
	for i := 0; i < len(ids); i += portion {
		part := ids[i:min(i+portion, len(ids))]
		if err := s.carryOutPart(ctx, o, v, part, all, i == 0, i+len(part) == len(ids), &done); err != nil {
			s.endBatch(ctx, done.Batch, "interrupted")
			return done, err
		}
	}
	return done, nil
}

// selection counts the rows and chooses those to change.
func (s *Store) selection(ctx context.Context, v verb, c clause, done *record.Done) (chosen, error) {
	out := chosen{companies: map[string]int{}}
	from := ` FROM (` + v.rows() + c.where() + `) AS x`
	rows, err := s.read.QueryContext(ctx, `SELECT skip, count(*)`+from+` GROUP BY skip`, c.args...)
	if err != nil {
		return out, err
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
		return out, err
	}
	rows, err = s.read.QueryContext(ctx, `SELECT id, company`+from+` WHERE skip = '' ORDER BY id LIMIT `+strconv.Itoa(maxOrder), c.args...)
	if err != nil {
		return out, err
	}
	err = scan(rows, func() error {
		var id, company string
		err := rows.Scan(&id, &company)
		out.ids = append(out.ids, id)
		out.companies[company]++
		return err
	})
	return out, err
}

// carryOutPart changes one portion. The first also writes the batch and the
// audit entries, so that nothing is changed without them.
func (s *Store) carryOutPart(ctx context.Context, o record.Order, v verb, ids []string, all chosen, first, last bool, done *record.Done) error {
	if err := ctx.Err(); err != nil {
		return ats.Errorf(ats.Busy, "%s: %d of %d done: %w", v.name, done.Changed, len(all.ids), err)
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
		if err := t.noteBatch(ctx, o, v, done, all.company(), len(changed), first, last); err != nil || !first {
			return err
		}
		subject := done.Batch
		if subject == "" {
			subject = ids[0]
		}
		// One entry for each company, so that each company's log tells of it.
		for _, company := range slices.Sorted(maps.Keys(all.companies)) {
			err := t.audit(ctx, o.Actor, record.Audit{
				Verb: v.name, Noun: v.noun, Subject: subject, Company: company, Reason: o.Reason,
				Detail: strconv.Itoa(all.companies[company]) + " selected; " + o.Filter.Query().Encode(),
			})
			if err != nil {
				return err
			}
		}
		return nil
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

func (t *tx) noteBatch(ctx context.Context, o record.Order, v verb, done *record.Done, company string, changed int, first, last bool) error {
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
			done.Batch, v.name, v.noun, o.Filter.Query().Encode(), company, o.Actor.Name, o.Reason, state, done.Matched, changed, micros(t.s.Now()))
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
