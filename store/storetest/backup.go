package storetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

var backupTests = map[string]func(*testing.T, *bench){
	"a restored backup forgets nobody who was erased and sends nothing again": func(t *testing.T, b *bench) {
		file := filepath.Join(t.TempDir(), "backup.db")
		if b.options.URL != "" {
			wantFault(t, b.Backup(t.Context(), file), ats.Invalid)
			_, err := store.Restore(t.Context(), b.options, file)
			wantFault(t, err, ats.Invalid)
			return
		}
		waits, _ := b.plan(t, "waits")
		erased, _ := b.plan(t, "erased")
		flying, job := b.plan(t, "flying")
		b.claim(t, job)
		leaves, job := b.plan(t, "leaves")
		if err := b.Backup(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		wantFault(t, b.Backup(t.Context(), file), ats.Conflict)

		b.settle(t, job, sent(b.claim(t, job)))
		if err := b.ErasePerson(t.Context(), record.Actor{Name: "test"}, erased.PersonID, "asked for it"); err != nil {
			t.Fatal(err)
		}
		o := b.options
		_, err := store.Restore(t.Context(), o, file)
		wantFault(t, err, ats.Conflict) // somebody has it open
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}

		done, err := store.Restore(t.Context(), o, file)
		if err != nil {
			t.Fatal(err)
		}
		want := record.Restored{Carried: true, Erased: 1, Settled: 2, Stopped: 1, Unclear: 1}
		if diff := cmp.Diff(want, done, cmpopts.IgnoreFields(record.Restored{}, "Replaced")); diff != "" {
			t.Errorf("restored differs (-want +got):\n%s", diff)
		}
		if _, err := os.Stat(done.Replaced); err != nil {
			t.Errorf("the replaced database: %v", err)
		}
		b.Store = b.open(t)
		b.wantMail(t, leaves.ID, record.MailSent)
		b.wantMail(t, erased.ID, record.MailCancelled)
		b.wantMail(t, flying.ID, record.MailUnclear)
		if m := b.wantMail(t, waits.ID, record.MailHeld); !m.Stopped || m.Reason != store.ReasonRestored {
			t.Errorf("the waiting mail: got stopped %v, %q", m.Stopped, m.Reason)
		}
		if n := b.liveJobs(t, waits.ID); n != 0 {
			t.Errorf("the waiting mail has %d jobs", n)
		}
		if _, _, err := b.Letter(t.Context(), erased.ID); ats.FaultOf(err) != ats.NotFound {
			t.Errorf("the mail of an erased person: got %v, want not found", err)
		}
		if _, _, err := b.Letter(t.Context(), waits.ID); err != nil {
			t.Errorf("the waiting mail: %v", err)
		}
		if _, err := b.VerifyAudit(t.Context()); err != nil {
			t.Errorf("audit: %v", err)
		}
	},
	"a backup goes onto a new machine": func(t *testing.T, b *bench) {
		if b.options.URL != "" {
			t.Skip("SQLite only")
		}
		m, _ := b.plan(t, "waits")
		file := filepath.Join(t.TempDir(), "backup.db")
		if err := b.Backup(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode: got %v (%v), want only the owner", info.Mode(), err)
		}
		b.options.Dir = t.TempDir()
		done, err := store.Restore(t.Context(), b.options, file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(record.Restored{Stopped: 1}, done); diff != "" {
			t.Errorf("restored differs (-want +got):\n%s", diff)
		}
		b.Store = b.open(t)
		b.wantMail(t, m.ID, record.MailHeld)
	},
	"what is no backup, or of another key, replaces nothing": func(t *testing.T, b *bench) {
		if b.options.URL != "" {
			t.Skip("SQLite only")
		}
		m, _ := b.plan(t, "waits")
		file, text := filepath.Join(t.TempDir(), "backup.db"), filepath.Join(t.TempDir(), "text")
		if err := b.Backup(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(text, []byte("company: acme\nand more\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		other := b.options
		other.Keys = [][]byte{Key(9)}
		for name, test := range map[string]struct {
			options store.Options
			file    string
			want    ats.Fault
			words   string
		}{
			"missing":     {b.options, text + "2", ats.NotFound, "backup"},
			"text":        {b.options, text, ats.Invalid, "not a backup"},
			"another key": {other, file, ats.Denied, "CAREERRELAY_KEY does not fit"},
		} {
			_, err := store.Restore(t.Context(), test.options, test.file)
			wantFault(t, err, test.want)
			if !strings.Contains(err.Error(), test.words) {
				t.Errorf("%s: got %q, want %q in it", name, err, test.words)
			}
		}
		if left, err := filepath.Glob(filepath.Join(b.options.Dir, "restoring-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v (%v)", left, err)
		}
		b.Store = b.open(t)
		if m := b.wantMail(t, m.ID, record.MailHeld); m.Stopped {
			t.Error("the database was replaced")
		}
	},
}
