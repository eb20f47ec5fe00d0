package unifiedto_test

import (
	"bytes"
	"io/fs"
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
	unifiedto "github.com/career-relay/connector/connectors/unified-to"
	"github.com/career-relay/connector/connectors/unified-to/unifiedtest"
)

var rejectedAt = time.Date(2026, 10, 2, 6, 15, 9, 0, time.UTC)

const (
	secret   = "unified-workspace-secret-EXAMPLE-1"
	rest     = "account: " + unifiedtest.Connection + "\napi_key: key\nsince: 2026-09-01\nurl_token: token-of-the-address\n"
	settings = "secrets: [" + secret + "]\n" + rest
)

func open(s *unifiedtest.Server, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("unified-to")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return rejectedAt }}
	return unifiedto.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: unified-to\napi_url: " + unifiedtest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func account(t *testing.T, more string) (*unifiedtest.Server, *unifiedto.Connector) {
	t.Helper()
	s, err := unifiedtest.New("key")
	if err != nil {
		t.Fatal(err)
	}
	c, err := open(s, settings+more)
	if err != nil {
		t.Fatal(err)
	}
	return s, c.(*unifiedto.Connector)
}

func sample(t *testing.T, name string) connectors.Payload {
	t.Helper()
	folder, err := fs.Sub(connectors.Files, "unified-to")
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Sample(folder, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSignature has the vectors of the notes, and what must not pass.
func TestSignature(t *testing.T) {
	change := func(old, with string) func(*connectors.Payload) {
		return func(p *connectors.Payload) { p.Body = bytes.Replace(p.Body, []byte(old), []byte(with), 1) }
	}
	for name, tt := range map[string]struct {
		settings string
		change   func(*connectors.Payload)
		ok       bool
	}{
		"as it comes":                {ok: true},
		"the code in hex":            {change: change("2bHwR7V1V/AP1QUJYZpL6F4uUpA=", "d9b1f047b57557f00fd50509619a4be85e2e5290"), ok: true},
		"another status":             {change: change("REJECTED", "WITHDRAWN")},
		"another nonce":              {change: change("n-4f2c9a7e11", "n-4f2c9a7e12")},
		"no nonce":                   {change: change(`"nonce":"n-4f2c9a7e11",`, "")},
		"data in another form":       {change: change(`[{"id"`, `[ {"id"`)},
		"no code":                    {change: change(`"sig":"2bHwR7V1V/AP1QUJYZpL6F4uUpA=",`, "")},
		"no token in the address":    {change: func(p *connectors.Payload) { p.Query = nil }},
		"another token":              {change: func(p *connectors.Payload) { p.Query = url.Values{"k": {"other"}} }},
		"two tokens":                 {change: func(p *connectors.Payload) { p.Query = url.Values{"k": {"token-of-the-address", "other"}} }},
		"the newer code":             {settings: "sha256: true", ok: true},
		"the newer code is wrong":    {settings: "sha256: true", change: change("zcSxk+eI", "zcSxk+eJ")},
		"the newer code is missing":  {settings: "sha256: true", change: change(`"sig256":"zcSxk+eIqlTSI3IMi8GsZLC0vaD7Fl2s/N3E5ZmxvgY=",`, "")},
		"the old code does not help": {settings: "sha256: true", change: change("zcSxk+eIqlTSI3IMi8GsZLC0vaD7Fl2s/N3E5ZmxvgY=", "2bHwR7V1V/AP1QUJYZpL6F4uUpA=")},
		"what is around the data":    {change: change("NATIVE", "VIRTUAL"), ok: true}, // so it must not decide alone
	} {
		t.Run(name, func(t *testing.T) {
			_, c := account(t, tt.settings)
			p := sample(t, "rejected")
			if tt.change != nil {
				tt.change(&p)
			}
			if err := c.Verify(p); tt.ok != (err == nil) || err != nil && ats.FaultOf(err) != ats.Denied {
				t.Errorf("got %v, want valid %t", err, tt.ok)
			}
		})
	}
	_, c := account(t, "")
	one, other := sample(t, "rejected"), sample(t, "rejected")
	other.Body = bytes.Replace(other.Body, []byte("NATIVE"), []byte("VIRTUAL"), 1)
	if c.Key(one) != c.Key(other) || c.Key(one) == "" || !c.Hint() {
		t.Errorf("got the keys %q and %q, hint %t: a replay in other clothes must be a repetition", c.Key(one), c.Key(other), c.Hint())
	}
}

func TestComplete(t *testing.T) {
	s, c := account(t, "")
	events, err := c.Decode(sample(t, "rejected"))
	if err != nil || len(events) != 1 {
		t.Fatalf("got %d events, %v", len(events), err)
	}
	e := events[0]
	if err := c.Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: unifiedtest.Application, State: ats.Rejected, Side: ats.Company, Evidence: "status REJECTED", At: rejectedAt, Clock: ats.DecidedClock,
		Candidate: ats.Candidate{ID: unifiedtest.Candidate, Name: "佐藤 美咲", FamilyName: "佐藤", GivenName: "美咲", Email: "misaki.sato@example.jp"},
		Job:       ats.Job{ID: unifiedtest.Job, Title: "Senior Backend Engineer (Tokyo)", Department: "Engineering"},
		Status:    "REJECTED", Reason: "スキル不一致", Source: "Company website",
	}
	if diff := cmp.Diff(want, e); diff != "" || s.Calls() != 3 {
		t.Errorf("after %d calls (-want +got):\n%s", s.Calls(), diff)
	}
}

func TestSituations(t *testing.T) {
	change := func(members map[string]any) func(*unifiedtest.Server) {
		return func(s *unifiedtest.Server) { s.Change(members) }
	}
	for name, tt := range map[string]struct {
		sample   string
		change   func(*unifiedtest.Server)
		settings string
		state    ats.State
		side     ats.Side
		history  bool
		address  bool
		calls    int
	}{
		"withdrawn in the meantime":        {change: change(map[string]any{"status": "WITHDRAWN"}), state: ats.Withdrawn, side: ats.Applicant, address: true, calls: 3},
		"taken back meanwhile":             {change: change(map[string]any{"status": "SECOND_INTERVIEW", "rejected_at": nil}), state: ats.Reopened, side: ats.Company, calls: 3},
		"a candidate who is gone":          {change: func(s *unifiedtest.Server) { s.Delete("candidate", unifiedtest.Candidate) }, state: ats.Rejected, side: ats.Company, calls: 3},
		"a job that is gone":               {change: func(s *unifiedtest.Server) { s.Delete("job", unifiedtest.Job) }, state: ats.Rejected, side: ats.Company, address: true, calls: 3},
		"an application of nobody":         {change: change(map[string]any{"candidate_id": nil, "job_id": nil}), state: ats.Rejected, side: ats.Company, calls: 1},
		"what the company says":            {settings: "outcomes: {スキル不一致: position_closed}", state: ats.Closed, side: ats.Company},
		"the past is not read":             {sample: "rejected.initial", state: ats.Rejected, side: ats.Company, history: true},
		"the past by its day":              {sample: "rejected.before-the-connection", state: ats.Rejected, side: ats.Company, history: true},
		"what leads to no mail, neither":   {sample: "unrejected", state: ats.Reopened, side: ats.Company},
		"a deletion is taken as it is":     {sample: "deleted", state: ats.Erased, side: ats.Unknown},
		"a rejection nobody knows whom by": {sample: "rejected.other-status", change: change(map[string]any{"status": "SUBMITTED"}), state: ats.Rejected, side: ats.Unknown, address: true, calls: 3},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := account(t, tt.settings)
			if tt.change != nil {
				tt.change(s)
			}
			if tt.sample == "" {
				tt.sample = "rejected"
			}
			events, err := c.Decode(sample(t, tt.sample))
			if err != nil || len(events) != 1 {
				t.Fatalf("got %d events, %v", len(events), err)
			}
			e := events[0]
			if err := c.Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			if e.State != tt.state || e.Side != tt.side || e.History != tt.history || (e.Candidate.Email != "") != tt.address || s.Calls() != tt.calls {
				t.Errorf("got %s by %s, history %t, address %t after %d calls, want %s by %s, %t, %t after %d",
					e.State, e.Side, e.History, e.Candidate.Email != "", s.Calls(), tt.state, tt.side, tt.history, tt.address, tt.calls)
			}
		})
	}
}

func TestCompleteFails(t *testing.T) {
	event := func(id string) ats.Event { return ats.Event{Application: id, State: ats.Rejected} }
	for name, tt := range map[string]struct {
		change   func(*unifiedtest.Server)
		settings string
		event    ats.Event
		fault    ats.Fault
		want     string
	}{
		"a forged id":            {event: event("1"), fault: ats.NotFound, want: "or the delivery was forged"},
		"an id that is a way":    {event: event("../candidate/1"), fault: ats.Invalid, want: "cannot be used"},
		"no id":                  {event: event(""), fault: ats.Invalid, want: "cannot be used"},
		"Unified.to is down":     {change: func(s *unifiedtest.Server) { s.Fail(503) }, event: event(unifiedtest.Application), fault: ats.Busy, want: "503"},
		"the ATS behind is slow": {change: func(s *unifiedtest.Server) { s.Fail(0, 429) }, event: event(unifiedtest.Application), fault: ats.Busy, want: "429"},
		"a reason to be ignored": {settings: "outcomes: {スキル不一致: ignored}", event: event(unifiedtest.Application), fault: ats.Duplicate, want: "nothing in the answer"},
		"another comes back":     {change: says(`{"id":"other"}`), event: event(unifiedtest.Application), fault: ats.Invalid, want: "is not the application that was asked for"},
	} {
		s, c := account(t, tt.settings)
		if tt.change != nil {
			tt.change(s)
		}
		if err := c.Complete(t.Context(), &tt.event); ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s: %s", name, err, tt.fault, tt.want)
		}
	}
}

func says(body string) func(*unifiedtest.Server) {
	return func(s *unifiedtest.Server) {
		s.Answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
}

func TestState(t *testing.T) {
	change := func(members map[string]any) func(*unifiedtest.Server) {
		return func(s *unifiedtest.Server) { s.Change(members) }
	}
	for name, tt := range map[string]struct {
		change   func(*unifiedtest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":         {want: ats.Rejected},
		"taken back":             {change: change(map[string]any{"status": "REVIEWING", "rejected_at": nil}), want: ats.Reopened},
		"hired after all":        {change: change(map[string]any{"status": "HIRED"}), want: ats.Hired},
		"withdrawn after all":    {change: change(map[string]any{"original_substatus": "withdrawn"}), want: ats.Withdrawn},
		"a reason to be ignored": {settings: "outcomes: {スキル不一致: ignored}", want: ""},
		"deleted":                {change: func(s *unifiedtest.Server) { s.Delete("application", unifiedtest.Application) }, fault: ats.NotFound},
		"Unified.to is down":     {change: func(s *unifiedtest.Server) { s.Fail(500) }, fault: ats.Busy},
	} {
		s, c := account(t, tt.settings)
		if tt.change != nil {
			tt.change(s)
		}
		got, err := c.State(t.Context(), ats.Event{Application: unifiedtest.Application, State: ats.Rejected})
		if got != tt.want || ats.FaultOf(err) != tt.fault || tt.fault == "" && err != nil {
			t.Errorf("%s: got %q, %v, want %q, %q", name, got, err, tt.want, tt.fault)
		}
	}
}

func TestSubscribe(t *testing.T) {
	const callback = "https://relay.example.jp/hooks/acme/unified"
	s, c := account(t, "")
	s.Fail(0, 0, 503) // the second webhook fails
	if _, err := c.Subscribe(t.Context(), callback); ats.FaultOf(err) != ats.Busy || len(s.Hooks) != 1 {
		t.Fatalf("got %v with %d webhooks, want busy after the first", err, len(s.Hooks))
	}
	got, err := c.Subscribe(t.Context(), callback)
	if err != nil || got.ID != "hook-1,hook-2" || got.Secret != "" {
		t.Fatalf("got %+v, %v, want the one that was there and a new one", got, err)
	}
	hook := func(id, event string) map[string]any {
		return map[string]any{"id": id, "hook_url": callback + "?k=token-of-the-address", "connection_id": unifiedtest.Connection, "object_type": "ats_application", "event": event}
	}
	if diff := cmp.Diff([]map[string]any{hook("hook-1", "updated"), hook("hook-2", "deleted")}, s.Hooks); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := c.Unsubscribe(t.Context(), got.ID); err != nil || len(s.Hooks) != 0 {
		t.Errorf("got %v with %d webhooks", err, len(s.Hooks))
	}
	if err := c.Unsubscribe(t.Context(), got.ID); err != nil {
		t.Errorf("once more: got %v", err)
	}
	if err := c.Unsubscribe(t.Context(), "../ats"); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("an id that is a way: got %v", err)
	}
}

func TestPush(t *testing.T) {
	s, c := account(t, "")
	person := ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}
	const note = "キャリアリレー経由 (introduced by Career Relay)"
	ref, err := c.Push(t.Context(), person, unifiedtest.Job)
	want := []map[string]any{
		{"name": "佐藤 美咲", "first_name": "美咲", "last_name": "佐藤", "emails": []any{map[string]any{"email": "misaki.sato@example.jp", "type": "HOME"}}, "sources": []any{note}},
		{"candidate_id": "candidate-1", "job_id": unifiedtest.Job, "source": note},
	}
	if diff := cmp.Diff(want, s.Created); diff != "" || ref != "application-2" || err != nil {
		t.Errorf("got %q, %v (-want +got):\n%s", ref, err, diff)
	}
	for name, tt := range map[string]struct {
		candidate ats.Candidate
		job       string
		fail      []int
		fault     ats.Fault
	}{
		"nobody":                          {ats.Candidate{}, unifiedtest.Job, nil, ats.Invalid},
		"a job that is a way":             {person, "../x", nil, ats.Invalid},
		"a job that is not there":         {person, "7", nil, ats.Invalid},
		"nobody knows of the candidate":   {person, unifiedtest.Job, []int{500}, ats.Unclear},
		"nobody knows of the application": {person, unifiedtest.Job, []int{0, 500}, ats.Unclear},
		"too many calls":                  {person, unifiedtest.Job, []int{429}, ats.Busy},
	} {
		s.Fail(tt.fail...)
		if _, err := c.Push(t.Context(), tt.candidate, tt.job); ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
	says(`{}`)(s)
	if _, err := c.Push(t.Context(), person, unifiedtest.Job); ats.FaultOf(err) != ats.Unclear {
		t.Errorf("an answer that names nothing: got %v, want unclear", err)
	}
}

func TestSettings(t *testing.T) {
	s, _ := account(t, "")
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing at all": {"", "api_key: required; Unified.to's webhooks hold no person\naccount: required; write the id of the connection in Unified.to\nsince: required; write the day of connection, because any edit brings old rejections again\nurl_token: required"},
		"no secret":      {rest, "secrets: required"},
		"an unknown key": {settings + "token: x", "field token not found"},
	} {
		if _, err := open(s, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestServer keeps the stand-in as strict as Unified.to.
func TestServer(t *testing.T) {
	s, _ := account(t, "")
	base := "/ats/" + unifiedtest.Connection
	for name, tt := range map[string]struct {
		method, path, key, body string
		status                  int
	}{
		"no key":                    {"GET", base + "/application/" + unifiedtest.Application, "", "", 401},
		"another connection":        {"GET", "/ats/other/application/" + unifiedtest.Application, "key", "", 404},
		"an unknown id":             {"GET", base + "/application/1", "key", "", 404},
		"a way to delete":           {"DELETE", base + "/application/" + unifiedtest.Application, "key", "", 405},
		"a webhook with the past":   {"POST", "/unified/webhook", "key", `{"hook_url":"x","connection_id":"` + unifiedtest.Connection + `","object_type":"ats_application","event":"updated"}`, 400},
		"a webhook without a type":  {"POST", "/unified/webhook?include_all=false", "key", `{"hook_url":"x","connection_id":"` + unifiedtest.Connection + `","event":"updated"}`, 400},
		"an application of nothing": {"POST", base + "/application", "key", `{"candidate_id":"1","job_id":"1"}`, 400},
		"an application":            {"GET", base + "/application/" + unifiedtest.Application, "key", "", 200},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, unifiedtest.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+tt.key)
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
