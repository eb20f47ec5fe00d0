package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/credit"
)

// personal are words of people in these tests.
var personal = []string{"佐藤", "美咲", "misaki", "a1@example.jp", "private@example.jp", "090-0000-0000", "夜に電話"}

var personTests = map[string]func(*testing.T, *bench){
	"no word of a person is readable at rest": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1", func(e *ats.Event) { e.Evidence = "" }))
		b.register(t, b.mailOf(t, "a1"), "network")
		b.sentMail(t, "a2")
		b.wantNowhere(t, "佐藤", "美咲", "misaki", "a1@example.jp", "a2@example.jp", "private@example.jp", "090-0000-0000", "夜に電話", "relay-send", "選考結果")
	},
	"people are found by address, by name and by where they were written to": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.hear(t, "acme", b.rejection("a2", func(e *ats.Event) {
			e.Candidate = ats.Candidate{ID: "c2", FamilyName: "髙橋", GivenName: "健", Email: "ken@example.jp"}
		}))
		b.register(t, b.mailOf(t, "a1"))
		p1, p2 := b.application(t, "a1").PersonID, b.application(t, "a2").PersonID
		for query, want := range map[string]string{
			" A1@Example.jp ": p1, "佐藤 美咲": p1, "佐藤　美咲": p1, "佐藤美咲": p1, "private@example.jp": p1, "髙橋 健": p2, "ken@example.jp": p2, "nobody": "", "": "",
		} {
			got, err := b.FindPeople(t.Context(), "acme", query)
			if err != nil || want == "" && len(got) != 0 || want != "" && !slices.Equal(got, []string{want}) {
				t.Errorf("%q: got %v (%v), want %q", query, got, err, want)
			}
		}
		if got, err := b.FindPeople(t.Context(), "globex", "佐藤 美咲"); err != nil || len(got) != 0 {
			t.Errorf("another company: got %v (%v)", got, err)
		}
		b.hear(t, "acme", b.rejection("a1", func(e *ats.Event) { e.Candidate.Name, e.At = "鈴木 美咲", b.clock.Now() }))
		if got, err := b.FindPeople(t.Context(), "acme", "鈴木美咲"); err != nil || !slices.Equal(got, []string{p1}) {
			t.Errorf("by the new name: got %v (%v), want %s", got, err, p1)
		}
	},
	"an export holds everything, and is noted": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.register(t, b.mailOf(t, "a1"), "network")
		id := b.application(t, "a1").PersonID
		d, err := b.ExportPerson(t.Context(), operator, id, "asked")
		if err != nil {
			t.Fatal(err)
		}
		if d.ID != id || d.Company != "acme" || len(d.Applications) != 1 || string(d.Applications[0].Candidate.Email) != "a1@example.jp" || len(d.Mails) != 3 || d.Mails[0].Message == nil ||
			len(d.Registrations) != 1 || d.Registrations[0].Note != "夜に電話" || len(d.Consents) != 1 || len(d.Referrals) != 1 {
			t.Errorf("got %+v", d)
		}
		if a, err := b.Audits(t.Context(), record.Filter{ID: id}); err != nil || len(a) != 1 || a[0].Verb != "export" || a[0].Reason != "asked" {
			t.Errorf("audit: got %v (%v)", a, err)
		}
		if !d.ErasedAt.IsZero() {
			t.Errorf("erased at %s", d.ErasedAt)
		}
		_, err = b.ExportPerson(t.Context(), operator, "nothing", "asked")
		wantFault(t, err, ats.NotFound)
		_, err = b.ExportPerson(t.Context(), operator, id, " ")
		wantFault(t, err, ats.Invalid)
	},
	"an export of an erased person says when, and what was done": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		b.register(t, b.mailOf(t, "a1"), "network")
		id := b.application(t, "a1").PersonID
		b.clock.Pass(time.Hour)
		erased := b.clock.Now()
		if err := b.ErasePerson(t.Context(), operator, id, "asked"); err != nil {
			t.Fatal(err)
		}
		b.clock.Pass(time.Hour)
		d, err := b.ExportPerson(t.Context(), operator, id, "asked")
		if err != nil {
			t.Fatal(err)
		}
		if !d.ErasedAt.Equal(erased) || d.Company != "acme" {
			t.Errorf("erased at %s, want %s", d.ErasedAt, erased)
		}
		if len(d.Registrations) != 0 || len(d.Applications) != 1 || d.Applications[0].State != ats.Erased || d.Applications[0].Candidate != nil {
			t.Errorf("something of the person is left: %+v", d)
		}
		if len(d.Consents) != 1 || d.Consents[0].WithdrawnAt.IsZero() || len(d.Referrals) != 1 || d.Referrals[0].Reason != "erased" {
			t.Errorf("consents %+v and referrals %+v: what was agreed and to whom it went stays on record", d.Consents, d.Referrals)
		}
	},
	"an erased person is gone from every table": func(t *testing.T, b *bench) {
		said := func(e *ats.Event) { e.Evidence, e.Status, e.Reason = "said of a1", "status of a1", "reason of a1" }
		b.hear(t, "acme", b.rejection("a1", said))
		b.hear(t, "acme", b.rejection("a1", said)) // the same fact in a second delivery
		s := b.register(t, b.mailOf(t, "a1"), "network", "agency")
		m, j := b.plan(t, "a2")
		_ = b.claim(t, j)
		id := b.application(t, "a1").PersonID
		l, err := b.FindLink(t.Context(), record.StopLink, "stop-"+b.mailOf(t, "a1").SendID)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Unsubscribe(t.Context(), l, "link"); err != nil {
			t.Fatal(err)
		}
		r, rj := b.referralOf(t, "agency")
		if err := b.SettleReferral(t.Context(), rj, r, handed(credit.DefaultPolicy())); err != nil {
			t.Fatal(err)
		}
		if err := b.ErasePerson(t.Context(), operator, id, "asked"); err != nil {
			t.Fatal(err)
		}
		b.wantNowhere(t, personal...)
		for table, rows := range dump(t, b) {
			if strings.Contains(strings.Join(rows, "\n"), "said of a1") || strings.Contains(strings.Join(rows, "\n"), "status of a1") || strings.Contains(strings.Join(rows, "\n"), "reason of a1") {
				t.Errorf("the vendor's words about the person stand in %s", table)
			}
		}
		for query, want := range map[string]int{
			`SELECT count(*) FROM suppressions`: 2, // both addresses that mails went to
			`SELECT count(*) FROM credits`:      1,
			`SELECT count(*) FROM deliveries`:   1, // that of the other person
			`SELECT count(*) FROM people WHERE wrapped_key IS NULL AND person_ref IS NULL AND name_index IS NULL`:                                                      1,
			`SELECT count(*) FROM people WHERE wrapped_key IS NOT NULL`:                                                                                                1,
			`SELECT count(*) FROM links WHERE revoked_at = 0 AND person_id = '` + id + `'`:                                                                             0,
			`SELECT count(*) FROM consents WHERE withdrawn_at = 0`:                                                                                                     0,
			`SELECT count(*) FROM registrations WHERE sealed IS NOT NULL`:                                                                                              0,
			`SELECT count(*) FROM mails WHERE sealed IS NOT NULL AND person_id = '` + id + `'`:                                                                         0,
			`SELECT count(*) FROM mails WHERE state = 'held'`:                                                                                                          0,
			`SELECT count(*) FROM referrals WHERE state = 'cancelled'`:                                                                                                 1,
			`SELECT count(*) FROM referrals WHERE state = 'withdrawn'`:                                                                                                 1,
			`SELECT count(*) FROM jobs WHERE state IN ('waiting', 'dispatched', 'dead') AND kind <> 'withdrawal'`:                                                      0,
			`SELECT count(*) FROM audit WHERE verb = 'erase'`:                                                                                                          1,
			`SELECT count(*) FROM events WHERE application IN (SELECT id FROM applications WHERE person_id = '` + id + `') AND (evidence <> '' OR status <> '')`:       0,
			`SELECT count(*) FROM applications WHERE sealed IS NULL AND state = 'erased'`:                                                                              1,
			`SELECT count(*) FROM mails WHERE state = 'sending' AND id = '` + m.ID + `'`:                                                                               1,
			`SELECT count(*) FROM applications WHERE sealed IS NOT NULL AND state = 'rejected'`:                                                                        1,
			`SELECT count(*) FROM registrations WHERE state = 'erased'`:                                                                                                1,
			`SELECT count(*) FROM jobs WHERE subject IN (SELECT id FROM mails WHERE person_id = '` + id + `') AND state NOT IN ('done', 'cancelled')`:                  0,
			`SELECT count(*) FROM consent_texts`:                                                                                                                       1,
			`SELECT count(*) FROM mails WHERE state = 'cancelled' AND reason = 'erased'`:                                                                               3,
			`SELECT count(*) FROM deliveries WHERE id IN (SELECT delivery FROM events WHERE application IN (SELECT id FROM applications WHERE application_id = 'a1'))`: 0,
		} {
			if got := b.count(t, query); got != want {
				t.Errorf("%s: got %d, want %d", query, got, want)
			}
		}
		_, err = b.Membership(t.Context(), s.id)
		wantFault(t, err, ats.NotFound)
		_, err = b.FindLink(t.Context(), record.MyLink, s.my)
		wantFault(t, err, ats.NotFound)
		if got, err := b.FindPeople(t.Context(), "acme", "a1@example.jp"); err != nil || len(got) != 0 {
			t.Errorf("found: got %v (%v), want nobody", got, err)
		}
		if d, err := b.ExportPerson(t.Context(), operator, id, "asked"); err != nil || len(d.Applications) != 1 || d.Applications[0].Candidate != nil || len(d.Registrations) != 0 {
			t.Errorf("export: got %+v (%v)", d, err)
		}
		wantFault(t, b.ErasePerson(t.Context(), operator, id, "again"), ats.Conflict)
		wantFault(t, b.ErasePerson(t.Context(), operator, "nothing", "asked"), ats.NotFound)
		if got := b.hear(t, "acme", b.rejection("a1")); got.Planned != 0 {
			t.Errorf("late news of an erased application: got %+v, want no mail", got)
		}
		var known record.Known
		if _, err := b.acceptWith(t, b.rejection("a9", func(e *ats.Event) { e.Candidate.Email = "a1@example.jp" }), &known); err != nil || !known.NoOffers {
			t.Errorf("a new application: got no offers %v (%v), want the suppression to survive", known.NoOffers, err)
		}
	},
	"the run of a referral comes too late for an erased person": func(t *testing.T, b *bench) {
		b.hear(t, "acme", b.rejection("a1"))
		s := b.register(t, b.mailOf(t, "a1"), "network")
		b.referralOf(t, "network")
		if err := b.ErasePerson(t.Context(), operator, b.application(t, "a1").PersonID, "asked"); err != nil {
			t.Fatal(err)
		}
		_, err := b.Membership(t.Context(), s.id)
		wantFault(t, err, ats.NotFound)
	},
	"a person who registered stays when the ATS erases the application": func(t *testing.T, b *bench) {
		e := b.rejection("a1")
		b.hear(t, "acme", e)
		s := b.register(t, b.mailOf(t, "a1"), "network")
		b.hear(t, "acme", then(e, ats.Erased))
		m, err := b.Membership(t.Context(), s.id)
		if err != nil || m.Profile.Phone != "090-0000-0000" {
			t.Errorf("membership: got %+v (%v)", m, err)
		}
		if _, err := b.FindLink(t.Context(), record.MyLink, s.my); err != nil {
			t.Errorf("the person's own page: %v", err)
		}
	},
	"erasing and accepting at the same time leave nothing unreadable": func(t *testing.T, b *bench) {
		for range 5 {
			address := ats.Email(b.id("same") + "@example.jp")
			first, second := b.id("a"), b.id("a")
			same := func(e *ats.Event) { e.Candidate.Email = address }
			b.hear(t, "acme", b.rejection(first, same))
			person := b.application(t, first).PersonID
			errs := together(2, func(i int) error {
				if i == 0 {
					return b.ErasePerson(t.Context(), operator, person, "asked")
				}
				_, err := b.accept(t.Context(), b.Store, b.arrival("acme", b.id("key")), b.rejection(second, same))
				return err
			})
			for _, err := range errs {
				if err != nil {
					t.Fatal(err)
				}
			}
			a := b.application(t, second)
			if a.State == ats.Erased {
				continue
			}
			if a, err := b.Application(t.Context(), second, true); err != nil || a.Candidate == nil {
				t.Errorf("the second application: got %+v (%v)", a, err)
			}
			if _, _, err := b.Letter(t.Context(), b.mailOf(t, second).ID); err != nil {
				t.Errorf("its mail: %v", err)
			}
		}
	},
	"a purge deletes what its time is over for, and nothing else": func(t *testing.T, b *bench) {
		kept := record.Retention{Candidates: 180 * 24 * time.Hour, Mails: 365 * 24 * time.Hour}
		sentMail := b.sentMail(t, "a1")
		b.hear(t, "acme", b.rejection("a2"))
		b.register(t, b.mailOf(t, "a2"))
		b.hear(t, "acme", b.rejection("a3"))
		pending := b.signUp(t, b.mailOf(t, "a3"), credit.DefaultPolicy())
		undecoded := b.save(t, b.arrival("acme", "new"))
		b.hear(t, "globex", b.rejection("g1"))
		purge := func() int {
			t.Helper()
			total := 0
			for more := true; more; {
				n, again, err := b.Purge(t.Context(), "acme", kept)
				if err != nil {
					t.Fatal(err)
				}
				total, more = total+n, again
			}
			return total
		}
		if n := purge(); n != 0 {
			t.Errorf("at once: got %d, want 0", n)
		}
		b.clock.Pass(consent.ConfirmLinkLife)
		if n := purge(); n != 1 {
			t.Errorf("after a week: got %d, want the pending registration", n)
		}
		_, err := b.Membership(t.Context(), pending.id)
		wantFault(t, err, ats.NotFound)
		b.clock.Pass(30 * 24 * time.Hour)
		if n := purge(); n != 3 {
			t.Errorf("after a month: got %d, want three deliveries", n)
		}
		if _, _, err := b.Delivery(t.Context(), undecoded); err != nil {
			t.Errorf("a delivery that nobody decoded: %v", err)
		}
		if n := b.count(t, `SELECT count(*) FROM jobs WHERE company = 'acme' AND kind = 'decode'`); n != 1 {
			t.Errorf("decode jobs: got %d, want that of the delivery which is left", n)
		}
		b.clock.Pass(180 * 24 * time.Hour)
		if n := purge(); n != 3 {
			t.Errorf("after half a year: got %d, want three applications", n)
		}
		if a, err := b.Application(t.Context(), "a1", true); err != nil || a.Candidate != nil {
			t.Errorf("application: got %+v (%v), want no candidate", a, err)
		}
		if _, _, err := b.Letter(t.Context(), sentMail.ID); err != nil {
			t.Errorf("a mail within its time: %v", err)
		}
		b.clock.Pass(365 * 24 * time.Hour)
		if n := purge(); n != 6 {
			t.Errorf("after a year: got %d, want the mail that was sent and five that nobody decided about", n)
		}
		_, _, err = b.Letter(t.Context(), sentMail.ID)
		wantFault(t, err, ats.NotFound)
		if n := b.count(t, `SELECT count(*) FROM people WHERE id = $1 AND wrapped_key IS NULL`, sentMail.PersonID); n != 1 {
			t.Error("the person of whom nothing is left still has a key")
		}
		if n := b.count(t, `SELECT count(*) FROM deliveries WHERE company = 'globex'`); n != 1 {
			t.Errorf("deliveries of another company: got %d, want 1", n)
		}
		if got := b.hear(t, "acme", b.rejection("a1", func(e *ats.Event) { e.State = ats.Reopened; e.Candidate = ats.Candidate{ID: e.Candidate.ID} })); got.Events != 1 {
			t.Errorf("news of a purged application: got %+v", got)
		}
	},
	"a purge without retention keeps mails and candidates": func(t *testing.T, b *bench) {
		m := b.sentMail(t, "a1")
		b.clock.Pass(10 * 365 * 24 * time.Hour)
		if n, more, err := b.Purge(t.Context(), "acme", record.Retention{}); n != 1 || more || err != nil {
			t.Errorf("got %d, %v (%v), want the delivery", n, more, err)
		}
		if _, _, err := b.Letter(t.Context(), m.ID); err != nil {
			t.Error(err)
		}
	},
	"a big purge works in portions": func(t *testing.T, b *bench) {
		errs := together(600, func(int) error {
			_, err := b.SaveDelivery(t.Context(), b.arrival("acme", b.id("key")))
			return err
		})
		if got := faults(t, errs); got[""] != 600 {
			t.Fatalf("got %v", got)
		}
		b.exec(t, `UPDATE deliveries SET disposition = 'decoded'`)
		b.clock.Pass(31 * 24 * time.Hour)
		first, more, err := b.Purge(t.Context(), "acme", record.Retention{})
		if err != nil || !more || first >= 600 {
			t.Errorf("first: got %d, %v (%v)", first, more, err)
		}
		second, more, err := b.Purge(t.Context(), "acme", record.Retention{})
		if err != nil || more || first+second != 600 {
			t.Errorf("second: got %d, %v (%v)", second, more, err)
		}
	},
}

// acceptWith accepts an event and tells what the rules were told.
func (b *bench) acceptWith(tb testing.TB, e ats.Event, known *record.Known) (record.Accepted, error) {
	tb.Helper()
	id := b.save(tb, b.arrival("acme", b.id("key")))
	j, err := b.begin(tb.Context(), b.Store, id)
	if err != nil {
		tb.Fatal(err)
	}
	d, _, err := b.Delivery(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return b.Accept(tb.Context(), j, d, []ats.Event{e}, b.limits, func(e ats.Event, k record.Known) (record.Ruling, error) {
		*known = k
		return b.decide(e, k)
	})
}
