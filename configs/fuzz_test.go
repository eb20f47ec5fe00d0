package configs_test

import (
	"os"
	"strings"
	"testing"

	"github.com/career-relay/connector/configs"
)

// Whatever stands in a file: it is refused with its name, or it is in force.
func FuzzCompanyFile(f *testing.F) {
	for _, name := range []string{"examples/acme.yaml", "examples/globex.yaml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range []string{
		acmeText, "", "a: &a [*a]", "? {a: b}\n: c", "company: !!binary YQ==", "<<: {a: b}", "a: 1\n---\nb: 2", "\xff", "company: acme\nconnections: {ats: {vendor: x, secrets: env:HOOK, a: {b: [~]}}}",
		strings.Replace(acmeText, "secrets: [env:HOOK]", "events: [{when: \"a\\nb\", ignore: true}]\n    x: !foo bar\n    y: 0x1F\n    z: [2026-01-01, .inf, ~]", 1),
		strings.Replace(acmeText, "delay: 24h", "window: {days: [mon], from: \"24:00\", to: \"0:00\"}\n  holidays: {also: []}", 1),
	} {
		f.Add(text)
	}
	dir := newFolder(f)
	dir.open.Validate = func(c *configs.Company) error {
		for _, conn := range c.Connections {
			var set settings
			if err := conn.Decode(&set); err != nil {
				return err
			}
		}
		return nil
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir.t = t
		dir.write("acme.yaml", text)
		tenants, err := configs.Open(dir.open)
		if err != nil {
			t.Fatal(err)
		}
		s := dir.status(tenants, "acme")
		c, err := tenants.Company("acme")
		if (err == nil) != (len(s.Errors) == 0) {
			t.Errorf("in force: %v, problems: %q", err == nil, s.Errors)
		}
		for _, e := range s.Errors {
			if !strings.HasPrefix(e, "acme.yaml:") || strings.Contains(e, "hook-secret-1") && !strings.Contains(text, "hook-secret-1") {
				t.Errorf("%q", e)
			}
		}
		if err != nil {
			return
		}
		c.Calendar().Open(dir.open.Now())
		if _, err := tenants.Effective("acme"); err != nil {
			t.Error(err)
		}
	})
}
