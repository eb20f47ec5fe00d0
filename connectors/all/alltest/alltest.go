// Package alltest is a world in which the API of every vendor answers, for tests
// and the demo. It needs no network.
package alltest

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/ashby/ashbytest"
	"github.com/career-relay/connector/connectors/breezy/breezytest"
	"github.com/career-relay/connector/connectors/herp-hire/herptest"
	"github.com/career-relay/connector/connectors/icims/icimstest"
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

// A World answers in the name of every vendor that has an API. In each somebody
// is turned down already: who the sample "rejected" of that vendor is about.
type World struct {
	// Beyond takes calls to hosts that are no vendor's; nil refuses them.
	Beyond http.RoundTripper

	hosts map[string]http.RoundTripper
	news  map[string]func()
	err   error
}

// New makes a world whose vendors all know the one key. Where they know a user
// too, that is "client", and at iCIMS "api".
func New(key string, now func() time.Time) (*World, error) {
	w := &World{hosts: map[string]http.RoundTripper{}, news: map[string]func(){}}
	herp, err := herptest.New(key, now)
	w.at(herptest.URL)(herp, err)
	talentio, err := talentiotest.New(key, now)
	w.at(talentiotest.URL)(talentio, err)
	kanrikun, err := kanrikuntest.New("client", key, now)
	w.at(kanrikuntest.URL)(kanrikun, err)
	kintone, err := kintonetest.New(key, now)
	w.at(kintonetest.URL)(kintone, err)
	kombo, err := kombotest.New(key)
	w.at(kombotest.URL)(kombo, err)
	salesforce := salesforcetest.New("client", key, now)
	w.at(salesforcetest.URL)(salesforce, nil)
	w.at(ashbytest.URL)(ashbytest.New(key))
	w.at(breezytest.URL)(breezytest.New(key), nil)
	w.at(icimstest.URL)(icimstest.New("api", key))
	w.at(jobaddertest.URL, jobaddertest.TokenURL)(jobaddertest.New(key, now))
	w.at(levertest.URL)(levertest.New(key, now))
	w.at(mergetest.URL)(mergetest.New(key, key, now))
	w.at(pinpointtest.URL)(pinpointtest.New(key))
	w.at(recruiteetest.URL)(recruiteetest.New(key))
	w.at(smartrecruiterstest.URL)(smartrecruiterstest.New(key, now))
	w.at(stackonetest.URL)(stackonetest.New(key))
	w.at(teamtailortest.URL)(teamtailortest.New(key, now))
	w.at(unifiedtest.URL)(unifiedtest.New(key))
	w.at(workabletest.URL)(workabletest.New(key, now))
	w.at(zohotest.URL, zohotest.AccountsURL)(zohotest.New(key, now), nil)
	if w.err != nil {
		return nil, w.err
	}
	at := func() string { return now().Format(time.RFC3339Nano) }
	w.news = map[string]func(){
		"herp-hire": func() {
			herp.Change("turned-down", map[string]any{"email": "herp@example.jp", "terminationReason": "rejected", "terminatedAt": at(), "channel": map[string]any{"type": "careerPage"}})
		},
		"talentio": func() {
			talentio.Change(1, map[string]any{"email": "talentio@example.jp", "status": "fail", "fixedAt": at()})
		},
		"kanrikun": func() { kanrikun.Change(1, map[string]any{"pc_email": "kanrikun@example.jp", "status": 8.0}) },
		"kintone": func() {
			kintone.Edit(1001, map[string]any{"メールアドレス": "kintone@example.jp", "選考終了理由": "不採用", "選考終了日": now().Format(time.DateOnly)})
		},
		"kombo":               func() { kombo.Put("turned-down", now(), map[string]any{"rejected_at": at(), "changed_at": at()}) },
		"salesforce-outbound": func() { salesforce.Edit(salesforcetest.Rejected, map[string]any{"ClosedAt__c": at()}) },
	}
	return w, nil
}

// at opens the stand-in of a vendor at its addresses.
func (w *World) at(addresses ...string) func(stand http.RoundTripper, err error) {
	return func(stand http.RoundTripper, err error) {
		w.err = cmp.Or(w.err, err)
		for _, address := range addresses {
			u, err := url.Parse(address)
			if err != nil {
				w.err = cmp.Or(w.err, err)
				continue
			}
			w.hosts[u.Host] = stand
		}
	}
}

// RoundTrip implements http.RoundTripper.
func (w *World) RoundTrip(r *http.Request) (*http.Response, error) {
	if stand, ok := w.hosts[r.URL.Host]; ok {
		return stand.RoundTrip(r)
	}
	if w.Beyond == nil {
		return nil, ats.Errorf(ats.Denied, "%s is no vendor of this world", r.URL.Host)
	}
	return w.Beyond.RoundTrip(r)
}

// Reject turns somebody down in a vendor's own system, who was not turned down
// before. It reports whether the vendor's webhooks need that, or are none.
func (w *World) Reject(vendor string) bool {
	f, ok := w.news[vendor]
	if ok {
		f()
	}
	return ok
}

// Export is the file that somebody would export of a vendor: the sample
// "rejected" as CSV, as if it were from now.
func Export(vendor string, now time.Time) ([]byte, error) {
	p, err := all.Sample(vendor, "rejected", now)
	if err != nil {
		return nil, err
	}
	var row struct{ Cells map[string]string }
	if err := json.Unmarshal(p.Body, &row); err != nil {
		return nil, fmt.Errorf("%s: %w", vendor, err)
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	var header, cells []string
	for _, name := range slices.Sorted(maps.Keys(row.Cells)) {
		header, cells = append(header, name), append(cells, row.Cells[name])
	}
	if err := w.WriteAll([][]string{header, cells}); err != nil {
		return nil, fmt.Errorf("%s: %w", vendor, err)
	}
	return out.Bytes(), nil
}
