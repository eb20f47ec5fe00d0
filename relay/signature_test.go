package relay_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/relay"
)

// The first vector is the one that the standard's own libraries test with; the
// others were made with another implementation of HMAC.
func TestSign(t *testing.T) {
	tests := map[string]struct {
		secret   ats.Secret
		id, body string
		at       int64
		want     string
	}{
		"the standard's vector": {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`, 1614265330, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		"an empty body":         {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "01K7", "", 1764000000, "v1,UvRW1vP/M6gpjRRKjf1hWJX5kKQawD5fF0Mo31dZsjo="},
		"a body in Japanese":    {"whsec_ZGVtby1uZXR3b3JrLXNlY3JldC1mb3ItdGhpcy1wcm9jZXNz", "01K7", `{"name":"𠮷田 花子 %d"}`, 1764000000, "v1,fH1Tj2pQMvlsc9Fm5PcCZl1UMMos051K/3MUrjPi3aM="},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := relay.Sign(tt.secret, tt.id, time.Unix(tt.at, 999), []byte(tt.body))
			if err != nil || got != tt.want {
				t.Errorf("got %s and %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	for _, secret := range []ats.Secret{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "sk_MfKQ"} {
		if got, err := relay.Sign(secret, "1", time.Unix(1, 0), nil); got != "" || ats.FaultOf(err) != ats.Invalid {
			t.Errorf("%q: got %q and %v", string(secret), got, err)
		}
	}
}

func TestVerify(t *testing.T) {
	const old, current, other = ats.Secret("whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZA=="), ats.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), ats.Secret("whsec_b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldA==")
	now, body := time.Unix(1764000000, 0), []byte(`{"id":"01K7"}`)
	signed := func(secret ats.Secret, at time.Time) http.Header {
		s, err := relay.Sign(secret, "01K7", at, body)
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Webhook-Id": {"01K7"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {s}}
	}
	with := func(name, value string) http.Header {
		h := signed(current, now)
		h.Set(name, value)
		return h
	}
	good := signed(current, now).Get("Webhook-Signature")
	tests := map[string]struct {
		header  http.Header
		secrets []ats.Secret
		want    string
	}{
		"a good signature":              {signed(current, now), []ats.Secret{current}, ""},
		"by any of several secrets":     {signed(old, now), []ats.Secret{current, old}, ""},
		"one of several signatures":     {with("Webhook-Signature", "v1a,xx v1,AAAA "+good), []ats.Secret{current}, ""},
		"five minutes late":             {signed(current, now.Add(-5*time.Minute)), []ats.Secret{current}, ""},
		"five minutes early":            {signed(current, now.Add(5*time.Minute)), []ats.Secret{current}, ""},
		"later":                         {signed(current, now.Add(-5*time.Minute-time.Second)), []ats.Secret{current}, "the timestamp is more than 5m0s away from ours"},
		"earlier":                       {signed(current, now.Add(5*time.Minute+time.Second)), []ats.Secret{current}, "the timestamp is more than 5m0s away from ours"},
		"another secret":                {signed(other, now), []ats.Secret{current, old}, "the signature does not fit"},
		"another id":                    {with("Webhook-Id", "01K8"), []ats.Secret{current}, "the signature does not fit"},
		"another time":                  {with("Webhook-Timestamp", "1764000001"), []ats.Secret{current}, "the signature does not fit"},
		"a signature of another scheme": {with("Webhook-Signature", "v2"+good[2:]), []ats.Secret{current}, "the signature does not fit"},
		"no id":                         {with("Webhook-Id", ""), []ats.Secret{current}, "a Webhook- header is missing or unreadable"},
		"no signature":                  {with("Webhook-Signature", ""), []ats.Secret{current}, "a Webhook- header is missing or unreadable"},
		"no time":                       {with("Webhook-Timestamp", "now"), []ats.Secret{current}, "a Webhook- header is missing or unreadable"},
		"no header":                     {nil, []ats.Secret{current}, "a Webhook- header is missing or unreadable"},
		"no secret":                     {signed(current, now), nil, "the signature does not fit"},
		"an empty secret":               {signed(current, now), []ats.Secret{""}, "our secret: want whsec_ and base64, as Standard Webhooks has it"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := relay.Verify(tt.secrets, tt.header, body, now)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if ats.FaultOf(err) != ats.Denied || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if err := relay.Verify([]ats.Secret{current}, signed(current, now), append(body, ' '), now); ats.FaultOf(err) != ats.Denied {
		t.Errorf("a changed body: got %v", err)
	}
}
