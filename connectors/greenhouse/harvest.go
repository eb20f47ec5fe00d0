package greenhouse

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// harvest reads applications again, by Harvest v3.
type harvest struct{ api *api.Client }

// State implements connectors.Checker. Whether a rejected application was
// rejected or withdrawn only the webhook says; that does not change.
func (h *harvest) State(ctx context.Context, e ats.Event) (ats.State, error) {
	if !plainID.MatchString(e.Application) {
		return "", ats.Errorf(ats.Invalid, "the application's id is not one of Greenhouse's")
	}
	var found []struct {
		ID     json.Number
		Status string
	}
	if err := h.api.Get(ctx, "/applications", url.Values{"ids": {e.Application}}, &found); err != nil {
		return "", err
	}
	switch {
	case len(found) == 0:
		return "", ats.Errorf(ats.NotFound, "Greenhouse has no such application, or the user of the credential may not see it")
	case len(found) > 1 || found[0].ID.String() != e.Application:
		return "", ats.Errorf(ats.Invalid, "Greenhouse's answer is not the application that was asked for")
	}
	switch found[0].Status {
	case "rejected":
		if e.State == ats.Withdrawn {
			return ats.Withdrawn, nil
		}
		return ats.Rejected, nil
	case "hired":
		return ats.Hired, nil
	case "active":
		return ats.Reopened, nil
	}
	return "", ats.Errorf(ats.Invalid, "Greenhouse names a status that is not known")
}
