package icims_test

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/icims"
	"github.com/career-relay/connector/connectors/icims/icimstest"
	"github.com/career-relay/connector/connectors/spec"
)

var sentAt = time.Date(2026, 10, 2, 6, 15, 10, 0, time.UTC)

const (
	secret   = "icims-shared-secret-EXAMPLE-1"
	rest     = "account: '6268'\napi_user: api\napi_password: hidden\noutcomes: {C20551: rejected, C20560: withdrawn, C20570: hired, D10105: ongoing}\n"
	settings = "secrets: [" + secret + "]\n" + rest
)

func open(s *icimstest.Server, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("icims")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return sentAt }, URL: "https://hooks.example.net/ats/icims/t1"}
	return icims.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: icims\napi_url: " + icimstest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func customer(t *testing.T, settings string) (*icimstest.Server, *icims.Connector) {
	t.Helper()
	s, err := icimstest.New("api", "hidden")
	if err != nil {
		t.Fatal(err)
	}
	c, err := open(s, settings)
	if err != nil {
		t.Fatal(err)
	}
	return s, c.(*icims.Connector)
}

func sample(t *testing.T, name string) connectors.Payload {
	t.Helper()
	folder, err := fs.Sub(connectors.Files, "icims")
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Sample(folder, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signedSample is the sample of the notes with the signature that belongs to it.
func signedSample(t *testing.T) connectors.Payload {
	t.Helper()
	p := sample(t, "rejected")
	p.Header.Set("X-Icims-Content-Sha256", "dc2ae7956313e44204b16d845e20b393cd4dff8780f35d8d165ae7b5003f7c31")
	p.Header.Set("Authorization", "x-icims-v1-hmac-sha256 user=icims_outbound_t1,signedheaders=content-type;host;x-icims-content-sha256;x-icims-date,signature=d19b32c411ad33f19d44470d0227b44c83c044ab787aeb5de1f3fae2da6d0b0f")
	return p
}

func packed(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSignature(t *testing.T) {
	replace := func(old, with string) func(*connectors.Payload) {
		return func(p *connectors.Payload) {
			p.Header.Set("Authorization", strings.Replace(p.Header.Get("Authorization"), old, with, 1))
		}
	}
	for name, tt := range map[string]struct {
		change func(*connectors.Payload)
		ok     bool
	}{
		"as it comes":                    {ok: true},
		"packed, with its header":        {func(p *connectors.Payload) { p.Body = packed(t, p.Body); p.Header.Set("Content-Encoding", "gzip") }, true},
		"packed, without a header":       {func(p *connectors.Payload) { p.Body = packed(t, p.Body) }, true},
		"spaces behind the commas":       {replace(",signedheaders", ", signedheaders"), true},
		"the code in capitals":           {replace("signature=d19b32c4", "signature=D19B32C4"), true},
		"another user":                   {replace("icims_outbound_t1", "other"), true}, // the name is not signed
		"another code":                   {replace("signature=d1", "signature=d2"), false},
		"another scheme":                 {replace("v1", "v2"), false},
		"the hash is not signed":         {replace("x-icims-content-sha256;", ""), false},
		"the date is not signed":         {replace(";x-icims-date", ""), false},
		"another body":                   {func(p *connectors.Payload) { p.Body = bytes.Replace(p.Body, []byte("C20551"), []byte("C20552"), 1) }, false},
		"another hash":                   {func(p *connectors.Payload) { p.Header.Set("X-Icims-Content-Sha256", "00") }, false},
		"another date":                   {func(p *connectors.Payload) { p.Header.Set("X-Icims-Date", "2026-10-02T06:15:11+0000") }, false},
		"no date":                        {func(p *connectors.Payload) { p.Header.Del("X-Icims-Date") }, false},
		"a day later":                    {func(p *connectors.Payload) { p.Received = p.Received.AddDate(0, 0, 1) }, false},
		"another type":                   {func(p *connectors.Payload) { p.Header.Set("Content-Type", "text/plain") }, false},
		"the proxy's host is not looked": {func(p *connectors.Payload) { p.Header.Set("Host", "127.0.0.1:8080") }, true},
		"user and password":              {func(p *connectors.Payload) { p.Header.Set("Authorization", "Basic aWNpbXM6eA==") }, false},
		"nothing":                        {func(p *connectors.Payload) { p.Header.Del("Authorization") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := customer(t, settings)
			p := signedSample(t)
			if tt.change != nil {
				tt.change(&p)
			}
			if err := c.Verify(p); tt.ok != (err == nil) || err != nil && ats.FaultOf(err) != ats.Denied {
				t.Errorf("got %v, want valid %t", err, tt.ok)
			}
		})
	}
	_, c := customer(t, settings+"tolerance: 2d")
	p := signedSample(t)
	p.Received = p.Received.AddDate(0, 0, 1)
	if err := c.Verify(p); err != nil {
		t.Errorf("within the company's own tolerance: got %v", err)
	}
	if !c.Hint() {
		t.Error("does not say that it is a hint")
	}
}

func TestBasic(t *testing.T) {
	_, c := customer(t, "secrets: ['icims:s3cret']\nauth: basic\n"+rest)
	p := sample(t, "rejected")
	p.Header.Del("X-Icims-Date")
	signed, err := c.Sign(p)
	if err != nil || signed.Header.Get("Authorization") != "Basic aWNpbXM6czNjcmV0" {
		t.Fatalf("got %q, %v", signed.Header.Get("Authorization"), err)
	}
	if err := c.Verify(signed); err != nil {
		t.Error(err)
	}
	if err := c.Verify(signedSample(t)); ats.FaultOf(err) != ats.Denied {
		t.Errorf("a signature: got %v, want denied", err)
	}
	// The same change a day later is not a repetition: nothing tells them apart.
	later := signed
	later.Received = later.Received.AddDate(0, 0, 1)
	if c.Key(signed) == c.Key(later) {
		t.Errorf("got the same key %q", c.Key(signed))
	}
	one, two := signedSample(t), signedSample(t)
	two.Received = two.Received.Add(time.Minute)
	if c.Key(one) != c.Key(two) {
		t.Errorf("a repetition with its date: got %q and %q", c.Key(one), c.Key(two))
	}
}

func hint() ats.Event {
	return ats.Event{
		Application: icimstest.Workflow, State: ats.Rejected, Side: ats.Unknown, At: sentAt, Clock: ats.SentClock, Status: "C20551",
		Candidate: ats.Candidate{ID: icimstest.Person}, Job: ats.Job{ID: icimstest.Job},
	}
}

func TestComplete(t *testing.T) {
	s, c := customer(t, settings)
	for _, name := range []string{"rejected", "rejected.gzip", "rejected.gzip-unnamed", "rejected.numbers-as-ids", "rejected.links-elsewhere"} {
		events, err := c.Decode(sample(t, name))
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: got %d events, %v", name, len(events), err)
		}
		e := events[0]
		e.Candidate.Name, e.Candidate.Email = "forged", "forged@example.jp"
		before := s.Calls()
		if err := c.Complete(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
		want := ats.Event{
			Application: icimstest.Workflow, State: ats.Rejected, Side: ats.Company, Evidence: "the company says what this means: C20551", At: sentAt, Clock: ats.SentClock,
			Candidate: ats.Candidate{ID: icimstest.Person, FamilyName: "佐藤", GivenName: "美咲", Email: "misaki.sato@example.jp"},
			Job:       ats.Job{ID: icimstest.Job, Title: "Senior Backend Engineer"}, Status: "Rejected: Skills mismatch", Reason: "Rejected: Skills mismatch", Source: "Careers site",
		}
		if diff := cmp.Diff(want, e); diff != "" || s.Calls()-before != 3 {
			t.Errorf("%s: after %d calls (-want +got):\n%s", name, s.Calls()-before, diff)
		}
	}
}

func TestSituations(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*icimstest.Server)
		settings string
		state    ats.State
		side     ats.Side
		address  bool
		title    string
		calls    int
	}{
		"withdrawn":            {change: func(s *icimstest.Server) { s.Move("C20560", "Withdrew") }, state: ats.Withdrawn, side: ats.Applicant, title: "2026-1181 Senior Backend Engineer", calls: 1},
		"hired":                {change: func(s *icimstest.Server) { s.Move("C20570", "Hired") }, state: ats.Hired, side: ats.Company, title: "2026-1181 Senior Backend Engineer", calls: 1},
		"taken back":           {change: func(s *icimstest.Server) { s.Move("D10105", "Interview") }, state: ats.Reopened, side: ats.Company, title: "2026-1181 Senior Backend Engineer", calls: 1},
		"by the words":         {change: func(s *icimstest.Server) { s.Move("C777", "Not selected") }, settings: "Not selected: rejected", state: ats.Rejected, side: ats.Company, address: true, title: "Senior Backend Engineer", calls: 3},
		"a person who is gone": {change: func(s *icimstest.Server) { s.Change("people/1930", nil) }, state: ats.Rejected, side: ats.Company, title: "Senior Backend Engineer", calls: 3},
		"a job that is gone":   {change: func(s *icimstest.Server) { s.Change("jobs/1181", nil) }, state: ats.Rejected, side: ats.Company, address: true, title: "2026-1181 Senior Backend Engineer", calls: 3},
		"no status in the API": {change: func(s *icimstest.Server) { s.Change("applicantworkflows/1479", map[string]any{"status": nil}) }, state: ats.Rejected, side: ats.Company, address: true, title: "Senior Backend Engineer", calls: 3},
		"no profiles in the API": {change: func(s *icimstest.Server) {
			s.Change("applicantworkflows/1479", map[string]any{"associatedprofile": nil, "baseprofile": nil})
		}, state: ats.Rejected, side: ats.Company, address: true, title: "Senior Backend Engineer", calls: 3},
	} {
		t.Run(name, func(t *testing.T) {
			set := settings
			if tt.settings != "" {
				set = strings.Replace(settings, "D10105: ongoing", "D10105: ongoing, "+tt.settings, 1)
			}
			s, c := customer(t, set)
			if tt.change != nil {
				tt.change(s)
			}
			e := hint()
			if err := c.Complete(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
			if e.State != tt.state || e.Side != tt.side || (e.Candidate.Email != "") != tt.address || e.Job.Title != tt.title || s.Calls() != tt.calls {
				t.Errorf("got %s by %s, address %t, %q after %d calls, want %s by %s, %t, %q after %d",
					e.State, e.Side, e.Candidate.Email != "", e.Job.Title, s.Calls(), tt.state, tt.side, tt.address, tt.title, tt.calls)
			}
		})
	}
}

func TestCompleteFails(t *testing.T) {
	with := func(change func(*ats.Event)) ats.Event {
		e := hint()
		change(&e)
		return e
	}
	noStatus := func(s *icimstest.Server) { s.Change("applicantworkflows/1479", map[string]any{"status": nil}) }
	for name, tt := range map[string]struct {
		change   func(*icimstest.Server)
		settings string
		event    ats.Event
		fault    ats.Fault
		want     string
	}{
		"a forged id":                      {event: with(func(e *ats.Event) { e.Application = "1" }), fault: ats.NotFound, want: "or the event was forged"},
		"an id that is a way":              {event: with(func(e *ats.Event) { e.Application = "../people/1" }), fault: ats.Invalid, want: "is not one of iCIMS's"},
		"a status nobody spoke of":         {change: func(s *icimstest.Server) { s.Move("C9", "On hold") }, event: hint(), fault: ats.Invalid, want: "has not said what this status means"},
		"an unsigned status does not help": {change: noStatus, settings: "secrets: ['a:b']\nauth: basic\n" + rest, event: hint(), fault: ats.Invalid, want: "has not said what this status means"},
		"a status to be ignored":           {settings: strings.Replace(settings, "C20551: rejected", "C20551: ignored", 1), event: hint(), fault: ats.Duplicate, want: "nothing in the answers"},
		"iCIMS is down":                    {change: func(s *icimstest.Server) { s.Fail(500) }, event: hint(), fault: ats.Busy, want: "500"},
		"the people are down":              {change: func(s *icimstest.Server) { s.Fail(0, 503) }, event: hint(), fault: ats.Busy, want: "503"},
		"the password is refused":          {settings: strings.Replace(settings, "hidden", "other", 1), event: hint(), fault: ats.Denied, want: "401"},
		"a page comes back": {
			change: func(s *icimstest.Server) {
				s.Answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
			}, event: hint(), fault: ats.Invalid, want: "is not the JSON",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.settings == "" {
				tt.settings = settings
			}
			s, c := customer(t, tt.settings)
			if tt.change != nil {
				tt.change(s)
			}
			if err := c.Complete(t.Context(), &tt.event); ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want %s: %s", err, ats.FaultOf(err), tt.fault, tt.want)
			}
		})
	}
}

func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*icimstest.Server)
		want   ats.State
		fault  ats.Fault
	}{
		"still rejected":           {want: ats.Rejected},
		"taken back":               {change: func(s *icimstest.Server) { s.Move("D10105", "Interview") }, want: ats.Reopened},
		"withdrawn after all":      {change: func(s *icimstest.Server) { s.Move("C20560", "Withdrew") }, want: ats.Withdrawn},
		"a status nobody spoke of": {change: func(s *icimstest.Server) { s.Move("C9", "On hold") }, want: ""},
		"deleted":                  {change: func(s *icimstest.Server) { s.Change("applicantworkflows/1479", nil) }, fault: ats.NotFound},
		"iCIMS is down":            {change: func(s *icimstest.Server) { s.Fail(503) }, fault: ats.Busy},
	} {
		s, c := customer(t, settings)
		if tt.change != nil {
			tt.change(s)
		}
		got, err := c.State(t.Context(), ats.Event{Application: icimstest.Workflow, State: ats.Rejected})
		if got != tt.want || ats.FaultOf(err) != tt.fault || tt.fault == "" && err != nil {
			t.Errorf("%s: got %q, %v, want %q, %q", name, got, err, tt.want, tt.fault)
		}
	}
}

func TestSettings(t *testing.T) {
	s, _ := customer(t, settings)
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing at all":       {"", "api_user, api_password: required; iCIMS's events hold no person\naccount: required; write the customer's number\noutcomes: required"},
		"no secret":            {rest, "secrets: required"},
		"a way to prove":       {settings + "auth: oauth", `auth: "oauth" is not one of hmac, basic`},
		"a password for Basic": {strings.Replace(settings, secret, "x", 1) + "auth: basic", "secrets[0]: not user:password"},
		"a number that is not": {strings.Replace(settings, "6268", "a/b", 1), "account: required"},
		"an unknown key":       {settings + "statuses: {}", "field statuses not found"},
		"an outcome":           {strings.Replace(settings, "C20551: rejected", "C20551: declined", 1), "outcomes.C20551"},
	} {
		if _, err := open(s, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	file, err := spec.Shipped("icims")
	if err != nil {
		t.Fatal(err)
	}
	_, err = icims.Open(file, connectors.Env{HTTP: http.DefaultClient, Now: time.Now}, func(v any) error { return yaml.Unmarshal([]byte(settings), v) })
	if ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), "the public address of the webhook is not known") {
		t.Errorf("without a public address: got %v", err)
	}
}

// TestServer keeps the stand-in as strict as iCIMS.
func TestServer(t *testing.T) {
	s, _ := customer(t, settings)
	one := "/customers/6268/applicantworkflows/1479"
	for name, tt := range map[string]struct {
		method, path, user, password string
		status                       int
	}{
		"no password":       {"GET", one, "api", "", 401},
		"another customer":  {"GET", "/customers/1/applicantworkflows/1479", "api", "hidden", 404},
		"an unknown id":     {"GET", "/customers/6268/people/1", "api", "hidden", 404},
		"names in capitals": {"GET", one + "?fields=Status", "api", "hidden", 400},
		"a way to change":   {"PATCH", one, "api", "hidden", 405},
		"a workflow":        {"GET", one + "?fields=status%2Csource", "api", "hidden", 200},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, icimstest.URL+tt.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(tt.user, tt.password)
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
