// Package zohorecruit connects to Zoho Recruit.
package zohorecruit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/verify"
)

// Settings is what a company configures for a connection to Zoho Recruit.
type Settings struct {
	spec.Settings `yaml:",inline"`
	// DataCenter is how the account's addresses end: jp, com, eu, in, com.au.
	DataCenter   string     `yaml:"data_center"`
	ClientID     string     `yaml:"client_id"`
	ClientSecret ats.Secret `yaml:"client_secret"`
	RefreshToken ats.Secret `yaml:"refresh_token"`
	APIURL       string     `yaml:"api_url"`      // default https://recruit.zoho.<data center>/recruit/v2
	AccountsURL  string     `yaml:"accounts_url"` // default https://accounts.zoho.<data center>
}

// Validate reports every problem in s that its own keys have.
func (s Settings) Validate() error {
	var errs []error
	if !dataCenter.MatchString(s.DataCenter) {
		errs = append(errs, errors.New("data_center: required; how the account's addresses end: jp, com, eu, in, com.au"))
	}
	for key, value := range map[string]string{"client_id": s.ClientID, "client_secret": string(s.ClientSecret), "refresh_token": string(s.RefreshToken)} {
		if value == "" {
			errs = append(errs, fmt.Errorf("%s: required; what Zoho sends is not signed, so every application is read again", key))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

var dataCenter = regexp.MustCompile(`^[a-z]{2,3}(\.[a-z]{2})?$`)

const (
	perPage = 200
	overlap = 24 * time.Hour
)

// A Connector reads in Zoho's API what its webhooks only hint at, and looks for
// what they did not tell.
type Connector struct {
	*spec.Connector
	api.Sweeping
	api *api.Client
	set Settings
	now func() time.Time
}

var (
	_ connectors.Redactor   = (*Connector)(nil)
	_ connectors.Completer  = (*Connector)(nil)
	_ connectors.Checker    = (*Connector)(nil)
	_ connectors.Poller     = (*Connector)(nil)
	_ connectors.Pager      = (*Connector)(nil)
	_ connectors.Subscriber = (*Connector)(nil)
	_ connectors.Pusher     = (*Connector)(nil)
	_ connectors.JobLister  = (*Connector)(nil)
)

// Open opens a connection.
func Open(s spec.Spec, env connectors.Env, decode func(any) error) (connectors.Connector, error) {
	var set Settings
	if err := decode(&set); err != nil {
		return nil, err
	}
	plain, err := spec.New(s, set.Settings)
	if err := errors.Join(set.Validate(), err); err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	if set.APIURL == "" {
		set.APIURL = "https://recruit.zoho." + set.DataCenter + "/recruit/v2"
	}
	if set.AccountsURL == "" {
		set.AccountsURL = "https://accounts.zoho." + set.DataCenter
	}
	c := &Connector{Connector: plain, set: set, now: env.Now}
	if err := c.Use(token{}); err != nil {
		return nil, err
	}
	c.api, err = api.New(env, api.Options{Base: set.APIURL, OAuth: &api.OAuth{
		URL: set.AccountsURL + "/oauth/v2/token", Prefix: "Zoho-oauthtoken ", Check: c.home,
		Grant: url.Values{
			"grant_type": {"refresh_token"}, "client_id": {set.ClientID},
			"client_secret": {string(set.ClientSecret)}, "refresh_token": {string(set.RefreshToken)},
		},
	}})
	return c, err
}

// home refuses a token of an account that lives in another data centre.
func (c *Connector) home(answer map[string]any) error {
	domain, _ := answer["api_domain"].(string)
	if domain == "" || strings.HasSuffix(strings.TrimSuffix(domain, "/"), "."+c.set.DataCenter) {
		return nil
	}
	return ats.Errorf(ats.Denied, "data_center: the account is not in %s; see how the address of its console ends", c.set.DataCenter)
}

// token is a secret that comes along in the body. Notifications and one recipe
// call it token, another one tok.
type token struct{}

func (token) at(p connectors.Payload) verify.Token {
	form, err := url.ParseQuery(string(p.Body))
	if isForm(p) && err == nil && !form.Has("token") && form.Has("tok") {
		return verify.Token{Place: verify.Place{Body: "tok"}}
	}
	return verify.Token{Place: verify.Place{Body: "token"}}
}

func isForm(p connectors.Payload) bool {
	kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// Verify implements verify.Scheme.
func (t token) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	return t.at(p).Verify(p, secrets)
}

// Sign implements verify.Scheme.
func (t token) Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error) {
	return t.at(p).Sign(p, secret)
}

// Validate implements verify.Scheme.
func (token) Validate([]connectors.Secret) error { return nil }

type object = map[string]any

// used are the members of a delivery that count. The token and whatever a
// workflow says of a person are not kept.
var used = []string{"application_id", "status", "modified", "updated", "ping", "module", "operation", "ids", "server_time"}

// Redact implements connectors.Redactor.
func (c *Connector) Redact(p connectors.Payload) connectors.Payload {
	unused := func(name string) bool { return !slices.Contains(used, name) }
	if isForm(p) {
		if form, err := url.ParseQuery(string(p.Body)); err == nil {
			maps.DeleteFunc(form, func(name string, _ []string) bool { return unused(name) })
			p.Body = []byte(form.Encode())
		}
		return p
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(p.Body, &body) != nil {
		return p // somebody must look at it
	}
	maps.DeleteFunc(body, func(name string, _ json.RawMessage) bool { return unused(name) })
	if text, err := json.Marshal(body); err == nil {
		p.Body = text
	}
	return p
}

// Complete implements connectors.Completer. Of e only the id counts; everything
// else is what Zoho says now.
func (c *Connector) Complete(ctx context.Context, e *ats.Event) error {
	record, err := c.record(ctx, e.Application)
	switch {
	case ats.FaultOf(err) == ats.NotFound && e.State == ats.Erased:
		e.Evidence = "Zoho no longer has the application"
		return nil
	case ats.FaultOf(err) == ats.NotFound:
		return fmt.Errorf("%w: it was deleted, or the delivery was forged", err)
	case err != nil:
		return err
	case e.State == ats.Erased:
		return ats.Errorf(ats.Invalid, "a deletion was announced, but Zoho still has the application; replay this when it is gone")
	}
	return c.Fill(e, object{"record": record})
}

// State implements connectors.Checker. It is "" for an application that the
// company does not count as any.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	record, err := c.record(ctx, e.Application)
	if err != nil {
		return "", err
	}
	return spec.State(&e, c.Fill(&e, object{"record": record}))
}

// plainID is what an id looks like; anything else could lead a call elsewhere.
var plainID = regexp.MustCompile(`^[0-9]{5,25}$`)

func (c *Connector) record(ctx context.Context, id string) (object, error) {
	if !plainID.MatchString(id) {
		return nil, ats.Errorf(ats.Invalid, "the id is not that of a record; choose the record's id, not a number like ZR_101_APP")
	}
	var answer struct{ Data []object }
	if err := c.api.Get(ctx, "/Applications/"+id, nil, &answer); err != nil {
		return nil, err
	}
	switch {
	case len(answer.Data) == 0: // Zoho says so with 204
		return nil, ats.Errorf(ats.NotFound, "Zoho has no such application")
	case answer.Data[0]["id"] != id:
		return nil, ats.Errorf(ats.Invalid, "Zoho's answer is not the application that was asked for")
	}
	return answer.Data[0], nil
}

// Poll implements connectors.Poller. It finds the changes of which no webhook
// told: how often Zoho repeats one is not known.
func (c *Connector) Poll(ctx context.Context, cursor string) ([]connectors.Payload, string, error) {
	return api.Swept(ctx, cursor, c.now(), overlap, c.page)
}

// page reads the applications that were changed last, until they are old.
func (c *Connector) page(ctx context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
	number := 1
	if s.Page != "" {
		var err error
		if number, err = strconv.Atoi(s.Page); err != nil || number < 1 {
			return nil, "", ats.Errorf(ats.Invalid, "the cursor names no page")
		}
	}
	var found []struct {
		ID        string    `json:"id"`
		UpdatedOn time.Time `json:"Updated_On"`
	}
	more, err := c.list(ctx, "/Applications", number, url.Values{"sort_by": {"Updated_On"}, "sort_order": {"desc"}}, &found)
	if err != nil {
		return nil, "", err
	}
	var news []connectors.Payload
	for _, r := range found {
		if r.UpdatedOn.Before(s.Since) {
			return news, "", nil
		}
		// As if Zoho had notified us; with its time, so that the next change is
		// another one.
		body, err := json.Marshal(object{"module": "Applications", "operation": "update", "ids": []string{r.ID}, "server_time": r.UpdatedOn.UnixMilli()})
		if err != nil {
			return news, "", err
		}
		news = append(news, s.Payload(body, r.UpdatedOn, c.now()))
	}
	if !more {
		return news, "", nil
	}
	return news, strconv.Itoa(number + 1), nil
}

// list reads one page of the records of a module into out. That there are none
// is said with 204.
func (c *Connector) list(ctx context.Context, path string, page int, query url.Values, out any) (more bool, err error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("page", strconv.Itoa(page))
	query.Set("per_page", strconv.Itoa(perPage))
	var raw json.RawMessage
	if err := c.api.Get(ctx, path, query, &raw); err != nil || raw == nil {
		return false, err
	}
	var answer struct {
		Data json.RawMessage
		Info struct {
			MoreRecords bool `json:"more_records"`
		}
	}
	if json.Unmarshal(raw, &answer) != nil || json.Unmarshal(answer.Data, out) != nil {
		return false, ats.Errorf(ats.Invalid, "Zoho's answer is not a list of records")
	}
	return answer.Info.MoreRecords, nil
}

// channelLife is for how long a channel is asked. Zoho ends each after about a
// day.
const channelLife = 23 * time.Hour

// A channel tells us of changes until it expires.
type channel struct {
	ID     string   `json:"channel_id"`
	Events []string `json:"events"`
	Expiry string   `json:"channel_expiry"`
	Token  string   `json:"token"`
	URL    string   `json:"notify_url"`
}

// Subscribe implements connectors.Subscriber. It must be called again before
// the channel ends.
func (c *Connector) Subscribe(ctx context.Context, callback string) (connectors.Subscription, error) {
	i := slices.IndexFunc(c.set.Secrets, func(s connectors.Secret) bool { return s.At(c.now()) })
	if i < 0 {
		return connectors.Subscription{}, ats.Errorf(ats.Invalid, "secrets: none is valid now")
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(callback))
	until := c.now().Add(channelLife).Truncate(time.Second)
	want := channel{
		ID: strconv.FormatUint(h.Sum64()%1e15, 10), Events: []string{"Applications.edit"},
		Expiry: until.Format("2006-01-02T15:04:05-07:00"), Token: c.set.Secrets[i].Value, URL: callback,
	}
	var there struct{ Watch []channel }
	if err := c.api.Get(ctx, "/actions/watch", nil, &there); err != nil {
		return connectors.Subscription{}, err
	}
	write := c.api.Post
	if slices.ContainsFunc(there.Watch, func(one channel) bool { return one.ID == want.ID }) {
		write = c.api.Put
	}
	var answer struct{ Watch []row }
	if err := write(ctx, "/actions/watch", object{"watch": []channel{want}}, &answer); err != nil {
		return connectors.Subscription{}, err
	}
	_, err := one("watch", answer.Watch)
	return connectors.Subscription{ID: want.ID, Until: until}, err
}

// Unsubscribe implements connectors.Subscriber.
func (c *Connector) Unsubscribe(ctx context.Context, id string) error {
	return c.api.Delete(ctx, "/actions/watch", url.Values{"channel_ids": {id}})
}

// A row is what Zoho says of one of the records of a call; the call itself is a
// success.
type row struct {
	Code    string
	Details struct{ ID string }
}

// one returns what an answer says of its only record. Codes that are fine
// besides SUCCESS are in also.
func one(call string, rows []row, also ...string) (row, error) {
	if len(rows) != 1 {
		return row{}, ats.Errorf(ats.Invalid, "%s: Zoho's answer says nothing of the record", call)
	}
	r := rows[0]
	switch {
	case r.Code == "SUCCESS" || slices.Contains(also, r.Code):
		return r, nil
	case r.Code == "BLOCKED_RECORD":
		return r, ats.Errorf(ats.Conflict, "%s: the person opted out there", call)
	case !plainCode.MatchString(r.Code):
		r.Code = "refused"
	}
	return r, ats.Errorf(ats.Invalid, "%s: %s", call, r.Code)
}

// plainCode is what the name of an error looks like.
var plainCode = regexp.MustCompile(`^[A-Z_]{1,40}$`)

// Push implements connectors.Pusher. Somebody whom Zoho knows gets no second
// record, and no second application for the same job.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	switch {
	case err != nil:
		return "", err
	case !plainID.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "want the record's id of a job opening")
	}
	var answer struct{ Data []row }
	person := object{"Last_Name": p.Family, "Email": p.Email}
	if p.Given != "" {
		person["First_Name"] = p.Given
	}
	if err := c.api.Create(ctx, "/Candidates", object{"data": []object{person}}, &answer); err != nil {
		return "", err
	}
	made, err := one("Candidates", answer.Data, "DUPLICATE_DATA")
	if err != nil {
		return "", err
	}
	in := object{"data": []object{{"jobids": []string{jobID}, "ids": []string{made.Details.ID}, "comments": api.Note}}}
	var associated struct{ Data []row }
	if err := c.api.Put(ctx, "/Candidates/actions/associate", in, &associated); err != nil {
		return "", err
	}
	_, err = one("associate", associated.Data, "ALREADY_ASSOCIATED")
	return made.Details.ID, err
}
