// Package herptest plays HERP Hire's API for tests and the demo: with its
// authentication, its quota, its pages and its filters.
package herptest

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
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

// URL is the address under which RoundTrip answers.
const URL = "https://herp.test/hire/v1"

// HERP's limits: calls a minute, rows on a page.
const (
	perMinute = 100
	perPage   = 100
)

type object = map[string]any

// A Server is one customer's account at HERP.
type Server struct {
	apitest.Server
	key string

	window      time.Time // the minute that is counted
	used        int
	size        int      // rows on a page
	candidacies []object // as the list gives them
	jobs        []object
	drift       bool
}

// New makes an account with one API key and the candidacies of the samples.
func New(key string, now func() time.Time) (*Server, error) {
	s := &Server{key: key, size: perPage}
	s.Now, s.Answer = now, s.answer
	names, err := fs.Glob(answers, "answers/candidacies-*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range append(names, "answers/requisitions-page1.json") {
		text, err := answers.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var page struct{ Candidacies, Requisitions []object }
		if err := json.Unmarshal(text, &page); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.jobs = append(s.jobs, page.Requisitions...)
		for _, c := range page.Candidacies {
			s.put(c)
		}
	}
	return s, nil
}

// put adds a row, or puts it in the place of the one with its id.
func (s *Server) put(c object) {
	if i := s.index(c["id"]); i >= 0 {
		s.candidacies[i] = c
		return
	}
	s.candidacies = append(s.candidacies, c)
}

func (s *Server) index(id any) int {
	return slices.IndexFunc(s.candidacies, func(c object) bool { return c["id"] == id })
}

// Page sets how many rows are on a page.
func (s *Server) Page(size int) {
	s.Lock()
	defer s.Unlock()
	s.size = size
}

// Drift lets the last row of each page come again as the first of the next, as
// happens when rows are added while somebody reads.
func (s *Server) Drift() {
	s.Lock()
	defer s.Unlock()
	s.drift = true
}

// Change changes members of a candidacy; one that is not there is made of the
// first.
func (s *Server) Change(id string, members map[string]any) {
	s.Lock()
	defer s.Unlock()
	c := maps.Clone(s.candidacies[max(s.index(id), 0)])
	c["id"] = id
	maps.Copy(c, members)
	s.put(c)
}

// Delete removes a candidacy.
func (s *Server) Delete(id string) {
	s.Lock()
	defer s.Unlock()
	s.candidacies = slices.DeleteFunc(s.candidacies, func(c object) bool { return c["id"] == id })
}

// Clear removes all candidacies but the first, of which others are made.
func (s *Server) Clear() {
	s.Lock()
	defer s.Unlock()
	s.candidacies = s.candidacies[:1]
}

// answer runs locked.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	now := s.Now()
	if !now.Before(s.window.Add(time.Minute)) {
		s.window, s.used = now, 0
	}
	s.used++
	w.Header().Set("X-Remaining-Request", strconv.Itoa(max(perMinute-s.used, 0)))
	w.Header().Set("X-Reset-At", s.window.Add(time.Minute).In(time.FixedZone("", 9*60*60)).Format(time.RFC3339))
	path, ok := strings.CutPrefix(r.URL.Path, "/hire/v1/")
	switch {
	case s.used > perMinute:
		apitest.Refuse(w, http.StatusTooManyRequests)
	case r.Header.Get("Authorization") != "Bearer "+s.key:
		apitest.Refuse(w, http.StatusUnauthorized)
	case !ok || r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusNotFound)
	case path == "candidacies":
		s.list(w, r, "candidacies", s.matching(r))
	case path == "requisitions":
		status := r.URL.Query().Get("status")
		rows := slices.Concat(s.jobs, s.Shown(false, func(j apitest.Job) object {
			return object{"id": j.ID(), "title": j.Title, "status": map[bool]string{true: "active", false: "archived"}[j.Open]}
		}))
		s.list(w, r, "requisitions", slices.DeleteFunc(rows, func(o object) bool { return status != "" && o["status"] != status }))
	default:
		id, found := strings.CutPrefix(path, "candidacies/")
		if i := s.index(id); found && i >= 0 {
			apitest.Write(w, http.StatusOK, single(s.candidacies[i]))
			return
		}
		apitest.Refuse(w, http.StatusNotFound)
	}
}

// single is what the call for one candidacy leaves of it.
func single(c object) object {
	out := object{"agentEmailAddress": nil, "links": []any{}}
	for _, name := range []string{"id", "name", "status", "requisitionId", "appliedAt", "step", "stepUpdatedAt", "channel", "operators", "tags"} {
		out[name] = c[name]
	}
	return out
}

// matching applies the filters and the order.
func (s *Server) matching(r *http.Request) []object {
	q := r.URL.Query()
	var out []object
	for _, c := range s.candidacies {
		fits := true
		for _, name := range []string{"requisitionId", "status", "step", "terminationReason"} {
			want := q.Get(name)
			fits = fits && (want == "" || c[name] == want)
		}
		if fits {
			out = append(out, c)
		}
	}
	by := q.Get("sort")
	if by == "" {
		by = "appliedAt"
	}
	slices.SortStableFunc(out, func(a, b object) int { return strings.Compare(fmt.Sprint(a[by]), fmt.Sprint(b[by])) })
	if q.Get("direction") != "asc" {
		slices.Reverse(out)
	}
	return out
}

// list answers one page.
func (s *Server) list(w http.ResponseWriter, r *http.Request, name string, rows []object) {
	page := 1
	if text := r.URL.Query().Get("page"); text != "" {
		var err error
		if page, err = strconv.Atoi(text); err != nil || page < 1 {
			apitest.Refuse(w, http.StatusBadRequest)
			return
		}
	}
	start, end := min((page-1)*s.size, len(rows)), min(page*s.size, len(rows))
	if s.drift && start > 0 {
		start--
	}
	apitest.Write(w, http.StatusOK, object{name: append([]object{}, rows[start:end]...), "hasNextPage": end < len(rows)})
}
