package configs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/mapping"
)

// settings are what a vendor with code may want.
type settings struct {
	spec.Settings `yaml:",inline"`

	APIKey  connectors.Secret `yaml:"api_key"`
	APIURL  string            `yaml:"api_url"`
	BaseURL string            `yaml:"base_url"`
	Timeout ats.Duration      `yaml:"timeout"`
	Pages   int               `yaml:"pages"`
	Strict  bool              `yaml:"strict"`
	Reasons map[string]string `yaml:"reasons"`
}

// connection loads a company whose only connection has these keys.
func connection(t *testing.T, keys string) (*folder, configs.Connection) {
	t.Helper()
	f := newFolder(t)
	f.set("KEY", "12345678901234567890")
	f.write("hook", "füür-secret\n")
	f.write("acme.yaml", strings.Replace(acmeText, "    vendor: generic\n    secrets: [env:HOOK]\n", keys, 1))
	tenants := f.tenants()
	c, err := tenants.Company("acme")
	if err != nil {
		t.Fatalf("%v: %q", err, f.status(tenants, "acme").Errors)
	}
	return f, c.Connections["ats"]
}

func TestConnectionFillsTheVendorsSettings(t *testing.T) {
	_, c := connection(t, `    vendor: lever
    secrets: [env:HOOK, {value: file:hook, from: 2026-01-01, until: 2026-12-31, for: hired}]
    api_key: env:KEY
    base_url: env:KEY
    timeout: 30s
    pages: 3
    strict: true
    reasons: {Comp: company, "はい": candidate}
    quarantine: 0
    poll: {every: 5m}
    paused: true
    silence: 0
    map: {candidate.email: .body.mail}
    events:
      - when: |
          .body.kind
            == "x"
        ignore: true
`)
	var got settings
	if err := c.Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := settings{
		Settings: spec.Settings{
			Vendor: "lever",
			Secrets: []connectors.Secret{
				{Value: "hook-secret-1"},
				{Value: "füür-secret", NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), For: "hired"},
			},
			Map:    map[string]string{"candidate.email": ".body.mail"},
			Events: []mapping.Rule{{When: ".body.kind\n  == \"x\"\n", Ignore: true}},
		},
		APIKey: connectors.Secret{Value: "12345678901234567890"}, BaseURL: "12345678901234567890",
		Timeout: ats.Duration(30 * time.Second), Pages: 3, Strict: true,
		Reasons: map[string]string{"Comp": "company", "はい": "candidate"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(table.Preset{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if c.Vendor != "lever" || c.Quarantine != 0 || !c.Paused || c.Silence != 0 || c.Poll.Every.Std() != 5*time.Minute {
		t.Errorf("got %s, quarantine %s, paused %t, poll %s", c.Vendor, c.Quarantine, c.Paused, c.Poll.Every)
	}
}

func TestConnectionHasDefaults(t *testing.T) {
	_, c := connection(t, "    vendor: generic\n    secrets: [env:HOOK]\n")
	if c.Quarantine.Std() != 72*time.Hour || c.Paused || c.Silence != 10 || c.Poll.Every.Std() != 15*time.Minute {
		t.Errorf("got quarantine %s, paused %t, poll %s", c.Quarantine, c.Paused, c.Poll.Every)
	}
	var lean struct {
		Secrets []connectors.Secret `yaml:"secrets"`
	}
	if err := c.Decode(&lean); err != nil || len(lean.Secrets) != 1 {
		t.Errorf("got %d secrets and %v, want the keys of configs taken off", len(lean.Secrets), err)
	}
	var none settings
	if err := (configs.Connection{Vendor: "generic"}).Decode(&none); err != nil {
		t.Errorf("a connection without a file: %v", err)
	}
}

func TestConnectionIsStrict(t *testing.T) {
	tests := map[string]struct {
		keys string
		want []string
	}{
		"unknown keys, in block and flow style": {"    vendor: lever\n    secrts: [env:HOOK]\n    reasons: {\n      Comp: company}\n    api_kye: 1\n", []string{
			"acme.yaml:6: connections.ats.secrts: no such key; did you mean secrets?",
			"acme.yaml:9: connections.ats.api_kye: no such key; did you mean api_key?",
		}},
		"a key of configs itself": {"    vendor: lever\n    quarantin: 24h\n", []string{
			"acme.yaml:6: connections.ats.quarantin: no such key; did you mean quarantine?",
		}},
		"wrong types": {"    vendor: lever\n    pages: many\n    strict: 3\n    base_url: {a: b}\n    reasons:\n      - a\n", []string{
			"acme.yaml:6: connections.ats.pages: want a number; have text",
			"acme.yaml:7: connections.ats.strict: want true or false; have a number",
			"acme.yaml:8: connections.ats.base_url: want text; have keys",
			"acme.yaml:10: connections.ats.reasons: want keys with their values; have a list",
		}},
		"what a type of the vendor's refuses": {"    vendor: lever\n    pages: 1\n    timeout: soon\n    basee_url: x\n", []string{
			`acme.yaml:7: connections.ats.timeout: "soon" is not a duration; write 90m, 24h or 30d`,
			"acme.yaml:8: connections.ats.basee_url: no such key; did you mean base_url?",
		}},
		"a secret where none can stand": {"    vendor: lever\n    pages: env:KEY\n    timeout: env:HOOK\n", []string{
			"acme.yaml:6: connections.ats.pages: want a number; have text",
			`acme.yaml:7: connections.ats.timeout: "[secret]" is not a duration; write 90m, 24h or 30d`,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, c := connection(t, tt.keys)
			var got settings
			err := c.Decode(&got)
			if ats.FaultOf(err) != ats.Invalid {
				t.Fatalf("got %v, want ats.Invalid", err)
			}
			if diff := cmp.Diff(tt.want, strings.Split(strings.ReplaceAll(err.Error(), f.dir+"/", ""), "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestValidateReportsConnections(t *testing.T) {
	f := newFolder(t)
	f.open.Validate = func(c *configs.Company) error {
		var errs []error
		for name, conn := range c.Connections {
			var set settings
			if err := conn.Decode(&set); err != nil {
				errs = append(errs, fmt.Errorf("connections.%s: %w", name, err))
				continue
			}
			err := errors.Join(errors.New("secrets: required"), errors.New("vendor: no longer served"))
			errs = append(errs, fmt.Errorf("connections.%s: %w", name, ats.Errorf(ats.Invalid, "%w", err)))
		}
		return errors.Join(append(errs, errors.New("no letters today"))...)
	}
	f.write("acme.yaml", strings.Replace(acmeText, "    secrets: [env:HOOK]\n", "    pages: 1\n", 1))
	f.write("bcme.yaml", strings.Replace(strings.Replace(acmeText, "acme", "bcme", 1), "secrets:", "secrts:", 1))
	tenants := f.tenants()
	want := []string{
		"acme.yaml: no letters today",
		"acme.yaml:4: connections.ats: secrets: required",
		"acme.yaml:5: connections.ats: vendor: no longer served",
	}
	if diff := cmp.Diff(want, f.status(tenants, "acme").Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want = []string{"bcme.yaml: no letters today", "bcme.yaml:6: connections.ats.secrts: no such key; did you mean secrets?"}
	if diff := cmp.Diff(want, f.status(tenants, "bcme").Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
