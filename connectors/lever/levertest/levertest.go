// Package levertest plays Lever's API for tests and the demo: with its
// authentication, its limits, its status codes, its pages and its expansions.
package levertest

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
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

// URL is the address under which RoundTrip answers.
const URL = "https://lever.test/v1"

// Lever's limits: calls per second, calls at once, objects on a page.
const (
	perSecond = 10
	burst     = 20
	perPage   = 100
)

type object = map[string]any

// A Server is one account at Lever. It is an http.Handler, and an
// http.RoundTripper that needs no network.
type Server struct {
	key string
	now func() time.Time

	mu            sync.Mutex
	limit         *rate.Limiter
	opportunity   object // the samples, of which others are made
	application   object
	opportunities map[string]object // as the API gives them, without expansions
	applications  map[string]object
	postings      map[string]object
	reasons       []object
	hidden        map[string]bool
	failures      []int
	calls         int
}

// New makes an account with one API key and the two opportunities of the
// samples, archived now.
func New(key string, now func() time.Time) (*Server, error) {
	s := &Server{
		key: key, now: now, limit: rate.NewLimiter(perSecond, burst),
		opportunities: map[string]object{}, applications: map[string]object{}, postings: map[string]object{}, hidden: map[string]bool{},
	}
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
	s.mu.Lock()
	defer s.mu.Unlock()
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
	s.mu.Lock()
	defer s.mu.Unlock()
	archived := object{"archivedAt": at.UnixMilli(), "reason": nil}
	if reason != "" {
		archived["reason"] = reason
	}
	s.archive(id, archived)
}

// AddReason adds an archive reason; its type is non-hired.
func (s *Server) AddReason(id, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reasons = append(s.reasons, object{"id": id, "text": text, "status": "active", "type": "non-hired"})
}

// Reopen takes an opportunity back out of the archive.
func (s *Server) Reopen(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archive(id, nil)
}

func (s *Server) archive(id string, archived any) {
	if o := s.opportunities[id]; o != nil {
		o["archived"] = archived
	}
}

// Delete removes an opportunity.
func (s *Server) Delete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.opportunities, id)
}

// Hide makes an object one that the key may not read: an opportunity or a
// posting that is confidential.
func (s *Server) Hide(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden[id] = true
}

// Fail lets the next calls end with these status codes; 0 lets one through.
func (s *Server) Fail(codes ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, codes...)
}

// Calls counts the calls so far.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// RoundTrip implements http.RoundTripper for calls to URL.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	s.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Body: io.NopCloser(&w.body),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
	}, nil
}

// A recorder keeps an answer in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header            { return w.header }
func (w *recorder) WriteHeader(status int)         { w.status = status }
func (w *recorder) Write(text []byte) (int, error) { return w.body.Write(text) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if !s.limit.AllowN(s.now(), 1) {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "TooManyRequests")
		return
	}
	if len(s.failures) > 0 {
		code := s.failures[0]
		s.failures = s.failures[1:]
		if code != 0 {
			refuse(w, code, "Failure")
			return
		}
	}
	if user, password, ok := r.BasicAuth(); !ok || user != s.key || password != "" {
		refuse(w, http.StatusUnauthorized, "NotAuthorized")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "ResourceNotFound")
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
		write(w, http.StatusOK, object{"data": s.reasons, "hasNext": false})
		return
	}
	switch {
	case found == nil:
		refuse(w, http.StatusNotFound, "ResourceNotFound")
	case s.hidden[path[len(path)-1]]:
		refuse(w, http.StatusForbidden, "Forbidden")
	default:
		write(w, http.StatusOK, object{"data": found})
	}
}

// list answers one page of a person's opportunities.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, start := perPage, 0
	var err error
	if text := q.Get("limit"); text != "" {
		size, err = strconv.Atoi(text)
	}
	if text := q.Get("offset"); text != "" && err == nil {
		_, err = fmt.Sscanf(text, "offset-%d", &start)
	}
	if err != nil || size < 1 || size > perPage || start < 0 {
		refuse(w, http.StatusBadRequest, "BadRequest")
		return
	}
	var all []object
	for _, id := range slices.Sorted(maps.Keys(s.opportunities)) {
		o := s.opportunities[id]
		if contact := q.Get("contact_id"); !s.hidden[id] && (contact == "" || o["contact"] == contact) {
			all = append(all, o)
		}
	}
	start = min(start, len(all))
	end := min(start+size, len(all))
	answer := object{"data": all[start:end], "hasNext": end < len(all)}
	if end < len(all) {
		answer["next"] = fmt.Sprintf("offset-%d", end)
	}
	write(w, http.StatusOK, answer)
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
	write(w, status, object{"code": code, "message": http.StatusText(status)})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone
}
