package table

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// readStyles finds out which numbers are dates: a cell names a style, a style a
// format.
func (b *book) readStyles() error {
	formats, inside := map[int]string{}, false
	for token, err := range b.tokens("xl/styles.xml") {
		if err != nil {
			return err
		}
		name, e, start := element(token)
		id, noID := strconv.Atoi(attr(e, "numFmtId"))
		switch {
		case name == "cellXfs":
			inside = start
		case start && name == "numFmt" && noID == nil:
			formats[id] = attr(e, "formatCode")
		case start && name == "xf" && inside:
			code, own := formats[id]
			b.dates = append(b.dates, own && dateFormat(code) || !own && builtInDate(id))
		}
	}
	return nil
}

// builtInDate knows the formats of dates that every workbook has, among them
// the Japanese ones.
func builtInDate(id int) bool {
	return id >= 14 && id <= 22 || id >= 27 && id <= 36 || id >= 45 && id <= 47 || id >= 50 && id <= 58
}

// literal is what stands in a format and is no code: quoted text, escaped
// characters, colours and locales.
var literal = regexp.MustCompile(`"[^"]*"|\\.|_.|\*.|\[[^\]]*\]`)

// dateFormat reports whether a format writes a number as a date or a time.
func dateFormat(code string) bool {
	code, _, _ = strings.Cut(literal.ReplaceAllString(code, ""), ";")
	return strings.ContainsAny(strings.ToLower(code), "ymdhs")
}

// number writes a number as its cell shows it: a date as a date, an id with all
// its digits. One with more digits than a spreadsheet keeps is left in a form
// by which it is known.
func (b *book) number(raw string, date bool) string {
	n, err := strconv.ParseFloat(raw, 64)
	switch {
	case err != nil:
		return raw
	case date && n >= 0 && n < 2_958_466: // the year 9999
		return b.date(n)
	case math.Abs(n) >= 1e15:
		return strconv.FormatFloat(n, 'e', -1, 64)
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// date writes days since the workbook's day 0.
func (b *book) date(n float64) string {
	days, part := math.Modf(n)
	day := time.Date(1899, 12, 30+int(days)+b.from, 0, 0, 0, 0, time.UTC)
	seconds := time.Duration(math.Round(part*86_400)) * time.Second
	switch {
	case seconds == 0:
		return day.Format(time.DateOnly)
	case days == 0:
		return day.Add(seconds).Format(time.TimeOnly)
	}
	return day.Add(seconds).Format("2006-01-02T15:04:05")
}
