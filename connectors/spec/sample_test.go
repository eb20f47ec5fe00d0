package spec_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

func TestSamples(t *testing.T) {
	folder := fstest.MapFS{}
	for name, text := range map[string]string{
		"request.json": `{"received":"2026-10-02T06:15:12Z","headers":{"X-Event":"moved","X-Gone":"x"},"query":{"k":"v"}}`,
		"a.json":       "{\"a\": 1}\n", "a.golden": "", "b.form": "a=1", "c.d.xml": "<a/>", "signatures.json": "[]", "e.fetched.json": "{}", "settings.yaml": "",
		"b.request.json": `{"received":"2026-10-03T00:00:00Z","headers":{"X-Gone":"","X-More":"y"}}`,
		"f.json":         "{}", "f.request.json": `{"headers":{},"body":1}`,
		"deeper/g.json": "{}",
	} {
		folder["testdata/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	names, err := spec.Samples(folder)
	if diff := cmp.Diff([]string{"a", "b", "c.d", "f"}, names); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	at := func(day, hour, minute, second int) time.Time {
		return time.Date(2026, 10, day, hour, minute, second, 0, time.UTC)
	}
	for name, want := range map[string]connectors.Payload{
		"a": {
			Header: http.Header{"Content-Type": {"application/json"}, "X-Event": {"moved"}, "X-Gone": {"x"}},
			Query:  url.Values{"k": {"v"}}, Body: []byte("{\"a\": 1}\n"), Received: at(2, 6, 15, 12),
		},
		"b": {
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "X-Event": {"moved"}, "X-More": {"y"}},
			Query:  url.Values{"k": {"v"}}, Body: []byte("a=1"), Received: at(3, 0, 0, 0),
		},
		"c.d": {
			Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "X-Event": {"moved"}, "X-Gone": {"x"}},
			Query:  url.Values{"k": {"v"}}, Body: []byte("<a/>"), Received: at(2, 6, 15, 12),
		},
	} {
		got, err := spec.Sample(folder, name)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if _, err := spec.Sample(folder, "nothing"); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("a case that is not there: got %v, want not found", err)
	}
	if _, err := spec.Sample(folder, "f"); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("a request with an unknown key: got %v, want invalid", err)
	}
	if names, err := spec.Samples(fstest.MapFS{}); len(names) > 0 || err != nil {
		t.Errorf("no samples: got %v, %v", names, err)
	}
}

func TestFresh(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	tests := map[string]struct{ kind, text, want string }{
		"times with a zone": {
			"", `{"a":"2026-10-02T06:15:09Z","b":"2026-10-02T15:15:09+09:00","c":"2026-10-02T06:15:09+0000"}`,
			`{"a":"2026-11-24T06:15:09Z","b":"2026-11-24T15:15:09+09:00","c":"2026-11-24T06:15:09+0000"}`,
		},
		"fractions":            {"", `["2026-10-02T06:15:09.100Z","2026-10-02T06:15:09.123456Z"]`, `["2026-11-24T06:15:09.100Z","2026-11-24T06:15:09.123456Z"]`},
		"times without a zone": {"", `["2026-10-02T06:15:09","2026-10-02 06:15:09","2026-10-02 06:15:09 UTC"]`, `["2026-11-24T06:15:09","2026-11-24 06:15:09","2026-11-24 06:15:09 UTC"]`},
		"days":                 {"", `{"a":"2026-10-02"}`, `{"a":"2026-11-24"}`},
		"numbers":              {"", `{"a":1790921709,"b":1790921709512,"c":"1790921709512"}`, `{"a":1795500909,"b":1795500909512,"c":"1795500909512"}`},
		"what lies far away":   {"", `{"born":"1993-04-01","at":1000000000,"until":"2036-01-01T00:00:00Z"}`, `{"born":"1993-04-01","at":1000000000,"until":"2036-01-01T00:00:00Z"}`},
		"ids and other words":  {"", `{"id":17909217095129,"v":"v2026-10-02","t":"am 2026-10-02 um 6","n":179092170}`, `{"id":17909217095129,"v":"v2026-10-02","t":"am 2026-10-02 um 6","n":179092170}`},
		"no such day":          {"", `{"a":"2026-13-02"}`, `{"a":"2026-13-02"}`},
		"a form":               {form, "a=2026-10-02+06%3A15%3A09&b=1790921709&name=%E4%BD%90", "a=2026-11-24+06%3A15%3A09&b=1795500909&name=%E4%BD%90"},
		"XML":                  {"text/xml", `<a><b>2026-10-02T06:15:09.000Z</b><c d="2026-10-02">1790921709</c></a>`, `<a><b>2026-11-24T06:15:09.000Z</b><c d="2026-11-24">1795500909</c></a>`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := body(tt.kind, tt.text)
			p.Received = arrival
			now := arrival.AddDate(0, 0, 53)
			got := spec.Fresh(p, now)
			if string(got.Body) != tt.want || !got.Received.Equal(now) {
				t.Errorf("got %s at %s, want %s at %s", got.Body, got.Received, tt.want, now)
			}
			if string(p.Body) != tt.text {
				t.Errorf("the sample itself became %s", p.Body)
			}
		})
	}
}

func TestFreshHeaders(t *testing.T) {
	p := body("", `{}`)
	p.Received = arrival
	p.Header.Set("Sent", "2026-10-02T06:15:09Z")
	p.Header.Set("Version", "2026-10-02")
	got := spec.Fresh(p, arrival.AddDate(0, 0, 53)).Header
	if got.Get("Sent") != "2026-11-24T06:15:09Z" || got.Get("Version") != "2026-10-02" {
		t.Errorf("got %v", got)
	}
	if sent := p.Header.Get("Sent"); sent != "2026-10-02T06:15:09Z" {
		t.Errorf("the sample itself became %s", sent)
	}
}

func TestUnreached(t *testing.T) {
	s := load(t, `
vendor: x
hmac: {header: S}
ping: .body.type == "ping"
map: {id: .body.id}
events:
  - {when: .body.type == "a", ignore: true}
  - {when: .body.type == "b", ignore: true}
  - {when: .body.type == "a" and .body.x, ignore: true}
  - {when: "true", ignore: true}
fetched:
  map: {id: .id}
  events: [{when: .a, ignore: true}, {when: .b, ignore: true}]
`)
	got, err := spec.Unreached(s, []connectors.Payload{body("", `{"type":"a","x":true}`), body("", `{"type":"ping"}`), body("", `{`)})
	if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	got, err = spec.UnreachedFetched(s, []map[string]any{{"b": true}})
	if diff := cmp.Diff([]int{0}, got); diff != "" || err != nil {
		t.Errorf("fetched: %v (-want +got):\n%s", err, diff)
	}
}
