package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// Accept keeps the events of a delivery with everything that follows from them
// and finishes the job, all in one transaction.
func (s *Store) Accept(ctx context.Context, j record.Job, d record.Delivery, events []ats.Event, lim record.Limits, decide record.Decider) (record.Accepted, error) {
	busiest, err := s.busiestDay(ctx, d.Company)
	if err != nil {
		return record.Accepted{}, err
	}
	var done record.Accepted
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		done = record.Accepted{}
		for _, e := range events {
			if err := t.accept(ctx, d, e, acceptance{lim, busiest, decide, j.Trace, &done}); err != nil {
				return fmt.Errorf("accepting an event of delivery %s: %w", d.ID, err)
			}
		}
		if d.Door == string(connectors.File) {
			if err := t.markImported(ctx, j, d.ID); err != nil {
				return err
			}
		}
		disposition, reason := record.Decoded, ""
		if done.Events+done.Repeated == 0 {
			disposition, reason = record.Ignored, "nothing in it concerns us"
		}
		if err := t.settleDelivery(ctx, d.ID, disposition, reason); err != nil {
			return err
		}
		return t.finishJob(ctx, j, record.Outcome{State: record.JobDone})
	})
	if err != nil && ats.FaultOf(err) == "" {
		err = unavailable("accepting a delivery", err)
	}
	return done, err
}

type acceptance struct {
	limits  record.Limits
	busiest int
	decide  record.Decider
	trace   string
	done    *record.Accepted
}

// accept applies an event to each application that it is about.
func (t *tx) accept(ctx context.Context, d record.Delivery, e ats.Event, a acceptance) error {
	if err := checkEvent(e); err != nil {
		return err
	}
	ids, err := t.applicationsOf(ctx, d, e)
	if err != nil {
		return err
	}
	for _, id := range ids {
		one := e
		one.Application = id
		if err := t.acceptOne(ctx, d, one, a); err != nil {
			return err
		}
	}
	return nil
}

// applicationsOf lists the vendor's ids of the applications that e is about.
// The further ones of an erased person are included even when they are not
// known here: what was erased must not be written to when news of it come late.
func (t *tx) applicationsOf(ctx context.Context, d record.Delivery, e ats.Event) ([]string, error) {
	var ids []string
	switch e.Application {
	case "":
		rows, err := t.QueryContext(ctx, `SELECT application_id FROM applications WHERE company = $1 AND connection = $2 AND candidate_id = $3`, d.Company, d.Connection, e.Candidate.ID)
		if err != nil {
			return nil, err
		}
		if ids, err = texts(rows); err != nil {
			return nil, err
		}
	default:
		ids = []string{e.Application}
	}
	if e.State == ats.Erased {
		ids = append(ids, slices.DeleteFunc(slices.Clone(e.Also), func(id string) bool { return id == "" || len(id) > maxKey })...)
	}
	slices.Sort(ids) // the order of locking
	return slices.Compact(ids), nil
}

// errRaced says that another transaction made the application meanwhile.
var errRaced = errors.New("another delivery made the application")

func (t *tx) acceptOne(ctx context.Context, d record.Delivery, e ats.Event, a acceptance) error {
	err := t.acceptOnce(ctx, d, e, a)
	if errors.Is(err, errRaced) {
		err = t.acceptOnce(ctx, d, e, a) // now it is there, and stays
	}
	return err
}

func (t *tx) acceptOnce(ctx context.Context, d record.Delivery, e ats.Event, a acceptance) error {
	app, err := t.openApplication(ctx, d, e)
	if err != nil || app.ID == "" {
		return err
	}
	key := effectKey(d, e)
	if !app.fresh {
		// Asked while the application is locked: two deliveries may tell the same
		// fact at the same time.
		teller, err := t.teller(ctx, key)
		if err != nil {
			return err
		}
		if teller != "" && lacked(app.Application, e) {
			key, teller = key+" address", ""
		}
		if teller != "" {
			a.done.Repeated++
			if teller == d.ID {
				return nil
			}
			return t.insertRepeat(ctx, d, app.ID, key, e)
		}
	}
	k, err := t.known(ctx, app, a)
	if err != nil {
		return err
	}
	e.Candidate = k.Candidate
	r, err := a.decide(e, k)
	if err != nil {
		return err
	}
	gone := app.State == ats.Erased
	if gone {
		e.Evidence, e.Status, e.Reason = "", "", ""
	}
	if app.fresh {
		if err := t.insertApplication(ctx, app, e, r); err != nil {
			return err
		}
	}
	a.done.Events++
	a.done.Codes = append(a.done.Codes, r.Code)
	if err := t.insertEvent(ctx, d, app.ID, key, e, r); err != nil || r.Stale || gone {
		return err
	}
	if !app.fresh {
		if err := t.moveApplication(ctx, app, e, r); err != nil {
			return err
		}
	}
	if err := t.follow(ctx, d, app, e, r, a); err != nil || app.person.id == app.PersonID {
		return err
	}
	return t.forget(ctx, app.PersonID) // a new address made another person of the candidate
}

// lacked reports whether e brings the address that was missing when the same
// rejection was told before: the ATS was corrected, and asked or sent again.
func lacked(app record.Application, e ats.Event) bool {
	missing := []string{sending.CodeNoAddress, sending.CodeNotAnAddress, sending.CodeSeveral}
	return e.State == ats.Rejected && app.State == ats.Rejected && e.Candidate.Email != "" && slices.Contains(missing, app.Decision)
}

// follow does what a ruling says.
func (t *tx) follow(ctx context.Context, d record.Delivery, app application, e ats.Event, r record.Ruling, a acceptance) error {
	if !app.fresh && (r.Cancel || e.State == ats.Erased) {
		if err := t.cancelMails(ctx, app.ID, r.Code); err != nil {
			return err
		}
	}
	if e.State == ats.Erased {
		return t.eraseApplication(ctx, app.Application)
	}
	if r.Mail == nil {
		return nil
	}
	planned, err := t.planMail(ctx, plan{
		company: d.Company, application: app.ID, fresh: app.fresh, person: app.person, purpose: mail.ThankYou, message: *r.Mail,
		due: r.Due, decided: e.At, stopped: r.Action == "hold", reason: r.Code, links: r.Links, trace: a.trace,
	})
	if err != nil || !planned {
		return err
	}
	a.done.Planned++
	a.done.Stopped += int(flag(r.Action == "hold"))
	if r.StopAll {
		return t.brakeVolume(ctx, d.Company)
	}
	return nil
}

// An application that an event is about, with its person.
type application struct {
	record.Application
	person person // empty for an erased application
	fresh  bool   // it is not in the database yet
}

// openApplication finds the application of e and locks it, or begins a new one.
// A merger of what is not known begins nothing: the application is empty then.
func (t *tx) openApplication(ctx context.Context, d record.Delivery, e ats.Event) (application, error) {
	found, sealed, err := t.lockApplication(ctx, d, e.Application)
	if ats.FaultOf(err) == ats.NotFound {
		return t.beginApplication(ctx, d, e)
	}
	app := application{Application: found}
	if err != nil || app.State == ats.Erased {
		return app, err
	}
	app.person, err = t.readPerson(ctx, app.PersonID)
	gone := ats.FaultOf(err) == ats.NotFound
	if err != nil && !gone {
		return app, err
	}
	app.Candidate = &ats.Candidate{}
	if len(sealed) > 0 && !gone {
		if err := unseal(app.person.aead, "application "+app.ID, sealed, app.Candidate); err != nil {
			return app, err
		}
	}
	overlay(app.Candidate, e.Candidate)
	// A new address makes another person of the candidate, as far as we know.
	// A person that was forgotten since begins anew.
	if e.State == ats.Erased || e.State == ats.Merged || !gone && e.Candidate.Email == "" {
		return app, nil
	}
	app.person, err = t.openPerson(ctx, d, e)
	return app, err
}

func (t *tx) beginApplication(ctx context.Context, d record.Delivery, e ats.Event) (application, error) {
	if e.State == ats.Merged {
		return application{}, nil
	}
	p, err := t.openPerson(ctx, d, e)
	if err != nil {
		return application{}, err
	}
	app := application{person: p, fresh: true, Application: record.Application{
		ID: t.s.newID(), Company: d.Company, Connection: d.Connection, Vendor: d.Vendor,
		ApplicationID: e.Application, CandidateID: e.Candidate.ID, PersonID: p.id, Candidate: &ats.Candidate{},
	}}
	overlay(app.Candidate, e.Candidate)
	return app, nil
}

// overlay puts the news of a candidate over what was known. What forbids
// writing stays: a payload without the mark does not take it back.
func overlay(known *ats.Candidate, news ats.Candidate) {
	for _, f := range []struct {
		dst *string
		src string
	}{
		{&known.ID, news.ID}, {&known.Kana, news.Kana}, {&known.Locale, news.Locale}, {&known.Type, news.Type},
	} {
		if f.src != "" {
			*f.dst = f.src
		}
	}
	if news.Name != "" || news.FamilyName != "" {
		known.Name, known.FamilyName, known.GivenName = news.Name, news.FamilyName, news.GivenName
	}
	if news.Email != "" {
		known.Email = news.Email
	}
	known.DoNotContact = known.DoNotContact || news.DoNotContact
	known.Private = known.Private || news.Private
	if news.Anonymized {
		*known = ats.Candidate{ID: known.ID, Anonymized: true}
	}
}

const applicationColumns = `id, company, connection, vendor, application_id, candidate_id, person_id, state, side, evidence, job_title, stage, stage_kind, locale, decision, state_at, updated_at`

func scanApplication(row scanner, more ...any) (record.Application, error) {
	var a record.Application
	var at, updated int64
	err := row.Scan(append([]any{
		&a.ID, &a.Company, &a.Connection, &a.Vendor, &a.ApplicationID, &a.CandidateID, &a.PersonID, &a.State, &a.Side, &a.Evidence,
		&a.JobTitle, &a.Stage, &a.StageKind, &a.Locale, &a.Decision, &at, &updated,
	}, more...)...)
	a.StateAt, a.UpdatedAt = clockTime(at), clockTime(updated)
	return a, err
}

func (t *tx) lockApplication(ctx context.Context, d record.Delivery, application string) (record.Application, []byte, error) {
	var sealed []byte
	a, err := scanApplication(t.QueryRowContext(ctx, `SELECT `+applicationColumns+`, sealed FROM applications WHERE company = $1 AND connection = $2 AND application_id = $3`+t.forUpdate(),
		d.Company, d.Connection, application), &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return record.Application{}, nil, ats.Errorf(ats.NotFound, "no such application")
	}
	return a, sealed, err
}

// insertApplication keeps a new application with what e says of it, unless e
// says nothing that counts.
func (t *tx) insertApplication(ctx context.Context, app application, e ats.Event, r record.Ruling) error {
	if r.Stale {
		e, r = ats.Event{Candidate: e.Candidate}, record.Ruling{}
	}
	sealed, err := sealCandidate(app, e)
	if err != nil {
		return err
	}
	n, err := t.exec(ctx, `
		INSERT INTO applications (id, company, connection, vendor, application_id, candidate_id, person_id, state, side, evidence,
			job_id, job_title, department, stage, stage_kind, source, locale, decision, state_at, created_at, updated_at, sealed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20, $21)
		ON CONFLICT (application_id, connection, company) DO NOTHING`,
		app.ID, app.Company, app.Connection, app.Vendor, app.ApplicationID, app.CandidateID, app.PersonID, string(e.State), string(e.Side), e.Evidence,
		e.Job.ID, e.Job.Title, e.Job.Department, e.Stage, string(e.StageKind), e.Source, e.Candidate.Locale, r.Code, micros(e.At), micros(t.s.Now()), sealed)
	if err == nil && n == 0 {
		return errRaced
	}
	return err
}

// sealCandidate encrypts what is known of the candidate; nothing is kept of an
// erased one.
func sealCandidate(app application, e ats.Event) ([]byte, error) {
	if e.State == ats.Erased {
		return nil, nil
	}
	return seal(app.person.aead, "application "+app.ID, e.Candidate)
}

// moveApplication sets the application's state and facts to those of e.
func (t *tx) moveApplication(ctx context.Context, app application, e ats.Event, r record.Ruling) error {
	now := micros(t.s.Now())
	switch {
	case e.State == ats.Merged:
		if e.Into == "" {
			return nil
		}
		_, err := t.exec(ctx, `UPDATE applications SET candidate_id = $1, updated_at = $2 WHERE id = $3`, e.Into, now, app.ID)
		return err
	case e.State == ats.Closed && (app.State == ats.Hired || app.State == ats.Withdrawn):
		return nil // a position that closes does not change how this application ended
	}
	sealed, err := sealCandidate(app, e)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `
		UPDATE applications SET state = $1, side = $2, evidence = $3, state_at = $4, decision = $5, updated_at = $6, person_id = $7, sealed = $8,
			candidate_id = CASE WHEN $9 = '' THEN candidate_id ELSE $9 END, job_id = CASE WHEN $10 = '' THEN job_id ELSE $10 END,
			job_title = CASE WHEN $11 = '' THEN job_title ELSE $11 END, department = CASE WHEN $12 = '' THEN department ELSE $12 END,
			stage = CASE WHEN $13 = '' THEN stage ELSE $13 END, stage_kind = CASE WHEN $14 = '' THEN stage_kind ELSE $14 END,
			source = CASE WHEN $15 = '' THEN source ELSE $15 END, locale = CASE WHEN $16 = '' THEN locale ELSE $16 END
		WHERE id = $17`,
		string(e.State), string(e.Side), e.Evidence, micros(e.At), r.Code, now, app.person.id, sealed,
		e.Candidate.ID, e.Job.ID, e.Job.Title, e.Job.Department, e.Stage, string(e.StageKind), e.Source, e.Candidate.Locale, app.ID)
	return err
}

// eraseApplication destroys what the ATS told us about the candidate: the
// sealed columns, the mails' content and the raw deliveries. The person's data
// key goes too, unless something else of the person stays.
func (t *tx) eraseApplication(ctx context.Context, app record.Application) error {
	if _, err := t.exec(ctx, `UPDATE links SET revoked_at = $1 WHERE application = $2 AND kind = 'relay' AND revoked_at = 0`, micros(t.s.Now()), app.ID); err != nil {
		return err
	}
	for _, statement := range []string{
		`DELETE FROM deliveries WHERE id IN (SELECT delivery FROM events WHERE application = $1 AND state <> 'erased')`,
		`UPDATE events SET evidence = '', status = '', reason = '' WHERE application = $1`,
		`UPDATE mails SET sealed = NULL WHERE application = $1`,
		`UPDATE applications SET sealed = NULL, evidence = '' WHERE id = $1`,
	} {
		if _, err := t.exec(ctx, statement, app.ID); err != nil {
			return err
		}
	}
	return t.forget(ctx, app.PersonID)
}
