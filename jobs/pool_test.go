package jobs

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

func TestAShutdownWaitsForWhatIsAtWork(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		l.ats.complete = func(context.Context, *ats.Event) error {
			time.Sleep(shutdownGrace - time.Second)
			return nil
		}
		id := l.arrive(l.rejection("1"))
		stop := l.start()
		time.Sleep(time.Second)
		stop()
		if j := l.job(id); j.State != record.JobDone {
			t.Errorf("job %+v", j)
		}
	})
}

func TestAShutdownInterruptsWhatTakesLongAndCountsNoFailure(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		l.ats.complete = func(ctx context.Context, _ *ats.Event) error {
			<-ctx.Done()
			return ats.Errorf(ats.Invalid, "cut off: %w", ctx.Err())
		}
		id := l.arrive(l.rejection("1"))
		stop := l.start()
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took < shutdownGrace-time.Second || took > shutdownGrace+interruptGrace {
			t.Errorf("stopped after %v", took)
		}
		if j := l.job(id); j.State != record.JobWaiting || j.Attempts != 0 || j.Starts != 0 || j.Error != "interrupted by a shutdown" {
			t.Errorf("job %+v", j)
		}
		l.ats.complete = nil
		l.start()
		time.Sleep(2 * time.Second)
		l.expect("1", record.MailSent, "")
	})
}

// A mail that is on its way is not cut off: otherwise a person would have to
// find out whether it left.
func TestAShutdownWaitsForAMailOnItsWay(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		sending := make(chan bool)
		l.post.hook = func(ctx context.Context, _ mail.Message) {
			sending <- true
			select {
			case <-time.After(sendTimeout - time.Second):
			case <-ctx.Done():
				t.Error("cut off")
			}
		}
		l.arrive(l.rejection("1"))
		stop := l.start()
		<-sending
		stop()
		l.expect("1", record.MailSent, "")
	})
}

// A handler that does not notice its end runs on beside its successor; only
// one of them counts.
func TestAHandlerThatOutlivesItsLeaseIsFenced(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		runs := 0
		l.ats.complete = func(_ context.Context, e *ats.Event) error {
			if runs++; runs == 1 {
				time.Sleep(3 * time.Minute) // deaf
				e.Job.Title = "stale"
			}
			return nil
		}
		id := l.arrive(l.rejection("1"))
		store := &counting{Store: l.db}
		l.Store = store
		stop := l.start()
		time.Sleep(4 * time.Minute)
		stop()
		if runs != 2 || store.dropped == 0 {
			t.Errorf("%d runs, %d dropped tickets", runs, store.dropped)
		}
		if j := l.job(id); j.State != record.JobDone || j.Attempts != 0 {
			t.Errorf("job %+v", j)
		}
		l.expect("1", record.MailSent, "")
		if n := len(l.post.letters()); n != 1 {
			t.Errorf("%d mails", n)
		}
	})
}

// counting is a store that counts how many tickets passed the fence, and can
// be away.
type counting struct {
	Store
	started, dropped int
	away             time.Time // until when
}

func (c *counting) StartJob(ctx context.Context, id string, seq int64, d time.Duration) (record.Job, error) {
	if time.Now().Before(c.away) {
		return record.Job{}, ats.Errorf(ats.Busy, "starting misaki@example.jp: no connection")
	}
	j, err := c.Store.StartJob(ctx, id, seq, d)
	switch {
	case err == nil:
		c.started++
	case ats.FaultOf(err) == ats.Duplicate:
		c.dropped++
	}
	return j, err
}

func TestAHandlerThatNoticesItsEndHasFailed(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		l.ats.complete = func(ctx context.Context, _ *ats.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}
		id := l.arrive(l.rejection("1"))
		l.start()
		time.Sleep(handlerTimeout + 5*time.Second)
		if j := l.job(id); j.State != record.JobWaiting || j.Attempts != 1 || j.Error != "took longer than 1m0s: context deadline exceeded" {
			t.Errorf("job %+v", j)
		}
	})
}

// asynq's own retries serve the time in which SQL does not answer. If it stays
// away longer, the ticket is dropped and the sweep finds the job; nothing is
// left in the archive, and Redis learns nothing about the error.
func TestATicketOutlivesSQL(t *testing.T) {
	for name, away := range map[string]time.Duration{"for a moment": 4 * time.Second, "for longer than the ticket is tried": 40 * time.Second} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, l *lab) {
				id := l.arrive(l.rejection("1"))
				if _, err := l.Courier.Forgot(t.Context()); err != nil {
					t.Fatal(err)
				}
				l.Store = &counting{Store: l.db, away: time.Now().Add(away)}
				l.start()
				time.Sleep(2 * time.Second)
				if dump := l.Courier.inproc.Dump(); containsAny(dump, "misaki", "no connection") {
					t.Errorf("redis knows %s", dump)
				}
				time.Sleep(lost + 20*time.Second)
				if j := l.job(id); j.State != record.JobDone || j.Attempts != 0 {
					t.Errorf("job %+v", j)
				}
				depths, err := l.Courier.Depths()
				if err != nil || depths[record.LiveQueue] != (Depth{}) {
					t.Errorf("left in redis: %+v, %v", depths, err)
				}
				l.expect("1", record.MailSent, "")
			})
		})
	}
}

// SQL may go away in the middle of a run, too.
func TestARunThatCannotRecordItsOutcomeIsRepeated(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		id := l.arrive(l.rejection("1"))
		l.Store = &interrupted{Store: l.db, failures: 1}
		l.start()
		time.Sleep(lease + 10*time.Second)
		if j := l.job(id); j.State != record.JobDone {
			t.Errorf("job %+v", j)
		}
		l.expect("1", record.MailSent, "")
	})
}

// interrupted is a store that is away when the first outcomes are recorded.
type interrupted struct {
	Store
	failures int
}

func (s *interrupted) Accept(ctx context.Context, j record.Job, d record.Delivery, events []ats.Event, lim record.Limits, decide record.Decider) (record.Accepted, error) {
	if s.failures > 0 {
		return record.Accepted{}, errors.New("connection reset")
	}
	return s.Store.Accept(ctx, j, d, events, lim, decide)
}

func (s *interrupted) FinishJob(ctx context.Context, j record.Job, o record.Outcome) error {
	if s.failures > 0 {
		s.failures--
		return ats.Errorf(ats.Busy, "connection reset")
	}
	return s.Store.FinishJob(ctx, j, o)
}
