package relay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/relay"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

var now = time.Date(2026, 11, 24, 1, 7, 0, 0, time.UTC)

func clock() time.Time { return now }

// referral is a hand-over as a registration makes it.
func referral() relay.Referral {
	return relay.Referral{
		ID: "01K7REFERRAL", Recipient: "network", CreatedAt: now,
		Candidate: relay.Profile{Name: "𠮷田 花子", Kana: "ヨシダ ハナコ", Email: "hanako@example.jp", Phone: "090-0000-0000", Prefecture: "東京都", Occupation: "ソフトウェア開発", Note: "平日の夜なら話せます。", Locale: "ja"},
		Provenance: relay.Provenance{
			Company: "acme", CompanyName: "株式会社アクメ", How: "The person registered by an own decision and confirmed the address.", RegisteredAt: now.Add(-time.Hour), ConfirmedAt: now.Add(-time.Minute),
		},
		Consents: []relay.Consent{{ID: "01K7CONSENT", Purpose: "relay_handover", Text: "2026-10", Locale: "ja", GivenAt: now.Add(-time.Hour)}},
	}
}

func recipient(url string) relay.Recipient {
	return relay.Recipient{
		ID: "network", Name: relay.Names{JA: "キャリアリレー", EN: "Career Relay"}, URL: url, Secrets: []ats.Secret{secret, "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZA=="},
		Licence: "13-ユ-000000", Address: "東京都見本区1-2-3", Head: "見本 太郎", Contact: "desk@network.example.jp",
	}
}

func client(h *http.Client) *relay.Client { return &relay.Client{HTTP: h, Now: clock} }

// answering makes a recipient that answers everything alike.
func answering(tb testing.TB, h http.HandlerFunc) (*relay.Client, relay.Recipient) {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return client(s.Client()), recipient(s.URL + "/referrals?key=hidden")
}

func TestHand(t *testing.T) {
	var got *http.Request
	var body []byte
	c, r := answering(t, func(w http.ResponseWriter, req *http.Request) {
		got = req
		body, _ = io.ReadAll(req.Body)
		_, _ = io.WriteString(w, `{"reference":"CR-1"}`)
	})
	receipt, err := c.Hand(t.Context(), r, referral())
	if err != nil || receipt.Reference != "CR-1" {
		t.Fatalf("got %+v and %v", receipt, err)
	}
	if got.Method != http.MethodPost || got.URL.RequestURI() != "/referrals?key=hidden" {
		t.Errorf("got %s %s", got.Method, got.URL)
	}
	signature, err := relay.Sign(secret, "01K7REFERRAL", now, body)
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"careerrelay"}, "Accept-Encoding": {"gzip"},
		"Content-Length": {strconv.Itoa(len(body))}, "Webhook-Id": {"01K7REFERRAL"}, "Webhook-Timestamp": {"1795482420"}, "Webhook-Signature": {signature},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	atstest.Golden(t, "testdata/referral.golden", b.Bytes())
}

func TestHandClasses(t *testing.T) {
	const year = 365 * 24 * 3600
	tests := map[string]struct {
		status int
		after  string
		fault  ats.Fault
		wait   time.Duration
		text   string
	}{
		"200": {200, "", "", 0, ""}, "201": {201, "", "", 0, ""}, "202": {202, "", "", 0, ""}, "204": {204, "", "", 0, ""},
		"409, which has it already": {409, "", "", 0, ""},
		"400":                       {400, "", ats.Invalid, 0, "network does not take this: status 400"},
		"404":                       {404, "", ats.Invalid, 0, "network does not take this: status 404"},
		"405":                       {405, "", ats.Invalid, 0, "network does not take this: status 405"},
		"410":                       {410, "", ats.Invalid, 0, "network does not take this: status 410"},
		"413":                       {413, "", ats.Invalid, 0, "network does not take this: status 413"},
		"422":                       {422, "5", ats.Invalid, 0, "network does not take this: status 422"},
		"401":                       {401, "", ats.Denied, 0, "network refuses our signature or us: status 401"},
		"403":                       {403, "60", ats.Denied, 0, "network refuses our signature or us: status 403"},
		"301":                       {301, "", ats.Invalid, 0, "network sends us elsewhere: status 301; correct its url"},
		"307":                       {307, "", ats.Invalid, 0, "network sends us elsewhere: status 307; correct its url"},
		"408":                       {408, "", ats.Busy, 0, "network is busy: status 408"},
		"425":                       {425, "", ats.Busy, 0, "network is busy: status 425"},
		"429 without a time":        {429, "", ats.Busy, 0, "network is busy: status 429"},
		"429 with a time":           {429, "120", ats.Busy, 2 * time.Minute, "network is busy: status 429"},
		"429 in a moment":           {429, "0", ats.Busy, 30 * time.Second, "network is busy: status 429"},
		"429 in a year":             {429, strconv.Itoa(year), ats.Busy, 24 * time.Hour, "network is busy: status 429"},
		"503 at a time":             {503, "Tue, 24 Nov 2026 01:37:00 GMT", ats.Busy, 30 * time.Minute, "network is busy: status 503"},
		"503 at a time that passed": {503, "Tue, 24 Nov 2026 01:00:00 GMT", ats.Busy, 30 * time.Second, "network is busy: status 503"},
		"503 soon":                  {503, "soon", ats.Busy, 0, "network is busy: status 503"},
		"503 in less than no time":  {503, "-5", ats.Busy, 0, "network is busy: status 503"},
		"500":                       {500, "", ats.Busy, 0, "network is busy: status 500"},
		"502":                       {502, "", ats.Busy, 0, "network is busy: status 502"},
		"504":                       {504, "40", ats.Busy, 40 * time.Second, "network is busy: status 504"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			posts := 0
			c, r := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				posts++
				w.Header().Set("Location", "/elsewhere")
				if tt.after != "" {
					w.Header().Set("Retry-After", tt.after)
				}
				w.WriteHeader(tt.status)
				if tt.status != 204 {
					_, _ = io.WriteString(w, `{"reference":"CR-1","detail":"hanako@example.jp"}`)
				}
			})
			receipt, err := c.Hand(t.Context(), r, referral())
			if posts != 1 {
				t.Errorf("posted %d times", posts)
			}
			if tt.fault == "" {
				if err != nil || (receipt.Reference == "CR-1") != (tt.status != 204) {
					t.Errorf("got %+v and %v", receipt, err)
				}
				return
			}
			if ats.FaultOf(err) != tt.fault || ats.WaitOf(err) != tt.wait || err.Error() != tt.text {
				t.Errorf("got %s, wait %s: %v; want %s, wait %s: %s", ats.FaultOf(err), ats.WaitOf(err), err, tt.fault, tt.wait, tt.text)
			}
			if receipt != (relay.Receipt{}) {
				t.Errorf("got a receipt: %+v", receipt)
			}
		})
	}
}

// A success without a usable receipt is still a success.
func TestReceipts(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"a reference":               {`{"reference":"CR-2026/11 あ"}`, "CR-2026/11 あ"},
		"more than a reference":     {`{"id":1,"reference":"CR-1","nested":{"reference":"x"}}`, "CR-1"},
		"nothing":                   {"", ""},
		"no JSON":                   {"<html>OK</html>", ""},
		"a list":                    {`["CR-1"]`, ""},
		"a number":                  {`{"reference":7}`, ""},
		"null":                      {"null", ""},
		"line breaks and controls":  {`{"reference":" CR\r\n-\u00001\u202e "}`, "CR-1"},
		"a long reference":          {`{"reference":"` + strings.Repeat("あ", 300) + `"}`, strings.Repeat("あ", 200)},
		"as large as is read":       {`{"reference":"CR-1"}` + strings.Repeat(" ", 64<<10-20), "CR-1"},
		"a byte larger":             {`{"reference":"CR-1"}` + strings.Repeat(" ", 64<<10-19), ""},
		"much larger than is read":  {`{"reference":"CR-1","x":"` + strings.Repeat("x", 1<<20) + `"}`, ""},
		"two values":                {`{"reference":"CR-1"}{"reference":"CR-2"}`, ""},
		"a reference that is blank": {`{"reference":" "}`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, r := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.body) })
			got, err := c.Hand(t.Context(), r, referral())
			if err != nil || got.Reference != tt.want {
				t.Errorf("got %q and %v, want %q", got.Reference, err, tt.want)
			}
		})
	}
}

// A connection that breaks after the status does not undo the success.
func TestCutReceipt(t *testing.T) {
	c, r := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"reference":`)
	})
	if got, err := c.Hand(t.Context(), r, referral()); err != nil || got.Reference != "" {
		t.Errorf("got %+v and %v", got, err)
	}
}

// transport answers without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNoAnswer(t *testing.T) {
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer broken.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	tests := map[string]struct {
		client *http.Client
		url    string
		fault  ats.Fault
	}{
		"the connection breaks":        {broken.Client(), broken.URL + "/?key=hidden", ats.Busy},
		"nobody listens":               {http.DefaultClient, gone.URL + "/?key=hidden", ats.Busy},
		"an address in our network":    {relay.NewHTTPClient(false), broken.URL + "/?key=hidden", ats.Denied},
		"a scheme that nobody speaks":  {http.DefaultClient, "gopher://network.example/?key=hidden", ats.Busy},
		"a certificate nobody trusts":  {http.DefaultClient, tlsServer(t) + "/?key=hidden", ats.Busy},
		"an error that is our own bug": {&http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })}, "https://network.example/?key=hidden", ats.Busy},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			receipt, err := client(tt.client).Hand(t.Context(), recipient(tt.url), referral())
			if ats.FaultOf(err) != tt.fault || receipt != (relay.Receipt{}) {
				t.Fatalf("got %+v and %v (%s), want %s", receipt, err, ats.FaultOf(err), tt.fault)
			}
			if !strings.HasPrefix(err.Error(), "reaching network: ") {
				t.Errorf("got %v", err)
			}
			quiet(t, err)
		})
	}
}

func tlsServer(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// quiet checks that an error holds nothing personal and no key.
func quiet(tb testing.TB, err error) {
	tb.Helper()
	for _, word := range []string{"hidden", "hanako", "𠮷田", "090", secret} {
		if strings.Contains(fmt.Sprintf("%+v", err), word) {
			tb.Errorf("the error holds %q: %v", word, err)
		}
	}
}

// A recipient that never answers is given up in time, and asked again later.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c := client(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		_, err := c.Hand(t.Context(), recipient("https://network.example"), referral())
		if took := time.Since(begun); ats.FaultOf(err) != ats.Busy || took != 25*time.Second {
			t.Errorf("got %v after %s", err, took)
		}
	})
}

func TestUnusableReferrals(t *testing.T) {
	tests := map[string]struct {
		change func(*relay.Recipient, *relay.Referral)
		want   string
	}{
		"no id":                   {func(_ *relay.Recipient, ref *relay.Referral) { ref.ID = "" }, "handing over to network: the referral has no id"},
		"no consent":              {func(_ *relay.Recipient, ref *relay.Referral) { ref.Consents = nil }, "handing over to network: the referral carries no consent"},
		"no secret":               {func(r *relay.Recipient, _ *relay.Referral) { r.Secrets = nil }, "handing over to network: secrets: none to sign with"},
		"a secret that is none":   {func(r *relay.Recipient, _ *relay.Referral) { r.Secrets[0] = "plain" }, "handing over to network: secrets[0]: want whsec_ and base64, as Standard Webhooks has it"},
		"an address that is none": {func(r *relay.Recipient, _ *relay.Referral) { r.URL = "https://network.example/?key=hidden\n" }, "handing over to network: url: not readable"},
		"a time that JSON cannot hold": {func(_ *relay.Recipient, ref *relay.Referral) {
			ref.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
		}, "handing over to network: the referral cannot be written as JSON"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var posts atomic.Int64
			c, r := answering(t, func(http.ResponseWriter, *http.Request) { posts.Add(1) })
			ref := referral()
			tt.change(&r, &ref)
			_, err := c.Hand(t.Context(), r, ref)
			if ats.FaultOf(err) != ats.Invalid || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if posts.Load() != 0 {
				t.Error("something was sent")
			}
			quiet(t, err)
		})
	}
}

// A client that follows redirects elsewhere does not do so with a profile.
func TestNoRedirects(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	c, r := answering(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, other.URL, http.StatusTemporaryRedirect)
	})
	if _, err := c.Hand(t.Context(), r, referral()); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("got %v", err)
	}
	if elsewhere.Load() != 0 {
		t.Error("the profile went elsewhere")
	}
}
