package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"

	"github.com/career-relay/connector/ats"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Pending lists the migrations that the database lacks, in order. A database
// with a migration that this program does not know is refused: it belongs to a
// newer version.
func (s *Store) Pending(ctx context.Context) ([]string, error) {
	applied, err := s.applied(ctx)
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var pending []string
	for _, file := range files {
		name := migrationName(file)
		hash, err := migrationHash(file)
		if err != nil {
			return nil, err
		}
		switch was, ok := applied[name]; {
		case !ok:
			pending = append(pending, name)
		case was != hash:
			return nil, otherTables(name)
		}
		delete(applied, name)
	}
	for name := range applied {
		return nil, ats.Errorf(ats.Conflict, "the database has migration %s, which this version does not know; use the newer program", name)
	}
	return pending, nil
}

func migrationName(file string) string {
	return strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")
}

// migrationHash tells two contents of a migration apart.
func migrationHash(file string) (string, error) {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// otherTables says that the database was made by a state of this program that
// was never released: a migration that was is not changed any more.
func otherTables(name string) error {
	return ats.Errorf(ats.Conflict, "migration %s made other tables in this database than it makes now: it is of a version between two releases; use that version, or begin with a new database (for SQLite: another DATA folder, or move careerrelay.db away)", name)
}

// applied returns the hashes of the migrations that the database has.
func (s *Store) applied(ctx context.Context) (map[string]string, error) {
	exists := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'migrations'`
	if s.pg {
		exists = `SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'migrations'`
	}
	var n int
	if err := s.read.QueryRowContext(ctx, exists).Scan(&n); err != nil {
		return nil, unavailable("looking for migrations", err)
	}
	applied := map[string]string{}
	if n == 0 {
		return applied, nil
	}
	rows, err := s.read.QueryContext(ctx, `SELECT name, hash FROM migrations`)
	if err != nil && !outage(err) {
		return nil, otherTables("0001_init") // from before migrations had hashes
	}
	if err != nil {
		return nil, unavailable("reading migrations", err)
	}
	err = scan(rows, func() error {
		var name, hash string
		err := rows.Scan(&name, &hash)
		applied[name] = hash
		return err
	})
	return applied, err
}

// migrate applies what is pending, each file in one transaction. Two processes
// that start together wait for each other.
func (s *Store) migrate(ctx context.Context) error {
	return s.update(ctx, func(ctx context.Context, t *tx) error {
		if t.pg {
			if _, err := t.exec(ctx, `SELECT pg_advisory_xact_lock(7243190355)`); err != nil {
				return err
			}
		}
		if _, err := t.exec(ctx, `CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, hash TEXT NOT NULL, at BIGINT NOT NULL)`); err != nil {
			return err
		}
		files, err := fs.Glob(migrations, "migrations/*.sql")
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := s.apply(ctx, t, file); err != nil {
				return fmt.Errorf("migration %s: %w", migrationName(file), err)
			}
		}
		return nil
	})
}

func (s *Store) apply(ctx context.Context, t *tx, file string) error {
	hash, err := migrationHash(file)
	if err != nil {
		return err
	}
	n, err := t.exec(ctx, `INSERT INTO migrations (name, hash, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, migrationName(file), hash, micros(s.Now()))
	if err != nil || n == 0 {
		return err
	}
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	for _, statement := range statements(string(text), t.pg) {
		if _, err := t.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// statements splits a migration and gives it the dialect's words.
func statements(text string, pg bool) []string {
	words := strings.NewReplacer(" BYTES", " BLOB")
	if pg {
		words = strings.NewReplacer(" BYTES", " BYTEA", " TEXT", ` TEXT COLLATE "C"`, " WITHOUT ROWID", "")
	}
	var out []string
	for s := range strings.SplitSeq(text, ";\n") {
		lines := strings.Split(s, "\n")
		kept := lines[:0]
		for _, l := range lines {
			l, own := strings.CutPrefix(l, "--pg ")
			if own && pg || !own && !strings.HasPrefix(l, "--") {
				kept = append(kept, words.Replace(l))
			}
		}
		if s := strings.TrimSpace(strings.Join(kept, "\n")); s != "" {
			out = append(out, s)
		}
	}
	return out
}
