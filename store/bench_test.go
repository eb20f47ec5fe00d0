package store_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
	"github.com/career-relay/connector/store/storetest"
)

// databases are what every benchmark runs on.
var databases = []struct {
	name string
	open func(tb testing.TB) store.Options
}{
	{"SQLite", func(tb testing.TB) store.Options {
		tb.Helper()
		return store.Options{Dir: tb.TempDir()}
	}},
	{"PostgreSQL", func(tb testing.TB) store.Options {
		tb.Helper()
		return store.Options{URL: storetest.StartPostgres(tb).Database(tb)} // one that keeps what it confirms
	}},
}

// payload is a body of 4 KB that compresses about as well as real ones.
func payload(n int64) []byte {
	body := fmt.Appendf(nil, `{"id":%d,"candidate":{"name":"佐藤 美咲","email":"misaki.sato@example.jp"},"notes":"`, n)
	for seed := uint64(n) | 1; len(body) < 4094; seed = seed*6364136223846793005 + 1442695040888963407 {
		body = strconv.AppendUint(append(body, " word "...), seed>>40, 36)
	}
	return append(body[:4094], `"}`...)
}

// round saves deliveries, as clients who each wait for their answer, for a while
// and returns how many there were in a second.
func round(b *testing.B, s *store.Store, clients int, number *atomic.Int64) float64 {
	b.Helper()
	const length = 300 * time.Millisecond
	key := storetest.Key(7)
	var saved atomic.Int64
	var group sync.WaitGroup
	begun := time.Now()
	for range clients {
		group.Go(func() {
			for time.Since(begun) < length {
				n := number.Add(1)
				body := payload(n)
				mac := hmac.New(sha256.New, key)
				_, _ = mac.Write(body) // as the door does before
				_ = mac.Sum(nil)
				if _, err := s.SaveDelivery(context.WithoutCancel(b.Context()), arrival("k"+strconv.FormatInt(n, 10), body)); err != nil {
					b.Error(err)
					return
				}
				saved.Add(1)
			}
		})
	}
	group.Wait()
	return float64(saved.Load()) / time.Since(begun).Seconds()
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkSaveDelivery compares the group commit with one transaction for each
// request, round by round on the same machine: look at the ratio.
func BenchmarkSaveDelivery(b *testing.B) {
	for _, db := range databases {
		for _, clients := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/%d", db.name, clients), func(b *testing.B) {
				grouped, single := open(b, db.open(b)), open(b, db.open(b))
				single.OneByOne()
				var number atomic.Int64
				for _, s := range []*store.Store{grouped, single} {
					round(b, s, clients, &number) // warm
				}
				var many, one, ratio []float64
				for b.Loop() {
					many, one = append(many, round(b, grouped, clients, &number)), append(one, round(b, single, clients, &number))
					ratio = append(ratio, many[len(many)-1]/one[len(one)-1])
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(many), "grouped/s")
				b.ReportMetric(median(one), "single/s")
				b.ReportMetric(median(ratio), "ratio")
			})
		}
	}
}

// BenchmarkMail is everything that SQL does to send one mail: dispatch, start,
// read, claim, settle. The mails wait again each time.
func BenchmarkMail(b *testing.B) {
	for _, db := range databases {
		for _, workers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/%d", db.name, workers), func(b *testing.B) {
				s := open(b, db.open(b))
				plan(b, s, 4*workers)
				var left atomic.Int64
				left.Store(int64(b.N))
				var group sync.WaitGroup
				b.ResetTimer()
				for range workers {
					group.Go(func() {
						for left.Add(-1) >= 0 {
							if err := send(context.WithoutCancel(b.Context()), s); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				group.Wait()
			})
		}
	}
}

// plan fills the outbox with n mails that are due.
func plan(b *testing.B, s *store.Store, n int) {
	b.Helper()
	for i := range n {
		id, err := s.SaveDelivery(b.Context(), arrival("plan "+strconv.Itoa(i), payload(int64(i))))
		if err != nil {
			b.Fatal(err)
		}
		tickets, err := s.Dispatch(b.Context(), record.LiveQueue, map[string]int{"acme": 1000})
		if err != nil || len(tickets) != 1 {
			b.Fatalf("got %v (%v)", tickets, err)
		}
		j, err := s.StartJob(b.Context(), tickets[0].Job, tickets[0].Seq, time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		d, _, err := s.Delivery(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		e := atstest.Rejection()
		e.Application, e.Candidate.Email = "a"+strconv.Itoa(i), ats.Email(fmt.Sprintf("a%d@example.jp", i))
		_, err = s.Accept(b.Context(), j, d, []ats.Event{e}, record.Limits{Hour: 10, Day: 10}, func(ats.Event, record.Known) (record.Ruling, error) {
			m := mail.Message{SendID: "send " + strconv.Itoa(i), To: mail.Address{Address: e.Candidate.Email}, Text: string(payload(1)), HTML: string(payload(2))}
			return record.Ruling{Action: "mail", Code: "scheduled", Mail: &m, Due: s.Now().Add(time.Hour)}, nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.RetryJobs(b.Context(), record.Order{Filter: record.Filter{Company: "acme", Kind: record.MailJob}, Reason: "due"}); err != nil {
		b.Fatal(err)
	}
}

func send(ctx context.Context, s *store.Store) error {
	var tickets []record.Ticket
	for len(tickets) == 0 {
		var err error
		if tickets, err = s.Dispatch(ctx, record.BulkQueue, map[string]int{"acme": 1}); err != nil {
			return err
		}
	}
	j, err := s.StartJob(ctx, tickets[0].Job, tickets[0].Seq, time.Hour)
	if err != nil {
		return err
	}
	if _, err := s.Posting(ctx, j.Subject); err != nil {
		return err
	}
	n, err := s.ClaimMail(ctx, j, j.Subject, "mailbox")
	if err != nil {
		return err
	}
	now := s.Now()
	return s.SettleMail(ctx, j, j.Subject, record.Settlement{State: record.MailHeld, Attempt: n, DueAt: now, Job: record.Outcome{State: record.JobWaiting, DueAt: now}})
}

// BenchmarkList reads the first page of lists over 200,000 jobs and their mails.
func BenchmarkList(b *testing.B) {
	for _, db := range databases {
		options := db.open(b)
		s := open(b, options)
		crowd(b, options, 200_000)
		day := s.Now().Add(-24 * time.Hour)
		for name, list := range map[string]func(context.Context) error{
			"jobs": func(ctx context.Context) error { return second(s.Jobs(ctx, record.Filter{})) },
			"jobs that are dead": func(ctx context.Context) error {
				return second(s.Jobs(ctx, record.Filter{State: "dead"}))
			},
			"jobs that are done": func(ctx context.Context) error {
				return second(s.Jobs(ctx, record.Filter{State: "done"}))
			},
			"dead jobs of a company": func(ctx context.Context) error {
				return second(s.Jobs(ctx, record.Filter{Company: "company-7", State: "dead"}))
			},
			"jobs of a company": func(ctx context.Context) error {
				return second(s.Jobs(ctx, record.Filter{Company: "company-7", Since: day}))
			},
			"jobs by error": func(ctx context.Context) error {
				return second(s.Jobs(ctx, record.Filter{State: "dead", Error: "timeout"}))
			},
			"jobs of an application": func(ctx context.Context) error {
				return second(s.Jobs(ctx, record.Filter{Application: "application-5000"}))
			},
			"jobs of a vendor": func(ctx context.Context) error {
				return second(s.Jobs(ctx, record.Filter{Vendor: "greenhouse"}))
			},
			"outbox": func(ctx context.Context) error {
				return second(s.Mails(ctx, record.Filter{State: "held", Order: record.ByDue}))
			},
			"mails of an application": func(ctx context.Context) error {
				return second(s.Mails(ctx, record.Filter{Application: "application-5000"}))
			},
			"deliveries that are parked": func(ctx context.Context) error {
				return second(s.Deliveries(ctx, record.Filter{State: "parked"}))
			},
			"load":     func(ctx context.Context) error { return second(s.Load(ctx, record.LiveQueue, 256)) },
			"next due": func(ctx context.Context) error { return second(s.NextDue(ctx)) },
			"pulse":    func(ctx context.Context) error { return second(s.Pulse(ctx, day)) },
			"counts":   func(ctx context.Context) error { return second(s.Counts(ctx, "")) },
		} {
			b.Run(db.name+"/"+name, func(b *testing.B) {
				for b.Loop() {
					if err := list(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func second[T any](_ T, err error) error { return err }

// crowd writes n jobs with their deliveries or mails past the store: of twenty
// companies, most of them done.
func crowd(tb testing.TB, o store.Options, n int) {
	tb.Helper()
	driver, name := "pgx", o.URL
	if name == "" {
		driver, name = "sqlite", "file:"+filepath.Join(o.Dir, "careerrelay.db")+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST($1 AS INTEGER)) `
	id := func(prefix string) string { return `'00` + prefix + `' || substr('0000000' || CAST(i AS TEXT), -7)` }
	if o.URL != "" {
		id = func(prefix string) string { return `'00` + prefix + `' || right('0000000' || CAST(i AS TEXT), 7)` }
	}
	const company = `'company-' || CAST(i % 20 AS TEXT)`
	half, blob := n/2, map[bool]string{true: "BYTEA", false: "BLOB"}[o.URL != ""]
	for _, s := range []struct {
		statement string
		rows      int
	}{
		{`INSERT INTO applications (id, company, connection, vendor, application_id, candidate_id, person_id, state, side, evidence, job_id, job_title, department, stage, stage_kind, source, locale, decision, state_at, created_at, updated_at)
			` + numbers + `SELECT ` + id("A") + `, ` + company + `, 'main', 'greenhouse', 'application-' || CAST(i AS TEXT), 'c', 'p' || CAST(i AS TEXT), 'rejected', 'company', '', '', '', '', '', '', '', 'ja', 'scheduled', i, i, i FROM n`, half},
		{`INSERT INTO mails (id, company, application, person_id, purpose, state, template, version, locale, hash, send_id, due_at, decided_at, created_at, updated_at)
			` + numbers + `SELECT ` + id("M") + `, ` + company + `, ` + id("A") + `, 'p' || CAST(i AS TEXT), 'thank_you', CASE WHEN i % 10 = 0 THEN 'held' ELSE 'sent' END, 'thanks', '1', 'ja', '', ` + id("S") + `, CAST(i AS BIGINT) * 7919 % 1000000, i, i, i FROM n`, half},
		{`INSERT INTO deliveries (id, company, connection, vendor, door, dedupe_key, payload, size, disposition, received_at, expires_at)
			` + numbers + `SELECT ` + id("D") + `, ` + company + `, 'main', 'greenhouse', 'webhook', CAST(` + id("K") + ` AS ` + blob + `), CAST('` + string(payload(1)[:2000]) + `' AS ` + blob + `), 2000, CASE WHEN i % 1000 = 0 THEN 'parked' ELSE 'decoded' END, i, i FROM n`, half},
		{`INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, error, created_at, updated_at)
			` + numbers + `SELECT ` + id("J") + `, ` + company + `, 'mail', 'live', ` + id("M") + `, CASE WHEN i % 10 = 0 THEN 'waiting' ELSE 'done' END, CAST(i AS BIGINT) * 7919 % 1000000, '', i, i FROM n`, half},
		{`INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, error, fault, vendor, deaths, batch, created_at, updated_at)
			` + numbers + `SELECT ` + id("K") + `, ` + company + `, 'decode', 'live', ` + id("D") + `, CASE WHEN i % 1000 = 0 THEN 'dead' ELSE 'done' END, i, CASE WHEN i % 2000 = 0 THEN 'timeout' ELSE '' END,
			CASE WHEN i % 1000 = 0 THEN 'busy' ELSE '' END, CASE WHEN i % 1000 = 0 THEN 'greenhouse' ELSE '' END, 1, CASE WHEN i % 3 = 0 THEN 'b7' ELSE '' END, i, i FROM n`, half},
		{`INSERT INTO batches (id, verb, noun, filter, company, actor, reason, state, matched, changed, created_at)
			` + numbers + `SELECT 'b7', 'retry', 'job', '', '', '', '', 'done', i, i, i FROM n`, 1},
		{`INSERT INTO batch_items (batch, id, state) ` + numbers + `SELECT 'b7', ` + id("K") + `, 'started' FROM n WHERE i % 3 = 0`, half},
	} {
		if _, err := db.ExecContext(tb.Context(), s.statement, s.rows); err != nil {
			tb.Fatalf("%s: %v", s.statement[:40], err)
		}
	}
	if o.URL == "" {
		return // nobody counts for SQLite
	}
	if _, err := db.ExecContext(tb.Context(), `ANALYZE`); err != nil {
		tb.Fatal(err)
	}
}
