// Package jobstest starts private Redis servers for tests and breaks the way
// to them.
package jobstest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Server is a private redis-server that appends to a file, never evicts and
// listens on a free port of this machine only.
type Server struct {
	tb      testing.TB
	dir     string
	port    int
	args    []string
	process *exec.Cmd
	leash   io.Closer // the server is killed when it closes, also by our own death
}

// Redis starts a server that is stopped with the test. Without redis-server in
// PATH the test is skipped, and fails where CI is set.
func Redis(tb testing.TB) *Server {
	tb.Helper()
	return redisServer(tb, "everysec")
}

// DurableRedis is Redis with every write on the disk before it is answered.
func DurableRedis(tb testing.TB) *Server {
	tb.Helper()
	return redisServer(tb, "always")
}

func redisServer(tb testing.TB, fsync string) *Server {
	tb.Helper()
	return start(tb, "--save", "", "--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction")
}

// Sentinel starts a sentinel that watches a server under the name main, and
// returns its REDIS_URL.
func Sentinel(tb testing.TB, s *Server) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "sentinel.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, "sentinel monitor main 127.0.0.1 %d 1\n", s.port), 0o600); err != nil {
		tb.Fatal(err)
	}
	return "redis-sentinel://" + start(tb, file, "--sentinel").Address() + "/main/0"
}

func start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal("redis-server is not in PATH, and CI is set")
		}
		tb.Skip("SKIPPED: redis-server is not in PATH; nothing is proved about a real Redis")
	}
	s := &Server{tb: tb, dir: tb.TempDir(), port: freePort(tb)}
	s.args = append(slices.Clone(args), "--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir, "--logfile", filepath.Join(s.dir, "redis.log"))
	s.Restart()
	tb.Cleanup(s.Kill)
	return s
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// Address returns host and port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the server's REDIS_URL.
func (s *Server) URL() string { return "redis://" + s.Address() + "/0" }

// Kill ends the server at once, as SIGKILL does. What it had not written to
// its file is lost.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.leash.Close()
	_ = s.process.Wait()
	s.process = nil
}

// Restart starts the server, which reads its file, and waits until it answers.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	// The shell kills the server when its standard input ends: with Kill, and
	// with the end of the test program, however it ends.
	s.process = exec.Command("sh", append([]string{"-c", `redis-server "$@" & server=$!; read -r _; kill -9 "$server"; wait`, "sh"}, s.args...)...)
	var err error
	if s.leash, err = s.process.StdinPipe(); err != nil {
		s.tb.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.await()
}

// await waits until the server has read its file and answers.
func (s *Server) await() {
	s.tb.Helper()
	answer := make([]byte, len("+PONG"))
	for range 500 {
		time.Sleep(10 * time.Millisecond)
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			continue
		}
		_, _ = io.WriteString(c, "PING\r\n")
		_, _ = io.ReadFull(c, answer)
		_ = c.Close()
		if string(answer) == "+PONG" {
			return
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	s.tb.Fatalf("redis-server does not answer:\n%s", log)
}

// Wipe makes the server forget everything.
func (s *Server) Wipe() {
	s.tb.Helper()
	client := s.client()
	defer func() { _ = client.Close() }()
	if err := client.FlushAll(context.Background()).Err(); err != nil {
		s.tb.Fatal(err)
	}
}

// Process returns the server's process id.
func (s *Server) Process() int {
	s.tb.Helper()
	client := s.client()
	defer func() { _ = client.Close() }()
	id, err := client.InfoMap(context.Background(), "server").Result()
	if err != nil {
		s.tb.Fatal(err)
	}
	pid, err := strconv.Atoi(id["Server"]["process_id"])
	if err != nil {
		s.tb.Fatal(fmt.Errorf("process id: %w", err))
	}
	return pid
}

func (s *Server) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Address(), MaxRetries: -1, DialerRetries: 1})
}
