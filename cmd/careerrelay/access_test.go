package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/career-relay/connector/record"
)

// A shell runs commands on a database of their own.
type shell struct {
	t   *testing.T
	env map[string]string
}

func (s shell) run(input string, args ...string) (code int, out string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(s.t.Context(), args, func(name string) (string, bool) { v, ok := s.env[name]; return v, ok }, strings.NewReader(input), &stdout, &stderr)
	return code, stdout.String() + stderr.String()
}

// log is the audit log as the command line exports it.
func (s shell) log() []record.Audit {
	s.t.Helper()
	code, out := s.run("", "audit", "export")
	if code != exitDone {
		s.t.Fatal(out)
	}
	var all []record.Audit
	for line := range strings.Lines(out) {
		var a record.Audit
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			s.t.Fatalf("%v in %s", err, line)
		}
		all = append(all, a)
	}
	return all
}

func (s shell) newest(noun string) string {
	s.t.Helper()
	code, out := s.run("", noun, "list", "--json")
	var rows []struct{ ID string }
	if err := json.Unmarshal([]byte(out), &rows); code != exitDone || err != nil || len(rows) == 0 {
		s.t.Fatalf("%v in %s", err, out)
	}
	return rows[0].ID
}

// Every deed about accounts leaves one entry with who did it and why, and
// without a reason it is not done.
func TestDeedsAboutAccountsAreAudited(t *testing.T) {
	s := shell{t, map[string]string{"DATA": t.TempDir()}}
	password := "correct horse battery\n"
	reason := "a test"
	for _, d := range []struct {
		input  string
		args   []string
		want   string // verb, noun, subject and company of the entry
		reason bool
	}{
		{password, []string{"user", "add", "boss", "--role", "admin"}, "add user boss ", false},
		{password, []string{"user", "add", "hana"}, "add user hana ", false},
		{password, []string{"user", "add", "ken", "--role", "recruiter", "--company", "acme"}, "add user ken acme", false},
		{"", []string{"user", "role", "hana", "recruiter", "--company", "globex"}, "change role user hana ", true},
		{"", []string{"user", "role", "hana", "operator"}, "change role user hana globex", true},
		{"", []string{"user", "disable", "hana"}, "disable user hana ", true},
		{"", []string{"user", "enable", "hana"}, "enable user hana ", true},
		{"", []string{"user", "token", "hana", "old"}, "token user hana ", false},
		{"", []string{"token", "add", "hana", "nightly", "--scope", "read", "--company", "acme", "--days", "90"}, "token user hana acme", false},
		{"", []string{"token", "revoke", "NEWEST"}, "revoke token user hana acme", true},
		{"", []string{"session", "end", "hana"}, "end sessions user hana ", true},
		{"", []string{"user", "link", "hana", "--issuer", "https://login.example.jp"}, "link user hana ", true},
	} {
		before := len(s.log())
		args := d.args
		if args[len(args)-1] == "NEWEST" {
			args = append(args[:len(args)-1:len(args)-1], s.newest("token"))
		}
		if d.reason {
			if code, out := s.run(d.input, args...); code != exitInput || len(s.log()) != before {
				t.Errorf("%v without a reason: exit code %d: %s", d.args, code, out)
			}
			args = append(args, "--reason", reason)
		}
		code, out := s.run(d.input, args...)
		if code != exitDone {
			t.Errorf("%v: exit code %d: %s", d.args, code, out)
			continue
		}
		left := s.log()[before:]
		if len(left) != 1 {
			t.Errorf("%v leaves %d entries, want 1", d.args, len(left))
			continue
		}
		a := left[0]
		if got := a.Verb + " " + a.Noun + " " + a.Subject + " " + a.Company; got != d.want || !strings.HasPrefix(a.Actor, "cli:") || (a.Reason == reason) != d.reason {
			t.Errorf("%v leaves %q by %s because %q, want %q", d.args, got, a.Actor, a.Reason, d.want)
		}
	}
}

func TestAuditCommands(t *testing.T) {
	s := shell{t, map[string]string{"DATA": t.TempDir()}}
	for _, name := range []string{"boss", "hana"} {
		if code, out := s.run("correct horse battery\n", "user", "add", name, "--role", "admin"); code != exitDone {
			t.Fatal(out)
		}
	}
	_, out := s.run("", "audit", "verify")
	_, anchor, ok := strings.Cut(out, "anchor ")
	if !ok || !strings.HasPrefix(out, "2 entries") {
		t.Fatalf("verified: %s", out)
	}
	anchor = strings.TrimSpace(anchor)
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"the anchor fits":           {[]string{"audit", "verify", "--anchor", anchor}, exitDone, "each follows from the one before"},
		"an anchor of another log":  {[]string{"audit", "verify", "--anchor", "2:" + strings.Repeat("0", 64)}, exitInput, "was made anew"},
		"an anchor beyond the end":  {[]string{"audit", "verify", "--anchor", "9" + anchor[1:]}, exitInput, "was cut off"},
		"no anchor at all":          {[]string{"audit", "verify", "--anchor", "rubbish"}, exitInput, "write NUMBER:HASH"},
		"a list by verb and noun":   {[]string{"audit", "list", "--verb", "add", "--noun", "user", "--json"}, exitDone, `"subject": "hana"`},
		"a list that finds nothing": {[]string{"audit", "list", "--actor", "user:nobody"}, exitDone, "nothing matches"},
		"an export as a table":      {[]string{"audit", "export", "hana", "--format", "csv"}, exitDone, "seq,at,actor,verb"},
		"an export as something":    {[]string{"audit", "export", "--format", "xml"}, exitInput, "ndjson, csv"},
		"the last admin but one":    {[]string{"user", "disable", "boss", "--reason", "left"}, exitDone, "switched off"},
		"a session that is not":     {[]string{"session", "end", "hana", "--id", "none"}, exitInput, "no session none"},
		"a scope that is not":       {[]string{"token", "add", "hana", "x", "--scope", "all"}, exitInput, "is not one of read, write, reveal, admin"},
	} {
		if code, out := s.run("", tt.args...); code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit code %d, want %d with %q: %s", name, code, tt.code, tt.want, out)
		}
	}
}
