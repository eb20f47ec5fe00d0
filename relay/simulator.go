package relay

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the simulator's page
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/career-relay/connector/ats"
)

// A Simulator is a recipient to try things out with. It checks what a careful
// recipient checks, keeps the last referrals in memory and shows them on a page
// at every address, masked unless ?reveal=1 asks for more. It may be used
// concurrently.
//
// The query of the address that a referral is posted to can ask for failures:
//
//	fail=503        answer with this status instead
//	times=2         only to the first two posts of each referral
//	retry_after=60  with this Retry-After
//	kept=1          keep the referral all the same: the answer gets lost
type Simulator struct {
	secrets []ats.Secret
	now     func() time.Time

	mu       sync.Mutex
	arrivals []*arrival // the oldest first
	posts    map[string]int
	count    int
}

// An arrival is one referral that was taken.
type arrival struct {
	Referral  Referral
	Reference string
	At        time.Time
	Repeats   int
	Withdrawn time.Time // when the sender took it back; zero for never
	sum       [sha256.Size]byte
}

// Address returns the address itself, for a reader who asked for it.
func (a arrival) Address() string { return string(a.Referral.Candidate.Email) }

// Limits of what a Simulator takes and keeps.
const (
	maxReferral = 1 << 20
	maxArrivals = 500
)

// NewSimulator makes a recipient that knows senders by one of secrets.
func NewSimulator(secrets []string, now func() time.Time) *Simulator {
	s := &Simulator{now: now, posts: map[string]int{}}
	for _, one := range secrets {
		s.secrets = append(s.secrets, ats.Secret(one))
	}
	return s
}

// Received returns what has arrived, the oldest first.
func (s *Simulator) Received() []Referral {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Referral
	for _, a := range s.arrivals {
		out = append(out, a.Referral)
	}
	return out
}

// ServeHTTP takes a referral by POST and shows what has arrived by GET.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		status, answer := s.post(w, r)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // the sender may be gone
	case http.MethodGet, http.MethodHead:
		s.show(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "GET, HEAD or POST", http.StatusMethodNotAllowed)
	}
}

// refusal is the body of an answer that is no receipt.
type refusal struct {
	Error string `json:"error"`
}

func (s *Simulator) post(w http.ResponseWriter, r *http.Request) (status int, answer any) {
	failure, err := s.failure(r)
	if err != nil {
		return http.StatusBadRequest, refusal{err.Error()}
	}
	if failure != 0 && r.URL.Query().Get("kept") != "1" {
		return s.fail(w, r, failure)
	}
	status, answer = s.take(w, r)
	if failure != 0 {
		return s.fail(w, r, failure)
	}
	return status, answer
}

// failure returns the status that the query asks for, 0 for none.
func (s *Simulator) failure(r *http.Request) (int, error) {
	q := r.URL.Query()
	if !q.Has("fail") {
		return 0, nil
	}
	status, err := strconv.Atoi(q.Get("fail"))
	if err != nil || status < 300 || status > 599 {
		return 0, errors.New("fail: want a status from 300 to 599")
	}
	if !q.Has("times") {
		return status, nil
	}
	times, err := strconv.Atoi(q.Get("times"))
	if err != nil {
		return 0, errors.New("times: want a number")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.Header.Get(headerID)
	if len(s.posts) > maxArrivals {
		clear(s.posts)
	}
	if s.posts[id]++; s.posts[id] > times {
		return 0, nil
	}
	return status, nil
}

func (s *Simulator) fail(w http.ResponseWriter, r *http.Request, status int) (int, any) {
	if after := r.URL.Query().Get("retry_after"); after != "" {
		w.Header().Set("Retry-After", after)
	}
	return status, refusal{"as the address asks for"}
}

// take checks a referral and keeps it.
func (s *Simulator) take(w http.ResponseWriter, r *http.Request) (int, any) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReferral))
	if err != nil {
		return http.StatusRequestEntityTooLarge, refusal{"the body is too large or cut"}
	}
	if err := Verify(s.secrets, r.Header, body, s.now()); err != nil {
		return http.StatusUnauthorized, refusal{err.Error()}
	}
	var back Withdrawal
	if err := json.Unmarshal(body, &back); err == nil && back.Type == Withdrawn {
		return s.drop(back, r.Header.Get(headerID))
	}
	var ref Referral
	switch err := json.Unmarshal(body, &ref); {
	case err != nil:
		return http.StatusBadRequest, refusal{"the body is not a referral"}
	case ref.ID != r.Header.Get(headerID):
		return http.StatusUnprocessableEntity, refusal{"id: differs from " + headerID}
	case ref.Candidate.Name == "" || ref.Candidate.Email == "":
		return http.StatusUnprocessableEntity, refusal{"candidate: want a name and an email"}
	case ref.Provenance.Company == "" || len(ref.Consents) == 0:
		return http.StatusUnprocessableEntity, refusal{"provenance and consents: required"}
	}
	return s.keep(ref, sha256.Sum256(body))
}

// keep answers the same for the same referral, however often it comes.
func (s *Simulator) keep(ref Referral, sum [sha256.Size]byte) (int, any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.arrivals {
		if a.Referral.ID != ref.ID {
			continue
		}
		a.Repeats++
		if a.sum != sum {
			return http.StatusConflict, Receipt{a.Reference}
		}
		return http.StatusOK, Receipt{a.Reference}
	}
	s.count++
	a := &arrival{Referral: ref, Reference: fmt.Sprintf("CR-%06d", s.count), At: s.now(), sum: sum}
	s.arrivals = append(s.arrivals, a)
	if len(s.arrivals) > maxArrivals {
		s.arrivals = s.arrivals[1:]
	}
	return http.StatusCreated, Receipt{a.Reference}
}

// drop forgets the profile of a referral that was taken back, as the law asks of
// a recipient. What it does not know it need not forget.
func (s *Simulator) drop(w Withdrawal, id string) (int, any) {
	if id != w.ID+".withdrawn" {
		return http.StatusUnprocessableEntity, refusal{"id: does not belong to " + headerID}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.arrivals {
		if a.Referral.ID == w.ID && a.Withdrawn.IsZero() {
			a.Withdrawn, a.Referral.Candidate = s.now(), Profile{}
		}
	}
	return http.StatusOK, Receipt{w.Reference}
}

//go:embed simulator.html
var simulatorHTML string

var (
	simulatorPage = template.Must(template.New("simulator").Parse(simulatorHTML))
	// simulatorPolicy allows the page its own style and nothing else.
	simulatorPolicy = func() string {
		_, rest, _ := strings.Cut(simulatorHTML, "<style>")
		style, _, _ := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(style))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	}()
)

// show writes the page.
func (s *Simulator) show(w http.ResponseWriter, r *http.Request) {
	view := page{Words: simulatorWords[0], Reveal: r.URL.Query().Get("reveal") == "1"}
	if lang := r.URL.Query().Get("lang"); lang == "en" || lang == "" && !strings.Contains(r.Header.Get("Accept-Language"), "ja") {
		view.Words = simulatorWords[1]
	}
	s.mu.Lock()
	for _, a := range slices.Backward(s.arrivals) {
		view.Arrivals = append(view.Arrivals, *a)
	}
	s.mu.Unlock()
	var b bytes.Buffer
	if err := simulatorPage.Execute(&b, view); err != nil {
		http.Error(w, "the page cannot be written", http.StatusInternalServerError)
		return
	}
	for name, value := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": simulatorPolicy, "Cache-Control": "no-store",
		"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex",
	} {
		w.Header().Set(name, value)
	}
	_, _ = b.WriteTo(w) // the reader may be gone
}

// A page is what the simulator's template shows.
type page struct {
	Words    words
	Reveal   bool
	Arrivals []arrival
}

// Mask shows the first character of a name and hides how long the rest is.
func (page) Mask(name string) string {
	if name == "" {
		return ""
	}
	first, _ := utf8.DecodeRuneInString(name)
	return string(first) + " ●●●"
}

// Clock writes a time as the page's readers say it.
func (page) Clock(t time.Time) string {
	return t.In(time.FixedZone("JST", 9*60*60)).Format("2006-01-02 15:04:05")
}

// Fields lists what a referral carries, by name.
func (page) Fields(p Profile) string { return strings.Join(p.Fields(), " ") }

// Title says in one sentence what has arrived.
func (p page) Title() string {
	switch len(p.Arrivals) {
	case 0:
		return p.Words.None
	case 1:
		return p.Words.One
	}
	return fmt.Sprintf(p.Words.Many, len(p.Arrivals))
}

type words struct {
	Lang, Other, OtherName, None, One, Many, About, Empty, Reveal, Hide, At, Reference, Person, Mail, Company, Consents, Fields, Repeats, Withdrawn string
}

var simulatorWords = [2]words{
	{
		Lang: "ja", Other: "en", OtherName: "English", None: "まだ引き渡しは届いていません。", One: "引き渡しが1件届いています。", Many: "引き渡しが%d件届いています。",
		About: "お試し用の受け手です。署名と同意を確かめて受け取り、同じ引き渡しは一度だけ数え、同意が取り消された人の情報は消します。再起動すると消えます。", Empty: "候補者が登録して確認を終えると、ここに表示されます。",
		Reveal: "氏名とメールを表示する", Hide: "氏名とメールを隠す", At: "受け取り（日本時間）", Reference: "受付番号", Person: "候補者", Mail: "メール", Company: "紹介元", Consents: "同意", Fields: "渡された項目", Repeats: "再送", Withdrawn: "取り消し",
	},
	{
		Lang: "en", Other: "ja", OtherName: "日本語", None: "No referral has arrived yet.", One: "One referral has arrived.", Many: "%d referrals have arrived.",
		About: "A recipient to try things out with. It checks signature and consent, counts the same referral once and forgets a person who takes the consent back. A restart clears it.", Empty: "A candidate who registers and confirms appears here.",
		Reveal: "Show name and address", Hide: "Hide name and address", At: "Received (Japan time)", Reference: "Reference", Person: "Candidate", Mail: "Address", Company: "From", Consents: "Consents", Fields: "Fields", Repeats: "Repeats", Withdrawn: "Withdrawn",
	},
}
