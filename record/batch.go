package record

import (
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"time"
)

// A Batch is one deed over many things.
type Batch struct {
	ID        string    `json:"id"`
	Verb      string    `json:"verb"`
	Noun      string    `json:"noun"`
	Filter    string    `json:"filter"`
	Company   string    `json:"company,omitempty"`
	Actor     string    `json:"actor"`
	Reason    string    `json:"reason"`
	State     string    `json:"state"`
	Note      string    `json:"note,omitempty"` // why it paused by itself
	Matched   int       `json:"matched"`
	Changed   int       `json:"changed"` // what was done, or handed to the workers
	Rate      int       `json:"rate,omitempty"`
	Halt      int       `json:"halt,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// The states of a batch that can be moved. Batches that were carried out at once
// are done or interrupted.
const (
	BatchRunning   = "running"
	BatchPaused    = "paused"
	BatchDone      = "done"
	BatchCancelled = "cancelled"
)

// MaxBatch is how many items one batch takes at most.
const MaxBatch = 1_000_000

// DefaultHalt is after how many failures a batch pauses by itself, unless its
// order says otherwise.
const DefaultHalt = 100

// A Rerun is an order that the workers carry out step by step as a batch: it
// goes on without whoever gave it. A rerun of a single thing needs no batch.
type Rerun struct {
	Order
	Verb string // "retry" or "replay"
	Noun string // "job", "delivery", "mail" or "referral"
	Rate int    // items handed over in a minute at most; 0 for no bound
	Halt int    // pause after so many failures; 0 for DefaultHalt
}

// A Term is what a company's configuration of today says about running
// something again.
type Term struct {
	MaxAge  time.Duration     // decisions older than this are not mailed
	Letters map[string]string // version of each letter
}

// Terms returns the term of a company, false when it is not configured.
type Terms func(company string) (Term, bool)

// Progress says how far a batch is.
type Progress struct {
	Waiting int            `json:"waiting"` // not looked at yet
	Skipped map[string]int `json:"skipped"` // left alone, by reason
	Jobs    map[string]int `json:"jobs"`    // handed over, by the state of their jobs
}

// A Result is what became of one item of a batch.
type Result struct {
	ID      string    `json:"id"`
	Company string    `json:"company,omitempty"`
	Job     string    `json:"job,omitempty"`
	Subject string    `json:"subject,omitempty"`
	State   string    `json:"state"` // waiting, skipped, cancelled, gone, or that of its job
	Reason  string    `json:"reason,omitempty"`
	Batch   string    `json:"batch,omitempty"` // a later batch that ran the job once more
	At      time.Time `json:"at,omitzero"`
}

// The states of an item beside those of its job.
const (
	ItemWaiting = "waiting"
	ItemStarted = "started"
	ItemSkipped = "skipped"
	ItemGone    = "gone" // its job was deleted since, with what it worked on
)

// Why an item is left alone. Other reasons are states of the thing.
const (
	SkipBusy       = "at work"
	SkipNew        = "not decoded yet: retry its job"
	SkipNewer      = "a newer job took its place"
	SkipRead       = "its delivery was read since"
	SkipSent       = "its mail was sent"
	SkipMeanwhile  = "changed meanwhile"
	SkipSuppressed = "the address takes no mail any more"
	SkipOld        = "the decision is older than the company allows"
	SkipPoison     = "poison: it died again and again; run it alone"
	SkipCompany    = "its company is not configured"
	SkipLetter     = "its letter was changed since it was written"
	SkipErased     = "its content was erased"
	SkipMoved      = "the application is not rejected any more"
	SkipGone       = "its delivery is gone"
	SkipVouch      = "braked: one person vouches for the mails, then a second one releases them"
	SkipSecond     = "you vouched for it: a second person releases it"
	SkipImporter   = "you imported more than 50: a second person releases them"
	SkipNotNow     = "stopped: release it first"
	SkipWrong      = "the signature does not fit"
)

// Alone is how many mails an import may plan for whoever ran it to release them
// too. Above that a second person does; it is the usual volume brake.
const Alone = 50

// The parts of a preview, in order.
const (
	PartRun        = "run"
	PartDone       = "done"
	PartSuppressed = "suppressed"
	PartOld        = "old"
	PartRefused    = "refused"
)

// Parts lists the parts of a preview in order.
var Parts = []string{PartRun, PartDone, PartSuppressed, PartOld, PartRefused}

var partOf = map[string]string{
	"": PartRun, SkipBusy: PartDone, SkipNew: PartDone, SkipNewer: PartDone, SkipRead: PartDone, SkipSent: PartDone, SkipMeanwhile: PartDone,
	string(JobDone): PartDone, string(MailSent): PartDone, string(ReferralHandedOver): PartDone, string(MailHeld): PartDone, string(ReferralWaiting): PartDone,
	string(MailSending): PartDone, SkipSuppressed: PartSuppressed, string(MailSuppressed): PartSuppressed, SkipOld: PartOld,
}

// PartOf returns the part of a preview that a reason belongs to.
func PartOf(reason string) string {
	if part, ok := partOf[reason]; ok {
		return part
	}
	return PartRefused
}

// ResultColumns are the heads of WriteResults.
var ResultColumns = []string{"id", "company", "job", "subject", "state", "reason", "batch", "at"}

// WriteResults writes results as rows of CSV.
func WriteResults(w *csv.Writer, results []Result) error {
	for _, r := range results {
		at := ""
		if !r.At.IsZero() {
			at = r.At.UTC().Format(time.RFC3339)
		}
		row := []string{r.ID, r.Company, r.Job, r.Subject, r.State, r.Reason, r.Batch, at}
		for i := range row {
			row[i] = inert(row[i])
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// NewResults begins a file of results, with the mark by which Excel knows UTF-8.
func NewResults(w io.Writer) (*csv.Writer, error) {
	if _, err := io.WriteString(w, "\uFEFF"); err != nil {
		return nil, err
	}
	c := csv.NewWriter(w)
	return c, c.Write(ResultColumns)
}

// inert keeps a spreadsheet from taking a text for a formula.
func inert(s string) string {
	bare := strings.TrimLeft(s, " \t\r\n\u00a0\u3000")
	if bare != "" && slices.Contains([]rune("=+-@＝＋－＠|%"), []rune(bare)[0]) || strings.ContainsAny(s[:min(len(s), 1)], "\t\r\n") {
		return "'" + s
	}
	return s
}

// A Grave is a group of dead jobs with the same class of error, vendor and kind.
type Grave struct {
	Fault  string    `json:"fault"`  // "unexpected" for an error without a class
	Vendor string    `json:"vendor"` // of referrals the recipient
	Kind   string    `json:"kind"`
	Count  int       `json:"count"`
	Poison int       `json:"poison"` // of them died again and again
	First  time.Time `json:"first_at"`
	Last   time.Time `json:"last_at"`
	Error  string    `json:"error"` // of one of them
}

// Unexpected is the class of an error that has none: our own mistake.
const Unexpected = "unexpected"

// Killer is the class of a job that took its worker down.
const Killer = "killer"

// A SecretUse says when a secret of a connection fitted, by its name in the
// company's file.
type SecretUse struct {
	Company    string    `json:"company"`
	Connection string    `json:"connection"`
	Secret     string    `json:"secret"`
	FirstAt    time.Time `json:"first_at"`
	LastAt     time.Time `json:"last_at"`
}
