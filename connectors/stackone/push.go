package stackone

import (
	"context"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// Push implements connectors.Pusher. Whether the ATS behind StackOne takes the
// same person twice differs, so a push of which nobody knows whether it was done
// must not be repeated.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	switch {
	case err != nil:
		return "", err
	case !plainID.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "the job's id is not one of StackOne's")
	}
	person, err := c.create(ctx, "/unified/ats/candidates", object{"first_name": p.Given, "last_name": p.Family, "name": p.Name, "email": p.Email})
	if err != nil {
		return "", err
	}
	return c.create(ctx, "/unified/ats/applications", object{"candidate_id": person, "job_id": jobID, "source": object{"value": api.Note}})
}

func (c *Connector) create(ctx context.Context, path string, in object) (string, error) {
	var made struct{ Data struct{ ID string } }
	if err := c.api.Create(ctx, path, in, &made); err != nil {
		return "", err
	}
	if !plainID.MatchString(made.Data.ID) {
		return "", ats.Errorf(ats.Unclear, "StackOne's answer does not name what it made")
	}
	return made.Data.ID, nil
}
