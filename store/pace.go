package store

import (
	"context"
	"time"
)

// PaceMail gives a released mail a place among the others of its company, of
// which perMinute leave within a minute, and returns when it may go: now, or at
// its place in a later minute.
func (s *Store) PaceMail(ctx context.Context, company string, perMinute int) (time.Time, error) {
	var at time.Time
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		now := s.Now()
		this := now.Truncate(time.Minute)
		var last, used int64
		err := t.QueryRowContext(ctx, `SELECT paced_minute, paced FROM companies WHERE id = $1`+t.forUpdate(), company).Scan(&last, &used)
		if err != nil {
			return err
		}
		minute := clockTime(last)
		switch {
		case minute.Before(this):
			minute, used = this, 0
		case used >= int64(perMinute):
			minute, used = minute.Add(time.Minute), 0
		}
		at = now
		if minute.After(this) {
			at = minute.Add(time.Duration(used) * time.Minute / time.Duration(perMinute))
		}
		_, err = t.exec(ctx, `UPDATE companies SET paced_minute = $1, paced = $2 WHERE id = $3`, micros(minute), used+1, company)
		return err
	})
	if err != nil {
		return at, unavailable("pacing a mail", err)
	}
	return at, nil
}
