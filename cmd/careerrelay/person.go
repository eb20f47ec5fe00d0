package main

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/store"
)

func personCommand(s *settings) *cobra.Command {
	return noun("person", "Requests of the people themselves", personFind(s), personExport(s), personErase(s))
}

func personFind(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "find COMPANY [ADDRESS-OR-NAME]", Short: "Find people by address or name through their keyed hashes",
		Long:    "Find people by address or name. Without the second argument it is read from standard input, so that it stays out of the shell's history.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  echo hanako@example.jp | careerrelay person find acme",
	}
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		query, err := secondOrStdin(cmd, args)
		if err != nil {
			return err
		}
		ids, err := db.FindPeople(cmd.Context(), args[0], query)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, ids, []column[string]{{"person", func(id string) string { return id }}})
	})
	return c
}

// secondOrStdin returns the second argument, or one line of standard input.
func secondOrStdin(cmd *cobra.Command, args []string) (string, error) {
	if len(args) > 1 {
		return args[1], nil
	}
	line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", ats.Errorf(ats.Invalid, "nothing on standard input")
	}
	return line, nil
}

func personExport(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "export PERSON", Short: "Print everything that is kept about a person, as JSON; noted in the audit log", Args: cobra.ExactArgs(1)}
	reason := c.Flags().String("reason", "", "the request this answers (required)")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		d, err := db.ExportPerson(cmd.Context(), caller(), args[0], *reason)
		if err != nil {
			return err
		}
		if !d.ErasedAt.IsZero() {
			cmd.PrintErrf("person %s was erased at %s: nothing personal is kept, only what was done\n", d.ID, clock(d.ErasedAt))
		}
		return printJSON(cmd.OutOrStdout(), d)
	})
	return c
}

func personErase(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "erase PERSON", Short: "Destroy a person's data key, and with it everything personal in every table", Args: cobra.ExactArgs(1),
		Long: "Erase a person for good: mails that wait are cancelled, links revoked, consents withdrawn, raw deliveries deleted. Counts and the ledger stay, and so does the suppression list, which holds a keyed hash only.",
	}
	reason := c.Flags().String("reason", "", "the request this answers (required)")
	yes := c.Flags().Bool("yes", false, "do it: this cannot be undone")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if !*yes {
			return ats.Errorf(ats.Invalid, "erasing cannot be undone; add --yes to do it")
		}
		if err := db.ErasePerson(cmd.Context(), caller(), args[0], *reason); err != nil {
			return err
		}
		cmd.Printf("person %s is erased\n", args[0])
		return nil
	})
	return c
}
