package mail_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/mail/mailtest"
)

func TestParseEvents(t *testing.T) {
	at := time.Date(2026, 11, 24, 1, 7, 0, 0, time.UTC)
	about := mailtest.Mail{
		MessageID: "LRzXl_NHStOGhQ4kofSm_A", To: "misaki.sato@example.jp",
		Args: map[string]string{"cr_send": "SEND0001", "event": "ours loses"}, Category: []string{"acme"},
	}
	tests := map[string]struct {
		event mailtest.Event
		want  *mail.Feedback // nil is passed over
	}{
		"processed": {about.Event("processed", at), &mail.Feedback{Kind: mail.Processed}},
		"deferred": {
			about.Event("deferred", at).With("response", "452 4.2.2 The mailbox of misaki.sato@example.jp is full").With("attempt", "3"),
			&mail.Feedback{Kind: mail.Deferred, Detail: "452 4.2.2"},
		},
		"delivered": {
			about.Event("delivered", at).With("response", "250 2.0.0 OK 1795482004 x-20020a"),
			&mail.Feedback{Kind: mail.Delivered, Detail: "250 2.0.0"},
		},
		"a hard bounce": {
			about.Event("bounce", at).With("type", "bounce").With("status", "5.1.1").With("reason", "550 5.1.1 <misaki.sato@example.jp> unknown").With("bounce_classification", "Invalid Address"),
			&mail.Feedback{Kind: mail.Bounced, Permanent: true, Detail: "550 5.1.1 Invalid Address"},
		},
		"a bounce without a class": {
			about.Event("bounce", at).With("type", "bounce").With("reason", "500 unknown recipient 佐藤"),
			&mail.Feedback{Kind: mail.Bounced, Permanent: true, Detail: "500"},
		},
		"a bounce because of the words": {
			about.Event("bounce", at).With("type", "bounce").With("bounce_classification", "Content"),
			&mail.Feedback{Kind: mail.Bounced, Detail: "Content"},
		},
		"a bounce of no type": {
			about.Event("bounce", at).With("status", "5.0.0"),
			&mail.Feedback{Kind: mail.Bounced, Detail: "5.0.0"},
		},
		"a soft bounce": {
			about.Event("bounce", at).With("type", "blocked").With("status", "4.7.1").With("bounce_classification", "Reputation"),
			&mail.Feedback{Kind: mail.Blocked, Detail: "4.7.1 Reputation"},
		},
		"dropped: bounced before":  {about.Event("dropped", at).With("reason", "Bounced Address"), &mail.Feedback{Kind: mail.Dropped, Permanent: true, Detail: "Bounced Address"}},
		"dropped: complained":      {about.Event("dropped", at).With("reason", "Spam Reporting Address"), &mail.Feedback{Kind: mail.Dropped, Permanent: true, Detail: "Spam Reporting Address"}},
		"dropped: no address":      {about.Event("dropped", at).With("reason", "Invalid"), &mail.Feedback{Kind: mail.Dropped, Permanent: true, Detail: "Invalid"}},
		"dropped: unsubscribed":    {about.Event("dropped", at).With("reason", "Unsubscribed Address"), &mail.Feedback{Kind: mail.Dropped, Detail: "Unsubscribed Address"}},
		"dropped: the package":     {about.Event("dropped", at).With("reason", "Recipient List over Package Quota"), &mail.Feedback{Kind: mail.Dropped, Detail: "Recipient List over Package Quota"}},
		"dropped: words not known": {about.Event("dropped", at).With("reason", "misaki.sato@example.jp is bad"), &mail.Feedback{Kind: mail.Dropped}},
		"a complaint":              {about.Event("spamreport", at), &mail.Feedback{Kind: mail.Complaint}},
		"unsubscribed":             {about.Event("unsubscribe", at), &mail.Feedback{Kind: mail.Unsubscribed}},
		"unsubscribed of a group":  {about.Event("group_unsubscribe", at).With("asm_group_id", 7), &mail.Feedback{Kind: mail.Unsubscribed}},
		"an open":                  {about.Event("open", at).With("sg_machine_open", true), nil},
		"a click":                  {about.Event("click", at).With("url", "https://relay.example.jp"), nil},
		"an account":               {mailtest.Event{"event": "account_status_change", "type": "compliance_suspend"}, nil},
		"an event of next year":    {about.Event("telepathy", at).With("sg_event_id", 5), nil},
		"no event at all":          {mailtest.Event{"hello": "world"}, nil},
	}
	fake := mailtest.Start(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body, _ := fake.Sign(tt.event)
			got, err := mail.ParseEvents(body)
			if err != nil {
				t.Fatal(err)
			}
			var want []mail.Feedback
			if tt.want != nil {
				tt.want.EventID = tt.event["sg_event_id"].(string)
				tt.want.SendID, tt.want.At = "SEND0001", at
				tt.want.ProviderID = "LRzXl_NHStOGhQ4kofSm_A.recvd-5f54b5d587-l4s5c-1-66B2A4A2-1E.0"
				want = append(want, *tt.want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseEventsTakesWhatOthersSend(t *testing.T) {
	const body = `[
		{"event":"delivered","sg_event_id":"a","timestamp":"1795482004","cr_send":17,"sg_message_id":null},
		{"event":"bounce","type":"bounce","sg_event_id":"b","timestamp":1795482004.5,"category":"one","cr_send":"with space","status":5.1},
		{"event":"delivered","sg_event_id":"b","timestamp":1795482004,"cr_send":{"a":1}},
		{"event":["x"]}, null
	]` + "\r\n"
	got, err := mail.ParseEvents([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1795482004, 0).UTC()
	want := []mail.Feedback{
		{EventID: "a", SendID: "17", Kind: mail.Delivered, At: at},
		{EventID: "b", Kind: mail.Bounced, Permanent: true, At: at},
		{EventID: "b", Kind: mail.Delivered, At: at},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseEventsRefuses(t *testing.T) {
	event := func(s string) string { return `[{"event":"delivered","sg_event_id":"a","timestamp":1}, ` + s + `]` }
	tests := map[string]struct {
		body, want string
		fault      ats.Fault
	}{
		"nothing":                 {"", "not a JSON array", ats.Invalid},
		"null":                    {"null", "not a JSON array", ats.Invalid},
		"one event":               {`{"event":"delivered"}`, "not a JSON array", ats.Invalid},
		"half a body":             {`[{"event":"deliv`, "not a JSON array", ats.Invalid},
		"two bodies":              {`[][]`, "not a JSON array", ats.Invalid},
		"words":                   {event(`"misaki.sato@example.jp"`), "events[1]: not an event", ats.Invalid},
		"no id":                   {event(`{"event":"bounce","timestamp":1}`), "events[1].sg_event_id: required", ats.Invalid},
		"an address as id":        {event(`{"event":"bounce","timestamp":1,"sg_event_id":"misaki.sato@example.jp"}`), "events[1].sg_event_id", ats.Invalid},
		"an endless id":           {event(`{"event":"bounce","timestamp":1,"sg_event_id":"` + strings.Repeat("x", 201) + `"}`), "events[1].sg_event_id", ats.Invalid},
		"no time":                 {event(`{"event":"bounce","sg_event_id":"b"}`), "events[1].timestamp", ats.Invalid},
		"a time before time":      {event(`{"event":"bounce","sg_event_id":"b","timestamp":-5}`), "events[1].timestamp", ats.Invalid},
		"a time in milliseconds":  {event(`{"event":"bounce","sg_event_id":"b","timestamp":1795482004000}`), "events[1].timestamp", ats.Invalid},
		"a time that is no time":  {event(`{"event":"bounce","sg_event_id":"b","timestamp":"NaN"}`), "events[1].timestamp", ats.Invalid},
		"10,001 events":           {"[" + strings.Repeat("{},", mail.MaxEvents) + "{}]", "10001 in one body", ats.TooLarge},
		"deeper than any event":   {strings.Repeat("[", 100_000), "not a JSON array", ats.Invalid},
		"numbers without measure": {event(`{"event":"bounce","sg_event_id":"b","timestamp":1e999}`), "events[1]", ats.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := mail.ParseEvents([]byte(tt.body))
			if got != nil || ats.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v, want %s", got, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "misaki") {
				t.Errorf("the error tells an address: %v", err)
			}
		})
	}
	if _, err := mail.ParseEvents([]byte("[" + strings.Repeat("{},", mail.MaxEvents-1) + "{}]")); err != nil {
		t.Errorf("10,000 events: %v", err)
	}
}

// The vendor's own library documents itself by this vector.
const (
	vectorKey       = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
	vectorSignature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
	vectorTimestamp = "1600112502"
	vectorBody      = `[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]` + "\r\n"
)

func TestVerifyEvents(t *testing.T) {
	fake, other := mailtest.Start(t), mailtest.Start(t)
	body, signed := fake.Sign(mailtest.Mail{To: "misaki.sato@example.jp"}.Event("delivered", time.Unix(1795482004, 0)))
	_, foreign := other.SignBody(body)
	vector := http.Header{}
	vector.Set("X-Twilio-Email-Event-Webhook-Signature", vectorSignature)
	vector.Set("X-Twilio-Email-Event-Webhook-Timestamp", vectorTimestamp)
	with := func(name, value string) http.Header {
		h := signed.Clone()
		h.Set("X-Twilio-Email-Event-Webhook-"+name, value)
		return h
	}
	tests := map[string]struct {
		key    string
		header http.Header
		body   []byte
		want   ats.Fault // "" fits
	}{
		"the fake's own":                 {fake.PublicKey(), signed, body, ""},
		"the vendor's own":               {vectorKey, vector, []byte(vectorBody), ""},
		"the old of two keys":            {other.PublicKey() + " " + fake.PublicKey(), signed, body, ""},
		"the new of two keys":            {fake.PublicKey() + "\n" + other.PublicKey() + "\n", signed, body, ""},
		"the body without its line end":  {vectorKey, vector, []byte(strings.TrimSpace(vectorBody)), ats.Denied},
		"a changed body":                 {fake.PublicKey(), signed, bytes.Replace(body, []byte("delivered"), []byte("processed"), 1), ats.Denied},
		"no body":                        {fake.PublicKey(), signed, nil, ats.Denied},
		"another key":                    {other.PublicKey(), signed, body, ats.Denied},
		"signed by another":              {fake.PublicKey(), foreign, body, ats.Denied},
		"not signed":                     {fake.PublicKey(), http.Header{}, body, ats.Denied},
		"no timestamp":                   {fake.PublicKey(), with("Timestamp", ""), body, ats.Denied},
		"another timestamp":              {fake.PublicKey(), with("Timestamp", "1600112503"), body, ats.Denied},
		"a signature that is not base64": {fake.PublicKey(), with("Signature", "???"), body, ats.Denied},
		"a signature that is not ASN.1":  {fake.PublicKey(), with("Signature", "AAAA"), body, ats.Denied},
		"a signature of zeros":           {fake.PublicKey(), with("Signature", "MAYCAQACAQA="), body, ats.Denied},
		"no key":                         {"", signed, body, ats.Invalid},
		"a key that is not base64":       {"???", signed, body, ats.Invalid},
		"a key that is not DER":          {"AAAA", signed, body, ats.Invalid},
		"a key of RSA":                   {publicKey(t, "rsa"), signed, body, ats.Invalid},
		"a key of Ed25519":               {publicKey(t, "ed25519"), signed, body, ats.Invalid},
		"a key on another curve":         {publicKey(t, "p384"), signed, body, ats.Invalid},
		"a good key beside a bad one":    {fake.PublicKey() + " AAAA", signed, body, ats.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := mail.VerifyEvents(tt.key, tt.header, tt.body)
			if ats.FaultOf(err) != tt.want || (tt.want == "") != (err == nil) {
				t.Errorf("got %v (%s), want %q", err, ats.FaultOf(err), tt.want)
			}
		})
	}
}

func publicKey(t *testing.T, kind string) string {
	t.Helper()
	var public any
	var err error
	switch kind {
	case "rsa":
		var key *rsa.PrivateKey
		key, err = rsa.GenerateKey(rand.Reader, 2048)
		public = key.Public()
	case "ed25519":
		public, _, err = ed25519.GenerateKey(rand.Reader)
	case "p384":
		var key *ecdsa.PrivateKey
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		public = key.Public()
	}
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func FuzzParseEvents(f *testing.F) {
	f.Add([]byte(vectorBody))
	f.Add([]byte(`[{"event":"bounce","type":"bounce","sg_event_id":"b","timestamp":"1","reason":"550 5.1.1 <a@example.jp>"}]`))
	f.Add([]byte(`[null,{},[],1]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := mail.ParseEvents(body)
		if err != nil && events != nil {
			t.Error("events and an error")
		}
		if err != nil && ats.FaultOf(err) != ats.Invalid && ats.FaultOf(err) != ats.TooLarge {
			t.Errorf("fault %q", ats.FaultOf(err))
		}
		for _, e := range events {
			if e.EventID == "" || e.At.IsZero() || len(e.Detail) > 200 || strings.Contains(fmt.Sprint(e), "@") {
				t.Errorf("got %+v", e)
			}
		}
	})
}
