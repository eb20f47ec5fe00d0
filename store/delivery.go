package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// SaveDelivery keeps an arrival, encrypted, with the job that will decode it,
// and returns when both are committed. A redelivery is counted and reported as
// an ats.Duplicate error. After any other error nothing is known to be kept.
func (s *Store) SaveDelivery(ctx context.Context, a record.Arrival) (string, error) {
	aead, err := s.companyKey(ctx, a.Delivery.Company)
	if err != nil {
		return "", err
	}
	id := s.newID()
	box := s.boxes.Get().(*[]byte) //nolint:forcetypeassert // nothing else is put there
	*box = sealPayload((*box)[:0], aead, "delivery "+id, a.Delivery.Payload)
	l := &letter{Arrival: a, id: id, key: dedupeKey(a), size: len(a.Delivery.Payload.Body), sealed: *box, kept: make(chan error, 1)}
	l.Delivery.Payload.Body = nil // sealed; whoever brought it may use its memory again
	answered, err := s.inbox.put(ctx, l)
	if answered {
		s.boxes.Put(box)
	}
	return id, err
}

// dedupeKey is equal for redeliveries to one connection of a company, and short,
// since an index holds it for every delivery. Quarantined deliveries have keys
// of their own: an unsigned request must not take the place of a signed one.
func dedupeKey(a record.Arrival) []byte {
	d := a.Delivery
	name := make([]byte, 0, 256)
	if a.Disposition == record.Quarantined {
		name = append(name, 1)
	}
	for _, part := range []string{d.Company, d.Connection, d.Key} {
		name = append(binary.AppendUvarint(name, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(name)
	return sum[:16]
}

// A letter is one row on its way into the inbox.
type letter struct {
	record.Arrival
	id     string
	key    []byte
	size   int
	sealed []byte
	kept   chan error
}

// compare orders letters by what makes them unique, so that two groups that
// share redeliveries lock them in the same order.
func (l *letter) compare(other *letter) int { return bytes.Compare(l.key, other.key) }

// The inbox writes what is waiting in one transaction.
type inbox struct {
	s    *Store
	line *line[*letter]
}

const (
	inboxWriters = 2
	inboxGroup   = 256
	inboxQueue   = 1024 // waiting requests; above it the door answers 503
)

func newInbox(s *Store, writers, group int) *inbox {
	if !s.pg {
		writers = 1 // like the database
	}
	in := &inbox{s: s}
	in.line = &line[*letter]{lanes: writers, most: group, room: inboxQueue, work: in.write}
	return in
}

// put waits until l is answered, after which nobody uses it any more, or until
// ctx ends.
func (in *inbox) put(ctx context.Context, l *letter) (answered bool, err error) {
	if err := in.line.join(l); err != nil {
		return true, err
	}
	select {
	case err := <-l.kept:
		return true, err
	case <-ctx.Done():
		return false, ats.Errorf(ats.Busy, "waiting for the commit: %w", ctx.Err())
	}
}

func (in *inbox) close() { in.line.close() }

// write commits letters together and answers each. If the database refuses the
// group, each letter is tried alone, so that one bad row cannot fail the
// others.
func (in *inbox) write(letters []*letter) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := in.commit(ctx, letters)
	if err == nil {
		return
	}
	for _, l := range letters {
		failed := err
		if len(letters) > 1 && !outage(err) {
			if failed = in.commit(ctx, []*letter{l}); failed == nil {
				continue
			}
		}
		l.kept <- unavailable("keeping a delivery", failed)
	}
}

// commit keeps letters in one transaction and answers each when it is committed.
func (in *inbox) commit(ctx context.Context, letters []*letter) error {
	keep := in.keepEach
	if in.s.pg {
		keep = in.keepAll
	}
	kept, err := keep(ctx, letters)
	if err != nil {
		return err
	}
	var repeats []*letter
	for _, l := range letters {
		if !kept[l.id] {
			repeats = append(repeats, l)
			continue
		}
		l.kept <- nil
	}
	if len(repeats) == 0 {
		return nil
	}
	if err := in.countRepeats(ctx, repeats); err != nil {
		in.s.log.WarnContext(ctx, "redeliveries not counted", "err", err) // what they repeat is kept
	}
	for _, l := range repeats {
		l.kept <- ats.Errorf(ats.Duplicate, "delivery was received before")
	}
	return nil
}

const deliveryColumns = `id, company, connection, vendor, door, dedupe_key, size, disposition, reason, secret, received_at, expires_at, payload`

// keepEach writes row by row, which costs nothing on SQLite, and returns the ids
// of those that were new.
func (in *inbox) keepEach(ctx context.Context, letters []*letter) (map[string]bool, error) {
	kept := map[string]bool{}
	err := in.s.update(ctx, func(ctx context.Context, t *tx) error {
		clear(kept)
		jobs := make([]record.Job, 0, len(letters))
		for _, l := range letters {
			d := l.Delivery
			n, err := t.exec(ctx, `INSERT INTO deliveries (`+deliveryColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13) ON CONFLICT DO NOTHING`,
				l.id, d.Company, d.Connection, l.Vendor, string(d.Door), l.key, l.size, string(l.Disposition), l.Reason, l.Secret,
				micros(d.Payload.Received), micros(d.Payload.Received.Add(l.Keep)), l.sealed)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			kept[l.id] = true
			if j, ok := l.job(); ok {
				jobs = append(jobs, j)
			}
		}
		return t.enqueue(ctx, jobs...)
	})
	return kept, err
}

// keepAll does the same in a single statement, which is a transaction of its
// own: on PostgreSQL the round trips cost most.
func (in *inbox) keepAll(ctx context.Context, letters []*letter) (map[string]bool, error) {
	slices.SortFunc(letters, (*letter).compare)
	var ids, companies, connections, vendors, doors, dispositions, reasons, secrets []string
	var sizes, received, expires []int64
	var keys, payloads [][]byte
	var jobs, owners, kinds, queues, subjects, traces []string
	for _, l := range letters {
		d := l.Delivery
		ids, companies, connections, vendors = append(ids, l.id), append(companies, d.Company), append(connections, d.Connection), append(vendors, l.Vendor)
		doors, keys, dispositions, reasons = append(doors, string(d.Door)), append(keys, l.key), append(dispositions, string(l.Disposition)), append(reasons, l.Reason)
		secrets = append(secrets, l.Secret)
		sizes, payloads = append(sizes, int64(l.size)), append(payloads, l.sealed)
		received, expires = append(received, micros(d.Payload.Received)), append(expires, micros(d.Payload.Received.Add(l.Keep)))
		if j, ok := l.job(); ok {
			jobs, owners, kinds = append(jobs, in.s.newID()), append(owners, j.Company), append(kinds, j.Kind)
			queues, subjects, traces = append(queues, j.Queue), append(subjects, j.Subject), append(traces, j.Trace)
		}
	}
	const statement = `
		WITH kept AS (
			INSERT INTO deliveries (` + deliveryColumns + `)
			SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bytea[])
			ON CONFLICT DO NOTHING RETURNING id),
		queued AS (
			INSERT INTO jobs (id, company, kind, queue, subject, trace, state, due_at, created_at, updated_at)
			SELECT j.*, 'waiting', $20::bigint, $20, $20 FROM unnest($14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[]) AS j (id, company, kind, queue, subject, trace)
			WHERE j.subject IN (SELECT id FROM kept))
		SELECT id FROM kept`
	found, err := in.again(ctx, statement, ids, companies, connections, vendors, doors, keys, sizes, dispositions, reasons, secrets, received, expires, payloads,
		jobs, owners, kinds, queues, subjects, traces, micros(in.s.Now()))
	if err != nil {
		return nil, err
	}
	kept := map[string]bool{}
	for _, id := range found {
		kept[id] = true
	}
	if len(jobs) > 0 {
		in.s.wake()
	}
	return kept, nil
}

// again runs a statement, a few times while its connections turn out to be of a
// server that was restarted. If a first try was committed after all, the next
// one finds redeliveries, which are a success too.
func (in *inbox) again(ctx context.Context, statement string, args ...any) (ids []string, err error) {
	const tries = 5
	for range tries {
		var rows *sql.Rows
		if rows, err = in.s.read.QueryContext(ctx, statement, args...); err == nil {
			ids, err = texts(rows)
		}
		if err == nil || !outage(err) || ctx.Err() != nil {
			break
		}
	}
	return ids, err
}

func (in *inbox) countRepeats(ctx context.Context, letters []*letter) error {
	return in.s.update(ctx, func(ctx context.Context, t *tx) error {
		for _, l := range letters {
			_, err := t.exec(ctx, `UPDATE deliveries SET repeats = repeats + 1 WHERE dedupe_key = $1`, l.key)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// job is the work that follows from a letter; there is none while its signature
// is in doubt.
func (l *letter) job() (record.Job, bool) {
	j := decodeJob(l.Delivery.Company, l.Delivery.Door, l.id)
	j.Trace = l.Trace
	if l.Delivery.Door == connectors.File {
		j.Queue = record.BulkQueue
	}
	return j, l.Disposition == record.New
}

// decodeJob is the job that reads a delivery.
func decodeJob(company string, door connectors.Door, id string) record.Job {
	j := record.Job{Company: company, Kind: record.DecodeJob, Queue: record.LiveQueue, Subject: id}
	if door == connectors.Mail {
		j.Kind = record.FeedbackJob
	}
	return j
}

// Delivery returns one delivery with its payload, without its key.
func (s *Store) Delivery(ctx context.Context, id string) (record.Delivery, connectors.Delivery, error) {
	var sealed []byte
	var row record.Delivery
	var received, expires int64
	err := s.read.QueryRowContext(ctx, `SELECT id, company, connection, vendor, door, disposition, reason, repeats, size, secret, received_at, expires_at, payload FROM deliveries WHERE id = $1`, id).
		Scan(&row.ID, &row.Company, &row.Connection, &row.Vendor, &row.Door, &row.Disposition, &row.Reason, &row.Repeats, &row.Size, &row.Secret, &received, &expires, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return row, connectors.Delivery{}, ats.Errorf(ats.NotFound, "no delivery %s", id)
	}
	if err != nil {
		return row, connectors.Delivery{}, unavailable("reading a delivery", err)
	}
	row.ReceivedAt, row.ExpiresAt = clockTime(received), clockTime(expires)
	d := connectors.Delivery{ID: row.ID, Company: row.Company, Connection: row.Connection, Door: connectors.Door(row.Door)}
	aead, err := s.companyKey(ctx, row.Company)
	if err != nil {
		return row, d, err
	}
	if d.Payload, err = unsealPayload(aead, "delivery "+id, sealed); err != nil {
		return row, d, err
	}
	return row, d, nil
}

// settleDelivery records what became of a delivery.
func (t *tx) settleDelivery(ctx context.Context, id string, d record.Disposition, reason string) error {
	_, err := t.exec(ctx, `UPDATE deliveries SET disposition = $1, reason = $2 WHERE id = $3`, string(d), reason, id)
	return err
}
