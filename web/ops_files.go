package web

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/intake"
	"github.com/career-relay/connector/record"
)

// Files keeps exported files until they are imported, and what was explained
// about them.
type Files interface {
	intake.Store
	SaveUpload(ctx context.Context, actor record.Actor, u record.Upload, content []byte) (record.Upload, error)
	Uploads(ctx context.Context, company string) ([]record.Upload, error)
	Upload(ctx context.Context, id string) (record.Upload, []byte, error)
	ReadUploadBy(ctx context.Context, id, preset string) error
	DropUpload(ctx context.Context, actor record.Actor, u record.Upload, reason string) error
	ForgetUpload(ctx context.Context, id string) error
	SavePreset(ctx context.Context, actor record.Actor, p record.Preset) error
	Presets(ctx context.Context, company string) ([]record.Preset, error)
}

// maxFile bounds a file that is uploaded. Larger ones go in by the command line.
const maxFile = 32 << 20

// importable returns the connector of a connection that files are imported to.
func (k *desk) importable(ctx context.Context, company, connection string) (*configs.Company, *spec.Tabular, error) {
	c, err := k.Tenants(ctx).Company(company)
	if err != nil {
		return nil, nil, err
	}
	conn, err := k.Open(company, connection)
	if err != nil {
		return nil, nil, err
	}
	t, ok := conn.(*spec.Tabular)
	if !ok {
		return nil, nil, ats.Errorf(ats.Invalid, "%s/%s is not imported from files; choose a connection to the product that wrote the file, or to csv", company, connection)
	}
	return c, t, nil
}

// fileConnections lists the connections of a company that files are imported to.
func (k *desk) fileConnections(ctx context.Context, c *configs.Company) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		if _, _, err := k.importable(ctx, c.ID, name); err == nil {
			out = append(out, name)
		}
	}
	return out
}

// upload keeps a file.
func (k *desk) upload(ctx context.Context, who record.Actor, u record.Upload, content []byte) (record.Upload, error) {
	if len(content) == 0 {
		return u, ats.Errorf(ats.Invalid, "the file is empty")
	}
	if _, _, err := k.importable(ctx, u.Company, u.Connection); err != nil {
		return u, err
	}
	if _, err := intake.FindPreset(ctx, k.Files, u.Company, u.Preset); err != nil {
		return u, err
	}
	return k.Files.SaveUpload(ctx, who, u, content)
}

// file reads a file that waits at a company that whoever asks may see.
func (k *desk) file(ctx context.Context, id string) (record.Upload, []byte, error) {
	u, content, err := k.Files.Upload(ctx, id)
	if err == nil {
		_, err = k.Tenants(ctx).Company(u.Company)
	}
	if err != nil {
		return record.Upload{}, nil, err
	}
	return u, content, nil
}

// openFile opens a file that waits. The upload comes with an error about what
// the file holds, too.
func (k *desk) openFile(ctx context.Context, id string, old bool) (record.Upload, *intake.Intake, error) {
	u, content, err := k.file(ctx, id)
	if err != nil {
		return u, nil, err
	}
	company, conn, err := k.importable(ctx, u.Company, u.Connection)
	if err != nil {
		return u, nil, err
	}
	p, err := intake.FindPreset(ctx, k.Files, u.Company, u.Preset)
	if err == nil {
		conn, err = conn.With(intake.By(p))
	}
	if err != nil {
		return u, nil, err
	}
	in := &intake.Intake{
		Company: company, Connection: u.Connection, Vendor: company.Connections[u.Connection].Vendor, Conn: conn, Store: k.Files, Old: old, Now: k.Now(),
	}
	return u, in, in.Open(bytes.NewReader(content), u.Sheet)
}

// A filePreview is what an import of a file would do.
type filePreview struct {
	record.Upload
	Vendor    string            `json:"vendor"`
	Encoding  string            `json:"encoding"`
	Delimiter string            `json:"delimiter,omitempty"`
	Header    int               `json:"header"`
	Columns   map[string]string `json:"columns"` // header → what it is
	Unused    []string          `json:"unused"`
	intake.Tally
	Rows []intake.Judged `json:"rows"` // the first ones
}

// shownRows is how many rows a preview shows.
const shownRows = 200

// A look says what of a file is shown, and how.
type look struct {
	verdict string // of the rows; "" for all
	old     bool   // take in what was decided too long ago
	lang    string // of the reasons
}

// previewFile judges every row of a file that waits and shows some; names and
// addresses are masked.
func (k *desk) previewFile(ctx context.Context, id string, l look) (filePreview, error) {
	u, in, err := k.openFile(ctx, id, l.old)
	p := filePreview{Upload: u, Columns: map[string]string{}, Unused: []string{}, Tally: intake.NewTally(), Rows: []intake.Judged{}}
	if err != nil {
		return p, err
	}
	in.Lang = l.lang
	p.Vendor, p.Encoding, p.Delimiter, p.Header = in.Vendor, in.Sheet.Encoding, in.Sheet.Delimiter, in.Sheet.Header
	p.Columns, p.Unused = in.Columns()
	err = in.Judge(ctx, func(rows []intake.Judged) error {
		for _, j := range rows {
			p.Add(j)
			if (l.verdict == "" || l.verdict == string(j.Verdict)) && len(p.Rows) < shownRows {
				p.Rows = append(p.Rows, j)
			}
		}
		return nil
	})
	return p, err
}

// presetName is what a preset may be called.
var presetName = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,39}$`)

// explain saves a preset and reads a file by it from now on. Explanations that
// the file's preset had stay unless they are said anew.
func (k *desk) explain(ctx context.Context, who record.Actor, id string, p record.Preset) (record.Preset, error) {
	u, _, err := k.file(ctx, id)
	if err != nil {
		return p, err
	}
	before, err := intake.FindPreset(ctx, k.Files, u.Company, u.Preset)
	if err != nil {
		return p, err
	}
	p.Company, p.Name = u.Company, strings.TrimSpace(p.Name)
	if !presetName.MatchString(p.Name) {
		return p, ats.Errorf(ats.Invalid, "name: write a short name for what you explained, such as the product's; have %q", p.Name)
	}
	p.Encoding, p.Delimiter, p.Header = cmp.Or(p.Encoding, before.Encoding), cmp.Or(p.Delimiter, before.Delimiter), cmp.Or(p.Header, before.Header)
	p.Columns, p.Outcomes = explained(before.Columns, p.Columns), explained(before.Outcomes, p.Outcomes)
	_, conn, err := k.importable(ctx, u.Company, u.Connection)
	if err != nil {
		return p, err
	}
	if _, err := conn.With(intake.By(p)); err != nil {
		return p, err
	}
	if err := k.Files.SavePreset(ctx, who, p); err != nil {
		return p, err
	}
	return p, k.Files.ReadUploadBy(ctx, id, p.Name)
}

// explained is what was said before and what is said now; "" takes back.
func explained(before, now map[string]string) map[string]string {
	out := maps.Clone(before)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, now)
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out
}

// importFile keeps the rows of a file that waits, and drops the file when it is
// through. Nothing is mailed before a person releases it.
func (k *desk) importFile(ctx context.Context, who record.Actor, id, reason string, old bool) (intake.Kept, error) {
	if _, err := record.NeedReason(reason); err != nil {
		return intake.Kept{}, err
	}
	_, in, err := k.openFile(ctx, id, old)
	if err != nil {
		return intake.Kept{}, err
	}
	done, err := in.Keep(ctx, who, reason)
	if err == nil {
		err = k.Files.ForgetUpload(ctx, id)
	}
	return done, err
}

// dropFile deletes a file that waits.
func (k *desk) dropFile(ctx context.Context, who record.Actor, id, reason string) (record.Upload, error) {
	u, _, err := k.file(ctx, id)
	if err != nil {
		return u, err
	}
	return u, k.Files.DropUpload(ctx, who, u, reason)
}

// importPatience is how long the answer to an import may take.
const importPatience = 10 * time.Minute

// patient lets a request with a long file take its time. Where the connection
// has no such clock it is bound by none.
func patient(c *gin.Context) {
	rc, until := http.NewResponseController(c.Writer), time.Now().Add(importPatience) //nolint:forbidigo // the kernel's clock, not ours
	_ = rc.SetReadDeadline(until)
	_ = rc.SetWriteDeadline(until)
}
