package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

var mailTests = map[string]func(*testing.T, *bench){
	"released mails get places, so many in a minute, also at the same time": func(t *testing.T, b *bench) {
		for _, company := range []string{"acme", "globex"} {
			b.hear(t, company, b.rejection(b.id("a")))
		}
		start := b.clock.Now().Truncate(time.Minute)
		b.clock.Pass(start.Add(time.Minute + 30*time.Second).Sub(b.clock.Now()))
		other := b.open(t)
		var mu sync.Mutex
		places := map[time.Duration]int{}
		errs := together(25, func(i int) error {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			at, err := s.PaceMail(t.Context(), "acme", 10)
			mu.Lock()
			defer mu.Unlock()
			places[at.Sub(start)]++
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		want := map[time.Duration]int{90 * time.Second: 10} // at once
		for i := range 15 {
			want[2*time.Minute+time.Duration(i)*6*time.Second]++
		}
		if diff := cmp.Diff(want, places); diff != "" {
			t.Errorf("places (-want +got):\n%s", diff)
		}
		if at, err := b.PaceMail(t.Context(), "globex", 10); err != nil || !at.Equal(b.clock.Now()) {
			t.Errorf("another company: got %s (%v), want now", at, err)
		}
		b.clock.Pass(time.Hour)
		if at, err := b.PaceMail(t.Context(), "acme", 10); err != nil || !at.Equal(b.clock.Now()) {
			t.Errorf("later: got %s (%v), want now", at, err)
		}
	},
	"a mail without an address is found, and gets one when the vendor tells again": func(t *testing.T, b *bench) {
		for want, problem := range map[string]string{"no_address": ats.EmailMissing, "several_addresses": ats.EmailSeveral, "not_an_address": ats.EmailInvalid} {
			lacking := b.rejection(problem, func(e *ats.Event) { e.Candidate.Email, e.Problems = "", []string{problem} })
			b.hear(t, "acme", lacking)
			m := b.mailOf(t, problem)
			if m.State != record.MailHeld || !m.Stopped || m.Reason != want || b.application(t, problem).Decision != want {
				t.Errorf("%s: got %+v", problem, m)
			}
			found, err := b.Mails(t.Context(), record.Filter{Company: "acme", State: "stopped", Error: "address"})
			if err != nil || len(found) != 1 || found[0].ID != m.ID {
				t.Errorf("found %v (%v), want %s", found, err, m.ID)
			}
			done, err := b.ReleaseMails(t.Context(), order(record.Filter{ID: m.ID}))
			if err != nil || done.Changed != 0 || done.Skipped["no address"] != 1 {
				t.Errorf("released: got %+v (%v)", done, err)
			}
			b.hear(t, "acme", lacking) // told again as it was
			if again := b.mailOf(t, problem); again.Reason != want {
				t.Errorf("told again: got %+v", again)
			}
			lacking.Candidate.Email, lacking.Problems = ats.Email(problem+"@example.jp"), nil
			b.hear(t, "acme", lacking)
			b.hear(t, "acme", lacking)
			now, letter, err := b.Letter(t.Context(), m.ID)
			if err != nil || now.Stopped || now.Reason != "scheduled" || letter.To.Address != lacking.Candidate.Email {
				t.Errorf("with an address: got %+v to %q (%v)", now, string(letter.To.Address), err)
			}
			if jobs, err := b.JobsOf(t.Context(), m.ID); err != nil || len(jobs) != 1 || jobs[0].State != record.JobWaiting {
				t.Errorf("jobs: got %v (%v)", jobs, err)
			}
		}
	},
	"a posting is everything that must be asked": func(t *testing.T, b *bench) {
		m, _ := b.plan(t, "a1")
		p, err := b.Posting(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if p.State != ats.Rejected || p.Connection != "main" || p.Event.Application != "a1" || p.Event.Candidate.ID != "candidate of a1" || p.Suppressed || p.Brake.ID != "" {
			t.Errorf("got %+v", p)
		}
		if p.Message.SendID != m.SendID || string(p.Message.To.Address) != "a1@example.jp" || p.Message.Text != "佐藤 美咲様" {
			t.Errorf("message: got %+v", p.Message)
		}
		_, letter, err := b.Letter(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p.Message, letter, cmp.Comparer(func(x, y ats.Email) bool { return string(x) == string(y) })); diff != "" {
			t.Errorf("the letter differs from what is sent (-posting +letter):\n%s", diff)
		}
		_, err = b.Posting(t.Context(), "nothing")
		wantFault(t, err, ats.NotFound)
		_, err = b.Mail(t.Context(), "nothing")
		wantFault(t, err, ats.NotFound)
		_, _, err = b.Letter(t.Context(), "nothing")
		wantFault(t, err, ats.NotFound)
	},
	"of fifty claims exactly one wins": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		other := b.open(t)
		errs := together(50, func(i int) error {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			_, err := s.ClaimMail(t.Context(), j, m.ID, "mailbox")
			return err
		})
		if diff := cmp.Diff(map[ats.Fault]int{"": 1, ats.Duplicate: 49}, faults(t, errs)); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
		m = b.wantMail(t, m.ID, record.MailSending)
		attempts, _, err := b.MailHistory(t.Context(), m.ID)
		if err != nil || len(attempts) != 1 || attempts[0].Outcome != "sending" || m.Attempts != 1 || m.Transport != "mailbox" {
			t.Errorf("attempts: got %v (%v); mail %+v", attempts, err, m)
		}
	},
	"fifty starts of one ticket give one run": func(t *testing.T, b *bench) {
		b.save(t, b.arrival("acme", "k"))
		tickets, err := b.Dispatch(t.Context(), record.LiveQueue, map[string]int{"acme": 1})
		if err != nil || len(tickets) != 1 {
			t.Fatalf("tickets: got %v (%v)", tickets, err)
		}
		errs := together(50, func(int) error {
			_, err := b.StartJob(t.Context(), tickets[0].Job, tickets[0].Seq, lease)
			return err
		})
		if diff := cmp.Diff(map[ats.Fault]int{"": 1, ats.Duplicate: 49}, faults(t, errs)); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
	},
	"a claim needs the lease of the mail's own job": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.hear(t, "acme", b.rejection("a2"))
		b.clock.Pass(25 * time.Hour) // the lease of j ends
		other, err := b.begin(t.Context(), b.Store, b.mailOf(t, "a2").ID)
		if err != nil {
			t.Fatal(err)
		}
		stale := other
		stale.Seq--
		for name, j := range map[string]record.Job{"an expired lease": j, "the job of another mail": other, "a run of before": stale} {
			_, err := b.ClaimMail(t.Context(), j, m.ID, "mailbox")
			if got := ats.FaultOf(err); got != ats.Duplicate {
				t.Errorf("%s: got %q (%v), want duplicate", name, got, err)
			}
		}
		if m := b.wantMail(t, m.ID, record.MailHeld); m.Attempts != 0 {
			t.Errorf("attempts: got %d, want 0", m.Attempts)
		}
		if n := b.count(t, `SELECT count(*) FROM mail_attempts`); n != 0 {
			t.Errorf("attempts: got %d, want 0", n)
		}
	},
	"no mail leaves an application that is not rejected": func(t *testing.T, b *bench) {
		for _, state := range []ats.State{ats.Reopened, ats.Hired, ats.Withdrawn, ats.Erased, ats.Closed} {
			m, j := b.plan(t, string(state))
			// The state alone must be enough, even if nobody took the mail back.
			b.exec(t, `UPDATE applications SET state = $1 WHERE application_id = $1`, string(state))
			_, err := b.ClaimMail(t.Context(), j, m.ID, "mailbox")
			wantFault(t, err, ats.Duplicate)
			b.wantMail(t, m.ID, record.MailHeld)
		}
	},
	"what ends a mail's wait fences its run": func(t *testing.T, b *bench) {
		for name, end := range map[string]func(t *testing.T, m record.Mail){
			"reopened": func(t *testing.T, m record.Mail) {
				b.hear(t, "acme", b.rejection(m.ApplicationID, func(e *ats.Event) { e.State = ats.Reopened }))
			},
			"stopped": func(t *testing.T, m record.Mail) {
				if _, err := b.StopMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil {
					t.Fatal(err)
				}
			},
			"stopped and released": func(t *testing.T, m record.Mail) {
				if _, err := b.StopMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil {
					t.Fatal(err)
				}
				if _, err := b.ReleaseMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil {
					t.Fatal(err)
				}
			},
			"cancelled": func(t *testing.T, m record.Mail) {
				if _, err := b.CancelMails(t.Context(), order(record.Filter{ID: m.ID})); err != nil {
					t.Fatal(err)
				}
			},
			"person erased": func(t *testing.T, m record.Mail) {
				if err := b.ErasePerson(t.Context(), operator, m.PersonID, "asked"); err != nil {
					t.Fatal(err)
				}
			},
			"reopened and rejected again": func(t *testing.T, m record.Mail) {
				b.hear(t, "acme", b.rejection(m.ApplicationID, func(e *ats.Event) { e.State = ats.Reopened }))
				b.clock.Pass(time.Second)
				b.hear(t, "acme", b.rejection(m.ApplicationID))
			},
		} {
			m, j := b.plan(t, b.id("a"))
			end(t, m)
			before := b.count(t, `SELECT count(*) FROM mail_attempts`)
			_, err := b.ClaimMail(t.Context(), j, m.ID, "mailbox")
			if got := ats.FaultOf(err); got != ats.Duplicate {
				t.Errorf("%s: claim: got %q (%v), want duplicate", name, got, err)
			}
			was, err := b.Mail(t.Context(), m.ID)
			if err != nil {
				t.Fatal(err)
			}
			err = b.SettleMail(t.Context(), j, m.ID, record.Settlement{State: record.MailSuppressed, Job: record.Outcome{State: record.JobDone}})
			if got := ats.FaultOf(err); got != ats.Duplicate {
				t.Errorf("%s: settle: got %q (%v), want duplicate", name, got, err)
			}
			if is, err := b.Mail(t.Context(), m.ID); err != nil || cmp.Diff(was, is) != "" {
				t.Errorf("%s: the run of before changed the mail (%v):\n%s", name, err, cmp.Diff(was, is))
			}
			if after := b.count(t, `SELECT count(*) FROM mail_attempts`); after != before {
				t.Errorf("%s: got %d attempts, want %d", name, after, before)
			}
		}
	},
	"a mail has at most one job that is not over": func(t *testing.T, b *bench) {
		m, _ := b.plan(t, "a1")
		_, err := b.sql(t).ExecContext(t.Context(), `INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, created_at, updated_at) VALUES ('x', 'acme', 'mail', 'live', $1, 'waiting', 1, 1, 1)`, m.ID)
		if err == nil {
			t.Error("the database took a second live job")
		}
		b.exec(t, `INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, created_at, updated_at) VALUES ('x', 'acme', 'mail', 'live', $1, 'dead', 1, 1, 1)`, m.ID)
	},
	"an application has one mail for each purpose": func(t *testing.T, b *bench) {
		m, _ := b.plan(t, "a1")
		_, err := b.sql(t).ExecContext(t.Context(), `INSERT INTO mails (id, company, application, person_id, purpose, state, template, version, locale, hash, send_id, due_at, decided_at, created_at, updated_at)
			SELECT 'x', company, application, person_id, purpose, state, template, version, locale, hash, 'other', due_at, decided_at, created_at, updated_at FROM mails WHERE id = $1`, m.ID)
		if err == nil {
			t.Error("the database took a second mail")
		}
	},
	"a mail without a send id is refused": func(t *testing.T, b *bench) {
		id := b.save(t, b.arrival("acme", "k"))
		j := b.startOne(t, record.DecodeJob, id)
		d, _, err := b.Delivery(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Accept(t.Context(), j, d, []ats.Event{b.rejection("a1")}, b.limits, func(e ats.Event, k record.Known) (record.Ruling, error) {
			r, err := b.decide(e, k)
			r.Mail.SendID = ""
			return r, err
		})
		wantFault(t, err, ats.Invalid)
	},
	"a suppressed address is told to rules and postings, in its scope": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.settle(t, j, sent(b.claim(t, j)))
		l, err := b.FindLink(t.Context(), record.StopLink, "stop-"+m.SendID)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Unsubscribe(t.Context(), l, "link"); err != nil {
			t.Fatal(err)
		}
		if err := b.Unsubscribe(t.Context(), l, "again"); err != nil {
			t.Errorf("a second time: %v", err)
		}
		var known record.Known
		ask := func(company, application string) {
			a := b.arrival(company, b.id("key"))
			id := b.save(t, a)
			j, err := b.begin(t.Context(), b.Store, id)
			if err != nil {
				t.Fatal(err)
			}
			d, _, err := b.Delivery(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.Accept(t.Context(), j, d, []ats.Event{b.rejection(application, func(e *ats.Event) { e.Candidate.Email = "A1@example.jp" })}, b.limits, func(e ats.Event, k record.Known) (record.Ruling, error) {
				known = k
				return b.decide(e, k)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		ask("acme", "a2")
		if known.Suppressed || !known.NoOffers {
			t.Errorf("unsubscribed: got suppressed %v, no offers %v", known.Suppressed, known.NoOffers)
		}
		second := b.mailOf(t, "a2")
		b.report(t, "acme", mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Complaint, At: b.clock.Now()})
		if p, err := b.Posting(t.Context(), second.ID); err != nil || !p.Suppressed {
			t.Errorf("posting after a complaint: got suppressed %v (%v)", p.Suppressed, err)
		}
		ask("acme", "a3")
		if !known.Suppressed {
			t.Error("the rules were not told of the complaint")
		}
		ask("globex", "a4")
		if known.Suppressed || known.NoOffers {
			t.Error("the suppression of one company counts for another")
		}
	},
	"refused credentials open a brake that lets one probe through": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		n := b.claim(t, j)
		s := b.busy(n)
		s.Brake = "401"
		b.settle(t, j, s)
		p, err := b.Posting(t.Context(), m.ID)
		if err != nil || p.Brake.Kind != "credentials" || p.Brake.Cause != "401" || !p.Brake.ProbeAt.After(b.clock.Now()) {
			t.Fatalf("brake: got %+v (%v)", p.Brake, err)
		}
		if ok, err := b.ProbeBrake(t.Context(), p.Brake.ID); ok || err != nil {
			t.Errorf("a probe too early: got %v (%v)", ok, err)
		}
		b.clock.Pass(6 * time.Minute)
		probes := 0
		for _, err := range together(20, func(int) error {
			ok, err := b.ProbeBrake(t.Context(), p.Brake.ID)
			if ok {
				return ats.Errorf(ats.Conflict, "through")
			}
			return err
		}) {
			if ats.FaultOf(err) == ats.Conflict {
				probes++
			} else if err != nil {
				t.Error(err)
			}
		}
		if probes != 1 {
			t.Errorf("probes: got %d, want 1", probes)
		}
		if j, err = b.begin(t.Context(), b.Store, m.ID); err != nil {
			t.Fatal(err)
		}
		s = sent(b.claim(t, j))
		s.Release = true
		b.settle(t, j, s)
		if bs, err := b.Brakes(t.Context(), "acme", false); err != nil || len(bs) != 0 {
			t.Errorf("open brakes: got %v (%v), want none", bs, err)
		}
		if bs, err := b.Brakes(t.Context(), "", true); err != nil || len(bs) != 1 || bs[0].ResolvedAt.IsZero() {
			t.Errorf("all brakes: got %v (%v), want one that is resolved", bs, err)
		}
		if bs, err := b.Brakes(t.Context(), "globex", true); err != nil || len(bs) != 0 {
			t.Errorf("brakes of another company: got %v (%v)", bs, err)
		}
	},
	"many refusals at once open one brake": func(t *testing.T, b *bench) {
		for range 10 {
			b.hear(t, "acme", b.rejection(b.id("a")))
		}
		b.clock.Pass(25 * time.Hour)
		jobs := b.start(t, record.LiveQueue)
		var attempts []int
		for _, j := range jobs {
			attempts = append(attempts, b.claim(t, j))
		}
		errs := together(len(jobs), func(i int) error {
			s := b.busy(attempts[i])
			s.Brake = "401"
			return b.SettleMail(t.Context(), jobs[i], jobs[i].Subject, s)
		})
		if diff := cmp.Diff(map[ats.Fault]int{"": 10}, faults(t, errs)); diff != "" {
			t.Errorf("results differ (-want +got):\n%s", diff)
		}
		if n := b.count(t, `SELECT count(*) FROM brakes`); n != 1 {
			t.Errorf("brakes: got %d, want 1", n)
		}
	},
}
