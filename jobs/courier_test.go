package jobs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/jobs/jobstest"
	"github.com/career-relay/connector/record"
)

func TestParseAddress(t *testing.T) {
	type way struct {
		addrs                                []string
		db                                   int
		user, password, master, sentinelUser string
		sentinelPassword                     string
		tls                                  bool
	}
	tests := map[string]struct {
		address string
		want    way
	}{
		"plain":                     {"redis://cache.example.test:6380/3", way{addrs: []string{"cache.example.test:6380"}, db: 3}},
		"without a port":            {"redis://cache.example.test", way{addrs: []string{"cache.example.test:6379"}}},
		"with a password":           {"redis://user:p%40ss@h:1/0", way{addrs: []string{"h:1"}, user: "user", password: "p@ss"}},
		"with a password only":      {"redis://:secret@h:1", way{addrs: []string{"h:1"}, password: "secret"}},
		"encrypted":                 {"rediss://h:6379/0", way{addrs: []string{"h:6379"}, tls: true}},
		"a socket":                  {"unix:///run/redis.sock?db=2", way{addrs: []string{"/run/redis.sock"}, db: 2}},
		"one sentinel":              {"redis-sentinel://s1:26380/main", way{addrs: []string{"s1:26380"}, master: "main"}},
		"three sentinels":           {"redis-sentinel://u:p@s1:26379,s2:26380,s3/main/4", way{addrs: []string{"s1:26379", "s2:26380", "s3:26379"}, master: "main", db: 4, user: "u", password: "p"}},
		"sentinels with a password": {"redis-sentinel://s1/main?sentinel_username=a&sentinel_password=b", way{addrs: []string{"s1:26379"}, master: "main", sentinelUser: "a", sentinelPassword: "b"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := parseAddress(tt.address)
			if err != nil {
				t.Fatal(err)
			}
			got := way{o.Addrs, o.DB, o.Username, o.Password, o.MasterName, o.SentinelUsername, o.SentinelPassword, o.TLSConfig != nil}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(way{})); diff != "" {
				t.Errorf("differs (-want +got):\n%s", diff)
			}
		})
	}
	o, err := parseAddress("redis://h?pool_size=7&read_timeout=1s&dial_timeout=9s&write_timeout=8s")
	if err != nil || o.PoolSize != 7 || o.ReadTimeout != time.Second || o.DialTimeout != 9*time.Second || o.WriteTimeout != 8*time.Second {
		t.Errorf("settings in the address: %+v, %v", o, err)
	}
}

func TestABadAddressIsRefusedWithoutQuotingIt(t *testing.T) {
	for _, address := range []string{
		"cache:6379", "http://user:hunter2@h", "redis://user:hunter2@h:port", "redis://user:hunter2@h/db", "redis://h?hunter2=1",
		"redis-sentinel://user:hunter2@/main", "redis-sentinel://user:hunter2@s1", "redis-sentinel://user:hunter2@s1/", "redis-sentinel:hunter2",
		"redis-sentinel://user:hunter2@s1:26379/main/zero", "redis-sentinel://user:hunter2@s1:1:2/main",
	} {
		c, err := OpenCourier(address, slog.New(slog.DiscardHandler))
		if ats.FaultOf(err) != ats.Invalid || c != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "REDIS_URL") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// couriers runs a test on Redis in this process and on a real one.
func couriers(t *testing.T, fn func(t *testing.T, c *Courier, wipe func())) {
	t.Helper()
	t.Run("in process", func(t *testing.T) {
		c := openCourier(t, "")
		fn(t, c, func() { c.inproc.FlushAll() })
	})
	t.Run("real", func(t *testing.T) {
		s := jobstest.Redis(t)
		fn(t, openCourier(t, s.URL()), s.Wipe)
	})
}

func openCourier(t testing.TB, address string) *Courier {
	t.Helper()
	c, err := OpenCourier(address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestACourierCarriesEachTicketOnce(t *testing.T) {
	couriers(t, func(t *testing.T, c *Courier, wipe func()) {
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := make(chan record.Ticket, 100)
		stop, err := c.serve(func(_ context.Context, t record.Ticket) error {
			got <- t
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		want := map[record.Ticket]bool{}
		for i := range 20 {
			ticket := record.Ticket{Job: fmt.Sprint("job", i), Seq: int64(i), Queue: pools[i%2].queue}
			want[ticket] = true
			if err := c.Carry(t.Context(), ticket); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			ticket := <-got
			if !want[ticket] {
				t.Errorf("got %+v twice or uncalled", ticket)
			}
			delete(want, ticket)
		}
	})
}

func TestACarriedTicketIsNotCarriedTwice(t *testing.T) {
	couriers(t, func(t *testing.T, c *Courier, wipe func()) {
		ticket := record.Ticket{Job: "j", Seq: 1, Queue: record.LiveQueue}
		for range 3 {
			if err := c.Carry(t.Context(), ticket); err != nil {
				t.Fatal(err)
			}
		}
		ticket.Seq = 2 // another dispatch of the same job
		if err := c.Carry(t.Context(), ticket); err != nil {
			t.Fatal(err)
		}
		depths, err := c.Depths()
		if err != nil || depths[record.LiveQueue].Pending != 2 || depths[record.BulkQueue] != (Depth{}) {
			t.Errorf("depths %+v, %v", depths, err)
		}
	})
}

func TestACourierNoticesThatRedisForgot(t *testing.T) {
	couriers(t, func(t *testing.T, c *Courier, wipe func()) {
		for i, want := range []bool{true, false, false, true, false} {
			if i == 3 {
				wipe()
			}
			if got, err := c.Forgot(t.Context()); got != want || err != nil {
				t.Errorf("call %d: %v, %v, want %v", i, got, err, want)
			}
		}
	})
}

func TestACourierWithoutRedisSaysSo(t *testing.T) {
	s := jobstest.Redis(t)
	c := openCourier(t, s.URL())
	s.Kill()
	_, forgot := c.Forgot(t.Context())
	_, depths := c.Depths()
	for what, err := range map[string]error{
		"ping": c.Ping(t.Context()), "carry": c.Carry(t.Context(), record.Ticket{Job: "j", Seq: 1, Queue: record.LiveQueue}), "forgot": forgot, "depths": depths,
	} {
		if ats.FaultOf(err) != ats.Busy {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.Restart()
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// A Redis that takes connections and says nothing must not hold anybody up for
// longer than the patience with it.
func TestACourierDoesNotWaitForASilentRedis(t *testing.T) {
	p := jobstest.Front(t, jobstest.Redis(t))
	c := openCourier(t, p.URL())
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Delay(time.Hour)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Ping(short); ats.FaultOf(err) != ats.Busy || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// asynq matches task types by prefix: a longer type must not reach our handler.
func TestForeignTasksAreNotTaken(t *testing.T) {
	c := openCourier(t, "")
	for i, task := range []*asynq.Task{
		asynq.NewTask(taskType+".other", []byte(`{"job":"j","seq":1}`)),
		asynq.NewTask(taskType, []byte(`not json`)),
		asynq.NewTask("other", nil),
	} {
		if _, err := c.client.Enqueue(task, asynq.Queue(record.LiveQueue), asynq.TaskID(strconv.Itoa(i)), asynq.MaxRetry(0)); err != nil {
			t.Fatal(err)
		}
	}
	stop, err := c.serve(func(_ context.Context, ticket record.Ticket) error {
		t.Errorf("took %+v", ticket)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	await(t, "the foreign tasks are archived", func() bool {
		depths, err := c.Depths()
		return err == nil && depths[record.LiveQueue].Archived == 3
	})
}

// await polls until done; a test that hangs is ended by the test's own timeout.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for range 6000 {
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func TestACourierFindsTheMasterThroughSentinels(t *testing.T) {
	s := jobstest.Redis(t)
	c := openCourier(t, jobstest.Sentinel(t, s))
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Carry(t.Context(), record.Ticket{Job: "j", Seq: 1, Queue: record.LiveQueue}); err != nil {
		t.Fatal(err)
	}
	depths, err := openCourier(t, s.URL()).Depths()
	if err != nil || depths[record.LiveQueue].Pending != 1 {
		t.Errorf("depths at the master %+v, %v", depths, err)
	}
}

func TestACourierChecksCertificates(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate
	defer server.Close()
	redis, err := miniredis.RunTLS(&tls.Config{Certificates: server.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	if err := openCourier(t, "rediss://"+redis.Addr()+"/0?skip_verify=true").Ping(t.Context()); err != nil {
		t.Error(err)
	}
	var unknown x509.UnknownAuthorityError
	if err := openCourier(t, "rediss://"+redis.Addr()+"/0").Ping(t.Context()); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}

// Nothing expires by itself in an in-process Redis; without help the records
// of servers that are gone would stay for ever.
func TestTimePassesInAnInProcessRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := openCourier(t, "")
		if err := c.send.Set(t.Context(), "k", "v", 5*time.Second).Err(); err != nil {
			t.Fatal(err)
		}
		for second := range 8 {
			if got, want := c.inproc.Exists("k"), second < 5; got != want && second != 5 { // the tick of that second may come first
				t.Errorf("after %d seconds it exists: %v", second, got)
			}
			time.Sleep(time.Second)
		}
	})
}
