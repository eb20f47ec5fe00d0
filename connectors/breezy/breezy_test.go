package breezy_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/breezy"
	"github.com/career-relay/connector/connectors/breezy/breezytest"
	"github.com/career-relay/connector/connectors/spec"
)

var now = time.Date(2026, 10, 2, 6, 15, 12, 0, time.UTC)

func open(settings string, s *breezytest.Server) (connectors.Connector, error) {
	file, err := spec.Shipped("breezy")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return now }}
	return breezy.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: breezy\napi_url: " + breezytest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

const settings = "secrets: [whsec_1]\napi_key: key\naccount: " + breezytest.Company + "\n"

func connect(tb testing.TB, s *breezytest.Server, more string) *breezy.Connector {
	tb.Helper()
	c, err := open(settings+more, s)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*breezy.Connector)
}

// stage is a delivery about a candidate who came into a stage.
func stage(id, name string) connectors.Payload {
	return connectors.Payload{Received: now, Body: []byte(`{"type":"candidateStatusUpdated","object":{"company":{"_id":"` + breezytest.Company +
		`"},"position":{"_id":"p"},"stage":{"id":` + id + `,"name":"` + name + `"},"candidate":{"_id":"c","name":"佐藤 美咲","email_address":"misaki.sato@example.jp"}}}`)}
}

// TestStages is what the company says of its stages, by id or name.
func TestStages(t *testing.T) {
	c := connect(t, breezytest.New("key"), "outcomes: {disqualified: rejected, '1632999000001': withdrawn, Talent pool: ongoing, Filled: position_closed, No-show: ignored}\n")
	for name, tt := range map[string]struct {
		id, name string
		state    ats.State
		side     ats.Side
	}{
		"confirmed":                {`"disqualified"`, "Disqualified", ats.Rejected, ats.Company},
		"confirmed by its name":    {`1`, "disqualified", ats.Rejected, ats.Company},
		"by a number":              {`1632999000001`, "Candidate said no", ats.Withdrawn, ats.Applicant},
		"by a number as text":      {`"1632999000001"`, "Candidate said no", ats.Withdrawn, ats.Applicant},
		"one that goes on":         {`2`, "Talent Pool", ats.Reopened, ats.Company},
		"a closed position":        {`3`, "Filled", ats.Closed, ats.Company},
		"one to be ignored":        {`4`, "No-show", "", ""},
		"one that nobody spoke of": {`5`, "Disqualified by phone", ats.Rejected, ats.Unknown},
	} {
		events, err := c.Decode(stage(tt.id, tt.name))
		if err != nil || (len(events) == 0) != (tt.state == "") || len(events) == 1 && (events[0].State != tt.state || events[0].Side != tt.side) {
			t.Errorf("%s: got %v, %v, want %s by %s", name, events, err, tt.state, tt.side)
		}
	}
}

func TestComplete(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*breezytest.Server)
		event  ats.Event
		email  ats.Email
		sorry  []string
		calls  int
		fault  ats.Fault
	}{
		"an address is there": {event: ats.Event{State: ats.Rejected, Candidate: ats.Candidate{Email: "a@example.jp"}}, email: "a@example.jp"},
		"not a rejection":     {event: ats.Event{State: ats.Withdrawn}},
		"none in the delivery": {
			event: ats.Event{State: ats.Rejected, Problems: []string{ats.EmailMissing}}, email: "misaki.sato@example.jp", calls: 1,
		},
		"one to be looked at": {
			change: func(s *breezytest.Server) {
				s.Change(func(c map[string]any) { c["email_address"] = "no-reply@example.jp" })
			},
			event: ats.Event{State: ats.Rejected, Problems: []string{ats.EmailMissing}}, email: "no-reply@example.jp", sorry: []string{ats.EmailReview}, calls: 1,
		},
		"none anywhere": {
			change: func(s *breezytest.Server) { s.Change(func(c map[string]any) { c["email_address"] = nil }) },
			event:  ats.Event{State: ats.Rejected, Problems: []string{ats.EmailMissing}}, sorry: []string{ats.EmailMissing}, calls: 1,
		},
		"deleted":        {change: (*breezytest.Server).Delete, event: ats.Event{State: ats.Rejected}, calls: 1, fault: ats.NotFound},
		"Breezy is down": {change: func(s *breezytest.Server) { s.Fail(503) }, event: ats.Event{State: ats.Rejected}, calls: 1, fault: ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			s := breezytest.New("key")
			if tt.change != nil {
				tt.change(s)
			}
			e := tt.event
			e.Application = breezytest.Application
			err := connect(t, s, "").Complete(t.Context(), &e)
			if ats.FaultOf(err) != tt.fault || s.Calls() != tt.calls {
				t.Fatalf("got %v after %d calls, want %q after %d", err, s.Calls(), tt.fault, tt.calls)
			}
			if err == nil && (e.Candidate.Email != tt.email || !slices.Equal(e.Problems, tt.sorry)) {
				t.Errorf("got %q with %v, want %q with %v", string(e.Candidate.Email), e.Problems, string(tt.email), tt.sorry)
			}
		})
	}
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	moved := func(id, name string) func(*breezytest.Server) {
		return func(s *breezytest.Server) {
			s.Change(func(c map[string]any) { c["stage"] = map[string]any{"id": id, "name": name} })
		}
	}
	for name, tt := range map[string]struct {
		change      func(*breezytest.Server)
		application string
		settings    string
		want        ats.State
		fault       ats.Fault
	}{
		"still rejected":      {want: ats.Rejected},
		"taken back":          {change: moved("interviewing", "Interviewing"), want: ats.Reopened},
		"hired after all":     {change: moved("hired", "Hired"), want: ats.Hired},
		"withdrawn after all": {change: moved("1", "Withdrew"), want: ats.Withdrawn},
		"another meaning":     {settings: "outcomes: {disqualified: position_closed}", want: ats.Closed},
		"ignored":             {settings: "outcomes: {disqualified: ignored}", want: ""},
		"no stage":            {change: func(s *breezytest.Server) { s.Change(func(c map[string]any) { delete(c, "stage") }) }, fault: ats.Invalid},
		"another candidate":   {change: func(s *breezytest.Server) { s.Change(func(c map[string]any) { c["_id"] = "other" }) }, fault: ats.Invalid},
		"an id that is a way": {application: "..:x", fault: ats.Invalid},
		"one id":              {application: "x", fault: ats.Invalid},
		"deleted":             {change: (*breezytest.Server).Delete, fault: ats.NotFound},
		"Breezy is down":      {change: func(s *breezytest.Server) { s.Fail(500) }, fault: ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			s := breezytest.New("key")
			if tt.change != nil {
				tt.change(s)
			}
			if tt.application == "" {
				tt.application = breezytest.Application
			}
			got, err := connect(t, s, tt.settings).State(t.Context(), ats.Event{Application: tt.application, State: ats.Rejected})
			if got != tt.want || ats.FaultOf(err) != tt.fault {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

const callback = "https://hooks.example.jp/hooks/acme/breezy"

func TestSubscribe(t *testing.T) {
	s := breezytest.New("key")
	c := connect(t, s, "")
	made, err := c.Subscribe(t.Context(), callback)
	if err != nil || made.ID != "ep-1" || string(made.Secret) != "whsec_of_ep-1" {
		t.Fatalf("got %+v with %q, %v", made, string(made.Secret), err)
	}
	if diff := cmp.Diff([]string{callback + " [candidateStatusUpdated candidateDeleted]"}, s.Endpoints()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again, err := c.Subscribe(t.Context(), callback); err != nil || again.ID != made.ID || again.Secret != "" || len(s.Endpoints()) != 1 {
		t.Errorf("again: got %+v, %v", again, err)
	}
	s.Pause()
	if _, err := c.Subscribe(t.Context(), callback); ats.FaultOf(err) != ats.Conflict || !strings.Contains(err.Error(), "paused it") {
		t.Errorf("paused: got %v, want a conflict", err)
	}
	for range 2 { // what is gone is no error
		if err := c.Unsubscribe(t.Context(), made.ID); err != nil || len(s.Endpoints()) != 0 {
			t.Errorf("got %v and %d webhooks", err, len(s.Endpoints()))
		}
	}
	if err := c.Unsubscribe(t.Context(), "../x"); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("an id that is a way: got %v, want invalid", err)
	}
	for name, tt := range map[string]struct {
		fails []int
		fault ats.Fault
	}{
		"the list is down": {[]int{500}, ats.Busy}, "nobody knows if it is made": {[]int{0, 500}, ats.Unclear}, "no right": {[]int{0, 403}, ats.Denied},
	} {
		s.Fail(tt.fails...)
		if _, err := c.Subscribe(t.Context(), callback); ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
}

func TestPush(t *testing.T) {
	s := breezytest.New("key")
	c := connect(t, s, "")
	person := ats.Candidate{Name: "髙橋 美咲", Email: "misaki.takahashi@example.jp"}
	ref, err := c.Push(t.Context(), person, breezytest.Position)
	if err != nil || !strings.HasPrefix(ref, breezytest.Position+":") {
		t.Fatalf("got %q, %v", ref, err)
	}
	made := s.Candidates(string(person.Email))
	if len(made) != 1 || made[0]["name"] != person.Name || !strings.Contains(made[0]["summary"].(string), "キャリアリレー") {
		t.Errorf("got %v", made)
	}
	for name, tt := range map[string]struct {
		person ats.Candidate
		job    string
		fails  []int
		fault  ats.Fault
	}{
		"no name":                    {ats.Candidate{Email: "a@example.jp"}, breezytest.Position, nil, ats.Invalid},
		"no such position":           {person, "nothing", nil, ats.NotFound},
		"a position that is a way":   {person, "../x", nil, ats.Invalid},
		"too many calls":             {person, breezytest.Position, []int{429}, ats.Busy},
		"nobody knows if it is made": {person, breezytest.Position, []int{502}, ats.Unclear},
	} {
		s.Fail(tt.fails...)
		if _, err := c.Push(t.Context(), tt.person, tt.job); ats.FaultOf(err) != tt.fault || strings.Contains(err.Error(), "@") {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
}

func TestSettings(t *testing.T) {
	s := breezytest.New("key")
	for name, tt := range map[string]struct{ settings, want string }{
		"no secret":        {"api_key: key\naccount: a", "secrets: required"},
		"no company":       {"secrets: [s]\napi_key: key", "account: required to call Breezy"},
		"a company's name": {"secrets: [s]\napi_key: key\naccount: Hoshizora Robotics", "account: required to call Breezy"},
		"an unknown key":   {settings + "stages: {}", "field stages not found"},
	} {
		if _, err := open(tt.settings, s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	c, err := open("secrets: [whsec_1]", s)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.(connectors.Checker); ok {
		t.Error("without a key it says that it can ask")
	}
}

// TestAccount keeps the stand-in as strict as Breezy.
func TestAccount(t *testing.T) {
	s := breezytest.New("key")
	const company = "/company/" + breezytest.Company
	call := func(method, path, token, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, breezytest.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode
	}
	for name, tt := range map[string]struct {
		method, path, token, body string
		status                    int
	}{
		"another token":            {"GET", company + "/webhook_endpoints", "other", "", 401},
		"a bearer token":           {"GET", company + "/webhook_endpoints", "Bearer key", "", 401},
		"another company":          {"GET", "/company/other/webhook_endpoints", "key", "", 404},
		"an unknown candidate":     {"GET", company + "/position/p/candidate/c", "key", "", 404},
		"plain http":               {"POST", company + "/webhook_endpoints", "key", `{"url":"http://a.test","events":["x"]}`, 400},
		"no event":                 {"POST", company + "/webhook_endpoints", "key", `{"url":"https://a.test","events":[]}`, 400},
		"no JSON":                  {"POST", company + "/webhook_endpoints", "key", `x`, 400},
		"an unknown webhook":       {"DELETE", company + "/webhook_endpoints/x", "key", "", 404},
		"a candidate without name": {"POST", company + "/position/" + breezytest.Position + "/candidates", "key", `{}`, 400},
	} {
		if got := call(tt.method, tt.path, tt.token, tt.body); got != tt.status {
			t.Errorf("%s: got %d, want %d", name, got, tt.status)
		}
	}
	for i := range 11 {
		if got := call("POST", company+"/webhook_endpoints", "key", `{"url":"https://a.test","events":["x"]}`); (got == http.StatusForbidden) != (i == 10) {
			t.Errorf("webhook %d: got %d", i+1, got)
		}
	}
}
