package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// audit appends an entry that carries the hash of the one before, so that a
// changed or removed entry shows.
func (t *tx) audit(ctx context.Context, actor record.Actor, a record.Audit) error {
	if t.pg {
		if _, err := t.exec(ctx, `SELECT pg_advisory_xact_lock(7243190356)`); err != nil {
			return err
		}
	}
	var last string
	err := t.QueryRowContext(ctx, `SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`).Scan(&a.Seq, &last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	a.Seq++
	a.Actor, a.At = actor.Name, clockTime(micros(t.s.Now()))
	a.Hash = auditHash(last, a)
	_, err = t.exec(ctx, `INSERT INTO audit (seq, at, actor, verb, noun, subject, company, reason, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		a.Seq, micros(a.At), a.Actor, a.Verb, a.Noun, a.Subject, a.Company, a.Reason, a.Detail, a.Hash)
	return err
}

func auditHash(last string, a record.Audit) string {
	h := sha256.New()
	for _, part := range []string{last, fmt.Sprint(a.Seq), fmt.Sprint(micros(a.At)), a.Actor, a.Verb, a.Noun, a.Subject, a.Company, a.Reason, a.Detail} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Audit notes a deed that changes no other row, such as a reveal.
func (s *Store) Audit(ctx context.Context, actor record.Actor, a record.Audit) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error { return t.audit(ctx, actor, a) })
	if err != nil {
		return unavailable("writing the audit log", err)
	}
	return nil
}

// Audits lists the log, newest first.
func (s *Store) Audits(ctx context.Context, f record.Filter) ([]record.Audit, error) {
	before := int64(1) << 62
	if f.After != "" {
		if _, err := fmt.Sscan(f.After, &before); err != nil {
			return nil, ats.Errorf(ats.Invalid, "after: %q is not an entry of the audit log", f.After)
		}
	}
	rows, err := s.read.QueryContext(ctx, `SELECT seq, at, actor, verb, noun, subject, company, reason, detail, hash FROM audit
		WHERE seq < $1 AND ($2 = '' OR company = $2) AND ($3 = '' OR subject = $3) AND at >= $4 ORDER BY seq DESC LIMIT $5`, before, f.Company, f.ID, micros(f.Since), f.Rows())
	if err != nil {
		return nil, unavailable("reading the audit log", err)
	}
	out := []record.Audit{}
	err = scan(rows, func() error {
		a, err := scanAudit(rows)
		out = append(out, a)
		return err
	})
	return out, err
}

func scanAudit(row scanner) (record.Audit, error) {
	var a record.Audit
	var at int64
	err := row.Scan(&a.Seq, &at, &a.Actor, &a.Verb, &a.Noun, &a.Subject, &a.Company, &a.Reason, &a.Detail, &a.Hash)
	a.At = clockTime(at)
	return a, err
}

// VerifyAudit walks the whole log. It returns how many entries are sound and an
// ats.Conflict error that names the first one that is not.
func (s *Store) VerifyAudit(ctx context.Context) (int, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT seq, at, actor, verb, noun, subject, company, reason, detail, hash FROM audit ORDER BY seq`)
	if err != nil {
		return 0, unavailable("reading the audit log", err)
	}
	sound, last := 0, ""
	err = scan(rows, func() error {
		a, err := scanAudit(rows)
		if err != nil {
			return err
		}
		if a.Seq != int64(sound)+1 || auditHash(last, a) != a.Hash {
			return ats.Errorf(ats.Conflict, "audit entry %d does not follow from the one before: it, or an entry around it, was changed or removed", a.Seq)
		}
		last = a.Hash
		sound++
		return nil
	})
	return sound, err
}
