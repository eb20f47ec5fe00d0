package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// databaseFile is the name of the SQLite file in its folder.
const databaseFile = "careerrelay.db"

// Backup writes a copy of the SQLite database as it is at one moment to path,
// while everything goes on. It holds the same encrypted columns and needs the
// same master keys. PostgreSQL has tools of its own: ats.Invalid.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.pg {
		return ats.Errorf(ats.Invalid, "the database is PostgreSQL; use pg_dump --format=custom, or the point-in-time recovery of your host")
	}
	if _, err := os.Stat(path); err == nil {
		return ats.Errorf(ats.Conflict, "%s exists; give the name of a new file", path)
	}
	// Made first and empty, so that nobody else can read it at any moment.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the path that a person gave
	if err != nil {
		return ats.Errorf(ats.Invalid, "backup: %w", err)
	}
	if err := f.Close(); err != nil {
		return ats.Errorf(ats.Invalid, "backup: %w", err)
	}
	db, err := sql.Open("sqlite", sqliteName(s.file)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return errors.Join(unavailable("opening the database", err), os.Remove(path))
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, path)
	if err := errors.Join(err, db.Close()); err != nil {
		return errors.Join(unavailable("writing the backup", err), os.Remove(path))
	}
	return flush(path)
}

// flush makes what was written to path survive a loss of power.
func flush(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // our own file
	if err != nil {
		return fmt.Errorf("flushing: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// Restore puts a backup in the place of the SQLite database in o.Dir, which
// stays beside it under another name. No process may use the database.
//
// A backup is of the past, and nothing may be done twice because of it. What
// the replaced database knows and the backup does not is therefore carried
// over: who was erased, who must not be written to, which consents were
// withdrawn and what became of mails. Every mail and hand-over that still waits
// after that waits for a person, since it may have left meanwhile.
func Restore(ctx context.Context, o Options, path string) (record.Restored, error) {
	var done record.Restored
	if o.URL != "" {
		return done, ats.Errorf(ats.Invalid, "the database is PostgreSQL; restore it with pg_restore, then see docs/runbook.md")
	}
	old := filepath.Join(o.Dir, databaseFile)
	if err := unused(ctx, old); err != nil {
		return done, err
	}
	work, err := os.MkdirTemp(o.Dir, "restoring-")
	if err != nil {
		return done, ats.Errorf(ats.Invalid, "restore: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	fresh := filepath.Join(work, databaseFile)
	if err := copyFile(fresh, path); err != nil {
		return done, err
	}
	o.Dir, o.Migrate = work, true
	s, err := Open(ctx, o)
	if err != nil {
		return done, fmt.Errorf("the backup cannot be used: %w", err)
	}
	err = s.afterRestore(ctx, old, &done)
	if err := errors.Join(err, s.Close()); err != nil {
		return done, err
	}
	if err := flush(fresh); err != nil {
		return done, err
	}
	if _, err := os.Stat(old); err == nil {
		done.Replaced = old + ".replaced-" + s.Now().Format("20060102T150405Z")
		if err := os.Rename(old, done.Replaced); err != nil {
			return done, fmt.Errorf("moving the old database: %w", err)
		}
	}
	return done, os.Rename(fresh, old)
}

// unused fails when another process has the database open. What stands in its
// write-ahead log is moved into its file, which then is all there is.
func unused(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	db, err := sql.Open("sqlite", sqliteName(path)+"?_pragma=busy_timeout(200)&_pragma=locking_mode(EXCLUSIVE)")
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `BEGIN EXCLUSIVE; COMMIT; PRAGMA journal_mode = DELETE`)
	if err := errors.Join(err, db.Close()); err != nil {
		return ats.Errorf(ats.Conflict, "%s is in use; stop every process of this data folder first: %w", path, err)
	}
	return nil
}

func sqliteName(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

func copyFile(to, from string) error {
	in, err := os.Open(from) //nolint:gosec // the path that a person gave
	if err != nil {
		return ats.Errorf(ats.NotFound, "backup: %w", err)
	}
	defer func() { _ = in.Close() }()
	head := make([]byte, 16)
	if _, err := io.ReadFull(in, head); err != nil || string(head) != "SQLite format 3\x00" {
		return ats.Errorf(ats.Invalid, "%s is not a backup: careerrelay backup writes SQLite files", from)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // our own file
	if err != nil {
		return fmt.Errorf("copying the backup: %w", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying the backup: %w", err)
	}
	return nil
}

// ReasonRestored is the reason of what waits for a person after a restore.
const ReasonRestored = "restored"

// afterRestore makes a backup safe to go on with.
func (s *Store) afterRestore(ctx context.Context, old string, done *record.Restored) error {
	if _, err := os.Stat(old); err == nil {
		if err := s.carryOver(ctx, old, done); err != nil {
			// The old database may be what is broken.
			s.log.WarnContext(ctx, "nothing was carried over from the replaced database", "err", err)
		} else {
			done.Carried = true
		}
	}
	now := micros(s.Now())
	return s.update(ctx, func(ctx context.Context, t *tx) error {
		for _, step := range []struct {
			count     *int
			statement string
		}{
			{&done.Unclear, `UPDATE mails SET state = 'unclear', reason = $1, updated_at = $2 WHERE state = 'sending'`},
			{&done.Stopped, `UPDATE mails SET stopped = 1, reason = $1, updated_at = $2 WHERE state = 'held' AND stopped = 0`},
			{&done.Referrals, `UPDATE referrals SET state = 'failed', reason = $1, updated_at = $2 WHERE state = 'waiting'`},
			{new(int), `UPDATE jobs SET state = 'cancelled', error = $1, lease_until = 0, updated_at = $2 WHERE kind IN ('mail', 'referral') AND state IN ('waiting', 'dispatched', 'running')`},
			{new(int), `UPDATE batches SET state = 'paused', note = $1, paced_at = $2 WHERE state = 'running' AND same IS NOT NULL`},
			{new(int), `UPDATE jobs SET state = 'waiting', error = $1, lease_until = 0, updated_at = $2 WHERE state IN ('dispatched', 'running')`},
		} {
			n, err := t.exec(ctx, step.statement, ReasonRestored, now)
			if err != nil {
				return unavailable("stopping what waits", err)
			}
			*step.count = int(n)
		}
		return t.audit(ctx, record.Actor{Name: "cli"}, record.Audit{
			Verb: "restore", Noun: "database", Reason: ReasonRestored,
			Detail: fmt.Sprintf("stopped %d, unclear %d, referrals %d, settled %d, erased %d", done.Stopped, done.Unclear, done.Referrals, done.Settled, done.Erased),
		})
	})
}

// carryOver takes from the replaced database what must not be forgotten.
func (s *Store) carryOver(ctx context.Context, old string, done *record.Restored) error {
	g, ok := s.write.(*group)
	if !ok {
		return errors.New("not SQLite")
	}
	if _, err := g.conn.conn.ExecContext(ctx, `ATTACH $1 AS old`, sqliteName(old)+"?mode=ro"); err != nil {
		return err
	}
	defer func() { _, _ = g.conn.conn.ExecContext(ctx, `DETACH old`) }()
	return s.update(ctx, func(ctx context.Context, t *tx) error {
		for _, step := range []struct {
			count     *int
			statement string
		}{
			{&done.Erased, `
				UPDATE people SET wrapped_key = NULL, person_ref = NULL, name_index = NULL, erased_at = o.erased_at
				FROM old.people o WHERE o.id = people.id AND o.erased_at > 0 AND people.erased_at = 0`},
			{new(int), `INSERT INTO suppressions (company, address_ref, scope, cause, at) SELECT company, address_ref, scope, cause, at FROM old.suppressions WHERE true ON CONFLICT DO NOTHING`},
			{new(int), `UPDATE consents SET withdrawn_at = o.withdrawn_at FROM old.consents o WHERE o.id = consents.id AND o.withdrawn_at > 0 AND consents.withdrawn_at = 0`},
			{new(int), `UPDATE links SET revoked_at = o.revoked_at FROM old.links o WHERE o.hash = links.hash AND o.revoked_at > 0 AND links.revoked_at = 0`},
			{&done.Settled, `
				UPDATE mails SET state = o.state, stopped = o.stopped, reason = o.reason, attempts = o.attempts, transport = o.transport, provider_id = o.provider_id, sent_at = o.sent_at, updated_at = o.updated_at
				FROM old.mails o WHERE o.id = mails.id AND mails.state IN ('held', 'sending') AND o.state NOT IN ('held', 'sending')`},
			{new(int), `
				UPDATE referrals SET state = o.state, reference = o.reference, reason = o.reason, updated_at = o.updated_at
				FROM old.referrals o WHERE o.id = referrals.id AND referrals.state = 'waiting' AND o.state <> 'waiting'`},
		} {
			n, err := t.exec(ctx, step.statement)
			if err != nil {
				return err
			}
			*step.count = int(n)
		}
		return nil
	})
}
