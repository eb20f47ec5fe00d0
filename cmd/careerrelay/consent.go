package main

import (
	"github.com/spf13/cobra"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

func consentCommand(s *settings) *cobra.Command {
	return noun("consent", "What people agreed to", consentList(s), consentShow(s), consentWithdraw(s))
}

func consentList(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List consents, newest first; --state given or withdrawn"}
	f, asJSON := filterFlag(c, "consent", "company", "purpose", "state").paging(c), jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		rows, err := db.Consents(cmd.Context(), filter)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, []column[record.Consent]{
			{"id", func(c record.Consent) string { return c.ID }},
			{"company", func(c record.Consent) string { return c.Company }},
			{"person", func(c record.Consent) string { return c.PersonID }},
			{"purpose", func(c record.Consent) string { return c.Purpose }},
			{"text", func(c record.Consent) string { return c.TextVersion + " " + c.Locale }},
			{"given", func(c record.Consent) string { return clock(c.GivenAt) }},
			{"confirmed", func(c record.Consent) string { return clock(c.ConfirmedAt) }},
			{"withdrawn", func(c record.Consent) string { return clock(c.WithdrawnAt) }},
		})
	})
	return c
}

func consentShow(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a consent with the text as the person saw it", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		rows, err := db.Consents(cmd.Context(), record.Filter{ID: args[0]})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return notFound("consent", args[0])
		}
		v := rows[0]
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), v)
		}
		return printFacts(cmd.OutOrStdout(), [2]string{"consent", v.ID}, [2]string{"company", v.Company}, [2]string{"person", v.PersonID}, [2]string{"registration", v.Registration},
			[2]string{"purpose", v.Purpose}, [2]string{"text", v.TextVersion + " " + v.Locale}, [2]string{"how", v.How}, [2]string{"given", clock(v.GivenAt)},
			[2]string{"confirmed", clock(v.ConfirmedAt)}, [2]string{"withdrawn", clock(v.WithdrawnAt)}, [2]string{"as shown", v.Text})
	})
	return c
}

func consentWithdraw(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "withdraw ID", Short: "Take a consent back in the person's name; a hand-over that waits is cancelled", Args: cobra.ExactArgs(1)}
	reason := c.Flags().String("reason", "", "how the person asked for it (required)")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if err := db.Withdraw(cmd.Context(), caller(), args[0], *reason); err != nil {
			return err
		}
		cmd.Printf("consent %s is withdrawn\n", args[0])
		return nil
	})
	return c
}
