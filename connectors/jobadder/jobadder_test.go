package jobadder_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/jobadder"
	"github.com/career-relay/connector/connectors/jobadder/jobaddertest"
	"github.com/career-relay/connector/connectors/spec"
)

var sentAt = time.Date(2026, 10, 2, 6, 15, 9, 0, time.UTC)

const (
	callback = "https://relay.example.jp/hooks/acme/jobadder"
	settings = "secrets: ['Bearer echo']\nclient_id: client\nclient_secret: hidden\nrefresh_token: refresh\n"
)

// A lab is one connection to one account.
type lab struct {
	*jobaddertest.Server
	conn *jobadder.Connector
	at   time.Time
	log  bytes.Buffer
}

func (l *lab) open(settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("jobadder")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{
		HTTP: &http.Client{Transport: l.Server}, Now: func() time.Time { return l.at }, URL: callback, Log: slog.New(slog.NewTextHandler(&l.log, nil)),
	}
	return jobadder.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: jobadder\napi_url: " + jobaddertest.URL + "\ntoken_url: " + jobaddertest.TokenURL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func newLab(t *testing.T, more string) *lab {
	t.Helper()
	l := &lab{at: sentAt}
	var err error
	if l.Server, err = jobaddertest.New("refresh", func() time.Time { return l.at }); err != nil {
		t.Fatal(err)
	}
	conn, err := l.open(settings + more)
	if err != nil {
		t.Fatal(err)
	}
	l.conn = conn.(*jobadder.Connector)
	return l
}

func hint(id string) ats.Event {
	return ats.Event{Application: id, State: ats.Rejected, Side: ats.Unknown, At: sentAt, Clock: ats.SentClock, Status: "jobapplication_status_changed"}
}

func TestComplete(t *testing.T) {
	l := newLab(t, "")
	e := hint(jobaddertest.Rejected)
	// What a forged delivery may say about the person must not survive.
	e.Candidate, e.Evidence = ats.Candidate{ID: "forged", Name: "forged", Email: "forged@example.jp"}, "forged"
	if err := l.conn.Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: jobaddertest.Rejected, State: ats.Rejected, Side: ats.Company, Evidence: "rejected status, not confirmed by the company: Unsuccessful - interview",
		At: sentAt, Clock: ats.SentClock, Candidate: ats.Candidate{ID: jobaddertest.Candidate, FamilyName: "佐藤", GivenName: "美咲", Email: "misaki.sato@example.jp"},
		Job: ats.Job{ID: jobaddertest.Job, Title: "Senior Backend Engineer"}, Stage: "Rejected", StageKind: ats.Interview, Status: "Unsuccessful - interview", Reason: "Unsuccessful - interview", Source: "Company website",
	}
	if diff := cmp.Diff(want, e); diff != "" || l.Calls() != 3 {
		t.Errorf("after %d calls (-want +got):\n%s", l.Calls(), diff)
	}
}

func TestSituations(t *testing.T) {
	put := func(status int) func(*lab) { return func(l *lab) { l.Put(jobaddertest.Rejected, status, sentAt) } }
	for name, tt := range map[string]struct {
		id       string
		change   func(*lab)
		settings string
		state    ats.State
		side     ats.Side
		address  bool
	}{
		"a withdrawal":             {id: jobaddertest.Withdrawn, state: ats.Withdrawn, side: ats.Applicant, address: true},
		"taken back":               {change: put(jobaddertest.Interview), state: ats.Reopened, side: ats.Company},
		"placed":                   {change: put(jobaddertest.Placed), state: ats.Reopened, side: ats.Unknown},
		"placed, says the company": {change: put(jobaddertest.Placed), settings: "outcomes: {placed: hired}", state: ats.Hired, side: ats.Company, address: true},
		"what the company says":    {settings: "outcomes: {Unsuccessful - interview: withdrawn}", state: ats.Withdrawn, side: ats.Applicant, address: true},
		"a status that is gone":    {change: put(99), state: ats.Reopened, side: ats.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, tt.settings)
			if tt.change != nil {
				tt.change(l)
			}
			if tt.id == "" {
				tt.id = jobaddertest.Rejected
			}
			e := hint(tt.id)
			if err := l.conn.Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			if e.State != tt.state || e.Side != tt.side || (e.Candidate.Email != "") != tt.address {
				t.Errorf("got %s by %s, address %t, want %s by %s, %t", e.State, e.Side, e.Candidate.Email != "", tt.state, tt.side, tt.address)
			}
		})
	}
}

func TestCompleteFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*lab)
		settings string
		event    ats.Event
		fault    ats.Fault
		want     string
	}{
		"a forged id":              {event: hint("1"), fault: ats.NotFound, want: "or the delivery was forged"},
		"an id that is a way":      {event: hint("../users/current"), fault: ats.Invalid, want: "is not one of JobAdder's"},
		"JobAdder is down":         {change: func(l *lab) { l.Fail(0, 500) }, event: hint(jobaddertest.Rejected), fault: ats.Busy, want: "500"},
		"the statuses are down":    {change: func(l *lab) { l.Fail(0, 0, 429) }, event: hint(jobaddertest.Rejected), fault: ats.Busy, want: "429"},
		"the tokens are down":      {change: func(l *lab) { l.Fail(503) }, event: hint(jobaddertest.Rejected), fault: ats.Busy, want: "503"},
		"the refresh token is old": {settings: "other", event: hint(jobaddertest.Rejected), fault: ats.Denied, want: "check the OAuth client and the refresh token"},
		"a status to be ignored":   {settings: "outcomes: {Unsuccessful - interview: ignored}", event: hint(jobaddertest.Rejected), fault: ats.Duplicate, want: "nothing in the answers"},
		"the account is elsewhere": {
			change: func(l *lab) { l.Move("https://us1api.jobadder.com/v2") }, event: hint(jobaddertest.Rejected), fault: ats.Invalid, want: "api_url: write https://us1api.jobadder.com/v2",
		},
		"the account is with strangers": {
			change: func(l *lab) { l.Move("https://jobadder.com.evil.test/v2") }, event: hint(jobaddertest.Rejected), fault: ats.Invalid, want: "outside of its own addresses",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "")
			set := settings + tt.settings
			if tt.settings == "other" {
				set = strings.Replace(settings, "refresh_token: refresh", "refresh_token: other", 1)
			}
			conn, err := l.open(set)
			if err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(l)
			}
			err = conn.(connectors.Completer).Complete(t.Context(), &tt.event)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

// TestTokens renews what has ended, and what was ended before its time.
func TestTokens(t *testing.T) {
	l := newLab(t, "")
	read := func() {
		t.Helper()
		if _, err := l.conn.State(t.Context(), hint(jobaddertest.Rejected)); err != nil {
			t.Fatal(err)
		}
	}
	read()
	read()
	if l.Renewals != 1 {
		t.Errorf("%d tokens were asked for, want one", l.Renewals)
	}
	l.at = l.at.Add(time.Hour)
	read()
	l.Expire()
	read()
	if l.Renewals != 3 {
		t.Errorf("%d tokens were asked for, want one more after an hour, and one after the end", l.Renewals)
	}
}

func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*lab)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":         {want: ats.Rejected},
		"taken back":             {change: func(l *lab) { l.Put(jobaddertest.Rejected, jobaddertest.Interview, sentAt) }, want: ats.Reopened},
		"withdrawn after all":    {change: func(l *lab) { l.Put(jobaddertest.Rejected, jobaddertest.Withdrew, sentAt) }, want: ats.Withdrawn},
		"a status to be ignored": {settings: "outcomes: {Unsuccessful - interview: ignored}", want: ""},
		"deleted":                {change: func(l *lab) { l.Delete(jobaddertest.Rejected) }, fault: ats.NotFound},
		"JobAdder is down":       {change: func(l *lab) { l.Fail(0, 503) }, fault: ats.Busy},
	} {
		l := newLab(t, tt.settings)
		if tt.change != nil {
			tt.change(l)
		}
		got, err := l.conn.State(t.Context(), ats.Event{Application: jobaddertest.Rejected, State: ats.Rejected})
		if got != tt.want || ats.FaultOf(err) != tt.fault || tt.fault == "" && err != nil {
			t.Errorf("%s: got %q, %v, want %q, %q", name, got, err, tt.want, tt.fault)
		}
	}
}

// TestPoll watches over a webhook that is suspended in the meantime.
func TestPoll(t *testing.T) {
	l := newLab(t, "")
	if _, err := l.conn.Subscribe(t.Context(), callback); err != nil {
		t.Fatal(err)
	}
	news, cursor, err := l.conn.Poll(t.Context(), "")
	if len(news) != 0 || err != nil {
		t.Fatalf("the first time: got %d, %v", len(news), err)
	}
	began := l.at
	l.Delete(jobaddertest.Rejected)
	l.Delete(jobaddertest.Withdrawn)
	for i := range 450 {
		l.Put(strconv.Itoa(900000+i), jobaddertest.Unsuccessful, began.Add(20*time.Minute))
	}
	l.Put("800001", jobaddertest.Unsuccessful, began.Add(-24*time.Hour)) // untouched since
	l.Put("800002", jobaddertest.Interview, began.Add(20*time.Minute))

	l.at = began.Add(15 * time.Minute)
	if news, cursor, err = l.conn.Poll(t.Context(), cursor); len(news) != 0 || err != nil {
		t.Fatalf("while it is well: got %d, %v", len(news), err)
	}
	l.at = began.Add(30 * time.Minute)
	l.Hooks[0]["status"] = "Suspended"
	l.Fail(0, 0, 0, 503) // list, switch on, page, page
	news, cursor, err = l.conn.Poll(t.Context(), cursor)
	if ats.FaultOf(err) != ats.Busy || len(news) != 200 || l.Hooks[0]["status"] != "Enabled" || !l.conn.More(cursor) {
		t.Fatalf("got %d, %v, the webhook is %v, want a page and busy", len(news), err, l.Hooks[0]["status"])
	}
	if !strings.Contains(l.log.String(), "webhook was suspended") {
		t.Errorf("the log does not say it: %s", l.log.String())
	}
	more, cursor, err := l.conn.Poll(t.Context(), cursor)
	if err != nil || len(news)+len(more) != 450 || l.conn.More(cursor) {
		t.Fatalf("then: got %d, %v, want the rest of 450", len(more), err)
	}
	for _, p := range append(news, more...) {
		events, err := l.conn.Decode(p)
		if err != nil || len(events) != 1 || !events[0].History || events[0].State != ats.Rejected {
			t.Fatalf("%s: got %+v, %v, want history", p.Body, events, err)
		}
	}
	l.at = began.Add(45 * time.Minute)
	if news, _, err = l.conn.Poll(t.Context(), cursor); len(news) != 0 || err != nil {
		t.Errorf("well again: got %d, %v", len(news), err)
	}
}

func TestPollOfOtherWebhooks(t *testing.T) {
	l := newLab(t, "")
	_, cursor, _ := l.conn.Poll(t.Context(), "")
	l.Hooks = []map[string]any{{"webhookId": "a-1", "url": "https://elsewhere.test", "status": "Suspended", "events": []string{"x"}}}
	l.at = l.at.Add(time.Hour)
	if news, _, err := l.conn.Poll(t.Context(), cursor); len(news) != 0 || err != nil || l.Hooks[0]["status"] != "Suspended" {
		t.Errorf("got %d, %v, and the other is %v", len(news), err, l.Hooks[0]["status"])
	}
	l.Hooks[0]["url"], l.Hooks[0]["webhookId"] = callback, "../x"
	if _, _, err := l.conn.Poll(t.Context(), cursor); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("an id that is a way: got %v", err)
	}
	l.Fail(403)
	if _, _, err := l.conn.Poll(t.Context(), cursor); ats.FaultOf(err) != ats.Denied {
		t.Errorf("webhooks that may not be read: got %v", err)
	}
}

// TestPollWhilePagesMove takes rejections back while they are read.
func TestPollWhilePagesMove(t *testing.T) {
	l := newLab(t, "")
	if _, err := l.conn.Subscribe(t.Context(), callback); err != nil {
		t.Fatal(err)
	}
	_, cursor, _ := l.conn.Poll(t.Context(), "")
	for i := range 450 {
		l.Put(strconv.Itoa(900000+i), jobaddertest.Unsuccessful, l.at.Add(time.Minute))
	}
	l.Hooks[0]["status"] = "Suspended"
	l.at = l.at.Add(time.Hour)
	answer, pages := l.Answer, 0
	l.Answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("offset") {
			if pages++; pages == 2 {
				l.Unlock()
				for i := range 10 {
					l.Put(strconv.Itoa(900000+i), jobaddertest.Interview, l.at)
				}
				l.Lock()
			}
		}
		answer(w, r)
	}
	news, _, err := l.conn.Poll(t.Context(), cursor)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range news {
		events, err := l.conn.Decode(p)
		if err != nil {
			t.Fatal(err)
		}
		seen[events[0].Application] = true
	}
	for i := 10; i < 450; i++ {
		if id := strconv.Itoa(900000 + i); !seen[id] {
			t.Errorf("%s was lost", id)
		}
	}
}

func TestSubscribe(t *testing.T) {
	l := newLab(t, "")
	first, err := l.conn.Subscribe(t.Context(), callback)
	if err != nil || first.ID == "" {
		t.Fatalf("got %+v, %v", first, err)
	}
	want := []map[string]any{{
		"webhookId": first.ID, "name": "Career Relay", "events": []any{"jobapplication_status_changed"}, "url": callback, "authorization": "Bearer echo", "status": "Enabled",
	}}
	if diff := cmp.Diff(want, l.Hooks); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	l.Hooks[0]["status"] = "Suspended"
	again, err := l.conn.Subscribe(t.Context(), callback)
	if err != nil || again.ID != first.ID || len(l.Hooks) != 1 || l.Hooks[0]["status"] != "Enabled" {
		t.Errorf("once more: got %+v, %v with %v", again, err, l.Hooks)
	}
	for range 2 {
		if err := l.conn.Unsubscribe(t.Context(), first.ID); err != nil || len(l.Hooks) != 0 {
			t.Errorf("removing: got %v with %d webhooks", err, len(l.Hooks))
		}
	}
	if err := l.conn.Unsubscribe(t.Context(), "../x"); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("an id that is a way: got %v", err)
	}
}

func TestPush(t *testing.T) {
	person := ats.Candidate{Name: "鈴木 花子", Email: "hanako.suzuki@example.jp"}
	l := newLab(t, "")
	ref, err := l.conn.Push(t.Context(), person, jobaddertest.Job)
	want := []map[string]any{
		{"firstName": "花子", "lastName": "鈴木", "email": "hanako.suzuki@example.jp", "source": "Career Relay"}, {"candidateId": []any{float64(550900)}},
	}
	if diff := cmp.Diff(want, l.Created); diff != "" || ref != "880900" || err != nil {
		t.Errorf("got %q, %v (-want +got):\n%s", ref, err, diff)
	}
	l = newLab(t, "")
	known := ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}
	if ref, err := l.conn.Push(t.Context(), known, jobaddertest.Job); ref != jobaddertest.Rejected || err != nil || len(l.Created) != 0 {
		t.Errorf("somebody who has applied: got %q, %v after creating %v", ref, err, l.Created)
	}
	for name, tt := range map[string]struct {
		candidate ats.Candidate
		job       string
		fail      []int // token, search, candidate, search, application
		fault     ats.Fault
	}{
		"nobody":                              {ats.Candidate{}, jobaddertest.Job, nil, ats.Invalid},
		"a job that is a way":                 {person, "../x", nil, ats.Invalid},
		"a job that is not there":             {person, "7", nil, ats.NotFound},
		"the search fails":                    {person, jobaddertest.Job, []int{0, 500}, ats.Busy},
		"nobody knows of the candidate":       {person, jobaddertest.Job, []int{0, 0, 500}, ats.Unclear},
		"another candidate has the address":   {person, jobaddertest.Job, []int{0, 0, 409}, ats.Conflict},
		"nobody knows of the application":     {person, jobaddertest.Job, []int{0, 0, 0, 0, 502}, ats.Unclear},
		"the applications cannot be searched": {person, jobaddertest.Job, []int{0, 0, 0, 429}, ats.Busy},
	} {
		l := newLab(t, "")
		l.Fail(tt.fail...)
		if _, err := l.conn.Push(t.Context(), tt.candidate, tt.job); ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
}

func TestSettings(t *testing.T) {
	l := newLab(t, "")
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing at all": {"", "client_id: required; JobAdder's webhooks hold no person\nclient_secret: required; JobAdder's webhooks hold no person\nrefresh_token: required"},
		"no secret":      {strings.Replace(settings, "secrets: ['Bearer echo']\n", "", 1), "secrets: required"},
		"an unknown key": {settings + "region: au", "field region not found"},
	} {
		if _, err := l.open(tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestServer keeps the stand-in as strict as JobAdder.
func TestServer(t *testing.T) {
	l := newLab(t, "")
	if _, err := l.conn.State(t.Context(), hint(jobaddertest.Rejected)); err != nil { // which gets token-1
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		method, address, token, body string
		status                       int
	}{
		"no token":                 {"GET", jobaddertest.URL + "/applications", "", "", 401},
		"another token":            {"GET", jobaddertest.URL + "/applications", "token-2", "", 401},
		"a token for nothing":      {"POST", jobaddertest.TokenURL, "", "grant_type=client_credentials", 400},
		"too many on a page":       {"GET", jobaddertest.URL + "/applications?limit=1001", "token-1", "", 400},
		"a time without its sign":  {"GET", jobaddertest.URL + "/applications?updatedAt=2026-10-01T00:00:00Z", "token-1", "", 400},
		"an unknown id":            {"GET", jobaddertest.URL + "/applications/1", "token-1", "", 404},
		"a webhook without events": {"POST", jobaddertest.URL + "/webhooks", "token-1", `{"name":"x","url":"y"}`, 422},
		"another's webhook":        {"DELETE", jobaddertest.URL + "/webhooks/1", "token-1", "", 404},
		"a way to delete":          {"DELETE", jobaddertest.URL + "/applications/1", "token-1", "", 405},
		"another version":          {"GET", "https://jobadder.test/v1/applications", "token-1", "", 404},
		"a page":                   {"GET", jobaddertest.URL + "/applications?limit=1000", "token-1", "", 200},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, tt.address, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(tt.body, "grant") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set("Authorization", "Bearer "+tt.token)
		answer, err := l.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != tt.status {
			t.Errorf("%s: got %d, want %d", name, answer.StatusCode, tt.status)
		}
	}
}
