package all

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

// wellMeant are bad samples that are a decision all the same, with the reason.
// The list may only shrink.
var wellMeant = map[string]string{
	"ashby/malformed.no-action-id":   "old deliveries have none; application and time name it",
	"recruitee/malformed.no-offer":   "the decision is whole, only the job is not known",
	"recruitee/malformed.test-false": "only what says that it is a test is one",
}

// refused are the samples that the vendor's own vectors say are not from it.
func (v *vendor) refused(t *testing.T) map[string]bool {
	t.Helper()
	text, err := fs.ReadFile(v.folder, "testdata/signatures.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var vectors []vector
	if err == nil {
		err = json.Unmarshal(text, &vectors)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, c := range vectors {
		out[c.Sample] = out[c.Sample] || !c.Valid
	}
	return out
}

// mailed are the events that would become a mail without anybody asking: what is
// only a hint is read again, and what has no address goes nowhere.
func mailed(conn connectors.Connector, events []ats.Event) []ats.Event {
	if h, ok := conn.(connectors.Hinter); ok && h.Hint() {
		return nil
	}
	var out []ats.Event
	for _, e := range events {
		if e.State == ats.Rejected && e.Side == ats.Company && e.Candidate.Email != "" {
			out = append(out, e)
		}
	}
	return out
}

// TestBadSamples reads what is damaged or forged, as if it were signed well:
// there is a reason in words, and no mail.
func TestBadSamples(t *testing.T) {
	count := 0
	for _, v := range fleet(t) {
		refused := v.refused(t)
		conn := v.open(t, fleetSecret)
		for _, name := range v.cases {
			if kind, _, _ := strings.Cut(name, "."); kind != "malformed" && kind != "attack" {
				continue
			}
			count++
			if refused[name] {
				continue // TestFleet sees it refused
			}
			events, err := conn.Decode(v.sample(t, name))
			if reason, ok := wellMeant[v.name+"/"+name]; ok {
				if len(mailed(conn, events)) == 0 {
					t.Errorf("%s/%s is no decision (%s): take it off the list", v.name, name, reason)
				}
				continue
			}
			if err != nil && (ats.FaultOf(err) != ats.Invalid || len(err.Error()) < 10) {
				t.Errorf("%s/%s: %v is no clear reason", v.name, name, err)
			}
			if got := mailed(conn, events); len(got) > 0 {
				t.Errorf("%s/%s: %d mails", v.name, name, len(got))
			}
		}
	}
	if count < 40 {
		t.Errorf("only %d bad samples", count)
	}
}

// sameForm are vendors whose payloads the other's connector may read: one form
// with two ways of proving who sends it.
var sameForm = map[[2]string]string{
	{"generic", "bridge"}: "both take our own form, with a signature and with a token",
	{"bridge", "generic"}: "both take our own form, with a token and with a signature",
}

// TestTheWrongVendor sends every vendor's samples to the address of every other,
// signed as that one wants: nothing there is a decision. What is only a hint
// decides nothing: the API is asked, which does not know a stranger's id.
func TestTheWrongVendor(t *testing.T) {
	all := fleet(t)
	pairs := 0
	for _, at := range all {
		if !at.signs() {
			continue
		}
		conn := at.open(t, fleetSecret)
		for _, of := range all {
			if of.name == at.name || !of.signs() || sameForm[[2]string{at.name, of.name}] != "" {
				continue
			}
			pairs++
			if err := of.misread(conn); err != nil {
				t.Errorf("%s at the address of %s: %v", of.name, at.name, err)
			}
		}
	}
	if pairs < 300 {
		t.Errorf("only %d pairs", pairs)
	}
}

// misread reports a sample that a connector to somebody else takes for a
// decision.
func (v *vendor) misread(conn connectors.Connector) error {
	h, ok := conn.(connectors.Hinter)
	hint := ok && h.Hint()
	for _, name := range v.cases {
		p, err := spec.Sample(v.folder, name)
		if err != nil {
			return err
		}
		if signed, err := conn.(connectors.Signer).Sign(p); err == nil {
			p = signed
		}
		events, err := conn.Decode(p)
		if len(mailed(conn, events)) > 0 {
			return fmt.Errorf("%s is a mail", name)
		}
		if err == nil && len(events) > 0 && !hint {
			return fmt.Errorf("%s is %s", name, events[0].State)
		}
	}
	return nil
}
