package jobstest_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/career-relay/connector/jobs/jobstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, address string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	o.MaxRetries, o.DialerRetries = -1, 1
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAKilledServerKeepsWhatItWroteAndAWipedOneNothing(t *testing.T) {
	s := jobstest.DurableRedis(t)
	c := client(t, s.URL())
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	first := s.Process()
	s.Kill()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server answers")
	}
	s.Restart()
	if second := s.Process(); second == first {
		t.Errorf("process %d before and after the restart", first)
	}
	if got, err := c.Get(t.Context(), "k").Result(); got != "v" || err != nil {
		t.Errorf("after the restart: %q, %v", got, err)
	}
	if policy, err := c.ConfigGet(t.Context(), "maxmemory-policy").Result(); policy["maxmemory-policy"] != "noeviction" || err != nil {
		t.Errorf("policy %v, %v", policy, err)
	}
	s.Wipe()
	if err := c.Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("after the wipe: %v", err)
	}
}

func TestTheProxyCutsDelaysAndRefuses(t *testing.T) {
	p := jobstest.Front(t, jobstest.Redis(t))
	c := client(t, p.URL())
	ping := func() error { return c.Ping(t.Context()).Err() }
	if err := ping(); err != nil {
		t.Fatal(err)
	}
	raw, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(p.URL(), "redis://"), "/0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	answer := make([]byte, 7)
	if _, err := io.WriteString(raw, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(raw, answer); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if n, err := raw.Read(answer); err == nil {
		t.Errorf("the cut connection brought %q", answer[:n])
	}
	if err := ping(); err != nil {
		t.Errorf("a new connection after the cut: %v", err)
	}
	p.Refuse(time.Hour)
	if err := ping(); err == nil {
		t.Error("a refused connection works")
	}
	p.Refuse(0)
	p.Delay(100 * time.Millisecond)
	began := time.Now()
	if err := ping(); err != nil || time.Since(began) < 100*time.Millisecond {
		t.Errorf("delayed: %v after %v", err, time.Since(began))
	}
}
