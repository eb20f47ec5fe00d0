package greenhouse_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/greenhouse"
	"github.com/career-relay/connector/connectors/greenhouse/greenhousetest"
	"github.com/career-relay/connector/connectors/spec"
)

var start = time.Date(2026, 10, 2, 9, 0, 0, 0, time.UTC)

// A lab has an account and one clock for both sides.
type lab struct {
	*greenhousetest.Server
	at time.Time
}

func newLab() *lab {
	l := &lab{at: start}
	l.Server = greenhousetest.New("partner-key", func() time.Time { return l.at })
	return l
}

const (
	harvest = "client_id: " + greenhousetest.ClientID + "\nclient_secret: " + greenhousetest.ClientSecret + "\nuser_id: '" + greenhousetest.UserID + "'\n" +
		"api_url: " + greenhousetest.URL + "\ntoken_url: " + greenhousetest.TokenURL + "\n"
	partner = "api_key: partner-key\non_behalf_of: " + greenhousetest.OnBehalfOf + "\npartner_url: " + greenhousetest.PartnerURL + "\n"
)

func (l *lab) open(settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("greenhouse")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: l}, Now: func() time.Time { return l.at }}
	return greenhouse.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: greenhouse\nsecrets: [secret]\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func (l *lab) connect(t *testing.T, settings string) connectors.Connector {
	t.Helper()
	c, err := l.open(settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestKeys opens what the keys allow, and says no more of itself.
func TestKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		settings       string
		checks, pushes bool
	}{
		"a secret only": {"", false, false}, "Harvest": {harvest, true, false}, "a partner's key": {partner, false, true}, "both": {harvest + partner, true, true},
	} {
		c := newLab().connect(t, tt.settings)
		_, checks := c.(connectors.Checker)
		_, pushes := c.(connectors.Pusher)
		_, lists := c.(connectors.JobLister)
		_, receives := c.(connectors.Receiver)
		if checks != tt.checks || pushes != tt.pushes || lists != tt.pushes || !receives {
			t.Errorf("%s: checks %t, pushes %t, lists %t, receives %t", name, checks, pushes, lists, receives)
		}
	}
	for settings, want := range map[string]string{
		"client_id: x\n":                       "needs all three",
		harvest + "api_key: k\n":               "on_behalf_of: required with api_key",
		"api_key: k\non_behalf_of: a@b\n":      "on_behalf_of",
		partner + "partner_url: http://x.test": "api_url: must begin with https://",
	} {
		if strings.Count(settings, "partner_url") == 2 {
			settings = strings.Replace(settings, "partner_url: "+greenhousetest.PartnerURL+"\n", "", 1)
		}
		if _, err := newLab().open(settings); ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", settings, err, want)
		}
	}
}

func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		status string
		was    ats.State
		want   ats.State
		fault  ats.Fault
	}{
		"still rejected":           {"rejected", ats.Rejected, ats.Rejected, ""},
		"withdrawn, says the hook": {"rejected", ats.Withdrawn, ats.Withdrawn, ""},
		"taken back":               {"active", ats.Rejected, ats.Reopened, ""},
		"hired after all":          {"hired", ats.Rejected, ats.Hired, ""},
		"a status of the future":   {"parked", ats.Rejected, "", ats.Invalid},
		"gone":                     {"", ats.Rejected, "", ats.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab()
			l.Move(greenhousetest.Rejected, tt.status)
			got, err := l.connect(t, harvest).(connectors.Checker).State(t.Context(), ats.Event{Application: greenhousetest.Rejected, State: tt.was})
			if got != tt.want || ats.FaultOf(err) != tt.fault {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
	l := newLab()
	for _, id := range []string{"", "1,2", "../jobs"} {
		if _, err := l.connect(t, harvest).(connectors.Checker).State(t.Context(), ats.Event{Application: id}); ats.FaultOf(err) != ats.Invalid || l.Calls() != 0 {
			t.Errorf("the id %q: got %v after %d calls", id, err, l.Calls())
		}
	}
}

func TestTokens(t *testing.T) {
	l := newLab()
	c := l.connect(t, harvest).(connectors.Checker)
	for i, change := range []func(){func() {}, func() {}, func() { l.at = l.at.Add(2 * time.Hour) }, l.Expire} {
		change()
		if _, err := c.State(t.Context(), ats.Event{Application: greenhousetest.Rejected}); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if l.Renewals != 3 {
		t.Errorf("%d tokens, want one, one more after its end and one after it was ended", l.Renewals)
	}
	wrong := strings.Replace(harvest, greenhousetest.ClientSecret, "other", 1)
	if _, err := l.connect(t, wrong).(connectors.Checker).State(t.Context(), ats.Event{Application: greenhousetest.Rejected}); ats.FaultOf(err) != ats.Denied {
		t.Errorf("a wrong secret: got %v", err)
	}
}

func TestPush(t *testing.T) {
	person := ats.Candidate{Name: "佐藤 美咲", Email: "misaki.sato@example.jp"}
	l := newLab()
	c := l.connect(t, partner).(connectors.Pusher)
	ref, err := c.Push(t.Context(), person, greenhousetest.Job)
	if err != nil || ref != "80001" {
		t.Fatalf("got %q, %v", ref, err)
	}
	want := map[string]any{
		"prospect": false, "job_id": float64(4410001), "first_name": "美咲", "last_name": "佐藤", "source": "Career Relay", "notes": "キャリアリレー経由 (introduced by Career Relay)",
		"emails": []any{map[string]any{"email": "misaki.sato@example.jp", "type": "personal"}},
	}
	got := l.Candidates()[0]
	if id, _ := got["external_id"].(string); !strings.HasPrefix(id, "career-relay-") || strings.Contains(id, "misaki") {
		t.Errorf("external id %s", id)
	}
	delete(got, "external_id")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, tt := range map[string]struct {
		person ats.Candidate
		job    string
		fail   int
		want   ats.Fault
	}{
		"another job":    {person, "17", 0, ats.Invalid},
		"no job":         {person, "", 0, ats.Invalid},
		"nobody":         {ats.Candidate{Email: person.Email}, greenhousetest.Job, 0, ats.Invalid},
		"one name only":  {ats.Candidate{Name: "Teo", Email: person.Email}, greenhousetest.Job, 0, ats.Invalid},
		"refused":        {person, greenhousetest.Job, 403, ats.Denied},
		"nobody can say": {person, greenhousetest.Job, 502, ats.Unclear},
	} {
		if tt.fail != 0 {
			l.Fail(tt.fail)
		}
		if _, err := c.Push(t.Context(), tt.person, tt.job); ats.FaultOf(err) != tt.want || strings.Contains(err.Error(), "misaki") {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	if n := len(l.Candidates()); n != 1 {
		t.Errorf("%d candidates, want one", n)
	}
}
