package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/store"
)

func backupCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "backup FILE", Short: "Copy the SQLite database as it is at this moment, also while a server runs", Args: cobra.ExactArgs(1),
		Long: "Write a copy of the SQLite database to a new file. Personal data in it stays encrypted: it is of no use without CAREERRELAY_KEY, which belongs into another safe place.\n" +
			"A person who is erased later is still in backups made before. Keep them no longer than your retention.",
		Example: "  careerrelay backup /backups/careerrelay-2026-11-25.db",
	}
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if err := db.Backup(cmd.Context(), args[0]); err != nil {
			return err
		}
		cmd.Printf("written to %s; it needs the same CAREERRELAY_KEY\n", args[0])
		return nil
	})
	return c
}

func restoreCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the SQLite database; nothing that waits in it leaves by itself", Args: cobra.ExactArgs(1),
		Long: "Put a backup in the place of the SQLite database in DATA, whose processes must have stopped. The database before it stays beside it under another name,\n" +
			"and what it knows is carried over: who was erased, who must not be written to, which consents were withdrawn, which mails left.\n" +
			"Every mail and hand-over that still waits after that waits for a person, because it may have left since the backup was made.",
		Example: "  careerrelay restore /backups/careerrelay-2026-11-25.db",
	}
	asJSON := jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.check(); err != nil {
			return err
		}
		keys, err := s.keys()
		if err != nil {
			return err
		}
		done, err := store.Restore(cmd.Context(), store.Options{URL: s.databaseURL, Dir: s.data, Keys: keys, Log: slog.New(slog.DiscardHandler)}, args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), done)
		}
		if done.Replaced != "" {
			cmd.Printf("the database before it is now %s\n", done.Replaced)
		}
		if done.Replaced != "" && !done.Carried {
			cmd.Println("it could not be read: people erased since the backup must be erased again")
		}
		cmd.Printf("carried over: %d people erased, %d mails ended\n", done.Erased, done.Settled)
		cmd.Printf("waiting for a person: %d mails stopped, %d unclear, %d hand-overs\n", done.Stopped, done.Unclear, done.Referrals)
		cmd.Println("look at them (mail list --state stopped), then release or cancel them; referral retry for the hand-overs")
		return nil
	}
	return c
}
