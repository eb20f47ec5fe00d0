package jobadder

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Jobs implements connectors.JobLister with the jobs that are active.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		offset := api.Number(page, 0)
		var answer struct {
			Items []struct {
				JobID    json.Number
				JobTitle string
			}
			TotalCount int
		}
		err := c.api.Get(ctx, "/jobs", url.Values{"active": {"true"}, "limit": {strconv.Itoa(perPage)}, "offset": {strconv.Itoa(offset)}}, &answer)
		if err != nil {
			return nil, "", err
		}
		if answer.Items == nil {
			return nil, "", ats.Errorf(ats.Invalid, "JobAdder's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, j := range answer.Items {
			jobs = append(jobs, ats.Job{ID: j.JobID.String(), Title: j.JobTitle})
		}
		if offset += len(answer.Items); len(answer.Items) == 0 || offset >= answer.TotalCount {
			return jobs, "", nil
		}
		return jobs, strconv.Itoa(offset), nil
	})
}
