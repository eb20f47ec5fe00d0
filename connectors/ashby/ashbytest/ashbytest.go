// Package ashbytest plays Ashby's API for tests and the demo: with its
// authentication, its version, and its errors that come with 200.
package ashbytest

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

//go:embed answers
var answers embed.FS

// Ids that the samples in ashby/testdata name.
const (
	Application = "a5b00000-0000-4000-8000-000000000001" // archived as Lacks Skills/Qualifications
	Candidate   = "ca000000-0000-4000-8000-000000000001"
	Job         = "10b00000-0000-4000-8000-000000000001"
)

// URL is the address under which RoundTrip answers.
const URL = "https://ashby.test"

type object = map[string]any

// A Server is one account at Ashby.
type Server struct {
	apitest.Server
	// Deaf lets pings of new webhooks fail.
	Deaf bool

	key          string
	applications map[string]object
	candidates   map[string]object
	departments  map[string]string
	webhooks     map[string]object
	notes        []object
	forbidden    []string // methods that the key may not call
}

// New makes an account with one API key and the application of the samples.
func New(key string) (*Server, error) {
	s := &Server{
		key: key, applications: map[string]object{}, candidates: map[string]object{}, webhooks: map[string]object{},
		departments: map[string]string{"de000000-0000-4000-8000-000000000001": "Engineering"},
	}
	s.Answer = s.serve
	for name, all := range map[string]map[string]object{"application": s.applications, "candidate": s.candidates} {
		text, err := answers.ReadFile("answers/" + name + ".json")
		if err != nil {
			return nil, err
		}
		var one struct{ Results object }
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("answer %s: %w", name, err)
		}
		all[fmt.Sprint(one.Results["id"])] = one.Results
	}
	return s, nil
}

// Change changes an application.
func (s *Server) Change(id string, change func(application map[string]any)) {
	s.Lock()
	defer s.Unlock()
	change(s.applications[id])
}

// Delete removes an application.
func (s *Server) Delete(id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.applications, id)
}

// Pushed lists the applications that were created for this address, each as
// source and notes.
func (s *Server) Pushed(email string) []string {
	s.Lock()
	defer s.Unlock()
	var out []string
	for _, id := range slices.Sorted(maps.Keys(s.applications)) {
		a := s.applications[id]
		c, _ := a["candidate"].(object)
		if main, _ := c["primaryEmailAddress"].(object); a["status"] != "Lead" || main["value"] != email {
			continue
		}
		var notes []string
		for _, n := range s.notes {
			if text, _ := n["note"].(object); n["candidateId"] == c["id"] {
				notes = append(notes, fmt.Sprint(text["value"]))
			}
		}
		out = append(out, fmt.Sprint(a["source"], ": ", strings.Join(notes, ", ")))
	}
	return out
}

// Forbid takes the right for a method from the key.
func (s *Server) Forbid(method string) {
	s.Lock()
	defer s.Unlock()
	s.forbidden = append(s.forbidden, method)
}

// Webhooks lists the webhooks, each as type, address and secret.
func (s *Server) Webhooks() []string {
	s.Lock()
	defer s.Unlock()
	var out []string
	for _, w := range s.webhooks {
		out = append(out, fmt.Sprint(w["webhookType"], " ", w["requestUrl"], " ", w["secretToken"]))
	}
	slices.Sort(out)
	return out
}

// Candidates returns the candidates with this address.
func (s *Server) Candidates(email string) []map[string]any {
	s.Lock()
	defer s.Unlock()
	return s.search(email)
}

// Notes counts the notes about a candidate.
func (s *Server) Notes(candidate string) int {
	s.Lock()
	defer s.Unlock()
	n := 0
	for _, note := range s.notes {
		if note["candidateId"] == candidate {
			n++
		}
	}
	return n
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	method := strings.TrimPrefix(r.URL.Path, "/")
	user, password, ok := r.BasicAuth()
	switch {
	case r.Method != http.MethodPost:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
		return
	case !ok:
		apitest.Refuse(w, http.StatusUnauthorized)
		return
	case user != s.key || password != "":
		apitest.Refuse(w, http.StatusForbidden)
		return
	case r.Header.Get("Ashby-Version") != "2026-01-01":
		apitest.Refuse(w, http.StatusBadRequest)
		return
	case slices.Contains(s.forbidden, method):
		refuse(w, "missing_endpoint_permission")
		return
	}
	var in object
	if !apitest.Read(w, r, &in) {
		return
	}
	if method == "job.list" {
		s.list(w, in)
		return
	}
	answer, code := s.call(method, in)
	switch {
	case code == "unknown":
		apitest.Refuse(w, http.StatusNotFound)
	case code != "":
		refuse(w, code)
	default:
		apitest.Write(w, http.StatusOK, object{"success": true, "results": answer})
	}
}

// list answers one page of the jobs.
func (s *Server) list(w http.ResponseWriter, in object) {
	statuses, _ := in["status"].([]any)
	size, _ := in["limit"].(float64)
	start := 0
	if text, ok := in["cursor"].(string); ok {
		if _, err := fmt.Sscanf(text, "cursor-%d", &start); err != nil {
			refuse(w, "invalid_input")
			return
		}
	}
	if size < 1 || size > 100 {
		refuse(w, "invalid_input")
		return
	}
	part, more := apitest.Part(s.Shown(slices.Contains(statuses, any("Open")), func(j apitest.Job) object {
		return object{"id": j.ID(), "title": j.Title, "status": map[bool]string{true: "Open", false: "Closed"}[j.Open]}
	}), start, int(size))
	answer := object{"success": true, "results": append([]object{}, part...), "moreDataAvailable": more}
	if more {
		answer["nextCursor"] = fmt.Sprintf("cursor-%d", start+int(size))
	}
	apitest.Write(w, http.StatusOK, answer)
}

// call answers a method, or returns the code of an error.
func (s *Server) call(method string, in object) (answer any, code string) {
	id := func(name string) string { text, _ := in[name].(string); return text }
	switch method {
	case "application.info":
		return found(s.applications, id("applicationId"), "application_not_found")
	case "candidate.info":
		return found(s.candidates, id("id"), "candidate_not_found")
	case "department.info":
		if name := s.departments[id("departmentId")]; name != "" {
			return object{"id": id("departmentId"), "name": name}, ""
		}
		return nil, "department_not_found"
	case "candidate.search":
		return s.search(id("email")), ""
	case "candidate.create":
		return s.createCandidate(in)
	case "candidate.createNote":
		if s.candidates[id("candidateId")] == nil {
			return nil, "candidate_not_found"
		}
		s.notes = append(s.notes, in)
		return object{"id": "note"}, ""
	case "application.create":
		return s.createApplication(in)
	case "webhook.create":
		return s.createWebhook(in)
	case "webhook.delete":
		w, code := found(s.webhooks, id("webhookId"), "webhook_not_found")
		delete(s.webhooks, id("webhookId"))
		return w, code
	}
	return nil, "unknown"
}

func found(all map[string]object, id, code string) (any, string) {
	if one := all[id]; one != nil {
		return one, ""
	}
	return nil, code
}

func (s *Server) search(email string) []object {
	out := []object{}
	for _, id := range slices.Sorted(maps.Keys(s.candidates)) {
		if main, _ := s.candidates[id]["primaryEmailAddress"].(object); main != nil && main["value"] == email {
			out = append(out, s.candidates[id])
		}
	}
	return out
}

func (s *Server) createCandidate(in object) (any, string) {
	if name, _ := in["name"].(string); name == "" {
		return nil, "invalid_input"
	}
	c := maps.Clone(in)
	c["id"] = fmt.Sprintf("ca000000-0000-4000-8000-1%011d", len(s.candidates))
	c["primaryEmailAddress"], c["applicationIds"] = object{"value": in["email"], "type": "Personal", "isPrimary": true}, []any{}
	s.candidates[fmt.Sprint(c["id"])] = c
	return c, ""
}

func (s *Server) createApplication(in object) (any, string) {
	c := s.candidates[fmt.Sprint(in["candidateId"])]
	switch {
	case c == nil:
		return nil, "candidate_not_found"
	case in["jobId"] != Job:
		return nil, "job_not_found"
	}
	id := fmt.Sprintf("a5b00000-0000-4000-8000-1%011d", len(s.applications))
	a := object{"id": id, "status": "Lead", "candidate": c, "job": object{"id": in["jobId"]}, "archiveReason": nil, "source": in["sourceId"]}
	s.applications[id] = a
	ids, _ := c["applicationIds"].([]any)
	c["applicationIds"] = append(ids, id)
	return a, ""
}

func (s *Server) createWebhook(in object) (any, string) {
	for _, name := range []string{"webhookType", "requestUrl", "secretToken"} {
		if text, _ := in[name].(string); text == "" {
			return nil, "invalid_input"
		}
	}
	for _, w := range s.webhooks {
		if w["webhookType"] == in["webhookType"] && w["requestUrl"] == in["requestUrl"] {
			return nil, "duplicate webhook"
		}
	}
	w := maps.Clone(in)
	w["id"], w["enabled"] = fmt.Sprintf("3b000000-0000-4000-8000-%012d", len(s.webhooks)+1), !s.Deaf
	s.webhooks[fmt.Sprint(w["id"])] = w
	return w, ""
}

func refuse(w http.ResponseWriter, code string) {
	apitest.Write(w, http.StatusOK, object{
		"success": false, "errors": []string{code},
		"errorInfo": object{"code": code, "message": "said with 200", "requestId": "01EXAMPLE"},
	})
}
