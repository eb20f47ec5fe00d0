package unifiedto

import (
	"context"
	"iter"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// jobsPerPage is how many jobs are asked for at once.
const jobsPerPage = 100

// Jobs implements connectors.JobLister with the jobs that are open.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		offset := api.Number(page, 0)
		var found []struct {
			ID, Name, Status string
			Groups           []struct{ Name string }
		}
		err := c.api.Get(ctx, "/ats/"+url.PathEscape(c.account)+"/job", url.Values{
			"status": {"OPEN"}, "limit": {strconv.Itoa(jobsPerPage)}, "offset": {strconv.Itoa(offset)},
		}, &found)
		if err != nil {
			return nil, "", err
		}
		if found == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Unified.to's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, j := range found {
			if j.Status != "" && j.Status != "OPEN" {
				continue
			}
			one := ats.Job{ID: j.ID, Title: j.Name}
			if len(j.Groups) > 0 {
				one.Department = j.Groups[0].Name
			}
			jobs = append(jobs, one)
		}
		if len(found) < jobsPerPage {
			return jobs, "", nil
		}
		return jobs, strconv.Itoa(offset + len(found)), nil
	})
}
