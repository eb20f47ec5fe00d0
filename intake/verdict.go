package intake

// A Verdict is what becomes of a row when its file is imported.
type Verdict string

// The verdicts.
const (
	RowMail      Verdict = "mail"          // a mail is written and waits for its release
	RowHeld      Verdict = "held"          // the same, and a person must look at it
	RowWithdrawn Verdict = "withdrawn"     // kept, no mail
	RowHired     Verdict = "hired"         // kept, no mail
	RowClosed    Verdict = "closed"        // kept, no mail
	RowReopened  Verdict = "reopened"      // kept: a mail that waits is taken back
	RowNoAddress Verdict = "no_address"    // kept; its mail waits for an address
	RowExcluded  Verdict = "excluded"      // kept, no mail: agency, do not contact, suppressed, …
	RowUnknown   Verdict = "unknown_label" // kept and parked until the label is explained
	RowAmbiguous Verdict = "ambiguous"     // kept and parked until the label is explained
	RowUnread    Verdict = "unreadable"    // a value that no rule can read
	RowTooOld    Verdict = "too_old"       // left out
	RowKnown     Verdict = "known"         // left out: nothing new
	RowImported  Verdict = "imported"      // left out: the very same row came before
	RowDuplicate Verdict = "duplicate"     // left out: the same row stands above
	RowSame      Verdict = "same_person"   // left out: one person, one job, one mail
	RowConflict  Verdict = "conflict"      // left out: two rows of one application differ
	RowOngoing   Verdict = "ongoing"       // left out: not ended
	RowIgnored   Verdict = "ignored"       // left out: a duplicate, a test, nobody answered
	RowNote      Verdict = "no_data"       // left out: a heading, a total, a hidden row
)

// Verdicts lists the verdicts in the order of a summary, with what happens.
var Verdicts = []struct {
	Verdict Verdict
	Text    string // what happens
}{
	{RowMail, "a mail is written and waits for its release"},
	{RowHeld, "a mail is written; look at it before its release"},
	{RowWithdrawn, "kept; no mail"},
	{RowHired, "kept; no mail"},
	{RowClosed, "kept; no mail"},
	{RowReopened, "kept; a mail that waits is taken back"},
	{RowNoAddress, "kept; the mail waits for an address"},
	{RowExcluded, "kept; no mail"},
	{RowUnknown, "parked until the label is explained; no mail"},
	{RowAmbiguous, "parked until the label is explained; no mail"},
	{RowUnread, "cannot be read; no mail"},
	{RowTooOld, "left out: decided or applied for too long ago"},
	{RowKnown, "left out: nothing new"},
	{RowImported, "left out: imported before"},
	{RowDuplicate, "left out: stands above"},
	{RowSame, "left out: this person has a mail for this job"},
	{RowConflict, "left out: two rows of one application differ"},
	{RowOngoing, "left out: not ended"},
	{RowIgnored, "left out: no decision, or the person was told"},
	{RowNote, "left out: no row of data"},
}
