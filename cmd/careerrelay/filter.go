package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A filterFlags is the filter of a list or a verb as flags. They are the same
// words as in the console's and the API's addresses.
type filterFlags struct {
	noun         string // of what is looked for
	filter       record.Filter
	since, until string
}

// usages says what each word of a filter narrows to.
var usages = map[string]string{
	"company": "of this company", "connection": "through this connection", "vendor": "from this ATS",
	"state": "in this state", "kind": "of this kind", "purpose": "for this purpose", "recipient": "to this recipient",
	"error": "whose error or reason contains this", "application": "of this application (the vendor's id)",
	"actor": "by this actor: user:hana, token:hana/ci, cli:root, system", "verb": "what was done: reveal, release, …", "noun": "to this kind of thing: mail, user, …",
	"fault": "whose error is of this class, such as invalid, busy or unexpected",
	"batch": "of this batch", "after": "beyond this id: the next page",
}

// filterFlag adds the named words of a filter for a noun to c; time and paging
// are always there, and email where a list knows it.
func filterFlag(c *cobra.Command, noun string, names ...string) *filterFlags {
	f := &filterFlags{noun: noun}
	for _, name := range names {
		if name == "email" {
			c.Flags().StringVar(&f.filter.Email, "email", "", "of the person with this address (needs --company)")
			continue
		}
		usage := usages[name]
		if name == "state" {
			usage += ": " + strings.Join(record.States(noun), ", ")
		}
		c.Flags().StringVar(f.filter.Text(name), name, "", usage)
	}
	c.Flags().StringVar(&f.since, "since", "", "not older than: 24h, 7d, 2026-11-24 or a full time")
	c.Flags().StringVar(&f.until, "until", "", "older than")
	return f
}

// paging adds the flags of a list.
func (f *filterFlags) paging(c *cobra.Command) *filterFlags {
	c.Flags().StringVar(f.filter.Text("after"), "after", "", usages["after"])
	c.Flags().IntVar(&f.filter.Limit, "limit", record.PageSize, fmt.Sprintf("rows, %d at most", record.MaxPage))
	return f
}

// read returns the filter.
func (f *filterFlags) read(now time.Time) (record.Filter, error) {
	for _, bound := range []struct {
		flag, text string
		at         *time.Time
	}{{"since", f.since, &f.filter.Since}, {"until", f.until, &f.filter.Until}} {
		if bound.text == "" {
			continue
		}
		t, err := record.ParseTime(bound.text, now)
		if err != nil {
			return f.filter, ats.Errorf(ats.Invalid, "--%s: %w", bound.flag, err)
		}
		*bound.at = t
	}
	if f.filter.Limit < 0 || f.filter.Limit > record.MaxPage {
		return f.filter, ats.Errorf(ats.Invalid, "--limit: %d is not from 1 to %d", f.filter.Limit, record.MaxPage)
	}
	if err := f.filter.CheckState(f.noun); err != nil {
		return f.filter, fmt.Errorf("--%w", err)
	}
	return f.filter, f.filter.NeedCompany()
}

// An orderFlags is a verb over one thing or over everything that a filter finds.
type orderFlags struct {
	*filterFlags
	reason string
	dryRun bool
	yes    bool
	json   *bool
	rate   int
	halt   int
}

// orderFlag adds the flags of a verb. One id is done at once; a filter only
// shows what it would do until --yes is given.
func orderFlag(c *cobra.Command, noun string, names ...string) *orderFlags {
	o := &orderFlags{filterFlags: filterFlag(c, noun, names...), json: jsonFlag(c)}
	c.Flags().StringVar(&o.reason, "reason", "", "why; kept in the audit log (required)")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "only show what would be done")
	c.Flags().BoolVar(&o.yes, "yes", false, "do it: without this, a filter only shows what it would do")
	c.Args = cobra.MaximumNArgs(1)
	return o
}

// rerunFlag adds the flags of a verb that a batch carries out.
func rerunFlag(c *cobra.Command, noun string, names ...string) *orderFlags {
	o := orderFlag(c, noun, names...)
	c.Flags().IntVar(&o.rate, "rate", 0, "items handed to the workers in a minute at most; 0 for no bound")
	c.Flags().IntVar(&o.halt, "halt", record.DefaultHalt, "pause the batch after so many failures")
	return o
}

// order makes the order of one call.
func (o *orderFlags) order(args []string, now time.Time) (record.Order, error) {
	f, err := o.read(now)
	if err != nil {
		return record.Order{}, err
	}
	order := record.Order{Actor: caller(), Filter: f, Reason: strings.TrimSpace(o.reason), DryRun: o.dryRun}
	switch {
	case len(args) == 1 && f.Narrow():
		return order, ats.Errorf(ats.Invalid, "give an id or a filter, not both")
	case len(args) == 1:
		order.Filter.ID = args[0]
	case !f.Narrow():
		return order, ats.Errorf(ats.Invalid, "give an id or a filter, such as --company or --state")
	default:
		order.DryRun = order.DryRun || !o.yes
	}
	if order.Reason == "" && !order.DryRun {
		return order, ats.Errorf(ats.Invalid, "--reason: required; it is kept in the audit log")
	}
	return order, nil
}

// report says what an order did or would do. That the one thing it named was
// left alone is an error, so that scripts notice.
func (o *orderFlags) report(cmd *cobra.Command, order record.Order, done record.Done) error {
	if err := o.print(cmd, done); err != nil {
		return err
	}
	if order.Filter.ID != "" && !done.DryRun && done.Changed == 0 {
		return ats.Errorf(ats.Conflict, "%s %s: nothing was changed", o.noun, order.Filter.ID)
	}
	return nil
}

func (o *orderFlags) print(cmd *cobra.Command, done record.Done) error {
	if *o.json {
		return printJSON(cmd.OutOrStdout(), done)
	}
	verb := "done: " + done.Verb
	if done.DryRun {
		verb = "would " + done.Verb
	}
	w := cmd.OutOrStdout()
	if started := done.Batch != "" && done.Changed == 0; started {
		_, err := fmt.Fprintf(w, "batch %s: %s %d %s, step by step while a server runs\nsee: careerrelay batch show %[1]s\n", done.Batch, done.Verb, done.Matched, record.Plural(o.noun))
		return err
	}
	_, _ = fmt.Fprintf(w, "%s %d of %d %s found\n", verb, done.Changed, done.Matched, record.Plural(o.noun))
	reasons := make([]string, 0, len(done.Skipped))
	for reason := range done.Skipped {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		_, _ = fmt.Fprintf(w, "  %d not: %s%s\n", done.Skipped[reason], reason, examples(done.Samples[reason]))
	}
	if done.Looked > 0 {
		_, _ = fmt.Fprintf(w, "  the first %d were looked at one by one\n", done.Looked)
	}
	if done.Batch != "" {
		_, _ = fmt.Fprintf(w, "batch %s\n", done.Batch)
	}
	if done.DryRun && !o.dryRun {
		_, _ = fmt.Fprintln(w, "nothing was changed; add --yes and --reason to do it")
	}
	return nil
}

// examples names some of those that a reason holds for.
func examples(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ", such as " + strings.Join(ids, " ")
}

// reasonFlag asks why.
func reasonFlag(c *cobra.Command) *string {
	return c.Flags().String("reason", "", "why; kept in the audit log (required)")
}

func needReason(reason string) (string, error) {
	if reason = strings.TrimSpace(reason); reason == "" {
		return "", ats.Errorf(ats.Invalid, "--reason: required; it is kept in the audit log")
	}
	return reason, nil
}
