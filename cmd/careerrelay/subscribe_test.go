package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/zoho-recruit/zohotest"
)

const subscribed = `company: acme
name: {ja: 株式会社アクメ}
connections:
  zoho: {vendor: zoho-recruit, secrets: ["env:KEY"], data_center: jp, client_id: "1000.X", client_secret: "env:KEY", refresh_token: "env:KEY", api_url: ` + zohotest.URL + `, accounts_url: ` + zohotest.AccountsURL + `}
  unified: {vendor: unified-to, secrets: ["env:KEY"], account: 66f0c1d2e3a4b5c6d7e8f9aa, api_key: "env:KEY", url_token: "env:KEY", since: 2026-09-01}
  sheet: {vendor: generic, secrets: ["env:KEY"]}
mail:
  from: {address: saiyo@acme.example.jp}
  sender: {name: 株式会社アクメ, address: 東京都渋谷区例町1-1-1, contact: saiyo@acme.example.jp}
`

// TestSubscribe subscribes by hand; from then on the server renews.
func TestSubscribe(t *testing.T) {
	s := zohotest.New("key", stamp)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "acme.yaml"), []byte(subscribed), 0o600); err != nil {
		t.Fatal(err)
	}
	set := &settings{}
	set.bind(pflag.NewFlagSet("test", pflag.ContinueOnError), func(name string) (string, bool) {
		v, ok := map[string]string{"KEY": "key", "CONFIGS": folder, "DATA": t.TempDir(), "PUBLIC_URL": "https://relay.example.test"}[name]
		return v, ok
	})
	db, err := openStore(t.Context(), set, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	of := func(connection string) subscriber {
		return subscriber{settings: set, db: db, client: &http.Client{Transport: s}, company: "acme", connection: connection}
	}
	var out bytes.Buffer
	for range 2 {
		if err := of("zoho").subscribe(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Channels(); len(got) != 1 || !strings.HasPrefix(got[0], "https://relay.example.test/hooks/acme/zoho ") {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(out.String(), "a running server renews it before") {
		t.Errorf("got %s", out.String())
	}
	if s.Tokens() != 1 {
		t.Errorf("%d tokens, want one for both calls: it is kept", s.Tokens())
	}
	rows, err := db.Subscriptions(t.Context(), "acme")
	if err != nil || len(rows) != 1 || rows[0].Vendor != "zoho-recruit" || !rows[0].DueAt.Before(rows[0].EndsAt) {
		t.Errorf("got %+v, %v", rows, err)
	}
	if f := examineSubscriptions(t.Context(), db); len(f) != 1 || !f[0].OK || !strings.Contains(f[0].Text, "is renewed on") {
		t.Errorf("got %+v", f)
	}
	var about []string
	for _, f := range examineCompanies(set) {
		about = append(about, f.About+": "+f.Text)
	}
	if want := "acme/unified: the webhook's address is https://relay.example.test/hooks/acme/unified?k=<url_token>"; !slices.Contains(about, want) {
		t.Errorf("got %q, want %s", about, want)
	}
	if err := of("zoho").remove(t.Context(), rows[0].ID); err != nil {
		t.Fatal(err)
	}
	if rows, err := db.Subscriptions(t.Context(), "acme"); err != nil || len(rows) != 0 || len(s.Channels()) != 0 {
		t.Errorf("after it was removed: got %+v, %v", rows, err)
	}
	s.Offer(250)
	for _, tt := range []struct {
		limit, lines int
		more         bool
	}{{10, 11, true}, {250, 251, false}} {
		out.Reset()
		l := openings{settings: set, db: db, client: &http.Client{Transport: s}, limit: tt.limit}
		more, err := l.print(t.Context(), &out, "acme/zoho", false)
		if err != nil || more != tt.more || strings.Count(out.String(), "\n") != tt.lines || strings.Contains(out.String(), "Closed") {
			t.Errorf("at most %d: got %t, %v and %d lines", tt.limit, more, err, strings.Count(out.String(), "\n"))
		}
	}
	for _, name := range []string{"acme/sheet", "acme", "acme/"} {
		if _, err := (openings{settings: set, db: db, limit: 1}).print(t.Context(), &out, name, false); err == nil {
			t.Errorf("jobs of %s were listed", name)
		}
	}
	if err := of("sheet").subscribe(t.Context(), &out); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("got %v", err)
	}
}
