package smartrecruiters

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

// Jobs implements connectors.JobLister with the jobs that are public.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		offset := api.Number(page, 0)
		var answer struct {
			TotalFound int
			Content    []struct {
				ID, Title     string
				PostingStatus string
				Department    struct{ Label string }
			}
		}
		err := c.api.Get(ctx, "/jobs", url.Values{"postingStatus": {"PUBLIC"}, "limit": {strconv.Itoa(jobsPerPage)}, "offset": {strconv.Itoa(offset)}}, &answer)
		if err != nil {
			return nil, "", err
		}
		if answer.Content == nil {
			return nil, "", ats.Errorf(ats.Invalid, "SmartRecruiters' answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, j := range answer.Content {
			if j.PostingStatus == "" || j.PostingStatus == "PUBLIC" {
				jobs = append(jobs, ats.Job{ID: j.ID, Title: j.Title, Department: j.Department.Label})
			}
		}
		if offset += len(answer.Content); len(answer.Content) == 0 || offset >= answer.TotalFound {
			return jobs, "", nil
		}
		return jobs, strconv.Itoa(offset), nil
	})
}
