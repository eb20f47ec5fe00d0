// Package all lists the vendors.
package all

import (
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/ashby"
	"github.com/career-relay/connector/connectors/breezy"
	"github.com/career-relay/connector/connectors/greenhouse"
	herphire "github.com/career-relay/connector/connectors/herp-hire"
	"github.com/career-relay/connector/connectors/icims"
	"github.com/career-relay/connector/connectors/jobadder"
	"github.com/career-relay/connector/connectors/kanrikun"
	"github.com/career-relay/connector/connectors/kintone"
	"github.com/career-relay/connector/connectors/kombo"
	"github.com/career-relay/connector/connectors/lever"
	"github.com/career-relay/connector/connectors/merge"
	"github.com/career-relay/connector/connectors/pinpoint"
	"github.com/career-relay/connector/connectors/recruitee"
	salesforce "github.com/career-relay/connector/connectors/salesforce-outbound"
	"github.com/career-relay/connector/connectors/smartrecruiters"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/connectors/stackone"
	"github.com/career-relay/connector/connectors/talentio"
	"github.com/career-relay/connector/connectors/teamtailor"
	unifiedto "github.com/career-relay/connector/connectors/unified-to"
	"github.com/career-relay/connector/connectors/workable"
	zohorecruit "github.com/career-relay/connector/connectors/zoho-recruit"
)

// coded lists the vendors that need more than a connector.yaml.
var coded = map[string]func(spec.Spec, connectors.Env, func(any) error) (connectors.Connector, error){
	"ashby":               ashby.Open,
	"breezy":              breezy.Open,
	"greenhouse":          greenhouse.Open,
	"herp-hire":           herphire.Open,
	"icims":               icims.Open,
	"jobadder":            jobadder.Open,
	"kanrikun":            kanrikun.Open,
	"kintone":             kintone.Open,
	"kombo":               kombo.Open,
	"lever":               lever.Open,
	"merge":               merge.Open,
	"pinpoint":            pinpoint.Open,
	"recruitee":           recruitee.Open,
	"salesforce-outbound": salesforce.Open,
	"smartrecruiters":     smartrecruiters.Open,
	"stackone":            stackone.Open,
	"talentio":            talentio.Open,
	"teamtailor":          teamtailor.Open,
	"unified-to":          unifiedto.Open,
	"workable":            workable.Open,
	"zoho-recruit":        zohorecruit.Open,
}

// Vendors lists the vendors that are part of the program.
func Vendors() []string {
	files, err := fs.Glob(connectors.Files, "*/"+spec.File)
	if err != nil { // the pattern is a constant
		return nil
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = file[:len(file)-len("/"+spec.File)]
	}
	return names
}

// Factories returns how connections to each vendor are opened. A vendor's file
// is read when its first connection is.
func Factories() map[string]connectors.Factory {
	out := map[string]connectors.Factory{}
	for _, vendor := range Vendors() {
		open := spec.Open
		if code := coded[vendor]; code != nil {
			open = code
		}
		load := sync.OnceValues(func() (spec.Spec, error) { return spec.Shipped(vendor) })
		out[vendor] = func(env connectors.Env, decode func(any) error) (connectors.Connector, error) {
			s, err := load()
			if err != nil {
				return nil, err
			}
			return open(s, env, decode)
		}
	}
	return out
}

// Folder reads a customer's own connector.yaml from a folder of the customer's
// configuration. Its vendor must not be one of the program's.
func Folder(folder fs.FS) (vendor string, open connectors.Factory, err error) {
	s, err := spec.Load(folder)
	if err != nil {
		return "", nil, err
	}
	switch {
	case slices.Contains(Vendors(), s.Vendor):
		return "", nil, ats.Errorf(ats.Invalid, "%s: vendor: %s is a connector of the program; choose another name", spec.File, s.Vendor)
	case s.Code:
		return "", nil, ats.Errorf(ats.Invalid, "%s: code: only a connector of the program has code", spec.File)
	case s.Trust == "hint":
		return "", nil, ats.Errorf(ats.Invalid, "%s: trust: a hint needs code that reads the vendor's API", spec.File)
	}
	return s.Vendor, spec.Factory(s), nil
}

// Samples lists the sample cases of a vendor.
func Samples(vendor string) ([]string, error) {
	folder, err := folder(vendor)
	if err != nil {
		return nil, err
	}
	return spec.Samples(folder)
}

// Sample returns a vendor's sample as if it arrived now, still without a
// signature: the connection's Sign makes it.
func Sample(vendor, name string, now time.Time) (connectors.Payload, error) {
	folder, err := folder(vendor)
	if err != nil {
		return connectors.Payload{}, err
	}
	p, err := spec.Sample(folder, name)
	if err != nil {
		return p, err
	}
	return spec.Fresh(p, now), nil
}

func folder(vendor string) (fs.FS, error) {
	if !slices.Contains(Vendors(), vendor) {
		return nil, ats.Errorf(ats.NotFound, "no vendor %s", vendor)
	}
	return fs.Sub(connectors.Files, vendor)
}
