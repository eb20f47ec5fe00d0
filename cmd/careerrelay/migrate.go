package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"
)

func migrateCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "migrate", Short: "Bring the database up to date",
		Long: "Apply the pending migrations. With --rewrap every data key is also wrapped by the first master key of CAREERRELAY_KEY, after which the others can be taken off the list.",
	}
	rewrap := c.Flags().Bool("rewrap", false, "wrap every data key by the first master key")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		db, err := openStore(cmd.Context(), s, true, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		if *rewrap {
			n, err := db.Rewrap(cmd.Context())
			cmd.Printf("%d keys wrapped anew\n", n)
			if err != nil {
				return errors.Join(err, db.Close())
			}
		}
		cmd.Printf("%s is up to date\n", db.Kind())
		return db.Close()
	}
	return c
}
