package all

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/spec"
)

// exceptions are the rules that a vendor may break, with the reason: vendor →
// rule → reason. The list may only shrink.
var exceptions = map[string]map[string]string{
	"stackone": {"a redelivery has the same key": "its bodies have neither an id nor a time: two changes of one record are equal to the byte"},
}

// said is an error for a finding, which is about it and not caused by it.
func said(err error) string { return fmt.Sprint(err) }

// rules are what every vendor must keep.
var rules = map[string]func(*vendor) error{
	"the file names vendor and documents":                   (*vendor).checkFile,
	"the README tells how it is switched on":                (*vendor).checkReadme,
	"payloads have a way in":                                (*vendor).checkDoor,
	"what is only a hint is completed and checked":          (*vendor).checkHint,
	"a good signature is accepted, every other refused":     (*vendor).checkSignature,
	"the vendor's own signatures come out as they should":   (*vendor).checkVectors,
	"decoding twice gives equal events":                     (*vendor).checkTwice,
	"a redelivery has the same key":                         (*vendor).checkKey,
	"a sample reaches every rule":                           (*vendor).checkReach,
	"a sample shows every state":                            (*vendor).checkStates,
	"a fresh sample differs in its times only":              (*vendor).checkFresh,
	"there is a rejection to be played":                     (*vendor).checkPlayed,
	"a body that is cut off is never taken for nothing":     (*vendor).checkCut,
	"errors and logs hold no person and no secret":          (*vendor).checkLeaks,
	"settings without a secret or with a blank are refused": (*vendor).checkSettings,
}

func TestFleet(t *testing.T) {
	all, names, kept := fleet(t), slices.Sorted(maps.Keys(rules)), map[string]map[string]string{}
	for _, v := range all {
		kept[v.name] = map[string]string{}
		for _, name := range names {
			kept[v.name][name] = "-"
			t.Run(v.name+"/"+name, func(t *testing.T) {
				err := rules[name](v)
				switch reason, excepted := exceptions[v.name][name]; {
				case excepted && err == nil:
					t.Errorf("the exception is no longer needed (%s): remove it", reason)
				case excepted:
					kept[v.name][name] = "except"
					t.Skipf("excepted: %s", reason)
				case err != nil:
					kept[v.name][name] = "BROKEN"
					t.Error(err)
				default:
					kept[v.name][name] = "ok"
				}
			})
		}
	}
	certificate(t, all, names, kept)
}

// TestGolden compares what each sample means with what was read and accepted.
func TestGolden(t *testing.T) {
	for _, v := range fleet(t) {
		for _, name := range v.cases {
			t.Run(v.name+"/"+name, func(t *testing.T) {
				p := v.sample(t, name)
				conn := v.open(t, fleetSecret)
				events, err := conn.Decode(p)
				atstest.Golden(t, "../"+v.name+"/testdata/"+name+".golden", outcome(conn, p, events, err))
			})
		}
		for _, name := range v.fetched {
			t.Run(v.name+"/"+name+".fetched", func(t *testing.T) {
				e, err := v.fill(name)
				atstest.Golden(t, "../"+v.name+"/testdata/"+name+".fetched.golden", outcome(nil, connectors.Payload{}, []ats.Event{e}, err))
			})
		}
	}
}

// TestExceptions keeps the list of exceptions free of names that are not there.
func TestExceptions(t *testing.T) {
	for vendor, broken := range exceptions {
		if !slices.Contains(Vendors(), vendor) {
			t.Errorf("no vendor %s", vendor)
		}
		for name, reason := range broken {
			if rules[name] == nil || reason == "" {
				t.Errorf("%s: no rule %q, or no reason", vendor, name)
			}
		}
	}
	for vendor := range coded {
		if !slices.Contains(Vendors(), vendor) {
			t.Errorf("coded: %s has no %s", vendor, spec.File)
		}
	}
}

// outcome is what a payload meant, as a golden file has it.
func outcome(conn connectors.Connector, p connectors.Payload, events []ats.Event, err error) any {
	pinger, ok := conn.(connectors.Pinger)
	switch {
	case ats.FaultOf(err) == ats.Duplicate:
		return "left away\n"
	case err != nil:
		return fmt.Sprintf("%s: %v\n", ats.FaultOf(err), err)
	case ok && pinger.Ping(p):
		return "ping\n"
	case len(events) == 0:
		return "ignored\n"
	}
	return events
}

const (
	fleetSecret = "fleet:c2VjcmV0LW9mLXRoZS1mbGVldA"
	otherSecret = "other:b3RoZXItc2VjcmV0LW9mLWl0cw"
)

// A vendor is one folder.
type vendor struct {
	name    string
	folder  fs.FS
	spec    spec.Spec
	factory connectors.Factory
	cases   []string
	fetched []string // names of answers of the vendor's API
	log     bytes.Buffer
}

func fleet(tb testing.TB) []*vendor {
	tb.Helper()
	var out []*vendor
	factories := Factories()
	for _, name := range Vendors() {
		v := &vendor{name: name, factory: factories[name]}
		var err error
		if v.folder, err = fs.Sub(connectors.Files, name); err != nil {
			tb.Fatal(err)
		}
		if v.spec, err = spec.Load(v.folder); err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		if v.cases, err = spec.Samples(v.folder); err != nil || len(v.cases) == 0 {
			tb.Fatalf("%s: no samples (%v)", name, err)
		}
		files, err := fs.Glob(v.folder, "testdata/*.fetched.json")
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range files {
			v.fetched = append(v.fetched, strings.TrimSuffix(strings.TrimPrefix(f, "testdata/"), ".fetched.json"))
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		tb.Fatal("no vendor at all")
	}
	return out
}

// A key is a secret as a company's file has it.
type key struct {
	Value string `yaml:"value"`
	From  string `yaml:"from,omitempty"`
	Until string `yaml:"until,omitempty"`
}

// dial opens a connection with the secrets and with what testdata/settings.yaml
// adds. Nothing can be reached from it.
func (v *vendor) dial(secrets ...key) (connectors.Connector, error) {
	settings := map[string]any{}
	text, err := fs.ReadFile(v.folder, "testdata/settings.yaml")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return nil, err
	}
	if len(secrets) > 0 {
		settings["secrets"] = secrets
	}
	written, err := yaml.Marshal(settings)
	if err != nil {
		return nil, err
	}
	env := connectors.Env{
		HTTP: &http.Client{Transport: unplugged{}}, Log: slog.New(slog.NewJSONHandler(&v.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: func() time.Time { return time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC) },
		URL: "https://hooks.example.jp/hooks/acme/" + v.name,
	}
	return v.factory(env, func(into any) error {
		d := yaml.NewDecoder(bytes.NewReader(written))
		d.KnownFields(true)
		return d.Decode(into)
	})
}

type unplugged struct{}

func (unplugged) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the fleet calls nobody")
}

// signs reports whether the vendor signs webhooks at all.
func (v *vendor) signs() bool { return v.spec.Door == "" || v.spec.Door == connectors.Webhook }

// secrets are those of a connection that has the given ones, if it can have any.
func (v *vendor) secrets(values ...string) []key {
	var out []key
	for _, value := range values {
		if v.signs() {
			out = append(out, key{Value: value})
		}
	}
	return out
}

func (v *vendor) open(tb testing.TB, secret string) connectors.Connector {
	tb.Helper()
	conn, err := v.dial(v.secrets(secret)...)
	if err != nil {
		tb.Fatal(err)
	}
	return conn
}

func (v *vendor) sample(tb testing.TB, name string) connectors.Payload {
	tb.Helper()
	p, err := spec.Sample(v.folder, name)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// each calls f with every sample and collects what it finds.
func (v *vendor) each(f func(name string, conn connectors.Connector, p connectors.Payload) error) error {
	conn, err := v.dial(v.secrets(fleetSecret)...)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range v.cases {
		p, err := spec.Sample(v.folder, name)
		if err == nil {
			err = f(name, conn, p)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (v *vendor) checkFile() error {
	if v.spec.Vendor != v.name {
		return fmt.Errorf("vendor: %s, but the folder is %s", v.spec.Vendor, v.name)
	}
	if !strings.HasPrefix(v.spec.Docs, "https://") {
		return errors.New("docs: want the address of the vendor's description")
	}
	return nil
}

// headings are what a README must have: who switches it on reads only these.
var headings = []string{"## Switching it on", "## What it does not send", "## Not verified"}

// asks are the words by which a guide names events, scopes or permissions.
var asks = regexp.MustCompile(`(?i)event|scope|permission|right|trigger|権限|イベント|column|workflow|when `)

func (v *vendor) checkReadme() error {
	text, err := fs.ReadFile(v.folder, "README.md")
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range headings {
		if !strings.Contains(string(text), "\n"+h+"\n") {
			errs = append(errs, fmt.Errorf("README.md: no %q", h))
		}
	}
	_, guide, _ := strings.Cut(string(text), "\n## Switching it on\n")
	guide, _, _ = strings.Cut(guide, "\n## ")
	for what, found := range map[string]bool{
		"the connection as the company's file has it":    strings.Contains(guide, "vendor: "+v.name),
		"the address that the vendor sends to":           !v.signs() || strings.Contains(guide, "/hooks/<company>/"),
		"where the secret of webhooks goes":              !v.signs() || strings.Contains(guide, "secrets:"),
		"where the key of the API goes":                  v.spec.Door != connectors.Poll || strings.Contains(guide, "env:"),
		"how its files come in":                          v.spec.Door != connectors.File || strings.Contains(string(text), "careerrelay import"),
		"which events or rights the vendor is asked for": v.spec.Door == connectors.File || asks.MatchString(guide),
	} {
		if !found {
			errs = append(errs, fmt.Errorf("README.md: \"Switching it on\" lacks %s", what))
		}
	}
	return errors.Join(errs...)
}

func (v *vendor) checkDoor() error {
	conn, err := v.dial(v.secrets(fleetSecret)...)
	if err != nil {
		return err
	}
	var ok bool
	switch v.spec.Door {
	case connectors.Poll:
		_, ok = conn.(connectors.Poller)
	case connectors.File:
		_, ok = conn.(connectors.Reader)
	default:
		_, ok = conn.(connectors.Receiver)
	}
	if !ok {
		return fmt.Errorf("door: %s, but nothing opens it", v.spec.Door)
	}
	return nil
}

func (v *vendor) checkHint() error {
	conn, err := v.dial(v.secrets(fleetSecret)...)
	if err != nil {
		return err
	}
	hinter, ok := conn.(connectors.Hinter)
	if !ok || !hinter.Hint() {
		return nil
	}
	_, completes := conn.(connectors.Completer)
	_, checks := conn.(connectors.Checker)
	if !completes || !checks {
		return fmt.Errorf("completes %t, checks %t; a hint needs both", completes, checks)
	}
	return nil
}

func (v *vendor) checkSettings() error {
	if !v.signs() {
		return nil
	}
	var errs []error
	for name, secrets := range map[string][]key{
		"no secret": nil, "an empty secret": {{Value: ""}}, "an empty second secret": {{Value: fleetSecret}, {Value: ""}},
	} {
		if _, err := v.dial(secrets...); ats.FaultOf(err) != ats.Invalid {
			errs = append(errs, fmt.Errorf("%s: got %s, want an invalid error", name, said(err)))
		}
	}
	return errors.Join(errs...)
}

func (v *vendor) checkSignature() error {
	if !v.signs() {
		return nil
	}
	return v.each(func(_ string, conn connectors.Connector, p connectors.Payload) error {
		if h, ok := conn.(connectors.Handshaker); ok {
			if _, ok := h.Handshake(p); ok {
				return nil // answered before any signature, and without effect
			}
		}
		signer, ok := conn.(connectors.Signer)
		if !ok {
			return errors.New("cannot sign")
		}
		signed, err := signer.Sign(p)
		_, broken := conn.Decode(p)
		switch {
		case err == nil:
			return errors.Join(v.expect(signed, p)...)
		case broken == nil:
			return fmt.Errorf("signing: %w", err)
		}
		return nil // a body that is broken on purpose, with the signature inside
	})
}

// expect verifies what must be accepted and what must be refused.
func (v *vendor) expect(signed, unsigned connectors.Payload) []error {
	past, future := signed.Received.AddDate(0, 0, -2).Format(time.DateOnly), signed.Received.AddDate(0, 0, 2).Format(time.DateOnly)
	var errs []error
	check := func(what string, p connectors.Payload, want ats.Fault, match int, secrets ...key) {
		conn, err := v.dial(secrets...)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
			return
		}
		if err := conn.(connectors.Receiver).Verify(p); ats.FaultOf(err) != want || want == "" && err != nil {
			errs = append(errs, fmt.Errorf("%s: got %s, want fault %q", what, said(err), want))
		}
		m, ok := conn.(connectors.Matcher)
		if !ok {
			errs = append(errs, errors.New("does not tell which secret fits"))
			return
		}
		if n, err := m.Match(p); want == "" && (n != match || err != nil) {
			errs = append(errs, fmt.Errorf("%s: matched secret %d (%s), want %d", what, n, said(err), match))
		}
	}
	check("a good signature", signed, "", 0, key{Value: fleetSecret})
	check("a second secret", signed, "", 1, key{Value: otherSecret}, key{Value: fleetSecret})
	check("an expired secret", signed, ats.Denied, 0, key{Value: fleetSecret, Until: past})
	check("a secret that is not valid yet", signed, ats.Denied, 0, key{Value: fleetSecret, From: future})
	check("a secret in its time", signed, "", 0, key{Value: fleetSecret, From: past, Until: future})
	check("a wrong secret", signed, ats.Denied, 0, key{Value: otherSecret})
	check("no signature, or the sample's own", unsigned, ats.Denied, 0, key{Value: fleetSecret})
	if v.spec.Covers() {
		for what, body := range map[string][]byte{
			"a changed body": bytes.Replace(signed.Body, signed.Body[len(signed.Body)/2:len(signed.Body)/2+1], []byte("~"), 1),
			"a longer body":  append(slices.Clone(signed.Body), ' '),
			"no body":        nil,
		} {
			p := signed
			p.Body = body
			check(what, p, ats.Denied, 0, key{Value: fleetSecret})
		}
	}
	return errs
}

// A vector is one line of testdata/signatures.json: what the vendor would have
// sent, or somebody else.
type vector struct {
	Sample   string             `json:"sample"`
	Secret   string             `json:"secret"`
	Received *time.Time         `json:"received"`
	Headers  map[string]*string `json:"headers"` // null takes the header away
	Valid    bool               `json:"valid"`
	Why      string             `json:"why"`
}

func (v *vendor) checkVectors() error {
	text, err := fs.ReadFile(v.folder, "testdata/signatures.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var vectors []vector
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&vectors); err != nil {
		return err
	}
	var errs []error
	for i, c := range vectors {
		p, err := spec.Sample(v.folder, c.Sample)
		if err != nil {
			return err
		}
		for name, value := range c.Headers {
			p.Header.Del(name)
			if value != nil {
				p.Header.Set(name, *value)
			}
		}
		if c.Received != nil {
			p.Received = *c.Received
		}
		conn, err := v.dial(key{Value: c.Secret})
		if err != nil {
			return err
		}
		err = conn.(connectors.Receiver).Verify(p)
		if c.Valid != (err == nil) || err != nil && ats.FaultOf(err) != ats.Denied {
			errs = append(errs, fmt.Errorf("signatures[%d] (%s, %s): got %s, want valid %t", i, c.Sample, c.Why, said(err), c.Valid))
		}
	}
	return errors.Join(errs...)
}

func (v *vendor) checkTwice() error {
	return v.each(func(_ string, conn connectors.Connector, p connectors.Payload) error {
		first, err1 := conn.Decode(p)
		second, err2 := conn.Decode(p)
		if diff := cmp.Diff(first, second); diff != "" || said(err1) != said(err2) {
			return fmt.Errorf("events differ: %s, %s", said(err1), said(err2))
		}
		return nil
	})
}

func (v *vendor) checkKey() error {
	return v.each(func(_ string, conn connectors.Connector, p connectors.Payload) error {
		named, ok := conn.(connectors.Identifier)
		if !ok {
			return nil
		}
		again := p
		again.Received = p.Received.Add(time.Hour)
		if named.Key(p) != named.Key(again) {
			return errors.New("the key depends on the time of arrival")
		}
		if address.MatchString(named.Key(p)) {
			return errors.New("the key holds an address")
		}
		return nil
	})
}

func (v *vendor) checkReach() error {
	var payloads []connectors.Payload
	for _, name := range v.cases {
		p, err := spec.Sample(v.folder, name)
		if err != nil {
			return err
		}
		payloads = append(payloads, p)
	}
	missing, err := spec.Unreached(v.spec, payloads)
	errs := []error{err}
	for _, i := range missing {
		errs = append(errs, fmt.Errorf("events[%d]: no sample reaches it: when %s", i, v.spec.Events[i].When))
	}
	var answers []map[string]any
	for _, name := range v.fetched {
		a, err := v.answers(name)
		errs = append(errs, err)
		answers = append(answers, a)
	}
	missing, err = spec.UnreachedFetched(v.spec, answers)
	errs = append(errs, err)
	for _, i := range missing {
		errs = append(errs, fmt.Errorf("fetched.events[%d]: no answer reaches it: when %s", i, v.spec.Fetched.Events[i].When))
	}
	return errors.Join(errs...)
}

func (v *vendor) checkStates() error {
	seen := map[ats.State]bool{}
	err := v.each(func(_ string, conn connectors.Connector, p connectors.Payload) error {
		events, _ := conn.Decode(p)
		for _, e := range events {
			seen[e.State] = true
		}
		return nil
	})
	for _, name := range v.fetched {
		if e, err := v.fill(name); err == nil {
			seen[e.State] = true
		}
	}
	errs := []error{err}
	for _, rule := range slices.Concat(v.spec.Events, v.spec.Fetched.Events) {
		if rule.State != "" && !seen[ats.State(rule.State)] {
			errs = append(errs, fmt.Errorf("no sample is %s", rule.State))
		}
	}
	if !seen[ats.Rejected] {
		errs = append(errs, errors.New("no sample is a rejection"))
	}
	return errors.Join(errs...)
}

// checkFresh moves the samples in time. A time in a form of its own may stand
// still, but not the one that simulations and the demo play.
func (v *vendor) checkFresh() error {
	const later = 53 * 24 * time.Hour
	return v.each(func(name string, conn connectors.Connector, p connectors.Payload) error {
		before, err1 := conn.Decode(p)
		after, err2 := conn.Decode(spec.Fresh(p, p.Received.Add(later)))
		for i := range before {
			if name == playedCase || i < len(after) && !after[i].At.Equal(before[i].At) {
				before[i].At = before[i].At.Add(later)
			}
			if !before[i].NotBefore.IsZero() {
				before[i].NotBefore = before[i].NotBefore.Add(later)
			}
		}
		if diff := cmp.Diff(before, after); diff != "" || said(err1) != said(err2) {
			return fmt.Errorf("differs (%s, %s): %s", said(err1), said(err2), diff)
		}
		return nil
	})
}

// playedCase is the sample that simulations and the demo play first.
const playedCase = "rejected"

func (v *vendor) checkPlayed() error {
	p, err := spec.Sample(v.folder, playedCase)
	if err != nil {
		return err
	}
	conn, err := v.dial(v.secrets(fleetSecret)...)
	if err != nil {
		return err
	}
	events, err := conn.Decode(p)
	if err != nil || len(events) == 0 || events[0].State != ats.Rejected {
		return fmt.Errorf("%s: got %d events (%s), want a rejection", playedCase, len(events), said(err))
	}
	return nil
}

// answers reads what the code would hand to Fill; a hint may stand in it.
func (v *vendor) answers(name string) (map[string]any, error) {
	text, err := fs.ReadFile(v.folder, "testdata/"+name+".fetched.json")
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out map[string]any
	return out, d.Decode(&out)
}

func (v *vendor) fill(name string) (ats.Event, error) {
	e := ats.Event{At: time.Date(2026, 10, 2, 6, 15, 9, 0, time.UTC), Clock: ats.SentClock}
	conn, err := v.dial(v.secrets(fleetSecret)...)
	if err != nil {
		return e, err
	}
	filler, ok := conn.(interface {
		Fill(*ats.Event, map[string]any) error
	})
	if !ok {
		return e, errors.New("has answers, but nothing that fills them in")
	}
	a, err := v.answers(name)
	if err != nil {
		return e, err
	}
	return e, filler.Fill(&e, a)
}

// checkCut cuts every sample off: an error is due, never a silence.
func (v *vendor) checkCut() error {
	return v.each(func(_ string, conn connectors.Connector, p connectors.Payload) error {
		if !json.Valid(p.Body) {
			return nil // broken on purpose, or no JSON
		}
		body := bytes.TrimSpace(p.Body)
		for i := 0; i < len(body); i += 1 + len(body)/50 {
			p.Body = body[:i]
			if events, err := conn.Decode(p); err == nil {
				return fmt.Errorf("cut at byte %d: got %d events and no error", i, len(events))
			}
			if pinger, ok := conn.(connectors.Pinger); ok && pinger.Ping(p) {
				return fmt.Errorf("cut at byte %d: taken for a test", i)
			}
			if shaker, ok := conn.(connectors.Handshaker); ok {
				if _, ok := shaker.Handshake(p); ok {
					return fmt.Errorf("cut at byte %d: taken for a handshake", i)
				}
			}
		}
		return nil
	})
}

// What a leak looks like: a text that stands nowhere else, and any address.
const leaked = "漏洩 太郎 leaked.person@example.jp"

var address = regexp.MustCompile(`[\w.+-]+@[\w-]+\.[\w.-]+`)

// checkLeaks breaks every sample in many ways and reads what is said about it.
func (v *vendor) checkLeaks() error {
	var errs []error
	look := func(text string) error {
		for _, secret := range []string{"漏洩", "leaked.person", fleetSecret, otherSecret, v.name + "-test-key"} {
			if strings.Contains(text, secret) {
				return fmt.Errorf("holds %q: %s", secret, text)
			}
		}
		if found := address.FindString(text); found != "" {
			return fmt.Errorf("holds the address %s: %s", found, text)
		}
		return nil
	}
	err := v.each(func(name string, conn connectors.Connector, p connectors.Payload) error {
		instead := []any{leaked}
		if name == playedCase {
			instead = append(instead, map[string]any{"name": leaked}, []any{leaked})
		}
		for _, broken := range breakages(p, instead) {
			_, err := conn.Decode(broken)
			texts := []string{fmt.Sprint(err)}
			if door, ok := conn.(connectors.Receiver); ok {
				texts = append(texts, fmt.Sprint(door.Verify(broken)))
			}
			if s, ok := conn.(connectors.Signer); ok {
				_, err := s.Sign(broken)
				texts = append(texts, fmt.Sprint(err))
			}
			for _, text := range texts {
				if err := look(text); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for _, text := range []string{v.log.String(), fmt.Sprint(v.dial(key{Value: otherSecret}, key{}))} {
		errs = append(errs, look(text))
	}
	return errors.Join(append(errs, err)...)
}

// breakages are p with each value of its body replaced by what holds a person's
// data, p cut off at many places, and p with other content types.
func breakages(p connectors.Payload, instead []any) []connectors.Payload {
	var out []connectors.Payload
	with := func(body []byte) {
		q := p
		q.Body = body
		out = append(out, q)
	}
	with(p.Body)
	with([]byte(leaked))
	for i := range 16 {
		with(p.Body[:len(p.Body)*i/16])
	}
	for _, kind := range []string{"text/html", "application/x-www-form-urlencoded", "application/xml", leaked} {
		q := p
		q.Header = p.Header.Clone()
		q.Header.Set("Content-Type", kind)
		out = append(out, q)
	}
	d := json.NewDecoder(bytes.NewReader(p.Body))
	d.UseNumber()
	var body any
	if d.Decode(&body) != nil {
		return out
	}
	for _, other := range instead {
		replace(body, other, func() {
			if text, err := json.Marshal(body); err == nil {
				with(text)
			}
		})
	}
	return out
}

// replace puts one value after the other in the place of each part of v and
// calls f while it stands there.
func replace(v, instead any, f func()) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			was := v[k]
			replace(was, instead, f)
			v[k] = instead
			f()
			v[k] = was
		}
	case []any:
		for i, was := range v {
			replace(was, instead, f)
			v[i] = instead
			f()
			v[i] = was
		}
	}
}
