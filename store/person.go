package store

import (
	"bytes"
	"context"
	"crypto/cipher"
	"database/sql"
	"errors"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A person is a row of people with the cipher of its data key.
type person struct {
	id   string
	aead cipher.AEAD
}

// openPerson finds or makes the person of a candidate: by the address, or as
// long as there is none by what the ATS calls the candidate.
func (t *tx) openPerson(ctx context.Context, d record.Delivery, e ats.Event) (person, error) {
	ref := t.s.addressRef(d.Company, e.Candidate.Email)
	if ref == nil {
		id := e.Candidate.ID
		if id == "" {
			id = "application " + e.Application
		}
		ref = t.s.hash("candidate", d.Company, d.Connection+"/"+id)
	}
	name := e.Candidate.Name
	if name == "" {
		name = strings.TrimSpace(e.Candidate.FamilyName + " " + e.Candidate.GivenName)
	}
	index := t.s.nameIndex(d.Company, name)
	for range 3 {
		p, err := t.findPerson(ctx, d.Company, ref, index)
		if !errors.Is(err, sql.ErrNoRows) {
			return p, err
		}
		id, key := t.s.newID(), randomKey()
		n, err := t.exec(ctx, `INSERT INTO people (id, company, person_ref, name_index, wrapped_key, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (company, person_ref) DO NOTHING`,
			id, d.Company, ref, index, t.s.keys.wrap(key, "person "+id), micros(t.s.Now()))
		if err != nil {
			return person{}, err
		}
		if n == 1 {
			aead, err := newAEAD(key)
			return person{id: id, aead: aead}, err
		}
	}
	return person{}, ats.Errorf(ats.Busy, "a person was erased at this moment")
}

// findPerson reads a person, guarded against being erased at the same time.
func (t *tx) findPerson(ctx context.Context, company string, ref, index []byte) (person, error) {
	var p person
	var wrapped, known []byte
	err := t.QueryRowContext(ctx, `SELECT id, wrapped_key, name_index FROM people WHERE company = $1 AND person_ref = $2`+t.forShare(), company, ref).Scan(&p.id, &wrapped, &known)
	if err != nil {
		return p, err
	}
	if index != nil && !bytes.Equal(index, known) {
		if _, err := t.exec(ctx, `UPDATE people SET name_index = $1 WHERE id = $2`, index, p.id); err != nil {
			return p, err
		}
	}
	p.aead, err = t.s.personKey(p.id, wrapped)
	return p, err
}

// readPerson returns a person by id, guarded against being erased at the same
// time; one that was erased is an ats.NotFound error.
func (t *tx) readPerson(ctx context.Context, id string) (person, error) {
	aead, err := t.s.readPersonKey(ctx, t, id, t.forShare())
	return person{id: id, aead: aead}, err
}

// forget destroys the data key of a person of whom nothing is kept any more.
func (t *tx) forget(ctx context.Context, id string) error {
	if _, err := t.exec(ctx, `SELECT 1 FROM people WHERE id = $1`+t.forUpdate(), id); err != nil {
		return err
	}
	var kept int
	err := t.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM applications WHERE person_id = $1 AND sealed IS NOT NULL) +
			(SELECT count(*) FROM mails WHERE person_id = $1 AND sealed IS NOT NULL) +
			(SELECT count(*) FROM registrations WHERE person_id = $1 AND sealed IS NOT NULL)`, id).Scan(&kept)
	if err != nil || kept > 0 {
		return err
	}
	return t.destroyKey(ctx, id)
}

func (t *tx) destroyKey(ctx context.Context, person string) error {
	_, err := t.exec(ctx, `UPDATE people SET wrapped_key = NULL, person_ref = NULL, name_index = NULL, erased_at = $1 WHERE id = $2 AND erased_at = 0`, micros(t.s.Now()), person)
	return err
}

// FindPeople returns the ids of a company's people with this address or name.
// The address may also be one that was written to.
func (s *Store) FindPeople(ctx context.Context, company, query string) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT id FROM people WHERE company = $1 AND person_ref = $2
		UNION SELECT id FROM people WHERE company = $1 AND name_index = $3
		UNION SELECT p.id FROM mails m JOIN people p ON p.id = m.person_id WHERE m.address_ref = $2 AND m.company = $1 AND p.erased_at = 0
		ORDER BY 1 LIMIT 200`,
		company, s.addressRef(company, ats.Email(query)), s.nameIndex(company, query))
	if err != nil {
		return nil, unavailable("finding people", err)
	}
	ids, err := texts(rows)
	if err != nil {
		return nil, unavailable("finding people", err)
	}
	return ids, nil
}

// ErasePerson destroys the person's data key, and with it everything personal
// in every table; waiting mails are cancelled, links revoked, consents
// withdrawn and raw deliveries deleted. Counts and the ledger stay. The
// suppression list stays too: it keeps a keyed hash only, and without it the
// person would be written to again.
func (s *Store) ErasePerson(ctx context.Context, actor record.Actor, id, reason string) error {
	if err := needReason(reason); err != nil {
		return err
	}
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		var company string
		err := t.QueryRowContext(ctx, `SELECT company FROM people WHERE id = $1 AND erased_at = 0`+t.forUpdate(), id).Scan(&company)
		if errors.Is(err, sql.ErrNoRows) {
			return t.missing(ctx, "people", "person", id, "was erased before")
		}
		if err != nil {
			return err
		}
		if err := t.erase(ctx, id); err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "erase", Noun: "person", Subject: id, Company: company, Reason: reason})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("erasing a person", err)
	}
	return err
}

func (t *tx) erase(ctx context.Context, id string) error {
	now := micros(t.s.Now())
	if _, err := t.takeBack(ctx, "erased", `state = 'cancelled', stopped = 0, reason = 'erased', updated_at = $1`, `person_id = $2`, now, id); err != nil {
		return err
	}
	for _, statement := range []string{
		`UPDATE mails SET sealed = NULL, updated_at = $2 WHERE person_id = $1`,
		`UPDATE links SET revoked_at = $2 WHERE person_id = $1 AND revoked_at = 0`,
		`UPDATE consents SET withdrawn_at = $2 WHERE person_id = $1 AND withdrawn_at = 0`,
		`UPDATE applications SET state = 'erased', sealed = NULL, evidence = '', updated_at = $2 WHERE person_id = $1`,
	} {
		if _, err := t.exec(ctx, statement, id, now); err != nil {
			return err
		}
	}
	for _, statement := range []string{
		`UPDATE registrations SET state = 'erased', sealed = NULL WHERE person_id = $1`,
		`DELETE FROM deliveries WHERE id IN (SELECT e.delivery FROM events e JOIN applications a ON a.id = e.application WHERE a.person_id = $1)`,
		`UPDATE events SET evidence = '', status = '', reason = '' WHERE application IN (SELECT id FROM applications WHERE person_id = $1)`,
	} {
		if _, err := t.exec(ctx, statement, id); err != nil {
			return err
		}
	}
	if err := t.stopReferrals(ctx, "erased", `person_id = $2`, id); err != nil {
		return err
	}
	return t.destroyKey(ctx, id)
}
