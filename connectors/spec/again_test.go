package spec_test

import (
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/spec"
)

func TestAgain(t *testing.T) {
	const file = `
vendor: x
docs: https://example.com
hmac: {header: X}
map: {id: .body.id}
events:
  - {when: .body.state == "no", state: rejected, side: company}
  - {when: .body.state == "yes", state: hired, side: company}
  - {when: .body.state == "moved", ignore: true}
`
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	c := open(t, load(t, file), withSecret("s"))
	for name, tt := range map[string]struct {
		body  any
		want  ats.State
		fault ats.Fault
		state ats.State // for a Checker
	}{
		"as it was":             {map[string]string{"id": "1", "state": "no"}, ats.Rejected, "", ats.Rejected},
		"otherwise":             {map[string]string{"id": "1", "state": "yes"}, ats.Hired, "", ats.Hired},
		"nothing of concern":    {map[string]string{"id": "1", "state": "moved"}, ats.Rejected, ats.Duplicate, ""},
		"nothing known":         {map[string]string{"id": "1"}, ats.Rejected, ats.Invalid, ""},
		"nothing to be written": {func() {}, ats.Rejected, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := ats.Event{Application: "1", State: ats.Rejected, History: true}
			err := c.Again(&e, tt.body, now)
			if e.State != tt.want || ats.FaultOf(err) != tt.fault || !e.History || err == nil && !e.At.Equal(now) {
				t.Errorf("got %+v, %v, want %s, %q", e, err, tt.want, tt.fault)
			}
			state, problem := spec.State(&e, err)
			if state != tt.state || (problem == nil) != (err == nil || tt.fault == ats.Duplicate) {
				t.Errorf("got %q, %v, want %q", state, problem, tt.state)
			}
		})
	}
}
