// Package mailtest imitates SendGrid, for tests and benchmarks.
//
// A fake takes mails as the real one documents it, remembers those it accepted,
// can be told to misbehave, and signs event webhooks with a key of its own:
//
//	fake := mailtest.Start(t)
//	transport := mail.SendGrid{Key: mailtest.Key, BaseURL: fake.URL, HTTP: mail.NewHTTPClient()}
//	fake.Next(1, mailtest.Answer{Accept: true, Reset: true}) // takes the mail, then the line breaks
//	…
//	mails := fake.Mails()
//	body, header := fake.Sign(mails[0].Event("delivered", now))
//	err := mail.VerifyEvents(fake.PublicKey(), header, body)
package mailtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
)

// Key is the API key that a fake accepts.
const Key ats.Secret = "SG.fake-key-for-tests"

// maxBody is the documented limit of a message.
const maxBody = 30 << 20

// A SendGrid is a fake of SendGrid's API. Its exported fields are set before it
// is used; everything else may be used concurrently.
type SendGrid struct {
	URL string // of the server that Start made
	// Senders are the verified sender addresses; empty accepts all.
	Senders []string
	// Lean remembers only who got what: no words, no bodies. For benchmarks.
	Lean bool

	key    *ecdsa.PrivateKey
	closed chan struct{}

	mu       sync.Mutex
	script   []Answer
	mails    []Mail
	requests int
}

// A Mail is one mail that the fake accepted.
type Mail struct {
	MessageID string // as answered in X-Message-Id
	SendID    string // the sender's own id, from the custom argument cr_send
	To        string // address, as sent
	ToName    string
	From      string
	FromName  string
	ReplyTo   string
	Subject   string
	Text      string
	HTML      string
	Header    map[string]string
	Category  []string
	Args      map[string]string
	Tracked   bool   // some tracking was not switched off in so many words
	Body      []byte // the request as it came
}

// An Answer is how the fake treats one request. The zero value follows the
// rules: validate, accept, 202.
type Answer struct {
	// Status answers with this status instead, with Header and Body.
	Status int
	Header map[string]string
	Body   string
	// Delay is waited before anything is answered; the mail is accepted, if it
	// is, before the delay.
	Delay time.Duration
	// Accept takes a valid mail although Status, Hang or Reset says otherwise:
	// the sender cannot know.
	Accept bool
	// Hang never answers; it ends when the client or the fake goes away.
	Hang bool
	// Reset breaks the connection instead of answering.
	Reset bool
}

// New returns a fake that is an http.Handler. Close it.
func New() (*SendGrid, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return &SendGrid{key: key, closed: make(chan struct{})}, nil
}

// Start returns a fake that listens on a free port until the test ends.
func Start(tb testing.TB) *SendGrid {
	tb.Helper()
	s, err := New()
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(s)
	s.URL = server.URL
	tb.Cleanup(func() {
		s.Close()
		server.Close()
	})
	return s
}

// Close lets hanging requests go. It is called once.
func (s *SendGrid) Close() { close(s.closed) }

// Next tells how to treat the next n requests, after those told before.
func (s *SendGrid) Next(n int, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.script = append(s.script, a)
	}
}

// Mails returns the accepted mails in their order.
func (s *SendGrid) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Count returns the number of accepted mails.
func (s *SendGrid) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mails)
}

// Requests returns how many requests came, accepted or not.
func (s *SendGrid) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Reset forgets mails, requests and what was told.
func (s *SendGrid) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails, s.script, s.requests = nil, nil, 0
}

// take counts a request and returns how to treat it.
func (s *SendGrid) take() Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if len(s.script) == 0 {
		return Answer{}
	}
	a := s.script[0]
	s.script = s.script[1:]
	return a
}

// keep remembers a mail and gives it its id.
func (s *SendGrid) keep(m Mail) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.MessageID = "fake" + strconv.Itoa(len(s.mails)) + rand.Text()[:12]
	if s.Lean {
		m.Text, m.HTML, m.Body, m.Header = "", "", nil, nil
	}
	s.mails = append(s.mails, m)
	return m.MessageID
}

// ServeHTTP implements http.Handler.
func (s *SendGrid) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/v3/logs") {
		s.logs(w, r)
		return
	}
	a := s.take()
	// One byte over the limit shows that there is more.
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return
	}
	plain := a.Status == 0 && !a.Hang && !a.Reset
	var id string
	m, refusal := s.judge(r, body)
	if refusal == nil && !m.sandbox && (plain || a.Accept) {
		id = s.keep(m.Mail)
	}
	if !s.pause(r, a) {
		return
	}
	if a.Reset {
		reset(w)
		return
	}
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	switch {
	case a.Status != 0:
		w.WriteHeader(a.Status)
		_, _ = io.WriteString(w, a.Body)
	case refusal != nil:
		refusal.write(w)
	case m.sandbox:
		w.WriteHeader(http.StatusOK)
	default:
		w.Header().Set("X-Message-Id", id)
		w.WriteHeader(http.StatusAccepted)
	}
}

// pause waits as told and reports whether there is somebody left to answer.
func (s *SendGrid) pause(r *http.Request, a Answer) bool {
	var after <-chan time.Time
	switch {
	case a.Hang:
	case a.Delay > 0:
		after = time.After(a.Delay)
	default:
		return true
	}
	select {
	case <-after:
		return true
	case <-r.Context().Done():
	case <-s.closed:
	}
	return false
}

// reset breaks the connection so that the other side sees it at once.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// A refusal is an answer in SendGrid's form.
type refusal struct {
	status         int
	field, message string
}

func (f *refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	var field any
	if f.field != "" {
		field = f.field
	}
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(map[string]any{"errors": []any{map[string]any{"message": f.message, "field": field, "help": nil}}})
	_, _ = w.Write(b.Bytes())
}
