package main

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

func auditCommand(s *settings) *cobra.Command {
	list := &cobra.Command{Use: "list [SUBJECT]", Short: "List who did what to what, newest first", Args: cobra.MaximumNArgs(1)}
	f, asJSON := filterFlag(list, "audit entry", auditWords...).paging(list), jsonFlag(list)
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
			{"company", func(a record.Audit) string { return cmp.Or(a.Company, "-") }},
			{"detail", func(a record.Audit) string { return a.Detail }},
			{"reason", func(a record.Audit) string { return a.Reason }},
		})
	})
	return noun("audit", "The record of who did what", list, auditVerify(s), auditExport(s))
}

// auditWords narrow the log.
var auditWords = []string{"company", "actor", "verb", "noun"}

func auditVerify(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "verify", Short: "Walk the whole log and check that no entry was changed, removed, put in between or swapped",
		Long: "Keep the last line, the anchor, in another place. With --anchor the log is also compared with\none kept earlier: so a log that was cut off or made anew shows, whoever did it.",
	}
	anchor := c.Flags().String("anchor", "", "NUMBER:HASH as an earlier verify printed it")
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		if *anchor != "" {
			if err := db.CheckAnchor(cmd.Context(), *anchor); err != nil {
				return err
			}
		}
		end, err := db.AuditAnchor(cmd.Context())
		if err != nil {
			return err
		}
		n, err := db.VerifyAudit(cmd.Context())
		if err != nil {
			return err
		}
		cmd.Printf("%d entries, each follows from the one before\nanchor %s\n", n, cmp.Or(end, "-"))
		return nil
	})
	return c
}

func auditExport(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "export [SUBJECT]", Short: "Print the log, oldest first and whole, for other programs", Args: cobra.MaximumNArgs(1),
		Example: "  careerrelay audit export --since 30d --format csv > audit.csv",
	}
	f := filterFlag(c, "audit entry", auditWords...)
	format := c.Flags().String("format", record.AuditFormats[0], strings.Join(record.AuditFormats, " or "))
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		if len(args) == 1 {
			filter.ID = args[0]
		}
		w, err := record.NewAuditWriter(cmd.OutOrStdout(), *format)
		if err != nil {
			return err
		}
		if err := db.WalkAudit(cmd.Context(), filter, w.Write); err != nil {
			return err
		}
		return w.Flush()
	})
	return c
}
