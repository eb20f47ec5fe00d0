package store

import (
	"context"
	"strconv"

	"github.com/career-relay/connector/record"
)

// list reads one page.
func list[T any](ctx context.Context, s *Store, query, order string, c clause, limit int, read func(scanner) (T, error)) ([]T, error) {
	c.args = append(c.args, limit)
	rows, err := s.read.QueryContext(ctx, query+c.where()+" ORDER BY "+order+" LIMIT $"+strconv.Itoa(len(c.args)), c.args...)
	if err != nil {
		return nil, unavailable("listing", err)
	}
	out := []T{}
	err = scan(rows, func() error {
		v, err := read(rows)
		out = append(out, v)
		return err
	})
	if err != nil {
		return nil, unavailable("listing", err)
	}
	return out, nil
}

const deliveryList = `SELECT id, company, connection, vendor, door, disposition, reason, repeats, size, secret, received_at, expires_at FROM deliveries d`

func scanDelivery(row scanner) (record.Delivery, error) {
	var d record.Delivery
	var received, expires int64
	err := row.Scan(&d.ID, &d.Company, &d.Connection, &d.Vendor, &d.Door, &d.Disposition, &d.Reason, &d.Repeats, &d.Size, &d.Secret, &received, &expires)
	d.ReceivedAt, d.ExpiresAt = clockTime(received), clockTime(expires)
	return d, err
}

// Deliveries lists deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, f record.Filter) ([]record.Delivery, error) {
	if err := f.NeedCompany(); err != nil {
		return nil, err
	}
	return list(ctx, s, deliveryList, "d.id DESC", s.deliveryClause(f), f.Rows(), scanDelivery)
}

// Applications lists applications, newest first.
func (s *Store) Applications(ctx context.Context, f record.Filter) ([]record.Application, error) {
	if err := f.NeedCompany(); err != nil {
		return nil, err
	}
	return list(ctx, s, `SELECT `+applicationColumns+` FROM applications`, "id DESC", s.applicationClause(f), f.Rows(),
		func(r scanner) (record.Application, error) { return scanApplication(r) })
}

// Mails lists the outbox, newest first, or the next due first when the filter
// says so.
func (s *Store) Mails(ctx context.Context, f record.Filter) ([]record.Mail, error) {
	if err := f.NeedCompany(); err != nil {
		return nil, err
	}
	order := "m.id DESC"
	if f.Order == record.ByDue {
		order = "m.due_at, m.id"
	}
	return list(ctx, s, `SELECT `+mailColumns+` FROM `+mailTables, order, s.mailClause(f), f.Rows(),
		func(r scanner) (record.Mail, error) { return scanMail(r) })
}

// Jobs lists jobs, newest first.
func (s *Store) Jobs(ctx context.Context, f record.Filter) ([]record.Job, error) {
	if err := f.NeedCompany(); err != nil {
		return nil, err
	}
	return list(ctx, s, `SELECT `+jobColumns+` FROM jobs`, "id DESC", s.jobClause(f), f.Rows(), scanJob)
}

// Referrals lists hand-overs, newest first.
func (s *Store) Referrals(ctx context.Context, f record.Filter) ([]record.Referral, error) {
	if err := f.NeedCompany(); err != nil {
		return nil, err
	}
	return list(ctx, s, `SELECT `+referralColumns+` FROM `+referralTables, "r.id DESC", s.referralClause(f), f.Rows(), scanReferral)
}

// Consents lists consents with the texts that were agreed to, newest first. The
// states are given and withdrawn.
func (s *Store) Consents(ctx context.Context, f record.Filter) ([]record.Consent, error) {
	if err := f.NeedCompany(); err != nil {
		return nil, err
	}
	return list(ctx, s, `SELECT `+consentColumns+` FROM `+consentTables, "c.id DESC", s.consentClause(f), f.Rows(), scanConsent)
}

// Batches lists what was done to many things at once, newest first.
func (s *Store) Batches(ctx context.Context, f record.Filter) ([]record.Batch, error) {
	var c clause
	c.add(`id = ?`, f.ID)
	c.add(`id < ?`, f.After)
	c.add(`company = ?`, f.Company)
	c.add(`state = ?`, f.State)
	c.add(`created_at >= ?`, micros(f.Since))
	c.add(`created_at < ?`, micros(f.Until))
	return list(ctx, s, `SELECT `+batchColumns+` FROM batches`, "id DESC", c, f.Rows(), func(row scanner) (record.Batch, error) { return scanBatch(row) })
}

// Counts returns how many rows of each state a company has, or all companies.
func (s *Store) Counts(ctx context.Context, company string) (record.Counts, error) {
	c := record.NewCounts()
	for _, q := range []struct {
		columns string
		into    map[string]int
	}{
		{`disposition AS s, count(*) FROM deliveries`, c.Deliveries},
		{`CASE WHEN state = 'held' AND stopped = 1 THEN 'stopped' ELSE state END AS s, count(*) FROM mails`, c.Mails},
		{`state AS s, count(*) FROM jobs`, c.Jobs},
		{`state AS s, count(*) FROM referrals`, c.Referrals},
	} {
		var where clause
		where.add(`company = ?`, company)
		err := s.tally(ctx, `SELECT '', `+q.columns+where.where()+` GROUP BY s`, where.args, func(_, state string, n int) { q.into[state] = n })
		if err != nil {
			return c, err
		}
	}
	return c, nil
}
