package herphire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	herphire "github.com/career-relay/connector/connectors/herp-hire"
	"github.com/career-relay/connector/connectors/herp-hire/herptest"
	"github.com/career-relay/connector/connectors/internal/apitest"
	"github.com/career-relay/connector/connectors/spec"
)

// evening is when the samples were read.
var evening = time.Date(2026, 11, 20, 20, 0, 0, 0, time.FixedZone("JST", 9*60*60))

// Ids of the samples.
const (
	first = "7f0a2c14-5d3e-4b62-9a1f-0c6e8d4b1"
	jobGo = "b1d9e0c2-77aa-4c0f-8a35-9f2d1e6c0101"
)

func account(tb testing.TB) *herptest.Server {
	tb.Helper()
	s, err := herptest.New("key", func() time.Time { return evening })
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func open(s *herptest.Server, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("herp-hire")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: func() time.Time { return s.Now() }}
	return herphire.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: herp-hire\napi_url: " + herptest.URL + "\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func connect(tb testing.TB, s *herptest.Server, more string) *herphire.Connector {
	tb.Helper()
	c, err := open(s, "api_key: key\n"+more)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*herphire.Connector)
}

// sweep polls until the sweep ends and decodes what came.
func sweep(t *testing.T, c *herphire.Connector, cursor string) (map[string]ats.Event, string) {
	t.Helper()
	out := map[string]ats.Event{}
	for calls := 0; ; calls++ {
		news, next, err := c.Poll(t.Context(), cursor)
		if err != nil || calls > 1000 {
			t.Fatalf("call %d: %v", calls+1, err)
		}
		for _, p := range news {
			p.Received = evening
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

// TestExpected sweeps twice: the candidacies b01 to b04 were under way at the
// first time, the others were not there.
func TestExpected(t *testing.T) {
	before := account(t)
	for i := range 5 {
		before.Delete(fmt.Sprint(first, "a0", i+1))
	}
	for i := range 4 {
		before.Change(fmt.Sprint(first, "b0", i+1), map[string]any{"status": "active", "terminationReason": nil, "terminatedAt": nil})
	}
	silent, cursor := sweep(t, connect(t, before, ""), "")
	if len(silent) != 0 {
		t.Errorf("got %d events of candidacies under way", len(silent))
	}
	s := account(t)
	s.Page(2)
	s.Drift()
	c := connect(t, s, "consent_tag: リレー紹介同意")
	got, cursor := sweep(t, c, cursor)
	type fact struct {
		State               ats.State
		Side                ats.Side
		Name, Family, Given string
		Email               string
		Title, Stage        string
		At                  string
		Agent               bool
		Consent             ats.Consent
		Source              string
	}
	want := map[string]fact{
		"a01": {ats.Rejected, ats.Company, "髙橋 美咲", "髙橋", "美咲", "misaki.takahashi@example.com", "バックエンドエンジニア（Go）", "finalInterview", "2026-11-19T18:31:07+09:00", false, ats.ConsentYes, "careerPage"},
		"a02": {ats.Rejected, ats.Company, "佐藤　花子", "佐藤", "花子", "hanako.@example.jp", "カスタマーサクセス", "firstInterview", "2026-11-18T11:05:00+09:00", false, "", "media, サンプル転職ナビ, scout"},
		"a03": {ats.Rejected, ats.Company, "山﨑 大輔", "山﨑", "大輔", "desk+cand3@agent.example.com", "バックエンドエンジニア（Go）", "resumeScreening", "2026-11-19T12:00:00+09:00", true, ats.ConsentYes, "agent"},
		"a04": {ats.Rejected, ats.Company, "中村 葵", "中村", "葵", "", "カスタマーサクセス", "entry", "2026-11-20T17:45:00+09:00", false, "", "manual, 採用イベント"},
		"a05": {ats.Rejected, ats.Company, "𠮷田 健", "𠮷田", "健", "ken.yoshida@example.com", "バックエンドエンジニア（Go）", "secondInterview", "2025-04-02T10:00:00+09:00", false, ats.ConsentYes, "careerPage"},
		"b01": {ats.Withdrawn, ats.Applicant, "小林 恵", "小林", "恵", "megumi.kobayashi@example.com", "バックエンドエンジニア（Go）", "offered", "2026-11-15T10:00:00+09:00", false, "", "careerPage"},
		"b02": {ats.Hired, ats.Company, "伊藤 拓也", "伊藤", "拓也", "takuya.ito@example.com", "バックエンドエンジニア（Go）", "offerAccepted", "2026-11-16T10:00:00+09:00", true, "", "jobmiru"},
	}
	facts := map[string]fact{}
	for id, e := range got {
		facts[strings.TrimPrefix(id, first)] = fact{
			e.State, e.Side, e.Candidate.Name, e.Candidate.FamilyName, e.Candidate.GivenName, string(e.Candidate.Email), e.Job.Title, e.Stage,
			e.At.In(evening.Location()).Format(time.RFC3339), e.Agent, e.Consent, e.Source,
		}
	}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again, _ := sweep(t, c, cursor); len(again) != 0 {
		t.Errorf("the next sweep tells %d events once more", len(again))
	}
}

// What must not be kept does not even become a delivery.
func TestNothingTooMuchIsKept(t *testing.T) {
	news, _, err := connect(t, account(t), "").Poll(t.Context(), "")
	if err != nil || len(news) != 7 {
		t.Fatalf("got %d news, %v", len(news), err)
	}
	for _, p := range news {
		for _, word := range []string{"やまびこ", "みなと大学", "7年", "採用 担当", "紹介 太郎", "みほんエージェント", "0000-12", "００００", `"age"`} {
			if strings.Contains(string(p.Body), word) {
				t.Errorf("holds %s: %s", word, p.Body)
			}
		}
	}
}

func TestWhatChanges(t *testing.T) {
	a01, a02 := first+"a01", first+"a02"
	for name, tt := range map[string]struct {
		id      string
		members map[string]any
		state   ats.State // "" for no news
		clock   ats.Clock
	}{
		"it is taken back":               {a01, map[string]any{"status": "active", "terminationReason": nil, "terminatedAt": nil}, ats.Reopened, ats.ReceivedClock},
		"it was a withdrawal":            {a01, map[string]any{"terminationReason": "refusedByCandidate"}, ats.Withdrawn, ats.DecidedClock},
		"it ended anew":                  {a01, map[string]any{"terminatedAt": "2026-11-20T19:00:00+09:00"}, ats.Rejected, ats.DecidedClock},
		"somebody wrote a note":          {a02, map[string]any{"updatedAt": "2026-11-20T19:59:00+09:00", "note": "また応募してほしい"}, "", ""},
		"it was no application":          {a02, map[string]any{"terminationReason": "notEligible"}, "", ""},
		"a new one":                      {"new", map[string]any{"terminationReason": "rejected"}, ats.Rejected, ats.DecidedClock},
		"a new one under way":            {"new", map[string]any{"status": "active", "terminationReason": nil, "terminatedAt": nil}, "", ""},
		"a withdrawn one is rejected":    {first + "b01", map[string]any{"terminationReason": "rejected"}, ats.Rejected, ats.DecidedClock},
		"an ignored one is rejected now": {first + "b03", map[string]any{"terminationReason": "rejected"}, ats.Rejected, ats.DecidedClock},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			c := connect(t, s, "")
			_, cursor := sweep(t, c, "")
			s.Change(tt.id, tt.members)
			got, cursor := sweep(t, c, cursor)
			e, ok := got[tt.id]
			if ok != (tt.state != "") || e.State != tt.state || e.Clock != tt.clock || len(got) > 1 {
				t.Errorf("got %+v, want %s", got, tt.state)
			}
			if again, _ := sweep(t, c, cursor); len(again) != 0 {
				t.Errorf("it was told again")
			}
		})
	}
}

// A correction and its correction are news each time, also for the store.
func TestKeys(t *testing.T) {
	s := account(t)
	c := connect(t, s, "")
	seen, cursor := map[string]bool{}, ""
	for i, reason := range []string{"rejected", "refusedByCandidate", "rejected"} {
		s.Change(first+"a01", map[string]any{"terminationReason": reason, "updatedAt": fmt.Sprint("2026-11-20T19:0", i, ":00+09:00")})
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
	if len(seen) != 9 {
		t.Errorf("got %d keys, want 9", len(seen))
	}
}

// TestBig sweeps 7,000 candidacies: what it costs of the quota, of time and of
// memory.
func TestBig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := herptest.New("key", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		s.Clear()
		for i := range 6999 {
			s.Change(fmt.Sprintf("00000000-0000-4000-8000-%012d", i), map[string]any{"appliedAt": time.Unix(1_700_000_000+int64(i), 0).Format(time.RFC3339)})
		}
		c := connect(t, s, "")
		begun := time.Now()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		before := memory.TotalAlloc
		got, cursor := sweep(t, c, "")
		runtime.ReadMemStats(&memory)
		if len(got) != 7000 || s.Calls() != 71 {
			t.Errorf("got %d events with %d calls, want 7,000 with 70 pages and one of jobs", len(got), s.Calls())
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("took %s of the quota's minutes", took)
		}
		t.Logf("%d calls, %s, %d MiB allocated with decoding, cursor of %d KiB", s.Calls(), time.Since(begun), (memory.TotalAlloc-before)>>20, len(cursor)>>10)
		time.Sleep(time.Minute)
		if again, _ := sweep(t, c, cursor); len(again) != 0 || s.Calls() != 141 {
			t.Errorf("the second sweep: got %d events after %d calls", len(again), s.Calls())
		}
	})
}

// The last calls of the quota are left to others, and a sweep goes on where it
// was.
func TestQuota(t *testing.T) {
	s := account(t)
	s.Page(2)
	for range 79 {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, herptest.URL+"/requisitions", nil)
		if _, err := s.RoundTrip(r); err != nil {
			t.Fatal(err)
		}
	}
	c := connect(t, s, "")
	news, cursor, err := c.Poll(t.Context(), "")
	if ats.FaultOf(err) != ats.Busy || ats.WaitOf(err) != time.Minute || !c.More(cursor) || !strings.Contains(err.Error(), "only 19 calls are left") {
		t.Errorf("got %d news, %s, %v", len(news), cursor, err)
	}
	calls := s.Calls()
	s.Now = func() time.Time { return evening.Add(time.Minute) }
	rest, cursor := sweep(t, c, cursor)
	if len(news)+len(rest) != 7 || c.More(cursor) {
		t.Errorf("got %d and %d, want 7", len(news), len(rest))
	}
	if more := s.Calls() - calls; more != 3 {
		t.Errorf("%d more calls, want the pages that were left", more)
	}
}

func TestPollFails(t *testing.T) {
	answer := func(text string) func(*herptest.Server) {
		return func(s *herptest.Server) {
			s.Answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
		}
	}
	fail := func(codes ...int) func(*herptest.Server) {
		return func(s *herptest.Server) { s.Fail(codes...) }
	}
	for name, tt := range map[string]struct {
		change func(*herptest.Server)
		cursor string
		fault  ats.Fault
		want   string
		wait   time.Duration
	}{
		"a bad key":                     {fail(401), "", ats.Denied, "401 Unauthorized", 0},
		"a key that may not read":       {fail(403), "", ats.Denied, "403 Forbidden", 0},
		"HERP is down":                  {fail(500), "", ats.Busy, "500", 0},
		"too many calls, and no header": {fail(429), "", ats.Busy, "429", 30 * time.Second},
		"the jobs are down":             {fail(0, 503), "", ats.Busy, "/requisitions: 503", 0},
		"an error with 200":             {answer(`{"error":"maintenance"}`), "", ats.Invalid, "not a list of candidacies", 0},
		"null":                          {answer(`null`), "", ats.Invalid, "not a list of candidacies", 0},
		"a page of HTML":                {answer(`<html>maintenance</html>`), "", ats.Invalid, "not the JSON", 0},
		"rows without an id":            {answer(`{"candidacies":[{"name":"高橋 美咲"}]}`), "", ats.Invalid, "without an id", 0},
		"a cursor of another connector": {nil, "2026-11-20", ats.Invalid, "not one of this connector's", 0},
		"a cursor with a wrong memory":  {nil, `{"page":1,"seen":"?"}`, ats.Invalid, "cannot be read", 0},
		"a cursor before the beginning": {nil, `{"page":0}`, ats.Invalid, "not one of this connector's", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			news, _, err := connect(t, s, "").Poll(t.Context(), tt.cursor)
			if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) || ats.WaitOf(err) != tt.wait || len(news) > 0 {
				t.Errorf("got %d news, %v (%s, wait %s), want %s: %s", len(news), err, ats.FaultOf(err), ats.WaitOf(err), tt.fault, tt.want)
			}
			if strings.Contains(err.Error(), "高橋") || strings.Contains(err.Error(), "maintenance") {
				t.Errorf("the error shows the answer: %v", err)
			}
		})
	}
}

// What was read before an error counts.
func TestABrokenSweepGoesOn(t *testing.T) {
	s := account(t)
	s.Page(2)
	s.Fail(0, 0, 502)
	c := connect(t, s, "")
	news, cursor, err := c.Poll(t.Context(), "")
	if ats.FaultOf(err) != ats.Busy || len(news) == 0 || !c.More(cursor) {
		t.Fatalf("got %d news, %s, %v", len(news), cursor, err)
	}
	rest, _ := sweep(t, c, cursor)
	if len(news)+len(rest) != 7 {
		t.Errorf("got %d and %d, want 7", len(news), len(rest))
	}
}

func TestTheQuotaIsUsedUp(t *testing.T) {
	s := account(t)
	c := connect(t, s, "")
	for range 100 {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, herptest.URL+"/requisitions", nil)
		if _, err := s.RoundTrip(r); err != nil {
			t.Fatal(err)
		}
	}
	s.Now = func() time.Time { return evening.Add(19 * time.Second) }
	_, _, err := c.Poll(t.Context(), "")
	if ats.FaultOf(err) != ats.Busy || ats.WaitOf(err) != 41*time.Second {
		t.Errorf("got %v, wait %s, want until HERP's minute ends", err, ats.WaitOf(err))
	}
}

func TestEndlessPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := account(t)
		s.Now = time.Now
		s.Answer = func(w http.ResponseWriter, _ *http.Request) {
			apitest.Write(w, http.StatusOK, map[string]any{"candidacies": []any{}, "hasNextPage": true})
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

func TestJobsThatMayNotBeRead(t *testing.T) {
	s := account(t)
	s.Fail(0, 403)
	got, _ := sweep(t, connect(t, s, ""), "")
	if e := got[first+"a01"]; len(got) != 7 || e.Job.Title != "" || e.Job.ID != jobGo {
		t.Errorf("got %d events, job %+v", len(got), e.Job)
	}
	if s.Calls() != 2 {
		t.Errorf("%d calls, want no more than one for the jobs", s.Calls())
	}
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	a01 := first + "a01"
	change := func(members map[string]any) func(*herptest.Server) {
		return func(s *herptest.Server) { s.Change(a01, members) }
	}
	for name, tt := range map[string]struct {
		id       string
		change   func(*herptest.Server)
		settings string
		want     ats.State
		fault    ats.Fault
	}{
		"still rejected":             {id: a01, want: ats.Rejected},
		"on a later page":            {id: a01, change: func(s *herptest.Server) { s.Page(1) }, want: ats.Rejected},
		"taken back":                 {id: a01, change: change(map[string]any{"status": "active"}), want: ats.Reopened},
		"withdrawn after all":        {id: a01, change: change(map[string]any{"terminationReason": "refusedByCandidate"}), want: ats.Withdrawn},
		"no application":             {id: a01, change: change(map[string]any{"terminationReason": "notEligible"}), want: ""},
		"a reason that is not known": {id: a01, change: change(map[string]any{"terminationReason": "other"}), fault: ats.Invalid},
		"a rule of the company":      {id: a01, settings: "events: [{when: .body.candidacy.step == \"finalInterview\", ignore: true}]", want: ""},
		"deleted":                    {id: a01, change: func(s *herptest.Server) { s.Delete(a01) }, fault: ats.NotFound},
		"HERP is down":               {id: a01, change: func(s *herptest.Server) { s.Fail(500) }, fault: ats.Busy},
		"its list is down":           {id: a01, change: func(s *herptest.Server) { s.Fail(0, 502) }, fault: ats.Busy},
		"an id that is a way":        {id: "../users", fault: ats.Invalid},
		"no id":                      {id: "", fault: ats.Invalid},
		"another candidacy answers": {id: a01, fault: ats.Invalid, change: func(s *herptest.Server) {
			s.Answer = func(w http.ResponseWriter, _ *http.Request) {
				apitest.Write(w, http.StatusOK, map[string]any{"id": "other"})
			}
		}},
		"it is in no list": {id: a01, fault: ats.Busy, change: func(s *herptest.Server) {
			s.Answer = func(w http.ResponseWriter, r *http.Request) {
				out := map[string]any{"candidacies": []any{}}
				if strings.HasSuffix(r.URL.Path, a01) {
					out = map[string]any{"id": a01, "status": "terminated", "requisitionId": jobGo}
				}
				apitest.Write(w, http.StatusOK, out)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := account(t)
			if tt.change != nil {
				tt.change(s)
			}
			got, err := connect(t, s, tt.settings).State(t.Context(), ats.Event{Application: tt.id, State: ats.Rejected, At: evening})
			if got != tt.want || ats.FaultOf(err) != tt.fault || err == nil != (tt.fault == "") {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct{ settings, want string }{
		"no key":              {"", "api_key: required"},
		"an unknown key":      {"api_key: key\nconsent: x", "field consent not found"},
		"a secret":            {"api_key: key\nsecrets: [s]", "secrets: herp-hire signs nothing"},
		"a rule that is none": {"api_key: key\nmap: {title: .}", "map.title: no such field"},
	} {
		if _, err := open(account(t), tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	own := connect(t, account(t), "consent_tag: 'a\"\\(1)'\nmap: {consent: '\"yes\"'}")
	if got, _ := sweep(t, own, ""); got[first+"a02"].Consent != ats.ConsentYes {
		t.Error("the company's own map does not come first")
	}
	odd := connect(t, account(t), "consent_tag: 'a\"\\(1)'")
	if got, _ := sweep(t, odd, ""); got[first+"a01"].Consent != "" {
		t.Error("another tag is a consent")
	}
}

// A context that ends stops a sweep.
func TestPollStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := connect(t, account(t), "").Poll(ctx, ""); err == nil {
		t.Error("got no error")
	}
}

// The cursor holds no person.
func TestCursor(t *testing.T) {
	_, cursor := sweep(t, connect(t, account(t), ""), "")
	var at map[string]any
	if err := json.Unmarshal([]byte(cursor), &at); err != nil || len(at) != 2 || at["page"] != 1.0 || len(fmt.Sprint(at["seen"])) != 8*16 {
		t.Errorf("got %s, %v", cursor, err)
	}
}
