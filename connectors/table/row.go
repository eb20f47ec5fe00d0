package table

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// A Row is one row of a file.
type Row struct {
	Number int
	// Skip says why a row is not one of data: a total, a heading, the header
	// once more, or a row that a spreadsheet hides.
	Skip string
	Body Body
}

// A Body is what a row of data says, as mapping expressions see it. Cells has
// the columns that are used or kept, by their headers.
type Body struct {
	ApplicationID string            `json:"application_id,omitempty"`
	FullName      string            `json:"full_name,omitempty"`
	FamilyName    string            `json:"family_name,omitempty"`
	GivenName     string            `json:"given_name,omitempty"`
	Kana          string            `json:"kana,omitempty"`
	Email         []string          `json:"email,omitempty"`
	JobID         string            `json:"job_id,omitempty"`
	JobTitle      string            `json:"job_title,omitempty"`
	Stage         string            `json:"stage,omitempty"`
	Results       []Result          `json:"results,omitempty"`
	EndedAt       string            `json:"ended_at,omitempty"`
	UpdatedAt     string            `json:"updated_at,omitempty"`
	AppliedAt     string            `json:"applied_at,omitempty"`
	Channel       string            `json:"channel,omitempty"`
	ChannelDetail string            `json:"channel_detail,omitempty"`
	AgentCompany  string            `json:"agent_company,omitempty"`
	Tags          []string          `json:"tags,omitempty"`
	Consent       string            `json:"consent,omitempty"`
	DoNotContact  bool              `json:"do_not_contact,omitempty"`
	AlreadySent   bool              `json:"already_sent,omitempty"`
	Cells         map[string]string `json:"cells,omitempty"`
}

// A Result is one cell that says how an application ended, the most telling
// first. Says is the column's name when the column itself means an outcome.
// Means is set when somebody explained the label for this file.
type Result struct {
	Column string `json:"column"`
	Label  string `json:"label"`
	Says   string `json:"says,omitempty"`
	Means  string `json:"means,omitempty"`
}

// RowHeader is the header of a payload that holds the number of its row. It is
// not part of the body: the same row in another file is the same delivery.
const RowHeader = "Row"

// Payload makes the payload of a row of data.
func (r Row) Payload(received time.Time) connectors.Payload {
	text, _ := json.Marshal(r.Body) // texts can always be written
	return connectors.Payload{
		Header: http.Header{"Content-Type": {"application/json"}, RowHeader: {strconv.Itoa(r.Number)}}, Body: text, Received: received,
	}
}

// deciding are the columns without which nobody knows what a row means.
var deciding = []string{ApplicationID, Email, Outcome, Rejected, Withdrawn}

// row reads a line below the header; filled are its cells that are not blank.
func (s *Sheet) row(l line, filled []string) (Row, error) {
	r := Row{Number: l.number}
	var err error
	if r.Skip, err = s.skip(l, filled); r.Skip != "" || err != nil {
		return r, err
	}
	c := cells{s: s, line: l}
	have, want := strconv.Itoa(len(l.cells)), strconv.Itoa(len(s.Columns))
	if len(l.cells) > len(s.Columns) && len(values(l.cells[len(s.Columns):])) > 0 {
		c.fail(-1, "it has "+have+" cells and the header "+want+"; a cell with a delimiter or a line break needs quotation marks")
	}
	for _, name := range deciding {
		for _, i := range s.layout.places[name] {
			if i >= len(l.cells) && !l.whole {
				c.fail(-1, "it has "+have+" cells and the header "+want+"; it is cut before the column "+s.Columns[i].Header)
			}
		}
	}
	r.Body = c.body()
	if c.err != nil {
		return r, ats.Errorf(ats.Invalid, "%w", c.err)
	}
	return r, nil
}

var total = regexp.MustCompile(`^(合計|総計|小計|計|総数|件数|以上|total)(件|数|$|[^\p{L}])`)

// skip tells rows that stand among the data and are none. Another header with
// other columns begins another table, whose rows would be misread.
func (s *Sheet) skip(l line, filled []string) (string, error) {
	switch {
	case l.hidden:
		return "hidden in the spreadsheet", nil
	case len(filled) == 1:
		return "a heading or a footer", nil
	case slices.ContainsFunc(s.layout.places[Email], func(i int) bool { return i < len(l.cells) && strings.ContainsAny(l.cells[i], "@＠") }):
		return "", nil
	case total.MatchString(strings.ToLower(norm.NFKC.String(filled[0]))):
		return "a total", nil
	}
	again := Preset{}.layout(l.cells)
	switch {
	case slices.Equal(trimmed(again.headers), trimmed(s.layout.headers)):
	case len(again.lacks()) > 0:
		return "", nil
	case l.number > s.Header+1 && !maps.EqualFunc(again.places, s.layout.places, slices.Equal):
		return "", ats.Errorf(ats.Invalid, "row %d: another header with other columns; put each table into a file of its own", l.number)
	}
	return "a header again", nil
}

// values are the cells that are not blank.
func values(cells []string) []string {
	var out []string
	for _, c := range cells {
		if c = clean(c); c != "" {
			out = append(out, c)
		}
	}
	return out
}

// trimmed leaves blank headers at the end away.
func trimmed(headers []string) []string {
	for len(headers) > 0 && headers[len(headers)-1] == "" {
		headers = headers[:len(headers)-1]
	}
	return headers
}

// clean takes away what spreadsheets put around a value: blanks, the
// apostrophe of a text, the formula ="0900" that keeps a zero. What only stands
// for nothing is nothing.
func clean(cell string) string {
	cell = strings.TrimFunc(cell, func(r rune) bool { return strings.ContainsRune(" \t\r\n\u00a0\u3000\u200b\ufeff\x00", r) })
	if inner, ok := strings.CutPrefix(cell, `="`); ok && strings.HasSuffix(inner, `"`) {
		cell = strings.TrimSpace(strings.TrimSuffix(inner, `"`))
	}
	if rest, ok := strings.CutPrefix(cell, "'"); ok && (rest == "" || strings.ContainsAny(rest[:1], "0123456789=+-@'")) {
		cell = strings.TrimSpace(rest)
	}
	if strings.Trim(cell, "-‐‑–—―ー－−") == "" {
		return ""
	}
	return cell
}

// cells reads the columns of one line; the first error stays.
type cells struct {
	s    *Sheet
	line line
	err  *RowError
}

func (c *cells) fail(i int, problem string) {
	if c.err != nil {
		return
	}
	c.err = &RowError{Row: c.line.number, Problem: problem}
	if i >= 0 {
		c.err.Column, c.err.Header = i+1, c.s.Columns[i].Header
	}
}

// at returns the value of a cell.
func (c *cells) at(i int) string {
	if i >= len(c.line.cells) {
		return ""
	}
	v := clean(c.line.cells[i])
	switch {
	case c.s.charset.damaged(v):
		c.fail(i, "holds bytes that are not "+c.s.Encoding)
	case strings.HasPrefix(v, "#") && failed.MatchString(v):
		c.fail(i, "a formula that failed")
	}
	return v
}

// failed are the values of formulas that could not be worked out.
var failed = regexp.MustCompile(`^#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)$`)

// all returns the values of a column, which may stand in several places. Two
// with the same header must not differ: nobody knows which counts.
func (c *cells) all(name string) []string {
	var out []string
	first := map[string]string{}
	for _, i := range c.s.layout.places[name] {
		v := c.at(i)
		if v == "" {
			continue
		}
		h := normalise(c.s.Columns[i].Header)
		if other, twice := first[h]; twice && other != v {
			c.fail(i, "another column has the same header and another value; which one counts?")
		}
		first[h] = v
		out = append(out, v)
	}
	return out
}

// one returns the first value of a column.
func (c *cells) one(name string) string {
	if all := c.all(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

// rounded is an id that a spreadsheet took for a number and cut.
var rounded = regexp.MustCompile(`^\d(\.\d+)?[eE]\+\d+$`)

func (c *cells) body() Body {
	b := Body{
		ApplicationID: norm.NFKC.String(c.one(ApplicationID)), FullName: c.one(FullName), FamilyName: c.one(FamilyName), GivenName: c.one(GivenName), Kana: c.one(FullKana),
		Email: append(c.all(Email), c.all(EmailSecondary)...), JobID: c.one(JobID), JobTitle: c.one(JobTitle), Stage: c.one(Stage), Results: c.results(),
		EndedAt: c.one(EndedAt), UpdatedAt: c.one(UpdatedAt), AppliedAt: c.one(AppliedAt), Channel: c.one(Channel), ChannelDetail: c.one(ChannelDetail),
		AgentCompany: c.one(AgentCompany), Tags: tags(c.one(Tags)), Consent: c.one(Consent), DoNotContact: ticked(c.one(DoNotContact)), AlreadySent: ticked(c.one(AlreadySent)),
		Cells: map[string]string{},
	}
	if rounded.MatchString(b.ApplicationID) {
		c.fail(c.s.layout.places[ApplicationID][0], "a spreadsheet rounded this id; export the file again and do not save it in between")
	}
	if b.ApplicationID == "" && c.s.layout.has(ApplicationID) {
		c.fail(c.s.layout.places[ApplicationID][0], "no application id, though other rows have one")
	}
	if b.FullName == "" && (b.FamilyName == "" || b.GivenName == "") { // a whole name in one of the two
		b.FullName, b.FamilyName, b.GivenName = b.FamilyName+b.GivenName, "", ""
	}
	if b.Kana == "" {
		b.Kana = strings.TrimSpace(c.one(FamilyKana) + " " + c.one(GivenKana))
	}
	for i, column := range c.s.Columns {
		if column.Name == "" {
			continue
		}
		if v := c.at(i); v != "" {
			b.Cells[column.Header] = v
		}
	}
	return b
}

// results are the cells that say how it ended.
func (c *cells) results() []Result {
	var out []Result
	for _, column := range common {
		says := ""
		switch column.name {
		case Withdrawn, Rejected, Hired:
			says = column.name
		case Outcome:
		default:
			continue
		}
		for _, i := range c.s.layout.places[column.name] {
			v := c.at(i)
			if v == "" || says != "" && !ticked(v) {
				continue
			}
			out = append(out, Result{Column: c.s.Columns[i].Header, Label: v, Says: says})
		}
	}
	return out
}

// unticked are the words of a column that is filled in and means no.
var unticked = []string{"0", "false", "no", "n", "off", "いいえ", "無", "無し", "なし", "未", "×", "x", "✕", "✗"}

// ticked reports whether a cell says yes; whatever is not a no is one.
func ticked(cell string) bool {
	return cell != "" && !slices.Contains(unticked, strings.ToLower(norm.NFKC.String(cell)))
}

// tags takes a list of tags apart.
func tags(cell string) []string {
	return strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(",、;；|｜/／\r\n\t", r) })
}
