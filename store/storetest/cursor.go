package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// claim begins a sweep of a connection of acme.
func (b *bench) claimPoll(tb testing.TB, connection string) record.Poll {
	tb.Helper()
	p, err := b.ClaimPoll(tb.Context(), "acme", connection, "herp-hire", lease, false)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// news are deliveries that a sweep of the connection main brought.
func (b *bench) news(keys ...string) []record.Arrival {
	var out []record.Arrival
	for _, key := range keys {
		a := b.arrival("acme", key)
		a.Vendor, a.Delivery.Door = "herp-hire", connectors.Poll
		out = append(out, a)
	}
	return out
}

// end ends a sweep: the next is due within a quarter of an hour.
func (b *bench) end(tb testing.TB, p record.Poll, cursor string, news ...record.Arrival) int {
	tb.Helper()
	now := b.clock.Now()
	p.Cursor, p.First, p.Lease, p.UpdatedAt, p.SweptAt, p.DueAt = cursor, false, time.Time{}, now, now, now.Add(15*time.Minute)
	p.Error, p.Fault, p.Failures, p.Alarmed = "", "", 0, false
	kept, err := b.KeepPoll(tb.Context(), p, news)
	if err != nil {
		tb.Fatal(err)
	}
	return kept
}

// fail ends a sweep with an error.
func (b *bench) fail(tb testing.TB, p record.Poll, text string, alarmed bool) {
	tb.Helper()
	p.Lease, p.DueAt, p.Error, p.Fault, p.Alarmed = time.Time{}, b.clock.Now().Add(time.Hour), text, ats.Denied, alarmed
	p.Failures++
	if _, err := b.KeepPoll(tb.Context(), p, nil); err != nil {
		tb.Fatal(err)
	}
}

// wantBrake fails unless acme's poll brake has a cause, "" for none.
func (b *bench) wantBrake(tb testing.TB, cause string) {
	tb.Helper()
	brakes, err := b.Brakes(tb.Context(), "acme", false)
	if err != nil {
		tb.Fatal(err)
	}
	got := ""
	var gotSb69 strings.Builder
	for _, k := range brakes {
		if k.Kind != record.PollBrake {
			tb.Errorf("got a brake of the kind %s", k.Kind)
		}
		gotSb69.WriteString(k.Cause)
	}
	got += gotSb69.String()
	if got != cause {
		tb.Errorf("got the brake %q, want %q", got, cause)
	}
}

var cursorTests = map[string]func(*testing.T, *bench){
	"of all who want to sweep a connection one may": func(t *testing.T, b *bench) {
		other := b.open(t)
		got := faults(t, together(20, func(i int) error {
			s := b.Store
			if i%2 == 0 {
				s = other
			}
			_, err := s.ClaimPoll(t.Context(), "acme", "main", "herp-hire", lease, i%3 == 0)
			return err
		}))
		if got[""] != 1 || got[ats.Duplicate] != 19 {
			t.Errorf("got %v, want one who may", got)
		}
	},
	"news and cursor are kept together": func(t *testing.T, b *bench) {
		p := b.claimPoll(t, "main")
		if !p.First || p.Cursor != "" || p.Seq != 1 || !p.StartedAt.Equal(b.clock.Now()) {
			t.Errorf("the first sweep: got %+v", p)
		}
		first := b.news("a", "b", "of today")
		for i := range first[:2] {
			first[i].Delivery.Payload = first[i].Delivery.Payload.AsHistory()
		}
		if kept := b.end(t, p, "one", first...); kept != 3 {
			t.Errorf("got %d new deliveries, want 3", kept)
		}
		for queue, want := range map[string]int{record.LiveQueue: 1, record.BulkQueue: 2} {
			if jobs := b.start(t, queue); len(jobs) != want {
				t.Errorf("got %d %s jobs, want %d: the past does not slow the present", len(jobs), queue, want)
			}
		}
		if _, err := b.ClaimPoll(t.Context(), "acme", "main", "herp-hire", lease, false); ats.FaultOf(err) != ats.Duplicate {
			t.Errorf("before its time: got %v", err)
		}
		b.clock.Pass(15 * time.Minute)
		p = b.claimPoll(t, "main")
		if p.First || p.Cursor != "one" || p.Seq != 2 {
			t.Errorf("the second sweep: got %+v", p)
		}
		if kept := b.end(t, p, "two", b.news("b", "c", "c")...); kept != 1 {
			t.Errorf("got %d new deliveries, want the one that was not there", kept)
		}
		if jobs := b.start(t, record.LiveQueue); len(jobs) != 1 || jobs[0].Kind != record.DecodeJob {
			t.Errorf("got the jobs %v, want one", jobs)
		}
	},
	"a sweep that lost its lease keeps nothing": func(t *testing.T, b *bench) {
		slow := b.claimPoll(t, "main")
		b.clock.Pass(lease)
		quick := b.claimPoll(t, "main")
		_, err := b.KeepPoll(t.Context(), slow, b.news("a"))
		wantFault(t, err, ats.Duplicate)
		b.end(t, quick, "one", b.news("b")...)
		_, err = b.KeepPoll(t.Context(), quick, b.news("c")) // it has ended
		wantFault(t, err, ats.Duplicate)
		if n := b.count(t, `SELECT count(*) FROM deliveries`); n != 1 {
			t.Errorf("got %d deliveries, want 1", n)
		}
	},
	"a part of a sweep is kept, and its owner goes on": func(t *testing.T, b *bench) {
		p := b.claimPoll(t, "main")
		p.Cursor, p.Lease = "half", b.clock.Now().Add(2*lease)
		if _, err := b.KeepPoll(t.Context(), p, b.news("a")); err != nil {
			t.Fatal(err)
		}
		b.clock.Pass(lease)
		if _, err := b.ClaimPoll(t.Context(), "acme", "main", "herp-hire", lease, true); ats.FaultOf(err) != ats.Duplicate {
			t.Errorf("within the lease: got %v", err)
		}
		b.clock.Pass(lease) // its process was killed
		if p = b.claimPoll(t, "main"); p.Cursor != "half" || !p.First {
			t.Errorf("got %+v, want the half that was done of the first sweep", p)
		}
	},
	"a vendor that rings all the time is not swept all the time": func(t *testing.T, b *bench) {
		b.end(t, b.claimPoll(t, "main"), "one")
		swept := 0
		for range 300 {
			b.clock.Pass(time.Second)
			if err := b.RingPoll(t.Context(), "acme", "main"); err != nil {
				t.Fatal(err)
			}
			p, err := b.ClaimPoll(t.Context(), "acme", "main", "herp-hire", lease, false)
			if err == nil {
				b.end(t, p, "two")
				swept++
			}
		}
		if swept != 5 {
			t.Errorf("swept %d times in five minutes", swept)
		}
	},
	"news are due at once, an error is waited out": func(t *testing.T, b *bench) {
		ring := func(after time.Duration, want bool) {
			t.Helper()
			b.clock.Pass(after)
			if err := b.RingPoll(t.Context(), "acme", "main"); err != nil {
				t.Fatal(err)
			}
			all, err := b.Polls(t.Context(), "acme")
			if err != nil || len(all) != 1 || all[0].Due(b.clock.Now()) != want {
				t.Errorf("got %+v, %v, want due %t", all, err, want)
			}
		}
		b.end(t, b.claimPoll(t, "main"), "one")
		ring(record.RingRest, true)
		p := b.claimPoll(t, "main")
		ring(time.Second, false) // under way
		b.end(t, p, "two")
		b.clock.Pass(record.RingRest)
		p = b.claimPoll(t, "main") // what rang meanwhile is not lost
		b.fail(t, p, "401", false)
		ring(record.RingRest, false)
		b.clock.Pass(time.Hour)
		b.claimPoll(t, "main")
	},
	"another vendor under the same name begins anew": func(t *testing.T, b *bench) {
		b.end(t, b.claimPoll(t, "main"), "one")
		p, err := b.ClaimPoll(t.Context(), "acme", "main", "talentio", lease, true)
		if err != nil || p.Cursor != "" || !p.First || p.Vendor != "talentio" {
			t.Errorf("got %+v, %v", p, err)
		}
	},
	"the brake says which connections are refused": func(t *testing.T, b *bench) {
		b.fail(t, b.claimPoll(t, "main"), "503", false)
		b.wantBrake(t, "")
		b.fail(t, b.claimPoll(t, "two"), "401", true)
		b.wantBrake(t, "two: 401")
		b.clock.Pass(time.Hour)
		b.fail(t, b.claimPoll(t, "main"), "403", true)
		b.wantBrake(t, "main: 403; two: 401")
		b.clock.Pass(time.Hour)
		b.end(t, b.claimPoll(t, "main"), "one")
		b.wantBrake(t, "two: 401")
		if err := b.SilencePoll(t.Context(), "acme", "two"); err != nil {
			t.Fatal(err)
		}
		b.wantBrake(t, "")
		all, err := b.Polls(t.Context(), "")
		if err != nil || len(all) != 2 {
			t.Fatalf("got %+v, %v", all, err)
		}
		got := fmt.Sprint(all[0].Failures, all[0].Error, " ", all[1].Failures, all[1].Error, all[1].Alarmed)
		if diff := cmp.Diff("0 1401false", got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	},
	"ten thousand rejections of one sweep are kept": func(t *testing.T, b *bench) {
		var keys []string
		for i := range 10_000 {
			keys = append(keys, fmt.Sprint("k", i))
		}
		cursor := strings.Repeat("s", 200_000)
		if kept := b.end(t, b.claimPoll(t, "main"), cursor, b.news(keys...)...); kept != len(keys) {
			t.Errorf("got %d, want %d", kept, len(keys))
		}
		p, err := b.Poll(t.Context(), "acme", "main")
		if err != nil || p.Cursor != cursor {
			t.Errorf("got a cursor of %d bytes, %v", len(p.Cursor), err)
		}
		if all, err := b.Polls(t.Context(), "acme"); err != nil || len(all) != 1 || all[0].Cursor != "" || all[0].Vendor != "herp-hire" {
			t.Errorf("the list holds more than it must, %v", err)
		}
		if p, err = b.Poll(t.Context(), "acme", "nobody"); err != nil || !p.First || p.Cursor != "" {
			t.Errorf("one that never ran: got %+v, %v", p, err)
		}
	},
}
