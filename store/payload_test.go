package store

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
)

var payloads = map[string]connectors.Payload{
	"everything": {
		Header: http.Header{"X-A": {"1", ""}, "X-B": {"山"}}, Query: url.Values{"k": {"v"}}, Body: []byte("{}"),
		Received: time.Date(2026, 10, 2, 3, 0, 0, 123, time.UTC),
	},
	"only a body":           {Body: []byte("\x00\xff"), Received: time.Unix(0, 0).UTC()},
	"nothing at all":        {Received: time.Unix(-1, 0).UTC()},
	"a header of no values": {Header: http.Header{"X-A": {}}, Received: time.Unix(1, 0).UTC()},
}

func TestPayload(t *testing.T) {
	for name, p := range payloads {
		t.Run(name, func(t *testing.T) {
			written := appendPayload(nil, p)
			got, err := readPayload(written)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("payload differs (-want +got):\n%s", diff)
			}
			// Cut anywhere before the body it is either an error or another
			// payload, and never a crash.
			for i := range len(written) - len(p.Body) {
				_, _ = readPayload(written[:i])
			}
		})
	}
	if _, err := readPayload(nil); err == nil {
		t.Error("nothing is no payload")
	}
}

func TestMessage(t *testing.T) {
	m := mail.Message{
		SendID: "s", Company: "acme", To: mail.Address{Address: "misaki@example.jp", Name: "佐藤 美咲"}, Subject: "お礼",
		Text: "本文\n", HTML: "<p>本文</p>", Header: map[string]string{"X-A": "1"}, Locale: "ja",
	}
	written, err := appendMessage(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readMessage(written)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("message differs (-want +got):\n%s", diff)
	}
	for i := range written {
		if _, err := readMessage(written[:i]); err == nil {
			t.Errorf("cut at %d: no error", i)
		}
	}
}

func FuzzPayload(f *testing.F) {
	for _, p := range payloads {
		f.Add(appendPayload(nil, p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readPayload(b)
		if err != nil {
			return
		}
		again, err := readPayload(appendPayload(nil, p))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("payload differs (-want +got):\n%s", diff)
		}
	})
}
