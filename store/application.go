package store

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
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
			if err := t.accept(ctx, d, e, acceptance{lim, busiest, decide, &done}); err != nil {
				return fmt.Errorf("accepting an event of delivery %s: %w", d.ID, err)
			}
		}
		disposition, reason := record.Decoded, ""
		if len(events) == 0 || done.Events+done.Repeated == 0 {
			disposition, reason = record.Ignored, "nothing in it concerns us"
		}
		if err := t.settleDelivery(ctx, d.ID, disposition, reason); err != nil {
			return err
		}
		return t.finishJob(ctx, j, record.Outcome{State: record.JobDone})
	})
	return done, err
}

type acceptance struct {
	limits  record.Limits
	busiest int
	decide  record.Decider
	done    *record.Accepted
}

func (t *tx) accept(ctx context.Context, d record.Delivery, e ats.Event, a acceptance) error {
	if e.Person() {
		return t.acceptPerson(ctx, d, e, a)
	}
	key := effectKey(d, e.Application, e)
	if known, err := t.knowsEffect(ctx, key); err != nil || known {
		a.done.Repeated += int(flag(known))
		return err
	}
	app, person, err := t.openApplication(ctx, d, e)
	if err != nil {
		return err
	}
	k, err := t.known(ctx, app, person, a)
	if err != nil {
		return err
	}
	e.Candidate = k.Candidate
	r, err := a.decide(e, k)
	if err != nil {
		return err
	}
	a.done.Events++
	a.done.Codes = append(a.done.Codes, r.Code)
	if err := t.insertEvent(ctx, d, app.ID, key, e, r); err != nil {
		return err
	}
	if r.Stale {
		return nil
	}
	if err := t.moveApplication(ctx, app, person, e, r); err != nil {
		return err
	}
	return t.follow(ctx, d, app, person, e, r, a.done)
}

// follow does what a ruling says.
func (t *tx) follow(ctx context.Context, d record.Delivery, app record.Application, p person, e ats.Event, r record.Ruling, done *record.Accepted) error {
	if r.Cancel {
		if err := t.cancelMails(ctx, app.ID, r.Code); err != nil {
			return err
		}
	}
	if e.State == ats.Erased {
		return t.eraseApplication(ctx, app)
	}
	if r.Mail == nil {
		return nil
	}
	planned, err := t.planMail(ctx, plan{
		company: d.Company, application: app.ID, person: p, purpose: mail.ThankYou, message: *r.Mail,
		due: r.Due, decided: e.At, stopped: r.Action == "hold", reason: r.Code, links: r.Links,
	})
	if err != nil || !planned {
		return err
	}
	done.Planned++
	done.Stopped += int(flag(r.Action == "hold"))
	if r.StopAll {
		return t.brakeVolume(ctx, d.Company)
	}
	return nil
}

// effectKey names a fact, whichever delivery brings it.
func effectKey(d record.Delivery, application string, e ats.Event) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%s\x00%s\x00%d", d.Company, d.Connection, application, e.Candidate.ID, e.State, e.Side, micros(e.At)))
	if e.Clock == ats.ReceivedClock {
		// Without a time of its own the fact is as unique as its delivery.
		sum = sha256.Sum256(fmt.Appendf(sum[:0], "%s\x00%s\x00%s", d.ID, application, e.State))
	}
	return hex.EncodeToString(sum[:16])
}

func (t *tx) knowsEffect(ctx context.Context, key string) (bool, error) {
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM events WHERE effect_key = $1`, key).Scan(&n)
	return n > 0, err
}

// A person is a row of people with the cipher of its data key.
type person struct {
	id   string
	aead cipher.AEAD
}

// openApplication finds or makes the application of e, locked, and its person.
func (t *tx) openApplication(ctx context.Context, d record.Delivery, e ats.Event) (record.Application, person, error) {
	app, sealed, err := t.lockApplication(ctx, d, e.Application)
	if err != nil && ats.FaultOf(err) != ats.NotFound {
		return app, person{}, err
	}
	isNew := err != nil
	if !isNew && app.State == ats.Erased {
		return app, person{}, nil
	}
	var p person
	if isNew || e.Candidate.Email != "" {
		if p, err = t.openPerson(ctx, d, e); err != nil {
			return app, p, err
		}
	} else {
		p.id = app.PersonID
		if p.aead, err = t.s.readPersonKey(ctx, t, p.id); err != nil {
			return app, p, err
		}
	}
	if isNew {
		if err := t.insertApplication(ctx, d, e, p); err != nil {
			return app, p, err
		}
		app, sealed, err = t.lockApplication(ctx, d, e.Application)
		if err != nil {
			return app, p, err
		}
	}
	app.Candidate = &ats.Candidate{}
	if len(sealed) > 0 && app.PersonID == p.id {
		if err := unseal(p.aead, "application "+app.ID, sealed, app.Candidate); err != nil {
			return app, p, err
		}
	}
	overlay(app.Candidate, e.Candidate)
	return app, p, nil
}

// overlay puts the news of a candidate over what was known.
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
	known.DoNotContact = news.DoNotContact
	known.Private = news.Private
	if news.Anonymized {
		*known = ats.Candidate{ID: known.ID, Anonymized: true}
	}
}

func (t *tx) openPerson(ctx context.Context, d record.Delivery, e ats.Event) (person, error) {
	ref := t.s.addressRef(d.Company, e.Candidate.Email)
	if ref == nil {
		id := e.Candidate.ID
		if id == "" {
			id = "application " + e.Application
		}
		ref = t.s.hash("candidate", d.Company, d.Connection+"/"+id)
	}
	id := t.s.newID()
	_, err := t.exec(ctx, `INSERT INTO people (id, company, person_ref, name_index, wrapped_key, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		id, d.Company, ref, t.s.nameIndex(d.Company, e.Candidate.Name), t.s.keys.wrap(randomKey(), "person "+id), micros(t.s.Now()))
	if err != nil {
		return person{}, err
	}
	var p person
	var wrapped []byte
	err = t.QueryRowContext(ctx, `SELECT id, wrapped_key FROM people WHERE company = $1 AND person_ref = $2`, d.Company, ref).Scan(&p.id, &wrapped)
	if err != nil {
		return p, err
	}
	p.aead, err = t.s.personKey(p.id, wrapped)
	return p, err
}

const applicationColumns = `id, company, connection, vendor, application_id, candidate_id, person_id, state, side, evidence, job_title, stage, stage_kind, locale, decision, state_at, updated_at`

func scanApplication(row scanner, more ...any) (record.Application, error) {
	var a record.Application
	var at, updated int64
	err := row.Scan(append([]any{&a.ID, &a.Company, &a.Connection, &a.Vendor, &a.ApplicationID, &a.CandidateID, &a.PersonID, &a.State, &a.Side, &a.Evidence,
		&a.JobTitle, &a.Stage, &a.StageKind, &a.Locale, &a.Decision, &at, &updated}, more...)...)
	a.StateAt, a.UpdatedAt = clockTime(at), clockTime(updated)
	return a, err
}

func (t *tx) lockApplication(ctx context.Context, d record.Delivery, application string) (record.Application, []byte, error) {
	var sealed []byte
	a, err := scanApplication(t.QueryRowContext(ctx, `SELECT `+applicationColumns+`, sealed FROM applications WHERE company = $1 AND connection = $2 AND application_id = $3`+t.forUpdate(),
		d.Company, d.Connection, application), &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return a, nil, ats.Errorf(ats.NotFound, "no such application")
	}
	return a, sealed, err
}

func (t *tx) insertApplication(ctx context.Context, d record.Delivery, e ats.Event, p person) error {
	now := micros(t.s.Now())
	_, err := t.exec(ctx, `
		INSERT INTO applications (id, company, connection, vendor, application_id, candidate_id, person_id, state, side, evidence,
			job_id, job_title, department, stage, stage_kind, source, locale, decision, state_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '', '', '', '', '', '', '', '', '', '', '', 0, $8, $8) ON CONFLICT DO NOTHING`,
		t.s.newID(), d.Company, d.Connection, d.Vendor, e.Application, e.Candidate.ID, p.id, now)
	return err
}

func (t *tx) known(ctx context.Context, app record.Application, p person, a acceptance) (record.Known, error) {
	k := record.Known{Previous: app.State, PreviousAt: app.StateAt, BusiestDay: a.busiest}
	if app.Candidate != nil {
		k.Candidate = *app.Candidate
	}
	if p.id == "" { // erased: nothing more to know
		return k, nil
	}
	var err error
	if k.Suppressed, k.NoOffers, err = t.suppressed(ctx, app.Company, t.s.addressRef(app.Company, k.Candidate.Email)); err != nil {
		return k, err
	}
	var written int
	err = t.QueryRowContext(ctx, `SELECT count(*) FROM mails WHERE company = $1 AND application = $2 AND purpose = $3 AND state IN ('sending', 'sent', 'unclear', 'failed')`,
		app.Company, app.ID, string(mail.ThankYou)).Scan(&written)
	if err != nil {
		return k, err
	}
	k.Written = written > 0
	now := t.s.Now()
	if k.LastHour, err = t.planned(ctx, app.Company, now.Add(-time.Hour), a.limits.Hour); err != nil {
		return k, err
	}
	k.LastDay, err = t.planned(ctx, app.Company, now.Add(-24*time.Hour), a.limits.Day)
	return k, err
}

// planned counts the company's thank-you mails planned since, up to limit.
func (t *tx) planned(ctx context.Context, company string, since time.Time, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM mails WHERE company = $1 AND purpose = $2 AND created_at >= $3 LIMIT $4) AS m`,
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
	err := s.read.QueryRowContext(ctx, `SELECT max(n) FROM (SELECT count(*) AS n FROM mails WHERE company = $1 AND purpose = $2 AND created_at >= $3 AND created_at < $4 GROUP BY created_at / $5) AS d`,
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

func (t *tx) insertEvent(ctx context.Context, d record.Delivery, app, key string, e ats.Event, r record.Ruling) error {
	checks, err := json.Marshal(r.Checks)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `
		INSERT INTO events (id, delivery, company, application, state, side, evidence, clock, status, reason, stale, action, code, checks, effect_key, occurred_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		t.s.newID(), d.ID, d.Company, app, string(e.State), string(e.Side), e.Evidence, string(e.Clock), e.Status, e.Reason, flag(r.Stale), r.Action, r.Code,
		string(checks), key, micros(e.At), micros(t.s.Now()))
	return err
}

// moveApplication sets the application's state and facts to those of e.
func (t *tx) moveApplication(ctx context.Context, app record.Application, p person, e ats.Event, r record.Ruling) error {
	if e.State == ats.Merged {
		_, err := t.exec(ctx, `UPDATE applications SET candidate_id = $1, updated_at = $2 WHERE id = $3`, e.Into, micros(t.s.Now()), app.ID)
		return err
	}
	var sealed []byte
	if p.aead != nil {
		var err error
		if sealed, err = seal(p.aead, "application "+app.ID, e.Candidate); err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, `
		UPDATE applications SET state = $1, side = $2, evidence = $3, state_at = $4, decision = $5, updated_at = $6, sealed = $7,
			candidate_id = CASE WHEN $8 = '' THEN candidate_id ELSE $8 END, job_id = CASE WHEN $9 = '' THEN job_id ELSE $9 END,
			job_title = CASE WHEN $10 = '' THEN job_title ELSE $10 END, department = CASE WHEN $11 = '' THEN department ELSE $11 END,
			stage = CASE WHEN $12 = '' THEN stage ELSE $12 END, stage_kind = CASE WHEN $13 = '' THEN stage_kind ELSE $13 END,
			source = CASE WHEN $14 = '' THEN source ELSE $14 END, locale = CASE WHEN $15 = '' THEN locale ELSE $15 END,
			person_id = CASE WHEN $16 = '' THEN person_id ELSE $16 END
		WHERE id = $17`,
		string(e.State), string(e.Side), e.Evidence, micros(e.At), r.Code, micros(t.s.Now()), sealed,
		e.Candidate.ID, e.Job.ID, e.Job.Title, e.Job.Department, e.Stage, string(e.StageKind), e.Source, e.Candidate.Locale, p.id, app.ID)
	return err
}

// acceptPerson applies an event about a whole person to each application.
func (t *tx) acceptPerson(ctx context.Context, d record.Delivery, e ats.Event, a acceptance) error {
	apps, err := t.applicationsOf(ctx, d, e)
	if err != nil {
		return err
	}
	for _, id := range apps {
		one := e
		one.Application = id
		if err := t.accept(ctx, d, one, a); err != nil {
			return err
		}
	}
	return nil
}

// applicationsOf lists the vendor's ids of a person's applications here.
func (t *tx) applicationsOf(ctx context.Context, d record.Delivery, e ats.Event) ([]string, error) {
	rows, err := t.QueryContext(ctx, `SELECT application_id FROM applications WHERE company = $1 AND connection = $2 AND candidate_id = $3 ORDER BY id`, d.Company, d.Connection, e.Candidate.ID)
	if err != nil {
		return nil, err
	}
	var ids []string
	seen := map[string]bool{}
	err = scan(rows, func() error {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids, seen[id] = append(ids, id), true
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range e.Also {
		var n int
		if err := t.QueryRowContext(ctx, `SELECT count(*) FROM applications WHERE company = $1 AND connection = $2 AND application_id = $3`, d.Company, d.Connection, id).Scan(&n); err != nil {
			return nil, err
		}
		if n > 0 && !seen[id] {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// eraseApplication destroys what the ATS told us about the candidate: the
// sealed columns, the mails' content and the raw deliveries. The person's data
// key goes too, unless the person registered with us by an own decision.
func (t *tx) eraseApplication(ctx context.Context, app record.Application) error {
	for _, statement := range []string{
		`DELETE FROM deliveries WHERE id IN (SELECT delivery FROM events WHERE application = $1 AND state <> 'erased')`,
		`UPDATE events SET evidence = '', status = '', reason = '' WHERE application = $1`,
		`UPDATE mails SET sealed = NULL WHERE application = $1`,
		`UPDATE links SET revoked_at = created_at WHERE application = $1 AND kind = 'relay' AND revoked_at = 0`,
		`UPDATE applications SET sealed = NULL, evidence = '' WHERE id = $1`,
	} {
		if _, err := t.exec(ctx, statement, app.ID); err != nil {
			return err
		}
	}
	var others int
	err := t.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM applications WHERE person_id = $1 AND state <> 'erased') +
			(SELECT count(*) FROM registrations WHERE person_id = $1 AND state IN ('pending', 'confirmed'))`, app.PersonID).Scan(&others)
	if err != nil || others > 0 {
		return err
	}
	return t.destroyKey(ctx, app.PersonID)
}

func (t *tx) destroyKey(ctx context.Context, person string) error {
	_, err := t.exec(ctx, `UPDATE people SET wrapped_key = NULL, person_ref = NULL, name_index = NULL, erased_at = $1 WHERE id = $2`, micros(t.s.Now()), person)
	return err
}
