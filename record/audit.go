package record

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// AuditFormats are the forms in which the audit log is handed out: a JSON
// object in each line, or a table.
var AuditFormats = []string{"ndjson", "csv"}

// An AuditWriter hands the audit log out.
type AuditWriter struct {
	json *json.Encoder
	csv  *csv.Writer
}

// NewAuditWriter writes in one of AuditFormats.
func NewAuditWriter(w io.Writer, format string) (*AuditWriter, error) {
	if !slices.Contains(AuditFormats, format) {
		return nil, ats.Errorf(ats.Invalid, "format: %q is not one of %s", format, strings.Join(AuditFormats, ", "))
	}
	if format == "ndjson" {
		return &AuditWriter{json: json.NewEncoder(w)}, nil
	}
	c := csv.NewWriter(w)
	return &AuditWriter{csv: c}, c.Write([]string{"seq", "at", "actor", "verb", "noun", "subject", "company", "reason", "detail", "hash"})
}

// Write writes one entry.
func (w *AuditWriter) Write(a Audit) error {
	if w.json != nil {
		return w.json.Encode(a)
	}
	row := []string{strconv.FormatInt(a.Seq, 10), a.At.UTC().Format(time.RFC3339Nano), a.Actor, a.Verb, a.Noun, a.Subject, a.Company, a.Reason, a.Detail, a.Hash}
	for i := range row {
		row[i] = Cell(row[i])
	}
	return w.csv.Write(row)
}

// Flush writes what is left.
func (w *AuditWriter) Flush() error {
	if w.csv == nil {
		return nil
	}
	w.csv.Flush()
	return w.csv.Error()
}

// Cell makes a text safe for a cell of a table: what a spreadsheet would take
// for a formula becomes text.
func Cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) || strings.HasPrefix(s, "＝") || strings.HasPrefix(s, "＋") || strings.HasPrefix(s, "－") || strings.HasPrefix(s, "＠") {
		return "'" + s
	}
	return s
}
