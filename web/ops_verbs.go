package web

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// A noun is a kind of row that lists show: what it is called, by which words
// of a record.Filter it can be narrowed and which states it has.
type noun struct {
	Path   string // of its list, in the console and in the API
	One    string // as the audit log calls it
	words  []string
	States []string
	email  bool // can be narrowed by address too, which never stands in a URL
}

var (
	deliveryNoun = noun{
		"deliveries", "delivery",
		[]string{"id", "company", "connection", "vendor", "state", "error", "application", "person", "batch", "since", "until"},
		record.States("delivery"),
		true,
	}
	applicationNoun = noun{
		"applications", "application",
		[]string{"id", "company", "connection", "vendor", "state", "error", "application", "person", "since", "until"},
		record.States("application"),
		true,
	}
	mailNoun = noun{
		"mails", "mail",
		[]string{"id", "company", "connection", "vendor", "purpose", "state", "error", "application", "person", "batch", "since", "until", "order"},
		record.States("mail"),
		true,
	}
	jobNoun = noun{
		"jobs", "job",
		[]string{"id", "company", "connection", "vendor", "kind", "state", "fault", "error", "application", "person", "batch", "since", "until"},
		record.States("job"),
		true,
	}
	referralNoun = noun{
		"referrals", "referral",
		[]string{"id", "company", "recipient", "state", "error", "application", "person", "batch", "since", "until"},
		record.States("referral"),
		true,
	}
	consentNoun = noun{
		"consents", "consent",
		[]string{"id", "company", "purpose", "state", "application", "person", "since", "until"},
		record.States("consent"),
		true,
	}
	batchNoun = noun{"batches", "batch", []string{"id", "company", "state"}, record.States("batch"), false}
	auditNoun = noun{"audit", "audit entry", []string{"id", "company", "actor", "verb", "noun", "since", "until"}, nil, false}
)

// nouns lists the rows that can be searched, in the order in which a filter
// without a noun is tried on them.
var nouns = []noun{applicationNoun, mailNoun, jobNoun, deliveryNoun, referralNoun, consentNoun, batchNoun, auditNoun, alertNoun}

// paging are the words of a list that are not part of a selection.
var paging = []string{"after", "limit"}

// filter reads a selection of n from the query of an address. A word that n
// does not have is refused, because ignoring it would select more than was
// asked for.
func (n noun) filter(q url.Values, now time.Time, more ...string) (record.Filter, error) {
	for word := range q {
		if !slices.Contains(n.words, word) && !slices.Contains(more, word) {
			return record.Filter{}, ats.Errorf(ats.Invalid, "%q does not narrow %s; have %s", word, n.Path, strings.Join(append(slices.Clip(n.words), more...), " "))
		}
	}
	if ids := q["id"]; len(ids) > 1 { // ticked one by one
		q = maps.Clone(q)
		q.Set("id", strings.Join(ids, ","))
	}
	f, err := record.ParseFilter(q, now)
	if err != nil {
		return f, err
	}
	return f, f.CheckState(n.One)
}

// An order is a verb over a selection, with what only some verbs ask.
type order struct {
	record.Order
	Sent       *bool // of resolve: whether the mail left
	Rate, Halt int   // of a re-run
}

// A verb does something to what a filter selects. Console and API have the same.
type verb struct {
	noun    noun
	name    string
	summary string
	rerun   bool // the workers do it step by step, at a rate
	do      func(ctx context.Context, k *desk, o order) (record.Done, error)
}

var verbs = []verb{
	rerun(jobNoun, "retry", "Run dead or waiting jobs again; several as a batch"),
	{jobNoun, "cancel", "Take waiting or dead jobs away", false, plainly(Desk.CancelJobs)},
	rerun(deliveryNoun, "replay", "Read deliveries again with today's rules; several as a batch"),
	{deliveryNoun, "release", "Verify quarantined deliveries again and read those whose signature fits now; several as a batch", true, func(ctx context.Context, k *desk, o order) (record.Done, error) {
		return k.Clerk.Release(ctx, o.as("replay", deliveryNoun), k.Terms)
	}},
	rerun(mailNoun, "retry", "Send failed mails again; several as a batch"),
	{mailNoun, "release", "Let stopped mails go at their time; those of a brake or an import need a second person", false, plainly(Desk.ReleaseMails)},
	{mailNoun, "send", "Let one waiting mail leave now, whatever the hour", false, plainly(Desk.SendMails)},
	{mailNoun, "stop", "Hold waiting mails until a person releases them", false, plainly(Desk.StopMails)},
	{mailNoun, "cancel", "Take waiting mails back for good", false, plainly(Desk.CancelMails)},
	{mailNoun, "resolve", "Say of unclear mails whether they left; those that did not go out again", false, resolve},
	rerun(referralNoun, "retry", "Hand over again what failed; several as a batch"),
}

// plainly is a verb that needs its order only.
func plainly(do func(Desk, context.Context, record.Order) (record.Done, error)) func(context.Context, *desk, order) (record.Done, error) {
	return func(ctx context.Context, k *desk, o order) (record.Done, error) { return do(k.Desk, ctx, o.Order) }
}

// rerun is a verb that a batch carries out.
func rerun(n noun, name, summary string) verb {
	return verb{n, name, summary, true, func(ctx context.Context, k *desk, o order) (record.Done, error) {
		return k.Desk.Rerun(ctx, o.as(name, n), k.Terms)
	}}
}

func (o order) as(verb string, n noun) record.Rerun {
	return record.Rerun{Order: o.Order, Verb: verb, Noun: n.One, Rate: o.Rate, Halt: o.Halt}
}

func resolve(ctx context.Context, k *desk, o order) (record.Done, error) {
	if o.Sent == nil {
		if !o.DryRun {
			return record.Done{}, ats.Errorf(ats.Invalid, "sent: required; true when the mails left, false when they did not and shall go out again")
		}
		o.Sent = new(bool) // counts the same either way
	}
	return k.Desk.ResolveMails(ctx, o.Order, *o.Sent)
}

// patience is how long an order may take.
const patience = 15 * time.Minute

// run does a verb, or only counts, and lets the pages see what changed. An
// order goes on when whoever gave it hangs up.
func (k *desk) run(ctx context.Context, v verb, o order) (record.Done, error) {
	o.Reason = strings.TrimSpace(o.Reason)
	if !o.DryRun {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
	}
	done, err := v.do(ctx, k, o)
	if err == nil && !o.DryRun {
		k.pulse.forget()
	}
	return done, err
}
