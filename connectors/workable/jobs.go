package workable

import (
	"context"
	"iter"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Jobs implements connectors.JobLister with the jobs that are published.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		path, query := "/jobs", url.Values{"state": {"published"}, "limit": {strconv.Itoa(perPage)}}
		if page != "" {
			var err error
			if path, query, err = c.api.Within(page); err != nil {
				return nil, "", err
			}
		}
		var answer struct {
			Jobs []struct {
				Shortcode, Title, Department, State string
				Confidential                        bool
			}
			Paging struct{ Next string }
		}
		if err := c.api.Get(ctx, path, query, &answer); err != nil {
			return nil, "", err
		}
		if answer.Jobs == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Workable's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, j := range answer.Jobs {
			if j.State == "" || j.State == "published" {
				jobs = append(jobs, ats.Job{ID: j.Shortcode, Title: j.Title, Department: j.Department, Confidential: j.Confidential})
			}
		}
		return jobs, answer.Paging.Next, nil
	})
}
