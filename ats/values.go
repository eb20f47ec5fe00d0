package ats

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// A Secret is a key or a password. Like an Email it hides itself in every
// formatted output; convert it to a string where the value is needed.
type Secret string

// String returns a mask.
func (Secret) String() string { return "[secret]" }

// GoString returns a mask.
func (Secret) GoString() string { return "[secret]" }

// Format writes a mask for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue returns a mask.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText returns a mask, so that settings can be printed.
func (s Secret) MarshalText() ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return []byte("[secret]"), nil
}

// A Duration is a time.Duration that is written with days too: "36h", "30d".
// A day is 24 hours; negative values are refused.
type Duration time.Duration

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes whole days as "30d" and everything else as time.Duration does.
func (d Duration) String() string {
	const day = Duration(24 * time.Hour)
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return time.Duration(d).String()
}

// MarshalText writes d as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "90m", "24h", "30d" or "0".
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return Errorf(Invalid, "%q is not a duration; write 90m, 24h or 30d", s)
		}
		*d = Duration(n) * Duration(24*time.Hour)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return Errorf(Invalid, "%q is not a duration; write 90m, 24h or 30d", s)
	}
	*d = Duration(v)
	return nil
}
