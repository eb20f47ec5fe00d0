// Package intake takes exported files in: it judges every row by the rules that
// will decide about its mail, and keeps those that mean something.
package intake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
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

// A Judged is a row with its verdict. Its personal data is masked unless it was
// asked for.
type Judged struct {
	Row         int     `json:"row"`
	Application string  `json:"application_id,omitempty"`
	Name        string  `json:"name,omitempty"`
	Address     string  `json:"address,omitempty"`
	Verdict     Verdict `json:"verdict"`
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
func (j *Judged) end(v Verdict, reason string) { j.Verdict, j.Reason = v, reason }

func (j *Judged) take(v Verdict, reason string) { j.Verdict, j.Reason, j.keep = v, reason, true }

const (
	// maxApplied is how long after the application a decision is taken for
	// bookkeeping: whole years of old applicants are set to rejected in one go.
	maxApplied = 365 * 24 * time.Hour
	// twinTime is how long one person gets one mail for one job, whatever the ids.
	twinTime = 30 * 24 * time.Hour
	// Portion is how many rows are looked up and kept together.
	Portion = 500
)

// A Store says what is known about rows, and keeps them.
type Store interface {
	KnownRows(ctx context.Context, company, connection string, rows []record.Row, since time.Time) ([]record.RowKnown, error)
	RunningImport(ctx context.Context, i record.Import) (batch string, err error)
	StartImport(ctx context.Context, i record.Import) (batch string, err error)
	SaveRows(ctx context.Context, batch string, rows []record.Arrival) (saved int, err error)
	EndImport(ctx context.Context, batch string, rows int) error
}

// An Intake takes the rows of one file in. Open opens it; then one of Judge and
// Keep goes through it.
type Intake struct {
	Company    *configs.Company
	Connection string
	Vendor     string // of the connection
	Conn       *spec.Tabular
	Store      Store
	Old        bool   // take in what was decided too long ago
	Reveal     bool   // leave names and addresses as they are
	Lang       string // of the reasons: en (default) or ja
	Now        time.Time

	// Open sets these.
	Sheet *table.Sheet
	Hash  string // names the content of the file

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

// Open finds out what a file is, and names its content. sheet names the sheet of
// a workbook in place of the one in the settings.
func (in *Intake) Open(file io.ReadSeeker, sheet string) (err error) {
	if in.Sheet, err = in.Conn.Open(file, sheet); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err = file.Seek(0, io.SeekStart); err == nil {
		_, err = io.Copy(sum, file)
	}
	if err != nil {
		return ats.Errorf(ats.Busy, "reading the file: %w", err)
	}
	in.Hash = hex.EncodeToString(sum.Sum(nil)[:8])
	return nil
}

// survey reads the file once to its end, so that what cannot be read is refused
// before anything is kept, and finds rows about the same application.
func (in *Intake) survey(ctx context.Context) error {
	in.calendar = in.Company.Calendar()
	in.seen, in.twins = map[string]sighting{}, map[string]twin{}
	for row, err := range in.Sheet.Rows() {
		if aboutRow(err) || err == nil && row.Skip != "" {
			continue
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		row.Body = in.Conn.Explain(row.Body)
		r := in.Conn.Of(row.Body)
		if r.ID == "" {
			continue
		}
		sum := keyOf(row.Payload(in.Now))
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

// Columns tells which headers of the file mean something, and what, and which
// are not used.
func (in *Intake) Columns() (known map[string]string, unused []string) {
	known, unused = map[string]string{}, []string{}
	for _, c := range in.Sheet.Columns {
		switch {
		case c.Name != "":
			known[c.Header] = c.Name
		case c.Header != "":
			unused = append(unused, c.Header)
		}
	}
	return known, unused
}

// Judge calls each with portions of the file's rows, in their order, and changes
// nothing. The rows are each's only until it returns.
func (in *Intake) Judge(ctx context.Context, each func([]Judged) error) error {
	if err := in.survey(ctx); err != nil {
		return err
	}
	return in.judge(ctx, each)
}

// judge is called after survey.
func (in *Intake) judge(ctx context.Context, each func([]Judged) error) error {
	var rows []Judged
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
	for row, err := range in.Sheet.Rows() {
		if err != nil && !aboutRow(err) {
			return err
		}
		rows = append(rows, in.read(row, err))
		if len(rows) == Portion {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// read judges a row by what the file says alone.
func (in *Intake) read(row table.Row, err error) Judged {
	j := Judged{Row: row.Number}
	switch {
	case err != nil:
		j.end(RowUnread, strings.TrimLeft(strings.TrimPrefix(err.Error(), "row "+strconv.Itoa(row.Number)), ":, "))
		return j
	case row.Skip != "":
		j.end(RowNote, row.Skip)
		return j
	}
	row.Body = in.Conn.Explain(row.Body)
	j.reading, j.payload = in.Conn.Of(row.Body), row.Payload(in.Now)
	sum := keyOf(j.payload)
	j.key, j.Application, j.Column, j.Label = hex.EncodeToString(sum[:]), j.reading.ID, j.reading.Column, spec.ShortLabel(j.reading.Label)
	in.show(&j, row.Body)
	s := in.seen[j.Application]
	switch {
	case j.Application == "":
		j.end(RowUnread, in.say("no_id"))
	case s.differs && s.ended:
		j.end(RowConflict, in.say("conflict", s.row))
	case s.row != row.Number && s.key == [16]byte(sum[:]):
		j.end(RowDuplicate, in.say("duplicate", s.row))
	case row.Body.AlreadySent:
		j.end(RowIgnored, in.say("told"))
	default:
		in.decode(&j)
	}
	return j
}

// show puts the person into a row as it may be seen.
func (in *Intake) show(j *Judged, b table.Body) {
	c := ats.Candidate{Name: b.FullName, FamilyName: b.FamilyName, GivenName: b.GivenName}
	j.Name, _ = ats.Greeting(c)
	for _, raw := range b.Email {
		if a, _ := ats.ParseEmail(raw); a != "" {
			j.Address = string(a)
			break
		}
	}
	if !in.Reveal {
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
func (in *Intake) decode(j *Judged) {
	events, err := in.Conn.Decode(j.payload)
	switch {
	case err != nil && j.reading.Outcome == mapping.OutcomeUnknown:
		j.take(RowUnknown, in.unexplained("label_unknown", err))
	case err != nil && j.reading.Outcome == mapping.OutcomeAmbiguous:
		j.take(RowAmbiguous, in.unexplained("label_doubtful", err))
	case err != nil:
		j.take(RowUnread, err.Error())
	case len(events) == 0:
		j.end(RowIgnored, in.say("no_decision"))
	default:
		j.event = &events[0]
	}
}

// settle judges rows by what is known here.
func (in *Intake) settle(ctx context.Context, rows []Judged) error {
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
	known, err := in.Store.KnownRows(ctx, in.Company.ID, in.Connection, look, in.Now.Add(-twinTime))
	if err != nil {
		return err
	}
	for n, i := range asked {
		in.compare(&rows[i], known[n])
	}
	return nil
}

// compare judges a row that means something, or that nobody understands.
func (in *Intake) compare(j *Judged, k record.RowKnown) {
	e := j.event
	switch {
	case k.Saved == record.Parked && e == nil:
		j.keep, j.Reason = false, in.say("parked_before", j.Reason)
	case k.Saved == record.Parked:
		j.keep, j.replay = false, true
		j.end(RowImported, in.say("replay"))
	case k.Saved != "":
		j.keep = false
		j.end(RowImported, in.say("imported"))
	case e == nil: // nobody understands it
	case e.State == ats.Reopened:
		in.compareOngoing(j, k)
	case k.State == e.State:
		j.end(RowKnown, in.say("known", in.state(k.State)))
	default:
		in.decide(j, k)
	}
	if e != nil && e.State == ats.Rejected && (j.Verdict == RowImported || j.Verdict == RowKnown || j.Verdict == RowMail || j.Verdict == RowHeld) {
		in.twins[personAndJob(e)] = twin{j.Row, e.At}
	}
}

// compareOngoing lets a row that still runs open what had ended.
func (in *Intake) compareOngoing(j *Judged, k record.RowKnown) {
	if slices.Contains([]ats.State{ats.Rejected, ats.Withdrawn, ats.Closed}, k.State) {
		j.take(RowReopened, in.say("reopened", in.state(k.State)))
		return
	}
	j.end(RowOngoing, in.say("ongoing"))
}

// kept are the verdicts of what is kept without a mail.
var kept = map[ats.State]Verdict{ats.Withdrawn: RowWithdrawn, ats.Hired: RowHired, ats.Closed: RowClosed}

// decide asks the rules that will decide about the mail.
func (in *Intake) decide(j *Judged, k record.RowKnown) {
	e := *j.event
	plan := sending.Decide(in.Company.Sending, in.calendar, sending.Facts{
		Event: e, Previous: k.State, PreviousAt: k.StateAt, Cold: true, History: e.History, Now: in.Now, Suppressed: k.Suppressed, Written: k.Written,
	})
	reason, other := sending.Words(plan.Code, in.language()), in.twins[personAndJob(&e)]
	age, applied := in.Now.Sub(e.At), in.Now.Sub(j.reading.Applied)
	switch {
	case plan.Stale:
		j.end(RowKnown, reason)
	case !j.reading.Applied.IsZero() && applied > maxApplied && (e.State == ats.Rejected || k.State == ""):
		j.end(RowTooOld, in.say("applied", days(applied), days(maxApplied)))
	case age > in.Company.Sending.MaxAge.Std() && k.State == "" && !in.Old:
		j.end(RowTooOld, in.say("decided", days(age), days(in.Company.Sending.MaxAge.Std())))
	case e.State != ats.Rejected:
		j.take(cmp.Or(kept[e.State], RowExcluded), reason)
	case plan.Action == sending.Hold && e.Candidate.Email == "":
		j.take(RowNoAddress, in.say(noAddress(e)))
	case plan.Action == sending.None:
		j.take(RowExcluded, reason)
	case other.row != 0 && e.At.Sub(other.at).Abs() <= twinTime:
		j.end(RowSame, in.say("twin_row", other.row))
	case k.Twin != "":
		j.end(RowSame, in.say("twin", k.Twin))
	default:
		in.hold(j, plan)
	}
}

// hold tells a mail that only waits for its release from one at which a person
// must look.
func (in *Intake) hold(j *Judged, plan sending.Plan) {
	for _, c := range plan.Checks {
		if !c.OK && c.Code != sending.CodeCold {
			j.take(RowHeld, sending.Words(c.Code, in.language()))
			return
		}
	}
	reason := ""
	if j.event.Clock == ats.ReceivedClock {
		reason = in.say("no_time")
	}
	j.take(RowMail, reason)
}

func days(d time.Duration) int { return int(d.Hours() / 24) }

// noAddress is the key of what is wrong with an address.
func noAddress(e ats.Event) string {
	switch {
	case slices.Contains(e.Problems, ats.EmailInvalid):
		return "no_email"
	case slices.Contains(e.Problems, ats.EmailSeveral):
		return "several_emails"
	}
	return "blank_email"
}

func personAndJob(e *ats.Event) string {
	return strings.ToLower(string(e.Candidate.Email)) + "\n" + cmp.Or(e.Job.ID, e.Job.Title)
}
