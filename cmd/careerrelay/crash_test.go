package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/career-relay/connector/jobs/jobstest"
	"github.com/career-relay/connector/mail/mailtest"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
	"github.com/career-relay/connector/store/storetest"
)

// rejections is how many decisions the crash test plays.
const rejections = 1000

// TestKilledAtAnyPoint kills the built binary, Redis and PostgreSQL with SIGKILL
// at random points under load. Afterwards every acknowledged delivery is there, and every
// rejection has exactly one mail: one that left once, or one that is held for
// a person with a reason.
func TestKilledAtAnyPoint(t *testing.T) {
	if testing.Short() {
		t.Skip("short: needs the built binary and minutes")
	}
	binary := build(t)
	t.Run("one process on SQLite", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, binary)
		f.run("all", "serve")
		f.play()
	})
	t.Run("halves on PostgreSQL and Redis", func(t *testing.T) {
		t.Parallel()
		redis, postgres := jobstest.DurableRedis(t), storetest.StartPostgres(t)
		f := newFleet(t, binary)
		f.env = append(f.env, "DATABASE_URL="+postgres.Database(t), "REDIS_URL="+redis.URL())
		f.oneShot("migrate")
		f.run("web", "serve", "--only=web")
		f.run("work", "serve", "--only=work")
		f.also = []func(){
			func() { redis.Kill(); redis.Restart() },
			func() { postgres.Kill(t); postgres.Restart(t) },
		}
		f.play()
	})
}

// build makes the binary once for a test.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "careerrelay")
	out, err := exec.Command("go", "build", "-tags", "nomsgpack", "-o", path, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return path
}

// A fleet is a set of processes of one installation.
type fleet struct {
	t        *testing.T
	binary   string
	env      []string
	dir      string
	public   string // address of the public door
	sendGrid *mailtest.SendGrid
	log      *os.File
	also     []func() // other victims beside the processes

	mu        sync.Mutex
	processes map[string]*process
	stopping  bool
}

type process struct {
	args []string
	env  []string
	cmd  *exec.Cmd
}

func newFleet(t *testing.T, binary string) *fleet {
	t.Helper()
	f := &fleet{t: t, binary: binary, dir: t.TempDir(), public: freeAddress(t), sendGrid: mailtest.Start(t), processes: map[string]*process{}}
	companies := filepath.Join(f.dir, "configs")
	write(t, filepath.Join(companies, "acme.yaml"), crashCompany)
	f.env = append(os.Environ(), "CONFIGS="+companies, "DATA="+filepath.Join(f.dir, "data"), "LISTEN="+f.public, "LOG_LEVEL=error",
		"SENDGRID_API_KEY="+string(mailtest.Key), "SENDGRID_BASE_URL="+f.sendGrid.URL, "PUBLIC_URL=https://relay.example.jp",
		"CAREERRELAY_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "ACME_SECRET="+crashSecret)
	var err error
	if f.log, err = os.Create(filepath.Join(f.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	return f
}

const crashSecret = "crash-test-secret"

const crashCompany = `company: acme
name: {ja: 株式会社アクメ, en: Acme Inc.}
locale: ja
connections:
  greenhouse: {vendor: greenhouse, secrets: ["env:ACME_SECRET"]}
mail:
  transport: sendgrid
  from: {address: saiyo@acme.example.jp, name: アクメ 採用チーム}
  sender: {name: 株式会社アクメ, address: 東京都渋谷区例町1-1-1, contact: saiyo@acme.example.jp}
sending: {mode: live, delay: 0s, window: always, holidays: none, max_age: 3650d, brake: {batch: 1000000, factor: 1000000}}
relay: {mode: "off"}
`

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freeAddress returns an address that nothing listens on and that no other test
// of this process gets. It lies below the ports that the system gives to
// outgoing connections, which would take it while a process is dead.
func freeAddress(t *testing.T) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(15000+rand.N(15000)))
		if ports.taken[address] {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		ports.taken[address] = true
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatal("no free port")
	return ""
}

var ports = struct {
	sync.Mutex
	taken map[string]bool
}{taken: map[string]bool{}}

// run starts a process that is started again whenever it dies.
func (f *fleet) run(name string, args ...string) {
	p := &process{args: args, env: append(slices.Clone(f.env), "OPS_LISTEN="+freeAddress(f.t))}
	f.mu.Lock()
	f.processes[name] = p
	f.mu.Unlock()
	f.start(p)
}

func (f *fleet) start(p *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping {
		return
	}
	p.cmd = exec.Command(f.binary, p.args...)
	p.cmd.Env, p.cmd.Stderr = p.env, f.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		f.t.Error(err)
		return
	}
	cmd := p.cmd
	go func() {
		_ = cmd.Wait()
		time.Sleep(50 * time.Millisecond) // one that cannot start must not spin
		f.start(p)
	}()
}

func (f *fleet) oneShot(args ...string) {
	f.t.Helper()
	cmd := exec.Command(f.binary, args...)
	cmd.Env = f.env
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// kill takes one victim at random.
func (f *fleet) kill() {
	f.mu.Lock()
	var victims []func()
	for _, p := range f.processes {
		victims = append(victims, func() { _ = p.cmd.Process.Kill() })
	}
	f.mu.Unlock()
	victims = append(victims, f.also...)
	victims[rand.N(len(victims))]()
}

func (f *fleet) stop() {
	f.mu.Lock()
	f.stopping = true
	for _, p := range f.processes {
		_ = p.cmd.Process.Kill()
	}
	f.mu.Unlock()
	if text, err := os.ReadFile(f.log.Name()); err == nil && f.t.Failed() {
		f.t.Logf("the end of the log:\n%s", text[max(0, len(text)-4000):])
	}
}

// play sends every rejection until it is acknowledged, as a vendor would, while
// processes die; then lets the fleet come to rest and takes stock.
func (f *fleet) play() {
	f.t.Helper()
	ctx, calm := context.WithCancel(f.t.Context())
	var chaos sync.WaitGroup
	chaos.Go(func() {
		for ctx.Err() == nil {
			f.kill()
			select {
			case <-ctx.Done():
			case <-time.After(200*time.Millisecond + rand.N(900*time.Millisecond)):
			}
		}
	})
	work := make(chan int)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for n := range work {
				f.deliver(n)
			}
		})
	}
	for n := range rejections {
		work <- n
		time.Sleep(10 * time.Millisecond) // spread over the killing
	}
	close(work)
	senders.Wait()
	calm()
	chaos.Wait()
	f.takeStock()
}

// deliver repeats a delivery until the door says yes.
func (f *fleet) deliver(n int) {
	body := fmt.Appendf(nil, `{"action":"reject_candidate","payload":{"application":{"id":%d,"rejected_at":"2026-10-02T06:15:09Z","status":"rejected",`+
		`"candidate":{"id":%d,"first_name":"美咲","last_name":"佐藤","email_addresses":[{"value":"c%d@example.jp","type":"personal"}]},`+
		`"jobs":[{"id":7,"name":"バックエンドエンジニア"}],"current_stage":{"id":1,"name":"一次面接"},`+
		`"rejection_reason":{"id":1,"name":"Other","type":{"id":1,"name":"We rejected them"}}}}}`, 100000+n, 200000+n, n)
	mac := hmac.New(sha256.New, []byte(crashSecret))
	_, _ = mac.Write(body)
	for f.t.Context().Err() == nil {
		r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "http://"+f.public+"/hooks/acme/greenhouse", bytes.NewReader(body))
		if err != nil {
			f.t.Error(err)
			return
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Signature", "sha256 "+hex.EncodeToString(mac.Sum(nil)))
		r.Header.Set("Greenhouse-Event-ID", "event-"+strconv.Itoa(n))
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// takeStock waits until no job has work left, then counts.
func (f *fleet) takeStock() {
	f.t.Helper()
	db := f.open()
	f.rest(db)
	mails := f.mails(db)
	sentTo := map[string]int{}
	for _, m := range f.sendGrid.Mails() {
		sentTo[m.SendID]++
	}
	states := map[record.MailState]int{}
	for application, m := range mails {
		states[m.State]++
		switch {
		case sentTo[m.SendID] > 1:
			f.t.Errorf("application %s: %d mails left", application, sentTo[m.SendID])
		case m.State == record.MailSent && sentTo[m.SendID] != 1:
			f.t.Errorf("application %s: sent, but %d mails left", application, sentTo[m.SendID])
		case m.State == record.MailUnclear && m.Reason == "", m.State == record.MailHeld && !m.Stopped:
			f.t.Errorf("application %s: %s for no reason", application, m.State)
		case m.State != record.MailSent && m.State != record.MailUnclear:
			f.t.Errorf("application %s: %s (%s)", application, m.State, m.Reason)
		}
	}
	if len(mails) != rejections {
		f.t.Errorf("%d applications have a mail, want %d", len(mails), rejections)
	}
	counts, err := db.Counts(f.t.Context(), "acme")
	if err != nil {
		f.t.Fatal(err)
	}
	if got := counts.Deliveries[string(record.Decoded)]; got != rejections {
		f.t.Errorf("%d deliveries are decoded, want %d: %v", got, rejections, counts.Deliveries)
	}
	if counts.Jobs[string(record.JobDead)] > 0 {
		f.t.Errorf("%d jobs are dead", counts.Jobs[string(record.JobDead)])
	}
	f.t.Logf("mails by state: %v", states)
}

// open opens the fleet's database beside its processes.
func (f *fleet) open() *store.Store {
	f.t.Helper()
	env := func(name string) (string, bool) {
		for _, pair := range slices.Backward(f.env) {
			if v, ok := strings.CutPrefix(pair, name+"="); ok {
				return v, true
			}
		}
		return "", false
	}
	s := &settings{}
	s.bind(pflag.NewFlagSet("", pflag.ContinueOnError), env)
	db, err := openStore(f.t.Context(), s, false, slog.New(slog.DiscardHandler))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = db.Close() })
	return db
}

// rest waits as long as something changes; a job that was running when its
// worker died waits for the end of its lease.
func (f *fleet) rest(db *store.Store) {
	f.t.Helper()
	busy := []record.JobState{record.JobWaiting, record.JobDispatched, record.JobRunning}
	for range 3000 {
		counts, err := db.Counts(f.t.Context(), "acme")
		if err != nil {
			f.t.Fatal(err)
		}
		left := 0
		for _, state := range busy {
			left += counts.Jobs[string(state)]
		}
		if left == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.t.Error("jobs are still at work")
}

func (f *fleet) mails(db *store.Store) map[string]record.Mail {
	f.t.Helper()
	out := map[string]record.Mail{}
	after := ""
	for {
		page, err := db.Mails(f.t.Context(), record.Filter{Company: "acme", After: after, Limit: record.MaxPage})
		if err != nil {
			f.t.Fatal(err)
		}
		for _, m := range page {
			if _, twice := out[m.ApplicationID]; twice {
				f.t.Errorf("application %s has two mails", m.ApplicationID)
			}
			out[m.ApplicationID], after = m, m.ID
		}
		if len(page) < record.MaxPage {
			return out
		}
	}
}
