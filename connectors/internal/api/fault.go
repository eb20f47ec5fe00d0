package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// Bounds of what a vendor may make us wait.
const (
	minWait   = time.Second
	maxWait   = 6 * time.Hour
	limitWait = 30 * time.Second // after a 429 that does not say
)

// fault translates an answer that is no success.
func (c *Client) fault(call string, answer *http.Response) error {
	code := answer.StatusCode
	text := strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return ats.Errorf(ats.Denied, "%s: %s: check the API key and what it may read", call, text)
	case code == http.StatusNotFound || code == http.StatusGone:
		return ats.Errorf(ats.NotFound, "%s: %s", call, text)
	case code == http.StatusConflict:
		return ats.Errorf(ats.Conflict, "%s: %s", call, text)
	case code == http.StatusTooManyRequests:
		wait := c.wait(answer.Header)
		if wait == 0 {
			wait = limitWait
		}
		return ats.BusyFor(wait, "%s: %s", call, text)
	case code == http.StatusRequestTimeout || code >= 500:
		return ats.BusyFor(c.wait(answer.Header), "%s: %s", call, text)
	case code >= 300 && code < 400:
		return ats.Errorf(ats.Invalid, "%s: %s: it wants to send us elsewhere, which is not followed", call, text)
	}
	return ats.Errorf(ats.Invalid, "%s: %s", call, text)
}

// resets are the headers in which vendors say when they answer again, in the
// order of what is believed first.
var resets = []string{"Retry-After", "X-RateLimit-Reset", "X-Rate-Limit-Reset", "RateLimit-Reset", "X-Reset", "X-Reset-At"}

// wait is how long the vendor asks us to wait: a number of seconds, a Unix
// time, or a date in one of two forms; 0 when it does not say.
func (c *Client) wait(h http.Header) time.Duration {
	for _, name := range resets {
		value := strings.TrimSpace(h.Get(name))
		if value == "" {
			continue
		}
		if d, ok := until(value, c.now()); ok {
			return min(max(d, minWait), maxWait)
		}
	}
	return 0
}

// asTime is where a number stops being a count of seconds and is a Unix time.
const asTime = 1e9

func until(value string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.ParseFloat(value, 64); err == nil {
		switch {
		case !(n >= 0 && n < asTime*1e6): // also what is no number
			return 0, false
		case n < asTime:
			return time.Duration(min(n, maxWait.Seconds()) * float64(time.Second)), true
		case n < asTime*1e3:
			return time.Unix(int64(n), 0).Sub(now), true
		}
		return time.UnixMilli(int64(n)).Sub(now), true
	}
	if t, err := http.ParseTime(value); err == nil {
		return t.Sub(now), true
	}
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		return t.Sub(now), true
	}
	return 0, false
}
