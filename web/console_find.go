package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A foundPage lists the people that a search found.
type foundPage struct {
	*sheet
	People []found
}

type found struct{ Company, Person string }

// find leads from what was typed to what it means. It takes a form and not an
// address, because what is typed may be a name or a mail address, and those
// never stand in a URL.
func (k *console) find(c *gin.Context, s *sheet) error {
	typed := strings.TrimSpace(c.Request.PostForm.Get("q"))
	n, isList := nounOf(c.Request.PostForm.Get("in"))
	switch {
	case typed == "" && isList:
		c.Redirect(http.StatusSeeOther, "/"+n.Path)
		return nil
	case typed == "":
		c.Redirect(http.StatusSeeOther, "/")
		return nil
	case !strings.Contains(typed, "@") && (isList || strings.Contains(typed, ":")):
		return k.findWords(c, s, n, isList, typed)
	}
	return k.findThing(c, s, typed)
}

// nounOf returns the noun of a list's path.
func nounOf(path string) (noun, bool) {
	i := slices.IndexFunc(nouns, func(n noun) bool { return n.Path == path })
	if i < 0 {
		return noun{}, false
	}
	return nouns[i], true
}

// An unreadPage says what is wrong with a filter and keeps it.
type unreadPage struct {
	*sheet
	In    string
	Typed string
	Err   string
	Try   string // the filter with its mistake repaired
}

// findWords reads a filter such as "company:acme state:dead".
func (k *console) findWords(c *gin.Context, s *sheet, n noun, isList bool, typed string) error {
	q, at, word := parseWords(typed)
	if word == "" && !isList {
		n, isList = guess(q)
		if !isList {
			n = nouns[0]
		}
	}
	known := n.words
	if !isList {
		known = allWords()
	}
	if word == "" {
		for w := range q {
			if !slices.Contains(known, w) {
				word, at = w, position(typed, w)
			}
		}
	}
	if word == "" {
		c.Redirect(http.StatusSeeOther, "/"+n.Path+"?"+q.Encode())
		return nil
	}
	p := unreadPage{sheet: s, In: n.Path, Typed: typed, Err: s.t("find.bad", "at", at, "word", word)}
	p.Title = s.t("list.unread")
	if near := closest(word, known); near != "" {
		p.Err += s.t("find.near", "word", near)
		p.Try = strings.Replace(typed, word+":", near+":", 1)
	}
	k.render(c, http.StatusBadRequest, "unread", p)
	return nil
}

// PersonPage is where everything about a person stands that the visitor may
// see: to a recruiter, the applications.
func (s *sheet) PersonPage(id string) string {
	if !s.Sees("/people/:id") {
		return "/applications?" + url.Values{"person": {id}}.Encode()
	}
	return "/people/" + url.PathEscape(id)
}

func allWords() []string {
	var all []string
	for _, n := range nouns {
		all = append(all, n.words...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// parseWords takes a filter apart. A word without a colon is returned as the
// wrong one, with its place in characters.
func parseWords(typed string) (q url.Values, at int, wrong string) {
	q = url.Values{}
	for _, token := range tokens(typed) {
		word, value, ok := strings.Cut(token, ":")
		if !ok || word == "" {
			return q, position(typed, token), token
		}
		q.Set(word, strings.Trim(value, `"`))
	}
	return q, 0, ""
}

// tokens splits at spaces that are not within quotes.
func tokens(s string) []string {
	quoted := false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\u3000' || r == '\t')
	})
}

// position is where word begins in typed, counted in characters from one.
func position(typed, word string) int {
	before, _, _ := strings.Cut(typed, word)
	return len([]rune(before)) + 1
}

// guess returns the noun that a filter is about: the first that has all its
// words and its state.
func guess(q url.Values) (noun, bool) {
	for _, n := range nouns {
		fits := true
		for word := range q {
			fits = fits && slices.Contains(n.words, word)
		}
		if state := q.Get("state"); fits && (state == "" || slices.Contains(n.States, state)) {
			return n, true
		}
	}
	return noun{}, false
}

// closest returns the known word that is at most two letters away from word.
func closest(word string, known []string) string {
	best, near := 3, ""
	for _, w := range known {
		if d := distance(word, w); d < best {
			best, near = d, w
		}
	}
	return near
}

// distance counts the letters to be changed, added or removed.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before := row[0]
		row[0] = i + 1
		for j := range y {
			cost := before
			if x[i] != y[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(y)]
}

// findThing leads to the row with an id, ours or a vendor's, or to the person
// with an address or a name.
func (k *console) findThing(c *gin.Context, s *sheet, typed string) error {
	ctx := c.Request.Context()
	if !strings.Contains(typed, "@") {
		if path, err := k.pathOf(ctx, typed); path != "" || err != nil {
			if err == nil {
				c.Redirect(http.StatusSeeOther, path)
			}
			return err
		}
	}
	p := foundPage{sheet: s}
	for _, company := range s.firms.Companies() {
		ids, err := k.Desk.FindPeople(ctx, company.ID, typed)
		if err != nil {
			return err
		}
		for _, id := range ids {
			p.People = append(p.People, found{Company: company.ID, Person: id})
		}
	}
	if len(p.People) == 1 {
		c.Redirect(http.StatusSeeOther, s.PersonPage(p.People[0].Person))
		return nil
	}
	p.Title = s.t("find.h1", "count", s.Count("person", len(p.People)))
	k.render(c, http.StatusOK, "found", p)
	return nil
}

// pathOf returns the page of the row with an id; "" when there is none.
func (k *console) pathOf(ctx context.Context, id string) (string, error) {
	escaped := url.PathEscape(id)
	f := record.Filter{ID: id, Limit: 1}
	for _, look := range []struct {
		path string
		rows func() (int, error)
	}{
		{"/deliveries/", func() (int, error) { rows, err := k.Desk.Deliveries(ctx, f); return len(rows), err }},
		{"/applications/", func() (int, error) { rows, err := k.Desk.Applications(ctx, f); return len(rows), err }},
		{"/mails/", func() (int, error) { rows, err := k.Desk.Mails(ctx, f); return len(rows), err }},
		{"/jobs/", func() (int, error) { rows, err := k.Desk.Jobs(ctx, f); return len(rows), err }},
		{"/referrals/", func() (int, error) { rows, err := k.Desk.Referrals(ctx, f); return len(rows), err }},
		{"/consents/", func() (int, error) { rows, err := k.Desk.Consents(ctx, f); return len(rows), err }},
		{"/batches/", func() (int, error) { rows, err := k.Desk.Batches(ctx, f); return len(rows), err }},
	} {
		n, err := look.rows()
		if err != nil {
			return "", err
		}
		if n > 0 {
			return look.path + escaped, nil
		}
	}
	// A vendor's id may belong to applications of several companies.
	apps, err := k.Desk.Applications(ctx, record.Filter{Application: id, Limit: 2})
	switch {
	case err != nil || len(apps) == 0:
		return "", err
	case len(apps) == 1:
		return "/applications/" + apps[0].ID, nil
	}
	return "/applications?" + url.Values{"application": {id}}.Encode(), nil
}

// A personPage is everything about one person, without what is personal.
type personPage struct {
	*sheet
	ID           string
	Of           string // the company
	Erased       bool
	Applications []record.Application
	Mails        []record.Mail
	Consents     []record.Consent
	Referrals    []record.Referral
	Audit        []record.Audit
	Reason, Err  string
}

func (k *console) personPage(c *gin.Context, s *sheet) error {
	return k.showPerson(c, s, http.StatusOK, "", "")
}

func (k *console) showPerson(c *gin.Context, s *sheet, code int, reason, problem string) error {
	ctx, id := c.Request.Context(), c.Param("id")
	p := personPage{sheet: s, ID: id, Reason: reason, Err: problem}
	f := record.Filter{Person: id, Limit: record.MaxPage}
	var err error
	if p.Applications, err = k.Desk.Applications(ctx, f); err != nil {
		return err
	}
	if p.Mails, err = k.Desk.Mails(ctx, f); err != nil {
		return err
	}
	if p.Consents, err = k.Desk.Consents(ctx, f); err != nil {
		return err
	}
	if p.Referrals, err = k.Desk.Referrals(ctx, f); err != nil {
		return err
	}
	if p.Audit, err = k.history(ctx, id); err != nil {
		return err
	}
	if len(p.Applications) == 0 {
		return ats.Errorf(ats.NotFound, "no person %s", id)
	}
	p.Of = p.Applications[0].Company
	s.of(p.Of)
	p.Erased = !slices.ContainsFunc(p.Applications, func(a record.Application) bool { return a.State != ats.Erased })
	p.Nav, p.Title = "applications", s.t("person.h1", "company", s.Company(p.Of))
	k.render(c, code, "person", p)
	return nil
}

// erasePerson destroys everything personal about a person.
func (k *console) erasePerson(c *gin.Context, s *sheet) error {
	reason := c.Request.PostForm.Get("reason")
	if c.Request.PostForm.Get("sure") == "" {
		return k.showPerson(c, s, http.StatusBadRequest, reason, s.t("person.unsure"))
	}
	_, err := k.erase(c.Request.Context(), s.Who.Actor, c.Param("id"), reason)
	if ats.FaultOf(err) == ats.Invalid {
		return k.showPerson(c, s, http.StatusBadRequest, reason, s.t("reason.missing"))
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/people/"+url.PathEscape(c.Param("id")))
	return nil
}
