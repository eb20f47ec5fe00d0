package configs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
)

// named is acmeText for another company.
func named(id string) string { return strings.Replace(acmeText, "company: acme", "company: "+id, 1) }

func TestReload(t *testing.T) {
	tests := map[string]struct {
		env         map[string]string
		change      func(f *folder)
		wantChanged []string
		wantErrors  []string // of acme
		wantDelay   time.Duration
	}{
		"nothing": {change: func(*folder) {}, wantDelay: 24 * time.Hour},
		"a file written anew with the same content": {
			change:    func(f *folder) { f.write("acme.yaml", acmeText) },
			wantDelay: 24 * time.Hour,
		},
		"a good change": {
			change:      func(f *folder) { f.write("acme.yaml", strings.Replace(acmeText, "delay: 24h", "delay: 2h", 1)) },
			wantChanged: []string{"acme"}, wantDelay: 2 * time.Hour,
		},
		"a bad change keeps the last good one": {
			change:     func(f *folder) { f.write("acme.yaml", strings.Replace(acmeText, "delay: 24h", "dealy: 2h", 1)) },
			wantErrors: []string{"acme.yaml:12: sending.dealy: no such key; did you mean delay?"}, wantDelay: 24 * time.Hour,
		},
		"half a file keeps the last good one": {
			change:     func(f *folder) { f.write("acme.yaml", "company: [ac") },
			wantErrors: []string{"acme.yaml:1: not YAML: did not find expected ',' or ']'"}, wantDelay: 24 * time.Hour,
		},
		"a variable that goes away": {
			change:     func(f *folder) { f.set("HOOK", "") },
			wantErrors: []string{"acme.yaml:6: connections.ats.secrets[0]: the environment variable HOOK is not set"}, wantDelay: 24 * time.Hour,
		},
		"a secret that is replaced": {
			change:      func(f *folder) { f.set("HOOK", "hook-secret-2") },
			wantChanged: []string{"acme", "bcme"}, wantDelay: 24 * time.Hour,
		},
		"a file that is gone for a moment": {
			change:     func(f *folder) { f.remove("acme.yaml") },
			wantErrors: []string{"acme.yaml: the file is gone; the company is removed if it is still gone at the next reload"}, wantDelay: 24 * time.Hour,
		},
		"a new company": {
			change:      func(f *folder) { f.write("ccme.yaml", named("ccme")) },
			wantChanged: []string{"ccme"}, wantDelay: 24 * time.Hour,
		},
		"a new company that is broken": {
			change:    func(f *folder) { f.write("ccme.yaml", named("dcme")) },
			wantDelay: 24 * time.Hour,
		},
		"another file and another folder": {
			change: func(f *folder) {
				f.write("README.md", "x")
				f.write(".acme.yaml.swp", "x")
				f.write("old/zcme.yaml", named("zcme"))
			},
			wantDelay: 24 * time.Hour,
		},
		"other shared files": {
			change:      func(f *folder) { f.write("relay.yaml", strings.Replace(sharedText, "運営者", "別の運営者", 1)) },
			wantChanged: []string{"relay"}, wantDelay: 24 * time.Hour,
		},
		"a recipient that goes away": {
			change:      func(f *folder) { f.write("relay.yaml", strings.Replace(sharedText, "  network:", "  partner:", 1)) },
			wantChanged: []string{"relay"},
			wantErrors:  []string{"acme.yaml:15: relay.recipients[0]: relay.yaml has no usable recipient network"}, wantDelay: 24 * time.Hour,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.write("acme.yaml", acmeText)
			f.write("bcme.yaml", named("bcme"))
			tenants := f.tenants()
			other, err := tenants.Company("bcme")
			if err != nil {
				t.Fatal(err)
			}
			before := tenants.Generation()
			tt.change(f)
			changed := tenants.Reload()
			if diff := cmp.Diff(tt.wantChanged, changed); diff != "" {
				t.Errorf("changed: -want +got:\n%s", diff)
			}
			if got := tenants.Generation() - before; got != len(changed) {
				t.Errorf("the generation moved by %d, want one for each of %v", got, changed)
			}
			if diff := cmp.Diff(tt.wantErrors, f.status(tenants, "acme").Errors); diff != "" {
				t.Errorf("errors: -want +got:\n%s", diff)
			}
			c, err := tenants.Company("acme")
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Sending.Delay.Std(); got != tt.wantDelay {
				t.Errorf("got the delay %s, want %s", got, tt.wantDelay)
			}
			if now, _ := tenants.Company("bcme"); now != other && !slices.Contains(changed, "bcme") {
				t.Error("another company was touched")
			}
			if again := tenants.Reload(); len(again) > 0 && !slices.Contains(tt.wantErrors, "acme.yaml: the file is gone; the company is removed if it is still gone at the next reload") {
				t.Errorf("a second reload changed %v", again)
			}
		})
	}
}

func TestDeletedFileRemovesTheCompanyAtTheSecondReload(t *testing.T) {
	f := newFolder(t)
	f.write("acme.yaml", acmeText)
	f.write("bcme.yaml", named("bcme"))
	tenants := f.tenants()

	f.remove("acme.yaml")
	tenants.Reload()
	f.write("acme.yaml", acmeText) // it was only being replaced
	if changed := tenants.Reload(); len(changed) > 0 || len(f.status(tenants, "acme").Errors) > 0 {
		t.Errorf("got %v and %v, want nothing of a file that came back", changed, f.status(tenants, "acme").Errors)
	}

	f.remove("acme.yaml")
	if changed := tenants.Reload(); len(changed) > 0 {
		t.Errorf("got %v at the first reload, want patience", changed)
	}
	if changed := tenants.Reload(); !slices.Equal(changed, []string{"acme"}) {
		t.Errorf("got %v at the second reload, want acme", changed)
	}
	if _, err := tenants.Company("acme"); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("got %v, want acme to be gone", err)
	}
	if s := tenants.Status(); len(s) != 1 || s[0].Company != "bcme" {
		t.Errorf("got the status %v, want bcme's only", s)
	}
	if list := tenants.Companies(); len(list) != 1 || list[0].ID != "bcme" {
		t.Errorf("got %d companies, want bcme", len(list))
	}
}

func TestBrokenContentThatIsTakenBackChangesNothing(t *testing.T) {
	f := newFolder(t)
	f.write("acme.yaml", acmeText)
	tenants := f.tenants()
	good, _ := tenants.Company("acme")
	f.write("acme.yaml", "nothing: good\n")
	tenants.Reload()
	f.write("acme.yaml", acmeText)
	changed := tenants.Reload()
	now, _ := tenants.Company("acme")
	if len(changed) > 0 || now != good || len(f.status(tenants, "acme").Errors) > 0 {
		t.Errorf("changed %v, errors %v, same %t", changed, f.status(tenants, "acme").Errors, now == good)
	}
}

func TestStatusTellsWhatIsInForce(t *testing.T) {
	f := newFolder(t)
	f.write("acme.yaml", acmeText)
	f.write("bcme.yaml", "x: 1\n"+named("bcme"))
	f.write("ccme.yml", named("ccme"))
	tenants := f.tenants()
	var got []configs.Status
	for _, s := range tenants.Status() {
		s = f.short(s)
		got = append(got, s)
	}
	want := []configs.Status{
		{Company: "acme", File: "acme.yaml", Hash: got[0].Hash, AppliedAt: f.open.Now(), Generation: 2},
		{Company: "bcme", File: "bcme.yaml", Errors: []string{"bcme.yaml:1: x: no such key; have company, name, locale, time_zone, connections, mail, sending, relay, survey, retention, alerts"}},
		{Company: "ccme.yml", File: "ccme.yml", Errors: []string{"ccme.yml: rename it to ccme.yaml; this file is not read"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	hash := got[0].Hash
	f.set("HOOK", "hook-secret-2")
	tenants.Reload()
	if s := f.status(tenants, "acme"); s.Hash != hash {
		t.Error("the hash tells secrets apart, so it could be used to guess them")
	}
	if diff := cmp.Diff([]configs.Change{{}}, f.status(tenants, "acme").Changes); diff != "" {
		t.Errorf("a secret changed (-want +got):\n%s", diff)
	}
	changed := strings.Replace(acmeText, "delay: 24h", "delay: 2h", 1) + "survey: {enabled: true}\n"
	f.write("acme.yaml", changed)
	tenants.Reload()
	s := f.status(tenants, "acme")
	want2 := []configs.Change{{Key: "sending.delay", Before: "24h", After: "2h"}, {Key: "survey.enabled", Before: "false", After: "true"}}
	if diff := cmp.Diff(want2, s.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if s.Generation != tenants.Generation() {
		t.Errorf("generation: got %d, want %d", s.Generation, tenants.Generation())
	}
	if b, err := json.Marshal(tenants.Status()[0]); err != nil || !strings.Contains(string(b), `"errors":[]`) {
		t.Errorf("got %s and %v, want an empty list of errors", b, err)
	}
}

func TestOnlyABrokenFolderIsAnError(t *testing.T) {
	f := newFolder(t)
	f.open.Dir = filepath.Join(f.dir, "nowhere")
	if _, err := configs.Open(f.open); !errors.Is(err, fs.ErrNotExist) || ats.FaultOf(err) != ats.Invalid {
		t.Errorf("got %v, want a missing folder", err)
	}
	f.open.Dir = f.dir
	f.write("acme.yaml", acmeText)
	tenants := f.tenants()
	if err := os.RemoveAll(f.dir); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if changed := tenants.Reload(); len(changed) > 0 {
			t.Errorf("got %v, want a folder that is away to change nothing", changed)
		}
	}
	if errs := tenants.SharedStatus().Errors; !slices.Equal(errs, []string{f.dir + ": no such file or directory; what was read before stays in force"}) {
		t.Errorf("got %q", errs)
	}
	if _, err := tenants.Company("acme"); err != nil {
		t.Error(err)
	}
	f.write("relay.yaml", sharedText)
	f.write("acme.yaml", acmeText)
	if changed := tenants.Reload(); len(changed) > 0 || len(tenants.SharedStatus().Errors) > 0 {
		t.Errorf("got %v and %q of a folder that is back", changed, tenants.SharedStatus().Errors)
	}
}

func TestTemplatesBelongToTheCompany(t *testing.T) {
	f := newFolder(t)
	f.write("acme.yaml", strings.Replace(acmeText, "  sender:", "  templates: acme/\n  sender:", 1))
	f.write("acme/thank_you.ja.txt", "first")
	f.write("acme/.hidden", "x")
	tenants := f.tenants()
	c, err := tenants.Company("acme")
	if err != nil {
		t.Fatal(f.status(tenants, "acme").Errors)
	}
	f.write("acme/thank_you.ja.txt", "second")
	if b, err := fs.ReadFile(c.Templates, "thank_you.ja.txt"); string(b) != "first" {
		t.Errorf("got %q and %v, want what was in force", b, err)
	}
	if list, err := fs.ReadDir(c.Templates, "."); len(list) != 1 {
		t.Errorf("got %v and %v, want one file", list, err)
	}
	if changed := tenants.Reload(); !slices.Equal(changed, []string{"acme"}) {
		t.Errorf("got %v, want the company to be replaced with its templates", changed)
	}
	c, _ = tenants.Company("acme")
	if b, _ := fs.ReadFile(c.Templates, "thank_you.ja.txt"); string(b) != "second" {
		t.Errorf("got %q, want the new text", b)
	}
	f.write("acme/big.txt", strings.Repeat("x", 1<<20+1))
	tenants.Reload()
	want := []string{"acme.yaml:9: mail.templates: big.txt: larger than 1 MiB"}
	if diff := cmp.Diff(want, f.status(tenants, "acme").Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestConnectorOfTheCompanysOwn(t *testing.T) {
	f := newFolder(t)
	f.write("acme.yaml", strings.Replace(acmeText, "vendor: generic", "vendor: homegrown\n    connector: acme/homegrown", 1))
	f.write("acme/homegrown/connector.yaml", "vendor: homegrown\n")
	tenants := f.tenants()
	c, err := tenants.Company("acme")
	if err != nil {
		t.Fatal(f.status(tenants, "acme").Errors)
	}
	if b, err := fs.ReadFile(c.Connections["ats"].Own, "connector.yaml"); string(b) != "vendor: homegrown\n" {
		t.Errorf("got %q and %v", b, err)
	}
	var set settings
	if err := c.Connections["ats"].Decode(&set); err != nil {
		t.Error(err)
	}
	f.write("acme/homegrown/connector.yaml", "vendor: homegrown # changed\n")
	if changed := tenants.Reload(); !slices.Equal(changed, []string{"acme"}) {
		t.Errorf("got %v, want the company to follow its connector", changed)
	}
	if err := os.RemoveAll(filepath.Join(f.dir, "acme")); err != nil {
		t.Fatal(err)
	}
	tenants.Reload()
	want := []string{"acme.yaml:6: connections.ats.connector: no such file or directory"}
	if diff := cmp.Diff(want, f.status(tenants, "acme").Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := tenants.Company("acme"); err != nil {
		t.Error(err)
	}
}

func TestMailTransportFollowsTheKeys(t *testing.T) {
	tests := map[string]struct {
		keys      string
		global    string
		transport string
		key       string
	}{
		"no key":              {"", "", "mailbox", ""},
		"the common key":      {"", "SG.common", "sendgrid", "SG.common"},
		"a key of its own":    {"  api_key: env:OWN\n", "SG.common", "sendgrid", "SG.own"},
		"mailbox in any case": {"  transport: mailbox\n", "SG.common", "mailbox", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.set("OWN", "SG.own")
			if tt.global != "" {
				f.set("SENDGRID_API_KEY", tt.global)
			}
			f.write("acme.yaml", strings.Replace(acmeText, "  sender:", tt.keys+"  sender:", 1))
			c, err := f.tenants().Company("acme")
			if err != nil {
				t.Fatal(err)
			}
			if c.Mail.Transport != tt.transport || string(c.Mail.APIKey) != tt.key {
				t.Errorf("got %s with %q, want %s with %q", c.Mail.Transport, string(c.Mail.APIKey), tt.transport, tt.key)
			}
		})
	}
}

func TestEffectiveTellsWhereValuesComeFrom(t *testing.T) {
	f := newFolder(t)
	f.set("SENDGRID_API_KEY", "SG.common")
	f.write("acme.yaml", strings.Replace(acmeText, "[env:HOOK]", "[env:HOOK, {value: env:NET, until: 2026-12-31}]\n    reasons: {a: company}", 1))
	tenants := f.tenants()
	values, err := tenants.Effective("acme")
	if err != nil {
		t.Fatal(f.status(tenants, "acme").Errors)
	}
	got := map[string]string{}
	for _, v := range values {
		if _, twice := got[v.Key]; twice {
			t.Errorf("%s stands twice", v.Key)
		}
		got[v.Key] = v.Value + " | " + strings.ReplaceAll(v.From, f.dir+"/", "")
	}
	for key, want := range map[string]string{
		"company":                    "acme | acme.yaml:1",
		"locale":                     "ja | default",
		"connections.ats.secrets":    "[[secret], {value: [secret], until: 2026-12-31}] | acme.yaml:6, env:HOOK, env:NET",
		"connections.ats.reasons.a":  "company | acme.yaml:7",
		"connections.ats.quarantine": "72h | default",
		"mail.transport":             "sendgrid | default",
		"mail.api_key":               "[secret] | environment SENDGRID_API_KEY",
		"mail.reply_to":              "saiyo@acme.example.jp | default",
		"sending.delay":              "24h | acme.yaml:13",
		"sending.window.days":        "mon-fri | default",
		"sending.exclude":            "[{source: agent}, {type: internal}, {job: confidential}] | default",
		"relay.policy.reversal":      "keep | default",
		"retention.candidates":       "180d | default",
	} {
		if got[key] != want {
			t.Errorf("%s: got %q, want %q", key, got[key], want)
		}
	}
	if _, err := tenants.Effective("nobody"); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("got %v, want ats.NotFound", err)
	}
}

// The secrets of the folder must not be in anything that is shown or logged.
func TestSecretsStayHidden(t *testing.T) {
	const hook, key = "hook-s3cret-value", "SG.s3cret-value"
	f := newFolder(t)
	f.set("HOOK", hook)
	f.set("SENDGRID_API_KEY", key)
	var log bytes.Buffer
	f.open.Log = slog.New(slog.NewTextHandler(&log, nil))
	f.open.Validate = func(c *configs.Company) error {
		var set settings
		if err := c.Connections["ats"].Decode(&set); err != nil {
			return err
		}
		return fmt.Errorf("connections.ats: %s does not work", set.Secrets[0].Value)
	}
	f.write("acme.yaml", acmeText)
	f.write("bcme.yaml", strings.Replace(named("bcme"), "    vendor: generic\n", "    vendor: generic\n    pages: env:HOOK\n", 1))
	tenants := f.tenants()
	f.open.Validate = nil
	good := f.tenants()
	values, _ := good.Effective("acme")
	c, err := good.Company("acme")
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprint(log.String(), tenants.Status(), values) + fmt.Sprintf("%v %+v %#v %+v %+v", c, *c, c.Connections, good.Shared(), c.Mail)
	b, err := json.Marshal(struct{ C, S any }{c, good.Shared()})
	if err != nil {
		t.Fatal(err)
	}
	shown += string(b)
	for _, s := range []string{hook, key, "bmV0d29yay1uZXR3"} {
		if strings.Contains(shown, s) {
			t.Errorf("%s is shown in:\n%s", s, shown)
		}
	}
	if !strings.Contains(shown, "[secret] does not work") || !strings.Contains(log.String(), "company file refused") {
		t.Errorf("the tests saw nothing:\n%s", shown)
	}
}

func TestWatchReloadsUntilItIsStopped(t *testing.T) {
	f := newFolder(t)
	f.write("acme.yaml", acmeText)
	tenants := f.tenants()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var seen [][]string
		done := make(chan struct{})
		go func() {
			defer close(done)
			tenants.Watch(ctx, 5*time.Second, func(changed []string) { seen = append(seen, changed) })
		}()
		time.Sleep(11 * time.Second)
		f.write("acme.yaml", strings.Replace(acmeText, "24h", "2h", 1))
		time.Sleep(10 * time.Second)
		cancel()
		<-done
		if diff := cmp.Diff([][]string{{"acme"}}, seen); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// Readers see whole companies while files change; meant for the race detector.
func TestReadersAndReloads(t *testing.T) {
	f := newFolder(t)
	same := strings.Replace(acmeText, "name: 採用", "name: アクメ", 1)
	f.write("acme.yaml", same)
	f.write("bcme.yaml", named("bcme"))
	tenants := f.tenants()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := tenants.Company("acme")
				if err != nil {
					t.Error(err)
					return
				}
				var set settings
				if err := c.Connections["ats"].Decode(&set); err != nil || len(set.Secrets) != 1 {
					t.Errorf("got %d secrets and %v", len(set.Secrets), err)
					return
				}
				if c.Mail.From.Name != c.Mail.Sender.Name {
					t.Errorf("half a company: %s from %s", c.Mail.From.Name, c.Mail.Sender.Name)
					return
				}
				_, _, _, _ = tenants.Companies(), tenants.Status(), tenants.Shared(), tenants.Generation()
			}
		})
	}
	for i := range 30 {
		name := fmt.Sprintf("name-%d", i)
		f.write("acme.new", strings.ReplaceAll(same, "name: アクメ", "name: "+name))
		if err := os.Rename(filepath.Join(f.dir, "acme.new"), filepath.Join(f.dir, "acme.yaml")); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { tenants.Reload() })
		tenants.Reload()
	}
	close(stop)
	wg.Wait()
}
