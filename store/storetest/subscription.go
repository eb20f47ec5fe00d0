package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/record"
)

var subscriptionTests = map[string]func(*testing.T, *bench){
	"a subscription is kept, changed and forgotten, and its alarm is a brake": func(t *testing.T, b *bench) {
		now := b.clock.Now()
		one := record.Subscription{Company: "acme", Connection: "zoho", Vendor: "zoho-recruit", ID: "7", EndsAt: now.Add(time.Hour), RenewedAt: now, DueAt: now.Add(time.Minute)}
		keep := func(s record.Subscription) {
			t.Helper()
			if err := b.KeepSubscription(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		have := func(company string, want ...record.Subscription) {
			t.Helper()
			got, err := b.Subscriptions(t.Context(), company)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		keep(one)
		have("acme", one)
		have("globex")
		one.Failures, one.Error, one.Alarmed, one.DueAt = 2, "401", true, now.Add(2*time.Hour)
		keep(one)
		have("", one)
		brakes, err := b.Brakes(t.Context(), "acme", false)
		if err != nil || len(brakes) != 1 || brakes[0].Cause != "zoho: webhook not renewed: 401" {
			t.Errorf("got %+v, %v", brakes, err)
		}
		p := b.claimPoll(t, "main")
		b.fail(t, p, "403", true)
		if brakes, err = b.Brakes(t.Context(), "acme", false); err != nil || len(brakes) != 1 || brakes[0].Cause != "main: 403; zoho: webhook not renewed: 401" {
			t.Errorf("beside a sweep: got %+v, %v", brakes, err)
		}
		if err := b.DropSubscription(t.Context(), "acme", "zoho"); err != nil {
			t.Fatal(err)
		}
		have("")
		if brakes, err = b.Brakes(t.Context(), "acme", false); err != nil || len(brakes) != 1 || brakes[0].Cause != "main: 403" {
			t.Errorf("after it: got %+v, %v", brakes, err)
		}
	},
}
