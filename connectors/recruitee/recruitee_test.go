package recruitee_test

import (
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/recruitee"
	"github.com/career-relay/connector/connectors/recruitee/recruiteetest"
	"github.com/career-relay/connector/connectors/spec"
)

const settings = "secrets: [s]\naccount: '88001'\napi_key: key\n"

func open(s *recruiteetest.Server, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("recruitee")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC) }}
	return recruitee.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: recruitee\napi_url: " + recruiteetest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func account(t *testing.T) *recruiteetest.Server {
	t.Helper()
	s, err := recruiteetest.New("key")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func connect(t *testing.T, s *recruiteetest.Server, settings string) *recruitee.Connector {
	t.Helper()
	c, err := open(s, settings)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*recruitee.Connector)
}

// TestHandshake is the test that Recruitee sends before there is a secret.
func TestHandshake(t *testing.T) {
	folder, err := fs.Sub(connectors.Files, "recruitee")
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, account(t), settings)
	for name, tt := range map[string]struct {
		sample, signature string
		answered          bool
	}{
		"the verification request":                  {"test.verification", "", true},
		"an example that says test: true":           {"test.example-payload", "", true},
		"an event that says test: false":            {"rejected.test-false", "", false},
		"an event":                                  {"rejected", "", false},
		"an example with a signature, which counts": {"test.example-payload", "00", false},
	} {
		p, err := spec.Sample(folder, tt.sample)
		if err != nil {
			t.Fatal(err)
		}
		if tt.signature != "" {
			p.Header.Set("X-Recruitee-Signature", tt.signature)
		}
		if _, ok := c.Handshake(p); ok != tt.answered {
			t.Errorf("%s: answered %t, want %t", name, ok, tt.answered)
		}
		if err := c.Verify(p); ats.FaultOf(err) != ats.Denied {
			t.Errorf("%s: got %v, want denied: a test must have no effect", name, err)
		}
	}
}

func TestState(t *testing.T) {
	const application = recruiteetest.Candidate + "-" + recruiteetest.Job
	reason := func(text any) func(*recruiteetest.Server) {
		return func(s *recruiteetest.Server) { s.Change(map[string]any{"disqualify_reason": text}) }
	}
	for name, tt := range map[string]struct {
		change      func(*recruiteetest.Server)
		settings    string
		application string
		want        ats.State
		fault       ats.Fault
	}{
		"still disqualified":              {want: ats.Rejected},
		"no reason":                       {change: reason(nil), want: ats.Rejected},
		"withdrawn after all":             {change: reason("Candidate withdrew / 辞退"), want: ats.Withdrawn},
		"a reason that the company named": {settings: "outcomes: {Skills don’t match: position_closed}", want: ats.Closed},
		"a reason to be ignored":          {settings: "outcomes: {Skills don’t match: ignored}", want: ""},
		"requalified":                     {change: func(s *recruiteetest.Server) { s.Change(map[string]any{"disqualified_at": nil}) }, want: ats.Reopened},
		"hired":                           {change: func(s *recruiteetest.Server) { s.Change(map[string]any{"hired_at": "2026-10-03T00:00:00Z"}) }, want: ats.Hired},
		"no candidate for the job":        {change: (*recruiteetest.Server).Leave, want: ""},
		"a candidate for another job":     {application: recruiteetest.Candidate + "-7", want: ""},
		"an application without a job":    {application: recruiteetest.Candidate, want: ats.Rejected},
		"deleted":                         {change: (*recruiteetest.Server).Delete, fault: ats.NotFound},
		"another key":                     {settings: "api_key: other", fault: ats.Denied},
		"Recruitee is down":               {change: func(s *recruiteetest.Server) { s.Fail(503) }, fault: ats.Busy},
		"an id that is a way":             {application: "../offers", fault: ats.Invalid},
		"an id with a way behind":         {application: recruiteetest.Candidate + "-../7", fault: ats.Invalid},
		"somebody else comes back": {
			change: func(s *recruiteetest.Server) { s.Answer = somebodyElse }, fault: ats.Invalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			if tt.application == "" {
				tt.application = application
			}
			set := settings + tt.settings
			if strings.HasPrefix(tt.settings, "api_key") {
				set = "secrets: [s]\naccount: '88001'\n" + tt.settings
			}
			got, err := connect(t, s, set).State(t.Context(), ats.Event{Application: tt.application})
			if got != tt.want || ats.FaultOf(err) != tt.fault || tt.fault == "" && err != nil {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

func somebodyElse(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte(`{"candidate":{"id":1,"placements":[]}}`))
}

func TestPush(t *testing.T) {
	s := account(t)
	c := connect(t, s, settings)
	ref, err := c.Push(t.Context(), ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}, recruiteetest.Job)
	want := []map[string]any{{"name": "佐藤 美咲", "emails": []any{"misaki.sato@example.jp"}, "sources": []any{"キャリアリレー経由 (introduced by Career Relay)"}}}
	if diff := cmp.Diff(want, s.Created); diff != "" || ref != "51239001" || err != nil {
		t.Errorf("got %q, %v (-want +got):\n%s", ref, err, diff)
	}
	for name, tt := range map[string]struct {
		candidate ats.Candidate
		job       string
		fail      int
		fault     ats.Fault
	}{
		"nobody":               {ats.Candidate{}, recruiteetest.Job, 0, ats.Invalid},
		"no number of a job":   {ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}, "x/../y", 0, ats.Invalid},
		"too many calls":       {ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}, recruiteetest.Job, 429, ats.Busy},
		"an answer that fails": {ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}, recruiteetest.Job, 502, ats.Unclear},
	} {
		if tt.fail != 0 {
			s.Fail(tt.fail)
		}
		if _, err := c.Push(t.Context(), tt.candidate, tt.job); ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
}

func TestSettings(t *testing.T) {
	s := account(t)
	for name, tt := range map[string]struct{ settings, want string }{
		"a key without the company's number": {"secrets: [s]\napi_key: key", "account: required with api_key"},
		"a number that is a way":             {"secrets: [s]\napi_key: key\naccount: a/b", "account: required with api_key"},
		"no secret":                          {"api_key: key\naccount: '1'", "secrets: required"},
		"an unknown key":                     {settings + "reasons: {}", "field reasons not found"},
	} {
		if _, err := open(s, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	c, err := open(s, "secrets: [s]")
	if _, checks := c.(connectors.Checker); err != nil || checks {
		t.Errorf("without a key: got %v, checks %t, want a connector that only listens", err, checks)
	}
}

// TestServer keeps the stand-in as strict as Recruitee.
func TestServer(t *testing.T) {
	s := account(t)
	for name, tt := range map[string]struct {
		method, path, key, body string
		status                  int
	}{
		"no key":          {"GET", "/c/88001/candidates/51234001", "", "", 401},
		"another company": {"GET", "/c/88002/candidates/51234001", "key", "", 404},
		"nobody":          {"GET", "/c/88001/candidates/1", "key", "", 404},
		"a way to delete": {"DELETE", "/c/88001/candidates/51234001", "key", "", 405},
		"no name":         {"POST", "/c/88001/candidates", "key", `{"candidate":{"name":""},"offers":[1]}`, 422},
		"no job":          {"POST", "/c/88001/candidates", "key", `{"candidate":{"name":"x"},"offers":[]}`, 422},
		"a candidate":     {"GET", "/c/88001/candidates/51234001", "key", "", 200},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, recruiteetest.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if tt.key != "" {
			r.Header.Set("Authorization", "Bearer "+tt.key)
		}
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
