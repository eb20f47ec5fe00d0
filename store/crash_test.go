package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
	"github.com/career-relay/connector/store/storetest"
)

func arrival(key string, body []byte) record.Arrival {
	return record.Arrival{
		Vendor: "greenhouse", Disposition: record.New, Keep: 30 * 24 * time.Hour,
		Delivery: connectors.Delivery{
			Company: "acme", Connection: "main", Door: connectors.Webhook, Key: key,
			Payload: connectors.Payload{Header: map[string][]string{"Signature": {"sha256 0123456789abcdef"}}, Body: body, Received: time.Now()},
		},
	}
}

func open(tb testing.TB, o store.Options) *store.Store {
	tb.Helper()
	o.Keys, o.Migrate = [][]byte{storetest.Key(1)}, true
	s, err := store.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// kept fails unless every acknowledged delivery is there with its job.
func kept(t *testing.T, s *store.Store, acknowledged []string) {
	t.Helper()
	for _, id := range acknowledged {
		if _, d, err := s.Delivery(t.Context(), id); err != nil || len(d.Payload.Body) == 0 {
			t.Errorf("delivery %s was acknowledged and is lost: %v", id, err)
		}
		if jobs, err := s.JobsOf(t.Context(), id); err != nil || len(jobs) != 1 {
			t.Errorf("delivery %s has jobs %v (%v), want one", id, jobs, err)
		}
	}
}

// victim is the folder of the store that a child process fills until it is
// killed.
const victim = "CAREERRELAY_TEST_VICTIM"

// TestVictim is not a test: it is the child of TestKilledProcess.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victim)
	if dir == "" {
		t.Skip("only as a child")
	}
	s := open(t, store.Options{Dir: dir})
	var mu sync.Mutex
	var group sync.WaitGroup
	for client := range 16 {
		group.Go(func() {
			for i := 0; ; i++ {
				id, err := s.SaveDelivery(context.Background(), arrival(fmt.Sprintf("%d-%d-%d", os.Getpid(), client, i), []byte("body")))
				if err != nil {
					return
				}
				mu.Lock()
				fmt.Fprintln(os.Stdout, "kept", id)
				mu.Unlock()
			}
		})
	}
	group.Wait()
}

// A process that is killed loses nothing that it acknowledged.
func TestKilledProcess(t *testing.T) {
	dir := t.TempDir()
	var acknowledged []string
	for _, lines := range []int{1, 50, 400} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
		cmd.Env = append(os.Environ(), victim+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		scanner := bufio.NewScanner(out)
		for n := 0; scanner.Scan(); {
			id, ok := strings.CutPrefix(scanner.Text(), "kept ")
			if !ok {
				continue
			}
			acknowledged = append(acknowledged, id)
			if n++; n == lines {
				if err := cmd.Process.Kill(); err != nil { // and read on what it still said
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		s := open(t, store.Options{Dir: dir})
		kept(t, s, acknowledged)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(acknowledged) < 451 {
		t.Errorf("acknowledged: got %d, want 451 or more", len(acknowledged))
	}
}

// A PostgreSQL that is killed loses nothing that was acknowledged; while it is
// away the door says busy, and afterwards everything goes on by itself.
func TestKilledPostgres(t *testing.T) {
	server := storetest.StartPostgres(t)
	options := store.Options{URL: server.Database(t)}
	s := open(t, options)
	if _, err := s.SaveDelivery(t.Context(), arrival("first", []byte("body"))); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		var mu sync.Mutex
		var acknowledged []string
		var strange []error
		var stop atomic.Bool
		var group sync.WaitGroup
		for client := range 16 {
			group.Go(func() {
				for i := 0; !stop.Load(); i++ {
					id, err := s.SaveDelivery(context.WithoutCancel(t.Context()), arrival(strings.Join([]string{strconv.Itoa(round), strconv.Itoa(client), strconv.Itoa(i)}, "-"), []byte("body")))
					mu.Lock()
					switch {
					case err == nil:
						acknowledged = append(acknowledged, id)
					case ats.FaultOf(err) != ats.Busy:
						strange = append(strange, err)
					}
					mu.Unlock()
				}
			})
		}
		for enough := false; !enough; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			enough = len(acknowledged) >= 100
			mu.Unlock()
		}
		server.Kill(t)
		_, err := s.SaveDelivery(t.Context(), arrival("away "+strconv.Itoa(round), []byte("body")))
		if ats.FaultOf(err) != ats.Busy {
			t.Errorf("while it is away: got %v, want busy", err)
		}
		if err := s.Ping(t.Context()); ats.FaultOf(err) != ats.Busy {
			t.Errorf("ping while it is away: got %v, want busy", err)
		}
		stop.Store(true)
		group.Wait()
		server.Restart(t)
		for _, err := range strange {
			t.Errorf("an error that is not busy: %v", err)
		}
		if _, err := s.SaveDelivery(t.Context(), arrival("again "+strconv.Itoa(round), []byte("body"))); err != nil {
			t.Errorf("after the restart: %v", err)
		}
		fresh := open(t, options)
		kept(t, fresh, acknowledged)
	}
}
