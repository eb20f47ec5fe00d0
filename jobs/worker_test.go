package jobs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

func TestOutcome(t *testing.T) {
	shutdown, interrupt := context.WithCancelCause(context.Background())
	interrupt(errShutdown)
	late, cancel := context.WithDeadlineCause(context.Background(), monday, errTooLong)
	defer cancel()
	tests := map[string]struct {
		ctx      context.Context
		err      error
		attempts int
		state    record.JobState
		after    time.Duration
		consumed bool
	}{
		"the first failure waits half a minute":       {err: errors.New("x"), state: record.JobWaiting, after: 30 * time.Second, consumed: true},
		"the second two minutes":                      {err: errors.New("x"), attempts: 1, state: record.JobWaiting, after: 2 * time.Minute, consumed: true},
		"the third ten minutes":                       {err: errors.New("x"), attempts: 2, state: record.JobWaiting, after: 10 * time.Minute, consumed: true},
		"the fourth an hour":                          {err: errors.New("x"), attempts: 3, state: record.JobWaiting, after: time.Hour, consumed: true},
		"the fifth four hours":                        {err: errors.New("x"), attempts: 4, state: record.JobWaiting, after: 4 * time.Hour, consumed: true},
		"the sixth twelve hours":                      {err: errors.New("x"), attempts: 5, state: record.JobWaiting, after: 12 * time.Hour, consumed: true},
		"the seventh a day":                           {err: errors.New("x"), attempts: 6, state: record.JobWaiting, after: 24 * time.Hour, consumed: true},
		"the eighth is the end":                       {err: errors.New("x"), attempts: 7, state: record.JobDead, consumed: true},
		"busy without a wait is a failure":            {err: ats.Errorf(ats.Busy, "x"), state: record.JobWaiting, after: 30 * time.Second, consumed: true},
		"being told to wait is none":                  {err: ats.BusyFor(7*time.Minute, "x"), attempts: 7, state: record.JobWaiting, after: 7 * time.Minute},
		"nobody is told to wait for more than a day":  {err: ats.BusyFor(90*24*time.Hour, "x"), state: record.JobWaiting, after: 24 * time.Hour},
		"denied is tried again: keys are replaced":    {err: ats.Errorf(ats.Denied, "x"), state: record.JobWaiting, after: 30 * time.Second, consumed: true},
		"invalid is the end":                          {err: ats.Errorf(ats.Invalid, "x"), state: record.JobDead, consumed: true},
		"not found is the end":                        {err: ats.Errorf(ats.NotFound, "x"), state: record.JobDead, consumed: true},
		"too large is the end":                        {err: ats.Errorf(ats.TooLarge, "x"), state: record.JobDead, consumed: true},
		"a conflict is the end":                       {err: ats.Errorf(ats.Conflict, "x"), state: record.JobDead, consumed: true},
		"a shutdown is no failure, whatever it broke": {ctx: shutdown, err: ats.Errorf(ats.Invalid, "x"), attempts: 7, state: record.JobWaiting},
		"taking too long is a failure":                {ctx: late, err: context.DeadlineExceeded, state: record.JobWaiting, after: 30 * time.Second, consumed: true},
		"and kills in the end":                        {ctx: late, err: ats.BusyFor(time.Minute, "x"), attempts: 7, state: record.JobDead, consumed: true},
	}
	w := &Worker{Now: func() time.Time { return monday }}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx := tt.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			o := w.outcome(ctx, record.Job{Attempts: tt.attempts}, tt.err)
			if o.State != tt.state || o.Consumed != tt.consumed || o.Error == "" {
				t.Errorf("got %+v", o)
			}
			if tt.state == record.JobDead {
				return
			}
			if after := o.DueAt.Sub(monday); after < tt.after || after > tt.after*6/5+1 {
				t.Errorf("runs again after %v, want %v and up to a fifth more", after, tt.after)
			}
		})
	}
}

func TestScrub(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"plain text stays":        {"vendor answered 500", "vendor answered 500"},
		"addresses are masked":    {`refused "misaki.sato@example.jp" and <a@b.test>`, `refused "[address]" and <[address]>`},
		"NUL is left out":         {"a\x00b", "ab"},
		"broken text is repaired": {"a\xffb", "a\uFFFDb"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := scrub(errors.New(tt.text)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for cut := range 4 { // never in the middle of a character
		got := scrub(errors.New(strings.Repeat("x", cut) + strings.Repeat("見送り", 300)))
		if !utf8.ValidString(got) || len(got) > maxError+len("…") || !strings.HasSuffix(got, "…") {
			t.Errorf("cut at %d: %d bytes, valid %v", cut, len(got), utf8.ValidString(got))
		}
	}
}

func TestAFailedJobIsRepeatedByTheScheduleAndThenDead(t *testing.T) {
	l := newLab(t)
	l.ats.decode = func(connectors.Payload) ([]ats.Event, error) { return nil, errors.New("broken") }
	id := l.arrive()
	begun := l.clock.now()
	l.until(begun.Add(60 * 24 * time.Hour))
	j := l.job(id)
	if j.State != record.JobDead || j.Attempts != len(schedule)+1 || j.Error != "broken" {
		t.Errorf("job %+v", j)
	}
	var least time.Duration
	for _, d := range schedule {
		least += d
	}
	if took := j.UpdatedAt.Sub(begun); took < least || took > least*6/5 {
		t.Errorf("died after %v, want %v and up to a fifth more", took, least)
	}
	if got := l.meter.of("decode dead"); got != 1 {
		t.Errorf("counted %d deaths", got)
	}
	// A person repairs the cause and runs it again.
	l.ats.decode = nil
	done, err := l.db.RetryJobs(t.Context(), l.order(record.Filter{State: "dead"}))
	if err != nil || done.Changed != 1 {
		t.Fatalf("retried %+v, %v", done, err)
	}
	l.step()
	if j := l.job(id); j.State != record.JobDone {
		t.Errorf("job %+v", j)
	}
}

func TestBeingToldToWaitIsNoFailure(t *testing.T) {
	l := newLab(t)
	waits := 0
	l.ats.complete = func(context.Context, *ats.Event) error {
		if waits++; waits > 20 {
			return nil
		}
		return ats.BusyFor(time.Hour, "429")
	}
	id := l.arrive(l.rejection("1"))
	l.until(l.clock.now().Add(48 * time.Hour))
	if j := l.job(id); j.State != record.JobDone || j.Attempts != 0 || waits != 21 {
		t.Errorf("after %d waits: %+v", waits, j)
	}
}

func TestAPanicIsAFailureThatTellsNothing(t *testing.T) {
	l := newLab(t)
	l.ats.decode = func(connectors.Payload) ([]ats.Event, error) { panic("佐藤 美咲") }
	id := l.arrive()
	l.step()
	if j := l.job(id); j.State != record.JobWaiting || j.Attempts != 1 || j.Error != "panic in a decode job: string" {
		t.Errorf("job %+v", j)
	}
	logs := l.logs.String()
	if !strings.Contains(logs, "decode.go") || strings.Contains(logs, "佐藤") {
		t.Errorf("logs %s", logs)
	}
}

func TestAJobThatKillsItsWorkerDies(t *testing.T) {
	l := newLab(t)
	id := l.arrive(l.rejection("1"))
	for start := 1; start <= 3; start++ {
		tickets := l.tickets()
		if len(tickets) != 1 {
			t.Fatalf("start %d: %d tickets", start, len(tickets))
		}
		if _, err := l.db.StartJob(t.Context(), tickets[0].Job, tickets[0].Seq, lease); err != nil {
			t.Fatal(err)
		}
		l.clock.pass(lease) // the process is gone; nobody records an outcome
		if err := l.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if j := l.job(id); j.State != record.JobDead || !strings.Contains(j.Error, "kills its worker") {
		t.Errorf("job %+v", j)
	}
	if n := l.step(); n != 0 {
		t.Errorf("%d more runs", n)
	}
	done, err := l.db.RetryJobs(t.Context(), l.order(record.Filter{State: "dead"}))
	if err != nil || done.Changed != 1 {
		t.Fatalf("retried %+v, %v", done, err)
	}
	l.until(l.clock.now().Add(time.Hour))
	l.expect("1", record.MailSent, "")
}

func TestAnUnknownKindDies(t *testing.T) {
	l := newLab(t)
	if _, err := l.run(t.Context(), record.Job{Kind: "other"}); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("got %v", err)
	}
}
