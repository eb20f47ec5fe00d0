package main

import (
	"bytes"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/all/alltest"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/intake"
	"github.com/career-relay/connector/mail/mailtest"
	"github.com/career-relay/connector/record"
)

// unwalked are the vendors whose way to a mail is not walked, with the reason.
// The list may only shrink.
var unwalked = map[string]string{}

// A fleetHouse is a house with a company for every vendor; each has one
// connection, named it, as the demo has it. The vendors' APIs answer.
type fleetHouse struct {
	*house
	world *alltest.World
}

func openFleet(t *testing.T) *fleetHouse {
	t.Helper()
	h := &fleetHouse{house: &house{t: t, sendGrid: mailtest.Start(t), log: &lines{}}}
	var err error
	if h.world, err = alltest.New(demoSecrets["doors-key"], stamp); err != nil {
		t.Fatal(err)
	}
	h.world.Beyond = http.DefaultTransport
	h.client = &http.Client{Transport: h.world}
	text, err := fs.ReadFile(configs.Demo(), "doors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doors struct{ Connections map[string]yaml.Node }
	if err := yaml.Unmarshal(text, &doors); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, connection := range doors.Connections {
		var of struct{ Vendor string }
		if err := connection.Decode(&of); err != nil {
			t.Fatal(err)
		}
		vendor := of.Vendor
		company, err := yaml.Marshal(map[string]any{
			"company": vendor, "name": map[string]string{"ja": "株式会社アクメ"}, "connections": map[string]any{"it": &connection},
			"mail": map[string]any{
				"transport": "mailbox", "from": map[string]string{"address": "saiyo@acme.example.jp"},
				"sender": map[string]string{"name": "株式会社アクメ", "address": "東京都渋谷区例町1-1-1", "contact": "saiyo@acme.example.jp"},
			},
			"sending": map[string]any{"mode": "live", "delay": "0s", "window": "always", "holidays": "none", "max_age": "3650d"},
			"relay":   map[string]any{"mode": "link", "recipients": []string{"network"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "configs", vendor+".yaml"), string(company))
	}
	for _, name := range []string{"doors-secret", "doors-key"} {
		write(t, filepath.Join(dir, "configs", "secrets", name), demoSecrets[name]+"\n")
	}
	write(t, filepath.Join(dir, "configs", "relay.yaml"), walkShared)
	h.start(map[string]string{
		"CONFIGS": filepath.Join(dir, "configs"), "DATA": filepath.Join(dir, "data"), "CAREERRELAY_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
		"NETWORK_URL": "http://127.0.0.1:1/referrals", "NETWORK_KEY": networkKey,
	})
	return h
}

// TestEveryVendor walks each from a decision in its own system, through the door
// by which it comes, to exactly one mail in the mailbox. Whatever is delivered
// again makes no second one.
func TestEveryVendor(t *testing.T) {
	h := openFleet(t)
	for _, vendor := range all.Vendors() {
		t.Run(vendor, func(t *testing.T) {
			h := &fleetHouse{house: h.with(t), world: h.world}
			if reason, ok := unwalked[vendor]; ok {
				t.Skip(reason)
			}
			if _, err := h.server.tenants.Company(vendor); err != nil {
				t.Fatalf("the demo has no connection to it: %v", err)
			}
			s, err := spec.Shipped(vendor)
			if err != nil {
				t.Fatal(err)
			}
			deliver := h.door(vendor, s)
			before := len(h.mails(vendor)) // of the past: they wait for a person
			deliver()
			if s.Door == connectors.File {
				h.release(vendor)
			}
			h.rest(vendor)
			deliver()
			h.rest(vendor)
			if all, sent := len(h.mails(vendor)), h.inbox(vendor); all != before+1 || len(sent) != 1 {
				t.Fatalf("%d more mails, %d mails in the mailbox; want one", all-before, len(sent))
			}
			h.read(h.inbox(vendor)[0])
		})
	}
	h.leaks(t, demoSecrets["doors-secret"], demoSecrets["doors-key"], "@example.", "美咲")
}

// with is the same house for a test of its own.
func (h *house) with(t *testing.T) *house {
	t.Helper()
	own := *h
	own.t = t
	return &own
}

// door returns how a vendor's news come in. What was there before is history.
func (h *fleetHouse) door(vendor string, s spec.Spec) func() {
	h.t.Helper()
	_, polls := h.connector(vendor).(connectors.Poller)
	hook := func() {
		h.t.Helper()
		ok, _ := h.connector(vendor).(connectors.Acknowledger).Statuses()
		if got := h.hook(vendor, "it", vendor, nil); got != ok {
			h.t.Fatalf("the door answered %d, want %d", got, ok)
		}
	}
	switch {
	case s.Door == connectors.File:
		return func() { h.take(vendor) }
	case s.Door == connectors.Poll || s.Rings != "":
		h.sweep(vendor)
		h.world.Reject(vendor)
		return func() { h.sweep(vendor) }
	case polls: // what the webhooks leave out
		h.sweep(vendor)
	}
	h.world.Reject(vendor)
	return hook
}

func (h *fleetHouse) connector(vendor string) connectors.Connector {
	h.t.Helper()
	conn, err := h.server.connector(vendor, "it")
	if err != nil {
		h.t.Fatal(err)
	}
	return conn
}

// sweep asks a vendor for news, without waiting for their time.
func (h *fleetHouse) sweep(vendor string) {
	h.t.Helper()
	h.until("the vendor was swept", func() bool {
		_, err := h.server.worker().Poll(h.t.Context(), vendor, "it")
		if err != nil && ats.FaultOf(err) != ats.Duplicate {
			h.t.Fatal(err)
		}
		return err == nil
	})
	h.rest(vendor)
}

// take imports what somebody exported.
func (h *fleetHouse) take(vendor string) {
	h.t.Helper()
	file, err := alltest.Export(vendor, stamp())
	if err != nil {
		h.t.Fatal(err)
	}
	company, err := h.server.tenants.Company(vendor)
	if err != nil {
		h.t.Fatal(err)
	}
	in := &intake.Intake{Company: company, Connection: "it", Vendor: vendor, Conn: h.connector(vendor).(*spec.Tabular), Store: h.server.db, Now: h.server.db.Now()}
	if err := in.Open(bytes.NewReader(file), ""); err != nil {
		h.t.Fatal(err)
	}
	if _, err := in.Keep(h.t.Context(), record.System, "walk"); err != nil {
		h.t.Fatal(err)
	}
	h.rest(vendor)
}

// release lets the mails of an import go, which wait for a person until then.
func (h *fleetHouse) release(vendor string) {
	h.t.Helper()
	if got := h.inbox(vendor); len(got) != 0 {
		h.t.Fatalf("%d mails left without a person", len(got))
	}
	done, err := h.server.db.ReleaseMails(h.t.Context(), record.Order{Actor: record.System, Filter: record.Filter{Company: vendor}, Reason: "walk"})
	if err != nil || done.Changed != 1 {
		h.t.Fatalf("released %+v, %v", done, err)
	}
}

// inbox are the mails that left, which is into the mailbox.
func (h *fleetHouse) inbox(vendor string) []record.Mail {
	return slices.DeleteFunc(h.mails(vendor), func(m record.Mail) bool { return m.State != record.MailSent })
}

// read looks at a letter.
func (h *fleetHouse) read(m record.Mail) {
	h.t.Helper()
	_, letter, err := h.server.db.Letter(h.t.Context(), m.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	if text := letter.Text; !strings.Contains(text, " 様\n") || !strings.Contains(text, "株式会社アクメ") || !strings.Contains(text, h.base+"/u/") {
		h.t.Errorf("the letter lacks the name, the company or the way out:\n%s", text)
	}
}

// TestAnOldRejectionComesLate lets every vendor that says everything in its
// webhooks tell first that somebody is back in the running, then the rejection of
// days before: nothing may leave. Then the old delivery comes once more.
func TestAnOldRejectionComesLate(t *testing.T) {
	h := openFleet(t)
	tried := 0
	for _, vendor := range all.Vendors() {
		samples, err := all.Samples(vendor)
		if err != nil {
			t.Fatal(err)
		}
		s, err := spec.Shipped(vendor)
		if err != nil {
			t.Fatal(err)
		}
		conn := h.connector(vendor)
		_, asks := conn.(connectors.Completer) // then the API decides, whatever comes when
		_, signs := conn.(connectors.Receiver)
		back := "unrejected"
		if !slices.Contains(samples, back) {
			back = "reopened"
		}
		if !asks && signs && s.Door == "" && s.Rings == "" && slices.Contains(samples, back) {
			tried++
			t.Run(vendor, func(t *testing.T) {
				h := &fleetHouse{house: h.with(t), world: h.world}
				h.late(vendor, back, 4*24*time.Hour)
				h.late(vendor, "rejected", 8*24*time.Hour)
				h.late(vendor, "rejected", 8*24*time.Hour)
				if sent := h.inbox(vendor); len(sent) != 0 {
					t.Errorf("%d mails left", len(sent))
				}
			})
		}
	}
	if tried < 4 {
		t.Errorf("only %d vendors", tried)
	}
}

// late sends a sample as if it had happened a while ago, in another delivery than
// the one before.
func (h *fleetHouse) late(vendor, sample string, ago time.Duration) {
	h.t.Helper()
	p, err := all.Sample(vendor, sample, stamp().Add(-ago))
	if err != nil {
		h.t.Fatal(err)
	}
	p.Received = stamp()
	for name := range p.Header {
		if strings.HasSuffix(strings.ToLower(name), "-id") {
			p.Header.Set(name, sample)
		}
	}
	if p, err = h.connector(vendor).(connectors.Signer).Sign(p); err != nil {
		h.t.Fatal(err)
	}
	if status, err := post(h.t.Context(), h.base+"/hooks/"+vendor+"/it", p); err != nil || status/100 != 2 {
		h.t.Fatalf("%s: %d, %v", sample, status, err)
	}
	h.rest(vendor)
}
