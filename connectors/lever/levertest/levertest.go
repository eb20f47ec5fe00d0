// Package levertest plays Lever's API for tests and the demo: with its
// authentication, its limits, its status codes, its pages and its expansions.
package levertest

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers
var answers embed.FS

// Ids that the samples in lever/testdata name.
const (
	Rejected  = "0b1c2d3e-4f50-4617-8283-94a5b6c7d8e9" // archived as Under-qualified
	Withdrawn = "1b1c2d3e-4f50-4617-8283-94a5b6c7d8e9" // archived as Withdrew
)

// Archive reasons that the server knows.
const (
	UnderQualified = "c1a00000-0000-4000-8000-00000000a001"
	Withdrew       = "c1a00000-0000-4000-8000-00000000a002"
	Hired          = "c1a00000-0000-4000-8000-00000000a003"
	OfferDeclined  = "c1a00000-0000-4000-8000-00000000a004"
	FutureHire     = "c1a00000-0000-4000-8000-00000000a005"
	NoResponse     = "c1a00000-0000-4000-8000-00000000a006"
)

// User is in whose name something may be written.
const User = "8d49b010-cc6a-4f40-ace5-e86061c677ed"

// URL is the address under which RoundTrip answers.
const URL = "https://lever.test/v1"

// Lever's limits: calls per second, calls at once, objects on a page.
const (
	perSecond = 10
	burst     = 20
	perPage   = 100
)

type object = map[string]any

// A Server is one account at Lever.
type Server struct {
	apitest.Server
	key string

	opportunity   object // the samples, of which others are made
	application   object
	opportunities map[string]object // as the API gives them, without expansions
	applications  map[string]object
	postings      map[string]object
	reasons       []object
	hidden        map[string]bool
	notes         map[string][]string // by opportunity
}

// New makes an account with one API key and the two opportunities of the
// samples, archived now.
func New(key string, now func() time.Time) (*Server, error) {
	s := &Server{
		key: key, notes: map[string][]string{},
		opportunities: map[string]object{}, applications: map[string]object{}, postings: map[string]object{}, hidden: map[string]bool{},
	}
	s.Now, s.Limit, s.Answer = now, rate.NewLimiter(perSecond, burst), s.answer
	var posting object
	for name, at := range map[string]any{
		"opportunity": &s.opportunity, "application": &s.application, "posting": &posting, "archive-reasons": &s.reasons,
	} {
		text, err := answers.ReadFile("answers/" + name + ".json")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &struct{ Data any }{at}); err != nil {
			return nil, fmt.Errorf("answer %s: %w", name, err)
		}
	}
	s.postings[fmt.Sprint(posting["id"])] = posting
	s.Add(Opportunity{
		ID: Rejected, Contact: "77777777-1111-4222-8333-0123456789ab", Name: "François Müller",
		Emails: []string{"francois.mueller@example.com", "f.muller@example.jp"}, Language: "ja-JP,ja;q=0.9,en;q=0.5",
	})
	s.Add(Opportunity{
		ID: Withdrawn, Contact: "77777777-2222-4222-8333-0123456789ab", Name: "中村 葵",
		Emails: []string{"aoi.nakamura@example.jp"}, Language: "ja",
	})
	s.Archive(Rejected, UnderQualified, now())
	s.Archive(Withdrawn, Withdrew, now())
	return s, nil
}

// An Opportunity is a candidacy to be added. Empty fields are as in the sample.
type Opportunity struct {
	ID       string
	Contact  string // id of the person
	Name     string
	Emails   []string
	Language string // that the person's browser asked for
	// Change replaces further members of the API's object; may be nil.
	Change func(opportunity map[string]any)
}

// Add puts an open opportunity with one application into the account.
func (s *Server) Add(o Opportunity) {
	s.Lock()
	defer s.Unlock()
	opportunity, application, id := maps.Clone(s.opportunity), maps.Clone(s.application), "application-of-"+o.ID
	application["id"] = id
	application["opportunityId"], application["candidateId"] = o.ID, o.ID
	application["archived"] = nil
	opportunity["id"], opportunity["archived"] = o.ID, nil
	opportunity["applications"] = []string{id}
	for _, f := range []struct {
		of    object
		name  string
		value string
	}{
		{opportunity, "contact", o.Contact}, {opportunity, "name", o.Name}, {application, "name", o.Name}, {application, "acceptLanguage", o.Language},
	} {
		if f.value != "" {
			f.of[f.name] = f.value
		}
	}
	if o.Emails != nil {
		opportunity["emails"] = o.Emails
	}
	if o.Change != nil {
		o.Change(opportunity)
	}
	s.opportunities[o.ID], s.applications[id] = opportunity, application
}

// Archive archives an opportunity; no reason is null.
func (s *Server) Archive(id, reason string, at time.Time) {
	s.Lock()
	defer s.Unlock()
	archived := object{"archivedAt": at.UnixMilli(), "reason": nil}
	if reason != "" {
		archived["reason"] = reason
	}
	s.archive(id, archived)
}

// AddReason adds an archive reason; its type is non-hired.
func (s *Server) AddReason(id, text string) {
	s.Lock()
	defer s.Unlock()
	s.reasons = append(s.reasons, object{"id": id, "text": text, "status": "active", "type": "non-hired"})
}

// Reopen takes an opportunity back out of the archive.
func (s *Server) Reopen(id string) {
	s.Lock()
	defer s.Unlock()
	s.archive(id, nil)
}

func (s *Server) archive(id string, archived any) {
	if o := s.opportunities[id]; o != nil {
		o["archived"] = archived
	}
}

// Delete removes an opportunity.
func (s *Server) Delete(id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.opportunities, id)
}

// Hide makes an object one that the key may not read: an opportunity or a
// posting that is confidential.
func (s *Server) Hide(id string) {
	s.Lock()
	defer s.Unlock()
	s.hidden[id] = true
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if user, password, ok := r.BasicAuth(); !ok || user != s.key || password != "" {
		refuse(w, http.StatusUnauthorized, "NotAuthorized")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "ResourceNotFound")
	case r.Method == http.MethodPost:
		s.post(w, r, strings.Split(path, "/"))
	case r.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	default:
		s.get(w, r, strings.Split(path, "/"))
	}
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, path []string) {
	var found object
	switch {
	case len(path) == 1 && path[0] == "opportunities":
		s.list(w, r)
		return
	case len(path) == 1 && path[0] == "postings":
		s.publish(w, r)
		return
	case len(path) == 2 && path[0] == "opportunities":
		if o := s.opportunities[path[1]]; o != nil {
			var err error
			if found, err = s.expand(o, r.URL.Query().Get("expand")); err != nil {
				refuse(w, http.StatusBadRequest, "BadRequest")
				return
			}
		}
	case len(path) == 2 && path[0] == "postings":
		found = s.postings[path[1]]
	case len(path) == 2 && path[0] == "archive_reasons":
		if i := slices.IndexFunc(s.reasons, func(o object) bool { return o["id"] == path[1] }); i >= 0 {
			found = s.reasons[i]
		}
	case len(path) == 1 && path[0] == "archive_reasons":
		apitest.Write(w, http.StatusOK, object{"data": s.reasons, "hasNext": false})
		return
	}
	switch {
	case found == nil:
		refuse(w, http.StatusNotFound, "ResourceNotFound")
	case s.hidden[path[len(path)-1]]:
		refuse(w, http.StatusForbidden, "Forbidden")
	default:
		apitest.Write(w, http.StatusOK, object{"data": found})
	}
}

// list answers one page of the opportunities of a person, or of an address.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var all []object
	for _, id := range slices.Sorted(maps.Keys(s.opportunities)) {
		o := s.opportunities[id]
		emails, _ := o["emails"].([]string)
		contact, email := q.Get("contact_id"), q.Get("email")
		if s.hidden[id] || contact != "" && o["contact"] != contact || email != "" && !slices.Contains(emails, email) {
			continue
		}
		expanded, err := s.expand(o, q.Get("expand"))
		if err != nil {
			refuse(w, http.StatusBadRequest, "BadRequest")
			return
		}
		all = append(all, expanded)
	}
	page(w, q, all)
}

// publish answers one page of the postings.
func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	page(w, r.URL.Query(), s.Shown(r.URL.Query().Get("state") == "published", func(j apitest.Job) object {
		return object{"id": j.ID(), "text": j.Title, "state": map[bool]string{true: "published", false: "closed"}[j.Open], "categories": object{"team": "Platform", "department": nil}}
	}))
}

func page(w http.ResponseWriter, q url.Values, all []object) {
	size, start := apitest.Int(q.Get("limit"), perPage), 0
	var err error
	if text := q.Get("offset"); text != "" {
		_, err = fmt.Sscanf(text, "offset-%d", &start)
	}
	if err != nil || size < 1 || size > perPage || start < 0 {
		refuse(w, http.StatusBadRequest, "BadRequest")
		return
	}
	part, more := apitest.Part(all, start, size)
	answer := object{"data": append([]object{}, part...), "hasNext": more}
	if more {
		answer["next"] = fmt.Sprintf("offset-%d", start+size)
	}
	apitest.Write(w, http.StatusOK, answer)
}

// Notes are those on an opportunity.
func (s *Server) Notes(opportunity string) []string {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.notes[opportunity])
}

// Of lists the opportunities with this address.
func (s *Server) Of(email string) []map[string]any {
	s.Lock()
	defer s.Unlock()
	var out []map[string]any
	for _, id := range slices.Sorted(maps.Keys(s.opportunities)) {
		if emails, _ := s.opportunities[id]["emails"].([]string); slices.Contains(emails, email) {
			out = append(out, s.opportunities[id])
		}
	}
	return out
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, path []string) {
	switch {
	case r.URL.Query().Get("perform_as") != User:
		refuse(w, http.StatusBadRequest, "BadRequest")
	case len(path) == 1 && path[0] == "opportunities":
		s.create(w, r)
	case len(path) == 3 && path[0] == "opportunities" && path[2] == "notes":
		var in struct{ Value string }
		if !apitest.Read(w, r, &in) {
			return
		}
		if s.opportunities[path[1]] == nil || in.Value == "" {
			refuse(w, http.StatusNotFound, "ResourceNotFound")
			return
		}
		s.notes[path[1]] = append(s.notes[path[1]], in.Value)
		apitest.Write(w, http.StatusCreated, object{"data": object{"id": "note"}})
	default:
		refuse(w, http.StatusNotFound, "ResourceNotFound")
	}
}

// create makes an opportunity, of the contact whom the address belongs to.
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name                      string
		Emails, Sources, Postings []string
		Origin                    string
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	if in.Name == "" || len(in.Emails) == 0 || len(in.Postings) > 1 || in.Origin != "agency" && in.Origin != "referred" {
		refuse(w, http.StatusBadRequest, "BadRequest")
		return
	}
	id := fmt.Sprintf("9b1c2d3e-4f50-4617-8283-%012d", len(s.opportunities))
	o, application := maps.Clone(s.opportunity), "application-of-"+id
	o["id"], o["contact"], o["name"], o["emails"], o["sources"], o["origin"], o["archived"] = id, "contact-of-"+id, in.Name, in.Emails, in.Sources, in.Origin, nil
	deduped := false
	for _, other := range s.opportunities {
		if emails, _ := other["emails"].([]string); slices.ContainsFunc(emails, func(e string) bool { return slices.Contains(in.Emails, e) }) {
			o["contact"], deduped = other["contact"], true
		}
	}
	o["applications"] = []string{}
	if len(in.Postings) == 1 {
		o["applications"] = []string{application}
		s.applications[application] = object{"id": application, "opportunityId": id, "posting": in.Postings[0], "archived": nil, "createdAt": s.Now().UnixMilli()}
	}
	s.opportunities[id] = o
	apitest.Write(w, http.StatusCreated, object{"data": o, "deduped": deduped})
}

// expand puts objects in the place of their ids.
func (s *Server) expand(o object, names string) (object, error) {
	o = maps.Clone(o)
	for name := range strings.SplitSeq(names, ",") {
		switch name {
		case "":
		case "applications":
			ids, _ := o["applications"].([]string)
			list := make([]any, len(ids))
			for i, id := range ids {
				list[i] = s.applications[id]
			}
			o["applications"] = list
		case "stage":
			o["stage"] = object{"id": o["stage"], "text": "Final interview"}
		case "contact":
			o["contact"] = object{"id": o["contact"], "name": o["name"], "emails": o["emails"], "phones": o["phones"], "isAnonymized": o["isAnonymized"]}
		default:
			return nil, fmt.Errorf("cannot expand %s", name)
		}
	}
	return o, nil
}

func refuse(w http.ResponseWriter, status int, code string) {
	apitest.Write(w, status, object{"code": code, "message": http.StatusText(status)})
}
