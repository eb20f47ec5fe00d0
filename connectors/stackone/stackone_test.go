package stackone_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/stackone"
	"github.com/career-relay/connector/connectors/stackone/stackonetest"
)

var (
	began      = time.Date(2026, 10, 2, 6, 0, 0, 0, time.UTC)
	rejectedAt = time.Date(2026, 10, 2, 6, 15, 9, 0, time.UTC)
)

const settings = "secrets: [s]\naccount: '" + stackonetest.Account + "'\napi_key: key\nsince: 2026-09-01\n"

// A clock stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func open(s *stackonetest.Server, c *clock, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("stackone")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: c.now}
	return stackone.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: stackone\napi_url: " + stackonetest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func account(t *testing.T, more string) (*stackonetest.Server, *clock, *stackone.Connector) {
	t.Helper()
	s, err := stackonetest.New("key")
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{began}
	conn, err := open(s, c, settings+more)
	if err != nil {
		t.Fatal(err)
	}
	return s, c, conn.(*stackone.Connector)
}

func sample(t *testing.T, name string) connectors.Payload {
	t.Helper()
	folder, err := fs.Sub(connectors.Files, "stackone")
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Sample(folder, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComplete(t *testing.T) {
	s, _, conn := account(t, "")
	events, err := conn.Decode(sample(t, "rejected"))
	if err != nil || len(events) != 1 {
		t.Fatalf("got %d events, %v", len(events), err)
	}
	e := events[0]
	if err := conn.Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: stackonetest.Rejected, State: ats.Rejected, Side: ats.Company, Evidence: "reason of the type rejected_by_organization", At: rejectedAt, Clock: ats.DecidedClock,
		Candidate: ats.Candidate{ID: "e3cb75bf-aa84-466e-a6c1-b8322b257a48", Name: "美咲 佐藤", FamilyName: "佐藤", GivenName: "美咲", Email: "misaki.sato@example.jp"},
		Job:       ats.Job{ID: stackonetest.Job, Title: "Senior Backend Engineer (Tokyo)"}, Status: "rejected", Reason: "Skills mismatch", Source: "Company website",
	}
	if diff := cmp.Diff(want, e); diff != "" || s.Calls() != 2 {
		t.Errorf("after %d calls (-want +got):\n%s", s.Calls(), diff)
	}
}

// TestKey lets two changes of one record be two deliveries, though they look
// alike to the byte.
func TestKey(t *testing.T) {
	_, _, conn := account(t, "")
	first, second := sample(t, "rejected"), sample(t, "unrejected")
	if string(first.Body) != string(second.Body) {
		t.Fatal("the samples no longer look alike")
	}
	second.Received = first.Received.Add(time.Second)
	if conn.Key(first) == conn.Key(second) || conn.Key(first) == "" {
		t.Errorf("got the keys %q and %q", conn.Key(first), conn.Key(second))
	}
	if read := sample(t, "rejected.read"); conn.Key(read) != "" {
		t.Errorf("what the poll brings has the key %q, want its content", conn.Key(read))
	}
}

func TestSituations(t *testing.T) {
	put := func(members map[string]any) func(*stackonetest.Server) {
		return func(s *stackonetest.Server) { s.Put(stackonetest.Rejected, began, members) }
	}
	status := func(value string) map[string]any {
		return map[string]any{"application_status": map[string]any{"value": value, "source_value": value}, "rejected_reasons": []any{}, "rejected_at": nil}
	}
	for name, tt := range map[string]struct {
		sample   string
		change   func(*stackonetest.Server)
		settings string
		want     string
		calls    int
	}{
		"a withdrawal":               {sample: "withdrawn", want: "withdrawn by candidate", calls: 1},
		"taken back":                 {change: put(status("interview")), want: "reopened by company", calls: 1},
		"hired":                      {change: put(status("hired")), want: "hired by company", calls: 1},
		"a status nobody knows":      {change: put(status("unmapped_value")), want: "reopened by unknown", calls: 1},
		"what the company says":      {settings: "outcomes: {Skills mismatch: position_closed}", want: "closed by company", calls: 1},
		"a job that is gone":         {change: func(s *stackonetest.Server) { s.ChangeJob(nil) }, want: "rejected by company", calls: 2},
		"a confidential job":         {change: func(s *stackonetest.Server) { s.ChangeJob(map[string]any{"confidential": "true"}) }, want: "rejected by company, confidential", calls: 2},
		"before the connection":      {change: put(map[string]any{"rejected_at": "2026-08-30T00:00:00Z"}), want: "rejected by company, history", calls: 2},
		"what the poll brought":      {sample: "rejected.read", want: "rejected by company", calls: 1},
		"a deletion":                 {sample: "deleted", want: "erased by unknown"},
		"what the poll says is open": {sample: "unrejected.read", want: "reopened by company"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, conn := account(t, tt.settings)
			if tt.change != nil {
				tt.change(s)
			}
			if tt.sample == "" {
				tt.sample = "rejected"
			}
			events, err := conn.Decode(sample(t, tt.sample))
			if err != nil || len(events) != 1 {
				t.Fatalf("got %d events, %v", len(events), err)
			}
			e := events[0]
			if err := conn.Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s by %s", e.State, e.Side)
			if e.History {
				got += ", history"
			}
			if e.Job.Confidential {
				got += ", confidential"
			}
			if got != tt.want || s.Calls() != tt.calls {
				t.Errorf("got %s after %d calls, want %s after %d", got, s.Calls(), tt.want, tt.calls)
			}
		})
	}
}

func TestCompleteFails(t *testing.T) {
	event := func(id string) ats.Event { return ats.Event{Application: id, State: ats.Rejected} }
	for name, tt := range map[string]struct {
		change   func(*stackonetest.Server)
		settings string
		event    ats.Event
		fault    ats.Fault
		want     string
	}{
		"another account's":      {event: event("other"), fault: ats.NotFound, want: "it belongs to another account"},
		"an id that is a way":    {event: event("../candidates/x"), fault: ats.Invalid, want: "is not one of StackOne's"},
		"StackOne is down":       {change: func(s *stackonetest.Server) { s.Fail(500) }, event: event(stackonetest.Rejected), fault: ats.Busy, want: "500"},
		"the jobs are down":      {change: func(s *stackonetest.Server) { s.Fail(0, 429) }, event: event(stackonetest.Rejected), fault: ats.Busy, want: "429"},
		"the key is refused":     {change: func(s *stackonetest.Server) { s.Fail(401) }, event: event(stackonetest.Rejected), fault: ats.Denied, want: "401"},
		"a reason to be ignored": {settings: "outcomes: {Skills mismatch: ignored}", event: event(stackonetest.Rejected), fault: ats.Duplicate, want: "nothing in the answer"},
		"another comes back":     {change: says(`{"data":{"id":"other"}}`), event: event(stackonetest.Rejected), fault: ats.Invalid, want: "is not what was asked for"},
	} {
		s, _, conn := account(t, tt.settings)
		if tt.change != nil {
			tt.change(s)
		}
		if err := conn.Complete(t.Context(), &tt.event); ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s: %s", name, err, tt.fault, tt.want)
		}
	}
}

func says(body string) func(*stackonetest.Server) {
	return func(s *stackonetest.Server) {
		s.Answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
}

func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*stackonetest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected": {want: ats.Rejected},
		"taken back": {change: func(s *stackonetest.Server) {
			s.Put(stackonetest.Rejected, began, map[string]any{"application_status": map[string]any{"value": "review"}, "rejected_reasons": nil, "rejected_at": nil})
		}, want: ats.Reopened},
		"a reason to be ignored": {settings: "outcomes: {Skills mismatch: ignored}", want: ""},
		"deleted":                {change: func(s *stackonetest.Server) { s.Delete(stackonetest.Rejected) }, fault: ats.NotFound},
		"StackOne is down":       {change: func(s *stackonetest.Server) { s.Fail(503) }, fault: ats.Busy},
	} {
		s, _, conn := account(t, tt.settings)
		if tt.change != nil {
			tt.change(s)
		}
		got, err := conn.State(t.Context(), ats.Event{Application: stackonetest.Rejected, State: ats.Rejected})
		if got != tt.want || ats.FaultOf(err) != tt.fault || tt.fault == "" && err != nil {
			t.Errorf("%s: got %q, %v, want %q, %q", name, got, err, tt.want, tt.fault)
		}
	}
}

func TestPoll(t *testing.T) {
	s, c, conn := account(t, "")
	news, cursor, err := conn.Poll(t.Context(), "")
	if len(news) != 0 || err != nil || s.Calls() != 0 {
		t.Fatalf("the first time: got %d, %v after %d calls", len(news), err, s.Calls())
	}
	soon := began.Add(20 * time.Minute)
	s.Put("old", soon, map[string]any{"rejected_at": "2026-09-20T00:00:00Z"})
	s.Put("no-time", soon, map[string]any{"rejected_at": nil})
	s.Put("open", soon, map[string]any{"application_status": map[string]any{"value": "interview"}, "rejected_reasons": []any{}, "rejected_at": nil})
	for i := range 120 {
		s.Put(fmt.Sprintf("n-%03d", i), soon, map[string]any{})
	}
	c.at = began.Add(48 * time.Hour)
	s.Fail(0, 429)
	news, cursor, err = conn.Poll(t.Context(), cursor)
	if ats.FaultOf(err) != ats.Busy || len(news) != 100 {
		t.Fatalf("got %d, %v, want a page and busy", len(news), err)
	}
	more, cursor, err := conn.Poll(t.Context(), cursor)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range append(news, more...) {
		events, err := conn.Decode(p)
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: got %d events, %v", p.Body, len(events), err)
		}
		e := events[0]
		if !strings.HasPrefix(e.Application, "n-") || e.Application == "n-000" {
			got[e.Application] = fmt.Sprintf("%s by %s, history %t, address %t", e.State, e.Side, e.History, e.Candidate.Email != "")
		}
		if e.State == ats.Reopened && strings.Contains(string(p.Body), "misaki") {
			t.Errorf("a person is kept: %s", p.Body)
		}
	}
	want := map[string]string{
		stackonetest.Rejected:  "rejected by company, history false, address true",
		stackonetest.Withdrawn: "withdrawn by candidate, history false, address true",
		"n-000":                "rejected by company, history false, address true",
		"old":                  "rejected by company, history true, address true",
		"no-time":              "rejected by company, history false, address true",
		"open":                 "reopened by company, history false, address false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, body := range map[string]string{"a row that is none": `{"data":[{"x":1}]}`, "pages without end": `{"data":[],"next":"again"}`, "no JSON": `<html>`} {
		says(body)(s)
		if _, next, err := conn.Poll(t.Context(), cursor); ats.FaultOf(err) != ats.Invalid || next == "" {
			t.Errorf("%s: got %v, cursor %q", name, err, next)
		}
	}
}

func TestSettings(t *testing.T) {
	s, c, _ := account(t, "")
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing at all": {"", "api_key: required; StackOne's webhooks say only which record changed\naccount: required; write the id of the linked account\nsince: required; write the day of connection, because any edit brings old rejections again\nsecrets: required"},
		"an unknown key": {settings + "token: x", "field token not found"},
	} {
		if _, err := open(s, c, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestServer keeps the stand-in as strict as StackOne.
func TestServer(t *testing.T) {
	s, _, _ := account(t, "")
	one := "/unified/ats/applications/" + stackonetest.Rejected
	list := "/unified/ats/applications?filter[updated_after]=2026-10-01T00:00:00.000Z"
	for name, tt := range map[string]struct {
		method, path, user, password, account string
		status                                int
	}{
		"no key":             {"GET", one, "", "", stackonetest.Account, 401},
		"a password":         {"GET", one, "key", "x", stackonetest.Account, 401},
		"no account":         {"GET", one, "key", "", "", 403},
		"an unknown id":      {"GET", "/unified/ats/applications/x", "key", "", stackonetest.Account, 404},
		"an unknown kind":    {"GET", "/unified/ats/people/x", "key", "", stackonetest.Account, 404},
		"a way to reject":    {"POST", one + "/reject", "key", "", stackonetest.Account, 405},
		"no time":            {"GET", "/unified/ats/applications", "key", "", stackonetest.Account, 400},
		"too many on a page": {"GET", list + "&page_size=101", "key", "", stackonetest.Account, 400},
		"a page of its own":  {"GET", list + "&next=7", "key", "", stackonetest.Account, 400},
		"an application":     {"GET", one, "key", "", stackonetest.Account, 200},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, stackonetest.URL+tt.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(tt.user, tt.password)
		r.Header.Set("X-Account-Id", tt.account)
		answer, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != tt.status {
			t.Errorf("%s: got %d, want %d", name, answer.StatusCode, tt.status)
		}
	}
}

func TestPush(t *testing.T) {
	s, _, conn := account(t, "")
	person := ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}
	ref, err := conn.Push(t.Context(), person, stackonetest.Job)
	want := []map[string]any{
		{"first_name": "美咲", "last_name": "佐藤", "name": "佐藤 美咲", "email": "misaki.sato@example.jp"},
		{"candidate_id": "candidates-1", "job_id": stackonetest.Job, "source": map[string]any{"value": "キャリアリレー経由 (introduced by Career Relay)"}},
	}
	if diff := cmp.Diff(want, s.Created); diff != "" || ref != "applications-2" || err != nil {
		t.Errorf("got %q, %v (-want +got):\n%s", ref, err, diff)
	}
	for name, tt := range map[string]struct {
		candidate ats.Candidate
		job       string
		fail      []int
		fault     ats.Fault
	}{
		"nobody":                          {ats.Candidate{}, stackonetest.Job, nil, ats.Invalid},
		"a job that is a way":             {person, "../users", nil, ats.Invalid},
		"no such job":                     {person, "other", nil, ats.Invalid},
		"nobody knows of the candidate":   {person, stackonetest.Job, []int{502}, ats.Unclear},
		"nobody knows of the application": {person, stackonetest.Job, []int{0, 502}, ats.Unclear},
		"too many calls":                  {person, stackonetest.Job, []int{429}, ats.Busy},
	} {
		s.Fail(tt.fail...)
		if _, err := conn.Push(t.Context(), tt.candidate, tt.job); ats.FaultOf(err) != tt.fault || strings.Contains(err.Error(), "misaki") {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
}
