package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

func batchCommand(s *settings) *cobra.Command {
	return noun("batch", "What is done to many things at once, step by step", batchList(s), batchShow(s), batchResults(s),
		batchMove(s, "pause", "Hand over no more items until it is resumed"),
		batchMove(s, "resume", "Go on with a paused batch"),
		batchMove(s, "cancel", "End a batch; what was handed over runs to its end"))
}

var batchColumns = []column[record.Batch]{
	{"id", func(b record.Batch) string { return b.ID }},
	{"at", func(b record.Batch) string { return clock(b.CreatedAt) }},
	{"verb", func(b record.Batch) string { return b.Verb + " " + b.Noun }},
	{"state", func(b record.Batch) string { return b.State }},
	{"matched", func(b record.Batch) string { return strconv.Itoa(b.Matched) }},
	{"changed", func(b record.Batch) string { return strconv.Itoa(b.Changed) }},
	{"actor", func(b record.Batch) string { return b.Actor }},
	{"filter", func(b record.Batch) string { return b.Filter }},
	{"reason", func(b record.Batch) string { return b.Reason }},
}

func batchList(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List what was done to many things at once, newest first"}
	f, asJSON := filterFlag(c, "batch", "company", "state").paging(c), jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		rows, err := db.Batches(cmd.Context(), filter)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, batchColumns)
	})
	return c
}

func batchShow(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a batch, how far it is, and its newest jobs", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		rows, err := db.Batches(cmd.Context(), record.Filter{ID: args[0]})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return notFound("batch", args[0])
		}
		b := rows[0]
		jobs, err := db.Jobs(cmd.Context(), record.Filter{Batch: b.ID})
		if err != nil {
			return err
		}
		progress, err := db.Progress(cmd.Context(), b.ID)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if *asJSON {
			return printJSON(w, struct {
				record.Batch
				Progress record.Progress `json:"progress"`
				Jobs     []record.Job    `json:"jobs"`
			}{b, progress, jobs})
		}
		facts := [][2]string{
			{"batch", b.ID},
			{"verb", b.Verb + " " + record.Plural(b.Noun)},
			{"filter", cell(b.Filter)},
			{"state", strings.TrimSpace(b.State + " " + b.Note)},
			{"actor", b.Actor},
			{"reason", b.Reason},
			{"started", clock(b.CreatedAt)},
			{"ended", clock(b.EndedAt)},
			{"matched", strconv.Itoa(b.Matched)},
			{"changed", strconv.Itoa(b.Changed)},
			{"waiting", strconv.Itoa(progress.Waiting)},
		}
		for _, state := range slices.Sorted(maps.Keys(progress.Jobs)) {
			facts = append(facts, [2]string{"jobs " + state, strconv.Itoa(progress.Jobs[state])})
		}
		for _, reason := range slices.Sorted(maps.Keys(progress.Skipped)) {
			facts = append(facts, [2]string{"not done", strconv.Itoa(progress.Skipped[reason]) + ": " + reason})
		}
		if err := printFacts(w, facts...); err != nil {
			return err
		}
		return printList(w, false, jobs, jobColumns)
	})
	return c
}

func batchResults(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "results ID", Short: "Print what became of each item, as CSV or, with --json, as an array", Args: cobra.ExactArgs(1), Example: "  careerrelay batch results 01J… > results.csv"}
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		f := record.Filter{Batch: args[0], Limit: record.MaxPage}
		all := []record.Result{}
		w := cmd.OutOrStdout()
		out, err := record.NewResults(w)
		if *asJSON {
			out = nil
		}
		for err == nil {
			var page []record.Result
			if page, err = db.Results(cmd.Context(), f); err != nil {
				return err
			}
			if out != nil {
				err = record.WriteResults(out, page)
			} else {
				all = append(all, page...)
			}
			if len(page) < record.MaxPage {
				break
			}
			f.After = page[len(page)-1].ID
		}
		if err == nil && *asJSON {
			err = printJSON(w, all)
		}
		return err
	})
	return c
}

func batchMove(s *settings, verb, short string) *cobra.Command {
	c := &cobra.Command{Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1)}
	reason := reasonFlag(c)
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if _, err := needReason(*reason); err != nil {
			return err
		}
		b, err := db.MoveBatch(cmd.Context(), caller(), args[0], verb, *reason)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), b)
		}
		return printList(cmd.OutOrStdout(), false, []record.Batch{b}, batchColumns)
	})
	return c
}
