package jobs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/record"
)

// A mail that waits without a job would wait for ever.
func TestAnOrphanIsAdopted(t *testing.T) {
	l := newLab(t)
	l.arrive(l.rejection("1"))
	l.step()
	m := l.letter("1")
	ticket := l.ticketOf(m.ID)
	j, err := l.db.StartJob(t.Context(), ticket.Job, ticket.Seq, lease)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.db.FinishJob(t.Context(), j, record.Outcome{State: record.JobCancelled, Error: "a bug of ours"}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once is enough
		if err := l.adopt(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if jobs, err := l.db.JobsOf(t.Context(), m.ID); err != nil || len(jobs) != 2 || jobs[1].State != record.JobWaiting || !jobs[1].DueAt.Equal(m.DueAt) {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
	if n := strings.Count(l.logs.String(), `"orphans adopted","jobs":1`); n != 1 {
		t.Errorf("%d lines", n)
	}
	l.until(l.clock.now().Add(soon))
	l.expect("1", record.MailSent, "")
}

// ticketOf waits until the job of a subject is due and dispatches it.
func (l *lab) ticketOf(subject string) record.Ticket {
	l.t.Helper()
	l.clock.set(l.job(subject).DueAt)
	for _, t := range l.tickets() {
		if t.Job == l.job(subject).ID {
			return t
		}
	}
	l.t.Fatalf("no ticket for %s", subject)
	return record.Ticket{}
}

func TestWhatWaitsForAPersonIsNotAdopted(t *testing.T) {
	l := newLab(t)
	stopped := l.rejection("1")
	stopped.Side = ats.Unknown // held
	l.arrive(stopped)
	l.ats.state = func(_ context.Context, e ats.Event) (ats.State, error) { return "", ats.Errorf(ats.Invalid, "400") }
	l.arrive(l.rejection("2")) // its job dies
	l.until(l.clock.now().Add(soon))
	if err := l.adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := l.step(); n != 0 {
		t.Errorf("%d jobs", n)
	}
}

func TestPurgeGoesOnAfterOneCompanysTrouble(t *testing.T) {
	l := newLab(t)
	l.office.open("beta")
	l.office.open("gamma")
	p := &purges{Store: l.db, done: map[string]int{}}
	l.Store = p
	l.company().Retention = configs.Retention{Candidates: ats.Duration(time.Hour), Mails: ats.Duration(time.Minute)}
	err := l.purge(t.Context())
	if err == nil || err.Error() != "no disk" {
		t.Errorf("got %v", err)
	}
	if p.done["acme"] != 3 || p.done["gamma"] != 1 {
		t.Errorf("purged %v", p.done)
	}
	if p.kept != (record.Retention{Candidates: time.Hour, Mails: time.Minute}) {
		t.Errorf("asked to keep %+v", p.kept)
	}
	if n := strings.Count(l.logs.String(), `"purged","company":"acme","rows":2001`); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// A company whose file is gone is never written for again, but what is known of
// its candidates does not stay for ever: its last periods count, or the usual
// ones when nobody knows them.
func TestRetentionOutlivesACompanysFile(t *testing.T) {
	day := 24 * time.Hour
	for name, tt := range map[string]struct {
		purged                bool // while there was a file
		before, after, letter time.Duration
	}{
		"the periods of its file count on":  {true, 9 * day, 11 * day, 21 * day},
		"nobody knows them: the usual ones": {false, 179 * day, 181 * day, 366 * day},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.company().Retention = configs.Retention{Deliveries: ats.Duration(day), Candidates: ats.Duration(10 * day), Mails: ats.Duration(20 * day)}
			l.office.open("beta")
			l.office.companies["beta"].Retention = configs.Retention{Candidates: ats.Duration(1000 * day), Mails: ats.Duration(1000 * day)}
			for company, id := range map[string]string{"acme": "1", "beta": "2"} {
				e := l.rejection(id)
				e.Side = ats.Unknown // its mail is held
				l.arriveFor(company, e)
			}
			l.step()
			start := l.clock.now()
			purge := func(after time.Duration) {
				t.Helper()
				l.clock.set(start.Add(after))
				if err := l.purge(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			known := func(id string) bool {
				t.Helper()
				a, err := l.db.Application(t.Context(), id, true)
				if err != nil {
					t.Fatal(err)
				}
				return a.Candidate != nil
			}
			if tt.purged {
				purge(time.Hour)
			}
			delete(l.office.companies, "acme")
			purge(tt.before)
			if !known("1") {
				t.Error("the candidate is gone before the time")
			}
			purge(tt.after)
			if known("1") {
				t.Error("the candidate is still known")
			}
			m := l.letter("1")
			purge(tt.letter)
			purge(tt.letter + time.Hour)
			if now := l.letter("1"); now.State != record.MailCancelled || now.Reason != "retention" {
				t.Errorf("the mail that waited: %s %q", now.State, now.Reason)
			}
			if _, _, err := l.db.Letter(t.Context(), m.ID); ats.FaultOf(err) != ats.NotFound {
				t.Errorf("its content: %v, want it gone", err)
			}
			others, err := l.db.Mails(t.Context(), record.Filter{Company: "beta"})
			if err != nil || len(others) != 1 || others[0].State != record.MailHeld || !known("2") {
				t.Errorf("another company's data went too: %v (%v)", others, err)
			}
		})
	}
}

// purges is a store in which acme has three portions to purge and beta trouble.
type purges struct {
	Store
	done map[string]int
	kept record.Retention
}

func (p *purges) Purge(_ context.Context, company string, r record.Retention) (int, bool, error) {
	p.done[company]++
	switch company {
	case "acme":
		p.kept = r
		return []int{1000, 1000, 1}[p.done[company]-1], p.done[company] < 3, nil
	case "beta":
		return 0, true, errors.New("no disk")
	}
	return 0, false, nil
}

func (p *purges) Retentions(context.Context) (map[string]record.Retention, error) {
	return map[string]record.Retention{}, nil
}
