package verify

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMember(t *testing.T) {
	tests := map[string]struct {
		object, path, want string
		err                error
	}{
		"a text":                 {`{"a":"x","sig":"y"}`, "sig", "y", nil},
		"a text with escapes":    {`{"sig":"\u003c\u00e9\n"}`, "sig", "<é\n", nil},
		"a number, as written":   {`{"t": 1790921709512 }`, "t", "1790921709512", nil},
		"a long number":          {`{"t":12345678901234567890.0}`, "t", "12345678901234567890.0", nil},
		"an object, as written":  {`{"d": {"b" : [1, 2]} ,"x":1}`, "d", `{"b" : [1, 2]}`, nil},
		"deeper":                 {`{"a":{"b":{"c":"x"}}}`, "a.b.c", "x", nil},
		"the same name deeper":   {`{"a":{"sig":"no"},"sig":"yes"}`, "sig", "yes", nil},
		"true":                   {`{"a":true}`, "a", "true", nil},
		"with blanks before":     {" \n{\"a\":\"x\"}", "a", "x", nil},
		"null":                   {`{"a":null}`, "a", "", errMissing},
		"missing":                {`{"a":1}`, "b", "", errMissing},
		"missing deeper":         {`{"a":{}}`, "a.b", "", errMissing},
		"twice":                  {`{"a":1,"a":1}`, "a", "", errTwice},
		"twice deeper":           {`{"x":{"a":1,"a":1}}`, "x.a", "", errTwice},
		"a list":                 {`[{"a":1}]`, "a", "", errNotJSON},
		"through a text":         {`{"a":"x"}`, "a.b", "", errNotJSON},
		"cut in the value":       {`{"a":"x`, "a", "", errNotJSON},
		"cut after the value":    {`{"a":"x"`, "a", "", errNotJSON},
		"cut before the value":   {`{"a":`, "a", "", errNotJSON},
		"not JSON after it":      {`{"a":"x",}`, "a", "", errNotJSON},
		"more after it":          {`{"a":"x"}}`, "a", "", errNotJSON},
		"empty":                  {``, "a", "", errNotJSON},
		"a name that is no text": {`{1:2}`, "a", "", errNotJSON},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := memberText([]byte(tt.object), tt.path)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestSetMember(t *testing.T) {
	tests := map[string]struct{ object, path, text, want string }{
		"a text":                     {`{"a":1, "sig" : "old" }`, "sig", "new", `{"a":1, "sig" : "new" }`},
		"digits in the place of one": {`{"t":17,"x":1}`, "t", "1790921709512", `{"t":1790921709512,"x":1}`},
		"a text in that of a number": {`{"t":17}`, "t", "soon", `{"t":"soon"}`},
		"digits in that of a text":   {`{"t":"17"}`, "t", "18", `{"t":"18"}`},
		"deeper":                     {`{"a":{"b":null}}`, "a.b", "x", `{"a":{"b":"x"}}`},
		"added":                      {"{\"a\":{\"sig\":1}\n}\n", "sig", "x", "{\"a\":{\"sig\":1},\"sig\":\"x\"}\n"},
		"nothing for a number":       {`{"t":17}`, "t", "", `{"t":""}`},
		"no number for a number":     {`{"t":17}`, "t", "007", `{"t":"007"}`},
		"added to nothing":           {`{ }`, "sig", "x", `{"sig":"x"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := setMember([]byte(tt.object), tt.path, tt.text)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
	for _, bad := range []string{``, `[]`, `{"a":1`, `{"sig":1,"sig":2}`} {
		if got, err := setMember([]byte(bad), "sig", "x"); err == nil {
			t.Errorf("%q: got %s, want an error", bad, got)
		}
	}
}

// FuzzMember compares with the JSON of the standard library, and what was set
// with what is read.
func FuzzMember(f *testing.F) {
	f.Add([]byte(`{"sig":"x","a":{"sig":1}}`), "y")
	f.Add([]byte(`{"sig":1790921709512}`), "17")
	f.Add([]byte(` {"a" : [ {"sig":2} ] , "sig" :  "\ud83d" } `), "\x00")
	f.Add([]byte(`{"SIG":"x","Sig":1}`), "é")
	f.Fuzz(func(t *testing.T, object []byte, text string) {
		got, err := memberText(object, "sig")
		var all map[string]json.RawMessage
		valid := json.Unmarshal(object, &all) == nil && all != nil
		switch {
		case err == nil && !valid && json.Valid(object):
			t.Fatalf("found %q in what is no object", got)
		case errors.Is(err, errMissing) && valid && all["sig"] != nil && string(all["sig"]) != "null":
			t.Fatalf("missed %s", all["sig"])
		}
		changed, err := setMember(object, "sig", text)
		if err != nil {
			return
		}
		again, err := memberText(changed, "sig")
		want, _ := json.Marshal(text)
		var plain string
		_ = json.Unmarshal(want, &plain) // what is no UTF-8 is replaced
		if diff := cmp.Diff(plain, again); diff != "" || err != nil {
			t.Fatalf("%q became %q: %v %s", object, changed, err, diff)
		}
	})
}
