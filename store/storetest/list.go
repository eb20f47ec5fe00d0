package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

// A lister lists the ids of one noun.
type lister func(ctx context.Context, f record.Filter) ([]string, error)

func ids[T any](list func(context.Context, record.Filter) ([]T, error), id func(T) string) lister {
	return func(ctx context.Context, f record.Filter) ([]string, error) {
		rows, err := list(ctx, f)
		var out []string
		for _, r := range rows {
			out = append(out, id(r))
		}
		return out, err
	}
}

func (b *bench) listers() map[string]lister {
	return map[string]lister{
		"deliveries":   ids(b.Deliveries, func(d record.Delivery) string { return d.ID }),
		"applications": ids(b.Applications, func(a record.Application) string { return a.ID }),
		"mails":        ids(b.Mails, func(m record.Mail) string { return m.ID }),
		"jobs":         ids(b.Jobs, func(j record.Job) string { return j.ID }),
		"referrals":    ids(b.Referrals, func(r record.Referral) string { return r.ID }),
		"consents":     ids(b.Consents, func(c record.Consent) string { return c.ID }),
		"batches":      ids(b.Batches, func(x record.Batch) string { return x.ID }),
		"audits":       ids(b.Audits, func(a record.Audit) string { return strconv.FormatInt(a.Seq, 10) }),
	}
}

// world fills a store with two of everything, of two companies.
func world(t *testing.T, b *bench) {
	t.Helper()
	for i, company := range []string{"acme", "globex"} {
		a := b.arrival(company, "k")
		a.Delivery.Connection, a.Vendor = []string{"main", "other"}[i], []string{"greenhouse", "lever"}[i]
		application := []string{"a1", "g1"}[i]
		b.hearThrough(t, a, b.rejection(application))
		b.register(t, b.mailOf(t, application), "network", "agency")
		b.clock.Pass(time.Hour)
	}
	parked := b.save(t, b.arrival("acme", "parked"))
	j, err := b.begin(t.Context(), b.Store, parked)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Park(t.Context(), j, parked, record.Parked, "No rule knows 100% of it_", record.Outcome{State: record.JobDead, Error: "No rule", Fault: ats.Invalid}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.StopMails(t.Context(), order(record.Filter{Company: "acme", Purpose: string(mail.ThankYou)})); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReplayDeliveries(t.Context(), order(record.Filter{State: "decoded"})); err != nil {
		t.Fatal(err)
	}
}

var listTests = map[string]func(*testing.T, *bench){
	"every field of a filter narrows as it says, alone and with others": func(t *testing.T, b *bench) {
		start := b.clock.Now()
		world(t, b)
		person := b.application(t, "a1").PersonID
		batches, err := b.Batches(t.Context(), record.Filter{})
		if err != nil || len(batches) != 1 {
			t.Fatalf("batches: got %v (%v), want one", batches, err)
		}
		batch := batches[0].ID
		for name, c := range map[string]struct {
			filter record.Filter
			want   map[string]int
		}{
			"nothing":           {record.Filter{}, map[string]int{"deliveries": 3, "applications": 2, "mails": 6, "jobs": 15, "referrals": 4, "consents": 2, "batches": 1, "audits": 3}},
			"company":           {record.Filter{Company: "acme"}, map[string]int{"deliveries": 2, "applications": 1, "mails": 3, "jobs": 8, "referrals": 2, "consents": 1, "audits": 2}},
			"unknown company":   {record.Filter{Company: "nobody"}, map[string]int{}},
			"connection":        {record.Filter{Connection: "main"}, map[string]int{"deliveries": 2, "applications": 1, "mails": 1, "jobs": 4, "referrals": 4, "consents": 2, "batches": 1, "audits": 3}},
			"vendor":            {record.Filter{Vendor: "lever"}, map[string]int{"deliveries": 1, "applications": 1, "mails": 1, "jobs": 3, "referrals": 4, "consents": 2, "batches": 1, "audits": 3}},
			"application":       {record.Filter{Application: "a1"}, map[string]int{"deliveries": 1, "applications": 1, "mails": 1, "jobs": 5, "referrals": 2, "consents": 1, "batches": 1, "audits": 3}},
			"person":            {record.Filter{Person: person}, map[string]int{"deliveries": 1, "applications": 1, "mails": 3, "jobs": 7, "referrals": 2, "consents": 1, "batches": 1, "audits": 3}},
			"address":           {record.Filter{Company: "acme", Email: " A1@example.jp"}, map[string]int{"deliveries": 1, "applications": 1, "mails": 3, "jobs": 7, "referrals": 2, "consents": 1, "audits": 2}},
			"unknown address":   {record.Filter{Company: "acme", Email: "x@example.jp"}, map[string]int{"audits": 2}},
			"address elsewhere": {record.Filter{Company: "globex", Email: "a1@example.jp"}, map[string]int{"audits": 1}},
			"kind":              {record.Filter{Kind: record.ReferralJob}, map[string]int{"deliveries": 3, "applications": 2, "mails": 6, "jobs": 4, "referrals": 4, "consents": 2, "batches": 1, "audits": 3}},
			"purpose":           {record.Filter{Purpose: string(mail.RelayReceipt)}, map[string]int{"deliveries": 3, "applications": 2, "mails": 2, "jobs": 15, "referrals": 4, "batches": 1, "audits": 3}},
			"recipient":         {record.Filter{Recipient: "agency"}, map[string]int{"deliveries": 3, "applications": 2, "mails": 6, "jobs": 15, "referrals": 2, "consents": 2, "batches": 1, "audits": 3}},
			"batch":             {record.Filter{Batch: batch}, map[string]int{"deliveries": 2, "applications": 2, "jobs": 2, "consents": 2, "batches": 1, "audits": 3}},
			"error":             {record.Filter{Error: "no RULE"}, map[string]int{"deliveries": 1, "jobs": 1, "consents": 2, "batches": 1, "audits": 3}},
			"a wildcard":        {record.Filter{Error: "100% of it_"}, map[string]int{"deliveries": 1, "consents": 2, "batches": 1, "audits": 3}},
			"only a wildcard":   {record.Filter{Error: "_o rule"}, map[string]int{"consents": 2, "batches": 1, "audits": 3}},
			"fault":             {record.Filter{Error: "invalid"}, map[string]int{"jobs": 1, "consents": 2, "batches": 1, "audits": 3}},
			"since":             {record.Filter{Since: start.Add(time.Hour)}, map[string]int{"deliveries": 2, "applications": 1, "mails": 3, "jobs": 9, "referrals": 2, "consents": 1, "batches": 1, "audits": 3}},
			"until":             {record.Filter{Until: start.Add(time.Hour)}, map[string]int{"deliveries": 1, "applications": 1, "mails": 3, "jobs": 6, "referrals": 2, "consents": 1}},
			"a time between":    {record.Filter{Since: start.Add(time.Minute), Until: start.Add(time.Hour)}, map[string]int{}},
			"together":          {record.Filter{Company: "acme", Connection: "main", Vendor: "greenhouse", Application: "a1", Person: person, Email: "a1@example.jp", Since: start, Until: start.Add(time.Hour)}, map[string]int{"deliveries": 1, "applications": 1, "mails": 1, "jobs": 2, "referrals": 2, "consents": 1}},
			"a contradiction":   {record.Filter{Company: "acme", Application: "g1"}, map[string]int{"audits": 2}},
		} {
			got := map[string]int{}
			for noun, list := range b.listers() {
				found, err := list(t.Context(), c.filter)
				if err != nil {
					t.Fatalf("%s of %s: %v", noun, name, err)
				}
				if len(found) > 0 {
					got[noun] = len(found)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: counts differ (-want +got):\n%s", name, diff)
			}
		}
		for noun, states := range map[string]map[string]int{
			"deliveries":   {"decoded": 2, "parked": 1, "new": 0},
			"applications": {"rejected": 2, "hired": 0},
			"mails":        {"held": 6, "stopped": 1, "sent": 0},
			"jobs":         {"waiting": 7, "dispatched": 4, "done": 2, "dead": 1, "cancelled": 1},
			"referrals":    {"waiting": 4, "handed_over": 0},
			"consents":     {"given": 2, "withdrawn": 0},
			"batches":      {"done": 1, "running": 0},
		} {
			for state, want := range states {
				got, err := b.listers()[noun](t.Context(), record.Filter{State: state})
				if err != nil || len(got) != want {
					t.Errorf("%s %s: got %d (%v), want %d", state, noun, len(got), err, want)
				}
			}
		}
	},
	"an address needs its company": func(t *testing.T, b *bench) {
		for noun, list := range b.listers() {
			_, err := list(t.Context(), record.Filter{Email: "a1@example.jp"})
			if noun == "batches" || noun == "audits" {
				continue
			}
			if got := ats.FaultOf(err); got != ats.Invalid {
				t.Errorf("%s: got %q (%v), want invalid", noun, got, err)
			}
		}
		_, err := b.RetryJobs(t.Context(), order(record.Filter{Email: "a1@example.jp"}))
		wantFault(t, err, ats.Invalid)
	},
	"every row is found by its id": func(t *testing.T, b *bench) {
		world(t, b)
		for noun, list := range b.listers() {
			all, err := list(t.Context(), record.Filter{})
			if err != nil || len(all) == 0 {
				t.Fatalf("%s: got %v (%v)", noun, all, err)
			}
			if noun == "audits" {
				continue // their id is that of their subject
			}
			for _, id := range all {
				got, err := list(t.Context(), record.Filter{ID: id})
				if err != nil || !slices.Equal(got, []string{id}) {
					t.Errorf("%s %s: got %v (%v)", noun, id, got, err)
				}
			}
		}
	},
	"pages follow one another without gaps and repetitions": func(t *testing.T, b *bench) {
		world(t, b)
		for noun, list := range b.listers() {
			all, err := list(t.Context(), record.Filter{Limit: record.MaxPage})
			if err != nil {
				t.Fatal(err)
			}
			if noun != "audits" && !slices.IsSortedFunc(all, func(a, b string) int { return -strings.Compare(a, b) }) {
				t.Errorf("%s: not the newest first: %v", noun, all)
			}
			for limit := 1; limit <= 4; limit++ {
				if got := pages(t, list, record.Filter{Limit: limit}); !slices.Equal(got, all) {
					t.Errorf("%s by %d: got %v, want %v", noun, limit, got, all)
				}
			}
		}
	},
	"pages stay complete while rows are added": func(t *testing.T, b *bench) {
		var want []string
		for range 10 {
			want = append(want, b.save(t, b.arrival("acme", b.id("key"))))
		}
		slices.Reverse(want)
		f := record.Filter{Limit: 3}
		var got []string
		for {
			page, err := b.listers()["deliveries"](t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			f.After = page[len(page)-1]
			b.save(t, b.arrival("acme", b.id("key")))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	},
	"the outbox in the order of leaving": func(t *testing.T, b *bench) {
		due := map[string]time.Time{}
		for i, hours := range []int{3, 1, 2, 1, 5} {
			id := fmt.Sprintf("a%d", i)
			b.hear(t, "acme", b.rejection(id, func(e *ats.Event) { e.At = b.clock.Now().Add(-time.Duration(hours) * time.Hour) }))
			due[b.mailOf(t, id).ID] = b.mailOf(t, id).DueAt
		}
		list := b.listers()["mails"]
		want := slices.SortedFunc(maps.Keys(due), func(x, y string) int {
			if c := due[x].Compare(due[y]); c != 0 {
				return c
			}
			return strings.Compare(x, y)
		})
		for limit := 1; limit <= 6; limit++ {
			if got := pages(t, list, record.Filter{State: "held", Order: record.ByDue, Limit: limit}); !slices.Equal(got, want) {
				t.Errorf("by %d: got %v, want %v", limit, got, want)
			}
		}
		if _, err := b.StopMails(t.Context(), order(record.Filter{ID: want[2]})); err != nil {
			t.Fatal(err)
		}
		if got := pages(t, list, record.Filter{State: "stopped", Order: record.ByDue}); !slices.Equal(got, want[2:3]) {
			t.Errorf("stopped: got %v, want %v", got, want[2:3])
		}
	},
	"zero bytes in a filter find nothing": func(t *testing.T, b *bench) {
		for noun, list := range b.listers() {
			if _, err := list(t.Context(), record.Filter{Company: "a\x00b", ID: "\xff"}); err != nil {
				t.Errorf("%s: %v", noun, err)
			}
		}
	},
}

func pages(t *testing.T, list lister, f record.Filter) []string {
	t.Helper()
	var all []string
	for range 1000 {
		page, err := list(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		f.After = page[len(page)-1]
	}
	t.Fatal("the pages do not end")
	return nil
}
