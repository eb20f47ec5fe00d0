package web_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/web"
)

// Each alert leads to a part of the runbook that exists.
func TestEveryAlertHasItsPartOfTheRunbook(t *testing.T) {
	text, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			anchors[strings.ReplaceAll(notWord.ReplaceAllString(strings.ToLower(title), ""), " ", "-")] = true
		}
	}
	for _, k := range alerts.Kinds() {
		if _, anchor, ok := strings.Cut(k.Runbook(), "docs/runbook.md#"); !ok || !anchors[anchor] {
			t.Errorf("%s: %q is no part of the runbook", k, k.Runbook())
		}
	}
}

func TestAlertsAreMuted(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Operator)
	found, err := o.store.Alerts(t.Context(), record.Filter{Kind: string(alerts.Silence)})
	o.must(err)
	at := "/alerts/" + found[0].ID
	if got := o.show("/", "en"); !strings.Contains(got.body, "3 alerts told") || !strings.Contains(got.body, "Nothing has come from the connection greenhouse") || !strings.Contains(got.body, `href="`+at+`"`) {
		t.Errorf("the overview does not tell of the alert:\n%s", got.body)
	}
	if got := o.postOps(at+"/mute", url.Values{}); got.code != http.StatusBadRequest || !strings.Contains(got.body, `aria-invalid="true"`) {
		t.Errorf("without a reason: status %d\n%s", got.code, got.body)
	}
	if got := o.postOps(at+"/mute", url.Values{"reason": {"the vendor is told"}}); got.code != http.StatusSeeOther {
		t.Fatalf("status %d\n%s", got.code, got.body)
	}
	if got := o.show(at, "en"); !strings.Contains(got.body, "Muted") || !strings.Contains(got.body, "the vendor is told") || !strings.Contains(got.body, at+"/unmute") {
		t.Errorf("the muted alert:\n%s", got.body)
	}
	got := answer[map[string]any](t, o.api(http.MethodPost, at+"/unmute", `{"reason":"it is not"}`, "ops-secret"))
	if got["state"] != "open" || got["kind"] != "silence" || got["runbook"] != alerts.Silence.Runbook() {
		t.Errorf("unmuted: %v", got)
	}
}

// braked is a desk with a brake that a person may release.
type braked struct {
	web.Desk
	released []string
}

func (b *braked) Brakes(_ context.Context, company string, _ bool) ([]record.Brake, error) {
	if company != "" && company != "acme" {
		return nil, nil
	}
	return []record.Brake{{ID: "b1", Company: "acme", Kind: sending.BrakeBounces, Cause: "bounced: 3 of 53", OpenedAt: noon}}, nil
}

func (b *braked) ReleaseBrake(_ context.Context, actor record.Actor, company, kind, reason string) error {
	if kind != sending.BrakeBounces {
		return ats.Errorf(ats.Invalid, "only bounces")
	}
	b.released = append(b.released, actor.Name+" "+company+" "+kind+" "+reason)
	return nil
}

func TestBrakesAreReleased(t *testing.T) {
	b := &braked{}
	o := newOffice(t, func(o *office) { b.Desk, o.ops.Desk = o.store, b })
	o.seed()
	o.login(record.Operator)
	if got := o.show("/companies/acme", "en"); !strings.Contains(got.body, "Bounce brake: Bounced: 3 of 53") || !strings.Contains(got.body, `action="/companies/acme/release"`) {
		t.Errorf("the company's page:\n%s", got.body)
	}
	if got := o.postOps("/companies/acme/release", url.Values{"kind": {"bounces"}}); got.code != http.StatusBadRequest {
		t.Errorf("without a reason: status %d", got.code)
	}
	if got := o.postOps("/companies/acme/release", url.Values{"kind": {"bounces"}, "reason": {"old list"}}); got.code != http.StatusSeeOther {
		t.Errorf("status %d\n%s", got.code, got.body)
	}
	for body, want := range map[string]int{
		`{"company":"acme","kind":"bounces","reason":"again"}`: http.StatusOK,
		`{"company":"acme","kind":"volume","reason":"again"}`:  http.StatusBadRequest,
		`{"company":"acme","kind":"bounces"}`:                  http.StatusBadRequest,
		`{"kind":"bounces","reason":"again"}`:                  http.StatusBadRequest,
	} {
		if got := o.api(http.MethodPost, "/brakes/release", body, "ops-secret"); got.code != want {
			t.Errorf("%s: status %d, want %d\n%s", body, got.code, want, got.body)
		}
	}
	if len(b.released) != 2 || b.released[0] != "user:megumi-operator acme bounces old list" {
		t.Errorf("released %q", b.released)
	}
}

// The company's page answers what a recruiter asks, and says nothing of the
// machinery.
func TestTheCompanysAnswers(t *testing.T) {
	o := newOffice(t)
	o.seed()
	told, err := o.store.Alarm(t.Context(), func(open []alerts.Alert) []alerts.Change {
		return alerts.Step(open, []alerts.Condition{{Company: "northwind", Kind: alerts.VolumeBrake}, {Company: "northwind", Kind: alerts.PollSilence, Subject: "greenhouse", Since: noon}}, nil, noon)
	}, func(alerts.Alert) []string { return nil })
	o.must(err)
	if len(told) != 1 {
		t.Fatalf("told %+v", told)
	}
	o.at(noon.Add(time.Minute))
	for company, want := range map[string][]string{
		"acme":      {"These connections cannot be used: herp", "The next at", "1 mail held for a person."},
		"hoshizora": {"1 connection ready.", "ago, from greenhouse", "It is a dry run: nothing is sent.", "Nothing at the moment."},
		"northwind": {"its mails reach nobody", "More decisions than the brake allows", "Look at the held mails. Release them"},
	} {
		o.cookie = o.guest(record.User{Name: "recruiter-" + company, Role: record.Recruiter, Company: company}, "-R").session
		got := o.show("/companies/"+company, "en")
		for _, text := range want {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s: does not say %q:\n%s", company, text, got.body)
			}
		}
		if strings.Contains(got.body, `href="/alerts`) || strings.Contains(got.body, "has not answered a poll") {
			t.Errorf("%s: a recruiter is shown what is closed to them:\n%s", company, got.body)
		}
	}
}
