package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// SaveDelivery keeps an arrival, encrypted, with the job that will decode it,
// and returns when both are committed. A redelivery is counted and reported as
// an ats.Duplicate error. Any other error means that nothing was kept.
func (s *Store) SaveDelivery(ctx context.Context, a record.Arrival) (string, error) {
	aead, err := s.companyKey(ctx, a.Delivery.Company)
	if err != nil {
		return "", err
	}
	id := s.newID()
	sealed, err := seal(aead, "delivery "+id, a.Delivery.Payload)
	if err != nil {
		return "", err
	}
	return id, s.inbox.put(ctx, &letter{id: id, Arrival: a, sealed: sealed, kept: make(chan error, 1)})
}

// A letter is one row on its way into the inbox.
type letter struct {
	record.Arrival
	id     string
	sealed []byte
	kept   chan error
}

// The inbox writes what is waiting in one transaction: two writers, no timer.
// On SQLite the store's own group would do; the inbox also spares it the
// statements of single rows and gives PostgreSQL the same treatment.
type inbox struct {
	s     *Store
	queue chan *letter
	quit  chan struct{}
	wg    sync.WaitGroup
	once  sync.Once
}

const (
	inboxWriters = 2
	inboxGroup   = 64   // rows of one statement
	inboxQueue   = 1024 // waiting requests; above it the door answers 503
)

func newInbox(s *Store) *inbox {
	in := &inbox{s: s, queue: make(chan *letter, inboxQueue), quit: make(chan struct{})}
	for range inboxWriters {
		in.wg.Go(in.run)
	}
	return in
}

func (in *inbox) put(ctx context.Context, l *letter) error {
	select {
	case in.queue <- l:
	case <-in.quit:
		return ats.Errorf(ats.Busy, "shutting down")
	default:
		return ats.Errorf(ats.Busy, "%d deliveries are waiting to be written", inboxQueue)
	}
	select {
	case err := <-l.kept:
		return err
	case <-ctx.Done():
		return ats.Errorf(ats.Busy, "waiting for the commit: %w", ctx.Err())
	}
}

func (in *inbox) run() {
	for {
		select {
		case first := <-in.queue:
			in.write(in.collect(first))
		case <-in.quit:
			for {
				select {
				case first := <-in.queue:
					in.write(in.collect(first))
				default:
					return
				}
			}
		}
	}
}

func (in *inbox) collect(first *letter) []*letter {
	letters := []*letter{first}
	for len(letters) < inboxGroup {
		select {
		case l := <-in.queue:
			letters = append(letters, l)
		default:
			return letters
		}
	}
	return letters
}

func (in *inbox) close() {
	in.once.Do(func() { close(in.quit) })
	in.wg.Wait()
}

// write commits letters together and answers each. If the group fails, each is
// tried alone, so that one bad row cannot fail the others.
func (in *inbox) write(letters []*letter) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	results, err := in.commit(ctx, letters)
	if err == nil {
		for i, l := range letters {
			l.kept <- results[i]
		}
		return
	}
	for _, l := range letters {
		if len(letters) > 1 {
			results, err = in.commit(ctx, []*letter{l})
		}
		switch {
		case err != nil:
			l.kept <- unavailable("keeping a delivery", err)
		default:
			l.kept <- results[0]
		}
	}
}

func (in *inbox) commit(ctx context.Context, letters []*letter) ([]error, error) {
	var results []error
	err := in.s.update(ctx, func(ctx context.Context, t *tx) error {
		results = make([]error, len(letters))
		unique, first := fold(letters)
		kept, err := t.insertDeliveries(ctx, unique)
		if err != nil {
			return err
		}
		if err := t.insertDecodeJobs(ctx, unique, kept); err != nil {
			return err
		}
		for i, l := range letters {
			if f := first[i]; f != l || !kept[f.id] {
				results[i] = ats.Errorf(ats.Duplicate, "delivery was received before")
				if err := t.countRepeat(ctx, l); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return results, err
}

// fold finds the letters of a group that are redeliveries of one another.
func fold(letters []*letter) (unique, first []*letter) {
	seen := map[[3]string]*letter{}
	for _, l := range letters {
		key := [3]string{l.Delivery.Company, l.Delivery.Connection, l.Delivery.Key}
		if seen[key] == nil {
			seen[key] = l
			unique = append(unique, l)
		}
		first = append(first, seen[key])
	}
	return unique, first
}

const deliveryColumns = `id, company, connection, vendor, door, dedupe_key, payload, size, disposition, reason, received_at, expires_at`

// insertDeliveries writes all rows in one statement on PostgreSQL, where a
// round trip costs most, and one by one on SQLite, where it costs nothing. It
// returns the ids that were new.
func (t *tx) insertDeliveries(ctx context.Context, letters []*letter) (map[string]bool, error) {
	kept := map[string]bool{}
	step := 1
	if t.pg {
		step = len(letters)
	}
	for ; len(letters) > 0; letters = letters[step:] {
		var args []any
		for _, l := range letters[:step] {
			d := l.Delivery
			args = append(args, l.id, d.Company, d.Connection, l.Vendor, string(d.Door), d.Key, l.sealed, len(d.Payload.Body),
				string(l.Disposition), l.Reason, micros(d.Payload.Received), micros(d.Payload.Received.Add(l.Keep)))
		}
		rows, err := t.QueryContext(ctx, `INSERT INTO deliveries (`+deliveryColumns+`) VALUES `+places(step, 12)+` ON CONFLICT DO NOTHING RETURNING id`, args...)
		if err != nil {
			return nil, err
		}
		err = scan(rows, func() error {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			kept[id] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return kept, nil
}

func (t *tx) insertDecodeJobs(ctx context.Context, letters []*letter, kept map[string]bool) error {
	now := t.s.Now()
	var jobs []record.Job
	for _, l := range letters {
		if !kept[l.id] || l.Disposition != record.New {
			continue
		}
		kind := record.DecodeJob
		if l.Delivery.Door == connectors.Mail {
			kind = record.FeedbackJob
		}
		queue := record.LiveQueue
		if l.Delivery.Door == connectors.File {
			queue = record.BulkQueue
		}
		jobs = append(jobs, record.Job{Company: l.Delivery.Company, Kind: kind, Queue: queue, Subject: l.id, DueAt: now, Trace: l.Trace})
	}
	return t.enqueue(ctx, jobs...)
}

func (t *tx) countRepeat(ctx context.Context, l *letter) error {
	_, err := t.exec(ctx, `UPDATE deliveries SET repeats = repeats + 1 WHERE company = $1 AND connection = $2 AND dedupe_key = $3`,
		l.Delivery.Company, l.Delivery.Connection, l.Delivery.Key)
	return err
}

// places writes n groups of k placeholders: ($1,$2),($3,$4).
func places(n, k int) string {
	var b strings.Builder
	for i := range n * k {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%k == 0:
			b.WriteString("),(")
		default:
			b.WriteString(",")
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	b.WriteString(")")
	return b.String()
}

// Delivery returns one delivery with its payload.
func (s *Store) Delivery(ctx context.Context, id string) (record.Delivery, connectors.Delivery, error) {
	var sealed []byte
	var row record.Delivery
	var key string
	var received, expires int64
	err := s.read.QueryRowContext(ctx, `SELECT id, company, connection, vendor, door, disposition, reason, repeats, size, received_at, expires_at, dedupe_key, payload FROM deliveries WHERE id = $1`, id).
		Scan(&row.ID, &row.Company, &row.Connection, &row.Vendor, &row.Door, &row.Disposition, &row.Reason, &row.Repeats, &row.Size, &received, &expires, &key, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return row, connectors.Delivery{}, ats.Errorf(ats.NotFound, "no delivery %s", id)
	}
	if err != nil {
		return row, connectors.Delivery{}, unavailable("reading a delivery", err)
	}
	row.ReceivedAt, row.ExpiresAt = clockTime(received), clockTime(expires)
	d := connectors.Delivery{ID: row.ID, Company: row.Company, Connection: row.Connection, Door: connectors.Door(row.Door), Key: key}
	aead, err := s.companyKey(ctx, row.Company)
	if err != nil {
		return row, d, err
	}
	if err := unseal(aead, "delivery "+id, sealed, &d.Payload); err != nil {
		return row, d, fmt.Errorf("delivery %s: %w", id, err)
	}
	return row, d, nil
}

// settleDelivery records what became of a delivery.
func (t *tx) settleDelivery(ctx context.Context, id string, d record.Disposition, reason string) error {
	_, err := t.exec(ctx, `UPDATE deliveries SET disposition = $1, reason = $2 WHERE id = $3`, string(d), reason, id)
	return err
}
