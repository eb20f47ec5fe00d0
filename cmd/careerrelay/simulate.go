package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
)

func simulateCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "webhook COMPANY CONNECTION [CASE]", Short: "Send a signed sample to a running server, as the vendor would",
		Long:    "Send a sample of the connection's vendor, signed with the connection's first secret, to PUBLIC_URL (or --to). Without CASE it is a rejection. The candidate in it is invented; whether a mail follows is decided by the company's file as always. A sample is always the same application, which gets one mail and no second: with --new it is another one each time.",
		Args:    cobra.RangeArgs(2, 3),
		Example: "  careerrelay simulate webhook acme greenhouse withdrawn",
	}
	to := c.Flags().String("to", "", "base address of the server (default PUBLIC_URL)")
	fresh := c.Flags().Bool("new", false, "send an application that was never seen before")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.check(); err != nil {
			return err
		}
		company, err := companyOf(s, args[0])
		if err != nil {
			return err
		}
		conn, err := newOpener(http.DefaultClient, nil, s.publicURL).make(company, args[1])
		if err != nil {
			return err
		}
		sample := "rejected"
		if len(args) > 2 {
			sample = args[2]
		}
		vendor := company.Connections[args[1]].Vendor
		p, err := signedSample(conn, vendor, sample)
		if err != nil {
			names, _ := all.Samples(vendor) // the first error says it all
			return fmt.Errorf("%w; have %s", err, strings.Join(names, " "))
		}
		if p, err = redelivered(conn, p); err != nil {
			return err
		}
		if *fresh {
			if p, err = renewed(conn, p); err != nil {
				return err
			}
		}
		base := strings.TrimRight(*to, "/")
		if base == "" {
			base = s.publicURL
		}
		address := base + "/hooks/" + company.ID + "/" + args[1]
		status, err := post(cmd.Context(), address, p)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s answered %d\n", address, status)
		if status/100 == 5 {
			return ats.Errorf(ats.Busy, "the server could not keep it; see its log")
		}
		if status/100 != 2 {
			return ats.Errorf(ats.Conflict, "the server did not take it; see its log")
		}
		return nil
	}
	return noun("simulate", "Send what a vendor would send", c)
}

// redelivered is a signed sample as another delivery: vendors number theirs, and
// a number that is known is taken for a repetition.
func redelivered(conn connectors.Connector, p connectors.Payload) (connectors.Payload, error) {
	if named, ok := conn.(connectors.Identifier); ok {
		p, _ = exchange(p, named.Key(p))
	}
	return conn.(connectors.Signer).Sign(p) // it was signed before
}

// renewed is a signed sample of an application that was never seen before.
func renewed(conn connectors.Connector, p connectors.Payload) (connectors.Payload, error) {
	events, err := conn.Decode(p)
	if err != nil {
		return p, err
	}
	for _, e := range events {
		other, done := exchange(p, e.Application)
		if !done {
			return p, ats.Errorf(ats.Invalid, "--new: this sample names no application that could be another one")
		}
		p = other
	}
	return conn.(connectors.Signer).Sign(p)
}

// exchange replaces an id in a sample by one with other digits, and reports
// whether it could. A short id may stand for anything.
func exchange(p connectors.Payload, id string) (connectors.Payload, bool) {
	digits := 0
	other := strings.Map(func(r rune) rune {
		if r <= '0' || r > '9' { // a zero may be a leading one
			return r
		}
		digits++
		return '1' + rand.N[rune](9)
	}, id)
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(id) + `\b`)
	if digits < 4 || other == id {
		return p, false
	}
	done := word.Match(p.Body)
	p.Body, p.Header = word.ReplaceAllLiteral(p.Body, []byte(other)), p.Header.Clone()
	for _, values := range p.Header {
		for i, v := range values {
			done = done || v == id
			values[i] = word.ReplaceAllLiteralString(v, other)
		}
	}
	return p, done
}
