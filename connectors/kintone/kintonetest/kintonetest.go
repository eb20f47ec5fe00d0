// Package kintonetest plays kintone's API for tests and the demo: with its
// tokens, its queries and its pages.
package kintonetest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers/records.json
var records []byte

// URL is the address under which RoundTrip answers, and App the app of the
// samples.
const (
	URL = "https://minatosoft-sample.cybozu.com"
	App = "42"
)

type object = map[string]any

// A Server is one app of one customer.
type Server struct {
	apitest.Server
	key     string
	records []object
	queries []string
}

// New makes the app of the samples with one API token.
func New(key string, now func() time.Time) (*Server, error) {
	s := &Server{key: key}
	s.Now, s.Answer = now, s.answer
	var page struct{ Records []object }
	if err := json.Unmarshal(records, &page); err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	s.records = page.Records
	return s, nil
}

func field(r object, code string) any {
	f, _ := r[code].(object)
	return f["value"]
}

func idOf(r object) int {
	n, _ := strconv.Atoi(fmt.Sprint(field(r, "$id")))
	return n
}

// Edit changes fields of a record now; one that is not there is made of the
// first.
func (s *Server) Edit(id int, fields map[string]any) {
	s.Lock()
	defer s.Unlock()
	i := slices.IndexFunc(s.records, func(r object) bool { return idOf(r) == id })
	r := maps.Clone(s.records[max(i, 0)])
	set := func(code string, value any) {
		kind := "SINGLE_LINE_TEXT"
		if f, ok := r[code].(object); ok {
			kind = fmt.Sprint(f["type"])
		}
		r[code] = object{"type": kind, "value": value}
	}
	revision, _ := strconv.Atoi(fmt.Sprint(field(r, "$revision")))
	set("$id", strconv.Itoa(id))
	set("$revision", strconv.Itoa(revision+1))
	set("更新日時", s.Now().UTC().Truncate(time.Minute).Format(time.RFC3339))
	for code, value := range fields {
		set(code, value)
	}
	if i < 0 {
		s.records = append(s.records, r)
		slices.SortFunc(s.records, func(a, b object) int { return idOf(a) - idOf(b) })
		return
	}
	s.records[i] = r
}

// Delete removes a record.
func (s *Server) Delete(id int) {
	s.Lock()
	defer s.Unlock()
	s.records = slices.DeleteFunc(s.records, func(r object) bool { return idOf(r) == id })
}

// Queries lists what was searched for.
func (s *Server) Queries() []string {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.queries)
}

// answer runs locked.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Header.Get("X-Cybozu-API-Token") != s.key:
		refuse(w, http.StatusUnauthorized, "GAIA_IA02")
	case r.Method == http.MethodPost && r.URL.Path == "/k/v1/record.json":
		s.create(w, r)
	case r.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, "CB_MA01")
	case q.Get("app") != App:
		refuse(w, http.StatusNotFound, "GAIA_AP01")
	case r.URL.Path == "/k/v1/record.json":
		for _, one := range s.records {
			if strconv.Itoa(idOf(one)) == q.Get("id") {
				apitest.Write(w, http.StatusOK, object{"record": one})
				return
			}
		}
		refuse(w, http.StatusNotFound, "GAIA_RE01")
	case r.URL.Path == "/k/v1/app/form/fields.json":
		apitest.Write(w, http.StatusOK, object{"properties": s.fields(), "revision": "3"})
	case r.URL.Path == "/k/v1/records.json":
		s.search(w, q.Get("query"))
	default:
		refuse(w, http.StatusNotFound, "CB_IL02")
	}
}

// fields are those of the app: all that its records have.
func (s *Server) fields() object {
	out := object{}
	for _, r := range s.records {
		for code, f := range r {
			kind, _ := f.(object)
			out[code] = object{"type": kind["type"], "code": code, "label": code}
		}
	}
	return out
}

// create adds a record; fields that the app does not have are left away without
// a word.
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		App    string
		Record map[string]struct{ Value any }
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	if in.App != App {
		refuse(w, http.StatusNotFound, "GAIA_AP01")
		return
	}
	id := 1
	for _, one := range s.records {
		id = max(id, idOf(one)+1)
	}
	made, fields := object{}, s.fields()
	for code, f := range in.Record {
		if kind, ok := fields[code].(object); ok {
			made[code] = object{"type": kind["type"], "value": f.Value}
		}
	}
	made["$id"], made["$revision"] = object{"type": "__ID__", "value": strconv.Itoa(id)}, object{"type": "__REVISION__", "value": "1"}
	made["更新日時"] = object{"type": "UPDATED_TIME", "value": s.Now().UTC().Truncate(time.Minute).Format(time.RFC3339)}
	s.records = append(s.records, made)
	apitest.Write(w, http.StatusOK, object{"id": strconv.Itoa(id), "revision": "1"})
}

// Find returns the records in which a field holds a text.
func (s *Server) Find(code, text string) []map[string]any {
	s.Lock()
	defer s.Unlock()
	var out []map[string]any
	for _, r := range s.records {
		if field(r, code) == text {
			out = append(out, r)
		}
	}
	return out
}

func refuse(w http.ResponseWriter, status int, code string) {
	apitest.Write(w, status, object{"code": code, "id": "1505999166-000", "message": "指定したレコードが見つかりません。"})
}

// query is the part of kintone's language that is understood here.
var query = regexp.MustCompile(`^(?:(\S+) >= "([^"]+)" and )?\$id > (\d+) order by \$id asc limit (\d+)$`)

// equal is a search for a record with two texts.
var equal = regexp.MustCompile(`^(\S+) = "((?:[^"\\]|\\.)*)" and (\S+) = "((?:[^"\\]|\\.)*)" order by \$id asc limit 1$`)

func (s *Server) search(w http.ResponseWriter, text string) {
	s.queries = append(s.queries, text)
	if m := equal.FindStringSubmatch(text); m != nil {
		found := []object{}
		for _, r := range s.records {
			plain := strings.NewReplacer(`\\`, `\`, `\"`, `"`)
			if field(r, m[1]) == plain.Replace(m[2]) && field(r, m[3]) == plain.Replace(m[4]) && len(found) == 0 {
				found = append(found, r)
			}
		}
		apitest.Write(w, http.StatusOK, object{"records": found, "totalCount": nil})
		return
	}
	m := query.FindStringSubmatch(text)
	if m == nil {
		refuse(w, http.StatusBadRequest, "GAIA_IQ11")
		return
	}
	after, _ := strconv.Atoi(m[3])
	limit, _ := strconv.Atoi(m[4])
	if limit > 500 {
		refuse(w, http.StatusBadRequest, "GAIA_QU01")
		return
	}
	found := []object{}
	for _, r := range s.records {
		changed := m[1] == "" || fmt.Sprint(field(r, m[1])) >= m[2] // both in UTC
		if idOf(r) > after && changed && len(found) < limit {
			found = append(found, r)
		}
	}
	apitest.Write(w, http.StatusOK, object{"records": found, "totalCount": nil})
}
