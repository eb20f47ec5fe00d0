// Package breezytest plays Breezy's API for tests and the demo.
package breezytest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

// Ids that the samples in breezy/testdata name.
const (
	Company   = "d2c3a4b5e6f7"
	Position  = "f0e1d2c3b4a5"
	Candidate = "c7f6e5d4b3a2"
	// Application is how the connector names Candidate in Position, who is
	// disqualified.
	Application = Position + ":" + Candidate
)

// URL is the address under which RoundTrip answers.
const URL = "https://breezy.test/v3"

// maxEndpoints is how many webhooks a company may have.
const maxEndpoints = 10

type object = map[string]any

// A Server is one company at Breezy.
type Server struct {
	apitest.Server

	token      string
	candidates map[string]object // by the connector's name
	endpoints  []object
}

// New makes a company with one token and the candidate of the samples.
func New(token string) *Server {
	s := &Server{token: token, candidates: map[string]object{Application: {
		"_id": Candidate, "name": "佐藤 美咲", "email_address": "misaki.sato@example.jp", "phone_number": "+81 90-0000-1234",
		"stage": object{"id": "disqualified", "name": "Disqualified"}, "tags": []string{"silver-medalist", "golang"},
		"source": object{"id": "src-1", "name": "Company website"}, "origin": "applied",
	}}}
	s.Answer = s.serve
	return s
}

// Change changes the candidate of the samples.
func (s *Server) Change(change func(candidate map[string]any)) {
	s.Lock()
	defer s.Unlock()
	change(s.candidates[Application])
}

// Delete removes the candidate of the samples.
func (s *Server) Delete() {
	s.Lock()
	defer s.Unlock()
	delete(s.candidates, Application)
}

// Pause switches every webhook off.
func (s *Server) Pause() {
	s.Lock()
	defer s.Unlock()
	for _, e := range s.endpoints {
		e["status"] = "paused"
	}
}

// Endpoints lists the webhooks, each as address and events.
func (s *Server) Endpoints() []string {
	s.Lock()
	defer s.Unlock()
	var out []string
	for _, e := range s.endpoints {
		out = append(out, fmt.Sprint(e["url"], " ", e["events"]))
	}
	return out
}

// Candidates returns the candidates with this address.
func (s *Server) Candidates(email string) []map[string]any {
	s.Lock()
	defer s.Unlock()
	var out []map[string]any
	for _, c := range s.candidates {
		if c["email_address"] == email {
			out = append(out, c)
		}
	}
	return out
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v3/company/"+Company+"/")
	parts := strings.Split(path, "/")
	switch call := r.Method + " " + parts[0]; {
	case r.Header.Get("Authorization") != s.token:
		apitest.Refuse(w, http.StatusUnauthorized)
	case !ok:
		apitest.Refuse(w, http.StatusNotFound)
	case call == "GET position" && len(parts) == 4 && parts[2] == "candidate" && s.candidates[parts[1]+":"+parts[3]] != nil:
		apitest.Write(w, http.StatusOK, s.candidates[parts[1]+":"+parts[3]])
	case call == "POST position" && len(parts) == 3 && parts[2] == "candidates":
		s.create(w, r, parts[1])
	case call == "GET positions":
		apitest.Write(w, http.StatusOK, s.Shown(r.URL.Query().Get("state") == "published", func(j apitest.Job) object {
			return object{"_id": j.ID(), "name": j.Title, "state": map[bool]string{true: "published", false: "closed"}[j.Open], "department": "Platform"}
		}))
	case call == "GET webhook_endpoints":
		apitest.Write(w, http.StatusOK, s.endpoints)
	case call == "POST webhook_endpoints":
		s.subscribe(w, r)
	case call == "DELETE webhook_endpoints" && len(parts) == 2:
		s.unsubscribe(w, parts[1])
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
}

func (s *Server) subscribe(w http.ResponseWriter, r *http.Request) {
	var in object
	if !apitest.Read(w, r, &in) {
		return
	}
	address, _ := in["url"].(string)
	events, _ := in["events"].([]any)
	switch {
	case !strings.HasPrefix(address, "https://") || len(events) == 0:
		apitest.Refuse(w, http.StatusBadRequest)
		return
	case len(s.endpoints) == maxEndpoints:
		apitest.Refuse(w, http.StatusForbidden)
		return
	}
	kept := object{"_id": fmt.Sprintf("ep-%d", len(s.endpoints)+1), "url": address, "events": events, "status": "active"}
	s.endpoints = append(s.endpoints, kept)
	shown := maps.Clone(kept)
	shown["secret"] = "whsec_of_" + fmt.Sprint(kept["_id"]) // only this once
	apitest.Write(w, http.StatusCreated, shown)
}

func (s *Server) unsubscribe(w http.ResponseWriter, id string) {
	n := len(s.endpoints)
	s.endpoints = slices.DeleteFunc(s.endpoints, func(e object) bool { return e["_id"] == id })
	if len(s.endpoints) == n {
		apitest.Refuse(w, http.StatusNotFound)
		return
	}
	apitest.Write(w, http.StatusOK, object{})
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, position string) {
	var in object
	if !apitest.Read(w, r, &in) {
		return
	}
	switch name, _ := in["name"].(string); {
	case position != Position:
		apitest.Refuse(w, http.StatusNotFound)
		return
	case name == "":
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	c := maps.Clone(in)
	c["_id"], c["stage"] = fmt.Sprintf("c7f6e5d4%04d", len(s.candidates)), object{"id": "applied", "name": "Applied"}
	s.candidates[position+":"+fmt.Sprint(c["_id"])] = c
	apitest.Write(w, http.StatusCreated, c)
}
