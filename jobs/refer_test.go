package jobs

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
)

const whsec = ats.Secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")

// A recipient is a network that receives referrals; status answers instead of
// it while it is not zero.
type recipient struct {
	*relay.Simulator
	status int
	hook   func()
	asked  int
}

func (r *recipient) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.asked++
	if r.hook != nil {
		r.hook()
	}
	if r.status != 0 {
		http.Error(w, "misaki@example.jp", r.status)
		return
	}
	r.Simulator.ServeHTTP(w, q)
}

// network opens the recipient to which acme hands over.
func (l *lab) network() *recipient {
	l.t.Helper()
	r := &recipient{Simulator: relay.NewSimulator([]string{string(whsec)}, l.db.Now)}
	server := httptest.NewServer(r)
	l.t.Cleanup(server.Close)
	client := server.Client()
	l.t.Cleanup(client.CloseIdleConnections)
	l.Relay = &relay.Client{HTTP: client, Now: l.db.Now}
	l.office.shared.Recipients = map[string]relay.Recipient{"network": {ID: "network", URL: server.URL, Secrets: []ats.Secret{whsec}}}
	return r
}

// register lets the person behind an application register and confirm, and
// returns the referral that follows.
func (l *lab) register(purposes ...consent.Purpose) record.Referral {
	l.t.Helper()
	l.arrive(l.rejection("1"))
	l.until(l.clock.now().Add(soon))
	link, err := l.db.FindLink(l.t.Context(), record.RelayLink, l.token("/r/"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.enrol(link, purposes...)
	l.step()
	l.confirm(l.token("/r/c/"))
	referrals, err := l.db.Referrals(l.t.Context(), record.Filter{Company: "acme"})
	if err != nil || len(referrals) > 1 {
		l.t.Fatalf("%d referrals, %v", len(referrals), err)
	}
	if len(referrals) == 0 {
		return record.Referral{}
	}
	return referrals[0]
}

// enrol sends the form behind a relay link.
func (l *lab) enrol(link record.Link, purposes ...consent.Purpose) {
	l.t.Helper()
	r := record.Registration{
		Link: link, Profile: relay.Profile{Name: "佐藤 美咲", Email: "private@example.jp", Prefecture: "東京都", Locale: "ja"}, Keep: 7 * 24 * time.Hour,
		Confirm: func(token string) (mail.Message, error) {
			letter := l.reply()
			letter.ConfirmURL, letter.ConfirmUntil = "https://relay.example.test/r/c/"+token, l.clock.now().Add(time.Hour)
			return l.templates().Confirm(l.company().Mail, letter)
		},
	}
	for _, p := range purposes {
		text, err := consent.Text{Purpose: p, Version: "1", Locale: "ja", Body: "同意します。"}.Show(consent.Names{})
		if err != nil {
			l.t.Fatal(err)
		}
		r.Consents = append(r.Consents, text)
	}
	if _, err := l.db.Register(l.t.Context(), r); err != nil {
		l.t.Fatal(err)
	}
}

// confirm is the second step, behind the link of the confirmation mail.
func (l *lab) confirm(token string) {
	l.t.Helper()
	link, err := l.db.FindLink(l.t.Context(), record.ConfirmLink, token)
	if err != nil {
		l.t.Fatal(err)
	}
	err = l.db.Confirm(l.t.Context(), record.Confirmation{
		Link: link, Policy: l.company().Relay.Policy, Recipients: []string{"network"}, MyExpires: l.clock.now().Add(time.Hour),
		Receipt: func(relay.Profile, []record.Consent, string) (mail.Message, error) {
			letter := l.reply()
			letter.MyURL, letter.Recipients, letter.Agreed = "https://relay.example.test/my/x", []string{"ネットワーク"}, []string{"同意します。"}
			return l.templates().Receipt(l.company().Mail, letter)
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// reply is what the letters of a registration have in common.
func (l *lab) reply() mail.Letter {
	return mail.Letter{
		CompanyID: "acme", CompanyName: "株式会社アクメ", Locale: "ja", Zone: tokyo, To: mail.Address{Address: "private@example.jp", Name: "佐藤 美咲"},
		UnsubscribeURL: "https://relay.example.test/u/x", OneClickURL: "https://relay.example.test/u/x", SendID: consent.NewToken(),
	}
}

func (l *lab) templates() *mail.Templates {
	l.t.Helper()
	letters, err := l.Letters(l.company())
	if err != nil {
		l.t.Fatal(err)
	}
	return letters
}

// token returns the token behind a path in the newest mail.
func (l *lab) token(path string) string {
	l.t.Helper()
	sent := l.post.letters()
	return tokenIn(l.t, sent[len(sent)-1].Text, path)
}

func tokenIn(t testing.TB, text, path string) string {
	t.Helper()
	found := regexp.MustCompile(`https://relay\.example\.test` + path + `([A-Za-z0-9_-]+)`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no link to %s", path)
	}
	return found[1]
}

func (l *lab) referral(id string) record.Referral {
	l.t.Helper()
	r, err := l.db.Referral(l.t.Context(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

func TestAConsentedProfileIsHandedOverOnce(t *testing.T) {
	l := newLab(t)
	network := l.network()
	r := l.register(consent.RelayHandover, consent.Newsletter)
	l.step()
	got := l.referral(r.ID)
	if got.State != record.ReferralHandedOver || got.Reference == "" {
		t.Errorf("referral %+v", got)
	}
	if diff := cmp.Diff([]string{"name", "email", "prefecture"}, got.Fields); diff != "" {
		t.Errorf("provided (-want +got):\n%s", diff)
	}
	received := network.Received()
	if len(received) != 1 {
		t.Fatalf("received %d", len(received))
	}
	ref := received[0]
	if ref.ID != r.ID || ref.Candidate.Email != "private@example.jp" || ref.Provenance.Company != "acme" || ref.Provenance.ConfirmedAt.IsZero() {
		t.Errorf("received %+v", ref)
	}
	var purposes []string
	for _, c := range ref.Consents {
		purposes = append(purposes, c.Purpose)
	}
	slices.Sort(purposes)
	if diff := cmp.Diff([]string{"newsletter", "relay_handover"}, purposes); diff != "" {
		t.Errorf("consents (-want +got):\n%s", diff)
	}
	// The confirmation and the receipt left too, at once.
	if sent := l.post.letters(); len(sent) != 3 || sent[1].Purpose != mail.RelayConfirm || sent[2].Purpose != mail.RelayReceipt {
		t.Errorf("%d mails", len(sent))
	}
}

// The recipient has the profile, but that could not be recorded: it is handed
// over again under the same id, and counts once.
func TestAHandOverThatWasNotRecordedIsRepeated(t *testing.T) {
	l := newLab(t)
	network := l.network()
	r := l.register(consent.RelayHandover)
	l.Store = &forgetfulReferrals{Store: l.db, failures: 1}
	l.until(l.clock.now().Add(time.Hour))
	if got := l.referral(r.ID); got.State != record.ReferralHandedOver {
		t.Errorf("referral %+v", got)
	}
	if n := len(network.Received()); n != 1 || network.asked != 2 {
		t.Errorf("received %d of %d", n, network.asked)
	}
}

type forgetfulReferrals struct {
	Store
	failures int
}

func (f *forgetfulReferrals) SettleReferral(ctx context.Context, j record.Job, r record.Referral, h record.Handed) error {
	if f.failures--; f.failures >= 0 {
		return ats.Errorf(ats.Busy, "settling: no connection")
	}
	return f.Store.SettleReferral(ctx, j, r, h)
}

// A consent that is taken back while the profile is on its way comes too late
// to stop it, and the recipient can be told.
func TestAConsentIsTakenBackWhileTheProfileIsOnItsWay(t *testing.T) {
	l := newLab(t)
	network := l.network()
	r := l.register(consent.RelayHandover)
	network.hook = func() {
		network.hook = nil
		l.withdraw()
	}
	l.until(l.clock.now().Add(time.Hour))
	got := l.referral(r.ID)
	if got.State != record.ReferralWithdrawn || len(got.Fields) == 0 || got.ToldAt.IsZero() {
		t.Errorf("referral %+v", got)
	}
	if received := network.Received(); len(received) != 1 || received[0].Candidate.Email != "" {
		t.Error("the recipient still has the profile")
	}
}

// A recipient that has a profile is told when the consent is taken back, or when
// the person is erased, as often as it takes.
func TestARecipientIsToldOfAWithdrawal(t *testing.T) {
	for name, back := range map[string]func(*lab, record.Referral){
		"consent withdrawn": func(l *lab, _ record.Referral) { l.withdraw() },
		"erased": func(l *lab, r record.Referral) {
			if err := l.db.ErasePerson(l.t.Context(), record.System, r.PersonID, "asked to"); err != nil {
				l.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			network := l.network()
			r := l.register(consent.RelayHandover)
			l.step()
			working := l.office.shared.Recipients["network"]
			broken := working
			broken.URL += "?fail=503"
			l.office.shared.Recipients["network"] = broken
			delete(l.office.companies, "acme") // the company may be gone: the person's right is not
			back(l, r)
			l.step()
			if got := l.referral(r.ID); got.State != record.ReferralWithdrawn || !got.ToldAt.IsZero() || got.Reason != name {
				t.Errorf("before it was told: %+v", got)
			}
			if network.Received()[0].Candidate.Email == "" {
				t.Error("the recipient forgot by itself")
			}
			l.office.shared.Recipients["network"] = working
			l.until(l.clock.now().Add(time.Hour))
			if got := l.referral(r.ID); got.State != record.ReferralWithdrawn || got.ToldAt.IsZero() {
				t.Errorf("referral %+v", got)
			}
			if network.Received()[0].Candidate.Email != "" {
				t.Error("the recipient was not told")
			}
			jobs, err := l.db.JobsOf(t.Context(), r.ID)
			if err != nil || len(jobs) != 2 || !slices.ContainsFunc(jobs, func(j record.Job) bool {
				return j.Kind == record.WithdrawalJob && j.State == record.JobDone && j.Attempts > 0
			}) {
				t.Errorf("jobs %+v (%v)", jobs, err)
			}
			asked := network.asked
			l.until(l.clock.now().Add(48 * time.Hour))
			if network.asked != asked {
				t.Error("it was told again")
			}
		})
	}
}

// What the law has both sides keep on record goes with the profile, and stays
// here as it was at that time.
func TestAHandOverNamesBothSides(t *testing.T) {
	l := newLab(t)
	network := l.network()
	c := l.company()
	c.Mail.Sender = mail.Sender{Name: "株式会社アクメ", Address: "東京都渋谷区例町1-1-1", Contact: "saiyo@acme.example"}
	c.Relay.Provider.Representative = "代表取締役 例川 未来"
	to := l.office.shared.Recipients["network"]
	to.Name.JA, to.Address, to.Head, to.Licence = "ネットワーク", "東京都港区例町2-2", "代表 例山", "13-ユ-000000"
	l.office.shared.Recipients["network"] = to
	r := l.register(consent.RelayHandover)
	l.step()
	provider := relay.Party{Name: "株式会社アクメ", Address: "東京都渋谷区例町1-1-1", Representative: "代表取締役 例川 未来"}
	if diff := cmp.Diff(provider, network.Received()[0].Provenance.Provider); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	c.Relay.Provider.Representative = "somebody later"
	got := l.referral(r.ID)
	want := record.Referral{Provider: provider, Receiver: relay.Party{Name: "ネットワーク", Address: "東京都港区例町2-2", Representative: "代表 例山", Licence: "13-ユ-000000"}}
	if diff := cmp.Diff(want, record.Referral{Provider: got.Provider, Receiver: got.Receiver}); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	if got.Consent == "" {
		t.Error("nothing says on which consent it was provided")
	}
}

// withdraw takes the consent to the hand-over back.
func (l *lab) withdraw() {
	l.t.Helper()
	consents, err := l.db.Consents(l.t.Context(), record.Filter{Company: "acme", Purpose: string(consent.RelayHandover)})
	if err != nil || len(consents) != 1 {
		l.t.Fatalf("%d consents, %v", len(consents), err)
	}
	if err := l.db.Withdraw(l.t.Context(), record.System, consents[0].ID, "asked to"); err != nil {
		l.t.Fatal(err)
	}
}

func TestNothingIsHandedOverWithoutConsent(t *testing.T) {
	tests := map[string]struct {
		purposes []consent.Purpose
		before   func(l *lab, r record.Referral)
		state    record.ReferralState
	}{
		"another purpose was agreed to": {[]consent.Purpose{consent.Newsletter}, nil, ""},
		"taken back while it waits":     {[]consent.Purpose{consent.RelayHandover}, func(l *lab, _ record.Referral) { l.withdraw() }, record.ReferralCancelled},
		"erased while it waits": {[]consent.Purpose{consent.RelayHandover}, func(l *lab, r record.Referral) {
			if err := l.db.ErasePerson(l.t.Context(), record.System, r.PersonID, "asked to"); err != nil {
				l.t.Fatal(err)
			}
		}, record.ReferralCancelled},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			network := l.network()
			r := l.register(tt.purposes...)
			if tt.before != nil {
				tt.before(l, r)
			}
			l.until(l.clock.now().Add(10 * 24 * time.Hour))
			if tt.state != "" && l.referral(r.ID).State != tt.state {
				t.Errorf("referral %+v", l.referral(r.ID))
			}
			if network.asked != 0 {
				t.Errorf("asked %d times", network.asked)
			}
		})
	}
}

func TestARecipientsAnswerSettlesTheReferral(t *testing.T) {
	tests := map[string]struct {
		status int
		heals  bool
		state  record.ReferralState
		job    record.JobState
	}{
		"busy for a while":       {http.StatusServiceUnavailable, true, record.ReferralHandedOver, record.JobDone},
		"busy for ever":          {http.StatusServiceUnavailable, false, record.ReferralFailed, record.JobDead},
		"refuses us for a while": {http.StatusUnauthorized, true, record.ReferralHandedOver, record.JobDone},
		"refuses the profile":    {http.StatusUnprocessableEntity, false, record.ReferralFailed, record.JobDead},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			network := l.network()
			network.status = tt.status
			r := l.register(consent.RelayHandover)
			l.until(l.clock.now().Add(time.Hour))
			if tt.heals {
				if got := l.referral(r.ID); got.State != record.ReferralWaiting || got.Reason == "" {
					t.Errorf("meanwhile %+v", got)
				}
				network.status = 0
			}
			l.until(l.clock.now().Add(10 * 24 * time.Hour))
			if got := l.referral(r.ID); got.State != tt.state {
				t.Errorf("referral %+v", got)
			}
			if j := l.job(r.ID); j.State != tt.job {
				t.Errorf("job %+v", j)
			}
			if tt.state == record.ReferralFailed {
				network.status = 0
				if done, err := l.db.RetryReferrals(t.Context(), l.order(record.Filter{State: "failed"})); err != nil || done.Changed != 1 {
					t.Fatalf("retried %+v, %v", done, err)
				}
				l.step()
				if got := l.referral(r.ID); got.State != record.ReferralHandedOver {
					t.Errorf("retried: %+v", got)
				}
			}
		})
	}
}

func TestAReferralWaitsForItsRecipientsEntry(t *testing.T) {
	l := newLab(t)
	l.network()
	recipients := l.office.shared.Recipients
	l.office.shared.Recipients = nil
	r := l.register(consent.RelayHandover)
	l.until(l.clock.now().Add(24 * time.Hour))
	if j := l.job(r.ID); j.State != record.JobWaiting || j.Attempts != 0 || j.Error != "recipient network is not configured" {
		t.Errorf("job %+v", j)
	}
	l.office.shared.Recipients = recipients
	l.until(l.clock.now().Add(time.Hour))
	if got := l.referral(r.ID); got.State != record.ReferralHandedOver {
		t.Errorf("referral %+v", got)
	}
}

// An answer to a person's own deed knows no sending hours, but a dead mailbox.
func TestAReplyLeavesAtNightAndNotToADeadMailbox(t *testing.T) {
	l := newLab(t)
	l.network()
	l.arrive(l.rejection("1"))
	l.until(l.clock.now().Add(soon))
	l.clock.set(jst(10, 10, 3, 0)) // Saturday night
	link, err := l.db.FindLink(t.Context(), record.RelayLink, l.token("/r/"))
	if err != nil {
		t.Fatal(err)
	}
	l.enrol(link, consent.RelayHandover)
	l.step()
	sent := l.post.letters()
	if len(sent) != 2 || sent[1].Purpose != mail.RelayConfirm {
		t.Fatalf("%d mails", len(sent))
	}
	token := l.token("/r/c/")
	l.report(map[string]any{
		"event": "bounce", "type": "bounce", "status": "5.1.1", "bounce_classification": "Invalid Address", "sg_event_id": "e1",
		"sg_message_id": "abc.1", "timestamp": l.clock.now().Unix(), "email": "private@example.jp", "cr_send": sent[1].SendID,
	})
	l.step()
	l.confirm(token)
	l.step()
	mails, err := l.db.Mails(t.Context(), record.Filter{Company: "acme", Purpose: string(mail.RelayReceipt)})
	if err != nil || len(mails) != 1 || mails[0].State != record.MailSuppressed {
		t.Errorf("mails %+v, %v", mails, err)
	}
	if n := len(l.post.letters()); n != 2 {
		t.Errorf("%d mails", n)
	}
}
