package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

func auditCommand(s *settings) *cobra.Command {
	list := &cobra.Command{Use: "list [SUBJECT]", Short: "List who did what to what, newest first", Args: cobra.MaximumNArgs(1)}
	f, asJSON := filterFlag(list, "company").paging(list), jsonFlag(list)
	list.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		if len(args) == 1 {
			filter.ID = args[0]
		}
		rows, err := db.Audits(cmd.Context(), filter)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, []column[record.Audit]{
			{"seq", func(a record.Audit) string { return strconv.FormatInt(a.Seq, 10) }},
			{"at", func(a record.Audit) string { return clock(a.At) }},
			{"actor", func(a record.Audit) string { return a.Actor }},
			{"deed", func(a record.Audit) string { return a.Verb + " " + a.Noun }},
			{"subject", func(a record.Audit) string { return a.Subject }},
			{"detail", func(a record.Audit) string { return a.Detail }},
			{"reason", func(a record.Audit) string { return a.Reason }},
		})
	})
	verify := &cobra.Command{Use: "verify", Short: "Walk the whole log and check that no entry was changed or removed"}
	verify.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		n, err := db.VerifyAudit(cmd.Context())
		if err != nil {
			return err
		}
		cmd.Printf("%d entries, each follows from the one before\n", n)
		return nil
	})
	return noun("audit", "The record of who did what", list, verify)
}
