package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/store"
)

func notFound(noun, id string) error { return ats.Errorf(ats.NotFound, "no %s %s", noun, id) }

func applicationCommand(s *settings) *cobra.Command {
	return noun("application", "Candidacies with the latest known state", applicationList(s), applicationShow(s))
}

func applicationList(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List applications, newest first"}
	f, asJSON := filterFlag(c, "application", "company", "connection", "vendor", "state", "error", "application", "email").paging(c), jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		rows, err := db.Applications(cmd.Context(), filter)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, []column[record.Application]{
			{"id", func(a record.Application) string { return a.ID }},
			{"company", func(a record.Application) string { return a.Company }},
			{"connection", func(a record.Application) string { return a.Connection }},
			{"application", func(a record.Application) string { return a.ApplicationID }},
			{"state", func(a record.Application) string { return string(a.State) }},
			{"side", func(a record.Application) string { return string(a.Side) }},
			{"decision", func(a record.Application) string { return a.Decision }},
			{"updated", func(a record.Application) string { return clock(a.UpdatedAt) }},
		})
	})
	return c
}

// An applicationView is an application with its whole history.
type applicationView struct {
	record.Application
	Events []record.Event `json:"events"`
	Mails  []record.Mail  `json:"mails"`
}

func applicationShow(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show an application with its history; ID is ours or the vendor's", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(c)
	reveal := c.Flags().Bool("reveal", false, "show the candidate; noted in the audit log (needs --reason)")
	reason := c.Flags().String("reason", "", "why the candidate is revealed")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		ctx := cmd.Context()
		a, err := db.Application(ctx, args[0], false)
		if err != nil {
			return err
		}
		if *reveal {
			if err := noteReveal(ctx, db, "application", a.ID, a.Company, *reason); err != nil {
				return err
			}
			if a, err = db.Application(ctx, a.ID, true); err != nil {
				return err
			}
		}
		view := applicationView{Application: a}
		if view.Events, err = db.Events(ctx, a.ID); err != nil {
			return err
		}
		if view.Mails, err = db.Mails(ctx, record.Filter{Company: a.Company, Application: a.ApplicationID, Connection: a.Connection}); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), view)
		}
		return printApplication(cmd, view)
	})
	return c
}

func printApplication(cmd *cobra.Command, v applicationView) error {
	w := cmd.OutOrStdout()
	facts := [][2]string{
		{"application", v.ApplicationID + " (" + v.ID + ")"},
		{"company", v.Company},
		{"connection", v.Connection + " (" + v.Vendor + ")"},
		{"state", string(v.State) + ", ended by " + string(v.Side)},
		{"evidence", cell(v.Evidence)},
		{"since", clock(v.StateAt)},
		{"decision", sending.Words(v.Decision, "en")},
	}
	if v.Candidate != nil {
		facts = append(facts, [2]string{"name", v.Candidate.Name}, [2]string{"address", string(v.Candidate.Email)})
	}
	if err := printFacts(w, facts...); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	if err := printList(w, false, v.Events, []column[record.Event]{
		{"at", func(e record.Event) string { return clock(e.OccurredAt) }},
		{"state", func(e record.Event) string { return string(e.State) }},
		{"side", func(e record.Event) string { return string(e.Side) }},
		{"action", func(e record.Event) string { return e.Action }},
		{"why", func(e record.Event) string { return sending.Words(e.Code, "en") }},
		{"delivery", func(e record.Event) string { return e.Delivery }},
	}); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	return printList(w, false, v.Mails, mailColumns)
}
