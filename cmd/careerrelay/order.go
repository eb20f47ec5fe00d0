package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
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
