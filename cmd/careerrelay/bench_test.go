package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", to fill a database quickly
)

// waitingMails is how many mails wait in the second half of the benchmark.
const waitingMails = 100_000

// BenchmarkFootprint measures the built binary: the time from its start to the
// demo's first mail, and its resident memory idle and with a hundred thousand
// mails that wait.
func BenchmarkFootprint(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "careerrelay")
	if out, err := exec.Command("go", "build", "-tags", "nomsgpack", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.ReportMetric(float64(info.Size())/1e6, "MB-binary")
		b.ReportMetric(demoStart(b, binary).Seconds()*1000, "ms-demo-ready")
		dir := b.TempDir()
		b.ReportMetric(resident(b, binary, dir), "MB-idle")
		fill(b, filepath.Join(dir, "careerrelay.db"))
		b.ReportMetric(resident(b, binary, dir), "MB-100k-waiting")
	}
}

// demoStart returns how long the demo takes until it prints where to look.
func demoStart(b *testing.B, binary string) time.Duration {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "demo")
	cmd.Env = append(os.Environ(), "DATA="+b.TempDir(), "LISTEN=127.0.0.1:0", "OPS_LISTEN=127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer cancel()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "candidate page") {
			return time.Since(begun)
		}
	}
	b.Fatal("the demo printed no addresses")
	return 0
}

// resident starts a server on a folder and returns its resident memory, in MB,
// after it has looked at its work for a while.
func resident(b *testing.B, binary, dir string) float64 {
	b.Helper()
	companies := filepath.Join(dir, "configs")
	if err := os.MkdirAll(companies, 0o750); err != nil {
		b.Fatal(err)
	}
	company := strings.NewReplacer("transport: sendgrid", "transport: mailbox").Replace(crashCompany)
	if err := os.WriteFile(filepath.Join(companies, "acme.yaml"), []byte(company), 0o600); err != nil {
		b.Fatal(err)
	}
	const ops = "127.0.0.1:18471"
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(os.Environ(), "DATA="+dir, "CONFIGS="+companies, "LISTEN=127.0.0.1:0", "OPS_LISTEN="+ops, "ACME_SECRET="+crashSecret, "LOG_LEVEL=error")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	for range 200 {
		if resp, err := http.Get("http://" + ops + "/readyz"); err == nil {
			_ = resp.Body.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(8 * time.Second) // several sweeps and dispatches
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kb, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// fill puts mails with their jobs into a database that wait for next year.
func fill(b *testing.B, path string) {
	b.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	due := time.Now().AddDate(1, 0, 0).UnixMicro()
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)`
	for _, statement := range []string{
		numbers + ` INSERT INTO mails (id, company, application, person_id, purpose, state, reason, template, version, locale, sealed, hash, send_id, due_at, decided_at, created_at, updated_at)
			SELECT 'M' || i, 'acme', 'A' || i, 'P' || i, 'thank_you', 'held', 'scheduled', 'thank_you', '1', 'ja', randomblob(6000), '', 'S' || i, $2, $2, $2, $2 FROM n`,
		numbers + ` INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, created_at, updated_at)
			SELECT 'J' || i, 'acme', 'mail', 'live', 'M' || i, 'waiting', $2, $2, $2 FROM n`,
	} {
		if _, err := db.Exec(statement, waitingMails, due); err != nil {
			b.Fatal(err)
		}
	}
}
