package configs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/access"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
	"github.com/career-relay/connector/rules/sending"
)

const newsletterText = `purpose: newsletter
version: "7"
ja: "{{company_name}}のメールを受け取ります。"
en: I want mail from {{company_name}}.
`

func TestDefaultsAreThoseOfTheRules(t *testing.T) {
	f := newFolder(t)
	before, _, _ := strings.Cut(acmeText, "sending:")
	f.write("acme.yaml", before)
	c, err := f.tenants().Company("acme")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sending.Defaults(), c.Sending, cmp.AllowUnexported(sending.Window{}, sending.Holidays{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("sending: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(credit.DefaultPolicy(), c.Relay.Policy); diff != "" {
		t.Errorf("policy: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(configs.DefaultRetention(), c.Retention); diff != "" {
		t.Errorf("retention: -want +got:\n%s", diff)
	}
	if c.Locale != "ja" || c.Zone().String() != "Asia/Tokyo" || c.Relay.Mode != configs.RelayOff || c.Survey.Enabled {
		t.Errorf("got %s, %s, %s, %t", c.Locale, c.Zone(), c.Relay.Mode, c.Survey.Enabled)
	}
	if first, again := c.Zone(), c.Zone(); first != again {
		t.Error("the time zone is read again for every mail")
	}
	// Tuesday noon in Tokyo, and Saturday.
	if cal := c.Calendar(); !cal.Open(time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)) || cal.Open(time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)) {
		t.Error("the calendar is not that of the company's zone")
	}
}

func TestSharedFiles(t *testing.T) {
	f := newFolder(t)
	f.write("texts/newsletter.yaml", newsletterText)
	tenants := f.tenants()
	s := tenants.Shared()
	want := configs.Operator{Name: relay.Names{JA: "運営者"}, Contact: "privacy@example.jp", Address: "東京都", Privacy: "https://example.jp/privacy"}
	if diff := cmp.Diff(want, s.Operator); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	r := s.Recipients["network"]
	if r.ID != "network" || r.Licence != "13-ユ-000000" || len(r.Secrets) != 1 || string(r.Secrets[0]) != "whsec_bmV0d29yay1uZXR3b3JrLW5ldHdvcmstbmV0d29yay0x" {
		t.Errorf("got %+v", r)
	}
	own, err := s.Texts.Find(consent.Newsletter, "ja")
	if err != nil || own.Version != "7" || own.Body != "{{company_name}}のメールを受け取ります。" {
		t.Errorf("got %+v and %v, want the folder's own text", own, err)
	}
	if _, err := s.Texts.Find(consent.RelayHandover, "en"); err != nil {
		t.Errorf("got %v, want the shipped text", err)
	}
	if got := tenants.SharedStatus(); len(got.Errors) != 0 || got.Hash == "" || got.AppliedAt.IsZero() {
		t.Errorf("got %+v", got)
	}
}

func TestWhoIsTold(t *testing.T) {
	f := newFolder(t)
	f.set("SLACK", "https://hooks.example.jp/services/T0/x")
	f.write("relay.yaml", sharedText+`    licence_until: 2027-03-31
alerts:
  to: duty@example.jp
  from: alerts@example.jp
  slack: env:SLACK
  webhook: {url: https://ops.example.jp/alerts, secrets: [env:NET]}
`)
	tenants := f.tenants()
	if errs := f.short(tenants.SharedStatus()).Errors; len(errs) > 0 {
		t.Fatal(errs)
	}
	d := tenants.Shared().Alerts
	if string(d.To) != "duty@example.jp" || string(d.From) != "alerts@example.jp" || string(d.Slack) != "https://hooks.example.jp/services/T0/x" || d.Locale != "ja" || !d.Certificate {
		t.Errorf("got %+v", d)
	}
	if d.Webhook == nil || d.Webhook.URL != "https://ops.example.jp/alerts" || string(d.Webhook.Secrets[0]) != "whsec_bmV0d29yay1uZXR3b3JrLW5ldHdvcmstbmV0d29yay0x" {
		t.Errorf("got %+v", d.Webhook)
	}
	if got := tenants.Shared().Recipients["network"].LicenceEnds().UTC(); !got.Equal(time.Date(2027, 3, 31, 15, 0, 0, 0, time.UTC)) {
		t.Errorf("the licence ends at %v", got)
	}
}

func TestShippedTextsAreComplete(t *testing.T) {
	f := newFolder(t)
	texts := f.tenants().Shared().Texts
	if err := texts.Validate(); err != nil {
		t.Error(err)
	}
	for _, p := range append(slices.Clone(consent.Purposes), consent.Statistics) {
		for _, locale := range []string{"ja", "en"} {
			text, err := texts.Find(p, locale)
			if err != nil {
				t.Fatal(err)
			}
			needs := map[consent.Purpose][]string{
				consent.RelayHandover:        {"{{recipient_name}}", "{{licence}}", "{{company_name}}"},
				consent.EmployerIntroduction: {"{{recipient_name}}"},
				consent.Newsletter:           {"{{company_name}}"},
				consent.TellCompany:          {"{{company_name}}"},
			}
			for _, variable := range needs[p] {
				if !strings.Contains(text.Body, variable) {
					t.Errorf("%s in %s does not say %s", p, locale, variable)
				}
			}
		}
	}
}

func TestMistakesInSharedFiles(t *testing.T) {
	tests := map[string]struct {
		file, old, new string
		want           []string
	}{
		"an unknown key":                    {"relay.yaml", "contact: privacy", "contcat: privacy", []string{"relay.yaml:3: operator.contcat: no such key; did you mean contact?", "relay.yaml:1: operator.contact: required: one line of text"}},
		"an operator without name":          {"relay.yaml", "{ja: 運営者}", "{}", []string{"relay.yaml:2: operator.name: required: ja, en or both"}},
		"a notice without https":            {"relay.yaml", "https://example.jp", "http://example.jp", []string{"relay.yaml:5: operator.privacy: want an address that begins with https://"}},
		"a hand-over in clear text":         {"relay.yaml", "url: https://network", "url: http://network", []string{"relay.yaml:9: recipients.network.url: want https://…, or http:// on this machine"}},
		"a literal secret":                  {"relay.yaml", "env:NET", "whsec_abc", []string{"relay.yaml:10: recipients.network.secrets[0]: want env:NAME or file:PATH; a secret itself never stands in this file"}},
		"a missing variable":                {"relay.yaml", "env:NET", "env:NONE", []string{"relay.yaml:10: recipients.network.secrets[0]: the environment variable NONE is not set"}},
		"no secret":                         {"relay.yaml", "[env:NET]", "[]", []string{"relay.yaml:10: recipients.network.secrets: required: at least one"}},
		"no licence":                        {"relay.yaml", "    licence: 13-ユ-000000\n", "", []string{"relay.yaml:7: recipients.network.licence: required: one line of text"}},
		"an unnamed recipient":              {"relay.yaml", "{ja: ネットワーク}", "{}", []string{"relay.yaml:8: recipients.network.name: required: ja, en or both"}},
		"a recipient's id":                  {"relay.yaml", "  network:", "  Network:", []string{"relay.yaml:7: recipients.Network: want a name of a-z, 0-9 and -, at most 63 long"}},
		"an unknown role":                   {"relay.yaml", "operator:\n", "access: {second_factor: [king]}\noperator:\n", []string{`relay.yaml:1: access.second_factor[0]: "king" is not one of recruiter, viewer, operator, admin`}},
		"a grant to a recruiter of nothing": {"relay.yaml", "operator:\n", "access: {console: \"https://ops.example.jp\", oidc: {issuer: \"https://login.example.jp\", client_id: c, grants: [{domain: acme.example.jp, role: recruiter}]}}\noperator:\n", []string{"relay.yaml:1: access.oidc.grants[0].company: required for a recruiter, who sees one company only"}},
		"a client secret in the open":       {"relay.yaml", "operator:\n", "access: {console: \"https://ops.example.jp\", oidc: {issuer: \"https://login.example.jp\", client_id: c, client_secret: x, grants: [{domain: acme.example.jp, role: viewer}]}}\noperator:\n", []string{"relay.yaml:1: access.oidc.client_secret: want env:NAME or file:PATH; a secret itself never stands in this file"}},
		"no way to sign in":                 {"relay.yaml", "operator:\n", "access: {oidc_only: true}\noperator:\n", []string{"relay.yaml:1: access.oidc_only: there is no oidc, so that nobody could sign in"}},
		"not YAML":                          {"relay.yaml", "operator:", "operator: [", []string{"relay.yaml:3: not YAML: did not find expected ',' or ']'"}},
		"an unknown purpose":                {"texts/newsletter.yaml", "purpose: newsletter", "purpose: letters", []string{`texts/newsletter.yaml:1: purpose: "letters" is not one of relay_handover, employer_introduction, newsletter, tell_company, statistics`}},
		"a purpose elsewhere":               {"texts/newsletter.yaml", "purpose: newsletter", "purpose: tell_company", []string{"texts/newsletter.yaml:1: purpose: tell_company belongs into tell_company.yaml"}},
		"a text without version":            {"texts/newsletter.yaml", "version: \"7\"\n", "", []string{"texts/newsletter.yaml:1: version: required: one line of text"}},
		"an unknown variable":               {"texts/newsletter.yaml", "from {{company_name}}", "from {{company}}", []string{"texts/newsletter.yaml:4: en: {{company}} is not a variable; have company_name, recipient_name, licence"}},
		"one language only":                 {"texts/newsletter.yaml", "en: I want mail from {{company_name}}.\n", "", []string{"texts/newsletter.yaml:1: en: required: text"}},
		"other words than shipped":          {"texts/newsletter.yaml", `"7"`, `"2026-11-01"`, []string{"texts/newsletter.yaml:3: ja: other words under the version 2026-11-01; give a changed text a new version", "texts/newsletter.yaml:4: en: other words under the version 2026-11-01; give a changed text a new version"}},
		"a licence without a day":           {"relay.yaml", "    licence: 13", "    licence_until: soon\n    licence: 13", []string{"relay.yaml:11: recipients.network.licence_until: want a date such as 2026-12-31"}},
		"alerts in clear text":              {"relay.yaml", "recipients:", "alerts: {webhook: {url: \"http://ops.example.jp\", secrets: [env:NET]}}\nrecipients:", []string{"relay.yaml:6: alerts.webhook.url: want https://…, or http:// on this machine"}},
		"an alert that is not signed":       {"relay.yaml", "recipients:", "alerts: {webhook: {url: \"https://ops.example.jp\"}}\nrecipients:", []string{"relay.yaml:6: alerts.webhook.secrets: required: a list"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			good := map[string]string{"relay.yaml": sharedText, "texts/newsletter.yaml": newsletterText}
			f := newFolder(t)
			for file, text := range good {
				f.write(file, text)
			}
			bad := strings.Replace(good[tt.file], tt.old, tt.new, 1)
			if bad == good[tt.file] {
				t.Fatalf("%q is not in %s", tt.old, tt.file)
			}
			// At a start what is good is taken, and a broken text is not
			// replaced by another one.
			f.write(tt.file, bad)
			f.write("acme.yaml", strings.NewReplacer("mode: link", `mode: "off"`, "  recipients: [network]\n", "").Replace(acmeText))
			tenants := f.tenants()
			got := f.short(tenants.SharedStatus()).Errors
			slices.Sort(got)
			want := slices.Sorted(slices.Values(tt.want))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := tenants.Company("acme"); err != nil {
				t.Errorf("got %v, want a company without recipients to stand", err)
			}
			if closed := !tenants.Shared().Access.Passwords(); closed != (strings.Contains(strings.Join(tt.want, ""), "access.") || name == "not YAML") {
				t.Errorf("passwords are refused: got %v", closed)
			}
			if tt.file != "relay.yaml" {
				if _, err := tenants.Shared().Texts.Find(consent.Newsletter, "ja"); err == nil {
					t.Error("a broken text was replaced by other words")
				}
			} else if len(tenants.Shared().Recipients) > 0 && strings.Contains(strings.Join(tt.want, ""), "recipients") {
				t.Error("a broken recipient was taken")
			}

			// While running, the last good ones stay.
			f.write(tt.file, good[tt.file])
			tenants.Reload()
			before := tenants.Shared()
			f.write(tt.file, bad)
			if changed := tenants.Reload(); len(changed) > 0 || tenants.Shared() != before {
				t.Errorf("got %v, want the last good ones to stay", changed)
			}
			got = f.short(tenants.SharedStatus()).Errors
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after a reload: -want +got:\n%s", diff)
			}
		})
	}
}

func TestBrokenRecipientLeavesTheOthers(t *testing.T) {
	f := newFolder(t)
	_, network, _ := strings.Cut(sharedText, "  network:\n")
	f.write("relay.yaml", sharedText+"  partner:\n"+strings.Replace(network, "env:NET", "env:NONE", 1))
	f.write("acme.yaml", acmeText)
	f.write("bcme.yaml", strings.Replace(named("bcme"), "[network]", "[partner]", 1))
	tenants := f.tenants()
	if _, err := tenants.Company("acme"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"bcme.yaml:15: relay.recipients[0]: relay.yaml has no usable recipient partner"}, f.status(tenants, "bcme").Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	f.set("NONE", "whsec_cGFydG5lci1wYXJ0bmVyLXBhcnRuZXItcGFydG5lci0x")
	if changed := tenants.Reload(); !slices.Equal(changed, []string{"relay", "bcme"}) {
		t.Errorf("got %v, want the company to follow the recipient", changed)
	}
}

func TestChangedWordsNeedANewVersion(t *testing.T) {
	f := newFolder(t)
	f.write("texts/newsletter.yaml", newsletterText)
	tenants := f.tenants()
	changed := strings.Replace(newsletterText, "受け取ります", "受け取りません", 1)
	f.write("texts/newsletter.yaml", changed)
	if got := tenants.Reload(); len(got) > 0 {
		t.Errorf("got %v, want the words that people saw", got)
	}
	want := []string{"texts/newsletter.yaml:3: ja: other words under the version 7; give a changed text a new version"}
	if diff := cmp.Diff(want, f.short(tenants.SharedStatus()).Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	f.write("texts/newsletter.yaml", strings.Replace(changed, `"7"`, `"8"`, 1))
	if got := tenants.Reload(); !slices.Equal(got, []string{"relay"}) {
		t.Errorf("got %v, want the new version", got)
	}
	if text, err := tenants.Shared().Texts.Find(consent.Newsletter, "ja"); err != nil || text.Version != "8" {
		t.Errorf("got %v and %v", text, err)
	}
}

func TestAccess(t *testing.T) {
	f := newFolder(t)
	f.write("relay.yaml", sharedText+`
access:
  console: https://ops.example.jp
  second_factor: [admin]
  oidc:
    issuer: https://login.example.jp
    client_id: console
    client_secret: env:NET
    grants:
      - {group: duty, role: operator}
`)
	got := f.tenants().Shared().Access
	hour := ats.Duration(time.Hour)
	want := access.Settings{
		Console: "https://ops.example.jp", SecondFactor: []access.Role{access.Admin}, Idle: 2 * hour, Session: 12 * hour,
		OIDC: &access.OIDC{Issuer: "https://login.example.jp", ClientID: "console", GroupsClaim: "groups", Grants: []access.Grant{{Group: "duty", Role: access.Operator}}},
	}
	if got.OIDC == nil || got.OIDC.ClientSecret == "" {
		t.Fatalf("no secret in %+v", got.OIDC)
	}
	got.OIDC.ClientSecret = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	f.write("relay.yaml", sharedText)
	if diff := cmp.Diff((access.Settings{}).Life(), f.tenants().Shared().Access.Life()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSharedFilesThatAreGoneStay(t *testing.T) {
	f := newFolder(t)
	f.write("texts/newsletter.yaml", newsletterText)
	f.write("acme.yaml", acmeText)
	tenants := f.tenants()
	before := tenants.Shared()
	f.remove("relay.yaml")
	f.remove("texts/newsletter.yaml")
	for range 3 {
		if changed := tenants.Reload(); len(changed) > 0 || tenants.Shared() != before {
			t.Errorf("got %v, want nothing to change", changed)
		}
	}
	want := []string{"relay.yaml: the file is gone; what was in it stays in force", "texts/newsletter.yaml: the file is gone; what was in it stays in force"}
	if diff := cmp.Diff(want, f.short(tenants.SharedStatus()).Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if errs := f.status(tenants, "acme").Errors; len(errs) > 0 {
		t.Errorf("got %q of a company", errs)
	}
}

func TestFolderWithoutSharedFiles(t *testing.T) {
	f := newFolder(t)
	f.remove("relay.yaml")
	f.write("acme.yaml", acmeText)
	tenants := f.tenants()
	if got := tenants.SharedStatus(); len(got.Errors) > 0 {
		t.Errorf("got %q", got.Errors)
	}
	if diff := cmp.Diff([]string{"acme.yaml:15: relay.recipients[0]: relay.yaml has no usable recipient network"}, f.status(tenants, "acme").Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := tenants.Shared().Texts.Validate(); err != nil {
		t.Error(err)
	}
}
