package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
	"github.com/career-relay/connector/store"
)

// alarm takes one step with what holds now, and returns what was told.
func (b *bench) alarm(tb testing.TB, s *store.Store, now ...alerts.Condition) []alerts.Change {
	tb.Helper()
	told, err := s.Alarm(tb.Context(), func(open []alerts.Alert) []alerts.Change { return alerts.Step(open, now, nil, b.clock.Now()) },
		func(a alerts.Alert) []string { return []string{"mail", "slack"}[:1+len(a.Company)/5] })
	if err != nil {
		tb.Fatal(err)
	}
	return told
}

// notices returns the subjects of the alert jobs that wait.
func (b *bench) notices(tb testing.TB) []record.Notice {
	tb.Helper()
	jobs, err := b.Jobs(tb.Context(), record.Filter{Kind: record.AlertJob, Limit: record.MaxPage})
	if err != nil {
		tb.Fatal(err)
	}
	var out []record.Notice
	for _, j := range jobs {
		n, err := b.Notice(tb.Context(), j.Subject)
		if err != nil {
			tb.Fatal(err)
		}
		if n.Alert.Company != j.Company || j.State != record.JobWaiting {
			tb.Errorf("job %+v of notice %+v", j, n)
		}
		out = append(out, n)
	}
	return out
}

var alertTests = map[string]func(*testing.T, *bench){
	"an alert is opened, reminded of and resolved, with a notice for each channel": func(t *testing.T, b *bench) {
		brake := alerts.Condition{Company: "globex", Kind: alerts.VolumeBrake, Since: b.clock.Now()}
		if told := b.alarm(t, b.Store, brake); len(told) != 1 || told[0].Say != alerts.Opened {
			t.Fatalf("told %+v", told)
		}
		if got := b.notices(t); len(got) != 2 || got[0].Channel != "slack" || got[1].Channel != "mail" || got[0].Word != alerts.Opened || got[0].Alert.Kind != alerts.VolumeBrake || !got[0].Alert.Since.Equal(brake.Since) {
			t.Fatalf("notices %+v", got)
		}
		b.clock.Pass(time.Hour)
		if told := b.alarm(t, b.open(t), brake); len(told) != 0 { // after a restart
			t.Errorf("told again: %+v", told)
		}
		b.clock.Pass(24 * time.Hour)
		if told := b.alarm(t, b.Store, brake); len(told) != 1 || told[0].Say != alerts.Reminded {
			t.Errorf("told %+v, want a reminder", told)
		}
		b.alarm(t, b.Store)
		b.clock.Pass(time.Hour)
		if told := b.alarm(t, b.Store); len(told) != 1 || told[0].Say != alerts.Resolved {
			t.Errorf("told %+v, want the end", told)
		}
		if got := b.notices(t); len(got) != 6 {
			t.Errorf("%d notices, want 6", len(got))
		}
		rows, err := b.Alerts(t.Context(), record.Filter{})
		if err != nil || len(rows) != 1 || rows[0].State(b.clock.Now()) != "resolved" || !rows[0].ResolvedAt.Equal(b.clock.Now()) {
			t.Errorf("rows %+v (%v)", rows, err)
		}
		if told := b.alarm(t, b.Store, brake); len(told) != 1 || told[0].Alert.ID == rows[0].ID {
			t.Errorf("opened anew: %+v", told)
		}
	},
	"what passes by itself leaves nothing": func(t *testing.T, b *bench) {
		b.alarm(t, b.Store, alerts.Condition{Company: "acme", Kind: alerts.Parked, Count: 1})
		if rows, err := b.Alerts(t.Context(), record.Filter{}); err != nil || len(rows) != 0 {
			t.Errorf("rows %+v (%v)", rows, err)
		}
		b.clock.Pass(time.Minute)
		b.alarm(t, b.Store)
		if n := b.count(t, `SELECT count(*) FROM alerts`); n != 0 || len(b.notices(t)) != 0 {
			t.Errorf("%d rows, want none", n)
		}
	},
	"of several processes one opens an alert": func(t *testing.T, b *bench) {
		other := b.open(t)
		now := []alerts.Condition{{Company: "acme", Kind: alerts.PollBrake}, {Kind: alerts.QueueOld, Subject: "live"}}
		errs := together(20, func(i int) error {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			_, err := s.Alarm(t.Context(), func(open []alerts.Alert) []alerts.Change { return alerts.Step(open, now, nil, b.clock.Now()) }, func(alerts.Alert) []string { return []string{"mail"} })
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if got := b.notices(t); len(got) != 2 {
			t.Errorf("%d notices, want one for each alert", len(got))
		}
	},
	"alerts are found by what they are about": func(t *testing.T, b *bench) {
		b.alarm(t, b.Store, alerts.Condition{Company: "acme", Kind: alerts.PollBrake}, alerts.Condition{Company: "globex", Kind: alerts.PollBrake}, alerts.Condition{Kind: alerts.Licence, Subject: "network", Stage: 2, EndsAt: b.clock.Now()})
		rows, err := b.Alerts(t.Context(), record.Filter{Company: "acme"})
		if err != nil || len(rows) != 1 {
			t.Fatalf("rows %+v (%v)", rows, err)
		}
		if err := b.MuteAlert(t.Context(), operator, rows[0].ID, b.clock.Now().Add(48*time.Hour), "known"); err != nil {
			t.Fatal(err)
		}
		for want, f := range map[int]record.Filter{
			3: {}, 2: {State: "open"}, 1: {State: "muted", Company: "acme", Kind: string(alerts.PollBrake)}, 0: {State: "resolved"},
		} {
			if rows, err := b.Alerts(t.Context(), f); err != nil || len(rows) != want {
				t.Errorf("%+v: %d rows (%v), want %d", f, len(rows), err, want)
			}
		}
		if rows, err := b.Alerts(t.Context(), record.Filter{Kind: string(alerts.Licence)}); err != nil || len(rows) != 1 || rows[0].Subject != "network" || rows[0].Stage != 2 || !rows[0].EndsAt.Equal(b.clock.Now()) {
			t.Errorf("licence: %+v (%v)", rows, err)
		}
		if err := b.MuteAlert(t.Context(), operator, rows[0].ID, time.Time{}, "not any more"); err != nil {
			t.Fatal(err)
		}
		log, err := b.Audits(t.Context(), record.Filter{ID: rows[0].ID})
		if err != nil || len(log) != 2 || log[0].Verb != "unmute" || log[1].Verb != "mute" || log[1].Reason != "known" {
			t.Errorf("audit %+v (%v)", log, err)
		}
		wantFault(t, b.MuteAlert(t.Context(), operator, "nothing", b.clock.Now(), "why"), ats.NotFound)
		b.alarm(t, b.Store)
		b.clock.Pass(time.Hour)
		b.alarm(t, b.Store)
		wantFault(t, b.MuteAlert(t.Context(), operator, rows[0].ID, b.clock.Now(), "why"), ats.Conflict)
		_, err = b.Notice(t.Context(), "nothing")
		wantFault(t, err, ats.NotFound)
	},
	"old alerts are deleted with their notices": func(t *testing.T, b *bench) {
		gone, stays := alerts.Condition{Company: "acme", Kind: alerts.PollBrake}, alerts.Condition{Company: "globex", Kind: alerts.PollBrake}
		b.alarm(t, b.Store, gone, stays)
		b.alarm(t, b.Store, stays)
		b.clock.Pass(time.Hour)
		b.alarm(t, b.Store, stays)
		b.exec(t, `UPDATE jobs SET state = 'done'`)
		if n, err := b.PurgeAlerts(t.Context()); err != nil || n != 0 {
			t.Errorf("too early: %d (%v)", n, err)
		}
		b.clock.Pass(91 * 24 * time.Hour)
		if _, err := b.PurgeAlerts(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rows, err := b.Alerts(t.Context(), record.Filter{}); err != nil || len(rows) != 1 || rows[0].Company != "globex" {
			t.Errorf("rows %+v (%v)", rows, err)
		}
		if n := b.count(t, `SELECT count(*) FROM notices`) + b.count(t, `SELECT count(*) FROM jobs`); n != 0 {
			t.Errorf("%d notices and jobs are left", n)
		}
	},
	"the vitals are what needs somebody": func(t *testing.T, b *bench) {
		m, j := b.plan(t, "a1")
		b.settle(t, j, unclear(b.claim(t, j)))
		b.clock.Pass(time.Hour)
		b.save(t, b.arrival("acme", b.id("k")))
		d := b.save(t, b.arrival("globex", b.id("k")))
		dj, err := b.begin(t.Context(), b.Store, d)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Park(t.Context(), dj, d, record.Parked, "no rule", record.Outcome{State: record.JobDead, Fault: ats.Invalid}); err != nil {
			t.Fatal(err)
		}
		b.exec(t, `UPDATE jobs SET state = 'dead', fault = 'denied' WHERE subject = $1`, m.ID)
		b.clock.Pass(time.Minute)
		v, err := b.Vitals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]map[string]int{{"acme": 1}, {"globex": 1}, {"acme": 1}}, []map[string]int{v.Dead, v.Parked, v.Unclear}); diff != "" {
			t.Errorf("counts differ (-want +got):\n%s", diff)
		}
		if got := b.clock.Now().Sub(v.Oldest[record.LiveQueue]); got != time.Minute {
			t.Errorf("the oldest waits since %v", got)
		}
	},
	"who was heard is known after the deliveries are deleted": func(t *testing.T, b *bench) {
		heard := func(name string) time.Time {
			t.Helper()
			v, err := b.Vitals(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return v.Heard[name]
		}
		b.clock.Pass(time.Second)
		first := b.clock.Now()
		a := b.arrival("acme", "k1")
		a.Delivery.Payload.Received = first
		b.save(t, a)
		name := "acme/" + a.Delivery.Connection
		if got := heard(name); !got.Equal(first) {
			t.Errorf("heard at %v, want %v", got, first)
		}
		b.clock.Pass(time.Hour)
		for i, change := range []func(*record.Arrival){
			func(a *record.Arrival) { a.Disposition = record.Quarantined },
			func(a *record.Arrival) { a.Delivery.Door = connectors.File },
			func(a *record.Arrival) { a.Delivery.Door = connectors.Mail },
		} {
			a := b.arrival("acme", b.id("k"))
			a.Delivery.Payload.Received = b.clock.Now()
			change(&a)
			b.save(t, a)
			if got := heard(name); !got.Equal(first) {
				t.Errorf("case %d counts as news", i)
			}
		}
		b.exec(t, `DELETE FROM deliveries`)
		if got := heard(name); !got.Equal(first) {
			t.Errorf("forgotten with the deliveries: %v", got)
		}
		b.clock.Pass(time.Hour)
		a = b.arrival("acme", "k2")
		a.Delivery.Door, a.Delivery.Payload.Received = connectors.Poll, b.clock.Now()
		b.save(t, a)
		if got := heard(name); !got.Equal(b.clock.Now()) {
			t.Errorf("heard at %v, want %v", got, b.clock.Now())
		}
		if got := heard("acme/other"); !got.IsZero() {
			t.Errorf("another connection was heard at %v", got)
		}
	},
	"nothing personal stands in alerts and notices": func(t *testing.T, b *bench) {
		m := b.sentMail(t, "a1")
		b.report(t, "acme", mail.Feedback{EventID: "e1", SendID: m.SendID, Kind: mail.Complaint, At: b.clock.Now()})
		b.exec(t, `INSERT INTO brakes (id, company, kind, cause, opened_at, probe_at) VALUES ('b', 'acme', 'poll', 'misaki@example.jp', 1, 0)`)
		v, err := b.Vitals(t.Context())
		if err != nil || len(v.Brakes) != 1 {
			t.Fatalf("vitals %+v (%v)", v, err)
		}
		b.alarm(t, b.Store, alerts.Judge(alerts.Facts{Now: b.clock.Now(), Brakes: []alerts.Brake{{Company: v.Brakes[0].Company, Kind: v.Brakes[0].Kind, Since: v.Brakes[0].OpenedAt}}})...)
		if len(b.notices(t)) == 0 {
			t.Fatal("no notice")
		}
		for _, table := range []string{"alerts", "notices", "heard"} {
			if all := strings.Join(b.rows(t, table), "\n"); strings.Contains(all, "@") || strings.Contains(all, "佐藤") {
				t.Errorf("%s: %s", table, all)
			}
		}
	},
}
