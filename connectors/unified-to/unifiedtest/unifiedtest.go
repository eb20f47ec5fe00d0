// Package unifiedtest plays Unified.to's API for tests and the demo.
package unifiedtest

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers
var answers embed.FS

// What the samples in unified-to/testdata name.
const (
	Connection  = "66f0c1d2e3a4b5c6d7e8f9aa"
	Application = "69306314"
	Candidate   = "57683957"
	Job         = "107761"
)

// URL is the address under which RoundTrip answers.
const URL = "https://unified.test"

type object = map[string]any

// A Server is one connection to an ATS in one workspace.
type Server struct {
	apitest.Server
	key     string
	objects map[string]object // kind and id
	// Hooks are the webhooks that there are, and Created the objects that were
	// created, as they were sent.
	Hooks, Created []map[string]any
}

// New makes a workspace with one API key and the application of the samples.
func New(key string) (*Server, error) {
	s := &Server{key: key, objects: map[string]object{}}
	s.Answer = s.answer
	for _, kind := range []string{"application", "candidate", "job"} {
		text, err := answers.ReadFile("answers/" + kind + ".json")
		if err != nil {
			return nil, err
		}
		var o object
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, fmt.Errorf("answer %s: %w", kind, err)
		}
		s.objects[kind+"/"+fmt.Sprint(o["id"])] = o
	}
	return s, nil
}

// Change replaces members of the application; nil takes one away.
func (s *Server) Change(members map[string]any) {
	s.Lock()
	defer s.Unlock()
	o := s.objects["application/"+Application]
	maps.Copy(o, members)
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
}

// Delete removes an object.
func (s *Server) Delete(kind, id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.objects, kind+"/"+id)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	path, mine := strings.CutPrefix(r.URL.Path, "/ats/"+Connection+"/")
	hook, hooks := strings.CutPrefix(r.URL.Path, "/unified/webhook")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.key:
		apitest.Refuse(w, http.StatusUnauthorized)
	case hooks:
		s.webhook(w, r, strings.TrimPrefix(hook, "/"))
	case !mine:
		apitest.Refuse(w, http.StatusNotFound)
	case r.Method == http.MethodPost && (path == "candidate" || path == "application"):
		s.create(w, r, path)
	case r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	case path == "job":
		q := r.URL.Query()
		part, _ := apitest.Part(s.Shown(q.Get("status") == "OPEN", func(j apitest.Job) object {
			return object{"id": j.ID(), "name": j.Title, "status": map[bool]string{true: "OPEN", false: "CLOSED"}[j.Open], "groups": []object{{"name": "Platform"}}}
		}), apitest.Int(q.Get("offset"), 0), min(apitest.Int(q.Get("limit"), 100), 100))
		apitest.Write(w, http.StatusOK, append([]object{}, part...))
	case s.objects[path] == nil:
		apitest.Refuse(w, http.StatusNotFound)
	default:
		apitest.Write(w, http.StatusOK, s.objects[path])
	}
}

func (s *Server) webhook(w http.ResponseWriter, r *http.Request, id string) {
	switch {
	case r.Method == http.MethodGet && id == "":
		found := []object{}
		for _, h := range s.Hooks {
			if c := r.URL.Query().Get("connection_id"); c == "" || c == h["connection_id"] {
				found = append(found, h)
			}
		}
		apitest.Write(w, http.StatusOK, found)
	case r.Method == http.MethodPost && id == "":
		var in object
		if !apitest.Read(w, r, &in) {
			return
		}
		if in["hook_url"] == nil || in["object_type"] == nil || in["event"] == nil || in["connection_id"] != Connection || r.URL.Query().Get("include_all") != "false" {
			apitest.Refuse(w, http.StatusBadRequest)
			return
		}
		in["id"] = fmt.Sprintf("hook-%d", len(s.Hooks)+1)
		s.Hooks = append(s.Hooks, in)
		apitest.Write(w, http.StatusOK, in)
	case r.Method == http.MethodDelete:
		for i, h := range s.Hooks {
			if h["id"] == id {
				s.Hooks = append(s.Hooks[:i:i], s.Hooks[i+1:]...)
				apitest.Write(w, http.StatusOK, object{})
				return
			}
		}
		apitest.Refuse(w, http.StatusNotFound)
	default:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, kind string) {
	var in object
	if !apitest.Read(w, r, &in) {
		return
	}
	if kind == "application" && (in["candidate_id"] == nil || s.objects["job/"+fmt.Sprint(in["job_id"])] == nil) {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	s.Created = append(s.Created, in)
	apitest.Write(w, http.StatusOK, object{"id": fmt.Sprintf("%s-%d", kind, len(s.Created))})
}
