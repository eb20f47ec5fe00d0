package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

func TestPersonOf(t *testing.T) {
	const email = "misaki@example.jp"
	for name, tt := range map[string]struct {
		candidate ats.Candidate
		want      api.Person
		fault     ats.Fault
	}{
		"with parts":              {ats.Candidate{Name: "髙橋 美咲", FamilyName: "髙橋", GivenName: "美咲", Email: email}, api.Person{"髙橋 美咲", "髙橋", "美咲", email}, ""},
		"parts alone":             {ats.Candidate{FamilyName: "Smith", GivenName: "John", Email: email}, api.Person{"John Smith", "Smith", "John", email}, ""},
		"a whole name":            {ats.Candidate{Name: "髙橋　美咲", Email: email}, api.Person{"髙橋 美咲", "髙橋", "美咲", email}, ""},
		"a name of another order": {ats.Candidate{Name: "Ana María Núñez", Email: email}, api.Person{"Ana María Núñez", "Núñez", "Ana María", email}, ""},
		"one name":                {ats.Candidate{Name: "Cher", Email: email}, api.Person{"Cher", "Cher", "", email}, ""},
		"no name":                 {ats.Candidate{Email: email}, api.Person{}, ats.Invalid},
		"a damaged name":          {ats.Candidate{Name: "?橋 美咲", Email: email}, api.Person{}, ats.Invalid},
		"no address":              {ats.Candidate{Name: "髙橋 美咲"}, api.Person{}, ats.Invalid},
		"an address that is none": {ats.Candidate{Name: "髙橋 美咲", Email: "misaki"}, api.Person{}, ats.Invalid},
	} {
		got, err := api.PersonOf(tt.candidate)
		if diff := cmp.Diff(tt.want, got); diff != "" || ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %v (-want +got):\n%s", name, err, diff)
		}
	}
}
