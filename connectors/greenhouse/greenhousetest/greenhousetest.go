// Package greenhousetest plays two APIs of Greenhouse for tests and the demo:
// Harvest v3 with its tokens and limits, and the one for partners.
package greenhousetest

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

// Ids that the samples in greenhouse/testdata name.
const (
	Rejected = "91820011"
	Job      = "4410001"
)

// Credentials of the account.
const (
	ClientID     = "harvest-client"
	ClientSecret = "harvest-secret"
	UserID       = "4001"
	OnBehalfOf   = "partner@example.jp"
)

// Addresses under which RoundTrip answers.
const (
	URL        = "https://harvest.greenhouse.test/v3"
	TokenURL   = "https://auth.greenhouse.test/token"
	PartnerURL = "https://api.greenhouse.test/v1/partner"
)

const (
	perWindow = 50 // calls in ten seconds
	life      = time.Hour
)

type object = map[string]any

// A Server is one account at Greenhouse.
type Server struct {
	apitest.Server
	// Renewals is how often a token was given.
	Renewals int

	key        string
	tokens     map[string]time.Time
	statuses   map[string]string // of applications
	candidates []map[string]any
}

// New makes an account with one partner's key and the application of the
// samples, rejected.
func New(key string, now func() time.Time) *Server {
	s := &Server{key: key, tokens: map[string]time.Time{}, statuses: map[string]string{Rejected: "rejected"}}
	s.Now, s.Limit, s.Answer = now, rate.NewLimiter(perWindow/10, perWindow), s.answer
	s.Limited = func(h http.Header) {
		h.Set("Retry-After", "10")
		h.Set("X-RateLimit-Limit", strconv.Itoa(perWindow))
		h.Set("X-RateLimit-Remaining", "0")
	}
	return s
}

// Move gives an application a status; "" removes it.
func (s *Server) Move(id, status string) {
	s.Lock()
	defer s.Unlock()
	s.statuses[id] = status
	if status == "" {
		delete(s.statuses, id)
	}
}

// Expire ends all tokens now, before their time.
func (s *Server) Expire() {
	s.Lock()
	defer s.Unlock()
	clear(s.tokens)
}

// Candidates lists the candidates that a partner put in.
func (s *Server) Candidates() []map[string]any {
	s.Lock()
	defer s.Unlock()
	return append([]map[string]any{}, s.candidates...)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Host == "auth.greenhouse.test" || r.URL.Path == "/token":
		s.token(w, r)
	case strings.HasPrefix(r.URL.Path, "/v1/partner/"):
		s.partner(w, r)
	default:
		s.harvest(w, r)
	}
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if r.Method != http.MethodPost || r.ParseForm() != nil || !ok || id != ClientID || secret != ClientSecret || r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("sub") != UserID {
		apitest.Write(w, http.StatusUnauthorized, object{"error": "invalid_client"})
		return
	}
	s.Renewals++
	token := fmt.Sprintf("token-%d", s.Renewals)
	s.tokens[token] = s.Now().Add(life)
	apitest.Write(w, http.StatusOK, object{"access_token": token, "token_type": "Bearer", "expires_in": int(life.Seconds())})
}

func (s *Server) harvest(w http.ResponseWriter, r *http.Request) {
	until, known := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	switch {
	case !known || !s.Now().Before(until):
		apitest.Refuse(w, http.StatusUnauthorized)
	case r.Method != http.MethodGet || r.URL.Path != "/v3/applications":
		apitest.Refuse(w, http.StatusNotFound)
	default:
		found := []object{}
		for id := range strings.SplitSeq(r.URL.Query().Get("ids"), ",") {
			if n, err := strconv.Atoi(id); err == nil && s.statuses[id] != "" {
				found = append(found, object{"id": n, "status": s.statuses[id]})
			}
		}
		apitest.Write(w, http.StatusOK, found)
	}
}

func (s *Server) partner(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	switch call := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v1/partner/"); {
	case user != s.key || password != "":
		apitest.Refuse(w, http.StatusUnauthorized)
	case r.Header.Get("On-Behalf-Of") != OnBehalfOf:
		apitest.Refuse(w, http.StatusForbidden)
	case call == "GET jobs":
		apitest.Write(w, http.StatusOK, s.Shown(false, func(j apitest.Job) object {
			return object{"id": j.Number, "name": j.Title, "status": map[bool]string{true: "open", false: "closed"}[j.Open], "public": true}
		}))
	case call == "POST candidates":
		s.create(w, r)
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in object
	if !apitest.Read(w, r, &in) {
		return
	}
	prospect, said := in["prospect"].(bool)
	for _, name := range []string{"first_name", "last_name", "external_id"} {
		if text, _ := in[name].(string); text == "" {
			apitest.Refuse(w, http.StatusUnprocessableEntity)
			return
		}
	}
	if (!said || !prospect) && fmt.Sprintf("%.0f", in["job_id"]) != Job {
		apitest.Refuse(w, http.StatusUnprocessableEntity)
		return
	}
	c := maps.Clone(in)
	c["source"] = "Career Relay" // by the key
	s.candidates = append(s.candidates, c)
	apitest.Write(w, http.StatusOK, object{"id": 70000 + len(s.candidates), "application_id": 80000 + len(s.candidates), "external_id": in["external_id"], "profile_url": "https://app.greenhouse.test/people/1"})
}
