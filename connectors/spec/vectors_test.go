package spec_test

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

// lastRules end a file whose signature is tested.
const lastRules = `
docs: https://example.com
map: {id: .body.id}
events: [{when: "true", state: rejected, side: company}]
`

// load reads a connector.yaml from a text.
func load(tb testing.TB, text string) spec.Spec {
	tb.Helper()
	s, err := spec.Load(fstest.MapFS{spec.File: {Data: []byte(text)}})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func open(tb testing.TB, s spec.Spec, set spec.Settings) *spec.Connector {
	tb.Helper()
	c, err := spec.New(s, set)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func withSecret(value string) spec.Settings {
	return spec.Settings{Secrets: []connectors.Secret{{Value: value}}}
}

// TestVendorsSignatures proves that a file can say how each of these vendors
// signs, with signatures made outside of this program. They are in vectors/.
func TestVendorsSignatures(t *testing.T) {
	files := map[string]string{
		"ashby":     `hmac: {header: Ashby-Signature, prefix: sha256=}`,
		"breezy":    `hmac: {header: X-Hook-Signature, message: ".raw, .compact"}`,
		"jobadder":  `token: {header: Authorization}`,
		"kombo":     `hmac: {header: X-Kombo-Signature, encoding: base64url}`,
		"merge":     `hmac: {header: X-Merge-Webhook-Signature, encoding: base64url}`,
		"pinpoint":  `hmac: {header: PINPOINT-HMAC-SHA256, encoding: base64}`,
		"recruitee": `hmac: {header: X-Recruitee-Signature}`,
		"smartrecruiters": `
hmac:
  header: smartrecruiters-signature
  prefix: v1=
  separator: ;
  time: {header: smartrecruiters-timestamp}
  message: >-
    .headers as $h | [$h["smartrecruiters-timestamp"], .raw, $h["event-id"], $h["event-name"], $h["event-version"], $h.link]
    | map(. // "") | join(".")`,
		"stackone":      `hmac: {header: x-stackone-signature, encoding: base64url}`,
		"teamtailor-v1": `hmac: {header: TT-Signature, encoding: base64hex, message: .body.payload.data.id | tostring}`,
		"teamtailor-v2": `
timed:
  header: TT-Signature
  label: v2
  wrapped: base64
  message: '.raw, (.raw | sub(",\"signature\":\"[^\"]*\"}$"; "}")), .members.payload'`,
		"unified-to":           `hmac: {body: sig, algorithm: sha1, encoding: [base64, hex], message: .members.data + .body.nonce}`,
		"workable":             `hmac: {header: X-Workable-Signature, encoding: [hex, base64]}`,
		"zoho-recruit":         `token: {body: tok}`,
		"zoho-recruit-channel": `token: {body: token}`,
	}
	for vendor, scheme := range files {
		t.Run(vendor, func(t *testing.T) {
			s := load(t, "vendor: "+vendor+"\n"+scheme+lastRules)
			text, err := os.ReadFile("vectors/" + vendor + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var vectors struct {
				Secret string `json:"secret"`
				Cases  []struct {
					Body     string            `json:"body"`
					Headers  map[string]string `json:"headers"`
					Secret   string            `json:"secret"`   // default: the one above
					Received int64             `json:"received"` // default: some time
					Valid    bool              `json:"valid"`
					Why      string            `json:"why"`
				} `json:"cases"`
			}
			if err := json.Unmarshal(text, &vectors); err != nil {
				t.Fatal(err)
			}
			for i, v := range vectors.Cases {
				p := connectors.Payload{Header: http.Header{}, Body: []byte(v.Body), Received: time.Unix(1790921712, 0)}
				for name, value := range v.Headers {
					p.Header.Set(name, value)
				}
				if v.Received != 0 {
					p.Received = time.Unix(v.Received, 0)
				}
				secret := vectors.Secret
				if v.Secret != "" {
					secret = v.Secret
				}
				c := open(t, s, withSecret(secret))
				err := c.Verify(p)
				if v.Valid != (err == nil) || err != nil && ats.FaultOf(err) != ats.Denied {
					t.Errorf("%d (%s): got %v, want valid %t", i, v.Why, err, v.Valid)
				}
				signed, err := c.Sign(p)
				if err != nil {
					continue // a body that is broken on purpose and carries its own signature
				}
				if err := c.Verify(signed); err != nil {
					t.Errorf("%d (%s): its own signature: %v", i, v.Why, err)
				}
			}
		})
	}
}
