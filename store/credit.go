package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/credit"
)

// countCredit adds an entry to the company's ledger and opens the slots that
// are due.
func (t *tx) countCredit(ctx context.Context, company, person, registration string, p credit.Policy) error {
	if err := t.lockCompany(ctx, company); err != nil {
		return err
	}
	now := t.s.Now()
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, `INSERT INTO policies (company, version, body, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, company, p.Version(), string(body), micros(now)); err != nil {
		return err
	}
	history, slots, err := t.ledger(ctx, company)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(history, func(h credit.Entry) bool { return h.Referral == registration }) {
		return nil // another recipient took the profile of the same registration
	}
	e := p.Count(history, person, now)
	n, err := t.insertCredit(ctx, company, registration, e)
	if err != nil || n == 0 {
		return err
	}
	_, err = t.openSlots(ctx, company, p, append(history, e), slots)
	return err
}

// insertCredit adds an entry, unless the registration has one of its kind.
func (t *tx) insertCredit(ctx context.Context, company, registration string, e credit.Entry) (int64, error) {
	return t.exec(ctx, `INSERT INTO credits (id, company, kind, person_id, registration, amount, policy, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (company, registration, kind) DO NOTHING`,
		t.s.newID(), company, string(e.Kind), e.Person, registration, e.Amount, e.Policy, micros(e.At))
}

func (t *tx) openSlots(ctx context.Context, company string, p credit.Policy, history []credit.Entry, slots []credit.Slot) (int, error) {
	owed := p.Owed(history, slots)
	for range owed {
		_, err := t.exec(ctx, `INSERT INTO slots (id, company, state, policy, earned_at, updated_at) VALUES ($1, $2, 'earned', $3, $4, $4)`, t.s.newID(), company, p.Version(), micros(t.s.Now()))
		if err != nil {
			return 0, err
		}
	}
	return owed, nil
}

// undoCredit takes back what a registration counted, if the policy that it was
// counted under says so.
func (t *tx) undoCredit(ctx context.Context, company, person, registration string) error {
	if err := t.lockCompany(ctx, company); err != nil {
		return err
	}
	var body string
	err := t.QueryRowContext(ctx, `SELECT p.body FROM credits c JOIN policies p ON p.company = c.company AND p.version = c.policy WHERE c.company = $1 AND c.registration = $2 AND c.kind = $3`,
		company, registration, string(credit.Credit)).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // it never counted
	}
	if err != nil {
		return err
	}
	var p credit.Policy
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return fmt.Errorf("reading a policy: %w", err)
	}
	history, slots, err := t.ledger(ctx, company)
	if err != nil {
		return err
	}
	e, ok := p.Undo(history, slots, person, t.s.Now())
	if !ok {
		return nil
	}
	_, err = t.insertCredit(ctx, company, registration, e)
	return err
}

func (t *tx) ledger(ctx context.Context, company string) ([]credit.Entry, []credit.Slot, error) {
	rows, err := t.QueryContext(ctx, `SELECT id, kind, person_id, registration, amount, policy, at FROM credits WHERE company = $1 ORDER BY id`, company)
	if err != nil {
		return nil, nil, err
	}
	var entries []credit.Entry
	err = scan(rows, func() error {
		var e credit.Entry
		var at int64
		err := rows.Scan(&e.ID, &e.Kind, &e.Person, &e.Referral, &e.Amount, &e.Policy, &at)
		e.At = clockTime(at)
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	rows, err = t.QueryContext(ctx, `SELECT id, state, policy, earned_at FROM slots WHERE company = $1 ORDER BY id`, company)
	if err != nil {
		return nil, nil, err
	}
	var slots []credit.Slot
	err = scan(rows, func() error {
		var l credit.Slot
		var at int64
		err := rows.Scan(&l.ID, &l.State, &l.Policy, &at)
		l.EarnedAt = clockTime(at)
		slots = append(slots, l)
		return err
	})
	return entries, slots, err
}

// Account sums up a company's ledger under its policy in force.
func (s *Store) Account(ctx context.Context, company string, p credit.Policy) (record.Account, error) {
	t := &tx{querier: s.read, s: s, pg: s.pg}
	entries, slots, err := t.ledger(ctx, company)
	if err != nil {
		return record.Account{}, unavailable("reading the ledger", err)
	}
	b := p.Balance(entries, slots)
	a := record.Account{Company: company, Net: b.Net, Ratio: b.Ratio, ToNext: b.ToNext, Slots: []record.Slot{}, Entries: []record.Credit{}}
	for _, e := range entries {
		a.Entries = append(a.Entries, record.Credit{ID: e.ID, Company: company, Kind: string(e.Kind), PersonID: e.Person, Referral: e.Referral, Amount: e.Amount, Policy: e.Policy, At: e.At})
	}
	for _, l := range slots {
		a.Slots = append(a.Slots, record.Slot{ID: l.ID, Company: company, State: string(l.State), Policy: l.Policy, EarnedAt: l.EarnedAt})
	}
	return a, nil
}

// Reconcile compares a company's slots with what its ledger earned and opens
// what is missing, for a reason if there is any. It returns how many it opened.
func (s *Store) Reconcile(ctx context.Context, actor record.Actor, company string, p credit.Policy, reason string) (int, error) {
	opened := 0
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if err := t.lockCompany(ctx, company); err != nil {
			return err
		}
		entries, slots, err := t.ledger(ctx, company)
		if err != nil {
			return err
		}
		if opened, err = t.openSlots(ctx, company, p, entries, slots); err != nil || opened == 0 {
			return err
		}
		if needReason(reason) != nil {
			return ats.Errorf(ats.Invalid, "reason: required to open the %d slots that are missing; it is kept in the audit log", opened)
		}
		return t.audit(ctx, actor, record.Audit{Verb: "reconcile", Noun: "credit", Subject: company, Company: company, Reason: reason, Detail: fmt.Sprintf("%d slots opened", opened)})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("reconciling the ledger", err)
	}
	if err != nil {
		return 0, err
	}
	return opened, nil
}
