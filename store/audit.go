package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

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
	for _, text := range []*string{&a.Actor, &a.Verb, &a.Noun, &a.Subject, &a.Company, &a.Reason, &a.Detail} {
		*text = washed(*text) // as it will be read again
	}
	a.Hash = t.s.auditHash(last, a)
	_, err = t.exec(ctx, `INSERT INTO audit (seq, at, actor, verb, noun, subject, company, reason, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		a.Seq, micros(a.At), a.Actor, a.Verb, a.Noun, a.Subject, a.Company, a.Reason, a.Detail, a.Hash)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO meta (name, value) VALUES ('audit_head', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, t.s.auditHead(a.Hash))
	return err
}

// auditHead is kept beside the log, so that entries cut off its end are missed.
func (s *Store) auditHead(hash string) []byte { return s.hash("audit", "head", hash) }

// auditHash is keyed: who can write to the database but has no master key
// cannot make a new chain.
func (s *Store) auditHash(last string, a record.Audit) string {
	h := hmac.New(sha256.New, s.keys.index)
	for _, part := range []string{last, strconv.FormatInt(a.Seq, 10), strconv.FormatInt(micros(a.At), 10), a.Actor, a.Verb, a.Noun, a.Subject, a.Company, a.Reason, a.Detail} {
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

const auditColumns = `seq, at, actor, verb, noun, subject, company, reason, detail, hash`

// Audits lists the log, newest first. The filter's id is the subject.
func (s *Store) Audits(ctx context.Context, f record.Filter) ([]record.Audit, error) {
	var before int64
	if f.After != "" {
		var err error
		if before, err = strconv.ParseInt(f.After, 10, 64); err != nil || before < 1 {
			return nil, ats.Errorf(ats.Invalid, "after: %q is not an entry of the audit log", f.After)
		}
	}
	c := auditClause(f)
	c.add(`seq < ?`, before)
	return list(ctx, s, `SELECT `+auditColumns+` FROM audit`, "seq DESC", c, f.Rows(), scanAudit)
}

func auditClause(f record.Filter) clause {
	var c clause
	c.add(`company = ?`, f.Company)
	c.add(`subject = ?`, f.ID)
	c.add(`actor = ?`, f.Actor)
	c.add(`verb = ?`, f.Verb)
	c.add(`noun = ?`, f.Noun)
	c.add(`at >= ?`, micros(f.Since))
	c.add(`at < ?`, micros(f.Until))
	return c
}

// WalkAudit hands out the log, oldest first, without a limit.
func (s *Store) WalkAudit(ctx context.Context, f record.Filter, each func(record.Audit) error) error {
	c := auditClause(f)
	rows, err := s.read.QueryContext(ctx, `SELECT `+auditColumns+` FROM audit`+c.where()+` ORDER BY seq`, c.args...)
	if err != nil {
		return unavailable("reading the audit log", err)
	}
	return scan(rows, func() error {
		a, err := scanAudit(rows)
		if err != nil {
			return unavailable("reading the audit log", err)
		}
		return each(a)
	})
}

// AuditAnchor is the end of the log as NUMBER:HASH, to be kept elsewhere; ""
// while the log is empty.
func (s *Store) AuditAnchor(ctx context.Context) (string, error) {
	var seq int64
	var hash string
	err := s.read.QueryRowContext(ctx, `SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`).Scan(&seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", unavailable("reading the audit log", err)
	}
	return strconv.FormatInt(seq, 10) + ":" + hash, nil
}

// CheckAnchor is an ats.Conflict error when the log does not hold the entry
// that an anchor names. Who has the master key can make a new chain and a new
// end of it, but not one that fits an anchor kept elsewhere.
func (s *Store) CheckAnchor(ctx context.Context, anchor string) error {
	number, hash, ok := strings.Cut(strings.TrimSpace(anchor), ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || seq < 1 || len(hash) != 2*sha256.Size {
		return ats.Errorf(ats.Invalid, "anchor: write NUMBER:HASH as audit verify prints it")
	}
	var have string
	err = s.read.QueryRowContext(ctx, `SELECT hash FROM audit WHERE seq = $1`, seq).Scan(&have)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ats.Errorf(ats.Conflict, "audit entry %d, which the anchor names, was removed: the end of the log was cut off", seq)
	case err != nil:
		return unavailable("reading the audit log", err)
	case !equalText(have, hash):
		return ats.Errorf(ats.Conflict, "audit entry %d is not the one that the anchor names: the log was made anew", seq)
	}
	return nil
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
	// The head is read first: entries that are added meanwhile follow it.
	var head []byte
	err := s.read.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'audit_head'`).Scan(&head)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, unavailable("reading the audit log", err)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+auditColumns+` FROM audit ORDER BY seq`)
	if err != nil {
		return 0, unavailable("reading the audit log", err)
	}
	sound, last, reached := 0, "", head == nil
	err = scan(rows, func() error {
		a, err := scanAudit(rows)
		if err != nil {
			return unavailable("reading the audit log", err)
		}
		if a.Seq != int64(sound)+1 || s.auditHash(last, a) != a.Hash {
			return ats.Errorf(ats.Conflict, "audit entry %d does not follow from the one before: it, or an entry around it, was changed or removed", a.Seq)
		}
		last = a.Hash
		sound++
		reached = reached || bytes.Equal(head, s.auditHead(last))
		return nil
	})
	if err != nil {
		return sound, err
	}
	if !reached {
		return sound, ats.Errorf(ats.Conflict, "audit entries after entry %d were removed", sound)
	}
	return sound, nil
}
