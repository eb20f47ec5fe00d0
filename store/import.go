package store

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// RunningImport returns the batch of a file whose import was interrupted, or is
// under way; "" when there is none.
func (s *Store) RunningImport(ctx context.Context, i record.Import) (string, error) {
	batch, err := running(ctx, s.read, i)
	if err != nil {
		return "", unavailable("looking for an import", err)
	}
	return batch, nil
}

func running(ctx context.Context, q querier, i record.Import) (batch string, err error) {
	err = q.QueryRowContext(ctx, `SELECT id FROM batches WHERE verb = 'import' AND company = $1 AND filter = $2 AND state = 'running' ORDER BY id LIMIT 1`, i.Company, fileFilter(i)).Scan(&batch)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return batch, err
}

// fileFilter names a file in a batch.
func fileFilter(i record.Import) string {
	return url.Values{"company": {i.Company}, "connection": {i.Connection}, "file": {i.File}}.Encode()
}

// StartImport opens the batch of a file and returns its id. An import of the
// same file that did not come to its end goes on.
func (s *Store) StartImport(ctx context.Context, i record.Import) (batch string, err error) {
	if err := needReason(i.Reason); err != nil {
		return "", err
	}
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		if err := t.lockCompany(ctx, i.Company); err != nil {
			return err
		}
		batch, err = running(ctx, t, i)
		if err != nil || batch != "" {
			return err
		}
		batch = s.newID()
		_, err = t.exec(ctx, `INSERT INTO batches (id, verb, noun, filter, company, actor, reason, state, matched, changed, created_at) VALUES ($1, 'import', 'row', $2, $3, $4, $5, 'running', 0, 0, $6)`,
			batch, fileFilter(i), i.Company, i.Actor.Name, i.Reason, micros(s.Now()))
		if err != nil {
			return err
		}
		return t.audit(ctx, i.Actor, record.Audit{Verb: "import", Noun: "row", Subject: batch, Company: i.Company, Reason: i.Reason, Detail: fileFilter(i)})
	})
	if err != nil {
		err = unavailable("starting an import", err)
	}
	return batch, err
}

// SaveRows keeps rows of a file as deliveries of the batch, with the jobs that
// will decode them, and returns how many were new. All are committed together.
func (s *Store) SaveRows(ctx context.Context, batch string, rows []record.Arrival) (int, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	aead, err := s.companyKey(ctx, rows[0].Delivery.Company)
	if err != nil {
		return 0, err
	}
	saved := 0
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		saved = 0
		for part := range slices.Chunk(rows, t.step(len(rows))) {
			n, err := t.saveArrivals(ctx, aead, part, record.BulkQueue, batch)
			if err != nil {
				return err
			}
			saved += n
		}
		_, err := t.exec(ctx, `UPDATE batches SET changed = changed + $1 WHERE id = $2`, saved, batch)
		return err
	})
	if err != nil {
		return 0, unavailable("keeping rows", err)
	}
	return saved, nil
}

// saveArrivals keeps arrivals of one company through one door with the jobs that
// will decode them, and returns how many were new.
func (t *tx) saveArrivals(ctx context.Context, aead cipher.AEAD, arrivals []record.Arrival, queue, batch string) (int, error) {
	var args []any
	for _, a := range arrivals {
		d, id := a.Delivery, t.s.newID()
		sealed := sealPayload(nil, aead, "delivery "+id, d.Payload)
		args = append(args, id, d.Company, d.Connection, a.Vendor, string(d.Door), dedupeKey(a), len(d.Payload.Body), string(a.Disposition), a.Reason, a.Secret,
			micros(d.Payload.Received), micros(d.Payload.Received.Add(a.Keep)), sealed)
	}
	found, err := t.QueryContext(ctx, `INSERT INTO deliveries (`+deliveryColumns+`) VALUES `+places(len(arrivals), 13)+` ON CONFLICT DO NOTHING RETURNING id`, args...)
	if err != nil {
		return 0, err
	}
	ids, err := texts(found)
	if err != nil {
		return 0, err
	}
	jobs := make([]record.Job, len(ids))
	for i, id := range ids {
		jobs[i] = decodeJob(arrivals[0].Delivery.Company, arrivals[0].Delivery.Door, id)
		jobs[i].Queue, jobs[i].Batch = queue, batch
	}
	return len(ids), t.enqueue(ctx, jobs...)
}

// EndImport closes the batch of a file that was read to its end and had rows.
func (s *Store) EndImport(ctx context.Context, batch string, rows int) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE batches SET state = 'done', matched = $1 WHERE id = $2`, rows, batch)
		return err
	})
	if err != nil {
		return unavailable("ending an import", err)
	}
	return nil
}

// KnownRows returns what is known of rows, in their order. Twins are looked for
// among the mails planned since.
func (s *Store) KnownRows(ctx context.Context, company, connection string, rows []record.Row, since time.Time) ([]record.RowKnown, error) {
	k := knownRows{s: s, rows: rows, known: make([]record.RowKnown, len(rows)), company: company, connection: connection}
	if len(rows) == 0 {
		return nil, nil
	}
	if err := errors.Join(k.deliveries(ctx), k.applications(ctx), k.suppressions(ctx), k.twins(ctx, since)); err != nil {
		return nil, unavailable("looking up rows", err)
	}
	return k.known, nil
}

// knownRows collects what is known of rows.
type knownRows struct {
	s                   *Store
	rows                []record.Row
	known               []record.RowKnown
	company, connection string
}

// find runs a query for the rows that have a value of some kind. The query ends
// before the list of these values; each gets the rows of the value that a found
// row begins with.
func (k *knownRows) find(ctx context.Context, value func(record.Row) any, query string, args []any, each func(row scanner, of func(value any) []int) error) error {
	at := map[string][]int{}
	var places []string
	for i, r := range k.rows {
		v := value(r)
		if raw, ok := v.([]byte); ok && raw == nil || v == "" {
			continue
		}
		key := fmt.Sprint(v)
		if at[key] = append(at[key], i); len(at[key]) == 1 {
			args = append(args, v)
			places = append(places, "$"+strconv.Itoa(len(args)))
		}
	}
	if len(places) == 0 {
		return nil
	}
	rows, err := k.s.read.QueryContext(ctx, query+` IN (`+strings.Join(places, ",")+`)`, args...)
	if err != nil {
		return err
	}
	return scan(rows, func() error { return each(rows, func(v any) []int { return at[fmt.Sprint(v)] }) })
}

func (k *knownRows) deliveries(ctx context.Context) error {
	key := func(r record.Row) any {
		a := record.Arrival{}
		a.Delivery.Company, a.Delivery.Connection, a.Delivery.Key = k.company, k.connection, r.Key
		return dedupeKey(a)
	}
	return k.find(ctx, key, `SELECT dedupe_key, disposition FROM deliveries WHERE dedupe_key`, nil,
		func(row scanner, of func(any) []int) error {
			var key []byte
			var d record.Disposition
			err := row.Scan(&key, &d)
			for _, i := range of(key) {
				k.known[i].Saved = d
			}
			return err
		})
}

func (k *knownRows) applications(ctx context.Context) error {
	return k.find(ctx, func(r record.Row) any { return r.Application }, `
		SELECT application_id, state, state_at, (SELECT count(*) FROM mails m WHERE m.application = a.id AND m.purpose = 'thank_you' AND m.company = a.company AND m.state IN ('sending', 'sent', 'unclear', 'failed'))
		FROM applications a WHERE company = $1 AND connection = $2 AND application_id`, []any{k.company, k.connection},
		func(row scanner, of func(any) []int) error {
			var id string
			var state ats.State
			var at, written int64
			err := row.Scan(&id, &state, &at, &written)
			for _, i := range of(id) {
				k.known[i].State, k.known[i].StateAt, k.known[i].Written = state, clockTime(at), written > 0
			}
			return err
		})
}

func (k *knownRows) address(r record.Row) any { return k.s.addressRef(k.company, r.Email) }

func (k *knownRows) suppressions(ctx context.Context) error {
	return k.find(ctx, k.address, `SELECT address_ref FROM suppressions WHERE company = $1 AND scope = $2 AND address_ref`, []any{k.company, ScopeAll},
		func(row scanner, of func(any) []int) error {
			var ref []byte
			err := row.Scan(&ref)
			for _, i := range of(ref) {
				k.known[i].Suppressed = true
			}
			return err
		})
}

func (k *knownRows) twins(ctx context.Context, since time.Time) error {
	return k.find(ctx, k.address, `
		SELECT m.address_ref, a.connection, a.application_id, a.job_id, a.job_title FROM mails m JOIN applications a ON a.id = m.application
		WHERE m.company = $1 AND m.purpose = 'thank_you' AND m.state IN ('held', 'sending', 'sent', 'unclear') AND m.created_at >= $2 AND m.address_ref`, []any{k.company, micros(since)},
		func(row scanner, of func(any) []int) error {
			var ref []byte
			var connection, application string
			var job ats.Job
			err := row.Scan(&ref, &connection, &application, &job.ID, &job.Title)
			for _, i := range of(ref) {
				r := k.rows[i]
				if own := connection == k.connection; own && application == r.Application || !sameJob(r.Job, job, own) {
					continue
				}
				k.known[i].Twin = application
			}
			return err
		})
}

// sameJob compares jobs by their ids where these are of one system, otherwise
// by their titles.
func sameJob(a, b ats.Job, ids bool) bool {
	if ids && a.ID != "" && b.ID != "" {
		return a.ID == b.ID
	}
	return strings.TrimSpace(a.Title) == strings.TrimSpace(b.Title)
}

// markImported ties the mails that a row of a file led to to its import, also
// when the row is read again later, and lets them say what else a person must
// look at: the rest can be released together.
func (t *tx) markImported(ctx context.Context, j record.Job, delivery string) error {
	var batch string
	err := t.QueryRowContext(ctx, `SELECT batch FROM jobs WHERE id = CASE WHEN $1 = '' THEN $2 ELSE $1 END`, j.ReplayOf, j.ID).Scan(&batch)
	if err != nil && !errors.Is(err, sql.ErrNoRows) || batch == "" {
		return err
	}
	rows, err := t.QueryContext(ctx, `SELECT application, checks, created_at FROM events WHERE delivery = $1 AND action = 'hold'`, delivery)
	if err != nil {
		return err
	}
	type held struct {
		application, reason string
		since               int64
	}
	var all []held
	err = scan(rows, func() error {
		var h held
		var checks string
		if err := rows.Scan(&h.application, &checks, &h.since); err != nil {
			return err
		}
		h.reason, err = doubt(checks)
		all = append(all, h)
		return err
	})
	for _, h := range all {
		if err == nil {
			_, err = t.exec(ctx, `UPDATE mails SET batch = $1, reason = $2 WHERE application = $3 AND purpose = $4 AND state = 'held' AND stopped = 1 AND created_at >= $5`,
				batch, h.reason, h.application, string(mail.ThankYou), h.since)
		}
	}
	return err
}

// doubt is the first of an event's checks that asks for a person's look at this
// mail. That it is history, or one of many, holds for all of an import.
func doubt(checks string) (string, error) {
	var all []record.Check
	if err := json.Unmarshal([]byte(checks), &all); err != nil {
		return "", err
	}
	for _, c := range all {
		if !c.OK && c.Code != sending.CodeCold && c.Code != sending.CodeBrakeVolume {
			return c.Code, nil
		}
	}
	return sending.CodeCold, nil
}
