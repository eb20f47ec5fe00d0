package smartrecruiters_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/smartrecruiters"
	"github.com/career-relay/connector/connectors/smartrecruiters/smartrecruiterstest"
	"github.com/career-relay/connector/connectors/spec"
)

var (
	rejectedAt = time.Date(2026, 10, 2, 6, 15, 8, 0, time.UTC)
	sentAt     = time.Date(2026, 10, 2, 6, 15, 9, 0, time.UTC)
)

// A clock goes a second further with every call, so that the account's limit
// does not slow tests down.
type clock struct{ at time.Time }

func (c *clock) now() time.Time {
	c.at = c.at.Add(time.Second)
	return c.at
}

func account(tb testing.TB) *smartrecruiterstest.Server {
	tb.Helper()
	c := clock{sentAt}
	s, err := smartrecruiterstest.New("key", c.now)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func open(settings string, s *smartrecruiterstest.Server, log *slog.Logger) (connectors.Connector, error) {
	file, err := spec.Shipped("smartrecruiters")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return sentAt }, Log: log}
	return smartrecruiters.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: smartrecruiters\napi_url: " + smartrecruiterstest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

const settings = "secrets: [key-1]\napi_key: key\n"

func connect(tb testing.TB, s *smartrecruiterstest.Server, settings string) *smartrecruiters.Connector {
	tb.Helper()
	c, err := open(settings, s, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*smartrecruiters.Connector)
}

func hint() ats.Event {
	return ats.Event{Application: smartrecruiterstest.Application, State: ats.Rejected, Side: ats.Unknown, At: sentAt, Clock: ats.SentClock}
}

func TestComplete(t *testing.T) {
	s := account(t)
	e := hint()
	if err := connect(t, s, settings).Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: smartrecruiterstest.Application, State: ats.Rejected, Side: ats.Company, Evidence: "status REJECTED", At: rejectedAt, Clock: ats.DecidedClock,
		Candidate: ats.Candidate{ID: smartrecruiterstest.Candidate, FamilyName: "Çelik-田村", GivenName: "Søren", Email: "soren.celik@example.com"},
		Job:       ats.Job{ID: smartrecruiterstest.Job, Title: "Product Designer", Department: "Design"},
		Stage:     "On-site", StageKind: ats.Interview, Status: "REJECTED", Reason: "Other candidates were more qualified", Source: "LinkedIn",
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Calls() != 4 {
		t.Errorf("got %d calls, want 4", s.Calls())
	}
	erased := ats.Event{Candidate: ats.Candidate{ID: smartrecruiterstest.Candidate}, State: ats.Erased}
	if err := connect(t, s, settings).Complete(t.Context(), &erased); err != nil || s.Calls() != 4 {
		t.Errorf("a deletion: got %v after %d calls, want none", err, s.Calls())
	}
}

func move(status string, more map[string]any) func(*smartrecruiterstest.Server) {
	return func(s *smartrecruiterstest.Server) { s.Move(status, more) }
}

func TestSituations(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*smartrecruiterstest.Server)
		settings string
		state    ats.State
		side     ats.Side
		calls    int
		check    func(ats.Event) bool
	}{
		"withdrawn": {
			change: move("WITHDRAWN", map[string]any{"reasonOfWithdrawal": map[string]any{"id": "rw-02", "label": "給与条件が合わない"}}),
			state:  ats.Withdrawn, side: ats.Applicant, calls: 2, check: func(e ats.Event) bool { return e.Reason == "給与条件が合わない" && e.At.Equal(sentAt) },
		},
		"hired":       {change: move("HIRED", nil), state: ats.Hired, side: ats.Company, calls: 2},
		"transferred": {change: move("TRANSFERRED", nil), state: ats.Reopened, side: ats.Company, calls: 1},
		"taken back": {
			change: move("IN_REVIEW", map[string]any{"subStatus": "Phone screen"}), state: ats.Reopened, side: ats.Company, calls: 1,
			check: func(e ats.Event) bool {
				return e.At.Equal(sentAt) && e.Clock == ats.SentClock && e.Stage == "Phone screen" && e.StageKind == ats.Interview && e.Candidate.Email == ""
			},
		},
		"a job that may not be read": {
			change: func(s *smartrecruiterstest.Server) { s.Hide("/jobs/" + smartrecruiterstest.Job) },
			state:  ats.Rejected, side: ats.Company, calls: 4, check: func(e ats.Event) bool { return e.Job.Department == "" && e.Job.Title == "Product Designer" },
		},
		"a reason that the company explains": {settings: "outcomes: {rr-01: position_closed}\n", state: ats.Closed, side: ats.Company, calls: 4},
		"a rule of the customer's own": {
			settings: "events: [{when: .application.source == \"LinkedIn\", state: rejected, side: unknown}]\n", state: ats.Rejected, side: ats.Unknown, calls: 4,
		},
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
			if e.State != tt.state || e.Side != tt.side || s.Calls() != tt.calls || tt.check != nil && !tt.check(e) {
				t.Errorf("got %+v after %d calls, want %s by %s after %d", e, s.Calls(), tt.state, tt.side, tt.calls)
			}
		})
	}
}

func TestCompleteFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*smartrecruiterstest.Server)
		settings string
		event    func(*ats.Event)
		fault    ats.Fault
		want     string
	}{
		"deleted":               {change: (*smartrecruiterstest.Server).Delete, fault: ats.NotFound, want: "it was deleted, or the API key may not read it"},
		"an id that is a way":   {event: func(e *ats.Event) { e.Application = "..:jobs" }, fault: ats.Invalid, want: "are not SmartRecruiters'"},
		"one id":                {event: func(e *ats.Event) { e.Application = "aa11bb22" }, fault: ats.Invalid, want: "are not SmartRecruiters'"},
		"the history is down":   {change: func(s *smartrecruiterstest.Server) { s.Fail(0, 503) }, fault: ats.Busy, want: "/status/history: 503"},
		"the candidate is down": {change: func(s *smartrecruiterstest.Server) { s.Fail(0, 0, 500) }, fault: ats.Busy, want: "/candidates/…: 500"},
		"the job is down":       {change: func(s *smartrecruiterstest.Server) { s.Fail(0, 0, 0, 429) }, fault: ats.Busy, want: "/jobs/…: 429"},
		"another key":           {settings: "secrets: [s]\napi_key: other\n", fault: ats.Denied, want: "401 Unauthorized"},
		"a status nobody knows": {change: move("ARCHIVED", nil), fault: ats.Invalid, want: "no rule knows this payload"},
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
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "elik") {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
		})
	}
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*smartrecruiterstest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":      {want: ats.Rejected},
		"taken back":          {change: move("INTERVIEW", nil), want: ats.Reopened},
		"transferred":         {change: move("TRANSFERRED", nil), want: ats.Reopened},
		"withdrawn after all": {change: move("WITHDRAWN", nil), want: ats.Withdrawn},
		"ignored":             {settings: "outcomes: {Other candidates were more qualified: ignored}", want: ""},
		"an unknown status":   {change: move("ARCHIVED", nil), fault: ats.Invalid},
		"deleted":             {change: (*smartrecruiterstest.Server).Delete, fault: ats.NotFound},
		"down":                {change: func(s *smartrecruiterstest.Server) { s.Fail(500) }, fault: ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			got, err := connect(t, s, settings+tt.settings).State(t.Context(), ats.Event{Application: smartrecruiterstest.Application, State: ats.Rejected, At: rejectedAt})
			if got != tt.want || ats.FaultOf(err) != tt.fault || s.Calls() != 1 {
				t.Errorf("got %q, %v after %d calls, want %q, %q after one", got, err, s.Calls(), tt.want, tt.fault)
			}
		})
	}
}

// TestHandshake is the test of a new subscription.
func TestHandshake(t *testing.T) {
	c := connect(t, account(t), settings)
	const long = 300
	for name, tt := range map[string]struct {
		headers map[string]string
		body    string
		echo    string
	}{
		"the test":                    {map[string]string{"X-Hook-Secret": "hook-3f1e0d9c8b7a"}, "", "hook-3f1e0d9c8b7a"},
		"with a body":                 {map[string]string{"X-Hook-Secret": "hook-1"}, "{}", "hook-1"},
		"nothing to echo":             {nil, "{}", ""},
		"an empty one":                {map[string]string{"X-Hook-Secret": ""}, "{}", ""},
		"one that is too long":        {map[string]string{"X-Hook-Secret": strings.Repeat("x", long)}, "{}", ""},
		"one with a blank":            {map[string]string{"X-Hook-Secret": "a b"}, "{}", ""},
		"one with other signs":        {map[string]string{"X-Hook-Secret": "ひみつ"}, "{}", ""},
		"a delivery that has one too": {map[string]string{"X-Hook-Secret": "a", "event-name": "application.status.updated"}, "{}", ""},
		"a signed one":                {map[string]string{"X-Hook-Secret": "a", "smartrecruiters-signature": "v1=00"}, "{}", ""},
	} {
		p := connectors.Payload{Header: http.Header{}, Body: []byte(tt.body), Received: sentAt}
		for k, v := range tt.headers {
			p.Header.Set(k, v)
		}
		reply, ok := c.Handshake(p)
		if ok != (tt.echo != "") || len(reply) != 0 || c.Reply(p).Header.Get("X-Hook-Secret") != tt.echo {
			t.Errorf("%s: got %t with %q and %v, want %q back", name, ok, reply, c.Reply(p).Header, tt.echo)
		}
	}
	if good, denied := c.Statuses(); good != http.StatusAccepted || denied != http.StatusUnauthorized {
		t.Errorf("got %d and %d, want 202 and 401", good, denied)
	}
}

const callback = "https://hooks.example.jp/hooks/acme/smartrecruiters"

// answers is our address as SmartRecruiters sees it.
func answers(c *smartrecruiters.Connector) func(*http.Request) http.Header {
	return func(r *http.Request) http.Header {
		p := connectors.Payload{Header: r.Header, Received: sentAt}
		if _, ok := c.Handshake(p); !ok || r.URL.String() != callback {
			return http.Header{}
		}
		return c.Reply(p).Header
	}
}

// TestSubscribe goes the way of a new connection: nothing is sent before its
// secret is stored.
func TestSubscribe(t *testing.T) {
	for _, bare := range []bool{false, true} {
		s := account(t)
		s.Bare = bare
		c := connect(t, s, "secrets: [none yet]\napi_key: key\nalert_to: ops@acme.example.jp\n")
		s.Callback = answers(c)
		made, err := c.Subscribe(t.Context(), callback)
		if err != nil || made.ID == "" || made.Secret == "" {
			t.Fatalf("got %+v, %v", made, err)
		}
		const events = " [application.status.updated candidate.deleted] "
		if got := s.Subscriptions(); !slices.Equal(got, []string{callback + events + "inactive"}) {
			t.Errorf("got %q, want it to be silent", got)
		}
		again, err := c.Subscribe(t.Context(), callback)
		if diff := cmp.Diff(string(made.Secret), string(again.Secret)); diff != "" || err != nil || again.ID != made.ID || len(s.Subscriptions()) != 1 {
			t.Errorf("again: got %+v, %v (-want +got):\n%s", again, err, diff)
		}
		c = connect(t, s, "secrets: [older, '"+string(made.Secret)+"']\napi_key: key\n")
		for range 2 { // what is active stays so
			if done, err := c.Subscribe(t.Context(), callback); err != nil || done.ID != made.ID || done.Secret != "" {
				t.Errorf("with the secret: got %+v, %v", done, err)
			}
			if got := s.Subscriptions(); !slices.Equal(got, []string{callback + events + "active"}) {
				t.Errorf("got %q, want it to be active", got)
			}
			s.Callback = nil
		}
		for range 2 { // what is gone is no error
			if err := c.Unsubscribe(t.Context(), made.ID); err != nil || len(s.Subscriptions()) != 0 {
				t.Errorf("got %v and %d subscriptions", err, len(s.Subscriptions()))
			}
		}
	}
}

func TestSubscribeFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*smartrecruiterstest.Server)
		secret string
		fault  ats.Fault
		want   string
	}{
		"the list is down":              {func(s *smartrecruiterstest.Server) { s.Fail(500) }, "x", ats.Busy, "GET"},
		"nobody knows if it is made":    {func(s *smartrecruiterstest.Server) { s.Fail(0, 502) }, "x", ats.Unclear, "POST"},
		"there are twenty":              {(*smartrecruiterstest.Server).Fill, "x", ats.Conflict, "409"},
		"no secret key":                 {func(s *smartrecruiterstest.Server) { s.Fail(0, 0, 0, 500) }, "x", ats.Busy, "/secret-key: 500"},
		"our address answers otherwise": {func(*smartrecruiterstest.Server) {}, "key-1-of-5b000000-0000-4000-8000-000000000001", ats.Invalid, "/activation: 400"},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			tt.change(s)
			if _, err := connect(t, s, "secrets: ['"+tt.secret+"']\napi_key: key\n").Subscribe(t.Context(), callback); ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s: %s", err, tt.fault, tt.want)
			}
		})
	}
	if err := connect(t, account(t), settings).Unsubscribe(t.Context(), "../x"); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("an id that is a way: got %v, want invalid", err)
	}
}

func TestPush(t *testing.T) {
	s := account(t)
	c := connect(t, s, settings+"source: {type: JOB_BOARDS, id: career-relay}\n")
	person := ats.Candidate{Name: "髙橋 美咲", Email: "misaki.takahashi@example.jp"}
	ref, err := c.Push(t.Context(), person, smartrecruiterstest.Job)
	if err != nil || ref == "" {
		t.Fatalf("got %q, %v", ref, err)
	}
	made := s.Candidates(string(person.Email))
	want := map[string]any{
		"id": ref, "firstName": "美咲", "lastName": "髙橋", "email": string(person.Email),
		"sourceDetails": map[string]any{"sourceTypeId": "JOB_BOARDS", "sourceId": "career-relay"},
	}
	if diff := cmp.Diff([]map[string]any{want}, made); diff != "" || len(s.Notes()) != 1 || !strings.Contains(s.Notes()[0], "[CANDIDATE:"+ref+"] キャリアリレー") {
		t.Errorf("got %q (-want +got):\n%s", s.Notes(), diff)
	}
	for name, tt := range map[string]struct {
		person ats.Candidate
		job    string
		fails  []int
		fault  ats.Fault
	}{
		"known already":              {person, smartrecruiterstest.Job, nil, ats.Conflict},
		"no name":                    {ats.Candidate{Email: "a@example.jp"}, smartrecruiterstest.Job, nil, ats.Invalid},
		"no such job":                {person, "nothing", nil, ats.NotFound},
		"a job that is a way":        {person, "../x", nil, ats.Invalid},
		"nobody knows if it is made": {person, smartrecruiterstest.Job, []int{502}, ats.Unclear},
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
	ref, err = noted.(connectors.Pusher).Push(t.Context(), ats.Candidate{Name: "佐藤 花子", Email: "hanako@example.jp"}, smartrecruiterstest.Job)
	if err != nil || ref == "" || !strings.Contains(log.String(), "note left out") || strings.Contains(log.String(), "hanako") {
		t.Errorf("got %q, %v and the log %s", ref, err, log.String())
	}
}

func TestSettings(t *testing.T) {
	s := account(t)
	for name, tt := range map[string]struct{ settings, want string }{
		"no key":            {"secrets: [s]", "api_key: required"},
		"no secret":         {"api_key: key", "secrets: required"},
		"all of it at once": {"{}", "api_key: required, or client_id and client_secret; SmartRecruiters' webhooks say only which application changed\nsecrets: required"},
		"an unknown key":    {settings + "reasons: {}", "field reasons not found"},
	} {
		if tt.settings == "{}" {
			tt.settings = ""
		}
		if _, err := open(tt.settings, s, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestAccount keeps the stand-in as strict as SmartRecruiters.
func TestAccount(t *testing.T) {
	const list = "/webhooks-api/v201907/subscriptions"
	call := func(s *smartrecruiterstest.Server, method, path, token, body string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, smartrecruiterstest.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-SmartToken", token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	s := account(t)
	if call(s, "POST", list, "key", `{"callbackUrl":"https://a.test","events":["candidate.deleted"]}`).StatusCode != http.StatusCreated {
		t.Fatal("no subscription")
	}
	const first = list + "/5b000000-0000-4000-8000-000000000001"
	for name, tt := range map[string]struct {
		method, path, token, body string
		status                    int
	}{
		"another token":            {"GET", "/candidates/" + smartrecruiterstest.Candidate, "other", "", 401},
		"an unknown candidate":     {"GET", "/candidates/x", "key", "", 404},
		"an unknown kind":          {"GET", "/offers/x", "key", "", 404},
		"an unknown write":         {"POST", "/candidates", "key", "{}", 404},
		"plain http":               {"POST", list, "key", `{"callbackUrl":"http://a.test","events":["candidate.deleted"]}`, 400},
		"no JSON":                  {"POST", list, "key", `x`, 400},
		"all subscriptions away":   {"DELETE", list, "key", "", 405},
		"an unknown subscription":  {"GET", list + "/x/secret-key", "key", "", 404},
		"no secret key yet":        {"GET", first + "/secret-key", "key", "", 404},
		"something unknown of one": {"GET", first + "/callbacks", "key", "", 404},
		"nobody answers":           {"PUT", first + "/activation", "key", "", 400},
		"a candidate without name": {"POST", "/jobs/" + smartrecruiterstest.Job + "/candidates", "key", `{"email":"a@example.jp"}`, 400},
		"a note about nobody":      {"POST", "/messages/shares", "key", `{"content":"x"}`, 400},
	} {
		if got := call(s, tt.method, tt.path, tt.token, tt.body).StatusCode; got != tt.status {
			t.Errorf("%s: got %d, want %d", name, got, tt.status)
		}
	}
	for i := range 17 {
		if got := call(s, "POST", first+"/secret-key", "key", "").StatusCode; (got == http.StatusConflict) != (i == 16) {
			t.Errorf("secret key %d: got %d", i+1, got)
		}
	}
	still, err := smartrecruiterstest.New("key", func() time.Time { return sentAt })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 11 {
		if got := call(still, "GET", list, "key", "").StatusCode; (got == http.StatusTooManyRequests) != (i == 10) {
			t.Errorf("call %d at once: got %d", i+1, got)
		}
	}
}

// TestOAuth speaks for itself, or by a grant whose refresh token is taken once.
func TestOAuth(t *testing.T) {
	for name, refresh := range map[string]string{"client credentials": "", "a refresh token": "refresh-0"} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			s.Refresh(refresh)
			set := "secrets: [key-1]\nclient_id: client\nclient_secret: key\ntoken_url: " + smartrecruiterstest.URL + "/identity/oauth/token\n"
			if refresh != "" {
				set += "refresh_token: " + refresh + "\n"
			}
			c := connect(t, s, set)
			for range 3 {
				if state, err := c.State(t.Context(), hint()); state != ats.Rejected || err != nil {
					t.Fatalf("got %q, %v", state, err)
				}
				s.Expire()
			}
			if s.Tokens() != 3 {
				t.Errorf("%d tokens, want 3", s.Tokens())
			}
		})
	}
	s := account(t)
	if _, err := connect(t, s, "secrets: [key-1]\nclient_id: client\nclient_secret: other\ntoken_url: "+smartrecruiterstest.URL+"/identity/oauth/token\n").State(t.Context(), hint()); ats.FaultOf(err) != ats.Denied {
		t.Errorf("a wrong secret: got %v", err)
	}
	for set, want := range map[string]string{
		"api_key: k\nclient_id: c\nclient_secret: s\n": "either this or",
		"client_id: c\n":     "needs both",
		"refresh_token: r\n": "needs both",
	} {
		if _, err := open("secrets: [key-1]\n"+set, s, nil); ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", set, err)
		}
	}
}

// TestConsents lets the company say what the candidate's decisions mean.
func TestConsents(t *testing.T) {
	rule := "read_consents: true\nmap: {consent: '[.consents.decisions[]? | select(.scope == \"RELAY\") | .status == \"ALLOWED\"] | if length == 0 then null elif .[0] then \"yes\" else \"no\" end'}\n"
	for name, tt := range map[string]struct {
		status string
		hidden bool
		want   ats.Consent
	}{"agreed": {"ALLOWED", false, ats.ConsentYes}, "refused": {"REFUSED", false, ats.ConsentNo}, "not asked": {"", false, ""}, "may not be read": {"ALLOWED", true, ""}} {
		s := account(t)
		if tt.status != "" {
			s.Consent("RELAY", tt.status)
		}
		if tt.hidden {
			s.Hide("/candidates/" + smartrecruiterstest.Candidate + "/consents")
		}
		e := hint()
		if err := connect(t, s, settings+rule).Complete(t.Context(), &e); err != nil || e.Consent != tt.want {
			t.Errorf("%s: got %q, %v, want %q", name, e.Consent, err, tt.want)
		}
	}
}
