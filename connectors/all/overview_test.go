package all

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/connectors"
)

// capabilities are what a connector may do besides hearing, in the order of the
// table.
var capabilities = []struct {
	name string
	has  func(connectors.Connector) bool
}{
	{"completes", is[connectors.Completer]},
	{"checks", is[connectors.Checker]},
	{"subscribes", is[connectors.Subscriber]},
	{"pushes", is[connectors.Pusher]},
	{"lists jobs", is[connectors.JobLister]},
}

func is[T any](c connectors.Connector) bool {
	_, ok := c.(T)
	return ok
}

// doors are the ways in that a connection has when it is set up whole.
func (v *vendor) doors(conn connectors.Connector) string {
	var out []string
	if v.signs() {
		out = append(out, "webhook")
	}
	if is[connectors.Poller](conn) {
		out = append(out, "poll")
	}
	if v.spec.Door == connectors.File {
		out = append(out, "file")
	}
	return strings.Join(out, ", ")
}

// proof is how far what a vendor sends can be believed.
func (v *vendor) proof() string {
	switch {
	case v.spec.Trust == "hint":
		return "none: read again by API"
	case v.spec.Door == connectors.File:
		return "a person uploads it"
	case !v.signs():
		return "our own call"
	case v.spec.Code || v.spec.Covers():
		return "signed"
	}
	return "a token"
}

// doubts counts the points that nobody could verify.
func (v *vendor) doubts() (int, error) {
	text, err := fs.ReadFile(v.folder, "README.md")
	if err != nil {
		return 0, err
	}
	_, section, _ := strings.Cut(string(text), "\n## Not verified\n")
	section, _, _ = strings.Cut(section, "\n## ")
	return strings.Count("\n"+section, "\n- "), nil
}

// whole opens a connection that is set up as far as it can be, which the one of
// the demo is.
func whole(t *testing.T, v *vendor) connectors.Connector {
	t.Helper()
	text, err := os.ReadFile("../../configs/demo/doors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doors struct{ Connections map[string]yaml.Node }
	if err := yaml.Unmarshal(bytes.ReplaceAll(text, []byte("file:secrets/doors-secret"), []byte(fleetSecret)), &doors); err != nil {
		t.Fatal(err)
	}
	for _, node := range doors.Connections {
		var of struct{ Vendor string }
		if err := node.Decode(&of); err != nil || of.Vendor != v.name {
			continue
		}
		conn, err := v.factory(connectors.Env{HTTP: http.DefaultClient, Log: slog.New(slog.DiscardHandler), Now: time.Now, URL: "https://hooks.example.jp"}, node.Decode)
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		return conn
	}
	t.Fatalf("the demo has no connection to %s", v.name)
	return nil
}

const overviewHead = `# Connectors

Made by ` + "`make golden`" + ` out of the connectors themselves. *Completes*: fetches what a delivery leaves out. *Checks*: reads the state again at the second of sending. *Subscribes*: creates its own webhooks (` + "`careerrelay vendor subscribe`" + `). *Pushes*: creates candidates there. *Lists jobs*: those for which it can. *Open* are the points that could not be verified; each guide lists them.

| system | doors | proof | states | completes | checks | subscribes | pushes | lists jobs | samples | open |
|---|---|---|---|---|---|---|---|---|--:|--:|
`

// TestOverview keeps docs/connectors.md current.
func TestOverview(t *testing.T) {
	var b strings.Builder
	b.WriteString(overviewHead)
	for _, v := range fleet(t) {
		conn := whole(t, v)
		open, err := v.doubts()
		if err != nil {
			t.Fatal(err)
		}
		cells := []string{fmt.Sprintf("[%s](../connectors/%s/README.md)", v.name, v.name), v.doors(conn), v.proof(), strings.Join(v.spec.States(), " ")}
		for _, c := range capabilities {
			mark := "–"
			if c.has(conn) {
				mark = "yes"
			}
			cells = append(cells, mark)
		}
		cells = append(cells, strconv.Itoa(len(v.cases)), strconv.Itoa(open))
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	atstest.Golden(t, "../../docs/connectors.md", b.String())
}

// certificate prints which vendor keeps which rule, with go test -v.
func certificate(t *testing.T, all []*vendor, names []string, kept map[string]map[string]string) {
	t.Helper()
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for i, name := range names {
		_, _ = fmt.Fprintf(w, "%2d  %s\n", i+1, name)
	}
	_, _ = fmt.Fprint(w, "vendor\tsamples")
	for i := range names {
		_, _ = fmt.Fprintf(w, "\t%d", i+1)
	}
	_, _ = fmt.Fprintln(w)
	for _, v := range all {
		_, _ = fmt.Fprintf(w, "%s\t%d", v.name, len(v.cases))
		for _, name := range names {
			_, _ = fmt.Fprintf(w, "\t%s", kept[v.name][name])
		}
		_, _ = fmt.Fprintln(w)
	}
	_ = w.Flush()
	t.Log("\n" + out.String())
}
