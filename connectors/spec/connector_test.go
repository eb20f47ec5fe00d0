package spec_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/verify"
	"github.com/career-relay/connector/mapping"
)

var arrival = time.Date(2026, 10, 2, 6, 15, 12, 0, time.UTC)

func webhook(text string, headers ...string) connectors.Payload {
	p := body("application/json", text)
	p.Received = arrival
	for i := 0; i+1 < len(headers); i += 2 {
		p.Header.Set(headers[i], headers[i+1])
	}
	return p
}

func TestPing(t *testing.T) {
	c := open(t, load(t, "vendor: x\nhmac: {header: S}\nping: .body.type == null"+lastRules), withSecret("s"))
	tests := map[string]struct {
		text string
		ping bool
		err  bool
	}{
		"a test":                  {`{}`, true, false},
		"an event":                {`{"type":"moved","id":1}`, false, false},
		"an event that is cut":    {`{"type":"moved","id":`, false, true},
		"an event that is broken": {`"type":"moved"}`, false, true},
		"nothing":                 {``, false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := webhook(tt.text)
			events, err := c.Decode(p)
			if c.Ping(p) != tt.ping || (err != nil) != tt.err || tt.ping && len(events) > 0 {
				t.Errorf("got ping %t, %d events, %v; want ping %t, error %t", c.Ping(p), len(events), err, tt.ping, tt.err)
			}
		})
	}
}

func TestHandshake(t *testing.T) {
	c := open(t, load(t, `
vendor: x
hmac: {header: S}
handshake:
  when: .headers["x-hook-secret"] != null and .headers.s == null
  echo: X-Hook-Secret
  body: .query.challenge
answers: {ok: 202, denied: 403, type: text/xml, body: <Ack/>}
`+lastRules), withSecret("s"))
	plain := connectors.Reply{Header: http.Header{"Content-Type": {"text/xml"}}, Body: []byte("<Ack/>")}
	tests := map[string]struct {
		p     connectors.Payload
		ok    bool
		text  string
		reply connectors.Reply
	}{
		"a test of the address":     {webhook("", "X-Hook-Secret", "abc-123"), true, "word", connectors.Reply{Header: http.Header{"X-Hook-Secret": {"abc-123"}}}},
		"a value with a line break": {webhook("", "X-Hook-Secret", "a\r\nSet-Cookie: b"), true, "word", connectors.Reply{Header: http.Header{}}},
		"a value that is not ASCII": {webhook("", "X-Hook-Secret", "秘密"), true, "word", connectors.Reply{Header: http.Header{}}},
		"a very long value":         {webhook("", "X-Hook-Secret", strings.Repeat("a", 257)), true, "word", connectors.Reply{Header: http.Header{}}},
		"a delivery with both":      {webhook("{}", "X-Hook-Secret", "abc", "S", "00"), false, "", plain},
		"a delivery":                {webhook("{}", "S", "00"), false, "", plain},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.p.Query = map[string][]string{"challenge": {"word"}}
			text, ok := c.Handshake(tt.p)
			if ok != tt.ok || string(text) != tt.text {
				t.Errorf("got %q, %t, want %q, %t", text, ok, tt.text, tt.ok)
			}
			if diff := cmp.Diff(tt.reply, c.Reply(tt.p)); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
	if ok, denied := c.Statuses(); ok != http.StatusAccepted || denied != http.StatusForbidden {
		t.Errorf("got statuses %d, %d, want 202, 403", ok, denied)
	}
	bare := open(t, load(t, "vendor: x\nhmac: {header: S}"+lastRules), withSecret("s"))
	if ok, denied := bare.Statuses(); ok != http.StatusOK || denied != http.StatusUnauthorized {
		t.Errorf("got statuses %d, %d, want 200, 401", ok, denied)
	}
	if _, ok := bare.Handshake(webhook("")); ok {
		t.Error("a vendor without a handshake answers one")
	}
}

func TestEach(t *testing.T) {
	c := open(t, load(t, `
vendor: x
hmac: {header: S}
each: .body.data[]
map: {id: .item.id, source: .body.source}
events:
  - {when: .item.status == "rejected", state: rejected, side: company}
  - {when: .item.status == "active", ignore: true}
`), withSecret("s"))
	tests := map[string]struct {
		text string
		want []string
		err  string
	}{
		"several":                   {`{"source":"a","data":[{"id":1,"status":"rejected"},{"id":2,"status":"active"},{"id":3,"status":"rejected"}]}`, []string{"1", "3"}, ""},
		"none":                      {`{"data":[]}`, nil, ""},
		"one that no rule knows":    {`{"data":[{"id":1,"status":"rejected"},{"id":2,"status":"new"}]}`, nil, "item 1: no rule knows this payload"},
		"no list":                   {`{"data":7}`, nil, "each: does not fit this payload"},
		"no list at all is no loss": {`{}`, nil, "each: does not fit this payload"},
		"more than can be":          {`{"data":[` + strings.Repeat(`{},`, 1000) + `{}]}`, nil, "each: has more than 1000 outputs"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			events, err := c.Decode(webhook(tt.text))
			if tt.err != "" {
				if ats.FaultOf(err) != ats.Invalid || err.Error() != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			var got []string
			for _, e := range events {
				got = append(got, e.Application)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestBoundSecrets(t *testing.T) {
	s := load(t, "vendor: x\nhmac: {header: S}\nsecret_for: .body.event"+lastRules)
	both := spec.Settings{Secrets: []connectors.Secret{{Value: "a", For: "moved"}, {Value: "h", For: "hired"}, {Value: "all"}}}
	sign := func(secret, text string) connectors.Payload {
		p, err := open(t, s, withSecret(secret)).Sign(webhook(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, tt := range map[string]struct {
		p     connectors.Payload
		match int // -1 is denied
	}{
		"its own secret":             {sign("a", `{"event":"moved"}`), 0},
		"the other one's":            {sign("a", `{"event":"hired"}`), -1},
		"its own, the second":        {sign("h", `{"event":"hired"}`), 1},
		"one that is for all":        {sign("all", `{"event":"hired"}`), 2},
		"a kind of its own":          {sign("all", `{"event":"other"}`), 2},
		"a kind that cannot be read": {sign("a", `{"event":`), -1},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := open(t, s, both).Match(tt.p)
			if tt.match < 0 && ats.FaultOf(err) != ats.Denied || tt.match >= 0 && (err != nil || got != tt.match) {
				t.Errorf("got %d, %v, want %d", got, err, tt.match)
			}
		})
	}
	signed, err := open(t, s, both).Sign(webhook(`{"event":"hired"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, s, withSecret("h")).Verify(signed); err != nil {
		t.Errorf("Sign took another secret: %v", err)
	}
}

func TestTolerance(t *testing.T) {
	for scheme, text := range map[string]string{
		"hmac": `hmac: {header: S, message: .headers.t + .raw, time: {header: T}}`, "timed": `timed: {header: S}`, "standard": `standard: {}`,
	} {
		t.Run(scheme, func(t *testing.T) {
			s := load(t, "vendor: x\n"+text+lastRules)
			p, err := open(t, s, withSecret("s")).Sign(webhook("{}"))
			if err != nil {
				t.Fatal(err)
			}
			p.Received = p.Received.Add(time.Hour)
			if err := open(t, s, withSecret("s")).Verify(p); ats.FaultOf(err) != ats.Denied {
				t.Errorf("an hour late: got %v, want denied", err)
			}
			generous := withSecret("s")
			generous.Tolerance = ats.Duration(2 * time.Hour)
			if err := open(t, s, generous).Verify(p); err != nil {
				t.Errorf("with a tolerance of two hours: %v", err)
			}
		})
	}
}

// TestOwnRules is how one customer differs from another.
func TestOwnRules(t *testing.T) {
	s := load(t, `
vendor: x
hmac: {header: S}
map: {id: .body.id, stage: .body.stage}
events: [{when: .body.type == "rejected", state: rejected, side: company}]
`)
	set := withSecret("s")
	set.Map = map[string]string{"stage": ".body.custom.step"}
	set.Events = []mapping.Rule{{When: `.body.reason == "closed"`, State: "closed", Side: "company"}}
	p := webhook(`{"id":1,"type":"rejected","reason":"closed","stage":"a","custom":{"step":"b"}}`)
	for name, tt := range map[string]struct {
		set   spec.Settings
		state ats.State
		stage string
	}{
		"the vendor's rules": {withSecret("s"), ats.Rejected, "a"},
		"with their own":     {set, ats.Closed, "b"},
	} {
		events, err := open(t, s, tt.set).Decode(p)
		if err != nil || len(events) != 1 || events[0].State != tt.state || events[0].Stage != tt.stage {
			t.Errorf("%s: got %v, %v, want %s at %s", name, events, err, tt.state, tt.stage)
		}
	}
}

func TestFill(t *testing.T) {
	s := load(t, `
vendor: x
trust: hint
hmac: {header: S}
map: {id: .body.id}
events: [{when: "true", state: rejected, side: unknown}]
fetched:
  map: {id: .application.id, at: .application.rejected_at, sent_at: .hint.at, candidate.email: .application.emails}
  events:
    - {when: .application.status == "ignored", ignore: true}
    - {when: .application.status == "rejected", state: rejected, side: company, map: {evidence: '"hinted: " + .hint.application'}}
`)
	c := open(t, s, withSecret("s"))
	type application struct {
		ID       int64       `json:"id"`
		Status   string      `json:"status"`
		Rejected string      `json:"rejected_at,omitempty"`
		Emails   []ats.Email `json:"emails"`
	}
	hint := ats.Event{Application: "7", State: ats.Rejected, Side: ats.Unknown, At: arrival, Clock: ats.SentClock}

	e := hint
	if err := c.Fill(&e, map[string]any{"application": application{9007199254740993, "rejected", "2026-10-01T00:00:00Z", []ats.Email{"a@example.jp"}}}); err != nil {
		t.Fatal(err)
	}
	want := ats.Event{
		Application: "9007199254740993", State: ats.Rejected, Side: ats.Company, Evidence: "hinted: 7",
		At: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Clock: ats.DecidedClock, Candidate: ats.Candidate{Email: "a@example.jp"},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	e = hint
	if err := c.Fill(&e, map[string]any{"application": application{ID: 1, Status: "rejected"}}); err != nil || !e.At.Equal(arrival) || e.Clock != ats.SentClock {
		t.Errorf("without a time of its own: got %s by the %s clock, %v", e.At, e.Clock, err)
	}
	if err := c.Fill(&e, map[string]any{"application": application{ID: 1, Status: "ignored"}}); ats.FaultOf(err) != ats.Duplicate {
		t.Errorf("ignored: got %v, want duplicate", err)
	}
	if err := c.Fill(&e, nil); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("no answers: got %v, want invalid", err)
	}
	if err := c.Fill(&e, map[string]any{"f": func() {}}); err == nil {
		t.Error("an answer that cannot be written: got no error")
	}
	if err := open(t, load(t, "vendor: x\nhmac: {header: S}"+lastRules), withSecret("s")).Fill(&e, nil); err == nil {
		t.Error("without fetched rules: got no error")
	}
}

func TestWithoutSignature(t *testing.T) {
	poll := open(t, load(t, "vendor: x\ndoor: poll"+lastRules), spec.Settings{})
	if err := poll.Verify(webhook("{}")); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("a poll: got %v, want not found", err)
	}
	code := open(t, load(t, "vendor: x\ncode: true"+lastRules), withSecret("s"))
	if err := code.Verify(webhook("{}")); ats.FaultOf(err) != ats.Denied {
		t.Errorf("code without a scheme: got %v, want denied", err)
	}
	if _, err := code.Sign(webhook("{}")); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("code without a scheme signs: got %v, want invalid", err)
	}
}

func TestUse(t *testing.T) {
	code := open(t, load(t, "vendor: x\ncode: true"+lastRules), withSecret("s"))
	scheme := verify.Canonical{Name: "x-v1", Date: "X-Date", Hash: "X-Hash", User: "u"}
	if err := code.Use(scheme); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("a scheme without its address: got %v, want invalid", err)
	}
	scheme.URL = "https://hooks.example.jp/hooks/acme/x"
	if err := code.Use(scheme); err != nil {
		t.Fatal(err)
	}
	signed, err := code.Sign(webhook("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := code.Match(signed); n != 0 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	signed.Body = []byte("{ }")
	if err := code.Verify(signed); ats.FaultOf(err) != ats.Denied {
		t.Errorf("changed: got %v, want denied", err)
	}
}

func TestReader(t *testing.T) {
	r, err := spec.Reader(load(t, "vendor: x\nhmac: {header: S, key: base64}"+lastRules))
	if err != nil {
		t.Fatal(err)
	}
	p := webhook(`{"id":1}`, "S", "00")
	if events, err := r.Decode(p); err != nil || len(events) != 1 {
		t.Errorf("got %d events, %v", len(events), err)
	}
	if err := r.Verify(p); ats.FaultOf(err) != ats.Denied {
		t.Errorf("got %v, want denied", err)
	}
	if _, err := r.Sign(p); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("got %v, want invalid", err)
	}
	if _, err := spec.Reader(spec.Spec{}); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("an empty file: got %v, want invalid", err)
	}
}

func TestKey(t *testing.T) {
	for name, tt := range map[string]struct{ key, text, want string }{
		"of the body":            {"key: .body.event_id", `{"event_id":12345678901234567890}`, "12345678901234567890"},
		"of a header":            {`key: .headers["x-id"]`, `not even JSON`, "h-1"},
		"of what is not there":   {"key: .body.event_id", `{}`, ""},
		"of what cannot be read": {"key: .body.event_id", `{"event_id":1`, ""},
		"none":                   {"", `{}`, ""},
	} {
		c := open(t, load(t, "vendor: x\nhmac: {header: S}\n"+tt.key+lastRules), withSecret("s"))
		if got := c.Key(webhook(tt.text, "X-Id", "h-1")); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
