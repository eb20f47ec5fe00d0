package record_test

import (
	"strings"
	"testing"

	"github.com/career-relay/connector/record"
)

func TestResultsAreNoFormulas(t *testing.T) {
	for reason, want := range map[string]string{
		"no rule":                   "no rule",
		"=HYPERLINK(1)":             "'=HYPERLINK(1)",
		"+81":                       "'+81",
		"-1":                        "'-1",
		"@SUM(1)":                   "'@SUM(1)",
		" =1":                       "' =1",
		"\u3000＝1":                  "'\u3000＝1",
		"\t=1":                      "'\t=1",
		"a=b":                       "a=b",
		"":                          "",
		"say \"no\", then\nanother": "\"say \"\"no\"\", then\nanother\"",
	} {
		var out strings.Builder
		w, err := record.NewResults(&out)
		if err == nil {
			err = record.WriteResults(w, []record.Result{{ID: "1", State: "skipped", Reason: reason}})
		}
		if err != nil {
			t.Fatal(err)
		}
		_, row, _ := strings.Cut(out.String(), "\n")
		if got := "1,,,,skipped," + want + ",,\n"; row != got {
			t.Errorf("%q: got %q, want %q", reason, row, got)
		}
		if !strings.HasPrefix(out.String(), "\uFEFFid,company,") {
			t.Errorf("the head is %q", out.String()[:20])
		}
	}
}
