package sending_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/rules/sending"
)

// read reads settings over the defaults, strictly.
func read(text string) (sending.Settings, error) {
	s := sending.Defaults()
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		return s, err
	}
	return s, s.Validate()
}

func TestDefaults(t *testing.T) {
	s := sending.Defaults()
	if err := s.Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
	if s.Mode != sending.DryRun {
		t.Errorf("a company that says nothing would send: %s", s.Mode)
	}
	full, err := read(`
mode: dry_run
purposes: [thank_you]
delay: 24h
window: {days: mon-fri, from: "10:00", to: "17:00"}
holidays: jp
max_age: 30d
brake: {batch: 50, factor: 3}
exclude: [{source: agent}, {type: internal}, {job: confidential}]
on_unknown_side: hold
`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, full, cmpopts.IgnoreUnexported(sending.Window{}, sending.Holidays{})); diff != "" {
		t.Errorf("the documented example differs from the defaults (-want +got):\n%s", diff)
	}
}

func TestReadSettings(t *testing.T) {
	const h = time.Hour
	weekdays := []time.Weekday{1, 2, 3, 4, 5}
	dates := func(s ...string) []time.Time {
		var out []time.Time
		for _, one := range s {
			d, err := time.Parse(time.DateOnly, one)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, d)
		}
		return out
	}
	tests := map[string]struct {
		text string
		want func(*sending.Settings)
	}{
		"only a mode":              {"mode: live", func(s *sending.Settings) { s.Mode = sending.Live }},
		"always":                   {"window: always", func(s *sending.Settings) { s.Window = sending.Window{} }},
		"nothing for a key":        {"window:\nholidays:", func(*sending.Settings) {}},
		"only the hours":           {`window: {from: "09:30", to: "18:00"}`, func(s *sending.Settings) { s.Window = sending.Window{Days: weekdays, From: 9*h + h/2, To: 18 * h} }},
		"only the days":            {"window: {days: mon-sat}", func(s *sending.Settings) { s.Window.Days = []time.Weekday{1, 2, 3, 4, 5, 6} }},
		"hours without quotes":     {"window: {from: 09:30, to: 18:00}", func(s *sending.Settings) { s.Window.From, s.Window.To = 9*h+h/2, 18*h }},
		"until midnight":           {`window: {from: "00:00", to: "24:00"}`, func(s *sending.Settings) { s.Window.From, s.Window.To = 0, 24*h }},
		"a list of days":           {"window: {days: [mon, Wed, fri]}", func(s *sending.Settings) { s.Window.Days = []time.Weekday{1, 3, 5} }},
		"a list with a range":      {"window: {days: [sun, tue-thu]}", func(s *sending.Settings) { s.Window.Days = []time.Weekday{0, 2, 3, 4} }},
		"days with commas":         {"window: {days: 'mon-tue, fri'}", func(s *sending.Settings) { s.Window.Days = []time.Weekday{1, 2, 5} }},
		"a range over the weekend": {"window: {days: fri-mon}", func(s *sending.Settings) { s.Window.Days = []time.Weekday{5, 6, 0, 1} }},
		"a day named twice":        {"window: {days: [mon, mon-tue]}", func(s *sending.Settings) { s.Window.Days = []time.Weekday{1, 2} }},
		"no holidays":              {"holidays: none", func(s *sending.Settings) { s.Holidays.Calendar = "none" }},
		"a list of dates": {"holidays: [2026-12-29, 2026-12-30]", func(s *sending.Settings) {
			s.Holidays = sending.Holidays{Calendar: "none", Also: dates("2026-12-29", "2026-12-30")}
		}},
		"a calendar and more":         {"holidays: {calendar: jp, also: [2026-12-29]}", func(s *sending.Settings) { s.Holidays.Also = dates("2026-12-29") }},
		"more days for the calendar":  {"holidays: {also: ['2026-12-29']}", func(s *sending.Settings) { s.Holidays.Also = dates("2026-12-29") }},
		"no exclusions and no delay":  {"exclude: []\ndelay: 0", func(s *sending.Settings) { s.Exclude, s.Delay = nil, 0 }},
		"no mails at all":             {"purposes: []", func(s *sending.Settings) { s.Purposes = nil }},
		"a brake in part":             {"brake: {batch: 5}", func(s *sending.Settings) { s.Brake.Batch = 5 }},
		"a day as the shortest limit": {"max_age: 1d\nbrake: {factor: 1.5}", func(s *sending.Settings) { s.MaxAge, s.Brake.Factor = ats.Duration(24*h), 1.5 }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := read(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			want := sending.Defaults()
			tt.want(&want)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(sending.Window{}, sending.Holidays{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if tt.text == "window: always" && !got.Window.Always() {
				t.Error("the window closes")
			}
		})
	}
}

func TestReadSettingsErrors(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"an unknown mode":       {"mode: on", []string{`mode: "on" is not one of live, dry_run, link_only`}},
		"an unknown purpose":    {"purposes: [thank_you, gift]", []string{`purposes[1]: "gift" is not one of thank_you`}},
		"an unknown policy":     {"on_unknown_side: guess", []string{`on_unknown_side: "guess" is not one of hold, send, ignore`}},
		"no age":                {"max_age: 0", []string{"max_age: must be longer than 0"}},
		"no pace":               {"per_minute: 0", []string{"per_minute: must be 1 or more"}},
		"no batch":              {"brake: {batch: 0, factor: 0.9}", []string{"brake.batch: must be 1 or more", "brake.factor: must be 1 or more"}},
		"a factor that is none": {"brake: {factor: .nan}", []string{"brake.factor: must be 1 or more"}},
		"exclusions": {"exclude: [{source: friend}, {type: external}, {job: secret}, {}, {source: agent, type: internal}, {type: internal, job: confidential}]", []string{
			`exclude[0]: source: "friend" is not known; have agent`, `exclude[1]: type: "external" is not known; have internal`, `exclude[2]: job: "secret" is not known; have confidential`,
			"exclude[3]: write one of source: agent, type: internal, job: confidential", "exclude[4]: write one of source: agent, type: internal, job: confidential",
			"exclude[5]: write one of source: agent, type: internal, job: confidential",
		}},
		"a window in words":         {"window: office hours", []string{`window: "office hours" is not a window; write always or {days: mon-fri, from: "10:00", to: "17:00"}`}},
		"everything in a window":    {"window: {days: mo-fr, from: 25:00, to: late}", []string{`window: days: "mo-fr" is not a day; write mon-fri or [mon, wed, fri]`, `window: from: "25:00" is not a time of day; write "10:00" in quotes`, `window: to: "late" is not a time of day; write "10:00" in quotes`}},
		"a number for a day":        {"window: {days: 5}", []string{`window: days: "5" is not a day; write mon-fri or [mon, wed, fri]`}},
		"a range without an end":    {"window: {days: mon-}", []string{`window: days: "mon-" is not a day; write mon-fri or [mon, wed, fri]`}},
		"no days":                   {"window: {days: [], from: '00:00', to: '00:00'}", []string{"window: days: no day"}},
		"a window that is too late": {"window: {from: '18:00'}", []string{"window.from: must be before to"}},
		"a window without time":     {"window: {from: '10:00', to: '10:00'}", []string{"window.from: must be before to"}},
		"an unknown calendar":       {"holidays: us", []string{`holidays: "us" is not one of jp, none, or a list of dates`}},
		"dates that are none":       {"holidays: [2026-12-29, 2026-02-30, new year]", []string{`holidays: "2026-02-30" is not a date; write 2026-12-29`, `holidays: "new year" is not a date; write 2026-12-29`}},
		"both in holidays":          {"holidays: {calendar: us, also: [x]}", []string{`holidays: "x" is not a date; write 2026-12-29`, `holidays: "us" is not one of jp, none, or a list of dates`}},
		"everything at once":        {"mode: on\nmax_age: 0\nwindow: never\nholidays: us", []string{`mode: "on" is not one of live, dry_run, link_only`, "max_age: must be longer than 0", `window: "never" is not a window; write always or {days: mon-fri, from: "10:00", to: "17:00"}`, `holidays: "us" is not one of jp, none, or a list of dates`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := read(tt.text)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is no settings at all is refused while reading.
func TestUnreadableSettings(t *testing.T) {
	for _, text := range []string{"mode: [live]", "windows: always", "window: [mon]", "window: {day: mon}", "window: {days: {mon: 1}, until: 9}", "holidays: {calender: jp}", "holidays: {also: {a: 1}}", "delay: 24", "max_age: -1d", "brake: 50", "exclude: {source: agent}"} {
		if _, err := read(text); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func TestValidateByHand(t *testing.T) {
	s := sending.Defaults()
	s.Window = sending.Window{From: 10 * time.Hour, To: 17 * time.Hour}
	s.Brake.Factor = math.Inf(1)
	if err := s.Validate(); err == nil || err.Error() != "window.days: no day" {
		t.Errorf("got %v", err)
	}
	if err := (sending.Settings{}).Validate(); err == nil {
		t.Error("settings without a mode are valid")
	}
}
