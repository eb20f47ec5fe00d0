package ats_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
)

// verbs are all but %p and %w, which ask no method and which vet refuses here.
var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%e", "%t", "%10.3s", "%-8v", "%z"}

func TestFormattedValuesHideThemselves(t *testing.T) {
	const email, secret, name = "misaki.sato@example.jp", "whsec_MfKQ9r8GKYqr", "髙橋 美咲"
	person := ats.Candidate{ID: "C-1", Name: name, FamilyName: name, GivenName: name, Kana: name, Email: email}
	type settings struct {
		To   ats.Email
		Keys []ats.Secret
		Who  *ats.Candidate
		By   map[ats.Email]ats.Secret
	}
	values := map[string]any{
		"an address":               ats.Email(email),
		"a secret":                 ats.Secret(secret),
		"a candidate":              person,
		"an event":                 ats.Event{Candidate: person},
		"a list":                   []any{ats.Email(email), ats.Secret(secret), person},
		"a field of another value": settings{To: email, Keys: []ats.Secret{secret}, Who: &person, By: map[ats.Email]ats.Secret{email: secret}},
		"an error":                 ats.Errorf(ats.Invalid, "refused %s with %s for %v", ats.Email(email), ats.Secret(secret), person),
	}
	for what, v := range values {
		for _, verb := range verbs {
			got := fmt.Sprintf(verb, v)
			hexed := fmt.Sprintf("%x%X", email+secret+name, email+secret+name)
			for _, leak := range []string{email, "misaki", secret, "MfKQ", name, hexed[:12]} {
				if strings.Contains(got, leak) {
					t.Errorf("%s with %s shows %q: %s", what, verb, leak, got)
				}
			}
		}
		if got := fmt.Sprint(v); what == "an address" && got != "[address]" || what == "a secret" && got != "[secret]" || what == "a candidate" && got != "[candidate]" {
			t.Errorf("%s prints as %s", what, got)
		}
	}
	for _, v := range []fmt.GoStringer{ats.Email(email), ats.Secret(secret)} {
		if got := v.GoString() + v.(fmt.Stringer).String(); strings.Contains(got, "MfKQ") || strings.Contains(got, "misaki") {
			t.Errorf("got %s", got)
		}
	}
}

func TestLogsHidePersonalData(t *testing.T) {
	handlers := map[string]func(*bytes.Buffer) slog.Handler{
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	}
	e := atstest.Rejection()
	e.Reason, e.PersonalLine = "給与の不一致", "面接でのお話が心に残りました。"
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			log := slog.New(handler(&b))
			log.Info("all of it", "event", e, "pointer", &e, "candidate", e.Candidate, "email", e.Candidate.Email, "secret", ats.Secret("whsec_MfKQ"),
				"err", ats.Errorf(ats.Invalid, "for %s", e.Candidate.Email), slog.Group("in", "email", e.Candidate.Email, "candidate", &e.Candidate))
			for _, leak := range []string{string(e.Candidate.Email), "misaki", e.Candidate.Name, e.Candidate.FamilyName, e.Candidate.GivenName, e.Reason, e.PersonalLine, "MfKQ"} {
				if strings.Contains(b.String(), leak) {
					t.Errorf("the log shows %q: %s", leak, b.String())
				}
			}
			for _, want := range []string{"A-1001", "rejected", "C-1001", "[address]", "[secret]"} {
				if !strings.Contains(b.String(), want) {
					t.Errorf("the log misses %q: %s", want, b.String())
				}
			}
		})
	}
}

// What is stored is encrypted as a whole, so JSON keeps an address; a secret is
// never stored.
func TestJSON(t *testing.T) {
	e := atstest.Rejection()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back ats.Event
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, back); diff != "" || back.Candidate.Email != e.Candidate.Email {
		t.Errorf("an event does not survive JSON (-want +got):\n%s", diff)
	}
	b, err = json.Marshal(map[string]ats.Secret{"set": "whsec_MfKQ", "unset": ""})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), `{"set":"[secret]","unset":""}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	atstest.Golden(t, "testdata/event.golden", e)
}

func TestDuration(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string]struct {
		text string
		want time.Duration
		out  string
	}{
		"days":                  {"30d", 30 * day, "30d"},
		"no days":               {"0d", 0, "0s"},
		"a bare zero":           {"0", 0, "0s"},
		"hours that are days":   {"48h", 2 * day, "2d"},
		"hours that are not":    {"36h", 36 * time.Hour, "36h0m0s"},
		"minutes":               {"90m", 90 * time.Minute, "1h30m0s"},
		"several units":         {"1h30m15s", 90*time.Minute + 15*time.Second, "1h30m15s"},
		"fractions":             {"1.5h", 90 * time.Minute, "1h30m0s"},
		"the longest":           {"65535d", 65535 * day, "65535d"},
		"shorter than a second": {"250ms", 250 * time.Millisecond, "250ms"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var d ats.Duration
			if err := d.UnmarshalText([]byte(tt.text)); err != nil {
				t.Fatal(err)
			}
			if d.Std() != tt.want {
				t.Errorf("got %s, want %s", d.Std(), tt.want)
			}
			out, err := d.MarshalText()
			if err != nil || string(out) != tt.out {
				t.Errorf("written as %s (%v), want %s", out, err, tt.out)
			}
			var back ats.Duration
			if err := back.UnmarshalText(out); err != nil || back != d {
				t.Errorf("%s is read as %s (%v)", out, back, err)
			}
		})
	}
}

func TestDurationRefuses(t *testing.T) {
	for _, text := range []string{"", "d", "-1d", "-24h", "1.5d", "1d12h", "30", "30 d", "30D", "65536d", "three days", "1w", "٣d", "+1d"} {
		d := ats.Duration(time.Hour)
		err := d.UnmarshalText([]byte(text))
		if ats.FaultOf(err) != ats.Invalid {
			t.Errorf("%q: got %v, want an invalid error", text, err)
			continue
		}
		if want := fmt.Sprintf("%q is not a duration; write 90m, 24h or 30d", text); err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		if d != ats.Duration(time.Hour) {
			t.Errorf("%q changed the value", text)
		}
	}
}
