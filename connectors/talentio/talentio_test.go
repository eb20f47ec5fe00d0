package talentio_test

import (
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
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/talentio"
	"github.com/career-relay/connector/connectors/talentio/talentiotest"
)

// evening is when the samples were read.
var evening = time.Date(2026, 11, 20, 20, 0, 0, 0, time.FixedZone("JST", 9*60*60))

// inBubble runs a test on a virtual clock that begins at evening, on which the
// limits of calls cost nothing.
func inBubble(t *testing.T, test func(t *testing.T, s *talentiotest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(evening))
		s, err := talentiotest.New("key", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
}

func open(s http.RoundTripper, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("talentio")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: time.Now}
	return talentio.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: talentio\napi_url: " + talentiotest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func connect(tb testing.TB, s http.RoundTripper, more string) *talentio.Connector {
	tb.Helper()
	c, err := open(s, "api_key: key\n"+more)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*talentio.Connector)
}

// sweep polls until the sweep ends and decodes what came.
func sweep(t *testing.T, c *talentio.Connector, cursor string) (map[string]ats.Event, string) {
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

func TestExpected(t *testing.T) {
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		got, _ := sweep(t, connect(t, s, "consent_tag: リレー紹介同意"), "")
		type fact struct {
			State               ats.State
			Side                ats.Side
			Name, Family, Given string
			Email, Title, Stage string
			Kind                ats.StageKind
			At                  string
			Clock               ats.Clock
			Agent               bool
			Consent             ats.Consent
			Source              string
		}
		now := evening.Format(time.RFC3339)
		want := map[string]fact{
			"810001": {ats.Rejected, ats.Company, "髙橋 美咲", "髙橋", "美咲", "misaki.takahashi@example.com", "バックエンドエンジニア（Go）", "interview#2", ats.Interview, "2026-11-19T18:31:07+09:00", ats.DecidedClock, false, ats.ConsentYes, "site, 自社採用サイト"},
			"810002": {ats.Rejected, ats.Company, "山﨑 大輔", "山﨑", "大輔", "desk+810002@agent.example.com", "バックエンドエンジニア（Go）", "resume#1", ats.Document, "2026-11-18T10:00:00+09:00", ats.DecidedClock, true, "", "agentCompany, みほんエージェント株式会社"},
			"810003": {ats.Rejected, ats.Company, "グエン・ヴァン・アン", "", "", "an.nguyen@example.com", "カスタマーサクセス", "interview#1", ats.Interview, now, ats.ReceivedClock, false, "", "custom, 採用イベント"},
			"810101": {ats.Withdrawn, ats.Applicant, "小林 恵", "小林", "恵", "megumi.kobayashi@example.com", "バックエンドエンジニア（Go）", "", "", "2026-11-15T10:00:00+09:00", ats.DecidedClock, false, "", "site, 自社採用サイト"},
			"810102": {ats.Hired, ats.Company, "伊藤 拓也", "伊藤", "拓也", "takuya.ito@example.com", "バックエンドエンジニア（Go）", "", "", "2026-11-16T10:00:00+09:00", ats.DecidedClock, false, "", "employee, 社員紹介"},
		}
		facts := map[string]fact{}
		for id, e := range got {
			name, _ := ats.Greeting(e.Candidate)
			facts[id] = fact{
				e.State, e.Side, name, e.Candidate.FamilyName, e.Candidate.GivenName, string(e.Candidate.Email), e.Job.Title, e.Stage, e.StageKind,
				e.At.In(evening.Location()).Format(time.RFC3339), e.Clock, e.Agent, e.Consent, e.Source,
			}
		}
		if diff := cmp.Diff(want, facts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// reject means 辞退. Taking it for a rejection would write to exactly the wrong
// people.
func TestTheTrap(t *testing.T) {
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		c := connect(t, s, "")
		_, cursor := sweep(t, c, "")
		for i, tt := range []struct {
			status string
			state  ats.State
			side   ats.Side
		}{{"reject", ats.Withdrawn, ats.Applicant}, {"fail", ats.Rejected, ats.Company}, {"reject", ats.Withdrawn, ats.Applicant}} {
			time.Sleep(time.Minute)
			s.Change(900+i, map[string]any{"status": tt.status})
			var got map[string]ats.Event
			got, cursor = sweep(t, c, cursor)
			if e := got[strconv.Itoa(900+i)]; len(got) != 1 || e.State != tt.state || e.Side != tt.side {
				t.Errorf("%s: got %+v", tt.status, got)
			}
		}
	})
}

func TestWhatChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		id      int
		members map[string]any
		state   ats.State // "" for no news
	}{
		"it is taken back":              {810001, map[string]any{"status": "ongoing", "fixedAt": nil}, ats.Reopened},
		"it was a withdrawal":           {810001, map[string]any{"status": "reject"}, ats.Withdrawn},
		"it ended anew":                 {810001, map[string]any{"fixedAt": "2026-11-20T19:00:00+09:00"}, ats.Rejected},
		"a remark, long after":          {810003, map[string]any{"description": "また応募してほしい"}, ""},
		"into the pool":                 {810001, map[string]any{"status": "poolActive"}, ""},
		"one under way":                 {810103, map[string]any{"appliedAt": "2026-11-03T10:00:00+09:00"}, ""},
		"a new one":                     {1, map[string]any{"status": "fail"}, ats.Rejected},
		"the pool is no end":            {810104, map[string]any{"status": "ongoing"}, ats.Reopened},
		"an agency that has no name":    {2, map[string]any{"status": "fail", "agentCompany": map[string]any{"name": ""}}, ats.Rejected},
		"a stage that was failed alone": {3, map[string]any{"status": "fail", "fixedAt": nil}, ats.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *talentiotest.Server) {
				c := connect(t, s, "")
				_, cursor := sweep(t, c, "")
				time.Sleep(time.Hour)
				s.Change(tt.id, tt.members)
				got, cursor := sweep(t, c, cursor)
				e, ok := got[strconv.Itoa(tt.id)]
				if ok != (tt.state != "") || e.State != tt.state || len(got) > 1 || e.Agent {
					t.Errorf("got %+v, want %s", got, tt.state)
				}
				if tt.id == 3 && e.At.Format(time.RFC3339) != "2026-11-19T09:31:07Z" {
					t.Errorf("got %s, want the time of the step", e.At)
				}
				time.Sleep(time.Hour)
				if again, _ := sweep(t, c, cursor); len(again) != 0 {
					t.Errorf("it was told again")
				}
			})
		})
	}
}

// A candidate without a time who is rejected, taken back and rejected again is
// news each time, also for the store.
func TestKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		c := connect(t, s, "")
		seen, cursor := map[string]bool{}, ""
		for _, status := range []string{"fail", "ongoing", "fail", "ongoing", "fail"} {
			time.Sleep(time.Minute)
			s.Change(810003, map[string]any{"status": status})
			news, next, err := c.Poll(t.Context(), cursor)
			if err != nil {
				t.Fatal(err)
			}
			cursor = next
			for _, p := range news {
				if key := c.Key(p); key == "" || seen[key] {
					t.Errorf("the key %q is taken", key)
				} else {
					seen[key] = true
				}
			}
		}
		if len(seen) != 5+4 {
			t.Errorf("got %d keys, want 9", len(seen))
		}
	})
}

// asking notes what Talentio is asked for.
type asking struct {
	*talentiotest.Server
	queries []string
}

func (a *asking) RoundTrip(r *http.Request) (*http.Response, error) {
	a.queries = append(a.queries, r.URL.RawQuery)
	return a.Server.RoundTrip(r)
}

// The lower bound is the start of the sweep before, not its end, less a day.
func TestOverlap(t *testing.T) {
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		for i := range 250 {
			s.Change(1000+i, map[string]any{"status": "fail"})
		}
		a := &asking{Server: s}
		c := connect(t, a, "")
		got, cursor := sweep(t, c, "")
		time.Sleep(time.Hour)
		_, cursor = sweep(t, c, cursor)
		if len(got) != 255 {
			t.Errorf("got %d events", len(got))
		}
		want := []string{
			"page=1&sort=registeredAt", "page=2&sort=registeredAt", "page=3&sort=registeredAt",
			"page=1&sort=registeredAt&updatedAtFrom=2026-11-19T20%3A00%3A00", "page=2&sort=registeredAt&updatedAtFrom=2026-11-19T20%3A00%3A00", "page=3&sort=registeredAt&updatedAtFrom=2026-11-19T20%3A00%3A00",
		}
		if diff := cmp.Diff(want, a.queries); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if strings.Contains(cursor, "started") {
			t.Errorf("the sweep has not ended: %s", cursor)
		}
	})
}

// A sweep may be cut anywhere: what was read counts, and the next call goes on.
func TestABrokenSweepGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		for i := range 250 {
			s.Change(1000+i, map[string]any{"status": "fail"})
		}
		s.Fail(0, 0, 502)
		c := connect(t, s, "")
		news, cursor, err := c.Poll(t.Context(), "")
		if ats.FaultOf(err) != ats.Busy || len(news) == 0 || !c.More(cursor) {
			t.Fatalf("got %d news, %s, %v", len(news), cursor, err)
		}
		rest, _ := sweep(t, c, cursor)
		if len(news)+len(rest) != 255 {
			t.Errorf("got %d and %d, want 255", len(news), len(rest))
		}
	})
}

// Neither smaller pages nor a list without brackets stop a sweep early.
func TestOtherPages(t *testing.T) {
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		s.Page(2)
		got, _ := sweep(t, connect(t, s, ""), "")
		if len(got) != 5 || s.Calls() != 4 {
			t.Errorf("pages of two: got %d events with %d calls", len(got), s.Calls())
		}
		s.Page(1)
		s.Bare()
		if got, _ = sweep(t, connect(t, s, ""), ""); len(got) != 5 {
			t.Errorf("without brackets: got %d events", len(got))
		}
	})
}

func TestQuota(t *testing.T) {
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		s.Page(2)
		s.Use(4950)
		time.Sleep(10 * time.Minute)
		c := connect(t, s, "")
		news, cursor, err := c.Poll(t.Context(), "")
		if ats.FaultOf(err) != ats.Busy || ats.WaitOf(err) != 50*time.Minute || !c.More(cursor) {
			t.Errorf("got %d news, %s, %v, wait %s", len(news), cursor, err, ats.WaitOf(err))
		}
		time.Sleep(50 * time.Minute)
		if rest, _ := sweep(t, c, cursor); len(news)+len(rest) != 5 {
			t.Errorf("got %d and %d, want 5", len(news), len(rest))
		}
	})
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		s.Use(5000)
		time.Sleep(59 * time.Minute)
		_, _, err := connect(t, s, "").Poll(t.Context(), "")
		if ats.FaultOf(err) != ats.Busy || ats.WaitOf(err) != time.Minute {
			t.Errorf("used up: got %v, wait %s", err, ats.WaitOf(err))
		}
	})
}

func TestPollFails(t *testing.T) {
	answer := func(text string) func(*talentiotest.Server) {
		return func(s *talentiotest.Server) {
			s.Answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
		}
	}
	fail := func(code int) func(*talentiotest.Server) { return func(s *talentiotest.Server) { s.Fail(code) } }
	for name, tt := range map[string]struct {
		change func(*talentiotest.Server)
		cursor string
		fault  ats.Fault
		want   string
	}{
		"a bad token":                   {fail(401), "", ats.Denied, "401 Unauthorized"},
		"a plan without the API":        {fail(403), "", ats.Denied, "403 Forbidden"},
		"Talentio is down":              {fail(503), "", ats.Busy, "503"},
		"an error with 200":             {answer(`{"message":"maintenance"}`), "", ats.Invalid, "without an id"},
		"null":                          {answer(`null`), "", ats.Invalid, "not a list of candidates"},
		"a text":                        {answer(`"maintenance"`), "", ats.Invalid, "not a list of candidates"},
		"a page of HTML":                {answer(`<html>maintenance</html>`), "", ats.Invalid, "not the JSON"},
		"rows without an id":            {answer(`[{"lastName":"高橋"}]`), "", ats.Invalid, "without an id"},
		"an id that is a way":           {answer(`[{"id":1e3}]`), "", ats.Invalid, "without an id"},
		"a cursor of another connector": {nil, "2026-11-20", ats.Invalid, "not one of this connector's"},
		"a cursor with a wrong memory":  {nil, `{"page":1,"seen":"?"}`, ats.Invalid, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *talentiotest.Server) {
				if tt.change != nil {
					tt.change(s)
				}
				news, _, err := connect(t, s, "").Poll(t.Context(), tt.cursor)
				if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) || len(news) > 0 {
					t.Errorf("got %d news, %v (%s), want %s: %s", len(news), err, ats.FaultOf(err), tt.fault, tt.want)
				}
				if strings.Contains(err.Error(), "高橋") || strings.Contains(err.Error(), "maintenance") {
					t.Errorf("the error shows the answer: %v", err)
				}
			})
		})
	}
}

func TestEndlessPages(t *testing.T) {
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		s.Answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Total", "999999999")
			_, _ = w.Write([]byte(`[{"id":1,"status":"fail"}]`))
		}
		c := connect(t, s, "")
		cursor, err := "", error(nil)
		for calls := 0; err == nil && calls < 200; calls++ {
			_, cursor, err = c.Poll(t.Context(), cursor)
		}
		if ats.FaultOf(err) != ats.TooLarge || c.More(cursor) {
			t.Errorf("got %v and the cursor %s, want an end", err, cursor)
		}
	})
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		id     string
		change func(*talentiotest.Server)
		want   ats.State
		fault  ats.Fault
	}{
		"still rejected":            {id: "810001", want: ats.Rejected},
		"rejected without a time":   {id: "810003", want: ats.Rejected},
		"withdrawn":                 {id: "810101", want: ats.Withdrawn},
		"one evaluator says no":     {id: "810103", want: ats.Reopened},
		"taken back":                {id: "810001", change: func(s *talentiotest.Server) { s.Change(810001, map[string]any{"status": "ongoing"}) }, want: ats.Reopened},
		"in the pool":               {id: "810104", want: ""},
		"a status nobody knows":     {id: "810001", change: func(s *talentiotest.Server) { s.Change(810001, map[string]any{"status": "frozen"}) }, fault: ats.Invalid},
		"deleted":                   {id: "810001", change: func(s *talentiotest.Server) { s.Delete(810001) }, fault: ats.NotFound},
		"Talentio is down":          {id: "810001", change: func(s *talentiotest.Server) { s.Fail(500) }, fault: ats.Busy},
		"an id that is a way":       {id: "../users", fault: ats.Invalid},
		"another candidate":         {id: "810001", change: func(s *talentiotest.Server) { s.Answer = says(`{"id":5}`) }, fault: ats.Invalid},
		"several":                   {id: "810001", change: func(s *talentiotest.Server) { s.Answer = says(`[{"id":810001},{"id":5}]`) }, fault: ats.Invalid},
		"an answer that says less":  {id: "810001", change: func(s *talentiotest.Server) { s.Answer = says(`{"id":810001}`) }, fault: ats.Invalid},
		"an answer of another form": {id: "810001", change: func(s *talentiotest.Server) { s.Answer = says(`5`) }, fault: ats.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *talentiotest.Server) {
				if tt.change != nil {
					tt.change(s)
				}
				got, err := connect(t, s, "").State(t.Context(), ats.Event{Application: tt.id, State: ats.Rejected})
				if got != tt.want || ats.FaultOf(err) != tt.fault || err == nil != (tt.fault == "") {
					t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
				}
			})
		})
	}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

func TestNothingTooMuchIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, s *talentiotest.Server) {
		s.Change(7, map[string]any{"status": "fail", "description": "秘密のメモ", "customFields": []any{map[string]any{"name": "年齢", "value": "31"}}})
		news, _, err := connect(t, s, "").Poll(t.Context(), "")
		if err != nil || len(news) != 6 {
			t.Fatalf("got %d news, %v", len(news), err)
		}
		for _, p := range news {
			if strings.Contains(string(p.Body), "秘密") || strings.Contains(string(p.Body), "年齢") {
				t.Errorf("holds too much: %s", p.Body)
			}
		}
	})
}

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct{ settings, want string }{
		"no key":              {"", "api_key: required"},
		"an unknown key":      {"api_key: key\ntag: x", "field tag not found"},
		"a rule that is none": {"api_key: key\nmap: {title: .}", "map.title: no such field"},
	} {
		if _, err := open(http.DefaultTransport, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}
