package verify_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/verify"
)

const body = `{"event":"rejected","name":"佐藤 美咲","data":{"id":12345678901234567890,"sig":"","at":1790921709512},"token":"t-1"}`

var arrival = time.Date(2026, 10, 2, 6, 15, 12, 0, time.UTC)

func payload(headers ...string) connectors.Payload {
	p := connectors.Payload{Header: http.Header{}, Body: []byte(body), Received: arrival}
	for i := 0; i+1 < len(headers); i += 2 {
		p.Header.Add(headers[i], headers[i+1])
	}
	return p
}

func form(text string) connectors.Payload {
	p := payload("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	p.Body = []byte(text)
	return p
}

func gzipped() connectors.Payload {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(body))
	_ = w.Close()
	p := payload("Content-Type", "application/json", "Content-Encoding", "gzip")
	p.Body = b.Bytes()
	return p
}

func secrets(values ...string) []connectors.Secret {
	out := make([]connectors.Secret, len(values))
	for i, v := range values {
		out[i].Value = v
	}
	return out
}

func header(name string) verify.Place { return verify.Place{Header: name} }

// schemes is one of every form, with a secret that it can use, and whether it
// covers the body.
var schemes = map[string]struct {
	verify.Scheme
	secret string
	from   connectors.Payload
	covers bool
}{
	"hex in a header":          {verify.HMAC{Place: header("Signature"), Prefix: "sha256 "}, "ひみつ", payload(), true},
	"SHA-1 in base64":          {verify.HMAC{Place: header("X"), Algorithm: "sha1", Encoding: verify.Words{"base64"}}, "s", payload(), true},
	"SHA-512 in base64url":     {verify.HMAC{Place: header("X"), Algorithm: "sha512", Encoding: verify.Words{"base64url", "hex"}}, "s", payload(), true},
	"base64 of hex":            {verify.HMAC{Place: header("X"), Encoding: verify.Words{"base64hex"}}, "s", payload(), true},
	"a secret in base64":       {verify.HMAC{Place: header("X"), Key: "base64"}, "c2VjcmV0", payload(), true},
	"a secret in hex":          {verify.HMAC{Place: header("X"), Key: "hex"}, "00ff10", payload(), true},
	"several codes":            {verify.HMAC{Place: header("X"), Prefix: "v1=", Separator: ";"}, "s", payload(), true},
	"a code in the address":    {verify.HMAC{Place: verify.Place{Query: "sig"}}, "s", payload(), true},
	"a code inside the body":   {verify.HMAC{Place: verify.Place{Body: "data.sig"}, Messages: tokenAndTime, Time: verify.Place{Body: "data.at"}}, "s", payload(), false},
	"a code and time outside":  {verify.HMAC{Place: header("X"), Messages: timeAndBody, Time: header("X-Time")}, "s", payload(), true},
	"time and code":            {verify.Timed{Header: "X-Webhook-Signature"}, "s", payload(), true},
	"time and code in base64":  {verify.Timed{Header: "TT", Label: "v2", Wrapped: "base64"}, "s", payload(), true},
	"a token in a header":      {verify.Token{Place: header("Authorization"), Prefix: "Bearer "}, "s", payload(), false},
	"a token in the address":   {verify.Token{Place: verify.Place{Query: "key"}}, "s", payload(), false},
	"a token in JSON":          {verify.Token{Place: verify.Place{Body: "token"}}, "s", payload(), false},
	"a token in a new member":  {verify.Token{Place: verify.Place{Body: "added"}}, "s", payload(), false},
	"a token in a form":        {verify.Token{Place: verify.Place{Body: "tok"}}, "s", form("a=1&name=%E4%BD%90"), false},
	"basic authentication":     {verify.Basic{}, "user:pass:word", payload(), false},
	"standard webhooks":        {verify.Standard{}, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", payload(), true},
	"standard, secret as text": {verify.Standard{}, "plain", payload(), true},
	"the whole request":        {canonical, "s", payload("Content-Type", "application/json"), true},
	"the whole request, gzip":  {canonical, "s", gzipped(), false}, // the content, not these bytes
}

func tokenAndTime(p connectors.Payload) [][]byte {
	at := p.Body[bytes.Index(p.Body, []byte(`"at":`))+len(`"at":`):]
	return [][]byte{slices.Concat([]byte("t-1"), at[:13])}
}

func timeAndBody(p connectors.Payload) [][]byte {
	return [][]byte{append([]byte(p.Header.Get("X-Time")+"."), p.Body...)}
}

var canonical = verify.Canonical{
	Name: "x-icims-v1-hmac-sha256", Date: "X-Icims-Date", Hash: "X-Icims-Content-Sha256",
	User: "u", URL: "https://hooks.example.net/ats/icims/t1",
}

func TestSchemes(t *testing.T) {
	for name, s := range schemes {
		t.Run(name, func(t *testing.T) {
			good := secrets(s.secret)
			if err := s.Validate(good); err != nil {
				t.Fatal(err)
			}
			signed, err := s.Sign(s.from, good[0])
			if err != nil {
				t.Fatal(err)
			}
			bad := "b3RoZXI="
			if _, ok := s.Scheme.(verify.HMAC); ok && strings.Contains(name, "in hex") {
				bad = "0123"
			}
			expired := connectors.Secret{Value: s.secret, NotAfter: arrival}
			early := connectors.Secret{Value: s.secret, NotBefore: arrival.Add(time.Second)}
			inTime := connectors.Secret{Value: s.secret, NotBefore: arrival, NotAfter: arrival.Add(time.Second)}
			for what, tt := range map[string]struct {
				p     connectors.Payload
				with  []connectors.Secret
				match int // -1 is denied
			}{
				"the secret":                  {signed, good, 0},
				"the second of two":           {signed, secrets(bad, s.secret), 1},
				"the first of two":            {signed, secrets(s.secret, bad), 0},
				"an expired one before it":    {signed, []connectors.Secret{expired, good[0]}, 1},
				"an expired one":              {signed, []connectors.Secret{expired}, -1},
				"one that is not valid yet":   {signed, []connectors.Secret{early}, -1},
				"one that is valid just now":  {signed, []connectors.Secret{inTime}, 0},
				"another":                     {signed, secrets(bad), -1},
				"none":                        {signed, nil, -1},
				"an empty one":                {signed, secrets(""), -1},
				"a payload without signature": {s.from, good, -1},
			} {
				got, err := s.Verify(tt.p, tt.with)
				switch {
				case tt.match < 0 && ats.FaultOf(err) != ats.Denied:
					t.Errorf("%s: got %d, %v, want denied", what, got, err)
				case tt.match >= 0 && (err != nil || got != tt.match):
					t.Errorf("%s: got %d, %v, want %d", what, got, err, tt.match)
				}
			}
			if !s.covers {
				return
			}
			for i := range signed.Body {
				p := signed
				p.Body = slices.Clone(signed.Body)
				p.Body[i] ^= 1
				if _, err := s.Verify(p, good); ats.FaultOf(err) != ats.Denied {
					t.Fatalf("byte %d changed: got %v, want denied", i, err)
				}
			}
		})
	}
}

// TestSignLeavesItsInputAlone matters to whoever signs one sample many times.
func TestSignLeavesItsInputAlone(t *testing.T) {
	for name, s := range schemes {
		p := payload("Content-Type", "application/json", "X-Time", "1")
		if strings.Contains(name, "form") || strings.Contains(name, "gzip") {
			p = s.from
		}
		p.Query = url.Values{"a": {"b"}}
		before := fmt.Sprintf("%q %q %q", p.Header, p.Query, p.Body)
		if _, err := s.Sign(p, secrets(s.secret)[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if after := fmt.Sprintf("%q %q %q", p.Header, p.Query, p.Body); after != before {
			t.Errorf("%s changed it to %s", name, after)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	const code = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	hmac := verify.HMAC{Place: header("X"), Prefix: "sha256="}
	inBody := verify.HMAC{Place: verify.Place{Body: "sig"}}
	timed := verify.Timed{Header: "X"}
	withBody := func(text string) connectors.Payload {
		p := payload()
		p.Body = []byte(text)
		return p
	}
	tests := map[string]struct {
		scheme verify.Scheme
		p      connectors.Payload
		want   string
	}{
		"a missing header":                   {hmac, payload(), "the header X is missing"},
		"a header that stands twice":         {hmac, payload("X", "sha256="+code, "X", "sha256="+code), "stands more than once"},
		"another prefix":                     {hmac, payload("X", "sha1="+code), `does not begin with "sha256="`},
		"no hex":                             {hmac, payload("X", "sha256=%%"), "is not written in hex"},
		"an empty code":                      {hmac, payload("X", "sha256="), "does not fit any secret"},
		"a cut code":                         {hmac, payload("X", "sha256="+code[:32]), "does not fit any secret"},
		"a member that is missing":           {inBody, withBody(`{"a":1}`), "the member sig of the body is missing"},
		"a member that is null":              {inBody, withBody(`{"sig":null}`), "is missing"},
		"a member that stands twice":         {inBody, withBody(`{"sig":"a","sig":"b"}`), "stands more than once"},
		"a body that is no object":           {inBody, withBody(`["sig"]`), "is missing"},
		"a body that is cut":                 {inBody, withBody(`{"sig":"a"`), "is missing"},
		"a form field that stands twice":     {inBody, form("sig=a&sig=b"), "stands more than once"},
		"a form that is none":                {inBody, form("%zz"), "the form is not readable"},
		"a time that is missing":             {verify.HMAC{Place: header("X"), Time: header("T")}, payload("X", code), "the header T is missing"},
		"a time that is none":                {verify.HMAC{Place: header("X"), Time: header("T")}, payload("X", code, "T", "soon"), "is not one"},
		"an old time":                        {verify.HMAC{Place: header("X"), Time: header("T")}, payload("X", code, "T", "1790921411"), "5m1s away"},
		"a time in the future":               {timed, payload("X", "t=1790922013,v1="+code), "5m1s away"},
		"nothing to be signed":               {verify.HMAC{Place: header("X"), Messages: func(connectors.Payload) [][]byte { return nil }}, payload("X", code), "cannot be made"},
		"timed without a time":               {timed, payload("X", "v1="+code), "is not t=…,v1=…"},
		"timed without a code":               {timed, payload("X", "t=1790921712"), "is not t=…,v1=…"},
		"timed with two times":               {timed, payload("X", "t=1790921712,t=1790921712,v1="+code), "is not t=…,v1=…"},
		"timed with another version":         {timed, payload("X", "t=1790921712,v0="+code), "is not t=…,v1=…"},
		"timed with very many codes":         {timed, payload("X", "t=1790921712"+strings.Repeat(",v1="+code, 11)), "is not t=…,v1=…"},
		"timed that should be wrapped":       {verify.Timed{Header: "X", Wrapped: "base64"}, payload("X", "%%"), "is not base64"},
		"a token with another prefix":        {verify.Token{Place: header("X"), Prefix: "Bearer "}, payload("X", "secret"), `does not begin with "Bearer "`},
		"a token that begins like it":        {verify.Token{Place: header("X")}, payload("X", "secret-and-more"), "does not fit"},
		"bearer instead of basic":            {verify.Basic{}, payload("Authorization", "Bearer secret"), "is not Basic"},
		"basic without base64":               {verify.Basic{}, payload("Authorization", "Basic %%"), "is not base64"},
		"standard without an id":             {verify.Standard{}, payload("Webhook-Timestamp", "1790921712", "Webhook-Signature", "v1,aaaa"), "Webhook-Id is missing"},
		"standard with an empty code":        {verify.Standard{}, payload("Webhook-Id", "m", "Webhook-Timestamp", "1790921712", "Webhook-Signature", "v1,"), "does not fit"},
		"standard with another version":      {verify.Standard{}, payload("Webhook-Id", "m", "Webhook-Timestamp", "1790921712", "Webhook-Signature", "v1a,aaaa"), "does not fit"},
		"canonical by another name":          {canonical, payload("Authorization", "x-other user=u,signedheaders=a,signature="+code), "is not x-icims-v1-hmac-sha256"},
		"canonical without the body":         {canonical, payload("Authorization", "x-icims-v1-hmac-sha256 user=u,signedheaders=host;x-icims-date,signature="+code), "X-Icims-Content-Sha256 is not signed"},
		"canonical without the date":         {canonical, payload("Authorization", "x-icims-v1-hmac-sha256 user=u,signedheaders=x-icims-content-sha256,signature="+code), "X-Icims-Date is not signed"},
		"canonical with a bad code":          {canonical, payload("Authorization", "x-icims-v1-hmac-sha256 user=u,signedheaders=x-icims-date,signature=zz"), "is not x-icims-v1-hmac-sha256"},
		"canonical with an old date":         {canonical, payload("Authorization", "x-icims-v1-hmac-sha256 user=u,signedheaders=x-icims-content-sha256;x-icims-date,signature="+code, "X-Icims-Date", "2017-10-18T14:53:40+0000"), "away from ours"},
		"canonical with the hash of another": {canonical, payload("Authorization", "x-icims-v1-hmac-sha256 user=u,signedheaders=x-icims-content-sha256;x-icims-date,signature="+code, "X-Icims-Date", "2026-10-02T06:15:10+0000", "X-Icims-Content-Sha256", code), "is not the hash of the body"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tt.scheme.Verify(tt.p, secrets("secret"))
			if ats.FaultOf(err) != ats.Denied || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want denied: %s", err, ats.FaultOf(err), tt.want)
			}
		})
	}
}

// TestPublished checks vectors that were published by those who made the schemes.
func TestPublished(t *testing.T) {
	standard := payload("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp", "1614265330",
		"Webhook-Signature", "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	standard.Body, standard.Received = []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0)

	icims := payload("Content-Type", "application/json", "X-Icims-Date", "2026-10-02T06:15:10+0000",
		"X-Icims-Content-Sha256", "dc2ae7956313e44204b16d845e20b393cd4dff8780f35d8d165ae7b5003f7c31",
		"Authorization", "x-icims-v1-hmac-sha256 user=icims_outbound_t1, signedheaders=content-type;host;x-icims-content-sha256;x-icims-date, signature=d19b32c411ad33f19d44470d0227b44c83c044ab787aeb5de1f3fae2da6d0b0f")
	icims.Body = []byte(`{"systemId":"1479","customerId":"6268","jobId":"1181","personId":"1930","oldStatus":"D10105","newStatus":"C20551","userId":"1566","links":[` +
		`{"rel":"applicantWorkflow","title":"Applicant Workflow","url":"https://api.icims.com/customers/6268/applicantworkflows/1479"},` +
		`{"rel":"job","title":"Job Profile","url":"https://api.icims.com/customers/6268/jobs/1181"},` +
		`{"rel":"person","title":"Person Profile","url":"https://api.icims.com/customers/6268/people/1930"},` +
		`{"rel":"user","title":"Posting User","url":"https://api.icims.com/customers/6268/people/1566"}],"eventType":"WorkFlowStatusChangeEvent"}`)

	comeet := payload("Signature", "sha256 b22a530a0d787e6d8d56a6d8b1521cf55b63accf2dca73eeb1a4ebf6bbef0b45")
	comeet.Body = []byte(`{"id":1}`)

	knit := payload("X-Knit-Signature", "FkTObtgU9e08MMz6AZqjPHao7vi0ZrGhMGCsv-CRc1M")
	knit.Body = []byte(`{"eventId":"ev_01","eventType":"record.modified","syncDataType":"ats_applications"}`)

	for name, tt := range map[string]struct {
		scheme verify.Scheme
		p      connectors.Payload
		secret string
	}{
		"Standard Webhooks": {verify.Standard{}, standard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
		"iCIMS":             {canonical, icims, "icims-shared-secret-EXAMPLE-1"},
		"Comeet":            {verify.HMAC{Place: header("Signature"), Prefix: "sha256 "}, comeet, "comeet-secret-EXAMPLE-1"},
		"Knit":              {verify.HMAC{Place: header("X-Knit-Signature"), Encoding: verify.Words{"base64url"}}, knit, "knit-api-key-EXAMPLE-1"},
	} {
		if _, err := tt.scheme.Verify(tt.p, secrets(tt.secret)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tt.p.Body = append(slices.Clone(tt.p.Body), ' ')
		if _, err := tt.scheme.Verify(tt.p, secrets(tt.secret)); ats.FaultOf(err) != ats.Denied {
			t.Errorf("%s, longer: got %v, want denied", name, err)
		}
	}
}

// TestClock walks over the edges of the tolerance, in the ways in which a time
// is written.
func TestClock(t *testing.T) {
	for name, tt := range map[string]struct {
		written   func(time.Time) string
		tolerance time.Duration
		off       time.Duration
		ok        bool
	}{
		"seconds, late but in time": {unix, 0, -300 * time.Second, true},
		"seconds, too late":         {unix, 0, -301 * time.Second, false},
		"seconds, early in time":    {unix, 0, 300 * time.Second, true},
		"seconds, too early":        {unix, 0, 301 * time.Second, false},
		"milliseconds, three days":  {millis, 72 * time.Hour, -72 * time.Hour, true},
		"milliseconds, a bit more":  {millis, 72 * time.Hour, -72*time.Hour - time.Millisecond, false},
		"ISO 8601":                  {func(t time.Time) string { return t.Format(time.RFC3339) }, time.Minute, time.Minute, true},
		"ISO 8601 without colon":    {func(t time.Time) string { return t.Format("2006-01-02T15:04:05-0700") }, time.Minute, -61 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := verify.HMAC{Place: header("X"), Time: header("T"), Tolerance: ats.Duration(tt.tolerance), Messages: func(p connectors.Payload) [][]byte {
				return [][]byte{[]byte(p.Header.Get("T"))}
			}}
			p := payload()
			p.Received = arrival.Add(tt.off)
			p.Header.Set("T", tt.written(arrival))
			p, err := s.Sign(p, secrets("s")[0])
			if err != nil {
				t.Fatal(err)
			}
			if got, want := p.Header.Get("T"), tt.written(arrival.Add(tt.off)); got != want {
				t.Errorf("Sign wrote the time as %s, want %s", got, want)
			}
			p.Received = arrival
			if _, err := s.Verify(p, secrets("s")); (err == nil) != tt.ok {
				t.Errorf("got %v, want ok %t", err, tt.ok)
			}
		})
	}
}

func unix(t time.Time) string   { return strconv.FormatInt(t.Unix(), 10) }
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		scheme  verify.Scheme
		secrets []connectors.Secret
		want    string
	}{
		"no place":                  {verify.HMAC{}, nil, "want one of header, query, body: have 0"},
		"two places":                {verify.Token{Place: verify.Place{Header: "a", Query: "b"}}, nil, "have 2"},
		"two places of the time":    {verify.HMAC{Place: header("X"), Time: verify.Place{Header: "a", Body: "b"}}, nil, "time: want one of"},
		"an unknown algorithm":      {verify.HMAC{Place: header("X"), Algorithm: "md5"}, nil, `algorithm: "md5" is not one of sha1, sha256, sha512`},
		"an unknown encoding":       {verify.HMAC{Place: header("X"), Encoding: verify.Words{"hex", "base32"}}, nil, `encoding: "base32" is not one of base64, base64hex, base64url, hex`},
		"an unknown form of secret": {verify.HMAC{Place: header("X"), Key: "base32"}, nil, `key: "base32" is not one of base64, hex, text`},
		"a secret that is not hex":  {verify.HMAC{Place: header("X"), Key: "hex"}, secrets("00", "xx"), "secrets[1]: not written in hex"},
		"no header for timed":       {verify.Timed{}, nil, "header: required"},
		"timed wrapped otherwise":   {verify.Timed{Header: "X", Wrapped: "hex"}, nil, `wrapped: "hex" is not known`},
		"a password without user":   {verify.Basic{}, secrets("a:b", ":b"), "secrets[1]: not user:password"},
		"an empty standard secret":  {verify.Standard{}, secrets("whsec_"), "secrets[0]: what follows whsec_ is not base64"},
		"no base64 after whsec_":    {verify.Standard{}, secrets("whsec_%"), "secrets[0]"},
		"no address for canonical":  {verify.Canonical{}, nil, "public address"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.scheme.Validate(tt.secrets); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzVerify looks for panics, and for a payload that passes without its secret.
func FuzzVerify(f *testing.F) {
	for _, s := range schemes {
		if p, err := s.Sign(s.from, secrets(s.secret)[0]); err == nil {
			for _, values := range p.Header {
				f.Add(values[0], p.Body)
			}
		}
	}
	f.Add("t=1790921712,v1=", []byte(`{"data":{"sig":"","at":1}}`))
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		for name, s := range schemes {
			p := connectors.Payload{Header: http.Header{}, Query: url.Values{"sig": {text}, "key": {text}}, Body: body, Received: arrival}
			for _, h := range []string{"Signature", "X", "X-Time", "X-Webhook-Signature", "TT", "Authorization", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature", "X-Icims-Date", "X-Icims-Content-Sha256"} {
				p.Header.Set(h, text)
			}
			if strings.Contains(name, "form") {
				p.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			if name == "a code inside the body" { // its message needs a body of its own form
				continue
			}
			unknown := []connectors.Secret{{Value: "YW4tdW5ndWVzc2FibGUtc2VjcmV0LTUx"}}
			if strings.Contains(name, "in hex") {
				unknown[0].Value = "8f41c6a2b5d7e9"
			}
			if _, err := s.Verify(p, unknown); err == nil {
				t.Fatalf("%s: accepted without the secret", name)
			}
			signed, err := s.Sign(p, unknown[0])
			if err != nil {
				continue
			}
			if _, err := s.Verify(signed, unknown); err != nil {
				t.Fatalf("%s: its own signature: %v", name, err)
			}
		}
	})
}
