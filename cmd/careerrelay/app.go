package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

// openStore opens the database of the environment.
func openStore(ctx context.Context, s *settings, migrate bool, log *slog.Logger) (*store.Store, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.databaseURL == "" || s.key == "" {
		if err := os.MkdirAll(s.data, 0o700); err != nil {
			return nil, ats.Errorf(ats.Invalid, "DATA: %w", err)
		}
	}
	keys, err := s.keys()
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Options{URL: s.databaseURL, Dir: s.data, Keys: keys, Migrate: migrate, Log: log})
}

// withStore runs a command on the database of the environment. A local
// database is migrated on the way; a shared one is not, since other processes
// may be at work on it.
func withStore(s *settings, do func(cmd *cobra.Command, args []string, db *store.Store) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		db, err := openStore(cmd.Context(), s, s.databaseURL == "", slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		return errors.Join(do(cmd, args, db), db.Close())
	}
}

// caller is who uses the command line, for the audit log. Who can open the
// database may do everything.
func caller() record.Actor {
	name := "unknown"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	return record.Actor{Name: "cli:" + name, Role: record.Admin}
}

// stamp is the clock of everything that has no other.
func stamp() time.Time { return time.Now().UTC() }
