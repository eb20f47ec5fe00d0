package web

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/career-relay/connector/record"
)

// openAPI describes the API in OpenAPI 3.1, out of the table that registers
// its routes.
func openAPI(routes []apiRoute, version string) map[string]any {
	paths := map[string]any{
		"/openapi.json": map[string]any{"get": map[string]any{
			"operationId": "describe", "summary": "This document", "security": []any{},
			"responses": map[string]any{"200": answered("The description of the API", map[string]any{"type": "object"})},
		}},
	}
	for _, r := range routes {
		methods, ok := paths[r.path].(map[string]any)
		if !ok {
			methods = map[string]any{}
			paths[r.path] = methods
		}
		methods[strings.ToLower(r.method)] = r.operation()
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Career Relay connector: operations", "version": version,
			"description": "The verbs of the console and of the command line as JSON. Lists hold nothing personal; what is personal is shown by the reveal verbs, which note who looked and why. " +
				"Times are RFC 3339 in UTC. Lists are read page by page: pass next as after until it is empty.",
		},
		"servers":    []any{map[string]any{"url": apiBase}},
		"security":   []any{map[string]any{"token": []any{}}},
		"paths":      paths,
		"components": map[string]any{"schemas": components(), "securitySchemes": securitySchemes},
	}
}

var securitySchemes = map[string]any{"token": map[string]any{
	"type": "http", "scheme": "bearer",
	"description": "OPS_TOKEN, or a token made by careerrelay token add or in the console. It has a role, scopes (read, write, reveal, admin) and perhaps one company, whose rows are then all that there are.",
}}

// operation describes one route.
func (r apiRoute) operation() map[string]any {
	op := map[string]any{
		"operationId": r.id, "summary": r.summary, "tags": []any{strings.Split(r.path, "/")[1]},
		"description": r.needs(),
		"responses":   r.responses(),
	}
	if parameters := r.parameters(); len(parameters) > 0 {
		op["parameters"] = parameters
	}
	switch {
	case r.body == fileBody:
		op["requestBody"] = map[string]any{"required": true, "content": map[string]any{"application/octet-stream": map[string]any{"schema": map[string]any{"type": "string", "format": "binary"}}}}
	case r.body != "":
		op["requestBody"] = map[string]any{"required": true, "content": content(ref(r.body))}
	}
	return op
}

// needs says what a token must have.
func (r apiRoute) needs() string {
	text := "Needs the role " + string(r.role)
	if recruiters[r.method+" "+apiBase+ginPath(r.path)] {
		text += " or recruiter"
	}
	return text + " and the scope " + string(r.need()) + "."
}

var pathWord = regexp.MustCompile(`\{(\w+)\}`)

func (r apiRoute) parameters() []any {
	var out []any
	for _, m := range pathWord.FindAllStringSubmatch(r.path, -1) {
		out = append(out, map[string]any{"name": m[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	for _, word := range r.query {
		text, _ := consoleWords.say(english, "help.word."+word)
		schema := map[string]any{"type": "string"}
		switch word {
		case "limit":
			schema = map[string]any{"type": "integer", "minimum": 1, "maximum": record.MaxPage, "default": record.PageSize}
		case "all", "include_old":
			schema = map[string]any{"type": "boolean", "default": false}
		case "state":
			if states := r.states(); len(states) > 0 {
				schema["enum"] = states
			}
		}
		out = append(out, map[string]any{"name": word, "in": "query", "description": text, "schema": schema})
	}
	return out
}

// states returns the states of the noun that a route lists.
func (r apiRoute) states() []string {
	i := slices.IndexFunc(nouns, func(n noun) bool { return "/"+n.Path == r.path })
	if i < 0 {
		return nil
	}
	return nouns[i].States
}

func (r apiRoute) responses() map[string]any {
	schema := ref(r.answer)
	if r.list {
		schema = map[string]any{
			"type": "object", "required": []any{"items", "next"},
			"properties": map[string]any{
				"items": map[string]any{"type": "array", "items": ref(r.answer)},
				"next":  map[string]any{"type": "string", "description": "Pass as after to read the next page; empty on the last one."},
			},
		}
	}
	out := map[string]any{
		"200": answered("Done", schema),
		"401": refused("No token, or one that is not known, was revoked or has ended"),
		"403": refused("The token's role or scopes do not allow this"),
		"503": refused("Something we need does not answer; nothing was changed"),
	}
	if len(r.query) > 0 || r.body != "" {
		out["400"] = refused("The request cannot be carried out as it is written")
	}
	if pathWord.MatchString(r.path) || r.method == http.MethodPost && r.body != "Find" {
		out["404"] = refused("There is no such thing")
	}
	if r.method == http.MethodPost {
		out["409"] = refused("The thing is not in a state that allows this")
		limit := opsBody
		if r.body == fileBody {
			limit = maxFile
		}
		out["413"] = refused("The body has more than " + strconv.Itoa(limit) + " bytes")
	}
	return out
}

func answered(text string, schema map[string]any) map[string]any {
	return map[string]any{"description": text, "content": content(schema)}
}

func refused(text string) map[string]any {
	return map[string]any{"description": text, "content": map[string]any{"application/problem+json": map[string]any{"schema": ref("Problem")}}}
}

func content(schema map[string]any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

func ref(name string) map[string]any { return map[string]any{"$ref": "#/components/schemas/" + name} }

// components writes the schemas out.
func components() map[string]any {
	out := map[string]any{"PersonId": map[string]any{"type": "string", "description": "Our id of a person."}}
	for name, s := range schemas {
		properties := map[string]any{}
		required := []any{}
		for _, f := range s.fields() {
			properties[f.name] = f.schema()
			if !f.optional {
				required = append(required, f.name)
			}
		}
		object := map[string]any{"type": "object", "properties": properties, "required": required}
		if s.closed {
			object["additionalProperties"] = false
		}
		if s.text != "" {
			object["description"] = s.text
		}
		out[name] = object
	}
	return out
}

// A shape is a schema in short: one line for each field, "name kind text",
// where a kind with a question mark may be left out.
type shape struct {
	text   string
	closed bool   // nothing else is accepted
	of     string // a shape whose fields come first
	lines  string
}

type property struct {
	name, kind, text string
	optional         bool
}

func (s shape) fields() []property {
	var out []property
	if s.of != "" {
		out = schemas[s.of].fields()
	}
	for line := range strings.Lines(s.lines) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(words) < 2 {
			continue
		}
		f := property{name: words[0], kind: strings.TrimSuffix(words[1], "?"), optional: strings.HasSuffix(words[1], "?")}
		if len(words) == 3 {
			f.text = words[2]
		}
		out = append(out, f)
	}
	return out
}

// schema writes a property out: text, time, int, bool, counts, lists, a state of
// a noun (state:mails), another schema, or a list of either ([]Job).
func (f property) schema() map[string]any {
	s := maps.Clone(plainKinds[f.kind])
	element, isList := strings.CutPrefix(f.kind, "[]")
	path, isState := strings.CutPrefix(f.kind, "state:")
	switch {
	case s != nil:
	case isList:
		s = map[string]any{"type": "array", "items": property{kind: element}.schema()}
	case isState:
		s = map[string]any{"type": "string", "enum": apiRoute{path: "/" + path}.states()}
	default:
		s = ref(f.kind)
	}
	if f.text != "" {
		s["description"] = f.text
	}
	return s
}

var plainKinds = map[string]map[string]any{
	"text":   {"type": "string"},
	"time":   {"type": "string", "format": "date-time"},
	"null":   {"type": []any{"string", "null"}, "format": "date-time"},
	"int":    {"type": "integer"},
	"bool":   {"type": "boolean"},
	"counts": {"type": "object", "additionalProperties": map[string]any{"type": "integer"}},
	"texts":  {"type": "object", "additionalProperties": map[string]any{"type": "string"}},
	"lists":  {"type": "object", "additionalProperties": map[string]any{"type": "array", "items": map[string]any{"type": "string"}}},
}
