// Command imports writes which package imports which into a document, between
// two marks, or checks that the document is current.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const (
	module = "github.com/career-relay/connector/"
	begin  = "<!-- imports: made by go run ./scripts/imports docs/architecture.md -->\n"
	end    = "<!-- /imports -->\n"
)

func main() {
	check := flag.Bool("check", false, "only check that the document is current")
	flag.Parse()
	if err := run(flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string, check bool) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return fmt.Errorf("%s lacks the marks %q and %q", path, begin, end)
	}
	picture, err := picture()
	if err != nil {
		return err
	}
	now := bytes.Join([][]byte{before, []byte(begin), []byte(picture), []byte(end), after}, nil)
	switch {
	case bytes.Equal(old, now):
		return nil
	case check:
		return fmt.Errorf("%s is old: go run ./scripts/imports %s", path, path)
	}
	return os.WriteFile(path, now, 0o644) //nolint:gosec // a document
}

// picture lists each package with those of ours that it imports. The vendors
// all import the same, so one line stands for them.
func picture() (string, error) {
	out, err := exec.Command("go", "list", "-tags", "nomsgpack", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("```\n")
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[0], module)
		if strings.HasPrefix(name, "scripts/") || strings.HasSuffix(name, "test") {
			continue
		}
		var ours []string
		for _, f := range fields[1:] {
			if i, ok := strings.CutPrefix(f, module); ok && (name != "connectors/all" || !vendor(i)) {
				ours = append(ours, i)
			}
		}
		if vendor(name) {
			continue
		}
		fmt.Fprintf(&b, "%-22s → %s\n", name, strings.Join(ours, " "))
	}
	b.WriteString("```\n")
	return b.String(), nil
}

// shared are the folders of connectors that are not vendors.
var shared = map[string]bool{"all": true, "spec": true, "verify": true, "table": true, "internal": true}

func vendor(name string) bool {
	rest, ok := strings.CutPrefix(name, "connectors/")
	first, _, _ := strings.Cut(rest, "/")
	return ok && !shared[first]
}
