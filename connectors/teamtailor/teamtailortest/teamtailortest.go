// Package teamtailortest plays Teamtailor's API for tests and the demo: with its
// authentication, its version, its limit, its pages and its inclusions.
package teamtailortest

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers
var answers embed.FS

// Ids that the samples in teamtailor/testdata name.
const (
	Rejected  = "30450011" // by the company
	Withdrawn = "30450012" // by the candidate
	Candidate = "77100001"
	Job       = "880011"
)

// Reject reasons that the server knows.
const (
	ByCompany   = "41"
	ByCandidate = "44"
)

// Stages that the server knows.
const (
	Interview = "5511"
	Hired     = "5519"
)

// URL is the address under which RoundTrip answers.
const URL = "https://teamtailor.test/v1"

// Teamtailor's limits: calls in ten seconds, objects on a page.
const (
	perTenSeconds = 50
	perPage       = 30
	defaultPage   = 10
)

const mediaType = "application/vnd.api+json"

type object = map[string]any

// A Server is one company's account at Teamtailor.
type Server struct {
	apitest.Server
	key       string
	resources map[string]map[string]object // kind → id
	// Created are the resources that were created, as they were sent.
	Created []map[string]any
}

// New makes an account with one API key and the two applications of the
// samples.
func New(key string, now func() time.Time) (*Server, error) {
	s := &Server{key: key, resources: map[string]map[string]object{}}
	s.Now, s.Limit, s.Answer = now, rate.NewLimiter(perTenSeconds/10, perTenSeconds), s.answer
	for _, name := range []string{"rejected", "withdrawn", "hired"} {
		text, err := answers.ReadFile("answers/" + name + ".json")
		if err != nil {
			return nil, err
		}
		var answer struct {
			Data     object
			Included []object
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			return nil, fmt.Errorf("answer %s: %w", name, err)
		}
		if name != "hired" { // only its stage is needed
			s.put(answer.Data)
		}
		for _, o := range answer.Included {
			s.put(o)
		}
	}
	return s, nil
}

func (s *Server) put(o object) {
	kind, id := fmt.Sprint(o["type"]), fmt.Sprint(o["id"])
	if s.resources[kind] == nil {
		s.resources[kind] = map[string]object{}
	}
	s.resources[kind][id] = o
}

// Add puts an application into the account that was rejected like the one of
// the samples.
func (s *Server) Add(id string, updated, rejected time.Time) {
	s.Lock()
	defer s.Unlock()
	o, attributes := maps.Clone(s.resources["job-applications"][Rejected]), object{}
	of, _ := o["attributes"].(object)
	maps.Copy(attributes, of)
	attributes["updated-at"], attributes["rejected-at"] = updated.Format(time.RFC3339Nano), nil
	if !rejected.IsZero() {
		attributes["rejected-at"] = rejected.Format(time.RFC3339Nano)
	}
	o["id"], o["attributes"] = id, attributes
	s.put(o)
}

// Change replaces attributes of a resource.
func (s *Server) Change(kind, id string, attributes map[string]any) {
	s.Lock()
	defer s.Unlock()
	of, _ := s.resources[kind][id]["attributes"].(object)
	maps.Copy(of, attributes)
}

// Relate changes to what an application belongs, such as stage or
// reject-reason; "" is nothing.
func (s *Server) Relate(application, relation, kind, id string) {
	s.Lock()
	defer s.Unlock()
	of, _ := s.resources["job-applications"][application]["relationships"].(object)
	of[relation] = object{"data": nil}
	if id != "" {
		of[relation] = object{"data": object{"type": kind, "id": id}}
	}
}

// Delete removes a resource.
func (s *Server) Delete(kind, id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.resources[kind], id)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	kind, id, one := strings.Cut(path, "/")
	switch {
	case r.Header.Get("Authorization") != "Token token="+s.key:
		apitest.Refuse(w, http.StatusUnauthorized)
	case r.Header.Get("X-Api-Version") == "":
		apitest.Refuse(w, http.StatusBadRequest)
	case !ok:
		apitest.Refuse(w, http.StatusNotFound)
	case r.Method == http.MethodPost && !one:
		s.create(w, r, kind)
	case r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	case one:
		s.one(w, kind, id, r.URL.Query().Get("include"))
	case kind == "jobs":
		s.open(w, r)
	case kind == "job-applications":
		s.list(w, r)
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
}

func (s *Server) one(w http.ResponseWriter, kind, id, include string) {
	o := s.resources[kind][id]
	if o == nil {
		apitest.Refuse(w, http.StatusNotFound)
		return
	}
	included := []object{}
	relations, _ := o["relationships"].(object)
	for name := range strings.SplitSeq(include, ",") {
		relation, known := relations[name].(object)
		if name != "" && !known {
			apitest.Refuse(w, http.StatusBadRequest)
			return
		}
		if at, ok := relation["data"].(object); ok {
			included = append(included, s.resources[fmt.Sprint(at["type"])][fmt.Sprint(at["id"])])
		}
	}
	apitest.Write(w, http.StatusOK, object{"data": o, "included": included})
}

// open answers one page of the jobs.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, number := apitest.Int(q.Get("page[size]"), defaultPage), apitest.Int(q.Get("page[number]"), 1)
	if size < 1 || size > perPage || number < 1 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	part, more := apitest.Part(s.Shown(q.Get("filter[status]") == "published" && q.Get("filter[feed]") == "public", func(j apitest.Job) object {
		return object{"id": j.ID(), "type": "jobs", "attributes": object{"title": j.Title}}
	}), (number-1)*size, size)
	links := object{}
	if more {
		links["next"] = fmt.Sprintf("%s/jobs?page%%5Bnumber%%5D=%d", URL, number+1)
	}
	apitest.Write(w, http.StatusOK, object{"data": append([]object{}, part...), "links": links})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	number, size := 1, defaultPage
	var err1, err2, err3 error
	if text := q.Get("page[number]"); text != "" {
		number, err1 = strconv.Atoi(text)
	}
	if text := q.Get("page[size]"); text != "" {
		size, err2 = strconv.Atoi(text)
	}
	from, err3 := time.Parse(time.RFC3339, q.Get("filter[updated-at][from]"))
	if err1 != nil || err2 != nil || err3 != nil || number < 1 || size < 1 || size > perPage {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	var all []object
	for _, id := range slices.Sorted(maps.Keys(s.resources["job-applications"])) {
		o := s.resources["job-applications"][id]
		attributes, _ := o["attributes"].(object)
		if at, err := time.Parse(time.RFC3339, fmt.Sprint(attributes["updated-at"])); err == nil && !at.Before(from) {
			all = append(all, o)
		}
	}
	start := min((number-1)*size, len(all))
	end := min(start+size, len(all))
	links := object{}
	if end < len(all) {
		links["next"] = fmt.Sprintf("%s/job-applications?page%%5Bnumber%%5D=%d", URL, number+1)
	}
	apitest.Write(w, http.StatusOK, object{
		"data": all[start:end], "meta": object{"record-count": len(all), "page-count": (len(all) + size - 1) / size}, "links": links,
	})
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, kind string) {
	var in struct{ Data object }
	if r.Header.Get("Content-Type") != mediaType || json.NewDecoder(r.Body).Decode(&in) != nil || in.Data["type"] != kind {
		apitest.Refuse(w, http.StatusUnprocessableEntity)
		return
	}
	s.Created = append(s.Created, in.Data)
	apitest.Write(w, http.StatusCreated, object{"data": object{"type": kind, "id": strconv.Itoa(30450100 + len(s.Created))}})
}
