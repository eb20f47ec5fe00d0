package configs

import (
	"io/fs"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
)

// A Connection is one company's account at one vendor.
type Connection struct {
	Vendor string `yaml:"vendor"`
	// Quarantine is how long deliveries with a bad signature are kept; 0 refuses them unkept.
	Quarantine ats.Duration `yaml:"quarantine"`
	// Paused connections take deliveries, but nothing follows from them.
	Paused bool `yaml:"paused"`
	Poll   Poll `yaml:"poll"`
	// Silence is after how many business days without news somebody is told; 0
	// for never.
	Silence int `yaml:"silence"`
	// Own holds the connector.yaml of a vendor that only this company has; nil
	// for the vendors of the program.
	Own fs.FS `yaml:"-"`

	file     *file
	path     string
	settings *yaml.Node // the vendor's part, with the values of its references
}

// Poll says how often a vendor without webhooks is asked for news.
type Poll struct {
	Every ats.Duration `yaml:"every"`
}

// ownKeys are the keys that Connection itself reads. A vendor gets them only if
// its settings type has them too.
var ownKeys = []string{"vendor", "quarantine", "paused", "poll", "silence", "connector"}

// Decode fills v, a vendor's settings type, strictly from the file: an unknown
// key is an error with file and line. A connection that was not loaded from a
// file fills nothing.
func (c Connection) Decode(v any) error {
	if c.settings == nil {
		return nil
	}
	theirs := keysOf(v)
	n := without(c.settings, slices.DeleteFunc(slices.Clone(ownKeys), func(key string) bool { return slices.Contains(theirs, key) })...)
	f := *c.file
	f.problems = nil
	f.decode(n, c.path, v, ownKeys...)
	return joined(f.problems)
}

// connection reads what all connections have in common.
func (f *file) connection(path string, n *yaml.Node, own fs.FS) Connection {
	c := Connection{Own: own, file: f, path: path, settings: n}
	common := *n
	common.Content = nil
	for pair := range slices.Chunk(n.Content, 2) {
		if key := pair[0].Value; slices.Contains(ownKeys, key) && key != "connector" {
			common.Content = append(common.Content, pair...)
		}
	}
	f.decode(&common, path, &c)
	return c
}

// SecretName names the secret of a number, from 0, as the file has it, such as
// env:ACME_SECRET; never its value. A number without a name is its own.
func (c Connection) SecretName(n int) string {
	if names := c.SecretNames(); n < len(names) {
		return names[n]
	}
	return "#" + strconv.Itoa(n+1)
}

// SecretNames names the secrets that the file lists under secrets, in their order.
func (c Connection) SecretNames() []string {
	var out []string
	if c.settings == nil {
		return nil
	}
	for pair := range slices.Chunk(c.settings.Content, 2) {
		if pair[0].Value != "secrets" || pair[1].Kind != yaml.SequenceNode {
			continue
		}
		for i, n := range pair[1].Content {
			name := "#" + strconv.Itoa(i+1)
			if n.Kind == yaml.MappingNode {
				for part := range slices.Chunk(n.Content, 2) {
					if part[0].Value == "value" {
						n = part[1]
					}
				}
			}
			if known, ok := c.file.origin[n]; ok {
				name = known
			}
			out = append(out, name)
		}
	}
	return out
}
