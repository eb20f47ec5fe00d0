package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// soon is after every mail that may go now has gone.
const soon = time.Hour

func TestARejectionIsAnsweredByOneMail(t *testing.T) {
	l := newLab(t)
	e := l.rejection("1")
	l.arrive(e)
	l.arrive(e) // the same fact, told again
	l.clock.pass(time.Minute)
	l.arrive(l.rejection("1")) // and decided again
	l.until(l.clock.now().Add(soon))
	m := l.expect("1", record.MailSent, "")
	sent := l.post.letters()
	if len(sent) != 1 || sent[0].To.Address != e.Candidate.Email || sent[0].SendID != m.SendID || !strings.Contains(sent[0].Text, "佐藤 美咲") {
		t.Fatalf("sent %+v", sent)
	}
	for _, path := range []string{"/u/", "/r/"} {
		if !strings.Contains(sent[0].Text, "https://relay.example.test"+path) {
			t.Errorf("no link to %s", path)
		}
	}
	if m.Transport != "fake" || m.ProviderID != "provider-1" || m.Attempts != 1 || m.SentAt.IsZero() {
		t.Errorf("mail %+v", m)
	}
	if l.meter.of("mail sent") != 1 || l.meter.of("mail done") != 1 || l.meter.of("decode done") != 3 {
		t.Errorf("counted %v", l.meter.counts)
	}
	l.until(l.clock.now().Add(60 * 24 * time.Hour))
	if n := len(l.post.letters()); n != 1 {
		t.Errorf("%d mails after two months", n)
	}
}

// A changed mind counts at every moment before the mail leaves.
func TestAMailIsTakenBack(t *testing.T) {
	reasons := map[ats.State]string{
		ats.Reopened: sending.CodeReopened, ats.Withdrawn: sending.CodeWithdrawn, ats.Hired: sending.CodeHired, ats.Erased: sending.CodeErased,
	}
	moments := map[string]func(l *lab, news ats.Event){
		"while it waits": func(l *lab, news ats.Event) {
			l.arrive(l.rejection("1"))
			l.step()
			l.clock.pass(time.Minute)
			news.At = l.clock.now()
			l.arrive(news)
		},
		"while it is stopped": func(l *lab, news ats.Event) {
			l.company().Sending.OnUnknownSide = sending.HoldUnknown
			e := l.rejection("1")
			e.Side = ats.Unknown
			l.arrive(e)
			l.step()
			l.clock.pass(time.Minute)
			news.At = l.clock.now()
			l.arrive(news)
		},
		"while it waits to be tried again": func(l *lab, news ats.Event) {
			l.post.fail = func(n int, _ mail.Message) error {
				if n == 1 {
					return ats.Errorf(ats.Busy, "503")
				}
				return nil
			}
			l.arrive(l.rejection("1"))
			for l.post.attempts() == 0 {
				l.until(l.clock.now().Add(10 * time.Second))
			}
			news.At = l.clock.now()
			l.arrive(news)
		},
		"while the vendor is asked": func(l *lab, news ats.Event) {
			l.ats.state = func(context.Context, ats.Event) (ats.State, error) {
				l.ats.state = nil
				news.At = l.clock.now()
				id := l.arrive(news)
				for _, ticket := range l.tickets() {
					if err := l.handle(context.Background(), ticket); err != nil {
						l.t.Error(err)
					}
				}
				if j := l.job(id); j.State != record.JobDone {
					l.t.Errorf("the news is %s", j.State)
				}
				return ats.Rejected, nil
			}
			l.arrive(l.rejection("1"))
		},
	}
	for moment, act := range moments {
		for state, reason := range reasons {
			t.Run(moment+" "+string(state), func(t *testing.T) {
				l := newLab(t)
				act(l, l.news("1", state))
				l.until(l.clock.now().Add(48 * time.Hour))
				l.expect("1", record.MailCancelled, reason)
				if n := len(l.post.letters()); n != 0 {
					t.Errorf("%d mails were sent", n)
				}
				open, err := l.db.Jobs(t.Context(), record.Filter{State: string(record.JobWaiting)})
				if err != nil || len(open) != 0 {
					t.Errorf("open jobs %+v, %v", open, err)
				}
			})
		}
	}
}

func TestTheVendorIsAskedAtTheSecondOfSending(t *testing.T) {
	tests := map[string]struct {
		answer func(n int) (ats.State, error)
		state  record.MailState
		reason string
		sent   int
	}{
		"still rejected":            {func(int) (ats.State, error) { return ats.Rejected, nil }, record.MailSent, "", 1},
		"reopened":                  {func(int) (ats.State, error) { return ats.Reopened, nil }, record.MailCancelled, sending.CodeReopened, 0},
		"hired":                     {func(int) (ats.State, error) { return ats.Hired, nil }, record.MailCancelled, sending.CodeHired, 0},
		"in process again":          {func(int) (ats.State, error) { return "", nil }, record.MailCancelled, sending.CodeNotRejected, 0},
		"not there any more":        {func(int) (ats.State, error) { return "", ats.Errorf(ats.NotFound, "404") }, record.MailCancelled, sending.CodeErased, 0},
		"busy for three hours":      {func(n int) (ats.State, error) { return ats.Rejected, busyTimes(n, 3, time.Hour) }, record.MailSent, "", 1},
		"busy, then reopened":       {func(n int) (ats.State, error) { return ats.Reopened, busyTimes(n, 3, time.Hour) }, record.MailCancelled, sending.CodeReopened, 0},
		"busy for ever":             {func(int) (ats.State, error) { return "", ats.Errorf(ats.Busy, "503") }, record.MailFailed, "its job is dead", 0},
		"our key is refused":        {func(int) (ats.State, error) { return "", ats.Errorf(ats.Denied, "401") }, record.MailFailed, "its job is dead", 0},
		"it does not understand us": {func(int) (ats.State, error) { return "", ats.Errorf(ats.Invalid, "400") }, record.MailFailed, "its job is dead", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.ats.state = func(_ context.Context, e ats.Event) (ats.State, error) {
				if e.Application != "1" || e.Candidate.ID != "C-1" {
					t.Errorf("asked about %+v", e)
				}
				return tt.answer(l.ats.asked)
			}
			l.arrive(l.rejection("1"))
			l.until(l.clock.now().Add(20 * 24 * time.Hour))
			l.expect("1", tt.state, tt.reason)
			if n := len(l.post.letters()); n != tt.sent {
				t.Errorf("%d mails were sent, want %d", n, tt.sent)
			}
		})
	}
}

func busyTimes(n, times int, wait time.Duration) error {
	if n <= times {
		return ats.BusyFor(wait, "429")
	}
	return nil
}

func TestAHintThatCannotBeCheckedIsNotSent(t *testing.T) {
	l := newLab(t)
	l.ats.complete = func(context.Context, *ats.Event) error { return nil }
	l.ats.hint = true
	l.arrive(l.rejection("1"))
	l.until(l.clock.now().Add(soon))
	l.expect("1", record.MailFailed, "its job is dead")
	if n := l.post.attempts(); n != 0 {
		t.Errorf("%d tries", n)
	}
}

func TestATransportsAnswerSettlesTheMail(t *testing.T) {
	always := func(err error) func(int, mail.Message) error { return func(int, mail.Message) error { return err } }
	once := func(err error) func(int, mail.Message) error {
		return func(n int, _ mail.Message) error {
			if n == 1 {
				return err
			}
			return nil
		}
	}
	tests := map[string]struct {
		fail   func(int, mail.Message) error
		state  record.MailState
		reason string
		job    record.JobState
		tries  int
	}{
		"refused for good":            {always(ats.Errorf(ats.Invalid, "400 to.address")), record.MailFailed, "400 to.address", record.JobDead, 1},
		"too large":                   {always(ats.Errorf(ats.TooLarge, "413")), record.MailFailed, "413", record.JobDead, 1},
		"busy once":                   {once(ats.Errorf(ats.Busy, "503 before a byte")), record.MailSent, "", record.JobDone, 2},
		"busy with a wait":            {once(ats.BusyFor(2*time.Hour, "429")), record.MailSent, "", record.JobDone, 2},
		"busy for ever":               {always(ats.Errorf(ats.Busy, "no route")), record.MailFailed, "no route", record.JobDead, len(schedule) + 1},
		"nobody knows":                {always(ats.Errorf(ats.Unclear, "timeout after the request")), record.MailUnclear, "timeout after the request", record.JobUnclear, 1},
		"an error without a class":    {always(errors.New("EOF")), record.MailUnclear, "EOF", record.JobUnclear, 1},
		"the context ended":           {always(context.DeadlineExceeded), record.MailUnclear, "context deadline exceeded", record.JobUnclear, 1},
		"an odd class":                {always(ats.Errorf(ats.Duplicate, "409")), record.MailUnclear, "409", record.JobUnclear, 1},
		"the transport breaks":        {func(int, mail.Message) error { panic("佐藤") }, record.MailUnclear, "panic in a mail job: string", record.JobUnclear, 1},
		"an address is in the answer": {always(ats.Errorf(ats.Invalid, "550 <misaki.1@example.jp> unknown")), record.MailFailed, "550 <[address]> unknown", record.JobDead, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.post.fail = tt.fail
			l.arrive(l.rejection("1"))
			l.until(l.clock.now().Add(20 * 24 * time.Hour))
			m := l.expect("1", tt.state, tt.reason)
			if j := l.job(m.ID); j.State != tt.job {
				t.Errorf("job is %s, want %s", j.State, tt.job)
			}
			if m.Attempts != tt.tries || l.post.attempts() != tt.tries {
				t.Errorf("%d attempts recorded, %d made, want %d", m.Attempts, l.post.attempts(), tt.tries)
			}
			attempts, _, err := l.db.MailHistory(t.Context(), m.ID)
			if err != nil || len(attempts) != tt.tries || attempts[0].EndedAt.IsZero() {
				t.Errorf("history %+v, %v", attempts, err)
			}
		})
	}
}

// A mail that failed for good is found by its job and goes out when a person
// says so.
func TestAFailedMailIsRetriedByAPerson(t *testing.T) {
	l := newLab(t)
	l.post.fail = func(n int, _ mail.Message) error {
		if n == 1 {
			return ats.Errorf(ats.Invalid, "400")
		}
		return nil
	}
	l.arrive(l.rejection("1"))
	l.until(l.clock.now().Add(soon))
	if done, err := l.db.RetryJobs(t.Context(), l.order(record.Filter{State: "dead", Kind: record.MailJob})); err != nil || done.Changed != 1 {
		t.Fatalf("retried %+v, %v", done, err)
	}
	l.until(l.clock.now().Add(soon))
	l.expect("1", record.MailSent, "")
}

func TestRefusedCredentialsPullTheBrakeAndOneMailProbes(t *testing.T) {
	l := newLab(t)
	refuse := true
	l.post.fail = func(int, mail.Message) error {
		if refuse {
			return ats.Errorf(ats.Denied, "401")
		}
		return nil
	}
	l.company().Sending.Window = sending.Window{} // always
	for i := range 10 {
		l.arrive(l.rejection(strconv.Itoa(i)))
	}
	other := l.office.open("other")
	other.Sending.Window = sending.Window{}
	l.step()
	first := l.post.attempts()
	if first != 1 {
		t.Errorf("%d tries before the brake held, want 1", first)
	}
	brakes, err := l.db.Brakes(t.Context(), "acme", false)
	if err != nil || len(brakes) != 1 || brakes[0].Kind != "credentials" || brakes[0].Cause != "401" {
		t.Fatalf("brakes %+v, %v", brakes, err)
	}
	// Another company's mails are not held up.
	refuse = false
	l.arriveFor("other", l.rejection("x"))
	l.step()
	if n := len(l.post.letters()); n != 1 {
		t.Errorf("%d mails of the other company", n)
	}
	refuse = true
	// For six hours one mail in every five minutes tries.
	before := l.post.attempts()
	l.until(l.clock.now().Add(6 * time.Hour))
	if probes := l.post.attempts() - before; probes < 6*60/7 || probes > 6*60/5+1 {
		t.Errorf("%d probes in six hours", probes)
	}
	for i := range 10 {
		if m := l.letter(strconv.Itoa(i)); m.State != record.MailHeld || m.Stopped {
			t.Errorf("mail %d is %s (%s)", i, m.State, m.Reason)
		}
	}
	refuse = false // the key was replaced
	l.until(l.clock.now().Add(15 * time.Minute))
	for i := range 10 {
		l.expect(strconv.Itoa(i), record.MailSent, "")
	}
	if brakes, err := l.db.Brakes(t.Context(), "acme", false); err != nil || len(brakes) != 0 {
		t.Errorf("brakes %+v, %v", brakes, err)
	}
}

// A brake that the fate of the mails opened lets none through as a probe.
func TestBouncesStopTheCompanyUntilAPersonReleasesIt(t *testing.T) {
	l := newLab(t)
	l.company().Sending.Window, l.company().Sending.Brake = sending.Window{}, sending.Brake{Batch: 1000, Factor: 1000}
	for i := range 50 {
		l.arrive(l.rejection(strconv.Itoa(i)))
	}
	l.until(l.clock.now().Add(soon))
	for i := range 3 {
		m := l.expect(strconv.Itoa(i), record.MailSent, "")
		l.report(map[string]any{"event": "bounce", "type": "bounce", "sg_event_id": m.ID, "cr_send": m.SendID, "timestamp": l.clock.now().Unix()})
	}
	l.step()
	l.arrive(l.rejection("late"))
	l.until(l.clock.now().Add(12 * time.Hour))
	l.expect("late", record.MailHeld, sending.CodeBrake)
	if n := l.post.attempts(); n != 50 {
		t.Fatalf("%d tries, want the 50 from before", n)
	}
	if err := l.db.ReleaseBrake(t.Context(), record.System, "acme", sending.BrakeBounces, "looked at"); err != nil {
		t.Fatal(err)
	}
	l.step()
	l.expect("late", record.MailSent, "")
}

// report delivers words of the mail provider.
func (l *lab) report(events ...map[string]any) {
	l.t.Helper()
	body, err := json.Marshal(events)
	if err != nil {
		l.t.Fatal(err)
	}
	a := arrival(body)
	a.Delivery.Connection, a.Delivery.Door = "mail", connectors.Mail
	l.deliver(a)
}

func TestAnUnclearMailIsProvenByTheProvider(t *testing.T) {
	l := newLab(t)
	l.post.fail = func(int, mail.Message) error { return ats.Errorf(ats.Unclear, "timeout") }
	l.arrive(l.rejection("1"))
	l.until(l.clock.now().Add(7 * 24 * time.Hour))
	m := l.expect("1", record.MailUnclear, "timeout")
	l.report(map[string]any{"event": "delivered", "sg_event_id": "e1", "sg_message_id": "abc.recvd-1", "timestamp": l.clock.now().Unix(), "email": "misaki.1@example.jp", "cr_send": m.SendID})
	l.until(l.clock.now().Add(soon))
	m = l.expect("1", record.MailSent, "the provider reported it")
	if m.Delivery != "delivered" || l.job(m.ID).State != record.JobDone || l.post.attempts() != 1 {
		t.Errorf("mail %+v, job %+v, %d tries", m, l.job(m.ID), l.post.attempts())
	}
}

func TestAnUnclearMailIsResolvedByAPerson(t *testing.T) {
	for _, sent := range []bool{true, false} {
		t.Run(strconv.FormatBool(sent), func(t *testing.T) {
			l := newLab(t)
			l.post.fail = func(n int, _ mail.Message) error {
				if n == 1 {
					return ats.Errorf(ats.Unclear, "timeout")
				}
				return nil
			}
			l.arrive(l.rejection("1"))
			l.until(l.clock.now().Add(soon))
			if done, err := l.db.ResolveMails(t.Context(), l.order(record.Filter{State: "unclear"}), sent); err != nil || done.Changed != 1 {
				t.Fatalf("resolved %+v, %v", done, err)
			}
			l.until(l.clock.now().Add(soon))
			if m := l.letter("1"); m.State != record.MailSent {
				t.Errorf("mail is %s (%s)", m.State, m.Reason)
			}
			want := 2
			if sent {
				want = 1
			}
			if n := l.post.attempts(); n != want {
				t.Errorf("%d tries, want %d", n, want)
			}
		})
	}
}

func TestTheProvidersFeedbackThatCannotBeReadIsParked(t *testing.T) {
	l := newLab(t)
	a := arrival([]byte("not json"))
	a.Delivery.Connection, a.Delivery.Door = "mail", connectors.Mail
	id := l.deliver(a)
	l.step()
	if d := l.delivery(id); d.Disposition != record.Parked {
		t.Errorf("delivery is %s (%s)", d.Disposition, d.Reason)
	}
}

func TestADeadMailboxIsNotWrittenToAgain(t *testing.T) {
	l := newLab(t)
	first, second := l.rejection("1"), l.rejection("2")
	second.Candidate.Email = first.Candidate.Email
	second.At = second.At.Add(time.Second)
	l.arrive(first)
	l.until(l.clock.now().Add(soon))
	second.At = l.clock.now()
	l.company().Sending.Delay = ats.Duration(24 * time.Hour)
	l.arrive(second)
	l.step()
	l.report(map[string]any{
		"event": "bounce", "type": "bounce", "status": "5.1.1", "bounce_classification": "Invalid Address", "sg_event_id": "e1",
		"sg_message_id": "abc.1", "timestamp": l.clock.now().Unix(), "email": string(first.Candidate.Email), "cr_send": l.letter("1").SendID,
	})
	l.until(l.clock.now().Add(48 * time.Hour))
	l.expect("2", record.MailSuppressed, sending.CodeSuppressed)
	third := l.rejection("3")
	third.Candidate.Email = first.Candidate.Email
	id := l.arrive(third)
	l.until(l.clock.now().Add(48 * time.Hour))
	if mails, err := l.db.Mails(t.Context(), record.Filter{Company: "acme", Application: "3"}); err != nil || len(mails) != 0 {
		t.Errorf("%d mails, %v", len(mails), err)
	}
	if d := l.delivery(id); d.Disposition != record.Decoded {
		t.Errorf("delivery is %s", d.Disposition)
	}
	if n := l.post.attempts(); n != 1 {
		t.Errorf("%d tries", n)
	}
}

func TestModesThatSendNothing(t *testing.T) {
	for mode, reason := range map[sending.Mode]string{sending.DryRun: sending.CodeDryRun, sending.LinkOnly: sending.CodeLinkOnly} {
		t.Run(string(mode), func(t *testing.T) {
			l := newLab(t)
			l.company().Sending.Mode = mode
			l.arrive(l.rejection("1"))
			l.until(l.clock.now().Add(soon))
			l.expect("1", record.MailCancelled, reason)
			if n := l.post.attempts(); n != 0 {
				t.Errorf("%d tries", n)
			}
		})
	}
}

func TestTheVolumeBrakeStopsAMassRejection(t *testing.T) {
	l := newLab(t)
	l.company().Sending.Brake.Batch = 5
	l.company().Sending.Delay = ats.Duration(time.Hour)
	for i := range 8 {
		l.arrive(l.rejection(strconv.Itoa(i)))
		l.clock.pass(time.Second)
	}
	l.until(l.clock.now().Add(48 * time.Hour))
	for i := range 8 { // the first five too: they are as doubtful
		if m := l.letter(strconv.Itoa(i)); m.State != record.MailHeld || !m.Stopped || m.Reason != sending.CodeBrakeVolume {
			t.Errorf("mail %d is %s, stopped %v (%s)", i, m.State, m.Stopped, m.Reason)
		}
	}
	if n := l.post.attempts(); n != 0 {
		t.Errorf("%d mails left", n)
	}
	if err := l.db.AskRelease(t.Context(), record.Actor{Name: "user:ryo"}, "acme", "they are meant"); err != nil {
		t.Fatal(err)
	}
	if done, err := l.db.ReleaseMails(t.Context(), l.order(record.Filter{State: "stopped"})); err != nil || done.Changed != 8 {
		t.Fatalf("released %+v, %v", done, err)
	}
	l.until(l.clock.now().Add(24 * time.Hour))
	if n := len(l.post.letters()); n != 8 {
		t.Errorf("%d mails were sent", n)
	}
	if brakes, err := l.db.Brakes(t.Context(), "acme", false); err != nil || len(brakes) != 0 {
		t.Errorf("brakes %+v, %v", brakes, err)
	}
}

// What was released together leaves at the company's pace and not at another's
// cost, and a mind may still be changed meanwhile.
func TestAReleasedBatchIsSpread(t *testing.T) {
	l := newLab(t)
	l.office.open("beta").Sending.Window = sending.Window{}
	l.company().Sending.PerMinute = 4
	const many = 18
	for i := range many {
		e := l.rejection(strconv.Itoa(i))
		e.Side = ats.Unknown // held
		l.arrive(e)
	}
	l.until(l.clock.now().Add(30 * time.Minute)) // all are due
	if done, err := l.db.ReleaseMails(t.Context(), l.order(record.Filter{Company: "acme", State: "stopped"})); err != nil || done.Changed != many {
		t.Fatalf("released %+v, %v", done, err)
	}
	start := l.clock.now()
	left := map[int]int{} // by minute
	for i := range 12 {
		before := len(l.post.letters())
		l.until(start.Truncate(time.Minute).Add(time.Duration(i+1)*time.Minute - time.Millisecond))
		left[i] = len(l.post.letters()) - before
		switch i {
		case 0: // nothing of another company waits for it
			e := l.rejection("other")
			l.arriveFor("beta", e)
			l.step()
			if n := len(l.post.letters()); n != left[0]+1 {
				t.Errorf("another company's mail waits: %d left", n)
			}
			if m := l.letter("17"); m.State != record.MailHeld || m.Stopped || m.Reason != sending.CodePaced || !m.DueAt.After(l.clock.now()) {
				t.Errorf("a mail that waits for its place: %+v", m)
			}
		case 1:
			l.arrive(l.news("17", ats.Reopened))
		}
	}
	want := map[int]int{0: 4, 1: 4, 2: 4, 3: 4, 4: 1, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("mails by minute (-want +got):\n%s", diff)
	}
	l.expect("17", record.MailCancelled, sending.CodeReopened)
}

func TestAChangedMindMayChangeAgain(t *testing.T) {
	tests := map[string]func(l *lab){
		"before anything was tried": func(l *lab) { l.company().Sending.Delay = ats.Duration(24 * time.Hour) },
		"after a try that surely failed": func(l *lab) {
			l.post.fail = func(n int, _ mail.Message) error { return busyTimes(n, 1, 5*time.Hour) }
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			prepare(l)
			l.arrive(l.rejection("1"))
			l.until(l.clock.now().Add(2 * time.Hour))
			l.arrive(l.news("1", ats.Reopened))
			l.step()
			l.expect("1", record.MailCancelled, sending.CodeReopened)
			l.clock.pass(time.Minute)
			again := l.rejection("1")
			again.Job.Title = "二度目の募集"
			l.arrive(again)
			l.until(l.clock.now().Add(72 * time.Hour))
			l.expect("1", record.MailSent, "")
			if sent := l.post.letters(); len(sent) != 1 || !strings.Contains(sent[0].Text, again.Job.Title) {
				t.Errorf("sent %+v", sent)
			}
		})
	}
}

func TestAMailThatMustNotLeaveIsHeldForAPerson(t *testing.T) {
	l := newLab(t)
	l.arrive(l.rejection("1"))
	l.step()
	l.Store = preflight{l.db}
	l.until(l.clock.now().Add(soon))
	m := l.letter("1")
	if m.State != record.MailHeld || !m.Stopped || !strings.HasPrefix(m.Reason, "preflight: ") || l.post.attempts() != 0 {
		t.Errorf("mail %+v, %d tries", m, l.post.attempts())
	}
	if j := l.job(m.ID); j.State != record.JobDone {
		t.Errorf("job %+v", j)
	}
}

// preflight is a store whose messages lost their address.
type preflight struct{ Store }

func (p preflight) Posting(ctx context.Context, id string) (record.Posting, error) {
	posting, err := p.Store.Posting(ctx, id)
	posting.Message.To.Address = ""
	return posting, err
}

// A store whose word about a mail is late, or never comes.
type forgetful struct {
	Store
	failures int
	settled  int
}

func (f *forgetful) SettleMail(ctx context.Context, j record.Job, id string, s record.Settlement) error {
	if s.Attempt > 0 {
		if f.settled++; f.settled <= f.failures {
			return ats.Errorf(ats.Busy, "settling: no connection")
		}
	}
	return f.Store.SettleMail(ctx, j, id, s)
}

func (f *forgetful) FinishJob(ctx context.Context, j record.Job, o record.Outcome) error {
	if f.failures > 10 {
		return ats.Errorf(ats.Busy, "finishing: no connection")
	}
	return f.Store.FinishJob(ctx, j, o)
}

func TestASentMailIsRecordedOnceSQLIsBack(t *testing.T) {
	quickly(t, &settlePauses)
	l := newLab(t)
	l.Store = &forgetful{Store: l.db, failures: 2}
	l.arrive(l.rejection("1"))
	l.until(l.clock.now().Add(soon))
	l.expect("1", record.MailSent, "")
}

func TestAMailThatCouldNotBeRecordedIsUnclear(t *testing.T) {
	for name, failures := range map[string]int{"SQL is back for the outcome": 4, "SQL stays away": 1000} {
		t.Run(name, func(t *testing.T) {
			quickly(t, &settlePauses)
			l := newLab(t)
			l.Store = &forgetful{Store: l.db, failures: failures}
			l.company().Sending.Window = sending.Window{}
			l.arrive(l.rejection("1"))
			for len(l.post.letters()) == 0 {
				for _, ticket := range l.tickets() {
					err := l.handle(t.Context(), ticket)
					if failures < 1000 && err != nil {
						t.Fatal(err)
					}
				}
			}
			l.Store = l.db
			l.clock.pass(lease)
			if err := l.sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.until(l.clock.now().Add(7 * 24 * time.Hour))
			m := l.expect("1", record.MailUnclear, "interrupted")
			if j := l.job(m.ID); j.State != record.JobUnclear || l.post.attempts() != 1 {
				t.Errorf("job %+v after %d tries", j, l.post.attempts())
			}
		})
	}
}

// quickly takes the waiting out of a test.
func quickly(t *testing.T, pauses *[]time.Duration) {
	t.Helper()
	kept := *pauses
	*pauses = make([]time.Duration, len(kept))
	t.Cleanup(func() { *pauses = kept })
}

func TestAMailWaitsForItsTransport(t *testing.T) {
	l := newLab(t)
	transport := l.Transport
	l.Transport = func(*configs.Company) (Transport, error) {
		return Transport{}, ats.Errorf(ats.Invalid, "mail.transport: pigeon is not known")
	}
	l.arrive(l.rejection("1"))
	l.until(l.clock.now().Add(3 * time.Hour))
	if j := l.job(l.letter("1").ID); j.State != record.JobWaiting || j.Attempts != 0 || !strings.Contains(j.Error, "pigeon") {
		t.Errorf("job %+v", j)
	}
	l.Transport = transport
	l.until(l.clock.now().Add(soon))
	l.expect("1", record.MailSent, "")
}
