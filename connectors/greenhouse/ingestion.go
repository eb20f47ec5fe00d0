package greenhouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// ingestion puts candidates in, by the Candidate Ingestion API. Greenhouse
// itself names the partner whom the key belongs to as the source.
type ingestion struct{ api *api.Client }

// Push implements connectors.Pusher. It cannot be asked who is there already, so
// a push of which nobody knows whether it was done must not be repeated.
func (g *ingestion) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	switch {
	case err != nil:
		return "", err
	case p.Given == "":
		return "", ats.Errorf(ats.Invalid, "Greenhouse wants a family name and a given name")
	case !plainID.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "the job's id is not one of Greenhouse's")
	}
	var made struct {
		ID            json.Number
		ApplicationID json.Number `json:"application_id"`
	}
	err = g.api.Create(ctx, "/candidates", object{
		"prospect": false, "job_id": json.Number(jobID), "first_name": p.Given, "last_name": p.Family, "external_id": external(p.Email, jobID),
		"emails": []object{{"email": p.Email, "type": "personal"}}, "notes": api.Note,
	}, &made)
	switch {
	case err != nil:
		return "", err
	case made.ApplicationID != "":
		return made.ApplicationID.String(), nil
	case made.ID == "":
		return "", ats.Errorf(ats.Unclear, "Greenhouse's answer does not name the candidate")
	}
	return made.ID.String(), nil
}

// external is our own name of a person for a job: the same when it is pushed
// again, and nothing that tells who it is.
func external(email, jobID string) string {
	sum := sha256.Sum256([]byte("career relay " + jobID + " " + email))
	return "career-relay-" + hex.EncodeToString(sum[:12])
}

// Jobs implements connectors.JobLister with the jobs that the partner's key
// shows.
func (g *ingestion) Jobs(ctx context.Context) iter.Seq2[ats.Job, error] {
	return api.Jobs(func(string) ([]ats.Job, string, error) {
		var found []struct {
			ID           json.Number
			Name, Status string
		}
		if err := g.api.Get(ctx, "/jobs", nil, &found); err != nil {
			return nil, "", err
		}
		if found == nil {
			return nil, "", ats.Errorf(ats.Invalid, "Greenhouse's answer is not a list of jobs")
		}
		var jobs []ats.Job
		for _, j := range found {
			if j.Status == "" || j.Status == "open" {
				jobs = append(jobs, ats.Job{ID: j.ID.String(), Title: j.Name})
			}
		}
		return jobs, "", nil
	})
}
