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
	"github.com/career-relay/connector/rules/access"
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

// step sends the form of a step with the cookie of the one before.
func (o *office) step(path, cookie string, form url.Values) page {
	o.t.Helper()
	o.cookie = ""
	return o.postOps(path, form, func(r *http.Request) {
		r.AddCookie(&http.Cookie{Name: "careerrelay_step", Value: cookie})
		r.AddCookie(&http.Cookie{Name: "careerrelay_language", Value: "en"})
	})
}

func TestTheCodeComesAfterThePassword(t *testing.T) {
	o := newOffice(t)
	secret, codes := o.withFactor("megumi")
	o.wait(time.Minute)
	got := o.tries("megumi", "a long password")
	if at := got.header.Get("Location"); at != "/login/code?to=%2Fjobs%3Fstate%3Ddead" || sessionIn(got) != "" {
		t.Fatalf("the password leads to %q with the session %q", at, sessionIn(got))
	}
	half := set(got, "careerrelay_step")
	o.cookie = half
	if got := o.show("/jobs", "en"); got.code != http.StatusSeeOther {
		t.Errorf("half a login opens pages: status %d", got.code)
	}
	wrong := o.step("/login/code", half, url.Values{"code": {"000000"}})
	if wrong.code != http.StatusUnauthorized || !strings.Contains(wrong.body, "was used before") {
		t.Errorf("a wrong code: status %d\n%s", wrong.code, wrong.body)
	}
	in := o.step(got.header.Get("Location"), half, url.Values{"code": {access.Code(secret, access.Step(o.clock()))}})
	if in.code != http.StatusSeeOther || in.header.Get("Location") != "/jobs?state=dead" || sessionIn(in) == "" || sessionIn(in) == half {
		t.Fatalf("the code: status %d to %q", in.code, in.header.Get("Location"))
	}
	again := o.step("/login/code", set(o.tries("megumi", "a long password"), "careerrelay_step"), url.Values{"code": {access.Code(secret, access.Step(o.clock()))}})
	if again.code != http.StatusUnauthorized {
		t.Errorf("the same code again: status %d", again.code)
	}
	recovered := o.step("/login/code", set(o.tries("megumi", "a long password"), "careerrelay_step"), url.Values{"code": {codes[0]}})
	if recovered.code != http.StatusSeeOther || sessionIn(recovered) == "" {
		t.Errorf("a recovery code: status %d", recovered.code)
	}
}

func TestGuessingCodesIsSlow(t *testing.T) {
	o := newOffice(t)
	secret, _ := o.withFactor("megumi")
	o.wait(time.Minute)
	half, limited := "", 0
	for i := range 11 {
		if i%5 == 0 {
			half = set(o.tries("megumi", "a long password"), "careerrelay_step")
		}
		if o.step("/login/code", half, url.Values{"code": {fmt.Sprint("guess", i)}}).code == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited != 1 {
		t.Errorf("%d of 11 guesses were refused, want 1", limited)
	}
	if got := o.step("/login/code", half, url.Values{"code": {access.Code(secret, access.Step(o.clock()))}}); got.code != http.StatusTooManyRequests {
		t.Errorf("then the right one: status %d", got.code)
	}
}

func TestARoleThatNeedsASecondFactor(t *testing.T) {
	o := newOffice(t)
	o.shared.Access = access.Settings{SecondFactor: []record.Role{record.Admin}}
	o.user("boss", record.Admin)
	o.user("megumi", record.Operator)
	if got := o.tries("megumi", "a long password"); sessionIn(got) == "" {
		t.Errorf("an operator needs none: to %q", got.header.Get("Location"))
	}
	got := o.tries("boss", "a long password")
	if at := got.header.Get("Location"); at != "/login/factor?to=%2Fjobs%3Fstate%3Ddead" || sessionIn(got) != "" {
		t.Fatalf("the password leads to %q", at)
	}
	half := set(got, "careerrelay_step")
	page := o.ask(http.MethodGet, "/login/factor", "", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "careerrelay_step", Value: half}) })
	secret := o.store.NewFactor(half)
	if !strings.Contains(page.body, `<svg class="qr"`) || !strings.Contains(page.body, access.SecretText(secret)) || !strings.Contains(page.body, "otpauth://totp/") {
		t.Errorf("the page has no secret:\n%s", page.body)
	}
	if got := o.step("/login/factor", half, url.Values{"code": {"000000"}}); got.code != http.StatusUnauthorized || sessionIn(got) != "" {
		t.Errorf("a wrong code: status %d", got.code)
	}
	in := o.step("/login/factor?to=/audit", half, url.Values{"code": {access.Code(secret, access.Step(o.clock()))}})
	if in.code != http.StatusOK || strings.Count(in.body, "<li><code>") != 10 || !strings.Contains(in.body, `href="/audit"`) {
		t.Fatalf("status %d\n%s", in.code, in.body)
	}
	if a, err := o.store.Session(t.Context(), sessionIn(in), time.Hour); err != nil || a.Role != record.Admin {
		t.Errorf("got %+v (%v)", a, err)
	}
}

// TestAStrangerLocksNobodyOut: whoever guesses at a name makes other strangers
// wait, and not its user.
func TestAStrangerLocksNobodyOut(t *testing.T) {
	o := newOffice(t, func(o *office) { o.ops.Accounts = quick{o.store} })
	device := set(o.tries("megumi", "a long password"), "careerrelay_device")
	if device == "" {
		t.Fatal("the browser is not known again")
	}
	from := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "careerrelay_device", Value: value}) }
	}
	for i := range 60 {
		o.tries(fmt.Sprint("megumi", strings.Repeat("x", i%3)), fmt.Sprint("guess ", i))
	}
	for name, tt := range map[string]struct {
		user, password string
		cookie         func(*http.Request)
		code           int
	}{
		"the user, from a known browser":        {"megumi", "a long password", from(device), http.StatusSeeOther},
		"the user, from a new one":              {"megumi", "a long password", func(*http.Request) {}, http.StatusTooManyRequests},
		"somebody with a made-up mark":          {"megumi", "a long password", from("GUESS.GUESS"), http.StatusTooManyRequests},
		"somebody with the mark of another one": {"ryo", "a long password", from(device), http.StatusTooManyRequests},
	} {
		if got := o.tries(tt.user, tt.password, tt.cookie); got.code != tt.code {
			t.Errorf("%s: status %d, want %d", name, got.code, tt.code)
		}
	}
	for i := range 6 {
		if got := o.tries("megumi", "guess", from(device)); (got.code == http.StatusTooManyRequests) != (i == 5) {
			t.Errorf("guess %d from a known browser: status %d", i, got.code)
		}
	}
}

func TestCookiesOverHTTPS(t *testing.T) {
	o := newOffice(t)
	o.user("megumi", record.Operator)
	https := func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }
	got := o.tries("megumi", "a long password", https)
	cookies := got.header.Values("Set-Cookie")
	if len(cookies) == 0 {
		t.Fatal("no cookies")
	}
	for _, c := range cookies {
		for _, want := range []string{"__Host-careerrelay_", "; Path=/;", "HttpOnly", "Secure", "SameSite=Lax"} {
			if !strings.Contains(c, want) || strings.Contains(c, "Domain") {
				t.Errorf("the cookie %q lacks %s", c, want)
			}
		}
	}
	session := set(got, "__Host-careerrelay_session")
	for name, tt := range map[string]struct {
		cookie string
		code   int
	}{
		"its own name":                     {"__Host-careerrelay_session", http.StatusOK},
		"one that a neighbour could plant": {"careerrelay_session", http.StatusSeeOther},
	} {
		got := o.ask(http.MethodGet, "/jobs", "", https, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: tt.cookie, Value: session}) })
		if got.code != tt.code {
			t.Errorf("%s: status %d, want %d", name, got.code, tt.code)
		}
	}
}

func TestASessionThatLiesIdleEnds(t *testing.T) {
	o := newOffice(t)
	o.shared.Access.Idle = ats.Duration(30 * time.Minute)
	o.login(record.Viewer)
	for range 3 {
		o.wait(20 * time.Minute)
		if got := o.show("/jobs", "ja"); got.code != http.StatusOK {
			t.Fatalf("in use: status %d", got.code)
		}
	}
	o.wait(30 * time.Minute)
	if got := o.show("/jobs", "ja"); got.code != http.StatusSeeOther {
		t.Errorf("after half an hour: status %d", got.code)
	}
}
