package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/jobs/jobstest"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/mail/mailtest"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/sending"
)

// The benchmarks compare, round by round in one run, what the jobs really do
// with the textbook loop on asynq: take a payload from Redis, decode it, write
// the mail, post it, enqueue one more job. The textbook keeps nothing, fences
// nothing and encrypts nothing. Only the ratios mean anything on a shared
// machine.
const (
	benchRounds    = 5
	benchCompanies = 50 // each below the volume brake
	benchDoors     = 64 // deliveries arrive side by side
)

// burst is how many rejections a round is; BURST=10000 is the size of the goal.
var burst = func() int {
	if n, err := strconv.Atoi(os.Getenv("BURST")); err == nil {
		return n
	}
	return 1000
}()

// greenhouse is a real payload with room for an id, and about 4 KB of fields
// that nobody reads, which compress as texts do.
var greenhouse = func() string {
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("application candidate rejected interview stage engineer tokyo source referral manager office custom field note salary schedule")
	var b strings.Builder
	for b.Len() < 3500 {
		fmt.Fprintf(&b, `,"%s_%x":"%s %s %d"`, words[random.IntN(len(words))], random.Uint32(), words[random.IntN(len(words))], words[random.IntN(len(words))], random.Uint64())
	}
	return `{"action":"reject_candidate","payload":{"application":{"id":%d,"rejected_at":%q,"status":"rejected",
		"rejection_reason":{"id":1,"name":"Other","type":{"id":1,"name":"We rejected them"}},"current_stage":{"id":5,"name":"Final Interview"},
		"candidate":{"id":%[1]d,"first_name":"美咲","last_name":"佐藤","email_addresses":[{"value":"misaki.%[1]d@example.jp","type":"personal"}]},
		"jobs":[{"id":7,"name":"バックエンドエンジニア","departments":[]}]` + strings.ReplaceAll(b.String(), "%", "%%") + `}}}`
}()

func payload(id int) []byte {
	return fmt.Appendf(nil, greenhouse, id, time.Now().UTC().Format(time.RFC3339))
}

// openGreenhouse opens the real connector.
func openGreenhouse(b *testing.B) connectors.Connector {
	b.Helper()
	conn, err := all.Factories()["greenhouse"](connectors.Env{HTTP: http.DefaultClient, Log: slog.New(slog.DiscardHandler), Now: time.Now}, func(v any) error {
		return json.Unmarshal([]byte(`{"Secrets":[{"Value":"secret"}]}`), v)
	})
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

// A provider takes the mails of both pipelines.
type provider struct {
	*mailtest.SendGrid
	dialled atomic.Int64
	client  *http.Client
}

// openProvider starts a provider that answers after 5 ms.
func openProvider(b *testing.B, client *http.Client) *provider {
	b.Helper()
	p := &provider{SendGrid: mailtest.Start(b), client: client}
	p.Lean = true
	p.Next(burst, mailtest.Answer{Delay: 5 * time.Millisecond})
	transport := client.Transport.(*http.Transport)
	dial := (&net.Dialer{}).DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		p.dialled.Add(1)
		return dial(ctx, network, address)
	}
	b.Cleanup(client.CloseIdleConnections)
	return p
}

func (p *provider) transport() mail.SendGrid {
	return mail.SendGrid{Key: mailtest.Key, BaseURL: p.URL, HTTP: p.client}
}

// await waits until the burst is posted and fails when anybody got two mails.
func (p *provider) await(b *testing.B) {
	b.Helper()
	for len(p.Mails()) < burst {
		time.Sleep(5 * time.Millisecond)
	}
	seen := map[string]bool{}
	for _, m := range p.Mails() {
		if seen[m.To] {
			b.Fatal("two mails to one person")
		}
		seen[m.To] = true
	}
}

// A result is what one round of a pipeline took for one event.
type result struct {
	wall, cpu time.Duration
	dialled   int64
}

func measure(b *testing.B, s *jobstest.Server, run func()) result {
	b.Helper()
	before, began := used(b, s), time.Now()
	run()
	return result{wall: time.Since(began) / time.Duration(burst), cpu: (used(b, s) - before) / time.Duration(burst)}
}

// used is the processor time of this process and of Redis.
func used(b *testing.B, s *jobstest.Server) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	sum := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if s == nil {
		return sum
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Process()))
	if err != nil {
		return sum // not Linux: without Redis
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, f := range fields[11:13] {
		ticks, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(ticks) * 10 * time.Millisecond
	}
	return sum
}

// ours lets a burst of deliveries arrive and waits until each has its mail.
func ours(b *testing.B, s *jobstest.Server) result {
	b.Helper()
	address := ""
	if s != nil {
		s.Wipe()
		address = s.URL()
	}
	p := openProvider(b, mail.NewHTTPClient())
	l := openLab(b, &clock{})
	l.Log = slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // the lines cost what they cost
	l.Courier = openCourier(b, address)
	conn := openGreenhouse(b)
	l.Open = func(string, string) (connectors.Connector, error) { return conn, nil }
	l.Transport = func(*configs.Company) (Transport, error) {
		return Transport{Transport: p.transport(), Name: "sendgrid"}, nil
	}
	for i := range benchCompanies {
		c := l.office.open(fmt.Sprint("company", i))
		c.Sending.Window, c.Sending.Brake.Batch = sending.Window{}, 10*burst/benchCompanies
	}
	stop := l.start()
	r := measure(b, s, func() {
		var doors sync.WaitGroup
		for door := range benchDoors {
			doors.Go(func() {
				for i := door; i < burst; i += benchDoors {
					a := arrival(payload(i))
					a.Delivery.Company, a.Delivery.Key = fmt.Sprint("company", i%benchCompanies), strconv.Itoa(i)
					if _, err := l.save(a); err != nil {
						b.Error(err)
					}
				}
			})
		}
		doors.Wait()
		p.await(b)
	})
	stop()
	if m := l.meter.of("mail sent"); m != burst {
		b.Fatalf("%d mails settled", m)
	}
	r.dialled = p.dialled.Load()
	return r
}

// textbook is the loop of asynq's documentation.
func textbook(b *testing.B, s *jobstest.Server, address string) result {
	b.Helper()
	if s != nil {
		s.Wipe()
	}
	p := openProvider(b, &http.Client{Timeout: 30 * time.Second, Transport: http.DefaultTransport.(*http.Transport).Clone()})
	company, letters, conn := (&office{companies: map[string]*configs.Company{}}).open("acme"), templates(b), openGreenhouse(b)
	var client redis.UniversalClient
	if address == "" {
		client = openCourier(b, "").send
	} else {
		o, err := redis.ParseURL(address)
		if err != nil {
			b.Fatal(err)
		}
		o.PoolSize = 128
		client = redis.NewClient(o)
		b.Cleanup(func() { _ = client.Close() })
	}
	queue := asynq.NewClientFromRedisClient(client)
	server := asynq.NewServerFromRedisClient(client, asynq.Config{Concurrency: 50, LogLevel: asynq.FatalLevel})
	var referred atomic.Int64
	mux := asynq.NewServeMux()
	mux.HandleFunc("referral", func(context.Context, *asynq.Task) error {
		referred.Add(1)
		return nil
	})
	mux.HandleFunc("rejection", func(ctx context.Context, t *asynq.Task) error {
		events, err := conn.Decode(connectors.Payload{Body: t.Payload(), Received: time.Now()})
		if err != nil {
			return err
		}
		m, err := letters.Thanks(company.Mail, mail.Letter{
			CompanyID: "acme", CompanyName: "株式会社アクメ", Event: events[0], Locale: "ja", Zone: tokyo, SendID: consent.NewToken(),
			UnsubscribeURL: "https://relay.example.test/u/" + consent.NewToken(), OneClickURL: "https://relay.example.test/u/" + consent.NewToken(),
			RelayURL: "https://relay.example.test/r/" + consent.NewToken(), RelayUntil: time.Now().Add(consent.RelayLinkLife),
		})
		if err != nil {
			return err
		}
		if _, err := p.transport().Send(ctx, m); err != nil {
			return err
		}
		_, err = queue.EnqueueContext(ctx, asynq.NewTask("referral", []byte(m.SendID)))
		return err
	})
	if err := server.Start(mux); err != nil {
		b.Fatal(err)
	}
	defer server.Shutdown()
	r := measure(b, s, func() {
		var doors sync.WaitGroup
		for door := range benchDoors {
			doors.Go(func() {
				for i := door; i < burst; i += benchDoors {
					if _, err := queue.Enqueue(asynq.NewTask("rejection", payload(i))); err != nil {
						b.Error(err)
					}
				}
			})
		}
		doors.Wait()
		p.await(b)
		for referred.Load() < int64(burst) {
			time.Sleep(5 * time.Millisecond)
		}
	})
	r.dialled = p.dialled.Load()
	return r
}

func templates(b *testing.B) *mail.Templates {
	b.Helper()
	t, err := mail.Load(nil)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

func median[T int64 | float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkBurst is a burst of rejections from the commit of the deliveries to
// the last mail, next to the textbook loop with a Redis that confirms every
// write on the disk (which our deliveries do, too) and one that does not.
func BenchmarkBurst(b *testing.B) {
	always, everysec := jobstest.DurableRedis(b), jobstest.Redis(b)
	for b.Loop() {
		var rate, cpu, dialled []float64
		var vsAlways, vsEverysec, vsCPU []float64
		for range benchRounds {
			r, slow, quick := ours(b, everysec), textbook(b, always, always.URL()), textbook(b, everysec, everysec.URL())
			rate, cpu, dialled = append(rate, 1/r.wall.Seconds()), append(cpu, float64(r.cpu.Microseconds())), append(dialled, float64(r.dialled))
			vsAlways, vsEverysec = append(vsAlways, float64(slow.wall)/float64(r.wall)), append(vsEverysec, float64(quick.wall)/float64(r.wall))
			vsCPU = append(vsCPU, float64(r.cpu)/float64(slow.cpu))
		}
		b.ReportMetric(median(rate), "events/s")
		b.ReportMetric(median(cpu), "µs-cpu/event")
		b.ReportMetric(median(vsAlways), "G7-vs-durable-textbook")
		b.ReportMetric(median(vsEverysec), "G8-vs-textbook")
		b.ReportMetric(median(vsCPU), "G9-cpu-vs-durable-textbook")
		b.ReportMetric(median(dialled), "G13-connections")
	}
}

// BenchmarkRejection is the same burst on the Redis in this process, next to
// the textbook loop on it.
func BenchmarkRejection(b *testing.B) {
	for b.Loop() {
		var rate, ratio []float64
		for range benchRounds {
			r, bare := ours(b, nil), textbook(b, nil, "")
			rate, ratio = append(rate, 1/r.wall.Seconds()), append(ratio, float64(bare.wall)/float64(r.wall))
		}
		b.ReportMetric(median(rate), "events/s")
		b.ReportMetric(median(ratio), "vs-textbook")
	}
}

// BenchmarkIdleLatency is the time from the commit of a lone delivery to its
// mail.
func BenchmarkIdleLatency(b *testing.B) {
	for b.Loop() {
		l := openLab(b, &clock{})
		l.company().Sending.Window, l.company().Sending.Brake.Batch = sending.Window{}, 1000
		l.Courier = openCourier(b, "")
		sent := make(chan time.Time, 1)
		l.post.hook = func(context.Context, mail.Message) { sent <- time.Now() }
		stop := l.start()
		var took []time.Duration
		for i := range 200 {
			time.Sleep(rand.N(50 * time.Millisecond))
			l.arrive(l.rejection(strconv.Itoa(i)))
			began := time.Now()
			took = append(took, (<-sent).Sub(began))
		}
		stop()
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "G12-ms-p50")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "G12-ms-p99")
	}
}
