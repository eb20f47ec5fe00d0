package jobs

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// virtually runs a test in virtual time, on a store whose clock is that time
// and with Redis in process. Mails may leave at any hour.
func virtually(t *testing.T, fn func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := openLab(t, &clock{})
		l.company().Sending.Window = sending.Window{}
		l.Courier = openCourier(t, "")
		fn(t, l)
	})
}

// start runs the worker until stop is called, at the latest when the test ends.
func (l *lab) start() (stop func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	}
	l.t.Cleanup(stop)
	return stop
}

func jst(month time.Month, day, hour, minute int) time.Time {
	return time.Date(2026, month, day, hour, minute, 0, 0, tokyo)
}

// Each mail leaves within the twenty minutes over which those of one opening
// are spread.
func TestAMailLeavesWhenItMay(t *testing.T) {
	tests := map[string]struct {
		decided time.Time
		change  func(*sending.Settings)
		want    time.Time
	}{
		"at once inside the window":                         {jst(10, 5, 11, 0), nil, jst(10, 5, 11, 0)},
		"decided before the opening, at the opening":        {jst(10, 5, 7, 30), nil, jst(10, 5, 10, 0)},
		"decided at night, the next morning":                {jst(10, 5, 22, 0), nil, jst(10, 6, 10, 0)},
		"decided on Friday evening, on Monday":              {jst(10, 2, 18, 0), nil, jst(10, 5, 10, 0)},
		"decided before a long week-end, after it":          {jst(10, 9, 18, 0), nil, jst(10, 13, 10, 0)}, // Sports Day on the 12th
		"a delay of a day":                                  {jst(10, 5, 11, 0), delay(24 * time.Hour), jst(10, 6, 11, 0)},
		"a delay of a day that ends on Saturday":            {jst(10, 2, 11, 0), delay(24 * time.Hour), jst(10, 5, 10, 0)},
		"a delay of three days over the autumn holidays":    {jst(9, 18, 16, 0), delay(72 * time.Hour), jst(9, 24, 10, 0)}, // 21st to 23rd are free
		"around new year, with the company's own days free": {jst(12, 28, 18, 0), ownDays, time.Date(2027, 1, 4, 10, 0, 0, 0, tokyo)},
		"at any hour, when the company says so":             {jst(10, 3, 23, 0), func(s *sending.Settings) { s.Window = sending.Window{} }, jst(10, 3, 23, 0)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.clock.set(tt.decided)
			if tt.change != nil {
				tt.change(&l.company().Sending)
			}
			l.arrive(l.rejection("1"))
			l.until(tt.decided.Add(20 * 24 * time.Hour))
			m := l.expect("1", record.MailSent, "")
			if m.SentAt.Before(tt.want) || m.SentAt.After(tt.want.Add(20*time.Minute)) {
				t.Errorf("sent at %v, want %v", m.SentAt.In(tokyo), tt.want)
			}
			if n := l.post.attempts(); n != 1 {
				t.Errorf("%d tries", n)
			}
		})
	}
}

func delay(d time.Duration) func(*sending.Settings) {
	return func(s *sending.Settings) { s.Delay = ats.Duration(d) }
}

func ownDays(s *sending.Settings) {
	for d := 29; d <= 34; d++ {
		s.Holidays.Also = append(s.Holidays.Also, time.Date(2026, 12, d, 0, 0, 0, 0, time.UTC))
	}
	s.Holidays.Also = s.Holidays.Also[:5] // to January 2nd; the 3rd is a Sunday
}

// What kept a mail back may last until the window closes: then it waits for
// the next one.
func TestARetryKeepsToTheWindow(t *testing.T) {
	l := newLab(t)
	l.clock.set(jst(10, 9, 16, 58)) // Friday, the window closes at 17
	l.post.fail = func(n int, _ mail.Message) error { return busyTimes(n, 1, time.Hour) }
	l.arrive(l.rejection("1"))
	l.until(jst(10, 30, 0, 0))
	m := l.expect("1", record.MailSent, "")
	if open := jst(10, 13, 10, 0); m.SentAt.Before(open) || m.SentAt.After(open.Add(time.Hour)) {
		t.Errorf("sent at %v, want on Tuesday morning", m.SentAt.In(tokyo))
	}
}

// A vendor that is away over the week-end delays the mail, and it is sent once.
func TestAVendorIsAwayOverTheWeekEnd(t *testing.T) {
	l := newLab(t)
	l.clock.set(jst(10, 2, 15, 0))
	back := jst(10, 4, 3, 0)
	l.ats.state = func(context.Context, ats.Event) (ats.State, error) {
		if l.clock.now().Before(back) {
			return "", ats.Errorf(ats.Busy, "connection refused")
		}
		return ats.Rejected, nil
	}
	l.arrive(l.rejection("1"))
	l.until(jst(10, 30, 0, 0))
	m := l.expect("1", record.MailSent, "")
	if at := m.SentAt.In(tokyo); at.Before(jst(10, 5, 10, 0)) || at.After(jst(10, 5, 17, 0)) {
		t.Errorf("sent at %v, want on Monday", at)
	}
	if n := l.post.attempts(); n != 1 {
		t.Errorf("%d tries", n)
	}
}

func TestAnOldDecisionIsNotMailedByItself(t *testing.T) {
	tests := map[string]func(l *lab){
		"it arrives too late": func(l *lab) {
			e := l.rejection("1")
			e.At = l.clock.now().Add(-31 * 24 * time.Hour)
			l.arrive(e)
		},
		"it waited too long for its transport": func(l *lab) {
			transport := l.Transport
			l.Transport = func(*configs.Company) (Transport, error) {
				return Transport{}, ats.Errorf(ats.Invalid, "not configured")
			}
			l.arrive(l.rejection("1"))
			l.until(l.clock.now().Add(time.Hour))
			l.clock.pass(31 * 24 * time.Hour)
			l.Transport = transport
		},
	}
	for name, act := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			act(l)
			l.until(l.clock.now().Add(10 * 24 * time.Hour))
			if m := l.expect("1", record.MailHeld, sending.CodeMaxAge); !m.Stopped {
				t.Errorf("mail %+v", m)
			}
			if n := l.post.attempts(); n != 0 {
				t.Errorf("%d tries", n)
			}
			if _, err := l.db.ReleaseMails(t.Context(), l.order(record.Filter{State: "stopped"})); err != nil {
				t.Fatal(err)
			}
			l.until(l.clock.now().Add(10 * 24 * time.Hour))
			l.expect("1", record.MailSent, "")
		})
	}
}

// The worker itself, not a hand, over the first retries.
func TestTheWorkerRetriesInTime(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		l.post.fail = func(n int, _ mail.Message) error {
			if n <= 2 {
				return ats.Errorf(ats.Busy, "503")
			}
			return nil
		}
		l.arrive(l.rejection("1"))
		l.start()
		began := time.Now()
		time.Sleep(schedule[0] + schedule[1] - time.Second)
		if n := len(l.post.letters()); n != 0 {
			t.Errorf("sent before its time")
		}
		time.Sleep((schedule[0]+schedule[1])/5 + 2*time.Second)
		m := l.expect("1", record.MailSent, "")
		if took := m.SentAt.Sub(began); took < schedule[0]+schedule[1] || m.Attempts != 3 {
			t.Errorf("sent after %v at attempt %d", took, m.Attempts)
		}
	})
}

// Between the webhook's answer and the mail lie only the pauses with which
// servers look for tasks: a commit nudges the dispatcher.
func TestNothingWaitsForATick(t *testing.T) {
	virtually(t, func(t *testing.T, l *lab) {
		l.start()
		time.Sleep(time.Second)
		for i := range 10 {
			id := string(rune('a' + i))
			began := time.Now()
			l.arrive(l.rejection(id))
			time.Sleep(time.Second + 7*time.Millisecond)
			if took := l.expect(id, record.MailSent, "").SentAt.Sub(began); took > 100*time.Millisecond {
				t.Errorf("mail %s left after %v", id, took)
			}
		}
	})
}
