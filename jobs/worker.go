package jobs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// schedule is when a failed job runs again; after its end the job is dead.
var schedule = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// maxError bounds the error text that is kept with a job.
const maxError = 500

// handle runs one ticket. It returns an error only when SQL does not answer:
// every other end is an outcome in SQL, so that asynq's archive stays empty.
func (w *Worker) handle(ctx context.Context, t record.Ticket) error {
	j, err := w.Store.StartJob(ctx, t.Job, t.Seq, lease)
	if ats.FaultOf(err) == ats.Duplicate {
		return nil // somebody else has it, or it was recalled: drop the ticket
	}
	if err != nil {
		return err
	}
	begun := w.Now()
	run, span := w.trace(ctx, j)
	err = w.run(run, j)
	span.End()
	if err == nil {
		w.Meter.Job(j.Kind, "done", w.Now().Sub(begun))
		return nil
	}
	if ats.FaultOf(err) == ats.Duplicate {
		return nil // the lease was lost: the outcome is another run's to record
	}
	o := w.outcome(ctx, j, err)
	w.Meter.Job(j.Kind, string(o.State), w.Now().Sub(begun))
	w.Log.WarnContext(ctx, "job not done", "job", j.ID, "kind", j.Kind, "company", j.Company, "subject", j.Subject,
		"state", string(o.State), "attempts", j.Attempts+1, "fault", string(o.Fault), "err", o.Error)
	err = w.Store.FinishJob(context.WithoutCancel(ctx), j, o)
	if ats.FaultOf(err) == ats.Duplicate {
		return nil
	}
	return err
}

// run does the work of j and records its outcome, or returns why it could not.
func (w *Worker) run(ctx context.Context, j record.Job) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a %s job: %T", j.Kind, r) // the value may hold personal data
		}
	}()
	switch j.Kind {
	case record.DecodeJob:
		return w.decode(ctx, j)
	case record.FeedbackJob:
		return w.feedback(ctx, j)
	case record.MailJob:
		return w.mail(ctx, j)
	case record.ReferralJob:
		return w.refer(ctx, j)
	}
	return ats.Errorf(ats.Invalid, "no such kind of job: %s", j.Kind)
}

// trace continues the trace of what caused j.
func (w *Worker) trace(ctx context.Context, j record.Job) (context.Context, trace.Span) {
	if j.Trace != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": j.Trace})
	}
	return otel.Tracer("careerrelay/jobs").Start(ctx, "job "+j.Kind, trace.WithAttributes(
		attribute.String("job", j.ID), attribute.String("company", j.Company), attribute.Int("attempts", j.Attempts)))
}

// outcome translates the error of a run. Being interrupted by our own shutdown
// is no failure of the job.
func (w *Worker) outcome(ctx context.Context, j record.Job, err error) record.Outcome {
	if ctx.Err() != nil {
		return record.Outcome{State: record.JobWaiting, DueAt: w.Now(), Error: "interrupted by a shutdown"}
	}
	o := record.Outcome{State: record.JobWaiting, Error: clip(err.Error()), Fault: ats.FaultOf(err), Consumed: true}
	switch o.Fault {
	case ats.Invalid, ats.NotFound, ats.TooLarge, ats.Conflict:
		o.State = record.JobDead // repeating it cannot help
		return o
	}
	if after := ats.WaitOf(err); after > 0 { // told to wait: that is no failure
		o.DueAt, o.Consumed = w.Now().Add(min(after, 24*time.Hour)), false
		return o
	}
	if j.Attempts >= len(schedule) {
		o.State = record.JobDead
		return o
	}
	o.DueAt = w.Now().Add(jitter(schedule[j.Attempts]))
	return o
}

// jitter spreads repetitions by a fifth, so that what failed together does not
// come back together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()*0.4-0.2)*float64(d)) //nolint:gosec // spreading, not secrecy
}

func clip(s string) string {
	if len(s) <= maxError {
		return s
	}
	return s[:maxError] + "…"
}
