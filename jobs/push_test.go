package jobs

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/ashby/ashbytest"
	"github.com/career-relay/connector/connectors/greenhouse/greenhousetest"
	"github.com/career-relay/connector/connectors/jobadder/jobaddertest"
	"github.com/career-relay/connector/connectors/lever/levertest"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
)

// A desk is another company's ATS that takes candidates.
type desk struct {
	vendor, settings, job string
	finds                 bool
	account               http.RoundTripper
	// there lists whom the ATS got with the person's address, each as source
	// and note.
	there func() []string
}

const pushed = "private@example.jp" // the address that lab.enrol registers

// desks are the ATSs of the table, each a fresh account.
func desks(t *testing.T, now func() time.Time) map[string]*desk {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	greenhouse := greenhousetest.New("key", now)
	lever, err := levertest.New("key", now)
	must(err)
	ashby, err := ashbytest.New("key")
	must(err)
	jobadder, err := jobaddertest.New("refresh", now)
	must(err)
	return map[string]*desk{
		"greenhouse": {
			vendor: "greenhouse", job: greenhousetest.Job, account: greenhouse,
			settings: "api_key: key\non_behalf_of: " + greenhousetest.OnBehalfOf + "\npartner_url: " + greenhousetest.PartnerURL,
			there: func() (out []string) {
				for _, c := range greenhouse.Candidates() {
					out = append(out, c["source"].(string)+": "+c["notes"].(string))
				}
				return out
			},
		},
		"lever": {
			vendor: "lever", job: "f2f01e16-27f8-4711-a728-7c2cc6b0ac7a", account: lever,
			settings: "api_key: key\napi_url: " + levertest.URL + "\nuser_id: " + levertest.User,
			there: func() (out []string) {
				for _, o := range lever.Of(pushed) {
					out = append(out, strings.Join(o["sources"].([]string), ",")+": "+strings.Join(lever.Notes(o["id"].(string)), ","))
				}
				return out
			},
		},
		"ashby": {
			vendor: "ashby", job: ashbytest.Job, account: ashby, finds: true, settings: "api_key: key\nsource_id: source-1\napi_url: " + ashbytest.URL,
			there: func() []string { return ashby.Pushed(pushed) },
		},
		"jobadder": {
			vendor: "jobadder", job: jobaddertest.Job, account: jobadder, finds: true,
			settings: "client_id: c\nclient_secret: s\nrefresh_token: refresh\napi_url: " + jobaddertest.URL + "\ntoken_url: " + jobaddertest.TokenURL,
			there:    func() []string { return jobadder.Applied(pushed) },
		},
	}
}

// note is what each ATS shows of us.
const note = "キャリアリレー経由 (introduced by Career Relay)"

var shows = map[string]string{
	"greenhouse": "Career Relay: " + note, "lever": "Career Relay: " + note, "ashby": "source-1: " + note, "jobadder": "Career Relay",
}

// lossy loses the answers to some of the calls that write.
type lossy struct {
	http.RoundTripper
	lose func(*http.Request) bool
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r)
	if err == nil && l.lose != nil && l.lose(r) {
		_ = answer.Body.Close()
		return nil, errors.New("connection reset")
	}
	return answer, err
}

// desk makes the ATS of globex the recipient to which acme hands over.
func (l *lab) desk(d *desk, lose func(*http.Request) bool) {
	l.t.Helper()
	l.office.open("globex")
	l.office.companies["globex"].Connections = map[string]configs.Connection{"ats": {Vendor: d.vendor}}
	l.office.shared.Recipients = map[string]relay.Recipient{"network": {ID: "network", Connection: "globex/ats", Job: d.job}}
	env := connectors.Env{HTTP: &http.Client{Transport: &lossy{d.account, lose}}, Log: l.Log, Now: l.db.Now}
	conn, err := all.Factories()[d.vendor](env, func(v any) error {
		return yaml.Unmarshal([]byte("vendor: "+d.vendor+"\nsecrets: [secret]\n"+d.settings+"\n"), v)
	})
	if err != nil {
		l.t.Fatal(err)
	}
	open := l.Open
	l.Open = func(company, connection string) (connectors.Connector, error) {
		if company == "globex" && connection == "ats" {
			return conn, nil
		}
		return open(company, connection)
	}
}

func TestAConsentedPersonIsPutIntoAnATS(t *testing.T) {
	for name := range shows {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			d := desks(t, l.clock.now)[name]
			l.desk(d, nil)
			r := l.register(consent.RelayHandover)
			l.step()
			got := l.referral(r.ID)
			if got.State != record.ReferralHandedOver || got.Reference == "" {
				t.Errorf("referral %+v", got)
			}
			if diff := cmp.Diff([]string{"name", "email"}, got.Fields); diff != "" {
				t.Errorf("provided (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{shows[name]}, d.there()); diff != "" {
				t.Errorf("in the ATS (-want +got):\n%s", diff)
			}
		})
	}
}

// An ATS takes no message about a withdrawal, so a person is told whom to ask
// for what, and the job is not repeated.
func TestAWithdrawalFromAnATSNeedsAPerson(t *testing.T) {
	l := newLab(t)
	l.desk(desks(t, l.clock.now)["ashby"], nil)
	r := l.register(consent.RelayHandover)
	l.step()
	l.withdraw()
	l.until(l.clock.now().Add(72 * time.Hour))
	handed := l.referral(r.ID)
	jobs, err := l.db.Jobs(t.Context(), record.Filter{Company: "acme", Kind: record.WithdrawalJob})
	if err != nil || len(jobs) != 1 || handed.State != record.ReferralWithdrawn || !handed.ToldAt.IsZero() {
		t.Fatalf("jobs %+v (%v), referral %+v", jobs, err, handed)
	}
	if j := jobs[0]; j.State != record.JobDead || j.Attempts != 1 || !strings.Contains(j.Error, "globex/ats is an ATS") || !strings.Contains(j.Error, handed.Reference) {
		t.Errorf("job %+v", j)
	}
	if handed.Provider.Name == "" || handed.Consent == "" {
		t.Errorf("the record of what was provided lacks the provider or the consent: %+v", handed)
	}
}

// TestALostAnswer loses the answer to the call that creates. Where the ATS can
// be asked it is repeated and finds the person; elsewhere a person looks. There
// is never a second candidate.
func TestALostAnswer(t *testing.T) {
	for name := range shows {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			d := desks(t, l.clock.now)[name]
			left := 1
			l.desk(d, func(r *http.Request) bool {
				creates := r.Method == http.MethodPost && (strings.HasSuffix(r.URL.Path, "/candidates") || strings.HasSuffix(r.URL.Path, "opportunities") || strings.HasSuffix(r.URL.Path, "application.create") || strings.HasSuffix(r.URL.Path, "applications"))
				if creates && left > 0 {
					left--
					return true
				}
				return false
			})
			r := l.register(consent.RelayHandover)
			l.until(l.clock.now().Add(10 * 24 * time.Hour))
			got, j := l.referral(r.ID), l.job(r.ID)
			want := record.ReferralFailed
			if d.finds {
				want = record.ReferralHandedOver
			}
			if got.State != want || len(d.there()) != 1 {
				t.Errorf("referral %+v, job %+v, in the ATS: %v", got, j, d.there())
			}
			if !d.finds && j.Fault != string(ats.Unclear) {
				t.Errorf("job %+v", j)
			}
			if name == "lever" { // a person retries; what was made is found
				if done, err := l.db.RetryReferrals(t.Context(), l.order(record.Filter{State: "failed"})); err != nil || done.Changed != 1 {
					t.Fatalf("retried %+v, %v", done, err)
				}
				l.step()
				if got := l.referral(r.ID); got.State != record.ReferralHandedOver || len(d.there()) != 1 {
					t.Errorf("retried: %+v, in the ATS: %v", got, d.there())
				}
			}
		})
	}
}

// TestAHandOverIsCutOff kills the process behind the call: nothing was recorded.
func TestAHandOverIsCutOff(t *testing.T) {
	for name := range shows {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			d := desks(t, l.clock.now)[name]
			l.desk(d, nil)
			r := l.register(consent.RelayHandover)
			l.Store = &forgetfulReferrals{Store: l.db, failures: 1}
			for range 20 {
				l.clock.set(l.clock.now().Add(time.Minute))
				if _, err := l.db.Sweep(t.Context(), lost); err != nil {
					t.Fatal(err)
				}
				l.step()
			}
			want := record.ReferralFailed
			if d.finds {
				want = record.ReferralHandedOver
			}
			if got := l.referral(r.ID); got.State != want || len(d.there()) != 1 {
				t.Errorf("referral %+v, in the ATS: %v", got, d.there())
			}
		})
	}
}

func TestWhoIsNotPutIntoAnATS(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*lab)
		state  record.ReferralState
		reason string
	}{
		"back to the company that rejected": {func(l *lab) {
			l.office.shared.Recipients = map[string]relay.Recipient{"network": {ID: "network", Connection: "acme/ats", Job: "1"}}
		}, record.ReferralFailed, "is not put back there"},
		"into an ATS that takes nobody": {func(l *lab) {
			l.Open = func(string, string) (connectors.Connector, error) { return l.ats, nil }
		}, record.ReferralFailed, "cannot take candidates"},
		"into a connection that waits": {func(l *lab) {
			l.office.companies["globex"].Connections = map[string]configs.Connection{"ats": {Vendor: "ashby", Paused: true}}
		}, record.ReferralWaiting, "is paused"},
		"whose consent was taken back": {(*lab).withdraw, record.ReferralCancelled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			d := desks(t, l.clock.now)["ashby"]
			l.desk(d, nil)
			r := l.register(consent.RelayHandover)
			tt.change(l)
			l.until(l.clock.now().Add(time.Hour))
			if got := l.referral(r.ID); got.State != tt.state || !strings.Contains(got.Reason, tt.reason) || len(d.there()) != 0 {
				t.Errorf("referral %+v, in the ATS: %v", got, d.there())
			}
		})
	}
}
