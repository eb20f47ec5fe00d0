package pinpoint_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/pinpoint"
	"github.com/career-relay/connector/connectors/pinpoint/pinpointtest"
	"github.com/career-relay/connector/connectors/spec"
)

var sentAt = time.Date(2026, 10, 2, 6, 15, 9, 0, time.UTC)

func account(tb testing.TB) *pinpointtest.Server {
	tb.Helper()
	s, err := pinpointtest.New("key")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func open(settings string, s *pinpointtest.Server, log *slog.Logger) (connectors.Connector, error) {
	file, err := spec.Shipped("pinpoint")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return sentAt }, Log: log}
	return pinpoint.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: pinpoint\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

const settings = "secrets: [secret]\nsubdomain: hoshizora\napi_key: key\napi_url: " + pinpointtest.URL + "\n"

func connect(tb testing.TB, s *pinpointtest.Server, settings string) *pinpoint.Connector {
	tb.Helper()
	c, err := open(settings, s, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*pinpoint.Connector)
}

func hint() ats.Event {
	return ats.Event{Application: pinpointtest.Application, State: ats.Rejected, Side: ats.Unknown, At: sentAt, Clock: ats.SentClock}
}

func TestComplete(t *testing.T) {
	s := account(t)
	e := hint()
	if err := connect(t, s, settings).Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: pinpointtest.Application, State: ats.Rejected, Side: ats.Company,
		Evidence: "rejection reason, not confirmed by the company: Skills mismatch", At: sentAt, Clock: ats.SentClock,
		Candidate: ats.Candidate{FamilyName: "佐藤", GivenName: "美咲", Email: "misaki.sato@example.jp"},
		Job:       ats.Job{ID: pinpointtest.Job, Title: "Senior Backend Engineer", Department: "Engineering"},
		Status:    "Rejected", Reason: "Skills mismatch",
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	hired := ats.Event{Application: pinpointtest.Application, State: ats.Hired}
	if err := connect(t, s, settings).Complete(t.Context(), &hired); err != nil || s.Calls() != 1 {
		t.Errorf("a hire: got %v after %d calls, want no further one", err, s.Calls())
	}
}

// tags replaces the tags of the application.
func tags(list ...any) func(*pinpointtest.Server) {
	return func(s *pinpointtest.Server) {
		s.Change(func(application, _ map[string]any) { application["tags"] = list })
	}
}

func stage(title, kind any) func(*pinpointtest.Server) {
	return func(s *pinpointtest.Server) {
		s.Change(func(_, stage map[string]any) { stage["title"], stage["stage_type"] = title, kind })
	}
}

func TestSituations(t *testing.T) {
	type object = map[string]any
	for name, tt := range map[string]struct {
		change   func(*pinpointtest.Server)
		settings string
		state    ats.State
		side     ats.Side
		reason   string
	}{
		"the candidate's reason":       {change: tags("rejection_reason: Candidate withdrew"), state: ats.Withdrawn, side: ats.Applicant, reason: "Candidate withdrew"},
		"in Japanese":                  {change: tags("Rejection Reason : 選考辞退"), state: ats.Withdrawn, side: ats.Applicant, reason: "選考辞退"},
		"no tag":                       {change: tags(), state: ats.Rejected, side: ats.Unknown},
		"no tags at all":               {change: func(s *pinpointtest.Server) { s.Change(func(a, _ map[string]any) { delete(a, "tags") }) }, state: ats.Rejected, side: ats.Unknown},
		"tags of other kinds":          {change: tags("silver medalist", object{"tag": "referral", "context": "source"}, 7, object{"context": "rejection reason"}), state: ats.Rejected, side: ats.Unknown},
		"a tag with a context":         {change: tags(object{"tag": "Too junior", "context": "Rejection reason"}), state: ats.Rejected, side: ats.Company, reason: "Too junior"},
		"a name with a context":        {change: tags(object{"name": "Withdrew", "context": "rejection"}), state: ats.Withdrawn, side: ats.Applicant, reason: "Withdrew"},
		"a reason that is explained":   {settings: "outcomes: {skills mismatch: position_closed}", state: ats.Closed, side: ats.Company, reason: "Skills mismatch"},
		"a reason that is confirmed":   {settings: "outcomes: {skills mismatch: rejected}", state: ats.Rejected, side: ats.Company, reason: "Skills mismatch"},
		"a stage that is explained":    {change: stage("Talent pool", "custom"), settings: "outcomes: {Talent pool: rejected}", state: ats.Rejected, side: ats.Company, reason: "Skills mismatch"},
		"what is said of Rejected":     {change: tags("rejection_reason: Withdrew"), settings: "outcomes: {Rejected: rejected}", state: ats.Withdrawn, side: ats.Applicant, reason: "Withdrew"},
		"taken back":                   {change: stage("Second interview", "interview"), state: ats.Reopened, side: ats.Company, reason: "Skills mismatch"},
		"hired":                        {change: stage("Hired", nil), state: ats.Hired, side: ats.Company, reason: "Skills mismatch"},
		"a rule of the customer's own": {settings: `events: [{when: .job.department_name == "Engineering", state: closed, side: company}]`, state: ats.Closed, side: ats.Company, reason: "Skills mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			e := hint()
			if err := connect(t, s, settings+tt.settings).Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			if e.State != tt.state || e.Side != tt.side || e.Reason != tt.reason {
				t.Errorf("got %s by %s (%s), want %s by %s (%s)", e.State, e.Side, e.Reason, tt.state, tt.side, tt.reason)
			}
		})
	}
}

func TestCompleteFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*pinpointtest.Server)
		settings string
		event    func(*ats.Event)
		fault    ats.Fault
		want     string
	}{
		"deleted":             {change: (*pinpointtest.Server).Delete, fault: ats.NotFound, want: "it was deleted, or the API key may not read it"},
		"another application": {change: (*pinpointtest.Server).Swap, fault: ats.Invalid, want: "not the application that was asked for"},
		"an id that is a way": {event: func(e *ats.Event) { e.Application = "../users" }, fault: ats.Invalid, want: "not one of Pinpoint's"},
		"no stage":            {change: stage(nil, nil), fault: ats.Invalid, want: "the API names no stage"},
		"another key":         {settings: strings.Replace(settings, "api_key: key", "api_key: other", 1), fault: ats.Denied, want: "401 Unauthorized"},
		"down":                {change: func(s *pinpointtest.Server) { s.Fail(503) }, fault: ats.Busy, want: "503"},
		"ignored":             {settings: settings + "outcomes: {Skills mismatch: ignored}", fault: ats.Duplicate, want: "nothing in the answers concerns us"},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			if tt.settings == "" {
				tt.settings = settings
			}
			e := hint()
			if tt.event != nil {
				tt.event(&e)
			}
			err := connect(t, s, tt.settings).Complete(t.Context(), &e)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "example") {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
		})
	}
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*pinpointtest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":      {want: ats.Rejected},
		"taken back":          {change: stage("Phone screen", "phone_screen"), want: ats.Reopened},
		"withdrawn after all": {change: tags("rejection_reason: Candidate withdrew"), want: ats.Withdrawn},
		"ignored":             {settings: "outcomes: {Skills mismatch: ignored}", want: ""},
		"no stage":            {change: stage(nil, nil), fault: ats.Invalid},
		"deleted":             {change: (*pinpointtest.Server).Delete, fault: ats.NotFound},
		"down":                {change: func(s *pinpointtest.Server) { s.Fail(500) }, fault: ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			got, err := connect(t, s, settings+tt.settings).State(t.Context(), ats.Event{Application: pinpointtest.Application, State: ats.Rejected, At: sentAt})
			if got != tt.want || ats.FaultOf(err) != tt.fault {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

func TestPush(t *testing.T) {
	s := account(t)
	c := connect(t, s, settings)
	person := ats.Candidate{Name: "髙橋 美咲", Email: "misaki.takahashi@example.jp"}
	ref, err := c.Push(t.Context(), person, pinpointtest.Job)
	if err != nil || ref == "" {
		t.Fatalf("got %q, %v", ref, err)
	}
	made := s.Applications(string(person.Email))
	if len(made) != 1 || made[0]["id"] != ref || len(s.Comments()) != 1 || !strings.Contains(s.Comments()[0], "キャリアリレー") {
		t.Errorf("got %v with %q", made, s.Comments())
	}
	for name, tt := range map[string]struct {
		person ats.Candidate
		job    string
		fails  []int
		fault  ats.Fault
	}{
		"no name":                    {ats.Candidate{Email: "a@example.jp"}, pinpointtest.Job, nil, ats.Invalid},
		"no such job":                {person, "1", nil, ats.Invalid},
		"a job that is a way":        {person, "../x", nil, ats.Invalid},
		"too many calls":             {person, pinpointtest.Job, []int{429}, ats.Busy},
		"nobody knows if it is made": {person, pinpointtest.Job, []int{502}, ats.Unclear},
	} {
		s.Fail(tt.fails...)
		if _, err := c.Push(t.Context(), tt.person, tt.job); ats.FaultOf(err) != tt.fault || strings.Contains(err.Error(), "@") {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
	// Without its note a candidate is there all the same.
	var log bytes.Buffer
	noted, err := open(settings, s, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s.Fail(0, 500)
	ref, err = noted.(connectors.Pusher).Push(t.Context(), person, pinpointtest.Job)
	if err != nil || ref == "" || !strings.Contains(log.String(), "note left out") || strings.Contains(log.String(), "misaki") {
		t.Errorf("got %q, %v and the log %s", ref, err, log.String())
	}
}

func TestSettings(t *testing.T) {
	s := account(t)
	for name, tt := range map[string]struct{ settings, want string }{
		"no key":            {"secrets: [s]\nsubdomain: hoshizora", "api_key: required"},
		"no subdomain":      {"secrets: [s]\napi_key: k", "subdomain: required"},
		"a whole address":   {"secrets: [s]\napi_key: k\nsubdomain: hoshizora.pinpointhq.com", "subdomain: required; what stands before .pinpointhq.com"},
		"all of it at once": {"", "api_key: required; Pinpoint's webhooks say only which application changed\nsubdomain: required; what stands before .pinpointhq.com\nsecrets: required"},
		"an unknown key":    {settings + "reasons: {}", "field reasons not found"},
		"plain http":        {"secrets: [s]\napi_key: k\nsubdomain: a\napi_url: http://a.test", "must begin with https://"},
	} {
		if _, err := open(tt.settings, s, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	if _, err := open("secrets: [s]\napi_key: k\nsubdomain: hoshizora", s, nil); err != nil {
		t.Errorf("with a subdomain alone: got %v", err)
	}
}

// TestAccount keeps the stand-in as strict as Pinpoint.
func TestAccount(t *testing.T) {
	const kind = "application/vnd.api+json"
	s := account(t)
	for name, tt := range map[string]struct {
		method, path, key, accept, body string
		status                          int
	}{
		"another key":              {"GET", "/applications/" + pinpointtest.Application, "other", kind, "", 401},
		"plain JSON":               {"GET", "/applications/" + pinpointtest.Application, "key", "application/json", "", 406},
		"an unknown application":   {"GET", "/applications/1", "key", kind, "", 404},
		"another version":          {"GET", "/../v2/applications/1", "key", kind, "", 404},
		"an unknown kind":          {"GET", "/users/1", "key", kind, "", 404},
		"no JSON":                  {"POST", "/applications", "key", kind, "x", 400},
		"another type":             {"POST", "/applications", "key", kind, `{"data":{"type":"jobs"}}`, 400},
		"an application of nobody": {"POST", "/applications", "key", kind, `{"data":{"type":"applications"}}`, 422},
		"a comment on nothing":     {"POST", "/comments", "key", kind, `{"data":{"type":"comments","attributes":{"body":"x"}}}`, 422},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, pinpointtest.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-API-KEY", tt.key)
		r.Header.Set("Accept", tt.accept)
		r.Header.Set("Content-Type", kind)
		answer, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != tt.status {
			t.Errorf("%s: got %d, want %d", name, answer.StatusCode, tt.status)
		}
	}
}
