package breezy

import (
	"context"
	"iter"
	"net/url"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Jobs implements connectors.JobLister with the positions that are published.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(string) ([]ats.Job, string, error) {
		var found []struct {
			ID         string `json:"_id"`
			Name       string
			State      string
			Department string
		}
		if err := c.api.Get(ctx, c.company+"/positions", url.Values{"state": {"published"}}, &found); err != nil {
			return nil, "", err
		}
		if found == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Breezy's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, p := range found {
			if p.State == "" || p.State == "published" {
				jobs = append(jobs, ats.Job{ID: p.ID, Title: p.Name, Department: p.Department})
			}
		}
		return jobs, "", nil
	})
}
