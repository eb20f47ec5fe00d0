package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/store"
)

func vendorSubscribe(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "subscribe COMPANY CONNECTION", Short: "Make the vendor send its webhooks to us", Args: cobra.ExactArgs(2),
		Long: `Create the webhooks of a connection in the vendor's system, pointing at PUBLIC_URL,
as far as its API allows that. What is there already is left alone, so it may be
run again. Secrets that the vendor gives are printed once: put them where the
company's file names them. With --remove a webhook is taken away by its id. Both
are noted in the audit log.`,
		Example: "  careerrelay vendor subscribe acme ashby --reason 'going live'\n  careerrelay vendor subscribe acme ashby --remove 7f1c --reason 'made twice'",
	}
	reason := c.Flags().String("reason", "", "why; kept in the audit log (required)")
	remove := c.Flags().String("remove", "", "take away the webhook with this id instead")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if strings.TrimSpace(*reason) == "" {
			return ats.Errorf(ats.Invalid, "--reason: required; it is kept in the audit log")
		}
		tenants, err := openTenants(s, nil)
		if err != nil {
			return err
		}
		company, err := tenants.Company(args[0])
		if err != nil {
			return whyMissing(tenants, args[0], err)
		}
		conn, err := newOpener(relay.NewHTTPClient(false), slog.New(slog.DiscardHandler), s.publicURL).make(company, args[1])
		if err != nil {
			return err
		}
		vendor, ok := conn.(connectors.Subscriber)
		if !ok {
			return ats.Errorf(ats.Invalid, "%s has no API for webhooks that is used here; careerrelay vendor show %s says how to switch it on", company.Connections[args[1]].Vendor, company.Connections[args[1]].Vendor)
		}
		deed := record.Audit{Verb: "subscribe", Noun: "connection", Subject: args[1], Company: company.ID, Reason: *reason}
		if *remove != "" {
			if err := vendor.Unsubscribe(cmd.Context(), *remove); err != nil {
				return err
			}
			deed.Verb, deed.Detail = "unsubscribe", "webhook "+*remove
			return db.Audit(cmd.Context(), caller(), deed)
		}
		made, err := vendor.Subscribe(cmd.Context(), s.publicURL+"/hooks/"+company.ID+"/"+args[1])
		if err != nil {
			return err
		}
		deed.Detail = "webhook " + made.ID
		// The secret is shown first: the vendor does not show it again.
		return errors.Join(printSubscription(cmd, made), db.Audit(cmd.Context(), caller(), deed))
	})
	return c
}

// printSubscription is the one place where a secret is printed: the vendor shows
// it only once.
func printSubscription(cmd *cobra.Command, made connectors.Subscription) error {
	w := cmd.OutOrStdout()
	_, err := fmt.Fprintf(w, "webhook %s is in place\n", made.ID)
	if made.Secret != "" {
		_, err = fmt.Fprintf(w, "its secret, shown this once:\n%s\nput it among the connection's secrets, then run this command again\n", string(made.Secret))
	}
	if !made.Until.IsZero() {
		_, err = fmt.Fprintf(w, "the vendor stops on %s unless this command runs again before\n", clock(made.Until))
	}
	return err
}
