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
