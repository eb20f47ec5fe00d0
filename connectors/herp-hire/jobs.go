package herphire

import (
	"context"
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
		var answer struct {
			Requisitions []struct{ ID, Name, Title, Status string }
			HasNextPage  bool
		}
		if err := c.api.Get(ctx, "/requisitions", url.Values{"status": {"active"}, "page": {strconv.Itoa(number)}}, &answer); err != nil {
			return nil, "", err
		}
		if answer.Requisitions == nil {
			return nil, "", ats.Errorf(ats.Invalid, "HERP's answer is not a list of requisitions")
		}
		var jobs []ats.Job
		for _, r := range answer.Requisitions {
			if r.Status != "" && r.Status != "active" {
				continue
			}
			if r.Name == "" { // two descriptions name it differently
				r.Name = r.Title
			}
			jobs = append(jobs, ats.Job{ID: r.ID, Title: r.Name})
		}
		if !answer.HasNextPage {
			return jobs, "", nil
		}
		return jobs, strconv.Itoa(number + 1), nil
	})
}
