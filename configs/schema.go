package configs

import (
	"bytes"
	"encoding/json"
	"maps"
)

// Schema is the JSON Schema of a company's file, for editors.
func Schema() []byte {
	root := companyFile.schema()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Company file of Career Relay"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(root) // maps, lists and texts can always be written
	return b.Bytes()
}

func (s *shape) schema() map[string]any {
	out := map[string]any{}
	switch {
	case s.either != nil:
		var all []any
		for _, one := range s.either {
			all = append(all, one.schema())
		}
		out["anyOf"] = all
	case s.words != nil:
		out["enum"] = s.words
	case s.list != nil:
		out["type"], out["items"] = "array", s.list.schema()
	case s.each != nil:
		out["type"], out["additionalProperties"] = "object", s.each.schema()
	case s.fields != nil:
		s.keysSchema(out)
	default:
		out = maps.Clone(s.kind.schema)
	}
	if s.about != "" {
		out["description"] = s.about
	}
	return out
}

func (s *shape) keysSchema(out map[string]any) {
	properties := map[string]any{}
	var required []string
	for _, f := range s.fields {
		p := f.schema()
		if f.preset != "" {
			var v any
			if err := preset(f.preset).Decode(&v); err == nil {
				p["default"] = v
			}
		}
		if f.required {
			required = append(required, f.key)
		}
		properties[f.key] = p
	}
	out["type"], out["properties"] = "object", properties
	if required != nil {
		out["required"] = required
	}
	if !s.open {
		out["additionalProperties"] = false
	}
}
