package api

import (
	"strings"

	"github.com/career-relay/connector/ats"
)

// Note is what the record of a candidate says whom we put into a vendor's
// system.
const Note = "キャリアリレー経由 (introduced by Career Relay)"

// A Person is a candidate whom we put into a vendor's system. Given is empty
// for somebody with one name.
type Person struct {
	Name, Family, Given string
	Email               string
}

// PersonOf refuses a candidate without a usable name or address.
func PersonOf(c ats.Candidate) (Person, error) {
	name, code := ats.Greeting(c)
	address, problem := ats.ParseEmail(string(c.Email))
	switch {
	case code != "":
		return Person{}, ats.Errorf(ats.Invalid, "the candidate has no name that could be passed on")
	case address == "":
		return Person{}, ats.Errorf(ats.Invalid, "the candidate has no address that could be passed on (%s)", problem)
	}
	p := Person{Name: name, Family: c.FamilyName, Given: c.GivenName, Email: string(address)}
	if p.Family == "" {
		p.Family, p.Given = ats.SplitName(name)
	}
	if p.Family == "" { // the last word is as near as one can get
		i := strings.LastIndex(name, " ")
		p.Family, p.Given = name[i+1:], strings.TrimSpace(name[:i+1])
	}
	return p, nil
}
