package configs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
)

func TestMistakesAreReportedWithFileLineAndKey(t *testing.T) {
	tests := map[string]struct {
		old, new string // a change to acmeText; without old, the whole file
		want     []string
	}{
		"an unknown key that is nearly a known one": {"delay: 24h", "dealy: 24h", []string{
			"acme.yaml:12: sending.dealy: no such key; did you mean delay?",
		}},
		"an unknown key that is like no other": {"delay: 24h", "colour: red", []string{
			"acme.yaml:12: sending.colour: no such key; have mode, purposes, delay, window, holidays, max_age, brake, per_minute, exclude, on_unknown_side",
		}},
		"an unknown section": {"relay:", "rely:", []string{"acme.yaml:13: rely: no such key; did you mean relay?"}},
		"a key twice":        {"delay: 24h", "delay: 24h\n  mode: live", []string{"acme.yaml:13: sending.mode: stands twice; the first is in line 11"}},
		"a section twice":    {"relay:", "sending: {}\nrelay:", []string{"acme.yaml:13: sending: stands twice; the first is in line 10"}},
		"a merge key":        {"delay: 24h", "<<: {delay: 24h}", []string{"acme.yaml:12: sending.<<: no such key; have mode, purposes, delay, window, holidays, max_age, brake, per_minute, exclude, on_unknown_side"}},
		"a key that is a list": {"delay: 24h", "? [a]\n  : b", []string{
			"acme.yaml:12: sending: a key must be a word",
		}},
		"an alias":                      {"delay: 24h", "delay: &d 24h\n  max_age: *d", []string{"acme.yaml:13: sending.max_age: aliases such as *d are not followed here; write the value out"}},
		"a word that is none":           {"mode: live", "mode: life", []string{`acme.yaml:11: sending.mode: "life" is not one of live, dry_run, link_only`}},
		"a word of a later version":     {"mode: link", "mode: handover", []string{"acme.yaml:14: relay.mode: handover comes in a later version; have link, off"}},
		"a list for a word":             {"mode: live", "mode: [live]", []string{"acme.yaml:11: sending.mode: want one of live, dry_run, link_only; have a list"}},
		"a truth for a word":            {"mode: live", "mode: true", []string{"acme.yaml:11: sending.mode: want one of live, dry_run, link_only; have true or false"}},
		"keys for text":                 {"name: 採用", "name: {ja: 採用}", []string{"acme.yaml:8: mail.from.name: want one line of text; have keys"}},
		"a number for text":             {"address: 東京都", "address: 100", []string{"acme.yaml:9: mail.sender.address: want one line of text"}},
		"several lines of text":         {"name: 採用", `name: "採用\nBcc: x"`, []string{"acme.yaml:8: mail.from.name: want one line of text"}},
		"nothing for a section":         {"sending:\n  mode: live\n  delay: 24h", "sending:", []string{"acme.yaml:10: sending: want the keys mode, purposes, delay, window, holidays, max_age, brake, per_minute, exclude, on_unknown_side; have nothing"}},
		"text for a number":             {"delay: 24h", `brake: {batch: "50"}`, []string{"acme.yaml:12: sending.brake.batch: want a whole number, 1 or more"}},
		"a number below its least":      {"delay: 24h", "brake: {factor: 0.5}", []string{"acme.yaml:12: sending.brake.factor: want a number, 1 or more"}},
		"a duration without a unit":     {"delay: 24h", "delay: 24", []string{"acme.yaml:12: sending.delay: want a duration such as 90m, 24h or 30d"}},
		"a negative duration":           {"delay: 24h", "delay: -24h", []string{"acme.yaml:12: sending.delay: want a duration such as 90m, 24h or 30d"}},
		"a duration that must not be 0": {"delay: 24h", "max_age: 0", []string{"acme.yaml:12: sending.max_age: must be longer than 0"}},
		"a time of day":                 {"delay: 24h", "window: {days: mon-fri, from: 10, to: \"17:00\"}", []string{`acme.yaml:12: sending.window.from: want a time of day in quotes, such as "10:00"`}},
		"a window that closes early":    {"delay: 24h", "window:\n    from: \"18:00\"\n    to: \"17:00\"", []string{"acme.yaml:13: sending.window.from: must be before to"}},
		"a window of unknown days":      {"delay: 24h", `window: {days: mo-fr, from: "10:00", to: "17:00"}`, []string{`acme.yaml:12: sending.window: days: "mo-fr" is not a day; write mon-fri or [mon, wed, fri]`}},
		"a window that is a list":       {"delay: 24h", "window: [always]", []string{"acme.yaml:12: sending.window: want one of always, or the keys days, from, to; have a list"}},
		"a holiday that is no date":     {"delay: 24h", "holidays:\n    - 2026-12-29\n    - 2026-02-30", []string{"acme.yaml:14: sending.holidays[1]: want a date such as 2026-12-31"}},
		"an exclusion of nothing":       {"delay: 24h", "exclude: [{source: agent}, {}]", []string{"acme.yaml:12: sending.exclude[1]: write one of source: agent, type: internal, job: confidential"}},
		"an address that is none":       {"address: saiyo@acme.example.jp, ", "address: saiyo, ", []string{"acme.yaml:8: mail.from.address: want a mail address"}},
		"a required key":                {"  from: {address: saiyo@acme.example.jp, name: 採用}\n", "", []string{"acme.yaml:7: mail.from: required: the keys address, name"}},
		"a required section":            {"company: acme\nname: {ja: 株式会社アクメ}\n", "company: acme\n", []string{"acme.yaml:1: name: required: the keys ja, en"}},
		"a name in no language":         {"{ja: 株式会社アクメ}", "{}", []string{"acme.yaml:2: name: required: ja, en or both"}},
		"a language without texts":      {"connections:", "locale: fr\nconnections:", []string{`acme.yaml:3: locale: "fr" is not one of ja, en`}},
		"an unknown time zone":          {"connections:", "time_zone: Asia/Edo\nconnections:", []string{"acme.yaml:3: time_zone: want a time zone such as Asia/Tokyo"}},
		"the machine's own time zone":   {"connections:", "time_zone: Local\nconnections:", []string{"acme.yaml:3: time_zone: want a time zone such as Asia/Tokyo"}},
		"another company's name":        {"company: acme", "company: acne", []string{"acme.yaml:1: company: acne is not the name of the file, which is acme.yaml"}},
		"a connection's name":           {"  ats:", "  ATS 1:", []string{"acme.yaml:4: connections.ATS 1: want a name of a-z, 0-9 and -, at most 63 long"}},
		"a reserved connection":         {"  ats:", "  mail:", []string{"acme.yaml:4: connections.mail: mail is a reserved name"}},
		"a connection without vendor":   {"    vendor: generic\n", "", []string{"acme.yaml:4: connections.ats.vendor: required: a name of a-z, 0-9 and -, at most 63 long"}},
		"a connection that is text":     {"    vendor: generic\n    secrets: [env:HOOK]", "    generic", []string{"acme.yaml:5: connections.ats: want the keys vendor, connector, secrets, api_key, client_secret, refresh_token, token, password, signing_key, poll, events, map, table, quarantine, paused, silence; have text"}},
		"a literal secret":              {"[env:HOOK]", "[hunter2-hunter2]", []string{"acme.yaml:6: connections.ats.secrets[0]: want env:NAME or file:PATH; a secret itself never stands in this file"}},
		"a literal secret with an end":  {"[env:HOOK]", "[{value: hunter2, until: 2026-12-31}]", []string{"acme.yaml:6: connections.ats.secrets[0].value: want env:NAME or file:PATH; a secret itself never stands in this file"}},
		"an end that is no date":        {"[env:HOOK]", "[{value: env:HOOK, until: soon}]", []string{"acme.yaml:6: connections.ats.secrets[0].until: want a date such as 2026-12-31"}},
		"a literal secret further down": {"secrets: [env:HOOK]", "oauth: {app: {client_secret: hunter2}}", []string{
			"acme.yaml:6: connections.ats.oauth.app.client_secret: want env:NAME or file:PATH; a secret itself never stands in this file",
		}},
		"nothing for a vendor's key": {"secrets: [env:HOOK]", "base_url:", []string{"acme.yaml:6: connections.ats.base_url: nothing stands here; write a value or take the key away"}},
		"a vendor's key twice":       {"secrets: [env:HOOK]", "reasons: {a: company,\n      a: ignore}", []string{"acme.yaml:7: connections.ats.reasons.a: stands twice; the first is in line 6"}},
		"a missing variable": {"[env:HOOK]", "\n    - env:HOOK\n    - env:NOT_SET", []string{
			"acme.yaml:8: connections.ats.secrets[1]: the environment variable NOT_SET is not set",
		}},
		"an empty variable":     {"[env:HOOK]", "[env:EMPTY]", []string{"acme.yaml:6: connections.ats.secrets[0]: the environment variable EMPTY is not set"}},
		"a missing secret file": {"[env:HOOK]", "[file:keys/hook]", []string{"acme.yaml:6: connections.ats.secrets[0]: file:keys/hook: no such file or directory"}},
		"an empty secret file":  {"[env:HOOK]", "[file:empty]", []string{"acme.yaml:6: connections.ats.secrets[0]: file:empty: the file is empty"}},
		"a wrong rule of the company": {"secrets: [env:HOOK]", "secrets: [env:HOOK]\n    events:\n      - {whne: .body.x, ignore: true}", []string{
			"acme.yaml:8: connections.ats.events[0].whne: no such key; did you mean when?",
			"acme.yaml:8: connections.ats.events[0].when: required: text",
		}},
		"SendGrid without a key":        {"  sender:", "  transport: sendgrid\n  sender:", []string{"acme.yaml:7: mail.api_key: the environment variable SENDGRID_API_KEY is not set"}},
		"SMTP":                          {"  sender:", "  transport: smtp\n  sender:", []string{"acme.yaml:9: mail.transport: smtp comes in a later version; have mailbox, sendgrid"}},
		"a literal key":                 {"  sender:", "  api_key: SG.hunter2\n  sender:", []string{"acme.yaml:9: mail.api_key: want env:NAME or file:PATH; a secret itself never stands in this file"}},
		"no folder of templates":        {"  sender:", "  templates: letters/\n  sender:", []string{"acme.yaml:9: mail.templates: no such file or directory"}},
		"a folder somewhere else":       {"  sender:", "  templates: ../letters\n  sender:", []string{"acme.yaml:9: mail.templates: want a folder beside this file"}},
		"a recipient that nobody knows": {"[network]", "[network, agency]", []string{"acme.yaml:15: relay.recipients[1]: relay.yaml has no usable recipient agency"}},
		"a recipient twice":             {"[network]", "[network, network]", []string{"acme.yaml:15: relay.recipients[1]: network stands twice"}},
		"a link to nobody":              {"  recipients: [network]\n", "", []string{"acme.yaml:13: relay.recipients: required with mode link"}},
		"what stands behind a wrong item": {"[network]", "[The Network, nobody]", []string{
			"acme.yaml:15: relay.recipients[0]: want a name of a-z, 0-9 and -, at most 63 long",
			"acme.yaml:15: relay.recipients[1]: relay.yaml has no usable recipient nobody",
		}},
		"keeping for ever":       {"relay:", "retention: {mails: 0}\nrelay:", []string{"acme.yaml:13: retention.mails: must be longer than 0"}},
		"alerts to nobody":       {"relay:", "alerts: {}\nrelay:", []string{"acme.yaml:13: alerts.to: required: a mail address"}},
		"alerts to no channel":   {"relay:", "alerts: {to: ops@acme.example.jp, slack: env:HOOK}\nrelay:", []string{"acme.yaml:13: alerts.slack: want the https address of an incoming webhook"}},
		"a channel in the file":  {"relay:", "alerts: {to: ops@acme.example.jp, slack: \"https://hooks.example.jp/x\"}\nrelay:", []string{"acme.yaml:13: alerts.slack: want env:NAME or file:PATH; a secret itself never stands in this file"}},
		"a silence that is text": {"secrets: [env:HOOK]", "secrets: [env:HOOK]\n    silence: 10d", []string{"acme.yaml:7: connections.ats.silence: want a whole number, 0 or more"}},
		"a survey that is text":  {"relay:", "survey: yes\nrelay:", []string{"acme.yaml:13: survey: want the keys enabled, after; have text"}},
		"everything at once, in order": {"delay: 24h", "dealy: 24h\n  max_age: 0\nlocael: ja", []string{
			"acme.yaml:12: sending.dealy: no such key; did you mean delay?",
			"acme.yaml:13: sending.max_age: must be longer than 0",
			"acme.yaml:14: locael: no such key; did you mean locale?",
		}},
		"not YAML":                     {"sending:", "sending: [", []string{"acme.yaml:10: not YAML: did not find expected ',' or ']'"}},
		"a tab":                        {"  mode: live", "\tmode: live", []string{"acme.yaml:11: not YAML: found character that cannot start any token"}},
		"an anchor that is not":        {"delay: 24h", "delay: *later", []string{"acme.yaml:12: not YAML: unknown anchor 'later' referenced"}},
		"a second document":            {"relay:", "---\nrelay:", []string{"acme.yaml:13: a second document; one file holds one"}},
		"Shift_JIS":                    {"{ja: 株式会社アクメ}", "{ja: \x8a\x94}", []string{"acme.yaml:2: not UTF-8; save the file as UTF-8"}},
		"an empty file":                {"", "# nothing\n", []string{"acme.yaml: empty; careerrelay config init writes a new one"}},
		"a list":                       {"", "- company: acme\n", []string{"acme.yaml:1: want keys, have a list"}},
		"a file over the limit":        {"", "#" + strings.Repeat("x", 1<<20), []string{"acme.yaml: larger than 1 MiB"}},
		"a file nested too deeply":     {"", "x:\n  y: " + strings.Repeat("[", 60) + strings.Repeat("]", 60), []string{"acme.yaml:2: nested deeper than 50 levels"}},
		"more keys than anybody needs": {"", "x: [" + strings.Repeat("1, ", 2500) + "]", []string{"acme.yaml:1: more than 2000 keys or items side by side"}},
		"a control sign in a key":      {"delay: 24h", `"de\nlay": 24h`, []string{"acme.yaml:12: sending.de\uFFFDlay: no such key; did you mean delay?"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.set("EMPTY", "")
			f.write("empty", "\n")
			if tt.old != "" && !strings.Contains(acmeText, tt.old) {
				t.Fatalf("%q is not in the file", tt.old)
			}
			text := strings.Replace(acmeText, tt.old, tt.new, 1)
			if tt.old == "" {
				text = tt.new
			}
			f.write("acme.yaml", text)
			tenants := f.tenants()
			if diff := cmp.Diff(tt.want, f.status(tenants, "acme").Errors); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := tenants.Company("acme"); ats.FaultOf(err) != ats.NotFound {
				t.Errorf("got %v, want a broken company to be left out", err)
			}
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	f := newFolder(t)
	f.write("acme.yaml", acmeText+strings.Repeat("x: 1\n", 1000))
	errs := f.status(f.tenants(), "acme").Errors
	if len(errs) != 100 || errs[0] != "acme.yaml: more is wrong; this is where it begins" || !strings.HasPrefix(errs[1], "acme.yaml:16: x: no such key; ") {
		t.Errorf("got %d, the first: %q", len(errs), errs[:2])
	}
}
