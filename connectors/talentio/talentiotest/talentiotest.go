// Package talentiotest plays Talentio's API for tests and the demo: with its
// authentication, its quota, its pages and its filters.
package talentiotest

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

	"golang.org/x/time/rate"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers
var answers embed.FS

// URL is the address under which RoundTrip answers.
const URL = "https://talentio.test/api/v1"

// Talentio's limits: calls an hour and a second, rows on a page.
const (
	perHour   = 5000
	perSecond = 4
	perPage   = 100
)

type object = map[string]any

// A Server is one customer's workspace at Talentio.
type Server struct {
	apitest.Server
	key string

	window     time.Time // the hour that is counted
	used       int
	size       int
	bare       bool
	candidates []object
	changed    map[string]time.Time // when a candidate was changed last
	evaluated  map[string]object    // what the call for one candidate answers
}

// New makes a workspace with one token and the candidates of the samples, who
// were changed last a day ago.
func New(key string, now func() time.Time) (*Server, error) {
	s := &Server{key: key, size: perPage, changed: map[string]time.Time{}, evaluated: map[string]object{}}
	s.Now, s.Answer, s.Limit = now, s.answer, rate.NewLimiter(perSecond, perSecond)
	names, err := fs.Glob(answers, "answers/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := answers.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var rows []object
		if strings.Contains(name, "detail") {
			var one object
			if err := json.Unmarshal(text, &one); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			s.evaluated[idOf(one)] = one
			continue
		}
		if err := json.Unmarshal(text, &rows); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, row := range rows {
			s.candidates = append(s.candidates, row)
			s.changed[idOf(row)] = now().Add(-24 * time.Hour)
		}
	}
	return s, nil
}

func idOf(c object) string {
	n, _ := c["id"].(float64)
	return strconv.FormatFloat(n, 'f', -1, 64)
}

func (s *Server) index(id string) int {
	return slices.IndexFunc(s.candidates, func(c object) bool { return idOf(c) == id })
}

// Change changes members of a candidate now; one who is not there is made of
// the first.
func (s *Server) Change(id int, members map[string]any) {
	s.Lock()
	defer s.Unlock()
	text := strconv.Itoa(id)
	i := s.index(text)
	c := maps.Clone(s.candidates[max(i, 0)])
	c["id"] = float64(id)
	maps.Copy(c, members)
	if i < 0 {
		s.candidates = append(s.candidates, c)
	} else {
		s.candidates[i] = c
	}
	s.changed[text] = s.Now()
}

// Delete removes a candidate.
func (s *Server) Delete(id int) {
	s.Lock()
	defer s.Unlock()
	s.candidates = slices.DeleteFunc(s.candidates, func(c object) bool { return idOf(c) == strconv.Itoa(id) })
}

// Page sets how many rows are on a page.
func (s *Server) Page(size int) {
	s.Lock()
	defer s.Unlock()
	s.size = size
}

// Bare lets a list of one be that one without brackets.
func (s *Server) Bare() {
	s.Lock()
	defer s.Unlock()
	s.bare = true
}

// Use counts calls of others against the quota.
func (s *Server) Use(calls int) {
	s.Lock()
	defer s.Unlock()
	s.count()
	s.used += calls
}

func (s *Server) count() {
	if now := s.Now(); !now.Before(s.window.Add(time.Hour)) {
		s.window, s.used = now, 0
	}
}

// answer runs locked.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	s.count()
	s.used++
	w.Header().Set("X-Remaining", strconv.Itoa(max(perHour-s.used, 0)))
	w.Header().Set("X-Reset", strconv.Itoa(int(s.window.Add(time.Hour).Sub(s.Now()).Seconds())))
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1/candidates")
	switch {
	case s.used > perHour:
		apitest.Refuse(w, http.StatusTooManyRequests)
	case r.Header.Get("Authorization") != "Bearer "+s.key:
		apitest.Refuse(w, http.StatusUnauthorized)
	case r.URL.Path == "/api/v1/requisitions" && r.Method == http.MethodGet:
		part, _ := apitest.Part(s.Shown(r.URL.Query().Get("status") == "active", func(j apitest.Job) object {
			return object{"id": j.Number, "name": j.Title, "status": map[bool]string{true: "active", false: "inactive"}[j.Open]}
		}), (apitest.Int(r.URL.Query().Get("page"), 1)-1)*s.size, s.size)
		apitest.Write(w, http.StatusOK, append([]object{}, part...))
	case !ok || r.Method != http.MethodGet:
		apitest.Refuse(w, http.StatusNotFound)
	case path == "":
		s.list(w, r)
	default:
		s.one(w, strings.TrimPrefix(path, "/"))
	}
}

func (s *Server) one(w http.ResponseWriter, id string) {
	i := s.index(id)
	if i < 0 {
		apitest.Refuse(w, http.StatusNotFound)
		return
	}
	c := maps.Clone(s.candidates[i])
	if e := s.evaluated[id]; e != nil {
		c["stages"] = e["stages"]
	}
	apitest.Write(w, http.StatusOK, c)
}

var japan = time.FixedZone("JST", 9*60*60)

// list answers one page.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	page, since := 1, time.Time{}
	var err error
	if text := q.Get("page"); text != "" {
		page, err = strconv.Atoi(text)
	}
	if text := q.Get("updatedAtFrom"); text != "" && err == nil {
		since, err = time.ParseInLocation("2006-01-02T15:04:05", text, japan)
	}
	if err != nil || page < 1 {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	rows := []object{}
	for _, c := range s.candidates {
		if want := q.Get("status"); (want == "" || want == c["status"]) && !s.changed[idOf(c)].Before(since) {
			rows = append(rows, c)
		}
	}
	if q.Get("sort") == "registeredAt" {
		slices.SortStableFunc(rows, func(a, b object) int {
			return strings.Compare(fmt.Sprint(a["registeredAt"]), fmt.Sprint(b["registeredAt"]))
		})
	}
	w.Header().Set("X-Total", strconv.Itoa(len(rows)))
	start, end := min((page-1)*s.size, len(rows)), min(page*s.size, len(rows))
	if rows = rows[start:end]; s.bare && len(rows) == 1 {
		apitest.Write(w, http.StatusOK, rows[0])
		return
	}
	apitest.Write(w, http.StatusOK, rows)
}
