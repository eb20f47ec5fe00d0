package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
)

const alertColumns = `id, company, kind, subject, amount, stage, since, ends_at, seen_at, opened_at, gone_at, told_at, told_stage, muted_until, resolved_at`

func scanAlert(row scanner) (alerts.Alert, error) {
	var a alerts.Alert
	var since, ends, seen, opened, gone, told, muted, resolved int64
	err := row.Scan(&a.ID, &a.Company, &a.Kind, &a.Subject, &a.Count, &a.Stage, &since, &ends, &seen, &opened, &gone, &told, &a.ToldStage, &muted, &resolved)
	a.Since, a.EndsAt, a.SeenAt, a.OpenedAt = clockTime(since), clockTime(ends), clockTime(seen), clockTime(opened)
	a.GoneAt, a.ToldAt, a.MutedUntil, a.ResolvedAt = clockTime(gone), clockTime(told), clockTime(muted), clockTime(resolved)
	return a, err
}

// Alarm lets step decide what becomes of the alerts that are not resolved, and
// queues a notice for each word and each of its channels, all in one
// transaction. step and channels may be called more than once. It returns the
// changes that were told.
func (s *Store) Alarm(ctx context.Context, step func(open []alerts.Alert) []alerts.Change, channels func(alerts.Alert) []string) ([]alerts.Change, error) {
	var told []alerts.Change
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		told = nil
		rows, err := t.QueryContext(ctx, `SELECT `+alertColumns+` FROM alerts WHERE resolved_at = 0 ORDER BY id`+t.forUpdate())
		if err != nil {
			return err
		}
		var open []alerts.Alert
		err = scan(rows, func() error {
			a, err := scanAlert(rows)
			open = append(open, a)
			return err
		})
		if err != nil {
			return err
		}
		for _, c := range step(open) {
			c.Alert, err = t.keepAlert(ctx, c.Alert)
			if err != nil {
				return err
			}
			if c.Say == "" || c.Alert.ID == "" {
				continue
			}
			told = append(told, c)
			for _, channel := range channels(c.Alert) {
				if err := t.notify(ctx, c, channel); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("keeping alerts", err)
	}
	return told, nil
}

// keepAlert writes an alert. One that another process opened at the same moment
// comes back without an id.
func (t *tx) keepAlert(ctx context.Context, a alerts.Alert) (alerts.Alert, error) {
	values := []any{
		a.Company, string(a.Kind), a.Subject, a.Count, a.Stage, micros(a.Since), micros(a.EndsAt), micros(a.SeenAt), micros(a.OpenedAt),
		micros(a.GoneAt), micros(a.ToldAt), a.ToldStage, micros(a.ResolvedAt),
	}
	switch {
	case a.ID == "":
		id := t.s.newID()
		n, err := t.exec(ctx, `
			INSERT INTO alerts (company, kind, subject, amount, stage, since, ends_at, seen_at, opened_at, gone_at, told_at, told_stage, resolved_at, id)
			VALUES `+places(1, 14)+` ON CONFLICT (company, kind, subject) WHERE resolved_at = 0 DO NOTHING`, append(values, id)...)
		if n > 0 {
			a.ID = id
		}
		return a, err
	case a.OpenedAt.IsZero() && !a.ResolvedAt.IsZero():
		_, err := t.exec(ctx, `DELETE FROM alerts WHERE id = $1`, a.ID)
		return a, err
	}
	_, err := t.exec(ctx, `
		UPDATE alerts SET company = $1, kind = $2, subject = $3, amount = $4, stage = $5, since = $6, ends_at = $7, seen_at = $8, opened_at = $9, gone_at = $10,
			told_at = $11, told_stage = $12, resolved_at = $13 WHERE id = $14`, append(values, a.ID)...)
	return a, err
}

func (t *tx) notify(ctx context.Context, c alerts.Change, channel string) error {
	body, err := json.Marshal(c.Alert)
	if err != nil {
		return err
	}
	id := t.s.newID()
	_, err = t.exec(ctx, `INSERT INTO notices (id, alert, word, channel, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)`, id, c.Alert.ID, string(c.Say), channel, string(body), micros(t.s.Now()))
	if err != nil {
		return err
	}
	return t.enqueue(ctx, record.Job{Company: c.Alert.Company, Kind: record.AlertJob, Queue: record.LiveQueue, Subject: id})
}

// Notice reads a notice.
func (s *Store) Notice(ctx context.Context, id string) (record.Notice, error) {
	n := record.Notice{ID: id}
	var body string
	var created int64
	err := s.read.QueryRowContext(ctx, `SELECT channel, word, body, created_at FROM notices WHERE id = $1`, id).Scan(&n.Channel, &n.Word, &body, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return n, ats.Errorf(ats.NotFound, "no notice %s", id)
	}
	if err != nil {
		return n, unavailable("reading a notice", err)
	}
	n.CreatedAt = clockTime(created)
	if err := json.Unmarshal([]byte(body), &n.Alert); err != nil {
		return n, ats.Errorf(ats.Invalid, "notice %s cannot be read", id)
	}
	return n, nil
}

// Alerts lists alerts, newest first: open, muted and resolved ones. What may
// still pass by itself is not among them.
func (s *Store) Alerts(ctx context.Context, f record.Filter) ([]alerts.Alert, error) {
	var c clause
	c.conditions = []string{`opened_at > 0`}
	c.add(`id = ?`, f.ID)
	c.add(`id < ?`, f.After)
	c.add(`company = ?`, f.Company)
	c.add(`kind = ?`, f.Kind)
	c.add(`opened_at >= ?`, micros(f.Since))
	c.add(`opened_at < ?`, micros(f.Until))
	switch f.State {
	case "open":
		c.add(`resolved_at = 0 AND muted_until <= ?`, micros(s.Now()))
	case "muted":
		c.add(`resolved_at = 0 AND muted_until > ?`, micros(s.Now()))
	case "resolved":
		c.conditions = append(c.conditions, `resolved_at > 0`)
	}
	return list(ctx, s, `SELECT `+alertColumns+` FROM alerts`, "id DESC", c, f.Rows(), scanAlert)
}

// MuteAlert keeps an alert from reminding until a time; the zero time lets it
// remind again. That it is over is told in any case.
func (s *Store) MuteAlert(ctx context.Context, actor record.Actor, id string, until time.Time, reason string) error {
	verb := "mute"
	if until.IsZero() {
		verb = "unmute"
	}
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var company string
		err := t.QueryRowContext(ctx, `UPDATE alerts SET muted_until = $1 WHERE id = $2 AND opened_at > 0 AND resolved_at = 0 RETURNING company`, micros(until), id).Scan(&company)
		if errors.Is(err, sql.ErrNoRows) {
			return t.missing(ctx, "alerts", "alert", id, "is resolved")
		}
		if err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: verb, Noun: "alert", Subject: id, Company: company, Reason: reason})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("muting an alert", err)
	}
	return err
}

// alertsKept is how long resolved alerts and their notices are kept.
const alertsKept = 90 * 24 * time.Hour

// PurgeAlerts deletes what is resolved since long, and returns how much.
func (s *Store) PurgeAlerts(ctx context.Context) (int, error) {
	deleted := 0
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		deleted = 0
		for _, statement := range []string{
			`DELETE FROM jobs WHERE kind = 'alert' AND state NOT IN ` + live + ` AND subject IN (SELECT id FROM notices WHERE created_at < $1)`,
			`DELETE FROM notices WHERE created_at < $1`,
			`DELETE FROM alerts WHERE resolved_at > 0 AND resolved_at < $1`,
		} {
			n, err := t.exec(ctx, statement, micros(s.Now().Add(-alertsKept)))
			if err != nil {
				return err
			}
			deleted += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, unavailable("purging alerts", err)
	}
	return deleted, nil
}
