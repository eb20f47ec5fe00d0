package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

func jobCommand(s *settings) *cobra.Command {
	return noun("job", "Units of asynchronous work", jobList(s), jobShow(s), jobRetry(s), jobCancel(s))
}

var jobFilters = []string{"company", "connection", "vendor", "kind", "state", "error", "application", "batch"}

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
			[2]string{"starts without outcome", strconv.Itoa(j.Starts)}, [2]string{"due", clock(j.DueAt)}, [2]string{"error", j.Error}, [2]string{"class", j.Fault},
			[2]string{"repeats", j.ReplayOf}, [2]string{"batch", j.Batch}, [2]string{"created", clock(j.CreatedAt)}, [2]string{"updated", clock(j.UpdatedAt)})
	})
	return c
}

func jobRetry(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "retry [ID]", Short: "Run dead or waiting jobs now",
		Example: "  careerrelay job retry --company acme --state dead --error 'no rule' --reason 'mapping repaired' --yes",
	}
	o := orderFlag(c, "job", jobFilters...)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		return carryOut(cmd, args, o, db.RetryJobs)
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

func batchCommand(s *settings) *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List what was done to many things at once, newest first"}
	f, asJSON := filterFlag(list, "company", "state").paging(list), jsonFlag(list)
	columns := []column[record.Batch]{
		{"id", func(b record.Batch) string { return b.ID }},
		{"at", func(b record.Batch) string { return clock(b.CreatedAt) }},
		{"verb", func(b record.Batch) string { return b.Verb + " " + b.Noun }},
		{"matched", func(b record.Batch) string { return strconv.Itoa(b.Matched) }},
		{"changed", func(b record.Batch) string { return strconv.Itoa(b.Changed) }},
		{"actor", func(b record.Batch) string { return b.Actor }},
		{"filter", func(b record.Batch) string { return b.Filter }},
		{"reason", func(b record.Batch) string { return b.Reason }},
	}
	list.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		rows, err := db.Batches(cmd.Context(), filter)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, columns)
	})
	show := &cobra.Command{Use: "show ID", Short: "Show a batch and its jobs", Args: cobra.ExactArgs(1)}
	showJSON := jsonFlag(show)
	show.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		rows, err := db.Batches(cmd.Context(), record.Filter{ID: args[0]})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return notFound("batch", args[0])
		}
		jobs, err := db.Jobs(cmd.Context(), record.Filter{Batch: args[0], Limit: record.MaxPage})
		if err != nil {
			return err
		}
		if *showJSON {
			return printJSON(cmd.OutOrStdout(), struct {
				record.Batch
				Jobs []record.Job `json:"jobs"`
			}{rows[0], jobs})
		}
		if err := printList(cmd.OutOrStdout(), false, rows, columns); err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), false, jobs, jobColumns)
	})
	return noun("batch", "What was done to many things at once", list, show)
}
