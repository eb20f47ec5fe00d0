package kombo

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Jobs implements connectors.JobLister with the jobs that are open, also to
// people from outside.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		query := url.Values{"statuses": {"OPEN"}, "page_size": {strconv.Itoa(perPage)}}
		if page != "" {
			query.Set("cursor", page)
		}
		rows, next, err := c.list(ctx, "/ats/jobs", query)
		if err != nil {
			return nil, "", err
		}
		var jobs []ats.Job
		for _, row := range rows {
			var j struct {
				ID, Name, Status, Visibility, Department string
				Confidential                             bool
			}
			if json.Unmarshal(row, &j) != nil {
				return nil, "", ats.Errorf(ats.Invalid, "a row of Kombo's answer is no job")
			}
			if j.Visibility == "INTERNAL" || j.Status != "" && j.Status != "OPEN" {
				continue
			}
			jobs = append(jobs, ats.Job{ID: j.ID, Title: j.Name, Department: j.Department, Confidential: j.Confidential || j.Visibility == "CONFIDENTIAL"})
		}
		return jobs, next, nil
	})
}
