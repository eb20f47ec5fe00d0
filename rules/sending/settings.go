// Package sending decides whether and when a mail may go, and says why not.
package sending

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// A Mode says what happens to mails when their time comes.
type Mode string

// The modes.
const (
	Live     Mode = "live"
	DryRun   Mode = "dry_run"   // everything but the sending
	LinkOnly Mode = "link_only" // the ATS writes, we supply the link
)

// OnUnknown says what to do when it is not known who ended an application.
type OnUnknown string

// The values of OnUnknown.
const (
	HoldUnknown   OnUnknown = "hold" // a person looks at the mail
	SendUnknown   OnUnknown = "send"
	IgnoreUnknown OnUnknown = "ignore"
)

// Settings is what a company decides about its mails.
type Settings struct {
	Mode     Mode         `yaml:"mode"`
	Purposes []string     `yaml:"purposes"`
	Delay    ats.Duration `yaml:"delay"` // not before decision + delay
	Window   Window       `yaml:"window"`
	Holidays Holidays     `yaml:"holidays"`
	// MaxAge is how old a decision may be to be mailed without a person.
	MaxAge ats.Duration `yaml:"max_age"`
	Brake  Brake        `yaml:"brake"`
	// PerMinute is how many of the mails that a person released leave within a
	// minute. The others are spread by their due times.
	PerMinute     int       `yaml:"per_minute"`
	Exclude       []Exclude `yaml:"exclude"`
	OnUnknownSide OnUnknown `yaml:"on_unknown_side"`
}

// An Exclude names candidates who are not written to: by source (agent), by
// type (internal) or by job (confidential).
type Exclude struct {
	Source string `yaml:"source"`
	Type   string `yaml:"type"`
	Job    string `yaml:"job"`
}

// A Brake stops mails when more are planned than usual: more than Batch within
// an hour, or more than Factor times the busiest of the 28 days before within a
// day. The second needs twenty mails, so that small companies are left alone.
type Brake struct {
	Batch  int     `yaml:"batch"`
	Factor float64 `yaml:"factor"`
}

const brakeFloor = 20

// Defaults returns the settings of a company that says nothing: nothing leaves.
func Defaults() Settings {
	return Settings{
		Mode: DryRun, Purposes: []string{"thank_you"}, Delay: ats.Duration(24 * time.Hour),
		Window:   Window{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 10 * time.Hour, To: 17 * time.Hour},
		Holidays: Holidays{Calendar: "jp"}, MaxAge: ats.Duration(30 * 24 * time.Hour), Brake: Brake{Batch: 50, Factor: 3}, PerMinute: 60,
		Exclude: []Exclude{{Source: "agent"}, {Type: "internal"}, {Job: "confidential"}}, OnUnknownSide: HoldUnknown,
	}
}

// Validate reports every problem in s, each with the path of its key.
func (s Settings) Validate() error {
	var errs []error
	one := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			errs = append(errs, fmt.Errorf("%s: %q is not one of %s", key, value, strings.Join(allowed, ", ")))
		}
	}
	one("mode", string(s.Mode), string(Live), string(DryRun), string(LinkOnly))
	one("on_unknown_side", string(s.OnUnknownSide), string(HoldUnknown), string(SendUnknown), string(IgnoreUnknown))
	for i, p := range s.Purposes {
		one(fmt.Sprintf("purposes[%d]", i), p, "thank_you")
	}
	if s.MaxAge <= 0 {
		errs = append(errs, errors.New("max_age: must be longer than 0"))
	}
	if s.Brake.Batch < 1 {
		errs = append(errs, errors.New("brake.batch: must be 1 or more"))
	}
	if s.PerMinute < 1 {
		errs = append(errs, errors.New("per_minute: must be 1 or more"))
	}
	if !(s.Brake.Factor >= 1) { // also refuses what is no number
		errs = append(errs, errors.New("brake.factor: must be 1 or more"))
	}
	for i, x := range s.Exclude {
		if err := x.validate(); err != nil {
			errs = append(errs, fmt.Errorf("exclude[%d]: %w", i, err))
		}
	}
	return errors.Join(append(errs, s.Window.validate(), s.Holidays.validate())...)
}

func (x Exclude) validate() error {
	switch {
	case x.Source != "" && x.Source != "agent":
		return fmt.Errorf("source: %q is not known; have agent", x.Source)
	case x.Type != "" && x.Type != "internal":
		return fmt.Errorf("type: %q is not known; have internal", x.Type)
	case x.Job != "" && x.Job != "confidential":
		return fmt.Errorf("job: %q is not known; have confidential", x.Job)
	case x != Exclude{Source: x.Source} && x != Exclude{Type: x.Type} && x != Exclude{Job: x.Job}, x == Exclude{}:
		return errors.New("write one of source: agent, type: internal, job: confidential")
	}
	return nil
}

// A Window is when mails may leave, in the company's time zone. The opening
// belongs to it, the closing does not. The zero value is always open.
type Window struct {
	Days     []time.Weekday
	From, To time.Duration // since midnight
	bad      error         // what could not be read
}

// Always reports whether w never closes.
func (w Window) Always() bool { return w.To == 0 && len(w.Days) == 0 && w.bad == nil }

var weekdays = map[string]time.Weekday{"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}

// UnmarshalYAML reads the word always or {days: mon-fri, from: "10:00", to: "17:00"}.
// A key that is left out keeps what was set before.
func (w *Window) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil {
		*w = Window{}
		if word != "always" {
			w.bad = fmt.Errorf("%q is not a window; write always or {days: mon-fri, from: \"10:00\", to: \"17:00\"}", word)
		}
		return nil
	}
	var v struct {
		Days any     `yaml:"days"`
		From *string `yaml:"from"`
		To   *string `yaml:"to"`
	}
	if err := unmarshal(&v); err != nil {
		return err
	}
	var errs []error
	if v.Days != nil {
		days, err := readDays(v.Days)
		if err != nil {
			errs = append(errs, fmt.Errorf("days: %w", err))
		}
		w.Days = days
	}
	for _, b := range []struct {
		key  string
		text *string
		at   *time.Duration
	}{{"from", v.From, &w.From}, {"to", v.To, &w.To}} {
		if b.text == nil {
			continue
		}
		var err error
		if *b.at, err = readHour(*b.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", b.key, err))
		}
	}
	w.bad = errors.Join(errs...)
	return nil
}

func readHour(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of day; write \"10:00\" in quotes", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

func readDays(v any) ([]time.Weekday, error) {
	var words []string
	switch v := v.(type) {
	case []any:
		for _, d := range v {
			words = append(words, fmt.Sprint(d))
		}
	default:
		words = strings.Split(fmt.Sprint(v), ",")
	}
	var days []time.Weekday
	for _, word := range words {
		from, to, isRange := strings.Cut(strings.ToLower(strings.TrimSpace(word)), "-")
		if !isRange {
			to = from
		}
		first, ok := weekdays[from]
		last, ok2 := weekdays[to]
		if !ok || !ok2 {
			return nil, fmt.Errorf("%q is not a day; write mon-fri or [mon, wed, fri]", word)
		}
		for d := first; ; d = (d + 1) % 7 {
			if !slices.Contains(days, d) {
				days = append(days, d)
			}
			if d == last {
				break
			}
		}
	}
	if len(days) == 0 {
		return nil, errors.New("no day")
	}
	return days, nil
}

func (w Window) validate() error {
	switch {
	case w.bad != nil:
		return within("window: ", w.bad)
	case w.Always():
		return nil
	case len(w.Days) == 0:
		return errors.New("window.days: no day")
	case w.From >= w.To:
		return errors.New("window.from: must be before to")
	}
	return nil
}

// within puts a path before every one of the joined errors.
func within(path string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error }) // only the outermost join is split
	if !ok {
		return fmt.Errorf("%s%w", path, err)
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, fmt.Errorf("%s%w", path, e))
	}
	return errors.Join(out...)
}

// Holidays are the days on which nothing leaves: those of a calendar (jp or
// none) and the company's own.
type Holidays struct {
	Calendar string
	Also     []time.Time // midnight UTC of each day
	bad      error       // what could not be read
}

// UnmarshalYAML reads the word jp or none, a list of dates, or
// {calendar: jp, also: [2026-12-29]}; without a calendar the one that was set
// before stays.
func (h *Holidays) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil {
		*h = Holidays{Calendar: word}
		return nil
	}
	var dates []string
	if unmarshal(&dates) == nil {
		*h = readDates("none", dates)
		return nil
	}
	v := struct {
		Calendar string   `yaml:"calendar"`
		Also     []string `yaml:"also"`
	}{Calendar: h.Calendar}
	if err := unmarshal(&v); err != nil {
		return err
	}
	*h = readDates(v.Calendar, v.Also)
	return nil
}

func readDates(calendar string, dates []string) Holidays {
	h := Holidays{Calendar: calendar}
	var errs []error
	for _, s := range dates {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q is not a date; write 2026-12-29", s))
			continue
		}
		h.Also = append(h.Also, d)
	}
	h.bad = errors.Join(errs...)
	return h
}

func (h Holidays) validate() error {
	var errs []error
	if h.bad != nil {
		errs = append(errs, within("holidays: ", h.bad))
	}
	if h.Calendar != "jp" && h.Calendar != "none" {
		errs = append(errs, fmt.Errorf("holidays: %q is not one of jp, none, or a list of dates", h.Calendar))
	}
	return errors.Join(errs...)
}
