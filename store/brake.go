package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// probeAfter is how long a credentials brake lets nothing through before one
// mail may try again.
const probeAfter = 5 * time.Minute

// openBrake opens a brake, or moves the probe time of the open one.
func (t *tx) openBrake(ctx context.Context, company, kind, cause string, probe time.Time) error {
	_, err := t.exec(ctx, `
		INSERT INTO brakes (id, company, kind, cause, opened_at, probe_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (company, kind) WHERE resolved_at = 0 DO UPDATE SET cause = excluded.cause, probe_at = excluded.probe_at`,
		t.s.newID(), company, kind, cause, micros(t.s.Now()), micros(probe))
	return err
}

// reasonVolume is the reason of a mail that the volume brake stopped.
const reasonVolume = "brake_volume"

// easeVolume closes the volume brake when a person has dealt with every mail
// that it stopped.
func (t *tx) easeVolume(ctx context.Context, company string) error {
	var n int
	err := t.QueryRowContext(ctx, `SELECT 1 FROM mails WHERE company = $1 AND stopped = 1 AND reason = $2 LIMIT 1`, company, reasonVolume).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return t.closeBrakes(ctx, company, "volume")
	}
	return err
}

func (t *tx) closeBrakes(ctx context.Context, company, kind string) error {
	_, err := t.exec(ctx, `UPDATE brakes SET resolved_at = $1 WHERE company = $2 AND kind = $3 AND resolved_at = 0`, micros(t.s.Now()), company, kind)
	return err
}

// brakeFate opens the brakes of a company whose mails fare badly.
func (t *tx) brakeFate(ctx context.Context, company string) error {
	for kind, rate := range map[string]func(sending.Fate) (string, bool){sending.BrakeBounces: sending.Fate.Bounces, sending.BrakeComplaints: sending.Fate.Complaints} {
		fate, counted, err := t.fate(ctx, company, kind)
		if err != nil {
			return err
		}
		if cause, trips := rate(fate); counted && trips {
			if err := t.openBrake(ctx, company, kind, cause, time.Time{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// fate counts what became of the company's newest mails that were sent since a
// brake of the kind was last closed; while one is on, it need not be counted.
func (t *tx) fate(ctx context.Context, company, kind string) (f sending.Fate, counted bool, err error) {
	var on, closed int64
	err = t.QueryRowContext(ctx, `SELECT coalesce(sum(CASE WHEN resolved_at = 0 THEN 1 ELSE 0 END), 0), coalesce(max(resolved_at), 0) FROM brakes WHERE company = $1 AND kind = $2`, company, kind).Scan(&on, &closed)
	if err != nil || on > 0 {
		return f, false, err
	}
	err = t.QueryRowContext(ctx, `
		SELECT count(*), count(*) FILTER (WHERE delivery = 'bounced'), count(*) FILTER (WHERE delivery IN ('delivered', 'unsubscribed', 'complaint')), count(*) FILTER (WHERE delivery = 'complaint')
		FROM (SELECT delivery FROM mails WHERE company = $1 AND state = 'sent' AND sent_at > $2 ORDER BY id DESC LIMIT $3 + 0) AS newest`,
		company, closed, sending.FateWindow).Scan(&f.Accepted, &f.Bounced, &f.Delivered, &f.Complained)
	return f, err == nil, err
}

// ReleaseBrake closes a brake that only a person closes. Mails that waited for
// it are due at once, and the count begins anew.
func (s *Store) ReleaseBrake(ctx context.Context, actor record.Actor, company, kind, reason string) error {
	if kind != sending.BrakeBounces && kind != sending.BrakeComplaints {
		return ats.Errorf(ats.Invalid, "the brake %q closes when its cause is gone; only %s and %s are released", kind, sending.BrakeBounces, sending.BrakeComplaints)
	}
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		now := micros(s.Now())
		var id string
		err := t.QueryRowContext(ctx, `UPDATE brakes SET resolved_at = $1 WHERE company = $2 AND kind = $3 AND resolved_at = 0 RETURNING id`, now, company, kind).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.NotFound, "no brake %s is on for %s", kind, company)
		}
		if err != nil {
			return err
		}
		const waited = `company = $2 AND state = 'held' AND stopped = 0 AND reason = $3`
		n, err := t.exec(ctx, `UPDATE jobs SET due_at = $1, updated_at = $1 WHERE state = 'waiting' AND kind = 'mail' AND company = $2 AND due_at > $1 AND subject IN (SELECT id FROM mails WHERE `+waited+`)`,
			now, company, sending.CodeBrake)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE mails SET due_at = $1, updated_at = $1 WHERE due_at > $1 AND `+waited, now, company, sending.CodeBrake)
		if err != nil {
			return err
		}
		t.dirty = n > 0
		return t.audit(ctx, actor, record.Audit{Verb: "release", Noun: "brake", Subject: id, Company: company, Reason: reason, Detail: kind})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("releasing a brake", err)
	}
	return err
}

const brakeColumns = `id, company, kind, cause, opened_at, probe_at, asked_by, asked_at, asked_for, resolved_at`

func scanBrake(row scanner) (record.Brake, error) {
	var b record.Brake
	var opened, probe, asked, resolved int64
	err := row.Scan(&b.ID, &b.Company, &b.Kind, &b.Cause, &opened, &probe, &b.AskedBy, &asked, &b.AskedFor, &resolved)
	b.OpenedAt, b.ProbeAt, b.AskedAt, b.ResolvedAt = clockTime(opened), clockTime(probe), clockTime(asked), clockTime(resolved)
	return b, err
}

// ProbeBrake lets one caller try a transport whose credentials brake is open
// and due for a probe; everybody else gets false.
func (s *Store) ProbeBrake(ctx context.Context, id string) (bool, error) {
	var n int64
	err := s.update(ctx, func(ctx context.Context, t *tx) (err error) {
		now := s.Now()
		n, err = t.exec(ctx, `UPDATE brakes SET probe_at = $1 WHERE id = $2 AND resolved_at = 0 AND probe_at <= $3`, micros(now.Add(probeAfter)), id, micros(now))
		return err
	})
	if err != nil {
		return false, unavailable("probing a brake", err)
	}
	return n == 1, nil
}

// Brakes lists the open brakes, or all of the last thirty days.
func (s *Store) Brakes(ctx context.Context, company string, all bool) ([]record.Brake, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+brakeColumns+` FROM brakes WHERE ($1 = '' OR company = $1) AND (resolved_at = 0 OR ($2 = 1 AND opened_at >= $3)) ORDER BY id DESC LIMIT 200`,
		company, flag(all), micros(s.Now().AddDate(0, 0, -30)))
	if err != nil {
		return nil, unavailable("listing brakes", err)
	}
	var out []record.Brake
	err = scan(rows, func() error {
		b, err := scanBrake(rows)
		out = append(out, b)
		return err
	})
	return out, err
}

// AskRelease vouches for the mails that a company's volume brake has stopped: they
// are meant. A second person may then release them; those that the brake stops
// later must be vouched for again.
func (s *Store) AskRelease(ctx context.Context, actor record.Actor, company, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return ats.Errorf(ats.Invalid, "reason: required; it is kept in the audit log and shown to the second person")
	}
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var id string
		err := t.QueryRowContext(ctx, `UPDATE brakes SET asked_by = $1, asked_at = $2, asked_for = $3 WHERE company = $4 AND kind = 'volume' AND resolved_at = 0 RETURNING id`,
			actor.Name, micros(s.Now()), reason, company).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return ats.Errorf(ats.Conflict, "no volume brake of %s is on", company)
		}
		if err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "ask release", Noun: "brake", Subject: id, Company: company, Reason: reason})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("asking for a release", err)
	}
	return err
}

// second is why who may not release a mail m: it is a second person's to do.
func second(who string) string {
	return `CASE
		WHEN m.reason = '` + reasonVolume + `' AND NOT EXISTS (SELECT 1 FROM brakes b WHERE b.company = m.company AND b.kind = 'volume' AND b.resolved_at = 0 AND b.asked_by <> '' AND b.asked_at >= m.updated_at)
			THEN '` + record.SkipVouch + `'
		WHEN m.reason = '` + reasonVolume + `' AND EXISTS (SELECT 1 FROM brakes b WHERE b.company = m.company AND b.kind = 'volume' AND b.resolved_at = 0 AND b.asked_by = ` + who + `)
			THEN '` + record.SkipSecond + `'
		WHEN m.batch <> '' AND EXISTS (SELECT 1 FROM batches b WHERE b.id = m.batch AND b.actor = ` + who + `)
			AND (SELECT count(*) FROM (SELECT 1 FROM mails x WHERE x.batch = m.batch AND x.batch <> '' LIMIT ` + strconv.Itoa(record.Alone+1) + `) AS x) > ` + strconv.Itoa(record.Alone) + ` THEN '` + record.SkipImporter + `'
		ELSE '' END`
}
