package kanrikun_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/kanrikun"
	"github.com/career-relay/connector/connectors/kanrikun/kanrikuntest"
	"github.com/career-relay/connector/connectors/spec"
)

// evening is when the samples were read.
var evening = time.Date(2026, 11, 20, 20, 0, 0, 0, time.FixedZone("JST", 9*60*60))

// inBubble runs a test on a virtual clock that begins at evening, on which the
// limits of calls cost nothing.
func inBubble(t *testing.T, test func(t *testing.T, s *kanrikuntest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(evening))
		s, err := kanrikuntest.New("id", "secret", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
}

func open(s http.RoundTripper, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("kanrikun")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: time.Now}
	return kanrikun.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: kanrikun\napi_url: " + kanrikuntest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func connect(tb testing.TB, s http.RoundTripper, more string) *kanrikun.Connector {
	tb.Helper()
	c, err := open(s, "client_id: id\nclient_secret: secret\n"+more)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*kanrikun.Connector)
}

// sweep polls until the sweep ends and decodes what came.
func sweep(t *testing.T, c *kanrikun.Connector, cursor string) (map[string]ats.Event, string) {
	t.Helper()
	out := map[string]ats.Event{}
	for calls := 0; ; calls++ {
		news, next, err := c.Poll(t.Context(), cursor)
		if err != nil || calls > 1000 {
			t.Fatalf("call %d: %v", calls+1, err)
		}
		for _, p := range news {
			events, err := c.Decode(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if _, twice := out[e.Application]; twice {
					t.Errorf("%s was told twice", e.Application)
				}
				out[e.Application] = e
			}
		}
		if cursor = next; !c.More(next) {
			return out, next
		}
	}
}

// TestExpected sweeps twice: all three were under way the first time.
func TestExpected(t *testing.T) {
	for name, loose := range map[string]bool{"the filter works": false, "the filter does not": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
				c := connect(t, s, "consent_item: リレー紹介への同意")
				for i := range 3 {
					s.Change(300101+i, map[string]any{"status": 2.0})
				}
				silent, cursor := sweep(t, c, "")
				if len(silent) != 0 {
					t.Errorf("got %d events of students under way", len(silent))
				}
				for i, status := range []float64{8, 8, 5} {
					s.Change(300101+i, map[string]any{"status": status})
				}
				if loose {
					s.Loose()
				}
				time.Sleep(time.Hour)
				got, cursor := sweep(t, c, cursor)
				type fact struct {
					State                     ats.State
					Side                      ats.Side
					Name, Family, Given, Kana string
					Email                     string
					At                        string
					Clock                     ats.Clock
					Consent                   ats.Consent
				}
				now := evening.Add(time.Hour).Format(time.RFC3339)
				want := map[string]fact{
					"300101": {ats.Rejected, ats.Company, "髙橋 美咲", "髙橋", "美咲", "タカハシ ミサキ", "misaki.takahashi@example.com", now, ats.ReceivedClock, ats.ConsentYes},
					"300102": {ats.Rejected, ats.Company, "中村 葵", "中村", "葵", "ナカムラ アオイ", "aoi..nakamura@example.jp", now, ats.ReceivedClock, ""},
					"300103": {ats.Withdrawn, ats.Applicant, "小林 恵", "小林", "恵", "コバヤシ メグミ", "megumi.kobayashi@example.com", now, ats.ReceivedClock, ""},
				}
				facts := map[string]fact{}
				for id, e := range got {
					full, _ := ats.Greeting(e.Candidate)
					facts[id] = fact{
						e.State, e.Side, full, e.Candidate.FamilyName, e.Candidate.GivenName, e.Candidate.Kana, string(e.Candidate.Email),
						e.At.In(evening.Location()).Format(time.RFC3339), e.Clock, e.Consent,
					}
				}
				if diff := cmp.Diff(want, facts); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if again, _ := sweep(t, c, cursor); len(again) != 0 {
					t.Errorf("the next sweep tells %d events once more", len(again))
				}
			})
		})
	}
}

func TestWhatChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		id     int
		status float64
		state  ats.State // "" for no news
	}{
		"a rejection is taken back":    {300101, 2, ats.Reopened},
		"back to an offer":             {300101, 3, ats.Reopened},
		"it was a withdrawal":          {300101, 7, ats.Withdrawn},
		"an offer was accepted":        {300101, 4, ats.Hired},
		"a new rejection":              {1, 8, ats.Rejected},
		"a new student under way":      {1, 1, ""},
		"a withdrawal, told otherwise": {300103, 6, ats.Withdrawn},
		"nothing":                      {300103, 5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
				c := connect(t, s, "")
				_, cursor := sweep(t, c, "")
				time.Sleep(time.Hour)
				s.Change(tt.id, map[string]any{"status": tt.status})
				got, cursor := sweep(t, c, cursor)
				e, ok := got[strconv.Itoa(tt.id)]
				if ok != (tt.state != "") || e.State != tt.state || len(got) > 1 {
					t.Errorf("got %+v, want %s", got, tt.state)
				}
				time.Sleep(time.Hour)
				if again, _ := sweep(t, c, cursor); len(again) != 0 {
					t.Errorf("it was told again")
				}
			})
		})
	}
}

// expire_in is a Unix time. A token is kept until shortly before it, and got
// again when the vendor ends it early.
func TestTokens(t *testing.T) {
	inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
		c := connect(t, s, "")
		var cursor string
		poll := func(what string, tokens int) {
			t.Helper()
			if _, cursor = sweep(t, c, cursor); s.Issued() != tokens {
				t.Errorf("%s: got %d tokens, want %d", what, s.Issued(), tokens)
			}
		}
		poll("the first sweep", 1)
		time.Sleep(30 * time.Minute)
		poll("within the hour", 1)
		time.Sleep(29*time.Minute + 30*time.Second)
		poll("shortly before its end", 2)
		s.Revoke()
		poll("ended by the vendor in the middle", 3)
		time.Sleep(365 * 24 * time.Hour)
		poll("a year later", 4)
	})
}

func TestManyStudents(t *testing.T) {
	inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
		for i := range 20_000 {
			s.Change(400_000+i, map[string]any{"status": float64(1 + i%8)})
		}
		c := connect(t, s, "")
		begun := time.Now()
		got, cursor := sweep(t, c, "")
		if len(got) != 12_503 || s.Calls() > 210 {
			t.Errorf("got %d events with %d calls", len(got), s.Calls())
		}
		for range 3 { // an hour of sweeps
			time.Sleep(15*time.Minute - time.Since(begun)%(15*time.Minute))
			_, cursor = sweep(t, c, cursor)
		}
		t.Logf("%d calls and %d tokens in %s, cursor of %d KiB", s.Calls(), s.Issued(), time.Since(begun), len(cursor)>>10)
	})
}

func TestPollFails(t *testing.T) {
	answer := func(text string) func(*kanrikuntest.Server) {
		return func(s *kanrikuntest.Server) {
			given := s.Answer
			s.Answer = func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/auth/") {
					given(w, r)
					return
				}
				_, _ = w.Write([]byte(text))
			}
		}
	}
	fail := func(codes ...int) func(*kanrikuntest.Server) {
		return func(s *kanrikuntest.Server) { s.Fail(codes...) }
	}
	for name, tt := range map[string]struct {
		change   func(*kanrikuntest.Server)
		settings string
		cursor   string
		fault    ats.Fault
		want     string
	}{
		"a bad secret":                  {nil, "client_secret: other", "", ats.Denied, "check client_id and client_secret"},
		"the API is switched off":       {fail(403, 403), "", "", ats.Denied, "403 Forbidden"},
		"no tokens":                     {func(s *kanrikuntest.Server) { s.Answer = says(`{}`) }, "", "", ats.Denied, "check client_id and client_secret"},
		"tokens of HTML":                {func(s *kanrikuntest.Server) { s.Answer = says(`<html>`) }, "", "", ats.Denied, "check client_id and client_secret"},
		"the tokens are down":           {fail(503), "", "", ats.Busy, "/token/get: 503"},
		"the list is down":              {fail(0, 500), "", "", ats.Busy, "/student/get: 500"},
		"the list is refused twice":     {fail(0, 401, 0, 401), "", "", ats.Denied, "401"},
		"a wrong input":                 {fail(0, 400), "", "", ats.Invalid, "400 Bad Request"},
		"an error with 200":             {answer(`{"message":"maintenance"}`), "", "", ats.Invalid, "not a list of students"},
		"a page of HTML":                {answer(`<html>maintenance</html>`), "", "", ats.Invalid, "not the JSON"},
		"students without an id":        {answer(`{"total":1,"students":[{"sei_kanji":"高橋"}]}`), "", "", ats.Invalid, "without an id"},
		"a cursor of another connector": {nil, "", "2026-11-20", ats.Invalid, "not one of this connector's"},
		"a cursor beyond the end":       {nil, "", `{"page":1,"step":8}`, ats.Invalid, "not one of this connector's"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
				if tt.change != nil {
					tt.change(s)
				}
				settings := "client_id: id\n" + tt.settings
				if tt.settings == "" {
					settings += "client_secret: secret"
				}
				c, err := open(s, settings)
				if err != nil {
					t.Fatal(err)
				}
				news, _, err := c.(*kanrikun.Connector).Poll(t.Context(), tt.cursor)
				if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) || len(news) > 0 {
					t.Errorf("got %d news, %v (%s), want %s: %s", len(news), err, ats.FaultOf(err), tt.fault, tt.want)
				}
				if err != nil && (strings.Contains(err.Error(), "高橋") || strings.Contains(err.Error(), "maintenance") || strings.Contains(err.Error(), "secret\"")) {
					t.Errorf("the error shows too much: %v", err)
				}
			})
		})
	}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

// What was read before an error counts, and endless pages end.
func TestASweepGoesOnAndEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
		s.Fail(0, 0, 0, 502)
		c := connect(t, s, "")
		news, cursor, err := c.Poll(t.Context(), "")
		if ats.FaultOf(err) != ats.Busy || len(news) != 2 || !c.More(cursor) {
			t.Fatalf("got %d news, %s, %v", len(news), cursor, err)
		}
		if rest, _ := sweep(t, c, cursor); len(rest) != 1 {
			t.Errorf("got %d more, want 1", len(rest))
		}
	})
	inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
		s.Answer = func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"access_token":"t","expire_in":%d,"total":999999999,"students":[{"id":1,"status":8}]}`, time.Now().Add(time.Hour).Unix())
		}
		c := connect(t, s, "")
		cursor, err := "", error(nil)
		for calls := 0; err == nil && calls < 300; calls++ {
			_, cursor, err = c.Poll(t.Context(), cursor)
		}
		if ats.FaultOf(err) != ats.TooLarge || c.More(cursor) {
			t.Errorf("got %v and the cursor %s, want an end", err, cursor)
		}
	})
}

// Only what is needed is asked for, and forms only where they hold the consent.
func TestNothingTooMuchIsKept(t *testing.T) {
	for settings, forms := range map[string]bool{"": false, "consent_item: リレー紹介への同意": true} {
		inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
			news, _, err := connect(t, s, settings).Poll(t.Context(), "")
			if err != nil || len(news) != 3 {
				t.Fatalf("got %d news, %v", len(news), err)
			}
			for _, p := range news {
				for _, word := range []string{"大学", "0000", "2026-09", "ef_items"} {
					if strings.Contains(string(p.Body), word) {
						t.Errorf("holds %s: %s", word, p.Body)
					}
				}
			}
			if got := strings.Contains(string(news[0].Body), "同意する"); got != forms {
				t.Errorf("%q: got the form %t, want %t", settings, got, forms)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing":             {"", "client_id: required\nclient_secret: required"},
		"an unknown key":      {"client_id: id\nclient_secret: s\nconsent_tag: x", "field consent_tag not found"},
		"a rule that is none": {"client_id: id\nclient_secret: s\nmap: {title: .}", "map.title: no such field"},
	} {
		if _, err := open(http.DefaultTransport, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestState asks for one student: by the address, or among the rejected.
func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change map[string]any
		email  ats.Email
		more   int // further rejected students
		want   ats.State
		fault  ats.Fault
		calls  int
	}{
		"still rejected":                       {map[string]any{"status": 8.0}, "a@example.jp", 0, ats.Rejected, "", 2},
		"goes on again":                        {map[string]any{"status": 2.0}, "a@example.jp", 0, ats.Reopened, "", 2},
		"hired after all":                      {map[string]any{"status": 4.0}, "a@example.jp", 0, ats.Hired, "", 2},
		"written to at the other address":      {map[string]any{"status": 8.0}, "mobile@example.jp", 0, ats.Rejected, "", 3},
		"behind many":                          {map[string]any{"status": 8.0}, "mobile@example.jp", 250, ats.Rejected, "", 5},
		"goes on and has another address":      {map[string]any{"status": 2.0}, "mobile@example.jp", 0, "", ats.NotFound, 3},
		"nobody said which address":            {map[string]any{"status": 8.0}, "", 0, ats.Rejected, "", 2},
		"a status that the vendor has not got": {map[string]any{"status": 9.0}, "a@example.jp", 0, "", ats.Invalid, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
				for i := range tt.more {
					s.Change(800000+i, map[string]any{"status": 8.0, "pc_email": "other@example.jp"})
				}
				tt.change["pc_email"] = "a@example.jp"
				s.Change(900001, tt.change)
				got, err := connect(t, s, "").State(t.Context(), ats.Event{Application: "900001", State: ats.Rejected, Candidate: ats.Candidate{Email: tt.email}})
				if got != tt.want || ats.FaultOf(err) != tt.fault || s.Calls() != tt.calls {
					t.Errorf("got %q, %v after %d calls, want %q, %q after %d", got, err, s.Calls(), tt.want, tt.fault, tt.calls)
				}
			})
		})
	}
	inBubble(t, func(t *testing.T, s *kanrikuntest.Server) {
		if _, err := connect(t, s, "").State(t.Context(), ats.Event{Application: "x"}); ats.FaultOf(err) != ats.Invalid || s.Calls() != 0 {
			t.Errorf("got %v", err)
		}
		s.Fail(0, 500)
		if _, err := connect(t, s, "").State(t.Context(), ats.Event{Application: "1"}); ats.FaultOf(err) != ats.Busy {
			t.Errorf("down: got %v", err)
		}
	})
}
