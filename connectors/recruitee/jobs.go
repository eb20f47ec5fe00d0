package recruitee

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Jobs implements connectors.JobLister with the offers that are published.
// Recruitee's own filter lets others through at times.
func (c *Connector) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(string) ([]ats.Job, string, error) {
		var answer struct {
			Offers []struct {
				ID                              json.Number
				Title, Status, Kind, Department string
			}
		}
		err := c.api.Get(ctx, c.company+"/offers", url.Values{"scope": {"published"}, "view_mode": {"brief"}, "kind": {"job"}}, &answer)
		if err != nil {
			return nil, "", err
		}
		if answer.Offers == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Recruitee's answer is not a list of offers")
		}
		var jobs []ats.Job
		for _, o := range answer.Offers {
			if o.Status == "published" && (o.Kind == "" || o.Kind == "job") {
				jobs = append(jobs, ats.Job{ID: o.ID.String(), Title: o.Title, Department: o.Department})
			}
		}
		return jobs, "", nil
	})
}
