package jobs

import (
	"context"
	"testing"
	"testing/synctest"

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
