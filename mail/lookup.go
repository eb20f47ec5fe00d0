package mail

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// A Looker is a Transport that can be asked whether it ever had a message: for
// mails of which nobody knows whether they left.
type Looker interface {
	// Look returns the provider's id of the message, an ats.NotFound error when the
	// provider has not heard of it since the given time. That is no proof: a log
	// may lag behind.
	Look(ctx context.Context, m Message, since time.Time) (providerID string, err error)
}

const (
	lookSlack = 5 * time.Minute // between the provider's clock and ours
	lookMost  = 20              // mails to the same person that are looked at
	lookWait  = 20 * time.Second
)

// Look implements Looker through the Email Logs API, which finds mails by address
// and time and tells our send id of each.
func (s SendGrid) Look(ctx context.Context, m Message, since time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	to := string(m.To.Address)
	if strings.ContainsAny(to, `'\`) {
		return "", ats.Errorf(ats.Invalid, "the log cannot be searched for an address with a quotation mark")
	}
	query, err := json.Marshal(map[string]any{
		"query": "to_email = '" + to + `' AND sg_message_id_created_at >= TIMESTAMP "` + since.Add(-lookSlack).UTC().Format(time.RFC3339) + `"`,
		"limit": lookMost,
	})
	if err != nil {
		return "", ats.Errorf(ats.Invalid, "encoding the search: %w", err)
	}
	var found struct {
		Messages []struct {
			ID string `json:"sg_message_id"`
		} `json:"messages"`
	}
	if err := s.ask(ctx, http.MethodPost, "/v3/logs", query, &found); err != nil {
		return "", err
	}
	for _, one := range found.Messages {
		var detail struct {
			Args map[string]string `json:"custom_args"`
		}
		err := s.ask(ctx, http.MethodGet, "/v3/logs/"+url.PathEscape(one.ID), nil, &detail)
		if err != nil && ats.FaultOf(err) != ats.NotFound {
			return "", err
		}
		if m.SendID != "" && detail.Args[sendArg] == m.SendID {
			return one.ID, nil
		}
	}
	return "", ats.Errorf(ats.NotFound, "SendGrid's log does not know this mail; it may lag some minutes behind")
}

// ask calls SendGrid's log. Its errors never quote an answer, which may hold
// addresses.
func (s SendGrid) ask(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, cmp.Or(strings.TrimRight(s.BaseURL, "/"), sendGridHost)+path, bytes.NewReader(body))
	if err != nil {
		return ats.Errorf(ats.Denied, "SendGrid's address is not usable")
	}
	req.Header.Set("Authorization", "Bearer "+string(s.Key))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := s.client().Do(req)
	if err != nil {
		return ats.Errorf(ats.Busy, "SendGrid's log does not answer")
	}
	defer func() { _ = resp.Body.Close() }()
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
	case status == http.StatusNotFound && method == http.MethodGet:
		return ats.Errorf(ats.NotFound, "SendGrid's log does not know this mail")
	case status == http.StatusTooManyRequests || status >= 500:
		return ats.BusyFor(wait(resp.Header), "SendGrid's log answers %d", status)
	default:
		return ats.Errorf(ats.Conflict, "SendGrid's log answers %d: the key needs the right to read Email Logs", status)
	}
	const maxLog = 4 << 20
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxLog)).Decode(into); err != nil {
		return ats.Errorf(ats.Busy, "SendGrid's log answers something else than JSON")
	}
	return nil
}
