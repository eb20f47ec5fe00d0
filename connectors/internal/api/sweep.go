package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Bounds of a sweep, in pages.
const (
	sweepPages = 40   // that one call reads; the next call goes on
	maxPages   = 2000 // of a whole sweep: a vendor whose pages never end
)

// A Sweep is where a Poller stands that goes through what changed, page by
// page. Its text is the Poller's cursor.
type Sweep struct {
	Began   time.Time `json:"began"`            // the first sweep: what was decided before is history
	Since   time.Time `json:"since"`            // from when on the vendor is asked
	Started time.Time `json:"started,omitzero"` // the sweep under way; zero for none
	Page    string    `json:"page,omitempty"`   // its next page
	Read    int       `json:"read,omitempty"`   // how many pages it had so far
}

// A Pager reads one page of what changed since s.Since; no next page ends the
// sweep.
type Pager func(ctx context.Context, s Sweep) (news []connectors.Payload, next string, err error)

// Swept does the work of a Poller. The first call reads nothing: what was there
// before is not news. Each sweep begins by overlap before the last one did, so
// that what changed while it ran is not lost. A sweep that breaks off goes on
// where it was, and begins again when the vendor no longer knows the page.
func Swept(ctx context.Context, cursor string, now time.Time, overlap time.Duration, read Pager) ([]connectors.Payload, string, error) {
	if cursor == "" {
		return nil, Sweep{Began: now, Since: now}.text(), nil
	}
	var s Sweep
	if json.Unmarshal([]byte(cursor), &s) != nil || s.Since.IsZero() {
		return nil, "", ats.Errorf(ats.Invalid, "the cursor is not one of this connector's")
	}
	if s.Started.IsZero() {
		s.Started = now
	}
	var news []connectors.Payload
	for i := range sweepPages {
		more, next, err := read(ctx, s)
		news = append(news, more...)
		switch fault := ats.FaultOf(err); {
		case err != nil && i == 0 && s.Page != "" && (fault == ats.Invalid || fault == ats.NotFound):
			s.Page, s.Read = "", 0 // what was read comes again, which does no harm
			continue
		case err != nil:
			return news, s.text(), err
		case next == "":
			s = Sweep{Began: s.Began, Since: s.Started.Add(-overlap)}
			return news, s.text(), nil
		case next == s.Page:
			return news, Sweep{Began: s.Began, Since: s.Since}.text(), ats.Errorf(ats.Invalid, "the next page is the same page")
		case s.Read >= maxPages:
			return news, Sweep{Began: s.Began, Since: s.Since}.text(), ats.Errorf(ats.TooLarge, "more than %d pages", maxPages)
		}
		s.Page = next
		s.Read++
	}
	return news, s.text(), nil
}

// Sweeping is embedded by a Poller whose cursors are of Swept.
type Sweeping struct{}

// More implements connectors.Pager.
func (Sweeping) More(cursor string) bool {
	var s Sweep
	return json.Unmarshal([]byte(cursor), &s) == nil && !s.Started.IsZero()
}

func (s Sweep) text() string {
	text, _ := json.Marshal(s) // times and texts always can be written
	return string(text)
}

// Payload makes news of a body, or history when it was decided before the first
// sweep.
func (s Sweep) Payload(body []byte, decided, now time.Time) connectors.Payload {
	p := connectors.Payload{Body: body, Received: now}
	if !decided.IsZero() && decided.Before(s.Began) {
		return p.AsHistory()
	}
	return p
}
