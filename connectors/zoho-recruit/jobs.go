package zohorecruit

import (
	"context"
	"iter"
	"slices"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// ended are the usual words for a job opening that nobody can apply for.
var ended = []string{"Filled", "Cancelled", "Declined", "Inactive", "On-Hold", "Closed"}

// Jobs implements connectors.JobLister with the job openings that are not said
// to be closed.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		number := api.Number(page, 1)
		var found []struct {
			ID     string
			Title  string `json:"Posting_Title"`
			Name   string `json:"Job_Opening_Name"`
			Status string `json:"Job_Opening_Status"`
		}
		more, err := c.list(ctx, "/Job_Openings", number, nil, &found)
		if err != nil {
			return nil, "", err
		}
		var jobs []ats.Job
		for _, j := range found {
			if slices.Contains(ended, j.Status) {
				continue
			}
			if j.Title == "" {
				j.Title = j.Name
			}
			jobs = append(jobs, ats.Job{ID: j.ID, Title: j.Title})
		}
		if !more {
			return jobs, "", nil
		}
		return jobs, strconv.Itoa(number + 1), nil
	})
}
