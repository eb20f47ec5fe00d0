package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/jobs"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

func mailCommand(s *settings) *cobra.Command {
	return noun("mail", "The outbox", mailList(s), mailShow(s), mailPreview(s),
		mailVerb(s, "release", "Let stopped mails go: a person looked at them", (*store.Store).ReleaseMails),
		mailVerb(s, "stop", "Hold waiting mails until they are released", (*store.Store).StopMails),
		mailVerb(s, "cancel", "Take waiting mails back for good", (*store.Store).CancelMails),
		mailVerb(s, "send", "Let one waiting mail leave now, whatever the hour", (*store.Store).SendMails),
		mailRetry(s), mailResolve(s), mailEdit(s), mailAsk(s), mailVouch(s))
}

var mailFilters = []string{"company", "connection", "vendor", "state", "purpose", "error", "application", "email", "batch"}

var mailColumns = []column[record.Mail]{
	{"id", func(m record.Mail) string { return m.ID }},
	{"company", func(m record.Mail) string { return m.Company }},
	{"application", func(m record.Mail) string { return m.ApplicationID }},
	{"purpose", func(m record.Mail) string { return m.Purpose }},
	{"state", mailState},
	{"due", func(m record.Mail) string { return clock(m.DueAt) }},
	{"sent", func(m record.Mail) string { return clock(m.SentAt) }},
	{"provider", func(m record.Mail) string { return m.Delivery }},
	{"reason", func(m record.Mail) string { return m.Reason }},
}

// mailState tells a mail that waits for a person from one that waits for its time.
func mailState(m record.Mail) string {
	if m.State == record.MailHeld && m.Stopped {
		return "stopped"
	}
	return string(m.State)
}

func mailList(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List mails, newest first; --state stopped are those that wait for a person"}
	f, asJSON := filterFlag(c, "mail", mailFilters...).paging(c), jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		rows, err := db.Mails(cmd.Context(), filter)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, mailColumns)
	})
	return c
}

// A mailView is a mail with what happened to it.
type mailView struct {
	record.Mail
	History []record.Attempt   `json:"history"`
	Events  []record.MailEvent `json:"events"`
	Jobs    []record.Job       `json:"jobs"`
}

func mailShow(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a mail, its attempts and what the provider said", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		ctx := cmd.Context()
		m, err := db.Mail(ctx, args[0])
		if err != nil {
			return err
		}
		view := mailView{Mail: m}
		if view.History, view.Events, err = db.MailHistory(ctx, m.ID); err != nil {
			return err
		}
		if view.Jobs, err = db.JobsOf(ctx, m.ID); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), view)
		}
		return printMail(cmd, view)
	})
	return c
}

func printMail(cmd *cobra.Command, v mailView) error {
	w := cmd.OutOrStdout()
	err := printFacts(w, [2]string{"mail", v.ID}, [2]string{"company", v.Company}, [2]string{"application", cell(v.ApplicationID)}, [2]string{"purpose", v.Purpose},
		[2]string{"state", mailState(v.Mail)}, [2]string{"reason", cell(v.Reason)}, [2]string{"template", v.Template + " " + v.Version + " " + v.Locale},
		[2]string{"decided", clock(v.DecidedAt)}, [2]string{"due", clock(v.DueAt)}, [2]string{"sent", clock(v.SentAt)}, [2]string{"transport", cell(v.Transport)},
		[2]string{"send id", v.SendID}, [2]string{"provider id", cell(v.ProviderID)}, [2]string{"provider says", cell(v.Delivery)})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	if len(v.History) > 0 {
		if err := printList(w, false, v.History, []column[record.Attempt]{
			{"attempt", func(a record.Attempt) string { return strconv.Itoa(a.Number) }},
			{"started", func(a record.Attempt) string { return clock(a.StartedAt) }},
			{"outcome", func(a record.Attempt) string { return a.Outcome }},
			{"detail", func(a record.Attempt) string { return a.Detail }},
		}); err != nil {
			return err
		}
	}
	if len(v.Events) > 0 {
		if err := printList(w, false, v.Events, []column[record.MailEvent]{
			{"at", func(e record.MailEvent) string { return clock(e.At) }},
			{"provider", func(e record.MailEvent) string { return e.Kind }},
			{"detail", func(e record.MailEvent) string { return e.Detail }},
		}); err != nil {
			return err
		}
	}
	return printList(w, false, v.Jobs, jobColumns)
}

func mailPreview(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "preview ID", Short: "Print the exact bytes of a mail; noted in the audit log", Args: cobra.ExactArgs(1)}
	reason := c.Flags().String("reason", "", "why the mail is read (required: it holds personal data)")
	html := c.Flags().Bool("html", false, "print the HTML part")
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		row, err := db.Mail(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if err := noteReveal(cmd.Context(), db, "mail", row.ID, row.Company, *reason); err != nil {
			return err
		}
		_, m, err := db.Letter(cmd.Context(), row.ID)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		switch {
		case *asJSON:
			return printJSON(w, m)
		case *html:
			_, err = fmt.Fprintln(w, m.HTML)
		default:
			err = printMessage(cmd, m)
		}
		return err
	})
	return c
}

func printMessage(cmd *cobra.Command, m mail.Message) error {
	w := cmd.OutOrStdout()
	_, _ = fmt.Fprintf(w, "From: %s <%s>\nTo: %s <%s>\nSubject: %s\n", m.From.Name, string(m.From.Address), m.To.Name, string(m.To.Address), m.Subject)
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		_, _ = fmt.Fprintf(w, "%s: %s\n", name, m.Header[name])
	}
	_, err := fmt.Fprintf(w, "\n%s\n", m.Text)
	return err
}

func mailVerb(s *settings, verb, short string, do verbOfStore) *cobra.Command {
	c := &cobra.Command{Use: verb + " [ID]", Short: short, Example: "  careerrelay mail " + verb + " --company acme --application A-1001 --reason 'asked by the recruiter' --yes"}
	o := orderFlag(c, "mail", mailFilters...)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		return carryOut(cmd, args, o, bound(db, do))
	})
	return c
}

func mailResolve(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "resolve [ID] (--sent | --not-sent)", Short: "Settle mails whose outcome is unclear by a person's word",
		Example: "  careerrelay mail resolve 01J… --not-sent --reason 'not in the provider’s log'",
	}
	o := orderFlag(c, "mail", mailFilters...)
	sent := c.Flags().Bool("sent", false, "it left; nothing is sent again")
	notSent := c.Flags().Bool("not-sent", false, "it did not leave; it is sent now")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if *sent == *notSent {
			return ats.Errorf(ats.Invalid, "say --sent or --not-sent")
		}
		return carryOut(cmd, args, o, bound(db, func(db *store.Store, ctx context.Context, order record.Order) (record.Done, error) {
			return db.ResolveMails(ctx, order, *sent)
		}))
	})
	return c
}

func mailRetry(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "retry [ID]", Short: "Send failed mails again", Example: "  careerrelay mail retry --company acme --state failed --reason 'the key works again' --yes"}
	o := rerunFlag(c, "mail", mailFilters...)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		return rerun(cmd, s, args, o, "retry", db.Rerun)
	})
	return c
}

// mailDeed is something that is done to one thing, for a reason.
func mailDeed(s *settings, use, short string, do func(ctx context.Context, k *jobs.Clerk, db *store.Store, id, reason string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1)}
	reason := reasonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if _, err := needReason(*reason); err != nil {
			return err
		}
		k, err := clerk(s, db)
		if err != nil {
			return err
		}
		if err := do(cmd.Context(), k, db, args[0], *reason); err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "done")
		return err
	})
	return c
}

func mailEdit(s *settings) *cobra.Command {
	var line string
	c := mailDeed(s, "edit ID --line TEXT", "Write a thank-you mail that waits anew, with another personal line", func(ctx context.Context, k *jobs.Clerk, _ *store.Store, id, reason string) error {
		return k.Edit(ctx, caller(), id, line, reason)
	})
	c.Flags().StringVar(&line, "line", "", "at most 120 characters on one line; empty takes it out")
	return c
}

func mailAsk(s *settings) *cobra.Command {
	return mailDeed(s, "ask ID", "Ask the provider about a mail whose outcome is unclear", func(ctx context.Context, k *jobs.Clerk, _ *store.Store, id, reason string) error {
		return k.Ask(ctx, caller(), id, reason)
	})
}

func mailVouch(s *settings) *cobra.Command {
	return mailDeed(s, "vouch COMPANY", "Vouch for the mails that a company's volume brake stopped; a second person then releases them", func(ctx context.Context, _ *jobs.Clerk, db *store.Store, company, reason string) error {
		return db.AskRelease(ctx, caller(), company, reason)
	})
}
