package web

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// grouped are the keys that are put together while a page is made: those of a
// group begin with its name.
var grouped = []string{
	"account.done.", "action.", "batch.", "fault.", "hold.view.", "alert.", "answer.", "application.lead.", "clock.", "company.h1.", "complaint.", "company.lead.", "count.", "credit.", "deed.", "delivery.h1.", "delivery.lead.", "door.",
	"empty.", "file.column.", "file.means.", "file.verdict.", "file.what.", "help.state.", "help.word.", "how.", "job.lead.", "kind.", "language.", "letter.", "list.title", "mail.h1.", "mail.hint.", "mode.", "nav.", "noun.",
	"noun1.", "oidc.", "order.", "passed.", "promise.", "purpose.", "referral.lead.", "relay.", "reveal.", "reversal.", "role.", "role.long.", "say.", "scope.", "side.", "since.", "sorry.", "state.",
	"step.attempt.", "step.delivery.", "transport.", "trigger.", "unknown.", "verb.", "word.",
}

func TestConsoleWordsAreCompleteInBothLanguages(t *testing.T) {
	for key, languages := range consoleWords {
		if len(languages) != 2 || languages[japanese] == "" || languages[english] == "" {
			t.Errorf("%s: want words in ja and en, have %v", key, languages)
		}
		ja, en := placeholder.FindAllString(languages[japanese], -1), placeholder.FindAllString(languages[english], -1)
		slices.Sort(ja)
		slices.Sort(en)
		if !slices.Equal(ja, en) {
			t.Errorf("%s: %v in Japanese, %v in English", key, ja, en)
		}
	}
}

// TestConsoleWordsAreUsed finds keys that no page uses, and pages that use
// keys that do not exist.
func TestConsoleWordsAreUsed(t *testing.T) {
	templates, err := fs.Glob(files, "templates/console/*.html")
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, name := range templates {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, string(text))
	}
	code, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range code {
		if strings.HasSuffix(name, "_test.go") || !strings.HasPrefix(name, "console") && name != "login.go" && name != "oidc.go" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, string(text))
	}
	used := map[string]bool{}
	asked := regexp.MustCompile(`(?:\.T |\.t\()"([^"]+)"`)
	quoted := regexp.MustCompile(`"([a-z0-9_]+(?:\.[a-z0-9_]+)*)"`)
	for _, text := range sources {
		for _, m := range asked.FindAllStringSubmatch(text, -1) {
			if consoleWords[m[1]] == nil && !strings.HasSuffix(m[1], ".") && !slices.Contains(grouped, m[1]+".") {
				t.Errorf("a page uses %s, which has no words", m[1])
			}
		}
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
		}
	}
	for key := range consoleWords {
		if !used[key] && !slices.ContainsFunc(grouped, func(g string) bool { return strings.HasPrefix(key, g) }) {
			t.Errorf("%s is used nowhere", key)
		}
	}
}

// TestConsoleWordsForEveryState asks for what is put together from tables.
func TestConsoleWordsForEveryState(t *testing.T) {
	want := func(key string) {
		t.Helper()
		if consoleWords[key] == nil {
			t.Errorf("no words for %s", key)
		}
	}
	for _, n := range nouns {
		want("noun." + n.Path)
		want("nav." + n.Path)
		want("empty." + n.Path)
		want("count." + n.One)
		want("count." + n.One + ".one")
		for _, word := range n.words {
			want("word." + word)
			want("help.word." + word)
		}
		for _, state := range n.States {
			want("state." + n.Path + "." + state)
			want("help.state." + n.Path + "." + state)
			if shapes[n.Path][state] == "" {
				t.Errorf("%s in the state %s have no shape", n.Path, state)
			}
			switch n.Path {
			case "deliveries":
				want("delivery.h1." + state)
				want("delivery.lead." + state)
			case "mails":
				want("mail.h1." + state)
				want("mail.hint." + state)
				want("application.lead." + state)
			case "jobs":
				want("job.lead." + state)
			case "referrals":
				want("referral.lead." + state)
			}
		}
	}
	for noun, states := range shapes {
		for state := range states {
			want("state." + noun + "." + state)
			if noun == "companies" && state != "keyless" { // a state of a connection only
				want("company.h1." + state)
				want("company.lead." + state)
			}
			if noun == "tries" {
				want("step.attempt." + state)
			}
		}
	}
	for _, v := range verbs {
		for _, part := range []string{"review", "h1", "part", "what", "do", "hint"} {
			want("verb." + v.noun.Path + "." + v.name + "." + part)
		}
	}
	for path, states := range able {
		for state, names := range states {
			for _, name := range names {
				if !slices.ContainsFunc(verbs, func(v verb) bool { return v.noun.Path == path && v.name == name }) {
					t.Errorf("%s in the state %q offer %s, which is no verb of theirs", path, state, name)
				}
			}
		}
	}
}
