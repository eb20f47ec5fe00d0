package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/jobs"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/store"
)

func vendorSubscribe(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "subscribe COMPANY CONNECTION", Short: "Make the vendor send its webhooks to us", Args: cobra.ExactArgs(2),
		Long: `Create the webhooks of a connection in the vendor's system, pointing at PUBLIC_URL,
as far as its API allows that. What is there already is left alone, so it may be
run again. One that the vendor ends after a while is renewed by the running server
from then on; doctor shows how that goes. Secrets that the vendor gives are printed once: put them where the
company's file names them. With --remove a webhook is taken away by its id. Both
are noted in the audit log.`,
		Example: "  careerrelay vendor subscribe acme ashby --reason 'going live'\n  careerrelay vendor subscribe acme ashby --remove 7f1c --reason 'made twice'",
	}
	reason := reasonFlag(c)
	remove := c.Flags().String("remove", "", "take away the webhook with this id instead")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if _, err := needReason(*reason); err != nil {
			return err
		}
		b := subscriber{settings: s, db: db, client: relay.NewHTTPClient(false), company: args[0], connection: args[1], reason: *reason}
		if *remove != "" {
			return b.remove(cmd.Context(), *remove)
		}
		return b.subscribe(cmd.Context(), cmd.OutOrStdout())
	})
	return c
}

// A subscriber makes and removes the webhooks of a connection, by hand.
type subscriber struct {
	*settings
	db                  *store.Store
	client              *http.Client
	company, connection string
	reason              string
}

func (b subscriber) open() (connectors.Subscriber, *configs.Company, error) {
	company, conn, err := openConnection(b.settings, b.db, b.client, b.company, b.connection)
	if err != nil {
		return nil, nil, err
	}
	vendor, ok := conn.(connectors.Subscriber)
	if !ok {
		name := company.Connections[b.connection].Vendor
		return nil, nil, ats.Errorf(ats.Invalid, "%s has no API for webhooks that is used here; careerrelay vendor show %s says how to switch it on", name, name)
	}
	return vendor, company, nil
}

func (b subscriber) remove(ctx context.Context, id string) error {
	vendor, company, err := b.open()
	if err != nil {
		return err
	}
	if err := vendor.Unsubscribe(ctx, id); err != nil {
		return err
	}
	return errors.Join(b.db.DropSubscription(ctx, company.ID, b.connection), b.note(ctx, "unsubscribe", id))
}

// note writes the audit entry.
func (b subscriber) note(ctx context.Context, verb, webhook string) error {
	return b.db.Audit(ctx, caller(), record.Audit{Verb: verb, Noun: "connection", Subject: b.connection, Company: b.company, Reason: b.reason, Detail: "webhook " + webhook})
}

// subscribe makes the webhook. One that ends by itself is noted, so that the
// server renews it from now on.
func (b subscriber) subscribe(ctx context.Context, out io.Writer) error {
	vendor, company, err := b.open()
	if err != nil {
		return err
	}
	made, err := vendor.Subscribe(ctx, b.publicURL+"/hooks/"+company.ID+"/"+b.connection)
	if err != nil {
		return err
	}
	if !made.Until.IsZero() {
		kept := jobs.Renewed(record.Subscription{Company: company.ID, Connection: b.connection, Vendor: company.Connections[b.connection].Vendor}, made, b.db.Now())
		if err := b.db.KeepSubscription(ctx, kept); err != nil {
			return err
		}
	}
	// The secret is shown first: the vendor does not show it again.
	return errors.Join(printSubscription(out, made), b.note(ctx, "subscribe", made.ID))
}

// openConnection opens one connection of a company, for a command.
func openConnection(s *settings, db *store.Store, client *http.Client, id, connection string) (*configs.Company, connectors.Connector, error) {
	tenants, err := openTenants(s, nil)
	if err != nil {
		return nil, nil, err
	}
	company, err := tenants.Company(id)
	if err != nil {
		return nil, nil, whyMissing(tenants, id, err)
	}
	opener := newOpener(client, slog.New(slog.DiscardHandler), s.publicURL)
	opener.vault = db.Vault
	conn, err := opener.make(company, connection)
	return company, conn, err
}

// printSubscription is the one place where a secret is printed: the vendor shows
// it only once.
func printSubscription(w io.Writer, made connectors.Subscription) error {
	_, err := fmt.Fprintf(w, "webhook %s is in place\n", made.ID)
	if made.Secret != "" {
		_, err = fmt.Fprintf(w, "its secret, shown this once:\n%s\nput it among the connection's secrets, then run this command again\n", string(made.Secret))
	}
	if !made.Until.IsZero() {
		_, err = fmt.Fprintf(w, "the vendor stops on %s; a running server renews it before\n", clock(made.Until))
	}
	return err
}
