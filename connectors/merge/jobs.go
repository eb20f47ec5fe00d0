package merge

import (
	"context"
	"iter"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Jobs implements connectors.JobLister with the jobs that are open.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		query := url.Values{"status": {"OPEN"}, "page_size": {strconv.Itoa(perPage)}}
		if page != "" {
			query.Set("cursor", page)
		}
		var answer struct {
			Results []struct {
				ID, Name, Status string
				Confidential     bool
			}
			Next string
		}
		if err := c.api.Get(ctx, "/jobs", query, &answer); err != nil {
			return nil, "", err
		}
		if answer.Results == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Merge's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, j := range answer.Results {
			if j.Status == "" || j.Status == "OPEN" {
				jobs = append(jobs, ats.Job{ID: j.ID, Title: j.Name, Confidential: j.Confidential})
			}
		}
		return jobs, answer.Next, nil
	})
}
