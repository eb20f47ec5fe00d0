// Package apitest answers calls in the name of a vendor, for tests and the demo.
package apitest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Server is what the stand-ins of the vendors' APIs have in common. It is an
// http.Handler, and an http.RoundTripper that needs no network. While it
// answers it is locked.
type Server struct {
	sync.Mutex
	// Answer answers one call.
	Answer http.HandlerFunc
	// Limit is what the vendor allows, measured by Now; nil is no limit. Limited
	// says when it answers again; by default Retry-After: 1.
	Limit   *rate.Limiter
	Limited func(http.Header)
	Now     func() time.Time

	failures []int
	calls    int
	jobs     []Job
}

// Fail lets the next calls end with these status codes; 0 lets one through.
func (s *Server) Fail(codes ...int) {
	s.Lock()
	defer s.Unlock()
	s.failures = append(s.failures, codes...)
}

// Calls counts the calls so far.
func (s *Server) Calls() int {
	s.Lock()
	defer s.Unlock()
	return s.calls
}

// RoundTrip implements http.RoundTripper.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer func() { _ = r.Body.Close() }()
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	s.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Body: io.NopCloser(&w.body),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
	}, nil
}

// A recorder keeps an answer in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header            { return w.header }
func (w *recorder) WriteHeader(status int)         { w.status = status }
func (w *recorder) Write(text []byte) (int, error) { return w.body.Write(text) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	s.calls++
	if s.Limit != nil && !s.Limit.AllowN(s.Now(), 1) {
		if s.Limited == nil {
			w.Header().Set("Retry-After", "1")
		} else {
			s.Limited(w.Header())
		}
		Refuse(w, http.StatusTooManyRequests)
		return
	}
	if len(s.failures) > 0 {
		code := s.failures[0]
		s.failures = s.failures[1:]
		if code != 0 {
			Refuse(w, code)
			return
		}
	}
	s.Answer(w, r)
}

// Write answers with v as JSON.
func Write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone
}

// Refuse answers with an error.
func Refuse(w http.ResponseWriter, status int) {
	Write(w, status, map[string]any{"error": http.StatusText(status)})
}

// Read reads a call's JSON, or refuses the call.
func Read(w http.ResponseWriter, r *http.Request, v any) bool {
	if r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(v) != nil {
		Refuse(w, http.StatusBadRequest)
		return false
	}
	return true
}
