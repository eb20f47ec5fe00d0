package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/all"
)

func simulateCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "webhook COMPANY CONNECTION [CASE]", Short: "Send a signed sample to a running server, as the vendor would",
		Long:    "Send a sample of the connection's vendor, signed with the connection's first secret, to PUBLIC_URL (or --to). Without CASE it is a rejection. The candidate in it is invented; whether a mail follows is decided by the company's file as always.",
		Args:    cobra.RangeArgs(2, 3),
		Example: "  careerrelay simulate webhook acme greenhouse withdrawn",
	}
	to := c.Flags().String("to", "", "base address of the server (default PUBLIC_URL)")
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
		if status/100 != 2 {
			return ats.Errorf(ats.Conflict, "the server did not take it; see its log")
		}
		return nil
	}
	return noun("simulate", "Send what a vendor would send", c)
}
