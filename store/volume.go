package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// known collects what a decision about an application depends on.
func (t *tx) known(ctx context.Context, app application, a acceptance) (record.Known, error) {
	k := record.Known{Previous: app.State, PreviousAt: app.StateAt, BusiestDay: a.busiest}
	if app.person.id == "" { // erased: nothing more to know
		return k, nil
	}
	k.Candidate = *app.Candidate
	var err error
	if k.Suppressed, k.NoOffers, err = t.suppressed(ctx, app.Company, t.s.addressRef(app.Company, k.Candidate.Email)); err != nil {
		return k, err
	}
	if !app.fresh {
		var written int
		err = t.QueryRowContext(ctx, `SELECT count(*) FROM mails WHERE application = $1 AND purpose = $2 AND state IN ('sending', 'sent', 'unclear', 'failed')`,
			app.ID, string(mail.ThankYou)).Scan(&written)
		if err != nil {
			return k, err
		}
		k.Written = written > 0
	}
	k.LastHour, k.LastDay, err = t.volume(ctx, app.Company, a.limits)
	return k, err
}

// crowd is more than the transactions that may plan mails at the same time.
const crowd = 64

// volume counts the company's thank-you mails planned in the last hour and day.
// Near the limit it makes the company's transactions queue up, so that those
// that run at the same time count one another.
func (t *tx) volume(ctx context.Context, company string, limits record.Limits) (hour, day int, err error) {
	now := t.s.Now()
	if hour, err = t.planned(ctx, company, now.Add(-time.Hour), limits.Hour); err != nil {
		return 0, 0, err
	}
	if hour < limits.Hour && hour+crowd >= limits.Hour {
		if err := t.lockCompany(ctx, company); err != nil {
			return 0, 0, err
		}
		if hour, err = t.planned(ctx, company, now.Add(-time.Hour), limits.Hour); err != nil {
			return 0, 0, err
		}
	}
	day, err = t.planned(ctx, company, now.Add(-24*time.Hour), limits.Day)
	return hour, day, err
}

// usual are the mails that count: those of an import or of a connection's past
// do not, because a person releases them.
const usual = ` AND batch = '' AND NOT (stopped = 1 AND reason = '` + sending.CodeCold + `')`

// planned counts the company's thank-you mails planned since, up to limit. The
// sum keeps SQLite from preparing the statement anew for each limit.
func (t *tx) planned(ctx context.Context, company string, since time.Time, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM mails WHERE company = $1 AND purpose = $2 AND created_at >= $3`+usual+` LIMIT $4 + 0) AS m`,
		company, string(mail.ThankYou), micros(since), limit).Scan(&n)
	return n, err
}

// busiestDay returns the most thank-you mails planned on one of the 28 days
// before today. It changes once a day, so it is read once a day.
func (s *Store) busiestDay(ctx context.Context, company string) (int, error) {
	const day = int64(24 * time.Hour / time.Microsecond)
	today := micros(s.Now()) / day
	s.busyMu.Lock()
	known, ok := s.busy[company]
	s.busyMu.Unlock()
	if ok && known.day == today {
		return known.mails, nil
	}
	var n sql.NullInt64
	err := s.read.QueryRowContext(ctx, `SELECT max(n) FROM (SELECT count(*) AS n FROM mails WHERE company = $1 AND purpose = $2 AND created_at >= $3 AND created_at < $4`+usual+` GROUP BY created_at / $5) AS d`,
		company, string(mail.ThankYou), (today-28)*day, today*day, day).Scan(&n)
	if err != nil {
		return 0, unavailable("counting planned mails", err)
	}
	s.busyMu.Lock()
	s.busy[company] = busyDay{day: today, mails: int(n.Int64)}
	s.busyMu.Unlock()
	return int(n.Int64), nil
}

type busyDay struct {
	day   int64
	mails int
}
