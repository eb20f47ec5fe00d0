package web_test

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/career-relay/connector/record"
)

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestEveryPageOpens(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Operator)
	paths := o.paths()
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		for _, lang := range []string{"ja", "en"} {
			got := o.show(paths[name], lang)
			if got.code != http.StatusOK {
				t.Errorf("%s in %s: status %d\n%s", name, lang, got.code, got.body)
				continue
			}
			if !strings.HasPrefix(got.body, "<!doctype html>") || !strings.HasSuffix(strings.TrimSpace(got.body), "</html>") {
				t.Errorf("%s in %s is not a whole document", name, lang)
			}
		}
	}
}
