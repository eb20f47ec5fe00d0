package sending_test

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/career-relay/connector/rules/sending"
)

var tokyo = time.FixedZone("JST", 9*60*60)

// at reads a time; without a zone it is Tokyo's.
func at(tb testing.TB, s string) time.Time {
	tb.Helper()
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if v, err := time.ParseInLocation(layout, s, tokyo); err == nil {
			return v
		}
	}
	tb.Fatalf("%q is not a time", s)
	return time.Time{}
}

// office is the calendar of a company with the default hours.
func office(change func(*sending.Settings)) sending.Calendar {
	s := sending.Defaults()
	if change != nil {
		change(&s)
	}
	return sending.NewCalendar(s, tokyo)
}

// yearEnd closes a company from 12-29 to 01-03.
func yearEnd(s *sending.Settings) {
	for year := 2018; year < 2050; year++ {
		for d := range 6 {
			s.Holidays.Also = append(s.Holidays.Also, time.Date(year, time.December, 29+d, 0, 0, 0, 0, time.UTC))
		}
	}
}

func TestBusinessDays(t *testing.T) {
	f, err := os.Open("testdata/business-day-vectors.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 41 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	calendars := map[string]sending.Calendar{"jp": office(nil), "jp+yearend": office(yearEnd)}
	for _, row := range rows[1:] {
		t.Run(row[0]+" "+row[8], func(t *testing.T) {
			cal, start := calendars[row[1]], at(t, row[2])
			n, err := strconv.Atoi(row[4])
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				if got, want := cal.Next(start), at(t, row[5]); !got.Equal(want) {
					t.Errorf("next: got %s, want %s", got, want)
				}
				return
			}
			got := start
			for range n {
				got = cal.Next(midnight(got))
			}
			if want := at(t, row[5]); got.Format(time.DateOnly) != want.Format(time.DateOnly) {
				t.Errorf("got %s, want the day of %s", got, want)
			}
			if got, want := cal.Deadline(start, n), at(t, row[7]); !got.Equal(want) {
				t.Errorf("deadline: got %s, want %s", got, want)
			}
		})
	}
}

// midnight is the end of the day of t in Tokyo.
func midnight(t time.Time) time.Time {
	t = t.In(tokyo)
	return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, tokyo)
}

func TestHolidays(t *testing.T) {
	// Days of the table, and days after its end, for which the act's rules count.
	closed := []string{
		"2026-05-06", "2025-05-06", "2020-05-06", "2026-09-22", "2027-03-22", "2023-01-02", "2024-02-12", "2024-05-06", "2024-08-12", "2024-09-23", "2024-11-04",
		"2019-04-30", "2019-05-01", "2019-05-02", "2019-10-22", "2021-08-09", "2029-09-24", "2030-08-12", "2030-11-04",
		"2032-09-20", "2032-09-21", "2032-09-22", "2033-01-10", "2033-03-21", "2034-01-02", "2037-05-06", "2037-09-22", "2038-02-23", "2043-09-22", "2049-09-21", "2031-05-06", "2035-04-30", "2036-05-06", "2044-03-21",
	}
	open := []string{
		"2027-05-06", "2028-09-19", "2028-09-20", "2028-09-21", "2020-10-12", "2021-07-19", "2021-10-11", "2020-08-11", "2021-08-11", "2019-12-23", "2028-02-29", "2026-12-29", "2026-08-14",
		"2032-09-24", "2033-01-11", "2037-05-07", "2034-05-08", "2038-02-24", "2033-09-21", "2034-09-19", "2045-05-08",
	}
	cal := office(nil)
	for want, days := range map[bool][]string{false: closed, true: open} {
		for _, d := range days {
			noon := at(t, d+" 12:00")
			if wd := noon.Weekday(); wd == time.Saturday || wd == time.Sunday {
				t.Fatalf("%s is a %s and tells nothing", d, wd)
			}
			if got := cal.Open(noon); got != want {
				t.Errorf("%s (%s): open is %t, want %t", d, noon.Weekday(), got, want)
			}
		}
	}
}

// As far as the table goes, the act's rules must give the same days, except in
// the years in which other acts moved some.
func TestRulesAgreeWithTheTable(t *testing.T) {
	cal := office(func(s *sending.Settings) {
		s.Window.Days = []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	})
	for d := at(t, "2022-01-01 12:00"); d.Year() < 2031; d = d.AddDate(0, 0, 1) {
		if got, want := cal.Open(d), !sending.ByAct(d); got != want {
			t.Errorf("%s: the table says open %t, the rules %t", d.Format(time.DateOnly), got, want)
		}
	}
}

func TestLastYear(t *testing.T) {
	if got := sending.LastYear(); got != 2027 {
		t.Errorf("the official table ends in %d, want 2027", got)
	}
}

func TestWindowEdges(t *testing.T) {
	saturdays := func(s *sending.Settings) {
		s.Window.Days, s.Window.From, s.Window.To = []time.Weekday{6}, 22*time.Hour, 24*time.Hour
	}
	always := func(s *sending.Settings) { s.Window = sending.Window{} }
	none := func(s *sending.Settings) { s.Holidays.Calendar = "none" }
	tests := map[string]struct {
		settings func(*sending.Settings)
		t, next  string
	}{
		"the second before the opening":           {nil, "2026-06-09 09:59:59", "2026-06-09 10:00"},
		"the opening":                             {nil, "2026-06-09 10:00", "2026-06-09 10:00"},
		"the last second":                         {nil, "2026-06-09 16:59:59", "2026-06-09 16:59:59"},
		"the closing":                             {nil, "2026-06-09 17:00", "2026-06-10 10:00"},
		"Friday evening":                          {nil, "2026-06-12 17:00", "2026-06-15 10:00"},
		"in UTC it is another day":                {nil, "2026-06-11T23:30:00Z", "2026-06-12 10:00"},
		"the end of a month":                      {nil, "2026-03-31T08:00:00Z", "2026-04-01 10:00"},
		"the end of the year":                     {nil, "2026-12-31 17:00", "2027-01-04 10:00"},
		"the end of the year with a company's":    {yearEnd, "2026-12-28 17:00", "2027-01-04 10:00"},
		"a holiday":                               {nil, "2026-11-23 12:00", "2026-11-24 10:00"},
		"a holiday that does not count":           {none, "2026-11-23 12:00", "2026-11-23 12:00"},
		"a window until midnight":                 {saturdays, "2026-06-13 23:59:59", "2026-06-13 23:59:59"},
		"midnight itself":                         {saturdays, "2026-06-14 00:00", "2026-06-20 22:00"},
		"a window that never closes":              {always, "2026-01-01 03:00", "2026-01-01 03:00"},
		"the days of Golden Week in another year": {nil, "2037-05-02 12:00", "2037-05-07 10:00"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cal, start, want := office(tt.settings), at(t, tt.t), at(t, tt.next)
			if got := cal.Next(start); !got.Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := cal.Open(start); got != start.Equal(want) {
				t.Errorf("open: got %t", got)
			}
		})
	}
}

// The opening keeps its time of day where clocks change.
func TestSummerTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("this machine has no time zones")
	}
	s := sending.Defaults()
	s.Holidays.Calendar = "none"
	cal := sending.NewCalendar(s, berlin)
	if got, want := cal.Next(time.Date(2026, 10, 23, 18, 0, 0, 0, berlin)), time.Date(2026, 10, 26, 10, 0, 0, 0, berlin); !got.Equal(want) { // clocks go back on the 25th
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := cal.Next(time.Date(2026, 3, 27, 18, 0, 0, 0, berlin)), time.Date(2026, 3, 30, 10, 0, 0, 0, berlin); !got.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A calendar without open days never says now.
func TestNeverOpen(t *testing.T) {
	cal := office(func(s *sending.Settings) {
		for d := range 800 {
			s.Holidays.Also = append(s.Holidays.Also, time.Date(2026, time.January, d, 0, 0, 0, 0, time.UTC))
		}
	})
	now := at(t, "2026-01-05 12:00")
	if got := cal.Next(now); got.Before(now.AddDate(1, 0, 0)) {
		t.Errorf("got %s", got)
	}
}

func BenchmarkNext(b *testing.B) {
	cal, t := office(yearEnd), at(b, "2026-12-28 17:00")
	for b.Loop() {
		cal.Next(t)
	}
}
