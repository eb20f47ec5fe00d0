// Package smartrecruiterstest plays SmartRecruiters' API for tests and the
// demo: with its authentication, its limits and the test of a new webhook.
package smartrecruiterstest

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers
var answers embed.FS

// Ids that the samples in smartrecruiters/testdata name.
const (
	Candidate = "7f2c0a10-1111-4222-8333-9a8b7c6d5e4f"
	Job       = "1d0c9b8a-2222-4333-8444-5e4f3a2b1c0d"
	// Application is how the connector names Candidate's application for Job,
	// which is rejected.
	Application = Candidate + ":" + Job
)

// URL is the address under which RoundTrip answers.
const URL = "https://smartrecruiters.test"

// SmartRecruiters' limits.
const (
	perSecond        = 10
	maxSubscriptions = 20
	maxKeys          = 16
	life             = 30 * time.Minute // of an access token
)

type object = map[string]any

// A Server is one account at SmartRecruiters.
type Server struct {
	apitest.Server
	// Callback takes the test of a new webhook to its address.
	Callback func(*http.Request) http.Header
	// Bare lets lists stand alone and not in an object.
	Bare bool

	token         string
	access        map[string]time.Time // tokens, until when
	refresh       string
	issued        int
	consents      []object
	applications  map[string]object // by the connector's id
	histories     map[string]object
	candidates    map[string]object
	jobs          map[string]object
	subscriptions []object
	keys          map[string][]string // the newest last
	notes         []string
	hidden        map[string]bool
}

// New makes an account with one token and the application of the samples.
func New(token string, now func() time.Time) (*Server, error) {
	s := &Server{
		token: token, access: map[string]time.Time{}, keys: map[string][]string{}, hidden: map[string]bool{},
		applications: map[string]object{}, histories: map[string]object{}, candidates: map[string]object{}, jobs: map[string]object{},
	}
	s.Answer, s.Now, s.Limit = s.serve, now, rate.NewLimiter(perSecond, perSecond)
	for name, at := range map[string]struct {
		all map[string]object
		id  string
	}{
		"application": {s.applications, Application}, "history": {s.histories, Application},
		"candidate": {s.candidates, Candidate}, "job": {s.jobs, Job},
	} {
		text, err := answers.ReadFile("answers/" + name + ".json")
		if err != nil {
			return nil, err
		}
		var one object
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("answer %s: %w", name, err)
		}
		at.all[at.id] = one
	}
	return s, nil
}

// Move gives the application another status, with the members that belong to it.
func (s *Server) Move(status string, more map[string]any) {
	s.Lock()
	defer s.Unlock()
	a := object{"status": status, "subStatus": nil, "source": "LinkedIn"}
	maps.Copy(a, more)
	s.applications[Application] = a
}

// Delete removes the candidate with all applications.
func (s *Server) Delete() {
	s.Lock()
	defer s.Unlock()
	delete(s.applications, Application)
	delete(s.candidates, Candidate)
}

// Hide makes a path one that the token may not read.
func (s *Server) Hide(path string) {
	s.Lock()
	defer s.Unlock()
	s.hidden[path] = true
}

// Subscriptions lists the subscriptions, each as address, events and status.
func (s *Server) Subscriptions() []string {
	s.Lock()
	defer s.Unlock()
	var out []string
	for _, one := range s.subscriptions {
		out = append(out, fmt.Sprint(one["callbackUrl"], " ", one["events"], " ", one["status"]))
	}
	return out
}

// Fill adds subscriptions until there may be no more.
func (s *Server) Fill() {
	s.Lock()
	defer s.Unlock()
	for len(s.subscriptions) < maxSubscriptions {
		s.subscriptions = append(s.subscriptions, object{"id": fmt.Sprintf("other-%d", len(s.subscriptions)), "callbackUrl": "https://other.test", "status": "active"})
	}
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

// Notes lists the notes.
func (s *Server) Notes() []string {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.notes)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if r.URL.Path == "/identity/oauth/token" {
		s.grant(w, r)
		return
	}
	until, known := s.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	switch {
	case r.Header.Get("X-SmartToken") != s.token && (!known || !s.Now().Before(until)):
		apitest.Refuse(w, http.StatusUnauthorized)
	case s.hidden[r.URL.Path]:
		apitest.Refuse(w, http.StatusForbidden)
	case len(parts) > 2 && parts[0] == "webhooks-api" && parts[1] == "v201907" && parts[2] == "subscriptions":
		s.webhooks(w, r, parts[3:])
	case r.Method == http.MethodGet && r.URL.Path == "/jobs":
		s.open(w, r)
	case r.Method == http.MethodGet:
		s.get(w, parts)
	case r.Method == http.MethodPost && len(parts) == 3 && parts[0] == "jobs" && parts[2] == "candidates":
		s.create(w, r, parts[1])
	case r.Method == http.MethodPost && r.URL.Path == "/messages/shares":
		s.share(w, r)
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
}

// open answers one page of the jobs.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	size, start := apitest.Int(q.Get("limit"), 10), apitest.Int(q.Get("offset"), 0)
	if size < 1 || size > 100 || start < 0 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	all := s.Shown(q.Get("postingStatus") == "PUBLIC", func(j apitest.Job) object {
		return object{"id": j.ID(), "title": j.Title, "postingStatus": map[bool]string{true: "PUBLIC", false: "NOT_PUBLISHED"}[j.Open], "department": object{"id": "1", "label": "Platform"}}
	})
	part, _ := apitest.Part(all, start, size)
	apitest.Write(w, http.StatusOK, object{"totalFound": len(all), "limit": size, "offset": start, "content": append([]object{}, part...)})
}

// Consent lets the candidate decide about a scope.
func (s *Server) Consent(scope, status string) {
	s.Lock()
	defer s.Unlock()
	s.consents = append(s.consents, object{"scope": scope, "status": status, "decidedOn": s.Now().Format(time.RFC3339)})
}

// Refresh makes the OAuth client one that takes this refresh token, and after it
// the one that came with each access token.
func (s *Server) Refresh(token string) {
	s.Lock()
	defer s.Unlock()
	s.refresh = token
}

// Expire ends all access tokens now, before their time.
func (s *Server) Expire() {
	s.Lock()
	defer s.Unlock()
	clear(s.access)
}

// Tokens counts the access tokens that were given.
func (s *Server) Tokens() int {
	s.Lock()
	defer s.Unlock()
	return s.issued
}

// grant gives an access token. A refresh token is taken once.
func (s *Server) grant(w http.ResponseWriter, r *http.Request) {
	kind := "client_credentials"
	if s.refresh != "" {
		kind = "refresh_token"
	}
	if r.Method != http.MethodPost || r.ParseForm() != nil || r.PostForm.Get("grant_type") != kind || r.PostForm.Get("refresh_token") != s.refresh ||
		r.PostForm.Get("client_id") != "client" || r.PostForm.Get("client_secret") != s.token {
		apitest.Write(w, http.StatusBadRequest, object{"error": "invalid_grant"})
		return
	}
	s.issued++
	token := fmt.Sprintf("access-%d", s.issued)
	s.access[token] = s.Now().Add(life)
	answer := object{"access_token": token, "token_type": "Bearer", "expires_in": int(life.Seconds())}
	if s.refresh != "" {
		s.refresh = fmt.Sprintf("refresh-%d", s.issued)
		answer["refresh_token"] = s.refresh
	}
	apitest.Write(w, http.StatusOK, answer)
}

func (s *Server) get(w http.ResponseWriter, parts []string) {
	var found object
	switch {
	case len(parts) == 2 && parts[0] == "candidates":
		found = s.candidates[parts[1]]
	case len(parts) == 3 && parts[0] == "candidates" && parts[2] == "consents" && s.candidates[parts[1]] != nil:
		found = object{"decisions": append([]object{}, s.consents...)}
	case len(parts) == 2 && parts[0] == "jobs":
		found = s.jobs[parts[1]]
	case len(parts) == 4 && parts[0] == "candidates" && parts[2] == "jobs":
		found = s.applications[parts[1]+":"+parts[3]]
	case len(parts) == 6 && strings.Join(parts[4:], "/") == "status/history":
		found = s.histories[parts[1]+":"+parts[3]]
	}
	if found == nil {
		apitest.Refuse(w, http.StatusNotFound)
		return
	}
	apitest.Write(w, http.StatusOK, found)
}

func (s *Server) webhooks(w http.ResponseWriter, r *http.Request, parts []string) {
	if len(parts) == 0 {
		switch r.Method {
		case http.MethodPost:
			s.subscribe(w, r)
		case http.MethodGet:
			var list any = s.subscriptions
			if !s.Bare {
				list = object{"totalFound": len(s.subscriptions), "content": s.subscriptions}
			}
			apitest.Write(w, http.StatusOK, list)
		default:
			apitest.Refuse(w, http.StatusMethodNotAllowed)
		}
		return
	}
	i := slices.IndexFunc(s.subscriptions, func(o object) bool { return o["id"] == parts[0] })
	if i < 0 {
		apitest.Refuse(w, http.StatusNotFound)
		return
	}
	one := s.subscriptions[i]
	switch r.Method + " " + strings.Join(parts[1:], "/") {
	case "DELETE ":
		s.subscriptions = slices.Delete(s.subscriptions, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	case "POST secret-key":
		if len(s.keys[parts[0]]) == maxKeys {
			apitest.Refuse(w, http.StatusConflict)
			return
		}
		s.keys[parts[0]] = append(s.keys[parts[0]], fmt.Sprintf("key-%d-of-%s", len(s.keys[parts[0]])+1, parts[0]))
		s.key(w, parts[0])
	case "GET secret-key":
		s.key(w, parts[0])
	case "PUT activation":
		if !s.shake(r, fmt.Sprint(one["callbackUrl"])) {
			apitest.Refuse(w, http.StatusBadRequest)
			return
		}
		one["status"] = "active"
		w.WriteHeader(http.StatusNoContent)
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
}

func (s *Server) key(w http.ResponseWriter, id string) {
	keys := s.keys[id]
	if len(keys) == 0 {
		apitest.Refuse(w, http.StatusNotFound)
		return
	}
	apitest.Write(w, http.StatusOK, object{"secretKey": keys[len(keys)-1]})
}

func (s *Server) subscribe(w http.ResponseWriter, r *http.Request) {
	var in object
	if !apitest.Read(w, r, &in) {
		return
	}
	address, _ := in["callbackUrl"].(string)
	events, _ := in["events"].([]any)
	switch {
	case !strings.HasPrefix(address, "https://") || len(events) == 0:
		apitest.Refuse(w, http.StatusBadRequest)
		return
	case len(s.subscriptions) == maxSubscriptions:
		apitest.Refuse(w, http.StatusConflict)
		return
	}
	made := object{"id": fmt.Sprintf("5b000000-0000-4000-8000-%012d", len(s.subscriptions)+1), "callbackUrl": address, "events": events, "status": "inactive"}
	s.subscriptions = append(s.subscriptions, made)
	apitest.Write(w, http.StatusCreated, made)
}

// shake sends the test of a webhook: unsigned, without a body, to be answered
// with the same header.
func (s *Server) shake(r *http.Request, address string) bool {
	const name, value = "X-Hook-Secret", "hook-3f1e0d9c8b7a"
	test, err := http.NewRequestWithContext(r.Context(), http.MethodPost, address, http.NoBody)
	if err != nil || s.Callback == nil {
		return false
	}
	test.Header.Set(name, value)
	return s.Callback(test).Get(name) == value
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, job string) {
	var in object
	if !apitest.Read(w, r, &in) {
		return
	}
	switch family, _ := in["lastName"].(string); {
	case s.jobs[job] == nil:
		apitest.Refuse(w, http.StatusNotFound)
		return
	case family == "" || in["email"] == nil:
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	for _, c := range s.candidates {
		if c["email"] == in["email"] && c["lastName"] == in["lastName"] {
			apitest.Write(w, http.StatusConflict, object{"message": "CANDIDATE_DATA_CONFLICT"})
			return
		}
	}
	c := maps.Clone(in)
	c["id"] = fmt.Sprintf("7f2c0a10-0000-4000-8000-%012d", len(s.candidates))
	s.candidates[fmt.Sprint(c["id"])] = c
	apitest.Write(w, http.StatusCreated, c)
}

func (s *Server) share(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Content   string
		ShareWith object
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	if !strings.HasPrefix(in.Content, "#[CANDIDATE:") || len(in.ShareWith) == 0 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	s.notes = append(s.notes, in.Content)
	apitest.Write(w, http.StatusCreated, object{"id": "note"})
}
