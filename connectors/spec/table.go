package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/mapping"
)

// tableRules are what rows of exported files mean at every vendor. A vendor's
// own map and events go before them. Beside the document the expressions see
// .id, .outcome, .evidence and .status, which are made of several columns.
var tableRules = mapping.Spec{
	Map: map[string]string{
		"id":                       ".id",
		"at":                       ".body.ended_at",
		"sent_at":                  ".body.updated_at",
		"evidence":                 ".evidence",
		"status":                   ".status",
		"stage":                    ".body.stage",
		"source":                   ".body.channel",
		"agent":                    `.body | .agent_company != null or ([.channel, .channel_detail] | map(. // "") | any(test("人材紹介|職業紹介|紹介会社|^紹介$|エージェント|ヘッドハン|agent|jobmiru"; "i")))`,
		"consent":                  ".body.consent",
		"candidate.name":           ".body.full_name",
		"candidate.family_name":    ".body.family_name",
		"candidate.given_name":     ".body.given_name",
		"candidate.kana":           ".body.kana",
		"candidate.email":          ".body.email // []",
		"candidate.do_not_contact": ".body.do_not_contact == true",
		"job.id":                   ".body.job_id",
		"job.title":                ".body.job_title",
	},
	Events: []mapping.Rule{
		{When: ".body.already_sent == true", Ignore: true},
		{When: `.outcome == "rejected"`, State: "rejected", Side: "company"},
		{When: `.outcome == "withdrawn"`, State: "withdrawn", Side: "candidate"},
		{When: `.outcome == "hired"`, State: "hired", Side: "company"},
		{When: `.outcome == "position_closed"`, State: "closed", Side: "company"},
		{When: `.outcome == "ignored"`, Ignore: true},
		// A row that still runs opens an application again that had ended. When it
		// was opened is not in the file.
		{When: `.outcome == "ongoing"`, State: "reopened", Side: "company", Map: map[string]string{"at": "null", "sent_at": "null"}},
		{When: `.outcome == "ambiguous"`, Park: "the result can mean either side: explain it in table.outcomes"},
		{When: `.outcome == "unknown"`, Park: "the result is not a word we know: explain it in table.outcomes"},
	},
}

// rules are the rules of s with those that all files share.
func (s Spec) rules() mapping.Spec {
	if s.Table == nil {
		return s.Spec
	}
	return tableRules.With(s.Spec)
}

// States lists the states that the rules of s report, each once.
func (s Spec) States() []string {
	var out []string
	for _, r := range slices.Concat(s.rules().Events, s.Fetched.Events) {
		if r.State != "" && !slices.Contains(out, r.State) {
			out = append(out, r.State)
		}
	}
	return out
}

func (s Spec) validateTable() error {
	switch {
	case s.Door == connectors.File && s.Table == nil:
		return errors.New("table: required with door: file; write {} when nothing is known of the files")
	case s.Door != connectors.File && s.Table != nil:
		return errors.New("table: only with door: file")
	case s.Table == nil:
		return nil
	case s.Each != "":
		return errors.New("each: a row of a file is one item")
	}
	_, err := labels("table.outcomes", s.Table.Outcomes)
	return errors.Join(s.Table.Validate(), err)
}

// final are what a company may say that a label means.
var final = []mapping.Outcome{
	mapping.OutcomeRejected, mapping.OutcomeWithdrawn, mapping.OutcomeHired, mapping.OutcomeClosed, mapping.OutcomeOngoing, mapping.OutcomeIgnored,
}

// labels prepares a company's own labels; key is where they stand.
func labels(key string, own map[string]string) (map[string]mapping.Outcome, error) {
	out := map[string]mapping.Outcome{}
	var errs []error
	for _, label := range slices.Sorted(maps.Keys(own)) {
		o := mapping.Outcome(own[label])
		if !slices.Contains(final, o) {
			errs = append(errs, fmt.Errorf("%s.%s: %q is not one of %v", key, label, own[label], final))
		}
		out[fold(label)] = o
	}
	return out, errors.Join(errs...)
}

// fold makes labels comparable.
func fold(label string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(label)), ""))
}

// rows read the rows of one connection's files.
type rows struct {
	preset table.Preset
	own    map[string]mapping.Outcome
}

// rowsOf adds what a company knows of its files; nil where none are imported.
func (s Spec) rowsOf(own table.Preset) (*rows, error) {
	if s.Table == nil {
		if !own.IsZero() {
			return nil, fmt.Errorf("table: no files of %s are imported", s.Vendor)
		}
		return nil, nil
	}
	r := &rows{preset: s.Table.With(own)}
	var err error
	r.own, err = labels("table.outcomes", r.preset.Outcomes)
	return r, errors.Join(own.Validate(), err)
}

// A Tabular is the connector of a vendor whose files are imported. It may be
// used concurrently.
type Tabular struct {
	*Connector
	now  func() time.Time
	here map[string]mapping.Outcome // labels that were explained for this file
}

var _ connectors.Reader = (*Tabular)(nil)

// With returns a connector that knows more of one file than the connection does.
// Its labels go into the rows that Explain returns, because whoever decodes them
// later does not know them.
func (t *Tabular) With(own table.Preset) (*Tabular, error) {
	here, err := labels("outcomes", own.Outcomes)
	if err = errors.Join(own.Validate(), err); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	own.Outcomes = nil
	c, r := *t.Connector, *t.rows
	r.preset = r.preset.With(own)
	c.rows = &r
	return &Tabular{&c, t.now, here}, nil
}

// Explain returns a row with what its labels mean in this file.
func (t *Tabular) Explain(b table.Body) table.Body {
	if len(t.here) == 0 {
		return b
	}
	b.Results = slices.Clone(b.Results)
	for i, c := range b.Results {
		b.Results[i].Means = string(t.here[fold(c.Label)])
	}
	return b
}

// Read implements connectors.Reader.
func (t *Tabular) Read(file io.Reader) iter.Seq2[connectors.Payload, error] {
	return table.Reader{Preset: t.rows.preset, Now: t.now}.Read(file)
}

// Open finds out what a file is. sheet names the sheet of a workbook in place
// of the one in the settings.
func (t *Tabular) Open(file io.Reader, sheet string) (*table.Sheet, error) {
	p := t.rows.preset
	if sheet != "" {
		p.Sheet = sheet
	}
	return p.Open(file)
}

// Of reads a row.
func (t *Tabular) Of(b table.Body) Reading { return t.rows.of(b) }

// A Reading is what the cells of a row say together, before any rule.
type Reading struct {
	ID      string // of the application; "" when nothing tells it
	Outcome mapping.Outcome
	// Column and Label are the cell that decided; both are "" when every one is
	// blank.
	Column, Label string
	Applied       time.Time // zero when the file does not say
}

func (r *rows) of(b table.Body) Reading {
	outcome, by := r.outcome(b.Results)
	applied, _ := mapping.ParseTime(b.AppliedAt) // one that cannot be read is not known
	return Reading{ID: identity(b), Outcome: outcome, Column: by.Column, Label: by.Label, Applied: applied}
}

// identity names the application of a row. Row numbers are none, because rows
// get sorted: without an id in the file the person's address and the job stand
// for it, so the same person can be counted once for each job.
func identity(b table.Body) string {
	if b.ApplicationID != "" {
		return b.ApplicationID
	}
	for _, raw := range b.Email {
		if address, _ := ats.ParseEmail(raw); address != "" {
			job := b.JobID
			if job == "" {
				job = b.JobTitle
			}
			sum := sha256.Sum256([]byte(strings.ToLower(string(address)) + "\n" + fold(job)))
			return "derived-" + hex.EncodeToString(sum[:10])
		}
	}
	return ""
}

// outcome puts together what several cells say. The first that says anything
// counts, since the most telling columns come first. A row that both rejects
// and says something else is ambiguous.
func (r *rows) outcome(results []table.Result) (mapping.Outcome, table.Result) {
	outcome, by := mapping.OutcomeOngoing, table.Result{}
	said := map[mapping.Outcome]table.Result{}
	for _, c := range results {
		o := r.label(c)
		if _, before := said[o]; !before {
			said[o] = c
		}
		if by == (table.Result{}) || outcome == mapping.OutcomeUnknown && o != mapping.OutcomeUnknown {
			outcome, by = o, c
		}
	}
	against := []mapping.Outcome{mapping.OutcomeWithdrawn, mapping.OutcomeHired, mapping.OutcomeAmbiguous}
	_, rejected := said[mapping.OutcomeRejected]
	switch {
	case !rejected:
	case outcome == mapping.OutcomeRejected:
		for _, o := range against {
			if c, ok := said[o]; ok {
				return mapping.OutcomeAmbiguous, c
			}
		}
	case slices.Contains(append(against, mapping.OutcomeOngoing), outcome):
		return mapping.OutcomeAmbiguous, by
	}
	return outcome, by
}

// label reads one cell: the company's own words first. A column that itself
// means an outcome may only be ticked, or hold the date.
func (r *rows) label(c table.Result) mapping.Outcome {
	if o := mapping.Outcome(c.Means); slices.Contains(final, o) {
		return o
	}
	if o, ok := r.own[fold(c.Label)]; ok {
		return o
	}
	o := mapping.OutcomeOf(c.Label)
	if c.Says != "" && o == mapping.OutcomeUnknown {
		if _, err := mapping.ParseTime(c.Label); err == nil || slices.Contains(ticks, fold(c.Label)) {
			return mapping.Outcome(c.Says)
		}
	}
	return o
}

// ticks are the words by which a column is ticked.
var ticks = []string{"○", "◯", "〇", "●", "✓", "✔", "レ", "1", "true", "yes", "y", "はい", "有", "あり", "済", "済み"}

// read adds to a document what several cells of a row say together.
func (r *rows) read(doc map[string]any, p connectors.Payload) {
	var b table.Body
	if r == nil || json.Unmarshal(p.Body, &b) != nil { // the rules miss the id then
		return
	}
	says := r.of(b)
	doc["outcome"] = string(says.Outcome)
	if says.ID != "" {
		doc["id"] = says.ID
	}
	if says.Column != "" {
		doc["evidence"], doc["status"] = says.Column+" says "+string(says.Outcome), ShortLabel(says.Label)
	}
}

// ShortLabel returns a label, or a stand-in for one that is too long to be a
// word for a result: it may be a note about a person.
func ShortLabel(label string) string {
	const longest = 20
	if label = strings.Join(strings.Fields(label), " "); len([]rune(label)) > longest {
		return "(a longer text)"
	}
	return label
}
