// Package herphire connects to HERP Hire.
package herphire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/internal/seen"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to HERP Hire.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIKey        ats.Secret `yaml:"api_key"`
	APIURL        string     `yaml:"api_url"` // default https://public-api.herp.cloud/hire/v1
	// ConsentTag is the tag by which the company marks who agreed to be
	// introduced; no tag, no consent.
	ConsentTag string `yaml:"consent_tag"`
}

const (
	defaultURL = "https://public-api.herp.cloud/hire/v1"
	// HERP answers 100 calls a minute of one customer. Some are left to others.
	perSecond = 1.4
	burst     = 10
	spare     = 20 // calls of the quota that are never used
	// Pages of one call of Poll, and of a sweep: a list that never ends must
	// not be followed.
	pagesAtOnce = 20
	maxPages    = 3000
)

// A Connector sweeps the list of candidacies and tells what has changed.
type Connector struct {
	*spec.Connector
	api *api.Client
	now func() time.Time

	mu     sync.Mutex
	titles map[string]requisition // by id, as far as they were read
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
	c := &Connector{now: env.Now, titles: map[string]requisition{}}
	var errs []error
	if set.APIKey == "" {
		errs = append(errs, errors.New("api_key: required; HERP sends nothing by itself"))
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
	out.Map = map[string]string{"consent": `if .body.candidacy.tags // [] | index(` + string(tag) + `) != null then "yes" else null end`}
	maps.Copy(out.Map, s.Map)
	return out
}

// A candidacy is a row of the list, read as far as it may be kept: age, career,
// notes and the people who work on it are left out.
type candidacy struct {
	ID                string   `json:"id"`
	Name              string   `json:"name"`
	Email             string   `json:"email"`
	RequisitionID     string   `json:"requisitionId"`
	Status            string   `json:"status"`
	TerminationReason string   `json:"terminationReason,omitempty"`
	TerminatedAt      string   `json:"terminatedAt,omitempty"`
	Step              string   `json:"step"`
	Channel           channel  `json:"channel"`
	Tags              []string `json:"tags"`
	AppliedAt         string   `json:"appliedAt"`
	UpdatedAt         string   `json:"updatedAt"`
}

// A channel is where the application came from, without the agent's name.
type channel struct {
	Type        string `json:"type"`
	MediaName   string `json:"mediaName,omitempty"`
	IsScout     bool   `json:"isScout,omitempty"`
	Description string `json:"description,omitempty"`
}

// state is what makes a row news when it changes.
func (c candidacy) state() string { return c.Status + " " + c.TerminationReason + " " + c.TerminatedAt }

// A requisition is a job. Its title has either name.
type requisition struct {
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	Title string `json:"title,omitempty"`
}

// A cursor is where a sweep stands, and what all sweeps have seen: the
// candidacies that have ended.
type cursor struct {
	Page int    `json:"page"` // the next one; 1 between sweeps
	Seen string `json:"seen"`
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
	text, _ := json.Marshal(at) // a number and a text always can be written
	return string(text)
}

// More implements connectors.Pager.
func (*Connector) More(text string) bool {
	at, _, err := readCursor(text)
	return err == nil && at.Page > 1
}

// Poll implements connectors.Poller. HERP cannot be asked what has changed, so
// all pages are read, the oldest applications first: new ones come at the end
// and shift nothing. A row that moves while they are read is met twice, which
// shows, or in the next sweep.
func (c *Connector) Poll(ctx context.Context, text string) ([]connectors.Payload, string, error) {
	at, set, err := readCursor(text)
	if err != nil {
		return nil, "", err
	}
	var rows []candidacy
	var broken error
	asked := c.now()
	for range pagesAtOnce {
		page, quota, err := c.page(ctx, url.Values{"page": {strconv.Itoa(at.Page)}, "sort": {"appliedAt"}, "direction": {"asc"}})
		if err != nil {
			broken = err
			break
		}
		for _, row := range page.Candidacies {
			if news(set, row) {
				rows = append(rows, row)
			}
		}
		if at.Page++; !page.HasNextPage {
			at.Page = 1
			break
		}
		if at.Page > maxPages {
			at.Page = 1
			broken = ats.Errorf(ats.TooLarge, "more than %d pages of candidacies", maxPages)
			break
		}
		if broken = quota; broken != nil {
			break
		}
	}
	payloads, err := c.payloads(ctx, rows, asked)
	if err != nil {
		return nil, "", err // nothing of this call counts
	}
	return payloads, at.text(set), broken
}

// news notes a row and reports whether it says something new. One that is still
// under way does when it had ended before.
func news(set *seen.Set, row candidacy) bool {
	switch {
	case row.Status == "active":
		return set.Forget(row.ID)
	case row.TerminationReason == "notEligible":
		set.Note(row.ID, row.state())
		return false
	}
	return set.Note(row.ID, row.state())
}

// A list is one page of candidacies.
type list struct {
	Candidacies []candidacy `json:"candidacies"`
	HasNextPage bool        `json:"hasNextPage"`
}

// page reads one page. When little of the quota is left, quota says how long to
// wait for the next.
func (c *Connector) page(ctx context.Context, query url.Values) (out list, quota, err error) {
	header, err := c.api.Do(ctx, http.MethodGet, "/candidacies", query, nil, &out)
	if err != nil {
		return out, nil, err
	}
	if out.Candidacies == nil {
		return out, nil, ats.Errorf(ats.Invalid, "HERP's answer is not a list of candidacies")
	}
	for _, row := range out.Candidacies {
		if row.ID == "" {
			return out, nil, ats.Errorf(ats.Invalid, "HERP lists a candidacy without an id")
		}
	}
	return out, c.quota(header), nil
}

// quota is an error when little of the quota is left.
func (c *Connector) quota(h http.Header) error {
	left, err := strconv.Atoi(h.Get("X-Remaining-Request"))
	if err != nil || left >= spare {
		return nil //nolint:nilerr // a vendor that tells no quota has none
	}
	wait := time.Minute
	if reset, err := time.Parse(time.RFC3339, h.Get("X-Reset-At")); err == nil {
		wait = min(max(reset.Sub(c.now()), time.Second), time.Minute)
	}
	return ats.BusyFor(wait, "only %d calls are left of HERP's quota, so the sweep goes on later", left)
}

// payloads puts rows and their jobs together. What changed after HERP was asked
// must come out as later.
func (c *Connector) payloads(ctx context.Context, rows []candidacy, asked time.Time) ([]connectors.Payload, error) {
	titles, err := c.requisitions(ctx, rows)
	if err != nil {
		return nil, err
	}
	var out []connectors.Payload
	for _, row := range rows {
		body, err := json.Marshal(map[string]any{"candidacy": row, "requisition": titles[row.RequisitionID]})
		if err != nil {
			return nil, fmt.Errorf("writing a candidacy: %w", err)
		}
		out = append(out, connectors.Payload{Body: body, Received: asked})
	}
	return out, nil
}

// requisitions returns the jobs of rows. All of HERP's are read when one is not
// known yet. A key that may not read them leaves the titles out.
func (c *Connector) requisitions(ctx context.Context, rows []candidacy) (map[string]requisition, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	unknown := func(row candidacy) bool { return row.RequisitionID != "" && c.titles[row.RequisitionID].ID == "" }
	if !slices.ContainsFunc(rows, unknown) {
		return c.titles, nil
	}
	titles := maps.Clone(c.titles) // whoever reads the old ones goes on
	for page, more := 1, true; more && page <= maxPages; page++ {
		var out struct {
			Requisitions []requisition `json:"requisitions"`
			HasNextPage  bool          `json:"hasNextPage"`
		}
		err := c.api.Get(ctx, "/requisitions", url.Values{"page": {strconv.Itoa(page)}}, &out)
		if fault := ats.FaultOf(err); err != nil && fault != ats.Denied && fault != ats.NotFound {
			return nil, err
		}
		for _, job := range out.Requisitions {
			titles[job.ID] = job
		}
		more = out.HasNextPage
	}
	for _, row := range rows {
		if titles[row.RequisitionID].ID == "" {
			titles[row.RequisitionID] = requisition{ID: row.RequisitionID} // not asked for again and again
		}
	}
	c.titles = titles
	return titles, nil
}

// plainID is what an id looks like; anything else could lead a call elsewhere.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// State implements connectors.Checker. A single candidacy says neither why nor
// when it ended, so it only leads to the list of its job.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	if !plainID.MatchString(e.Application) {
		return "", ats.Errorf(ats.Invalid, "the id is not one of HERP's")
	}
	var one candidacy
	if err := c.api.Get(ctx, "/candidacies/"+e.Application, nil, &one); err != nil {
		return "", err
	}
	switch {
	case one.ID != e.Application:
		return "", ats.Errorf(ats.Invalid, "HERP's answer is not the candidacy that was asked for")
	case one.Status == "active":
		return ats.Reopened, nil
	}
	for page := 1; page <= maxPages; page++ {
		rows, quota, err := c.page(ctx, url.Values{"page": {strconv.Itoa(page)}, "requisitionId": {one.RequisitionID}, "status": {"terminated"}})
		if err != nil {
			return "", err
		}
		for _, row := range rows.Candidacies {
			if row.ID == e.Application {
				return c.meaning(row)
			}
		}
		if !rows.HasNextPage {
			break
		}
		if quota != nil {
			return "", quota
		}
	}
	return "", ats.Errorf(ats.Busy, "the candidacy is in no list at this moment")
}

// meaning is the state that a row has by the rules, "" for none.
func (c *Connector) meaning(row candidacy) (ats.State, error) {
	body, err := json.Marshal(map[string]any{"candidacy": row})
	if err != nil {
		return "", fmt.Errorf("writing a candidacy: %w", err)
	}
	events, err := c.Decode(connectors.Payload{Body: body, Received: c.now()})
	if err != nil || len(events) == 0 {
		return "", err
	}
	return events[0].State, nil
}
