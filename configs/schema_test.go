package configs_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/mapping"
	"github.com/career-relay/connector/rules/sending"
)

// The schema that editors use lies beside the files.
func TestSchemaFile(t *testing.T) { atstest.Golden(t, "company.schema.json", configs.Schema()) }

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(configs.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("company.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("company.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance reads a YAML file as an editor does: dates are text there.
func instance(t *testing.T, text []byte) any {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		t.Fatal(err)
	}
	var dates func(n *yaml.Node)
	dates = func(n *yaml.Node) {
		if n.ShortTag() == "!!timestamp" {
			n.Tag = "!!str"
		}
		for _, c := range n.Content {
			dates(c)
		}
	}
	dates(&n)
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestShippedFilesFitTheSchemaAndLoad(t *testing.T) {
	initial, err := configs.Init("new-company")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []struct {
		folder fs.FS
		names  []string
	}{{os.DirFS("examples"), []string{"acme.yaml", "globex.yaml"}}, {configs.Demo(), []string{"acme.yaml", "doors.yaml", "globex.yaml"}}} {
		for _, name := range from.names {
			text, err := fs.ReadFile(from.folder, name)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema(t).Validate(instance(t, text)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := schema(t).Validate(instance(t, initial)); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"examples/acme.yaml", "examples/globex.yaml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("# yaml-language-server: $schema=../company.schema.json\n")) {
			t.Errorf("%s does not name the schema", name)
		}
	}

	f := newFolder(t)
	f.remove("relay.yaml")
	if err := os.CopyFS(f.dir, os.DirFS("examples")); err != nil {
		t.Fatal(err)
	}
	f.write("new-company.yaml", string(initial))
	f.open.Lookup = every
	loads(t, f, "acme", "globex", "new-company")

	shared, err := os.ReadFile("relay.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f.remove("relay.yaml") // the one beside the examples
	f.write("relay.yaml", string(shared))
	loads(t, f, "acme", "globex")
}

// every sets all variables.
func every(name string) (string, bool) {
	if strings.HasSuffix(name, "_URL") {
		return "http://127.0.0.1:8099/referrals", true
	}
	if strings.Contains(name, "NETWORK_SECRET") {
		return "whsec_bmV0d29yay1uZXR3b3JrLW5ldHdvcmstbmV0d29yay0x", true
	}
	return "value-of-" + name, true
}

// loads opens the folder and demands that these companies are good.
func loads(t *testing.T, f *folder, ids ...string) *configs.Tenants {
	t.Helper()
	tenants := f.tenants()
	if s := f.short(tenants.SharedStatus()); len(s.Errors) > 0 {
		t.Errorf("%q", s.Errors)
	}
	for _, s := range tenants.Status() {
		if s = f.short(s); len(s.Errors) > 0 {
			t.Errorf("%q", s.Errors)
		}
	}
	for _, id := range ids {
		c, err := tenants.Company(id)
		if err != nil {
			t.Fatal(err)
		}
		for name, conn := range c.Connections {
			open := all.Factories()[conn.Vendor]
			if open == nil {
				t.Fatalf("%s/%s: no vendor %s", id, name, conn.Vendor)
			}
			if _, err := open(connectors.Env{HTTP: http.DefaultClient, Log: f.open.Log, Now: f.open.Now, URL: "https://hooks.example.jp"}, conn.Decode); err != nil {
				t.Errorf("%s/%s: %v", id, name, err)
			}
		}
	}
	return tenants
}

func TestDemoSendsAtOnceIntoTheMailbox(t *testing.T) {
	f := newFolder(t)
	f.remove("relay.yaml")
	if err := os.CopyFS(f.dir, configs.Demo()); err != nil {
		t.Fatal(err)
	}
	f.open.Lookup = func(string) (string, bool) { return "", false } // every command can read it
	for _, name := range []string{
		"acme-greenhouse-secret", "acme-sheet-secret", "globex-lever-token", "globex-lever-key", "globex-campus-secret", "network-secret", "doors-secret", "doors-key",
	} {
		f.write("secrets/"+name, "whsec_ZGVtby1uZXR3b3JrLXNlY3JldC1mb3ItdGhpcy1wcm9jZXNz")
	}
	f.write("secrets/globex-lever-url", "http://127.0.0.1:8098/v1")
	f.write("secrets/network-url", "http://127.0.0.1:8099/referrals")
	tenants := loads(t, f, "acme", "doors", "globex")
	for _, c := range tenants.Companies() {
		s := c.Sending
		if s.Mode != sending.Live || s.Delay != 0 || !s.Window.Always() || c.Mail.Transport != "mailbox" || s.MaxAge.Std().Hours() < 24*365 {
			t.Errorf("%s: got %s, delay %s, window %v, %s, max_age %s", c.ID, s.Mode, s.Delay, s.Window, c.Mail.Transport, s.MaxAge)
		}
	}
	if got := tenants.Shared().Recipients["network"].URL; got != "http://127.0.0.1:8099/referrals" {
		t.Errorf("got the recipient's address %s", got)
	}
}

func TestInitLoadsOnceItsSecretsAreSet(t *testing.T) {
	for _, id := range []string{"initech", "new-company", "3m"} {
		text, err := configs.Init(id)
		if err != nil {
			t.Fatal(err)
		}
		f := newFolder(t)
		f.write(id+".yaml", string(text))
		tenants := f.tenants()
		errs := f.status(tenants, id).Errors
		if len(errs) != 1 {
			t.Fatalf("%s: got %q, want one missing variable", id, errs)
		}
		m := regexp.MustCompile(`^` + id + `\.yaml:\d+: connections\.ats\.secrets\[0\]: the environment variable (\w+) is not set$`).FindStringSubmatch(errs[0])
		if m == nil {
			t.Fatalf("%s: got %q, want a missing variable", id, errs)
		}
		f.set(m[1], "hook-secret-1")
		if changed := tenants.Reload(); !slices.Equal(changed, []string{id}) {
			t.Errorf("%s: %q", id, f.status(tenants, id).Errors)
		}
		c, err := tenants.Company(id)
		if err != nil {
			t.Fatal(err)
		}
		if c.Sending.Mode != sending.DryRun || c.Relay.Mode != configs.RelayOff {
			t.Errorf("%s: a new company is %s and %s", id, c.Sending.Mode, c.Relay.Mode)
		}
	}
	for _, id := range []string{"", "Acme", "a b", "../x", "mail", "relay", strings.Repeat("a", 64)} {
		if _, err := configs.Init(id); err == nil {
			t.Errorf("%q names a company", id)
		}
	}
}

// What the comments of a new file show must be true as well.
func TestInitShowsKeysThatExist(t *testing.T) {
	text, err := configs.Init("initech")
	if err != nil {
		t.Fatal(err)
	}
	commented := regexp.MustCompile(`(?m)^( *)# ([a-z_]+: .*)$`)
	if len(commented.FindAll(text, -1)) < 8 {
		t.Fatal("the file shows nothing in comments")
	}
	f := newFolder(t)
	f.set("INITECH_ATS_SECRET", "x")
	f.set("INITECH_SENDGRID_KEY", "x")
	f.write("initech/.keep", "")
	f.write("initech.yaml", commented.ReplaceAllString(string(text), "$1$2"))
	tenants := f.tenants()
	for _, e := range f.status(tenants, "initech").Errors {
		if !strings.Contains(e, ": mail.event_key: ") { // the key in the comment is cut short
			t.Error(e)
		}
	}
}

// Every key of the settings types stands in the schema, and the other way round.
func TestSchemaKnowsEveryKey(t *testing.T) {
	var doc map[string]any
	if err := json.Unmarshal(configs.Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	inSchema := map[string]bool{}
	var walk func(s map[string]any, path string)
	walk = func(s map[string]any, path string) {
		for _, one := range append(list(s["anyOf"]), s["items"], s["additionalProperties"]) {
			if below, ok := one.(map[string]any); ok {
				walk(below, path)
			}
		}
		properties, _ := s["properties"].(map[string]any)
		for key, below := range properties {
			inSchema[path+"."+key] = true
			walk(below.(map[string]any), path+"."+key)
		}
	}
	walk(doc, "")

	inTypes := map[string]bool{}
	var keys func(n *yaml.Node, path string)
	keys = func(n *yaml.Node, path string) {
		switch n.Kind {
		case yaml.MappingNode:
			for pair := range slices.Chunk(n.Content, 2) {
				inTypes[path+"."+pair[0].Value] = true
				keys(pair[1], path+"."+pair[0].Value)
			}
		default:
			for _, c := range n.Content {
				keys(c, path)
			}
		}
	}
	c := configs.Company{}
	c.Sending.Exclude = []sending.Exclude{{}}
	inTypes[".connections"] = true
	for _, part := range []struct {
		v    any
		path string
	}{{c, ""}, {configs.Connection{}, ".connections"}, {mapping.Rule{}, ".connections.events"}} {
		b, err := yaml.Marshal(part.v)
		if err != nil {
			t.Fatal(err)
		}
		var n yaml.Node
		if err := yaml.Unmarshal(b, &n); err != nil {
			t.Fatal(err)
		}
		keys(&n, part.path)
	}
	for key := range inTypes {
		if !inSchema[key] {
			t.Errorf("%s is read, but not in the schema", key)
		}
	}
	for key := range inSchema {
		if !inTypes[key] && !strings.HasPrefix(key, ".connections.") { // the rest of a connection is its vendor's
			t.Errorf("%s is in the schema, but not read", key)
		}
	}
	if len(inTypes) < 50 {
		t.Errorf("only %d keys", len(inTypes))
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// The schema refuses what the loader refuses for its shape.
func TestSchemaRefusesWhatTheLoaderRefuses(t *testing.T) {
	s := schema(t)
	if err := s.Validate(instance(t, []byte(acmeText))); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"an unknown key":  {"delay: 24h", "dealy: 24h"},
		"a wrong word":    {"mode: live", "mode: life"},
		"a later word":    {"mode: link", "mode: handover"},
		"a duration":      {"delay: 24h", "delay: 24"},
		"a literal key":   {"[env:HOOK]", "[hunter2]"},
		"a required key":  {"company: acme\n", ""},
		"a wrong address": {"address: saiyo@acme.example.jp", "address: saiyo"},
		"a wrong window":  {"delay: 24h", "window: sometimes"},
		"a wrong id":      {"company: acme", "company: Acme"},
		"no time zone":    {"company: acme", "company: acme\ntime_zone: Tokyo"},
	} {
		f := newFolder(t)
		text := strings.Replace(acmeText, change[0], change[1], 1)
		if err := s.Validate(instance(t, []byte(text))); err == nil {
			t.Errorf("the schema lets %s pass", name)
		}
		f.write("acme.yaml", text)
		if len(f.status(f.tenants(), "acme").Errors) == 0 {
			t.Errorf("the loader lets %s pass", name)
		}
	}
}
