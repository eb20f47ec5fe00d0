package alerts

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/rules/sending"
)

var (
	jst = time.FixedZone("JST", 9*60*60)
	// monday is 2026-11-16, ten in the morning in Tokyo.
	monday = time.Date(2026, 11, 16, 10, 0, 0, 0, jst)
)

func calendar() sending.Calendar {
	s := sending.Defaults()
	return sending.NewCalendar(s, jst)
}

func TestJudgeSilence(t *testing.T) {
	tests := map[string]struct {
		heard, now time.Time
		quiet      int
		want       bool
	}{
		"news today":                             {monday, monday.Add(time.Hour), 3, false},
		"the third day is not over":              {monday, time.Date(2026, 11, 19, 16, 59, 0, 0, jst), 3, false},
		"the third day is over":                  {monday, time.Date(2026, 11, 19, 17, 1, 0, 0, jst), 3, true},
		"a weekend does not count":               {time.Date(2026, 11, 20, 10, 0, 0, 0, jst), time.Date(2026, 11, 22, 23, 0, 0, 0, jst), 1, false},
		"neither does Labour Thanksgiving":       {time.Date(2026, 11, 20, 10, 0, 0, 0, jst), time.Date(2026, 11, 23, 23, 0, 0, 0, jst), 1, false},
		"but the Tuesday after it does":          {time.Date(2026, 11, 20, 10, 0, 0, 0, jst), time.Date(2026, 11, 24, 17, 1, 0, 0, jst), 1, true},
		"Golden Week is long":                    {time.Date(2026, 5, 1, 10, 0, 0, 0, jst), time.Date(2026, 5, 6, 23, 0, 0, 0, jst), 1, false},
		"the first day after Golden Week counts": {time.Date(2026, 5, 1, 10, 0, 0, 0, jst), time.Date(2026, 5, 7, 17, 1, 0, 0, jst), 1, true},
		"a connection that never spoke":          {time.Time{}, monday, 1, false},
		"switched off":                           {monday, monday.AddDate(1, 0, 0), 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Judge(Facts{Now: test.now, Connections: []Connection{{Company: "acme", Name: "ats", Days: calendar(), Quiet: test.quiet, Heard: test.heard}}})
			var want []Condition
			if test.want {
				want = []Condition{{Company: "acme", Kind: Silence, Subject: "ats", Since: test.heard}}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("conditions differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	end := func(days int) time.Time { return monday.Add(time.Duration(days) * day) }
	tests := map[string]struct {
		facts Facts
		want  []Condition
	}{
		"nothing": {},
		"every brake": {
			Facts{Brakes: []Brake{{"acme", "volume", monday}, {"acme", sending.BrakeBounces, monday}, {"acme", sending.BrakeComplaints, monday}, {"acme", "credentials", monday}, {"acme", "poll", monday}}},
			[]Condition{
				{Company: "acme", Kind: VolumeBrake, Since: monday},
				{Company: "acme", Kind: BounceBrake, Since: monday},
				{Company: "acme", Kind: ComplaintBrake, Since: monday},
				{Company: "acme", Kind: CredentialsBrake, Since: monday},
				{Company: "acme", Kind: PollBrake, Since: monday},
			},
		},
		"live work waits five minutes":           {facts: Facts{Oldest: map[string]time.Time{"live": monday.Add(-5 * time.Minute)}}},
		"live work waits longer":                 {Facts{Oldest: map[string]time.Time{"live": monday.Add(-5*time.Minute - time.Second)}}, []Condition{{Kind: QueueOld, Subject: "live", Since: monday.Add(-5*time.Minute - time.Second)}}},
		"bulk work waits":                        {facts: Facts{Oldest: map[string]time.Time{"bulk": monday.Add(-time.Hour)}}},
		"dead jobs":                              {Facts{Dead: map[string]int{"acme": 3, "globex": 0}}, []Condition{{Company: "acme", Kind: JobsDead, Count: 3}}},
		"parked deliveries":                      {Facts{Parked: map[string]int{"acme": 1}}, []Condition{{Company: "acme", Kind: Parked, Count: 1}}},
		"unclear mails":                          {Facts{Unclear: map[string]int{"acme": 2}}, []Condition{{Company: "acme", Kind: Unclear, Count: 2}}},
		"a broken shared file":                   {Facts{Broken: map[string]int{"": 1}}, []Condition{{Kind: FileBroken, Count: 1}}},
		"a certificate that is good for 22 days": {facts: Facts{Certificate: &End{"relay.example.jp", end(22)}}},
		"a certificate that is good for 21 days": {Facts{Certificate: &End{"relay.example.jp", end(21)}}, []Condition{{Kind: Certificate, Subject: "relay.example.jp", Stage: 2, EndsAt: end(21)}}},
		"a licence without an end":               {facts: Facts{Licences: []End{{Name: "network"}}}},
		"a licence for 61 days":                  {facts: Facts{Licences: []End{{"network", end(61)}}}},
		"a licence for 60 days":                  {Facts{Licences: []End{{"network", end(60)}}}, []Condition{{Kind: Licence, Subject: "network", Stage: 1, EndsAt: end(60)}}},
		"a licence for 30 days":                  {Facts{Licences: []End{{"network", end(30)}}}, []Condition{{Kind: Licence, Subject: "network", Stage: 2, EndsAt: end(30)}}},
		"a licence for 7 days":                   {Facts{Licences: []End{{"network", end(7)}}}, []Condition{{Kind: Licence, Subject: "network", Stage: 3, EndsAt: end(7)}}},
		"a licence that ended":                   {Facts{Licences: []End{{"network", end(0)}}}, []Condition{{Kind: Licence, Subject: "network", Stage: expired, EndsAt: end(0)}}},
		"a vendor that answers":                  {facts: Facts{Connections: []Connection{{Company: "acme", Name: "ats", Days: calendar(), Answered: monday.Add(-time.Hour)}}}},
		"a vendor that does not answer":          {Facts{Connections: []Connection{{Company: "acme", Name: "ats", Days: calendar(), Answered: monday.AddDate(0, 0, -5)}}}, []Condition{{Company: "acme", Kind: PollSilence, Subject: "ats", Since: monday.AddDate(0, 0, -5)}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.facts.Now = monday
			if diff := cmp.Diff(test.want, Judge(test.facts)); diff != "" {
				t.Errorf("conditions differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStep lets time pass: each line is a moment, what holds then, and the word
// that is sent.
func TestStep(t *testing.T) {
	dead := func(n int) []Condition { return []Condition{{Company: "acme", Kind: JobsDead, Count: n}} }
	brake := []Condition{{Company: "acme", Kind: BounceBrake, Since: monday}}
	licence := func(stage int) []Condition { return []Condition{{Kind: Licence, Subject: "network", Stage: stage}} }
	type moment struct {
		after   time.Duration
		now     []Condition
		unknown []Kind
		mute    time.Duration // mutes what is open, for so long
		want    Word
		open    int // alerts that are not resolved afterwards
	}
	tests := map[string][]moment{
		"a brake is told at once, and that it is off once it stays off": {
			{now: brake, want: Opened, open: 1},
			{after: time.Minute, now: brake, open: 1},
			{after: time.Hour, open: 1},
			{after: time.Hour + 4*time.Minute, open: 1},
			{after: time.Hour + 5*time.Minute, want: Resolved},
			{after: 2 * time.Hour},
		},
		"what comes and goes is one alert": {
			{now: brake, want: Opened, open: 1},
			{after: 10 * time.Minute, open: 1},
			{after: 12 * time.Minute, now: brake, open: 1},
			{after: 16 * time.Minute, open: 1},
			{after: 20 * time.Minute, now: brake, open: 1},
			{after: 30 * time.Minute, open: 1},
			{after: 35 * time.Minute, want: Resolved},
		},
		"what passes by itself is told to nobody": {
			{now: dead(1), open: 1},
			{after: 4 * time.Minute, now: dead(2), open: 1},
			{after: 5 * time.Minute},
			{after: 6 * time.Minute, now: dead(1), open: 1},
			{after: 10 * time.Minute, now: dead(1), open: 1},
			{after: 11 * time.Minute, now: dead(1), want: Opened, open: 1},
		},
		"a reminder comes once a day, however much it grows": {
			{now: brake, want: Opened, open: 1},
			{after: 23 * time.Hour, now: brake, open: 1},
			{after: 24 * time.Hour, now: brake, want: Reminded, open: 1},
			{after: 47 * time.Hour, now: brake, open: 1},
			{after: 48 * time.Hour, now: brake, want: Reminded, open: 1},
		},
		"a licence is told of at its stages, and daily when it has ended": {
			{now: licence(1), want: Opened, open: 1},
			{after: 10 * day, now: licence(1), open: 1},
			{after: 30 * day, now: licence(2), want: Reminded, open: 1},
			{after: 40 * day, now: licence(2), open: 1},
			{after: 53 * day, now: licence(3), want: Reminded, open: 1},
			{after: 55 * day, now: licence(3), open: 1},
			{after: 60 * day, now: licence(expired), want: Reminded, open: 1},
			{after: 61 * day, now: licence(expired), want: Reminded, open: 1},
			{after: 62 * day, open: 1},
			{after: 63 * day, want: Resolved},
		},
		"a muted alert does not remind, but tells its end": {
			{now: brake, want: Opened, open: 1},
			{after: time.Hour, now: brake, mute: 3 * day, open: 1},
			{after: 2 * day, now: brake, open: 1},
			{after: 3*day + 2*time.Hour, now: brake, want: Reminded, open: 1},
			{after: 4 * day, open: 1, mute: 3 * day},
			{after: 4*day + time.Hour, want: Resolved},
		},
		"what cannot be looked at stays as it is": {
			{now: brake, want: Opened, open: 1},
			{after: time.Hour, unknown: []Kind{BounceBrake}, open: 1},
			{after: 9 * day, unknown: []Kind{BounceBrake}, open: 1},
			{after: 9*day + time.Minute, unknown: []Kind{Certificate}, open: 1},
		},
	}
	for name, moments := range tests {
		t.Run(name, func(t *testing.T) {
			var open []Alert
			for _, m := range moments {
				at := monday.Add(m.after)
				if m.mute > 0 {
					open[0].MutedUntil = at.Add(m.mute)
				}
				var said []Word
				for _, c := range Step(open, m.now, m.unknown, at) {
					open = slices.DeleteFunc(open, func(a Alert) bool { return a.key() == c.Alert.key() })
					if c.Alert.ResolvedAt.IsZero() {
						open = append(open, c.Alert)
					}
					if c.Say != "" {
						said = append(said, c.Say)
					}
				}
				var want []Word
				if m.want != "" {
					want = []Word{m.want}
				}
				if !slices.Equal(said, want) || len(open) != m.open {
					t.Fatalf("after %v: said %v with %d open, want %v with %d", m.after, said, len(open), want, m.open)
				}
			}
		})
	}
}

func TestStepTouchesOnlyWhatChanges(t *testing.T) {
	now := []Condition{{Company: "a", Kind: Parked, Count: 1}, {Company: "b", Kind: Parked, Count: 1}}
	var open []Alert
	for _, c := range Step(nil, now, nil, monday) {
		open = append(open, c.Alert)
	}
	now[1].Count = 2
	changed := Step(open, now, nil, monday.Add(time.Minute))
	if len(changed) != 1 || changed[0].Alert.Company != "b" || changed[0].Alert.Count != 2 {
		t.Errorf("changed %+v", changed)
	}
}

func TestState(t *testing.T) {
	for want, a := range map[string]Alert{
		"open":     {MutedUntil: monday},
		"muted":    {MutedUntil: monday.Add(1)},
		"resolved": {MutedUntil: monday.Add(1), ResolvedAt: monday},
	} {
		if got := a.State(monday); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, k := range Kinds() {
		for _, locale := range []string{"ja", "en"} {
			a := Alert{Condition: Condition{Company: "acme", Kind: k, Subject: "ats", Count: 3, Since: monday, EndsAt: monday}}
			all := []string{Name(k, locale), Advice(k, locale), a.Text(locale, jst), a.Headline(Opened, locale, "Acme")}
			if slices.Contains(all, "") || strings.ContainsAny(strings.Join(all, ""), "{}") || k.Runbook() == "" {
				t.Errorf("%s in %s: %q", k, locale, all)
			}
		}
	}
	if len(sayings) != len(Kinds()) {
		t.Errorf("%d sayings for %d kinds", len(sayings), len(Kinds()))
	}
	a := Alert{Condition: Condition{Kind: Silence, Subject: "ats", Since: monday}}
	if got := a.Headline(Resolved, "en", "Acme Inc.") + " | " + a.Text("en", jst); got != "[Resolved] Acme Inc.: Silent connection | Nothing has come from the connection ats since 2026-11-16 10:00." {
		t.Errorf("got %q", got)
	}
}
