package web

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
)

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

func TestWordsAreCompleteInBothLanguages(t *testing.T) {
	for key, languages := range candidateWords {
		if len(languages) != 2 || languages[japanese] == "" || languages[english] == "" {
			t.Errorf("%s: want words in ja and en, have %v", key, languages)
		}
		ja, en := placeholder.FindAllString(languages[japanese], -1), placeholder.FindAllString(languages[english], -1)
		for _, p := range append(ja, en...) {
			if p != "{company}" && (!strings.Contains(languages[japanese], p) || !strings.Contains(languages[english], p)) {
				t.Errorf("%s: %s is missing in one language", key, p)
			}
		}
	}
}

// TestWordsAreUsed finds keys that no page uses, and pages that use keys that
// do not exist.
func TestWordsAreUsed(t *testing.T) {
	used := map[string]bool{}
	quoted := regexp.MustCompile(`"([a-z_]+(?:\.[a-z0-9_]+)*)"`)
	collect := func(text string) {
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
		}
	}
	templates, err := fs.Glob(files, "templates/candidate/*.html")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`\.(?:T|Parts) "([^"]+)"`)
	for _, name := range templates {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		collect(string(text))
		for _, m := range asked.FindAllStringSubmatch(string(text), -1) {
			if candidateWords[m[1]] == nil {
				t.Errorf("%s uses %s, which has no words", name, m[1])
			}
		}
	}
	for _, name := range []string{"candidate.go", "candidate_page.go", "candidate_register.go", "public.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		collect(string(text))
	}
	// Keys that are put together.
	for _, q := range append(about, wishes...) {
		for _, key := range []string{"field." + q.id, "wrong." + q.id + ".missing"} {
			if candidateWords[key] == nil && (strings.HasPrefix(key, "field") || !q.optional) {
				t.Errorf("%s has no words", key)
			}
			used[key] = true
		}
		used["field."+q.id+".hint"] = true
	}
	for _, purpose := range append(slices.Clip(consent.Purposes), consent.Statistics) {
		used["consent."+string(purpose)] = true
	}
	for _, state := range []record.ReferralState{record.ReferralWaiting, record.ReferralHandedOver, record.ReferralFailed, record.ReferralCancelled, record.ReferralWithdrawn} {
		used["referral."+string(state)] = true
	}
	all := relay.Profile{Name: "x", Kana: "x", Email: "x", Phone: "x", Prefecture: "x", Occupation: "x", Industry: "x", Place: "x", Available: "x", Note: "x"}
	for _, field := range all.Fields() {
		used["passed."+field] = true
		if candidateWords["passed."+field] == nil {
			t.Errorf("passed.%s has no words", field)
		}
	}
	for _, page := range []string{"landing", "register", "register.wrong", "sent", "confirm", "confirmed", "my", "stop", "stopped"} {
		used[page+".title"] = true
	}
	for _, message := range []string{"ended", "cross", "large", "often", "busy", "unreadable", "root"} {
		used[message+".title"], used[message+".h1"], used[message+".text"] = true, true, true
	}
	for key := range candidateWords {
		if !used[key] {
			t.Errorf("%s is not used", key)
		}
	}
}

func TestCandidatePagesNeverSay(t *testing.T) {
	for _, banned := range []string{"不採用", "残念ながら", "落選", "今すぐ", "チャンスを", "エラーが発生", "!", "！", "unfortunately", "regret"} {
		for key, languages := range candidateWords {
			for _, words := range languages {
				if strings.Contains(strings.ToLower(words), banned) {
					t.Errorf("%s says %s: %s", key, banned, words)
				}
			}
		}
	}
}

func TestAssetsExist(t *testing.T) {
	if len(candidateAssets) != 2 {
		t.Errorf("%d static files, want 2", len(candidateAssets))
	}
	for name, a := range candidateAssets {
		if a.kind == "" || len(a.body) == 0 {
			t.Errorf("%s has no type or no content", name)
		}
	}
}

func TestChecksOfAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		check  func(string) string
		answer string
		want   string
	}{
		"a name in Japanese":              {checkName, "髙橋 花子", ""},
		"a name in Vietnamese":            {checkName, "Nguyễn Thị Hoà", ""},
		"a name of signs":                 {checkName, "…", "wrong.name"},
		"katakana of half width":          {checkKana, "ﾖｼﾀﾞ ﾊﾅｺ", ""},
		"katakana with a dot and a dash":  {checkKana, "ジョン・スミスー", ""},
		"Latin letters are no katakana":   {checkKana, "Yoshida", "wrong.kana"},
		"an address":                      {checkMail, "hanako@example.jp", ""},
		"an address with a capital":       {checkMail, "Hanako@Example.jp", ""},
		"an old carrier address":          {checkMail, "hanako..a.@docomo.example.jp", ""},
		"a number with a country":         {checkPhone, "+81 (90) 0000-0000", ""},
		"too few digits to be a number":   {checkPhone, "12345", "wrong.tel"},
		"a number with full-width digits": {checkPhone, "０９０００００００００", "wrong.tel"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.check(tt.answer); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGatesStayBounded(t *testing.T) {
	g := newGate(2, time.Minute)
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for i := range maxTurns * 3 {
		g.pass(strconv.Itoa(i), now)
	}
	if len(g.turns) > maxTurns {
		t.Errorf("%d names are remembered, want %d at most", len(g.turns), maxTurns)
	}
	var passed []bool
	for _, wait := range []time.Duration{0, 0, 0, 59 * time.Second, time.Second, 0, 0} {
		now = now.Add(wait)
		passed = append(passed, g.pass("acme", now))
	}
	if diff := cmp.Diff([]bool{true, true, false, false, true, true, false}, passed); diff != "" {
		t.Errorf("passed (-want +got):\n%s", diff)
	}
}

func TestDates(t *testing.T) {
	at := time.Date(2026, 12, 18, 20, 14, 0, 0, time.UTC)
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]string{
		"2026年12月18日（金）":                  day(at, japanese),
		"Friday, 18 December 2026":        day(at, english),
		"2026年12月18日（金）20:14":             moment(at, japanese),
		"Friday, 18 December 2026, 20:14": moment(at, english),
		"2026年12月18日 20:14":               short(at, japanese),
		"18 December 2026, 20:14":         short(at, english),
		"日本時間":                            zoneName(tokyo, japanese),
		"Japan time":                      zoneName(tokyo, english),
		"UTC":                             zoneName(time.UTC, japanese),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWordsForValuesThatAreGone(t *testing.T) {
	if got := label(prefectures, "JP-13", english); got != "Tokyo" {
		t.Errorf("got %q, want Tokyo", got)
	}
	if got := label(occupations, "retired-code", english); got != "retired-code" {
		t.Errorf("got %q, want the value itself", got)
	}
	if len(prefectures) != 48 {
		t.Errorf("%d prefectures, want 47 and abroad", len(prefectures))
	}
}
