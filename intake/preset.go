package intake

import (
	"context"
	"maps"
	"slices"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/table"
	"github.com/career-relay/connector/record"
)

// Presets knows what companies explained about their files.
type Presets interface {
	Presets(ctx context.Context, company string) ([]record.Preset, error)
}

// FindPreset returns what a company saved under a name, an ats.NotFound error
// when there is none. No name is an empty preset.
func FindPreset(ctx context.Context, from Presets, company, name string) (record.Preset, error) {
	p := record.Preset{Company: company, Name: name}
	if name == "" {
		return p, nil
	}
	all, err := from.Presets(ctx, company)
	if err != nil {
		return p, err
	}
	for _, found := range all {
		if found.Name == name {
			return found, nil
		}
	}
	return p, ats.Errorf(ats.NotFound, "%s has no preset %s", company, name)
}

// By is a preset as files are read by it.
func By(p record.Preset) table.Preset {
	out := table.Preset{Encoding: p.Encoding, Delimiter: p.Delimiter, Header: p.Header, Outcomes: p.Outcomes}
	for _, header := range slices.Sorted(maps.Keys(p.Columns)) {
		if out.Columns == nil {
			out.Columns = map[string]table.Headers{}
		}
		name := p.Columns[header]
		out.Columns[name] = append(out.Columns[name], header)
	}
	return out
}
