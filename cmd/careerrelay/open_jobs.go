package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/store"
)

// Bounds of a list of open jobs.
const (
	fewJobs  = 200
	mostJobs = 5000
)

func vendorJobs(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "jobs COMPANY/CONNECTION", Short: "List the jobs that are open at a connection's vendor", Args: cobra.ExactArgs(1),
		Long: `List the jobs that are open in the ATS of a connection, as far as its API tells. The
id is what the entry of a recipient in relay.yaml names as job, to put candidates
into that ATS. The vendor is asked now, and nothing is kept.`,
		Example: "  careerrelay vendor jobs globex/ashby\n  careerrelay vendor jobs globex/ashby --json --limit 1000",
	}
	limit := c.Flags().Int("limit", fewJobs, fmt.Sprintf("how many at most, up to %d", mostJobs))
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if *limit < 1 || *limit > mostJobs {
			return ats.Errorf(ats.Invalid, "--limit: %d is not from 1 to %d", *limit, mostJobs)
		}
		l := openings{settings: s, db: db, client: relay.NewHTTPClient(false), limit: *limit}
		more, err := l.print(cmd.Context(), cmd.OutOrStdout(), args[0], *asJSON)
		if more {
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "there are more than these %d; --limit shows more\n", *limit)
		}
		return err
	})
	return c
}

// A openings asks a vendor for its open jobs.
type openings struct {
	*settings
	db     *store.Store
	client *http.Client
	limit  int
}

// print prints the jobs of company/connection and reports whether there are more
// than it printed.
func (l openings) print(ctx context.Context, out io.Writer, name string, asJSON bool) (more bool, err error) {
	id, connection, ok := strings.Cut(name, "/")
	if !ok {
		return false, ats.Errorf(ats.Invalid, "write COMPANY/CONNECTION, such as globex/ashby")
	}
	company, conn, err := openConnection(l.settings, l.db, l.client, id, connection)
	if err != nil {
		return false, err
	}
	lister, ok := conn.(connectors.JobLister)
	if !ok {
		return false, ats.Errorf(ats.Invalid, "%s/%s lists no jobs: %s has no API for that which is used here, or the connection has no key for it", id, connection, company.Connections[connection].Vendor)
	}
	var rows []ats.Job
	for j, err := range lister.Jobs(ctx) {
		if err != nil {
			return false, err
		}
		if len(rows) == l.limit {
			more = true
			break
		}
		rows = append(rows, j)
	}
	return more, printList(out, asJSON, rows, []column[ats.Job]{
		{"id", func(j ats.Job) string { return j.ID }},
		{"title", func(j ats.Job) string { return j.Title }},
		{"department", func(j ats.Job) string { return j.Department }},
		{"note", func(j ats.Job) string { return map[bool]string{true: "confidential"}[j.Confidential] }},
	})
}
