package talentio

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Jobs implements connectors.JobLister with the requisitions that are active.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		number := api.Number(page, 1)
		var answer []struct {
			ID           json.Number
			Name, Status string
		}
		if err := c.api.Get(ctx, "/requisitions", url.Values{"status": {"active"}, "page": {strconv.Itoa(number)}}, &answer); err != nil {
			return nil, "", err
		}
		if answer == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Talentio's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, r := range answer {
			if r.Status == "" || r.Status == "active" {
				jobs = append(jobs, ats.Job{ID: r.ID.String(), Title: r.Name})
			}
		}
		if len(answer) < perPage {
			return jobs, "", nil
		}
		return jobs, strconv.Itoa(number + 1), nil
	})
}
