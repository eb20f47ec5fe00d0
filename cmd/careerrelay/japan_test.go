package main

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/connectors/herp-hire/herptest"
	"github.com/career-relay/connector/connectors/kanrikun/kanrikuntest"
	"github.com/career-relay/connector/connectors/kintone/kintonetest"
	"github.com/career-relay/connector/connectors/salesforce-outbound/salesforcetest"
	"github.com/career-relay/connector/connectors/talentio/talentiotest"
	"github.com/career-relay/connector/mail/mailtest"
	"github.com/career-relay/connector/record"
)

const japanSecret = "walk-secret-of-thirty-two-letters"

const japanConnections = `
  herp: {vendor: herp-hire, api_key: "env:KEY", api_url: "env:HERP"}
  talentio: {vendor: talentio, api_key: "env:KEY", api_url: "env:TALENTIO"}
  kanrikun: {vendor: kanrikun, client_id: key, client_secret: "env:KEY", api_url: "env:KANRIKUN"}
  kintone:
    vendor: kintone
    secrets: ["env:SECRET"]
    api_key: "env:KEY"
    api_url: "env:KINTONE"
    app: "42"
    fields: {outcome: [選考終了理由, 選考ステータス], name: 氏名, email: メールアドレス, ended_at: 選考終了日, channel: 応募経路}
  salesforce:
    vendor: salesforce-outbound
    secrets: ["env:SECRET"]
    client_id: key
    client_secret: "env:KEY"
    api_url: "env:SALESFORCE"
    organization_id: 00D5i000000SAMPEAA
    object: Application__c
    fields: {outcome: [Result__c], ended_at: ClosedAt__c, family_name: CandidateLastName__c, given_name: CandidateFirstName__c, email: CandidateEmail__c}
`

// A japanHouse is a house whose vendors are the Japanese ones.
type japanHouse struct {
	*house
	herp       *herptest.Server
	talentio   *talentiotest.Server
	kanrikun   *kanrikuntest.Server
	kintone    *kintonetest.Server
	salesforce *salesforcetest.Server
}

func openJapan(t *testing.T) *japanHouse {
	t.Helper()
	j := &japanHouse{house: &house{t: t, sendGrid: mailtest.Start(t), log: &lines{}}, salesforce: salesforcetest.New("key", "key", stamp)}
	var errs [4]error
	j.herp, errs[0] = herptest.New("key", stamp)
	j.talentio, errs[1] = talentiotest.New("key", stamp)
	j.kanrikun, errs[2] = kanrikuntest.New("key", "key", stamp)
	j.kintone, errs[3] = kintonetest.New("key", stamp)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, mail, _ := strings.Cut(walkCompany, "\nmail:")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "configs", "acme.yaml"),
		strings.Replace("company: acme\nname: {ja: 株式会社アクメ}\nconnections:"+japanConnections+"mail:"+mail, "EVENT_KEY", j.sendGrid.PublicKey(), 1))
	write(t, filepath.Join(dir, "configs", "relay.yaml"), walkShared)
	j.start(map[string]string{
		"CONFIGS": filepath.Join(dir, "configs"), "DATA": filepath.Join(dir, "data"), "SENDGRID_API_KEY": string(mailtest.Key), "SENDGRID_BASE_URL": j.sendGrid.URL,
		"CAREERRELAY_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "NETWORK_URL": "http://127.0.0.1:1/referrals", "NETWORK_KEY": networkKey, "KEY": "key", "SECRET": japanSecret,
		"HERP": serveFake(t, j.herp) + "/hire/v1", "TALENTIO": serveFake(t, j.talentio) + "/api/v1", "KANRIKUN": serveFake(t, j.kanrikun),
		"KINTONE": serveFake(t, j.kintone), "SALESFORCE": serveFake(t, j.salesforce),
	})
	return j
}

// begin waits until every vendor was swept for the first time.
func (j *japanHouse) begin() {
	j.t.Helper()
	j.until("every vendor was swept", func() bool {
		all, err := j.server.db.Polls(j.t.Context(), "acme")
		if err != nil {
			j.t.Fatal(err)
		}
		return len(all) == 5 && !slices.ContainsFunc(all, func(p record.Poll) bool { return p.First })
	})
	j.rest("acme")
}

// sweep asks the vendors for news, without waiting for their time.
func (j *japanHouse) sweep() {
	j.t.Helper()
	for _, connection := range []string{"herp", "talentio", "kanrikun", "kintone"} {
		if _, err := j.server.worker().Poll(j.t.Context(), "acme", connection); err != nil {
			j.t.Fatalf("%s: %v", connection, err)
		}
	}
}

// TestJapaneseVendors walks each from a decision in its own API to the mail: what
// was there before stays silent, a rejection becomes one mail, and one that was
// taken back none.
func TestJapaneseVendors(t *testing.T) {
	j := openJapan(t)
	j.begin()
	if got := j.sendGrid.Count(); got != 0 {
		t.Fatalf("the past became %d mails", got)
	}

	now := time.Now().Format(time.RFC3339)
	j.herp.Change("new", map[string]any{"email": "herp@example.jp", "terminationReason": "rejected", "terminatedAt": now, "channel": map[string]any{"type": "careerPage"}})
	j.herp.Change("declined", map[string]any{"email": "never@example.jp", "terminationReason": "refusedByCandidate", "terminatedAt": now})
	j.talentio.Change(1, map[string]any{"email": "talentio@example.jp", "status": "fail", "fixedAt": now})
	j.talentio.Change(2, map[string]any{"email": "never@example.jp", "status": "reject", "fixedAt": now})
	j.kanrikun.Change(1, map[string]any{"pc_email": "kanrikun@example.jp", "status": 8.0})
	j.kanrikun.Change(2, map[string]any{"pc_email": "never@example.jp", "status": 7.0})
	j.kintone.Edit(1001, map[string]any{"メールアドレス": "kintone@example.jp", "選考終了理由": "不採用"})
	j.kintone.Edit(1002, map[string]any{"メールアドレス": "never@example.jp", "選考終了理由": "要相談", "選考ステータス": "終了"})
	j.salesforce.Edit(salesforcetest.Rejected, map[string]any{"CandidateEmail__c": "salesforce@example.jp", "ClosedAt__c": now})
	j.sweep()
	if got := j.hook("acme", "salesforce", "salesforce-outbound", nil); got != http.StatusOK {
		t.Errorf("the outbound message was answered with %d", got)
	}
	j.until("five mails left", func() bool { return j.sendGrid.Count() >= 5 })
	j.sweep()
	j.rest("acme")
	to := map[string]int{}
	for _, m := range j.sendGrid.Mails() {
		to[m.To]++
		if !strings.Contains(m.Text, " 様") {
			t.Errorf("the mail lacks the name:\n%s", m.Text)
		}
	}
	for _, vendor := range []string{"herp", "talentio", "kanrikun", "kintone", "salesforce"} {
		if to[vendor+"@example.jp"] != 1 {
			t.Errorf("%s: %d mails, want 1", vendor, to[vendor+"@example.jp"])
		}
	}
	if len(to) != 5 {
		t.Errorf("mails went to %v", to)
	}
	parked, err := j.server.db.Deliveries(t.Context(), record.Filter{Company: "acme", State: string(record.Parked)})
	if err != nil || len(parked) != 1 || parked[0].Connection != "kintone" || !strings.Contains(parked[0].Reason, "not a word we know") {
		t.Errorf("parked: %+v, %v", parked, err)
	}
	if text := j.log.text(); strings.Contains(text, "@example.jp") || strings.Contains(text, japanSecret) || strings.Contains(text, "美咲") {
		t.Error("the log shows a person or a secret")
	}
}

// A webhook of kintone is a doorbell: of what it says nothing is kept.
func TestKintoneRings(t *testing.T) {
	j := openJapan(t)
	j.begin()
	conn, err := j.server.connector("acme", "kintone")
	if err != nil {
		t.Fatal(err)
	}
	p, err := signedSample(conn, "kintone", "update-status")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := post(t.Context(), j.base+"/hooks/acme/kintone", p); status != http.StatusOK || err != nil {
		t.Fatalf("answered %d, %v", status, err)
	}
	j.rest("acme")
	all, err := j.server.db.Deliveries(t.Context(), record.Filter{Company: "acme", Connection: "kintone"})
	if err != nil || len(all) != 1 || all[0].Disposition != record.Ignored || !strings.Contains(all[0].Reason, "there is news") {
		t.Fatalf("got %+v, %v", all, err)
	}
	_, d, err := j.server.db.Delivery(t.Context(), all[0].ID)
	if err != nil || strings.Contains(string(d.Payload.Body), "髙橋") || d.Payload.Query.Has("key") {
		t.Errorf("kept %s, %v, %v", d.Payload.Body, d.Payload.Query, err)
	}
	polls, err := j.server.db.Polls(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range polls {
		if rung := !p.RungAt.IsZero(); rung != (p.Connection == "kintone") {
			t.Errorf("%s: rung %t", p.Connection, rung)
		}
	}
	if got := j.sendGrid.Count(); got != 0 {
		t.Errorf("%d mails", got)
	}
}
