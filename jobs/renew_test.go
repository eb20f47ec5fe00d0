package jobs

import (
	"context"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// A channel is a vendor whose webhook ends a day after it was made.
type channel struct {
	*vendor
	now      func() time.Time
	err      error
	secret   ats.Secret
	endless  bool
	panics   bool
	calls    int
	callback string
}

func (c *channel) Subscribe(_ context.Context, callback string) (connectors.Subscription, error) {
	c.calls++
	c.callback = callback
	if c.panics {
		panic("misaki@example.jp")
	}
	if c.err != nil {
		return connectors.Subscription{}, c.err
	}
	out := connectors.Subscription{ID: "channel-1", Secret: c.secret, Until: c.now().Add(24 * time.Hour)}
	if c.endless {
		out.Until = time.Time{}
	}
	return out, nil
}

func (c *channel) Unsubscribe(context.Context, string) error { return nil }

// channel makes the connection ats of acme one that was subscribed now.
func (l *lab) channel() *channel {
	l.t.Helper()
	c := &channel{vendor: &vendor{}, now: l.clock.now}
	l.company().Connections = map[string]configs.Connection{"ats": {Vendor: "fake"}}
	l.Open = func(string, string) (connectors.Connector, error) { return c, nil }
	made, _ := c.Subscribe(l.t.Context(), "")
	if err := l.db.KeepSubscription(l.t.Context(), Renewed(record.Subscription{Company: "acme", Connection: "ats", Vendor: "fake"}, made, l.clock.now())); err != nil {
		l.t.Fatal(err)
	}
	c.calls = 0
	return c
}

func (l *lab) renewals() record.Subscription {
	l.t.Helper()
	if err := l.renew(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	rows, err := l.db.Subscriptions(l.t.Context(), "")
	if err != nil || len(rows) > 1 {
		l.t.Fatalf("%v, %v", rows, err)
	}
	if len(rows) == 0 {
		return record.Subscription{}
	}
	return rows[0]
}

func TestRenew(t *testing.T) {
	l := newLab(t)
	c := l.channel()
	begun := l.clock.now()
	if l.renewals(); c.calls != 0 {
		t.Error("renewed at once")
	}
	for day := range 7 {
		l.clock.set(l.renewals().DueAt)
		s := l.renewals()
		if c.calls != day+1 || !s.EndsAt.Equal(l.clock.now().Add(24*time.Hour)) || s.Error != "" {
			t.Fatalf("after %s: %d calls, %+v", l.clock.now().Sub(begun), c.calls, s)
		}
	}
	if want := l.PublicURL + "/hooks/acme/ats"; c.callback != want {
		t.Errorf("got %s, want %s", c.callback, want)
	}
	if l.pollBrake() != "" {
		t.Errorf("a brake: %s", l.pollBrake())
	}
}

func TestRenewalFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*channel)
		brake  string // after one failure
	}{
		"refused":      {func(c *channel) { c.err = ats.Errorf(ats.Denied, "401") }, "ats: webhook not renewed: 401"},
		"down":         {func(c *channel) { c.err = ats.Errorf(ats.Busy, "503") }, ""},
		"told to wait": {func(c *channel) { c.err = ats.BusyFor(30*time.Second, "429") }, ""},
		"a panic":      {func(c *channel) { c.panics = true }, ""},
		"a new secret": {func(c *channel) { c.secret = "whsec" }, "ats: webhook not renewed: the vendor has a new secret: run careerrelay vendor subscribe acme ats"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c := l.channel()
			tt.change(c)
			ends := l.renewals().EndsAt
			l.clock.set(l.renewals().DueAt)
			s := l.renewals()
			if s.Error == "" || !s.EndsAt.Equal(ends) || l.pollBrake() != tt.brake {
				t.Errorf("got %+v and the brake %q, want %q", s, l.pollBrake(), tt.brake)
			}
			for l.clock.now().Before(ends) {
				if !s.DueAt.After(l.clock.now()) || s.DueAt.Sub(l.clock.now()) > time.Hour {
					t.Fatalf("tried again at %s, now is %s", s.DueAt, l.clock.now())
				}
				l.clock.set(s.DueAt)
				s = l.renewals()
			}
			if l.pollBrake() == "" {
				t.Error("the webhook ended without an alarm")
			}
			*c = channel{vendor: c.vendor, now: c.now}
			l.clock.set(s.DueAt)
			if s = l.renewals(); s.Error != "" || s.Failures != 0 || !s.EndsAt.After(l.clock.now()) || l.pollBrake() != "" {
				t.Errorf("healed: got %+v and the brake %q", s, l.pollBrake())
			}
		})
	}
}

func TestWhatIsNotRenewed(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*lab, *channel)
		calls  int
		kept   bool
	}{
		"a paused connection": {func(l *lab, _ *channel) {
			l.company().Connections = map[string]configs.Connection{"ats": {Vendor: "fake", Paused: true}}
		}, 0, true},
		"a connection that is gone": {func(l *lab, _ *channel) { l.company().Connections = nil }, 0, false},
		"a connection to another vendor": {func(l *lab, _ *channel) {
			l.company().Connections = map[string]configs.Connection{"ats": {Vendor: "other"}}
		}, 0, false},
		"a webhook that does not end any more": {func(_ *lab, c *channel) { c.endless = true }, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c := l.channel()
			l.clock.set(l.renewals().DueAt)
			tt.change(l, c)
			if s := l.renewals(); c.calls != tt.calls || (s.ID != "") != tt.kept || l.pollBrake() != "" {
				t.Errorf("%d calls, kept %+v", c.calls, s)
			}
		})
	}
}
