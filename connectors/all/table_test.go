package all

import (
	"fmt"
	"io/fs"
	"testing"

	"bytes"

	"github.com/career-relay/connector/connectors/spec"
)

func TestTry(t *testing.T) {
	for _, v := range fleet(t) {
		files, _ := fs.Glob(v.folder, "testdata/files/*.[ct]sv")
		for _, f := range files {
			conn, err := v.dial()
			if err != nil { t.Fatal(err) }
			text, _ := fs.ReadFile(v.folder, f)
			s, err := conn.(*spec.Tabular).Open(bytes.NewReader(text), "")
			if err != nil { t.Error(err); continue }
			fmt.Println(v.name, f, s.Encoding, s.Delimiter, s.Header, s.Columns)
			for p, err := range conn.(*spec.Tabular).Read(bytes.NewReader(text)) {
				if err != nil { fmt.Println("  ERR", err); continue }
				e, err := conn.Decode(p)
				fmt.Printf("  %s %v %s\n", p.Header.Get("Row"), err, p.Body)
				for _, e := range e { fmt.Printf("     %+v %s\n", e, string(e.Candidate.Email)) }
			}
		}
	}
}
