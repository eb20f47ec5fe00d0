package main

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// packed compresses a body as a vendor would.
func packed(t *testing.T, body string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// row is a rejection by the generic webhook with some fields of the test's own.
func row(id, fields string) string {
	return `{"application_id":` + id + `,"outcome":"不採用","ended_at":"2026-10-02",` + fields + `}`
}

// Whatever is behind a good signature: it is answered at once, kept as it came
// and found again with a reason, and no mail leaves that should not.
func TestInputThatIsWrong(t *testing.T) {
	const who = `"name":"伊藤 湊","email":"minato@example.jp"`
	type result struct {
		Reason   string // of a parked delivery
		Decision string // about the application
		Greeting string // of the mail that left
	}
	tests := map[string]struct {
		header http.Header
		body   string
		want   result
	}{
		"nothing":                        {nil, "", result{Reason: "the body is empty"}},
		"no JSON":                        {nil, "name=伊藤 湊", result{Reason: "the body is not JSON, at byte 0"}},
		"a list at the top":              {nil, "[" + row(`"W-23"`, who) + "," + row(`"W-24"`, who) + "]", result{Reason: "the body is a list at its top, not one object: send each object {…} in a request of its own"}},
		"a list of one":                  {nil, "[" + row(`"W-25"`, who) + "]", result{Reason: "the body is a list at its top"}},
		"an empty list":                  {nil, "[]", result{Reason: "the body is a list at its top"}},
		"a text at the top":              {nil, `"{\"outcome\":\"不採用\"}"`, result{Reason: "the body is a text in quotes at its top, not one object: it may have been turned into JSON twice"}},
		"a number at the top":            {nil, "17", result{Reason: "the body is a number at its top, not one object: send the fields in one object {…}"}},
		"true at the top":                {nil, "true", result{Reason: "the body is true or false at its top"}},
		"null at the top":                {nil, " null\n", result{Reason: "the body is null at its top"}},
		"an object without members":      {nil, "{}", result{Reason: "neither event nor outcome says what happened"}},
		"two objects":                    {nil, row(`"W-26"`, who) + "\n" + row(`"W-27"`, who), result{Reason: "something follows the JSON value at byte 121: send one in each request"}},
		"blanks":                         {nil, " \r\n", result{Reason: "the body is empty: the sender put nothing into it"}},
		"XML":                            {http.Header{"Content-Type": {"application/xml"}}, "<a>1</a>", result{Reason: "neither event nor outcome says what happened"}},
		"a form that calls itself JSON":  {nil, "outcome=x&name=y", result{Reason: "the body is not JSON, at byte 0: look at what the sender writes and at its Content-Type"}},
		"another content type":           {http.Header{"Content-Type": {"text/html"}}, row(`"W-1"`, who), result{Reason: "content type text/html is not one this connector reads; want application/json"}},
		"cut":                            {nil, row(`"W-2"`, who)[:60], result{Reason: "the JSON ends too early, at byte 57"}},
		"in gzip":                        {http.Header{"Content-Encoding": {"gzip"}}, packed(t, row(`"W-3"`, who)), result{Decision: "scheduled", Greeting: "伊藤 湊 様"}},
		"a gzip bomb":                    {http.Header{"Content-Encoding": {"gzip"}}, packed(t, strings.Repeat(" ", connectors.MaxContent+1)), result{Reason: "the body unpacks to more than 8 MiB"}},
		"nested too deep":                {nil, row(`"W-4"`, who+`,"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)), result{Reason: "the JSON is nested deeper than 64"}},
		"a key twice":                    {nil, row(`"W-5"`, who+`,"name":"別人"`), result{Reason: "a key stands twice in one object, before byte 124: it is not clear which counts"}},
		"bytes that are not UTF-8":       {nil, row(`"W-6"`, "\"name\":\"\x82\xa0\",\"email\":\"minato@example.jp\""), result{Reason: "the body is not UTF-8"}},
		"a lone surrogate in the name":   {nil, row(`"W-7"`, `"name":"\ud842田 湊","email":"minato@example.jp"`), result{Decision: "no_name"}},
		"an id beyond 2^53":              {nil, row("9007199254740993", who), result{Decision: "scheduled", Greeting: "伊藤 湊 様"}},
		"its neighbour":                  {nil, row("9007199254740992", who), result{Decision: "scheduled", Greeting: "伊藤 湊 様"}},
		"an id that is a text":           {nil, row(`"`+strings.Repeat("9", 5000)+`"`, who), result{Reason: "an id is longer than 200 bytes"}},
		"no address":                     {nil, row(`"W-8"`, `"name":"伊藤 湊"`), result{Decision: "no_address"}},
		"two addresses":                  {nil, row(`"W-9"`, `"name":"伊藤 湊","email":"minato@example.jp, nana@example.jp"`), result{Decision: "several_addresses"}},
		"an address with a line break":   {nil, row(`"W-10"`, `"name":"伊藤 湊","email":"minato@example.jp\r\nBcc: nana@example.jp"`), result{Decision: "several_addresses"}},
		"no name":                        {nil, row(`"W-11"`, `"email":"minato@example.jp"`), result{Decision: "no_name"}},
		"a name with a line break":       {nil, row(`"W-12"`, `"name":"伊藤\r\nBcc: nana@example.jp 湊","email":"minato@example.jp"`), result{Decision: "no_name"}},
		"a name with a zero byte":        {nil, row(`"W-13"`, `"name":"伊藤\u0000 湊","email":"minato@example.jp"`), result{Decision: "no_name"}},
		"a name with markup":             {nil, row(`"W-14"`, `"name":"<script>湊</script>","email":"minato@example.jp"`), result{Decision: "no_name"}},
		"a name without end":             {nil, row(`"W-15"`, `"name":"`+strings.Repeat("湊", 3000)+`","email":"minato@example.jp"`), result{Decision: "no_name"}},
		"a name with its title":          {nil, row(`"W-16"`, `"name":"伊藤 湊 様","email":"minato@example.jp"`), result{Decision: "scheduled", Greeting: "伊藤 湊 様"}},
		"a name with rare characters":    {nil, row(`"W-17"`, `"name":"𠮷田 髙﨑","email":"minato@example.jp"`), result{Decision: "scheduled", Greeting: "𠮷田 髙﨑 様"}},
		"a name with a variant selector": {nil, row(`"W-18"`, `"name":"葛󠄀城 湊","email":"minato@example.jp"`), result{Decision: "scheduled", Greeting: "葛󠄀城 湊 様"}},
		"an event nobody knows":          {nil, row(`"W-19"`, who+`,"event":"candidate.exploded"`), result{Reason: "event is not one of candidate.rejected"}},
		"an outcome nobody knows":        {nil, `{"application_id":"W-20","outcome":"謎","ended_at":"2026-10-02",` + who + `}`, result{Reason: "outcome is not a word we know"}},
		"a decision in the future":       {nil, `{"application_id":"W-28","outcome":"不採用","ended_at":"2036-10-02T12:00:00Z",` + who + `}`, result{Decision: "future_time"}},
		"a time nobody can read":         {nil, `{"application_id":"W-21","outcome":"不採用","ended_at":"きのう",` + who + `}`, result{Reason: "not a time"}},
		"reopened, never heard of":       {nil, `{"application_id":"W-22","event":"candidate.reopened","ended_at":"2026-10-03",` + who + `}`, result{Decision: "reopened"}},
	}
	h := openHouse(t, nil)
	conn, err := h.server.connector("acme", "sheet")
	if err != nil {
		t.Fatal(err)
	}
	send := func(t *testing.T, header http.Header, body string) int {
		t.Helper()
		if header == nil {
			header = http.Header{}
		}
		if header.Get("Content-Type") == "" {
			header.Set("Content-Type", "application/json")
		}
		p, err := conn.(connectors.Signer).Sign(connectors.Payload{Header: header, Body: []byte(body), Received: stamp()})
		if err != nil {
			t.Fatal(err)
		}
		status, err := post(t.Context(), h.base+"/hooks/acme/sheet", p)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mails, since := h.sendGrid.Count(), stamp()
			if got := send(t, tt.header, tt.body); got != http.StatusOK {
				t.Fatalf("the door answered %d", got)
			}
			h.rest("acme")
			var got result
			kept, err := h.server.db.Deliveries(t.Context(), record.Filter{Company: "acme", Since: since})
			if err != nil || len(kept) != 1 {
				t.Fatalf("%d deliveries were kept (%v), want 1", len(kept), err)
			}
			// What a person sees who looks at it is what came.
			if _, d, err := h.server.db.Delivery(t.Context(), kept[0].ID); err != nil || string(d.Payload.Body) != tt.body {
				t.Errorf("the delivery is not as it came (%v)", err)
			}
			if kept[0].Disposition == record.Parked && tt.want.Reason != "" && strings.Contains(kept[0].Reason, tt.want.Reason) {
				got.Reason = tt.want.Reason
			} else {
				got.Reason = kept[0].Reason
			}
			known, err := h.server.db.Applications(t.Context(), record.Filter{Company: "acme", Since: since})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range known {
				got.Decision = a.Decision
			}
			for _, m := range h.sendGrid.Mails()[mails:] {
				got.Greeting += strings.SplitN(m.Text, "\n", 2)[0]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("too long", func(t *testing.T) {
		since := stamp()
		if got := send(t, nil, row(`"W-0"`, who+`,"x":"`+strings.Repeat("x", 1<<20)+`"`)); got != http.StatusRequestEntityTooLarge {
			t.Errorf("the door answered %d", got)
		}
		if !strings.Contains(h.log.text(), "the body has more than 1048576 bytes") {
			t.Error("the log does not say why")
		}
		if kept, err := h.server.db.Deliveries(t.Context(), record.Filter{Company: "acme", Since: since}); err != nil || len(kept) != 0 {
			t.Errorf("%d deliveries were kept (%v), though the sender was not told so", len(kept), err)
		}
	})
	t.Run("out of order", func(t *testing.T) {
		mails := h.sendGrid.Count()
		for _, body := range []string{
			`{"application_id":"O-1","event":"candidate.reopened","ended_at":"2026-10-05T10:00:00+09:00",` + who + `}`,
			`{"application_id":"O-1","outcome":"不採用","ended_at":"2026-10-04T10:00:00+09:00",` + who + `}`, // told late
		} {
			if got := send(t, nil, body); got != http.StatusOK {
				t.Fatalf("the door answered %d", got)
			}
			h.rest("acme")
		}
		apps, err := h.server.db.Applications(t.Context(), record.Filter{Company: "acme", Application: "O-1"})
		if err != nil || len(apps) != 1 || apps[0].State != "reopened" || h.sendGrid.Count() != mails {
			t.Fatalf("got %+v (%v) and %d mails, want it reopened and no mail", apps, err, h.sendGrid.Count()-mails)
		}
		events, err := h.server.db.Events(t.Context(), apps[0].ID)
		if err != nil || len(events) != 2 || !events[1].Stale || events[1].Code != "stale" {
			t.Errorf("what was told late is not kept as that: %+v (%v)", events, err)
		}
	})
	t.Run("a reason type that nobody knows", func(t *testing.T) {
		mails := h.sendGrid.Count()
		greenhouse, err := h.server.connector("acme", "greenhouse")
		if err != nil {
			t.Fatal(err)
		}
		p, err := signedSample(greenhouse, "greenhouse", "rejected.type-of-their-own")
		if err != nil {
			t.Fatal(err)
		}
		if status, err := post(t.Context(), h.base+"/hooks/acme/greenhouse", p); err != nil || status != http.StatusOK {
			t.Fatalf("the door answered %d (%v)", status, err)
		}
		h.rest("acme")
		held, err := h.server.db.Mails(t.Context(), record.Filter{Company: "acme", Connection: "greenhouse"})
		if err != nil || len(held) != 1 || !held[0].Stopped || held[0].Reason != "unknown_side" || h.sendGrid.Count() != mails {
			t.Errorf("got %+v (%v) and %d mails, want one that is held", held, err, h.sendGrid.Count()-mails)
		}
	})
	h.leaks(t, "伊藤", "湊", "別人", "minato", "nana@", walkSecret)
}
