package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/web"
)

// answer decodes the body of an answer.
func answer[T any](tb testing.TB, p page) T {
	tb.Helper()
	var v T
	if err := json.Unmarshal([]byte(p.body), &v); err != nil {
		tb.Fatalf("status %d, %v in\n%s", p.code, err, p.body)
	}
	return v
}

type problem struct {
	Type, Title, Detail string
	Status              int
}

type list struct {
	Items []map[string]any
	Next  string
}

func TestWhoMayUseTheAPI(t *testing.T) {
	o := newOffice(t)
	o.seed()
	viewer, operator, admin := o.token(record.Viewer), o.token(record.Operator), o.token(record.Admin)
	o.login(record.Admin) // a cookie is sent along and must not count
	order := `{"filter":{"state":"dead"}}`
	for name, tt := range map[string]struct {
		method, path, body, token string
		code                      int
	}{
		"nobody reads without a token":          {http.MethodGet, "/jobs", "", "", http.StatusUnauthorized},
		"nobody reads with a guessed token":     {http.MethodGet, "/jobs", "", "cr_GUESSED", http.StatusUnauthorized},
		"nobody acts without a token":           {http.MethodPost, "/jobs/retry", order, "", http.StatusUnauthorized},
		"a viewer reads":                        {http.MethodGet, "/jobs", "", viewer, http.StatusOK},
		"a viewer does not act":                 {http.MethodPost, "/jobs/retry", order, viewer, http.StatusForbidden},
		"a viewer does not reveal":              {http.MethodPost, "/applications/48213377/reveal", `{"reason":"x"}`, viewer, http.StatusForbidden},
		"a viewer does not erase":               {http.MethodPost, "/persons/P/erase", `{"reason":"x"}`, viewer, http.StatusForbidden},
		"a viewer does not withdraw":            {http.MethodPost, "/consents/C/withdraw", `{"reason":"x"}`, viewer, http.StatusForbidden},
		"an operator reads":                     {http.MethodGet, "/mails", "", operator, http.StatusOK},
		"an operator acts":                      {http.MethodPost, "/jobs/retry", order, operator, http.StatusOK},
		"an admin acts":                         {http.MethodPost, "/jobs/retry", order, admin, http.StatusOK},
		"OPS_TOKEN acts":                        {http.MethodPost, "/jobs/retry", order, "ops-secret", http.StatusOK},
		"a part of OPS_TOKEN is no token":       {http.MethodGet, "/jobs", "", "ops-secre", http.StatusUnauthorized},
		"a session is no token":                 {http.MethodGet, "/jobs", "", "SESSION", http.StatusUnauthorized},
		"the description needs no token":        {http.MethodGet, "/openapi.json", "", "", http.StatusOK},
		"an unknown route is said to be one":    {http.MethodGet, "/nothing", "", viewer, http.StatusNotFound},
		"a wrong method is said to be one":      {http.MethodDelete, "/jobs", "", viewer, http.StatusMethodNotAllowed},
		"a form's cookie does not open the API": {http.MethodGet, "/audit", "", "", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			token := tt.token
			if token == "SESSION" {
				token = o.cookie
			}
			got := o.api(tt.method, tt.path, tt.body, token)
			if got.code != tt.code {
				t.Fatalf("status %d, want %d\n%s", got.code, tt.code, got.body)
			}
			if tt.code < 400 {
				return
			}
			if kind := got.header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("a problem of type %q", kind)
			}
			p := answer[problem](t, got)
			if p.Status != tt.code || p.Title == "" || p.Detail == "" || p.Type == "" {
				t.Errorf("an incomplete problem: %+v", p)
			}
			if challenge := got.header.Get("WWW-Authenticate"); (challenge != "") != (tt.code == http.StatusUnauthorized) {
				t.Errorf("WWW-Authenticate: %q with status %d", challenge, tt.code)
			}
		})
	}
}

func TestNoTokenWhereNoneIsSet(t *testing.T) {
	o := newOffice(t, func(o *office) { o.ops.OpsToken = "" })
	if got := o.ask(http.MethodGet, "/api/v1/jobs", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }); got.code != http.StatusUnauthorized {
		t.Errorf("an empty token: status %d", got.code)
	}
}

func TestListsOfTheAPI(t *testing.T) {
	o := newOffice(t)
	o.seed()
	token := o.token(record.Viewer)
	person := o.app("48213377").PersonID
	for name, tt := range map[string]struct {
		path string
		want int
	}{
		"all companies' deliveries":           {"/deliveries?limit=200", 21},
		"deliveries in a state":               {"/deliveries?state=quarantined", 1},
		"deliveries of a vendor":              {"/deliveries?vendor=nobody", 0},
		"deliveries by reason":                {"/deliveries?error=no+rule", 3},
		"applications of a company":           {"/applications?company=northwind", 5},
		"an application by the vendor's id":   {"/applications?application=48213377", 1},
		"applications of a person":            {"/applications?person=" + person, 1},
		"mails that wait for a person":        {"/mails?state=stopped", 6},
		"mails of a purpose":                  {"/mails?purpose=relay_confirm", 2},
		"mails of a person":                   {"/mails?person=" + person, 3},
		"the next due mails first":            {"/mails?order=due&state=held&company=acme", 6},
		"jobs that stopped":                   {"/jobs?state=dead", 3},
		"jobs of a kind":                      {"/jobs?kind=referral", 2},
		"jobs by error":                       {"/jobs?error=transport", 1},
		"hand-overs that failed":              {"/referrals?state=failed", 1},
		"hand-overs to a recipient":           {"/referrals?recipient=links", 2},
		"consents to a purpose":               {"/consents?purpose=relay_handover", 2},
		"consents of a person":                {"/consents?person=" + person, 2},
		"what was done to many things":        {"/batches", 1},
		"nothing newer than this minute":      {"/deliveries?since=1m", 0},
		"nothing older than the first":        {"/deliveries?until=2026-11-01", 0},
		"the companies' files":                {"/companies/status", 4},
		"open brakes":                         {"/brakes", 1},
		"the brakes of one company":           {"/brakes?company=acme", 0},
		"alerts":                              {"/alerts", 4},
		"open alerts of one company":          {"/alerts?company=acme&state=open", 1},
		"alerts of one kind":                  {"/alerts?kind=licence", 1},
		"the ledgers of the companies":        {"/credits", 3},
		"what people did, newest first":       {"/audit?limit=1", 1},
		"what people did to one thing":        {"/audit?id=" + o.batches()[0].ID, 1},
		"deliveries that a batch reads again": {"/deliveries?batch=" + o.batches()[0].ID, 3},
	} {
		t.Run(name, func(t *testing.T) {
			got := o.api(http.MethodGet, tt.path, "", token)
			if got.code != http.StatusOK {
				t.Fatalf("status %d\n%s", got.code, got.body)
			}
			l := answer[list](t, got)
			if l.Items == nil || len(l.Items) != tt.want {
				t.Errorf("%d items, want %d\n%s", len(l.Items), tt.want, got.body)
			}
		})
	}
}

func (o *office) batches() []record.Batch {
	o.t.Helper()
	found, err := o.store.Batches(o.t.Context(), record.Filter{})
	o.must(err)
	return found
}

// TestPagesOfAList walks through a list and must meet every row once, though
// rows are added meanwhile.
func TestPagesOfAList(t *testing.T) {
	o := newOffice(t)
	for i := range 7 {
		o.deliver("acme", "greenhouse", fmt.Sprint("delivery ", i))
	}
	token := o.token(record.Viewer)
	for _, size := range []int{1, 3, 7, 200} {
		var seen []any
		after := ""
		for page := 0; ; page++ {
			l := answer[list](t, o.api(http.MethodGet, fmt.Sprintf("/deliveries?company=acme&until=2026-11-20T01:00:01Z&limit=%d&after=%s", size, after), "", token))
			for _, item := range l.Items {
				seen = append(seen, item["id"])
			}
			if after = l.Next; after == "" {
				break
			}
			if page > 10 {
				t.Fatal("the list has no end")
			}
			o.wait(2e9)
			o.deliver("acme", "greenhouse", fmt.Sprint("meanwhile ", size, page))
		}
		if unique := slices.Compact(slices.Clone(seen)); len(seen) != 7 || len(unique) != 7 {
			t.Errorf("in pages of %d: %d rows, %d different; want 7", size, len(seen), len(unique))
		}
	}
}

func TestWrongRequests(t *testing.T) {
	o := newOffice(t)
	o.seed()
	for name, tt := range map[string]struct {
		method, path, body string
		code               int
		says               string
	}{
		"a word that nothing has":               {http.MethodGet, "/jobs?sttae=dead", "", 400, `"sttae"`},
		"a word that this list does not have":   {http.MethodGet, "/consents?vendor=lever", "", 400, "vendor"},
		"a state that this list does not have":  {http.MethodGet, "/jobs?state=sent", "", 400, "dispatched"},
		"a limit beyond the page size":          {http.MethodGet, "/jobs?limit=201", "", 400, "200"},
		"a time that is none":                   {http.MethodGet, "/jobs?since=yesterday", "", 400, "2026-11-24"},
		"an address in a URL":                   {http.MethodGet, "/mails?email=a%40example.jp", "", 400, `"email"`},
		"a delivery that does not exist":        {http.MethodGet, "/deliveries/none", "", 404, "none"},
		"a job that does not exist":             {http.MethodGet, "/jobs/none", "", 404, "none"},
		"an application that does not exist":    {http.MethodGet, "/applications/none", "", 404, "none"},
		"a batch that does not exist":           {http.MethodGet, "/batches/none", "", 404, "none"},
		"a consent that does not exist":         {http.MethodGet, "/consents/none", "", 404, "none"},
		"the ledger of nobody":                  {http.MethodGet, "/credits/none", "", 404, "none"},
		"no body":                               {http.MethodPost, "/jobs/retry", "", 400, "empty"},
		"no object":                             {http.MethodPost, "/jobs/retry", "[]", 400, "body"},
		"two objects":                           {http.MethodPost, "/jobs/retry", `{"id":"x"} {}`, 400, "goes on"},
		"a field that is none":                  {http.MethodPost, "/jobs/retry", `{"ids":["x"]}`, 400, "ids"},
		"neither id nor filter":                 {http.MethodPost, "/jobs/retry", `{"reason":"x"}`, 400, "id or filter"},
		"id and filter":                         {http.MethodPost, "/jobs/retry", `{"id":"x","filter":{"state":"dead"}}`, 400, "id or filter"},
		"a filter that does not narrow":         {http.MethodPost, "/jobs/retry", `{"filter":{}}`, 400, "narrow"},
		"a filter with a word of another list":  {http.MethodPost, "/referrals/retry", `{"filter":{"vendor":"lever"}}`, 400, "vendor"},
		"a filter with a page":                  {http.MethodPost, "/jobs/retry", `{"filter":{"state":"dead","limit":"1"}}`, 400, "limit"},
		"an order without a reason":             {http.MethodPost, "/jobs/retry", `{"filter":{"state":"dead"},"dry_run":false}`, 400, "reason"},
		"an id that does not exist":             {http.MethodPost, "/jobs/retry", `{"id":"none","reason":"x"}`, 404, "none"},
		"an address without its company":        {http.MethodPost, "/mails/cancel", `{"filter":{"email":"a@example.jp"}}`, 400, "company"},
		"a resolution without its word":         {http.MethodPost, "/mails/resolve", `{"filter":{"state":"unclear"},"reason":"x","dry_run":false}`, 400, "sent"},
		"a reveal without a reason":             {http.MethodPost, "/applications/48213377/reveal", `{"reason":"  "}`, 400, "reason"},
		"a reveal of nothing":                   {http.MethodPost, "/mails/none/reveal", `{"reason":"x"}`, 404, "none"},
		"an erasure without a reason":           {http.MethodPost, "/persons/none/erase", `{}`, 400, "reason"},
		"an erasure of nobody":                  {http.MethodPost, "/persons/none/erase", `{"reason":"x"}`, 404, "none"},
		"a withdrawal of nothing":               {http.MethodPost, "/consents/none/withdraw", `{"reason":"x"}`, 404, "none"},
		"a search without a company":            {http.MethodPost, "/persons/find", `{"query":"a@example.jp"}`, 400, "company"},
		"a body beyond the limit":               {http.MethodPost, "/jobs/retry", `{"reason":"` + strings.Repeat("x", 70_000) + `"}`, 413, "bytes"},
		"the audit log beyond a page that fits": {http.MethodGet, "/audit?after=abc", "", 400, "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			got := o.api(tt.method, tt.path, tt.body, "ops-secret")
			if got.code != tt.code {
				t.Fatalf("status %d, want %d\n%s", got.code, tt.code, got.body)
			}
			p := answer[problem](t, got)
			if !strings.Contains(p.Detail, tt.says) {
				t.Errorf("detail %q does not say %q", p.Detail, tt.says)
			}
			if strings.Contains(got.body, "a@example.jp") {
				t.Errorf("the problem repeats an address:\n%s", got.body)
			}
		})
	}
}

func TestVerbsOfTheAPI(t *testing.T) {
	const because = `,"reason":"a test"`
	for name, tt := range map[string]struct {
		path, body string
		want       record.Done // without batch and ids
	}{
		"a filter only counts":                      {"/jobs/retry", `{"filter":{"state":"dead","company":"acme"}}`, record.Done{Verb: "retry", Matched: 3, Changed: 3, DryRun: true}},
		"a filter that is told to, acts":            {"/jobs/retry", `{"filter":{"state":"dead","company":"acme"},"dry_run":false` + because + `}`, record.Done{Verb: "retry", Matched: 3}},
		"an id is meant":                            {"/jobs/cancel", `{"id":"DEAD"` + because + `}`, record.Done{Verb: "cancel", Matched: 1, Changed: 1}},
		"an id can be tried out":                    {"/jobs/cancel", `{"id":"DEAD","dry_run":true}`, record.Done{Verb: "cancel", Matched: 1, Changed: 1, DryRun: true}},
		"deliveries are read again":                 {"/deliveries/replay", `{"filter":{"state":"parked"},"dry_run":false` + because + `}`, record.Done{Verb: "replay", Matched: 4}},
		"mails are released":                        {"/mails/release", `{"filter":{"company":"northwind"},"dry_run":false` + because + `}`, record.Done{Verb: "release", Matched: 5, Changed: 5}},
		"mails are stopped":                         {"/mails/stop", `{"filter":{"application":"48213390"},"dry_run":false` + because + `}`, record.Done{Verb: "stop", Matched: 1, Changed: 1}},
		"mails are cancelled by the address":        {"/mails/cancel", `{"filter":{"company":"acme","email":"person-48213390@example.jp"},"dry_run":false` + because + `}`, record.Done{Verb: "cancel", Matched: 1, Changed: 1}},
		"an unclear mail was sent":                  {"/mails/resolve", `{"filter":{"state":"unclear"},"sent":true,"dry_run":false` + because + `}`, record.Done{Verb: "resolve as sent", Matched: 1, Changed: 1}},
		"an unclear mail was not sent":              {"/mails/resolve", `{"filter":{"state":"unclear"},"sent":false,"dry_run":false` + because + `}`, record.Done{Verb: "resolve as not sent", Matched: 1, Changed: 1}},
		"hand-overs are tried again":                {"/referrals/retry", `{"filter":{"company":"acme"},"dry_run":false` + because + `}`, record.Done{Verb: "retry", Matched: 2}},
		"what cannot be changed is split by reason": {"/mails/release", `{"filter":{"company":"acme","purpose":"thank_you"}}`, record.Done{Verb: "release", Matched: 7, Changed: 1, DryRun: true, Skipped: map[string]int{"cancelled": 1, "failed": 1, "not stopped": 1, "sent": 2, "unclear": 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			o.seed()
			dead, err := o.store.Jobs(t.Context(), record.Filter{State: "dead", Kind: "decode"})
			o.must(err)
			o.must(o.store.AskRelease(t.Context(), record.Actor{Name: "user:ryo"}, "northwind", "they are meant"))
			before := o.snapshot()
			got := o.api(http.MethodPost, tt.path, strings.Replace(tt.body, "DEAD", dead[0].ID, 1), "ops-secret")
			if got.code != http.StatusOK {
				t.Fatalf("status %d\n%s", got.code, got.body)
			}
			done := answer[record.Done](t, got)
			if (done.Batch != "") != (done.Changed != 1 && !done.DryRun) { // several at once, or step by step
				t.Errorf("batch %q for %d changes", done.Batch, done.Changed)
			}
			if ids := slices.Concat(done.IDs, done.Samples[""]); len(ids) != done.Changed {
				t.Errorf("%d ids for %d changes", len(ids), done.Changed)
			}
			done.Batch, done.IDs, done.Samples = "", nil, nil
			if len(done.Skipped) == 0 {
				done.Skipped = nil
			}
			if diff := cmp.Diff(tt.want, done); diff != "" {
				t.Error(diff)
			}
			if unchanged := o.snapshot() == before; unchanged != tt.want.DryRun {
				t.Errorf("the database is unchanged: %v, after a dry run: %v", unchanged, tt.want.DryRun)
			}
			if tt.want.DryRun {
				return
			}
			entries, err := o.store.Audits(t.Context(), record.Filter{Limit: 1})
			o.must(err)
			if a := entries[0]; a.Actor != "token:ops" || a.Reason != "a test" || a.Verb != tt.want.Verb {
				t.Errorf("the audit log says %+v", a)
			}
		})
	}
}

func TestPeopleInTheAPI(t *testing.T) {
	o := newOffice(t)
	o.seed()
	app := o.app("48213377")
	find := func(query string) []string {
		t.Helper()
		body, err := json.Marshal(map[string]string{"company": "acme", "query": query})
		o.must(err)
		got := o.api(http.MethodPost, "/persons/find", string(body), "ops-secret")
		if got.code != http.StatusOK {
			t.Fatalf("status %d\n%s", got.code, got.body)
		}
		return answer[struct{ Items []string }](t, got).Items
	}
	for _, query := range []string{"misaki@example.jp", " MISAKI@example.jp ", "髙橋　美咲"} {
		if got := find(query); len(got) != 1 || got[0] != app.PersonID {
			t.Errorf("finding a person: %v, want %s", got, app.PersonID)
		}
	}
	if got := find("nobody@example.jp"); len(got) != 0 {
		t.Errorf("nobody is found as %v", got)
	}

	consents := answer[list](t, o.api(http.MethodGet, "/consents?purpose=relay_handover&person="+app.PersonID, "", "ops-secret")).Items
	if got := o.api(http.MethodPost, fmt.Sprintf("/consents/%s/withdraw", consents[0]["id"]), `{"reason":"by letter"}`, "ops-secret"); got.code != http.StatusOK {
		t.Fatalf("withdrawing: status %d\n%s", got.code, got.body)
	}
	if got := o.api(http.MethodPost, fmt.Sprintf("/consents/%s/withdraw", consents[0]["id"]), `{"reason":"by letter"}`, "ops-secret"); got.code != http.StatusConflict {
		t.Errorf("withdrawing twice: status %d", got.code)
	}
	got := o.api(http.MethodPost, "/persons/"+app.PersonID+"/erase", `{"reason":"by letter"}`, "ops-secret")
	if done := answer[record.Done](t, got); got.code != http.StatusOK || done.Changed != 1 {
		t.Fatalf("erasing: status %d\n%s", got.code, got.body)
	}
	if got := find("misaki@example.jp"); len(got) != 0 {
		t.Errorf("an erased person is found as %v", got)
	}
	if got := o.api(http.MethodPost, "/applications/"+app.ID+"/reveal", `{"reason":"x"}`, "ops-secret"); got.code != http.StatusNotFound {
		t.Errorf("revealing an erased person: status %d\n%s", got.code, got.body)
	}
}

// stateful are the deeds that not everything is in the state for.
var stateful = regexp.MustCompile(`/(edit|ask|pause|resume|cancel|mute|unmute)$`)

// TestAnswersAreAsDescribed compares what the API answers with its description,
// field by field.
func TestAnswersAreAsDescribed(t *testing.T) {
	o := newOffice(t)
	o.seed()
	o.token(record.Viewer)
	doc := answer[map[string]any](t, o.api(http.MethodGet, "/openapi.json", "", ""))
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	deliveries := answer[list](t, o.api(http.MethodGet, "/deliveries?application=48213377", "", "ops-secret")).Items
	for path, methods := range doc["paths"].(map[string]any) {
		for method, op := range methods.(map[string]any) {
			schema := op.(map[string]any)["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)
			body := `{"reason":"a test"}`
			switch {
			case path == "/mails/send":
				body = `{"id":"` + o.mailOf("48213390").ID + `","dry_run":true}`
			case strings.HasSuffix(path, "/find"):
				body = `{"company":"acme","query":"misaki@example.jp"}`
			case path == "/brakes/release": // there is none to be released; see TestBrakesAreReleased
				continue
			case path == "/tokens":
				body = `{"user":"robot-viewer","name":"nightly"}`
			case method == "post" && !strings.Contains(path, "{"):
				body = `{"filter":{"company":"acme"}}`
			case strings.HasSuffix(path, "/withdraw"), strings.HasSuffix(path, "/erase"), strings.HasPrefix(path, "/users/"), strings.HasSuffix(path, "/revoke"), strings.HasSuffix(path, "/end"): // answer the same shape as the other verbs
				continue
			}
			ids := []string{""}
			if noun, _, ok := strings.Cut(path[1:], "/{id}"); ok {
				ids = nil
				for _, item := range answer[list](t, o.api(http.MethodGet, "/"+noun, "", "ops-secret")).Items {
					ids = append(ids, item["id"].(string))
				}
				if strings.HasSuffix(path, "/reveal") {
					ids = []string{map[string]string{"mails": o.mailOf("48213377").ID, "applications": "48213377", "deliveries": fmt.Sprint(deliveries[0]["id"])}[noun]}
				}
			}
			for _, id := range ids {
				at := strings.NewReplacer("{id}", id, "{company}", "acme").Replace(path)
				if method == "get" {
					body = ""
				}
				got := o.api(strings.ToUpper(method), at, body, "ops-secret")
				if got.code == http.StatusConflict && stateful.MatchString(path) {
					continue
				}
				if got.code != http.StatusOK {
					t.Errorf("%s %s: status %d\n%s", method, at, got.code, got.body)
					continue
				}
				for _, wrong := range unlike(schemas, schema, answer[any](t, got), "") {
					t.Errorf("%s %s: %s", method, path, wrong)
				}
			}
		}
	}
}

// unlike says where a value is not as its schema describes it.
func unlike(schemas, schema map[string]any, v any, where string) []string {
	if name, ok := schema["$ref"].(string); ok {
		schema = schemas[strings.TrimPrefix(name, "#/components/schemas/")].(map[string]any)
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		return []string{fmt.Sprintf("%s: %v is not one of %v", where, v, enum)}
	}
	var wrong []string
	switch v := v.(type) {
	case map[string]any:
		properties, ok := schema["properties"].(map[string]any)
		if !ok {
			return nil // any object
		}
		for name, value := range v {
			if property, ok := properties[name].(map[string]any); ok {
				wrong = append(wrong, unlike(schemas, property, value, where+"."+name)...)
			} else {
				wrong = append(wrong, where+"."+name+" is not described")
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				wrong = append(wrong, fmt.Sprintf("%s.%v is missing", where, name))
			}
		}
	case []any:
		for _, item := range v {
			wrong = append(wrong, unlike(schemas, schema["items"].(map[string]any), item, where+"[]")...)
		}
	default:
		kind := map[string]any{"string": "", "integer": 0.0, "boolean": false}
		kinds, several := schema["type"].([]any)
		if !several {
			kinds = []any{schema["type"]}
		}
		if !slices.ContainsFunc(kinds, func(k any) bool {
			return k == "null" && v == nil || k != "null" && fmt.Sprintf("%T", kind[fmt.Sprint(k)]) == fmt.Sprintf("%T", v)
		}) {
			wrong = append(wrong, fmt.Sprintf("%s: %v is not of type %v", where, v, schema["type"]))
		}
	}
	return wrong
}

// leaving is a desk whose visitor hangs up while an order is carried out.
type leaving struct {
	web.Desk
	hangUp func()
	left   chan error
}

func (l leaving) Rerun(ctx context.Context, _ record.Rerun, _ record.Terms) (record.Done, error) {
	l.hangUp()
	time.Sleep(50 * time.Millisecond) // for the server to notice
	l.left <- ctx.Err()
	return record.Done{}, nil
}

func TestAnOrderOutlivesItsConnection(t *testing.T) {
	l := leaving{left: make(chan error, 1)}
	ctx, hangUp := context.WithCancel(t.Context())
	l.hangUp = hangUp
	o := newOffice(t, func(o *office) { l.Desk, o.ops.Desk = o.store, l })
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.base+"/api/v1/jobs/retry", strings.NewReader(`{"id":"x","reason":"y"}`))
	o.must(err)
	r.Header.Set("Authorization", "Bearer ops-secret")
	if res, err := http.DefaultClient.Do(r); err == nil {
		_ = res.Body.Close()
		t.Fatal("the connection was not cut")
	}
	if err := <-l.left; err != nil {
		t.Errorf("the order was cut off: %v", err)
	}
}

// TestNothingPersonalInTheAPI reads every list and every row; only reveal may
// name a person, and then it is in the audit log.
func TestNothingPersonalInTheAPI(t *testing.T) {
	o := newOffice(t)
	o.seed()
	personal := regexp.MustCompile(`[A-Za-z0-9._-]+@example\.jp|髙橋|美咲|佐藤`)
	for _, noun := range []string{"deliveries", "applications", "mails", "jobs", "batches", "referrals", "consents", "alerts", "audit", "companies/status", "brakes", "credits"} {
		got := o.api(http.MethodGet, "/"+noun, "", "ops-secret")
		if found := personal.FindString(got.body); found != "" {
			t.Errorf("the list of %s holds %q", noun, found)
		}
		for _, item := range answer[list](t, got).Items {
			id, ok := item["id"].(string)
			if !ok || noun == "brakes" {
				continue
			}
			one := o.api(http.MethodGet, "/"+noun+"/"+id, "", "ops-secret")
			if found := personal.FindString(one.body); found != "" || one.code != http.StatusOK {
				t.Errorf("one of %s: status %d, holds %q", noun, one.code, found)
			}
		}
	}

	deliveries := answer[list](t, o.api(http.MethodGet, "/deliveries?application=48213377", "", "ops-secret")).Items
	for path, want := range map[string]string{
		"/applications/48213377/reveal":                           `"email":"misaki@example.jp"`,
		"/mails/" + o.mailOf("48213377").ID + "/reveal":           `"address":"misaki@example.jp"`,
		fmt.Sprintf("/deliveries/%s/reveal", deliveries[0]["id"]): `misaki@example.jp`,
	} {
		got := o.api(http.MethodPost, path, `{"reason":"she asked"}`, "ops-secret")
		if got.code != http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("%s: status %d, want %s in\n%s", path, got.code, want, got.body)
		}
		entries, err := o.store.Audits(t.Context(), record.Filter{Limit: 1})
		o.must(err)
		if a := entries[0]; a.Verb != "reveal" || a.Reason != "she asked" || a.Actor != "token:ops" || a.Company != "acme" {
			t.Errorf("after %s the audit log says %+v", path, a)
		}
	}
	if found := personal.FindString(o.log.String()); found != "" {
		t.Errorf("the log holds %q", found)
	}
	if got := url.QueryEscape(o.batches()[0].Filter); personal.MatchString(got) {
		t.Errorf("a batch holds %q", got)
	}
}
