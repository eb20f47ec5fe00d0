// Package pinpointtest plays Pinpoint's API for tests and the demo.
package pinpointtest

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers
var answers embed.FS

// Ids that the samples in pinpoint/testdata name.
const (
	Application = "8863860" // rejected: Skills mismatch
	Job         = "20417"
)

// URL is the address under which RoundTrip answers.
const URL = "https://hoshizora.pinpoint.test/api/v1"

const jsonAPI = "application/vnd.api+json"

type object = map[string]any

// A Server is one company at Pinpoint.
type Server struct {
	apitest.Server

	key          string
	applications map[string]object
	included     []object
	comments     []string
}

// New makes a company with one API key and the application of the samples.
func New(key string) (*Server, error) {
	s := &Server{key: key, applications: map[string]object{}}
	s.Answer = s.serve
	text, err := answers.ReadFile("answers/application.json")
	if err != nil {
		return nil, err
	}
	var one struct {
		Data     object
		Included []object
	}
	if err := json.Unmarshal(text, &one); err != nil {
		return nil, fmt.Errorf("answer application: %w", err)
	}
	s.applications[Application], s.included = one.Data, one.Included
	return s, nil
}

// Change changes the attributes of the application and of its stage.
func (s *Server) Change(change func(application, stage map[string]any)) {
	s.Lock()
	defer s.Unlock()
	stage, _ := s.included[0]["attributes"].(object)
	application, _ := s.applications[Application]["attributes"].(object)
	change(application, stage)
}

// Delete removes the application of the samples.
func (s *Server) Delete() {
	s.Lock()
	defer s.Unlock()
	delete(s.applications, Application)
}

// Swap lets another application come than the one that was asked for.
func (s *Server) Swap() {
	s.Lock()
	defer s.Unlock()
	s.applications[Application]["id"] = "1"
}

// Applications returns the applications with this address.
func (s *Server) Applications(email string) []map[string]any {
	s.Lock()
	defer s.Unlock()
	var out []map[string]any
	for _, a := range s.applications {
		if attributes, _ := a["attributes"].(object); attributes["email"] == email {
			out = append(out, a)
		}
	}
	return out
}

// Comments lists the comments.
func (s *Server) Comments() []string {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.comments)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1/")
	switch id, one := strings.CutPrefix(path, "applications/"); {
	case r.Header.Get("X-API-KEY") != s.key:
		apitest.Refuse(w, http.StatusUnauthorized)
	case r.Header.Get("Accept") != jsonAPI:
		apitest.Refuse(w, http.StatusNotAcceptable)
	case !ok:
		apitest.Refuse(w, http.StatusNotFound)
	case r.Method == http.MethodGet && one && s.applications[id] != nil:
		answer := object{"data": s.applications[id]}
		if r.URL.Query().Get("include") == "stage,job" {
			answer["included"] = s.included
		}
		apitest.Write(w, http.StatusOK, answer)
	case r.Method == http.MethodGet && path == "jobs":
		s.open(w, r)
	case r.Method == http.MethodPost && (path == "applications" || path == "comments"):
		s.create(w, r, path)
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
}

// open answers one page of the jobs.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, number := apitest.Int(q.Get("page[size]"), 25), apitest.Int(q.Get("page[number]"), 1)
	if size < 1 || size > 1000 || number < 1 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	part, more := apitest.Part(s.Shown(q.Get("filter[status]") == "open", func(j apitest.Job) object {
		return object{"id": j.ID(), "type": "jobs", "attributes": object{"title": j.Title, "status": map[bool]string{true: "open", false: "closed"}[j.Open]}}
	}), (number-1)*size, size)
	links := object{}
	if more {
		q.Set("page[number]", strconv.Itoa(number+1))
		links["next"] = URL + "/jobs?" + q.Encode()
	}
	apitest.Write(w, http.StatusOK, object{"data": append([]object{}, part...), "links": links})
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, kind string) {
	var in struct {
		Data struct {
			Type          string
			Attributes    object
			Relationships map[string]struct{ Data struct{ Type, ID string } }
		}
	}
	if r.Header.Get("Content-Type") != jsonAPI || json.NewDecoder(r.Body).Decode(&in) != nil || in.Data.Type != kind {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	text := func(name string) string { t, _ := in.Data.Attributes[name].(string); return t }
	switch of := in.Data.Relationships; {
	case kind == "comments" && text("body") != "" && s.applications[of["application"].Data.ID] != nil:
		s.comments = append(s.comments, text("body"))
		apitest.Write(w, http.StatusCreated, object{"data": object{"id": "1", "type": kind}})
	case kind == "applications" && text("last_name") != "" && text("email") != "" && of["job"].Data.ID == Job:
		id := strconv.Itoa(8864000 + len(s.applications))
		made := object{"id": id, "type": kind, "attributes": in.Data.Attributes}
		s.applications[id] = made
		apitest.Write(w, http.StatusCreated, object{"data": made})
	default:
		apitest.Refuse(w, http.StatusUnprocessableEntity)
	}
}
