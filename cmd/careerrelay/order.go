package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/jobs"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/store"
)

// carryOut runs a verb and reports what it did.
func carryOut(cmd *cobra.Command, args []string, o *orderFlags, do func(context.Context, record.Order) (record.Done, error)) error {
	order, err := o.order(args, stamp())
	if err != nil {
		return err
	}
	done, err := do(cmd.Context(), order)
	if err != nil {
		return err
	}
	return o.report(cmd, order, done)
}

// A rerunOfStore makes batches.
type rerunOfStore func(context.Context, record.Rerun, record.Terms) (record.Done, error)

// rerun runs a verb that a batch carries out, under the terms of the companies'
// files. When these cannot be read, the workers ask theirs.
func rerun(cmd *cobra.Command, s *settings, args []string, o *orderFlags, verb string, do rerunOfStore) error {
	var now record.Terms
	if tenants, err := openTenants(s, nil); err == nil {
		now = terms(tenants, newCache(readLetters))
	}
	return carryOut(cmd, args, o, func(ctx context.Context, order record.Order) (record.Done, error) {
		return do(ctx, record.Rerun{Order: order, Verb: verb, Noun: o.noun, Rate: o.rate, Halt: o.halt}, now)
	})
}

// clerk opens what some verbs need beside the database.
func clerk(s *settings, db *store.Store) (*jobs.Clerk, error) {
	tenants, err := openTenants(s, nil)
	if err != nil {
		return nil, err
	}
	v := &server{settings: s, db: db, tenants: tenants, opener: newOpener(relay.NewHTTPClient(false), nil, s.publicURL), letters: newCache(readLetters), sender: mail.NewHTTPClient()}
	return v.clerk(), nil
}

// noteReveal notes in the audit log, before it happens, that personal data is
// shown.
func noteReveal(ctx context.Context, db *store.Store, noun, id, company, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return ats.Errorf(ats.Invalid, "--reason: required to show personal data; it is kept in the audit log")
	}
	return db.Audit(ctx, caller(), record.Audit{Verb: "reveal", Noun: noun, Subject: id, Company: company, Reason: reason})
}

// A verbOfStore is a verb as the store has it.
type verbOfStore func(*store.Store, context.Context, record.Order) (record.Done, error)

func bound(db *store.Store, do verbOfStore) func(context.Context, record.Order) (record.Done, error) {
	return func(ctx context.Context, o record.Order) (record.Done, error) { return do(db, ctx, o) }
}
