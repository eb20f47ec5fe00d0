package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

func jobCommand(s *settings) *cobra.Command {
	return noun("job", "Units of asynchronous work", jobList(s), jobShow(s), jobDead(s), jobRetry(s), jobCancel(s))
}

var jobFilters = []string{"company", "connection", "vendor", "kind", "state", "fault", "error", "application", "batch"}

var jobColumns = []column[record.Job]{
	{"id", func(j record.Job) string { return j.ID }},
	{"company", func(j record.Job) string { return j.Company }},
	{"kind", func(j record.Job) string { return j.Kind }},
	{"subject", func(j record.Job) string { return j.Subject }},
	{"state", func(j record.Job) string { return string(j.State) }},
	{"attempts", func(j record.Job) string { return strconv.Itoa(j.Attempts) }},
	{"due", func(j record.Job) string { return clock(j.DueAt) }},
	{"error", func(j record.Job) string { return j.Error }},
}

func jobList(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List jobs, newest first", Example: "  careerrelay job list --state dead --error invalid --since 24h"}
	f, asJSON := filterFlag(c, "job", jobFilters...).paging(c), jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		rows, err := db.Jobs(cmd.Context(), filter)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, jobColumns)
	})
	return c
}

func jobShow(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a job", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		j, err := db.Job(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), j)
		}
		return printFacts(cmd.OutOrStdout(), [2]string{"job", j.ID}, [2]string{"company", j.Company}, [2]string{"kind", j.Kind}, [2]string{"subject", j.Subject},
			[2]string{"state", string(j.State)}, [2]string{"queue", j.Queue}, [2]string{"run", strconv.FormatInt(j.Seq, 10)}, [2]string{"attempts", strconv.Itoa(j.Attempts)},
			[2]string{"starts without outcome", strconv.Itoa(j.Starts)}, [2]string{"due", clock(j.DueAt)}, [2]string{"error", j.Error}, [2]string{"class", j.Fault}, [2]string{"deaths", strconv.Itoa(j.Deaths)},
			[2]string{"repeats", j.ReplayOf}, [2]string{"batch", j.Batch}, [2]string{"created", clock(j.CreatedAt)}, [2]string{"updated", clock(j.UpdatedAt)})
	})
	return c
}

func jobRetry(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "retry [ID]", Short: "Run dead or waiting jobs now",
		Example: "  careerrelay job retry --company acme --state dead --error 'no rule' --reason 'mapping repaired' --yes",
	}
	o := rerunFlag(c, "job", jobFilters...)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		return rerun(cmd, s, args, o, "retry", db.Rerun)
	})
	return c
}

func jobDead(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "dead", Short: "Group dead jobs by class of error, vendor and kind",
		Example: "  careerrelay job dead --company acme\n  careerrelay job list --state dead --fault invalid --vendor lever",
	}
	var f record.Filter
	for _, name := range []string{"company", "fault", "vendor", "kind"} {
		c.Flags().StringVar(f.Text(name), name, "", usages[name])
	}
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		graves, err := db.Graves(cmd.Context(), f)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, graves, []column[record.Grave]{
			{"fault", func(g record.Grave) string { return g.Fault }},
			{"vendor", func(g record.Grave) string { return g.Vendor }},
			{"kind", func(g record.Grave) string { return g.Kind }},
			{"count", func(g record.Grave) string { return strconv.Itoa(g.Count) }},
			{"poison", func(g record.Grave) string { return strconv.Itoa(g.Poison) }},
			{"first", func(g record.Grave) string { return clock(g.First) }},
			{"last", func(g record.Grave) string { return clock(g.Last) }},
			{"error", func(g record.Grave) string { return g.Error }},
		})
	})
	return c
}

func jobCancel(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "cancel [ID]", Short: "Take waiting or dead jobs away (a mail's with: mail cancel)"}
	o := orderFlag(c, "job", jobFilters...)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		return carryOut(cmd, args, o, db.CancelJobs)
	})
	return c
}
