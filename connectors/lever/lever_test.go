package lever_test

import (
	"bytes"
	"encoding/json"
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
	"github.com/career-relay/connector/connectors/lever"
	"github.com/career-relay/connector/connectors/lever/levertest"
	"github.com/career-relay/connector/connectors/spec"
)

var (
	archivedAt = time.Date(2026, 10, 2, 6, 15, 6, 412e6, time.UTC)
	sentAt     = time.Date(2026, 10, 2, 6, 15, 9, 512e6, time.UTC)
)

// A clock stands still, or goes a second further with every call, so that the
// account's limit does not slow tests down.
type clock struct{ at time.Time }

func (c *clock) now() time.Time {
	c.at = c.at.Add(time.Second)
	return c.at
}

func account(tb testing.TB) *levertest.Server {
	tb.Helper()
	c := clock{archivedAt}
	s, err := levertest.New("key", c.now)
	if err != nil {
		tb.Fatal(err)
	}
	s.Archive(levertest.Rejected, levertest.UnderQualified, archivedAt)
	return s
}

func open(settings string, s *levertest.Server) (connectors.Connector, error) {
	file, err := spec.Shipped("lever")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return sentAt }}
	return lever.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: lever\napi_url: " + levertest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

const settings = "secrets: [token]\napi_key: key\n"

func connect(tb testing.TB, s *levertest.Server, more string) *lever.Connector {
	tb.Helper()
	c, err := open(settings+more, s)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*lever.Connector)
}

func hint(id string, state ats.State) ats.Event {
	return ats.Event{Application: id, State: state, Side: ats.Unknown, At: sentAt, Clock: ats.SentClock, Status: "candidateArchiveChange"}
}

func TestComplete(t *testing.T) {
	s := account(t)
	e := hint(levertest.Rejected, ats.Rejected)
	// What a forged delivery may say about the person must not survive.
	e.Candidate = ats.Candidate{ID: "forged", Name: "forged", Email: "forged@example.jp"}
	e.Job.Title, e.Evidence = "forged", "forged"
	if err := connect(t, s, "").Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: levertest.Rejected, State: ats.Rejected, Side: ats.Company,
		Evidence: "archive reason, not confirmed by the company: Under-qualified", At: archivedAt, Clock: ats.DecidedClock,
		Candidate: ats.Candidate{
			ID: "77777777-1111-4222-8333-0123456789ab", Name: "François Müller", FamilyName: e.Candidate.FamilyName, GivenName: e.Candidate.GivenName,
			Email: "francois.mueller@example.com", Locale: "ja",
		},
		Job:   ats.Job{ID: "75ff0000-c221-4c26-8b23-faf395f5ea10", Title: "Site Reliability Engineer / SREエンジニア", Department: "Engineering"},
		Stage: "Final interview", StageKind: ats.Final, Status: "candidateArchiveChange", Reason: "Under-qualified", Source: "LinkedIn", Consent: ats.ConsentNo,
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Calls() != 4 {
		t.Errorf("got %d calls, want 4", s.Calls())
	}
}

// A case changes the account before a delivery about levertest.Rejected is
// completed; the event that comes out has this state and this side.
type situation struct {
	change   func(*levertest.Server)
	settings string
	hinted   ats.State // default rejected
	state    ats.State
	side     ats.Side
	evidence string
	check    func(ats.Event) bool
}

var situations = map[string]situation{
	"the company's own map by text": {settings: "reasons: {' under-QUALIFIED ': candidate}", state: ats.Withdrawn, side: ats.Applicant, evidence: "archive reason: Under-qualified"},
	"the company's own map by id":   {settings: "reasons: {" + levertest.UnderQualified + ": closed}", state: ats.Closed, side: ats.Company, evidence: "archive reason: Under-qualified"},
	"the company says unknown":      {settings: "reasons: {Under-qualified: unknown}", state: ats.Rejected, side: ats.Unknown, evidence: "archive reason: Under-qualified"},
	"the company confirms":          {settings: "reasons: {Under-qualified: company}", state: ats.Rejected, side: ats.Company, evidence: "archive reason: Under-qualified"},
	"no response": {
		change: func(s *levertest.Server) { s.Archive(levertest.Rejected, levertest.NoResponse, archivedAt) },
		state:  ats.Rejected, side: ats.Unknown, evidence: "archive reason that does not say who ended it: No Response - OLD",
	},
	"an offer declined": {
		change: func(s *levertest.Server) { s.Archive(levertest.Rejected, levertest.OfferDeclined, archivedAt) },
		state:  ats.Withdrawn, side: ats.Applicant, evidence: "archive reason, not confirmed by the company: Offer declined",
	},
	"a Japanese reason of the candidate": {
		change: func(s *levertest.Server) {
			s.AddReason("r-1", "応募者都合による辞退")
			s.Archive(levertest.Rejected, "r-1", archivedAt)
		},
		state: ats.Withdrawn, side: ats.Applicant, evidence: "archive reason, not confirmed by the company: 応募者都合による辞退",
	},
	"no reason": {
		change: func(s *levertest.Server) { s.Archive(levertest.Rejected, "", archivedAt) },
		state:  ats.Rejected, side: ats.Unknown, evidence: "no archive reason",
	},
	"a reason that is gone": {
		change: func(s *levertest.Server) { s.Archive(levertest.Rejected, "r-gone", archivedAt) },
		state:  ats.Rejected, side: ats.Unknown, evidence: "no archive reason",
	},
	"hired": {
		change: func(s *levertest.Server) { s.Archive(levertest.Rejected, levertest.Hired, archivedAt) },
		state:  ats.Hired, side: ats.Company, evidence: "archive reason of the type hired: Hired",
	},
	"hired, as announced": {
		change: func(s *levertest.Server) { s.Archive(levertest.Rejected, levertest.Hired, archivedAt) }, hinted: ats.Hired,
		state: ats.Hired, side: ats.Company, evidence: "archive reason of the type hired: Hired",
	},
	"taken back meanwhile": {
		change: func(s *levertest.Server) { s.Reopen(levertest.Rejected) },
		state:  ats.Reopened, side: ats.Company, evidence: "not archived", check: func(e ats.Event) bool { return e.At.Equal(sentAt) && e.Clock == ats.SentClock },
	},
	"archived again meanwhile": {
		hinted: ats.Reopened, state: ats.Rejected, side: ats.Company, evidence: "archive reason, not confirmed by the company: Under-qualified",
		check: func(e ats.Event) bool { return e.At.Equal(archivedAt) },
	},
	"the person is considered elsewhere": {
		change: func(s *levertest.Server) { s.Add(levertest.Opportunity{ID: "another"}) },
		state:  ats.Rejected, side: ats.Unknown, evidence: "archive reason: Under-qualified; the person has another open opportunity",
	},
	"though the company confirms the reason": {
		change: func(s *levertest.Server) { s.Add(levertest.Opportunity{ID: "another"}) }, settings: "reasons: {Under-qualified: company}",
		state: ats.Rejected, side: ats.Unknown, evidence: "archive reason: Under-qualified; the person has another open opportunity",
	},
	"the person was rejected elsewhere too": {
		change: func(s *levertest.Server) {
			s.Add(levertest.Opportunity{ID: "another"})
			s.Archive("another", levertest.FutureHire, archivedAt)
		},
		state: ats.Rejected, side: ats.Company, evidence: "archive reason, not confirmed by the company: Under-qualified",
	},
	"somebody else is open": {
		change: func(s *levertest.Server) { s.Add(levertest.Opportunity{ID: "another", Contact: "somebody"}) },
		state:  ats.Rejected, side: ats.Company, evidence: "archive reason, not confirmed by the company: Under-qualified",
	},
	"on the second page of opportunities": {
		change: func(s *levertest.Server) {
			for i := range 130 {
				id := fmt.Sprintf("a-%03d", i)
				s.Add(levertest.Opportunity{ID: id})
				if i != 117 {
					s.Archive(id, levertest.FutureHire, archivedAt)
				}
			}
		},
		state: ats.Rejected, side: ats.Unknown, evidence: "archive reason: Under-qualified; the person has another open opportunity",
	},
	"a posting that may not be read": {
		change: func(s *levertest.Server) { s.Hide("75ff0000-c221-4c26-8b23-faf395f5ea10") },
		state:  ats.Rejected, side: ats.Company, evidence: "archive reason, not confirmed by the company: Under-qualified",
		check: func(e ats.Event) bool { return e.Job.Confidential && e.Job.Title == "" && e.Job.ID != "" },
	},
	"several addresses, the first unusable": {
		change: func(s *levertest.Server) {
			s.Add(levertest.Opportunity{ID: levertest.Rejected, Emails: []string{"nobody", "f.muller@example.jp"}})
			s.Archive(levertest.Rejected, levertest.UnderQualified, archivedAt)
		},
		state: ats.Rejected, side: ats.Company, evidence: "archive reason, not confirmed by the company: Under-qualified",
		check: func(e ats.Event) bool { return e.Candidate.Email == "f.muller@example.jp" },
	},
	"no address": {
		change: func(s *levertest.Server) {
			s.Add(levertest.Opportunity{ID: levertest.Rejected, Emails: []string{}})
			s.Archive(levertest.Rejected, levertest.UnderQualified, archivedAt)
		},
		state: ats.Rejected, side: ats.Company, evidence: "archive reason, not confirmed by the company: Under-qualified",
		check: func(e ats.Event) bool { return e.Candidate.Email == "" && len(e.Problems) == 1 },
	},
	"a confidential opportunity without a posting": {
		change: func(s *levertest.Server) {
			s.Add(levertest.Opportunity{ID: levertest.Rejected, Change: func(o map[string]any) { o["confidentiality"], o["applications"] = "confidential", nil }})
			s.Archive(levertest.Rejected, levertest.UnderQualified, archivedAt)
		},
		state: ats.Rejected, side: ats.Company, evidence: "archive reason, not confirmed by the company: Under-qualified",
		check: func(e ats.Event) bool { return e.Job.Confidential && e.Job.ID == "" },
	},
	"a deletion that happened": {
		change: func(s *levertest.Server) { s.Delete(levertest.Rejected) }, hinted: ats.Erased,
		state: ats.Erased, side: ats.Unknown, evidence: "Lever no longer has the opportunity",
		check: func(e ats.Event) bool { return e.Application == levertest.Rejected && e.Candidate.ID == "" },
	},
	"a rule of the customer's own": {
		settings: "events: [{when: .opportunity.tags | index(\"silver-medalist\"), state: closed, side: company}, {when: .opportunity.stage.text == \"Final interview\", state: closed, side: unknown}]",
		state:    ats.Closed, side: ats.Unknown, evidence: "",
	},
}

func TestSituations(t *testing.T) {
	for name, tt := range situations {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			e := hint(levertest.Rejected, ats.Rejected)
			if tt.hinted != "" {
				e.State = tt.hinted
			}
			if err := connect(t, s, tt.settings).Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			if e.State != tt.state || e.Side != tt.side || e.Evidence != tt.evidence {
				t.Errorf("got %s by %s (%s), want %s by %s (%s)", e.State, e.Side, e.Evidence, tt.state, tt.side, tt.evidence)
			}
			if tt.check != nil && !tt.check(e) {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestCompleteFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*levertest.Server)
		settings string
		event    ats.Event
		fault    ats.Fault
		want     string
	}{
		"a forged id":         {event: hint("deadbeef-4f50-4617-8283-94a5b6c7d8e9", ats.Rejected), fault: ats.NotFound, want: "or the delivery was forged"},
		"an id that is a way": {event: hint("../users", ats.Rejected), fault: ats.Invalid, want: "the id in opportunities is not one of Lever's"},
		"an id with a query":  {event: hint("a?expand=x", ats.Rejected), fault: ats.Invalid, want: "is not one of Lever's"},
		"no id":               {event: hint("", ats.Rejected), fault: ats.Invalid, want: "is not one of Lever's"},
		"a deletion that did not happen": {
			event: hint(levertest.Rejected, ats.Erased), fault: ats.Invalid, want: "Lever still has the opportunity",
		},
		"an opportunity that may not be read": {
			change: func(s *levertest.Server) { s.Hide(levertest.Rejected) },
			event:  hint(levertest.Rejected, ats.Rejected), fault: ats.Denied, want: "403 Forbidden",
		},
		"another key":        {settings: "api_key: other", event: hint(levertest.Rejected, ats.Rejected), fault: ats.Denied, want: "401 Unauthorized"},
		"a reason to ignore": {settings: "reasons: {Under-qualified: ignore}", event: hint(levertest.Rejected, ats.Rejected), fault: ats.Duplicate, want: "nothing in the answers concerns us"},
		"Lever is down":      {change: func(s *levertest.Server) { s.Fail(503) }, event: hint(levertest.Rejected, ats.Rejected), fault: ats.Busy, want: "503"},
		"the posting is down": {
			change: func(s *levertest.Server) { s.Fail(0, 500) }, event: hint(levertest.Rejected, ats.Rejected), fault: ats.Busy, want: "/postings/…: 500",
		},
		"the reason is down": {
			change: func(s *levertest.Server) { s.Fail(0, 0, 502) }, event: hint(levertest.Rejected, ats.Rejected), fault: ats.Busy, want: "/archive_reasons/…: 502",
		},
		"the list is down": {
			change: func(s *levertest.Server) { s.Fail(0, 0, 0, 429) }, event: hint(levertest.Rejected, ats.Rejected), fault: ats.Busy, want: "/opportunities: 429",
		},
		"another opportunity comes back": {
			change: func(s *levertest.Server) {
				s.Add(levertest.Opportunity{ID: levertest.Rejected, Change: func(o map[string]any) { o["id"] = "other" }})
			},
			event: hint(levertest.Rejected, ats.Rejected), fault: ats.Invalid, want: "is not the opportunity that was asked for",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			set := settings + tt.settings
			if strings.HasPrefix(tt.settings, "api_key") {
				set = "secrets: [token]\n" + tt.settings
			}
			c, err := open(set, s)
			if err != nil {
				t.Fatal(err)
			}
			err = c.(connectors.Completer).Complete(t.Context(), &tt.event)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
			if strings.Contains(err.Error(), "example") || strings.Contains(err.Error(), "Müller") {
				t.Errorf("the error holds a person: %v", err)
			}
		})
	}
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*levertest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":       {want: ats.Rejected},
		"taken back":           {change: func(s *levertest.Server) { s.Reopen(levertest.Rejected) }, want: ats.Reopened},
		"withdrawn after all":  {change: func(s *levertest.Server) { s.Archive(levertest.Rejected, levertest.Withdrew, archivedAt) }, want: ats.Withdrawn},
		"hired after all":      {change: func(s *levertest.Server) { s.Archive(levertest.Rejected, levertest.Hired, archivedAt) }, want: ats.Hired},
		"a reason to ignore":   {settings: "reasons: {Under-qualified: ignore}", want: ""},
		"deleted":              {change: func(s *levertest.Server) { s.Delete(levertest.Rejected) }, fault: ats.NotFound},
		"Lever is down":        {change: func(s *levertest.Server) { s.Fail(500) }, fault: ats.Busy},
		"its reasons are down": {change: func(s *levertest.Server) { s.Fail(0, 500) }, fault: ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			// All that is kept of an event until then.
			got, err := connect(t, s, tt.settings).State(t.Context(), ats.Event{Application: levertest.Rejected, State: ats.Rejected, At: archivedAt})
			if got != tt.want || ats.FaultOf(err) != tt.fault {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	s := account(t)
	for name, tt := range map[string]struct{ settings, want string }{
		"no API key":          {"secrets: [token]", "api_key: required"},
		"no secret":           {"api_key: key", "secrets: required"},
		"a word that is none": {settings + "reasons: {Timing: recruiter}", `reasons.Timing: "recruiter" is not one of company, candidate, unknown, closed, ignore`},
		"an unknown key":      {settings + "reason: {}", "field reason not found"},
		"all of it at once":   {"reasons: {Timing: x}", "api_key: required; Lever's webhooks say only which opportunity changed\nreasons.Timing"},
		"a rule that is none": {settings + "map: {title: .}", "map.title: no such field"},
	} {
		if _, err := open(tt.settings, s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	file, err := spec.Shipped("lever")
	if err != nil {
		t.Fatal(err)
	}
	_, err = lever.Open(file, connectors.Env{HTTP: http.DefaultClient, Now: time.Now}, func(v any) error {
		return yaml.Unmarshal([]byte(settings+"api_url: http://lever.test"), v)
	})
	if ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), "api_url: must begin with https://") {
		t.Errorf("an address without https: got %v", err)
	}
}

// TestReplayedToken is the attack that the signature allows: other data under a
// token that was seen.
func TestReplayedToken(t *testing.T) {
	folder, err := fs.Sub(connectors.Files, "lever")
	if err != nil {
		t.Fatal(err)
	}
	real, err := spec.Sample(folder, "rejected")
	if err != nil {
		t.Fatal(err)
	}
	forged, err := spec.Sample(folder, "attack.data-swapped-signature-still-valid")
	if err != nil {
		t.Fatal(err)
	}
	c, err := open("secrets: [5f1d0c9b8a7e6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c]\napi_key: key\n", account(t))
	if err != nil {
		t.Fatal(err)
	}
	l := c.(*lever.Connector)
	if err := l.Verify(forged); err != nil {
		t.Fatalf("the sample shows no attack: %v", err)
	}
	if l.Key(real) != l.Key(forged) || l.Key(real) == "" {
		t.Errorf("got keys %q and %q, want the same: then the second is a redelivery", l.Key(real), l.Key(forged))
	}
	if !l.Hint() {
		t.Error("does not say that it is a hint")
	}
	events, err := l.Decode(forged)
	if err != nil || len(events) != 1 {
		t.Fatalf("got %d events, %v", len(events), err)
	}
	if err := l.Complete(t.Context(), &events[0]); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("got %v, want not found", err)
	}
	// An event that its token does not belong to.
	other := bytes.Replace(forged.Body, []byte("candidateArchiveChange"), []byte("candidateDeleted"), 1)
	bound, err := open("secrets: [{value: 5f1d0c9b8a7e6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c, for: candidateArchiveChange}]\napi_key: key\n", account(t))
	if err != nil {
		t.Fatal(err)
	}
	forged.Body = other
	if err := bound.(connectors.Receiver).Verify(forged); ats.FaultOf(err) != ats.Denied {
		t.Errorf("a token of another event: got %v, want denied", err)
	}
	if err := bound.(connectors.Receiver).Verify(real); err != nil {
		t.Errorf("the token's own event: %v", err)
	}
}

// TestAccount keeps the stand-in as strict as Lever.
func TestAccount(t *testing.T) {
	s := account(t)
	call := func(method, path, user, password string) (*http.Response, map[string]any) {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://lever.test"+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		answer, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		var body map[string]any
		if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		return answer, body
	}
	one := "/v1/opportunities/" + levertest.Rejected
	for name, tt := range map[string]struct {
		method, path, user, password string
		status                       int
	}{
		"no key":               {"GET", one, "", "", 401},
		"another key":          {"GET", one, "other", "", 401},
		"a password":           {"GET", one, "key", "x", 401},
		"a write":              {"PUT", one, "key", "", 405},
		"another version":      {"GET", "/v2/opportunities", "key", "", 404},
		"an unknown kind":      {"GET", "/v1/users/1", "key", "", 404},
		"an unknown id":        {"GET", "/v1/postings/1", "key", "", 404},
		"an unknown expansion": {"GET", one + "?expand=everything", "key", "", 400},
		"too many on a page":   {"GET", "/v1/opportunities?limit=101", "key", "", 400},
		"a page of its own":    {"GET", "/v1/opportunities?offset=17", "key", "", 400},
		"an opportunity":       {"GET", one + "?expand=applications,stage,contact", "key", "", 200},
		"the reasons":          {"GET", "/v1/archive_reasons", "key", "", 200},
	} {
		if answer, _ := call(tt.method, tt.path, tt.user, tt.password); answer.StatusCode != tt.status {
			t.Errorf("%s: got %d, want %d", name, answer.StatusCode, tt.status)
		}
	}
	_, plain := call("GET", one, "key", "")
	if _, ok := plain["data"].(map[string]any)["contact"].(string); !ok {
		t.Error("without expand the contact is no id")
	}
	_, list := call("GET", "/v1/opportunities?limit=1", "key", "")
	if list["hasNext"] != true || list["next"] == nil || len(list["data"].([]any)) != 1 {
		t.Errorf("got a page of %v, next %v", list["data"], list["next"])
	}

	still, err := levertest.New("key", func() time.Time { return archivedAt })
	if err != nil {
		t.Fatal(err)
	}
	s = still
	for i := range 21 {
		answer, _ := call("GET", one, "key", "")
		if limited := answer.StatusCode == http.StatusTooManyRequests; limited != (i == 20) || limited && answer.Header.Get("Retry-After") == "" {
			t.Errorf("call %d at once: got %d", i+1, answer.StatusCode)
		}
	}
}
