package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
)

// TestDoctorAsksEveryVendor lets the doctor ask each vendor that has an API, with
// the key it knows and with another, and say whether anything arrived.
func TestDoctorAsksEveryVendor(t *testing.T) {
	h := openFleet(t)
	bare := map[string]bool{"bridge": true, "generic": true, "greenhouse": true} // without an API
	for _, vendor := range all.Vendors() {
		c, err := h.server.tenants.Company(vendor)
		if err != nil {
			t.Fatal(err)
		}
		conn := h.with(t)
		_, file := h.connector(vendor).(connectors.Reader)
		f, asked := examineCredentials(t.Context(), h.server.db, c, "it", h.client, conn.base)
		if want := !file && !bare[vendor]; asked != want || asked && !f.OK {
			t.Errorf("%s: asked %t, want %t: %+v", vendor, asked, want, f)
		}
		if !asked {
			continue
		}
		refusing := &http.Client{Transport: answering(http.StatusUnauthorized)}
		if f, asked := examineCredentials(t.Context(), h.server.db, c, "it", refusing, conn.base); !asked || f.OK || f.fault != ats.Denied {
			t.Errorf("%s with a wrong key: %t, %+v", vendor, asked, f)
		}
	}

	arrivals := func(vendor string) finding {
		t.Helper()
		c, err := h.server.tenants.Company(vendor)
		if err != nil {
			t.Fatal(err)
		}
		return examineArrivals(t.Context(), h.server.db, c, "it", h.base)
	}
	if f := arrivals("greenhouse"); !f.OK || !strings.Contains(f.Text, "nothing has arrived") || !strings.Contains(f.Cure, h.base+"/hooks/greenhouse/it") {
		t.Errorf("before anything: %+v", f)
	}
	if f := arrivals("hrmos"); strings.Contains(f.Cure, "/hooks/") {
		t.Errorf("a vendor of files: %+v", f)
	}
	p, err := signedSample(h.connector("greenhouse"), "greenhouse", "ping")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := post(t.Context(), h.base+"/hooks/greenhouse/it", p); status != http.StatusOK || err != nil {
		t.Fatal(status, err)
	}
	h.rest("greenhouse")
	if f := arrivals("greenhouse"); !f.OK || !strings.Contains(f.Text, "connection OK") {
		t.Errorf("after the vendor's test: %+v", f)
	}
	if got := h.hook("greenhouse", "it", "greenhouse", func(p *connectors.Payload) { p.Header.Set("Greenhouse-Event-ID", "another") }); got != http.StatusOK {
		t.Fatal(got)
	}
	h.rest("greenhouse")
	if f := arrivals("greenhouse"); !f.OK || !strings.Contains(f.Text, "decoded") {
		t.Errorf("after a rejection: %+v", f)
	}
}

// answering answers everything with one status.
type answering int

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(a), Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func TestVendorTryExplains(t *testing.T) {
	var out, side strings.Builder
	run(t.Context(), []string{"vendor", "try", "greenhouse", "rejected"}, func(string) (string, bool) { return "", false }, strings.NewReader(""), &out, &side)
	if !strings.Contains(out.String(), `"state": "rejected"`) || !strings.Contains(side.String(), `events[1] applies (rejected by company): when .body.action == "reject_candidate"`) {
		t.Errorf("got %s and %s", out.String(), side.String())
	}
	side.Reset()
	run(t.Context(), []string{"vendor", "try", "csv", "rejected"}, func(string) (string, bool) { return "", false }, strings.NewReader(""), &out, &side)
	if !strings.Contains(side.String(), "empty: ") || !strings.Contains(side.String(), "job.id") {
		t.Errorf("the empty fields are not said: %s", side.String())
	}
}
