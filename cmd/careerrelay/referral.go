package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/store"
)

func referralCommand(s *settings) *cobra.Command {
	return noun("referral", "Hand-overs of consented profiles", referralList(s), referralShow(s), referralRetry(s))
}

var referralFilters = []string{"company", "recipient", "state", "error"}

func referralList(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List hand-overs, newest first"}
	f, asJSON := filterFlag(c, "referral", referralFilters...).paging(c), jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		filter, err := f.read(stamp())
		if err != nil {
			return err
		}
		rows, err := db.Referrals(cmd.Context(), filter)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, []column[record.Referral]{
			{"id", func(r record.Referral) string { return r.ID }},
			{"company", func(r record.Referral) string { return r.Company }},
			{"recipient", func(r record.Referral) string { return r.Recipient }},
			{"state", func(r record.Referral) string { return string(r.State) }},
			{"reference", func(r record.Referral) string { return r.Reference }},
			{"updated", func(r record.Referral) string { return clock(r.UpdatedAt) }},
			{"reason", func(r record.Referral) string { return r.Reason }},
		})
	})
	return c
}

func referralShow(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a hand-over and its jobs", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		r, err := db.Referral(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		jobs, err := db.JobsOf(cmd.Context(), r.ID)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if *asJSON {
			return printJSON(w, struct {
				record.Referral
				Jobs []record.Job `json:"jobs"`
			}{r, jobs})
		}
		err = printFacts(w, [2]string{"referral", r.ID}, [2]string{"company", r.Company}, [2]string{"recipient", r.Recipient}, [2]string{"state", string(r.State)},
			[2]string{"reference", cell(r.Reference)}, [2]string{"reason", cell(r.Reason)}, [2]string{"fields provided", cell(strings.Join(r.Fields, " "))},
			[2]string{"provider", party(r.Provider)}, [2]string{"receiver", party(r.Receiver)}, [2]string{"stood for by", cell(r.Twin)}, [2]string{"told of withdrawal", clock(r.ToldAt)},
			[2]string{"created", clock(r.CreatedAt)}, [2]string{"updated", clock(r.UpdatedAt)})
		if err != nil {
			return err
		}
		return printList(w, false, jobs, jobColumns)
	})
	return c
}

// party writes one side of a hand-over on one line.
func party(p relay.Party) string {
	var known []string
	for _, s := range []string{p.Name, p.Address, p.Representative, p.Licence} {
		if s != "" {
			known = append(known, s)
		}
	}
	return cell(strings.Join(known, ", "))
}

func referralRetry(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "retry [ID]", Short: "Hand over again what failed"}
	o := rerunFlag(c, "referral", referralFilters...)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		return rerun(cmd, s, args, o, "retry", db.Rerun)
	})
	return c
}

func creditCommand(s *settings) *cobra.Command {
	show := &cobra.Command{Use: "show COMPANY", Short: "Show a company's account of introductions", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(show)
	show.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		company, err := companyOf(s, args[0])
		if err != nil {
			return err
		}
		a, err := db.Account(cmd.Context(), company.ID, company.Relay.Policy)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if *asJSON {
			return printJSON(w, a)
		}
		err = printFacts(w, [2]string{"company", a.Company}, [2]string{"introductions", strconv.Itoa(a.Net)},
			[2]string{"to the next slot", strconv.Itoa(a.ToNext) + " of " + strconv.Itoa(a.Ratio)}, [2]string{"slots", strconv.Itoa(len(a.Slots))})
		if err != nil {
			return err
		}
		return printList(w, false, a.Entries, []column[record.Credit]{
			{"at", func(c record.Credit) string { return clock(c.At) }},
			{"kind", func(c record.Credit) string { return c.Kind }},
			{"amount", func(c record.Credit) string { return strconv.Itoa(c.Amount) }},
			{"person", func(c record.Credit) string { return c.PersonID }},
			{"policy", func(c record.Credit) string { return c.Policy }},
		})
	})
	reconcile := &cobra.Command{Use: "reconcile COMPANY", Short: "Compare a company's slots with its ledger and open what is missing", Args: cobra.ExactArgs(1)}
	reason := reconcile.Flags().String("reason", "", "why; kept in the audit log (required when slots are missing)")
	reconcile.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		company, err := companyOf(s, args[0])
		if err != nil {
			return err
		}
		opened, err := db.Reconcile(cmd.Context(), caller(), company.ID, company.Relay.Policy, *reason)
		if err != nil {
			return err
		}
		cmd.Printf("%d slots opened\n", opened)
		return nil
	})
	return noun("credit", "The account of introductions and free slots", show, reconcile)
}

// companyOf reads one company's file.
func companyOf(s *settings, id string) (*configs.Company, error) {
	tenants, err := openTenants(s, nil)
	if err != nil {
		return nil, err
	}
	return inForce(tenants, id)
}

// inForce returns a company, or what is wrong with its file.
func inForce(tenants *configs.Tenants, id string) (*configs.Company, error) {
	company, err := tenants.Company(id)
	if err == nil {
		return company, nil
	}
	for _, s := range tenants.Status() {
		if s.Company == id && len(s.Errors) > 0 {
			return nil, ats.Errorf(ats.Invalid, "%s", strings.Join(s.Errors, "\n"))
		}
	}
	return nil, err
}
