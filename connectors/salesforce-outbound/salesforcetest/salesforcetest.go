// Package salesforcetest plays Salesforce's REST API for tests and the demo: with
// its tokens, its status codes and its access to fields.
package salesforcetest

import (
	"fmt"
	"maps"
	"net/http"
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
	id, secret string

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
