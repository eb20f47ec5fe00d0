package sending

import (
	_ "embed" // the table of holidays
	"slices"
	"strings"
	"time"
)

// A Calendar knows when a company's mails may leave.
type Calendar struct {
	window Window
	jp     bool
	also   map[day]bool
	zone   *time.Location
}

// NewCalendar joins a company's window and holidays in its time zone.
func NewCalendar(s Settings, zone *time.Location) Calendar {
	c := Calendar{window: s.Window, jp: s.Holidays.Calendar == "jp", zone: zone, also: map[day]bool{}}
	for _, d := range s.Holidays.Also {
		c.also[dayOf(d)] = true
	}
	return c
}

// A day is a date without a time of day.
type day struct {
	year  int
	month time.Month
	date  int
}

func dayOf(t time.Time) day {
	y, m, d := t.Date()
	return day{y, m, d}
}

func (d day) at(of time.Duration, zone *time.Location) time.Time {
	return time.Date(d.year, d.month, d.date, int(of/time.Hour), int(of%time.Hour/time.Minute), 0, 0, zone)
}

func (d day) add(days int) day {
	return dayOf(time.Date(d.year, d.month, d.date+days, 0, 0, 0, 0, time.UTC))
}

func (d day) weekday() time.Weekday {
	return time.Date(d.year, d.month, d.date, 0, 0, 0, 0, time.UTC).Weekday()
}

func (c Calendar) openDay(d day) bool {
	if c.window.Always() {
		return true
	}
	if c.also[d] || c.jp && holiday(d) {
		return false
	}
	return slices.Contains(c.window.Days, d.weekday())
}

// Open reports whether mails may leave at t.
func (c Calendar) Open(t time.Time) bool {
	if c.window.Always() {
		return true
	}
	t = t.In(c.zone)
	d := dayOf(t)
	return c.openDay(d) && !t.Before(d.at(c.window.From, c.zone)) && t.Before(d.at(c.window.To, c.zone))
}

// farthest is how many closed days in a row a search for an open one bears.
const farthest = 400

// Next returns t if mails may leave then, otherwise the next opening.
func (c Calendar) Next(t time.Time) time.Time {
	if c.Open(t) {
		return t
	}
	t = t.In(c.zone)
	d := dayOf(t)
	if c.openDay(d) && t.Before(d.at(c.window.From, c.zone)) {
		return d.at(c.window.From, c.zone)
	}
	return c.nextDay(d).at(c.window.From, c.zone)
}

// nextDay returns the first open day after d. A calendar without open days
// gives a day that is far away, never now.
func (c Calendar) nextDay(d day) day {
	for range farthest {
		d = d.add(1)
		if c.openDay(d) {
			break
		}
	}
	return d
}

// Deadline returns the closing time of the n-th open day after the date of t.
func (c Calendar) Deadline(t time.Time, n int) time.Time {
	d := dayOf(t.In(c.zone))
	for range n {
		d = c.nextDay(d)
	}
	return d.at(c.window.To, c.zone)
}

// closing returns when the window of the day of t closes.
func (c Calendar) closing(t time.Time) time.Time {
	return dayOf(t.In(c.zone)).at(c.window.To, c.zone)
}

//go:embed holidays-jp.csv
var holidayTable string

// A table is a list of days off.
type table struct {
	days     map[day]bool
	last     int // the last year in it
	official int // the last year that was officially announced
}

var holidays = readHolidays(holidayTable)

// readHolidays reads the table: the first column is the date, the last one says
// whether it is official.
func readHolidays(text string) table {
	t := table{days: map[day]bool{}}
	for line := range strings.Lines(text) {
		date, rest, _ := strings.Cut(strings.TrimSpace(line), ",")
		at, err := time.Parse(time.DateOnly, date)
		if err != nil {
			continue // the header
		}
		t.days[dayOf(at)] = true
		t.last = max(t.last, at.Year())
		if strings.HasSuffix(rest, ",official") {
			t.official = max(t.official, at.Year())
		}
	}
	return t
}

// LastYear is the last year whose holidays are known for certain; later ones
// are computed from the act.
func LastYear() int { return holidays.official }

// holiday reports whether d is a day off in Japan: by the table as far as it
// goes, by the act's rules after it.
func holiday(d day) bool {
	if d.year <= holidays.last {
		return holidays.days[d]
	}
	return byAct(d)
}

// byAct reports whether the act's rules make d a day off.
func byAct(d day) bool {
	if named(d) {
		return true
	}
	// A named day on a Sunday frees the next day that is not itself named.
	for before := d.add(-1); named(before); before = before.add(-1) {
		if before.weekday() == time.Sunday {
			return true
		}
	}
	// A day between two named days is free.
	return named(d.add(-1)) && named(d.add(1))
}

var fixedDays = map[[2]int]bool{
	{1, 1}: true, {2, 11}: true, {2, 23}: true, {4, 29}: true, {5, 3}: true, {5, 4}: true, {5, 5}: true, {8, 11}: true, {11, 3}: true, {11, 23}: true,
}

// equinoxes are the months of the equinoxes, with the moment of 1980 in days.
var equinoxes = map[time.Month]float64{time.March: 20.8431, time.September: 23.2488}

// mondays are the named days that are the n-th Monday of a month.
var mondays = map[time.Month]int{1: 2, 7: 3, 9: 3, 10: 2}

// named reports whether the act names d, in the form in force since 2022. The
// formula of the equinoxes holds until 2099.
func named(d day) bool {
	if fixedDays[[2]int{int(d.month), d.date}] {
		return true
	}
	if n := mondays[d.month]; n > 0 && d.weekday() == time.Monday && (d.date-1)/7+1 == n {
		return true
	}
	since := d.year - 1980
	first, ok := equinoxes[d.month]
	return ok && d.date == int(first+0.242194*float64(since))-since/4
}
