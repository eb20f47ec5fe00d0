package lever

import (
	"context"
	"iter"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Jobs implements connectors.JobLister with the postings that are published.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(page string) ([]ats.Job, string, error) {
		query := url.Values{"state": {"published"}, "limit": {strconv.Itoa(perPage)}}
		if page != "" {
			query.Set("offset", page)
		}
		var answer struct {
			Data []struct {
				ID, Text, Confidentiality string
				Categories                struct{ Team, Department string }
			}
			HasNext bool
			Next    string
		}
		if err := c.api.Get(ctx, "/postings", query, &answer); err != nil {
			return nil, "", err
		}
		if answer.Data == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Lever's answer is not a list of postings")
		}
		var jobs []ats.Job
		for _, p := range answer.Data {
			j := ats.Job{ID: p.ID, Title: p.Text, Department: p.Categories.Department, Confidential: p.Confidentiality == "confidential"}
			if j.Department == "" {
				j.Department = p.Categories.Team
			}
			jobs = append(jobs, j)
		}
		if !answer.HasNext {
			answer.Next = ""
		}
		return jobs, answer.Next, nil
	})
}
