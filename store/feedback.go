package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

// Report keeps the provider's events about our mails and finishes the job.
// Events about mails that are not ours are counted and dropped: the provider's
// account may serve other senders too.
func (s *Store) Report(ctx context.Context, j record.Job, delivery string, words []mail.Feedback) (record.Reported, error) {
	var done record.Reported
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		done = record.Reported{}
		for _, w := range words {
			if err := t.report(ctx, j.Company, w, &done); err != nil {
				return err
			}
		}
		disposition := record.Decoded
		if done.New+done.Repeated == 0 {
			disposition = record.Ignored
		}
		if err := t.settleDelivery(ctx, delivery, disposition, ""); err != nil {
			return err
		}
		return t.finishJob(ctx, j, record.Outcome{State: record.JobDone})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("keeping the provider's events", err)
	}
	return done, err
}

func (t *tx) report(ctx context.Context, company string, w mail.Feedback, done *record.Reported) error {
	id, ref, err := t.mailOf(ctx, company, w)
	if errors.Is(err, sql.ErrNoRows) {
		done.Foreign++
		return nil
	}
	if err != nil {
		return err
	}
	n, err := t.exec(ctx, `INSERT INTO mail_events (company, event_id, mail, kind, detail, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		company, eventID(w), id, string(w.Kind), w.Detail, micros(w.At))
	if err != nil {
		return err
	}
	if n == 0 {
		done.Repeated++
		return nil
	}
	done.New++
	return t.heed(ctx, company, id, ref, w)
}

// mailOf finds the mail that the provider speaks of and locks it: by our own
// id, or by the provider's, which starts with the id of the request. One
// request carries one mail.
func (t *tx) mailOf(ctx context.Context, company string, w mail.Feedback) (id string, ref []byte, err error) {
	err = sql.ErrNoRows
	if w.SendID != "" {
		err = t.QueryRowContext(ctx, `SELECT id, address_ref FROM mails WHERE send_id = $1 AND company = $2`+t.forUpdate(), w.SendID, company).Scan(&id, &ref)
	}
	request, _, _ := strings.Cut(w.ProviderID, ".")
	if request != "" && errors.Is(err, sql.ErrNoRows) {
		err = t.QueryRowContext(ctx, `SELECT id, address_ref FROM mails WHERE provider_id = $1 AND provider_id <> '' AND company = $2 ORDER BY id LIMIT 1`+t.forUpdate(), request, company).Scan(&id, &ref)
	}
	return id, ref, err
}

// eventID names an event. One that the provider did not name is named by what
// it says.
func eventID(w mail.Feedback) string {
	if w.EventID != "" && len(w.EventID) <= maxKey {
		return w.EventID
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{w.EventID, w.SendID, w.ProviderID, string(w.Kind), strconv.FormatInt(micros(w.At), 10)}))
	return hex.EncodeToString(sum[:16])
}

// rank orders the provider's words; a later word of lower rank, which is only
// late, does not undo one of higher rank.
var rank = map[mail.Kind]int{
	mail.Processed: 1, mail.Deferred: 2, mail.Delivered: 3, mail.Blocked: 4, mail.Dropped: 4, mail.Bounced: 5, mail.Unsubscribed: 5, mail.Complaint: 6,
}

// heed lets an event of the provider take effect on the mail and on the
// suppression list.
func (t *tx) heed(ctx context.Context, company, id string, ref []byte, w mail.Feedback) error {
	var last mail.Kind
	if err := t.QueryRowContext(ctx, `SELECT delivery FROM mails WHERE id = $1`, id).Scan(&last); err != nil {
		return err
	}
	if rank[w.Kind] > rank[last] {
		if _, err := t.exec(ctx, `UPDATE mails SET delivery = $1, updated_at = $2 WHERE id = $3`, string(w.Kind), micros(t.s.Now()), id); err != nil {
			return err
		}
	}
	if err := t.proveSent(ctx, id, micros(w.At)); err != nil {
		return err
	}
	if w.Kind == mail.Bounced || w.Kind == mail.Complaint {
		if err := t.brakeFate(ctx, company); err != nil {
			return err
		}
	}
	switch {
	case w.Kind == mail.Complaint, w.Kind == mail.Bounced && w.Permanent, w.Kind == mail.Dropped && w.Permanent:
		return t.suppress(ctx, company, ref, ScopeAll, string(w.Kind))
	case w.Kind == mail.Unsubscribed:
		return t.suppress(ctx, company, ref, ScopeOffers, string(w.Kind))
	}
	return nil
}
