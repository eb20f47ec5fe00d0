package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

var volumeTests = map[string]func(*testing.T, *bench){
	"the volume brake stops the mail that is too many and those before it": func(t *testing.T, b *bench) {
		b.rules.Brake.Batch, b.limits.Hour = 5, 6
		b.hear(t, "globex", b.rejection("g1"))
		b.hear(t, "acme", b.rejection("early"))
		b.clock.Pass(2 * time.Hour)
		for range 5 {
			b.hear(t, "acme", b.rejection(b.id("a")))
		}
		if bs, err := b.Brakes(t.Context(), "acme", false); err != nil || len(bs) != 0 {
			t.Fatalf("brakes before: got %v (%v), want none", bs, err)
		}
		got := b.hear(t, "acme", b.rejection("sixth"))
		if got.Stopped != 1 || !slices.Equal(got.Codes, []string{sending.CodeBrakeVolume}) {
			t.Errorf("the sixth: got %+v", got)
		}
		mails, err := b.Mails(t.Context(), record.Filter{Company: "acme", State: "stopped"})
		if err != nil || len(mails) != 6 {
			t.Fatalf("stopped: got %d (%v), want 6", len(mails), err)
		}
		for _, m := range mails {
			if m.Reason != sending.CodeBrakeVolume || b.liveJobs(t, m.ID) != 0 {
				t.Errorf("mail: got %q with %d live jobs", m.Reason, b.liveJobs(t, m.ID))
			}
		}
		for _, id := range []string{"early", "g1"} {
			if m := b.mailOf(t, id); m.Stopped {
				t.Errorf("%s is stopped", id)
			}
		}
		bs, err := b.Brakes(t.Context(), "acme", false)
		if err != nil || len(bs) != 1 || bs[0].Kind != "volume" {
			t.Errorf("brakes: got %v (%v), want one", bs, err)
		}
	},
	"the volume brake holds against a crowd": func(t *testing.T, b *bench) {
		b.rules.Brake.Batch, b.limits.Hour = 10, 11
		errs := together(30, func(int) error {
			_, err := b.accept(t.Context(), b.Store, b.arrival("acme", b.id("key")), b.rejection(b.id("a")))
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n := b.count(t, `SELECT count(*) FROM mails WHERE stopped = 1`); n != 30 {
			t.Errorf("stopped: got %d, want all 30", n)
		}
	},
	"mails that are planned anew count for the volume brake": func(t *testing.T, b *bench) {
		b.rules.Brake.Batch, b.limits.Hour = 2, 3
		var events []ats.Event
		for i := range 3 {
			e := b.rejection(b.id("a"))
			b.hear(t, "acme", e)
			b.hear(t, "acme", then(e, ats.Reopened))
			events = append(events, e)
			if i < 2 {
				b.clock.Pass(2 * time.Hour)
			}
		}
		b.clock.Pass(2 * time.Hour)
		var last record.Accepted
		for _, e := range events {
			last = b.hear(t, "acme", b.rejection(e.Application))
		}
		if last.Stopped != 1 {
			t.Errorf("the third within the hour: got %+v, want it stopped", last)
		}
	},
	"the busiest day is told to the rules": func(t *testing.T, b *bench) {
		for range 3 {
			b.hear(t, "acme", b.rejection(b.id("a")))
		}
		b.clock.Pass(24 * time.Hour)
		b.hear(t, "acme", b.rejection(b.id("a")))
		b.clock.Pass(24 * time.Hour)
		var got record.Known
		s := b.open(t)
		id := b.save(t, b.arrival("acme", "k"))
		j, err := b.begin(t.Context(), s, id)
		if err != nil {
			t.Fatal(err)
		}
		d, _, err := s.Delivery(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Accept(t.Context(), j, d, []ats.Event{b.rejection("x")}, b.limits, func(e ats.Event, k record.Known) (record.Ruling, error) {
			got = k
			return b.decide(e, k)
		}); err != nil {
			t.Fatal(err)
		}
		if got.BusiestDay != 3 || got.LastHour != 0 || got.LastDay != 1 {
			t.Errorf("got busiest %d, hour %d, day %d; want 3, 0, 1", got.BusiestDay, got.LastHour, got.LastDay)
		}
	},
}
