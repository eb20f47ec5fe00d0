package all

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

func TestFolder(t *testing.T) {
	const rest = "docs: https://ats.acme.example\nmap: {id: .body.id}\nevents: [{when: \"true\", state: rejected, side: company}]\n"
	file := func(text string) fstest.MapFS {
		return fstest.MapFS{"connector.yaml": {Data: []byte(text + rest)}}
	}
	vendor, open, err := Folder(file("vendor: acme-own\nhmac: {header: X-Acme}\n"))
	if err != nil || vendor != "acme-own" {
		t.Fatalf("got %q, %v", vendor, err)
	}
	conn, err := open(connectors.Env{}, func(v any) error { return yaml.Unmarshal([]byte("secrets: [s]"), v) })
	if err != nil {
		t.Fatal(err)
	}
	events, err := conn.Decode(connectors.Payload{Body: []byte(`{"id":7}`)})
	if err != nil || len(events) != 1 || events[0].Application != "7" {
		t.Errorf("got %v, %v", events, err)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"a name that is taken":    {"vendor: greenhouse\nhmac: {header: X}\n", "greenhouse is a connector of the program"},
		"code":                    {"vendor: x\ncode: true\n", "only a connector of the program has code"},
		"a hint":                  {"vendor: x\ntrust: hint\nhmac: {header: X}\n", "a hint needs code"},
		"a file with a mistake":   {"vendor: x\nhmac: {heder: X}\n", "connector.yaml:2: heder: no such key here"},
		"a vendor without a name": {"hmac: {header: X}\n", "vendor: required"},
	} {
		if _, _, err := Folder(file(tt.text)); ats.FaultOf(err) != ats.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want invalid: %s", name, err, tt.want)
		}
	}
	if _, _, err := Folder(fstest.MapFS{}); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("no file: got %v, want not found", err)
	}
}

// TestPlay does what simulations and the demo do with every vendor.
func TestPlay(t *testing.T) {
	now := time.Date(2027, 1, 15, 3, 0, 0, 0, time.UTC)
	for _, v := range fleet(t) {
		if !v.signs() {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			p, err := Sample(v.name, playedCase, now)
			if err != nil {
				t.Fatal(err)
			}
			conn := v.open(t, fleetSecret)
			signed, err := conn.(connectors.Signer).Sign(p)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.(connectors.Receiver).Verify(signed); err != nil {
				t.Error(err)
			}
			events, err := conn.Decode(signed)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if age := now.Sub(e.At); age < 0 || age > 7*24*time.Hour {
					t.Errorf("the decision is %s old, want it fresh", age)
				}
			}
		})
	}
}

// BenchmarkWebhook is what a webhook costs before it is kept.
func BenchmarkWebhook(b *testing.B) {
	for _, v := range fleet(b) {
		if !v.signs() {
			continue
		}
		p := v.sample(b, playedCase)
		conn := v.open(b, fleetSecret)
		p, err := conn.(connectors.Signer).Sign(p)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := conn.(connectors.Receiver).Verify(p); err != nil {
					b.Fatal(err)
				}
				_ = conn.(connectors.Identifier).Key(p)
			}
		})
	}
}

// FuzzDecode looks for panics and hangs in every vendor, and for errors that
// nobody would act on.
func FuzzDecode(f *testing.F) {
	conns := map[string]connectors.Connector{}
	for _, v := range fleet(f) {
		conns[v.name] = v.open(f, fleetSecret)
		for _, name := range v.cases {
			p := v.sample(f, name)
			f.Add(p.Header.Get("Content-Type"), p.Body)
		}
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		for name, conn := range conns {
			p := connectors.Payload{Header: http.Header{"Content-Type": {kind}}, Body: body, Received: time.Unix(1790921712, 0)}
			events, err := conn.Decode(p)
			if fault := ats.FaultOf(err); err != nil && fault != ats.Invalid && fault != ats.TooLarge {
				t.Fatalf("%s: got %v, want an error to be parked for", name, err)
			}
			for _, e := range events {
				if e.Application == "" && !e.Person() || e.At.IsZero() {
					t.Fatalf("%s: an event about nothing, or at no time: %v", name, e.State)
				}
			}
		}
	})
}

func TestSamplesOfNobody(t *testing.T) {
	if _, err := Samples("nobody"); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("got %v, want not found", err)
	}
	if _, err := Sample("nobody", playedCase, time.Time{}); ats.FaultOf(err) != ats.NotFound {
		t.Errorf("got %v, want not found", err)
	}
	if _, err := Sample("greenhouse", "../lever/rejected", time.Time{}); err == nil {
		t.Error("a sample outside of the folder was read")
	}
	names, err := Samples("greenhouse")
	if err != nil || len(names) == 0 {
		t.Errorf("got %v, %v", names, err)
	}
}
