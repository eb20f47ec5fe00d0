package mapping_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mapping"
)

var received = time.Date(2026, 11, 24, 1, 7, 0, 0, time.UTC)

// rejected is a mapping that only needs an id.
func rejected(fields map[string]string) mapping.Spec {
	s := mapping.Spec{Map: map[string]string{"id": ".body.id"}, Events: []mapping.Rule{{When: "true", State: "rejected", Side: "company"}}}
	return s.With(mapping.Spec{Map: fields})
}

// document is what expressions see of a JSON body; numbers keep their digits.
func document(tb testing.TB, body string) map[string]any {
	tb.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		tb.Fatal(err)
	}
	return map[string]any{"headers": map[string]any{}, "query": map[string]any{}, "body": v, "received": json.Number("1764000000")}
}

func compile(tb testing.TB, s mapping.Spec) *mapping.Mapper {
	tb.Helper()
	m, err := mapping.Compile(s)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// one maps a body to its only event.
func one(tb testing.TB, s mapping.Spec, body string) ats.Event {
	tb.Helper()
	events, err := compile(tb, s).Map(document(tb, body), received)
	if err != nil {
		tb.Fatal(err)
	}
	if len(events) != 1 {
		tb.Fatalf("got %d events, want 1", len(events))
	}
	return events[0]
}

func TestCompileErrors(t *testing.T) {
	rule := func(change func(*mapping.Rule)) mapping.Spec {
		r := mapping.Rule{When: "true", State: "rejected", Side: "company"}
		change(&r)
		return mapping.Spec{Map: map[string]string{"id": ".body.id"}, Events: []mapping.Rule{r}}
	}
	have := fmt.Sprint(mapping.Fields())
	tests := map[string]struct {
		spec mapping.Spec
		want []string
	}{
		"nothing at all":             {mapping.Spec{}, []string{"events: at least one rule"}},
		"an unknown field":           {rejected(map[string]string{"candidate.mail": ".body.mail"}), []string{"map.candidate.mail: no such field; did you mean candidate.email?; have " + have}},
		"a field like nothing known": {rejected(map[string]string{"salary_expectation": ".body.s"}), []string{"map.salary_expectation: no such field; have " + have}},
		"no jq":                      {rejected(map[string]string{"reason": ".body."}), []string{`map.reason: ".body." is not jq: unexpected EOF`}},
		"an empty expression":        {rejected(map[string]string{"reason": ""}), []string{`map.reason: "": missing query (try ".")`}},
		"an unknown function":        {rejected(map[string]string{"reason": ".body | lowercase"}), []string{`map.reason: ".body | lowercase": function not defined: lowercase/0`}},
		"an unknown variable":        {rejected(map[string]string{"reason": "$body.x"}), []string{`map.reason: "$body.x": variable not defined: $body`}},
		"a module":                   {rejected(map[string]string{"reason": `include "a"; .`}), []string{`map.reason: "include \"a\"; .": cannot load module: "a"`}},
		"the clock":                  {rejected(map[string]string{"at": "now"}), []string{`map.at: "now": now is not allowed here; only the payload can be read`}},
		"a rule without a condition": {rule(func(r *mapping.Rule) { r.When = "" }), []string{"events[0]: when: required"}},
		"a condition that is no jq":  {rule(func(r *mapping.Rule) { r.When = "==" }), []string{`events[0]: when: "==" is not jq: unexpected token "=="`}},
		"an unknown state":           {rule(func(r *mapping.Rule) { r.State = "refused" }), []string{`events[0]: state: "refused" is not one of [rejected withdrawn hired reopened closed erased merged]`}},
		"no state and no side": {rule(func(r *mapping.Rule) { r.State, r.Side = "", "" }), []string{
			`events[0]: state: "" is not one of [rejected withdrawn hired reopened closed erased merged]`, `events[0]: side: "" is not one of [company candidate unknown]`,
		}},
		"an ignored payload with a meaning": {rule(func(r *mapping.Rule) { r.Ignore = true }), []string{"events[0]: ignore: stands alone"}},
		"a parked payload with a meaning":   {rule(func(r *mapping.Rule) { r.Park = "ask the vendor" }), []string{"events[0]: park: stands alone"}},
		"a payload parked and ignored":      {mapping.Spec{Map: map[string]string{"id": ".x"}, Events: []mapping.Rule{{When: "true", Ignore: true, Park: "why"}}}, []string{"events[0]: ignore: stands alone"}},
		"a rule's own unknown field":        {rule(func(r *mapping.Rule) { r.Map = map[string]string{"jobid": ".x"} }), []string{"events[0]: map.jobid: no such field; did you mean job.id?; have " + have}},
		"no id anywhere": {
			mapping.Spec{Events: []mapping.Rule{{When: "true", State: "rejected", Side: "company"}}},
			[]string{"events[0]: map.id: required, or candidate.id for an event about a person"},
		},
		"every problem at once": {
			mapping.Spec{Map: map[string]string{"id": "(", "att": ".x"}, Events: []mapping.Rule{
				{When: "input", State: "rejected", Side: "company"},
				{When: "true", State: "rejected", Side: "us", Map: map[string]string{"at": "env"}},
			}},
			[]string{
				"map.att: no such field; did you mean at?; have " + have, `map.id: "(" is not jq: unexpected EOF`,
				`events[0]: when: "input": input is not allowed here; only the payload can be read`, "events[0]: map.id: required, or candidate.id for an event about a person",
				`events[1]: map.at: "env": env is not allowed here; only the payload can be read`, `events[1]: side: "us" is not one of [company candidate unknown]`,
				"events[1]: map.id: required, or candidate.id for an event about a person",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := mapping.Compile(tt.spec)
			if ats.FaultOf(err) != ats.Invalid {
				t.Fatalf("got %v, want an invalid error", err)
			}
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusedFunctions(t *testing.T) {
	for _, text := range []string{
		"now", ".body | now", "env", "env.HOME", "$ENV", "$ENV.HOME", "{$ENV}", "input", "[inputs]", "debug", `debug("x")`, "stderr", "input_filename", "localtime",
		`strflocaltime("%H")`, "halt", "halt_error", "halt_error(1)", `"\(now)"`, `.body["\(env.HOME)"]`, "[.body[] | now]", "{at: now}", "{(env.HOME): 1}", "if now > 1 then 1 else 2 end",
		"if true then 1 elif now then 2 else 3 end", "try now catch 1", "try error catch now", "reduce now as $x (0; .)", "reduce .[] as $x (now; .)", "foreach .[] as $x (0; now)", "foreach .[] as $x (0; .; now)",
		"def f: now; f", ".body as {a: $x} | now", "first(now)", "-now", ".body[now]", ".body[1:now]", "label $out | now", "now?", "now // 1", "(now)", `@base64 "\(now)"`, "[limit(1; now)]", ".body |= now", "modulemeta",
	} {
		if _, err := mapping.Parse(text); ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), "is not allowed here; only the payload can be read") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// The same words are harmless as names of data.
func TestRefusedWordsAsData(t *testing.T) {
	doc := document(t, `{"now":"a","env":{"input":"b"},"debug":["c"],"text":"now or never: env, input"}`)
	tests := map[string]string{
		".body.now":            "a",
		".body.env.input":      "b",
		`.body["now"]`:         "a",
		`.body | ."now"`:       "a",
		".body.debug[0]":       "c",
		".body | {now} | .now": "a",
		"{env: 1, input: .body.env.input} | .input": "b",
		`{"now": .body.now, "$ENV": 2} | .now`:      "a",
		`"env"`:                                     "env",
		`"now \(.body.now)"`:                        "now a",
		`if .body.text | contains("now") then "yes" else "no" end`: "yes",
		`.body.text | test("now or") | tostring`:                   "true",
		".body as {now: $n} | $n":                                  "a",
		"# now\n.body.now":                                         "a",
		`"2026-11-19T09:31:07Z" | fromdate`:                        "1795080667",
		`"2026-11-19" | strptime("%Y-%m-%d") | mktime`:             "1795046400",
	}
	for text, want := range tests {
		x, err := mapping.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, _ := x.Text(doc); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestEndlessProgramsAreStopped(t *testing.T) {
	doc := document(t, `{"id":1}`)
	for _, text := range []string{"def f: f; f", "last(range(1e15))", "until(false; .)", "[repeat(1)] | length", "0 | last(recurse(. + 0; true))", "[limit(1e15; repeat(1))] | length", "reduce range(1e15) as $i (0; . + 1)"} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			_, err := compile(t, rejected(map[string]string{"reason": text})).Map(doc, received)
			if ats.FaultOf(err) != ats.Invalid || err.Error() != "events[0].map.reason: takes longer than 200ms" {
				t.Errorf("a field: got %v", err)
			}
			s := rejected(nil)
			s.Events[0].When = text
			_, err = compile(t, s).Map(doc, received)
			if ats.FaultOf(err) != ats.Invalid || err.Error() != "events[0].when: takes longer than 200ms" {
				t.Errorf("a condition: got %v", err)
			}
			x := expression(t, text)
			if got, ok := x.Text(doc); ok || x.True(doc) {
				t.Errorf("an expression: got %q", got)
			}
		})
	}
}

func TestMap(t *testing.T) {
	tests := map[string]struct {
		fields map[string]string
		body   string
		want   ats.Event // without what every event here has
	}{
		"numbers keep their digits": {
			map[string]string{"candidate.id": ".body.c", "job.id": ".body.j", "reason": ".body.r", "source": ".body.n", "status": ".body.i + 1", "stage": ".body.i / 4", "evidence": ".body.c + 1"},
			`{"id":9007199254740993,"c":123456789012345678901234567890,"j":1.10,"r":-0,"n":1e400,"i":2}`,
			ats.Event{Application: "9007199254740993", Candidate: ats.Candidate{ID: "123456789012345678901234567890"}, Job: ats.Job{ID: "1.10"}, Reason: "-0", Source: "1e400", Status: "3", Stage: "0.5", Evidence: "123456789012345678901234567891"},
		},
		"large numbers are computed with exactly": {
			map[string]string{"candidate.id": ".body.id + 1"},
			`{"id":9007199254740993}`,
			ats.Event{Application: "9007199254740993", Candidate: ats.Candidate{ID: "9007199254740994"}},
		},
		"truth as text": {map[string]string{"reason": ".body.r"}, `{"id":"A-1","r":false}`, ats.Event{Application: "A-1", Reason: "false"}},
		"a lone surrogate shows as damage": {
			map[string]string{"candidate.name": ".body.name"},
			`{"id":"A-1","name":"\ud842田"}`,
			ats.Event{Application: "A-1", Candidate: ats.Candidate{Name: "\ufffd田"}},
		},
		"a name is kept as it was written": {
			map[string]string{"candidate.name": ".body.name", "candidate.kana": ".body.kana"},
			`{"id":"A-1","name":"\uFA10\u672C\u3000\u795E\u3099 ","kana":"\uFF76\uFF9E"}`,
			ats.Event{Application: "A-1", Candidate: ats.Candidate{Name: "\uFA10\u672C\u3000\u795E\u3099", FamilyName: "\uFA10\u672C", GivenName: "\u795E\u3099", Kana: "\uFF76\uFF9E"}},
		},
		"a part of a name that the vendor knows is not guessed": {
			map[string]string{"candidate.name": ".body.name", "candidate.family_name": ".body.f"},
			`{"id":"A-1","name":"佐藤 花子","f":"佐藤花"}`,
			ats.Event{Application: "A-1", Candidate: ats.Candidate{Name: "佐藤 花子", FamilyName: "佐藤花"}},
		},
		"missing, null and unreachable fields": {
			map[string]string{"reason": ".body.none", "stage": ".body.null", "status": ".body.text.deep.er", "source": ".body.list[7]", "job.id": ".body.id.x", "job.title": "empty", "evidence": "error(\"x\")"},
			`{"id":"A-1","null":null,"text":"t","list":[]}`,
			ats.Event{Application: "A-1"},
		},
		"the first value of several": {map[string]string{"reason": ".body.list[]", "stage": ".body.a // .body.b"}, `{"id":"A-1","list":["x","y"],"b":"z"}`, ats.Event{Application: "A-1", Reason: "x", Stage: "z"}},
		"white space around a value": {map[string]string{"reason": ".body.r"}, `{"id":" A-1\n","r":"　x y　"}`, ats.Event{Application: "A-1", Reason: "x y"}},
		"a long value is cut between characters": {
			map[string]string{"reason": ".body.r"},
			`{"id":"A-1","r":"` + strings.Repeat("あ", 700) + `"}`,
			ats.Event{Application: "A-1", Reason: strings.Repeat("あ", 666)},
		},
		"all of the flags": {
			map[string]string{"agent": ".body.y", "candidate.do_not_contact": ".body.y", "candidate.private": ".body.y", "candidate.anonymized": ".body.y", "job.confidential": ".body.y"},
			`{"id":"A-1","y":true}`,
			ats.Event{Application: "A-1", Agent: true, Candidate: ats.Candidate{DoNotContact: true, Private: true, Anonymized: true}, Job: ats.Job{Confidential: true}},
		},
		"the rest of the fields": {
			map[string]string{
				"evidence": ".body.a", "personal_line": ".body.b", "into": ".body.c", "also": ".body.d", "candidate.given_name": ".body.e", "candidate.type": ".body.f", "job.department": ".body.g", "side": ".body.h", "state": ".body.i",
			},
			`{"id":"A-1","a":"1","b":"2","c":"3","d":["4",5],"e":"6","f":"7","g":"8","h":"unknown","i":"merged"}`,
			ats.Event{
				Application: "A-1", State: ats.Merged, Side: ats.Unknown, Evidence: "1", PersonalLine: "2", Into: "3", Also: []string{"4", "5"},
				Candidate: ats.Candidate{GivenName: "6", Type: "7"}, Job: ats.Job{Department: "8"},
			},
		},
		"history":                           {map[string]string{"history": ".body.h"}, `{"id":"A-1","h":true}`, ats.Event{Application: "A-1", History: true}},
		"an embargo":                        {map[string]string{"not_before": ".body.e"}, `{"id":"A-1","e":"2026-12-01T09:00:00+09:00"}`, ats.Event{Application: "A-1", NotBefore: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}},
		"an embargo of a day ends with it":  {map[string]string{"not_before": ".body.e"}, `{"id":"A-1","e":"2026-12-01"}`, ats.Event{Application: "A-1", NotBefore: time.Date(2026, 12, 1, 14, 59, 59, 0, time.UTC)}},
		"an embargo that was not said":      {map[string]string{"not_before": `"unknown"`}, `{"id":"A-1"}`, ats.Event{Application: "A-1", Problems: []string{ats.EmbargoUnknown}}},
		"a stage is recognised":             {map[string]string{"stage": ".body.s"}, `{"id":"A-1","s":"最終面接"}`, ats.Event{Application: "A-1", Stage: "最終面接", StageKind: ats.Final}},
		"the vendor's kind of stage counts": {map[string]string{"stage": ".body.s", "stage_kind": ".body.k"}, `{"id":"A-1","s":"チームと話す","k":"interview"}`, ats.Event{Application: "A-1", Stage: "チームと話す", StageKind: ats.Interview}},
		"a vendor's own word for a kind":    {map[string]string{"stage_kind": ".body.k"}, `{"id":"A-1","k":"offer"}`, ats.Event{Application: "A-1", StageKind: ats.Final}},
		"a kind that tells nothing":         {map[string]string{"stage": ".body.s", "stage_kind": ".body.k"}, `{"id":"A-1","s":"書類選考","k":"other"}`, ats.Event{Application: "A-1", Stage: "書類選考", StageKind: ats.Document}},
		"a language":                        {map[string]string{"candidate.locale": ".body.l"}, `{"id":"A-1","l":"ja-JP"}`, ats.Event{Application: "A-1", Candidate: ats.Candidate{Locale: "ja"}}},
		"a language in another way":         {map[string]string{"candidate.locale": ".body.l"}, `{"id":"A-1","l":"EN_us"}`, ats.Event{Application: "A-1", Candidate: ats.Candidate{Locale: "en"}}},
		"a label":                           {map[string]string{"reason": ".body.s | outcome", "status": ".body.n | outcome"}, `{"id":"A-1","s":"お見送り","n":7}`, ats.Event{Application: "A-1", Reason: "rejected", Status: "ongoing"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := tt.want
			want.At, want.Clock = received, ats.ReceivedClock
			if want.State == "" {
				want.State, want.Side = ats.Rejected, ats.Company
			}
			if diff := cmp.Diff(want, one(t, rejected(tt.fields), tt.body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMapTimes(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UTC()
	}
	tests := map[string]struct {
		body  string
		at    time.Time
		clock ats.Clock
	}{
		"the time of the decision":             {`{"at":"2026-11-19T18:31:07+09:00","sent":"2026-11-20T00:00:00Z"}`, at("2026-11-19T09:31:07Z"), ats.DecidedClock},
		"the time of sending":                  {`{"at":null,"sent":"2026-11-20T00:00:00Z"}`, at("2026-11-20T00:00:00Z"), ats.SentClock},
		"our own time":                         {`{}`, received, ats.ReceivedClock},
		"a dash is no time":                    {`{"at":"-"}`, received, ats.ReceivedClock},
		"a blank is no time":                   {`{"at":" "}`, received, ats.ReceivedClock},
		"seconds as a number":                  {`{"at":1763545867}`, at("2025-11-19T09:51:07Z"), ats.DecidedClock},
		"milliseconds as text":                 {`{"at":"1763545867000"}`, at("2025-11-19T09:51:07Z"), ats.DecidedClock},
		"a day counts to its end":              {`{"at":"2026-11-19"}`, at("2026-11-19T23:59:59+09:00"), ats.DecidedClock},
		"but not further than today":           {`{"at":"2026/11/24"}`, received, ats.DecidedClock},
		"a day of sending not either":          {`{"sent":"2026/11/24"}`, received, ats.SentClock},
		"a time in the future is the vendor's": {`{"at":"2026-11-24T23:00:00+09:00"}`, at("2026-11-24T23:00:00+09:00"), ats.DecidedClock},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := one(t, rejected(map[string]string{"id": `"A-1"`, "at": ".body.at", "sent_at": ".body.sent"}), tt.body)
			if !e.At.Equal(tt.at) || e.Clock != tt.clock || e.At.Location() != time.UTC {
				t.Errorf("got %s by %s, want %s by %s", e.At, e.Clock, tt.at, tt.clock)
			}
		})
	}
}

func TestMapEmails(t *testing.T) {
	tests := map[string]struct {
		emails, address string
		problems        []string
	}{
		"an address":                       {`"misaki@example.jp"`, "misaki@example.jp", nil},
		"an old carrier form":              {`"hanako.@example.jp"`, "hanako.@example.jp", nil},
		"the first of several":             {`["misaki@example.jp","b@example.jp"]`, "misaki@example.jp", nil},
		"the first that can be used":       {`["-","",null,7,{"x":1},"b@example.jp"]`, "b@example.jp", nil},
		"a plain one before a doubtful":    {`["no-reply@example.jp","b@example.jp"]`, "b@example.jp", nil},
		"the first of the doubtful":        {`["no-reply@example.jp","info@example.jp"]`, "no-reply@example.jp", []string{"email_review"}},
		"a doubtful one among the bad":     {`["x","no-reply@example.jp","y"]`, "no-reply@example.jp", []string{"email_review"}},
		"none":                             {`[]`, "", []string{"email_missing"}},
		"a blank":                          {`" "`, "", []string{"email_missing"}},
		"something else":                   {`{"value":"misaki@example.jp"}`, "", []string{"email_missing"}},
		"one that cannot be used":          {`"misaki@example"`, "", []string{"email_invalid"}},
		"two in one cell":                  {`"a@example.jp, b@example.jp"`, "", []string{"email_several"}},
		"a blank does not hide a bad one":  {`["misaki@example",""]`, "", []string{"email_invalid"}},
		"a field that the vendor left out": {`null`, "", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := one(t, rejected(map[string]string{"candidate.email": ".body.emails"}), `{"id":"A-1","emails":`+tt.emails+`}`)
			if string(e.Candidate.Email) != tt.address {
				t.Errorf("got %q, want %q", string(e.Candidate.Email), tt.address)
			}
			if diff := cmp.Diff(tt.problems, e.Problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// Only an explicit yes is a consent.
func TestMapConsent(t *testing.T) {
	tests := map[string]ats.Consent{
		`"はい"`: ats.ConsentYes, `"同意する"`: ats.ConsentYes, `"同意"`: ats.ConsentYes, `true`: ats.ConsentYes, `"TRUE"`: ats.ConsentYes, `1`: ats.ConsentYes, `"Yes"`: ats.ConsentYes, `"○"`: ats.ConsentYes,
		`"いいえ"`: ats.ConsentNo, `false`: ats.ConsentNo, `0`: ats.ConsentNo, `"同意しない"`: ats.ConsentNo, `"△"`: ats.ConsentNo, `"はい（要確認）"`: ats.ConsentNo, `"2"`: ats.ConsentNo,
		`""`: ats.ConsentUnknown, `" "`: ats.ConsentUnknown, `null`: ats.ConsentUnknown,
	}
	for value, want := range tests {
		e := one(t, rejected(map[string]string{"consent": ".body.c"}), `{"id":"A-1","c":`+value+`}`)
		if e.Consent != want {
			t.Errorf("%s: got %q, want %q", value, e.Consent, want)
		}
	}
}

// A value of the wrong kind stops the event. The message says where and what
// kind, never what stood there.
func TestMapErrors(t *testing.T) {
	tests := map[string]struct{ field, value, want string }{
		"a list for text":              {"reason", `["geheim"]`, "want text, have a list"},
		"an object for text":           {"candidate.name", `{"geheim":1}`, "want text, have an object"},
		"text for a flag":              {"agent", `"geheim"`, "want true or false, have text"},
		"a number for a flag":          {"job.confidential", `1`, "want true or false, have a number"},
		"a list for a flag":            {"agent", `["geheim"]`, "want true or false, have a list"},
		"text for a list":              {"also", `"geheim"`, "want a list, have text"},
		"an object in a list":          {"also", `[{"geheim":1}]`, "want text, have an object"},
		"no time":                      {"at", `"geheim"`, "not a time: want 2026-11-24T09:00:00+09:00, a date, or Unix seconds or milliseconds"},
		"a list for a time":            {"sent_at", `["geheim"]`, "want text, have a list"},
		"an unknown state":             {"state", `"geheim"`, "not one of [rejected withdrawn hired reopened closed erased merged]"},
		"a list for a state":           {"state", `["geheim"]`, "want text, have a list"},
		"an unknown side":              {"side", `"geheim"`, "not one of [company candidate unknown]"},
		"a list for a side":            {"side", `["geheim"]`, "want text, have a list"},
		"a list for a consent":         {"consent", `["geheim"]`, "want text, have a list"},
		"an object for a kind":         {"stage_kind", `{"geheim":1}`, "want text, have an object"},
		"an object for a language":     {"candidate.locale", `{"geheim":1}`, "want text, have an object"},
		"no id":                        {"id", `""`, "the payload has no id"},
		"a person without application": {"id", `null`, "the payload has no id"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			events, err := compile(t, rejected(map[string]string{tt.field: ".body.v"})).Map(document(t, `{"id":"A-1","v":`+tt.value+`}`), received)
			if len(events) != 0 || ats.FaultOf(err) != ats.Invalid {
				t.Fatalf("got %v and %v", events, err)
			}
			if got, want := err.Error(), "events[0].map."+tt.field+": "+tt.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	s := mapping.Spec{
		Map: map[string]string{"id": ".body.id", "candidate.id": ".body.person", "at": ".body.at"},
		Events: []mapping.Rule{
			{When: `.body.event == "ping"`, Ignore: true},
			{When: `.body.event == "deleted"`, State: "erased", Side: "unknown"},
			{When: `.body.event == "rejected" and .body.by == "us"`, State: "rejected", Side: "company"},
			{When: `.body.event == "rejected"`, State: "rejected", Side: "unknown", Map: map[string]string{"at": ".body.other"}},
			{When: `.body.event == "merged"`, Park: "merged candidates need a person"},
			{When: `.body.event.deep`, State: "hired", Side: "company"},
			{When: `"true"`, State: "hired", Side: "company"},
		},
	}
	tests := map[string]struct {
		body, fault string
		want        *ats.Event
	}{
		"an ignored payload":          {`{"event":"ping"}`, "", nil},
		"the first rule that applies": {`{"event":"rejected","by":"us","id":1}`, "", &ats.Event{Application: "1", State: ats.Rejected, Side: ats.Company}},
		"a later rule with its field": {`{"event":"rejected","id":1,"other":"2026-11-19T00:00:00Z"}`, "", &ats.Event{
			Application: "1", State: ats.Rejected, Side: ats.Unknown, At: time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC), Clock: ats.DecidedClock,
		}},
		"an event about a person":              {`{"event":"deleted","person":7}`, "", &ats.Event{State: ats.Erased, Side: ats.Unknown, Candidate: ats.Candidate{ID: "7"}}},
		"a person alone is not rejected":       {`{"event":"rejected","by":"us","person":7}`, "events[2].map.id: the payload has no application id", nil},
		"nobody at all":                        {`{"event":"deleted"}`, "events[1].map.id: the payload has no id", nil},
		"a payload that no rule knows":         {`{"event":"promoted","id":1}`, "no rule knows this payload", nil},
		"an error in a condition is not a yes": {`{"event":["x"],"id":1}`, "no rule knows this payload", nil},
		"a payload that a rule parks":          {`{"event":"merged","id":1}`, "merged candidates need a person", nil},
		"a body of another kind":               {`"text"`, "no rule knows this payload", nil},
		"a body that is null":                  {`null`, "no rule knows this payload", nil},
	}
	m := compile(t, s)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			events, err := m.Map(document(t, tt.body), received)
			if tt.fault != "" {
				if ats.FaultOf(err) != ats.Invalid || err.Error() != tt.fault {
					t.Errorf("got %v, want %s", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want []ats.Event
			if tt.want != nil {
				want = []ats.Event{*tt.want}
				if want[0].At.IsZero() {
					want[0].At, want[0].Clock = received, ats.ReceivedClock
				}
			}
			if diff := cmp.Diff(want, events, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWith(t *testing.T) {
	vendor := mapping.Spec{Map: map[string]string{"id": ".body.id", "stage": ".body.stage"}, Events: []mapping.Rule{{When: "true", State: "rejected", Side: "company"}}}
	own := mapping.Spec{Map: map[string]string{"stage": ".body.step"}, Events: []mapping.Rule{{When: ".body.test == true", Ignore: true}}}
	both := vendor.With(own)
	if got := one(t, both, `{"id":1,"step":"二次面接","stage":"x"}`); got.Stage != "二次面接" || got.StageKind != ats.Interview {
		t.Errorf("the customer's field does not count: %q", got.Stage)
	}
	if events, err := compile(t, both).Map(document(t, `{"id":1,"test":true}`), received); len(events) != 0 || err != nil {
		t.Errorf("the customer's rule does not come first: %v %v", events, err)
	}
	if vendor.Map["stage"] != ".body.stage" || len(vendor.Events) != 1 {
		t.Error("the vendor's mapping was changed")
	}
	if got := (mapping.Spec{}).With(own); len(got.Events) != 1 || got.Map["stage"] != ".body.step" {
		t.Errorf("got %v", got)
	}
}

func TestFields(t *testing.T) {
	names := mapping.Fields()
	names[0] = "changed"
	if got := mapping.Fields()[0]; got != "agent" {
		t.Errorf("a caller can change the list: %s", got)
	}
}

func TestExpression(t *testing.T) {
	if x, err := mapping.Parse(""); x != nil || err != nil {
		t.Errorf("an empty expression: got %v and %v", x, err)
	}
	if _, err := mapping.Parse(".body ||"); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("got %v, want an invalid error", err)
	}
	doc := document(t, `{"yes":true,"one":1,"text":" t ","empty":"","list":[1]}`)
	tests := map[string]struct {
		text string
		ok   bool
		true bool
	}{
		".body.yes":         {"true", true, true},
		".body.one":         {"1", true, false},
		".body.text":        {"t", true, false},
		".body.empty":       {"", false, false},
		".body.list":        {"", false, false},
		".body.none":        {"", false, false},
		".body.text.x":      {"", false, false},
		"empty":             {"", false, false},
		".body.yes, .error": {"true", true, true},
	}
	for jq, want := range tests {
		x := expression(t, jq)
		if text, ok := x.Text(doc); text != want.text || ok != want.ok || x.True(doc) != want.true {
			t.Errorf("%s: got %q %t %t, want %q %t %t", jq, text, ok, x.True(doc), want.text, want.ok, want.true)
		}
	}
}

func TestOneMapperForMany(t *testing.T) {
	m := compile(t, typical)
	shared := document(t, payload)
	want, err := m.Map(document(t, payload), received)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 25 {
				got, err := m.Map(shared, received)
				if err != nil || !cmp.Equal(want, got) {
					t.Errorf("got %v and %v", got, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// typical is a mapping like those of the vendors, payload one of its bodies.
var typical = mapping.Spec{
	Map: map[string]string{
		"id": ".body.data.id", "at": ".body.data.disqualified_at // .body.fired_at", "stage": ".body.data.stage", "status": ".body.event_type",
		"reason": ".body.data.disqualification_reason", "candidate.id": ".body.data.candidate.id", "candidate.name": ".body.data.candidate.name",
		"candidate.email": `[.body.data.candidate.emails[]? | select(.type == "personal") | .value] + [.body.data.candidate.emails[]?.value]`,
		"job.id":          ".body.data.job.shortcode", "job.title": ".body.data.job.title",
	},
	Events: []mapping.Rule{
		{When: `.body.event_type != "candidate_moved"`, Ignore: true},
		{When: ".body.data.anonymized == true", State: "erased", Side: "unknown"},
		{When: ".body.data.disqualified == true and .body.data.withdrew == true", State: "withdrawn", Side: "candidate"},
		{When: ".body.data.disqualified == true", State: "rejected", Side: "company"},
	},
}

const payload = `{"event_type":"candidate_moved","fired_at":"2026-11-20T01:00:00Z","data":{"id":"A-1001","stage":"Interview","disqualified":true,"withdrew":false,
	"disqualified_at":"2026-11-19T18:31:07+09:00","disqualification_reason":"Other","job":{"shortcode":"J1","title":"バックエンドエンジニア"},
	"candidate":{"id":9007199254740993,"name":"髙橋 美咲","emails":[{"type":"work","value":"info@example.com"},{"type":"personal","value":"misaki@example.jp"}]}}}`

func BenchmarkMap(b *testing.B) {
	m, doc := compile(b, typical), document(b, payload)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Map(doc, received); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever the payload, there is a sound event, none, or an invalid error that
// keeps quiet about the payload.
func FuzzMap(f *testing.F) {
	f.Add(payload)
	for _, body := range []string{`{}`, `null`, `[]`, `"x"`, `1e999`, `{"event_type":"candidate_moved","data":{"id":{},"disqualified":true}}`, `{"event_type":"candidate_moved","data":{"id":"\ud800","disqualified":true,"disqualified_at":"R8.3.31"}}`} {
		f.Add(body)
	}
	m := compile(f, typical)
	f.Fuzz(func(t *testing.T, body string) {
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return
		}
		events, err := m.Map(map[string]any{"body": v}, received)
		if err != nil {
			if ats.FaultOf(err) != ats.Invalid || len(err.Error()) > 200 {
				t.Errorf("got %v", err)
			}
			return
		}
		for _, e := range events {
			if e.Application == "" && e.Candidate.ID == "" || e.At.IsZero() || e.Clock == "" || e.State == "" || e.Side == "" {
				t.Errorf("an unsound event: %+v", e)
			}
		}
	})
}
