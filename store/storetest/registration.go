package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
)

// A signup is a registration on its way to be confirmed.
type signup struct {
	id           string
	confirmation record.Confirmation
	my           string // token of the person's own page, once confirmed
}

var texts = []consent.Text{{Purpose: consent.RelayHandover, Version: "3", Locale: "ja", Body: "紹介に同意します", Hash: "hash of the body"}}

// signUp sends the form behind the relay link of a mail.
func (b *bench) signUp(tb testing.TB, m record.Mail, policy credit.Policy, recipients ...string) *signup {
	tb.Helper()
	l, err := b.FindLink(tb.Context(), record.RelayLink, "relay-"+m.SendID)
	if err != nil {
		tb.Fatal(err)
	}
	p := relay.Profile{Name: "佐藤 美咲", Email: "private@example.jp", Phone: "090-0000-0000", Note: "夜に電話", Locale: "ja"}
	s := &signup{}
	var token string
	s.id, err = b.Register(tb.Context(), record.Registration{
		Link: l, Profile: p, Consents: texts, Keep: consent.ConfirmLinkLife,
		Confirm: func(t string) (mail.Message, error) {
			token = t
			return b.message(p.Email, p.Name), nil
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	confirm, err := b.FindLink(tb.Context(), record.ConfirmLink, token)
	if err != nil {
		tb.Fatal(err)
	}
	s.confirmation = record.Confirmation{
		Link: confirm, Policy: policy, Recipients: recipients, MyExpires: b.clock.Now().Add(consent.MyLinkLife),
		Receipt: func(p relay.Profile, _ []record.Consent, my string) (mail.Message, error) {
			s.my = my
			return b.message(p.Email, p.Name), nil
		},
	}
	return s
}

// register signs up and confirms.
func (b *bench) register(tb testing.TB, m record.Mail, recipients ...string) *signup {
	tb.Helper()
	s := b.signUp(tb, m, credit.DefaultPolicy(), recipients...)
	if err := b.Confirm(tb.Context(), s.confirmation); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (b *bench) account(tb testing.TB) record.Account {
	tb.Helper()
	a, err := b.Account(tb.Context(), "acme", credit.DefaultPolicy())
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// referralOf returns the only referral of a registration to a recipient, with
// its job at work.
func (b *bench) referralOf(tb testing.TB, recipient string) (record.Referral, record.Job) {
	tb.Helper()
	rs, err := b.Referrals(tb.Context(), record.Filter{Recipient: recipient})
	if err != nil || len(rs) != 1 {
		tb.Fatalf("referrals: got %v (%v), want one", rs, err)
	}
	j, err := b.begin(tb.Context(), b.Store, rs[0].ID)
	if err != nil {
		tb.Fatal(err)
	}
	return rs[0], j
}

// failedTwins lets a person register twice, and the hand-over fail each time
// before the next; it returns one of the two.
func (b *bench) failedTwins(tb testing.TB) record.Referral {
	tb.Helper()
	address := ats.Email(b.id("twin") + "@example.jp")
	for range 2 {
		id := b.id("a")
		b.hear(tb, "acme", b.rejection(id, func(e *ats.Event) { e.Candidate.Email = address }))
		b.register(tb, b.mailOf(tb, id), "network")
		person := b.application(tb, id).PersonID
		waiting, err := b.Referrals(tb.Context(), record.Filter{Person: person, State: "waiting"})
		if err != nil || len(waiting) != 1 {
			tb.Fatalf("got %+v (%v), want one that waits", waiting, err)
		}
		j, err := b.begin(tb.Context(), b.Store, waiting[0].ID)
		if err != nil {
			tb.Fatal(err)
		}
		if err := b.SettleReferral(tb.Context(), j, waiting[0], record.Handed{State: record.ReferralFailed, Reason: "410", Job: record.Outcome{State: record.JobDead, Error: "410"}}); err != nil {
			tb.Fatal(err)
		}
	}
	return b.twins(tb)[0]
}

// twins are the two newest hand-overs, which are of one person.
func (b *bench) twins(tb testing.TB) []record.Referral {
	tb.Helper()
	twins, err := b.Referrals(tb.Context(), record.Filter{Limit: 2})
	if err != nil || len(twins) != 2 || twins[0].PersonID != twins[1].PersonID {
		tb.Fatalf("got %+v (%v), want two of one person", twins, err)
	}
	return twins
}

// retryTwins retries two twins by a batch. Until the first is retried, nothing
// is wrong with the second.
func (b *bench) retryTwins(tb testing.TB, name string, r record.Rerun) {
	tb.Helper()
	preview := r
	preview.DryRun = true
	if done, err := b.Rerun(tb.Context(), preview, nil); err != nil || done.Matched != 2 || done.Changed != 2 {
		tb.Errorf("%s: the preview says %+v (%v)", name, done, err)
	}
	batch := b.launched(tb, r, nil).Batch
	j, err := b.begin(tb.Context(), b.Store, batch)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := b.StepBatch(tb.Context(), j, nil); err != nil {
		tb.Fatal(err)
	}
	p, err := b.Progress(tb.Context(), batch)
	if diff := cmp.Diff(map[string]int{record.SkipMeanwhile: 1}, p.Skipped); diff != "" || err != nil {
		tb.Errorf("%s, left alone (-want +got):\n%s (%v)", name, diff, err)
	}
}

func handed(p credit.Policy) record.Handed {
	return record.Handed{State: record.ReferralHandedOver, Reference: "R-1", Fields: []string{"name", "email"}, Policy: p, Job: record.Outcome{State: record.JobDone}}
}

var registrationTests = map[string]func(*testing.T, *bench){
	"nothing follows from a registration that is not confirmed": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		s := b.signUp(t, b.mailOf(t, "a1"), credit.DefaultPolicy(), "network")
		m, err := b.Membership(t.Context(), s.id)
		if err != nil || m.State != "pending" || len(m.Consents) != 1 || !m.Consents[0].ConfirmedAt.IsZero() || len(m.Referrals) != 0 {
			t.Errorf("got %+v (%v)", m, err)
		}
		if a := b.account(t); a.Net != 0 {
			t.Errorf("credits: got %d, want 0", a.Net)
		}
		mails, err := b.Mails(t.Context(), record.Filter{Purpose: string(mail.RelayConfirm)})
		if err != nil || len(mails) != 1 || mails[0].State != record.MailHeld || b.liveJobs(t, mails[0].ID) != 1 {
			t.Errorf("confirmation mail: got %+v (%v)", mails, err)
		}
	},
	"a confirmation makes consents valid, credits, refers and writes": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.clock.Pass(time.Hour)
		s := b.signUp(t, b.mailOf(t, "a1"), credit.DefaultPolicy(), "network", "agency")
		given := b.clock.Now()
		b.clock.Pass(time.Hour)
		if err := b.Confirm(t.Context(), s.confirmation); err != nil {
			t.Fatal(err)
		}
		my, err := b.FindLink(t.Context(), record.MyLink, s.my)
		if err != nil {
			t.Fatal(err)
		}
		m, err := b.Membership(t.Context(), my.Registration)
		if err != nil {
			t.Fatal(err)
		}
		if m.State != "confirmed" || m.Profile.Phone != "090-0000-0000" || string(m.Profile.Email) != "private@example.jp" || len(m.Referrals) != 2 {
			t.Errorf("membership: got %+v", m)
		}
		want := []record.Consent{{
			ID: m.Consents[0].ID, Company: "acme", PersonID: my.Person, Registration: s.id, Purpose: "relay_handover", TextVersion: "3", Locale: "ja",
			Text: "紹介に同意します", How: "form", GivenAt: given, ConfirmedAt: b.clock.Now(),
		}}
		if diff := cmp.Diff(want, m.Consents); diff != "" {
			t.Errorf("consents differ (-want +got):\n%s", diff)
		}
		for _, r := range m.Referrals {
			if r.State != record.ReferralWaiting || b.liveJobs(t, r.ID) != 1 {
				t.Errorf("referral: got %+v with %d jobs", r, b.liveJobs(t, r.ID))
			}
		}
		if a := b.account(t); a.Net != 1 || a.ToNext != 9 || len(a.Entries) != 1 || a.Entries[0].Kind != "credit" || a.Entries[0].Referral != s.id {
			t.Errorf("account: got %+v", a)
		}
		if mails, err := b.Mails(t.Context(), record.Filter{Purpose: string(mail.RelayReceipt)}); err != nil || len(mails) != 1 {
			t.Errorf("receipts: got %v (%v), want one", mails, err)
		}
		wantFault(t, b.Confirm(t.Context(), s.confirmation), ats.Duplicate)
	},
	"a confirmation that comes too late counts nothing": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		s := b.signUp(t, b.mailOf(t, "a1"), credit.DefaultPolicy(), "network")
		b.clock.Pass(consent.ConfirmLinkLife)
		_, err := b.FindLink(t.Context(), record.ConfirmLink, s.confirmation.Link.Token)
		wantFault(t, err, ats.NotFound)
		wantFault(t, b.Confirm(t.Context(), s.confirmation), ats.Duplicate)
		if a := b.account(t); a.Net != 0 {
			t.Errorf("credits: got %d, want 0", a.Net)
		}
	},
	"without consent to the hand-over nothing is referred": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		s := b.signUp(t, b.mailOf(t, "a1"), credit.DefaultPolicy(), "network")
		m, err := b.Membership(t.Context(), s.id)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Withdraw(t.Context(), operator, m.Consents[0].ID, "asked"); err != nil {
			t.Fatal(err)
		}
		if err := b.Confirm(t.Context(), s.confirmation); err != nil {
			t.Fatal(err)
		}
		if n := b.count(t, `SELECT count(*) FROM referrals`); n != 0 {
			t.Errorf("referrals: got %d, want 0", n)
		}
	},
	"when the receipt cannot be written nothing is confirmed": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		s := b.signUp(t, b.mailOf(t, "a1"), credit.DefaultPolicy(), "network")
		s.confirmation.Receipt = func(relay.Profile, []record.Consent, string) (mail.Message, error) {
			return mail.Message{}, ats.Errorf(ats.Invalid, "no letter")
		}
		wantFault(t, b.Confirm(t.Context(), s.confirmation), ats.Invalid)
		if n := b.count(t, `SELECT count(*) FROM referrals`) + b.count(t, `SELECT count(*) FROM credits`) + b.count(t, `SELECT count(*) FROM registrations WHERE state = 'confirmed'`); n != 0 {
			t.Errorf("rows: got %d, want 0", n)
		}
	},
	"the same person counts once in a year": func(t *testing.T, b *bench) {
		same := func(e *ats.Event) { e.Candidate.Email = "misaki@example.jp" }
		b.hear(t, "acme", b.rejection("a1", same))
		b.hear(t, "acme", b.rejection("a2", same))
		b.register(t, b.mailOf(t, "a1"))
		b.register(t, b.mailOf(t, "a2"))
		a := b.account(t)
		if a.Net != 1 || len(a.Entries) != 2 || a.Entries[1].Kind != "duplicate" {
			t.Errorf("account: got %+v", a)
		}
	},
	"ten confirmations open one slot, also at the same time": func(t *testing.T, b *bench) {
		var signups []*signup
		for range 20 {
			id := b.id("a")
			b.hear(t, "acme", b.rejection(id))
			signups = append(signups, b.signUp(t, b.mailOf(t, id), credit.DefaultPolicy(), "network"))
		}
		other := b.open(t)
		confirm := func(signups []*signup) {
			t.Helper()
			errs := together(len(signups), func(i int) error {
				s := b.Store
				if i%2 == 1 {
					s = other
				}
				return s.Confirm(t.Context(), signups[i].confirmation)
			})
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
		}
		confirm(signups[:9])
		if a := b.account(t); a.Net != 9 || len(a.Slots) != 0 || a.ToNext != 1 {
			t.Errorf("after nine: got net %d, %d slots, %d to the next", a.Net, len(a.Slots), a.ToNext)
		}
		confirm(signups[9:10])
		if a := b.account(t); a.Net != 10 || len(a.Slots) != 1 || a.Slots[0].State != "earned" || a.ToNext != 10 {
			t.Errorf("after ten: got %+v", a)
		}
		confirm(signups[10:])
		if a := b.account(t); a.Net != 20 || len(a.Slots) != 2 {
			t.Errorf("after twenty: got net %d, %d slots", a.Net, len(a.Slots))
		}
		if n, err := b.Reconcile(t.Context(), operator, "acme", credit.DefaultPolicy(), ""); n != 0 || err != nil {
			t.Errorf("reconciled: got %d (%v), want 0", n, err)
		}
		b.exec(t, `DELETE FROM slots`)
		n, err := b.Reconcile(t.Context(), operator, "acme", credit.DefaultPolicy(), " ")
		if wantFault(t, err, ats.Invalid); n != 0 || len(b.account(t).Slots) != 0 {
			t.Errorf("reconciled without a reason: got %d", n)
		}
		if n, err := b.Reconcile(t.Context(), operator, "acme", credit.DefaultPolicy(), "the monthly count"); n != 2 || err != nil {
			t.Errorf("reconciled: got %d (%v), want 2", n, err)
		}
		if a, err := b.Audits(t.Context(), record.Filter{Company: "acme", Limit: 1}); err != nil || len(a) != 1 || a[0].Verb != "reconcile" || a[0].Reason != "the monthly count" || a[0].Actor != operator.Name {
			t.Errorf("audit: got %+v (%v)", a, err)
		}
		if a := b.account(t); len(a.Slots) != 2 {
			t.Errorf("slots: got %d, want 2", len(a.Slots))
		}
	},
	"twenty confirmations of one registration count once": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		s := b.signUp(t, b.mailOf(t, "a1"), credit.DefaultPolicy(), "network")
		other := b.open(t)
		c := s.confirmation
		c.Receipt = func(p relay.Profile, _ []record.Consent, _ string) (mail.Message, error) {
			return b.message(p.Email, p.Name), nil
		}
		errs := together(20, func(i int) error {
			if i%2 == 1 {
				return other.Confirm(t.Context(), c)
			}
			return b.Confirm(t.Context(), c)
		})
		if diff := cmp.Diff(map[ats.Fault]int{"": 1, ats.Duplicate: 19}, faults(t, errs)); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
		if n := b.count(t, `SELECT count(*) FROM referrals`); n != 1 {
			t.Errorf("referrals: got %d, want 1", n)
		}
	},
	"a hand-over is recorded with the names of what was provided": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		policy := credit.DefaultPolicy()
		policy.Trigger = credit.HandedOver
		s := b.signUp(t, b.mailOf(t, "a1"), policy, "network", "agency")
		if err := b.Confirm(t.Context(), s.confirmation); err != nil {
			t.Fatal(err)
		}
		if a := b.account(t); a.Net != 0 {
			t.Errorf("before the hand-over: got %d, want 0", a.Net)
		}
		for _, recipient := range []string{"network", "agency"} {
			r, j := b.referralOf(t, recipient)
			if err := b.SettleReferral(t.Context(), j, r, handed(policy)); err != nil {
				t.Fatal(err)
			}
			got, err := b.Referral(t.Context(), r.ID)
			if err != nil || got.State != record.ReferralHandedOver || got.Reference != "R-1" || !cmp.Equal(got.Fields, []string{"name", "email"}) {
				t.Errorf("got %+v (%v)", got, err)
			}
			b.wantJob(t, j.ID, record.JobDone)
			wantFault(t, b.SettleReferral(t.Context(), j, r, handed(policy)), ats.Duplicate)
		}
		if a := b.account(t); a.Net != 1 || len(a.Entries) != 1 {
			t.Errorf("two hand-overs of one registration: got %+v, want one credit", a)
		}
		if n := b.count(t, `SELECT count(*) FROM provisions`); n != 2 {
			t.Errorf("provisions: got %d, want 2", n)
		}
		_, err := b.Referral(t.Context(), "nothing")
		wantFault(t, err, ats.NotFound)
	},
	"a hand-over that failed is retried": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.register(t, b.mailOf(t, "a1"), "network")
		r, j := b.referralOf(t, "network")
		failed := record.Handed{State: record.ReferralFailed, Reason: "410", Job: record.Outcome{State: record.JobDead, Error: "410"}}
		if err := b.SettleReferral(t.Context(), j, r, failed); err != nil {
			t.Fatal(err)
		}
		done, err := b.RetryReferrals(t.Context(), order(record.Filter{State: "failed"}))
		if err != nil || done.Changed != 1 {
			t.Fatalf("got %+v (%v)", done, err)
		}
		b.wantJob(t, j.ID, record.JobCancelled)
		r, j = b.referralOf(t, "network")
		if err := b.SettleReferral(t.Context(), j, r, handed(credit.DefaultPolicy())); err != nil {
			t.Fatal(err)
		}
		if done, err := b.RetryReferrals(t.Context(), order(record.Filter{ID: r.ID})); err != nil || done.Changed != 0 || done.Skipped["handed_over"] != 1 {
			t.Errorf("retried what was handed over: got %+v (%v)", done, err)
		}
	},
	"of twins that failed only one is handed over again": func(t *testing.T, b *bench) {
		for name, retry := range map[string]struct {
			noun string
			f    func(twin record.Referral) record.Filter
			all  bool // by a batch
		}{
			"one of them": {"referral", func(twin record.Referral) record.Filter { return record.Filter{ID: twin.ID} }, false},
			"both":        {"referral", func(twin record.Referral) record.Filter { return record.Filter{Person: twin.PersonID} }, true},
			"their jobs":  {"job", func(twin record.Referral) record.Filter { return record.Filter{Person: twin.PersonID, State: "dead"} }, true},
		} {
			f := retry.f(b.failedTwins(t))
			r := record.Rerun{Order: order(f), Verb: "retry", Noun: retry.noun}
			if retry.all {
				b.retryTwins(t, name, r)
			} else if done, err := b.Rerun(t.Context(), r, nil); err != nil || done.Changed != 1 {
				t.Errorf("%s: got %+v (%v)", name, done, err)
			}
			twins := b.twins(t)
			if i := slices.IndexFunc(twins, func(r record.Referral) bool { return r.State == record.ReferralWaiting }); i < 0 || twins[1-i].State != record.ReferralFailed || b.liveJobs(t, twins[i].ID) != 1 {
				t.Fatalf("%s: got %+v, want one that waits with a job", name, twins)
			}
			// Neither is retried any more, alone or with others.
			for _, twin := range twins {
				why := "handed over once already"
				if twin.State == record.ReferralWaiting {
					why = "waiting"
				}
				for _, f := range []record.Filter{{ID: twin.ID}, {Person: twin.PersonID, State: string(twin.State)}} {
					r := record.Rerun{Order: order(f), Verb: "retry", Noun: "referral"}
					if done, err := b.Rerun(t.Context(), r, nil); err != nil || done.Batch != "" || done.Changed != 0 || done.Skipped[why] != 1 {
						t.Errorf("%s, %s again: got %+v (%v)", name, twin.State, done, err)
					}
				}
			}
		}
	},
	"a hand-over whose job is at work is left alone": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.register(t, b.mailOf(t, "a1"), "network")
		r, j := b.referralOf(t, "network")
		failed := record.Handed{State: record.ReferralFailed, Reason: "410", Job: record.Outcome{State: record.JobWaiting, Error: "410"}}
		if err := b.SettleReferral(t.Context(), j, r, failed); err != nil {
			t.Fatal(err)
		}
		for _, f := range []record.Filter{{ID: r.ID}, {Recipient: "network"}} {
			for _, dry := range []bool{true, false} {
				o := record.Rerun{Order: order(f), Verb: "retry", Noun: "referral"}
				o.DryRun = dry
				if done, err := b.Rerun(t.Context(), o, nil); err != nil || done.Matched != 1 || done.Changed != 0 || done.Skipped["at work"] != 1 {
					t.Errorf("dry run %t: got %+v (%v)", dry, done, err)
				}
			}
		}
		if n := b.liveJobs(t, r.ID); n != 1 {
			t.Errorf("got %d jobs, want 1", n)
		}
	},
	"a withdrawal stops what waits and marks what was made": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		s := b.register(t, b.mailOf(t, "a1"), "network", "agency")
		r, j := b.referralOf(t, "network")
		if err := b.SettleReferral(t.Context(), j, r, handed(credit.DefaultPolicy())); err != nil {
			t.Fatal(err)
		}
		m, err := b.Membership(t.Context(), s.id)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Withdraw(t.Context(), operator, m.Consents[0].ID, "asked"); err != nil {
			t.Fatal(err)
		}
		wantFault(t, b.Withdraw(t.Context(), operator, m.Consents[0].ID, "asked"), ats.Conflict)
		wantFault(t, b.Withdraw(t.Context(), operator, "nothing", "asked"), ats.NotFound)
		if m, err = b.Membership(t.Context(), s.id); err != nil {
			t.Fatal(err)
		}
		for _, r := range m.Referrals {
			want := map[string]record.ReferralState{"network": record.ReferralWithdrawn, "agency": record.ReferralCancelled}[r.Recipient]
			jobs := map[string]int{"network": 1}[r.Recipient] // who has the profile is told
			if r.State != want || b.liveJobs(t, r.ID) != jobs {
				t.Errorf("%s: got %s with %d jobs, want %s with %d", r.Recipient, r.State, b.liveJobs(t, r.ID), want, jobs)
			}
		}
		if m.Consents[0].WithdrawnAt.IsZero() {
			t.Error("the consent still stands")
		}
		if a := b.account(t); a.Net != 1 {
			t.Errorf("the policy keeps credits: got %d, want 1", a.Net)
		}
	},
	"one person goes to one recipient once, however often registered": func(t *testing.T, b *bench) {
		same := func(e *ats.Event) { e.Candidate.Email = "misaki@example.jp" }
		for _, id := range []string{"a1", "a2", "a3"} {
			b.hear(t, "acme", b.rejection(id, same))
		}
		b.hear(t, "acme", b.rejection("b1")) // somebody else
		var signups []*signup
		for _, id := range []string{"a1", "a2", "a3", "b1"} {
			signups = append(signups, b.signUp(t, b.mailOf(t, id), credit.DefaultPolicy(), "network"))
		}
		other := b.open(t)
		errs := together(len(signups), func(i int) error {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			return s.Confirm(t.Context(), signups[i].confirmation)
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		states := map[record.ReferralState]int{}
		var first record.Referral
		all, err := b.Referrals(t.Context(), record.Filter{Company: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			states[r.State]++
			if r.State == record.ReferralWaiting && r.PersonID == b.application(t, "a1").PersonID {
				first = r
			}
		}
		if diff := cmp.Diff(map[record.ReferralState]int{record.ReferralWaiting: 2, record.ReferralCancelled: 2}, states); diff != "" {
			t.Fatalf("referrals (-want +got):\n%s", diff)
		}
		for _, r := range all {
			if r.State == record.ReferralCancelled && (r.Twin != first.ID || r.Reason != "handed over once already") {
				t.Errorf("it does not say why: %+v", r)
			}
		}
		// Whoever takes the consent of any of the registrations back is not handed over.
		for i, s := range signups[:3] {
			if s.id == first.Registration {
				continue
			}
			m, err := b.Membership(t.Context(), s.id)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Withdraw(t.Context(), operator, m.Consents[0].ID, "asked"); err != nil {
				t.Fatal(err)
			}
			if r, err := b.Referral(t.Context(), first.ID); err != nil || r.State != record.ReferralCancelled {
				t.Errorf("after the consent of registration %d was withdrawn: got %s (%v)", i, r.State, err)
			}
			break
		}
	},
	"a consent that is withdrawn during the hand-over": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		s := b.register(t, b.mailOf(t, "a1"), "network")
		r, j := b.referralOf(t, "network")
		m, err := b.Membership(t.Context(), s.id)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Withdraw(t.Context(), operator, m.Consents[0].ID, "asked"); err != nil {
			t.Fatal(err)
		}
		if err := b.SettleReferral(t.Context(), j, r, handed(credit.DefaultPolicy())); err != nil {
			t.Fatal(err)
		}
		got, err := b.Referral(t.Context(), r.ID)
		if err != nil || got.State != record.ReferralWithdrawn || got.Reference != "R-1" || len(got.Fields) == 0 {
			t.Errorf("got %+v (%v), want withdrawn, with what was provided", got, err)
		}
	},
	"a withdrawal takes an unspent credit back if the policy says so": func(t *testing.T, b *bench) {
		policy := credit.DefaultPolicy()
		policy.Reversal, policy.Ratio = credit.ReverseIfUnpaid, 2
		for i, want := range []int{0, 1, 2} { // the first is reversed, the second and third earn a slot
			id := b.id("a")
			b.hear(t, "acme", b.rejection(id))
			s := b.signUp(t, b.mailOf(t, id), policy, "network")
			if err := b.Confirm(t.Context(), s.confirmation); err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				continue
			}
			m, err := b.Membership(t.Context(), s.id)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Withdraw(t.Context(), operator, m.Consents[0].ID, "asked"); err != nil {
				t.Fatal(err)
			}
			if a := b.account(t); a.Net != want {
				t.Errorf("after withdrawal %d: got %d, want %d", i, a.Net, want)
			}
		}
	},
	"a link is found by its kind, or any": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		m := b.mailOf(t, "a1")
		_, err := b.FindLink(t.Context(), record.StopLink, "relay-"+m.SendID)
		wantFault(t, err, ats.NotFound)
		_, err = b.FindLink(t.Context(), "", "unknown")
		wantFault(t, err, ats.NotFound)
		if l, err := b.FindLink(t.Context(), "", "relay-"+m.SendID); err != nil || l.Kind != record.RelayLink {
			t.Errorf("got %+v (%v)", l, err)
		}
		b.clock.Pass(consent.RelayLinkLife)
		_, err = b.FindLink(t.Context(), record.RelayLink, "relay-"+m.SendID)
		wantFault(t, err, ats.NotFound)
	},
	"a membership that does not exist is not found": func(t *testing.T, b *bench) {
		_, err := b.Membership(t.Context(), "nothing")
		wantFault(t, err, ats.NotFound)
	},
}
