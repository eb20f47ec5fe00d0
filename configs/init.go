package configs

import (
	"embed"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
)

//go:embed init.yaml.tmpl demo/*.yaml
var shipped embed.FS

// Init writes a new company's file. It sends nothing until it is changed, and
// loads as soon as the secrets it names are set.
func Init(name string) ([]byte, error) {
	if !ident.ok(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}) {
		return nil, ats.Errorf(ats.Invalid, "%q cannot name a company; want %s", name, ident.want)
	}
	if slices.Contains(reserved, name) {
		return nil, ats.Errorf(ats.Invalid, "%s is a reserved name", name)
	}
	text, err := shipped.ReadFile("init.yaml.tmpl")
	if err != nil {
		return nil, err
	}
	variable := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if variable[0] <= '9' { // no variable begins with a digit
		variable = "_" + variable
	}
	return []byte(strings.NewReplacer("{{name}}", name, "{{NAME}}", variable).Replace(string(text))), nil
}

// Demo is the folder of the demonstration: two companies whose mails leave at
// once, into the mailbox. It is copied before it is opened.
func Demo() fs.FS {
	folder, _ := fs.Sub(shipped, "demo") // a valid path is no error
	return folder
}
