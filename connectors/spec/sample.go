package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mapping"
)

// Samples stand in a connector's folder: testdata/<case>.json (or .form, .xml)
// is a body, byte for byte as the vendor sends it; testdata/<case>.request.json
// is what came with it, and testdata/request.json what comes with all:
//
//	{"received": "2026-10-02T06:15:12Z", "headers": {"X-Event": "moved"}, "query": {"k": "v"}}
//
// The signature is left out: Sign makes it. Names that end in .fetched.json and
// the file signatures.json are for the tests.
const samples = "testdata"

// kinds are the bodies that a sample may have, by the file's ending.
var kinds = map[string]string{
	".json": "application/json",
	".form": "application/x-www-form-urlencoded",
	".xml":  "text/xml; charset=utf-8",
}

// A request is what came with a body.
type request struct {
	Received time.Time         `json:"received"`
	Headers  map[string]string `json:"headers"`
	Query    map[string]string `json:"query"`
}

// Samples lists the cases in a connector's folder.
func Samples(folder fs.FS) ([]string, error) {
	files, err := fs.ReadDir(folder, samples)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, f := range files {
		ending := path.Ext(f.Name())
		name := strings.TrimSuffix(f.Name(), ending)
		switch {
		case kinds[ending] == "" || f.IsDir(), name == "request" || name == "signatures",
			strings.HasSuffix(name, ".request") || strings.HasSuffix(name, ".fetched"):
			continue
		}
		names = append(names, name)
	}
	return names, nil
}

// Sample reads a case from a connector's folder.
func Sample(folder fs.FS, name string) (connectors.Payload, error) {
	for _, ending := range slices.Sorted(maps.Keys(kinds)) {
		body, err := fs.ReadFile(folder, path.Join(samples, name+ending))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return connectors.Payload{}, err
		}
		r := request{Headers: map[string]string{"Content-Type": kinds[ending]}, Query: map[string]string{}}
		for _, file := range []string{"request.json", name + ".request.json"} {
			if err := r.read(folder, path.Join(samples, file)); err != nil {
				return connectors.Payload{}, err
			}
		}
		return r.payload(body), nil
	}
	return connectors.Payload{}, ats.Errorf(ats.NotFound, "no sample %q", name)
}

// read puts a file over r; a missing one changes nothing.
func (r *request) read(folder fs.FS, file string) error {
	text, err := fs.ReadFile(folder, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return ats.Errorf(ats.Invalid, "%s: %w", file, err)
	}
	return nil
}

// payload makes the payload; a header that is set to "" is absent.
func (r *request) payload(body []byte) connectors.Payload {
	p := connectors.Payload{Header: http.Header{}, Body: body, Received: r.Received}
	for name, value := range r.Headers {
		if value != "" {
			p.Header.Set(name, value)
		}
	}
	if len(r.Query) > 0 {
		p.Query = url.Values{}
		for name, value := range r.Query {
			p.Query.Set(name, value)
		}
	}
	return p
}

// Unreached returns the numbers of the rules that decide about none of the
// payloads.
func Unreached(s Spec, payloads []connectors.Payload) ([]int, error) {
	x, err := s.expressions()
	if err != nil {
		return nil, err
	}
	var docs []map[string]any
	for _, p := range payloads {
		if more, err := x.documents(p); err == nil { // what cannot be read, no rule sees
			docs = append(docs, more...)
		}
	}
	return unreached(s.Events, docs)
}

// UnreachedFetched says the same of the fetched rules and the answers that they
// see.
func UnreachedFetched(s Spec, answers []map[string]any) ([]int, error) {
	return unreached(s.Fetched.Events, answers)
}

func unreached(rules []mapping.Rule, docs []map[string]any) ([]int, error) {
	reached := make([]bool, len(rules))
	for i, rule := range rules {
		when, err := mapping.Parse(rule.When)
		if err != nil {
			return nil, err
		}
		// Whoever decides is not asked by the rules below.
		docs = slices.DeleteFunc(docs, func(doc map[string]any) bool {
			yes := when != nil && when.True(doc)
			reached[i] = reached[i] || yes
			return yes
		})
	}
	var out []int
	for i, yes := range reached {
		if !yes {
			out = append(out, i)
		}
	}
	return out, nil
}
