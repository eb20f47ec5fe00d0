package web_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/web"
)

var (
	metricName = regexp.MustCompile(`careerrelay_[a-z_]+`)
	suffix     = regexp.MustCompile(`_(bucket|count|sum)$`)
	notWord    = regexp.MustCompile(`[^a-z0-9 -]`)
)

// The dashboard and the alert rules ask only for what /metrics tells, and each
// rule leads to a part of the runbook.
func TestDeployFiles(t *testing.T) {
	o := newOffice(t, func(o *office) { o.ops.Metrics = web.NewMetrics("v1") })
	o.seed()
	m := o.ops.Metrics
	m.Job("mail", "done", 1)
	m.Mail("acme", "sent")
	m.Hook("acme", "greenhouse", "kept", 1)
	o.login(record.Viewer)
	told := map[string]bool{}
	for name := range scraped(t, o.ask(http.MethodGet, "/metrics", "")) {
		name, _, _ = strings.Cut(name, "{")
		told[suffix.ReplaceAllString(name, "")] = true
	}
	rules, err := os.ReadFile("../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dashboard, err := os.ReadFile("../deploy/grafana/careerrelay.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(dashboard) {
		t.Error("the dashboard is not JSON")
	}
	for file, text := range map[string][]byte{"alerts": rules, "dashboard": dashboard} {
		names := metricName.FindAllString(string(text), -1)
		if len(names) < 10 {
			t.Errorf("%s: names only %d metrics", file, len(names))
		}
		for _, name := range names {
			if !told[suffix.ReplaceAllString(name, "")] {
				t.Errorf("%s: asks for %s, which /metrics does not tell", file, name)
			}
		}
	}

	runbook, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for line := range strings.Lines(string(runbook)) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			anchors[strings.ReplaceAll(notWord.ReplaceAllString(strings.ToLower(title), ""), " ", "-")] = true
		}
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(rules, &file); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			count++
			_, anchor, _ := strings.Cut(r.Annotations["runbook"], "docs/runbook.md#")
			if r.Alert == "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || !anchors[anchor] {
				t.Errorf("%s: lacks something, or %q is no part of the runbook", r.Alert, anchor)
			}
		}
	}
	if count == 0 {
		t.Error("no rules")
	}
}
