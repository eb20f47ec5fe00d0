package ashby_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/ashby"
	"github.com/career-relay/connector/connectors/ashby/ashbytest"
	"github.com/career-relay/connector/connectors/spec"
)

var archivedAt = time.Date(2026, 10, 2, 6, 15, 9, 89e6, time.UTC)

func account(tb testing.TB) *ashbytest.Server {
	tb.Helper()
	s, err := ashbytest.New("key")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func open(settings string, s *ashbytest.Server) (connectors.Connector, error) {
	file, err := spec.Shipped("ashby")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return archivedAt.Add(time.Second) }}
	return ashby.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: ashby\napi_url: " + ashbytest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

const settings = "secrets: [old, token]\napi_key: key\n"

func connect(tb testing.TB, s *ashbytest.Server, more string) *ashby.Connector {
	tb.Helper()
	c, err := open(settings+more, s)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*ashby.Connector)
}

func rejection() ats.Event {
	return ats.Event{Application: ashbytest.Application, State: ats.Rejected, Side: ats.Company, At: archivedAt, Clock: ats.DecidedClock}
}

func TestComplete(t *testing.T) {
	s := account(t)
	e := rejection()
	if err := connect(t, s, "").Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: ashbytest.Application, State: ats.Rejected, Side: ats.Company, Evidence: "type of the archive reason: RejectedByOrg",
		At: archivedAt, Clock: ats.DecidedClock,
		Candidate: ats.Candidate{ID: ashbytest.Candidate, Name: "Nguyễn Thị Hồng", Email: "hong.nguyen@example.com"},
		Job:       ats.Job{ID: ashbytest.Job, Title: "Staff Backend Engineer", Department: "Engineering"},
		Stage:     "Application Review", StageKind: ats.Document, Status: "Archived", Reason: "Lacks Skills/Qualifications", Source: "LinkedIn",
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Calls() != 2 {
		t.Errorf("got %d calls, want 2", s.Calls())
	}
	for _, state := range []ats.State{ats.Withdrawn, ats.Hired, ats.Reopened, ats.Erased, ats.Merged} {
		other := ats.Event{Application: ashbytest.Application, State: state}
		if err := connect(t, s, "").Complete(t.Context(), &other); err != nil || s.Calls() != 2 {
			t.Errorf("%s: got %v after %d calls, want none", state, err, s.Calls())
		}
	}
}

// reason puts another archive reason on the application.
func reason(kind string) func(*ashbytest.Server) {
	return func(s *ashbytest.Server) {
		s.Change(ashbytest.Application, func(a map[string]any) { a["archiveReason"].(map[string]any)["reasonType"] = kind })
	}
}

func reopen(s *ashbytest.Server) {
	s.Change(ashbytest.Application, func(a map[string]any) { a["status"], a["archiveReason"], a["archivedAt"] = "Active", nil, nil })
}

func noMainAddress(s *ashbytest.Server) {
	s.Change(ashbytest.Application, func(a map[string]any) { delete(a["candidate"].(map[string]any), "primaryEmailAddress") })
}

func TestSituations(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*ashbytest.Server)
		settings string
		state    ats.State
		side     ats.Side
		check    func(ats.Event) bool
	}{
		"by the candidate after all": {change: reason("RejectedByCandidate"), state: ats.Withdrawn, side: ats.Applicant},
		"for another reason":         {change: reason("Other"), state: ats.Rejected, side: ats.Unknown},
		"taken back meanwhile": {change: reopen, state: ats.Reopened, side: ats.Company, check: func(e ats.Event) bool {
			return e.Clock == ats.SentClock && e.Candidate.Name == ""
		}},
		"hired meanwhile": {
			change: func(s *ashbytest.Server) {
				s.Change(ashbytest.Application, func(a map[string]any) { a["status"] = "Hired" })
			},
			state: ats.Hired, side: ats.Company,
		},
		"no main address": {change: noMainAddress, state: ats.Rejected, side: ats.Company, check: func(e ats.Event) bool {
			return e.Candidate.Email == "hong.nguyen@example.com"
		}},
		"a department that may not be read": {
			change: func(s *ashbytest.Server) { s.Forbid("department.info") },
			state:  ats.Rejected, side: ats.Company, check: func(e ats.Event) bool { return e.Job.Department == "" && e.Job.Title != "" },
		},
		"a reason that the company explains": {
			change: reason("Other"), settings: "outcomes: {lacks skills/qualifications: rejected}", state: ats.Rejected, side: ats.Company,
		},
		"a reason that means another thing here": {
			settings: "outcomes: {lacks skills/qualifications: position_closed}", state: ats.Closed, side: ats.Company,
		},
		"a rule of the customer's own": {
			settings: `events: [{when: .body.data.application.archiveReason.text | startswith("Lacks"), state: closed, side: company}]`,
			state:    ats.Closed, side: ats.Company,
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
		change   func(*ashbytest.Server)
		settings string
		fault    ats.Fault
		want     string
	}{
		"deleted":                {change: func(s *ashbytest.Server) { s.Delete(ashbytest.Application) }, fault: ats.NotFound, want: "application.info: application_not_found: the application was deleted"},
		"no right":               {change: func(s *ashbytest.Server) { s.Forbid("application.info") }, fault: ats.Denied, want: "missing_endpoint_permission"},
		"no right for addresses": {change: func(s *ashbytest.Server) { noMainAddress(s); s.Forbid("candidate.info") }, fault: ats.Denied, want: "candidate.info: missing_endpoint_permission"},
		"another key":            {settings: "secrets: [token]\napi_key: other\n", fault: ats.Denied, want: "403 Forbidden"},
		"down":                   {change: func(s *ashbytest.Server) { s.Fail(503) }, fault: ats.Busy, want: "503"},
		"too many calls":         {change: func(s *ashbytest.Server) { s.Fail(0, 429) }, fault: ats.Busy, want: "/department.info: 429"},
		"another application": {
			change: func(s *ashbytest.Server) {
				s.Change(ashbytest.Application, func(a map[string]any) { a["id"] = "other" })
			},
			fault: ats.Invalid, want: "not the application that was asked for",
		},
		"a status nobody knows": {
			change: func(s *ashbytest.Server) {
				s.Change(ashbytest.Application, func(a map[string]any) { a["status"] = "Frozen" })
			},
			fault: ats.Invalid, want: "no rule knows this payload",
		},
		"a rule that ignores it": {settings: settings + `events: [{when: "true", ignore: true}]`, fault: ats.Duplicate, want: "nothing in the answer concerns us"},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			if tt.settings == "" {
				tt.settings = settings
			}
			c, err := open(tt.settings, s)
			if err != nil {
				t.Fatal(err)
			}
			e := rejection()
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
		change   func(*ashbytest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":      {want: ats.Rejected},
		"taken back":          {change: reopen, want: ats.Reopened},
		"withdrawn after all": {change: reason("RejectedByCandidate"), want: ats.Withdrawn},
		"ignored":             {settings: `events: [{when: "true", ignore: true}]`, want: ""},
		"deleted":             {change: func(s *ashbytest.Server) { s.Delete(ashbytest.Application) }, fault: ats.NotFound},
		"down":                {change: func(s *ashbytest.Server) { s.Fail(500) }, fault: ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			got, err := connect(t, s, tt.settings).State(t.Context(), ats.Event{Application: ashbytest.Application, State: ats.Rejected, At: archivedAt})
			if got != tt.want || ats.FaultOf(err) != tt.fault {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

// TestWithoutKey is a connection that can only listen.
func TestWithoutKey(t *testing.T) {
	c, err := open("secrets: [token]", account(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.(connectors.Checker); ok {
		t.Error("without a key it says that it can ask")
	}
	if _, denied := c.(connectors.Acknowledger).Statuses(); denied != http.StatusServiceUnavailable {
		t.Errorf("a bad signature is answered with %d, want one after which Ashby repeats", denied)
	}
}

// TestRedact is what is kept of a delivery.
func TestRedact(t *testing.T) {
	c, err := open("secrets: [token]", account(t))
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"action":"candidateStageChange","data":{"application":{"id":"a","n":9007199254740993,"submitterClientIp":"203.0.113.9","submitterUserAgent":"Mozilla"}}}`: `{"action":"candidateStageChange","data":{"application":{"id":"a","n":9007199254740993}}}`,
		`{"data": {"candidate":{"id":"c"}}}`: `{"data": {"candidate":{"id":"c"}}}`,
		`{"data": null}`:                     `{"data": null}`,
		`no JSON`:                            `no JSON`,
	} {
		if got := string(c.(connectors.Redactor).Redact(connectors.Payload{Body: []byte(body)}).Body); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestKey is what Ashby sends more than once.
func TestKey(t *testing.T) {
	c := connect(t, account(t), "")
	key := func(body string) string { return c.Key(connectors.Payload{Body: []byte(body)}) }
	change := `{"webhookActionId":"w-1","action":"candidateStageChange","data":{"application":{"id":"a-1","archivedAt":"2026-10-02T06:15:09.089Z"}}}`
	same := map[string]string{
		"the same change as an update": strings.Replace(change, "candidateStageChange", "applicationUpdate", 1),
		"the same change as a hire":    strings.Replace(change, "candidateStageChange", "candidateHire", 1),
		"a redelivery":                 change,
	}
	for name, body := range same {
		if key(body) != key(change) || key(body) == "" {
			t.Errorf("%s: got key %q, want %q", name, key(body), key(change))
		}
	}
	without := strings.Replace(change, `"webhookActionId":"w-1",`, "", 1)
	others := map[string]string{
		"another application of one action": strings.Replace(change, "a-1", "a-2", 1),
		"an interview of the same action":   strings.Replace(change, "candidateStageChange", "interviewScheduleCreate", 1),
		"without an id":                     without,
		"without an id, archived again":     strings.Replace(without, "02T", "03T", 1),
	}
	seen := map[string]string{key(change): "the change"}
	for name, body := range others {
		if before := seen[key(body)]; before != "" || key(body) == "" {
			t.Errorf("%s has the key of %s: %q", name, before, key(body))
		}
		seen[key(body)] = name
	}
	if got := key(`{"action":"candidateStageChange","data":{"application":{"id":"a-1"}}}`); got != "" {
		t.Errorf("neither id nor end: got key %q, want none", got)
	}
}

const callback = "https://hooks.example.jp/hooks/acme/ashby"

func TestSubscribe(t *testing.T) {
	s := account(t)
	c := connect(t, s, "")
	made, err := c.Subscribe(t.Context(), callback)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"candidateDelete " + callback + " old", "candidateMerge " + callback + " old", "candidateStageChange " + callback + " old"}
	if diff := cmp.Diff(want, s.Webhooks()); diff != "" || made.Secret != "" || strings.Count(made.ID, ",") != 2 {
		t.Errorf("got %+v (-want +got):\n%s", made, diff)
	}
	if again, err := c.Subscribe(t.Context(), callback); err != nil || again.ID != "" || len(s.Webhooks()) != 3 {
		t.Errorf("again: got %+v, %v with %d webhooks", again, err, len(s.Webhooks()))
	}
	for range 2 { // what is gone is no error
		if err := c.Unsubscribe(t.Context(), made.ID); err != nil || len(s.Webhooks()) != 0 {
			t.Errorf("got %v and %d webhooks", err, len(s.Webhooks()))
		}
	}
	s.Fail(0, 500)
	if half, err := c.Subscribe(t.Context(), callback); ats.FaultOf(err) != ats.Busy || half.ID == "" {
		t.Errorf("broken off: got %+v, %v, want what was made", half, err)
	}
	s.Deaf = true
	if off, err := c.Subscribe(t.Context(), callback); ats.FaultOf(err) != ats.Conflict || off.ID == "" || !strings.Contains(err.Error(), "ping was not answered") {
		t.Errorf("no answer to the ping: got %+v, %v", off, err)
	}
	c = connect(t, s, "")
	expired, err := open("secrets: [{value: x, until: 2020-01-01}]\napi_key: key\n", s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := expired.(connectors.Subscriber).Subscribe(t.Context(), callback); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("no valid secret: got %v, want invalid", err)
	}
	s.Forbid("webhook.delete")
	if err := c.Unsubscribe(t.Context(), "x"); ats.FaultOf(err) != ats.Denied {
		t.Errorf("no right: got %v, want denied", err)
	}
}

func TestPush(t *testing.T) {
	s := account(t)
	c := connect(t, s, "source_id: source-1\n")
	person := ats.Candidate{Name: "髙橋 美咲", Email: "misaki.takahashi@example.jp"}
	ref, err := c.Push(t.Context(), person, ashbytest.Job)
	if err != nil || ref == "" {
		t.Fatalf("got %q, %v", ref, err)
	}
	made := s.Candidates(string(person.Email))
	if len(made) != 1 || made[0]["name"] != person.Name || made[0]["sourceId"] != "source-1" || s.Notes(made[0]["id"].(string)) != 1 {
		t.Errorf("got %v", made)
	}
	if again, err := c.Push(t.Context(), person, ashbytest.Job); err != nil || again != ref || len(s.Candidates(string(person.Email))) != 1 {
		t.Errorf("again: got %q, %v, want %q", again, err, ref)
	}
	for name, tt := range map[string]struct {
		person ats.Candidate
		job    string
		fails  []int
		forbid string
		fault  ats.Fault
	}{
		"no name":                    {ats.Candidate{Email: "a@example.jp"}, ashbytest.Job, nil, "", ats.Invalid},
		"no such job":                {ats.Candidate{Name: "佐藤 花子", Email: "b@example.jp"}, "job", nil, "", ats.NotFound},
		"the search is down":         {ats.Candidate{Name: "佐藤 花子", Email: "c@example.jp"}, ashbytest.Job, []int{500}, "", ats.Busy},
		"nobody knows if it is made": {ats.Candidate{Name: "佐藤 花子", Email: "d@example.jp"}, ashbytest.Job, []int{0, 502}, "", ats.Unclear},
		"the note is refused":        {ats.Candidate{Name: "佐藤 花子", Email: "e@example.jp"}, ashbytest.Job, nil, "candidate.createNote", ats.Denied},
		"the person cannot be read":  {person, ashbytest.Job, []int{0, 500}, "", ats.Busy},
		"nor the applications":       {person, ashbytest.Job, []int{0, 0, 500}, "", ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			c := connect(t, s, "")
			if _, err := c.Push(t.Context(), person, ashbytest.Job); err != nil {
				t.Fatal(err)
			}
			s.Fail(tt.fails...)
			s.Forbid(tt.forbid)
			if _, err := c.Push(t.Context(), tt.person, tt.job); ats.FaultOf(err) != tt.fault || strings.Contains(err.Error(), "@") {
				t.Errorf("got %v, want %s", err, tt.fault)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	s := account(t)
	for name, tt := range map[string]struct{ settings, want string }{
		"no secret":      {"api_key: key", "secrets: required"},
		"an unknown key": {settings + "reasons: {}", "field reasons not found"},
		"plain http":     {settings, "api_url: must begin with https://"},
	} {
		decode := func() error { _, err := open(tt.settings, s); return err }
		if name == "plain http" {
			decode = func() error {
				file, err := spec.Shipped("ashby")
				if err != nil {
					return err
				}
				_, err = ashby.Open(file, connectors.Env{HTTP: http.DefaultClient, Now: time.Now}, func(v any) error {
					return yaml.Unmarshal([]byte(settings+"api_url: http://ashby.test"), v)
				})
				return err
			}
		}
		if err := decode(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestAccount keeps the stand-in as strict as Ashby.
func TestAccount(t *testing.T) {
	s := account(t)
	for name, tt := range map[string]struct {
		method, path, user, version, body string
		status                            int
		want                              string
	}{
		"a read":           {"GET", "/application.info", "key", "2026-01-01", `{}`, 405, ""},
		"no key":           {"POST", "/application.info", "", "2026-01-01", `{}`, 401, ""},
		"another key":      {"POST", "/application.info", "other", "2026-01-01", `{}`, 403, ""},
		"no version":       {"POST", "/application.info", "key", "", `{}`, 400, ""},
		"no JSON":          {"POST", "/application.info", "key", "2026-01-01", `x`, 400, ""},
		"no such method":   {"POST", "/application.find", "key", "2026-01-01", `{}`, 404, ""},
		"not found":        {"POST", "/application.info", "key", "2026-01-01", `{"applicationId":"x"}`, 200, `"success":false`},
		"found":            {"POST", "/application.info", "key", "2026-01-01", `{"applicationId":"` + ashbytest.Application + `"}`, 200, `"success":true`},
		"no secret":        {"POST", "/webhook.create", "key", "2026-01-01", `{"webhookType":"candidateHire","requestUrl":"https://a.test"}`, 200, "invalid_input"},
		"a nameless":       {"POST", "/candidate.create", "key", "2026-01-01", `{"email":"a@example.jp"}`, 200, "invalid_input"},
		"an unknown place": {"POST", "/department.info", "key", "2026-01-01", `{"departmentId":"x"}`, 200, "department_not_found"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, ashbytest.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		if tt.user != "" {
			r.SetBasicAuth(tt.user, "")
		}
		r.Header.Set("Ashby-Version", tt.version)
		r.Header.Set("Content-Type", "application/json")
		answer, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := answer.Write(&text); err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != tt.status || !strings.Contains(text.String(), tt.want) {
			t.Errorf("%s: got %d with %s, want %d with %s", name, answer.StatusCode, text.String(), tt.status, tt.want)
		}
	}
}
