// Package stackonetest plays StackOne's API for tests and the demo.
package stackonetest

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

// What the samples in stackone/testdata name.
const (
	Account   = "45355976281015164504"
	Rejected  = "8187e5da-dc77-475e-9949-af0f1fa4e4e3"
	Withdrawn = "8187e5da-dc77-475e-9949-af0f1fa4e4f4"
	Job       = "4071538b-3cac-4fbf-ac76-f78ed250ffdd"
)

// URL is the address under which RoundTrip answers.
const URL = "https://stackone.test"

const perPage = 100

type object = map[string]any

// A Server is one linked account.
type Server struct {
	apitest.Server
	// Created is what was created, as it was sent.
	Created []map[string]any

	key          string
	sample       object // of which others are made
	applications map[string]object
	jobs         map[string]object
}

// New makes an account with the two applications of the samples.
func New(key string) (*Server, error) {
	s := &Server{key: key, applications: map[string]object{}, jobs: map[string]object{
		Job: {"id": Job, "title": "Senior Backend Engineer (Tokyo)", "confidential": "false"},
	}}
	s.Answer = s.answer
	for _, name := range []string{"rejected", "withdrawn"} {
		text, err := answers.ReadFile("answers/" + name + ".json")
		if err != nil {
			return nil, err
		}
		var a struct{ Data object }
		if err := json.Unmarshal(text, &a); err != nil {
			return nil, fmt.Errorf("answer %s: %w", name, err)
		}
		s.applications[fmt.Sprint(a.Data["id"])] = a.Data
		if name == "rejected" {
			s.sample = a.Data
		}
	}
	return s, nil
}

// Put adds or replaces an application that is like the rejected one of the
// samples but for some members.
func (s *Server) Put(id string, updated time.Time, members map[string]any) {
	s.Lock()
	defer s.Unlock()
	o := maps.Clone(s.sample)
	maps.Copy(o, members)
	o["id"], o["updated_at"] = id, updated.UTC().Format("2006-01-02T15:04:05.000Z")
	s.applications[id] = o
}

// ChangeJob replaces members of the job; nil removes it.
func (s *Server) ChangeJob(members map[string]any) {
	s.Lock()
	defer s.Unlock()
	if members == nil {
		delete(s.jobs, Job)
		return
	}
	maps.Copy(s.jobs[Job], members)
}

// Delete removes an application.
func (s *Server) Delete(id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.applications, id)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	path, _ := strings.CutPrefix(r.URL.Path, "/unified/ats/")
	kind, id, one := strings.Cut(path, "/")
	found := map[string]map[string]object{"applications": s.applications, "jobs": s.jobs}[kind][id]
	switch {
	case user != s.key || password != "":
		apitest.Refuse(w, http.StatusUnauthorized)
	case r.Header.Get("X-Account-Id") != Account:
		apitest.Refuse(w, http.StatusForbidden)
	case r.Method == http.MethodPost && !one:
		s.create(w, r, kind)
	case r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	case kind == "applications" && !one:
		s.list(w, r)
	case kind == "jobs" && !one:
		s.open(w, r)
	case found == nil:
		apitest.Refuse(w, http.StatusNotFound)
	default:
		apitest.Write(w, http.StatusOK, object{"data": found})
	}
}

// create makes a candidate or an application.
func (s *Server) create(w http.ResponseWriter, r *http.Request, kind string) {
	var in object
	if !apitest.Read(w, r, &in) {
		return
	}
	switch {
	case kind == "candidates" && in["email"] != nil && in["last_name"] != nil:
	case kind == "applications" && in["candidate_id"] != nil && s.jobs[fmt.Sprint(in["job_id"])] != nil:
	default:
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	s.Created = append(s.Created, in)
	apitest.Write(w, http.StatusCreated, object{"status_code": http.StatusCreated, "data": object{"id": fmt.Sprintf("%s-%d", kind, len(s.Created))}})
}

// open answers one page of the jobs.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, start := apitest.Int(q.Get("page_size"), 25), 0
	var err error
	if text := q.Get("next"); text != "" {
		_, err = fmt.Sscanf(text, "next-%d", &start)
	}
	if err != nil || size < 1 || size > perPage {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	part, more := apitest.Part(s.Shown(false, func(j apitest.Job) object {
		return object{"id": j.ID(), "title": j.Title, "confidential": "false", "job_status": object{"value": map[bool]string{true: "published", false: "closed"}[j.Open]}}
	}), start, size)
	answer := object{"data": append([]object{}, part...), "next": nil}
	if more {
		answer["next"] = fmt.Sprintf("next-%d", start+size)
	}
	apitest.Write(w, http.StatusOK, answer)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, start := 25, 0
	var err error
	if text := q.Get("page_size"); text != "" {
		size, err = strconv.Atoi(text)
	}
	if text := q.Get("next"); text != "" && err == nil {
		_, err = fmt.Sscanf(text, "next-%d", &start)
	}
	after, wrong := time.Parse(time.RFC3339, q.Get("filter[updated_after]"))
	if err != nil || wrong != nil || size < 1 || size > perPage || start < 0 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	all := []object{}
	for _, id := range slices.Sorted(maps.Keys(s.applications)) {
		o := s.applications[id]
		if at, err := time.Parse(time.RFC3339, fmt.Sprint(o["updated_at"])); err == nil && at.After(after) {
			all = append(all, o)
		}
	}
	start = min(start, len(all))
	end := min(start+size, len(all))
	answer := object{"data": all[start:end], "next": nil}
	if end < len(all) {
		answer["next"] = fmt.Sprintf("next-%d", end)
	}
	apitest.Write(w, http.StatusOK, answer)
}
