// Package salesforcetest plays Salesforce's REST API for tests and the demo: with
// its tokens, its status codes and its access to fields.
package salesforcetest

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/connectors/internal/apitest"
)

// URL is the address under which RoundTrip answers; the ids are those of the
// sample's message.
const (
	URL          = "https://minatosoft-sample.my.salesforce.test"
	Organization = "00D5i000000SAMPEAA"
	Object       = "Application__c"
	Rejected     = "a0B5i000000A001EAA"
	Withdrawn    = "a0B5i000000A002EAA"
)

// A Server is one organisation.
type Server struct {
	apitest.Server
	// Page is how many records are on a page; 0 is what Salesforce gives.
	Page int

	id, secret string

	asked   string // the last query
	refresh string
	issued  int
	token   string
	records map[string]map[string]any
}

// New makes an organisation with one connected app and the records of the
// sample.
func New(id, secret string, now func() time.Time) *Server {
	s := &Server{id: id, secret: secret, records: map[string]map[string]any{}}
	s.Now, s.Answer = now, s.answer
	s.records[Rejected] = map[string]any{
		"CandidateEmail__c": "misaki.takahashi@example.com", "CandidateLastName__c": "髙橋", "CandidateFirstName__c": "美咲",
		"JobTitle__c": "バックエンドエンジニア（Go） & SRE", "Stage__c": "最終面接", "Result__c": "不採用", "ClosedAt__c": "2026-11-19T09:31:07.000+0000",
		"ReferralConsent__c": true, "Source__c": "自社サイト", "SystemModstamp": "2026-11-19T09:31:08.000+0000",
	}
	s.records[Withdrawn] = map[string]any{
		"CandidateEmail__c": "megumi.kobayashi@example.com", "CandidateLastName__c": "小林", "CandidateFirstName__c": "恵",
		"JobTitle__c": nil, "Stage__c": nil, "Result__c": "内定辞退", "ClosedAt__c": nil, "ReferralConsent__c": false, "Source__c": nil,
		"SystemModstamp": "2026-11-19T09:31:08.000+0000",
	}
	return s
}

// Refresh makes the app one that takes a refresh token only.
func (s *Server) Refresh(token string) {
	s.Lock()
	defer s.Unlock()
	s.refresh = token
}

// Edit changes fields of a record.
func (s *Server) Edit(id string, fields map[string]any) {
	s.Lock()
	defer s.Unlock()
	r := maps.Clone(s.records[id])
	if r == nil { // a new one is like the first
		r = maps.Clone(s.records[Rejected])
	}
	r["SystemModstamp"] = s.Now().UTC().Format("2006-01-02T15:04:05.000+0000")
	maps.Copy(r, fields)
	s.records[id] = r
}

// Delete removes a record.
func (s *Server) Delete(id string) {
	s.Lock()
	defer s.Unlock()
	delete(s.records, id)
}

// Expire ends the token.
func (s *Server) Expire() {
	s.Lock()
	defer s.Unlock()
	s.token = ""
}

// answer runs locked.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	id, ok := strings.CutPrefix(r.URL.Path, "/services/data/v62.0/sobjects/"+Object+"/")
	switch {
	case r.URL.Path == "/services/oauth2/token":
		s.issue(w, r)
	case s.token == "" || r.Header.Get("Authorization") != "Bearer "+s.token:
		refuse(w, http.StatusUnauthorized, "INVALID_SESSION_ID")
	case strings.HasPrefix(r.URL.Path, "/services/data/v62.0/query") && r.Method == http.MethodGet:
		s.query(w, r)
	case !ok || r.Method != http.MethodGet || s.records[long(id)] == nil:
		refuse(w, http.StatusNotFound, "NOT_FOUND")
	default:
		id = long(id)
		out := map[string]any{"attributes": map[string]any{"type": Object, "url": r.URL.Path}, "Id": id}
		for name := range strings.SplitSeq(r.URL.Query().Get("fields"), ",") {
			value, known := s.records[id][name]
			if !known && name != "Id" {
				refuse(w, http.StatusBadRequest, "INVALID_FIELD")
				return
			}
			if name != "Id" {
				out[name] = value
			}
		}
		apitest.Write(w, http.StatusOK, out)
	}
}

// soql is the part of Salesforce's language that is understood here.
var soql = regexp.MustCompile(`^SELECT ([A-Za-z0-9_,]+) FROM ` + Object + ` WHERE SystemModstamp >= (\S+) ORDER BY SystemModstamp, Id$`)

// query answers one page of the records that are searched for.
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	text, start := r.URL.Query().Get("q"), 0
	if at, ok := strings.CutPrefix(r.URL.Path, "/services/data/v62.0/query/"); ok {
		if _, err := fmt.Sscanf(at, "01gSample-%d", &start); err != nil || s.asked == "" {
			refuse(w, http.StatusBadRequest, "INVALID_QUERY_LOCATOR")
			return
		}
		text = s.asked
	}
	s.asked = text
	m := soql.FindStringSubmatch(text)
	if m == nil {
		refuse(w, http.StatusBadRequest, "MALFORMED_QUERY")
		return
	}
	found := []map[string]any{}
	for id, fields := range s.records {
		if fmt.Sprint(fields["SystemModstamp"]) < m[2] {
			continue
		}
		row := map[string]any{"attributes": map[string]any{"type": Object}, "Id": id}
		for name := range strings.SplitSeq(m[1], ",") {
			value, known := fields[name]
			if !known && name != "Id" {
				refuse(w, http.StatusBadRequest, "INVALID_FIELD")
				return
			}
			if name != "Id" {
				row[name] = value
			}
		}
		found = append(found, row)
	}
	key := func(row map[string]any) string { return fmt.Sprint(row["SystemModstamp"], row["Id"]) }
	slices.SortFunc(found, func(a, b map[string]any) int { return strings.Compare(key(a), key(b)) })
	size := s.Page
	if size == 0 {
		size = 2000
	}
	part, more := apitest.Part(found, start, size)
	answer := map[string]any{"totalSize": len(found), "done": !more, "records": append([]map[string]any{}, part...)}
	if more {
		answer["nextRecordsUrl"] = fmt.Sprintf("/services/data/v62.0/query/01gSample-%d", start+size)
	}
	apitest.Write(w, http.StatusOK, answer)
}

// long is an id with its checksum; only those of the samples are known.
func long(id string) string {
	for _, full := range []string{Rejected, Withdrawn} {
		if id == full[:15] {
			return full
		}
	}
	return id
}

func (s *Server) issue(w http.ResponseWriter, r *http.Request) {
	grant := "client_credentials"
	if s.refresh != "" {
		grant = "refresh_token"
	}
	if r.Method != http.MethodPost || r.ParseForm() != nil || r.PostForm.Get("grant_type") != grant || r.PostForm.Get("client_id") != s.id ||
		r.PostForm.Get("client_secret") != s.secret || r.PostForm.Get("refresh_token") != s.refresh {
		apitest.Write(w, http.StatusBadRequest, map[string]any{"error": "invalid_client_id", "error_description": "client identifier invalid"})
		return
	}
	s.issued++
	s.token = fmt.Sprint("token-", s.issued)
	apitest.Write(w, http.StatusOK, map[string]any{"access_token": s.token, "token_type": "Bearer", "instance_url": URL})
}

func refuse(w http.ResponseWriter, status int, code string) {
	apitest.Write(w, status, []map[string]any{{"errorCode": code, "message": code}})
}
