package jobs
import ("testing";"fmt";"time";"context";"sync";"github.com/career-relay/connector/ats";"github.com/career-relay/connector/record";"github.com/career-relay/connector/connectors")
func TestDbg(t *testing.T) {
	const n, doors = 12000, 64
	l := really(t, openCourier(t, ""))
	l.ats.decode = func(connectors.Payload) ([]ats.Event, error) { return nil, ats.Errorf(ats.Invalid, "broken mapping") }
	l.start()
	var door sync.WaitGroup
	b := time.Now()
	for d := range doors {
		door.Go(func() {
			for i := range n / doors {
				a := arrival([]byte(`{}`))
				a.Delivery.Key = fmt.Sprint(d, "/", i)
				if _, err := l.save(a); err != nil {
					t.Error(err)
				}
			}
		})
	}
	door.Wait()
	fmt.Println("saved", time.Since(b))
	for range 40 {
		c, err := l.db.Counts(context.Background(), "acme")
		d, _ := l.Courier.Depths()
		fmt.Println(time.Since(b), c.Jobs, err, d)
		if c.Jobs["dead"] == n/doors*doors { break }
		time.Sleep(time.Second)
	}
	l.ats.mu.Lock()
	l.ats.decode = func(connectors.Payload) ([]ats.Event, error) { return nil, nil } // repaired
	l.ats.mu.Unlock()
	b = time.Now()
	done, err := l.db.RetryJobs(t.Context(), l.order(record.Filter{State: "dead", Error: "broken mapping"}))
	fmt.Println(done.Changed, err, time.Since(b))
	for range 40 {
		c, err := l.db.Counts(context.Background(), "acme")
		d, _ := l.Courier.Depths()
		fmt.Println(time.Since(b), c.Jobs, err, d)
		if c.Jobs["done"] == n/doors*doors { break }
		time.Sleep(time.Second)
	}
}
