package mapping

import (
	"strconv"
	"time"

	"github.com/career-relay/connector/ats"
)

// japan is the zone of a time that names none.
var japan = time.FixedZone("JST", 9*60*60)

// layouts are the forms in which vendors write times, without the Unix forms.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006/1/2 15:04:05", "2006/1/2 15:04",
}

// days are forms without a time of day; the whole day is meant.
var days = []string{time.DateOnly, "2006/1/2", "2006年1月2日", "20060102"}

// ParseTime reads a vendor's time: RFC 3339 and its relatives, Unix seconds or
// milliseconds, or a date, of which the last second counts. Without a zone it
// is Japan's.
func ParseTime(s string) (time.Time, error) {
	for _, l := range layouts {
		if t, err := time.ParseInLocation(l, s, japan); err == nil {
			return t.UTC(), nil
		}
	}
	for _, l := range days {
		if t, err := time.ParseInLocation(l, s, japan); err == nil {
			return t.AddDate(0, 0, 1).Add(-time.Second).UTC(), nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch {
		case n >= 1e9 && n < 1e10:
			return time.Unix(n, 0).UTC(), nil
		case n >= 1e12 && n < 1e13:
			return time.UnixMilli(n).UTC(), nil
		}
	}
	return time.Time{}, ats.Errorf(ats.Invalid, "not a time: want 2026-11-24T09:00:00+09:00, a date, or Unix seconds or milliseconds")
}
