package main

import (
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/record"
)

// What the command line refuses it refuses with exit code 2, and says what to
// write instead.
func TestWrongInputIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "configs", "acme.yaml"), walkCompany) // its secrets are not set
	write(t, filepath.Join(dir, "configs", "relay.yaml"), walkShared)
	env := map[string]string{"DATA": filepath.Join(dir, "data"), "CONFIGS": filepath.Join(dir, "configs")}
	for name, tt := range map[string]struct{ args, want string }{
		"an unknown noun":             {"jobs", `"jobs" is not a command; see careerrelay help`},
		"an unknown verb":             {"job lists", `"lists" is not a command of careerrelay job`},
		"an unknown flag":             {"job list --bogus", "unknown flag: --bogus; see careerrelay job list --help"},
		"too many words":              {"job list x", `write: careerrelay job list`},
		"too few words":               {"credit show", "write: careerrelay credit show COMPANY"},
		"a state of nothing":          {"delivery list --state dead", `--state: "dead" is not a state of deliveries; have new decoded ignored parked quarantined`},
		"a state of no mail":          {"mail cancel --state done --reason x", `"done" is not a state of mails; have held stopped`},
		"a state of no consent":       {"consent list --state bogus", "have given withdrawn"},
		"a state of no job":           {"job retry --state parked --reason x", "have waiting dispatched"},
		"a state of no referral":      {"referral list --state sent", "have waiting handed_over"},
		"a state of no application":   {"application list --state dead", "have rejected withdrawn"},
		"a time":                      {"mail list --since yesterday", `--since: "yesterday" is not a time; write`},
		"too many rows":               {"mail list --limit 1000", "--limit: 1000 is not from 1 to 200"},
		"an address without company":  {"mail list --email a@example.jp", "company"},
		"everything at once":          {"job cancel --reason x", "give an id or a filter"},
		"an id and a filter":          {"job cancel 1 --company acme --reason x", "give an id or a filter, not both"},
		"no reason":                   {"job cancel 1", "--reason: required"},
		"an unknown id":               {"job retry nope --reason x", "no job nope"},
		"another kind of database":    {"job list --database-url mysql://someone:hunter2@db/x", "DATABASE_URL: write postgres://"},
		"a company that is not there": {"simulate webhook globex greenhouse", "no company globex"},
		"a company that is broken":    {"simulate webhook acme greenhouse", "acme.yaml:5: connections.greenhouse.secrets[0]: the environment variable WALK_SECRET is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			code := run(t.Context(), strings.Fields(tt.args), func(name string) (string, bool) { v, ok := env[name]; return v, ok }, strings.NewReader(""), &out, &errOut)
			if code != exitInput || !strings.Contains(errOut.String(), tt.want) {
				t.Errorf("exit code %d and %q, want %d and %q", code, errOut.String(), exitInput, tt.want)
			}
			if strings.Contains(errOut.String(), "hunter2") {
				t.Errorf("a password is shown: %s", errOut.String())
			}
			if out.Len() > 0 {
				t.Errorf("standard output holds %q", out.String())
			}
		})
	}
}

// A script must notice that the one thing it named was left alone.
func TestAnOrderThatChangedNothing(t *testing.T) {
	h := openHouse(t, nil)
	if got := h.hook("acme", "greenhouse", "greenhouse", nil); got != 200 {
		t.Fatalf("the door answered %d", got)
	}
	h.until("a mail left", func() bool { return h.sendGrid.Count() > 0 })
	h.rest("acme")
	mail := h.mails("acme")[0]
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"one mail that left":      {[]string{"mail", "cancel", mail.ID, "--reason", "x"}, exitInput, "cancel 0 of 1 mails found\n  1 not: sent\n"},
		"a filter finds it":       {[]string{"mail", "cancel", "--company", "acme", "--reason", "x", "--yes"}, exitDone, "cancel 0 of 1 mails found\n  1 not: sent\n"},
		"one delivery is decoded": {[]string{"delivery", "replay", "--company", "acme"}, exitDone, "would replay 1 of 1 deliveries found\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			if code := run(t.Context(), tt.args, h.server.lookup, strings.NewReader(""), &out, &errOut); code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit code %d and %q, want %d and %q; %s", code, out.String(), tt.code, tt.want, errOut.String())
			}
		})
	}
	if got := h.mails("acme")[0].State; got != record.MailSent {
		t.Errorf("the mail is %s", got)
	}
}

// What is not our caller's fault ends with exit code 1, so that it is tried
// again.
func TestAnOutageIsNoWrongInput(t *testing.T) {
	h := openHouse(t, nil)
	away := serveFake(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	for name, tt := range map[string]struct {
		args []string
		code int
	}{
		"a server that takes it":  {[]string{"simulate", "webhook", "acme", "greenhouse", "--to", h.base}, exitDone},
		"a server that is busy":   {[]string{"simulate", "webhook", "acme", "greenhouse", "--to", away}, exitOutage},
		"no server":               {[]string{"simulate", "webhook", "acme", "greenhouse", "--to", "http://" + freeAddress(t)}, exitOutage},
		"a process that is ready": {[]string{"doctor", "--health", "--ops-listen", strings.TrimPrefix(h.opsBase, "http://")}, exitDone},
		"a process that is not":   {[]string{"doctor", "--health", "--ops-listen", strings.TrimPrefix(away, "http://")}, exitOutage},
		"no process":              {[]string{"doctor", "--health", "--ops-listen", freeAddress(t)}, exitOutage},
		"a database that is away": {[]string{"job", "list", "--database-url", "postgres://nobody@" + freeAddress(t) + "/none"}, exitOutage},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			if code := run(t.Context(), tt.args, h.server.lookup, strings.NewReader(""), &out, &errOut); code != tt.code {
				t.Errorf("exit code %d, want %d; %s", code, tt.code, errOut.String())
			}
		})
	}
}

// Whoever types a password ends it with Enter, not by closing the terminal.
func TestOneLineOfInputIsEnough(t *testing.T) {
	in, typed := io.Pipe()
	go func() { _, _ = io.WriteString(typed, "correct horse battery\n") }()
	env := map[string]string{"DATA": t.TempDir()}
	var out bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(t.Context(), []string{"user", "add", "hana", "--role", "admin"}, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, in, &out, &out)
	}()
	select {
	case code := <-done:
		if code != exitDone || !strings.Contains(out.String(), "hana can sign in as admin") {
			t.Errorf("exit code %d: %s", code, out.String())
		}
	case <-time.After(10 * time.Second):
		t.Error("still waiting for more")
		_ = typed.Close()
		<-done
	}
}
