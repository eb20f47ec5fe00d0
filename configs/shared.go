package configs

import (
	"embed"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/access"
	"github.com/career-relay/connector/rules/consent"
)

// The names of the shared files in the folder of the companies.
const (
	sharedName  = "relay.yaml"
	textsFolder = "texts"
)

//go:embed texts/*.yaml
var shippedTexts embed.FS

// purposes are the purposes that have a text.
func purposes() []string {
	var out []string
	for _, p := range append(slices.Clone(consent.Purposes), consent.Statistics) {
		out = append(out, string(p))
	}
	return out
}

// A sharedSource is what all companies share, as it was read.
type sharedSource struct {
	files  []*file // relay.yaml and the texts of the folder
	shared *Shared
}

// readShared reads what all companies share. A recipient with a problem is left
// out, and so is a text: nobody is to agree to words that nobody meant. Texts
// that the folder does not have are the shipped ones. before are those in force.
func readShared(dir string, lookup func(string) (string, bool), before consent.Texts) *sharedSource {
	s := &sharedSource{shared: &Shared{Recipients: map[string]relay.Recipient{}}}
	f, err := readFile(filepath.Join(dir, sharedName), lookup)
	if err == nil { // there may be no such file
		s.files = append(s.files, f)
		s.shared.Access = access.Settings{OIDCOnly: true} // nobody signs in by rules that nobody can read
		if len(f.problems) == 0 {
			f.readRelay(s.shared)
		}
	}
	s.readTexts(filepath.Join(dir, textsFolder), before)
	return s
}

func (f *file) readRelay(to *Shared) {
	f.check(f.root, sharedFile, "")
	f.checkNamed("operator.name")
	all := get(f.root, "recipients")
	f.resolve(all, "recipients")
	f.resolve(get(f.root, "access"), "access")
	for _, key := range []string{"slack", "webhook"} {
		f.resolve(get(get(f.root, "alerts"), key), join("alerts", key))
	}
	var read Shared
	f.decode(f.root, "", &read)
	if !f.known("operator") {
		to.Operator = read.Operator
	}
	f.report("access.", read.Access.Validate())
	if !f.known("access") {
		to.Access = read.Access
	}
	f.report("alerts.", read.Alerts.Validate())
	if !f.known("alerts") {
		to.Alerts = read.Alerts
	}
	for _, id := range slices.Sorted(maps.Keys(read.Recipients)) {
		r, at := read.Recipients[id], join("recipients", id)
		f.checkNamed(join(at, "name"))
		if !ident.ok(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: id}) {
			f.note(problem{f.name, f.line(at), at, "want " + ident.want})
		}
		f.report(at+".", r.Validate())
		if r.ID = id; !f.known(at) {
			to.Recipients[id] = r
		}
	}
}

// readTexts reads the wordings of the consents.
func (s *sharedSource) readTexts(dir string, before consent.Texts) {
	shipped := readShipped()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f := newFile(filepath.ToSlash(dir), dir, nil)
		f.fault(nil, "", "%v", withoutPath(err))
		s.files = append(s.files, f)
	}
	var own consent.Texts
	broken := map[string]bool{}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".yaml") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		f, err := readFile(filepath.Join(dir, e.Name()), nil)
		if err != nil {
			continue // gone since the folder was read
		}
		s.files = append(s.files, f)
		if len(f.problems) == 0 {
			own = append(own, f.readText(e.Name(), before, shipped)...)
		}
		broken[e.Name()] = len(f.problems) > 0
	}
	for _, t := range shipped {
		if mine, err := own.Find(t.Purpose, t.Locale); err == nil {
			t = mine
		}
		if !broken[string(t.Purpose)+".yaml"] {
			s.shared.Texts = append(s.shared.Texts, t)
		}
	}
}

// readText reads one purpose in both languages. Under a version that was seen
// before, the wording must be the same: what people agreed to is not rewritten.
func (f *file) readText(name string, seen ...consent.Texts) consent.Texts {
	f.check(f.root, textFile, "")
	var v struct {
		Purpose consent.Purpose `yaml:"purpose"`
		Version string          `yaml:"version"`
		JA      string          `yaml:"ja"`
		EN      string          `yaml:"en"`
	}
	f.decode(f.root, "", &v)
	if want := string(v.Purpose) + ".yaml"; name != want && !f.known("purpose") {
		f.note(problem{f.name, f.line("purpose"), "purpose", string(v.Purpose) + " belongs into " + want})
	}
	out := consent.Texts{{Purpose: v.Purpose, Version: v.Version, Locale: "ja", Body: strings.TrimSpace(v.JA)}, {Purpose: v.Purpose, Version: v.Version, Locale: "en", Body: strings.TrimSpace(v.EN)}}
	for _, t := range out {
		if _, err := t.Show(consent.Names{}); err != nil {
			f.note(problem{f.name, f.line(t.Locale), t.Locale, err.Error()})
		}
		for _, texts := range seen {
			old, err := texts.Find(t.Purpose, t.Locale)
			if err == nil && old.Version == t.Version && old.Body != t.Body && !f.known(t.Locale) {
				f.note(problem{f.name, f.line(t.Locale), t.Locale, "other words under the version " + t.Version + "; give a changed text a new version"})
			}
		}
	}
	return out
}

// readShipped reads the texts that the program brings along; a test reads them
// too.
func readShipped() consent.Texts {
	var out consent.Texts
	for _, p := range purposes() {
		name := p + ".yaml"
		f := newFile(name, "", nil)
		f.text, _ = shippedTexts.ReadFile(textsFolder + "/" + name)
		f.parse()
		out = append(out, f.readText(name)...)
	}
	return out
}
