package web_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
	"github.com/career-relay/connector/web"
)

// A right says who may use a route: a viewer and above (V), an operator and
// above (O), an admin (A), everybody without a login (-), and with an R beside
// it recruiters too. at is an example of its address; own says that it names
// something of acme's, which is nothing to a recruiter of another company.
type right struct {
	who string
	at  string
	own bool
}

// rights has an entry for every route of the address for operations. A new
// route needs one: decide who may use it.
func (o *office) rights() map[string]right {
	o.t.Helper()
	ctx := o.t.Context()
	app, letter := o.app("48213377"), o.mailOf("48213390")
	first := func(rows []record.Job, err error) record.Job { o.must(err); return rows[0] }
	job := first(o.store.Jobs(ctx, record.Filter{Company: "acme", State: "dead"})).ID
	deliveries, err := o.store.Deliveries(ctx, record.Filter{Company: "acme", Limit: 1})
	o.must(err)
	referrals, err := o.store.Referrals(ctx, record.Filter{Company: "acme", Limit: 1})
	o.must(err)
	consents, err := o.store.Consents(ctx, record.Filter{Company: "acme", Limit: 1})
	o.must(err)
	batches, err := o.store.Batches(ctx, record.Filter{Limit: 1})
	o.must(err)
	told, err := o.store.Alerts(ctx, record.Filter{Company: "acme", State: "open", Limit: 1})
	o.must(err)
	alert := "/alerts/" + told[0].ID
	file := o.listFile()
	delivery, referral, consent, batch := deliveries[0].ID, referrals[0].ID, consents[0].ID, batches[0].ID
	all := map[string]right{
		"GET /healthz": {"-", "", false}, "HEAD /healthz": {"-", "", false}, "GET /readyz": {"-", "", false}, "HEAD /readyz": {"-", "", false}, "GET /metrics": {"-", "", false},
		"GET /static/:name": {"-", "/static/mark.svg", false}, "GET /api/v1/openapi.json": {"-", "", false},
		"GET /login": {"-", "", false}, "POST /login": {"-", "", false}, "POST /login/demo": {"-", "", false}, "POST /language": {"-", "", false},
		"GET /login/code": {"-", "", false}, "POST /login/code": {"-", "", false}, "GET /login/factor": {"-", "", false}, "POST /login/factor": {"-", "", false},
		"POST /login/oidc": {"-", "", false}, "GET /login/oidc/callback": {"-", "", false},

		"GET /": {"VR", "", false}, "GET /help": {"VR", "", false}, "POST /find": {"VR", "", false}, "POST /logout": {"VR", "", false},
		"GET /mailbox": {"VR", "", false}, "GET /companies": {"V", "", false}, "GET /companies/:id": {"VR", "/companies/acme", true},
		"GET /applications": {"VR", "", false}, "GET /applications/:id": {"VR", "/applications/" + app.ID, true}, "POST /applications/:id/reveal": {"OR", "/applications/48213377/reveal", true},
		"GET /mails": {"VR", "", false}, "GET /mails/:id": {"VR", "/mails/" + letter.ID, true}, "GET /mails/:id/html": {"VR", "/mails/" + letter.ID + "/html", true}, "POST /mails/:id/reveal": {"OR", "/mails/" + letter.ID + "/reveal", true},
		"GET /deliveries": {"V", "", false}, "GET /deliveries/:id": {"V", "/deliveries/" + delivery, true}, "POST /deliveries/:id/reveal": {"O", "/deliveries/" + delivery + "/reveal", true},
		"GET /jobs": {"V", "", false}, "GET /jobs/:id": {"V", "/jobs/" + job, true},
		"GET /referrals": {"V", "", false}, "GET /referrals/:id": {"V", "/referrals/" + referral, true},
		"GET /consents": {"V", "", false}, "GET /consents/:id": {"V", "/consents/" + consent, true}, "POST /consents/:id/withdraw": {"O", "/consents/" + consent + "/withdraw", true},
		"GET /credits": {"V", "", false}, "GET /credits/:company": {"V", "/credits/acme", true},
		"GET /batches": {"V", "", false}, "GET /batches/:id": {"V", "/batches/" + batch, true}, "GET /batches/:id/results.csv": {"V", "/batches/" + batch + "/results.csv", true},
		"GET /dead-letters": {"V", "", false}, "GET /hold": {"V", "", false}, "GET /hold/brakes/:company": {"V", "/hold/brakes/northwind", false},
		"POST /hold/brakes/:company/vouch": {"O", "/hold/brakes/northwind/vouch", false}, "POST /hold/brakes/:company/release": {"O", "/hold/brakes/northwind/release", false},
		"GET /people/:id": {"V", "/people/" + app.PersonID, true}, "POST /people/:id/erase": {"O", "/people/" + app.PersonID + "/erase", true},
		"GET /alerts": {"V", "", false}, "GET /alerts/:id": {"V", alert, true}, "POST /alerts/:id/mute": {"O", alert + "/mute", true}, "POST /alerts/:id/unmute": {"O", alert + "/unmute", true},
		"POST /companies/:id/release": {"O", "/companies/acme/release", true},
		"GET /audit":                  {"V", "", false}, "GET /audit/export": {"V", "", false}, "GET /audit/verify": {"A", "", false},

		"GET /companies/:id/files": {"O", "/companies/acme/files", true}, "POST /companies/:id/files": {"O", "/companies/acme/files", true}, "GET /files/:id": {"O", "/files/" + file, true},
		"POST /files/:id/explain": {"O", "/files/" + file + "/explain", true}, "POST /files/:id/import": {"O", "/files/" + file + "/import", true}, "POST /files/:id/drop": {"O", "/files/none/drop", true},

		"GET /account": {"VR", "", false}, "GET /account/factor": {"VR", "", false}, "POST /account/factor": {"VR", "", false}, "POST /account/recovery": {"VR", "", false}, "POST /account/password": {"VR", "", false},
		"POST /account/tokens": {"VR", "", false}, "POST /account/tokens/:id/revoke": {"VR", "/account/tokens/none/revoke", false}, "POST /account/sessions/:id/end": {"VR", "/account/sessions/none/end", false},
		"GET /users": {"A", "", false}, "POST /users": {"A", "", false}, "GET /users/:name": {"A", "/users/who-viewer", false},
	}
	for _, verb := range []string{"role", "password", "disable", "enable", "factor", "sessions"} {
		all["POST /users/:name/"+verb] = right{"A", "/users/who-viewer/" + verb, false}
	}
	all["POST /users/:name/sessions/:id/end"] = right{"A", "/users/who-viewer/sessions/none/end", false}
	all["POST /users/:name/tokens/:id/revoke"] = right{"A", "/users/who-viewer/tokens/none/revoke", false}
	for _, verb := range []string{"pause", "resume", "cancel"} {
		all["POST /batches/:id/"+verb] = right{"O", "/batches/" + batch + "/" + verb, true}
		all["POST /api/v1/batches/:id/"+verb] = right{"O", "/api/v1/batches/" + batch + "/" + verb, true}
	}
	for _, verb := range []string{"edit", "ask"} {
		all["POST /mails/:id/"+verb] = right{"O", "/mails/" + letter.ID + "/" + verb, true}
		all["POST /api/v1/mails/:id/"+verb] = right{"O", "/api/v1/mails/" + letter.ID + "/" + verb, true}
	}
	for path, r := range map[string]right{
		"/jobs/retry": {"O", "?id=" + job, true}, "/jobs/cancel": {"O", "?id=" + job, true}, "/deliveries/replay": {"O", "?id=" + delivery, true}, "/referrals/retry": {"O", "?id=" + referral, true},
		"/mails/stop": {"OR", "?id=" + letter.ID, true}, "/mails/release": {"OR", "?id=" + letter.ID, true}, "/mails/cancel": {"OR", "?id=" + letter.ID, true}, "/mails/resolve": {"O", "?id=" + letter.ID, true},
		"/deliveries/release": {"O", "?id=" + delivery, true}, "/mails/retry": {"O", "?id=" + letter.ID, true}, "/mails/send": {"O", "?id=" + letter.ID, true},
	} {
		r.at = path + r.at
		all["GET "+path], all["POST "+path] = r, r
		r.at = "/api/v1" + path
		all["POST /api/v1"+path] = r
	}
	for path, r := range map[string]right{
		"GET /applications": {"VR", "", false}, "GET /applications/:id": {"VR", "/applications/48213377", true}, "POST /applications/:id/reveal": {"OR", "/applications/48213377/reveal", true},
		"GET /mails": {"VR", "", false}, "GET /mails/:id": {"VR", "/mails/" + letter.ID, true}, "POST /mails/:id/reveal": {"OR", "/mails/" + letter.ID + "/reveal", true},
		"GET /deliveries": {"V", "", false}, "GET /deliveries/:id": {"V", "/deliveries/" + delivery, true}, "POST /deliveries/:id/reveal": {"O", "/deliveries/" + delivery + "/reveal", true},
		"GET /jobs": {"V", "", false}, "GET /jobs/:id": {"V", "/jobs/" + job, true}, "GET /referrals": {"V", "", false}, "GET /referrals/:id": {"V", "/referrals/" + referral, true},
		"GET /consents": {"V", "", false}, "GET /consents/:id": {"V", "/consents/" + consent, true}, "POST /consents/:id/withdraw": {"O", "/consents/" + consent + "/withdraw", true},
		"GET /credits": {"V", "", false}, "GET /credits/:company": {"V", "/credits/acme", true}, "GET /batches": {"V", "", false}, "GET /batches/:id": {"V", "/batches/" + batch, true},
		"GET /batches/:id/results": {"V", "/batches/" + batch + "/results", true}, "GET /dead-letters": {"V", "", false}, "GET /deliveries/:id/difference": {"V", "/deliveries/" + delivery + "/difference", true},
		"GET /secrets": {"V", "", false}, "POST /companies/:id/ask-release": {"O", "/companies/acme/ask-release", true},
		"GET /audit": {"V", "", false}, "GET /audit/verify": {"A", "", false}, "GET /companies/status": {"VR", "", false}, "GET /brakes": {"VR", "", false},
		"GET /companies/:id/files": {"O", "/companies/acme/files", true}, "POST /companies/:id/files": {"O", "/companies/acme/files", true}, "GET /companies/:id/presets": {"O", "/companies/acme/presets", true},
		"GET /files/:id": {"O", "/files/" + file, true}, "POST /files/:id/explain": {"O", "/files/" + file + "/explain", true}, "POST /files/:id/import": {"O", "/files/" + file + "/import", true}, "POST /files/:id/drop": {"O", "/files/none/drop", true},
		"GET /alerts": {"V", "", false}, "GET /alerts/:id": {"V", alert, true}, "POST /alerts/:id/mute": {"O", alert + "/mute", true}, "POST /alerts/:id/unmute": {"O", alert + "/unmute", true},
		"POST /brakes/release": {"O", "", false},
		"POST /persons/find":   {"V", "", false}, "POST /persons/:id/erase": {"O", "/persons/" + app.PersonID + "/erase", true},
		"GET /users": {"A", "", false}, "POST /users/:name/disable": {"A", "/users/none/disable", false}, "POST /users/:name/enable": {"A", "/users/none/enable", false},
		"POST /users/:name/reset-factor": {"A", "/users/none/reset-factor", false}, "POST /users/:name/end-sessions": {"A", "/users/none/end-sessions", false},
		"GET /sessions": {"A", "", false}, "POST /sessions/:id/end": {"A", "/sessions/none/end", false},
		"GET /tokens": {"A", "", false}, "POST /tokens": {"A", "", false}, "POST /tokens/:id/revoke": {"A", "/tokens/none/revoke", false},
	} {
		method, rest, _ := strings.Cut(path, " ")
		if r.at == "" {
			r.at = rest
		}
		r.at = "/api/v1" + r.at
		all[method+" /api/v1"+rest] = r
	}
	for route, r := range all {
		if r.at == "" {
			_, r.at, _ = strings.Cut(route, " ")
			all[route] = r
		}
	}
	return all
}

// listFile uploads a list of applicants to acme and returns its id.
func (o *office) listFile() string {
	o.t.Helper()
	u, err := o.store.SaveUpload(o.t.Context(), record.System, record.Upload{Company: "acme", Connection: "list"}, []byte(fileHead+"F-1,森 樹,itsuki@example.jp,販売,不採用,\n"))
	o.must(err)
	return u.ID
}

// routes are the routes that there are.
func (o *office) routes() []string {
	o.t.Helper()
	engine, ok := web.Ops(o.ops).(*gin.Engine)
	if !ok {
		o.t.Fatal("the handler has no list of its routes")
	}
	var out []string
	for _, r := range engine.Routes() {
		out = append(out, r.Method+" "+r.Path)
	}
	slices.Sort(out)
	return out
}

// A guest is somebody who tries.
type guest struct {
	name, session, token string
	may                  string // which rights include them
	company              string
}

// guests are one of every kind.
func (o *office) guests() []guest {
	o.t.Helper()
	out := []guest{{name: "a stranger", may: "-"}}
	for _, g := range []struct {
		user record.User
		may  string
	}{
		{record.User{Name: "who-recruiter", Role: record.Recruiter, Company: "acme"}, "-R"},
		{record.User{Name: "who-other", Role: record.Recruiter, Company: "northwind"}, "-R"},
		{record.User{Name: "who-viewer", Role: record.Viewer}, "-V"},
		{record.User{Name: "who-operator", Role: record.Operator}, "-VO"},
		{record.User{Name: "who-admin", Role: record.Admin}, "-VOA"},
	} {
		out = append(out, o.guest(g.user, g.may))
	}
	return out
}

func (o *office) guest(u record.User, may string) guest {
	o.t.Helper()
	ctx := o.t.Context()
	_, err := o.store.SaveUser(ctx, record.System, u, "a long password")
	o.must(err)
	e, err := o.store.Login(ctx, u.Name, "a long password", record.Visit{})
	o.must(err)
	token, err := o.store.MakeToken(ctx, record.System, record.Token{User: u.Name, Name: "test"})
	o.must(err)
	return guest{name: u.Name, session: e.Token, token: token, may: may, company: u.Company}
}

// tries does what a route asks for, as far as that changes nothing: forms and
// bodies say too little.
func (o *office) triesRoute(g guest, method, at string) page {
	o.t.Helper()
	if strings.HasPrefix(at, "/api/") {
		o.cookie = ""
		body := ""
		if method == http.MethodPost {
			body = `{"nothing":true}`
		}
		return o.api(method, strings.TrimPrefix(at, "/api/v1"), body, g.token)
	}
	o.cookie = g.session
	if method != http.MethodPost {
		return o.ask(method, at, "", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "careerrelay_language", Value: "en"}) })
	}
	form := url.Values{"csrf": {"none"}}
	if g.session != "" {
		form.Set("csrf", o.csrf())
	}
	return o.postOps(at, form, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "careerrelay_language", Value: "en"}) })
}

// denied reports whether an answer turns somebody away for who they are.
func denied(p page) bool {
	return p.code == http.StatusUnauthorized && p.header.Get("WWW-Authenticate") != "" ||
		p.code == http.StatusForbidden && (strings.Contains(p.body, "Your role does not allow this") || strings.Contains(p.body, "urn:careerrelay:problem:forbidden")) ||
		p.code == http.StatusSeeOther && strings.HasPrefix(p.header.Get("Location"), "/login")
}

func TestEveryRouteOpensToWhoMayAndToNobodyElse(t *testing.T) {
	o := newOffice(t)
	o.seed()
	guests, rights := o.guests(), o.rights()
	routes := o.routes()
	for route := range rights {
		if !slices.Contains(routes, route) {
			t.Errorf("%s has a right and is no route", route)
		}
	}
	for _, route := range routes {
		r, ok := rights[route]
		if !ok {
			t.Errorf("%s: who may use it? Give it a right, and think of the recruiter of another company", route)
			continue
		}
		if route == "POST /logout" { // open to everybody who is in; TestLogout tries it
			continue
		}
		method, _, _ := strings.Cut(route, " ")
		for _, g := range guests {
			want := strings.ContainsAny(r.who, g.may)
			got := o.triesRoute(g, method, r.at)
			if strings.HasPrefix(r.at, "/login") { // leads back to the beginning by itself
				if got.code == http.StatusForbidden && strings.Contains(got.body, "Your role") {
					t.Errorf("%s to %s: status %d", g.name, route, got.code)
				}
				continue
			}
			if denied(got) == want {
				t.Errorf("%s to %s: status %d, may: %v\n%.300s", g.name, route, got.code, want, got.body)
			}
			if got.code >= 500 {
				t.Errorf("%s to %s: status %d\n%.300s", g.name, route, got.code, got.body)
			}
			if other := g.company == "northwind"; other && want && r.own && method == http.MethodGet && got.code != http.StatusNotFound {
				t.Errorf("%s to %s: status %d, want 404\n%.300s", g.name, route, got.code, got.body)
			}
			if g.company != "" && want && r.who != "-" {
				// What was typed, and the example of a filter, may be repeated.
				typed := strings.NewReplacer(r.at, "", r.at[strings.LastIndexByte(r.at, '/')+1:], "", `placeholder="company:acme state:dead since:7d"`, "")
				for _, foreign := range map[string][]string{"acme": {"northwind", "Northwind", "hoshizora", "Hoshizora", "N-0", "7001"}, "northwind": {"Acme", "acme", "48213377", "48213390", "Hoshizora"}}[g.company] {
					if method == http.MethodGet && strings.Contains(typed.Replace(got.body), foreign) && route != "GET /help" {
						t.Errorf("%s sees %q at %s", g.name, foreign, route)
					}
				}
			}
		}
	}
}

// TestARecruiterReachesNobodyElse tries everything that recruiters may do on
// the rows of another company, and looks for what is different from a row that
// does not exist.
func TestARecruiterReachesNobodyElse(t *testing.T) {
	o := newOffice(t)
	o.seed()
	own, other := o.guest(record.User{Name: "ken", Role: record.Recruiter, Company: "northwind"}, ""), o.app("48213377")
	letter := o.mailOf("48213390")
	o.api(http.MethodGet, "/mails", "", own.token) // the day of its use is kept
	before := o.snapshot()
	api := func(path, body string) page { return o.api(http.MethodPost, path, body, own.token) }
	reason := `{"reason":"a test"}`
	for name, p := range map[string]page{
		"revealing by our id":         api("/applications/"+other.ID+"/reveal", reason),
		"revealing by the vendor's":   api("/applications/48213377/reveal", reason),
		"revealing a mail":            api("/mails/"+letter.ID+"/reveal", reason),
		"stopping a mail":             api("/mails/stop", `{"id":"`+letter.ID+`","reason":"a test"}`),
		"cancelling a mail":           api("/mails/cancel", `{"id":"`+letter.ID+`","reason":"a test"}`),
		"cancelling a company's":      api("/mails/cancel", `{"filter":{"company":"acme"},"reason":"a test","dry_run":false}`),
		"cancelling a registration's": api("/mails/cancel", `{"filter":{"purpose":"relay_confirm"},"reason":"a test","dry_run":false}`),
		"releasing by application":    api("/mails/release", `{"filter":{"application":"48213390","company":"acme"},"reason":"a test","dry_run":false}`),
	} {
		if p.code != http.StatusNotFound {
			t.Errorf("%s: status %d\n%s", name, p.code, p.body)
		}
	}
	if p := api("/mails/cancel", `{"filter":{"application":"48213390"},"reason":"a test","dry_run":false}`); p.code != http.StatusOK || answer[record.Done](t, p).Matched != 0 {
		t.Errorf("cancelling by the vendor's id: status %d\n%s", p.code, p.body)
	}
	if p := api("/mails/cancel", `{"filter":{},"reason":"a test","dry_run":false}`); p.code != http.StatusBadRequest {
		t.Errorf("cancelling everything: status %d\n%s", p.code, p.body)
	}
	for _, list := range []string{"/applications", "/mails", "/applications?company=acme", "/mails?company=acme", "/mails?purpose=relay_confirm", "/applications?person=" + other.PersonID, "/mails?application=48213377", "/brakes?company=acme"} {
		for _, item := range answer[struct{ Items []map[string]any }](t, o.api(http.MethodGet, list, "", own.token)).Items {
			if item["company"] != "northwind" || item["purpose"] != nil && item["purpose"] != "thank_you" {
				t.Errorf("%s lists %v", list, item)
			}
		}
	}
	if items := answer[list](t, o.api(http.MethodGet, "/applications", "", own.token)).Items; len(items) != 5 {
		t.Errorf("of their own they see %d applications, want 5", len(items))
	}
	o.cookie = own.session
	for _, typed := range []string{"48213377", other.ID, letter.ID, other.PersonID, "misaki@example.jp", "髙橋 美咲"} {
		p := o.postOps("/find", url.Values{"q": {typed}})
		if p.code == http.StatusSeeOther || strings.Contains(p.body, other.PersonID+`"`) {
			t.Errorf("looking for %q: status %d to %q", typed, p.code, p.header.Get("Location"))
		}
	}
	if p := o.show("/", "en"); p.header.Get("Location") != "/companies/northwind" {
		t.Errorf("the overview leads to %q", p.header.Get("Location"))
	}
	if o.snapshot() != before {
		t.Error("a recruiter changed something of another company")
	}
}

// TestWhatARecruiterSeesOfAPerson: where somebody goes after the result is not
// the company's to know, unless they agreed to that.
func TestWhatARecruiterSeesOfAPerson(t *testing.T) {
	o := newOffice(t)
	o.seed()
	ken := o.guest(record.User{Name: "ken", Role: record.Recruiter, Company: "acme"}, "")
	for application, told := range map[string]bool{"48213377": false, "48213380": true} {
		got := answer[struct{ Consents, Referrals, Mails []map[string]any }](t, o.api(http.MethodGet, "/applications/"+application, "", ken.token))
		if len(got.Referrals) != 0 || len(got.Mails) != 1 || (len(got.Consents) > 0) != told {
			t.Errorf("%s: %d consents, %d referrals, %d mails", application, len(got.Consents), len(got.Referrals), len(got.Mails))
		}
		o.cookie = ken.session
		body := o.show("/applications/"+o.app(application).ID, "en").body
		for _, secret := range []string{"Links Jinzai", "/consents/", "/referrals/", "/people/", "/jobs/", "/deliveries/"} {
			if strings.Contains(body, secret) {
				t.Errorf("the page of %s has %q", application, secret)
			}
		}
	}
}

// TestARecruiterWorks holds, releases and cancels mails of their own company,
// and sees who applied there.
func TestARecruiterWorks(t *testing.T) {
	o := newOffice(t)
	o.seed()
	ken := o.guest(record.User{Name: "ken", Role: record.Recruiter, Company: "acme"}, "")
	o.cookie = ken.session
	letter := o.mailOf("48213390")
	if body := o.show("/mails/"+letter.ID, "en").body; !strings.Contains(body, "/mails/stop?id="+letter.ID) || strings.Contains(body, "/jobs/") {
		t.Errorf("the page of a mail:\n%s", body)
	}
	for _, verb := range []string{"stop", "release", "cancel"} {
		if got := o.postOps("/mails/"+verb+"?id="+letter.ID, url.Values{"reason": {"asked by the team"}}); got.code != http.StatusSeeOther {
			t.Fatalf("%s: status %d\n%s", verb, got.code, got.body)
		}
	}
	if m := o.mailOf("48213390"); m.State != record.MailCancelled {
		t.Errorf("the mail is %s", m.State)
	}
	if got := o.postOps("/applications/"+o.app("48213390").ID+"/reveal", url.Values{"reason": {"to call"}}); got.code != http.StatusSeeOther {
		t.Errorf("revealing: status %d\n%s", got.code, got.body)
	}
}

// TestNobodyIsOfferedWhatIsRefused follows every link of every page and sends
// every form that a page offers, empty.
func TestNobodyIsOfferedWhatIsRefused(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.rerun()
	o.must(o.store.AskRelease(t.Context(), record.System, "northwind", "a test"))
	offered := regexp.MustCompile(`(href|action|formaction)="(/[^"]*)"`)
	for _, u := range []record.User{
		{Name: "vera", Role: record.Viewer}, {Name: "rei", Role: record.Recruiter, Company: "acme"}, {Name: "ken", Role: record.Recruiter, Company: "northwind"}, {Name: "omar", Role: record.Operator},
	} {
		g := o.guest(u, "")
		o.cookie = g.session
		seen, forms := map[string]string{}, 0
		for name, path := range o.paths() {
			p := o.show(path, "en")
			if p.code != http.StatusOK {
				continue
			}
			for _, m := range offered.FindAllStringSubmatch(p.body, -1) {
				method, at := http.MethodGet, html.UnescapeString(m[2])
				if m[1] != "href" {
					method = http.MethodPost
				}
				at, _, _ = strings.Cut(at, "#")
				if !strings.HasPrefix(at, "/logout") && seen[method+" "+at] == "" {
					seen[method+" "+at] = name
				}
			}
		}
		for offer, name := range seen {
			method, at, _ := strings.Cut(offer, " ")
			if method == http.MethodPost {
				forms++
			}
			if got := o.triesRoute(g, method, at); denied(got) || got.code >= 500 {
				t.Errorf("%s offers %s %s: status %d", name, u.Name, offer, got.code)
			}
		}
		if len(seen) < 20 || forms < 2 {
			t.Errorf("%s was offered only %d links and forms, %d of them forms", u.Name, len(seen), forms)
		}
	}
}

// TestARecruiterStopsSeveral ends where a recruiter may look.
func TestARecruiterStopsSeveral(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.cookie = o.guest(record.User{Name: "ken", Role: record.Recruiter, Company: "northwind"}, "").session
	got := o.postOps("/mails/cancel?company=northwind&state=stopped", url.Values{"reason": {"asked by the team"}})
	to := got.header.Get("Location")
	if got.code != http.StatusSeeOther || to != "/mails?company=northwind" {
		t.Fatalf("status %d to %q\n%s", got.code, to, got.body)
	}
	if p := o.show(to, "en"); p.code != http.StatusOK {
		t.Errorf("%s: status %d", to, p.code)
	}
}

// TestScopes tries every route of the API with a token for everything but what
// the route needs, and with one for nothing else.
func TestScopes(t *testing.T) {
	o := newOffice(t)
	o.seed()
	_, err := o.store.AddUser(t.Context(), record.System, "robot", "a long password", record.Admin)
	o.must(err)
	token := func(scopes ...string) guest {
		t.Helper()
		k, err := o.store.MakeToken(t.Context(), record.System, record.Token{User: "robot", Name: "test", Scopes: access.Scopes(strings.Join(scopes, " "))})
		o.must(err)
		return guest{token: k}
	}
	all := []string{"read", "write", "reveal", "admin"}
	only, but := map[string]guest{}, map[string]guest{}
	for i, s := range all {
		only[s], but[s] = token(s), token(slices.Concat(all[:i], all[i+1:])...)
	}
	for route, r := range o.rights() {
		if !strings.Contains(route, "/api/") || r.who == "-" {
			continue
		}
		method, path, _ := strings.Cut(route, " ")
		need := "write"
		switch {
		case r.who == "A":
			need = "admin"
		case method == http.MethodGet, strings.HasSuffix(path, "/find"):
			need = "read"
		case strings.HasSuffix(path, "/reveal"):
			need = "reveal"
		}
		if got := o.triesRoute(but[need], method, r.at); got.code != http.StatusForbidden {
			t.Errorf("%s without %s: status %d\n%s", route, need, got.code, got.body)
		}
		if got := o.triesRoute(only[need], method, r.at); denied(got) {
			t.Errorf("%s with %s alone: status %d\n%s", route, need, got.code, got.body)
		}
	}
}

// TestATokenForOneCompany is fenced in, whatever its role.
func TestATokenForOneCompany(t *testing.T) {
	o := newOffice(t)
	o.seed()
	_, err := o.store.AddUser(t.Context(), record.System, "robot", "a long password", record.Admin)
	o.must(err)
	token, err := o.store.MakeToken(t.Context(), record.System, record.Token{User: "robot", Name: "test", Role: record.Operator, Company: "northwind"})
	o.must(err)
	for _, noun := range []string{"/deliveries", "/applications", "/mails", "/jobs", "/batches", "/referrals", "/consents", "/audit", "/companies/status", "/brakes?all=true", "/credits", "/secrets"} {
		p := o.api(http.MethodGet, noun, "", token)
		for _, item := range answer[list](t, p).Items {
			if item["company"] != "northwind" {
				t.Errorf("%s lists %v", noun, item)
			}
		}
	}
	if graves := answer[list](t, o.api(http.MethodGet, "/dead-letters", "", token)).Items; len(graves) != 0 {
		t.Errorf("it sees the dead of others: %v", graves)
	}
	for path, r := range o.rights() {
		if !r.own || !strings.HasPrefix(path, "GET /api/") {
			continue
		}
		if got := o.triesRoute(guest{token: token}, http.MethodGet, r.at); got.code != http.StatusNotFound {
			t.Errorf("%s: status %d\n%s", path, got.code, got.body)
		}
	}
	o.rerun()
	before := o.snapshot()
	foreign := map[string]string{"/persons/" + o.app("48213377").PersonID + "/erase": `{"reason":"x"}`, "/companies/acme/ask-release": `{"reason":"x"}`}
	for _, batch := range o.batches() { // one of them is of several companies
		for _, verb := range []string{"pause", "resume", "cancel"} {
			foreign["/batches/"+batch.ID+"/"+verb] = `{"reason":"x"}`
		}
		if got := o.api(http.MethodGet, "/batches/"+batch.ID+"/results", "", token); got.code != http.StatusNotFound {
			t.Errorf("the results of a batch: status %d\n%s", got.code, got.body)
		}
	}
	for _, verb := range []string{"edit", "ask"} {
		foreign["/mails/"+o.mailOf("48213383").ID+"/"+verb] = `{"reason":"x"}`
	}
	for _, path := range []string{"/deliveries/replay", "/deliveries/release", "/jobs/retry", "/mails/retry", "/mails/release", "/referrals/retry"} {
		foreign[path] = `{"filter":{"company":"acme"},"reason":"x","dry_run":false}`
	}
	foreign["/mails/send"] = `{"id":"` + o.mailOf("48213390").ID + `","reason":"x"}`
	for path, body := range foreign {
		if got := o.api(http.MethodPost, path, body, token); got.code != http.StatusNotFound {
			t.Errorf("%s: status %d\n%s", path, got.code, got.body)
		}
	}
	if got := answer[list](t, o.api(http.MethodPost, "/persons/find", `{"company":"acme","query":"misaki@example.jp"}`, token)); len(got.Items) != 0 {
		t.Errorf("it finds people of another company: %v", got.Items)
	}
	if o.snapshot() != before {
		t.Error("a token for one company changed another")
	}
}

// TestEveryFormIsOfThisSession sends every form without its token, from another
// site, and with the token of another session.
func TestEveryFormIsOfThisSession(t *testing.T) {
	o := newOffice(t)
	o.seed()
	boss, other := o.guest(record.User{Name: "boss", Role: record.Admin}, ""), o.guest(record.User{Name: "mallory", Role: record.Viewer}, "")
	rights := o.rights()
	o.cookie = other.session
	foreign := o.csrf()
	o.cookie = boss.session
	good := o.csrf()
	before := o.snapshot()
	tried := 0
	for _, route := range o.routes() {
		method, path, _ := strings.Cut(route, " ")
		if method != http.MethodPost || strings.HasPrefix(path, "/api/") {
			continue
		}
		tried++
		open := rights[route].who == "-" && path != "/language" // no session yet: the origin is all there is
		for name, c := range map[string]struct {
			csrf, site, origin string
			skip               bool
		}{
			"without a token":                {"none", "same-origin", o.base, open},
			"with the token of another":      {foreign, "same-origin", o.base, open},
			"from another site":              {good, "cross-site", "https://evil.test", false},
			"from a neighbour site":          {good, "same-site", "https://neighbour.test", false},
			"by an old browser, from a site": {good, "", "https://evil.test", false},
			"by an old browser, from a file": {good, "", "null", false},
		} {
			if c.skip {
				continue
			}
			form := url.Values{"csrf": {c.csrf}, "reason": {"x"}, "sure": {"yes"}, "name": {"boss"}, "password": {"a long password"}, "lang": {"en"}, "role": {"viewer"}, "code": {"000000"}}
			got := o.postOps(rights[route].at, form, func(r *http.Request) {
				r.Header.Set("Origin", c.origin)
				r.Header.Del("Sec-Fetch-Site")
				if c.site != "" {
					r.Header.Set("Sec-Fetch-Site", c.site)
				}
			})
			if got.code != http.StatusForbidden || got.header.Get("Set-Cookie") != "" {
				t.Errorf("%s %s: status %d, cookie %q", route, name, got.code, got.header.Get("Set-Cookie"))
			}
		}
	}
	if o.snapshot() != before {
		t.Error("a form from elsewhere changed the database")
	}
	if tried < 30 {
		t.Errorf("only %d forms were tried", tried)
	}
}

// deeds are valid requests, one for each route that changes something, and how
// many entries of the audit log they leave. A new route needs one.
func (o *office) deeds(boss guest) map[string]deed {
	o.t.Helper()
	ctx := o.t.Context()
	_, err := o.store.Login(ctx, "who-viewer", "a long password", record.Visit{})
	o.must(err)
	sessions, err := o.store.Sessions(ctx, "who-viewer", "", 1e15)
	o.must(err)
	_, err = o.store.Login(ctx, "boss", "a long password", record.Visit{})
	o.must(err)
	own, err := o.store.Sessions(ctx, "boss", boss.session, 1e15)
	o.must(err)
	own = slices.DeleteFunc(own, func(s record.Session) bool { return s.Current })
	tokens, err := o.store.Tokens(ctx, "who-viewer")
	o.must(err)
	more, err := o.store.Tokens(ctx, "boss")
	o.must(err)
	letter, unclear := o.mailOf("48213390"), o.mailOf("48213383")
	batch, err := o.store.Rerun(ctx, record.Rerun{
		Order: record.Order{Actor: record.System, Filter: record.Filter{Company: "acme", State: "dead", Kind: record.MailJob}, Reason: "a test"}, Verb: "retry", Noun: "job",
	}, nil)
	o.must(err)
	// What the volume brake stopped is released by somebody else than who vouched
	// for it, after looking at some of it.
	vouched := func() {
		o.must(o.store.AskRelease(ctx, record.Actor{Name: "user:who-admin", Role: record.Admin}, "northwind", "a test"))
	}
	samples := []string{o.mailOf("N-1").ID, o.mailOf("N-2").ID, o.mailOf("N-3").ID}
	looked := func() {
		vouched()
		for _, id := range samples {
			o.must(o.store.Audit(ctx, record.Actor{Name: "user:boss"}, record.Audit{Verb: "reveal", Noun: "mail", Subject: id, Company: "northwind", Reason: "a test"}))
		}
	}
	rights := o.rights()
	because := url.Values{"reason": {"a test"}}
	with := func(pairs ...string) url.Values {
		f := url.Values{"reason": {"a test"}}
		for i := 0; i < len(pairs); i += 2 {
			f.Set(pairs[i], pairs[i+1])
		}
		return f
	}
	form := func(route string, f url.Values) deed {
		return deed{at: rights[route].at, form: f, reason: "a test", company: "acme"}
	}
	all := map[string]deed{
		"POST /applications/:id/reveal":       form("POST /applications/:id/reveal", because),
		"POST /mails/:id/reveal":              form("POST /mails/:id/reveal", because),
		"POST /deliveries/:id/reveal":         form("POST /deliveries/:id/reveal", because),
		"POST /consents/:id/withdraw":         form("POST /consents/:id/withdraw", because),
		"POST /alerts/:id/mute":               form("POST /alerts/:id/mute", because),
		"POST /alerts/:id/unmute":             form("POST /alerts/:id/unmute", because),
		"POST /companies/:id/release":         {}, // TestBrakesAreReleased: it takes fifty mails to open one
		"POST /people/:id/erase":              form("POST /people/:id/erase", with("sure", "yes")),
		"POST /jobs/retry":                    {at: "/jobs/retry?company=acme&state=dead&kind=decode", form: because, reason: "a test", company: "acme"},
		"POST /jobs/cancel":                   {at: "/jobs/cancel?company=acme&state=waiting&kind=decode", form: because, reason: "a test", company: "acme"},
		"POST /deliveries/replay":             {at: "/deliveries/replay?company=acme&state=decoded", form: because, reason: "a test", company: "acme"},
		"POST /referrals/retry":               {at: "/referrals/retry?company=acme&state=failed", form: because, reason: "a test", company: "acme"},
		"POST /mails/stop":                    {at: "/mails/stop?id=" + letter.ID, form: because, reason: "a test", company: "acme"},
		"POST /mails/release":                 {at: "/mails/release?id=" + o.mailOf("N-0").ID, form: because, before: vouched, reason: "a test", company: "northwind"},
		"POST /mails/retry":                   {at: "/mails/retry?company=acme&state=failed", form: because, reason: "a test", company: "acme"},
		"POST /mails/send":                    {at: "/mails/send?id=" + letter.ID, form: because, reason: "a test", company: "acme"},
		"POST /mails/:id/edit":                form("POST /mails/:id/edit", with("line", "面接でのお話が印象に残りました。")),
		"POST /mails/:id/ask":                 {at: "/mails/" + unclear.ID + "/ask", form: because, reason: "a test", company: "acme"},
		"POST /deliveries/release":            {at: "/deliveries/release?company=acme&state=quarantined", form: because, reason: "a test", company: "acme"},
		"POST /batches/:id/pause":             {at: "/batches/" + batch.Batch + "/pause", form: because, reason: "a test", company: "acme"},
		"POST /batches/:id/resume":            {at: "/batches/" + batch.Batch + "/resume", form: because, reason: "a test", company: "acme"},
		"POST /batches/:id/cancel":            {at: "/batches/" + batch.Batch + "/cancel", form: because, reason: "a test", company: "acme"},
		"POST /hold/brakes/:company/vouch":    {at: "/hold/brakes/northwind/vouch", form: with("meant", "yes"), reason: "a test", company: "northwind"},
		"POST /hold/brakes/:company/release":  {at: "/hold/brakes/northwind/release", form: with("meant", "yes", "right", "yes"), before: looked, reason: "a test", company: "northwind"},
		"POST /mails/cancel":                  {at: "/mails/cancel?id=" + letter.ID, form: because, reason: "a test", company: "acme"},
		"POST /mails/resolve":                 {at: "/mails/resolve?company=acme&state=unclear", form: with("sent", "yes"), reason: "a test", company: "acme"},
		"POST /account/factor":                {at: "/account/factor", form: url.Values{"code": {"FACTOR"}}},
		"POST /account/recovery":              {at: "/account/recovery", form: url.Values{"code": {"RECOVERY"}}},
		"POST /account/password":              {at: "/account/password", form: url.Values{"old": {"a long password"}, "password": {"another long password"}}},
		"POST /account/tokens":                {at: "/account/tokens", form: url.Values{"name": {"ci"}, "scope": {"read"}}},
		"POST /account/tokens/:id/revoke":     {at: "/account/tokens/" + more[0].ID + "/revoke", form: url.Values{}, reason: "revoked by its owner"},
		"POST /account/sessions/:id/end":      {at: "/account/sessions/" + own[0].ID + "/end", form: url.Values{}},
		"POST /users":                         {at: "/users", form: url.Values{"name": {"ren"}, "role": {"recruiter"}, "company": {"acme"}, "password": {"a long password"}}, company: "acme"},
		"POST /users/:name/role":              {at: "/users/who-operator/role", form: with("role", "viewer"), reason: "a test"},
		"POST /users/:name/password":          {at: "/users/who-operator/password", form: url.Values{"password": {"another long password"}}},
		"POST /users/:name/disable":           {at: "/users/who-operator/disable", form: because, reason: "a test"},
		"POST /users/:name/enable":            {at: "/users/who-operator/enable", form: because, reason: "a test"},
		"POST /users/:name/factor":            {at: "/users/who-factor/factor", form: because, reason: "a test"},
		"POST /users/:name/sessions":          {at: "/users/who-admin/sessions", form: because, reason: "a test"},
		"POST /users/:name/sessions/:id/end":  {at: "/users/who-viewer/sessions/" + sessions[0].ID + "/end", form: url.Values{}},
		"POST /users/:name/tokens/:id/revoke": {at: "/users/who-viewer/tokens/" + tokens[0].ID + "/revoke", form: because, reason: "a test"},
		"POST /logout":                        {at: "/logout", form: url.Values{}},
		"POST /login":                         {at: "/login", form: url.Values{"name": {"who-viewer"}, "password": {"a long password"}}, stranger: true},
		// Change no row, or are tried by tests of their own.
		"POST /find": {}, "POST /language": {}, "POST /login/demo": {}, "POST /login/code": {}, "POST /login/factor": {}, "POST /login/oidc": {},

		"POST /api/v1/persons/find":              {},
		"POST /api/v1/applications/:id/reveal":   {at: "/applications/48213380/reveal", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/mails/:id/reveal":          {at: "/mails/" + o.mailOf("48213380").ID + "/reveal", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/deliveries/:id/reveal":     {at: strings.TrimPrefix(rights["POST /api/v1/deliveries/:id/reveal"].at, "/api/v1"), body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/consents/:id/withdraw":     {at: "/consents/" + o.consentOf("48213380") + "/withdraw", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/persons/:id/erase":         {at: "/persons/" + o.app("48213380").PersonID + "/erase", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/jobs/retry":                {at: "/jobs/retry", body: `{"filter":{"company":"acme","state":"waiting","kind":"mail"},"reason":"a test","dry_run":false}`, reason: "a test", company: "acme"},
		"POST /api/v1/jobs/cancel":               {at: "/jobs/cancel", body: `{"filter":{"company":"acme","kind":"decode","state":"waiting"},"reason":"a test","dry_run":false}`, reason: "a test", company: "acme"},
		"POST /api/v1/deliveries/replay":         {at: "/deliveries/replay", body: `{"filter":{"company":"acme","state":"decoded"},"reason":"a test","dry_run":false}`, reason: "a test", company: "acme"},
		"POST /api/v1/referrals/retry":           {at: "/referrals/retry", body: `{"filter":{"company":"acme"},"reason":"a test","dry_run":false}`, reason: "a test", company: "acme"},
		"POST /api/v1/mails/stop":                {at: "/mails/stop", body: `{"id":"` + letter.ID + `","reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/mails/release":             {at: "/mails/release", body: `{"filter":{"company":"northwind","state":"stopped"},"reason":"a test","dry_run":false}`, before: vouched, reason: "a test", company: "northwind"},
		"POST /api/v1/mails/retry":               {at: "/mails/retry", body: `{"filter":{"company":"acme","state":"failed"},"reason":"a test","dry_run":false}`, reason: "a test", company: "acme"},
		"POST /api/v1/mails/send":                {at: "/mails/send", body: `{"id":"` + letter.ID + `","reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/mails/:id/edit":            {at: "/mails/" + letter.ID + "/edit", body: `{"personal_line":"面接でのお話が印象に残りました。","reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/mails/:id/ask":             {at: "/mails/" + unclear.ID + "/ask", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/deliveries/release":        {at: "/deliveries/release", body: `{"filter":{"company":"acme"},"reason":"a test","dry_run":false}`, reason: "a test", company: "acme"},
		"POST /api/v1/batches/:id/pause":         {at: "/batches/" + batch.Batch + "/pause", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/batches/:id/resume":        {at: "/batches/" + batch.Batch + "/resume", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/batches/:id/cancel":        {at: "/batches/" + batch.Batch + "/cancel", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/companies/:id/ask-release": {at: "/companies/northwind/ask-release", body: `{"reason":"a test"}`, reason: "a test", company: "northwind"},
		"POST /api/v1/mails/cancel":              {at: "/mails/cancel", body: `{"id":"` + letter.ID + `","reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/mails/resolve":             {at: "/mails/resolve", body: `{"id":"` + o.mailOf("UN-1").ID + `","reason":"a test","sent":true}`, reason: "a test", company: "acme"},
		"POST /api/v1/users/:name/disable":       {at: "/users/who-api/disable", body: `{"reason":"a test"}`, reason: "a test"},
		"POST /api/v1/users/:name/enable":        {at: "/users/who-api/enable", body: `{"reason":"a test"}`, reason: "a test"},
		"POST /api/v1/users/:name/reset-factor":  {at: "/users/who-factor-2/reset-factor", body: `{"reason":"a test"}`, reason: "a test"},
		"POST /api/v1/users/:name/end-sessions":  {at: "/users/who-api/end-sessions", body: `{"reason":"a test"}`, reason: "a test"},
		"POST /api/v1/sessions/:id/end":          {at: "/sessions/SESSION/end", body: `{"reason":"a test"}`},
		"POST /api/v1/tokens":                    {at: "/tokens", body: `{"user":"who-api","name":"nightly","scopes":"read","company":"acme"}`, company: "acme"},
		"POST /api/v1/tokens/:id/revoke":         {at: "/tokens/TOKEN/revoke", body: `{"reason":"a test"}`, reason: "a test"},
		"POST /api/v1/companies/:id/files":       {at: "/companies/acme/files?connection=list", body: fileHead, company: "acme"},
		"POST /api/v1/files/:id/explain":         {at: "/files/" + o.listFile() + "/explain", body: `{"name":"a test","outcomes":{"×":"rejected"}}`, company: "acme"},
		"POST /api/v1/files/:id/import":          {at: "/files/" + o.listFile() + "/import", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/files/:id/drop":            {at: "/files/" + o.listFile() + "/drop", body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /companies/:id/files":              {}, // TestFilesInTheConsole: the form is one with a file
		"POST /files/:id/explain":                {at: "/files/" + o.listFile() + "/explain", form: url.Values{"name": {"a test"}, "label": {"×"}, "means": {"rejected"}}, company: "acme"},
		"POST /files/:id/import":                 {at: "/files/" + o.listFile() + "/import", form: url.Values{"reason": {"a test"}}, reason: "a test", company: "acme"},
		"POST /files/:id/drop":                   {at: "/files/" + o.listFile() + "/drop", form: url.Values{}, company: "acme"},
		"POST /api/v1/brakes/release":            {},
		"POST /api/v1/alerts/:id/mute":           {at: strings.TrimPrefix(rights["POST /api/v1/alerts/:id/mute"].at, "/api/v1"), body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
		"POST /api/v1/alerts/:id/unmute":         {at: strings.TrimPrefix(rights["POST /api/v1/alerts/:id/unmute"].at, "/api/v1"), body: `{"reason":"a test"}`, reason: "a test", company: "acme"},
	}
	return all
}

type deed struct {
	at              string
	form            url.Values
	body            string // of the API
	before          func() // what somebody else has to do before
	reason, company string // of the audit entry
	stranger        bool
}

// knowing is a transport that sent every mail.
type knowing struct{ mail.Mailbox }

func (knowing) Look(context.Context, mail.Message, time.Time) (string, error) { return "prov-9", nil }

func (o *office) consentOf(application string) string {
	o.t.Helper()
	found, err := o.store.Consents(o.t.Context(), record.Filter{Person: o.app(application).PersonID})
	o.must(err)
	return found[0].ID
}

// withFactor makes an account with a second factor.
func (o *office) withFactor(name string) (secret []byte, codes []string) {
	o.t.Helper()
	ctx := o.t.Context()
	_, err := o.store.AddUser(ctx, record.System, name, "a long password", record.Operator)
	o.must(err)
	e, err := o.store.Login(ctx, name, "a long password", record.Visit{})
	o.must(err)
	secret = o.store.NewFactor(e.Token)
	_, codes, err = o.store.SetFactor(ctx, e.Token, access.Code(secret, access.Step(o.clock())), record.Visit{})
	o.must(err)
	return secret, codes
}

func TestEveryDeedLeavesOneEntry(t *testing.T) {
	for name, api := range map[string]bool{"in the console": false, "in the API": true} {
		t.Run(name, func(t *testing.T) { everyDeed(t, api) })
	}
}

func everyDeed(t *testing.T, api bool) {
	t.Helper()
	o := newOffice(t)
	o.seed()
	o.tell("acme", o.event("UN-1", nil))
	o.send("UN-1", record.Settlement{State: record.MailUnclear, Reason: "the answer was cut off", Detail: "x", Job: record.Outcome{State: record.JobUnclear, Error: "x", Consumed: true}})
	o.guests()
	o.transport.Transport = knowing{}
	boss := o.guest(record.User{Name: "boss", Role: record.Admin}, "")
	o.guest(record.User{Name: "who-api", Role: record.Operator}, "")
	o.withFactor("who-factor")
	o.withFactor("who-factor-2")
	deeds := o.deeds(boss)
	for route := range deeds {
		if !slices.Contains(o.routes(), route) {
			t.Errorf("%s is no route", route)
		}
	}
	// In this order, because some take the ground from under others.
	order := slices.SortedFunc(slices.Values(o.routes()), func(a, b string) int {
		late := func(route string) int {
			for i, word := range []string{"/reveal", "/retry", "/replay", "/stop", "/mails/release", "/release", "/withdraw", "/account/tokens", "/account/sessions", "/account/factor", "/account/recovery", "/account/password", "/disable", "/enable", "/erase", "/logout"} {
				if strings.Contains(route, word) {
					return i + 1
				}
			}
			if strings.Contains(route, "cancel") {
				return 7
			}
			return 0
		}
		if x := late(a) - late(b); x != 0 {
			return x
		}
		return strings.Compare(a, b)
	})
	var codes []string
	for _, route := range order {
		method, path, _ := strings.Cut(route, " ")
		if method == http.MethodGet || method == http.MethodHead || strings.HasPrefix(path, "/api/") != api {
			continue
		}
		d, ok := deeds[route]
		if !ok {
			t.Errorf("%s: what is a valid request, and what does it leave in the audit log?", route)
			continue
		}
		if d.at == "" {
			continue
		}
		if d.before != nil {
			d.before()
		}
		actor := "user:boss"
		newest := o.newest()
		var got page
		switch {
		case strings.HasPrefix(path, "/api/"):
			actor = "token:boss/test"
			d.at, d.body = o.fill(d.at), o.fill(d.body)
			o.cookie = ""
			if route == "POST /api/v1/tokens/:id/revoke" || path == "/api/v1/tokens" || strings.Contains(path, "/users/") || strings.Contains(path, "/sessions/") || boss.token == "" {
				actor = "token:ops"
				got = o.api(method, d.at, d.body, "ops-secret")
			} else {
				got = o.api(method, d.at, d.body, boss.token)
				if got.code == http.StatusUnauthorized { // its token was revoked on the way
					actor = "token:ops"
					got = o.api(method, d.at, d.body, "ops-secret")
				}
			}
		case d.stranger:
			actor = "user:who-viewer"
			o.cookie = ""
			got = o.postOps(d.at, d.form)
		default:
			o.cookie, d.form = boss.session, maps.Clone(d.form) // it gets the token of this session
			switch d.form.Get("code") {
			case "FACTOR":
				d.form.Set("code", access.Code(o.store.NewFactor(boss.session), access.Step(o.clock())))
			case "RECOVERY":
				d.form.Set("code", codes[0])
			}
			got = o.postOps(d.at, d.form, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "careerrelay_language", Value: "en"}) })
			if next := sessionIn(got); next != "" {
				boss.session = next
			}
			if strings.Contains(got.body, `<ol class="codes">`) {
				codes = nil
				for _, part := range strings.Split(got.body, "<li><code>")[1:] {
					code, _, _ := strings.Cut(part, "<")
					codes = append(codes, code)
				}
			}
		}
		if got.code != http.StatusOK && got.code != http.StatusSeeOther || strings.Contains(got.body, `class="err"`) {
			t.Errorf("%s: status %d\n%s", route, got.code, got.body[max(len(got.body)-900, 0):])
			continue
		}
		left, err := o.store.Audits(t.Context(), record.Filter{Limit: 10})
		o.must(err)
		left = slices.DeleteFunc(left, func(a record.Audit) bool { return a.Seq <= newest })
		if len(left) != 1 {
			t.Errorf("%s leaves %d entries, want 1: %+v\n%.300s", route, len(left), left, got.body)
			continue
		}
		if a := left[0]; a.Actor != actor || a.Reason != d.reason || a.Company != d.company || a.Verb == "" || a.Noun == "" || a.Subject == "" {
			t.Errorf("%s leaves %+v, want the actor %s, the reason %q and the company %q", route, a, actor, d.reason, d.company)
		}
	}
	if _, err := o.store.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// fill puts the ids of rows that came to be on the way into a request.
func (o *office) fill(text string) string {
	o.t.Helper()
	ctx := o.t.Context()
	if strings.Contains(text, "SESSION") {
		all, err := o.store.Sessions(ctx, "who-api", "", 1e15)
		o.must(err)
		text = strings.ReplaceAll(text, "SESSION", all[0].ID)
	}
	if strings.Contains(text, "TOKEN") {
		all, err := o.store.Tokens(ctx, "who-api")
		o.must(err)
		text = strings.ReplaceAll(text, "TOKEN", all[len(all)-1].ID)
	}
	return text
}

func (o *office) newest() int64 {
	o.t.Helper()
	a, err := o.store.Audits(o.t.Context(), record.Filter{Limit: 1})
	o.must(err)
	return a[0].Seq
}

// sessionIn is the session that an answer sets; "" for none.
func sessionIn(p page) string { return set(p, "careerrelay_session") }

func TestExportingTheAuditLog(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.must(o.store.Audit(t.Context(), record.Actor{Name: "user:hana"}, record.Audit{Verb: "reveal", Noun: "mail", Subject: "m-1", Company: "acme", Reason: `=HYPERLINK("https://evil.test")`, Detail: "+1"}))
	o.login(record.Viewer)
	got := o.ask(http.MethodGet, "/audit/export?format=csv&company=acme&verb=reveal&actor=user:hana", "")
	if got.code != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") || !strings.Contains(got.header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("status %d, %v", got.code, got.header)
	}
	if !strings.Contains(got.body, `,"'=HYPERLINK(""https://evil.test"")",'+1,`) || strings.Count(got.body, "\n") != 2 {
		t.Errorf("got\n%s", got.body)
	}
	whole := o.ask(http.MethodGet, "/audit/export", "")
	seq := int64(0)
	for line := range strings.Lines(whole.body) {
		var a record.Audit
		if err := json.Unmarshal([]byte(line), &a); err != nil || a.Seq <= seq || a.Hash == "" {
			t.Fatalf("after %d comes %s (%v)", seq, line, err)
		}
		seq = a.Seq
	}
	if seq != o.newest() {
		t.Errorf("the export ends at %d, the log at %d", seq, o.newest())
	}
	for _, bad := range []string{"?format=xml", "?state=dead"} {
		if got := o.ask(http.MethodGet, "/audit/export"+bad, ""); got.code != http.StatusBadRequest {
			t.Errorf("%s: status %d", bad, got.code)
		}
	}
}

func TestVerifyingTheAuditLog(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.login(record.Admin)
	good := o.show("/audit/verify", "en")
	_, rest, _ := strings.Cut(good.body, `aria-label="The end of the log now">`)
	anchor, _, _ := strings.Cut(rest, "<")
	if good.code != http.StatusOK || !strings.Contains(anchor, ":") {
		t.Fatalf("status %d, anchor %q", good.code, anchor)
	}
	if got := answer[struct {
		Entries int
		Anchor  string
	}](t, o.api(http.MethodGet, "/audit/verify?anchor="+anchor, "", "ops-secret")); got.Entries == 0 || got.Anchor != anchor {
		t.Errorf("got %+v", got)
	}
	if got := o.show("/audit/verify?anchor=rubbish", "en"); got.code != http.StatusBadRequest {
		t.Errorf("rubbish for an anchor: status %d", got.code)
	}
	o.tamper(`UPDATE audit SET reason = 'other' WHERE seq = 2`)
	if got := o.show("/audit/verify", "en"); !strings.Contains(got.body, "The audit log was changed. Sound are the first 1 entry") || !strings.Contains(got.body, "audit entry 2 does not follow") {
		t.Errorf("a changed log:\n%s", got.body)
	}
	if got := o.api(http.MethodGet, "/audit/verify", "", "ops-secret"); got.code != http.StatusConflict {
		t.Errorf("a changed log: status %d", got.code)
	}
}

// tamper changes the database behind the back of the program.
func (o *office) tamper(statement string) {
	o.t.Helper()
	db, err := sql.Open("sqlite", "file:"+o.file)
	o.must(err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(o.t.Context(), statement)
	o.must(err)
}
