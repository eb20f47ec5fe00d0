package stackone

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// ended are the words for a job that nobody can apply for.
var ended = []string{"closed", "archived", "draft", "deleted", "filled", "cancelled", "on_hold"}

// Jobs implements connectors.JobLister with the jobs that are not said to be
// closed: there is no filter.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		query := url.Values{"page_size": {strconv.Itoa(perPage)}}
		if page != "" {
			query.Set("next", page)
		}
		var answer struct {
			Data []struct {
				ID, Title    string
				Confidential any
				JobStatus    struct{ Value string } `json:"job_status"`
			}
			Next string
		}
		if err := c.api.Get(ctx, "/unified/ats/jobs", query, &answer); err != nil {
			return nil, "", err
		}
		if answer.Data == nil {
			return nil, "", ats.Errorf(ats.Invalid, "StackOne's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, j := range answer.Data {
			if !slices.Contains(ended, j.JobStatus.Value) {
				jobs = append(jobs, ats.Job{ID: j.ID, Title: j.Title, Confidential: j.Confidential == true || j.Confidential == "true"})
			}
		}
		return jobs, answer.Next, nil
	})
}
