package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// maxKey bounds an id that goes into an index, in bytes.
const maxKey = 200

// checkEvent refuses what cannot be kept or found again.
func checkEvent(e ats.Event) error {
	switch {
	case !slices.Contains(ats.States, e.State):
		return ats.Errorf(ats.Invalid, "%q is not a state", e.State)
	case e.Application == "" && e.Candidate.ID == "":
		return ats.Errorf(ats.Invalid, "an event names neither an application nor a candidate")
	case len(e.Application) > maxKey || len(e.Candidate.ID) > maxKey || len(e.Into) > maxKey:
		return ats.Errorf(ats.Invalid, "an id is longer than %d bytes", maxKey)
	case e.At.IsZero():
		return ats.Errorf(ats.Invalid, "an event has no time")
	}
	return nil
}

// effectKey names a fact, whichever delivery brings it. Without a time of its
// own a fact is as unique as its delivery.
func effectKey(d record.Delivery, e ats.Event) string {
	fact := []string{d.Company, d.Connection, e.Application, string(e.State), string(e.Side), strconv.FormatInt(micros(e.At), 10)}
	if e.Clock == ats.ReceivedClock {
		fact = []string{d.ID, e.Application, string(e.State)}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", fact))
	return hex.EncodeToString(sum[:16])
}

// teller returns the delivery that told a fact first, "" for news.
func (t *tx) teller(ctx context.Context, key string) (string, error) {
	var delivery string
	err := t.QueryRowContext(ctx, `SELECT delivery FROM events WHERE effect_key = $1`, key).Scan(&delivery)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return delivery, err
}

func (t *tx) insertEvent(ctx context.Context, d record.Delivery, app, key string, e ats.Event, r record.Ruling) error {
	checks, err := json.Marshal(r.Checks)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `
		INSERT INTO events (id, delivery, company, application, state, side, evidence, clock, status, reason, stale, action, code, checks, effect_key, occurred_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT (effect_key) DO NOTHING`,
		t.s.newID(), d.ID, d.Company, app, string(e.State), string(e.Side), e.Evidence, string(e.Clock), e.Status, e.Reason, flag(r.Stale), r.Action, r.Code,
		string(checks), key, micros(e.At), micros(t.s.Now()))
	return err
}

// insertRepeat keeps that a delivery told what another had told before. It
// changes nothing, but ties the delivery to the application, so that it is
// found and erased with it.
func (t *tx) insertRepeat(ctx context.Context, d record.Delivery, app, key string, e ats.Event) error {
	e.Evidence, e.Status, e.Reason = "", "", ""
	return t.insertEvent(ctx, d, app, key+" "+d.ID, e, record.Ruling{Action: "none", Code: sending.CodeRepeated, Stale: true})
}

const eventList = `SELECT id, delivery, application, state, side, evidence, clock, status, stale, action, code, checks, occurred_at, created_at FROM events`

func scanEvent(row scanner) (record.Event, error) {
	var e record.Event
	var stale, occurred, created int64
	var checks string
	err := row.Scan(&e.ID, &e.Delivery, &e.Application, &e.State, &e.Side, &e.Evidence, &e.Clock, &e.Status, &stale, &e.Action, &e.Code, &checks, &occurred, &created)
	if err != nil {
		return e, err
	}
	e.Stale, e.OccurredAt, e.CreatedAt = stale != 0, clockTime(occurred), clockTime(created)
	return e, json.Unmarshal([]byte(checks), &e.Checks)
}

// Events lists the history of an application, oldest first.
func (s *Store) Events(ctx context.Context, application string) ([]record.Event, error) {
	var c clause
	c.add(`application = ?`, application)
	return list(ctx, s, eventList, "id", c, record.MaxPage, scanEvent)
}

// EventsOf lists what a delivery said, oldest first.
func (s *Store) EventsOf(ctx context.Context, delivery string) ([]record.Event, error) {
	var c clause
	c.add(`delivery = ?`, delivery)
	return list(ctx, s, eventList, "id", c, record.MaxPage, scanEvent)
}
