package teamtailor

import (
	"context"
	"iter"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Jobs implements connectors.JobLister with the jobs that everybody sees.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		number := api.Number(page, 1)
		var answer struct {
			Data []struct {
				ID         string
				Attributes struct{ Title string }
			}
			Links struct{ Next string }
		}
		err := c.api.Get(ctx, "/jobs", url.Values{
			"filter[status]": {"published"}, "filter[feed]": {"public"}, "page[size]": {strconv.Itoa(perPage)}, "page[number]": {strconv.Itoa(number)},
		}, &answer)
		if err != nil {
			return nil, "", err
		}
		if answer.Data == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Teamtailor's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, j := range answer.Data {
			jobs = append(jobs, ats.Job{ID: j.ID, Title: j.Attributes.Title})
		}
		if answer.Links.Next == "" {
			return jobs, "", nil
		}
		return jobs, strconv.Itoa(number + 1), nil
	})
}
