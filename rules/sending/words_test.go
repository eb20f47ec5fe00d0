package sending_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/career-relay/connector/rules/sending"
)

// codes reads the codes of decisions from the source, so that none is forgotten.
func codes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "plan.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, code)
		return true
	})
	return out
}

func TestWords(t *testing.T) {
	all := codes(t)
	if len(all) < 30 {
		t.Fatalf("found only %d codes", len(all))
	}
	japanese := regexp.MustCompile(`^[\p{Han}\p{Hiragana}\p{Katakana}ー「」、。ATS]+(です|ます|ません|した|ようです)。$`)
	english := regexp.MustCompile(`^[A-Z][A-Za-z ,;:']+\.$`)
	unwanted := regexp.MustCompile(`(?i)申し訳|エラー|不採用|残念|落選|！|unfortunately|sorry|error|!`)
	seen := map[string]string{}
	for _, code := range all {
		ja, en := sending.Words(code, "ja"), sending.Words(code, "en")
		if !japanese.MatchString(ja) {
			t.Errorf("%s: %q is not a sentence of the console", code, ja)
		}
		if !english.MatchString(en) {
			t.Errorf("%s: %q is not a sentence of the console", code, en)
		}
		for _, s := range []string{ja, en} {
			if w := unwanted.FindString(s); w != "" {
				t.Errorf("%s: %q says %q", code, s, w)
			}
			if other, twice := seen[s]; twice {
				t.Errorf("%s and %s say the same: %q", code, other, s)
			}
			seen[s] = code
		}
	}
	if got := sending.Words("made_up", "en"); got != "made_up" {
		t.Errorf("an unknown code: got %q", got)
	}
	if got, want := sending.Words(sending.CodeGo, "vi"), sending.Words(sending.CodeGo, "ja"); got != want {
		t.Errorf("another language: got %q, want %q", got, want)
	}
}
