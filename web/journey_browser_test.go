package web_test

import (
	"context"
	"database/sql"
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/verify"
	"github.com/career-relay/connector/jobs"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/web/webtest"
)

// failed puts n dead jobs and their deliveries into the database.
func (o *office) failed(n int) {
	o.t.Helper()
	db, err := sql.Open("sqlite", "file:"+o.file+"?_pragma=busy_timeout(10000)")
	o.must(err)
	defer func() { _ = db.Close() }()
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) `
	for _, statement := range []string{
		`INSERT INTO deliveries (id, company, connection, vendor, door, dedupe_key, payload, size, disposition, reason, received_at, expires_at) ` + numbers +
			`SELECT '00D' || substr('0000000' || i, -7), 'acme', 'greenhouse', 'greenhouse', 'webhook', i, x'00', 1, 'parked', 'the vendor is away', i, i + 9000000000000000 FROM n`,
		`INSERT INTO jobs (id, company, kind, queue, subject, state, due_at, error, fault, vendor, deaths, created_at, updated_at) ` + numbers +
			`SELECT '00J' || substr('0000000' || i, -7), 'acme', 'decode', 'live', '00D' || substr('0000000' || i, -7), 'dead', i, 'the vendor is away', 'busy', 'greenhouse', 1 + i % 100 / 99 * 5, i, i FROM n`,
	} {
		_, err := db.ExecContext(o.t.Context(), statement, n)
		o.must(err)
	}
}

// journey opens the console in a browser for each of the people.
func (o *office) journey(names ...string) map[string]*webtest.Page {
	o.t.Helper()
	b, pages := webtest.Open(o.t), map[string]*webtest.Page{}
	for _, name := range names {
		_, err := o.store.AddUser(o.t.Context(), record.System, name, "a long password", record.Operator)
		o.must(err)
		pages[name] = b.Page(o.t, webtest.Device{Lang: "en", NoScript: true})
		o.enter(pages[name], name)
	}
	return pages
}

// follow clicks on what leads to another page.
func follow(t *testing.T, p *webtest.Page, selector string) {
	t.Helper()
	p.Follow(func() { p.Click(selector) })
}

func wantText(t *testing.T, p *webtest.Page, want ...string) {
	t.Helper()
	text := p.Text()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Fatalf("%s lacks %q:\n%s", p.URL(), w, text)
		}
	}
}

// audited fails unless the log is unbroken.
func (o *office) audited() {
	o.t.Helper()
	if _, err := o.store.VerifyAudit(o.t.Context()); err != nil {
		o.t.Error(err)
	}
}

// From fifty thousand failed jobs to a file that says what became of each.
func TestFiftyThousandFailedJobs(t *testing.T) {
	o := newOffice(t)
	const n = 50_000
	o.failed(n)
	p := o.journey("megumi")["megumi"]
	p.Go(o.base + "/dead-letters")
	wantText(t, p, "50,000", "Does not answer", "greenhouse", "Poison 500")
	follow(t, p, `a.btn[href^="/jobs/retry"]`)
	wantText(t, p, "Re-run 49,500 jobs of 50,000 jobs", "No longer allowed", "Nothing happens on this page")
	p.Click("#reason")
	p.Type("the vendor is back")
	follow(t, p, `main form button.go`)
	wantText(t, p, "of 50,000 jobs are over", "the vendor is back")
	at := p.URL()
	for range 10 {
		o.stepBatches()
		o.wait(time.Second)
	}
	p.Go(at)
	wantText(t, p, "Running or waiting", "Cancel the rest")

	other := o.journey("ryo")["ryo"]
	other.Go(o.base + "/jobs/retry?state=dead&fault=busy&kind=decode&vendor=greenhouse")
	other.Click("#reason")
	other.Type("me too")
	follow(t, other, `main form button.go`)
	wantText(t, other, "Somebody was faster", "user:megumi")

	p.Click("#reason")
	p.Type("enough for today")
	follow(t, p, `button[formaction$="/cancel"]`)
	wantText(t, p, "Cancelled")
	o.login(record.Viewer)
	file := o.ask(http.MethodGet, strings.TrimPrefix(at, o.base)+"/results.csv", "")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.body, "\uFEFF"))).ReadAll()
	o.must(err)
	batches, err := o.store.Batches(t.Context(), record.Filter{})
	o.must(err)
	if len(rows) != 1+batches[0].Matched || batches[0].Matched == 0 || batches[0].State != record.BatchCancelled {
		t.Errorf("the file has %d rows; batch %+v", len(rows), batches[0])
	}
	o.audited()
}

// From a wrong secret to a delivery that is read.
func TestAWrongSecretIsCorrected(t *testing.T) {
	secret := "wrong"
	o := newOffice(t, func(o *office) {
		o.ops.Open = func(string, string) (connectors.Connector, error) {
			return vendor{scheme: verify.Token{Place: verify.Place{Header: "X-Key"}}, secrets: []connectors.Secret{{Value: secret}}}, nil
		}
	})
	_, err := o.store.SaveDelivery(t.Context(), record.Arrival{
		Delivery: connectors.Delivery{
			Company: "acme", Connection: "greenhouse", Door: connectors.Webhook, Key: "refused",
			Payload: connectors.Payload{Header: http.Header{"X-Key": {"right"}}, Body: []byte(`{}`), Received: o.clock()},
		},
		Vendor: "greenhouse", Disposition: record.Quarantined, Reason: "the signature does not fit", Keep: 72 * time.Hour,
	})
	o.must(err)
	p := o.journey("megumi")["megumi"]
	p.Go(o.base + "/deliveries?state=quarantined")
	follow(t, p, `.bulk a.btn`)
	wantText(t, p, "the signature still does not fit", "Nothing to be done")
	secret = "right" // the company's file is corrected
	p.Go(o.base + "/deliveries/release?state=quarantined&company=acme")
	wantText(t, p, "Release 1 delivery")
	p.Click("#reason")
	p.Type("the secret was mistyped")
	follow(t, p, `main form button.go`)
	at := p.URL()
	o.work(func() bool {
		rows, err := o.store.Batches(t.Context(), record.Filter{State: record.BatchDone})
		return err == nil && len(rows) == 1
	})
	p.Go(at)
	wantText(t, p, "1 of 1 delivery", "the secret was mistyped")
	rows, err := o.store.Deliveries(t.Context(), record.Filter{Company: "acme"})
	o.must(err)
	if len(rows) != 1 || rows[0].Disposition != record.Ignored || rows[0].Secret != "#1" { // this vendor's payload says nothing
		t.Errorf("got %+v", rows)
	}
	o.audited()
}

// work lets a worker run until something is so.
func (o *office) work(until func() bool) {
	o.t.Helper()
	courier, err := jobs.OpenCourier("", o.ops.Log)
	o.must(err)
	w := &jobs.Worker{
		Store: o.store, Courier: courier, Tenants: &o.firms, Open: o.ops.Open, Letters: o.ops.Letters, Name: "office",
		Transport: func(*configs.Company) (jobs.Transport, error) { return o.transport, nil }, Now: o.clock, Log: o.ops.Log, Meter: unmetered{},
	}
	ctx, stop := context.WithCancel(o.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for range 600 {
		if until() {
			break
		}
		o.wait(time.Second)
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	o.must(<-ended)
	o.must(courier.Close())
	if !until() {
		o.t.Fatal("waited in vain for the worker")
	}
}

type unmetered struct{}

func (unmetered) Job(string, string, time.Duration) {}
func (unmetered) Mail(string, string)               {}

// A braked batch leaves when two persons have looked at it.
func TestABrakedBatchNeedsASecondPerson(t *testing.T) {
	o := newOffice(t)
	o.seed()
	pages := o.journey("megumi", "ryo")
	p := pages["megumi"]
	p.Go(o.base + "/hold")
	wantText(t, p, "wait for a first person")
	follow(t, p, `a[href="/hold/brakes/northwind"]`)
	p.Click(`input[name="meant"]`)
	p.Click("#reason")
	p.Type("they did their graduate intake")
	follow(t, p, `main form button.go`)
	wantText(t, p, "Only somebody else can release them", "they did their graduate intake")

	p = pages["ryo"]
	p.Go(o.base + "/hold/brakes/northwind")
	wantText(t, p, "user:megumi", "Open the samples first")
	release := func() {
		t.Helper()
		p.Click(`form[action$="/release"] input[name="meant"]`)
		p.Click(`form[action$="/release"] input[name="right"]`)
		p.Click("#reason")
		p.Type("the company said so")
		follow(t, p, `form[action$="/release"] button.go`)
	}
	release()
	wantText(t, p, "Open the samples first")
	for n := range 3 {
		p.Go(o.base + "/hold/brakes/northwind")
		follow(t, p, `.list li:nth-child(`+string(rune('1'+n))+`) a`)
		p.Click("#why")
		p.Type("a sample of the braked batch")
		follow(t, p, `.pane .pane form button, .pane form[action$="/reveal"] button`)
		wantText(t, p, "Northwind KK")
	}
	p.Go(o.base + "/hold/brakes/northwind")
	if text := p.Text(); strings.Contains(text, "Not yet") {
		t.Fatalf("a sample counts as not looked at:\n%s", text)
	}
	release()
	mails, err := o.store.Mails(t.Context(), record.Filter{Company: "northwind"})
	o.must(err)
	for _, m := range mails {
		if m.Stopped || !m.Released {
			t.Errorf("a mail is not released: %+v", m)
		}
	}
	brakes, err := o.store.Brakes(t.Context(), "northwind", false)
	o.must(err)
	if len(brakes) != 0 {
		t.Errorf("the brake is still on: %+v", brakes)
	}
	o.audited()
}
