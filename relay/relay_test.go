package relay_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/relay"
)

func TestValidateRecipient(t *testing.T) {
	const address = "url: want https://…, or http:// on this machine"
	at := func(url string) func(*relay.Recipient) { return func(r *relay.Recipient) { r.URL = url } }
	tests := map[string]struct {
		change func(*relay.Recipient)
		want   []string
	}{
		"a full entry":             {func(*relay.Recipient) {}, nil},
		"one name":                 {func(r *relay.Recipient) { r.Name.JA = "" }, nil},
		"http on this machine":     {at("http://localhost:8082/referrals"), nil},
		"http on this machine, v4": {at("http://127.0.0.1:8082/"), nil},
		"http on this machine, v6": {at("http://[::1]:8082/"), nil},
		"a key in the address":     {at("https://network.example/hooks?key=1"), nil},
		"http elsewhere":           {at("http://network.example/"), []string{address}},
		"http in our network":      {at("http://10.0.0.1/"), []string{address}},
		"another scheme":           {at("ftp://network.example/"), []string{address}},
		"no scheme":                {at("network.example/referrals"), []string{address}},
		"no host":                  {at("https:///referrals"), []string{address}},
		"a password":               {at("https://user:pass@network.example/"), []string{address}},
		"a fragment":               {at("https://network.example/#x"), []string{address}},
		"no address at all":        {at("://"), []string{address}},
		"no secrets":               {func(r *relay.Recipient) { r.Secrets = nil }, []string{"secrets: required: at least one"}},
		"secrets that are none": {func(r *relay.Recipient) {
			r.Secrets = []ats.Secret{"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", secret}
		}, []string{
			"secrets[0]: want whsec_ and base64, as Standard Webhooks has it", "secrets[1]: want whsec_ and base64, as Standard Webhooks has it", "secrets[2]: too short: want 24 bytes or more behind whsec_",
		}},
		"nothing": {func(r *relay.Recipient) { *r = relay.Recipient{} }, []string{
			"name: required", address, "secrets: required: at least one", "licence: required", "address: required", "representative: required", "contact: required",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := recipient("https://network.example/referrals")
			tt.change(&r)
			got := ""
			if err := r.Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	both, ja, en := relay.Names{JA: "アクメ", EN: "Acme"}, relay.Names{JA: "アクメ"}, relay.Names{EN: "Acme"}
	tests := map[string]struct{ got, want string }{
		"Japanese":            {both.In("ja"), "アクメ"},
		"English":             {both.In("en"), "Acme"},
		"another language":    {both.In("vi"), "アクメ"},
		"English is missing":  {ja.In("en"), "アクメ"},
		"Japanese is missing": {en.In("ja"), "Acme"},
		"both are missing":    {relay.Names{}.In("ja"), ""},
	}
	for name, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", name, tt.got, tt.want)
		}
	}
}

func TestProfileFields(t *testing.T) {
	want := []string{"name", "kana", "email", "phone", "prefecture", "occupation", "note"}
	if diff := cmp.Diff(want, referral().Candidate.Fields()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	full := relay.Profile{Name: "1", Kana: "2", Email: "3", Phone: "4", Prefecture: "5", Occupation: "6", Industry: "7", Place: "8", Available: "9", Note: "10"}
	if got := full.Fields(); len(got) != 10 {
		t.Errorf("got %v", got)
	}
	if got := (relay.Profile{Locale: "ja"}).Fields(); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestProfilesHideThemselves(t *testing.T) {
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&b, nil), slog.NewTextHandler(&b, nil)} {
		slog.New(h).Info("handing over", "profile", referral().Candidate, "referral", referral())
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		_, _ = fmt.Fprintf(&b, verb, referral())
	}
	for _, word := range []string{"𠮷田", "ヨシダ", "hanako", "090", "平日", "東京都", fmt.Sprintf("%x", "hanako")} {
		if strings.Contains(b.String(), word) {
			t.Errorf("%q shows: %s", word, b.String())
		}
	}
}
