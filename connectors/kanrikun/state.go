package kanrikun

import (
	"context"

	"github.com/career-relay/connector/ats"
)

// checkPages bounds what is read of the rejected to find one student.
const checkPages = 50

// State implements connectors.Checker. The vendor cannot be asked for an id, so
// it is asked for the address. Whoever is not found by it is looked for among the
// rejected; who is not there either is no longer rejected, or gone.
func (c *Connector) State(ctx context.Context, e ats.Event) (ats.State, error) {
	if !plainID.MatchString(e.Application) {
		return "", ats.Errorf(ats.Invalid, "the id is not that of a student")
	}
	if e.Candidate.Email != "" {
		rows, _, err := c.page(ctx, 1, map[string]any{"email": string(e.Candidate.Email)})
		if state, found, err := c.among(rows, e.Application, err); found || err != nil {
			return state, err
		}
	}
	read := 0
	for number := 1; number <= checkPages; number++ {
		rows, total, err := c.page(ctx, number, map[string]any{"status": statuses[0]})
		if state, found, err := c.among(rows, e.Application, err); found || err != nil {
			return state, err
		}
		if read += len(rows); len(rows) == 0 || read >= total {
			return "", ats.Errorf(ats.NotFound, "the student is not among the rejected")
		}
	}
	return "", ats.Errorf(ats.TooLarge, "more than %d pages of rejected students", checkPages)
}

// among returns the state of a student who is in rows.
func (c *Connector) among(rows []student, id string, err error) (ats.State, bool, error) {
	if err != nil {
		return "", false, err
	}
	for _, row := range rows {
		if row.ID != id {
			continue
		}
		p, err := payload(row, c.now())
		if err != nil {
			return "", false, err
		}
		events, err := c.Decode(p)
		if err != nil || len(events) == 0 {
			return "", true, err
		}
		return events[0].State, true, nil
	}
	return "", false, nil
}
