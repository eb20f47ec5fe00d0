// Package kanrikun connects to 採用一括かんりくん, the edition for graduates.
package kanrikun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/internal/seen"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to 採用一括かんりくん.
type Settings struct {
	spec.Settings `yaml:",inline"`
	ClientID      string     `yaml:"client_id"`
	ClientSecret  ats.Secret `yaml:"client_secret"`
	APIURL        string     `yaml:"api_url"` // default https://api.career-cloud.asia
	// ConsentItem is the name of the item of the entry form in which students
	// agree to be introduced. Without it forms are not read.
	ConsentItem string `yaml:"consent_item"`
}

const (
	defaultURL = "https://api.career-cloud.asia"
	// A company may make 1,000 calls an hour.
	perSecond = 0.2
	burst     = 250
	perPage   = 100 // the most that the vendor gives
	// Pages of one call of Poll, and of the list of one status.
	pagesAtOnce = 10
	maxPages    = 2000
)

// statuses are asked for one after the other: a rejection first, and what is
// under way last. Who is moved from one to the other meanwhile is met twice.
var statuses = []int{8, 4, 5, 6, 7, 3, 2, 1}

// A Connector sweeps the students of every status and tells whose selection has
// ended, or goes on again.
type Connector struct {
	*spec.Connector
	api     *api.Client
	tokens  *tokens
	consent string
	now     func() time.Time
}

var (
	_ connectors.Poller  = (*Connector)(nil)
	_ connectors.Pager   = (*Connector)(nil)
	_ connectors.Checker = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{APIURL: defaultURL}
	if err := decode(&set); err != nil {
		return nil, err
	}
	c := &Connector{consent: set.ConsentItem, now: env.Now}
	var errs []error
	if set.ClientID == "" {
		errs = append(errs, errors.New("client_id: required"))
	}
	if set.ClientSecret == "" {
		errs = append(errs, errors.New("client_secret: required"))
	}
	var err error
	c.Connector, err = spec.New(s, set.Settings)
	errs = append(errs, err)
	c.tokens = &tokens{id: set.ClientID, secret: set.ClientSecret, now: env.Now}
	c.tokens.api, err = api.New(env, api.Options{Base: set.APIURL})
	errs = append(errs, err)
	c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: c.tokens.auth, Rate: perSecond, Burst: burst})
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

// tokens gets and keeps the token of a connection.
type tokens struct {
	api    *api.Client
	id     string
	secret ats.Secret
	now    func() time.Time

	mu    sync.Mutex
	token string
	until time.Time
}

// Bounds of a token: it is renewed some time before its end, and an end that is
// smaller than any time of today is a number of seconds.
const (
	early  = time.Minute
	asTime = 1_000_000_000
)

// auth implements api.Auth.
func (t *tokens) auth(ctx context.Context, r *http.Request) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == "" || !t.now().Add(early).Before(t.until) {
		if err := t.renew(ctx); err != nil {
			return fmt.Errorf("getting a token: %w", err)
		}
	}
	r.Header.Set("X-Kanrikun-Token", t.token)
	return nil
}

func (t *tokens) renew(ctx context.Context) error {
	in := map[string]string{"client_id": t.id, "client_secret": string(t.secret)}
	var out struct {
		Token string `json:"access_token"`
		End   int64  `json:"expire_in"` // a Unix time, whatever its name says
	}
	err := t.api.Post(ctx, "/auth/v1.0/token/get", in, &out)
	switch {
	case ats.FaultOf(err) == ats.Invalid || err == nil && out.Token == "":
		return ats.Errorf(ats.Denied, "the vendor gives none: check client_id and client_secret")
	case err != nil:
		return err
	}
	t.token, t.until = out.Token, time.Unix(out.End, 0)
	if out.End < asTime {
		t.until = t.now().Add(time.Duration(out.End) * time.Second)
	}
	return nil
}

// drop forgets the token.
func (t *tokens) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = ""
}

// A student is a row, read as far as it may be kept.
type student struct {
	ID          string `json:"id"`
	Family      string `json:"sei_kanji"`
	Given       string `json:"mei_kanji"`
	FamilyKana  string `json:"sei_kana"`
	GivenKana   string `json:"mei_kana"`
	PCEmail     string `json:"pc_email"`
	MobileEmail string `json:"mobile_email"`
	Status      string `json:"status"`

	consent string
}

// fields are the only ones that are asked for.
var fields = []string{"id", "sei_kanji", "mei_kanji", "sei_kana", "mei_kana", "pc_email", "mobile_email", "status"}

// A cursor is where a sweep stands, and what all sweeps have seen: the students
// whose selection had ended.
type cursor struct {
	Step int    `json:"step"`           // of statuses
	Page int    `json:"page"`           // of that status, the next one
	Read int    `json:"read,omitempty"` // students of that status so far
	Seen string `json:"seen"`
}

func readCursor(text string) (cursor, *seen.Set, error) {
	at := cursor{Page: 1}
	if text != "" && (json.Unmarshal([]byte(text), &at) != nil || at.Page < 1 || at.Step < 0 || at.Step >= len(statuses)) {
		return at, nil, ats.Errorf(ats.Invalid, "the cursor is not one of this connector's")
	}
	set, err := seen.Parse(at.Seen)
	return at, set, err
}

func (at cursor) text(set *seen.Set) string {
	at.Seen = set.Text()
	text, _ := json.Marshal(at) // numbers and a text always can be written
	return string(text)
}

func (at cursor) within() bool { return at.Step > 0 || at.Page > 1 }

// More implements connectors.Pager.
func (*Connector) More(text string) bool {
	at, _, err := readCursor(text)
	return err == nil && at.within()
}

// Poll implements connectors.Poller.
func (c *Connector) Poll(ctx context.Context, text string) (news []connectors.Payload, next string, err error) {
	at, set, err := readCursor(text)
	if err != nil {
		return nil, "", err
	}
	asked := c.now()
	for range pagesAtOnce {
		rows, total, err := c.page(ctx, at.Page, map[string]any{"status": statuses[at.Step]})
		if err != nil {
			return news, at.text(set), err
		}
		for _, row := range rows {
			if !changed(set, row) {
				continue
			}
			p, err := payload(row, asked)
			if err != nil {
				return nil, "", err
			}
			news = append(news, p)
		}
		at.Page, at.Read = at.Page+1, at.Read+len(rows)
		switch {
		case len(rows) == 0 || at.Read >= total:
			at = cursor{Step: (at.Step + 1) % len(statuses), Page: 1}
		case at.Page > maxPages:
			at = cursor{Page: 1}
			return news, at.text(set), ats.Errorf(ats.TooLarge, "more than %d pages of students", maxPages)
		}
		if !at.within() {
			break
		}
	}
	return news, at.text(set), nil
}

// changed notes a row and reports whether it says something new. Its own status
// counts, whatever was searched for.
func changed(set *seen.Set, row student) bool {
	switch row.Status {
	case "1", "2", "3":
		return set.Forget(row.ID)
	}
	return set.Note(row.ID, row.Status)
}

// payload is the news about a row. When they were asked for is all that is known
// of their time.
func payload(row student, asked time.Time) (connectors.Payload, error) {
	out := map[string]any{"student": row, "detected": asked.UTC().Format(time.RFC3339)}
	if row.consent != "" {
		out["consent"] = row.consent
	}
	body, err := json.Marshal(out)
	if err != nil {
		return connectors.Payload{}, fmt.Errorf("writing a student: %w", err)
	}
	return connectors.Payload{Body: body, Received: asked}, nil
}

// An answer is one page of students.
type answer struct {
	Total    *int `json:"total"`
	Students []struct {
		student
		ID     json.Number `json:"id"`
		Status json.Number `json:"status"`
		Items  []struct {
			Name  string `json:"name"`
			Value any    `json:"value"`
		} `json:"ef_items"`
	} `json:"students"`
}

// plainID is what an id looks like.
var plainID = regexp.MustCompile(`^[0-9]{1,18}$`)

// page reads one page of the students who are searched for.
func (c *Connector) page(ctx context.Context, number int, search map[string]any) (rows []student, total int, err error) {
	request := fields
	if c.consent != "" {
		request = append(slices.Clip(request), "ef_items")
	}
	in := map[string]any{"page": number, "size": perPage, "search": search, "request": request}
	var out answer
	err = c.api.Post(ctx, "/new-graduate/v1.0/student/get", in, &out)
	if ats.FaultOf(err) == ats.Denied { // the token may have ended early
		c.tokens.drop()
		err = c.api.Post(ctx, "/new-graduate/v1.0/student/get", in, &out)
	}
	if err != nil {
		return nil, 0, err
	}
	if out.Total == nil {
		return nil, 0, ats.Errorf(ats.Invalid, "the vendor's answer is not a list of students")
	}
	for _, s := range out.Students {
		row := s.student
		row.ID, row.Status = s.ID.String(), s.Status.String()
		if !plainID.MatchString(row.ID) {
			return nil, 0, ats.Errorf(ats.Invalid, "the vendor lists a student without an id")
		}
		for _, item := range s.Items {
			if value, ok := item.Value.(string); ok && c.consent != "" && item.Name == c.consent {
				row.consent = value
			}
		}
		rows = append(rows, row)
	}
	return rows, *out.Total, nil
}
