package verify

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// A Place is where one text stands in a payload: a header, a parameter of the
// address, or a member of the body, which is JSON or a form. A member of a
// member is written data.sig.
type Place struct {
	Header string `yaml:"header"`
	Query  string `yaml:"query"`
	Body   string `yaml:"body"`
}

// IsZero reports whether no place is named.
func (at Place) IsZero() bool { return at == Place{} }

// String says where the place is.
func (at Place) String() string {
	switch {
	case at.Header != "":
		return "the header " + at.Header
	case at.Query != "":
		return "the parameter " + at.Query + " of the address"
	}
	return "the member " + at.Body + " of the body"
}

func (at Place) validate() error {
	n := 0
	for _, s := range []string{at.Header, at.Query, at.Body} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("want one of header, query, body: have %d", n)
	}
	return nil
}

// get returns the text that stands there, an ats.Denied error when none does
// or when several do: then nobody knows which counts.
func (at Place) get(p connectors.Payload) (string, error) {
	var values []string
	switch {
	case at.Header != "":
		values = p.Header.Values(at.Header)
	case at.Query != "":
		values = p.Query[at.Query]
	case isForm(p):
		form, err := url.ParseQuery(string(p.Body))
		if err != nil {
			return "", ats.Errorf(ats.Denied, "the form is not readable")
		}
		values = form[at.Body]
	default:
		text, err := memberText(p.Body, at.Body)
		switch {
		case errors.Is(err, errTwice):
			values = []string{"", ""}
		case err == nil:
			values = []string{text}
		}
	}
	switch len(values) {
	case 1:
		return values[0], nil
	case 0:
		return "", ats.Errorf(ats.Denied, "%s is missing", at)
	}
	return "", ats.Errorf(ats.Denied, "%s stands more than once", at)
}

// set returns p with the text at the place.
func (at Place) set(p connectors.Payload, text string) (connectors.Payload, error) {
	switch {
	case at.Header != "":
		p.Header = p.Header.Clone()
		if p.Header == nil {
			p.Header = http.Header{}
		}
		p.Header.Set(at.Header, text)
	case at.Query != "":
		q := maps.Clone(p.Query)
		if q == nil {
			q = url.Values{}
		}
		q.Set(at.Query, text)
		p.Query = q
	case isForm(p):
		form, err := url.ParseQuery(string(p.Body))
		if err != nil {
			return p, ats.Errorf(ats.Invalid, "the form is not readable")
		}
		form.Set(at.Body, text)
		p.Body = []byte(form.Encode())
	default:
		body, err := setMember(p.Body, at.Body, text)
		if err != nil {
			return p, ats.Errorf(ats.Invalid, "%s: %w", at, err)
		}
		p.Body = body
	}
	return p, nil
}

func isForm(p connectors.Payload) bool {
	kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	return err == nil && strings.EqualFold(kind, "application/x-www-form-urlencoded")
}
