package ats_test

import (
	"encoding/json"
	"net/mail"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/career-relay/connector/ats"
)

// read reads the vectors of a file.
func read[T any](tb testing.TB, path string) []T {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var out []T
	if err := json.Unmarshal(b, &out); err != nil {
		tb.Fatal(err)
	}
	if len(out) == 0 {
		tb.Fatalf("%s holds no vectors", path)
	}
	return out
}

func TestParseEmail(t *testing.T) {
	verdict := func(address ats.Email, problem string) string {
		switch {
		case address == "":
			return "refuse"
		case problem == ats.EmailReview:
			return "review"
		case problem == "":
			return "accept"
		}
		return "an address with the problem " + problem
	}
	for _, v := range read[struct{ Input, Verdict, Address, Problem string }](t, "testdata/emails.json") {
		t.Run(v.Input, func(t *testing.T) {
			address, problem := ats.ParseEmail(v.Input)
			if got := verdict(address, problem); got != v.Verdict {
				t.Errorf("got %s %q, want %s", got, string(address), v.Verdict)
			}
			if string(address) != v.Address {
				t.Errorf("got address %q, want %q", string(address), v.Address)
			}
			if v.Problem != "" && problem != v.Problem {
				t.Errorf("got problem %q, want %q", problem, v.Problem)
			}
			if address == "" && problem == "" {
				t.Error("refused without a problem")
			}
		})
	}
}

func TestQuoted(t *testing.T) {
	tests := map[string]struct{ address, want string }{
		"a plain address stays as it is": {"taro@example.jp", "taro@example.jp"},
		"a leading dot is quoted":        {".taro@example.jp", `".taro"@example.jp`},
		"a trailing dot is quoted":       {"taro.@example.jp", `"taro."@example.jp`},
		"doubled dots are quoted":        {"ta..ro@example.jp", `"ta..ro"@example.jp`},
		"a single dot is not":            {"ta.ro@example.jp", "ta.ro@example.jp"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ats.Email(tt.address).Quoted()
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			back, err := mail.ParseAddress(got)
			if err != nil {
				t.Fatalf("a mail library refuses it: %v", err)
			}
			if back.Address != tt.address {
				t.Errorf("a mail library reads %s, want %s", back.Address, tt.address)
			}
		})
	}
}

// Whatever comes in, an address that comes out can be written into a header and
// means the same when it is read again.
func FuzzParseEmail(f *testing.F) {
	for _, v := range read[struct{ Input string }](f, "testdata/emails.json") {
		f.Add(v.Input)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		address, problem := ats.ParseEmail(raw)
		s := string(address)
		if s == "" {
			if problem == "" {
				t.Error("refused without a problem")
			}
			return
		}
		if strings.ContainsAny(s, " \r\n\t\"<>,;") || strings.Count(s, "@") != 1 || len(s) > 254 {
			t.Errorf("%q is not one address", s)
		}
		for _, r := range s {
			if r >= utf8.RuneSelf || r < ' ' {
				t.Errorf("%q is not ASCII", s)
			}
		}
		again, _ := ats.ParseEmail(s)
		if again != address {
			t.Errorf("%q is read again as %q", s, string(again))
		}
	})
}
