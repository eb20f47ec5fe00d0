// Package kombotest plays Kombo's API for tests and the demo: with its
// authentication, its integrations, its pages and its errors that come with 200.
package kombotest

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

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers
var answers embed.FS

// What the samples in kombo/testdata name.
const (
	Integration = "greenhouse:7Ut4h2b9PQm3xV5aJd1WkLzc"
	Rejected    = "Ap1x2y3z4A"
	Withdrawn   = "Ap2x2y3z4B"
	Job         = "Jb7KmNpQ2rStUvWxYz345678"
)

// URL is the address under which RoundTrip answers.
const URL = "https://kombo.test/v1"

const perPage = 250

type object = map[string]any

// A row is an application with the time by which it is found: changes of what
// belongs to it count too.
type row struct {
	object
	updated time.Time
}

// A Server is one integration of one environment.
type Server struct {
	apitest.Server
	key          string
	applications map[string]row
	sample       object // of which others are made
	job          object
	limited      bool
	// Created are the applications that were created, as they were sent.
	Created []map[string]any
}

// New makes an environment with one API key and the two applications of the
// samples.
func New(key string) (*Server, error) {
	s := &Server{key: key, applications: map[string]row{}, job: object{"id": Job, "name": "Senior Backend Engineer (Tokyo)", "department": "Engineering", "visibility": "PUBLIC"}}
	s.Answer = s.answer
	for _, name := range []string{"rejected", "withdrawn"} {
		o, err := read(name)
		if err != nil {
			return nil, err
		}
		at, err := time.Parse(time.RFC3339, fmt.Sprint(o["changed_at"]))
		if err != nil {
			return nil, err
		}
		s.applications[fmt.Sprint(o["id"])] = row{o, at}
		if name == "rejected" {
			s.sample = o
		}
	}
	return s, nil
}

func read(name string) (object, error) {
	text, err := answers.ReadFile("answers/" + name + ".json")
	if err != nil {
		return nil, err
	}
	var a struct{ Data struct{ Results []object } }
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("answer %s: %w", name, err)
	}
	return a.Data.Results[0], nil
}

// Put adds or replaces an application that is like the rejected one of the
// samples but for some members.
func (s *Server) Put(id string, updated time.Time, members map[string]any) {
	s.Lock()
	defer s.Unlock()
	o := object{}
	maps.Copy(o, s.sample)
	maps.Copy(o, members)
	o["id"] = id
	s.applications[id] = row{o, updated}
}

// Change replaces members of the job.
func (s *Server) Change(members map[string]any) {
	s.Lock()
	defer s.Unlock()
	maps.Copy(s.job, members)
}

// Remove forgets an application.
func (s *Server) Remove(id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.applications, id)
}

// Exhaust lets every call be answered with the error of a used up limit, which
// comes with 200.
func (s *Server) Exhaust(yes bool) {
	s.Lock()
	defer s.Unlock()
	s.limited = yes
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	job, creates := strings.CutPrefix(r.URL.Path, "/v1/ats/jobs/")
	job, creates2 := strings.CutSuffix(job, "/applications")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.key:
		apitest.Refuse(w, http.StatusUnauthorized)
	case r.Header.Get("X-Integration-Id") != Integration:
		apitest.Refuse(w, http.StatusBadRequest)
	case s.limited:
		apitest.Write(w, http.StatusOK, object{"status": "error", "error": object{"code": "PLATFORM.RATE_LIMIT_EXCEEDED", "message": "slow down"}})
	case creates && creates2:
		s.create(w, r, job)
	case r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	case r.URL.Path == "/v1/ats/applications":
		s.list(w, r)
	case r.URL.Path == "/v1/ats/jobs":
		if r.URL.Query().Has("statuses") {
			s.open(w, r)
			return
		}
		found := []object{}
		if slices.Contains(strings.Split(r.URL.Query().Get("ids"), ","), Job) {
			found = append(found, s.job)
		}
		results(w, found, "")
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
}

// open answers one page of the jobs with a status. The first of them is not for
// people from outside.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, start := apitest.Int(q.Get("page_size"), 100), 0
	var err error
	if text := q.Get("cursor"); text != "" {
		_, err = fmt.Sscanf(text, "cursor-%d", &start)
	}
	if err != nil || size < 1 || size > perPage {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	all := append([]object{{"id": "internal", "name": "Internal", "status": "OPEN", "visibility": "INTERNAL"}}, s.Shown(q.Get("statuses") == "OPEN", func(j apitest.Job) object {
		return object{"id": j.ID(), "name": j.Title, "status": map[bool]string{true: "OPEN", false: "CLOSED"}[j.Open], "visibility": "PUBLIC", "department": "Platform"}
	})...)
	part, more := apitest.Part(all, start, size)
	next := ""
	if more {
		next = fmt.Sprintf("cursor-%d", start+size)
	}
	results(w, append([]object{}, part...), next)
}

func results(w http.ResponseWriter, rows []object, next string) {
	data := object{"results": rows, "next": nil}
	if next != "" {
		data["next"] = next
	}
	apitest.Write(w, http.StatusOK, object{"status": "success", "data": data})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, start := 100, 0
	var after time.Time
	var err error
	if text := q.Get("page_size"); text != "" {
		size, err = strconv.Atoi(text)
	}
	if text := q.Get("updated_after"); text != "" && err == nil {
		after, err = time.Parse(time.RFC3339, text)
	}
	if text := q.Get("cursor"); text != "" && err == nil {
		_, err = fmt.Sscanf(text, "cursor-%d", &start)
	}
	if err != nil || size < 1 || size > perPage || start < 0 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	ids := strings.Split(q.Get("ids"), ",")
	all := []object{}
	for _, id := range slices.Sorted(maps.Keys(s.applications)) {
		a := s.applications[id]
		if q.Has("ids") && !slices.Contains(ids, id) || a.updated.Before(after) || a.object["remote_deleted_at"] != nil && q.Get("include_deleted") != "true" {
			continue
		}
		all = append(all, a.object)
	}
	start = min(start, len(all))
	end, next := min(start+size, len(all)), ""
	if end < len(all) {
		next = fmt.Sprintf("cursor-%d", end)
	}
	results(w, all[start:end], next)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, job string) {
	var in struct{ Candidate object }
	if !apitest.Read(w, r, &in) {
		return
	}
	for _, name := range []string{"first_name", "last_name", "email_address"} {
		if text, _ := in.Candidate[name].(string); text == "" || job != Job {
			apitest.Refuse(w, http.StatusBadRequest)
			return
		}
	}
	s.Created = append(s.Created, in.Candidate)
	apitest.Write(w, http.StatusOK, object{"status": "success", "data": object{"id": fmt.Sprintf("ApNew%d", len(s.Created))}, "warnings": []any{}})
}
