package kintone_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/kintone"
	"github.com/career-relay/connector/connectors/kintone/kintonetest"
	"github.com/career-relay/connector/connectors/spec"
)

// evening is when the samples were read.
var evening = time.Date(2026, 11, 20, 20, 0, 0, 0, time.FixedZone("JST", 9*60*60))

const secret = "0123456789abcdef0123456789abcdef"

// settings are those of the samples.
const settings = `
api_key: key
app: "42"
secrets: [` + secret + `]
consent_value: リレー紹介に同意する
fields:
  outcome: [選考終了理由, 選考ステータス]
  name: 氏名
  kana: ふりがな
  email: メールアドレス
  job_title: 応募職種
  job_id: 求人番号
  ended_at: 選考終了日
  channel: 応募経路
  consent: 紹介同意
`

func open(s http.RoundTripper, settings string) (connectors.Connector, error) {
	file, err := spec.Shipped("kintone")
	if err != nil {
		return nil, err
	}
	env := connectors.Env{HTTP: &http.Client{Transport: s}, Now: time.Now}
	return kintone.Open(file, env, func(v any) error {
		d := yaml.NewDecoder(strings.NewReader("vendor: kintone\n" + settings))
		d.KnownFields(true)
		return d.Decode(v)
	})
}

func connect(tb testing.TB, s http.RoundTripper, more string) *kintone.Connector {
	tb.Helper()
	c, err := open(s, "api_url: "+kintonetest.URL+settings+more)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*kintone.Connector)
}

// inBubble runs a test on a virtual clock that begins at evening.
func inBubble(t *testing.T, test func(t *testing.T, s *kintonetest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(evening))
		s, err := kintonetest.New("key", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
}

// sweep polls until the sweep ends, and reads again what it tells, as the jobs
// do. What is parked has an error in place of an event.
func sweep(t *testing.T, c *kintone.Connector, cursor string) (map[string]ats.Event, map[string]error, string) {
	t.Helper()
	told, parked := map[string]ats.Event{}, map[string]error{}
	for calls := 0; ; calls++ {
		news, next, err := c.Poll(t.Context(), cursor)
		if err != nil || calls > 100 {
			t.Fatalf("call %d: %v", calls+1, err)
		}
		for _, p := range news {
			events, err := c.Decode(p)
			if err != nil || len(events) != 1 {
				t.Fatalf("got %d events, %v", len(events), err)
			}
			switch err := c.Complete(t.Context(), &events[0]); {
			case err == nil:
				told[events[0].Application] = events[0]
			case ats.FaultOf(err) != ats.Duplicate:
				parked[events[0].Application] = err
			}
		}
		if cursor = next; !c.More(next) {
			return told, parked, next
		}
	}
}

// begin lets all records be under way, sweeps for the first time, and puts the
// samples back.
func begin(t *testing.T, s *kintonetest.Server, c *kintone.Connector) string {
	t.Helper()
	for _, id := range []int{101, 102, 105} {
		s.Edit(id, map[string]any{"選考終了理由": "", "選考ステータス": "選考中", "選考終了日": nil})
	}
	told, parked, cursor := sweep(t, c, "")
	if len(told)+len(parked) != 0 {
		t.Errorf("the first sweep tells %v, %v", told, parked)
	}
	time.Sleep(time.Hour)
	s.Edit(101, map[string]any{"選考終了理由": "不採用", "選考ステータス": "選考終了", "選考終了日": "2026-11-19"})
	s.Edit(102, map[string]any{"選考終了理由": "", "選考ステータス": "お見送り", "選考終了日": nil})
	s.Edit(105, map[string]any{"選考終了理由": "不採用", "選考ステータス": "不採用", "選考終了日": "2026-11-20"})
	return cursor
}

func TestExpected(t *testing.T) {
	inBubble(t, func(t *testing.T, s *kintonetest.Server) {
		c := connect(t, s, "")
		got, parked, cursor := sweep(t, c, begin(t, s, c))
		if len(parked) != 0 {
			t.Errorf("parked: %v", parked)
		}
		type fact struct {
			State                     ats.State
			Side                      ats.Side
			Evidence                  string
			Name, Family, Given, Kana string
			Email                     string
			Job                       ats.Job
			At                        string
			Clock                     ats.Clock
			Source                    string
			Consent                   ats.Consent
		}
		want := map[string]fact{
			"42:101": {ats.Rejected, ats.Company, "選考終了理由 says 不採用", "髙橋 美咲", "髙橋", "美咲", "たかはし みさき", "misaki.takahashi@example.com", ats.Job{ID: "12", Title: "バックエンドエンジニア（Go）"}, "2026-11-19T23:59:59+09:00", ats.DecidedClock, "自社サイト", ats.ConsentYes},
			"42:102": {ats.Rejected, ats.Company, "選考ステータス says お見送り", "佐藤　花子", "佐藤", "花子", "さとう はなこ", "hanako.@example.jp", ats.Job{ID: "12", Title: "カスタマーサクセス"}, "2026-11-20T21:00:00+09:00", ats.SentClock, "求人媒体", ""},
			"42:105": {ats.Rejected, ats.Company, "選考終了理由 says 不採用", "𠮷田 健", "𠮷田", "健", "よしだ けん", "ken.yoshida@example.com", ats.Job{ID: "12", Title: "バックエンドエンジニア（Go）"}, "2026-11-20T21:00:00+09:00", ats.DecidedClock, "自社サイト", ats.ConsentYes},
		}
		facts := map[string]fact{}
		for id, e := range got {
			facts[id] = fact{
				e.State, e.Side, e.Evidence, e.Candidate.Name, e.Candidate.FamilyName, e.Candidate.GivenName, e.Candidate.Kana, string(e.Candidate.Email), e.Job,
				e.At.In(evening.Location()).Format(time.RFC3339), e.Clock, e.Source, e.Consent,
			}
		}
		if diff := cmp.Diff(want, facts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		time.Sleep(time.Hour)
		if again, _, _ := sweep(t, c, cursor); len(again) != 0 {
			t.Errorf("the next sweep tells %d events once more", len(again))
		}
		if diff := cmp.Diff([]string{
			`$id > 0 order by $id asc limit 500`,
			`更新日時 >= "2026-11-19T11:00:00Z" and $id > 0 order by $id asc limit 500`,
			`更新日時 >= "2026-11-19T12:00:00Z" and $id > 0 order by $id asc limit 500`,
		}, s.Queries()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// An edit of somebody who was rejected years ago is no news: neither the sweep
// nor a webhook tells it.
func TestOldRejectionsStaySilent(t *testing.T) {
	inBubble(t, func(t *testing.T, s *kintonetest.Server) {
		c := connect(t, s, "")
		_, _, cursor := sweep(t, c, "")
		time.Sleep(time.Hour)
		s.Edit(102, map[string]any{"電話番号": "090-0000-0000"})
		if told, parked, _ := sweep(t, c, cursor); len(told)+len(parked) != 0 {
			t.Errorf("got %v, %v", told, parked)
		}
	})
}

func TestWhatChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		fields   map[string]any
		settings string
		state    ats.State // "" for no news
		parked   string
	}{
		"it is taken back":                     {fields: map[string]any{"選考終了理由": "", "選考ステータス": "選考中"}, state: ats.Reopened},
		"it was a withdrawal":                  {fields: map[string]any{"選考終了理由": "選考辞退"}, state: ats.Withdrawn},
		"hired":                                {fields: map[string]any{"選考終了理由": "内定承諾", "選考ステータス": "入社"}, state: ats.Hired},
		"the job is gone":                      {fields: map[string]any{"選考終了理由": "求人クローズ"}, state: ats.Closed},
		"a test, as it turns out":              {fields: map[string]any{"選考終了理由": "テスト"}, state: ""},
		"a word that nobody knows":             {fields: map[string]any{"選考終了理由": "ペガサス", "選考ステータス": "選考終了"}, parked: "is not a word we know"},
		"both sides":                           {fields: map[string]any{"選考終了理由": "辞退・不採用"}, parked: "can mean the company or the candidate"},
		"one field against the other":          {fields: map[string]any{"選考終了理由": "不採用", "選考ステータス": "選考辞退"}, parked: "can mean the company or the candidate"},
		"the company's own word":               {settings: "outcomes: {ペガサス: withdrawn}", fields: map[string]any{"選考終了理由": "ペガサス", "選考ステータス": "終了"}, state: ats.Withdrawn},
		"its own word for what is not counted": {settings: "outcomes: {ペガサス: ignored}", fields: map[string]any{"選考終了理由": "ペガサス"}, state: ""},
		"another word for the same":            {fields: map[string]any{"選考終了理由": "お見送り"}, state: ats.Rejected},
		"a telephone number":                   {fields: map[string]any{"電話番号": "1"}, state: ""},
		"a rule of its own":                    {settings: "events: [{when: .record.channel == \"自社サイト\", state: closed, side: company}]", fields: map[string]any{"選考終了理由": "不採用（再）"}, state: ats.Closed},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *kintonetest.Server) {
				c := connect(t, s, tt.settings)
				_, _, cursor := sweep(t, c, "")
				time.Sleep(time.Hour)
				s.Edit(101, tt.fields)
				told, parked, cursor := sweep(t, c, cursor)
				if e := told["42:101"]; e.State != tt.state || len(told) != min(len(tt.state), 1) {
					t.Errorf("got %+v, want %q", told, tt.state)
				} else if e.State == ats.Reopened && (e.Candidate != ats.Candidate{} || e.Job != ats.Job{}) {
					t.Errorf("a selection that goes on says who: %+v", e)
				}
				if err := parked["42:101"]; (err == nil) != (tt.parked == "") || err != nil && (ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.parked)) {
					t.Errorf("parked: %v, want %q", err, tt.parked)
				}
				time.Sleep(time.Hour)
				if told, parked, _ := sweep(t, c, cursor); len(told)+len(parked) != 0 {
					t.Errorf("it was told again: %v, %v", told, parked)
				}
			})
		})
	}
}

// A parked label comes again when the company has said what it means.
func TestAWordThatIsTaughtLater(t *testing.T) {
	inBubble(t, func(t *testing.T, s *kintonetest.Server) {
		s.Edit(101, map[string]any{"選考終了理由": "ペガサス", "選考ステータス": "終了"})
		c := connect(t, s, "")
		e := hint("42:101", ats.Rejected)
		if err := c.Complete(t.Context(), &e); ats.FaultOf(err) != ats.Invalid {
			t.Errorf("got %v", err)
		}
		if err := connect(t, s, "outcomes: {ペガサス: rejected}").Complete(t.Context(), &e); err != nil || e.State != ats.Rejected || e.Side != ats.Company || e.Evidence != "選考終了理由 says ペガサス" {
			t.Errorf("got %+v, %v", e, err)
		}
	})
}

func TestManyRecords(t *testing.T) {
	inBubble(t, func(t *testing.T, s *kintonetest.Server) {
		c := connect(t, s, "")
		_, _, cursor := sweep(t, c, "")
		time.Sleep(time.Hour)
		for i := range 5100 { // an import; some are changed while the pages are read
			s.Edit(1000+i, map[string]any{"選考終了理由": "不採用"})
		}
		calls := s.Calls()
		seen := map[string]bool{}
		for more := true; more; more = c.More(cursor) {
			news, next, err := c.Poll(t.Context(), cursor)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range news {
				seen[c.Key(p)] = true
			}
			cursor = next
			s.Edit(5000, map[string]any{"電話番号": "1"})
			s.Delete(1000)
		}
		if len(seen) != 5100 || s.Calls()-calls != 11 {
			t.Errorf("got %d with %d calls, want 5,100 with 11", len(seen), s.Calls()-calls)
		}
	})
}

func hint(id string, state ats.State) ats.Event {
	return ats.Event{Application: id, State: state, Side: ats.Unknown, At: evening, Clock: ats.ReceivedClock, Status: "SWEEP"}
}

func TestComplete(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*kintonetest.Server)
		event  ats.Event
		fault  ats.Fault
		want   string
		state  ats.State
	}{
		"a deletion":                       {change: func(s *kintonetest.Server) { s.Delete(104) }, event: hint("42:104", ats.Erased), state: ats.Erased},
		"a deletion that did not happen":   {event: hint("42:101", ats.Erased), fault: ats.Invalid, want: "kintone still has the record"},
		"a record that is not there":       {event: hint("42:999", ats.Rejected), fault: ats.NotFound, want: "or the delivery was forged"},
		"a record of another app":          {event: hint("43:101", ats.Rejected), fault: ats.Invalid, want: "not that of a record of this app"},
		"an id that is a way":              {event: hint("42:../x", ats.Rejected), fault: ats.Invalid, want: "not that of a record of this app"},
		"no id":                            {event: hint("", ats.Rejected), fault: ats.Invalid, want: "not that of a record of this app"},
		"kintone is down":                  {change: func(s *kintonetest.Server) { s.Fail(503) }, event: hint("42:101", ats.Rejected), fault: ats.Busy, want: "503"},
		"too many at once":                 {change: func(s *kintonetest.Server) { s.Fail(429) }, event: hint("42:101", ats.Rejected), fault: ats.Busy, want: "429"},
		"the token was withdrawn":          {change: func(s *kintonetest.Server) { s.Fail(403) }, event: hint("42:101", ats.Rejected), fault: ats.Denied, want: "403"},
		"another record comes back":        {change: answers(`{"record":{"$id":{"value":"5"}}}`), event: hint("42:101", ats.Rejected), fault: ats.Invalid, want: "not the record that was asked for"},
		"nothing comes back":               {change: answers(`{}`), event: hint("42:101", ats.Rejected), fault: ats.Invalid, want: "not the record that was asked for"},
		"a page of HTML":                   {change: answers(`<html>`), event: hint("42:101", ats.Rejected), fault: ats.Invalid, want: "not the JSON"},
		"what a forged delivery says":      {event: ats.Event{Application: "42:101", State: ats.Hired, At: evening, Candidate: ats.Candidate{Name: "forged", Email: "forged@example.jp"}}, state: ats.Rejected},
		"a record whose fields are absent": {change: answers(`{"record":{"$id":{"value":"101"}}}`), event: hint("42:101", ats.Rejected), state: ats.Reopened},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *kintonetest.Server) {
				if tt.change != nil {
					tt.change(s)
				}
				e := tt.event
				err := connect(t, s, "").Complete(t.Context(), &e)
				if ats.FaultOf(err) != tt.fault || err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && e.State != tt.state {
					t.Errorf("got %s, %v, want %s, %s: %s", e.State, err, tt.state, tt.fault, tt.want)
				}
				if err == nil && strings.Contains(string(e.Candidate.Email), "forged") {
					t.Error("what the delivery said survived")
				}
			})
		})
	}
}

func answers(text string) func(*kintonetest.Server) {
	return func(s *kintonetest.Server) {
		s.Answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
}

// TestState is what is asked at the second of sending.
func TestState(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*kintonetest.Server)
		want   ats.State
		fault  ats.Fault
	}{
		"still rejected":   {want: ats.Rejected},
		"taken back":       {change: edit(map[string]any{"選考終了理由": "", "選考ステータス": "選考中"}), want: ats.Reopened},
		"withdrawn":        {change: edit(map[string]any{"選考終了理由": "辞退"}), want: ats.Withdrawn},
		"a test":           {change: edit(map[string]any{"選考終了理由": "テスト"}), want: ""},
		"an unknown word":  {change: edit(map[string]any{"選考終了理由": "ペガサス", "選考ステータス": "終了"}), fault: ats.Invalid},
		"deleted":          {change: func(s *kintonetest.Server) { s.Delete(101) }, fault: ats.NotFound},
		"kintone is down":  {change: func(s *kintonetest.Server) { s.Fail(500) }, fault: ats.Busy},
		"the token is bad": {change: func(s *kintonetest.Server) { s.Fail(401) }, fault: ats.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *kintonetest.Server) {
				if tt.change != nil {
					tt.change(s)
				}
				got, err := connect(t, s, "").State(t.Context(), ats.Event{Application: "42:101", State: ats.Rejected, At: evening})
				if got != tt.want || ats.FaultOf(err) != tt.fault || err == nil != (tt.fault == "") {
					t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.fault)
				}
			})
		})
	}
}

func edit(fields map[string]any) func(*kintonetest.Server) {
	return func(s *kintonetest.Server) { s.Edit(101, fields) }
}

func TestPollFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*kintonetest.Server)
		cursor string
		fault  ats.Fault
		want   string
	}{
		"a bad token":                   {func(s *kintonetest.Server) { s.Fail(401) }, "", ats.Denied, "401"},
		"kintone is down":               {func(s *kintonetest.Server) { s.Fail(500) }, "", ats.Busy, "500"},
		"an error with 200":             {answers(`{"code":"CB_NO02","message":"権限がありません。"}`), "", ats.Invalid, "not a list of records"},
		"records in no order":           {answers(`{"records":[{"$id":{"value":"2"}},{"$id":{"value":"1"}}]}`), "", ats.Invalid, "not in the order"},
		"records without a number":      {answers(`{"records":[{"氏名":{"value":"髙橋 美咲"}}]}`), "", ats.Invalid, "not in the order"},
		"a cursor of another connector": {nil, "2026-11-20", ats.Invalid, "not one of this connector's"},
		"a cursor with a wrong memory":  {nil, `{"since":"2026-11-20T00:00:00Z","seen":"?"}`, ats.Invalid, "cannot be read"},
		"a cursor that is a query":      {nil, `{"since":"2026-11-20T00:00:00Z","last":"0 or 1","seen":""}`, ats.Invalid, "not one of this connector's"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *kintonetest.Server) {
				if tt.change != nil {
					tt.change(s)
				}
				news, _, err := connect(t, s, "").Poll(t.Context(), tt.cursor)
				if ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) || len(news) > 0 || strings.Contains(err.Error(), "髙橋") {
					t.Errorf("got %d news, %v (%s), want %s: %s", len(news), err, ats.FaultOf(err), tt.fault, tt.want)
				}
			})
		})
	}
}

func sample(t *testing.T, name string) connectors.Payload {
	t.Helper()
	folder, err := fs.Sub(connectors.Files, "kintone")
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Sample(folder, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A webhook brings neither facts nor a person in: it makes the sweep due.
func TestWebhooks(t *testing.T) {
	c := connect(t, http.DefaultTransport, "")
	for name, tt := range map[string]struct {
		rings bool
		event string // application and state; "" for none
	}{
		"update-status": {true, ""}, "update-record": {true, ""}, "add-record": {true, ""}, "comment": {false, ""}, "erased": {false, "42:104 erased"},
	} {
		p := sample(t, name)
		signed, err := c.Sign(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(signed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		kept := c.Redact(signed)
		for _, word := range []string{"美咲", "花子", "葵", "example", "採用 担当", "saiyo", "選考"} {
			if strings.Contains(string(kept.Body), word) {
				t.Errorf("%s: %s is kept: %s", name, word, kept.Body)
			}
		}
		if kept.Query.Has("key") || !signed.Query.Has("key") {
			t.Errorf("%s: the secret is kept", name)
		}
		for what, p := range map[string]connectors.Payload{"as it came": signed, "as it is kept": kept} {
			events, err := c.Decode(p)
			got := ""
			for _, e := range events {
				got = fmt.Sprint(e.Application, " ", e.State)
			}
			if got != tt.event || err != nil || c.Rings(p) != tt.rings {
				t.Errorf("%s %s: got %q, %v, rings %t", name, what, got, err, c.Rings(p))
			}
		}
	}
	if kept := c.Redact(connectors.Payload{Body: []byte("{"), Query: url.Values{"history": {"true"}, "key": {secret}}}); string(kept.Body) != "{" || !kept.History() || kept.Query.Has("key") {
		t.Errorf("got %+v", kept)
	}
}

func TestForgedWebhooks(t *testing.T) {
	c := connect(t, http.DefaultTransport, "")
	p := sample(t, "update-status")
	if err := c.Verify(p); ats.FaultOf(err) != ats.Denied {
		t.Errorf("without the secret: got %v", err)
	}
	for name, tt := range map[string]struct{ from, to, want string }{
		"another app":    {`"id":"42"`, `"id":"43"`, "another app"},
		"another host":   {"minatosoft-sample", "somebody-else", "another host"},
		"no app":         {`"id":"42"`, `"id":""`, "another app"},
		"no address":     {`"url":"https://minatosoft-sample.cybozu.com/k/42/"`, `"url":"://"`, "another host"},
		"an id of words": {`"recordId":"104"`, `"recordId":"104/../1"`, "not that of a record"},
	} {
		p := sample(t, "erased")
		text := strings.Replace(string(p.Body), tt.from, tt.to, 1)
		if text == string(p.Body) {
			t.Fatalf("%s: nothing was changed in %s", name, text)
		}
		p.Body = []byte(text)
		if _, err := c.Decode(p); ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// A stranger cannot take the name of what a sweep will tell.
func TestKeysOfSweeps(t *testing.T) {
	keys := func(key string) string {
		var out string
		inBubble(t, func(t *testing.T, s *kintonetest.Server) {
			c := connect(t, s, "")
			cursor := begin(t, s, c)
			news, _, err := c.Poll(t.Context(), cursor)
			if err != nil || len(news) != 3 {
				t.Fatalf("got %d news, %v", len(news), err)
			}
			out = c.Key(news[0])
		})
		return out + key
	}
	if a, b := keys(""), keys(""); a != b || !strings.HasPrefix(a, "sweep-") || len(a) != 38 {
		t.Errorf("got %q and %q, want the same name for the same news", a, b)
	}
}

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct{ settings, want string }{
		"nothing":              {"secrets: [" + secret + "]", "api_url: required; write https://<subdomain>.cybozu.com\napi_key: required; kintone signs nothing, so every record is read again\napp: required; write the number of the app\nfields.outcome: required"},
		"no secret":            {"api_url: " + kintonetest.URL + strings.Replace(settings, "secrets: ["+secret+"]", "", 1), "secrets: required"},
		"a short secret":       {"api_url: " + kintonetest.URL + strings.Replace(settings, secret, "short", 1), "secrets[0]: has 5 characters, want 32 random ones"},
		"an app that is none":  {"api_url: " + kintonetest.URL + strings.Replace(settings, `"42"`, "採用", 1), "app: required"},
		"an unknown field":     {"api_url: " + kintonetest.URL + settings + "  phone: 電話番号", "field phone not found"},
		"a word that is none":  {"api_url: " + kintonetest.URL + settings + "outcomes: {終了: rejectd}", `outcomes.終了: "rejectd" is not one of`},
		"an address like http": {"api_url: http://acme.cybozu.com" + settings, "api_url: must begin with https://"},
	} {
		if _, err := open(http.DefaultTransport, tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}
