package merge_test

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
	"github.com/career-relay/connector/connectors/merge"
	"github.com/career-relay/connector/connectors/merge/mergetest"
	"github.com/career-relay/connector/connectors/spec"
)

var (
	began      = time.Date(2026, 10, 2, 6, 0, 0, 0, time.UTC)
	rejectedAt = time.Date(2026, 10, 2, 6, 15, 9, 0, time.UTC)
)

const settings = "secrets: [s]\naccount: " + mergetest.Account + "\nsince: 2026-09-01\napi_key: key\naccount_token: token\n"

// A clock goes a second further with every look at it, so that the account's
// limit does not slow tests down.
type clock struct{ at time.Time }

func (c *clock) now() time.Time {
	c.at = c.at.Add(time.Second)
	return c.at
}

func open(s *mergetest.Server, c *clock, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("merge")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: c.now}
	return merge.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: merge\napi_url: " + mergetest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func account(t *testing.T, more string) (*mergetest.Server, *clock, *merge.Connector) {
	t.Helper()
	c := &clock{began}
	s, err := mergetest.New("key", "token", c.now)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := open(s, c, settings+more)
	if err != nil {
		t.Fatal(err)
	}
	return s, c, conn.(*merge.Connector)
}

// told is the event of a sample, before anything was read.
func told(t *testing.T, conn *merge.Connector, sample string) ats.Event {
	t.Helper()
	folder, err := fs.Sub(connectors.Files, "merge")
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Sample(folder, sample)
	if err != nil {
		t.Fatal(err)
	}
	events, err := conn.Decode(p)
	if err != nil || len(events) != 1 {
		t.Fatalf("%s: got %d events, %v", sample, len(events), err)
	}
	return events[0]
}

func TestComplete(t *testing.T) {
	s, _, conn := account(t, "")
	e := told(t, conn, "rejected")
	if err := conn.Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: mergetest.Rejected, State: ats.Rejected, Side: ats.Company, Evidence: "reject reason, not confirmed by the company: スキル不一致 (skills mismatch)",
		At: rejectedAt, Clock: ats.DecidedClock, Candidate: ats.Candidate{ID: mergetest.Candidate, FamilyName: "佐藤", GivenName: "美咲", Email: "misaki.sato@example.jp"},
		Job: ats.Job{ID: mergetest.Job, Title: "Senior Backend Engineer (Tokyo)"}, Stage: "Technical interview", StageKind: ats.Interview,
		Status: "Application.changed", Reason: "スキル不一致 (skills mismatch)", Source: "Company website",
	}
	if diff := cmp.Diff(want, e); diff != "" || s.Calls() != 1 {
		t.Errorf("after %d calls (-want +got):\n%s", s.Calls(), diff)
	}
}

func TestSituations(t *testing.T) {
	put := func(members map[string]any) func(*mergetest.Server) {
		return func(s *mergetest.Server) { s.Put(mergetest.Rejected, began, members) }
	}
	for name, tt := range map[string]struct {
		sample   string
		change   func(*mergetest.Server)
		settings string
		want     string
		calls    int
	}{
		"a withdrawal":                           {change: put(map[string]any{"reject_reason": mergetest.Withdrew}), want: "withdrawn by candidate", calls: 1},
		"no reason":                              {change: put(map[string]any{"reject_reason": nil}), want: "rejected by unknown", calls: 1},
		"taken back meanwhile":                   {change: put(map[string]any{"rejected_at": nil, "reject_reason": nil}), want: "reopened by company", calls: 1},
		"deleted meanwhile":                      {change: put(map[string]any{"remote_was_deleted": true}), want: "erased by unknown", calls: 1},
		"a stage of the company":                 {settings: "outcomes: {Technical interview: hired}", want: "hired by company", calls: 1},
		"nothing is expanded":                    {change: (*mergetest.Server).Flatten, want: "rejected by company", calls: 5},
		"reasons that may not be read":           {change: func(s *mergetest.Server) { s.Close("reject-reasons") }, want: "rejected by unknown", calls: 2},
		"a job that is gone":                     {change: func(s *mergetest.Server) { s.Remove("jobs", mergetest.Job) }, want: "rejected by company", calls: 2},
		"a rejection that appeared":              {sample: "rejected.appeared", want: "rejected by company, history"},
		"a rejection since nobody knows when":    {sample: "rejected.no-time", want: "rejected by company, history"},
		"a rejection before the connection":      {sample: "rejected.before-the-connection", want: "rejected by company, history"},
		"then the webhook does not say how old":  {change: put(map[string]any{"rejected_at": nil}), want: "rejected by company, history", calls: 1},
		"what the poll brought is complete":      {sample: "rejected.expanded", want: "rejected by company"},
		"what was taken back needs no person":    {sample: "unrejected", want: "reopened by company"},
		"what was removed need not be looked at": {sample: "removed", want: "erased by unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, conn := account(t, tt.settings)
			if tt.change != nil {
				tt.change(s)
			}
			if tt.sample == "" {
				tt.sample = "rejected"
			}
			e := told(t, conn, tt.sample)
			if err := conn.Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s by %s", e.State, e.Side)
			if e.History {
				got += ", history"
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
		change   func(*mergetest.Server)
		settings string
		event    ats.Event
		fault    ats.Fault
		want     string
	}{
		"another account's application": {event: event("00000000-0000-4000-8000-000000000000"), fault: ats.NotFound, want: "it belongs to another linked account"},
		"an id that is a way":           {event: event("../candidates/x"), fault: ats.Invalid, want: "is not one of Merge's"},
		"a candidate that is gone": {
			change: func(s *mergetest.Server) { s.Remove("candidates", mergetest.Candidate) }, event: event(mergetest.Rejected), fault: ats.NotFound, want: "404",
		},
		"candidates that may not be read": {
			change: func(s *mergetest.Server) { s.Close("candidates") }, event: event(mergetest.Rejected), fault: ats.Denied, want: "403",
		},
		"a reason to be ignored":    {settings: "outcomes: {スキル不一致 (skills mismatch): ignored}", event: event(mergetest.Rejected), fault: ats.Duplicate, want: "nothing in the answer"},
		"Merge is down":             {change: func(s *mergetest.Server) { s.Fail(500) }, event: event(mergetest.Rejected), fault: ats.Busy, want: "500"},
		"the reasons are down":      {change: func(s *mergetest.Server) { s.Flatten(); s.Fail(0, 502) }, event: event(mergetest.Rejected), fault: ats.Busy, want: "502"},
		"another comes back":        {change: says(`{"id":"other"}`), event: event(mergetest.Rejected), fault: ats.Invalid, want: "is not what was asked for"},
		"a page comes back":         {change: says(`<html>`), event: event(mergetest.Rejected), fault: ats.Invalid, want: "is not the JSON"},
		"the account token is dead": {settings: "account_token: other", event: event(mergetest.Rejected), fault: ats.Denied, want: "401"},
	} {
		t.Run(name, func(t *testing.T) {
			s, c, _ := account(t, "")
			set := settings + tt.settings
			if strings.HasPrefix(tt.settings, "account_token") {
				set = strings.Replace(settings, "account_token: token", tt.settings, 1)
			}
			conn, err := open(s, c, set)
			if err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(s)
			}
			err = conn.(connectors.Completer).Complete(t.Context(), &tt.event)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
		})
	}
}

func says(body string) func(*mergetest.Server) {
	return func(s *mergetest.Server) {
		s.Answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
}

func TestState(t *testing.T) {
	put := func(members map[string]any) func(*mergetest.Server) {
		return func(s *mergetest.Server) { s.Put(mergetest.Rejected, began, members) }
	}
	for name, tt := range map[string]struct {
		change   func(*mergetest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":         {want: ats.Rejected},
		"taken back":             {change: put(map[string]any{"rejected_at": nil, "reject_reason": nil}), want: ats.Reopened},
		"withdrawn after all":    {change: put(map[string]any{"reject_reason": mergetest.Withdrew}), want: ats.Withdrawn},
		"deleted in the ATS":     {change: put(map[string]any{"remote_was_deleted": true}), want: ats.Erased},
		"a reason to be ignored": {settings: "outcomes: {スキル不一致 (skills mismatch): ignored}", want: ""},
		"gone":                   {change: func(s *mergetest.Server) { s.Remove("applications", mergetest.Rejected) }, fault: ats.NotFound},
		"Merge is down":          {change: func(s *mergetest.Server) { s.Fail(503) }, fault: ats.Busy},
	} {
		s, _, conn := account(t, tt.settings)
		if tt.change != nil {
			tt.change(s)
		}
		got, err := conn.State(t.Context(), ats.Event{Application: mergetest.Rejected, State: ats.Rejected})
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
	s.Put("since-nobody-knows-when", soon, map[string]any{"rejected_at": nil})
	s.Put("open", soon, map[string]any{"rejected_at": nil, "reject_reason": nil})
	s.Put("gone", soon, map[string]any{"remote_was_deleted": true})
	for i := range 120 {
		s.Put(fmt.Sprintf("n-%03d", i), soon, map[string]any{"rejected_at": "2026-10-02T06:19:00Z"})
	}
	c.at = began.Add(time.Hour)
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
	calls := s.Calls()
	for _, p := range append(news, more...) {
		events, err := conn.Decode(p)
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: got %d events, %v", p.Body, len(events), err)
		}
		e := events[0]
		if err := conn.Complete(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(e.Application, "n-") || e.Application == "n-000" {
			got[e.Application] = fmt.Sprintf("%s by %s, history %t, address %t", e.State, e.Side, e.History, e.Candidate.Email != "")
		}
		if e.State != ats.Rejected && strings.Contains(string(p.Body), "misaki") {
			t.Errorf("a person is kept: %s", p.Body)
		}
	}
	want := map[string]string{
		mergetest.Rejected:        "rejected by company, history false, address true",
		"n-000":                   "rejected by company, history false, address true",
		"old":                     "rejected by company, history true, address true",
		"since-nobody-knows-when": "rejected by company, history true, address true",
		"open":                    "reopened by company, history false, address false",
		"gone":                    "erased by unknown, history false, address false",
	}
	if diff := cmp.Diff(want, got); diff != "" || s.Calls() != calls {
		t.Errorf("after %d more calls (-want +got):\n%s", s.Calls()-calls, diff)
	}
	for name, body := range map[string]string{"a row that is none": `{"results":[{"x":1}]}`, "pages without end": `{"results":[],"next":"again"}`, "no JSON": `<html>`} {
		says(body)(s)
		if _, next, err := conn.Poll(t.Context(), cursor); ats.FaultOf(err) != ats.Invalid || next == "" {
			t.Errorf("%s: got %v, cursor %q", name, err, next)
		}
	}
}

func TestPush(t *testing.T) {
	s, _, conn := account(t, "remote_user_id: u-1")
	person := ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}
	ref, err := conn.Push(t.Context(), person, mergetest.Job)
	want := []map[string]any{
		{"first_name": "美咲", "last_name": "佐藤", "email_addresses": []any{map[string]any{"value": "misaki.sato@example.jp", "email_address_type": "PERSONAL"}}},
		{"candidate": "new-1", "job": mergetest.Job, "source": "キャリアリレー経由 (introduced by Career Relay)"},
	}
	if diff := cmp.Diff(want, s.Created); diff != "" || ref != "new-2" || err != nil {
		t.Errorf("got %q, %v (-want +got):\n%s", ref, err, diff)
	}
	for name, tt := range map[string]struct {
		candidate ats.Candidate
		job       string
		fail      []int
		fault     ats.Fault
	}{
		"nobody":                          {ats.Candidate{}, mergetest.Job, nil, ats.Invalid},
		"a job that is a way":             {person, "../x", nil, ats.Invalid},
		"nobody knows of the candidate":   {person, mergetest.Job, []int{500}, ats.Unclear},
		"nobody knows of the application": {person, mergetest.Job, []int{0, 500}, ats.Unclear},
		"too many calls":                  {person, mergetest.Job, []int{429}, ats.Busy},
		"a job that is not there":         {person, "another", nil, ats.Invalid},
	} {
		s.Fail(tt.fail...)
		if _, err := conn.Push(t.Context(), tt.candidate, tt.job); ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
	says(`{"model":{},"errors":["x"]}`)(s)
	if _, err := conn.Push(t.Context(), person, mergetest.Job); ats.FaultOf(err) != ats.Unclear {
		t.Errorf("an answer that names nothing: got %v, want unclear", err)
	}
}

func TestSettings(t *testing.T) {
	s, c, _ := account(t, "")
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing at all":   {"", "api_key: required; Merge's webhooks hold no person\naccount_token: required; it came with the webhook that told of the linked account\naccount: required"},
		"no day":           {strings.Replace(settings, "since: 2026-09-01\n", "", 1), "since: required; write the day of connection"},
		"a day that is no": {strings.Replace(settings, "2026-09-01", "September", 1), `since: "September" is not a date`},
		"no secret":        {strings.Replace(settings, "secrets: [s]\n", "", 1), "secrets: required"},
		"an unknown key":   {settings + "reasons: {}", "field reasons not found"},
	} {
		if _, err := open(s, c, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestServer keeps the stand-in as strict as Merge.
func TestServer(t *testing.T) {
	s, _, _ := account(t, "")
	one := "/applications/" + mergetest.Rejected
	for name, tt := range map[string]struct {
		method, path, key, token, body string
		status                         int
	}{
		"no key":               {"GET", one, "", "token", "", 401},
		"no account token":     {"GET", one, "key", "", "", 401},
		"an unknown expansion": {"GET", one + "?expand=offers", "key", "token", "", 400},
		"an unknown id":        {"GET", "/applications/x", "key", "token", "", 404},
		"an unknown kind":      {"GET", "/people", "key", "token", "", 404},
		"too many on a page":   {"GET", "/applications?page_size=101", "key", "token", "", 400},
		"a page of its own":    {"GET", "/applications?cursor=7", "key", "token", "", 400},
		"a way to change":      {"PATCH", one, "key", "token", "{}", 405},
		"no model":             {"POST", "/candidates", "key", "token", "{}", 400},
		"an application":       {"GET", one + "?expand=candidate,job,current_stage,reject_reason", "key", "token", "", 200},
	} {
		if got := call(t, s, tt.method, tt.path, tt.key, tt.token, tt.body); got != tt.status {
			t.Errorf("%s: got %d, want %d", name, got, tt.status)
		}
	}
	still, err := mergetest.New("key", "token", func() time.Time { return began })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 101 {
		if got := call(t, still, "GET", one, "key", "token", ""); (got == http.StatusTooManyRequests) != (i == 100) {
			t.Errorf("call %d at once: got %d", i+1, got)
		}
	}
}

func call(t *testing.T, s *mergetest.Server, method, path, key, token, body string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, mergetest.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("X-Account-Token", token)
	answer, err := s.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
