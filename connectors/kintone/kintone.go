// Package kintone connects to companies that run their hiring in a kintone app.
package kintone

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/internal/fields"
	"github.com/career-relay/connector/connectors/internal/seen"
	"github.com/career-relay/connector/connectors/spec"
)

// Settings is what a company configures for a connection to one kintone app.
type Settings struct {
	spec.Settings `yaml:",inline"`
	APIURL        string     `yaml:"api_url"` // https://<subdomain>.cybozu.com
	APIKey        ats.Secret `yaml:"api_key"` // an API token of the app that may view records
	App           string     `yaml:"app"`     // its number
	Fields        fields.Map `yaml:"fields"`  // by their codes
	// ConsentValue is what the field of the consent holds when somebody agreed
	// to be introduced. Without it the usual words for yes count.
	ConsentValue string `yaml:"consent_value"`
	Push         *Push  `yaml:"push"`
}

// shortest is the least length of the secret in the address: nothing else keeps
// strangers out.
const shortest = 32

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	if s.APIURL == "" {
		errs = append(errs, errors.New("api_url: required; write https://<subdomain>.cybozu.com"))
	}
	if s.APIKey == "" {
		errs = append(errs, errors.New("api_key: required; kintone signs nothing, so every record is read again"))
	}
	if !plainID.MatchString(s.App) {
		errs = append(errs, errors.New("app: required; write the number of the app"))
	}
	for i, secret := range s.Secrets {
		if n := len(secret.Value); n > 0 && n < shortest {
			errs = append(errs, fmt.Errorf("secrets[%d]: has %d characters, want %d random ones", i, n, shortest))
		}
	}
	return errors.Join(append(errs, s.Fields.Validate())...)
}

const (
	perSecond = 5
	burst     = 10
	perPage   = 500 // the most that kintone gives
	// Pages of one call of Poll. Pages go by the number of the record, so that
	// no list is endless.
	pagesAtOnce = 10
	// overlap is how far a sweep looks back before the last one.
	overlap        = 24 * time.Hour
	defaultUpdated = "更新日時"
)

// A Connector sweeps the app, whenever its webhooks hint at a change and for
// what no webhook tells of, and reads again what it tells.
type Connector struct {
	*spec.Connector
	api   *api.Client
	host  string
	set   Settings
	reads fields.Reader
	now   func() time.Time
}

var (
	_ connectors.Completer = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.Redactor  = (*Connector)(nil)
	_ connectors.Poller    = (*Connector)(nil)
	_ connectors.Pager     = (*Connector)(nil)
	_ connectors.Pusher    = (*Connector)(nil)
	_ connectors.Finder    = (*Connector)(nil)
	_ connectors.Addresser = (*Connector)(nil)
)

// Address implements connectors.Addresser.
func (*Connector) Address(callback string) string { return callback + "?key=<the secret>" }

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	set := Settings{Fields: fields.Map{UpdatedAt: defaultUpdated}}
	if err := decode(&set); err != nil {
		return nil, err
	}
	c := &Connector{set: set, now: env.Now}
	errs := []error{set.Validate()}
	var err error
	c.reads = fields.Reader{Map: set.Fields, ConsentValue: set.ConsentValue}
	c.reads.Words, err = spec.NewVocabulary("outcomes", set.Outcomes)
	errs = append(errs, err)
	set.Outcomes = nil // they are read here, together with the usual words
	c.Connector, err = spec.New(s, set.Settings)
	errs = append(errs, err)
	if set.APIURL != "" {
		c.api, err = api.New(env, api.Options{Base: set.APIURL, Auth: api.Header("X-Cybozu-API-Token", "", set.APIKey), Rate: perSecond, Burst: burst})
		errs = append(errs, err)
	}
	if u, err := url.Parse(set.APIURL); err == nil {
		c.host = u.Host
	}
	if err := errors.Join(errs...); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return c, nil
}

// A notice is as much of a webhook as counts: which record is to be read.
type notice struct {
	ID   string `json:"id,omitempty"` // of the notice
	Type string `json:"type"`
	App  struct {
		ID string `json:"id"`
	} `json:"app"`
	Record *struct {
		ID       value `json:"$id"`
		Revision value `json:"$revision"`
	} `json:"record,omitempty"`
	RecordID  string `json:"recordId,omitempty"` // where there is no record
	DeletedAt string `json:"deletedAt,omitempty"`
	URL       string `json:"url,omitempty"`
}

type value struct {
	Value string `json:"value"`
}

// Redact implements connectors.Redactor. The record in a webhook may be forged
// and is never used, and the secret is in the address.
func (c *Connector) Redact(p connectors.Payload) connectors.Payload {
	p.Query = maps.Clone(p.Query)
	delete(p.Query, "key")
	var n notice
	if json.Unmarshal(p.Body, &n) != nil {
		return p // somebody must look at it
	}
	if body, err := json.Marshal(n); err == nil {
		p.Body = body
	}
	return p
}

// Decode implements connectors.Connector.
func (c *Connector) Decode(p connectors.Payload) ([]ats.Event, error) {
	events, err := c.Connector.Decode(p)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	var n notice
	if json.Unmarshal(p.Body, &n) != nil || n.App.ID != c.set.App {
		return nil, ats.Errorf(ats.Invalid, "it is about another app than the connection's")
	}
	if u, err := url.Parse(n.URL); err != nil || n.URL != "" && u.Host != c.host {
		return nil, ats.Errorf(ats.Invalid, "it names another host than the connection's")
	}
	_, err = c.recordOf(events[0])
	return events, err
}

// plainID is what a number of an app or a record looks like; anything else could
// lead a call elsewhere.
var plainID = regexp.MustCompile(`^[0-9]{1,18}$`)

// recordOf is the number of the record of an event, whose application is named
// by the app and the record.
func (c *Connector) recordOf(e ats.Event) (string, error) {
	app, id, _ := strings.Cut(e.Application, ":")
	if app != c.set.App || !plainID.MatchString(id) {
		return "", ats.Errorf(ats.Invalid, "the id is not that of a record of this app")
	}
	return id, nil
}

// A record is one as the API gives it: code → {type, value}.
type record map[string]struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// text is the text in a field, "" when there is none.
func (r record) text(code string) string {
	s, _ := r[code].Value.(string)
	return s
}

// texts are all texts in a field: one, or those that are ticked.
func (r record) texts(code string) []string {
	list, ok := r[code].Value.([]any)
	if !ok {
		return []string{r.text(code)}
	}
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// read reads a record.
func (c *Connector) read(ctx context.Context, e ats.Event) (record, error) {
	id, err := c.recordOf(e)
	if err != nil {
		return nil, err
	}
	var answer struct{ Record record }
	if err := c.api.Get(ctx, "/k/v1/record.json", url.Values{"app": {c.set.App}, "id": {id}}, &answer); err != nil {
		return nil, err
	}
	if answer.Record.text("$id") != id {
		return nil, ats.Errorf(ats.Invalid, "kintone's answer is not the record that was asked for")
	}
	return answer.Record, nil
}

// fill puts what a record says into e. Of a selection that goes on nothing about
// the person is needed.
func (c *Connector) fill(e *ats.Event, r record) error {
	if err := c.Fill(e, c.reads.Answers(e.Application, r.texts)); err != nil {
		return err
	}
	if e.State == ats.Reopened {
		e.Candidate, e.Job, e.Problems, e.Consent, e.PersonalLine = ats.Candidate{}, ats.Job{}, nil, "", ""
	}
	return nil
}

// Complete implements connectors.Completer. Of e only the id counts.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	r, err := c.read(ctx, *e)
	switch {
	case ats.FaultOf(err) == ats.NotFound && e.State == ats.Erased:
		e.Evidence = "kintone no longer has the record"
		return nil
	case ats.FaultOf(err) == ats.NotFound:
		return fmt.Errorf("%w: the record was deleted, or the delivery was forged", err)
	case err != nil:
		return err
	case e.State == ats.Erased:
		return ats.Errorf(ats.Invalid, "a deletion was announced, but kintone still has the record")
	}
	return c.fill(e, r)
}

// State implements connectors.Checker. It is "" for a record that the company
// does not count as an application.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	r, err := c.read(ctx, e)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.fill(&e, r))
}

// A cursor is where a sweep stands, and what all sweeps have seen: the records
// whose selection had ended.
type cursor struct {
	Since   time.Time `json:"since,omitzero"`   // of what was changed is asked from here on; zero for all
	Started time.Time `json:"started,omitzero"` // of the sweep under way; zero for none
	Last    string    `json:"last,omitempty"`   // its last record so far
	Seen    string    `json:"seen"`
}

func readCursor(text string) (cursor, *seen.Set, error) {
	var at cursor
	if text != "" && (json.Unmarshal([]byte(text), &at) != nil || at.Since.IsZero() && at.Started.IsZero() || at.Last != "" && !plainID.MatchString(at.Last)) {
		return at, nil, ats.Errorf(ats.Invalid, "the cursor is not one of this connector's")
	}
	set, err := seen.Parse(at.Seen)
	return at, set, err
}

func (at cursor) text(set *seen.Set) string {
	at.Seen = set.Text()
	text, _ := json.Marshal(at) // times and texts always can be written
	return string(text)
}

// More implements connectors.Pager.
func (*Connector) More(text string) bool {
	at, _, err := readCursor(text)
	return err == nil && !at.Started.IsZero()
}

// query asks for the records behind the last one, by their number: nothing that
// changes meanwhile shifts them.
func (c *Connector) query(at cursor) url.Values {
	last := at.Last
	if last == "" {
		last = "0"
	}
	q := fmt.Sprintf("$id > %s order by $id asc limit %d", last, perPage)
	if !at.Since.IsZero() {
		q = fmt.Sprintf("%s >= %q and %s", c.set.Fields.UpdatedAt, at.Since.UTC().Format(time.RFC3339), q)
	}
	return url.Values{"app": {c.set.App}, "query": {q}}
}

// Poll implements connectors.Poller. The first sweep fills the memory and tells
// nothing; later ones tell which records are to be read.
func (c *Connector) Poll(ctx context.Context, text string) (news []connectors.Payload, next string, err error) {
	at, set, err := readCursor(text)
	if err != nil {
		return nil, "", err
	}
	if at.Started.IsZero() {
		at.Started = c.now()
	}
	for range pagesAtOnce {
		var answer struct{ Records []record }
		if err := c.api.Get(ctx, "/k/v1/records.json", c.query(at), &answer); err != nil {
			return news, at.text(set), err
		}
		if answer.Records == nil {
			return news, at.text(set), ats.Errorf(ats.Invalid, "kintone's answer is not a list of records")
		}
		for _, r := range answer.Records {
			if before, now := number(at.Last), number(r.text("$id")); now <= before {
				return nil, "", ats.Errorf(ats.Invalid, "kintone's list is not in the order of its records")
			}
			at.Last = r.text("$id")
			p, changed := c.changed(set, r)
			if changed && !at.Since.IsZero() {
				news = append(news, p)
			}
		}
		if len(answer.Records) < perPage {
			at = cursor{Since: at.Started.Add(-overlap)}
			break
		}
	}
	return news, at.text(set), nil
}

// number is what the id of a record counts; 0 for what is none.
func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

// changed notes a record and tells to read it when it ended, or goes on again.
func (c *Connector) changed(set *seen.Set, r record) (connectors.Payload, bool) {
	id := r.text("$id")
	e := ats.Event{Application: c.set.App + ":" + id, At: c.now()}
	answers := c.reads.Answers(e.Application, r.texts)
	err := c.Fill(&e, answers)
	state := string(e.State)
	if fault := ats.FaultOf(err); err != nil && fault != ats.Duplicate {
		state = "parked"
	}
	var changed bool
	switch state {
	case "", string(ats.Reopened):
		changed = set.Forget(id)
	default:
		changed = set.Note(id, fmt.Sprint(state, " ", answers["label"]))
	}
	// A stranger must not be able to take the name of this notice before it
	// comes, so it has a code in it.
	mac := hmac.New(sha256.New, []byte(c.set.APIKey))
	_, _ = fmt.Fprintf(mac, "%s %s %s", e.Application, r.text("$revision"), state)
	n := notice{ID: "sweep-" + hex.EncodeToString(mac.Sum(nil)[:16]), Type: "SWEEP", RecordID: id}
	n.App.ID = c.set.App
	body, _ := json.Marshal(n) // texts always can be written
	return connectors.Payload{Body: body, Received: c.now()}, changed
}
