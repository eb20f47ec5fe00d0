package mapping

import (
	"context"
	"testing"
	"time"
)

// A machine that is too busy to be in time turns no good payload away, but it
// does end an endless program, and one whose few steps take for ever.
func TestBusyMachine(t *testing.T) {
	passed, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	tests := map[string]struct {
		last, first context.Context
		text        string
		want        any
		ends        bool
	}{
		"a good payload, late":        {t.Context(), passed, `.body.list | map(. + 1) | add`, 9, true},
		"an endless program":          {t.Context(), passed, "last(range(1e15))", nil, false},
		"a good payload, too late":    {passed, passed, `.body.list | map(. + 1) | add`, nil, false},
		"many steps, but in time":     {t.Context(), t.Context(), "[range(20000)] | length", 20000, true},
		"as many steps, but too late": {t.Context(), passed, "[range(20000)] | length", nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, err := compile(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			doc := map[string]any{"body": map[string]any{"list": []any{1, 2, 3}}}
			got, err := evaluate(&budget{Context: tt.last, first: tt.first}, code, doc)
			if got != tt.want || (err == nil) != tt.ends {
				t.Errorf("got %v and %v, want %v", got, err, tt.want)
			}
		})
	}
}
