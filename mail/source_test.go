package mail

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/career-relay/connector/ats"
)

func TestWrap(t *testing.T) {
	long := strings.Repeat("あ", 40)
	tests := map[string]struct{ in, indent, want string }{
		"short":                            {"ありがとうございました。", "", "ありがとうございました。"},
		"nothing":                          {"", "", ""},
		"after a comma":                    {"お忙しいなかお時間を割いていただき、またご丁寧なお話をいただきまして、誠にありがとうございました。", "", "お忙しいなかお時間を割いていただき、またご丁寧なお話をいただきまして、\n誠にありがとうございました。"},
		"not before a mark":                {strings.Repeat("漢", 35) + "。以上", "", strings.Repeat("漢", 34) + "\n漢。以上"},
		"not after an opening mark":        {strings.Repeat("漢", 34) + "「引用」", "", strings.Repeat("漢", 34) + "\n「引用」"},
		"at a space":                       {strings.Repeat("word ", 20), "", strings.TrimSuffix(strings.Repeat("word ", 14), " ") + "\n" + strings.TrimSuffix(strings.Repeat("word ", 6), " ")},
		"not in an address":                {"See https://example.jp/" + strings.Repeat("x", 80) + " now", "", "See\nhttps://example.jp/" + strings.Repeat("x", 80) + "\nnow"},
		"not in a number":                  {strings.Repeat("漢", 34) + "2026年", "", strings.Repeat("漢", 33) + "\n漢2026年"},
		"not inside a word with okurigana": {strings.Repeat("漢", 31) + "の申し訳がない", "", strings.Repeat("漢", 31) + "の\n申し訳がない"},
		"anywhere if need be":              {long, "", strings.Repeat("あ", 35) + "\n" + strings.Repeat("あ", 5)},
		"with a hanging indent":            {"・" + strings.Repeat("漢", 40), "　", "・" + strings.Repeat("漢", 34) + "\n　" + strings.Repeat("漢", 6)},
		"not before a variation selector":  {strings.Repeat("漢", 34) + "葛\U000E0100城", "", strings.Repeat("漢", 34) + "葛\U000E0100\n城"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := wrap(tt.in, tt.indent); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// Every variable has a value wherever it is known.
func TestEveryVariableHasAValue(t *testing.T) {
	vals := facts(languages["ja"], Settings{}, Letter{})
	seen := map[string]bool{}
	for _, v := range variables {
		_, isText := vals.text[v.en]
		_, isList := vals.list[v.en]
		if isText == isList && v.shape != part || v.shape == part && (isText || isList) {
			t.Errorf("{{%s}}: text %v, list %v", v.en, isText, isList)
		}
		if seen[v.ja] || seen[v.en] {
			t.Errorf("{{%s}} or {{%s}} is there twice", v.ja, v.en)
		}
		seen[v.ja], seen[v.en] = true, true
	}
}

// Whatever somebody writes: reading it neither panics nor hangs, what is wrong
// is an Invalid error with the file, and what is accepted can be written and
// passes the preflight.
func FuzzSource(f *testing.F) {
	files, err := os.ReadDir("letters")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile("letters/" + file.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	const head = "---\nversion: 1\nsubject: x\nwhy: y\n---\n{{宛名}}\n"
	for _, body := range []string{"{{#if 一言}}\n=== a\n[b]({{案内URL}})\n===\n{{else}}\nc\n{{/if}}", "{{#if job}}a{{else}}b{{/if}} {{ {{name}} }}", "===\n{{/if}}", "[a](b)\n{{同意内容}}"} {
		f.Add([]byte(head + body))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		const file = "thank_you.ja.txt"
		_, err := parse(file, ThankYou, content)
		var ts *Templates
		if err == nil {
			ts, err = Load(fstest.MapFS{file: {Data: content}})
		}
		if err != nil {
			if ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v", err)
			}
			return
		}
		l := Letter{Locale: "ja", SendID: "s", UnsubscribeURL: "https://example.jp/u", OneClickURL: "https://example.jp/u"}
		l.Event.Candidate = ats.Candidate{Name: "{{氏名}}", Email: "a@example.jp"}
		l.Event.Job.Title = "=== [x](y) & <b>"
		s := Settings{From: Address{Address: "b@example.jp"}, Sender: Sender{Name: "甲", Address: "乙", Contact: "丙"}}
		m, err := ts.Thanks(s, l)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML) || strings.Contains(m.HTML, "& <b>") {
			t.Errorf("got\n%s", m.HTML)
		}
	})
}

func TestREADMEListsEveryVariable(t *testing.T) {
	readme, err := os.ReadFile("letters/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variables {
		if row := "| `" + v.ja + "` | `" + v.en + "` |"; !strings.Contains(string(readme), row) {
			t.Errorf("no row %s", row)
		}
	}
}
