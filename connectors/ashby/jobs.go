package ashby

import (
	"context"
	"iter"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// jobsPerPage is the most that Ashby gives.
const jobsPerPage = 100

// Jobs implements connectors.JobLister.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		in := object{"status": []string{"Open"}, "limit": jobsPerPage}
		if page != "" {
			in["cursor"] = page
		}
		var found []struct{ ID, Title, Status string }
		next, err := c.list(ctx, "job.list", in, &found)
		if err != nil {
			return nil, "", err
		}
		var jobs []ats.Job
		for _, j := range found {
			if j.Status == "" || j.Status == "Open" {
				jobs = append(jobs, ats.Job{ID: j.ID, Title: j.Title})
			}
		}
		return jobs, next, nil
	})
}
