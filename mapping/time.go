package mapping

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/career-relay/connector/ats"
)

// japan is the zone of a time that names none.
var japan = time.FixedZone("JST", 9*60*60)

// An instant is a time, or a whole day by its last second.
type instant struct {
	time.Time
	day bool
}

// within returns the instant of something that is known to have happened by
// then: a day that has not ended counts up to now only.
func (i instant) within(now time.Time) time.Time {
	if i.day && i.After(now) {
		return now.UTC()
	}
	return i.Time
}

// ParseTime reads a vendor's time: ISO 8601 and its relatives, Unix seconds or
// milliseconds, or a date, also of a Japanese era, of which the last second
// counts. Without a zone it is Japan's. A blank or a dash is the zero time.
func ParseTime(s string) (time.Time, error) {
	i, err := parseInstant(s)
	return i.Time, err
}

// blanks are what systems write where they have no time.
var blanks = []string{"", "-", "–", "—", "―", "ー", "'", "0000-00-00", "0000-00-00 00:00:00"}

func parseInstant(s string) (instant, error) {
	s = strings.TrimSpace(norm.NFKC.String(s))
	if slices.Contains(blanks, s) {
		return instant{}, nil
	}
	if t, ok := unix(s); ok {
		return instant{Time: t}, nil
	}
	year, month, day, rest, ok := cutDate(s)
	if !ok {
		return instant{}, notATime()
	}
	midnight := time.Date(year, time.Month(month), day, 0, 0, 0, 0, japan)
	if midnight.Day() != day || int(midnight.Month()) != month {
		return instant{}, notATime()
	}
	if rest == "" {
		return instant{midnight.AddDate(0, 0, 1).Add(-time.Second).UTC(), true}, nil
	}
	of, zone, ok := clock(rest)
	if !ok {
		return instant{}, notATime()
	}
	return instant{Time: time.Date(year, time.Month(month), day, 0, 0, 0, 0, zone).Add(of).UTC()}, nil
}

func notATime() error {
	return ats.Errorf(ats.Invalid, "not a time: want 2026-11-24T09:00:00+09:00, a date, or Unix seconds or milliseconds")
}

var unixTime = regexp.MustCompile(`^(\d{10}|\d{13})(\.\d{1,9})?$`)

// unix reads seconds from 2001 on, or milliseconds; their number of digits
// tells them from each other and from dates and serial numbers of spreadsheets.
func unix(s string) (time.Time, bool) {
	m := unixTime.FindStringSubmatch(s)
	if m == nil || s[0] == '0' {
		return time.Time{}, false
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	if len(m[1]) == 13 {
		return time.UnixMilli(n).UTC(), true
	}
	return time.Unix(n, nanos(strings.TrimPrefix(m[2], "."))).UTC(), true
}

// nanos reads the digits behind a decimal point.
func nanos(digits string) int64 {
	n, _ := strconv.ParseInt((digits + "000000000")[:9], 10, 64)
	return n
}

const number = `(\d{1,2}|[一二三四五六七八九十]{1,3})`

var (
	compactDate = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})(.*))?$`)
	writtenDate = regexp.MustCompile(`^(?:(\d{4})|(令和|平成|昭和|(?i:[RHS])) ?(元|` + number + `))[-/.年] ?` + number + `[-/.月] ?` + number + `日?(?: ?\([^()]*\))?`)
)

// cutDate takes the date from the beginning of s.
func cutDate(s string) (year, month, day int, rest string, ok bool) {
	if m := compactDate.FindStringSubmatch(s); m != nil {
		if m[4] != "" {
			rest = m[4] + ":" + m[5] + ":" + m[6] + m[7]
		}
		return count(m[1]), count(m[2]), count(m[3]), rest, true
	}
	m := writtenDate.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, 0, "", false
	}
	year, month, day = count(m[1]), count(m[5]), count(m[6])
	if m[2] != "" {
		if year, ok = eraYear(m[2], m[3], month, day); !ok {
			return 0, 0, 0, "", false
		}
	}
	return year, month, day, s[len(m[0]):], true
}

// An eraSpan is a Japanese era with its first and its last date, each written as
// one number.
type eraSpan struct {
	names       []string
	first, last int
}

// eras has every era that the pattern of a written date knows.
var eras = []eraSpan{
	{[]string{"令和", "R"}, 2019_05_01, 9999_12_31},
	{[]string{"平成", "H"}, 1989_01_08, 2019_04_30},
	{[]string{"昭和", "S"}, 1926_12_25, 1989_01_07},
}

// eraYear returns the year of a date that lies in the era.
func eraYear(era, of string, month, day int) (int, bool) {
	n := 1
	if of != "元" {
		n = count(of)
	}
	e := eras[slices.IndexFunc(eras, func(e eraSpan) bool { return slices.Contains(e.names, strings.ToUpper(era)) })]
	year := e.first/1_00_00 + n - 1
	date := year*1_00_00 + month*1_00 + day
	return year, n > 0 && e.first <= date && date <= e.last
}

// count reads digits or Japanese numerals below a hundred.
func count(s string) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	n := 0
	for _, r := range s {
		if r == '十' {
			n = max(n, 1) * 10
			continue
		}
		n += slices.Index([]rune("〇一二三四五六七八九"), r)
	}
	return n
}

var clockTime = regexp.MustCompile(`^[T ]*(午前|午後)? ?(\d{1,2})(?::(\d{2})(?::(\d{2})(?:[.,](\d{1,9})\d*)?)?|時(?:(\d{1,2})分)?(?:(\d{1,2})秒)?) ?((?i:am|pm))? ?(?:(Z|UTC|GMT|JST)|([+-]\d{2}):?(\d{2})?)?$`)

// clock reads a time of day with its zone. Other names of zones are refused:
// they are not unique.
func clock(s string) (of time.Duration, zone *time.Location, ok bool) {
	m := clockTime.FindStringSubmatch(s)
	if m == nil {
		return 0, nil, false
	}
	hour, minute, second := count(m[2]), count(m[3]+m[6]), count(m[4]+m[7])
	switch half := strings.ToLower(m[1] + m[8]); {
	case half != "" && hour > 12:
		return 0, nil, false
	case half == "pm" || half == "午後":
		hour = hour%12 + 12
	case half != "":
		hour %= 12
	}
	if zone, ok = offset(m[9], m[10], m[11]); !ok {
		return 0, nil, false
	}
	of = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(nanos(m[5]))
	return of, zone, hour < 24 && minute < 60 && second < 60
}

// offset returns the zone of a name, or of signed hours and of minutes.
func offset(name, hours, minutes string) (*time.Location, bool) {
	switch {
	case hours != "":
		h, m := count(hours[1:]), count(minutes)
		seconds := (h*60 + m) * 60
		if hours[0] == '-' {
			seconds = -seconds
		}
		return time.FixedZone("", seconds), h < 15 && m < 60
	case name == "" || name == "JST":
		return japan, true
	}
	return time.UTC, true
}
