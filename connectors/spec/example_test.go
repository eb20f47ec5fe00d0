package spec_test

import (
	"fmt"
	"net/http"
	"testing/fstest"
	"time"

	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

// A vendor is a file: how it signs, where things are, and what they mean.
func Example() {
	folder := fstest.MapFS{spec.File: {Data: []byte(`
vendor: example
docs: https://ats.example.com/webhooks
hmac: {header: X-Signature, prefix: "sha256="}
key: .body.event_id
map:
  id: .body.application.id
  at: .body.application.rejected_at
  candidate.email: .body.candidate.email
events:
  - {when: .body.type == "rejected" and .body.by == "recruiter", state: rejected, side: company}
  - {when: .body.type == "rejected", state: withdrawn, side: candidate}
`)}}
	s, err := spec.Load(folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := spec.New(s, spec.Settings{Secrets: []connectors.Secret{{Value: "a secret of the connection"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := connectors.Payload{
		Header:   http.Header{"Content-Type": {"application/json"}},
		Body:     []byte(`{"event_id":"e-1","type":"rejected","by":"recruiter","application":{"id":17,"rejected_at":"2026-10-02T06:15:09Z"},"candidate":{"email":"misaki@example.jp"}}`),
		Received: time.Date(2026, 10, 2, 6, 15, 12, 0, time.UTC),
	}
	fmt.Println("unsigned:", c.Verify(p))
	if p, err = c.Sign(p); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("signed:", c.Verify(p), "key:", c.Key(p))

	events, err := c.Decode(p)
	for _, e := range events {
		fmt.Println(e.Application, e.State, "by the", e.Side, "at", e.At.Format(time.DateTime), "to", e.Candidate.Email)
	}
	fmt.Println(err)
	// Output:
	// unsigned: the header X-Signature is missing
	// signed: <nil> key: e-1
	// 17 rejected by the company at 2026-10-02 06:15:09 to [address]
	// <nil>
}
