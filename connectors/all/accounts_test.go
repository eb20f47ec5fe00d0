package all

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/ashby/ashbytest"
	"github.com/career-relay/connector/connectors/breezy/breezytest"
	"github.com/career-relay/connector/connectors/greenhouse/greenhousetest"
	"github.com/career-relay/connector/connectors/herp-hire/herptest"
	"github.com/career-relay/connector/connectors/icims/icimstest"
	"github.com/career-relay/connector/connectors/internal/apitest"
	"github.com/career-relay/connector/connectors/jobadder/jobaddertest"
	"github.com/career-relay/connector/connectors/kanrikun/kanrikuntest"
	"github.com/career-relay/connector/connectors/kintone/kintonetest"
	"github.com/career-relay/connector/connectors/kombo/kombotest"
	"github.com/career-relay/connector/connectors/lever/levertest"
	"github.com/career-relay/connector/connectors/merge/mergetest"
	"github.com/career-relay/connector/connectors/pinpoint/pinpointtest"
	"github.com/career-relay/connector/connectors/recruitee/recruiteetest"
	"github.com/career-relay/connector/connectors/salesforce-outbound/salesforcetest"
	"github.com/career-relay/connector/connectors/smartrecruiters/smartrecruiterstest"
	"github.com/career-relay/connector/connectors/stackone/stackonetest"
	"github.com/career-relay/connector/connectors/talentio/talentiotest"
	"github.com/career-relay/connector/connectors/teamtailor/teamtailortest"
	"github.com/career-relay/connector/connectors/unified-to/unifiedtest"
	"github.com/career-relay/connector/connectors/workable/workabletest"
	"github.com/career-relay/connector/connectors/zoho-recruit/zohotest"
)

// hookURL is the address of our webhook in every account.
const hookURL = "https://hooks.example.jp/hooks/acme/ats"

// An account is one at a vendor's stand-in.
type account struct {
	*apitest.Server
	settings string
	event    ats.Event // that can be completed and checked
	// reject rejects the application with a number, now; the vendor is polled.
	reject func(n int)
	// drop takes the application with a number away.
	drop func(n int)
	// endless makes of a call one for the first page, and of its answer one with
	// a page behind it.
	endless func(r *http.Request, n int) func(h http.Header, body any) any
	// expire ends the tokens that are in use; of vendors with tokens.
	expire func()
}

// accounts are fresh accounts at every vendor that has a stand-in.
var accounts = map[string]func(t *testing.T, now func() time.Time) account{
	"ashby": func(t *testing.T, _ func() time.Time) account {
		s := must(ashbytest.New("key"))(t)
		return account{Server: &s.Server, settings: "api_key: key\napi_url: " + ashbytest.URL, event: event(ashbytest.Application)}
	},
	"breezy": func(*testing.T, func() time.Time) account {
		s := breezytest.New("key")
		return account{Server: &s.Server, settings: "api_key: key\naccount: " + breezytest.Company + "\napi_url: " + breezytest.URL, event: event(breezytest.Application)}
	},
	"greenhouse": func(_ *testing.T, now func() time.Time) account {
		s := greenhousetest.New("key", now)
		return account{
			Server: &s.Server, event: event(greenhousetest.Rejected), expire: s.Expire,
			settings: "client_id: " + greenhousetest.ClientID + "\nclient_secret: " + greenhousetest.ClientSecret + "\nuser_id: '" + greenhousetest.UserID + "'\napi_url: " + greenhousetest.URL + "\ntoken_url: " + greenhousetest.TokenURL +
				"\napi_key: key\non_behalf_of: " + greenhousetest.OnBehalfOf + "\npartner_url: " + greenhousetest.PartnerURL,
		}
	},
	"herp-hire": func(t *testing.T, now func() time.Time) account {
		s := must(herptest.New("key", now))(t)
		id := func(n int) string { return fmt.Sprintf("0c000000-0000-4000-8000-%012d", n) }
		s.Change(id(0), map[string]any{"status": "terminated", "terminationReason": "rejected"})
		e := event(id(0))
		e.Job.ID = "b1d9e0c2-77aa-4c0f-8a35-9f2d1e6c0101"
		return account{
			Server: &s.Server, settings: "api_key: key\napi_url: " + herptest.URL, event: e,
			reject: func(n int) {
				s.Change(id(n), map[string]any{"status": "terminated", "terminationReason": "rejected", "terminatedAt": now().Format(time.RFC3339)})
			},
			drop: func(n int) { s.Delete(id(n)) },
			endless: func(r *http.Request, _ int) func(http.Header, any) any {
				set(r, "page", "1")
				return member("hasNextPage", true)
			},
		}
	},
	"icims": func(t *testing.T, _ func() time.Time) account {
		s := must(icimstest.New("api", "key"))(t)
		return account{Server: &s.Server, settings: "api_user: api\napi_password: key\naccount: '" + icimstest.Customer + "'\noutcomes: {C20551: rejected}\napi_url: " + icimstest.URL, event: event(icimstest.Workflow)}
	},
	"jobadder": func(t *testing.T, now func() time.Time) account {
		s := must(jobaddertest.New("refresh", now))(t)
		s.Hooks = []map[string]any{{"webhookId": "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9", "url": hookURL, "events": []any{"jobapplication_status_changed"}, "status": "Suspended"}}
		id := func(n int) string { return strconv.Itoa(7_000_000 + n) }
		return account{
			Server: &s.Server, event: event(jobaddertest.Rejected), expire: s.Expire,
			settings: "client_id: c\nclient_secret: s\nrefresh_token: refresh\napi_url: " + jobaddertest.URL + "\ntoken_url: " + jobaddertest.TokenURL,
			reject:   func(n int) { s.Put(id(n), jobaddertest.Unsuccessful, now()) },
			drop:     func(n int) { s.Delete(id(n)) },
			endless: func(r *http.Request, _ int) func(http.Header, any) any {
				set(r, "offset", "0")
				return member("totalCount", 1_000_000_000)
			},
		}
	},
	"kanrikun": func(t *testing.T, now func() time.Time) account {
		s := must(kanrikuntest.New("id", "key", now))(t)
		s.Change(900_000, map[string]any{"status": 8.0, "pc_email": "a@example.jp"})
		e := event("900000")
		e.Candidate.Email = "a@example.jp"
		return account{
			Server: &s.Server, settings: "client_id: id\nclient_secret: key\napi_url: " + kanrikuntest.URL, event: e, expire: s.Revoke,
			reject: func(n int) { s.Change(1_000_000+n, map[string]any{"status": 8.0}) },
			endless: func(r *http.Request, _ int) func(http.Header, any) any {
				rewrite(r, `"page":`, `"page":1,"was":`)
				return member("total", 1_000_000_000)
			},
		}
	},
	"kintone": func(t *testing.T, now func() time.Time) account {
		s := must(kintonetest.New("key", now))(t)
		return account{
			Server: &s.Server, event: event(kintonetest.App + ":101"),
			settings: "api_key: key\napp: '42'\napi_url: " + kintonetest.URL + "\nfields: {outcome: [選考終了理由, 選考ステータス], name: 氏名, email: メールアドレス, ended_at: 選考終了日}",
			reject:   func(n int) { s.Edit(1_000_000+n, map[string]any{"選考終了理由": "不採用"}) },
			drop:     func(n int) { s.Delete(1_000_000 + n) },
		}
	},
	"kombo": func(t *testing.T, now func() time.Time) account {
		s := must(kombotest.New("key"))(t)
		id := func(n int) string { return fmt.Sprintf("Ap%06d", n) }
		return account{
			Server: &s.Server, settings: "api_key: key\naccount: '" + kombotest.Integration + "'\napi_url: " + kombotest.URL, event: event(kombotest.Rejected),
			reject: func(n int) { s.Put(id(n), now(), map[string]any{"rejected_at": now().Format(time.RFC3339)}) },
			drop:   func(n int) { s.Remove(id(n)) },
			endless: func(r *http.Request, n int) func(http.Header, any) any {
				set(r, "cursor", "")
				return within("data", member("next", fmt.Sprint("cursor-", n)))
			},
		}
	},
	"lever": func(t *testing.T, now func() time.Time) account {
		s := must(levertest.New("key", now))(t)
		return account{Server: &s.Server, settings: "api_key: key\napi_url: " + levertest.URL, event: event(levertest.Rejected)}
	},
	"merge": func(t *testing.T, now func() time.Time) account {
		s := must(mergetest.New("key", "token", now))(t)
		id := func(n int) string { return fmt.Sprintf("d0000000-0000-4000-8000-%012d", n) }
		return account{
			Server: &s.Server, settings: "api_key: key\naccount_token: token\naccount: " + mergetest.Account + "\nsince: 2026-09-01\napi_url: " + mergetest.URL, event: event(mergetest.Rejected),
			reject: func(n int) { s.Put(id(n), now(), map[string]any{"rejected_at": now().Format(time.RFC3339)}) },
			drop:   func(n int) { s.Remove("applications", id(n)) },
			endless: func(r *http.Request, n int) func(http.Header, any) any {
				set(r, "cursor", "")
				return member("next", fmt.Sprint("cD0", n))
			},
		}
	},
	"pinpoint": func(t *testing.T, _ func() time.Time) account {
		s := must(pinpointtest.New("key"))(t)
		return account{Server: &s.Server, settings: "api_key: key\nsubdomain: hoshizora\napi_url: " + pinpointtest.URL, event: event(pinpointtest.Application)}
	},
	"recruitee": func(t *testing.T, _ func() time.Time) account {
		s := must(recruiteetest.New("key"))(t)
		return account{Server: &s.Server, settings: "api_key: key\naccount: '" + recruiteetest.Company + "'\napi_url: " + recruiteetest.URL, event: event(recruiteetest.Candidate)}
	},
	"salesforce-outbound": func(_ *testing.T, now func() time.Time) account {
		s := salesforcetest.New("id", "key", now)
		id := func(n int) string { return fmt.Sprintf("a0B5i00%08dEAA", n) }
		asked := ""
		return account{
			Server: &s.Server, event: event(salesforcetest.Rejected), expire: s.Expire,
			settings: "client_id: id\nclient_secret: key\norganization_id: " + salesforcetest.Organization + "\nobject: " + salesforcetest.Object + "\napi_url: " + salesforcetest.URL +
				"\nfields: {outcome: [Result__c], family_name: CandidateLastName__c, given_name: CandidateFirstName__c, email: CandidateEmail__c, ended_at: ClosedAt__c}",
			reject: func(n int) { s.Edit(id(n), map[string]any{"Result__c": "不採用"}) },
			drop:   func(n int) { s.Delete(id(n)) },
			endless: func(r *http.Request, n int) func(http.Header, any) any {
				if q := r.URL.Query().Get("q"); q != "" {
					asked = q
				}
				r.URL.Path = "/services/data/v62.0/query"
				set(r, "q", asked)
				return func(_ http.Header, body any) any {
					of, _ := body.(map[string]any)
					of["done"], of["nextRecordsUrl"] = false, fmt.Sprintf("/services/data/v62.0/query/01gSample-%d", n)
					return of
				}
			},
		}
	},
	"smartrecruiters": func(t *testing.T, now func() time.Time) account {
		s := must(smartrecruiterstest.New("key", now))(t)
		s.Refresh("refresh-0")
		return account{
			Server: &s.Server, event: event(smartrecruiterstest.Application), expire: s.Expire,
			settings: "client_id: client\nclient_secret: key\nrefresh_token: refresh-0\napi_url: " + smartrecruiterstest.URL + "\ntoken_url: " + smartrecruiterstest.URL + "/identity/oauth/token",
		}
	},
	"stackone": func(t *testing.T, now func() time.Time) account {
		s := must(stackonetest.New("key"))(t)
		id := func(n int) string { return fmt.Sprintf("d0000000-0000-4000-8000-%012d", n) }
		return account{
			Server: &s.Server, settings: "api_key: key\naccount: '" + stackonetest.Account + "'\nsince: 2026-09-01\napi_url: " + stackonetest.URL, event: event(stackonetest.Rejected),
			reject: func(n int) { s.Put(id(n), now(), map[string]any{"rejected_at": now().Format(time.RFC3339)}) },
			drop:   func(n int) { s.Delete(id(n)) },
			endless: func(r *http.Request, n int) func(http.Header, any) any {
				set(r, "next", "")
				return member("next", fmt.Sprint("next-", n))
			},
		}
	},
	"talentio": func(t *testing.T, now func() time.Time) account {
		s := must(talentiotest.New("key", now))(t)
		s.Change(900_000, map[string]any{"status": "fail"})
		return account{
			Server: &s.Server, settings: "api_key: key\napi_url: " + talentiotest.URL, event: event("900000"),
			reject: func(n int) { s.Change(1_000_000+n, map[string]any{"status": "fail"}) },
			drop:   func(n int) { s.Delete(1_000_000 + n) },
			endless: func(r *http.Request, _ int) func(http.Header, any) any {
				set(r, "page", "1")
				return func(h http.Header, body any) any {
					h.Set("X-Total", "1000000000")
					return body
				}
			},
		}
	},
	"teamtailor": func(t *testing.T, now func() time.Time) account {
		s := must(teamtailortest.New("key", now))(t)
		id := func(n int) string { return strconv.Itoa(40_000_000 + n) }
		return account{
			Server: &s.Server, settings: "api_key: key\nsince: 2026-09-01\napi_url: " + teamtailortest.URL, event: event(teamtailortest.Rejected),
			reject: func(n int) { s.Add(id(n), now(), now()) },
			drop:   func(n int) { s.Delete("job-applications", id(n)) },
			endless: func(r *http.Request, _ int) func(http.Header, any) any {
				set(r, "page[number]", "1")
				return within("links", member("next", teamtailortest.URL+"/job-applications"))
			},
		}
	},
	"unified-to": func(t *testing.T, _ func() time.Time) account {
		s := must(unifiedtest.New("key"))(t)
		return account{Server: &s.Server, settings: "api_key: key\naccount: " + unifiedtest.Connection + "\nurl_token: token\nsince: 2026-09-01\napi_url: " + unifiedtest.URL, event: event(unifiedtest.Application)}
	},
	"workable": func(t *testing.T, now func() time.Time) account {
		s := must(workabletest.New("key", now))(t)
		id := func(n int) string { return fmt.Sprintf("%08x", 0x40000000+n) }
		return account{
			Server: &s.Server, settings: "api_key: key\nsubdomain: hoshizora\napi_url: " + workabletest.URL, event: event(workabletest.Candidate),
			reject: func(n int) {
				s.Copy(id(n))
				s.Change(id(n), func(c map[string]any) { c["updated_at"] = now().Format(time.RFC3339) })
			},
			drop: func(n int) { s.Delete(id(n)) },
			endless: func(r *http.Request, n int) func(http.Header, any) any {
				set(r, "since_id", "")
				return within("paging", member("next", fmt.Sprintf("%s/candidates?limit=100&updated_after=%s&since_id=%d", workabletest.URL, r.URL.Query().Get("updated_after"), n)))
			},
		}
	},
	"zoho-recruit": func(_ *testing.T, now func() time.Time) account {
		s := zohotest.New("refresh", now)
		id := func(n int) string { return strconv.Itoa(500_000_000_000 + n) }
		return account{
			Server: &s.Server, event: event(zohotest.Rejected), expire: s.Revoke,
			settings: "data_center: jp\nclient_id: c\nclient_secret: s\nrefresh_token: refresh\napi_url: " + zohotest.URL + "\naccounts_url: " + zohotest.AccountsURL,
			reject:   func(n int) { s.Add(id(n), "不採用", nil) },
			drop:     func(n int) { s.Delete(id(n)) },
			endless: func(r *http.Request, _ int) func(http.Header, any) any {
				s.Spend(-3) // the credits of a day would stop it sooner
				set(r, "page", "1")
				return within("info", member("more_records", true))
			},
		}
	},
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func event(application string) ats.Event {
	return ats.Event{Application: application, State: ats.Rejected, Side: ats.Unknown, At: evening, Clock: ats.ReceivedClock}
}

// open opens a connection to an account through a transport.
func (a account) open(t *testing.T, vendor string, out http.RoundTripper) connectors.Connector {
	t.Helper()
	env := connectors.Env{HTTP: &http.Client{Transport: out}, Log: discard, Now: time.Now, URL: hookURL, Vault: &apitest.Vault{}}
	text := "vendor: " + vendor + "\n" + a.settings + "\n"
	if v := (&vendorDoor{vendor}); v.signs(t) {
		text += "secrets: [" + strings.Repeat("0123456789abcdef", 2) + "]\n"
	}
	conn, err := Factories()[vendor](env, func(into any) error {
		d := yaml.NewDecoder(strings.NewReader(text))
		d.KnownFields(true)
		return d.Decode(into)
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
