package jobs

import (
	"context"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// delivery reads a delivery.
func (l *lab) delivery(id string) record.Delivery {
	l.t.Helper()
	d, _, err := l.db.Delivery(context.Background(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

func TestADeliveryIsSettledByWhatIsInIt(t *testing.T) {
	gone := func(context.Context, *ats.Event) error { return ats.Errorf(ats.NotFound, "no such application") }
	nothing := func(context.Context, *ats.Event) error { return ats.Errorf(ats.Duplicate, "not a decision") }
	fetched := func(_ context.Context, e *ats.Event) error { e.Candidate.Name = "佐藤 美咲"; return nil }
	tests := map[string]struct {
		complete    func(context.Context, *ats.Event) error
		hint        bool
		body        string
		disposition record.Disposition
		reason      string
		job         record.JobState
	}{
		"a rejection is decoded":                    {body: rejected, disposition: record.Decoded, job: record.JobDone},
		"no event is nothing of ours":               {body: `[]`, disposition: record.Ignored, reason: "nothing in it concerns us", job: record.JobDone},
		"a vendor's test is recognised":             {body: `ping`, disposition: record.Ignored, reason: "connection OK: the vendor's test delivery", job: record.JobDone},
		"what no rule knows is parked":              {body: `{}`, disposition: record.Parked, reason: "no rule knows this payload", job: record.JobDead},
		"what the vendor does not know is parked":   {complete: gone, body: rejected, disposition: record.Parked, reason: "no such application", job: record.JobDead},
		"what the vendor takes back is not kept":    {complete: nothing, body: rejected, disposition: record.Ignored, reason: "nothing in it concerns us", job: record.JobDone},
		"a hint is completed":                       {hint: true, complete: fetched, body: rejected, disposition: record.Decoded, job: record.JobDone},
		"a hint that cannot be completed is parked": {hint: true, body: rejected, disposition: record.Parked, reason: "the payload is not authenticated, and the vendor cannot be asked", job: record.JobDead},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.ats.complete, l.ats.hint = tt.complete, tt.hint
			id := l.deliver(arrival([]byte(tt.body)))
			l.step()
			d := l.delivery(id)
			if d.Disposition != tt.disposition || d.Reason != tt.reason {
				t.Errorf("delivery is %s (%s), want %s (%s)", d.Disposition, d.Reason, tt.disposition, tt.reason)
			}
			if j := l.job(id); j.State != tt.job {
				t.Errorf("job is %s, want %s", j.State, tt.job)
			}
		})
	}
}

const rejected = `[{"application":"1","state":"rejected","side":"company","at":"2026-10-05T10:00:00+09:00","clock":"decided","candidate":{"id":"C-1","name":"佐藤 美咲","email":"misaki@example.jp"},"job":{"title":"営業"}}]`

func arrival(body []byte) record.Arrival {
	return record.Arrival{Delivery: connectors.Delivery{Company: "acme", Connection: "ats", Door: connectors.Webhook, Payload: connectors.Payload{Body: body}}}
}

func TestAParkedDeliveryIsUsedOnceItsCauseIsRepaired(t *testing.T) {
	l := newLab(t)
	l.ats.decode = func(connectors.Payload) ([]ats.Event, error) { return nil, ats.Errorf(ats.Invalid, "no rule") }
	id := l.deliver(arrival([]byte(rejected)))
	l.step()
	l.ats.decode = nil
	if done, err := l.db.ReplayDeliveries(t.Context(), l.order(record.Filter{State: "parked"})); err != nil || done.Changed != 1 {
		t.Fatalf("replayed %+v, %v", done, err)
	}
	l.step()
	if d := l.delivery(id); d.Disposition != record.Decoded {
		t.Errorf("delivery is %s", d.Disposition)
	}
	l.expect("1", record.MailHeld, sending.CodeScheduled)
}

func TestAQuarantinedDeliveryIsUsedOnlyOnceItsSignatureFits(t *testing.T) {
	l := newLab(t)
	a := arrival([]byte(rejected))
	a.Disposition, a.Reason = record.Quarantined, "the signature does not fit"
	a.Delivery.Payload.Header = http.Header{"X-Secret": {"old"}}
	id := l.deliver(a)
	if n := l.step(); n != 0 {
		t.Fatalf("%d jobs for a quarantined delivery", n)
	}
	replay := func() record.Delivery {
		t.Helper()
		if done, err := l.db.ReplayDeliveries(t.Context(), l.order(record.Filter{State: "quarantined"})); err != nil || done.Changed != 1 {
			t.Fatalf("replayed %+v, %v", done, err)
		}
		l.step()
		return l.delivery(id)
	}
	if d := replay(); d.Disposition != record.Quarantined || d.Reason != "signature still does not fit: the signature does not fit" {
		t.Errorf("with the wrong secret: %s (%s)", d.Disposition, d.Reason)
	}
	if mails, err := l.db.Mails(t.Context(), record.Filter{Company: "acme"}); err != nil || len(mails) != 0 {
		t.Fatalf("%d mails, %v", len(mails), err)
	}
	l.ats.secret = "old" // the operator corrects it
	if d := replay(); d.Disposition != record.Decoded {
		t.Errorf("with the right secret: %s (%s)", d.Disposition, d.Reason)
	}
	l.until(l.clock.now().Add(time.Hour))
	l.expect("1", record.MailSent, "")
}

func TestAReinstatedDeliveryIsNotVerifiedTwice(t *testing.T) {
	l := newLab(t)
	a := arrival([]byte(rejected))
	a.Disposition = record.Quarantined
	a.Delivery.Payload.Header = http.Header{"X-Secret": {"right"}}
	id := l.deliver(a)
	l.ats.complete = func(context.Context, *ats.Event) error { return ats.BusyFor(time.Minute, "429") }
	if _, err := l.db.ReplayDeliveries(t.Context(), l.order(record.Filter{State: "quarantined"})); err != nil {
		t.Fatal(err)
	}
	l.step()
	l.ats.complete, l.ats.secret = nil, "rotated since"
	l.until(l.clock.now().Add(10 * time.Minute))
	if d := l.delivery(id); d.Disposition != record.Decoded {
		t.Errorf("delivery is %s (%s)", d.Disposition, d.Reason)
	}
}

func TestJobsWaitForTheirConfiguration(t *testing.T) {
	l := newLab(t)
	acme := l.company()
	delete(l.office.companies, "acme")
	id := l.arrive(l.rejection("1"))
	l.step()
	if j := l.job(id); j.State != record.JobWaiting || j.Attempts != 0 || j.Error != "company acme is not configured" {
		t.Errorf("job %+v", j)
	}
	l.until(l.clock.now().Add(24 * time.Hour))
	if j := l.job(id); j.State != record.JobWaiting || j.Attempts != 0 {
		t.Errorf("after a day: %+v", j)
	}
	l.clock.pass(30 * 24 * time.Hour)
	l.office.companies["acme"] = acme
	l.until(l.clock.now().Add(time.Hour))
	l.expect("1", record.MailHeld, sending.CodeMaxAge) // too old to go by itself
}

// The jobs of a company without a configuration must not keep others busy.
func TestUnconfiguredJobsTakeOnePlace(t *testing.T) {
	l := newLab(t)
	for range 300 {
		l.arriveFor("gone", l.rejection("1"))
	}
	id := l.arrive(l.rejection("2"))
	tickets := l.tickets()
	if len(tickets) != 2 {
		t.Errorf("%d tickets, want one for each company", len(tickets))
	}
	for _, ticket := range tickets {
		if err := l.handle(t.Context(), ticket); err != nil {
			t.Fatal(err)
		}
	}
	if j := l.job(id); j.State != record.JobDone {
		t.Errorf("job %+v", j)
	}
}

func TestTheJobOfADeletedDeliveryIsCancelled(t *testing.T) {
	l := newLab(t)
	a := arrival([]byte(rejected))
	id := l.deliver(a)
	l.step()
	if _, err := l.db.ReplayDeliveries(t.Context(), l.order(record.Filter{State: "decoded"})); err != nil {
		t.Fatal(err)
	}
	l.clock.pass(31 * 24 * time.Hour)
	if err := l.purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.step()
	if j := l.job(id); j.State != record.JobCancelled || j.Error != "the delivery was deleted" {
		t.Errorf("job %+v", j)
	}
}

func TestAFileNeverMailsByItself(t *testing.T) {
	l := newLab(t)
	a := arrival([]byte(rejected))
	a.Delivery.Door = connectors.File
	l.deliver(a)
	l.until(l.clock.now().Add(20 * 24 * time.Hour))
	if m := l.expect("1", record.MailHeld, sending.CodeCold); !m.Stopped {
		t.Errorf("mail %+v", m)
	}
	if _, err := l.db.ReleaseMails(t.Context(), l.order(record.Filter{State: "stopped"})); err != nil {
		t.Fatal(err)
	}
	l.until(l.clock.now().Add(24 * time.Hour))
	l.expect("1", record.MailSent, "")
}

func TestHistoryNeverMailsByItself(t *testing.T) {
	l := newLab(t)
	e := l.rejection("1")
	e.History = true
	l.arrive(e)
	l.until(l.clock.now().Add(20 * 24 * time.Hour))
	if m := l.expect("1", record.MailHeld, sending.CodeCold); !m.Stopped {
		t.Errorf("mail %+v", m)
	}
}

func TestATraceIsCarriedFromTheDoorToTheMail(t *testing.T) {
	l := newLab(t)
	a := arrival([]byte(rejected))
	a.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	id := l.deliver(a)
	l.step()
	m := l.letter("1")
	if j := l.job(m.ID); j.Trace != a.Trace {
		t.Errorf("trace %q", j.Trace)
	}
	for _, subject := range []string{id, m.ID} {
		ctx, span := l.trace(t.Context(), l.job(subject))
		if got := trace.SpanContextFromContext(ctx).TraceID().String(); got != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("the job's span is of trace %s", got)
		}
		span.End()
	}
}
