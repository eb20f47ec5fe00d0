package consent_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/rules/consent"
)

var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// texts is a valid set of wordings.
func texts() consent.Texts {
	var out consent.Texts
	for _, p := range append(slices.Clone(consent.Purposes), consent.Statistics) {
		for _, locale := range []string{"ja", "en"} {
			out = append(out, consent.Text{Purpose: p, Version: "2026-10", Locale: locale, Body: fmt.Sprintf("%s %s: {{recipient_name}}", p, locale)})
		}
	}
	return out
}

func TestFind(t *testing.T) {
	got, err := texts().Find(consent.Newsletter, "en")
	if err != nil || got.Purpose != consent.Newsletter || got.Locale != "en" {
		t.Errorf("got %v and %v", got, err)
	}
	if _, err := texts().Find(consent.Newsletter, "fr"); ats.FaultOf(err) != ats.NotFound || err.Error() != "no text for newsletter in fr" {
		t.Errorf("got %v", err)
	}
}

func TestValidateTexts(t *testing.T) {
	const all = "[relay_handover employer_introduction newsletter tell_company statistics]"
	tests := map[string]struct {
		change func(consent.Texts) consent.Texts
		want   []string
	}{
		"a full set":           {func(ts consent.Texts) consent.Texts { return ts }, nil},
		"a missing language":   {func(ts consent.Texts) consent.Texts { return ts[1:] }, []string{"no text for relay_handover in ja"}},
		"a missing notice":     {func(ts consent.Texts) consent.Texts { return ts[:8] }, []string{"no text for statistics in ja", "no text for statistics in en"}},
		"a text that is twice": {func(ts consent.Texts) consent.Texts { return append(ts, ts[0]) }, []string{"texts[10]: a second text for relay_handover in ja"}},
		"an unknown purpose": {func(ts consent.Texts) consent.Texts {
			return append(ts, consent.Text{Purpose: "advertising", Version: "1", Locale: "ja", Body: "x"})
		}, []string{`texts[10].purpose: "advertising" is not one of ` + all}},
		"an unknown language": {func(ts consent.Texts) consent.Texts {
			return append(ts, consent.Text{Purpose: consent.Newsletter, Version: "1", Locale: "fr", Body: "x"})
		}, []string{`texts[10].locale: "fr" is not one of ja, en`}},
		"no version and no words": {func(ts consent.Texts) consent.Texts { ts[2].Version, ts[2].Body = "", " \n"; return ts }, []string{"texts[2].version: required", "texts[2].body: required"}},
		"an unknown variable":     {func(ts consent.Texts) consent.Texts { ts[3].Body = "{{ agency }}"; return ts }, []string{"texts[3].body: {{agency}} is not a variable; have company_name, recipient_name, licence"}},
		"a variable left open":    {func(ts consent.Texts) consent.Texts { ts[3].Body = "to {{recipient_name and"; return ts }, []string{"texts[3].body: {{ and }} do not pair"}},
		"a variable not opened":   {func(ts consent.Texts) consent.Texts { ts[3].Body = "to recipient_name}}"; return ts }, []string{"texts[3].body: {{ and }} do not pair"}},
		"nothing":                 {func(consent.Texts) consent.Texts { return nil }, []string{"no text for relay_handover in ja", "no text for relay_handover in en", "no text for employer_introduction in ja", "no text for employer_introduction in en", "no text for newsletter in ja", "no text for newsletter in en", "no text for tell_company in ja", "no text for tell_company in en", "no text for statistics in ja", "no text for statistics in en"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := tt.change(texts()).Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestShow(t *testing.T) {
	names := consent.Names{Company: "株式会社アクメ", Recipient: "みほん{{licence}}紹介", Licence: "13-ユ-000000"}
	tests := map[string]struct{ body, want, err string }{
		"every variable":             {"{{company_name}} / {{recipient_name}} / {{licence}}", "株式会社アクメ / みほん{{licence}}紹介 / 13-ユ-000000", ""},
		"space around a name":        {"{{ licence }}", "13-ユ-000000", ""},
		"the same one twice":         {"{{licence}}{{licence}}", "13-ユ-00000013-ユ-000000", ""},
		"no variable":                {"{licence} {}", "{licence} {}", ""},
		"an unknown one is kept":     {"{{name}}", "{{name}}", "{{name}} is not a variable; have company_name, recipient_name, licence"},
		"one without a name is kept": {"{{}}", "{{}}", "{{}} is not a variable; have company_name, recipient_name, licence"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			given := consent.Text{Purpose: consent.TellCompany, Version: "1", Locale: "ja", Body: tt.body}
			got, err := given.Show(names)
			if got.Body != tt.want {
				t.Errorf("got %q, want %q", got.Body, tt.want)
			}
			if sum := sha256.Sum256([]byte(got.Body)); got.Hash != hex.EncodeToString(sum[:]) {
				t.Errorf("the hash is not of what was shown: %s", got.Hash)
			}
			if (err == nil) != (tt.err == "") || err != nil && (err.Error() != tt.err || ats.FaultOf(err) != ats.Invalid) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if got.Purpose != given.Purpose || got.Version != given.Version || got.Locale != given.Locale || given.Hash != "" {
				t.Errorf("got %v of %v", got, given)
			}
		})
	}
}

func TestMay(t *testing.T) {
	given := consent.Record{ID: "1", Purpose: consent.RelayHandover, GivenAt: noon.Add(-2 * time.Hour), ConfirmedAt: noon.Add(-time.Hour)}
	with := func(change func(*consent.Record)) consent.Record {
		r := given
		change(&r)
		return r
	}
	introduction := with(func(r *consent.Record) { r.ID, r.Purpose = "2", consent.EmployerIntroduction })
	tests := map[string]struct {
		records []consent.Record
		purpose consent.Purpose
		want    string
	}{
		"given and confirmed":                        {[]consent.Record{given}, consent.RelayHandover, "1"},
		"nothing":                                    {nil, consent.RelayHandover, ""},
		"another purpose":                            {[]consent.Record{given}, consent.Newsletter, ""},
		"never given":                                {[]consent.Record{with(func(r *consent.Record) { r.GivenAt = time.Time{} })}, consent.RelayHandover, ""},
		"not confirmed":                              {[]consent.Record{with(func(r *consent.Record) { r.ConfirmedAt = time.Time{} })}, consent.RelayHandover, ""},
		"confirmed this very moment":                 {[]consent.Record{with(func(r *consent.Record) { r.ConfirmedAt = noon })}, consent.RelayHandover, "1"},
		"confirmed a moment later":                   {[]consent.Record{with(func(r *consent.Record) { r.ConfirmedAt = noon.Add(1) })}, consent.RelayHandover, ""},
		"withdrawn before":                           {[]consent.Record{with(func(r *consent.Record) { r.WithdrawnAt = noon.Add(-1) })}, consent.RelayHandover, ""},
		"withdrawn this very moment":                 {[]consent.Record{with(func(r *consent.Record) { r.WithdrawnAt = noon })}, consent.RelayHandover, ""},
		"withdrawn a moment later":                   {[]consent.Record{with(func(r *consent.Record) { r.WithdrawnAt = noon.Add(1) })}, consent.RelayHandover, "1"},
		"withdrawn and given again":                  {[]consent.Record{with(func(r *consent.Record) { r.WithdrawnAt = noon.Add(-1) }), with(func(r *consent.Record) { r.ID = "3" })}, consent.RelayHandover, "3"},
		"an introduction rests on a hand-over":       {[]consent.Record{introduction, given}, consent.EmployerIntroduction, "2"},
		"an introduction alone is not enough":        {[]consent.Record{introduction}, consent.EmployerIntroduction, ""},
		"a hand-over taken back ends both":           {[]consent.Record{introduction, with(func(r *consent.Record) { r.WithdrawnAt = noon })}, consent.EmployerIntroduction, ""},
		"a hand-over does not carry an introduction": {[]consent.Record{given}, consent.EmployerIntroduction, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := consent.May(tt.records, tt.purpose, noon)
			if got.ID != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q %t, want %q", got.ID, ok, tt.want)
			}
		})
	}
}

// Whatever was recorded, a consent that is found stands, and nothing is allowed
// after everything was withdrawn.
func TestMayNeverInvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := func(name string) time.Time {
			if n := rapid.IntRange(-1, 10).Draw(t, name); n >= 0 {
				return noon.Add(time.Duration(n) * time.Minute)
			}
			return time.Time{}
		}
		purpose := rapid.SampledFrom(consent.Purposes)
		records := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) consent.Record {
			return consent.Record{Purpose: purpose.Draw(t, "purpose"), GivenAt: moment("given"), ConfirmedAt: moment("confirmed"), WithdrawnAt: moment("withdrawn")}
		}), 0, 6).Draw(t, "records")
		now, asked := moment("now"), purpose.Draw(t, "asked")
		r, ok := consent.May(records, asked, now)
		if ok && (r.Purpose != asked || r.GivenAt.IsZero() || r.ConfirmedAt.IsZero() || r.ConfirmedAt.After(now) || !r.WithdrawnAt.IsZero() && !r.WithdrawnAt.After(now)) {
			t.Fatalf("%v allows %s at %s", r, asked, now)
		}
		for i := range records {
			records[i].WithdrawnAt = now
		}
		if _, ok := consent.May(records, asked, now); ok && !now.IsZero() {
			t.Fatalf("%s is allowed although everything was withdrawn", asked)
		}
	})
}

func TestTokens(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		token := consent.NewToken()
		if seen[token] || len(token) < 26 || url.PathEscape(token) != token {
			t.Fatalf("a bad token: %q", token)
		}
		seen[token] = true
	}
	want := sha256.Sum256([]byte("K7"))
	if got := consent.HashToken("K7"); !bytes.Equal(got, want[:]) || bytes.Equal(got, consent.HashToken("K8")) {
		t.Errorf("got %x", got)
	}
}
