package pinpoint

import (
	"context"
	"iter"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// jobsPerPage is how many jobs are asked for at once; Pinpoint gives up to 1000.
const jobsPerPage = 500

// Jobs implements connectors.JobLister with the jobs that are open.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		path, query := "/jobs", url.Values{"filter[status]": {"open"}, "page[size]": {strconv.Itoa(jobsPerPage)}}
		if page != "" {
			var err error
			if path, query, err = c.api.Within(page); err != nil {
				return nil, "", err
			}
		}
		var answer struct {
			Data []struct {
				ID         string
				Attributes struct{ Title, Status string }
			}
			Links struct{ Next string }
		}
		if err := c.api.Get(ctx, path, query, &answer); err != nil {
			return nil, "", err
		}
		if answer.Data == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Pinpoint's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, j := range answer.Data {
			if j.Attributes.Status == "" || j.Attributes.Status == "open" {
				jobs = append(jobs, ats.Job{ID: j.ID, Title: j.Attributes.Title})
			}
		}
		return jobs, answer.Links.Next, nil
	})
}
