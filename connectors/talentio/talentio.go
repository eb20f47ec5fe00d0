// Package talentio connects to Talentio.
package talentio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/internal/seen"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to Talentio.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	APIURL        string     `yaml:"api_url"` // default https://talentio.com/api/v1
	// ConsentTag is the tag by which the company marks who agreed to be
	// introduced; no tag, no consent.
	ConsentTag string `yaml:"consent_tag"`
}

const (
	defaultURL = "https://talentio.com/api/v1"
	// From machines in a cloud, Talentio cuts connections above four calls a
	// second. Its hourly quota is larger than that of any sweep.
	perSecond = 3
	burst     = 1
	spare     = 50 // calls of the quota that are never used
	perPage   = 100
	// Pages of one call of Poll, and of a sweep.
	pagesAtOnce = 30
	maxPages    = 3000
	// overlap is how far a sweep looks back before the last one: what changed
	// while that one read its pages is met again.
	overlap = 24 * time.Hour
)

// A Connector asks for the candidates that were changed and tells of those whose
// selection ended, or goes on again.
type Connector struct {
	*spec.Connector
	api *api.Client
	now func() time.Time
}

var (
	_ connectors.Poller    = (*Connector)(nil)
	_ connectors.Pager     = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.JobLister = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	c := &Connector{now: env.Now}
	var errs []error
	if set.APIKey == "" {
		errs = append(errs, errors.New("api_key: required; Talentio sends nothing by itself"))
	}
	var err error
	c.Connector, err = spec.New(s, set.tagged())
	errs = append(errs, err)
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Bearer(set.APIKey), Rate: perSecond, Burst: burst})
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

// tagged adds where the consent stands, unless the company says that itself.
func (s Settings) tagged() spec.Settings {
	out := s.Settings
	if s.ConsentTag == "" {
		return out
	}
	tag, _ := json.Marshal(s.ConsentTag) // a text of jq too
	out.Map = map[string]string{"consent": `if [.body.candidate.tags[]? | .name] | index(` + string(tag) + `) != null then "yes" else null end`}
	maps.Copy(out.Map, s.Map)
	return out
}

// A candidate is a row, read as far as it may be kept: evaluations, remarks and
// customers' own fields are left out.
type candidate struct {
	ID            json.Number `json:"id"`
	LastName      string      `json:"lastName"`
	FirstName     string      `json:"firstName"`
	Email         string      `json:"email"`
	Status        string      `json:"status"`
	FixedAt       string      `json:"fixedAt,omitempty"`
	Stages        []stage     `json:"stages"`
	Requisition   *job        `json:"requisition"`
	ChannelType   string      `json:"channelType"`
	ChannelName   string      `json:"channelName"`
	CustomChannel string      `json:"customChanneName,omitempty"` // the name really lacks a letter
	AgentCompany  *named      `json:"agentCompany,omitempty"`
	Tags          []named     `json:"tags"`
	AppliedAt     string      `json:"appliedAt,omitempty"`
	RegisteredAt  string      `json:"registeredAt,omitempty"`
}

type stage struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	FixedAt string `json:"fixedAt,omitempty"`
}

type job struct {
	ID   json.Number `json:"id"`
	Name string      `json:"name"`
}

type named struct {
	Name string `json:"name"`
}

// ended is when the selection ended, "" when the row does not say.
func (c candidate) ended() string {
	at := c.FixedAt
	for _, s := range c.Stages {
		if c.FixedAt == "" && s.Status == "fail" {
			at = s.FixedAt
		}
	}
	return at
}

// A cursor is where a sweep stands, and what all sweeps have seen: the
// candidates whose selection had ended.
type cursor struct {
	Since   time.Time `json:"since,omitzero"`   // of what was changed is asked from here on; zero for all
	Started time.Time `json:"started,omitzero"` // of the sweep under way
	Page    int       `json:"page"`             // the next one; 1 between sweeps
	Read    int       `json:"read,omitempty"`   // rows so far
	Seen    string    `json:"seen"`
}

func readCursor(text string) (cursor, *seen.Set, error) {
	at := cursor{Page: 1}
	if text != "" && (json.Unmarshal([]byte(text), &at) != nil || at.Page < 1) {
		return at, nil, ats.Errorf(ats.Invalid, "the cursor is not one of this connector's")
	}
	set, err := seen.Parse(at.Seen)
	return at, set, err
}

func (at cursor) text(set *seen.Set) string {
	at.Seen = set.Text()
	text, _ := json.Marshal(at) // times, a number and a text always can be written
	return string(text)
}

// More implements connectors.Pager.
func (*Connector) More(text string) bool {
	at, _, err := readCursor(text)
	return err == nil && at.Page > 1
}

// japan is the zone of times that Talentio takes without one.
var japan = time.FixedZone("JST", 9*60*60)

// query asks for a page in the order of registration, which no change disturbs:
// a candidate who is changed while the pages are read can be met twice, but
// shifts nobody out of sight.
func (at cursor) query() url.Values {
	q := url.Values{"page": {strconv.Itoa(at.Page)}, "sort": {"registeredAt"}}
	if !at.Since.IsZero() {
		q.Set("updatedAtFrom", at.Since.In(japan).Format("2006-01-02T15:04:05"))
	}
	return q
}

// Poll implements connectors.Poller.
func (c *Connector) Poll(ctx context.Context, text string) (news []connectors.Payload, next string, err error) {
	at, set, err := readCursor(text)
	if err != nil {
		return nil, "", err
	}
	if at.Page == 1 {
		at.Started = c.now()
	}
	asked := c.now()
	for range pagesAtOnce {
		rows, last, quota, err := c.page(ctx, at)
		if err != nil {
			return news, at.text(set), err
		}
		for _, row := range rows {
			if !c.changed(set, row) {
				continue
			}
			p, err := payload(row, asked)
			if err != nil {
				return nil, "", err
			}
			news = append(news, p)
		}
		if last {
			at = cursor{Since: at.Started.Add(-overlap), Page: 1}
			break
		}
		at.Read += len(rows)
		if at.Page++; at.Page > maxPages {
			at = cursor{Since: at.Since, Page: 1}
			return news, at.text(set), ats.Errorf(ats.TooLarge, "more than %d pages of candidates", maxPages)
		}
		if quota != nil {
			return news, at.text(set), quota
		}
	}
	return news, at.text(set), nil
}

// changed notes a row and reports whether it says something new. One that is
// under way does when it had ended before; the pool means nothing.
func (*Connector) changed(set *seen.Set, row candidate) bool {
	id := row.ID.String()
	switch row.Status {
	case "ongoing":
		return set.Forget(id)
	case "poolActive", "poolInactive":
		set.Note(id, "pool")
		return false
	}
	return set.Note(id, row.Status+" "+row.ended())
}

// payload is the news about a row. What changed after Talentio was asked must
// come out as later.
func payload(row candidate, asked time.Time) (connectors.Payload, error) {
	out := map[string]any{"candidate": row}
	if row.Status == "ongoing" || row.ended() == "" {
		out["detected"] = asked.UTC().Format(time.RFC3339)
	}
	body, err := json.Marshal(out)
	if err != nil {
		return connectors.Payload{}, fmt.Errorf("writing a candidate: %w", err)
	}
	return connectors.Payload{Body: body, Received: asked}, nil
}

// page reads one page. last says that no other follows; quota, when little of
// the quota is left, how long to wait for it.
func (c *Connector) page(ctx context.Context, at cursor) (rows []candidate, last bool, quota, err error) {
	var answer json.RawMessage
	header, err := c.api.Do(ctx, http.MethodGet, "/candidates", at.query(), nil, &answer)
	if err != nil {
		return nil, false, nil, err
	}
	if rows, err = read(answer); err != nil {
		return nil, false, nil, err
	}
	last = len(rows) < perPage
	if total, err := strconv.Atoi(header.Get("X-Total")); err == nil && len(rows) > 0 {
		last = at.Read+len(rows) >= total
	}
	return rows, last, c.quota(header), nil
}

// read reads a list of candidates, or the only one of it without its brackets.
func read(answer json.RawMessage) ([]candidate, error) {
	answer = bytes.TrimSpace(answer)
	if bytes.HasPrefix(answer, []byte("{")) {
		answer = bytes.Join([][]byte{[]byte("["), answer, []byte("]")}, nil)
	}
	var rows []candidate
	if json.Unmarshal(answer, &rows) != nil || rows == nil {
		return nil, ats.Errorf(ats.Invalid, "Talentio's answer is not a list of candidates")
	}
	for _, row := range rows {
		if !plainID.MatchString(row.ID.String()) {
			return nil, ats.Errorf(ats.Invalid, "Talentio lists a candidate without an id")
		}
	}
	return rows, nil
}

// quota is an error when little of the quota is left.
func (c *Connector) quota(h http.Header) error {
	left, err := strconv.Atoi(h.Get("X-Remaining"))
	if err != nil || left >= spare {
		return nil //nolint:nilerr // a vendor that tells no quota has none
	}
	wait := time.Hour
	if seconds, err := strconv.Atoi(h.Get("X-Reset")); err == nil {
		wait = min(max(time.Duration(seconds)*time.Second, time.Second), time.Hour)
	}
	return ats.BusyFor(wait, "only %d calls are left of Talentio's quota, so the sweep goes on later", left)
}

// plainID is what an id looks like; anything else could lead a call elsewhere.
var plainID = regexp.MustCompile(`^[0-9]{1,18}$`)

// State implements connectors.Checker. What single people think of a candidate
// is in that answer too, and does not count.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	if !plainID.MatchString(e.Application) {
		return "", ats.Errorf(ats.Invalid, "the id is not one of Talentio's")
	}
	var answer json.RawMessage
	if err := c.api.Get(ctx, "/candidates/"+e.Application, nil, &answer); err != nil {
		return "", err
	}
	rows, err := read(answer)
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || rows[0].ID.String() != e.Application {
		return "", ats.Errorf(ats.Invalid, "Talentio's answer is not the candidate who was asked for")
	}
	p, err := payload(rows[0], c.now())
	if err != nil {
		return "", err
	}
	events, err := c.Decode(p)
	if err != nil || len(events) == 0 {
		return "", err
	}
	return events[0].State, nil
}
