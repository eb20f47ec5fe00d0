package store

import (
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A clause collects conditions with their arguments. An empty value adds
// nothing.
type clause struct {
	conditions []string
	args       []any
	left       record.Filter // what of the filter narrowed nothing
}

func (c *clause) add(condition string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case int64:
		if v == 0 {
			return
		}
	case []byte:
		if v == nil {
			return
		}
	}
	c.args = append(c.args, value)
	c.conditions = append(c.conditions, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(c.args))))
}

func (c *clause) where() string {
	if len(c.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.conditions, " AND ")
}

// ids adds what an id or several narrow to.
func (c *clause) ids(column, list string) {
	one := strings.Split(list, ",")
	if len(one) == 1 {
		c.add(column+` = ?`, list)
		return
	}
	places := make([]string, len(one))
	for i, id := range one {
		c.args = append(c.args, strings.TrimSpace(id))
		places[i] = "$" + strconv.Itoa(len(c.args))
	}
	c.conditions = append(c.conditions, column+` IN (`+strings.Join(places, ",")+`)`)
}

// take returns what p points to and empties it.
func take[T any](p *T) T {
	v := *p
	*p = *new(T)
	return v
}

// part matches a piece of text, with the wildcards of LIKE taken literally. The
// case of letters does not count.
func part(column string) string { return `lower(` + column + `) LIKE lower(?) ESCAPE '\'` }

func piece(s string) string {
	if s == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) + "%"
}

// batched finds the subjects of a batch's jobs.
const batched = ` IN (SELECT j.subject FROM jobs j WHERE j.batch = ? AND j.batch <> '')`

// addressed finds the people who have an address or were written to there.
const addressed = ` IN (SELECT p.id FROM people p WHERE p.person_ref = ? UNION SELECT x.person_id FROM mails x WHERE x.address_ref = ?)`

// address takes the address of a filter. Its hash tells the company too, so the
// company need not narrow any more.
func (s *Store) address(f *record.Filter) []byte {
	if f.Email == "" {
		return nil
	}
	return s.addressRef(take(&f.Company), ats.Email(take(&f.Email)))
}

func (s *Store) deliveryClause(f record.Filter) clause {
	const told = `d.id IN (SELECT e.delivery FROM events e JOIN applications a ON a.id = e.application WHERE `
	var c clause
	c.add(told+`a.person_id`+addressed+`)`, s.address(&f))
	c.add(told+`a.application_id = ?)`, take(&f.Application))
	c.add(told+`a.person_id = ?)`, take(&f.Person))
	c.add(`d.id`+batched, take(&f.Batch))
	c.ids(`d.id`, take(&f.ID))
	c.add(`d.id < ?`, take(&f.After))
	c.add(`d.company = ?`, take(&f.Company))
	c.add(`d.connection = ?`, take(&f.Connection))
	c.add(`d.vendor = ?`, take(&f.Vendor))
	c.add(`d.disposition = ?`, take(&f.State))
	c.add(part(`d.reason`), piece(take(&f.Error)))
	c.add(`d.received_at >= ?`, micros(take(&f.Since)))
	c.add(`d.received_at < ?`, micros(take(&f.Until)))
	c.left = f
	return c
}

func (s *Store) applicationClause(f record.Filter) clause {
	var c clause
	c.add(`person_id`+addressed, s.address(&f))
	c.add(`id = ?`, take(&f.ID))
	c.add(`id < ?`, take(&f.After))
	c.add(`company = ?`, take(&f.Company))
	c.add(`connection = ?`, take(&f.Connection))
	c.add(`vendor = ?`, take(&f.Vendor))
	c.add(`state = ?`, take(&f.State))
	c.add(part(`decision`), piece(take(&f.Error)))
	c.add(`application_id = ?`, take(&f.Application))
	c.add(`person_id = ?`, take(&f.Person))
	c.add(`updated_at >= ?`, micros(take(&f.Since)))
	c.add(`updated_at < ?`, micros(take(&f.Until)))
	c.left = f
	return c
}

func (s *Store) mailClause(f record.Filter) clause {
	var c clause
	c.add(`m.id IN (SELECT x.id FROM mails x WHERE x.address_ref = ? UNION SELECT x.id FROM people p JOIN mails x ON x.person_id = p.id WHERE p.person_ref = ?)`, s.address(&f))
	c.add(`m.id IN (SELECT x.id FROM mails x WHERE x.batch = ? AND x.batch <> '' UNION SELECT j.subject FROM jobs j WHERE j.batch = ? AND j.batch <> '')`, take(&f.Batch))
	c.ids(`m.id`, take(&f.ID))
	switch after := take(&f.After); f.Order {
	case record.ByDue:
		c.add(`(m.due_at, m.id) > (SELECT p.due_at, p.id FROM mails p WHERE p.id = ?)`, after)
	default:
		c.add(`m.id < ?`, after)
	}
	c.add(`m.company = ?`, take(&f.Company))
	c.add(`m.purpose = ?`, take(&f.Purpose))
	switch state := take(&f.State); state {
	case "stopped": // a held mail that waits for a person
		c.add(`m.state = 'held' AND m.stopped = ?`, int64(1))
	default:
		c.add(`m.state = ?`, state)
	}
	c.add(part(`m.reason`), piece(take(&f.Error)))
	c.add(`a.application_id = ?`, take(&f.Application))
	c.add(`m.person_id = ?`, take(&f.Person))
	c.add(`a.connection = ?`, take(&f.Connection))
	c.add(`a.vendor = ?`, take(&f.Vendor))
	c.add(`m.created_at >= ?`, micros(take(&f.Since)))
	c.add(`m.created_at < ?`, micros(take(&f.Until)))
	c.left = f
	return c
}

// about finds the subjects of jobs that are about an application, a mail or a
// referral which fulfils a condition.
func about(application, mail, referral string) string {
	return `subject IN (
		SELECT e.delivery FROM events e JOIN applications a ON a.id = e.application WHERE a.` + application + `
		UNION SELECT m.id FROM mails m WHERE m.` + mail + `
		UNION SELECT r.id FROM referrals r WHERE r.` + referral + `)`
}

func (s *Store) jobClause(f record.Filter) clause {
	// A connection or a vendor has many jobs: each is looked at when its turn
	// comes, not all of them before.
	const through = `coalesce((SELECT d.# FROM deliveries d WHERE d.id = jobs.subject),
		(SELECT a.# FROM mails m JOIN applications a ON a.id = m.application WHERE m.id = jobs.subject)) = ?`
	var c clause
	c.add(about(`person_id`+addressed, `person_id`+addressed, `person_id`+addressed), s.address(&f))
	c.add(about(`application_id = ?`, `application IN (SELECT a.id FROM applications a WHERE a.application_id = ?)`, registered), take(&f.Application))
	c.add(about(`person_id = ?`, `person_id = ?`, `person_id = ?`), take(&f.Person))
	c.add(`batch = ? AND batch <> ''`, take(&f.Batch))
	c.ids(`id`, take(&f.ID))
	c.add(`id < ?`, take(&f.After))
	c.add(`company = ?`, take(&f.Company))
	c.add(`kind = ?`, take(&f.Kind))
	switch state := take(&f.State); state {
	case string(record.JobDead): // spelt out, it is the condition of an index
		c.conditions = append(c.conditions, `state = 'dead'`)
		c.add(`vendor = ?`, take(&f.Vendor)) // the dead have it themselves
	default:
		c.add(`state = ?`, state)
	}
	c.add(`fault = ?`, take(&f.Fault))
	c.add(`(`+part(`error`)+` OR `+part(`fault`)+`)`, piece(take(&f.Error)))
	if !f.Since.IsZero() { // ids sort by the time they were made, which is not before created_at
		c.add(`id >= ?`, firstID(f.Since))
	}
	c.add(`created_at >= ?`, micros(take(&f.Since)))
	c.add(`created_at < ?`, micros(take(&f.Until)))
	c.add(strings.ReplaceAll(through, "#", "vendor"), take(&f.Vendor))
	c.add(strings.ReplaceAll(through, "#", "connection"), take(&f.Connection))
	c.left = f
	return c
}

// registered finds the registrations that came from an application.
const registered = `registration IN (SELECT g.id FROM registrations g JOIN applications a ON a.id = g.application WHERE a.application_id = ?)`

func (s *Store) referralClause(f record.Filter) clause {
	var c clause
	c.add(`r.person_id`+addressed, s.address(&f))
	c.add(`r.`+registered, take(&f.Application))
	c.add(`r.id`+batched, take(&f.Batch))
	c.ids(`r.id`, take(&f.ID))
	c.add(`r.id < ?`, take(&f.After))
	c.add(`r.company = ?`, take(&f.Company))
	c.add(`r.recipient = ?`, take(&f.Recipient))
	c.add(`r.person_id = ?`, take(&f.Person))
	c.add(`r.state = ?`, take(&f.State))
	c.add(part(`r.reason`), piece(take(&f.Error)))
	c.add(`r.created_at >= ?`, micros(take(&f.Since)))
	c.add(`r.created_at < ?`, micros(take(&f.Until)))
	c.left = f
	return c
}

func (s *Store) consentClause(f record.Filter) clause {
	var c clause
	c.add(`c.person_id`+addressed, s.address(&f))
	c.add(`c.`+registered, take(&f.Application))
	c.add(`c.id = ?`, take(&f.ID))
	c.add(`c.id < ?`, take(&f.After))
	c.add(`c.company = ?`, take(&f.Company))
	c.add(`c.purpose = ?`, take(&f.Purpose))
	c.add(`c.person_id = ?`, take(&f.Person))
	switch f.State {
	case "given":
		c.add(`c.withdrawn_at < ?`, int64(1))
	case "withdrawn":
		c.add(`c.withdrawn_at >= ?`, int64(1))
	}
	c.add(`c.given_at >= ?`, micros(take(&f.Since)))
	c.add(`c.given_at < ?`, micros(take(&f.Until)))
	return c
}
