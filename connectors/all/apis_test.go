package all

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

var (
	evening = time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC)
	discard = slog.New(slog.DiscardHandler)
)

// vendorDoor knows whether a vendor has secrets.
type vendorDoor struct{ name string }

func (v *vendorDoor) signs(t *testing.T) bool {
	t.Helper()
	s, err := spec.Shipped(v.name)
	if err != nil {
		t.Fatal(err)
	}
	return s.Door == "" || s.Door == connectors.Webhook
}

// eachAccount runs a test for every vendor with an API, on a virtual clock on
// which limits of calls cost nothing.
func eachAccount(t *testing.T, test func(t *testing.T, vendor string, a account)) {
	t.Helper()
	for vendor, open := range accounts {
		t.Run(vendor, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(evening))
				test(t, vendor, open(t, time.Now))
			})
		})
	}
}

// set sets a parameter of a call; "" takes it away.
func set(r *http.Request, name, value string) {
	q := r.URL.Query()
	q.Set(name, value)
	if value == "" {
		q.Del(name)
	}
	r.URL.RawQuery = q.Encode()
}

// rewrite changes the body of a call.
func rewrite(r *http.Request, from, to string) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(body), from, to, 1)))
}

// member sets a member of an answer.
func member(name string, value any) func(http.Header, any) any {
	return func(_ http.Header, body any) any {
		if of, ok := body.(map[string]any); ok {
			of[name] = value
		}
		return body
	}
}

// within changes the object in a member of an answer.
func within(name string, change func(http.Header, any) any) func(http.Header, any) any {
	return func(h http.Header, body any) any {
		of, ok := body.(map[string]any)
		if !ok {
			return body
		}
		inner, ok := of[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
		}
		of[name] = change(h, inner)
		return of
	}
}

// A road leads to a stand-in and may change what goes by. Calls for tokens pass.
type road struct {
	to    http.RoundTripper
	calls int // without those for tokens
	meet  func(r *http.Request, call int) *http.Response
	after func(r *http.Request, call int) func(h http.Header, body any) any
}

func (d *road) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "token") {
		return d.to.RoundTrip(r)
	}
	d.calls++
	if d.meet != nil {
		if answer := d.meet(r, d.calls); answer != nil {
			return answer, nil
		}
	}
	var change func(http.Header, any) any
	if d.after != nil {
		change = d.after(r, d.calls)
	}
	answer, err := d.to.RoundTrip(r)
	if err != nil || change == nil || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	defer func() { _ = answer.Body.Close() }()
	var body any
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return nil, err
	}
	text, err := json.Marshal(change(answer.Header, body))
	answer.Body = io.NopCloser(bytes.NewReader(text))
	return answer, err
}

// says is an answer that the vendor did not mean.
func says(status int, kind, body string) func(*http.Request, int) *http.Response {
	return func(r *http.Request, _ int) *http.Response {
		return &http.Response{
			StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}
	}
}

// badAnswers are what an API may answer in place of what was asked for, with the
// faults that it may be.
var badAnswers = map[string]struct {
	meet   func(*http.Request, int) *http.Response
	faults []ats.Fault
}{
	"200 with an error body":       {says(200, "application/json", `{"success":false,"status":"error","code":"INTERNAL_ERROR","error":{"code":"INTERNAL","message":"misaki.sato@example.jp"}}`), []ats.Fault{ats.Invalid, ats.Busy, ats.NotFound}},
	"200 with an empty object":     {says(200, "application/json", `{}`), []ats.Fault{ats.Invalid, ats.NotFound}},
	"200 with null":                {says(200, "application/json", `null`), []ats.Fault{ats.Invalid, ats.NotFound}},
	"200 with a page":              {says(200, "text/html", `<!doctype html><title>Sign in</title>misaki.sato@example.jp`), []ats.Fault{ats.Invalid}},
	"200 that is cut off":          {says(200, "application/json", `{"data":[{"id":"1`), []ats.Fault{ats.Invalid}},
	"200 with nothing":             {says(200, "application/json", ``), []ats.Fault{ats.Invalid}},
	"a list in place of an object": {says(200, "application/json", `["misaki.sato@example.jp"]`), []ats.Fault{ats.Invalid}},
	"a page with 502":              {says(502, "text/html", `<h1>Bad gateway</h1>misaki.sato@example.jp`), []ats.Fault{ats.Busy}},
	"429 without a header":         {says(429, "text/plain", `slow down`), []ats.Fault{ats.Busy}},
	"the key is refused":           {says(401, "application/json", `{"message":"misaki.sato@example.jp"}`), []ats.Fault{ats.Denied}},
	"a way elsewhere":              {says(302, "text/html", ``), []ats.Fault{ats.Invalid}},
}

// uses are what an API is called for.
func uses(t *testing.T, conn connectors.Connector, a account) map[string]func() error {
	t.Helper()
	out := map[string]func() error{}
	if c, ok := conn.(connectors.Checker); ok {
		out["State"] = func() error {
			_, err := c.State(t.Context(), a.event)
			return err
		}
	}
	if c, ok := conn.(connectors.Completer); ok {
		out["Complete"] = func() error {
			e := a.event
			e.Job.ID = "1"
			return c.Complete(t.Context(), &e)
		}
	}
	if l, ok := conn.(connectors.JobLister); ok {
		out["Jobs"] = func() error {
			for _, err := range l.Jobs(t.Context()) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	return out
}

// gentle are uses that leave something out rather than fail, by their
// description: a refused key or an unreadable extra is none of them.
var gentle = map[string][]string{
	"kombo/Complete": {"200 with an empty object", "200 with null", "the key is refused"}, // only the department is missing then
}

func TestBadAnswers(t *testing.T) {
	for name, tt := range badAnswers {
		t.Run(name, func(t *testing.T) {
			eachAccount(t, func(t *testing.T, vendor string, a account) {
				d := &road{to: a}
				conn := a.open(t, vendor, d)
				for use, call := range uses(t, conn, a) {
					d.meet = nil
					if err := call(); err != nil && ats.FaultOf(err) != ats.Duplicate && use != "Complete" {
						t.Fatalf("%s: without a fault: %v", use, err)
					}
					d.meet = tt.meet
					before := d.calls
					err := call()
					if d.calls == before {
						continue // nothing had to be asked
					}
					if slices.Contains(gentle[vendor+"/"+use], name) && err == nil {
						continue
					}
					checkFault(t, use, err, tt.faults)
				}
				poll(t, conn, a, d, tt.meet, tt.faults)
			})
		})
	}
}

// poll sweeps through an answer that is none: nothing is lost of it.
func poll(t *testing.T, conn connectors.Connector, a account, d *road, meet func(*http.Request, int) *http.Response, faults []ats.Fault) {
	t.Helper()
	poller, ok := conn.(connectors.Poller)
	if !ok {
		return
	}
	d.meet = nil
	_, cursor := sweep(t, conn, "")
	time.Sleep(time.Hour)
	a.reject(1)
	time.Sleep(10 * time.Minute) // some leave the newest to the webhook
	d.meet = meet
	_, next, err := poller.Poll(t.Context(), cursor)
	checkFault(t, "Poll", err, faults)
	if next != "" {
		cursor = next
	}
	d.meet = nil
	if told, _ := sweep(t, conn, cursor); len(told) == 0 {
		t.Error("Poll: what happened before was lost")
	}
}

func checkFault(t *testing.T, use string, err error, want []ats.Fault) {
	t.Helper()
	got := ats.FaultOf(err)
	switch {
	case !slices.Contains(want, got):
		t.Errorf("%s: got %v (%q), want one of %q", use, err, got, want)
	case strings.Contains(err.Error(), "misaki"):
		t.Errorf("%s: the error quotes the answer: %v", use, err)
	case want[0] == ats.Busy && slices.Equal(want, []ats.Fault{ats.Busy}) && strings.Contains(err.Error(), "429") && ats.WaitOf(err) <= 0:
		t.Errorf("%s: does not say how long to wait: %v", use, err)
	}
}

// sweep polls until the sweep ends, waiting where the vendor asks for it, and
// returns how often each piece of news was told, by its key.
func sweep(t *testing.T, conn connectors.Connector, cursor string) (told map[string]int, next string) {
	t.Helper()
	told = map[string]int{}
	poller := conn.(connectors.Poller) //nolint:forcetypeassert // only pollers are swept
	pager, _ := conn.(connectors.Pager)
	for range 2000 {
		news, next, err := poller.Poll(t.Context(), cursor)
		for _, p := range news {
			events, err := conn.Decode(p)
			if err != nil {
				t.Fatalf("decoding news: %v", err)
			}
			for _, e := range events {
				told[e.Application]++
			}
		}
		if next != "" {
			cursor = next
		}
		switch {
		case ats.FaultOf(err) == ats.Busy:
			time.Sleep(max(ats.WaitOf(err), time.Second))
			continue
		case err != nil:
			t.Fatal(err)
		}
		if pager == nil || !pager.More(cursor) {
			return told, cursor
		}
	}
	t.Fatal("the sweep does not end")
	return nil, ""
}

// TestEndlessPages stops at a vendor that always has one page more, and begins
// afresh behind it.
func TestEndlessPages(t *testing.T) {
	eachAccount(t, func(t *testing.T, vendor string, a account) {
		d := &road{to: a}
		conn := a.open(t, vendor, d)
		poller, ok := conn.(connectors.Poller)
		if !ok || a.endless == nil {
			t.Skip("no pages, or pages by a number that only grows")
		}
		_, cursor := sweep(t, conn, "")
		time.Sleep(time.Hour)
		for n := range 3 {
			a.reject(n)
		}
		time.Sleep(10 * time.Minute)
		d.after = func(r *http.Request, call int) func(http.Header, any) any {
			if r.URL.Path == "/v2/webhooks" || strings.Contains(r.URL.Path, "/webhooks/") {
				return nil
			}
			return a.endless(r, call)
		}
		for range 5000 {
			_, next, err := poller.Poll(t.Context(), cursor)
			if next != "" {
				cursor = next
			}
			fault := ats.FaultOf(err)
			if fault == ats.Busy {
				time.Sleep(max(ats.WaitOf(err), time.Second))
				continue
			}
			if fault == ats.TooLarge || fault == ats.Invalid {
				if p, ok := conn.(connectors.Pager); ok && p.More(cursor) {
					t.Errorf("after %v the sweep goes on", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p, ok := conn.(connectors.Pager); ok && !p.More(cursor) {
				t.Fatalf("it ended after %d calls without an error", d.calls)
			}
		}
		t.Errorf("it goes on after %d calls", d.calls)
	})
}

// TestPagesThatMove takes applications away while pages are read, which moves
// others to pages that were read already. Every other one is told all the same,
// at the latest by the next sweep.
func TestPagesThatMove(t *testing.T) {
	const many, page = 1200, 2
	eachAccount(t, func(t *testing.T, vendor string, a account) {
		d := &road{to: a}
		conn := a.open(t, vendor, d)
		if _, ok := conn.(connectors.Poller); !ok || a.drop == nil {
			t.Skip("is not polled")
		}
		_, cursor := sweep(t, conn, "")
		time.Sleep(time.Hour)
		for n := range many {
			a.reject(n)
		}
		time.Sleep(10 * time.Minute)
		d.calls = 0
		d.meet = func(_ *http.Request, call int) *http.Response {
			if call == page+1 {
				for n := range 30 {
					a.drop(n)
				}
			}
			return nil
		}
		told, cursor := sweep(t, conn, cursor)
		d.meet = nil
		time.Sleep(time.Hour)
		again, _ := sweep(t, conn, cursor)
		for name := range again {
			told[name]++
		}
		if len(told) < many-30 {
			t.Errorf("%d were told, want all %d that are left", len(told), many-30)
		}
	})
}

// TestTokensEndMidSweep ends the vendor's tokens before every second call.
func TestTokensEndMidSweep(t *testing.T) {
	eachAccount(t, func(t *testing.T, vendor string, a account) {
		if a.expire == nil {
			t.Skip("keys that do not end")
		}
		d := &road{to: a}
		conn := a.open(t, vendor, d)
		d.meet = func(_ *http.Request, call int) *http.Response {
			if call%3 == 2 {
				a.expire()
			}
			return nil
		}
		a.Offer(5)
		for use, call := range uses(t, conn, a) {
			for range 3 {
				time.Sleep(2 * time.Second) // calls for tokens count too
				if err := call(); err != nil && ats.FaultOf(err) != ats.Duplicate {
					t.Errorf("%s: %v", use, err)
				}
			}
		}
		if _, ok := conn.(connectors.Poller); !ok {
			return
		}
		_, cursor := sweep(t, conn, "")
		time.Sleep(time.Hour)
		const many = 600
		for n := range many {
			a.reject(n)
		}
		time.Sleep(10 * time.Minute)
		if told, _ := sweep(t, conn, cursor); len(told) < many {
			t.Errorf("%d were told, want %d", len(told), many)
		}
	})
}

// TestTenThousandRejections comes in one sweep, whole.
func TestTenThousandRejections(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	eachAccount(t, func(t *testing.T, vendor string, a account) {
		many := 10_000
		conn := a.open(t, vendor, a)
		if _, ok := conn.(connectors.Poller); !ok {
			t.Skip("is not polled")
		}
		switch vendor {
		case "herp-hire", "kanrikun":
			t.Skip("tests of its own read as many")
		case "kintone", "talentio":
			many = 3000 // the stand-ins are slow at filling
		}
		_, cursor := sweep(t, conn, "")
		time.Sleep(time.Hour)
		for n := range many {
			a.reject(n)
		}
		time.Sleep(10 * time.Minute)
		if told, _ := sweep(t, conn, cursor); len(told) < many {
			t.Errorf("%d were told, want %d", len(told), many)
		}
	})
}

// TestJobs lists what is open, whole, each once and nothing else.
func TestJobs(t *testing.T) {
	eachAccount(t, func(t *testing.T, vendor string, a account) {
		conn := a.open(t, vendor, a)
		lister, ok := conn.(connectors.JobLister)
		if !ok {
			t.Skip("lists no jobs")
		}
		for _, many := range []int{0, 1, 730} {
			a.Offer(many)
			found := map[string]string{}
			for j, err := range lister.Jobs(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if _, twice := found[j.ID]; twice {
					t.Errorf("%s comes twice", j.ID)
				}
				found[j.ID] = j.Title
			}
			own := 0 // jobs of the samples
			for id := range found {
				if !strings.HasPrefix(id, "70") {
					own++
				}
			}
			if len(found)-own != many || own > 3 {
				t.Errorf("%d jobs and %d of the samples, want %d", len(found)-own, own, many)
			}
			for n := range many {
				if id, want := strconv.Itoa(7000001+2*n), fmt.Sprintf("Engineer %d", n+1); found[id] != want {
					t.Fatalf("%s: got %q, want %s", id, found[id], want)
				}
			}
			for _, err := range lister.Jobs(t.Context()) {
				if err != nil {
					t.Error(err)
				}
				break // who has enough stops the list
			}
		}
	})
}

// TestAddresses has every unusual address in the guide that vendor show prints.
func TestAddresses(t *testing.T) {
	eachAccount(t, func(t *testing.T, vendor string, a account) {
		addresser, ok := a.open(t, vendor, a).(connectors.Addresser)
		if !ok {
			t.Skip("the usual address")
		}
		guide, err := fs.ReadFile(connectors.Files, vendor+"/README.md")
		if err != nil {
			t.Fatal(err)
		}
		if behind := strings.TrimPrefix(addresser.Address(hookURL), hookURL); !strings.HasPrefix(behind, "?") || !strings.Contains(string(guide), behind) {
			t.Errorf("the guide does not say %s", behind)
		}
	})
}

// TestAccounts has a stand-in for every vendor with code.
func TestAccounts(t *testing.T) {
	for vendor := range coded {
		if accounts[vendor] == nil {
			t.Errorf("%s has no account", vendor)
		}
	}
	if len(accounts) != len(coded) {
		t.Error(errors.New("an account without a vendor"))
	}
}
