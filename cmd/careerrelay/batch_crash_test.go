package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/career-relay/connector/record"
)

// TestKilledWithABatchRunning kills the process again and again while a batch
// replays every delivery. Afterwards the batch is done, each item was handed over
// exactly once, and nobody got a second mail.
func TestKilledWithABatchRunning(t *testing.T) {
	if testing.Short() {
		t.Skip("short: needs the built binary and minutes")
	}
	const deliveries = 300
	f := newFleet(t, build(t))
	f.run("all", "serve")
	for n := range deliveries {
		f.deliver(n)
	}
	db := f.open()
	f.rest(db)
	f.oneShot("delivery", "replay", "--company", "acme", "--state", "decoded", "--reason", "a crash test", "--yes")
	for range 6 {
		time.Sleep(100*time.Millisecond + rand.N(500*time.Millisecond))
		f.kill()
	}
	var b record.Batch
	for range 3000 {
		rows, err := db.Batches(t.Context(), record.Filter{})
		if err != nil || len(rows) != 1 {
			t.Fatalf("batches: got %v (%v)", rows, err)
		}
		if b = rows[0]; b.State != record.BatchRunning {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if b.State != record.BatchDone || b.Matched != deliveries || b.Changed != deliveries {
		t.Fatalf("got %+v, want all of %d done", b, deliveries)
	}
	p, err := db.Progress(t.Context(), b.ID)
	if err != nil || p.Jobs["done"] != deliveries || p.Waiting != 0 {
		t.Errorf("progress: got %+v (%v)", p, err)
	}
	after := ""
	for {
		page, err := db.Results(t.Context(), record.Filter{Batch: b.ID, After: after, Limit: record.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			jobs, err := db.JobsOf(t.Context(), r.ID)
			if err != nil || len(jobs) != 2 || jobs[1].ReplayOf != jobs[0].ID || jobs[1].Batch != b.ID {
				t.Errorf("item %s: jobs %+v (%v), want the first and one replay", r.ID, jobs, err)
			}
			after = r.ID
		}
		if len(page) < record.MaxPage {
			break
		}
	}
	sentTo := map[string]int{}
	for _, m := range f.sendGrid.Mails() {
		if sentTo[m.SendID]++; sentTo[m.SendID] > 1 {
			t.Errorf("%s left twice", m.SendID)
		}
	}
	if len(sentTo) > deliveries {
		t.Errorf("%d mails left, want at most %d", len(sentTo), deliveries)
	}
}
