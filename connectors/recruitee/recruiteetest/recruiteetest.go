// Package recruiteetest plays Recruitee's API for tests and the demo.
package recruiteetest

import (
	_ "embed"
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers/candidate.json
var candidate []byte

// What the samples in recruitee/testdata name.
const (
	Company   = "88001"
	Candidate = "51234001"
	Job       = "1400321"
)

// URL is the address under which RoundTrip answers.
const URL = "https://recruitee.test"

type object = map[string]any

// A Server is one company's account at Recruitee.
type Server struct {
	apitest.Server
	key        string
	candidates map[string]object
	// Created are the candidates that were created, as they were sent.
	Created []map[string]any
}

// New makes an account with one token and the candidate of the samples.
func New(key string) (*Server, error) {
	s := &Server{key: key, candidates: map[string]object{}}
	s.Answer = s.answer
	var c object
	if err := json.Unmarshal(candidate, &c); err != nil {
		return nil, err
	}
	s.candidates[Candidate] = c
	return s, nil
}

// Change replaces members of the candidate's only placement.
func (s *Server) Change(members map[string]any) {
	s.Lock()
	defer s.Unlock()
	maps.Copy(s.placement(), members)
}

func (s *Server) placement() object {
	of, _ := s.candidates[Candidate]["candidate"].(object)
	list, _ := of["placements"].([]any)
	p, _ := list[0].(object)
	return p
}

// Leave takes the candidate out of the job.
func (s *Server) Leave() {
	s.Lock()
	defer s.Unlock()
	of, _ := s.candidates[Candidate]["candidate"].(object)
	of["placements"] = []any{}
}

// Delete removes the candidate.
func (s *Server) Delete() {
	s.Lock()
	defer s.Unlock()
	delete(s.candidates, Candidate)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	path, mine := strings.CutPrefix(r.URL.Path, "/c/"+Company+"/candidates")
	switch id := strings.TrimPrefix(path, "/"); {
	case r.Header.Get("Authorization") != "Bearer "+s.key:
		apitest.Refuse(w, http.StatusUnauthorized)
	case r.Method == http.MethodGet && r.URL.Path == "/c/"+Company+"/offers":
		// The filter lets others through, as Recruitee's does at times.
		apitest.Write(w, http.StatusOK, object{"offers": s.Shown(false, func(j apitest.Job) object {
			return object{"id": j.Number, "title": j.Title, "kind": "job", "status": map[bool]string{true: "published", false: "archived"}[j.Open], "department": "Platform"}
		})})
	case !mine:
		apitest.Refuse(w, http.StatusNotFound)
	case r.Method == http.MethodPost && path == "":
		s.create(w, r)
	case r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	case s.candidates[id] == nil:
		apitest.Refuse(w, http.StatusNotFound)
	default:
		apitest.Write(w, http.StatusOK, s.candidates[id])
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Candidate object
		Offers    []int64
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	if in.Candidate["name"] == "" || len(in.Offers) == 0 {
		apitest.Refuse(w, http.StatusUnprocessableEntity)
		return
	}
	s.Created = append(s.Created, in.Candidate)
	apitest.Write(w, http.StatusCreated, object{"candidate": object{"id": 51239000 + len(s.Created)}})
}
