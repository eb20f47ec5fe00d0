package storetest

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

var deliveryTests = map[string]func(*testing.T, *bench){
	"a delivery is kept with its payload and its job": func(t *testing.T, b *bench) {
		a := b.arrival("acme", "k")
		a.Delivery.Payload.Query = map[string][]string{"token": {"x"}}
		a.Trace = "00-trace"
		id := b.save(t, a)
		row, d, err := b.Delivery(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		want := a.Delivery
		want.ID, want.Key = id, "" // it only tells redeliveries apart
		if diff := cmp.Diff(want, d); diff != "" {
			t.Errorf("delivery differs (-want +got):\n%s", diff)
		}
		wantRow := record.Delivery{
			ID: id, Company: "acme", Connection: "main", Vendor: "greenhouse", Door: "webhook", Disposition: record.New, Size: len(a.Delivery.Payload.Body),
			ReceivedAt: b.clock.Now(), ExpiresAt: b.clock.Now().Add(a.Keep),
		}
		if diff := cmp.Diff(wantRow, row); diff != "" {
			t.Errorf("row differs (-want +got):\n%s", diff)
		}
		j := b.startOne(t, record.DecodeJob, id)
		wantJob := record.Job{
			ID: j.ID, Company: "acme", Kind: record.DecodeJob, Queue: record.LiveQueue, Subject: id, State: record.JobRunning, Seq: 1, Starts: 1, Trace: "00-trace",
			DueAt: b.clock.Now(), CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
		}
		if diff := cmp.Diff(wantJob, j); diff != "" {
			t.Errorf("job differs (-want +got):\n%s", diff)
		}
		select {
		case <-b.Nudge():
		default:
			t.Error("the dispatcher was not nudged")
		}
	},
	"an empty payload comes back empty": func(t *testing.T, b *bench) {
		a := b.arrival("acme", "k")
		a.Delivery.Payload = connectors.Payload{Received: b.clock.Now()}
		_, d, err := b.Delivery(t.Context(), b.save(t, a))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.Delivery.Payload, d.Payload, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("payload differs (-want +got):\n%s", diff)
		}
	},
	"doors decide on the kind of job and its queue": func(t *testing.T, b *bench) {
		for door, want := range map[connectors.Door][2]string{
			connectors.Webhook: {record.DecodeJob, record.LiveQueue},
			connectors.Poll:    {record.DecodeJob, record.LiveQueue},
			connectors.File:    {record.DecodeJob, record.BulkQueue},
			connectors.Mail:    {record.FeedbackJob, record.LiveQueue},
		} {
			a := b.arrival("acme", string(door))
			a.Delivery.Door = door
			jobs, err := b.JobsOf(t.Context(), b.save(t, a))
			if err != nil || len(jobs) != 1 {
				t.Fatalf("jobs of %s: got %v, %v", door, jobs, err)
			}
			if got := [2]string{jobs[0].Kind, jobs[0].Queue}; got != want {
				t.Errorf("%s: got %v, want %v", door, got, want)
			}
		}
	},
	"a delivery that does not exist is not found": func(t *testing.T, b *bench) {
		_, _, err := b.Delivery(t.Context(), "nothing")
		wantFault(t, err, ats.NotFound)
	},
	"a redelivery is counted and makes no second job": func(t *testing.T, b *bench) {
		id := b.save(t, b.arrival("acme", "k"))
		for range 3 {
			_, err := b.SaveDelivery(t.Context(), b.arrival("acme", "k"))
			wantFault(t, err, ats.Duplicate)
		}
		row, _, err := b.Delivery(t.Context(), id)
		if err != nil || row.Repeats != 3 {
			t.Errorf("repeats: got %d (%v), want 3", row.Repeats, err)
		}
		if n := b.count(t, `SELECT count(*) FROM jobs`); n != 1 {
			t.Errorf("jobs: got %d, want 1", n)
		}
	},
	"the same key of another connection or company is another delivery": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "k"))
		b.save(t, b.arrival("globex", "k"))
		a := b.arrival("acme", "k")
		a.Delivery.Connection = "other"
		b.save(t, a)
	},
	"a key of any length or bytes is kept apart": func(t *testing.T, b *bench) {
		long := strings.Repeat("k", 5000)
		b.save(t, b.arrival("acme", long+"1"))
		b.save(t, b.arrival("acme", long+"2"))
		_, err := b.SaveDelivery(t.Context(), b.arrival("acme", long+"1"))
		wantFault(t, err, ats.Duplicate)
		b.save(t, b.arrival("acme", "zero\x00byte"))
		b.save(t, b.arrival("acme", "broken\xffbyte"))
	},
	"a hundred redeliveries at once keep one": func(t *testing.T, b *bench) {
		other := b.open(t)
		errs := together(100, func(i int) error {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			_, err := s.SaveDelivery(t.Context(), b.arrival("acme", "k"))
			return err
		})
		want := map[ats.Fault]int{"": 1, ats.Duplicate: 99}
		if diff := cmp.Diff(want, faults(t, errs)); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
		if n := b.count(t, `SELECT repeats FROM deliveries`); n != 99 {
			t.Errorf("repeats: got %d, want 99", n)
		}
	},
	"crossing groups of redeliveries do not lock one another out": func(t *testing.T, b *bench) {
		other := b.open(t)
		errs := together(300, func(i int) error {
			s, key := b.Store, i/2%30
			if i%2 == 1 {
				s, key = other, 29-i/2%30
			}
			_, err := s.SaveDelivery(t.Context(), b.arrival("acme", string(rune('a'+key))))
			return err
		})
		want := map[ats.Fault]int{"": 30, ats.Duplicate: 270}
		if diff := cmp.Diff(want, faults(t, errs)); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
	},
	"one row that the database refuses fails alone": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "warm"))
		b.refuse(t, "deliveries", `NEW.vendor = 'bad'`)
		errs := together(100, func(i int) error {
			a := b.arrival("acme", b.id("good"))
			if i == 50 {
				a.Vendor = "bad"
			}
			_, err := b.SaveDelivery(t.Context(), a)
			return err
		})
		if diff := cmp.Diff(map[ats.Fault]int{"": 99, ats.Busy: 1}, faults(t, errs)); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
		if n := b.count(t, `SELECT count(*) FROM jobs`); n != 100 {
			t.Errorf("jobs: got %d, want 100", n)
		}
	},
	"when the job cannot be written the delivery is not kept": func(t *testing.T, b *bench) {
		b.refuse(t, "jobs", `NEW.kind = 'decode'`)
		_, err := b.SaveDelivery(t.Context(), b.arrival("acme", "k"))
		wantFault(t, err, ats.Busy)
		if n := b.count(t, `SELECT count(*) FROM deliveries`); n != 0 {
			t.Errorf("deliveries: got %d, want 0", n)
		}
	},
	"a full queue answers busy at once, and what was taken is kept": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "first"))
		release := b.hold(t)
		const clients = 2000
		var refused atomic.Int64
		go func() {
			for refused.Load() < 100 {
				time.Sleep(time.Millisecond)
			}
			release()
		}()
		errs := together(clients, func(int) error {
			_, err := b.SaveDelivery(t.Context(), b.arrival("acme", b.id("key")))
			if err != nil {
				refused.Add(1)
			}
			return err
		})
		got := faults(t, errs)
		if got[""]+got[ats.Busy] != clients || got[ats.Busy] < 100 {
			t.Errorf("got %v", got)
		}
		if n := b.count(t, `SELECT count(*) FROM deliveries`); n != got[""]+1 {
			t.Errorf("kept: got %d, want the %d that were acknowledged", n, got[""]+1)
		}
	},
	"what is acknowledged is committed": func(t *testing.T, b *bench) {
		db := b.sql(t)
		for range 20 {
			id := b.save(t, b.arrival("acme", b.id("key")))
			var n int
			if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM deliveries d JOIN jobs j ON j.subject = d.id WHERE d.id = $1`, id).Scan(&n); err != nil || n != 1 {
				t.Fatalf("seen from outside: got %d (%v), want 1", n, err)
			}
		}
	},
	"a caller who leaves gets no success": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "first"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.SaveDelivery(ctx, b.arrival("acme", "k")); err != nil {
			wantFault(t, err, ats.Busy)
		}
	},
	"a closed store answers busy and does not hang": func(t *testing.T, b *bench) {
		s := b.open(t)
		b.save(t, b.arrival("acme", "first"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		errs := together(20, func(int) error {
			_, err := s.SaveDelivery(context.WithoutCancel(t.Context()), b.arrival("acme", b.id("key")))
			return err
		})
		if diff := cmp.Diff(map[ats.Fault]int{ats.Busy: 20}, faults(t, errs)); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
	},
	"closing answers everybody who waits": func(t *testing.T, b *bench) {
		s := b.open(t)
		b.save(t, b.arrival("acme", "first"))
		done := make(chan []error)
		go func() {
			done <- together(200, func(int) error {
				_, err := s.SaveDelivery(context.WithoutCancel(t.Context()), b.arrival("acme", b.id("key")))
				return err
			})
		}()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		got := faults(t, <-done)
		if kept := b.count(t, `SELECT count(*) FROM deliveries`) - 1; kept != got[""] {
			t.Errorf("kept %d, acknowledged %d", kept, got[""])
		}
	},
	"a quarantined delivery does not take the place of a signed one": func(t *testing.T, b *bench) {
		bad := b.arrival("acme", "k")
		bad.Disposition, bad.Reason = record.Quarantined, "signature"
		quarantined := b.save(t, bad)
		if n := b.liveJobs(t, quarantined); n != 0 {
			t.Errorf("jobs of a quarantined delivery: got %d, want 0", n)
		}
		_, err := b.SaveDelivery(t.Context(), bad)
		wantFault(t, err, ats.Duplicate)
		good := b.save(t, b.arrival("acme", "k"))
		if n := b.liveJobs(t, good); n != 1 {
			t.Errorf("jobs of the signed delivery: got %d, want 1", n)
		}
	},
	"a quarantined delivery is reinstated, any other is left": func(t *testing.T, b *bench) {
		bad := b.arrival("acme", "k")
		bad.Disposition = record.Quarantined
		id := b.save(t, bad)
		parked := b.save(t, b.arrival("acme", "k"))
		b.exec(t, `UPDATE deliveries SET disposition = 'parked' WHERE id = $1`, parked)
		for _, d := range []string{id, parked} {
			row, _, err := b.Delivery(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			row.Secret = "env:NEW"
			if err := b.Reinstate(t.Context(), row, connectors.Payload{Body: []byte("what is kept")}, 90*24*time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		row, d, err := b.Delivery(t.Context(), id)
		if err != nil || row.Secret != "env:NEW" || string(d.Payload.Body) != "what is kept" || row.ExpiresAt.Sub(row.ReceivedAt) != 90*24*time.Hour {
			t.Errorf("got %+v with %q (%v)", row, d.Payload.Body, err)
		}
		for d, want := range map[string]record.Disposition{id: record.New, parked: record.Parked} {
			row, _, err := b.Delivery(t.Context(), d)
			if err != nil || row.Disposition != want {
				t.Errorf("got %s (%v), want %s", row.Disposition, err, want)
			}
		}
	},
	"a delivery is parked with the outcome of its job": func(t *testing.T, b *bench) {
		id := b.save(t, b.arrival("acme", "k"))
		j := b.startOne(t, record.DecodeJob, id)
		dead := record.Outcome{State: record.JobDead, Error: "no rule knows it", Fault: ats.Invalid, Consumed: true}
		if err := b.Park(t.Context(), j, id, record.Parked, "no rule knows it", dead); err != nil {
			t.Fatal(err)
		}
		row, _, err := b.Delivery(t.Context(), id)
		if err != nil || row.Disposition != record.Parked || row.Reason != "no rule knows it" {
			t.Errorf("got %s, %q (%v)", row.Disposition, row.Reason, err)
		}
		if j := b.wantJob(t, j.ID, record.JobDead); j.Attempts != 1 || j.Fault != "invalid" || j.Starts != 0 {
			t.Errorf("job: got %+v", j)
		}
		wantFault(t, b.Park(t.Context(), j, id, record.Ignored, "", dead), ats.Duplicate)
		if row, _, _ := b.Delivery(t.Context(), id); row.Disposition != record.Parked {
			t.Errorf("after the lease was lost: got %s, want parked", row.Disposition)
		}
	},
}
