package store_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

// walk is how a plan says that it reads a whole table that grows.
var walk = regexp.MustCompile(`(SCAN|Seq Scan on) (jobs|mails|m|deliveries|d|applications|a|j|people|p|registrations|g)\b`)

// What is asked all the time, and what a person waits for, must not walk through
// the tables that grow.
func TestPlans(t *testing.T) {
	ctx := t.Context()
	asked := map[string]func(s *store.Store) error{
		"next due": func(s *store.Store) error { return second(s.NextDue(ctx)) },
		"load":     func(s *store.Store) error { return second(s.Load(ctx, record.LiveQueue, 256)) },
		"dispatch": func(s *store.Store) error {
			return second(s.Dispatch(ctx, record.LiveQueue, map[string]int{"company-3": 5}))
		},
		"sweep":       func(s *store.Store) error { return second(s.Sweep(ctx, time.Minute)) },
		"pulse":       func(s *store.Store) error { return second(s.Pulse(ctx, time.Now())) },
		"posting":     func(s *store.Store) error { return second(s.Posting(ctx, "00M0000100")) },
		"application": func(s *store.Store) error { return second(s.Application(ctx, "application-7", false)) },
		"jobs of":     func(s *store.Store) error { return second(s.JobsOf(ctx, "00M0000100")) },
		"people":      func(s *store.Store) error { return second(s.FindPeople(ctx, "company-3", "佐藤")) },
		"graves":      func(s *store.Store) error { return second(s.Graves(ctx, record.Filter{})) },
		"graves of":   func(s *store.Store) error { return second(s.Graves(ctx, record.Filter{Company: "company-3"})) },
		"preview": func(s *store.Store) error {
			return second(s.Rerun(ctx, record.Rerun{Order: record.Order{Filter: record.Filter{State: "dead", Fault: "busy"}, DryRun: true}, Verb: "retry", Noun: "job"}, nil))
		},
		"progress": func(s *store.Store) error { return second(s.Progress(ctx, "b7")) },
		"results": func(s *store.Store) error {
			rows, err := s.Results(ctx, record.Filter{Batch: "b7", Limit: 10})
			if err == nil && len(rows) != 10 {
				err = fmt.Errorf("%d results", len(rows))
			}
			return err
		},
		"step": func(s *store.Store) error {
			_, err := s.StepBatch(ctx, record.Job{ID: "00J0000001", Subject: "b7"}, nil)
			if ats.FaultOf(err) != ats.Duplicate {
				return fmt.Errorf("a step without its job: %w", err)
			}
			return nil
		},
		"the dead": func(s *store.Store) error { return second(s.Jobs(ctx, record.Filter{State: "dead"})) },
		"dead in one": func(s *store.Store) error {
			return second(s.Jobs(ctx, record.Filter{Company: "company-3", State: "dead"}))
		},
		"parked": func(s *store.Store) error { return second(s.Deliveries(ctx, record.Filter{State: "parked"})) },
		"outbox": func(s *store.Store) error {
			return second(s.Mails(ctx, record.Filter{State: "held", Order: record.ByDue}))
		},
		"outbox on": func(s *store.Store) error {
			return second(s.Mails(ctx, record.Filter{State: "held", Order: record.ByDue, After: "00M0000100"}))
		},
		"stopped": func(s *store.Store) error {
			return second(s.Mails(ctx, record.Filter{State: "stopped", Order: record.ByDue}))
		},
		"jobs by app": func(s *store.Store) error { return second(s.Jobs(ctx, record.Filter{Application: "application-7"})) },
		"jobs by address": func(s *store.Store) error {
			return second(s.Jobs(ctx, record.Filter{Company: "company-3", Email: "x@example.jp"}))
		},
		"mails by app":     func(s *store.Store) error { return second(s.Mails(ctx, record.Filter{Application: "application-7"})) },
		"mails of a batch": func(s *store.Store) error { return second(s.Mails(ctx, record.Filter{Batch: "b7"})) },
		"rows of a file": func(s *store.Store) error {
			rows := []record.Row{{Key: "k", Application: "application-7", Email: "x@example.jp"}}
			return second(s.KnownRows(ctx, "company-3", "main", rows, time.Now()))
		},
		"mails by address": func(s *store.Store) error {
			return second(s.Mails(ctx, record.Filter{Company: "c", Email: "x@example.jp"}))
		},
		"deliveries by app": func(s *store.Store) error {
			return second(s.Deliveries(ctx, record.Filter{Application: "application-7"}))
		},
		"deliveries by person": func(s *store.Store) error { return second(s.Deliveries(ctx, record.Filter{Person: "p7"})) },
		"deliveries by address": func(s *store.Store) error {
			return second(s.Deliveries(ctx, record.Filter{Company: "company-3", Email: "x@example.jp"}))
		},
	}
	for _, db := range databases {
		t.Run(db.name, func(t *testing.T) {
			t.Parallel()
			o := db.open(t)
			s := open(t, o)
			crowd(t, o, 20_000)
			type statement struct {
				query string
				args  []any
			}
			var heard []statement
			s.Watch(func(query string, args []any) { heard = append(heard, statement{query, slices.Clone(args)}) })
			for name, ask := range asked {
				heard = nil
				if err := ask(s); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if len(heard) == 0 {
					t.Errorf("%s: no statement was seen", name)
				}
				for _, h := range heard {
					plan, err := s.Explain(context.WithoutCancel(t.Context()), h.query, h.args)
					if err != nil && !hasNoPlan.MatchString(h.query) {
						t.Errorf("%s: explaining %s: %v", name, h.query, err)
					}
					for _, line := range plan {
						if found := walk.FindString(line); found != "" && !empty.MatchString(line) {
							t.Errorf("%s: %s in the plan of %s", name, line, h.query)
						}
					}
				}
			}
		})
	}
}

var (
	hasNoPlan = regexp.MustCompile(`^SET `)
	// empty is how PostgreSQL says that a table is, and that an index would not help.
	empty = regexp.MustCompile(`cost=0\.00\.\.0\.00`)
)
