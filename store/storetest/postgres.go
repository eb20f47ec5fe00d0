package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Postgres returns the URL of a new, empty database on a PostgreSQL that
// belongs to this test process. It starts with the first call and ends with the
// process; Main also removes its files. Where there is no PostgreSQL the test is
// skipped, or fails when CI is set.
func Postgres(tb testing.TB) string {
	tb.Helper()
	shared.once.Do(func() { shared.server, shared.err = newServer(false) })
	if shared.err != nil {
		unavailable(tb, shared.err)
	}
	return shared.server.Database(tb)
}

var shared struct {
	once   sync.Once
	server *Server
	err    error
}

func unavailable(tb testing.TB, err error) {
	tb.Helper()
	if os.Getenv("CI") != "" {
		tb.Fatalf("PostgreSQL cannot be had: %v", err)
	}
	tb.Skipf("SKIPPED, NOT TESTED: PostgreSQL cannot be had: %v", err)
}

// Main runs a package's tests and stops what they share. It is called from
// TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		_ = shared.server.stop()
	}
	os.Exit(code)
}

// A Server is a private PostgreSQL that can be made to crash.
type Server struct {
	dir     string
	binary  string
	durable bool
	owner   *syscall.Credential // who runs it: PostgreSQL refuses root
	process *os.Process
	buried  chan struct{} // closed when the process is gone, also from the system's table

	mu    sync.Mutex
	count int // of databases
}

// StartPostgres starts a PostgreSQL of its own, which keeps what it confirmed
// even when it is killed. It is stopped when the test ends.
func StartPostgres(tb testing.TB) *Server {
	tb.Helper()
	s, err := newServer(true)
	if err != nil {
		unavailable(tb, err)
	}
	tb.Cleanup(func() {
		if err := s.stop(); err != nil {
			tb.Errorf("stopping PostgreSQL: %v", err)
		}
	})
	return s
}

// prefix of the folders of servers, followed by the number of their process, by
// which those of processes that died are found and removed.
const prefix = "careerrelay-pg-"

func newServer(durable bool) (*Server, error) {
	binary, err := find("postgres")
	if err != nil {
		return nil, err
	}
	s := &Server{binary: binary, durable: durable}
	if s.owner, err = owner(); err != nil {
		return nil, err
	}
	removeStale()
	// The path of a socket is short by law, so the folder is not below TMPDIR.
	if s.dir, err = os.MkdirTemp("/tmp", prefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return nil, err
	}
	if s.owner != nil {
		if err := os.Chown(s.dir, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(s.dir))
		}
	}
	if err := s.run("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// find looks for a program in PATH and where Debian puts it.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	paths, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(paths) == 0 {
		return "", fmt.Errorf("no %s in PATH or /usr/lib/postgresql/*/bin; install postgresql", name)
	}
	return paths[len(paths)-1], nil
}

func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // nobody to become
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// removeStale removes the folders of processes that died before they could.
func removeStale() {
	dirs, _ := filepath.Glob("/tmp/" + prefix + "*")
	for _, dir := range dirs {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		pid, err := strconv.Atoi(number)
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(filepath.Dir(s.binary), name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = attributes(s.owner)
	return cmd
}

func (s *Server) run(name string, args ...string) error {
	if out, err := s.command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// start starts the server and waits until it answers.
func (s *Server) start() error {
	sync := "off"
	if s.durable {
		sync = "on"
	}
	cmd := s.command("postgres", "-D", s.data(), "-k", s.dir, "-h", "",
		"-c", "fsync="+sync, "-c", "full_page_writes="+sync, "-c", "max_connections=1000", "-c", "shared_buffers=128MB",
		"-c", "max_wal_size=2GB", "-c", "log_min_messages=fatal", "-c", "log_checkpoints=off")
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the server has it too
	cmd.Stdout, cmd.Stderr = log, log
	started, buried := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(buried)
		// The signal at the parent's death is tied to the thread that starts
		// the child, so this thread must live as long.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		runtime.UnlockOSThread()
	}()
	if err := <-started; err != nil {
		return err
	}
	s.process, s.buried = cmd.Process, buried
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, text)
}

func (s *Server) url(database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(s.dir)
}

// Database returns the URL of a new, empty database.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	s.mu.Lock()
	s.count++
	name := "test" + strconv.Itoa(s.count)
	s.mu.Unlock()
	exec := func(statement string) error {
		db, err := sql.Open("pgx", s.url("postgres"))
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		_, err = db.ExecContext(context.Background(), statement)
		return err
	}
	create := `CREATE DATABASE ` + name + ` TEMPLATE template0`
	if err := exec(create + ` STRATEGY FILE_COPY`); err != nil { // the fast way, since version 15
		if err := exec(create); err != nil {
			tb.Fatalf("making a database: %v", err)
		}
	}
	tb.Cleanup(func() { _ = exec(`DROP DATABASE IF EXISTS ` + name + ` WITH (FORCE)`) })
	return s.url(name)
}

// Kill ends the server and all its processes at once, as a loss of power does to
// a process: nothing is written any more.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	pid := s.process.Pid
	children := childrenOf(pid)
	for _, p := range append([]int{pid}, children...) {
		if err := syscall.Kill(p, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			tb.Fatalf("killing PostgreSQL: %v", err)
		}
	}
	for _, p := range append([]int{pid}, children...) {
		for alive(p) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	<-s.buried // PostgreSQL takes a process that is not buried for a living one
}

// alive reports whether a process runs; one that only waits to be buried does
// not.
func alive(pid int) bool {
	fields, err := stat(pid)
	return err == nil && string(fields[0]) != "Z" && string(fields[0]) != "X"
}

// stat returns what the system says of a process from its state on.
func stat(pid int) ([][]byte, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil, err
	}
	_, rest, _ := bytes.Cut(b, []byte(") ")) // the name before may hold blanks
	fields := bytes.Fields(rest)
	if len(fields) < 2 {
		return nil, fmt.Errorf("process %d: cannot read its state", pid)
	}
	return fields, nil
}

// childrenOf lists the processes that a process started.
func childrenOf(parent int) []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var out []int
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		fields, err := stat(pid)
		if err == nil && string(fields[1]) == strconv.Itoa(parent) {
			out = append(out, pid)
		}
	}
	return out
}

// Restart starts a server that was killed. Its databases are as they were.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

// stop ends the server and removes its files.
func (s *Server) stop() error {
	if s.process != nil {
		_ = s.process.Signal(syscall.SIGINT) // it may have been killed
		for i := 0; i < 500 && alive(s.process.Pid); i++ {
			time.Sleep(10 * time.Millisecond)
		}
	}
	return os.RemoveAll(s.dir)
}
