package kombo_test

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
	"github.com/career-relay/connector/connectors/kombo"
	"github.com/career-relay/connector/connectors/kombo/kombotest"
	"github.com/career-relay/connector/connectors/spec"
)

var began = time.Date(2026, 10, 2, 6, 0, 0, 0, time.UTC)

const settings = "secrets: [s]\naccount: 'greenhouse:7Ut4h2b9PQm3xV5aJd1WkLzc'\napi_key: key\n"

// A clock stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func open(s *kombotest.Server, c *clock, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("kombo")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: c.now}
	return kombo.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: kombo\napi_url: " + kombotest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func account(t *testing.T, more string) (*kombotest.Server, *clock, *kombo.Connector) {
	t.Helper()
	s, err := kombotest.New("key")
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{began}
	conn, err := open(s, c, settings+more)
	if err != nil {
		t.Fatal(err)
	}
	return s, c, conn.(*kombo.Connector)
}

// decoded polls once and decodes what came.
func decoded(t *testing.T, conn *kombo.Connector, cursor string) ([]ats.Event, string) {
	t.Helper()
	news, next, err := conn.Poll(t.Context(), cursor)
	if err != nil {
		t.Fatal(err)
	}
	var events []ats.Event
	for _, p := range news {
		more, err := conn.Decode(p)
		if err != nil {
			t.Fatalf("%s: %v", p.Body, err)
		}
		events = append(events, more...)
	}
	return events, next
}

func TestPoll(t *testing.T) {
	s, c, conn := account(t, "")
	events, cursor := decoded(t, conn, "")
	if len(events) != 0 || s.Calls() != 0 {
		t.Fatalf("the first time: got %d events after %d calls", len(events), s.Calls())
	}
	soon := began.Add(5 * time.Minute)
	s.Put("old", soon, map[string]any{"rejected_at": "2026-09-01T00:00:00.000Z"}) // a sync brings the past
	s.Put("old by its last change", soon, map[string]any{"rejected_at": nil, "remote_updated_at": "2026-09-01T00:00:00.000Z"})
	s.Put("old for all we know", soon, map[string]any{"rejected_at": nil, "remote_updated_at": nil})
	s.Put("new by its last change", soon, map[string]any{"rejected_at": nil})
	s.Put("open", soon, map[string]any{"outcome": "PENDING", "rejected_at": nil})
	s.Put("hired", soon, map[string]any{"outcome": "HIRED", "rejected_at": nil})
	s.Put("gone", soon, map[string]any{"remote_deleted_at": "2026-10-02T06:04:00.000Z"})
	c.at = began.Add(30 * time.Hour)
	events, cursor = decoded(t, conn, cursor)
	got := map[string]string{}
	for _, e := range events {
		got[e.Application] = fmt.Sprintf("%s by %s, history %t, address %t", e.State, e.Side, e.History, e.Candidate.Email != "")
	}
	want := map[string]string{
		kombotest.Rejected:       "rejected by company, history false, address true",
		kombotest.Withdrawn:      "withdrawn by candidate, history false, address true",
		"old":                    "rejected by company, history true, address true",
		"old by its last change": "rejected by company, history true, address true",
		"old for all we know":    "rejected by company, history true, address true",
		"new by its last change": "rejected by company, history false, address true",
		"open":                   "reopened by company, history false, address false",
		"hired":                  "hired by company, history false, address false",
		"gone":                   "erased by unknown, history false, address false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.at = c.at.Add(time.Hour)
	s.Put("late", c.at.Add(-65*time.Minute), map[string]any{}) // while the last sweep ran
	if events, _ = decoded(t, conn, cursor); len(events) != 1 || events[0].Application != "late" {
		t.Errorf("an hour later: got %v, want only what changed since, less the overlap", events)
	}
}

// TestPollKeepsNoPerson looks at what would be stored of who was not rejected.
func TestPollKeepsNoPerson(t *testing.T) {
	s, c, conn := account(t, "")
	_, cursor := decoded(t, conn, "")
	s.Remove(kombotest.Withdrawn)
	for i, members := range []map[string]any{{"outcome": "PENDING", "rejected_at": nil}, {"outcome": "HIRED", "rejected_at": nil}, {"outcome": nil, "rejected_at": nil}, {"remote_deleted_at": "2026-10-02T06:04:00.000Z"}} {
		members["candidate"] = map[string]any{"id": "c", "first_name": "美咲", "email_addresses": []any{map[string]any{"email_address": "misaki.sato@example.jp"}}}
		s.Put(fmt.Sprint("a", i), began.Add(time.Minute), members)
	}
	c.at = began.Add(time.Hour)
	news, _, err := conn.Poll(t.Context(), cursor)
	if err != nil || len(news) != 5 {
		t.Fatalf("got %d, %v", len(news), err)
	}
	for _, p := range news[1:] { // the first is the rejected one
		if strings.Contains(string(p.Body), "misaki") || strings.Contains(string(p.Body), "美咲") {
			t.Errorf("a person is kept: %s", p.Body)
		}
	}
}

func TestPollPages(t *testing.T) {
	s, c, conn := account(t, "")
	_, cursor := decoded(t, conn, "")
	for i := range 10_300 { // more than one poll reads
		s.Put(fmt.Sprintf("a%05d", i), began.Add(time.Minute), map[string]any{"rejected_at": "2026-10-02T06:01:00.000Z"})
	}
	c.at = began.Add(time.Hour)
	s.Fail(0, 0, 503)
	total := 0
	for poll := range 4 {
		news, next, err := conn.Poll(t.Context(), cursor)
		if (ats.FaultOf(err) == ats.Busy) != (poll == 0) {
			t.Fatalf("poll %d: %v", poll, err)
		}
		total, cursor = total+len(news), next
	}
	if total < 10_302 || total > 10_302+10 {
		t.Errorf("got %d, want every application once", total)
	}
}

func TestPollFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*kombotest.Server)
		fault  ats.Fault
		wait   bool
	}{
		"too many calls, with 200": {func(s *kombotest.Server) { s.Exhaust(true) }, ats.Busy, true},
		"too many calls":           {func(s *kombotest.Server) { s.Fail(429) }, ats.Busy, true},
		"the key is refused":       {func(s *kombotest.Server) { s.Fail(401) }, ats.Denied, false},
		"Kombo is down":            {func(s *kombotest.Server) { s.Fail(502) }, ats.Busy, false},
		"an error with 200":        {says(`{"status":"error","error":{"code":"X"}}`), ats.Invalid, false},
		"a page of HTML":           {says(`<html>`), ats.Invalid, false},
		"a row that is none":       {says(`{"status":"success","data":{"results":[7],"next":null}}`), ats.Invalid, false},
		"a row without an id":      {says(`{"status":"success","data":{"results":[{}],"next":null}}`), ats.Invalid, false},
		"pages without end":        {says(`{"status":"success","data":{"results":[],"next":"again"}}`), ats.Invalid, false},
	} {
		s, c, conn := account(t, "")
		_, cursor := decoded(t, conn, "")
		c.at = began.Add(time.Hour)
		tt.change(s)
		news, next, err := conn.Poll(t.Context(), cursor)
		if len(news) != 0 || next == "" || ats.FaultOf(err) != tt.fault || (ats.WaitOf(err) > 0) != tt.wait {
			t.Errorf("%s: got %d, %v, cursor %q, want %s", name, len(news), err, next, tt.fault)
		}
	}
}

func says(body string) func(*kombotest.Server) {
	return func(s *kombotest.Server) {
		s.Answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
}

func TestRings(t *testing.T) {
	_, _, conn := account(t, "")
	for body, want := range map[string]bool{
		`{"type":"data-changed","data":{"integration_id":"greenhouse:7Ut4h2b9PQm3xV5aJd1WkLzc","integration_category":"ATS","changed_models":[{"name":"ats_candidates"},{"name":"ats_applications"}]}}`: true,
		`{"type":"data-changed","data":{"integration_id":"greenhouse:7Ut4h2b9PQm3xV5aJd1WkLzc","integration_category":"ATS","changed_models":[{"name":"ats_jobs"}]}}`:                                   false,
		`{"type":"data-changed","data":{"integration_id":"greenhouse:7Ut4h2b9PQm3xV5aJd1WkLzc","integration_category":"HRIS","changed_models":[{"name":"ats_applications"}]}}`:                          false,
		`{"type":"data-changed","data":{"integration_id":"lever:another","integration_category":"ATS","changed_models":[{"name":"ats_applications"}]}}`:                                                 false,
		`{"type":"sync-finished","data":{"integration_id":"greenhouse:7Ut4h2b9PQm3xV5aJd1WkLzc","sync_state":"SUCCEEDED"}}`:                                                                             false,
		`{"id":"Ap1x2y3z4A","outcome":"DECLINED"}`: false,
		`[]`:    false,
		`"data`: false,
	} {
		if got := conn.Rings(connectors.Payload{Body: []byte(body)}); got != want {
			t.Errorf("%s: got %t, want %t", body, got, want)
		}
	}
}

func TestComplete(t *testing.T) {
	event := func(job string) ats.Event {
		return ats.Event{Application: kombotest.Rejected, State: ats.Rejected, Job: ats.Job{ID: job, Title: "x"}}
	}
	for name, tt := range map[string]struct {
		change func(*kombotest.Server)
		event  ats.Event
		want   ats.Job
		fault  ats.Fault
	}{
		"a job":                        {event: event(kombotest.Job), want: ats.Job{ID: kombotest.Job, Title: "x", Department: "Engineering"}},
		"a confidential job":           {change: func(s *kombotest.Server) { s.Change(map[string]any{"visibility": "CONFIDENTIAL"}) }, event: event(kombotest.Job), want: ats.Job{ID: kombotest.Job, Title: "x", Department: "Engineering", Confidential: true}},
		"a job without a department":   {change: func(s *kombotest.Server) { s.Change(map[string]any{"department": nil}) }, event: event(kombotest.Job), want: ats.Job{ID: kombotest.Job, Title: "x"}},
		"a job that is gone":           {event: event("JbGone"), want: ats.Job{ID: "JbGone", Title: "x"}},
		"jobs that may not be read":    {change: func(s *kombotest.Server) { s.Fail(403) }, event: event(kombotest.Job), want: ats.Job{ID: kombotest.Job, Title: "x"}},
		"no job":                       {event: event(""), want: ats.Job{Title: "x"}},
		"Kombo is down":                {change: func(s *kombotest.Server) { s.Fail(500) }, event: event(kombotest.Job), want: ats.Job{ID: kombotest.Job, Title: "x"}, fault: ats.Busy},
		"an id that names several":     {event: event("a,b"), want: ats.Job{ID: "a,b", Title: "x"}, fault: ats.Invalid},
		"what is no rejection is left": {event: ats.Event{State: ats.Hired, Job: ats.Job{ID: kombotest.Job}}, want: ats.Job{ID: kombotest.Job}},
	} {
		s, _, conn := account(t, "")
		if tt.change != nil {
			tt.change(s)
		}
		err := conn.Complete(t.Context(), &tt.event)
		if diff := cmp.Diff(tt.want, tt.event.Job); diff != "" || ats.FaultOf(err) != tt.fault || tt.fault == "" && err != nil {
			t.Errorf("%s: got %v, want %q (-want +got):\n%s", name, err, tt.fault, diff)
		}
	}
}

func TestState(t *testing.T) {
	put := func(members map[string]any) func(*kombotest.Server) {
		return func(s *kombotest.Server) { s.Put(kombotest.Rejected, began, members) }
	}
	for name, tt := range map[string]struct {
		change   func(*kombotest.Server)
		settings string
		id       string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":         {want: ats.Rejected},
		"taken back":             {change: put(map[string]any{"outcome": "PENDING", "rejected_at": nil}), want: ats.Reopened},
		"hired after all":        {change: put(map[string]any{"outcome": "HIRED"}), want: ats.Hired},
		"withdrawn after all":    {change: put(map[string]any{"rejection_reason_name": "Candidate withdrew"}), want: ats.Withdrawn},
		"vanished from the ATS":  {change: put(map[string]any{"remote_deleted_at": "2026-10-03T00:00:00Z"}), want: ats.Erased},
		"what the company names": {settings: "outcomes: {Skills mismatch: ignored}", want: ""},
		"vanished from Kombo":    {change: func(s *kombotest.Server) { s.Remove(kombotest.Rejected) }, fault: ats.NotFound},
		"Kombo is down":          {change: func(s *kombotest.Server) { s.Fail(503) }, fault: ats.Busy},
		"an id of several":       {id: kombotest.Rejected + "," + kombotest.Withdrawn, fault: ats.Invalid},
		"another comes back":     {change: says(`{"status":"success","data":{"results":[{"id":"other","outcome":"DECLINED"}]}}`), fault: ats.Invalid},
		"an unknown outcome":     {change: put(map[string]any{"outcome": "Zurückgestellt", "rejected_at": nil}), fault: ats.Invalid},
	} {
		s, _, conn := account(t, tt.settings)
		if tt.change != nil {
			tt.change(s)
		}
		if tt.id == "" {
			tt.id = kombotest.Rejected
		}
		got, err := conn.State(t.Context(), ats.Event{Application: tt.id, State: ats.Rejected})
		if got != tt.want || ats.FaultOf(err) != tt.fault || tt.fault == "" && err != nil {
			t.Errorf("%s: got %q, %v, want %q, %q", name, got, err, tt.want, tt.fault)
		}
	}
}

func TestPush(t *testing.T) {
	s, _, conn := account(t, "")
	person := ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}
	ref, err := conn.Push(t.Context(), person, kombotest.Job)
	want := []map[string]any{{"first_name": "美咲", "last_name": "佐藤", "email_address": "misaki.sato@example.jp"}}
	if diff := cmp.Diff(want, s.Created); diff != "" || ref != "ApNew1" || err != nil {
		t.Errorf("got %q, %v (-want +got):\n%s", ref, err, diff)
	}
	for name, tt := range map[string]struct {
		candidate ats.Candidate
		job       string
		fail      int
		fault     ats.Fault
	}{
		"nobody":                 {ats.Candidate{}, kombotest.Job, 0, ats.Invalid},
		"one name only":          {ats.Candidate{Name: "Prince", Email: "prince@example.com"}, kombotest.Job, 0, ats.Invalid},
		"a job that is a way":    {person, "../candidates", 0, ats.Invalid},
		"too many calls":         {person, kombotest.Job, 429, ats.Busy},
		"nobody knows":           {person, kombotest.Job, 504, ats.Unclear},
		"the scope is off":       {person, kombotest.Job, 403, ats.Denied},
		"a job that is not open": {person, "JbOther", 0, ats.Invalid},
	} {
		if tt.fail != 0 {
			s.Fail(tt.fail)
		}
		if _, err := conn.Push(t.Context(), tt.candidate, tt.job); ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
}

func TestSettings(t *testing.T) {
	s, c, _ := account(t, "")
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing":        {"{}", "api_key: required"},
		"no integration": {"secrets: [s]\napi_key: key", "account: required"},
		"all at once":    {"api_key: key", "account: required; write the id of the integration, such as greenhouse:7Ut4…\nsecrets: required"},
		"an unknown key": {settings + "integration: x", "field integration not found"},
	} {
		if tt.settings == "{}" {
			tt.settings = ""
		}
		if _, err := open(s, c, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestServer keeps the stand-in as strict as Kombo.
func TestServer(t *testing.T) {
	s, _, _ := account(t, "")
	for name, tt := range map[string]struct {
		method, path, key, integration, body string
		status                               int
	}{
		"no key":                  {"GET", "/ats/applications", "", kombotest.Integration, "", 401},
		"no integration":          {"GET", "/ats/applications", "key", "", "", 400},
		"another integration":     {"GET", "/ats/applications", "key", "lever:1", "", 400},
		"too many on a page":      {"GET", "/ats/applications?page_size=251", "key", kombotest.Integration, "", 400},
		"a page of its own":       {"GET", "/ats/applications?cursor=7", "key", kombotest.Integration, "", 400},
		"an unknown kind":         {"GET", "/ats/people", "key", kombotest.Integration, "", 404},
		"a way to reject":         {"POST", "/ats/applications/x/reject", "key", kombotest.Integration, "{}", 405},
		"a candidate without all": {"POST", "/ats/jobs/" + kombotest.Job + "/applications", "key", kombotest.Integration, `{"candidate":{"first_name":"x"}}`, 400},
		"a page":                  {"GET", "/ats/applications?page_size=250", "key", kombotest.Integration, "", 200},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, kombotest.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+tt.key)
		r.Header.Set("X-Integration-Id", tt.integration)
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
