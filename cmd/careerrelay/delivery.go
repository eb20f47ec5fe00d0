package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

func deliveryCommand(s *settings) *cobra.Command {
	return noun("delivery", "Raw payloads as they came in", deliveryList(s), deliveryShow(s), deliveryReplay(s), deliveryRelease(s))
}

var deliveryFilters = []string{"company", "connection", "vendor", "state", "error", "application", "email", "batch"}

func deliveryList(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List deliveries, newest first", Example: "  careerrelay delivery list --company acme --state parked --since 7d"}
	f, asJSON := filterFlag(c, "delivery", deliveryFilters...).paging(c), jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		rows, err := db.Deliveries(cmd.Context(), filter)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, []column[record.Delivery]{
			{"id", func(d record.Delivery) string { return d.ID }},
			{"received", func(d record.Delivery) string { return clock(d.ReceivedAt) }},
			{"company", func(d record.Delivery) string { return d.Company }},
			{"connection", func(d record.Delivery) string { return d.Connection }},
			{"disposition", func(d record.Delivery) string { return string(d.Disposition) }},
			{"repeats", func(d record.Delivery) string { return strconv.Itoa(d.Repeats) }},
			{"secret", func(d record.Delivery) string { return d.Secret }},
			{"reason", func(d record.Delivery) string { return d.Reason }},
		})
	})
	return c
}

// A deliveryView is a delivery with what came of it.
type deliveryView struct {
	record.Delivery
	Jobs    []record.Job        `json:"jobs"`
	Headers map[string][]string `json:"headers,omitempty"`
	Body    string              `json:"body,omitempty"`
}

func deliveryShow(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a delivery and its jobs", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(c)
	reveal := c.Flags().Bool("reveal", false, "show the raw payload, which holds personal data; noted in the audit log (needs --reason)")
	reason := c.Flags().String("reason", "", "why the payload is revealed")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		ctx := cmd.Context()
		row, raw, err := db.Delivery(ctx, args[0])
		if err != nil {
			return err
		}
		view := deliveryView{Delivery: row}
		if view.Jobs, err = db.JobsOf(ctx, row.ID); err != nil {
			return err
		}
		if *reveal {
			if err := noteReveal(ctx, db, "delivery", row.ID, row.Company, *reason); err != nil {
				return err
			}
			view.Headers, view.Body = raw.Payload.Header, string(raw.Payload.Body)
		}
		w := cmd.OutOrStdout()
		if *asJSON {
			return printJSON(w, view)
		}
		_ = printFacts(w, [2]string{"delivery", row.ID}, [2]string{"company", row.Company}, [2]string{"connection", row.Connection + " (" + row.Vendor + ")"},
			[2]string{"received", clock(row.ReceivedAt)}, [2]string{"disposition", string(row.Disposition)}, [2]string{"reason", cell(row.Reason)},
			[2]string{"repeats", strconv.Itoa(row.Repeats)}, [2]string{"secret that fitted", cell(row.Secret)}, [2]string{"size", strconv.Itoa(row.Size) + " bytes"}, [2]string{"kept until", clock(row.ExpiresAt)})
		_, _ = fmt.Fprintln(w)
		if err := printList(w, false, view.Jobs, jobColumns); err != nil {
			return err
		}
		if !*reveal {
			return nil
		}
		_, _ = fmt.Fprintln(w)
		for _, name := range slices.Sorted(maps.Keys(view.Headers)) {
			for _, v := range view.Headers[name] {
				_, _ = fmt.Fprintf(w, "%s: %s\n", name, v)
			}
		}
		_, err = fmt.Fprintf(w, "\n%s\n", view.Body)
		return err
	})
	return c
}

func deliveryReplay(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "replay [ID]", Short: "Decode deliveries again with today's rules; what is known already changes nothing",
		Long:    "Decode deliveries again with today's rules. One that is named and --dry-run shows what it said before and what it says now.",
		Example: "  careerrelay delivery replay --company acme --state parked --reason 'mapping repaired' --yes",
	}
	o := rerunFlag(c, "delivery", deliveryFilters...)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if len(args) == 1 && o.dryRun {
			return deliveryDifference(cmd, s, db, args[0], *o.json)
		}
		return rerun(cmd, s, args, o, "replay", db.Rerun)
	})
	return c
}

// deliveryDifference prints what a delivery said and what it says now.
func deliveryDifference(cmd *cobra.Command, s *settings, db *store.Store, id string, asJSON bool) error {
	k, err := clerk(s, db)
	if err != nil {
		return err
	}
	d, err := k.Difference(cmd.Context(), id)
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if asJSON {
		return printJSON(w, d)
	}
	switch {
	case d.Error != "":
		_, _ = fmt.Fprintf(w, "today's rules cannot read it: %s\n", cell(d.Error))
	case d.Same():
		_, _ = fmt.Fprintln(w, "it says the same as before")
	}
	if d.Asks {
		_, _ = fmt.Fprintln(w, "when it runs, the vendor is asked for more, which may change it")
	}
	if len(d.Changes) == 0 {
		return nil
	}
	side := func(t *record.Told) string {
		if t == nil {
			return "-"
		}
		return string(t.State) + " " + string(t.Side) + " " + clock(t.At)
	}
	return printList(w, false, d.Changes, []column[record.Change]{
		{"application", func(c record.Change) string { return c.Application }},
		{"before", func(c record.Change) string { return side(c.Before) }},
		{"after", func(c record.Change) string { return side(c.After) }},
		{"differs", func(c record.Change) string { return map[bool]string{true: "yes", false: "no"}[c.Differs()] }},
	})
}

func deliveryRelease(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "release [ID]", Short: "Verify quarantined deliveries again and read those whose signature fits now",
		Example: "  careerrelay delivery release --company acme --connection greenhouse --reason 'secret corrected' --yes",
	}
	o := rerunFlag(c, "delivery", "company", "connection", "vendor")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		k, err := clerk(s, db)
		if err != nil {
			return err
		}
		return rerun(cmd, s, args, o, "replay", k.Release)
	})
	return c
}
