package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/career-relay/connector/store/storetest"
)

// The file that backup writes is what restore takes, on another machine with
// the same key.
func TestBackupAndRestore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "backup.db")
	here, there := t.TempDir(), t.TempDir()
	for _, step := range []struct {
		args []string
		data string
		code int
		want string
	}{
		{[]string{"migrate"}, here, exitDone, "SQLite is up to date"},
		{[]string{"backup", file}, here, exitDone, "written to " + file},
		{[]string{"backup", file}, here, exitInput, "give the name of a new file"},
		{[]string{"restore", file}, there, exitDone, "waiting for a person: 0 mails stopped"},
		{[]string{"restore", file, "--json"}, there, exitDone, `"carried": true`},
		{[]string{"restore", file + ".gone"}, there, exitInput, "backup:"},
		{[]string{"audit", "list"}, there, exitDone, "restore"},
	} {
		env := map[string]string{"DATA": step.data, "CAREERRELAY_KEY": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}
		var out bytes.Buffer
		code := run(t.Context(), step.args, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, strings.NewReader(""), &out, &out)
		if code != step.code || !strings.Contains(out.String(), step.want) {
			t.Errorf("%s: exit code %d and %q, want %d and %q", strings.Join(step.args, " "), code, out.String(), step.code, step.want)
		}
	}
	env := map[string]string{"DATABASE_URL": storetest.Postgres(t), "DATA": here, "CAREERRELAY_KEY": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}
	for _, args := range [][]string{{"migrate"}, {"backup", file + ".pg"}, {"restore", file}} {
		var out bytes.Buffer
		code := run(t.Context(), args, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, strings.NewReader(""), &out, &out)
		if args[0] != "migrate" && (code != exitInput || !strings.Contains(out.String(), "pg_")) {
			t.Errorf("%v on PostgreSQL: exit code %d and %q", args, code, out.String())
		}
	}
}
