package web

import (
	"context"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
)

// alertNoun is what people were told of.
var alertNoun = noun{"alerts", "alert", []string{"id", "company", "kind", "state", "since", "until"}, record.States("alert"), false}

// An alertRow is an alert with what it means.
type alertRow struct {
	alerts.Alert
	State   string `json:"state"`
	Text    string `json:"text"`
	Advice  string `json:"advice"`
	Runbook string `json:"runbook"`
}

// alerts lists alerts for the API, in English like all of it.
func (k *desk) alerts(ctx context.Context, f record.Filter) ([]alertRow, error) {
	found, err := k.Desk.Alerts(ctx, f)
	out := make([]alertRow, len(found))
	for i, a := range found {
		out[i] = alertRow{a, a.State(k.Now()), a.Text("en", time.UTC), alerts.Advice(a.Kind, "en"), a.Kind.Runbook()}
	}
	return out, err
}

func (k *desk) alert(ctx context.Context, id string) (alertRow, error) {
	found, err := k.alerts(ctx, record.Filter{ID: id})
	if err != nil {
		return alertRow{}, err
	}
	if len(found) == 0 {
		return alertRow{}, ats.Errorf(ats.NotFound, "no alert %s: it never was, or is resolved since long", id)
	}
	return found[0], nil
}

// muteFor is how long an alert is muted unless somebody says otherwise.
const muteFor = 7 * 24 * time.Hour

// mute keeps an alert from reminding, or lets it again.
func (k *desk) mute(ctx context.Context, who record.Actor, id, reason string, on bool) (alertRow, error) {
	reason, err := record.NeedReason(reason)
	if err != nil {
		return alertRow{}, err
	}
	until := time.Time{}
	if on {
		until = k.Now().Add(muteFor)
	}
	if err := k.Desk.MuteAlert(ctx, who, id, until, reason); err != nil {
		return alertRow{}, err
	}
	k.pulse.forget()
	return k.alert(ctx, id)
}

// release lets the mails of a company go again.
func (k *desk) release(ctx context.Context, who record.Actor, company, kind, reason string) error {
	reason, err := record.NeedReason(reason)
	if err != nil {
		return err
	}
	err = k.Desk.ReleaseBrake(ctx, who, company, kind, reason)
	if err == nil {
		k.pulse.forget()
	}
	return err
}

// postRelease is release in the API.
func (k *desk) postRelease(c *gin.Context, who record.Actor) (any, error) {
	var body struct {
		Company string `json:"company"`
		Kind    string `json:"kind"`
		Reason  string `json:"reason"`
	}
	if err := readJSON(c, &body); err != nil {
		return nil, err
	}
	if strings.TrimSpace(body.Company) == "" {
		return nil, ats.Errorf(ats.Invalid, "company: required")
	}
	if err := k.release(c.Request.Context(), who, body.Company, body.Kind, body.Reason); err != nil {
		return nil, err
	}
	return record.Done{Verb: "release", Matched: 1, Changed: 1}, nil
}
