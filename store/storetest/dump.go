package storetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tables lists the tables of the database.
func (b *bench) tables(tb testing.TB) []string {
	tb.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`
	if b.options.URL != "" {
		query = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename`
	}
	rows, err := b.sql(tb).QueryContext(tb.Context(), query)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			tb.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return names
}

// dump returns every row of every table, as text with the bytes as they are.
func dump(tb testing.TB, b *bench) map[string][]string {
	tb.Helper()
	out := map[string][]string{}
	for _, table := range b.tables(tb) {
		out[table] = b.rows(tb, table)
	}
	return out
}

func (b *bench) rows(tb testing.TB, table string) []string {
	tb.Helper()
	rows, err := b.sql(tb).QueryContext(tb.Context(), `SELECT * FROM `+table+` ORDER BY 1, 2`)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for rows.Next() {
		values := make([]any, len(columns))
		pointers := make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			tb.Fatal(err)
		}
		var line strings.Builder
		for i, v := range values {
			if raw, ok := v.([]byte); ok {
				v = string(raw)
			}
			fmt.Fprintf(&line, "%s=%v ", columns[i], v)
		}
		out = append(out, line.String())
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

// wantNowhere fails if one of the words stands in a row, in the files of SQLite
// or in a dump of PostgreSQL.
func (b *bench) wantNowhere(tb testing.TB, words ...string) {
	tb.Helper()
	places := map[string][]byte{}
	for table, rows := range dump(tb, b) {
		places["table "+table] = []byte(strings.Join(rows, "\n"))
	}
	if b.options.URL == "" {
		files, err := filepath.Glob(filepath.Join(b.options.Dir, "*"))
		if err != nil || len(files) == 0 {
			tb.Fatalf("files: got %v (%v)", files, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				tb.Fatal(err)
			}
			places[filepath.Base(file)] = content
		}
	} else if path, err := find("pg_dump"); err == nil {
		out, err := exec.CommandContext(tb.Context(), path, b.options.URL).Output()
		if err != nil {
			tb.Logf("no dump: %v", err) // of another version than the server
		}
		places["dump"] = out
	}
	for place, content := range places {
		for _, word := range words {
			if bytes.Contains(content, []byte(word)) {
				tb.Errorf("%q stands in %s", word, place)
			}
		}
	}
}
