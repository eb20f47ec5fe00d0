package jobs

import (
	"context"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// batchSize is how many deliveries the benchmark replays; BATCH=100000 is the size
// of the goal.
var batchSize = func() int {
	if n, err := strconv.Atoi(os.Getenv("BATCH")); err == nil {
		return n
	}
	return 2000
}()

// BenchmarkBatch replays deliveries as a batch and measures, in the same run, how
// long a live delivery takes until it is read: without the batch and beside it.
// Only the ratios mean anything on a shared machine.
func BenchmarkBatch(b *testing.B) {
	for b.Loop() {
		l := openLab(b, &clock{})
		courier, err := OpenCourier("", l.Log)
		if err != nil {
			b.Fatal(err)
		}
		l.Courier = courier
		ctx, stop := context.WithCancel(b.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = l.Run(ctx) })
		b.Cleanup(func() { stop(); running.Wait(); _ = courier.Close() })

		var arriving sync.WaitGroup
		numbers := make(chan int)
		for range 16 {
			arriving.Go(func() {
				for n := range numbers {
					l.arrive(l.news("batch-"+strconv.Itoa(n), ats.Withdrawn))
				}
			})
		}
		for n := range batchSize {
			numbers <- n
		}
		close(numbers)
		arriving.Wait()
		l.idle(b)

		alone := l.latencies(b, "alone", func(n int) bool { return n < 200 })
		began := time.Now()
		done, err := l.db.Rerun(b.Context(), record.Rerun{Order: l.order(record.Filter{State: "decoded"}), Verb: "replay", Noun: "delivery"}, nil)
		if err != nil || done.Batch == "" {
			b.Fatal(done, err)
		}
		var took time.Duration
		beside := l.latencies(b, "beside", func(int) bool {
			rows, err := l.db.Batches(b.Context(), record.Filter{ID: done.Batch})
			if err != nil {
				b.Fatal(err)
			}
			took = time.Since(began)
			return rows[0].State == record.BatchRunning
		})
		b.ReportMetric(float64(done.Matched)/took.Seconds(), "items/s")
		for name, all := range map[string][]time.Duration{"alone": alone, "beside": beside} {
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, name+"-p50-ms")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, name+"-p99-ms")
		}
		b.ReportMetric(float64(beside[len(beside)/2])/float64(alone[len(alone)/2]), "p50-ratio")
	}
}

// idle waits until no job is left.
func (l *lab) idle(b *testing.B) {
	b.Helper()
	for {
		c, err := l.db.Counts(b.Context(), "acme")
		if err != nil {
			b.Fatal(err)
		}
		if c.Jobs["waiting"]+c.Jobs["dispatched"]+c.Jobs["running"] == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// latencies lets live deliveries arrive one after another while more says so, and
// returns, sorted, how long each took until it was read.
func (l *lab) latencies(b *testing.B, name string, more func(n int) bool) []time.Duration {
	b.Helper()
	var all []time.Duration
	for n := 0; n == 0 || more(n); n++ {
		began := time.Now()
		id := l.arrive(l.news(name+"-"+strconv.Itoa(n), ats.Withdrawn))
		for {
			row, _, err := l.db.Delivery(b.Context(), id)
			if err != nil {
				b.Fatal(err)
			}
			if row.Disposition != record.New {
				break
			}
			time.Sleep(time.Millisecond)
		}
		all = append(all, time.Since(began))
		time.Sleep(5 * time.Millisecond)
	}
	slices.Sort(all)
	return all
}
