package web_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
	"github.com/career-relay/connector/store/storetest"
	"github.com/career-relay/connector/web"
)

// The benchmark compares what the door really does (verify, encrypt, commit,
// log, count) with two yardsticks in the same run, round by round: the ceiling
// (gin, the body and the signature, nothing stored) and the textbook (the same
// door with one transaction for each request). Only the ratios mean anything on
// a shared machine. A process of its own makes the load.
const (
	benchRounds = 5
	benchRound  = 1500 * time.Millisecond
	benchSecret = "bench-secret"
)

// A load is what the generator is asked for, and tells.
type load struct {
	Addr    string
	Clients int
	For     time.Duration
	Bad     bool // every second request has a bad signature

	Good, Refused int
	P50, P99      time.Duration
}

func (l load) rate() float64 { return float64(l.Good) / l.For.Seconds() }

// filler is about 4.4 KB of a payload that compresses as texts do, not better.
var filler = func() string {
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("application candidate rejected interview stage engineer tokyo source referral manager office custom field note salary schedule")
	var b strings.Builder
	for b.Len() < 4200 {
		fmt.Fprintf(&b, `"%s_%x":"%s %s %d",`, words[random.IntN(len(words))], random.Uint32(), words[random.IntN(len(words))], words[random.IntN(len(words))], random.Uint64())
	}
	return b.String()
}()

// TestLoadGenerator is the process that makes the load; on its own it does
// nothing.
func TestLoadGenerator(t *testing.T) {
	order := os.Getenv("CAREERRELAY_LOAD")
	if order == "" {
		t.Skip("runs only for the benchmarks")
	}
	var l load
	if err := json.Unmarshal([]byte(order), &l); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var all []time.Duration
	end := time.Now().Add(l.For)
	for client := range l.Clients {
		wg.Go(func() {
			good, refused, took, err := l.client(client, end)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			l.Good, l.Refused, all = l.Good+good, l.Refused+refused, append(all, took...)
		})
	}
	wg.Wait()
	slices.Sort(all)
	if len(all) > 0 {
		l.P50, l.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	out, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("LOAD %s\n", out)
}

// client sends one request after another on one connection.
func (l load) client(number int, end time.Time) (good, refused int, took []time.Duration, err error) {
	conn, err := net.Dial("tcp", l.Addr)
	if err != nil {
		return 0, 0, nil, err
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	var request bytes.Buffer
	for n := 0; ; n++ {
		body := fmt.Appendf(nil, `{"action":"reject_candidate","id":"%d-%d-%d",%s"end":1}`, os.Getpid(), number, n, filler)
		secret := benchSecret
		if l.Bad && n%2 == 1 {
			secret = "wrong"
		}
		request.Reset()
		fmt.Fprintf(&request, "POST /hooks/acme/bench HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-Signature: %s\r\nContent-Length: %d\r\n\r\n%s", code(secret, body), len(body), body)
		start := time.Now()
		if start.After(end) {
			return good, refused, took, nil
		}
		if _, err := conn.Write(request.Bytes()); err != nil {
			return good, refused, took, err
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return good, refused, took, err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		switch res.StatusCode {
		case http.StatusOK:
			good++
			took = append(took, time.Since(start))
		case http.StatusUnauthorized:
			refused++
		default:
			return good, refused, took, fmt.Errorf("status %d", res.StatusCode)
		}
	}
}

func code(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// make lets the generator run and adds what the server's process used of the
// processor for each good request.
func (l load) make(b *testing.B) (load, time.Duration) {
	b.Helper()
	order, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	before := cpu(b)
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestLoadGenerator$")
	cmd.Env = append(os.Environ(), "CAREERRELAY_LOAD="+string(order))
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("generator: %v\n%s", err, out)
	}
	used := cpu(b) - before
	_, text, found := bytes.Cut(out, []byte("LOAD "))
	if !found {
		b.Fatalf("generator said nothing:\n%s", out)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if err := json.Unmarshal(line, &l); err != nil {
		b.Fatal(err)
	}
	if l.Good == 0 {
		b.Fatal("no request was answered with success")
	}
	return l, used / time.Duration(l.Good)
}

// cpu is the processor time of this process: the server and, with SQLite, the
// database.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// listen serves h and returns the address.
func listen(b *testing.B, h http.Handler) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	b.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// ceiling is gin with body and signature.
func ceiling() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.POST("/hooks/:company/:connection", func(c *gin.Context) {
		body := make([]byte, c.Request.ContentLength)
		if _, err := io.ReadFull(c.Request.Body, body); err != nil || !hmac.Equal([]byte(code(benchSecret, body)), []byte(c.GetHeader("X-Signature"))) {
			c.String(http.StatusUnauthorized, "no\n")
			return
		}
		c.String(http.StatusOK, "ok\n")
	})
	return e
}

// written takes log lines, which cost what they cost.
type written struct{}

func (written) Write(p []byte) (int, error) { return len(p), nil }

// public is our door over an inbox.
func public(in web.Inbox) http.Handler {
	s := &site{company: acme(), shared: shared()}
	s.company.Connections["bench"] = configs.Connection{Vendor: "bench"}
	conn := vendor{signature, []connectors.Secret{{Value: benchSecret}}}
	return web.Public(web.Deps{
		Now: time.Now, Log: slog.New(slog.NewJSONHandler(written{}, nil)), Tenants: tenants{s}, Inbox: in, Metrics: &web.Metrics{},
		Open: func(string, string) (connectors.Connector, error) { return conn, nil },
	})
}

// single is an inbox with one transaction for each request.
type single struct {
	db     *sql.DB
	insert string
}

func newSingle(b *testing.B, driver, address string, conns int) single {
	b.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	blob := "BLOB"
	if driver == "pgx" {
		blob = "BYTEA"
	}
	for _, statement := range []string{
		`CREATE TABLE inbox (id TEXT PRIMARY KEY, company TEXT NOT NULL, connection TEXT NOT NULL, dedupe_key TEXT NOT NULL, body ` + blob + ` NOT NULL, at BIGINT NOT NULL)`,
		`CREATE UNIQUE INDEX inbox_key ON inbox (company, connection, dedupe_key)`,
	} {
		if _, err := db.ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	return single{db, `INSERT INTO inbox (id, company, connection, dedupe_key, body, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`}
}

func (single) NoteSecret(context.Context, string, string, string) error { return nil }

func (s single) SaveDelivery(ctx context.Context, a record.Arrival) (string, error) {
	d := a.Delivery
	_, err := s.db.ExecContext(ctx, s.insert, d.Key, d.Company, d.Connection, d.Key, d.Payload.Body, d.Payload.Received.UnixMicro())
	if err != nil {
		return "", ats.Errorf(ats.Busy, "inserting: %w", err)
	}
	return d.Key, nil
}

func BenchmarkDoor(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		dir := b.TempDir()
		compare(b, store.Options{Dir: dir}, newSingle(b, "sqlite", "file:"+dir+"/single.db?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", 1))
	})
	b.Run("postgres", func(b *testing.B) {
		server := storetest.StartPostgres(b)
		compare(b, store.Options{URL: server.Database(b)}, newSingle(b, "pgx", server.Database(b), 32))
	})
}

// compare measures the door at 1, 64 and 256 clients.
func compare(b *testing.B, o store.Options, textbook single) {
	b.Helper()
	o.Keys, o.Migrate = [][]byte{bytes.Repeat([]byte{7}, 32)}, true
	kept, err := store.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = kept.Close() })
	top, ours, theirs := listen(b, ceiling()), listen(b, public(kept)), listen(b, public(textbook))
	for b.Loop() {
		for _, clients := range []int{1, 64, 256} {
			ratios := map[string][]float64{}
			note := func(name string, ratio float64) {
				name = fmt.Sprintf("%s_%d", name, clients)
				ratios[name] = append(ratios[name], ratio)
			}
			for range benchRounds {
				l := load{Clients: clients, For: benchRound}
				limit, limitCPU := l.at(top).make(b)
				door, doorCPU := l.at(ours).make(b)
				one, _ := l.at(theirs).make(b)
				note("ceiling", door.rate()/limit.rate())
				note("textbook", door.rate()/one.rate())
				note("p99", float64(door.P99)/float64(limit.P99))
				note("req/s", door.rate())
				if o.URL == "" {
					note("cpu", float64(doorCPU)/float64(limitCPU))
				}
				if clients == 64 {
					l.Bad = true
					flood, _ := l.at(ours).make(b)
					note("flood", 2*flood.rate()/door.rate())
				}
			}
			for name, all := range ratios {
				slices.Sort(all)
				b.ReportMetric(all[len(all)/2], name)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
}

func (l load) at(addr string) load {
	l.Addr = addr
	return l
}
