package lever

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// source is what Lever shows as the source of those whom we put in.
const source = "Career Relay"

// Push implements connectors.Pusher. Lever joins the person to a contact whom it
// knows by the address, but makes a second opportunity of a second push: one
// that was made by us is found where the list can be asked for an address.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	switch {
	case err != nil:
		return "", err
	case c.user == "":
		return "", ats.Errorf(ats.Invalid, "user_id: required to put candidates into Lever; write the id of the user in whose name")
	case !plainID.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "want the id of a posting")
	}
	if id, err := c.pushed(ctx, p.Email, jobID); err != nil || id != "" {
		return id, err
	}
	as := url.Values{"perform_as": {c.user}}
	var made struct{ Data struct{ ID string } }
	err = c.api.CreateWith(ctx, "/opportunities", as, map[string]any{
		"name": p.Name, "emails": []string{p.Email}, "sources": []string{source}, "origin": "agency", "postings": []string{jobID},
	}, &made)
	if err != nil {
		return "", err
	}
	if !plainID.MatchString(made.Data.ID) {
		return "", ats.Errorf(ats.Unclear, "Lever's answer does not name the opportunity")
	}
	// The candidate is there: without the note nothing must be done again.
	note := map[string]any{"value": api.Note}
	if err := c.api.CreateWith(ctx, "/opportunities/"+made.Data.ID+"/notes", as, note, nil); err != nil && c.log != nil {
		c.log.WarnContext(ctx, "note left out", "candidate", made.Data.ID, "err", err)
	}
	return made.Data.ID, nil
}

// pushed looks for the opportunity that an earlier push made. A list that takes
// no notice of the address holds others, which are passed over.
func (c *Connector) pushed(ctx context.Context, email, jobID string) (string, error) {
	var answer struct {
		Data []struct {
			ID              string
			Emails, Sources []string
			Applications    []object
		}
	}
	err := c.api.Get(ctx, "/opportunities", url.Values{"email": {email}, "expand": {"applications"}, "limit": {strconv.Itoa(perPage)}}, &answer)
	if err != nil {
		return "", err
	}
	for _, o := range answer.Data {
		of := slices.ContainsFunc(o.Applications, func(a object) bool { return a.Posting == jobID })
		if of && slices.Contains(o.Emails, email) && slices.Contains(o.Sources, source) {
			return o.ID, nil
		}
	}
	return "", nil
}
