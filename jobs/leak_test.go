package jobs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/rules/sending"
)

// The whole walk, with everything that may go wrong, leaves nothing personal in
// Redis, in the log, in the counters or in what lists of jobs and mails show.
func TestNothingPersonalIsLeftOutsideSQL(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	l := openLab(t, &clock{})
	l.company().Sending.Window = sending.Window{}
	l.Courier = openCourier(t, "")
	network := l.network()
	var seen strings.Builder
	look := func() {
		dump := l.Courier.inproc.Dump()
		l.post.mu.Lock()
		defer l.post.mu.Unlock()
		seen.WriteString(dump)
	}
	l.post.hook = func(context.Context, mail.Message) { look() } // while jobs are at work
	l.post.fail = func(_ int, m mail.Message) error {
		switch {
		case strings.HasPrefix(string(m.To.Address), "misaki.refused"):
			return ats.Errorf(ats.Invalid, "550 %s: mailbox of %s unknown", string(m.To.Address), "<"+string(m.To.Address)+">")
		case strings.HasPrefix(string(m.To.Address), "misaki.unclear"):
			return errors.New("reading the answer about " + string(m.To.Address))
		case strings.HasPrefix(string(m.To.Address), "misaki.panics"):
			panic(m)
		case strings.HasPrefix(string(m.To.Address), "misaki.denied"):
			return ats.Errorf(ats.Denied, "401 for %s", string(m.To.Address))
		case strings.HasPrefix(string(m.To.Address), "misaki.busy"):
			return ats.BusyFor(time.Hour, "429 for %s", string(m.To.Address))
		}
		return nil
	}
	l.start()
	for _, id := range []string{"sent", "refused", "unclear", "panics", "busy"} {
		e := l.rejection(id)
		e.PersonalLine = "プレゼンテーションが心に残りました。"
		l.arrive(e)
	}
	l.office.open("other").Sending.Window = sending.Window{}
	l.arriveFor("other", l.rejection("denied")) // pulls a brake
	l.deliver(arrival([]byte(`{"unknown":"佐藤 美咲 <misaki.parked@example.jp>"}`)))
	quarantined := arrival([]byte(`[{"candidate":{"email":"misaki.bad@example.jp"}}]`))
	quarantined.Disposition, quarantined.Delivery.Payload.Header = record.Quarantined, http.Header{"X-Secret": {"hunter2"}}
	l.deliver(quarantined)
	l.report(map[string]any{"event": "bounce", "sg_event_id": "e", "sg_message_id": "m", "timestamp": 1, "email": "misaki.x@example.jp", "reason": "550 misaki.x@example.jp"})
	l.arrive(ats.Event{Application: "x", State: "nonsense", At: time.Now(), Candidate: ats.Candidate{Name: "佐藤 美咲", Email: "misaki.nonsense@example.jp"}})
	await(t, "every mail was tried", func() bool { return l.post.attempts() >= 6 })
	if _, err := l.db.ReplayDeliveries(t.Context(), l.order(record.Filter{State: "quarantined"})); err != nil {
		t.Fatal(err)
	}
	network.status = http.StatusServiceUnavailable
	tokens := l.registerRunning(t)
	await(t, "the recipient was asked", func() bool { look(); return strings.Contains(l.logs.String(), "referral settled") })
	if err := l.purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "nothing is at work", func() bool {
		counts, err := l.db.Counts(context.Background(), "")
		return err == nil && counts.Jobs["running"]+counts.Jobs["dispatched"] == 0
	})
	look()

	var traces strings.Builder
	for _, s := range spans.Ended() {
		fmt.Fprintln(&traces, s.Name(), s.Attributes(), s.Status(), s.Events())
	}
	secrets := append(slices.Clone(tokens), "佐藤", "美咲", "misaki", "private@", "hunter2", string(whsec)[6:], "心に残り", "unknown\":", "東京都")
	for _, m := range l.post.letters() {
		secrets = append(secrets, m.Text[:60], m.HTML[:60])
	}
	for _, s := range secrets {
		for form, part := range map[string]string{"": s, " escaped": url.QueryEscape(s), " in base64": base64.StdEncoding.EncodeToString([]byte(s))} {
			for where, text := range map[string]string{
				"redis": seen.String(), "the log": l.logs.String(), "the counters": fmt.Sprint(slices.Collect(maps.Keys(l.meter.counts))), "the lists": l.lists(), "the traces": traces.String(),
			} {
				if at := strings.Index(text, part); at >= 0 {
					t.Errorf("%q%s is in %s: …%s…", s, form, where, text[max(0, at-200):min(len(text), at+100)])
				}
			}
		}
	}
	if !strings.Contains(seen.String(), "asynq:{live}") || !strings.Contains(l.logs.String(), "mail settled") || !strings.Contains(traces.String(), "job mail") {
		t.Error("nothing was looked at")
	}
}

// registerRunning lets somebody register while the worker runs, and returns
// the tokens that must stay secret.
func (l *lab) registerRunning(t *testing.T) (tokens []string) {
	t.Helper()
	l.post.mu.Lock()
	i := slices.IndexFunc(l.post.sent, func(m mail.Message) bool { return strings.HasPrefix(string(m.To.Address), "misaki.sent") })
	text := l.post.sent[i].Text
	l.post.mu.Unlock()
	relay, stop := tokenIn(t, text, "/r/"), tokenIn(t, text, "/u/")
	link, err := l.db.FindLink(t.Context(), record.RelayLink, relay)
	if err != nil {
		t.Fatal(err)
	}
	l.enrol(link, consent.RelayHandover)
	var confirm string
	await(t, "the confirmation", func() bool {
		l.post.mu.Lock()
		defer l.post.mu.Unlock()
		last := l.post.sent[len(l.post.sent)-1]
		if last.Purpose == mail.RelayConfirm {
			confirm = tokenIn(t, last.Text, "/r/c/")
		}
		return confirm != ""
	})
	l.confirm(confirm)
	return []string{relay, stop, confirm}
}

// lists is what the lists of rows show of everything.
func (l *lab) lists() string {
	l.t.Helper()
	ctx := context.Background()
	var all []any
	f := record.Filter{Limit: record.MaxPage}
	for _, list := range []func() (any, error){
		func() (any, error) { return l.db.Deliveries(ctx, f) },
		func() (any, error) { return l.db.Jobs(ctx, f) },
		func() (any, error) { return l.db.Mails(ctx, f) },
		func() (any, error) { return l.db.Referrals(ctx, f) },
		func() (any, error) { return l.db.Brakes(ctx, "", true) },
	} {
		rows, err := list()
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, rows)
	}
	b, err := json.Marshal(all)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(b)
}
