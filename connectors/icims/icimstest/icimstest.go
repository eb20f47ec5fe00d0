// Package icimstest plays iCIMS's API for tests and the demo.
package icimstest

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

// What the samples in icims/testdata name.
const (
	Customer = "6268"
	Workflow = "1479"
	Person   = "1930"
	Job      = "1181"
)

// URL is the address under which RoundTrip answers.
const URL = "https://icims.test"

type object = map[string]any

// A Server is one customer of iCIMS.
type Server struct {
	apitest.Server
	user, password string
	objects        map[string]object // by path
}

// New makes a customer with one user of the API and the workflow of the samples.
func New(user, password string) (*Server, error) {
	s := &Server{user: user, password: password, objects: map[string]object{}}
	s.Answer = s.answer
	for name, path := range map[string]string{"workflow": "applicantworkflows/" + Workflow, "person": "people/" + Person, "job": "jobs/" + Job} {
		text, err := answers.ReadFile("answers/" + name + ".json")
		if err != nil {
			return nil, err
		}
		var o object
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, fmt.Errorf("answer %s: %w", name, err)
		}
		s.objects[path] = o
	}
	return s, nil
}

// Move moves the workflow to a status.
func (s *Server) Move(id, value string) {
	s.Lock()
	defer s.Unlock()
	s.objects["applicantworkflows/"+Workflow]["status"] = object{"id": id, "value": value}
}

// Change replaces members of an object, such as people/1930; nil removes it.
func (s *Server) Change(path string, members map[string]any) {
	s.Lock()
	defer s.Unlock()
	if members == nil {
		delete(s.objects, path)
		return
	}
	maps.Copy(s.objects[path], members)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	path, mine := strings.CutPrefix(r.URL.Path, "/customers/"+Customer+"/")
	fields := strings.Split(r.URL.Query().Get("fields"), ",")
	switch o := s.objects[path]; {
	case user != s.user || password != s.password:
		apitest.Refuse(w, http.StatusUnauthorized)
	case !mine || o == nil:
		apitest.Refuse(w, http.StatusNotFound)
	case r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	case strings.ToLower(r.URL.RawQuery) != strings.ReplaceAll(r.URL.RawQuery, "%2C", "%2c"): // all names are in lower case
		apitest.Refuse(w, http.StatusBadRequest)
	default:
		chosen := object{}
		for _, name := range fields {
			if v, ok := o[name]; ok {
				chosen[name] = v
			}
		}
		apitest.Write(w, http.StatusOK, chosen)
	}
}
