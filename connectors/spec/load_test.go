package spec_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

func TestLoadErrors(t *testing.T) {
	const good = "vendor: x\nhmac: {header: S}\n"
	tests := map[string]struct {
		text string
		want []string
	}{
		"no YAML":                 {"vendor: [", []string{"connector.yaml:1: did not find"}},
		"a tab":                   {"vendor: x\n\thmac: 1\n", []string{"connector.yaml:2: found a tab character"}},
		"an unknown key":          {good + "mapp: {}\nmap: {id: .id}\nevents: [{when: \"true\", state: rejected, side: company, sate: x}]\n", []string{"connector.yaml:3: mapp: no such key here", "connector.yaml:5: sate: no such key here"}},
		"a key twice":             {"vendor: x\nvendor: y\n", []string{"connector.yaml:2: mapping key \"vendor\" already defined at line 1"}},
		"nothing in it":           {"{}", []string{"connector.yaml:1: vendor: required", "connector.yaml:1: want one of hmac, timed, token, basic, standard, code: have 0", "connector.yaml:1: events: at least one rule"}},
		"two schemes":             {good + "basic: {}\nmap: {id: .id}\nevents: [{when: \"true\", ignore: true}]\n", []string{"have 2"}},
		"a trust that is none":    {good + "map: {id: .id}\ntrust: low\nevents: [{when: \"true\", ignore: true}]\n", []string{`connector.yaml:4: trust: "low" is not known`}},
		"a door that is none":     {"vendor: x\ndoor: window\nmap: {id: .id}\nevents: [{when: \"true\", ignore: true}]\n", []string{`connector.yaml:2: door: "window" is not one of webhook, poll, file`}},
		"a poll with a signature": {good + "door: poll\nmap: {id: .id}\nevents: [{when: \"true\", ignore: true}]\n", []string{"connector.yaml:3: door: poll has no signature"}},
		"a scheme that is not whole": {"vendor: x\nhmac:\n  prefix: p\n  algorithm: md5\nmap: {id: .id}\nevents: [{when: \"true\", ignore: true}]\n", []string{
			"connector.yaml:3: hmac: want one of header, query, body: have 0", `connector.yaml:4: hmac: algorithm: "md5" is not one of`,
		}},
		"expressions that are none": {good + "key: .a.[\nping: \"|\"\neach: now\nsecret_for: env\nhandshake:\n  when: \"(\"\nmap: {id: .id}\nevents: [{when: \"true\", ignore: true}]\n", []string{
			`connector.yaml:3: key: ".a.[" is not jq`, `connector.yaml:4: ping: "|" is not jq`, `connector.yaml:5: each: "now": now is not allowed here`,
			`connector.yaml:6: secret_for: "env": env is not allowed here`, `connector.yaml:8: handshake.when: "(" is not jq`,
		}},
		"a message that is no jq":    {"vendor: x\nhmac:\n  header: S\n  message: ')'\nmap: {id: .id}\nevents: [{when: \"true\", ignore: true}]\n", []string{`connector.yaml:4: hmac.message: ")" is not jq`}},
		"a handshake without a sign": {good + "handshake: {echo: X}\nmap: {id: .id}\nevents: [{when: \"true\", ignore: true}]\n", []string{"connector.yaml:3: handshake: when is required"}},
		"a status that is none":      {good + "answers:\n  ok: 299\nmap: {id: .id}\nevents: [{when: \"true\", ignore: true}]\n", []string{"connector.yaml:4: answers: ok: 299 is no status code"}},
		"rules and fields": {good + "map:\n  id: .id\n  candidate.mail: .mail\nevents:\n  - when: .x ==\n    state: rejekted\n    side: company\n  - when: \"true\"\n    state: rejected\n    side: company\n    map:\n      stage: now\n", []string{
			"connector.yaml:5: map.candidate.mail: no such field; did you mean candidate.email?",
			`connector.yaml:7: events[0]: when: ".x ==" is not jq`, `connector.yaml:8: events[0]: state: "rejekted" is not one of`,
			`connector.yaml:14: events[1]: map.stage: "now": now is not allowed here`,
		}},
		"fetched rules": {good + "map: {id: .id}\nevents: [{when: \"true\", ignore: true}]\nfetched:\n  events:\n    - {when: \"true\", state: rejected, side: nobody}\n", []string{
			`connector.yaml:7: fetched: events[0]: side: "nobody" is not one of`,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := spec.Load(fstest.MapFS{spec.File: {Data: []byte(tt.text)}})
			if ats.FaultOf(err) != ats.Invalid {
				t.Fatalf("got %v, want an invalid error", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got\n%v\nwant %s", err, want)
				}
			}
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "connector.yaml:") {
					t.Errorf("a line without file and line: %s", line)
				}
			}
		})
	}
	if _, err := spec.Load(fstest.MapFS{}); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("without a file: got %v, want not found", err)
	}
	if _, err := spec.Shipped("nobody"); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("a vendor that is not there: got %v, want not found", err)
	}
}

func TestSettingsErrors(t *testing.T) {
	hmac := load(t, "vendor: x\nhmac: {header: S}"+lastRules)
	two := load(t, "vendor: x\nhmac: {header: S, key: base64, time: {header: T}}\nsecret_for: .body.event"+lastRules)
	poll := load(t, "vendor: x\ndoor: poll"+lastRules)
	tests := map[string]struct {
		s    spec.Spec
		set  spec.Settings
		want string
	}{
		"no secret":                  {hmac, spec.Settings{}, "secrets: required; write [env:NAME] with the secret that x signs with"},
		"an empty secret":            {hmac, spec.Settings{Secrets: []connectors.Secret{{Value: "a"}, {}}}, "secrets[1]: empty"},
		"a bound secret":             {hmac, spec.Settings{Secrets: []connectors.Secret{{Value: "a", For: "b"}}}, "secrets[0].for: x has no secrets for single kinds"},
		"a secret written otherwise": {two, withSecret("%%"), "secrets[0]: not written in base64"},
		"a tolerance for nothing":    {hmac, spec.Settings{Secrets: withSecret("a").Secrets, Tolerance: 1}, "tolerance: this vendor signs no time"},
		"a secret for nothing":       {poll, withSecret("a"), "secrets: x signs nothing"},
		"a rule that is none":        {hmac, spec.Settings{Secrets: withSecret("a").Secrets, Map: map[string]string{"title": "."}}, "map.title: no such field"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := spec.New(tt.s, tt.set)
			if ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want invalid: %s", err, tt.want)
			}
		})
	}
	if _, err := spec.New(poll, spec.Settings{}); err != nil {
		t.Errorf("a poll without secrets: %v", err)
	}
}
