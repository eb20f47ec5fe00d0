package ats_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/career-relay/connector/ats"
)

func TestGreeting(t *testing.T) {
	for _, v := range read[struct{ Input, Greeting, Code, Family, Given string }](t, "testdata/names.json") {
		t.Run(v.Input, func(t *testing.T) {
			name, code := ats.Greeting(ats.Candidate{Name: v.Input})
			if name != v.Greeting || code != v.Code {
				t.Errorf("Greeting(%+q): got %+q %q, want %+q %q", v.Input, name, code, v.Greeting, v.Code)
			}
			if family, given := ats.SplitName(name); family != v.Family || given != v.Given {
				t.Errorf("SplitName(%+q): got %+q and %+q, want %+q and %+q", name, family, given, v.Family, v.Given)
			}
		})
	}
}

func TestGreetingFromParts(t *testing.T) {
	tests := map[string]struct {
		candidate  ats.Candidate
		name, code string
	}{
		"the whole name wins over its parts":         {ats.Candidate{Name: "髙橋 美咲", FamilyName: "高橋", GivenName: "みさき"}, "髙橋 美咲", ""},
		"the family name comes first in Japanese":    {ats.Candidate{FamilyName: "髙橋", GivenName: "美咲"}, "髙橋 美咲", ""},
		"and last where that is the custom":          {ats.Candidate{FamilyName: "Smith", GivenName: "John"}, "John Smith", ""},
		"a blank name counts as none":                {ats.Candidate{Name: "　", FamilyName: "髙橋"}, "髙橋", ""},
		"a family name alone is enough":              {ats.Candidate{FamilyName: "鵜殿"}, "鵜殿", ""},
		"a given name alone is enough":               {ats.Candidate{GivenName: "Marie"}, "Marie", ""},
		"the reading alone is not a name":            {ats.Candidate{Kana: "タカハシ ミサキ"}, "", ats.NameMissing},
		"a damaged name is not patched by its parts": {ats.Candidate{Name: "?橋 美咲", FamilyName: "髙橋", GivenName: "美咲"}, "", ats.NameMissing},
		"an anonymised person has no name":           {ats.Candidate{Name: "髙橋 美咲", Anonymized: true}, "", ats.NameMissing},
		"a test stays a test when anonymised":        {ats.Candidate{Name: "テスト 応募", Anonymized: true}, "", ats.NameTest},
		"parts that a system filled with null":       {ats.Candidate{FamilyName: "null", GivenName: "null"}, "", ats.NameMissing},
		"the honorific in the given name goes":       {ats.Candidate{FamilyName: "佐藤", GivenName: "花子様"}, "佐藤 花子", ""},
		"a text that is no name":                     {ats.Candidate{Name: strings.Repeat("（備考）", 200) + "佐藤 花子"}, "", ats.NameMissing},
		"nothing at all":                             {ats.Candidate{}, "", ats.NameMissing},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if name, code := ats.Greeting(tt.candidate); name != tt.name || code != tt.code {
				t.Errorf("got %+q %q, want %+q %q", name, code, tt.name, tt.code)
			}
		})
	}
}

// A greeting is always one line of visible text from the name itself, or none.
func FuzzGreeting(f *testing.F) {
	for _, v := range read[struct{ Input string }](f, "testdata/names.json") {
		f.Add(v.Input)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		name, code := ats.Greeting(ats.Candidate{Name: raw})
		if (name == "") != (code != "") {
			t.Fatalf("got %+q with the code %q", name, code)
		}
		if strings.ContainsAny(name, "\r\n\t{}<>=$?〓\ufffd@") || strings.HasPrefix(name, " ") || strings.HasSuffix(name, " ") || strings.HasSuffix(name, "様") {
			t.Errorf("got %+q", name)
		}
		seen := strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' {
				return -1
			}
			return r
		}, raw)
		for word := range strings.FieldsSeq(name) {
			if !strings.Contains(seen, word) {
				t.Errorf("%+q has %+q, which is not in %+q", name, word, raw)
			}
		}
	})
}
