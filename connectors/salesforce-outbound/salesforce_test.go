package salesforce_test

import (
	"encoding/json"
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
	salesforce "github.com/career-relay/connector/connectors/salesforce-outbound"
	"github.com/career-relay/connector/connectors/salesforce-outbound/salesforcetest"
	"github.com/career-relay/connector/connectors/spec"
)

// evening is when the samples were received.
var evening = time.Date(2026, 11, 20, 20, 0, 0, 0, time.FixedZone("JST", 9*60*60))

const secret = "0123456789abcdef0123456789abcdef"

const settings = `
api_url: ` + salesforcetest.URL + `
client_id: id
client_secret: hush
organization_id: 00D5i000000SAMP
object: Application__c
secrets: [` + secret + `]
fields:
  outcome: [Result__c]
  ended_at: ClosedAt__c
  family_name: CandidateLastName__c
  given_name: CandidateFirstName__c
  email: CandidateEmail__c
  job_title: JobTitle__c
  stage: Stage__c
  channel: Source__c
  consent: ReferralConsent__c
`

func organisation() *salesforcetest.Server {
	return salesforcetest.New("id", "hush", func() time.Time { return evening })
}

func open(s http.RoundTripper, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("salesforce-outbound")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return evening }}
	return salesforce.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: salesforce-outbound\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func connect(tb testing.TB, s http.RoundTripper, more string) *salesforce.Connector {
	tb.Helper()
	c, err := open(s, settings+more)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*salesforce.Connector)
}

func sample(tb testing.TB, name string) connectors.Payload {
	tb.Helper()
	folder, err := fs.Sub(connectors.Files, "salesforce-outbound")
	if err != nil {
		tb.Fatal(err)
	}
	p, err := spec.Sample(folder, name)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// TestExpected walks the batch of two from the door to the events.
func TestExpected(t *testing.T) {
	c := connect(t, organisation(), "")
	p, err := c.Sign(sample(t, "rejected.batch"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(p); err != nil {
		t.Fatal(err)
	}
	if got := c.Key(p); got != "04l5i000000N001AAA,04l5i000000N002AAA" {
		t.Errorf("got the key %q", got)
	}
	const ack = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>`
	if r := c.Reply(p); string(r.Body) != ack || r.Header.Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Errorf("got the answer %s, %v", r.Body, r.Header)
	}
	events, err := c.Decode(c.Redact(p))
	if err != nil || len(events) != 2 {
		t.Fatalf("got %d events, %v", len(events), err)
	}
	type fact struct {
		Application         string
		State               ats.State
		Side                ats.Side
		Evidence            string
		Name, Family, Given string
		Email, Title, Stage string
		At                  string
		Clock               ats.Clock
		Source              string
		Consent             ats.Consent
		History             bool
	}
	var got []fact
	for _, e := range events {
		if err := c.Complete(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
		name, _ := ats.Greeting(e.Candidate)
		got = append(got, fact{
			e.Application, e.State, e.Side, e.Evidence, name, e.Candidate.FamilyName, e.Candidate.GivenName, string(e.Candidate.Email), e.Job.Title, e.Stage,
			e.At.In(evening.Location()).Format(time.RFC3339), e.Clock, e.Source, e.Consent, e.History,
		})
	}
	want := []fact{
		{salesforcetest.Rejected, ats.Rejected, ats.Company, "Result__c says 不採用", "髙橋 美咲", "髙橋", "美咲", "misaki.takahashi@example.com", "バックエンドエンジニア（Go） & SRE", "最終面接", "2026-11-19T18:31:07+09:00", ats.DecidedClock, "自社サイト", ats.ConsentYes, false},
		{salesforcetest.Withdrawn, ats.Withdrawn, ats.Applicant, "Result__c says 内定辞退", "小林 恵", "小林", "恵", "megumi.kobayashi@example.com", "", "", "2026-11-19T18:31:08+09:00", ats.SentClock, "", ats.ConsentNo, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheDoor(t *testing.T) {
	c := connect(t, organisation(), "")
	good, err := c.Sign(sample(t, "rejected"))
	if err != nil {
		t.Fatal(err)
	}
	foreign := good
	foreign.Body = sample(t, "malformed.another-organisation").Body
	for name, tt := range map[string]struct {
		p     connectors.Payload
		fault ats.Fault
	}{
		"the message": {good, ""}, "without the secret": {sample(t, "rejected"), ats.Denied}, "of another organisation": {foreign, ats.Denied},
	} {
		if err := c.Verify(tt.p); ats.FaultOf(err) != tt.fault || err == nil != (tt.fault == "") {
			t.Errorf("%s: got %v, want %q", name, err, tt.fault)
		}
	}
	if _, err := c.Sign(foreign); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("got %v", err)
	}
}

// What is not to be kept is cut out before anything is.
func TestRedact(t *testing.T) {
	c := connect(t, organisation(), "")
	for _, name := range []string{"rejected", "rejected.batch", "rejected.with-session"} {
		p, err := c.Sign(sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		kept := c.Redact(p)
		for _, word := range []string{"EXAMPLE.SESSION", "美咲", "example.com", "不採用", "SessionId", "EnterpriseUrl"} {
			if strings.Contains(string(kept.Body), word) {
				t.Errorf("%s: %s is kept", name, word)
			}
		}
		if kept.Query.Has("key") || !p.Query.Has("key") || c.Key(kept) != c.Key(p) {
			t.Errorf("%s: got the address %v, keys %q and %q", name, kept.Query, c.Key(kept), c.Key(p))
		}
		before, err1 := c.Decode(p)
		after, err2 := c.Decode(kept)
		if diff := cmp.Diff(before, after); diff != "" || err1 != nil || err2 != nil || len(after) == 0 {
			t.Errorf("%s: %v, %v (-before +after):\n%s", name, err1, err2, diff)
		}
	}
	broken := connectors.Payload{Body: []byte(`<x:Envelope><n:SessionId>EXAMPLE.SESSION</n:SessionId><SessionId a="b">EXAMPLE.SESSION`), Query: url.Values{"history": {"true"}}}
	if kept := c.Redact(broken); strings.Contains(string(kept.Body), "EXAMPLE.SESSION") || !kept.History() {
		t.Errorf("got %s", kept.Body)
	}
	odd := sample(t, "rejected")
	odd.Body = []byte(strings.Replace(string(odd.Body), "04l5i000000N001AAA", "&lt;/Id&gt;&lt;Id&gt;x", 1))
	if kept := c.Redact(odd); c.Key(kept) != "</Id><Id>x" {
		t.Errorf("a text became an element: %s", kept.Body)
	}
}

func TestMessages(t *testing.T) {
	c := connect(t, organisation(), "")
	batch := string(sample(t, "rejected").Body)
	from, to := strings.Index(batch, "   <Notification>"), strings.Index(batch, "  </notifications>")
	many := func(n int) string { return batch[:from] + strings.Repeat(batch[from:to], n) + batch[to:] }
	for name, tt := range map[string]struct {
		body   string
		events int
		fault  ats.Fault
		want   string
	}{
		"a hundred notifications":        {many(100), 100, "", ""},
		"more":                           {many(101), 0, ats.TooLarge, "more than 100"},
		"none":                           {batch[:from] + batch[to:], 0, ats.Invalid, "lacks the record's Id"},
		"one of another namespace":       {strings.Replace(many(2), "<Notification>", `<Notification xmlns="urn:x">`, 1), 0, ats.Invalid, "namespace"},
		"fields of another namespace":    {strings.Replace(batch, `xmlns:sf="urn:sobject.enterprise.soap.sforce.com"`, `xmlns:sf="urn:x"`, 1), 0, ats.Invalid, "does not name a record"},
		"an envelope of another kind":    {strings.ReplaceAll(batch, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"), 0, ats.Invalid, "not an outbound message"},
		"a type without a prefix":        {strings.Replace(batch, "sf:Application__c", "Application__c", 1), 0, ats.Invalid, "another object"},
		"two ids in one":                 {strings.Replace(batch, "</sf:Id>", "</sf:Id><sf:Id>a0B5i000000A002EAA</sf:Id>", 1), 0, ats.Invalid, ""},
		"a document type":                {string(sample(t, "attack.document-type").Body), 0, ats.Invalid, "document type"},
		"entities of the sender's own":   {string(sample(t, "attack.entities").Body), 0, ats.Invalid, "document type"},
		"a document type inside":         {strings.Replace(batch, "<soapenv:Body>", `<!DOCTYPE x><soapenv:Body>`, 1), 0, ats.Invalid, "document type"},
		"an entity that nobody declared": {strings.Replace(batch, "a0B5i000000A001EAA", "&xxe;", 1), 0, ats.Invalid, "not XML"},
		"a message in the place of XML":  {`{"id":1}`, 0, ats.Invalid, ""},
		"nesting without end":            {strings.Repeat("<a>", 5000), 0, ats.Invalid, "nested deeper"},
		"an encoding that is not spoken": {strings.Replace(batch, "UTF-8", "Shift_JIS", 1), 0, ats.Invalid, "not XML in UTF-8"},
		"a person in the place of an id": {strings.Replace(batch, "a0B5i000000A001EAA", "髙橋 美咲", 1), 0, ats.Invalid, "does not name a record"},
	} {
		p := sample(t, "rejected")
		p.Body = []byte(tt.body)
		events, err := c.Decode(p)
		if len(events) != tt.events || ats.FaultOf(err) != tt.fault || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "髙橋")) {
			t.Errorf("%s: got %d events, %v, want %s: %s", name, len(events), err, tt.fault, tt.want)
		}
	}
}

func TestComplete(t *testing.T) {
	edit := func(fields map[string]any) func(*salesforcetest.Server) {
		return func(s *salesforcetest.Server) { s.Edit(salesforcetest.Rejected, fields) }
	}
	answer := func(text string) func(*salesforcetest.Server) {
		return func(s *salesforcetest.Server) {
			given := s.Answer
			s.Answer = func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					given(w, r)
					return
				}
				_, _ = w.Write([]byte(text))
			}
		}
	}
	for name, tt := range map[string]struct {
		change   func(*salesforcetest.Server)
		settings string
		id       string
		state    ats.State
		history  bool
		fault    ats.Fault
		want     string
	}{
		"a rejection":                 {state: ats.Rejected},
		"one without a time":          {change: edit(map[string]any{"ClosedAt__c": nil}), state: ats.Rejected, history: true},
		"taken back meanwhile":        {change: edit(map[string]any{"Result__c": nil}), fault: ats.Duplicate, want: "nothing in the answers"},
		"under way":                   {change: edit(map[string]any{"Result__c": "面接予定"}), fault: ats.Duplicate},
		"hired":                       {change: edit(map[string]any{"Result__c": "採用"}), state: ats.Hired},
		"the job is gone":             {change: edit(map[string]any{"Result__c": "求人クローズ"}), state: ats.Closed},
		"several choices, both sides": {change: edit(map[string]any{"Result__c": "不採用;内定辞退"}), fault: ats.Invalid, want: "can mean the company or the candidate"},
		"a word that nobody knows":    {change: edit(map[string]any{"Result__c": "Bench"}), fault: ats.Invalid, want: "is not a word we know"},
		"the company's own word":      {change: edit(map[string]any{"Result__c": "Bench"}), settings: "outcomes: {bench: rejected}", state: ats.Rejected},
		"a title with a semicolon":    {change: edit(map[string]any{"JobTitle__c": "SRE; 基盤"}), state: ats.Rejected},
		"deleted":                     {change: func(s *salesforcetest.Server) { s.Delete(salesforcetest.Rejected) }, fault: ats.NotFound, want: "or the delivery was forged"},
		"an id that is a way":         {id: "../User/005", fault: ats.Invalid, want: "not one of Salesforce's"},
		"the shorter form of an id":   {id: salesforcetest.Rejected[:15], state: ats.Rejected},
		"Salesforce is down":          {change: func(s *salesforcetest.Server) { s.Fail(0, 503) }, fault: ats.Busy, want: "503"},
		"a token that ended":          {change: func(s *salesforcetest.Server) { s.Fail(0, 401) }, state: ats.Rejected},
		"the user may not":            {change: func(s *salesforcetest.Server) { s.Fail(0, 403) }, fault: ats.Denied, want: "403"},
		"a field that is hidden":      {settings: "api_version: v62.0", change: func(s *salesforcetest.Server) { s.Fail(0, 400) }, fault: ats.Invalid, want: "400"},
		"the app is gone":             {change: func(s *salesforcetest.Server) { s.Fail(400) }, fault: ats.Denied, want: "getting a token"},
		"another record comes back":   {change: answer(`{"Id":"a0B5i000000A009EAA"}`), fault: ats.Invalid, want: "not the record that was asked for"},
		"a list comes back":           {change: answer(`[]`), fault: ats.Invalid, want: "not the JSON"},
		"HTML comes back":             {change: answer(`<html>`), fault: ats.Invalid, want: "not the JSON"},
		"a record with nothing in it": {change: answer(`{"Id":"` + salesforcetest.Rejected + `"}`), fault: ats.Duplicate},
		"an app with a refresh token": {settings: "refresh_token: again", change: func(s *salesforcetest.Server) { s.Refresh("again") }, state: ats.Rejected},
		"one with another one":        {settings: "refresh_token: other", change: func(s *salesforcetest.Server) { s.Refresh("again") }, fault: ats.Denied, want: "getting a token"},
	} {
		t.Run(name, func(t *testing.T) {
			s := organisation()
			if tt.change != nil {
				tt.change(s)
			}
			id := tt.id
			if id == "" {
				id = salesforcetest.Rejected
			}
			e := ats.Event{Application: id, State: ats.Hired, Side: ats.Unknown, At: evening, Candidate: ats.Candidate{Name: "forged", Email: "forged@example.jp"}}
			err := connect(t, s, tt.settings).Complete(t.Context(), &e)
			if ats.FaultOf(err) != tt.fault || err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && (e.State != tt.state || e.History != tt.history) {
				t.Errorf("got %s, history %t, %v, want %s, %s: %s", e.State, e.History, err, tt.state, tt.fault, tt.want)
			}
			if err == nil && (strings.Contains(string(e.Candidate.Email), "forged") || name == "a title with a semicolon" && e.Job.Title != "SRE; 基盤") {
				t.Errorf("got %v, %v", string(e.Candidate.Email), e.Job)
			}
			if err != nil && (strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), salesforcetest.Rejected)) {
				t.Errorf("the error shows too much: %v", err)
			}
		})
	}
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		fields map[string]any
		want   ats.State
		fault  ats.Fault
	}{
		"still rejected":  {nil, ats.Rejected, ""},
		"taken back":      {map[string]any{"Result__c": nil}, "", ""},
		"withdrawn":       {map[string]any{"Result__c": "辞退"}, ats.Withdrawn, ""},
		"an unknown word": {map[string]any{"Result__c": "Bench"}, "", ats.Invalid},
	} {
		s := organisation()
		s.Edit(salesforcetest.Rejected, tt.fields)
		got, err := connect(t, s, "").State(t.Context(), ats.Event{Application: salesforcetest.Rejected, At: evening})
		if got != tt.want || ats.FaultOf(err) != tt.fault || err == nil != (tt.fault == "") {
			t.Errorf("%s: got %q, %v, want %q, %q", name, got, err, tt.want, tt.fault)
		}
	}
	s := organisation()
	s.Delete(salesforcetest.Rejected)
	if _, err := connect(t, s, "").State(t.Context(), ats.Event{Application: salesforcetest.Rejected}); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("deleted: got %v", err)
	}
}

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing":                  {"secrets: [" + secret + "]", "organization_id: required"},
		"no secret":                {strings.Replace(settings, "secrets: ["+secret+"]", "", 1), "secrets: required"},
		"a short secret":           {strings.Replace(settings, secret, "short", 1), "secrets[0]: has 5 characters, want 32 random ones"},
		"an object that is a way":  {strings.Replace(settings, "object: Application__c", "object: ../User", 1), "object: required"},
		"a field that is a query":  {strings.Replace(settings, "Stage__c", "Stage__c,Id", 1), `fields: "Stage__c,Id" is no API name`},
		"a version":                {settings + "api_version: latest", "api_version: write one like v62.0"},
		"a word that is none":      {settings + "outcomes: {Bench: no}", `outcomes.Bench: "no" is not one of`},
		"an address without https": {strings.Replace(settings, "https://", "http://", 1), "api_url: must begin with https://"},
		"an unknown key":           {settings + "instance_url: x", "field instance_url not found"},
	} {
		if _, err := open(http.DefaultTransport, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// Every field is asked for by name, and nothing else.
func TestFieldsAreNamed(t *testing.T) {
	s := organisation()
	var asked []string
	given := s.Answer
	s.Answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			asked = append(asked, r.URL.Query().Get("fields"))
		}
		given(w, r)
	}
	e := ats.Event{Application: salesforcetest.Rejected, At: evening}
	if err := connect(t, s, "").Complete(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := []string{"CandidateEmail__c,CandidateFirstName__c,CandidateLastName__c,ClosedAt__c,JobTitle__c,ReferralConsent__c,Result__c,Source__c,Stage__c,SystemModstamp,Id"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text, err := json.Marshal(e); err != nil || strings.Contains(string(text), "attributes") {
		t.Errorf("got %s, %v", text, err)
	}
}

// TestPoll finds what no message told, page by page, and reads it again as a
// message would be.
func TestPoll(t *testing.T) {
	at := evening.Add(-48 * time.Hour)
	s := salesforcetest.New("id", "hush", func() time.Time { return at })
	s.Page = 2
	file, err := spec.Shipped("salesforce-outbound")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := salesforce.Open(file, connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return at }}, func(v any) error {
		return yaml.Unmarshal([]byte("vendor: salesforce-outbound\n"+settings), v)
	})
	if err != nil {
		t.Fatal(err)
	}
	c := opened.(*salesforce.Connector)
	s.Edit(salesforcetest.Rejected, nil) // just before the connection
	at = at.Add(time.Minute)
	sweep := func(cursor string) (map[string]connectors.Payload, string) {
		t.Helper()
		told := map[string]connectors.Payload{}
		for {
			news, next, err := c.Poll(t.Context(), cursor)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range news {
				events, err := c.Decode(p)
				if err != nil || len(events) != 1 {
					t.Fatalf("%v, %v", events, err)
				}
				told[events[0].Application] = p
			}
			if cursor = next; !c.More(cursor) {
				return told, cursor
			}
		}
	}
	told, cursor := sweep("")
	if len(told) != 0 || s.Calls() != 0 {
		t.Errorf("the first time: got %v after %d calls", told, s.Calls())
	}
	at = at.Add(5 * time.Minute)
	const lost, ongoing = "a0B5i000000A007EAA", "a0B5i000000A008EAA"
	s.Edit(lost, map[string]any{"Result__c": "不採用"})
	s.Edit(ongoing, map[string]any{"Result__c": nil, "Stage__c": nil})
	s.Edit(salesforcetest.Withdrawn, nil)
	at = at.Add(time.Minute)
	told, cursor = sweep(cursor)
	if len(told) != 2 || told[lost].Body == nil || told[lost].History() || told[salesforcetest.Withdrawn].Body == nil {
		t.Errorf("got %d: %v", len(told), told)
	}
	e := ats.Event{Application: lost, State: ats.Rejected}
	if err := c.Complete(t.Context(), &e); err != nil || e.State != ats.Rejected || e.Side != ats.Company {
		t.Errorf("got %+v, %v", e, err)
	}
	first := c.Key(told[lost])
	again, cursor := sweep(cursor) // within the overlap
	if got := c.Key(again[lost]); got != first || first == "" {
		t.Errorf("the same change has the keys %q and %q", first, got)
	}
	at = at.Add(time.Hour)
	s.Edit(lost, map[string]any{"Stage__c": "書類選考"})
	again, _ = sweep(cursor)
	if got := c.Key(again[lost]); got == first || got == "" {
		t.Errorf("another change has the key %q again", got)
	}
}
