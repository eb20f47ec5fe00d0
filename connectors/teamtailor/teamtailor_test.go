package teamtailor_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/teamtailor"
	"github.com/career-relay/connector/connectors/teamtailor/teamtailortest"
)

var (
	rejectedAt = time.Date(2026, 10, 2, 6, 15, 9, 0, time.UTC)
	embargo    = time.Date(2026, 10, 9, 6, 15, 9, 0, time.UTC)
)

const settings = "secrets: [key]\nsince: 2026-09-01\napi_key: key\n"

// A clock goes a second further with every look at it, so that the account's
// limit does not slow tests down.
type clock struct{ at time.Time }

func (c *clock) now() time.Time {
	c.at = c.at.Add(time.Second)
	return c.at
}

func account(t *testing.T) (*teamtailortest.Server, *clock) {
	t.Helper()
	c := &clock{rejectedAt}
	s, err := teamtailortest.New("key", c.now)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func open(s *teamtailortest.Server, now func() time.Time, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("teamtailor")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: now}
	return teamtailor.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: teamtailor\napi_url: " + teamtailortest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func connect(t *testing.T, s *teamtailortest.Server, c *clock, more string) *teamtailor.Connector {
	t.Helper()
	conn, err := open(s, c.now, settings+more)
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*teamtailor.Connector)
}

func hint(id string) ats.Event {
	return ats.Event{Application: id, State: ats.Rejected, Side: ats.Unknown, At: rejectedAt, Clock: ats.DecidedClock, Status: "job_application.update"}
}

func TestComplete(t *testing.T) {
	s, c := account(t)
	e := hint(teamtailortest.Rejected)
	// What a forged delivery may say about the person must not survive.
	e.Candidate, e.Job.Title, e.Evidence = ats.Candidate{ID: "forged", Name: "forged", Email: "forged@example.jp"}, "forged", "forged"
	if err := connect(t, s, c, "").Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: teamtailortest.Rejected, State: ats.Rejected, Side: ats.Company, Evidence: "reject reason of the company: Other candidates were a better match",
		At: rejectedAt, Clock: ats.DecidedClock,
		Candidate: ats.Candidate{ID: teamtailortest.Candidate, FamilyName: "Lindström-ヨシダ", GivenName: "Åsa", Email: "asa.lindstrom@mail.example"},
		Job:       ats.Job{ID: teamtailortest.Job, Title: "Produktdesigner – Göteborg"}, Stage: "Interview", StageKind: ats.Interview,
		Status: "job_application.update", Reason: "Other candidates were a better match", Source: "linkedin.com",
	}
	if diff := cmp.Diff(want, e); diff != "" || s.Calls() != 1 {
		t.Errorf("after %d calls (-want +got):\n%s", s.Calls(), diff)
	}
}

// TestEmbargo is about the day before which nobody may be told.
func TestEmbargo(t *testing.T) {
	inAPI := func(s *teamtailortest.Server) {
		s.Change("job-applications", teamtailortest.Rejected, map[string]any{"transparent-recruiting-visible-at": embargo.Format(time.RFC3339)})
	}
	for name, tt := range map[string]struct {
		settings string
		change   func(*teamtailortest.Server)
		hint     func(*ats.Event)
		want     time.Time
		unknown  bool
	}{
		"the delivery names a day":                        {hint: func(e *ats.Event) { e.NotBefore = embargo }, want: embargo},
		"the delivery says that there is none":            {},
		"the delivery does not say":                       {hint: func(e *ats.Event) { e.Problems = []string{ats.EmbargoUnknown} }, unknown: true},
		"then the company's word counts":                  {settings: "no_embargo: true", hint: func(e *ats.Event) { e.Problems = []string{ats.EmbargoUnknown} }},
		"a day counts whatever the company says":          {settings: "no_embargo: true", hint: func(e *ats.Event) { e.NotBefore = embargo }, want: embargo},
		"the old signature protects no day":               {settings: "signature: v1", hint: func(e *ats.Event) { e.NotBefore = rejectedAt }, unknown: true},
		"nor does it protect that there is none":          {settings: "signature: v1", unknown: true},
		"the old signature, and the company has none":     {settings: "signature: v1\nno_embargo: true"},
		"the API says it":                                 {change: inAPI, hint: func(e *ats.Event) { e.Problems = []string{ats.EmbargoUnknown} }, want: embargo},
		"what the API says counts more than the delivery": {change: inAPI, hint: func(e *ats.Event) { e.NotBefore = rejectedAt }, want: embargo},
		"an update that says nothing at all":              {hint: func(e *ats.Event) { e.State, e.Problems = ats.Reopened, []string{ats.EmbargoUnknown} }, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			e := hint(teamtailortest.Rejected)
			if tt.hint != nil {
				tt.hint(&e)
			}
			if err := connect(t, s, c, tt.settings).Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			if !e.NotBefore.Equal(tt.want) || (len(e.Problems) > 0) != tt.unknown || e.State != ats.Rejected {
				t.Errorf("got %s, not before %s, problems %v, want %s, unknown %t", e.State, e.NotBefore, e.Problems, tt.want, tt.unknown)
			}
		})
	}
}

func TestSituations(t *testing.T) {
	for name, tt := range map[string]struct {
		id     string
		change func(*teamtailortest.Server)
		hinted ats.State
		state  ats.State
		side   ats.Side
	}{
		"by the candidate": {id: teamtailortest.Withdrawn, state: ats.Withdrawn, side: ats.Applicant},
		"no reason": {
			change: func(s *teamtailortest.Server) { s.Relate(teamtailortest.Rejected, "reject-reason", "", "") }, state: ats.Rejected, side: ats.Unknown,
		},
		"a reason that is gone": {
			change: func(s *teamtailortest.Server) { s.Delete("reject-reasons", teamtailortest.ByCompany) }, state: ats.Rejected, side: ats.Unknown,
		},
		"taken back meanwhile": {
			change: func(s *teamtailortest.Server) {
				s.Change("job-applications", teamtailortest.Rejected, map[string]any{"rejected-at": nil})
			}, state: ats.Reopened, side: ats.Company,
		},
		"hired": {
			change: func(s *teamtailortest.Server) {
				s.Change("job-applications", teamtailortest.Rejected, map[string]any{"rejected-at": nil})
				s.Relate(teamtailortest.Rejected, "stage", "stages", teamtailortest.Hired)
			}, hinted: ats.Reopened, state: ats.Hired, side: ats.Company,
		},
		"rejected in the stage of the hired": {
			change: func(s *teamtailortest.Server) {
				s.Relate(teamtailortest.Rejected, "stage", "stages", teamtailortest.Hired)
			}, state: ats.Rejected, side: ats.Company,
		},
		"a deletion that happened": {
			change: func(s *teamtailortest.Server) { s.Delete("job-applications", teamtailortest.Rejected) }, hinted: ats.Erased, state: ats.Erased, side: ats.Unknown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			if tt.id == "" {
				tt.id = teamtailortest.Rejected
			}
			e := hint(tt.id)
			if tt.hinted != "" {
				e.State = tt.hinted
			}
			if err := connect(t, s, c, "").Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			if e.State != tt.state || e.Side != tt.side {
				t.Errorf("got %s by %s, want %s by %s", e.State, e.Side, tt.state, tt.side)
			}
		})
	}
}

func TestCompleteFails(t *testing.T) {
	person := ats.Event{State: ats.Erased, Candidate: ats.Candidate{ID: teamtailortest.Candidate}}
	deletion := hint(teamtailortest.Rejected)
	deletion.State = ats.Erased
	reopened := hint(teamtailortest.Rejected)
	reopened.State = ats.Reopened
	for name, tt := range map[string]struct {
		change func(*teamtailortest.Server)
		event  ats.Event
		key    string
		fault  ats.Fault
		want   string
	}{
		"a forged id":                              {event: hint("1"), fault: ats.NotFound, want: "or the delivery was forged"},
		"an id that is a way":                      {event: hint("../users"), fault: ats.Invalid, want: "is not one of Teamtailor's"},
		"a deletion that did not happen":           {event: deletion, fault: ats.Invalid, want: "Teamtailor still has it"},
		"a person who was not deleted":             {event: person, fault: ats.Invalid, want: "Teamtailor still has it"},
		"a rejection after what the delivery says": {event: reopened, fault: ats.Duplicate, want: "nothing in the answers"},
		"another key":                              {event: hint(teamtailortest.Rejected), key: "other", fault: ats.Denied, want: "401"},
		"Teamtailor is down":                       {event: hint(teamtailortest.Rejected), change: func(s *teamtailortest.Server) { s.Fail(500) }, fault: ats.Busy, want: "500"},
		"too many calls":                           {event: hint(teamtailortest.Rejected), change: func(s *teamtailortest.Server) { s.Fail(429) }, fault: ats.Busy, want: "429"},
		"another application comes back": {
			event: hint(teamtailortest.Rejected), fault: ats.Invalid, want: "is not the application that was asked for",
			change: func(s *teamtailortest.Server) {
				s.Answer = func(w http.ResponseWriter, _ *http.Request) {
					_, _ = w.Write([]byte(`{"data":{"id":"1","type":"job-applications","attributes":{}}}`))
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			set := settings
			if tt.key != "" {
				set = strings.Replace(settings, "api_key: key", "api_key: "+tt.key, 1)
			}
			conn, err := open(s, c.now, set)
			if err != nil {
				t.Fatal(err)
			}
			err = conn.(connectors.Completer).Complete(t.Context(), &tt.event)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
		})
	}
	s, c := account(t)
	s.Delete("candidates", teamtailortest.Candidate)
	if err := connect(t, s, c, "").Complete(t.Context(), &person); err != nil || !person.Person() {
		t.Errorf("a person who was deleted: got %v", err)
	}
}

func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*teamtailortest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected": {want: ats.Rejected},
		"taken back": {
			change: func(s *teamtailortest.Server) {
				s.Change("job-applications", teamtailortest.Rejected, map[string]any{"rejected-at": nil})
			}, want: ats.Reopened,
		},
		"withdrawn after all": {
			change: func(s *teamtailortest.Server) {
				s.Relate(teamtailortest.Rejected, "reject-reason", "reject-reasons", teamtailortest.ByCandidate)
			}, want: ats.Withdrawn,
		},
		"a rule of the customer's own": {settings: `events: [{when: .job.id == "880011", ignore: true}]`, want: ""},
		"deleted":                      {change: func(s *teamtailortest.Server) { s.Delete("job-applications", teamtailortest.Rejected) }, fault: ats.NotFound},
		"Teamtailor is down":           {change: func(s *teamtailortest.Server) { s.Fail(503) }, fault: ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			got, err := connect(t, s, c, tt.settings).State(t.Context(), ats.Event{Application: teamtailortest.Rejected, State: ats.Rejected, At: rejectedAt})
			if got != tt.want || ats.FaultOf(err) != tt.fault || tt.fault == "" && err != nil {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

// TestPoll looks for rejections that no webhook told.
func TestPoll(t *testing.T) {
	s, c := account(t)
	conn := connect(t, s, c, "")
	news, cursor, err := conn.Poll(t.Context(), "")
	if len(news) != 0 || err != nil || s.Calls() != 0 {
		t.Fatalf("the first time: got %d, %v after %d calls", len(news), err, s.Calls())
	}
	began := c.at
	for i := range 70 {
		s.Add(strconv.Itoa(40000000+i), began.Add(time.Minute), began.Add(time.Minute))
	}
	s.Add("50000001", began.Add(time.Minute), began.Add(-24*time.Hour)) // edited later
	s.Add("50000002", began.Add(time.Minute), time.Time{})              // not rejected
	s.Add("50000003", began.Add(59*time.Minute), began.Add(59*time.Minute))
	c.at = began.Add(time.Hour)
	news, cursor, err = conn.Poll(t.Context(), cursor)
	if err != nil || len(news) != 71 {
		t.Fatalf("got %d, %v, want the 71 rejections that are not brand-new", len(news), err)
	}
	old := 0
	for _, p := range news {
		events, err := conn.Decode(p)
		if err != nil || len(events) != 1 || events[0].State != ats.Rejected || len(events[0].Problems) != 1 {
			t.Fatalf("%s: got %v, %v", p.Body, events, err)
		}
		if events[0].History {
			old++
			if events[0].Application != "50000001" {
				t.Errorf("%s is history", events[0].Application)
			}
		}
	}
	if old != 1 {
		t.Errorf("%d of them are history, want one", old)
	}
	c.at = began.Add(2 * time.Hour)
	if news, _, err = conn.Poll(t.Context(), cursor); err != nil || len(news) != 1 || !strings.Contains(string(news[0].Body), "50000003") {
		t.Errorf("an hour later: got %d, %v, want what was left to the webhook", len(news), err)
	}
}

// TestPollOfWhatAWebhookTold gives both the same key, so that they are one.
func TestPollOfWhatAWebhookTold(t *testing.T) {
	s, c := account(t)
	conn := connect(t, s, c, "")
	folder, err := fs.Sub(connectors.Files, "teamtailor")
	if err != nil {
		t.Fatal(err)
	}
	told, err := spec.Sample(folder, "rejected")
	if err != nil {
		t.Fatal(err)
	}
	c.at = rejectedAt.Add(-time.Hour)
	_, cursor, _ := conn.Poll(t.Context(), "")
	c.at = rejectedAt.Add(time.Hour)
	news, _, err := conn.Poll(t.Context(), cursor)
	if err != nil || len(news) != 2 || conn.Key(news[0]) != conn.Key(told) || conn.Key(told) == "" {
		t.Errorf("got %d, %v with the key %q, want %q", len(news), err, conn.Key(news[0]), conn.Key(told))
	}
}

// TestPollWhilePagesMove deletes applications while they are read.
func TestPollWhilePagesMove(t *testing.T) {
	s, c := account(t)
	conn := connect(t, s, c, "")
	_, cursor, _ := conn.Poll(t.Context(), "")
	began := c.at
	for i := range 90 {
		s.Add(strconv.Itoa(40000000+i), began.Add(time.Minute), began.Add(time.Minute))
	}
	c.at = began.Add(time.Hour)
	calls, answer := 0, s.Answer
	s.Answer = func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 2 { // the second page: ten of the first go away
			s.Unlock()
			for i := range 10 {
				s.Delete("job-applications", strconv.Itoa(40000000+i))
			}
			s.Lock()
		}
		answer(w, r)
	}
	news, _, err := conn.Poll(t.Context(), cursor)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range news {
		var body struct{ Data struct{ ID string } }
		if err := json.Unmarshal(p.Body, &body); err != nil {
			t.Fatal(err)
		}
		seen[body.Data.ID] = true
	}
	for i := 10; i < 90; i++ {
		if id := strconv.Itoa(40000000 + i); !seen[id] {
			t.Errorf("%s was lost", id)
		}
	}
}

func TestPollFails(t *testing.T) {
	s, c := account(t)
	conn := connect(t, s, c, "")
	_, cursor, _ := conn.Poll(t.Context(), "")
	began := c.at
	for i := range 70 {
		s.Add(strconv.Itoa(40000000+i), began.Add(time.Minute), began.Add(time.Minute))
	}
	c.at = began.Add(time.Hour)
	s.Fail(0, 0, 429)
	news, cursor, err := conn.Poll(t.Context(), cursor)
	if ats.FaultOf(err) != ats.Busy || len(news) != 60 {
		t.Fatalf("got %d, %v, want two pages and busy", len(news), err)
	}
	if news, _, err = conn.Poll(t.Context(), cursor); err != nil || len(news) != 10 {
		t.Errorf("then: got %d, %v, want the rest", len(news), err)
	}
	for _, cursor := range []string{"x", `{"since":"2026-10-02T00:00:00Z","began":"2026-10-02T00:00:00Z","page":"zwei"}`} {
		if _, _, err := conn.Poll(t.Context(), cursor); cursor == "x" && ats.FaultOf(err) != ats.Invalid || cursor != "x" && err != nil {
			t.Errorf("the cursor %s: got %v", cursor, err)
		}
	}
}

func TestPush(t *testing.T) {
	s, c := account(t)
	conn := connect(t, s, c, "")
	ref, err := conn.Push(t.Context(), ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}, teamtailortest.Job)
	relation := func(kind, id string) any { return map[string]any{"data": map[string]any{"type": kind, "id": id}} }
	want := []map[string]any{
		{"type": "candidates", "attributes": map[string]any{"first-name": "美咲", "last-name": "佐藤", "email": "misaki.sato@example.jp", "sourced": true, "merge": true}},
		{
			"type": "job-applications", "attributes": map[string]any{"cover-letter": "キャリアリレー経由 (introduced by Career Relay)", "sourced": true},
			"relationships": map[string]any{"candidate": relation("candidates", "30450101"), "job": relation("jobs", teamtailortest.Job)},
		},
	}
	if diff := cmp.Diff(want, s.Created); diff != "" || ref != "30450102" || err != nil {
		t.Errorf("got %q, %v (-want +got):\n%s", ref, err, diff)
	}
	person := ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}
	for name, tt := range map[string]struct {
		candidate ats.Candidate
		job       string
		fail      []int
		fault     ats.Fault
	}{
		"nobody":                             {ats.Candidate{}, teamtailortest.Job, nil, ats.Invalid},
		"a job that is a way":                {person, "../users", nil, ats.Invalid},
		"the candidate fails":                {person, teamtailortest.Job, []int{502}, ats.Busy},
		"nobody knows of the application":    {person, teamtailortest.Job, []int{0, 502}, ats.Unclear},
		"the application surely is not made": {person, teamtailortest.Job, []int{0, 429}, ats.Busy},
	} {
		s.Fail(tt.fail...)
		if _, err := conn.Push(t.Context(), tt.candidate, tt.job); ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %v, want %s", name, err, tt.fault)
		}
	}
}

// TestOldSignature has the vectors of version 1, which protects the id only.
func TestOldSignature(t *testing.T) {
	const secret, good = "tt-webhook-signature-key-EXAMPLE-1", "YmZjYTNhZjBjYzUwYmE0NjQ2ZTYyOWM5YmMzNjZiZWYwZGMzMWJkZGFlOGJhMmI0NTFkYjA2YzVjMDM3MDhmMA=="
	s, c := account(t)
	conn, err := open(s, c.now, "secrets: ["+secret+"]\nsince: 2026-09-01\napi_key: key\nsignature: v1")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := fs.Sub(connectors.Files, "teamtailor")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		sample, code string
		ok           bool
	}{
		"the id of an update":              {"rejected.v1", good, true},
		"the id of a deletion":             {"destroyed", good, true},
		"an id without attributes":         {"malformed.no-attributes", good, true},
		"the same id without the envelope": {"rejected.no-envelope", good, true},
		"the same id with another content": {"rejected.embargo", good, true},
		"an id that is a number":           {"rejected.number-as-id", good, true},
		"another id":                       {"withdrawn", good, false},
		"no id": {
			"malformed.no-id", "ZWQxMzNhZDUwZTg3MTYwNDA0MTRiNzViYTRkZmI5ZTAxNjUzMGIwYjUwY2I4NzMwODAzODJmYjYxNTRmNDRkOA==", false,
		},
		"the digest in base64":                          {"rejected.v1", "v8o68MxQukZG5inJvDZr7w3DG92ui6K0UdsGxcA3CPA=", false},
		"version 2 at a connection that is set to this": {"rejected", "dD0xNzkwOTIxNzA5LHYyPWQ2MjVjYWJmMmE2OTZiN2U0YzBmOTRjNjVhY2U3MGZkMWFlNGEwNTI3NjYxM2U2YjA5MTRiMGE0Nzc1Mzk3ODQ=", false},
		"undecodable":                                   {"rejected.v1", "%%%not-base64", false},
	} {
		p, err := spec.Sample(folder, tt.sample)
		if err != nil {
			t.Fatal(err)
		}
		p.Header.Set("TT-Signature", tt.code)
		if err := conn.(connectors.Receiver).Verify(p); tt.ok != (err == nil) || err != nil && ats.FaultOf(err) != ats.Denied {
			t.Errorf("%s: got %v, want valid %t", name, err, tt.ok)
		}
	}
	p, err := spec.Sample(folder, "rejected")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := conn.(connectors.Signer).Sign(p)
	if err != nil || signed.Header.Get("TT-Signature") != good {
		t.Errorf("signing: got %q, %v", signed.Header.Get("TT-Signature"), err)
	}
}

func TestSettings(t *testing.T) {
	s, c := account(t)
	for name, tt := range map[string]struct{ settings, want string }{
		"no API key":             {"secrets: [key]", "api_key: required"},
		"no day of connection":   {"secrets: [key]\napi_key: key", "since: required"},
		"no secret":              {"api_key: key", "secrets: required"},
		"a version that is none": {settings + "signature: v3", `signature: "v3" is not one of v1, v2`},
		"an unknown key":         {settings + "region: eu", "field region not found"},
	} {
		if _, err := open(s, c.now, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestServer keeps the stand-in as strict as Teamtailor.
func TestServer(t *testing.T) {
	s, _ := account(t)
	one := "/job-applications/" + teamtailortest.Rejected
	list := "/job-applications?filter[updated-at][from]=2026-10-01T00:00:00Z"
	for name, tt := range map[string]struct {
		method, path, key, version string
		status                     int
	}{
		"no key":               {"GET", one, "", "20240404", 401},
		"no version":           {"GET", one, "Token token=key", "", 400},
		"a bearer":             {"GET", one, "Bearer key", "20240404", 401},
		"an unknown inclusion": {"GET", one + "?include=users", "Token token=key", "20240404", 400},
		"an unknown id":        {"GET", "/job-applications/1", "Token token=key", "20240404", 404},
		"too many on a page":   {"GET", list + "&page[size]=31", "Token token=key", "20240404", 400},
		"no such page":         {"GET", list + "&page[number]=0", "Token token=key", "20240404", 400},
		"a way to delete":      {"DELETE", one, "Token token=key", "20240404", 405},
		"another media type":   {"POST", "/candidates", "Token token=key", "20240404", 422},
		"an application":       {"GET", one + "?include=candidate,job,stage,reject-reason", "Token token=key", "20240404", 200},
		"a page":               {"GET", list, "Token token=key", "20240404", 200},
	} {
		if got := call(t, s, tt.method, tt.path, tt.key, tt.version); got != tt.status {
			t.Errorf("%s: got %d, want %d", name, got, tt.status)
		}
	}
	still, err := teamtailortest.New("key", func() time.Time { return rejectedAt })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 51 {
		if got := call(t, still, "GET", one, "Token token=key", "20240404"); (got == http.StatusTooManyRequests) != (i == 50) {
			t.Errorf("call %d at once: got %d", i+1, got)
		}
	}
}

func call(t *testing.T, s *teamtailortest.Server, method, path, key, version string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprint(teamtailortest.URL, path), strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range map[string]string{"Authorization": key, "X-Api-Version": version} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	answer, err := s.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
