package connectors_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

func first(year int, month time.Month) time.Time {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

func TestSecretFromFile(t *testing.T) {
	type plain connectors.Secret
	tests := map[string]struct {
		text string
		want plain
		err  string
	}{
		"a value":              {"s-1", plain{Value: "s-1"}, ""},
		"a value alone":        {"{value: s-1}", plain{Value: "s-1"}, ""},
		"with an end":          {"{value: s-1, until: 2026-12-31}", plain{Value: "s-1", NotAfter: first(2027, 1)}, ""},
		"with both ends":       {"{value: s-1, from: 2026-12-01, until: 2026-12-31}", plain{Value: "s-1", NotBefore: first(2026, 12), NotAfter: first(2027, 1)}, ""},
		"for one kind":         {"{value: s-1, for: candidateHired}", plain{Value: "s-1", For: "candidateHired"}, ""},
		"a day that is none":   {"{value: s-1, until: 2026-13-31}", plain{}, `"2026-13-31" is not a date`},
		"a key that is none":   {"{value: s-1, till: 2026-12-31}", plain{}, "field till not found"},
		"a list":               {"[s-1]", plain{}, "cannot unmarshal"},
		"a date without a day": {"{value: s-1, from: 2026-12}", plain{}, `"2026-12" is not a date`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got connectors.Secret
			d := yaml.NewDecoder(strings.NewReader(tt.text))
			d.KnownFields(true)
			err := d.Decode(&got)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, plain(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestSecretInItsTime(t *testing.T) {
	s := connectors.Secret{Value: "s", NotBefore: first(2026, 12), NotAfter: first(2027, 1)}
	for at, want := range map[time.Time]bool{
		first(2026, 12).Add(-1): false, first(2026, 12): true, first(2027, 1).Add(-1): true, first(2027, 1): false,
	} {
		if got := s.At(at); got != want {
			t.Errorf("at %s: got %t, want %t", at, got, want)
		}
	}
	if !(connectors.Secret{}).At(time.Time{}) {
		t.Error("a secret without bounds is not valid")
	}
}

func TestSecretHidesItself(t *testing.T) {
	s := connectors.Secret{Value: "hunter2", For: "x"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "all", []connectors.Secret{s})
	text, err := json.Marshal(map[string]any{"secret": s})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s), fmt.Sprint([]connectors.Secret{s}), fmt.Sprintf("%+v", &s), log.String(), string(text),
	} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e74657232") {
			t.Errorf("shows itself: %s", shown)
		}
	}
}

func TestContent(t *testing.T) {
	pack := func(n int) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(bytes.Repeat([]byte("x"), n))
		_ = w.Close()
		return b.Bytes()
	}
	marked := http.Header{"Content-Encoding": {"gzip"}}
	for name, tt := range map[string]struct {
		p     connectors.Payload
		size  int
		fault ats.Fault
	}{
		"plain":               {connectors.Payload{Body: []byte("xx")}, 2, ""},
		"gzip by its mark":    {connectors.Payload{Body: pack(5)}, 5, ""},
		"gzip by its header":  {connectors.Payload{Body: pack(5), Header: marked}, 5, ""},
		"as large as allowed": {connectors.Payload{Body: pack(connectors.MaxContent)}, connectors.MaxContent, ""},
		"a byte more":         {connectors.Payload{Body: pack(connectors.MaxContent + 1)}, 0, ats.TooLarge},
		"cut":                 {connectors.Payload{Body: pack(100)[:15]}, 0, ats.Invalid},
		"no gzip at all":      {connectors.Payload{Body: []byte("xx"), Header: marked}, 0, ats.Invalid},
	} {
		got, err := tt.p.Content()
		if len(got) != tt.size || ats.FaultOf(err) != tt.fault {
			t.Errorf("%s: got %d bytes, %v, want %d, %q", name, len(got), err, tt.size, tt.fault)
		}
	}
}
