// Package jobaddertest plays JobAdder's API for tests and the demo: with its
// tokens and their end, its pages and its webhooks that are suspended.
package jobaddertest

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

// Ids that the samples in jobadder/testdata name.
const (
	Rejected  = "880101"
	Withdrawn = "880102"
	Candidate = "550012"
	Job       = "42077"
)

// Statuses that the server knows.
const (
	Interview    = 23
	Unsuccessful = 61
	Withdrew     = 64
	Placed       = 70
)

// URL and TokenURL are the addresses under which RoundTrip answers.
const (
	URL      = "https://jobadder.test/v2"
	TokenURL = "https://id.jobadder.test/connect/token"
)

const (
	life    = time.Hour // of a token
	perPage = 1000
)

type object = map[string]any

// A Server is one account at JobAdder.
type Server struct {
	apitest.Server
	refresh      string
	tokens       map[string]time.Time // until when
	sample       object               // of which others are made
	applications map[string]object
	people       []object // who was created
	region       string
	// Hooks are the webhooks that there are, Created what was created, as it was
	// sent, and Renewals how often a token was given.
	Hooks, Created []map[string]any
	Renewals       int
}

// New makes an account with one refresh token and the two applications of the
// samples.
func New(refresh string, now func() time.Time) (*Server, error) {
	s := &Server{refresh: refresh, tokens: map[string]time.Time{}, applications: map[string]object{}, region: URL}
	s.Now, s.Answer = now, s.answer
	for _, name := range []string{"rejected", "withdrawn"} {
		text, err := answers.ReadFile("answers/" + name + ".json")
		if err != nil {
			return nil, err
		}
		var o object
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, fmt.Errorf("answer %s: %w", name, err)
		}
		s.applications[strconv.Itoa(int(o["applicationId"].(float64)))] = o
		if name == "rejected" {
			s.sample = o
		}
	}
	return s, nil
}

var statuses = []object{
	{"statusId": Interview, "name": "Interview", "active": true, "rejected": false, "default": false},
	{"statusId": Unsuccessful, "name": "Unsuccessful - interview", "active": false, "rejected": true, "default": false},
	{"statusId": Withdrew, "name": "Candidate withdrew", "active": false, "rejected": true, "default": false},
	{"statusId": Placed, "name": "Placed", "active": false, "rejected": false, "default": false},
}

// Put adds or replaces an application that has this status. One that is not in
// the list of statuses has a name only.
func (s *Server) Put(id string, status int, updated time.Time) {
	s.Lock()
	defer s.Unlock()
	o := maps.Clone(s.sample)
	n, _ := strconv.Atoi(id)
	o["applicationId"], o["updatedAt"], o["status"] = n, updated.UTC().Format(time.RFC3339), object{"statusId": status, "name": "Old status"}
	for _, known := range statuses {
		if known["statusId"] == status {
			o["status"] = known
		}
	}
	s.applications[id] = o
}

// Delete removes an application.
func (s *Server) Delete(id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.applications, id)
}

// Expire ends all tokens now, before their time.
func (s *Server) Expire() {
	s.Lock()
	defer s.Unlock()
	clear(s.tokens)
}

// Move lets the account's API be elsewhere.
func (s *Server) Move(api string) {
	s.Lock()
	defer s.Unlock()
	s.region = api
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/connect/token" {
		s.token(w, r)
		return
	}
	until, known := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	path, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	parts := strings.Split(path, "/")
	switch {
	case !known || !s.Now().Before(until):
		apitest.Refuse(w, http.StatusUnauthorized)
	case !ok:
		apitest.Refuse(w, http.StatusNotFound)
	case parts[0] == "webhooks":
		s.webhooks(w, r, parts[1:])
	case r.Method == http.MethodPost && path == "candidates":
		s.create(w, r, func(in object) (int, any) {
			in["candidateId"] = 550900 + len(s.people)
			s.people = append(s.people, in)
			return http.StatusCreated, object{"candidateId": in["candidateId"]}
		})
	case r.Method == http.MethodPost && path == "jobs/"+Job+"/applications":
		s.create(w, r, s.apply)
	case r.Method == http.MethodPost && parts[0] == "jobs":
		apitest.Refuse(w, http.StatusNotFound)
	case r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	case path == "applications/lists/status":
		apitest.Write(w, http.StatusOK, object{"items": statuses, "totalCount": len(statuses)})
	case path == "jobs":
		s.open(w, r)
	case path == "candidates":
		s.candidates(w, r)
	case path == "applications":
		s.list(w, r)
	case len(parts) == 2 && parts[0] == "applications" && s.applications[parts[1]] != nil:
		apitest.Write(w, http.StatusOK, s.applications[parts[1]])
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || r.PostForm.Get("grant_type") != "refresh_token" || r.PostForm.Get("refresh_token") != s.refresh || r.PostForm.Get("client_id") == "" || r.PostForm.Get("client_secret") == "" {
		apitest.Write(w, http.StatusBadRequest, object{"error": "invalid_grant"})
		return
	}
	s.Renewals++
	token := fmt.Sprintf("token-%d", s.Renewals)
	s.tokens[token] = s.Now().Add(life)
	s.refresh = fmt.Sprintf("refresh-%d", s.Renewals) // each is taken once
	apitest.Write(w, http.StatusOK, object{"access_token": token, "expires_in": int(life.Seconds()), "token_type": "Bearer", "refresh_token": s.refresh, "api": s.region})
}

// open answers one page of the jobs.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, start := apitest.Int(q.Get("limit"), 50), apitest.Int(q.Get("offset"), 0)
	if size < 1 || size > perPage || start < 0 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	all := s.Shown(q.Get("active") == "true", func(j apitest.Job) object { return object{"jobId": j.Number, "jobTitle": j.Title} })
	part, _ := apitest.Part(all, start, size)
	apitest.Write(w, http.StatusOK, object{"items": append([]object{}, part...), "totalCount": len(all)})
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, made func(in object) (int, any)) {
	var in object
	if !apitest.Read(w, r, &in) {
		return
	}
	s.Created = append(s.Created, maps.Clone(in))
	status, answer := made(in)
	apitest.Write(w, status, answer)
}

// apply makes an application of somebody who was created.
func (s *Server) apply(in object) (int, any) {
	ids, _ := in["candidateId"].([]any)
	for _, c := range s.people {
		if len(ids) != 1 || fmt.Sprintf("%.0f", ids[0]) != fmt.Sprint(c["candidateId"]) {
			continue
		}
		id := 880900 + len(s.people) - 1
		job, _ := strconv.Atoi(Job)
		s.applications[strconv.Itoa(id)] = object{
			"applicationId": id, "candidate": c, "job": object{"jobId": job}, "status": statuses[0], "updatedAt": s.Now().UTC().Format(time.RFC3339),
		}
		return http.StatusCreated, object{"items": []object{{"applicationId": id}}, "totalCount": 1}
	}
	return http.StatusCreated, object{"items": []object{{"applicationId": 880900}}, "totalCount": 1}
}

// Applied lists the applications of who was created with this address, each by
// the source.
func (s *Server) Applied(email string) []string {
	s.Lock()
	defer s.Unlock()
	var out []string
	for _, o := range s.applications {
		if c, _ := o["candidate"].(object); c["email"] == email {
			out = append(out, fmt.Sprint(c["source"]))
		}
	}
	return out
}

func (s *Server) candidates(w http.ResponseWriter, r *http.Request) {
	found := []object{}
	for _, c := range s.people {
		if c["email"] == r.URL.Query().Get("email") {
			found = []object{c}
		}
	}
	for _, o := range s.applications {
		c, _ := o["candidate"].(object)
		if c["email"] == r.URL.Query().Get("email") {
			found = []object{c}
		}
	}
	apitest.Write(w, http.StatusOK, object{"items": found, "totalCount": len(found)})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, offset := 100, 0
	var after time.Time
	var err error
	if text := q.Get("limit"); text != "" {
		limit, err = strconv.Atoi(text)
	}
	if text := q.Get("offset"); text != "" && err == nil {
		offset, err = strconv.Atoi(text)
	}
	if text := q.Get("updatedAt"); text != "" && err == nil {
		after, err = time.Parse(">"+time.RFC3339, text)
	}
	if err != nil || limit < 0 || limit > perPage || offset < 0 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	all := []object{}
	for _, id := range slices.Sorted(maps.Keys(s.applications)) {
		o := s.applications[id]
		status, _ := o["status"].(object)
		candidate, _ := o["candidate"].(object)
		job, _ := o["job"].(object)
		at, err := time.Parse(time.RFC3339, fmt.Sprint(o["updatedAt"]))
		if err != nil || at.Before(after) || q.Has("rejected") && status["rejected"] != true ||
			q.Has("candidateId") && number(candidate["candidateId"]) != q.Get("candidateId") || q.Has("jobId") && number(job["jobId"]) != q.Get("jobId") {
			continue
		}
		all = append(all, o)
	}
	start := min(offset, len(all))
	apitest.Write(w, http.StatusOK, object{"items": all[start:min(start+limit, len(all))], "totalCount": len(all)})
}

func number(v any) string {
	f, _ := v.(float64)
	return strconv.Itoa(int(f))
}

func (s *Server) webhooks(w http.ResponseWriter, r *http.Request, rest []string) {
	i := slices.IndexFunc(s.Hooks, func(h object) bool { return len(rest) == 1 && h["webhookId"] == rest[0] })
	switch {
	case r.Method == http.MethodGet && len(rest) == 0:
		found := slices.DeleteFunc(slices.Clone(s.Hooks), func(h object) bool {
			return r.URL.Query().Has("status") && h["status"] != r.URL.Query().Get("status")
		})
		apitest.Write(w, http.StatusOK, object{"items": append([]object{}, found...), "totalCount": len(found)})
	case r.Method == http.MethodPost && len(rest) == 0:
		var in object
		if !apitest.Read(w, r, &in) {
			return
		}
		if in["name"] == nil || in["events"] == nil || in["url"] == nil {
			apitest.Refuse(w, http.StatusUnprocessableEntity)
			return
		}
		in["webhookId"] = fmt.Sprintf("1b2c3d4e-5f60-4718-8293-%012d", len(s.Hooks)+1)
		s.Hooks = append(s.Hooks, in)
		apitest.Write(w, http.StatusCreated, in)
	case i < 0:
		apitest.Refuse(w, http.StatusNotFound)
	case r.Method == http.MethodPut:
		var in object
		if !apitest.Read(w, r, &in) {
			return
		}
		maps.Copy(s.Hooks[i], in)
		w.WriteHeader(http.StatusOK) // without a body
	case r.Method == http.MethodDelete:
		s.Hooks = slices.Delete(s.Hooks, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	default:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	}
}
