package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

// askPatience bounds the question to one vendor.
const askPatience = 15 * time.Second

// pinged is the reason of a vendor's test delivery.
const pinged = "connection OK"

// examineConnections asks every vendor with an API whether it takes the
// credentials, and says whether anything came through every door.
func examineConnections(ctx context.Context, s *settings, client *http.Client) []finding {
	tenants, err := openTenants(s, nil)
	if err != nil {
		return nil // examineCompanies says it
	}
	db, err := openStore(ctx, s, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil // examineStore says it
	}
	defer func() { _ = db.Close() }()
	var found []finding
	for _, c := range tenants.Companies() {
		for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
			about := c.ID + "/" + name
			if f, ok := examineCredentials(ctx, db, c, name, client, s.publicURL); ok {
				f.About = about
				found = append(found, f)
			}
			f := examineArrivals(ctx, db, c, name, s.publicURL)
			f.About = about
			found = append(found, f)
		}
	}
	return found
}

// counted counts the calls that leave.
type counted struct {
	http.RoundTripper
	calls *atomic.Int64
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// examineCredentials asks a vendor for something harmless: the application of
// our sample, which it will not know, or the first news. false when there is
// nothing to ask.
func examineCredentials(ctx context.Context, db *store.Store, c *configs.Company, name string, client *http.Client, base string) (finding, bool) {
	calls, asking := &atomic.Int64{}, *client
	if asking.Transport == nil {
		asking.Transport = http.DefaultTransport
	}
	asking.Transport = counted{asking.Transport, calls}
	opener := newOpener(&asking, nil, base)
	opener.vault = db.Vault // a token that is renewed here is the one that counts from then on
	conn, err := opener.make(c, name)
	if err != nil {
		return finding{}, false // examineCompanies says it
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	err = ask(ctx, conn, c.Connections[name].Vendor)
	switch fault := ats.FaultOf(err); {
	case calls.Load() == 0:
		return finding{}, false
	case fault == ats.Denied:
		return wrong("", err, "correct the key in the company's file, or its rights at the vendor; careerrelay vendor show "+c.Connections[name].Vendor+" lists them"), true
	case fault == ats.Busy || errors.Is(err, context.DeadlineExceeded):
		return finding{Text: "the vendor does not answer: " + err.Error(), Cure: "try again later; nothing is lost meanwhile", fault: ats.Busy}, true
	}
	return finding{OK: true, Text: "the vendor takes the credentials"}, true
}

// ask makes one question of a connector, the cheaper one first.
func ask(ctx context.Context, conn connectors.Connector, vendor string) error {
	if checker, ok := conn.(connectors.Checker); ok {
		if p, err := all.Sample(vendor, "rejected", stamp()); err == nil {
			if events, err := conn.Decode(p); err == nil && len(events) > 0 {
				_, err = checker.State(ctx, events[0])
				return err
			}
		}
	}
	if poller, ok := conn.(connectors.Poller); ok {
		_, _, err := poller.Poll(ctx, "")
		return err
	}
	return nil
}

// examineArrivals says what came last, or what to do so that something comes.
func examineArrivals(ctx context.Context, db *store.Store, c *configs.Company, name, base string) finding {
	last, err := db.Deliveries(ctx, record.Filter{Company: c.ID, Connection: name, Limit: 1})
	vendor := c.Connections[name].Vendor
	switch {
	case err != nil:
		return wrong("", err, "")
	case len(last) == 0:
		f := finding{OK: true, Text: "nothing has arrived yet", Cure: "careerrelay vendor show " + vendor + " says how to switch it on"}
		if conn, err := newOpener(http.DefaultClient, nil, base).make(c, name); err == nil && hears(conn) {
			f.Cure += "; its webhooks go to " + base + "/hooks/" + c.ID + "/" + name
		}
		return f
	case last[0].Disposition == record.Ignored && strings.HasPrefix(last[0].Reason, pinged):
		return finding{OK: true, Text: pinged + ": the vendor's test arrived " + clock(last[0].ReceivedAt)}
	case last[0].Disposition == record.Quarantined:
		return finding{Text: "the last delivery, of " + clock(last[0].ReceivedAt) + ", had a bad signature", Cure: "the secret here and at the vendor differ; careerrelay delivery list --company " + c.ID + " --state quarantined"}
	}
	return finding{OK: true, Text: "the last delivery arrived " + clock(last[0].ReceivedAt) + ": " + string(last[0].Disposition)}
}

// hears reports whether webhooks come to a connector.
func hears(conn connectors.Connector) bool {
	d, ok := conn.(interface{ Door() connectors.Door })
	return ok && d.Door() == connectors.Webhook
}
