package intake

import (
	"context"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// A Kept is what an import did.
type Kept struct {
	Tally
	Batch   string `json:"batch"` // "" when nothing was new
	Resumed bool   `json:"resumed"`
	Saved   int    `json:"saved"`

	Waiting int  `json:"waiting"` // mails that wait for a person
	Replay  bool `json:"replay"`  // rows of an earlier import are understood now: replay them
}

// Keep keeps the rows that mean something as deliveries, whose mails wait until
// a person releases them. Who does it again after an interruption goes on: what
// was kept stays kept once.
func (in *Intake) Keep(ctx context.Context, actor record.Actor, reason string) (Kept, error) {
	done := Kept{Tally: NewTally()}
	i := record.Import{Actor: actor, Company: in.Company.ID, Connection: in.Connection, File: in.Hash, Reason: reason}
	if err := in.survey(ctx); err != nil {
		return done, err
	}
	var err error
	if done.Batch, err = in.Store.RunningImport(ctx, i); err != nil {
		return done, err
	}
	done.Resumed = done.Batch != ""
	err = in.judge(ctx, func(rows []Judged) error {
		var arrivals []record.Arrival
		for _, j := range rows {
			done.Add(j)
			done.Replay = done.Replay || j.replay
			if j.keep {
				arrivals = append(arrivals, in.arrival(j))
			}
			if j.keep && (j.Verdict == RowMail || j.Verdict == RowHeld) {
				done.Waiting++
			}
		}
		if len(arrivals) > 0 && done.Batch == "" {
			var err error
			if done.Batch, err = in.Store.StartImport(ctx, i); err != nil {
				return err
			}
		}
		n, err := in.Store.SaveRows(ctx, done.Batch, arrivals)
		done.Saved += n
		return err
	})
	switch {
	case ctx.Err() != nil:
		return done, ats.Errorf(ats.Busy, "interrupted with %d rows kept; the same command goes on: %w", done.Saved, ctx.Err())
	case err == nil && done.Batch != "":
		err = in.Store.EndImport(ctx, done.Batch, done.Rows())
	}
	return done, err
}

// arrival makes the delivery of a row.
func (in *Intake) arrival(j Judged) record.Arrival {
	return record.Arrival{
		Vendor: in.Vendor, Disposition: record.New, Keep: in.Company.Retention.Deliveries.Std(),
		Delivery: connectors.Delivery{Company: in.Company.ID, Connection: in.Connection, Door: connectors.File, Key: j.key, Payload: j.payload},
	}
}
