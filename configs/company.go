package configs

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/relay"
)

// sendgridKey is the environment variable with the key of companies that name
// none of their own.
const sendgridKey = "SENDGRID_API_KEY"

// reserved are names that stand for something else in addresses and folders.
var reserved = []string{"mail", "relay"}

// A companySource is a company's file as it was read, before it is put into
// force.
type companySource struct {
	*file
	unreadable bool
	templates  fs.FS
	connectors map[string]fs.FS // the company's own, by connection
	folders    []byte           // all that is in them
}

// readCompany reads and checks the file of a company. A file that is not there
// is an fs.ErrNotExist error.
func readCompany(path string, lookup func(string) (string, bool)) (*companySource, error) {
	f, err := readFile(path, lookup)
	if err != nil {
		return nil, err
	}
	s := &companySource{file: f, connectors: map[string]fs.FS{}}
	if s.unreadable = len(f.problems) > 0; s.unreadable {
		return s, nil
	}
	f.check(f.root, companyFile, "")
	f.checkNames(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	if m := get(f.root, "mail"); m != nil && m.Kind == yaml.MappingNode {
		f.presetMail(m)
		f.resolve(get(m, "api_key"), "mail.api_key")
		s.templates = s.folder(get(m, "templates"), "mail.templates")
	}
	f.resolve(get(get(f.root, "alerts"), "slack"), "alerts.slack")
	if all := get(f.root, "connections"); all != nil && all.Kind == yaml.MappingNode {
		for pair := range slices.Chunk(all.Content, 2) {
			path := join("connections", pair[0].Value)
			s.connectors[path] = s.folder(get(pair[1], "connector"), join(path, "connector"))
		}
		f.resolve(all, "connections")
	}
	return s, nil
}

// folder copies the folder that n names, which may be nil.
func (s *companySource) folder(n *yaml.Node, path string) fs.FS {
	if n == nil || s.known(path) {
		return nil
	}
	copied, text, err := readFolder(filepath.Join(s.dir, n.Value))
	if err != nil {
		s.fault(n, path, "%v", err)
		return nil
	}
	s.folders = append(s.folders, text...)
	return copied
}

// checkNames checks what names mean: the file's, the connections' and the
// company's own.
func (f *file) checkNames(fileName string) {
	if n := get(f.root, "company"); n != nil && !f.known("company") {
		switch {
		case n.Value != fileName:
			f.fault(n, "company", "%s is not the name of the file, which is %s.yaml", n.Value, fileName)
		case slices.Contains(reserved, n.Value):
			f.fault(n, "company", "%s is a reserved name", n.Value)
		}
	}
	f.checkNamed("name")
	all := get(f.root, "connections")
	if all == nil || all.Kind != yaml.MappingNode {
		return
	}
	for pair := range slices.Chunk(all.Content, 2) {
		at := join("connections", short(pair[0].Value))
		switch {
		case !ident.ok(pair[0]):
			f.fault(pair[0], at, "want %s", ident.want)
		case slices.Contains(reserved, pair[0].Value):
			f.fault(pair[0], at, "%s is a reserved name", pair[0].Value)
		}
	}
}

// checkNamed notes a name without any language.
func (f *file) checkNamed(path string) {
	n := f.root
	for rest := path; rest != "" && n != nil; {
		_, n, rest = step(n, rest)
	}
	if n != nil && !f.known(path) && get(n, "ja") == nil && get(n, "en") == nil {
		f.fault(n, path, "required: ja, en or both")
	}
}

// presetMail fills in the defaults that depend on other keys.
func (f *file) presetMail(mail *yaml.Node) {
	key, transport := get(mail, "api_key"), get(mail, "transport")
	value, _ := f.lookup(sendgridKey)
	word := "mailbox"
	switch {
	case transport != nil:
		word = transport.Value
	case key != nil || value != "":
		word = "sendgrid"
	}
	if transport == nil {
		set(mail, "transport", preset(word))
	}
	if key == nil && word == "sendgrid" {
		key = preset("env:" + sendgridKey)
		set(mail, "api_key", key)
	}
	if address := get(get(mail, "from"), "address"); get(mail, "reply_to") == nil && address != nil && !f.known("mail.from") {
		set(mail, "reply_to", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: address.Value})
	}
}

// Limits of a folder.
const (
	maxFolderFiles = 200
	maxFolderText  = 4 << 20 // bytes
)

// readFolder copies a folder, so that what is in force does not change under
// way. A zip file is a folder that lives in memory.
func readFolder(dir string) (folder fs.FS, text []byte, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, withoutPath(err)
	}
	var b bytes.Buffer
	w, n := zip.NewWriter(&b), 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() {
			continue
		}
		text, err := readAll(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, nil, errors.New(e.Name() + ": " + err.Error())
		}
		if n++; n > maxFolderFiles || b.Len()+len(text) > maxFolderText {
			return nil, nil, errors.New("more than 200 files or 4 MiB")
		}
		entry, err := w.CreateHeader(&zip.FileHeader{Name: e.Name()})
		if err != nil {
			return nil, nil, err
		}
		if _, err := entry.Write(text); err != nil {
			return nil, nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	return r, b.Bytes(), err
}

// company puts the source together and checks what its parts mean, as far as
// it could be read. What is wrong is noted.
func (s *companySource) company(recipients map[string]relay.Recipient, validate func(*Company) error) *Company {
	c := &Company{Connections: map[string]Connection{}, Templates: s.templates}
	if s.unreadable {
		return c
	}
	f := s.file
	f.decode(without(f.root, "connections"), "", c)
	c.zone = locate(c.TimeZone)
	if all := get(f.root, "connections"); all != nil && all.Kind == yaml.MappingNode {
		for pair := range slices.Chunk(all.Content, 2) {
			if pair[1].Kind == yaml.MappingNode {
				path := join("connections", pair[0].Value)
				c.Connections[pair[0].Value] = f.connection(path, pair[1], s.connectors[path])
			}
		}
	}
	for _, part := range []struct {
		path  string
		value interface{ Validate() error }
	}{{"mail.", c.Mail}, {"sending.", c.Sending}, {"relay.policy.", c.Relay.Policy}, {"retention.", c.Retention}, {"alerts.", c.Alerts}} {
		f.report(part.path, part.value.Validate())
	}
	f.checkRecipients(c.Relay, recipients)
	if validate != nil {
		f.report("", validate(c))
	}
	return c
}

func (f *file) checkRecipients(r Relay, recipients map[string]relay.Recipient) {
	if r.Mode == RelayLink && len(r.Recipients) == 0 && !f.known("relay.recipients") {
		f.note(problem{f.name, f.line("relay.recipients"), "relay.recipients", "required with mode link"})
	}
	list := get(get(f.root, "relay"), "recipients")
	if list == nil {
		return
	}
	var before []string
	for i, n := range list.Content {
		at := item("relay.recipients", i)
		_, usable := recipients[n.Value]
		switch {
		case f.known(at):
		case !usable:
			f.fault(n, at, "relay.yaml has no usable recipient %s", n.Value)
		case slices.Contains(before, n.Value):
			f.fault(n, at, "%s stands twice", n.Value)
		}
		before = append(before, n.Value)
	}
}
