package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// schedule is when a failed job runs again; after its end the job is dead.
var schedule = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour}

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
	defer span.End()
	state, err := w.run(run, j)
	if err != nil && ats.FaultOf(err) != ats.Duplicate {
		state, err = w.fail(run, j, err)
	}
	if ats.FaultOf(err) == ats.Duplicate {
		w.Log.InfoContext(run, "run dropped", "job", j.ID, "kind", j.Kind, "company", j.Company, "err", err)
		return nil // the job was taken back or given to another run, which records its outcome
	}
	if err != nil {
		return err
	}
	w.Meter.Job(j.Kind, string(state), w.Now().Sub(begun))
	return nil
}

// run does the work of j, records its outcome and returns the state that it
// recorded, or returns why it could not.
func (w *Worker) run(ctx context.Context, j record.Job) (state record.JobState, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = w.panicked(ctx, j, r)
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
	case record.WithdrawalJob:
		return w.tellWithdrawal(ctx, j)
	case record.BatchJob:
		return w.batch(ctx, j)
	case record.AlertJob:
		return w.notice(ctx, j)
	}
	return "", ats.Errorf(ats.Invalid, "no such kind of job: %s", j.Kind)
}

// batchWait is when a step of a batch is tried again that could not be done. No
// failure of a step counts: the batch goes on until it is over or stopped.
const batchWait = 5 * time.Second

// batch does one step of a batch.
func (w *Worker) batch(ctx context.Context, j record.Job) (record.JobState, error) {
	state, err := w.Store.StepBatch(ctx, j, w.Terms)
	if err != nil && ats.FaultOf(err) != ats.Duplicate {
		err = ats.BusyFor(batchWait, "a step of batch %s: %w", j.Subject, err)
	}
	return state, err
}

// panicked makes an error of a panic. Its value may hold personal data, the
// stack holds none.
func (w *Worker) panicked(ctx context.Context, j record.Job, r any) error {
	w.Log.ErrorContext(ctx, "panic", "job", j.ID, "kind", j.Kind, "company", j.Company, "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
	return fmt.Errorf("panic in a %s job: %T", j.Kind, r)
}

// finish records an outcome that changes nothing but the job.
func (w *Worker) finish(ctx context.Context, j record.Job, o record.Outcome) (record.JobState, error) {
	return o.State, w.Store.FinishJob(ctx, j, o)
}

// fail records that a run ended with an error. The store sees to it that the
// mail of a dead job has failed, and that one in mid-air is never sent again.
func (w *Worker) fail(ctx context.Context, j record.Job, cause error) (record.JobState, error) {
	o := w.outcome(ctx, j, cause)
	w.Log.WarnContext(ctx, "job not done", "job", j.ID, "kind", j.Kind, "company", j.Company, "subject", j.Subject,
		"state", string(o.State), "attempts", j.Attempts, "fault", string(o.Fault), "err", o.Error)
	trace.SpanFromContext(ctx).SetStatus(codes.Error, string(o.Fault))
	return w.finish(context.WithoutCancel(ctx), j, o)
}

// tracer follows the provider that is set when the process starts.
var tracer = otel.Tracer("careerrelay/jobs")

// trace continues the trace of what caused j.
func (w *Worker) trace(ctx context.Context, j record.Job) (context.Context, trace.Span) {
	if j.Trace != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": j.Trace})
	}
	return tracer.Start(ctx, "job "+j.Kind, trace.WithAttributes(
		attribute.String("job", j.ID), attribute.String("company", j.Company), attribute.Int("attempts", j.Attempts)))
}

// outcome translates the error of a run. Being interrupted by our own shutdown
// is no failure of the job, and neither is being told to wait.
func (w *Worker) outcome(ctx context.Context, j record.Job, err error) record.Outcome {
	o := record.Outcome{State: record.JobWaiting, Error: scrub(err), Fault: ats.FaultOf(err), Consumed: true}
	after := ats.WaitOf(err)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errShutdown):
		return record.Outcome{State: record.JobWaiting, DueAt: w.Now(), Error: errShutdown.Error()}
	case errors.Is(cause, errTooLong):
		o.Error, after = errTooLong.Error()+": "+o.Error, 0
	case o.Fault == ats.Invalid, o.Fault == ats.NotFound, o.Fault == ats.TooLarge, o.Fault == ats.Conflict:
		o.State = record.JobDead // repeating it cannot help
		return o
	}
	if after > 0 {
		o.DueAt, o.Consumed = w.Now().Add(later(min(after, 24*time.Hour))), false
		return o
	}
	if j.Attempts >= len(schedule) {
		o.State = record.JobDead
		return o
	}
	o.DueAt = w.Now().Add(later(schedule[j.Attempts]))
	return o
}

// later adds up to a fifth, so that what failed together does not come back
// together.
func later(d time.Duration) time.Duration {
	return d + rand.N(d/5+1) //nolint:gosec // spreading, not secrecy
}

// maxError bounds the error text that is kept with a job.
const maxError = 500

var addressLike = regexp.MustCompile(`[^\s<>"'(),:;]+@[^\s<>"'(),:;]+`)

// scrub makes of an error what may be kept and logged: short, text that every
// database takes, and without addresses, whoever let them slip in.
func scrub(err error) string {
	s := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "")
	s = addressLike.ReplaceAllString(s, ats.Email("").String())
	if len(s) > maxError {
		s = strings.ToValidUTF8(s[:maxError], "") + "…"
	}
	return s
}
