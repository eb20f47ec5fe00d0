package spec_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

const scoped = `
vendor: x
docs: https://example.com
hmac: {header: X}
account: .body.account
rings: .body.news == true
map: {id: .body.id, at: .body.at, history: .body.old}
events:
  - {when: .body.id != null, state: rejected, side: company}
  - {when: .body.news, ignore: true}
fetched:
  map: {id: .id, at: .at}
  events: [{when: "true", state: rejected, side: company}]
`

func scopedSettings(account, since string) spec.Settings {
	return spec.Settings{Secrets: withSecret("s").Secrets, Account: account, Since: since}
}

func TestAccount(t *testing.T) {
	for name, tt := range map[string]struct {
		account, body string
		events        int
		rings         bool
	}{
		"the connection's own":       {"a-1", `{"account":"a-1","id":"1"}`, 1, false},
		"another":                    {"a-1", `{"account":"a-2","id":"1"}`, 0, false},
		"another's bad data":         {"a-1", `{"account":"a-2","strange":1}`, 0, false},
		"one that is not named":      {"a-1", `{"id":"1"}`, 1, false},
		"any, where none is chosen":  {"", `{"account":"a-2","id":"1"}`, 1, false},
		"news of the connection":     {"a-1", `{"account":"a-1","news":true}`, 0, true},
		"news of another":            {"a-1", `{"account":"a-2","news":true}`, 0, false},
		"news of nobody in especial": {"a-1", `{"news":true}`, 0, true},
	} {
		c := open(t, load(t, scoped), scopedSettings(tt.account, ""))
		p := webhook(tt.body)
		if events, err := c.Decode(p); err != nil || len(events) != tt.events || c.Rings(p) != tt.rings {
			t.Errorf("%s: got %d events, %v, rings %t, want %d, %t", name, len(events), err, c.Rings(p), tt.events, tt.rings)
		}
	}
}

func TestHistory(t *testing.T) {
	for name, tt := range map[string]struct {
		since, body string
		query       url.Values
		want        bool
	}{
		"news":                       {"", `{"id":"1","at":"2026-10-02T00:00:00+09:00"}`, nil, false},
		"what the vendor calls old":  {"", `{"id":"1","old":true}`, nil, true},
		"the first moment that":      {"2026-10-02", `{"id":"1","at":"2026-10-02T00:00:00+09:00"}`, nil, false},
		"the last moment before":     {"2026-10-02", `{"id":"1","at":"2026-10-01T23:59:59+09:00"}`, nil, true},
		"a time that was not said":   {"2026-10-02", `{"id":"1"}`, nil, false},
		"an address for the past":    {"", `{"id":"1"}`, url.Values{"history": {"true"}}, true},
		"an address for the present": {"", `{"id":"1"}`, url.Values{"history": {"no"}}, false},
	} {
		p := webhook(tt.body)
		p.Query = tt.query
		events, err := open(t, load(t, scoped), scopedSettings("", tt.since)).Decode(p)
		if err != nil || len(events) != 1 || events[0].History != tt.want {
			t.Errorf("%s: got %v, %v, want history %t", name, events, err, tt.want)
		}
	}
	// What code reads later does not make news of it.
	c := open(t, load(t, scoped), scopedSettings("", "2026-10-02"))
	for name, tt := range map[string]struct {
		hint bool
		at   string
		want bool
	}{
		"news": {false, "2026-10-03T00:00:00Z", false}, "a hint of the past": {true, "2026-10-03T00:00:00Z", true}, "an old decision": {false, "2026-09-30T00:00:00Z", true},
	} {
		e := ats.Event{History: tt.hint, At: time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC)}
		if err := c.Fill(&e, map[string]any{"id": "1", "at": tt.at}); err != nil || e.History != tt.want {
			t.Errorf("%s, completed: got %t, %v, want %t", name, e.History, err, tt.want)
		}
	}
	p := connectors.Payload{}
	if old := p.AsHistory(); !old.History() || p.History() {
		t.Error("the mark does not stay with its payload")
	}
}

func TestScopeErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		set  spec.Settings
		want string
	}{
		"a day that is none":      {scoped, scopedSettings("", "soon"), `since: "soon" is not a date; write 2026-12-31`},
		"a vendor of one account": {"vendor: x\nhmac: {header: X}" + lastRules, scopedSettings("a", ""), "account: x does not say whose data it sends"},
	} {
		if _, err := spec.New(load(t, tt.file), tt.set); ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}
