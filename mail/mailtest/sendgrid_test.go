package mailtest_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/mail/mailtest"
)

// body returns a request that the vendor would take.
func body() map[string]any {
	return map[string]any{
		"personalizations": []any{map[string]any{"to": []any{map[string]any{"email": "misaki.sato@example.jp", "name": "佐藤 美咲"}}}},
		"from":             map[string]any{"email": "saiyo@acme.example.jp"},
		"subject":          "結果",
		"content":          []any{map[string]any{"type": "text/plain", "value": "x"}, map[string]any{"type": "text/html", "value": "<p>x</p>"}},
		"custom_args":      map[string]any{"cr_send": "S1"},
	}
}

func to(parties ...any) []any { return []any{map[string]any{"to": parties}} }

func TestRules(t *testing.T) {
	party := func(email, name string) any { return map[string]any{"email": email, "name": name} }
	tests := map[string]struct {
		change func(body map[string]any, h http.Header)
		status int
		says   string
	}{
		"good":                   {func(map[string]any, http.Header) {}, 202, ""},
		"another key":            {func(_ map[string]any, h http.Header) { h.Set("Authorization", "Bearer x") }, 401, "authorization"},
		"no key":                 {func(_ map[string]any, h http.Header) { h.Del("Authorization") }, 401, "authorization"},
		"another media type":     {func(_ map[string]any, h http.Header) { h.Set("Content-Type", "text/plain") }, 415, "Content-Type"},
		"an unknown key":         {func(b map[string]any, _ http.Header) { b["hello"] = 1 }, 400, "hello"},
		"a number as custom arg": {func(b map[string]any, _ http.Header) { b["custom_args"] = map[string]any{"a": 1} }, 400, "custom_args"},
		"too many custom args": {func(b map[string]any, _ http.Header) {
			b["custom_args"] = map[string]any{"a": strings.Repeat("x", 10_000)}
		}, 400, "custom_args"},
		"an unverified sender": {func(b map[string]any, _ http.Header) { b["from"] = party("other@acme.example.jp", "") }, 403, "verified"},
		"no sender":            {func(b map[string]any, _ http.Header) { delete(b, "from") }, 400, "from.email"},
		"no recipient":         {func(b map[string]any, _ http.Header) { b["personalizations"] = to() }, 400, "personalizations.0.to"},
		"no personalization":   {func(b map[string]any, _ http.Header) { b["personalizations"] = []any{} }, 400, "personalizations"},
		"one recipient twice": {func(b map[string]any, _ http.Header) {
			b["personalizations"] = to(party("a@example.jp", ""), party("A@example.jp", ""))
		}, 400, "unique"},
		"a bare carrier address":   {func(b map[string]any, _ http.Header) { b["personalizations"] = to(party("a..b@docomo.ne.jp", "")) }, 400, "valid address"},
		"a quoted carrier address": {func(b map[string]any, _ http.Header) { b["personalizations"] = to(party(`"a..b"@docomo.ne.jp`, "")) }, 202, ""},
		"an address in brackets":   {func(b map[string]any, _ http.Header) { b["personalizations"] = to(party("<a@example.jp>", "")) }, 400, "valid address"},
		"a name with a comma": {func(b map[string]any, _ http.Header) {
			b["personalizations"] = to(party("a@example.jp", "Smith, John"))
		}, 400, "name"},
		"no subject":             {func(b map[string]any, _ http.Header) { delete(b, "subject") }, 400, "subject"},
		"a subject of two lines": {func(b map[string]any, _ http.Header) { b["subject"] = "a\nb" }, 400, "subject"},
		"no content":             {func(b map[string]any, _ http.Header) { delete(b, "content") }, 400, "content"},
		"empty content": {func(b map[string]any, _ http.Header) {
			b["content"] = []any{map[string]any{"type": "text/plain", "value": ""}}
		}, 400, "content.0.value"},
		"HTML before text":      {func(b map[string]any, _ http.Header) { c := b["content"].([]any); b["content"] = []any{c[1], c[0]} }, 400, "content.1.type"},
		"a reserved header":     {func(b map[string]any, _ http.Header) { b["headers"] = map[string]any{"Reply-To": "x"} }, 400, "headers.Reply-To"},
		"a header of two lines": {func(b map[string]any, _ http.Header) { b["headers"] = map[string]any{"X-Note": "a\r\nb"} }, 400, "headers.X-Note"},
		"a category twice":      {func(b map[string]any, _ http.Header) { b["categories"] = []any{"a", "a"} }, 400, "categories"},
		"eleven categories":     {func(b map[string]any, _ http.Header) { b["categories"] = strings.Split("abcdefghijk", "") }, 400, "categories"},
		"a place for replies":   {func(b map[string]any, _ http.Header) { b["reply_to"] = party("x", "") }, 400, "reply_to"},
		"a sandbox answers 200": {func(b map[string]any, _ http.Header) {
			b["mail_settings"] = map[string]any{"sandbox_mode": map[string]any{"enable": true}}
		}, 200, ""},
		"a sandbox is no less right": {func(b map[string]any, _ http.Header) {
			delete(b, "from")
			b["mail_settings"] = map[string]any{"sandbox_mode": map[string]any{"enable": true}}
		}, 400, "from"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fake := mailtest.Start(t)
			fake.Senders = []string{"saiyo@acme.example.jp"}
			b, h := body(), http.Header{}
			h.Set("Authorization", "Bearer "+string(mailtest.Key))
			h.Set("Content-Type", "application/json")
			tt.change(b, h)
			status, answer, id := post(t, fake.URL+"/v3/mail/send", h, b)
			if status != tt.status || !strings.Contains(answer, tt.says) {
				t.Errorf("got %d %s, want %d and %q", status, answer, tt.status, tt.says)
			}
			want := 0
			if tt.status == 202 {
				want = 1
			}
			if fake.Count() != want || (id != "") != (want == 1) || fake.Requests() != 1 {
				t.Errorf("%d mails of %d requests, id %q", fake.Count(), fake.Requests(), id)
			}
		})
	}
}

func post(t *testing.T, url string, h http.Header, body any) (status int, answer, id string) {
	t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = h
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header.Get("X-Message-Id")
}

func TestOtherPathsAndMethods(t *testing.T) {
	fake := mailtest.Start(t)
	for _, tt := range []struct {
		method, path string
		want         int
	}{{http.MethodPost, "/v3/mail", 404}, {http.MethodGet, "/v3/mail/send", 405}} {
		w := httptest.NewRecorder()
		fake.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, http.NoBody))
		if w.Code != tt.want {
			t.Errorf("%s %s: got %d, want %d", tt.method, tt.path, w.Code, tt.want)
		}
	}
}

func TestScript(t *testing.T) {
	fake := mailtest.Start(t)
	fake.Next(2, mailtest.Answer{Status: 503, Header: map[string]string{"Retry-After": "3"}, Body: "later"})
	fake.Next(1, mailtest.Answer{Status: 500, Accept: true})
	h := http.Header{"Authorization": {"Bearer " + string(mailtest.Key)}, "Content-Type": {"application/json"}}
	for i, want := range []int{503, 503, 500, 202} {
		if status, _, _ := post(t, fake.URL+"/v3/mail/send", h, body()); status != want {
			t.Errorf("request %d: got %d, want %d", i, status, want)
		}
	}
	if fake.Count() != 2 || fake.Requests() != 4 {
		t.Errorf("%d mails of %d requests, want 2 of 4", fake.Count(), fake.Requests())
	}
	fake.Reset()
	if fake.Count() != 0 || fake.Requests() != 0 {
		t.Error("it remembers")
	}
}

func TestLeanRemembersWho(t *testing.T) {
	fake := mailtest.Start(t)
	fake.Lean = true
	h := http.Header{"Authorization": {"Bearer " + string(mailtest.Key)}, "Content-Type": {"application/json"}}
	post(t, fake.URL+"/v3/mail/send", h, body())
	m := fake.Mails()[0]
	if m.To != "misaki.sato@example.jp" || m.SendID != "S1" || m.Subject != "結果" || m.Text != "" || m.Body != nil {
		t.Errorf("got %+v", m)
	}
}

func TestEvents(t *testing.T) {
	m := mailtest.Mail{MessageID: "abc", SendID: "S1", To: "misaki.sato@example.jp", Args: map[string]string{"cr_send": "S1", "email": "loses"}}
	at := time.Date(2026, 11, 24, 1, 7, 0, 0, time.UTC)
	one, two := m.Event("delivered", at), m.Event("delivered", at)
	if one["sg_event_id"] == two["sg_event_id"] || one["email"] != m.To || one["cr_send"] != "S1" || one["timestamp"] != at.Unix() {
		t.Errorf("got %v", one)
	}
	changed := one.With("event", "bounce")
	if one["event"] != "delivered" || changed["event"] != "bounce" || !maps.Equal(map[string]any{"a": changed["sg_event_id"]}, map[string]any{"a": one["sg_event_id"]}) {
		t.Errorf("got %v, then %v", one, changed)
	}
}
