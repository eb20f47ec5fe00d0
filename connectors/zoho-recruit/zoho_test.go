package zohorecruit_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
	zohorecruit "github.com/career-relay/connector/connectors/zoho-recruit"
	"github.com/career-relay/connector/connectors/zoho-recruit/zohotest"
)

var start = time.Date(2026, 11, 19, 9, 31, 7, 0, time.UTC)

// A world has an account, a connection to it and one clock for both.
type world struct {
	*zohotest.Server
	at time.Time
}

func (w *world) now() time.Time { return w.at }

func account() *world {
	w := &world{at: start}
	w.Server = zohotest.New("refresh", w.now)
	return w
}

func (w *world) open(settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("zoho-recruit")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: w}, Now: w.now}
	return zohorecruit.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: zoho-recruit\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

const (
	grant    = "data_center: jp\nclient_id: '1000.X'\nclient_secret: client\nrefresh_token: refresh\n"
	settings = "secrets: [token]\n" + grant + "api_url: " + zohotest.URL + "\naccounts_url: " + zohotest.AccountsURL + "\n"
)

func (w *world) connect(tb testing.TB, settings string) *zohorecruit.Connector {
	tb.Helper()
	c, err := w.open(settings)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*zohorecruit.Connector)
}

func hint(id string, state ats.State) ats.Event {
	return ats.Event{Application: id, State: state, Side: ats.Unknown, At: start, Clock: ats.ReceivedClock}
}

func TestComplete(t *testing.T) {
	w := account()
	e := hint(zohotest.Rejected, ats.Rejected)
	// What a forged delivery may say about the person must not survive.
	e.Candidate, e.Job.Title, e.Evidence = ats.Candidate{Name: "forged", Email: "forged@example.jp"}, "forged", "forged"
	if err := w.connect(t, settings).Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: zohotest.Rejected, State: ats.Rejected, Side: ats.Company, Evidence: "status, not confirmed by the company: 不採用", At: start, Clock: ats.SentClock,
		Candidate: ats.Candidate{FamilyName: "髙橋", GivenName: "美咲", Email: zohotest.Known},
		Job:       ats.Job{ID: zohotest.Job, Title: "バックエンドエンジニア（Go）"}, Status: "不採用",
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSituations(t *testing.T) {
	status := func(s string) func(*world) {
		return func(w *world) {
			w.Change(zohotest.Rejected, func(a map[string]any) { a["Application_Status"] = s })
		}
	}
	for name, tt := range map[string]struct {
		change   func(*world)
		settings string
		state    ats.State
		side     ats.Side
	}{
		"the company confirms Hirable": {status("Rejected-Hirable"), "outcomes: {rejected-hirable: rejected}", ats.Rejected, ats.Company},
		"or does not":                  {status("Rejected-Hirable"), "outcomes: {rejected-hirable: ongoing}", ats.Reopened, ats.Company},
		"nobody confirmed Hirable":     {status("Rejected-Hirable"), "", ats.Rejected, ats.Unknown},
		"a word of the company's own":  {status("A判定なし"), "outcomes: {A判定なし: rejected}", ats.Rejected, ats.Company},
		"taken back":                   {status("Interview-Scheduled"), "", ats.Reopened, ats.Company},
		"withdrawn":                    {status("Offer-Declined"), "", ats.Withdrawn, ats.Applicant},
		"a rule of the customer's own": {nil, `events: [{when: .record.Job_Opening_Name | startswith("バック"), state: closed, side: company}]`, ats.Closed, ats.Company},
	} {
		t.Run(name, func(t *testing.T) {
			w := account()
			if tt.change != nil {
				tt.change(w)
			}
			e := hint(zohotest.Rejected, ats.Rejected)
			if err := w.connect(t, settings+tt.settings).Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			if e.State != tt.state || e.Side != tt.side {
				t.Errorf("got %s by %s (%s), want %s by %s", e.State, e.Side, e.Evidence, tt.state, tt.side)
			}
		})
	}
}

func TestDeletion(t *testing.T) {
	w := account()
	c := w.connect(t, settings)
	e := hint(zohotest.Rejected, ats.Erased)
	if err := c.Complete(t.Context(), &e); ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), "Zoho still has the application") {
		t.Errorf("still there: got %v, want invalid", err)
	}
	w.Delete(zohotest.Rejected)
	if err := c.Complete(t.Context(), &e); err != nil || e.State != ats.Erased || e.Evidence != "Zoho no longer has the application" {
		t.Errorf("gone: got %+v, %v", e, err)
	}
}

func TestCompleteFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*world)
		settings string
		id       string
		fault    ats.Fault
		want     string
	}{
		"a forged id":           {id: "401000000999999", fault: ats.NotFound, want: "or the delivery was forged"},
		"a number, not an id":   {id: "ZR_101_APP", fault: ats.Invalid, want: "not a number like ZR_101_APP"},
		"an id that is a way":   {id: "../Candidates/1", fault: ats.Invalid, want: "not that of a record"},
		"another application":   {change: func(w *world) { w.Change(zohotest.Rejected, func(a map[string]any) { a["id"] = "1" }) }, fault: ats.Invalid, want: "not the application that was asked for"},
		"another refresh token": {settings: strings.Replace(settings, "refresh_token: refresh", "refresh_token: other", 1), fault: ats.Denied, want: "getting a token: invalid_code"},
		"another data centre":   {change: func(w *world) { w.Domain = "https://www.zohoapis.eu" }, fault: ats.Denied, want: "data_center: the account is not in jp"},
		"no credits left":       {change: func(w *world) { w.Spend(5000) }, fault: ats.Busy, want: "429"},
		"down":                  {change: func(w *world) { w.Fail(0, 503) }, fault: ats.Busy, want: "503"},
		"the accounts are down": {change: func(w *world) { w.Fail(502) }, fault: ats.Busy, want: "502"},
		"a status nobody knows": {change: func(w *world) {
			w.Change(zohotest.Rejected, func(a map[string]any) { a["Application_Status"] = "Archived" })
		}, fault: ats.Invalid, want: "say in outcomes what it means"},
		"one to be ignored": {change: func(w *world) {
			w.Change(zohotest.Rejected, func(a map[string]any) { a["Application_Status"] = "重複" })
		}, fault: ats.Duplicate, want: "nothing in the answers concerns us"},
	} {
		t.Run(name, func(t *testing.T) {
			w := account()
			if tt.change != nil {
				tt.change(w)
			}
			if tt.settings == "" {
				tt.settings = settings
			}
			if tt.id == "" {
				tt.id = zohotest.Rejected
			}
			e := hint(tt.id, ats.Rejected)
			err := w.connect(t, tt.settings).Complete(t.Context(), &e)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
			for _, leak := range []string{"refresh_token=", "client_secret=", "example", "髙橋"} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("the error holds %q: %v", leak, err)
				}
			}
		})
	}
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*world)
		want   ats.State
		fault  ats.Fault
	}{
		"still rejected": {want: ats.Rejected},
		"taken back": {change: func(w *world) {
			w.Change(zohotest.Rejected, func(a map[string]any) { a["Application_Status"] = "面接調整中" })
		}, want: ats.Reopened},
		"ignored": {change: func(w *world) {
			w.Change(zohotest.Rejected, func(a map[string]any) { a["Application_Status"] = "No-Show" })
		}, want: ""},
		"unknown": {change: func(w *world) {
			w.Change(zohotest.Rejected, func(a map[string]any) { a["Application_Status"] = "Archived" })
		}, fault: ats.Invalid},
		"deleted": {change: func(w *world) { w.Delete(zohotest.Rejected) }, fault: ats.NotFound},
		"down":    {change: func(w *world) { w.Fail(0, 500) }, fault: ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			w := account()
			if tt.change != nil {
				tt.change(w)
			}
			got, err := w.connect(t, settings).State(t.Context(), ats.Event{Application: zohotest.Rejected, State: ats.Rejected, At: start})
			if got != tt.want || ats.FaultOf(err) != tt.fault {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

// TestTokens is how long a token is used.
func TestTokens(t *testing.T) {
	w := account()
	c := w.connect(t, settings)
	ask := func(what string, tokens int) {
		t.Helper()
		if _, err := c.State(t.Context(), ats.Event{Application: zohotest.Rejected}); err != nil || w.Tokens() != tokens {
			t.Errorf("%s: got %v after %d tokens, want %d", what, err, w.Tokens(), tokens)
		}
	}
	ask("the first call", 1)
	w.at = start.Add(50 * time.Minute)
	ask("within the hour", 1)
	w.at = start.Add(60 * time.Minute)
	ask("after it", 2)
	w.Revoke()
	ask("revoked early", 3)
}

// TestToken is where deliveries carry the secret.
func TestToken(t *testing.T) {
	c := account().connect(t, settings)
	const form = "application/x-www-form-urlencoded; charset=UTF-8"
	for name, tt := range map[string]struct {
		kind, body string
		ok         bool
	}{
		"a notification":           {"application/json", `{"token":"token","ids":[]}`, true},
		"without a type":           {"", `{"token":"token"}`, true},
		"the Japanese recipe":      {form, "token=token&application_id=1", true},
		"the other recipe":         {form, "tok=token&application_id=1", true},
		"another token":            {form, "tok=other", false},
		"none":                     {form, "application_id=1", false},
		"an empty one":             {form, "token=", false},
		"tok beside a wrong token": {form, "token=other&tok=token", false},
		"twice":                    {form, "tok=token&tok=token", false},
		"tok in a notification":    {"application/json", `{"tok":"token"}`, false},
		"a form that is not one":   {form, "%zz", false},
		"in the address":           {"application/json", `{}`, false},
	} {
		p := connectors.Payload{Header: http.Header{"Content-Type": {tt.kind}}, Query: url.Values{"token": {"token"}}, Body: []byte(tt.body), Received: start}
		if err := c.Verify(p); (err == nil) != tt.ok || err != nil && ats.FaultOf(err) != ats.Denied {
			t.Errorf("%s: got %v, want ok %t", name, err, tt.ok)
		}
	}
}

// TestRedact is what is kept of a delivery.
func TestRedact(t *testing.T) {
	c := account().connect(t, settings)
	for name, tt := range map[string]struct{ kind, body, want string }{
		"a form":         {"application/x-www-form-urlencoded", "tok=t&token=t&application_id=1&status=x&email=a%40example.jp&last_name=y&modified=z", "application_id=1&modified=z&status=x"},
		"a notification": {"application/json", `{"server_time":1790921709000,"module":"Applications","ids":["1"],"operation":"update","channel_id":"2","token":"t"}`, `{"ids":["1"],"module":"Applications","operation":"update","server_time":1790921709000}`},
		"no JSON":        {"application/json", "no JSON", "no JSON"},
		"no form":        {"application/x-www-form-urlencoded", "%zz", "%zz"},
	} {
		p := c.Redact(connectors.Payload{Header: http.Header{"Content-Type": {tt.kind}}, Body: []byte(tt.body)})
		if string(p.Body) != tt.want {
			t.Errorf("%s: got %s, want %s", name, p.Body, tt.want)
		}
	}
}

// ids are those of the applications that news are about.
func ids(t *testing.T, c *zohorecruit.Connector, news []connectors.Payload) []string {
	t.Helper()
	var out []string
	for _, p := range news {
		events, err := c.Decode(p)
		if err != nil || len(events) != 1 {
			t.Fatalf("got %v, %v", events, err)
		}
		id := events[0].Application
		if p.History() {
			id += " (history)"
		}
		out = append(out, id)
	}
	return out
}

func TestPoll(t *testing.T) {
	w := account()
	c := w.connect(t, settings)
	poll := func(cursor string) ([]connectors.Payload, string) {
		t.Helper()
		news, next, err := c.Poll(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		return news, next
	}
	news, cursor := poll("")
	if len(news) != 0 || cursor == "" {
		t.Fatalf("the first time: got %d news, want none: what is there is not news", len(news))
	}
	w.at = start.Add(time.Hour)
	w.Change(zohotest.Withdrawn, func(map[string]any) {})
	w.at = start.Add(2 * time.Hour)
	news, cursor = poll(cursor)
	if diff := cmp.Diff([]string{zohotest.Withdrawn, zohotest.Rejected, zohotest.Hirable}, ids(t, c, news)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, _ := poll(cursor)
	for i, p := range again[1:] {
		if string(p.Body) != string(news[i+1].Body) {
			t.Errorf("the same change is not the same news: %s and %s", news[i+1].Body, p.Body)
		}
	}
	// Many changes, over several pages.
	w.at = start.Add(30 * time.Hour)
	for i := range 450 {
		w.Add(fmt.Sprintf("4010000005%05d", i), "不採用", nil)
	}
	news, cursor = poll(cursor)
	if len(news) != 453 {
		t.Errorf("got %d news, want 450 and those of the day before", len(news))
	}
	for _, want := range []int{450, 0} {
		w.at = w.at.Add(50 * time.Hour)
		if news, cursor = poll(cursor); len(news) != want {
			t.Errorf("much later: got %d news, want %d", len(news), want)
		}
	}
}

func TestPollOldAndBroken(t *testing.T) {
	w := account()
	c := w.connect(t, settings)
	cursor, err := json.Marshal(map[string]any{"began": start.Add(time.Hour), "since": start.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	news, _, err := c.Poll(t.Context(), string(cursor))
	if diff := cmp.Diff([]string{zohotest.Rejected + " (history)", zohotest.Hirable + " (history)", zohotest.Withdrawn + " (history)"}, ids(t, c, news)); diff != "" || err != nil {
		t.Errorf("from before: got %v (-want +got):\n%s", err, diff)
	}
	for i := range 250 {
		w.Add(fmt.Sprintf("4010000005%05d", i), "不採用", nil)
	}
	w.Fail(0, 503)
	news, next, err := c.Poll(t.Context(), string(cursor))
	if len(news) != 200 || ats.FaultOf(err) != ats.Busy {
		t.Fatalf("broken off: got %d news, %v", len(news), err)
	}
	if news, _, err = c.Poll(t.Context(), next); len(news) != 53 || err != nil {
		t.Errorf("went on: got %d news, %v, want the rest", len(news), err)
	}
	for name, page := range map[string]string{"a page that is none": "x", "below the first": "0"} {
		broken, err := json.Marshal(map[string]any{"began": start, "since": start.Add(-time.Hour), "started": start, "page": page})
		if err != nil {
			t.Fatal(err)
		}
		if news, _, err := c.Poll(t.Context(), string(broken)); err != nil || len(news) != 253 {
			t.Errorf("%s: got %d news, %v, want to begin again", name, len(news), err)
		}
	}
}

const callback = "https://hooks.example.jp/hooks/acme/zoho"

func TestSubscribe(t *testing.T) {
	w := account()
	c := w.connect(t, strings.Replace(settings, "[token]", "[{value: old, until: 2026-01-01}, token]", 1))
	made, err := c.Subscribe(t.Context(), callback)
	if err != nil || made.ID == "" || made.Secret != "" || !made.Until.Equal(start.Add(23*time.Hour)) {
		t.Fatalf("got %+v, %v", made, err)
	}
	if diff := cmp.Diff([]string{callback + " token [Applications.edit] 2026-11-20T08:31:07+00:00"}, w.Channels()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.at = start.Add(20 * time.Hour)
	again, err := c.Subscribe(t.Context(), callback)
	if err != nil || again.ID != made.ID || !again.Until.Equal(start.Add(43*time.Hour)) || len(w.Channels()) != 1 {
		t.Errorf("renewed: got %+v, %v with %d channels", again, err, len(w.Channels()))
	}
	for range 2 { // what is gone is no error
		if err := c.Unsubscribe(t.Context(), made.ID); err != nil || len(w.Channels()) != 0 {
			t.Errorf("got %v and %d channels", err, len(w.Channels()))
		}
	}
	for name, tt := range map[string]struct {
		fails    []int
		callback string
		fault    ats.Fault
		want     string
	}{
		"the list is down":        {[]int{500}, callback, ats.Busy, "500"},
		"the channel is down":     {[]int{0, 500}, callback, ats.Busy, "500"},
		"an address that is long": {nil, callback + strings.Repeat("x", 200), ats.Invalid, "watch: INVALID_DATA"},
	} {
		w.Fail(tt.fails...)
		if _, err := c.Subscribe(t.Context(), tt.callback); ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s: %s", name, err, tt.fault, tt.want)
		}
	}
	expired := w.connect(t, strings.Replace(settings, "[token]", "[{value: old, until: 2026-01-01}]", 1))
	if _, err := expired.Subscribe(t.Context(), callback); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("no valid secret: got %v, want invalid", err)
	}
}

func TestPush(t *testing.T) {
	w := account()
	c := w.connect(t, settings)
	before := w.Candidates()
	person := ats.Candidate{Name: "佐藤 花子", Email: "hanako.sato@example.jp"}
	ref, err := c.Push(t.Context(), person, zohotest.Job)
	if err != nil || ref == "" || w.Candidates() != before+1 || !strings.Contains(w.Comment(ref), "キャリアリレー経由") {
		t.Fatalf("got %q, %v with the comment %q", ref, err, w.Comment(ref))
	}
	if again, err := c.Push(t.Context(), person, zohotest.Job); err != nil || again != ref || w.Candidates() != before+1 {
		t.Errorf("again: got %q, %v, want %q", again, err, ref)
	}
	for name, tt := range map[string]struct {
		person ats.Candidate
		job    string
		fails  []int
		fault  ats.Fault
		want   string
	}{
		"one who opted out":          {ats.Candidate{Name: "Cher", Email: zohotest.Blocked}, zohotest.Job, nil, ats.Conflict, "the person opted out there"},
		"no name":                    {ats.Candidate{Email: "a@example.jp"}, zohotest.Job, nil, ats.Invalid, "no name"},
		"no such job":                {person, "401000000000000", nil, ats.Invalid, "associate: INVALID_DATA"},
		"a job that is a way":        {person, "../x", nil, ats.Invalid, "record's id of a job opening"},
		"nobody knows if it is made": {person, zohotest.Job, []int{502}, ats.Unclear, "502"},
		"not associated":             {person, zohotest.Job, []int{0, 500}, ats.Busy, "500"},
	} {
		w.Fail(tt.fails...)
		if _, err := c.Push(t.Context(), tt.person, tt.job); ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "@") {
			t.Errorf("%s: got %v, want %s: %s", name, err, tt.fault, tt.want)
		}
	}
}

// TestAnswers are answers that the account does not give by itself.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct{ answer, want string }{
		"no row":               {`{"data":[]}`, "says nothing of the record"},
		"a code with a person": {`{"data":[{"code":"misaki@example.jp"}]}`, "Candidates: refused"},
		"a page":               {`<html>`, "not the JSON"},
	} {
		w := account()
		answer := w.Answer
		w.Answer = func(rw http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/Candidates") {
				answer(rw, r)
				return
			}
			_, _ = rw.Write([]byte(tt.answer))
		}
		_, err := w.connect(t, settings).Push(t.Context(), ats.Candidate{Name: "佐藤 花子", Email: "hanako@example.jp"}, zohotest.Job)
		if ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "misaki") {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

func TestSettings(t *testing.T) {
	w := account()
	for name, tt := range map[string]struct{ settings, want string }{
		"no grant":               {"secrets: [s]", "client_id: required; what Zoho sends is not signed, so every application is read again\nclient_secret: required"},
		"no data centre":         {"secrets: [s]", "data_center: required"},
		"a whole address":        {"secrets: [s]\ndata_center: recruit.zoho.jp", "data_center: required"},
		"no secret":              {grant, "secrets: required"},
		"an unknown key":         {settings + "statuses: {}", "field statuses not found"},
		"an address without TLS": {"secrets: [s]\n" + grant + "api_url: http://zoho.test", "must begin with https://"},
		"accounts without TLS":   {"secrets: [s]\n" + grant + "accounts_url: http://zoho.test", "must begin with https://"},
	} {
		if _, err := w.open(tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	if _, err := w.open("secrets: [s]\n" + strings.Replace(grant, "jp", "com.au", 1)); err != nil {
		t.Errorf("another data centre: got %v", err)
	}
}

// TestAccount keeps the stand-in as strict as Zoho.
func TestAccount(t *testing.T) {
	w := account()
	call := func(method, address, token, kind, body string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		r.Header.Set("Content-Type", kind)
		answer, err := w.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	const form = "application/x-www-form-urlencoded"
	if got := call("GET", zohotest.AccountsURL+"/oauth/v2/token", "", form, ""); got.StatusCode != http.StatusBadRequest {
		t.Errorf("a token by GET: got %d", got.StatusCode)
	}
	call("POST", zohotest.AccountsURL+"/oauth/v2/token", "", form, "grant_type=refresh_token&refresh_token=refresh&client_id=a&client_secret=b")
	const good = "Zoho-oauthtoken 1000.token-1"
	for name, tt := range map[string]struct {
		method, path, token, body string
		status                    int
	}{
		"no token":               {"GET", "/Applications/" + zohotest.Rejected, "", "", 401},
		"a bearer token":         {"GET", "/Applications/" + zohotest.Rejected, "Bearer 1000.token-1", "", 401},
		"an application":         {"GET", "/Applications/" + zohotest.Rejected, good, "", 200},
		"an unknown application": {"GET", "/Applications/1", good, "", 204},
		"an unknown module":      {"GET", "/Leads/1", good, "", 404},
		"too many on a page":     {"GET", "/Applications?sort_by=Updated_On&sort_order=desc&page=1&per_page=201", good, "", 400},
		"another order":          {"GET", "/Applications?sort_by=Updated_On&sort_order=asc&page=1&per_page=10", good, "", 400},
		"behind the last page":   {"GET", "/Applications?sort_by=Updated_On&sort_order=desc&page=9&per_page=10", good, "", 204},
		"no channel":             {"GET", "/actions/watch", good, "", 204},
		"a channel by PATCH":     {"PATCH", "/actions/watch", good, "", 405},
		"an unknown channel":     {"DELETE", "/actions/watch?channel_ids=1", good, "", 404},
		"no JSON":                {"POST", "/Candidates", good, "x", 400},
	} {
		if got := call(tt.method, zohotest.URL+tt.path, tt.token, "application/json", tt.body).StatusCode; got != tt.status {
			t.Errorf("%s: got %d, want %d", name, got, tt.status)
		}
	}
	w.at = start.Add(61 * time.Minute)
	if got := call("GET", zohotest.URL+"/Applications/"+zohotest.Rejected, good, "", "").StatusCode; got != http.StatusUnauthorized {
		t.Errorf("after an hour: got %d, want 401", got)
	}
}
