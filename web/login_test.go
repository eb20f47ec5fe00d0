package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/web"
)

// user makes an account.
func (o *office) user(name string, role record.Role) {
	o.t.Helper()
	_, err := o.store.AddUser(o.t.Context(), record.System, name, "a long password", role)
	o.must(err)
}

func (o *office) tries(name, password string, change ...func(*http.Request)) page {
	o.t.Helper()
	return o.postOps("/login", url.Values{"name": {name}, "password": {password}, "to": {"/jobs?state=dead"}}, change...)
}

func TestLogin(t *testing.T) {
	o := newOffice(t)
	o.user("megumi", record.Operator)
	got := o.tries("megumi", "a long password")
	cookie := got.header.Get("Set-Cookie")
	if got.code != http.StatusSeeOther || got.header.Get("Location") != "/jobs?state=dead" {
		t.Fatalf("status %d to %q", got.code, got.header.Get("Location"))
	}
	for _, want := range []string{"careerrelay_session=", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=43200"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %s", cookie, want)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Error("over http the cookie would be lost")
	}
	if got := o.tries("megumi", "a long password", func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }); !strings.Contains(got.header.Get("Set-Cookie"), "Secure") {
		t.Errorf("over https the cookie is %q", got.header.Get("Set-Cookie"))
	}

	unknown, wrong := o.tries("nobody", "a long password"), o.tries("megumi", "a wrong password")
	if unknown.code != http.StatusUnauthorized || wrong.code != http.StatusUnauthorized || strings.ReplaceAll(unknown.body, "nobody", "megumi") != wrong.body {
		t.Errorf("a wrong name (%d) and a wrong password (%d) can be told apart", unknown.code, wrong.code)
	}
	if strings.Contains(wrong.body, "a wrong password") || strings.Contains(o.log.String(), "a wrong password") {
		t.Error("the password is repeated")
	}
}

// quick are accounts that check passwords in no time.
type quick struct{ web.Accounts }

func (quick) Login(_ context.Context, name, password string, _ record.Visit) (record.Entry, error) {
	if password != "a long password" {
		return record.Entry{}, ats.Errorf(ats.Denied, "no")
	}
	return record.Entry{Token: "SESSION", User: name}, nil
}

func TestLoginLeadsNowhereElse(t *testing.T) {
	o := newOffice(t, func(o *office) { o.ops.Accounts = quick{o.store} })
	for _, to := range []string{"https://evil.test/", "//evil.test/", `/\evil.test/`, "javascript:alert(1)", "evil", "", "/\t/evil.test"} {
		got := o.postOps("/login", url.Values{"name": {"megumi"}, "password": {"a long password"}, "to": {to}})
		if at := got.header.Get("Location"); at != "/" {
			t.Errorf("to %q the login leads to %q", to, at)
		}
	}
}

func TestLogout(t *testing.T) {
	o := newOffice(t)
	o.login(record.Viewer)
	if got := o.show("/jobs", "ja"); got.code != http.StatusOK {
		t.Fatalf("status %d", got.code)
	}
	got := o.postOps("/logout", url.Values{})
	if got.header.Get("Location") != "/login" || !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("to %q with %q", got.header.Get("Location"), got.header.Get("Set-Cookie"))
	}
	if got := o.show("/jobs", "ja"); got.code != http.StatusSeeOther {
		t.Errorf("after the logout the session still opens pages: status %d", got.code)
	}
}

func TestASessionEnds(t *testing.T) {
	o := newOffice(t)
	o.login(record.Viewer)
	o.wait(12*time.Hour + time.Second)
	if got := o.show("/jobs", "ja"); got.code != http.StatusSeeOther {
		t.Errorf("after twelve hours: status %d", got.code)
	}
}

func TestGuessingPasswordsIsSlow(t *testing.T) {
	o := newOffice(t, func(o *office) { o.ops.Accounts = quick{o.store} })
	for i := range 5 {
		if got := o.tries("megumi", fmt.Sprint("guess ", i)); got.code != http.StatusUnauthorized {
			t.Fatalf("guess %d: status %d", i, got.code)
		}
	}
	for _, password := range []string{"guess 6", "a long password"} {
		if got := o.tries("megumi", password); got.code != http.StatusTooManyRequests || got.header.Get("Retry-After") != "900" {
			t.Errorf("%s: status %d, Retry-After %q", password, got.code, got.header.Get("Retry-After"))
		}
	}
	if got := o.tries("ryo", "a long password"); got.code != http.StatusSeeOther {
		t.Errorf("somebody else: status %d", got.code)
	}
	o.wait(15 * time.Minute)
	if got := o.tries("megumi", "a long password"); got.code != http.StatusSeeOther {
		t.Errorf("a quarter of an hour later: status %d", got.code)
	}
}

func TestGuessingNamesIsSlow(t *testing.T) {
	o := newOffice(t, func(o *office) { o.ops.Accounts = quick{o.store} })
	limited := 0
	for i := range 40 {
		if o.tries(fmt.Sprint("name", i), "a guess").code == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited != 10 {
		t.Errorf("%d of 40 attempts from one machine were refused, want 10", limited)
	}
	if got := o.tries("megumi", "a long password"); got.code != http.StatusTooManyRequests {
		t.Errorf("from the same machine: status %d", got.code)
	}
}

func TestFirstRun(t *testing.T) {
	o := newOffice(t)
	const command = "careerrelay user add"
	if got := o.show("/login", "en"); !strings.Contains(got.body, command+" NAME") {
		t.Error("nobody is told how to make the first account")
	}
	o.user("megumi", record.Admin)
	if got := o.show("/login", "en"); strings.Contains(got.body, command+" NAME") {
		t.Error("the first run goes on")
	}
}

func TestTheDemonstration(t *testing.T) {
	closed := newOffice(t)
	if got := closed.show("/login", "en"); strings.Contains(got.body, "/login/demo") {
		t.Error("without a demo user the way in is offered")
	}
	if got := closed.postOps("/login/demo", url.Values{}); got.code != http.StatusNotFound {
		t.Errorf("without a demo user: status %d", got.code)
	}

	o := newOffice(t, func(o *office) { o.ops.DemoUser = record.Actor{Name: "user:demo", Role: record.Operator} })
	o.seed()
	if got := o.show("/login", "en"); !strings.Contains(got.body, "/login/demo") {
		t.Error("the demonstration is not offered")
	}
	elsewhere := map[string]func(*http.Request){
		"through a proxy":               func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.7") },
		"through another proxy":         func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.7") },
		"under the name of a stranger":  func(r *http.Request) { r.Host = "evil.test"; r.Header.Set("Origin", "http://evil.test") },
		"under an address of elsewhere": func(r *http.Request) { r.Host = "192.0.2.7"; r.Header.Set("Origin", "http://192.0.2.7") },
	}
	for name, change := range elsewhere {
		if got := o.postOps("/login/demo", url.Values{}, change); got.code == http.StatusSeeOther {
			t.Errorf("%s the demonstration opens", name)
		}
	}
	got := o.postOps("/login/demo", url.Values{"to": {"/mailbox"}})
	if got.code != http.StatusSeeOther || got.header.Get("Location") != "/mailbox" {
		t.Fatalf("status %d to %q\n%s", got.code, got.header.Get("Location"), got.body)
	}
	o.cookie, _, _ = strings.Cut(strings.TrimPrefix(got.header.Get("Set-Cookie"), "careerrelay_session="), ";")
	m := o.mailOf("48213377")
	body := o.show("/mailbox?id="+m.ID, "ja").body
	_, letter, err := o.store.Letter(t.Context(), m.ID)
	o.must(err)
	for _, want := range []string{"misaki@example.jp", `href="` + o.url + "/r/" + o.linkIn(letter) + `"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the mailbox of the demonstration lacks %q", want)
		}
	}
	for name, change := range elsewhere {
		if got := o.ask(http.MethodGet, "/mailbox", "", change); got.code != http.StatusSeeOther {
			t.Errorf("%s the session of the demonstration opens pages: status %d", name, got.code)
		}
	}
	if got := o.postOps("/jobs/retry?state=dead", url.Values{"reason": {"to see it"}}); got.code != http.StatusSeeOther {
		t.Errorf("acting in the demonstration: status %d\n%s", got.code, got.body)
	}
	o.postOps("/logout", url.Values{})
	if got := o.show("/mailbox", "ja"); got.code != http.StatusSeeOther {
		t.Errorf("after the logout: status %d", got.code)
	}
}
