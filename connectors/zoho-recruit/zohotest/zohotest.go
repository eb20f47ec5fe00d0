// Package zohotest plays the API of Zoho Recruit for tests and the demo: with
// its tokens that end, its credits, its pages and its errors in single rows.
package zohotest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

// Ids that the samples in zoho-recruit/testdata name.
const (
	Rejected  = "401000000123001"     // 不採用
	Hirable   = "4150868000003194003" // Rejected-Hirable
	Withdrawn = "4150868000003194010" // Offer-Declined
	Job       = "401000000099001"
	Known     = "misaki.takahashi@example.com" // of a candidate who is there
	Blocked   = "blocked@example.jp"           // of one who opted out
)

// Addresses under which RoundTrip answers.
const (
	URL         = "https://recruit.zoho.test/recruit/v2"
	AccountsURL = "https://accounts.zoho.test"
)

// Bounds of an account.
const (
	credits   = 5000 // within a day
	listing   = 3    // credits of a call that lists records
	perPage   = 200
	tokenLife = time.Hour
	longest   = 24 * time.Hour // of a channel
)

type object = map[string]any

// A Server is one account at Zoho Recruit.
type Server struct {
	apitest.Server
	// Domain is the address that comes with a token.
	Domain string

	refresh    string
	now        func() time.Time
	token      string
	tokens     int
	ends       time.Time
	spent      int
	records    map[string]object
	candidates map[string]string // address → id
	associated map[string]string // candidate → comment
	channels   map[string]object
}

// New makes an account whose grant has this refresh token, with the
// applications of the samples.
func New(refresh string, now func() time.Time) *Server {
	s := &Server{
		Domain: "https://www.zohoapis.jp", refresh: refresh, now: now, records: map[string]object{}, channels: map[string]object{},
		candidates: map[string]string{Known: "401000000077001", Blocked: "401000000077002"}, associated: map[string]string{},
	}
	s.Answer = s.serve
	s.Add(Rejected, "不採用", object{
		"Application_ID": "ZR_101_APP", "Full_Name": "髙橋 美咲", "First_Name": "美咲", "Last_Name": "髙橋", "Email": Known,
		"Mobile": "+81 90-0000-1201", "Job_Opening_Name": "バックエンドエンジニア（Go）", "$Job_Opening_Id": Job,
	})
	s.Add(Hirable, "Rejected-Hirable", object{"Full_Name": "美咲 佐藤", "First_Name": "美咲", "Last_Name": "佐藤", "Email": "misaki.sato@example.jp", "Job_Opening_Name": "Senior Backend Engineer"})
	s.Add(Withdrawn, "Offer-Declined", object{"Full_Name": "Olivia Bennett", "First_Name": "Olivia", "Last_Name": "Bennett", "Email": "olivia.bennett@example.com"})
	return s
}

// Add puts an application into the account, changed now.
func (s *Server) Add(id, status string, more map[string]any) {
	s.Lock()
	defer s.Unlock()
	r := maps.Clone(more)
	if r == nil {
		r = object{}
	}
	r["id"], r["Application_Status"] = id, status
	s.touch(r)
	s.records[id] = r
}

func (s *Server) touch(r object) {
	r["Updated_On"] = s.now().In(time.FixedZone("JST", 9*60*60)).Format(time.RFC3339)
}

// Change changes an application, now.
func (s *Server) Change(id string, change func(application map[string]any)) {
	s.Lock()
	defer s.Unlock()
	s.touch(s.records[id])
	change(s.records[id])
}

// Delete removes an application.
func (s *Server) Delete(id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.records, id)
}

// Revoke ends the token that is in use.
func (s *Server) Revoke() {
	s.Lock()
	defer s.Unlock()
	s.token = ""
}

// Tokens counts the tokens that were given.
func (s *Server) Tokens() int {
	s.Lock()
	defer s.Unlock()
	return s.tokens
}

// Spend takes credits away.
func (s *Server) Spend(n int) {
	s.Lock()
	defer s.Unlock()
	s.spent += n
}

// Channels lists the channels, each as address, token and end.
func (s *Server) Channels() []string {
	s.Lock()
	defer s.Unlock()
	var out []string
	for _, c := range s.channels {
		out = append(out, fmt.Sprint(c["notify_url"], " ", c["token"], " ", c["events"], " ", c["channel_expiry"]))
	}
	return out
}

// Candidates counts the candidates.
func (s *Server) Candidates() int {
	s.Lock()
	defer s.Unlock()
	return len(s.candidates)
}

// Comment is what was said when a candidate was associated with a job.
func (s *Server) Comment(candidate string) string {
	s.Lock()
	defer s.Unlock()
	return s.associated[candidate]
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/oauth/v2/token" {
		s.grant(w, r)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/recruit/v2/")
	id, one := strings.CutPrefix(path, "Applications/")
	cost := 1
	if path == "Applications" || path == "Job_Openings" {
		cost = listing
	}
	switch call := r.Method + " " + path; {
	case s.token == "" || r.Header.Get("Authorization") != "Zoho-oauthtoken "+s.token || !s.now().Before(s.ends):
		apitest.Write(w, http.StatusUnauthorized, object{"code": "INVALID_TOKEN", "status": "error"})
		return
	case s.spent+cost > credits:
		apitest.Refuse(w, http.StatusTooManyRequests)
		return
	case !ok:
		apitest.Refuse(w, http.StatusNotFound)
	case r.Method == http.MethodGet && one:
		if s.records[id] == nil {
			w.WriteHeader(http.StatusNoContent)
			break
		}
		apitest.Write(w, http.StatusOK, object{"data": []object{s.records[id]}})
	case call == "GET Applications":
		s.list(w, r)
	case call == "GET Job_Openings":
		s.openings(w, r)
	case call == "POST Candidates":
		s.create(w, r)
	case call == "PUT Candidates/actions/associate":
		s.associate(w, r)
	case path == "actions/watch":
		s.watch(w, r)
	default:
		apitest.Refuse(w, http.StatusNotFound)
	}
	s.spent += cost
}

// grant gives a token; a wrong grant is told with 200.
func (s *Server) grant(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		apitest.Refuse(w, http.StatusBadRequest)
		return
	}
	if r.PostForm.Get("grant_type") != "refresh_token" || r.PostForm.Get("refresh_token") != s.refresh || r.PostForm.Get("client_id") == "" || r.PostForm.Get("client_secret") == "" {
		apitest.Write(w, http.StatusOK, object{"error": "invalid_code"})
		return
	}
	s.tokens++
	s.token, s.ends = fmt.Sprintf("1000.token-%d", s.tokens), s.now().Add(tokenLife)
	apitest.Write(w, http.StatusOK, object{"access_token": s.token, "api_domain": s.Domain, "token_type": "Bearer", "expires_in": int(tokenLife.Seconds())})
}

// openings answers one page of the job openings.
func (s *Server) openings(w http.ResponseWriter, r *http.Request) {
	number, size := apitest.Int(r.URL.Query().Get("page"), 1), apitest.Int(r.URL.Query().Get("per_page"), perPage)
	if number < 1 || size < 1 || size > perPage {
		apitest.Write(w, http.StatusBadRequest, object{"code": "INVALID_DATA", "status": "error"})
		return
	}
	part, more := apitest.Part(s.Shown(false, func(j apitest.Job) object {
		return object{"id": j.ID(), "Posting_Title": j.Title, "Job_Opening_Status": map[bool]string{true: "In-progress", false: "Filled"}[j.Open]}
	}), (number-1)*size, size)
	if len(part) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	apitest.Write(w, http.StatusOK, object{"data": part, "info": object{"more_records": more}})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	number, err1 := strconv.Atoi(q.Get("page"))
	size, err2 := strconv.Atoi(q.Get("per_page"))
	if err1 != nil || err2 != nil || number < 1 || size < 1 || size > perPage || q.Get("sort_by") != "Updated_On" || q.Get("sort_order") != "desc" {
		apitest.Write(w, http.StatusBadRequest, object{"code": "INVALID_DATA", "status": "error"})
		return
	}
	all := slices.Collect(maps.Values(s.records))
	slices.SortFunc(all, func(a, b object) int {
		return cmp.Or(strings.Compare(fmt.Sprint(b["Updated_On"]), fmt.Sprint(a["Updated_On"])), strings.Compare(fmt.Sprint(a["id"]), fmt.Sprint(b["id"])))
	})
	start := min((number-1)*size, len(all))
	end := min(start+size, len(all))
	if start == end {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	apitest.Write(w, http.StatusOK, object{
		"data": all[start:end], "info": object{"per_page": size, "count": end - start, "page": number, "more_records": end < len(all)},
	})
}

func rows(w http.ResponseWriter, member, code string, details object) {
	status := "success"
	if code != "SUCCESS" {
		status = "error"
	}
	apitest.Write(w, http.StatusOK, object{member: []object{{"code": code, "status": status, "details": details, "message": "sample wording"}}})
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct{ Data []object }
	if !apitest.Read(w, r, &in) {
		return
	}
	if len(in.Data) != 1 || in.Data[0]["Last_Name"] == nil || in.Data[0]["Email"] == nil {
		rows(w, "data", "MANDATORY_NOT_FOUND", object{"api_name": "Last_Name"})
		return
	}
	email := fmt.Sprint(in.Data[0]["Email"])
	if id := s.candidates[email]; id != "" {
		rows(w, "data", "DUPLICATE_DATA", object{"id": id})
		return
	}
	s.candidates[email] = fmt.Sprintf("4010000000771%02d", len(s.candidates))
	rows(w, "data", "SUCCESS", object{"id": s.candidates[email]})
}

func (s *Server) associate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Data []struct {
			JobIDs, IDs []string
			Comments    string
		}
	}
	if !apitest.Read(w, r, &in) {
		return
	}
	if len(in.Data) != 1 || len(in.Data[0].IDs) != 1 || !slices.Equal(in.Data[0].JobIDs, []string{Job}) {
		rows(w, "data", "INVALID_DATA", object{})
		return
	}
	id, code := in.Data[0].IDs[0], "SUCCESS"
	switch _, already := s.associated[id]; {
	case id == s.candidates[Blocked]:
		code = "BLOCKED_RECORD"
	case already:
		code = "ALREADY_ASSOCIATED"
	default:
		s.associated[id] = in.Data[0].Comments
	}
	rows(w, "data", code, object{"id": id})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		if len(s.channels) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		apitest.Write(w, http.StatusOK, object{"watch": slices.Collect(maps.Values(s.channels))})
	case http.MethodDelete:
		id := r.URL.Query().Get("channel_ids")
		if s.channels[id] == nil {
			apitest.Refuse(w, http.StatusNotFound)
			return
		}
		delete(s.channels, id)
		rows(w, "watch", "SUCCESS", object{})
	case http.MethodPost, http.MethodPut:
		s.open(w, r)
	default:
		apitest.Refuse(w, http.StatusMethodNotAllowed)
	}
}

// open makes a channel, or renews one.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	var in struct{ Watch []object }
	if !apitest.Read(w, r, &in) {
		return
	}
	if len(in.Watch) != 1 {
		rows(w, "watch", "INVALID_DATA", object{})
		return
	}
	c := in.Watch[0]
	id := fmt.Sprint(c["channel_id"])
	number, err1 := strconv.ParseInt(id, 10, 64)
	ends, err2 := time.Parse(time.RFC3339, fmt.Sprint(c["channel_expiry"]))
	address := fmt.Sprint(c["notify_url"])
	switch _, there := s.channels[id]; {
	case err1 != nil || err2 != nil || number <= 0 || !ends.After(s.now()) || ends.Sub(s.now()) > longest || !strings.HasPrefix(address, "https://") || len(address) > 200:
		rows(w, "watch", "INVALID_DATA", object{})
	case there != (r.Method == http.MethodPut):
		rows(w, "watch", "NOT_SUBSCRIBED", object{})
	default:
		s.channels[id] = c
		rows(w, "watch", "SUCCESS", object{"events": c["events"]})
	}
}
