// Package mergetest plays Merge's API for tests and the demo: with its two
// credentials, its limit, its pages and its expansions.
package mergetest

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

// What the samples in merge/testdata name.
const (
	Account   = "3f1c7a52-8c0e-4b7e-9d11-6a2f5c0b9e41"
	Rejected  = "c0a8d2f4-7e1b-4f0a-9a55-2f7b6f1e0d01"
	Candidate = "5b0f9c1e-3a77-4d2c-8a8b-90a1b2c3d401"
	Job       = "e7a4f6d0-2b19-4c33-8f0e-1b2c3d4e5f01"
	Stage     = "1d2e3f40-5a6b-4c7d-8e9f-0a1b2c3d4e01"
	Mismatch  = "9c8b7a60-1f2e-4d3c-b4a5-6978877665a1" // a reject reason
	Withdrew  = "9c8b7a60-1f2e-4d3c-b4a5-6978877665b2" // a reject reason
)

// URL is the address under which RoundTrip answers.
const URL = "https://merge.test/api/ats/v1"

// Merge's limits: calls in a minute, objects on a page.
const (
	perMinute = 100
	perPage   = 100
)

type object = map[string]any

// kinds are the members of an application that can be expanded.
var kinds = map[string]string{"candidate": "candidates", "job": "jobs", "current_stage": "job-interview-stages", "reject_reason": "reject-reasons"}

// A Server is one linked account.
type Server struct {
	apitest.Server
	key, token string
	objects    map[string]map[string]object // kind → id
	closed     map[string]bool              // kinds that may not be read
	flat       bool
	// Created are the models that were created, as they were sent.
	Created []map[string]any
}

// New makes an account with the application of the samples.
func New(key, token string, now func() time.Time) (*Server, error) {
	s := &Server{key: key, token: token, objects: map[string]map[string]object{}, closed: map[string]bool{}}
	s.Now, s.Limit, s.Answer = now, rate.NewLimiter(perMinute/60., perMinute), s.answer
	var application, candidate object
	var reasons []object
	for name, at := range map[string]any{"application": &application, "candidate": &candidate, "reject-reasons": &reasons} {
		text, err := answers.ReadFile("answers/" + name + ".json")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, at); err != nil {
			return nil, fmt.Errorf("answer %s: %w", name, err)
		}
	}
	s.put("applications", application)
	s.put("candidates", candidate)
	s.put("jobs", object{"id": Job, "name": "Senior Backend Engineer (Tokyo)", "status": "OPEN", "departments": []string{"d1"}, "confidential": false})
	s.put("job-interview-stages", object{"id": Stage, "name": "Technical interview", "stage_order": 3})
	for _, r := range reasons {
		s.put("reject-reasons", r)
	}
	return s, nil
}

func (s *Server) put(kind string, o object) {
	if s.objects[kind] == nil {
		s.objects[kind] = map[string]object{}
	}
	s.objects[kind][fmt.Sprint(o["id"])] = o
}

// Put adds or replaces an application that is like the one of the samples but
// for some members.
func (s *Server) Put(id string, modified time.Time, members map[string]any) {
	s.Lock()
	defer s.Unlock()
	o := object{}
	maps.Copy(o, s.objects["applications"][Rejected])
	maps.Copy(o, members)
	o["id"], o["modified_at"] = id, modified.Format(time.RFC3339)
	s.put("applications", o)
}

// Remove forgets an object.
func (s *Server) Remove(kind, id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.objects[kind], id)
}

// Close makes objects of a kind ones that may not be read.
func (s *Server) Close(kind string) {
	s.Lock()
	defer s.Unlock()
	s.closed[kind] = true
}

// Flatten lets the server expand nothing, as it does where an integration has
// not read the objects yet.
func (s *Server) Flatten() {
	s.Lock()
	defer s.Unlock()
	s.flat = true
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/api/ats/v1/")
	kind, id, one := strings.Cut(path, "/")
	expand := strings.Split(r.URL.Query().Get("expand"), ",")
	unknown := slices.ContainsFunc(expand, func(name string) bool { return name != "" && kinds[name] == "" })
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.key || r.Header.Get("X-Account-Token") != s.token:
		apitest.Refuse(w, http.StatusUnauthorized)
	case !ok || s.objects[kind] == nil:
		apitest.Refuse(w, http.StatusNotFound)
	case r.Method == http.MethodPost && !one:
		s.create(w, r, kind)
	case r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	case unknown:
		apitest.Refuse(w, http.StatusBadRequest)
	case s.closed[kind]:
		apitest.Refuse(w, http.StatusForbidden)
	case !one && kind == "jobs":
		s.open(w, r)
	case !one && kind == "applications":
		s.list(w, r, expand)
	case s.objects[kind][id] == nil:
		apitest.Refuse(w, http.StatusNotFound)
	default:
		apitest.Write(w, http.StatusOK, s.expanded(s.objects[kind][id], expand))
	}
}

func (s *Server) expanded(o object, names []string) object {
	o = maps.Clone(o)
	for _, name := range names {
		if one := s.objects[kinds[name]][fmt.Sprint(o[name])]; one != nil && !s.flat && !s.closed[kinds[name]] {
			o[name] = one
		}
	}
	return o
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, expand []string) {
	q := r.URL.Query()
	size, start := 30, 0
	var after time.Time
	var err error
	if text := q.Get("page_size"); text != "" {
		size, err = strconv.Atoi(text)
	}
	if text := q.Get("modified_after"); text != "" && err == nil {
		after, err = time.Parse(time.RFC3339, text)
	}
	if text := q.Get("cursor"); text != "" && err == nil {
		_, err = fmt.Sscanf(text, "cD0%d", &start)
	}
	if err != nil || size < 1 || size > perPage || start < 0 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	all := []object{}
	for _, id := range slices.Sorted(maps.Keys(s.objects["applications"])) {
		o := s.objects["applications"][id]
		at, err := time.Parse(time.RFC3339, fmt.Sprint(o["modified_at"]))
		if err != nil || !at.After(after) || o["remote_was_deleted"] == true && q.Get("include_deleted_data") != "true" {
			continue
		}
		all = append(all, s.expanded(o, expand))
	}
	start = min(start, len(all))
	end := min(start+size, len(all))
	answer := object{"next": nil, "previous": nil, "results": all[start:end]}
	if end < len(all) {
		answer["next"] = fmt.Sprintf("cD0%d", end)
	}
	apitest.Write(w, http.StatusOK, answer)
}

// open answers one page of the jobs.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, start := apitest.Int(q.Get("page_size"), 30), 0
	var err error
	if text := q.Get("cursor"); text != "" {
		_, err = fmt.Sscanf(text, "cD0%d", &start)
	}
	if err != nil || size < 1 || size > perPage {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	part, more := apitest.Part(s.Shown(q.Get("status") == "OPEN", func(j apitest.Job) object {
		return object{"id": j.ID(), "name": j.Title, "status": map[bool]string{true: "OPEN", false: "CLOSED"}[j.Open]}
	}), start, size)
	answer := object{"next": nil, "previous": nil, "results": append([]object{}, part...)}
	if more {
		answer["next"] = fmt.Sprintf("cD0%d", start+size)
	}
	apitest.Write(w, http.StatusOK, answer)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, kind string) {
	var in struct {
		Model object
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	if in.Model == nil || kind == "applications" && (in.Model["candidate"] == nil || s.objects["jobs"][fmt.Sprint(in.Model["job"])] == nil) {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	s.Created = append(s.Created, in.Model)
	apitest.Write(w, http.StatusCreated, object{"model": object{"id": fmt.Sprintf("new-%d", len(s.Created))}, "warnings": []any{}, "errors": []any{}})
}
