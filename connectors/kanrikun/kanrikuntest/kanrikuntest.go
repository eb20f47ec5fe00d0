// Package kanrikuntest plays the API of 採用一括かんりくん for tests and the demo:
// with its tokens, its limits, its pages and its filters.
package kanrikuntest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers/students.json
var students []byte

// URL is the address under which RoundTrip answers.
const URL = "https://kanrikun.test"

// The vendor's limits: calls and tokens an hour, students on a page.
const (
	perHour = 1000
	maxSize = 100
)

type object = map[string]any

// A Server is one company's account.
type Server struct {
	apitest.Server
	id, secret string

	window   time.Time // the hour that is counted
	used     int
	issued   int
	token    string
	until    time.Time
	loose    bool
	students []object
}

// New makes an account with the students of the samples.
func New(id, secret string, now func() time.Time) (*Server, error) {
	s := &Server{id: id, secret: secret}
	s.Now, s.Answer = now, s.answer
	var page struct{ Students []object }
	if err := json.Unmarshal(students, &page); err != nil {
		return nil, fmt.Errorf("students: %w", err)
	}
	s.students = page.Students
	return s, nil
}

func idOf(c object) int {
	n, _ := c["id"].(float64)
	return int(n)
}

// Change changes members of a student; one who is not there is made of the
// first.
func (s *Server) Change(id int, members map[string]any) {
	s.Lock()
	defer s.Unlock()
	i := slices.IndexFunc(s.students, func(c object) bool { return idOf(c) == id })
	c := maps.Clone(s.students[max(i, 0)])
	c["id"] = float64(id)
	maps.Copy(c, members)
	if i < 0 {
		s.students = append(s.students, c)
		return
	}
	s.students[i] = c
}

// Loose lets searches find everybody, whatever is searched for.
func (s *Server) Loose() {
	s.Lock()
	defer s.Unlock()
	s.loose = true
}

// Revoke ends the token before its time.
func (s *Server) Revoke() {
	s.Lock()
	defer s.Unlock()
	s.token = ""
}

// Issued counts the tokens so far.
func (s *Server) Issued() int {
	s.Lock()
	defer s.Unlock()
	return s.issued
}

// answer runs locked.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	now := s.Now()
	if !now.Before(s.window.Add(time.Hour)) {
		s.window, s.used = now, 0
	}
	switch {
	case r.Method != http.MethodPost:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	case r.URL.Path == "/auth/v1.0/token/get":
		s.issue(w, r)
	case r.URL.Path != "/new-graduate/v1.0/student/get":
		apitest.Refuse(w, http.StatusNotFound)
	case s.token == "" || r.Header.Get("X-KANRIKUN-TOKEN") != s.token || !now.Before(s.until):
		apitest.Refuse(w, http.StatusUnauthorized)
	default:
		if s.used++; s.used > perHour {
			apitest.Refuse(w, http.StatusTooManyRequests)
			return
		}
		s.list(w, r)
	}
}

func (s *Server) issue(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	if in.ID != s.id || in.Secret != s.secret {
		apitest.Write(w, http.StatusBadRequest, object{"message": "client_id is invalid"})
		return
	}
	s.issued++
	s.token, s.until = "token-"+strconv.Itoa(s.issued), s.Now().Add(time.Hour)
	apitest.Write(w, http.StatusOK, object{"access_token": s.token, "expire_in": s.until.Unix()})
}

// list answers one page with the keys that were asked for.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Page, Size int
		Search     struct {
			Status *int
			Email  string
		}
		Request []string
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	if in.Page < 1 || in.Size < 1 || in.Size > maxSize || len(in.Request) == 0 {
		apitest.Write(w, http.StatusBadRequest, object{"message": "size is invalid"})
		return
	}
	var found []object
	for _, c := range s.students {
		status, _ := c["status"].(float64)
		of := in.Search.Email == "" || c["pc_email"] == in.Search.Email // of which address is not said
		if s.loose || of && (in.Search.Status == nil || int(status) == *in.Search.Status) {
			found = append(found, c)
		}
	}
	rows := []object{}
	for _, c := range found[min((in.Page-1)*in.Size, len(found)):min(in.Page*in.Size, len(found))] {
		row := object{}
		for _, key := range in.Request {
			row[key] = c[key]
		}
		rows = append(rows, row)
	}
	apitest.Write(w, http.StatusOK, object{"total": len(found), "students": rows})
}
