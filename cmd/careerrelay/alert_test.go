package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/rules/alerts"
)

func TestCertificateOf(t *testing.T) {
	if certificateOf("http://localhost:8080") != nil {
		t.Error("an address without TLS has a certificate")
	}
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	end, err := certificateOf(server.URL)(t.Context())
	if want := server.Certificate().NotAfter; err != nil || !end.Equal(want) {
		t.Errorf("got %v (%v), want %v", end, err, want)
	}
	server.Close()
	if _, err := certificateOf(server.URL)(t.Context()); ats.FaultOf(err) != ats.Busy {
		t.Errorf("nobody answers: %v", err)
	}
}

func TestAlertsOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"DATA": dir, "CONFIGS": dir}
	s := &settings{}
	s.bind(pflag.NewFlagSet("test", pflag.ContinueOnError), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	db, err := openStore(t.Context(), s, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	told, err := db.Alarm(t.Context(), func(open []alerts.Alert) []alerts.Change {
		return alerts.Step(open, []alerts.Condition{{Company: "acme", Kind: alerts.Silence, Subject: "ats", Since: db.Now()}, {Company: "globex", Kind: alerts.PollBrake}}, nil, db.Now())
	}, func(alerts.Alert) []string { return nil })
	if err != nil || len(told) != 2 {
		t.Fatalf("told %v (%v)", told, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	cli := func(args ...string) (int, string) {
		var out, errOut bytes.Buffer
		code := run(t.Context(), args, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, strings.NewReader(""), &out, &errOut)
		return code, out.String() + errOut.String()
	}
	list := func(args ...string) (found []struct{ ID, Company, Kind, Subject, State, Runbook string }) {
		t.Helper()
		code, out := cli(append([]string{"alert", "list", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &found); code != exitDone || err != nil {
			t.Fatalf("%d: %s", code, out)
		}
		return found
	}
	found := list("--company", "acme", "--state", "open")
	if len(found) != 1 || found[0].Kind != "silence" || found[0].Subject != "ats" || found[0].Runbook == "" || len(list()) != 2 {
		t.Fatalf("found %+v", found)
	}
	for _, step := range []struct {
		args  []string
		code  int
		state string
	}{
		{[]string{"alert", "mute", found[0].ID, "--for", "soon", "--reason", "x"}, exitInput, "open"},
		{[]string{"alert", "mute", found[0].ID}, exitInput, "open"},
		{[]string{"alert", "mute", found[0].ID, "--for", "2d", "--reason", "x"}, exitDone, "muted"},
		{[]string{"alert", "unmute", found[0].ID, "--reason", "x"}, exitDone, "open"},
		{[]string{"alert", "mute", "nothing", "--reason", "x"}, exitInput, "open"},
		{[]string{"brake", "release", "acme", "bounces", "--reason", "x"}, exitInput, "open"},
		{[]string{"brake", "release", "acme", "volume", "--reason", "x"}, exitInput, "open"},
		{[]string{"brake", "list", "--json"}, exitDone, "open"},
	} {
		if code, out := cli(step.args...); code != step.code {
			t.Errorf("%q: exit code %d: %s", step.args, code, out)
		}
		if got := list("--company", "acme")[0].State; got != step.state {
			t.Errorf("after %q the alert is %s, want %s", step.args, got, step.state)
		}
	}
}
