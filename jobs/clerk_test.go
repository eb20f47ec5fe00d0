package jobs

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/mail/mailtest"
	"github.com/career-relay/connector/record"
)

var hana = record.Actor{Name: "user:hana", Role: record.Operator}

func (l *lab) clerk() *Clerk {
	return &Clerk{Store: l.db, Tenants: l.office, Open: l.open, Letters: l.Letters, Transport: l.Transport, PublicURL: l.PublicURL, Now: l.Now}
}

func TestThePersonalLineIsWrittenAnew(t *testing.T) {
	l := newLab(t)
	l.arrive(l.rejection("1"))
	l.step()
	m := l.letter("1")
	_, before, err := l.db.Letter(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	k := l.clerk()
	for line, want := range map[string]ats.Fault{
		"経験が不足していました":                     ats.Invalid, // speaks of a reason
		strings.Repeat("あ", 121):          ats.Invalid,
		"詳しくは https://example.jp をご覧ください": ats.Invalid,
	} {
		if err := k.Edit(t.Context(), hana, m.ID, line, "asked"); ats.FaultOf(err) != want {
			t.Errorf("%q: got %v, want %s", line, err, want)
		}
	}
	if err := k.Edit(t.Context(), hana, m.ID, "お話は心に残りました。", " "); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("without a reason: got %v", err)
	}
	const line = "決済基盤を作り直されたときのお話は、心に残りました。"
	if err := k.Edit(t.Context(), hana, m.ID, line, "the recruiter asked"); err != nil {
		t.Fatal(err)
	}
	_, after, err := l.db.Letter(t.Context(), m.ID)
	if err != nil || after.PersonalLine != line || !strings.Contains(after.HTML, line) || after.SendID != before.SendID || after.To != before.To {
		t.Fatalf("after: got %+v (%v)", after, err)
	}
	if err := mail.Check(after); err != nil {
		t.Error(err)
	}
	l.until(l.clock.now().Add(10 * 24 * time.Hour))
	if sent := l.post.letters(); len(sent) != 1 || sent[0].HTML != after.HTML {
		t.Errorf("%d mails left, or not what was written", len(sent))
	}
	if err := k.Edit(t.Context(), hana, m.ID, line, "late"); ats.FaultOf(err) != ats.Conflict {
		t.Errorf("after it left: got %v", err)
	}
}

// TestTheProviderIsAsked settles a mail whose answer was lost, by the provider's
// log, and leaves one alone that the log does not know.
func TestTheProviderIsAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		accepted bool
		want     record.MailState
	}{
		"it has the mail":      {true, record.MailSent},
		"it never heard of it": {false, record.MailUnclear},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			provider := mailtest.Start(t)
			provider.Next(1, mailtest.Answer{Status: 502, Accept: tt.accepted})
			sendGrid := mail.SendGrid{Key: mailtest.Key, BaseURL: provider.URL, HTTP: mail.NewHTTPClient()}
			l.Transport = func(*configs.Company) (Transport, error) {
				return Transport{Transport: sendGrid, Name: "sendgrid"}, nil
			}
			l.arrive(l.rejection("1"))
			l.until(l.clock.now().Add(48 * time.Hour))
			m := l.letter("1")
			if m.State != record.MailUnclear {
				t.Fatalf("the mail is %s (%s)", m.State, m.Reason)
			}
			err := l.clerk().Ask(t.Context(), hana, m.ID, "a question of the company")
			if known := err == nil; known != tt.accepted || !known && ats.FaultOf(err) != ats.NotFound {
				t.Errorf("got %v", err)
			}
			if got := l.letter("1"); got.State != tt.want {
				t.Errorf("the mail is %s, want %s", got.State, tt.want)
			}
			audits, err := l.db.Audits(t.Context(), record.Filter{ID: m.ID})
			if err != nil || len(audits) != 1 || audits[0].Verb != "ask" {
				t.Errorf("audit: got %+v (%v)", audits, err)
			}
		})
	}
}

func TestTheMailboxCannotBeAsked(t *testing.T) {
	l := newLab(t)
	l.arrive(l.rejection("1"))
	l.step()
	if err := l.clerk().Ask(t.Context(), hana, l.letter("1").ID, "x"); ats.FaultOf(err) != ats.Conflict {
		t.Errorf("got %v", err)
	}
}

// TestADeliverySaysWhatItSays compares a delivery with what it said, before and
// after the rules changed.
func TestADeliverySaysWhatItSays(t *testing.T) {
	l := newLab(t)
	l.arrive(l.rejection("1"))
	l.step()
	deliveries, err := l.db.Deliveries(t.Context(), record.Filter{Company: "acme"})
	if err != nil || len(deliveries) != 1 {
		t.Fatal(deliveries, err)
	}
	k := l.clerk()
	same, err := k.Difference(t.Context(), deliveries[0].ID)
	if err != nil || !same.Same() || len(same.Changes) != 1 || same.Changes[0].Application != "1" {
		t.Fatalf("unchanged rules: got %+v (%v)", same, err)
	}
	before := *same.Changes[0].Before
	if diff := cmp.Diff(before, *same.Changes[0].After); diff != "" {
		t.Errorf("differs (-before +after):\n%s", diff)
	}
	if _, err := k.Difference(t.Context(), "nothing"); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("of nothing: got %v", err)
	}
}

// TestABatchIsWorkedThrough lets the worker run a batch of parked deliveries to
// its end, with one company whose file is gone.
func TestABatchIsWorkedThrough(t *testing.T) {
	l := newLab(t)
	l.Terms = func(company string) (record.Term, bool) {
		_, err := l.office.Company(company)
		return record.Term{}, err == nil
	}
	for range 7 {
		l.deliver(arrival([]byte("not JSON")))
	}
	l.step()
	r := record.Rerun{Order: l.order(record.Filter{State: "dead"}), Verb: "retry", Noun: "job"}
	done, err := l.db.Rerun(t.Context(), r, l.Terms)
	if err != nil || done.Batch == "" {
		t.Fatal(done, err)
	}
	l.until(l.clock.now().Add(time.Minute))
	b, err := l.db.Batches(t.Context(), record.Filter{ID: done.Batch})
	if err != nil || b[0].State != record.BatchDone || b[0].Changed != 7 {
		t.Fatalf("got %+v (%v)", b, err)
	}
	p, err := l.db.Progress(t.Context(), done.Batch)
	if err != nil || p.Jobs["dead"] != 7 {
		t.Errorf("progress: got %+v (%v), want seven that died again", p, err)
	}
	delete(l.office.companies, "acme")
	if done, err := l.db.Rerun(t.Context(), r, l.Terms); err != nil || done.Batch != "" || done.Skipped[record.SkipCompany] != 7 {
		t.Errorf("without the company's file: got %+v (%v)", done, err)
	}
}

// TestAReleaseVerifiesFirst previews the release of quarantined deliveries with a
// wrong and with the right secret.
func TestAReleaseVerifiesFirst(t *testing.T) {
	l := newLab(t)
	for _, secret := range []string{"old", "a stranger's"} {
		a := arrival([]byte(rejected))
		a.Delivery.Key = secret
		a.Disposition, a.Reason = record.Quarantined, "the signature does not fit"
		a.Delivery.Payload.Header = http.Header{"X-Secret": {secret}, "Authorization": {"Basic c2VjcmV0"}}
		l.deliver(a)
	}
	k := l.clerk()
	o := record.Rerun{Order: l.order(record.Filter{})}
	o.DryRun = true
	if done, err := k.Release(t.Context(), o, nil); err != nil || done.Changed != 0 || done.Skipped[record.SkipWrong] != 2 {
		t.Errorf("with the wrong secret: got %+v (%v)", done, err)
	}
	l.ats.secret = "old"
	if done, err := k.Release(t.Context(), o, nil); err != nil || done.Changed != 1 || done.Skipped[record.SkipWrong] != 1 || done.Matched != 2 {
		t.Errorf("with the right secret: got %+v (%v)", done, err)
	}
	o.DryRun = false
	if _, err := k.Release(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	l.until(l.clock.now().Add(time.Minute))
	rows, err := l.db.Deliveries(t.Context(), record.Filter{Company: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	states := map[record.Disposition]int{}
	for _, row := range rows {
		states[row.Disposition]++
		_, d, err := l.db.Delivery(t.Context(), row.ID)
		if err != nil || row.Disposition == record.Decoded && d.Payload.Header.Get("Authorization") != "" {
			t.Errorf("what was released keeps its credentials (%v)", err)
		}
	}
	if states[record.Decoded] != 1 || states[record.Quarantined] != 1 {
		t.Errorf("got %v", states)
	}
}
