package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/itchyny/gojq"
)

// functions are what expressions can call beside jq's own functions.
func functions() []gojq.CompilerOption {
	var out []gojq.CompilerOption
	for name, fn := range map[string]func(any) any{"outcome": outcome, "ended_by": endedBy, "given": given, "digest": digest} {
		out = append(out, gojq.WithFunction(name, 0, 0, func(v any, _ []any) any { return fn(v) }))
	}
	return out
}

func outcome(v any) any {
	s, _ := v.(string)
	return string(OutcomeOf(s))
}

// given returns nil for what tools write when they have nothing: a blank, the
// words null and undefined, or a template whose variable was never filled in.
func given(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	switch s = strings.TrimSpace(s); {
	case s == "" || s == "null" || s == "undefined",
		strings.HasPrefix(s, "{{") && strings.HasSuffix(s, "}}"),
		strings.HasPrefix(s, "${") && strings.HasSuffix(s, "}"):
		return nil
	}
	return s
}

// digest returns a short name that always is the same for the same text and
// does not show it; nil for what is no text.
func digest(v any) any {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	sum := sha256.Sum256([]byte("digest\x00" + s))
	return hex.EncodeToString(sum[:10])
}
