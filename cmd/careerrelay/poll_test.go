package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/herp-hire/herptest"
	"github.com/career-relay/connector/record"
)

const polled = `company: acme
name: {ja: 株式会社アクメ}
connections:
  herp: {vendor: herp-hire, api_key: "env:HERP_KEY", api_url: ` + herptest.URL + `}
  paused: {vendor: herp-hire, api_key: "env:HERP_KEY", api_url: ` + herptest.URL + `, paused: true}
  sheet: {vendor: generic, secrets: ["env:HERP_KEY"]}
mail:
  from: {address: saiyo@acme.example.jp}
  sender: {name: 株式会社アクメ, address: 東京都渋谷区例町1-1-1, contact: saiyo@acme.example.jp}
`

func TestPollByHand(t *testing.T) {
	s, err := herptest.New("key", stamp)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "acme.yaml"), []byte(polled), 0o600); err != nil {
		t.Fatal(err)
	}
	set := &settings{}
	set.bind(pflag.NewFlagSet("test", pflag.ContinueOnError), func(name string) (string, bool) {
		v, ok := map[string]string{"HERP_KEY": "key", "CONFIGS": folder, "DATA": t.TempDir()}[name]
		return v, ok
	})
	db, err := openStore(t.Context(), set, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	of := func(connection string) sweeper {
		return sweeper{settings: set, db: db, client: &http.Client{Transport: s}, company: "acme", connection: connection}
	}
	show := func() string {
		t.Helper()
		var out bytes.Buffer
		if err := of("herp").show(t.Context(), &out, false); err != nil {
			t.Fatal(err)
		}
		for _, person := range []string{"美咲", "example"} {
			if strings.Contains(out.String(), person) {
				t.Errorf("a preview names somebody: %s", out.String())
			}
		}
		return out.String()
	}
	deliveries := func() int {
		t.Helper()
		all, err := db.Deliveries(t.Context(), record.Filter{Company: "acme", Limit: record.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if first := show(); strings.Count(first, "history") != 7 || strings.Count(first, "rejected") != 5 || deliveries() != 0 {
		t.Errorf("got %d deliveries and\n%s", deliveries(), first)
	}
	var out bytes.Buffer
	if err := of("herp").sweep(t.Context(), &out); err != nil || out.String() != "7 news, 7 of them not known before; it was the first sweep, so all of it is history\n" || deliveries() != 7 {
		t.Errorf("got %q, %v, %d deliveries", out.String(), err, deliveries())
	}
	if rest := show(); rest != "nothing matches\n" {
		t.Errorf("got %s", rest)
	}
	s.Change("new", map[string]any{"terminationReason": "rejected"})
	if news := show(); strings.Count(news, "rejected") != 1 || strings.Contains(news, "history") {
		t.Errorf("got %s", news)
	}
	out.Reset()
	if err := of("herp").sweep(t.Context(), &out); err != nil || out.String() != "1 news, 1 of them not known before\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	for connection, want := range map[string]ats.Fault{"sheet": ats.Invalid, "paused": ats.Conflict, "nobody": ats.NotFound} {
		if err := of(connection).sweep(t.Context(), &out); ats.FaultOf(err) != want {
			t.Errorf("%s: got %v, want %s", connection, err, want)
		}
	}
	if err := of("sheet").show(t.Context(), &out, false); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("got %v", err)
	}
	s.Fail(401)
	if err := of("herp").sweep(t.Context(), &out); ats.FaultOf(err) != ats.Denied {
		t.Errorf("a bad key: got %v", err)
	}
	if brakes, err := db.Brakes(t.Context(), "acme", false); err != nil || len(brakes) != 1 || !strings.HasPrefix(brakes[0].Cause, "herp: ") {
		t.Errorf("got %v, %v", brakes, err)
	}
	polls, err := db.Polls(t.Context(), "acme")
	if err != nil || len(polls) != 1 {
		t.Fatalf("%d polls (%v)", len(polls), err)
	}
	f := examinePoll(polls[0])
	if f.OK || f.fault != ats.Denied || !strings.HasPrefix(f.Text, "acme/herp: swept ") || !strings.Contains(f.Text, "1 failures: ") || !strings.Contains(f.Text, "mails are not stopped") || !strings.Contains(f.Cure, "vendor poll acme herp") {
		t.Errorf("the doctor says %+v", f)
	}
	if err := of("herp").sweep(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if polls, err = db.Polls(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if f := examinePoll(polls[0]); !f.OK || f.Cure != "" {
		t.Errorf("after the repair the doctor says %+v", f)
	}
}
