package spec_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

func packed(tb testing.TB, content string) string {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func body(kind, text string) connectors.Payload {
	p := connectors.Payload{Header: http.Header{}, Body: []byte(text)}
	if kind != "" {
		p.Header.Set("Content-Type", kind)
	}
	return p
}

type object = map[string]any

func TestDocument(t *testing.T) {
	p := body("application/json; charset=utf-8", `{"id":1}`)
	p.Header.Set("X-Event", "moved")
	p.Query = url.Values{"k": {"v", "w"}}
	p.Received = time.Unix(1790921712, 0)
	got, err := spec.Document(p)
	if err != nil {
		t.Fatal(err)
	}
	want := object{
		"headers": object{"content-type": "application/json; charset=utf-8", "x-event": "moved"}, "query": object{"k": "v"},
		"body": object{"id": json.Number("1")}, "received": json.Number("1790921712"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDocumentBodies(t *testing.T) {
	const xml, form = "text/xml; charset=utf-8", "application/x-www-form-urlencoded"
	tests := map[string]struct {
		p    connectors.Payload
		want any
	}{
		"ids beyond 2^53 keep their digits": {body("", `[9007199254740993,12345678901234567890123,1.50,1e3]`), []any{
			json.Number("9007199254740993"), json.Number("12345678901234567890123"), json.Number("1.50"), json.Number("1e3"),
		}},
		"a byte order mark":             {body("", "\xef\xbb\xbf{}"), object{}},
		"JSON that calls itself text":   {body("text/plain", ` "x" `), "x"},
		"JSON of a vendor's own type":   {body("application/vnd.api+json", `null`), nil},
		"JSON under a type that is bad": {body(";;", `1`), json.Number("1")},
		"JSON without a type":           {connectors.Payload{Body: []byte(`true`)}, true},
		"a lone surrogate is marked":    {body("", `{"name":"\ud842 田"}`), object{"name": "\ufffd 田"}},
		"a pair of surrogates":          {body("", `{"name":"\ud842\udfb7田"}`), object{"name": "𠮷田"}},
		"deep, but not too deep":        {body("", strings.Repeat("[", 64)+strings.Repeat("]", 64)), nest(63)},
		"gzip by its header":            {gz(body("application/json", packed(t, `{"a":1}`))), object{"a": json.Number("1")}},
		"gzip by its mark":              {body("application/json", packed(t, `{"a":1}`)), object{"a": json.Number("1")}},
		"a form":                        {body(form, "a=1&name=%E4%BD%90%E8%97%A4+x&empty="), object{"a": "1", "name": "佐藤 x", "empty": ""}},
		"a form with a list":            {body(form, "a=1&a=2"), object{"a": []any{"1", "2"}}},
		"XML": {
			body(xml, `<?xml version="1.0" encoding="UTF-8"?><!-- x --><e:Envelope xmlns:e="urn:a"><e:Body><n xmlns="urn:b"><Id>1</Id><o xsi:type="sf:A" xmlns:xsi="urn:x"><sf:B>x &amp; y</sf:B></o></n></e:Body></e:Envelope>`),
			object{"Envelope": object{"Body": object{"n": object{"@xmlns": "urn:b", "Id": "1", "o": object{"@type": "sf:A", "B": "x & y"}}}}},
		},
		"XML with equal children": {body(xml, `<r><i>1</i><i/><i><x>2</x></i></r>`), object{"r": object{"i": []any{"1", "", object{"x": "2"}}}}},
		"XML with text and parts": {body(xml, `<r a="1">x<i>2</i></r>`), object{"r": object{"@a": "1", "#text": "x", "i": "2"}}},
		"XML with nothing on it":  {body(xml, `<r><SessionId xsi:nil="true"/></r>`), object{"r": object{"SessionId": nil}}},
		"SOAP":                    {body("application/soap+xml", `<r>1</r>`), object{"r": "1"}},
		"XML in gzip":             {gz(body(xml, packed(t, `<r/>`))), object{"r": ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := spec.Document(tt.p)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got["body"], tt.want) { // cmp takes ages for what is nested so deep
				t.Errorf("got %#v, want %#v", got["body"], tt.want)
			}
		})
	}
}

func gz(p connectors.Payload) connectors.Payload {
	p.Header.Set("Content-Encoding", "gzip")
	return p
}

func nest(n int) any {
	if n == 0 {
		return []any{}
	}
	return []any{nest(n - 1)}
}

func TestDocumentRefuses(t *testing.T) {
	const xml, form = "application/xml", "application/x-www-form-urlencoded"
	secret := "髙橋 misaki.takahashi@example.jp"
	tests := map[string]struct {
		p     connectors.Payload
		fault ats.Fault
		want  string
	}{
		"nothing":                    {body("application/json", ""), ats.Invalid, "the body is empty"},
		"blanks":                     {body("application/json", " \n"), ats.Invalid, "the body is empty"},
		"no JSON":                    {body("application/json", `{"name":"`+secret+`" x}`), ats.Invalid, "the body is not JSON, at byte"},
		"JSON that is cut":           {body("application/json", `{"name":"`+secret), ats.Invalid, "the JSON ends too early"},
		"JSON that is cut in a list": {body("application/json", `[1,2`), ats.Invalid, "the JSON ends too early"},
		"two JSON values":            {body("application/json", `{} {}`), ats.Invalid, "something follows the JSON value"},
		"a key that stands twice":    {body("application/json", `{"a":{"`+secret+`":1,"`+secret+`":2}}`), ats.Invalid, "a key stands twice"},
		"a name that is no text":     {body("application/json", `{1:2}`), ats.Invalid, "the body is not JSON"},
		"bytes that are not UTF-8":   {body("application/json", "{\"name\":\"\x82\xa0\"}"), ats.Invalid, "the body is not UTF-8"},
		"lists nested too deep":      {body("application/json", strings.Repeat("[", 65)+strings.Repeat("]", 65)), ats.Invalid, "nested deeper than 64"},
		"objects nested too deep":    {body("application/json", strings.Repeat(`{"a":`, 100000)), ats.Invalid, "nested deeper than 64"},
		"a page":                     {body("text/html", `<html>`), ats.Invalid, "content type text/html is not one this connector reads"},
		"a gzip bomb":                {body("application/json", packed(t, strings.Repeat(" ", connectors.MaxContent+1))), ats.TooLarge, "unpacks to more than 8 MiB"},
		"gzip that is cut":           {body("application/json", packed(t, `{"a":1}`)[:20]), ats.Invalid, "cut or damaged"},
		"gzip that is none":          {gz(body("application/json", `{"a":1}`)), ats.Invalid, "is not gzip, though it says so"},
		"a form that is none":        {body(form, "%zz"), ats.Invalid, "the form is not readable"},
		"a form that is not UTF-8":   {body(form, "name=%82%a0"), ats.Invalid, "the form is not UTF-8"},
		"no XML":                     {body(xml, secret), ats.Invalid, "the body is empty"},
		"XML that is cut":            {body(xml, `<r><name>`+secret), ats.Invalid, "the body is not XML in UTF-8"},
		"XML with two roots":         {body(xml, `<r/><r/>`), ats.Invalid, "the body is not XML"},
		"XML with a document type":   {body(xml, `<!DOCTYPE r [<!ENTITY a "x">]><r>&a;</r>`), ats.Invalid, "has a document type"},
		"XML with a type further in": {body(xml, `<r><!DOCTYPE r></r>`), ats.Invalid, "has a document type"},
		"XML with an unknown entity": {body(xml, `<r>&a;</r>`), ats.Invalid, "the body is not XML"},
		"XML in another encoding":    {body(xml, `<?xml version="1.0" encoding="Shift_JIS"?><r/>`), ats.Invalid, "the body is not XML in UTF-8"},
		"XML nested too deep":        {body(xml, strings.Repeat("<a>", 65)), ats.Invalid, "nested deeper than 64"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := spec.Document(tt.p)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, %v, want %s: %s", got, err, tt.fault, tt.want)
			}
			if strings.Contains(err.Error(), "misaki") || strings.Contains(err.Error(), "髙橋") {
				t.Errorf("the error quotes the body: %v", err)
			}
		})
	}
}

// FuzzDocument looks for panics and hangs, and for JSON that is read otherwise
// than the standard library reads it.
func FuzzDocument(f *testing.F) {
	for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "text/xml", ""} {
		for _, text := range []string{
			`{"a":[1,{"b":"\ud83d"}],"c":1e999}`, `<r a="1"><b>x</b><b/></r>`, "a=1&b=%zz", packed(f, `{"a":1}`), "\xef\xbb\xbf[]", strings.Repeat("[", 70),
		} {
			f.Add(kind, []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, kind string, text []byte) {
		p := body(kind, string(text))
		doc, err := spec.Document(p)
		if err != nil {
			if ats.FaultOf(err) == "" {
				t.Fatalf("an error without a fault: %v", err)
			}
			return
		}
		if kind != "application/json" || bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
			return
		}
		d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("read what is no JSON: %v", err)
		}
		if !reflect.DeepEqual(doc["body"], want) {
			t.Fatalf("got %#v, want %#v", doc["body"], want)
		}
	})
}
