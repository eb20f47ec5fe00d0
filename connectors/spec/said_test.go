package spec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/mapping"
)

const stages = `
vendor: x
docs: https://example.com
hmac: {header: X}
labels: .body.stage, .stage, (.reasons // [])[]
map: {id: '"A-1"', candidate.id: .body.who}
events: [{when: .body.stage != null, park: the company must say what this stage means}]
`

const fetchedStages = stages + `
fetched:
  map: {id: '"A-1"'}
  events: [{when: "true", state: reopened, side: company}]
`

func TestOutcomesOfACompany(t *testing.T) {
	said := map[string]string{
		"Disqualified": "rejected", "選考 終了": "rejected", "Withdrew": "withdrawn", "hired": "hired", "Filled": "position_closed",
		"Talking": "ongoing", "Twice": "ignored", "17": "rejected",
	}
	tests := map[string]struct {
		stage string // JSON
		state ats.State
		side  ats.Side
		why   string
	}{
		"a rejection":              {`"Disqualified"`, ats.Rejected, ats.Company, "the company says what this means: Disqualified"},
		"by other capitals":        {`" disQUALIFIED "`, ats.Rejected, ats.Company, "the company says what this means: disQUALIFIED"},
		"in other widths":          {`"選考　終了"`, ats.Rejected, ats.Company, "the company says what this means: 選考 終了"},
		"a number":                 {`17`, ats.Rejected, ats.Company, "the company says what this means: 17"},
		"a withdrawal":             {`"Withdrew"`, ats.Withdrawn, ats.Applicant, "the company says what this means: Withdrew"},
		"a hire":                   {`"Hired"`, ats.Hired, ats.Company, "the company says what this means: Hired"},
		"a closed position":        {`"Filled"`, ats.Closed, ats.Company, "the company says what this means: Filled"},
		"one that goes on":         {`"Talking"`, ats.Reopened, ats.Company, "the company says what this means: Talking"},
		"one to be ignored":        {`"Twice"`, "", "", ""},
		"a stage nobody spoke of":  {`"Screening"`, "", "", "the company must say what this stage means"},
		"a stage that is no label": {`{"id":1}`, "", "", "the company must say what this stage means"},
	}
	c := open(t, load(t, stages), spec.Settings{Secrets: withSecret("s").Secrets, Outcomes: said})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			events, err := c.Decode(webhook(`{"who":"C-1","stage":` + tt.stage + `}`))
			if tt.state == "" {
				if len(events) > 0 || tt.why == "" && err != nil || tt.why != "" && (err == nil || err.Error() != tt.why) {
					t.Errorf("got %v, %v, want %q", events, err, tt.why)
				}
				return
			}
			if err != nil || len(events) != 1 {
				t.Fatalf("got %d events, %v", len(events), err)
			}
			if e := events[0]; e.State != tt.state || e.Side != tt.side || e.Evidence != tt.why || e.Candidate.ID != "C-1" {
				t.Errorf("got %s by %s (%s), want %s by %s (%s)", e.State, e.Side, e.Evidence, tt.state, tt.side, tt.why)
			}
		})
	}
	own := []mapping.Rule{{When: `.body.stage == "Disqualified"`, State: "closed", Side: "unknown"}}
	c = open(t, load(t, stages), spec.Settings{Secrets: withSecret("s").Secrets, Outcomes: said, Events: own})
	if events, err := c.Decode(webhook(`{"stage":"Disqualified"}`)); err != nil || events[0].State != ats.Closed {
		t.Errorf("a rule of the customer's own: got %v, %v, want it first", events, err)
	}
}

func TestOutcomesOfFetchedLabels(t *testing.T) {
	c := open(t, load(t, fetchedStages), spec.Settings{
		Secrets: withSecret("s").Secrets, Outcomes: map[string]string{"Rejected": "rejected", "Found another job": "withdrawn"},
	})
	for name, tt := range map[string]struct {
		reasons []string
		want    ats.State
	}{
		"the stage alone":         {nil, ats.Rejected},
		"another reason":          {[]string{"Too junior"}, ats.Rejected},
		"a reason that says more": {[]string{"Too junior", "Found another job"}, ats.Withdrawn},
	} {
		e := ats.Event{At: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
		if err := c.Fill(&e, map[string]any{"stage": "Rejected", "reasons": tt.reasons}); err != nil || e.State != tt.want {
			t.Errorf("%s: got %s, %v, want %s", name, e.State, err, tt.want)
		}
	}
}

func TestOutcomesErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		file     string
		outcomes map[string]string
		want     string
	}{
		"a word that is none":     {stages, map[string]string{"Disqualified": "company"}, `outcomes.Disqualified: "company" is not one of [rejected`},
		"a vendor without labels": {"vendor: x\nhmac: {header: X}" + lastRules, map[string]string{"a": "rejected"}, "outcomes: x sends no labels of a company's own"},
	} {
		_, err := spec.New(load(t, tt.file), spec.Settings{Secrets: withSecret("s").Secrets, Outcomes: tt.outcomes})
		if ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}
