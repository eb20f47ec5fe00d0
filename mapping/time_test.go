package mapping_test

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mapping"
)

// table reads the rows of a CSV file without its header.
func table(tb testing.TB, path string) [][]string {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		tb.Fatalf("%s: %d rows: %v", path, len(rows), err)
	}
	return rows[1:]
}

func TestParseTime(t *testing.T) {
	for _, row := range table(t, "testdata/times.csv") {
		input, expected := row[0], row[1]
		t.Run(input, func(t *testing.T) {
			got, err := mapping.ParseTime(input)
			switch expected {
			case "refuse":
				if ats.FaultOf(err) != ats.Invalid {
					t.Fatalf("got %s and %v, want an invalid error", got, err)
				}
				if len(input) > 7 && strings.Contains(err.Error(), input) {
					t.Errorf("the error quotes the payload: %v", err)
				}
				return
			case "empty":
				if !got.IsZero() || err != nil {
					t.Errorf("got %s and %v, want no time", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if day, ok := strings.CutSuffix(expected, " (day)"); ok {
				expected = day + "T23:59:59+09:00" // the whole day counts
			}
			want, err := time.Parse(time.RFC3339Nano, expected)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("got %s, want %s in UTC", got.Format(time.RFC3339Nano), want.UTC().Format(time.RFC3339Nano))
			}
		})
	}
}

// What can be read is read the same when it is written in the usual form.
func FuzzParseTime(f *testing.F) {
	for _, row := range table(f, "testdata/times.csv") {
		f.Add(row[0])
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := mapping.ParseTime(s)
		if err != nil {
			if !got.IsZero() || ats.FaultOf(err) != ats.Invalid {
				t.Errorf("got %s and %v", got, err)
			}
			return
		}
		if got.IsZero() {
			return
		}
		text := got.Format(time.RFC3339Nano)
		again, err := mapping.ParseTime(text)
		if got.Year() >= 0 && got.Year() <= 9999 && (err != nil || !again.Equal(got)) {
			t.Errorf("%q is %s, which is read as %s (%v)", s, text, again, err)
		}
	})
}
