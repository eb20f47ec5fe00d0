package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/mapping"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// A verdict is what becomes of a row when its file is imported.
type verdict string

// The verdicts.
const (
	rowMail      verdict = "mail"          // a mail is written and waits for its release
	rowHeld      verdict = "held"          // the same, and a person must look at it
	rowWithdrawn verdict = "withdrawn"     // kept, no mail
	rowHired     verdict = "hired"         // kept, no mail
	rowClosed    verdict = "closed"        // kept, no mail
	rowReopened  verdict = "reopened"      // kept: a mail that waits is taken back
	rowNoAddress verdict = "no_address"    // kept; its mail waits for an address
	rowExcluded  verdict = "excluded"      // kept, no mail: agency, do not contact, suppressed, …
	rowUnknown   verdict = "unknown_label" // kept and parked until the label is explained
	rowAmbiguous verdict = "ambiguous"     // kept and parked until the label is explained
	rowUnread    verdict = "unreadable"    // a value that no rule can read
	rowTooOld    verdict = "too_old"       // left out
	rowKnown     verdict = "known"         // left out: nothing new
	rowImported  verdict = "imported"      // left out: the very same row came before
	rowDuplicate verdict = "duplicate"     // left out: the same row stands above
	rowSame      verdict = "same_person"   // left out: one person, one job, one mail
	rowConflict  verdict = "conflict"      // left out: two rows of one application differ
	rowOngoing   verdict = "ongoing"       // left out: not ended
	rowIgnored   verdict = "ignored"       // left out: a duplicate, a test, nobody answered
	rowNote      verdict = "no_data"       // left out: a heading, a total, a hidden row
)

// verdicts lists them in the order of a summary, with what happens.
var verdicts = []struct {
	verdict verdict
	text    string
}{
	{rowMail, "a mail is written and waits for its release"},
	{rowHeld, "a mail is written; look at it before its release"},
	{rowWithdrawn, "kept; no mail"},
	{rowHired, "kept; no mail"},
	{rowClosed, "kept; no mail"},
	{rowReopened, "kept; a mail that waits is taken back"},
	{rowNoAddress, "kept; the mail waits for an address"},
	{rowExcluded, "kept; no mail"},
	{rowUnknown, "parked until the label is explained; no mail"},
	{rowAmbiguous, "parked until the label is explained; no mail"},
	{rowUnread, "cannot be read; no mail"},
	{rowTooOld, "left out: decided or applied for too long ago"},
	{rowKnown, "left out: nothing new"},
	{rowImported, "left out: imported before"},
	{rowDuplicate, "left out: stands above"},
	{rowSame, "left out: this person has a mail for this job"},
	{rowConflict, "left out: two rows of one application differ"},
	{rowOngoing, "left out: not ended"},
	{rowIgnored, "left out: no decision, or the person was told"},
	{rowNote, "left out: no row of data"},
}

// A judged is a row with its verdict. Its personal data is masked unless it was
// asked for.
type judged struct {
	Row         int     `json:"row"`
	Application string  `json:"application_id,omitempty"`
	Name        string  `json:"name,omitempty"`
	Address     string  `json:"address,omitempty"`
	Verdict     verdict `json:"verdict"`
	Reason      string  `json:"reason,omitempty"`
	Column      string  `json:"column,omitempty"` // the cell that decided
	Label       string  `json:"label,omitempty"`

	keep    bool
	replay  bool // kept before, parked then, and understood now
	event   *ats.Event
	reading spec.Reading
	key     string
	payload connectors.Payload
}

// end sets the verdict of a row that is left out, take of one that is kept.
func (j *judged) end(v verdict, reason string) { j.Verdict, j.Reason = v, reason }

func (j *judged) take(v verdict, reason string) { j.Verdict, j.Reason, j.keep = v, reason, true }

const (
	// maxApplied is how long after the application a decision is taken for
	// bookkeeping: whole years of old applicants are set to rejected in one go.
	maxApplied = 365 * 24 * time.Hour
	// twinTime is how long one person gets one mail for one job, whatever the ids.
	twinTime = 30 * 24 * time.Hour
	// portion is how many rows are looked up and kept together.
	portion = 500
)

// A rowStore says what is known about rows.
type rowStore interface {
	KnownRows(ctx context.Context, company, connection string, rows []record.Row, since time.Time) ([]record.RowKnown, error)
}

// An intake judges the rows of one file as an import takes them in.
type intake struct {
	company    *configs.Company
	connection string
	conn       *spec.Tabular
	sheet      *table.Sheet
	db         rowStore
	old        bool // take in what was decided too long ago
	reveal     bool
	now        time.Time

	calendar sending.Calendar
	seen     map[string]sighting // by application
	twins    map[string]twin     // by person and job
}

// A twin is the row of a person and a job that has the mail.
type twin struct {
	row int
	at  time.Time
}

// A sighting is what the file says about one application.
type sighting struct {
	row     int // the first
	key     [16]byte
	differs bool // another row says something else
	ended   bool // a row says that it ended
}

// survey reads the file once to its end, so that what cannot be read is refused
// before anything is kept, and finds rows about the same application.
func (in *intake) survey(ctx context.Context) error {
	in.calendar = in.company.Calendar()
	in.seen, in.twins = map[string]sighting{}, map[string]twin{}
	for row, err := range in.sheet.Rows() {
		if aboutRow(err) || err == nil && row.Skip != "" {
			continue
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		r := in.conn.Of(row.Body)
		if r.ID == "" {
			continue
		}
		sum := keyOf(row.Payload(in.now))
		s, again := in.seen[r.ID]
		if !again {
			s = sighting{row: row.Number, key: [16]byte(sum[:])}
		}
		s.differs = s.differs || s.key != [16]byte(sum[:])
		s.ended = s.ended || r.Outcome != mapping.OutcomeOngoing && r.Outcome != mapping.OutcomeIgnored
		in.seen[r.ID] = s
	}
	return nil
}

// aboutRow reports whether err is about one row only.
func aboutRow(err error) bool {
	_, ok := errors.AsType[*table.RowError](err)
	return ok
}

// keyOf is equal for the same row of another file.
func keyOf(p connectors.Payload) [sha256.Size]byte { return sha256.Sum256(p.Body) }

// judge calls each with portions of the file's rows, in their order. It is
// called after survey.
func (in *intake) judge(ctx context.Context, each func([]judged) error) error {
	var rows []judged
	flush := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := in.settle(ctx, rows); err != nil {
			return err
		}
		err := each(rows)
		rows = rows[:0]
		return err
	}
	for row, err := range in.sheet.Rows() {
		if err != nil && !aboutRow(err) {
			return err
		}
		rows = append(rows, in.read(row, err))
		if len(rows) == portion {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// read judges a row by what the file says alone.
func (in *intake) read(row table.Row, err error) judged {
	j := judged{Row: row.Number}
	switch {
	case err != nil:
		j.end(rowUnread, strings.TrimLeft(strings.TrimPrefix(err.Error(), "row "+strconv.Itoa(row.Number)), ":, "))
		return j
	case row.Skip != "":
		j.end(rowNote, row.Skip)
		return j
	}
	j.reading, j.payload = in.conn.Of(row.Body), row.Payload(in.now)
	sum := keyOf(j.payload)
	j.key, j.Application, j.Column, j.Label = hex.EncodeToString(sum[:]), j.reading.ID, j.reading.Column, spec.ShortLabel(j.reading.Label)
	in.show(&j, row.Body)
	s := in.seen[j.Application]
	switch {
	case j.Application == "":
		j.end(rowUnread, "neither an application id nor an address that could be used")
	case s.differs && s.ended:
		j.end(rowConflict, "several rows are about this application and differ; the first is row "+strconv.Itoa(s.row))
	case s.row != row.Number && s.key == [16]byte(sum[:]):
		j.end(rowDuplicate, "the same as row "+strconv.Itoa(s.row))
	case row.Body.AlreadySent:
		j.end(rowIgnored, "the file says that the person was told")
	default:
		in.decode(&j)
	}
	return j
}

// show puts the person into a row as it may be seen.
func (in *intake) show(j *judged, b table.Body) {
	c := ats.Candidate{Name: b.FullName, FamilyName: b.FamilyName, GivenName: b.GivenName}
	j.Name, _ = ats.Greeting(c)
	for _, raw := range b.Email {
		if a, _ := ats.ParseEmail(raw); a != "" {
			j.Address = string(a)
			break
		}
	}
	if !in.reveal {
		j.Name, j.Address = maskedName(j.Name), maskedAddress(j.Address)
	}
}

// maskedName leaves the first letter, maskedAddress that and the domain.
func maskedName(name string) string {
	for _, r := range name {
		return string(r) + "…"
	}
	return ""
}

func maskedAddress(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok {
		return ""
	}
	return string([]rune(local)[:1]) + "…@" + domain
}

// decode asks the connection's rules what the row means.
func (in *intake) decode(j *judged) {
	events, err := in.conn.Decode(j.payload)
	switch {
	case err != nil && j.reading.Outcome == mapping.OutcomeUnknown:
		j.take(rowUnknown, err.Error())
	case err != nil && j.reading.Outcome == mapping.OutcomeAmbiguous:
		j.take(rowAmbiguous, err.Error())
	case err != nil:
		j.take(rowUnread, err.Error())
	case len(events) == 0:
		j.end(rowIgnored, "no decision about a person")
	default:
		j.event = &events[0]
	}
}

// settle judges rows by what is known here.
func (in *intake) settle(ctx context.Context, rows []judged) error {
	var asked []int
	var look []record.Row
	for i, j := range rows {
		if j.event == nil && !j.keep {
			continue
		}
		r := record.Row{Key: j.key, Application: j.Application}
		if j.event != nil {
			r.Email, r.Job = j.event.Candidate.Email, j.event.Job
		}
		asked, look = append(asked, i), append(look, r)
	}
	known, err := in.db.KnownRows(ctx, in.company.ID, in.connection, look, in.now.Add(-twinTime))
	if err != nil {
		return err
	}
	for n, i := range asked {
		in.compare(&rows[i], known[n])
	}
	return nil
}

// compare judges a row that means something, or that nobody understands.
func (in *intake) compare(j *judged, k record.RowKnown) {
	e := j.event
	switch {
	case k.Saved == record.Parked && e == nil:
		j.keep, j.Reason = false, "imported before and parked: "+j.Reason
	case k.Saved == record.Parked:
		j.keep, j.replay = false, true
		j.end(rowImported, "imported before and parked; it is understood now: replay it")
	case k.Saved != "":
		j.keep = false
		j.end(rowImported, "the same row was imported before")
	case e == nil: // nobody understands it
	case e.State == ats.Reopened:
		in.compareOngoing(j, k)
	case k.State == e.State:
		j.end(rowKnown, "known as "+string(k.State))
	default:
		in.decide(j, k)
	}
	if e != nil && e.State == ats.Rejected && (j.Verdict == rowImported || j.Verdict == rowKnown || j.Verdict == rowMail || j.Verdict == rowHeld) {
		in.twins[personAndJob(e)] = twin{j.Row, e.At}
	}
}

// compareOngoing lets a row that still runs open what had ended.
func (in *intake) compareOngoing(j *judged, k record.RowKnown) {
	if slices.Contains([]ats.State{ats.Rejected, ats.Withdrawn, ats.Closed}, k.State) {
		j.take(rowReopened, "known as "+string(k.State)+", and here it still runs")
		return
	}
	j.end(rowOngoing, "it has not ended")
}

// kept are the verdicts of what is kept without a mail.
var kept = map[ats.State]verdict{ats.Withdrawn: rowWithdrawn, ats.Hired: rowHired, ats.Closed: rowClosed}

// decide asks the rules that will decide about the mail.
func (in *intake) decide(j *judged, k record.RowKnown) {
	e := *j.event
	plan := sending.Decide(in.company.Sending, in.calendar, sending.Facts{
		Event: e, Previous: k.State, PreviousAt: k.StateAt, Cold: true, History: e.History, Now: in.now, Suppressed: k.Suppressed, Written: k.Written,
	})
	reason, other := sending.Words(plan.Code, "en"), in.twins[personAndJob(&e)]
	age, applied := in.now.Sub(e.At), in.now.Sub(j.reading.Applied)
	switch {
	case plan.Stale:
		j.end(rowKnown, reason)
	case !j.reading.Applied.IsZero() && applied > maxApplied && (e.State == ats.Rejected || k.State == ""):
		j.end(rowTooOld, fmt.Sprintf("applied %d days ago, more than %s: taken for bookkeeping", days(applied), ats.Duration(maxApplied)))
	case age > in.company.Sending.MaxAge.Std() && k.State == "" && !in.old:
		j.end(rowTooOld, fmt.Sprintf("decided %d days ago, more than %s; --include-old takes it in", days(age), in.company.Sending.MaxAge))
	case e.State != ats.Rejected:
		j.take(cmp.Or(kept[e.State], rowExcluded), reason)
	case plan.Action == sending.Hold && e.Candidate.Email == "":
		j.take(rowNoAddress, noAddress(e))
	case plan.Action == sending.None:
		j.take(rowExcluded, reason)
	case other.row != 0 && e.At.Sub(other.at).Abs() <= twinTime:
		j.end(rowSame, "the same person and job as row "+strconv.Itoa(other.row))
	case k.Twin != "":
		j.end(rowSame, "the same person and job as the application "+k.Twin)
	default:
		in.hold(j, plan)
	}
}

// hold tells a mail that only waits for its release from one at which a person
// must look.
func (in *intake) hold(j *judged, plan sending.Plan) {
	for _, c := range plan.Checks {
		if !c.OK && c.Code != sending.CodeCold {
			j.take(rowHeld, sending.Words(c.Code, "en"))
			return
		}
	}
	reason := ""
	if j.event.Clock == ats.ReceivedClock {
		reason = "the file has no time of the decision; that of the import counts"
	}
	j.take(rowMail, reason)
}

func days(d time.Duration) int { return int(d.Hours() / 24) }

// noAddress says what is wrong with an address.
func noAddress(e ats.Event) string {
	switch {
	case slices.Contains(e.Problems, ats.EmailInvalid):
		return "the address is none"
	case slices.Contains(e.Problems, ats.EmailSeveral):
		return "several addresses in one cell"
	}
	return "there is no address"
}

func personAndJob(e *ats.Event) string {
	return strings.ToLower(string(e.Candidate.Email)) + "\n" + cmp.Or(e.Job.ID, e.Job.Title)
}
