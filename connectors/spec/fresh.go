package spec

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/connectors"
)

var (
	textTime   = regexp.MustCompile(`(["'>])(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})? ?(?:Z|UTC|[+-]\d\d:?\d\d)?)?)(["'<])`)
	numberTime = regexp.MustCompile(`([:>]\s*"?)(1\d{9}(?:\d{3})?)("?\s*[,}\]<])`)
)

// layouts are the forms of a time that moves along.
var layouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05", time.DateOnly,
}

// nearby is how far from the time of arrival a text is taken for a time.
const nearby = 2 * 365 * 24 * time.Hour

// Fresh returns a sample as if it arrived now: the times in its body and written
// in its headers move along with the time of arrival, so that a decision in it
// has just been made.
func Fresh(p connectors.Payload, now time.Time) connectors.Payload {
	m := mover{p.Received, now.Sub(p.Received).Truncate(time.Second)}
	switch form, err := url.ParseQuery(string(p.Body)); {
	case strings.HasPrefix(p.Header.Get("Content-Type"), kinds[".form"]) && err == nil:
		for _, values := range form {
			for i, v := range values {
				values[i] = m.number(m.text(v))
			}
		}
		p.Body = []byte(form.Encode())
	default:
		body := replace(textTime, string(p.Body), m.text)
		p.Body = []byte(replace(numberTime, body, m.number))
	}
	p.Header = p.Header.Clone()
	for _, values := range p.Header {
		for i, v := range values {
			if len(v) > len(time.DateOnly) { // a day alone is a version
				values[i] = m.text(v)
			}
		}
	}
	p.Received = now
	return p
}

// replace changes the middle group of every match.
func replace(pattern *regexp.Regexp, text string, change func(string) string) string {
	return pattern.ReplaceAllStringFunc(text, func(match string) string {
		parts := pattern.FindStringSubmatch(match)
		return parts[1] + change(parts[2]) + parts[3]
	})
}

// A mover moves times that lie near to one.
type mover struct {
	from time.Time
	by   time.Duration
}

// text moves a written time and keeps its form; it returns any other text as it
// is.
func (m mover) text(s string) string {
	for _, layout := range layouts {
		t, err := time.Parse(layout, s) // takes a fraction of a second too
		if err != nil || m.from.Sub(t).Abs() > nearby {
			continue
		}
		if _, rest, ok := strings.Cut(s, "."); ok {
			digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
			layout = strings.Replace(layout, "05", "05."+strings.Repeat("0", digits), 1)
		}
		return t.Add(m.by).Format(layout)
	}
	return s
}

// number moves Unix seconds and milliseconds.
func (m mover) number(s string) string {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || len(s) != 10 && len(s) != 13 {
		return s
	}
	t, by := time.Unix(n, 0), int64(m.by/time.Second)
	if len(s) == 13 {
		t, by = time.UnixMilli(n), m.by.Milliseconds()
	}
	if m.from.Sub(t).Abs() > nearby {
		return s
	}
	return strconv.FormatInt(n+by, 10)
}
