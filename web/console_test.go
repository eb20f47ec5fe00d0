package web_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/web"
)

func readAll(tb testing.TB, r io.Reader) string {
	tb.Helper()
	body, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(body)
}

func TestEveryPageOpens(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Operator)
	code := regexp.MustCompile(`>(?:[a-z_]+\.)+[a-z_0-9]+<`) // a key of the catalogue that has no words
	o.rerun()
	paths := o.paths()
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		for _, lang := range []string{"ja", "en"} {
			got := o.show(paths[name], lang)
			if got.code != http.StatusOK {
				t.Errorf("%s in %s: status %d\n%s", name, lang, got.code, got.body)
				continue
			}
			if !strings.HasPrefix(got.body, "<!doctype html>\n<html lang=\""+lang) || !strings.HasSuffix(strings.TrimSpace(got.body), "</html>") {
				t.Errorf("%s in %s is not a whole document", name, lang)
			}
			if found := code.FindString(regexp.MustCompile(`<code>[^<]*</code>`).ReplaceAllString(got.body, "")); found != "" {
				t.Errorf("%s in %s says %s", name, lang, found)
			}
			if strings.Contains(got.body, "style=") || regexp.MustCompile(` on[a-z]+="`).MatchString(got.body) {
				t.Errorf("%s in %s has an inline style or handler", name, lang)
			}
		}
	}
}

var changes = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`name="csrf" value="[^"]+"`), `name="csrf" value="CSRF"`},
	{regexp.MustCompile(`\?v=[0-9a-f]{12}`), "?v=HASH"},
	{regexp.MustCompile(`\b[A-Z0-9]{26}\b`), "ID"},
	{regexp.MustCompile(`…[A-Z0-9]{8}\b`), "…ID"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST"},
	{regexp.MustCompile(`\b1\.[0-9a-f]{8}\b`), "VERSION"}, // of a letter
}

// TestPagesOfTheConsole compares the main pages with what was looked at and
// found good.
func TestPagesOfTheConsole(t *testing.T) {
	o := newOffice(t)
	empty := o.show("/login", "ja").body
	o.seed()
	o.login(record.Operator)
	o.rerun()
	paths := o.paths()
	pages := map[string]string{"login.ja": empty}
	for _, name := range []string{"overview", "application", "jobs_dead", "mails_stopped", "mail_held", "company", "jobs_retry", "mails_resolve", "mailbox", "credit", "person", "graves", "hold_held", "brake", "batch_steps"} {
		pages[name+".ja"] = o.show(paths[name], "ja").body
	}
	for _, name := range []string{"overview", "application", "jobs_retry"} {
		pages[name+".en"] = o.show(paths[name], "en").body
	}
	for name, body := range pages {
		for _, c := range changes {
			body = c.what.ReplaceAllString(body, c.with)
		}
		atstest.Golden(t, "testdata/console/"+name+".html", body)
	}
}

// TestLookingChangesNothing opens everything that can be opened and compares
// the whole database.
func TestLookingChangesNothing(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Admin)
	before := o.snapshot()
	paths := slices.Collect(maps.Values(o.paths()))
	app := o.app("48213377")
	paths = append(paths, "/login", "/healthz", "/metrics", "/static/console.css", "/nowhere", "/jobs?sttae=dead", "/mails/"+o.mailOf("48213377").ID+"/html",
		"/logout", "/language", "/find", "/login/demo", "/people/"+app.PersonID+"/erase", "/applications/"+app.ID+"/reveal")
	for _, path := range paths {
		o.show(path, "ja")
	}
	for _, path := range []string{
		"/openapi.json", "/deliveries", "/applications", "/mails", "/jobs", "/batches", "/referrals", "/consents", "/alerts", "/audit", "/companies/status", "/brakes", "/credits", "/credits/acme",
		"/applications/48213377", "/mails/" + o.mailOf("48213377").ID, "/persons/find", "/jobs/retry", "/persons/" + app.PersonID + "/erase",
	} {
		o.api(http.MethodGet, path, "", "ops-secret")
	}
	if o.snapshot() != before {
		t.Error("looking changed the database")
	}
}

func TestStrangersAreLedToTheLogin(t *testing.T) {
	o := newOffice(t)
	o.seed()
	before := o.snapshot()
	for name, path := range o.paths() {
		got := o.ask(http.MethodGet, path, "")
		want := "/login"
		if path != "/" {
			want += "?to=" + url.QueryEscape(path)
		}
		if at := got.header.Get("Location"); got.code != http.StatusSeeOther || at != want {
			t.Errorf("%s: status %d to %q, want %q", name, got.code, at, want)
		}
	}
	for _, path := range []string{"/jobs/retry?state=dead", "/mails/x/reveal", "/people/x/erase", "/logout", "/find"} {
		got := o.ask(http.MethodPost, path, "reason=x")
		if at := got.header.Get("Location"); got.code != http.StatusSeeOther || !strings.HasPrefix(at, "/login?ended=1") {
			t.Errorf("posting to %s: status %d to %q", path, got.code, at)
		}
	}
	if got := o.ask(http.MethodGet, "/jobs", "", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "careerrelay_session", Value: "GUESSED"}) }); got.code != http.StatusSeeOther {
		t.Errorf("a guessed session: status %d", got.code)
	}
	if o.snapshot() != before {
		t.Error("a stranger changed the database")
	}
}

func TestFormsFromElsewhereAreRefused(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Admin)
	good := o.csrf()
	app := o.app("48213377")
	before := o.snapshot()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, tt := range map[string]struct {
		csrf   string
		change func(*http.Request)
	}{
		"no token":                    {"none", func(*http.Request) {}},
		"the token of another":        {"mXsvWm0qJ0oVbB3mS9uXwUQ2s9z0o1m3kq2yJrJ5Y1A", func(*http.Request) {}},
		"another site's form":         {good, header("Sec-Fetch-Site", "cross-site")},
		"a neighbour site's form":     {good, header("Sec-Fetch-Site", "same-site")},
		"an old browser, other site":  {good, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.test") }},
		"an old browser, null origin": {good, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") }},
	} {
		for _, path := range []string{
			"/jobs/retry?state=dead", "/mails/cancel?company=acme", "/mails/release?state=stopped", "/deliveries/replay?state=parked", "/referrals/retry?state=failed",
			"/applications/" + app.ID + "/reveal", "/people/" + app.PersonID + "/erase", "/logout", "/find", "/language",
		} {
			got := o.postOps(path, url.Values{"csrf": {tt.csrf}, "reason": {"x"}, "sure": {"yes"}, "q": {"x"}, "lang": {"en"}}, tt.change)
			if got.code != http.StatusForbidden {
				t.Errorf("%s to %s: status %d", name, path, got.code)
			}
			if got.header.Get("Set-Cookie") != "" {
				t.Errorf("%s to %s sets a cookie", name, path)
			}
		}
	}
	if o.snapshot() != before {
		t.Error("a form from elsewhere changed the database")
	}
	for _, path := range []string{"/login", "/login/demo"} {
		if got := o.postOps(path, url.Values{"name": {"x"}, "password": {"y"}}, header("Sec-Fetch-Site", "cross-site")); got.code != http.StatusForbidden {
			t.Errorf("%s from another site: status %d", path, got.code)
		}
	}
}

func TestWhatAViewerMayDo(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Viewer)
	before := o.snapshot()
	deeds := regexp.MustCompile(`href="/(?:jobs/retry|jobs/cancel|mails/(?:stop|cancel|release|retry|send|resolve)|deliveries/(?:replay|release)|referrals/retry)\?|action="/(?:people|consents|applications|mails|deliveries)/`)
	for name, path := range o.paths() {
		got := o.show(path, "en")
		preview := regexp.MustCompile(`/(retry|cancel|replay|release|stop|send|resolve)\?`).MatchString(path)
		if want := map[bool]int{true: http.StatusForbidden, false: http.StatusOK}[preview]; got.code != want {
			t.Errorf("%s: status %d, want %d", name, got.code, want)
		}
		if found := deeds.FindString(strings.ReplaceAll(got.body, `<a href="`+strings.ReplaceAll(path, "&", "&amp;"), "")); found != "" {
			t.Errorf("%s offers a viewer %s", name, found)
		}
	}
	app := o.app("48213377")
	for _, path := range []string{
		"/jobs/retry?state=dead", "/mails/cancel?company=acme", "/applications/" + app.ID + "/reveal", "/mails/" + o.mailOf("48213377").ID + "/reveal", "/people/" + app.PersonID + "/erase",
	} {
		if got := o.postOps(path, url.Values{"reason": {"x"}, "sure": {"yes"}}); got.code != http.StatusForbidden || !strings.Contains(got.body, "operator") && !strings.Contains(got.body, "操作") {
			t.Errorf("%s: status %d\n%s", path, got.code, got.body)
		}
	}
	if o.snapshot() != before {
		t.Error("a viewer changed the database")
	}
}

// TestHostileData looks for markup that came from outside.
func TestHostileData(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Operator)
	paths := slices.Collect(maps.Values(o.paths()))
	evil := url.QueryEscape(hostile)
	paths = append(paths, "/jobs?error="+evil, "/jobs?sttae="+evil, "/jobs?company="+evil, "/mailbox?company="+evil, "/jobs/"+url.PathEscape(hostile), "/"+url.PathEscape(hostile),
		"/jobs/retry?error="+evil, "/mails/"+o.mailOf("EVIL-1").ID+"?view="+evil, "/login?to="+evil)
	bodies := map[string]string{}
	for _, path := range paths {
		bodies[path] = o.show(path, "ja").body
	}
	bodies["find"] = o.postOps("/find", url.Values{"q": {hostile}}).body
	bodies["filter"] = o.postOps("/find", url.Values{"q": {"state:x " + hostile}, "in": {"jobs"}}).body
	bodies["reason"] = o.postOps("/mails/resolve?state=unclear", url.Values{"reason": {hostile}}).body
	for _, noun := range []string{"mails", "deliveries", "applications"} {
		id := map[string]string{"mails": o.mailOf("EVIL-1").ID, "applications": o.app("EVIL-1").ID, "deliveries": strings.TrimPrefix(o.paths()["delivery"], "/deliveries/")}[noun]
		o.postOps("/"+noun+"/"+id+"/reveal", url.Values{"reason": {hostile}})
		bodies[noun+" revealed"] = o.show("/"+noun+"/"+id, "ja").body
		if !strings.Contains(bodies[noun+" revealed"], "alert(1)") {
			t.Errorf("%s: what was revealed is not shown", noun)
		}
	}
	for path, body := range bodies {
		if strings.Contains(body, "<script") {
			t.Errorf("%s: markup from outside got into the page", path)
		}
	}
	if !strings.Contains(bodies["reason"], "&lt;script&gt;") {
		t.Error("the reason that was typed is not kept for correction")
	}
}

func TestHeadersOfTheConsole(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Operator)
	for _, path := range []string{"/", "/login", "/jobs", "/nowhere", "/api/v1/jobs", "/healthz", "/mails/none"} {
		got := o.show(path, "ja")
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex", "Cache-Control": "no-store",
		} {
			if have := got.header.Get(name); have != want {
				t.Errorf("%s: %s is %q, want %q", path, name, have, want)
			}
		}
	}
	m := o.mailOf("48213377")
	if got := o.show("/mails/"+m.ID+"/html", "ja"); got.code != http.StatusForbidden || strings.Contains(got.body, "misaki") {
		t.Errorf("a hidden mail: status %d", got.code)
	}
	o.postOps("/mails/"+m.ID+"/reveal", url.Values{"reason": {"x"}})
	got := o.show("/mails/"+m.ID+"/html", "ja")
	_, letter, err := o.store.Letter(t.Context(), m.ID)
	o.must(err)
	if got.body != letter.HTML {
		t.Error("the document is not the exact mail")
	}
	if have, want := got.header.Get("Content-Security-Policy"), "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"; have != want {
		t.Errorf("the policy of a mail is %q, want %q", have, want)
	}
	if page := o.show("/mails/"+m.ID, "ja").body; !strings.Contains(page, `<iframe class="mailview" sandbox="" src="/mails/`+m.ID+`/html"`) {
		t.Error("the mail is not shown in a frame that may do nothing")
	}
}

func TestPersonalDataIsMaskedUntilRevealed(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Operator)
	personal := []string{"髙橋", "美咲", "misaki@example.jp", "佐藤", "person-48213390"}
	clean := func(when string) {
		t.Helper()
		for name, path := range o.paths() {
			body := o.show(path, "ja").body
			for _, word := range personal {
				if strings.Contains(body, word) {
					t.Errorf("%s, %s shows %q", when, name, word)
				}
			}
		}
	}
	clean("before a reveal")
	app, m := o.app("48213377"), o.mailOf("48213377")
	if body := o.show("/applications/"+app.ID, "ja").body; !strings.Contains(body, "髙 ●●●") || !strings.Contains(body, "m•••@example.jp") {
		t.Error("the masks are missing")
	}
	for path, want := range map[string]string{"/applications/" + app.ID: "髙橋 美咲", "/mails/" + m.ID: "髙橋 美咲 &lt;misaki@example.jp&gt;", "/mailbox?id=" + m.ID: "misaki@example.jp"} {
		target := "/applications/" + app.ID + "/reveal"
		if !strings.HasPrefix(path, "/app") {
			target = "/mails/" + m.ID + "/reveal"
		}
		if got := o.postOps(target, url.Values{"reason": {"  "}}); got.code != http.StatusBadRequest {
			t.Errorf("%s without a reason: status %d", target, got.code)
		}
		if got := o.postOps(target, url.Values{"reason": {"本人からの問い合わせ"}}); got.code != http.StatusSeeOther {
			t.Fatalf("%s: status %d\n%s", target, got.code, got.body)
		}
		if body := o.show(path, "ja").body; !strings.Contains(body, want) || !strings.Contains(body, "14:47:08") {
			t.Errorf("%s does not show %q after the reveal", path, want)
		}
	}
	entries, err := o.store.Audits(t.Context(), record.Filter{ID: app.ID})
	o.must(err)
	if a := entries[0]; a.Verb != "reveal" || a.Noun != "application" || a.Reason != "本人からの問い合わせ" || a.Actor != "user:megumi-operator" {
		t.Errorf("the audit log says %+v", a)
	}
	if strings.Contains(o.log.String(), "misaki") {
		t.Error("the log names a person")
	}

	o.login(record.Admin)
	clean("to somebody else")
	o.login(record.Operator)
	o.wait(15*time.Minute + time.Second)
	clean("a quarter of an hour later")
}

func TestCarryingOutInTheConsole(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Operator)
	before := o.snapshot()
	for name, tt := range map[string]struct {
		path string
		form url.Values
		says string
	}{
		"no reason":             {"/jobs/retry?state=dead", url.Values{"reason": {" "}}, "Write a reason"},
		"no word about a mail":  {"/mails/resolve?state=unclear", url.Values{"reason": {"looked it up"}}, "Choose one of the two"},
		"nothing to be changed": {"/jobs/retry?state=done", url.Values{"reason": {"x"}}, "Nothing was changed"},
		"nothing that narrows":  {"/jobs/retry", url.Values{"reason": {"x"}}, "narrow"},
		"a word that is none":   {"/jobs/retry?sttae=dead", url.Values{"reason": {"x"}}, "sttae"},
		"no certainty to erase": {"/people/" + o.app("48213377").PersonID + "/erase", url.Values{"reason": {"by letter"}}, "cannot be undone"},
	} {
		got := o.postOps(tt.path, tt.form, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "careerrelay_language", Value: "en"}) })
		if got.code < 400 || !strings.Contains(got.body, tt.says) {
			t.Errorf("%s: status %d, want %q in\n%s", name, got.code, tt.says, got.body)
		}
	}
	if o.snapshot() != before {
		t.Fatal("a refused form changed the database")
	}

	preview := o.show("/jobs/retry?company=acme&state=dead", "en").body
	for _, want := range []string{"Re-run 3 jobs", "company:acme state:dead", "Nothing happens on this page"} {
		if !strings.Contains(preview, want) {
			t.Errorf("the preview lacks %q", want)
		}
	}
	got := o.postOps("/jobs/retry?company=acme&state=dead", url.Values{"reason": {"it is back"}})
	at := got.header.Get("Location")
	if got.code != http.StatusSeeOther || !strings.HasPrefix(at, "/batches/") {
		t.Fatalf("status %d to %q\n%s", got.code, at, got.body)
	}
	if body := o.show(at, "en").body; !strings.Contains(body, "it is back") || !strings.Contains(body, "0 of 3 jobs are over") {
		t.Errorf("the page of the batch says\n%s", body)
	}
	m := o.mailOf("48213390")
	got = o.postOps("/mails/stop?id="+m.ID, url.Values{"reason": {"ask the company first"}})
	if at := got.header.Get("Location"); at != "/mails/"+m.ID {
		t.Fatalf("stopping one mail leads to %q\n%s", at, got.body)
	}
	if body := o.show("/mails/"+m.ID, "en").body; !strings.Contains(body, "ask the company first") || !strings.Contains(body, "A mail that is held") {
		t.Errorf("the page of the mail says\n%s", body)
	}
	unclear := o.mailOf("48213383")
	o.postOps("/mails/resolve?id="+unclear.ID, url.Values{"reason": {"it is in the provider's log"}, "sent": {"yes"}})
	if got := o.mailOf("48213383"); got.State != record.MailSent {
		t.Errorf("the resolved mail is %s", got.State)
	}
	consents, err := o.store.Consents(t.Context(), record.Filter{Purpose: "tell_company"})
	o.must(err)
	o.postOps("/consents/"+consents[0].ID+"/withdraw", url.Values{"reason": {"by telephone"}})
	if body := o.show("/consents/"+consents[0].ID, "en").body; !strings.Contains(body, "Withdrawn") || !strings.Contains(body, "by telephone") {
		t.Errorf("the page of the consent says\n%s", body)
	}
	person := o.app("48213377").PersonID
	o.postOps("/people/"+person+"/erase", url.Values{"reason": {"by letter"}, "sure": {"yes"}})
	if body := o.show("/people/"+person, "en").body; !strings.Contains(body, "Everything about this person was erased") {
		t.Errorf("the page of the person says\n%s", body)
	}
	if body := o.show("/applications/48213377", "en").body; !strings.Contains(body, "Nothing personal is kept") {
		t.Errorf("the page of the application says\n%s", body)
	}
}

func TestFinding(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Viewer)
	app, m := o.app("48213377"), o.mailOf("48213377")
	for name, tt := range map[string]struct{ in, typed, to string }{
		"nothing":                              {"", " ", "/"},
		"nothing in a list":                    {"jobs", "", "/jobs"},
		"a mail's id":                          {"", m.ID, "/mails/" + m.ID},
		"an application's id":                  {"", app.ID, "/applications/" + app.ID},
		"a batch's id":                         {"", o.batches()[0].ID, "/batches/" + o.batches()[0].ID},
		"a vendor's id":                        {"", "48213377", "/applications/" + app.ID},
		"an address":                           {"", "misaki@example.jp", "/people/" + app.PersonID},
		"an address in the field of a list":    {"jobs", "misaki@example.jp", "/people/" + app.PersonID},
		"a full name":                          {"", "髙橋 美咲", "/people/" + app.PersonID},
		"a filter that only jobs can have":     {"", "state:dead company:acme", "/jobs?company=acme&state=dead"},
		"a filter that only mails can have":    {"", "state:unclear purpose:thank_you", "/mails?purpose=thank_you&state=unclear"},
		"a filter that applications have":      {"", "company:acme", "/applications?company=acme"},
		"a filter for a list":                  {"deliveries", "state:parked", "/deliveries?state=parked"},
		"a filter with a quoted value":         {"jobs", `error:"no rule" company:acme`, "/jobs?company=acme&error=no+rule"},
		"a filter with Japanese spaces":        {"jobs", "company:acme　state:dead", "/jobs?company=acme&state=dead"},
		"a state that this list does not have": {"jobs", "state:sent", "/jobs?state=sent"}, // the list itself says what is wrong
	} {
		got := o.postOps("/find", url.Values{"q": {tt.typed}, "in": {tt.in}})
		if at := got.header.Get("Location"); got.code != http.StatusSeeOther || at != tt.to {
			t.Errorf("%s: status %d to %q, want %q\n%s", name, got.code, at, tt.to, got.body)
		}
		if at := got.header.Get("Location"); strings.Contains(at, "misaki") || strings.Contains(at, "%E9") {
			t.Errorf("%s: what is personal stands in the address %q", name, at)
		}
	}
	english := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "careerrelay_language", Value: "en"}) }
	for name, tt := range map[string]struct {
		in, typed, says string
		code            int
	}{
		"a word with a mistake":  {"jobs", "kind:mail sttae:dead", "Character 11: there is no word “sttae”. Did you mean state?", http.StatusBadRequest},
		"its repair is offered":  {"jobs", "kind:mail sttae:dead", `value="kind:mail state:dead"`, http.StatusBadRequest},
		"a word that is far off": {"", "colour:red", "there is no word “colour”", http.StatusBadRequest},
		"words without a colon":  {"jobs", "dead jobs", "there is no word “dead”", http.StatusBadRequest},
		"nobody":                 {"", "nobody@example.jp", "Nothing found", http.StatusOK},
		"several people":         {"", "佐藤 美咲", "found", http.StatusOK},
	} {
		got := o.postOps("/find", url.Values{"q": {tt.typed}, "in": {tt.in}}, english)
		if got.code != tt.code || !strings.Contains(got.body, tt.says) {
			t.Errorf("%s: status %d, want %d and %q in\n%s", name, got.code, tt.code, tt.says, got.body)
		}
	}
}

// TestLongLists walks through two thousand rows by the links of the page and
// changes all of them at once.
func TestLongLists(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	const n = 2000
	var together errgroup.Group
	together.SetLimit(64)
	for i := range n {
		together.Go(func() error {
			_, err := o.store.SaveDelivery(ctx, arrival("greenhouse", fmt.Sprint("long ", i)))
			return err
		})
	}
	o.must(together.Wait())
	tickets, err := o.store.Dispatch(ctx, record.LiveQueue, map[string]int{"acme": n})
	o.must(err)
	for _, ticket := range tickets {
		together.Go(func() error {
			j, err := o.store.StartJob(ctx, ticket.Job, ticket.Seq, time.Minute)
			if err != nil {
				return err
			}
			return o.store.FinishJob(ctx, j, record.Outcome{State: record.JobDead, Error: "the vendor is away", Fault: ats.Busy, Consumed: true})
		})
	}
	o.must(together.Wait())
	o.login(record.Operator)
	rows := regexp.MustCompile(`href="/jobs/([A-Z0-9]{26})"`)
	older := regexp.MustCompile(`href="(/jobs\?[^"]+)" rel="next"`)
	seen := map[string]bool{}
	pages := 0
	for path := "/jobs?state=dead&limit=200"; path != ""; pages++ {
		body := o.show(path, "ja").body
		for _, m := range rows.FindAllStringSubmatch(body, -1) {
			if seen[m[1]] {
				t.Fatalf("job %s stands on two pages", m[1])
			}
			seen[m[1]] = true
		}
		path = ""
		if m := older.FindStringSubmatch(body); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
		if pages > 20 {
			t.Fatal("the list has no end")
		}
	}
	if len(seen) != n {
		t.Errorf("%d jobs on %d pages, want %d", len(seen), pages, n)
	}
	if body := o.show("/jobs?state=dead", "ja").body; !strings.Contains(body, "ジョブ（停止）2,000件") || len(rows.FindAllString(body, -1)) != record.PageSize {
		t.Error("the first page does not say how many there are, or does not end after fifty")
	}
	got := o.postOps("/jobs/retry?state=dead", url.Values{"reason": {"the vendor is back"}})
	if body := o.show(got.header.Get("Location"), "en").body; !strings.Contains(body, "0 of 2,000 jobs are over") {
		t.Errorf("the page of the batch says\n%s", body)
	}
}

func TestLanguageOfThePages(t *testing.T) {
	o := newOffice(t)
	o.login(record.Viewer)
	header := func(lang string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Accept-Language", lang) }
	}
	for lang, want := range map[string]string{"en-GB,en;q=0.8": "en", "ja,en;q=0.5": "ja", "": "ja"} {
		if got := o.ask(http.MethodGet, "/help", "", header(lang)); !strings.Contains(got.body, `<html lang="`+want) {
			t.Errorf("Accept-Language %q is not answered in %s", lang, want)
		}
	}
	got := o.postOps("/language", url.Values{"lang": {"en"}, "to": {"/jobs?state=dead"}})
	cookie := got.header.Get("Set-Cookie")
	if got.header.Get("Location") != "/jobs?state=dead" || !strings.HasPrefix(cookie, "careerrelay_language=en;") || !strings.Contains(cookie, "HttpOnly") {
		t.Errorf("choosing a language leads to %q with %q", got.header.Get("Location"), cookie)
	}
	if got := o.show("/help", "en"); !strings.Contains(got.body, `<html lang="en"`) {
		t.Error("the chosen language does not count")
	}
	if got := o.postOps("/language", url.Values{"lang": {"en"}, "to": {"//evil.test/"}}); got.header.Get("Location") != "/" {
		t.Errorf("choosing a language leads to %q", got.header.Get("Location"))
	}
}

// away is a desk whose database does not answer.
type away struct {
	web.Desk
	err error
}

func (a away) Pulse(context.Context, time.Time) (record.Pulse, error) { return record.Pulse{}, a.err }

func (a away) Deliveries(context.Context, record.Filter) ([]record.Delivery, error) {
	return nil, a.err
}
func (a away) Jobs(context.Context, record.Filter) ([]record.Job, error) { return nil, a.err }

func TestConsoleDuringAnOutage(t *testing.T) {
	o := newOffice(t, func(o *office) {
		o.ops.Desk = away{o.store, ats.BusyFor(7*time.Second, "reading jobs: the database is away")}
		o.ops.Ready = func(context.Context) []web.Problem {
			return []web.Problem{{Name: "database", Text: "does not answer", Fatal: true}, {Name: "transport", Text: "told by company"}}
		}
	})
	o.login(record.Operator)
	if got := o.show("/jobs", "en"); got.code != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "7" || !strings.Contains(got.body, "Nothing that was accepted is lost") {
		t.Errorf("a list: status %d, Retry-After %q\n%s", got.code, got.header.Get("Retry-After"), got.body)
	}
	if got := o.show("/audit", "en"); got.code != http.StatusOK {
		t.Errorf("a list that works: status %d", got.code)
	}
	got := o.api(http.MethodGet, "/jobs", "", "ops-secret")
	if p := answer[problem](t, got); got.code != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "nothing was changed") {
		t.Errorf("the API: status %d %+v", got.code, p)
	}

	o = newOffice(t, func(o *office) { o.ops.Desk = away{o.store, fmt.Errorf("a bug with %s in it", "misaki@example.jp")} })
	o.login(record.Operator)
	for name, got := range map[string]page{"page": o.show("/jobs", "en"), "API": o.api(http.MethodGet, "/jobs", "", "ops-secret")} {
		if got.code != http.StatusInternalServerError || strings.Contains(got.body, "misaki") {
			t.Errorf("a bug, %s: status %d\n%s", name, got.code, got.body)
		}
	}
}

// A connection that cannot be asked stops no mail: its company is not braked, and
// its page says when it was asked last, when it is asked next, and what is wrong.
func TestAConnectionThatCannotBeAsked(t *testing.T) {
	o := newOffice(t, func(o *office) {
		o.firms.all[2].Mail.Transport = "sendgrid"
		o.firms.all[2].Connections["asked"] = configs.Connection{Vendor: "herp-hire"}
		o.ops.Open = func(_, name string) (connectors.Connector, error) {
			if name == "asked" {
				return polled{}, nil
			}
			return vendor{}, nil
		}
	})
	ctx := t.Context()
	sweep := func(outcome func(*record.Poll)) {
		t.Helper()
		p, err := o.store.ClaimPoll(ctx, "northwind", "asked", "herp-hire", time.Minute, true)
		o.must(err)
		p.Lease, p.First = time.Time{}, false
		outcome(&p)
		_, err = o.store.KeepPoll(ctx, p, nil)
		o.must(err)
	}
	o.at(noon)
	sweep(func(p *record.Poll) { p.SweptAt, p.UpdatedAt, p.DueAt = noon, noon, noon.Add(15*time.Minute) })
	o.at(noon.Add(16 * time.Minute))
	sweep(func(p *record.Poll) {
		p.DueAt, p.Failures, p.Error, p.Fault, p.Alarmed = noon.Add(31*time.Minute), 2, "status 401: the key is refused", ats.Denied, true
	})
	o.login(record.Viewer)
	got := o.show("/companies/northwind", "en").body
	for _, want := range []string{"Northwind KK: an ATS does not answer", "Mails leave as ever", "last asked", "next", "failed 2 times", "the key is refused"} {
		if !strings.Contains(got, want) {
			t.Errorf("the company's page does not say %q", want)
		}
	}
	for _, path := range []string{"/companies/northwind", "/companies", "/"} {
		if page := o.show(path, "en"); page.code != http.StatusOK || strings.Contains(page.body, ">Braked<") || strings.Contains(page.body, "a brake is on") {
			t.Errorf("%s: status %d, or it says that the company is braked", path, page.code)
		}
	}
	o.at(noon.Add(32 * time.Minute))
	sweep(func(p *record.Poll) {
		p.SweptAt, p.DueAt, p.Failures, p.Error, p.Fault, p.Alarmed = o.clock(), o.clock().Add(15*time.Minute), 0, "", "", false
	})
	if got := o.show("/companies/northwind", "en").body; !strings.Contains(got, "Northwind KK works") || !strings.Contains(got, "last asked") {
		t.Error("the page does not say that it works again")
	}
}

// polled is a vendor that is asked.
type polled struct{ vendor }

func (polled) Poll(context.Context, string) ([]connectors.Payload, string, error) {
	return nil, "", nil
}
