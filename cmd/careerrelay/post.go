package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/jobs"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// post returns how a mail about an alert leaves: by the service's own account,
// so that it does not depend on what it tells of. Without one the company's
// must do, unless a brake is on there.
func (v *server) post(ctx context.Context, company string) (jobs.Transport, ats.Email, error) {
	from := v.tenants.Shared().Alerts.From
	if v.sendGridKey != "" && from != "" {
		return jobs.Transport{Transport: mail.SendGrid{Key: ats.Secret(v.sendGridKey), BaseURL: v.sendGridBase, HTTP: v.sender}, Name: "sendgrid"}, from, nil
	}
	c, err := v.tenants.Company(company)
	if err != nil {
		return jobs.Transport{}, "", ats.Errorf(ats.Invalid, "the service has no transport of its own: set SENDGRID_API_KEY, and alerts.from in relay.yaml")
	}
	brakes, err := v.db.Brakes(ctx, company, false)
	if err != nil {
		return jobs.Transport{}, "", err
	}
	if slices.ContainsFunc(brakes, func(b record.Brake) bool {
		return slices.Contains([]string{"credentials", sending.BrakeBounces, sending.BrakeComplaints}, b.Kind)
	}) {
		return jobs.Transport{}, "", ats.Errorf(ats.Busy, "a brake is on at the transport of %s, and the service has none of its own: set SENDGRID_API_KEY, and alerts.from in relay.yaml", company)
	}
	t, err := v.transport(c)
	return t, c.Mail.From.Address, err
}

// certificateOf returns a look at the certificate behind an address, or nil
// when the address has none.
func certificateOf(address string) func(context.Context) (time.Time, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return nil
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	return func(ctx context.Context) (time.Time, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		// Only the date is read and nothing is sent: one that has ended must be seen too.
		d := tls.Dialer{Config: &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true}} //nolint:gosec // see above
		conn, err := d.DialContext(ctx, "tcp", host)
		if err != nil {
			return time.Time{}, ats.Errorf(ats.Busy, "looking at the certificate of %s: %w", u.Hostname(), err)
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].NotAfter, nil //nolint:forcetypeassert // a tls.Dialer makes nothing else, and a server shows one
	}
}
