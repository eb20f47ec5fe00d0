package workable_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/workable"
	"github.com/career-relay/connector/connectors/workable/workabletest"
)

var disqualifiedAt = time.Date(2026, 10, 2, 6, 15, 9, 476e6, time.UTC)

// A clock goes two seconds further with every call, so that the account's limit
// does not slow tests down.
type clock struct{ at time.Time }

func (c *clock) now() time.Time {
	c.at = c.at.Add(2 * time.Second)
	return c.at
}

func account(tb testing.TB) *workabletest.Server {
	tb.Helper()
	c := clock{disqualifiedAt}
	s, err := workabletest.New("token", c.now)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func open(settings string, s *workabletest.Server) (connectors.Connector, error) {
	file, err := spec.Shipped("workable")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return disqualifiedAt.Add(time.Minute) }}
	return workable.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: workable\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

const settings = "secrets: [{value: expired, until: 2026-01-31}, token]\nsubdomain: hoshizora\napi_url: " + workabletest.URL + "\n"

func connect(tb testing.TB, s *workabletest.Server, more string) *workable.Connector {
	tb.Helper()
	c, err := open(settings+more, s)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*workable.Connector)
}

func rejection() ats.Event {
	return ats.Event{Application: workabletest.Candidate, State: ats.Rejected, Side: ats.Unknown, At: disqualifiedAt, Clock: ats.DecidedClock}
}

// with sets one member of the candidate.
func with(name string, value any) func(*workabletest.Server) {
	return func(s *workabletest.Server) {
		s.Change(workabletest.Candidate, func(c map[string]any) { c[name] = value })
	}
}

func withoutSide(reason any) func(*workabletest.Server) {
	return func(s *workabletest.Server) {
		s.Change(workabletest.Candidate, func(c map[string]any) {
			delete(c, "withdrew")
			c["disqualification_reason"] = reason
		})
	}
}

func TestComplete(t *testing.T) {
	s := account(t)
	e := rejection()
	if err := connect(t, s, "").Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: workabletest.Candidate, State: ats.Rejected, Side: ats.Company, Evidence: "disqualified, withdrew: false",
		At: disqualifiedAt, Clock: ats.DecidedClock,
		Candidate: ats.Candidate{ID: workabletest.Candidate, Name: "鈴木 一郎", FamilyName: "鈴木", GivenName: "一郎", Email: "ichiro.suzuki@example.jp"},
		Job:       ats.Job{ID: workabletest.Job, Title: "Data Engineer", Department: "Data"},
		Stage:     "Interview", StageKind: ats.Interview, Status: "candidate_moved", Reason: "Other candidates are more suitable", Source: "indeed.com",
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Calls() != 2 {
		t.Errorf("got %d calls, want 2", s.Calls())
	}
	for _, state := range []ats.State{ats.Withdrawn, ats.Hired, ats.Reopened, ats.Erased} {
		other := ats.Event{Application: workabletest.Candidate, State: state}
		if err := connect(t, s, "").Complete(t.Context(), &other); err != nil || s.Calls() != 2 {
			t.Errorf("%s: got %v after %d calls, want none", state, err, s.Calls())
		}
	}
}

func TestSituations(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*workabletest.Server)
		settings string
		state    ats.State
		side     ats.Side
		check    func(ats.Event) bool
	}{
		"the reason says the company":   {change: withoutSide("Unsuccessful interview"), state: ats.Rejected, side: ats.Company},
		"the reason says the candidate": {change: withoutSide("Rejected offer"), state: ats.Withdrawn, side: ats.Applicant},
		"a reason nobody knows":         {change: withoutSide("Removed reason"), state: ats.Rejected, side: ats.Unknown},
		"no reason":                     {change: withoutSide(nil), state: ats.Rejected, side: ats.Unknown},
		"by the candidate after all":    {change: with("withdrew", true), state: ats.Withdrawn, side: ats.Applicant},
		"taken back meanwhile": {change: with("disqualified", false), state: ats.Reopened, side: ats.Company, check: func(e ats.Event) bool {
			return e.Clock == ats.SentClock && e.At.After(disqualifiedAt)
		}},
		"anonymized meanwhile": {change: with("anonymized", true), state: ats.Erased, side: ats.Unknown},
		"a job that may not be read": {
			change: func(s *workabletest.Server) { s.Hide(workabletest.Job) },
			state:  ats.Rejected, side: ats.Company, check: func(e ats.Event) bool { return e.Job.Department == "" && e.Job.Title != "" },
		},
		"no job": {change: with("job", nil), state: ats.Rejected, side: ats.Company, check: func(e ats.Event) bool { return e.Job == ats.Job{} }},
		"a reason that the company explains": {
			settings: "outcomes: {Other candidates are more suitable: position_closed}", state: ats.Closed, side: ats.Company,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			e := rejection()
			if err := connect(t, s, tt.settings).Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			if e.State != tt.state || e.Side != tt.side || tt.check != nil && !tt.check(e) {
				t.Errorf("got %+v, want %s by %s", e, tt.state, tt.side)
			}
		})
	}
}

func TestCompleteFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*workabletest.Server)
		settings string
		event    func(*ats.Event)
		fault    ats.Fault
		want     string
	}{
		"deleted":              {change: func(s *workabletest.Server) { s.Delete(workabletest.Candidate) }, fault: ats.NotFound, want: "/candidates/…: 404"},
		"another candidate":    {change: with("id", "other"), fault: ats.Invalid, want: "not the candidate that was asked for"},
		"an id that is a way":  {event: func(e *ats.Event) { e.Application = "../members" }, fault: ats.Invalid, want: "not one of Workable's"},
		"the reasons are down": {change: func(s *workabletest.Server) { withoutSide("x")(s); s.Fail(0, 503) }, fault: ats.Busy, want: "/disqualification_reasons: 503"},
		"the job is down":      {change: func(s *workabletest.Server) { s.Fail(0, 500) }, fault: ats.Busy, want: "/jobs/…: 500"},
		"another token":        {settings: "api_key: other", fault: ats.Denied, want: "401 Unauthorized"},
		"no token that is valid": {
			settings: "secrets: [{value: token, until: 2026-01-31}]\nsubdomain: hoshizora\napi_url: " + workabletest.URL, fault: ats.Denied, want: "no secret of this connection is valid now",
		},
		"neither disqualified nor not": {change: with("disqualified", nil), fault: ats.Invalid, want: "no rule knows this payload"},
		"a rule that ignores it":       {settings: `events: [{when: "true", ignore: true}]`, fault: ats.Duplicate, want: "nothing in the answer concerns us"},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			set := settings + tt.settings
			if strings.HasPrefix(tt.settings, "secrets") {
				set = tt.settings
			}
			c, err := open(set, s)
			if err != nil {
				t.Fatal(err)
			}
			e := rejection()
			if tt.event != nil {
				tt.event(&e)
			}
			err = c.(connectors.Completer).Complete(t.Context(), &e)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
		})
	}
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*workabletest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":      {want: ats.Rejected},
		"taken back":          {change: with("disqualified", false), want: ats.Reopened},
		"withdrawn after all": {change: with("withdrew", true), want: ats.Withdrawn},
		"hired after all": {
			change: func(s *workabletest.Server) {
				with("disqualified", false)(s)
				with("stage_kind", "hired")(s)
			},
			want: ats.Hired,
		},
		"ignored": {settings: `events: [{when: "true", ignore: true}]`, want: ""},
		"deleted": {change: func(s *workabletest.Server) { s.Delete(workabletest.Candidate) }, fault: ats.NotFound},
		"down":    {change: func(s *workabletest.Server) { s.Fail(500) }, fault: ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			got, err := connect(t, s, tt.settings).State(t.Context(), ats.Event{Application: workabletest.Candidate, State: ats.Rejected})
			if got != tt.want || ats.FaultOf(err) != tt.fault {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

func TestPoll(t *testing.T) {
	s := account(t)
	c := connect(t, s, "")
	news, first, err := c.Poll(t.Context(), "")
	if len(news) != 0 || err != nil {
		t.Fatalf("the first time: got %d news, %v, want none: what is there is not news", len(news), err)
	}
	news, next, err := c.Poll(t.Context(), first)
	if len(news) != 0 || err != nil {
		t.Errorf("nothing new: got %d news, %v", len(news), err)
	}
	changed := disqualifiedAt.Add(2 * time.Minute)
	with("updated_at", changed.Format(time.RFC3339))(s)
	for i := range 129 {
		id := fmt.Sprintf("2b82%04d", i)
		s.Copy(id)
		if i%2 == 0 {
			s.Change(id, func(c map[string]any) { c["disqualified"] = false })
		}
	}
	if news, _, err = c.Poll(t.Context(), next); len(news) != 65 || err != nil {
		t.Fatalf("got %d news, %v, want all who are disqualified, from both pages", len(news), err)
	}
	again, _, err := c.Poll(t.Context(), next)
	if diff := cmp.Diff(news, again); diff != "" || err != nil {
		t.Errorf("again: got %v (-want +got):\n%s", err, diff)
	}
	events, err := c.Decode(news[0])
	if err != nil || len(events) != 1 || events[0].State != ats.Rejected || events[0].Side != ats.Unknown || c.Key(news[0]) != "" {
		t.Fatalf("got %v, %v with the key %q", events, err, c.Key(news[0]))
	}
	if err := c.Complete(t.Context(), &events[0]); err != nil || events[0].Side != ats.Company || !events[0].At.Equal(disqualifiedAt) || events[0].History {
		t.Errorf("got %+v, %v", events[0], err)
	}
	for name, tt := range map[string]struct {
		cursor string
		fails  []int
		fault  ats.Fault
	}{
		"the list is down":      {next, []int{503}, ats.Busy},
		"half of it is down":    {next, []int{0, 500}, ats.Busy},
		"a cursor that is none": {"x", nil, ats.Invalid},
	} {
		s.Fail(tt.fails...)
		if _, _, err := c.Poll(t.Context(), tt.cursor); ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
	elsewhere := strings.TrimSuffix(next, "}") + `,"started":"2026-10-02T07:00:00Z","page":"https://other.test/spi/v3/candidates?x=1"}`
	if again, _, err := c.Poll(t.Context(), elsewhere); err != nil || len(again) != 65 {
		t.Errorf("a page elsewhere: got %d news, %v, want to begin again", len(again), err)
	}
}

const callback = "https://hooks.example.jp/hooks/acme/workable"

func TestSubscribe(t *testing.T) {
	s := account(t)
	c := connect(t, s, "deletions: true\n")
	made, err := c.Subscribe(t.Context(), callback)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"candidate_moved " + callback, "candidate_deleted " + callback + "?event=candidate_deleted"}
	if diff := cmp.Diff(want, s.Subscriptions()); diff != "" || made.ID != "104901,104902" || made.Secret != "" || !made.Until.IsZero() {
		t.Errorf("got %+v (-want +got):\n%s", made, diff)
	}
	again, err := c.Subscribe(t.Context(), callback)
	if diff := cmp.Diff(made, again); diff != "" || err != nil || len(s.Subscriptions()) != 2 {
		t.Errorf("again: got %v (-want +got):\n%s", err, diff)
	}
	for range 2 { // what is gone is no error
		if err := c.Unsubscribe(t.Context(), made.ID); err != nil || len(s.Subscriptions()) != 0 {
			t.Errorf("got %v and %d subscriptions", err, len(s.Subscriptions()))
		}
	}
	if err := c.Unsubscribe(t.Context(), "../candidates/1"); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("an id that is a way: got %v, want invalid", err)
	}
	if plain, err := connect(t, s, "").Subscribe(t.Context(), callback); err != nil || strings.Contains(plain.ID, ",") {
		t.Errorf("without deletions: got %+v, %v", plain, err)
	}
	for name, tt := range map[string]struct {
		there map[string]any
		fails []int
		fault ats.Fault
		want  string
	}{
		"another event at the address": {map[string]any{"id": 1, "event": "candidate_created", "target": callback}, nil, ats.Conflict, "another event of Workable's is sent to this address already"},
		"one that hides rejections":    {map[string]any{"id": 2, "event": "candidate_moved", "target": callback, "stage_slug": "offer"}, nil, ats.Conflict, "subscription 2 hides rejections"},
		"one for a single job":         {map[string]any{"id": 3, "event": "candidate_moved", "target": callback, "job_shortcode": "X"}, nil, ats.Conflict, "subscription 3 hides rejections"},
		"the list is down":             {nil, []int{500}, ats.Busy, "GET"},
		"the new one is down":          {nil, []int{0, 500}, ats.Busy, "POST"},
	} {
		s := account(t)
		if tt.there != nil {
			s.Add(tt.there)
		}
		s.Fail(tt.fails...)
		if _, err := connect(t, s, "").Subscribe(t.Context(), callback); ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s: %s", name, err, tt.fault, tt.want)
		}
	}
	s = account(t)
	s.Add(map[string]any{"id": 4, "event": "candidate_moved", "target": callback, "valid_until": "2027-01-31T00:00:00Z"})
	if got, err := connect(t, s, "").Subscribe(t.Context(), callback); err != nil || got.Until.Year() != 2027 {
		t.Errorf("one that ends: got %+v, %v", got, err)
	}
}

func TestPush(t *testing.T) {
	s := account(t)
	c := connect(t, s, "")
	person := ats.Candidate{Name: "髙橋 美咲", Email: "misaki.takahashi@example.jp"}
	ref, err := c.Push(t.Context(), person, workabletest.Job)
	if err != nil || ref == "" {
		t.Fatalf("got %q, %v", ref, err)
	}
	made := s.Candidates(string(person.Email))
	if len(made) != 1 || made[0]["id"] != ref || made[0]["lastname"] != "髙橋" || !strings.Contains(made[0]["summary"].(string), "キャリアリレー") {
		t.Errorf("got %v", made)
	}
	for name, tt := range map[string]struct {
		person ats.Candidate
		job    string
		fails  []int
		fault  ats.Fault
	}{
		"no name":                    {ats.Candidate{Email: "a@example.jp"}, workabletest.Job, nil, ats.Invalid},
		"no such job":                {person, "NOTHING", nil, ats.NotFound},
		"a job that is a way":        {person, "../x", nil, ats.Invalid},
		"too many calls":             {person, workabletest.Job, []int{429}, ats.Busy},
		"nobody knows if it is made": {person, workabletest.Job, []int{502}, ats.Unclear},
	} {
		s.Fail(tt.fails...)
		if _, err := c.Push(t.Context(), tt.person, tt.job); ats.FaultOf(err) != tt.fault || strings.Contains(err.Error(), "@") {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
}

func TestSettings(t *testing.T) {
	s := account(t)
	for name, tt := range map[string]struct{ settings, want string }{
		"no secret":              {"subdomain: hoshizora", "secrets: required"},
		"a whole address":        {"secrets: [t]\nsubdomain: https://hoshizora.workable.com", "subdomain: want only what stands before .workable.com"},
		"a key for nothing":      {"secrets: [t]\napi_key: k", "subdomain: required to call Workable"},
		"deletions of nothing":   {"secrets: [t]\ndeletions: true", "subdomain: required"},
		"an unknown key":         {settings + "reasons: {}", "field reasons not found"},
		"an address without TLS": {"secrets: [t]\nsubdomain: hoshizora\napi_url: http://workable.test", "must begin with https://"},
	} {
		if _, err := open(tt.settings, s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	c, err := open("secrets: [token]", s)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.(connectors.Checker); ok {
		t.Error("without a subdomain it says that it can ask")
	}
	if _, err := open("secrets: [token]\nsubdomain: hoshizora", s); err != nil {
		t.Errorf("with a subdomain alone: got %v", err)
	}
}

// TestAccount keeps the stand-in as strict as Workable.
func TestAccount(t *testing.T) {
	still, err := workabletest.New("token", func() time.Time { return disqualifiedAt })
	if err != nil {
		t.Fatal(err)
	}
	call := func(s *workabletest.Server, method, path, token, body string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://hoshizora.workable.test"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	const subscriptions, candidates = "/spi/v3/subscriptions", "/spi/v3/jobs/" + workabletest.Job + "/candidates"
	s := account(t)
	for name, tt := range map[string]struct {
		method, path, token, body string
		status                    int
	}{
		"another token":            {"GET", "/spi/v3/candidates/" + workabletest.Candidate, "other", "", 401},
		"another version":          {"GET", "/spi/v2/candidates/" + workabletest.Candidate, "token", "", 404},
		"an unknown candidate":     {"GET", "/spi/v3/candidates/x", "token", "", 404},
		"an unknown kind":          {"GET", "/spi/v3/members", "token", "", 404},
		"the reasons":              {"GET", "/spi/v3/disqualification_reasons", "token", "", 200},
		"half of the arguments":    {"POST", subscriptions, "token", `{"target":"https://a.test","event":"candidate_moved","args":{"account_id":"a","stage_slug":""}}`, 422},
		"an event that is none":    {"POST", subscriptions, "token", `{"target":"https://a.test","event":"candidate_hired"}`, 422},
		"no JSON":                  {"POST", subscriptions, "token", `x`, 400},
		"an unknown subscription":  {"DELETE", subscriptions + "/1", "token", "", 404},
		"a candidate without name": {"POST", candidates, "token", `{"sourced":true,"candidate":{}}`, 422},
	} {
		if got := call(s, tt.method, tt.path, tt.token, tt.body).StatusCode; got != tt.status {
			t.Errorf("%s: got %d, want %d", name, got, tt.status)
		}
	}
	for i := range 11 {
		answer := call(still, "GET", "/spi/v3/disqualification_reasons", "token", "")
		if limited := answer.StatusCode == http.StatusTooManyRequests; limited != (i == 10) || limited && answer.Header.Get("X-Rate-Limit-Reset") == "" {
			t.Errorf("call %d at once: got %d", i+1, answer.StatusCode)
		}
	}
}
