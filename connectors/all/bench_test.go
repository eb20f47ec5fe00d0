package all

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
)

// A byHand is a delivery of Greenhouse as somebody would write it down who knows
// only that vendor.
type byHand struct {
	Action  string `json:"action"`
	Payload struct {
		Application struct {
			ID         json.Number `json:"id"`
			RejectedAt time.Time   `json:"rejected_at"`
			Candidate  struct {
				ID     json.Number `json:"id"`
				First  string      `json:"first_name"`
				Last   string      `json:"last_name"`
				Emails []struct {
					Value string `json:"value"`
					Type  string `json:"type"`
				} `json:"email_addresses"`
			} `json:"candidate"`
			Jobs []struct {
				ID   json.Number `json:"id"`
				Name string      `json:"name"`
			} `json:"jobs"`
			Stage struct {
				Name string `json:"name"`
			} `json:"current_stage"`
			Source struct {
				Name string `json:"public_name"`
			} `json:"source"`
			Reason struct {
				Name string `json:"name"`
				Type struct {
					Name string `json:"name"`
				} `json:"type"`
			} `json:"rejection_reason"`
		} `json:"application"`
	} `json:"payload"`
}

// decodeByHand is the least that decoding a rejection of Greenhouse costs.
func decodeByHand(body []byte) (ats.Event, error) {
	var in byHand
	if err := json.Unmarshal(body, &in); err != nil {
		return ats.Event{}, err
	}
	a := in.Payload.Application
	e := ats.Event{
		Application: a.ID.String(), At: a.RejectedAt, Stage: a.Stage.Name, Reason: a.Reason.Name, Source: a.Source.Name,
		Candidate: ats.Candidate{ID: a.Candidate.ID.String(), GivenName: a.Candidate.First, FamilyName: a.Candidate.Last},
	}
	if in.Action == "reject_candidate" || in.Action == "candidate_rejected" {
		e.State, e.Side = ats.Rejected, ats.Unknown
	}
	if a.Reason.Type.Name == "We rejected them" {
		e.Side = ats.Company
	}
	for _, address := range a.Candidate.Emails {
		if e.Candidate.Email == "" || address.Type == "personal" {
			e.Candidate.Email = ats.Email(address.Value)
		}
	}
	if len(a.Jobs) > 0 {
		e.Job = ats.Job{ID: a.Jobs[0].ID.String(), Title: a.Jobs[0].Name}
	}
	return e, nil
}

// The baseline must mean what the connector means, or it measures nothing.
func TestByHand(t *testing.T) {
	for _, v := range fleet(t) {
		if v.name != "greenhouse" {
			continue
		}
		p := v.sample(t, playedCase)
		events, err := v.open(t, fleetSecret).Decode(p)
		if err != nil {
			t.Fatal(err)
		}
		want := events[0]
		got, err := decodeByHand(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got.Application != want.Application || got.State != want.State || got.Side != want.Side || !got.At.Equal(want.At) || got.Candidate.Email != want.Candidate.Email || got.Job.Title != want.Job.Title || got.Reason != want.Reason {
			t.Errorf("by hand:\n%+v\nwant\n%+v", got, want)
		}
	}
}

// BenchmarkDecode is what the decoding of one payload costs: of each vendor's
// rejection, and of Greenhouse's by hand. Medians; x-hand is to the latter.
func BenchmarkDecode(b *testing.B) {
	fast := map[string]time.Duration{}
	measure := func(name string, decode func() error) {
		b.Run(name, func(b *testing.B) {
			took := make([]time.Duration, 0, max(b.N, 300))
			for len(took) < cap(took) {
				begun := time.Now()
				if err := decode(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			median := took[len(took)/2]
			fast[name] = median
			b.ReportMetric(float64(median.Nanoseconds())/1000, "µs-median")
			b.ReportMetric(float64(median)/float64(fast[hand]), "x-hand")
			b.ReportMetric(testing.AllocsPerRun(20, func() { _ = decode() }), "allocs")
		})
	}
	vendors := fleet(b)
	for _, v := range vendors {
		if v.name == "greenhouse" {
			p := v.sample(b, playedCase)
			measure(hand, func() error { _, err := decodeByHand(p.Body); return err })
		}
	}
	for _, v := range vendors {
		p, conn := v.sample(b, playedCase), v.open(b, fleetSecret)
		measure(v.name, func() error { _, err := conn.Decode(p); return err })
	}
}

const hand = "greenhouse-by-hand"
