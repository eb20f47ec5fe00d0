package spec

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Again replaces e by what body means, which is read as if a webhook had brought
// it: for vendors whose API says more in the same words. When a rule ignores it
// the error is ats.Duplicate: the event is left away.
func (c *Connector) Again(e *ats.Event, body any, now time.Time) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	events, err := c.Decode(connectors.Payload{Body: text, Received: now})
	switch {
	case err != nil:
		return err
	case len(events) == 0:
		return ats.Errorf(ats.Duplicate, "nothing in the answer concerns us")
	}
	events[0].History = events[0].History || e.History
	*e = events[0]
	return nil
}

// State is what a Checker says of an event that was read again, with the error
// of reading: "" for one that is left away.
func State(e *ats.Event, err error) (ats.State, error) {
	switch {
	case ats.FaultOf(err) == ats.Duplicate:
		return "", nil
	case err != nil:
		return "", err
	}
	return e.State, nil
}
