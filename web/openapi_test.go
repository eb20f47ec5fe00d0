package web

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/intake"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/store"
)

// apiOf returns the routes of the API and its description as a client
// reads it.
func apiOf(t *testing.T) (*gin.Engine, map[string]any) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Keys: [][]byte{bytes.Repeat([]byte{7}, 32)}, Migrate: true, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	k := &desk{Deps: Deps{Desk: db, Accounts: db, Now: db.Now, Log: slog.New(slog.DiscardHandler), Version: "v1.2.3"}}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	k.routeAPI(e)
	text, err := json.Marshal(openAPI(k.apiRoutes(), k.Version))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return e, doc
}

// at walks into a document.
func at(t *testing.T, v any, path ...string) any {
	t.Helper()
	for i, key := range path {
		m, ok := v.(map[string]any)
		if !ok || m[key] == nil {
			t.Fatalf("nothing at %s", strings.Join(path[:i+1], "."))
		}
		v = m[key]
	}
	return v
}

func TestEveryRouteIsDescribed(t *testing.T) {
	e, doc := apiOf(t)
	var routes, operations []string
	for _, r := range e.Routes() {
		path := regexp.MustCompile(`:(\w+)`).ReplaceAllString(strings.TrimPrefix(r.Path, apiBase), "{$1}")
		routes = append(routes, r.Method+" "+path)
	}
	for path, methods := range at(t, doc, "paths").(map[string]any) {
		for method := range methods.(map[string]any) {
			operations = append(operations, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(routes)
	slices.Sort(operations)
	if diff := cmp.Diff(routes, operations); diff != "" {
		t.Errorf("routes and their description differ (-routes +description):\n%s", diff)
	}
	if len(routes) < 30 {
		t.Errorf("%d routes; is that all?", len(routes))
	}
}

func TestTheDescriptionIsSound(t *testing.T) {
	_, doc := apiOf(t)
	if got := at(t, doc, "openapi"); got != "3.1.0" {
		t.Errorf("openapi: %v", got)
	}
	if got := at(t, doc, "info", "version"); got != "v1.2.3" {
		t.Errorf("info.version: %v", got)
	}
	ids := map[string]bool{}
	for path, methods := range at(t, doc, "paths").(map[string]any) {
		for method, v := range methods.(map[string]any) {
			op := v.(map[string]any)
			id := at(t, op, "operationId").(string)
			if ids[id] {
				t.Errorf("two operations are called %s", id)
			}
			ids[id] = true
			at(t, op, "summary")
			at(t, op, "responses", "200", "content", "application/json", "schema")
			if op["security"] == nil {
				at(t, op, "responses", "401", "content", "application/problem+json", "schema")
			}
			declared := map[string]bool{}
			parameters, _ := op["parameters"].([]any)
			for _, p := range parameters {
				name := at(t, p, "name").(string)
				declared[name] = true
				if in := at(t, p, "in"); in == "query" && at(t, p, "description") == "" {
					t.Errorf("%s %s: %s is not described", method, path, name)
				}
			}
			for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				if !declared[m[1]] {
					t.Errorf("%s %s: %s is not declared", method, path, m[1])
				}
			}
			if (method == "post") != (op["requestBody"] != nil) {
				t.Errorf("%s %s: a body is described: %v", method, path, op["requestBody"] != nil)
			}
		}
	}
	components := at(t, doc, "components", "schemas").(map[string]any)
	used := map[string]bool{}
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if r, ok := v["$ref"].(string); ok {
				name := strings.TrimPrefix(r, "#/components/schemas/")
				used[name] = true
				if components[name] == nil {
					t.Errorf("%s leads nowhere", r)
				}
			}
			if enum, ok := v["enum"].([]any); ok && len(enum) == 0 {
				t.Errorf("an empty enum in %v", v)
			}
			for _, x := range v {
				follow(x)
			}
		case []any:
			for _, x := range v {
				follow(x)
			}
		}
	}
	follow(doc)
	for name := range components {
		if !used[name] {
			t.Errorf("the schema %s is used nowhere", name)
		}
	}
}

// fill sets everything in v, as deep as it goes.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1_800_000_000, 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("x").Convert(v.Type().Key()), value)
	default:
		panic("no schema has a " + v.Kind().String())
	}
}

func keysOf(t *testing.T, v any) []string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(m))
}

// TestSchemasFitTheTypes compares each schema with what the program writes: all
// fields of a full value, and those of an empty one that are never left out.
func TestSchemasFitTheTypes(t *testing.T) {
	types := map[string]any{
		"Problem": problem{}, "Done": record.Done{}, "Delivery": record.Delivery{}, "DeliveryDetail": deliveryDetail{}, "Payload": raw{},
		"Application": record.Application{}, "ApplicationDetail": applicationDetail{}, "Candidate": ats.Candidate{}, "Check": record.Check{}, "Event": record.Event{},
		"Mail": record.Mail{}, "MailDetail": mailDetail{}, "Attempt": record.Attempt{}, "ProviderEvent": record.MailEvent{}, "Message": mail.Message{}, "Address": mail.Address{}, "Sender": mail.Sender{},
		"Job": record.Job{}, "JobDetail": jobDetail{}, "Batch": record.Batch{}, "BatchDetail": batchDetail{}, "Consent": record.Consent{},
		"Referral": record.Referral{}, "Party": relay.Party{}, "ReferralDetail": referralDetail{}, "Credit": record.Credit{}, "Slot": record.Slot{}, "Account": record.Account{},
		"Progress": record.Progress{}, "Result": record.Result{}, "Grave": record.Grave{}, "SecretUse": record.SecretUse{},
		"Told": record.Told{}, "Change": record.Change{}, "Difference": record.Difference{},
		"Alert": alertRow{}, "Audit": record.Audit{}, "Brake": record.Brake{}, "CompanyStatus": configs.Status{},
		"Upload": record.Upload{}, "Preset": record.Preset{}, "FilePreview": filePreview{}, "Label": intake.LabelCount{}, "Row": intake.Judged{}, "Imported": intake.Kept{},
		"SettingChange": configs.Change{}, "User": record.User{}, "Session": record.Session{}, "Token": record.Token{}, "NewToken": madeToken{}, "Verification": verification{},
	}
	bodies := []string{"Order", "Resolution", "Reason", "Find", "BrakeRelease", "TokenOrder", "Rerun", "Edit", "Explanation", "Import"} // read, not written
	for name, s := range schemas {
		if slices.Contains(bodies, name) {
			continue
		}
		empty, ok := types[name]
		if !ok {
			t.Errorf("%s: which type is it?", name)
			continue
		}
		full := reflect.New(reflect.TypeOf(empty)).Elem()
		fill(full)
		if name == "Application" || name == "ApplicationDetail" {
			for _, field := range []string{"Candidate"} { // set only by a reveal, which has its own answer
				full.FieldByName(field).SetZero()
			}
		}
		var all, required []string
		for _, f := range s.fields() {
			all = append(all, f.name)
			if !f.optional {
				required = append(required, f.name)
			}
		}
		slices.Sort(all)
		slices.Sort(required)
		if diff := cmp.Diff(keysOf(t, full.Interface()), all); diff != "" {
			t.Errorf("%s (-type +schema):\n%s", name, diff)
		}
		if diff := cmp.Diff(keysOf(t, empty), required); diff != "" {
			t.Errorf("%s, what is always there (-type +schema):\n%s", name, diff)
		}
	}
}
