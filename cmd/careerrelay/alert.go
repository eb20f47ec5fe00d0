package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
	"github.com/career-relay/connector/store"
)

func alertCommand(s *settings) *cobra.Command {
	return noun("alert", "What a person was told of", alertList(s), alertMute(s), alertUnmute(s))
}

func alertList(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List alerts, newest first", Example: "  careerrelay alert list --state open",
		Long: "List the alerts of a running server, newest first: open and muted ones, and those of ninety days that are resolved. docs/runbook.md says what to do about each.",
	}
	f, asJSON := filterFlag(c, "alert", "company", "kind", "state").paging(c), jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		rows, err := db.Alerts(cmd.Context(), filter)
		if err != nil {
			return err
		}
		views := make([]alertView, len(rows))
		for i, a := range rows {
			views[i] = alertView{a, a.State(db.Now()), a.Kind.Runbook()}
		}
		return printList(cmd.OutOrStdout(), *asJSON, views, []column[alertView]{
			{"id", func(a alertView) string { return a.ID }},
			{"company", func(a alertView) string { return a.Company }},
			{"kind", func(a alertView) string { return string(a.Kind) }},
			{"subject", func(a alertView) string { return a.Subject }},
			{"state", func(a alertView) string { return a.State }},
			{"count", func(a alertView) string { return strconv.Itoa(a.Count) }},
			{"opened", func(a alertView) string { return clock(a.OpenedAt) }},
			{"resolved", func(a alertView) string { return clock(a.ResolvedAt) }},
			{"text", func(a alertView) string { return a.Text("en", time.Local) }},
		})
	})
	return c
}

// An alertView is an alert as programs read it.
type alertView struct {
	alerts.Alert
	State   string `json:"state"`
	Runbook string `json:"runbook"`
}

func alertMute(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "mute ID", Short: "Do not remind of an alert for a while; its end is told all the same", Args: cobra.ExactArgs(1), Example: "  careerrelay alert mute 01JD… --for 7d --reason 'the vendor is told'"}
	span := c.Flags().String("for", "7d", "how long: 12h, 7d")
	reason := reasonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		var d ats.Duration
		if err := d.UnmarshalText([]byte(*span)); err != nil || d <= 0 {
			return ats.Errorf(ats.Invalid, "--for: %q is not a length of time; write 12h or 7d", *span)
		}
		why, err := needReason(*reason)
		if err != nil {
			return err
		}
		return db.MuteAlert(cmd.Context(), caller(), args[0], db.Now().Add(d.Std()), why)
	})
	return c
}

func alertUnmute(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "unmute ID", Short: "Remind of an alert again", Args: cobra.ExactArgs(1)}
	reason := reasonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		why, err := needReason(*reason)
		if err != nil {
			return err
		}
		return db.MuteAlert(cmd.Context(), caller(), args[0], time.Time{}, why)
	})
	return c
}

func brakeCommand(s *settings) *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List the brakes that are on"}
	company := list.Flags().String("company", "", usages["company"])
	all := list.Flags().Bool("all", false, "also those of thirty days that are off again")
	asJSON := jsonFlag(list)
	list.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		rows, err := db.Brakes(cmd.Context(), *company, *all)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, []column[record.Brake]{
			{"company", func(b record.Brake) string { return b.Company }},
			{"kind", func(b record.Brake) string { return b.Kind }},
			{"opened", func(b record.Brake) string { return clock(b.OpenedAt) }},
			{"resolved", func(b record.Brake) string { return clock(b.ResolvedAt) }},
			{"cause", func(b record.Brake) string { return b.Cause }},
		})
	})
	release := &cobra.Command{
		Use: "release COMPANY KIND", Short: "Let a company's mails go again after bounces or complaints", Args: cobra.ExactArgs(2),
		Long:    "Release the brake bounces or complaints of a company. Mails that waited for it go at once, within the sending hours; those sent before do not count again. Other brakes go off when their cause is gone.",
		Example: "  careerrelay brake release acme bounces --reason 'old addresses of an import; they are suppressed now'",
	}
	reason := reasonFlag(release)
	release.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		why, err := needReason(*reason)
		if err != nil {
			return err
		}
		return db.ReleaseBrake(cmd.Context(), caller(), args[0], args[1], why)
	})
	return noun("brake", "Stops that need a person, or a repair", list, release)
}
