// Package workabletest plays Workable's API for tests and the demo: with its
// authentication, its limits and what it refuses.
package workabletest

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

// Ids that the samples in workable/testdata name.
const (
	Candidate = "2b81aa01" // disqualified: Other candidates are more suitable
	Job       = "9CD658E13E"
)

// URL is the address under which RoundTrip answers.
const URL = "https://hoshizora.workable.test/spi/v3"

// Workable's limits.
const (
	calls   = 10
	within  = 10 * time.Second
	perPage = 100
)

type object = map[string]any

// A Server is one account at Workable.
type Server struct {
	apitest.Server

	token         string
	candidates    map[string]object
	jobs          map[string]object
	reasons       []object
	subscriptions []object
	hidden        map[string]bool
}

// New makes an account with one token and the candidate of the samples.
func New(token string, now func() time.Time) (*Server, error) {
	s := &Server{token: token, candidates: map[string]object{}, hidden: map[string]bool{}}
	s.Answer, s.Now, s.Limit = s.serve, now, rate.NewLimiter(rate.Every(within/calls), calls)
	s.Limited = func(h http.Header) { h.Set("X-Rate-Limit-Reset", strconv.FormatInt(now().Unix()+1, 10)) }
	s.jobs = map[string]object{Job: {"shortcode": Job, "title": "Data Engineer", "department": "Data", "confidential": false, "state": "published"}}
	var one struct{ Candidate object }
	for name, at := range map[string]any{"candidate": &one, "disqualification_reasons": &s.reasons} {
		text, err := answers.ReadFile("answers/" + name + ".json")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, at); err != nil {
			return nil, fmt.Errorf("answer %s: %w", name, err)
		}
	}
	s.candidates[Candidate] = one.Candidate
	return s, nil
}

// Change changes a candidate.
func (s *Server) Change(id string, change func(candidate map[string]any)) {
	s.Lock()
	defer s.Unlock()
	change(s.candidates[id])
}

// Copy adds a candidate like the one of the samples, with another id.
func (s *Server) Copy(id string) {
	s.Lock()
	defer s.Unlock()
	c := maps.Clone(s.candidates[Candidate])
	c["id"] = id
	s.candidates[id] = c
}

// Delete removes a candidate.
func (s *Server) Delete(id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.candidates, id)
}

// Hide makes an object one that the token may not read.
func (s *Server) Hide(id string) {
	s.Lock()
	defer s.Unlock()
	s.hidden[id] = true
}

// Add adds a subscription as it stands.
func (s *Server) Add(subscription map[string]any) {
	s.Lock()
	defer s.Unlock()
	s.subscriptions = append(s.subscriptions, subscription)
}

// Subscriptions lists the subscriptions, each as event and address.
func (s *Server) Subscriptions() []string {
	s.Lock()
	defer s.Unlock()
	var out []string
	for _, one := range s.subscriptions {
		out = append(out, fmt.Sprint(one["event"], " ", one["target"]))
	}
	return out
}

// Candidates returns the candidates with this address.
func (s *Server) Candidates(email string) []map[string]any {
	s.Lock()
	defer s.Unlock()
	var out []map[string]any
	for _, c := range s.candidates {
		if c["email"] == email {
			out = append(out, c)
		}
	}
	return out
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/spi/v3/")
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		apitest.Refuse(w, http.StatusUnauthorized)
		return
	}
	parts := strings.Split(path, "/")
	if s.hidden[parts[len(parts)-1]] {
		apitest.Refuse(w, http.StatusForbidden)
		return
	}
	switch call := r.Method + " " + parts[0]; {
	case !ok:
		apitest.Refuse(w, http.StatusNotFound)
	case call == "GET candidates" && len(parts) == 1:
		s.list(w, r)
	case call == "GET candidates" && len(parts) == 2:
		one(w, "candidate", s.candidates[parts[1]])
	case call == "GET jobs" && len(parts) == 1:
		s.open(w, r)
	case call == "GET jobs" && len(parts) == 2:
		one(w, "", s.jobs[parts[1]])
	case call == "GET disqualification_reasons":
		apitest.Write(w, http.StatusOK, s.reasons)
	case call == "GET subscriptions":
		apitest.Write(w, http.StatusOK, object{"subscriptions": s.subscriptions})
	case call == "POST subscriptions":
		s.subscribe(w, r)
	case call == "DELETE subscriptions" && len(parts) == 2:
		s.unsubscribe(w, parts[1])
	case call == "POST jobs" && len(parts) == 3 && parts[2] == "candidates":
		s.create(w, r, parts[1])
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
}

// open answers one page of the jobs.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, start := apitest.Int(q.Get("limit"), 50), apitest.Int(q.Get("since_id"), 0)
	if size < 1 || size > perPage || start < 0 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	part, more := apitest.Part(s.Shown(q.Get("state") == "published", func(j apitest.Job) object {
		return object{"shortcode": j.ID(), "title": j.Title, "state": map[bool]string{true: "published", false: "closed"}[j.Open], "department": "Platform"}
	}), start, size)
	paging := object{}
	if more {
		q.Set("since_id", strconv.Itoa(start+size))
		paging["next"] = URL + "/jobs?" + q.Encode()
	}
	apitest.Write(w, http.StatusOK, object{"jobs": append([]object{}, part...), "paging": paging})
}

// list answers a page of the candidates that were changed, without what only
// details show.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, err := time.Parse(time.RFC3339, q.Get("updated_after"))
	size, err2 := strconv.Atoi(q.Get("limit"))
	if err != nil || err2 != nil || size < 1 || size > perPage {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	out, next := []object{}, object{}
	for _, id := range slices.Sorted(maps.Keys(s.candidates)) {
		updated, err := time.Parse(time.RFC3339, fmt.Sprint(s.candidates[id]["updated_at"]))
		switch {
		case err != nil || !updated.After(after) || id <= q.Get("since_id"):
		case len(out) == size:
			q.Set("since_id", fmt.Sprint(out[size-1]["id"]))
			next = object{"next": URL + "/candidates?" + q.Encode()}
		default:
			c := maps.Clone(s.candidates[id])
			delete(c, "withdrew")
			delete(c, "disqualified_at")
			out = append(out, c)
		}
	}
	apitest.Write(w, http.StatusOK, object{"candidates": out, "paging": next})
}

// one answers an object, inside of a member if that has a name.
func one(w http.ResponseWriter, member string, v object) {
	switch {
	case v == nil:
		apitest.Refuse(w, http.StatusNotFound)
	case member != "":
		apitest.Write(w, http.StatusOK, object{member: v})
	default:
		apitest.Write(w, http.StatusOK, v)
	}
}

func (s *Server) subscribe(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Target, Event string
		Args          object
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	_, job := in.Args["job_shortcode"]
	_, stage := in.Args["stage_slug"]
	complete := in.Args == nil || job && stage
	known := []string{"candidate_created", "candidate_moved", "candidate_deleted", "job_deleted"}
	switch {
	case !slices.Contains(known, in.Event) || !strings.HasPrefix(in.Target, "https://") || !complete:
		apitest.Refuse(w, http.StatusUnprocessableEntity)
		return
	case slices.ContainsFunc(s.subscriptions, func(o object) bool { return o["target"] == in.Target }):
		apitest.Refuse(w, http.StatusConflict)
		return
	}
	made := object{"id": 104901 + len(s.subscriptions), "event": in.Event, "target": in.Target, "valid_until": nil, "stage_slug": nil, "job_shortcode": nil}
	s.subscriptions = append(s.subscriptions, made)
	apitest.Write(w, http.StatusCreated, object{"id": made["id"]})
}

func (s *Server) unsubscribe(w http.ResponseWriter, id string) {
	n := len(s.subscriptions)
	s.subscriptions = slices.DeleteFunc(s.subscriptions, func(o object) bool { return fmt.Sprint(o["id"]) == id })
	if len(s.subscriptions) == n {
		apitest.Refuse(w, http.StatusNotFound)
		return
	}
	apitest.Write(w, http.StatusOK, object{})
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, job string) {
	var in struct {
		Sourced   *bool
		Candidate object
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	switch name, _ := in.Candidate["name"].(string); {
	case s.jobs[job] == nil:
		apitest.Refuse(w, http.StatusNotFound)
		return
	case name == "" || in.Sourced == nil:
		apitest.Refuse(w, http.StatusUnprocessableEntity)
		return
	}
	c := maps.Clone(in.Candidate)
	c["id"], c["job"], c["disqualified"] = fmt.Sprintf("2b81bb%02d", len(s.candidates)), s.jobs[job], false
	s.candidates[fmt.Sprint(c["id"])] = c
	apitest.Write(w, http.StatusCreated, object{"status": "created", "candidate": c})
}
