// Package atstest helps tests: golden files and invented events.
package atstest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Golden compares got with the file at path, or rewrites the file when the test
// runs with -update. A []byte or a string is kept as it is, everything else is
// written as indented JSON.
func Golden(tb testing.TB, path string, got any) {
	tb.Helper()
	b := render(tb, got)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			tb.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatalf("%v; run make golden and read the diff", err)
	}
	if diff := cmp.Diff(string(want), string(b)); diff != "" {
		tb.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func render(tb testing.TB, v any) []byte {
	tb.Helper()
	switch v := v.(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	return append(b, '\n')
}

// Rejection returns an event as a company's rejection after an interview
// produces it.
func Rejection() ats.Event {
	return ats.Event{
		Application: "A-1001",
		State:       ats.Rejected,
		Side:        ats.Company,
		Evidence:    "reason type: We rejected them",
		At:          time.Date(2026, 10, 1, 6, 15, 9, 0, time.UTC),
		Clock:       ats.DecidedClock,
		Candidate: ats.Candidate{
			ID: "C-1001", Name: "佐藤 美咲", FamilyName: "佐藤", GivenName: "美咲",
			Email: "misaki.sato@example.jp", Locale: "ja",
		},
		Job:       ats.Job{ID: "J-1", Title: "バックエンドエンジニア"},
		Stage:     "一次面接",
		StageKind: ats.Interview,
		Status:    "reject_candidate",
	}
}
